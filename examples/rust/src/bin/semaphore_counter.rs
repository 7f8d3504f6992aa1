//! Two processes count in shared memory, 1000 times each; a semaphore beside the counter lets one
//! at a time do so, and no count is lost.
//!
//! Run it: `cargo run -p unipc-examples --bin semaphore_counter`

use std::env;
use std::error::Error;
use std::process::{self, Command};
use unipc::{Memory, Semaphore};

const COUNTER_AT: usize = Semaphore::SIZE; // the semaphore stands at 0

fn main() -> Result<(), Box<dyn Error>> {
    // The child is this program anew, so it finds the memory by its name.
    if let Some(name) = env::args().nth(1) {
        let memory = Memory::open(&name)?;
        return Ok(count(&memory, &Semaphore::open_in(&memory, 0)?)?);
    }
    let name = format!("/unipc-example-counter-{}", process::id());
    let memory = Memory::create(&name, 4096)?;
    let total = count_in_two(&name, &memory);
    Memory::unlink(&name)?;
    println!("two processes added 1000 each: {}", total?);
    Ok(())
}

fn count_in_two(name: &str, memory: &Memory) -> Result<u32, Box<dyn Error>> {
    let semaphore = Semaphore::init_in(memory, 0, 1)?;
    let mut child = Command::new(env::current_exe()?).arg(name).spawn()?;
    count(memory, &semaphore)?;
    if !child.wait()?.success() {
        return Err("the child failed".into());
    }
    let mut counter = [0; 4];
    memory.read_at(COUNTER_AT, &mut counter)?;
    Ok(u32::from_ne_bytes(counter))
}

fn count(memory: &Memory, semaphore: &Semaphore) -> unipc::Result<()> {
    for _ in 0..1000 {
        let _permit = semaphore.acquire()?; // given back at the end of each round
        let mut counter = [0; 4];
        memory.read_at(COUNTER_AT, &mut counter)?;
        let next = u32::from_ne_bytes(counter) + 1;
        memory.write_at(COUNTER_AT, &next.to_ne_bytes())?;
    }
    Ok(())
}
