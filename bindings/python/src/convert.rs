//! How Python's values become Rust's: words, whole numbers, modes, paths and descriptors.

use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use std::fmt::Display;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

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
            _ => Err(PyValueError::new_err(format!(
                "expected a whole number from 0 to {}, not {}",
                T::MAX,
                shown(object)
            ))),
        }
    }
}

/// The digits of a number, unless there are too many for Python to write.
fn shown(number: Borrowed<'_, '_, PyAny>) -> String {
    number.str().map_or_else(|_| "one of very many digits".into(), |digits| digits.to_string())
}

/// Numbers of which the argument has a name and a range of its own. What the type holds goes to the
/// core, which judges it; what it does not hold is a `ValueError`.
macro_rules! numbers {
    ($($kind:ident($type:ty): $name:literal from $least:literal to $most:expr;)*) => {$(
        #[derive(Clone, Copy)]
        pub struct $kind(pub $type);

        impl<'a, 'py> FromPyObject<'a, 'py> for $kind {
            type Error = PyErr;

            #[inline]
            fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
                match object.extract() {
                    Ok(number) => Ok($kind(number)),
                    Err(error) if error.is_instance_of::<PyOverflowError>(object.py()) => {
                        let (most, number) = ($most, shown(object));
                        let sentence = format!(concat!($name, " must be ", $least, " to {}, not {}"), most, number);
                        Err(PyValueError::new_err(sentence))
                    }
                    Err(error) => Err(error),
                }
            }
        }
    )*};
}

numbers! {
    Priority(u32): "priority" from 0 to unipc::queue::PRIORITY_MAX;
    Permits(u32): "value" from 0 to unipc::Semaphore::MAX;
    Count(isize): "size" from -1 to isize::MAX;
    Descriptor(i32): "fd" from 0 to i32::MAX;
    Signal(i32): "signal" from 1 to 64;
    Leader(i32): "group" from 1 to i32::MAX;
}

/// What Python takes for true or false: anything.
#[derive(Clone, Copy)]
pub struct Truth(pub bool);

impl<'a, 'py> FromPyObject<'a, 'py> for Truth {
    type Error = PyErr;

    #[inline]
    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        object.is_truthy().map(Truth)
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
///
/// Without a working directory there is none.
pub fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
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
