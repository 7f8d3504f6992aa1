//! What C holds: a pointer to a shell, which holds the core's value.
//!
//! A shell is never given back to the allocator. Closing a handle takes the value out and leaves
//! the shell in a list of free ones, so that a pointer which C once had can always be read, and a
//! handle used after it was closed, closed twice or taken for another kind is told from a good one
//! by its tag, without a crash. What this costs is two words a handle, as many times as the most
//! that were ever open together. What it cannot tell is a stale pointer whose shell serves a new
//! handle of the same kind by now, as with a descriptor whose number was given out again.

use super::Failure;
use std::ptr::{self, NonNull};
use std::sync::atomic::{
    AtomicPtr, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// What a handle can be.
#[derive(Clone, Copy)]
pub enum Kind {
    PipeReader = 1,
    PipeWriter,
    Fifo,
    Queue,
    Memory,
    Semaphore,
}

impl Kind {
    const ALL: [Kind; 6] = [Kind::PipeReader, Kind::PipeWriter, Kind::Fifo, Kind::Queue, Kind::Memory, Kind::Semaphore];

    const fn name(self) -> &'static str {
        match self {
            Kind::PipeReader => "pipe reader",
            Kind::PipeWriter => "pipe writer",
            Kind::Fifo => "FIFO",
            Kind::Queue => "queue",
            Kind::Memory => "memory object",
            Kind::Semaphore => "semaphore",
        }
    }

    const fn open(self) -> usize {
        0x756e_6900 + self as usize // "uni"
    }

    const fn closed(self) -> usize {
        self.open() | 0x80
    }
}

/// An opaque type of the header, and what its handles hold.
pub trait Handle {
    type Value;
    const KIND: Kind;
}

#[repr(C)]
struct Shell {
    tag: AtomicUsize,
    /// The value of an open handle; of a closed one, the next free shell.
    content: AtomicPtr<()>,
}

static FREE: AtomicPtr<Shell> = AtomicPtr::new(ptr::null_mut());

/// A free shell, or a new one. Takes the whole list and puts the rest back, so that no other thread
/// can take and return a shell in between unseen (the ABA problem). Who finds the list taken makes
/// a new shell; no lock is held that a fork could copy.
fn take() -> &'static Shell {
    // SAFETY: what is in the list is a shell, which live for ever.
    let Some(first) = (unsafe { FREE.swap(ptr::null_mut(), Acquire).as_ref() }) else {
        return Box::leak(Box::new(Shell { tag: AtomicUsize::new(0), content: AtomicPtr::default() }));
    };
    let mut rest: *mut Shell = first.content.load(Relaxed).cast();
    if FREE.compare_exchange(ptr::null_mut(), rest, Release, Relaxed).is_err() {
        // SAFETY: as above; the rest is this thread's alone.
        while let Some(shell) = unsafe { rest.as_ref() } {
            rest = shell.content.load(Relaxed).cast();
            give(shell);
        }
    }
    first
}

/// Puts a shell in the list.
fn give(shell: &'static Shell) {
    let _ = FREE.fetch_update(Release, Relaxed, |head| {
        shell.content.store(head.cast(), Relaxed);
        Some(ptr::from_ref(shell).cast_mut())
    });
}

/// Makes a handle of a value.
pub fn hand<H: Handle>(value: H::Value) -> *mut H {
    let shell = take();
    shell.content.store(Box::into_raw(Box::new(value)).cast(), Relaxed);
    shell.tag.store(H::KIND.open(), Release);
    ptr::from_ref(shell).cast_mut().cast()
}

/// The shell behind an open handle of the right kind.
///
/// # Safety
/// `handle` is NULL, or points to at least a word that can be read, as every handle that unipc ever
/// gave does.
#[inline]
unsafe fn shell<H: Handle>(handle: *const H) -> Result<&'static Shell, Failure> {
    if !handle.is_null() {
        // SAFETY: the tag can be read, and is only ever used atomically.
        if unsafe { &*handle.cast::<AtomicUsize>() }.load(Acquire) == H::KIND.open() {
            // SAFETY: the tag says that it is a shell.
            return Ok(unsafe { &*handle.cast::<Shell>() });
        }
    }
    // SAFETY: as this function's.
    Err(unsafe { refuse(handle) })
}

/// The value of a handle.
///
/// # Safety
/// As [`shell`]; and nobody closes the handle during the call.
#[inline]
pub unsafe fn get<'a, H: Handle>(handle: *const H) -> Result<&'a H::Value, Failure> {
    // SAFETY: as this function's; an open shell holds a value of its kind.
    unsafe { shell(handle).map(|shell| &*shell.content.load(Relaxed).cast()) }
}

/// The value of a handle, to be changed.
///
/// # Safety
/// As [`get`]; and nobody else uses the handle during the call.
pub unsafe fn get_mut<'a, H: Handle>(handle: *mut H) -> Result<&'a mut H::Value, Failure> {
    // SAFETY: as this function's; an open shell holds a value of its kind.
    unsafe { shell(handle).map(|shell| &mut *shell.content.load(Relaxed).cast()) }
}

/// Closes a handle; of two that try at once, one is told that it is closed.
///
/// # Safety
/// As [`shell`]; and no other thread is in a call on the handle.
pub unsafe fn close<H: Handle>(handle: *mut H) -> Result<(), Failure> {
    if handle.is_null() {
        return Ok(());
    }
    // SAFETY: as this function's.
    let shell = unsafe { shell(handle) }?;
    if shell.tag.compare_exchange(H::KIND.open(), H::KIND.closed(), Acquire, Relaxed).is_err() {
        return Err(Failure::Closed(H::KIND.name()));
    }
    let value: *mut H::Value = shell.content.load(Relaxed).cast();
    give(shell);
    // SAFETY: `hand` boxed it, and whoever closed the tag is the only one to come here.
    drop(unsafe { Box::from_raw(value) });
    Ok(())
}

/// Says what is wrong with a handle.
///
/// # Safety
/// As [`shell`].
#[cold]
unsafe fn refuse<H: Handle>(handle: *const H) -> Failure {
    let wanted = H::KIND.name();
    let Some(tag) = NonNull::new(handle.cast_mut().cast::<AtomicUsize>()) else {
        return Failure::Null(wanted);
    };
    // SAFETY: as this function's.
    let tag = unsafe { tag.as_ref() }.load(Relaxed);
    if tag == H::KIND.closed() {
        return Failure::Closed(wanted);
    }
    let found = Kind::ALL.into_iter().find(|kind| tag == kind.open() || tag == kind.closed());
    Failure::Wrong { found: found.map(Kind::name), wanted }
}
