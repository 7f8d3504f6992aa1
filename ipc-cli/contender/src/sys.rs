//! What is asked of libc, and the place of the unsafe blocks.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU32, AtomicU64};

/// The answer of a call that says -1 when it failed.
fn done(answer: libc::c_int) -> io::Result<libc::c_int> {
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

fn text(name: &str) -> io::Result<CString> {
    CString::new(name).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

// ---- Processes.

pub enum Fork {
    Child,
    Parent(i32),
}

/// Makes another process, in the same group, that dies with this one.
///
/// # Errors
/// As fork(2); and there are other threads, which would be missing in the child, with what they had locked.
pub fn fork() -> io::Result<Fork> {
    let threads = fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!("cannot fork: this process has {threads} threads, and must have one")));
    }
    let parent = std::process::id();
    // SAFETY: this is the only thread, so that the child is whole.
    match done(unsafe { libc::fork() })? {
        0 => {
            // SAFETY: the call has no memory to err about.
            let tied = done(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) });
            // It may have died before.
            if tied.is_err() || std::os::unix::process::parent_id() != parent {
                exit(1);
            }
            Ok(Fork::Child)
        }
        pid => Ok(Fork::Parent(pid)),
    }
}

/// Ends this process, without what the parent has registered for its own end.
pub fn exit(code: i32) -> ! {
    // SAFETY: nothing of this process is needed any more.
    unsafe { libc::_exit(code) }
}

/// Lets orphans among the descendants become children of this process, and all of them be waited for, also
/// where it was started with SIGCHLD ignored.
pub fn adopt_children() -> io::Result<()> {
    // SAFETY: the call has no memory to err about.
    done(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) })?;
    // SAFETY: this is no handler.
    match unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) } {
        libc::SIG_ERR => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// How a process ended; none where it did well.
pub struct Ended {
    pub pid: i32,
    pub wrong: Option<String>,
}

/// Waits until any child ends; none when there is none.
pub fn wait_any() -> io::Result<Option<Ended>> {
    loop {
        let mut status = 0;
        // SAFETY: the status is on this stack.
        let pid = match done(unsafe { libc::waitpid(-1, &raw mut status, 0) }) {
            Ok(pid) => pid,
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let wrong = if libc::WIFSIGNALED(status) {
            Some(format!("a process of it died of signal {}", libc::WTERMSIG(status)))
        } else {
            let code = libc::WEXITSTATUS(status);
            (code != 0).then(|| format!("a process of it exited with {code}"))
        };
        return Ok(Some(Ended { pid, wrong }));
    }
}

/// Kills a child that was not waited for yet.
pub fn kill(pid: i32) {
    // SAFETY: the call has no memory to err about.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

pub fn pin(cpu: usize) -> io::Result<()> {
    // SAFETY: zeros are an empty set, on this stack; whether the number is in it is looked at.
    let pinned = done(unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if cpu < libc::CPU_SETSIZE as usize {
            libc::CPU_SET(cpu, &mut set);
        }
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set)
    });
    pinned.map(drop).map_err(|error| io::Error::new(error.kind(), format!("cannot run on CPU {cpu}: {error}")))
}

/// Lets queues of the system take as much memory as they like, where we may.
pub fn unlimit_queues() {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the limit is on this stack.
    unsafe { libc::setrlimit(libc::RLIMIT_MSGQUEUE, &raw const limit) };
}

/// Whether what is written to `answers` can still be read by somebody, once `something` has come.
pub fn is_listened_to(something: BorrowedFd<'_>, answers: BorrowedFd<'_>) -> io::Result<bool> {
    let asked = |fd: BorrowedFd<'_>, events| libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    let mut both = [asked(something, libc::POLLIN), asked(answers, 0)];
    loop {
        // SAFETY: both are on this stack, and the descriptors are open.
        match done(unsafe { libc::poll(both.as_mut_ptr(), 2, -1) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(_) => return Ok(both[1].revents & libc::POLLERR == 0),
        }
    }
}

// ---- Clocks, in nanoseconds.

fn clock(which: libc::clockid_t) -> io::Result<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is on this stack.
    done(unsafe { libc::clock_gettime(which, &raw mut time) })?;
    Ok(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// The same in every process.
#[inline]
pub fn now() -> u64 {
    clock(libc::CLOCK_MONOTONIC).expect("every Linux has a monotonic clock")
}

/// What this process has taken.
pub fn cpu() -> u64 {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID).expect("every Linux has a clock of CPU time")
}

/// What another has taken.
pub fn cpu_of(pid: i32) -> io::Result<u64> {
    let mut which = 0;
    // SAFETY: the clock's number is on this stack.
    match unsafe { libc::clock_getcpuclockid(pid, &raw mut which) } {
        0 => clock(which),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

// ---- Memory that processes share, and how they wait at it.

/// So far apart that none is fetched together with another.
#[repr(C, align(128))]
pub struct Line {
    pub words: [AtomicU64; 15],
    pub turn: AtomicU32,
}

/// So many lines, all zero, shared with every process that is forked from now on. They stay until the end.
pub fn shared(lines: usize) -> io::Result<&'static [Line]> {
    let (read_write, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping touches no other memory.
    let memory = unsafe { libc::mmap(null_mut(), lines * size_of::<Line>(), read_write, shared, -1, 0) };
    if memory == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is as long, aligned to a page, never unmapped; zeros are atomics' values, which any process may change.
    Ok(unsafe { std::slice::from_raw_parts(memory.cast(), lines) })
}

/// Sleeps while `turn` is what it `was`; may end without a reason.
#[inline]
pub fn futex_wait(turn: &AtomicU32, was: u32) {
    // SAFETY: the kernel reads the 4 bytes that are lent.
    unsafe { libc::syscall(libc::SYS_futex, turn.as_ptr(), libc::FUTEX_WAIT, was, null::<libc::timespec>()) };
}

#[inline]
pub fn futex_wake(turn: &AtomicU32) {
    // SAFETY: the address is but a name of who is woken.
    unsafe { libc::syscall(libc::SYS_futex, turn.as_ptr(), libc::FUTEX_WAKE, 1) };
}

/// Into the kernel and back.
#[inline]
pub fn nothing() {
    // SAFETY: the call has no memory to err about.
    unsafe { libc::syscall(libc::SYS_getppid) };
}

// ---- What carries messages.

pub fn pipe() -> io::Result<(File, File)> {
    let mut ends = [-1; 2];
    // SAFETY: room for two descriptors.
    done(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    Ok(files(ends))
}

pub fn socket_pair(kind: libc::c_int) -> io::Result<(File, File)> {
    let mut ends = [-1; 2];
    // SAFETY: room for two descriptors.
    done(unsafe { libc::socketpair(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0, ends.as_mut_ptr()) })?;
    Ok(files(ends))
}

fn files(ends: [libc::c_int; 2]) -> (File, File) {
    // SAFETY: the kernel has just made them, and nobody else has them.
    let [one, other] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    (one.into(), other.into())
}

pub fn make_fifo(path: &Path) -> io::Result<()> {
    let path = text(path.to_str().ok_or(io::ErrorKind::InvalidInput)?)?;
    // SAFETY: the path is a string.
    done(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }).map(drop)
}

/// A message queue of the system, as this process has it open.
pub struct MessageQueue(libc::mqd_t);

impl MessageQueue {
    pub fn create(name: &str, depth: usize, size: usize) -> io::Result<MessageQueue> {
        let name = text(name)?;
        // SAFETY: zeros are attributes.
        let mut attributes: libc::mq_attr = unsafe { std::mem::zeroed() };
        attributes.mq_maxmsg = depth as libc::c_long;
        attributes.mq_msgsize = size as libc::c_long;
        let how = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC;
        // SAFETY: the name is a string; mode and attributes are what comes with O_CREAT.
        done(unsafe { libc::mq_open(name.as_ptr(), how, 0o600, &raw const attributes) }).map(MessageQueue)
    }

    pub fn open(name: &str) -> io::Result<MessageQueue> {
        let name = text(name)?;
        // SAFETY: the name is a string.
        done(unsafe { libc::mq_open(name.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) }).map(MessageQueue)
    }

    #[inline]
    pub fn send(&self, message: &[u8], priority: u32) -> io::Result<()> {
        // SAFETY: as many bytes as are lent.
        done(unsafe { libc::mq_send(self.0, message.as_ptr().cast(), message.len(), priority) }).map(drop)
    }

    /// How long the message is that is now in the buffer, and its priority.
    #[inline]
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, u32)> {
        let mut priority = 0;
        // SAFETY: as many bytes as are lent, and a number on this stack.
        let length = unsafe { libc::mq_receive(self.0, buffer.as_mut_ptr().cast(), buffer.len(), &raw mut priority) };
        usize::try_from(length).map(|length| (length, priority)).map_err(|_| io::Error::last_os_error())
    }

    pub fn unlink(name: &str) {
        if let Ok(name) = text(name) {
            // SAFETY: the name is a string.
            unsafe { libc::mq_unlink(name.as_ptr()) };
        }
    }
}

impl Drop for MessageQueue {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody else has this descriptor.
        unsafe { libc::mq_close(self.0) };
    }
}

/// A named semaphore of the system, as this process has it open.
pub struct NamedSemaphore(*mut libc::sem_t);

impl NamedSemaphore {
    pub fn create(name: &str) -> io::Result<NamedSemaphore> {
        let name = text(name)?;
        let (how, mode, value): (_, libc::mode_t, libc::c_uint) = (libc::O_CREAT | libc::O_EXCL, 0o600, 0);
        NamedSemaphore::opened(&name, |name| {
            // SAFETY: the name is a string; mode and value are what comes with O_CREAT.
            unsafe { libc::sem_open(name.as_ptr(), how, mode, value) }
        })
    }

    pub fn open(name: &str) -> io::Result<NamedSemaphore> {
        NamedSemaphore::opened(&text(name)?, |name| {
            // SAFETY: the name is a string.
            unsafe { libc::sem_open(name.as_ptr(), 0) }
        })
    }

    fn opened(name: &CStr, open: impl Fn(&CStr) -> *mut libc::sem_t) -> io::Result<NamedSemaphore> {
        let semaphore = open(name);
        if semaphore == libc::SEM_FAILED { Err(io::Error::last_os_error()) } else { Ok(NamedSemaphore(semaphore)) }
    }

    #[inline]
    pub fn post(&self) -> io::Result<()> {
        // SAFETY: it is open.
        done(unsafe { libc::sem_post(self.0) }).map(drop)
    }

    #[inline]
    pub fn wait(&self) -> io::Result<()> {
        // SAFETY: it is open.
        done(unsafe { libc::sem_wait(self.0) }).map(drop)
    }

    pub fn value(&self) -> io::Result<u32> {
        let mut value = 0;
        // SAFETY: it is open, and the value is on this stack.
        done(unsafe { libc::sem_getvalue(self.0, &raw mut value) })?;
        Ok(value as u32)
    }

    pub fn unlink(name: &str) {
        if let Ok(name) = text(name) {
            // SAFETY: the name is a string.
            unsafe { libc::sem_unlink(name.as_ptr()) };
        }
    }
}

impl Drop for NamedSemaphore {
    fn drop(&mut self) {
        // SAFETY: it is open, and used no more.
        unsafe { libc::sem_close(self.0) };
    }
}
