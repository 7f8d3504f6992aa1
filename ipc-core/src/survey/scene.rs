//! Who has what: one walk through /proc, before any object is looked at.

use super::{Kind, Opener, Process, Waiter, Waits};
use crate::error::Errno;
use crate::sys::{self, observe, proc};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{CString, OsStr};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// A file system and a number on it.
pub(super) type Key = (u64, u64);

/// Pipes are told apart by their number alone.
pub(super) const PIPES: u64 = 0;

pub(super) const SHM: &str = "/dev/shm";

/// A descriptor: of what, its number, whether it reads and writes.
type Held = (Key, i32, (bool, bool));

#[derive(Default)]
pub(super) struct Scene {
    openers: HashMap<Key, Vec<Opener>>,
    /// What /proc calls those that a directory need not list, by whom.
    pub pipes: BTreeMap<Key, PathBuf>,
    pub fifos: BTreeMap<Key, PathBuf>,
    pub queues: BTreeMap<Key, PathBuf>,
    /// What has had a name in /dev/shm: the last that it had.
    pub removed: BTreeMap<Key, PathBuf>,
    /// How many processes there are, and of how many it was not told what they have.
    all: usize,
    hidden: usize,
    /// Why none was.
    failed: Option<Errno>,
    /// They may have more than is shown: /proc shows not all of them, or not all are of its namespace.
    partial: Vec<String>,
}

impl Scene {
    pub fn take(kinds: &[Kind]) -> Scene {
        let mut scene = Scene::default();
        let numbers = match proc::numbers() {
            Ok(numbers) => numbers,
            Err(errno) => {
                scene.failed = Some(errno);
                return scene;
            }
        };
        scene.partial = partial();
        let maps = kinds.iter().any(|kind| matches!(kind, Kind::Queue | Kind::Memory | Kind::Semaphore));
        let device = observe::facts(&CString::from(c"/dev/shm"), true).ok().map(|facts| facts.device);
        let boot = proc::boot();
        scene.all = numbers.len();
        for number in numbers {
            let window = proc::window(number);
            let found = scene.descriptors(window, kinds, device);
            let mapped = match device {
                Some(device) if maps => proc::mapped(window, device),
                _ => Ok(Vec::new()),
            };
            let hidden = found.as_ref().is_err_and(|&errno| is_refusal(errno))
                || mapped.as_ref().is_err_and(|&errno| is_refusal(errno));
            scene.hidden += usize::from(hidden);
            let (found, mapped) = (found.unwrap_or_default(), mapped.unwrap_or_default());
            if found.is_empty() && mapped.is_empty() {
                continue;
            }
            let Some(process) = look_at(number, window, boot) else { continue }; // it has ended
            for (key, descriptor, (reads, writes)) in found {
                scene.add(key, &process, Some(descriptor), None, (reads, writes));
            }
            for mapped in mapped {
                let key = (mapped.device, mapped.inode);
                if let Some(name) = name_before(&mapped.path) {
                    scene.removed.insert(key, name);
                }
                scene.add(key, &process, None, Some(mapped.range), (mapped.reads, mapped.writes));
            }
        }
        scene.find_waiters();
        scene
    }

    fn add(
        &mut self,
        key: Key,
        process: &Arc<Process>,
        descriptor: Option<i32>,
        mapped: Option<Range<u64>>,
        (reads, writes): (bool, bool),
    ) {
        let opener = Opener { process: process.clone(), descriptor, mapped, reads, writes, waiting: Vec::new() };
        self.openers.entry(key).or_default().push(opener);
    }

    /// What of these kinds a process has descriptors of, by its [window](Process::window).
    fn descriptors(&mut self, process: u32, kinds: &[Kind], shm: Option<u64>) -> sys::Result<Vec<Held>> {
        let pipes = kinds.contains(&Kind::Pipe);
        let others = kinds.iter().any(|&kind| kind != Kind::Pipe);
        let wanted = |target: &[u8]| pipes && target.starts_with(b"pipe:[") || others && target.starts_with(b"/");
        let mut held = Vec::new();
        for (number, target) in proc::descriptors(process, wanted)? {
            let Some((key, list)) = self.identify(process, number, &target, kinds, shm) else { continue };
            let rights = proc::rights(process, number);
            if rights == (false, false) {
                continue; // it stands for the file (O_PATH), and nobody has that open by it
            }
            held.push((key, number, rights));
            match list {
                Some(Kind::Pipe) => self.pipes.insert(key, target),
                Some(Kind::Fifo) => self.fifos.insert(key, target),
                Some(_) => self.queues.insert(key, target),
                None => name_before(&target).and_then(|name| self.removed.insert(key, name)),
            };
        }
        Ok(held)
    }

    /// Which object a descriptor is of, and of what kind if no directory need list it.
    fn identify(
        &self,
        process: u32,
        number: i32,
        target: &Path,
        kinds: &[Kind],
        shm: Option<u64>,
    ) -> Option<(Key, Option<Kind>)> {
        let target = target.as_os_str().as_bytes();
        if let Some(pipe) = target.strip_prefix(b"pipe:[") {
            let pipe = std::str::from_utf8(pipe).ok()?.strip_suffix(']')?.parse().ok()?;
            return Some(((PIPES, pipe), Some(Kind::Pipe)));
        }
        let path = path_of(process, number);
        let facts = observe::facts(&path, true).ok()?; // or closed since
        let key = (facts.device, facts.inode);
        if facts.is_fifo() {
            return kinds.contains(&Kind::Fifo).then_some((key, Some(Kind::Fifo)));
        }
        if !facts.is_file() {
            return None;
        }
        if shm == Some(facts.device) {
            return Some((key, None));
        }
        let is_queue = || !target[1..].contains(&b'/') && (self.queues.contains_key(&key) || observe::is_queue(&path));
        (kinds.contains(&Kind::Queue) && is_queue()).then_some((key, Some(Kind::Queue)))
    }

    fn find_waiters(&mut self) {
        let concerned: HashSet<u32> = self.openers.values().flatten().map(|opener| opener.process.number).collect();
        let mut calls: HashMap<u32, Vec<Call>> = HashMap::new();
        for process in concerned {
            let threads = proc::threads(process).into_iter();
            let waits = threads.filter_map(|thread| {
                let call = proc::waits_in(process, thread)?;
                Some(Call { thread, number: call.0, first: call.1[0], polled: proc::polled(process, thread, call) })
            });
            calls.insert(process, waits.collect());
        }
        for opener in self.openers.values_mut().flatten() {
            let Some(calls) = calls.get(&opener.process.number) else { continue };
            opener.waiting = calls.iter().filter_map(|call| waits_at(opener, call)).collect();
        }
    }

    pub fn openers(&self, key: Key) -> Vec<Opener> {
        self.openers.get(&key).cloned().unwrap_or_default()
    }

    /// What cannot be seen, in sentences.
    pub fn unseen(&self) -> Vec<String> {
        let mut unseen = Vec::new();
        if let Some(errno) = self.failed {
            let cause = errno.of("read", "/proc").cause().to_owned();
            unseen.push(format!("who has what: /proc cannot be read: {cause}"));
        }
        if self.hidden > 0 {
            let (hidden, all) = (self.hidden, self.all);
            unseen.push(format!(
                "what {hidden} of the {all} processes have open and mapped: they are other users', or protected; \
                 look as root"
            ));
        }
        unseen.extend(self.partial.iter().cloned());
        unseen
    }
}

/// Why there may be processes that /proc does not show.
pub(super) fn partial() -> Vec<String> {
    let mut partial = Vec::new();
    if !proc::namespace("self", "pid").is_some_and(|number| proc::is_initial("pid", number)) {
        partial.push(
            "processes outside this PID namespace, as those of other containers and of the machine itself: look \
             from there"
                .to_owned(),
        );
    }
    let is_root = observe::user() == 0;
    if !is_root
        && proc::mounts("proc")
            .iter()
            .any(|(place, options)| place.as_os_str() == "/proc" && options.contains("hidepid="))
    {
        partial.push("processes of other users: /proc is mounted with hidepid; look as root".to_owned());
    }
    partial
}

/// The name that a file in /dev/shm had until it was removed. One that never had any is written as a number.
fn name_before(target: &Path) -> Option<PathBuf> {
    let text = target.as_os_str().as_bytes().strip_suffix(b" (deleted)")?;
    let name = text.strip_prefix(b"/dev/shm/")?;
    (!name.starts_with(b"#")).then(|| PathBuf::from(OsStr::from_bytes(name)))
}

/// And not because it has ended.
fn is_refusal(errno: Errno) -> bool {
    !matches!(errno.0, libc::ENOENT | libc::ESRCH)
}

/// When a process began, where that can be told; `boot` is when the machine did.
pub(super) fn started(number: u32, boot: Option<SystemTime>) -> Option<SystemTime> {
    Some(boot? + proc::started(number)?)
}

fn look_at(number: u32, window: u32, boot: Option<SystemTime>) -> Option<Arc<Process>> {
    let status = proc::status(number).ok().filter(|status| !status.ended)?;
    Some(Arc::new(Process {
        number,
        name: status.name,
        command: proc::command(window),
        uid: status.uid,
        started: started(number, boot),
        numbers: status.numbers,
        window,
    }))
}

/// Of a process, by its [window](Process::window).
pub(super) fn path_of(window: u32, descriptor: i32) -> CString {
    CString::new(proc::descriptor(window, descriptor)).expect("numbers have no NUL")
}

/// A system call that a thread is in.
struct Call {
    thread: u32,
    number: i64,
    /// Its first argument.
    first: u64,
    /// The descriptors that it polls, and for which events.
    polled: Vec<(i32, u32)>,
}

/// Whether a thread in a system call waits at what somebody has open.
fn waits_at(opener: &Opener, call: &Call) -> Option<Waiter> {
    const RECEIVING: [i64; 7] = [
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_preadv2,
        libc::SYS_splice,
        libc::SYS_tee,
        libc::SYS_sendfile,
        libc::SYS_mq_timedreceive,
    ];
    const SENDING: [i64; 5] =
        [libc::SYS_write, libc::SYS_writev, libc::SYS_pwritev2, libc::SYS_vmsplice, libc::SYS_mq_timedsend];
    let is_it = |number: i32| opener.descriptor == Some(number);
    let at_it = is_it(call.first as i32);
    let asleep =
        call.number == libc::SYS_futex && opener.mapped.as_ref().is_some_and(|range| range.contains(&call.first));
    // Of poll(2) and epoll(7) the events have the same bits.
    let polled = call.polled.iter().filter(|&&(number, _)| is_it(number)).fold(0, |all, (_, events)| all | events);
    let watches = |event: i16| polled & event as u32 != 0;
    let waits = Waits {
        to_receive: at_it && RECEIVING.contains(&call.number) || asleep || opener.reads && watches(libc::POLLIN),
        to_send: at_it && SENDING.contains(&call.number) || opener.writes && watches(libc::POLLOUT),
        watches: polled != 0,
    };
    waits.any().then(|| Waiter { process: opener.process.clone(), thread: call.thread, waits })
}
