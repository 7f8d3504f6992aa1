//! Every instruction of every operation: a victim is stepped to it and killed, and those who survive look
//! at what it left.
//!
//! By default a victim is killed once for each state that it can leave: before its first instruction, and
//! after each that changed a shared byte or its will (what the kernel goes by at its death), or called the
//! kernel. Death between two of those is the same death. In the full run it is killed at every instruction.

use crate::message::{self, id};
use crate::peers::{Peer, is_asleep, shared, sleeps};
use crate::trace::{Bytes, Step, Victim, be_traced};
use libtest_mimic::Trial;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};
use std::time::{Duration, Instant};
use unipc::{Deadline, Engine, Queue};

/// Only what hangs comes to it.
const LONG: Duration = Duration::from_secs(10);

const SHORT: Duration = Duration::from_millis(1);

/// Who is asleep when the victim dies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sleeper {
    Receives,
    Sends,
    /// Begins when the victim is about to begin.
    ReceivesThen,
    /// Begins only when the victim is where it will die.
    ReceivesLater,
    SendsLater,
}

impl Sleeper {
    fn is_late(self) -> bool {
        matches!(self, Sleeper::ReceivesThen | Sleeper::ReceivesLater | Sleeper::SendsLater)
    }

    fn sends(self) -> bool {
        matches!(self, Sleeper::Sends | Sleeper::SendsLater)
    }
}

/// What another one that was killed before has left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wound {
    Reading,
    Writing,
    /// In the middle of a send, with the lock of the index, so many changes later.
    Locked(u32),
}

/// What the victim may change: nothing, one message more, or the first one less.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Nothing,
    Sends,
    Takes,
}

/// What is done when the victim itself goes to sleep.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stir {
    Never,
    Send,
    Receive,
}

#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    slots: usize,
    size: usize,
    /// Of the messages that are there, in turn; one alone keeps the ring.
    priorities: &'static [u32],
    before: usize,
    sleepers: &'static [Sleeper],
    wound: Option<Wound>,
    stir: Stir,
    effect: Effect,
    /// Of the victim's message.
    mine: u32,
    /// How many messages went through it before: hints are written every eighth time.
    turned: usize,
    victim: fn(&World),
    /// It is not killed where it was led, only stopped there until the others have come and sleep.
    goes_on: bool,
    /// Looked at beside all else.
    after: fn(&World) -> Result<(), Wrong>,
}

const RING: Case = Case {
    name: "",
    slots: 4,
    size: 64,
    priorities: &[3],
    before: 2,
    sleepers: &[],
    wound: None,
    stir: Stir::Never,
    effect: Effect::Nothing,
    mine: 3,
    turned: 5,
    victim: send,
    goes_on: false,
    after: |_| Ok(()),
};
const SORTED: Case = Case { priorities: &[3, 5, 3, 1], before: 3, ..RING };
const SIZE_MAX: usize = 1200;
const LARGE: usize = 1100; // more than is copied while the lock is held

const CASES: &[Case] = &[
    Case { name: "send in a ring", effect: Effect::Sends, ..RING },
    Case { name: "send in a ring of one", slots: 1, before: 0, effect: Effect::Sends, ..RING },
    Case { name: "receive in a ring", effect: Effect::Takes, victim: receive, ..RING },
    Case { name: "receive in a ring of one", slots: 1, before: 1, effect: Effect::Takes, victim: receive, ..RING },
    Case {
        name: "send to a sleeping receiver in a ring",
        before: 0,
        sleepers: &[Sleeper::Receives],
        effect: Effect::Sends,
        ..RING
    },
    Case {
        name: "send to two sleeping receivers in a ring of one",
        slots: 1,
        before: 0,
        sleepers: &[Sleeper::Receives, Sleeper::Receives],
        effect: Effect::Sends,
        ..RING
    },
    Case {
        name: "receive from a full ring with a sleeping sender",
        before: 4,
        sleepers: &[Sleeper::Sends],
        effect: Effect::Takes,
        victim: receive,
        ..RING
    },
    Case {
        name: "receive from a full ring of one with a sleeping sender",
        slots: 1,
        before: 1,
        sleepers: &[Sleeper::Sends],
        effect: Effect::Takes,
        victim: receive,
        ..RING
    },
    Case {
        name: "receive in a ring while another receiver sleeps",
        before: 1,
        sleepers: &[Sleeper::ReceivesLater],
        effect: Effect::Takes,
        victim: receive,
        ..RING
    },
    Case {
        name: "receive in a ring while a receiver and a sender sleep",
        slots: 1,
        before: 1,
        sleepers: &[Sleeper::Sends, Sleeper::ReceivesLater],
        effect: Effect::Takes,
        victim: receive,
        ..RING
    },
    Case {
        name: "sleep for a message in a ring, be woken, receive",
        before: 0,
        stir: Stir::Send,
        effect: Effect::Takes,
        victim: sleep_and_receive,
        ..RING
    },
    Case {
        name: "sleep for a message beside another receiver",
        before: 0,
        sleepers: &[Sleeper::Receives],
        stir: Stir::Send,
        effect: Effect::Takes,
        victim: sleep_and_receive,
        ..RING
    },
    Case {
        name: "sleep for a message before another receiver",
        before: 0,
        sleepers: &[Sleeper::ReceivesLater],
        stir: Stir::Send,
        effect: Effect::Takes,
        victim: sleep_and_receive,
        ..RING
    },
    Case {
        name: "sleep for room in a ring, be woken, send",
        before: 4,
        stir: Stir::Receive,
        effect: Effect::Sends,
        victim: sleep_and_send,
        ..RING
    },
    Case {
        name: "sleep for room beside another sender",
        before: 4,
        sleepers: &[Sleeper::Sends],
        stir: Stir::Receive,
        effect: Effect::Sends,
        victim: sleep_and_send,
        ..RING
    },
    Case { name: "reserve and commit in a ring", effect: Effect::Sends, victim: reserve_commit, ..RING },
    Case { name: "reserve and abort in a ring", victim: reserve_abort, ..RING },
    Case {
        name: "reserve the last cell of a ring while a sender sleeps",
        before: 3,
        victim: reserve_abort,
        sleepers: &[Sleeper::SendsLater],
        ..RING
    },
    Case { name: "borrow and release in a ring", effect: Effect::Takes, victim: borrow_release, ..RING },
    Case { name: "borrow and put back in a ring", victim: borrow_put_back, ..RING },
    Case {
        name: "borrow and put back in a ring while another receiver sleeps",
        before: 1,
        sleepers: &[Sleeper::ReceivesLater],
        victim: borrow_put_back,
        ..RING
    },
    Case { name: "open", victim: open, ..RING },
    Case { name: "close", victim: close, ..RING },
    Case { name: "create", victim: create, after: is_born_whole_or_not_at_all, ..RING },
    Case { name: "the end of a thread", victim: end, ..RING },
    Case { name: "the end of a thread that has a loan", victim: end_with_a_loan, ..RING },
    Case {
        name: "the end of a thread that has a loan while a receiver sleeps",
        before: 1,
        sleepers: &[Sleeper::ReceivesLater],
        victim: end_with_a_loan,
        ..RING
    },
    Case {
        name: "the end of a thread that has a loan for which two receivers sleep",
        before: 1,
        sleepers: &[Sleeper::ReceivesThen, Sleeper::ReceivesThen],
        victim: end_with_a_loan,
        ..RING
    },
    Case { name: "the end of a thread that has a loan in sorted mode", victim: end_with_a_loan, ..SORTED },
    Case { name: "send as the first operation of a thread", effect: Effect::Sends, victim: register_and_send, ..RING },
    Case {
        name: "receive as the first operation of a thread",
        effect: Effect::Takes,
        victim: register_and_receive,
        ..RING
    },
    Case {
        name: "send as the first operation of a thread in a dead one's place",
        wound: Some(Wound::Reading),
        effect: Effect::Sends,
        victim: register_and_send,
        ..RING
    },
    Case {
        name: "receive what a dead one was receiving in a ring",
        wound: Some(Wound::Reading),
        effect: Effect::Takes,
        victim: receive,
        ..RING
    },
    Case {
        name: "receive the only message which a dead one was receiving",
        before: 1,
        wound: Some(Wound::Reading),
        effect: Effect::Takes,
        victim: receive,
        ..RING
    },
    Case {
        name: "receive what a dead one was receiving while another receiver sleeps",
        before: 1,
        wound: Some(Wound::Reading),
        sleepers: &[Sleeper::ReceivesLater],
        effect: Effect::Takes,
        victim: receive,
        ..RING
    },
    Case { name: "send past a dead sender's cell", wound: Some(Wound::Writing), effect: Effect::Sends, ..RING },
    Case {
        name: "send to a dead sender's cell in a ring of one",
        slots: 1,
        before: 0,
        wound: Some(Wound::Writing),
        effect: Effect::Sends,
        ..RING
    },
    Case {
        name: "send to a ring that a dead receiver fills",
        slots: 2,
        before: 2,
        wound: Some(Wound::Reading),
        victim: try_send,
        ..RING
    },
    Case { name: "turn a ring into sorted", mine: 4, effect: Effect::Sends, ..RING },
    Case {
        name: "turn a ring into sorted while a receiver sleeps",
        mine: 4,
        before: 0,
        sleepers: &[Sleeper::Receives],
        effect: Effect::Sends,
        ..RING
    },
    Case {
        name: "turn a full ring into sorted while a sender sleeps",
        mine: 4,
        before: 4,
        sleepers: &[Sleeper::Sends],
        victim: try_send,
        ..RING
    },
    Case {
        name: "turn a ring into sorted after one who died turning it",
        mine: 4,
        wound: Some(Wound::Locked(3)),
        effect: Effect::Sends,
        ..RING
    },
    Case {
        name: "take a dead one's place while a receiver sleeps for what it held",
        before: 1,
        wound: Some(Wound::Reading),
        sleepers: &[Sleeper::ReceivesLater],
        victim: open,
        goes_on: true,
        ..RING
    },
    Case {
        name: "take a dead one's place while a sender sleeps for what it held",
        slots: 1,
        before: 0,
        wound: Some(Wound::Writing),
        sleepers: &[Sleeper::SendsLater],
        victim: open,
        goes_on: true,
        ..RING
    },
    Case {
        name: "take a dead one's place while a receiver sleeps for what it held in sorted mode",
        before: 1,
        wound: Some(Wound::Reading),
        sleepers: &[Sleeper::ReceivesLater],
        victim: open,
        goes_on: true,
        ..SORTED
    },
    Case {
        name: "take a dead one's place and die while a receiver sleeps for what it held",
        before: 1,
        wound: Some(Wound::Reading),
        sleepers: &[Sleeper::ReceivesLater],
        victim: open,
        ..RING
    },
    Case {
        name: "send slowly while a receiver comes",
        before: 0,
        sleepers: &[Sleeper::ReceivesLater],
        effect: Effect::Sends,
        goes_on: true,
        ..RING
    },
    Case {
        name: "send slowly while a receiver comes in sorted mode",
        before: 0,
        sleepers: &[Sleeper::ReceivesLater],
        effect: Effect::Sends,
        goes_on: true,
        ..SORTED
    },
    Case {
        name: "receive slowly while a sender comes",
        slots: 1,
        before: 1,
        sleepers: &[Sleeper::SendsLater],
        effect: Effect::Takes,
        victim: receive,
        goes_on: true,
        ..RING
    },
    Case {
        name: "receive slowly while a sender comes in sorted mode",
        slots: 1,
        before: 1,
        sleepers: &[Sleeper::SendsLater],
        effect: Effect::Takes,
        victim: receive,
        goes_on: true,
        ..SORTED
    },
    Case {
        name: "put back slowly while a receiver comes",
        before: 1,
        sleepers: &[Sleeper::ReceivesLater],
        victim: borrow_put_back,
        goes_on: true,
        ..RING
    },
    Case {
        name: "put back slowly while a receiver comes in sorted mode",
        before: 1,
        sleepers: &[Sleeper::ReceivesLater],
        victim: borrow_put_back,
        goes_on: true,
        ..SORTED
    },
    Case {
        name: "sleep slowly beside another receiver",
        before: 0,
        sleepers: &[Sleeper::ReceivesLater],
        stir: Stir::Send,
        effect: Effect::Takes,
        victim: sleep_and_receive,
        goes_on: true,
        ..RING
    },
    Case {
        name: "turn a ring into sorted slowly while a receiver comes",
        before: 0,
        mine: 4,
        sleepers: &[Sleeper::ReceivesLater],
        effect: Effect::Sends,
        goes_on: true,
        ..RING
    },
    Case { name: "send in sorted mode", effect: Effect::Sends, ..SORTED },
    Case { name: "send a large message in sorted mode", size: LARGE, effect: Effect::Sends, ..SORTED },
    Case { name: "receive in sorted mode", effect: Effect::Takes, victim: receive, ..SORTED },
    Case {
        name: "receive a large message in sorted mode",
        size: LARGE,
        effect: Effect::Takes,
        victim: receive,
        ..SORTED
    },
    Case {
        name: "send to a sleeping receiver in sorted mode",
        before: 0,
        sleepers: &[Sleeper::Receives],
        effect: Effect::Sends,
        ..SORTED
    },
    Case {
        name: "receive from a full sorted queue with a sleeping sender",
        before: 4,
        sleepers: &[Sleeper::Sends],
        effect: Effect::Takes,
        victim: receive,
        ..SORTED
    },
    Case {
        name: "receive in sorted mode while another receiver sleeps",
        before: 1,
        sleepers: &[Sleeper::ReceivesLater],
        effect: Effect::Takes,
        victim: receive,
        ..SORTED
    },
    Case {
        name: "receive a large message in sorted mode while another receiver sleeps",
        size: LARGE,
        before: 1,
        sleepers: &[Sleeper::ReceivesLater],
        effect: Effect::Takes,
        victim: receive,
        ..SORTED
    },
    Case {
        name: "sleep for a message in sorted mode, be woken, receive",
        before: 0,
        stir: Stir::Send,
        effect: Effect::Takes,
        victim: sleep_and_receive,
        ..SORTED
    },
    Case { name: "reserve and commit in sorted mode", effect: Effect::Sends, victim: reserve_commit, ..SORTED },
    Case { name: "reserve and abort in sorted mode", victim: reserve_abort, ..SORTED },
    Case { name: "borrow and release in sorted mode", effect: Effect::Takes, victim: borrow_release, ..SORTED },
    Case { name: "borrow and put back in sorted mode", victim: borrow_put_back, ..SORTED },
    Case {
        name: "receive what a dead one was receiving in sorted mode",
        wound: Some(Wound::Reading),
        effect: Effect::Takes,
        victim: receive,
        ..SORTED
    },
    Case {
        name: "send to a sorted queue that the dead fill",
        slots: 1,
        before: 0,
        wound: Some(Wound::Writing),
        effect: Effect::Sends,
        ..SORTED
    },
    Case {
        name: "send after one who died with the lock",
        wound: Some(Wound::Locked(2)),
        effect: Effect::Sends,
        ..SORTED
    },
    Case {
        name: "receive after one who died with the lock",
        wound: Some(Wound::Locked(3)),
        effect: Effect::Takes,
        victim: receive,
        ..SORTED
    },
];

pub fn all() -> Vec<Trial> {
    CASES.iter().map(|case| crate::trial("step", case.name)).collect()
}

/// What the victim tells us.
struct Note {
    done: AtomicU32,
    sent: AtomicU64,
    /// One more than the bytes it received, and these.
    got: AtomicU64,
    bytes: [AtomicU8; SIZE_MAX],
}

/// Of longer operations the full run kills at each sixteenth instruction from here on.
const MANY: u32 = 20_000;

const TORN: u64 = u64::MAX;

struct Asleep {
    peer: Peer,
    how: Sleeper,
    /// 0: not there yet, 1: goes to sleep, 2: served.
    stage: &'static AtomicU32,
    value: &'static AtomicU64,
}

/// One queue, and all that has been done to it.
struct World<'a> {
    case: &'a Case,
    queue: Queue,
    note: &'static Note,
    /// What the victim sends.
    mine: u64,
    numbers: u32,
    /// What has to be there: sent, and not received.
    there: BTreeSet<u64>,
}

/// Highest priority first, in order within one.
fn order(&id: &u64) -> (u32, u32) {
    (u32::MAX - message::priority(id), id as u32)
}

// ---- what victims do

/// Stays where the operation has ended, until it is killed.
#[inline(never)]
fn over(note: &Note) -> ! {
    note.done.store(1, SeqCst);
    loop {
        unsafe { libc::pause() };
    }
}

impl World<'_> {
    fn open(&self) -> Queue {
        Queue::options().engine(Engine::Shm).open(self.queue.name()).unwrap()
    }

    /// The victim's operation: everything before is not traced, nothing comes after.
    fn operate<T>(&self, operation: impl FnOnce() -> T) -> T {
        assert!(self.note.done.load(SeqCst) == 0);
        be_traced();
        operation()
    }

    /// For the victim while it sleeps.
    fn stir(&mut self) {
        match self.case.stir {
            Stir::Send => drop(self.send(self.case.priorities[0]).unwrap()),
            Stir::Receive => {
                let got = self.queue.receive_by(LONG).unwrap();
                assert!(self.there.remove(&message::read(&got.data, self.case.size).unwrap()));
            }
            Stir::Never => panic!("the victim sleeps"),
        }
    }

    fn send_on(&self, queue: &Queue, id: u64) -> unipc::Result<()> {
        let mut buffer = vec![0; self.case.size];
        let len = message::write(id, &mut buffer);
        self.operate(|| {
            let sent = queue.send(&buffer[..len], message::priority(id));
            if sent.is_ok() {
                self.note.sent.store(id, SeqCst);
            }
            sent
        })
    }

    /// Where a victim receives to: we look at it when it is dead.
    fn hands(&self) -> &mut [u8] {
        let bytes = self.note.bytes.as_ptr().cast::<u8>().cast_mut();
        unsafe { std::slice::from_raw_parts_mut(bytes, self.case.size) }
    }

    fn receive_on(&self, queue: &Queue) {
        let hands = self.hands();
        self.operate(|| {
            let received = queue.receive_into(hands).unwrap();
            self.note.got.store(1 + received.len as u64, SeqCst);
        });
    }

    /// What the victim received: 0 nothing.
    fn got(&self) -> u64 {
        match self.note.got.load(SeqCst) {
            0 => 0,
            more => message::read(&self.hands()[..more as usize - 1], self.case.size).unwrap_or(TORN),
        }
    }
}

fn send(world: &World) {
    world.send_on(&world.open(), world.mine).unwrap();
}

fn try_send(world: &World) {
    let queue = world.open();
    queue.set_nonblocking(true).unwrap();
    assert!(world.send_on(&queue, world.mine).unwrap_err().would_block());
}

fn receive(world: &World) {
    world.receive_on(&world.open());
}

/// As `send` and `receive`, by threads which have learned that it does not pay to spin before they sleep:
/// a short way.
fn sleep_and_send(world: &World) {
    let queue = world.open();
    for _ in 0..6 {
        assert!(queue.reserve_by(8, message::priority(world.mine), SHORT).unwrap_err().timed_out());
    }
    world.send_on(&queue, world.mine).unwrap();
}

fn sleep_and_receive(world: &World) {
    let queue = world.open();
    for _ in 0..6 {
        assert!(queue.receive_by(SHORT).unwrap_err().timed_out());
    }
    world.receive_on(&queue);
}

fn register_and_send(world: &World) {
    world.send_on(&world.queue, world.mine).unwrap();
}

fn register_and_receive(world: &World) {
    world.receive_on(&world.queue);
}

fn reserve_commit(world: &World) {
    let queue = world.open();
    let mut buffer = vec![0; world.case.size];
    let len = message::write(world.mine, &mut buffer);
    world.operate(|| {
        let mut message = queue.reserve(len, message::priority(world.mine)).unwrap();
        message.write(0, &buffer[..len]).unwrap();
        message.commit().unwrap();
        world.note.sent.store(world.mine, SeqCst);
    });
}

fn reserve_abort(world: &World) {
    let queue = world.open();
    world.operate(|| queue.reserve(8, message::priority(world.mine)).unwrap().abort().unwrap());
}

fn borrow_release(world: &World) {
    let (queue, hands) = (world.open(), world.hands());
    world.operate(|| {
        let message = queue.borrow().unwrap();
        let len = message.len();
        message.read(0, &mut hands[..len]).unwrap();
        message.release().unwrap();
        world.note.got.store(1 + len as u64, SeqCst);
    });
}

fn borrow_put_back(world: &World) {
    let queue = world.open();
    world.operate(|| queue.borrow().unwrap().put_back().unwrap());
}

fn open(world: &World) {
    world.operate(|| std::mem::forget(world.open()));
}

fn close(world: &World) {
    let queue = world.open();
    world.operate(|| drop(queue));
}

fn end(world: &World) {
    let _queue = world.open();
    world.operate(|| unsafe { libc::exit(0) }); // the thread's own things are given up by it
}

fn end_with_a_loan(world: &World) {
    let queue = world.open();
    let _ = queue.borrow().unwrap().into_loan();
    world.operate(|| unsafe { libc::exit(0) });
}

/// Of a queue that the victim makes.
fn born(world: &World) -> String {
    format!("{}-born", world.queue.name())
}

fn options() -> unipc::queue::QueueOptions {
    let mut options = Queue::options();
    options.engine(Engine::Shm).max_messages(2).message_size(16);
    options
}

fn create(world: &World) {
    let (name, options) = (born(world), options());
    world.operate(|| std::mem::forget(options.create(&name).unwrap()));
}

fn is_born_whole_or_not_at_all(world: &World) -> Result<(), Wrong> {
    let name = born(world);
    let names = || -> BTreeSet<String> {
        let entries = std::fs::read_dir("/dev/shm").unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.contains(&world.queue.name()[1..])).collect()
    };
    let strange = if crate::peers::is_root() { names() } else { BTreeSet::new() };
    require(strange.is_empty(), || format!("something else was left: {strange:?}"))?;
    let queue = match options().open(&name) {
        Err(error) if error.errno() == libc::ENOENT => options().create(&name),
        other => other,
    };
    let queue = queue.map_err(|error| format!("what was born: {error}"))?;
    let works = queue.len()? == 0 && queue.try_send(b"text", 1).is_ok() && queue.try_receive()?.data == b"text";
    Queue::unlink(&name)?;
    require(works, || "what was born does not work".to_owned())
}

// ---- the world around them

/// A wrong answer of the survivors; `late`: somebody slept, and may only be slow.
struct Wrong {
    text: String,
    late: bool,
}

impl From<unipc::Error> for Wrong {
    fn from(error: unipc::Error) -> Wrong {
        error.to_string().into()
    }
}

impl From<String> for Wrong {
    fn from(text: String) -> Wrong {
        Wrong { text, late: false }
    }
}

fn require(so: bool, what: impl FnOnce() -> String) -> Result<(), Wrong> {
    if so { Ok(()) } else { Err(what().into()) }
}

impl<'a> World<'a> {
    fn new(case: &'a Case, name: &str) -> World<'a> {
        let _ = Queue::unlink(name);
        let options = &mut Queue::options();
        let queue = options.engine(Engine::Shm).max_messages(case.slots).message_size(case.size).create(name).unwrap();
        let mut world = World { case, queue, note: shared(), mine: 0, numbers: 0, there: BTreeSet::new() };
        // Other priorities sort the ring for good.
        for turn in 0..case.turned {
            world.send(case.priorities[turn % case.priorities.len()]).unwrap();
            world.drain().unwrap_or_else(|wrong| panic!("{}", wrong.text));
        }
        world
    }

    fn number(&mut self, priority: u32) -> u64 {
        self.numbers += 1;
        id(priority, self.numbers)
    }

    fn try_send_id(&self, id: u64, deadline: Deadline) -> unipc::Result<()> {
        let mut buffer = vec![0; self.case.size];
        let len = message::write(id, &mut buffer);
        self.queue.send_by(&buffer[..len], message::priority(id), deadline)
    }

    fn send(&mut self, priority: u32) -> unipc::Result<u64> {
        let id = self.number(priority);
        self.try_send_id(id, Deadline::from(LONG))?;
        self.there.insert(id);
        Ok(id)
    }

    /// What is in the queue now, in the order in which it is received.
    fn drain(&mut self) -> Result<Vec<u64>, Wrong> {
        let mut found = Vec::new();
        loop {
            match self.queue.try_receive() {
                Ok(received) => {
                    let id = message::read(&received.data, self.case.size).ok_or_else(|| "torn".to_owned())?;
                    require(received.priority == message::priority(id), || "a priority is another".to_owned())?;
                    self.there.remove(&id);
                    found.push(id);
                }
                Err(error) if error.would_block() => return Ok(found),
                Err(error) => return Err(format!("receive: {error}").into()),
            }
        }
    }

    fn wound(&self, wound: Wound) {
        let kill_with = |work: &dyn Fn(&Queue)| {
            let peer = Peer::fork(|| {
                let queue = self.open();
                work(&queue);
                over(self.note);
            });
            while self.note.done.load(SeqCst) == 0 {
                std::thread::sleep(Duration::from_micros(50));
            }
            peer.kill();
        };
        match wound {
            Wound::Reading => kill_with(&|queue| {
                let _ = queue.borrow().unwrap().into_loan();
            }),
            Wound::Writing => kill_with(&|queue| {
                let _ = queue.reserve(8, self.case.priorities[0]).unwrap().into_loan();
            }),
            Wound::Locked(mut changes) => {
                const LOCK_AT: usize = 1408;
                let mut bytes = Bytes::of(&self.queue);
                // Reserved only: what it would have sent is nothing that anybody misses.
                let victim = Victim::fork(|| {
                    let queue = self.open();
                    let priority = self.case.priorities[0] + 2;
                    let _ = self.operate(|| queue.reserve(8, priority).unwrap().into_loan());
                    over(self.note);
                });
                while bytes.u32(LOCK_AT) == 0 || changes > 0 {
                    assert_eq!(victim.step(None), Step::Went);
                    assert_eq!(self.note.done.load(SeqCst), 0, "it never had the lock for so long");
                    if bytes.have_changed() && bytes.u32(LOCK_AT) != 0 {
                        changes = changes.saturating_sub(1);
                    }
                }
                victim.kill();
            }
        }
        self.note.done.store(0, SeqCst);
    }

    fn put_to_sleep(&mut self, how: Sleeper) -> Asleep {
        let id = if how.sends() { self.number(self.case.priorities[0]) } else { 0 };
        let (stage, value) = (shared::<AtomicU32>(), shared::<AtomicU64>());
        let peer = Peer::fork(|| {
            let queue = self.open();
            stage.store(1, SeqCst);
            if how.sends() {
                self.try_send_id(id, Deadline::NEVER).unwrap();
                value.store(id, SeqCst);
            } else {
                let message = queue.receive().unwrap();
                value.store(message::read(&message.data, self.case.size).unwrap_or(TORN), SeqCst);
            }
            stage.store(2, SeqCst);
        });
        while stage.load(SeqCst) == 0 {
            std::thread::sleep(Duration::from_micros(50));
        }
        Asleep { peer, how, stage, value }
    }
}

impl Asleep {
    fn is_served(&self) -> bool {
        self.stage.load(SeqCst) == 2
    }

    fn is_asleep(&self) -> bool {
        !self.is_served() && is_asleep(self.peer.pid, true)
    }
}

/// Waits until everybody is served or sleeps: for good, if nobody is stopped with a lock in hand. Asleep is
/// who is so twice, without having run in between.
fn settle(sleepers: &[Asleep], for_good: bool, patience: Duration) -> Result<(), Wrong> {
    let begin = Instant::now();
    let look = || -> Option<Vec<u64>> {
        let state = |sleeper: &Asleep| match sleeper {
            served if served.is_served() => Some(u64::MAX),
            asleep if is_asleep(asleep.peer.pid, for_good || begin.elapsed() < SHORT * 4) => {
                Some(sleeps(asleep.peer.pid))
            }
            _ => None,
        };
        sleepers.iter().map(state).collect()
    };
    loop {
        let first = look();
        if first.as_ref().is_some_and(|states| states.iter().all(|&state| state == u64::MAX)) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_micros(300));
        if first.is_some() && first == look() && begin.elapsed() >= patience {
            return Ok(());
        }
        require(begin.elapsed() < LONG, || "somebody neither sleeps nor gets anywhere".to_owned())?;
    }
}

/// Where a victim is killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Point {
    /// When it was so often about to execute the instruction there.
    At(u64, u32),
    Asleep,
    /// When it has done what it was to do.
    End,
}

/// Steps the victim to the end of its operation, and notes where it has to be killed.
fn record(world: &mut World, victim: &Victim, full: bool) -> Vec<Point> {
    let mut bytes = Bytes::of(&world.queue);
    let mut will = victim.will();
    let mut times: HashMap<u64, u32> = HashMap::new();
    let mut points = Vec::new();
    let mut changed = true;
    let mut stirred = false;
    let mut count = 0;
    loop {
        let (rip, call) = victim.next();
        let nth = times.entry(rip).or_default();
        *nth += 1;
        // Copying many bytes is the same again and again; and what the library calls may do more than we see.
        count += 1;
        if full && (count < MANY || count % 16 == 0) || changed && (*nth < 8 || *nth % 97 == 0) || count % 5000 == 0 {
            points.push(Point::At(rip, *nth));
        }
        let mut step = victim.step(call);
        if step == Step::Sleeps {
            points.push(Point::Asleep);
            if stirred {
                return points; // somebody else was served
            }
            stirred = true;
            world.stir();
            bytes.have_changed();
            step = victim.stepped(true);
            if step == Step::Sleeps {
                return points; // somebody else was woken
            }
        }
        if step == Step::Ended {
            points.push(Point::End);
            return points;
        }
        if world.note.done.load(SeqCst) == 1 {
            points.push(Point::End);
            return points;
        }
        let now = victim.will();
        changed = bytes.have_changed() || now != will || call.is_some();
        will = now;
    }
}

/// Lets the victim run to where it is to die; false: it did not come by.
fn lead(world: &mut World, victim: &Victim, point: Point) -> bool {
    let mut stirred = false;
    // To an address that it never executes: its end.
    let (rip, nth) = if let Point::At(rip, nth) = point { (rip, nth) } else { (over as *const () as u64, 1) };
    let mut slept = false;
    let came = victim.run_to(rip, nth, |_| {
        if world.note.done.load(SeqCst) == 1 {
            return true;
        }
        slept = true;
        if point == Point::Asleep || stirred {
            return true;
        }
        stirred = true;
        world.stir();
        false
    });
    let ended = victim.has_ended() || world.note.done.load(SeqCst) == 1;
    came || point == Point::Asleep && slept || point == Point::End && ended
}

/// What came of a kill.
struct Outcome {
    how: &'static str,
    came: bool,
    points: Vec<Point>,
}

/// One kill, at a point; without one, at the end, and all the points that there are.
fn kill_at(world: &mut World, at: Option<Point>, full: bool, patience: Duration) -> Result<Outcome, Wrong> {
    let case = world.case;
    for turn in 0..case.before {
        world.send(case.priorities[turn % case.priorities.len()]).unwrap();
    }
    if let Some(wound) = case.wound {
        world.wound(wound);
    }
    world.mine = world.number(case.mine);
    let mut sleepers = Vec::new();
    for &how in case.sleepers.iter().filter(|how| !how.is_late()) {
        sleepers.push(world.put_to_sleep(how));
        settle(&sleepers, false, Duration::ZERO)?;
    }
    let victim = Victim::fork(|| {
        (case.victim)(world);
        over(world.note);
    });
    for &how in case.sleepers.iter().filter(|&&how| how == Sleeper::ReceivesThen) {
        sleepers.push(world.put_to_sleep(how));
        settle(&sleepers, false, Duration::ZERO)?;
    }
    let (came, points) = match at {
        Some(point) => (lead(world, &victim, point), Vec::new()),
        None => (true, record(world, &victim, full)),
    };
    for &how in case.sleepers.iter().filter(|&&how| how.is_late() && how != Sleeper::ReceivesThen) {
        sleepers.push(world.put_to_sleep(how));
        settle(&sleepers, false, Duration::ZERO)?;
    }
    let mut living = None;
    if case.goes_on && came && matches!(at, Some(Point::At(..))) {
        // If others took what it was to take, it sleeps, and for good.
        let mut looks = 0;
        victim.run_to(over as *const () as u64, 1, |_| {
            looks += 1;
            looks > 20
        });
        living = Some(victim);
    } else {
        victim.kill();
    }
    // From here on the survivors are alone.
    let (sent, got) = (world.note.sent.load(SeqCst), world.got());
    require(got != TORN, || "the victim received a torn message".to_owned())?;
    settle(&sleepers, true, patience)?;
    if std::env::var_os("UNIPC_CRASH_SHOW").is_some() {
        println!("{at:x?}: {}", Bytes::of(&world.queue).picture(case.slots));
    }
    let late = |text: &str| Err(Wrong { text: text.to_owned(), late: true });
    let mut found = Vec::new();
    if sleepers.iter().any(|one| !one.how.sends() && one.is_asleep()) {
        if let Ok(received) = world.queue.try_receive() {
            let id = message::read(&received.data, case.size);
            return late(&format!("a receiver sleeps although message {id:x?} is there"));
        }
    }
    if sleepers.iter().any(|one| one.how.sends() && one.is_asleep()) {
        let extra = world.number(case.priorities[0]);
        if world.try_send_id(extra, Deadline::NOW).is_ok() {
            return late("a sender sleeps although there is room");
        }
    }
    if let Some(victim) = living {
        victim.kill();
        settle(&sleepers, true, patience)?;
    }
    // Who sleeps rightly is served now.
    let asleep = sleepers.iter().filter(|one| !one.how.sends() && one.is_asleep()).count();
    for _ in 0..asleep {
        world.send(case.priorities[0]).map_err(|error| format!("to a sleeper: {error}"))?;
    }
    let begin = Instant::now();
    loop {
        if sleepers.iter().all(|one| one.how.sends() || one.is_served()) {
            found.extend(world.drain()?);
        }
        if sleepers.iter().all(Asleep::is_served) {
            break;
        }
        require(begin.elapsed() < LONG, || "a sleeper is never served".to_owned())?;
        std::thread::sleep(Duration::from_micros(50));
    }
    found.extend(world.drain()?);
    let (senders, receivers): (Vec<_>, Vec<_>) = sleepers.into_iter().partition(|one| one.how.sends());
    for one in receivers {
        let value = one.value.load(SeqCst);
        require(value != TORN, || "a sleeper received a torn message".to_owned())?;
        world.there.remove(&value);
        found.push(value); // out of order here: it is not part of what was drained
        one.peer.reap();
    }
    for one in senders {
        let value = one.value.load(SeqCst);
        require(found.contains(&value), || format!("a sleeper's message {value:x} is lost"))?;
        one.peer.reap();
    }
    judge(world, &found, sent != 0, got)?;
    let how = match (case.effect, found.contains(&world.mine), sent != 0, got != 0) {
        (Effect::Sends, true, true, _) => "sent, and said so",
        (Effect::Sends, true, false, _) => "sent, and did not say so",
        (Effect::Sends, false, ..) => "not sent",
        (Effect::Takes, .., true) => "received, and said so",
        (Effect::Takes, ..) if world.there.is_empty() => "received by others",
        (Effect::Takes, ..) => "received, and did not say so",
        (Effect::Nothing, ..) => "nothing changed",
    };
    world.there.clear();
    refill(world)?;
    (case.after)(world)?;
    Ok(Outcome { how, came, points })
}

/// Whether everything came out once and in order, apart from what the victim was at.
fn judge(world: &World, found: &[u64], acknowledged: bool, got: u64) -> Result<(), Wrong> {
    let case = world.case;
    let unique: BTreeSet<u64> = found.iter().copied().collect();
    require(unique.len() == found.len(), || format!("something came twice: {found:x?}"))?;
    require(!acknowledged || unique.contains(&world.mine), || "what was acknowledged is lost".to_owned())?;
    let missing: Vec<u64> = world.there.iter().copied().collect();
    require(got == 0 || !unique.contains(&got), || format!("message {got:x}, received by the victim, came again"))?;
    match case.effect {
        Effect::Takes => {
            require(missing.len() <= 1, || format!("lost: {missing:x?}, found {found:x?}"))?;
            require(got == 0 || missing == [got], || format!("received {got:x}, but {missing:x?} is missing"))?;
        }
        Effect::Sends | Effect::Nothing => {
            require(missing.is_empty(), || format!("lost: {missing:x?}, found {found:x?}"))?;
        }
    }
    // What is missing was the first.
    let alone = case.sleepers.is_empty();
    let mut whole = found.to_vec();
    whole.splice(0..0, missing.iter().copied());
    require(!alone || whole.is_sorted_by_key(order), || format!("out of order: {whole:x?}"))
}

/// The whole capacity is there again: at once, or in a ring one less for one lap.
fn refill(world: &mut World) -> Result<(), Wrong> {
    let (case, is_ring) = (world.case, world.case.priorities.len() == 1 && world.case.mine == 3);
    for lap in 0..2 {
        let mut sent = Vec::new();
        loop {
            let next = world.number(case.priorities[sent.len() % case.priorities.len()]);
            match world.try_send_id(next, Deadline::NOW) {
                Ok(()) => sent.push(next),
                Err(error) if error.would_block() => break,
                Err(error) => return Err(format!("refill: {error}").into()),
            }
            require(sent.len() <= case.slots, || "it has more room than it should".to_owned())?;
        }
        let least = case.slots - usize::from(lap == 0 && is_ring && case.slots > 1);
        require(sent.len() >= least, || format!("room for {} of {} messages on lap {lap}", sent.len(), case.slots))?;
        let queued = world.queue.len().unwrap();
        require(queued == sent.len(), || format!("it says that it has {queued} of {} messages", sent.len()))?;
        sent.sort_by_key(order);
        let found = world.drain()?;
        require(found == sent, || format!("refilled with {sent:x?}, drained {found:x?}"))?;
    }
    Ok(())
}

pub fn play(name: &str, queue: &str) {
    crate::peers::have_own_objects();
    let case = CASES.iter().find(|case| case.name == name).unwrap();
    let full = crate::is_full();
    let begin = Instant::now();
    let mut outcomes: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut kills, mut missed, mut slow, mut violations) = (0, 0, 0, Vec::new());
    let mut points = None;
    let mut next = 0;
    while violations.len() < 20 && points.as_ref().is_none_or(|points: &Vec<Point>| next < points.len()) {
        let point = points.as_ref().map(|points| points[next]);
        // Who still sleeps may only be slow: more patience tells.
        for patience in [0, 200, 200] {
            let mut world = World::new(case, queue);
            kills += 1;
            let wrong = match kill_at(&mut world, point, full, Duration::from_millis(patience)) {
                Ok(outcome) => {
                    *outcomes.entry(outcome.how).or_default() += 1;
                    slow += u32::from(patience != 0);
                    missed += u32::from(!outcome.came);
                    if points.is_none() {
                        points = Some(outcome.points);
                    } else {
                        next += 1;
                    }
                    break;
                }
                Err(wrong) => wrong,
            };
            if !wrong.late || patience != 0 {
                let picture = Bytes::of(&world.queue).picture(case.slots);
                violations.push(format!(
                    "{next} of {}: {}\n  {picture}",
                    points.as_ref().map_or(0, Vec::len),
                    wrong.text
                ));
                next += 1;
                break;
            }
        }
    }
    let notes: Vec<String> = [(missed, "by another way"), (slow, "woken late")]
        .into_iter()
        .filter(|&(count, _)| count > 0)
        .map(|(count, what)| format!(", {count} {what}"))
        .collect();
    let (count, notes) = (violations.len(), notes.concat());
    println!("{name}: {kills} kills, {count} violations, {outcomes:?}{notes} in {:.1?}", begin.elapsed());
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}
