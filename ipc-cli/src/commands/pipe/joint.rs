//! A joint that is looked at: bytes go from pipe to pipe, counted and copied to files, and are not read.

use super::rate::Rate;
use super::uninterrupted;
use crate::exit;
use crate::failure::{self, Failure};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use unipc::pipeline::Joint;
use unipc::{Deadline, PipeReader};

/// What the pipes of such a joint hold.
const ALL: usize = 1 << 20;
/// For files that do not take pages.
const BUFFER: usize = 1 << 16;

/// What does the work of one joint, in a thread of its own.
pub struct Relay {
    joint: Joint,
    copies: Vec<Duplicate>,
    rate: Option<Rate>,
}

/// A file that what passes is written to as well.
pub struct Duplicate {
    /// As it was given, for errors.
    name: String,
    file: File,
    written: u64,
    /// It takes pages from a pipe; what does not, as some devices, is written to.
    splices: bool,
    failed: bool,
    buffer: Vec<u8>,
}

impl Relay {
    pub fn new(joint: Joint, copies: Vec<Duplicate>, rate: Option<Rate>) -> Relay {
        // Each turn costs this command a wake-up: fewer and longer ones. Where the user's pipes are at their
        // limit they stay as they are.
        let _ = joint.reader.set_capacity(ALL);
        let _ = joint.writer.set_capacity(ALL);
        Relay { joint, copies, rate }
    }

    /// Until one of the two stages has left, whom the other is told of by the end of this joint; whether all
    /// has gone well.
    pub fn run(mut self) -> bool {
        let passed = if self.copies.is_empty() { self.pass() } else { self.pass_and_copy() };
        if let Some(rate) = &self.rate {
            rate.end();
        }
        match passed {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                // The pipeline is cut here: no file's fault, and not to be expected.
                say(self.rate.as_ref(), &format!("joint {}: {error}", self.joint.number + 1));
                false
            }
            _ => self.copies.iter().all(|copy| !copy.failed),
        }
    }

    fn pass(&self) -> unipc::Result<()> {
        while self.has_more() {
            match self.forward(ALL)? {
                0 => break,
                count => self.count(count),
            }
        }
        Ok(())
    }

    fn pass_and_copy(&mut self) -> unipc::Result<()> {
        let (from, to) = unipc::pipe()?;
        let _ = to.set_capacity(ALL);
        while self.has_more() {
            let there = uninterrupted(|| self.joint.reader.tee(&to, ALL, Deadline::NEVER))?;
            if there == 0 {
                break;
            }
            for (number, copy) in self.copies.iter_mut().enumerate() {
                if number > 0 {
                    // The same pages into the same empty pipe: all of them.
                    let again = uninterrupted(|| self.joint.reader.tee(&to, there, Deadline::NEVER))?;
                    assert_eq!(again, there);
                }
                copy.take(&from, there).unwrap_or_else(|sentence| say(self.rate.as_ref(), &sentence));
            }
            let mut left = there;
            while left > 0 {
                left -= self.forward(left)?;
            }
            self.count(there);
        }
        Ok(())
    }

    fn forward(&self, len: usize) -> unipc::Result<usize> {
        uninterrupted(|| self.joint.reader.splice_to(&self.joint.writer, len, Deadline::NEVER))
    }

    fn count(&self, bytes: usize) {
        if let Some(rate) = &self.rate {
            rate.add(bytes);
        }
    }

    /// Waits for bytes, or an end. The stage before learns that the one behind has left even when it says
    /// nothing more.
    fn has_more(&self) -> bool {
        let mut both =
            [PollFd::new(&self.joint.reader, PollFlags::IN), PollFd::new(&self.joint.writer, PollFlags::empty())];
        while poll(&mut both, None) == Err(Errno::INTR) {}
        both[1].revents().is_empty()
    }
}

fn say(rate: Option<&Rate>, sentence: &str) {
    match rate {
        Some(rate) => rate.say(sentence),
        None => failure::say(sentence),
    }
}

impl Duplicate {
    /// Makes the file, or empties it.
    pub fn create(joint: usize, path: &Path) -> Result<Duplicate, Failure> {
        let name = format!("--tee {joint}:{}", path.display());
        match File::create(path) {
            Ok(file) => Ok(Duplicate { name, file, written: 0, splices: true, failed: false, buffer: Vec::new() }),
            Err(error) => Err(Failure::new(exit::OWN, format_args!("{name}: {}", failure::plain(&error)))),
        }
    }

    /// Takes `count` bytes, which are in the pipe; why the copy ends here, if it does.
    fn take(&mut self, from: &PipeReader, count: usize) -> Result<(), String> {
        let mut left = count;
        let mut outcome = Ok(());
        while left > 0 {
            let (taken, cause) = self.take_some(from, left);
            left -= taken;
            if let Some(cause) = cause {
                self.failed = true;
                outcome =
                    Err(format!("{}: {cause}; it ends after {} bytes, the pipeline goes on", self.name, self.written));
            }
        }
        outcome
    }

    /// How many bytes left the pipe, and why the file takes no more.
    fn take_some(&mut self, from: &PipeReader, count: usize) -> (usize, Option<String>) {
        if self.splices && !self.failed {
            return match uninterrupted(|| from.splice_to(&self.file, count, Deadline::NEVER)) {
                Err(error) if error.errno() != Errno::INVAL.raw_os_error() => (0, Some(error.cause().to_owned())),
                Ok(taken @ 1..) => {
                    self.written += taken as u64;
                    (taken, None)
                }
                _ => {
                    self.splices = false;
                    (0, None)
                }
            };
        }
        self.buffer.resize(BUFFER, 0);
        let piece = &mut self.buffer[..count.min(BUFFER)];
        let taken = match uninterrupted(|| from.read(piece)) {
            Ok(taken) => taken,
            Err(error) => return (count, Some(error.to_string())),
        };
        if self.failed {
            return (taken, None);
        }
        let mut rest = &piece[..taken];
        while !rest.is_empty() {
            match self.file.write(rest) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (taken, Some(failure::plain(&error))),
                Ok(written) => {
                    self.written += written as u64;
                    rest = &rest[written..];
                }
            }
        }
        (taken, None)
    }
}
