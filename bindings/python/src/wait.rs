//! How every call waits: without the GIL, in slices, with Python's signal handlers in between.

use crate::errors::{ESHUTDOWN, closed, raise};
use crate::handle::{Object, Open, Owner};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use unipc::Deadline;

/// The longest a thread stays away from the interpreter. A signal that comes while it sleeps wakes
/// it at once; one that comes just before it sleeps, or a `close` by another thread, waits this long.
const SLICE: Duration = Duration::from_secs(1);

/// How long a call may wait.
#[derive(Clone, Copy)]
pub enum Limit {
    /// Not at all: EAGAIN.
    Now,
    Never,
    /// ETIMEDOUT after this long on the monotonic clock.
    After(Duration),
    /// ETIMEDOUT at this time on the realtime clock.
    At(SystemTime),
    /// ETIMEDOUT at this moment, for a call that waits several times.
    By(Deadline),
}

impl Limit {
    /// `timeout` in seconds: `None` is for ever, 0 is not at all.
    #[inline]
    pub fn timeout(timeout: Option<f64>) -> PyResult<Limit> {
        match timeout {
            None => Ok(Limit::Never),
            Some(0.0) => Ok(Limit::Now),
            Some(seconds) if seconds > 0.0 => {
                // What a Duration cannot hold, infinity included, nobody lives to see.
                Ok(Duration::try_from_secs_f64(seconds).map_or(Limit::Never, Limit::After))
            }
            Some(seconds) => Err(PyValueError::new_err(format!(
                "timeout must be None or a number of seconds from 0 on, not {seconds}"
            ))),
        }
    }

    /// `timeout` as above, or `deadline` in seconds since 1970 on the realtime clock.
    #[inline]
    pub fn new(timeout: Option<f64>, deadline: Option<f64>) -> PyResult<Limit> {
        let Some(seconds) = deadline else { return Limit::timeout(timeout) };
        if timeout.is_some() {
            return Err(PyValueError::new_err("give either a timeout or a deadline, not both"));
        }
        if seconds.is_nan() {
            return Err(PyValueError::new_err("deadline must be None or a number of seconds since 1970, not nan"));
        }
        let since_1970 = Duration::try_from_secs_f64(seconds.max(0.0)).ok();
        let point = since_1970.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
        Ok(point.map_or(Limit::Never, Limit::At))
    }

    /// The same, with the time of several waits running from now on.
    pub fn of_all(self) -> Limit {
        match self {
            Limit::After(_) => Limit::By(self.start()),
            other => other,
        }
    }

    /// Whether the time of several waits is over.
    pub fn is_over(self) -> bool {
        matches!(self, Limit::By(end) if end.has_passed())
    }

    /// The moment that this means, from now on.
    fn start(self) -> Deadline {
        match self {
            Limit::Now => Deadline::NOW,
            Limit::Never => Deadline::NEVER,
            Limit::After(timeout) => Deadline::after(timeout),
            Limit::At(time) => Deadline::at(time),
            Limit::By(end) => end,
        }
    }
}

/// How a wait for ever is cut into slices.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sleep {
    Monotonic,
    Realtime,
    /// For FIFOs: not at all. The kernel has no open(2) with a timeout, and a reader that comes and
    /// goes would disappoint the writer that finds it.
    Unbroken,
}

/// What a wait comes to, short of an exception of Python's own. The core's error is large; boxed where
/// it arises, it does not slow down those who succeed.
pub type Outcome<R> = PyResult<Result<R, Box<unipc::Error>>>;

/// Calls `call` until it is served, fails, or `limit` is over: first without waiting (and attached,
/// if it is `brief`), then detached, for a slice at a time.
///
/// A Python signal handler runs as soon as its signal comes. If it raises, so does this, at once;
/// if it returns, the wait goes on with what remains of `limit` (PEP 475).
#[inline(always)]
pub fn wait<C: Owner, R: Send>(
    owner: &Bound<'_, C>,
    limit: Limit,
    sleep: Sleep,
    brief: bool,
    call: impl FnMut(&C::Core, Deadline) -> unipc::Result<R> + Send,
) -> PyResult<R> {
    match outcome(owner, limit, sleep, brief, call)? {
        Ok(value) => Ok(value),
        Err(error) => Err(raise(*error)),
    }
}

/// As [`wait`], with the core's own failure apart from what Python raises.
#[inline(always)]
pub fn outcome<C: Owner, R: Send>(
    owner: &Bound<'_, C>,
    limit: Limit,
    sleep: Sleep,
    brief: bool,
    mut call: impl FnMut(&C::Core, Deadline) -> unipc::Result<R> + Send,
) -> Outcome<R> {
    let first = if brief {
        owner.slot(|object| object.as_deref().map(|object| call(object, Deadline::NOW).map_err(Box::new)))
    } else {
        let object = owner.shared()?;
        Some(owner.py().detach(|| call(&object, Deadline::NOW).map_err(Box::new)))
    };
    match first {
        Some(Ok(value)) => Ok(Ok(value)),
        Some(Err(error)) if error.would_block() && !matches!(limit, Limit::Now) => {
            let object = owner.shared()?;
            if matches!(limit, Limit::Never) && object.is_nonblocking() {
                return Ok(Err(error));
            }
            in_slices(owner, &object, limit, sleep, call)
        }
        Some(Err(error)) => Ok(Err(error)),
        None => Err(closed(C::Core::NOUN)),
    }
}

/// The waiting half of [`wait`].
#[cold]
pub fn in_slices<C: Owner, R: Send>(
    owner: &Bound<'_, C>,
    object: &Arc<C::Core>,
    limit: Limit,
    sleep: Sleep,
    mut call: impl FnMut(&C::Core, Deadline) -> unipc::Result<R> + Send,
) -> Outcome<R> {
    let py = owner.py();
    let end = limit.start();
    loop {
        let slice = match (limit, sleep) {
            (Limit::At(_), _) | (Limit::Never, Sleep::Realtime) => Deadline::at(SystemTime::now() + SLICE),
            (Limit::Never, Sleep::Unbroken) => Deadline::NEVER,
            _ => Deadline::after(SLICE),
        };
        match py.detach(|| call(object, end.earlier(slice))) {
            Err(error) if error.interrupted() || (error.timed_out() && !end.has_passed()) => {}
            Err(error) if error.errno() == ESHUTDOWN => {
                owner.with(|_| ())?; // closed, more likely than not
                return Ok(Err(Box::new(error)));
            }
            done => return Ok(done.map_err(Box::new)),
        }
        py.check_signals()?;
        owner.with(|_| ())?;
    }
}

/// How long a call that moves many bytes stays away from the interpreter while they flow.
pub const ROUND: Duration = Duration::from_millis(50);

/// Calls `call` detached from the interpreter, for a slice at a time, until it is served, fails, or `limit`
/// is over; signal handlers run as in [`wait`].
pub fn attend<R: Send>(
    py: Python<'_>,
    limit: Limit,
    mut call: impl FnMut(Deadline) -> unipc::Result<R> + Send,
) -> Outcome<R> {
    let end = limit.start();
    loop {
        match py.detach(|| call(end.earlier(Deadline::after(SLICE))).map_err(Box::new)) {
            Err(error) if error.interrupted() || (error.timed_out() && !end.has_passed()) => py.check_signals()?,
            done => return Ok(done),
        }
    }
}

/// As [`attend`], for a call that must not be cut into slices: it is given the whole time.
pub fn attend_unbroken<R: Send>(
    py: Python<'_>,
    limit: Limit,
    mut call: impl FnMut(Deadline) -> unipc::Result<R> + Send,
) -> Outcome<R> {
    let end = limit.start();
    loop {
        match py.detach(|| call(end).map_err(Box::new)) {
            Err(error) if error.interrupted() => py.check_signals()?,
            done => return Ok(done),
        }
    }
}
