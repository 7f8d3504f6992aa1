//! How threads of all processes sleep at a region, and are woken.
//!
//! One futex word serves both classes of sleepers, a bit each: set by who goes to sleep, taken back by
//! who wakes. Its other bits are always 0, which makes it fit for a dying wish ([`Life::wish`]): whoever
//! works on the region names it, and if death comes between publishing and waking, or between being
//! woken and taking, the kernel wakes one sleeper in the dead one's place. That sleeper looks after
//! everything: repairs, takes, and passes the wake on ([`sys::robust`]).
//!
//! [`Life::wish`]: crate::sys::robust::Life::wish

use super::Region;
use super::header::WAIT_AT;
use super::owner::{Participant, State};
use crate::deadline::Deadline;
use crate::error::Errno;
use crate::sys::atomic::AtomicU32;
use crate::sys::atomic::Ordering::SeqCst;
use crate::sys::fail::fail_point;
use crate::sys::{self, clock, futex, kernel};
use std::time::Duration;

/// What a sleeper waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Receivers = 0,
    Senders = 1,
}

impl Class {
    pub const BOTH: [Class; 2] = [Class::Receivers, Class::Senders];

    pub fn bit(self) -> u32 {
        1 << (31 - self as u32)
    }
}

/// Set with a class's bit in a participant's page: sleeps in the class, but takes nothing.
pub(crate) const WATCHES: u32 = 1;

/// The kernel wakes in a dead one's place who sleeps already. Who looked just before, and sleeps just after,
/// is told by nobody: so everybody looks again, and sleeps for good only then ([`Region::everybody`]).
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Where the kernel cannot wake in a dead one's place, they look more often.
const BLIND: Duration = Duration::from_millis(50);

/// What came of a sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slept {
    /// Something may have changed.
    Woken,
    /// Nothing did, for as long as it may sleep without a look.
    Long,
}

/// How the sleep before the first one was. (The models begin with the sleep that no death can precede unseen.)
pub(crate) const FIRST: Slept = if cfg!(unipc_model) { Slept::Long } else { Slept::Woken };

impl Region {
    #[inline]
    pub fn wait_word(&self) -> &AtomicU32 {
        self.u32(WAIT_AT)
    }

    /// Announces that this thread is about to sleep; the value that it sleeps at. What it sleeps for has
    /// to be looked at once more in between.
    pub fn prepare(&self, me: &Participant, classes: u32, watches: u32) -> u32 {
        self.set_waiting(me, classes | watches);
        fail_point!("wait: noted");
        let value = self.wait_word().fetch_or(classes, SeqCst) | classes;
        fail_point!("wait: announced");
        crate::sys::atomic::fence(SeqCst);
        value
    }

    pub fn finish(&self, me: &Participant) {
        self.set_waiting(me, 0);
        fail_point!("wait: over");
    }

    /// The words by which [`sleep`](Self::sleep) learns of every death since now, also of one that comes
    /// before it: for whose `last` sleep was long, because that many words are dearer than one. `None` also
    /// where the kernel has no such sleep, or there are more than it takes.
    pub fn everybody(&self, last: Slept) -> Option<Vec<(&AtomicU32, u32)>> {
        let able = last == Slept::Long && kernel::wakes_for_the_dead() && kernel::waits_for_any();
        able.then(|| self.lives(futex::WORDS_MAX - 2)).flatten()
    }

    /// Sleeps until a wake, the death of one of `owners`, or a change of what `also` is told to be. With
    /// `everybody` among that, for as long as it takes. EINTR, ETIMEDOUT.
    pub fn sleep(
        &self,
        value: u32,
        classes: u32,
        owners: &[u32],
        also: &[(&AtomicU32, u32)],
        everybody: Option<&[(&AtomicU32, u32)]>,
        deadline: Deadline,
    ) -> sys::Result<Slept> {
        let mut end = deadline.end();
        let mut words = vec![(self.wait_word(), value)];
        words.extend(also);
        if let Some(everybody) = everybody {
            words.extend(everybody);
            return heard(futex::wait_any(&words, end)).map(|()| Slept::Woken);
        }
        let mut blind = !kernel::wakes_for_the_dead();
        for &tag in owners {
            match self.state_of(tag) {
                State::Alive(life, value) if words.len() < futex::WORDS_MAX => words.push((life, value)),
                State::Alive(..) | State::Unknown => blind = true,
                State::Dead => return Ok(Slept::Woken), // just now
            }
        }
        blind |= words.len() > 1 && !kernel::waits_for_any();
        let longest = if blind { BLIND } else { LOOK_AGAIN };
        let shortened = deadline.remaining().is_none_or(|remaining| remaining > longest);
        if shortened {
            end = Some((clock::MONOTONIC, clock::monotonic() + longest));
        }
        let slept = if words.len() > 1 && kernel::waits_for_any() {
            futex::wait_any(&words, end)
        } else {
            futex::wait_shared(self.wait_word(), value, classes, end)
        };
        match heard(slept) {
            Err(Errno::TIMED_OUT) if shortened => Ok(if blind { Slept::Woken } else { Slept::Long }),
            slept => slept.map(|()| Slept::Woken),
        }
    }

    /// Wakes one of a class, if any sleeps. Whoever calls has published before, by an operation that is
    /// sequentially consistent.
    #[inline]
    pub fn wake(&self, class: Class) {
        if self.wait_word().load(SeqCst) & class.bit() != 0 {
            self.wake_one(class);
        }
    }

    #[cold]
    fn wake_one(&self, class: Class) {
        self.wait_word().fetch_and(!class.bit(), SeqCst);
        fail_point!("wake: taken the bit");
        futex::wake_shared(self.wait_word(), 1, class.bit());
        fail_point!("wake: woken one");
    }

    /// Wakes one of a class that sleeps, this thread apart, to look at what changed.
    pub fn wake_another(&self, me: &Participant, class: Class) {
        if self.others_wait(me, |classes| classes & class.bit() != 0) {
            self.wake_one(class);
        }
    }

    /// Wakes everybody, to look at what changed.
    pub fn wake_all(&self) {
        self.wait_word().fetch_and(!(Class::Receivers.bit() | Class::Senders.bit()), SeqCst);
        futex::wake_shared(self.wait_word(), i32::MAX, futex::ANY);
    }

    /// What a woken thread owes the others: who woke it took the bits back, and woke nobody else.
    pub fn pass_on(&self, me: &Participant, available: impl Fn(Class) -> bool) {
        for class in Class::BOTH {
            if self.others_wait(me, |classes| classes & class.bit() != 0) {
                self.wait_word().fetch_or(class.bit(), SeqCst);
                fail_point!("wake: passing on");
                crate::sys::atomic::fence(SeqCst);
                if available(class) {
                    self.wake_one(class);
                }
            }
        }
    }

    /// Whether a thread that would take a message sleeps, this one apart.
    pub fn somebody_receives(&self, me: &Participant) -> bool {
        self.others_wait(me, |classes| classes & Class::Receivers.bit() != 0 && classes & WATCHES == 0)
    }
}

/// What futex(2) says, as far as it matters.
fn heard(slept: sys::Result<()>) -> sys::Result<()> {
    fail_point!("wait: awake");
    match slept {
        Err(Errno::AGAIN) => Ok(()),
        Err(Errno::FAULT) => Err(Errno::SPOILED), // the file was cut
        slept => slept,
    }
}
