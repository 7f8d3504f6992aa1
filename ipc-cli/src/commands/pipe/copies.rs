//! `--tee`: copies of what passes a joint, in files.

use super::joint::ALL;
use super::uninterrupted;
use crate::failure::{self, Failure};
use crate::{exit, words};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use unipc::{Deadline, PipeReader, PipeWriter};

/// For files that do not take pages.
const BUFFER: usize = 1 << 16;

/// Those of one joint.
pub struct Copies {
    /// A pipe that has what is to go to a file, and is empty else.
    from: PipeReader,
    to: PipeWriter,
    files: Vec<Duplicate>,
}

/// A file that what passes is written to as well.
struct Duplicate {
    /// As it was given, for errors.
    name: String,
    file: File,
    written: u64,
    /// It takes pages from a pipe; what does not, as some devices, is written to.
    splices: bool,
    failed: bool,
    buffer: Vec<u8>,
}

impl Copies {
    pub fn new() -> unipc::Result<Copies> {
        let (from, to) = unipc::pipe()?;
        let _ = to.set_capacity(ALL);
        Ok(Copies { from, to, files: Vec::new() })
    }

    /// Makes the file, or empties it.
    pub fn add(&mut self, joint: usize, path: &Path) -> Result<(), Failure> {
        let mut word = OsString::from(format!("{joint}:"));
        word.push(path);
        let name = format!("--tee {}", words::line(&[word]));
        match File::create(path) {
            Ok(file) => {
                let copy = Duplicate { name, file, written: 0, splices: true, failed: false, buffer: Vec::new() };
                self.files.push(copy);
                Ok(())
            }
            Err(error) => Err(Failure::new(exit::OWN, format_args!("{name}: {}", failure::plain(&error)))),
        }
    }

    /// Copies what is in the pipe, waiting for some; how many bytes, 0 at the end. They stay in the pipe.
    /// Why a file takes no more is said.
    pub fn take(&mut self, reader: &PipeReader, say: impl Fn(&str)) -> unipc::Result<usize> {
        let mut count = ALL;
        for copy in &mut self.files {
            // Behind the first: the same pages into the same empty pipe, so all of them.
            count = uninterrupted(|| reader.tee(&self.to, count, Deadline::NEVER))?;
            copy.take(&self.from, count).unwrap_or_else(|sentence| say(&sentence));
        }
        Ok(count)
    }

    pub fn are_complete(&self) -> bool {
        self.files.iter().all(|copy| !copy.failed)
    }
}

impl Duplicate {
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
