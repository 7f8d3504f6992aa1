//! Children made by fork, which do one thing and can be watched from outside.

use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// A child; it is killed when this is dropped.
pub struct Peer {
    pub pid: i32,
}

/// Bytes that children share with us, from zeroes. They are never given back.
pub fn shared<T>() -> &'static T {
    let (len, protection) = (size_of::<T>(), libc::PROT_READ | libc::PROT_WRITE);
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let address = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0) };
    assert_ne!(address, libc::MAP_FAILED);
    unsafe { &*address.cast::<T>() }
}

pub fn is_root() -> bool {
    unsafe { libc::geteuid() == 0 }
}

/// A /dev/shm that nobody else has, where we may: what is left there is ours.
pub fn have_own_objects() {
    if is_root() && unsafe { libc::unshare(libc::CLONE_NEWNS) } == 0 {
        let (tmpfs, shm) = (c"tmpfs".as_ptr(), c"/dev/shm".as_ptr());
        let none = std::ptr::null();
        let private = unsafe { libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) };
        let mounted = unsafe { libc::mount(tmpfs, shm, tmpfs, 0, c"size=64m".as_ptr().cast()) };
        assert_eq!((private, mounted), (0, 0), "{}", std::io::Error::last_os_error());
    }
}

fn die_with_parent() {
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

impl Peer {
    pub fn fork(work: impl FnOnce()) -> Peer {
        let pid = unsafe { libc::fork() };
        assert_ne!(pid, -1, "fork: {}", std::io::Error::last_os_error());
        if pid == 0 {
            die_with_parent();
            let done = catch_unwind(AssertUnwindSafe(work)).is_ok();
            unsafe { libc::_exit(if done { 0 } else { 101 }) };
        }
        Peer { pid }
    }

    /// As process 1 of a PID namespace.
    pub fn fork_apart(work: impl FnOnce()) -> Peer {
        let here = std::fs::File::open("/proc/self/ns/pid").unwrap();
        let is_apart = unsafe { libc::unshare(libc::CLONE_NEWPID) } == 0;
        let peer = Peer::fork(|| {
            assert!(!is_apart || std::process::id() == 1);
            work();
        });
        unsafe { libc::setns(here.as_raw_fd(), libc::CLONE_NEWPID) };
        peer
    }

    pub fn fork_as_nobody(work: impl FnOnce()) -> Peer {
        Peer::fork(|| {
            assert_eq!(unsafe { libc::setgid(65534) | libc::setuid(65534) }, 0);
            die_with_parent(); // another user's is asked for anew
            work();
        })
    }

    /// As it died: its wait status. All that the kernel does at its death is done.
    pub fn kill(self) -> i32 {
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        self.reap()
    }

    /// Waits for its end.
    pub fn reap(self) -> i32 {
        let status = self.wait();
        std::mem::forget(self);
        status
    }

    fn wait(&self) -> i32 {
        let mut status = 0;
        loop {
            let waited = unsafe { libc::waitpid(self.pid, &raw mut status, libc::__WALL) };
            assert_eq!(waited, self.pid, "waitpid: {}", std::io::Error::last_os_error());
            if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
                return status;
            }
        }
    }

    /// Waits for its end, at most so long.
    pub fn reap_by(self, limit: Duration) -> Result<i32, Peer> {
        let begin = Instant::now();
        loop {
            let mut status = 0;
            let waited = unsafe { libc::waitpid(self.pid, &raw mut status, libc::WNOHANG | libc::__WALL) };
            if waited == self.pid && (libc::WIFEXITED(status) || libc::WIFSIGNALED(status)) {
                std::mem::forget(self);
                return Ok(status);
            }
            if begin.elapsed() > limit {
                return Err(self);
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        self.wait();
    }
}

/// Whether a thread sleeps at a futex now; `for_good`: not only for some milliseconds.
pub fn is_asleep(pid: i32, for_good: bool) -> bool {
    end_of_sleep(pid).is_some_and(|until| !for_good || until == 0 || is_far(pid, until))
}

/// Whether no clock ends its sleep.
#[cfg(feature = "fail-points")]
pub fn sleeps_without_end(pid: i32) -> bool {
    end_of_sleep(pid) == Some(0)
}

/// Where the end of a process's sleep stands, if it sleeps at a futex; 0 if it has none.
fn end_of_sleep(pid: i32) -> Option<usize> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let mut words = text.split(' ');
    let number = words.next().and_then(|number| number.parse().ok());
    let sleeps = number == Some(libc::SYS_futex) || number == Some(libc::SYS_futex_waitv);
    // Both have the timeout in the fourth place: a point of the monotonic clock.
    let until = words.nth(3).and_then(|word| usize::from_str_radix(word.trim_start_matches("0x"), 16).ok());
    until.filter(|_| sleeps)
}

/// Whether the point of time at an address of another process is so far away that only who looks again now
/// and then, whatever happens, sleeps to it.
fn is_far(pid: i32, address: usize) -> bool {
    let mut until = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let mut now = until;
    let len = size_of_val(&until);
    let here = libc::iovec { iov_base: (&raw mut until).cast(), iov_len: len };
    let there = libc::iovec { iov_base: std::ptr::with_exposed_provenance_mut(address), iov_len: len };
    let read = unsafe { libc::process_vm_readv(pid, &raw const here, 1, &raw const there, 1, 0) };
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    let millis = |time: libc::timespec| time.tv_sec * 1000 + time.tv_nsec / 1_000_000;
    read == len as isize && millis(until) - millis(now) > 100
}

/// How often a thread has gone to sleep.
pub fn sleeps(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}
