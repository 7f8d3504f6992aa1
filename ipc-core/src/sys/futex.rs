//! futex(2): sleeping until a number changes, in this process or across processes.

use super::{Result, clock, syscall};
use crate::error::Errno;
use std::ptr;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// When a sleep ends at the latest: a point on a clock.
pub type End = Option<(libc::clockid_t, Duration)>;

/// All sleepers of a word, whatever bits they sleep with.
pub const ANY: u32 = u32::MAX;

/// How many words [`wait_any`] takes.
pub const WORDS_MAX: usize = 128;

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

/// Sleeps at a word that processes share, while it is `expected`, until a wake for one of `bits`;
/// may return early. EAGAIN: it is not `expected`. EINTR, ETIMEDOUT.
pub fn wait_shared(word: &AtomicU32, expected: u32, bits: u32, end: End) -> Result<()> {
    let realtime = matches!(end, Some((clock::REALTIME, _)));
    let operation = libc::FUTEX_WAIT_BITSET | if realtime { libc::FUTEX_CLOCK_REALTIME } else { 0 };
    let time = end.map(|(_, point)| clock::timespec(point));
    let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the word lives as long as the borrow, the timespec on this stack.
    unsafe { syscall!(SYS_futex, word.as_ptr(), operation, expected, time, 0, bits) }.map(drop)
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Waited {
    value: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

/// Sleeps while each of `words`, which processes share, has its value; at most [`WORDS_MAX`] of them.
/// Who wakes by bits wakes this sleeper by any. Otherwise as [`wait_shared`].
pub fn wait_any(words: &[(&AtomicU32, u32)], end: End) -> Result<()> {
    const FUTEX_32: u32 = 2;
    let mut waited = [Waited { value: 0, address: 0, flags: FUTEX_32, reserved: 0 }; WORDS_MAX];
    for (entry, &(word, value)) in waited.iter_mut().zip(words) {
        (entry.value, entry.address) = (value.into(), word.as_ptr().expose_provenance() as u64);
    }
    let (clock, time) = end.map_or((clock::MONOTONIC, None), |(clock, point)| (clock, Some(clock::timespec(point))));
    let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    let count = words.len().min(WORDS_MAX);
    // SAFETY: the words live as long as the borrows; the entries and the timespec on this stack.
    unsafe { syscall!(SYS_futex_waitv, waited.as_ptr(), count, 0u32, time, clock) }.map(drop)
}

/// Whether this kernel has futex_waitv(2), Linux 5.16.
pub fn has_wait_any() -> bool {
    // SAFETY: no entries, so nothing is read.
    let outcome = unsafe { syscall!(SYS_futex_waitv, 0usize, 0u32, 0u32, 0usize, 0u32) };
    outcome != Err(Errno(libc::ENOSYS))
}

/// Wakes up to `count` of those who sleep with one of `bits` at a word that processes share.
pub fn wake_shared(word: &AtomicU32, count: i32, bits: u32) {
    // SAFETY: the word lives as long as the borrow.
    let _ = unsafe { syscall!(SYS_futex, word.as_ptr(), libc::FUTEX_WAKE_BITSET, count, 0usize, 0usize, bits) };
}
