//! Semaphores: named, and inside a Memory.

use crate::convert::{Mode, Permits, Truth, Whole, engine};
use crate::errors::{after, raise};
use crate::handle::{self, Handle, Object, Open, Owner};
use crate::memory::Memory;
use crate::wait::{Limit, Sleep, outcome, wait};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use unipc::Opened;
use unipc::semaphore::SemaphoreOptions;

/// The most permits given before signal handlers get a chance.
const ROUND: u32 = 1 << 16;

impl Object for unipc::Semaphore {
    const NOUN: &'static str = "semaphore";

    fn label(&self) -> String {
        match self.name() {
            Some(name) => format!("unipc.Semaphore {name:?}"),
            None => "unipc.Semaphore in memory".into(),
        }
    }
}

/// A counting semaphore that processes share: by a name, or inside a Memory.
///
/// wait() takes one of the permits that are counted, or waits for one; post() gives one back. Any
/// thread of any process may post. ``with semaphore:`` waits and posts; unlike other handles, it
/// does not close (contextlib.closing() does). Closing the handle removes nothing: unlink() removes
/// the name. It is glibc's sem_t, which C programs share by sem_open(3) and sem_init(3).
///
/// Any number of threads may use one handle; a child made by fork inherits it; a pickled one is
/// opened anew by its name, or in its memory. A process that dies keeps the permits that it took.
/// See sem_overview(7).
#[pyclass(frozen, weakref, module = "unipc")]
pub struct Semaphore {
    handle: Handle<unipc::Semaphore>,
    /// Where it lies, to be pickled, if it has no name.
    place: Option<(Py<Memory>, usize)>,
}

impl Owner for Semaphore {
    type Core = unipc::Semaphore;

    #[inline]
    fn handle(&self) -> &Handle<unipc::Semaphore> {
        &self.handle
    }
}

fn named(semaphore: unipc::Semaphore) -> Semaphore {
    Semaphore { handle: Handle::new(semaphore), place: None }
}

fn options(mode: Mode, engine_name: &str) -> PyResult<SemaphoreOptions> {
    let mut options = unipc::Semaphore::options();
    options.engine(engine(engine_name)?);
    match mode {
        Mode::Default => {}
        Mode::Masked(bits) => _ = options.mode(bits),
        Mode::Exact(bits) => _ = options.exact_mode(bits),
    }
    Ok(options)
}

#[pymethods]
impl Semaphore {
    /// The most permits that a semaphore counts.
    #[classattr]
    const MAX: u32 = unipc::Semaphore::MAX;

    /// How many bytes of a Memory a semaphore takes.
    #[classattr]
    const SIZE: usize = unipc::Semaphore::SIZE;

    /// What the offset of a semaphore in a Memory must be a multiple of.
    #[classattr]
    const ALIGN: usize = unipc::Semaphore::ALIGN;

    /// Makes a named semaphore that is not there yet, with ``value`` permits.
    ///
    /// ``name`` is one slash and 1 to 251 bytes without another. ``value`` is 0 to Semaphore.MAX.
    /// ``mode`` has the permission bits, from which the umask takes its own away; ``exact_mode`` has
    /// them whatever the umask; 0o600 unless given. Raises FileExistsError, or OSError (EINVAL). See
    /// sem_open(3).
    #[staticmethod]
    #[pyo3(signature = (name, value, *, mode = None, exact_mode = None, engine = "posix"))]
    fn create(
        name: &str,
        value: Permits,
        mode: Option<Whole<u32>>,
        exact_mode: Option<Whole<u32>>,
        engine: &str,
    ) -> PyResult<Semaphore> {
        options(Mode::new(mode, exact_mode)?, engine)?.value(value.0).create(name).map(named).map_err(raise)
    }

    /// Opens a named semaphore that exists.
    ///
    /// Raises FileNotFoundError or PermissionError. See sem_open(3).
    #[staticmethod]
    #[pyo3(signature = (name, *, engine = "posix"))]
    fn open(name: &str, engine: &str) -> PyResult<Semaphore> {
        options(Mode::Default, engine)?.open(name).map(named).map_err(raise)
    }

    /// Opens the semaphore or makes it, and returns ``(semaphore, created)``.
    ///
    /// The arguments are those of create(); value and modes do not touch a semaphore that is there.
    #[staticmethod]
    #[pyo3(signature = (name, value, *, mode = None, exact_mode = None, engine = "posix"))]
    fn open_or_create(
        name: &str,
        value: Permits,
        mode: Option<Whole<u32>>,
        exact_mode: Option<Whole<u32>>,
        engine: &str,
    ) -> PyResult<(Semaphore, bool)> {
        let mut options = options(Mode::new(mode, exact_mode)?, engine)?;
        let (semaphore, did) = options.value(value.0).open_or_create(name).map_err(raise)?;
        Ok((named(semaphore), did == Opened::Created))
    }

    /// Removes the name at once; the semaphore goes when the last handle of it is closed.
    ///
    /// Raises FileNotFoundError or PermissionError. See sem_unlink(3).
    #[staticmethod]
    fn unlink(name: &str) -> PyResult<()> {
        unipc::Semaphore::unlink(name).map_err(raise)
    }

    /// Makes a semaphore of ``value`` permits in ``memory`` at ``offset``, over whatever stands there.
    ///
    /// It takes Semaphore.SIZE bytes; the offset is a multiple of Semaphore.ALIGN. One process makes
    /// it, before the others open_in() it. While it is open the memory keeps its size and
    /// protection. Raises OSError: ERANGE (it does not fit), EINVAL (offset, value), EACCES (the
    /// memory is read-only). See sem_init(3).
    #[staticmethod]
    #[pyo3(signature = (memory, offset = Whole(0), value = Permits(0)), text_signature = "(memory, offset=0, value=0)")]
    fn init_in(memory: &Bound<'_, Memory>, offset: Whole<usize>, value: Permits) -> PyResult<Semaphore> {
        let semaphore = memory.run(|memory| unipc::Semaphore::init_in(memory, offset.0, value.0))?;
        Ok(Semaphore { handle: Handle::new(semaphore), place: Some((memory.clone().unbind(), offset.0)) })
    }

    /// Opens the semaphore that somebody made in ``memory`` at ``offset``.
    ///
    /// Nothing can tell whether there is one: bytes that are none give a semaphore that waits or
    /// posts at random. Raises OSError as init_in() does.
    #[staticmethod]
    #[pyo3(signature = (memory, offset = Whole(0)), text_signature = "(memory, offset=0)")]
    fn open_in(memory: &Bound<'_, Memory>, offset: Whole<usize>) -> PyResult<Semaphore> {
        let semaphore = memory.run(|memory| unipc::Semaphore::open_in(memory, offset.0))?;
        Ok(Semaphore { handle: Handle::new(semaphore), place: Some((memory.clone().unbind(), offset.0)) })
    }

    /// Takes one permit; waits while there is none.
    ///
    /// ``timeout`` is in seconds on the monotonic clock: None waits for ever, 0 raises
    /// BlockingIOError if there is none, and a longer one raises TimeoutError when it is over.
    /// ``deadline`` is instead a time in seconds since 1970 on the realtime clock, as time.time()
    /// has it. A signal handler runs within a second: if it raises, so does this call, and no permit was
    /// taken; if it returns, the wait goes on for the rest of the time. See sem_wait(3).
    #[pyo3(signature = (timeout = None, *, deadline = None))]
    fn wait(slf: &Bound<'_, Self>, timeout: Option<f64>, deadline: Option<f64>) -> PyResult<()> {
        let limit = Limit::new(timeout, deadline)?;
        wait(slf, limit, Sleep::Monotonic, true, unipc::Semaphore::wait_by)
    }

    /// Gives back ``n`` permits, and wakes as many who wait.
    ///
    /// Raises OSError (EOVERFLOW) where the value would exceed Semaphore.MAX. An exception, also of a
    /// signal handler, says in ``transferred`` how many were given. See sem_post(3).
    #[pyo3(signature = (n = Whole(1)), text_signature = "($self, n=1)")]
    fn post(slf: &Bound<'_, Self>, n: Whole<u32>) -> PyResult<()> {
        if n.0 == 1 {
            return slf.run(unipc::Semaphore::post);
        }
        let (py, mut given) = (slf.py(), 0);
        loop {
            let round = (n.0 - given).min(ROUND);
            let semaphore = slf.shared();
            let posted = semaphore.and_then(|semaphore| {
                py.detach(|| semaphore.post_many(round)).map_err(|error| {
                    given += u32::try_from(error.transferred()).unwrap_or(round);
                    raise(error)
                })?;
                given += round;
                if given == n.0 { Ok(()) } else { py.check_signals() }
            });
            posted.map_err(|error| after(py, error, given as usize, None))?;
            if given == n.0 {
                return Ok(());
            }
        }
    }

    /// As wait(), in the way of threading.Semaphore: returns whether a permit was taken.
    ///
    /// With ``blocking`` false it does not wait; ``timeout`` is in seconds, None for ever.
    #[pyo3(signature = (blocking = Truth(true), timeout = None), text_signature = "($self, blocking=True, timeout=None)")]
    fn acquire(slf: &Bound<'_, Self>, blocking: Truth, timeout: Option<f64>) -> PyResult<bool> {
        let limit = match (blocking.0, timeout) {
            (true, timeout) => Limit::timeout(timeout)?,
            (false, None) => Limit::Now,
            (false, Some(_)) => return Err(PyValueError::new_err("a call that does not wait has no timeout")),
        };
        match outcome(slf, limit, Sleep::Monotonic, true, unipc::Semaphore::wait_by)? {
            Ok(()) => Ok(true),
            Err(error) if error.would_block() || error.timed_out() => Ok(false),
            Err(error) => Err(raise(*error)),
        }
    }

    /// As post(), in the way of threading.Semaphore.
    #[pyo3(signature = (n = Whole(1)), text_signature = "($self, n=1)")]
    fn release(slf: &Bound<'_, Self>, n: Whole<u32>) -> PyResult<()> {
        Semaphore::post(slf, n)
    }

    /// How many permits there are at this moment. See sem_getvalue(3).
    #[getter]
    fn value(slf: &Bound<'_, Self>) -> PyResult<u32> {
        slf.run(unipc::Semaphore::value)
    }

    /// The name by which it was made or opened; None inside a Memory. Raises ValueError on a closed
    /// handle.
    #[getter]
    fn name(slf: &Bound<'_, Self>) -> PyResult<Option<String>> {
        slf.with(|semaphore| semaphore.name().map(str::to_owned))
    }

    /// The engine that does its work: "posix".
    #[getter]
    fn engine(slf: &Bound<'_, Self>) -> PyResult<String> {
        slf.with(|semaphore| semaphore.engine().to_string())
    }

    /// Closes this handle; doing so again does nothing. It removes nothing: unlink() does.
    ///
    /// A call that waits in another thread is not disturbed at once: it is served, or raises
    /// ValueError within a second.
    fn close(slf: &Bound<'_, Self>) {
        Open::close(slf);
    }

    /// Whether this handle is closed.
    #[getter]
    fn closed(slf: &Bound<'_, Self>) -> bool {
        slf.is_closed()
    }

    /// Waits for a permit, for ever.
    fn __enter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> PyResult<&'a Bound<'py, Self>> {
        Semaphore::wait(slf, None, None)?;
        Ok(slf)
    }

    /// Posts the permit.
    #[pyo3(signature = (*_exception))]
    fn __exit__(slf: &Bound<'_, Self>, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        Semaphore::post(slf, Whole(1))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        handle::repr(slf)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let class = slf.get_type();
        match (Semaphore::name(slf)?, &slf.get().place) {
            (Some(name), _) => handle::reduced(class.as_any(), "_restore", (name, Semaphore::engine(slf)?)),
            (None, Some((memory, offset))) => {
                handle::reduced(class.as_any(), "open_in", (memory.clone_ref(slf.py()), *offset))
            }
            (None, None) => Err(PyTypeError::new_err("this semaphore has no name to be pickled by")),
        }
    }

    #[staticmethod]
    fn _restore(name: &str, engine: &str) -> PyResult<Semaphore> {
        Semaphore::open(name, engine)
    }
}
