//! Every field of a queue that is in use is overwritten by numbers that break code, and then everything
//! is done with the queue that can be done.

use crate::common::Scratch;
use crate::judge::Judge;
use crate::script::{EVERYTHING, MESSAGE, NUMBERS, Step, write};
use crate::segment::Segment;
use unipc::{Engine, Queue};

// First bytes of scripts: slots 4, and what is in them.
const RING: u8 = 2 | 2 << 3;
const SORTED: u8 = RING | 4;
const LOANS: u8 = 32 | 64;
const ONE_SLOT: u8 = 1 << 3;
const FULL: u8 = 3 << 3;

/// A generator of numbers that are the same in each run.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

fn fields() -> (Vec<usize>, usize) {
    let scratch = Scratch::new();
    let queue =
        Queue::options().engine(Engine::Shm).max_messages(4).message_size(MESSAGE).create(scratch.name()).unwrap();
    for priority in [1, 2] {
        queue.try_send(b"somebody", priority).unwrap();
    }
    let segment = Segment::open(scratch.name());
    (segment.fields(), segment.end())
}

/// `UNIPC_TEST_LONG=1` plays all there is, in some minutes; otherwise a part of it.
fn part(of: usize) -> usize {
    if std::env::var_os("UNIPC_TEST_LONG").is_some() { 1 } else { of }
}

/// Each field by each number (or a tenth of them, other ones for each kind), in queues of this kind.
fn spoil_each(begin: u8, rotate: usize) {
    let (fields, _) = fields();
    let mut numbers = Numbers(begin.into());
    let mut judge = Judge::new();
    let mut operations = EVERYTHING;
    operations.rotate_left(rotate);
    let part = part(10);
    for (field, &at) in fields.iter().enumerate() {
        let far = (at as u64) << 40; // a turn that nobody will come to
        let values = NUMBERS.into_iter().chain([numbers.next(), far]).enumerate();
        for (_, value) in values.filter(|(number, _)| (number + field + rotate) % part == 0) {
            let poke =
                u32::try_from(value).map_or(Step::Poke64 { at: at & !7, value }, |value| Step::Poke32 { at, value });
            let steps: Vec<Step> = [poke].into_iter().chain(operations).collect();
            judge.play(&format!("{value:#x} at {at}"), &write(begin, &steps));
        }
    }
    let played = judge.conclude();
    assert!(played > 300, "only {played} scripts were played");
}

crate::promises! {
    fn a_ring_with_any_field_overwritten_stays_harmless() {
        spoil_each(RING, 0);
    }

    fn a_full_ring_with_any_field_overwritten_stays_harmless() {
        spoil_each(RING | FULL, 9);
    }

    fn a_ring_of_one_with_any_field_overwritten_stays_harmless() {
        spoil_each(ONE_SLOT, 1);
    }

    fn a_ring_with_loans_and_any_field_overwritten_stays_harmless() {
        spoil_each(RING | LOANS, 4);
    }

    fn a_sorted_queue_with_any_field_overwritten_stays_harmless() {
        spoil_each(SORTED, 2);
    }

    fn a_sorted_queue_with_loans_and_any_field_overwritten_stays_harmless() {
        spoil_each(SORTED | LOANS, 5);
    }

    /// Several pokes, between any operations.
    fn random_scripts_do_no_harm() {
        let mut numbers = Numbers(1);
        let (fields, end) = fields();
        let mut judge = Judge::new();
        for round in 0..6000 / part(10) {
            let begin = numbers.next() as u8;
            let mut steps = Vec::new();
            for _ in 0..numbers.below(12) + 6 {
                let at = if numbers.below(8) == 0 { numbers.below(end / 8) * 8 } else { fields[numbers.below(fields.len())] };
                let number = NUMBERS[numbers.below(NUMBERS.len())];
                let number = if numbers.below(3) == 0 { numbers.next() } else { number };
                steps.push(match numbers.below(8) {
                    0 => Step::Poke32 { at, value: number as u32 },
                    1 => Step::Poke64 { at: at & !7, value: number },
                    2 => Step::Flip { at, bit: numbers.below(32) as u8 },
                    _ => EVERYTHING[numbers.below(EVERYTHING.len())],
                });
            }
            judge.play(&format!("round {round}"), &write(begin, &steps));
        }
        judge.conclude();
    }
}
