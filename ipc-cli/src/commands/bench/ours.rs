//! unipc's own contenders, through the library's public API.

use std::io;
use std::path::PathBuf;
use unipc::{Deadline, Engine, Fifo, PipeReader, PipeWriter, Queue};
use unipc_contender::{
    Ability, Contender, End, Handle, Kind, Opener, Semaphore, Shape, Waits, Word, fit_message_queue, fit_pipe,
};

use Ability::{Asleep, Depth, Idle, InPlace, Many, Open, Pair, PingPong, Priorities, Stream};

/// A queue of each engine, one in place; a pipe, a FIFO, a semaphore.
pub fn contenders() -> Vec<Contender> {
    let blocking = |name, abilities, create| Contender::new(name, "Rust", abilities, create);
    let shared = |name, abilities, create| Contender {
        waits: Waits::SpinsThenBlocks,
        unlink: |name| drop(Queue::unlink(name)),
        ..blocking(name, abilities, create)
    };
    vec![
        shared("unipc shm", &[Stream, Pair, PingPong, Asleep, Open, Idle, Many, Priorities, Depth], |name, shape| {
            queue(Engine::Shm, name, shape, |queue, shape| Box::new(Copied { queue, shape, message: message(shape) }))
        }),
        shared(
            "unipc shm in place",
            &[Stream, Pair, PingPong, Asleep, Many, Priorities, Depth, InPlace],
            |name, shape| queue(Engine::Shm, name, shape, |queue, shape| Box::new(InItsPlace { queue, shape })),
        ),
        Contender {
            fit: fit_message_queue,
            unlink: |name| drop(Queue::unlink(name)),
            ..blocking(
                "unipc posix",
                &[Stream, Pair, PingPong, Asleep, Open, Idle, Many, Priorities, Depth],
                |name, shape| {
                    queue(Engine::Posix, name, shape, |queue, shape| {
                        Box::new(Copied { queue, shape, message: message(shape) })
                    })
                },
            )
        },
        Contender { fit: fit_pipe, ..blocking("unipc pipe", &[Stream, Pair, PingPong, Asleep, Idle, Many], pipe) },
        Contender {
            fit: fit_pipe,
            unlink: |name| drop(Fifo::unlink(path(name))),
            ..blocking("unipc fifo", &[Stream, Pair, PingPong, Asleep, Open, Idle, Many], fifo)
        },
        Contender {
            kind: Kind::Semaphore,
            unlink: |name| drop(unipc::Semaphore::unlink(name)),
            ..blocking("unipc semaphore", &[Pair, PingPong], semaphore)
        },
    ]
}

fn message(shape: Shape) -> Vec<u8> {
    vec![1; shape.size]
}

// ---- Queues.

fn queue(engine: Engine, name: &str, shape: Shape, handle: fn(Queue, Shape) -> Box<dyn Handle>) -> io::Result<Opener> {
    let mut options = Queue::options();
    options.engine(engine);
    drop(options.clone().max_messages(shape.depth).message_size(shape.size).create(name)?);
    let name = name.to_owned();
    Ok(Box::new(move |_| Ok(handle(options.open(&name)?, shape))))
}

struct Copied {
    queue: Queue,
    shape: Shape,
    message: Vec<u8>,
}

impl Handle for Copied {
    fn send(&mut self, word: Word) -> io::Result<()> {
        self.shape.write(word, &mut self.message);
        Ok(self.queue.send(&self.message, word.priority())?)
    }

    fn receive(&mut self) -> io::Result<Word> {
        let received = self.queue.receive_into(&mut self.message)?;
        self.shape.read(&self.message[..received.len], received.priority)
    }
}

struct InItsPlace {
    queue: Queue,
    shape: Shape,
}

impl Handle for InItsPlace {
    fn send(&mut self, word: Word) -> io::Result<()> {
        let mut message = self.queue.reserve(self.shape.size, word.priority())?;
        message.write(0, &word.to_bytes())?;
        if self.shape.is_checked() {
            message.write(self.shape.size - 8, &word.check())?;
        }
        Ok(message.commit()?)
    }

    fn receive(&mut self) -> io::Result<Word> {
        let message = self.queue.borrow()?;
        let (mut word, mut check) = ([0; 8], [0; 8]);
        message.read(0, &mut word)?;
        if self.shape.is_checked() {
            message.read(message.len().saturating_sub(8), &mut check)?;
        }
        let word = self.shape.judge(word, check, message.len(), message.priority());
        message.release()?;
        word
    }
}

// ---- Pipes and FIFOs.

/// The ends that a process has.
struct Ends {
    reader: Option<PipeReader>,
    writer: Option<PipeWriter>,
    shape: Shape,
    message: Vec<u8>,
}

impl Ends {
    fn new(reader: Option<PipeReader>, writer: Option<PipeWriter>, shape: Shape) -> Ends {
        Ends { reader, writer, shape, message: message(shape) }
    }
}

impl Handle for Ends {
    fn send(&mut self, word: Word) -> io::Result<()> {
        self.shape.write(word, &mut self.message);
        let writer = self.writer.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        Ok(writer.write_full(&self.message, Deadline::NEVER)?)
    }

    fn receive(&mut self) -> io::Result<Word> {
        let reader = self.reader.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        let length = reader.read_full(&mut self.message, Deadline::NEVER)?;
        self.shape.read(&self.message[..length], 0)
    }
}

fn pipe(_: &str, shape: Shape) -> io::Result<Opener> {
    let (reader, writer) = unipc::pipe()?;
    Ok(Box::new(move |end| {
        let reader = (end != End::Sender).then(|| reader.try_clone()).transpose()?;
        let writer = (end != End::Receiver).then(|| writer.try_clone()).transpose()?;
        Ok(Box::new(Ends::new(reader, writer, shape)))
    }))
}

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(&name[1..])
}

fn fifo(name: &str, shape: Shape) -> io::Result<Opener> {
    let path = path(name);
    drop(Fifo::create(&path)?);
    Ok(Box::new(move |end| {
        let fifo = Fifo::open(&path)?;
        Ok(Box::new(match end {
            End::Receiver => Ends::new(Some(fifo.open_reader()?), None, shape),
            End::Sender => Ends::new(None, Some(fifo.open_writer()?), shape),
            End::Both => {
                let reader = fifo.try_open_reader()?; // which waits for no writer
                Ends::new(Some(reader), Some(fifo.open_writer()?), shape)
            }
        }))
    }))
}

// ---- Semaphores.

struct Permits(unipc::Semaphore);

impl Semaphore for Permits {
    fn post(&mut self) -> io::Result<()> {
        Ok(self.0.post()?)
    }

    fn wait(&mut self) -> io::Result<()> {
        Ok(self.0.wait()?)
    }

    fn value(&mut self) -> io::Result<u32> {
        Ok(self.0.value()?)
    }
}

fn semaphore(name: &str, _: Shape) -> io::Result<Opener> {
    drop(unipc::Semaphore::create(name, 0)?);
    let name = name.to_owned();
    Ok(Box::new(move |_| Ok(unipc_contender::semaphore(Permits(unipc::Semaphore::open(&name)?)))))
}
