//! Message queues of our own, in shared memory.
//!
//! A cell of the queue is a [`word`] and the message. While all messages have one priority the cells are a
//! [`ring`]; from the first of another priority on they are [`sorted`]. What is common to both is here:
//! making and opening, and the two steps of a send (claim, publish) and of a receive (claim, consume),
//! between which the thread's tag stands in the word. An [`attempt`] does both, and waits if it must. (A
//! short message is received from a ring in one step: it is copied, and then consumed if it still stood
//! there.)
//! docs/layout.md has every byte, and docs/crash.md what death at each instant leaves.

#![allow(clippy::inline_always)] // each was measured; see attempt.rs

mod attempt;
pub(crate) mod look;
mod ring;
mod sorted;
mod watch;
mod word;

use crate::deadline::Deadline;
use crate::error::{Errno, Error};
use crate::name::Name;
use crate::options::{Access, Mode};
use crate::queue::calls::Calls;
use crate::queue::{PRIORITY_MAX, Size};
use crate::region::Region;
use crate::region::header::{ENGINE_AT, Header, SIZE, Spoiled};
use crate::region::owner::Participant;
use crate::region::wait::Class;
use crate::sys::atomic::Ordering::{Relaxed, SeqCst};
use crate::sys::atomic::{AtomicBool, AtomicU64};
use crate::sys::fail::fail_point;
use crate::sys::map::{Part, Parts};
use crate::sys::{self, fs, shm, thread};
use attempt::{Borrow, Receive, Reserve, SPINS_MAX};
use ring::{Healed, Ring};
use std::ffi::CString;
use std::hint::spin_loop;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;
use watch::Watch;
use word::{State, Word};

const PREFIX: &str = "unipc.queue.";
/// In a region's header: a queue.
const KIND: u32 = 1;

// The engine's part of the header. First what all read and few write, with the wait word on one line.
/// How the cells are used: 0 nothing was sent yet, 1 + p a ring of priority p, or `SORTED_MODE`.
const MODE_AT: usize = ENGINE_AT;
const SORTED_MODE: u32 = u32::MAX;
/// How often messages came back: then receivers begin anew at `HEAD_AT`.
const EPOCH_AT: usize = ENGINE_AT + 4;
const NOTIFY_AT: usize = ENGINE_AT + 8;
// Then a line for senders, one for receivers, one for who has the lock.
const TAIL_AT: usize = 1152;
const HEAD_AT: usize = 1280;
const LOCK_AT: usize = 1408;
const FULL_AT: usize = LOCK_AT + 4;
const FREE_AT: usize = LOCK_AT + 8;
const NEXT_AT: usize = LOCK_AT + 16;

// Of a cell: its word, then
const LEN_AT: usize = 8;
const PRIORITY_AT: usize = 12;
const DATA_AT: usize = 16;

/// What POSIX systems give a queue by default.
const DEFAULT_MESSAGES: usize = 10;
const DEFAULT_SIZE: usize = 8192;

/// How long a sender leaves a receiver to take the message that its room is behind.
const SPINS_BEHIND: u32 = 80;

/// How many of what size, and where everything is: in memory of our own, computed from the two numbers
/// and nothing else.
#[derive(Debug, Clone, Copy)]
struct Shape {
    slots: usize,
    message_size: usize,
    stride: usize,
    keys_at: usize,
    order_at: usize,
    cells_at: usize,
    body: usize,
}

impl Shape {
    /// Two cache lines: processors fetch them in pairs.
    const LINES: usize = 128;
    /// From so many messages on, memory is dearer than a line that two processors want.
    const MANY: usize = 4096;

    fn new(slots: usize, message_size: usize) -> Option<Shape> {
        if slots == 0 || message_size == 0 || slots > i32::MAX as usize || message_size > i32::MAX as usize {
            return None;
        }
        let unit = if slots > Shape::MANY { Shape::LINES / 2 } else { Shape::LINES };
        let stride = (DATA_AT + message_size).next_multiple_of(unit);
        let keys_at = SIZE;
        let order_at = keys_at + slots * 8;
        let cells_at = (order_at + slots * 4).next_multiple_of(Shape::LINES);
        let body = cells_at.checked_add(slots.checked_mul(stride)?)? - SIZE;
        (body < 1 << 46).then_some(Shape { slots, message_size, stride, keys_at, order_at, cells_at, body })
    }
}

/// A cell that this thread holds: by this word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The cell's index; above it the priority of the message that it holds to read.
    at: u64,
    word: Word,
}

#[derive(Debug)]
pub(crate) struct Queue {
    inner: Arc<Inner>,
    watch: Watch,
    pub max_messages: usize,
    pub message_size: usize,
}

#[derive(Debug)]
struct Inner {
    region: Region,
    shape: Shape,
    cells: Parts,
    access: Access,
    nonblocking: AtomicBool,
    /// Waits on this handle have ended for good.
    shut: AtomicBool,
    /// Threads that wait on this handle, or are about to.
    waits: Arc<Calls>,
    /// 0 where there is one processor alone: spinning only keeps the peer from it.
    spins: u32,
}

fn path(name: &Name) -> CString {
    shm::path(&name.file_or_digest(PREFIX))
}

impl Queue {
    fn new(region: Region, shape: Shape, access: Access, nonblocking: bool) -> sys::Result<Queue> {
        let inner = Inner {
            cells: region.parts(shape.cells_at, shape.stride, shape.slots).ok_or(Errno::SPOILED)?,
            region,
            shape,
            access,
            nonblocking: AtomicBool::new(nonblocking),
            shut: AtomicBool::new(false),
            waits: Arc::default(),
            spins: if thread::processors() == 1 { 0 } else { SPINS_MAX },
        };
        Ok(Queue {
            inner: Arc::new(inner),
            watch: Watch::default(),
            max_messages: shape.slots,
            message_size: shape.message_size,
        })
    }

    pub fn create(name: &Name, access: Access, nonblocking: bool, mode: Mode, size: Size) -> Result<Queue, Error> {
        let slots = size.max_messages.unwrap_or(DEFAULT_MESSAGES);
        let message_size = size.message_size.unwrap_or(DEFAULT_SIZE);
        let fail = |errno: Errno| errno.of("create queue", name);
        let Some(shape) = Shape::new(slots, message_size) else {
            let cause = format!("{slots} messages of {message_size} bytes are more than a queue can have");
            return Err(fail(Errno::INVALID).because(cause));
        };
        let header = Header {
            kind: KIND,
            shape: [slots as u64, message_size as u64],
            body: shape.body,
            name: name.as_str().as_bytes().to_vec(),
        };
        let region = Region::create(&path(name), (mode.bits, mode.exact), &header)
            .map_err(|errno| explain_refusal(errno, fail(errno), &shape))?;
        let arrived =
            Queue::new(region, shape, access, nonblocking).and_then(|queue| queue.inner.arrive().map(|()| queue));
        arrived.map_err(|errno| {
            let _ = Queue::unlink(name);
            fail(errno)
        })
    }

    pub fn open(name: &Name, access: Access, nonblocking: bool) -> Result<Queue, Error> {
        let open = || -> Result<Queue, Spoiled> {
            let file = shm::open(&name.file_or_digest(PREFIX), true)?;
            let (region, header) = Region::open(file, KIND)?;
            if header.name != name.as_str().as_bytes() {
                return Err(Spoiled::new("it was made under another name"));
            }
            let [slots, message_size] = header.shape.map(|number| usize::try_from(number).unwrap_or(0));
            let shape = Shape::new(slots, message_size);
            header.check(shape.map(|shape| shape.body))?;
            let shape = shape.ok_or_else(|| Spoiled::new("its sizes are impossible"))?;
            let queue = Queue::new(region, shape, access, nonblocking)?;
            queue.inner.arrive()?;
            Ok(queue)
        };
        open().map_err(|Spoiled { errno, cause }| {
            let error = errno.of("open queue", name);
            match cause {
                Some(cause) => error.because(cause),
                None => error,
            }
        })
    }

    pub fn unlink(name: &Name) -> sys::Result<()> {
        shm::unlink(&name.file_or_digest(PREFIX))
    }

    /// Whether the name is taken.
    pub fn exists(name: &Name) -> bool {
        fs::exists(&path(name))
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.watch.fd(&self.inner)
    }

    // A function of its own, with all that it needs: the other engine's path is inlined into the caller.
    #[inline(never)]
    pub fn send(&self, data: &[u8], priority: u32, deadline: &Deadline) -> sys::Result<()> {
        self.inner.may_send(data.len(), priority)?;
        let sent = self.inner.serve(&mut attempt::Send { data, priority }, deadline);
        self.watch.note(&self.inner);
        sent
    }

    /// The message's length and priority.
    #[inline(never)]
    pub fn receive_into(&self, buf: &mut [u8], deadline: &Deadline) -> sys::Result<(usize, u32)> {
        let mut received = 0;
        if buf.len() < self.message_size {
            return self.inner.may_receive().and(Err(Errno::TOO_LONG));
        }
        let priority = self.take(deadline, |inner, cell| {
            received = inner.len(cell)?;
            cell.read(DATA_AT, &mut buf[..received])
        })?;
        Ok((received, priority))
    }

    pub fn receive(&self, deadline: &Deadline) -> sys::Result<(Vec<u8>, u32)> {
        let mut data = Vec::new();
        let priority = self.take(deadline, |inner, cell| {
            data = vec![0; inner.len(cell)?];
            cell.read(DATA_AT, &mut data)
        })?;
        Ok((data, priority))
    }

    /// Takes the first message out of the queue; its priority.
    #[inline(always)]
    fn take(&self, deadline: &Deadline, read: impl FnMut(&Inner, Part<'_>) -> sys::Result<()>) -> sys::Result<u32> {
        self.inner.may_receive()?;
        let taken = self.inner.serve(&mut Receive(read), deadline);
        self.watch.note(&self.inner);
        taken
    }

    /// Takes a cell to be written in place.
    #[inline(always)]
    pub fn reserve(&self, len: usize, priority: u32, deadline: &Deadline) -> sys::Result<Claim> {
        self.inner.may_send(len, priority)?;
        self.inner.serve(&mut Reserve(priority), deadline)
    }

    /// Sends what was written to a reserved cell.
    #[inline(always)]
    pub fn commit(&self, claim: Claim, len: usize) -> sys::Result<()> {
        self.settle(
            claim,
            State::Writing,
            #[inline(always)]
            |inner, me, claim, cell| {
                inner.publish(me, claim, cell, len, claim.priority())?;
                if !claim.word.is_sorted() {
                    inner.came_late(claim);
                }
                Ok(())
            },
        )
    }

    /// Frees a reserved cell.
    pub fn abort(&self, claim: Claim) -> sys::Result<()> {
        self.settle(claim, State::Writing, |inner, me, claim, _| inner.end(me, claim, State::Free))
    }

    /// Takes a message to be read in place.
    #[inline(always)]
    pub fn borrow(&self, deadline: &Deadline) -> sys::Result<Claim> {
        self.inner.may_receive()?;
        self.inner.serve(&mut Borrow, deadline)
    }

    /// Consumes a borrowed message.
    #[inline(always)]
    pub fn release(&self, claim: Claim) -> sys::Result<()> {
        self.settle(claim, State::Reading, Inner::consume)
    }

    /// Gives a borrowed message back, to its old place.
    pub fn put_back(&self, claim: Claim) -> sys::Result<()> {
        self.settle(claim, State::Reading, |inner, me, claim, _| inner.end(me, claim, State::Full))
    }

    #[inline(always)]
    fn settle(
        &self,
        claim: Claim,
        state: State,
        end: impl FnOnce(&Inner, &Participant, Claim, Part<'_>) -> sys::Result<()>,
    ) -> sys::Result<()> {
        if claim.index() >= self.max_messages || claim.word.state() != state {
            return Err(Errno::INVALID);
        }
        let settled = self.inner.working(
            #[inline(always)]
            |inner, me| {
                let cell = inner.cell(claim.index());
                end(inner, me, inner.take_over(me, claim, cell)?, cell)
            },
        );
        self.watch.note(&self.inner);
        settled
    }

    /// How many bytes a held cell has: those of its message, or as many as one can have.
    #[inline]
    pub fn room(&self, claim: Claim) -> sys::Result<usize> {
        match claim.word.state() {
            _ if self.inner.region.is_lost() => Err(Errno::SPOILED),
            _ if claim.index() >= self.max_messages => Err(Errno::INVALID),
            State::Reading => self.inner.len(self.inner.cell(claim.index())),
            _ => Ok(self.message_size),
        }
    }

    /// Where they are, in this process.
    #[inline]
    pub fn address(&self, claim: Claim) -> *mut u8 {
        self.inner.cell(claim.index()).address(DATA_AT)
    }

    pub fn write(&self, claim: Claim, offset: usize, data: &[u8]) -> sys::Result<()> {
        self.inner.cell(claim.index()).write(DATA_AT + offset, data)
    }

    pub fn read(&self, claim: Claim, offset: usize, buf: &mut [u8]) -> sys::Result<()> {
        self.inner.cell(claim.index()).read(DATA_AT + offset, buf)
    }

    pub fn queued(&self) -> usize {
        self.inner.queued()
    }

    pub fn is_nonblocking(&self) -> bool {
        self.inner.nonblocking.load(Relaxed)
    }

    pub fn set_nonblocking(&self, on: bool) {
        self.inner.nonblocking.store(on, Relaxed);
    }

    /// Ends every wait on this handle, now and later; returns when nobody waits any more.
    pub fn shut_down(&self) {
        self.inner.shut_down();
    }

    pub fn notify_signal(&self, signal: i32, value: usize) -> sys::Result<()> {
        self.watch.notify_signal(&self.inner, signal, value)
    }

    pub fn notify_callback(&self, callback: Box<dyn FnOnce() + Send>) -> sys::Result<()> {
        self.watch.notify_callback(&self.inner, callback)
    }

    pub fn cancel_notify(&self) {
        self.watch.cancel_notify(&self.inner);
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.watch.end(&self.inner);
        self.inner.region.leave();
    }
}

impl Claim {
    #[inline]
    fn new(index: usize, word: Word, priority: u32) -> Claim {
        Claim { at: index as u64 | u64::from(priority) << 32, word }
    }

    #[inline]
    pub fn to_words(self) -> [u64; 2] {
        [self.at, self.word.0]
    }

    #[inline]
    pub fn from_words([at, word]: [u64; 2]) -> Claim {
        Claim { at, word: Word(word) }
    }

    #[inline]
    fn index(self) -> usize {
        self.at as u32 as usize
    }

    #[inline]
    pub fn priority(self) -> u32 {
        (self.at >> 32) as u32
    }
}

impl Inner {
    #[inline(always)]
    fn cell(&self, index: usize) -> Part<'_> {
        self.region.part(&self.cells, index)
    }

    #[inline(always)]
    fn word(&self, index: usize) -> &AtomicU64 {
        self.cell(index).u64(0)
    }

    /// The length of a message, read once and checked.
    #[inline(always)]
    fn len(&self, cell: Part<'_>) -> sys::Result<usize> {
        let len = cell.u32(LEN_AT).load(Relaxed) as usize;
        if len <= self.shape.message_size { Ok(len) } else { Err(Errno::SPOILED) }
    }

    /// The priority as it was written beside the message, for one that comes back.
    fn priority(&self, index: usize) -> u32 {
        self.cell(index).u32(PRIORITY_AT).load(Relaxed) & PRIORITY_MAX
    }

    #[inline(always)]
    fn describe(cell: Part<'_>, len: usize, priority: u32) {
        fail_point!("message: written");
        cell.u32(LEN_AT).store(len as u32, Relaxed);
        fail_point!("message: its length written");
        cell.u32(PRIORITY_AT).store(priority, Relaxed);
        fail_point!("message: described");
    }

    #[inline(always)]
    fn may_send(&self, len: usize, priority: u32) -> sys::Result<()> {
        if priority > PRIORITY_MAX {
            return Err(Errno::INVALID);
        }
        if self.access == Access::ReadOnly {
            return Err(Errno::BAD_HANDLE);
        }
        if len > self.shape.message_size { Err(Errno::TOO_LONG) } else { Ok(()) }
    }

    #[inline(always)]
    fn may_receive(&self) -> sys::Result<()> {
        if self.access == Access::WriteOnly { Err(Errno::BAD_HANDLE) } else { Ok(()) }
    }

    /// Takes part with this thread, so that what can fail fails here.
    fn arrive(&self) -> sys::Result<()> {
        self.working(|_, _| Ok(()))
    }

    /// Works as a participant, with the dying wish that somebody looks after the queue.
    #[inline(always)]
    fn working<T>(&self, work: impl FnOnce(&Inner, &Participant) -> sys::Result<T>) -> sys::Result<T> {
        let outcome = match self.region.participant(&|me| self.replace(me)) {
            Ok(me) => {
                me.wish(Some(self.region.wait_word()));
                let outcome = work(self, &me);
                me.wish(None);
                outcome
            }
            Err(errno) => Err(errno),
        };
        if self.region.is_lost() { Err(Errno::SPOILED) } else { outcome }
    }

    /// A cell for a message of this priority; the first of another one than all before makes the ring
    /// sorted.
    #[inline(always)]
    fn claim_to_send(&self, me: &Participant, priority: u32) -> Ring<(Claim, Part<'_>)> {
        let mode = self.region.u32(MODE_AT);
        let ours = priority + 1;
        let mut found = mode.load(Relaxed);
        if found == 0 {
            found = mode.compare_exchange(0, ours, SeqCst, SeqCst).unwrap_or_else(|other| other);
            found = if found == 0 { ours } else { found };
            fail_point!("mode: a ring");
        }
        if found == ours { self.claim_to_write(me) } else { Ring::Sorted }
    }

    fn is_sorted(&self) -> bool {
        self.region.u32(MODE_AT).load(SeqCst) == SORTED_MODE
    }

    /// Makes a hold that a thread has had for long this thread's own: then it is known whose it is, and nobody
    /// can take it away while it is ended.
    #[inline(always)]
    fn take_over(&self, me: &Participant, claim: Claim, cell: Part<'_>) -> sys::Result<Claim> {
        let found = Word(cell.u64(0).load(SeqCst));
        if claim.word.owner() == me.tag && found.is_same_hold(claim.word) {
            me.loans.set(me.loans.get().saturating_sub(1));
            return Ok(Claim { word: found, ..claim });
        }
        self.take_from_another(me, claim)
    }

    #[cold]
    fn take_from_another(&self, me: &Participant, claim: Claim) -> sys::Result<Claim> {
        let word = self.word(claim.index());
        let mut found = Word(word.load(SeqCst));
        while found.is_same_hold(claim.word) {
            if !self.region.is_ours(claim.word.owner()) {
                return Err(Errno::INVALID); // of the parent of a child made by fork, say
            }
            let mine = found.become_(found.state(), me.tag);
            match word.compare_exchange(found.0, mine.0, SeqCst, SeqCst) {
                Ok(_) => {
                    fail_point!("hold: taken over");
                    return Ok(Claim { word: mine, ..claim });
                }
                Err(other) => found = Word(other),
            }
        }
        Err(Errno::OWNER_DIED)
    }

    /// Makes what was written to a claimed cell a message.
    #[inline(always)]
    fn publish(&self, me: &Participant, claim: Claim, cell: Part<'_>, len: usize, priority: u32) -> sys::Result<()> {
        Inner::describe(cell, len, priority);
        let full = claim.word.become_(State::Full, priority);
        if claim.word.is_sorted() || cell.u64(0).compare_exchange(claim.word.0, full.0, SeqCst, Relaxed).is_err() {
            self.end_changed(me, claim, State::Full, priority)?;
        }
        fail_point!("message: published");
        self.hint_tail(me);
        self.published(me, claim.index());
        Ok(())
    }

    #[inline(always)]
    fn published(&self, me: &Participant, cell: usize) {
        if self.region.u32(NOTIFY_AT).load(SeqCst) != 0 {
            self.notify(me, cell);
        }
        self.region.wake(Class::Receivers);
    }

    /// After a cell of the ring has become free.
    #[inline(always)]
    fn consumed(&self, me: &Participant, claim: Claim) {
        fail_point!("message: consumed");
        self.hint_head(me, claim);
        self.region.wake(Class::Senders);
    }

    /// Frees a cell whose message was read.
    #[inline(always)]
    fn consume(&self, me: &Participant, claim: Claim, cell: Part<'_>) -> sys::Result<()> {
        let free = claim.word.freed();
        if claim.word.is_sorted() || cell.u64(0).compare_exchange(claim.word.0, free.0, SeqCst, Relaxed).is_err() {
            self.end_changed(me, claim, State::Free, 0)?;
            self.region.wake(Class::Senders);
        } else {
            self.consumed(me, claim);
        }
        Ok(())
    }

    /// Gives up a hold: a cell that was being written becomes free, a message that was being read is
    /// there again.
    fn end(&self, me: &Participant, claim: Claim, to: State) -> sys::Result<()> {
        self.end_changed(me, claim, to, claim.priority())?;
        fail_point!("hold: given up");
        if to == State::Full {
            // Others' cursors may be past it. Who finds it there without this looks at the head anew.
            self.region.u32(EPOCH_AT).fetch_add(1, SeqCst);
            fail_point!("hold: given up, and an epoch later");
            self.published(me, claim.index());
        } else {
            self.region.wake(Class::Senders);
        }
        Ok(())
    }

    /// Ends a hold whose word others have changed: a sender came round, or the ring was sorted.
    #[cold]
    fn end_changed(&self, me: &Participant, mut claim: Claim, to: State, priority: u32) -> sys::Result<()> {
        let word = self.word(claim.index());
        loop {
            let found = Word(word.load(SeqCst));
            if !found.is_same_hold(claim.word) {
                return Err(Errno::OWNER_DIED);
            }
            claim.word = found;
            if found.is_sorted() {
                return self.end_sorted(me, claim, to, priority);
            }
            let ended = if to == State::Full { found.become_(State::Full, priority) } else { found.freed() };
            if word.compare_exchange(found.0, ended.0, SeqCst, SeqCst).is_ok() {
                fail_point!("hold: ended");
                return Ok(());
            }
        }
    }

    /// A cell goes out of the library's hands: a sleeper of its class is to learn if this thread dies.
    #[inline(always)]
    fn lend(&self, me: &Participant, class: Class) {
        fail_point!("loan: about to be lent");
        me.loans.set(me.loans.get() + 1);
        if self.region.wait_word().load(SeqCst) & class.bit() != 0 {
            self.region.wake_another(me, class);
        }
    }

    /// Before this thread sleeps or gives up: repairs what keeps it from being served, or notes who may.
    /// True: another attempt is worth it. What only sorting the ring would help is left to the receivers,
    /// unless it is to `sort`.
    fn unblock(&self, me: &Participant, class: Class, owners: &mut Vec<u32>, sort: bool) -> sys::Result<bool> {
        if !self.is_sorted() {
            let healed = match class {
                Class::Receivers => self.heal_ring(me, owners),
                Class::Senders => self.unblock_ring(me, owners),
            };
            match healed {
                Healed::Nothing => return Ok(false),
                Healed::Something => return Ok(true),
                Healed::Behind if !sort => {
                    (0..SPINS_BEHIND).for_each(|_| spin_loop());
                    return Ok(true);
                }
                Healed::Behind | Healed::Sorted => return self.heal_sorted(me, &mut Vec::new()).map(|_| true),
            }
        }
        self.heal_sorted(me, owners)
    }

    /// Frees what the dead hold whose place this thread took. Until the place had its new generation, what
    /// they hold seemed to be a living one's: somebody may have gone to sleep for that.
    fn replace(&self, me: &Participant) -> sys::Result<()> {
        me.wish(Some(self.region.wait_word()));
        self.forget_registrant(me);
        let mut healed = self.heal(me);
        if me.has_place_of(self.region.lock_holder(LOCK_AT)) {
            healed = self.index(me).map(drop); // to take the lock from a dead one is to mend the index
        }
        fail_point!("place: its dead healed");
        self.pass_on(me);
        me.wish(None);
        healed
    }

    /// Frees all that the dead hold.
    fn heal(&self, me: &Participant) -> sys::Result<()> {
        let mut owners = Vec::new();
        if self.is_sorted() || self.heal_ring(me, &mut owners) == Healed::Sorted {
            owners.clear();
            self.heal_sorted(me, &mut owners)?;
        }
        Ok(())
    }

    fn pass_on(&self, me: &Participant) {
        self.region.pass_on(me, |class| self.has(class));
    }

    /// Whether one of this class would be served.
    fn has(&self, class: Class) -> bool {
        if self.is_sorted() { self.sorted_has(class) } else { self.ring_has(class) }
    }

    /// Whether the message in a cell is the oldest: it came into the empty queue.
    fn is_oldest(&self, cell: usize) -> bool {
        if self.is_sorted() { self.sorted_is_oldest(cell) } else { self.ring_is_oldest(cell) }
    }

    fn queued(&self) -> usize {
        if self.is_sorted() { self.sorted_len() } else { self.ring_len() }
    }

    fn shut_down(&self) {
        self.shut.store(true, SeqCst);
        // One who looked just before may be about to sleep still, and others set the bits anew.
        loop {
            self.region.wake_all();
            if !self.waits.any() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Says how much space a new queue would have needed.
#[cold]
fn explain_refusal(errno: Errno, error: Error, shape: &Shape) -> Error {
    let needed = shape.body + SIZE;
    let Shape { slots, message_size, .. } = shape;
    match errno {
        Errno::NO_SPACE | Errno::NO_MEMORY => error.because(format!(
            "{slots} messages of {message_size} bytes need {needed} bytes of /dev/shm, and it has not so many left"
        )),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::header;

    #[test]
    fn the_layout_is_what_docs_layout_says() {
        let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/layout.md")).unwrap();
        assert!(docs.contains(&format!("\nVersion {}. ", header::VERSION)));
        let rows = [
            (MODE_AT, 4, "mode"),
            (EPOCH_AT, 4, "epoch"),
            (NOTIFY_AT, 4, "notification"),
            (TAIL_AT, 8, "tail"),
            (HEAD_AT, 8, "head"),
            (LOCK_AT, 4, "lock"),
            (FULL_AT, 4, "messages in the index"),
            (FREE_AT, 4, "free cells in the index"),
            (NEXT_AT, 8, "next ticket"),
            (LEN_AT, 4, "length of the message"),
            (PRIORITY_AT, 4, "its priority"),
            (DATA_AT, 0, "the message"),
        ];
        for (at, bytes, what) in rows.into_iter().chain(header::LAYOUT) {
            let bytes = if bytes == 0 { "up to the stride".to_owned() } else { bytes.to_string() };
            let row = format!("\n| {at} | {bytes} | {what}");
            assert!(docs.contains(&row), "docs/layout.md has no row{row}");
        }
        let shape = Shape::new(10, 64).unwrap();
        assert_eq!((shape.keys_at, shape.order_at, shape.cells_at, shape.stride), (4096, 4176, 4224, 128));
        assert_eq!(Shape::new(5000, 64).unwrap().stride, 128);
        assert_eq!(Shape::new(5000, 48).unwrap().stride, 64);
    }
}
