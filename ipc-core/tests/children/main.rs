//! Starting programs, talking to them, waiting for them. One test at a time: each counts this process's
//! descriptors, children and threads before and after. Hosts in odd states are this program in a role.
// libc is called here as any program calls it; what is unsound shows as a failed test.
#![allow(clippy::undocumented_unsafe_blocks, clippy::too_many_lines, clippy::items_after_statements)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/traces.rs"]
mod traces;

mod hosts;
mod popen;
mod spawn;
mod wait;

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;
use traces::leaving_nothing;
use unipc::{Command, Redirect};

/// For what is to come, and would be a hang otherwise.
pub(crate) const LONG: Duration = Duration::from_secs(50);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mark, role, rest @ ..] = &arguments[..] {
        if mark == "host" {
            hosts::play(role, &rest.iter().map(String::as_str).collect::<Vec<_>>());
            return ExitCode::SUCCESS;
        }
    }
    let mut arguments = libtest_mimic::Arguments::from_args();
    arguments.test_threads = Some(1);
    let trials = [spawn::all("spawn"), wait::all("wait"), popen::all("popen"), hosts::all("hosts")];
    libtest_mimic::run(&arguments, trials.into_iter().flatten().collect()).exit_code()
}

/// The two ways in which a child is started: posix_spawn(3), and what does more than it can.
pub(crate) fn both_ways(case: impl Fn(fn(Command) -> Command)) {
    leaving_nothing(|| case(|command| command));
    leaving_nothing(|| {
        case(|mut command| {
            command.dies_with_parent(libc::SIGKILL);
            command
        });
    });
}

/// What a command that succeeds says on its standard output.
pub(crate) fn said(mut command: Command) -> String {
    let mut child = command.stdout(Redirect::Pipe).spawn().unwrap();
    drop(child.stdin.take());
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}, having said: {text}");
    text
}

pub(crate) fn sh(line: &str) -> Command {
    Command::shell(line)
}

/// A command and its arguments.
pub(crate) fn run(arguments: &[&str]) -> Command {
    Command::from_arguments(arguments)
}

/// This program in a role.
pub(crate) fn host(role: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("host").arg(role).args(arguments);
    command
}
