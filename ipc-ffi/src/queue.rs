//! Message queues.

use crate::boundary::{
    Failure, Fresh, Handle, Inside, Kind, Lent, Versioned, array, buffer, bytes, close, cold, deadline, enter, fill,
    hand, hot, options, out, pieces, shared, store, text,
};
use crate::{access, created, engine, reserved, set_mode, unipc_access, unipc_engine};
use libc::{iovec, ssize_t};
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::os::fd::AsRawFd;
use std::ptr;
use unipc::queue::{Borrowed, Loan, QueueOptions, Received, Reserved};
use unipc::{Deadline, Engine, Queue};

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

    fn is_endable(queue: &Queue) -> bool {
        queue.engine() == Engine::Shm
    }

    fn end_waits(queue: &Queue) {
        let _ = queue.shutdown(); // which an endable one can
    }
}

/// How a queue is made and opened. Begin with UNIPC_QUEUE_OPTIONS_INIT; in every field 0 is the
/// default. NULL in place of the struct is every default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_queue_options {
    /// sizeof(unipc_queue_options), as the caller compiled it.
    pub size: usize,
    /// Messages that it holds; 0: the system's default, fs.mqueue.msg_default, or 10 on engine shm.
    /// Only for making.
    pub max_messages: usize,
    /// Bytes of the longest message; 0: the system's default, fs.mqueue.msgsize_default, or 8192 on
    /// engine shm. Only for making.
    pub message_size: usize,
    /// Permission bits; 0: 0600. The umask applies. Only for making. Who uses a queue of engine shm, in
    /// whatever direction, needs both read and write.
    pub mode: c_uint,
    /// Not 0: the umask does not apply to `mode`.
    pub exact_mode: c_int,
    /// What does the work. A queue is opened with the engine that it was made with.
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

/// A message in place, in the memory of a queue of engine shm. Begin with UNIPC_QUEUE_SLOT_INIT. It
/// holds a message from unipc_queue_reserve() to unipc_queue_commit() or unipc_queue_abort(), or from
/// unipc_queue_borrow() to unipc_queue_release() or unipc_queue_put_back(); before and after that it
/// holds none, and ending that again is refused.
///
/// The struct may be copied and handed to another thread, which may end what this one began. Ended
/// once, the copies are stale: EINVAL or EOWNERDEAD. The end of the thread that reserved or borrowed
/// ends the message too, as its death does: what was reserved is not sent, and what was borrowed is in
/// the queue again.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_queue_slot {
    /// sizeof(unipc_queue_slot), as the caller compiled it.
    pub size: usize,
    /// The bytes, aligned to 16; good until the message ends or the handle is closed. Of a borrowed
    /// message they must not be written. Whoever may write the queue can change them at any time: what
    /// is checked must be copied first. NULL: no message.
    pub data: *mut c_void,
    /// How many. Of a reserved message it may be made smaller before it is committed.
    pub length: usize,
    /// The priority of the message.
    pub priority: c_uint,
    /// 0.
    pub reserved: c_int,
    /// unipc's own.
    pub loan: [u64; 3],
}

impl unipc_queue_slot {
    /// The caller's slot, which holds a message, or the other way round, does not.
    #[inline]
    unsafe fn of<'a>(slot: *mut unipc_queue_slot, holds: bool) -> Result<&'a mut unipc_queue_slot, Failure> {
        let slot = shared("slot", slot)?;
        match (slot.loan[1] != 0, holds) {
            (true, false) => Err(Failure::FullSlot),
            (false, true) => Err(Failure::EmptySlot),
            _ => Ok(slot),
        }
    }

    #[inline]
    fn hold(&mut self, data: *mut u8, length: usize, priority: c_uint, loan: Loan) {
        (self.data, self.length, self.priority) = (data.cast(), length, priority);
        self.loan = loan.to_words();
    }

    /// It holds nothing any more, if that was the outcome.
    #[inline]
    fn end(&mut self, outcome: unipc::Result<()>) -> Result<(), Failure> {
        if outcome.as_ref().err().is_none_or(|error| error.errno() == libc::EOWNERDEAD) {
            self.hold(ptr::null_mut(), 0, 0, Loan::from_words([0; 3]));
        }
        Ok(outcome?)
    }
}

// SAFETY: repr(C), led by its size, and without padding: what the assertions count.
unsafe impl Versioned for unipc_queue_options {}
const _: () = assert!(size_of::<unipc_queue_options>() == 3 * size_of::<usize>() + 6 * size_of::<c_int>());
// SAFETY: as above.
unsafe impl Versioned for unipc_queue_attributes {}
const _: () = assert!(size_of::<unipc_queue_attributes>() == 4 * size_of::<usize>() + 2 * size_of::<c_int>());
// SAFETY: as above.
unsafe impl Versioned for unipc_queue_slot {}
const _: () = assert!(size_of::<unipc_queue_slot>() == 3 * size_of::<usize>() + 2 * size_of::<c_int>() + 3 * 8);

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

/// Makes one call on a queue. Who finds it closed while waiting is told so.
#[inline(always)]
unsafe fn on<A>(
    queue: *const unipc_queue,
    call: impl FnOnce(&Inside<unipc_queue>) -> Result<A, Failure>,
) -> Result<A, Failure> {
    let queue = enter(queue)?;
    call(&queue).map_err(|failure| queue.judge(failure))
}

/// Makes a call that may wait. Where that costs no system call it first tries without: most need not
/// wait, and so no look at the clock.
#[inline(always)]
fn patiently<A>(queue: &Queue, timeout: i64, mut call: impl FnMut(Deadline) -> unipc::Result<A>) -> Result<A, Failure> {
    if timeout > 0 && queue.engine() == Engine::Shm {
        match call(Deadline::NOW) {
            Err(error) if error.would_block() => {}
            outcome => return Ok(outcome?),
        }
    }
    Ok(call(deadline(timeout)?)?)
}

/// Makes a queue that must not exist yet, on whichever engine, and opens it.
///
/// `name` is "/orders": one slash at its beginning, no other, and 1 to 255 bytes behind it.
/// `options` may be NULL.
///
/// On engine posix it lives in the kernel, within the limits of fs.mqueue and RLIMIT_MSGQUEUE. On
/// engine shm it is the file /dev/shm/unipc.queue.orders, of which all space is reserved now, for as
/// many messages of as many bytes as /dev/shm has room for, each up to 2147483647; the threads of all
/// processes that use it at one time are 1024 at most.
///
/// - Ownership: the handle is the caller's, until unipc_queue_close(). The queue itself stays until
///   unipc_queue_unlink() and the last close, or the end of the system.
/// - Blocking: never.
/// - Errors: EEXIST; EINVAL, EMFILE, ENOSPC, ENOMEM: the sentence names the limit that a size or
///   count goes beyond, its value and the way out; EACCES; ENAMETOOLONG; ENFILE; E2BIG: options of
///   a newer header; EOPNOTSUPP: engine shm where the C library or the kernel has no robust futexes.
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
/// - Errors: ENOENT; EACCES; EINVAL: the name, or the queue is of the other engine; ENAMETOOLONG;
///   EMFILE; ENFILE; E2BIG: options of a newer header. On engine shm: EBADMSG: the file is no queue, or
///   spoiled; EPROTO: of another version of unipc's layout or another kind of machine; EUSERS: 1024
///   threads use it; ENOSPC: no page of /dev/shm is left for one more; ENOMEM; EOPNOTSUPP as
///   unipc_queue_create().
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

/// Removes the name of a queue, of whichever engine. Who has it open keeps it; it goes with the last
/// of them.
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
    hot(|| {
        on(queue, |queue| {
            let data = bytes("data", data, length)?;
            patiently(queue, timeout, |deadline| queue.send_by(data, priority, deadline))
        })
    })
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
        on(queue, |queue| {
            let data = bytes("data", data, length)?;
            Ok(queue.send_by(data, priority, Deadline::at_realtime(seconds, nanoseconds)?)?)
        })
    })
}

/// Takes the oldest message of the highest priority, and waits while the queue is empty. `length`
/// is at least the queue's message_size, whatever the message. `priority`, which may be NULL,
/// receives that of the message.
///
/// - Ownership: `buffer` stays the caller's; after a failure its bytes mean nothing.
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
    hot(|| {
        on(queue, |queue| {
            let buffer = self::buffer("buffer", buffer, length)?;
            let Received { len, priority: at } =
                patiently(queue, timeout, |deadline| queue.receive_into_by(buffer, deadline))?;
            store(priority, at);
            Ok(len)
        })
    })
}

/// Takes a message as unipc_queue_receive(), and waits until `seconds` and `nanoseconds` since
/// 1970 on the realtime clock, as POSIX has it: setting that clock moves the end of the wait.
///
/// - Ownership: `buffer` stays the caller's; after a failure its bytes mean nothing.
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
    hot(|| {
        on(queue, |queue| {
            let buffer = self::buffer("buffer", buffer, length)?;
            let received = queue.receive_into_by(buffer, Deadline::at_realtime(seconds, nanoseconds)?)?;
            store(priority, received.priority);
            Ok(received.len)
        })
    })
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
        on(queue, |queue| {
            let data = out("data", data)?;
            let mut fresh = Fresh::new(queue.message_size())?;
            let received = patiently(queue, timeout, |deadline| queue.receive_into_by(fresh.bytes(), deadline))?;
            store(priority, received.priority);
            data.write(fresh.keep(received.len));
            Ok(received.len)
        })
    })
}

/// Sends `count` messages of one `priority`: waits until there is room for the first, and then sends
/// as many as there is room for. Those behind did not go, and what is wrong with one of them is told
/// by the next call, of which it is the first.
///
/// - Ownership: `messages` and their bytes stay the caller's, and are copied.
/// - Blocking: as unipc_queue_send(), for the first.
/// - Errors: those of unipc_queue_send(), of the first; EINVAL: a NULL in any of them. None went.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: sendmmsg(2)
///
/// @return how many went, 0 only of 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_send_many(
    queue: *mut unipc_queue,
    messages: *const iovec,
    count: usize,
    priority: c_uint,
    timeout: i64,
) -> ssize_t {
    hot(|| {
        on(queue, |queue| {
            let messages = pieces("messages", messages, count)?;
            patiently(queue, timeout, |deadline| queue.send_many(messages, priority, deadline))
        })
    })
}

/// Takes up to `count` messages: waits for the first, and then takes what is there. Message i goes
/// into `buffers[i]`, its length into `lengths[i]` and its priority into `priorities[i]`, if that
/// array is not NULL. Each buffer has at least the queue's message_size.
///
/// - Ownership: all arrays and buffers stay the caller's. `buffers` is not changed, and can serve again.
/// - Blocking: as unipc_queue_receive(), for the first.
/// - Errors: those of unipc_queue_receive(), of the first; EINVAL: a NULL, in any of `buffers` too. None
///   was taken. A later buffer that is too short ends the batch before it.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: recvmmsg(2)
///
/// @return how many were taken, 0 only of 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_receive_many(
    queue: *mut unipc_queue,
    buffers: *const iovec,
    lengths: *mut usize,
    priorities: *mut c_uint,
    count: usize,
    timeout: i64,
) -> ssize_t {
    hot(|| {
        on(queue, |queue| {
            pieces("buffers", buffers, count)?;
            let buffers = array("buffers", buffers, count)?;
            array("lengths", lengths.cast_const(), count)?;
            let mut taken = 0;
            for to in buffers {
                let buffer = buffer("buffers", to.iov_base, to.iov_len)?;
                let received = match taken {
                    0 => patiently(queue, timeout, |deadline| queue.receive_into_by(buffer, deadline))?,
                    _ => match queue.try_receive_into(buffer) {
                        Ok(received) => received,
                        Err(_) => break,
                    },
                };
                lengths.add(taken).write(received.len);
                if !priorities.is_null() {
                    priorities.add(taken).write(received.priority);
                }
                taken += 1;
            }
            Ok(taken)
        })
    })
}

/// Takes room for a message of `length` bytes and `priority` in the queue itself, waits while there is
/// none, and fills `slot`. The bytes are then written at `slot->data` and sent by unipc_queue_commit():
/// nothing is copied. What is not written is what some message left there. Engine shm only.
///
/// - Ownership: the room is the slot's, until unipc_queue_commit() or unipc_queue_abort(); on failure the
///   slot holds nothing.
/// - Blocking: as unipc_queue_send().
/// - Errors: those of unipc_queue_send(); EINVAL: the slot holds a message, or says that it has no size;
///   EOPNOTSUPP: engine posix.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mq_timedsend(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_reserve(
    queue: *mut unipc_queue,
    length: usize,
    priority: c_uint,
    slot: *mut unipc_queue_slot,
    timeout: i64,
) -> c_int {
    hot(|| {
        on(queue, |queue| {
            let slot = unipc_queue_slot::of(slot, false)?;
            let mut message = patiently(queue, timeout, |deadline| queue.reserve_by(length, priority, deadline))?;
            let data = message.as_mut_ptr();
            slot.hold(data, length, priority, message.into_loan());
            Ok(())
        })
    })
}

/// Sends what was written to a reserved slot: its first `slot->length` bytes.
///
/// - Ownership: the slot holds nothing any more, unless EBADF, EMSGSIZE or EINVAL says otherwise.
/// - Blocking: never.
/// - Errors: EMSGSIZE: `slot->length` is more than was reserved; EINVAL: the slot holds no reservation of
///   this queue; EOWNERDEAD: the thread that reserved has ended and the others took its room back, or a
///   copy of the slot was ended before, and nothing is sent; EOPNOTSUPP: engine posix.
/// - Safety: threads: any; fork: the child ends what it began itself; signals: no.
/// - See: mq_timedsend(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_commit(queue: *mut unipc_queue, slot: *mut unipc_queue_slot) -> c_int {
    hot(|| {
        on(queue, |queue| {
            let slot = unipc_queue_slot::of(slot, true)?;
            let [cell, word, reserved] = slot.loan;
            if slot.length as u64 > reserved {
                return Err(Failure::GrownSlot { length: slot.length, reserved });
            }
            let loan = Loan::from_words([cell, word, slot.length as u64]);
            slot.end(queue.resume_reserved(loan).and_then(Reserved::commit))
        })
    })
}

/// Gives back the room of a reserved slot, and sends nothing.
///
/// - Ownership: the slot holds nothing any more, unless EBADF or EINVAL says otherwise.
/// - Blocking: never.
/// - Errors: EINVAL: the slot holds no reservation of this queue; EOWNERDEAD: it was over before;
///   EOPNOTSUPP: engine posix.
/// - Safety: threads: any; fork: the child ends what it began itself; signals: no.
/// - See: mq_overview(7)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_abort(queue: *mut unipc_queue, slot: *mut unipc_queue_slot) -> c_int {
    hot(|| {
        on(queue, |queue| {
            let slot = unipc_queue_slot::of(slot, true)?;
            slot.end(queue.resume_reserved(Loan::from_words(slot.loan)).and_then(Reserved::abort))
        })
    })
}

/// Takes the oldest message of the highest priority as unipc_queue_receive(), but leaves its bytes
/// where they are and fills `slot`. Nobody else receives it, until unipc_queue_release() consumes it or
/// unipc_queue_put_back() puts it where it was. If this process dies before, the others receive it: so
/// each message is dealt with at least once. Engine shm only.
///
/// - Ownership: the message is the slot's, until unipc_queue_release() or unipc_queue_put_back(); on
///   failure the slot holds nothing.
/// - Blocking: as unipc_queue_receive().
/// - Errors: those of unipc_queue_receive() but EMSGSIZE; EINVAL: the slot holds a message, or says that
///   it has no size; EOPNOTSUPP: engine posix.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: mq_timedreceive(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_borrow(
    queue: *mut unipc_queue,
    slot: *mut unipc_queue_slot,
    timeout: i64,
) -> c_int {
    hot(|| {
        on(queue, |queue| {
            let slot = unipc_queue_slot::of(slot, false)?;
            let message = patiently(queue, timeout, |deadline| queue.borrow_by(deadline))?;
            let (data, length, priority) = (message.as_ptr().cast_mut(), message.len(), message.priority());
            slot.hold(data, length, priority, message.into_loan());
            Ok(())
        })
    })
}

/// Consumes a borrowed message: it is out of the queue.
///
/// - Ownership: the slot holds nothing any more, unless EBADF or EINVAL says otherwise.
/// - Blocking: never.
/// - Errors: EINVAL: the slot holds no borrowed message of this queue; EOWNERDEAD: the thread that
///   borrowed has ended and the others took its message back, or a copy of the slot was ended before;
///   EOPNOTSUPP: engine posix.
/// - Safety: threads: any; fork: the child ends what it began itself; signals: no.
/// - See: mq_timedreceive(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_release(queue: *mut unipc_queue, slot: *mut unipc_queue_slot) -> c_int {
    hot(|| {
        on(queue, |queue| {
            let slot = unipc_queue_slot::of(slot, true)?;
            slot.end(queue.resume_borrowed(Loan::from_words(slot.loan)).and_then(Borrowed::release))
        })
    })
}

/// Puts a borrowed message back to where it was, before those that were behind it.
///
/// - Ownership: the slot holds nothing any more, unless EBADF or EINVAL says otherwise.
/// - Blocking: never.
/// - Errors: EINVAL: the slot holds no borrowed message of this queue; EOWNERDEAD: it was over before;
///   EOPNOTSUPP: engine posix.
/// - Safety: threads: any; fork: the child ends what it began itself; signals: no.
/// - See: mq_overview(7)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_put_back(queue: *mut unipc_queue, slot: *mut unipc_queue_slot) -> c_int {
    hot(|| {
        on(queue, |queue| {
            let slot = unipc_queue_slot::of(slot, true)?;
            slot.end(queue.resume_borrowed(Loan::from_words(slot.loan)).and_then(Borrowed::put_back))
        })
    })
}

/// Ends all waits on this handle, in whatever thread, now and later: who waits, or would have to, gets
/// ESHUTDOWN. What needs no wait goes on, and so do other handles. A child made by fork is not
/// concerned. Engine shm only.
///
/// - Ownership: none changes.
/// - Blocking: until those who wait are about to return.
/// - Errors: EOPNOTSUPP: engine posix, whose waits are the kernel's.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: shutdown(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_shutdown(queue: *mut unipc_queue) -> c_int {
    cold(|| on(queue, |queue| Ok(queue.shutdown()?)))
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
        let now = on(queue, |queue| Ok(queue.attributes()?))?;
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
/// separately are not concerned. A child that inherits this one has what was set before the fork; on
/// engine posix what is set later, too.
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
    cold(|| self::on(queue, |queue| Ok(queue.set_nonblocking(on != 0)?)))
}

/// The descriptor of the queue, for poll(2) and its kin: readable while it holds a message,
/// writable while it has room. On engine shm it is an eventfd, not to be read or written, and from the
/// first time that it is asked for a thread of this process keeps it right; what this handle does it
/// shows at once, and what others do a little later.
///
/// - Ownership: stays the handle's: not to be closed, and good until unipc_queue_close().
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes, and a child that polls asks for it anew; signals: no.
/// - See: mq_overview(7)
///
/// @return the descriptor, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_fd(queue: *const unipc_queue) -> c_int {
    cold(|| on(queue, |queue| Ok(queue.as_raw_fd())))
}

/// Has `signal` sent to this process, once, when a message comes into the empty queue and nobody
/// waits for it; si_code is SI_MESGQ, and si_value holds `value`. One process at a time can be
/// registered with a queue. On engine shm a thread of this process waits for the message and sends the
/// signal.
///
/// - Ownership: none changes; the registration is this process's until it fires, is cancelled or this
///   handle is closed; on engine posix, any handle of the queue in this process.
/// - Blocking: never.
/// - Errors: EBUSY: some process is registered; EINVAL: no such signal; EAGAIN: no thread can be made.
/// - Safety: threads: any; fork: the child has no registration; signals: no.
/// - See: mq_notify(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_notify_signal(queue: *mut unipc_queue, signal: c_int, value: usize) -> c_int {
    cold(|| on(queue, |queue| Ok(queue.notify_signal(signal, value)?)))
}

/// Has `callback` called with `argument`, once and on a thread of its own, when a message comes
/// into the empty queue and nobody waits for it. It may register anew, and must return: neither
/// pthread_exit(3) nor an exception of C++ may leave it. Its thread has 2 MiB of stack, and all
/// signals blocked but those of its own faults.
///
/// - Ownership: `argument` is only passed on; it must be good until the call has returned or
///   unipc_queue_cancel_notify() has. Closing this handle cancels too, on engine posix any handle of
///   the queue in this process, but a call that is due by then may still come.
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
        on(queue, |queue| {
            Ok(queue.notify_callback(move || {
                let Lent(argument) = { argument };
                callback(argument);
            })?)
        })
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
    cold(|| on(queue, |queue| Ok(queue.cancel_notify()?)))
}

/// Closes the handle. NULL is allowed. The queue and its messages stay.
///
/// On engine shm other threads may be in calls on the handle: their waits end with EBADF, and this
/// call returns when all of them are out. The bytes of slots are not there any more. What slots of this
/// thread hold goes back to the queue at once; what those of another hold, when that thread next comes
/// to another queue, or ends.
///
/// - Ownership: takes the handle; this process's notification by the queue is cancelled.
/// - Blocking: on engine shm for as long as other threads are in calls, of which none goes on waiting
///   but unipc_queue_cancel_notify(); otherwise never.
/// - Errors: EBADF: it is closed already.
/// - Safety: threads: any on engine shm; on engine posix none may be in a call on the handle, as with
///   close(2); fork: the handles of parent and child are closed separately; signals: no.
/// - See: mq_close(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_queue_close(queue: *mut unipc_queue) -> c_int {
    cold(|| close(queue))
}
