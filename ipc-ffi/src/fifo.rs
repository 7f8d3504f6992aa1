//! FIFOs: pipes with a name in the file system.

use crate::boundary::{Failure, Handle, Kind, Versioned, close, cold, deadline, get, hand, options, path, store};
use crate::pipe::{unipc_pipe_reader, unipc_pipe_writer};
use crate::{created, set_mode};
use std::ffi::{c_char, c_int, c_uint};
use unipc::Fifo;
use unipc::fifo::FifoOptions;

/// A FIFO, checked to be one, of which ends can be opened. Opaque.
pub struct unipc_fifo {
    _opaque: (),
}

impl Handle for unipc_fifo {
    type Value = Fifo;
    const KIND: Kind = Kind::Fifo;
}

/// How a FIFO is made. Begin with UNIPC_FIFO_OPTIONS_INIT; in every field 0 is the default. NULL in
/// place of the struct is every default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_fifo_options {
    /// sizeof(unipc_fifo_options), as the caller compiled it.
    pub size: usize,
    /// Permission bits; 0: 0600. The umask applies.
    pub mode: c_uint,
    /// Not 0: the umask does not apply to `mode`.
    pub exact_mode: c_int,
}

// SAFETY: repr(C), led by its size, and without padding: what the assertion counts.
unsafe impl Versioned for unipc_fifo_options {}
const _: () = assert!(size_of::<unipc_fifo_options>() == size_of::<usize>() + 2 * size_of::<c_int>());

unsafe fn read(given: *const unipc_fifo_options) -> Result<FifoOptions, Failure> {
    let given = options(given)?;
    let mut options = Fifo::options();
    set_mode!(options, given);
    Ok(options)
}

/// Makes a FIFO where nothing must be yet. With an exact mode nobody can open it before it has that
/// mode.
///
/// - Ownership: the handle is the caller's, until unipc_fifo_close(). The FIFO itself stays until
///   unipc_fifo_unlink().
/// - Blocking: never.
/// - Errors: EEXIST; ENOENT, ENOTDIR: its directory; EACCES; EINVAL: the mode; ENAMETOOLONG;
///   ENOSPC; EROFS; EMFILE; E2BIG: options of a newer header.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mkfifo(3)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_fifo_create(path: *const c_char, options: *const unipc_fifo_options) -> *mut unipc_fifo {
    cold(|| Ok(hand(read(options)?.create(self::path(path)?)?)))
}

/// Finds a FIFO that exists, without opening an end of it. What is no FIFO is refused before it is
/// ever opened.
///
/// - Ownership: the handle is the caller's, until unipc_fifo_close().
/// - Blocking: never.
/// - Errors: ENOENT; EINVAL: it is no FIFO; ENOTDIR; EACCES; ELOOP; ENAMETOOLONG; EMFILE; E2BIG:
///   options of a newer header.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: open(2), fifo(7)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_fifo_open(path: *const c_char, options: *const unipc_fifo_options) -> *mut unipc_fifo {
    cold(|| Ok(hand(read(options)?.open(self::path(path)?)?)))
}

/// Finds a FIFO, or makes it if nothing is there, and stores in `created`, which may be NULL, 1 if
/// this call made it and else 0.
///
/// - Ownership: as unipc_fifo_create().
/// - Blocking: never.
/// - Errors: those of unipc_fifo_create() and unipc_fifo_open() but EEXIST.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mkfifo(3), open(2)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_fifo_open_or_create(
    path: *const c_char,
    options: *const unipc_fifo_options,
    created: *mut c_int,
) -> *mut unipc_fifo {
    cold(|| {
        let (fifo, opened) = read(options)?.open_or_create(self::path(path)?)?;
        store(created, self::created(opened));
        Ok(hand(fifo))
    })
}

/// Opens the FIFO for reading and waits for a writer. With a timeout of 0 it opens at once, writer or
/// not; reading then gives the end of file until one has come.
///
/// - Ownership: the end is the caller's, until unipc_pipe_reader_close(); the FIFO stays as it is.
/// - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
/// - Errors: ETIMEDOUT; EINTR: a signal handler ran; EACCES; EMFILE; EINVAL: the timeout.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: open(2), fifo(7)
///
/// @return the end, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_fifo_open_reader(fifo: *mut unipc_fifo, timeout: i64) -> *mut unipc_pipe_reader {
    cold(|| Ok(hand(get(fifo)?.open_reader_by(deadline(timeout)?)?)))
}

/// Opens the FIFO for writing and waits for a reader.
///
/// - Ownership: the end is the caller's, until unipc_pipe_writer_close(); the FIFO stays as it is.
/// - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
/// - Errors: ENXIO: nobody reads, and not to wait; ETIMEDOUT; EINTR: a signal handler ran; EACCES;
///   EMFILE; EINVAL: the timeout.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: open(2), fifo(7)
///
/// @return the end, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_fifo_open_writer(fifo: *mut unipc_fifo, timeout: i64) -> *mut unipc_pipe_writer {
    cold(|| Ok(hand(get(fifo)?.open_writer_by(deadline(timeout)?)?)))
}

/// Removes the name of a FIFO. Ends that are open stay connected.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: ENOENT; EINVAL: it is no FIFO; EACCES; EPERM; ENOTDIR; EROFS; ENAMETOOLONG.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: unlink(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_fifo_unlink(path: *const c_char) -> c_int {
    cold(|| Ok(Fifo::unlink(self::path(path)?)?))
}

/// Closes the handle. NULL is allowed. Ends that were opened with it, and the FIFO, stay.
///
/// - Ownership: takes the handle.
/// - Blocking: never.
/// - Errors: EBADF: it is closed already.
/// - Safety: threads: none may be in a call on the handle, as with close(2); fork: the handles of
///   parent and child are closed separately; signals: no.
/// - See: close(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_fifo_close(fifo: *mut unipc_fifo) -> c_int {
    cold(|| close(fifo))
}
