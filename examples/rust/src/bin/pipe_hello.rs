//! A parent greets its child through one pipe, and the child answers through another.
//!
//! Run it: `cargo run -p unipc-examples --bin pipe_hello`

use std::env;
use std::error::Error;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use unipc::{Deadline, PipeReader, PipeWriter};

fn main() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).as_deref() == Some("child") { child() } else { parent() }
}

fn parent() -> Result<(), Box<dyn Error>> {
    let (mut here, there) = unipc::duplex()?;
    let mut child = Command::new(env::current_exe()?)
        .arg("child")
        .stdin(OwnedFd::from(there.reader))
        .stdout(OwnedFd::from(there.writer))
        .spawn()?;

    let greeting = "hello, child";
    println!("parent: {greeting}");
    here.writer.write_full(greeting.as_bytes(), Deadline::NEVER)?;
    drop(here.writer); // the child reads up to here

    let mut answer = String::new();
    here.reader.read_to_string(&mut answer)?;
    println!("child: {answer}");
    if child.wait()?.success() { Ok(()) } else { Err("the child failed".into()) }
}

/// What this program does when its parent started it, with the pipes as its standard streams.
fn child() -> Result<(), Box<dyn Error>> {
    let mut from_parent = PipeReader::from_fd(io::stdin().as_fd().try_clone_to_owned()?)?;
    let to_parent = PipeWriter::from_fd(io::stdout().as_fd().try_clone_to_owned()?)?;

    let mut greeting = String::new();
    from_parent.read_to_string(&mut greeting)?;
    let answer = format!("hello, parent; you said \"{greeting}\"");
    to_parent.write_full(answer.as_bytes(), Deadline::NEVER)?;
    Ok(())
}
