//! A mapping that processes must agree on: a file in /dev/shm that begins with a [`header`], ends
//! with a table of those who take part ([`owner`]), and has its engine's own bytes in between.
//!
//! Nothing read from it is trusted: an engine copies a number once, checks the copy, and keeps what
//! never changes (sizes, offsets) in memory of its own.

#![allow(clippy::inline_always)] // measured: see sys/map.rs

pub(crate) mod header;
pub(crate) mod lock;
pub(crate) mod owner;
pub(crate) mod wait;

use crate::error::Errno;
use crate::sys::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sys::draft::Draft;
use crate::sys::fault::Guarded;
use crate::sys::map::{Mapping, Part, Parts, READ_WRITE};
use crate::sys::{self, fd, fs};
use header::{Header, Spoiled};
use owner::Table;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

#[derive(Debug)]
pub(crate) struct Region {
    /// Dropped before the mapping.
    guard: Guarded,
    mapping: Mapping,
    file: OwnedFd,
    table: Table,
    /// Tells this handle's participants from those of every other in this process.
    id: u64,
}

impl Region {
    /// Makes the file complete, then gives it its name: nobody ever sees it half made. What is the
    /// engine's is zeroes.
    pub fn create(path: &CStr, (mode, exact): (u32, bool), header: &Header) -> sys::Result<Region> {
        let draft = Draft::file(path, mode)?;
        if exact {
            fd::set_mode(draft.fd(), mode)?;
        }
        fs::reserve(draft.fd(), header.reserved())?;
        fs::set_size(draft.fd(), header.size())?;
        let mapping = Mapping::new(Some(draft.fd()), header.size(), true, READ_WRITE)?;
        let guard = Guarded::new(mapping.address(), mapping.len())?;
        header.write(&mapping);
        let file = draft.publish(path)?;
        Ok(Region::new(mapping, guard, file, header))
    }

    /// Maps a file that exists, if it is what it should be.
    pub fn open(file: OwnedFd, kind: u32) -> Result<(Region, Header), Spoiled> {
        let stat = fs::stat(file.as_fd())?;
        if !stat.is_file() {
            return Err(Spoiled::new("it is no unipc object: it is no file"));
        }
        if stat.size < header::SIZE {
            return Err(Spoiled::new(format!("it is no unipc object: it has {} bytes", stat.size)));
        }
        // The header first: how much to map is to be believed only then.
        let header = {
            let mapping = Mapping::new(Some(file.as_fd()), header::SIZE, true, READ_WRITE)?;
            let guard = Guarded::new(mapping.address(), mapping.len())?;
            let header = Header::read(&mapping, stat.size, kind)?;
            if guard.is_lost() {
                return Err(Errno::SPOILED.into());
            }
            drop(guard);
            header
        };
        let mapping = Mapping::new(Some(file.as_fd()), header.size(), true, READ_WRITE)?;
        let guard = Guarded::new(mapping.address(), mapping.len())?;
        Ok((Region::new(mapping, guard, file, &header), header))
    }

    fn new(mapping: Mapping, guard: Guarded, file: OwnedFd, header: &Header) -> Region {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let id = COUNT.fetch_add(1, Ordering::Relaxed);
        Region { guard, mapping, file, table: Table::new(header.table_at()), id }
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Whether a peer has cut the file: then nothing that was read since is to be believed.
    #[inline]
    pub fn is_lost(&self) -> bool {
        self.guard.is_lost()
    }

    #[inline]
    pub fn u32(&self, offset: usize) -> &AtomicU32 {
        self.mapping.u32(offset)
    }

    #[inline]
    pub fn u64(&self, offset: usize) -> &AtomicU64 {
        self.mapping.u64(offset)
    }

    /// As many parts as there are, one behind the other.
    pub fn parts(&self, first: usize, len: usize, count: usize) -> Option<Parts> {
        Parts::new(first, len, count, self.mapping.len())
    }

    #[inline(always)]
    pub fn part(&self, parts: &Parts, index: usize) -> Part<'_> {
        self.mapping.part(parts, index)
    }
}
