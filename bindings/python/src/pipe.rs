//! Pipes: `pipe()`, `duplex()`, and the two ends.

use crate::buffer::{Input, Output};
use crate::convert::{Count, Descriptor, Truth, Whole, Word, descriptor};
use crate::descriptor::{for_a_child, from_the_parent, take_over};
use crate::errors::{after, raise, timed_out};
use crate::growing::Growing;
use crate::handle::{self, Handle, Object, Open, Owner, is_brief, warn_of_a_leak};
use crate::memory::{Memory, span};
use crate::wait::{Limit, ROUND, Sleep, wait};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Mutex;
use std::time::Instant;
use unipc::Deadline;
use unipc::pipe::{Redirection as CoreRedirection, Stdio};

/// The most that one read asks the kernel for; a pipe seldom holds more.
const CHUNK: usize = 1 << 20;

/// The most that write_full() writes before signal handlers get a chance.
const ROUND_OF_WRITING: usize = 4 << 20;

/// Up to so many bytes are read to the stack first, as their `bytes` may be shorter.
const FEW: usize = 256;

/// Makes a pipe and returns its two ends, ``(PipeReader, PipeWriter)``.
///
/// What is written to one end is read from the other, in order. Both descriptors are close-on-exec;
/// a child made by fork inherits them, and a child of multiprocessing can be handed either end as an
/// argument. The pipe ends when the last handle of an end is closed, in whichever process. Raises
/// OSError (EMFILE, ENFILE) at a limit of open files. See pipe(2) and pipe(7).
#[pyfunction]
pub fn pipe(py: Python<'_>) -> PyResult<(Py<PipeReader>, Py<PipeWriter>)> {
    let (reader, writer) = unipc::pipe().map_err(raise)?;
    Ok((PipeReader::wrap(py, reader)?, PipeWriter::wrap(py, writer)?))
}

/// Makes two crossed pipes and returns the two sides, ``(Duplex, Duplex)``.
///
/// What one side writes, the other reads. Raises OSError (EMFILE, ENFILE) at a limit of open files.
/// See pipe(7).
#[pyfunction]
pub fn duplex(py: Python<'_>) -> PyResult<(Duplex, Duplex)> {
    let (left, right) = unipc::duplex().map_err(raise)?;
    Ok((Duplex::wrap(py, left)?, Duplex::wrap(py, right)?))
}

/// What a [`PipeEnd`] holds.
pub enum End {
    Reader(unipc::PipeReader),
    Writer(unipc::PipeWriter),
}

impl End {
    fn reader(&self) -> &unipc::PipeReader {
        let End::Reader(reader) = self else { unreachable!("PipeReader::wrap puts a reader in") };
        reader
    }

    fn writer(&self) -> &unipc::PipeWriter {
        let End::Writer(writer) = self else { unreachable!("PipeWriter::wrap puts a writer in") };
        writer
    }

    /// What both have.
    fn common(&self) -> &unipc::pipe::PipeEnd {
        match self {
            End::Reader(reader) => reader,
            End::Writer(writer) => writer,
        }
    }
}

impl AsFd for End {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            End::Reader(reader) => reader.as_fd(),
            End::Writer(writer) => writer.as_fd(),
        }
    }
}

impl Object for End {
    const NOUN: &'static str = "pipe";

    fn label(&self) -> String {
        let class = if matches!(self, End::Reader(_)) { "PipeReader" } else { "PipeWriter" };
        format!("unipc.{class} fd={}", self.as_fd().as_raw_fd())
    }

    fn is_nonblocking(&self) -> bool {
        self.common().is_nonblocking().unwrap_or(false)
    }
}

/// Makes an end differ from its base class in size, so that Python refuses to turn a reader into a
/// writer by an assignment to `__class__`.
struct LayoutOfItsOwn(#[allow(dead_code)] usize);

/// What both ends of a pipe or FIFO have. It is never made itself; see PipeReader and PipeWriter.
///
/// Any number of threads may use one end at the same time. A child made by fork has a handle of its
/// own. Leaving a ``with`` block closes the end; an end that is dropped unclosed is closed too, with
/// a ResourceWarning, as files are. To try without blocking, and without a change that others would
/// see, a handle opens a second descriptor of its end when it is first used, and closes both.
#[pyclass(frozen, subclass, weakref, module = "unipc")]
pub struct PipeEnd(Handle<End>);

impl Owner for PipeEnd {
    type Core = End;

    #[inline]
    fn handle(&self) -> &Handle<End> {
        &self.0
    }
}

#[pymethods]
impl PipeEnd {
    /// Returns the number of the descriptor, for select, asyncio and os.
    ///
    /// The handle stays its owner: do not close the number. Raises ValueError on a closed handle.
    fn fileno(slf: &Bound<'_, Self>) -> PyResult<RawFd> {
        slf.with(|end| end.as_fd().as_raw_fd())
    }

    /// Closes this end; doing so again does nothing.
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

    /// How many bytes the pipe holds at most; 65536 unless changed.
    ///
    /// Setting it asks for at least so many; the kernel rounds up to a power of two pages. Raises
    /// PermissionError beyond fs.pipe-max-size, OSError (EBUSY) if more bytes stand in the pipe.
    /// F_SETPIPE_SZ of fcntl(2).
    #[getter]
    fn capacity(slf: &Bound<'_, Self>) -> PyResult<usize> {
        slf.run(|end| end.common().capacity())
    }

    #[setter]
    fn set_capacity(slf: &Bound<'_, Self>, bytes: Whole<usize>) -> PyResult<()> {
        slf.run(|end| end.common().set_capacity(bytes.0)).map(drop)
    }

    /// Whether O_NONBLOCK is set: a call without a timeout then raises BlockingIOError instead of
    /// waiting.
    ///
    /// The flag belongs to the open file description: every process that inherited this end sees a
    /// change. ``timeout=0`` does the same for one call alone.
    #[getter]
    fn nonblocking(slf: &Bound<'_, Self>) -> PyResult<bool> {
        slf.run(|end| end.common().is_nonblocking())
    }

    #[setter]
    fn set_nonblocking(slf: &Bound<'_, Self>, on: Truth) -> PyResult<()> {
        slf.run(|end| end.common().set_nonblocking(on.0))
    }

    /// Whether the descriptor survives exec; false unless changed.
    ///
    /// A program started meanwhile by any thread inherits it; subprocess.Popen closes it all the same
    /// unless it is given ``pass_fds=[end.fileno()]``, which needs no change here.
    #[getter]
    fn inheritable(slf: &Bound<'_, Self>) -> PyResult<bool> {
        slf.run(|end| end.common().is_inheritable())
    }

    #[setter]
    fn set_inheritable(slf: &Bound<'_, Self>, on: Truth) -> PyResult<()> {
        slf.run(|end| end.common().set_inheritable(on.0))
    }

    /// Makes a standard stream of this process, and of children started from now on, this end.
    ///
    /// ``stream`` is "stdin", "stdout" or "stderr", or 0, 1 or 2. Returns a Redirection: leaving its
    /// ``with`` block puts the old stream back. What sys.stdout or sys.stderr buffers is flushed
    /// before each change. A writer that nobody reads blocks when the pipe is full. See dup2(2).
    fn redirect(slf: &Bound<'_, Self>, stream: &Bound<'_, PyAny>) -> PyResult<Redirection> {
        let stream = match stream.extract::<&str>() {
            Ok(word) => Stdio::parse(word)?,
            Err(_) => match stream.extract::<i64>()? {
                0 => Stdio::In,
                1 => Stdio::Out,
                2 => Stdio::Err,
                other => {
                    return Err(PyValueError::new_err(format!(
                        "stream must be 0, 1 or 2, not {other}; duplicate_onto() takes any descriptor"
                    )));
                }
            },
        };
        flush(slf.py(), stream)?;
        let redirection = slf.run(|end| end.common().redirect(stream))?;
        Ok(Redirection { stream, redirection: Mutex::new(Some(redirection)) })
    }

    /// Makes descriptor number ``fd`` this end too, inheritable; what it was is closed first.
    ///
    /// Nothing else in the process may own that number. For the standard streams use redirect().
    /// Raises OSError (EBADF) for a number that is negative or beyond RLIMIT_NOFILE. See dup2(2).
    fn duplicate_onto(slf: &Bound<'_, Self>, fd: Descriptor) -> PyResult<()> {
        // SAFETY: who owns the number is for the caller of Python to know, as with `os.dup2`.
        slf.run(|end| unsafe { end.common().duplicate_onto(fd.0) })
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

    /// A pipe end has no name, so it is pickled only on the way into a child of multiprocessing.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let fd = PipeEnd::fileno(slf)?;
        handle::reduced(slf.get_type().as_any(), "_restore", (for_a_child(slf.py(), fd, "a pipe end")?,))
    }
}

/// The end of a pipe or FIFO that bytes come out of.
///
/// Each byte is read once, whichever thread or process comes first. When every writer is closed and
/// the pipe is empty, reading gives ``b""``: the end of file. Made by unipc.pipe(), unipc.duplex(),
/// Fifo.open_reader() and from_fd().
#[pyclass(frozen, extends = PipeEnd, weakref, module = "unipc")]
pub struct PipeReader(#[allow(dead_code)] LayoutOfItsOwn);

impl PipeReader {
    pub fn wrap(py: Python<'_>, reader: unipc::PipeReader) -> PyResult<Py<PipeReader>> {
        let end = PipeEnd(Handle::new(End::Reader(reader)));
        Py::new(py, PyClassInitializer::from(end).add_subclass(PipeReader(LayoutOfItsOwn(0))))
    }
}

#[pymethods]
impl PipeReader {
    /// Takes over descriptor number ``fd``, which was inherited across exec, say.
    ///
    /// Raises OSError (EINVAL) if it is no pipe or FIFO and OSError (EBADF) if it is not open for
    /// reading; it then stays open, and the caller's.
    #[staticmethod]
    fn from_fd(py: Python<'_>, fd: Descriptor) -> PyResult<Py<PipeReader>> {
        PipeReader::wrap(py, take_over(fd.0, unipc::PipeReader::try_from_fd)?)
    }

    #[staticmethod]
    fn _restore(py: Python<'_>, duplicate: &Bound<'_, PyAny>) -> PyResult<Py<PipeReader>> {
        let reader = unipc::PipeReader::from_fd(from_the_parent(duplicate)?).map_err(raise)?;
        reader.set_inheritable(false).map_err(raise)?;
        PipeReader::wrap(py, reader)
    }

    /// Reads what is there, at most ``size`` bytes, and waits only while there is nothing.
    ///
    /// ``b""`` is the end of file. With a negative ``size``, the default, it reads all until then; with
    /// another, at most 1 MiB comes at a time. ``timeout`` is in seconds: None waits for ever, 0 raises
    /// BlockingIOError if nothing is there, and a longer one raises TimeoutError when it is over
    /// for the whole call. A signal handler runs within a second: if it raises, so does this call, and if it
    /// returns, the wait goes on for the rest of the time. An exception that ends reading to the end
    /// of file has the bytes that were read by then as ``partial``. See read(2).
    #[pyo3(signature = (size = Count(-1), *, timeout = None), text_signature = "($self, size=-1, *, timeout=None)")]
    #[inline(always)]
    fn read<'py>(slf: &Bound<'py, Self>, size: Count, timeout: Option<f64>) -> PyResult<Bound<'py, PyBytes>> {
        let Ok(size) = usize::try_from(size.0) else { return fill(slf, None, timeout) };
        let (py, limit) = (slf.py(), Limit::timeout(timeout)?);
        if size <= FEW {
            let mut few = [0; FEW];
            let count = read(slf, limit, &mut few[..size])?;
            return Ok(PyBytes::new(py, &few[..count]));
        }
        read_many(slf, limit, size.min(CHUNK))
    }

    /// Reads what is there into ``buffer``, any writable contiguous one, and returns the count.
    ///
    /// 0 is the end of file. Waits and raises as read() does.
    #[pyo3(signature = (buffer, *, timeout = None))]
    fn read_into(slf: &Bound<'_, Self>, mut buffer: Output, timeout: Option<f64>) -> PyResult<usize> {
        read(slf, Limit::timeout(timeout)?, buffer.as_mut_slice())
    }

    /// Reads exactly ``size`` bytes, in as many pieces as they come; fewer only at the end of file.
    ///
    /// ``timeout``, in seconds, is for the whole call. An exception that ends it early, a signal
    /// handler's own too, has the bytes read by then as ``partial`` and their number as
    /// ``transferred``. Otherwise waits and raises as read() does.
    #[pyo3(signature = (size, *, timeout = None))]
    fn read_full<'py>(
        slf: &Bound<'py, Self>,
        size: Whole<usize>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        fill(slf, Some(size.0), timeout)
    }

    /// How many bytes stand in the pipe. FIONREAD of ioctl(2).
    #[getter]
    fn available(slf: &Bound<'_, Self>) -> PyResult<usize> {
        slf.as_super().run(|end| end.reader().available())
    }

    /// Moves up to ``size`` bytes to a file, pipe or socket and returns the count; 0 is the end of
    /// file.
    ///
    /// The bytes are not copied through this process. ``to`` is a descriptor number or has a
    /// fileno(). Waits while the pipe is empty or ``to`` takes none; ``timeout`` is in seconds as in
    /// read(). Raises OSError (EINVAL) if ``to`` cannot be spliced to, such as a file opened for
    /// appending. See splice(2).
    #[pyo3(signature = (to, size, *, timeout = None))]
    fn splice_to(
        slf: &Bound<'_, Self>,
        to: &Bound<'_, PyAny>,
        size: Whole<usize>,
        timeout: Option<f64>,
    ) -> PyResult<usize> {
        let to = descriptor(to)?;
        move_bytes(slf.as_super(), timeout, |end, until| end.reader().splice_to(to, size.0, until))
    }

    /// Copies up to ``size`` bytes to another pipe, leaves them in this one too, and returns the
    /// count.
    ///
    /// Waits while this pipe is empty or ``to`` is full; ``timeout`` is in seconds as in read().
    /// Raises OSError (EINVAL) if both are the same pipe. If another thread closes ``to`` meanwhile, it
    /// stays open until this call has ended. See tee(2).
    #[pyo3(signature = (to, size, *, timeout = None))]
    fn tee(
        slf: &Bound<'_, Self>,
        to: &Bound<'_, PipeWriter>,
        size: Whole<usize>,
        timeout: Option<f64>,
    ) -> PyResult<usize> {
        let to = to.as_super().shared()?;
        move_bytes(slf.as_super(), timeout, |end, until| end.reader().tee(to.writer(), size.0, until))
    }

    /// Returns a second handle of this end: the end is closed when both are.
    ///
    /// Raises OSError (EMFILE) at the limit of open descriptors. See dup(2).
    fn dup(slf: &Bound<'_, Self>) -> PyResult<Py<PipeReader>> {
        PipeReader::wrap(slf.py(), slf.as_super().run(|end| end.reader().try_clone())?)
    }
}

#[inline(always)]
fn read(reader: &Bound<'_, PipeReader>, limit: Limit, buf: &mut [u8]) -> PyResult<usize> {
    wait(reader.as_super(), limit, Sleep::Monotonic, is_brief(buf.len()), |end, until| end.reader().read_by(buf, until))
}

/// Apart from the short reads, which it would slow down.
#[inline(never)]
fn read_many<'py>(reader: &Bound<'py, PipeReader>, limit: Limit, size: usize) -> PyResult<Bound<'py, PyBytes>> {
    let mut bytes = Growing::new(reader.py(), size)?;
    let count = read(reader, limit, bytes.room())?;
    bytes.advance(count);
    bytes.finish(reader.py())
}

/// Reads `size` bytes, or all, up to the end of file; on failure the bytes go with the exception.
#[inline(never)]
fn fill<'py>(
    reader: &Bound<'py, PipeReader>,
    size: Option<usize>,
    timeout: Option<f64>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (py, limit) = (reader.py(), Limit::timeout(timeout)?.of_all());
    let (wanted, brief) = (size.unwrap_or(isize::MAX.unsigned_abs() / 2), size.is_some_and(is_brief));
    let mut bytes = Growing::new(py, wanted.min(CHUNK))?;
    let filled = (|| {
        loop {
            let (mut count, mut ended, room) = (0, false, bytes.room());
            let round = wait(reader.as_super(), limit, Sleep::Monotonic, brief, |end, until| {
                let begin = Instant::now();
                while count < room.len() && begin.elapsed() < ROUND {
                    let few = room.len().min(count + CHUNK);
                    match end.reader().read_by(&mut room[count..few], until)? {
                        0 => {
                            ended = true;
                            break;
                        }
                        more => count += more,
                    }
                }
                Ok(())
            });
            bytes.advance(count);
            round?;
            if ended || bytes.filled() == wanted {
                return Ok(());
            }
            py.check_signals()?;
            if limit.is_over() {
                return Err(timed_out("read from pipe"));
            }
            if bytes.room().is_empty() {
                bytes.grow(py, wanted)?;
            }
        }
    })();
    let Err(error) = filled else { return bytes.finish(py) };
    let count = bytes.filled();
    Err(after(py, error, count, bytes.finish(py).ok()))
}

/// Moves bytes inside the kernel, detached from the interpreter.
fn move_bytes(
    end: &Bound<'_, PipeEnd>,
    timeout: Option<f64>,
    call: impl FnMut(&End, Deadline) -> unipc::Result<usize> + Send,
) -> PyResult<usize> {
    wait(end, Limit::timeout(timeout)?, Sleep::Monotonic, false, call)
}

/// The end of a pipe or FIFO that bytes go into.
///
/// Writes of up to unipc.PIPE_BUF bytes go in one piece and never mix with those of others. Writing
/// where nobody reads any more raises BrokenPipeError; no SIGPIPE ends the process. Made by
/// unipc.pipe(), unipc.duplex(), Fifo.open_writer() and from_fd().
#[pyclass(frozen, extends = PipeEnd, weakref, module = "unipc")]
pub struct PipeWriter(#[allow(dead_code)] LayoutOfItsOwn);

impl PipeWriter {
    pub fn wrap(py: Python<'_>, writer: unipc::PipeWriter) -> PyResult<Py<PipeWriter>> {
        let end = PipeEnd(Handle::new(End::Writer(writer)));
        Py::new(py, PyClassInitializer::from(end).add_subclass(PipeWriter(LayoutOfItsOwn(0))))
    }
}

#[pymethods]
impl PipeWriter {
    /// Takes over descriptor number ``fd``, which was inherited across exec, say.
    ///
    /// Raises OSError (EINVAL) if it is no pipe or FIFO and OSError (EBADF) if it is not open for
    /// writing; it then stays open, and the caller's.
    #[staticmethod]
    fn from_fd(py: Python<'_>, fd: Descriptor) -> PyResult<Py<PipeWriter>> {
        PipeWriter::wrap(py, take_over(fd.0, unipc::PipeWriter::try_from_fd)?)
    }

    #[staticmethod]
    fn _restore(py: Python<'_>, duplicate: &Bound<'_, PyAny>) -> PyResult<Py<PipeWriter>> {
        let writer = unipc::PipeWriter::from_fd(from_the_parent(duplicate)?).map_err(raise)?;
        writer.set_inheritable(false).map_err(raise)?;
        PipeWriter::wrap(py, writer)
    }

    /// Writes what fits now of ``data``, any contiguous buffer, and returns the count of bytes.
    ///
    /// Waits while the pipe is full. Up to unipc.PIPE_BUF bytes go whole and in one piece, or not at
    /// all; of more, a part may go: write_full() writes all. ``timeout`` is in seconds: None waits
    /// for ever, 0 raises BlockingIOError if nothing fits, and a longer one raises TimeoutError when
    /// it is over. Raises BrokenPipeError when nobody reads any more. A signal handler runs within a second:
    /// if it raises, so does this call, and if it returns, the wait goes on for the rest of the
    /// time. See write(2).
    #[pyo3(signature = (data, *, timeout = None))]
    #[inline(always)]
    fn write(slf: &Bound<'_, Self>, data: Input<'_, '_>, timeout: Option<f64>) -> PyResult<usize> {
        let (limit, data) = (Limit::timeout(timeout)?, data.as_slice());
        wait(slf.as_super(), limit, Sleep::Monotonic, is_brief(data.len()), |end, until| {
            end.writer().write_by(data, until)
        })
    }

    /// Writes all of ``data``, any contiguous buffer, in as many pieces as it takes.
    ///
    /// ``timeout``, in seconds, is for the whole call. An exception that ends it early, a signal
    /// handler's own too, says in ``transferred`` how many bytes went. Otherwise waits and raises as
    /// write() does.
    #[pyo3(signature = (data, *, timeout = None))]
    fn write_full(slf: &Bound<'_, Self>, data: Input<'_, '_>, timeout: Option<f64>) -> PyResult<()> {
        let (limit, data) = (Limit::timeout(timeout)?, data.as_slice());
        let (py, limit, brief, mut done) = (slf.py(), limit.of_all(), is_brief(data.len()), 0);
        loop {
            let end_of_round = data.len().min(done + ROUND_OF_WRITING);
            wait(slf.as_super(), limit, Sleep::Monotonic, brief, |end, until| {
                let written = end.writer().write_full(&data[done..end_of_round], until);
                done = written.as_ref().map_or_else(|error| done + error.transferred(), |()| end_of_round);
                written
            })
            .and_then(|()| if done == data.len() { Ok(()) } else { py.check_signals() })
            .and_then(|()| if done < data.len() && limit.is_over() { Err(timed_out("write to pipe")) } else { Ok(()) })
            .map_err(|error| after(py, error, done, None))?;
            if done == data.len() {
                return Ok(());
            }
        }
    }

    /// Moves up to ``size`` bytes from a file, pipe or socket into the pipe and returns the count; 0
    /// is its end.
    ///
    /// The bytes are not copied through this process; a file is read at its own offset, which
    /// advances. ``source`` is a descriptor number or has a fileno(). ``timeout`` is in seconds as
    /// in write(). Raises OSError (EINVAL) if ``source`` cannot be spliced from. See splice(2).
    #[pyo3(signature = (source, size, *, timeout = None))]
    fn splice_from(
        slf: &Bound<'_, Self>,
        source: &Bound<'_, PyAny>,
        size: Whole<usize>,
        timeout: Option<f64>,
    ) -> PyResult<usize> {
        let source = descriptor(source)?;
        move_bytes(slf.as_super(), timeout, |end, until| end.writer().splice_from(source, size.0, until))
    }

    /// Lends ``size`` bytes of ``memory`` at ``offset`` (by default, all from there on) to the pipe
    /// instead of copying them, and returns how many went.
    ///
    /// The pipe refers to the very pages: the reader gets what stands there when it reads. They live
    /// on until then even if ``memory`` is closed. ``timeout`` is in seconds as in write(). Raises
    /// OSError (ERANGE) if the bytes do not lie inside. See vmsplice(2).
    #[pyo3(signature = (memory, offset = Whole(0), size = None, *, timeout = None), text_signature = "($self, memory, offset=0, size=None, *, timeout=None)")]
    fn vmsplice(
        slf: &Bound<'_, Self>,
        memory: &Bound<'_, Memory>,
        offset: Whole<usize>,
        size: Option<Whole<usize>>,
        timeout: Option<f64>,
    ) -> PyResult<usize> {
        let memory = memory.shared()?;
        let size = span("vmsplice from", &memory, offset.0, size.map(|size| size.0))?;
        move_bytes(slf.as_super(), timeout, |end, until| {
            // SAFETY: the range lies inside the mapping, which `memory` keeps; the core hands its address
            // to the kernel and does not look at bytes that others may write. The pages outlive the
            // mapping if need be, and that a change of theirs shows is what the caller asks for.
            unsafe {
                let data = std::slice::from_raw_parts(memory.as_ptr().add(offset.0), size);
                end.writer().vmsplice(data, until)
            }
        })
    }

    /// Returns a second handle of this end: the end is closed when both are.
    ///
    /// Raises OSError (EMFILE) at the limit of open descriptors. See dup(2).
    fn dup(slf: &Bound<'_, Self>) -> PyResult<Py<PipeWriter>> {
        PipeWriter::wrap(slf.py(), slf.as_super().run(|end| end.writer().try_clone())?)
    }
}

/// One side of a pair made by unipc.duplex(): a ``reader`` of what the other side writes and a
/// ``writer`` of what it reads.
///
/// read(), read_full(), write() and write_full() are those of the two ends, which have more methods
/// and can also be used, closed or handed on apart. Leaving a ``with`` block closes both.
#[pyclass(frozen, weakref, module = "unipc")]
pub struct Duplex {
    /// The PipeReader of what the other side writes.
    #[pyo3(get)]
    reader: Py<PipeReader>,
    /// The PipeWriter of what the other side reads.
    #[pyo3(get)]
    writer: Py<PipeWriter>,
}

impl Duplex {
    fn wrap(py: Python<'_>, side: unipc::Duplex) -> PyResult<Duplex> {
        Ok(Duplex { reader: PipeReader::wrap(py, side.reader)?, writer: PipeWriter::wrap(py, side.writer)? })
    }
}

#[pymethods]
impl Duplex {
    /// Reads as PipeReader.read() does.
    #[pyo3(signature = (size = Count(-1), *, timeout = None), text_signature = "($self, size=-1, *, timeout=None)")]
    fn read<'py>(&self, py: Python<'py>, size: Count, timeout: Option<f64>) -> PyResult<Bound<'py, PyBytes>> {
        PipeReader::read(self.reader.bind(py), size, timeout)
    }

    /// Reads as PipeReader.read_full() does.
    #[pyo3(signature = (size, *, timeout = None))]
    fn read_full<'py>(
        &self,
        py: Python<'py>,
        size: Whole<usize>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        PipeReader::read_full(self.reader.bind(py), size, timeout)
    }

    /// Writes as PipeWriter.write() does.
    #[pyo3(signature = (data, *, timeout = None))]
    fn write(&self, py: Python<'_>, data: Input<'_, '_>, timeout: Option<f64>) -> PyResult<usize> {
        PipeWriter::write(self.writer.bind(py), data, timeout)
    }

    /// Writes as PipeWriter.write_full() does.
    #[pyo3(signature = (data, *, timeout = None))]
    fn write_full(&self, py: Python<'_>, data: Input<'_, '_>, timeout: Option<f64>) -> PyResult<()> {
        PipeWriter::write_full(self.writer.bind(py), data, timeout)
    }

    /// Closes both ends; doing so again does nothing.
    fn close(&self, py: Python<'_>) {
        Open::close(self.reader.bind(py).as_super());
        Open::close(self.writer.bind(py).as_super());
    }

    /// Whether both ends are closed.
    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        self.reader.bind(py).as_super().is_closed() && self.writer.bind(py).as_super().is_closed()
    }

    /// Returns this object, which leaving the block ends.
    fn __enter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Self> {
        slf
    }

    /// Closes it: see close().
    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) {
        self.close(py);
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (reader, writer) = (self.reader.bind(py).repr()?, self.writer.bind(py).repr()?);
        Ok(format!("<unipc.Duplex reader={reader} writer={writer}>"))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let (py, ends) = (slf.py(), slf.get());
        handle::reduced(slf.get_type().as_any(), "_restore", (ends.reader.clone_ref(py), ends.writer.clone_ref(py)))
    }

    #[staticmethod]
    fn _restore(reader: Py<PipeReader>, writer: Py<PipeWriter>) -> Duplex {
        Duplex { reader, writer }
    }
}

impl Word for Stdio {
    const WHAT: &'static str = "stream";
    const WORDS: &'static [(&'static str, Self)] =
        &[("stdin", Stdio::In), ("stdout", Stdio::Out), ("stderr", Stdio::Err)];
}

/// A standard stream that PipeEnd.redirect() changed.
///
/// Leaving its ``with`` block, or restore(), puts the old stream back; keep() leaves it. Dropping it
/// puts the old stream back too, with a ResourceWarning.
#[pyclass(frozen, weakref, module = "unipc")]
pub struct Redirection {
    stream: Stdio,
    redirection: Mutex<Option<CoreRedirection>>,
}

impl Redirection {
    fn take(&self) -> Option<CoreRedirection> {
        self.redirection.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }
}

impl Drop for Redirection {
    fn drop(&mut self) {
        if let Some(redirection) = self.take() {
            warn_of_a_leak(format!("unrestored {}", self.__repr__()));
            drop(redirection);
        }
    }
}

#[pymethods]
impl Redirection {
    /// Flushes Python's own stream and puts the old one back; doing so again does nothing.
    fn restore(&self, py: Python<'_>) -> PyResult<()> {
        let flushed = flush(py, self.stream);
        self.take().map_or(Ok(()), CoreRedirection::restore).map_err(raise)?;
        flushed
    }

    /// Leaves the stream redirected for good.
    fn keep(&self) {
        if let Some(redirection) = self.take() {
            redirection.keep();
        }
    }

    /// Returns this object, which leaving the block ends.
    fn __enter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Self> {
        slf
    }

    /// Puts the old stream back: see restore().
    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.restore(py)
    }

    fn __repr__(&self) -> String {
        format!("<unipc.Redirection of {}>", self.stream.word())
    }
}

/// Flushes what Python buffers for a standard stream, so that it goes where it was written to.
fn flush(py: Python<'_>, stream: Stdio) -> PyResult<()> {
    if stream == Stdio::In {
        return Ok(());
    }
    let file = py.import("sys")?.getattr(stream.word())?;
    // A file that is closed has no more to flush.
    if !file.is_none() && !file.getattr("closed").is_ok_and(|closed| closed.is_truthy().unwrap_or(false)) {
        file.call_method0("flush")?;
    }
    Ok(())
}
