//! Processes work on one queue at the same time, in rounds of a few operations each; when each operation
//! began and ended is noted, and every round is judged.

use crate::common::Scratch;
use crate::linear::{Deed, Full, Record, is_possible};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};
use unipc::{Deadline, Engine, Memory, Queue};

const OPERATIONS: usize = 5;
const WORKERS_MAX: usize = 3;
const MOMENT: Duration = Duration::from_micros(100);

// A board that all look at: a round's number and its seed, how many have come to its end, and a place for each
// worker's records.
const ROUND: usize = 0;
const READY: usize = 64;
const GO: usize = 72;
const SEED: usize = 128;
const RECORDS: usize = 256;
const RECORD: usize = 32;
const BOARD: usize = RECORDS + WORKERS_MAX * OPERATIONS * RECORD;

struct Board(Memory);

impl Board {
    fn u32(&self, at: usize) -> &AtomicU32 {
        assert!(at + 4 <= BOARD);
        unsafe { AtomicU32::from_ptr(self.0.as_ptr().add(at).cast()) }
    }

    fn u64(&self, at: usize) -> &AtomicU64 {
        assert!(at + 8 <= BOARD);
        unsafe { AtomicU64::from_ptr(self.0.as_ptr().add(at).cast()) }
    }

    fn place(worker: usize, operation: usize) -> usize {
        RECORDS + (worker * OPERATIONS + operation) * RECORD
    }

    fn note(&self, place: usize, record: &Record) {
        let (kind, id, priority) = match record.deed {
            Deed::Sent { id, priority } => (0, id, priority),
            Deed::NotSent => (1, 0, 0),
            Deed::Received { id, priority } => (2, id, priority),
            Deed::NotReceived => (3, 0, 0),
        };
        self.u64(place).store(record.begin, SeqCst);
        self.u64(place + 8).store(record.end, SeqCst);
        self.u32(place + 16).store(kind, SeqCst);
        self.u32(place + 20).store(id, SeqCst);
        self.u32(place + 24).store(priority, SeqCst);
    }

    fn record(&self, place: usize) -> Record {
        let (id, priority) = (self.u32(place + 20).load(SeqCst), self.u32(place + 24).load(SeqCst));
        let deed = match self.u32(place + 16).load(SeqCst) {
            0 => Deed::Sent { id, priority },
            1 => Deed::NotSent,
            2 => Deed::Received { id, priority },
            _ => Deed::NotReceived,
        };
        Record { deed, begin: self.u64(place).load(SeqCst), end: self.u64(place + 8).load(SeqCst) }
    }
}

fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn mixed(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

fn open(engine: &str, name: &str) -> Queue {
    Queue::options().engine(engine.parse().unwrap()).open(name).unwrap()
}

fn operate(queue: &Queue, choice: u64, id: u32, priorities: u32) -> Deed {
    let priority = (choice >> 8) as u32 % priorities;
    let deadline = if (choice >> 16) % 4 == 0 { Deadline::after(MOMENT) } else { Deadline::NOW };
    if choice & 1 == 0 {
        match queue.send_by(&id.to_ne_bytes(), priority, deadline) {
            Ok(()) => Deed::Sent { id, priority },
            Err(error) => {
                assert!(error.would_block() || error.timed_out(), "{error}");
                Deed::NotSent
            }
        }
    } else {
        let mut buffer = [0; 8];
        match queue.receive_into_by(&mut buffer, deadline) {
            Ok(received) => {
                assert_eq!(received.len, 4);
                Deed::Received { id: u32::from_ne_bytes(buffer[..4].try_into().unwrap()), priority: received.priority }
            }
            Err(error) => {
                assert!(error.would_block() || error.timed_out(), "{error}");
                Deed::NotReceived
            }
        }
    }
}

/// Spins, but not in the way of whom it waits for.
fn meet(so: impl Fn() -> bool) {
    while !so() {
        for _ in 0..200 {
            if so() {
                return;
            }
            std::hint::spin_loop();
        }
        std::thread::yield_now();
    }
}

/// The role: one of the workers.
pub fn work(arguments: &[&str]) {
    let [engine, name, priorities, workers, worker] = arguments else { panic!("{arguments:?}") };
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let (priorities, workers): (u32, u32) = (priorities.parse().unwrap(), workers.parse().unwrap());
    let worker: usize = worker.parse().unwrap();
    let (board, queue) = (Board(Memory::open(name).unwrap()), open(engine, name));
    for round in 1.. {
        board.u32(READY).fetch_add(1, SeqCst);
        meet(|| board.u32(ROUND).load(SeqCst) == round);
        let seed = board.u64(SEED).load(SeqCst);
        if seed == 0 {
            return;
        }
        // All begin at one time, if there are processors for all.
        board.u32(GO).fetch_add(1, SeqCst);
        meet(|| board.u32(GO).load(SeqCst) >= round * workers);
        let mut records = [const { None::<Record> }; OPERATIONS];
        for (operation, record) in records.iter_mut().enumerate() {
            let number = (worker * OPERATIONS + operation) as u32;
            let choice = mixed(seed ^ u64::from(number) << 32);
            let begin = now();
            let deed = operate(&queue, choice, round * 64 + number, priorities);
            *record = Some(Record { deed, begin, end: now() });
        }
        for (operation, record) in records.iter().enumerate() {
            board.note(Board::place(worker, operation), record.as_ref().unwrap());
        }
    }
}

struct Workers(Vec<Child>);

impl Drop for Workers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Workers {
    fn start(engine: Engine, name: &str, workers: usize, priorities: u32) -> Workers {
        let start = |worker| {
            let numbers = [priorities as usize, workers, worker].map(|number| number.to_string());
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["peer", &engine.to_string(), name]).args(numbers).spawn().unwrap()
        };
        Workers((0..workers).map(start).collect())
    }
}

/// What a round came to: the records of the workers, and of a last receiver who takes what is left.
fn collect(board: &Board, workers: usize, queue: &Queue) -> Vec<Record> {
    let places = (0..workers).flat_map(|worker| (0..OPERATIONS).map(move |at| Board::place(worker, at)));
    let mut records: Vec<Record> = places.map(|place| board.record(place)).collect();
    loop {
        let begin = now();
        let deed = match queue.try_receive() {
            Ok(message) => {
                let id = u32::from_ne_bytes(message.data[..].try_into().unwrap());
                Deed::Received { id, priority: message.priority }
            }
            Err(_) => Deed::NotReceived,
        };
        records.push(Record { deed, begin, end: now() });
        if deed == Deed::NotReceived {
            records.sort_by_key(|record| record.begin);
            return records;
        }
    }
}

fn tell(records: &[Record]) -> String {
    let begin = records[0].begin;
    let line = |record: &Record| format!("\n  {:?} {}..{}", record.deed, record.begin - begin, record.end - begin);
    records.iter().map(line).fold(String::new(), |told, line| told + &line)
}

/// Rounds of so many workers on a queue of so many slots; every one is as a queue could have had it.
fn rounds(engine: Engine, slots: usize, workers: usize, priorities: u32, full: Full) {
    let scratch = Scratch::new();
    let board = Board(Memory::create(scratch.name(), BOARD).unwrap());
    let queue = Queue::options().engine(engine).max_messages(slots).message_size(8).create(scratch.name()).unwrap();
    let mut children = Workers::start(engine, scratch.name(), workers, priorities);
    let long = std::env::var_os("UNIPC_TEST_LONG").is_some();
    let (begin, length) = (Instant::now(), Duration::from_millis(if long { 40_000 } else { 1500 }));
    let (mut overlapping, mut round) = (0, 0);
    while begin.elapsed() < length {
        round += 1;
        meet(|| board.u32(READY).load(SeqCst) == round * workers as u32);
        if round > 1 {
            let records = collect(&board, workers, &queue);
            let overlap = |one: &Record| records.iter().filter(|other| one.overlaps(other)).count() > 1;
            overlapping += records.iter().filter(|one| overlap(one)).count();
            assert!(is_possible(&records, slots, full), "round {round}, {slots} slots:{}", tell(&records));
        }
        board.u64(SEED).store(mixed(u64::from(round) << 8 | slots as u64) | 1, SeqCst);
        board.u32(ROUND).store(round, SeqCst);
    }
    meet(|| board.u32(READY).load(SeqCst) == (round + 1) * workers as u32);
    board.u64(SEED).store(0, SeqCst);
    board.u32(ROUND).store(round + 1, SeqCst);
    for child in &mut children.0 {
        assert!(child.wait().unwrap().success());
    }
    assert!(round > 50 && overlapping > 20, "{round} rounds, {overlapping} operations overlapped");
}

crate::promises! {
    /// The judge itself on trial.
    fn the_kernels_histories_are_those_of_a_queue() {
        rounds(Engine::Posix, 2, 2, 3, Full::Strictly);
    }

    fn histories_of_a_ring_of_one_are_those_of_a_queue() {
        rounds(Engine::Shm, 1, 2, 1, Full::OrBusy);
    }

    fn histories_of_a_ring_of_two_are_those_of_a_queue() {
        rounds(Engine::Shm, 2, 2, 1, Full::OrBusy);
    }

    fn histories_of_a_ring_of_four_are_those_of_a_queue() {
        rounds(Engine::Shm, 4, 3, 1, Full::OrBusy);
    }

    fn histories_of_a_sorted_queue_of_one_are_those_of_a_queue() {
        rounds(Engine::Shm, 1, 2, 3, Full::OrBusy);
    }

    fn histories_of_a_sorted_queue_of_two_are_those_of_a_queue() {
        rounds(Engine::Shm, 2, 3, 3, Full::OrBusy);
    }

    fn histories_of_a_sorted_queue_of_four_are_those_of_a_queue() {
        rounds(Engine::Shm, 4, 2, 3, Full::OrBusy);
    }
}
