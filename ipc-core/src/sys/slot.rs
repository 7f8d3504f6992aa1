//! A place for one thing that threads exchange.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// An optional box, exchanged whole and without a lock, which a fork could leave locked.
#[derive(Debug)]
pub struct Slot<T>(AtomicPtr<T>);

impl<T> Slot<T> {
    pub const fn new() -> Slot<T> {
        Slot(AtomicPtr::new(ptr::null_mut()))
    }

    pub fn replace(&self, new: Option<Box<T>>) -> Option<Box<T>> {
        let old = self.0.swap(new.map_or(ptr::null_mut(), Box::into_raw), Ordering::AcqRel);
        // SAFETY: what was swapped out came from a box here, and nobody else gets it.
        (!old.is_null()).then(|| unsafe { Box::from_raw(old) })
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        self.replace(None);
    }
}
