//! The Python face of unipc. Each file is one primitive and converts representation only: what the
//! calls mean, and what they refuse, is the core's affair.

#![allow(clippy::needless_pass_by_value)] // the macros of pyo3 hand arguments over by value
#![allow(clippy::inline_always)] // each return behind a system call costs some 10 ns

mod buffer;
mod command;
mod convert;
mod descriptor;
mod errors;
mod fork;
mod growing;
mod handle;
mod notification;
mod record;
mod status;
mod wait;

mod fifo;
mod loan;
mod memory;
mod pipe;
mod pipeline;
mod process;
mod queue;
mod semaphore;

/// The compiled half of unipc; import unipc instead.
#[pyo3::pymodule(gil_used = false)]
mod _unipc {
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::fork::watch(module.py())
    }

    #[pymodule_export]
    use crate::command::{Command, File, Redirect, shell};
    #[pymodule_export]
    use crate::fifo::Fifo;
    #[pymodule_export]
    use crate::loan::{Borrowed, Reservation};
    #[pymodule_export]
    use crate::memory::Memory;
    #[pymodule_export]
    use crate::pipe::{Duplex, PipeEnd, PipeReader, PipeWriter, Redirection, duplex, pipe};
    #[pymodule_export]
    use crate::pipeline::{Pipeline, RunningPipeline, Statuses};
    #[pymodule_export]
    use crate::process::{Child, spawn};
    #[pymodule_export]
    use crate::queue::Queue;
    #[pymodule_export]
    use crate::semaphore::Semaphore;
    #[pymodule_export]
    use crate::status::Status;

    #[pymodule_export]
    const NULL: Redirect = Redirect::NULL;
    #[pymodule_export]
    const PIPE: Redirect = Redirect::PIPE;
    #[pymodule_export]
    const STDOUT: Redirect = Redirect::STDOUT;
    #[pymodule_export]
    const PIPE_BUF: usize = unipc::pipe::PIPE_BUF;
    #[pymodule_export]
    const PRIORITY_MAX: u32 = unipc::queue::PRIORITY_MAX;

    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
