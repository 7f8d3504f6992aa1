//! Pipelines: programs one after the other.

use crate::buffer::Input;
use crate::command::{Binding, Given, Options, group};
use crate::convert::{Signal, Whole, Word};
use crate::errors::raise;
use crate::pipe::{PipeReader, PipeWriter};
use crate::process::{Child, Duty, ECHILD, Ends, forgive, grace_of, patience, start};
use crate::record::Record;
use crate::status::Status;
use crate::wait::{Limit, attend, attend_unbroken};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyIndexError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyTuple};
use std::ffi::OsStr;
use std::sync::{Arc, OnceLock};
use unipc::pipeline::{Running, Stderr};
use unipc::process::Group;

static OUTPUT: Record<3> = Record::new("PipelineOutput");
static JOINT: Record<3> = Record::new("Joint");

impl Word for Stderr {
    const WHAT: &'static str = "stderr";
    const WORDS: &'static [(&'static str, Self)] = &[("apart", Stderr::Apart), ("merged", Stderr::Merged)];
}

/// Programs one after the other, the output of each the input of the next: ``p1 | p2 | p3``.
///
/// Each stage is a sequence of arguments or a Command, as spawn() takes it. ``stdin`` of the first and
/// ``stdout`` of the last stage are bound as those of a Command; ``stderr`` is None (each stage's as its
/// Command says), "apart" (a pipe for each) or "merged" (one pipe for all). Success is that of the
/// last stage or, with ``pipefail``, of all; that SIGPIPE killed one because the next had left early, as
/// ``yes`` in ``yes | head -1``, is no failure of it. ``group="own"`` puts all of them in a process group
/// of their own, which signal() and cancel() then reach whole. ``open_joints`` has the numbers of joints,
/// 0 for the one between the first two stages, through which this process passes the bytes itself: see
/// RunningPipeline.joints.
///
/// Nothing happens before spawn(), and all ends of the pipes are closed where they must be.
#[pyclass(frozen, weakref, module = "unipc")]
pub struct Pipeline {
    stages: Vec<Py<PyAny>>,
    stdin: Binding,
    stdout: Binding,
    stderr: Stderr,
    pipefail: bool,
    group: Option<Group>,
    open_joints: Vec<usize>,
}

#[pymethods]
impl Pipeline {
    #[new]
    #[pyo3(
        signature = (
            *stages, stdin = None, stdout = None, stderr = None, pipefail = false, group = None, open_joints = vec![]
        ),
        text_signature = "(*stages, stdin=None, stdout=None, stderr=None, pipefail=False, group=None, open_joints=())"
    )]
    fn new(
        stages: &Bound<'_, PyTuple>,
        stdin: Option<&Bound<'_, PyAny>>,
        stdout: Option<&Bound<'_, PyAny>>,
        stderr: Option<&str>,
        pipefail: bool,
        #[pyo3(from_py_with = optional_group)] group: Option<Group>,
        open_joints: Vec<Whole<usize>>,
    ) -> PyResult<Pipeline> {
        for stage in stages {
            Given::new(&stage)?;
        }
        let bind = |stream: Option<&Bound<'_, PyAny>>| stream.map_or(Ok(Binding::Inherit), Binding::new);
        Ok(Pipeline {
            stages: stages.iter().map(Bound::unbind).collect(),
            stdin: bind(stdin)?,
            stdout: bind(stdout)?,
            stderr: stderr.map_or(Ok(Stderr::AsSet), Stderr::parse)?,
            pipefail,
            group,
            open_joints: open_joints.into_iter().map(|number| number.0).collect(),
        })
    }

    /// Starts all stages and returns the RunningPipeline.
    ///
    /// Waits and raises as spawn() does; the error names the program and its place, "stage 2 of 3". The
    /// stages before it are then ended, with 100 ms of grace, and reaped: nothing is left running.
    /// ValueError if there are no stages.
    fn spawn(&self, py: Python<'_>) -> PyResult<RunningPipeline> {
        let none = Options::default();
        let given = self.stages.iter().map(|stage| Given::new(stage.bind(py))).collect::<PyResult<Vec<_>>>()?;
        let mut pipeline = unipc::Pipeline::new();
        for stage in &given {
            pipeline.stage(stage.build(py, &none)?);
        }
        let name = OsStr::new("pipeline");
        if !matches!(self.stdin, Binding::Inherit) {
            pipeline.stdin(self.stdin.redirect(py, name, "stdin")?);
        }
        if !matches!(self.stdout, Binding::Inherit) {
            pipeline.stdout(self.stdout.redirect(py, name, "stdout")?);
        }
        pipeline.stderr(self.stderr).pipefail(self.pipefail);
        if let Some(group) = self.group {
            pipeline.group(group);
        }
        for number in &self.open_joints {
            pipeline.open_joint(*number);
        }
        let mut running = start(py, || pipeline.spawn())?;
        for stage in &given {
            stage.went(py, &none);
        }
        self.stdin.went(py);
        self.stdout.went(py);
        let ends = Ends::new(py, running.take_streams())?;
        let joints = std::mem::take(&mut running.joints).into_iter().map(|joint| {
            let number = joint.number.into_bound_py_any(py)?;
            let reader = PipeReader::wrap(py, joint.reader)?.into_bound_py_any(py)?;
            let writer = PipeWriter::wrap(py, joint.writer)?.into_bound_py_any(py)?;
            JOINT.make(py, [number, reader, writer])
        });
        let joints = PyTuple::new(py, joints.collect::<PyResult<Vec<_>>>()?)?.unbind();
        Ok(RunningPipeline { running: Arc::new(running), ends, joints, statuses: OnceLock::new(), duty: Duty::new() })
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let stages = self.stages.iter().map(|stage| Ok(stage.bind(py).repr()?.to_string()));
        Ok(format!("unipc.Pipeline({})", stages.collect::<PyResult<Vec<_>>>()?.join(", ")))
    }

    fn __reduce__(_slf: &Bound<'_, Self>) -> PyResult<()> {
        Err(PyTypeError::new_err("a pipeline cannot be pickled: send its stages, and make it anew there"))
    }
}

fn optional_group(object: &Bound<'_, PyAny>) -> PyResult<Option<Group>> {
    if object.is_none() { Ok(None) } else { group(object).map(Some) }
}

/// How the stages of a pipeline ended, in their order: a sequence of Status.
#[pyclass(frozen, sequence, module = "unipc")]
#[derive(Clone)]
pub struct Statuses(unipc::pipeline::Statuses);

#[pymethods]
impl Statuses {
    /// Whether the pipeline succeeded: the last stage did, and with ``pipefail`` every other, too.
    #[getter]
    fn success(&self) -> bool {
        self.0.success()
    }

    /// The number of the stage that makes the pipeline a failure, from 0 on, or None.
    ///
    /// It is the last stage or, with ``pipefail``, the last that did not succeed.
    #[getter]
    fn failed(&self) -> Option<usize> {
        self.0.failed()
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __getitem__(&self, index: isize) -> PyResult<Status> {
        let from = if index < 0 { self.0.len() } else { 0 };
        let status = from.checked_add_signed(index).and_then(|place| self.0.get(place));
        status.map(|status| Status(*status)).ok_or_else(|| PyIndexError::new_err("there are fewer stages"))
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyTuple::new(py, self.0.iter().map(|status| Status(*status)).collect::<Vec<_>>())?.try_iter()
    }

    fn __bool__(_slf: &Bound<'_, Self>) -> PyResult<bool> {
        Err(PyTypeError::new_err("statuses are neither true nor false: ask for their success"))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Statuses>().is_ok_and(|other| self.0 == other.get().0)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        PyTuple::new(py, self.0.iter().map(|status| status.raw()))?.hash()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<unipc.Statuses {}>", self.0)
    }
}

/// A pipeline whose stages run. Made by Pipeline.spawn().
///
/// Any thread may wait for it, signal it and cancel it. Leaving a ``with`` block closes the pipes to it
/// and waits until all stages have ended, as a Child's does; an object that is dropped before anybody
/// waited lets them run on, with a ResourceWarning, which detach() avoids, and leaves no zombie.
#[pyclass(frozen, weakref, module = "unipc")]
pub struct RunningPipeline {
    running: Arc<Running>,
    ends: Ends,
    /// The opened joints, in their order: a tuple of Joints.
    ///
    /// What comes out of a joint's reader is to go into its writer, by splice_to() say, and closing both is
    /// the end of it. Nobody else does that: communicate() and wait() need a thread that does, or wait for
    /// ever.
    #[pyo3(get)]
    joints: Py<PyTuple>,
    statuses: OnceLock<unipc::pipeline::Statuses>,
    duty: Duty,
}

impl RunningPipeline {
    fn ended(&self, statuses: unipc::pipeline::Statuses) -> Statuses {
        self.duty.done();
        Statuses(self.statuses.get_or_init(|| statuses).clone())
    }

    fn outcome(&self, outcome: Result<unipc::pipeline::Statuses, Box<unipc::Error>>) -> PyResult<Statuses> {
        match outcome {
            Ok(statuses) => Ok(self.ended(statuses)),
            Err(error) => {
                if error.errno() == ECHILD {
                    self.duty.done();
                }
                Err(raise(*error))
            }
        }
    }

    fn wait_for(&self, py: Python<'_>, limit: Limit) -> PyResult<Statuses> {
        if let Some(statuses) = self.statuses.get() {
            return Ok(Statuses(statuses.clone()));
        }
        self.outcome(attend(py, limit, |until| self.running.wait_by(until))?)
    }

    fn label(&self) -> String {
        let stages: Vec<_> = self.running.stages().iter().map(|stage| format!("{stage:?}")).collect();
        format!("unipc.RunningPipeline {}", stages.join(" | "))
    }
}

#[pymethods]
impl RunningPipeline {
    /// The stages, in their order, each a Child: to be signalled and waited for by itself.
    #[getter]
    fn stages<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let stage = |number| Child::stage(self.running.clone(), number);
        PyTuple::new(py, (0..self.running.stages().len()).map(stage).collect::<Vec<_>>())
    }

    /// The PipeWriter of the first stage's input if that is a PIPE, else None.
    #[getter]
    fn stdin(&self, py: Python<'_>) -> Option<Py<PipeWriter>> {
        self.ends.stdin.as_ref().map(|end| end.clone_ref(py))
    }

    /// The PipeReader of the last stage's output if that is a PIPE, else None.
    #[getter]
    fn stdout(&self, py: Python<'_>) -> Option<Py<PipeReader>> {
        self.ends.outputs[0].as_ref().map(|end| end.clone_ref(py))
    }

    /// The PipeReaders of the stages' standard errors, None where that is no pipe; one for all if they
    /// are merged.
    #[getter]
    fn stderr<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let ends = self.ends.outputs[1..].iter().map(|end| end.as_ref().map(|end| end.clone_ref(py)));
        PyTuple::new(py, ends.collect::<Vec<_>>())
    }

    /// The Statuses if wait(), poll() or another call of this object has found them, else None.
    #[getter]
    fn statuses(&self) -> Option<Statuses> {
        self.statuses.get().cloned().map(Statuses)
    }

    /// Waits until all stages have ended and returns their Statuses, which stay known.
    ///
    /// It neither feeds the first nor reads from the last, which may then wait for ever: see
    /// communicate(). ``timeout`` is in seconds, and waits and raises as Child.wait() does.
    #[pyo3(signature = (timeout = None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Statuses> {
        self.wait_for(py, Limit::timeout(timeout)?)
    }

    /// Returns the Statuses if all stages have ended, or None; does not wait.
    ///
    /// Raises ChildProcessError as wait() does.
    fn poll(&self) -> PyResult<Option<Statuses>> {
        match self.running.try_wait() {
            Ok(None) => Ok(None),
            Ok(Some(statuses)) => Ok(Some(self.ended(statuses))),
            Err(error) => self.outcome(Err(Box::new(error))).map(Some),
        }
    }

    /// Writes ``input`` to the first stage and closes that, reads the output of the last and every
    /// standard error to their ends, waits for all, and returns a PipelineOutput:
    /// ``(stdout, stderr, statuses)``, of which ``stderr`` is a tuple, as the property has it.
    ///
    /// What is said of any amount of data, of who leaves early, of exceptions and of calling again holds as in
    /// Child.communicate(). ``timeout`` is in seconds. An exception that ends it early has ``stdout`` (bytes),
    /// ``stderr`` (a tuple of bytes) and ``transferred``. ``limit`` is as there.
    #[pyo3(signature = (input = None, *, timeout = None, limit = None))]
    fn communicate<'py>(
        &self,
        py: Python<'py>,
        input: Option<Input<'_, '_>>,
        timeout: Option<f64>,
        limit: Option<Whole<usize>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let errors = |heard: &[&[u8]]| PyTuple::new(py, heard[1..].iter().map(|bytes| PyBytes::new(py, bytes)));
        let tell = |error: &Bound<'py, PyAny>, heard: &[&[u8]]| {
            error.setattr("stdout", PyBytes::new(py, heard[0]))?;
            error.setattr("stderr", errors(heard)?)
        };
        let (input, time) = (input.as_ref().map_or(&[][..], Input::as_slice), Limit::timeout(timeout)?);
        let (heard, statuses) =
            self.ends.communicate(py, input, time, limit, tell, |until| self.running.wait_by(until))?;
        let statuses = Bound::new(py, self.ended(statuses))?;
        let errors = PyTuple::new(py, &heard[1..])?.into_any();
        OUTPUT.make(py, [heard[0].clone().into_any(), errors, statuses.into_any()])
    }

    /// Sends a signal to every stage that has not ended; to their group if they have one of their own.
    ///
    /// Raises OSError (EINVAL) if there is no such signal, PermissionError if a stage has changed its user.
    #[pyo3(signature = (signal, /))]
    fn signal(&self, signal: Signal) -> PyResult<()> {
        self.running.signal(signal.0).map_err(raise)
    }

    /// Ends all stages and returns their Statuses: SIGTERM, then SIGKILL to those that still run after
    /// ``grace`` seconds.
    ///
    /// One that is stopped gets SIGCONT, too; if they have a group of their own the signals go to all of
    /// that. What stands in the outputs can still be read. A signal handler runs at the latest when the grace is
    /// over; if it raises, so does this call. Raises what wait() and signal() do.
    fn cancel(&self, py: Python<'_>, grace: f64) -> PyResult<Statuses> {
        self.outcome(attend_unbroken(py, grace_of(grace)?, |until| self.running.cancel(until))?)
    }

    /// Lets the stages run on without this process: dropping this object then gives no ResourceWarning.
    fn detach(&self) {
        self.duty.done();
    }

    /// Returns this object, which leaving the block waits for.
    fn __enter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Self> {
        slf
    }

    /// Closes the pipes and waits for all stages.
    #[pyo3(signature = (*exception))]
    fn __exit__(&self, py: Python<'_>, exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.ends.close(py);
        for joint in self.joints.bind(py) {
            joint.getattr("reader")?.call_method0("close")?;
            joint.getattr("writer")?.call_method0("close")?;
        }
        let limit = patience(exception);
        self.wait_for(py, limit).map(drop).or_else(|error| forgive(py, limit, error))
    }

    fn __repr__(&self) -> String {
        format!("<{}>", self.label())
    }

    fn __reduce__(_slf: &Bound<'_, Self>) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a running pipeline cannot be pickled: its stages are the children of this process alone",
        ))
    }
}

impl Drop for RunningPipeline {
    fn drop(&mut self) {
        self.duty.warn(|| self.label());
    }
}
