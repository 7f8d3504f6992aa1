//! SIGPIPE: a write that nobody can read is to be an error, whatever the host has set.

use super::{Result, syscall};
use crate::error::Errno;
use std::mem::MaybeUninit;
use std::ptr;

/// Bytes of the kernel's own signal set, of which libc's is the beginning.
const KERNEL_SET: usize = 8;

/// Whether SIGPIPE would end this process: its disposition is the default one.
pub fn sigpipe_is_fatal() -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only reads; `action` is valid to write to, and zeroes are a valid value.
    let handler = unsafe {
        libc::sigaction(libc::SIGPIPE, ptr::null(), action.as_mut_ptr());
        action.assume_init().sa_sigaction
    };
    handler == libc::SIG_DFL
}

fn only(signal: i32) -> libc::sigset_t {
    let mut set = MaybeUninit::zeroed();
    // SAFETY: sigemptyset initialises the set that sigaddset then extends.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        set.assume_init()
    }
}

/// Runs `call` so that it raises no SIGPIPE: the signal, which the kernel sends to this very thread,
/// is blocked and taken back. One that was pending before stays pending.
pub fn without_sigpipe<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    let sigpipe = only(libc::SIGPIPE);
    let mut before = sigpipe;
    let mut pending = sigpipe;
    // SAFETY: all three are initialised signal sets; only this thread's mask changes.
    let was_pending = unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const sigpipe, &raw mut before);
        libc::sigpending(&raw mut pending);
        libc::sigismember(&raw const pending, libc::SIGPIPE) == 1
    };
    let outcome = call();
    // Also where a count came back: a long write whose reader leaves half-way raises it too.
    if !was_pending {
        let at_once = super::clock::timespec(std::time::Duration::ZERO);
        // SAFETY: valid set and timespec; no information about the signal is asked for.
        while unsafe { syscall!(SYS_rt_sigtimedwait, &raw const sigpipe, 0, &raw const at_once, KERNEL_SET) }
            == Err(Errno(libc::EINTR))
        {}
    }
    // SAFETY: `before` was filled in by the first call.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut()) };
    outcome
}

/// What a thread raises by its own fault; a crash handler of the host is to see it.
const FAULTS: [i32; 6] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS];

/// Runs `call` with every other signal blocked in this thread, so that a thread which it starts
/// never takes the host's signals.
pub fn with_all_blocked<T>(call: impl FnOnce() -> T) -> T {
    let mut all = MaybeUninit::zeroed();
    let mut before = MaybeUninit::zeroed();
    // SAFETY: sigfillset initialises `all`, pthread_sigmask initialises `before`.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        for fault in FAULTS {
            libc::sigdelset(all.as_mut_ptr(), fault);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    let outcome = call();
    // SAFETY: `before` was filled in above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
    outcome
}

/// Whether there is a signal of this number.
pub fn exists(signal: i32) -> bool {
    (1..=libc::SIGRTMAX()).contains(&signal)
}

/// As much of `siginfo_t` as a queue's notification has, and the rest of its 128 bytes.
#[repr(C)]
struct Information {
    signal: i32,
    errno: i32,
    code: i32,
    padding: i32,
    process: i32,
    user: u32,
    value: usize,
    rest: [u64; 12],
}
const _: () = assert!(size_of::<Information>() == 128);

/// Sends this process a signal, as the kernel does for mq_notify(3): `SI_MESGQ`, and a value.
pub fn send_notification(signal: i32, value: usize) {
    const SI_MESGQ: i32 = -3;
    let process = std::process::id() as i32;
    // SAFETY: getuid has no arguments and cannot fail.
    let user = unsafe { libc::getuid() };
    let information = Information { signal, errno: 0, code: SI_MESGQ, padding: 0, process, user, value, rest: [0; 12] };
    // SAFETY: a whole siginfo_t, which the kernel only reads.
    let _ = unsafe { syscall!(SYS_rt_sigqueueinfo, process, signal, &raw const information) };
}
