//! State of one process behind a lock: a child made by fork finds neither its parent's state nor a lock that
//! some thread of its parent held.

use std::cell::UnsafeCell;
use std::mem;
use std::sync::atomic::{AtomicI32, Ordering};

pub struct Own<T> {
    /// The process that holds the lock; 0 for nobody.
    holder: AtomicI32,
    /// Whose the value is, and the value.
    value: UnsafeCell<(i32, Option<T>)>,
}

// SAFETY: the value is touched by who holds the lock alone.
unsafe impl<T: Send> Sync for Own<T> {}

struct Unlock<'a>(&'a AtomicI32);

impl Drop for Unlock<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

impl<T> Own<T> {
    pub const fn new() -> Own<T> {
        Own { holder: AtomicI32::new(0), value: UnsafeCell::new((0, None)) }
    }

    /// Runs `work` on this process's value, which is `None` at first. To be short: others spin.
    pub fn with<R>(&self, work: impl FnOnce(&mut Option<T>) -> R) -> R {
        let me = std::process::id() as i32;
        let mut torn = false;
        while let Err(holder) = self.holder.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed) {
            // Held by a thread that this process has not, having been made by fork meanwhile.
            if holder != 0 && holder != me {
                torn = self.holder.compare_exchange(holder, me, Ordering::Acquire, Ordering::Relaxed).is_ok();
                if torn {
                    break;
                }
            }
            std::thread::yield_now();
        }
        let _unlock = Unlock(&self.holder);
        // SAFETY: the lock is held.
        let (whose, value) = unsafe { &mut *self.value.get() };
        if torn {
            mem::forget(value.take());
        }
        if *whose != me {
            *whose = me;
            drop(value.take());
        }
        work(value)
    }
}
