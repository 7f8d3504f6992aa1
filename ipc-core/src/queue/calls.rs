//! Calls that go on in other threads of a handle (callbacks, waits), and how to wait until none does.

use crate::sys::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sys::futex;
use std::cell::Cell;
use std::ptr;
use std::sync::Arc;

/// How many threads of a handle are in such a call, or will be.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// The process whose threads they are, above their number: a child made by fork has the handle,
    /// but not the threads.
    count: AtomicU64,
    /// Changes when one ends; a futex.
    ended: AtomicU32,
}

thread_local! {
    /// The handle whose callback this thread runs.
    static OWN: Cell<*const Calls> = const { Cell::new(ptr::null()) };
}

impl Calls {
    fn here(count: u64) -> Option<u64> {
        (count >> 32 == u64::from(std::process::id())).then_some(count & u64::from(u32::MAX))
    }

    pub fn begin(self: &Arc<Calls>) -> Call {
        let next = |count| Some(u64::from(std::process::id()) << 32 | (Calls::here(count).unwrap_or(0) + 1));
        let _ = self.count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next);
        Call(self.clone())
    }

    /// Whether any is left.
    pub fn any(&self) -> bool {
        Calls::here(self.count.load(Ordering::SeqCst)).unwrap_or(0) > 0
    }

    /// Waits until none is left, unless one of them asks.
    pub fn wait(self: &Arc<Calls>) {
        while OWN.get() != Arc::as_ptr(self) {
            let ended = self.ended.load(Ordering::Acquire);
            if !self.any() {
                break;
            }
            futex::wait(&self.ended, ended);
        }
    }
}

/// One that runs, or will; it ends when this is dropped.
pub(crate) struct Call(Arc<Calls>);

impl Call {
    pub fn run(&self, callback: impl FnOnce()) {
        OWN.set(Arc::as_ptr(&self.0));
        callback();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        self.0.ended.fetch_add(1, Ordering::Release);
        futex::wake_all(&self.0.ended);
    }
}
