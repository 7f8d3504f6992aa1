//! Whether what several did at the same time could have happened one after the other.
//!
//! The search is Wing and Gong's: take any operation that began before every other one that is left had
//! ended, do it on the model, and go on; what was tried once from the same state is not tried again.

use std::collections::HashSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deed {
    Sent {
        id: u32,
        priority: u32,
    },
    /// It found the queue full.
    NotSent,
    Received {
        id: u32,
        priority: u32,
    },
    /// It found the queue empty.
    NotReceived,
}

#[derive(Clone, Copy, Debug)]
pub struct Record {
    pub deed: Deed,
    pub begin: u64,
    pub end: u64,
}

impl Record {
    pub fn overlaps(&self, other: &Record) -> bool {
        self.begin <= other.end && other.begin <= self.end
    }
}

/// When who sends may be told that there is no room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// As many messages are there as fit.
    Strictly,
    /// Or others are at work meanwhile: the room of a message that is being written or read counts as taken.
    OrBusy,
}

/// Whether the records, of a queue that was empty at first, can be put in an order that a queue of so many
/// messages could have had.
pub fn is_possible(records: &[Record], slots: usize, full: Full) -> bool {
    assert!(records.len() <= 64);
    let mut tried = HashSet::new();
    search(records, slots, full, 0, &[], &mut tried)
}

/// `queue` is sorted: the next to be received is the first.
fn search(
    records: &[Record],
    slots: usize,
    full: Full,
    done: u64,
    queue: &[(u32, u32)],
    tried: &mut HashSet<(u64, Vec<(u32, u32)>)>,
) -> bool {
    let left = || (0..records.len()).filter(|at| done & 1 << at == 0);
    let Some(first_end) = left().map(|at| records[at].end).min() else { return true };
    if !tried.insert((done, queue.to_vec())) {
        return false;
    }
    for at in left().filter(|&at| records[at].begin <= first_end) {
        let mut after = queue.to_vec();
        let possible = match records[at].deed {
            Deed::Sent { id, priority } => {
                let place = after.iter().position(|&(_, other)| other < priority).unwrap_or(after.len());
                after.insert(place, (id, priority));
                after.len() <= slots
            }
            Deed::NotSent => {
                let overlap = |one: usize, other: usize| one != other && records[one].overlaps(&records[other]);
                let busy = || (0..records.len()).any(|other| overlap(other, at));
                after.len() == slots || full == Full::OrBusy && busy()
            }
            Deed::Received { id, priority } => {
                let is_first = after.first() == Some(&(id, priority));
                if is_first {
                    after.remove(0);
                }
                is_first
            }
            Deed::NotReceived => after.is_empty(),
        };
        if possible && search(records, slots, full, done | 1 << at, &after, tried) {
            return true;
        }
    }
    false
}

fn sent(id: u32, priority: u32, begin: u64, end: u64) -> Record {
    Record { deed: Deed::Sent { id, priority }, begin, end }
}

fn received(id: u32, priority: u32, begin: u64, end: u64) -> Record {
    Record { deed: Deed::Received { id, priority }, begin, end }
}

crate::promises! {
    fn the_judge_of_histories_knows_good_from_bad() {
        let none = |deed, begin, end| Record { deed, begin, end };
        let good: [&[Record]; 5] = [
            &[sent(1, 0, 0, 1), sent(2, 0, 2, 3), received(1, 0, 4, 5), received(2, 0, 6, 7)],
            &[sent(1, 0, 0, 9), sent(2, 0, 1, 3), received(2, 0, 4, 5)],
            &[sent(1, 0, 0, 1), sent(2, 5, 2, 3), received(2, 5, 4, 5)],
            &[none(Deed::NotReceived, 0, 5), sent(1, 0, 1, 2), received(1, 0, 3, 4)],
            &[sent(1, 0, 0, 1), sent(2, 0, 2, 3), none(Deed::NotSent, 4, 5), received(1, 0, 6, 7)],
        ];
        for records in good {
            assert!(is_possible(records, 2, Full::Strictly), "{records:?}");
        }
        let bad: [&[Record]; 7] = [
            &[sent(1, 0, 0, 1), sent(2, 0, 2, 3), received(2, 0, 4, 5)], // overtaken
            &[sent(1, 5, 0, 1), sent(2, 0, 2, 3), received(2, 0, 4, 5)], // the lower priority first
            &[sent(1, 0, 0, 1), received(1, 0, 2, 3), received(1, 0, 4, 5)], // twice
            &[sent(1, 0, 0, 1), none(Deed::NotReceived, 2, 3)], // not seen
            &[sent(1, 0, 0, 1), sent(2, 0, 2, 3), sent(3, 0, 4, 5)], // more than fit
            &[sent(1, 0, 0, 1), none(Deed::NotSent, 2, 3)], // full too early
            &[received(1, 0, 0, 1), sent(1, 0, 2, 3)], // before it was sent
        ];
        for records in bad {
            assert!(!is_possible(records, 2, Full::Strictly), "{records:?}");
        }
    }
}
