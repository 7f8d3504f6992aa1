//! shm_overview(7): named objects are files in /dev/shm.

use super::{Result, fs};
use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

const DIRECTORY: &str = "/dev/shm";

/// Where the object `file` (a name without its slash) stands.
pub fn path(file: &CStr) -> CString {
    CString::new([DIRECTORY.as_bytes(), b"/", file.to_bytes()].concat()).expect("no part has a NUL")
}

/// As shm_open(3) opens: no symbolic link, and no FIFO that would wait.
pub fn open(file: &CStr, write: bool) -> Result<OwnedFd> {
    let access = if write { libc::O_RDWR } else { libc::O_RDONLY };
    fs::open(&path(file), access | libc::O_NOFOLLOW | libc::O_NONBLOCK, 0)
}

pub fn unlink(file: &CStr) -> Result<()> {
    fs::unlink(&path(file))
}
