//! clock_gettime(2): points in time as durations since the clock's own zero.

use std::time::Duration;

/// The farthest point that a wait is given, about 136 years: every kernel interface takes it.
pub const FARTHEST: Duration = Duration::from_secs(u32::MAX as u64);

pub const MONOTONIC: libc::clockid_t = libc::CLOCK_MONOTONIC;
pub const REALTIME: libc::clockid_t = libc::CLOCK_REALTIME;

pub fn monotonic() -> Duration {
    now(MONOTONIC)
}

pub fn realtime() -> Duration {
    now(REALTIME)
}

fn now(clock: libc::clockid_t) -> Duration {
    let mut time = timespec(Duration::ZERO);
    // SAFETY: `time` is a valid timespec to write to; these two clocks always exist.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec as u32)
}

pub fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec { tv_sec: duration.as_secs() as libc::time_t, tv_nsec: duration.subsec_nanos().into() }
}
