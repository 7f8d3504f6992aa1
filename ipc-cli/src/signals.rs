//! Signals as something that is waited for: they end no call, and not the command before it has put right what
//! it is about.

use crate::exit;
use crate::failure::{Failure, plain};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::low_level::{emulate_default_handler, pipe};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use unipc::Deadline;

/// Signals that are waited for together with other things.
pub struct Signals {
    /// A byte comes to the stream for each signal.
    streams: Vec<(i32, UnixStream)>,
    received: Vec<i32>,
}

/// Whether the terminal sends it to the programs, too.
pub fn comes_to_all(signal: i32) -> bool {
    matches!(signal, SIGINT | SIGQUIT)
}

impl Signals {
    /// From now on, and until this process ends. What it was started to ignore, as by nohup, stays ignored.
    pub fn catch() -> Result<Signals, Failure> {
        let ignored = ignored();
        let mut streams = Vec::new();
        let mut set_up = || -> io::Result<()> {
            for signal in [SIGINT, SIGQUIT, SIGTERM, SIGHUP] {
                if ignored & 1 << (signal - 1) == 0 {
                    let (reader, writer) = UnixStream::pair()?;
                    reader.set_nonblocking(true)?;
                    pipe::register(signal, writer)?;
                    streams.push((signal, reader));
                }
            }
            // Not to be told of: SIGCHLD, if ignored, would lose the programs' statuses; and a copy that
            // exceeds RLIMIT_FSIZE is to be an error, and not the end.
            for signal in [SIGCHLD, SIGXFSZ] {
                signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
            }
            Ok(())
        };
        set_up().map_err(|error| Failure::new(exit::OWN, format_args!("catch signals: {}", plain(&error))))?;
        Ok(Signals { streams, received: Vec::new() })
    }

    /// Readable when a signal has come.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.streams.iter().map(|(_, stream)| stream.as_fd())
    }

    /// Waits at others until one shows something, and tells what each shows; nothing when the deadline has passed. A
    /// signal is a failure.
    pub fn wait_beside(
        &mut self,
        others: &[(BorrowedFd<'_>, PollFlags)],
        deadline: Deadline,
    ) -> Result<Vec<PollFlags>, Failure> {
        loop {
            let mut watched: Vec<_> = others.iter().map(|&(fd, what)| PollFd::from_borrowed_fd(fd, what)).collect();
            watched.extend(self.fds().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
            let remaining = deadline.remaining().and_then(|left| Timespec::try_from(left).ok());
            let polled = poll(&mut watched, remaining.as_ref());
            let shown: Vec<_> = watched[..others.len()].iter().map(PollFd::revents).collect();
            drop(watched);
            let mut ended = None;
            self.take(|signal| ended = Some(signal));
            match (ended, polled) {
                (Some(signal), _) => return Err(Failure::signal(signal)),
                (None, Err(Errno::INTR)) => {}
                (None, Err(error)) => {
                    return Err(Failure::new(exit::OWN, format_args!("wait: {}", plain(&error.into()))));
                }
                (None, Ok(_)) if shown.iter().any(|shown| !shown.is_empty()) || deadline.has_passed() => {
                    return Ok(shown);
                }
                (None, Ok(_)) => {}
            }
        }
    }

    /// Those that have come since.
    pub fn take(&mut self, mut each: impl FnMut(i32)) {
        for (signal, stream) in &mut self.streams {
            if stream.read(&mut [0; 64]).is_ok_and(|count| count > 0) {
                self.received.push(*signal);
                each(*signal);
            }
        }
    }

    /// Ends this process by the signal, if it came here, too, and dumps no core of its own.
    pub fn end_by(&self, signal: i32) {
        if self.received.contains(&signal) && signal != SIGQUIT {
            let _ = emulate_default_handler(signal);
        }
    }
}

/// Bit n - 1 stands for signal n.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
