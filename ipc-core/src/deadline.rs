//! Where every timeout becomes a clock.

use crate::error::{Errno, Error, Result};
use crate::sys::{clock, fd, futex};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant, SystemTime};

/// When a wait ends at the latest.
///
/// A relative timeout becomes a point on the monotonic clock at once, so that a wait which a signal
/// interrupted can be taken up again with the same `Deadline` and still ends when it was to end;
/// setting the system's clock does not move it. An absolute one is on the realtime clock, as
/// [mq_timedsend(3)](https://man7.org/linux/man-pages/man3/mq_send.3.html) has it.
///
/// Every `…_by` method takes `impl Into<Deadline>`: a [`Duration`], an `Option<Duration>` (`None`
/// waits for ever), an [`Instant`], a [`SystemTime`] or a `Deadline`.
///
/// ```
/// use std::time::Duration;
/// use unipc::Deadline;
/// let (reader, _writer) = unipc::pipe()?;
/// let error = reader.read_by(&mut [0; 8], Duration::from_millis(5)).unwrap_err();
/// assert!(error.timed_out());
/// let error = reader.read_by(&mut [0; 8], Deadline::NOW).unwrap_err();
/// assert!(error.would_block());
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(pub(crate) Until);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    Now,
    Never,
    /// A point on `CLOCK_MONOTONIC`.
    Monotonic(Duration),
    /// A point on `CLOCK_REALTIME`.
    Realtime(Duration),
}

/// A wait for a point on the realtime clock looks at that clock again this often, because the
/// clock can be set while the wait sleeps on a relative timer.
const REALTIME_SLICE: Duration = Duration::from_secs(1);

impl Deadline {
    /// Does not wait at all: what would block fails with EAGAIN.
    ///
    /// ```
    /// assert!(unipc::Deadline::NOW.has_passed());
    /// ```
    pub const NOW: Deadline = Deadline(Until::Now);

    /// Waits for ever.
    ///
    /// ```
    /// assert_eq!(unipc::Deadline::NEVER.remaining(), None);
    /// ```
    pub const NEVER: Deadline = Deadline(Until::Never);

    /// `timeout` from now on the monotonic clock; one beyond the clock's range is [`NEVER`](Self::NEVER).
    /// A timeout of zero is a deadline that has passed (ETIMEDOUT), not [`NOW`](Self::NOW) (EAGAIN).
    ///
    /// ```
    /// use std::time::Duration;
    /// use unipc::Deadline;
    /// assert!(!Deadline::after(Duration::from_secs(60)).has_passed());
    /// assert!(Deadline::after(Duration::MAX).is_never());
    /// ```
    pub fn after(timeout: Duration) -> Deadline {
        match clock::monotonic().checked_add(timeout) {
            Some(point) if point <= clock::FARTHEST => Deadline(Until::Monotonic(point)),
            _ => Deadline::NEVER,
        }
    }

    /// The point `time` on the realtime clock. A time before 1970 has passed.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// assert!(unipc::Deadline::at(SystemTime::now()).has_passed());
    /// ```
    pub fn at(time: SystemTime) -> Deadline {
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(point) if point <= clock::FARTHEST => Deadline(Until::Realtime(point)),
            Ok(_) => Deadline::NEVER,
            Err(_) => Deadline(Until::Realtime(Duration::ZERO)),
        }
    }

    /// The point `seconds` and `nanoseconds` since 1970 on the realtime clock, as in a `timespec`.
    ///
    /// # Errors
    /// EINVAL: `nanoseconds` is not in `0..1_000_000_000`, or `seconds` is negative.
    ///
    /// ```
    /// use unipc::Deadline;
    /// assert!(Deadline::at_realtime(1_000_000_000, 0)?.has_passed());
    /// assert!(Deadline::at_realtime(0, 1_000_000_000).is_err());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn at_realtime(seconds: i64, nanoseconds: i64) -> Result<Deadline> {
        match (u64::try_from(seconds), u32::try_from(nanoseconds)) {
            (Ok(seconds), Ok(nanoseconds)) if nanoseconds < 1_000_000_000 => {
                let point = Duration::new(seconds, nanoseconds);
                Ok(if point > clock::FARTHEST { Deadline::NEVER } else { Deadline(Until::Realtime(point)) })
            }
            _ => {
                let cause = format!("{seconds} s and {nanoseconds} ns are no point in time since 1970");
                Err(Error::new("set", "deadline", libc::EINVAL, cause))
            }
        }
    }

    /// Whether this is [`NOW`](Self::NOW).
    ///
    /// ```
    /// assert!(unipc::Deadline::NOW.is_now());
    /// ```
    pub fn is_now(&self) -> bool {
        self.0 == Until::Now
    }

    /// Whether this is [`NEVER`](Self::NEVER).
    ///
    /// ```
    /// assert!(unipc::Deadline::from(None).is_never());
    /// ```
    pub fn is_never(&self) -> bool {
        self.0 == Until::Never
    }

    /// Whether nothing remains of the wait.
    ///
    /// ```
    /// assert!(!unipc::Deadline::NEVER.has_passed());
    /// ```
    pub fn has_passed(&self) -> bool {
        self.remaining() == Some(Duration::ZERO)
    }

    /// What remains of the wait; `None` is for ever.
    ///
    /// ```
    /// use std::time::Duration;
    /// let deadline = unipc::Deadline::after(Duration::from_secs(60));
    /// assert!(deadline.remaining().unwrap() <= Duration::from_secs(60));
    /// ```
    pub fn remaining(&self) -> Option<Duration> {
        match self.0 {
            Until::Now => Some(Duration::ZERO),
            Until::Never => None,
            Until::Monotonic(point) => Some(point.saturating_sub(clock::monotonic())),
            Until::Realtime(point) => Some(point.saturating_sub(clock::realtime())),
        }
    }

    /// Whichever of the two comes first, as the clocks stand now.
    ///
    /// ```
    /// use unipc::Deadline;
    /// assert!(Deadline::NEVER.earlier(Deadline::NOW).is_now());
    /// ```
    pub fn earlier(self, other: Deadline) -> Deadline {
        match (self.remaining(), other.remaining()) {
            (None, _) => other,
            (Some(_), None) => self,
            (Some(mine), Some(others)) => {
                if mine <= others {
                    self
                } else {
                    other
                }
            }
        }
    }

    /// What a call reports that could not be served in time.
    pub(crate) fn expired(self) -> Errno {
        if self.is_now() { Errno::AGAIN } else { Errno::TIMED_OUT }
    }

    /// As a futex takes it. A deadline that is now has passed.
    pub(crate) fn end(self) -> futex::End {
        match self.0 {
            Until::Now => Some((clock::MONOTONIC, Duration::ZERO)),
            Until::Never => None,
            Until::Monotonic(point) => Some((clock::MONOTONIC, point)),
            Until::Realtime(point) => Some((clock::REALTIME, point)),
        }
    }

    /// Sleeps until `fd` shows one of `events` (or an error, or a hang-up), or the deadline passes.
    pub(crate) fn wait_for(self, fd: BorrowedFd<'_>, events: i16) -> std::result::Result<(), Errno> {
        self.wait_for_any(std::slice::from_mut(&mut fd::watch(fd, events)))
    }

    /// As [`wait_for`](Self::wait_for), for whichever comes first.
    pub(crate) fn wait_for_any(self, watched: &mut [fd::Watched]) -> std::result::Result<(), Errno> {
        loop {
            let remaining = self.remaining();
            let slice = match self.0 {
                Until::Realtime(_) => remaining.map(|left| left.min(REALTIME_SLICE)),
                _ => remaining,
            };
            if fd::poll_all(watched, slice)? {
                return Ok(());
            }
            if self.has_passed() {
                return Err(self.expired());
            }
        }
    }
}

impl From<Duration> for Deadline {
    fn from(timeout: Duration) -> Deadline {
        Deadline::after(timeout)
    }
}

impl From<Option<Duration>> for Deadline {
    fn from(timeout: Option<Duration>) -> Deadline {
        timeout.map_or(Deadline::NEVER, Deadline::after)
    }
}

impl From<Instant> for Deadline {
    fn from(point: Instant) -> Deadline {
        Deadline::after(point.saturating_duration_since(Instant::now()))
    }
}

impl From<SystemTime> for Deadline {
    fn from(time: SystemTime) -> Deadline {
        Deadline::at(time)
    }
}
