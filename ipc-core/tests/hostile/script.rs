//! What an attacker and his victim do in turn, as bytes: a fuzzer makes them up, the tests list them.
//!
//! A script is a queue to begin with and steps: a number poked into the queue's file, or an operation
//! by this process, which must end, and end well: in success, or in an error that such files are to
//! give, and never with a message that no queue could hold.

use super::segment::Segment;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use unipc::queue::{Loan, PRIORITY_MAX};
use unipc::{Deadline, Engine, Queue};

pub const MESSAGE: usize = 64;
/// Just enough to come to the sleep.
const MOMENT: Duration = Duration::from_micros(30);
const STEPS_MAX: usize = 64;

/// Numbers that break code: by sign, by overflow, by being a flag.
pub const NUMBERS: [u64; 24] = [
    0,
    1,
    2,
    3,
    5,
    64,
    65,
    127,
    255,
    1024,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0x4000_0000,
    0xc000_0000,
    0xffff_fffe,
    0xffff_ffff,
    1 << 46,
    1 << 62,
    1 << 63,
    3 << 62,
    u64::MAX - 1,
    u64::MAX,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    pub slots: usize,
    pub sorted: bool,
    pub messages: usize,
    pub reserved: bool,
    pub borrowed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Poke32 { at: usize, value: u32 },
    Poke64 { at: usize, value: u64 },
    Flip { at: usize, bit: u8 },
    Send { len: usize, priority: u32 },
    SendTimed,
    SendMany,
    Receive,
    ReceiveInto,
    ReceiveTimed,
    ReceiveMany,
    Reserve,
    Borrow,
    End { well: bool },
    Forge { words: [u64; 3] },
    Count,
    Poll,
    Notify,
    Open,
    Thread,
    Nonblocking,
    Shutdown,
}

/// All that this process does, in an order that gets everywhere.
pub const EVERYTHING: [Step; 26] = [
    Step::Count,
    Step::Poll,
    Step::ReceiveInto,
    Step::Send { len: 5, priority: 0 },
    Step::End { well: true },
    Step::Borrow,
    Step::Reserve,
    Step::Notify,
    Step::Thread,
    Step::ReceiveTimed,
    Step::SendTimed,
    Step::End { well: false },
    Step::End { well: true },
    Step::Open,
    Step::Send { len: MESSAGE, priority: 7 },
    Step::Receive,
    Step::SendMany,
    Step::Borrow,
    Step::End { well: true },
    Step::SendTimed,
    Step::ReceiveMany,
    Step::ReceiveTimed,
    Step::Poll,
    Step::Count,
    Step::Shutdown,
    Step::ReceiveTimed,
];

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn number<const N: usize>(&mut self) -> Option<u64> {
        (0..N).try_fold(0, |number, at| Some(number | u64::from(self.next()?) << (8 * at)))
    }

    /// One of the numbers, or one that is spelled out.
    fn value(&mut self) -> Option<u64> {
        let pick = self.next()?;
        NUMBERS.get(pick as usize).copied().map_or_else(|| self.number::<8>(), Some)
    }

    fn step(&mut self) -> Option<Step> {
        Some(match self.next()? % 21 {
            0 => Step::Poke32 { at: self.number::<2>()? as usize * 4, value: self.value()? as u32 },
            1 => Step::Poke64 { at: self.number::<2>()? as usize * 8, value: self.value()? },
            2 => Step::Flip { at: self.number::<2>()? as usize * 4, bit: self.next()? % 32 },
            3 => Step::Send {
                len: self.next()? as usize % (MESSAGE + 1),
                priority: self.number::<2>()? as u32 & PRIORITY_MAX,
            },
            4 => Step::SendTimed,
            5 => Step::SendMany,
            6 => Step::Receive,
            7 => Step::ReceiveInto,
            8 => Step::ReceiveTimed,
            9 => Step::ReceiveMany,
            10 => Step::Reserve,
            11 => Step::Borrow,
            12 => Step::End { well: true },
            13 => Step::End { well: false },
            14 => Step::Forge { words: [self.value()?, self.value()?, self.value()?] },
            15 => Step::Count,
            16 => Step::Poll,
            17 => Step::Notify,
            18 => Step::Open,
            19 => Step::Thread,
            _ => match self.next()? % 2 {
                0 => Step::Nonblocking,
                _ => Step::Shutdown,
            },
        })
    }
}

pub fn parse(bytes: &[u8]) -> (Setup, Vec<Step>) {
    let mut bytes = Bytes(bytes);
    let begin = bytes.next().unwrap_or(0);
    let slots = [1, 2, 4, 5][usize::from(begin & 3)];
    let setup = Setup {
        slots,
        sorted: begin & 4 != 0,
        messages: [0, 1, slots.div_ceil(2), slots][usize::from(begin >> 3 & 3)],
        reserved: begin & 32 != 0,
        borrowed: begin & 64 != 0,
    };
    (setup, std::iter::from_fn(|| bytes.step()).take(STEPS_MAX).collect())
}

/// The other way, for scripts that are listed.
#[allow(dead_code)] // the fuzzer has no need of it
pub fn write(begin: u8, steps: &[Step]) -> Vec<u8> {
    let mut bytes = vec![begin];
    let value = |bytes: &mut Vec<u8>, value: u64| {
        bytes.push(255);
        bytes.extend(value.to_le_bytes());
    };
    for step in steps {
        match *step {
            Step::Poke32 { at, value: number } => {
                bytes.push(0);
                bytes.extend((at as u16 / 4).to_le_bytes());
                value(&mut bytes, number.into());
            }
            Step::Poke64 { at, value: number } => {
                bytes.push(1);
                bytes.extend((at as u16 / 8).to_le_bytes());
                value(&mut bytes, number);
            }
            Step::Flip { at, bit } => {
                bytes.push(2);
                bytes.extend((at as u16 / 4).to_le_bytes());
                bytes.push(bit);
            }
            Step::Send { len, priority } => {
                bytes.extend([3, len as u8]);
                bytes.extend((priority as u16).to_le_bytes());
            }
            Step::SendTimed => bytes.push(4),
            Step::SendMany => bytes.push(5),
            Step::Receive => bytes.push(6),
            Step::ReceiveInto => bytes.push(7),
            Step::ReceiveTimed => bytes.push(8),
            Step::ReceiveMany => bytes.push(9),
            Step::Reserve => bytes.push(10),
            Step::Borrow => bytes.push(11),
            Step::End { well } => bytes.push(if well { 12 } else { 13 }),
            Step::Forge { words } => {
                bytes.push(14);
                for word in words {
                    value(&mut bytes, word);
                }
            }
            Step::Count => bytes.push(15),
            Step::Poll => bytes.push(16),
            Step::Notify => bytes.push(17),
            Step::Open => bytes.push(18),
            Step::Thread => bytes.push(19),
            Step::Nonblocking => bytes.extend([20, 0]),
            Step::Shutdown => bytes.extend([20, 1]),
        }
    }
    bytes
}

enum Hold {
    Reserved(usize, Loan),
    Borrowed(usize, Loan),
}

struct Run<'a> {
    name: &'a str,
    segment: Segment,
    queues: Vec<Queue>,
    holds: Vec<Hold>,
}

/// Plays a script on a queue of this name, which is made for it and removed at the end. Panics when the
/// library breaks its word.
pub fn run(name: &str, bytes: &[u8]) {
    let (setup, steps) = parse(bytes);
    let threads = threads();
    let _ = Queue::unlink(name);
    let queue =
        Queue::options().engine(Engine::Shm).max_messages(setup.slots).message_size(MESSAGE).create(name).unwrap();
    if setup.sorted {
        for priority in [1, 2] {
            queue.try_send(b"sorted", priority).unwrap();
            queue.try_receive().unwrap();
        }
    }
    let mut run = Run { name, segment: Segment::open(name), queues: vec![queue], holds: Vec::new() };
    for number in 0..setup.messages {
        run.step(Step::Send { len: 8, priority: if setup.sorted { number as u32 } else { 1 } });
    }
    if setup.borrowed {
        run.step(Step::Borrow);
    }
    if setup.reserved {
        run.step(Step::Reserve);
    }
    for step in steps {
        run.step(step);
    }
    let Run { queues, .. } = run;
    drop(queues);
    let _ = Queue::unlink(name);
    let begin = Instant::now();
    while self::threads() > threads {
        assert!(begin.elapsed() < Duration::from_secs(5), "a thread of the library does not end");
        std::thread::yield_now();
    }
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// What may come of an operation on a spoiled queue.
pub fn judge<T>(outcome: unipc::Result<T>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            let errno = error.errno();
            let allowed = [
                libc::EBADMSG,
                libc::EPROTO,
                libc::EOWNERDEAD,
                libc::EAGAIN,
                libc::ETIMEDOUT,
                libc::EBUSY,
                libc::EUSERS,
                libc::ESHUTDOWN,
                libc::EMSGSIZE, // so has an opened handle another size
                libc::EINVAL,   // a loan that was forged, or spoiled
            ];
            assert!(allowed.contains(&errno), "{error:?}");
            assert!(error.to_string().len() > 20, "{error}");
            None
        }
    }
}

/// The message size is what the handle was told when it was opened, by a header that may lie.
pub fn check(queue: &Queue, len: usize, priority: u32) {
    assert!(
        len <= queue.message_size() && priority <= PRIORITY_MAX,
        "a message of {len} bytes with priority {priority}"
    );
}

fn work(queue: &Queue) {
    judge(queue.try_send(b"from a thread", 3));
    if let Some(message) = judge(queue.try_receive()) {
        check(queue, message.data.len(), message.priority);
    }
}

impl Run<'_> {
    fn step(&mut self, step: Step) {
        let queue = self.queues.last().unwrap();
        let end = self.segment.end();
        match step {
            Step::Poke32 { at, value } => self.segment.u32(at % end).store(value, Relaxed),
            Step::Poke64 { at, value } => self.segment.u64(at % end).store(value, Relaxed),
            Step::Flip { at, bit } => {
                self.segment.u32(at % end).fetch_xor(1 << bit, Relaxed);
            }
            Step::Send { len, priority } => drop(judge(queue.try_send(&[b'x'; MESSAGE][..len], priority))),
            Step::SendTimed => drop(judge(queue.send_by(b"timed", 1, MOMENT))),
            Step::SendMany => {
                if let Some(count) = judge(queue.send_many(&["one", "two"], 1, Deadline::NOW)) {
                    assert!(count <= 2);
                }
            }
            Step::Receive => {
                if let Some(message) = judge(queue.try_receive()) {
                    check(queue, message.data.len(), message.priority);
                }
            }
            Step::ReceiveInto => {
                let size = queue.message_size();
                let mut buffer = vec![0xee; size + 8];
                if let Some(received) = judge(queue.try_receive_into(&mut buffer)) {
                    check(queue, received.len, received.priority);
                }
                assert_eq!(buffer[size..], [0xee; 8]);
            }
            Step::ReceiveTimed => {
                if let Some(message) = judge(queue.receive_by(MOMENT)) {
                    check(queue, message.data.len(), message.priority);
                }
            }
            Step::ReceiveMany => {
                for message in judge(queue.receive_many(3, Deadline::NOW)).unwrap_or_default() {
                    check(queue, message.data.len(), message.priority);
                }
            }
            Step::Reserve => {
                if let Some(mut reserved) = judge(queue.try_reserve(7, 2)) {
                    judge(reserved.write(0, b"in place"[..7].as_ref()));
                    self.holds.push(Hold::Reserved(self.queues.len() - 1, reserved.into_loan()));
                }
            }
            Step::Borrow => {
                if let Some(borrowed) = judge(queue.try_borrow()) {
                    check(queue, borrowed.len(), borrowed.priority());
                    if let Some(data) = judge(borrowed.to_vec()) {
                        check(queue, data.len(), 0);
                    }
                    self.holds.push(Hold::Borrowed(self.queues.len() - 1, borrowed.into_loan()));
                }
            }
            Step::End { well } => self.end(well),
            Step::Forge { words } => {
                let loan = Loan::from_words(words);
                if let Some(reserved) = judge(queue.resume_reserved(loan)) {
                    check(queue, reserved.len(), 0);
                    judge(reserved.commit());
                }
                if let Some(borrowed) = judge(queue.resume_borrowed(loan)) {
                    if let Some(data) = judge(borrowed.to_vec()) {
                        check(queue, data.len(), 0);
                    }
                    judge(borrowed.release());
                }
            }
            Step::Count => {
                let found = queue.attributes().unwrap();
                assert!(found.queued <= found.max_messages, "{found:?}");
            }
            Step::Poll => {
                let fd = queue.as_fd().as_raw_fd();
                let mut entry = libc::pollfd { fd, events: libc::POLLIN | libc::POLLOUT, revents: 0 };
                assert!(unsafe { libc::poll(&raw mut entry, 1, 0) } >= 0);
            }
            Step::Notify => {
                if judge(queue.notify_callback(|| ())).is_some() {
                    judge(queue.try_send(b"notify", 0));
                }
                queue.cancel_notify().unwrap();
            }
            Step::Open => {
                if let Some(queue) = judge(Queue::options().engine(Engine::Shm).open(self.name)) {
                    self.queues.push(queue);
                }
            }
            Step::Thread => std::thread::scope(|scope| scope.spawn(|| work(queue)).join().unwrap()),
            Step::Nonblocking => queue.set_nonblocking(!queue.attributes().unwrap().nonblocking).unwrap(),
            Step::Shutdown => queue.shutdown().unwrap(),
        }
    }

    fn end(&mut self, well: bool) {
        if self.holds.is_empty() {
            return;
        }
        match self.holds.remove(0) {
            Hold::Reserved(queue, loan) => {
                let reserved = judge(self.queues[queue].resume_reserved(loan));
                reserved.and_then(|reserved| judge(if well { reserved.commit() } else { reserved.abort() }));
            }
            Hold::Borrowed(queue, loan) => {
                let borrowed = judge(self.queues[queue].resume_borrowed(loan));
                borrowed.and_then(|borrowed| judge(if well { borrowed.release() } else { borrowed.put_back() }));
            }
        }
    }
}
