//! What every Linux has, through libc's bare calls.

use crate::sys::{self, MessageQueue, NamedSemaphore};
use crate::{Ability, Contender, End, Handle, Kind, Opener, Semaphore, Shape, Word, semaphore};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use Ability::{Asleep, Depth, Idle, Many, Open, Pair, PingPong, Priorities, Stream};

/// The system's: a message queue, a pipe, a FIFO, Unix sockets, a semaphore.
pub fn system() -> Vec<Contender> {
    let messages = |name, abilities, create| Contender::new(name, "libc", abilities, create);
    let has_queues = Path::new(LIMITS).exists();
    vec![
        Contender {
            absent: (!has_queues).then_some("a kernel with CONFIG_POSIX_MQUEUE"),
            fit: fit_message_queue,
            unlink: MessageQueue::unlink,
            ..messages("mqueue", &[Stream, Pair, PingPong, Asleep, Open, Idle, Many, Priorities, Depth], message_queue)
        },
        Contender { fit: fit_pipe, ..messages("pipe", &[Stream, Pair, PingPong, Asleep, Idle, Many], pipe) },
        Contender {
            fit: fit_pipe,
            unlink: |name| drop(fs::remove_file(fifo_path(name))),
            ..messages("fifo", &[Stream, Pair, PingPong, Asleep, Open, Idle, Many], fifo)
        },
        messages("unix stream", &[Stream, Pair, PingPong, Asleep, Idle], unix_stream),
        Contender {
            fit: fit_packet,
            ..messages("unix seqpacket", &[Stream, Pair, PingPong, Asleep, Idle, Many], unix_seqpacket)
        },
        Contender {
            kind: Kind::Semaphore,
            unlink: NamedSemaphore::unlink,
            ..messages("sem_t", &[Pair, PingPong], system_semaphore)
        },
    ]
}

// ---- Message queues.

const LIMITS: &str = "/proc/sys/fs/mqueue";

/// What the kernel adds to a message where it counts it, or less.
const OVERHEAD: usize = 128;

/// The shape nearest to the one asked for that two message queues of the system can have.
///
/// # Errors
/// Their messages may not have that size; the sentence names the limit.
pub fn fit_message_queue(shape: Shape) -> io::Result<Shape> {
    let read =
        |path: &str| fs::read_to_string(path).map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")));
    let limit = |name: &str| read(&format!("{LIMITS}/{name}"))?.trim().parse::<usize>().map_err(io::Error::other);
    let refuse = |name: &str, most: usize| {
        let sentence = format!("{name}={most} allows no messages of {} bytes", shape.size);
        Err(io::Error::new(io::ErrorKind::InvalidInput, sentence))
    };
    let largest = limit("msgsize_max")?;
    if shape.size > largest {
        return refuse("fs.mqueue.msgsize_max", largest);
    }
    let limits = read("/proc/self/limits")?;
    let bytes = limits.lines().find_map(|line| line.strip_prefix("Max msgqueue size")?.split_whitespace().next());
    // "unlimited" is no number.
    let bytes = bytes.and_then(|bytes| bytes.parse().ok()).unwrap_or(usize::MAX);
    let depth = bytes / 2 / (shape.size + OVERHEAD);
    if depth == 0 {
        return refuse("RLIMIT_MSGQUEUE", bytes);
    }
    Ok(Shape { depth: shape.depth.min(limit("msg_max")?).min(depth), ..shape })
}

struct Queued {
    queue: MessageQueue,
    shape: Shape,
    message: Vec<u8>,
}

fn message_queue(name: &str, shape: Shape) -> io::Result<Opener> {
    drop(MessageQueue::create(name, shape.depth, shape.size)?);
    let name = name.to_owned();
    Ok(Box::new(move |_| {
        Ok(Box::new(Queued { queue: MessageQueue::open(&name)?, shape, message: vec![1; shape.size] }))
    }))
}

impl Handle for Queued {
    fn send(&mut self, word: Word) -> io::Result<()> {
        self.shape.write(word, &mut self.message);
        self.queue.send(&self.message, word.priority())
    }

    fn receive(&mut self) -> io::Result<Word> {
        let (length, priority) = self.queue.receive(&mut self.message)?;
        self.shape.read(&self.message[..length], priority)
    }
}

// ---- Streams of bytes, in which each message has the same size.

/// Any shape that a pipe can carry whole: of several producers and consumers, messages of PIPE_BUF bytes at most.
///
/// # Errors
/// They are larger.
pub fn fit_pipe(shape: Shape) -> io::Result<Shape> {
    if shape.producers.max(shape.consumers) > 1 && shape.size > libc::PIPE_BUF {
        let sentence = "a pipe keeps messages of several producers whole up to PIPE_BUF, 4096 bytes";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, sentence));
    }
    Ok(shape)
}

/// The ends of a stream that a process has; the other one may be of another object.
struct Bytes {
    from: Option<File>,
    to: Option<File>,
    shape: Shape,
    message: Vec<u8>,
}

impl Bytes {
    fn new(from: Option<File>, to: Option<File>, shape: Shape) -> Bytes {
        Bytes { from, to, shape, message: vec![1; shape.size] }
    }
}

fn other_end() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this is the other end")
}

impl Handle for Bytes {
    fn send(&mut self, word: Word) -> io::Result<()> {
        self.shape.write(word, &mut self.message);
        self.to.as_mut().ok_or_else(other_end)?.write_all(&self.message)
    }

    fn receive(&mut self) -> io::Result<Word> {
        self.from.as_mut().ok_or_else(other_end)?.read_exact(&mut self.message)?;
        self.shape.read(&self.message, 0)
    }
}

/// Opens two inherited ends: of what is read, and of what is written.
fn inherited(from: File, to: File, shape: Shape) -> Opener {
    Box::new(move |end| {
        let part = |file: &File, other: End| if end == other { Ok(None) } else { file.try_clone().map(Some) };
        Ok(Box::new(Bytes::new(part(&from, End::Sender)?, part(&to, End::Receiver)?, shape)))
    })
}

fn pipe(_: &str, shape: Shape) -> io::Result<Opener> {
    let (from, to) = sys::pipe()?;
    Ok(inherited(from, to, shape))
}

fn unix_stream(_: &str, shape: Shape) -> io::Result<Opener> {
    let (from, to) = sys::socket_pair(libc::SOCK_STREAM)?;
    Ok(inherited(from, to, shape))
}

fn fifo_path(name: &str) -> PathBuf {
    std::env::temp_dir().join(&name[1..])
}

fn fifo(name: &str, shape: Shape) -> io::Result<Opener> {
    let path = fifo_path(name);
    sys::make_fifo(&path)?;
    Ok(Box::new(move |end| {
        let open = |read, write| OpenOptions::new().read(read).write(write).open(&path);
        Ok(Box::new(match end {
            End::Receiver => Bytes::new(Some(open(true, false)?), None, shape),
            End::Sender => Bytes::new(None, Some(open(false, true)?), shape),
            End::Both => {
                let both = open(true, true)?; // which waits for nobody, on Linux
                Bytes::new(Some(both.try_clone()?), Some(both), shape)
            }
        }))
    }))
}

// ---- Sockets that keep messages apart.

struct Packets {
    from: File,
    to: File,
    shape: Shape,
    message: Vec<u8>,
}

/// What a socket takes at once goes into its buffer, beside some bytes of the kernel's.
fn fit_packet(shape: Shape) -> io::Result<Shape> {
    const OWN: usize = 32;
    let path = "/proc/sys/net/core/wmem_default";
    let room: usize = fs::read_to_string(path)?.trim().parse().map_err(io::Error::other)?;
    if shape.size + OWN > room {
        let sentence = format!("net.core.wmem_default={room} is too little for messages of {} bytes", shape.size);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, sentence));
    }
    Ok(shape)
}

fn unix_seqpacket(_: &str, shape: Shape) -> io::Result<Opener> {
    let (from, to) = sys::socket_pair(libc::SOCK_SEQPACKET)?;
    Ok(Box::new(move |_| {
        let (from, to) = (from.try_clone()?, to.try_clone()?);
        Ok(Box::new(Packets { from, to, shape, message: vec![1; shape.size] }))
    }))
}

impl Handle for Packets {
    fn send(&mut self, word: Word) -> io::Result<()> {
        self.shape.write(word, &mut self.message);
        self.to.write(&self.message).map(drop) // whole, or not at all
    }

    fn receive(&mut self) -> io::Result<Word> {
        let length = self.from.read(&mut self.message)?;
        self.shape.read(&self.message[..length], 0)
    }
}

// ---- Semaphores.

impl Semaphore for NamedSemaphore {
    fn post(&mut self) -> io::Result<()> {
        NamedSemaphore::post(self)
    }

    fn wait(&mut self) -> io::Result<()> {
        NamedSemaphore::wait(self)
    }

    fn value(&mut self) -> io::Result<u32> {
        NamedSemaphore::value(self)
    }
}

fn system_semaphore(name: &str, _: Shape) -> io::Result<Opener> {
    drop(NamedSemaphore::create(name)?);
    let name = name.to_owned();
    Ok(Box::new(move |_| Ok(semaphore(NamedSemaphore::open(&name)?))))
}
