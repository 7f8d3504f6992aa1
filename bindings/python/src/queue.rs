//! Message queues.

use crate::buffer::{Input, Output};
use crate::convert::{Mode, Priority, Signal, Truth, Whole, Word, engine};
use crate::errors::raise;
use crate::growing::Growing;
use crate::handle::{self, Handle, Object, Open, Owner, is_brief};
use crate::loan::{Borrowed, Bytes, Lease, Reservation};
use crate::notification::Callbacks;
use crate::record::Record;
use crate::wait::{Limit, Sleep, wait};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use unipc::queue::{QueueOptions, Received};
use unipc::{Access, Engine, Opened};

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
/// is opened anew by its name, with the same access and engine.
///
/// ``engine`` is "posix", the system's own queues (mq_overview(7)), which every other program can open;
/// or "shm", unipc's own in shared memory: many times as fast, without the system's limits, proof
/// against the death of any participant, and with messages in place: reserve() and borrow().
///
/// ``len(queue)`` is the number of messages there now; a queue is true even when it is empty. Its
/// fileno() is readable while messages are there and writable while there is room, for select and
/// asyncio.
#[pyclass(frozen, weakref, module = "unipc")]
pub struct Queue {
    handle: Handle<unipc::Queue>,
    access: Access,
    engine: Engine,
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
        let (access, engine, message_size) = (self.access, queue.engine(), queue.message_size());
        Queue { access, engine, message_size, handle: Handle::new(queue), callbacks: Callbacks::default() }
    }
}

impl Queue {
    /// How waits for ever are cut. The kernel itself waits until a point on the realtime clock, and serves
    /// its waiters in order of their coming; any other wait for it is a poll.
    fn sleep(&self) -> Sleep {
        match self.engine {
            Engine::Posix => Sleep::Realtime,
            _ => Sleep::Monotonic,
        }
    }
}

#[inline(always)]
fn receive_into(queue: &Bound<'_, Queue>, limit: Limit, buffer: &mut [u8]) -> PyResult<Received> {
    let Queue { message_size, .. } = *queue.get();
    wait(queue, limit, queue.get().sleep(), is_brief(message_size), |queue, until| queue.receive_into_by(buffer, until))
}

/// A message as it comes to Python: its bytes and its priority.
type Arrived<'py> = (Bound<'py, PyBytes>, u32);

#[inline(always)]
fn receive<'py>(queue: &Bound<'py, Queue>, limit: Limit) -> PyResult<Arrived<'py>> {
    let (py, size) = (queue.py(), queue.get().message_size);
    if size <= FEW {
        let mut few = [0; FEW];
        let received = receive_into(queue, limit, &mut few[..size])?;
        return Ok((PyBytes::new(py, &few[..received.len]), received.priority));
    }
    if queue.get().engine != Engine::Posix {
        return receive_borrowed(queue, limit);
    }
    let mut bytes = Growing::new(py, size)?;
    let received = receive_into(queue, limit, bytes.room())?;
    bytes.advance(received.len);
    Ok((bytes.finish(py)?, received.priority))
}

/// Receives in two steps, so that a message takes as much memory as it has bytes, and stays where it is
/// if there is none.
fn receive_borrowed<'py>(queue: &Bound<'py, Queue>, limit: Limit) -> PyResult<Arrived<'py>> {
    let py = queue.py();
    let core = queue.shared()?;
    let loan = wait(queue, limit, queue.get().sleep(), true, |queue, until| {
        queue.borrow_by(until).map(unipc::queue::Borrowed::into_loan)
    })?;
    let message = core.resume_borrowed(loan).map_err(raise)?;
    let bytes = PyBytes::new_with(py, message.len(), |bytes| {
        if is_brief(bytes.len()) { message.read(0, bytes) } else { py.detach(|| message.read(0, bytes)) }.map_err(raise)
    })?;
    let priority = message.priority();
    message.release().map_err(raise)?;
    Ok((bytes, priority))
}

fn message<'py>(py: Python<'py>, (data, priority): Arrived<'py>) -> PyResult<Bound<'py, PyAny>> {
    MESSAGE.make(py, [data.into_any(), priority.into_bound_py_any(py)?])
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
    /// the way out. On engine "shm" there is one limit, the space of /dev/shm, all of which that the
    /// queue can need is reserved here. See mq_open(3).
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
    /// ``access`` and ``nonblocking`` are as in create(); ``engine`` is that of the queue. Raises
    /// FileNotFoundError, PermissionError when its mode forbids the access asked for, or OSError: EINVAL
    /// (it is of the other engine), EBADMSG or EPROTO (a file that is no queue of this version of
    /// unipc). See mq_open(3).
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
    /// seconds since 1970 on the realtime clock, as time.time() has it. On engine "posix" a wait for ever
    /// or until a deadline is served in order of coming, and one with a timeout polls.
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
        let (sleep, brief) = (slf.get().sleep(), is_brief(data.len()));
        wait(slf, limit, sleep, brief, |queue, until| queue.send_by(data, priority.0, until))
    }

    /// Sends several messages of one priority, and returns how many went: waits until there is room for
    /// the first, and then sends as many as there is room for.
    ///
    /// ``messages`` is any iterable of contiguous buffers; those behind the ones that went did not go, and
    /// are the caller's to send. ``timeout``, ``deadline`` and what it raises are as in send(), for the
    /// first; what is wrong with a later one is raised by the call of which it is the first.
    #[pyo3(signature = (messages, priority = Priority(0), *, timeout = None, deadline = None), text_signature = "($self, messages, priority=0, *, timeout=None, deadline=None)")]
    fn send_many(
        slf: &Bound<'_, Self>,
        messages: &Bound<'_, PyAny>,
        priority: Priority,
        timeout: Option<f64>,
        deadline: Option<f64>,
    ) -> PyResult<usize> {
        let limit = Limit::new(timeout, deadline)?;
        let objects = messages.try_iter()?.collect::<PyResult<Vec<_>>>()?;
        let inputs = objects.iter().map(PyAnyMethods::extract).collect::<PyResult<Vec<Input<'_, '_>>>>()?;
        let data: Vec<_> = inputs.iter().map(Input::as_slice).collect();
        // A message of no bytes takes its time, too.
        let work = data.iter().map(|bytes| bytes.len() + 64).sum();
        wait(slf, limit, slf.get().sleep(), is_brief(work), |queue, until| queue.send_many(&data, priority.0, until))
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
        message(slf.py(), receive(slf, Limit::new(timeout, deadline)?)?)
    }

    /// Receives up to ``max`` messages, as a list in the order in which receive() would give them: waits
    /// for the first, and takes what is there beside it.
    ///
    /// ``timeout``, ``deadline`` and what it raises are as in receive(), for the first.
    #[pyo3(signature = (max, *, timeout = None, deadline = None))]
    fn receive_many<'py>(
        slf: &Bound<'py, Self>,
        max: Whole<usize>,
        timeout: Option<f64>,
        deadline: Option<f64>,
    ) -> PyResult<Bound<'py, PyList>> {
        let (py, limit) = (slf.py(), Limit::new(timeout, deadline)?);
        let messages = PyList::empty(py);
        if max.0 == 0 {
            slf.with(|_| ())?;
            return Ok(messages);
        }
        messages.append(message(py, receive(slf, limit)?)?)?;
        while messages.len() < max.0 {
            // What has come already is more important than why there is no more.
            let Ok(next) = receive(slf, Limit::Now) else { break };
            messages.append(message(py, next)?)?;
        }
        Ok(messages)
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

    /// Takes a cell of the queue to write a message of ``size`` bytes in place, without a copy: a
    /// Reservation, whose ``data`` is the cell and whose ``with`` block sends it. Waits while the queue is
    /// full.
    ///
    /// ``priority``, ``timeout``, ``deadline`` and what it raises are as in send(); OSError (EOPNOTSUPP)
    /// on engine "posix".
    #[pyo3(signature = (size, priority = Priority(0), *, timeout = None, deadline = None), text_signature = "($self, size, priority=0, *, timeout=None, deadline=None)")]
    fn reserve(
        slf: &Bound<'_, Self>,
        size: Whole<usize>,
        priority: Priority,
        timeout: Option<f64>,
        deadline: Option<f64>,
    ) -> PyResult<Reservation> {
        let limit = Limit::new(timeout, deadline)?;
        let core = slf.shared()?;
        let (address, loan) = wait(slf, limit, slf.get().sleep(), true, |queue, until| {
            let mut message = queue.reserve_by(size.0, priority.0, until)?;
            Ok((message.as_mut_ptr().expose_provenance(), message.into_loan()))
        })?;
        Ok(Reservation(Lease::new(core, loan, Bytes { address, len: size.0 }, priority.0)))
    }

    /// Takes the oldest message of the highest priority to read it in place, without a copy: a Borrowed,
    /// whose ``data`` is the message and whose ``with`` block takes it for good at its end, or puts it
    /// back if it raises. Waits while there is none.
    ///
    /// Nobody else receives the message meanwhile; if this process dies, it is there again. ``timeout``,
    /// ``deadline`` and what it raises are as in receive(); OSError (EOPNOTSUPP) on engine "posix".
    #[pyo3(signature = (*, timeout = None, deadline = None))]
    fn borrow(slf: &Bound<'_, Self>, timeout: Option<f64>, deadline: Option<f64>) -> PyResult<Borrowed> {
        let limit = Limit::new(timeout, deadline)?;
        let core = slf.shared()?;
        let (loan, bytes, priority) = wait(slf, limit, slf.get().sleep(), true, |queue, until| {
            let message = queue.borrow_by(until)?;
            let bytes = Bytes { address: message.as_ptr().expose_provenance(), len: message.len() };
            let priority = message.priority();
            Ok((message.into_loan(), bytes, priority))
        })?;
        Ok(Borrowed(Lease::new(core, loan, bytes, priority)))
    }

    /// Ends every wait on this handle, in whatever thread, now and later: who waits, or would have to, gets
    /// BrokenPipeError (ESHUTDOWN).
    ///
    /// What needs no waiting goes on as before, and so do all other handles. Raises OSError (EOPNOTSUPP)
    /// on engine "posix", whose queues have no such thing.
    fn shutdown(slf: &Bound<'_, Self>) -> PyResult<()> {
        slf.run(unipc::Queue::shutdown)
    }

    /// The name by which it was made or opened. Raises ValueError on a closed handle.
    #[getter]
    fn name(slf: &Bound<'_, Self>) -> PyResult<String> {
        slf.with(|queue| queue.name().to_owned())
    }

    /// The engine that does its work: "posix" or "shm".
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
    /// A child made by fork has the flag too; on engine "posix" it shares it, as part of the open
    /// description. ``timeout=0`` does the same for one call alone. See mq_setattr(3).
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
    /// On engine "posix" a receiver that waits with a timeout does not count as waiting. A queue has one
    /// registration at a time, of whichever process and kind, and closing the handle (on engine "posix"
    /// any handle of the queue in this process) removes it; register anew for the next message. The queue keeps the callback, and what it refers
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
    /// A call that waits in another thread raises ValueError: on engine "shm" at once; on engine "posix"
    /// within a second, unless it is served before. A Reservation or Borrowed is not disturbed: it keeps
    /// the queue open until it ends.
    fn close(slf: &Bound<'_, Self>) {
        let Some(queue) = slf.slot(Option::take) else { return };
        if Arc::strong_count(&queue) > 1 {
            // Somebody may be waiting; the kernel's queues have no such thing.
            let _ = queue.shutdown();
        }
        // Many pages take the kernel long.
        slf.py().detach(|| drop(queue));
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
        Queue::close(slf);
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
