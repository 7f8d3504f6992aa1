//! `unipc completions`: what a shell completes, and the manual pages, from what the commands say of themselves.

use crate::exit;
use crate::failure::{Failure, plain};
use clap_complete::Shell;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Print a script that lets a shell complete the arguments of unipc.
#[derive(clap::Args)]
#[command(after_help = AFTER)]
pub struct Arguments {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

const AFTER: &str = "\
Examples:
  unipc completions bash >~/.local/share/bash-completion/completions/unipc
  unipc completions fish >~/.config/fish/completions/unipc.fish
  unipc completions zsh >DIRECTORY/_unipc      (a directory of $fpath)
'make install' installs those of bash, zsh and fish, and the manual pages.

Exit status: 0; 2 if the arguments make no sense; 125 if standard output cannot be
written, 141 if its reader has left.";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut crate::command(), "unipc", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Write the manual pages of all commands into a folder.
#[derive(clap::Args)]
#[command(after_help = "Exit status: 0; 2 if the arguments make no sense; 125 if a page cannot be written.")]
pub struct ManualArguments {
    /// It must be there: /usr/local/share/man/man1
    folder: PathBuf,
}

pub fn manual(arguments: &ManualArguments) -> Result<ExitCode, Failure> {
    clap_mangen::generate_to(crate::command(), &arguments.folder).map_err(|error| {
        let folder = arguments.folder.display();
        Failure::new(exit::OWN, format_args!("write manual pages to {folder}: {}", plain(&error)))
    })?;
    Ok(ExitCode::SUCCESS)
}
