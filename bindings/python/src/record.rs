//! Named tuples: the classes are Python's own, written in `unipc/__init__.py`.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyTuple, PyType};

/// A class of named tuples of `N` fields.
pub struct Record<const N: usize> {
    name: &'static str,
    class: PyOnceLock<Py<PyType>>,
}

impl<const N: usize> Record<N> {
    pub const fn new(name: &'static str) -> Record<N> {
        Record { name, class: PyOnceLock::new() }
    }

    pub fn make<'py>(&self, py: Python<'py>, values: [Bound<'py, PyAny>; N]) -> PyResult<Bound<'py, PyAny>> {
        let class = self.class.import(py, "unipc", self.name)?;
        // From 3.14 on a tuple caches its hash, which only its own constructor sets up.
        // SAFETY: a constant of the interpreter.
        if unsafe { ffi::Py_Version } >= 0x030e_0000 {
            return class.call1(PyTuple::new(py, values)?);
        }
        // Calling a class of named tuples runs Python code; this is what that comes to, in a tenth
        // of the time.
        // SAFETY: the thread is attached, and `class` is a subclass of tuple without fields of its
        // own, so that it holds `N` items; the tuple is ours alone until it is returned, and each
        // item takes over the reference it is given.
        unsafe {
            let record = ffi::PyType_GenericAlloc(class.as_type_ptr(), N as isize);
            let record = Bound::from_owned_ptr_or_err(py, record)?;
            for (index, value) in values.into_iter().enumerate() {
                ffi::PyTuple_SetItem(record.as_ptr(), index as isize, value.into_ptr());
            }
            Ok(record)
        }
    }
}
