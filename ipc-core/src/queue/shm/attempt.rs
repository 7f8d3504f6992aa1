//! What a thread tries to do at a queue, and how it waits until that succeeds.
//!
//! The first try is inlined into the caller together with all that it needs; whatever comes after it is
//! one call away and takes its time.
#![allow(clippy::inline_always)] // each was measured: through a call results go by way of the stack

use super::ring::Ring;
use super::{Claim, Inner};
use crate::deadline::Deadline;
use crate::error::Errno;
use crate::region::owner::Participant;
use crate::region::wait::Class;
use crate::sys;
use crate::sys::atomic::Ordering::{Relaxed, SeqCst};
use std::hint::spin_loop;
use std::time::Duration;

/// About as long as the kernel takes to wake a sleeper: 20 to 40 us.
pub(super) const SPINS_MAX: u32 = 800;
/// Spinning that does not pay is cut down, but never below this: a peer that answers at once is noticed.
const SPINS_MIN: u32 = SPINS_MAX / 32;
/// Between tries, at most. To look at a cell takes its line from who is just filling it; once sorted, to look
/// at the index takes its lines from who works on it, and a longer pause lets that one do several
/// messages in a row.
const PAUSE: u32 = 2;
const PAUSE_SORTED: u32 = 32;
/// So many tries later it looks at the clock.
const LOOK_EVERY: u32 = 32;
/// So often is tried at once what seemed worth it and was not, before it is slept over.
const VAIN_MAX: u32 = 16;
/// So often it was slept over, and the ring is sorted if that helps.
const VAIN_LONG: u32 = VAIN_MAX + 4;
const A_WHILE: Duration = Duration::from_millis(20);

pub(super) trait Attempt {
    const CLASS: Class;

    /// Tries once. False: the queue is full, or empty. EAGAIN: who has the index was stopped.
    fn make(&mut self, queue: &Inner, me: &Participant) -> sys::Result<bool>;
}

pub(super) struct Send<'a> {
    pub data: &'a [u8],
    pub priority: u32,
}

impl Attempt for Send<'_> {
    const CLASS: Class = Class::Senders;

    #[inline(always)]
    fn make(&mut self, queue: &Inner, me: &Participant) -> sys::Result<bool> {
        match queue.claim_to_send(me, self.priority) {
            Ring::Claimed(claim) => {
                queue.fill(claim.index, self.data)?;
                queue.publish(me, claim, self.data.len(), self.priority)?;
                Ok(true)
            }
            Ring::Blocked => Ok(false),
            Ring::Sorted => queue.send_sorted(me, self.data, self.priority),
        }
    }
}

/// Takes the first message out of the queue, as `read` finds it in its cell.
pub(super) struct Receive<R> {
    pub read: R,
    /// That of the message.
    pub priority: u32,
}

impl<R: FnMut(&Inner, usize) -> sys::Result<()>> Attempt for Receive<R> {
    const CLASS: Class = Class::Receivers;

    #[inline(always)]
    fn make(&mut self, queue: &Inner, me: &Participant) -> sys::Result<bool> {
        match queue.claim_to_read(me) {
            Ring::Claimed(claim) => {
                let read = (self.read)(queue, claim.index);
                queue.consume(me, claim)?;
                self.priority = claim.priority;
                read.map(|()| true)
            }
            Ring::Blocked => Ok(false),
            Ring::Sorted => queue.receive_sorted(me, self),
        }
    }
}

/// Takes a cell to be written in place.
pub(super) struct Reserve {
    pub priority: u32,
    pub claim: Claim,
}

impl Attempt for Reserve {
    const CLASS: Class = Class::Senders;

    #[inline(always)]
    fn make(&mut self, queue: &Inner, me: &Participant) -> sys::Result<bool> {
        let claim = match queue.claim_to_send(me, self.priority) {
            Ring::Claimed(claim) => Some(claim),
            Ring::Blocked => None,
            Ring::Sorted => queue.claim_sorted(me)?,
        };
        let Some(claim) = claim else { return Ok(false) };
        self.claim = Claim { priority: self.priority, ..claim };
        queue.hint_tail(me);
        queue.lend(me, Class::Senders);
        Ok(true)
    }
}

/// Takes a message to be read in place.
pub(super) struct Borrow {
    pub claim: Claim,
}

impl Attempt for Borrow {
    const CLASS: Class = Class::Receivers;

    #[inline(always)]
    fn make(&mut self, queue: &Inner, me: &Participant) -> sys::Result<bool> {
        let claim = match queue.claim_to_read(me) {
            Ring::Claimed(claim) => Some(claim),
            Ring::Blocked => None,
            Ring::Sorted => queue.take_sorted(me)?,
        };
        let Some(claim) = claim else { return Ok(false) };
        self.claim = claim;
        queue.lend(me, Class::Receivers);
        Ok(true)
    }
}

impl Inner {
    /// Tries until it succeeds, as long as the deadline allows.
    #[inline(always)]
    pub(super) fn serve<A: Attempt>(&self, attempt: &mut A, deadline: &Deadline) -> sys::Result<()> {
        self.working(|queue, me| {
            me.until.set(*deadline);
            match attempt.make(queue, me) {
                Ok(true) => Ok(()),
                Ok(false) | Err(Errno::AGAIN) => queue.wait(me, attempt, deadline),
                Err(errno) => Err(errno),
            }
        })
    }

    #[inline(never)]
    fn wait<A: Attempt>(&self, me: &Participant, attempt: &mut A, deadline: &Deadline) -> sys::Result<()> {
        if deadline.is_now() || self.nonblocking.load(Relaxed) {
            // What others hold, alive or dead, is not in the way of who may not wait.
            let mut outcome = Err(Errno::AGAIN);
            for vain in 1..=VAIN_MAX {
                if !self.unblock(me, A::CLASS, &mut Vec::new(), vain == VAIN_MAX)? {
                    break;
                }
                // What was freed may be what another sleeps for.
                self.pass_on(me);
                if attempt.make(self, me)? {
                    outcome = Ok(());
                    break;
                }
            }
            return outcome;
        }
        if self.spin(me, attempt, deadline)? {
            return Ok(());
        }
        let _waiting = self.waits.begin();
        let outcome = self.sleep(me, attempt, deadline);
        self.region.finish(me);
        // Whoever prepared to sleep may have been taken for a sleeper, and woken in another's place.
        self.pass_on(me);
        let mut owners = Vec::new();
        if self.unblock(me, A::CLASS, &mut owners, false) != Ok(false) || !owners.is_empty() {
            // If this thread was to learn of a death, now another is.
            self.region.wake_another(me, A::CLASS);
        }
        outcome
    }

    /// Tries again for about as long as a sleep would cost, less if that has not paid of late.
    fn spin<A: Attempt>(&self, me: &Participant, attempt: &mut A, deadline: &Deadline) -> sys::Result<bool> {
        let budget = &me.cursors.spin[A::CLASS as usize];
        let spins = if budget.get() == 0 { self.spins } else { budget.get() };
        let (mut left, mut pause, mut tries) = (spins, 1, 0);
        while left > 0 {
            for _ in 0..pause.min(left) {
                spin_loop();
            }
            left = left.saturating_sub(pause);
            match attempt.make(self, me) {
                Ok(true) => {
                    budget.set(self.spins);
                    return Ok(true);
                }
                Ok(false) => {}
                Err(Errno::AGAIN) => break,
                Err(errno) => return Err(errno),
            }
            pause = (pause * 2).min(if self.is_sorted() { PAUSE_SORTED } else { PAUSE });
            tries += 1;
            if tries % LOOK_EVERY == 0 && deadline.has_passed() {
                break;
            }
        }
        budget.set((spins / 2).max(SPINS_MIN).min(self.spins));
        Ok(false)
    }

    fn sleep<A: Attempt>(&self, me: &Participant, attempt: &mut A, deadline: &Deadline) -> sys::Result<()> {
        let class = A::CLASS;
        let mut owners = Vec::new();
        let mut vain = 0;
        loop {
            let value = self.region.prepare(me, class.bit(), 0);
            let tried = attempt.make(self, me);
            if tried == Ok(true) {
                return Ok(());
            }
            owners.clear();
            let mut until = *deadline;
            match tried.and_then(|_| self.unblock(me, class, &mut owners, vain > VAIN_LONG)) {
                Ok(true) if vain < VAIN_MAX => {
                    vain += 1;
                    continue;
                }
                Ok(false) => {}
                // Somebody was stopped in the middle of something, or spoils the queue.
                Ok(true) | Err(Errno::AGAIN) => {
                    vain += 1;
                    until = until.earlier(Deadline::after(A_WHILE));
                }
                Err(errno) => return Err(errno),
            }
            if self.shut.load(SeqCst) {
                return Err(Errno::SHUT_DOWN);
            }
            if self.region.is_lost() {
                return Err(Errno::SPOILED);
            }
            let slept = self.region.sleep(value, class.bit(), &owners, None, until);
            match attempt.make(self, me) {
                Ok(true) => return Ok(()),
                Err(Errno::INTERRUPTED) => return Err(Errno::INTERRUPTED),
                _ => {}
            }
            match slept {
                Ok(()) => {}
                Err(Errno::TIMED_OUT) if !deadline.has_passed() => {}
                Err(Errno::TIMED_OUT) => {
                    let again = self.unblock(me, class, &mut owners, true)? && attempt.make(self, me)?;
                    return if again { Ok(()) } else { Err(Errno::TIMED_OUT) };
                }
                Err(errno) => return Err(errno),
            }
            // A wake that brings nothing may have been meant for somebody else.
            let healed = self.heal(me);
            self.pass_on(me);
            if healed == Err(Errno::INTERRUPTED) {
                return Err(Errno::INTERRUPTED);
            }
        }
    }
}
