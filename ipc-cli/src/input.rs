//! What a command is given to read.

use crate::exit;
use crate::failure::{Failure, plain};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Input {
    /// Read FILE; '-' is standard input
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
}

impl Input {
    pub fn is_given(&self) -> bool {
        self.input.is_some()
    }

    pub fn open(&self) -> Result<Box<dyn BufRead>, Failure> {
        match self.file() {
            None => Ok(Box::new(io::stdin().lock())),
            Some(path) => match File::open(path) {
                Ok(file) => Ok(Box::new(BufReader::new(file))),
                Err(error) => Err(self.fail("open", &error)),
            },
        }
    }

    pub fn fail(&self, what: &str, error: &io::Error) -> Failure {
        Failure::new(exit::OWN, format_args!("{what} {self}: {}", plain(error)))
    }

    fn file(&self) -> Option<&Path> {
        self.input.as_deref().filter(|path| *path != "-")
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file() {
            None => f.write_str("standard input"),
            Some(path) => path.display().fmt(f),
        }
    }
}
