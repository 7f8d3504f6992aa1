//! The kernel's message queues, and the sentences that its refusals need.

use crate::deadline::{Deadline, Until};
use crate::error::{Errno, Error, Object};
use crate::name::Name;
use crate::options::{Access, Mode};
use crate::queue::Size;
use crate::queue::calls::Calls;
use crate::sys::{self, fd, fs, mq, signal};
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// For mq_timedsend(2) and mq_timedreceive(2): a point long past, so they do not wait. Unlike
/// `O_NONBLOCK` it concerns this call alone; with `O_NONBLOCK` they say EAGAIN, else ETIMEDOUT.
const AT_ONCE: Duration = Duration::ZERO;

#[derive(Debug)]
pub(crate) struct Queue {
    fd: OwnedFd,
    calls: Arc<Calls>,
    pub max_messages: usize,
    pub message_size: usize,
}

fn flags(access: Access, nonblocking: bool) -> i32 {
    let direction = match access {
        Access::ReadWrite => libc::O_RDWR,
        Access::ReadOnly => libc::O_RDONLY,
        Access::WriteOnly => libc::O_WRONLY,
    };
    direction | if nonblocking { libc::O_NONBLOCK } else { 0 }
}

/// The kernel wants the name without its slash.
fn file(name: &Name) -> CString {
    name.file("")
}

impl Queue {
    fn adopt(fd: OwnedFd) -> sys::Result<Queue> {
        let attributes = mq::attributes(fd.as_fd())?;
        Ok(Queue {
            fd,
            calls: Arc::default(),
            max_messages: attributes.max_messages,
            message_size: attributes.message_size,
        })
    }

    pub fn open(name: &Name, access: Access, nonblocking: bool) -> Result<Queue, Error> {
        mq::open(&file(name), flags(access, nonblocking), 0, None)
            .and_then(Queue::adopt)
            .map_err(|errno| errno.of("open queue", name))
    }

    pub fn create(name: &Name, access: Access, nonblocking: bool, mode: Mode, size: Size) -> Result<Queue, Error> {
        let size = match size {
            Size { max_messages: None, message_size: None } => None,
            Size { max_messages: Some(messages), message_size: Some(bytes) } => Some((messages, bytes)),
            Size { max_messages, message_size } => {
                let (messages, bytes) = mq::default_size();
                Some((max_messages.unwrap_or(messages), message_size.unwrap_or(bytes)))
            }
        };
        let flags = flags(access, nonblocking) | libc::O_CREAT | libc::O_EXCL;
        let queue = mq::open(&file(name), flags, mode.bits, size)
            .and_then(Queue::adopt)
            .map_err(|errno| explain_refusal(errno, name, size.unwrap_or_else(mq::default_size)))?;
        if mode.exact {
            // In between its mode is the stricter one that the umask left.
            if let Err(errno) = fd::set_mode(queue.fd(), mode.bits) {
                let _ = mq::unlink(&file(name));
                return Err(errno.of("create queue", name));
            }
        }
        Ok(queue)
    }

    pub fn unlink(name: &Name) -> sys::Result<()> {
        mq::unlink(&file(name))
    }

    /// Whether the name is taken.
    pub fn exists(name: &Name) -> bool {
        !matches!(mq::open(&file(name), libc::O_RDONLY, 0, None), Err(Errno::NOT_FOUND | Errno(libc::ENOSYS)))
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    // A wait for ever is the system call and nothing else; see sys::call for why all is inlined.
    #[inline]
    pub fn send(&self, data: &[u8], priority: u32, deadline: Deadline) -> sys::Result<()> {
        if deadline.is_never() {
            return mq::send(self.fd(), data, priority, None);
        }
        self.serve(deadline, fd::WRITABLE, |until| mq::send(self.fd(), data, priority, Some(until)))
    }

    #[inline]
    pub fn receive_into(&self, buf: &mut [u8], deadline: Deadline) -> sys::Result<(usize, u32)> {
        if deadline.is_never() {
            return mq::receive(self.fd(), buf, None);
        }
        self.serve(deadline, fd::READABLE, |until| mq::receive(self.fd(), buf, Some(until)))
    }

    pub fn receive(&self, deadline: Deadline) -> sys::Result<(Vec<u8>, u32)> {
        if deadline.is_never() {
            return mq::receive_new(self.fd(), self.message_size, None);
        }
        self.serve(deadline, fd::READABLE, |until| mq::receive_new(self.fd(), self.message_size, Some(until)))
    }

    /// Chooses how to wait. The kernel times a wait on the realtime clock only, which can be set: a
    /// monotonic deadline therefore tries without waiting, and polls in between.
    #[inline(never)]
    fn serve<T>(
        &self,
        deadline: Deadline,
        events: i16,
        mut call: impl FnMut(Duration) -> sys::Result<T>,
    ) -> sys::Result<T> {
        if let Until::Realtime(point) = deadline.0 {
            return call(point);
        }
        loop {
            match call(AT_ONCE) {
                Err(Errno::TIMED_OUT) if deadline.is_now() => return Err(Errno::AGAIN),
                Err(Errno::TIMED_OUT) => deadline.wait_for(self.fd(), events)?,
                done => return done,
            }
        }
    }

    pub fn attributes(&self) -> sys::Result<mq::Attributes> {
        mq::attributes(self.fd())
    }

    pub fn set_nonblocking(&self, on: bool) -> sys::Result<()> {
        mq::set_nonblocking(self.fd(), on)
    }

    pub fn notify_signal(&self, signal: i32, value: usize) -> sys::Result<()> {
        mq::notify_signal(self.fd(), signal, value)
    }

    pub fn notify_callback(&self, callback: Box<dyn FnOnce() + Send>) -> sys::Result<()> {
        let call = self.calls.begin();
        let notification = mq::Notification::register(self.fd())?;
        let run = move || {
            // Dropped last, also when the callback panics: nothing of it is left by then.
            let call = call;
            let (notification, callback) = (notification, callback);
            if notification.wait() {
                call.run(callback);
            }
        };
        let builder = thread::Builder::new().name("unipc-notify".into());
        signal::with_all_blocked(|| builder.spawn(run)).map(drop).map_err(|error| {
            let _ = mq::cancel_notify(self.fd());
            Errno(error.raw_os_error().unwrap_or(libc::EAGAIN))
        })
    }

    pub fn cancel_notify(&self) -> sys::Result<()> {
        mq::cancel_notify(self.fd())?;
        self.calls.wait();
        Ok(())
    }
}

/// Says which limit refused a new queue, its value, and the way out.
#[cold]
fn explain_refusal(errno: Errno, name: &Name, (messages, bytes): (usize, usize)) -> Error {
    let error = errno.of("create queue", Object::from(name));
    let limits = mq::limits();
    match errno.0 {
        libc::EINVAL => {
            let (most, largest) = mq::HARD_LIMITS;
            if messages > most || bytes > largest {
                return error.because(format!(
                    "{messages} messages of {bytes} bytes: no kernel takes more than {most} of {largest}"
                ));
            }
            if let Some(max) = limits.messages.filter(|&max| messages > max) {
                return error.because(format!(
                    "{messages} messages exceed fs.mqueue.msg_max={max}; raise it with \
                     'sysctl fs.mqueue.msg_max={messages}' as root"
                ));
            }
            if let Some(max) = limits.message_size.filter(|&max| bytes > max) {
                return error.because(format!(
                    "messages of {bytes} bytes exceed fs.mqueue.msgsize_max={max}; raise it with \
                     'sysctl fs.mqueue.msgsize_max={bytes}' as root"
                ));
            }
            error.because(format!("{messages} messages of {bytes} bytes are more than this kernel takes"))
        }
        libc::EMFILE if fs::can_open_one_more() => {
            let needed = mq::counted_bytes(messages, bytes);
            let max = limits.bytes.map_or("unknown".into(), |max| max.to_string());
            error.because(format!(
                "{messages} messages of {bytes} bytes count as {needed} bytes, and with this user's other queues \
                 they exceed RLIMIT_MSGQUEUE={max}; unlink queues, ask for less, or raise it with 'ulimit -q'"
            ))
        }
        libc::ENOSPC => {
            let max = limits.queues.map_or("unknown".into(), |max| max.to_string());
            error.because(format!(
                "the system is at fs.mqueue.queues_max={max}; unlink queues or raise it with sysctl as root"
            ))
        }
        libc::ENOMEM => error.because(format!("the kernel has no memory for {messages} messages of {bytes} bytes")),
        libc::ENOSYS => error.because("this kernel is built without POSIX message queues"),
        _ => error,
    }
}
