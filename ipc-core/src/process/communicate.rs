//! Feeding an input and collecting outputs at the same time: one poll loop, no threads.

use super::{Child, Status};
use crate::deadline::Deadline;
use crate::error::{Errno, Error, Object, Result};
use crate::pipe::{PipeReader, PipeWriter};
use crate::sys::{self, fd};
use std::os::fd::AsFd;

/// Room that a read is given at least: what a pipe holds, unless that was set.
const ROOM: usize = 1 << 16;

/// What a turn reads from one pipe at most before the others, and the deadline, are looked at.
const TURN: usize = 1 << 20;

/// What a finished conversation with a child brought. See [`Child::communicate`].
///
/// ```
/// use unipc::{Command, Redirect};
/// let output = Command::new("date").stdout(Redirect::Pipe).spawn()?.communicate(b"", None)?;
/// assert!(output.status.success() && !output.stdout.is_empty());
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// What it wrote to its standard output; empty where that was not a pipe to this process.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error, likewise.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub status: Status,
}

impl Child {
    /// Writes `input` to its standard input and closes that, reads its standard output and error to their
    /// ends, all at the same time and in any amount, and waits for it. That it leaves its input early is no
    /// error: its status tells. One loop over poll(2), no threads; nothing that the child shares is changed.
    ///
    /// The ends of file come when no process has the pipe open any more: a grandchild that lives on
    /// delays them, up to `deadline`. With [`Deadline::NOW`] it moves what can be moved without waiting.
    ///
    /// # Errors
    /// ETIMEDOUT, EAGAIN (with `NOW`), EINTR: nothing is lost, and the child runs on; call again with the
    /// same input to go on, or take what was read by [`partial_output`](Self::partial_output).
    /// [`Error::transferred`] tells how much of the input is in the pipe. EINVAL: `input` is there and its
    /// standard input is no pipe to this process, or it is shorter than what went already. ENOMEM: the
    /// output does not fit into memory. EMSGSIZE: it is more than [`limit_output`](Self::limit_output) allows.
    /// What [`wait`](Self::wait) gives.
    ///
    /// ```
    /// use unipc::{Command, Deadline, Redirect};
    /// let mut child = Command::new("rev").stdin(Redirect::Pipe).stdout(Redirect::Pipe).spawn()?;
    /// let output = child.communicate(b"reviled\n", Deadline::NEVER)?;
    /// assert_eq!(output.stdout, b"deliver\n");
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn communicate(&mut self, input: &[u8], deadline: impl Into<Deadline>) -> Result<Output> {
        let deadline = deadline.into();
        let object = self.program.clone();
        let outputs = &mut [&mut self.stdout, &mut self.stderr];
        self.conversation.go_on(&object, &mut self.stdin, input, outputs, deadline)?;
        let status = self.wait_by(deadline).map_err(|error| error.after(self.conversation.written))?;
        let (stdout, stderr) = self.partial_output();
        Ok(Output { stdout, stderr, status })
    }

    /// Lets [`communicate`](Self::communicate) fail with EMSGSIZE when more than `bytes` have come, and were not
    /// taken, of one output: for programs that are not trusted to end. What was read by then, up to a
    /// mebibyte more, is kept. Without this, memory is the limit.
    ///
    /// ```
    /// use unipc::{Command, Redirect};
    /// let mut child = Command::new("yes").stdout(Redirect::Pipe).spawn()?;
    /// child.limit_output(1000);
    /// assert_eq!(child.communicate(b"", None).unwrap_err().errno(), 90); // EMSGSIZE
    /// child.kill()?;
    /// assert!(child.partial_output().0.len() > 1000);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn limit_output(&mut self, bytes: usize) {
        self.conversation.limit = Some(bytes);
    }

    /// Takes out what [`communicate`](Self::communicate) has read before it failed: standard output and
    /// standard error. If it is called again, it gives what comes after.
    ///
    /// ```
    /// use std::time::Duration;
    /// use unipc::{Command, Redirect};
    /// let mut child = Command::shell("echo first; exec sleep 1000").stdout(Redirect::Pipe).spawn()?;
    /// let mut heard = Vec::new();
    /// while heard.is_empty() {
    ///     assert!(child.communicate(b"", Duration::from_millis(20)).unwrap_err().timed_out());
    ///     (heard, _) = child.partial_output();
    /// }
    /// assert_eq!(heard, b"first\n");
    /// child.kill()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn partial_output(&mut self) -> (Vec<u8>, Vec<u8>) {
        let mut outputs = self.conversation.take().into_iter();
        (outputs.next().unwrap_or_default(), outputs.next().unwrap_or_default())
    }

    /// Takes its pipes and its conversation, so that these can go on apart from waiting and signalling, which
    /// several threads may do meanwhile.
    ///
    /// ```
    /// use unipc::{Command, Redirect};
    /// let mut child = Command::new("cat").stdin(Redirect::Pipe).spawn()?;
    /// drop(child.take_streams()); // the end of its input
    /// assert!(child.wait()?.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn take_streams(&mut self) -> Streams {
        let outputs = vec![self.stdout.take(), self.stderr.take()];
        let conversation = std::mem::take(&mut self.conversation);
        Streams::new(self.program.clone(), self.stdin.take(), outputs, conversation)
    }
}

/// The pipes between this process and a child, or a pipeline, apart from it: so one thread communicates while
/// others wait for the child and signal it. Made by [`Child::take_streams`] and
/// [`Running::take_streams`](crate::pipeline::Running::take_streams).
///
/// ```
/// use unipc::{Command, Deadline, Redirect};
/// let mut child = Command::new("cat").stdin(Redirect::Pipe).stdout(Redirect::Pipe).spawn()?;
/// let mut streams = child.take_streams();
/// std::thread::scope(|scope| {
///     let talking = scope.spawn(|| streams.communicate(b"hello", Deadline::NEVER));
///     assert!(child.wait()?.success()); // any thread may wait meanwhile, or kill it
///     talking.join().unwrap()
/// })?;
/// assert_eq!(streams.take_outputs(), [&b"hello"[..], b""]);
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Debug)]
pub struct Streams {
    /// As [`Child::stdin`].
    pub stdin: Option<PipeWriter>,
    /// Standard output, and each standard error.
    pub outputs: Vec<Option<PipeReader>>,
    object: Object,
    conversation: Conversation,
}

impl Streams {
    pub(crate) fn new(
        object: Object,
        stdin: Option<PipeWriter>,
        outputs: Vec<Option<PipeReader>>,
        conversation: Conversation,
    ) -> Streams {
        Streams { stdin, outputs, object, conversation }
    }

    /// The conversation of [`Child::communicate`] and of
    /// [`Running::communicate`](crate::pipeline::Running::communicate), up to the ends of all outputs: it does
    /// not wait for the child, which may run on.
    ///
    /// # Errors
    /// As there.
    ///
    /// ```
    /// use unipc::{Command, Redirect};
    /// let mut child = Command::new("wc").arg("-c").stdin(Redirect::Pipe).stdout(Redirect::Pipe).spawn()?;
    /// let mut streams = child.take_streams();
    /// streams.communicate(b"12345", None)?;
    /// assert_eq!(streams.take_outputs()[0], b"5\n");
    /// assert!(child.wait()?.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn communicate(&mut self, input: &[u8], deadline: impl Into<Deadline>) -> Result<()> {
        let mut outputs: Vec<_> = self.outputs.iter_mut().collect();
        self.conversation.go_on(&self.object, &mut self.stdin, input, &mut outputs, deadline.into())
    }

    /// How many bytes of the input are in the pipe.
    ///
    /// ```
    /// use unipc::{Command, Redirect};
    /// let mut child = Command::new("cat").stdin(Redirect::Pipe).stdout(Redirect::Null).spawn()?;
    /// let mut streams = child.take_streams();
    /// streams.communicate(b"12345", None)?;
    /// assert_eq!(streams.written(), 5);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn written(&self) -> usize {
        self.conversation.written
    }

    /// What was read of each output and was not taken.
    ///
    /// ```
    /// use unipc::{Command, Redirect};
    /// let mut child = Command::new("echo").arg("hello").stdout(Redirect::Pipe).spawn()?;
    /// let mut streams = child.take_streams();
    /// streams.communicate(b"", None)?;
    /// assert_eq!(streams.heard().collect::<Vec<_>>(), [&b"hello\n"[..], b""]);
    /// # assert!(child.wait()?.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn heard(&self) -> impl Iterator<Item = &[u8]> {
        let collected = self.conversation.collected.iter().map(Vec::as_slice);
        collected.chain(std::iter::repeat(&[][..])).take(self.outputs.len())
    }

    /// As [`Child::limit_output`].
    ///
    /// ```
    /// use unipc::{Command, Redirect};
    /// let mut child = Command::new("yes").stdout(Redirect::Pipe).spawn()?;
    /// let mut streams = child.take_streams();
    /// streams.limit_output(1000);
    /// assert_eq!(streams.communicate(b"", None).unwrap_err().errno(), 90); // EMSGSIZE
    /// # child.kill()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn limit_output(&mut self, bytes: usize) {
        self.conversation.limit = Some(bytes);
    }

    /// Takes out what was read of each output since the last time, also after an error.
    ///
    /// ```
    /// use std::time::Duration;
    /// use unipc::{Command, Redirect};
    /// let mut child = Command::shell("echo first; exec sleep 1000").stdout(Redirect::Pipe).spawn()?;
    /// let mut streams = child.take_streams();
    /// let mut heard = Vec::new();
    /// while heard.is_empty() {
    ///     assert!(streams.communicate(b"", Duration::from_millis(20)).unwrap_err().timed_out());
    ///     heard = streams.take_outputs().swap_remove(0);
    /// }
    /// assert_eq!(heard, b"first\n");
    /// child.kill()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn take_outputs(&mut self) -> Vec<Vec<u8>> {
        let mut taken = self.conversation.take();
        taken.resize_with(self.outputs.len(), Vec::new);
        taken
    }
}

/// How far a conversation has come. It outlives a call that a deadline or a signal handler ended, and
/// the next call goes on from there.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    begun: bool,
    /// Bytes of the input that are in the pipe.
    pub written: usize,
    /// What came out of each output, and was not taken.
    collected: Vec<Vec<u8>>,
    /// What each output may have collected.
    pub limit: Option<usize>,
}

impl Conversation {
    /// Writes `input` to `to` and closes it, reads all of `from` to their ends and closes them, whatever
    /// comes first. A reader that leaves early is no error: the rest of the input is for nobody. The errors
    /// are those of [`Child::communicate`], and are about `object`.
    pub(crate) fn go_on(
        &mut self,
        object: &Object,
        to: &mut Option<PipeWriter>,
        input: &[u8],
        from: &mut [&mut Option<PipeReader>],
        deadline: Deadline,
    ) -> Result<()> {
        let refuse = |cause| Err(Error::new("communicate with", object, libc::EINVAL, cause));
        if to.is_none() && !input.is_empty() && !self.begun {
            return refuse("there is input, but standard input is no pipe to this process");
        }
        if input.len() < self.written {
            return refuse("the input is shorter than what of it went already: go on with the same");
        }
        self.begun = true;
        let gone_on = self.run(to, input, from, deadline);
        gone_on.map_err(|errno| {
            let error = errno.of("communicate with", object).after(self.written);
            match (errno, self.limit) {
                (Errno::TOO_LONG, Some(limit)) => {
                    error.because(format!("more came out of it than the limit that was set, {limit} bytes"))
                }
                _ => error,
            }
        })
    }

    fn run(
        &mut self,
        to: &mut Option<PipeWriter>,
        input: &[u8],
        from: &mut [&mut Option<PipeReader>],
        deadline: Deadline,
    ) -> sys::Result<()> {
        self.collected.resize_with(from.len(), Vec::new);
        let mut watched = vec![fd::UNWATCHED; 1 + from.len()];
        let mut moved = false;
        loop {
            let rest = &input[self.written..];
            if rest.is_empty() {
                *to = None; // the end of file
            }
            watched[0] = to.as_ref().map_or(fd::UNWATCHED, |writer| fd::watch(writer.as_fd(), fd::WRITABLE));
            for (entry, reader) in watched[1..].iter_mut().zip(from.iter()) {
                *entry = reader.as_ref().map_or(fd::UNWATCHED, |reader| fd::watch(reader.as_fd(), fd::READABLE));
            }
            if watched.iter().all(|entry| entry.fd < 0) {
                return Ok(());
            }
            // Outputs that never pause would never let a wait come to its deadline.
            if moved && deadline.has_passed() {
                return Err(deadline.expired());
            }
            deadline.wait_for_any(&mut watched)?;
            if watched[0].revents != 0 {
                self.feed(to, rest)?;
            }
            for ((entry, reader), bytes) in watched[1..].iter().zip(from.iter_mut()).zip(&mut self.collected) {
                if entry.revents != 0 {
                    collect(reader, bytes, entry.revents & fd::HUNG_UP != 0)?;
                    if self.limit.is_some_and(|limit| bytes.len() > limit) {
                        return Err(Errno::TOO_LONG);
                    }
                }
            }
            moved = true;
        }
    }

    /// What came out of each output since the last time; none before the first conversation.
    pub(crate) fn take(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.collected)
    }

    fn feed(&mut self, to: &mut Option<PipeWriter>, rest: &[u8]) -> sys::Result<()> {
        let Some(writer) = to else { return Ok(()) };
        match writer.end().write(rest, Deadline::NOW) {
            Ok(count) => self.written += count,
            Err(Errno::AGAIN) => {}
            Err(Errno::PIPE) => *to = None,
            Err(errno) => return Err(errno),
        }
        Ok(())
    }
}

/// Reads what is there; where every writer has `hung_up`, also the end of file.
fn collect(from: &mut Option<PipeReader>, bytes: &mut Vec<u8>, hung_up: bool) -> sys::Result<()> {
    let Some(reader) = from else { return Ok(()) };
    let enough = bytes.len() + TURN;
    while bytes.len() < enough {
        if bytes.capacity() - bytes.len() < ROOM {
            bytes.try_reserve(ROOM).map_err(|_| Errno::NO_MEMORY)?;
        }
        let room = bytes.capacity() - bytes.len();
        match reader.end().append(bytes) {
            Ok(0) => {
                *from = None;
                return Ok(());
            }
            Ok(count) if count < room && !hung_up => return Ok(()), // the pipe is empty for now
            Ok(_) => {}
            Err(Errno::AGAIN) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
