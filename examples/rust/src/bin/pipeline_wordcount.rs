//! Counts words with a pipeline of six programs, and prints the three that are most frequent.
//!
//! Run it: `cargo run -p unipc-examples --bin pipeline_wordcount [FILE]`

use std::env;
use std::error::Error;
use unipc::{Deadline, Pipeline, Redirect};

const TEXT: &str = "the cat sat on the mat and the dog sat on the cat";

fn main() -> Result<(), Box<dyn Error>> {
    let mut count = Pipeline::new();
    count
        .stage(["tr", "-cs", "a-z", "\\n"])
        .stage(["sort"])
        .stage(["uniq", "-c"])
        .stage(["sort", "-k1,1nr", "-k2"])
        .stage(["head", "-n", "3"])
        .stage(["awk", "{ print $2 \": \" $1 }"])
        .stdout(Redirect::Pipe)
        .pipefail(true);

    let (input, from) = match env::args().nth(1) {
        Some(file) => ("", Redirect::read(file)),
        None => (TEXT, Redirect::Pipe),
    };
    // Feeds the text and collects the output at the same time: however long they are, nobody waits for ever.
    let output = count.stdin(from).spawn()?.communicate(input.as_bytes(), Deadline::NEVER)?;

    print!("{}", String::from_utf8(output.stdout)?);
    // Also where `head` left early and SIGPIPE ended `sort`.
    println!("the pipeline {}", if output.statuses.success() { "succeeded" } else { "failed" });
    Ok(())
}
