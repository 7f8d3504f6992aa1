//! Children.

use crate::boundary::{
    Failure, Fresh, Handle, Kind, Versioned, array, borrow_fd, bytes, close, cold, deadline, get, hand, options, path,
    store, string, strings, tell,
};
use crate::pipe::{unipc_pipe_reader, unipc_pipe_writer};
use libc::{iovec, pid_t, ssize_t};
use std::ffi::{OsStr, c_char, c_int, c_void};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, MutexGuard, TryLockError};
use unipc::pipeline::Joint;
use unipc::process::{Group, Streams};
use unipc::{Child, Command, Redirect, Status};

/// What a stream of a child is bound to: one of the UNIPC_REDIRECT_ values.
pub type unipc_redirect_kind = c_int;
/// What this process has there.
pub const UNIPC_REDIRECT_INHERIT: unipc_redirect_kind = 0;
/// /dev/null.
pub const UNIPC_REDIRECT_NULL: unipc_redirect_kind = 1;
/// A pipe that is made for it, whose other end the handle gives: unipc_child_take_input() and its like.
pub const UNIPC_REDIRECT_PIPE: unipc_redirect_kind = 2;
/// The descriptor `fd`: of a file, of the end of a pipe or FIFO (unipc_pipe_writer_fd()), of whatever.
pub const UNIPC_REDIRECT_FD: unipc_redirect_kind = 3;
/// The file `path`, opened for reading. A FIFO is waited for until somebody writes to it.
pub const UNIPC_REDIRECT_READ: unipc_redirect_kind = 4;
/// The file `path`, opened for writing; made with mode 0666 under the umask if it is not there, emptied if it is.
pub const UNIPC_REDIRECT_WRITE: unipc_redirect_kind = 5;
/// The file `path`, opened for writing at its end; made if it is not there.
pub const UNIPC_REDIRECT_APPEND: unipc_redirect_kind = 6;
/// Where standard output goes: for standard error alone.
pub const UNIPC_REDIRECT_STDOUT: unipc_redirect_kind = 7;

/// UNIPC_GROUP_OWN of the header.
const GROUP_OWN: c_int = -1;

/// A running or ended program that unipc_spawn() started. Opaque.
pub struct unipc_child {
    _opaque: (),
}

impl Handle for unipc_child {
    type Value = Started<Child>;
    const KIND: Kind = Kind::Child;
}

/// A child or the stages of a pipeline, which any thread may wait for and signal, and apart from that what one
/// thread at a time talks through.
pub struct Started<T> {
    pub running: T,
    ends: Mutex<Ends>,
}

pub struct Ends {
    pub streams: Streams,
    pub joints: Vec<Joint>,
}

impl<T> Started<T> {
    pub fn new(running: T, streams: Streams, joints: Vec<Joint>) -> Started<T> {
        Started { running, ends: Mutex::new(Ends { streams, joints }) }
    }

    /// Never waits for another thread: it may talk for long, or, in a child of fork(2), not exist.
    pub fn ends(&self) -> Result<MutexGuard<'_, Ends>, Failure> {
        match self.ends.try_lock() {
            Ok(ends) => Ok(ends),
            Err(TryLockError::Poisoned(ends)) => Ok(ends.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(Failure::Told(libc::EBUSY, "another thread communicates with it at the moment".into()))
            }
        }
    }
}

/// What a stream of a child is bound to. All zero: UNIPC_REDIRECT_INHERIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_redirect {
    /// Which of them.
    pub kind: unipc_redirect_kind,
    /// For UNIPC_REDIRECT_FD. It stays the caller's; a writing end that stays open here is no end of file for
    /// who reads the other.
    pub fd: c_int,
    /// For UNIPC_REDIRECT_READ, WRITE and APPEND.
    pub path: *const c_char,
}

/// A descriptor for a child.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_descriptor {
    /// Its number in the child; 0 to 2 are the standard streams.
    pub number: c_int,
    /// Which one of this process's, whatever its number. It stays the caller's.
    pub fd: c_int,
}

/// What to run, and how. Begin with UNIPC_COMMAND_INIT; in every field 0 is the default. One of `argv` and
/// `shell` must be set.
///
/// A child has this process's environment, directory, group and standard streams, unless set otherwise, and
/// nothing else: every other descriptor is closed in it, no signal is blocked, and each is at its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_command {
    /// sizeof(unipc_command), as the caller compiled it.
    pub size: usize,
    /// The arguments, and NULL behind the last. The first is the program: without a slash it is searched in
    /// the directories of `PATH`, the child's; with one it is a path. Never a shell.
    pub argv: *const *const c_char,
    /// Or a line for /bin/sh -c. What stands in it is a program of its own: never make one of what strangers
    /// say.
    pub shell: *const c_char,
    /// The program, where argv[0] is to be something else. NULL: argv[0].
    pub program: *const c_char,
    /// The whole environment, each "NAME=VALUE", and NULL behind the last. NULL: this process's. Where it has
    /// no `PATH`, programs are searched in /bin and /usr/bin.
    pub envp: *const *const c_char,
    /// The working directory. NULL: this process's.
    pub directory: *const c_char,
    /// Standard input.
    pub input: unipc_redirect,
    /// Standard output.
    pub output: unipc_redirect,
    /// Standard error.
    pub error: unipc_redirect,
    /// Further descriptors, under numbers of choice; given out crosswise, too.
    pub descriptors: *const unipc_descriptor,
    /// How many.
    pub descriptor_count: usize,
    /// What unipc_child_communicate() collects of one output at most, but for up to a mebibyte; 0: what memory
    /// holds. Of a stage of a pipeline its options say that.
    pub output_limit: usize,
    /// The process group: 0: this process's; UNIPC_GROUP_OWN: a new one, which the child leads; or the number of
    /// one in this session.
    pub group: c_int,
    /// The signal that the child gets when this process ends, however it does; 0: none. A thread of unipc's
    /// own then starts it, and lives as long; what each thread has for itself (nice value, CPU affinity,
    /// capabilities, seccomp filters) the child has from that one. See PR_SET_PDEATHSIG(2const).
    pub death_signal: c_int,
}

/// How a program ended.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_status {
    /// As wait(2) has it, for WIFEXITED() and its like.
    pub raw: c_int,
    /// What it gave to exit(3), 0 to 255; -1: a signal ended it.
    pub code: c_int,
    /// The signal that ended it; 0: it exited.
    pub signal: c_int,
    /// 1: that left a core dump.
    pub core_dumped: c_int,
    /// One number, as a shell has it in `$?`: the code, or 128 and the signal's.
    pub shell_code: c_int,
}

// SAFETY: repr(C), led by its size, and without padding: what the assertions count.
unsafe impl Versioned for unipc_command {}
const _: () = assert!(size_of::<unipc_redirect>() == 2 * size_of::<c_int>() + size_of::<usize>());
const _: () = assert!(
    size_of::<unipc_command>() == size_of::<[usize; 9]>() + size_of::<[unipc_redirect; 3]>() + size_of::<[c_int; 2]>()
);

impl From<Status> for unipc_status {
    fn from(status: Status) -> unipc_status {
        unipc_status {
            raw: status.raw(),
            code: status.code().unwrap_or(-1),
            signal: status.signal().unwrap_or(0),
            core_dumped: status.core_dumped().into(),
            shell_code: status.shell_code(),
        }
    }
}

fn told(cause: &'static str) -> Failure {
    Failure::Told(libc::EINVAL, cause.into())
}

/// A second descriptor of `fd`, for the child to have under `number`.
unsafe fn lend(fd: c_int, number: c_int) -> Result<Redirect, Failure> {
    let lent = borrow_fd(fd).ok().map(Redirect::duplicate);
    match lent {
        Some(Err(error)) if error.errno() != libc::EBADF => Err(error.into()),
        Some(Ok(redirect)) => Ok(redirect),
        _ => {
            let cause = format!("descriptor {fd}, which was to be the child's {number}, is closed");
            Err(Failure::Told(libc::EBADF, cause.into()))
        }
    }
}

pub unsafe fn redirect(given: &unipc_redirect, number: c_int) -> Result<Redirect, Failure> {
    Ok(match given.kind {
        UNIPC_REDIRECT_INHERIT => Redirect::Inherit,
        UNIPC_REDIRECT_NULL => Redirect::Null,
        UNIPC_REDIRECT_PIPE => Redirect::Pipe,
        UNIPC_REDIRECT_FD => lend(given.fd, number)?,
        UNIPC_REDIRECT_READ => Redirect::read(path(given.path)?),
        UNIPC_REDIRECT_WRITE => Redirect::write(path(given.path)?),
        UNIPC_REDIRECT_APPEND => Redirect::append(path(given.path)?),
        UNIPC_REDIRECT_STDOUT => Redirect::Stdout,
        _ => {
            return Err(Failure::Unknown {
                what: "kind of redirect",
                value: given.kind.into(),
                known: "UNIPC_REDIRECT_INHERIT (0), NULL, PIPE, FD, READ, WRITE, APPEND and STDOUT (7)",
            });
        }
    })
}

pub fn group(given: c_int) -> Result<Group, Failure> {
    match given {
        0 => Ok(Group::Inherit),
        GROUP_OWN => Ok(Group::Own),
        1.. => Ok(Group::Join(given)),
        _ => Err(Failure::Unknown {
            what: "group",
            value: given.into(),
            known: "0, UNIPC_GROUP_OWN (-1) and the number of one",
        }),
    }
}

unsafe fn program(given: &unipc_command) -> Result<Command, Failure> {
    if !given.shell.is_null() {
        if !given.argv.is_null() || !given.program.is_null() {
            return Err(told("argv and shell are both set: one of them is what to run"));
        }
        return Ok(Command::shell(string("shell", given.shell)?));
    }
    if given.argv.is_null() {
        return Err(told("neither argv nor shell is set: one of them is what to run"));
    }
    let argv = strings("argv", given.argv)?;
    let mut command = Command::from_arguments(&argv);
    if let (false, Some((first, rest))) = (given.program.is_null(), argv.split_first()) {
        command = Command::new(string("program", given.program)?);
        command.arg0(first).args(rest);
    }
    Ok(command)
}

/// What C describes, with second descriptors of what it lends.
pub unsafe fn command(given: &unipc_command) -> Result<Command, Failure> {
    let mut command = program(given)?;
    if !given.envp.is_null() {
        command.env_clear();
        for entry in strings("envp", given.envp)? {
            let entry = entry.as_bytes();
            let Some(at) = entry.iter().position(|&byte| byte == b'=') else {
                let cause = format!("{:?} in envp is no NAME=VALUE", OsStr::from_bytes(entry));
                return Err(Failure::Told(libc::EINVAL, cause.into()));
            };
            command.env(OsStr::from_bytes(&entry[..at]), OsStr::from_bytes(&entry[at + 1..]));
        }
    }
    if !given.directory.is_null() {
        command.directory(path(given.directory)?);
    }
    command.stdin(redirect(&given.input, 0)?);
    command.stdout(redirect(&given.output, 1)?);
    command.stderr(redirect(&given.error, 2)?);
    for descriptor in array("descriptors", given.descriptors, given.descriptor_count)? {
        if let Redirect::Fd(fd) = lend(descriptor.fd, descriptor.number)? {
            command.descriptor(descriptor.number, fd);
        }
    }
    command.group(group(given.group)?);
    if given.death_signal != 0 {
        command.dies_with_parent(given.death_signal);
    }
    Ok(command)
}

/// The caller's command, which must be there.
pub unsafe fn described(command: *const unipc_command) -> Result<unipc_command, Failure> {
    if command.is_null() {
        return Err(Failure::Null("command"));
    }
    options(command)
}

/// Takes the end of a pipe out of a handle.
pub fn take<H: Handle>(end: Option<H::Value>, which: &str) -> Result<*mut H, Failure> {
    end.map(hand).ok_or_else(|| {
        let cause = format!("its {which} is no pipe to this process, or that was taken or closed");
        Failure::Told(libc::EBADF, cause.into())
    })
}

/// Stores an output, where it is wanted.
pub unsafe fn give(place: *mut iovec, bytes: &[u8]) -> Result<(), Failure> {
    if !place.is_null() {
        store(place, Fresh::copy(bytes)?);
    }
    Ok(())
}

/// Starts a program. When it comes back the program runs, or did already; what prevents that is an error
/// here.
///
/// - Ownership: the handle is the caller's, until unipc_child_close(). `command` and all in it stays the
///   caller's, its descriptors too.
/// - Blocking: until the program is loaded, and, where it has a FIFO to open, until the other end is.
/// - Errors: the sentence names the program, or the directory or file that it is about. ENOENT: there is no
///   such program, directory, file, or interpreter of a script; EACCES: it is not executable, or a directory
///   may not be searched; ENOEXEC: the kernel does not run it, as a script without `#!`; EINVAL: neither or
///   both of `argv` and `shell`, an empty `argv`, a kind, group or signal that there is not, an entry of
///   `envp`; E2BIG: more arguments than the kernel takes, or a command of a newer header; EBADF: a descriptor
///   is closed, or its number negative or beyond RLIMIT_NOFILE; EAGAIN: the limit of processes; EPERM, ESRCH:
///   there is no such group in this session; EMFILE; ENFILE; ENOMEM; ENOSYS: Linux older than 5.4.
/// - Safety: threads: any, while none changes the environment; fork: yes; signals: no.
/// - See: posix_spawn(3)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_spawn(command: *const unipc_command) -> *mut unipc_child {
    cold(|| {
        let given = described(command)?;
        let mut child = self::command(&given)?.spawn()?;
        if given.output_limit > 0 {
            child.limit_output(given.output_limit);
        }
        let streams = child.take_streams();
        Ok(hand(Started::new(child, streams, Vec::new())))
    })
}

/// Waits until the child has ended, and stores how in `status`, which may be NULL. The status stays known:
/// waiting again gives it again.
///
/// A child that waits for the end of its input does not end while that is open here, nor one that writes
/// more than a pipe holds while nobody reads. unipc_child_communicate() sees to both.
///
/// - Ownership: none changes.
/// - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
/// - Errors: EAGAIN: it runs, and not to wait; ETIMEDOUT: it runs on; EINTR: a signal handler ran; ECHILD: it
///   has ended, but its status is lost, because this process ignores SIGCHLD, waited for it by other means,
///   or is a fork of its parent; EINVAL: the timeout.
/// - Safety: threads: any, and each gets the status; fork: ECHILD; signals: no.
/// - See: waitid(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_child_wait(child: *const unipc_child, status: *mut unipc_status, timeout: i64) -> c_int {
    cold(|| {
        let ended = get(child)?.running.wait_by(deadline(timeout)?)?;
        store(status, ended.into());
        Ok(())
    })
}

/// The process's number. It may be another's once the child was waited for.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: getpid(2)
///
/// @return the number, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_child_pid(child: *const unipc_child) -> pid_t {
    cold(|| Ok(get(child)?.running.id()))
}

/// The pidfd of the child, for poll(2) and its kin: readable once it has ended. Wait by unipc_child_wait(), not
/// by waitid(2).
///
/// - Ownership: stays the handle's: not to be closed, and good until unipc_child_close().
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: pidfd_open(2)
///
/// @return the descriptor, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_child_fd(child: *const unipc_child) -> c_int {
    cold(|| Ok(get(child)?.running.as_raw_fd()))
}

/// Sends the child a signal, and never another process. 0 only asks whether it could be sent. A child that
/// has ended and was not waited for takes every signal, without effect.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: ESRCH: it was waited for; EINVAL: there is no such signal; EPERM: it has taken on another user's
///   rights.
/// - Safety: threads: any, also while others wait for it; fork: yes; signals: no.
/// - See: pidfd_send_signal(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_child_signal(child: *const unipc_child, signal: c_int) -> c_int {
    cold(|| Ok(get(child)?.running.signal(signal)?))
}

/// Sends a signal to the process group of a child that leads one (UNIPC_GROUP_OWN), also to those of it that
/// outlive the child.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: ESRCH: nobody is left, or, before Linux 6.9, the child was waited for; EINVAL: there is no such
///   signal, or it leads no group; EPERM.
/// - Safety: threads: any, also while others wait for it; fork: yes; signals: no.
/// - See: kill(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_child_signal_group(child: *const unipc_child, signal: c_int) -> c_int {
    cold(|| Ok(get(child)?.running.signal_group(signal)?))
}

/// Sends SIGKILL. That the child has ended already is no error. It is to be waited for, or closed, still.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: EPERM: it has taken on another user's rights.
/// - Safety: threads: any, also while others wait for it; fork: yes; signals: no.
/// - See: pidfd_send_signal(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_child_kill(child: *const unipc_child) -> c_int {
    cold(|| Ok(get(child)?.running.kill()?))
}

/// Ends the child: SIGTERM (and SIGCONT, should it be stopped), SIGKILL if it still runs after `grace`
/// nanoseconds, to its whole group if it leads one; waits for it and stores in `status`, which may be NULL, how
/// it ended. With UNIPC_FOREVER it is never killed, with 0 at once.
///
/// - Ownership: none changes.
/// - Blocking: up to `grace`, and until a killed child has ended.
/// - Errors: EPERM: it has taken on another user's rights; EINTR: a signal handler ran: call again; ECHILD as
///   unipc_child_wait(); EINVAL: the grace.
/// - Safety: threads: any; fork: ECHILD; signals: no.
/// - See: pidfd_send_signal(2), waitid(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_child_terminate(
    child: *const unipc_child,
    status: *mut unipc_status,
    grace: i64,
) -> c_int {
    cold(|| {
        let ended = get(child)?.running.terminate(deadline(grace)?)?;
        store(status, ended.into());
        Ok(())
    })
}

/// Takes the end of the child's standard input, where that is UNIPC_REDIRECT_PIPE. Closing it is the end of
/// file for the child.
///
/// - Ownership: the end is the caller's, until unipc_pipe_writer_close(), and no longer that of
///   unipc_child_communicate().
/// - Blocking: never.
/// - Errors: EBADF: it is no such pipe, or was taken; EBUSY: another thread communicates with the child.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: pipe(7)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_child_take_input(child: *mut unipc_child) -> *mut unipc_pipe_writer {
    cold(|| take(get(child)?.ends()?.streams.stdin.take(), "standard input"))
}

/// Takes the end of the child's standard output, where that is UNIPC_REDIRECT_PIPE.
///
/// - Ownership: the end is the caller's, until unipc_pipe_reader_close(), and no longer that of
///   unipc_child_communicate().
/// - Blocking: never.
/// - Errors: EBADF: it is no such pipe, or was taken; EBUSY: another thread communicates with the child.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: pipe(7)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_child_take_output(child: *mut unipc_child) -> *mut unipc_pipe_reader {
    cold(|| take(get(child)?.ends()?.streams.outputs[0].take(), "standard output"))
}

/// Takes the end of the child's standard error, where that is UNIPC_REDIRECT_PIPE.
///
/// - Ownership: the end is the caller's, until unipc_pipe_reader_close(), and no longer that of
///   unipc_child_communicate().
/// - Blocking: never.
/// - Errors: EBADF: it is no such pipe, or was taken; EBUSY: another thread communicates with the child.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: pipe(7)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_child_take_error(child: *mut unipc_child) -> *mut unipc_pipe_reader {
    cold(|| take(get(child)?.ends()?.streams.outputs[1].take(), "standard error"))
}

/// Writes `length` bytes to the child's standard input and closes that, reads its standard output and error
/// to their ends, all at the same time and in any amount, and waits for it. `output`, `error` and `status`
/// receive what came; each may be NULL. That the child leaves its input early is no error: its status tells.
///
/// The ends of file come when no process has the pipe open any more: a grandchild that lives on delays
/// them.
///
/// - Ownership: `input` stays the caller's; NULL if `length` is 0. The bytes that `output` and `error` then
///   point to are the caller's, until unipc_free(); a NUL stands behind them. On failure nothing is stored.
/// - Blocking: up to `timeout` nanoseconds in all; UNIPC_FOREVER; 0: what can be moved without waiting is.
/// - Errors: ETIMEDOUT; EAGAIN; EINTR: nothing is lost and the child runs on: call again with the same input
///   to go on, or take what was read by unipc_child_partial_output(); EINVAL: there is input, and standard
///   input is no pipe to this process; less input than went already; the timeout; ENOMEM; ECHILD as
///   unipc_child_wait(): what was read is still to be taken; EBUSY: another thread communicates with it.
/// - Safety: threads: any; others wait for the child and signal it meanwhile, but what would communicate is
///   EBUSY; fork: ECHILD; signals: no.
/// - See: poll(2), waitid(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_child_communicate(
    child: *mut unipc_child,
    input: *const c_void,
    length: usize,
    output: *mut iovec,
    error: *mut iovec,
    status: *mut unipc_status,
    timeout: i64,
) -> c_int {
    cold(|| {
        let (child, deadline) = (get(child)?, deadline(timeout)?);
        let mut ends = child.ends()?;
        ends.streams.communicate(bytes("input", input, length)?, deadline)?;
        let ended = child.running.wait_by(deadline)?;
        let outputs = ends.streams.take_outputs();
        give(output, &outputs[0])?;
        give(error, &outputs[1])?;
        store(status, ended.into());
        Ok(())
    })
}

/// Takes what unipc_child_communicate() has read before it failed. If that is called again, it gives what comes
/// after.
///
/// - Ownership: the bytes that `output` and `error`, either of which may be NULL, then point to are the caller's,
///   until unipc_free(); a NUL stands behind them. What goes into a NULL is lost.
/// - Blocking: never.
/// - Errors: ENOMEM; EBUSY: another thread communicates with the child.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: poll(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_child_partial_output(
    child: *mut unipc_child,
    output: *mut iovec,
    error: *mut iovec,
) -> c_int {
    cold(|| {
        let outputs = get(child)?.ends()?.streams.take_outputs();
        give(output, &outputs[0])?;
        give(error, &outputs[1])
    })
}

/// Closes the handle, and the ends of pipes that were not taken. NULL is allowed. It never kills the child, never
/// waits and never leaves a zombie: a child that has ended is reaped, and one that runs is left to run, and
/// reaped when it ends, by the one thread that unipc has for that.
///
/// - Ownership: takes the handle.
/// - Blocking: never.
/// - Errors: EBADF: it is closed already.
/// - Safety: threads: none may be in a call on the handle; fork: the handles of parent and child are closed
///   separately; signals: no.
/// - See: waitid(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_child_close(child: *mut unipc_child) -> c_int {
    cold(|| close(child))
}

/// Writes how a program ended, as "exited with 3" or "killed by SIGTERM", and a NUL; of a text that is longer than
/// `length` bytes, the beginning. `raw` is that of a unipc_status, or from wait(2).
///
/// - Ownership: `buffer` stays the caller's; NULL if `length` is 0.
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: wait(2), snprintf(3)
///
/// @return the length of the whole text, without the NUL, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_status_text(raw: c_int, buffer: *mut c_char, length: usize) -> ssize_t {
    cold(|| tell("buffer", buffer, length, &Status::from_raw(raw).to_string()))
}
