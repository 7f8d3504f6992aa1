//! mkfifo(3), and an open(2) whose rendezvous can end.

use crate::deadline::Deadline;
use crate::error::Errno;
use crate::options::{ATTEMPTS, Mode};
use crate::sys::draft::Draft;
use crate::sys::{self, fd, fs, pipe};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// The kernel has no open(2) with a timeout, and tells nobody that a peer waits: a timed rendezvous
/// looks for the peer at growing intervals.
const FIRST_PAUSE: Duration = Duration::from_micros(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// Makes a FIFO and returns a descriptor that stands for it.
pub(crate) fn create(path: &CStr, mode: Mode) -> sys::Result<OwnedFd> {
    if mode.exact {
        // Its name comes last, so nobody can open or replace it while its mode is not the one asked for.
        let draft = Draft::fifo(path)?;
        fs::set_mode_of_path(draft.fd(), mode.bits)?;
        return draft.publish(path);
    }
    let mut attempts = ATTEMPTS;
    loop {
        fs::mkfifo(path, mode.bits)?;
        match locate(path) {
            // Somebody removed it at once.
            Err(Errno(libc::ENOENT)) if attempts > 0 => attempts -= 1,
            done => return done,
        }
    }
}

/// Finds the file at `path` without opening it; [`is_fifo`] then judges the very file.
pub(crate) fn locate(path: &CStr) -> sys::Result<OwnedFd> {
    fs::open(path, libc::O_PATH, 0)
}

/// As [`locate`], but a symbolic link stands for itself: it is what unlink(2) would remove.
pub(crate) fn locate_link(path: &CStr) -> sys::Result<OwnedFd> {
    fs::open(path, libc::O_PATH | libc::O_NOFOLLOW, 0)
}

pub(crate) fn is_fifo(fifo: BorrowedFd<'_>) -> sys::Result<bool> {
    Ok(fs::stat(fifo)?.is_fifo())
}

/// Opens for reading once there is a writer.
pub(crate) fn open_reader(fifo: BorrowedFd<'_>, deadline: Deadline) -> sys::Result<OwnedFd> {
    if deadline.is_never() {
        return fs::reopen(fifo, pipe::READING);
    }
    // Opened without blocking, the reader is there for writers to find, as one that blocks in open is.
    let reader = open_at_once(fifo, pipe::READING)?;
    if !deadline.is_now() {
        let (_scratch, into_scratch) = pipe::pipe()?;
        rendezvous(deadline, || match pipe::has_writer(reader.as_fd(), into_scratch.as_fd())? {
            true => Ok(()),
            // One that came, wrote nothing and left shows as a hang-up: the rendezvous took place.
            false if fd::poll(reader.as_fd(), 0, Some(Duration::ZERO))? => Ok(()),
            false => Err(Errno::AGAIN),
        })?;
    }
    Ok(reader)
}

/// Opens for writing once there is a reader; with [`Deadline::NOW`] ENXIO when there is none.
pub(crate) fn open_writer(fifo: BorrowedFd<'_>, deadline: Deadline) -> sys::Result<OwnedFd> {
    if deadline.is_never() {
        return fs::reopen(fifo, pipe::WRITING);
    }
    if deadline.is_now() {
        return open_at_once(fifo, pipe::WRITING);
    }
    rendezvous(deadline, || match open_at_once(fifo, pipe::WRITING) {
        Err(Errno(libc::ENXIO)) => Err(Errno::AGAIN),
        done => done,
    })
}

/// Opens without waiting for a peer; the end blocks afterwards like any other.
fn open_at_once(fifo: BorrowedFd<'_>, direction: i32) -> sys::Result<OwnedFd> {
    let end = fs::reopen(fifo, direction | libc::O_NONBLOCK)?;
    fd::set_nonblocking(end.as_fd(), false)?;
    Ok(end)
}

fn rendezvous<T>(deadline: Deadline, attempt: impl Fn() -> sys::Result<T>) -> sys::Result<T> {
    let mut pause = FIRST_PAUSE;
    loop {
        match attempt() {
            Err(Errno::AGAIN) if deadline.has_passed() => return Err(Errno::TIMED_OUT),
            Err(Errno::AGAIN) => fd::sleep(deadline.remaining().map_or(pause, |left| left.min(pause)))?,
            done => return done,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
