//! What a survey tells of real processes and real objects: who has them, who lives, what is dead, and that
//! looking leaves no trace. A test starts this very program again in a role: `peer ROLE ARG…`.
// libc is called here as any program calls it; what is unsound shows as a failed test.
#![allow(clippy::undocumented_unsafe_blocks, clippy::too_many_lines, clippy::items_after_statements)]

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code)] // its numbers, and what the fuzzer's bytes mean
#[path = "../hostile/script.rs"]
mod script;
#[path = "../hostile/segment.rs"]
mod segment;

mod found;
mod judged;
mod peers;
mod spoiled;
mod storm;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mark, role, rest @ ..] = &arguments[..] {
        if mark == "peer" {
            peers::play(role, &rest.iter().map(String::as_str).collect::<Vec<_>>());
            return ExitCode::SUCCESS;
        }
    }
    let trials = [found::all("found"), judged::all("judged"), spoiled::all("spoiled"), storm::all("storm")];
    common::run(trials.into_iter().flatten().collect())
}
