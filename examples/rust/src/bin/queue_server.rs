//! Prints what clients send, until one of them sends "quit".
//!
//! Run it: `cargo run -p unipc-examples --bin queue_server -- [NAME]`
//! and, in other terminals, queue_client in any language.

use std::env;
use unipc::Queue;

fn main() -> unipc::Result<()> {
    let name = env::args().nth(1).unwrap_or("/unipc-example-server".into());

    let (queue, _created) = Queue::options().max_messages(8).message_size(64).open_or_create(&name)?;
    println!("waiting for clients");
    let served = serve(&queue);
    Queue::unlink(&name)?;
    served
}

fn serve(queue: &Queue) -> unipc::Result<()> {
    loop {
        let message = queue.receive()?;
        let text = String::from_utf8_lossy(&message.data);
        if text == "quit" {
            println!("told to quit");
            return Ok(());
        }
        println!("received: {text}");
    }
}
