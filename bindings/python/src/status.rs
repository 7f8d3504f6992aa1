//! How a process ended.

use crate::handle;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// How a process ended: it exited with a code, or a signal ended it.
///
/// It equals another that says the same, and the number that is its ``returncode``. It is neither
/// true nor false, for a shell and subprocess mean opposite things by that: ask for ``success``.
/// ``str()`` prints "exited with 3" or "killed by SIGTERM". See waitpid(2).
#[pyclass(frozen, module = "unipc")]
pub struct Status(pub unipc::Status);

#[pymethods]
impl Status {
    /// Makes one of what os.waitpid() gives.
    #[staticmethod]
    fn from_raw(raw: i32) -> Status {
        Status(unipc::Status::from_raw(raw))
    }

    /// As waitpid(2) encodes it, for os.waitstatus_to_exitcode() and its like.
    #[getter]
    fn raw(&self) -> i32 {
        self.0.raw()
    }

    /// Whether it exited with 0.
    #[getter]
    fn success(&self) -> bool {
        self.0.success()
    }

    /// What it gave to exit(3), 0 to 255, or None if a signal ended it.
    #[getter]
    fn code(&self) -> Option<i32> {
        self.0.code()
    }

    /// The number of the signal that ended it, or None if it exited.
    #[getter]
    fn signal(&self) -> Option<i32> {
        self.0.signal()
    }

    /// Whether the signal that ended it left a core dump.
    #[getter]
    fn core_dumped(&self) -> bool {
        self.0.core_dumped()
    }

    /// One number, as subprocess has it: the code, or the signal's number with a minus.
    #[getter]
    fn returncode(&self) -> i32 {
        self.0.code().unwrap_or_else(|| -self.0.signal().unwrap_or(0))
    }

    /// One number, as a shell has it in ``$?`` and sys.exit() takes it: the code, or 128 and the signal's
    /// number.
    #[getter]
    fn shell_code(&self) -> i32 {
        self.0.shell_code()
    }

    fn __int__(&self) -> i32 {
        self.returncode()
    }

    fn __bool__(_slf: &Bound<'_, Self>) -> PyResult<bool> {
        Err(PyTypeError::new_err("a status is neither true nor false: ask for its success or its returncode"))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        match other.cast::<Status>() {
            Ok(other) => self.returncode() == other.get().returncode(),
            Err(_) => other.extract::<i64>().is_ok_and(|number| number == i64::from(self.returncode())),
        }
    }

    /// As the number's that it equals.
    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        self.returncode().into_pyobject(py)?.hash()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<unipc.Status {}>", self.0)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        handle::reduced(slf.get_type().as_any(), "from_raw", (slf.get().raw(),))
    }
}
