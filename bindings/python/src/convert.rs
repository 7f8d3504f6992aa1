//! How Python's values become Rust's: words, whole numbers, descriptors and buffers.

use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyBufferError, PyOverflowError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::fmt::Display;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::ptr::NonNull;

/// A value that Python names by a word, such as `access="read-only"`.
pub trait Word: Copy + PartialEq + 'static {
    const WHAT: &'static str;
    const WORDS: &'static [(&'static str, Self)];

    fn parse(text: &str) -> PyResult<Self> {
        Self::WORDS.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = Self::WORDS.iter().map(|(word, _)| format!("'{word}'")).collect();
            PyValueError::new_err(format!("{} must be {}, not '{text}'", Self::WHAT, words.join(" or ")))
        })
    }

    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("?", |(word, _)| word)
    }
}

impl Word for unipc::Access {
    const WHAT: &'static str = "access";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("read-write", unipc::Access::ReadWrite),
        ("read-only", unipc::Access::ReadOnly),
        ("write-only", unipc::Access::WriteOnly),
    ];
}

pub fn engine(text: &str) -> PyResult<unipc::Engine> {
    text.parse().map_err(|error: unipc::Error| PyValueError::new_err(error.cause().to_owned()))
}

/// A count or a size. What Rust's type cannot hold is a `ValueError` that says so.
#[derive(Clone, Copy)]
pub struct Whole<T>(pub T);

/// The numbers that a [`Whole`] can be.
pub trait Bounded: Display {
    const MAX: Self;
}

impl Bounded for u32 {
    const MAX: u32 = u32::MAX;
}

impl Bounded for usize {
    /// Python's own limit of a length.
    const MAX: usize = isize::MAX as usize;
}

impl<'a, 'py, T> FromPyObject<'a, 'py> for Whole<T>
where
    T: Bounded + PartialOrd + FromPyObject<'a, 'py, Error = PyErr>,
{
    type Error = PyErr;

    #[inline]
    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match object.extract::<T>() {
            Ok(number) if number <= T::MAX => Ok(Whole(number)),
            Err(error) if !error.is_instance_of::<PyOverflowError>(object.py()) => Err(error),
            _ => Err(PyValueError::new_err(format!("expected a whole number from 0 to {}, not {}", T::MAX, *object))),
        }
    }
}

/// The permission bits of an object to be made.
#[derive(Clone, Copy)]
pub enum Mode {
    Default,
    /// The umask applies.
    Masked(u32),
    Exact(u32),
}

impl Mode {
    pub fn new(mode: Option<Whole<u32>>, exact_mode: Option<Whole<u32>>) -> PyResult<Mode> {
        match (mode, exact_mode) {
            (None, None) => Ok(Mode::Default),
            (Some(Whole(bits)), None) => Ok(Mode::Masked(bits)),
            (None, Some(Whole(bits))) => Ok(Mode::Exact(bits)),
            (Some(_), Some(_)) => Err(PyValueError::new_err("give either a mode or an exact_mode, not both")),
        }
    }
}

/// A path by which a process with another working directory finds the same file.
pub fn absolute(path: PathBuf) -> PyResult<PathBuf> {
    Ok(std::path::absolute(path)?)
}

/// The descriptor that an `int`, or an object with a `fileno()`, stands for.
pub fn descriptor<'a>(object: &'a Bound<'_, PyAny>) -> PyResult<BorrowedFd<'a>> {
    // SAFETY: the thread is attached, and `object` is a live Python object.
    let fd = unsafe { ffi::PyObject_AsFileDescriptor(object.as_ptr()) };
    if fd < 0 {
        return Err(PyErr::fetch(object.py()));
    }
    // SAFETY: as long as the caller of Python keeps it open, which lies in his hands as with `os`:
    // a closed number is an EBADF.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// The bytes of a bytes-like object, to be read where they stand.
pub enum Input<'a, 'py> {
    Bytes(Borrowed<'a, 'py, PyBytes>),
    Buffer(PyUntypedBuffer),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Input<'a, 'py> {
    type Error = PyErr;

    #[inline]
    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Input::Bytes(bytes));
        }
        contiguous(object, "a bytes-like object is required").map(Input::Buffer)
    }
}

impl Input<'_, '_> {
    /// The bytes. They never move while `self` lives, and those of `bytes` never change.
    ///
    /// What stands in another buffer may be changed meanwhile by a thread or, in shared memory, by a
    /// process. The core does not look at the bytes that it is given to send or to write: the kernel
    /// does, or an assembly copy, so the worst is that the other side gets a mixture.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Input::Bytes(bytes) => bytes.as_bytes(),
            // SAFETY: the export pins `len_bytes` bytes at `buf_ptr` until it is released, by `Drop`;
            // who may change them, and why that does no harm, stands above.
            Input::Buffer(buffer) => unsafe { std::slice::from_raw_parts(start(buffer).as_ptr(), buffer.len_bytes()) },
        }
    }
}

/// A writable bytes-like object, to be filled where it stands.
pub struct Output(PyUntypedBuffer);

impl<'a, 'py> FromPyObject<'a, 'py> for Output {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let buffer = contiguous(object, "a writable bytes-like object is required")?;
        if buffer.readonly() {
            let class = object.get_type().name()?;
            return Err(PyTypeError::new_err(format!("a writable bytes-like object is required, not '{class}'")));
        }
        Ok(Output(buffer))
    }
}

impl Output {
    /// The bytes, to be overwritten; what is true of [`Input::as_slice`] is true here.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as in `Input::as_slice`; the exporter said that the bytes may be written.
        unsafe { std::slice::from_raw_parts_mut(start(&self.0).as_ptr(), self.0.len_bytes()) }
    }
}

fn contiguous(object: Borrowed<'_, '_, PyAny>, wanted: &str) -> PyResult<PyUntypedBuffer> {
    let buffer = PyUntypedBuffer::get(&object).map_err(|error| {
        if error.is_instance_of::<PyTypeError>(object.py()) {
            let class = object.get_type().name().map_or_else(|_| "?".into(), |name| name.to_string());
            return PyTypeError::new_err(format!("{wanted}, not '{class}'"));
        }
        error
    })?;
    if buffer.is_c_contiguous() {
        Ok(buffer)
    } else {
        Err(PyBufferError::new_err("the buffer is not contiguous; copy it with bytes() first"))
    }
}

/// Where a buffer begins; an empty one may have no address.
fn start(buffer: &PyUntypedBuffer) -> NonNull<u8> {
    NonNull::new(buffer.buf_ptr().cast()).unwrap_or(NonNull::dangling())
}
