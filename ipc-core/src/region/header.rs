//! The first bytes of every region. docs/layout.md has the table.

use crate::error::Errno;
use crate::sys::atomic::Ordering::Relaxed;
use crate::sys::map::{self, Mapping};
use crate::sys::{clock, thread};
use std::borrow::Cow;

/// A change of any shared byte's meaning is a new version, here and in docs/layout.md.
pub(crate) const VERSION: u32 = 1;
/// Bytes of the header, engine's part included.
pub(crate) const SIZE: usize = 4096;
/// The most threads that can take part at one time: what 10 bits of a tag tell apart.
pub(crate) const PLACES: usize = 1024;
/// How many of them have their page from the beginning; a later one reserves it when it comes.
const PLACES_RESERVED: usize = 4;

const MAGIC: &[u8; 8] = b"unipc\r\n\0";
/// Reads differently on a machine of the other byte order.
const ORDER: u32 = 0x0102_0304;

const VERSION_AT: usize = 8;
const ORDER_AT: usize = 12;
const KIND_AT: usize = 16;
const PAGE_AT: usize = 20;
const SIZE_AT: usize = 24;
const TABLE_AT: usize = 32;
pub(crate) const CREATED_AT: usize = 40;
pub(crate) const CREATOR_AT: usize = 48;
const NAME_LEN_AT: usize = 52;
/// Two numbers of the engine's, that never change.
const SHAPE_AT: usize = 64;
const NAME_AT: usize = 256;
const NAME_MAX: usize = 256;

// What changes. All are on one line that everybody reads and who sleeps or wakes writes.
pub(crate) const WAIT_AT: usize = 1024;
pub(crate) const HIGHEST_AT: usize = 1028;
/// From here to `SIZE` the engine's.
pub(crate) const ENGINE_AT: usize = 1032;

/// Why a file is refused.
pub(crate) struct Spoiled {
    pub errno: Errno,
    pub cause: Option<Cow<'static, str>>,
}

impl Spoiled {
    /// Contents that no participant writes.
    pub fn new(cause: impl Into<Cow<'static, str>>) -> Spoiled {
        Spoiled { errno: Errno::SPOILED, cause: Some(cause.into()) }
    }

    /// Of another version, or another machine.
    pub fn foreign(cause: impl Into<Cow<'static, str>>) -> Spoiled {
        Spoiled { errno: Errno(libc::EPROTO), cause: Some(cause.into()) }
    }
}

impl From<Errno> for Spoiled {
    fn from(errno: Errno) -> Spoiled {
        Spoiled { errno, cause: None }
    }
}

/// What never changes, in memory of our own.
pub(crate) struct Header {
    pub kind: u32,
    /// Of the engine: how many of what size.
    pub shape: [u64; 2],
    /// Bytes of the engine's, behind the header.
    pub body: usize,
    pub name: Vec<u8>,
}

impl Header {
    /// Where the table of participants begins: a page boundary.
    pub fn table_at(&self) -> usize {
        (SIZE + self.body).next_multiple_of(map::page())
    }

    /// The whole file.
    pub fn size(&self) -> usize {
        self.table_at() + PLACES * map::page()
    }

    /// What has its space from the beginning.
    pub fn reserved(&self) -> usize {
        self.table_at() + PLACES_RESERVED * map::page()
    }

    pub fn write(&self, mapping: &Mapping) {
        let u32s = [
            (VERSION_AT, VERSION),
            (ORDER_AT, ORDER),
            (KIND_AT, self.kind),
            (PAGE_AT, map::page() as u32),
            (CREATOR_AT, std::process::id()),
            (NAME_LEN_AT, self.name.len() as u32),
        ];
        let u64s = [
            (SIZE_AT, self.size() as u64),
            (TABLE_AT, self.table_at() as u64),
            (CREATED_AT, clock::realtime().as_nanos() as u64),
            (SHAPE_AT, self.shape[0]),
            (SHAPE_AT + 8, self.shape[1]),
        ];
        for (at, value) in u32s {
            mapping.u32(at).store(value, Relaxed);
        }
        for (at, value) in u64s {
            mapping.u64(at).store(value, Relaxed);
        }
        let name = &self.name[..self.name.len().min(NAME_MAX)];
        let written = mapping.write(NAME_AT, name).and_then(|()| mapping.write(0, MAGIC));
        debug_assert!(written.is_ok(), "the header lies inside");
    }

    /// Copies what stands there, and refuses what this version cannot have written. The engine has still
    /// to compare `shape` with `body`, by [`Header::check`].
    pub fn read(mapping: &Mapping, size: usize, kind: u32) -> Result<Header, Spoiled> {
        let mut magic = [0; MAGIC.len()];
        mapping.read(0, &mut magic)?;
        if magic != *MAGIC {
            return Err(Spoiled::new("it is no unipc object: it begins with other bytes"));
        }
        let u32 = |at| mapping.u32(at).load(Relaxed);
        let u64 = |at| mapping.u64(at).load(Relaxed);
        if u32(ORDER_AT) == ORDER.swap_bytes() {
            return Err(Spoiled::foreign("it was made on a machine of the other byte order"));
        }
        if u32(VERSION_AT) != VERSION {
            let cause = format!(
                "its layout has version {}, and this unipc knows version {VERSION}; make it anew, or use the same \
                 unipc on both sides",
                u32(VERSION_AT)
            );
            return Err(Spoiled::foreign(cause));
        }
        if u32(PAGE_AT) as usize != map::page() {
            let cause = format!("it was made for pages of {} bytes, and here they have {}", u32(PAGE_AT), map::page());
            return Err(Spoiled::foreign(cause));
        }
        if u32(ORDER_AT) != ORDER || u32(KIND_AT) != kind {
            return Err(Spoiled::new("it is a unipc object, but not of this kind"));
        }
        let mut name = vec![0; (u32(NAME_LEN_AT) as usize).min(NAME_MAX)];
        mapping.read(NAME_AT, &mut name)?;
        let shape = [u64(SHAPE_AT), u64(SHAPE_AT + 8)];
        // Compared with the file's size before anything is computed from it.
        let table = size.checked_sub(PLACES * map::page()).filter(|&at| at >= SIZE && at % map::page() == 0);
        match table {
            Some(at) if u64(TABLE_AT) == at as u64 && u64(SIZE_AT) == size as u64 => {
                Ok(Header { kind, shape, body: at - SIZE, name })
            }
            _ => Err(Spoiled::new(format!("its header says another size than its {size} bytes"))),
        }
    }

    /// Whether the engine's bytes are as many as its shape needs.
    pub fn check(&self, body: Option<usize>) -> Result<(), Spoiled> {
        if body.is_some_and(|body| (SIZE + body).next_multiple_of(map::page()) == self.table_at()) {
            return Ok(());
        }
        Err(Spoiled::new("the numbers in its header do not fit together"))
    }
}

/// Fields of a participant's page, beside the life word at its end.
pub(crate) mod place {
    /// How often the place was given out; its lower bits are part of the tag.
    pub const GENERATION: usize = 0;
    /// Which classes of sleepers its thread is in now.
    pub const WAITING: usize = 4;
    pub const PROCESS: usize = 8;
    pub const THREAD: usize = 12;
    /// When it came, in nanoseconds since 1970.
    pub const SINCE: usize = 16;
}

/// Tells who takes a place.
pub(crate) fn sign(mapping: &super::Region, page: usize) {
    mapping.u32(page + place::PROCESS).store(std::process::id(), Relaxed);
    mapping.u32(page + place::THREAD).store(thread::id(), Relaxed);
    mapping.u64(page + place::SINCE).store(clock::realtime().as_nanos() as u64, Relaxed);
}

/// The rows of docs/layout.md that are every region's.
#[cfg(test)]
pub(crate) const LAYOUT: [(usize, usize, &str); 20] = [
    (0, MAGIC.len(), "`unipc"),
    (VERSION_AT, 4, "layout version"),
    (ORDER_AT, 4, "byte order"),
    (KIND_AT, 4, "kind"),
    (PAGE_AT, 4, "page size"),
    (SIZE_AT, 8, "size of the file"),
    (TABLE_AT, 8, "where the table"),
    (CREATED_AT, 8, "when it was made"),
    (CREATOR_AT, 4, "process that made it"),
    (NAME_LEN_AT, 4, "bytes of the name"),
    (SHAPE_AT, 8, "messages that the queue holds"),
    (SHAPE_AT + 8, 8, "bytes of the longest message"),
    (NAME_AT, NAME_MAX, "name"),
    (WAIT_AT, 4, "wait word"),
    (HIGHEST_AT, 4, "how many places"),
    (place::GENERATION, 4, "generation"),
    (place::WAITING, 4, "sleeps now"),
    (place::PROCESS, 4, "process"),
    (place::THREAD, 4, "thread"),
    (place::SINCE, 8, "when it came"),
];
