//! `unipc receive`: messages out of a queue.

use super::queue::{Create, Target};
use crate::exit;
use crate::failure::Failure;
use crate::framing;
use crate::output::Output;
use crate::waiting::{Waiting, uninterrupted};
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use unipc::queue::{Borrowed, Message};
use unipc::{Access, Deadline, Engine, Queue};

/// Receive messages from a queue, and print them.
///
/// One message, the oldest of the highest priority, unless --count, --all or --follow asks for more. The
/// queue is found on whichever engine has it. While it is empty this waits for a message.
#[derive(clap::Args)]
#[command(
    after_help = "'unipc receive --help' tells more, with examples.",
    after_long_help = format!("{AFTER}\n\n{}", exit::OF_OBJECTS)
)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,

    /// Receive so many messages
    #[arg(short = 'n', long, default_value_t = 1, conflicts_with_all = ["all", "follow"])]
    count: u64,

    /// Receive all that are there, and none if none are there, without waiting
    #[arg(short, long, conflicts_with_all = ["follow", "timeout", "no_wait"])]
    all: bool,

    /// Receive message after message, and wait for more, until something ends this
    ///
    /// A signal, the reader of the output who leaves, or --timeout without a message.
    #[arg(short, long, conflicts_with = "no_wait")]
    follow: bool,

    #[command(flatten)]
    waiting: Waiting,

    /// Print the priority of each message and a tab before it
    #[arg(long)]
    with_priority: bool,

    #[command(flatten)]
    framing: framing::Choice,

    #[command(flatten)]
    create: Create,
}

const AFTER: &str = "\
Examples:
  unipc receive /orders
      One message, and a newline.
  while order=$(unipc receive --timeout 60 /orders); do serve \"$order\"; done
      Until none has come for a minute.
  unipc receive --follow -0 /files | xargs -0 -n 1 gzip
      As they come, whatever bytes are in them.
  unipc receive --framing none /pictures >picture.png
      The very bytes of one message.
  unipc receive --all --framing length --with-priority /a |
    unipc send --framing length --with-priority /b
      What is in one queue, into another, with its priorities.

Framing, of what is printed:
  line    a newline follows each message
  nul     a NUL byte follows each
  length  before each there are four bytes that say its length, the highest first
  none    nothing is added
Messages in which there are newlines cannot be told apart by 'line'; nor those
with NUL bytes by 'nul'. Messages are printed as they are, when they come.

What is not printed as a whole stays in the queue: if the reader leaves, the disk
is full, or a signal ends this, the message in hand goes back (on engine shm to
its place, on engine posix behind the others of its priority; if there the queue
has become full or forbids sending, it is printed after all, or, where that would
wait, lost, which is said). On engine shm that holds even for SIGKILL. What stands in
a pipe has been printed: in 'unipc receive --follow Q | head -1' it may hold more
messages than head has read. 'unipc receive Q' takes one.";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let queue = Arc::new(open(arguments)?);
    let mut output = Output::new()?;
    if queue.engine() == Engine::Shm {
        output.end_waits_at(queue.clone())?;
    }
    let count = if arguments.all || arguments.follow { u64::MAX } else { arguments.count };
    for _ in 0..count {
        match take(arguments, &queue, &mut output)? {
            Some(taken) => taken.print(arguments, &queue, &mut output)?,
            None => break,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// For sending, too, if that is allowed: to put a message back.
fn open(arguments: &Arguments) -> Result<Queue, Failure> {
    let open = |access| arguments.target.open(&arguments.create, access);
    open(Access::ReadWrite).or_else(|refused| match refused.code() {
        exit::DENIED => open(Access::ReadOnly),
        _ => Err(refused),
    })
}

/// A message in hand.
enum Taken<'a> {
    /// In the queue still, to be released when it is printed.
    Borrowed(Borrowed<'a>),
    Received(Message),
}

/// `None`: there is none, and that is no failure.
fn take<'a>(arguments: &Arguments, queue: &'a Queue, output: &mut Output) -> Result<Option<Taken<'a>>, Failure> {
    let deadline = if arguments.all { Deadline::NOW } else { arguments.waiting.deadline() };
    let taken = match queue.engine() {
        Engine::Shm => borrow(queue, deadline, output)?.map(Taken::Borrowed),
        _ => receive(queue, deadline, output)?.map(Taken::Received),
    };
    match taken {
        Ok(taken) => Ok(Some(taken)),
        Err(error) if arguments.all && error.would_block() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn borrow<'a>(
    queue: &'a Queue,
    deadline: Deadline,
    output: &mut Output,
) -> Result<unipc::Result<Borrowed<'a>>, Failure> {
    loop {
        match uninterrupted(|| queue.borrow_by(deadline)) {
            Err(error) if error.errno() == Errno::SHUTDOWN.raw_os_error() => output.reason()?,
            done => return Ok(done),
        }
    }
}

/// Waits before it takes: a message that nobody can be given any more would have to go back.
fn receive(queue: &Queue, deadline: Deadline, output: &mut Output) -> Result<unipc::Result<Message>, Failure> {
    loop {
        let timely = deadline.is_now() || output.wait_for(queue.as_fd(), deadline)?;
        // With a deadline that has passed it does not wait either, and the error says so.
        match uninterrupted(|| queue.receive_by(if timely { Deadline::NOW } else { deadline })) {
            Err(error) if error.would_block() && !deadline.is_now() => {} // somebody else has it
            done => return Ok(done),
        }
    }
}

impl Taken<'_> {
    fn print(self, arguments: &Arguments, queue: &Queue, output: &mut Output) -> Result<(), Failure> {
        let framed = |data: Vec<u8>, priority| {
            let data = if arguments.with_priority { framing::with_priority(priority, &data) } else { data };
            arguments.framing.framing().frame(data)
        };
        match self {
            Taken::Borrowed(message) => {
                output.write(&mut &framed(message.to_vec()?, message.priority())[..])?; // or it is dropped, and goes back
                Ok(message.release()?)
            }
            Taken::Received(Message { data, priority }) => {
                let framed = framed(data.clone(), priority);
                let mut left = &framed[..];
                output.write(&mut left).inspect_err(|_| save(queue, &data, priority, output, left))
            }
        }
    }
}

/// Puts a message back that was not printed, or prints what is left of it after all.
fn save(queue: &Queue, data: &[u8], priority: u32, output: &mut Output, mut left: &[u8]) {
    if let Err(error) = queue.try_send(data, priority) {
        if !output.write_at_once(&mut left) {
            let len = data.len();
            crate::failure::say(format_args!("a message of {len} bytes was not printed and is lost: {error}"));
        }
    }
}
