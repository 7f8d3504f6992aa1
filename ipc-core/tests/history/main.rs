//! The kernel is the reference: random histories run on both engines and on a simple model, and what
//! processes do at the same time is held against what could have happened one after the other.
#![allow(clippy::undocumented_unsafe_blocks, clippy::too_many_lines, clippy::items_after_statements)]

#[path = "../common/mod.rs"]
mod common;

mod linear;
mod lockstep;
mod together;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mark, rest @ ..] = &arguments[..] {
        if mark == "peer" {
            together::work(&rest.iter().map(String::as_str).collect::<Vec<_>>());
            return ExitCode::SUCCESS;
        }
    }
    common::run(
        [lockstep::all("lockstep"), linear::all("linear"), together::all("together")].into_iter().flatten().collect(),
    )
}
