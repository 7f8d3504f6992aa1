//! A system call, made in place.
//!
//! With the usual defences against speculation each `ret` behind a system call costs some 10 ns,
//! because the processor forgot where it came from; so there are as few as can be: no wrapper of
//! libc's, which besides would be a cancellation point.

use super::Result;
use crate::error::Errno;

/// What fits into a register of a system call.
pub trait Word {
    fn word(self) -> usize;
}

macro_rules! words {
    ($($integer:ty),*) => {
        $(impl Word for $integer {
            #[inline]
            fn word(self) -> usize {
                self as usize // signed ones extend their sign, as C has it
            }
        })*
    };
}
words!(i32, u32, i64, usize);

impl<T> Word for *const T {
    #[inline]
    fn word(self) -> usize {
        self.expose_provenance()
    }
}

impl<T> Word for *mut T {
    #[inline]
    fn word(self) -> usize {
        self.expose_provenance()
    }
}

impl Word for std::os::fd::BorrowedFd<'_> {
    #[inline]
    fn word(self) -> usize {
        std::os::fd::AsRawFd::as_raw_fd(&self).word()
    }
}

/// Makes the call; -1 to -4095 are errnos.
///
/// # Safety
/// As the call's own: what the arguments point to is valid for what the kernel does with it.
#[inline]
pub unsafe fn call(number: libc::c_long, arguments: [usize; 6]) -> Result<usize> {
    // SAFETY: as this function's.
    let value = unsafe { raw(number, arguments) };
    if (-4095..0).contains(&value) { Err(Errno(-value as i32)) } else { Ok(value as usize) }
}

#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn raw(number: libc::c_long, a: [usize; 6]) -> isize {
    let value: isize;
    // SAFETY: the caller vouches for the arguments; the kernel spoils rcx and r11 alone.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number => value,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2], in("r10") a[3], in("r8") a[4], in("r9") a[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    value
}

#[cfg(target_arch = "aarch64")]
#[inline]
unsafe fn raw(number: libc::c_long, a: [usize; 6]) -> isize {
    let value: isize;
    // SAFETY: the caller vouches for the arguments; the kernel spoils x0 alone.
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a[0] => value,
            in("x1") a[1], in("x2") a[2], in("x3") a[3], in("x4") a[4], in("x5") a[5],
            options(nostack),
        );
    }
    value
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn raw(number: libc::c_long, a: [usize; 6]) -> isize {
    // SAFETY: the caller vouches for the arguments.
    match unsafe { libc::syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]) } {
        -1 => -(Errno::last().0 as isize),
        value => value as isize,
    }
}
