//! For model checking (`make model`): what decides who goes on, made of shuttle's threads instead of the
//! processor and the kernel. shuttle runs them one at a time, and chooses at each step who makes the next.
//!
//! - `atomic`: the same numbers, and each access is a step. They are sequentially consistent here, whatever
//!   order is asked for; docs/layout.md argues why weaker ones do.
//! - `futex`: sleeping and waking. A sleep that has an end comes to it when somebody has died, and not before:
//!   what ends of sleeps are there for, and a wake that is lost without a death shows as a deadlock.
//! - `robust`: life words without a kernel, and death: [`mortal`].
//!
//! What is mapped is real. An execution has one queue.
#![allow(missing_docs, dead_code)] // nobody's API, and as complete as what it stands for

use atomic::AtomicU32;
use shuttle::current::{TaskId, try_get_current_task};
pub(crate) use shuttle::thread_local;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;

#[derive(Default)]
struct World {
    threads: HashMap<TaskId, Thread>,
    sleepers: Vec<futex::Sleeper>,
    /// Where the queue's file was mapped, the newest last.
    mappings: Vec<Range<usize>>,
    somebody_died: bool,
}

/// What the kernel knows of a thread.
#[derive(Default)]
struct Thread {
    /// Steps to go.
    life: Option<usize>,
    dead: bool,
    lives: Vec<usize>,
    wish: Option<usize>,
}

std::thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

fn with_me<T>(work: impl FnOnce(&mut Thread) -> T) -> Option<T> {
    let me = try_get_current_task()?;
    Some(WORLD.with_borrow_mut(|world| work(world.threads.entry(me).or_default())))
}

/// Forgets an earlier execution.
pub fn reset() {
    WORLD.take();
}

/// The next step is anybody's. False: this thread is dead, and what it does has no effect.
pub fn step() -> bool {
    let fate = with_me(|me| {
        me.life = me.life.map(|left| left.saturating_sub(1));
        (me.dead, me.life == Some(0))
    });
    match fate {
        None => true, // outside of an execution
        Some((true, _)) => false,
        Some((false, true)) => die(),
        Some((false, false)) => {
            shuttle::thread::sleep(std::time::Duration::ZERO); // shuttle's plainest step
            true
        }
    }
}

/// Works as a thread that is killed after so many steps, or lives longer than the work takes. `None`: killed.
pub fn mortal<T>(steps: usize, work: impl FnOnce() -> T) -> Option<T> {
    with_me(|me| me.life = Some(steps + 1));
    let outcome = catch_unwind(AssertUnwindSafe(work));
    with_me(|me| me.life = None);
    match outcome {
        Ok(value) => Some(value),
        Err(panic) if panic.is::<Death>() => None,
        Err(panic) => resume_unwind(panic),
    }
}

/// The file of an execution's only queue was mapped from its beginning.
pub(crate) fn mapped(address: NonNull<u8>, len: usize) {
    let begin = address.addr().get();
    WORLD.with_borrow_mut(|world| world.mappings.push(begin..begin + len));
}

/// What tells words apart, wherever they are mapped.
fn place_of(address: usize) -> usize {
    let begin = |world: &mut World| Some(world.mappings.iter().rev().find(|range| range.contains(&address))?.start);
    address - WORLD.with_borrow_mut(begin).unwrap_or(0)
}

struct Death;

/// As the kernel does at the death of a thread: marks its words and wakes one for each, then wakes one in its place.
fn die() -> ! {
    let (lives, wish) = with_me(|me| {
        me.dead = true;
        (std::mem::take(&mut me.lives), me.wish.take())
    })
    .unwrap_or_default();
    // SAFETY: a life word is mapped until it is taken from the list, the wish's as long as its queue.
    let at = |word| unsafe { AtomicU32::from_ptr(std::ptr::with_exposed_provenance_mut(word)) };
    for word in lives {
        at(word).mark(robust::DEAD);
        futex::wake(place_of(word), 1, futex::ANY);
    }
    if let Some(word) = wish {
        let owner = at(word).peek() & libc::FUTEX_TID_MASK;
        if owner == robust::number() {
            at(word).mark(robust::DEAD);
        }
        if owner == 0 || owner == robust::number() {
            futex::wake(place_of(word), 1, futex::ANY);
        }
    }
    WORLD.with_borrow_mut(|world| world.somebody_died = true);
    futex::wake_those(usize::MAX, |sleeper| sleeper.ends);
    resume_unwind(Box::new(Death)); // what is unwound has no effect any more
}

pub(crate) mod atomic {
    use super::step;
    use std::sync::atomic as real;
    pub use std::sync::atomic::Ordering;

    pub fn fence(order: Ordering) {
        step();
        real::fence(order);
    }

    macro_rules! atomic {
        ($Atomic:ident, $Value:ty) => {
            #[derive(Debug, Default)]
            #[repr(transparent)]
            pub struct $Atomic(real::$Atomic);

            impl $Atomic {
                pub const fn new(value: $Value) -> Self {
                    Self(real::$Atomic::new(value))
                }

                pub fn load(&self, _: Ordering) -> $Value {
                    step();
                    self.0.load(real::Ordering::SeqCst)
                }

                /// Every change: to what `change` makes of the value, if anything.
                fn update(&self, change: impl FnOnce($Value) -> Option<$Value>) -> Result<$Value, $Value> {
                    let alive = step();
                    let found = self.0.load(real::Ordering::SeqCst);
                    match change(found).filter(|_| alive) {
                        Some(value) => {
                            self.0.store(value, real::Ordering::SeqCst);
                            Ok(found)
                        }
                        None => Err(found),
                    }
                }

                pub fn store(&self, value: $Value, _: Ordering) {
                    let _ = self.update(|_| Some(value));
                }

                pub fn swap(&self, value: $Value, _: Ordering) -> $Value {
                    self.update(|_| Some(value)).unwrap_or_else(|found| found)
                }

                pub fn compare_exchange(
                    &self,
                    expected: $Value,
                    value: $Value,
                    _: Ordering,
                    _: Ordering,
                ) -> Result<$Value, $Value> {
                    self.update(|found| (found == expected).then_some(value))
                }
            }
        };
    }

    macro_rules! number {
        ($Atomic:ident, $Value:ty) => {
            atomic!($Atomic, $Value);

            impl $Atomic {
                /// # Safety
                /// As that of the real one.
                pub unsafe fn from_ptr<'a>(pointer: *mut $Value) -> &'a Self {
                    // SAFETY: as the caller says; the layout is that of the number.
                    unsafe { &*pointer.cast() }
                }

                pub fn as_ptr(&self) -> *mut $Value {
                    self.0.as_ptr()
                }

                pub fn fetch_add(&self, value: $Value, _: Ordering) -> $Value {
                    self.update(|found| Some(found.wrapping_add(value))).unwrap_or_else(|found| found)
                }

                pub fn fetch_sub(&self, value: $Value, _: Ordering) -> $Value {
                    self.update(|found| Some(found.wrapping_sub(value))).unwrap_or_else(|found| found)
                }

                pub fn fetch_or(&self, value: $Value, _: Ordering) -> $Value {
                    self.update(|found| Some(found | value)).unwrap_or_else(|found| found)
                }

                pub fn fetch_and(&self, value: $Value, _: Ordering) -> $Value {
                    self.update(|found| Some(found & value)).unwrap_or_else(|found| found)
                }

                pub fn fetch_max(&self, value: $Value, _: Ordering) -> $Value {
                    self.update(|found| Some(found.max(value))).unwrap_or_else(|found| found)
                }

                pub fn fetch_update(
                    &self,
                    _: Ordering,
                    _: Ordering,
                    change: impl FnMut($Value) -> Option<$Value>,
                ) -> Result<$Value, $Value> {
                    self.update(change)
                }

                /// Without a step: for what the kernel does.
                pub(super) fn peek(&self) -> $Value {
                    self.0.load(real::Ordering::SeqCst)
                }

                pub(super) fn mark(&self, bits: $Value) {
                    self.0.fetch_or(bits, real::Ordering::SeqCst);
                }
            }
        };
    }

    atomic!(AtomicBool, bool);
    number!(AtomicU32, u32);
    number!(AtomicU64, u64);
}

pub(crate) mod futex {
    use super::{AtomicU32, WORLD, place_of, step};
    use crate::error::Errno;
    use crate::sys::Result;
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    pub type End = Option<(libc::clockid_t, Duration)>;
    pub const ANY: u32 = u32::MAX;
    pub const WORDS_MAX: usize = 128;

    pub struct Sleeper {
        thread: shuttle::thread::Thread,
        words: Vec<usize>,
        bits: u32,
        pub ends: bool,
        woken: Rc<Cell<bool>>,
    }

    pub fn wait(word: &AtomicU32, expected: u32) {
        let _ = wait_shared(word, expected, ANY, None);
    }

    pub fn wake_all(word: &AtomicU32) {
        wake_shared(word, i32::MAX, ANY);
    }

    pub fn wait_shared(word: &AtomicU32, expected: u32, bits: u32, end: End) -> Result<()> {
        sleep(&[(word, expected)], bits, end)
    }

    pub fn wait_any(words: &[(&AtomicU32, u32)], end: End) -> Result<()> {
        sleep(words, ANY, end)
    }

    pub fn has_wait_any() -> bool {
        true
    }

    /// Nothing comes between the look at the words and the sleep, as in the kernel.
    fn sleep(words: &[(&AtomicU32, u32)], bits: u32, end: End) -> Result<()> {
        let alive = step();
        if !alive || words.iter().any(|(word, expected)| word.peek() != *expected) {
            return Err(Errno::AGAIN);
        }
        if end.is_some() && WORLD.with_borrow(|world| world.somebody_died) {
            shuttle::thread::yield_now();
            return Err(Errno::TIMED_OUT);
        }
        let woken = Rc::new(Cell::new(false));
        let words = words.iter().map(|(word, _)| place_of(word.as_ptr().addr())).collect();
        let ends = end.is_some();
        let sleeper = Sleeper { thread: shuttle::thread::current(), words, bits, ends, woken: woken.clone() };
        WORLD.with_borrow_mut(|world| world.sleepers.push(sleeper));
        while !woken.get() {
            shuttle::thread::park();
        }
        step(); // it may die just when it was woken
        Ok(())
    }

    pub fn wake_shared(word: &AtomicU32, count: i32, bits: u32) {
        if step() {
            wake(place_of(word.as_ptr().addr()), count as usize, bits);
        }
    }

    /// Wakes those who sleep longest.
    pub fn wake(word: usize, count: usize, bits: u32) {
        wake_those(count, |sleeper| sleeper.words.contains(&word) && sleeper.bits & bits != 0);
    }

    pub fn wake_those(count: usize, which: impl Fn(&Sleeper) -> bool) {
        let mut woken = Vec::new();
        WORLD.with_borrow_mut(|world| {
            world.sleepers.retain(|sleeper| {
                let wakes = woken.len() < count && which(sleeper);
                if wakes {
                    sleeper.woken.set(true);
                    woken.push(sleeper.thread.clone());
                }
                !wakes
            });
        });
        for thread in woken {
            thread.unpark();
        }
    }
}

pub(crate) mod robust {
    use super::atomic::{AtomicU32, Ordering::SeqCst};
    use super::{futex, try_get_current_task, with_me};
    use crate::sys::Result;
    use crate::sys::map::{self, Mapping, READ_WRITE};
    use std::os::fd::BorrowedFd;

    pub const WORD_BEFORE_END: usize = 24;
    pub const DEAD: u32 = libc::FUTEX_OWNER_DIED;

    pub fn alive_word() -> u32 {
        number() | libc::FUTEX_WAITERS
    }

    /// This thread's.
    pub(super) fn number() -> u32 {
        try_get_current_task().map_or(0, usize::from) as u32 + 1
    }

    pub fn is_marked_dead(word: u32) -> bool {
        word & DEAD != 0
    }

    #[derive(Debug)]
    pub struct Life {
        mapping: Mapping,
        at: usize,
    }

    impl Life {
        pub fn take(file: BorrowedFd<'_>, offset: usize, found: u32) -> Result<Option<Life>> {
            let mapping = Mapping::new(Some(file), offset + map::page(), true, READ_WRITE)?;
            let life = Life { mapping, at: offset + map::page() - WORD_BEFORE_END };
            life.wish(Some(life.word()));
            let taken = life.word().compare_exchange(found, alive_word(), SeqCst, SeqCst).is_ok();
            if taken {
                with_me(|me| me.lives.push(life.word().as_ptr().expose_provenance()));
            }
            life.wish(None);
            Ok(taken.then_some(life))
        }

        pub fn give_up(&self, as_if_dead: bool) {
            self.wish(Some(self.word()));
            let own = self.word().as_ptr().addr();
            with_me(|me| me.lives.retain(|&word| word != own));
            self.word().store(if as_if_dead { DEAD } else { 0 }, SeqCst);
            if as_if_dead {
                futex::wake_shared(self.word(), i32::MAX, futex::ANY);
            }
            self.wish(None);
        }

        pub fn word(&self) -> &AtomicU32 {
            self.mapping.u32(self.at)
        }

        pub fn is_listed(&self) -> bool {
            true
        }

        pub fn wish(&self, word: Option<&AtomicU32>) {
            with_me(|me| me.wish = word.map(|word| word.as_ptr().expose_provenance()));
        }
    }
}
