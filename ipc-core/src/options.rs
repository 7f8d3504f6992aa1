//! What creating and opening have in common, whatever the primitive.

use crate::error::{Error, Object, Result};

/// What `open_or_create` did.
///
/// ```
/// use unipc::{Opened, Semaphore};
/// let name = format!("/unipc-doc-opened-{}", std::process::id());
/// let (_first, did) = Semaphore::options().open_or_create(&name)?;
/// assert_eq!(did, Opened::Created);
/// let (_again, did) = Semaphore::options().open_or_create(&name)?;
/// assert_eq!(did, Opened::Existing);
/// Semaphore::unlink(&name)?;
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opened {
    /// The object was not there; this call made it.
    Created,
    /// The object was there already; its own attributes hold, not the caller's options.
    Existing,
}

/// The directions in which an object is opened.
///
/// ```
/// assert_eq!(unipc::Access::default(), unipc::Access::ReadWrite);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Access {
    /// Both.
    #[default]
    ReadWrite,
    /// Receiving only.
    ReadOnly,
    /// Sending only.
    WriteOnly,
}

/// The permission bits of an object to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode {
    pub bits: u32,
    /// The umask of the process does not apply.
    pub exact: bool,
}

impl Default for Mode {
    fn default() -> Self {
        Mode { bits: 0o600, exact: false }
    }
}

impl Mode {
    pub(crate) fn check(self, operation: &'static str, object: impl Into<Object>) -> Result<Mode> {
        if self.bits <= 0o777 {
            return Ok(self);
        }
        let cause = format!("mode {:#o} has bits beyond 0o777: modes are octal, as 0o600 is", self.bits);
        Err(Error::new(operation, object, libc::EINVAL, cause))
    }
}

/// How often is tried again what others undo at once.
pub(crate) const ATTEMPTS: u32 = 1000;

/// Opens what is there or creates it, and tells which: between the two attempts others may create
/// or remove the object, so each failure that says so is tried anew; not for ever, because a dangling
/// symbolic link both does not exist and does.
pub(crate) fn open_or_create<T>(open: impl Fn() -> Result<T>, create: impl Fn() -> Result<T>) -> Result<(T, Opened)> {
    let mut attempts = ATTEMPTS;
    loop {
        match open() {
            Err(error) if error.errno() == libc::ENOENT => {}
            done => return done.map(|object| (object, Opened::Existing)),
        }
        match create() {
            Err(error) if error.errno() == libc::EEXIST && attempts > 0 => attempts -= 1,
            done => return done.map(|object| (object, Opened::Created)),
        }
    }
}
