//! Processes that do a work together, and what they tell of it.

use crate::sys::{self, Fork, Line};
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

/// So many processes, at most, do one work.
pub const ROLES: usize = 128;
/// So many times are told one by one, at most.
pub const SAMPLES: usize = 20_000;

const SENTENCE_LINES: usize = 8;
const WORDS: usize = 15; // of a line

/// What one process tells of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Side {
    /// When its measure began and ended; 0 where it has none.
    pub begin: u64,
    pub end: u64,
    /// CPU time in between, and how many messages that was for.
    pub cpu: u64,
    pub counted: u64,
    /// How many messages it sent or received, and the sum of their checks.
    pub messages: u64,
    pub sum: u64,
}

/// Memory that all processes of one run share; all zero when it begins.
#[derive(Clone, Copy)]
pub struct Control {
    /// How many have come to the start line, how many have produced all, how many samples there are, how many
    /// have come to the finish.
    counts: [&'static AtomicU64; 4],
    /// When the message was sent that is under way.
    pub sent_at: &'static AtomicU64,
    /// Set to 1 by who was to wait, and did not.
    pub overtaken: &'static AtomicU64,
    /// Who has the right to the sentence, and how long it is, once it is there.
    failure: [&'static AtomicU64; 2],
    sentence: &'static [Line],
    sides: &'static [Line],
    samples: &'static [Line],
}

impl Control {
    pub fn new() -> io::Result<Control> {
        let (few, rest) = sys::shared(7 + SENTENCE_LINES + ROLES + SAMPLES.div_ceil(WORDS))?.split_at(7);
        let (sentence, rest) = rest.split_at(SENTENCE_LINES);
        let (sides, samples) = rest.split_at(ROLES);
        let [ready, producing, noted, sent_at, overtaken, failure, finished] = few else { unreachable!("seven") };
        Ok(Control {
            counts: [&ready.words[0], &producing.words[0], &noted.words[0], &finished.words[0]],
            sent_at: &sent_at.words[0],
            overtaken: &overtaken.words[0],
            failure: [&failure.words[0], &failure.words[1]],
            sentence,
            sides,
            samples,
        })
    }

    /// Waits at the start until all have come.
    pub fn start_line(self, roles: usize) {
        self.counts[0].fetch_add(1, Release);
        while self.counts[0].load(Acquire) < roles as u64 {
            std::thread::yield_now();
        }
    }

    /// Waits at the finish until all have come: messages may lie in the memory of who sent them.
    pub fn finish_line(self, roles: usize) {
        self.counts[3].fetch_add(1, Release);
        while self.counts[3].load(Acquire) < roles as u64 {
            std::thread::sleep(Duration::from_millis(1)); // nobody is to be disturbed who is not there yet
        }
    }

    /// True to who is the last of so many.
    pub fn is_last_of(self, producers: u32) -> bool {
        self.counts[1].fetch_add(1, Relaxed) + 1 == u64::from(producers)
    }

    pub fn set_side(self, role: usize, side: Side) {
        let Side { begin, end, cpu, counted, messages, sum } = side;
        for (word, value) in self.sides[role].words.iter().zip([begin, end, cpu, counted, messages, sum]) {
            word.store(value, Relaxed);
        }
    }

    /// Of a process that has ended.
    pub fn side(self, role: usize) -> Side {
        let [begin, end, cpu, counted, messages, sum] =
            [0, 1, 2, 3, 4, 5].map(|at| self.sides[role].words[at].load(Relaxed));
        Side { begin, end, cpu, counted, messages, sum }
    }

    /// The process of a role, which has come to the start line.
    pub fn pid(self, role: usize) -> i32 {
        self.sides[role].turn.load(Relaxed) as i32
    }

    /// Before the start: no page of the samples is to be missed later.
    pub fn touch_samples(self) {
        for line in self.samples {
            line.turn.store(1, Relaxed);
        }
    }

    /// Notes a time, while there is room for it. Only one process does so at any moment.
    pub fn note(self, nanoseconds: u64) {
        let at = self.counts[2].load(Acquire) as usize;
        if at < SAMPLES {
            self.samples[at / WORDS].words[at % WORDS].store(nanoseconds, Relaxed);
            self.counts[2].store(at as u64 + 1, Release);
        }
    }

    /// All that were noted.
    pub fn samples(self) -> Vec<u64> {
        let count = self.counts[2].load(Acquire) as usize;
        self.samples.iter().flat_map(|line| &line.words).take(count).map(|word| word.load(Relaxed)).collect()
    }

    /// Leaves a sentence, unless another was first: what fails later may fail for that.
    fn fail(self, sentence: &str) {
        let room = SENTENCE_LINES * WORDS * 8;
        let end = (0..=room.min(sentence.len())).rev().find(|&end| sentence.is_char_boundary(end)).unwrap_or(0);
        if end > 0 && self.failure[0].swap(1, Relaxed) == 0 {
            let words = self.sentence.iter().flat_map(|line| &line.words);
            for (word, bytes) in words.zip(sentence.as_bytes()[..end].chunks(8)) {
                let mut eight = [0; 8];
                eight[..bytes.len()].copy_from_slice(bytes);
                word.store(u64::from_le_bytes(eight), Relaxed);
            }
            self.failure[1].store(end as u64, Release);
        }
    }

    fn failure(self) -> Option<String> {
        let length = self.failure[1].load(Acquire) as usize;
        let words = self.sentence.iter().flat_map(|line| &line.words);
        let mut bytes: Vec<u8> = words.flat_map(|word| word.load(Relaxed).to_le_bytes()).collect();
        bytes.truncate(length);
        String::from_utf8(bytes).ok().filter(|sentence| !sentence.is_empty())
    }
}

/// One process's part of a work.
pub type Role<'a> = Box<dyn FnOnce() -> io::Result<()> + 'a>;

/// Plays each role in a process of its own. If one fails, the others are killed; none is left in any case.
///
/// # Errors
/// The sentence of who failed first.
pub fn together(control: Control, roles: Vec<Role<'_>>) -> io::Result<()> {
    let mut pids = Vec::new();
    let mut wrong = None;
    for (number, role) in roles.into_iter().enumerate() {
        match sys::fork() {
            Ok(Fork::Child) => {
                control.sides[number].turn.store(std::process::id(), Relaxed);
                let failure = outcome(role).err();
                if let Some(error) = &failure {
                    control.fail(&error.to_string());
                }
                sys::exit(i32::from(failure.is_some()));
            }
            Ok(Fork::Parent(pid)) => pids.push(pid),
            Err(error) => {
                wrong = Some(error.to_string());
                break;
            }
        }
    }
    loop {
        if wrong.is_some() {
            pids.iter().copied().for_each(sys::kill);
        }
        let Some(ended) = sys::wait_any()? else { break };
        pids.retain(|&pid| pid != ended.pid);
        wrong = wrong.or(ended.wrong);
    }
    match wrong {
        None => Ok(()),
        Some(wrong) => Err(io::Error::other(control.failure().unwrap_or(wrong))),
    }
}

/// What a function gives back; a panic is an error, too.
pub fn outcome<T>(function: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(function)).unwrap_or_else(|panic| Err(io::Error::other(told(panic.as_ref()))))
}

fn told(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
    format!("it panicked: {}", words.unwrap_or("without words"))
}
