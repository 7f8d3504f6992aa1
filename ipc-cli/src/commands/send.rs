//! `unipc send`: messages into a queue.

use super::queue::{Create, Target};
use crate::exit;
use crate::failure::Failure;
use crate::framing::{self, Frames, PRIORITY_LEN, Unread};
use crate::input::Input;
use crate::waiting::{Waiting, uninterrupted};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use unipc::{Access, Queue};

/// Send messages to a queue.
///
/// Each MESSAGE is sent, or, where none is given, each line of standard input as soon as it is read. The
/// queue is found on whichever engine has it. While it is full this waits for room.
#[derive(clap::Args)]
#[command(
    after_help = "'unipc send --help' tells more, with examples.",
    after_long_help = format!("{AFTER}\n\n{}", exit::OF_OBJECTS)
)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,

    /// The messages, an argument each
    #[arg(value_name = "MESSAGE", conflicts_with_all = ["input", "framing", "null"])]
    messages: Vec<OsString>,

    /// The priority of the messages, from 0 to 32767; the highest is received first
    #[arg(short, long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=i64::from(unipc::queue::PRIORITY_MAX)))]
    priority: u32,

    /// Each message begins with its priority and a tab, which are not sent
    ///
    /// It is what 'unipc receive --with-priority' writes.
    #[arg(long, conflicts_with = "priority")]
    with_priority: bool,

    /// End after so many messages
    ///
    /// More than them may have been read from a pipe, and is lost to who reads it next.
    #[arg(short = 'n', long)]
    count: Option<u64>,

    #[command(flatten)]
    waiting: Waiting,

    #[command(flatten)]
    input: Input,

    #[command(flatten)]
    framing: framing::Choice,

    #[command(flatten)]
    create: Create,
}

const AFTER: &str = "\
Examples:
  unipc send /orders 'two coffees'
      One message. One that begins with a dash stands behind '--'.
  tail -f access.log | unipc send --create --max-messages 10 --message-size 4K /log
      A message for each line, when it is written; the queue is made if need be.
  find . -type f -print0 | unipc send -0 --priority 5 /files
      Names with newlines in them, too.
  unipc send --framing none --input picture.png /pictures
      A whole file as one message.
  unipc send --no-wait /orders tea || echo 'full, or nobody made it'

Framing, of input that is more than one message:
  line    each line without its newline; the last one needs none
  nul     each ends with a NUL byte; the last one needs none
  length  before each there are four bytes that say its length, the highest first
  none    all of the input is one message
An empty line is an empty message. No input is no message, but with 'none' an
empty one. What is sent is what was read, byte by byte.

An error names the message that could not be sent, counted from 1: those before
it were sent, and it and those behind it were not.";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let queue = arguments.target.open(&arguments.create, Access::WriteOnly)?;
    let limit = arguments.count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
    if arguments.messages.is_empty() {
        let longest = queue.message_size() + if arguments.with_priority { PRIORITY_LEN } else { 0 };
        let frames = Frames::new(arguments.input.open()?, arguments.framing.framing(), longest);
        send_all(arguments, &queue, frames.take(limit))
    } else {
        send_all(arguments, &queue, arguments.messages.iter().map(|message| Ok(message.as_bytes())).take(limit))
    }
}

fn send_all<M: AsRef<[u8]>>(
    arguments: &Arguments,
    queue: &Queue,
    messages: impl Iterator<Item = Result<M, Unread>>,
) -> Result<ExitCode, Failure> {
    for (index, message) in messages.enumerate() {
        let sent = match message {
            Ok(message) => send(arguments, queue, message.as_ref()),
            Err(Unread::TooLong) => Err(too_long(queue)),
            Err(Unread::CutShort) => {
                Err(Failure::new(exit::UNFIT, format_args!("{} ends inside of it", arguments.input)))
            }
            Err(Unread::Failed(error)) => Err(arguments.input.fail("read", &error)),
        };
        sent.map_err(|failure| failure.of(format_args!("message {}", index + 1)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn send(arguments: &Arguments, queue: &Queue, message: &[u8]) -> Result<(), Failure> {
    let (priority, data) = if arguments.with_priority {
        framing::split_priority(message)
            .ok_or_else(|| Failure::new(exit::UNFIT, "it does not begin with a priority from 0 to 32767 and a tab"))?
    } else {
        (arguments.priority, message)
    };
    if data.len() > queue.message_size() {
        return Err(too_long(queue));
    }
    let deadline = arguments.waiting.deadline();
    Ok(uninterrupted(|| queue.send_by(data, priority, deadline))?)
}

fn too_long(queue: &Queue) -> Failure {
    let (size, name) = (queue.message_size(), queue.name());
    Failure::new(
        exit::UNFIT,
        format_args!("it is longer than the {size} bytes that a message of queue {name} has at most"),
    )
}
