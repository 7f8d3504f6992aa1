//! Descriptors that come from Python or go to another process.

use crate::errors::raise;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};
use unipc::Error;

/// A duplicate of `fd` that multiprocessing hands to the child it is starting.
pub fn for_a_child<'py>(py: Python<'py>, fd: RawFd, what: &str) -> PyResult<Bound<'py, PyAny>> {
    if py.import("multiprocessing.context")?.call_method0("get_spawning_popen")?.is_none() {
        return Err(PyTypeError::new_err(format!(
            "{what} has no name to be pickled by: pass it as an argument when a multiprocessing.Process \
             is started, or send its descriptor with socket.send_fds()"
        )));
    }
    py.import("multiprocessing.reduction")?.call_method1("DupFd", (fd,))
}

/// Takes the descriptor that [`for_a_child`] sent.
pub fn from_the_parent(duplicate: &Bound<'_, PyAny>) -> PyResult<OwnedFd> {
    owned(duplicate.call_method0("detach")?.extract()?)
}

/// Takes over descriptor `fd` if `adopt` likes it; if not, it stays the caller's and open.
pub fn take_over<T>(fd: RawFd, adopt: impl FnOnce(OwnedFd) -> Result<T, (Error, OwnedFd)>) -> PyResult<T> {
    adopt(owned(fd)?).map_err(|(error, fd)| {
        let _ = fd.into_raw_fd();
        raise(error)
    })
}

fn owned(fd: RawFd) -> PyResult<OwnedFd> {
    if fd < 0 {
        return Err(PyValueError::new_err(format!("fd must be 0 to {}, not {fd}", RawFd::MAX)));
    }
    // SAFETY: the caller of Python says that it is his to give, as with `os.fdopen`.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
