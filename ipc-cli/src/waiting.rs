//! How long a command waits, and that signals which end nothing end no wait.

use crate::values;
use std::time::Duration;
use unipc::Deadline;

#[derive(clap::Args)]
pub struct Waiting {
    /// Wait for so long at most; then end with status 124
    ///
    /// Seconds, as in 1.5, or with a unit, as in 250ms, 10s, 2m, 1h. What is there is taken, and what has room
    /// is given, even when the time is 0. It begins anew with each thing that is waited for.
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub timeout: Option<Duration>,

    /// Do not wait; end with status 1 instead
    #[arg(long, conflicts_with = "timeout")]
    pub no_wait: bool,
}

impl Waiting {
    /// For a wait that begins now.
    pub fn deadline(&self) -> Deadline {
        if self.no_wait { Deadline::NOW } else { self.timeout.into() }
    }
}

/// Signals end no call of a command.
pub fn uninterrupted<T>(mut call: impl FnMut() -> unipc::Result<T>) -> unipc::Result<T> {
    loop {
        match call() {
            Err(error) if error.interrupted() => {}
            done => return done,
        }
    }
}
