//! The kernel's pipes: one end, as a descriptor.

use crate::deadline::Deadline;
use crate::error::Errno;
use crate::pipe::PIPE_BUF;
use crate::sys::{self, fd, pipe, signal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// One end of a pipe or FIFO.
#[derive(Debug)]
pub(crate) struct End {
    fd: OwnedFd,
    /// The same pipe without blocking, opened when a call first must not block. It cannot be had where
    /// this process may not reopen the pipe: another user made it, or /proc is not there.
    twin: fd::LazyFd,
    /// SIGPIPE would end the process, so each write goes without it.
    guard: bool,
}

impl End {
    pub fn reader(fd: OwnedFd) -> End {
        End { fd, twin: fd::LazyFd::new(), guard: false }
    }

    pub fn writer(fd: OwnedFd) -> End {
        End { fd, twin: fd::LazyFd::new(), guard: signal::sigpipe_is_fatal() }
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub fn into_fd(self) -> OwnedFd {
        self.fd
    }

    fn twin(&self) -> Option<BorrowedFd<'_>> {
        self.twin.get(|| pipe::nonblocking_twin(self.fd()))
    }

    // On the way to a system call nothing but it: each return after one is slow, so all is inlined.
    #[inline]
    pub fn read(&self, buf: &mut [u8], deadline: Deadline) -> sys::Result<usize> {
        if deadline.is_never() { fd::read(self.fd(), buf) } else { self.read_until(buf, deadline) }
    }

    #[inline(never)]
    fn read_until(&self, buf: &mut [u8], deadline: Deadline) -> sys::Result<usize> {
        let twin = self.twin();
        self.retry(deadline, fd::READABLE, || match twin {
            Some(twin) => fd::read(twin, buf),
            None => fd::read(self.ready(fd::READABLE)?, buf),
        })
    }

    /// Reads what is there, without waiting, behind the end of `buf` and into what room it has.
    pub fn append(&self, buf: &mut Vec<u8>) -> sys::Result<usize> {
        match self.twin() {
            Some(twin) => fd::append(twin, buf),
            None => fd::append(self.ready(fd::READABLE)?, buf),
        }
    }

    #[inline]
    pub fn write(&self, data: &[u8], deadline: Deadline) -> sys::Result<usize> {
        if deadline.is_never() { pipe::write(self.fd(), data, self.guard) } else { self.write_until(data, deadline) }
    }

    #[inline(never)]
    fn write_until(&self, data: &[u8], deadline: Deadline) -> sys::Result<usize> {
        let twin = self.twin();
        self.retry(deadline, fd::WRITABLE, || match twin {
            Some(twin) => pipe::write(twin, data, self.guard),
            None => pipe::write(self.ready(fd::WRITABLE)?, &data[..data.len().min(PIPE_BUF)], self.guard),
        })
    }

    /// Without a twin: poll(2) promises that a call will not block, unless a competitor who has the
    /// same end open is faster.
    fn ready(&self, events: i16) -> sys::Result<BorrowedFd<'_>> {
        if fd::poll(self.fd(), events, Some(std::time::Duration::ZERO))? { Ok(self.fd()) } else { Err(Errno::AGAIN) }
    }

    /// Repeats a call on this end alone.
    pub fn retry(
        &self,
        deadline: Deadline,
        events: i16,
        call: impl FnMut() -> sys::Result<usize>,
    ) -> sys::Result<usize> {
        repeat(deadline, call, || deadline.wait_for(self.fd(), events))
    }
}

/// splice(2) until a deadline. The side that is no pipe may be a socket or a terminal, which would
/// block in the call: with a deadline both sides are ready before it is made.
pub(crate) fn splice(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize, deadline: Deadline) -> sys::Result<usize> {
    if len == 0 {
        return Ok(0);
    }
    if !deadline.is_never() {
        both_ready(from, to, deadline)?;
    }
    repeat(deadline, || pipe::splice(from, to, len), || both_ready(from, to, deadline))
}

/// tee(2) until a deadline.
pub(crate) fn tee(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize, deadline: Deadline) -> sys::Result<usize> {
    repeat(deadline, || pipe::tee(from, to, len), || both_ready(from, to, deadline))
}

fn both_ready(from: BorrowedFd<'_>, to: BorrowedFd<'_>, deadline: Deadline) -> sys::Result<()> {
    deadline.wait_for(from, fd::READABLE)?;
    deadline.wait_for(to, fd::WRITABLE)
}

/// Repeats a call that does not block until it is served or the deadline passes; `wait` sleeps in
/// between.
fn repeat(
    deadline: Deadline,
    mut call: impl FnMut() -> sys::Result<usize>,
    wait: impl Fn() -> sys::Result<()>,
) -> sys::Result<usize> {
    loop {
        match call() {
            Err(Errno::AGAIN) if !deadline.is_now() => wait()?,
            done => return done,
        }
    }
}
