//! `unipc clean`: removes what is provably dead.

use crate::exit;
use crate::failure::{self, Failure};
use crate::look::{self, Choice, Judged};
use crate::text;
use anstyle::AnsiColor;
use rustix::io::Errno;
use std::io::Write;
use std::process::ExitCode;
use unipc::survey::{self, Kind, Object, Verdict};

/// Remove what is provably dead, and say why.
///
/// Dead is what nobody has open or mapped, and whose maker is gone. That nobody has it is not concluded from
/// what can be seen, but asked of the kernel, in all namespaces and for all users; and nobody can come in between
/// until it is removed (to a queue of engine posix for a microsecond at most). Queues of engine shm alone note
/// who made them. Of everything else that nobody has it cannot be known who may come back to it: that is kept
/// unless --unused is given.
#[derive(clap::Args)]
#[command(after_help = AFTER)]
pub struct Arguments {
    /// Remove nothing; say what would be
    #[arg(long, short = 'n')]
    dry_run: bool,

    /// Also what nobody has open or mapped, whoever made it and may come back to it
    #[arg(long)]
    unused: bool,

    /// Only objects whose names begin so
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,

    #[command(flatten)]
    choice: Choice,

    /// Only these, by name or path; else all queues, memory and semaphores that are found
    #[arg(value_name = "OBJECT")]
    objects: Vec<String>,
}

const AFTER: &str = "\
A line for each object that nobody is seen to have, and for each that was named:
'removed', 'would remove' or 'kept', the object, a colon, and why. What is in use and
was not named is not spoken of. What another survey looks at in this very moment is
kept, too: the next clean removes it. A queue of engine shm that a script made with
'unipc queue create', and nobody has opened yet, is as dead as one whose maker was
killed: nothing tells them apart. FIFOs and pipes are never removed here: nothing tells
whether somebody has a FIFO, and a pipe goes by itself.

Examples:
  unipc clean --dry-run
  unipc clean --unused --prefix /shop-

Exit status: 0, also if something is kept; 2 if the arguments make no sense; 3 if what
was named is not there; 4 if what is dead may not be removed; 125 for anything else; 141
if the reader of the output has left.";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut code = 0;
    let mut objects: Vec<Object> = Vec::new();
    for name in &arguments.objects {
        match arguments.choice.find(name) {
            Ok(found) => objects.extend(found),
            Err(failure) => {
                code = failure.code();
                failure.say();
            }
        }
    }
    if arguments.objects.is_empty() {
        let survey = survey::objects(&[Kind::Queue, Kind::Memory, Kind::Semaphore]);
        objects.extend(survey.objects.into_iter().filter(|object| arguments.choice.has(object)));
        for what in survey.unseen {
            failure::say(format_args!("not looked into: {what}"));
        }
    }
    if let Some(prefix) = &arguments.prefix {
        objects.retain(|object| object.name.starts_with(prefix));
    }
    let mut out = anstream::stdout().lock();
    for object in objects {
        let one = Judged::new(object);
        let outcome = clean(arguments, &one);
        if let Outcome::Failed(_, failed) = outcome {
            code = failed;
        }
        let (color, word, why) = match outcome {
            Outcome::Busy if arguments.objects.is_empty() => continue,
            Outcome::Removed => (AnsiColor::Red, "removed", one.verdict.why().to_owned()),
            Outcome::Would => (AnsiColor::Yellow, "would remove", one.verdict.why().to_owned()),
            Outcome::Busy => (AnsiColor::Green, "kept", one.verdict.why().to_owned()),
            Outcome::Kept(why) | Outcome::Failed(why, _) => (AnsiColor::Green, "kept", why),
        };
        let style = color.on_default();
        writeln!(out, "{style}{word}{style:#} {}: {}", look::title(&one.object), text::shown(&why))?;
        out.flush()?; // what was done is said, whatever comes next
    }
    Ok(ExitCode::from(code))
}

enum Outcome {
    Removed,
    Would,
    Busy,
    Kept(String),
    /// With the exit code for it.
    Failed(String, u8),
}

fn clean(arguments: &Arguments, one: &Judged) -> Outcome {
    match &one.verdict {
        Verdict::Alive(_) if !one.object.openers.is_empty() => return Outcome::Busy,
        Verdict::Alive(why) | Verdict::Unknown(why) => return Outcome::Kept(why.clone()),
        Verdict::Unused(why) if !arguments.unused => return Outcome::Kept(why.clone()),
        Verdict::Unused(_) | Verdict::Dead(_) => {}
    }
    if arguments.dry_run {
        return Outcome::Would;
    }
    match one.object.remove_unused() {
        Ok(()) => Outcome::Removed,
        Err(error) => match Errno::from_raw_os_error(error.errno()) {
            // Somebody came, or was faster.
            Errno::BUSY | Errno::NOENT | Errno::STALE => Outcome::Kept(error.cause().to_owned()),
            _ => Outcome::Failed(error.cause().to_owned(), exit::of(&error)),
        },
    }
}
