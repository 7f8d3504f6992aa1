//! What C holds: a pointer to a shell, which holds the core's value.
//!
//! A shell is never given back to the allocator. Closing a handle takes the value out and leaves
//! the shell in a list of free ones, so that a pointer which C once had can always be read, and a
//! handle used after it was closed, closed twice or taken for another kind is told from a good one
//! by its tag, without a crash. What this costs is three words a handle, as many times as the most
//! that were ever open together. What it cannot tell is a stale pointer whose shell serves a new
//! handle of the same kind by now, as with a descriptor whose number was given out again.

use super::Failure;
use super::presence::{self, Count, Presence};
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::atomic::{
    AtomicPtr, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
};
use std::thread;
use std::time::Duration;

/// What a handle can be.
#[derive(Clone, Copy)]
pub enum Kind {
    PipeReader = 1,
    PipeWriter,
    Fifo,
    Queue,
    Memory,
    Semaphore,
    Child,
    Pipeline,
}

impl Kind {
    const ALL: [Kind; 8] = [
        Kind::PipeReader,
        Kind::PipeWriter,
        Kind::Fifo,
        Kind::Queue,
        Kind::Memory,
        Kind::Semaphore,
        Kind::Child,
        Kind::Pipeline,
    ];

    const fn name(self) -> &'static str {
        match self {
            Kind::PipeReader => "pipe reader",
            Kind::PipeWriter => "pipe writer",
            Kind::Fifo => "FIFO",
            Kind::Queue => "queue",
            Kind::Memory => "memory object",
            Kind::Semaphore => "semaphore",
            Kind::Child => "child",
            Kind::Pipeline => "pipeline",
        }
    }

    const fn open(self) -> usize {
        0x756e_6900 + self as usize // "uni"
    }

    /// Of a handle that may be closed while other threads are in calls on it.
    const fn endable(self) -> usize {
        self.open() | 0x40
    }

    const fn closed(self) -> usize {
        self.open() | 0x80
    }
}

/// An opaque type of the header, and what its handles hold.
pub trait Handle {
    type Value;
    const KIND: Kind;

    /// Whether calls on this value can be ended by another thread. They have to [`enter`].
    fn is_endable(_: &Self::Value) -> bool {
        false
    }

    /// Ends the waits in these calls, once and for all. Called again until nobody is in one.
    fn end_waits(_: &Self::Value) {}
}

#[repr(C)]
struct Shell {
    tag: AtomicUsize,
    /// The value of an open handle; of a closed one, the next free shell.
    content: AtomicPtr<()>,
    inside: Count,
}

static FREE: AtomicPtr<Shell> = AtomicPtr::new(ptr::null_mut());

/// A free shell, or a new one. Takes the whole list and puts the rest back, so that no other thread
/// can take and return a shell in between unseen (the ABA problem). Who finds the list taken makes
/// a new shell; no lock is held that a fork could copy.
fn take() -> &'static Shell {
    // SAFETY: what is in the list is a shell, which live for ever.
    let Some(first) = (unsafe { FREE.swap(ptr::null_mut(), Acquire).as_ref() }) else {
        return Box::leak(Box::new(Shell {
            tag: AtomicUsize::new(0),
            content: AtomicPtr::default(),
            inside: Count::default(),
        }));
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
    let tag = if H::is_endable(&value) { H::KIND.endable() } else { H::KIND.open() };
    let shell = take();
    shell.content.store(Box::into_raw(Box::new(value)).cast(), Relaxed);
    shell.tag.store(tag, Release);
    ptr::from_ref(shell).cast_mut().cast()
}

/// The shell behind an open handle of the right kind, and the tag that says so.
///
/// # Safety
/// `handle` is NULL, or points to at least a word that can be read, as every handle that unipc ever
/// gave does.
#[inline(always)]
unsafe fn shell<H: Handle>(handle: *const H) -> Result<(&'static Shell, usize), Failure> {
    if !handle.is_null() {
        // SAFETY: the tag can be read, and is only ever used atomically.
        let tag = unsafe { &*handle.cast::<AtomicUsize>() }.load(Acquire);
        if tag == H::KIND.open() || tag == H::KIND.endable() {
            // SAFETY: the tag says that it is a shell.
            return Ok((unsafe { &*handle.cast::<Shell>() }, tag));
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
    unsafe { shell(handle).map(|(shell, _)| &*shell.content.load(Relaxed).cast()) }
}

/// The value of a handle, to be changed.
///
/// # Safety
/// As [`get`]; and nobody else uses the handle during the call.
pub unsafe fn get_mut<'a, H: Handle>(handle: *mut H) -> Result<&'a mut H::Value, Failure> {
    // SAFETY: as this function's; an open shell holds a value of its kind.
    unsafe { shell(handle).map(|(shell, _)| &mut *shell.content.load(Relaxed).cast()) }
}

/// The value of a handle, for the length of a call that another thread may end by closing the handle.
pub struct Inside<H: Handle> {
    value: NonNull<H::Value>,
    shell: &'static Shell,
    _presence: Option<Presence<'static>>,
}

impl<H: Handle> Deref for Inside<H> {
    type Target = H::Value;

    #[inline]
    fn deref(&self) -> &H::Value {
        // SAFETY: an open shell holds a value of its kind; while this thread is noted as present, or as
        // the caller of `enter` promised, nobody drops it.
        unsafe { self.value.as_ref() }
    }
}

impl<H: Handle> Inside<H> {
    /// What a failure means if the handle was closed meanwhile.
    #[cold]
    pub fn judge(&self, failure: Failure) -> Failure {
        let ended = matches!(&failure, Failure::Core(error) if error.errno() == libc::ESHUTDOWN);
        let closed = self.shell.tag.load(Acquire) == H::KIND.closed();
        if ended && closed { Failure::Closed(H::KIND.name()) } else { failure }
    }
}

/// Begins a call on a handle.
///
/// # Safety
/// As [`shell`]; and unless the value is endable, nobody closes the handle during the call.
#[inline(always)]
pub unsafe fn enter<H: Handle>(handle: *const H) -> Result<Inside<H>, Failure> {
    // SAFETY: as this function's.
    let (shell, tag) = unsafe { shell(handle) }?;
    let presence = (tag == H::KIND.endable()).then(|| presence::note(address(shell), &shell.inside));
    // Who closes it has changed the tag before looking who is present.
    if presence.is_some() && shell.tag.load(Acquire) != tag {
        // SAFETY: as this function's.
        return Err(unsafe { refuse(handle) });
    }
    // SAFETY: an open shell holds a value, which is not null.
    let value = unsafe { NonNull::new_unchecked(shell.content.load(Relaxed).cast()) };
    Ok(Inside { value, shell, _presence: presence })
}

fn address(shell: &'static Shell) -> *mut () {
    ptr::from_ref(shell).cast_mut().cast()
}

/// Closes a handle; of two that try at once, one is told that it is closed. Ends the calls that other
/// threads are in, if the value is endable.
///
/// # Safety
/// As [`shell`]; and unless the value is endable, no other thread is in a call on the handle.
pub unsafe fn close<H: Handle>(handle: *mut H) -> Result<(), Failure> {
    if handle.is_null() {
        return Ok(());
    }
    // SAFETY: as this function's.
    let (shell, tag) = unsafe { shell(handle) }?;
    if shell.tag.compare_exchange(tag, H::KIND.closed(), SeqCst, Relaxed).is_err() {
        return Err(Failure::Closed(H::KIND.name()));
    }
    let value: *mut H::Value = shell.content.load(Relaxed).cast();
    if tag == H::KIND.endable() {
        let somebody_is_inside = presence::watch(address(shell), &shell.inside);
        while somebody_is_inside() {
            // SAFETY: as below; it is only looked at.
            H::end_waits(unsafe { &*value });
            thread::sleep(Duration::from_micros(50));
        }
    }
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
#[inline(never)]
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
    let found = Kind::ALL.into_iter().find(|kind| [kind.open(), kind.endable(), kind.closed()].contains(&tag));
    Failure::Wrong { found: found.map(Kind::name), wanted }
}
