//! A child that was started.

use super::communicate::Conversation;
use super::{Status, keeper};
use crate::deadline::Deadline;
use crate::error::{Errno, Error, Object, Result};
use crate::pipe::{PipeReader, PipeWriter};
use crate::sys::{self, child, fd, signal};
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::OnceLock;

/// A process that [`Command::spawn`](super::Command::spawn) started.
///
/// Any thread may wait for it and signal it, several at once too; each gets the same status. It can be polled
/// together with other descriptors ([`AsFd`]): its pidfd is readable once the child has ended.
///
/// **Dropping it** never kills the child, never waits and never leaves a zombie: a child that has ended is
/// reaped, and one that runs is left to run, and is reaped when it ends by a thread of unipc's own (see the
/// [module](super)).
///
/// A child of this process made by fork is no parent of it: there, waiting for it is ECHILD.
///
/// ```
/// use std::io::Read;
/// use unipc::{Command, process::Redirect};
/// let mut child = Command::new("echo").arg("hello").stdout(Redirect::Pipe).spawn()?;
/// let mut text = String::new();
/// child.stdout.take().unwrap().read_to_string(&mut text)?;
/// assert_eq!(text, "hello\n");
/// assert!(child.wait()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Child {
    /// Writes to its standard input, if that is [`Redirect::Pipe`](super::Redirect::Pipe). Drop it (`take()`)
    /// when there is no more to say: a child that reads to the end of its input ends only then.
    pub stdin: Option<PipeWriter>,
    /// Reads its standard output, if that is [`Redirect::Pipe`](super::Redirect::Pipe).
    pub stdout: Option<PipeReader>,
    /// Reads its standard error, if that is [`Redirect::Pipe`](super::Redirect::Pipe).
    pub stderr: Option<PipeReader>,
    number: i32,
    leads: bool,
    pub(super) program: Object,
    /// Taken by the drop alone.
    pidfd: Option<OwnedFd>,
    outcome: OnceLock<Outcome>,
    pub(super) conversation: Conversation,
}

/// What is known of a child that has ended.
#[derive(Clone, Copy)]
enum Outcome {
    Ended(Status),
    /// Nobody will ever know how.
    Lost,
}

impl Child {
    /// Of a child that was just started; without a pidfd it is gone already.
    pub(super) fn new(number: i32, pidfd: Option<OwnedFd>, leads: bool, program: Object) -> sys::Result<Child> {
        let outcome = OnceLock::new();
        let pidfd = if let Some(pidfd) = pidfd {
            pidfd
        } else {
            let _ = outcome.set(Outcome::Lost);
            child::gone()?
        };
        let (stdin, stdout, stderr, conversation) = (None, None, None, Conversation::default());
        Ok(Child { stdin, stdout, stderr, number, leads, program, pidfd: Some(pidfd), outcome, conversation })
    }

    /// The process's number. It may be another's once the status is known; unipc signals by the pidfd.
    ///
    /// ```
    /// let child = unipc::Command::new("true").spawn()?;
    /// assert!(child.id() > 0);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn id(&self) -> i32 {
        self.number
    }

    fn failed(&self, errno: Errno) -> Error {
        errno.of("wait for", &self.program)
    }

    /// What is known without waiting, or after waiting until it is known.
    fn look(&self, block: bool) -> sys::Result<Option<Outcome>> {
        if let Some(known) = self.outcome.get() {
            return Ok(Some(*known));
        }
        match child::look(self.as_fd(), block) {
            Ok(None) => Ok(None),
            Ok(Some(raw)) => {
                // In this order: whoever finds it reaped finds the status here.
                let outcome = *self.outcome.get_or_init(|| Outcome::Ended(Status::from_raw(raw)));
                child::reap(self.as_fd());
                Ok(Some(outcome))
            }
            Err(Errno(libc::ECHILD)) => Ok(Some(*self.outcome.get_or_init(|| Outcome::Lost))),
            Err(errno) => Err(errno),
        }
    }

    fn known(&self, outcome: Outcome) -> Result<Status> {
        match outcome {
            Outcome::Ended(status) => Ok(status),
            Outcome::Lost => Err(self.failed(Errno(libc::ECHILD)).because(
                "its status is lost: this process ignores SIGCHLD, or waited for it by other means, or is not its parent",
            )),
        }
    }

    /// Waits until it has ended, and reaps it. The status stays known: waiting again gives it again.
    ///
    /// A child that waits for the end of its input does not end while [`stdin`](Self::stdin) is open, nor one
    /// that writes more than a pipe holds while nobody reads its output.
    /// [`communicate`](Self::communicate) sees to both.
    ///
    /// # Errors
    /// EINTR: a signal handler ran. ECHILD: it has ended, but its status is lost, because this process ignores
    /// SIGCHLD or waited for it by other means (`wait(2)` for any child).
    ///
    /// ```
    /// let child = unipc::Command::new("false").spawn()?;
    /// assert_eq!(child.wait()?.code(), Some(1));
    /// assert_eq!(child.wait()?.code(), Some(1));
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn wait(&self) -> Result<Status> {
        self.wait_by(Deadline::NEVER)
    }

    /// How it ended, or `None` if it has not; does not wait.
    ///
    /// # Errors
    /// ECHILD as for [`wait`](Self::wait).
    ///
    /// ```
    /// let child = unipc::Command::new("sleep").arg("60").spawn()?;
    /// assert_eq!(child.try_wait()?, None);
    /// child.kill()?;
    /// assert!(!child.wait()?.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn try_wait(&self) -> Result<Option<Status>> {
        match self.look(false).map_err(|errno| self.failed(errno))? {
            Some(outcome) => self.known(outcome).map(Some),
            None => Ok(None),
        }
    }

    /// As [`wait`](Self::wait), until `deadline` at the latest.
    ///
    /// # Errors
    /// As `wait`; ETIMEDOUT: the deadline passed and the child runs; EAGAIN: it runs, and the deadline is
    /// [`Deadline::NOW`].
    ///
    /// ```
    /// use std::time::Duration;
    /// let child = unipc::Command::new("sleep").arg("60").spawn()?;
    /// assert!(child.wait_by(Duration::from_millis(5)).unwrap_err().timed_out());
    /// child.kill()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn wait_by(&self, deadline: impl Into<Deadline>) -> Result<Status> {
        let deadline = deadline.into();
        let outcome = self.wait_until(deadline).map_err(|errno| self.failed(errno))?;
        self.known(outcome)
    }

    fn wait_until(&self, deadline: Deadline) -> sys::Result<Outcome> {
        if !deadline.is_never() {
            if let Some(outcome) = self.look(false)? {
                return Ok(outcome);
            }
            deadline.wait_for(self.as_fd(), fd::READABLE)?;
        }
        Ok(self.look(true)?.unwrap_or(Outcome::Lost))
    }

    /// Sends it a signal; 0 only asks whether it could be sent. It never reaches another process. A child that
    /// has ended and was not waited for takes every signal, without effect.
    /// [pidfd_send_signal(2)](https://man7.org/linux/man-pages/man2/pidfd_send_signal.2.html).
    ///
    /// # Errors
    /// ESRCH: it was waited for. EINVAL: there is no such signal. EPERM: it has taken on another user's rights.
    ///
    /// ```
    /// let child = unipc::Command::new("sleep").arg("60").spawn()?;
    /// child.signal(15)?;
    /// assert_eq!(child.wait()?.signal(), Some(15));
    /// assert_eq!(child.signal(15).unwrap_err().errno(), 3); // ESRCH
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn signal(&self, signal: i32) -> Result<()> {
        if self.outcome.get().is_some() {
            return self.signalled(Err(Errno(libc::ESRCH)), signal);
        }
        self.signalled(child::signal(self.as_fd(), signal), signal)
    }

    /// Sends a signal to the whole process group of a child that leads one
    /// ([`Group::Own`](super::Group::Own)), also to those of it that outlive the child.
    ///
    /// # Errors
    /// ESRCH: nobody is left; before Linux 6.9, also once the child was waited for. EINVAL: there is no such
    /// signal, or the child leads no group. EPERM.
    ///
    /// ```
    /// use unipc::{Command, process::Group};
    /// let child = Command::shell("sleep 60 & sleep 60").group(Group::Own).spawn()?;
    /// child.signal_group(15)?;
    /// assert_eq!(child.wait()?.signal(), Some(15));
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn signal_group(&self, signal: i32) -> Result<()> {
        if !self.leads {
            return Err(Error::new("signal the group of", &self.program, libc::EINVAL, "it leads no group of its own"));
        }
        let outcome = match child::signal_group(self.as_fd(), signal) {
            Err(Errno::UNSUPPORTED) if !signal::exists(signal) && signal != 0 => Err(Errno::INVALID),
            Err(Errno::UNSUPPORTED) if self.outcome.get().is_some() => Err(Errno(libc::ESRCH)),
            // The host may have reaped it: then the number can be another's.
            Err(Errno::UNSUPPORTED) => child::look(self.as_fd(), false)
                .map_err(|errno| if errno == Errno(libc::ECHILD) { Errno(libc::ESRCH) } else { errno })
                .and_then(|_| child::signal_group_by_number(self.number, signal)),
            other => other,
        };
        self.signalled(outcome, signal)
    }

    fn signalled(&self, outcome: sys::Result<()>, signal: i32) -> Result<()> {
        outcome.map_err(|errno| {
            let error = errno.of("signal", &self.program);
            match errno.0 {
                libc::ESRCH => error.because("it has ended, and was waited for"),
                libc::EINVAL => error.because(format!("there is no signal {signal}")),
                _ => error,
            }
        })
    }

    /// Sends SIGKILL. One that has ended already is no error.
    ///
    /// # Errors
    /// EPERM: it has taken on another user's rights.
    ///
    /// ```
    /// let child = unipc::Command::new("sleep").arg("60").spawn()?;
    /// child.kill()?;
    /// assert_eq!(child.wait()?.to_string(), "killed by SIGKILL");
    /// child.kill()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn kill(&self) -> Result<()> {
        gone_is_fine(self.signal(libc::SIGKILL))
    }

    /// Asks it to end (SIGTERM, and SIGCONT should it be stopped), waits until `grace` is over at the latest,
    /// then kills it (SIGKILL), and reaps it. If it leads a group ([`Group::Own`](super::Group::Own)) the
    /// signals go to the whole of it; what outlives a leader that ended within the grace is left alone.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait) and [`signal`](Self::signal). After an EINTR, call again with the same
    /// [`Deadline`] to go on.
    ///
    /// ```
    /// use std::time::Duration;
    /// let child = unipc::Command::shell("trap '' TERM; echo ready; while :; do sleep 1; done")
    ///     .stdout(unipc::process::Redirect::Pipe)
    ///     .spawn()?;
    /// child.stdout.as_ref().unwrap().read(&mut [0; 8])?;
    /// assert_eq!(child.terminate(Duration::from_millis(10))?.signal(), Some(9));
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn terminate(&self, grace: impl Into<Deadline>) -> Result<Status> {
        let grace = grace.into();
        if let Some(status) = self.try_wait()? {
            return Ok(status);
        }
        let all = |signal| gone_is_fine(if self.leads { self.signal_group(signal) } else { self.signal(signal) });
        all(libc::SIGTERM)?;
        all(libc::SIGCONT)?;
        match self.wait_by(grace) {
            Err(error) if error.timed_out() || error.would_block() => {
                all(libc::SIGKILL)?;
                self.wait()
            }
            ended => ended,
        }
    }

    /// Lets it run on without this process, which reaps it when it ends; as dropping does.
    ///
    /// ```
    /// unipc::Command::new("true").spawn()?.detach();
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn detach(self) {}
}

fn gone_is_fine(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(error) if error.errno() == libc::ESRCH => Ok(()),
        other => other,
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if matches!(self.look(false), Ok(None)) {
            if let Some(pidfd) = self.pidfd.take() {
                keeper::abandon(pidfd);
            }
        }
    }
}

impl AsFd for Child {
    /// The pidfd: readable once the child has ended. Not to be waited on with waitid(2): use
    /// [`wait`](Child::wait).
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_ref().expect("only the drop takes it").as_fd()
    }
}

impl AsRawFd for Child {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, process {}", self.program.as_str(), self.number)?;
        match self.outcome.get() {
            Some(Outcome::Ended(status)) => write!(f, ", {status}"),
            Some(Outcome::Lost) => f.write_str(", its status lost"),
            None => Ok(()),
        }
    }
}
