//! Children by their pidfds: pidfd_open(2), waitid(2), pidfd_send_signal(2).
//!
//! A pidfd is the process itself, not its number: what it stands for is never another one.

use super::{Result, fd, syscall};
use crate::error::Errno;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// pidfd_send_signal(2), from Linux 6.9 on: to the process group that has the process's number.
const PIDFD_SIGNAL_PROCESS_GROUP: u32 = 1 << 2;

/// A child that was just started, by its number. `None`: it is gone already, because this process ignores
/// SIGCHLD or waits for whomever; the number could be another's by now.
pub fn open(number: i32) -> Result<Option<OwnedFd>> {
    // SAFETY: no memory is involved; the descriptor that comes back is ours.
    let opened = unsafe { syscall!(SYS_pidfd_open, number, 0u32).and_then(|fd| fd::new(fd as i32)) };
    match opened {
        Ok(pidfd) => match look(pidfd.as_fd(), false) {
            Err(Errno(libc::ECHILD)) => Ok(None),
            other => other.map(|_| Some(pidfd)),
        },
        Err(Errno(libc::ESRCH)) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The status of a child as wait(2) encodes it, once it has ended; it is not reaped. Without `block`, `None`
/// means that it runs. ECHILD: it was reaped, or is no child of this process.
pub fn look(pidfd: BorrowedFd<'_>, block: bool) -> Result<Option<i32>> {
    waitid(pidfd, libc::WEXITED | libc::WNOWAIT | if block { 0 } else { libc::WNOHANG })
}

/// Lets the kernel forget a child that has ended.
pub fn reap(pidfd: BorrowedFd<'_>) {
    let _ = waitid(pidfd, libc::WEXITED | libc::WNOHANG);
}

fn waitid(pidfd: BorrowedFd<'_>, options: i32) -> Result<Option<i32>> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: `info` is valid to write to, and zeroes are a valid value; of a child that has ended, or where
    // nothing was written, these fields are what the union holds.
    unsafe {
        syscall!(SYS_waitid, libc::P_PIDFD, pidfd, info.as_mut_ptr(), options, 0)?;
        let info = info.assume_init();
        if info.si_pid() == 0 {
            return Ok(None);
        }
        Ok(Some(match info.si_code {
            libc::CLD_EXITED => (info.si_status() & 0xff) << 8,
            libc::CLD_DUMPED => info.si_status() | 0x80,
            _ => info.si_status(),
        }))
    }
}

/// Ends and reaps a child that nobody is to have.
pub fn discard(number: i32) {
    // SAFETY: no memory is involved, and nobody has reaped the child, so the number is its own.
    unsafe {
        let _ = syscall!(SYS_kill, number, libc::SIGKILL);
        let _ = syscall!(SYS_wait4, number, 0, 0, 0);
    }
}

/// ESRCH: it was reaped. One that has ended and was not takes every signal, without effect.
pub fn signal(pidfd: BorrowedFd<'_>, signal: i32) -> Result<()> {
    send(pidfd, signal, 0)
}

/// Signals the process group that a child leads, or led: also those of it that outlive the child.
/// EOPNOTSUPP: the kernel cannot do it by pidfd.
pub fn signal_group(pidfd: BorrowedFd<'_>, signal: i32) -> Result<()> {
    send(pidfd, signal, PIDFD_SIGNAL_PROCESS_GROUP)
        .map_err(|errno| if errno == Errno::INVALID { Errno::UNSUPPORTED } else { errno })
}

fn send(pidfd: BorrowedFd<'_>, signal: i32, flags: u32) -> Result<()> {
    // SAFETY: without information about the signal no memory is involved.
    unsafe { syscall!(SYS_pidfd_send_signal, pidfd, signal, 0, flags) }.map(drop)
}

/// As `signal_group`, by number: for a child that was not reaped, so that the number is its own.
pub fn signal_group_by_number(number: i32, signal: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    unsafe { syscall!(SYS_kill, -number, signal) }.map(drop)
}

/// In place of the pidfd of a child that is gone: always readable, as that would be.
pub fn gone() -> Result<OwnedFd> {
    let event = fd::event()?;
    fd::write(event.as_fd(), &1u64.to_ne_bytes())?;
    Ok(event)
}
