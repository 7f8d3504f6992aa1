//! Message queues.

use crate::buffer::{Input, Output};
use crate::convert::{Mode, Priority, Signal, Truth, Whole, Word, engine};
use crate::errors::raise;
use crate::growing::Growing;
use crate::handle::{self, Handle, Object, Open, Owner, is_brief};
use crate::notification::Callbacks;
use crate::record::Record;
use crate::wait::{Limit, Sleep, wait};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use std::os::fd::{AsRawFd, RawFd};
use unipc::queue::{QueueOptions, Received};
use unipc::{Access, Opened};

/// Up to so many bytes are received on the stack, without an allocation of their own.
const FEW: usize = 256;

static MESSAGE: Record<2> = Record::new("Message");
static ATTRIBUTES: Record<4> = Record::new("QueueAttributes");

impl Object for unipc::Queue {
    const NOUN: &'static str = "queue";

    fn label(&self) -> String {
        format!("unipc.Queue {:?}", self.name())
    }
}

/// A message queue: whole messages of a bounded size, the highest priority first, in order within
/// one.
///
/// Made by create(), open() and open_or_create(). Closing the handle, or leaving its ``with`` block,
/// removes nothing: unlink() removes the name, and the queue goes when the last handle of it is
/// closed. Any number of threads may use one handle; a child made by fork inherits it; a pickled one
/// is opened anew by its name, with the same access.
///
/// ``len(queue)`` is the number of messages there now; a queue is true even when it is empty. Its
/// fileno() is readable while messages are there and writable while there is room, for select and
/// asyncio. See mq_overview(7).
#[pyclass(frozen, weakref, module = "unipc")]
pub struct Queue {
    handle: Handle<unipc::Queue>,
    access: Access,
    message_size: usize,
    callbacks: Callbacks,
}

impl Owner for Queue {
    type Core = unipc::Queue;

    #[inline]
    fn handle(&self) -> &Handle<unipc::Queue> {
        &self.handle
    }
}

/// What `create`, `open` and `open_or_create` are told, in words of the core.
struct Options {
    core: QueueOptions,
    access: Access,
}

impl Options {
    fn new(access: &str, nonblocking: bool, engine_name: &str) -> PyResult<Options> {
        let access = Access::parse(access)?;
        let mut core = unipc::Queue::options();
        core.access(access).nonblocking(nonblocking).engine(engine(engine_name)?);
        Ok(Options { core, access })
    }

    fn size(&mut self, max_messages: Option<Whole<usize>>, message_size: Option<Whole<usize>>) {
        if let Some(Whole(count)) = max_messages {
            self.core.max_messages(count);
        }
        if let Some(Whole(bytes)) = message_size {
            self.core.message_size(bytes);
        }
    }

    fn mode(&mut self, mode: Mode) {
        match mode {
            Mode::Default => {}
            Mode::Masked(bits) => _ = self.core.mode(bits),
            Mode::Exact(bits) => _ = self.core.exact_mode(bits),
        }
    }

    fn wrap(&self, queue: unipc::Queue) -> Queue {
        let (access, message_size) = (self.access, queue.message_size());
        Queue { access, message_size, handle: Handle::new(queue), callbacks: Callbacks::default() }
    }
}

#[inline(always)]
fn receive_into(queue: &Bound<'_, Queue>, limit: Limit, buffer: &mut [u8]) -> PyResult<Received> {
    let brief = is_brief(queue.get().message_size);
    wait(queue, limit, Sleep::Realtime, brief, |queue, until| queue.receive_into_by(buffer, until))
}

#[pymethods]
impl Queue {
    /// Makes a queue that is not there yet.
    ///
    /// ``name`` is one slash and 1 to 255 bytes without another. ``max_messages`` and
    /// ``message_size`` (in bytes) are the system's defaults unless given. ``mode`` has the
    /// permission bits, from which the umask takes its own away; ``exact_mode`` has them whatever the
    /// umask; 0o600 unless given. ``access`` ("read-write", "read-only", "write-only") and
    /// ``nonblocking`` are of this handle alone.
    ///
    /// Raises FileExistsError, or OSError when a limit refuses (EINVAL, EMFILE, ENOSPC): the sentence
    /// names the limit (fs.mqueue.msg_max, msgsize_max, queues_max, RLIMIT_MSGQUEUE), its value and
    /// the way out. See mq_open(3).
    #[staticmethod]
    #[pyo3(signature = (name, max_messages = None, message_size = None, *, mode = None, exact_mode = None, access = "read-write", nonblocking = false, engine = "posix"))]
    #[allow(clippy::too_many_arguments)] // all but the name are keywords in Python
    fn create(
        name: &str,
        max_messages: Option<Whole<usize>>,
        message_size: Option<Whole<usize>>,
        mode: Option<Whole<u32>>,
        exact_mode: Option<Whole<u32>>,
        access: &str,
        nonblocking: bool,
        engine: &str,
    ) -> PyResult<Queue> {
        let mut options = Options::new(access, nonblocking, engine)?;
        options.size(max_messages, message_size);
        options.mode(Mode::new(mode, exact_mode)?);
        Ok(options.wrap(options.core.create(name).map_err(raise)?))
    }

    /// Opens a queue that exists; its own size and mode hold.
    ///
    /// ``access`` and ``nonblocking`` are as in create(). Raises FileNotFoundError, or
    /// PermissionError when its mode forbids the access asked for. See mq_open(3).
    #[staticmethod]
    #[pyo3(signature = (name, *, access = "read-write", nonblocking = false, engine = "posix"))]
    fn open(name: &str, access: &str, nonblocking: bool, engine: &str) -> PyResult<Queue> {
        let options = Options::new(access, nonblocking, engine)?;
        Ok(options.wrap(options.core.open(name).map_err(raise)?))
    }

    /// Opens the queue or makes it, and returns ``(queue, created)``.
    ///
    /// The arguments are those of create(); sizes and modes do not touch a queue that is there.
    #[staticmethod]
    #[pyo3(signature = (name, max_messages = None, message_size = None, *, mode = None, exact_mode = None, access = "read-write", nonblocking = false, engine = "posix"))]
    #[allow(clippy::too_many_arguments)] // all but the name are keywords in Python
    fn open_or_create(
        name: &str,
        max_messages: Option<Whole<usize>>,
        message_size: Option<Whole<usize>>,
        mode: Option<Whole<u32>>,
        exact_mode: Option<Whole<u32>>,
        access: &str,
        nonblocking: bool,
        engine: &str,
    ) -> PyResult<(Queue, bool)> {
        let mut options = Options::new(access, nonblocking, engine)?;
        options.size(max_messages, message_size);
        options.mode(Mode::new(mode, exact_mode)?);
        let (queue, did) = options.core.open_or_create(name).map_err(raise)?;
        Ok((options.wrap(queue), did == Opened::Created))
    }

    /// Removes the name at once; the queue goes when the last handle of it is closed.
    ///
    /// Raises FileNotFoundError or PermissionError. See mq_unlink(3).
    #[staticmethod]
    fn unlink(name: &str) -> PyResult<()> {
        unipc::Queue::unlink(name).map_err(raise)
    }

    /// Sends ``data``, any contiguous buffer, as one message; waits while the queue is full.
    ///
    /// ``priority`` is 0 to unipc.PRIORITY_MAX; higher ones are received first. ``timeout`` is in
    /// seconds on the monotonic clock: None waits for ever, 0 raises BlockingIOError if the queue is
    /// full, and a longer one raises TimeoutError when it is over. ``deadline`` is instead a time in
    /// seconds since 1970 on the realtime clock, as time.time() has it. A wait for ever or until a
    /// deadline is served in order of coming; one with a timeout polls.
    ///
    /// A signal handler runs within a second: if it raises, so does this call, and nothing was sent; if it
    /// returns, the wait goes on for the rest of the time. Raises OSError: EMSGSIZE (longer than
    /// message_size), EINVAL (priority), EBADF (opened for receiving only). See mq_send(3).
    #[pyo3(signature = (data, priority = Priority(0), *, timeout = None, deadline = None), text_signature = "($self, data, priority=0, *, timeout=None, deadline=None)")]
    fn send(
        slf: &Bound<'_, Self>,
        data: Input<'_, '_>,
        priority: Priority,
        timeout: Option<f64>,
        deadline: Option<f64>,
    ) -> PyResult<()> {
        let (limit, data) = (Limit::new(timeout, deadline)?, data.as_slice());
        wait(slf, limit, Sleep::Realtime, is_brief(data.len()), |queue, until| queue.send_by(data, priority.0, until))
    }

    /// Receives the oldest message of the highest priority as ``Message(data, priority)``; waits
    /// while there is none.
    ///
    /// ``timeout`` and ``deadline`` are as in send(); with ``timeout=0`` an empty queue raises
    /// BlockingIOError. A signal handler runs within a second: if it raises, so does this call, and the
    /// message stays; if it returns, the wait goes on for the rest of the time. Raises OSError
    /// (EBADF) on a handle opened for sending only. See mq_receive(3).
    #[pyo3(signature = (*, timeout = None, deadline = None))]
    fn receive<'py>(
        slf: &Bound<'py, Self>,
        timeout: Option<f64>,
        deadline: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, limit) = (slf.py(), Limit::new(timeout, deadline)?);
        let mut few = [0; FEW];
        let size = slf.get().message_size;
        let (data, priority) = if size <= FEW {
            let received = receive_into(slf, limit, &mut few[..size])?;
            (PyBytes::new(py, &few[..received.len]), received.priority)
        } else {
            let mut bytes = Growing::new(py, size)?;
            let received = receive_into(slf, limit, bytes.room())?;
            bytes.advance(received.len);
            (bytes.finish(py)?, received.priority)
        };
        MESSAGE.make(py, [data.into_any(), priority.into_bound_py_any(py)?])
    }

    /// Receives a message into ``buffer``, any writable contiguous one, and returns ``(length,
    /// priority)``.
    ///
    /// A buffer shorter than message_size raises OSError (EMSGSIZE), however short the message,
    /// which stays in the queue. Otherwise waits and raises as receive() does.
    #[pyo3(signature = (buffer, *, timeout = None, deadline = None))]
    fn receive_into(
        slf: &Bound<'_, Self>,
        mut buffer: Output,
        timeout: Option<f64>,
        deadline: Option<f64>,
    ) -> PyResult<(usize, u32)> {
        let (limit, buffer) = (Limit::new(timeout, deadline)?, buffer.as_mut_slice());
        let received = receive_into(slf, limit, buffer)?;
        Ok((received.len, received.priority))
    }

    /// The name by which it was made or opened. Raises ValueError on a closed handle.
    #[getter]
    fn name(slf: &Bound<'_, Self>) -> PyResult<String> {
        slf.with(|queue| queue.name().to_owned())
    }

    /// The engine that does its work: "posix".
    #[getter]
    fn engine(slf: &Bound<'_, Self>) -> PyResult<String> {
        slf.with(|queue| queue.engine().to_string())
    }

    /// How many messages fit; fixed when the queue was made.
    #[getter]
    fn max_messages(slf: &Bound<'_, Self>) -> PyResult<usize> {
        slf.with(unipc::Queue::max_messages)
    }

    /// How many bytes a message has at most, and a buffer to receive into at least; fixed when the
    /// queue was made.
    #[getter]
    fn message_size(slf: &Bound<'_, Self>) -> PyResult<usize> {
        slf.with(unipc::Queue::message_size)
    }

    /// The attributes as they are now: QueueAttributes(max_messages, message_size, queued,
    /// nonblocking). See mq_getattr(3).
    #[getter]
    fn attributes<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let (py, now) = (slf.py(), slf.run(unipc::Queue::attributes)?);
        ATTRIBUTES.make(
            py,
            [
                now.max_messages.into_bound_py_any(py)?,
                now.message_size.into_bound_py_any(py)?,
                now.queued.into_bound_py_any(py)?,
                now.nonblocking.into_bound_py_any(py)?,
            ],
        )
    }

    /// Whether O_NONBLOCK is set: every call that would wait then raises BlockingIOError, whatever
    /// its timeout.
    ///
    /// The flag belongs to the open description, which a child made by fork shares. ``timeout=0``
    /// does the same for one call alone. See mq_setattr(3).
    #[getter]
    fn nonblocking(slf: &Bound<'_, Self>) -> PyResult<bool> {
        slf.run(|queue| queue.attributes().map(|now| now.nonblocking))
    }

    #[setter]
    fn set_nonblocking(slf: &Bound<'_, Self>, on: Truth) -> PyResult<()> {
        slf.run(|queue| queue.set_nonblocking(on.0))
    }

    /// Calls ``callback()`` once, on a thread of its own, when a message comes into the empty queue
    /// and nobody waits for it.
    ///
    /// A receiver that waits with a timeout does not count as waiting. A queue has one registration
    /// at a time, of whichever process and kind, and closing any handle of the queue in this process
    /// removes it; register anew for the next message. The queue keeps the callback, and what it refers
    /// to, until it was called or cancelled. What it raises goes to sys.unraisablehook; its thread is
    /// a daemon, which the end of the program does not wait for. To wait together with other descriptors, use fileno() instead. Raises
    /// OSError (EBUSY) when there is a registration already, TypeError if ``callback`` cannot be
    /// called. See mq_notify(3).
    fn notify(slf: &Bound<'_, Self>, callback: Bound<'_, PyAny>) -> PyResult<()> {
        if !callback.is_callable() {
            return Err(PyTypeError::new_err("callback must be callable"));
        }
        let queue = slf.shared()?;
        let (notification, tell) = Callbacks::prepare();
        queue.notify_callback(|| tell.call()).map_err(raise)?;
        slf.get().callbacks.start(&callback, notification).inspect_err(|_| _ = queue.cancel_notify())
    }

    /// Sends this process ``signal`` when a message comes into the empty queue and nobody waits for
    /// it, once.
    ///
    /// As notify(), with ``value`` in the signal's si_value and SI_MESGQ in its si_code, which
    /// signal.sigwaitinfo() shows. Raises OSError: EBUSY, or EINVAL if there is no such signal.
    #[pyo3(signature = (signal, value = Whole(0)), text_signature = "($self, signal, value=0)")]
    fn notify_signal(slf: &Bound<'_, Self>, signal: Signal, value: Whole<usize>) -> PyResult<()> {
        slf.run(|queue| queue.notify_signal(signal.0, value.0))
    }

    /// Removes the registration of this process; without one it does nothing.
    ///
    /// When it returns, no callback of this handle runs or will run: it waits, with the GIL free, for
    /// one whose message has come, unless a callback itself makes this call. A signal handler that
    /// raises ends the wait.
    fn cancel_notify(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, queue) = (slf.py(), slf.shared()?);
        py.detach(|| queue.cancel_notify()).map_err(raise)?;
        slf.get().callbacks.wait(py)
    }

    /// Returns the number of the descriptor, for select and asyncio.
    ///
    /// The handle stays its owner: do not close the number. Raises ValueError on a closed handle.
    fn fileno(slf: &Bound<'_, Self>) -> PyResult<RawFd> {
        slf.with(AsRawFd::as_raw_fd)
    }

    /// Closes this handle; doing so again does nothing. It removes nothing: unlink() does.
    ///
    /// A call that waits in another thread is not disturbed at once: it is served, or raises
    /// ValueError within a second.
    fn close(slf: &Bound<'_, Self>) {
        Open::close(slf);
    }

    /// Whether this handle is closed.
    #[getter]
    fn closed(slf: &Bound<'_, Self>) -> bool {
        slf.is_closed()
    }

    fn __len__(slf: &Bound<'_, Self>) -> PyResult<usize> {
        slf.run(unipc::Queue::len)
    }

    #[allow(clippy::unused_self)] // an empty queue is a queue, not "no queue"
    fn __bool__(&self) -> bool {
        true
    }

    /// Returns this object, which leaving the block ends.
    fn __enter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> PyResult<&'a Bound<'py, Self>> {
        slf.with(|_| ())?;
        Ok(slf)
    }

    /// Closes it: see close().
    #[pyo3(signature = (*_exception))]
    fn __exit__(slf: &Bound<'_, Self>, _exception: &Bound<'_, PyTuple>) {
        Open::close(slf);
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        handle::repr(slf)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let nonblocking = Queue::nonblocking(slf)?;
        let arguments = (Queue::name(slf)?, slf.get().access.word(), nonblocking, Queue::engine(slf)?);
        handle::reduced(slf.get_type().as_any(), "_restore", arguments)
    }

    #[staticmethod]
    fn _restore(name: &str, access: &str, nonblocking: bool, engine: &str) -> PyResult<Queue> {
        Queue::open(name, access, nonblocking, engine)
    }
}
