//! The command `unipc`: parse, one call of the core, print.

#![forbid(unsafe_code)]

mod commands;
mod exit;
mod failure;
mod framing;
mod input;
mod look;
mod output;
mod signals;
mod table;
mod text;
mod values;
mod waiting;
mod words;

use clap::{CommandFactory, FromArgMatches, Parser};
use failure::Failure;
use std::process::ExitCode;

/// Local inter-process communication on Linux.
#[derive(Parser)]
#[command(name = "unipc", version, max_term_width = 100, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: commands::Command,
}

/// All that can be said, and what is told of it: commands of commands have the exit codes of those of objects.
fn command() -> clap::Command {
    let with_exit = |command: clap::Command| match command.get_after_long_help() {
        Some(_) => command,
        None => command.after_long_help(exit::OF_OBJECTS),
    };
    Cli::command().mut_subcommands(|command| command.mut_subcommands(with_exit))
}

fn main() -> ExitCode {
    let outcome = match command().try_get_matches().and_then(|found| Cli::from_arg_matches(&found)) {
        Ok(cli) => cli.command.run(),
        // Help and version are such "errors", too, and a success.
        Err(shown) if !shown.use_stderr() => shown.print().map(|()| ExitCode::SUCCESS).map_err(Failure::from),
        Err(refused) => Err(Failure::arguments(&refused)),
    };
    outcome.unwrap_or_else(Failure::say)
}
