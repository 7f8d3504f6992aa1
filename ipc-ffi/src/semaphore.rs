//! Semaphores, named and inside shared memory.

use crate::boundary::{
    Failure, Handle, Kind, Versioned, close, cold, deadline, get, hand, hot, in_signal_handler, options, store, text,
};
use crate::memory::unipc_memory;
use crate::{created, engine, reserved, set_mode, unipc_engine};
use std::ffi::{c_char, c_int, c_uint};
use unipc::semaphore::SemaphoreOptions;
use unipc::{Deadline, Semaphore};

/// The highest value of a semaphore.
pub const UNIPC_SEMAPHORE_MAX: c_uint = 2_147_483_647;
/// Bytes that a semaphore takes inside shared memory: sizeof(sem_t).
pub const UNIPC_SEMAPHORE_SIZE: usize = 32;
/// What the offset of a semaphore inside shared memory is a multiple of.
pub const UNIPC_SEMAPHORE_ALIGN: usize = 8;
const _: () = assert!(UNIPC_SEMAPHORE_MAX == Semaphore::MAX);
const _: () = assert!(UNIPC_SEMAPHORE_SIZE == Semaphore::SIZE);
const _: () = assert!(UNIPC_SEMAPHORE_ALIGN == Semaphore::ALIGN);

/// An open semaphore. Opaque. What is behind it is glibc's sem_t, so that programs which use
/// sem_open(3) share it.
pub struct unipc_semaphore {
    _opaque: (),
}

impl Handle for unipc_semaphore {
    type Value = Semaphore;
    const KIND: Kind = Kind::Semaphore;
}

/// How a semaphore is made. Begin with UNIPC_SEMAPHORE_OPTIONS_INIT; in every field 0 is the
/// default. NULL in place of the struct is every default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_semaphore_options {
    /// sizeof(unipc_semaphore_options), as the caller compiled it.
    pub size: usize,
    /// Permission bits; 0: 0600. The umask applies. Who may use it needs both read and write.
    pub mode: c_uint,
    /// Not 0: the umask does not apply to `mode`.
    pub exact_mode: c_int,
    /// What does the work: UNIPC_ENGINE_POSIX, which is glibc's own futex. Another is EOPNOTSUPP.
    pub engine: unipc_engine,
    /// 0.
    pub reserved: c_int,
}

// SAFETY: repr(C), led by its size, and without padding: what the assertion counts.
unsafe impl Versioned for unipc_semaphore_options {}
const _: () = assert!(size_of::<unipc_semaphore_options>() == size_of::<usize>() + 4 * size_of::<c_int>());

unsafe fn read(given: *const unipc_semaphore_options) -> Result<SemaphoreOptions, Failure> {
    let given = options(given)?;
    reserved(given.reserved)?;
    let mut options = Semaphore::options();
    set_mode!(options, given).engine(engine(given.engine)?);
    Ok(options)
}

/// Makes a semaphore of `value` that must not exist yet, and opens it.
///
/// `name` is "/lock": one slash at its beginning, no other, and 1 to 251 bytes behind it.
/// `options` may be NULL.
///
/// - Ownership: the handle is the caller's, until unipc_semaphore_close(). The semaphore itself
///   stays until unipc_semaphore_unlink() and the last close, or the end of the system.
/// - Blocking: never.
/// - Errors: EEXIST; EINVAL: the name, the mode, a value beyond UNIPC_SEMAPHORE_MAX; EACCES;
///   ENAMETOOLONG; ENOSPC; EMFILE; ENFILE; ENOMEM; E2BIG: options of a newer header; EOPNOTSUPP: engine
///   shm.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: sem_open(3)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_semaphore_create(
    name: *const c_char,
    value: c_uint,
    options: *const unipc_semaphore_options,
) -> *mut unipc_semaphore {
    cold(|| Ok(hand(read(options)?.value(value).create(text("name", name)?)?)))
}

/// Opens a semaphore that exists.
///
/// - Ownership: the handle is the caller's, until unipc_semaphore_close().
/// - Blocking: never.
/// - Errors: ENOENT; EACCES; EINVAL: the name, or what is there is no semaphore; ENAMETOOLONG;
///   EMFILE; ENFILE; ENOMEM; E2BIG: options of a newer header; EOPNOTSUPP: engine shm.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: sem_open(3)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_semaphore_open(
    name: *const c_char,
    options: *const unipc_semaphore_options,
) -> *mut unipc_semaphore {
    cold(|| Ok(hand(read(options)?.open(text("name", name)?)?)))
}

/// Opens a semaphore, or makes it with `value` if it does not exist, and stores in `created`, which
/// may be NULL, 1 if this call made it and else 0.
///
/// - Ownership: as unipc_semaphore_create().
/// - Blocking: never.
/// - Errors: those of unipc_semaphore_create() and unipc_semaphore_open() but EEXIST and ENOENT.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: sem_open(3)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_semaphore_open_or_create(
    name: *const c_char,
    value: c_uint,
    options: *const unipc_semaphore_options,
    created: *mut c_int,
) -> *mut unipc_semaphore {
    cold(|| {
        let (semaphore, opened) = read(options)?.value(value).open_or_create(text("name", name)?)?;
        store(created, self::created(opened));
        Ok(hand(semaphore))
    })
}

/// Makes a semaphore of `value` inside shared memory, UNIPC_SEMAPHORE_SIZE bytes at `offset`, a
/// multiple of UNIPC_SEMAPHORE_ALIGN. Nobody may use what was there before.
///
/// - Ownership: the handle is the caller's, until unipc_semaphore_close(), and keeps the bytes mapped,
///   also when the memory is closed before it.
/// - Blocking: never.
/// - Errors: ERANGE: it does not fit; EINVAL: the offset is not aligned, the memory is private, the
///   value is beyond UNIPC_SEMAPHORE_MAX; EACCES: the memory may not be written.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: sem_init(3)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_semaphore_init_in(
    memory: *mut unipc_memory,
    offset: usize,
    value: c_uint,
) -> *mut unipc_semaphore {
    cold(|| Ok(hand(Semaphore::init_in(get(memory)?, offset, value)?)))
}

/// Uses a semaphore that somebody made inside shared memory, with unipc_semaphore_init_in() or
/// sem_init(3).
///
/// - Ownership: the handle is the caller's, until unipc_semaphore_close(), and keeps the bytes mapped,
///   also when the memory is closed before it.
/// - Blocking: never.
/// - Errors: ERANGE: it does not fit; EINVAL: the offset is not aligned, the memory is private;
///   EACCES: the memory may not be written; EBADMSG: what stands there is no semaphore that
///   processes share.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: sem_overview(7)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_semaphore_open_in(memory: *mut unipc_memory, offset: usize) -> *mut unipc_semaphore {
    cold(|| Ok(hand(Semaphore::open_in(get(memory)?, offset)?)))
}

/// Takes one off the value, and waits while it is 0.
///
/// - Ownership: none changes: who takes and who gives back need not be the same.
/// - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
/// - Errors: EAGAIN: 0, and not to wait; ETIMEDOUT; EINTR: a signal handler ran, and nothing was
///   taken; EINVAL: the timeout.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: sem_wait(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_semaphore_wait(semaphore: *mut unipc_semaphore, timeout: i64) -> c_int {
    hot(|| Ok(get(semaphore)?.wait_by(deadline(timeout)?)?))
}

/// Waits as unipc_semaphore_wait(), until `seconds` and `nanoseconds` since 1970 on the realtime
/// clock, as POSIX has it: setting that clock moves the end of the wait.
///
/// - Ownership: none changes.
/// - Blocking: up to that time; a time that has passed does not wait.
/// - Errors: those of unipc_semaphore_wait(); EINVAL: `nanoseconds` not in 0 to 999999999,
///   `seconds` negative.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: sem_timedwait(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_semaphore_wait_until(
    semaphore: *mut unipc_semaphore,
    seconds: i64,
    nanoseconds: i64,
) -> c_int {
    hot(|| Ok(get(semaphore)?.wait_by(Deadline::at_realtime(seconds, nanoseconds)?)?))
}

/// Adds one to the value, and lets one that waits go on.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: EOVERFLOW: the value is UNIPC_SEMAPHORE_MAX. unipc_last_error() does not tell.
/// - Safety: threads: any; fork: yes; signals: yes, as sem_post(3): a handler may call it, and keeps
///   errno itself.
/// - See: sem_post(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_semaphore_post(semaphore: *mut unipc_semaphore) -> c_int {
    in_signal_handler(|| Ok(get(semaphore)?.post()?))
}

/// Adds `count` to the value, one after another.
///
/// - Ownership: none changes. `posted`, which may be NULL, receives how many were added, on failure
///   too.
/// - Blocking: never.
/// - Errors: EOVERFLOW: the value would exceed UNIPC_SEMAPHORE_MAX.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: sem_post(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_semaphore_post_many(
    semaphore: *mut unipc_semaphore,
    count: c_uint,
    posted: *mut c_uint,
) -> c_int {
    hot(|| {
        store(posted, 0);
        get(semaphore)?.post_many(count).inspect_err(|error| store(posted, error.transferred() as c_uint))?;
        store(posted, count);
        Ok(())
    })
}

/// The value as it is now.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: sem_getvalue(3)
///
/// @return the value, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_semaphore_value(semaphore: *const unipc_semaphore) -> c_int {
    hot(|| Ok(get(semaphore)?.value()? as c_int))
}

/// Removes the name of a semaphore. Who has it open keeps it; it goes with the last of them.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: ENOENT; EACCES; EINVAL; ENAMETOOLONG.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: sem_unlink(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_semaphore_unlink(name: *const c_char) -> c_int {
    cold(|| Ok(Semaphore::unlink(text("name", name)?)?))
}

/// Closes the handle. NULL is allowed. The semaphore and its value stay.
///
/// - Ownership: takes the handle.
/// - Blocking: never.
/// - Errors: EBADF: it is closed already.
/// - Safety: threads: none may be in a call on the handle, as with close(2); fork: the handles of
///   parent and child are closed separately; signals: no.
/// - See: sem_close(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_semaphore_close(semaphore: *mut unipc_semaphore) -> c_int {
    cold(|| close(semaphore))
}
