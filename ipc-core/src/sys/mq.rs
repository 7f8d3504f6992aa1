//! mq_overview(7): the kernel's message queues, and the limits it sets to them.

use super::{Result, check, clock, fd, fs, observe, syscall};
use crate::error::Errno;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::time::Duration;

/// The kernel's attributes of a queue.
#[derive(Clone, Copy)]
pub struct Attributes {
    pub nonblocking: bool,
    pub max_messages: usize,
    pub message_size: usize,
    pub queued: usize,
}

fn raw_attributes(max_messages: usize, message_size: usize, flags: libc::c_long) -> libc::mq_attr {
    // SAFETY: mq_attr is integers only.
    let mut raw: libc::mq_attr = unsafe { MaybeUninit::zeroed().assume_init() };
    raw.mq_flags = flags;
    raw.mq_maxmsg = max_messages as libc::c_long;
    raw.mq_msgsize = message_size as libc::c_long;
    raw
}

/// So often a queue can be removed in the moment in which it is opened.
const TRIES: u32 = 100;

/// mq_open(2), `name` without its slash; `size` is (messages, bytes a message), absent for the
/// system's default. The kernel makes the descriptor close-on-exec.
pub fn open(name: &CStr, flags: i32, mode: u32, size: Option<(usize, usize)>) -> Result<OwnedFd> {
    let raw = size.map(|(messages, bytes)| raw_attributes(messages, bytes, 0));
    let attributes = raw.as_ref().map_or(ptr::null(), ptr::from_ref);
    for _ in 0..TRIES {
        // SAFETY: a NUL-terminated name; the attributes are null or valid; the new descriptor is ours.
        let queue = unsafe { fd::new(syscall!(SYS_mq_open, name.as_ptr(), flags, mode, attributes)? as i32)? };
        // One whose name was removed while the kernel came to it would never be found by anybody else.
        if !observe::has_no_name(queue.as_fd()) {
            return Ok(queue);
        }
    }
    Err(Errno::NOT_FOUND)
}

pub fn unlink(name: &CStr) -> Result<()> {
    // SAFETY: a NUL-terminated name.
    unsafe { syscall!(SYS_mq_unlink, name.as_ptr()) }.map(drop)
}

pub fn attributes(queue: BorrowedFd<'_>) -> Result<Attributes> {
    let mut raw = raw_attributes(0, 0, 0);
    // SAFETY: null new attributes only read; `raw` is valid to write to.
    unsafe { syscall!(SYS_mq_getsetattr, queue, 0, &raw mut raw)? };
    Ok(Attributes {
        nonblocking: raw.mq_flags & libc::c_long::from(libc::O_NONBLOCK) != 0,
        max_messages: raw.mq_maxmsg as usize,
        message_size: raw.mq_msgsize as usize,
        queued: raw.mq_curmsgs as usize,
    })
}

pub fn set_nonblocking(queue: BorrowedFd<'_>, on: bool) -> Result<()> {
    let raw = raw_attributes(0, 0, if on { libc::O_NONBLOCK.into() } else { 0 });
    // SAFETY: valid new attributes; the old ones are not asked for.
    unsafe { syscall!(SYS_mq_getsetattr, queue, &raw const raw, 0) }.map(drop)
}

/// mq_timedsend(2); `until` is a point on the realtime clock, zero for "do not wait" (ETIMEDOUT).
#[inline]
pub fn send(queue: BorrowedFd<'_>, data: &[u8], priority: u32, until: Option<Duration>) -> Result<()> {
    let until = until.map(clock::timespec);
    // SAFETY: the kernel reads `data` and the timespec, if there is one.
    unsafe {
        syscall!(
            SYS_mq_timedsend,
            queue,
            data.as_ptr(),
            data.len(),
            priority,
            until.as_ref().map_or(ptr::null(), ptr::from_ref),
        )
    }
    .map(drop)
}

/// mq_timedreceive(2): the length and the priority. `until` as in [`send`].
#[inline]
pub fn receive(queue: BorrowedFd<'_>, buf: &mut [u8], until: Option<Duration>) -> Result<(usize, u32)> {
    // SAFETY: `buf` has room for `buf.len()` bytes.
    unsafe { receive_at(queue, buf.as_mut_ptr(), buf.len(), until) }
}

/// As [`receive`], into memory of its own, for which `capacity` bytes are taken.
pub fn receive_new(queue: BorrowedFd<'_>, capacity: usize, until: Option<Duration>) -> Result<(Vec<u8>, u32)> {
    let mut data = Vec::with_capacity(capacity);
    // SAFETY: the vector has room for `capacity` bytes, of which the kernel has written `len`.
    let priority = unsafe {
        let (len, priority) = receive_at(queue, data.as_mut_ptr(), capacity, until)?;
        data.set_len(len);
        priority
    };
    data.shrink_to_fit();
    Ok((data, priority))
}

/// # Safety
/// `buf` is valid for writing `room` bytes.
#[inline]
unsafe fn receive_at(
    queue: BorrowedFd<'_>,
    buf: *mut u8,
    room: usize,
    until: Option<Duration>,
) -> Result<(usize, u32)> {
    let until = until.map(clock::timespec);
    let mut priority: libc::c_uint = 0;
    // SAFETY: the kernel writes at most `room` bytes to `buf`, and the priority.
    let len = unsafe {
        syscall!(
            SYS_mq_timedreceive,
            queue,
            buf,
            room,
            &raw mut priority,
            until.as_ref().map_or(ptr::null(), ptr::from_ref),
        )?
    };
    Ok((len, priority))
}

/// mq_notify(2) by a queued signal, with `value` in `si_value`.
pub fn notify_signal(queue: BorrowedFd<'_>, signal: i32, value: usize) -> Result<()> {
    // SAFETY: sigevent is plain data.
    let mut event: libc::sigevent = unsafe { MaybeUninit::zeroed().assume_init() };
    event.sigev_notify = libc::SIGEV_SIGNAL;
    event.sigev_signo = signal;
    event.sigev_value.sival_ptr = ptr::without_provenance_mut(value);
    // SAFETY: a valid sigevent, which the kernel copies.
    unsafe { syscall!(SYS_mq_notify, queue, &raw const event) }.map(drop)
}

pub fn cancel_notify(queue: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: a null sigevent removes the registration of this process, if there is one.
    unsafe { syscall!(SYS_mq_notify, queue, 0) }.map(drop)
}

/// A socket on which the kernel tells that a queue is not empty any more. This is how glibc serves
/// `SIGEV_THREAD`; done here, the thread is ours and ends when the registration does.
pub struct Notification(OwnedFd);

/// What the kernel sends; its last byte says which of the two happened.
const COOKIE_LEN: usize = 32;
const WOKEN_UP: u8 = 1;

impl Notification {
    pub fn register(queue: BorrowedFd<'_>) -> Result<Notification> {
        // SAFETY: no memory is involved; the descriptor that comes back is ours.
        let socket = unsafe {
            let fd = check(libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0).into())?;
            fd::new(fd as i32)?
        };
        let cookie = [0u8; COOKIE_LEN];
        // SAFETY: sigevent is plain data.
        let mut event: libc::sigevent = unsafe { MaybeUninit::zeroed().assume_init() };
        event.sigev_notify = libc::SIGEV_THREAD;
        event.sigev_signo = socket.as_raw_fd();
        event.sigev_value.sival_ptr = cookie.as_ptr().cast_mut().cast();
        // SAFETY: a valid sigevent, which the kernel copies together with the cookie.
        unsafe { syscall!(SYS_mq_notify, queue, &raw const event)? };
        Ok(Notification(socket))
    }

    /// Waits; true when a message came, false when the registration was removed.
    pub fn wait(&self) -> bool {
        let mut cookie = [0u8; COOKIE_LEN];
        loop {
            // SAFETY: the kernel writes at most `COOKIE_LEN` bytes.
            let len = unsafe { libc::recv(self.0.as_raw_fd(), cookie.as_mut_ptr().cast(), COOKIE_LEN, 0) };
            match len {
                -1 if Errno::last() == Errno(libc::EINTR) => {}
                len => return len == COOKIE_LEN as isize && cookie[COOKIE_LEN - 1] == WOKEN_UP,
            }
        }
    }
}

/// The messages, and the bytes a message, that no sysctl and no privilege exceeds.
pub const HARD_LIMITS: (usize, usize) = (65536, 16 << 20);

/// What the kernel allows, read when a refusal is to be explained.
pub struct Limits {
    pub messages: Option<usize>,
    pub message_size: Option<usize>,
    pub queues: Option<usize>,
    /// `RLIMIT_MSGQUEUE`: bytes of all queues of this user together.
    pub bytes: Option<u64>,
}

fn sysctl(name: &str) -> Option<usize> {
    fs::read_number(&format!("/proc/sys/fs/mqueue/{name}")).map(|number| number as usize)
}

/// The messages and bytes a message of a queue that is made without attributes.
pub fn default_size() -> (usize, usize) {
    (sysctl("msg_default").unwrap_or(10), sysctl("msgsize_default").unwrap_or(8192))
}

pub fn limits() -> Limits {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid to write to.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_MSGQUEUE, &raw mut limit) } == 0;
    Limits {
        messages: sysctl("msg_max"),
        message_size: sysctl("msgsize_max"),
        queues: sysctl("queues_max"),
        bytes: (known && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur),
    }
}

/// What the kernel counts against `RLIMIT_MSGQUEUE` for one queue: its bytes, and for each message
/// a header and, up to the number of priorities, a tree node of 48 bytes each.
pub fn counted_bytes(max_messages: usize, message_size: usize) -> u128 {
    const HEADER: u128 = 48;
    let messages = max_messages as u128;
    messages * (message_size as u128 + HEADER) + messages.min(32768) * HEADER
}
