//! `unipc memory`: shared memory.

use super::queue::unlink_all;
use crate::failure::Failure;
use crate::input::Input;
use crate::{exit, values};
use clap::Subcommand;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use unipc::Memory;

/// Make, fill, print and remove shared memory.
///
/// It is the system's own, of shm_open(3), and every program can map it.
#[derive(clap::Args)]
#[command(after_long_help = format!("{AFTER}\n\n{}", exit::OF_OBJECTS))]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

const AFTER: &str = "\
Examples:
  unipc memory create /frame --size 8M
      Zero bytes, whose space is reserved at once.
  unipc memory create /words --input /usr/share/dict/words
      As large as the file, and with what is in it.
  unipc memory dump /frame --offset 1M --length 64 | xxd
  printf 'go' | unipc memory write /frame --offset 16";

#[derive(Subcommand)]
enum What {
    /// Make shared memory, of zero bytes or with what --input says
    ///
    /// At least one of --size and --input is needed; what the input leaves is zero bytes. The memory has its name before it is filled: others may
    /// see zero bytes, or a part.
    Create {
        #[command(flatten)]
        target: Target,
        /// How large, as in 4096, 64K, 8M [default: as the input]
        #[arg(long, value_name = "BYTES", value_parser = values::size, required_unless_present = "input")]
        size: Option<usize>,
        #[command(flatten)]
        input: Input,
        /// Who may use it, in octal; the umask is taken away from it
        #[arg(long, default_value = "600", value_parser = values::mode)]
        mode: u32,
        /// Be content with one that is there already and at least as large
        #[arg(long, conflicts_with = "input")]
        exist_ok: bool,
    },
    /// Print what is in it, byte by byte
    Dump {
        #[command(flatten)]
        target: Target,
        /// Where to begin
        #[arg(long, value_name = "BYTES", value_parser = values::size, default_value = "0")]
        offset: usize,
        /// How many bytes [default: to the end]
        #[arg(long, value_name = "BYTES", value_parser = values::size)]
        length: Option<usize>,
    },
    /// Write standard input into it, or what --input says; its size stays
    ///
    /// Either all of that fits, or nothing is written.
    Write {
        #[command(flatten)]
        target: Target,
        /// Where to begin
        #[arg(long, value_name = "BYTES", value_parser = values::size, default_value = "0")]
        offset: usize,
        #[command(flatten)]
        input: Input,
    },
    /// Remove names of shared memory; who has it mapped goes on with it
    Unlink {
        #[arg(value_name = "MEMORY", required = true)]
        names: Vec<String>,
    },
}

#[derive(clap::Args)]
struct Target {
    /// Its name, which begins with a slash and has no other
    #[arg(value_name = "MEMORY")]
    name: String,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match &arguments.what {
        What::Create { target: Target { name }, size, input, mode, exist_ok } => {
            let read = || {
                read(input, size.unwrap_or(usize::MAX))
                    .map_err(|failure| failure.of(format_args!("create memory {name}")))
            };
            let data = if input.is_given() { read()? } else { Vec::new() };
            let mut options = Memory::options();
            options.size(size.unwrap_or(data.len())).mode(*mode);
            let memory = if *exist_ok { options.open_or_create(name)?.0 } else { options.create(name)? };
            memory.write_at(0, &data)?;
        }
        What::Dump { target: Target { name }, offset, length } => dump(name, *offset, *length)?,
        What::Write { target: Target { name }, offset, input } => {
            let memory = Memory::open(name)?;
            let data = read(input, memory.len().saturating_sub(*offset));
            memory.write_at(*offset, &data.map_err(|failure| failure.of(format_args!("write to memory {name}")))?)?;
        }
        What::Unlink { names } => return Ok(unlink_all(names, |name| Memory::unlink(name))),
    }
    Ok(ExitCode::SUCCESS)
}

/// All of the input, if there are at most so many bytes.
fn read(input: &Input, room: usize) -> Result<Vec<u8>, Failure> {
    let mut data = Vec::new();
    let longest = (room as u64).saturating_add(1);
    input.open()?.take(longest).read_to_end(&mut data).map_err(|error| input.fail("read", &error))?;
    if data.len() > room {
        return Err(Failure::new(
            exit::UNFIT,
            format_args!("{input} has more than the {room} bytes that there is room for"),
        ));
    }
    Ok(data)
}

fn dump(name: &str, offset: usize, length: Option<usize>) -> Result<(), Failure> {
    const PIECE: usize = 1 << 16;
    let memory = Memory::options().read_only(true).open(name)?;
    let end = match length {
        Some(length) => offset.saturating_add(length),
        None => memory.len().max(offset),
    };
    if end > memory.len() {
        let sentence = format_args!("dump memory {name}: bytes {offset} to {end} are not within its {}", memory.len());
        return Err(Failure::new(exit::USAGE, sentence));
    }
    let mut output = io::stdout().lock();
    for start in (offset..end).step_by(PIECE) {
        let mut piece = vec![0; PIECE.min(end - start)];
        memory.read_at(start, &mut piece)?;
        output.write_all(&piece)?;
    }
    Ok(output.flush()?)
}
