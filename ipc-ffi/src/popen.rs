//! Programs as streams of stdio.

use crate::boundary::{Failure, cold, deadline, stdio, store, string, text};
use crate::process::{UNIPC_REDIRECT_PIPE, command, described, unipc_command, unipc_redirect, unipc_status};
use libc::{FILE, pid_t};
use std::ffi::{CStr, c_char, c_int};
use unipc::{Command, Redirect};

/// What stdio calls the mode.
unsafe fn direction(mode: *const c_char) -> Result<&'static CStr, Failure> {
    match text("mode", mode)? {
        "r" => Ok(c"r"),
        "w" => Ok(c"w"),
        "r+" => Ok(c"r+"),
        other => {
            let cause = format!("{other:?} is no mode; there is \"r\", \"w\" and \"r+\", each close-on-exec");
            Err(Failure::Told(libc::EINVAL, cause.into()))
        }
    }
}

/// Starts a command, bound to a new stream.
fn open(mut command: Command, mode: &'static CStr) -> Result<*mut FILE, Failure> {
    if mode != c"w" {
        command.stdout(Redirect::Pipe);
    }
    if mode != c"r" {
        command.stdin(Redirect::Pipe);
    }
    let mut child = command.spawn()?;
    let (reader, writer) = (child.stdout.take(), child.stdin.take());
    stdio::open(mode, child, reader, writer)
}

/// Starts `/bin/sh -c line` and opens a stream: of what that writes to its standard output ("r"), to what it
/// reads from its standard input ("w"), or both ("r+").
///
/// The stream is used as any other of stdio's, but has no descriptor (fileno(3) is -1) and no position, and
/// glibc's freopen(3) crashes on such streams, whoever made them. Reading
/// is the end of file when the program, and all to whom it gave its output, have closed that; writing
/// to a program that has left is EPIPE, and no SIGPIPE where that would end this one. "r" and "w" are
/// buffered. "r+" is not, so that each call writes at once and reading and writing can alternate as they
/// please; unipc_popen_finish() ends its writing half. Who writes more than two pipes hold to a program that
/// answers while nobody reads its answers waits for ever: there, use unipc_child_communicate().
///
/// - Ownership: the stream is the caller's, until unipc_pclose(). fclose(3) closes it too, and leaves the program
///   as unipc_child_close() does. `line` and `mode` stay the caller's.
/// - Blocking: until the shell is loaded.
/// - Errors: EINVAL: the mode; EMFILE; ENFILE; ENOMEM; EAGAIN: the limit of processes. What reading and
///   writing give, errno and unipc_last_error() tell.
/// - Safety: threads: any, on the stream as stdio has it; fork: yes; signals: no.
/// - See: popen(3), fopencookie(3)
///
/// @return the stream, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_popen(line: *const c_char, mode: *const c_char) -> *mut FILE {
    cold(|| open(Command::shell(string("line", line)?), direction(mode)?))
}

/// Starts a command, an argument vector say, and opens a stream as unipc_popen() does. What the stream is bound
/// to it replaces in the command; the other streams are as that says, but none is UNIPC_REDIRECT_PIPE.
///
/// - Ownership: as unipc_popen(); `command` and all in it stays the caller's.
/// - Blocking: as unipc_spawn().
/// - Errors: those of unipc_spawn(); EINVAL: the mode; a pipe that nobody would have the end of.
/// - Safety: threads: any, while none changes the environment; fork: yes; signals: no.
/// - See: popen(3), posix_spawn(3)
///
/// @return the stream, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_popen_command(command: *const unipc_command, mode: *const c_char) -> *mut FILE {
    cold(|| {
        let (given, mode) = (described(command)?, direction(mode)?);
        let is_pipe = |of: &unipc_redirect| of.kind == UNIPC_REDIRECT_PIPE;
        if is_pipe(&given.error) || mode == c"r" && is_pipe(&given.input) || mode == c"w" && is_pipe(&given.output) {
            let cause = "a stream has no end for a pipe besides its own: bind the others to something else";
            return Err(Failure::Told(libc::EINVAL, cause.into()));
        }
        open(self::command(&given)?, mode)
    })
}

/// Closes the writing half of a stream of mode "r+" or "w": the program finds the end of its input. What stands
/// in the stream's buffer is written first.
///
/// - Ownership: none changes; what the program writes is still to be read, and the stream to be closed.
/// - Blocking: until the program has taken what stands in the buffer.
/// - Errors: EBADF: the stream is none of unipc_popen(), or closed; EINTR: a signal handler ran: call again.
/// - Safety: threads: waits for those that use the stream; fork: yes; signals: no.
/// - See: popen(3), shutdown(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_popen_finish(stream: *mut FILE) -> c_int {
    cold(|| stdio::find(stream)?.finish())
}

/// The number of the stream's process: the shell's or the program's.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: EBADF: the stream is none of unipc_popen(), or closed.
/// - Safety: threads: any, also while others use the stream; fork: yes; signals: no.
/// - See: popen(3)
///
/// @return the number, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_popen_pid(stream: *mut FILE) -> pid_t {
    cold(|| Ok(stdio::find(stream)?.child.id()))
}

/// Sends the stream's process a signal: that of the shell, where there is one, and not of what it started.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: EBADF: the stream is none of unipc_popen(), or closed; EINVAL: there is no such signal; EPERM.
/// - Safety: threads: any, also while others use the stream; fork: yes; signals: no.
/// - See: pidfd_send_signal(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_popen_signal(stream: *mut FILE, signal: c_int) -> c_int {
    cold(|| Ok(stdio::find(stream)?.child.signal(signal)?))
}

/// Closes a stream: writes what stands in its buffer, closes its pipes, waits for the program and stores in
/// `status`, which may be NULL, how it ended. A program that still writes is killed by SIGPIPE; that it did not
/// read everything is no error here: its status tells.
///
/// - Ownership: takes the stream, when it is 0 or ECHILD. On any other failure the stream stays the caller's, to be
///   closed again; nothing that was written to it is lost, but when all was, its pipes are closed already.
/// - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
/// - Errors: EBADF: the stream is none of unipc_popen(), or closed; EAGAIN: the program runs, and not to wait;
///   ETIMEDOUT: it runs on, unipc_popen_signal() reaches it; EINTR: a signal handler ran; ECHILD: it has
///   ended, but its status is lost as said of unipc_child_wait(); EINVAL: the timeout.
/// - Safety: threads: no other may use the stream; fork: ECHILD; signals: no.
/// - See: pclose(3)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pclose(stream: *mut FILE, status: *mut unipc_status, timeout: i64) -> c_int {
    cold(|| {
        let deadline = deadline(timeout)?;
        let opened = stdio::find(stream)?;
        opened.settle(deadline)?;
        opened.leave();
        let ended = opened.child.wait_by(deadline);
        if ended.as_ref().err().is_none_or(|error| error.errno() == libc::ECHILD) {
            stdio::close(stream);
        }
        store(status, ended?.into());
        Ok(())
    })
}
