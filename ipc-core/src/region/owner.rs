//! Who takes part in a region, and whether they live.
//!
//! A thread that works on a region has a place in the region's table: a page with a word that the
//! kernel marks at its death ([`sys::robust`]). What it holds it marks with its *tag*, the number of
//! its place and how often the place was given out. A tag whose place is empty, marked, or given out
//! again belongs to the dead; a place is given out again only when nothing bears its old tag.

#![allow(clippy::inline_always)] // both were measured: they are a part of every operation

use super::Region;
use super::header::{self, HIGHEST_AT, PLACES, place};
use crate::deadline::Deadline;
use crate::error::Errno;
use crate::sys::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use crate::sys::atomic::{AtomicU32, AtomicU64};
use crate::sys::fail::fail_point;
use crate::sys::map;
use crate::sys::robust::{self, Life};
use crate::sys::thread::NoCancel;
use crate::sys::{self, fault, fs};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Weak};

/// Ten bits of a place, five of its generation.
pub(crate) const TAG_BITS: u32 = 15;
pub(crate) const PLACE_BITS: u32 = 10;
const _: () = assert!(PLACES == 1 << PLACE_BITS);

/// Of one thread. The kernel looks at 2048 entries of a dead thread's list, glibc's mutexes among them.
const REGIONS_MAX: usize = 1024;

/// What a handle knows of its region's table.
#[derive(Debug)]
pub(crate) struct Table {
    at: usize,
    /// Which pages are known to have their space: touching one without it could fail.
    backed: [AtomicU64; PLACES / 64],
    /// Dies with the handle, so that threads can tell that their part in it is over.
    alive: Arc<()>,
}

impl Table {
    pub fn new(at: usize) -> Table {
        Table { at, backed: [const { AtomicU64::new(0) }; PLACES / 64], alive: Arc::new(()) }
    }
}

/// Whether the bearer of a tag lives.
pub(crate) enum State<'a> {
    /// With the word that the kernel marks, and its value.
    Alive(&'a AtomicU32, u32),
    Dead,
    /// Its page cannot be looked at now; who is not known to be dead is left in peace.
    Unknown,
}

/// One thread's part in one region.
#[derive(Debug)]
pub(crate) struct Participant {
    region: u64,
    pub tag: u32,
    place: usize,
    life: Life,
    alive: Weak<()>,
    /// What it has reserved or borrowed and not given back: then its place stays.
    pub loans: Cell<u32>,
    /// How long this thread may wait for what it is doing.
    pub until: Cell<Deadline>,
    pub cursors: Cursors,
}

/// Where in a ring a thread sends and receives next, how long it spins: its own, so that the fast path
/// shares no line with anybody but the cell's.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    pub send: Cursor,
    pub receive: Cursor,
    /// Every ticket before it was consumed, as far as this thread knows.
    pub floor: Cursor,
    /// The region's epoch when `receive` was right.
    pub epoch: Cell<u32>,
    /// The epoch when this thread last looked everywhere for room.
    pub searched: Cell<u32>,
    pub spin: [Cell<u32>; 2],
}

/// A ticket, and the same as a lap and an index: dividing costs more than keeping.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    pub ticket: Cell<u64>,
    pub lap: Cell<u64>,
    pub index: Cell<usize>,
}

sys::thread_local! {
    static OWN: Own = const { Own { recent: [const { RefCell::new(None) }; RECENT], all: RefCell::new(None) } };
}

const RECENT: usize = 8;

/// The regions that this thread takes part in.
struct Own {
    /// The last one used of those whose number ends in the same bits.
    recent: [RefCell<Option<Rc<Participant>>>; RECENT],
    all: RefCell<Option<HashMap<u64, Rc<Participant>>>>,
}

impl Drop for Own {
    /// The thread ends: its places become free.
    fn drop(&mut self) {
        for recent in &self.recent {
            recent.take();
        }
        self.all.take();
    }
}

impl Participant {
    /// Whether who bears, or bore, `tag` has or had the place that is this thread's now.
    pub fn has_place_of(&self, tag: u32) -> bool {
        tag < 1 << TAG_BITS && tag as usize % PLACES == self.place
    }

    fn fits(&self, region: &Region) -> bool {
        self.region == region.id && self.life.is_listed()
    }

    /// See [`Life::wish`].
    #[inline(always)]
    pub fn wish(&self, word: Option<&AtomicU32>) {
        self.life.wish(word);
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        // In a child made by fork the place is the parent's.
        if !self.life.is_listed() {
            return;
        }
        // What it still holds goes back, as if it had died: who sleeps for that is to learn of it.
        self.life.give_up(self.loans.get() != 0);
    }
}

impl Region {
    /// This thread's part; `heal` frees what dead ones hold, when one's place is given out again.
    #[inline(always)]
    pub fn participant(&self, heal: &impl Fn(&Participant) -> sys::Result<()>) -> sys::Result<Rc<Participant>> {
        let slot = self.id as usize % RECENT;
        let known = OWN.try_with(|own| match own.recent[slot].try_borrow().as_deref() {
            Ok(Some(me)) if me.fits(self) => Some(me.clone()),
            _ => None,
        });
        match known {
            Ok(Some(me)) => Ok(me),
            _ => self.enter(slot, heal),
        }
    }

    #[cold]
    #[inline(never)]
    fn enter(&self, slot: usize, heal: &dyn Fn(&Participant) -> sys::Result<()>) -> sys::Result<Rc<Participant>> {
        let _whole = NoCancel::new(); // the standard library has cancellation points
        let me = self.recall(heal)?;
        // A thread that is ending has no room for it any more, and gives its place back at once.
        let _ = OWN.try_with(|own| own.recent[slot].try_borrow_mut().map(|mut recent| recent.replace(me.clone())));
        Ok(me)
    }

    fn recall(&self, heal: &dyn Fn(&Participant) -> sys::Result<()>) -> sys::Result<Rc<Participant>> {
        let known = OWN.try_with(|own| own.all.borrow().as_ref().and_then(|all| all.get(&self.id).cloned()));
        if let Some(me) = known.ok().flatten().filter(|me| me.fits(self)) {
            return Ok(me);
        }
        let me = Rc::new(self.take_place(heal)?);
        let _ = OWN.try_with(|own| {
            let mut all = own.all.borrow_mut();
            let all = all.get_or_insert_default();
            // Regions that were closed meanwhile; after a fork, everything that was the parent's.
            all.retain(|_, other| other.alive.strong_count() > 0 && other.life.is_listed());
            if all.len() >= REGIONS_MAX {
                let idle = all.iter().find(|(_, other)| other.loans.get() == 0).map(|(&region, _)| region);
                idle.map(|region| all.remove(&region));
            }
            all.insert(self.id, me.clone());
        });
        Ok(me)
    }

    /// The handle is being closed: this thread's part in the region is over. That of another thread is when it
    /// comes to another region, or ends.
    pub fn leave(&self) {
        let _ = OWN.try_with(|own| {
            if let Ok(mut recent) = own.recent[self.id as usize % RECENT].try_borrow_mut() {
                let _ = recent.take_if(|me| me.region == self.id);
            }
            if let Ok(mut all) = own.all.try_borrow_mut() {
                all.as_mut().map(|all| all.remove(&self.id));
            }
        });
    }

    fn page_of(&self, place: usize) -> usize {
        self.table.at + place * map::page()
    }

    fn word_of(&self, place: usize) -> &AtomicU32 {
        self.u32(self.page_of(place) + map::page() - robust::WORD_BEFORE_END)
    }

    /// Makes sure that the page of `place` has its space.
    fn back(&self, place: usize) -> sys::Result<()> {
        let (word, bit) = (&self.table.backed[place / 64], 1 << (place % 64));
        if word.load(Relaxed) & bit == 0 {
            fs::back(self.fd(), self.page_of(place), map::page())?;
            word.fetch_or(bit, Relaxed);
        }
        Ok(())
    }

    fn tag(&self, place: usize) -> u32 {
        let generation = self.u32(self.page_of(place) + place::GENERATION).load(Relaxed);
        (generation << PLACE_BITS | place as u32) & ((1 << TAG_BITS) - 1)
    }

    /// Takes the first place that is free, or was a dead one's.
    fn take_place(&self, heal: &dyn Fn(&Participant) -> sys::Result<()>) -> sys::Result<Participant> {
        for place in 0..PLACES {
            self.back(place)?;
            let (page, word) = (self.page_of(place), self.word_of(place));
            let mut found = word.load(Acquire);
            while found == 0 || robust::is_marked_dead(found) {
                if let Some(life) = Life::take(self.fd(), page, found)? {
                    return self.settle(place, life, found != 0, heal);
                }
                found = word.load(Acquire);
            }
        }
        Err(Errno(libc::EUSERS))
    }

    /// Begins a new generation of a place. What its last thread held was a dead one's before, and still
    /// is; it is freed at once, so that no tag lasts until its generation comes round again.
    fn settle(
        &self,
        place: usize,
        life: Life,
        died: bool,
        heal: &dyn Fn(&Participant) -> sys::Result<()>,
    ) -> sys::Result<Participant> {
        fault::unblock()?;
        let page = self.page_of(place);
        self.u32(page + place::WAITING).store(0, SeqCst);
        fail_point!("place: waits no more");
        self.u32(page + place::GENERATION).fetch_add(1, SeqCst);
        fail_point!("place: of a new generation");
        header::sign(self, page);
        self.u32(HIGHEST_AT).fetch_max(place as u32 + 1, SeqCst);
        fail_point!("place: counted");
        let me = Participant {
            region: self.id,
            tag: self.tag(place),
            place,
            life,
            alive: Arc::downgrade(&self.table.alive),
            loans: Cell::new(0),
            until: Cell::new(Deadline::NEVER),
            cursors: Cursors::default(),
        };
        if died {
            // Whoever meets what is left of it heals it too, should this not come to its end.
            let _ = heal(&me);
        }
        Ok(me)
    }

    /// What is known of the thread that bears `tag`.
    pub fn state_of(&self, tag: u32) -> State<'_> {
        let place = tag as usize % PLACES;
        if self.back(place).is_err() {
            return State::Unknown;
        }
        let word = self.word_of(place);
        let value = word.load(SeqCst);
        if value == 0 || robust::is_marked_dead(value) || self.tag(place) != tag {
            return State::Dead;
        }
        State::Alive(word, value)
    }

    /// Whether the bearer of `tag` is a thread of this process.
    pub fn is_ours(&self, tag: u32) -> bool {
        let page = self.page_of(tag as usize % PLACES);
        self.back(tag as usize % PLACES).is_ok() && self.u32(page + place::PROCESS).load(Relaxed) == std::process::id()
    }

    pub fn is_dead(&self, tag: u32) -> bool {
        matches!(self.state_of(tag), State::Dead)
    }

    /// The life word of every place, and how many places there are: one of them changes when somebody dies or
    /// comes. `None`: they are more than `most`, or cannot be looked at.
    pub(super) fn lives(&self, most: usize) -> Option<Vec<(&AtomicU32, u32)>> {
        let count = self.u32(HIGHEST_AT);
        let highest = count.load(SeqCst);
        if highest as usize >= most {
            return None;
        }
        let words = (0..highest as usize).map(|place| self.back(place).ok().map(|()| self.word_of(place)));
        std::iter::once(Some(count)).chain(words).map(|word| word.map(|word| (word, word.load(SeqCst)))).collect()
    }

    /// Notes which classes this thread sleeps in.
    pub(super) fn set_waiting(&self, me: &Participant, classes: u32) {
        self.u32(self.page_of(me.place) + place::WAITING).store(classes, SeqCst);
    }

    /// Whether somebody else that lives sleeps, or is about to, in a way that `counts`.
    pub(super) fn others_wait(&self, me: &Participant, counts: impl Fn(u32) -> bool) -> bool {
        let highest = (self.u32(HIGHEST_AT).load(Relaxed) as usize).min(PLACES);
        (0..highest).filter(|&place| place != me.place).any(|place| {
            self.back(place).is_ok()
                && counts(self.u32(self.page_of(place) + place::WAITING).load(SeqCst))
                && !self.is_dead(self.tag(place))
        })
    }
}
