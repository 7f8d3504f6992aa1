//! Sends standard output, this process's and its child's, into a pipe for a while.
//!
//! Run it: `cargo run -p unipc-examples --bin redirect`

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::Command;
use unipc::pipe::Stdio;

fn main() -> Result<(), Box<dyn Error>> {
    println!("before: to the terminal");

    let (reader, writer) = unipc::pipe()?;
    let redirection = writer.redirect(Stdio::Out)?; // dup2(2)
    println!("a line of this process");
    Command::new("echo").arg("a line of its child").status()?;
    redirection.restore()?;
    drop(writer); // the last of the pipe's writers: the reader comes to an end

    for line in BufReader::new(reader).lines() {
        println!("from the pipe: {}", line?);
    }
    println!("after: to the terminal");
    Ok(())
}
