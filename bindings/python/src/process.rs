//! Children: starting them, talking to them, waiting for them.

use crate::buffer::Input;
use crate::command::{Given, Options, refused};
use crate::convert::{Signal, Whole};
use crate::errors::{after, raise};
use crate::fork;
use crate::handle::{Open, warn_of_a_leak};
use crate::pipe::{End, PipeEnd, PipeReader, PipeWriter};
use crate::record::Record;
use crate::status::Status;
use crate::wait::{Limit, attend, attend_unbroken};
use pyo3::exceptions::{PyKeyboardInterrupt, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use std::ops::Deref;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, TryLockError};
use std::time::Duration;
use unipc::Deadline;
use unipc::pipeline::Running;
use unipc::process::Streams;

/// How long a block that Ctrl-C ended waits for those who got it, too.
const LAST_WORDS: Duration = Duration::from_millis(250);

static OUTPUT: Record<3> = Record::new("Output");

/// Starts a program and returns the Child, which runs already.
///
/// ``command`` is a sequence of arguments, as in ``spawn(["ls", "-l"])``, or a Command, which shell()
/// makes of a line. The keywords are those of Command, and come before what it has.
///
/// Waits until the program is loaded, and for who opens the other end of a FIFO given as a File; a
/// signal handler runs meanwhile. What prevents it from running is raised here and names the program, or
/// the directory or file that it is about: FileNotFoundError, PermissionError, NotADirectoryError,
/// OSError (ENOEXEC, E2BIG, EMFILE, EAGAIN; EBADF for a closed descriptor), ValueError for an empty
/// vector or a NUL. The child has its signals at their defaults and nothing that was not given to it.
/// See posix_spawn(3).
#[pyfunction]
#[pyo3(signature = (command, **options))]
pub fn spawn(py: Python<'_>, command: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Child> {
    let options = Options::of("spawn", options)?;
    let given = Given::new(command)?;
    let mut command = given.build(py, &options)?;
    let mut child = start(py, || command.spawn())?;
    given.went(py, &options);
    let streams = child.take_streams();
    Ok(Child::new(Process::Alone(Box::new(child)), Ends::new(py, streams)?))
}

/// Calls `spawn` until no signal handler ends it early.
pub fn start<R: Send>(py: Python<'_>, mut spawn: impl FnMut() -> unipc::Result<R> + Send) -> PyResult<R> {
    attend_unbroken(py, Limit::Never, |_| spawn())?.map_err(|error| refused(*error))
}

/// A child by itself or in a pipeline.
pub enum Process {
    Alone(Box<unipc::Child>),
    Stage(Arc<Running>, usize),
}

impl Deref for Process {
    type Target = unipc::Child;

    fn deref(&self) -> &unipc::Child {
        match self {
            Process::Alone(child) => child,
            Process::Stage(running, number) => &running.stages()[*number],
        }
    }
}

/// The pipes of a child or a pipeline, as Python has them.
pub struct Ends {
    pub stdin: Option<Py<PipeWriter>>,
    pub outputs: Vec<Option<Py<PipeReader>>>,
    /// None of a stage, whose pipeline has the pipes.
    /// While nobody communicates, its pipes are in Python's objects.
    talk: Option<Mutex<Streams>>,
}

impl Ends {
    pub fn new(py: Python<'_>, mut streams: Streams) -> PyResult<Ends> {
        let stdin = streams.stdin.take().map(|writer| PipeWriter::wrap(py, writer)).transpose()?;
        let wrap = |reader: &mut Option<unipc::PipeReader>| {
            reader.take().map(|reader| PipeReader::wrap(py, reader)).transpose()
        };
        let outputs = streams.outputs.iter_mut().map(wrap).collect::<PyResult<Vec<_>>>()?;
        Ok(Ends { stdin, outputs, talk: Some(Mutex::new(streams)) })
    }

    fn none() -> Ends {
        Ends { stdin: None, outputs: vec![None, None], talk: None }
    }

    fn all<'a, 'py>(&'a self, py: Python<'py>) -> impl Iterator<Item = Bound<'py, PipeEnd>> + use<'a, 'py> {
        let stdin = self.stdin.iter().map(move |end| end.bind(py).as_super().clone());
        stdin.chain(self.outputs.iter().flatten().map(move |end| end.bind(py).as_super().clone()))
    }

    pub fn close(&self, py: Python<'_>) {
        self.all(py).for_each(|end| Open::close(&end));
    }

    /// Feeds `input`, collects the outputs, and does `then`, which waits. Gives what was heard, and what `then`
    /// gives; an exception has both with it, and the next call goes on.
    pub fn communicate<'py, R: Send>(
        &self,
        py: Python<'py>,
        input: &[u8],
        limit: Limit,
        most: Option<Whole<usize>>,
        tell: impl FnOnce(&Bound<'py, PyAny>, &[&[u8]]) -> PyResult<()>,
        mut then: impl FnMut(Deadline) -> unipc::Result<R> + Send,
    ) -> PyResult<(Vec<Bound<'py, PyBytes>>, R)> {
        let mut streams = match self.talk.as_ref().map(Mutex::try_lock) {
            Some(Ok(streams)) => streams,
            Some(Err(TryLockError::Poisoned(streams))) => streams.into_inner(),
            Some(Err(TryLockError::WouldBlock)) => return Err(PyValueError::new_err("somebody communicates already")),
            None => return Err(PyValueError::new_err("the pipeline has the pipes of its stages")),
        };
        let streams = &mut *streams;
        streams.limit_output(most.map_or(usize::MAX, |most| most.0));
        if let Err(error) = self.lend(py, streams) {
            self.give_back(py, streams);
            return Err(error);
        }
        let outcome = attend(py, limit, |until| streams.communicate(input, until).and_then(|()| then(until)));
        self.give_back(py, streams);
        let error = match outcome {
            // A handler whose signal came while bytes flowed runs here, and not behind this call, where what it
            // raises would take the outputs with it.
            Ok(Ok(result)) => {
                let outputs = streams.heard().map(|bytes| PyBytes::new(py, bytes)).collect();
                match py.check_signals() {
                    Ok(()) => {
                        streams.take_outputs();
                        return Ok((outputs, result));
                    }
                    Err(error) => error,
                }
            }
            Ok(Err(error)) if error.errno() == EINVAL => PyValueError::new_err(error.to_string()),
            Ok(Err(error)) => raise(*error),
            Err(error) => error,
        };
        // An exception of the user's own class may refuse attributes; it is more important than they are.
        let _ = tell(error.value(py), &streams.heard().collect::<Vec<_>>());
        Err(after(py, error, streams.written(), None))
    }

    /// Moves the pipes from Python's objects to where they communicate.
    fn lend(&self, py: Python<'_>, streams: &mut Streams) -> PyResult<()> {
        if let Some(end) = &self.stdin {
            if let Some(End::Writer(writer)) = take(end.bind(py).as_super())? {
                streams.stdin = Some(writer);
            }
        }
        for (end, place) in self.outputs.iter().zip(&mut streams.outputs) {
            if let Some(end) = end {
                if let Some(End::Reader(reader)) = take(end.bind(py).as_super())? {
                    *place = Some(reader);
                }
            }
        }
        Ok(())
    }

    fn give_back(&self, py: Python<'_>, streams: &mut Streams) {
        let restore = |end: &Bound<'_, PipeEnd>, object: End| end.slot(|slot| *slot = Some(Arc::new(object)));
        if let (Some(end), Some(writer)) = (&self.stdin, streams.stdin.take()) {
            restore(end.bind(py).as_super(), End::Writer(writer));
        }
        for (end, reader) in self.outputs.iter().zip(&mut streams.outputs) {
            if let (Some(end), Some(reader)) = (end, reader.take()) {
                restore(end.bind(py).as_super(), End::Reader(reader));
            }
        }
    }
}

/// What an end has, for its user alone.
fn take(end: &Bound<'_, PipeEnd>) -> PyResult<Option<End>> {
    let taken = end.slot(|slot| {
        slot.take().map_or(Ok(None), |object| Arc::try_unwrap(object).map(Some).map_err(|busy| *slot = Some(busy)))
    });
    taken.map_err(|()| PyValueError::new_err("another thread waits at one of its pipes"))
}

const EINVAL: i32 = 22;

/// What is true of an object that somebody should wait for before it is dropped.
pub struct Duty {
    /// Nobody in a child made by fork has it.
    generation: u32,
    done: AtomicBool,
}

impl Duty {
    pub fn new() -> Duty {
        Duty { generation: fork::generation(), done: AtomicBool::new(false) }
    }

    pub fn done(&self) {
        self.done.store(true, Ordering::Relaxed);
    }

    pub fn warn(&self, label: impl FnOnce() -> String) {
        if !self.done.load(Ordering::Relaxed) && self.generation == fork::generation() {
            warn_of_a_leak(format!("nobody waited for <{}>", label()));
        }
    }
}

/// A program that spawn() started.
///
/// Any thread may wait for it and signal it, several at once too. It can be polled together with other
/// descriptors, by selectors and by asyncio's add_reader(): its fileno() is readable once it has ended.
///
/// Leaving a ``with`` block closes the pipes to it and waits until it has ended, however long that
/// takes, as subprocess does; after a KeyboardInterrupt for a quarter of a second, as the terminal
/// interrupted it, too. Nothing but kill(), terminate() and signal() ever ends it. An object that is
/// dropped before anybody waited lets it run on, with a ResourceWarning, which detach() avoids; it is
/// never left a zombie: a thread of unipc's own waits for it. In a process made by fork it is nobody's
/// child, and waiting for it raises ChildProcessError.
#[pyclass(frozen, weakref, module = "unipc")]
pub struct Child {
    process: Process,
    ends: Ends,
    status: OnceLock<unipc::Status>,
    duty: Duty,
}

impl Child {
    fn new(process: Process, ends: Ends) -> Child {
        Child { process, ends, status: OnceLock::new(), duty: Duty::new() }
    }

    /// A stage, for which its pipeline answers.
    pub fn stage(running: Arc<Running>, number: usize) -> Child {
        let child = Child::new(Process::Stage(running, number), Ends::none());
        child.duty.done();
        child
    }

    fn label(&self) -> String {
        format!("unipc.Child {:?}", &*self.process)
    }

    fn ended(&self, status: unipc::Status) -> Status {
        self.duty.done();
        Status(*self.status.get_or_init(|| status))
    }

    /// An error that says that the status is lost is the end of it, too.
    fn outcome(&self, outcome: Result<unipc::Status, Box<unipc::Error>>) -> PyResult<Status> {
        match outcome {
            Ok(status) => Ok(self.ended(status)),
            Err(error) => {
                if error.errno() == ECHILD {
                    self.duty.done();
                }
                Err(raise(*error))
            }
        }
    }

    fn wait_for(&self, py: Python<'_>, limit: Limit) -> PyResult<Status> {
        if let Some(status) = self.status.get() {
            return Ok(Status(*status));
        }
        self.outcome(attend(py, limit, |until| self.process.wait_by(until))?)
    }
}

pub const ECHILD: i32 = 10;

/// What a ``with`` block waits for when an exception of this class ended it.
pub fn patience(exception: &Bound<'_, PyTuple>) -> Limit {
    let interrupted =
        exception.get_item(0).is_ok_and(|class| class.is(exception.py().get_type::<PyKeyboardInterrupt>()));
    if interrupted { Limit::After(LAST_WORDS) } else { Limit::Never }
}

/// After Ctrl-C who does not end is left.
pub fn forgive(py: Python<'_>, limit: Limit, error: PyErr) -> PyResult<()> {
    let left = matches!(limit, Limit::After(_)) && error.is_instance_of::<pyo3::exceptions::PyTimeoutError>(py);
    if left { Ok(()) } else { Err(error) }
}

#[pymethods]
impl Child {
    /// The number of the process. It may be another's once somebody has waited; signal() never reaches
    /// that.
    #[getter]
    fn pid(&self) -> i32 {
        self.process.id()
    }

    /// The PipeWriter of its standard input if that is a PIPE, else None.
    ///
    /// A child that reads to the end of its input ends when it is closed, and not before.
    #[getter]
    fn stdin(&self, py: Python<'_>) -> Option<Py<PipeWriter>> {
        self.ends.stdin.as_ref().map(|end| end.clone_ref(py))
    }

    /// The PipeReader of its standard output if that is a PIPE, else None.
    #[getter]
    fn stdout(&self, py: Python<'_>) -> Option<Py<PipeReader>> {
        self.ends.outputs[0].as_ref().map(|end| end.clone_ref(py))
    }

    /// The PipeReader of its standard error if that is a PIPE, else None.
    #[getter]
    fn stderr(&self, py: Python<'_>) -> Option<Py<PipeReader>> {
        self.ends.outputs[1].as_ref().map(|end| end.clone_ref(py))
    }

    /// Its Status if wait(), poll() or another call of this object has found it, else None.
    #[getter]
    fn status(&self) -> Option<Status> {
        self.status.get().copied().map(Status)
    }

    /// Returns the number of its pidfd, which is readable once it has ended.
    ///
    /// The object stays its owner: do not close the number. See pidfd_open(2).
    fn fileno(&self) -> RawFd {
        self.process.as_raw_fd()
    }

    /// Waits until it has ended and returns its Status, which stays known.
    ///
    /// A child that waits for the end of its input does not end while ``stdin`` is open, nor one that
    /// writes more than a pipe holds while nobody reads: communicate() sees to both. ``timeout`` is in
    /// seconds: None waits for ever, 0 raises BlockingIOError if it runs, and a longer one raises
    /// TimeoutError when it is over. Raises ChildProcessError if the status is lost: this process ignores
    /// SIGCHLD, waited for any child by os.wait(), or was made by fork since. A signal handler runs within a
    /// second: if it raises, so does this call, and if it returns, the wait goes on for the rest of the
    /// time. See waitid(2).
    #[pyo3(signature = (timeout = None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Status> {
        self.wait_for(py, Limit::timeout(timeout)?)
    }

    /// Returns its Status if it has ended, or None; does not wait.
    ///
    /// Raises ChildProcessError as wait() does.
    fn poll(&self) -> PyResult<Option<Status>> {
        match self.process.try_wait() {
            Ok(None) => Ok(None),
            Ok(Some(status)) => Ok(Some(self.ended(status))),
            Err(error) => self.outcome(Err(Box::new(error))).map(Some),
        }
    }

    /// Sends it a signal; 0 only asks whether it could be sent.
    ///
    /// It never reaches another process: raises ProcessLookupError once somebody has waited for it. A
    /// child that has ended takes every signal until then. Raises PermissionError if it has taken on
    /// another user's rights, OSError (EINVAL) if there is no such signal. See pidfd_send_signal(2).
    #[pyo3(signature = (signal, /))]
    fn signal(&self, signal: Signal) -> PyResult<()> {
        self.process.signal(signal.0).map_err(raise)
    }

    /// Sends a signal to the process group that it leads (``group="own"``), also to those of it that
    /// outlive it.
    ///
    /// Raises ProcessLookupError if nobody is left (before Linux 6.9 also once somebody has waited for
    /// the child), OSError (EINVAL) if it leads no group or there is no such signal, PermissionError.
    #[pyo3(signature = (signal, /))]
    fn signal_group(&self, signal: Signal) -> PyResult<()> {
        self.process.signal_group(signal.0).map_err(raise)
    }

    /// Sends it SIGKILL; one that has ended already is no error. Raises PermissionError as signal() does.
    fn kill(&self) -> PyResult<()> {
        self.process.kill().map_err(raise)
    }

    /// Ends it and returns its Status: SIGTERM, then SIGKILL if it still runs after ``grace`` seconds.
    ///
    /// If it is stopped it gets SIGCONT, too. If it leads a group the signals go to all of that; what
    /// outlives a leader that ended in time is left alone. A signal handler runs at the latest when the
    /// grace is over; if it raises, so does this call. Raises what wait() and signal() do.
    fn terminate(&self, py: Python<'_>, grace: f64) -> PyResult<Status> {
        if let Some(status) = self.status.get() {
            return Ok(Status(*status));
        }
        self.outcome(attend_unbroken(py, grace_of(grace)?, |until| self.process.terminate(until))?)
    }

    /// Writes ``input`` to it and closes that, reads its outputs to their ends, waits for it, and returns
    /// an Output: ``(stdout, stderr, status)``.
    ///
    /// Any amount of data goes in and out, at the same time, and without threads; where there is no PIPE
    /// the output is ``b""``. That the child leaves its input early is no error. The ends come when no
    /// process has the pipes open any more: a grandchild that lives on delays them. ``timeout`` is in
    /// seconds: None waits for ever, 0 raises BlockingIOError if there is more to come, and a longer one
    /// raises TimeoutError when it is over. A signal handler runs within a second: if it raises, so does
    /// this call, and if it returns, the wait goes on for the rest of the time.
    ///
    /// An exception that ends it early has in ``stdout`` and ``stderr`` what was read by then and in
    /// ``transferred`` how many bytes of the input went. The child runs on and nothing is lost: call again
    /// with the same input to go on, and get all. Raises ValueError if there is input without a PIPE, or
    /// while another thread uses the pipes, whose objects are closed meanwhile.
    ///
    /// ``limit`` is how many bytes of one output are collected at most, up to a mebibyte more: a program
    /// that writes more is an OSError (EMSGSIZE). Without it memory is the limit.
    #[pyo3(signature = (input = None, *, timeout = None, limit = None))]
    fn communicate<'py>(
        &self,
        py: Python<'py>,
        input: Option<Input<'_, '_>>,
        timeout: Option<f64>,
        limit: Option<Whole<usize>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let tell = |error: &Bound<'py, PyAny>, heard: &[&[u8]]| {
            error.setattr("stdout", PyBytes::new(py, heard[0]))?;
            error.setattr("stderr", PyBytes::new(py, heard[1]))
        };
        let (input, time) = (input.as_ref().map_or(&[][..], Input::as_slice), Limit::timeout(timeout)?);
        let (heard, status) =
            self.ends.communicate(py, input, time, limit, tell, |until| self.process.wait_by(until))?;
        let [stdout, stderr] = [0, 1].map(|place| heard[place].clone().into_any());
        OUTPUT.make(py, [stdout, stderr, Bound::new(py, self.ended(status))?.into_any()])
    }

    /// Lets it run on without this process: dropping this object then gives no ResourceWarning.
    fn detach(&self) {
        self.duty.done();
    }

    /// Returns this object, which leaving the block waits for.
    fn __enter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Self> {
        slf
    }

    /// Closes the pipes and waits for it.
    #[pyo3(signature = (*exception))]
    fn __exit__(&self, py: Python<'_>, exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.ends.close(py);
        let limit = patience(exception);
        self.wait_for(py, limit).map(drop).or_else(|error| forgive(py, limit, error))
    }

    fn __repr__(&self) -> String {
        format!("<{}>", self.label())
    }

    fn __reduce__(_slf: &Bound<'_, Self>) -> PyResult<()> {
        Err(PyTypeError::new_err("a child cannot be pickled: it is the child of this process alone"))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Process::Alone(_) = self.process {
            self.duty.warn(|| self.label());
        }
    }
}

/// A grace in seconds, from 0 on.
pub fn grace_of(seconds: f64) -> PyResult<Limit> {
    Limit::timeout(Some(seconds)).map(Limit::of_all)
}
