//! pthreads(7): who the calling thread is, and that it is not cancelled half-way.

use std::os::unix::thread::JoinHandleExt;
use std::ptr;
use std::thread::JoinHandle;

unsafe extern "C" {
    fn pthread_setcancelstate(state: libc::c_int, old: *mut libc::c_int) -> libc::c_int;
}
const PTHREAD_CANCEL_DISABLE: libc::c_int = 1;

/// Whether the calling thread is that of `handle`. The standard library's own way to ask keeps
/// memory for the thread that asks.
pub fn is_current(handle: &JoinHandle<()>) -> bool {
    // SAFETY: two threads that exist: one calls, the other has not been joined.
    unsafe { libc::pthread_equal(handle.as_pthread_t(), libc::pthread_self()) != 0 }
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
