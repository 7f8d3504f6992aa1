//! Each promise of the API once, run on every engine that makes it.
// libc is called here as any program calls it; what is unsound shows as a failed test.
#![allow(clippy::undocumented_unsafe_blocks, clippy::too_many_lines, clippy::items_after_statements)]

#[path = "../common/mod.rs"]
mod common;

mod errors;
mod fifo;
mod memory;
mod pipe;
mod queue;
mod semaphore;
mod shm;

fn main() -> std::process::ExitCode {
    common::run(
        [
            pipe::all("pipe"),
            fifo::all("fifo"),
            queue::all("queue"),
            memory::all("memory"),
            semaphore::all("semaphore"),
            shm::all("shm"),
            errors::all("errors"),
        ]
        .into_iter()
        .flatten()
        .collect(),
    )
}
