#![doc = include_str!("../docs/semaphore.md")]

mod posix;

use crate::deadline::Deadline;
use crate::engine::Engine;
use crate::error::{Error, Object, Result};
use crate::memory::{Memory, Sharing};
use crate::name::Name;
use crate::options::{self, Mode, Opened};
use crate::sys::sem;

/// A count that processes and threads wait for.
///
/// Dropping the handle closes it and removes nothing. Any thread may use it, several at once too,
/// and so may a child made by fork; exec closes it. A permit that its holder took and did not give
/// back stays taken when the holder dies: that is POSIX's semaphore.
///
/// ```
/// use unipc::Semaphore;
/// let name = format!("/unipc-doc-semaphore-{}", std::process::id());
/// let semaphore = Semaphore::create(&name, 1)?;
/// {
///     let _permit = semaphore.acquire()?;
///     assert_eq!(semaphore.value()?, 0);
/// }
/// assert_eq!(semaphore.value()?, 1);
/// Semaphore::unlink(&name)?;
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Debug)]
pub struct Semaphore {
    object: Object,
    named: bool,
    inner: posix::Semaphore,
}

/// How a semaphore is made. See [`Semaphore::options`].
///
/// ```
/// let mut options = unipc::Semaphore::options();
/// options.value(1).mode(0o660);
/// ```
#[derive(Clone, Debug, Default)]
pub struct SemaphoreOptions {
    value: u32,
    mode: Mode,
    engine: Engine,
}

impl Semaphore {
    /// The engines that have semaphores; another is refused with EOPNOTSUPP.
    ///
    /// ```
    /// assert_eq!(unipc::Semaphore::ENGINES, [unipc::Engine::Posix]);
    /// ```
    pub const ENGINES: &'static [Engine] = &[Engine::Posix];

    /// The highest value: `SEM_VALUE_MAX`.
    ///
    /// ```
    /// assert_eq!(unipc::Semaphore::MAX, 2147483647);
    /// ```
    pub const MAX: u32 = sem::VALUE_MAX;

    /// How many bytes a semaphore takes inside [`Memory`]: `sizeof(sem_t)`.
    ///
    /// ```
    /// assert_eq!(unipc::Semaphore::SIZE, 32);
    /// ```
    pub const SIZE: usize = sem::SIZE;

    /// What the offset of a semaphore inside [`Memory`] must be a multiple of.
    ///
    /// ```
    /// assert_eq!(unipc::Semaphore::SIZE % unipc::Semaphore::ALIGN, 0);
    /// ```
    pub const ALIGN: usize = sem::ALIGN;

    /// Options to create or open a named semaphore with.
    ///
    /// ```
    /// use unipc::Semaphore;
    /// let name = format!("/unipc-doc-semaphore-options-{}", std::process::id());
    /// let semaphore = Semaphore::options().value(3).exact_mode(0o666).create(&name)?;
    /// assert_eq!(semaphore.value()?, 3);
    /// Semaphore::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn options() -> SemaphoreOptions {
        SemaphoreOptions::default()
    }

    /// Makes a named semaphore of `value`, mode 0600; as [`SemaphoreOptions::create`].
    ///
    /// # Errors
    /// As [`SemaphoreOptions::create`].
    ///
    /// ```
    /// use unipc::Semaphore;
    /// let name = format!("/unipc-doc-semaphore-create-{}", std::process::id());
    /// assert_eq!(Semaphore::create(&name, 2)?.value()?, 2);
    /// Semaphore::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn create(name: &str, value: u32) -> Result<Semaphore> {
        Semaphore::options().value(value).create(name)
    }

    /// Opens a named semaphore that exists.
    ///
    /// # Errors
    /// As [`SemaphoreOptions::open`].
    ///
    /// ```
    /// assert!(unipc::Semaphore::open("/no-such-semaphore").is_err());
    /// ```
    pub fn open(name: &str) -> Result<Semaphore> {
        Semaphore::options().open(name)
    }

    /// Removes the name at once; the semaphore goes when the last handle of it is closed.
    /// [sem_unlink(3)](https://man7.org/linux/man-pages/man3/sem_unlink.3.html).
    ///
    /// # Errors
    /// ENOENT; EACCES, EPERM: it belongs to another user; EINVAL, ENAMETOOLONG: no valid name.
    ///
    /// ```
    /// assert!(unipc::Semaphore::unlink("/no-such-semaphore").is_err());
    /// ```
    pub fn unlink(name: &str) -> Result<()> {
        let operation = "unlink semaphore";
        let name = Name::new(operation, name, posix::NAME_MAX)?;
        posix::Semaphore::unlink(&name).map_err(|errno| errno.of(operation, &name))
    }

    /// Makes an unnamed semaphore of `value` in shared memory, over whatever stood there; while it
    /// lives the memory is not resized or protected through its handle, and stays mapped. Nobody may
    /// be waiting on one that stood there. [sem_init(3)](https://man7.org/linux/man-pages/man3/sem_init.3.html).
    ///
    /// # Errors
    /// EINVAL: `offset` is no multiple of [`ALIGN`](Self::ALIGN), `value` is beyond
    /// [`MAX`](Self::MAX), or the memory is private. ERANGE: it does not fit. EACCES: the memory
    /// may not be written.
    ///
    /// ```
    /// use unipc::{Memory, Semaphore};
    /// let memory = Memory::anonymous(4096)?;
    /// let semaphore = Semaphore::init_in(&memory, 0, 1)?;
    /// semaphore.wait()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn init_in(memory: &Memory, offset: usize, value: u32) -> Result<Semaphore> {
        check_value("initialise semaphore in", memory.object(), value)?;
        Semaphore::inside("initialise semaphore in", memory, offset, Some(value))
    }

    /// Uses the unnamed semaphore that somebody has initialised at `offset` of shared memory, by
    /// [`init_in`](Self::init_in) or sem_init(3). Who overwrites it afterwards breaks it: glibc ends a
    /// process that meets nonsense in a semaphore.
    ///
    /// # Errors
    /// As `init_in`. EBADMSG: the bytes there are no semaphore that processes share.
    ///
    /// ```
    /// use unipc::{Memory, Semaphore};
    /// let memory = Memory::anonymous(4096)?;
    /// let here = Semaphore::init_in(&memory, 64, 0)?;
    /// let there = Semaphore::open_in(&memory, 64)?;
    /// here.post()?;
    /// there.wait()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn open_in(memory: &Memory, offset: usize) -> Result<Semaphore> {
        Semaphore::inside("open semaphore in", memory, offset, None)
    }

    fn inside(operation: &'static str, memory: &Memory, offset: usize, value: Option<u32>) -> Result<Semaphore> {
        let object = memory.object();
        if memory.sharing() == Sharing::Private {
            let cause = "private memory is seen by this process alone, so nobody could share the semaphore";
            return Err(Error::new(operation, object, libc::EINVAL, cause));
        }
        let inner = posix::Semaphore::inside(memory.mapping(), offset, value).map_err(|errno| {
            let error = errno.of(operation, object);
            match errno.0 {
                libc::EINVAL => error.because(format!("offset {offset} is no multiple of {}", Self::ALIGN)),
                libc::ERANGE => error.because(format!(
                    "{} bytes at offset {offset} do not lie within its {} bytes",
                    Self::SIZE,
                    memory.len()
                )),
                libc::EACCES => error.because("the memory may not be written"),
                libc::EBADMSG => error.because(posix::NO_SEMAPHORE),
                _ => error,
            }
        })?;
        Ok(Semaphore { object: object.clone(), named: false, inner })
    }

    /// The name it was created or opened by; `None` for one inside memory.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-semaphore-name-{}", std::process::id());
    /// assert_eq!(unipc::Semaphore::create(&name, 0)?.name(), Some(name.as_str()));
    /// # unipc::Semaphore::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn name(&self) -> Option<&str> {
        self.named.then(|| self.object.as_str())
    }

    /// The engine that does its work.
    ///
    /// ```
    /// # let memory = unipc::Memory::anonymous(4096)?;
    /// # let semaphore = unipc::Semaphore::init_in(&memory, 0, 1)?;
    /// assert_eq!(semaphore.engine(), unipc::Engine::Posix);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn engine(&self) -> Engine {
        Engine::Posix
    }

    /// Takes a permit, waiting while the value is 0. [sem_wait(3)](https://man7.org/linux/man-pages/man3/sem_wait.3.html).
    ///
    /// # Errors
    /// EINTR: a signal handler ran; nothing was taken.
    ///
    /// ```
    /// # let memory = unipc::Memory::anonymous(4096)?;
    /// let semaphore = unipc::Semaphore::init_in(&memory, 0, 1)?;
    /// semaphore.wait()?;
    /// assert_eq!(semaphore.value()?, 0);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline]
    pub fn wait(&self) -> Result<()> {
        self.wait_by(Deadline::NEVER)
    }

    /// Takes a permit if there is one, and does not wait.
    ///
    /// # Errors
    /// EAGAIN: the value is 0.
    ///
    /// ```
    /// # let memory = unipc::Memory::anonymous(4096)?;
    /// let semaphore = unipc::Semaphore::init_in(&memory, 0, 0)?;
    /// assert!(semaphore.try_wait().unwrap_err().would_block());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline]
    pub fn try_wait(&self) -> Result<()> {
        self.wait_by(Deadline::NOW)
    }

    /// Takes a permit, waiting for one until `deadline` at the latest. One that is there is taken,
    /// even if the deadline has passed.
    ///
    /// # Errors
    /// As [`wait`](Self::wait); ETIMEDOUT: the value was 0 all the time.
    ///
    /// ```
    /// use std::time::Duration;
    /// # let memory = unipc::Memory::anonymous(4096)?;
    /// let semaphore = unipc::Semaphore::init_in(&memory, 0, 0)?;
    /// assert!(semaphore.wait_by(Duration::from_millis(2)).unwrap_err().timed_out());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline]
    pub fn wait_by(&self, deadline: impl Into<Deadline>) -> Result<()> {
        self.inner.wait(deadline.into()).map_err(|errno| {
            let error = errno.of("wait for semaphore", &self.object);
            match errno.0 {
                libc::EAGAIN => error.because("its value is 0"),
                libc::ETIMEDOUT => error.because("timed out: its value was 0"),
                _ => error,
            }
        })
    }

    /// Gives a permit, and wakes somebody who waits. Anybody may post, whether or not they waited.
    /// Async-signal-safe: a signal handler may call it.
    /// [sem_post(3)](https://man7.org/linux/man-pages/man3/sem_post.3.html).
    ///
    /// # Errors
    /// EOVERFLOW: the value is [`MAX`](Self::MAX).
    ///
    /// ```
    /// # let memory = unipc::Memory::anonymous(4096)?;
    /// let semaphore = unipc::Semaphore::init_in(&memory, 0, 0)?;
    /// semaphore.post()?;
    /// assert_eq!(semaphore.value()?, 1);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline]
    pub fn post(&self) -> Result<()> {
        self.inner.post().map_err(|errno| errno.of("post semaphore", &self.object).because(OVERFLOW))
    }

    /// Gives `count` permits, one by one: others see the values in between.
    ///
    /// # Errors
    /// EOVERFLOW: the value came to [`MAX`](Self::MAX); [`Error::transferred`] tells how many were given.
    ///
    /// ```
    /// # let memory = unipc::Memory::anonymous(4096)?;
    /// let semaphore = unipc::Semaphore::init_in(&memory, 0, 0)?;
    /// semaphore.post_many(5)?;
    /// assert_eq!(semaphore.value()?, 5);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn post_many(&self, count: u32) -> Result<()> {
        // Seen in advance, an overflow gives nothing; only a race comes to the loop's own error.
        if u64::from(self.inner.value()) + u64::from(count) > u64::from(Self::MAX) {
            return Err(Error::new("post semaphore", &self.object, libc::EOVERFLOW, OVERFLOW));
        }
        for given in 0..count {
            self.post().map_err(|error| error.after(given as usize))?;
        }
        Ok(())
    }

    /// The value at this moment; 0 also while somebody waits.
    /// [sem_getvalue(3)](https://man7.org/linux/man-pages/man3/sem_getvalue.3.html).
    ///
    /// # Errors
    /// None on this engine.
    ///
    /// ```
    /// # let memory = unipc::Memory::anonymous(4096)?;
    /// assert_eq!(unipc::Semaphore::init_in(&memory, 0, 7)?.value()?, 7);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn value(&self) -> Result<u32> {
        Ok(self.inner.value())
    }

    /// As [`wait`](Self::wait); dropping the result gives the permit back.
    ///
    /// # Errors
    /// As `wait`.
    ///
    /// ```
    /// # let memory = unipc::Memory::anonymous(4096)?;
    /// let semaphore = unipc::Semaphore::init_in(&memory, 0, 1)?;
    /// let permit = semaphore.acquire()?;
    /// assert!(semaphore.try_acquire().is_err());
    /// drop(permit);
    /// assert!(semaphore.try_acquire().is_ok());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn acquire(&self) -> Result<Permit<'_>> {
        self.acquire_by(Deadline::NEVER)
    }

    /// As [`try_wait`](Self::try_wait); dropping the result gives the permit back.
    ///
    /// # Errors
    /// As `try_wait`.
    ///
    /// ```
    /// # let memory = unipc::Memory::anonymous(4096)?;
    /// let semaphore = unipc::Semaphore::init_in(&memory, 0, 0)?;
    /// assert!(semaphore.try_acquire().unwrap_err().would_block());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn try_acquire(&self) -> Result<Permit<'_>> {
        self.acquire_by(Deadline::NOW)
    }

    /// As [`wait_by`](Self::wait_by); dropping the result gives the permit back.
    ///
    /// # Errors
    /// As `wait_by`.
    ///
    /// ```
    /// use std::time::Duration;
    /// # let memory = unipc::Memory::anonymous(4096)?;
    /// let semaphore = unipc::Semaphore::init_in(&memory, 0, 0)?;
    /// assert!(semaphore.acquire_by(Duration::from_millis(2)).unwrap_err().timed_out());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn acquire_by(&self, deadline: impl Into<Deadline>) -> Result<Permit<'_>> {
        self.wait_by(deadline)?;
        Ok(Permit { semaphore: self })
    }
}

const OVERFLOW: &str = "the value would exceed 2147483647";

/// A permit taken by [`Semaphore::acquire`]; dropping it gives the permit back.
///
/// ```
/// # let memory = unipc::Memory::anonymous(4096)?;
/// let semaphore = unipc::Semaphore::init_in(&memory, 0, 1)?;
/// semaphore.acquire()?.keep();
/// assert_eq!(semaphore.value()?, 0);
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it gives the permit back at once"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
}

impl Permit<'_> {
    /// Keeps the permit taken, as [`Semaphore::wait`] would have; somebody posts it some time.
    ///
    /// ```
    /// # let memory = unipc::Memory::anonymous(4096)?;
    /// let semaphore = unipc::Semaphore::init_in(&memory, 0, 1)?;
    /// semaphore.acquire()?.keep();
    /// assert!(semaphore.try_wait().is_err());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let _ = self.semaphore.post(); // only an overflow fails: then nobody can lack the permit
    }
}

impl SemaphoreOptions {
    /// The value that a new semaphore begins with, up to [`Semaphore::MAX`]; 0 unless set.
    ///
    /// ```
    /// unipc::Semaphore::options().value(1);
    /// ```
    pub fn value(&mut self, value: u32) -> &mut Self {
        self.value = value;
        self
    }

    /// The permission bits, from which the umask of the process takes its own away. 0600 unless set.
    /// Whoever is to use the semaphore needs both reading and writing.
    ///
    /// ```
    /// unipc::Semaphore::options().mode(0o660);
    /// ```
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.mode = Mode { bits: mode, exact: false };
        self
    }

    /// The permission bits, whatever the umask. The semaphore gets its name only once they are set.
    ///
    /// ```
    /// unipc::Semaphore::options().exact_mode(0o666);
    /// ```
    pub fn exact_mode(&mut self, mode: u32) -> &mut Self {
        self.mode = Mode { bits: mode, exact: true };
        self
    }

    /// Which engine makes it; [`Engine::Posix`] unless set.
    ///
    /// ```
    /// unipc::Semaphore::options().engine(unipc::Engine::Posix);
    /// ```
    pub fn engine(&mut self, engine: Engine) -> &mut Self {
        self.engine = engine;
        self
    }

    /// Makes a named semaphore that is not there yet; every program that calls
    /// [sem_open(3)](https://man7.org/linux/man-pages/man3/sem_open.3.html) finds it. It gets its name
    /// last: nobody ever opens it half made.
    ///
    /// # Errors
    /// EEXIST. EINVAL: no valid name, a value beyond [`Semaphore::MAX`], a mode beyond 0777. ENOSPC,
    /// ENAMETOOLONG, EMFILE, ENFILE, ENOMEM.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-semaphore-ocreate-{}", std::process::id());
    /// unipc::Semaphore::options().value(1).create(&name)?;
    /// assert!(unipc::Semaphore::options().create(&name).is_err()); // EEXIST
    /// # unipc::Semaphore::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn create(&self, name: &str) -> Result<Semaphore> {
        let operation = "create semaphore";
        let name = Name::new(operation, name, posix::NAME_MAX)?;
        let object = Object::from(&name);
        let mode = self.mode.check(operation, &object)?;
        check_value(operation, &object, self.value)?;
        let inner = match self.engine {
            Engine::Posix => posix::Semaphore::create(operation, &name, mode, self.value)?,
            Engine::Shm => return Err(no_such_engine(operation, &name)),
        };
        Ok(Semaphore { object, named: true, inner })
    }

    /// Opens a named semaphore that exists, whoever made it; its own value and mode hold.
    ///
    /// # Errors
    /// ENOENT. EACCES: its mode forbids reading or writing. EINVAL: the file is no semaphore; no
    /// valid name. ENAMETOOLONG, EMFILE, ENOMEM.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-semaphore-oopen-{}", std::process::id());
    /// # unipc::Semaphore::create(&name, 1)?;
    /// let semaphore = unipc::Semaphore::options().open(&name)?;
    /// # unipc::Semaphore::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn open(&self, name: &str) -> Result<Semaphore> {
        let operation = "open semaphore";
        let name = Name::new(operation, name, posix::NAME_MAX)?;
        let inner = match self.engine {
            Engine::Posix => posix::Semaphore::open(operation, &name)?,
            Engine::Shm => return Err(no_such_engine(operation, &name)),
        };
        Ok(Semaphore { object: Object::from(&name), named: true, inner })
    }

    /// Opens the semaphore or makes it, and tells which.
    ///
    /// # Errors
    /// As [`create`](Self::create) and [`open`](Self::open).
    ///
    /// ```
    /// use unipc::{Opened, Semaphore};
    /// # let name = format!("/unipc-doc-semaphore-ooc-{}", std::process::id());
    /// let (semaphore, did) = Semaphore::options().value(1).open_or_create(&name)?;
    /// assert_eq!(did, Opened::Created);
    /// # Semaphore::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn open_or_create(&self, name: &str) -> Result<(Semaphore, Opened)> {
        options::open_or_create(|| self.open(name), || self.create(name))
    }
}

fn no_such_engine(operation: &'static str, name: &Name) -> Error {
    let cause = "semaphores have no engine shm; use engine posix, which is glibc's own futex";
    Error::new(operation, name, libc::EOPNOTSUPP, cause)
}

fn check_value(operation: &'static str, object: &Object, value: u32) -> Result<()> {
    if value <= Semaphore::MAX {
        return Ok(());
    }
    let cause = format!("a value of {value} exceeds {}", Semaphore::MAX);
    Err(Error::new(operation, object, libc::EINVAL, cause))
}
