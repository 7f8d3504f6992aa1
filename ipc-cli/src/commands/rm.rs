//! `unipc rm`: removes objects by name, whoever uses them.

use crate::exit;
use crate::failure::Failure;
use crate::look::{self, Choice};
use std::process::ExitCode;
use unipc::survey::Object;

/// Remove objects, also those that are in use.
///
/// Whoever has one open goes on with it; its name is free at once. 'unipc clean' removes what nobody uses.
#[derive(clap::Args)]
#[command(after_help = AFTER)]
pub struct Arguments {
    #[command(flatten)]
    choice: Choice,

    /// Names ("/orders"), or paths of FIFOs and of files in /dev/shm
    #[arg(required = true, value_name = "OBJECT")]
    objects: Vec<String>,
}

const AFTER: &str = "\
A name that several objects bear is refused: say which by --kind and --engine, or
by its path. The others are removed all the same.

Exit status: 0 if all are removed; else of the first that is not: 2 if it is ambiguous,
3 if it is not there, 4 if permission is denied, 125 for anything else.";

pub fn run(arguments: &Arguments) -> ExitCode {
    let mut code = 0;
    for name in &arguments.objects {
        let removed = only(&arguments.choice, name).and_then(|object| Ok(object.remove()?));
        if let Err(failure) = removed {
            if code == 0 {
                code = failure.code();
            }
            failure.say();
        }
    }
    ExitCode::from(code)
}

fn only(choice: &Choice, name: &str) -> Result<Object, Failure> {
    let mut found = choice.find(name)?;
    if found.iter().any(Object::is_named) {
        found.retain(Object::is_named);
    }
    if found.len() > 1 {
        let titles: Vec<String> = found.iter().map(look::title).collect();
        let cause = format!("it may be {}", titles.join(", "));
        let sentence = format!("remove {name}: {cause}; choose by --kind, --engine or path");
        return Err(Failure::new(exit::USAGE, sentence));
    }
    Ok(found.remove(0))
}
