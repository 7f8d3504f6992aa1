//! pipe(7): making, writing without SIGPIPE, moving pages with splice(2).

use super::{Result, check, fd, fs, signal, syscall};
use crate::error::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// pwritev2(2) flag of Linux 6.18: EPIPE without SIGPIPE.
const RWF_NOSIGNAL: libc::c_long = 0x100;

/// This kernel does not know `RWF_NOSIGNAL`, or a sandbox forbids the call. A hint: a wrong one costs a system call.
static NO_RWF_NOSIGNAL: AtomicBool = AtomicBool::new(false);

pub const READING: i32 = libc::O_RDONLY;
pub const WRITING: i32 = libc::O_WRONLY;

/// Whether a descriptor is open for `direction`, be it alone or together with the other one.
pub fn is_open_for(fd: BorrowedFd<'_>, direction: i32) -> Result<bool> {
    let flags = fd::status_flags(fd)?;
    let found = flags & libc::O_ACCMODE;
    Ok(flags & libc::O_PATH == 0 && (found == direction || found == libc::O_RDWR))
}

/// A pipe: the reading and the writing descriptor, close-on-exec.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for two descriptors, which the kernel makes for us.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }.into())?;
    // SAFETY: both are new, and both are owned before one may fail.
    let [reader, writer] = ends.map(|end| unsafe { fd::new(end) });
    Ok((reader?, writer?))
}

/// write(2). With `guard`, a missing reader is EPIPE and no SIGPIPE; without it the caller knows
/// that the signal is harmless here, and saves 60 ns.
#[inline]
pub fn write(fd: BorrowedFd<'_>, data: &[u8], guard: bool) -> Result<usize> {
    if guard { guarded_write(fd, data) } else { plain_write(fd, data) }
}

#[inline(never)] // or the plain write, the faster of the two, saves registers for it
fn guarded_write(fd: BorrowedFd<'_>, data: &[u8]) -> Result<usize> {
    if NO_RWF_NOSIGNAL.load(Ordering::Relaxed) {
        return masked_write(fd, data);
    }
    let part = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    // SAFETY: one iovec over `data`, from which the kernel only reads; offset -1 means "no offset".
    match unsafe { syscall!(SYS_pwritev2, fd, &raw const part, 1, -1, -1, RWF_NOSIGNAL) } {
        Err(Errno(libc::EOPNOTSUPP | libc::ENOSYS | libc::EPERM)) => {
            NO_RWF_NOSIGNAL.store(true, Ordering::Relaxed);
            masked_write(fd, data)
        }
        done => done,
    }
}

#[inline(never)]
fn masked_write(fd: BorrowedFd<'_>, data: &[u8]) -> Result<usize> {
    signal::without_sigpipe(|| plain_write(fd, data))
}

#[inline]
fn plain_write(fd: BorrowedFd<'_>, data: &[u8]) -> Result<usize> {
    // SAFETY: the kernel reads at most `data.len()` bytes of `data`.
    unsafe { syscall!(SYS_write, fd, data.as_ptr(), data.len()) }
}

/// A second open file description of the same pipe and direction, with O_NONBLOCK of its own:
/// setting the flag on the first would show in every process that shares it.
pub fn nonblocking_twin(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    let flags = fd::status_flags(fd)?;
    let twin = fs::reopen(fd, flags & libc::O_ACCMODE | libc::O_NONBLOCK)?;
    if flags & libc::O_DIRECT != 0 {
        fd::set_packets(twin.as_fd())?;
    }
    Ok(twin)
}

/// Bytes that a read would find.
pub fn available(fd: BorrowedFd<'_>) -> Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut count) }.into())?;
    Ok(count as usize)
}

pub fn capacity(fd: BorrowedFd<'_>) -> Result<usize> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETPIPE_SZ) }.into()).map(|bytes| bytes as usize)
}

pub fn set_capacity(fd: BorrowedFd<'_>, bytes: usize) -> Result<usize> {
    let bytes = i32::try_from(bytes).map_err(|_| Errno::INVALID)?;
    // SAFETY: no memory is involved.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETPIPE_SZ, bytes) }.into()).map(|bytes| bytes as usize)
}

/// splice(2), never waiting for the pipe; `from` and `to` move their own file offsets.
pub fn splice(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize) -> Result<usize> {
    signal::without_sigpipe(|| {
        // SAFETY: null offsets use those of the descriptors; no memory is involved.
        unsafe { syscall!(SYS_splice, from, 0, to, 0, len, libc::SPLICE_F_NONBLOCK) }
    })
}

/// tee(2), never waiting.
pub fn tee(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize) -> Result<usize> {
    signal::without_sigpipe(|| {
        // SAFETY: no memory is involved.
        unsafe { syscall!(SYS_tee, from, to, len, libc::SPLICE_F_NONBLOCK) }
    })
}

/// vmsplice(2), never waiting: the pipe refers to the pages of `data` until they are read.
///
/// # Safety
/// `data` must stay allocated and unchanged until the pipe's reader has taken it.
pub unsafe fn vmsplice(fd: BorrowedFd<'_>, data: &[u8]) -> Result<usize> {
    let part = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    signal::without_sigpipe(|| {
        // SAFETY: one iovec over `data`, whose life the caller vouches for.
        unsafe { syscall!(SYS_vmsplice, fd, &raw const part, 1, libc::SPLICE_F_NONBLOCK) }
    })
}

/// Whether a FIFO that is open for reading, and empty, has a writer: tee(2) of nothing tells an
/// end of file (no writer) from a wait (a writer), and takes no byte.
pub fn has_writer(reader: BorrowedFd<'_>, scratch: BorrowedFd<'_>) -> Result<bool> {
    match tee(reader, scratch, 1) {
        Ok(0) => Ok(false),
        Ok(_) | Err(Errno::AGAIN) => Ok(true),
        Err(errno) => Err(errno),
    }
}
