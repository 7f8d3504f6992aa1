//! Files that are made ready first and get their name last.

use super::Result;
use super::fs::{has_proc, link, mkfifo, open, proc_path, unlink};
use crate::error::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

/// The directory of `path`, without the slash behind it.
fn directory(path: &CStr) -> &[u8] {
    let bytes = path.to_bytes();
    bytes.iter().rposition(|&byte| byte == b'/').map_or(b".", |slash| &bytes[..slash])
}

/// Makes something under a name in the directory of `path` that nobody has yet.
fn make_draft<T>(path: &CStr, make: impl Fn(&CStr) -> Result<T>) -> Result<(T, Temporary)> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let directory = directory(path);
    loop {
        let own = format!(".unipc-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let name = CString::new([directory, b"/", own.as_bytes()].concat()).expect("no part has a NUL");
        match make(&name) {
            // Left by a process of this number that was killed, or made by one in another PID namespace.
            Err(Errno(libc::EEXIST)) => {}
            outcome => return outcome.map(|object| (object, Temporary(name))),
        }
    }
}

/// A file that is made ready first and gets its name last, so that nobody ever opens it half made.
pub struct Draft {
    fd: OwnedFd,
    /// Where the file system has no O_TMPFILE, the name that the draft bears meanwhile.
    temporary: Option<Temporary>,
}

impl Draft {
    /// A regular file in the directory of `path`, open for reading and writing; the umask applies.
    pub fn file(path: &CStr, mode: u32) -> Result<Draft> {
        let directory = CString::new([directory(path), b"/"].concat()).expect("part of a C string");
        if !has_proc() {
            return Draft::named_file(path, mode); // a file without a name gets one through /proc
        }
        match open(&directory, libc::O_TMPFILE | libc::O_RDWR, mode) {
            Ok(fd) => Ok(Draft { fd, temporary: None }),
            Err(Errno(libc::EOPNOTSUPP | libc::EISDIR)) => Draft::named_file(path, mode),
            Err(errno) => Err(errno),
        }
    }

    fn named_file(path: &CStr, mode: u32) -> Result<Draft> {
        let flags = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR | libc::O_NOFOLLOW;
        let (fd, temporary) = make_draft(path, |name| open(name, flags, mode))?;
        Ok(Draft { fd, temporary: Some(temporary) })
    }

    /// A FIFO in the directory of `path`, which nobody may open yet: its mode is 0.
    pub fn fifo(path: &CStr) -> Result<Draft> {
        let ((), temporary) = make_draft(path, |name| mkfifo(name, 0))?;
        let fd = open(&temporary.0, libc::O_PATH | libc::O_NOFOLLOW, 0)?;
        Ok(Draft { fd, temporary: Some(temporary) })
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Gives the file its name; EEXIST when it is taken.
    pub fn publish(self, path: &CStr) -> Result<OwnedFd> {
        match &self.temporary {
            None => link(&proc_path(self.fd()), path, true)?,
            Some(name) => link(&name.0, path, false)?,
        }
        Ok(self.fd)
    }
}

/// The name that a draft bears meanwhile; it goes with it.
struct Temporary(CString);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = unlink(&self.0);
    }
}
