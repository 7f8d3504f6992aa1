//! What a queue looks like from outside, to who takes no part in it.
//!
//! Everything is read by pread(2) from a descriptor that cannot write: no place is taken, no byte changes, no
//! page comes into being where the file has a hole, and a file that is cut meanwhile is a short read and no
//! SIGBUS. Nothing is locked either, so each number is of its own instant; each is copied once, and checked
//! before it is used.

use super::word::{State, TURN, Word};
use super::{
    DATA_AT, FULL_AT, HEAD_AT, KIND, LEN_AT, LOCK_AT, MODE_AT, NEXT_AT, NOTIFY_AT, PREFIX, SORTED_MODE, Shape, TAIL_AT,
};
use crate::error::Errno;
use crate::name::{NAME_MAX, Name};
use crate::queue::PRIORITY_MAX;
use crate::region::header::{CREATED_AT, CREATOR_AT, HIGHEST_AT, Header, PLACES, SIZE, Spoiled, place};
use crate::region::lock::CONTENDED;
use crate::region::owner::{PLACE_BITS, TAG_BITS};
use crate::region::wait::{Class, WATCHES};
use crate::sys::map::{self, Mapping, READ_WRITE};
use crate::sys::robust;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

const TAG: u32 = (1 << TAG_BITS) - 1;
/// More cells are not walked through: it would take seconds. Then the counts are the queue's own hints.
const WALKED_MAX: usize = 1 << 20;
/// Cells are read in pieces of so many bytes, where that is not mostly messages.
const PIECE: usize = 1 << 18;
/// Of a cell, what is read when its message is not: word, length and priority.
const FACE: usize = DATA_AT;

/// A queue's file, whose header is right.
pub(crate) struct Look {
    file: File,
    shape: Shape,
    table_at: usize,
    /// As it was when it was checked.
    header: Box<[u8; SIZE]>,
    pub name: String,
}

/// All that is told of a queue.
pub(crate) struct View {
    /// Nanoseconds since 1970.
    pub made: u64,
    /// The process that made it, as it saw itself.
    pub maker: u32,
    pub max_messages: usize,
    pub message_size: usize,
    /// The header's: 0, 1 + priority, or `SORTED`.
    pub mode: u32,
    pub messages: usize,
    /// Tickets that were given out.
    pub sent: u64,
    /// `None`: there are too many cells to look at each.
    pub bytes: Option<u64>,
    pub seats: Vec<Seat>,
    /// Cells that are held under a tag which no thread has, and the lock, if it is held so.
    pub orphaned: u64,
    pub wrong: Vec<String>,
}

pub(crate) const SORTED: u32 = SORTED_MODE;

/// A place of the table that is taken, or was and is a dead one's.
pub(crate) struct Seat {
    pub place: usize,
    pub process: u32,
    pub thread: u32,
    /// Nanoseconds since 1970.
    pub since: u64,
    /// The kernel has marked it.
    pub dead: bool,
    /// What it sleeps for: classes, and whether it only watches.
    waiting: u32,
    pub reserved: usize,
    pub borrowed: usize,
    pub locks: bool,
    pub notified: bool,
    tag: u32,
}

impl Seat {
    pub fn receives(&self) -> bool {
        self.waiting & Class::Receivers.bit() != 0
    }

    pub fn sends(&self) -> bool {
        self.waiting & Class::Senders.bit() != 0
    }

    pub fn watches(&self) -> bool {
        self.waiting & WATCHES != 0
    }
}

pub(crate) struct Message {
    pub priority: u32,
    pub len: usize,
    /// `None`: it changed meanwhile.
    pub data: Option<Vec<u8>>,
}

fn u32_in(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_in(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Whether a file in /dev/shm is called as a queue is.
pub(crate) fn is_called_so(file: &str) -> bool {
    file.starts_with(PREFIX) || file.starts_with(&format!("{}~", PREFIX.trim_end_matches('.')))
}

/// The name of the queue whose file is called so, if the name is in there.
pub(crate) fn name_of(file: &str) -> Option<String> {
    file.strip_prefix(PREFIX).map(|rest| format!("/{rest}"))
}

impl Look {
    /// Checks the header of a file that has `size` bytes and is called `called`, as opening it would.
    pub fn at(file: File, size: u64, called: &str) -> Result<Look, Spoiled> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size < SIZE {
            return Err(Spoiled::new(format!("it is no unipc object: it has {size} bytes")));
        }
        let mut bytes = Box::new([0; SIZE]);
        read(&file, &mut bytes[..], 0)?;
        // The same checks as for who takes part, on a private copy.
        let copy = Mapping::new(None, SIZE, false, READ_WRITE)?;
        copy.write(0, &bytes[..])?;
        let header = Header::read(&copy, size, KIND)?;
        let [slots, message_size] = header.shape.map(|number| usize::try_from(number).unwrap_or(0));
        let shape = Shape::new(slots, message_size);
        header.check(shape.map(|shape| shape.body))?;
        let shape = shape.ok_or_else(|| Spoiled::new("its sizes are impossible"))?;
        let table_at = header.table_at();
        let name = String::from_utf8(header.name).ok().filter(|name| {
            let name = Name::new("look at", name, NAME_MAX);
            name.is_ok_and(|name| name.file_or_digest(PREFIX).to_bytes() == called.as_bytes())
        });
        let name = name.ok_or_else(|| Spoiled::new("it was made under another name"))?;
        Ok(Look { file, shape, table_at, header: bytes, name })
    }

    pub fn view(&self) -> Result<View, Spoiled> {
        let header = &self.header[..];
        let mut view = View {
            made: u64_in(header, CREATED_AT),
            maker: u32_in(header, CREATOR_AT),
            max_messages: self.shape.slots,
            message_size: self.shape.message_size,
            mode: u32_in(header, MODE_AT),
            messages: 0,
            sent: u64_in(header, if u32_in(header, MODE_AT) == SORTED_MODE { NEXT_AT } else { TAIL_AT }),
            bytes: None,
            seats: self.seats()?,
            orphaned: 0,
            wrong: Vec::new(),
        };
        if view.mode != SORTED_MODE && view.mode > PRIORITY_MAX + 1 {
            view.wrong.push(format!("its mode is {:#x}, which cannot be", view.mode));
        }
        self.count(&mut view)?;
        self.own(&mut view);
        Ok(view)
    }

    /// Counts messages, and what each participant holds.
    fn count(&self, view: &mut View) -> Result<(), Spoiled> {
        if self.shape.slots > WALKED_MAX {
            view.messages = self.hinted();
            view.wrong
                .push(format!("it holds more than {WALKED_MAX} messages: they are counted by the queue's own hints"));
            return Ok(());
        }
        let (mut bytes, mut too_long) = (0, 0);
        let mut held: HashMap<(u32, bool), usize> = HashMap::new();
        let mut tickets = 0;
        self.walk(|index, word, face| {
            // The header's tail is late. A cell that is free on a lap had its ticket of the one before.
            if !word.is_sorted() {
                let laps = word.turn() + u64::from(word.state() != State::Free);
                let last = laps.checked_sub(1).map(|lap| lap.saturating_mul(self.shape.slots as u64));
                tickets = last.map_or(tickets, |first| tickets.max(first.saturating_add(index as u64 + 1)));
            }
            match word.state() {
                State::Full => {
                    let len = u32_in(face, LEN_AT) as usize;
                    too_long += usize::from(len > self.shape.message_size);
                    view.messages += 1;
                    bytes += len.min(self.shape.message_size) as u64;
                }
                State::Writing => *held.entry((word.owner(), true)).or_default() += 1,
                State::Reading => *held.entry((word.owner(), false)).or_default() += 1,
                State::Free => {}
            }
        })?;
        view.sent = view.sent.max(tickets);
        view.bytes = Some(bytes);
        if too_long > 0 {
            view.wrong.push(format!("{too_long} of its messages are longer than a message can be"));
        }
        for ((tag, writes), count) in held {
            match view.seats.iter_mut().find(|seat| seat.tag == tag) {
                Some(seat) if writes => seat.reserved = count,
                Some(seat) => seat.borrowed = count,
                None => view.orphaned += count as u64,
            }
        }
        Ok(())
    }

    /// Who has the lock, and who is to be notified.
    fn own(&self, view: &mut View) {
        let lock = u32_in(&self.header[..], LOCK_AT) & !CONTENDED;
        if lock != 0 {
            match view.seats.iter_mut().find(|seat| seat.tag == lock - 1) {
                Some(seat) => seat.locks = true,
                None => view.orphaned += 1,
            }
        }
        let notify = u32_in(&self.header[..], NOTIFY_AT);
        if notify != 0 {
            if let Some(seat) = view.seats.iter_mut().find(|seat| seat.tag == notify & TAG) {
                seat.notified = true;
            }
        }
    }

    /// How many messages the header says there are.
    fn hinted(&self) -> usize {
        let header = &self.header[..];
        let count = if u32_in(header, MODE_AT) == SORTED_MODE {
            u64::from(u32_in(header, FULL_AT))
        } else {
            u64_in(header, TAIL_AT).saturating_sub(u64_in(header, HEAD_AT))
        };
        count.min(self.shape.slots as u64) as usize
    }

    fn seats(&self) -> Result<Vec<Seat>, Spoiled> {
        let highest = (u32_in(&self.header[..], HIGHEST_AT) as usize).min(PLACES);
        let page = map::page();
        let mut seats = Vec::new();
        for place in 0..highest {
            let at = self.table_at + place * page;
            let mut word = [0; 4];
            read(&self.file, &mut word, at + page - robust::WORD_BEFORE_END)?;
            let word = u32::from_ne_bytes(word);
            if word == 0 {
                continue;
            }
            let mut bytes = [0; 24];
            read(&self.file, &mut bytes, at)?;
            let dead = robust::is_marked_dead(word);
            seats.push(Seat {
                place,
                process: u32_in(&bytes, place::PROCESS),
                thread: u32_in(&bytes, place::THREAD),
                since: u64_in(&bytes, place::SINCE),
                dead,
                waiting: u32_in(&bytes, place::WAITING),
                reserved: 0,
                borrowed: 0,
                locks: false,
                notified: false,
                tag: (u32_in(&bytes, place::GENERATION) << PLACE_BITS | place as u32) & TAG,
            });
        }
        Ok(seats)
    }

    /// Every cell, with its word, length and priority.
    fn walk(&self, mut each: impl FnMut(usize, Word, &[u8])) -> Result<(), Spoiled> {
        let Shape { slots, stride, cells_at, .. } = self.shape;
        let (step, len) = if stride <= map::PAGE_MIN { (PIECE / stride, stride) } else { (1, FACE) };
        let mut bytes = vec![0; step * len];
        for first in (0..slots).step_by(step) {
            let count = step.min(slots - first);
            read(&self.file, &mut bytes[..count * len], cells_at + first * stride)?;
            for (index, cell) in bytes[..count * len].chunks_exact(len).enumerate() {
                each(first + index, Word(u64_in(cell, 0)), &cell[..FACE]);
            }
        }
        Ok(())
    }

    /// The first `max` messages in the order in which they would be received, up to `bytes` bytes of each.
    pub fn peek(&self, max: usize, bytes: usize) -> Result<Vec<Message>, Spoiled> {
        let slots = self.shape.slots;
        if slots > WALKED_MAX {
            let cause = format!("it holds more than {WALKED_MAX} messages, too many to find the first of them");
            return Err(Spoiled { errno: Errno::UNSUPPORTED, cause: Some(cause.into()) });
        }
        let mut full = Vec::new();
        self.walk(|index, word, _| {
            if word.state() == State::Full {
                // While a ring is being sorted there are both.
                let lap = word.turn().wrapping_mul(slots as u64).wrapping_add(index as u64) & TURN;
                full.push((index, word, if word.is_sorted() { word.turn() } else { lap }));
            }
        })?;
        // Tickets may have wrapped, but never stand farther apart than half of all there are.
        let middle = full.first().map_or(0, |&(_, _, ticket)| ticket);
        let age = |ticket: u64| ticket.wrapping_sub(middle).wrapping_add(TURN / 2) & TURN;
        full.sort_by_key(|&(_, word, ticket)| (Reverse(word.owner()), age(ticket)));
        full.truncate(max);
        full.into_iter().map(|(index, word, _)| self.message(index, word, bytes)).collect()
    }

    /// A message that stood in a cell with this word. What was copied counts if the word still stands there
    /// afterwards: then nobody had the cell in between.
    fn message(&self, index: usize, word: Word, bytes: usize) -> Result<Message, Spoiled> {
        let at = self.shape.cells_at + index * self.shape.stride;
        let mut face = [0; FACE];
        read(&self.file, &mut face, at)?;
        let changed = Message { priority: word.owner(), len: 0, data: None };
        if u64_in(&face, 0) != word.0 {
            return Ok(changed);
        }
        let len = u32_in(&face, LEN_AT) as usize;
        let mut data = vec![0; len.min(self.shape.message_size).min(bytes)];
        read(&self.file, &mut data, at + DATA_AT)?;
        let mut after = [0; 8];
        read(&self.file, &mut after, at)?;
        if u64::from_ne_bytes(after) != word.0 {
            return Ok(changed);
        }
        if len > self.shape.message_size {
            return Err(Spoiled::new(format!("a message says that it has {len} bytes, and none can have so many")));
        }
        Ok(Message { priority: word.owner(), len, data: Some(data) })
    }
}

/// Reads all of `buf`.
fn read(file: &File, buf: &mut [u8], at: usize) -> Result<(), Spoiled> {
    file.read_exact_at(buf, at as u64).map_err(|error| match error.raw_os_error() {
        Some(errno) => Errno(errno).into(),
        None => Spoiled::new("it was cut while it was looked at"),
    })
}
