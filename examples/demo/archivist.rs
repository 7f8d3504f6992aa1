//! The demo's Rust process: reads lines from a FIFO, which a pipeline of the shell writes, and
//! counts. `examples/demo/run` starts it; what the others share with it stands in shared memory as
//! below.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::time::Duration;
use unipc::{Fifo, Memory, Semaphore};

const READY: usize = 64;
const GO: usize = 96;
const ONE_AT_A_TIME: usize = 128;
const COUNTER: usize = 160;
const PATIENCE: Duration = Duration::from_secs(30); // no partner is waited for longer

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, path, rounds] = arguments.as_slice() else { return Err("demo_archivist NAME FIFO ROUNDS".into()) };

    let reader = Fifo::open(path)?.open_reader_by(PATIENCE)?;
    for (number, line) in (1..).zip(BufReader::new(reader).lines()) {
        println!("read\t{number}\t{}", line?);
    }

    let memory = Memory::open(name)?;
    let one_at_a_time = Semaphore::open_in(&memory, ONE_AT_A_TIME)?;
    Semaphore::open_in(&memory, READY)?.post()?;
    Semaphore::open_in(&memory, GO)?.wait_by(PATIENCE)?;
    for _ in 0..rounds.parse()? {
        let _permit = one_at_a_time.acquire_by(PATIENCE)?;
        let mut counter = [0; 4];
        memory.read_at(COUNTER, &mut counter)?;
        memory.write_at(COUNTER, &(u32::from_ne_bytes(counter) + 1).to_ne_bytes())?;
    }
    println!("added\t{rounds}");
    Ok(())
}
