#![doc = include_str!("../docs/pipe.md")]

mod posix;

use crate::deadline::Deadline;
use crate::error::{Error, Object, Result};
use crate::sys::{self, fd, fs};
pub(crate) use posix::End;
use std::fmt;
use std::io::{self, Read, Write};
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// A write of up to this many bytes is atomic: it goes in one piece, never mixed with another's, and
/// with a deadline it goes whole or not at all. `PIPE_BUF` of
/// [pipe(7)](https://man7.org/linux/man-pages/man7/pipe.7.html).
///
/// ```
/// assert!(unipc::pipe::PIPE_BUF >= 512); // what POSIX asks for
/// ```
pub const PIPE_BUF: usize = 4096;

/// Makes a pipe: what is written to one end is read from the other.
///
/// Both descriptors are close-on-exec. The pipe ends when the last of its ends is closed, in
/// whichever process. Follows [pipe(2)](https://man7.org/linux/man-pages/man2/pipe.2.html).
///
/// # Errors
/// EMFILE, ENFILE: a limit of open files.
///
/// ```
/// let (reader, writer) = unipc::pipe()?;
/// writer.write(b"hello")?;
/// let mut buffer = [0; 16];
/// let count = reader.read(&mut buffer)?;
/// assert_eq!(&buffer[..count], b"hello");
/// # Ok::<(), unipc::Error>(())
/// ```
pub fn pipe() -> Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = sys::pipe::pipe().map_err(|errno| errno.of("create", "pipe"))?;
    Ok((PipeReader::new(reader, "pipe".into()), PipeWriter::new(writer, "pipe".into())))
}

/// Makes two crossed pipes: what one side writes, the other reads.
///
/// # Errors
/// As [`pipe`].
///
/// ```
/// let (parent, child) = unipc::duplex()?;
/// parent.writer.write(b"question")?;
/// let mut buffer = [0; 16];
/// let count = child.reader.read(&mut buffer)?;
/// child.writer.write(&buffer[..count])?;
/// assert_eq!(parent.reader.read(&mut buffer)?, count);
/// # Ok::<(), unipc::Error>(())
/// ```
pub fn duplex() -> Result<(Duplex, Duplex)> {
    let (left_reader, right_writer) = pipe()?;
    let (right_reader, left_writer) = pipe()?;
    Ok((Duplex { reader: left_reader, writer: left_writer }, Duplex { reader: right_reader, writer: right_writer }))
}

/// One side of a [`duplex`] pair. The two ends can be moved out and used, or closed, apart.
///
/// ```
/// let (here, there) = unipc::duplex()?;
/// drop(there.writer); // "there" has nothing more to say
/// assert_eq!(here.reader.read(&mut [0; 8])?, 0);
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Debug)]
pub struct Duplex {
    /// Reads what the other side writes.
    pub reader: PipeReader,
    /// Writes what the other side reads.
    pub writer: PipeWriter,
}

/// The standard streams of a process.
///
/// ```
/// assert_eq!(unipc::pipe::Stdio::Out as i32, 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stdio {
    /// Descriptor 0.
    In = 0,
    /// Descriptor 1.
    Out = 1,
    /// Descriptor 2.
    Err = 2,
}

/// The end of a pipe or FIFO that bytes come out of. Dropping it closes it.
///
/// Any thread may use it, several at once too; each byte is read once. A child made by fork inherits
/// it; across exec it goes with [`set_inheritable`](PipeEnd::set_inheritable) and
/// [`from_fd`](PipeReader::from_fd). What both ends have stands in [`PipeEnd`].
///
/// ```
/// use std::io::Read;
/// let (mut reader, writer) = unipc::pipe()?;
/// writer.write(b"to the end")?;
/// drop(writer);
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "to the end");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct PipeReader(PipeEnd);

/// The end of a pipe or FIFO that bytes go into. Dropping it closes it.
///
/// Writing where nobody reads any more is the error EPIPE and no SIGPIPE: if that signal would end
/// the process (its disposition is the default when this end is made), each write goes without it,
/// which costs some 60 ns; if the process ignores or handles SIGPIPE at that time, as Rust and Python
/// programs do from their start, the writer relies on it, and restoring the default afterwards makes
/// the signal deadly again.
///
/// Any thread may use it, several at once too; writes of up to [`PIPE_BUF`] bytes do not mix. A
/// child made by fork inherits it. What both ends have stands in [`PipeEnd`].
///
/// ```
/// use std::io::Write;
/// let (reader, mut writer) = unipc::pipe()?;
/// writeln!(writer, "{} + {} = {}", 1, 2, 1 + 2)?;
/// assert_eq!(reader.available()?, 10);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct PipeWriter(PipeEnd);

/// What both ends of a pipe have: capacity, flags, redirection. Reached by method calls on a
/// [`PipeReader`] or a [`PipeWriter`].
///
/// ```
/// let (reader, writer) = unipc::pipe()?;
/// assert_eq!(reader.capacity()?, writer.capacity()?);
/// # Ok::<(), unipc::Error>(())
/// ```
pub struct PipeEnd {
    end: End,
    object: Object,
}

impl fmt::Debug for PipeEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on descriptor {}", self.object.as_str(), self.end.fd().as_raw_fd())
    }
}

impl PipeReader {
    pub(crate) fn new(fd: OwnedFd, object: Object) -> PipeReader {
        PipeReader(PipeEnd { end: End::reader(fd), object })
    }

    /// Takes over a descriptor, for one that was inherited across exec.
    ///
    /// # Errors
    /// EINVAL: it is no pipe or FIFO. EBADF: it is not open for reading.
    ///
    /// ```
    /// let (reader, writer) = unipc::pipe()?;
    /// let reader = unipc::PipeReader::from_fd(reader.into())?;
    /// assert!(unipc::PipeReader::from_fd(writer.into()).is_err());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn from_fd(fd: OwnedFd) -> Result<PipeReader> {
        PipeReader::try_from_fd(fd).map_err(|(error, _)| error)
    }

    /// As [`from_fd`](Self::from_fd), and gives the descriptor back with the error.
    ///
    /// # Errors
    /// As `from_fd`.
    ///
    /// ```
    /// let file = std::fs::File::open("/dev/null").unwrap();
    /// let (error, fd) = unipc::PipeReader::try_from_fd(file.into()).unwrap_err();
    /// assert_eq!(error.cause(), "it is no pipe or FIFO");
    /// ```
    pub fn try_from_fd(fd: OwnedFd) -> std::result::Result<PipeReader, (Error, OwnedFd)> {
        match check_end(&fd, sys::pipe::READING) {
            Ok(()) => Ok(PipeReader::new(fd, "pipe".into())),
            Err(error) => Err((error, fd)),
        }
    }

    /// Reads up to `buf.len()` bytes, as many as are there; waits for at least one. 0 is the end of
    /// file: every writer is closed and the pipe is empty. [read(2)](https://man7.org/linux/man-pages/man2/read.2.html).
    ///
    /// # Errors
    /// EINTR: a signal handler ran, nothing was read. EAGAIN: it would block and the pipe is
    /// [non-blocking](PipeEnd::set_nonblocking).
    ///
    /// ```
    /// let (reader, writer) = unipc::pipe()?;
    /// drop(writer);
    /// assert_eq!(reader.read(&mut [0; 8])?, 0);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline]
    pub fn read(&self, buf: &mut [u8]) -> Result<usize> {
        self.read_by(buf, Deadline::NEVER)
    }

    /// Reads what is there, and does not wait.
    ///
    /// # Errors
    /// EAGAIN: nothing is there.
    ///
    /// ```
    /// let (reader, _writer) = unipc::pipe()?;
    /// assert!(reader.try_read(&mut [0; 8]).unwrap_err().would_block());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn try_read(&self, buf: &mut [u8]) -> Result<usize> {
        self.read_by(buf, Deadline::NOW)
    }

    /// As [`read`](Self::read), waiting until `deadline` at the latest.
    ///
    /// # Errors
    /// As `read`; ETIMEDOUT: the deadline passed.
    ///
    /// ```
    /// use std::time::Duration;
    /// let (reader, _writer) = unipc::pipe()?;
    /// assert!(reader.read_by(&mut [0; 8], Duration::from_millis(2)).unwrap_err().timed_out());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline]
    pub fn read_by(&self, buf: &mut [u8], deadline: impl Into<Deadline>) -> Result<usize> {
        self.0.end.read(buf, deadline.into()).map_err(|errno| errno.of("read from", &self.0.object))
    }

    /// Reads until `buf` is full or the end of file is there; a count below `buf.len()` means the latter.
    ///
    /// # Errors
    /// As [`read_by`](Self::read_by); [`Error::transferred`] then tells how many bytes stand in `buf`.
    ///
    /// ```
    /// use unipc::Deadline;
    /// let (reader, writer) = unipc::pipe()?;
    /// writer.write(b"ab")?;
    /// writer.write(b"cd")?;
    /// drop(writer);
    /// let mut buffer = [0; 8];
    /// assert_eq!(reader.read_full(&mut buffer, Deadline::NEVER)?, 4);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn read_full(&self, buf: &mut [u8], deadline: impl Into<Deadline>) -> Result<usize> {
        let deadline = deadline.into();
        let mut done = 0;
        while done < buf.len() {
            match self.read_by(&mut buf[done..], deadline).map_err(|error| error.after(done))? {
                0 => break,
                count => done += count,
            }
        }
        Ok(done)
    }

    /// How many bytes stand in the pipe.
    ///
    /// # Errors
    /// None that a pipe gives.
    ///
    /// ```
    /// let (reader, writer) = unipc::pipe()?;
    /// writer.write(b"12345")?;
    /// assert_eq!(reader.available()?, 5);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn available(&self) -> Result<usize> {
        sys::pipe::available(self.as_fd()).map_err(|errno| errno.of("inspect", &self.0.object))
    }

    /// Moves up to `len` bytes from the pipe to a file, a pipe or a socket without copying them
    /// through this process; 0 is the end of file. Waits while the pipe is empty, or `to` cannot
    /// take any. A socket or terminal that has room for a part only waits for the rest even beyond the
    /// deadline, unless it is in non-blocking mode.
    /// [splice(2)](https://man7.org/linux/man-pages/man2/splice.2.html).
    ///
    /// # Errors
    /// EINVAL: `to` cannot be spliced to (a file opened for appending, a terminal). EPIPE, EAGAIN,
    /// ETIMEDOUT, EINTR as for reading and writing; what goes wrong in `to`, such as ENOSPC.
    ///
    /// ```
    /// use unipc::Deadline;
    /// let (source, into_source) = unipc::pipe()?;
    /// let (from_target, target) = unipc::pipe()?;
    /// into_source.write(b"moved")?;
    /// assert_eq!(source.splice_to(&target, 100, Deadline::NEVER)?, 5);
    /// assert_eq!(from_target.available()?, 5);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn splice_to(&self, to: impl AsFd, len: usize, deadline: impl Into<Deadline>) -> Result<usize> {
        posix::splice(self.as_fd(), to.as_fd(), len, deadline.into())
            .map_err(|errno| errno.of("splice from", &self.0.object))
    }

    /// Copies up to `len` bytes to another pipe and leaves them in this one, again without a copy
    /// through this process. [tee(2)](https://man7.org/linux/man-pages/man2/tee.2.html).
    ///
    /// # Errors
    /// EINVAL: both are the same pipe. EPIPE, EAGAIN, ETIMEDOUT, EINTR as for reading and writing.
    ///
    /// ```
    /// use unipc::Deadline;
    /// let (source, into_source) = unipc::pipe()?;
    /// let (copy, into_copy) = unipc::pipe()?;
    /// into_source.write(b"twice")?;
    /// source.tee(&into_copy, 100, Deadline::NEVER)?;
    /// assert_eq!((source.available()?, copy.available()?), (5, 5));
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn tee(&self, to: &PipeWriter, len: usize, deadline: impl Into<Deadline>) -> Result<usize> {
        posix::tee(self.as_fd(), to.as_fd(), len, deadline.into()).map_err(|errno| errno.of("tee from", &self.0.object))
    }

    /// A second handle of the same end: the end is closed when both are.
    ///
    /// # Errors
    /// EMFILE.
    ///
    /// ```
    /// let (reader, writer) = unipc::pipe()?;
    /// let second = reader.try_clone()?;
    /// drop(reader);
    /// assert!(writer.write(b"still read").is_ok());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn try_clone(&self) -> Result<PipeReader> {
        Ok(PipeReader::new(self.0.duplicate()?, self.0.object.clone()))
    }
}

impl PipeWriter {
    pub(crate) fn new(fd: OwnedFd, object: Object) -> PipeWriter {
        PipeWriter(PipeEnd { end: End::writer(fd), object })
    }

    /// Takes over a descriptor, for one that was inherited across exec.
    ///
    /// # Errors
    /// EINVAL: it is no pipe or FIFO. EBADF: it is not open for writing.
    ///
    /// ```
    /// let (_reader, writer) = unipc::pipe()?;
    /// let writer = unipc::PipeWriter::from_fd(writer.into())?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn from_fd(fd: OwnedFd) -> Result<PipeWriter> {
        PipeWriter::try_from_fd(fd).map_err(|(error, _)| error)
    }

    /// As [`from_fd`](Self::from_fd), and gives the descriptor back with the error.
    ///
    /// # Errors
    /// As `from_fd`.
    ///
    /// ```
    /// let file = std::fs::File::open("/dev/null").unwrap();
    /// let (error, fd) = unipc::PipeWriter::try_from_fd(file.into()).unwrap_err();
    /// assert_eq!(error.cause(), "it is no pipe or FIFO");
    /// ```
    pub fn try_from_fd(fd: OwnedFd) -> std::result::Result<PipeWriter, (Error, OwnedFd)> {
        match check_end(&fd, sys::pipe::WRITING) {
            Ok(()) => Ok(PipeWriter::new(fd, "pipe".into())),
            Err(error) => Err((error, fd)),
        }
    }

    /// Writes `data`, waiting for room until all of it is in the pipe; only a signal handler makes
    /// the count smaller. [write(2)](https://man7.org/linux/man-pages/man2/write.2.html).
    ///
    /// # Errors
    /// EPIPE: every reader is closed; no signal is raised. EINTR: a signal handler ran before the
    /// first byte was written. EAGAIN: it would block and the pipe is
    /// [non-blocking](PipeEnd::set_nonblocking).
    ///
    /// ```
    /// let (reader, writer) = unipc::pipe()?;
    /// assert_eq!(writer.write(b"hello")?, 5);
    /// drop(reader);
    /// assert_eq!(writer.write(b"hello").unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline]
    pub fn write(&self, data: &[u8]) -> Result<usize> {
        self.write_by(data, Deadline::NEVER)
    }

    /// Writes what there is room for, and does not wait: up to [`PIPE_BUF`] bytes go whole or not at
    /// all, more may go in part.
    ///
    /// # Errors
    /// As [`write`](Self::write); EAGAIN: there is no room.
    ///
    /// ```
    /// let (_reader, writer) = unipc::pipe()?;
    /// while writer.try_write(&[0; 4096]).is_ok() {}
    /// assert!(writer.try_write(&[0; 1]).unwrap_err().would_block());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn try_write(&self, data: &[u8]) -> Result<usize> {
        self.write_by(data, Deadline::NOW)
    }

    /// Writes what there is room for, waiting for some until `deadline` at the latest. As
    /// [`try_write`](Self::try_write), more than [`PIPE_BUF`] bytes may go in part.
    ///
    /// # Errors
    /// As [`write`](Self::write); ETIMEDOUT: the deadline passed, and nothing was written.
    ///
    /// ```
    /// use std::time::Duration;
    /// let (_reader, writer) = unipc::pipe()?;
    /// while writer.try_write(&[0; 4096]).is_ok() {}
    /// assert!(writer.write_by(b"x", Duration::from_millis(2)).unwrap_err().timed_out());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline]
    pub fn write_by(&self, data: &[u8], deadline: impl Into<Deadline>) -> Result<usize> {
        self.0.end.write(data, deadline.into()).map_err(|errno| errno.of("write to", &self.0.object))
    }

    /// Writes all of `data`, in as many pieces as it takes.
    ///
    /// # Errors
    /// As [`write_by`](Self::write_by); [`Error::transferred`] then tells how many bytes went.
    ///
    /// ```
    /// use std::time::Duration;
    /// let (_reader, writer) = unipc::pipe()?;
    /// let error = writer.write_full(&[0; 1 << 20], Duration::from_millis(2)).unwrap_err();
    /// assert_eq!(error.transferred(), writer.capacity()?);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn write_full(&self, data: &[u8], deadline: impl Into<Deadline>) -> Result<()> {
        let deadline = deadline.into();
        let mut done = 0;
        while done < data.len() {
            done += self.write_by(&data[done..], deadline).map_err(|error| error.after(done))?;
        }
        Ok(())
    }

    /// Moves up to `len` bytes from a file, a pipe or a socket into the pipe without copying them
    /// through this process; a file is read at its own offset, which advances; 0 is its end.
    /// [splice(2)](https://man7.org/linux/man-pages/man2/splice.2.html).
    ///
    /// # Errors
    /// EINVAL: `from` cannot be spliced from. EPIPE, EAGAIN, ETIMEDOUT, EINTR as for reading and writing.
    ///
    /// ```
    /// use unipc::Deadline;
    /// let file = std::fs::File::open("Cargo.toml").unwrap();
    /// let (reader, writer) = unipc::pipe()?;
    /// let count = writer.splice_from(&file, 4096, Deadline::NEVER)?;
    /// assert_eq!(reader.available()?, count);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn splice_from(&self, from: impl AsFd, len: usize, deadline: impl Into<Deadline>) -> Result<usize> {
        posix::splice(from.as_fd(), self.as_fd(), len, deadline.into())
            .map_err(|errno| errno.of("splice to", &self.0.object))
    }

    /// Lends the pages of `data` to the pipe instead of copying them; returns how many bytes went.
    /// [vmsplice(2)](https://man7.org/linux/man-pages/man2/vmsplice.2.html).
    ///
    /// # Errors
    /// As [`write_by`](Self::write_by).
    ///
    /// # Safety
    /// The pipe refers to the very pages: `data` must stay allocated and unchanged until the other
    /// side has read it, or the other side reads what stands there then.
    ///
    /// ```
    /// use unipc::Deadline;
    /// static GREETING: &[u8] = b"never changes";
    /// let (reader, writer) = unipc::pipe()?;
    /// // SAFETY: a static never goes and never changes.
    /// let count = unsafe { writer.vmsplice(GREETING, Deadline::NEVER) }?;
    /// assert_eq!(reader.available()?, count);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[allow(unsafe_code)] // only declared here: the caller's promise is passed on to sys
    pub unsafe fn vmsplice(&self, data: &[u8], deadline: impl Into<Deadline>) -> Result<usize> {
        self.0
            .end
            // SAFETY: the caller vouches for `data`.
            .retry(deadline.into(), fd::WRITABLE, || unsafe { sys::pipe::vmsplice(self.as_fd(), data) })
            .map_err(|errno| errno.of("vmsplice to", &self.0.object))
    }

    /// A second handle of the same end: the end is closed when both are.
    ///
    /// # Errors
    /// EMFILE.
    ///
    /// ```
    /// let (reader, writer) = unipc::pipe()?;
    /// let second = writer.try_clone()?;
    /// drop(writer);
    /// assert!(reader.try_read(&mut [0; 8]).unwrap_err().would_block()); // not the end of file
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn try_clone(&self) -> Result<PipeWriter> {
        Ok(PipeWriter::new(self.0.duplicate()?, self.0.object.clone()))
    }
}

impl PipeEnd {
    /// For calls of ours that take a bare errno.
    pub(crate) fn end(&self) -> &End {
        &self.end
    }

    fn duplicate(&self) -> Result<OwnedFd> {
        fd::duplicate(self.end.fd()).map_err(|errno| errno.of("clone", &self.object))
    }

    /// How many bytes the pipe holds at most.
    ///
    /// # Errors
    /// None that a pipe gives.
    ///
    /// ```
    /// assert_eq!(unipc::pipe()?.0.capacity()?, 65536);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn capacity(&self) -> Result<usize> {
        sys::pipe::capacity(self.end.fd()).map_err(|errno| errno.of("inspect", &self.object))
    }

    /// Makes the pipe hold at least `bytes`; the kernel rounds up to a power of two pages and the
    /// result is what it chose. `F_SETPIPE_SZ` of [fcntl(2)](https://man7.org/linux/man-pages/man2/fcntl.2.html).
    ///
    /// # Errors
    /// EPERM: beyond fs.pipe-max-size and the process lacks `CAP_SYS_RESOURCE`. EBUSY: more bytes
    /// stand in the pipe. EINVAL: `bytes` is more than 2147483647.
    ///
    /// ```
    /// let (reader, writer) = unipc::pipe()?;
    /// assert_eq!(reader.set_capacity(100_000)?, 131_072);
    /// assert_eq!(writer.capacity()?, 131_072);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn set_capacity(&self, bytes: usize) -> Result<usize> {
        sys::pipe::set_capacity(self.end.fd(), bytes).map_err(|errno| {
            let error = errno.of("set the capacity of", &self.object);
            match errno.0 {
                libc::EPERM => match fs::read_number("/proc/sys/fs/pipe-max-size") {
                    Some(max) => error.because(format!(
                        "{bytes} bytes exceed fs.pipe-max-size={max}; raise it with 'sysctl fs.pipe-max-size={bytes}', \
                         or the user's pipes are at fs.pipe-user-pages-soft"
                    )),
                    None => error,
                },
                libc::EBUSY => error.because(format!("more than {bytes} bytes stand in it")),
                libc::EINVAL => error.because(format!("{bytes} bytes are more than 2147483647")),
                _ => error,
            }
        })
    }

    /// Sets O_NONBLOCK: reading and writing without a deadline then fail with EAGAIN instead of
    /// waiting. The flag belongs to the open file description: every process that inherited this end
    /// sees the change. The `try_` calls and deadlines do not need it and do not touch it.
    ///
    /// # Errors
    /// None that a pipe gives.
    ///
    /// ```
    /// let (reader, _writer) = unipc::pipe()?;
    /// reader.set_nonblocking(true)?;
    /// assert!(reader.read(&mut [0; 8]).unwrap_err().would_block());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn set_nonblocking(&self, on: bool) -> Result<()> {
        fd::set_nonblocking(self.end.fd(), on).map_err(|errno| errno.of("set flags of", &self.object))
    }

    /// Whether O_NONBLOCK is set.
    ///
    /// # Errors
    /// None that a pipe gives.
    ///
    /// ```
    /// assert!(!unipc::pipe()?.0.is_nonblocking()?);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn is_nonblocking(&self) -> Result<bool> {
        fd::is_nonblocking(self.end.fd()).map_err(|errno| errno.of("inspect", &self.object))
    }

    /// Makes the descriptor survive exec (`true`), so that the new program can take it over with
    /// `from_fd`, or close then (`false`, how it is made). Every program started meanwhile by any
    /// thread inherits it: between fork and exec is the safe place, or
    /// [`redirect`](Self::redirect).
    ///
    /// # Errors
    /// None that a pipe gives.
    ///
    /// ```
    /// let (reader, _writer) = unipc::pipe()?;
    /// reader.set_inheritable(true)?;
    /// assert!(reader.is_inheritable()?);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn set_inheritable(&self, on: bool) -> Result<()> {
        fd::set_inheritable(self.end.fd(), on).map_err(|errno| errno.of("set flags of", &self.object))
    }

    /// Whether the descriptor survives exec.
    ///
    /// # Errors
    /// None that a pipe gives.
    ///
    /// ```
    /// assert!(!unipc::pipe()?.0.is_inheritable()?);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn is_inheritable(&self) -> Result<bool> {
        fd::is_inheritable(self.end.fd()).map_err(|errno| errno.of("inspect", &self.object))
    }

    /// Makes a standard stream of this process, and of children started from now on, this end of the
    /// pipe. Dropping the result puts the old stream back. Flush what is buffered for the stream
    /// before and after: buffers do not know of it. [dup2(2)](https://man7.org/linux/man-pages/man2/dup.2.html).
    ///
    /// # Errors
    /// EMFILE. EBUSY: another thread is opening a descriptor in the very place.
    ///
    /// ```
    /// use std::io::Write;
    /// use unipc::pipe::Stdio;
    /// let (reader, writer) = unipc::pipe()?;
    /// let redirection = writer.redirect(Stdio::Out)?;
    /// std::process::Command::new("echo").arg("captured").status()?;
    /// redirection.restore()?;
    /// assert_eq!(reader.available()?, 9);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn redirect(&self, stream: Stdio) -> Result<Redirection> {
        let number = stream as RawFd;
        // A stream that is closed is closed again afterwards.
        let before = match fd::duplicate_standard(number) {
            Ok(before) => Some(before),
            Err(errno) if errno.0 == libc::EBADF => None,
            Err(errno) => return Err(errno.of("redirect to", &self.object)),
        };
        fd::replace_standard(self.end.fd(), number).map_err(|errno| errno.of("redirect to", &self.object))?;
        Ok(Redirection { number, before, settled: false })
    }

    /// Makes descriptor `target` this end of the pipe, inheritable; what it was is closed.
    /// [dup2(2)](https://man7.org/linux/man-pages/man2/dup.2.html).
    ///
    /// # Errors
    /// EBADF: `target` is negative or beyond RLIMIT_NOFILE.
    ///
    /// # Safety
    /// Nothing else in the process may own `target`, or it must expect the change. For the
    /// standard streams use [`redirect`](Self::redirect).
    ///
    /// ```
    /// let (reader, writer) = unipc::pipe()?;
    /// // SAFETY: nothing in this program uses descriptor 100.
    /// unsafe { writer.duplicate_onto(100) }?;
    /// drop(writer);
    /// assert!(reader.try_read(&mut [0; 8]).unwrap_err().would_block()); // 100 still writes
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[allow(unsafe_code)] // only declared here: the caller's promise is passed on to sys
    pub unsafe fn duplicate_onto(&self, target: RawFd) -> Result<()> {
        // SAFETY: the caller vouches for `target`.
        unsafe { fd::duplicate_onto(self.end.fd(), target) }.map_err(|errno| {
            let error = errno.of("duplicate", &self.object);
            if errno.0 == libc::EBADF {
                return error.because(format!("{target} is no descriptor: it is negative or beyond RLIMIT_NOFILE"));
            }
            error
        })
    }
}

/// A standard stream that [`PipeEnd::redirect`] changed; dropping it puts the old one back. Undo
/// redirections of one stream in the reverse order: each puts back what it found.
///
/// ```
/// use unipc::pipe::Stdio;
/// let (_reader, writer) = unipc::pipe()?;
/// let redirection = writer.redirect(Stdio::Err)?;
/// eprintln!("into the pipe");
/// drop(redirection);
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it undoes the redirection at once"]
pub struct Redirection {
    number: RawFd,
    before: Option<OwnedFd>,
    settled: bool,
}

impl Redirection {
    /// Puts the old stream back, as dropping does, and tells when that fails.
    ///
    /// # Errors
    /// EBUSY: another thread is opening a descriptor in the very place; try again.
    ///
    /// ```
    /// let (_reader, writer) = unipc::pipe()?;
    /// writer.redirect(unipc::pipe::Stdio::Err)?.restore()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn restore(mut self) -> Result<()> {
        self.put_back().map_err(|errno| errno.of("restore", "standard stream"))
    }

    /// Leaves the stream redirected for good.
    ///
    /// ```no_run
    /// let (_reader, writer) = unipc::pipe()?;
    /// writer.redirect(unipc::pipe::Stdio::Out)?.keep();
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn keep(mut self) {
        self.settled = true;
    }

    fn put_back(&mut self) -> sys::Result<()> {
        self.settled = true;
        if let Some(before) = &self.before {
            return fd::replace_standard(before.as_fd(), self.number);
        }
        fd::close_standard(self.number);
        Ok(())
    }
}

impl Drop for Redirection {
    fn drop(&mut self) {
        if !self.settled {
            let _ = self.put_back();
        }
    }
}

/// Refuses a descriptor that is no pipe, or open for the other direction.
fn check_end(fd: &OwnedFd, direction: i32) -> Result<()> {
    let refuse = |errno, cause: &'static str| Error::new("take over", "descriptor", errno, cause);
    let stat = fs::stat(fd.as_fd()).map_err(|errno| errno.of("take over", "descriptor"))?;
    if !stat.is_fifo() {
        return Err(refuse(libc::EINVAL, "it is no pipe or FIFO"));
    }
    if sys::pipe::is_open_for(fd.as_fd(), direction).map_err(|errno| errno.of("take over", "descriptor"))? {
        Ok(())
    } else {
        Err(refuse(libc::EBADF, "it is the other end: not open for this direction"))
    }
}

impl Deref for PipeReader {
    type Target = PipeEnd;
    fn deref(&self) -> &PipeEnd {
        &self.0
    }
}

impl Deref for PipeWriter {
    type Target = PipeEnd;
    fn deref(&self) -> &PipeEnd {
        &self.0
    }
}

impl AsFd for PipeReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.end.fd()
    }
}

impl AsFd for PipeWriter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.end.fd()
    }
}

impl AsRawFd for PipeReader {
    /// The number of the descriptor. The handle may hold a second one of the same pipe, for calls
    /// with a deadline: a child that closes ends by number keeps that.
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl AsRawFd for PipeWriter {
    /// The number of the descriptor. The handle may hold a second one of the same pipe, for calls
    /// with a deadline: a child that closes ends by number keeps that, and the end of file never comes.
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl From<PipeReader> for OwnedFd {
    fn from(reader: PipeReader) -> OwnedFd {
        reader.0.end.into_fd()
    }
}

impl From<PipeWriter> for OwnedFd {
    fn from(writer: PipeWriter) -> OwnedFd {
        writer.0.end.into_fd()
    }
}

impl From<PipeReader> for std::process::Stdio {
    fn from(reader: PipeReader) -> std::process::Stdio {
        OwnedFd::from(reader).into()
    }
}

impl From<PipeWriter> for std::process::Stdio {
    fn from(writer: PipeWriter) -> std::process::Stdio {
        OwnedFd::from(writer).into()
    }
}

impl Read for &PipeReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(PipeReader::read(self, buf)?)
    }
}

impl Read for PipeReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(PipeReader::read(self, buf)?)
    }
}

impl Write for &PipeWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(PipeWriter::write(self, data)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for PipeWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(PipeWriter::write(self, data)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
