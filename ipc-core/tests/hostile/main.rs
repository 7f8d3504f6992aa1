//! What a hostile or broken peer can do to a queue in shared memory, whose bytes it may write: spoil the
//! queue, and nothing else. A test starts this very program again in a role: `peer ROLE ARG…`.
#![allow(clippy::undocumented_unsafe_blocks, clippy::too_many_lines, clippy::items_after_statements)]

#[path = "../common/mod.rs"]
mod common;

mod contents;
mod corpus;
mod cut;
mod judge;
mod live;
mod opening;
mod script;
mod segment;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mark, role, rest @ ..] = &arguments[..] {
        if mark == "peer" {
            match (role.as_str(), rest) {
                ("play-scripts", [name]) => judge::play_scripts(name),
                ("flip", [name, pause]) => live::flip(name, pause.parse().unwrap()),
                ("be-cut", [name]) => cut::be_cut(name),
                ("open", [name]) => opening::tell(name),
                _ => panic!("no role {role}"),
            }
            return ExitCode::SUCCESS;
        }
    }
    let programs =
        [contents::all("contents"), corpus::all("corpus"), live::all("live"), cut::all("cut"), opening::all("opening")];
    common::run(programs.into_iter().flatten().collect())
}
