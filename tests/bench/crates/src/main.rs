//! Contenders of `unipc bench` that other crates bring (docs/contenders.md).

mod iceoryx2;
mod ipc_channel;

use std::error::Error;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    unipc_contender::main(&[iceoryx2::contender(), ipc_channel::contender()])
}

/// An error of another crate's.
fn theirs(error: impl Error) -> io::Error {
    io::Error::other(error.to_string())
}
