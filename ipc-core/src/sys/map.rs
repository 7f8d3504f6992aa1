//! mmap(2): bytes that other processes may write at any time, so no reference to them ever leaves
//! this file; they are copied in and out.

#![allow(clippy::inline_always)] // measured: a part is a few instructions, a call is as many more

use super::atomic::{AtomicU32, AtomicU64};
use super::{Result, check};
use crate::error::Errno;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};

/// A mapping of this process, unmapped when dropped.
#[derive(Debug)]
pub struct Mapping {
    address: NonNull<u8>,
    len: usize,
    protection: i32,
}

// SAFETY: in here the bytes are reached by volatile or assembly copies and by libc's semaphore
// calls only, which other processes race with anyway; the fields change through `&mut` alone.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

/// No page of Linux is larger, huge ones apart.
pub const PAGE_MAX: usize = 65536;
/// Nor smaller: a mapping has so many bytes, whatever its length.
pub const PAGE_MIN: usize = 4096;

pub const NONE: i32 = libc::PROT_NONE;
pub const READ: i32 = libc::PROT_READ;
pub const READ_WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;

impl Mapping {
    /// Maps the first `len` bytes of `fd`, or fresh zeroes without one.
    pub fn new(fd: Option<BorrowedFd<'_>>, len: usize, shared: bool, protection: i32) -> Result<Mapping> {
        let sharing = if shared { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
        let (fd, flags) = match fd {
            Some(fd) => (fd.as_raw_fd(), sharing),
            None => (-1, sharing | libc::MAP_ANONYMOUS),
        };
        // SAFETY: a null hint lets the kernel choose a free range.
        let address = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, fd, 0) };
        if address == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let address = NonNull::new(address.cast()).ok_or(Errno(libc::ENOMEM))?;
        #[cfg(unipc_model)]
        super::model::mapped(address, len);
        Ok(Mapping { address, len, protection })
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn protection(&self) -> i32 {
        self.protection
    }

    pub fn address(&self) -> NonNull<u8> {
        self.address
    }

    /// The address of `len` bytes at `offset`: ERANGE when they do not lie inside, EACCES when the
    /// protection does not allow what is `wanted`.
    pub fn range(&self, offset: usize, len: usize, wanted: i32) -> Result<NonNull<u8>> {
        if offset > self.len || len > self.len - offset {
            return Err(Errno(libc::ERANGE));
        }
        if self.protection & wanted != wanted {
            return Err(Errno(libc::EACCES));
        }
        // SAFETY: `offset` is at most `len`, so the result stays in the mapping or just behind it.
        Ok(unsafe { self.address.add(offset) })
    }

    pub fn read(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        #[cfg(unipc_model)]
        super::model::step();
        let from = self.range(offset, buf.len(), libc::PROT_READ)?;
        // SAFETY: `range` checked the bytes; `buf` is valid, and copied byte by byte if C gave one
        // that lies in the mapping itself.
        unsafe { copy_racing(from.as_ptr(), buf.as_mut_ptr(), buf.len()) };
        Ok(())
    }

    pub fn write(&self, offset: usize, data: &[u8]) -> Result<()> {
        #[cfg(unipc_model)]
        super::model::step();
        let to = self.range(offset, data.len(), libc::PROT_WRITE)?;
        // SAFETY: as in `read`.
        unsafe { copy_racing(data.as_ptr(), to.as_ptr(), data.len()) };
        Ok(())
    }

    /// The number at `offset`, which lies inside and is aligned: the caller computed it from a layout
    /// that was checked.
    #[inline]
    pub fn u32(&self, offset: usize) -> &AtomicU32 {
        assert!((offset <= PAGE_MIN - 4 || offset <= self.len - 4) && offset % 4 == 0, "not in the mapping");
        // SAFETY: four aligned bytes of a mapping that lives as long as the borrow. Peers are told to
        // touch them atomically; one that does not can spoil the value, as by any store.
        unsafe { AtomicU32::from_ptr(self.address.add(offset).cast().as_ptr()) }
    }

    /// As [`u32`](Self::u32).
    #[inline]
    pub fn u64(&self, offset: usize) -> &AtomicU64 {
        assert!((offset <= PAGE_MIN - 8 || offset <= self.len - 8) && offset % 8 == 0, "not in the mapping");
        // SAFETY: as in `u32`, of eight bytes.
        unsafe { AtomicU64::from_ptr(self.address.add(offset).cast().as_ptr()) }
    }

    /// One of `parts`.
    #[inline(always)]
    pub fn part(&self, parts: &Parts, index: usize) -> Part<'_> {
        assert!(index < parts.count && parts.within == self.len, "not in the mapping");
        // SAFETY: `Parts::new` found all of them to lie inside a mapping of this length.
        let address = unsafe { self.address.add(parts.first + index * parts.len) };
        Part { address, len: parts.len, mapping: PhantomData }
    }

    pub fn protect(&mut self, protection: i32) -> Result<()> {
        // SAFETY: the whole of our own mapping; `&mut` says that nobody is copying.
        check(unsafe { libc::mprotect(self.address.as_ptr().cast(), self.len, protection) }.into())?;
        self.protection = protection;
        Ok(())
    }

    /// Makes the mapping longer or shorter; it may move.
    pub fn resize(&mut self, len: usize) -> Result<()> {
        // SAFETY: the whole of our own mapping; `&mut` says that nobody holds its address.
        let address = unsafe { libc::mremap(self.address.as_ptr().cast(), self.len, len, libc::MREMAP_MAYMOVE) };
        if address == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        self.address = NonNull::new(address.cast()).ok_or(Errno(libc::ENOMEM))?;
        self.len = len;
        Ok(())
    }

    /// msync(2) of the pages that hold `len` bytes at `offset`.
    pub fn sync(&self, offset: usize, len: usize) -> Result<()> {
        self.range(offset, len, 0)?;
        let begin = offset - offset % page();
        // SAFETY: `begin` is inside the mapping, as `offset` is.
        let from = unsafe { self.address.add(begin) };
        // SAFETY: a page-aligned range of our own mapping.
        check(unsafe { libc::msync(from.as_ptr().cast(), offset + len - begin, libc::MS_SYNC) }.into()).map(drop)
    }
}

/// Where in a mapping as many parts as there are lie, one behind the other: found to be inside once, so that
/// one comparison is enough for each afterwards.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    first: usize,
    len: usize,
    count: usize,
    /// The length of the mapping.
    within: usize,
}

impl Parts {
    /// `None`: they do not lie inside a mapping of `within` bytes, or not aligned.
    pub fn new(first: usize, len: usize, count: usize, within: usize) -> Option<Parts> {
        let end = len.checked_mul(count)?.checked_add(first)?;
        let fits = end <= within && len >= Part::LEAST && first % 8 == 0 && len % 8 == 0;
        fits.then_some(Parts { first, len, count, within })
    }
}

/// One of them.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    address: NonNull<u8>,
    len: usize,
    mapping: PhantomData<&'a Mapping>,
}

impl<'a> Part<'a> {
    /// Every part has so many bytes.
    const LEAST: usize = 16;

    /// The number at `offset`, which lies inside and is aligned.
    #[inline]
    pub fn u32(self, offset: usize) -> &'a AtomicU32 {
        assert!((offset <= Part::LEAST - 4 || offset <= self.len - 4) && offset % 4 == 0, "not in the part");
        // SAFETY: as in `Mapping::u32`.
        unsafe { AtomicU32::from_ptr(self.address.add(offset).cast().as_ptr()) }
    }

    /// As [`u32`](Self::u32).
    #[inline]
    pub fn u64(self, offset: usize) -> &'a AtomicU64 {
        assert!((offset <= Part::LEAST - 8 || offset <= self.len - 8) && offset % 8 == 0, "not in the part");
        // SAFETY: as in `Mapping::u32`, of eight bytes.
        unsafe { AtomicU64::from_ptr(self.address.add(offset).cast().as_ptr()) }
    }

    /// The address of an offset that lies inside, or just behind.
    #[inline]
    pub fn address(self, offset: usize) -> *mut u8 {
        assert!(offset <= Part::LEAST || offset <= self.len, "not in the part");
        self.address.as_ptr().wrapping_add(offset)
    }

    /// Where `len` bytes at `offset` are: ERANGE when they do not lie inside.
    #[inline]
    fn range(self, offset: usize, len: usize) -> Result<NonNull<u8>> {
        if offset > self.len || len > self.len - offset {
            return Err(Errno(libc::ERANGE));
        }
        // SAFETY: `offset` is at most `len`.
        Ok(unsafe { self.address.add(offset) })
    }

    /// Of a mapping that can be read.
    #[inline]
    pub fn read(self, offset: usize, buf: &mut [u8]) -> Result<()> {
        #[cfg(unipc_model)]
        super::model::step();
        let from = self.range(offset, buf.len())?;
        // SAFETY: as in `Mapping::read`.
        unsafe { copy_racing(from.as_ptr(), buf.as_mut_ptr(), buf.len()) };
        Ok(())
    }

    /// Of a mapping that can be written.
    #[inline]
    pub fn write(self, offset: usize, data: &[u8]) -> Result<()> {
        #[cfg(unipc_model)]
        super::model::step();
        let to = self.range(offset, data.len())?;
        // SAFETY: as in `Mapping::read`.
        unsafe { copy_racing(data.as_ptr(), to.as_ptr(), data.len()) };
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the whole of our own mapping, and nobody can use it any more.
        unsafe { libc::munmap(self.address.as_ptr().cast(), self.len) };
    }
}

/// Bytes of a page on this machine.
pub fn page() -> usize {
    // SAFETY: sysconf reads a constant.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// Copies between private bytes and bytes that another process may write meanwhile.
///
/// A plain copy would promise the compiler that nobody else writes; assembly (or volatile words)
/// promises nothing, so torn or changing bytes are the worst that can come of it.
///
/// # Safety
/// Both ranges are mapped for `len` bytes, with the protection that the copy needs. Where they
/// overlap, some mixture of the bytes is the outcome.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn copy_racing(from: *const u8, to: *mut u8, len: usize) {
    // What `rep movsb` takes to begin is more than a few vectors take as a whole.
    const FEW: usize = 512;
    const VECTOR: usize = 16;
    // SAFETY: the caller vouches for both ranges; the ABI keeps the direction flag clear. The vectors
    // cover the range from its beginning, and its last bytes by one that ends where the range does.
    unsafe {
        if len < VECTOR {
            for at in 0..len {
                to.add(at).write_volatile(from.add(at).read_volatile());
            }
        } else if len <= FEW {
            std::arch::asm!(
                "2:",
                "movups {vector}, [{from} + {at}]",
                "movups [{to} + {at}], {vector}",
                "add {at}, 16",
                "cmp {at}, {last}",
                "jb 2b",
                "movups {vector}, [{from} + {last}]",
                "movups [{to} + {last}], {vector}",
                from = in(reg) from,
                to = in(reg) to,
                at = inout(reg) 0usize => _,
                last = in(reg) len - VECTOR,
                vector = out(xmm_reg) _,
                options(nostack),
            );
        } else {
            std::arch::asm!(
                "rep movsb",
                inout("rcx") len => _,
                inout("rsi") from => _,
                inout("rdi") to => _,
                options(nostack, preserves_flags),
            );
        }
    }
}

/// As above, word by word: the volatile accesses are aligned on both sides or bytes.
///
/// # Safety
/// As above.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn copy_racing(from: *const u8, to: *mut u8, len: usize) {
    let mut done = 0;
    // SAFETY: the caller vouches for both ranges; words are used only where both sides are aligned.
    unsafe {
        while done < len {
            let (source, target) = (from.add(done), to.add(done));
            if len - done >= 8 && source.cast::<u64>().is_aligned() && target.cast::<u64>().is_aligned() {
                target.cast::<u64>().write_volatile(source.cast::<u64>().read_volatile());
                done += 8;
            } else {
                target.write_volatile(source.read_volatile());
                done += 1;
            }
        }
    }
}
