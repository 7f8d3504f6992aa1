//! What a Python object holds: a core object that any thread may close at any moment.

use crate::errors::{closed, raise};
use pyo3::exceptions::PyResourceWarning;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::{IntoPyObjectExt, PyClass};
use std::cell::UnsafeCell;
use std::ffi::CString;
use std::sync::Arc;

/// A core object as Python speaks of it.
pub trait Object: Send + Sync + 'static {
    /// In a sentence: "queue is closed".
    const NOUN: &'static str;

    /// As `repr` shows it, without the brackets: `unipc.Queue '/orders'`.
    fn label(&self) -> String;

    /// Whether O_NONBLOCK is set, so that a call without a timeout does not wait either.
    fn is_nonblocking(&self) -> bool {
        false
    }
}

/// The object while it is open. A waiting call holds a reference of its own, so that closing never
/// takes a descriptor or a mapping from under another thread.
pub struct Handle<T: Object>(UnsafeCell<Option<Arc<T>>>);

// SAFETY: `Open::slot` is the only way in, and lets in one thread at a time.
unsafe impl<T: Object> Sync for Handle<T> {}

impl<T: Object> Handle<T> {
    pub fn new(object: T) -> Self {
        Handle(UnsafeCell::new(Some(Arc::new(object))))
    }
}

impl<T: Object> Drop for Handle<T> {
    /// The interpreter drops what nobody refers to; as with files, it should have been closed.
    fn drop(&mut self) {
        let Some(object) = self.0.get_mut().take() else { return };
        warn_of_a_leak(format!("unclosed <{}>", object.label()));
    }
}

/// A ResourceWarning, as the interpreter gives while it drops things.
pub fn warn_of_a_leak(message: String) {
    let message = CString::new(message).unwrap_or_default();
    Python::try_attach(|py| {
        let pending = PyErr::take(py);
        if let Err(error) = PyErr::warn(py, &py.get_type::<PyResourceWarning>(), &message, 1) {
            error.write_unraisable(py, None);
        }
        if let Some(pending) = pending {
            pending.restore(py);
        }
    });
}

/// A Python class around a [`Handle`].
pub trait Owner: PyClass<Frozen = True> + Sync {
    type Core: Object;

    fn handle(&self) -> &Handle<Self::Core>;
}

/// What every handle can do, given the Python object that owns it.
pub trait Open<T: Object> {
    /// Looks at or changes what the handle holds, while no other thread does.
    fn slot<R>(&self, f: impl FnOnce(&mut Option<Arc<T>>) -> R + Send) -> R;

    /// Calls `f`, which does not wait, on the open object.
    #[inline]
    fn with<R>(&self, f: impl FnOnce(&T) -> R + Send) -> PyResult<R> {
        self.slot(|object| object.as_deref().map(f)).ok_or_else(|| closed(T::NOUN))
    }

    /// Calls `f`, which does not wait, on the open object, and raises its error.
    ///
    /// An error of the core is large; boxed where it arises, it does not slow down those who succeed.
    #[inline]
    fn run<R>(&self, f: impl FnOnce(&T) -> unipc::Result<R> + Send) -> PyResult<R> {
        match self.slot(|object| object.as_deref().map(|object| f(object).map_err(Box::new))) {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(raise(*error)),
            None => Err(closed(T::NOUN)),
        }
    }

    /// As [`run`](Self::run), detached from the interpreter if so many `bytes` are to be moved that
    /// another thread would miss the GIL.
    fn run_moving<R: Send>(&self, bytes: usize, f: impl FnOnce(&T) -> unipc::Result<R> + Send) -> PyResult<R>;

    /// The open object, to use it detached from the interpreter.
    fn shared(&self) -> PyResult<Arc<T>> {
        self.slot(|object| object.clone()).ok_or_else(|| closed(T::NOUN))
    }

    fn is_closed(&self) -> bool {
        self.slot(|object| object.is_none())
    }

    /// Lets go of the object; doing so again does nothing.
    fn close(&self) {
        drop(self.slot(Option::take));
    }
}

impl<C: Owner> Open<C::Core> for Bound<'_, C> {
    #[inline]
    fn slot<R>(&self, f: impl FnOnce(&mut Option<Arc<C::Core>>) -> R + Send) -> R {
        with_critical_section(self.as_any(), || {
            // SAFETY: this thread is attached, so with the GIL it is alone here, and without it the
            // critical section excludes the others. It stays so while `f` runs: being `Send`, `f`
            // cannot carry the token that letting go of the interpreter takes.
            f(unsafe { &mut *self.get().handle().0.get() })
        })
    }

    fn run_moving<R: Send>(&self, bytes: usize, f: impl FnOnce(&C::Core) -> unipc::Result<R> + Send) -> PyResult<R> {
        if is_brief(bytes) {
            return self.run(f);
        }
        let object = self.shared()?;
        self.py().detach(|| f(&object)).map_err(raise)
    }
}

/// Whether moving this many bytes is done before another thread would miss the GIL.
pub fn is_brief(bytes: usize) -> bool {
    bytes <= 64 * 1024
}

/// `<unipc.Queue '/orders'>`, and `<unipc.Queue, closed>` once it is.
pub fn repr<C: Owner>(owner: &Bound<'_, C>) -> PyResult<String> {
    match owner.with(Object::label) {
        Ok(label) => Ok(format!("<{label}>")),
        Err(_) => Ok(format!("<{}, closed>", owner.as_any().get_type().fully_qualified_name()?)),
    }
}

/// What `__reduce__` returns: `restore(*arguments)` makes the object anew.
pub fn reduced<'py>(
    class: &Bound<'py, PyAny>,
    restore: &str,
    arguments: impl IntoPyObjectExt<'py>,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    Ok((class.getattr(restore)?, arguments.into_bound_py_any(class.py())?))
}
