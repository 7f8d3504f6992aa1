//! Message queues.

use crate::boundary::{
    Failure, Fresh, Handle, Kind, Lent, Versioned, buffer, bytes, close, cold, deadline, fill, get, hand, hot, options,
    out, store, text,
};
use crate::{access, created, engine, reserved, set_mode, unipc_access, unipc_engine};
use libc::ssize_t;
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::os::fd::AsRawFd;
use unipc::queue::QueueOptions;
use unipc::{Deadline, Queue};

/// The highest priority of a message; the lowest is 0.
pub const UNIPC_QUEUE_PRIORITY_MAX: c_uint = 32767;
const _: () = assert!(UNIPC_QUEUE_PRIORITY_MAX == unipc::queue::PRIORITY_MAX);

/// An open message queue. Opaque.
pub struct unipc_queue {
    _opaque: (),
}

impl Handle for unipc_queue {
    type Value = Queue;
    const KIND: Kind = Kind::Queue;
}

/// How a queue is made and opened. Begin with UNIPC_QUEUE_OPTIONS_INIT; in every field 0 is the
/// default. NULL in place of the struct is every default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_queue_options {
    /// sizeof(unipc_queue_options), as the caller compiled it.
    pub size: usize,
    /// Messages that it holds; 0: the system's default, fs.mqueue.msg_default. Only for making.
    pub max_messages: usize,
    /// Bytes of the longest message; 0: the system's default, fs.mqueue.msgsize_default. Only for
    /// making.
    pub message_size: usize,
    /// Permission bits; 0: 0600. The umask applies. Only for making.
    pub mode: c_uint,
    /// Not 0: the umask does not apply to `mode`.
    pub exact_mode: c_int,
    /// What does the work.
    pub engine: unipc_engine,
    /// The directions.
    pub access: unipc_access,
    /// Not 0: no call on this handle waits; what would have to fails with EAGAIN.
    pub nonblocking: c_int,
    /// 0.
    pub reserved: c_int,
}

/// What a queue is like. Begin with UNIPC_QUEUE_ATTRIBUTES_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_queue_attributes {
    /// sizeof(unipc_queue_attributes), as the caller compiled it.
    pub size: usize,
    /// Messages that it holds.
    pub max_messages: usize,
    /// Bytes of the longest message, and so of a buffer that every message fits in.
    pub message_size: usize,
    /// Messages in it now.
    pub queued: usize,
    /// 1: no call on this handle waits.
    pub nonblocking: c_int,
    /// 0.
    pub reserved: c_int,
}

// SAFETY: repr(C), led by its size, and without padding: what the assertions count.
unsafe impl Versioned for unipc_queue_options {}
const _: () = assert!(size_of::<unipc_queue_options>() == 3 * size_of::<usize>() + 6 * size_of::<c_int>());
// SAFETY: as above.
unsafe impl Versioned for unipc_queue_attributes {}
const _: () = assert!(size_of::<unipc_queue_attributes>() == 4 * size_of::<usize>() + 2 * size_of::<c_int>());

unsafe fn read(given: *const unipc_queue_options) -> Result<QueueOptions, Failure> {
    let given = options(given)?;
    reserved(given.reserved)?;
    let mut options = Queue::options();
    set_mode!(options, given)
        .engine(engine(given.engine)?)
        .access(access(given.access)?)
        .nonblocking(given.nonblocking != 0);
    if given.max_messages > 0 {
        options.max_messages(given.max_messages);
    }
    if given.message_size > 0 {
        options.message_size(given.message_size);
    }
    Ok(options)
}

/// Makes a queue that must not exist yet, and opens it.
///
/// `name` is "/orders": one slash at its beginning, no other, and 1 to 255 bytes behind it.
/// `options` may be NULL.
///
/// - Ownership: the handle is the caller's, until unipc_queue_close(). The queue itself stays until
///   unipc_queue_unlink() and the last close, or the end of the system.
/// - Blocking: never.
/// - Errors: EEXIST; EINVAL, EMFILE, ENOSPC, ENOMEM: the sentence names the limit that a size or
///   count goes beyond, its value and the way out; EACCES; ENAMETOOLONG; ENFILE; E2BIG: options of
///   a newer header.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mq_open(3)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_create(
    name: *const c_char,
    options: *const unipc_queue_options,
) -> *mut unipc_queue {
    cold(|| Ok(hand(read(options)?.create(text("name", name)?)?)))
}

/// Opens a queue that exists. Its own sizes and mode hold, not those of `options`, which may be
/// NULL.
///
/// - Ownership: the handle is the caller's, until unipc_queue_close().
/// - Blocking: never.
/// - Errors: ENOENT; EACCES; EINVAL; ENAMETOOLONG; EMFILE; ENFILE; E2BIG: options of a newer
///   header.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mq_open(3)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_open(
    name: *const c_char,
    options: *const unipc_queue_options,
) -> *mut unipc_queue {
    cold(|| Ok(hand(read(options)?.open(text("name", name)?)?)))
}

/// Opens a queue, or makes it if it does not exist, and stores in `created`, which may be NULL, 1
/// if this call made it and else 0.
///
/// - Ownership: as unipc_queue_create().
/// - Blocking: never.
/// - Errors: those of unipc_queue_create() and unipc_queue_open() but EEXIST and ENOENT.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mq_open(3)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_open_or_create(
    name: *const c_char,
    options: *const unipc_queue_options,
    created: *mut c_int,
) -> *mut unipc_queue {
    cold(|| {
        let (queue, opened) = read(options)?.open_or_create(text("name", name)?)?;
        store(created, self::created(opened));
        Ok(hand(queue))
    })
}

/// Removes the name of a queue. Who has it open keeps it; it goes with the last of them.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: ENOENT; EACCES; EINVAL; ENAMETOOLONG.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mq_unlink(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_unlink(name: *const c_char) -> c_int {
    cold(|| Ok(Queue::unlink(text("name", name)?)?))
}

/// Sends `length` bytes as one message, which overtakes those of lower `priority`, 0 to
/// UNIPC_QUEUE_PRIORITY_MAX, and waits while the queue is full. Any length from 0 up to the
/// queue's message_size is a message.
///
/// - Ownership: `data` stays the caller's and is copied; NULL if `length` is 0.
/// - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
/// - Errors: EAGAIN: full, and not to wait; ETIMEDOUT; EINTR: a signal handler ran, and nothing was
///   sent; EMSGSIZE: too long; EINVAL: the priority, the timeout; EBADF: opened for receiving only.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mq_timedsend(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_send(
    queue: *mut unipc_queue,
    data: *const c_void,
    length: usize,
    priority: c_uint,
    timeout: i64,
) -> c_int {
    hot(|| Ok(get(queue)?.send_by(bytes("data", data, length)?, priority, deadline(timeout)?)?))
}

/// Sends as unipc_queue_send(), and waits until `seconds` and `nanoseconds` since 1970 on the
/// realtime clock, as POSIX has it: setting that clock moves the end of the wait.
///
/// - Ownership: `data` stays the caller's and is copied; NULL if `length` is 0.
/// - Blocking: up to that time; a time that has passed does not wait.
/// - Errors: those of unipc_queue_send(); EINVAL: `nanoseconds` not in 0 to 999999999, `seconds`
///   negative.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mq_timedsend(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_send_until(
    queue: *mut unipc_queue,
    data: *const c_void,
    length: usize,
    priority: c_uint,
    seconds: i64,
    nanoseconds: i64,
) -> c_int {
    hot(|| {
        let (queue, data) = (get(queue)?, bytes("data", data, length)?);
        Ok(queue.send_by(data, priority, Deadline::at_realtime(seconds, nanoseconds)?)?)
    })
}

/// Takes the oldest message of the highest priority, and waits while the queue is empty. `length`
/// is at least the queue's message_size, whatever the message. `priority`, which may be NULL,
/// receives that of the message.
///
/// - Ownership: `buffer` stays the caller's.
/// - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
/// - Errors: EAGAIN: empty, and not to wait; ETIMEDOUT; EINTR: a signal handler ran, and nothing
///   was taken; EMSGSIZE: the buffer is too short, the sentence says for what, and the message
///   stays; EINVAL: the timeout; EBADF: opened for sending only.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mq_timedreceive(3)
///
/// @return the length of the message, which may be 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_receive(
    queue: *mut unipc_queue,
    buffer: *mut c_void,
    length: usize,
    priority: *mut c_uint,
    timeout: i64,
) -> ssize_t {
    hot(|| receive(queue, buffer, length, priority, deadline(timeout)?))
}

/// Takes a message as unipc_queue_receive(), and waits until `seconds` and `nanoseconds` since
/// 1970 on the realtime clock, as POSIX has it: setting that clock moves the end of the wait.
///
/// - Ownership: `buffer` stays the caller's.
/// - Blocking: up to that time; a time that has passed does not wait.
/// - Errors: those of unipc_queue_receive(); EINVAL: `nanoseconds` not in 0 to 999999999,
///   `seconds` negative.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mq_timedreceive(3)
///
/// @return the length of the message, which may be 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_receive_until(
    queue: *mut unipc_queue,
    buffer: *mut c_void,
    length: usize,
    priority: *mut c_uint,
    seconds: i64,
    nanoseconds: i64,
) -> ssize_t {
    hot(|| receive(queue, buffer, length, priority, Deadline::at_realtime(seconds, nanoseconds)?))
}

#[inline]
unsafe fn receive(
    queue: *mut unipc_queue,
    to: *mut c_void,
    length: usize,
    priority: *mut c_uint,
    deadline: Deadline,
) -> Result<usize, Failure> {
    let received = get(queue)?.receive_into_by(buffer("buffer", to, length)?, deadline)?;
    store(priority, received.priority);
    Ok(received.len)
}

/// Takes a message as unipc_queue_receive(), into memory of its size, and stores where in `data`.
///
/// - Ownership: the memory is the caller's, until unipc_free(). On failure nothing is stored.
/// - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
/// - Errors: those of unipc_queue_receive() but EMSGSIZE; ENOMEM.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mq_timedreceive(3)
///
/// @return the length of the message, which may be 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_receive_alloc(
    queue: *mut unipc_queue,
    data: *mut *mut c_void,
    priority: *mut c_uint,
    timeout: i64,
) -> ssize_t {
    hot(|| {
        let (queue, data) = (get(queue)?, out("data", data)?);
        let mut fresh = Fresh::new(queue.message_size())?;
        let received = queue.receive_into_by(fresh.bytes(), deadline(timeout)?)?;
        store(priority, received.priority);
        data.write(fresh.keep(received.len));
        Ok(received.len)
    })
}

/// Fills `attributes` with what the queue is like now.
///
/// - Ownership: `attributes` stays the caller's.
/// - Blocking: never.
/// - Errors: EINVAL: `attributes` says that it has no size.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mq_getattr(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_get_attributes(
    queue: *const unipc_queue,
    attributes: *mut unipc_queue_attributes,
) -> c_int {
    cold(|| {
        let now = get(queue)?.attributes()?;
        let all = unipc_queue_attributes {
            size: size_of::<unipc_queue_attributes>(),
            max_messages: now.max_messages,
            message_size: now.message_size,
            queued: now.queued,
            nonblocking: now.nonblocking.into(),
            reserved: 0,
        };
        fill("attributes", attributes, &all)
    })
}

/// Sets, with `on` not 0, or clears that no call on this handle waits. Handles that were opened
/// separately are not concerned; those of a child that inherited this one are.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mq_setattr(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_set_nonblocking(queue: *mut unipc_queue, on: c_int) -> c_int {
    cold(|| Ok(get(queue)?.set_nonblocking(on != 0)?))
}

/// The descriptor of the queue, for poll(2) and its kin: readable while it holds a message,
/// writable while it has room.
///
/// - Ownership: stays the handle's: not to be closed, and good until unipc_queue_close().
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mq_overview(7)
///
/// @return the descriptor, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_fd(queue: *const unipc_queue) -> c_int {
    hot(|| Ok(get(queue)?.as_raw_fd()))
}

/// Has `signal` sent to this process, once, when a message comes into the empty queue and nobody
/// waits for it; si_code is SI_MESGQ, and si_value holds `value`. One process at a time can be
/// registered with a queue.
///
/// - Ownership: none changes; the registration is this process's until it fires, is cancelled or any
///   handle of the queue is closed in this process.
/// - Blocking: never.
/// - Errors: EBUSY: some process is registered; EINVAL: no such signal.
/// - Safety: threads: any; fork: the child has no registration; signals: no.
/// - See: mq_notify(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_notify_signal(queue: *mut unipc_queue, signal: c_int, value: usize) -> c_int {
    cold(|| Ok(get(queue)?.notify_signal(signal, value)?))
}

/// Has `callback` called with `argument`, once and on a thread of its own, when a message comes
/// into the empty queue and nobody waits for it. It may register anew, and must return: neither
/// pthread_exit(3) nor an exception of C++ may leave it. Its thread has 2 MiB of stack, and all
/// signals blocked but those of its own faults.
///
/// - Ownership: `argument` is only passed on; it must be good until the call has returned or
///   unipc_queue_cancel_notify() has. Closing any handle of the queue in this process cancels too,
///   but a call that is due by then may still come.
/// - Blocking: never.
/// - Errors: EBUSY: some process is registered; EAGAIN: no thread can be made; EMFILE.
/// - Safety: threads: any; fork: the child has no registration, but a descriptor of it until it
///   calls exec; signals: no.
/// - See: mq_notify(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_notify_callback(
    queue: *mut unipc_queue,
    callback: Option<unsafe extern "C" fn(argument: *mut c_void)>,
    argument: *mut c_void,
) -> c_int {
    cold(|| {
        let callback = callback.ok_or(Failure::Null("callback"))?;
        let argument = Lent(argument);
        Ok(get(queue)?.notify_callback(move || {
            let Lent(argument) = { argument };
            callback(argument);
        })?)
    })
}

/// Cancels what unipc_queue_notify_signal() or unipc_queue_notify_callback() registered in this
/// process, if anything. When it returns, no callback of this handle runs or will run.
///
/// - Ownership: none changes.
/// - Blocking: while a callback that is due runs, unless it is the callback that calls.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mq_notify(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_cancel_notify(queue: *mut unipc_queue) -> c_int {
    cold(|| Ok(get(queue)?.cancel_notify()?))
}

/// Closes the handle. NULL is allowed. The queue and its messages stay.
///
/// - Ownership: takes the handle; this process's notification by the queue is cancelled.
/// - Blocking: never.
/// - Errors: EBADF: it is closed already.
/// - Safety: threads: none may be in a call on the handle, as with close(2); fork: the handles of
///   parent and child are closed separately; signals: no.
/// - See: mq_close(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_close(queue: *mut unipc_queue) -> c_int {
    cold(|| close(queue))
}
