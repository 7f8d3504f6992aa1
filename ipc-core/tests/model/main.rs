//! Model checking (`make model`): the real code of queues in shared memory, under a scheduler that chooses
//! at every access to shared memory whose turn it is, thousands of times for each of these scenarios.
//!
//! A wake-up that is lost shows as a deadlock, a loop without end as too many steps. A thread that is killed
//! stops at the step it was killed at, the way a SIGKILL stops it between two instructions.
#![allow(clippy::undocumented_unsafe_blocks, clippy::items_after_statements)]

#[cfg(unipc_model)]
#[path = "../common/mod.rs"]
mod common;
#[cfg(unipc_model)]
mod scenarios;

#[cfg(unipc_model)]
fn main() -> std::process::ExitCode {
    common::run(scenarios::all("model"))
}

#[cfg(not(unipc_model))]
fn main() {
    println!("skipped: model checking takes a build of its own: make model");
}
