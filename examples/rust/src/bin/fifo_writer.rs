//! Writes lines to a FIFO, which is made if it is not there; fifo_reader prints them.
//!
//! Run it: `cargo run -p unipc-examples --bin fifo_writer -- [PATH [LINE...]]`
//! and fifo_reader, in any language, with the same path in another terminal.

use std::env;
use std::io::{self, Write};
use unipc::Fifo;

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let path = arguments.next().unwrap_or("/tmp/unipc-example-fifo".into());
    let mut lines: Vec<String> = arguments.collect();
    if lines.is_empty() {
        lines = vec!["hello, reader".into(), "goodbye".into()];
    }

    let (fifo, _created) = Fifo::options().open_or_create(&path)?;
    let mut writer = fifo.open_writer()?; // waits for a reader
    for line in &lines {
        writeln!(writer, "{line}")?;
        println!("sent: {line}");
    }
    Ok(())
}
