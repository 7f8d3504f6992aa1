//! What a command could not do: a sentence for people, a code for scripts.

use crate::{exit, text};
use signal_hook::low_level::emulate_default_handler;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

#[derive(Debug)]
pub struct Failure {
    /// Harmless to a terminal. `None`: nothing is to be said.
    sentence: Option<String>,
    code: u8,
    /// What ended the command: the shell that called it is to see that.
    signal: Option<i32>,
}

impl Failure {
    pub fn new(code: u8, sentence: impl fmt::Display) -> Failure {
        Failure { sentence: Some(text::shown(&sentence.to_string())), code, signal: None }
    }

    /// What clap says of arguments, said as everything else.
    pub fn arguments(refused: &clap::Error) -> Failure {
        let text = refused.to_string();
        if let Some(sentence) = text.strip_prefix("error: ") {
            let lines: Vec<String> = sentence.trim_end().lines().map(text::shown).collect();
            return Failure { sentence: Some(lines.join("\n")), ..Failure::quiet(exit::USAGE) };
        }
        // The help, in answer to no arguments at all.
        let _ = io::stderr().write_all(text.as_bytes());
        Failure::quiet(exit::USAGE)
    }

    fn quiet(code: u8) -> Failure {
        Failure { sentence: None, code, signal: None }
    }

    pub fn signal(signal: i32) -> Failure {
        Failure { signal: Some(signal), ..Failure::quiet(128 + signal as u8) }
    }

    pub fn code(&self) -> u8 {
        self.code
    }

    /// Says in front what it was about.
    pub fn of(mut self, what: impl fmt::Display) -> Failure {
        let what = text::shown(&what.to_string());
        self.sentence = self.sentence.map(|sentence| format!("{what}: {sentence}"));
        self
    }

    /// `command` was called with arguments that make no sense.
    pub fn usage(command: &str, sentence: impl fmt::Display) -> Failure {
        Failure::new(exit::USAGE, format_args!("{sentence}; see 'unipc {command} --help'"))
    }

    pub fn say(self) -> ExitCode {
        if let Some(sentence) = self.sentence {
            write(&sentence);
        }
        if let Some(signal) = self.signal {
            let _ = emulate_default_handler(signal);
        }
        ExitCode::from(self.code)
    }
}

/// A sentence on standard error, harmless to a terminal whatever names are in it.
pub fn say(sentence: impl fmt::Display) {
    write(&text::shown(&sentence.to_string()));
}

/// That nobody can read it is no reason to fail.
fn write(sentence: &str) {
    let _ = writeln!(io::stderr(), "unipc: {sentence}");
}

/// The cause of an error of the standard library, without the number.
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

impl From<unipc::Error> for Failure {
    fn from(error: unipc::Error) -> Failure {
        match exit::of(&error) {
            exit::NO_READER => Failure::quiet(exit::NO_READER),
            code => Failure::new(code, error),
        }
    }
}

impl From<io::Error> for Failure {
    /// Of writing to standard output.
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::quiet(exit::NO_READER),
            _ => Failure::new(exit::OWN, format_args!("write to standard output: {}", plain(&error))),
        }
    }
}
