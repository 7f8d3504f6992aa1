//! Robust futexes: how the kernel tells the others that a thread has died.
//!
//! Each thread has a list of words that the kernel marks at its death (get_robust_list(2)), and glibc
//! keeps its robust mutexes in it. A [`Life`] puts one word more there, for as long as the thread
//! takes part in a region. The links of the list stay private: the kernel finds a word 32 bytes
//! before its link (glibc chose the distance), so a page of the region is mapped directly before a
//! private page, the word at the end of the one and its link at the beginning of the other. No peer
//! can reach a pointer that this process follows.

use super::fail::fail_point;
use super::fault::Guarded;
use super::{Result, check, futex, syscall};
use crate::error::Errno;
use std::cell::Cell;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering, compiler_fence};

/// Where in its page the life word stands, counted from the end.
pub const WORD_BEFORE_END: usize = 24;
/// From a link to its word: glibc's choice, and so of everybody who shares a thread's list with it.
const FUTEX_OFFSET: isize = -32;

/// The word is a thread's: its number in the lower bits, `FUTEX_WAITERS` so that the kernel wakes.
pub fn alive_word() -> u32 {
    super::thread::id() & libc::FUTEX_TID_MASK | libc::FUTEX_WAITERS
}

/// What the kernel sets in the word when its thread dies.
pub const DEAD: u32 = libc::FUTEX_OWNER_DIED;

pub fn is_marked_dead(word: u32) -> bool {
    word & DEAD != 0
}

/// The kernel's `struct robust_list_head`, which glibc registers for every thread. The field before
/// it is glibc's `robust_prev`: together they form the link that closes the circle.
#[repr(C)]
struct Head {
    next: Cell<usize>,
    futex_offset: isize,
    pending: Cell<usize>,
}

/// glibc's `__pthread_list_t`. Both fields hold addresses of `next` fields, of which the lowest bit
/// is not part (it marks mutexes with priority inheritance).
#[repr(C)]
struct Link {
    previous: Cell<usize>,
    next: Cell<usize>,
    /// Ours: 1 while it is in the list. The page reads as zeroes in a child made by fork, where glibc
    /// has emptied the list.
    listed: Cell<usize>,
}

/// A word of a region that the kernel marks when this thread dies, or calls exec.
#[derive(Debug)]
pub struct Life {
    /// Two pages: one of the region, and a private one.
    pages: NonNull<u8>,
    page: usize,
    head: NonNull<Head>,
    /// Of the first page; gone before the pages are.
    guard: Option<Guarded>,
}

impl Life {
    /// Takes the word near the end of the page at `offset` of `file`, if it is `found`: it becomes
    /// [`alive_word`]. `None`: it is something else.
    ///
    /// From the instant that it is ours the kernel watches over it, at first as what this thread is about to
    /// touch, then as part of its list. Not sooner: it may become the word of a thread that has the same
    /// number in another PID namespace, and our death would mark it.
    pub fn take(file: BorrowedFd<'_>, offset: usize, found: u32) -> Result<Option<Life>> {
        let life = Life::map(file, offset)?;
        let alive = alive_word();
        life.wish(Some(life.word()));
        fail_point!("place: about to be taken");
        let taken = life.word().compare_exchange(found, alive, Ordering::SeqCst, Ordering::Relaxed).is_ok();
        fail_point!("place: taken");
        if taken {
            life.link_in();
        }
        fail_point!("place: listed");
        life.wish(None);
        Ok(taken.then_some(life))
    }

    /// Gives the word up, as above but the other way round: it becomes 0, or as the kernel marks that of a
    /// dead thread, and who sleeps at it is woken.
    pub fn give_up(&self, as_if_dead: bool) {
        self.wish(Some(self.word()));
        self.link_out();
        fail_point!("place: listed no more");
        self.word().store(if as_if_dead { DEAD } else { 0 }, Ordering::SeqCst);
        fail_point!("place: given up");
        if as_if_dead {
            futex::wake_shared(self.word(), i32::MAX, futex::ANY);
        }
        self.wish(None);
    }

    fn map(file: BorrowedFd<'_>, offset: usize) -> Result<Life> {
        let head = head()?;
        let page = super::map::page();
        // SAFETY: a null hint lets the kernel choose a free range.
        let pages = unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            libc::mmap(ptr::null_mut(), 2 * page, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
        };
        if pages == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let pages = NonNull::new(pages.cast::<u8>()).ok_or(Errno(libc::ENOMEM))?;
        let mut life = Life { pages, page, head, guard: None };
        // SAFETY: the second of our two pages; a child made by fork finds zeroes there.
        check(unsafe { libc::madvise(life.link_address().as_ptr().cast(), page, libc::MADV_WIPEONFORK) }.into())?;
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_FIXED);
        let (first, file, offset) = (pages.as_ptr().cast(), file.as_raw_fd(), offset as libc::off_t);
        // SAFETY: over the first of our two pages, and no further.
        if unsafe { libc::mmap(first, page, protection, flags, file, offset) } == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        life.guard = Some(Guarded::new(pages, page)?);
        Ok(life)
    }

    fn link_address(&self) -> NonNull<Link> {
        // SAFETY: the second of the two pages.
        unsafe { self.pages.add(self.page) }.cast()
    }

    fn link(&self) -> &Link {
        // SAFETY: the private page begins with it, as long as `self` lives; zeroes are a valid value,
        // and only this thread (or the kernel, at its death) touches it.
        unsafe { self.link_address().as_ref() }
    }

    fn head(&self) -> &Head {
        // SAFETY: glibc's own, which lives as long as the thread, to which `Life` is bound (`!Send`).
        unsafe { self.head.as_ref() }
    }

    /// The word that the kernel marks.
    pub fn word(&self) -> &AtomicU32 {
        // SAFETY: aligned, within the first of the two pages, which stay mapped as long as `self`.
        unsafe { AtomicU32::from_ptr(self.pages.add(self.page - WORD_BEFORE_END).cast().as_ptr()) }
    }

    /// Whether it is in the list of the thread that asks: not so in a child made by fork.
    #[inline]
    pub fn is_listed(&self) -> bool {
        self.link().listed.get() == 1
    }

    /// The link whose `next` field is at `address`.
    ///
    /// # Safety
    /// `address` comes from this thread's list.
    unsafe fn link_at<'a>(address: usize) -> &'a Link {
        let link = (address & !1) - std::mem::offset_of!(Link, next);
        // SAFETY: as the caller says; the fields are cells, and `listed` is not looked at.
        unsafe { &*ptr::with_exposed_provenance::<Link>(link) }
    }

    fn next_address(&self) -> usize {
        ptr::from_ref(&self.link().next).expose_provenance()
    }

    // Both as glibc does for its mutexes (ENQUEUE_MUTEX and DEQUEUE_MUTEX in nptl), but behind them: the
    // kernel gives up a list at the first word that is gone, and a peer can cut our file.
    fn link_in(&self) {
        let (link, head) = (self.link(), self.head.as_ptr().expose_provenance());
        // SAFETY: the link that the head is the `next` of: glibc's `robust_prev` stands before it.
        let closing = unsafe { Life::link_at(head) };
        // SAFETY: the last of this thread's list, which may be the head itself.
        let last = unsafe { Life::link_at(closing.previous.get()) };
        link.next.set(head);
        link.previous.set(closing.previous.get());
        closing.previous.set(self.next_address());
        compiler_fence(Ordering::SeqCst); // the kernel may walk the list after any instruction
        last.next.set(self.next_address());
        compiler_fence(Ordering::SeqCst);
        link.listed.set(1);
    }

    fn link_out(&self) {
        let link = self.link();
        // SAFETY: its neighbours in this thread's list, one of which may be the head.
        let (next, previous) = unsafe { (Life::link_at(link.next.get()), Life::link_at(link.previous.get())) };
        next.previous.set(link.previous.get());
        compiler_fence(Ordering::SeqCst);
        previous.next.set(link.next.get());
        compiler_fence(Ordering::SeqCst);
        link.listed.set(0);
    }

    /// The dying wish: should the thread die while `word` stands here, the kernel wakes one who sleeps at
    /// it if its lower 30 bits are 0, and marks it if they are this thread's number.
    #[inline]
    pub fn wish(&self, word: Option<&AtomicU32>) {
        compiler_fence(Ordering::SeqCst);
        let entry = word.map_or(0, |word| word.as_ptr().addr().wrapping_add(FUTEX_OFFSET.unsigned_abs()));
        self.head().pending.set(entry);
        compiler_fence(Ordering::SeqCst);
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if self.is_listed() {
            self.link_out();
        }
        self.guard = None;
        // SAFETY: our two pages, which nobody uses any more.
        unsafe { libc::munmap(self.pages.as_ptr().cast(), 2 * self.page) };
    }
}

/// The head of this thread's list; EOPNOTSUPP where libc registers none, or another distance.
fn head() -> Result<NonNull<Head>> {
    let (mut head, mut size) = (ptr::null_mut::<Head>(), 0usize);
    // SAFETY: both are valid to write to; 0 is this thread.
    unsafe { syscall!(SYS_get_robust_list, 0, &raw mut head, &raw mut size) }.map_err(|_| Errno(libc::EOPNOTSUPP))?;
    let head = NonNull::new(head).ok_or(Errno(libc::EOPNOTSUPP))?;
    head.as_ptr().expose_provenance();
    // SAFETY: what the kernel follows at our death is a valid head.
    if size == size_of::<Head>() && unsafe { head.as_ref() }.futex_offset == FUTEX_OFFSET {
        Ok(head)
    } else {
        Err(Errno(libc::EOPNOTSUPP))
    }
}
