//! Shared memory, and the buffer that it is to Python.

use crate::buffer::{Input, lend};
use crate::convert::{Descriptor, Mode, Whole, Word, absolute};
use crate::descriptor::{for_a_child, from_the_parent, take_over};
use crate::errors::{raise, raise_at, raise_range};
use crate::handle::{self, Handle, Object, Open, Owner};
use pyo3::exceptions::{PyBufferError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyTuple, PyType};
use std::ffi::c_int;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use unipc::Opened;
use unipc::memory::{MemoryOptions, Protection, Seals, Sharing};

impl Word for Sharing {
    const WHAT: &'static str = "sharing";
    const WORDS: &'static [(&'static str, Self)] = &[("shared", Sharing::Shared), ("private", Sharing::Private)];
}

impl Word for Protection {
    const WHAT: &'static str = "protection";
    const WORDS: &'static [(&'static str, Self)] =
        &[("none", Protection::None), ("read", Protection::Read), ("read-write", Protection::ReadWrite)];
}

impl Object for unipc::Memory {
    const NOUN: &'static str = "memory";

    fn label(&self) -> String {
        match self.name() {
            Some(name) => format!("unipc.Memory {name:?} of {} bytes", self.len()),
            None => format!("unipc.Memory of {} bytes", self.len()),
        }
    }
}

/// How a memory was come by, and so how another process can come by it.
enum Origin {
    Name,
    /// Absolute, for processes with another working directory.
    File(PathBuf),
    Descriptor,
    Nowhere,
}

/// Bytes that several processes map.
///
/// A named object (create(), open(), open_or_create()) lives in /dev/shm until unlink(); a file
/// (create_file() and so on) in its file system; memfd() has no name and is handed on by its
/// descriptor; anonymous() is shared with children made by fork alone. "private" instead of "shared"
/// keeps what is written in this process. Space is reserved when it is made, so that a full file
/// system raises OSError (ENOSPC) then. See shm_overview(7) and mmap(2).
///
/// It is a buffer: ``memoryview(memory)`` (or numpy.frombuffer) shows and changes the very bytes,
/// without a copy. While such views live, close(), resize() and protect() raise BufferError. read()
/// and write() copy. Nothing orders the processes: use a Semaphore. If a peer cuts the object short,
/// touching what is gone ends the process with SIGBUS; a sealed memfd is proof against that.
///
/// Any number of threads may use one handle; a child made by fork inherits it. A pickled one is
/// mapped anew by its name or path. Closing it, or leaving its ``with`` block, removes nothing.
#[pyclass(frozen, weakref, module = "unipc")]
pub struct Memory {
    handle: Handle<unipc::Memory>,
    origin: Origin,
    /// How many views Python has of the bytes; changed only while the handle's slot is held.
    views: AtomicUsize,
}

impl Owner for Memory {
    type Core = unipc::Memory;

    #[inline]
    fn handle(&self) -> &Handle<unipc::Memory> {
        &self.handle
    }
}

impl Memory {
    fn wrap(memory: unipc::Memory, origin: Origin) -> Memory {
        Memory { handle: Handle::new(memory), origin, views: AtomicUsize::new(0) }
    }

    fn pair((memory, did): (unipc::Memory, Opened), origin: Origin) -> (Memory, bool) {
        (Memory::wrap(memory, origin), did == Opened::Created)
    }

    /// Changes what others must not be looking at meanwhile.
    fn change(
        slf: &Bound<'_, Self>,
        change: impl FnOnce(&mut unipc::Memory) -> unipc::Result<()> + Send,
    ) -> PyResult<()> {
        let views = &slf.get().views;
        let changed = slf.slot(|slot| match slot {
            None => Ok(None),
            Some(memory) => match (views.load(Ordering::Relaxed), Arc::get_mut(memory)) {
                (0, Some(memory)) => Ok(Some(change(memory))),
                (views, _) => Err(views),
            },
        });
        match changed {
            Ok(Some(done)) => done.map_err(raise),
            Ok(None) => Err(crate::errors::closed(unipc::Memory::NOUN)),
            Err(views) => Err(in_use(views)),
        }
    }
}

fn in_use(views: usize) -> PyErr {
    PyBufferError::new_err(match views {
        0 => "another thread is using the memory; try again when it is done".to_owned(),
        1 => "a view of the memory exists; release it first".to_owned(),
        _ => format!("{views} views of the memory exist; release them first"),
    })
}

/// Writes `data`, which comes from a view of `memory` itself, where it stands at `from`, and so may
/// overlap what it goes to.
fn copy_within(memory: &unipc::Memory, from: usize, to: usize, data: &[u8]) -> unipc::Result<()> {
    const STEP: usize = 16 * 1024;
    if memory.len().checked_sub(data.len()).is_none_or(|last| to > last) {
        return memory.write_at(to, data);
    }
    let mut copy = [0; STEP];
    let steps = data.len().div_ceil(STEP);
    for step in 0..steps {
        // From the side on which nothing is overwritten before it was read.
        let begin = STEP * if to < from { step } else { steps - 1 - step };
        let count = STEP.min(data.len() - begin);
        memory.read_at(from + begin, &mut copy[..count])?;
        memory.write_at(to + begin, &copy[..count])?;
    }
    Ok(())
}

/// `size` bytes at `offset` or, without a size, all from there on: as a count that lies inside.
pub fn span(operation: &str, memory: &unipc::Memory, offset: usize, size: Option<usize>) -> PyResult<usize> {
    let room = memory.len().checked_sub(offset);
    match (room, size.or(room)) {
        (Some(room), Some(size)) if size <= room => Ok(size),
        (_, size) => Err(raise_range(operation, memory, offset, size.unwrap_or(0))),
    }
}

fn options(sharing: &str, size: Option<Whole<usize>>) -> PyResult<MemoryOptions> {
    let mut options = unipc::Memory::options();
    options.sharing(Sharing::parse(sharing)?);
    if let Some(Whole(bytes)) = size {
        options.size(bytes);
    }
    Ok(options)
}

fn options_to_create(
    sharing: &str,
    size: Whole<usize>,
    mode: Option<Whole<u32>>,
    exact_mode: Option<Whole<u32>>,
) -> PyResult<MemoryOptions> {
    let mut options = options(sharing, Some(size))?;
    match Mode::new(mode, exact_mode)? {
        Mode::Default => {}
        Mode::Masked(bits) => _ = options.mode(bits),
        Mode::Exact(bits) => _ = options.exact_mode(bits),
    }
    Ok(options)
}

fn options_to_open(sharing: &str, size: Option<Whole<usize>>, read_only: bool) -> PyResult<MemoryOptions> {
    let mut options = options(sharing, size)?;
    options.read_only(read_only);
    Ok(options)
}

#[pymethods]
impl Memory {
    /// Makes a named object of ``size`` bytes, all zero, that is not there yet, and maps it.
    ///
    /// ``name`` is one slash and 1 to 255 bytes without another. ``mode`` has the permission bits,
    /// from which the umask takes its own away; ``exact_mode`` has them whatever the umask; 0o600
    /// unless given. ``sharing`` is "shared" or "private". Nobody meets the object half made. The GIL is
    /// released while the space is reserved. Raises FileExistsError, or OSError: ENOSPC, EINVAL (name,
    /// size of 0, mode). See shm_open(3).
    #[staticmethod]
    #[pyo3(signature = (name, size, *, mode = None, exact_mode = None, sharing = "shared"))]
    fn create(
        py: Python<'_>,
        name: &str,
        size: Whole<usize>,
        mode: Option<Whole<u32>>,
        exact_mode: Option<Whole<u32>>,
        sharing: &str,
    ) -> PyResult<Memory> {
        let options = options_to_create(sharing, size, mode, exact_mode)?;
        let memory = py.detach(|| options.create(name)).map_err(raise)?;
        Ok(Memory::wrap(memory, Origin::Name))
    }

    /// Maps a named object that exists: the whole of it, or its first ``size`` bytes.
    ///
    /// With ``read_only`` the bytes cannot be changed through this handle. Raises FileNotFoundError,
    /// PermissionError, or OSError (EINVAL) if it is empty or shorter than ``size``. See shm_open(3).
    #[staticmethod]
    #[pyo3(signature = (name, *, size = None, read_only = false, sharing = "shared"))]
    fn open(name: &str, size: Option<Whole<usize>>, read_only: bool, sharing: &str) -> PyResult<Memory> {
        let memory = options_to_open(sharing, size, read_only)?.open(name).map_err(raise)?;
        Ok(Memory::wrap(memory, Origin::Name))
    }

    /// Maps the named object or makes it, and returns ``(memory, created)``.
    ///
    /// The arguments are those of create(). An object that is there keeps its modes; its first
    /// ``size`` bytes are mapped, and OSError (EINVAL) is raised if it is shorter.
    #[staticmethod]
    #[pyo3(signature = (name, size, *, mode = None, exact_mode = None, sharing = "shared"))]
    fn open_or_create(
        py: Python<'_>,
        name: &str,
        size: Whole<usize>,
        mode: Option<Whole<u32>>,
        exact_mode: Option<Whole<u32>>,
        sharing: &str,
    ) -> PyResult<(Memory, bool)> {
        let options = options_to_create(sharing, size, mode, exact_mode)?;
        let found = py.detach(|| options.open_or_create(name)).map_err(raise)?;
        Ok(Memory::pair(found, Origin::Name))
    }

    /// Removes the name at once; the object goes when nobody maps it any more.
    ///
    /// Raises FileNotFoundError or PermissionError. Files are removed with os.unlink(). See
    /// shm_unlink(3).
    #[staticmethod]
    fn unlink(name: &str) -> PyResult<()> {
        unipc::Memory::unlink(name).map_err(raise)
    }

    /// Makes a file of ``size`` bytes, all zero, at ``path``, where nothing may be yet, and maps it.
    ///
    /// The other arguments are those of create(). Changes of a shared mapping reach the file, at
    /// the latest with sync(). Raises FileExistsError, FileNotFoundError (no such directory),
    /// PermissionError, or OSError (ENOSPC). See mmap(2).
    #[staticmethod]
    #[pyo3(signature = (path, size, *, mode = None, exact_mode = None, sharing = "shared"))]
    fn create_file(
        py: Python<'_>,
        path: PathBuf,
        size: Whole<usize>,
        mode: Option<Whole<u32>>,
        exact_mode: Option<Whole<u32>>,
        sharing: &str,
    ) -> PyResult<Memory> {
        let options = options_to_create(sharing, size, mode, exact_mode)?;
        let memory = py.detach(|| options.create_file(&path)).map_err(|error| raise_at(error, &path))?;
        Ok(Memory::wrap(memory, Origin::File(absolute(path))))
    }

    /// Maps a file that exists: the whole of it, or its first ``size`` bytes.
    ///
    /// The other arguments, and what it raises, are as in open(). See mmap(2).
    #[staticmethod]
    #[pyo3(signature = (path, *, size = None, read_only = false, sharing = "shared"))]
    fn open_file(path: PathBuf, size: Option<Whole<usize>>, read_only: bool, sharing: &str) -> PyResult<Memory> {
        let memory =
            options_to_open(sharing, size, read_only)?.open_file(&path).map_err(|error| raise_at(error, &path))?;
        Ok(Memory::wrap(memory, Origin::File(absolute(path))))
    }

    /// Maps the file or makes it, and returns ``(memory, created)``.
    ///
    /// The arguments are those of create_file(); as with open_or_create(), a shorter file raises
    /// OSError (EINVAL).
    #[staticmethod]
    #[pyo3(signature = (path, size, *, mode = None, exact_mode = None, sharing = "shared"))]
    fn open_or_create_file(
        py: Python<'_>,
        path: PathBuf,
        size: Whole<usize>,
        mode: Option<Whole<u32>>,
        exact_mode: Option<Whole<u32>>,
        sharing: &str,
    ) -> PyResult<(Memory, bool)> {
        let options = options_to_create(sharing, size, mode, exact_mode)?;
        let found = py.detach(|| options.open_or_create_file(&path)).map_err(|error| raise_at(error, &path))?;
        Ok(Memory::pair(found, Origin::File(absolute(path))))
    }

    /// Maps ``size`` bytes, all zero, that have no name.
    ///
    /// A child made by fork sees the same bytes if ``sharing`` is "shared", and starts with a copy
    /// of its own if it is "private". Raises OSError (ENOMEM). See mmap(2).
    #[staticmethod]
    #[pyo3(signature = (size, *, sharing = "shared"))]
    fn anonymous(size: Whole<usize>, sharing: &str) -> PyResult<Memory> {
        let memory = options(sharing, Some(size))?.anonymous().map_err(raise)?;
        Ok(Memory::wrap(memory, Origin::Nowhere))
    }

    /// Makes ``size`` bytes, all zero, that have a descriptor and no name, and maps them.
    ///
    /// ``label`` is what /proc shows, at most 249 bytes. Hand fileno() on, or pass the memory to a
    /// multiprocessing.Process as it starts; seal() keeps peers from cutting it short. Raises
    /// OSError: ENOSPC, EINVAL (label, size). See memfd_create(2).
    #[staticmethod]
    #[pyo3(signature = (label, size, *, sharing = "shared"))]
    fn memfd(py: Python<'_>, label: &str, size: Whole<usize>, sharing: &str) -> PyResult<Memory> {
        let options = options(sharing, Some(size))?;
        let memory = py.detach(|| options.memfd(label)).map_err(raise)?;
        Ok(Memory::wrap(memory, Origin::Descriptor))
    }

    /// Takes over descriptor number ``fd``, of a memfd or another file, and maps it.
    ///
    /// The other arguments are as in open(). Raises PermissionError if it is not open for the access
    /// asked for, and OSError (EINVAL) if it is no regular file, empty, or shorter than ``size``; it
    /// then stays open, and the caller's.
    #[staticmethod]
    #[pyo3(signature = (fd, *, size = None, read_only = false, sharing = "shared"))]
    fn from_fd(fd: Descriptor, size: Option<Whole<usize>>, read_only: bool, sharing: &str) -> PyResult<Memory> {
        let options = options_to_open(sharing, size, read_only)?;
        Ok(Memory::wrap(take_over(fd.0, |fd| options.try_from_fd(fd))?, Origin::Descriptor))
    }

    /// Returns a copy of ``size`` bytes at ``offset``; without a size, of all from there on.
    ///
    /// Raises OSError (ERANGE) if they do not lie inside, PermissionError if the protection forbids
    /// it.
    #[pyo3(signature = (offset = Whole(0), size = None), text_signature = "($self, offset=0, size=None)")]
    fn read<'py>(
        slf: &Bound<'py, Self>,
        offset: Whole<usize>,
        size: Option<Whole<usize>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let size = span("read from", &*slf.shared()?, offset.0, size.map(|size| size.0))?;
        PyBytes::new_with(slf.py(), size, |bytes| slf.run_moving(size, |memory| memory.read_at(offset.0, bytes)))
    }

    /// Copies ``data``, any contiguous buffer, to ``offset``.
    ///
    /// Raises OSError (ERANGE) if it does not fit there, PermissionError if the memory is read-only
    /// or the protection forbids it.
    fn write(slf: &Bound<'_, Self>, offset: Whole<usize>, data: Input<'_, '_>) -> PyResult<()> {
        let data = data.as_slice();
        slf.run_moving(data.len(), |memory| {
            let (own, theirs) = (memory.as_ptr().addr(), data.as_ptr().addr());
            if theirs < own + memory.len() && own < theirs + data.len() {
                return copy_within(memory, theirs - own, offset.0, data);
            }
            memory.write_at(offset.0, data)
        })
    }

    /// Makes the object and this mapping of it ``size`` bytes long; new bytes are zero.
    ///
    /// Others who map it keep their length until they open it anew, and must not touch what was cut
    /// off. Raises BufferError while views exist, and OSError: EBUSY while a Semaphore in it is
    /// open, ENOSPC, EINVAL (size of 0), EOPNOTSUPP (shared anonymous memory and private mappings of
    /// files keep their length), EPERM (a seal forbids it). The GIL is held while space is reserved. See ftruncate(2) and mremap(2).
    fn resize(slf: &Bound<'_, Self>, size: Whole<usize>) -> PyResult<()> {
        Memory::change(slf, |memory| memory.resize(size.0))
    }

    /// Changes what this process may do with the bytes: "none", "read" or "read-write".
    ///
    /// Raises BufferError while views exist, PermissionError if it was opened read-only, and OSError
    /// (EBUSY) while a Semaphore in it is open. See mprotect(2).
    fn protect(slf: &Bound<'_, Self>, protection: &str) -> PyResult<()> {
        let protection = Protection::parse(protection)?;
        Memory::change(slf, |memory| memory.protect(protection))
    }

    /// Writes what was changed in ``size`` bytes at ``offset`` (by default, in all) to the file, and
    /// waits until it is there.
    ///
    /// The GIL is released meanwhile. Raises OSError: ERANGE, EIO. See msync(2).
    #[pyo3(signature = (offset = Whole(0), size = None), text_signature = "($self, offset=0, size=None)")]
    fn sync(slf: &Bound<'_, Self>, offset: Whole<usize>, size: Option<Whole<usize>>) -> PyResult<()> {
        let memory = slf.shared()?;
        let size = span("sync", &memory, offset.0, size.map(|size| size.0))?;
        slf.py().detach(move || memory.sync_range(offset.0, size)).map_err(raise)
    }

    /// Forbids changes of a memfd for ever and for everybody: a combination of unipc.Seal.
    ///
    /// Raises PermissionError when Seal.SEAL is set already, OSError: EBUSY (Seal.WRITE while a
    /// shared mapping can write it), EINVAL (no memfd). See F_ADD_SEALS in fcntl(2).
    fn seal(slf: &Bound<'_, Self>, seals: Whole<u32>) -> PyResult<()> {
        let Some(seals) = Seals::from_bits(seals.0) else {
            return Err(PyValueError::new_err(format!(
                "seals must be a combination of unipc.Seal, not {:#x}",
                seals.0
            )));
        };
        slf.run(|memory| memory.seal(seals))
    }

    /// The seals of a memfd, as a unipc.Seal; a named object has Seal.SEAL.
    ///
    /// Raises OSError (EINVAL) for files and anonymous memory, which have none.
    #[getter]
    fn seals<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        static SEAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        let bits = slf.run(unipc::Memory::seals)?.bits();
        SEAL.import(slf.py(), "unipc", "Seal")?.call1((bits,))
    }

    /// The name, path or memfd label; None if it has none. Raises ValueError on a closed handle.
    #[getter]
    fn name(slf: &Bound<'_, Self>) -> PyResult<Option<String>> {
        slf.with(|memory| memory.name().map(str::to_owned))
    }

    /// "shared" or "private": whether others see what is written.
    #[getter]
    fn sharing(slf: &Bound<'_, Self>) -> PyResult<&'static str> {
        slf.with(|memory| memory.sharing().word())
    }

    /// "none", "read" or "read-write": what this process may do with the bytes now.
    #[getter]
    fn protection(slf: &Bound<'_, Self>) -> PyResult<&'static str> {
        slf.with(|memory| memory.protection().word())
    }

    /// Whether it was opened read-only.
    #[getter]
    fn read_only(slf: &Bound<'_, Self>) -> PyResult<bool> {
        slf.with(unipc::Memory::is_read_only)
    }

    /// Returns the number of the descriptor. The handle stays its owner: do not close it.
    ///
    /// Raises ValueError on a closed handle, and on anonymous memory, which has none.
    fn fileno(slf: &Bound<'_, Self>) -> PyResult<RawFd> {
        slf.with(|memory| memory.as_fd().map(|fd| fd.as_raw_fd()))?
            .ok_or_else(|| PyValueError::new_err("anonymous memory has no descriptor"))
    }

    /// Unmaps the bytes and closes the descriptor; doing so again does nothing. It removes nothing.
    ///
    /// Raises BufferError while views exist.
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let views = &slf.get().views;
        let taken = slf.slot(|memory| match views.load(Ordering::Relaxed) {
            0 => Ok(memory.take()),
            views => Err(views),
        });
        // Many pages take the kernel long.
        taken.map(|memory| slf.py().detach(|| drop(memory))).map_err(in_use)
    }

    /// Whether this handle is closed.
    #[getter]
    fn closed(slf: &Bound<'_, Self>) -> bool {
        slf.is_closed()
    }

    fn __len__(slf: &Bound<'_, Self>) -> PyResult<usize> {
        slf.with(unipc::Memory::len)
    }

    /// Lends the bytes to a view, which keeps this object alive.
    ///
    /// # Safety
    /// The interpreter calls this, with a `view` to be filled.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let views = &slf.get().views;
        let (address, len, protection) = slf.with(|memory| {
            views.fetch_add(1, Ordering::Relaxed);
            (memory.as_ptr().expose_provenance(), memory.len(), memory.protection())
        })?;
        let filled = if protection == Protection::None {
            Err(PyBufferError::new_err("the memory's protection is \"none\""))
        } else {
            // SAFETY: `view` is the interpreter's to fill; the mapping stays where it is and as it is
            // while `views` is not 0, which it is until the view is released.
            unsafe { lend(slf.as_any(), view, address, len, protection == Protection::Read, flags) }
        };
        filled.inspect_err(|_| _ = views.fetch_sub(1, Ordering::Relaxed))
    }

    /// # Safety
    /// The interpreter calls this, once for each view that was lent.
    unsafe fn __releasebuffer__(&self, _view: *mut ffi::Py_buffer) {
        self.views.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns this object, which leaving the block ends.
    fn __enter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> PyResult<&'a Bound<'py, Self>> {
        slf.with(|_| ())?;
        Ok(slf)
    }

    /// Closes it: see close().
    #[pyo3(signature = (*_exception))]
    fn __exit__(slf: &Bound<'_, Self>, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        Memory::close(slf)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        handle::repr(slf)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let (py, class, memory) = (slf.py(), slf.get_type(), slf.shared()?);
        if memory.sharing() == Sharing::Private {
            return Err(PyTypeError::new_err(
                "private memory is this process's own; share it as \"shared\", or send its bytes",
            ));
        }
        let (size, read_only) = (memory.len(), memory.is_read_only());
        match (&slf.get().origin, memory.name(), memory.as_fd()) {
            (Origin::Name, Some(name), _) => handle::reduced(class.as_any(), "_restore", (name, size, read_only)),
            (Origin::File(path), ..) => handle::reduced(class.as_any(), "_restore_file", (path, size, read_only)),
            (Origin::Descriptor, _, Some(fd)) => {
                let duplicate = for_a_child(py, fd.as_fd().as_raw_fd(), "memory without a name")?;
                handle::reduced(class.as_any(), "_restore_fd", (duplicate, size, read_only))
            }
            _ => Err(PyTypeError::new_err(
                "anonymous memory has no name to be pickled by: a child made by fork inherits it; \
                 use memfd() or create() for others",
            )),
        }
    }

    #[staticmethod]
    fn _restore(name: &str, size: Whole<usize>, read_only: bool) -> PyResult<Memory> {
        Memory::open(name, Some(size), read_only, Sharing::Shared.word())
    }

    #[staticmethod]
    fn _restore_file(path: PathBuf, size: Whole<usize>, read_only: bool) -> PyResult<Memory> {
        Memory::open_file(path, Some(size), read_only, Sharing::Shared.word())
    }

    #[staticmethod]
    fn _restore_fd(duplicate: &Bound<'_, PyAny>, size: Whole<usize>, read_only: bool) -> PyResult<Memory> {
        let options = options_to_open(Sharing::Shared.word(), Some(size), read_only)?;
        Ok(Memory::wrap(options.from_fd(from_the_parent(duplicate)?).map_err(raise)?, Origin::Descriptor))
    }
}
