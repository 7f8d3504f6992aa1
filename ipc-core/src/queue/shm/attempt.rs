//! What a thread tries to do at a queue, and how it waits until that succeeds.
//!
//! The first try is inlined into the caller together with all that it needs; whatever comes after it is
//! one call away and takes its time.
#![allow(clippy::inline_always)] // each was measured: through a call results go by way of the stack

use super::ring::{First, Ring, Take};
use super::{Claim, DATA_AT, Inner};
use crate::deadline::Deadline;
use crate::error::Errno;
use crate::region::owner::Participant;
use crate::region::wait::{Class, FIRST, Slept};
use crate::sys;
use crate::sys::atomic::Ordering::{Relaxed, SeqCst};
use crate::sys::fail::fail_point;
use crate::sys::map::Part;
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
/// Up to this many bytes it is worth to copy what another one may take.
const FEW: usize = 512;

pub(super) trait Attempt {
    const CLASS: Class;
    /// What it gives: by value, for what goes by way of memory is waited for.
    type Served;

    /// Tries once. `None`: the queue is full, or empty. EAGAIN: who has the index was stopped.
    fn make(&mut self, queue: &Inner, me: &Participant, deadline: &Deadline) -> sys::Result<Option<Self::Served>>;
}

pub(super) struct Send<'a> {
    pub data: &'a [u8],
    pub priority: u32,
}

impl Attempt for Send<'_> {
    const CLASS: Class = Class::Senders;
    type Served = ();

    #[inline(always)]
    fn make(&mut self, queue: &Inner, me: &Participant, deadline: &Deadline) -> sys::Result<Option<()>> {
        match queue.claim_to_send(me, self.priority) {
            Ring::Served((claim, cell)) => {
                cell.write(DATA_AT, self.data)?;
                queue.publish(me, claim, cell, self.data.len(), self.priority)?;
                Ok(Some(()))
            }
            Ring::Blocked => Ok(None),
            Ring::Sorted => {
                me.until.set(*deadline);
                queue.send_sorted(me, self.data, self.priority)
            }
        }
    }
}

/// Takes the first message out of the queue, as `read` finds it in its cell; gives its priority.
pub(super) struct Receive<R>(pub R);

impl<R: FnMut(&Inner, Part<'_>) -> sys::Result<()>> Attempt for Receive<R> {
    const CLASS: Class = Class::Receivers;
    type Served = u32;

    #[inline(always)]
    fn make(&mut self, queue: &Inner, me: &Participant, deadline: &Deadline) -> sys::Result<Option<u32>> {
        match queue.serve_first(me, self) {
            Ring::Served(read) => read.map(Some),
            Ring::Blocked => Ok(None),
            Ring::Sorted => {
                me.until.set(*deadline);
                queue.receive_sorted(me, self)
            }
        }
    }
}

impl<R: FnMut(&Inner, Part<'_>) -> sys::Result<()>> Take for Receive<R> {
    type Taken = sys::Result<u32>;

    /// A small message is copied first and taken then, by one step from full to free: what was copied is
    /// thrown away if the word has changed meanwhile. So nobody holds it at any instant. Of a large one that
    /// would be too much work in vain: it is claimed before.
    #[inline(always)]
    fn take(&mut self, queue: &Inner, me: &Participant, first: First<'_>) -> Option<sys::Result<u32>> {
        let First { index, cell, word } = first;
        if queue.shape.message_size > FEW {
            let claim = first.claim(me)?;
            let read = (self.0)(queue, cell);
            return Some(queue.consume(me, claim, cell).and(read).map(|()| claim.priority()));
        }
        let read = (self.0)(queue, cell);
        fail_point!("ring: copied");
        cell.u64(0).compare_exchange(word.0, word.freed().0, SeqCst, Relaxed).ok()?;
        queue.consumed(me, Claim::new(index, word, word.owner()));
        Some(read.map(|()| word.owner()))
    }
}

/// Takes a cell to be written in place, for a message of this priority.
pub(super) struct Reserve(pub u32);

impl Attempt for Reserve {
    const CLASS: Class = Class::Senders;
    type Served = Claim;

    #[inline(always)]
    fn make(&mut self, queue: &Inner, me: &Participant, deadline: &Deadline) -> sys::Result<Option<Claim>> {
        let claim = match queue.claim_to_send(me, self.0) {
            Ring::Served((claim, _)) => claim,
            Ring::Blocked => return Ok(None),
            Ring::Sorted => {
                me.until.set(*deadline);
                let Some(claim) = queue.claim_sorted(me)? else { return Ok(None) };
                claim
            }
        };
        queue.hint_tail(me);
        queue.lend(me, Class::Senders);
        Ok(Some(Claim::new(claim.index(), claim.word, self.0)))
    }
}

/// Takes a message to be read in place.
pub(super) struct Borrow;

impl Take for Borrow {
    type Taken = Claim;

    #[inline(always)]
    fn take(&mut self, _: &Inner, me: &Participant, first: First<'_>) -> Option<Claim> {
        first.claim(me)
    }
}

impl Attempt for Borrow {
    const CLASS: Class = Class::Receivers;
    type Served = Claim;

    #[inline(always)]
    fn make(&mut self, queue: &Inner, me: &Participant, deadline: &Deadline) -> sys::Result<Option<Claim>> {
        let claim = match queue.serve_first(me, self) {
            Ring::Served(claim) => claim,
            Ring::Blocked => return Ok(None),
            Ring::Sorted => {
                me.until.set(*deadline);
                let Some(claim) = queue.take_sorted(me)? else { return Ok(None) };
                claim
            }
        };
        queue.lend(me, Class::Receivers);
        Ok(Some(claim))
    }
}

impl Inner {
    /// Tries until it succeeds, as long as the deadline allows.
    #[inline(always)]
    pub(super) fn serve<A: Attempt>(&self, attempt: &mut A, deadline: &Deadline) -> sys::Result<A::Served> {
        self.working(
            #[inline(always)]
            |queue, me| match attempt.make(queue, me, deadline) {
                Ok(Some(served)) => Ok(served),
                Ok(None) | Err(Errno::AGAIN) => {
                    let mut late = None;
                    queue.serve_late(me, attempt, deadline, &mut late)?;
                    late.ok_or(Errno::AGAIN)
                }
                Err(errno) => Err(errno),
            },
        )
    }

    /// What is served after a wait comes by a place of its own: that of the first try stays in registers.
    #[cold]
    #[inline(never)]
    fn serve_late<A: Attempt>(
        &self,
        me: &Participant,
        attempt: &mut A,
        deadline: &Deadline,
        late: &mut Option<A::Served>,
    ) -> sys::Result<()> {
        *late = Some(self.wait(me, attempt, deadline)?);
        Ok(())
    }

    fn wait<A: Attempt>(&self, me: &Participant, attempt: &mut A, deadline: &Deadline) -> sys::Result<A::Served> {
        me.until.set(*deadline);
        if deadline.is_now() || self.nonblocking.load(Relaxed) {
            // What others hold, alive or dead, is not in the way of who may not wait.
            let mut outcome = Err(Errno::AGAIN);
            for vain in 1..=VAIN_MAX {
                if !self.unblock(me, A::CLASS, &mut Vec::new(), vain == VAIN_MAX)? {
                    break;
                }
                // What was freed may be what another sleeps for.
                self.pass_on(me);
                if let Some(served) = attempt.make(self, me, deadline)? {
                    outcome = Ok(served);
                    break;
                }
            }
            return outcome;
        }
        if let Some(served) = self.spin(me, attempt, deadline)? {
            return Ok(served);
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
    fn spin<A: Attempt>(
        &self,
        me: &Participant,
        attempt: &mut A,
        deadline: &Deadline,
    ) -> sys::Result<Option<A::Served>> {
        let budget = &me.cursors.spin[A::CLASS as usize];
        let spins = if budget.get() == 0 { self.spins } else { budget.get() };
        let (mut left, mut pause, mut tries) = (spins, 1, 0);
        while left > 0 {
            for _ in 0..pause.min(left) {
                spin_loop();
            }
            left = left.saturating_sub(pause);
            match attempt.make(self, me, deadline) {
                Ok(None) => {}
                Ok(served) => {
                    budget.set(self.spins);
                    return Ok(served);
                }
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
        Ok(None)
    }

    fn sleep<A: Attempt>(&self, me: &Participant, attempt: &mut A, deadline: &Deadline) -> sys::Result<A::Served> {
        let class = A::CLASS;
        let mut owners = Vec::new();
        let mut vain = 0;
        let mut last = FIRST;
        loop {
            let everybody = self.region.everybody(last);
            let value = self.region.prepare(me, class.bit(), 0);
            let tried = match attempt.make(self, me, deadline) {
                Ok(Some(served)) => return Ok(served),
                Ok(None) => Ok(()),
                Err(errno) => Err(errno),
            };
            owners.clear();
            let mut until = *deadline;
            match tried.and_then(|()| self.unblock(me, class, &mut owners, vain > VAIN_LONG)) {
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
            let slept = self.region.sleep(value, class.bit(), &owners, &[], everybody.as_deref(), until);
            match attempt.make(self, me, deadline) {
                Ok(Some(served)) => return Ok(served),
                Err(Errno::INTERRUPTED) => return Err(Errno::INTERRUPTED),
                _ => {}
            }
            last = Slept::Woken;
            match slept {
                Ok(slept) => last = slept,
                Err(Errno::TIMED_OUT) if !deadline.has_passed() => {}
                Err(Errno::TIMED_OUT) => {
                    let again = self.unblock(me, class, &mut owners, true)?;
                    let served = if again { attempt.make(self, me, deadline)? } else { None };
                    return served.ok_or(Errno::TIMED_OUT);
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
