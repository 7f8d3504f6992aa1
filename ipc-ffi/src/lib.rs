//! The C face of unipc. One thin file a primitive: each function turns pointers into references,
//! makes one call of the core and turns its answer into what C expects. `include/unipc.h` is
//! generated from these files, so the comments on what is exported here are written for C.
//!
//! Every exported function is `unsafe` for one and the same reason, C's: a handle came from unipc,
//! a buffer has the length that goes with it, a string ends in NUL, and all of them last as long as
//! the call. The functions of `boundary` say which of these they rely on; a block around each
//! call of them would only repeat it.
#![allow(unsafe_op_in_unsafe_fn)]
#![allow(non_camel_case_types)] // the names are C's
#![allow(clippy::missing_safety_doc)] // above
#![allow(clippy::doc_markdown)] // the comments are doxygen's
#![allow(clippy::inline_always)] // measured, in nanoseconds: what begins every call is as short as a call

mod boundary;
mod fifo;
mod memory;
mod pipe;
mod pipeline;
mod popen;
mod process;
mod queue;
mod semaphore;

use boundary::Failure;
use std::ffi::{c_char, c_int, c_void};
use unipc::{Access, Engine, Opened};

/// UNIPC_FOREVER of the header.
const FOREVER: i64 = -1;

/// What does the work behind a queue or a semaphore: one of the UNIPC_ENGINE_ values.
pub type unipc_engine = c_int;
/// The system's own object, which every other POSIX program can open too.
pub const UNIPC_ENGINE_POSIX: unipc_engine = 0;
/// An object of unipc's own, in a file of /dev/shm that all who use it have mapped: it makes no system
/// call where nothing has to be waited for. Queues only, so far.
pub const UNIPC_ENGINE_SHM: unipc_engine = 1;

/// The directions in which a queue is opened: one of the UNIPC_ACCESS_ values.
pub type unipc_access = c_int;
/// Sending and receiving.
pub const UNIPC_ACCESS_READ_WRITE: unipc_access = 0;
/// Receiving only.
pub const UNIPC_ACCESS_READ_ONLY: unipc_access = 1;
/// Sending only.
pub const UNIPC_ACCESS_WRITE_ONLY: unipc_access = 2;

fn engine(value: unipc_engine) -> Result<Engine, Failure> {
    match value {
        UNIPC_ENGINE_POSIX => Ok(Engine::Posix),
        UNIPC_ENGINE_SHM => Ok(Engine::Shm),
        _ => Err(Failure::Unknown {
            what: "engine",
            value: value.into(),
            known: "UNIPC_ENGINE_POSIX (0) and UNIPC_ENGINE_SHM (1)",
        }),
    }
}

fn access(value: unipc_access) -> Result<Access, Failure> {
    match value {
        UNIPC_ACCESS_READ_WRITE => Ok(Access::ReadWrite),
        UNIPC_ACCESS_READ_ONLY => Ok(Access::ReadOnly),
        UNIPC_ACCESS_WRITE_ONLY => Ok(Access::WriteOnly),
        _ => Err(Failure::Unknown {
            what: "access",
            value: value.into(),
            known: "UNIPC_ACCESS_READ_WRITE (0), READ_ONLY (1) and WRITE_ONLY (2)",
        }),
    }
}

/// A field that is there to be given a meaning later, and until then is 0.
fn reserved(value: c_int) -> Result<(), Failure> {
    match value {
        0 => Ok(()),
        _ => Err(Failure::Unknown { what: "value of a reserved field", value: value.into(), known: "0" }),
    }
}

/// Sets the mode, where one was given, in the options of whichever primitive: they share no trait.
macro_rules! set_mode {
    ($options:ident, $given:ident) => {
        match ($given.mode, $given.exact_mode) {
            (0, 0) => &mut $options,
            (0, _) => $options.exact_mode(0o600),
            (mode, 0) => $options.mode(mode),
            (mode, _) => $options.exact_mode(mode),
        }
    };
}
use set_mode;

fn created(opened: Opened) -> c_int {
    (opened == Opened::Created).into()
}

/// The version of the library that is running, "MAJOR.MINOR.PATCH"; the UNIPC_VERSION_ macros
/// are that of the header.
///
/// - Ownership: static, never freed.
/// - Blocking: never.
/// - Errors: none.
/// - Safety: threads: any; fork: yes; signals: yes.
#[unsafe(no_mangle)]
pub extern "C" fn unipc_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// What the last call that failed in this thread has to say: "create queue /orders: 11 messages
/// exceed fs.mqueue.msg_max=10; ...", or "" if none failed yet. Calls that succeed leave it alone,
/// and so does unipc_semaphore_post().
///
/// - Ownership: the thread's own, at most 511 bytes of UTF-8; good until the next failure in it.
/// - Blocking: never.
/// - Errors: none; errno is left alone.
/// - Safety: threads: any; fork: yes; signals: no.
#[unsafe(no_mangle)]
pub extern "C" fn unipc_last_error() -> *const c_char {
    boundary::last_error()
}

/// Frees what unipc_queue_receive_alloc() gave, or an output of a child or pipeline. NULL is allowed.
///
/// - Ownership: takes `memory`.
/// - Blocking: never.
/// - Errors: none; errno is left alone.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: free(3)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_free(memory: *mut c_void) {
    boundary::free(memory);
}

/// # Panics
/// Always, for the test of the fence. It is not in the header, so neither library that is made of
/// this crate has it.
///
/// cbindgen:ignore
#[unsafe(no_mangle)]
pub extern "C" fn unipc_test_panic() -> c_int {
    boundary::cold(|| -> Result<(), Failure> { panic!("provoked") })
}
