//! Bytes-like objects, read and filled where they stand.

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::ffi::c_int;
use std::ptr::NonNull;

/// The bytes of a bytes-like object.
pub enum Input<'a, 'py> {
    Bytes(Borrowed<'a, 'py, PyBytes>),
    View(View),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Input<'a, 'py> {
    type Error = PyErr;

    #[inline]
    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Input::Bytes(bytes));
        }
        View::of(object, ffi::PyBUF_SIMPLE).map(Input::View)
    }
}

impl Input<'_, '_> {
    /// The bytes. They do not move while `self` lives, and those of `bytes` do not change either.
    ///
    /// What stands in another buffer may be changed meanwhile by a thread or, in shared memory, by a
    /// process. The core does not look at the bytes that it is given to send or to write: the kernel
    /// does, or an assembly copy, so the worst is that the other side gets a mixture.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Input::Bytes(bytes) => bytes.as_bytes(),
            // SAFETY: the view pins its bytes; who may change them, and why that does no harm, stands
            // above.
            Input::View(view) => unsafe { std::slice::from_raw_parts(view.start().as_ptr(), view.len()) },
        }
    }
}

/// The bytes of a bytes-like object that may be written, to be filled.
pub struct Output(View);

impl<'a, 'py> FromPyObject<'a, 'py> for Output {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        View::of(object, ffi::PyBUF_WRITABLE).map(Output).map_err(|refusal| {
            let constant = View::of(object, ffi::PyBUF_SIMPLE).is_ok_and(|view| view.0.readonly != 0);
            if constant || refusal.is_instance_of::<PyTypeError>(object.py()) {
                let class = object.get_type().name().map_or_else(|_| "?".into(), |name| name.to_string());
                return PyTypeError::new_err(format!("a writable bytes-like object is required, not '{class}'"));
            }
            refusal
        })
    }
}

impl Output {
    /// The bytes; what is true of [`Input::as_slice`] is true here.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as in `Input::as_slice`; the exporter was asked for bytes that may be written.
        unsafe { std::slice::from_raw_parts_mut(self.0.start().as_ptr(), self.0.len()) }
    }
}

/// Fills in a `view` of `len` bytes at `address`, which keeps `owner` alive.
///
/// # Safety
/// `view` is the interpreter's, to be filled; the bytes are there as long as `owner` is, and may be
/// written unless the view is `read_only`.
pub unsafe fn lend(
    owner: &Bound<'_, PyAny>,
    view: *mut ffi::Py_buffer,
    address: usize,
    len: usize,
    read_only: bool,
    flags: c_int,
) -> PyResult<()> {
    let address = std::ptr::with_exposed_provenance_mut(address);
    // SAFETY: the caller's promise; the thread is attached.
    match unsafe { ffi::PyBuffer_FillInfo(view, owner.as_ptr(), address, len as isize, c_int::from(read_only), flags) }
    {
        0 => Ok(()),
        _ => Err(PyErr::fetch(owner.py())),
    }
}

/// A view of a contiguous buffer, whose bytes the exporter keeps where they are until it is released.
///
/// pyo3's own refuses buffers that tell no strides, as those of ctypes.
pub struct View(Box<ffi::Py_buffer>);

// SAFETY: what it points to is pinned, and belongs to no thread.
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl View {
    fn of(object: Borrowed<'_, '_, PyAny>, flags: c_int) -> PyResult<View> {
        let mut view = Box::new(ffi::Py_buffer::new());
        // SAFETY: the thread is attached, `object` is alive, and `view` stays at its address.
        match unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), &raw mut *view, flags) } {
            0 => Ok(View(view)),
            _ => Err(PyErr::fetch(object.py())),
        }
    }

    fn len(&self) -> usize {
        self.0.len.unsigned_abs()
    }

    /// Where the bytes begin; none may have no address.
    fn start(&self) -> NonNull<u8> {
        NonNull::new(self.0.buf.cast()).unwrap_or(NonNull::dangling())
    }
}

impl Drop for View {
    fn drop(&mut self) {
        Python::attach(|_| {
            // SAFETY: the thread is attached, and the view was filled by `of` and not released yet.
            unsafe { ffi::PyBuffer_Release(&raw mut *self.0) }
        });
    }
}
