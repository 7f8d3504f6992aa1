//! `unipc sem`: semaphores.

use super::queue::unlink_all;
use crate::failure::Failure;
use crate::waiting::{Waiting, uninterrupted};
use crate::{exit, values};
use clap::Subcommand;
use std::io::{self, Write};
use std::process::ExitCode;
use unipc::Semaphore;

/// Make, wait for, post and remove semaphores.
///
/// They are the system's own, of sem_open(3), and count for every program. A permit has no owner: one that was
/// taken is back only when somebody posts, also where who took it is dead.
#[derive(clap::Args)]
#[command(after_long_help = format!("{AFTER}\n\n{}", exit::OF_OBJECTS))]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

const AFTER: &str = "\
Examples:
  unipc sem create /presses --value 2 --exist-ok
      Two at a time.
  unipc sem wait --timeout 10m /presses && { trap 'unipc sem post /presses' EXIT; print book; }
  unipc sem wait --no-wait /presses || echo 'both are busy'
  unipc sem value /presses";

#[derive(Subcommand)]
enum What {
    /// Make a semaphore
    Create {
        #[command(flatten)]
        target: Target,
        /// How many permits it has at first
        #[arg(long, default_value_t = 0)]
        value: u32,
        /// Who may use it, in octal; the umask is taken away from it
        #[arg(long, default_value = "600", value_parser = values::mode)]
        mode: u32,
        /// Be content with one that is there already, whatever its value
        #[arg(long)]
        exist_ok: bool,
    },
    /// Take a permit, and wait for it while the value is 0
    Wait {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Give a permit
    Post {
        #[command(flatten)]
        target: Target,
        /// Give so many
        #[arg(short = 'n', long, default_value_t = 1)]
        count: u32,
    },
    /// Print how many permits there are
    Value {
        #[command(flatten)]
        target: Target,
    },
    /// Remove names of semaphores; who has one open goes on with it
    Unlink {
        #[arg(value_name = "SEMAPHORE", required = true)]
        names: Vec<String>,
    },
}

#[derive(clap::Args)]
struct Target {
    /// Its name, which begins with a slash and has no other
    #[arg(value_name = "SEMAPHORE")]
    name: String,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let open = |target: &Target| Semaphore::open(&target.name);
    match &arguments.what {
        What::Create { target: Target { name }, value, mode, exist_ok } => {
            let mut options = Semaphore::options();
            options.value(*value).mode(*mode);
            if *exist_ok { options.open_or_create(name).map(drop) } else { options.create(name).map(drop) }?;
        }
        What::Wait { target, waiting } => {
            let (semaphore, deadline) = (open(target)?, waiting.deadline());
            uninterrupted(|| semaphore.wait_by(deadline))?;
        }
        What::Post { target, count } => open(target)?.post_many(*count)?,
        What::Value { target } => writeln!(io::stdout(), "{}", open(target)?.value()?)?,
        What::Unlink { names } => return Ok(unlink_all(names, |name| Semaphore::unlink(name))),
    }
    Ok(ExitCode::SUCCESS)
}
