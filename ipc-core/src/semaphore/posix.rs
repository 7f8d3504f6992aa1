//! glibc's semaphores. A named one is the file that sem_open(3) makes, /dev/shm/sem.NAME with one
//! `sem_t` in it; we make and map it ourselves, because sem_open maps whatever it finds (SIGBUS on a
//! file cut short), applies the umask, and takes a lock that a fork can leave locked.

use crate::deadline::{Deadline, Until};
use crate::error::{Errno, Error};
use crate::name::{self, Name};
use crate::options::Mode;
use crate::sys::draft::Draft;
use crate::sys::map::{Mapping, READ_WRITE};
use crate::sys::sem::{self, Sem};
use crate::sys::{self, clock, fd, fs, shm};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

const PREFIX: &str = "sem.";

/// What is said of bytes that sem_init(3) never wrote, or wrote for one process alone.
pub(crate) const NO_SEMAPHORE: &str = "no semaphore that processes share stands there";

/// Behind the slash: NAME_MAX without the prefix.
pub(crate) const NAME_MAX: usize = name::NAME_MAX - PREFIX.len();

#[derive(Debug)]
pub(crate) struct Semaphore {
    sem: Sem,
}

impl Semaphore {
    pub fn create(operation: &'static str, name: &Name, mode: Mode, value: u32) -> Result<Semaphore, Error> {
        let path = shm::path(&name.file(PREFIX));
        let make = || -> sys::Result<Semaphore> {
            let draft = Draft::file(&path, mode.bits)?;
            if mode.exact {
                fd::set_mode(draft.fd(), mode.bits)?;
            }
            fs::reserve(draft.fd(), sem::SIZE)?;
            let semaphore = Semaphore::map(draft.fd())?;
            semaphore.sem.init(value)?;
            draft.publish(&path)?;
            Ok(semaphore)
        };
        make().map_err(|errno| errno.of(operation, name))
    }

    pub fn open(operation: &'static str, name: &Name) -> Result<Semaphore, Error> {
        let fail = |errno: Errno| errno.of(operation, name);
        let file = shm::open(&name.file(PREFIX), true).map_err(fail)?;
        let stat = fs::stat(file.as_fd()).map_err(fail)?;
        if !stat.is_file() || stat.size < sem::SIZE {
            let cause = format!("it is no semaphore: {} bytes where a sem_t has {}", stat.size, sem::SIZE);
            return Err(fail(Errno::INVALID).because(cause));
        }
        let semaphore = Semaphore::map(file.as_fd()).map_err(fail)?;
        if !semaphore.sem.is_shared() {
            return Err(fail(Errno::INVALID).because(NO_SEMAPHORE));
        }
        Ok(semaphore)
    }

    fn map(file: BorrowedFd<'_>) -> sys::Result<Semaphore> {
        let mapping = Mapping::new(Some(file), sem::SIZE, true, READ_WRITE)?;
        Ok(Semaphore { sem: Sem::at(&Arc::new(mapping), 0)? })
    }

    pub fn unlink(name: &Name) -> sys::Result<()> {
        shm::unlink(&name.file(PREFIX))
    }

    /// The `sem_t` at `offset` of a mapping, given `value` or left as it is.
    pub fn inside(mapping: &Arc<Mapping>, offset: usize, value: Option<u32>) -> sys::Result<Semaphore> {
        let sem = Sem::at(mapping, offset)?;
        match value {
            Some(value) => sem.init(value)?,
            None if !sem.is_shared() => return Err(Errno(libc::EBADMSG)),
            None => {}
        }
        Ok(Semaphore { sem })
    }

    #[inline]
    pub fn wait(&self, deadline: Deadline) -> sys::Result<()> {
        match self.sem.try_wait() {
            Err(Errno::AGAIN) => {}
            done => return done,
        }
        match deadline.0 {
            Until::Now => Err(Errno::AGAIN),
            Until::Never => self.sem.wait(None),
            Until::Monotonic(point) => self.sem.wait(Some((clock::MONOTONIC, point))),
            Until::Realtime(point) => self.sem.wait(Some((clock::REALTIME, point))),
        }
    }

    #[inline]
    pub fn post(&self) -> sys::Result<()> {
        self.sem.post()
    }

    pub fn value(&self) -> u32 {
        self.sem.value()
    }
}
