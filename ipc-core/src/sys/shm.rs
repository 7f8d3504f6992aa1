//! shm_overview(7): named objects are files in /dev/shm.

use super::{Result, fs};
use crate::error::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// So often, and so long apart, is tried again to open what somebody else holds alone.
const ASKED: u32 = 100;
const PAUSE: Duration = Duration::from_millis(1);

const DIRECTORY: &str = "/dev/shm";

/// Where the object `file` (a name without its slash) stands.
pub fn path(file: &CStr) -> CString {
    CString::new([DIRECTORY.as_bytes(), b"/", file.to_bytes()].concat()).expect("no part has a NUL")
}

/// As shm_open(3) opens: no symbolic link, and no FIFO that would wait.
pub fn open(file: &CStr, write: bool) -> Result<OwnedFd> {
    let access = if write { libc::O_RDWR } else { libc::O_RDONLY };
    let mut asked = 1;
    loop {
        match fs::open(&path(file), access | libc::O_NOFOLLOW | libc::O_NONBLOCK, 0) {
            // A lease: for some microseconds somebody makes sure that nobody has it (see observe.rs).
            Err(Errno::AGAIN) if asked < ASKED => asked += 1,
            opened => return opened,
        }
        super::fd::sleep(PAUSE)?;
    }
}

pub fn unlink(file: &CStr) -> Result<()> {
    fs::unlink(&path(file))
}
