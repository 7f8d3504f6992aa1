#![doc = include_str!("../docs/overview.md")]
#![deny(unsafe_code)]

mod deadline;
mod engine;
mod error;
mod name;
mod options;
mod region;
mod sys;

pub mod fifo;
pub mod memory;
pub mod pipe;
pub mod queue;
pub mod semaphore;

pub use deadline::Deadline;
pub use engine::Engine;
pub use error::{Error, Result};
pub use fifo::Fifo;
pub use memory::Memory;
pub use options::{Access, Opened};
pub use pipe::{Duplex, PipeReader, PipeWriter, duplex, pipe};
pub use queue::Queue;
pub use semaphore::Semaphore;
