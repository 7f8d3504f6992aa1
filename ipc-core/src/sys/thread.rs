//! pthreads(7): that a thread is not cancelled half-way; its number.

use super::syscall;
use std::ptr;
use std::sync::OnceLock;

unsafe extern "C" {
    fn pthread_setcancelstate(state: libc::c_int, old: *mut libc::c_int) -> libc::c_int;
}
const PTHREAD_CANCEL_DISABLE: libc::c_int = 1;

/// gettid(2): the number of this thread in its PID namespace.
pub fn id() -> u32 {
    // SAFETY: it has no arguments and cannot fail.
    unsafe { syscall!(SYS_gettid) }.unwrap_or(0) as u32
}

/// How many processors there are, whichever of them this thread may use: its peers may use others. Asked once: libc
/// reads a file for it.
pub fn processors() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    if cfg!(unipc_model) {
        return 1; // nobody spins: it would only make the histories longer
    }
    // SAFETY: sysconf only reads.
    *COUNT.get_or_init(|| unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }.max(1) as usize)
}

/// While it lives, this thread is not cancelled: for what libc alone can do, by a cancellation point.
pub struct NoCancel(libc::c_int);

impl NoCancel {
    pub fn new() -> NoCancel {
        let mut before = 0;
        // SAFETY: `before` is valid to write to.
        unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &raw mut before) };
        NoCancel(before)
    }
}

impl Drop for NoCancel {
    fn drop(&mut self) {
        // SAFETY: glibc allows a null pointer for the old state.
        unsafe { pthread_setcancelstate(self.0, ptr::null_mut()) };
    }
}
