//! sem_overview(7): glibc's `sem_t`, wherever it is mapped.

use super::map::{Mapping, READ_WRITE};
use super::thread::NoCancel;
use super::{Result, check, clock};
use crate::error::Errno;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

pub const SIZE: usize = size_of::<libc::sem_t>();
pub const ALIGN: usize = align_of::<libc::sem_t>();
pub const VALUE_MAX: u32 = i32::MAX as u32;

unsafe extern "C" {
    fn sem_clockwait(sem: *mut libc::sem_t, clock: libc::clockid_t, until: *const libc::timespec) -> libc::c_int;
}

/// Where in glibc's `sem_t` stands whether processes share it, behind the value and the waiters.
const SHARED: std::ops::Range<usize> = 8..12;

/// The bytes of a `sem_t` that processes share.
fn image() -> [u8; SIZE] {
    let mut sem = MaybeUninit::<libc::sem_t>::zeroed();
    // SAFETY: `sem` is valid to write to, and all its bytes were initialised, to zero.
    unsafe {
        libc::sem_init(sem.as_mut_ptr(), 1, 0);
        sem.as_ptr().cast::<[u8; SIZE]>().read()
    }
}

/// The value of a semaphore, and how many wait at it, in a copy of its bytes. `None`: it is none that processes
/// share.
pub fn told(bytes: &[u8; SIZE]) -> Option<(u32, u32)> {
    // Where pointers have 64 bits glibc keeps both in one number, the value in its lower half.
    let both = u64::from_ne_bytes(bytes[..8].try_into().expect("eight bytes"));
    let (value, waiting) = (both as u32, (both >> 32) as u32);
    let fits = cfg!(target_pointer_width = "64") && bytes[SHARED] == image()[SHARED] && value <= VALUE_MAX;
    fits.then_some((value, waiting))
}

/// A `sem_t` in a mapping that lives as long as this.
#[derive(Debug)]
pub struct Sem {
    at: NonNull<libc::sem_t>,
    mapping: Arc<Mapping>,
    offset: usize,
}

// SAFETY: `sem_t` is made to be used by many threads at once, and `mapping` keeps it mapped.
unsafe impl Send for Sem {}
// SAFETY: as above.
unsafe impl Sync for Sem {}

impl Sem {
    /// The `sem_t` at `offset`: EINVAL when it would not be aligned, ERANGE when it does not fit,
    /// EACCES when the mapping cannot be written.
    pub fn at(mapping: &Arc<Mapping>, offset: usize) -> Result<Sem> {
        let at = mapping.range(offset, SIZE, READ_WRITE)?.cast::<libc::sem_t>();
        if !at.is_aligned() {
            return Err(Errno::INVALID);
        }
        Ok(Sem { at, mapping: mapping.clone(), offset })
    }

    /// Whether what stands there is a semaphore that processes share. glibc ends the process when it
    /// meets another word where it says so, or sleeps where nobody else wakes.
    pub fn is_shared(&self) -> bool {
        let mut found = [0; SIZE];
        let fits = self.mapping.read(self.offset, &mut found).is_ok();
        fits && found[SHARED] == image()[SHARED] && self.raw_value() >= 0
    }

    pub fn init(&self, value: u32) -> Result<()> {
        // SAFETY: `at` lies in a live, writable mapping, aligned.
        check(unsafe { libc::sem_init(self.at.as_ptr(), 1, value) }.into()).map(drop)
    }

    #[inline]
    pub fn post(&self) -> Result<()> {
        // SAFETY: as in `init`.
        check(unsafe { libc::sem_post(self.at.as_ptr()) }.into()).map(drop)
    }

    #[inline]
    pub fn try_wait(&self) -> Result<()> {
        // SAFETY: as in `init`; sem_trywait is no cancellation point.
        check(unsafe { libc::sem_trywait(self.at.as_ptr()) }.into()).map(drop)
    }

    /// Waits until a point on one of the two clocks, or for ever.
    #[cold]
    pub fn wait(&self, until: Option<(libc::clockid_t, Duration)>) -> Result<()> {
        let _whole = NoCancel::new(); // sem_wait(3) has no system call of its own to go around it
        let outcome = match until {
            // SAFETY: as in `init`.
            None => unsafe { libc::sem_wait(self.at.as_ptr()) },
            Some((clock, point)) => {
                let point = clock::timespec(point);
                // SAFETY: as in `init`; the timespec is valid.
                unsafe { sem_clockwait(self.at.as_ptr(), clock, &raw const point) }
            }
        };
        check(outcome.into()).map(drop)
    }

    pub fn value(&self) -> u32 {
        u32::try_from(self.raw_value()).unwrap_or(0)
    }

    fn raw_value(&self) -> i32 {
        let mut value = 0;
        // SAFETY: as in `init`; `value` is valid to write to.
        unsafe { libc::sem_getvalue(self.at.as_ptr(), &raw mut value) };
        value
    }
}
