//! Sends four messages of different priority to a queue, which is made if it is not there.
//!
//! Run it: `cargo run -p unipc-examples --bin queue_send -- [NAME]`
//! and then queue_receive, in any language: it takes the most urgent first.

use std::env;
use unipc::Queue;

fn main() -> unipc::Result<()> {
    let name = env::args().nth(1).unwrap_or("/unipc-example-queue".into());

    let (queue, _created) = Queue::options().max_messages(8).message_size(64).open_or_create(&name)?;
    for (priority, text) in
        [(1, "tidy the desk"), (5, "answer the letter"), (9, "put out the fire"), (5, "water the plants")]
    {
        queue.send(text.as_bytes(), priority)?;
        println!("sent with priority {priority}: {text}");
    }
    Ok(())
}
