//! One file for each command.

mod bench;
mod clean;
mod completions;
mod doctor;
mod fifo;
mod inspect;
mod ls;
mod memory;
mod pipe;
mod queue;
mod receive;
mod rm;
mod sem;
mod send;
mod top;

use crate::failure::Failure;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub enum Command {
    Ls(ls::Arguments),
    Inspect(inspect::Arguments),
    Top(top::Arguments),
    Clean(clean::Arguments),
    Rm(rm::Arguments),
    Doctor(doctor::Arguments),
    Pipe(pipe::Arguments),
    Send(send::Arguments),
    Receive(receive::Arguments),
    Queue(queue::Arguments),
    Fifo(fifo::Arguments),
    Sem(sem::Arguments),
    Memory(memory::Arguments),
    Bench(bench::Arguments),
    Completions(completions::Arguments),
    Manual(completions::ManualArguments),
}

impl Command {
    pub fn run(&self) -> Result<ExitCode, Failure> {
        match self {
            Command::Ls(arguments) => ls::run(arguments),
            Command::Inspect(arguments) => inspect::run(arguments),
            Command::Top(arguments) => top::run(arguments),
            Command::Clean(arguments) => clean::run(arguments),
            Command::Rm(arguments) => Ok(rm::run(arguments)),
            Command::Doctor(arguments) => doctor::run(arguments),
            Command::Pipe(arguments) => pipe::run(arguments),
            Command::Send(arguments) => send::run(arguments),
            Command::Receive(arguments) => receive::run(arguments),
            Command::Queue(arguments) => queue::run(arguments),
            Command::Fifo(arguments) => fifo::run(arguments),
            Command::Sem(arguments) => sem::run(arguments),
            Command::Memory(arguments) => memory::run(arguments),
            Command::Bench(arguments) => bench::run(arguments),
            Command::Completions(arguments) => completions::run(arguments),
            Command::Manual(arguments) => completions::manual(arguments),
        }
    }
}
