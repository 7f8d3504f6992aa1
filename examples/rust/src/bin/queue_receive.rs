//! Takes every message out of the queue that queue_send filled, and removes the queue.
//!
//! Run it: `cargo run -p unipc-examples --bin queue_receive -- [NAME]`
//! The highest priority comes first and, within one, the oldest message.

use std::env;
use unipc::Queue;

fn main() -> unipc::Result<()> {
    let name = env::args().nth(1).unwrap_or("/unipc-example-queue".into());

    let queue = Queue::open(&name)?;
    loop {
        match queue.try_receive() {
            Ok(message) => {
                println!("received with priority {}: {}", message.priority, String::from_utf8_lossy(&message.data));
            }
            Err(error) if error.would_block() => break,
            Err(error) => return Err(error),
        }
    }
    println!("the queue is empty");
    Queue::unlink(&name)
}
