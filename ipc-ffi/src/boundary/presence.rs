//! Which threads are in a call on a handle, so that who closes it can wait until none is.
//!
//! A thread notes the handle in a slot of its own, looks at the handle's tag once more, and clears the
//! slot when the call is over: plain stores, so that it costs next to nothing. Who closes a handle
//! changes the tag and has the kernel put a barrier into every thread of the process (membarrier(2)).
//! After that a thread either has noted the handle where the closer sees it, or sees the tag changed.
//! Where there is no membarrier, and for a thread that is ending, a count in the handle serves.
//!
//! The slots read as zeroes in a child made by fork, where the threads that had them do not exist.

use std::cell::Cell;
use std::ffi::c_long;
use std::ptr::{self, NonNull};
use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
    compiler_fence, fence,
};

/// On two lines, which processors fetch in pairs: nobody else's stores are near.
#[repr(align(128))]
struct Slot {
    /// What its thread is in.
    inside: AtomicPtr<()>,
    /// The thread: the address of its `OWN`. 0: the slot is free.
    owner: AtomicUsize,
}

/// More threads than these are counted.
const SLOTS: usize = 4096;
static BOARD: AtomicPtr<Slot> = AtomicPtr::new(ptr::null_mut());
/// No slot from here on was ever taken.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static OWN: Cell<Option<&'static Slot>> = const { Cell::new(None) };
    /// Only there for its destructor, which makes it dearer to reach than `OWN`.
    static END: End = const { End };
}

/// The thread ends: its slot becomes free.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        OWN.with(|own| {
            if let Some(slot) = own.take().filter(|slot| slot.is_of(own)) {
                slot.owner.store(0, Release);
            }
        });
    }
}

impl Slot {
    /// In a child made by fork, what was this thread's slot before may be another's.
    #[inline]
    fn is_of(&self, own: &Cell<Option<&'static Slot>>) -> bool {
        self.owner.load(Relaxed) == own.as_ptr().addr()
    }
}

/// Those in calls on one handle who have no slot: their process, above their number, for in a child
/// made by fork they do not exist.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    fn here(count: u64) -> u64 {
        if count >> 32 == u64::from(std::process::id()) { count & u64::from(u32::MAX) } else { 0 }
    }

    fn add(&self) {
        let more = |count| Some(u64::from(std::process::id()) << 32 | (Count::here(count) + 1));
        let _ = self.0.fetch_update(SeqCst, SeqCst, more);
        fence(SeqCst);
    }
}

/// That this thread is in a call, until it is dropped.
pub struct Presence<'a>(Noted<'a>);

enum Noted<'a> {
    In(&'static Slot),
    Counted(&'a Count),
}

impl Drop for Presence<'_> {
    #[inline]
    fn drop(&mut self) {
        match self.0 {
            Noted::In(slot) => slot.inside.store(ptr::null_mut(), Release),
            Noted::Counted(count) => _ = count.0.fetch_sub(1, SeqCst),
        }
    }
}

/// Notes that this thread is in a call on `handle`. Its tag must be looked at after that.
#[inline(always)]
pub fn note(handle: *mut (), count: &Count) -> Presence<'_> {
    let slot = OWN.with(|own| own.get().filter(|slot| slot.is_of(own)));
    let Some(slot) = slot.or_else(take_slot) else {
        count.add();
        return Presence(Noted::Counted(count));
    };
    slot.inside.store(handle, Relaxed);
    compiler_fence(SeqCst); // the closer's barrier does the rest
    Presence(Noted::In(slot))
}

/// After its tag was changed: how to tell whether anybody is still in a call on `handle`.
pub fn watch(handle: *mut (), count: &Count) -> impl Fn() -> bool {
    fence(SeqCst);
    // Refused only where no thread ever got a slot.
    membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    move || {
        let noted = board().is_some_and(|board| {
            let taken = &board[..TAKEN.load(Acquire).min(SLOTS)];
            taken.iter().any(|slot| slot.inside.load(Acquire) == handle)
        });
        noted || Count::here(count.0.load(SeqCst)) > 0
    }
}

#[cold]
#[inline(never)]
fn take_slot() -> Option<&'static Slot> {
    static REFUSED: AtomicBool = AtomicBool::new(false);
    if REFUSED.load(Relaxed) || END.try_with(|_| ()).is_err() {
        return None;
    }
    // For each thread, for what is registered is the process, and this may be a new one.
    if !membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) {
        REFUSED.store(true, Relaxed);
        return None;
    }
    let board = board().or_else(make_board)?;
    OWN.with(|own| {
        let me = own.as_ptr().addr();
        let free = |slot: &Slot| slot.owner.compare_exchange(0, me, AcqRel, Relaxed).is_ok();
        let at = board.iter().position(free)?;
        TAKEN.fetch_max(at + 1, AcqRel);
        own.set(Some(&board[at]));
        own.get()
    })
}

fn board() -> Option<&'static [Slot]> {
    let start = NonNull::new(BOARD.load(Acquire))?;
    // SAFETY: `make_board` mapped so many, for ever; zeroes are valid slots, and all fields are atomic.
    Some(unsafe { NonNull::slice_from_raw_parts(start, SLOTS).as_ref() })
}

fn make_board() -> Option<&'static [Slot]> {
    let (length, flags) = (SLOTS * size_of::<Slot>(), libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE);
    // SAFETY: a null hint lets the kernel choose a free range; it is unmapped only before anybody has it.
    unsafe {
        let start = libc::mmap(ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        if start == libc::MAP_FAILED {
            return None;
        }
        let wiped = libc::madvise(start, length, libc::MADV_WIPEONFORK) == 0;
        if !wiped || BOARD.compare_exchange(ptr::null_mut(), start.cast(), AcqRel, Acquire).is_err() {
            libc::munmap(start, length);
        }
    }
    board()
}

const MEMBARRIER_CMD_PRIVATE_EXPEDITED: c_long = 1 << 3;
const MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED: c_long = 1 << 4;

fn membarrier(command: c_long) -> bool {
    // SAFETY: the system call takes numbers only.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}
