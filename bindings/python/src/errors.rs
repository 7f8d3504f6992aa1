//! The one place where an error of the core becomes an exception of Python.

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::Path;

/// The same numbers wherever Rust and Python run on Linux.
const ERANGE: i32 = 34;
pub const ESHUTDOWN: i32 = 108;
const ETIMEDOUT: i32 = 110;

/// `OSError(errno, sentence, name)`, from which Python picks the subclass: `FileNotFoundError`,
/// `TimeoutError`, `BlockingIOError` and so on. It prints the name behind the sentence.
#[cold]
pub fn raise(error: unipc::Error) -> PyErr {
    if error.is_named() {
        PyOSError::new_err((error.errno(), sentence(&error), error.object().to_owned()))
    } else {
        PyOSError::new_err((error.errno(), error.to_string()))
    }
}

/// As [`raise`], with the path as the caller gave it, also if it is no text.
#[cold]
pub fn raise_at(error: unipc::Error, path: &Path) -> PyErr {
    PyOSError::new_err((error.errno(), sentence(&error), path.as_os_str().to_owned()))
}

fn sentence(error: &unipc::Error) -> String {
    format!("{}: {}", error.operation(), error.cause())
}

/// Tells with `error` how far a call came that moves many things: `transferred`, and `partial`, the
/// bytes, if they were read. So nothing is lost, also when a signal handler ended the call.
#[cold]
pub fn after(py: Python<'_>, error: PyErr, transferred: usize, partial: Option<Bound<'_, PyBytes>>) -> PyErr {
    let value = error.value(py);
    // An exception of the user's own class may refuse attributes; it is more important than they are.
    let _ = value.setattr(intern!(py, "transferred"), transferred);
    if let Some(bytes) = partial {
        let _ = value.setattr(intern!(py, "partial"), bytes);
    }
    error
}

/// As the core's own ERANGE, for a range that is judged before there is a buffer of its size.
#[cold]
pub fn raise_range(operation: &str, memory: &unipc::Memory, offset: usize, size: usize) -> PyErr {
    let len = memory.len();
    let cause = format!("{size} bytes at offset {offset} do not lie within its {len} bytes");
    match memory.name() {
        Some(name) => PyOSError::new_err((ERANGE, format!("{operation} memory: {cause}"), name.to_owned())),
        None => PyOSError::new_err((ERANGE, format!("{operation} anonymous memory: {cause}"))),
    }
}

/// As the core's own, for a call of many parts of which each was in time.
#[cold]
pub fn timed_out(operation: &str) -> PyErr {
    PyOSError::new_err((ETIMEDOUT, format!("{operation}: timed out")))
}

#[cold]
pub fn closed(noun: &str) -> PyErr {
    PyValueError::new_err(format!("{noun} is closed"))
}
