//! Popen: a program as a stream, as popen(3) has it: what it writes is read here, what is written here it reads, or
//! both; closing the stream waits for the program and tells how it ended.
//!
//! No shell is between, unless it is asked for by [`Command::shell`]. Standard streams of the command that are
//! not of the stream stay as they are set. Dropping a stream that was not closed closes its pipe and leaves the
//! child as dropping a [`Child`] does: it neither waits nor kills.
//!
//! ```
//! use std::io::Read;
//! use unipc::{Command, popen};
//! let mut listing = popen::reader(Command::shell("echo one; echo two | tr a-z A-Z"))?;
//! let mut text = String::new();
//! listing.read_to_string(&mut text)?;
//! assert_eq!(text, "one\nTWO\n");
//! assert!(listing.close()?.success());
//! # Ok::<(), std::io::Error>(())
//! ```

use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::pipe::{PipeReader, PipeWriter};
use crate::process::{Child, Command, Redirect, Status};
use std::borrow::BorrowMut;
use std::io::{self, Read, Write};

/// Starts a command and reads what it writes to its standard output: popen(3) with `"r"`.
///
/// # Errors
/// As [`Command::spawn`].
///
/// ```
/// use std::io::Read;
/// let mut text = String::new();
/// unipc::popen::reader(unipc::Command::new("echo").arg("hello"))?.read_to_string(&mut text)?;
/// assert_eq!(text, "hello\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn reader(mut command: impl BorrowMut<Command>) -> Result<Reader> {
    let mut child = command.borrow_mut().stdout(Redirect::Pipe).spawn()?;
    Ok(Reader { pipe: child.stdout.take(), child })
}

/// Starts a command and writes what it reads from its standard input: popen(3) with `"w"`.
///
/// # Errors
/// As [`Command::spawn`].
///
/// ```
/// use std::io::Write;
/// let mut sink = unipc::popen::writer(unipc::Command::shell("read word; test $word = hello"))?;
/// writeln!(sink, "hello")?;
/// assert!(sink.close()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn writer(mut command: impl BorrowMut<Command>) -> Result<Writer> {
    let mut child = command.borrow_mut().stdin(Redirect::Pipe).spawn()?;
    Ok(Writer { pipe: child.stdin.take(), child })
}

/// Starts a command, writes what it reads and reads what it writes: popen with `"r+"`.
///
/// Who writes more than two pipes hold to a program that answers while nobody reads its answers waits for
/// ever: use [`Child::communicate`], or deadlines.
///
/// # Errors
/// As [`Command::spawn`].
///
/// ```
/// use std::io::{Read, Write};
/// let mut sort = unipc::popen::duplex(unipc::Command::new("sort"))?;
/// sort.write_all(b"b\na\n")?;
/// sort.finish();
/// let mut text = String::new();
/// sort.read_to_string(&mut text)?;
/// assert_eq!(text, "a\nb\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn duplex(mut command: impl BorrowMut<Command>) -> Result<Duplex> {
    let mut child = command.borrow_mut().stdin(Redirect::Pipe).stdout(Redirect::Pipe).spawn()?;
    Ok(Duplex { writer: child.stdin.take(), reader: child.stdout.take(), child })
}

/// What a program writes. Made by [`reader`].
///
/// ```
/// let lines = unipc::popen::reader(unipc::Command::shell("exit 3"))?.close()?;
/// assert_eq!(lines.code(), Some(3));
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    pipe: Option<PipeReader>,
    child: Child,
}

/// What a program reads. Made by [`writer`].
///
/// ```
/// let mut sink = unipc::popen::writer(unipc::Command::new("true"))?;
/// assert!(sink.close()?.success());
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer {
    pipe: Option<PipeWriter>,
    child: Child,
}

/// What a program reads and what it writes. Made by [`duplex`].
///
/// ```
/// let mut cat = unipc::popen::duplex(unipc::Command::new("cat"))?;
/// assert!(cat.close()?.success());
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Debug)]
pub struct Duplex {
    writer: Option<PipeWriter>,
    reader: Option<PipeReader>,
    child: Child,
}

fn closed(operation: &'static str) -> Error {
    Error::new(operation, "stream of a command", libc::EBADF, "it was closed")
}

macro_rules! stream {
    ($stream:ident, $make:ident, $($pipe:ident),+) => {
        impl $stream {
            /// Closes its pipe, waits until the program has ended, and tells how it did. Closing again tells it
            /// again. A program that still writes where nobody reads any more is killed by SIGPIPE.
            ///
            /// # Errors
            /// As [`Child::wait`]. After an EINTR, call again.
            ///
            /// ```
            #[doc = concat!("let mut stream = unipc::popen::", stringify!($make), "(unipc::Command::new(\"false\"))?;")]
            /// assert_eq!(stream.close()?.code(), Some(1));
            /// # Ok::<(), unipc::Error>(())
            /// ```
            pub fn close(&mut self) -> Result<Status> {
                self.close_by(Deadline::NEVER)
            }

            /// As [`close`](Self::close), waiting until `deadline` at the latest. The pipe is closed in any case.
            ///
            /// # Errors
            /// As [`Child::wait_by`]; after ETIMEDOUT, close again, or end it by [`child`](Self::child).
            ///
            /// ```
            /// use std::time::Duration;
            /// let mut command = unipc::Command::new("sleep");
            #[doc = concat!("let mut stream = unipc::popen::", stringify!($make), "(command.arg(\"60\"))?;")]
            /// assert!(stream.close_by(Duration::from_millis(5)).unwrap_err().timed_out());
            /// stream.child().kill()?;
            /// assert_eq!(stream.close()?.signal(), Some(9));
            /// # Ok::<(), unipc::Error>(())
            /// ```
            pub fn close_by(&mut self, deadline: impl Into<Deadline>) -> Result<Status> {
                $(self.$pipe = None;)+
                self.child.wait_by(deadline)
            }

            /// The program.
            ///
            /// ```
            #[doc = concat!("let stream = unipc::popen::", stringify!($make), "(unipc::Command::new(\"true\"))?;")]
            /// assert!(stream.child().id() > 0);
            /// # Ok::<(), unipc::Error>(())
            /// ```
            pub fn child(&self) -> &Child {
                &self.child
            }
        }
    };
}

stream!(Reader, reader, pipe);
stream!(Writer, writer, pipe);
stream!(Duplex, duplex, writer, reader);

impl Reader {
    /// The pipe, for reading with a deadline and for polling; `None` once it is closed.
    ///
    /// ```
    /// use std::time::Duration;
    /// let stream = unipc::popen::reader(unipc::Command::new("sleep").arg("60"))?;
    /// let outcome = stream.pipe().unwrap().read_by(&mut [0; 8], Duration::from_millis(5));
    /// assert!(outcome.unwrap_err().timed_out());
    /// # stream.child().kill()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn pipe(&self) -> Option<&PipeReader> {
        self.pipe.as_ref()
    }
}

impl Writer {
    /// The pipe, for writing with a deadline and for polling; `None` once it is closed.
    ///
    /// ```
    /// let mut stream = unipc::popen::writer(unipc::Command::new("cat").stdout(unipc::Redirect::Null))?;
    /// stream.pipe().unwrap().try_write(b"hello")?;
    /// assert!(stream.close()?.success());
    /// assert!(stream.pipe().is_none());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn pipe(&self) -> Option<&PipeWriter> {
        self.pipe.as_ref()
    }
}

impl Duplex {
    /// Closes the writing side: the program finds the end of its input.
    ///
    /// ```
    /// let mut count = unipc::popen::duplex(unipc::Command::new("wc").arg("-c"))?;
    /// count.finish();
    /// let mut buffer = [0; 8];
    /// assert_eq!(count.reader().unwrap().read(&mut buffer)?, 2);
    /// assert_eq!(&buffer[..2], b"0\n");
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn finish(&mut self) {
        self.writer = None;
    }

    /// What the program writes, for reading with a deadline; `None` once it is closed.
    ///
    /// ```
    /// let cat = unipc::popen::duplex(unipc::Command::new("cat"))?;
    /// assert!(cat.reader().unwrap().try_read(&mut [0; 8]).unwrap_err().would_block());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn reader(&self) -> Option<&PipeReader> {
        self.reader.as_ref()
    }

    /// What the program reads, for writing with a deadline; `None` once it is closed.
    ///
    /// ```
    /// let cat = unipc::popen::duplex(unipc::Command::new("cat"))?;
    /// assert_eq!(cat.writer().unwrap().try_write(b"hello")?, 5);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn writer(&self) -> Option<&PipeWriter> {
        self.writer.as_ref()
    }
}

impl Read for Reader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.pipe.as_ref().ok_or_else(|| closed("read from"))?.read(buf)?)
    }
}

impl Write for Writer {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(self.pipe.as_ref().ok_or_else(|| closed("write to"))?.write(data)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Duplex {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.reader.as_ref().ok_or_else(|| closed("read from"))?.read(buf)?)
    }
}

impl Write for Duplex {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(self.writer.as_ref().ok_or_else(|| closed("write to"))?.write(data)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
