//! Who has what: one walk through /proc, before any object is looked at.

use super::{Kind, Opener, Process, Waiter, Waits};
use crate::error::Errno;
use crate::sys::{observe, proc};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// A file system and a number on it.
pub(super) type Key = (u64, u64);

/// Pipes are told apart by their number alone.
pub(super) const PIPES: u64 = 0;

pub(super) const SHM: &str = "/dev/shm";

#[derive(Default)]
pub(super) struct Scene {
    pub processes: Vec<Arc<Process>>,
    openers: HashMap<Key, Vec<Opener>>,
    /// What /proc calls those that a directory need not list, by whom.
    pub pipes: BTreeMap<Key, PathBuf>,
    pub fifos: BTreeMap<Key, PathBuf>,
    pub queues: BTreeMap<Key, PathBuf>,
    /// Of so many processes it was not told what they have.
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
        for number in numbers {
            let Some(process) = look_at(number, boot) else { continue }; // it has ended
            let mut hidden = scene.descriptors(&process, kinds, device).is_err_and(is_refusal);
            if let (true, Some(device)) = (maps, device) {
                hidden |= scene.mappings(&process, device).is_err_and(is_refusal);
            }
            scene.hidden += usize::from(hidden);
            scene.processes.push(process);
        }
        scene.find_waiters();
        scene
    }

    fn add(&mut self, key: Key, opener: Opener) {
        self.openers.entry(key).or_default().push(opener);
    }

    fn descriptors(&mut self, process: &Arc<Process>, kinds: &[Kind], shm: Option<u64>) -> Result<(), Errno> {
        let wanted = |target: &[u8]| target.starts_with(b"pipe:[") || target.starts_with(b"/");
        for open in proc::descriptors(process.number, wanted)? {
            let target = open.target.as_os_str().as_bytes();
            let opener = Opener {
                process: process.clone(),
                descriptor: Some(open.number),
                mapped: None,
                reads: open.reads,
                writes: open.writes,
                waiting: Vec::new(),
            };
            if let Some(number) = target.strip_prefix(b"pipe:[") {
                let number = std::str::from_utf8(number).ok().and_then(|text| text.strip_suffix(']')?.parse().ok());
                if let (Some(number), true) = (number, kinds.contains(&Kind::Pipe)) {
                    self.add((PIPES, number), opener);
                    self.pipes.insert((PIPES, number), open.target);
                }
                continue;
            }
            let path = path_of(process.number, open.number);
            let Ok(facts) = observe::facts(&path, true) else { continue }; // closed since
            let key = (facts.device, facts.inode);
            if facts.is_fifo() && kinds.contains(&Kind::Fifo) {
                self.add(key, opener);
                self.fifos.insert(key, open.target);
            } else if facts.is_file() && shm == Some(facts.device) {
                self.add(key, opener);
            } else if facts.is_file()
                && kinds.contains(&Kind::Queue)
                && !target[1..].contains(&b'/')
                && observe::is_queue(&path)
            {
                self.add(key, opener);
                self.queues.insert(key, open.target);
            }
        }
        Ok(())
    }

    fn mappings(&mut self, process: &Arc<Process>, device: u64) -> Result<(), Errno> {
        for mapped in proc::mapped(process.number, device)? {
            let opener = Opener {
                process: process.clone(),
                descriptor: None,
                mapped: Some(mapped.range),
                reads: mapped.reads,
                writes: mapped.writes,
                waiting: Vec::new(),
            };
            self.add((mapped.device, mapped.inode), opener);
        }
        Ok(())
    }

    fn find_waiters(&mut self) {
        let concerned: HashSet<u32> = self.openers.values().flatten().map(|opener| opener.process.number).collect();
        let mut calls: HashMap<u32, Vec<(u32, i64, u64)>> = HashMap::new();
        for process in concerned {
            let threads = proc::threads(process).into_iter();
            let waits = threads.filter_map(|thread| {
                let (call, first) = proc::waits_in(process, thread)?;
                Some((thread, call, first))
            });
            calls.insert(process, waits.collect());
        }
        for opener in self.openers.values_mut().flatten() {
            let Some(calls) = calls.get(&opener.process.number) else { continue };
            opener.waiting = calls.iter().filter_map(|&call| waits_at(opener, call)).collect();
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
            let (hidden, all) = (self.hidden, self.processes.len());
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
    if proc::mounts("proc").iter().any(|(place, options)| place.as_os_str() == "/proc" && options.contains("hidepid="))
    {
        partial.push("processes of other users: /proc is mounted with hidepid; look as root".to_owned());
    }
    partial
}

fn is_refusal(errno: Errno) -> bool {
    matches!(errno.0, libc::EACCES | libc::EPERM)
}

pub(super) fn look_at(number: u32, boot: Option<SystemTime>) -> Option<Arc<Process>> {
    let status = proc::status(number).ok().filter(|status| !status.ended)?;
    Some(Arc::new(Process {
        number,
        name: status.name,
        command: proc::command(number),
        uid: status.uid,
        started: boot.zip(proc::started(number)).map(|(boot, since)| boot + since),
        numbers: status.numbers,
    }))
}

pub(super) fn path_of(process: u32, descriptor: i32) -> CString {
    CString::new(proc::descriptor(process, descriptor)).expect("numbers have no NUL")
}

/// Whether a thread in a system call, with that first argument, waits at what somebody has open.
fn waits_at(opener: &Opener, (thread, call, first): (u32, i64, u64)) -> Option<Waiter> {
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
    let at_it = opener.descriptor.is_some_and(|number| first as i32 == number);
    let asleep = call == libc::SYS_futex && opener.mapped.as_ref().is_some_and(|range| range.contains(&first));
    let waits = Waits {
        to_receive: at_it && RECEIVING.contains(&call) || asleep,
        to_send: at_it && SENDING.contains(&call),
        watches: false,
    };
    waits.any().then(|| Waiter { process: opener.process.clone(), thread, waits })
}
