//! The Rust face, as one of the programs that the tests put side by side.
//!
//! A line comes in, a verb and its arguments with tabs in between; a line goes out, "ok" and a
//! result, or "error" and an errno and a sentence.

use std::io::{self, BufRead, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use unipc::{Deadline, Fifo, Memory, PipeReader, PipeWriter, Queue, Semaphore};

const COUNTER: usize = 1024;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [_echo, reader, writer] = arguments.as_slice() {
        return answer_inherited(number(reader), number(writer));
    }
    let mut peer = Peer::default();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split('\t').collect();
        match peer.act(&words) {
            Ok(result) => println!("ok\t{result}"),
            Err(error) => println!("error\t{}\t{error}", error.errno()),
        }
    }
    Ok(())
}

#[derive(Default)]
struct Peer {
    queue: Option<Queue>,
    memory: Option<Memory>,
    semaphore: Option<Semaphore>,
    message_came: Option<Receiver<()>>,
}

impl Peer {
    fn act(&mut self, words: &[&str]) -> unipc::Result<String> {
        let mut result = String::new();
        match words {
            ["queue_create", name, count, size] => {
                self.queue =
                    Some(Queue::options().max_messages(number(count)).message_size(number(size)).create(name)?);
            }
            ["queue_open", name] => self.queue = Some(Queue::open(name)?),
            ["queue_unlink", name] => Queue::unlink(name)?,
            ["queue_send", priority, text] => self.queue().send(text.as_bytes(), number(priority))?,
            ["queue_receive"] => result = shown(&self.queue().receive()?),
            ["queue_receive", wait] => result = shown(&self.queue().receive_by(milliseconds(wait))?),
            ["queue_try"] => result = shown(&self.queue().try_receive()?),
            ["queue_attributes"] => {
                let now = self.queue().attributes()?;
                result = format!("{} {} {}", now.max_messages, now.message_size, now.queued);
            }
            ["queue_notify"] => {
                let (tell, message_came) = mpsc::channel();
                self.queue().notify_callback(move || tell.send(()).expect("the test waits for this"))?;
                self.message_came = Some(message_came);
            }
            ["queue_notified"] => {
                self.message_came.as_ref().expect("queue_notify comes first").recv().expect("it is called once");
            }
            ["memory_create", name, size] => result = self.map(Memory::create(name, number(size))?),
            ["memory_open", name] => result = self.map(Memory::open(name)?),
            ["memory_create_file", path, size] => {
                result = self.map(Memory::options().size(number(size)).create_file(path)?);
            }
            ["memory_open_file", path] => result = self.map(Memory::options().open_file(path)?),
            ["memory_unlink", name] => Memory::unlink(name)?,
            ["memory_write", offset, text] => self.memory().write_at(number(offset), text.as_bytes())?,
            ["memory_read", offset, length] => {
                let mut bytes = vec![0; number(length)];
                self.memory().read_at(number(offset), &mut bytes)?;
                result = text(bytes);
            }
            ["semaphore_create", name, value] => self.semaphore = Some(Semaphore::create(name, number(value))?),
            ["semaphore_open", name] => self.semaphore = Some(Semaphore::open(name)?),
            ["semaphore_unlink", name] => Semaphore::unlink(name)?,
            ["semaphore_init", offset, value] => {
                self.semaphore = Some(Semaphore::init_in(self.memory(), number(offset), number(value))?);
            }
            ["semaphore_at", offset] => self.semaphore = Some(Semaphore::open_in(self.memory(), number(offset))?),
            ["semaphore_wait"] => self.semaphore().wait()?,
            ["semaphore_wait", wait] => self.semaphore().wait_by(milliseconds(wait))?,
            ["semaphore_try"] => self.semaphore().try_wait()?,
            ["semaphore_post"] => self.semaphore().post()?,
            ["semaphore_value"] => result = self.semaphore().value()?.to_string(),
            ["count", rounds] => {
                for _ in 0..number(rounds) {
                    let _permit = self.semaphore().acquire()?;
                    let next = self.counter()? + 1;
                    self.memory().write_at(COUNTER, &next.to_ne_bytes())?;
                }
            }
            ["counted"] => result = self.counter()?.to_string(),
            ["fifo_create", path] => drop(Fifo::create(path)?),
            ["fifo_read", path] => {
                Fifo::open(path)?.open_reader()?.read_to_string(&mut result).expect("the tests send text");
            }
            ["fifo_write", path, text] => {
                Fifo::open(path)?.open_writer()?.write_full(text.as_bytes(), Deadline::NEVER)?;
            }
            ["pipe_exec", text, program, arguments @ ..] => result = ask_child(text, program, arguments)?,
            _ => panic!("unknown: {words:?}"),
        }
        Ok(result)
    }

    fn queue(&self) -> &Queue {
        self.queue.as_ref().expect("a queue is opened first")
    }

    fn memory(&self) -> &Memory {
        self.memory.as_ref().expect("memory is opened first")
    }

    fn semaphore(&self) -> &Semaphore {
        self.semaphore.as_ref().expect("a semaphore is opened first")
    }

    fn map(&mut self, memory: Memory) -> String {
        self.memory.insert(memory).len().to_string()
    }

    fn counter(&self) -> unipc::Result<u32> {
        let mut bytes = [0; 4];
        self.memory().read_at(COUNTER, &mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }
}

fn number<T: std::str::FromStr>(word: &str) -> T {
    word.parse().unwrap_or_else(|_| panic!("{word} is no number"))
}

fn milliseconds(word: &str) -> Duration {
    Duration::from_millis(number(word))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("the tests send text")
}

fn shown(message: &unipc::queue::Message) -> String {
    format!("{} {}", message.priority, String::from_utf8_lossy(&message.data))
}

/// Starts a program with two more arguments, the ends that it inherits, and returns its answer.
fn ask_child(question: &str, program: &str, arguments: &[&str]) -> unipc::Result<String> {
    let (mut here, there) = unipc::duplex()?;
    there.reader.set_inheritable(true)?;
    there.writer.set_inheritable(true)?;
    let ends = [there.reader.as_fd(), there.writer.as_fd()].map(|end| end.as_raw_fd().to_string());
    let mut child = Command::new(program).args(arguments).args(ends).spawn().expect("the program starts");
    drop(there);
    here.writer.write_full(question.as_bytes(), Deadline::NEVER).expect("the child reads");
    drop(here.writer);
    let mut answer = String::new();
    here.reader.read_to_string(&mut answer).expect("the child sends text");
    assert!(child.wait().is_ok_and(|status| status.success()), "the child failed");
    Ok(answer)
}

/// What the program is when it inherits two ends: it says what it heard.
fn answer_inherited(reader: RawFd, writer: RawFd) -> io::Result<()> {
    // SAFETY: the parent left these two open for this process, where nothing else owns them.
    let [reader, writer] = [reader, writer].map(|end| unsafe { OwnedFd::from_raw_fd(end) });
    let mut question = String::new();
    PipeReader::from_fd(reader)?.read_to_string(&mut question)?;
    write!(PipeWriter::from_fd(writer)?, "heard {question}")
}
