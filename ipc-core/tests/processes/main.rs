//! What holds between processes. A test starts this very program again in a role: `peer ROLE ARG…`.
// libc is called here as any program calls it; what is unsound shows as a failed test.
#![allow(clippy::undocumented_unsafe_blocks, clippy::too_many_lines, clippy::items_after_statements)]

#[path = "../common/mod.rs"]
mod common;

mod kernel;
mod lives;
mod peers;

use std::process::{Child, Command, ExitCode, ExitStatus, Output, Stdio};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mark, role, rest @ ..] = &arguments[..] {
        if mark == "peer" {
            peers::play(role, &rest.iter().map(String::as_str).collect::<Vec<_>>());
            return ExitCode::SUCCESS;
        }
    }
    common::run([lives::all("processes"), kernel::all("kernel")].into_iter().flatten().collect())
}

/// This program in another role, its standard streams piped.
pub(crate) fn peer(role: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("peer").arg(role).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a role to its end and gives back what it printed; a role that fails fails the test.
pub(crate) fn play(role: &str, arguments: &[&str]) -> String {
    printed(peer(role, arguments).output().unwrap())
}

/// What a role says that may not have a namespace of its own.
pub(crate) const NO_NAMESPACES: &str = "no namespaces";

/// As [`play`], for a role that needs root and a namespace; says what is skipped without them.
pub(crate) fn play_as_root(what: &str, role: &str, arguments: &[&str]) -> Option<String> {
    let is_root = unsafe { libc::geteuid() } == 0;
    let text = is_root.then(|| play(role, arguments)).filter(|text| text != NO_NAMESPACES);
    if text.is_none() {
        eprintln!("SKIPPED, needs root and the right to namespaces: {what}");
    }
    text
}

pub(crate) fn printed(output: Output) -> String {
    let text = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "the peer failed ({}): {text}{complaints}", output.status);
    text.trim_end().to_owned()
}

/// Waits for the line that says that a role has come as far as `line`.
pub(crate) fn hear(child: &mut Child, line: &str) {
    use std::io::Read;
    let mut heard = Vec::new();
    let mut byte = [0];
    let stdout = child.stdout.as_mut().unwrap();
    while stdout.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
        heard.push(byte[0]);
    }
    assert_eq!(String::from_utf8_lossy(&heard), line);
}

pub(crate) fn kill(mut child: Child) -> ExitStatus {
    child.kill().unwrap();
    child.wait().unwrap()
}
