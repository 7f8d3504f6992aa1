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
pub mod pipeline;
pub mod popen;
pub mod process;
pub mod queue;
pub mod semaphore;
pub mod survey;

/// For unipc's own tests: see tests/crash.
#[cfg(feature = "fail-points")]
pub mod fail_points {
    pub use crate::sys::fail::arm;
}

pub use deadline::Deadline;
pub use engine::Engine;
pub use error::{Error, Result};
pub use fifo::Fifo;
pub use memory::Memory;
pub use options::{Access, Opened};
pub use pipe::{Duplex, PipeReader, PipeWriter, duplex, pipe};
pub use pipeline::Pipeline;
pub use process::{Child, Command, Redirect, Status};
pub use queue::Queue;
pub use semaphore::Semaphore;
#[cfg(unipc_model)]
#[doc(hidden)]
pub use sys::model;
