//! Where C meets Rust: the only module that dereferences a raw pointer, fences a panic or sets
//! errno. What comes in becomes a reference, a slice, a [`Deadline`]; what goes out becomes 0, a
//! count or a pointer, or -1 or NULL with errno and a sentence.

mod failure;
mod handle;
mod presence;
pub mod stdio;

pub use failure::{Failure, last_error};
pub use handle::{Handle, Inside, Kind, close, enter, get, get_mut, hand};

use libc::ssize_t;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::slice;
use std::time::Duration;
use unipc::{Deadline, Error};

// ---- the fence

/// What a call answers with: the value that C sees, and the one that tells it to look at errno.
pub trait Answer {
    type C;
    const FAILURE: Self::C;
    fn into_c(self) -> Self::C;
}

impl Answer for () {
    type C = c_int;
    const FAILURE: c_int = -1;
    fn into_c(self) -> c_int {
        0
    }
}

impl Answer for bool {
    type C = c_int;
    const FAILURE: c_int = -1;
    fn into_c(self) -> c_int {
        self.into()
    }
}

/// Descriptors, semaphore values and seals: none exceeds `INT_MAX`.
impl Answer for c_int {
    type C = c_int;
    const FAILURE: c_int = -1;
    fn into_c(self) -> c_int {
        self
    }
}

/// Counts of bytes: a slice has at most `isize::MAX`.
impl Answer for usize {
    type C = ssize_t;
    const FAILURE: ssize_t = -1;
    fn into_c(self) -> ssize_t {
        self as ssize_t
    }
}

impl<T> Answer for *mut T {
    type C = *mut T;
    const FAILURE: *mut T = std::ptr::null_mut();
    fn into_c(self) -> *mut T {
        self
    }
}

/// Runs a call that must cost no more than the system call in it: a panic becomes
/// ENOTRECOVERABLE, and that is all. On these paths the core makes its system calls itself, so
/// there is no cancellation point of libc in them.
#[inline]
pub fn hot<A: Answer, F: FnOnce() -> Result<A, Failure>>(call: F) -> A::C {
    // Unwind-safe: a handle is shared by threads anyway, so the core keeps it sound at every step.
    match catch_unwind(AssertUnwindSafe(|| call().map(A::into_c))) {
        Ok(Ok(answer)) => return answer,
        Ok(Err(failure)) => failure.report::<F>(),
        Err(_) => failure::report_panic(),
    }
    A::FAILURE
}

/// Runs any other call, with cancellation of this thread put off until it is over: cancelling is
/// unwinding, and a Rust frame in its way would end the whole process.
pub fn cold<A: Answer, F: FnOnce() -> Result<A, Failure>>(call: F) -> A::C {
    // Every handle is made in here, so the hook is there before a hot call can panic.
    failure::keep_panics_quiet();
    let before = set_cancel_state(PTHREAD_CANCEL_DISABLE);
    let answer = hot(call);
    set_cancel_state(before);
    answer
}

/// Runs a call that a signal handler may make: no thread-local of ours, no sentence, errno only.
#[inline]
pub fn in_signal_handler(call: impl FnOnce() -> Result<(), Failure>) -> c_int {
    match call() {
        Ok(()) => 0,
        Err(failure) => {
            failure.set_errno();
            -1
        }
    }
}

const PTHREAD_CANCEL_DISABLE: c_int = 1;

fn set_cancel_state(state: c_int) -> c_int {
    #[allow(unused_doc_comments)]
    /// cbindgen:ignore
    unsafe extern "C" {
        fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
    }
    let mut old = 0;
    // SAFETY: `old` is valid to write to.
    unsafe { pthread_setcancelstate(state, &raw mut old) };
    old
}

// ---- what comes in

/// Nanoseconds as every call takes them: UNIPC_FOREVER, 0 for "do not wait", or a timeout.
#[inline]
pub fn deadline(nanoseconds: i64) -> Result<Deadline, Failure> {
    match nanoseconds {
        crate::FOREVER => Ok(Deadline::NEVER),
        0 => Ok(Deadline::NOW),
        1.. => Ok(Deadline::after(Duration::from_nanos(nanoseconds as u64))),
        _ => Err(Failure::Timeout(nanoseconds)),
    }
}

/// A NUL-terminated string in UTF-8.
///
/// # Safety
/// `text` is NULL or NUL-terminated, and stays so for the call.
pub unsafe fn text<'a>(argument: &'static str, text: *const c_char) -> Result<&'a str, Failure> {
    if text.is_null() {
        return Err(Failure::Null(argument));
    }
    // SAFETY: not NULL, so a C string for as long as the call.
    unsafe { CStr::from_ptr(text) }.to_str().map_err(|_| Failure::NotUtf8(argument))
}

/// A NUL-terminated string, of whatever bytes.
///
/// # Safety
/// As [`text`].
pub unsafe fn string<'a>(argument: &'static str, string: *const c_char) -> Result<&'a OsStr, Failure> {
    if string.is_null() {
        return Err(Failure::Null(argument));
    }
    // SAFETY: not NULL, so a C string for as long as the call.
    Ok(OsStr::from_bytes(unsafe { CStr::from_ptr(string) }.to_bytes()))
}

/// Such strings, and NULL behind the last.
///
/// # Safety
/// `start` is NULL or such an array, and stays so for the call.
pub unsafe fn strings<'a>(argument: &'static str, start: *const *const c_char) -> Result<Vec<&'a OsStr>, Failure> {
    if start.is_null() {
        return Err(Failure::Null(argument));
    }
    let mut all = Vec::new();
    // SAFETY: NULL has not come yet, so there is one more.
    while let Ok(next) = unsafe { string(argument, *start.add(all.len())) } {
        all.push(next);
    }
    Ok(all)
}

/// A NUL-terminated path.
///
/// # Safety
/// As [`text`].
pub unsafe fn path<'a>(path: *const c_char) -> Result<&'a Path, Failure> {
    // SAFETY: as this function's.
    Ok(Path::new(unsafe { string("path", path) }?))
}

/// Bytes to read from; NULL is as good as any pointer where there are none.
///
/// # Safety
/// `data` is NULL or `length` bytes that nobody changes during the call.
#[inline]
pub unsafe fn bytes<'a>(argument: &'static str, data: *const c_void, length: usize) -> Result<&'a [u8], Failure> {
    check_range(argument, data, length)?;
    // SAFETY: `length` readable bytes, fewer than isize::MAX, at a pointer that is not NULL.
    Ok(if length == 0 { &[] } else { unsafe { slice::from_raw_parts(data.cast(), length) } })
}

/// Bytes to write to. What is in them is never read: it only goes to the kernel as a place.
///
/// # Safety
/// `buffer` is NULL or `length` bytes that nobody else uses during the call.
#[inline]
pub unsafe fn buffer<'a>(argument: &'static str, buffer: *mut c_void, length: usize) -> Result<&'a mut [u8], Failure> {
    check_range(argument, buffer, length)?;
    // SAFETY: `length` writable bytes, fewer than isize::MAX, at a pointer that is not NULL.
    Ok(if length == 0 { &mut [] } else { unsafe { slice::from_raw_parts_mut(buffer.cast(), length) } })
}

#[inline]
fn check_range(argument: &'static str, start: *const c_void, length: usize) -> Result<(), Failure> {
    if start.is_null() && length > 0 {
        return Err(Failure::Null(argument));
    }
    if length > isize::MAX as usize {
        return Err(Failure::TooLong(argument, length));
    }
    Ok(())
}

/// Bytes of an `iovec`, known to be good to read.
#[repr(transparent)]
pub struct Piece(libc::iovec);

impl AsRef<[u8]> for Piece {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        let Piece(piece) = self;
        // SAFETY: `pieces` checked it, and its caller vouches for the bytes.
        unsafe { if piece.iov_len == 0 { &[] } else { slice::from_raw_parts(piece.iov_base.cast(), piece.iov_len) } }
    }
}

/// Several runs of bytes to read from.
///
/// # Safety
/// `pieces` is NULL or `count` of them, each as [`bytes`] has it.
pub unsafe fn pieces<'a>(
    argument: &'static str,
    pieces: *const libc::iovec,
    count: usize,
) -> Result<&'a [Piece], Failure> {
    // SAFETY: as this function's.
    let pieces: &[Piece] = unsafe { array(argument, pieces.cast(), count) }?;
    for Piece(piece) in pieces {
        check_range(argument, piece.iov_base, piece.iov_len)?;
    }
    Ok(pieces)
}

/// Things that somebody laid side by side.
///
/// # Safety
/// `start` is NULL or `count` of them, which nobody changes during the call.
pub unsafe fn array<'a, T>(argument: &'static str, start: *const T, count: usize) -> Result<&'a [T], Failure> {
    check_range(argument, start.cast(), count.saturating_mul(size_of::<T>()))?;
    // SAFETY: so many, in less than isize::MAX bytes, at a pointer that is not NULL.
    Ok(if count == 0 { &[] } else { unsafe { slice::from_raw_parts(start, count) } })
}

/// Places for several results.
///
/// # Safety
/// `start` is NULL or `count` of them, which nobody else uses during the call.
pub unsafe fn places<'a, T>(
    argument: &'static str,
    start: *mut T,
    count: usize,
) -> Result<&'a mut [MaybeUninit<T>], Failure> {
    check_range(argument, start.cast(), count.saturating_mul(size_of::<T>()))?;
    // SAFETY: so many, in less than isize::MAX bytes, at a pointer that is not NULL; nothing is read.
    Ok(if count == 0 { &mut [] } else { unsafe { slice::from_raw_parts_mut(start.cast(), count) } })
}

/// A descriptor that stays the caller's.
///
/// # Safety
/// If it is open, it stays open for the call.
pub unsafe fn borrow_fd<'a>(fd: c_int) -> Result<BorrowedFd<'a>, Failure> {
    if fd < 0 {
        return Err(Failure::NoDescriptor(fd));
    }
    // SAFETY: not -1; if it is closed, the kernel says EBADF.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// A descriptor that the handle made of it by `adopt` owns, but stays the caller's if that refuses.
///
/// # Safety
/// If it is open, nobody else owns or closes it.
pub unsafe fn adopt_fd<T>(fd: c_int, adopt: impl FnOnce(OwnedFd) -> Result<T, (Error, OwnedFd)>) -> Result<T, Failure> {
    if fd < 0 {
        return Err(Failure::NoDescriptor(fd));
    }
    // SAFETY: not -1, and the caller gives it away; what is closed, the core refuses and gives back.
    adopt(unsafe { OwnedFd::from_raw_fd(fd) }).map_err(|(error, fd)| {
        let _ = fd.into_raw_fd();
        error.into()
    })
}

// ---- structs that can grow

/// A struct that callers of older and newer headers pass in their own length: its first field
/// says how long, and all zero means every default.
///
/// # Safety
/// `repr(C)`, integers and raw pointers without padding, the first of them `size: usize`.
pub unsafe trait Versioned: Copy {}

/// Beyond this no struct of ours will ever grow; a larger `size` was never initialised.
const LONGEST: usize = 4096;

/// The caller's options, of whatever version; NULL is every default.
///
/// # Safety
/// `given` is NULL or as many bytes as its first field says.
pub unsafe fn options<T: Versioned>(given: *const T) -> Result<T, Failure> {
    let ours = size_of::<T>();
    let mut all = MaybeUninit::<T>::zeroed();
    if !given.is_null() {
        // SAFETY: a size leads every such struct.
        let size = check_size(unsafe { given.cast::<usize>().read() })?;
        // SAFETY: `given` is `size` bytes, and `all` at least as many as are copied.
        let tail = unsafe {
            given.cast::<u8>().copy_to_nonoverlapping(all.as_mut_ptr().cast(), size.min(ours));
            slice::from_raw_parts(given.cast::<u8>().add(ours.min(size)), size.saturating_sub(ours))
        };
        if tail.iter().any(|&byte| byte != 0) {
            return Err(Failure::Newer { size, ours });
        }
    }
    // SAFETY: integers and raw pointers, each of them written or zero.
    Ok(unsafe { all.assume_init() })
}

/// Several of them, laid side by side by one caller, and so of one version.
///
/// # Safety
/// `start` is NULL or `count` structs, each as long as the first field of the first says.
pub unsafe fn versions<T: Versioned>(argument: &'static str, start: *const T, count: usize) -> Result<Vec<T>, Failure> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if start.is_null() {
        return Err(Failure::Null(argument));
    }
    // SAFETY: a size leads every such struct.
    let step = check_size(unsafe { start.cast::<usize>().read() })?;
    check_range(argument, start.cast(), count.saturating_mul(step))?;
    let each = (0..count).map(|at| {
        // SAFETY: so many of that size are there.
        unsafe {
            let given = start.byte_add(at * step);
            let size = given.cast::<usize>().read();
            if size == step { options(given) } else { Err(Failure::Size(size)) }
        }
    });
    each.collect()
}

/// Fills the caller's struct as far as it goes, and with zeroes where it goes further than ours.
///
/// # Safety
/// `out` is NULL or as many bytes as its first field says.
pub unsafe fn fill<T: Versioned>(argument: &'static str, out: *mut T, value: &T) -> Result<(), Failure> {
    if out.is_null() {
        return Err(Failure::Null(argument));
    }
    let (head, ours) = (size_of::<usize>(), size_of::<T>());
    // SAFETY: a size leads every such struct.
    let size = check_size(unsafe { out.cast::<usize>().read() })?;
    // SAFETY: `out` is `size` bytes, of which the size itself is left as it is.
    unsafe {
        let (from, to) = ((&raw const *value).cast::<u8>(), out.cast::<u8>());
        from.add(head).copy_to_nonoverlapping(to.add(head), size.min(ours) - head);
        to.add(ours.min(size)).write_bytes(0, size.saturating_sub(ours));
    }
    Ok(())
}

/// The caller's struct itself, of which both sides read and write fields one by one. It is as long as
/// ours at least; what a newer header has behind that stays as it is.
///
/// # Safety
/// `given` is NULL or as many bytes as its first field says, and nobody else uses it during the call.
#[inline]
pub unsafe fn shared<'a, T: Versioned>(argument: &'static str, given: *mut T) -> Result<&'a mut T, Failure> {
    if given.is_null() {
        return Err(Failure::Null(argument));
    }
    // SAFETY: a size leads every such struct.
    let size = check_size(unsafe { given.cast::<usize>().read() })?;
    // SAFETY: so many bytes, the caller's to lend; integers and raw pointers.
    if size < size_of::<T>() { Err(Failure::Size(size)) } else { Ok(unsafe { &mut *given }) }
}

fn check_size(size: usize) -> Result<usize, Failure> {
    // Every version of every such struct ends where a word ends.
    let whole = size % size_of::<usize>() == 0;
    if whole && (size_of::<usize>()..=LONGEST).contains(&size) { Ok(size) } else { Err(Failure::Size(size)) }
}

// ---- what goes out

/// A place for a result, known not to be NULL before anything is done.
///
/// # Safety
/// `place` is NULL or valid to write to for the call.
pub unsafe fn out<'a, T>(argument: &'static str, place: *mut T) -> Result<&'a mut MaybeUninit<T>, Failure> {
    // SAFETY: writable as the caller says, and nothing is read through a MaybeUninit.
    unsafe { place.cast::<MaybeUninit<T>>().as_mut() }.ok_or(Failure::Null(argument))
}

/// Stores a result that the caller need not ask for.
///
/// # Safety
/// As [`out`].
#[inline]
pub unsafe fn store<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: writable as the caller says.
        unsafe { place.write(value) };
    }
}

/// Writes as much of `text` as fits, and a NUL behind it; nothing where there is no room at all.
///
/// # Safety
/// `place` is NULL or `length` bytes, writable for the call.
pub unsafe fn tell(argument: &'static str, place: *mut c_char, length: usize, text: &str) -> Result<usize, Failure> {
    // SAFETY: as this function's.
    let place = unsafe { buffer(argument, place.cast(), length) }?;
    if let Some(most) = length.checked_sub(1) {
        let fits = text.len().min(most);
        place[..fits].copy_from_slice(&text.as_bytes()[..fits]);
        place[fits] = 0;
    }
    Ok(text.len())
}

/// Malloc'd bytes that become the caller's when they are kept.
pub struct Fresh(*mut c_void, usize);

impl Fresh {
    /// `length` zeroes, or one where that is none: NULL is to mean failure only.
    pub fn new(length: usize) -> Result<Fresh, Failure> {
        // SAFETY: calloc takes any size.
        let start = unsafe { libc::calloc(length.max(1), 1) };
        if start.is_null() { Err(Failure::NoMemory(length)) } else { Ok(Fresh(start, length)) }
    }

    /// A copy for the caller, who may take it for a string: a NUL stands behind it.
    pub fn copy(bytes: &[u8]) -> Result<libc::iovec, Failure> {
        let mut fresh = Fresh::new(bytes.len() + 1)?;
        fresh.bytes()[..bytes.len()].copy_from_slice(bytes);
        Ok(libc::iovec { iov_len: bytes.len(), iov_base: fresh.keep(bytes.len() + 1) })
    }

    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: as many bytes, ours alone.
        unsafe { slice::from_raw_parts_mut(self.0.cast(), self.1) }
    }

    /// Gives the first `length` bytes away; the rest goes back to the allocator.
    pub fn keep(self, length: usize) -> *mut c_void {
        // SAFETY: malloc made it; where it cannot shrink it stays as it is.
        let shrunk = unsafe { libc::realloc(self.0, length.max(1)) };
        let kept = if shrunk.is_null() { self.0 } else { shrunk };
        std::mem::forget(self);
        kept
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // SAFETY: malloc made it, and nobody kept it.
        unsafe { free(self.0) };
    }
}

/// # Safety
/// `memory` is NULL or what [`Fresh::keep`] gave, and nobody uses it any more.
pub unsafe fn free(memory: *mut c_void) {
    // SAFETY: as this function's.
    unsafe { libc::free(memory) };
}

/// A pointer that C lends to one thread after another.
pub struct Lent(pub *mut c_void);

// SAFETY: it is only ever handed back to the caller's own function, who vouches for its use there.
unsafe impl Send for Lent {}
