//! The callbacks of queues, and who waits for their end.
//!
//! The core tells of a message on a thread of its own, which must not run Python code: an interpreter
//! that ends (before 3.14) ends the threads that run it, by unwinding them, which Rust's do not
//! survive. So the core's thread only passes the news on to a thread of Python's, which
//! `unipc/_notification.py` starts.

use pyo3::prelude::*;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// How often who waits for a callback looks for signals.
const LOOK: Duration = Duration::from_millis(50);

/// One registered callback, from its registration to its end.
struct Callback {
    /// In a child made by fork its thread does not exist.
    process: u32,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    thread: Option<ThreadId>,
    ended: bool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Callback {
    fn is_running(&self) -> bool {
        self.process == std::process::id() && !locked(&self.state).ended
    }

    fn is_this_thread(&self) -> bool {
        self.process == std::process::id() && locked(&self.state).thread == Some(thread::current().id())
    }

    fn end(&self) {
        locked(&self.state).ended = true;
        self.ended.notify_all();
    }

    fn wait(&self, time: Duration) {
        let state = locked(&self.state);
        drop(self.ended.wait_timeout_while(state, time, |state| !state.ended));
    }
}

/// The callbacks of a queue that may run still.
///
/// No lock in this file is held while a thread waits for the interpreter, except the one around the
/// receiver, which has one user.
#[derive(Default)]
pub struct Callbacks(Mutex<Vec<Arc<Callback>>>);

impl Callbacks {
    /// A registration to be made, and the means to tell of its message.
    pub fn prepare() -> (Notification, Tell) {
        let (news, told) = channel();
        let callback = Callback { process: std::process::id(), state: Mutex::default(), ended: Condvar::new() };
        (Notification { told: Mutex::new(told), callback: Arc::new(callback) }, Tell(news))
    }

    /// Starts the thread that waits for the message and calls `function`.
    pub fn start(&self, function: &Bound<'_, PyAny>, notification: Notification) -> PyResult<()> {
        let callback = Arc::clone(&notification.callback);
        let mut callbacks = locked(&self.0);
        callbacks.retain(|callback| callback.is_running());
        callbacks.push(Arc::clone(&callback));
        drop(callbacks);
        let module = function.py().import("unipc._notification")?;
        module.call_method1("start", (notification, function)).inspect_err(|_| callback.end())?;
        Ok(())
    }

    /// Waits until none runs, unless one of them makes this call; a signal handler may end the wait.
    pub fn wait(&self, py: Python<'_>) -> PyResult<()> {
        let callbacks = locked(&self.0).clone();
        if callbacks.iter().any(|callback| callback.is_this_thread()) {
            return Ok(());
        }
        for callback in callbacks {
            while callback.is_running() {
                py.detach(|| callback.wait(LOOK));
                py.check_signals()?;
            }
        }
        Ok(())
    }
}

/// Tells the thread of a callback that the message has come or, dropped, that none will.
pub struct Tell(Sender<()>);

impl Tell {
    pub fn call(self) {
        // If nobody listens, the thread could not be started.
        let _ = self.0.send(());
    }
}

/// What the thread of a callback is given.
#[pyclass(frozen, module = "unipc")]
pub struct Notification {
    told: Mutex<Receiver<()>>,
    callback: Arc<Callback>,
}

#[pymethods]
impl Notification {
    fn wait(&self, py: Python<'_>) -> bool {
        locked(&self.callback.state).thread = Some(thread::current().id());
        py.detach(|| locked(&self.told).recv().is_ok())
    }

    fn done(&self) {
        self.callback.end();
    }
}
