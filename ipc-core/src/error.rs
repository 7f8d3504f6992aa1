//! One error type for the whole crate: the operation, the object, the cause and, where there is
//! one, the way out.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;

/// The result of every fallible call of this crate.
///
/// ```
/// fn depth(name: &str) -> unipc::Result<usize> {
///     unipc::Queue::open(name)?.len()
/// }
/// assert!(depth("/no-such-queue").is_err());
/// ```
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed: what was tried, on which object, and the cause as a sentence.
///
/// [`Display`](fmt::Display) prints the whole, for example
/// `create queue /orders: 11 messages exceed fs.mqueue.msg_max=10; raise it with …`.
/// Every error carries an errno of the operating system, so it converts into
/// [`std::io::Error`] and crosses into C unchanged.
///
/// ```
/// let error = unipc::Queue::open("/no-such-queue").unwrap_err();
/// assert_eq!(error.to_string(), "open queue /no-such-queue: it does not exist");
/// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
/// let io: std::io::Error = error.into();
/// assert_eq!(io.kind(), std::io::ErrorKind::NotFound);
/// ```
#[derive(Clone)]
pub struct Error {
    operation: &'static str,
    object: Object,
    cause: Cow<'static, str>,
    errno: i32,
    transferred: usize,
}

/// What an operation was about. Shared with the handle, so that making an error costs no memory.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    /// A kind of thing without a name: "pipe", "anonymous memory".
    Kind(&'static str),
    /// A name or path that the caller gave.
    Name(Arc<str>),
}

impl Object {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Object::Kind(kind) => kind,
            Object::Name(name) => name,
        }
    }
}

impl From<&'static str> for Object {
    fn from(kind: &'static str) -> Self {
        Object::Kind(kind)
    }
}

impl From<&Object> for Object {
    fn from(object: &Object) -> Self {
        object.clone()
    }
}

impl From<&std::path::Path> for Object {
    fn from(path: &std::path::Path) -> Self {
        Object::Name(path.to_string_lossy().into())
    }
}

/// A bare error number, as the kernel gives it; [`Errno::of`] makes it an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub i32);

impl Errno {
    pub(crate) const AGAIN: Errno = Errno(libc::EAGAIN);
    pub(crate) const TIMED_OUT: Errno = Errno(libc::ETIMEDOUT);
    pub(crate) const INVALID: Errno = Errno(libc::EINVAL);
    pub(crate) const NOT_FOUND: Errno = Errno(libc::ENOENT);
    pub(crate) const EXISTS: Errno = Errno(libc::EEXIST);
    pub(crate) const INTERRUPTED: Errno = Errno(libc::EINTR);
    pub(crate) const NO_MEMORY: Errno = Errno(libc::ENOMEM);
    pub(crate) const NO_SPACE: Errno = Errno(libc::ENOSPC);
    pub(crate) const BUSY: Errno = Errno(libc::EBUSY);
    pub(crate) const FAULT: Errno = Errno(libc::EFAULT);
    pub(crate) const OUT_OF_RANGE: Errno = Errno(libc::ERANGE);
    pub(crate) const TOO_LONG: Errno = Errno(libc::EMSGSIZE);
    /// Not open for this direction.
    pub(crate) const BAD_HANDLE: Errno = Errno(libc::EBADF);
    /// The reader has left.
    pub(crate) const PIPE: Errno = Errno(libc::EPIPE);
    pub(crate) const UNSUPPORTED: Errno = Errno(libc::EOPNOTSUPP);
    /// Waits on this handle were ended for good.
    pub(crate) const SHUT_DOWN: Errno = Errno(libc::ESHUTDOWN);
    /// Shared bytes are what no participant writes.
    pub(crate) const SPOILED: Errno = Errno(libc::EBADMSG);
    /// What this thread held was taken from it: its owner counts as dead.
    pub(crate) const OWNER_DIED: Errno = Errno(libc::EOWNERDEAD);

    /// The errno that the last failing libc call left in this thread.
    pub(crate) fn last() -> Errno {
        Errno(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
    }

    /// This errno as the outcome of `operation` on `object`.
    #[cold]
    pub(crate) fn of(self, operation: &'static str, object: impl Into<Object>) -> Error {
        Error { operation, object: object.into(), cause: sentence(self), errno: self.0, transferred: 0 }
    }
}

/// The one table: what each errno means, said of the object ("create queue /q: it exists already").
fn sentence(errno: Errno) -> Cow<'static, str> {
    Cow::Borrowed(match errno.0 {
        libc::EPERM => "not permitted: the caller lacks the privilege, or a seal forbids it",
        libc::ENOENT => "it does not exist",
        libc::EINTR => "interrupted by a signal handler",
        libc::EIO => "input/output error",
        libc::ENXIO => "there is no such device, or nobody at its other end",
        libc::EBADF => "the descriptor is closed, or not open for this direction",
        libc::EAGAIN => "it would block",
        libc::ENOMEM => "not enough memory, or the process is at its limit of mappings (vm.max_map_count)",
        libc::EACCES => "permission denied: its mode, its owner or its directory forbids it",
        libc::EBUSY => "it is in use",
        libc::EEXIST => "it exists already",
        libc::ENOTDIR => "a part of the path is no directory",
        libc::EISDIR => "it is a directory",
        libc::EINVAL => "invalid argument",
        libc::ENFILE => "the whole system is at its limit of open files (fs.file-max)",
        libc::EMFILE => {
            "the process is at its limit of open descriptors (RLIMIT_NOFILE); \
             close some or raise it with 'ulimit -n'"
        }
        libc::EFBIG => "the size exceeds RLIMIT_FSIZE or what the file system can hold",
        libc::ENOSPC => "no space is left on the file system",
        libc::EROFS => "the file system is read-only",
        libc::EPIPE => "nobody has it open for reading any more",
        libc::ENAMETOOLONG => "the name is too long",
        libc::ENOSYS => "this kernel does not have the system call",
        libc::ELOOP => "it is a symbolic link, or a loop of them",
        libc::EOVERFLOW => "the value would exceed its maximum",
        libc::EMSGSIZE => "the message does not fit",
        libc::EOPNOTSUPP => "the kernel or the file system does not support it",
        libc::ETIMEDOUT => "timed out",
        libc::EBADMSG => "its contents were spoiled by some other process",
        libc::EPROTO => "it is of another version or machine",
        libc::EUSERS => "as many threads as can take part do so already",
        libc::ESHUTDOWN => "waiting on this handle was ended by a shutdown",
        libc::EOWNERDEAD => "the thread that held it has ended",
        other => {
            let text = io::Error::from_raw_os_error(other).to_string();
            return Cow::Owned(text.split(" (os error").next().unwrap_or(&text).to_owned());
        }
    })
}

impl Error {
    /// An error whose cause is a sentence of our own.
    #[cold]
    pub(crate) fn new(
        operation: &'static str,
        object: impl Into<Object>,
        errno: i32,
        cause: impl Into<Cow<'static, str>>,
    ) -> Error {
        Error { operation, object: object.into(), cause: cause.into(), errno, transferred: 0 }
    }

    pub(crate) fn because(mut self, cause: impl Into<Cow<'static, str>>) -> Error {
        self.cause = cause.into();
        self
    }

    pub(crate) fn after(mut self, transferred: usize) -> Error {
        self.transferred = transferred;
        self
    }

    /// What was tried, such as `create queue` or `write to`.
    ///
    /// ```
    /// assert_eq!(unipc::Queue::open("/no-such-queue").unwrap_err().operation(), "open queue");
    /// ```
    pub fn operation(&self) -> &str {
        self.operation
    }

    /// The name or path of the object, or its kind (`pipe`) where it has no name.
    ///
    /// ```
    /// assert_eq!(unipc::Queue::open("/no-such-queue").unwrap_err().object(), "/no-such-queue");
    /// ```
    pub fn object(&self) -> &str {
        self.object.as_str()
    }

    /// Whether [`object`](Self::object) is a name or path that the caller gave.
    ///
    /// ```
    /// assert!(unipc::Queue::open("/no-such-queue").unwrap_err().is_named());
    /// ```
    pub fn is_named(&self) -> bool {
        matches!(self.object, Object::Name(_))
    }

    /// The cause, and the way out where there is one, without operation and object.
    ///
    /// ```
    /// assert_eq!(unipc::Queue::open("/no-such-queue").unwrap_err().cause(), "it does not exist");
    /// ```
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// The errno of the operating system; never 0.
    ///
    /// ```
    /// assert_eq!(unipc::Queue::open("/no-such-queue").unwrap_err().errno(), 2); // ENOENT
    /// ```
    pub fn errno(&self) -> i32 {
        self.errno
    }

    /// The errno as the standard library sorts it.
    ///
    /// ```
    /// let kind = unipc::Queue::open("/no-such-queue").unwrap_err().kind();
    /// assert_eq!(kind, std::io::ErrorKind::NotFound);
    /// ```
    pub fn kind(&self) -> io::ErrorKind {
        io::Error::from_raw_os_error(self.errno).kind()
    }

    /// How many bytes (or semaphore permits) had already moved when a call that moves many failed:
    /// `read_full`, `write_full`, `post_many`. They are not lost: they stand in the caller's buffer,
    /// or have reached the other side.
    ///
    /// ```
    /// use std::time::Duration;
    /// let (reader, writer) = unipc::pipe()?;
    /// writer.write(b"abc")?;
    /// let mut buffer = [0; 8];
    /// let error = reader.read_full(&mut buffer, Duration::from_millis(1)).unwrap_err();
    /// assert!(error.timed_out());
    /// assert_eq!(&buffer[..error.transferred()], b"abc");
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn transferred(&self) -> usize {
        self.transferred
    }

    /// EAGAIN: a call that was told not to wait would have had to.
    ///
    /// ```
    /// let (reader, _writer) = unipc::pipe()?;
    /// assert!(reader.try_read(&mut [0; 8]).unwrap_err().would_block());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn would_block(&self) -> bool {
        self.errno == libc::EAGAIN
    }

    /// ETIMEDOUT: the deadline passed first.
    ///
    /// ```
    /// use std::time::Duration;
    /// let (reader, _writer) = unipc::pipe()?;
    /// assert!(reader.read_by(&mut [0; 8], Duration::from_millis(1)).unwrap_err().timed_out());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn timed_out(&self) -> bool {
        self.errno == libc::ETIMEDOUT
    }

    /// EINTR: a signal handler ran while the call waited. Nothing was taken or given beyond what
    /// [`transferred`](Self::transferred) tells; call again, with the same
    /// [`Deadline`](crate::Deadline), to go on waiting.
    ///
    /// ```
    /// let error = unipc::Queue::open("/no-such-queue").unwrap_err();
    /// assert!(!error.interrupted());
    /// ```
    pub fn interrupted(&self) -> bool {
        self.errno == libc::EINTR
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = self.object.as_str();
        if object.contains(char::is_control) {
            return write!(f, "{} {}: {}", self.operation, object.escape_debug(), self.cause);
        }
        write!(f, "{} {object}: {}", self.operation, self.cause)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error(\"{self}\", errno {})", self.errno)
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    /// Keeps the kind and the sentence; [`io::Error::get_ref`] leads back to the [`Error`] and its
    /// errno, which [`io::Error::raw_os_error`] does not tell.
    fn from(error: Error) -> io::Error {
        io::Error::new(error.kind(), error)
    }
}
