//! Reads what a command line of the shell writes, line by line.
//!
//! Run it: `cargo run -p unipc-examples --bin popen_read -- 'ls | sort -r'`

use std::env;
use std::error::Error;
use std::io::{BufRead, BufReader};
use unipc::{Command, popen};

fn main() -> Result<(), Box<dyn Error>> {
    let line = env::args().nth(1).unwrap_or("echo one; echo two; exit 3".into());

    let mut stream = popen::reader(Command::shell(line))?;
    for (number, line) in (1..).zip(BufReader::new(&mut stream).lines()) {
        println!("line {number}: {}", line?);
    }
    println!("it ended with {}", stream.close()?.shell_code());
    Ok(())
}
