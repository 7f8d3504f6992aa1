//! Standard output, for a command that takes things away from others to print them: whether a signal comes or
//! the reader leaves, it is told in time to put back what it holds.

use crate::exit;
use crate::failure::{Failure, plain};
use crate::signals::Signals;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::{iter, thread};
use unipc::{Deadline, Queue};

pub struct Output {
    file: File,
    signals: Signals,
}

/// A pipe that shows room has it for so many bytes at once (PIPE_BUF): then writing them does not wait, and
/// a signal is heard of before the reader goes on.
const PIECE: usize = 4096;

impl Output {
    pub fn new() -> Result<Output, Failure> {
        let file = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Output { file: file.into(), signals: Signals::catch()? })
    }

    /// Waits until `fd` is readable; whether it came to be so in time.
    ///
    /// It is a failure that whoever reads the output has left, also while there is nothing to print.
    pub fn wait_for(&mut self, fd: BorrowedFd<'_>, deadline: Deadline) -> Result<bool, Failure> {
        self.wait(Some(fd), PollFlags::empty(), deadline)
    }

    /// From now on every wait at `queue` ends (ESHUTDOWN) when a signal comes or whoever reads the output leaves.
    pub fn end_waits_at(&self, queue: Arc<Queue>) -> Result<(), Failure> {
        let streams = iter::once(self.file.as_fd()).chain(self.signals.fds());
        let streams = streams.map(|fd| fd.try_clone_to_owned()).collect::<io::Result<Vec<OwnedFd>>>();
        let watch = streams.and_then(|streams| {
            thread::Builder::new().spawn(move || {
                let mut watched: Vec<_> = streams.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
                watched[0] = PollFd::new(&streams[0], PollFlags::empty());
                while matches!(poll(&mut watched, None), Err(_) | Ok(0)) {}
                let _ = queue.shutdown(); // which engine shm has
            })
        });
        match watch {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::new(exit::OWN, format_args!("start a thread: {}", plain(&error)))),
        }
    }

    /// Why a wait was ended.
    pub fn reason(&mut self) -> Result<(), Failure> {
        self.wait(None, PollFlags::empty(), Deadline::NEVER).map(drop)
    }

    /// Shortens `data` by what is written.
    pub fn write(&mut self, data: &mut &[u8]) -> Result<(), Failure> {
        while !data.is_empty() {
            self.wait(None, PollFlags::OUT, Deadline::NEVER)?;
            self.write_piece(data)?;
        }
        Ok(())
    }

    /// Without waiting, whatever signal has come: for what would be lost. Whether all of it is written.
    pub fn write_at_once(&mut self, data: &mut &[u8]) -> bool {
        while !data.is_empty() {
            let mut watched = [PollFd::from_borrowed_fd(self.file.as_fd(), PollFlags::OUT)];
            let polled = poll(&mut watched, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
            if polled == Ok(0) || polled.is_ok() && self.write_piece(data).is_err() {
                return false;
            }
        }
        true
    }

    fn write_piece(&mut self, data: &mut &[u8]) -> io::Result<()> {
        match self.file.write(&data[..data.len().min(PIECE)]) {
            Ok(count) => *data = &data[count..],
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn wait(&mut self, fd: Option<BorrowedFd<'_>>, output: PollFlags, deadline: Deadline) -> Result<bool, Failure> {
        let gone = PollFlags::ERR | PollFlags::HUP;
        let mut others = vec![(self.file.as_fd(), output)];
        others.extend(fd.map(|fd| (fd, PollFlags::IN)));
        loop {
            let shown = self.signals.wait_beside(&others, deadline)?;
            match shown[0] {
                // The write itself tells what it is.
                out if !output.is_empty() && out.intersects(output | gone) => return Ok(true),
                out if out.intersects(gone) => return Err(io::Error::from(io::ErrorKind::BrokenPipe).into()),
                _ if shown[1..].iter().any(|shown| !shown.is_empty()) => return Ok(true),
                _ if deadline.has_passed() => return Ok(false),
                _ => {}
            }
        }
    }
}
