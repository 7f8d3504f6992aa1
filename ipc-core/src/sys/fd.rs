//! What every descriptor can do: poll(2), read(2), fcntl(2), dup(2).

use super::{Result, check, clock, syscall};
use crate::error::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

pub const READABLE: i16 = libc::POLLIN;
pub const WRITABLE: i16 = libc::POLLOUT;
/// Shown unasked: nobody is at the other end.
pub const HUNG_UP: i16 = libc::POLLHUP;

/// One descriptor among those that [`poll_all`] watches.
pub type Watched = libc::pollfd;

pub fn watch(fd: BorrowedFd<'_>, events: i16) -> Watched {
    Watched { fd: fd.as_raw_fd(), events, revents: 0 }
}

/// In the place of a descriptor that is of no interest any more: it never shows anything.
pub const UNWATCHED: Watched = Watched { fd: -1, events: 0, revents: 0 };

/// Sleeps until `fd` shows one of `events`, an error or a hang-up; false when `timeout` passed first.
pub fn poll(fd: BorrowedFd<'_>, events: i16, timeout: Option<Duration>) -> Result<bool> {
    poll_all(std::slice::from_mut(&mut watch(fd, events)), timeout)
}

/// As [`poll`], for whichever comes first; those that show something have `revents`.
pub fn poll_all(watched: &mut [Watched], timeout: Option<Duration>) -> Result<bool> {
    let mut time = timeout.map(clock::timespec);
    let time = time.as_mut().map_or(std::ptr::null_mut(), std::ptr::from_mut); // the kernel counts it down
    // SAFETY: as many valid entries as are told; the timespec lives on this stack; a null mask changes no signals.
    let ready = unsafe { syscall!(SYS_ppoll, watched.as_mut_ptr(), watched.len(), time, 0, 0)? };
    Ok(ready > 0)
}

#[inline]
pub fn read(fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most `buf.len()` bytes to `buf`.
    unsafe { syscall!(SYS_read, fd, buf.as_mut_ptr(), buf.len()) }
}

/// As [`read`], behind the end of `buf`, into what room it has there.
pub fn append(fd: BorrowedFd<'_>, buf: &mut Vec<u8>) -> Result<usize> {
    let room = buf.spare_capacity_mut();
    // SAFETY: the kernel writes at most `room.len()` bytes to `room`.
    let count = unsafe { syscall!(SYS_read, fd, room.as_mut_ptr(), room.len())? };
    // SAFETY: the kernel has filled the first `count` bytes behind the end.
    unsafe { buf.set_len(buf.len() + count) };
    Ok(count)
}

pub fn write(fd: BorrowedFd<'_>, data: &[u8]) -> Result<usize> {
    // SAFETY: the kernel reads `data.len()` bytes of `data`.
    unsafe { syscall!(SYS_write, fd, data.as_ptr(), data.len()) }
}

fn fcntl(fd: BorrowedFd<'_>, command: i32, argument: i32) -> Result<i32> {
    // SAFETY: every command used here takes an integer, and no pointer.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), command, argument) }.into()).map(|value| value as i32)
}

/// The flags of the open file description: O_NONBLOCK and the access mode.
pub fn status_flags(fd: BorrowedFd<'_>) -> Result<i32> {
    fcntl(fd, libc::F_GETFL, 0)
}

pub fn is_nonblocking(fd: BorrowedFd<'_>) -> Result<bool> {
    Ok(status_flags(fd)? & libc::O_NONBLOCK != 0)
}

pub fn set_nonblocking(fd: BorrowedFd<'_>, on: bool) -> Result<()> {
    let flags = status_flags(fd)?;
    let wanted = if on { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
    if wanted != flags {
        fcntl(fd, libc::F_SETFL, wanted)?;
    }
    Ok(())
}

/// Sets O_DIRECT: each write to a pipe is a packet, as pipe2(2) has it.
pub fn set_packets(fd: BorrowedFd<'_>) -> Result<()> {
    fcntl(fd, libc::F_SETFL, status_flags(fd)? | libc::O_DIRECT).map(drop)
}

pub fn is_inheritable(fd: BorrowedFd<'_>) -> Result<bool> {
    Ok(fcntl(fd, libc::F_GETFD, 0)? & libc::FD_CLOEXEC == 0)
}

pub fn set_inheritable(fd: BorrowedFd<'_>, on: bool) -> Result<()> {
    fcntl(fd, libc::F_SETFD, if on { 0 } else { libc::FD_CLOEXEC }).map(drop)
}

/// A descriptor that the kernel has just made, which is none of 0 to 2: where a process has closed
/// its standard streams, whoever redirects one would close what we made.
///
/// # Safety
/// Nobody else owns `number`.
pub unsafe fn new(number: i32) -> Result<OwnedFd> {
    // SAFETY: as this function's.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    if number > 2 { Ok(fd) } else { duplicate(fd.as_fd()) }
}

/// fchmod(2): sets the permission bits whatever the umask.
pub fn set_mode(fd: BorrowedFd<'_>, mode: u32) -> Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::fchmod(fd.as_raw_fd(), mode) }.into()).map(drop)
}

/// A second descriptor of the same open file description, close-on-exec.
pub fn duplicate(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    let new = fcntl(fd, libc::F_DUPFD_CLOEXEC, 3)?;
    // SAFETY: the kernel has just made `new` for us.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

/// dup3(2): makes `target` the same open file description, inheritable; what it was is closed.
///
/// # Safety
/// Nobody else may own `target`, or they must expect that it changes under them.
pub unsafe fn duplicate_onto(fd: BorrowedFd<'_>, target: RawFd) -> Result<()> {
    if fd.as_raw_fd() == target {
        return set_inheritable(fd, true);
    }
    // SAFETY: no memory is involved; the caller vouches for `target`.
    check(unsafe { libc::dup3(fd.as_raw_fd(), target, 0) }.into()).map(drop)
}

/// The standard stream `number`, 0 to 2, if it is open.
pub fn duplicate_standard(number: RawFd) -> Result<OwnedFd> {
    // SAFETY: the borrow lasts for this call only, and a closed number is an EBADF.
    duplicate(unsafe { BorrowedFd::borrow_raw(number) })
}

/// Makes the standard stream `number`, 0 to 2, the same as `fd`.
pub fn replace_standard(fd: BorrowedFd<'_>, number: RawFd) -> Result<()> {
    debug_assert!((0..=2).contains(&number));
    // SAFETY: the standard streams belong to the whole process and are made to be redirected.
    unsafe { duplicate_onto(fd, number) }
}

/// Closes the standard stream `number`, 0 to 2.
pub fn close_standard(number: RawFd) {
    debug_assert!((0..=2).contains(&number));
    // SAFETY: as in `replace_standard`.
    unsafe { libc::close(number) };
}

/// Sleeps; a signal handler ends it (EINTR).
pub fn sleep(time: Duration) -> Result<()> {
    let mut time = clock::timespec(time);
    let none: *mut libc::pollfd = std::ptr::null_mut();
    // SAFETY: no descriptors; the timespec lives on this stack; a null mask changes no signals.
    unsafe { syscall!(SYS_ppoll, none, 0, &raw mut time, 0, 0) }.map(drop)
}

/// A descriptor that is opened when it is first needed, without a lock, which a fork could leave
/// locked in the child for ever.
#[derive(Debug)]
pub struct LazyFd(AtomicI32);

const NOT_YET: i32 = -1;
const NOT_TO_BE_HAD: i32 = -2;

impl LazyFd {
    pub const fn new() -> LazyFd {
        LazyFd(AtomicI32::new(NOT_YET))
    }

    /// The descriptor, by `open` the first time. `None` when that failed: for good where the process
    /// has not the right, and for this time only where it lacked something.
    pub fn get(&self, open: impl FnOnce() -> Result<OwnedFd>) -> Option<BorrowedFd<'_>> {
        let mut number = self.0.load(Ordering::Acquire);
        if number == NOT_YET {
            let mine = match open() {
                Ok(fd) => fd.into_raw_fd(),
                Err(Errno(libc::EACCES | libc::EPERM | libc::ENOENT)) => NOT_TO_BE_HAD,
                Err(_) => return None,
            };
            match self.0.compare_exchange(NOT_YET, mine, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => number = mine,
                Err(first) => {
                    number = first;
                    drop(LazyFd(AtomicI32::new(mine))); // another thread was faster
                }
            }
        }
        // SAFETY: the descriptor is ours until the drop, which outlives no borrow.
        (number >= 0).then(|| unsafe { BorrowedFd::borrow_raw(number) })
    }
}

impl Drop for LazyFd {
    fn drop(&mut self) {
        let number = *self.0.get_mut();
        if number >= 0 {
            // Not by libc's close, which is a cancellation point: `get` may come here.
            // SAFETY: it came from an OwnedFd in `get`, and nobody else has it.
            let _ = unsafe { syscall!(SYS_close, number) };
        }
    }
}

/// eventfd(2): a counter that can be polled. It does not block.
pub fn event() -> Result<OwnedFd> {
    // SAFETY: no memory is involved; the descriptor that comes back is ours.
    unsafe {
        let fd = syscall!(SYS_eventfd2, 0u32, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK)?;
        new(fd as i32)
    }
}

/// Which of `events` a descriptor shows now.
pub fn shows(fd: BorrowedFd<'_>, events: i16) -> Result<i16> {
    let mut entry = watch(fd, events);
    poll_all(std::slice::from_mut(&mut entry), Some(Duration::ZERO))?;
    Ok(entry.revents & events)
}

/// Makes `target` a duplicate of `fd`, in place of what it was; close-on-exec.
pub fn replace(target: BorrowedFd<'_>, fd: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: no memory is involved; whoever holds `target` holds a descriptor still.
    unsafe { syscall!(SYS_dup3, fd, target, libc::O_CLOEXEC) }.map(drop)
}
