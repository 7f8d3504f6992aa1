//! One file for each command.

mod pipe;

use crate::failure::Failure;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub enum Command {
    Pipe(pipe::Arguments),
}

impl Command {
    pub fn run(&self) -> Result<ExitCode, Failure> {
        match self {
            Command::Pipe(arguments) => pipe::run(arguments),
        }
    }
}
