//! Many processes that work, and one after the other is killed at a random instant and replaced. A ledger
//! in shared memory has every message that was sent, acknowledged and received, and what was in the hands
//! of the dead: in the end each acknowledged message came exactly once, or is one of those.

use crate::message;
use crate::peers::{Peer, is_root, shared};
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
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn send(storm: &Storm, ledger: &Ledger, name: &str, life: u32) {
    let queue = open(name);
    let log = &ledger.senders[life as usize];
    let mut dice = Dice(u64::from(life) * 77 + 1);
    let mut buffer = vec![0; storm.size];
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
            place.commit().unwrap();
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
    fn spawn(&self, ledger: &'static Ledger, name: &str, role: u32) -> Peer {
        let lives = if self.threads { 2 } else { 1 };
        let life = ledger.lives.fetch_add(lives, SeqCst);
        assert!(life + 1 < LIVES as u32, "too long a storm");
        let work = || match (self.threads, role % 2) {
            (true, _) => std::thread::scope(|scope| {
                scope.spawn(|| receive(self, ledger, name, life + 1));
                send(self, ledger, name, life);
            }),
            (false, 0) => send(self, ledger, name, life),
            (false, _) => receive(self, ledger, name, life),
        };
        match (self.strangers, role / 2 % 4) {
            (true, 1) => Peer::fork_apart(work),
            (true, 2) => Peer::fork_as_nobody(work),
            _ => Peer::fork(work),
        }
    }
}

pub fn play(which: &str, name: &str) {
    let storm = STORMS.iter().find(|storm| storm.name == which).unwrap();
    if storm.strangers && !is_root() {
        println!("skipped: storm of {which}: needs root");
        return;
    }
    let wanted = if crate::is_full() { 4000 } else { 150 };
    let ledger: &'static Ledger = shared();
    let mut options = Queue::options();
    options.engine(Engine::Shm).max_messages(storm.slots).message_size(storm.size).exact_mode(0o666);
    let queue = options.create(name).unwrap();
    let begin = Instant::now();
    let mut dice = Dice(begin.elapsed().as_nanos() as u64 ^ u64::from(std::process::id()) << 20 | 1);
    ledger.lives.store(1, SeqCst);
    let mut peers: Vec<(u32, Peer)> = (0..PROCESSES).map(|role| (role, storm.spawn(ledger, name, role))).collect();
    let mut stopped: HashMap<i32, Instant> = HashMap::new();
    let (mut kills, mut stops, mut seen, mut since) = (0, 0, 0, Instant::now());
    let mut wrong: Vec<String> = Vec::new();
    while kills < wanted && wrong.is_empty() {
        std::thread::sleep(Duration::from_micros(dice.roll(2000)));
        let which = dice.roll(peers.len() as u64) as usize;
        if storm.stops && dice.roll(3) != 0 {
            stopped.retain(|&pid, until| {
                let over = *until < Instant::now();
                if over {
                    unsafe { libc::kill(pid, libc::SIGCONT) };
                }
                !over
            });
            let pid = peers[which].1.pid;
            unsafe { libc::kill(pid, libc::SIGSTOP) };
            stopped.insert(pid, Instant::now() + Duration::from_micros(dice.roll(20_000)));
            stops += 1;
            continue;
        }
        let (role, peer) = peers.swap_remove(which);
        stopped.remove(&peer.pid);
        let status = peer.kill();
        if !libc::WIFSIGNALED(status) {
            wrong.push(format!("a process failed: {status:x}"));
        }
        kills += 1;
        peers.push((role, storm.spawn(ledger, name, role)));
        let received = ledger.received.load(SeqCst);
        if received != seen {
            (seen, since) = (received, Instant::now());
        } else if since.elapsed() > LONG / 2 {
            wrong.push(format!("nobody gets anywhere\n  {}", Bytes::of(&queue).picture(storm.slots)));
        }
    }
    for pid in stopped.into_keys() {
        unsafe { libc::kill(pid, libc::SIGCONT) };
    }
    // The senders come to their end while the receivers live.
    ledger.stop.store(1, SeqCst);
    let mut receivers = Vec::new();
    for (role, peer) in peers {
        if storm.threads || role % 2 == 1 {
            receivers.push(peer);
            continue;
        }
        match peer.reap_by(LONG) {
            Ok(0) => {}
            Ok(status) => wrong.push(format!("a sender failed: {status:x}")),
            Err(_) => wrong.push(format!("a sender hangs\n  {}", Bytes::of(&queue).picture(storm.slots))),
        }
    }
    // They take what is there.
    let acknowledged = || -> u64 {
        let lives = ledger.lives.load(SeqCst) as usize;
        ledger.senders[..lives].iter().map(|sender| u64::from(sender.acknowledged.load(SeqCst))).sum()
    };
    let (calm, mut before) = (Instant::now(), (0, 0, 0));
    loop {
        std::thread::sleep(Duration::from_millis(60));
        let now = (ledger.received.load(SeqCst), acknowledged(), queue.len().unwrap());
        if now == before && now.2 == 0 {
            break;
        }
        if calm.elapsed() > LONG {
            let picture = Bytes::of(&queue).picture(storm.slots);
            wrong.push(format!("receivers sleep although there are {} messages\n  {picture}", now.2));
            break;
        }
        before = now;
    }
    let mut left = 0;
    while let Ok(received) = queue.try_receive() {
        left += 1;
        match message::read(&received.data, storm.size) {
            Some(id) => drop(ledger.counts[id as u32 as usize].fetch_add(1, SeqCst)),
            None => drop(ledger.torn.fetch_add(1, SeqCst)),
        }
    }
    if left > 0 {
        wrong.push(format!("{left} messages were left to sleeping receivers"));
    }
    for peer in receivers {
        let status = peer.kill();
        if !libc::WIFSIGNALED(status) {
            wrong.push(format!("a receiver failed: {status:x}"));
        }
    }
    while let Ok(received) = queue.try_receive() {
        let id = message::read(&received.data, storm.size);
        wrong.push(format!("message {id:x?} came back from receivers that slept"));
    }
    // The books.
    let lives = ledger.lives.load(SeqCst);
    let doubtful: BTreeSet<u32> = ledger.receivers[..lives as usize]
        .iter()
        .filter_map(|receiver| {
            let hands: Vec<u8> = receiver.hands[..storm.size].iter().map(|byte| byte.load(SeqCst)).collect();
            message::read_within(&hands).map(|id| id as u32)
        })
        .collect();
    let (mut once, mut consumed_by_the_dead, mut unsaid) = (0u64, 0, 0);
    for life in 1..lives {
        let log = &ledger.senders[life as usize];
        let (intended, acknowledged) = (log.intended.load(SeqCst), log.acknowledged.load(SeqCst));
        for message in 1..=intended {
            let id = number(life, message);
            match ledger.counts[id as usize].load(SeqCst) {
                1 => once += 1,
                0 if message > acknowledged => unsaid += 1,
                0 if doubtful.contains(&id) => consumed_by_the_dead += 1,
                0 => wrong.push(format!("lost: {id:x} of {life}, {message} of {acknowledged}")),
                count => wrong.push(format!("received {count} times: {id:x} of {life}, {message} of {acknowledged}")),
            }
        }
    }
    let torn = ledger.torn.load(SeqCst);
    if torn > 0 {
        wrong.push(format!("{torn} torn"));
    }
    // What comes back comes late: at most one message for each receiver that was killed, or gave one back.
    let (late, may_be_late) = (ledger.late.load(SeqCst), u64::from(lives) + ledger.put_back.load(SeqCst));
    if late > may_be_late {
        wrong.push(format!("{late} messages out of order, of {may_be_late} that may have come back"));
    }
    // The whole capacity, after a lap at the latest.
    for lap in 0..2 {
        let mut room = 0;
        while queue.try_send(b"one more", 0).is_ok() {
            room += 1;
        }
        if lap == 1 && room != storm.slots || room > storm.slots {
            wrong.push(format!("room for {room} of {} messages on lap {lap}", storm.slots));
        }
        while queue.try_receive().is_ok() {}
    }
    let stopped = if stops > 0 { format!(", {stops} stopped") } else { String::new() };
    println!(
        "storm of {which}: {kills} killed{stopped}; {once} messages came once, 0 lost, 0 twice, {torn} torn, \
         {consumed_by_the_dead} were consumed by who died with them, {unsaid} never sent by who died at it, {late} came late, in {:.1?}",
        begin.elapsed()
    );
    wrong.truncate(20);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
