//! SIGBUS: what a peer cuts off a mapped file is to be an error, not the end of this process.
//!
//! A file that has a name cannot be sealed: who may write it may also make it shorter while others have
//! it mapped, and whoever touches a page that is gone is killed by SIGBUS. (So is who touches a hole
//! that was punched into a file, when the file system has no page left to fill it.) A [`Guarded`] range
//! survives this: a handler puts a page of zeroes where the lost one was, notes the loss, and the access
//! goes on; its owner looks at [`Guarded::is_lost`] before it believes or tells anything.
//!
//! Only the touched page is replaced, not the rest of the range. What is left of the file stays what it
//! was: peers see the stores into it, and the kernel can mark a dead thread's word in it. And nothing is
//! taken away that anybody could still use, however wrong a range may be, which is why [`Guarded::new`]
//! needs no promise from its caller. The price is a fault for each lost page that a copy runs through,
//! some microseconds each, until the owner looks; the fresh pages grow together to one mapping.
//!
//! A process has one handler of SIGBUS, and it may be somebody else's. Ours passes on whatever is not
//! ours: to the handler that it found, under the signal mask which that one asked for, or to the default
//! one, so that the access faults again and kills with the true fault in the core dump. A second copy of
//! this library is such a handler to the first. Who takes the signal over later and passes nothing on
//! takes the guard away.
//!
//! Two things are out of reach. A thread that blocks SIGBUS is killed by the kernel whatever handler there
//! is (see [`unblock`]), and so is a process that cannot map one more page. And a system call that is
//! given a lost page raises no signal: it fails with EFAULT, and notes nothing here.

use super::{Result, check, map, syscall};
use crate::error::Errno;
use std::iter;
use std::mem::{self, MaybeUninit};
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, fence};

/// A range of this process's own shared mappings whose loss is survived. Drop it before the mapping, and
/// when nobody touches the bytes any more: where it is a field, put it above the mapping.
#[derive(Debug)]
pub struct Guarded {
    slot: &'static Slot,
}

impl Guarded {
    /// Guards the pages that hold `len` bytes at `address`; EINVAL if they do not begin with a page.
    pub fn new(address: NonNull<u8>, len: usize) -> Result<Guarded> {
        let page = map::page();
        let begin = address.addr().get();
        let end = begin.checked_add(len).and_then(|end| end.checked_next_multiple_of(page)).ok_or(Errno::INVALID)?;
        if begin % page != 0 || len == 0 {
            return Err(Errno::INVALID);
        }
        install(page)?;
        let slot = Slot::claim();
        slot.lost.store(false, Relaxed);
        slot.begin.store(begin, Release);
        slot.end.store(end, Release);
        Ok(Guarded { slot })
    }

    /// Whether a page of the range was found missing, by any thread. `false` vouches for what was read
    /// before the call, and for nothing that is read after it.
    #[inline]
    pub fn is_lost(&self) -> bool {
        fence(Acquire); // no load from the range moves behind the look; costs nothing on x86
        self.slot.lost.load(Relaxed)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.slot.end.store(0, Relaxed);
        self.slot.turn.fetch_add(1, Release);
    }
}

/// Lets this thread take SIGBUS. Hosts that keep signals away from a thread block all of them, and a
/// fault of the thread itself, which no mask can put off, then kills the process.
pub fn unblock() -> Result<()> {
    let mut sigbus = MaybeUninit::zeroed();
    // SAFETY: sigemptyset initialises the set that the others read; only this thread's mask changes.
    let errno = unsafe {
        libc::sigemptyset(sigbus.as_mut_ptr());
        libc::sigaddset(sigbus.as_mut_ptr(), libc::SIGBUS);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, sigbus.as_ptr(), ptr::null_mut())
    };
    if errno == 0 { Ok(()) } else { Err(Errno(errno)) }
}

// ---- the ranges, as a handler can read them: without a lock, and never freed

static SLOTS: AtomicPtr<Slot> = AtomicPtr::new(ptr::null_mut());

/// A range, or the place for one. Slots are only ever added, so that a handler may walk them while other
/// threads make and drop ranges.
#[derive(Debug)]
struct Slot {
    next: AtomicPtr<Slot>,
    /// Odd while the slot is a `Guarded`'s.
    turn: AtomicUsize,
    begin: AtomicUsize,
    /// 0 where there is no range; otherwise `begin` is the one that belongs to it.
    end: AtomicUsize,
    lost: AtomicBool,
}

fn slots() -> impl Iterator<Item = &'static Slot> {
    fn at(slot: &AtomicPtr<Slot>) -> Option<&'static Slot> {
        // SAFETY: null, or a slot that was leaked.
        unsafe { slot.load(Acquire).as_ref() }
    }
    iter::successors(at(&SLOTS), |slot| at(&slot.next))
}

impl Slot {
    /// A slot without a range that nobody else has.
    fn claim() -> &'static Slot {
        let free = |slot: &&Slot| {
            let turn = slot.turn.load(Relaxed);
            turn % 2 == 0 && slot.turn.compare_exchange(turn, turn + 1, AcqRel, Relaxed).is_ok()
        };
        slots().find(free).unwrap_or_else(Slot::add)
    }

    fn add() -> &'static Slot {
        let slot: &'static Slot = Box::leak(Box::new(Slot {
            next: AtomicPtr::new(ptr::null_mut()),
            turn: AtomicUsize::new(1),
            begin: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            lost: AtomicBool::new(false),
        }));
        let mut first = SLOTS.load(Acquire);
        loop {
            slot.next.store(first, Relaxed);
            match SLOTS.compare_exchange_weak(first, ptr::from_ref(slot).cast_mut(), AcqRel, Acquire) {
                Ok(_) => return slot,
                Err(other) => first = other,
            }
        }
    }

    /// None also where the range changes at this moment: it is not the one that a thread is faulting in,
    /// for that thread's range stays.
    fn range(&self) -> Option<Range<usize>> {
        let turn = self.turn.load(Acquire);
        let end = self.end.load(Acquire);
        let begin = self.begin.load(Acquire);
        (end != 0 && self.turn.load(Relaxed) == turn).then_some(begin..end)
    }

    /// Whether the file ends before the range does: the kernel cannot read the last page.
    fn is_cut(&self) -> bool {
        const NO_SUCH_CHANGE: i32 = -1;
        let Some(range) = self.range() else { return false };
        let last = range.end - SIGNAL_SET;
        // SAFETY: the kernel copies the set first (EFAULT) and judges the change then (EINVAL), so the mask
        // stays; where the range was dropped and unmapped meanwhile, the answer is EFAULT as well.
        let outcome = unsafe { syscall!(SYS_rt_sigprocmask, NO_SUCH_CHANGE, last, 0, SIGNAL_SET) };
        outcome == Err(Errno(libc::EFAULT))
    }
}

/// Bytes of the kernel's signal set.
const SIGNAL_SET: usize = 8;

// ---- the handler

static INSTALLED: AtomicBool = AtomicBool::new(false);
static PAGE: AtomicUsize = AtomicUsize::new(0);
/// What was there before; null is the default.
static PREVIOUS: AtomicPtr<libc::sigaction> = AtomicPtr::new(ptr::null_mut());

/// Once a process. No lock: a child made by fork in the midst of it would wait for ever. Threads that come
/// here together each put the handler in place, and only what is not our own is remembered.
fn install(page: usize) -> Result<()> {
    if INSTALLED.load(Acquire) {
        return Ok(());
    }
    PAGE.store(page, Relaxed);
    let found = disposition(None)?;
    if found.sa_sigaction != handler() {
        // Before the handler can run, or a fault in between would be passed on to nobody.
        if PREVIOUS.load(Acquire).is_null() {
            let found = Box::into_raw(Box::new(found));
            let _ = PREVIOUS.compare_exchange(ptr::null_mut(), found, AcqRel, Acquire);
        }
        // The mask and the flags are its own, so that it runs as it would without us. A thread may have
        // a stack of a few pages (Go's do), hence SA_ONSTACK.
        let mut ours = found;
        ours.sa_sigaction = handler();
        ours.sa_flags = found.sa_flags & (libc::SA_NODEFER | libc::SA_RESTART) | libc::SA_SIGINFO | libc::SA_ONSTACK;
        let replaced = disposition(Some(&ours))?;
        let came_between = replaced.sa_sigaction != found.sa_sigaction || replaced.sa_flags != found.sa_flags;
        if replaced.sa_sigaction != handler() && came_between {
            PREVIOUS.store(Box::into_raw(Box::new(replaced)), Release);
        }
    }
    INSTALLED.store(true, Release);
    Ok(())
}

fn handler() -> libc::sighandler_t {
    on_sigbus as *const () as libc::sighandler_t
}

/// The disposition of SIGBUS, which `new` replaces.
fn disposition(new: Option<&libc::sigaction>) -> Result<libc::sigaction> {
    let mut old = MaybeUninit::zeroed();
    // SAFETY: null, or a disposition that was read from the kernel or is the default; `old` is valid to
    // write to, and zeroes are a valid value.
    unsafe {
        check(libc::sigaction(libc::SIGBUS, new.map_or(ptr::null(), ptr::from_ref), old.as_mut_ptr()).into())?;
        Ok(old.assume_init())
    }
}

/// All that runs in here is safe in a signal handler: atomics, system calls made in place, sigaction(2).
extern "C" fn on_sigbus(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel gives a valid `info`; which fields it has, `si_code` says. errno is this thread's.
    let (code, errno) = unsafe { ((*info).si_code, *libc::__errno_location()) };
    let survived = match code {
        // SAFETY: as above, a fault has an address.
        libc::BUS_ADRERR => replace(unsafe { (*info).si_addr() }.addr()),
        // SAFETY: as above, a signal that was sent has a sender.
        libc::SI_USER | libc::SI_TKILL => was_raised_again(unsafe { (*info).si_pid() }),
        _ => false,
    };
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
    if !survived {
        pass_on(signal, info, context, code);
    }
}

/// Puts zeroes where the page at `address` was, if it is in a guarded range. Threads that fault in the same
/// page each do so; what the first may have stored by then was not going anywhere.
fn replace(address: usize) -> bool {
    let mut guarded = false;
    for slot in slots().filter(|slot| slot.range().is_some_and(|range| range.contains(&address))) {
        slot.lost.store(true, Relaxed); // before the zeroes can be seen: the system call comes after it
        guarded = true;
    }
    let page = PAGE.load(Relaxed);
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: the page belongs to a mapping of ours, and just now there was nothing in it to be used.
    guarded && unsafe { syscall!(SYS_mmap, address & !(page - 1), page, protection, flags, -1, 0) }.is_ok()
}

/// A crash handler that was put over ours (Python's faulthandler is one) tells its story, puts ours back,
/// raises the signal anew and returns. If a guarded file is cut, that was our fault: it comes again, now
/// with its address, as soon as this returns.
fn was_raised_again(sender: libc::pid_t) -> bool {
    sender == std::process::id() as libc::pid_t && slots().any(Slot::is_cut)
}

/// Does what would have been done without us.
fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void, code: libc::c_int) {
    // SAFETY: null, or a disposition that was leaked after it was filled in.
    let previous = unsafe { PREVIOUS.load(Acquire).as_ref() };
    let (handler, flags) = previous.map_or((libc::SIG_DFL, 0), |previous| (previous.sa_sigaction, previous.sa_flags));
    let recurs = code > 0 && code != libc::BUS_MCEERR_AO;
    match handler {
        libc::SIG_IGN if !recurs => {}
        // The kernel ignores no fault.
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: zeroes are the default disposition with an empty mask.
            let _ = disposition(Some(&unsafe { mem::zeroed() }));
            if !recurs {
                // SAFETY: raise is safe in a handler; the signal is taken on return, or at once.
                unsafe { libc::raise(signal) };
            }
        }
        handler => {
            if flags & libc::SA_RESETHAND != 0 {
                PREVIOUS.store(ptr::null_mut(), Release); // as the kernel would have: it runs but once
            }
            // SAFETY: its owner registered a function of this type, by the flag; it gets what the kernel gave.
            unsafe {
                if flags & libc::SA_SIGINFO != 0 {
                    type Informed = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
                    mem::transmute::<libc::sighandler_t, Informed>(handler)(signal, info, context);
                } else {
                    mem::transmute::<libc::sighandler_t, extern "C" fn(libc::c_int)>(handler)(signal);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::map::{Mapping, READ_WRITE};
    use std::fs::File;
    use std::os::fd::{AsFd, FromRawFd};
    use std::sync::{Barrier, mpsc};
    use std::thread;
    use std::time::Duration;

    const PAGES: usize = 4;

    /// A file of four pages of sevens, and a mapping of it.
    fn mapped() -> (File, Mapping) {
        // SAFETY: a valid name; the descriptor is new.
        let file = unsafe { File::from_raw_fd(libc::memfd_create(c"unipc-fault".as_ptr(), libc::MFD_CLOEXEC)) };
        let len = PAGES * map::page();
        file.set_len(len as u64).unwrap();
        let mapping = Mapping::new(Some(file.as_fd()), len, true, READ_WRITE).unwrap();
        mapping.write(0, &vec![7; len]).unwrap();
        (file, mapping)
    }

    fn guard(mapping: &Mapping) -> Guarded {
        Guarded::new(mapping.address(), mapping.len()).unwrap()
    }

    fn leave(file: &File, pages: usize) {
        file.set_len((pages * map::page()) as u64).unwrap();
    }

    fn byte(mapping: &Mapping, page: usize) -> u8 {
        let mut byte = [1];
        mapping.read(page * map::page(), &mut byte).unwrap();
        byte[0]
    }

    fn address(mapping: &Mapping, page: usize) -> usize {
        mapping.address().addr().get() + page * map::page()
    }

    /// Ends the whole run unless it is dropped in time: a fault that is answered wrongly comes again for ever.
    fn watchdog() -> mpsc::Sender<()> {
        let (in_time, watched) = mpsc::channel();
        thread::spawn(move || {
            if watched.recv_timeout(Duration::from_secs(60)) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprintln!("WATCHDOG: a test of sys::fault hangs; ending the whole run");
                std::process::abort();
            }
        });
        in_time
    }

    /// How a child ended: what it returned, or the signal that killed it.
    #[derive(Debug, PartialEq)]
    enum End {
        Returned(i32),
        Killed(i32),
    }
    const BUS: End = End::Killed(libc::SIGBUS);

    /// Runs `body` in a child made by fork, which only touches memory (glibc keeps malloc usable there).
    fn child(body: impl FnOnce() -> i32) -> End {
        let mut status = 0;
        // SAFETY: the child leaves by _exit; the alarm is its watchdog and so that of waitpid.
        unsafe {
            let pid = libc::fork();
            if pid == 0 {
                libc::alarm(30);
                libc::prctl(libc::PR_SET_DUMPABLE, 0);
                libc::_exit(body());
            }
            assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
        }
        if libc::WIFSIGNALED(status) {
            End::Killed(libc::WTERMSIG(status))
        } else {
            End::Returned(libc::WEXITSTATUS(status))
        }
    }

    /// Makes of this child a process that has not met us yet, with a disposition of its own.
    fn host(handler: libc::sighandler_t, flags: i32) {
        // SAFETY: zeroes are a valid disposition with an empty mask.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        (action.sa_sigaction, action.sa_flags) = (handler, flags);
        // SAFETY: an initialised set.
        unsafe { libc::sigaddset(&raw mut action.sa_mask, libc::SIGUSR1) };
        disposition(Some(&action)).unwrap();
        PREVIOUS.store(ptr::null_mut(), Release);
        SLOTS.store(ptr::null_mut(), Release);
        INSTALLED.store(false, Release);
    }

    fn blocked(signal: i32) -> bool {
        // SAFETY: a null new mask only reads; zeroes are a valid set.
        unsafe {
            let mut mask = mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &raw mut mask);
            libc::sigismember(&raw const mask, signal) == 1
        }
    }

    /// What the hosts' handlers expect, and count.
    static EXPECTED: AtomicUsize = AtomicUsize::new(0);

    #[test]
    fn a_cut_range_reads_as_zeroes_and_is_lost() {
        let _watchdog = watchdog();
        let (file, mapping) = mapped();
        let (_other_file, other) = mapped();
        let (guarded, unharmed) = (guard(&mapping), guard(&other));
        leave(&file, 1);
        assert_eq!(byte(&mapping, 0), 7);
        assert!(!guarded.is_lost(), "nothing lost was touched yet");
        assert_eq!(byte(&mapping, 3), 0);
        assert!(guarded.is_lost());
        mapping.write(2 * map::page() - 1, &[8, 9]).unwrap();
        assert_eq!((byte(&mapping, 1), byte(&mapping, 2)), (0, 9), "a store goes on as well");
        assert!(!unharmed.is_lost());
        assert_eq!(byte(&other, 3), 7);
    }

    #[test]
    fn only_the_touched_page_is_taken_from_the_file() {
        let _watchdog = watchdog();
        let (file, mapping) = mapped();
        let guarded = guard(&mapping);
        leave(&file, 1);
        assert_eq!(byte(&mapping, 2), 0);
        assert!(guarded.is_lost());
        leave(&file, PAGES);
        let again = Mapping::new(Some(file.as_fd()), mapping.len(), true, READ_WRITE).unwrap();
        for page in 0..PAGES {
            mapping.write(page * map::page(), &[9]).unwrap();
        }
        assert_eq!([0, 1, 2, 3].map(|page| byte(&again, page)), [9, 9, 0, 9]);
    }

    #[test]
    fn a_range_that_begins_within_a_page_or_is_empty_is_refused() {
        let (_file, mapping) = mapped();
        for (begin, len) in [(1, map::page()), (0, 0), (0, usize::MAX)] {
            let begin = mapping.range(begin, 1, 0).unwrap();
            assert_eq!(Guarded::new(begin, len).unwrap_err(), Errno::INVALID);
        }
    }

    #[test]
    fn the_last_page_is_guarded_though_the_range_ends_within() {
        let _watchdog = watchdog();
        let (file, mapping) = mapped();
        let guarded = Guarded::new(mapping.address(), mapping.len() - map::page() + 1).unwrap();
        leave(&file, 1);
        mapping.read(mapping.len() - 1, &mut [1]).unwrap();
        assert!(guarded.is_lost());
    }

    #[test]
    fn a_foreign_fault_still_kills() {
        let (file, mapping) = mapped();
        let (_guarded_file, other) = mapped();
        let _guarded = guard(&other);
        leave(&file, 0);
        assert_eq!(child(|| byte(&mapping, 3).into()), BUS);
        for by_default in [libc::SIG_DFL, libc::SIG_IGN] {
            let end = child(|| {
                host(by_default, 0);
                let _guarded = guard(&other);
                byte(&mapping, 3).into()
            });
            assert_eq!(end, BUS, "disposition {by_default}");
        }
    }

    #[test]
    fn a_signal_that_was_sent_does_what_it_did() {
        let (_file, mapping) = mapped();
        for (by_default, expected) in [(libc::SIG_DFL, BUS), (libc::SIG_IGN, End::Returned(3))] {
            for to_the_process in [false, true] {
                let end = child(|| {
                    host(by_default, 0);
                    let _guarded = guard(&mapping);
                    // SAFETY: numbers only, and the child is this very process.
                    unsafe {
                        if to_the_process {
                            libc::kill(libc::getpid(), libc::SIGBUS);
                        } else {
                            libc::raise(libc::SIGBUS);
                        }
                    }
                    3
                });
                assert_eq!(end, expected, "disposition {by_default}, to the process: {to_the_process}");
            }
        }
    }

    extern "C" fn informed(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
        // SAFETY: as the kernel gave it; only this thread's errno.
        unsafe {
            let right = signal == libc::SIGBUS
                && (*info).si_code == libc::BUS_ADRERR
                && (*info).si_addr().addr() == EXPECTED.load(Relaxed)
                && !context.is_null()
                && *libc::__errno_location() == libc::EXDEV;
            libc::_exit(if right && blocked(libc::SIGUSR1) && blocked(libc::SIGBUS) { 42 } else { 1 });
        }
    }

    extern "C" fn plain(signal: i32) {
        // SAFETY: it only ends the child.
        unsafe { libc::_exit(if signal == libc::SIGBUS && !blocked(libc::SIGBUS) { 43 } else { 1 }) };
    }

    #[test]
    fn a_handler_from_before_sees_foreign_faults_as_if_alone() {
        let ((file, mapping), (lost_file, lost)) = (mapped(), mapped());
        let informed = (informed as *const () as usize, libc::SA_SIGINFO, 42);
        let plain = (plain as *const () as usize, libc::SA_NODEFER, 43);
        for (handler, flags, expected) in [informed, plain] {
            leave(&file, 0);
            leave(&lost_file, 0);
            let end = child(|| {
                host(handler, flags);
                let guarded = guard(&lost);
                if byte(&lost, 0) != 0 || !guarded.is_lost() {
                    return 2; // ours goes first, and does not tell it
                }
                EXPECTED.store(address(&mapping, 1), Relaxed);
                // SAFETY: this thread's errno.
                unsafe { *libc::__errno_location() = libc::EXDEV };
                byte(&mapping, 1).into()
            });
            assert_eq!(end, End::Returned(expected));
        }
    }

    /// Where [`counting`] counts, in memory that parent and child share.
    static COUNT: AtomicPtr<AtomicUsize> = AtomicPtr::new(ptr::null_mut());

    extern "C" fn counting(_: i32) {
        // SAFETY: set before, and mapped as long as the child lives.
        unsafe { &*COUNT.load(Relaxed) }.fetch_add(1, Relaxed);
    }

    #[test]
    fn a_handler_from_before_that_wants_one_signal_gets_one() {
        let ((file, mapping), (_guarded_file, other)) = (mapped(), mapped());
        let shared = Mapping::new(None, 8, true, READ_WRITE).unwrap();
        leave(&file, 0);
        let end = child(|| {
            COUNT.store(shared.address().as_ptr().cast(), Relaxed);
            host(counting as *const () as usize, libc::SA_RESETHAND);
            let _guarded = guard(&other);
            byte(&mapping, 0).into()
        });
        let mut count = [0; 8];
        shared.read(0, &mut count).unwrap();
        assert_eq!((end, usize::from_ne_bytes(count)), (BUS, 1));
    }

    static OVERLAID: AtomicPtr<libc::sigaction> = AtomicPtr::new(ptr::null_mut());

    /// As Python's faulthandler has it.
    extern "C" fn crash_handler(signal: i32) {
        // SAFETY: set before the fault.
        unsafe {
            disposition(Some(&*OVERLAID.load(Relaxed))).unwrap();
            libc::raise(signal);
        }
    }

    #[test]
    fn a_crash_handler_put_over_ours_ends_nothing_but_what_it_would() {
        for ours in [true, false] {
            let ((file, mapping), (other_file, other)) = (mapped(), mapped());
            leave(if ours { &file } else { &other_file }, 0);
            let end = child(|| {
                host(libc::SIG_DFL, 0);
                let guarded = guard(&mapping);
                // SAFETY: zeroes are a valid disposition.
                let mut action: libc::sigaction = unsafe { mem::zeroed() };
                (action.sa_sigaction, action.sa_flags) = (crash_handler as *const () as usize, libc::SA_NODEFER);
                OVERLAID.store(Box::into_raw(Box::new(disposition(None).unwrap())), Relaxed);
                disposition(Some(&action)).unwrap();
                byte(&other, 1);
                (byte(&mapping, 1) == 0 && guarded.is_lost()).into()
            });
            assert_eq!(end, if ours { End::Returned(1) } else { BUS });
        }
    }

    #[test]
    fn a_dropped_range_is_foreign() {
        let (file, mapping) = mapped();
        drop(guard(&mapping));
        leave(&file, 0);
        assert_eq!(child(|| byte(&mapping, 0).into()), BUS);
    }

    #[test]
    fn a_range_is_not_born_lost_where_another_was() {
        let end = child(|| {
            SLOTS.store(ptr::null_mut(), Release); // this child's own, so that nobody else takes the slot
            for _ in 0..100 {
                let (file, mapping) = mapped();
                let guarded = guard(&mapping);
                if guarded.is_lost() {
                    return 1;
                }
                leave(&file, 0);
                if byte(&mapping, 0) != 0 || !guarded.is_lost() {
                    return 2;
                }
            }
            if slots().count() == 1 { 3 } else { 4 }
        });
        assert_eq!(end, End::Returned(3));
    }

    #[test]
    fn a_child_made_by_fork_is_guarded_and_its_loss_is_its_own() {
        let _watchdog = watchdog();
        let (file, mapping) = mapped();
        let guarded = guard(&mapping);
        leave(&file, 0);
        assert_eq!(child(|| i32::from(byte(&mapping, 0)) + if guarded.is_lost() { 5 } else { 6 }), End::Returned(5));
        assert!(!guarded.is_lost());
        assert_eq!(byte(&mapping, 0), 0);
        assert!(guarded.is_lost());
    }

    #[test]
    fn a_thread_that_blocks_the_signal_is_guarded_once_it_unblocks_it() {
        let (file, mapping) = mapped();
        let guarded = guard(&mapping);
        leave(&file, 0);
        for (unblocking, expected) in [(false, BUS), (true, End::Returned(5))] {
            let end = child(|| {
                // SAFETY: sigfillset initialises the set.
                unsafe {
                    let mut all = mem::zeroed();
                    libc::sigfillset(&raw mut all);
                    libc::sigdelset(&raw mut all, libc::SIGALRM);
                    libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, ptr::null_mut());
                }
                if unblocking {
                    unblock().unwrap();
                }
                i32::from(byte(&mapping, 0)) + if guarded.is_lost() { 5 } else { 6 }
            });
            assert_eq!(end, expected);
        }
    }

    #[test]
    fn threads_that_fault_at_once_all_go_on() {
        const THREADS: usize = 4;
        let _watchdog = watchdog();
        for _ in 0..200 {
            let ((file, mapping), (_other_file, other)) = (mapped(), mapped());
            leave(&file, 0);
            let (guarded, barrier) = (guard(&mapping), Barrier::new(THREADS + 1));
            thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        barrier.wait();
                        for page in 0..PAGES {
                            assert_eq!(byte(&mapping, page), 0);
                            assert!(guarded.is_lost());
                        }
                    });
                }
                // Meanwhile other ranges come and go, and none of them takes the blame.
                barrier.wait();
                for _ in 0..20 {
                    assert!(!guard(&other).is_lost());
                }
            });
        }
    }
}
