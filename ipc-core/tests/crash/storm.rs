//! Many processes that work, and one after the other is killed at a random instant and replaced. A ledger
//! in shared memory has every message that was sent, acknowledged and received, and what was in the hands
//! of the dead: in the end each acknowledged message came exactly once, or is one of those.

use crate::message;
use crate::peers::{Peer, is_asleep, is_root, shared};
use crate::trace::Bytes;
use libtest_mimic::Trial;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};
use std::time::{Duration, Instant};
use unipc::{Engine, Queue};

const PROCESSES: u32 = 8;
/// Of one sender, and how many senders and receivers there can be one after the other.
const MESSAGES: u32 = 1 << 19;
const LIVES: usize = 1 << 13;
const SIZE_MAX: usize = 1200;
/// Only what hangs comes to it.
const LONG: Duration = Duration::from_secs(10);

#[derive(Clone, Copy)]
struct Storm {
    name: &'static str,
    slots: usize,
    size: usize,
    priorities: u32,
    /// Messages are written and read in place.
    loans: bool,
    /// Processes are stopped for a while, too, and killed when they are.
    stops: bool,
    /// Each process sends and receives, by a thread each.
    threads: bool,
    /// In PID namespaces and under users of their own.
    strangers: bool,
    /// They do what is seldom done: ask to be notified, close a handle, hold a cell for long, commit what
    /// another thread has reserved.
    odd: bool,
}

const RING: Storm = Storm {
    name: "",
    slots: 10,
    size: 64,
    priorities: 1,
    loans: false,
    stops: false,
    threads: false,
    strangers: false,
    odd: false,
};
const MIXED: Storm = Storm { priorities: 8, ..RING };

const STORMS: &[Storm] = &[
    Storm { name: "ring of 1", slots: 1, ..RING },
    Storm { name: "ring of 2", slots: 2, ..RING },
    Storm { name: "ring of 10", ..RING },
    Storm { name: "ring of 64", slots: 64, ..RING },
    Storm { name: "mixed of 1", slots: 1, ..MIXED },
    Storm { name: "mixed of 2", slots: 2, ..MIXED },
    Storm { name: "mixed of 10", ..MIXED },
    Storm { name: "mixed of 64", slots: 64, ..MIXED },
    Storm { name: "large mixed of 10", size: SIZE_MAX, ..MIXED },
    Storm { name: "loans in a ring of 2", slots: 2, loans: true, ..RING },
    Storm { name: "loans in a ring of 10", loans: true, ..RING },
    Storm { name: "loans in a mixed of 10", loans: true, ..MIXED },
    Storm { name: "stops in a ring of 2", slots: 2, stops: true, ..RING },
    Storm { name: "stops in a ring of 10", stops: true, ..RING },
    Storm { name: "stops in a mixed of 10", stops: true, ..MIXED },
    Storm { name: "stops among loans in a ring of 10", stops: true, loans: true, ..RING },
    Storm { name: "threads in a ring of 10", threads: true, ..RING },
    Storm { name: "threads in a mixed of 10", threads: true, ..MIXED },
    Storm { name: "strangers in a ring of 10", strangers: true, ..RING },
    Storm { name: "strangers in a mixed of 10", strangers: true, ..MIXED },
];

pub fn all() -> Vec<Trial> {
    STORMS.iter().map(|storm| crate::trial("storm", storm.name)).collect()
}

struct Sender {
    intended: AtomicU32,
    acknowledged: AtomicU32,
}

struct Receiver {
    /// What is being taken out of the queue: if its number and bytes are whole, the message that this
    /// one may have consumed and could not say so.
    hands: [AtomicU8; SIZE_MAX],
}

struct Ledger {
    stop: AtomicU32,
    lives: AtomicU32,
    received: AtomicU64,
    torn: AtomicU64,
    /// Messages that came after a later one of the same sender and priority to the same receiver.
    late: AtomicU64,
    put_back: AtomicU64,
    senders: [Sender; LIVES],
    receivers: [Receiver; LIVES],
    /// How often each message was received.
    counts: [AtomicU8; LIVES * MESSAGES as usize],
}

fn number(sender: u32, message: u32) -> u32 {
    sender * MESSAGES + message
}

fn open(name: &str) -> Queue {
    Queue::options().engine(Engine::Shm).open(name).unwrap()
}

struct Dice(u64);

impl Dice {
    fn new() -> Dice {
        let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Dice(time.as_nanos() as u64 ^ u64::from(std::process::id()) << 40 | 1)
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Another handle, and what it held goes with it.
fn come_and_go(dice: &mut Dice, name: &str) {
    let queue = open(name);
    if dice.roll(2) == 0 {
        let _ = queue.try_reserve(0, 0).map(|place| place.into_loan().to_words());
    }
}

fn send(storm: &Storm, ledger: &Ledger, name: &str, life: u32) {
    let queue = open(name);
    let log = &ledger.senders[life as usize];
    let mut dice = Dice(u64::from(life) * 77 + 1);
    let mut buffer = vec![0; storm.size];
    if storm.odd {
        come_and_go(&mut dice, name);
    }
    for message in 1..MESSAGES {
        let id = message::id(dice.roll(storm.priorities.into()) as u32, number(life, message));
        let len = message::write(id, &mut buffer);
        log.intended.store(message, SeqCst);
        if storm.loans {
            if dice.roll(8) == 0 {
                drop(queue.reserve(len, message::priority(id)).unwrap());
            }
            let mut place = queue.reserve(len, message::priority(id)).unwrap();
            place.write(0, &buffer[..len]).unwrap();
            if storm.odd && dice.roll(4) == 0 {
                std::thread::sleep(Duration::from_micros(dice.roll(400)));
            }
            if storm.odd && dice.roll(4) == 0 {
                let loan = place.into_loan();
                let commit = || queue.resume_reserved(loan).unwrap().commit().unwrap();
                std::thread::scope(|scope| scope.spawn(commit).join().unwrap());
            } else {
                place.commit().unwrap();
            }
        } else {
            queue.send(&buffer[..len], message::priority(id)).unwrap();
        }
        log.acknowledged.store(message, SeqCst);
        if ledger.stop.load(SeqCst) == 1 {
            return;
        }
    }
    while ledger.stop.load(SeqCst) == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn receive(storm: &Storm, ledger: &Ledger, name: &str, life: u32) {
    let queue = open(name);
    // Ours alone while we live.
    let hands = &ledger.receivers[life as usize].hands;
    let hands = unsafe { std::slice::from_raw_parts_mut(hands.as_ptr().cast::<u8>().cast_mut(), storm.size) };
    let mut last: HashMap<(u32, u32), u32> = HashMap::new();
    let mut dice = Dice(u64::from(life) * 99 + 7);
    loop {
        if storm.odd && dice.roll(4) == 0 {
            let _ = queue.notify_callback(|| ()); // others may have done so
            std::thread::sleep(Duration::from_micros(dice.roll(400)));
        }
        let len = if storm.loans {
            let message = queue.borrow().unwrap();
            if dice.roll(8) == 0 {
                ledger.put_back.fetch_add(1, SeqCst);
                message.put_back().unwrap();
                continue;
            }
            let len = message.len();
            message.read(0, &mut hands[..len]).unwrap();
            message.release().unwrap();
            len
        } else {
            queue.receive_into(hands).unwrap().len
        };
        let Some(id) = message::read(&hands[..len], storm.size) else {
            ledger.torn.fetch_add(1, SeqCst);
            continue;
        };
        ledger.counts[id as u32 as usize].fetch_add(1, SeqCst);
        std::sync::atomic::compiler_fence(SeqCst);
        hands[..8].fill(0);
        std::sync::atomic::compiler_fence(SeqCst);
        ledger.received.fetch_add(1, SeqCst);
        let (sender, message) = (id as u32 / MESSAGES, id as u32 % MESSAGES);
        let before = last.insert((sender, message::priority(id)), message).unwrap_or(0);
        if before > message {
            last.insert((sender, message::priority(id)), before);
            ledger.late.fetch_add(1, SeqCst);
        }
    }
}

impl Storm {
    /// A process that does its part; `begin` is called by it first.
    fn spawn(&self, ledger: &'static Ledger, name: &str, role: u32, begin: impl FnOnce()) -> Peer {
        let lives = if self.threads { 2 } else { 1 };
        let life = ledger.lives.fetch_add(lives, SeqCst);
        assert!(life + 1 < LIVES as u32, "too long a storm");
        let work = || {
            begin();
            match (self.threads, role % 2) {
                (true, _) => std::thread::scope(|scope| {
                    scope.spawn(|| receive(self, ledger, name, life + 1));
                    send(self, ledger, name, life);
                }),
                (false, 0) => send(self, ledger, name, life),
                (false, _) => receive(self, ledger, name, life),
            }
        };
        match (self.strangers, role / 2 % 4) {
            (true, 1) => Peer::fork_apart(work),
            (true, 2) => Peer::fork_as_nobody(work),
            _ => Peer::fork(work),
        }
    }
}

/// A queue in a storm, and its books.
struct Sea<'a> {
    storm: &'a Storm,
    queue: Queue,
    ledger: &'static Ledger,
    peers: Vec<(u32, Peer)>,
    wrong: Vec<String>,
    seen: u64,
    since: Instant,
    /// How long nothing happens when all is over.
    calm: Duration,
}

impl<'a> Sea<'a> {
    fn new(storm: &'a Storm, name: &str) -> Sea<'a> {
        let mut options = Queue::options();
        options.engine(Engine::Shm).max_messages(storm.slots).message_size(storm.size).exact_mode(0o666);
        let (queue, ledger) = (options.create(name).unwrap(), shared::<Ledger>());
        ledger.lives.store(1, SeqCst);
        let (since, calm) = (Instant::now(), Duration::from_millis(60));
        Sea { storm, queue, ledger, peers: Vec::new(), wrong: Vec::new(), seen: 0, since, calm }
    }

    fn spawn(&mut self, role: u32) {
        self.peers.push((role, self.storm.spawn(self.ledger, self.queue.name(), role, || ())));
    }

    fn complain(&mut self, what: &str) {
        let picture = Bytes::of(&self.queue).picture(self.storm.slots);
        self.wrong.push(format!("{what}\n  {picture}"));
    }

    /// Somebody still gets somewhere.
    fn moves(&mut self) {
        let received = self.ledger.received.load(SeqCst);
        if received != self.seen {
            (self.seen, self.since) = (received, Instant::now());
        } else if self.since.elapsed() > LONG / 2 {
            self.complain("nobody gets anywhere");
        }
    }

    fn acknowledged(&self) -> u64 {
        let lives = self.ledger.lives.load(SeqCst) as usize;
        self.ledger.senders[..lives].iter().map(|sender| u64::from(sender.acknowledged.load(SeqCst))).sum()
    }

    /// Receives what is there itself.
    fn drain(&self) -> usize {
        let mut left = 0;
        while let Ok(received) = self.queue.try_receive() {
            left += 1;
            match message::read(&received.data, self.storm.size) {
                Some(id) => self.ledger.counts[id as u32 as usize].fetch_add(1, SeqCst),
                None => self.ledger.torn.fetch_add(1, SeqCst) as u8,
            };
        }
        left
    }

    /// The senders come to their end while the receivers live; these take what is there, and go to sleep.
    fn calm_down(&mut self) {
        if !self.storm.threads && self.peers.iter().all(|(role, _)| role % 2 == 0) {
            self.spawn(1);
        }
        self.ledger.stop.store(1, SeqCst);
        let mut receivers = Vec::new();
        for (role, peer) in std::mem::take(&mut self.peers) {
            if self.storm.threads || role % 2 == 1 {
                receivers.push(peer);
                continue;
            }
            match peer.reap_by(LONG) {
                Ok(0) => {}
                Ok(status) => self.wrong.push(format!("a sender failed: {status:x}")),
                Err(_) => self.complain("a sender hangs"),
            }
        }
        let (begin, mut before) = (Instant::now(), (0, 0, 0));
        loop {
            std::thread::sleep(self.calm);
            let now = (self.ledger.received.load(SeqCst), self.acknowledged(), self.queue.len().unwrap());
            let all_sleep = || receivers.iter().all(|receiver: &Peer| is_asleep(receiver.pid, true));
            if now == before && now.2 == 0 && (self.storm.threads || all_sleep()) {
                break;
            }
            if begin.elapsed() > LONG {
                let doing =
                    |peer: &Peer| std::fs::read_to_string(format!("/proc/{}/syscall", peer.pid)).unwrap_or_default();
                let doing: Vec<String> = receivers.iter().map(doing).collect();
                self.complain(&format!("with {} messages in the queue receivers are at {doing:?}", now.2));
                break;
            }
            before = now;
        }
        let left = self.drain();
        if left > 0 {
            self.wrong.push(format!("{left} messages were left to sleeping receivers"));
        }
        for peer in receivers {
            let status = peer.kill();
            if !libc::WIFSIGNALED(status) {
                self.wrong.push(format!("a receiver failed: {status:x}"));
            }
        }
        if self.drain() > 0 {
            self.wrong.push("messages came back from receivers that slept".into());
        }
    }

    /// The books are right, and the whole capacity is there; what there is to tell.
    fn account(&mut self) -> String {
        let (ledger, storm) = (self.ledger, self.storm);
        let lives = ledger.lives.load(SeqCst);
        let doubtful: BTreeSet<u32> = ledger.receivers[..lives as usize]
            .iter()
            .filter_map(|receiver| {
                let hands: Vec<u8> = receiver.hands[..storm.size].iter().map(|byte| byte.load(SeqCst)).collect();
                message::read_within(&hands).map(|id| id as u32)
            })
            .collect();
        let (mut once, mut lost, mut twice, mut consumed_by_the_dead, mut unsaid) = (0u64, 0, 0, 0, 0);
        for life in 1..lives {
            let log = &ledger.senders[life as usize];
            let (intended, acknowledged) = (log.intended.load(SeqCst), log.acknowledged.load(SeqCst));
            for message in 1..=intended {
                let id = number(life, message);
                match ledger.counts[id as usize].load(SeqCst) {
                    1 => once += 1,
                    0 if message > acknowledged => unsaid += 1,
                    0 if doubtful.contains(&id) => consumed_by_the_dead += 1,
                    0 => {
                        lost += 1;
                        self.wrong.push(format!("lost: {id:x} of {life}, {message} of {acknowledged}"));
                    }
                    count => {
                        twice += 1;
                        self.wrong.push(format!("{count} times: {id:x} of {life}, {message} of {acknowledged}"));
                    }
                }
            }
        }
        let torn = ledger.torn.load(SeqCst);
        if torn > 0 {
            self.wrong.push(format!("{torn} torn"));
        }
        // What comes back comes late: at most one message for each receiver that was killed, or gave one back.
        let (late, may_be_late) = (ledger.late.load(SeqCst), u64::from(lives) + ledger.put_back.load(SeqCst));
        if late > may_be_late {
            self.wrong.push(format!("{late} messages out of order, of {may_be_late} that may have come back"));
        }
        for lap in 0..2 {
            let mut room = 0;
            while self.queue.try_send(b"one more", 0).is_ok() {
                room += 1;
            }
            if lap == 1 && room != storm.slots || room > storm.slots {
                self.wrong.push(format!("room for {room} of {} messages on lap {lap}", storm.slots));
            }
            while self.queue.try_receive().is_ok() {}
        }
        format!(
            "{once} messages came once, {lost} lost, {twice} twice, {torn} torn, {consumed_by_the_dead} consumed by \
             who died with them, {unsaid} not sent by who died at it, {late} late"
        )
    }

    fn end(mut self, what: &str, begin: Instant) {
        self.calm_down();
        let account = self.account();
        println!("{what}; {account}, in {:.1?}", begin.elapsed());
        self.wrong.truncate(20);
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
    }
}

pub fn play(which: &str, name: &str) {
    let storm = STORMS.iter().find(|storm| storm.name == which).unwrap();
    if storm.strangers && !is_root() {
        println!("skipped: storm of {which}: needs root");
        return;
    }
    let wanted = if crate::is_full() { 4000 } else { 150 };
    let begin = Instant::now();
    let mut dice = Dice::new();
    let mut sea = Sea::new(storm, name);
    (0..PROCESSES).for_each(|role| sea.spawn(role));
    let mut stopped: HashMap<i32, Instant> = HashMap::new();
    let (mut kills, mut stops) = (0, 0);
    while kills < wanted && sea.wrong.is_empty() {
        std::thread::sleep(Duration::from_micros(dice.roll(2000)));
        let which = dice.roll(PROCESSES.into()) as usize;
        if storm.stops && dice.roll(3) != 0 {
            stopped.retain(|&pid, until| {
                let over = *until < Instant::now();
                if over {
                    unsafe { libc::kill(pid, libc::SIGCONT) };
                }
                !over
            });
            let pid = sea.peers[which].1.pid;
            unsafe { libc::kill(pid, libc::SIGSTOP) };
            stopped.insert(pid, Instant::now() + Duration::from_micros(dice.roll(20_000)));
            stops += 1;
            continue;
        }
        let (role, peer) = sea.peers.swap_remove(which);
        stopped.remove(&peer.pid);
        let status = peer.kill();
        if !libc::WIFSIGNALED(status) {
            sea.wrong.push(format!("a process failed: {status:x}"));
        }
        kills += 1;
        sea.spawn(role);
        sea.moves();
    }
    for pid in stopped.into_keys() {
        unsafe { libc::kill(pid, libc::SIGCONT) };
    }
    let stops = if stops > 0 { format!(", {stops} stopped") } else { String::new() };
    sea.end(&format!("storm of {which}: {kills} killed{stops}"), begin);
}

/// Processes come to instants that have a name, and are killed or stopped and killed there, by themselves
/// and two at a time, while others work.
#[cfg(feature = "fail-points")]
pub mod points {
    use super::{Dice, MIXED, Peer, RING, Sea, Storm};
    use libtest_mimic::Trial;
    use std::collections::BTreeMap;
    use std::time::{Duration, Instant};

    /// All there are, as the source has them.
    fn names() -> Vec<&'static str> {
        let mut names = Vec::new();
        let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text: &'static str = std::fs::read_to_string(path).unwrap().leak();
                let calls = text.split("fail_point!(\"").skip(1);
                names.extend(calls.map(|rest| rest.split('"').next().unwrap()));
            }
        }
        names.sort_unstable();
        names.dedup();
        assert!(names.len() > 40, "the fail points are not where they were");
        let table = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/crash.md"));
        let missing: Vec<_> = names.iter().filter(|name| !table.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "docs/crash.md does not say what a death leaves at {missing:?}");
        names
    }

    pub fn all() -> Vec<Trial> {
        vec![crate::trial("points", "every named instant")]
    }

    /// Waits until a process came to its instant; false: it did not, and was killed elsewhere.
    fn reached(peer: Peer, patience: Duration, dice: &mut Dice) -> bool {
        let begin = Instant::now();
        loop {
            let mut status = 0;
            let flags = libc::WNOHANG | libc::WUNTRACED | libc::__WALL;
            let waited = unsafe { libc::waitpid(peer.pid, &raw mut status, flags) };
            if waited == peer.pid {
                if libc::WIFSTOPPED(status) {
                    std::thread::sleep(Duration::from_micros(dice.roll(6000)));
                    peer.kill();
                    return true;
                }
                std::mem::forget(peer);
                assert!(libc::WIFSIGNALED(status), "a process failed: {status:x}");
                return true;
            }
            if begin.elapsed() > patience {
                peer.kill();
                return false;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// A sea in which two come to their instants, whatever else goes on; how many did.
    fn sail(storm: &Storm, name: &str, points: [&'static str; 2], heirs_alone: bool, dice: &mut Dice) -> [bool; 2] {
        let mut sea = Sea::new(storm, name);
        sea.calm = Duration::from_millis(10);
        let others = if heirs_alone { 0 } else { 2 * dice.roll(3) as u32 };
        let come_first = dice.roll(2) == 0;
        if come_first {
            (0..others).for_each(|role| sea.spawn(role));
        }
        let signal = if dice.roll(2) == 0 { libc::SIGKILL } else { libc::SIGSTOP };
        // What is done for the dead, whoever comes to it.
        let heirs = if heirs_alone || dice.roll(2) == 0 { 2 } else { 0 };
        let heirs: Vec<Peer> = (0..heirs)
            .map(|role| {
                let heir = Storm { loans: dice.roll(2) == 0, ..*storm };
                heir.spawn(sea.ledger, name, role, || unipc::fail_points::arm(points[0], 1, signal))
            })
            .collect();
        let first = if heirs_alone { u32::from(!points[1].ends_with("read")) } else { dice.roll(2) as u32 };
        let victims = [0, 1].map(|which| {
            let victim = Storm { loans: dice.roll(2) == 0, odd: dice.roll(2) == 0, ..*storm };
            let (point, nth) = (points[which as usize], 1 + dice.roll(3) as u32);
            victim.spawn(sea.ledger, name, first + which, || unipc::fail_points::arm(point, nth, signal))
        });
        if !come_first {
            (0..others).for_each(|role| sea.spawn(role));
        }
        let mut came = victims.map(|victim| reached(victim, Duration::from_millis(15), dice));
        for heir in heirs {
            came[0] |= reached(heir, Duration::from_millis(5), dice);
        }
        sea.calm_down();
        sea.account();
        assert!(sea.wrong.is_empty(), "at {points:?}: {}", sea.wrong.join("\n"));
        came
    }

    pub fn play(_: &str, name: &str) {
        let begin = Instant::now();
        let names = names();
        let mut dice = Dice::new();
        let mut hits: BTreeMap<&str, u32> = names.iter().map(|&name| (name, 0)).collect();
        let wanted = if crate::is_full() { 20 } else { 1 };
        let worlds = [
            Storm { slots: 3, ..RING },
            Storm { slots: 3, priorities: 2, ..MIXED },
            Storm { slots: 1, ..RING },
            Storm { slots: 3, size: super::SIZE_MAX, ..MIXED },
        ];
        let (mut kills, mut seas) = (0, 0);
        for &first in &names {
            for attempt in 0..120 * wanted {
                if hits[first] >= wanted {
                    break;
                }
                let world = &worlds[(attempt / 4) as usize % worlds.len()];
                let holds = match world.priorities {
                    1 => ["ring: claimed to read", "ring: claimed to write"],
                    _ => ["sorted: claimed to read", "lock: taken"],
                };
                let second = match attempt % 4 {
                    0 => first,
                    1 | 2 => names[dice.roll(names.len() as u64) as usize],
                    _ => holds[dice.roll(2) as usize],
                };
                let points = [first, second];
                let came = sail(world, name, points, attempt % 4 == 3, &mut dice);
                super::Queue::unlink(name).unwrap();
                for (point, came) in points.into_iter().zip(came) {
                    *hits.get_mut(point).unwrap() += u32::from(came);
                    kills += 1;
                }
                seas += 1;
            }
        }
        let missed: Vec<_> = hits.iter().filter(|&(_, &count)| count == 0).map(|(name, _)| name).collect();
        let reached: u32 = hits.values().sum();
        println!(
            "named instants: {kills} killed on {seas} queues, {reached} of them at one of {} of the {} instants, in {:.1?}",
            hits.len() - missed.len(),
            hits.len(),
            begin.elapsed()
        );
        assert!(missed.is_empty(), "nobody came to {missed:?}");
    }
}
