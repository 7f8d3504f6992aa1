//! A lock that outlives its holders.
//!
//! The word is 0, or the holder's tag and one, with a bit that says that somebody sleeps for it. Who
//! takes the lock from a dead one is told so, and makes good what it guards.

use super::Region;
use super::owner::Participant;
use crate::error::Errno;
use crate::sys::atomic::AtomicU32;
use crate::sys::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use crate::sys::fail::fail_point;
use crate::sys::{self, clock, futex};
use std::hint::spin_loop;
use std::time::Duration;

pub(crate) const CONTENDED: u32 = 1 << 31;
/// How often who finds it taken looks again, and for how many pauses it looks away before each time: to look
/// takes the line from the holder, who had better do several messages in a row.
const ROUNDS: u32 = 40;
const PAUSES: u32 = 32;
/// A holder works for a microsecond, and on a machine full of work it has to wait for its turn; only one
/// that was stopped takes longer. Who waits longer than this, or than it may, is told so, and decides
/// whether to go on.
const PATIENCE: Duration = Duration::from_millis(200);

/// The wake that a holder owes can die with it, or with who was woken: nobody sleeps longer without looking
/// again, and a holder's death is seen then.
const SLICE: Duration = Duration::from_millis(2);

/// How the lock was found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Free,
    /// The last holder died in the middle.
    Abandoned,
}

impl Region {
    /// Takes the lock at `at`. EAGAIN: its holder was stopped. EINTR.
    #[inline]
    pub fn lock(&self, at: usize, me: &Participant) -> sys::Result<Found> {
        let word = self.u32(at);
        if word.compare_exchange(0, me.tag + 1, SeqCst, Relaxed).is_ok() {
            fail_point!("lock: taken");
            return Ok(Found::Free);
        }
        self.lock_contended(word, me)
    }

    #[cold]
    fn lock_contended(&self, word: &AtomicU32, me: &Participant) -> sys::Result<Found> {
        for _ in 0..ROUNDS {
            for _ in 0..PAUSES {
                spin_loop();
            }
            if word.load(Relaxed) == 0 && word.compare_exchange(0, me.tag + 1, SeqCst, Relaxed).is_ok() {
                return Ok(Found::Free);
            }
        }
        let patience = me.until.get().remaining().filter(|left| !left.is_zero()).unwrap_or(PATIENCE);
        let end = clock::monotonic() + patience.min(PATIENCE);
        let mine = (me.tag + 1) | CONTENDED; // others may sleep for it too
        loop {
            let found = word.load(Acquire);
            if found & !CONTENDED == 0 {
                if word.compare_exchange(found, mine, SeqCst, Relaxed).is_ok() {
                    fail_point!("lock: taken after a sleep");
                    return Ok(Found::Free);
                }
                continue;
            }
            let holder = (found & !CONTENDED) - 1;
            if holder == me.tag {
                return Err(Errno::SPOILED); // nobody takes it twice
            }
            if self.is_dead(holder) {
                if word.compare_exchange(found, mine, SeqCst, Relaxed).is_ok() {
                    fail_point!("lock: taken from the dead");
                    return Ok(Found::Abandoned);
                }
                continue;
            }
            if word.compare_exchange(found, found | CONTENDED, SeqCst, Relaxed).is_err() {
                continue;
            }
            fail_point!("lock: about to sleep for it");
            let slice = (clock::monotonic() + SLICE).min(end);
            match futex::wait_shared(word, found | CONTENDED, futex::ANY, Some((clock::MONOTONIC, slice))) {
                Err(Errno::TIMED_OUT) if slice == end => return Err(Errno::AGAIN),
                Ok(()) | Err(Errno::AGAIN | Errno::TIMED_OUT) => {}
                Err(Errno::FAULT) => return Err(Errno::SPOILED), // the file was cut
                Err(errno) => return Err(errno),
            }
        }
    }

    /// The tag of who has the lock at `at`; of nobody, if it is free.
    pub fn lock_holder(&self, at: usize) -> u32 {
        (self.u32(at).load(Acquire) & !CONTENDED).wrapping_sub(1)
    }

    #[inline]
    pub fn unlock(&self, at: usize) {
        let word = self.u32(at);
        if word.swap(0, SeqCst) & CONTENDED != 0 {
            fail_point!("lock: given back while others sleep for it");
            futex::wake_shared(word, 1, futex::ANY);
        }
    }
}
