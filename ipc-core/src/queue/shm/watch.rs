//! Who looks at a queue and takes nothing from it: the descriptor that can be polled, and notification.
//!
//! Both are a thread of this process that sleeps as receivers and senders do, and passes each wake on.
//! There is none until somebody asks for the descriptor, or to be notified.

use super::{Inner, NOTIFY_AT};
use crate::deadline::Deadline;
use crate::error::Errno;
use crate::queue::calls::Calls;
use crate::region::owner::Participant;
use crate::region::wait::{Class, FIRST, Slept, WATCHES};
use crate::sys::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::sys::atomic::{AtomicBool, AtomicU32};
use crate::sys::fail::fail_point;
use crate::sys::{self, clock, fd, futex, signal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

// The notification word: 0, or the tag of the thread that is to be told, and whether it has been.
const ARMED: u32 = 1 << 31;
const FIRED: u32 = 1 << 30;
const TAG: u32 = (1 << crate::region::owner::TAG_BITS) - 1;

/// After which the descriptor's thread tries again what failed.
const A_WHILE: Duration = Duration::from_millis(50);

/// An eventfd's counter that is full: it cannot be written to.
const FULL: u64 = u64::MAX - 1;

#[derive(Debug, Default)]
pub(super) struct Watch {
    polled: AtomicBool,
    poll: OnceLock<Arc<Poll>>,
    notified: Notified,
}

/// The descriptor: readable while messages are there, writable while there is room.
#[derive(Debug)]
struct Poll {
    event: OwnedFd,
    /// Whose thread keeps it: a child made by fork has the descriptor, but not the thread.
    process: AtomicU32,
    /// Changes when the thread has to look again.
    changed: AtomicU32,
    ended: AtomicBool,
}

/// The registration that was made by this handle.
#[derive(Debug, Default)]
struct Notified {
    calls: Arc<Calls>,
    /// The word as it was armed, and by which process; 0: none.
    word: AtomicU32,
    process: AtomicU32,
}

impl Watch {
    pub fn fd<'a>(&'a self, inner: &'a Arc<Inner>) -> BorrowedFd<'a> {
        if self.poll.get().is_none() {
            // Without a descriptor left, the file's own: it always shows both, which is a spurious
            // readiness like any other.
            let Ok(event) = fd::event() else { return inner.region.fd() };
            let (process, changed, ended) = (AtomicU32::new(0), AtomicU32::new(0), AtomicBool::new(false));
            let _ = self.poll.set(Arc::new(Poll { event, process, changed, ended }));
        }
        let Some(poll) = self.poll.get() else { return inner.region.fd() };
        poll.begin(inner);
        self.polled.store(true, Release);
        self.show(inner);
        poll.event.as_fd()
    }

    /// After every operation on this handle: the descriptor is right at once.
    #[inline]
    pub fn note(&self, inner: &Inner) {
        if self.polled.load(Relaxed) {
            self.show(inner);
        }
    }

    #[cold]
    fn show(&self, inner: &Inner) {
        if let Some(poll) = self.poll.get() {
            let _ = poll.show(inner);
        }
    }

    /// The handle is being closed.
    pub fn end(&self, inner: &Inner) {
        if let Some(poll) = self.poll.get() {
            poll.ended.store(true, SeqCst);
            poll.look_again();
        }
        self.withdraw(inner);
    }

    pub fn notify_signal(&self, inner: &Arc<Inner>, number: i32, value: usize) -> sys::Result<()> {
        if !signal::exists(number) {
            return Err(Errno::INVALID);
        }
        self.register(inner, Box::new(move || signal::send_notification(number, value)))
    }

    pub fn notify_callback(&self, inner: &Arc<Inner>, callback: Box<dyn FnOnce() + Send>) -> sys::Result<()> {
        self.register(inner, callback)
    }

    fn register(&self, inner: &Arc<Inner>, callback: Box<dyn FnOnce() + Send>) -> sys::Result<()> {
        let (tell, told) = channel();
        let (call, inner) = (self.notified.calls.begin(), inner.clone());
        let run = move || {
            // Dropped last, also when the callback panics: nothing of it is left by then.
            let call = call;
            let (inner, callback) = (inner, callback);
            if wait_for_message(&inner, &tell) {
                call.run(callback);
            }
        };
        let builder = thread::Builder::new().name("unipc-notify".into());
        signal::with_all_blocked(|| builder.spawn(run))
            .map_err(|error| Errno(error.raw_os_error().unwrap_or(Errno::AGAIN.0)))?;
        let word = told.recv().unwrap_or(Err(Errno::NO_MEMORY))?;
        self.notified.process.store(std::process::id(), Relaxed);
        self.notified.word.store(word, Release);
        Ok(())
    }

    pub fn cancel_notify(&self, inner: &Inner) {
        self.withdraw(inner);
        self.notified.calls.wait();
    }

    /// Removes what this handle registered, if it has not come yet.
    fn withdraw(&self, inner: &Inner) {
        let armed = self.notified.word.load(Acquire);
        if armed == 0 || self.notified.process.load(Relaxed) != std::process::id() {
            return;
        }
        let word = inner.region.u32(NOTIFY_AT);
        let _ = word.compare_exchange(armed, 0, SeqCst, Relaxed);
        futex::wake_shared(word, i32::MAX, futex::ANY);
        let _ = self.notified.word.compare_exchange(armed, 0, Relaxed, Relaxed);
    }
}

/// What the descriptor shows to a class.
fn event(class: Class) -> i16 {
    match class {
        Class::Receivers => fd::READABLE,
        Class::Senders => fd::WRITABLE,
    }
}

impl Poll {
    /// Starts the thread, if this process has none.
    fn begin(self: &Arc<Poll>, inner: &Arc<Inner>) {
        let (here, before) = (std::process::id(), self.process.load(SeqCst));
        if before == here || self.process.compare_exchange(before, here, SeqCst, SeqCst).is_err() {
            return;
        }
        if before != 0 {
            // The parent's: an own one takes its number.
            let _ = fd::event().and_then(|event| fd::replace(self.event.as_fd(), event.as_fd()));
        }
        let (poll, inner) = (self.clone(), inner.clone());
        let builder = thread::Builder::new().name("unipc-poll".into());
        if signal::with_all_blocked(|| builder.spawn(move || poll.run(&inner))).is_err() {
            self.process.store(0, SeqCst); // the next who asks tries again
        }
    }

    fn look_again(&self) {
        self.changed.fetch_add(1, SeqCst);
        futex::wake_shared(&self.changed, 1, futex::ANY);
    }

    fn wanted(inner: &Inner) -> i16 {
        Class::BOTH.iter().filter(|&&class| inner.has(class)).map(|&class| event(class)).sum()
    }

    /// Makes the descriptor show what is so, and tells what it shows. Others may do the same meanwhile: whoever
    /// is last finds it right. The thread, which waits for what is not shown, looks again after every change.
    fn show(&self, inner: &Inner) -> i16 {
        let both = fd::READABLE | fd::WRITABLE;
        for turn in 0..16 {
            let wanted = Poll::wanted(inner);
            if fd::shows(self.event.as_fd(), both) == Ok(wanted) {
                if turn > 0 {
                    self.look_again();
                }
                return wanted;
            }
            let _ = fd::read(self.event.as_fd(), &mut [0; 8]);
            let count = match (wanted & fd::READABLE != 0, wanted & fd::WRITABLE != 0) {
                (false, _) => continue,
                (true, true) => 1,
                (true, false) => FULL,
            };
            let _ = fd::write(self.event.as_fd(), &u64::to_ne_bytes(count));
        }
        self.look_again();
        fd::shows(self.event.as_fd(), both).unwrap_or(0)
    }

    fn run(&self, inner: &Inner) {
        let mut last = FIRST;
        loop {
            let changed = self.changed.load(SeqCst); // before `ended`: an end that comes in between is seen
            if self.ended.load(SeqCst) {
                break;
            }
            // What the descriptor does not show is waited for, whatever came since.
            let shown = self.show(inner);
            let missing = Class::BOTH.iter().filter(|&&class| shown & event(class) == 0).map(|class| class.bit()).sum();
            let looked = if missing == 0 {
                let _ = futex::wait_shared(&self.changed, changed, futex::ANY, None);
                Ok(())
            } else {
                let came = || Class::BOTH.iter().any(|&class| class.bit() & missing != 0 && inner.has(class));
                watch(inner, missing, (&self.changed, changed), &mut last, came)
            };
            if looked.is_err() {
                if inner.region.is_lost() {
                    // Who polls is to look, and is told then.
                    let _ = fd::write(self.event.as_fd(), &u64::to_ne_bytes(1));
                    break;
                }
                // There was no place, or no memory, for this thread.
                let end = (clock::MONOTONIC, clock::monotonic() + A_WHILE);
                let _ = futex::wait_shared(&self.changed, changed, futex::ANY, Some(end));
            }
        }
    }
}

/// Sleeps as those of `classes` do until something may have changed, or `also` has; passes the wake on.
/// `last` is how that was the last time.
fn watch(
    inner: &Inner,
    classes: u32,
    also: (&AtomicU32, u32),
    last: &mut Slept,
    changed: impl Fn() -> bool,
) -> sys::Result<()> {
    inner.working(|inner, me| {
        let everybody = inner.region.everybody(*last);
        let value = inner.region.prepare(me, classes, WATCHES);
        *last = Slept::Woken;
        if !changed() {
            let slept = inner.region.sleep(value, classes, &[], &[also], everybody.as_deref(), Deadline::NEVER);
            *last = slept.unwrap_or(Slept::Woken);
        }
        inner.region.finish(me);
        let _ = inner.heal(me);
        inner.pass_on(me);
        Ok(())
    })
}

/// Registers this thread, says so, and waits: true when a message came, false when it was withdrawn.
fn wait_for_message(inner: &Inner, tell: &Sender<sys::Result<u32>>) -> bool {
    let word = inner.region.u32(NOTIFY_AT);
    let armed = inner.working(|inner, me| {
        let armed = ARMED | me.tag;
        let mut found = word.load(SeqCst);
        while found == 0 || inner.region.is_dead(found & TAG) {
            match word.compare_exchange(found, armed, SeqCst, SeqCst) {
                Ok(_) => {
                    fail_point!("notify: armed");
                    return Ok(armed);
                }
                Err(other) => found = other,
            }
        }
        Err(Errno::BUSY)
    });
    let _ = tell.send(armed);
    let Ok(armed) = armed else { return false };
    let (mut was_empty, mut last) = (false, FIRST);
    loop {
        let found = word.load(SeqCst);
        if found == armed & TAG | FIRED {
            let _ = word.compare_exchange(found, 0, SeqCst, Relaxed);
            return true;
        }
        if found != armed {
            return false;
        }
        let empty = !inner.has(Class::Receivers);
        // The sender fires. If it died before it could, this thread does it in its place.
        if !empty && was_empty {
            let _ = inner.working(|inner, me| {
                inner.fire(me, armed);
                Ok(())
            });
        }
        was_empty |= empty;
        let changed = || word.load(SeqCst) != armed || empty && inner.has(Class::Receivers);
        if watch(inner, if empty { Class::Receivers.bit() } else { 0 }, (word, armed), &mut last, changed).is_err() {
            return false;
        }
    }
}

impl Inner {
    /// A message came: tells who is registered, if it came into the empty queue and nobody waits for it.
    #[cold]
    pub(super) fn notify(&self, me: &Participant, cell: usize) {
        let found = self.region.u32(NOTIFY_AT).load(SeqCst);
        if found & ARMED != 0 && self.is_oldest(cell) {
            self.fire(me, found);
        }
    }

    fn fire(&self, me: &Participant, armed: u32) {
        let word = self.region.u32(NOTIFY_AT);
        if !self.region.somebody_receives(me)
            && word.compare_exchange(armed, armed & TAG | FIRED, SeqCst, Relaxed).is_ok()
        {
            fail_point!("notification: fired");
            futex::wake_shared(word, i32::MAX, futex::ANY);
        }
    }

    /// The place of a registrant that died is this thread's now: nobody is registered.
    pub(super) fn forget_registrant(&self, me: &Participant) {
        let word = self.region.u32(NOTIFY_AT);
        let found = word.load(SeqCst);
        if found != 0 && me.has_place_of(found & TAG) {
            let _ = word.compare_exchange(found, 0, SeqCst, Relaxed);
        }
    }
}
