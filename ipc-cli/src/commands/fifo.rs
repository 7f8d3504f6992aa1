//! `unipc fifo`: pipes that have a path.

use super::queue::unlink_all;
use crate::failure::Failure;
use crate::input::Input;
use crate::output::Output;
use crate::waiting::{Waiting, uninterrupted};
use crate::{exit, values};
use clap::Subcommand;
use std::ffi::OsString;
use std::io::{self, BufRead};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;
use unipc::{Fifo, PipeWriter};

/// Make, read, write and remove FIFOs.
///
/// A FIFO is a pipe with a path. Beyond what cat and a redirection do, the waits here can end, a path that is
/// no FIFO is refused, and a reader can stay from one writer to the next.
#[derive(clap::Args)]
#[command(after_long_help = format!("{AFTER}\n\n{}", exit::OF_OBJECTS))]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

const AFTER: &str = "\
Examples:
  unipc fifo create --mode 660 /run/orders
  unipc fifo read --follow /run/orders | while read -r order; do serve \"$order\"; done
      Writers come and go; the reader stays.
  date | unipc fifo write --timeout 5 /run/orders || echo 'nobody reads'";

#[derive(Subcommand)]
enum What {
    /// Make a FIFO
    Create {
        path: PathBuf,
        /// Who may use it, in octal; the umask is taken away from it
        #[arg(long, default_value = "600", value_parser = values::mode)]
        mode: u32,
        /// Be content with a FIFO that is there already
        #[arg(long)]
        exist_ok: bool,
    },
    /// Wait for a writer, and print what comes until the last writer has left
    ///
    /// --timeout holds for the writer to come, and then for each piece of what it writes. With --no-wait what
    /// is there is printed; when that is nothing, the exit status is 1.
    Read {
        path: PathBuf,
        /// Stay when the last writer has left, until something ends this
        ///
        /// A signal, the reader of the output who leaves, or --timeout without a byte. The FIFO is opened for
        /// writing, too, so its mode must allow that.
        #[arg(short, long, conflicts_with = "no_wait")]
        follow: bool,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Wait for a reader, and write each TEXT and a newline, or standard input as it is
    ///
    /// --timeout holds for the reader to come, and then for room for each piece. That the reader leaves is
    /// status 141, and nothing is said of it.
    Write {
        path: PathBuf,
        #[arg(value_name = "TEXT", conflicts_with = "input")]
        texts: Vec<OsString>,
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Remove FIFOs; who has one open goes on with it
    ///
    /// A path that is no FIFO stays.
    Unlink {
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
    },
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match &arguments.what {
        What::Create { path, mode, exist_ok } => {
            let mut options = Fifo::options();
            options.mode(*mode);
            if *exist_ok { options.open_or_create(path).map(drop) } else { options.create(path).map(drop) }?;
        }
        What::Read { path, follow, waiting } => read(&Fifo::open(path)?, *follow, waiting)?,
        What::Write { path, texts, input, waiting } => {
            let fifo = Fifo::open(path)?;
            if texts.is_empty() {
                write_input(&fifo, input, waiting)?;
            } else {
                let lines: Vec<u8> = texts.iter().flat_map(|text| [text.as_bytes(), b"\n"].concat()).collect();
                write(&open_writer(&fifo, waiting)?, &lines, waiting)?;
            }
        }
        What::Unlink { paths } => return Ok(unlink_all(paths, |path| Fifo::unlink(path))),
    }
    Ok(ExitCode::SUCCESS)
}

/// As much as a pipe holds, unless it was made larger.
const PIECE: usize = 1 << 16;

fn read(fifo: &Fifo, follow: bool, waiting: &Waiting) -> Result<(), Failure> {
    // With a writer of its own it never comes to the end.
    let (reader, _own) = if follow {
        let reader = fifo.try_open_reader()?;
        (reader, Some(fifo.try_open_writer()?))
    } else {
        (uninterrupted(|| fifo.open_reader_by(waiting.deadline()))?, None)
    };
    let mut output = Output::new()?;
    let mut buffer = vec![0; PIECE];
    let mut any = false;
    loop {
        let timely = waiting.no_wait || output.wait_for(reader.as_fd(), waiting.deadline())?;
        match reader.try_read(&mut buffer) {
            Ok(0) if waiting.no_wait && !any => {
                return Err(nothing(fifo, exit::NOT_NOW, "nobody has written to it"));
            }
            Ok(0) => return Ok(()),
            Ok(count) => {
                any = true;
                let mut left = &buffer[..count];
                output.write(&mut left).inspect_err(|_| {
                    output.write_at_once(&mut left); // it cannot go back
                })?;
            }
            Err(error) if !error.would_block() => return Err(error.into()),
            Err(_) if waiting.no_wait && any => return Ok(()),
            Err(_) if waiting.no_wait => return Err(nothing(fifo, exit::NOT_NOW, "nobody has written to it")),
            Err(_) if timely => {} // another reader has it
            Err(_) => return Err(nothing(fifo, exit::TIMED_OUT, "timed out: nothing was written to it")),
        }
    }
}

fn nothing(fifo: &Fifo, code: u8, cause: &str) -> Failure {
    Failure::new(code, format_args!("read from {}: {cause}", fifo.path().display()))
}

fn open_writer(fifo: &Fifo, waiting: &Waiting) -> Result<PipeWriter, Failure> {
    Ok(uninterrupted(|| fifo.open_writer_by(waiting.deadline()))?)
}

fn write_input(fifo: &Fifo, input: &Input, waiting: &Waiting) -> Result<(), Failure> {
    let mut source = input.open()?;
    let writer = open_writer(fifo, waiting)?;
    loop {
        let piece = match source.fill_buf() {
            Ok([]) => return Ok(()),
            Ok(piece) => piece,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(input.fail("read", &error)),
        };
        write(&writer, piece, waiting)?;
        let count = piece.len();
        source.consume(count);
    }
}

fn write(writer: &PipeWriter, mut data: &[u8], waiting: &Waiting) -> Result<(), Failure> {
    while !data.is_empty() {
        let deadline = waiting.deadline();
        let count = uninterrupted(|| writer.write_by(data, deadline))?;
        data = &data[count..];
    }
    Ok(())
}
