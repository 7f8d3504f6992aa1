//! Files: open(2), mkfifo(3), fstat(2), link(2), their space and their seals.

use super::{Result, check, syscall};
use crate::error::Errno;
use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// openat(2) from the working directory, close-on-exec. A FIFO makes it wait for a peer, until a
/// signal handler runs.
pub fn open(path: &CStr, flags: i32, mode: u32) -> Result<OwnedFd> {
    // SAFETY: a NUL-terminated path; the descriptor that comes back is ours.
    unsafe {
        let fd = syscall!(SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags | libc::O_CLOEXEC, mode)?;
        super::fd::new(fd as i32)
    }
}

/// Whether there is something of this name, whatever it is.
pub fn exists(path: &CStr) -> bool {
    open(path, libc::O_PATH | libc::O_NOFOLLOW, 0).is_ok()
}

/// Opens a file to map it; a FIFO in its place is not waited for.
pub fn open_file(path: &CStr, write: bool) -> Result<OwnedFd> {
    open(path, if write { libc::O_RDWR } else { libc::O_RDONLY } | libc::O_NONBLOCK | libc::O_NOCTTY, 0)
}

/// The name under which /proc shows a descriptor of this process to this thread: its first one may have ended, which
/// is what "self" shows.
pub fn proc_path(fd: BorrowedFd<'_>) -> CString {
    CString::new(format!("/proc/thread-self/fd/{}", fd.as_raw_fd())).expect("a number has no NUL")
}

/// Whether /proc shows our descriptors: without it no file can be reopened.
pub fn has_proc() -> bool {
    Path::new("/proc/thread-self/fd").exists()
}

/// Opens the file behind `fd` anew: the same file, whatever its path has become since.
pub fn reopen(fd: BorrowedFd<'_>, flags: i32) -> Result<OwnedFd> {
    open(&proc_path(fd), flags, 0)
}

pub struct Stat {
    pub size: usize,
    /// How many of its bytes have their space.
    pub allocated: usize,
    kind: u32,
}

impl Stat {
    pub fn is_fifo(&self) -> bool {
        self.kind == libc::S_IFIFO
    }

    pub fn is_file(&self) -> bool {
        self.kind == libc::S_IFREG
    }
}

pub fn stat(fd: BorrowedFd<'_>) -> Result<Stat> {
    let mut stat = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: `stat` is valid to write to, and zeroes are a valid value.
    let stat = unsafe {
        check(libc::fstat(fd.as_raw_fd(), stat.as_mut_ptr()).into())?;
        stat.assume_init()
    };
    Ok(Stat {
        size: usize::try_from(stat.st_size).unwrap_or(0),
        allocated: usize::try_from(stat.st_blocks).unwrap_or(0) * 512,
        kind: stat.st_mode & libc::S_IFMT,
    })
}

/// Sets the permission bits of what an `O_PATH` descriptor stands for, whatever the umask.
pub fn set_mode_of_path(fd: BorrowedFd<'_>, mode: u32) -> Result<()> {
    // SAFETY: a NUL-terminated path.
    check(unsafe { libc::chmod(proc_path(fd).as_ptr(), mode) }.into()).map(drop)
}

pub fn mkfifo(path: &CStr, mode: u32) -> Result<()> {
    // SAFETY: a NUL-terminated path.
    check(unsafe { libc::mkfifo(path.as_ptr(), mode) }.into()).map(drop)
}

pub fn unlink(path: &CStr) -> Result<()> {
    // SAFETY: a NUL-terminated path.
    check(unsafe { libc::unlink(path.as_ptr()) }.into()).map(drop)
}

/// Gives a file a second name, which must be free. With `follow`, `from` is a link to it.
pub fn link(from: &CStr, to: &CStr, follow: bool) -> Result<()> {
    let flags = if follow { libc::AT_SYMLINK_FOLLOW } else { 0 };
    // SAFETY: two NUL-terminated paths.
    check(unsafe { libc::linkat(libc::AT_FDCWD, from.as_ptr(), libc::AT_FDCWD, to.as_ptr(), flags) }.into()).map(drop)
}

/// Cuts a file, or extends it by zeroes that have no space of their own.
pub fn set_size(fd: BorrowedFd<'_>, size: usize) -> Result<()> {
    let size = libc::off_t::try_from(size).map_err(|_| Errno(libc::EFBIG))?;
    // SAFETY: no memory is involved.
    check(unsafe { libc::ftruncate(fd.as_raw_fd(), size) }.into()).map(drop)
}

/// posix_fallocate(3): reserves the first `size` bytes, so that touching them later cannot fail; a
/// file that was shorter has that size then.
///
/// A signal makes it undo what it did; where signals keep coming it gets ahead in small pieces.
pub fn reserve(fd: BorrowedFd<'_>, size: usize) -> Result<()> {
    const PIECE: usize = 1 << 20;
    if let Some(whole) = tmpfs_size(fd)? {
        if whole > 0 && size as u64 > whole {
            return Err(Errno(libc::ENOSPC));
        }
        // The kernel would go on until it kills processes for want of memory.
        if size - stat(fd)?.allocated.min(size) > memory_available() {
            return Err(Errno(libc::ENOMEM));
        }
    }
    match allocate(fd, 0, size) {
        Err(Errno(libc::EINTR)) => {}
        done => return done,
    }
    for offset in (0..size).step_by(PIECE) {
        loop {
            match allocate(fd, offset, PIECE.min(size - offset)) {
                Err(Errno(libc::EINTR)) => {}
                done => break done,
            }
        }?;
    }
    Ok(())
}

/// Reserves `len` bytes at `offset` of a file that is long enough, and does not make it longer if it is
/// not. A signal that is pending does not stop it for long.
pub fn back(fd: BorrowedFd<'_>, offset: usize, len: usize) -> Result<()> {
    let bytes = |number| libc::off_t::try_from(number).map_err(|_| Errno(libc::EFBIG));
    let (offset, len) = (bytes(offset)?, bytes(len)?);
    for _ in 0..100 {
        // SAFETY: no memory is involved.
        match unsafe { syscall!(SYS_fallocate, fd, libc::FALLOC_FL_KEEP_SIZE, offset, len) } {
            Err(Errno(libc::EINTR)) => {}
            done => return done.map(drop),
        }
    }
    Err(Errno(libc::EINTR))
}

fn allocate(fd: BorrowedFd<'_>, offset: usize, len: usize) -> Result<()> {
    let bytes = |number| libc::off_t::try_from(number).map_err(|_| Errno(libc::EFBIG));
    // SAFETY: no memory is involved.
    match unsafe { libc::posix_fallocate(fd.as_raw_fd(), bytes(offset)?, bytes(len)?) } {
        0 => Ok(()),
        errno => Err(Errno(errno)),
    }
}

/// Whether the process has a descriptor left: EMFILE has other reasons then.
pub fn can_open_one_more() -> bool {
    open(c"/dev/null", libc::O_RDONLY, 0).is_ok()
}

/// The size of the tmpfs that a file is on, as named objects and memfds are; 0 is no limit, as
/// memfds have it.
fn tmpfs_size(fd: BorrowedFd<'_>) -> Result<Option<u64>> {
    let mut stat = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: `stat` is valid to write to, and zeroes are a valid value.
    let stat = unsafe {
        check(libc::fstatfs(fd.as_raw_fd(), stat.as_mut_ptr()).into())?;
        stat.assume_init()
    };
    Ok((stat.f_type == libc::TMPFS_MAGIC).then(|| stat.f_blocks * stat.f_bsize as u64))
}

/// How many bytes of memory, swap included, can still be had; without /proc, no end of them.
pub fn memory_available() -> usize {
    let Ok(text) = std::fs::read_to_string("/proc/meminfo") else { return usize::MAX };
    let kibibytes = |name: &str| -> usize {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0)
    };
    (kibibytes("MemAvailable:") + kibibytes("SwapFree:")) * 1024
}

/// A number that the kernel tells under /proc/sys, to explain a refusal.
pub fn read_number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Bytes free on the file system of `fd`.
pub fn free_space(fd: BorrowedFd<'_>) -> Result<u64> {
    let mut stat = MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: `stat` is valid to write to, and zeroes are a valid value.
    let stat = unsafe {
        check(libc::fstatvfs(fd.as_raw_fd(), stat.as_mut_ptr()).into())?;
        stat.assume_init()
    };
    Ok(stat.f_bavail * stat.f_frsize)
}

/// A memfd that can be sealed.
pub fn memfd(label: &CStr) -> Result<OwnedFd> {
    // SAFETY: a NUL-terminated label; the descriptor that comes back is ours.
    unsafe {
        let fd = check(libc::memfd_create(label.as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING).into())?;
        super::fd::new(fd as i32)
    }
}

pub fn seal(fd: BorrowedFd<'_>, seals: u32) -> Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, seals as libc::c_int) }.into()).map(drop)
}

pub fn seals(fd: BorrowedFd<'_>) -> Result<u32> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GET_SEALS) }.into()).map(|seals| seals as u32)
}
