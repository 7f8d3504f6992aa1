//! What holds when a participant is killed, at whatever instruction. docs/crash.md has the argument; this
//! program has the proof. A test starts this very program again in a role, `peer ROLE ARG…`, which has one
//! thread and forks victims as it likes.
//!
//! `UNIPC_CRASH=full` kills at every instruction instead of once for each state that the dead can leave,
//! and storms for minutes.
// libc is called here as any program calls it; what is unsound shows as a failed test.
#![allow(clippy::undocumented_unsafe_blocks, clippy::too_many_lines, clippy::items_after_statements)]
// A world of a test is what it is: cases and storms are lists of switches.
#![allow(
    clippy::struct_excessive_bools,
    clippy::trivially_copy_pass_by_ref,
    clippy::similar_names,
    clippy::mut_from_ref
)]

#[path = "../common/mod.rs"]
mod common;

mod message;
mod peers;
mod rare;
mod step;
mod storm;
mod trace;

use common::Scratch;
use libtest_mimic::{Arguments, Failed, Trial};
use std::process::{Command, ExitCode};

/// Whether the long proof is wanted.
fn is_full() -> bool {
    std::env::var("UNIPC_CRASH").is_ok_and(|what| what == "full")
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mark, role, rest @ ..] = &arguments[..] {
        if mark == "peer" {
            let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
            // What hangs ends: the children go with it.
            unsafe { libc::alarm(if is_full() { 3600 } else { 100 }) };
            match (role.as_str(), &rest[..]) {
                ("step", [case, name]) => step::play(case, name),
                ("storm", [storm, name]) => storm::play(storm, name),
                #[cfg(feature = "fail-points")]
                ("points", [what, name]) => storm::points::play(what, name),
                ("rare", [what, name]) => rare::play(what, name),
                _ => panic!("no role {role}"),
            }
            return ExitCode::SUCCESS;
        }
    }
    let trials = [
        step::all(),
        rare::all(),
        storm::all(),
        #[cfg(feature = "fail-points")]
        storm::points::all(),
    ];
    let trials = trials.into_iter().flatten().collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test that is a role of this program: it fails if the role does, and shows what the role printed.
fn trial(role: &'static str, what: &'static str) -> Trial {
    Trial::test(format!("{role}::{}", what.replace([' ', '-'], "_")), move || {
        let scratch = Scratch::new();
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command.args(["peer", role, what, scratch.name()]).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() {
            eprint!("{text}");
            return Ok(());
        }
        Err(Failed::from(format!("{what}: {}\n{text}", output.status)))
    })
}
