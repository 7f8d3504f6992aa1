//! One file for each command.

mod fifo;
mod memory;
mod pipe;
mod queue;
mod receive;
mod sem;
mod send;

use crate::failure::Failure;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub enum Command {
    Pipe(pipe::Arguments),
    Send(send::Arguments),
    Receive(receive::Arguments),
    Queue(queue::Arguments),
    Fifo(fifo::Arguments),
    Sem(sem::Arguments),
    Memory(memory::Arguments),
}

impl Command {
    pub fn run(&self) -> Result<ExitCode, Failure> {
        match self {
            Command::Pipe(arguments) => pipe::run(arguments),
            Command::Send(arguments) => send::run(arguments),
            Command::Receive(arguments) => receive::run(arguments),
            Command::Queue(arguments) => queue::run(arguments),
            Command::Fifo(arguments) => fifo::run(arguments),
            Command::Sem(arguments) => sem::run(arguments),
            Command::Memory(arguments) => memory::run(arguments),
        }
    }
}
