//! The file of a queue as an attacker has it: mapped, and written at will.

#![allow(dead_code)] // the fuzzer uses a part of it

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

pub fn path(name: &str) -> PathBuf {
    PathBuf::from(format!("/dev/shm/unipc.queue.{}", &name[1..]))
}

/// As docs/layout.md has it: the table of participants has so many pages, at the end of the file.
const PLACES: usize = 1024;
pub const HEADER: usize = 4096;

pub struct Segment {
    address: *mut u8,
    pub len: usize,
    pub page: usize,
}

// What races here is meant to.
unsafe impl Send for Segment {}
unsafe impl Sync for Segment {}

impl Segment {
    pub fn open(name: &str) -> Segment {
        Segment::map(&OpenOptions::new().read(true).write(true).open(path(name)).unwrap())
    }

    pub fn map(file: &File) -> Segment {
        let len = file.metadata().unwrap().len() as usize;
        let (protection, fd) = (libc::PROT_READ | libc::PROT_WRITE, file.as_raw_fd());
        let address = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, libc::MAP_SHARED, fd, 0) };
        assert_ne!(address, libc::MAP_FAILED);
        Segment { address: address.cast(), len, page: unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize }
    }

    /// Where the table of participants begins.
    pub fn table(&self) -> usize {
        self.len - PLACES * self.page
    }

    /// Up to here there is something worth spoiling: the table's first pages, which small tests use.
    pub fn end(&self) -> usize {
        self.table() + 4 * self.page
    }

    pub fn u32(&self, at: usize) -> &AtomicU32 {
        assert!(at + 4 <= self.len && at % 4 == 0);
        unsafe { AtomicU32::from_ptr(self.address.add(at).cast()) }
    }

    pub fn u64(&self, at: usize) -> &AtomicU64 {
        assert!(at + 8 <= self.len && at % 8 == 0);
        unsafe { AtomicU64::from_ptr(self.address.add(at).cast()) }
    }

    /// The aligned offsets where something stands: the header, its hot lines, words, lengths, priorities, data, the
    /// index, and the first places of the table with their life words.
    pub fn fields(&self) -> Vec<usize> {
        let table = self.table();
        let places = (0..2).map(|place| table + place * self.page);
        let hot = [0..96, 256..272, 1024..1048, 1152..1160, 1280..1288, 1408..1432, HEADER..table];
        let places = places.flat_map(|at| [at..at + 32, at + self.page - 32..at + self.page]);
        // Of a message's bytes, which nobody reads as numbers, the first are enough.
        hot.into_iter().chain(places).flat_map(|range| range.step_by(4)).filter(|&at| !self.is_idle(at)).collect()
    }

    /// Bytes between the index's end and the table that are zero now: payload and padding.
    fn is_idle(&self, at: usize) -> bool {
        (HEADER + 512..self.table()).contains(&at) && at % 128 >= 32 && self.u32(at).load(Relaxed) == 0
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        unsafe { libc::munmap(self.address.cast(), self.len) };
    }
}
