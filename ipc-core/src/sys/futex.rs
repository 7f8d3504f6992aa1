//! futex(2) within one process: sleeping until a number changes.

use super::syscall;
use std::sync::atomic::AtomicU32;

/// Sleeps while `word` is `expected`; may return early.
pub fn wait(word: &AtomicU32, expected: u32) {
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the word lives as long as the borrow; no timeout.
    let _ = unsafe { syscall!(SYS_futex, word.as_ptr(), operation, expected, 0) };
}

/// Wakes everybody who sleeps at `word`.
pub fn wake_all(word: &AtomicU32) {
    // SAFETY: as in `wait`.
    let _ = unsafe { syscall!(SYS_futex, word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, i32::MAX) };
}
