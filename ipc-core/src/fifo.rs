#![doc = include_str!("../docs/fifo.md")]

mod posix;

use crate::deadline::Deadline;
use crate::error::{Errno, Error, Object, Result};
use crate::name;
use crate::options::{self, Mode, Opened};
use crate::pipe::{PipeReader, PipeWriter};
use crate::sys::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// A FIFO: a pipe with a path, which unrelated processes open by it.
///
/// The handle stands for the file and is no end of it: it neither reads nor writes, and having it
/// makes no writer or reader appear to others. It refers to the file it found, whatever happens to
/// the path afterwards. Dropping it removes nothing. Any thread may use it.
///
/// ```
/// use std::io::Read;
/// use unipc::Fifo;
/// let path = std::env::temp_dir().join(format!("unipc-doc-fifo-{}", std::process::id()));
/// let fifo = Fifo::create(&path)?;
/// let writer = std::thread::spawn({
///     let path = path.clone();
///     move || Fifo::open(path)?.open_writer()?.write(b"through a file name")
/// });
/// let mut text = String::new();
/// fifo.open_reader()?.read_to_string(&mut text)?;
/// assert_eq!(text, "through a file name");
/// # writer.join().unwrap()?;
/// Fifo::unlink(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Fifo {
    /// Opened with `O_PATH`: it stands for the file without opening it.
    file: OwnedFd,
    path: PathBuf,
    object: Object,
}

/// How a FIFO is made. See [`Fifo::options`].
///
/// ```
/// let mut options = unipc::Fifo::options();
/// options.mode(0o660);
/// ```
#[derive(Clone, Debug, Default)]
pub struct FifoOptions {
    mode: Mode,
}

impl Fifo {
    /// Options to create a FIFO with.
    ///
    /// ```
    /// use unipc::{Fifo, Opened};
    /// let path = std::env::temp_dir().join(format!("unipc-doc-fifo-options-{}", std::process::id()));
    /// let (fifo, did) = Fifo::options().exact_mode(0o622).open_or_create(&path)?;
    /// assert_eq!(did, Opened::Created);
    /// Fifo::unlink(&path)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn options() -> FifoOptions {
        FifoOptions::default()
    }

    /// Makes a FIFO of mode 0600 where nothing is yet; as [`FifoOptions::create`].
    ///
    /// # Errors
    /// As [`FifoOptions::create`].
    ///
    /// ```
    /// use unipc::Fifo;
    /// let path = std::env::temp_dir().join(format!("unipc-doc-fifo-create-{}", std::process::id()));
    /// Fifo::create(&path)?;
    /// assert_eq!(Fifo::create(&path).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    /// Fifo::unlink(&path)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn create(path: impl AsRef<Path>) -> Result<Fifo> {
        Fifo::options().create(path)
    }

    /// Finds the FIFO at `path`; a path that is something else is refused, and never opened.
    ///
    /// # Errors
    /// ENOENT; EINVAL: it is no FIFO; EACCES: a directory on the way cannot be searched.
    ///
    /// ```
    /// let error = unipc::Fifo::open("/dev/null").unwrap_err();
    /// assert_eq!(error.to_string(), "open FIFO /dev/null: it is no FIFO");
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Fifo> {
        Fifo::options().open(path)
    }

    /// Removes the FIFO's name; those who have it open go on with it. A path that is no FIFO stays, unless
    /// it takes the FIFO's place in the very moment.
    /// [unlink(2)](https://man7.org/linux/man-pages/man2/unlink.2.html).
    ///
    /// # Errors
    /// ENOENT; EINVAL: it is no FIFO; EACCES, EPERM: the directory forbids it.
    ///
    /// ```
    /// assert!(unipc::Fifo::unlink("/dev/null").is_err());
    /// ```
    pub fn unlink(path: impl AsRef<Path>) -> Result<()> {
        let operation = "unlink FIFO";
        let path = path.as_ref();
        let fail = |errno: Errno| errno.of(operation, path);
        let name = name::path(operation, path)?;
        check_fifo(operation, path, &posix::locate_link(&name).map_err(fail)?)?;
        fs::unlink(&name).map_err(fail)
    }

    /// The path it was created or opened by.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("unipc-doc-fifo-path-{}", std::process::id()));
    /// let fifo = unipc::Fifo::create(&path)?;
    /// assert_eq!(fifo.path(), path);
    /// # unipc::Fifo::unlink(&path)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens for reading, waiting for a writer to open too. [fifo(7)](https://man7.org/linux/man-pages/man7/fifo.7.html).
    ///
    /// # Errors
    /// EACCES: the mode forbids it. EINTR: a signal handler ran. EMFILE.
    ///
    /// ```no_run
    /// let reader = unipc::Fifo::open("/run/orders")?.open_reader()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn open_reader(&self) -> Result<PipeReader> {
        self.open_reader_by(Deadline::NEVER)
    }

    /// As [`open_reader`](Self::open_reader), waiting until `deadline` at the latest. A writer that
    /// comes in the very instant in which the wait ends finds a reader that has left (EPIPE).
    ///
    /// # Errors
    /// As `open_reader`; ETIMEDOUT: no writer came.
    ///
    /// ```
    /// use std::time::Duration;
    /// # let path = std::env::temp_dir().join(format!("unipc-doc-fifo-reader-{}", std::process::id()));
    /// let fifo = unipc::Fifo::create(&path)?;
    /// assert!(fifo.open_reader_by(Duration::from_millis(2)).unwrap_err().timed_out());
    /// # unipc::Fifo::unlink(&path)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn open_reader_by(&self, deadline: impl Into<Deadline>) -> Result<PipeReader> {
        let reader = posix::open_reader(self.file.as_fd(), deadline.into())
            .map_err(|errno| self.explain(errno, "open for reading", "no writer opened it in time"))?;
        Ok(PipeReader::new(reader, self.object.clone()))
    }

    /// Opens for reading at once, writer or not. Until the first writer opens, reading finds the end
    /// of file. The end is in blocking mode, whatever way it was opened.
    ///
    /// # Errors
    /// EACCES, EMFILE.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("unipc-doc-fifo-try-{}", std::process::id()));
    /// let fifo = unipc::Fifo::create(&path)?;
    /// let reader = fifo.try_open_reader()?;
    /// assert_eq!(reader.read(&mut [0; 8])?, 0);
    /// # unipc::Fifo::unlink(&path)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn try_open_reader(&self) -> Result<PipeReader> {
        self.open_reader_by(Deadline::NOW)
    }

    /// Opens for writing, waiting for a reader to open too.
    ///
    /// # Errors
    /// EACCES: the mode forbids it. EINTR: a signal handler ran. EMFILE.
    ///
    /// ```no_run
    /// let writer = unipc::Fifo::open("/run/orders")?.open_writer()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn open_writer(&self) -> Result<PipeWriter> {
        self.open_writer_by(Deadline::NEVER)
    }

    /// As [`open_writer`](Self::open_writer), waiting until `deadline` at the latest.
    ///
    /// # Errors
    /// As `open_writer`; ETIMEDOUT: no reader came.
    ///
    /// ```
    /// use std::time::Duration;
    /// # let path = std::env::temp_dir().join(format!("unipc-doc-fifo-writer-{}", std::process::id()));
    /// let fifo = unipc::Fifo::create(&path)?;
    /// assert!(fifo.open_writer_by(Duration::from_millis(2)).unwrap_err().timed_out());
    /// # unipc::Fifo::unlink(&path)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn open_writer_by(&self, deadline: impl Into<Deadline>) -> Result<PipeWriter> {
        let writer = posix::open_writer(self.file.as_fd(), deadline.into())
            .map_err(|errno| self.explain(errno, "open for writing", "no reader opened it in time"))?;
        Ok(PipeWriter::new(writer, self.object.clone()))
    }

    /// Opens for writing at once.
    ///
    /// # Errors
    /// ENXIO: nobody has it open for reading. EACCES, EMFILE.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("unipc-doc-fifo-enxio-{}", std::process::id()));
    /// let fifo = unipc::Fifo::create(&path)?;
    /// assert_eq!(fifo.try_open_writer().unwrap_err().errno(), 6); // ENXIO
    /// let _reader = fifo.try_open_reader()?;
    /// assert!(fifo.try_open_writer().is_ok());
    /// # unipc::Fifo::unlink(&path)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn try_open_writer(&self) -> Result<PipeWriter> {
        self.open_writer_by(Deadline::NOW)
    }

    fn explain(&self, errno: Errno, operation: &'static str, nobody: &'static str) -> Error {
        let error = errno.of(operation, &self.object);
        match errno.0 {
            libc::ETIMEDOUT => error.because(nobody),
            libc::ENXIO => error.because("nobody has it open for reading"),
            libc::ENOENT => error.because(NO_PROC),
            _ => error,
        }
    }
}

impl FifoOptions {
    /// The permission bits, from which the umask of the process takes its own away. 0600 unless set.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("unipc-doc-fifo-mode-{}", std::process::id()));
    /// unipc::Fifo::options().mode(0o640).create(&path)?;
    /// # unipc::Fifo::unlink(&path)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.mode = Mode { bits: mode, exact: false };
        self
    }

    /// The permission bits, whatever the umask. The FIFO gets its name only once they are set, so
    /// that nobody meets it with others.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("unipc-doc-fifo-exact-{}", std::process::id()));
    /// unipc::Fifo::options().exact_mode(0o666).create(&path)?;
    /// # unipc::Fifo::unlink(&path)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn exact_mode(&mut self, mode: u32) -> &mut Self {
        self.mode = Mode { bits: mode, exact: true };
        self
    }

    /// Makes a FIFO where nothing is yet. [mkfifo(3)](https://man7.org/linux/man-pages/man3/mkfifo.3.html).
    ///
    /// # Errors
    /// EEXIST; ENOENT, ENOTDIR: the directory is not there; EACCES, EROFS, ENOSPC; EINVAL: the mode
    /// has bits beyond 0777, or the path a NUL byte.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("unipc-doc-fifo-ocreate-{}", std::process::id()));
    /// let fifo = unipc::Fifo::options().mode(0o600).create(&path)?;
    /// # unipc::Fifo::unlink(&path)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn create(&self, path: impl AsRef<Path>) -> Result<Fifo> {
        let (operation, path) = ("create FIFO", path.as_ref());
        let mode = self.mode.check(operation, path)?;
        let name = name::path(operation, path)?;
        let file = posix::create(&name, mode).map_err(|errno| {
            let error = errno.of(operation, path);
            match errno.0 {
                libc::ENOENT if !fs::has_proc() => error.because(NO_PROC),
                libc::ENOENT => error.because("its directory does not exist"),
                _ => error,
            }
        })?;
        Fifo::adopt(operation, path, file)
    }

    /// Finds the FIFO at `path`; the mode is not looked at.
    ///
    /// # Errors
    /// As [`Fifo::open`].
    ///
    /// ```
    /// assert!(unipc::Fifo::options().open("/no/such/fifo").is_err());
    /// ```
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Fifo> {
        let (operation, path) = ("open FIFO", path.as_ref());
        let name = name::path(operation, path)?;
        let file = posix::locate(&name).map_err(|errno| errno.of(operation, path))?;
        Fifo::adopt(operation, path, file)
    }

    /// Finds the FIFO at `path` or makes it, and tells which.
    ///
    /// # Errors
    /// As [`create`](Self::create) and [`open`](Self::open).
    ///
    /// ```
    /// use unipc::{Fifo, Opened};
    /// # let path = std::env::temp_dir().join(format!("unipc-doc-fifo-ooc-{}", std::process::id()));
    /// assert_eq!(Fifo::options().open_or_create(&path)?.1, Opened::Created);
    /// assert_eq!(Fifo::options().open_or_create(&path)?.1, Opened::Existing);
    /// # Fifo::unlink(&path)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn open_or_create(&self, path: impl AsRef<Path>) -> Result<(Fifo, Opened)> {
        let path = path.as_ref();
        options::open_or_create(|| self.open(path), || self.create(path))
    }
}

impl Fifo {
    fn adopt(operation: &'static str, path: &Path, file: OwnedFd) -> Result<Fifo> {
        check_fifo(operation, path, &file)?;
        Ok(Fifo { file, path: path.to_owned(), object: path.into() })
    }
}

/// Without it the very file that was checked cannot be opened.
const NO_PROC: &str = "/proc is not mounted, and by no other way it goes without a race";

fn check_fifo(operation: &'static str, path: &Path, file: &OwnedFd) -> Result<()> {
    match posix::is_fifo(file.as_fd()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::new(operation, path, libc::EINVAL, "it is no FIFO")),
        Err(errno) => Err(errno.of(operation, path)),
    }
}
