//! uname(2): what this kernel can do, where only its version tells.

use super::futex;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Whether the kernel wakes a sleeper at the word that a dying thread was about to touch although bits of
/// it are set. Before Linux 6.2 it did so only if the whole word was 0.
pub fn wakes_for_the_dead() -> bool {
    static KNOWN: AtomicU8 = AtomicU8::new(0);
    known(&KNOWN, || version() >= (6, 2))
}

/// Whether there is futex_waitv(2).
pub fn waits_for_any() -> bool {
    static KNOWN: AtomicU8 = AtomicU8::new(0);
    known(&KNOWN, futex::has_wait_any)
}

/// Finds out once; no lock that a fork could copy.
fn known(answer: &AtomicU8, find: impl FnOnce() -> bool) -> bool {
    match answer.load(Relaxed) {
        0 => {
            let found = find();
            answer.store(1 + u8::from(found), Relaxed);
            found
        }
        other => other == 2,
    }
}

fn version() -> (u32, u32) {
    let mut name = MaybeUninit::<libc::utsname>::zeroed();
    // SAFETY: `name` is valid to write to; zeroes are a valid value, and the release ends with a NUL.
    let release = unsafe {
        libc::uname(name.as_mut_ptr());
        std::ffi::CStr::from_ptr((*name.as_ptr()).release.as_ptr()).to_string_lossy().into_owned()
    };
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}
