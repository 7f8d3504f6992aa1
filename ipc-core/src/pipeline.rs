#![doc = include_str!("../docs/pipeline.md")]

use crate::deadline::Deadline;
use crate::error::{Errno, Error, Result};
use crate::pipe::{self, PipeReader, PipeWriter};
use crate::process::communicate::Conversation;
use crate::process::{Child, Command, Group, Redirect, Status, Streams};
use crate::sys::{self, fd};
use std::ffi::OsStr;
use std::fmt;
use std::ops::Deref;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long the stages that run already are given to end when a later one cannot be started.
const GRACE: Duration = Duration::from_millis(100);

/// What to run one after the other, and how it is bound to this process.
///
/// A builder: nothing happens before [`spawn`](Self::spawn). Any thread may use it.
///
/// ```
/// use unipc::{Deadline, Pipeline, Redirect};
/// let mut counted = Pipeline::new();
/// counted.stage(["sort"]).stage(["uniq", "-c"]).stage(["tr", "-d", " "]);
/// let mut running = counted.stdin(Redirect::Pipe).stdout(Redirect::Pipe).spawn()?;
/// let output = running.communicate(b"b\na\nb\n", Deadline::NEVER)?;
/// assert!(output.statuses.success());
/// assert_eq!(output.stdout, b"1a\n2b\n");
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Pipeline {
    stages: Vec<Command>,
    stdin: Option<Redirect>,
    stdout: Option<Redirect>,
    stderr: Stderr,
    group: Option<Group>,
    pipefail: bool,
    open: Vec<usize>,
}

/// Where the stages' standard errors go. See [`Pipeline::stderr`].
///
/// ```
/// use unipc::pipeline::Stderr;
/// assert_eq!(Stderr::default(), Stderr::AsSet);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stderr {
    /// Each stage's as its command says: inherited, unless that was set.
    #[default]
    AsSet,
    /// A pipe for each stage.
    Apart,
    /// One pipe for all stages. Lines of up to [`PIPE_BUF`](crate::pipe::PIPE_BUF) bytes, written at
    /// once, do not mix.
    Merged,
}

/// What a finished conversation with a pipeline brought. See [`Running::communicate`].
///
/// ```
/// use unipc::pipeline::{Pipeline, Stderr};
/// let mut loud = Pipeline::new();
/// loud.stage(["sh", "-c", "echo one >&2"]).stage(["sh", "-c", "echo two >&2"]).stderr(Stderr::Apart);
/// let output = loud.spawn()?.communicate(b"", None)?;
/// assert_eq!(output.stderr, [b"one\n", b"two\n"]);
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Output {
    /// What the last stage wrote; empty where its output was not a pipe to this process.
    pub stdout: Vec<u8>,
    /// What each stage wrote to its standard error, in their order; with [`Stderr::Merged`] one for all.
    pub stderr: Vec<Vec<u8>>,
    /// How each stage ended.
    pub statuses: Statuses,
}

/// How the stages of a pipeline ended, in their order, and what that means for the whole. It is a slice
/// of [`Status`].
///
/// ```
/// use unipc::Pipeline;
/// let mut two = Pipeline::new();
/// let statuses = two.stage(["false"]).stage(["true"]).spawn()?.wait()?;
/// assert_eq!(statuses[0].code(), Some(1));
/// assert!(statuses.success());
/// let statuses = two.pipefail(true).spawn()?.wait()?;
/// assert!(!statuses.success());
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses {
    each: Vec<Status>,
    pipefail: bool,
}

impl<S: AsRef<OsStr>, const N: usize> From<[S; N]> for Command {
    /// As [`Command::from_arguments`].
    fn from(arguments: [S; N]) -> Command {
        Command::from_arguments(arguments)
    }
}

impl<S: AsRef<OsStr>> From<Vec<S>> for Command {
    /// As [`Command::from_arguments`].
    fn from(arguments: Vec<S>) -> Command {
        Command::from_arguments(arguments)
    }
}

impl From<&mut Command> for Command {
    /// Takes what was built, so that `Command::new("sort").arg("-n")` is a stage; an empty argument vector
    /// stays behind.
    fn from(built: &mut Command) -> Command {
        std::mem::replace(built, Command::from_arguments::<&str>([]))
    }
}

/// A joint that [`Pipeline::open_joint`] opened: what comes out of one stage is to go into the next, and
/// this process passes it on. Dropping it closes both ends, so that the one stage is told that its
/// reader has left, and the other that its input has ended.
///
/// ```
/// use unipc::{Deadline, Pipeline, Redirect};
/// let mut counted = Pipeline::new();
/// counted.stage(["echo", "hello"]).stage(["cat"]).open_joint(0);
/// let mut running = counted.stdout(unipc::Redirect::Null).spawn()?;
/// let joint = running.joints.remove(0);
/// let mut passed = 0;
/// loop {
///     match joint.reader.splice_to(&joint.writer, 1 << 20, Deadline::NEVER)? {
///         0 => break,
///         count => passed += count,
///     }
/// }
/// drop(joint);
/// assert_eq!(passed, 6);
/// assert!(running.wait()?.success());
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Debug)]
pub struct Joint {
    /// Which joint: 0 is the one between stages 0 and 1.
    pub number: usize,
    /// Reads what the stage before writes.
    pub reader: PipeReader,
    /// Writes what the stage behind reads.
    pub writer: PipeWriter,
}

/// A pipeline whose stages are started.
///
/// Dropping it closes the ends it still has and kills nobody; no stage stays a zombie, as said of
/// [`Child`]. Any thread may use it.
///
/// ```
/// use std::io::Read;
/// use unipc::{Pipeline, Redirect};
/// let mut endless = Pipeline::new();
/// let mut running = endless.stage(["yes"]).stage(["head", "-1"]).stdout(Redirect::Pipe).pipefail(true).spawn()?;
/// let mut text = String::new();
/// running.stdout.take().unwrap().read_to_string(&mut text)?;
/// assert_eq!(text, "y\n");
/// assert!(running.wait()?.success()); // though SIGPIPE killed `yes`
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Running {
    /// Writes to the first stage, where its input was bound to [`Redirect::Pipe`].
    pub stdin: Option<PipeWriter>,
    /// Reads from the last stage, where its output was bound to [`Redirect::Pipe`].
    pub stdout: Option<PipeReader>,
    /// Reads the standard error of each stage, where that is a pipe; with [`Stderr::Merged`] one for all.
    pub stderr: Vec<Option<PipeReader>>,
    /// The opened joints, in the order of the stages.
    pub joints: Vec<Joint>,
    stages: Vec<Child>,
    own_group: bool,
    /// SIGTERM was sent.
    asked: AtomicBool,
    pipefail: bool,
    conversation: Conversation,
}

impl Pipeline {
    /// No stages yet.
    ///
    /// ```
    /// assert_eq!(unipc::Pipeline::new().spawn().unwrap_err().cause(), "it has no stages");
    /// ```
    pub fn new() -> Pipeline {
        Pipeline::default()
    }

    /// Adds a stage behind the others: a [`Command`], or the argument vector of one. What the command
    /// says of its standard input and output holds where the pipeline begins and ends, unless
    /// [`stdin`](Self::stdin) and [`stdout`](Self::stdout) say otherwise; in between, the joints replace it.
    ///
    /// ```
    /// use unipc::{Command, Pipeline};
    /// let mut lines = Pipeline::new();
    /// lines.stage(Command::new("sort").env("LC_ALL", "C")).stage(["uniq", "-c"]);
    /// # assert!(lines.stdin(unipc::Redirect::Null).spawn()?.wait()?.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn stage(&mut self, command: impl Into<Command>) -> &mut Pipeline {
        self.stages.push(command.into());
        self
    }

    /// Binds the input of the first stage. [`Redirect::Pipe`] gives the other end as
    /// [`Running::stdin`].
    ///
    /// ```
    /// use unipc::{Pipeline, Redirect};
    /// let status = Pipeline::new().stage(["cat"]).stdin(Redirect::Null).spawn()?.wait()?;
    /// assert!(status.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn stdin(&mut self, from: impl Into<Redirect>) -> &mut Pipeline {
        self.stdin = Some(from.into());
        self
    }

    /// Binds the output of the last stage. [`Redirect::Pipe`] gives the other end as
    /// [`Running::stdout`].
    ///
    /// ```
    /// let (reader, writer) = unipc::pipe()?;
    /// let running = unipc::Pipeline::new().stage(["echo", "hello"]).stage(["cat"]).stdout(writer).spawn()?;
    /// let mut buffer = [0; 8];
    /// assert_eq!(reader.read_full(&mut buffer, None)?, 6);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn stdout(&mut self, to: impl Into<Redirect>) -> &mut Pipeline {
        self.stdout = Some(to.into());
        self
    }

    /// Says where the stages' standard errors go.
    ///
    /// ```
    /// use unipc::pipeline::{Pipeline, Stderr};
    /// let mut loud = Pipeline::new();
    /// loud.stage(["sh", "-c", "echo one >&2"]).stage(["cat", "/no/such"]).stderr(Stderr::Merged);
    /// let output = loud.spawn()?.communicate(b"", None)?;
    /// assert!(output.stderr[0].len() > 4);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn stderr(&mut self, to: Stderr) -> &mut Pipeline {
        self.stderr = to;
        self
    }

    /// Whether every stage must succeed (`true`), or the last one (`false`, the default).
    ///
    /// ```
    /// use unipc::Pipeline;
    /// let statuses = Pipeline::new().stage(["false"]).stage(["true"]).pipefail(true).spawn()?.wait()?;
    /// assert!(!statuses.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn pipefail(&mut self, on: bool) -> &mut Pipeline {
        self.pipefail = on;
        self
    }

    /// The process group of all stages: [`Group::Own`] is one for all of them, which the first leads.
    /// Without this each stage's is as its command says. Where this process ignores SIGCHLD, a first stage
    /// that ends at once takes the group with it, and the next cannot join.
    ///
    /// ```
    /// use unipc::process::Group;
    /// let mut pair = unipc::Pipeline::new();
    /// pair.stage(["sleep", "1000"]).stage(["cat"]).group(Group::Own);
    /// let statuses = pair.spawn()?.cancel(std::time::Duration::from_secs(5))?;
    /// assert_eq!(statuses[0].signal(), Some(15)); // SIGTERM
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn group(&mut self, group: Group) -> &mut Pipeline {
        self.group = Some(group);
        self
    }

    /// Opens the joint between stage `number`, counted from 0, and the next: what goes through it passes
    /// this process, as a [`Joint`] of the running pipeline. Several may be opened.
    ///
    /// ```
    /// let mut pair = unipc::Pipeline::new();
    /// pair.stage(["echo", "hello"]).stage(["cat"]).open_joint(0);
    /// let running = pair.spawn()?;
    /// assert_eq!(running.joints.len(), 1);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn open_joint(&mut self, number: usize) -> &mut Pipeline {
        self.open.push(number);
        self
    }

    /// Starts all stages, the first one first.
    ///
    /// The descriptors that were bound go to the stages: a pipeline that had any can be spawned once.
    ///
    /// # Errors
    /// EINVAL: it has no stages, or a joint that was opened is none. What [`Command::spawn`] gives: the
    /// error names the program, and its cause ends with the place, "stage 3 of 5", counted from 1; the
    /// stages before it are then ended as by [`Running::cancel`] and reaped. EMFILE.
    ///
    /// ```
    /// let mut broken = unipc::Pipeline::new();
    /// let error = broken.stage(["yes"]).stage(["no-such-program"]).stage(["cat"]).spawn().unwrap_err();
    /// assert!(error.to_string().contains("no-such-program"));
    /// assert!(error.cause().ends_with("(stage 2 of 3)"));
    /// ```
    pub fn spawn(&mut self) -> Result<Running> {
        let refuse = |cause: String| Error::new("start", "pipeline", libc::EINVAL, cause);
        let count = self.stages.len();
        if count == 0 {
            return Err(refuse("it has no stages".into()));
        }
        if let Some(number) = self.open.iter().find(|&&number| number >= count - 1) {
            return Err(refuse(format!("it has no joint {number}: {count} stages have {} joints", count - 1)));
        }
        let mut running = Running {
            stdin: None,
            stdout: None,
            stderr: Vec::new(),
            joints: Vec::new(),
            stages: Vec::with_capacity(count),
            own_group: self.group == Some(Group::Own),
            asked: AtomicBool::new(false),
            pipefail: self.pipefail,
            conversation: Conversation::default(),
        };
        match self.start(&mut running) {
            Ok(()) => Ok(running),
            Err(error) => {
                self.forget_ends();
                running.undo();
                Err(error)
            }
        }
    }

    fn start(&mut self, running: &mut Running) -> Result<()> {
        let count = self.stages.len();
        let merged = match self.stderr {
            Stderr::Merged => {
                let (reader, writer) = pipe::pipe()?;
                running.stderr.push(Some(reader));
                Some(writer)
            }
            Stderr::AsSet | Stderr::Apart => None,
        };
        let mut upstream: Option<PipeReader> = None;
        for (number, command) in self.stages.iter_mut().enumerate() {
            if let Some(redirect) = upstream.take().map(Redirect::from).or_else(|| self.stdin.take()) {
                command.stdin(redirect);
            }
            if number + 1 < count {
                let (reader, writer) = pipe::pipe()?;
                command.stdout(writer);
                upstream = Some(if self.open.contains(&number) {
                    let (next, writer) = pipe::pipe()?;
                    running.joints.push(Joint { number, reader, writer });
                    next
                } else {
                    reader
                });
            } else if let Some(redirect) = self.stdout.take() {
                command.stdout(redirect);
            }
            match &merged {
                Some(writer) => {
                    command.stderr(writer.try_clone()?);
                }
                None if self.stderr == Stderr::Apart => {
                    command.stderr(Redirect::Pipe);
                }
                None => {}
            }
            match (self.group, running.stages.first()) {
                (Some(Group::Own), Some(first)) => command.group(Group::Join(first.id())),
                (Some(group), _) => command.group(group),
                (None, _) => command,
            };
            let mut child = command.spawn().map_err(|error| {
                let cause = format!("{} (stage {} of {count})", error.cause(), number + 1);
                error.because(cause)
            })?;
            running.stdin = running.stdin.take().or(child.stdin.take());
            running.stdout = child.stdout.take();
            if merged.is_none() {
                running.stderr.push(child.stderr.take());
            }
            running.stages.push(child);
        }
        Ok(())
    }

    /// Closes what a command that was not started still has of this pipeline's pipes.
    fn forget_ends(&mut self) {
        let last = self.stages.len() - 1;
        for (number, command) in self.stages.iter_mut().enumerate() {
            if number > 0 {
                command.stdin(Redirect::Inherit);
            }
            if number < last {
                command.stdout(Redirect::Inherit);
            }
            if self.stderr != Stderr::AsSet {
                command.stderr(Redirect::Inherit);
            }
        }
    }
}

impl Running {
    /// The stages, in their order. Each is a [`Child`]: its process id, its pidfd, its signals.
    ///
    /// ```
    /// let mut pair = unipc::Pipeline::new();
    /// let mut running = pair.stage(["sleep", "1000"]).stage(["cat"]).spawn()?;
    /// running.stages()[0].kill()?;
    /// assert_eq!(running.wait()?[0].signal(), Some(9));
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn stages(&self) -> &[Child] {
        &self.stages
    }

    /// Waits until every stage has ended. Ends that this process holds stay open: close
    /// [`stdin`](Self::stdin) before, or a stage that reads it may wait for ever.
    ///
    /// # Errors
    /// EINTR: a signal handler ran; call again. ECHILD: as said of [`Child::wait`].
    ///
    /// ```
    /// assert!(unipc::Pipeline::new().stage(["true"]).spawn()?.wait()?.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn wait(&self) -> Result<Statuses> {
        self.wait_by(Deadline::NEVER)
    }

    /// As [`wait`](Self::wait), until `deadline` at the latest.
    ///
    /// # Errors
    /// As `wait`; ETIMEDOUT: a stage, which the error names, still runs.
    ///
    /// ```
    /// use std::time::Duration;
    /// let mut running = unipc::Pipeline::new().stage(["sleep", "1000"]).spawn()?;
    /// assert!(running.wait_by(Duration::from_millis(5)).unwrap_err().timed_out());
    /// running.cancel(Duration::ZERO)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn wait_by(&self, deadline: impl Into<Deadline>) -> Result<Statuses> {
        let deadline = deadline.into();
        let mut each = Vec::with_capacity(self.stages.len());
        let mut lost = None;
        for stage in &self.stages {
            match stage.wait_by(deadline) {
                Ok(status) => each.push(status),
                Err(error) if error.errno() == libc::ECHILD => lost = lost.or(Some(error)), // the others still run
                Err(error) => return Err(error),
            }
        }
        lost.map_or(Ok(()), Err)?;
        Ok(Statuses { each, pipefail: self.pipefail })
    }

    /// The statuses, if every stage has ended.
    ///
    /// # Errors
    /// ECHILD: as said of [`Child::wait`].
    ///
    /// ```
    /// let mut running = unipc::Pipeline::new().stage(["sleep", "1000"]).spawn()?;
    /// assert!(running.try_wait()?.is_none());
    /// running.cancel(std::time::Duration::ZERO)?;
    /// assert!(running.try_wait()?.is_some());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn try_wait(&self) -> Result<Option<Statuses>> {
        match self.wait_by(Deadline::NOW) {
            Ok(statuses) => Ok(Some(statuses)),
            Err(error) if error.would_block() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes `input` to the first stage and closes it, reads the output and every standard error to
    /// their ends, all at the same time, and waits for the stages: any amount of data on any of them.
    /// A stage that leaves early is no error, its status tells.
    ///
    /// The ends of file come when no process has the pipe open any more: a grandchild that lives on
    /// delays them, up to `deadline`. With [`Deadline::NOW`] it moves what can be moved without waiting.
    ///
    /// # Errors
    /// ETIMEDOUT, EAGAIN (with `NOW`), EINTR: nothing is lost; call again with the same input to go on,
    /// or take what was read by [`partial_output`](Self::partial_output). [`Error::transferred`] tells
    /// how much of the input is in the pipe. EINVAL: `input` is there and the first stage's input is
    /// no pipe to this process, or it is shorter than what went already, or there are open
    /// [`joints`](Self::joints). ENOMEM: the output does not fit into memory. EMSGSIZE: it is more than
    /// [`limit_output`](Self::limit_output) allows. What [`wait`](Self::wait) gives.
    ///
    /// ```
    /// use unipc::{Pipeline, Redirect};
    /// let mut upper = Pipeline::new();
    /// upper.stage(["tr", "a-z", "A-Z"]).stage(["rev"]).stdin(Redirect::Pipe).stdout(Redirect::Pipe);
    /// let output = upper.spawn()?.communicate(b"hello\n", None)?;
    /// assert_eq!(output.stdout, b"OLLEH\n");
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn communicate(&mut self, input: &[u8], deadline: impl Into<Deadline>) -> Result<Output> {
        let deadline = deadline.into();
        let object = "pipeline".into();
        if !self.joints.is_empty() {
            let cause = "it has open joints: take them out, and let a thread pass on what comes to them";
            return Err(Error::new("communicate with", object, libc::EINVAL, cause));
        }
        let mut outputs: Vec<_> = [&mut self.stdout].into_iter().chain(&mut self.stderr).collect();
        self.conversation.go_on(&object, &mut self.stdin, input, &mut outputs, deadline)?;
        let statuses = self.wait_by(deadline).map_err(|error| error.after(self.conversation.written))?;
        let (stdout, stderr) = self.partial_output();
        Ok(Output { stdout, stderr, statuses })
    }

    /// Lets [`communicate`](Self::communicate) fail with EMSGSIZE when more than `bytes` have come, and were not
    /// taken, of one output; as [`Child::limit_output`].
    ///
    /// ```
    /// use unipc::{Pipeline, Redirect};
    /// let mut running = Pipeline::new().stage(["yes"]).stage(["cat"]).stdout(Redirect::Pipe).spawn()?;
    /// running.limit_output(1000);
    /// assert_eq!(running.communicate(b"", None).unwrap_err().errno(), 90); // EMSGSIZE
    /// running.cancel(std::time::Duration::from_secs(1))?;
    /// assert!(running.partial_output().0.len() > 1000);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn limit_output(&mut self, bytes: usize) {
        self.conversation.limit = Some(bytes);
    }

    /// Takes out what [`communicate`](Self::communicate) has read before it failed: the output and the
    /// standard errors, as in [`Output`]. If it is called again, it gives what comes after.
    ///
    /// ```
    /// use std::time::Duration;
    /// use unipc::{Pipeline, Redirect};
    /// let mut slow = Pipeline::new();
    /// let mut running = slow.stage(["sh", "-c", "echo first; exec sleep 1000"]).stdout(Redirect::Pipe).spawn()?;
    /// let mut heard = Vec::new();
    /// while heard.is_empty() {
    ///     assert!(running.communicate(b"", Duration::from_millis(20)).unwrap_err().timed_out());
    ///     (heard, _) = running.partial_output();
    /// }
    /// assert_eq!(heard, b"first\n");
    /// running.cancel(Duration::ZERO)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn partial_output(&mut self) -> (Vec<u8>, Vec<Vec<u8>>) {
        let mut outputs = self.conversation.take().into_iter();
        let stdout = outputs.next().unwrap_or_default();
        let mut stderr: Vec<_> = outputs.collect();
        stderr.resize_with(self.stderr.len(), Vec::new);
        (stdout, stderr)
    }

    /// Takes its pipes and its conversation, as [`Child::take_streams`]: so one thread communicates while others
    /// wait for the stages, signal and cancel them. The opened [`joints`](Self::joints) stay.
    ///
    /// ```
    /// use unipc::{Pipeline, Redirect};
    /// let mut pair = Pipeline::new();
    /// pair.stage(["cat"]).stage(["wc", "-c"]).stdin(Redirect::Pipe).stdout(Redirect::Pipe);
    /// let mut running = pair.spawn()?;
    /// let mut streams = running.take_streams();
    /// streams.communicate(b"12345", None)?;
    /// assert_eq!(streams.take_outputs()[0], b"5\n");
    /// assert!(running.wait()?.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn take_streams(&mut self) -> Streams {
        let outputs = [self.stdout.take()].into_iter().chain(std::mem::take(&mut self.stderr)).collect();
        let conversation = std::mem::take(&mut self.conversation);
        Streams::new("pipeline".into(), self.stdin.take(), outputs, conversation)
    }

    /// Sends a signal to every stage that has not ended; to their group, where they have one of their own.
    ///
    /// # Errors
    /// EINVAL: there is no such signal. EPERM: a stage has taken on another user's rights; the others have it.
    ///
    /// ```
    /// let mut running = unipc::Pipeline::new().stage(["sleep", "1000"]).stage(["cat"]).spawn()?;
    /// running.signal(1)?; // SIGHUP
    /// assert_eq!(running.wait()?[0].signal(), Some(1));
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn signal(&self, signal: i32) -> Result<()> {
        if self.own_group {
            match self.stages[0].signal_group(signal) {
                // It is empty, or, before Linux 6.9, cannot be told from another's once its leader is reaped.
                Err(error) if error.errno() == libc::ESRCH => {}
                outcome => return outcome,
            }
        }
        each(&self.stages, |stage| absent_is_done(stage.signal(signal)))
    }

    /// Ends the pipeline: SIGTERM (and SIGCONT, should it be stopped) to every stage, SIGKILL to those that
    /// still run when `grace` is over, to the group where they have one of their own; and reaps all. The
    /// statuses tell who ended how. Children of the stages that outlive stages which ended within the grace
    /// are left alone. What stands in the outputs can still be read.
    ///
    /// # Errors
    /// EPERM: a stage has taken on another user's rights; the others are killed. EINTR: a signal handler ran; call
    /// again with the same [`Deadline`] to go on. ECHILD: as said of [`Child::wait`].
    ///
    /// ```
    /// use std::time::Duration;
    /// let mut pair = unipc::Pipeline::new();
    /// let mut running = pair.stage(["sleep", "1000"]).stage(["sleep", "1000"]).spawn()?;
    /// let statuses = running.cancel(Duration::from_secs(5))?;
    /// assert!(statuses.iter().all(|status| status.signal() == Some(15)));
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn cancel(&self, grace: impl Into<Deadline>) -> Result<Statuses> {
        if !self.asked.swap(true, Ordering::Relaxed) {
            // Whom these do not reach SIGKILL does, or tells why not.
            let _ = self.signal(libc::SIGTERM);
            let _ = self.signal(libc::SIGCONT);
        }
        let left = self.left_at(grace.into()).map_err(|errno| errno.of("cancel", "pipeline"))?;
        if !left.is_empty() && self.own_group {
            let _ = self.signal(libc::SIGKILL);
        }
        each(left, Child::kill)?;
        self.wait()
    }

    /// Waits for all stages, without reaping one, so that the group's number stays theirs; those that run on.
    fn left_at(&self, deadline: Deadline) -> sys::Result<Vec<&Child>> {
        let mut watched: Vec<_> = self.stages.iter().map(|stage| fd::watch(stage.as_fd(), fd::READABLE)).collect();
        while watched.iter().any(|entry| entry.fd >= 0) {
            match deadline.wait_for_any(&mut watched) {
                Err(Errno::AGAIN | Errno::TIMED_OUT) => break,
                other => other?,
            }
            watched.iter_mut().filter(|entry| entry.revents != 0).for_each(|entry| *entry = fd::UNWATCHED);
        }
        Ok(self.stages.iter().zip(watched).filter_map(|(stage, entry)| (entry.fd >= 0).then_some(stage)).collect())
    }

    /// Ends what was started of a pipeline that cannot be.
    fn undo(mut self) {
        self.stdin = None;
        self.stdout = None;
        self.stderr.clear();
        self.joints.clear();
        let grace = Deadline::after(GRACE);
        while self.cancel(grace).is_err_and(|error| error.interrupted()) {}
    }

    /// Leaves the stages to themselves, as [`Child::detach`].
    ///
    /// ```
    /// unipc::Pipeline::new().stage(["true"]).stage(["true"]).spawn()?.detach();
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn detach(self) {
        self.stages.into_iter().for_each(Child::detach);
    }
}

/// Does it with all, whatever comes of one, and tells what failed first.
fn each<'a>(stages: impl IntoIterator<Item = &'a Child>, work: impl FnMut(&'a Child) -> Result<()>) -> Result<()> {
    stages.into_iter().map(work).fold(Ok(()), Result::and)
}

/// A stage that has ended and was reaped needs no signal.
fn absent_is_done(signalled: Result<()>) -> Result<()> {
    signalled.or_else(|error| if error.errno() == libc::ESRCH { Ok(()) } else { Err(error) })
}

impl Statuses {
    /// Whether the pipeline succeeded: the last stage did, and with pipefail every other, too. That
    /// SIGPIPE killed a stage because the next had left is no failure, unless it is the last.
    ///
    /// ```
    /// use unipc::{Pipeline, Redirect};
    /// let mut early = Pipeline::new();
    /// early.stage(["yes"]).stage(["true"]).pipefail(true);
    /// let statuses = early.spawn()?.wait()?;
    /// assert_eq!(statuses[0].signal(), Some(13)); // SIGPIPE
    /// assert!(statuses.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn success(&self) -> bool {
        self.failed().is_none()
    }

    /// The stage that makes the pipeline a failure, counted from 0: the last one, or with pipefail the
    /// last that did not succeed. What a shell would give as `$?` is its [`Status::shell_code`].
    ///
    /// ```
    /// use unipc::Pipeline;
    /// let mut two = Pipeline::new();
    /// two.stage(["sh", "-c", "exit 3"]).stage(["true"]).pipefail(true);
    /// let statuses = two.spawn()?.wait()?;
    /// let failed = statuses.failed().unwrap();
    /// assert_eq!((failed, statuses[failed].code()), (0, Some(3)));
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn failed(&self) -> Option<usize> {
        let last = self.each.len() - 1;
        let fine = |number| {
            let status: &Status = &self.each[number];
            status.success() || number < last && status.signal() == Some(libc::SIGPIPE)
        };
        let first = if self.pipefail { 0 } else { last };
        (first..=last).rev().find(|&number| !fine(number))
    }
}

impl Deref for Statuses {
    type Target = [Status];
    fn deref(&self) -> &[Status] {
        &self.each
    }
}

impl fmt::Display for Statuses {
    /// Each stage's, with bars in between: `killed by SIGPIPE | exited with 0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, status) in self.each.iter().enumerate() {
            write!(f, "{}{status}", if number == 0 { "" } else { " | " })?;
        }
        Ok(())
    }
}
