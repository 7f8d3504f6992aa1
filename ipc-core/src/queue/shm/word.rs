//! The word of a cell: one atomic number that says all about it.
//!
//! ```text
//! 63..62  state: 0 free, 1 being written, 2 being read, 3 full
//! 61..47  who writes or reads (a tag), or the priority of what is full
//! 46      sorted: the index, under its lock, decides about the cell (see sorted.rs)
//! 45..0   the turn: the lap of the ring; once sorted, the ticket of the message
//! ```
//!
//! A claim is one compare-and-swap that takes the cell and says by whom, so there is no instant at
//! which a cell is held and nobody knows by whom. Zero is free on the first lap: a fresh file is an
//! empty queue.

use crate::region::owner::TAG_BITS;
use std::cmp::Ordering;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Word(pub u64);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Free,
    Writing,
    Reading,
    Full,
}

pub(crate) const TURN_BITS: u32 = 46;
pub(crate) const TURN: u64 = (1 << TURN_BITS) - 1;
const SORTED: u64 = 1 << TURN_BITS;
const OWNER_SHIFT: u32 = TURN_BITS + 1;
const OWNER: u64 = (1 << TAG_BITS) - 1;
const STATE_SHIFT: u32 = OWNER_SHIFT + TAG_BITS;
const _: () = assert!(STATE_SHIFT == 62);

impl Word {
    #[inline]
    fn new(state: State, owner: u32, sorted: u64, turn: u64) -> Word {
        Word((state as u64) << STATE_SHIFT | (u64::from(owner) & OWNER) << OWNER_SHIFT | sorted | turn & TURN)
    }

    /// The same cell in another state, on the same turn.
    #[inline]
    pub fn become_(self, state: State, owner: u32) -> Word {
        Word::new(state, owner, self.0 & SORTED, self.0)
    }

    /// Consumed, or given up: free for the next lap.
    #[inline]
    pub fn freed(self) -> Word {
        Word::new(State::Free, 0, self.0 & SORTED, self.turn() + 1)
    }

    /// The same hold, one lap later.
    pub fn bumped(self) -> Word {
        Word(self.0 & !TURN | (self.turn() + 1) & TURN)
    }

    pub fn sorted(self, ticket: u64) -> Word {
        Word(self.0 & !TURN | SORTED | ticket & TURN)
    }

    #[inline]
    pub fn state(self) -> State {
        match self.0 >> STATE_SHIFT {
            0 => State::Free,
            1 => State::Writing,
            2 => State::Reading,
            _ => State::Full,
        }
    }

    /// The tag of who holds it; of a full one, its priority.
    #[inline]
    pub fn owner(self) -> u32 {
        (self.0 >> OWNER_SHIFT & OWNER) as u32
    }

    #[inline]
    pub fn turn(self) -> u64 {
        self.0 & TURN
    }

    #[inline]
    pub fn is_sorted(self) -> bool {
        self.0 & SORTED != 0
    }

    pub fn is_held(self) -> bool {
        matches!(self.state(), State::Writing | State::Reading)
    }

    /// Whether the same thread holds it for the same purpose, whatever the turn became meanwhile.
    pub fn is_same_hold(self, other: Word) -> bool {
        self.is_held() && self.0 >> OWNER_SHIFT == other.0 >> OWNER_SHIFT
    }
}

/// Compares turns, which may have wrapped.
#[inline]
pub(crate) fn compare(turn: u64, with: u64) -> Ordering {
    ((turn.wrapping_sub(with) << (64 - TURN_BITS)) as i64).cmp(&0)
}
