//! What both test programs share: promises, a watchdog, objects that go when their test ends.
#![allow(dead_code)] // each program uses its part

use libtest_mimic::{Arguments, Failed, Trial};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};
use unipc::{Engine, Fifo, Memory, Queue, Semaphore};

/// Long enough for a loaded machine; only what hangs comes to it.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Test functions whose names read as sentences, listed as they are written: with `(engine)` each
/// runs once for every one of the file's `ENGINES`.
#[macro_export]
macro_rules! promises {
    ($($(#[$doc:meta])* fn $name:ident($engine:ident) $body:block)*) => {
        $($(#[$doc])* fn $name($engine: unipc::Engine) $body)*
        pub fn all(what: &str) -> Vec<libtest_mimic::Trial> {
            let mut trials = Vec::new();
            for &engine in ENGINES {
                $(trials.push($crate::common::trial(format!("{what}::{engine}::{}", stringify!($name)), move || $name(engine)));)*
            }
            trials
        }
    };
    ($($(#[$doc:meta])* fn $name:ident() $body:block)*) => {
        $($(#[$doc])* fn $name() $body)*
        pub fn all(what: &str) -> Vec<libtest_mimic::Trial> {
            vec![$($crate::common::trial(format!("{what}::{}", stringify!($name)), $name)),*]
        }
    };
}

pub fn trial(name: String, promise: impl FnOnce() + Send + 'static) -> Trial {
    let label = name.clone();
    Trial::test(name, move || {
        let (done, watched) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if watched.recv_timeout(WATCHDOG) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprintln!("WATCHDOG: {label} hangs; ending the whole run");
                remove_all();
                std::process::abort();
            }
        });
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(promise));
        drop(done);
        outcome.map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            Failed::from(text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("panicked").to_owned())
        })
    })
}

pub fn run(trials: Vec<Trial>) -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

static COUNT: AtomicU32 = AtomicU32::new(0);
static LIVING: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn remove(name: &str) {
    let _ = Queue::unlink(name);
    let _ = Memory::unlink(name);
    let _ = Semaphore::unlink(name);
    let _ = std::fs::remove_file(path_of(name));
}

fn remove_all() {
    for name in LIVING.lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter() {
        remove(name);
    }
}

fn path_of(name: &str) -> PathBuf {
    std::env::temp_dir().join(&name[1..])
}

/// A name that nobody else uses; whatever bears it goes when this does.
pub struct Scratch(String);

impl Scratch {
    pub fn new() -> Scratch {
        let name = format!("/unipc-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        LIVING.lock().unwrap().push(name.clone());
        Scratch(name)
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    pub fn path(&self) -> PathBuf {
        path_of(&self.0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.0);
        LIVING.lock().unwrap().retain(|name| *name != self.0);
    }
}

/// A small queue: many tests share the user's RLIMIT_MSGQUEUE.
pub fn queue(engine: Engine, scratch: &Scratch, max_messages: usize) -> Queue {
    Queue::options().engine(engine).max_messages(max_messages).message_size(64).create(scratch.name()).unwrap()
}

pub fn fifo(scratch: &Scratch) -> Fifo {
    Fifo::create(scratch.path()).unwrap()
}

/// Lets `wait` block in a thread of its own, sends that thread signals until it returns, and gives
/// back what it returned.
pub fn interrupted<T: Send>(wait: impl FnOnce() -> T + Send) -> T {
    unsafe extern "C" fn handler(_: i32) {}
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize; // without SA_RESTART
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) }, 0);
    std::thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let waiter = scope.spawn(move || {
            tell.send(unsafe { libc::pthread_self() }).unwrap();
            wait()
        });
        let thread = told.recv().unwrap();
        while !waiter.is_finished() {
            std::thread::sleep(Duration::from_millis(5));
            if !waiter.is_finished() {
                unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
            }
        }
        waiter.join().unwrap()
    })
}

/// Runs `wait` and says how long it took: promises about time are only ever about the minimum.
pub fn timed<T>(wait: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let outcome = wait();
    (outcome, begin.elapsed())
}

pub const SHORT: Duration = Duration::from_millis(30);

/// Waits until something that another thread or process brings about is so.
pub fn until(what: &str, so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !so() {
        assert!(begin.elapsed() < WATCHDOG / 2, "never so: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub fn errno<T>(outcome: unipc::Result<T>) -> i32 {
    match outcome {
        Ok(_) => panic!("succeeded, but should have failed"),
        Err(error) => error.errno(),
    }
}

pub fn mode_of(path: impl AsRef<std::path::Path>) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

pub fn umask() -> u32 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Umask:")).unwrap();
    u32::from_str_radix(line.trim(), 8).unwrap()
}
