//! A `bytes` object that is filled as the bytes come, so that nothing is held twice and what does
//! not fit into memory is a MemoryError.

use pyo3::exceptions::PyMemoryError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::ffi::c_int;

unsafe extern "C" {
    /// Of the stable ABI; pyo3 does not declare it.
    fn _PyBytes_Resize(bytes: *mut *mut ffi::PyObject, size: ffi::Py_ssize_t) -> c_int;
}

/// A `bytes` that nobody else has seen yet.
pub struct Growing {
    /// Null only after the interpreter failed to resize it.
    object: *mut ffi::PyObject,
    filled: usize,
    size: usize,
}

impl Growing {
    pub fn new(py: Python<'_>, size: usize) -> PyResult<Growing> {
        // SAFETY: the thread is attached; the interpreter allocates `size` bytes, or says it cannot.
        let object = unsafe { ffi::PyBytes_FromStringAndSize(std::ptr::null(), size as isize) };
        if object.is_null() {
            return Err(PyErr::fetch(py));
        }
        let growing = Growing { object, filled: 0, size };
        growing.clear(0);
        Ok(growing)
    }

    /// Zeroes what is behind `begin`, for Rust has no bytes without a value.
    fn clear(&self, begin: usize) {
        // SAFETY: `begin` is at most `size`, which is how many bytes the object has.
        unsafe { ffi::PyBytes_AsString(self.object).cast::<u8>().add(begin).write_bytes(0, self.size - begin) }
    }

    pub fn filled(&self) -> usize {
        self.filled
    }

    /// What is to be filled next.
    pub fn room(&mut self) -> &mut [u8] {
        // SAFETY: the object is this one's alone, and has `size` bytes with a value.
        unsafe {
            let start = ffi::PyBytes_AsString(self.object).cast::<u8>();
            std::slice::from_raw_parts_mut(start.add(self.filled), self.size - self.filled)
        }
    }

    /// Says that the next `count` bytes of [`room`](Self::room) have come.
    pub fn advance(&mut self, count: usize) {
        debug_assert!(count <= self.size - self.filled);
        self.filled += count;
    }

    /// Makes more room: as much again while that is little, then an eighth more; at most `limit` in all.
    ///
    /// If there is no memory for it, what was filled stays.
    pub fn grow(&mut self, py: Python<'_>, limit: usize) -> PyResult<()> {
        const MUCH: usize = 64 << 20;
        let more = if self.size < MUCH { self.size } else { self.size / 8 };
        let size = self.size.saturating_add(more).min(limit);
        // The interpreter throws away what it cannot enlarge. So ask for what it will need: the difference
        // if the block is one that the kernel moves, the whole if it has to be copied.
        let need = if self.size < MUCH { size } else { size - self.size };
        Vec::<u8>::new().try_reserve_exact(need).map_err(|_| no_memory(size))?;
        let before = self.size;
        self.resize(py, size)?;
        self.clear(before);
        Ok(())
    }

    fn resize(&mut self, py: Python<'_>, size: usize) -> PyResult<()> {
        // SAFETY: the thread is attached, and there is one reference to the object, this one.
        if unsafe { _PyBytes_Resize(&raw mut self.object, size as isize) } == 0 {
            self.size = size;
            Ok(())
        } else {
            (self.filled, self.size) = (0, 0);
            Err(PyErr::fetch(py))
        }
    }

    /// The bytes that came.
    pub fn finish(mut self, py: Python<'_>) -> PyResult<Bound<'_, PyBytes>> {
        if self.object.is_null() {
            return Ok(PyBytes::new(py, b""));
        }
        if self.filled != self.size {
            self.resize(py, self.filled)?;
        }
        let object = std::mem::replace(&mut self.object, std::ptr::null_mut());
        // SAFETY: the object is a bytes, and its one reference goes over.
        Ok(unsafe { Bound::from_owned_ptr(py, object).cast_into_unchecked() })
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        if !self.object.is_null() {
            // SAFETY: as in `finish`; a thread that makes one is attached when it drops it.
            Python::attach(|_| unsafe { ffi::Py_DECREF(self.object) });
        }
    }
}

#[cold]
fn no_memory(size: usize) -> PyErr {
    PyMemoryError::new_err(format!("no memory for {size} bytes"))
}
