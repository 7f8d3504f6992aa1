//! FIFOs: pipes with a path.

use crate::convert::{Mode, Whole, absolute};
use crate::errors::raise_at;
use crate::handle::{self, Handle, Object, Open, Owner};
use crate::pipe::{PipeReader, PipeWriter};
use crate::wait::{Limit, Sleep, in_slices};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::path::PathBuf;
use unipc::{Deadline, Opened};

impl Object for unipc::Fifo {
    const NOUN: &'static str = "FIFO";

    fn label(&self) -> String {
        format!("unipc.Fifo {:?}", self.path().to_string_lossy())
    }
}

/// A FIFO: a pipe with a path, which unrelated processes open by it.
///
/// This object stands for the file and is no end of it: open_reader() and open_writer() give the
/// ends. It refers to the file that it found, whatever happens to the path afterwards. Closing it,
/// or leaving its ``with`` block, closes no end and removes nothing: unlink() does. Any thread may
/// use it; a pickled one is opened anew by its path. See fifo(7).
#[pyclass(frozen, weakref, module = "unipc")]
pub struct Fifo {
    handle: Handle<unipc::Fifo>,
    /// Absolute, to be pickled.
    path: PathBuf,
}

impl Fifo {
    fn wrap(fifo: unipc::Fifo) -> Fifo {
        Fifo { path: absolute(fifo.path().to_owned()), handle: Handle::new(fifo) }
    }
}

impl Owner for Fifo {
    type Core = unipc::Fifo;

    fn handle(&self) -> &Handle<unipc::Fifo> {
        &self.handle
    }
}

fn options(mode: Option<Whole<u32>>, exact_mode: Option<Whole<u32>>) -> PyResult<unipc::fifo::FifoOptions> {
    let mut options = unipc::Fifo::options();
    match Mode::new(mode, exact_mode)? {
        Mode::Default => {}
        Mode::Masked(bits) => _ = options.mode(bits),
        Mode::Exact(bits) => _ = options.exact_mode(bits),
    }
    Ok(options)
}

#[pymethods]
impl Fifo {
    /// Makes a FIFO at ``path``, where nothing may be yet.
    ///
    /// ``mode`` has the permission bits, from which the umask takes its own away; ``exact_mode`` has
    /// them whatever the umask, and nobody meets the FIFO with others. 0o600 unless given. Raises
    /// FileExistsError, FileNotFoundError (no such directory), PermissionError, or OSError (EINVAL)
    /// for bits beyond 0o777. See mkfifo(3).
    #[staticmethod]
    #[pyo3(signature = (path, *, mode = None, exact_mode = None))]
    fn create(path: PathBuf, mode: Option<Whole<u32>>, exact_mode: Option<Whole<u32>>) -> PyResult<Fifo> {
        options(mode, exact_mode)?.create(&path).map(Fifo::wrap).map_err(|error| raise_at(error, &path))
    }

    /// Finds the FIFO at ``path``.
    ///
    /// A path that is no FIFO raises OSError (EINVAL), and is never opened. Raises
    /// FileNotFoundError or PermissionError.
    #[staticmethod]
    fn open(path: PathBuf) -> PyResult<Fifo> {
        unipc::Fifo::open(&path).map(Fifo::wrap).map_err(|error| raise_at(error, &path))
    }

    /// Finds the FIFO at ``path`` or makes it, and returns ``(fifo, created)``.
    ///
    /// The modes are those of create(), and do not touch a FIFO that is there. Raises what create()
    /// and open() raise, except that it is there or is not.
    #[staticmethod]
    #[pyo3(signature = (path, *, mode = None, exact_mode = None))]
    fn open_or_create(
        path: PathBuf,
        mode: Option<Whole<u32>>,
        exact_mode: Option<Whole<u32>>,
    ) -> PyResult<(Fifo, bool)> {
        let (fifo, did) = options(mode, exact_mode)?.open_or_create(&path).map_err(|error| raise_at(error, &path))?;
        Ok((Fifo::wrap(fifo), did == Opened::Created))
    }

    /// Removes the FIFO's name; whoever has it open goes on with it.
    ///
    /// A path that is no FIFO raises OSError (EINVAL) and stays. Raises FileNotFoundError or
    /// PermissionError. See unlink(2).
    #[staticmethod]
    fn unlink(path: PathBuf) -> PyResult<()> {
        unipc::Fifo::unlink(&path).map_err(|error| raise_at(error, &path))
    }

    /// The path by which it was made or found. Raises ValueError on a closed handle.
    #[getter]
    fn path(slf: &Bound<'_, Self>) -> PyResult<std::ffi::OsString> {
        slf.with(|fifo| fifo.path().as_os_str().to_owned())
    }

    /// Opens the FIFO for reading and returns a PipeReader, once a writer opens it too.
    ///
    /// ``timeout`` is in seconds: None waits for ever; 0 opens at once, writer or not (reading then
    /// gives ``b""`` until the first writer comes); a longer one raises TimeoutError when it is
    /// over. A wait with a timeout looks for the writer every 10 ms; one without sleeps in the
    /// kernel, as os.open() does. A signal handler runs meanwhile: if it raises, so does this call,
    /// and if it returns, the wait goes on for the rest of the time. A signal that comes just before
    /// a wait without a timeout is handled when the next one ends it, or it is served. Raises PermissionError or OSError (EMFILE).
    #[pyo3(signature = (*, timeout = None))]
    fn open_reader(slf: &Bound<'_, Self>, timeout: Option<f64>) -> PyResult<Py<PipeReader>> {
        PipeReader::wrap(slf.py(), rendezvous(slf, timeout, unipc::Fifo::open_reader_by)?)
    }

    /// Opens the FIFO for writing and returns a PipeWriter, once a reader opens it too.
    ///
    /// ``timeout`` is as in open_reader(), except that 0 raises OSError (ENXIO) when nobody has the
    /// FIFO open for reading.
    #[pyo3(signature = (*, timeout = None))]
    fn open_writer(slf: &Bound<'_, Self>, timeout: Option<f64>) -> PyResult<Py<PipeWriter>> {
        PipeWriter::wrap(slf.py(), rendezvous(slf, timeout, unipc::Fifo::open_writer_by)?)
    }

    /// Lets go of the file; doing so again does nothing. It removes nothing and closes no end.
    ///
    /// An open_reader() or open_writer() that waits in another thread ends within a second with
    /// ValueError if it has a timeout; one without goes on.
    fn close(slf: &Bound<'_, Self>) {
        Open::close(slf);
    }

    /// Whether this handle is closed.
    #[getter]
    fn closed(slf: &Bound<'_, Self>) -> bool {
        slf.is_closed()
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
        slf.with(|_| ())?;
        handle::reduced(slf.get_type().as_any(), "open", (&slf.get().path,))
    }
}

fn rendezvous<E: Send>(
    fifo: &Bound<'_, Fifo>,
    timeout: Option<f64>,
    open: impl Fn(&unipc::Fifo, Deadline) -> unipc::Result<E> + Send,
) -> PyResult<E> {
    let shared = fifo.shared()?;
    match Limit::timeout(timeout)? {
        Limit::Now => open(&shared, Deadline::NOW).map_err(Box::new),
        limit => in_slices(fifo, &shared, limit, Sleep::Unbroken, open)?,
    }
    .map_err(|error| raise_at(*error, shared.path()))
}
