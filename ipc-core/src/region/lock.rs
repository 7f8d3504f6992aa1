//! A lock that outlives its holders.
//!
//! The word is 0, or the holder's tag and one, with a bit that says that somebody sleeps for it. A
//! sleeper waits for the word or for the death of the holder, whichever comes first; who takes the lock
//! from a dead one is told so, and makes good what it guards.

use super::Region;
use super::owner::Participant;
use crate::deadline::Deadline;
use crate::error::Errno;
use crate::sys::{self, clock, futex, kernel};
use std::hint::spin_loop;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use std::time::Duration;

const CONTENDED: u32 = 1 << 31;
const SPINS: u32 = 200;
/// A holder works for a microsecond; only one that was stopped takes longer, and who may not wait does
/// not wait for that.
const PATIENCE: Duration = Duration::from_millis(20);
const BLIND: Duration = Duration::from_millis(50);

/// How the lock was found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Free,
    /// The last holder died in the middle.
    Abandoned,
}

impl Region {
    /// Takes the lock at `at`. EAGAIN, ETIMEDOUT, EINTR: not in time.
    #[inline]
    pub fn lock(&self, at: usize, me: &Participant, deadline: Deadline) -> sys::Result<Found> {
        let word = self.u32(at);
        if word.compare_exchange(0, me.tag + 1, SeqCst, Relaxed).is_ok() {
            return Ok(Found::Free);
        }
        self.lock_contended(word, me, deadline)
    }

    #[cold]
    fn lock_contended(&self, word: &AtomicU32, me: &Participant, deadline: Deadline) -> sys::Result<Found> {
        for _ in 0..SPINS {
            spin_loop();
            if word.load(Relaxed) == 0 && word.compare_exchange(0, me.tag + 1, SeqCst, Relaxed).is_ok() {
                return Ok(Found::Free);
            }
        }
        let until = if deadline.is_now() { Deadline::after(PATIENCE) } else { deadline };
        let mine = (me.tag + 1) | CONTENDED; // others may sleep for it too
        loop {
            let found = word.load(Acquire);
            if found & !CONTENDED == 0 {
                if word.compare_exchange(found, mine, SeqCst, Relaxed).is_ok() {
                    return Ok(Found::Free);
                }
                continue;
            }
            let holder = (found & !CONTENDED) - 1;
            let Some(life) = self.life_of(holder) else {
                if word.compare_exchange(found, mine, SeqCst, Relaxed).is_ok() {
                    return Ok(Found::Abandoned);
                }
                continue;
            };
            if word.compare_exchange(found, found | CONTENDED, SeqCst, Relaxed).is_err() {
                continue;
            }
            let slept = if kernel::waits_for_any() {
                futex::wait_any(&[(word, found | CONTENDED), life], until.end())
            } else {
                let end = clock::monotonic() + BLIND;
                futex::wait_shared(word, found | CONTENDED, futex::ANY, Some((clock::MONOTONIC, end)))
            };
            match slept {
                Err(Errno::TIMED_OUT) if deadline.is_now() => return Err(Errno::AGAIN),
                Err(Errno::TIMED_OUT) if !deadline.has_passed() => {}
                Ok(()) | Err(Errno::AGAIN) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    #[inline]
    pub fn unlock(&self, at: usize) {
        let word = self.u32(at);
        if word.swap(0, SeqCst) & CONTENDED != 0 {
            futex::wake_shared(word, 1, futex::ANY);
        }
    }
}
