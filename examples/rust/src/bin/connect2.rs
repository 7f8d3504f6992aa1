//! Connects two programs by a pipe: the output of the first is the input of the second.
//!
//! By hand, to show what happens; a `Pipeline` does it for any number of programs, and ends those before
//! one that cannot be started.
//!
//! Run it: `cargo run -p unipc-examples --bin connect2 -- ls -l -- wc -l`

use std::env;
use std::error::Error;
use unipc::Command;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words: Vec<String> = env::args().skip(1).collect();
    if words.is_empty() {
        words = ["printf", "%s\n", "pear", "apple", "fig", "--", "sort"].map(String::from).into();
    }
    let (first, second) = match words.iter().position(|word| word == "--") {
        Some(dashes) => (&words[..dashes], &words[dashes + 1..]),
        None => return Err("usage: connect2 PROGRAM [ARG...] -- PROGRAM [ARG...]".into()),
    };

    let (reader, writer) = unipc::pipe()?;
    // Each end goes with its program and is closed here: or the second would never see the end of file.
    let first = Command::from_arguments(first).stdout(writer).spawn()?;
    let second = Command::from_arguments(second).stdin(reader).spawn()?;

    let (first, second) = (first.wait()?, second.wait()?);
    println!("the first ended with {}, the second with {}", first.shell_code(), second.shell_code());
    Ok(())
}
