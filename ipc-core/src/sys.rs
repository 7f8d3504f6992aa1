//! The only door to the kernel: one family of calls a file, each with a safe signature.
//!
//! Calls that can block go to the kernel directly and not through libc's wrapper: the wrapper is a
//! cancellation point, and a thread cancelled there (`pthread_cancel` in a C host) would be unwound
//! through Rust frames, which ends the whole process. What makes and opens objects uses libc; the C
//! face puts cancellation off around it.
#![allow(unsafe_code)]

use crate::error::Errno;

mod call;
pub(crate) mod child;
pub(crate) mod clock;
pub(crate) mod draft;
pub(crate) mod fail;
pub(crate) mod fault;
pub(crate) mod fd;
pub(crate) mod fs;
#[cfg(not(unipc_model))]
pub(crate) mod futex;
pub(crate) mod kernel;
pub(crate) mod map;
#[cfg(unipc_model)]
pub mod model;
pub(crate) mod mq;
pub(crate) mod observe;
pub(crate) mod own;
pub(crate) mod pipe;
pub(crate) mod proc;
#[cfg(not(unipc_model))]
pub(crate) mod robust;
pub(crate) mod sem;
pub(crate) mod shm;
pub(crate) mod signal;
pub(crate) mod spawn;
pub(crate) mod thread;

// What decides who goes on: the processor and the kernel, or shuttle (`make model`).
#[cfg(unipc_model)]
pub(crate) use model::{atomic, futex, robust, thread_local};
#[cfg(not(unipc_model))]
pub(crate) use std::{sync::atomic, thread_local};

pub(crate) type Result<T> = std::result::Result<T, Errno>;

/// -1 with errno becomes `Err`, anything else the value.
#[inline]
fn check(value: libc::c_long) -> Result<libc::c_long> {
    if value == -1 { Err(Errno::last()) } else { Ok(value) }
}

/// A system call by number with up to six arguments, made by [`call::call`].
macro_rules! syscall {
    ($number:ident $(, $argument:expr)* $(,)?) => {{
        let mut arguments = [0; 6];
        let given = [$($crate::sys::call::Word::word($argument)),*];
        arguments[..given.len()].copy_from_slice(&given);
        $crate::sys::call::call(libc::$number, arguments)
    }};
}
use syscall;
