//! What a program must be to take part in `unipc bench`.
//!
//! A [`Contender`] says what it is, and has three functions: one makes an object, one removes its name, and
//! what the first gives back opens the object in each process that is to use it, as a [`Handle`] with
//! [`send`](Handle::send) and [`receive`](Handle::receive). [`main`] is the rest: the protocol on standard input
//! and output, and the works, each in fresh processes that check every message. docs/contenders.md of unipc's
//! repository describes both.
//!
//! ```no_run
//! use std::io::{self, Read, Write};
//! use std::os::unix::net::{UnixListener, UnixStream};
//! use std::process::ExitCode;
//! use unipc_contender::{Ability, Contender, End, Handle, Opener, Shape, Word};
//!
//! struct Stream {
//!     stream: UnixStream,
//!     shape: Shape,
//!     message: Vec<u8>,
//! }
//!
//! impl Handle for Stream {
//!     fn send(&mut self, word: Word) -> io::Result<()> {
//!         self.shape.write(word, &mut self.message);
//!         self.stream.write_all(&self.message)
//!     }
//!
//!     fn receive(&mut self) -> io::Result<Word> {
//!         self.stream.read_exact(&mut self.message)?;
//!         self.shape.read(&self.message, 0)
//!     }
//! }
//!
//! fn path(name: &str) -> String {
//!     format!("/tmp{name}")
//! }
//!
//! fn create(name: &str, shape: Shape) -> io::Result<Opener> {
//!     let (path, listener) = (path(name), UnixListener::bind(path(name))?);
//!     Ok(Box::new(move |end| {
//!         let stream = match end {
//!             End::Receiver => listener.accept()?.0,
//!             _ => UnixStream::connect(&path)?,
//!         };
//!         Ok(Box::new(Stream { stream, shape, message: vec![0; shape.size] }))
//!     }))
//! }
//!
//! fn main() -> ExitCode {
//!     unipc_contender::main(&[Contender {
//!         unlink: |name| drop(std::fs::remove_file(path(name))),
//!         ..Contender::new("my sockets", "Rust", &[Ability::Stream, Ability::PingPong, Ability::Asleep], create)
//!     }])
//! }
//! ```
//!
//! # Processes
//! A program that serves forks, and so has one thread; that is looked at, and refused otherwise. It adopts orphans
//! of its descendants and waits for every child, with SIGCHLD at its default, so it has none of its own. Nothing here
//! outlives it.
#![deny(unsafe_code)]

mod floor;
mod message;
mod serve;
mod sys;
mod system;
mod together;
mod works;

pub use floor::floor;
pub use message::{Shape, Word};
pub use serve::{clean, main, serve};
pub use system::{fit_message_queue, fit_pipe, system};

use std::io;

/// Somebody who takes part.
#[derive(Clone, Debug)]
pub struct Contender {
    /// What is compared; unique together with the language.
    pub name: &'static str,
    /// What a program that uses it is written in.
    pub language: &'static str,
    /// What it carries.
    pub kind: Kind,
    /// How its users wait.
    pub waits: Waits,
    /// The works it can do, and with what.
    pub abilities: &'static [Ability],
    /// What to do to have it on this machine, where it is missing: then nothing else of it is asked for.
    pub absent: Option<&'static str>,
    /// The shape nearest to the one asked for that it can have: as deep or less. `Ok` where any will do. The
    /// program calls it itself.
    ///
    /// # Errors
    /// A sentence: this machine, or the contender, does not allow that size, or so many producers or consumers. It
    /// is no failure, and told apart from one.
    pub fit: fn(Shape) -> io::Result<Shape>,
    /// Makes an object of that name: a slash, and others that are neither slashes nor NUL. It is
    /// called in the process whose forks then open the object, each by the [`Opener`] it has inherited.
    ///
    /// # Errors
    /// Any, told in the answer.
    pub create: fn(name: &str, Shape) -> io::Result<Opener>,
    /// Removes whatever may have that name, and says nothing if there is nothing.
    pub unlink: fn(name: &str),
    /// Who has it open needs the name. Otherwise it is removed as soon as all have opened it, so that nothing
    /// is left of a run that is killed.
    pub needs_name: bool,
}

impl Contender {
    /// One that is here, carries messages of any shape, blocks, and has no name to be removed: what is otherwise is
    /// said by struct update.
    pub fn new(
        name: &'static str,
        language: &'static str,
        abilities: &'static [Ability],
        create: fn(&str, Shape) -> io::Result<Opener>,
    ) -> Contender {
        Contender {
            name,
            language,
            kind: Kind::Messages,
            waits: Waits::Blocks,
            abilities,
            absent: None,
            fit: Ok,
            create,
            unlink: |_| (),
            needs_name: false,
        }
    }
}

/// Opens an object in the process that calls it.
pub type Opener = Box<dyn Fn(End) -> io::Result<Box<dyn Handle>>>;

/// What is done with an object by who opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Only sends.
    Sender,
    /// Only receives.
    Receiver,
    /// Sends, and receives what it sent.
    Both,
}

/// An object, as one process has it open. Both of its functions wait for as long as it takes.
///
/// What they cost beside the contender's own work is a part of the figures, and so they do nothing else: a
/// message is written and read by a [`Shape`], where it lies if the contender allows that.
pub trait Handle {
    /// Sends the message of that word, with the word's [priority](Word::priority).
    ///
    /// # Errors
    /// Any; the run has failed.
    fn send(&mut self, word: Word) -> io::Result<()>;

    /// Receives a message, and checks it.
    ///
    /// # Errors
    /// Those of [`Shape::read`], and any other; the run has failed.
    fn receive(&mut self) -> io::Result<Word>;

    /// Called once, when everything that was sent should have been received.
    ///
    /// # Errors
    /// Something is left.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a contender carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Messages.
    Messages,
    /// Permits. [`semaphore`] makes a handle of a semaphore.
    Semaphore,
    /// What physics and the kernel leave to nobody. Its stream is done by one process.
    Floor,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Messages, Kind::Semaphore, Kind::Floor];

    /// As the protocol has it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Messages => "messages",
            Kind::Semaphore => "semaphore",
            Kind::Floor => "floor",
        }
    }
}

/// How the users of a contender wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// In the kernel.
    Blocks,
    /// On its core.
    Spins,
    /// On its core for a while, and then in the kernel.
    SpinsThenBlocks,
    /// There is nothing to wait for.
    Never,
}

impl Waits {
    const fn text(self) -> &'static str {
        match self {
            Waits::Blocks => "blocks",
            Waits::Spins => "spins",
            Waits::SpinsThenBlocks => "spins, then blocks",
            Waits::Never => "never waits",
        }
    }
}

/// A work that a contender can do, or what it can do it with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// From producers to consumers, as fast as they can.
    Stream,
    /// In one process, there and back.
    Pair,
    /// Between two processes, there and back.
    PingPong,
    /// The same, while the other side sleeps.
    Asleep,
    /// Opening an object that another process has open, and closing it.
    Open,
    /// Waiting.
    Idle,
    /// Several producers and consumers of one object.
    Many,
    /// Who receives gets the highest first.
    Priorities,
    /// It is bounded by a number of messages.
    Depth,
    /// Messages are written and read where they lie.
    InPlace,
}

impl Ability {
    /// Those that are works.
    const WORKS: [Ability; 6] =
        [Ability::Stream, Ability::Pair, Ability::PingPong, Ability::Asleep, Ability::Open, Ability::Idle];

    /// As the protocol has it.
    pub const fn name(self) -> &'static str {
        match self {
            Ability::Stream => "stream",
            Ability::Pair => "pair",
            Ability::PingPong => "ping-pong",
            Ability::Asleep => "asleep",
            Ability::Open => "open",
            Ability::Idle => "idle",
            Ability::Many => "many",
            Ability::Priorities => "priorities",
            Ability::Depth => "depth",
            Ability::InPlace => "in-place",
        }
    }
}

/// A semaphore, as one process has it open. It begins with no permits.
pub trait Semaphore {
    /// Gives a permit.
    ///
    /// # Errors
    /// Any; the run has failed.
    fn post(&mut self) -> io::Result<()>;

    /// Takes a permit, and waits until there is one.
    ///
    /// # Errors
    /// Any; the run has failed.
    fn wait(&mut self) -> io::Result<()>;

    /// How many permits there are.
    ///
    /// # Errors
    /// Any; the run has failed.
    fn value(&mut self) -> io::Result<u32>;
}

/// A handle whose messages are permits. As they carry nothing, they are counted, and at the end there are as
/// many as at the beginning.
pub fn semaphore(semaphore: impl Semaphore + 'static) -> Box<dyn Handle> {
    Box::new(Permits { semaphore, taken: 0 })
}

struct Permits<S> {
    semaphore: S,
    taken: u64,
}

impl<S: Semaphore> Handle for Permits<S> {
    fn send(&mut self, _: Word) -> io::Result<()> {
        self.semaphore.post()
    }

    fn receive(&mut self) -> io::Result<Word> {
        self.semaphore.wait()?;
        self.taken += 1;
        Ok(Word::new(0, 0, self.taken - 1))
    }

    fn finish(&mut self) -> io::Result<()> {
        match self.semaphore.value()? {
            0 => Ok(()),
            left => Err(message::wrong(&format!("{left} permits are left that were all taken"))),
        }
    }
}
