//! Pipes, and the ends that FIFOs have too.

use crate::boundary::{
    Handle, Kind, adopt_fd, borrow_fd, buffer, bytes, close, cold, deadline, get, hand, hot, out, store,
};
use libc::ssize_t;
use std::ffi::{c_int, c_void};
use std::os::fd::AsRawFd;
use unipc::{PipeReader, PipeWriter};

/// A write of up to this many bytes goes in one piece, never mixed with another's.
pub const UNIPC_PIPE_BUF: usize = 4096;
const _: () = assert!(UNIPC_PIPE_BUF == unipc::pipe::PIPE_BUF);

/// The end of a pipe or FIFO that bytes come out of. Opaque.
pub struct unipc_pipe_reader {
    _opaque: (),
}

/// The end of a pipe or FIFO that bytes go into. Opaque.
pub struct unipc_pipe_writer {
    _opaque: (),
}

impl Handle for unipc_pipe_reader {
    type Value = PipeReader;
    const KIND: Kind = Kind::PipeReader;
}

impl Handle for unipc_pipe_writer {
    type Value = PipeWriter;
    const KIND: Kind = Kind::PipeWriter;
}

/// Makes a pipe: what is written to `writer` is read from `reader`. Both descriptors are
/// close-on-exec.
///
/// - Ownership: both handles are the caller's, until unipc_pipe_reader_close() and
///   unipc_pipe_writer_close(). On failure nothing is stored.
/// - Blocking: never.
/// - Errors: EMFILE; ENFILE.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: pipe(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_create(
    reader: *mut *mut unipc_pipe_reader,
    writer: *mut *mut unipc_pipe_writer,
) -> c_int {
    cold(|| {
        let (reader, writer) = (out("reader", reader)?, out("writer", writer)?);
        let pipe = unipc::pipe()?;
        reader.write(hand(pipe.0));
        writer.write(hand(pipe.1));
        Ok(())
    })
}

/// Makes two pipes, crossed: what one side writes, the other reads. The sides are alike; one may
/// keep `reader1` and `writer1` and give the other two to a child.
///
/// - Ownership: the four handles are the caller's, until each is closed. On failure nothing is
///   stored.
/// - Blocking: never.
/// - Errors: EMFILE; ENFILE.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: pipe(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_duplex(
    reader1: *mut *mut unipc_pipe_reader,
    writer1: *mut *mut unipc_pipe_writer,
    reader2: *mut *mut unipc_pipe_reader,
    writer2: *mut *mut unipc_pipe_writer,
) -> c_int {
    cold(|| {
        let (reader1, writer1) = (out("reader1", reader1)?, out("writer1", writer1)?);
        let (reader2, writer2) = (out("reader2", reader2)?, out("writer2", writer2)?);
        let sides = unipc::duplex()?;
        reader1.write(hand(sides.0.reader));
        writer1.write(hand(sides.0.writer));
        reader2.write(hand(sides.1.reader));
        writer2.write(hand(sides.1.writer));
        Ok(())
    })
}

// ---- reading and writing

/// Reads what is there, up to `length` bytes, and waits for the first of them. 0 is the end of
/// file: nothing is left and the last writer is closed.
///
/// - Ownership: `buffer` stays the caller's; NULL if `length` is 0.
/// - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
/// - Errors: EAGAIN: empty, and not to wait; ETIMEDOUT; EINTR: a signal handler ran, and nothing was
///   taken; EINVAL: the timeout.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: read(2), pipe(7)
///
/// @return the count of bytes read, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_read(
    reader: *mut unipc_pipe_reader,
    buffer: *mut c_void,
    length: usize,
    timeout: i64,
) -> ssize_t {
    hot(|| Ok(get(reader)?.read_by(self::buffer("buffer", buffer, length)?, deadline(timeout)?)?))
}

/// Reads until `length` bytes are there, or the end of file, which makes the count smaller.
///
/// - Ownership: `buffer` stays the caller's; NULL if `length` is 0. `done`, which may be NULL,
///   receives how many bytes stand in it, on failure too: those are taken from the pipe.
/// - Blocking: up to `timeout` nanoseconds in all; UNIPC_FOREVER; 0: not at all.
/// - Errors: those of unipc_pipe_read().
/// - Safety: threads: any, but each takes what comes next; fork: yes; signals: no.
/// - See: read(2), pipe(7)
///
/// @return the count of bytes read, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_read_full(
    reader: *mut unipc_pipe_reader,
    buffer: *mut c_void,
    length: usize,
    timeout: i64,
    done: *mut usize,
) -> ssize_t {
    hot(|| {
        store(done, 0);
        let (reader, buffer) = (get(reader)?, self::buffer("buffer", buffer, length)?);
        let count =
            reader.read_full(buffer, deadline(timeout)?).inspect_err(|error| store(done, error.transferred()))?;
        store(done, count);
        Ok(count)
    })
}

/// Writes `length` bytes and waits for room. With UNIPC_FOREVER all of them go, unless a signal
/// handler runs meanwhile; otherwise as many as there is room for, but up to UNIPC_PIPE_BUF bytes
/// always whole or not at all.
///
/// That nobody reads is the error EPIPE, and no SIGPIPE where that would end the program. One that
/// ignores or handles SIGPIPE when the end is made is relied upon to go on doing so.
///
/// - Ownership: `data` stays the caller's and is copied; NULL if `length` is 0.
/// - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
/// - Errors: EPIPE: the last reader is closed; EAGAIN: full, and not to wait; ETIMEDOUT; EINTR: a
///   signal handler ran, and nothing was written; EINVAL: the timeout.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: write(2), pipe(7)
///
/// @return the count of bytes written, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_write(
    writer: *mut unipc_pipe_writer,
    data: *const c_void,
    length: usize,
    timeout: i64,
) -> ssize_t {
    hot(|| Ok(get(writer)?.write_by(bytes("data", data, length)?, deadline(timeout)?)?))
}

/// Writes all of `length` bytes, in as many pieces as it takes.
///
/// - Ownership: `data` stays the caller's and is copied; NULL if `length` is 0. `done`, which may be
///   NULL, receives how many bytes went, on failure too.
/// - Blocking: up to `timeout` nanoseconds in all; UNIPC_FOREVER; 0: not at all.
/// - Errors: those of unipc_pipe_write().
/// - Safety: threads: any, but beyond UNIPC_PIPE_BUF bytes their pieces mix; fork: yes; signals:
///   no.
/// - See: write(2), pipe(7)
///
/// @return `length`, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_write_full(
    writer: *mut unipc_pipe_writer,
    data: *const c_void,
    length: usize,
    timeout: i64,
    done: *mut usize,
) -> ssize_t {
    hot(|| {
        store(done, 0);
        let (writer, data) = (get(writer)?, bytes("data", data, length)?);
        writer.write_full(data, deadline(timeout)?).inspect_err(|error| store(done, error.transferred()))?;
        store(done, length);
        Ok(length)
    })
}

/// How many bytes a read would find.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: ioctl_pipe(2)
///
/// @return the count, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_available(reader: *const unipc_pipe_reader) -> ssize_t {
    hot(|| Ok(get(reader)?.available()?))
}

// ---- moving bytes without copying them

/// Moves up to `length` bytes from the pipe to a file, a socket or a pipe, without a copy through
/// this process. 0 is the end of file.
///
/// - Ownership: `fd` stays the caller's; its offset moves.
/// - Blocking: up to `timeout` nanoseconds for both sides; UNIPC_FOREVER; 0: not at all, but for a
///   disk; a socket or terminal with room for a part waits for the rest unless it is O_NONBLOCK.
/// - Errors: EAGAIN: empty, or no room; ETIMEDOUT; EINTR; EPIPE, without SIGPIPE; EBADF: `fd`;
///   EINVAL: `fd` cannot be spliced to, as when it appends, or the timeout; and what writing to `fd`
///   gives.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: splice(2)
///
/// @return the count of bytes moved, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_splice_to(
    reader: *mut unipc_pipe_reader,
    fd: c_int,
    length: usize,
    timeout: i64,
) -> ssize_t {
    cold(|| Ok(get(reader)?.splice_to(borrow_fd(fd)?, length, deadline(timeout)?)?))
}

/// Moves up to `length` bytes from a file, a socket or a pipe into the pipe, without a copy through
/// this process. 0 is the end of that file.
///
/// - Ownership: `fd` stays the caller's; its offset moves.
/// - Blocking: up to `timeout` nanoseconds for both sides; UNIPC_FOREVER; 0: not at all, but for a
///   disk; a socket or terminal with room for a part waits for the rest unless it is O_NONBLOCK.
/// - Errors: EAGAIN: nothing there, or full; ETIMEDOUT; EINTR; EPIPE, without SIGPIPE; EBADF: `fd`;
///   EINVAL: `fd` cannot be spliced from, or the timeout; and what reading `fd` gives.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: splice(2)
///
/// @return the count of bytes moved, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_splice_from(
    writer: *mut unipc_pipe_writer,
    fd: c_int,
    length: usize,
    timeout: i64,
) -> ssize_t {
    cold(|| Ok(get(writer)?.splice_from(borrow_fd(fd)?, length, deadline(timeout)?)?))
}

/// Copies up to `length` bytes from one pipe into another; they also stay in the first.
///
/// - Ownership: none changes.
/// - Blocking: up to `timeout` nanoseconds for both sides; UNIPC_FOREVER; 0: not at all.
/// - Errors: EAGAIN: nothing there, or full; ETIMEDOUT; EINTR; EPIPE, without SIGPIPE; EINVAL: both
///   are ends of one pipe, or the timeout.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: tee(2)
///
/// @return the count of bytes copied, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_tee(
    reader: *mut unipc_pipe_reader,
    writer: *mut unipc_pipe_writer,
    length: usize,
    timeout: i64,
) -> ssize_t {
    cold(|| {
        let (reader, writer) = (get(reader)?, get(writer)?);
        Ok(reader.tee(writer, length, deadline(timeout)?)?)
    })
}

/// Puts up to `length` bytes into the pipe by lending their pages, not by copying.
///
/// - Ownership: `data` stays the caller's, but must neither change nor be freed until the reader
///   has taken it.
/// - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
/// - Errors: those of unipc_pipe_write().
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: vmsplice(2)
///
/// @return the count of bytes lent, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_vmsplice(
    writer: *mut unipc_pipe_writer,
    data: *const c_void,
    length: usize,
    timeout: i64,
) -> ssize_t {
    cold(|| Ok(get(writer)?.vmsplice(bytes("data", data, length)?, deadline(timeout)?)?))
}

// ---- what a reader has

/// How many bytes the pipe holds.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: fcntl(2), F_GETPIPE_SZ
///
/// @return the capacity in bytes, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_reader_capacity(reader: *const unipc_pipe_reader) -> ssize_t {
    hot(|| Ok(get(reader)?.capacity()?))
}

/// Makes the pipe hold at least `capacity` bytes; the kernel rounds up.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: EBUSY: more than that is in it; EPERM: more than fs.pipe-max-size; EINVAL; ENOMEM.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: fcntl(2), F_SETPIPE_SZ
///
/// @return the capacity that it has now, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_reader_set_capacity(reader: *mut unipc_pipe_reader, capacity: usize) -> ssize_t {
    cold(|| Ok(get(reader)?.set_capacity(capacity)?))
}

/// Sets, with `on` not 0, or clears O_NONBLOCK: whether reading and writing with UNIPC_FOREVER fail with
/// EAGAIN and do not wait. The flag is that of the open file description, which children share; a timeout
/// neither needs it nor touches it.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: fcntl(2), F_SETFL
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_reader_set_nonblocking(reader: *mut unipc_pipe_reader, on: c_int) -> c_int {
    cold(|| Ok(get(reader)?.set_nonblocking(on != 0)?))
}

/// Whether O_NONBLOCK is set.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: fcntl(2), F_GETFL
///
/// @return 1 or 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_reader_is_nonblocking(reader: *const unipc_pipe_reader) -> c_int {
    cold(|| Ok(get(reader)?.is_nonblocking()?))
}

/// Sets, with `on` not 0, or clears whether the descriptor stays open across exec. It does not when
/// it is made.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any, but each program that another thread starts meanwhile inherits it; fork:
///   yes; signals: no.
/// - See: fcntl(2), F_SETFD
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_reader_set_inheritable(reader: *mut unipc_pipe_reader, on: c_int) -> c_int {
    cold(|| Ok(get(reader)?.set_inheritable(on != 0)?))
}

/// Whether the descriptor stays open across exec.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: fcntl(2), F_GETFD
///
/// @return 1 or 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_reader_is_inheritable(reader: *const unipc_pipe_reader) -> c_int {
    cold(|| Ok(get(reader)?.is_inheritable()?))
}

/// The descriptor of the end, for poll(2) and its kin.
///
/// - Ownership: stays the handle's: not to be closed, and good until unipc_pipe_reader_close().
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: fileno(3)
///
/// @return the descriptor, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_reader_fd(reader: *const unipc_pipe_reader) -> c_int {
    hot(|| Ok(get(reader)?.as_raw_fd()))
}

/// Makes a handle of a descriptor, as one that was inherited across exec.
///
/// - Ownership: takes `fd`, which unipc_pipe_reader_close() then closes; on failure it stays the
///   caller's. The handle is the caller's.
/// - Blocking: never.
/// - Errors: EBADF: `fd` is not open, or not for reading; EINVAL: `fd` is no pipe or FIFO; EMFILE.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: fdopen(3)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_reader_from_fd(fd: c_int) -> *mut unipc_pipe_reader {
    cold(|| Ok(hand(adopt_fd(fd, PipeReader::try_from_fd)?)))
}

/// Makes a second handle of the same end. The end is closed when both are.
///
/// - Ownership: the new handle is the caller's, until unipc_pipe_reader_close().
/// - Blocking: never.
/// - Errors: EMFILE.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: dup(2)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_reader_duplicate(reader: *const unipc_pipe_reader) -> *mut unipc_pipe_reader {
    cold(|| Ok(hand(get(reader)?.try_clone()?)))
}

/// Makes descriptor `target` this end too, whatever it was before: 0 makes it the standard input. It stays open
/// across exec.
///
/// - Ownership: what `target` was is closed; what it becomes is the caller's, beside the handle.
/// - Blocking: never.
/// - Errors: EBADF: `target` is out of range; EBUSY.
/// - Safety: threads: any, if none uses `target`; fork: yes; signals: no.
/// - See: dup2(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_reader_duplicate_onto(reader: *const unipc_pipe_reader, target: c_int) -> c_int {
    cold(|| Ok(get(reader)?.duplicate_onto(target)?))
}

/// Closes the handle. NULL is allowed. With the last reader gone, writing is EPIPE.
///
/// - Ownership: takes the handle and its descriptor.
/// - Blocking: never.
/// - Errors: EBADF: it is closed already.
/// - Safety: threads: none may be in a call on the handle, as with close(2); fork: the handles of
///   parent and child are closed separately; signals: no.
/// - See: close(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_reader_close(reader: *mut unipc_pipe_reader) -> c_int {
    cold(|| close(reader))
}

// ---- what a writer has

/// How many bytes the pipe holds.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: fcntl(2), F_GETPIPE_SZ
///
/// @return the capacity in bytes, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_writer_capacity(writer: *const unipc_pipe_writer) -> ssize_t {
    hot(|| Ok(get(writer)?.capacity()?))
}

/// Makes the pipe hold at least `capacity` bytes; the kernel rounds up.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: EBUSY: more than that is in it; EPERM: more than fs.pipe-max-size; EINVAL; ENOMEM.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: fcntl(2), F_SETPIPE_SZ
///
/// @return the capacity that it has now, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_writer_set_capacity(writer: *mut unipc_pipe_writer, capacity: usize) -> ssize_t {
    cold(|| Ok(get(writer)?.set_capacity(capacity)?))
}

/// Sets, with `on` not 0, or clears O_NONBLOCK: whether reading and writing with UNIPC_FOREVER fail with
/// EAGAIN and do not wait. The flag is that of the open file description, which children share; a timeout
/// neither needs it nor touches it.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: fcntl(2), F_SETFL
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_writer_set_nonblocking(writer: *mut unipc_pipe_writer, on: c_int) -> c_int {
    cold(|| Ok(get(writer)?.set_nonblocking(on != 0)?))
}

/// Whether O_NONBLOCK is set.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: fcntl(2), F_GETFL
///
/// @return 1 or 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_writer_is_nonblocking(writer: *const unipc_pipe_writer) -> c_int {
    cold(|| Ok(get(writer)?.is_nonblocking()?))
}

/// Sets, with `on` not 0, or clears whether the descriptor stays open across exec. It does not when
/// it is made.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any, but each program that another thread starts meanwhile inherits it; fork:
///   yes; signals: no.
/// - See: fcntl(2), F_SETFD
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_writer_set_inheritable(writer: *mut unipc_pipe_writer, on: c_int) -> c_int {
    cold(|| Ok(get(writer)?.set_inheritable(on != 0)?))
}

/// Whether the descriptor stays open across exec.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: fcntl(2), F_GETFD
///
/// @return 1 or 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_writer_is_inheritable(writer: *const unipc_pipe_writer) -> c_int {
    cold(|| Ok(get(writer)?.is_inheritable()?))
}

/// The descriptor of the end, for poll(2) and its kin.
///
/// - Ownership: stays the handle's: not to be closed, and good until unipc_pipe_writer_close().
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: fileno(3)
///
/// @return the descriptor, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_writer_fd(writer: *const unipc_pipe_writer) -> c_int {
    hot(|| Ok(get(writer)?.as_raw_fd()))
}

/// Makes a handle of a descriptor, as one that was inherited across exec.
///
/// - Ownership: takes `fd`, which unipc_pipe_writer_close() then closes; on failure it stays the
///   caller's. The handle is the caller's.
/// - Blocking: never.
/// - Errors: EBADF: `fd` is not open, or not for writing; EINVAL: `fd` is no pipe or FIFO; EMFILE.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: fdopen(3)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_writer_from_fd(fd: c_int) -> *mut unipc_pipe_writer {
    cold(|| Ok(hand(adopt_fd(fd, PipeWriter::try_from_fd)?)))
}

/// Makes a second handle of the same end. The end is closed when both are.
///
/// - Ownership: the new handle is the caller's, until unipc_pipe_writer_close().
/// - Blocking: never.
/// - Errors: EMFILE.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: dup(2)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_writer_duplicate(writer: *const unipc_pipe_writer) -> *mut unipc_pipe_writer {
    cold(|| Ok(hand(get(writer)?.try_clone()?)))
}

/// Makes descriptor `target` this end too, whatever it was before: 1 makes it the standard output. It stays open
/// across exec.
///
/// - Ownership: what `target` was is closed; what it becomes is the caller's, beside the handle.
/// - Blocking: never.
/// - Errors: EBADF: `target` is out of range; EBUSY.
/// - Safety: threads: any, if none uses `target`; fork: yes; signals: no.
/// - See: dup2(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_writer_duplicate_onto(writer: *const unipc_pipe_writer, target: c_int) -> c_int {
    cold(|| Ok(get(writer)?.duplicate_onto(target)?))
}

/// Closes the handle. NULL is allowed. With the last writer gone, and all read, a read is the end of file.
///
/// - Ownership: takes the handle and its descriptor.
/// - Blocking: never.
/// - Errors: EBADF: it is closed already.
/// - Safety: threads: none may be in a call on the handle, as with close(2); fork: the handles of
///   parent and child are closed separately; signals: no.
/// - See: close(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipe_writer_close(writer: *mut unipc_pipe_writer) -> c_int {
    cold(|| close(writer))
}
