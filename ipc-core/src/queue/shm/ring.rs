//! The queue while all its messages have one priority: a ring without a lock.
//!
//! Tickets are given out by the cells themselves. Ticket t belongs to cell t mod N on lap t div N; a
//! sender takes the first cell that is free on its lap, a receiver the first that is full. `tail` and
//! `head` are hints that spare a walk and may lag, never lead: before `tail` every ticket was taken,
//! before `head` every message was consumed.
//!
//! A cell that somebody holds stops nobody: receivers walk past it, and senders that come round to it
//! give it a later turn and walk past it too, at the price of one message of capacity meanwhile.

#![allow(clippy::inline_always)] // each was measured; see attempt.rs

use super::word::{State, TURN, Word, compare};
use super::{Claim, EPOCH_AT, HEAD_AT, Inner, TAIL_AT};
use crate::region::owner::{Cursor, Participant};
use crate::region::wait::Class;
use crate::sys::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use crate::sys::fail::fail_point;
use crate::sys::map::Part;
use std::cmp::Ordering::{Equal, Greater, Less};

/// What came of an attempt.
pub(super) enum Ring<T> {
    Served(T),
    /// Full, or empty.
    Blocked,
    /// It is a ring no more.
    Sorted,
}

/// The first full cell, and its word as it was found.
#[derive(Clone, Copy)]
pub(super) struct First<'a> {
    pub index: usize,
    pub cell: Part<'a>,
    pub word: Word,
}

/// How a receiver takes the first message. `None`: another one has taken it.
pub(super) trait Take {
    type Taken;
    fn take(&mut self, queue: &Inner, me: &Participant, first: First<'_>) -> Option<Self::Taken>;
}

impl First<'_> {
    /// Takes it, to read it. `None`: another one has taken it.
    #[inline(always)]
    pub fn claim(self, me: &Participant) -> Option<Claim> {
        let mine = self.word.become_(State::Reading, me.tag);
        let taken = self.cell.u64(0).compare_exchange(self.word.0, mine.0, SeqCst, Relaxed);
        fail_point!("ring: claimed to read");
        taken.is_ok().then_some(Claim::new(self.index, mine, self.word.owner()))
    }
}

/// What looking after the dead came to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Healed {
    Nothing,
    /// Another attempt may be served now.
    Something,
    /// It is a ring no more, or is being sorted: the index is to be looked after.
    Sorted,
    /// There is room, but behind a message. As a rule a receiver is about to take that.
    Behind,
}

/// The hints are written this often.
const HINT_EVERY: u64 = 8;
/// More tickets than there will ever be; a hint that was spoiled is no larger, so that adding to it is safe.
const TICKET: u64 = (1 << 62) - 1;
/// How far behind a cell's lap a ticket can be that is not over.
const LAPS: usize = 2;
/// How far a sender looks for room behind a message, as a rule.
const AHEAD: usize = 64;
/// How often a receiver whom others forestall tries again before it looks at its deadline.
const TRIES: usize = 64;

impl Cursor {
    #[inline(always)]
    fn advance(&self, slots: usize) {
        self.ticket.set(self.ticket.get() + 1);
        let next = self.index.get() + 1;
        if next == slots {
            self.index.set(0);
            self.lap.set(self.lap.get() + 1);
        } else {
            self.index.set(next);
        }
    }

    fn jump(&self, ticket: u64, slots: usize) {
        let ticket = ticket & TICKET;
        self.ticket.set(ticket);
        self.lap.set(ticket / slots as u64);
        self.index.set((ticket % slots as u64) as usize);
    }

    /// Spares laps that are over: what is held of a lap is moved to the next when a sender comes round, so
    /// nothing is left two laps behind a cell.
    fn catch_up(&self, found: Word, slots: usize) {
        let ahead = found.turn().wrapping_sub(self.lap.get()) & TURN;
        if ahead > LAPS as u64 {
            let lap = self.lap.get() + ahead - LAPS as u64;
            self.jump(lap.wrapping_mul(slots as u64).wrapping_add(self.index.get() as u64), slots);
        }
    }

    fn copy(&self) -> Cursor {
        let copy = Cursor::default();
        copy.set(self);
        copy
    }

    fn set(&self, other: &Cursor) {
        self.ticket.set(other.ticket.get());
        self.lap.set(other.lap.get());
        self.index.set(other.index.get());
    }

    /// How the turn of a cell's word stands to this cursor's lap.
    #[inline(always)]
    fn compare(&self, word: Word) -> std::cmp::Ordering {
        compare(word.turn(), self.lap.get())
    }
}

impl Inner {
    /// Looks at a cell again, and sets the cursor to what it says: the hint was wrong, or messages came
    /// back.
    fn correct(&self, cursor: &Cursor, word: Word) {
        let behind = cursor.lap.get().wrapping_sub(word.turn()) & TURN;
        let lap = cursor.lap.get().saturating_sub(behind);
        cursor
            .jump(lap.wrapping_mul(self.shape.slots as u64).wrapping_add(cursor.index.get() as u64), self.shape.slots);
    }

    /// Takes a cell to write to.
    #[inline(always)]
    pub(super) fn claim_to_write(&self, me: &Participant) -> Ring<(Claim, Part<'_>)> {
        let (cursor, slots) = (&me.cursors.send, self.shape.slots);
        let tail = self.region.u64(TAIL_AT).load(Relaxed);
        if tail > cursor.ticket.get() {
            cursor.jump(tail, slots);
        }
        for _ in 0..=(LAPS + 1) * slots {
            let cell = self.cell(cursor.index.get());
            let word = cell.u64(0);
            let found = Word(word.load(Acquire));
            if found.is_sorted() {
                return Ring::Sorted;
            }
            match (cursor.compare(found), found.state()) {
                (Equal, State::Free) => {
                    let mine = found.become_(State::Writing, me.tag);
                    if word.compare_exchange(found.0, mine.0, SeqCst, Relaxed).is_ok() {
                        fail_point!("ring: claimed to write");
                        let claim = Claim::new(cursor.index.get(), mine, 0);
                        cursor.advance(slots);
                        return Ring::Served((claim, cell));
                    }
                }
                (Equal, _) => cursor.advance(slots),
                (Greater, _) => {
                    cursor.catch_up(found, slots);
                    cursor.advance(slots);
                }
                (Less, State::Free) => self.correct(cursor, found),
                (Less, _) => return Ring::Blocked,
            }
        }
        Ring::Blocked
    }

    /// Has the first full cell taken.
    #[inline(always)]
    pub(super) fn serve_first<T: Take>(&self, me: &Participant, taker: &mut T) -> Ring<T::Taken> {
        if self.is_sorted() {
            return Ring::Sorted;
        }
        self.follow(me);
        let (cursor, slots) = (&me.cursors.receive, self.shape.slots);
        for _ in 0..TRIES {
            let cell = self.cell(cursor.index.get());
            let found = Word(cell.u64(0).load(Acquire));
            // The usual case: the next one is there.
            if found.state() == State::Full && !found.is_sorted() && cursor.compare(found) == Equal {
                if let Some(served) = taker.take(self, me, First { index: cursor.index.get(), cell, word: found }) {
                    cursor.advance(slots);
                    return Ring::Served(served);
                }
                continue;
            }
            match self.walk_to_first(me, taker) {
                Some(outcome) => return outcome,
                None => self.follow(me),
            }
        }
        Ring::Blocked
    }

    /// Brings this thread's cursor up to date: messages that came back are behind it.
    #[inline(always)]
    fn follow(&self, me: &Participant) {
        let cursors = &me.cursors;
        let epoch = self.region.u32(EPOCH_AT).load(SeqCst);
        let head = self.region.u64(HEAD_AT).load(Acquire);
        if epoch != cursors.epoch.get() || head > cursors.receive.ticket.get() {
            cursors.epoch.set(epoch);
            cursors.receive.jump(head, self.shape.slots);
            cursors.floor.set(&cursors.receive);
        }
    }

    /// Walks past what others hold to the first full cell. `None`: begin anew.
    ///
    /// What it takes was the oldest at one instant: when it had been seen full, everything before it was
    /// looked at a second time, and was not published yet or already being read.
    #[cold]
    fn walk_to_first<T: Take>(&self, me: &Participant, taker: &mut T) -> Option<Ring<T::Taken>> {
        let (own, slots) = (&me.cursors.receive, self.shape.slots);
        let at = own.copy();
        let mut passed_a_writer = false;
        for _ in 0..=(LAPS + 1) * slots {
            let cell = self.cell(at.index.get());
            let found = Word(cell.u64(0).load(Acquire));
            if found.is_sorted() {
                return Some(Ring::Sorted);
            }
            match (at.compare(found), found.state()) {
                (Equal, State::Full) => {
                    if passed_a_writer && self.was_published(own, &at) {
                        return None;
                    }
                    let served = taker.take(self, me, First { index: at.index.get(), cell, word: found })?;
                    if !passed_a_writer {
                        at.advance(slots);
                        own.set(&at);
                    }
                    return Some(Ring::Served(served));
                }
                (Equal, State::Free) => {
                    let wait = !(passed_a_writer && self.was_published(own, &at));
                    return wait.then_some(Ring::Blocked);
                }
                (Equal, State::Writing | State::Reading) => {
                    if self.region.is_dead(found.owner()) {
                        self.repair(at.index.get(), found);
                        return None;
                    }
                    passed_a_writer |= found.state() == State::Writing;
                }
                (Greater, _) => at.catch_up(found, slots), // consumed
                (Less, State::Free | State::Full) => {
                    self.correct(&at, found);
                    own.set(&at);
                    return None;
                }
                (Less, _) => return Some(Ring::Blocked), // held since the last lap: nobody was here yet
            }
            at.advance(slots);
            if !passed_a_writer {
                own.set(&at);
            }
        }
        Some(Ring::Blocked)
    }

    /// Whether a cell from one cursor up to another became full meanwhile.
    fn was_published(&self, from: &Cursor, to: &Cursor) -> bool {
        let at = from.copy();
        while at.ticket.get() < to.ticket.get() {
            let found = Word(self.word(at.index.get()).load(SeqCst));
            if found.is_sorted() || at.compare(found) == Equal && found.state() == State::Full {
                return true;
            }
            at.advance(self.shape.slots);
        }
        false
    }

    /// Says how far the tickets have been given out.
    #[inline(always)]
    pub(super) fn hint_tail(&self, me: &Participant) {
        let ticket = me.cursors.send.ticket.get();
        if ticket % HINT_EVERY == 0 {
            let tail = self.region.u64(TAIL_AT);
            if tail.load(Relaxed) < ticket {
                tail.store(ticket, Relaxed);
                fail_point!("ring: tail hinted");
            }
        }
    }

    /// Notes that a cell was consumed; says now and then up to where all were.
    #[inline(always)]
    pub(super) fn hint_head(&self, me: &Participant, consumed: Claim) {
        let (floor, slots) = (&me.cursors.floor, self.shape.slots);
        if floor.index.get() == consumed.index() && floor.compare(consumed.word) == Equal {
            floor.advance(slots);
        }
        if me.cursors.receive.ticket.get() % HINT_EVERY != 0 {
            return;
        }
        // Others consumed in between: walk on, a few steps at a time.
        for _ in 0..8 * HINT_EVERY {
            if floor.ticket.get() >= me.cursors.receive.ticket.get()
                || floor.compare(Word(self.word(floor.index.get()).load(Acquire))) != Greater
            {
                break;
            }
            floor.advance(slots);
        }
        let head = self.region.u64(HEAD_AT);
        if head.load(Relaxed) < floor.ticket.get() {
            head.store(floor.ticket.get(), SeqCst);
            fail_point!("ring: head hinted");
        }
    }

    /// The words from the oldest that was not consumed to the newest that was taken, with their indexes.
    fn window(&self) -> impl Iterator<Item = (usize, Word)> {
        let at = Cursor::default();
        at.jump(self.region.u64(HEAD_AT).load(SeqCst), self.shape.slots);
        let mut left = (LAPS + 1) * self.shape.slots;
        std::iter::from_fn(move || {
            loop {
                left = left.checked_sub(1)?;
                let index = at.index.get();
                let found = Word(self.word(index).load(SeqCst));
                match at.compare(found) {
                    _ if found.is_sorted() => {}
                    Greater => {
                        at.catch_up(found, self.shape.slots);
                        at.advance(self.shape.slots);
                        continue;
                    }
                    Equal if found.state() != State::Free => {}
                    Equal | Less => return None, // not given out yet
                }
                at.advance(self.shape.slots);
                return Some((index, found));
            }
        })
    }

    pub(super) fn ring_len(&self) -> usize {
        let full = self.window().filter(|(_, word)| word.state() == State::Full).count();
        full.min(self.shape.slots) // those that somebody is sorting just now are met again
    }

    pub(super) fn ring_is_oldest(&self, cell: usize) -> bool {
        let oldest = self.window().find(|(_, word)| word.state() == State::Full);
        oldest.is_some_and(|(index, _)| index == cell)
    }

    /// Frees what a dead one held: what was being written never was, what was being read is there again.
    pub(super) fn repair(&self, index: usize, found: Word) {
        let back = found.state() == State::Reading;
        let fixed = if back { found.become_(State::Full, self.priority(index)) } else { found.freed() };
        if back {
            // First: who follows the new epoch meets the dead one's cell, should death come in between.
            self.region.u32(EPOCH_AT).fetch_add(1, SeqCst);
            fail_point!("ring: about to repair");
        }
        let _ = self.word(index).compare_exchange(found.0, fixed.0, SeqCst, Relaxed);
        fail_point!("ring: repaired");
    }

    /// Repairs what the dead hold, and notes who of the living holds something. A message that is there
    /// came just now, or came back without everybody's knowing: then this thread begins anew at the head.
    pub(super) fn heal_ring(&self, me: &Participant, owners: &mut Vec<u32>) -> Healed {
        let mut healed = Healed::Nothing;
        for (index, found) in self.window() {
            if found.is_sorted() {
                return Healed::Sorted;
            }
            if found.state() == State::Full {
                me.cursors.epoch.set(self.region.u32(EPOCH_AT).load(SeqCst).wrapping_sub(1));
                healed = Healed::Something;
            }
            if !found.is_held() || owners.contains(&found.owner()) {
                continue;
            }
            if self.region.is_dead(found.owner()) {
                self.repair(index, found);
                healed = Healed::Something;
            } else {
                owners.push(found.owner());
            }
        }
        healed
    }

    /// Notes that a message comes long after others of its time: it is behind their cursors.
    pub(super) fn came_late(&self, claim: Claim) {
        let ticket = claim.word.turn().wrapping_mul(self.shape.slots as u64).wrapping_add(claim.index() as u64);
        if self.region.u64(TAIL_AT).load(Relaxed).saturating_sub(ticket) >= AHEAD as u64 {
            self.region.u32(EPOCH_AT).fetch_add(1, SeqCst);
        }
    }

    /// For a sender that came round to a cell which is held: repairs it, or goes past it if there is room
    /// behind it. Else notes whom it waits for.
    ///
    /// A message cannot be gone past. If there is room behind one, because it came late or came back when
    /// others had been received already, the ring cannot use it: if it stays so, it has to be sorted.
    pub(super) fn unblock_ring(&self, me: &Participant, owners: &mut Vec<u32>) -> Healed {
        let (own, slots) = (&me.cursors.send, self.shape.slots);
        let at = own.copy();
        let (mut held, mut oldest) = (Vec::new(), None);
        // Only what came back or came late leaves such room: then all is looked through, once.
        let epoch = self.region.u32(EPOCH_AT).load(SeqCst);
        let ahead = if epoch == me.cursors.searched.get() { AHEAD } else { slots };
        for step in 0..slots {
            let found = Word(self.word(at.index.get()).load(SeqCst));
            if found.is_sorted() {
                return Healed::Sorted;
            }
            match (at.compare(found), found.state()) {
                (Equal | Less, State::Free) => break,
                (Less, State::Full) => {
                    oldest = oldest.or(Some((at.index.get(), found)));
                    if step >= ahead {
                        return Healed::Nothing;
                    }
                }
                (Less, State::Writing | State::Reading) if self.region.is_dead(found.owner()) => {
                    self.repair(at.index.get(), found);
                    return Healed::Something;
                }
                (Less, State::Writing | State::Reading) => {
                    held.push((at.index.get(), found));
                    if !owners.contains(&found.owner()) {
                        owners.push(found.owner());
                    }
                }
                (Equal | Greater, _) => {} // given out meanwhile
            }
            at.advance(slots);
        }
        if at.ticket.get() - own.ticket.get() >= slots as u64 {
            me.cursors.searched.set(epoch);
            return Healed::Nothing; // no room anywhere
        }
        if let Some((index, found)) = oldest {
            let stays = self.word(index).load(SeqCst) == found.0;
            return if stays { Healed::Behind } else { Healed::Something };
        }
        for &(index, found) in &held {
            let _ = self.word(index).compare_exchange(found.0, found.bumped().0, SeqCst, Relaxed);
            fail_point!("ring: gone past a hold");
        }
        Healed::Something
    }

    /// Whether somebody of this class would be served.
    pub(super) fn ring_has(&self, class: Class) -> bool {
        match class {
            Class::Receivers => self.window().any(|(_, word)| word.state() == State::Full),
            Class::Senders => {
                let at = Cursor::default();
                at.jump(self.region.u64(TAIL_AT).load(Relaxed), self.shape.slots);
                for _ in 0..=(LAPS + 1) * self.shape.slots {
                    let found = Word(self.word(at.index.get()).load(SeqCst));
                    match (at.compare(found), found.state()) {
                        (Equal | Less, State::Free) => return true,
                        (Less, _) => return false,
                        (Equal, _) => {}
                        (Greater, _) => at.catch_up(found, self.shape.slots),
                    }
                    at.advance(self.shape.slots);
                }
                false
            }
        }
    }
}
