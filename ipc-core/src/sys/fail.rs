//! Fail points: instants that have a name, at which a test kills or stops the process (tests/crash). Only
//! a build with the feature `fail-points` has them.

/// One of them: between two stores to shared memory.
macro_rules! fail_point {
    ($name:literal) => {
        #[cfg(feature = "fail-points")]
        $crate::sys::fail::pass($name);
    };
}
pub(crate) use fail_point;

#[cfg(feature = "fail-points")]
mod switch {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    static ARMED: OnceLock<(&str, i32)> = OnceLock::new();
    static LEFT: AtomicU32 = AtomicU32::new(0);

    /// When this process comes to `point` for the `nth` time, it gets `signal`.
    pub fn arm(point: &'static str, nth: u32, signal: i32) {
        LEFT.store(nth, SeqCst);
        let _ = ARMED.set((point, signal));
    }

    #[inline(never)]
    pub fn pass(point: &str) {
        if let Some(&(armed, signal)) = ARMED.get() {
            if armed == point && LEFT.fetch_sub(1, SeqCst) == 1 {
                // SAFETY: no memory is involved.
                unsafe { libc::kill(libc::getpid(), signal) };
            }
        }
    }
}
#[cfg(feature = "fail-points")]
pub use switch::{arm, pass};
