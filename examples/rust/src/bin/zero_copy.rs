//! Messages of a mebibyte that are never copied: a child writes each where it lies in the queue, and the
//! parent reads it there.
//!
//! Run it: `cargo run -p unipc-examples --bin zero_copy`

use std::{error::Error, io, process};
use unipc::queue::Reserved;
use unipc::{Engine, Queue};

const SIZE: usize = 1 << 20;
const LAST: u8 = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let name = format!("/unipc-example-zero-copy-{}", process::id());
    let queue = Queue::options().engine(Engine::Shm).max_messages(2).message_size(SIZE).create(&name)?;
    Queue::unlink(&name)?;

    // The child has the queue, though its name is gone.
    // SAFETY: this process has one thread.
    let child = match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error().into()),
        0 => match produce(&queue) {
            Ok(()) => process::exit(0),
            Err(error) => {
                eprintln!("zero_copy: {error}");
                process::exit(1)
            }
        },
        child => child,
    };
    consume(&queue)?;
    let mut status = 0;
    // SAFETY: waits for the one child there is.
    if unsafe { libc::waitpid(child, &raw mut status, 0) } != child || status != 0 {
        return Err("the child failed".into());
    }
    if queue.is_empty()? {
        println!("the queue is empty");
    }
    Ok(())
}

/// Room in the queue for a message, filled with one byte.
fn written(queue: &Queue, byte: u8) -> unipc::Result<Reserved<'_>> {
    let mut message = queue.reserve(SIZE, 0)?;
    // SAFETY: as many bytes are ours to write, until the message is committed or dropped.
    unsafe { message.as_mut_ptr().write_bytes(byte, message.len()) };
    Ok(message)
}

fn produce(queue: &Queue) -> unipc::Result<()> {
    for number in 1..=LAST {
        written(queue, number)?.commit()?;
        if number == 2 {
            written(queue, 99)?.abort()?; // nobody ever sees it
        }
    }
    Ok(())
}

fn consume(queue: &Queue) -> Result<(), Box<dyn Error>> {
    let message = queue.borrow()?;
    let mut first = [0];
    message.read(0, &mut first)?;
    println!("borrowed message {} of {} bytes, and put it back", first[0], message.len());
    message.put_back()?;

    for number in 1..=LAST {
        let message = queue.borrow()?;
        // SAFETY: inside the message, which is there until it is released. Volatile, and not through a
        // reference, because whoever may write the queue's file could change a byte at any time.
        let byte = |at| unsafe { message.as_ptr().add(at).read_volatile() };
        if (0..message.len()).any(|at| byte(at) != number) {
            return Err("a message has a wrong byte".into());
        }
        println!("message {number}: {} bytes, read in place", message.len());
        // Until now, the message would have come back to the queue if this process had died.
        message.release()?;
    }
    Ok(())
}
