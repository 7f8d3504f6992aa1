//! Pipelines and conversations. One test at a time: each counts this process's descriptors and children
//! before and after.
// libc is called here as any program calls it; what is unsound shows as a failed test.
#![allow(clippy::undocumented_unsafe_blocks, clippy::too_many_lines, clippy::items_after_statements)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/traces.rs"]
mod traces;

mod communicate;
mod pipeline;

use std::time::Duration;
use traces::{descriptors, leaving_nothing};
use unipc::{Command, Pipeline, Redirect};

/// For what is to come, and would be a hang otherwise.
pub(crate) const LONG: Duration = Duration::from_secs(50);

fn main() -> std::process::ExitCode {
    let mut arguments = libtest_mimic::Arguments::from_args();
    arguments.test_threads = Some(1);
    let trials = [pipeline::all("pipeline"), communicate::all("communicate")].into_iter().flatten().collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A stage that is a line of the shell's.
pub(crate) fn sh(line: &str) -> Command {
    Command::shell(line)
}

/// A pipeline with a pipe of this process at both of its ends.
pub(crate) fn piped(stages: impl IntoIterator<Item = Command>) -> Pipeline {
    let mut pipeline = between(stages);
    pipeline.stdin(Redirect::Pipe).stdout(Redirect::Pipe);
    pipeline
}

/// One that reads nothing and whose output is for nobody.
pub(crate) fn between(stages: impl IntoIterator<Item = Command>) -> Pipeline {
    let mut pipeline = Pipeline::new();
    for stage in stages {
        pipeline.stage(stage);
    }
    pipeline.stdin(Redirect::Null).stdout(Redirect::Null);
    pipeline
}

/// Bytes that show when some are missing, doubled or swapped.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}
