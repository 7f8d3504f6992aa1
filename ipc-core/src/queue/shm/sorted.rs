//! The queue once messages of different priorities have met in it: an index under a lock.
//!
//! The words of the cells stay the truth; the index only says where to look. It is one permutation of
//! the cells, in three parts: a heap of the full ones, those that somebody holds, a stack of the free
//! ones. Whoever finds that the last holder of the lock died in the middle makes the index anew from the
//! words, and so does the first who needs it: turning the ring into this is the same work. There is
//! no way back, and none is needed: the ring is only faster.
//!
//! Every operation changes one word by one store, between taking the lock and giving it back. Death
//! before that store leaves the operation undone, death after it leaves it done.

use super::attempt::Receive;
use super::word::{State, TURN_BITS, Word, compare};
use super::{Claim, DATA_AT, FREE_AT, FULL_AT, HEAD_AT, Inner, LOCK_AT, MODE_AT, NEXT_AT, SORTED_MODE};
use crate::error::Errno;
use crate::region::lock::Found;
use crate::region::owner::Participant;
use crate::region::wait::Class;
use crate::sys;
use crate::sys::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use crate::sys::fail::fail_point;
use crate::sys::map::Part;
use std::cell::Cell;
use std::cmp::Ordering::{Greater, Less};

/// Up to this many bytes are copied while the lock is held: less than taking it twice costs.
const FEW: usize = 1024;
const MANY: usize = 64;
/// Children of a node of the heap: a wide heap is a flat one, and touches fewer lines.
const CHILDREN: usize = 4;

/// The index, while this thread has the lock.
pub(super) struct Index<'a> {
    queue: &'a Inner,
    full: usize,
    free: usize,
    /// It has a number that cannot be: whoever has the lock next makes it anew.
    spoiled: Cell<bool>,
}

impl Drop for Index<'_> {
    fn drop(&mut self) {
        self.write_counts();
        self.queue.region.unlock(LOCK_AT);
    }
}

/// What the heap sorts by: the priority, and within one the ticket.
fn precedes(key: u64, other: u64) -> bool {
    let (priority, others) = (key >> TURN_BITS, other >> TURN_BITS);
    priority > others || priority == others && compare(other, key) == Greater
}

fn key(word: Word) -> u64 {
    u64::from(word.owner()) << TURN_BITS | word.turn()
}

impl Inner {
    pub(super) fn index(&self, me: &Participant) -> sys::Result<Index<'_>> {
        let found = self.region.lock(LOCK_AT, me)?;
        let count = |at| self.region.u32(at).load(Relaxed) as usize;
        let mut index = Index { queue: self, full: count(FULL_AT), free: count(FREE_AT), spoiled: Cell::new(false) };
        let slots = self.shape.slots;
        let sane = index.full <= slots && index.free <= slots - index.full;
        if found == Found::Abandoned || !sane || self.region.u32(MODE_AT).load(SeqCst) != SORTED_MODE {
            // While it is being made it is nobody's: who dies now leaves the lock to the next.
            (index.full, index.free) = (0, 0);
            index.rebuild()?;
            fail_point!("index: made anew");
            self.region.u32(MODE_AT).store(SORTED_MODE, SeqCst);
            fail_point!("mode: sorted");
            // Who looked meanwhile, for itself or for another to whom it owed a wake, saw neither the ring nor
            // the index: all look again.
            index.write_counts();
            self.region.wake_all();
        }
        Ok(index)
    }

    /// `None`: full.
    #[inline(never)]
    pub(super) fn send_sorted(&self, me: &Participant, data: &[u8], priority: u32) -> sys::Result<Option<()>> {
        if self.knows_none(FREE_AT) {
            return Ok(None);
        }
        if data.len() > FEW {
            let Some(claim) = self.claim_sorted(me)? else { return Ok(None) };
            let cell = self.cell(claim.index());
            cell.write(DATA_AT, data)?;
            return self.publish(me, claim, cell, data.len(), priority).map(Some);
        }
        let mut index = self.index(me)?;
        let Some(position) = index.take_free() else { return Ok(None) };
        let cell = index.cell(position)?;
        let bytes = self.cell(cell);
        bytes.write(DATA_AT, data)?;
        Inner::describe(bytes, data.len(), priority);
        let found = Word(bytes.u64(0).load(Relaxed));
        index.publish(cell, position, found, priority)?;
        drop(index);
        fail_point!("sorted: sent");
        self.published(me, cell);
        Ok(Some(()))
    }

    /// Its priority. `None`: empty.
    #[inline(never)]
    pub(super) fn receive_sorted<R>(&self, me: &Participant, receive: &mut Receive<R>) -> sys::Result<Option<u32>>
    where
        R: FnMut(&Inner, Part<'_>) -> sys::Result<()>,
    {
        if self.knows_none(FULL_AT) {
            return Ok(None);
        }
        if self.shape.message_size > FEW {
            let Some(claim) = self.take_sorted(me)? else { return Ok(None) };
            let cell = self.cell(claim.index());
            let read = (receive.0)(self, cell);
            self.consume(me, claim, cell)?;
            return read.map(|()| Some(claim.priority()));
        }
        let mut index = self.index(me)?;
        index.mend_one()?;
        let Some((cell, position)) = index.take_first()? else { return Ok(None) };
        let bytes = self.cell(cell);
        let found = Word(bytes.u64(0).load(Relaxed));
        let read = (receive.0)(self, bytes);
        bytes.u64(0).store(found.freed().0, SeqCst);
        fail_point!("sorted: consumed");
        index.give_free(position)?;
        drop(index);
        fail_point!("sorted: received");
        self.region.wake(Class::Senders);
        read.map(|()| Some(found.owner()))
    }

    /// Takes a cell to write to. `None`: full.
    pub(super) fn claim_sorted(&self, me: &Participant) -> sys::Result<Option<Claim>> {
        if self.knows_none(FREE_AT) {
            return Ok(None);
        }
        let mut index = self.index(me)?;
        let Some(position) = index.take_free() else { return Ok(None) };
        let cell = index.cell(position)?;
        let mine = Word(self.word(cell).load(Relaxed)).become_(State::Writing, me.tag);
        self.word(cell).store(mine.0, SeqCst);
        fail_point!("sorted: claimed to write");
        Ok(Some(Claim::new(cell, mine, 0)))
    }

    /// Takes the first message, to read it. `None`: empty.
    pub(super) fn take_sorted(&self, me: &Participant) -> sys::Result<Option<Claim>> {
        if self.knows_none(FULL_AT) {
            return Ok(None);
        }
        let mut index = self.index(me)?;
        index.mend_one()?;
        let Some((cell, _)) = index.take_first()? else { return Ok(None) };
        let found = Word(self.word(cell).load(Relaxed));
        let mine = found.become_(State::Reading, me.tag);
        self.word(cell).store(mine.0, SeqCst);
        fail_point!("sorted: claimed to read");
        Ok(Some(Claim::new(cell, mine, found.owner())))
    }

    /// Whether, without the lock, one of the index's parts seems to be empty.
    fn knows_none(&self, at: usize) -> bool {
        self.region.u32(MODE_AT).load(Acquire) == SORTED_MODE
            && self.region.u32(at).load(Acquire) == 0
            && self.region.u32(LOCK_AT).load(Acquire) == 0
    }

    /// Ends a hold of this thread's: as `state`, with `priority` if that is full.
    pub(super) fn end_sorted(&self, me: &Participant, claim: Claim, to: State, priority: u32) -> sys::Result<()> {
        let mut index = self.index_for_ever(me)?;
        let found = Word(self.word(claim.index()).load(SeqCst));
        if !found.is_same_hold(claim.word) {
            return Err(Errno::OWNER_DIED);
        }
        let position = index.find(claim.index())?;
        match to {
            State::Full if found.state() == State::Writing => index.publish(claim.index(), position, found, priority),
            State::Full => index.put_back(claim.index(), position, found, priority),
            _ => {
                self.word(claim.index()).store(found.freed().0, SeqCst);
                fail_point!("sorted: hold freed");
                index.give_free(position)
            }
        }
    }

    /// What has begun is ended: a handler that runs meanwhile does not stop it.
    fn index_for_ever(&self, me: &Participant) -> sys::Result<Index<'_>> {
        loop {
            match self.index(me) {
                Err(Errno::INTERRUPTED | Errno::AGAIN) if !self.region.is_lost() => {}
                done => return done,
            }
        }
    }

    /// As [`Inner::heal_ring`].
    pub(super) fn heal_sorted(&self, me: &Participant, owners: &mut Vec<u32>) -> sys::Result<bool> {
        let mut index = self.index(me)?;
        let mut changed = false;
        let mut position = index.full;
        while position < self.shape.slots - index.free {
            let cell = index.cell(position)?;
            let found = Word(self.word(cell).load(SeqCst));
            if !found.is_held() || owners.contains(&found.owner()) || !self.region.is_dead(found.owner()) {
                if found.is_held() && !owners.contains(&found.owner()) {
                    owners.push(found.owner());
                }
                position += 1;
                continue;
            }
            changed = true;
            index.mend(cell, position, found)?;
            position = position.max(index.full); // what was first among the held may have taken its place
        }
        Ok(changed)
    }

    /// Looks without the lock, and not at many: among many it is not.
    pub(super) fn sorted_is_oldest(&self, cell: usize) -> bool {
        let own = Word(self.word(cell).load(SeqCst));
        let len = self.sorted_len();
        let key = |position| self.region.u64(self.shape.keys_at + position * 8).load(Relaxed);
        own.state() == State::Full && len <= MANY && (0..len).all(|position| compare(key(position), own.turn()) != Less)
    }

    pub(super) fn sorted_len(&self) -> usize {
        (self.region.u32(FULL_AT).load(SeqCst) as usize).min(self.shape.slots)
    }

    pub(super) fn sorted_has(&self, class: Class) -> bool {
        let at = if class == Class::Receivers { FULL_AT } else { FREE_AT };
        self.region.u32(at).load(SeqCst) != 0
    }
}

impl Index<'_> {
    fn write_counts(&self) {
        let full = if self.spoiled.get() { u32::MAX } else { self.full as u32 };
        fail_point!("index: its counts not written");
        self.queue.region.u32(FULL_AT).store(full, Relaxed);
        fail_point!("index: half its counts written");
        self.queue.region.u32(FREE_AT).store(self.free as u32, Relaxed);
        fail_point!("index: its counts written");
    }

    fn order_at(&self, position: usize) -> usize {
        self.queue.shape.order_at + position * 4
    }

    fn key_at(&self, position: usize) -> usize {
        self.queue.shape.keys_at + position * 8
    }

    /// The cell at a position: the one number that is read from the index and used as an index.
    fn cell(&self, position: usize) -> sys::Result<usize> {
        let cell = self.queue.region.u32(self.order_at(position)).load(Relaxed) as usize;
        if cell < self.queue.shape.slots {
            return Ok(cell);
        }
        self.spoiled.set(true);
        Err(Errno::SPOILED)
    }

    fn set_cell(&self, position: usize, cell: usize) {
        self.queue.region.u32(self.order_at(position)).store(cell as u32, Relaxed);
    }

    fn key(&self, position: usize) -> u64 {
        self.queue.region.u64(self.key_at(position)).load(Relaxed)
    }

    fn set(&self, position: usize, cell: usize, key: u64) {
        self.set_cell(position, cell);
        self.queue.region.u64(self.key_at(position)).store(key, Relaxed);
    }

    /// The last free cell becomes the last held one; its position.
    fn take_free(&mut self) -> Option<usize> {
        let position = self.queue.shape.slots - self.free;
        self.free = self.free.checked_sub(1)?;
        Some(position)
    }

    /// A held cell becomes free.
    fn give_free(&mut self, position: usize) -> sys::Result<()> {
        let last = self.queue.shape.slots - self.free - 1;
        let (cell, other) = (self.cell(position)?, self.cell(last)?);
        self.set_cell(position, other);
        self.set_cell(last, cell);
        self.free += 1;
        Ok(())
    }

    /// Where a held cell stands.
    fn find(&self, cell: usize) -> sys::Result<usize> {
        for position in self.full..self.queue.shape.slots - self.free {
            if self.cell(position)? == cell {
                return Ok(position);
            }
        }
        self.spoiled.set(true);
        Err(Errno::SPOILED)
    }

    /// A cell that was written becomes the youngest message.
    fn publish(&mut self, cell: usize, position: usize, found: Word, priority: u32) -> sys::Result<()> {
        let next = self.queue.region.u64(NEXT_AT);
        let ticket = next.load(Relaxed);
        next.store(ticket.wrapping_add(1), Relaxed);
        fail_point!("sorted: ticket taken");
        self.put_back(cell, position, found.sorted(ticket), priority)
    }

    /// A held cell becomes full, with the ticket that it has.
    fn put_back(&mut self, cell: usize, position: usize, found: Word, priority: u32) -> sys::Result<()> {
        let full = found.become_(State::Full, priority);
        self.queue.word(cell).store(full.0, SeqCst);
        fail_point!("sorted: full");
        let first_held = self.cell(self.full)?;
        self.set_cell(position, first_held);
        self.full += 1;
        self.rise(self.full - 1, cell, key(full))
    }

    /// What a dead one held: a message that was being received is there again, another cell is free.
    fn mend(&mut self, cell: usize, position: usize, found: Word) -> sys::Result<()> {
        if found.state() == State::Reading {
            return self.put_back(cell, position, found, self.queue.priority(cell));
        }
        self.queue.word(cell).store(found.freed().0, SeqCst);
        fail_point!("sorted: mended");
        self.give_free(position)
    }

    /// Looks whether the holder of one cell is dead, of another cell each time: or receivers that always
    /// find a message would never come to the one that a dead one was receiving.
    fn mend_one(&mut self) -> sys::Result<()> {
        let (first, end) = (self.full, self.queue.shape.slots - self.free);
        if first == end {
            return Ok(());
        }
        let (cell, last) = (self.cell(first)?, self.cell(end - 1)?);
        let found = Word(self.queue.word(cell).load(SeqCst));
        if found.is_held() && self.queue.region.is_dead(found.owner()) {
            return self.mend(cell, first, found);
        }
        self.set_cell(first, last);
        self.set_cell(end - 1, cell);
        Ok(())
    }

    /// The first message becomes a held cell; and its position.
    fn take_first(&mut self) -> sys::Result<Option<(usize, usize)>> {
        let Some(last) = self.full.checked_sub(1) else { return Ok(None) };
        let first = self.cell(0)?;
        let (cell, key) = (self.cell(last)?, self.key(last));
        self.full = last;
        fail_point!("sorted: about to leave the heap");
        self.sink(0, cell, key)?;
        self.set_cell(last, first);
        Ok(Some((first, last)))
    }

    /// Puts a cell into the heap at `position` or above.
    fn rise(&self, mut position: usize, cell: usize, key: u64) -> sys::Result<()> {
        while position > 0 {
            let parent = (position - 1) / CHILDREN;
            let above = self.key(parent);
            if !precedes(key, above) {
                break;
            }
            self.set(position, self.cell(parent)?, above);
            position = parent;
        }
        self.set(position, cell, key);
        Ok(())
    }

    /// Puts a cell into the heap at `position` or below.
    fn sink(&self, mut position: usize, cell: usize, key: u64) -> sys::Result<()> {
        loop {
            let children = CHILDREN * position + 1..(CHILDREN * position + 1 + CHILDREN).min(self.full);
            let best =
                children.map(|child| (child, self.key(child))).reduce(|a, b| if precedes(b.1, a.1) { b } else { a });
            match best {
                Some((child, below)) if precedes(below, key) => {
                    self.set(position, self.cell(child)?, below);
                    position = child;
                }
                _ => break,
            }
        }
        if position < self.full {
            self.set(position, cell, key);
        }
        Ok(())
    }

    /// Makes the index from the words; those of the ring become sorted ones on the way, one by one, so
    /// that whoever still works on the ring finds out by the word that he wants to change.
    fn rebuild(&mut self) -> sys::Result<()> {
        let queue = self.queue;
        let slots = queue.shape.slots;
        let head = queue.region.u64(HEAD_AT).load(SeqCst);
        let (mut full, mut free) = (0, 0);
        let mut taken = Vec::new();
        let mut next = queue.region.u64(NEXT_AT).load(Relaxed).max(head);
        for cell in 0..slots {
            let mut found = Word(queue.word(cell).load(SeqCst));
            while !found.is_sorted() {
                let ticket = found.turn().wrapping_mul(slots as u64).wrapping_add(cell as u64);
                let sorted = found.sorted(ticket);
                match queue.word(cell).compare_exchange(found.0, sorted.0, SeqCst, SeqCst) {
                    Ok(_) => found = sorted,
                    Err(other) => found = Word(other),
                }
                fail_point!("index: a word of the ring sorted");
            }
            while found.is_held() && queue.region.is_dead(found.owner()) {
                let back = found.state() == State::Reading;
                let fixed = if back { found.become_(State::Full, queue.priority(cell)) } else { found.freed() };
                // Another thread of its process may end the hold just now.
                found = match queue.word(cell).compare_exchange(found.0, fixed.0, SeqCst, SeqCst) {
                    Ok(_) => fixed,
                    Err(other) => Word(other),
                };
                fail_point!("index: a dead one's word mended");
            }
            if found.state() != State::Free && compare(found.turn(), next) != Less {
                next = found.turn().wrapping_add(1);
            }
            match found.state() {
                State::Full => {
                    self.set(full, cell, key(found));
                    full += 1;
                }
                State::Free => {
                    free += 1;
                    self.set_cell(slots - free, cell);
                }
                State::Writing | State::Reading => taken.push(cell),
            }
        }
        for (position, &cell) in taken.iter().enumerate() {
            self.set_cell(full + position, cell);
        }
        queue.region.u64(NEXT_AT).store(next, Relaxed);
        (self.full, self.free) = (full, free);
        for position in (0..full.div_ceil(CHILDREN)).rev() {
            self.sink(position, self.cell(position)?, self.key(position))?;
        }
        Ok(())
    }
}
