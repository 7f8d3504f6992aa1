//! Prints the lines that fifo_writer, or any program, writes to a FIFO, and removes it at the end.
//!
//! Run it: `cargo run -p unipc-examples --bin fifo_reader -- [PATH]`
//! and, in another terminal, fifo_writer with the same path, or `ls > PATH`.

use std::env;
use std::io::{self, BufRead, BufReader};
use unipc::Fifo;

fn main() -> io::Result<()> {
    let path = env::args().nth(1).unwrap_or("/tmp/unipc-example-fifo".into());

    let (fifo, _created) = Fifo::options().open_or_create(&path)?;
    let reader = fifo.open_reader()?; // waits for a writer
    for line in BufReader::new(reader).lines() {
        println!("received: {}", line?);
    }
    println!("the last writer is gone");
    Fifo::unlink(&path)?;
    Ok(())
}
