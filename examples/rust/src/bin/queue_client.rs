//! Sends each of its arguments to queue_server; "quit" ends the server.
//!
//! Run it: `cargo run -p unipc-examples --bin queue_client -- [NAME [TEXT...]]`
//! while queue_server runs, in any language.

use std::env;
use std::time::Duration;
use unipc::Queue;

fn main() -> unipc::Result<()> {
    let mut arguments = env::args().skip(1);
    let name = arguments.next().unwrap_or("/unipc-example-server".into());
    let mut texts: Vec<String> = arguments.collect();
    if texts.is_empty() {
        texts = vec!["hello, server".into(), "quit".into()];
    }

    let queue = Queue::open(&name)?;
    for text in &texts {
        queue.send_by(text.as_bytes(), 0, Duration::from_secs(10))?;
        println!("sent: {text}");
    }
    Ok(())
}
