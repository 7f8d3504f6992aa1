//! shm_overview(7): named objects are files in /dev/shm.

use super::{Result, fs, observe};
use crate::error::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// So often, and so long apart, is tried again to open what somebody else holds alone.
const ASKED: u32 = 100;
const PAUSE: Duration = Duration::from_millis(1);

const DIRECTORY: &str = "/dev/shm";

/// Where the object `file` (a name without its slash) stands.
pub fn path(file: &CStr) -> CString {
    CString::new([DIRECTORY.as_bytes(), b"/", file.to_bytes()].concat()).expect("no part has a NUL")
}

/// As shm_open(3) opens: no symbolic link, and no FIFO that would wait; and nothing whose name was removed just
/// now, which nobody else would ever find.
pub fn open(file: &CStr, write: bool) -> Result<OwnedFd> {
    let access = if write { libc::O_RDWR } else { libc::O_RDONLY };
    let mut asked = 1;
    loop {
        match fs::open(&path(file), access | libc::O_NOFOLLOW | libc::O_NONBLOCK, 0) {
            Ok(fd) if asked < ASKED && observe::has_no_name(fd.as_fd()) => {}
            // A lease: for some microseconds somebody makes sure that nobody has it (see observe.rs).
            Err(Errno::AGAIN) if asked < ASKED => drop(super::fd::sleep(PAUSE)),
            opened => return opened,
        }
        asked += 1;
    }
}

pub fn unlink(file: &CStr) -> Result<()> {
    fs::unlink(&path(file))
}
