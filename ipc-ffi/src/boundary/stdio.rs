//! The FILEs that [`popen`](crate::popen) hands out: stdio's reads and writes come here, as fopencookie(3) has
//! it.
//!
//! Which FILEs are ours stands in a list, by their addresses. A FILE that C gives back is looked up there and
//! not looked into, so that a stranger's is told apart without a crash. Like shells, the list's nodes are never
//! given back, and serve again; and fclose(3) strikes a FILE out, too, for it comes to [`close_cookie`].

use super::{Failure, cold, hot};
use libc::{FILE, ssize_t};
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::slice;
use std::sync::atomic::{
    AtomicPtr,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use unipc::{Child, Deadline, PipeReader, PipeWriter};

/// What stands behind a FILE.
pub struct Stream {
    pub child: Child,
    ends: UnsafeCell<Ends>,
    node: &'static Node,
}

/// What only the thread that has the FILE locked may touch.
struct Ends {
    reader: Option<PipeReader>,
    writer: Option<PipeWriter>,
    /// The FILE has no buffer of its own.
    bare: bool,
    /// What was then read, and how much of that was asked for already.
    ahead: Vec<u8>,
    given: usize,
    /// What stdio had in its buffer when the FILE was to be closed, until the program takes it.
    rest: Option<Vec<u8>>,
}

#[derive(Default)]
struct Node {
    file: AtomicPtr<FILE>,
    /// NULL: the node is free.
    stream: AtomicPtr<Stream>,
    next: AtomicPtr<Node>,
}

static FIRST: AtomicPtr<Node> = AtomicPtr::new(ptr::null_mut());

/// What is read ahead at once: what a pipe holds, unless that was set.
const AHEAD: usize = 1 << 16;

const IONBF: c_int = 2;

#[repr(C)]
struct Functions {
    read: unsafe extern "C" fn(*mut c_void, *mut c_char, usize) -> ssize_t,
    write: unsafe extern "C" fn(*mut c_void, *const c_char, usize) -> ssize_t,
    seek: Option<unsafe extern "C" fn()>,
    close: unsafe extern "C" fn(*mut c_void) -> c_int,
}

#[allow(unused_doc_comments)]
/// cbindgen:ignore
unsafe extern "C" {
    fn fopencookie(cookie: *mut c_void, mode: *const c_char, functions: Functions) -> *mut FILE;
    fn flockfile(file: *mut FILE);
    fn funlockfile(file: *mut FILE);
}

fn nodes() -> impl Iterator<Item = &'static Node> {
    // SAFETY: what is in the list is a node, which live for ever.
    std::iter::successors(unsafe { FIRST.load(Acquire).as_ref() }, |node| unsafe { node.next.load(Acquire).as_ref() })
}

/// A node that holds `stream`.
fn node_for(stream: *mut Stream) -> &'static Node {
    let free = |node: &&Node| node.stream.compare_exchange(ptr::null_mut(), stream, AcqRel, Relaxed).is_ok();
    nodes().find(free).unwrap_or_else(|| {
        let node = Box::leak(Box::new(Node { stream: AtomicPtr::new(stream), ..Node::default() }));
        let at: *mut Node = node;
        let _ = FIRST.fetch_update(AcqRel, Acquire, |first| {
            node.next.store(first, Release);
            Some(at)
        });
        node
    })
}

/// A FILE over the ends of a child. One for both directions has no buffer of stdio's: with one, what was read
/// ahead would stand in the way of writing.
pub fn open(
    mode: &'static CStr,
    child: Child,
    reader: Option<PipeReader>,
    writer: Option<PipeWriter>,
) -> Result<*mut FILE, Failure> {
    let bare = reader.is_some() && writer.is_some();
    let ends = UnsafeCell::new(Ends { reader, writer, bare, ahead: Vec::new(), given: 0, rest: None });
    let place = Box::into_raw(Box::<Stream>::new_uninit());
    let node = node_for(place.cast());
    let functions = Functions { read: read_cookie, write: write_cookie, seek: None, close: close_cookie };
    // SAFETY: `place` is ours, and big enough; nobody sees it before the FILE is known. The functions are such
    // as fopencookie(3) wants, and the library is never unloaded.
    unsafe {
        (*place).write(Stream { child, ends, node });
        let file = fopencookie(place.cast(), mode.as_ptr(), functions);
        if file.is_null() {
            let errno = *libc::__errno_location();
            close_cookie(place.cast());
            return Err(Failure::Told(errno, "no memory for a FILE".into()));
        }
        if bare {
            libc::setvbuf(file, ptr::null_mut(), IONBF, 0);
        }
        node.file.store(file, Release);
        Ok(file)
    }
}

/// What stands behind a FILE of ours.
///
/// # Safety
/// If it is ours, nobody closes it meanwhile.
pub unsafe fn find<'a>(file: *mut FILE) -> Result<&'a Stream, Failure> {
    if file.is_null() {
        return Err(Failure::Null("stream"));
    }
    let Some(node) = nodes().find(|node| node.file.load(Acquire) == file) else {
        let cause = "the stream is none that unipc_popen() or unipc_popen_command() made, or it is closed";
        return Err(Failure::Told(libc::EBADF, cause.into()));
    };
    // SAFETY: a FILE that is known has its stream, as long as it is open.
    Ok(unsafe { &*node.stream.load(Acquire) })
}

impl Stream {
    /// Has the FILE locked for what is done with its ends.
    fn locked<A>(&self, then: impl FnOnce(&mut Ends) -> A) -> A {
        let file = self.node.file.load(Acquire);
        // SAFETY: the FILE is open as long as there is its stream. Its lock is that of the ends, and
        // nothing that is called with them comes here again.
        unsafe {
            flockfile(file);
            let outcome = then(&mut *self.ends.get());
            funlockfile(file);
            outcome
        }
    }

    fn flush(&self) -> c_int {
        // SAFETY: the FILE is open as long as there is its stream.
        unsafe { libc::fflush(self.node.file.load(Acquire)) }
    }

    /// Writes what stands in stdio's buffer, and closes the writing end.
    pub fn finish(&self) -> Result<(), Failure> {
        self.settle(Deadline::NEVER)
    }

    /// Writes what stands in stdio's buffer until `deadline`, and closes the writing end. What a deadline or a
    /// signal handler leaves is kept for the next call. That nobody reads it is no error: the status tells.
    pub fn settle(&self, deadline: Deadline) -> Result<(), Failure> {
        let is_open = self.locked(|ends| {
            if ends.writer.is_some() {
                ends.rest.get_or_insert_default();
            }
            ends.writer.is_some()
        });
        if !is_open {
            return Ok(());
        }
        self.flush(); // into `rest`
        self.locked(|ends| {
            let (Some(writer), Some(rest)) = (&ends.writer, &mut ends.rest) else { return Ok(()) };
            match writer.write_full(rest, deadline) {
                Err(error) if error.errno() != libc::EPIPE => {
                    rest.drain(..error.transferred());
                    return Err(error.into());
                }
                _ => (ends.writer, ends.rest) = (None, None),
            }
            Ok(())
        })
    }

    /// Closes the reading end.
    pub fn leave(&self) {
        self.locked(|ends| ends.reader = None);
    }
}

/// Closes a FILE of ours, and drops what stands behind it.
///
/// # Safety
/// `find` found it, and nobody uses it any more.
pub unsafe fn close(file: *mut FILE) {
    // SAFETY: as this function's.
    unsafe { libc::fclose(file) };
}

impl Ends {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let Some(reader) = &self.reader else { return Err(gone("read from")) };
        if self.given == self.ahead.len() {
            if !self.bare || buffer.len() >= AHEAD {
                return Ok(reader.read(buffer)?);
            }
            self.given = 0;
            self.ahead.resize(AHEAD, 0);
            let read = reader.read(&mut self.ahead);
            self.ahead.truncate(*read.as_ref().unwrap_or(&0));
            read?;
        }
        let count = buffer.len().min(self.ahead.len() - self.given);
        buffer[..count].copy_from_slice(&self.ahead[self.given..][..count]);
        self.given += count;
        Ok(count)
    }

    /// How much went, and why no more did.
    fn write(&mut self, data: &[u8]) -> (usize, Result<(), Failure>) {
        let Some(writer) = &self.writer else { return (0, Err(gone("written to"))) };
        if let Some(rest) = &mut self.rest {
            rest.extend_from_slice(data);
            return (data.len(), Ok(()));
        }
        match writer.write_full(data, Deadline::NEVER) {
            Ok(()) => (data.len(), Ok(())),
            Err(error) => (error.transferred(), Err(error.into())),
        }
    }
}

fn gone(how: &str) -> Failure {
    Failure::Told(libc::EBADF, format!("the stream of a program cannot be {how} any more: that side is closed").into())
}

/// # Safety
/// stdio calls it, with a FILE of ours that it has locked, and a buffer of that length.
unsafe extern "C" fn read_cookie(cookie: *mut c_void, buffer: *mut c_char, length: usize) -> ssize_t {
    // SAFETY: as this function's.
    hot(|| unsafe {
        let ends = &mut *(*cookie.cast::<Stream>()).ends.get();
        ends.read(super::buffer("buffer", buffer.cast(), length)?)
    })
}

/// # Safety
/// As [`read_cookie`].
unsafe extern "C" fn write_cookie(cookie: *mut c_void, data: *const c_char, length: usize) -> ssize_t {
    let mut done = 0; // on failure, too: stdio wants no -1
    // SAFETY: as this function's.
    hot(|| unsafe {
        let ends = &mut *(*cookie.cast::<Stream>()).ends.get();
        let outcome;
        (done, outcome) = ends.write(slice::from_raw_parts(data.cast(), length));
        outcome
    });
    done as ssize_t
}

/// # Safety
/// As [`read_cookie`]; nobody uses the FILE any more.
unsafe extern "C" fn close_cookie(cookie: *mut c_void) -> c_int {
    cold(|| {
        // SAFETY: `open` made it, and stdio closes a FILE once.
        let stream = unsafe { Box::from_raw(cookie.cast::<Stream>()) };
        stream.node.file.store(ptr::null_mut(), Release);
        stream.node.stream.store(ptr::null_mut(), Release);
        drop(stream);
        Ok(())
    })
}
