//! What C learns of a failure: errno, and a sentence that names function or object, and cause.

use std::any::type_name;
use std::borrow::Cow;
use std::cell::UnsafeCell;
use std::ffi::{c_char, c_int};
use std::fmt::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use unipc::Error;

/// Why a call failed: by the core's judgement, or before it came that far.
pub enum Failure {
    Core(Error),
    /// This argument is NULL.
    Null(&'static str),
    /// The handle was closed; its kind.
    Closed(&'static str),
    /// The handle is of another kind, or none at all.
    Wrong {
        found: Option<&'static str>,
        wanted: &'static str,
    },
    NotUtf8(&'static str),
    /// This argument is said to have more bytes than an address space holds.
    TooLong(&'static str, usize),
    NoDescriptor(c_int),
    /// Memory that has no descriptor.
    NoDescriptorBehind,
    Timeout(i64),
    /// A value that an enumeration or a set of bits does not have.
    Unknown {
        what: &'static str,
        value: i64,
        known: &'static str,
    },
    /// The `size` that leads a struct was never set.
    Size(usize),
    /// A struct of a newer header, with fields set that this library does not have.
    Newer {
        size: usize,
        ours: usize,
    },
    NoMemory(usize),
    /// What only one function has to say, with its errno.
    Told(c_int, Cow<'static, str>),
    /// A slot in which no message is held.
    EmptySlot,
    /// A slot in which one is held that would be forgotten.
    FullSlot,
    /// A slot's length is more than was reserved.
    GrownSlot {
        length: usize,
        reserved: u64,
    },
}

impl From<Error> for Failure {
    #[inline]
    fn from(error: Error) -> Failure {
        Failure::Core(error)
    }
}

impl Failure {
    /// Sets the sentence and, when nothing can change it any more, errno. `F` is the closure that
    /// failed, whose type is named after the C function around it.
    #[cold]
    pub fn report<F>(self) {
        let mut text = Text::new();
        // Of a sentence that does not fit, the beginning is kept.
        let _ = match &self {
            Failure::Core(error) if error.object().len() > LONGEST_OBJECT => {
                let (head, tail) = ends(error.object());
                write!(text, "{} {head}…{tail}: {}", error.operation(), error.cause())
            }
            Failure::Core(error) => write!(text, "{error}"),
            other => write!(text, "{}: {other}", function::<F>()),
        };
        text.end();
        self.set_errno();
    }

    /// The same, said of one of several.
    #[cold]
    pub fn at(self, place: &str) -> Failure {
        Failure::Told(self.errno(), format!("{self} ({place})").into())
    }

    /// Consumes the failure first: dropping it may close or free something.
    pub fn set_errno(self) {
        let errno = self.errno();
        drop(self);
        set_errno(errno);
    }

    fn errno(&self) -> c_int {
        match self {
            Failure::Core(error) => error.errno(),
            Failure::Closed(_) | Failure::NoDescriptor(_) | Failure::NoDescriptorBehind => libc::EBADF,
            Failure::Newer { .. } => libc::E2BIG,
            Failure::NoMemory(_) => libc::ENOMEM,
            Failure::Told(errno, _) => *errno,
            Failure::GrownSlot { .. } => libc::EMSGSIZE,
            _ => libc::EINVAL,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Core(error) => error.fmt(f),
            Failure::Null(argument) => write!(f, "{argument} is NULL"),
            Failure::Closed(kind) => write!(f, "the {kind} is closed"),
            Failure::Wrong { found: Some(found), wanted } => write!(f, "the handle is a {found}, not a {wanted}"),
            Failure::Wrong { found: None, wanted } => write!(f, "the pointer given as {wanted} is no handle of unipc"),
            Failure::NotUtf8(argument) => write!(f, "{argument} is not UTF-8"),
            Failure::TooLong(argument, length) => write!(f, "{argument} cannot have {length} bytes"),
            Failure::NoDescriptor(fd) => write!(f, "{fd} is no open descriptor"),
            Failure::NoDescriptorBehind => f.write_str("the memory has no descriptor behind it"),
            Failure::Timeout(timeout) => {
                write!(f, "a timeout of {timeout} ns; UNIPC_FOREVER is -1, and 0 does not wait")
            }
            Failure::Unknown { what, value, known } => write!(f, "{value} is no {what}; there is {known}"),
            Failure::Size(size) => write!(f, "the struct says that it has {size} bytes; begin with its _INIT macro"),
            Failure::Newer { size, ours } => {
                write!(f, "of the struct's {size} bytes this older library knows {ours}, and fields beyond are set")
            }
            Failure::NoMemory(bytes) => write!(f, "no memory for {bytes} bytes"),
            Failure::Told(_, cause) => f.write_str(cause),
            Failure::EmptySlot => f.write_str("the slot holds no message: it was ended, or never filled"),
            Failure::FullSlot => f.write_str("the slot holds a message already: end that first"),
            Failure::GrownSlot { length, reserved } => {
                write!(f, "the slot's length is {length}, and {reserved} bytes were reserved")
            }
        }
    }
}

fn set_errno(errno: c_int) {
    // SAFETY: the errno of this thread is always there.
    unsafe { *libc::__errno_location() = errno };
}

/// Makes the sentence of a panic in this library's own std, which otherwise prints it to the
/// host's standard error.
pub fn keep_panics_quiet() {
    static QUIET: AtomicBool = AtomicBool::new(false);
    if !QUIET.load(Relaxed) && !QUIET.swap(true, Relaxed) {
        panic::set_hook(Box::new(note_panic));
    }
}

fn note_panic(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let message = payload.downcast_ref::<&str>().copied();
    let message = message.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let mut text = Text::new();
    let _ = match info.location() {
        Some(place) => write!(text, "a bug in unipc, at {}:{}: ", place.file(), place.line()),
        None => write!(text, "a bug in unipc: "),
    };
    let _ = text.write_str(message.unwrap_or("it panicked"));
    text.end();
}

/// A panic came as far as the fence; its sentence is there since it began.
#[cold]
pub fn report_panic() {
    set_errno(libc::ENOTRECOVERABLE);
}

/// The exported function in which the closure `F` is written, out of
/// `unipc_ffi::queue::unipc_queue_send::{{closure}}`.
fn function<F>() -> &'static str {
    type_name::<F>().rsplit("::").find(|part| part.starts_with("unipc_")).unwrap_or("unipc")
}

/// Long enough for an object and what is wrong with it.
const ROOM: usize = 512;

/// A longer object, which a path can be, is shown by its ends, so that the cause has its place.
const LONGEST_OBJECT: usize = 280;

fn ends(object: &str) -> (&str, &str) {
    let mut head = LONGEST_OBJECT / 2;
    let mut tail = object.len() - LONGEST_OBJECT / 2;
    while !object.is_char_boundary(head) {
        head -= 1;
    }
    while !object.is_char_boundary(tail) {
        tail += 1;
    }
    (&object[..head], &object[tail..])
}

thread_local! {
    // Constant and without destructor: it costs no memory but its own, and a thread may fail to the
    // very end. The last byte stays 0.
    static LAST: UnsafeCell<[u8; ROOM]> = const { UnsafeCell::new([0; ROOM]) };
}

/// The sentence of the last failure in this thread.
pub fn last_error() -> *const c_char {
    LAST.with(|last| last.get().cast_const().cast())
}

/// Writes the sentence into its place, cut before the first character that does not fit.
struct Text {
    len: usize,
}

impl Text {
    fn new() -> Text {
        Text { len: 0 }
    }

    fn put(&self, bytes: &[u8]) {
        LAST.with(|last| {
            // SAFETY: of this thread, and lent to nobody while the bytes are copied; the callers
            // stay within ROOM.
            unsafe { (&mut (*last.get()))[self.len..self.len + bytes.len()].copy_from_slice(bytes) }
        });
    }

    fn end(self) {
        self.put(&[0]);
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut fits = text.len().min(ROOM - 1 - self.len);
        while !text.is_char_boundary(fits) {
            fits -= 1;
        }
        self.put(&text.as_bytes()[..fits]);
        self.len += fits;
        if fits == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}
