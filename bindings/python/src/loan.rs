//! Messages in place: a cell of a queue, lent to Python as a buffer until it is sent or taken.

use crate::buffer::lend;
use crate::errors::raise;
use crate::fork;
use crate::handle::warn_of_a_leak;
use pyo3::exceptions::{PyBufferError, PyValueError};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyMemoryView, PyTuple, PyWeakrefMethods, PyWeakrefReference};
use std::ffi::c_int;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use unipc::queue::Loan;

/// The two kinds of loans, and how they end.
pub trait Kind: Send + Sync + 'static {
    const CLASS: &'static str;
    const NOUN: &'static str;
    const READ_ONLY: bool;

    /// The good end: the message is sent, or taken.
    fn settle(queue: &unipc::Queue, loan: Loan) -> unipc::Result<()>;
    /// The other: it is as if nothing had been lent.
    fn undo(queue: &unipc::Queue, loan: Loan) -> unipc::Result<()>;
}

pub struct Writing;

impl Kind for Writing {
    const CLASS: &'static str = "unipc.Reservation";
    const NOUN: &'static str = "reservation";
    const READ_ONLY: bool = false;

    fn settle(queue: &unipc::Queue, loan: Loan) -> unipc::Result<()> {
        queue.resume_reserved(loan)?.commit()
    }

    fn undo(queue: &unipc::Queue, loan: Loan) -> unipc::Result<()> {
        queue.resume_reserved(loan)?.abort()
    }
}

pub struct Reading;

impl Kind for Reading {
    const CLASS: &'static str = "unipc.Borrowed";
    const NOUN: &'static str = "borrowed message";
    const READ_ONLY: bool = true;

    fn settle(queue: &unipc::Queue, loan: Loan) -> unipc::Result<()> {
        queue.resume_borrowed(loan)?.release()
    }

    fn undo(queue: &unipc::Queue, loan: Loan) -> unipc::Result<()> {
        queue.resume_borrowed(loan)?.put_back()
    }
}

/// A cell of a queue that this process has. Until it ends it keeps the queue mapped, and while there are
/// views of its bytes it does not end: so they are there as long as anybody can look at them, whatever
/// is closed meanwhile.
pub struct Lease<K: Kind> {
    /// Of which process: a child made by fork has a copy of this object, but not the cell.
    generation: u32,
    bytes: Bytes,
    priority: u32,
    state: Mutex<State>,
    kind: PhantomData<K>,
}

/// Where the bytes are: an address that is not followed here.
#[derive(Clone, Copy)]
pub struct Bytes {
    pub address: usize,
    pub len: usize,
}

struct State {
    /// Until it ends.
    held: Option<Held>,
    /// How many views Python has of the bytes.
    views: usize,
    /// It ends, undone, with the last of them.
    given_up: bool,
    /// The `data` that was given out last, if somebody has it still.
    data: Option<Py<PyWeakrefReference>>,
}

struct Held {
    queue: Arc<unipc::Queue>,
    loan: Loan,
}

impl<K: Kind> Lease<K> {
    pub fn new(queue: Arc<unipc::Queue>, loan: Loan, bytes: Bytes, priority: u32) -> Lease<K> {
        let state = State { held: Some(Held { queue, loan }), views: 0, given_up: false, data: None };
        Lease { generation: fork::generation(), bytes, priority, state: Mutex::new(state), kind: PhantomData }
    }

    /// Held for a few instructions, in which no Python code runs.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_ended(&self) -> bool {
        self.state().held.is_none()
    }

    fn is_here(&self) -> bool {
        self.generation == fork::generation()
    }

    fn data<'py>(&self, owner: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = owner.py();
        if self.has_ended() {
            return Err(ended::<K>());
        }
        let known = self.state().data.as_ref().map(|view| view.clone_ref(py));
        if let Some(view) = known.and_then(|view| view.bind(py).upgrade())
            && view.getattr(intern!(py, "nbytes")).is_ok()
        {
            return Ok(view);
        }
        let view = PyMemoryView::from(owner)?.into_any();
        let reference = PyWeakrefReference::new(&view)?.unbind();
        let _before = self.state().data.replace(reference);
        Ok(view)
    }

    /// Makes the `data` that somebody may have unusable, if nobody uses it just now.
    fn take_data(&self, py: Python<'_>) -> PyResult<()> {
        let known = self.state().data.take();
        let Some(view) = known.as_ref().and_then(|view| view.bind(py).upgrade()) else { return Ok(()) };
        view.call_method0(intern!(py, "release")).map(drop).inspect_err(|_| self.state().data = known)
    }

    /// What it holds, if it can end now.
    fn take(&self, py: Python<'_>) -> PyResult<Held> {
        if !self.is_here() {
            let sentence = format!("the {} belongs to the process that this one was forked from", K::NOUN);
            return Err(PyValueError::new_err(sentence));
        }
        if self.has_ended() {
            return Err(ended::<K>());
        }
        let refused = self.take_data(py).err();
        let (views, held) = {
            let mut state = self.state();
            (state.views, if state.views == 0 { state.held.take() } else { None })
        };
        let sentence = match views {
            0 => return held.ok_or_else(ended::<K>),
            1 => format!("a view of the {} exists; release it first", K::NOUN),
            _ => format!("{views} views of the {} exist; release them first", K::NOUN),
        };
        let error = PyBufferError::new_err(sentence);
        error.set_cause(py, refused);
        Err(error)
    }

    fn settle(&self, py: Python<'_>) -> PyResult<()> {
        self.end(py, K::settle)
    }

    fn undo(&self, py: Python<'_>) -> PyResult<()> {
        self.end(py, K::undo)
    }

    fn end(&self, py: Python<'_>, end: fn(&unipc::Queue, Loan) -> unipc::Result<()>) -> PyResult<()> {
        let held = self.take(py)?;
        // A process that was stopped in the middle of its work at the queue may hold this up.
        py.detach(move || end(&held.queue, held.loan)).map_err(raise)
    }

    /// The end of a `with` block.
    fn leave(&self, py: Python<'_>, failed: bool) -> PyResult<()> {
        if self.has_ended() || !self.is_here() {
            return Ok(());
        }
        if !failed {
            return self.settle(py);
        }
        // What the block raised is more important than what comes of this.
        if self.undo(py).is_err() {
            self.state().given_up = true;
        }
        Ok(())
    }

    /// Fills in a view.
    ///
    /// # Safety
    /// `view` is the interpreter's, to be filled.
    unsafe fn lend(&self, owner: &Bound<'_, PyAny>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let mut state = self.state();
        if state.held.is_none() {
            return Err(PyBufferError::new_err(format!("the {} has ended", K::NOUN)));
        }
        state.views += 1;
        drop(state);
        let Bytes { address, len } = self.bytes;
        // SAFETY: the bytes are mapped while the queue lives, which `self` keeps as long as it has views,
        // and each view keeps `owner`, which keeps `self`.
        let lent = unsafe { lend(owner, view, address, len, K::READ_ONLY, flags) };
        lent.inspect_err(|_| self.give_back())
    }

    fn give_back(&self) {
        let mut state = self.state();
        state.views -= 1;
        if state.views == 0 && state.given_up {
            let held = state.held.take();
            drop(state);
            self.put_away(held);
        }
    }

    fn put_away(&self, held: Option<Held>) {
        if let Some(Held { queue, loan }) = held
            && self.is_here()
        {
            // Refused, it has ended already: with the thread that took it.
            let _ = K::undo(&queue, loan);
        }
    }

    fn repr(&self) -> String {
        match &self.state().held {
            Some(held) => format!("<{}>", self.label(held)),
            None => format!("<{}, ended>", K::CLASS),
        }
    }

    fn label(&self, held: &Held) -> String {
        format!("{} of {} bytes in {:?}", K::CLASS, self.bytes.len, held.queue.name())
    }
}

impl<K: Kind> Drop for Lease<K> {
    fn drop(&mut self) {
        let (held, given_up) = {
            let mut state = self.state();
            (state.held.take(), state.given_up)
        };
        if let Some(held) = &held
            && !given_up
            && self.is_here()
        {
            warn_of_a_leak(format!("unclosed <{}>", self.label(held)));
        }
        self.put_away(held);
    }
}

#[cold]
fn ended<K: Kind>() -> PyErr {
    PyValueError::new_err(format!("the {} has ended", K::NOUN))
}

/// A message to be written in place, in a cell of the queue that nobody else can use meanwhile: made
/// by Queue.reserve().
///
/// ``data`` is the cell, a writable memoryview; the object is a buffer itself, too. commit() sends the
/// message, and so does leaving its ``with`` block; abort() gives the cell back unsent, and so does a
/// block that raises. Afterwards ``data`` is released: using it raises ValueError. While something else
/// has a view of the bytes (a slice, an array of numpy), commit() and abort() raise BufferError and
/// change nothing but that ``data`` has to be asked for anew; a block that raises then gives the cell
/// back as the last view goes.
///
/// Any thread may end it. When the thread that reserved it has ended, or the process has died, others
/// take the cell back, and then commit() raises OSError (EOWNERDEAD). A child made by fork may write to it, but only its
/// parent can end it. It outlives the handle that it was made by. If it is dropped before it ended, it
/// is aborted, with a ResourceWarning.
#[pyclass(frozen, weakref, module = "unipc")]
pub struct Reservation(pub Lease<Writing>);

#[pymethods]
impl Reservation {
    /// The bytes of the message, a writable memoryview. What is never written has whatever the cell had
    /// before.
    ///
    /// Raises ValueError once it has ended.
    #[getter]
    fn data<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.get().0.data(slf.as_any())
    }

    /// The priority that it is sent with.
    #[getter]
    fn priority(&self) -> u32 {
        self.0.priority
    }

    /// Whether it was committed or aborted.
    #[getter]
    fn ended(&self) -> bool {
        self.0.has_ended()
    }

    /// Sends the message, with all its bytes.
    ///
    /// Raises BufferError while views of the bytes exist, ValueError once it has ended, and OSError
    /// (EOWNERDEAD) if others took the cell back, for the thread that reserved it has ended: then nothing
    /// is sent.
    fn commit(&self, py: Python<'_>) -> PyResult<()> {
        self.0.settle(py)
    }

    /// Gives the cell back; nothing is sent.
    ///
    /// Raises as commit() does.
    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        self.0.undo(py)
    }

    /// Lends the bytes to a view, which keeps this object alive.
    ///
    /// # Safety
    /// The interpreter calls this, with a `view` to be filled.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        // SAFETY: the caller's promise.
        unsafe { slf.get().0.lend(slf.as_any(), view, flags) }
    }

    /// # Safety
    /// The interpreter calls this, once for each view that was lent.
    unsafe fn __releasebuffer__(&self, _view: *mut ffi::Py_buffer) {
        self.0.give_back();
    }

    /// Returns this object, which leaving the block ends.
    fn __enter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> PyResult<&'a Bound<'py, Self>> {
        if slf.get().0.has_ended() { Err(ended::<Writing>()) } else { Ok(slf) }
    }

    /// Commits it, or aborts it after an exception, unless that was done already.
    #[pyo3(signature = (*exception))]
    fn __exit__(&self, exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.0.leave(exception.py(), has_raised(exception))
    }

    fn __repr__(&self) -> String {
        self.0.repr()
    }
}

/// A message to be read in place, which nobody else receives meanwhile: made by Queue.borrow().
///
/// ``data`` is the message, a memoryview that cannot be written; the object is a buffer itself, too.
/// release() takes the message for good, and so does leaving the ``with`` block; put_back() puts it back
/// to where it was, to be received by whoever comes next, and so does a block that raises. Afterwards
/// ``data`` is released: using it raises ValueError. While something else has a view of the bytes (a
/// slice, an array of numpy), release() and put_back() raise BufferError and change nothing but that
/// ``data`` has to be asked for anew; a block that raises then puts the message back as the last view
/// goes.
///
/// Any thread may end it. When the thread that borrowed it has ended, or the process has died, others put
/// the message back, and then release() raises OSError (EOWNERDEAD). In a child made by fork it can be
/// read, but only the parent can end it. It outlives the handle that it was made by. If
/// it is dropped before it ended, it is put back, with a ResourceWarning.
#[pyclass(frozen, weakref, module = "unipc")]
pub struct Borrowed(pub Lease<Reading>);

#[pymethods]
impl Borrowed {
    /// The bytes of the message, a memoryview that cannot be written.
    ///
    /// Raises ValueError once it has ended.
    #[getter]
    fn data<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.get().0.data(slf.as_any())
    }

    /// The priority that it was sent with.
    #[getter]
    fn priority(&self) -> u32 {
        self.0.priority
    }

    /// Whether it was released or put back.
    #[getter]
    fn ended(&self) -> bool {
        self.0.has_ended()
    }

    /// Takes the message out of the queue, for good.
    ///
    /// Raises BufferError while views of the bytes exist, ValueError once it has ended, and OSError
    /// (EOWNERDEAD) if others put it back, for the thread that borrowed it has ended: then the message is
    /// in the queue again, or somebody else's.
    fn release(&self, py: Python<'_>) -> PyResult<()> {
        self.0.settle(py)
    }

    /// Puts the message back to where it was.
    ///
    /// Raises as release() does.
    fn put_back(&self, py: Python<'_>) -> PyResult<()> {
        self.0.undo(py)
    }

    /// Lends the bytes to a view, which keeps this object alive.
    ///
    /// # Safety
    /// The interpreter calls this, with a `view` to be filled.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        // SAFETY: the caller's promise.
        unsafe { slf.get().0.lend(slf.as_any(), view, flags) }
    }

    /// # Safety
    /// The interpreter calls this, once for each view that was lent.
    unsafe fn __releasebuffer__(&self, _view: *mut ffi::Py_buffer) {
        self.0.give_back();
    }

    /// Returns this object, which leaving the block ends.
    fn __enter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> PyResult<&'a Bound<'py, Self>> {
        if slf.get().0.has_ended() { Err(ended::<Reading>()) } else { Ok(slf) }
    }

    /// Releases it, or puts it back after an exception, unless that was done already.
    #[pyo3(signature = (*exception))]
    fn __exit__(&self, exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.0.leave(exception.py(), has_raised(exception))
    }

    fn __repr__(&self) -> String {
        self.0.repr()
    }
}

/// Of what a `with` statement tells: the class of the exception, or None.
fn has_raised(exception: &Bound<'_, PyTuple>) -> bool {
    exception.get_item(0).is_ok_and(|class| !class.is_none())
}
