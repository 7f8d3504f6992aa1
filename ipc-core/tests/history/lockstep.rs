//! Random histories of one thread, step by step on both engines and on a model of a queue that anybody
//! can read. A history that fails is made shorter until nothing can be left out.

use crate::common::Scratch;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use unipc::queue::PRIORITY_MAX;
use unipc::{Access, Deadline, Engine, Queue};

const SIZE: usize = 8;
const HANDLES: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    /// Makes the queue if its name is free, and opens it else.
    Open {
        handle: usize,
        access: Access,
    },
    Close {
        handle: usize,
    },
    Unlink,
    Nonblocking {
        handle: usize,
        on: bool,
    },
    Send {
        handle: usize,
        len: usize,
        priority: u32,
        wait: Wait,
    },
    Receive {
        handle: usize,
        wait: Wait,
    },
    ReceiveInto {
        handle: usize,
        room: usize,
        wait: Wait,
    },
    SendMany {
        handle: usize,
        count: usize,
        priority: u32,
    },
    ReceiveMany {
        handle: usize,
        max: usize,
    },
    Attributes {
        handle: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Wait {
    No,
    Moment,
    Past,
    /// Only where it does not hang: a thread that is alone cannot be served later.
    IfNonblocking,
}

#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    NoHandle,
    Done,
    Failed(i32),
    Count(usize),
    Message(Vec<u8>, u32),
    Messages(Vec<(Vec<u8>, u32)>),
    Attributes { max: usize, size: usize, queued: usize, nonblocking: bool },
}

/// What the steps are done with.
trait Party {
    fn step(&mut self, step: &Step, number: u8) -> Outcome;
}

struct Real {
    engine: Engine,
    scratch: Scratch,
    slots: usize,
    handles: [Option<Queue>; HANDLES],
}

fn failed(error: &unipc::Error) -> Outcome {
    Outcome::Failed(error.errno())
}

impl Real {
    fn new(engine: Engine, slots: usize) -> Real {
        Real { engine, scratch: Scratch::new(), slots, handles: [const { None }; HANDLES] }
    }
}

impl Wait {
    fn deadline(self, nonblocking: bool) -> Deadline {
        match self {
            Wait::Moment => Deadline::after(Duration::from_micros(200)),
            Wait::Past => Deadline::after(Duration::ZERO),
            Wait::IfNonblocking if nonblocking => Deadline::NEVER,
            Wait::No | Wait::IfNonblocking => Deadline::NOW,
        }
    }

    /// What who would have to wait is told.
    fn refusal(self, nonblocking: bool) -> i32 {
        match self {
            Wait::Moment | Wait::Past if !nonblocking => libc::ETIMEDOUT,
            _ => libc::EAGAIN,
        }
    }
}

/// What the messages of one step hold.
fn data(number: u8, at: usize, len: usize) -> Vec<u8> {
    let mut data = vec![number; len];
    data.iter_mut().take(1).for_each(|first| *first = at as u8);
    data
}

impl Party for Real {
    fn step(&mut self, step: &Step, number: u8) -> Outcome {
        let mut options = Queue::options();
        options.engine(self.engine).max_messages(self.slots).message_size(SIZE);
        match *step {
            Step::Open { handle, access } => {
                self.handles[handle] = None;
                match options.access(access).open_or_create(self.scratch.name()) {
                    Ok((queue, _)) => {
                        self.handles[handle] = Some(queue);
                        Outcome::Done
                    }
                    Err(error) => failed(&error),
                }
            }
            Step::Unlink => Queue::unlink(self.scratch.name()).map_or_else(|error| failed(&error), |()| Outcome::Done),
            Step::Close { handle } => self.handles[handle].take().map_or(Outcome::NoHandle, |_| Outcome::Done),
            Step::Nonblocking { handle, .. }
            | Step::Send { handle, .. }
            | Step::Receive { handle, .. }
            | Step::ReceiveInto { handle, .. }
            | Step::SendMany { handle, .. }
            | Step::ReceiveMany { handle, .. }
            | Step::Attributes { handle } => match &self.handles[handle] {
                Some(queue) => use_queue(queue, step, number).unwrap_or_else(|error| failed(&error)),
                None => Outcome::NoHandle,
            },
        }
    }
}

fn use_queue(queue: &Queue, step: &Step, number: u8) -> unipc::Result<Outcome> {
    let nonblocking = queue.attributes()?.nonblocking;
    Ok(match *step {
        Step::Nonblocking { on, .. } => {
            queue.set_nonblocking(on)?;
            Outcome::Done
        }
        Step::Send { len, priority, wait, .. } => {
            queue.send_by(&data(number, 0, len), priority, wait.deadline(nonblocking))?;
            Outcome::Done
        }
        Step::Receive { wait, .. } => {
            let message = queue.receive_by(wait.deadline(nonblocking))?;
            Outcome::Message(message.data, message.priority)
        }
        Step::ReceiveInto { room, wait, .. } => {
            let mut buffer = vec![0; room];
            let received = queue.receive_into_by(&mut buffer, wait.deadline(nonblocking))?;
            Outcome::Message(buffer[..received.len].to_vec(), received.priority)
        }
        Step::SendMany { count, priority, .. } => {
            let messages: Vec<Vec<u8>> = (0..count).map(|at| data(number, at, 4)).collect();
            Outcome::Count(queue.send_many(&messages, priority, Deadline::NOW)?)
        }
        Step::ReceiveMany { max, .. } => {
            let messages = queue.receive_many(max, Deadline::NOW)?;
            Outcome::Messages(messages.into_iter().map(|message| (message.data, message.priority)).collect())
        }
        Step::Attributes { .. } => {
            let found = queue.attributes()?;
            Outcome::Attributes {
                max: found.max_messages,
                size: found.message_size,
                queued: found.queued,
                nonblocking: found.nonblocking,
            }
        }
        _ => unreachable!("these need no handle"),
    })
}

/// A queue as one would tell of it: messages, each put behind those of its priority.
#[derive(Debug, Default)]
struct Messages(Vec<(Vec<u8>, u32)>);

#[derive(Debug)]
struct Handle {
    messages: Rc<RefCell<Messages>>,
    access: Access,
    nonblocking: bool,
}

#[derive(Debug)]
struct Model {
    slots: usize,
    named: Option<Rc<RefCell<Messages>>>,
    handles: [Option<Handle>; HANDLES],
}

impl Messages {
    fn send(&mut self, slots: usize, data: Vec<u8>, priority: u32) -> bool {
        let room = self.0.len() < slots;
        if room {
            let place = self.0.iter().position(|&(_, other)| other < priority).unwrap_or(self.0.len());
            self.0.insert(place, (data, priority));
        }
        room
    }

    fn receive(&mut self) -> Option<(Vec<u8>, u32)> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }
}

impl Handle {
    fn send(&self, slots: usize, data: Vec<u8>, priority: u32, wait: Wait) -> Result<(), i32> {
        if priority > PRIORITY_MAX {
            return Err(libc::EINVAL);
        }
        if self.access == Access::ReadOnly {
            return Err(libc::EBADF);
        }
        if data.len() > SIZE {
            return Err(libc::EMSGSIZE);
        }
        let sent = self.messages.borrow_mut().send(slots, data, priority);
        if sent { Ok(()) } else { Err(wait.refusal(self.nonblocking)) }
    }

    fn receive(&self, room: usize, wait: Wait) -> Result<(Vec<u8>, u32), i32> {
        if self.access == Access::WriteOnly {
            return Err(libc::EBADF);
        }
        if room < SIZE {
            return Err(libc::EMSGSIZE);
        }
        self.messages.borrow_mut().receive().ok_or(wait.refusal(self.nonblocking))
    }
}

impl Party for Model {
    fn step(&mut self, step: &Step, number: u8) -> Outcome {
        let slots = self.slots;
        let mut with = |handle: usize, work: &dyn Fn(&mut Handle) -> Result<Outcome, i32>| {
            self.handles[handle]
                .as_mut()
                .map_or(Outcome::NoHandle, |handle| work(handle).unwrap_or_else(Outcome::Failed))
        };
        match *step {
            Step::Open { handle, access } => {
                let messages = self.named.get_or_insert_default().clone();
                self.handles[handle] = Some(Handle { messages, access, nonblocking: false });
                Outcome::Done
            }
            Step::Unlink => self.named.take().map_or(Outcome::Failed(libc::ENOENT), |_| Outcome::Done),
            Step::Close { handle } => self.handles[handle].take().map_or(Outcome::NoHandle, |_| Outcome::Done),
            Step::Nonblocking { handle, on } => with(handle, &|handle| {
                handle.nonblocking = on;
                Ok(Outcome::Done)
            }),
            Step::Send { handle, len, priority, wait } => {
                with(handle, &|handle| handle.send(slots, data(number, 0, len), priority, wait).map(|()| Outcome::Done))
            }
            Step::Receive { handle, wait } => with(handle, &|handle| {
                handle.receive(SIZE, wait).map(|(data, priority)| Outcome::Message(data, priority))
            }),
            Step::ReceiveInto { handle, room, wait } => with(handle, &|handle| {
                handle.receive(room, wait).map(|(data, priority)| Outcome::Message(data, priority))
            }),
            Step::SendMany { handle, count, priority } => with(handle, &|handle| {
                let mut went = 0;
                for at in 0..count {
                    match handle.send(slots, data(number, at, 4), priority, Wait::No) {
                        Ok(()) => went += 1,
                        Err(errno) if at == 0 => return Err(errno),
                        Err(_) => break,
                    }
                }
                Ok(Outcome::Count(went))
            }),
            Step::ReceiveMany { handle, max } => with(handle, &|handle| {
                let mut messages = Vec::new();
                for at in 0..max {
                    match handle.receive(SIZE, Wait::No) {
                        Ok(message) => messages.push(message),
                        Err(errno) if at == 0 => return Err(errno),
                        Err(_) => break,
                    }
                }
                Ok(Outcome::Messages(messages))
            }),
            Step::Attributes { handle } => with(handle, &|handle| {
                let queued = handle.messages.borrow().0.len();
                Ok(Outcome::Attributes { max: slots, size: SIZE, queued, nonblocking: handle.nonblocking })
            }),
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let handle = || prop_oneof![4 => Just(0), 1 => 1..HANDLES];
    let wait = || prop_oneof![6 => Just(Wait::No), 1 => Just(Wait::Moment), 1 => Just(Wait::Past), 2 => Just(Wait::IfNonblocking)];
    // Many of one priority, so that rings stay rings for a while.
    let priority = prop_oneof![8 => Just(1), 3 => 0..4u32, 1 => Just(PRIORITY_MAX), 1 => PRIORITY_MAX + 1..=u32::MAX];
    let access = prop_oneof![4 => Just(Access::ReadWrite), 1 => Just(Access::ReadOnly), 1 => Just(Access::WriteOnly)];
    let len = prop_oneof![10 => 0..=SIZE, 1 => SIZE + 1..SIZE + 3];
    let step = prop_oneof![
        8 => (handle(), len, priority.clone(), wait())
            .prop_map(|(handle, len, priority, wait)| Step::Send { handle, len, priority, wait }),
        4 => (handle(), wait()).prop_map(|(handle, wait)| Step::Receive { handle, wait }),
        3 => (handle(), SIZE - 1..SIZE + 4, wait())
            .prop_map(|(handle, room, wait)| Step::ReceiveInto { handle, room, wait }),
        1 => (handle(), 1..6usize, priority).prop_map(|(handle, count, priority)| Step::SendMany { handle, count, priority }),
        1 => (handle(), 1..6usize).prop_map(|(handle, max)| Step::ReceiveMany { handle, max }),
        2 => handle().prop_map(|handle| Step::Attributes { handle }),
        1 => (handle(), any::<bool>()).prop_map(|(handle, on)| Step::Nonblocking { handle, on }),
        1 => (handle(), access).prop_map(|(handle, access)| Step::Open { handle, access }),
        1 => (1..HANDLES).prop_map(|handle| Step::Close { handle }),
        1 => Just(Step::Unlink),
    ];
    vec(step, 1..60)
}

/// Plays a history on all parties at once; the first difference, with what led to it.
fn play(slots: usize, history: &[Step]) -> Result<(), String> {
    let [mut posix, mut shm] = [Engine::Posix, Engine::Shm].map(|engine| Real::new(engine, slots));
    let mut model = Model { slots, named: None, handles: [const { None }; HANDLES] };
    let open = Step::Open { handle: 0, access: Access::ReadWrite };
    let mut told = Vec::new();
    for (number, step) in std::iter::once(&open).chain(history).enumerate() {
        let number = number as u8;
        let expected = model.step(step, number);
        let (by_kernel, by_us) = (posix.step(step, number), shm.step(step, number));
        told.push(format!("  {step:?} -> {expected:?}"));
        if by_kernel != expected || by_us != expected {
            let told = told.join("\n");
            return Err(format!("{slots} slots\n{told}\n  but posix: {by_kernel:?}\n  and   shm: {by_us:?}"));
        }
    }
    Ok(())
}

fn histories(slots: usize) {
    let long = std::env::var_os("UNIPC_TEST_LONG").is_some();
    let config = Config {
        cases: if long { 4000 } else { 300 },
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let mut runner = if long {
        TestRunner::new(config)
    } else {
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
    };
    let outcome = runner.run(&steps(), |history| play(slots, &history).map_err(TestCaseError::fail));
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(_, history)) => panic!("{}", play(slots, &history).err().unwrap_or("only once".into())),
        Err(other) => panic!("{other}"),
    }
}

crate::promises! {
    fn both_engines_and_the_model_agree_on_a_queue_of_one() {
        histories(1);
    }

    fn both_engines_and_the_model_agree_on_a_queue_of_two() {
        histories(2);
    }

    fn both_engines_and_the_model_agree_on_a_queue_of_five() {
        histories(5);
    }
}
