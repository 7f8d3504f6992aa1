#![doc = include_str!("../docs/queue.md")]
#![allow(clippy::inline_always)] // behind a system call each return costs some 10 ns: see sys/call.rs

mod calls;
mod loan;
mod posix;
mod shm;

use crate::deadline::Deadline;
use crate::engine::Engine;
use crate::error::{Errno, Error, Object, Result};
use crate::name::{NAME_MAX, Name};
use crate::options::{self, Access, Mode, Opened};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

pub use loan::{Borrowed, Loan, Reserved};
pub(crate) use shm::look;

/// The highest priority that a message can have; the lowest is 0. `MQ_PRIO_MAX - 1` on Linux.
///
/// ```
/// assert_eq!(unipc::queue::PRIORITY_MAX, 32767);
/// ```
pub const PRIORITY_MAX: u32 = 32767;

/// A message queue: messages of a bounded size, the highest priority first, in order within one.
///
/// Dropping the handle closes it and removes nothing. Any thread may use it, several at once too,
/// and so may a child made by fork; exec closes it.
///
/// ```
/// use unipc::Queue;
/// let name = format!("/unipc-doc-queue-{}", std::process::id());
/// let queue = Queue::options().max_messages(4).message_size(64).create(&name)?;
/// queue.send(b"low", 0)?;
/// queue.send(b"high", 5)?;
/// let message = queue.receive()?;
/// assert_eq!((message.data.as_slice(), message.priority), (&b"high"[..], 5));
/// Queue::unlink(&name)?;
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Debug)]
pub struct Queue {
    name: Name,
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Posix(posix::Queue),
    Shm(shm::Queue),
}

/// The same call on whichever engine it is.
macro_rules! on_engine {
    ($queue:expr, $inner:ident => $call:expr) => {
        match &$queue.inner {
            Inner::Posix($inner) => $call,
            Inner::Shm($inner) => $call,
        }
    };
}

/// Attributes of a queue to be made; what is absent is the engine's default.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    max_messages: Option<usize>,
    message_size: Option<usize>,
}

/// How a queue is made and opened. See [`Queue::options`].
///
/// ```
/// let mut options = unipc::Queue::options();
/// options.max_messages(10).message_size(1024).mode(0o660);
/// ```
#[derive(Clone, Debug, Default)]
pub struct QueueOptions {
    size: Size,
    mode: Mode,
    access: Access,
    nonblocking: bool,
    engine: Engine,
}

/// A message that was received.
///
/// ```
/// # let name = format!("/unipc-doc-message-{}", std::process::id());
/// # let queue = unipc::Queue::options().max_messages(1).message_size(16).create(&name)?;
/// # unipc::Queue::unlink(&name)?;
/// queue.send(b"text", 3)?;
/// let unipc::queue::Message { data, priority } = queue.receive()?;
/// assert_eq!((data, priority), (b"text".to_vec(), 3));
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The bytes, as many as were sent.
    pub data: Vec<u8>,
    /// The priority it was sent with.
    pub priority: u32,
}

/// What was received into a buffer of the caller's.
///
/// ```
/// # let name = format!("/unipc-doc-received-{}", std::process::id());
/// # let queue = unipc::Queue::options().max_messages(1).message_size(16).create(&name)?;
/// # unipc::Queue::unlink(&name)?;
/// queue.send(b"text", 3)?;
/// let mut buffer = [0; 16];
/// let received = queue.receive_into(&mut buffer)?;
/// assert_eq!(&buffer[..received.len], b"text");
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many bytes of the buffer the message takes.
    pub len: usize,
    /// The priority it was sent with.
    pub priority: u32,
}

/// The attributes of a queue, as mq_getattr(3) has them.
///
/// ```
/// # let name = format!("/unipc-doc-attributes-{}", std::process::id());
/// # let queue = unipc::Queue::options().max_messages(2).message_size(16).create(&name)?;
/// # unipc::Queue::unlink(&name)?;
/// queue.send(b"text", 0)?;
/// let attributes = queue.attributes()?;
/// assert_eq!((attributes.max_messages, attributes.message_size, attributes.queued), (2, 16, 1));
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// How many messages fit.
    pub max_messages: usize,
    /// How many bytes a message has at most.
    pub message_size: usize,
    /// How many messages are there now.
    pub queued: usize,
    /// Whether O_NONBLOCK is set.
    pub nonblocking: bool,
}

impl Queue {
    /// The engines that have queues.
    ///
    /// ```
    /// assert_eq!(unipc::Queue::ENGINES, unipc::Engine::ALL);
    /// ```
    pub const ENGINES: &'static [Engine] = Engine::ALL;

    /// Options to create or open a queue with.
    ///
    /// ```
    /// use unipc::{Access, Queue};
    /// let name = format!("/unipc-doc-queue-options-{}", std::process::id());
    /// let sender = Queue::options()
    ///     .max_messages(4)
    ///     .message_size(64)
    ///     .access(Access::WriteOnly)
    ///     .create(&name)?;
    /// assert!(sender.try_receive().is_err());
    /// Queue::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn options() -> QueueOptions {
        QueueOptions::default()
    }

    /// Makes a queue of the system's default size, mode 0600; as [`QueueOptions::create`].
    ///
    /// # Errors
    /// As [`QueueOptions::create`].
    ///
    /// ```
    /// use unipc::Queue;
    /// let name = format!("/unipc-doc-queue-create-{}", std::process::id());
    /// let queue = Queue::create(&name)?;
    /// Queue::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn create(name: &str) -> Result<Queue> {
        Queue::options().create(name)
    }

    /// Opens a queue that exists, for sending and receiving; as [`QueueOptions::open`].
    ///
    /// # Errors
    /// As [`QueueOptions::open`].
    ///
    /// ```
    /// let error = unipc::Queue::open("/no-such-queue").unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    /// ```
    pub fn open(name: &str) -> Result<Queue> {
        Queue::options().open(name)
    }

    /// Removes the name at once, whichever engine has it; the queue goes when the last handle of it is
    /// closed.
    /// [mq_unlink(3)](https://man7.org/linux/man-pages/man3/mq_unlink.3.html).
    ///
    /// # Errors
    /// ENOENT; EACCES, EPERM: it belongs to another user; EINVAL, ENAMETOOLONG: no valid name.
    ///
    /// ```
    /// assert!(unipc::Queue::unlink("/no-such-queue").is_err());
    /// ```
    pub fn unlink(name: &str) -> Result<()> {
        let operation = "unlink queue";
        let name = Name::new(operation, name, NAME_MAX)?;
        let removed = match (posix::Queue::unlink(&name), shm::Queue::unlink(&name)) {
            (Ok(()), _) | (_, Ok(())) => Ok(()),
            (Err(errno), Err(other)) => Err(if errno == Errno::NOT_FOUND { other } else { errno }),
        };
        removed.map_err(|errno| errno.of(operation, &name))
    }

    /// The name it was created or opened by.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-name-{}", std::process::id());
    /// let queue = unipc::Queue::create(&name)?;
    /// assert_eq!(queue.name(), name);
    /// # unipc::Queue::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The engine that does its work.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-engine-{}", std::process::id());
    /// # let queue = unipc::Queue::create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// assert_eq!(queue.engine(), unipc::Engine::Posix);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn engine(&self) -> Engine {
        match &self.inner {
            Inner::Posix(_) => Engine::Posix,
            Inner::Shm(_) => Engine::Shm,
        }
    }

    /// How many messages fit; fixed when the queue was made.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-max-{}", std::process::id());
    /// let queue = unipc::Queue::options().max_messages(3).message_size(16).create(&name)?;
    /// assert_eq!(queue.max_messages(), 3);
    /// # unipc::Queue::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn max_messages(&self) -> usize {
        on_engine!(self, queue => queue.max_messages)
    }

    /// How many bytes a message has at most, and a buffer to receive into at least; fixed when the
    /// queue was made.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-size-{}", std::process::id());
    /// let queue = unipc::Queue::options().max_messages(3).message_size(16).create(&name)?;
    /// assert_eq!(queue.message_size(), 16);
    /// # unipc::Queue::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn message_size(&self) -> usize {
        on_engine!(self, queue => queue.message_size)
    }

    /// The attributes, as they are at this moment.
    ///
    /// # Errors
    /// None that an open queue gives.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-attr-{}", std::process::id());
    /// # let queue = unipc::Queue::create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// assert!(!queue.attributes()?.nonblocking);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn attributes(&self) -> Result<Attributes> {
        let (queued, nonblocking) = match &self.inner {
            Inner::Posix(queue) => {
                let found = queue.attributes().map_err(|errno| errno.of("inspect queue", &self.name))?;
                (found.queued, found.nonblocking)
            }
            Inner::Shm(queue) => (queue.queued(), queue.is_nonblocking()),
        };
        Ok(Attributes { max_messages: self.max_messages(), message_size: self.message_size(), queued, nonblocking })
    }

    /// How many messages are in the queue.
    ///
    /// # Errors
    /// None that an open queue gives.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-len-{}", std::process::id());
    /// # let queue = unipc::Queue::create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// queue.send(b"one", 0)?;
    /// assert_eq!(queue.len()?, 1);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn len(&self) -> Result<usize> {
        Ok(self.attributes()?.queued)
    }

    /// Whether no message is in the queue.
    ///
    /// # Errors
    /// None that an open queue gives.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-empty-{}", std::process::id());
    /// # let queue = unipc::Queue::create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// assert!(queue.is_empty()?);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Sets O_NONBLOCK: every call on this handle that would wait, with a deadline or without, fails
    /// with EAGAIN instead. A child made by fork has the flag too; on engine posix it shares it, as part
    /// of the open description. [mq_setattr(3)](https://man7.org/linux/man-pages/man3/mq_getattr.3.html).
    ///
    /// # Errors
    /// None that an open queue gives.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-nonblocking-{}", std::process::id());
    /// # let queue = unipc::Queue::create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// queue.set_nonblocking(true)?;
    /// assert!(queue.receive().unwrap_err().would_block());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn set_nonblocking(&self, on: bool) -> Result<()> {
        match &self.inner {
            Inner::Posix(queue) => {
                queue.set_nonblocking(on).map_err(|errno| errno.of("set flags of queue", &self.name))
            }
            Inner::Shm(queue) => {
                queue.set_nonblocking(on);
                Ok(())
            }
        }
    }

    /// Sends a message, waiting while the queue is full. An empty message is a message.
    /// [mq_send(3)](https://man7.org/linux/man-pages/man3/mq_send.3.html).
    ///
    /// # Errors
    /// EMSGSIZE: longer than [`message_size`](Self::message_size). EINVAL: `priority` beyond
    /// [`PRIORITY_MAX`]. EBADF: opened for receiving only. EINTR: a signal handler ran; nothing was
    /// sent. EAGAIN: full, and the handle is [non-blocking](Self::set_nonblocking).
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-send-{}", std::process::id());
    /// # let queue = unipc::Queue::options().max_messages(2).message_size(16).create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// queue.send(b"hello", 0)?;
    /// assert!(queue.send(b"more than sixteen bytes", 0).is_err());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline]
    pub fn send(&self, data: &[u8], priority: u32) -> Result<()> {
        self.send_by(data, priority, Deadline::NEVER)
    }

    /// Sends a message if there is room, and does not wait.
    ///
    /// # Errors
    /// As [`send`](Self::send); EAGAIN: the queue is full.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-try-send-{}", std::process::id());
    /// # let queue = unipc::Queue::options().max_messages(1).message_size(16).create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// queue.try_send(b"fits", 0)?;
    /// assert!(queue.try_send(b"does not", 0).unwrap_err().would_block());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline]
    pub fn try_send(&self, data: &[u8], priority: u32) -> Result<()> {
        self.send_by(data, priority, Deadline::NOW)
    }

    /// Sends a message, waiting for room until `deadline` at the latest. Room that is there is used,
    /// even if the deadline has passed.
    ///
    /// # Errors
    /// As [`send`](Self::send); ETIMEDOUT: the queue was full all the time.
    ///
    /// ```
    /// use std::time::Duration;
    /// # let name = format!("/unipc-doc-queue-send-by-{}", std::process::id());
    /// # let queue = unipc::Queue::options().max_messages(1).message_size(16).create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// queue.send(b"fits", 0)?;
    /// assert!(queue.send_by(b"late", 0, Duration::from_millis(2)).unwrap_err().timed_out());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline(always)]
    pub fn send_by(&self, data: &[u8], priority: u32, deadline: impl Into<Deadline>) -> Result<()> {
        let deadline = deadline.into();
        let sent = match &self.inner {
            Inner::Posix(queue) => queue.send(data, priority, deadline),
            Inner::Shm(queue) => queue.send(data, priority, &deadline),
        };
        sent.map_err(|errno| self.explain_send(errno, data.len(), priority))
    }

    #[cold]
    fn explain_send(&self, errno: Errno, len: usize, priority: u32) -> Error {
        let error = errno.of("send to queue", &self.name);
        match errno.0 {
            libc::EMSGSIZE => error.because(format!(
                "a message of {len} bytes exceeds the queue's message size of {}",
                self.message_size()
            )),
            libc::EINVAL if priority > PRIORITY_MAX => {
                error.because(format!("priority {priority} exceeds {PRIORITY_MAX}"))
            }
            libc::EAGAIN => error.because("the queue is full"),
            libc::ETIMEDOUT => error.because("timed out: the queue was full"),
            libc::EBADF => error.because("the handle is open for receiving only, or its descriptor was closed"),
            _ => error,
        }
    }

    /// Receives the oldest message of the highest priority, waiting while there is none.
    /// [mq_receive(3)](https://man7.org/linux/man-pages/man3/mq_receive.3.html).
    ///
    /// # Errors
    /// EBADF: opened for sending only. EINTR: a signal handler ran; no message was taken. EAGAIN:
    /// empty, and the handle is [non-blocking](Self::set_nonblocking).
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-receive-{}", std::process::id());
    /// # let queue = unipc::Queue::create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// queue.send(b"hello", 0)?;
    /// assert_eq!(queue.receive()?.data, b"hello");
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn receive(&self) -> Result<Message> {
        self.receive_by(Deadline::NEVER)
    }

    /// Receives a message if there is one, and does not wait.
    ///
    /// # Errors
    /// As [`receive`](Self::receive); EAGAIN: the queue is empty.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-try-receive-{}", std::process::id());
    /// # let queue = unipc::Queue::create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// assert!(queue.try_receive().unwrap_err().would_block());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn try_receive(&self) -> Result<Message> {
        self.receive_by(Deadline::NOW)
    }

    /// Receives a message, waiting for one until `deadline` at the latest. One that is there is
    /// taken, even if the deadline has passed.
    ///
    /// # Errors
    /// As [`receive`](Self::receive); ETIMEDOUT: none came.
    ///
    /// ```
    /// use std::time::Duration;
    /// # let name = format!("/unipc-doc-queue-receive-by-{}", std::process::id());
    /// # let queue = unipc::Queue::create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// assert!(queue.receive_by(Duration::from_millis(2)).unwrap_err().timed_out());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn receive_by(&self, deadline: impl Into<Deadline>) -> Result<Message> {
        let deadline = deadline.into();
        let received = match &self.inner {
            Inner::Posix(queue) => queue.receive(deadline),
            Inner::Shm(queue) => queue.receive(&deadline),
        };
        match received {
            Ok((data, priority)) => Ok(Message { data, priority }),
            Err(errno) => Err(self.explain_receive(errno, self.message_size())),
        }
    }

    /// As [`receive`](Self::receive), into a buffer of the caller's, whose bytes mean nothing after a failure.
    ///
    /// # Errors
    /// As `receive`; EMSGSIZE: `buf` is shorter than [`message_size`](Self::message_size), however
    /// short the message. It stays in the queue.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-into-{}", std::process::id());
    /// # let queue = unipc::Queue::options().max_messages(1).message_size(16).create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// queue.send(b"hello", 7)?;
    /// assert!(queue.receive_into(&mut [0; 15]).is_err());
    /// let mut buffer = [0; 16];
    /// let received = queue.receive_into(&mut buffer)?;
    /// assert_eq!((&buffer[..received.len], received.priority), (&b"hello"[..], 7));
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline]
    pub fn receive_into(&self, buf: &mut [u8]) -> Result<Received> {
        self.receive_into_by(buf, Deadline::NEVER)
    }

    /// As [`try_receive`](Self::try_receive), into a buffer of the caller's.
    ///
    /// # Errors
    /// As [`receive_into`](Self::receive_into); EAGAIN: the queue is empty.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-try-into-{}", std::process::id());
    /// # let queue = unipc::Queue::options().max_messages(1).message_size(16).create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// assert!(queue.try_receive_into(&mut [0; 16]).unwrap_err().would_block());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline]
    pub fn try_receive_into(&self, buf: &mut [u8]) -> Result<Received> {
        self.receive_into_by(buf, Deadline::NOW)
    }

    /// As [`receive_by`](Self::receive_by), into a buffer of the caller's.
    ///
    /// # Errors
    /// As [`receive_into`](Self::receive_into); ETIMEDOUT: no message came.
    ///
    /// ```
    /// use std::time::Duration;
    /// # let name = format!("/unipc-doc-queue-into-by-{}", std::process::id());
    /// # let queue = unipc::Queue::options().max_messages(1).message_size(16).create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// let error = queue.receive_into_by(&mut [0; 16], Duration::from_millis(2)).unwrap_err();
    /// assert!(error.timed_out());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline(always)]
    pub fn receive_into_by(&self, buf: &mut [u8], deadline: impl Into<Deadline>) -> Result<Received> {
        let deadline = deadline.into();
        let received = match &self.inner {
            Inner::Posix(queue) => queue.receive_into(buf, deadline),
            Inner::Shm(queue) => queue.receive_into(buf, &deadline),
        };
        match received {
            Ok((len, priority)) => Ok(Received { len, priority }),
            Err(errno) => Err(self.explain_receive(errno, buf.len())),
        }
    }

    #[cold]
    fn explain_receive(&self, errno: Errno, room: usize) -> Error {
        let error = errno.of("receive from queue", &self.name);
        match errno.0 {
            libc::EMSGSIZE => error.because(format!(
                "a buffer of {room} bytes is shorter than the queue's message size: {} bytes are needed",
                self.message_size()
            )),
            libc::EAGAIN => error.because("the queue is empty"),
            libc::ETIMEDOUT => error.because("timed out: the queue was empty"),
            libc::EBADF => error.because("the handle is open for sending only, or its descriptor was closed"),
            _ => error,
        }
    }

    /// Sends several messages of one priority: waits until there is room for the first, and takes no time
    /// for the others, but sends as many as there is room for. How many went; those behind did not.
    ///
    /// # Errors
    /// As [`send`](Self::send) of the first; then none went. What is wrong with a later one is found by
    /// the next call, of which it is the first.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-send-many-{}", std::process::id());
    /// # let queue = unipc::Queue::options().max_messages(2).message_size(16).create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// assert_eq!(queue.send_many(&["one", "two", "three"], 0, unipc::Deadline::NEVER)?, 2);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn send_many(
        &self,
        messages: &[impl AsRef<[u8]>],
        priority: u32,
        deadline: impl Into<Deadline>,
    ) -> Result<usize> {
        let Some((first, others)) = messages.split_first() else { return Ok(0) };
        self.send_by(first.as_ref(), priority, deadline)?;
        let went = others.iter().take_while(|message| self.try_send(message.as_ref(), priority).is_ok()).count();
        Ok(1 + went)
    }

    /// Receives up to `max` messages: waits for the first, and takes what is there beside it.
    ///
    /// # Errors
    /// As [`receive_by`](Self::receive_by).
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-receive-many-{}", std::process::id());
    /// # let queue = unipc::Queue::options().max_messages(4).message_size(16).create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// queue.send_many(&["one", "two", "three"], 0, unipc::Deadline::NEVER)?;
    /// let messages = queue.receive_many(2, unipc::Deadline::NEVER)?;
    /// assert_eq!((messages[0].data.as_slice(), messages[1].data.as_slice()), (&b"one"[..], &b"two"[..]));
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn receive_many(&self, max: usize, deadline: impl Into<Deadline>) -> Result<Vec<Message>> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let mut messages = vec![self.receive_by(deadline)?];
        while messages.len() < max {
            let Ok(message) = self.try_receive() else { break };
            messages.push(message);
        }
        Ok(messages)
    }

    fn shm(&self, operation: &'static str) -> Result<&shm::Queue> {
        match &self.inner {
            Inner::Shm(queue) => Ok(queue),
            Inner::Posix(_) => {
                let cause = "this needs a queue in shared memory: make it with engine shm";
                Err(Errno::UNSUPPORTED.of(operation, &self.name).because(cause))
            }
        }
    }

    /// Takes a cell of the queue, to write a message of `len` bytes in place and then
    /// [commit](Reserved::commit) it; waits while the queue is full. Engine shm only.
    ///
    /// # Errors
    /// As [`send`](Self::send). EOPNOTSUPP: the queue is of engine posix.
    ///
    /// ```
    /// use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-queue-reserve-{}", std::process::id());
    /// let queue = Queue::options().engine(Engine::Shm).max_messages(2).message_size(1 << 20).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// let mut message = queue.reserve(1 << 20, 0)?;
    /// message.write(0, b"begins so")?;
    /// message.commit()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn reserve(&self, len: usize, priority: u32) -> Result<Reserved<'_>> {
        self.reserve_by(len, priority, Deadline::NEVER)
    }

    /// As [`reserve`](Self::reserve), without waiting.
    ///
    /// # Errors
    /// As `reserve`; EAGAIN: the queue is full.
    ///
    /// ```
    /// use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-queue-try-reserve-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(1).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// let message = queue.try_reserve(5, 0)?;
    /// assert!(queue.try_reserve(5, 0).unwrap_err().would_block());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn try_reserve(&self, len: usize, priority: u32) -> Result<Reserved<'_>> {
        self.reserve_by(len, priority, Deadline::NOW)
    }

    /// As [`reserve`](Self::reserve), waiting until `deadline` at the latest.
    ///
    /// # Errors
    /// As `reserve`; ETIMEDOUT: the queue was full all the time.
    ///
    /// ```
    /// use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-queue-reserve-by-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(1).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// queue.reserve_by(5, 0, std::time::Duration::from_secs(1))?.abort()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline(always)]
    pub fn reserve_by(&self, len: usize, priority: u32, deadline: impl Into<Deadline>) -> Result<Reserved<'_>> {
        let queue = self.shm("reserve in queue")?;
        let claim =
            queue.reserve(len, priority, &deadline.into()).map_err(|errno| self.explain_send(errno, len, priority))?;
        Ok(Reserved::new(queue, &self.name, claim, len))
    }

    /// Takes the oldest message of the highest priority, to read it in place and then
    /// [release](Borrowed::release) it; waits while there is none. Engine shm only.
    ///
    /// # Errors
    /// As [`receive`](Self::receive). EOPNOTSUPP: the queue is of engine posix.
    ///
    /// ```
    /// use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-queue-borrow-{}", std::process::id());
    /// let queue = Queue::options().engine(Engine::Shm).max_messages(2).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// queue.send(b"text", 0)?;
    /// let message = queue.borrow()?;
    /// assert_eq!(message.to_vec()?, b"text");
    /// message.release()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn borrow(&self) -> Result<Borrowed<'_>> {
        self.borrow_by(Deadline::NEVER)
    }

    /// As [`borrow`](Self::borrow), without waiting.
    ///
    /// # Errors
    /// As `borrow`; EAGAIN: the queue is empty.
    ///
    /// ```
    /// use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-queue-try-borrow-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(1).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// assert!(queue.try_borrow().unwrap_err().would_block());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn try_borrow(&self) -> Result<Borrowed<'_>> {
        self.borrow_by(Deadline::NOW)
    }

    /// As [`borrow`](Self::borrow), waiting until `deadline` at the latest.
    ///
    /// # Errors
    /// As `borrow`; ETIMEDOUT: none came.
    ///
    /// ```
    /// use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-queue-borrow-by-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(1).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// assert!(queue.borrow_by(std::time::Duration::from_millis(2)).unwrap_err().timed_out());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline(always)]
    pub fn borrow_by(&self, deadline: impl Into<Deadline>) -> Result<Borrowed<'_>> {
        let queue = self.shm("borrow from queue")?;
        let claim = queue.borrow(&deadline.into()).map_err(|errno| self.explain_receive(errno, usize::MAX))?;
        Borrowed::new(queue, &self.name, claim)
    }

    /// Puts a reservation back into its guard: see [`Loan`].
    ///
    /// # Errors
    /// EINVAL: it is none of this queue.
    ///
    /// ```
    /// use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-queue-resume-r-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(1).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// let loan = queue.reserve(5, 0)?.into_loan();
    /// queue.resume_reserved(loan)?.commit()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline(always)]
    pub fn resume_reserved(&self, loan: Loan) -> Result<Reserved<'_>> {
        Reserved::resume(self.shm("reserve in queue")?, &self.name, loan)
    }

    /// Puts a borrowed message back into its guard: see [`Loan`].
    ///
    /// # Errors
    /// EINVAL: it is none of this queue.
    ///
    /// ```
    /// use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-queue-resume-b-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(1).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// queue.send(b"text", 0)?;
    /// let loan = queue.borrow()?.into_loan();
    /// queue.resume_borrowed(loan)?.release()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    #[inline(always)]
    pub fn resume_borrowed(&self, loan: Loan) -> Result<Borrowed<'_>> {
        Borrowed::resume(self.shm("borrow from queue")?, &self.name, loan)
    }

    /// Ends every wait on this handle, in whatever thread, now and later: who waits, or would have to,
    /// gets ESHUTDOWN. What needs no waiting goes on as before, and so do all other handles. Engine shm
    /// only: the kernel's queues have no such thing.
    ///
    /// # Errors
    /// EOPNOTSUPP: the queue is of engine posix.
    ///
    /// ```
    /// use unipc::{Engine, Queue};
    /// # let name = format!("/unipc-doc-queue-shutdown-{}", std::process::id());
    /// # let queue = Queue::options().engine(Engine::Shm).max_messages(1).message_size(64).create(&name)?;
    /// # Queue::unlink(&name)?;
    /// std::thread::scope(|scope| {
    ///     let waiting = scope.spawn(|| queue.receive());
    ///     queue.shutdown().unwrap();
    ///     assert_eq!(waiting.join().unwrap().unwrap_err().errno(), 108); // ESHUTDOWN
    /// });
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn shutdown(&self) -> Result<()> {
        self.shm("shut down queue")?.shut_down();
        Ok(())
    }

    /// Has this process sent `signal` when a message comes into the empty queue and nobody waits to
    /// receive (on engine posix, without a monotonic deadline). Once: register anew for the next. The handler
    /// finds `SI_MESGQ` in `si_code` and `value` in `si_value`. A queue has one registration at a time, of
    /// whichever process and kind; closing the handle removes it (on engine posix, closing any handle of
    /// the queue in this process). On engine shm a thread of this process waits for the message meanwhile.
    /// [mq_notify(3)](https://man7.org/linux/man-pages/man3/mq_notify.3.html).
    ///
    /// # Errors
    /// EBUSY: there is a registration already. EINVAL: no such signal.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-notify-{}", std::process::id());
    /// # let queue = unipc::Queue::create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// queue.notify_signal(10, 0)?; // SIGUSR1 on most machines
    /// assert_eq!(queue.notify_signal(10, 0).unwrap_err().errno(), 16); // EBUSY
    /// queue.cancel_notify()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn notify_signal(&self, signal: i32, value: usize) -> Result<()> {
        // The kernel takes 0, which holds the registration and never comes.
        let registered = if signal == 0 {
            Err(Errno::INVALID)
        } else {
            on_engine!(self, queue => queue.notify_signal(signal, value))
        };
        registered.map_err(|errno| {
            let error = self.explain_notify(errno);
            if errno == Errno::INVALID { error.because(format!("{signal} is no signal")) } else { error }
        })
    }

    /// As [`notify_signal`](Self::notify_signal), but runs `callback` once, on a thread of its own
    /// with all signals blocked but those of its own faults. The thread exists from now until the
    /// message comes or the registration is removed. In a child made by fork there is neither, but a
    /// descriptor that closes at exec.
    ///
    /// To wait together with other descriptors, poll the queue's own instead: it is readable while
    /// messages are there ([`AsFd`]).
    ///
    /// # Errors
    /// EBUSY: there is a registration already. EMFILE, EAGAIN, ENOMEM: no descriptor or thread is left.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// # let name = format!("/unipc-doc-queue-callback-{}", std::process::id());
    /// # let queue = unipc::Queue::create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// let (tell, told) = mpsc::channel();
    /// queue.notify_callback(move || tell.send("a message came").unwrap())?;
    /// queue.send(b"hello", 0)?;
    /// assert_eq!(told.recv(), Ok("a message came"));
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn notify_callback(&self, callback: impl FnOnce() + Send + 'static) -> Result<()> {
        on_engine!(self, queue => queue.notify_callback(Box::new(callback))).map_err(|errno| self.explain_notify(errno))
    }

    /// Removes the registration of this process; without one it does nothing. When it returns, no
    /// callback that was registered by this handle runs any more or will run: it waits for one whose
    /// message has come, unless the callback itself makes this call.
    ///
    /// # Errors
    /// None that an open queue gives.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-cancel-{}", std::process::id());
    /// # let queue = unipc::Queue::create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// queue.cancel_notify()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn cancel_notify(&self) -> Result<()> {
        match &self.inner {
            Inner::Posix(queue) => {
                queue.cancel_notify().map_err(|errno| errno.of("cancel notification of queue", &self.name))
            }
            Inner::Shm(queue) => {
                queue.cancel_notify();
                Ok(())
            }
        }
    }

    #[cold]
    fn explain_notify(&self, errno: Errno) -> Error {
        let error = errno.of("request notification of queue", &self.name);
        if errno.0 == libc::EBUSY { error.because("a process is registered for notification already") } else { error }
    }
}

impl AsFd for Queue {
    /// The descriptor, for poll(2), select(2) and epoll(7): readable while messages are there,
    /// writable while there is room.
    fn as_fd(&self) -> BorrowedFd<'_> {
        on_engine!(self, queue => queue.fd())
    }
}

impl AsRawFd for Queue {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl QueueOptions {
    /// How many messages fit; the system's default (fs.mqueue.msg_default) unless set, 10 on engine shm.
    ///
    /// ```
    /// unipc::Queue::options().max_messages(8);
    /// ```
    pub fn max_messages(&mut self, count: usize) -> &mut Self {
        self.size.max_messages = Some(count);
        self
    }

    /// How many bytes a message has at most; the system's default (fs.mqueue.msgsize_default) unless set,
    /// 8192 on engine shm.
    ///
    /// ```
    /// unipc::Queue::options().message_size(1024);
    /// ```
    pub fn message_size(&mut self, bytes: usize) -> &mut Self {
        self.size.message_size = Some(bytes);
        self
    }

    /// The permission bits, from which the umask of the process takes its own away. 0600 unless set.
    ///
    /// ```
    /// unipc::Queue::options().mode(0o640);
    /// ```
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.mode = Mode { bits: mode, exact: false };
        self
    }

    /// The permission bits, whatever the umask. Until `create` returns, the mode is the stricter one
    /// that the umask leaves.
    ///
    /// ```
    /// unipc::Queue::options().exact_mode(0o666);
    /// ```
    pub fn exact_mode(&mut self, mode: u32) -> &mut Self {
        self.mode = Mode { bits: mode, exact: true };
        self
    }

    /// Which engine makes it; [`Engine::Posix`] unless set.
    ///
    /// ```
    /// unipc::Queue::options().engine(unipc::Engine::Posix);
    /// ```
    pub fn engine(&mut self, engine: Engine) -> &mut Self {
        self.engine = engine;
        self
    }

    /// For which directions this handle is opened; both unless set.
    ///
    /// ```
    /// unipc::Queue::options().access(unipc::Access::ReadOnly);
    /// ```
    pub fn access(&mut self, access: Access) -> &mut Self {
        self.access = access;
        self
    }

    /// Opens with O_NONBLOCK set; see [`Queue::set_nonblocking`].
    ///
    /// ```
    /// unipc::Queue::options().nonblocking(true);
    /// ```
    pub fn nonblocking(&mut self, on: bool) -> &mut Self {
        self.nonblocking = on;
        self
    }

    /// Makes a queue that is not there yet. [mq_open(3)](https://man7.org/linux/man-pages/man3/mq_open.3.html).
    ///
    /// # Errors
    /// EEXIST. EINVAL: no valid name, a mode beyond 0777, a size of 0 or beyond fs.mqueue.msg_max or
    /// msgsize_max. EMFILE: RLIMIT_MSGQUEUE or RLIMIT_NOFILE. ENOSPC: fs.mqueue.queues_max; on engine
    /// shm, the space of /dev/shm. The sentence names the limit, its value and the way out. ENAMETOOLONG,
    /// ENOMEM, ENFILE. EOPNOTSUPP: engine shm, and the system has no robust futexes.
    ///
    /// ```
    /// # let name = format!("/unipc-doc-queue-ocreate-{}", std::process::id());
    /// let queue = unipc::Queue::options().max_messages(8).message_size(256).create(&name)?;
    /// # unipc::Queue::unlink(&name)?;
    /// assert!(unipc::Queue::options().max_messages(0).create(&name).is_err());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn create(&self, name: &str) -> Result<Queue> {
        let operation = "create queue";
        let name = Name::new(operation, name, NAME_MAX)?;
        let mode = self.mode.check(operation, &name)?;
        for (what, number) in [("messages", self.size.max_messages), ("bytes a message", self.size.message_size)] {
            if number == Some(0) {
                let cause = format!("a queue of 0 {what} holds nothing");
                return Err(Error::new(operation, Object::from(&name), libc::EINVAL, cause));
            }
        }
        if self.other_engine_has(&name) {
            return Err(self.exists_already(operation, &name));
        }
        let (access, nonblocking, size) = (self.access, self.nonblocking, self.size);
        let inner = match self.engine {
            Engine::Posix => Inner::Posix(posix::Queue::create(&name, access, nonblocking, mode, size)?),
            Engine::Shm => Inner::Shm(shm::Queue::create(&name, access, nonblocking, mode, size)?),
        };
        if self.other_engine_has(&name) {
            // Made at the same time: better none of the two than both.
            let _ = match self.engine {
                Engine::Posix => posix::Queue::unlink(&name),
                Engine::Shm => shm::Queue::unlink(&name),
            };
            return Err(self.exists_already(operation, &name));
        }
        Ok(Queue { name, inner })
    }

    fn other(&self) -> Engine {
        match self.engine {
            Engine::Posix => Engine::Shm,
            Engine::Shm => Engine::Posix,
        }
    }

    fn exists_already(&self, operation: &'static str, name: &Name) -> Error {
        Errno::EXISTS.of(operation, name).because(format!("it exists already, on engine {}", self.other()))
    }

    /// A name is one queue's, whatever the engine.
    fn other_engine_has(&self, name: &Name) -> bool {
        match self.other() {
            Engine::Posix => posix::Queue::exists(name),
            Engine::Shm => shm::Queue::exists(name),
        }
    }

    /// Opens a queue that exists; its own size and mode hold.
    ///
    /// # Errors
    /// ENOENT. EACCES: its mode forbids the access asked for (engine shm: reading and writing, whatever is
    /// asked for). EINVAL: it is of the other engine; no valid name. ENAMETOOLONG, EMFILE. On engine shm,
    /// EBADMSG: its contents cannot be; EPROTO: it is of another version or machine; EUSERS: 1024 threads
    /// take part already; ENOSPC: there is no space for one more.
    ///
    /// ```
    /// assert!(unipc::Queue::options().open("/no-such-queue").is_err());
    /// ```
    pub fn open(&self, name: &str) -> Result<Queue> {
        let name = Name::new("open queue", name, NAME_MAX)?;
        let inner = match self.engine {
            Engine::Posix => posix::Queue::open(&name, self.access, self.nonblocking).map(Inner::Posix),
            Engine::Shm => shm::Queue::open(&name, self.access, self.nonblocking).map(Inner::Shm),
        };
        match inner {
            Ok(inner) => Ok(Queue { name, inner }),
            Err(error) if error.errno() == Errno::NOT_FOUND.0 && self.other_engine_has(&name) => {
                let cause =
                    format!("it is a queue of engine {other}: open it with engine {other}", other = self.other());
                Err(Errno::INVALID.of("open queue", &name).because(cause))
            }
            Err(error) => Err(error),
        }
    }

    /// Opens the queue or makes it, and tells which.
    ///
    /// # Errors
    /// As [`create`](Self::create) and [`open`](Self::open).
    ///
    /// ```
    /// use unipc::{Opened, Queue};
    /// # let name = format!("/unipc-doc-queue-ooc-{}", std::process::id());
    /// let (queue, did) = Queue::options().open_or_create(&name)?;
    /// assert_eq!(did, Opened::Created);
    /// # Queue::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn open_or_create(&self, name: &str) -> Result<(Queue, Opened)> {
        options::open_or_create(|| self.open(name), || self.create(name))
    }
}
