#![doc = include_str!("../docs/process.md")]

mod child;
pub(crate) mod communicate;
mod keeper;
mod status;

use crate::error::{Errno, Error, Object, Result};
use crate::pipe::{PipeReader, PipeWriter};
use crate::sys::spawn::Plan;
use crate::sys::{self, fd, fs, signal};
pub use child::Child;
pub use communicate::{Output, Streams};
pub use status::Status;
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What one of a child's descriptors is bound to.
///
/// From a [`PipeReader`], a [`PipeWriter`] (the ends of a FIFO, too), an [`OwnedFd`] or a [`File`] it is made
/// by `into()`.
///
/// ```
/// use unipc::{Command, process::Redirect};
/// let (reader, writer) = unipc::pipe()?;
/// let child = Command::new("echo").arg("hello").stdin(Redirect::Null).stdout(writer).spawn()?;
/// assert!(child.wait()?.success());
/// assert_eq!(reader.available()?, 6);
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Redirect {
    /// What this process has there; closed, if it is closed here.
    Inherit,
    /// /dev/null.
    Null,
    /// A pipe that is made for it; its other end is in the [`Child`].
    Pipe,
    /// This descriptor, whatever its number. It goes with the child: it is closed here once the child is started.
    Fd(OwnedFd),
    /// A file, opened by [`Command::spawn`].
    File(PathBuf, Opening),
    /// Where standard output goes: for standard error alone.
    Stdout,
}

/// How a file is opened for a child; one that is made has mode 0666 under the umask.
///
/// ```
/// use unipc::process::{Opening, Redirect};
/// let log = Redirect::File("/var/log/example".into(), Opening::Append);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Opening {
    /// For reading.
    Read,
    /// For writing; made if it is not there, emptied if it is.
    Write,
    /// For writing at its end, wherever that is then; made if it is not there.
    Append,
}

impl Redirect {
    /// Reads from a file. A FIFO is waited for until somebody writes to it; bind its opened end to wait no
    /// longer than you want.
    ///
    /// ```
    /// use unipc::{Command, process::Redirect};
    /// let child = Command::new("grep").args(["-q", "package"]).stdin(Redirect::read("Cargo.toml")).spawn()?;
    /// assert!(child.wait()?.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn read(path: impl Into<PathBuf>) -> Redirect {
        Redirect::File(path.into(), Opening::Read)
    }

    /// Writes to a file, which is made, or emptied.
    ///
    /// ```
    /// use unipc::{Command, process::Redirect};
    /// let path = std::env::temp_dir().join(format!("unipc-doc-write-{}", std::process::id()));
    /// Command::new("echo").arg("hello").stdout(Redirect::write(&path)).spawn()?.wait()?;
    /// assert_eq!(std::fs::read(&path)?, b"hello\n");
    /// std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn write(path: impl Into<PathBuf>) -> Redirect {
        Redirect::File(path.into(), Opening::Write)
    }

    /// Writes to the end of a file, which is made if it is not there.
    ///
    /// ```
    /// use unipc::{Command, process::Redirect};
    /// let path = std::env::temp_dir().join(format!("unipc-doc-append-{}", std::process::id()));
    /// for word in ["one", "two"] {
    ///     Command::new("echo").arg(word).stdout(Redirect::append(&path)).spawn()?.wait()?;
    /// }
    /// assert_eq!(std::fs::read(&path)?, b"one\ntwo\n");
    /// std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn append(path: impl Into<PathBuf>) -> Redirect {
        Redirect::File(path.into(), Opening::Append)
    }

    /// A second descriptor of what `fd` is, which the caller keeps.
    ///
    /// # Errors
    /// EBADF: it is closed. EMFILE.
    ///
    /// ```
    /// use unipc::{Command, process::Redirect};
    /// let (reader, writer) = unipc::pipe()?;
    /// Command::new("echo").arg("hello").stdout(Redirect::duplicate(&writer)?).spawn()?.wait()?;
    /// writer.write(b"and more")?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn duplicate(fd: impl AsFd) -> Result<Redirect> {
        fd::duplicate(fd.as_fd()).map(Redirect::Fd).map_err(|errno| errno.of("duplicate", "descriptor"))
    }
}

impl From<OwnedFd> for Redirect {
    fn from(fd: OwnedFd) -> Redirect {
        Redirect::Fd(fd)
    }
}

impl From<File> for Redirect {
    fn from(file: File) -> Redirect {
        Redirect::Fd(file.into())
    }
}

impl From<PipeReader> for Redirect {
    fn from(reader: PipeReader) -> Redirect {
        Redirect::Fd(reader.into())
    }
}

impl From<PipeWriter> for Redirect {
    fn from(writer: PipeWriter) -> Redirect {
        Redirect::Fd(writer.into())
    }
}

/// The process group that a child is in: whom a terminal's Ctrl-C and a signal to a group reach.
///
/// ```
/// use unipc::{Command, process::Group};
/// let first = Command::new("sleep").arg("60").group(Group::Own).spawn()?;
/// let second = Command::new("sleep").arg("60").group(Group::Join(first.id())).spawn()?;
/// first.signal_group(15)?;
/// assert_eq!(second.wait()?.signal(), Some(15));
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Group {
    /// This process's.
    #[default]
    Inherit,
    /// A new one, which the child leads.
    Own,
    /// The one of this number, in this process's session; its leader must not have been reaped, or others must
    /// be in it.
    Join(i32),
}

/// A descriptor for a child, until it went with one.
#[derive(Debug)]
struct Slot(Option<Redirect>);

/// What to run, and how: a builder.
///
/// Unless set otherwise a child has this process's environment, working directory, process group and
/// standard streams. Never anything else: all other descriptors are closed in it, its signal mask is empty and
/// every signal at its default, whatever this process has set (SIGPIPE, above all).
///
/// It can be spawned several times; a descriptor that it was given ([`Redirect::Fd`]) goes with the first
/// child.
///
/// ```
/// use unipc::Command;
/// let mut list = Command::new("ls");
/// list.arg("-l").env("LC_ALL", "C").directory("/");
/// # list.stdout(unipc::process::Redirect::Null);
/// assert!(list.spawn()?.wait()?.success());
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Debug)]
pub struct Command {
    program: OsString,
    arguments: Vec<OsString>,
    /// Without this process's environment.
    clear: bool,
    environment: BTreeMap<OsString, Option<OsString>>,
    directory: Option<PathBuf>,
    streams: [Slot; 3],
    descriptors: BTreeMap<RawFd, Slot>,
    group: Group,
    death: Option<i32>,
}

impl Command {
    /// Runs `program`; its argument 0 is the same. Without a slash it is searched in the directories of `PATH`,
    /// the child's, as [execvp(3)](https://man7.org/linux/man-pages/man3/exec.3.html) does; with one it is a
    /// path, relative to the child's [directory](Self::directory). Never a shell.
    ///
    /// ```
    /// let status = unipc::Command::new("test").args(["$HOME", "=", "$HOME"]).spawn()?.wait()?;
    /// assert!(status.success()); // and nothing was expanded
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        Command::from_arguments([program])
    }

    /// Runs `/bin/sh -c line`. What stands in the line is a program of its own: never build one from what
    /// strangers say.
    ///
    /// ```
    /// assert_eq!(unipc::Command::shell("exit $((1 + 2))").spawn()?.wait()?.code(), Some(3));
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn shell(line: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("/bin/sh");
        command.arg0("sh").arg("-c").arg(line);
        command
    }

    /// Runs an argument vector, whose first is the program, too. An empty one is an error of
    /// [`spawn`](Self::spawn).
    ///
    /// ```
    /// assert!(unipc::Command::from_arguments(["test", "1", "=", "1"]).spawn()?.wait()?.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn from_arguments<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
        let arguments: Vec<OsString> = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        Command {
            program: arguments.first().cloned().unwrap_or_default(),
            arguments,
            clear: false,
            environment: BTreeMap::new(),
            directory: None,
            streams: [const { Slot(Some(Redirect::Inherit)) }; 3],
            descriptors: BTreeMap::new(),
            group: Group::Inherit,
            death: None,
        }
    }

    /// The program, as it was given.
    ///
    /// ```
    /// assert_eq!(unipc::Command::new("ls").program(), "ls");
    /// ```
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// One more argument.
    ///
    /// ```
    /// assert!(unipc::Command::new("test").arg("non-empty").spawn()?.wait()?.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Command {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// More arguments.
    ///
    /// ```
    /// assert!(unipc::Command::new("test").args(["-d", "/"]).spawn()?.wait()?.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn args<S: AsRef<OsStr>>(&mut self, arguments: impl IntoIterator<Item = S>) -> &mut Command {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Argument 0: what the program is told that it was called as.
    ///
    /// ```
    /// let child = unipc::Command::new("/bin/sh").arg0("-sh").args(["-c", "test $0 = -sh"]).spawn()?;
    /// assert!(child.wait()?.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn arg0(&mut self, argument: impl AsRef<OsStr>) -> &mut Command {
        let argument = argument.as_ref().to_owned();
        match self.arguments.first_mut() {
            Some(first) => *first = argument,
            None => self.arguments.push(argument),
        }
        self
    }

    /// Sets a variable of the child's environment.
    ///
    /// ```
    /// let child = unipc::Command::shell("test $COLOUR = green").env("COLOUR", "green").spawn()?;
    /// assert!(child.wait()?.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Command {
        self.environment.insert(key.as_ref().to_owned(), Some(value.as_ref().to_owned()));
        self
    }

    /// Leaves a variable out of the child's environment.
    ///
    /// ```
    /// let child = unipc::Command::shell("test -z \"$HOME\"").env_remove("HOME").spawn()?;
    /// assert!(child.wait()?.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Command {
        self.environment.insert(key.as_ref().to_owned(), None);
        self
    }

    /// Gives the child nothing of this process's environment, and nothing of what was set until now. `PATH` goes
    /// with it: a program is then searched in /bin and /usr/bin.
    ///
    /// ```
    /// use std::io::Read;
    /// let mut child = unipc::Command::new("env").env_clear().env("A", "1")
    ///     .stdout(unipc::process::Redirect::Pipe).spawn()?;
    /// let mut text = String::new();
    /// child.stdout.take().unwrap().read_to_string(&mut text)?;
    /// assert_eq!(text, "A=1\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn env_clear(&mut self) -> &mut Command {
        self.clear = true;
        self.environment.clear();
        self
    }

    /// The child's working directory.
    ///
    /// ```
    /// let child = unipc::Command::shell("test $(pwd) = /").directory("/").spawn()?;
    /// assert!(child.wait()?.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn directory(&mut self, path: impl AsRef<Path>) -> &mut Command {
        self.directory = Some(path.as_ref().to_owned());
        self
    }

    /// Binds standard input.
    ///
    /// ```
    /// use unipc::{Command, process::Redirect};
    /// let mut child = Command::new("cat").stdin(Redirect::Pipe).stdout(Redirect::Null).spawn()?;
    /// child.stdin.take().unwrap().write(b"to nowhere")?; // and closed
    /// assert!(child.wait()?.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn stdin(&mut self, redirect: impl Into<Redirect>) -> &mut Command {
        self.streams[0] = Slot(Some(redirect.into()));
        self
    }

    /// Binds standard output.
    ///
    /// ```
    /// use unipc::{Command, process::Redirect};
    /// let child = Command::new("echo").arg("hello").stdout(Redirect::Pipe).spawn()?;
    /// let mut buffer = [0; 16];
    /// let count = child.stdout.as_ref().unwrap().read(&mut buffer)?;
    /// assert_eq!(&buffer[..count], b"hello\n");
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn stdout(&mut self, redirect: impl Into<Redirect>) -> &mut Command {
        self.streams[1] = Slot(Some(redirect.into()));
        self
    }

    /// Binds standard error; [`Redirect::Stdout`] merges it into standard output.
    ///
    /// ```
    /// use unipc::{Command, process::Redirect};
    /// let child = Command::shell("echo oh >&2").stdout(Redirect::Pipe).stderr(Redirect::Stdout).spawn()?;
    /// let mut buffer = [0; 16];
    /// let count = child.stdout.as_ref().unwrap().read(&mut buffer)?;
    /// assert_eq!(&buffer[..count], b"oh\n");
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn stderr(&mut self, redirect: impl Into<Redirect>) -> &mut Command {
        self.streams[2] = Slot(Some(redirect.into()));
        self
    }

    /// Hands `fd` to the child under `number`; 0 to 2 are the standard streams. It goes with the child: it is
    /// closed here once the child is started. Numbers may be given out in any way, also crosswise.
    ///
    /// ```
    /// use unipc::Command;
    /// let (reader, writer) = unipc::pipe()?;
    /// let child = Command::shell("echo hello >&7").descriptor(7, writer).spawn()?;
    /// assert!(child.wait()?.success());
    /// assert_eq!(reader.available()?, 6);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn descriptor(&mut self, number: RawFd, fd: impl Into<OwnedFd>) -> &mut Command {
        let slot = Slot(Some(Redirect::Fd(fd.into())));
        match usize::try_from(number) {
            Ok(stream @ 0..=2) => self.streams[stream] = slot,
            _ => drop(self.descriptors.insert(number, slot)),
        }
        self
    }

    /// The process group that the child is in.
    ///
    /// ```
    /// use unipc::{Command, process::Group};
    /// let child = Command::shell("sleep 60 | sleep 60").group(Group::Own).spawn()?;
    /// child.signal_group(9)?;
    /// assert_eq!(child.wait()?.signal(), Some(9));
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn group(&mut self, group: Group) -> &mut Command {
        self.group = group;
        self
    }

    /// Sends the child `signal` when this process ends, however it does (also by exec). A thread of unipc's own
    /// starts it, and lives until it has ended; which thread calls does not matter. What each thread has for
    /// itself (nice value, CPU affinity, capabilities, seccomp filters, namespaces) the child has from that one, as
    /// the thread had it that called first, when there was none. The kernel forgets the tie when the child
    /// executes a set-user-ID program.
    /// [PR_SET_PDEATHSIG(2const)](https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html).
    ///
    /// ```
    /// let child = unipc::Command::new("sleep").arg("60").dies_with_parent(15).spawn()?;
    /// child.detach(); // ends with this program
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn dies_with_parent(&mut self, signal: i32) -> &mut Command {
        self.death = Some(signal);
        self
    }

    /// Starts the child. When it comes back the new program runs, or did already; what prevents that is an error
    /// here. Nothing of this process is copied, however big it is.
    /// [posix_spawn(3)](https://man7.org/linux/man-pages/man3/posix_spawn.3.html).
    ///
    /// It waits until the program is loaded, and for whoever opens the other end of a FIFO that
    /// [`Redirect::read`] and its like name. Any thread may call it, while others do what they want; not while one
    /// changes this process's environment (setenv(3)).
    ///
    /// # Errors
    /// They name the program, or the directory or file that it is about. ENOENT: there is no such program,
    /// directory, file, or interpreter of a script. EACCES: it is not executable, or a directory may not be
    /// searched. ENOEXEC: it is in no format that the kernel runs (a script without `#!`). EINVAL: an empty
    /// argument vector; a NUL in the program's name, an argument, a path or the environment; no such signal.
    /// E2BIG: more arguments than the kernel takes. EBADF: a descriptor is closed, was given to an earlier child,
    /// or its number is negative or beyond RLIMIT_NOFILE. EAGAIN: the limit of processes. EPERM, ESRCH: there is no
    /// such group in this session. EMFILE, ENFILE, ENOMEM. ENOSYS: Linux older than 5.4, or a sandbox that forbids
    /// pidfd_open(2).
    ///
    /// ```
    /// let error = unipc::Command::new("no-such-program").spawn().unwrap_err();
    /// assert_eq!(error.to_string(), "spawn no-such-program: there is no such program in PATH");
    /// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    /// ```
    pub fn spawn(&mut self) -> Result<Child> {
        let object = Object::from(Path::new(&self.program));
        let mut plan = self.plan()?;
        let mut ours = Vec::new(); // what only the child is to have
        let mut ends = (None, None, None);
        for stream in 0..3 {
            let source = match self.streams[stream].given(&object)? {
                Redirect::Inherit => continue,
                Redirect::Stdout if stream == 2 => {
                    plan.merge = true;
                    continue;
                }
                Redirect::Stdout => {
                    return Err(self.refuse(libc::EINVAL, "Redirect::Stdout is for standard error alone"));
                }
                Redirect::Fd(fd) => fd.as_raw_fd(),
                Redirect::Null => lend(&mut ours, open(Path::new("/dev/null"), null_flags(stream))?),
                Redirect::File(path, opening) => lend(&mut ours, open(path, opening.flags())?),
                Redirect::Pipe => {
                    let (reader, writer) = sys::pipe::pipe().map_err(|errno| errno.of("spawn", &object))?;
                    let (theirs, mine) = if stream == 0 { (reader, writer) } else { (writer, reader) };
                    match stream {
                        0 => ends.0 = Some(PipeWriter::new(mine, "pipe".into())),
                        1 => ends.1 = Some(PipeReader::new(mine, "pipe".into())),
                        _ => ends.2 = Some(PipeReader::new(mine, "pipe".into())),
                    }
                    lend(&mut ours, theirs)
                }
            };
            plan.descriptors.push((source, stream as RawFd));
        }
        for (&number, slot) in &self.descriptors {
            if let Redirect::Fd(fd) = slot.given(&object)? {
                plan.descriptors.push((fd.as_raw_fd(), number));
            }
        }
        let plan = Arc::new(plan);
        let started = if self.death.is_some() { keeper::start(plan.clone()) } else { keeper::start_here(&plan) };
        let (number, pidfd) = started.map_err(|errno| self.explain(errno, &plan))?;
        let mut child = Child::new(number, pidfd, self.group == Group::Own, object.clone())
            .map_err(|errno| errno.of("spawn", &object))?;
        (child.stdin, child.stdout, child.stderr) = ends;
        for slot in self.streams.iter_mut().chain(self.descriptors.values_mut()) {
            slot.went();
        }
        Ok(child)
    }

    /// What the kernel is told, but for the descriptors.
    fn plan(&self) -> Result<Plan> {
        if self.arguments.is_empty() {
            let cause = "the argument vector is empty: its first is the program";
            return Err(Error::new("spawn", "program", libc::EINVAL, cause));
        }
        let word = |word: &OsStr, what: &str| {
            CString::new(word.as_bytes()).map_err(|_| self.refuse(libc::EINVAL, format!("{what} has a NUL in it")))
        };
        let mut arguments = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            arguments.push(word(argument, "an argument")?);
        }
        if self.death.is_some_and(|signal| !signal::exists(signal)) {
            return Err(self.refuse(libc::EINVAL, format!("there is no signal {}", self.death.unwrap_or(0))));
        }
        let directory = self.directory.as_ref().map(|path| word(path.as_os_str(), "its directory")).transpose()?;
        let given = self.environment.get(OsStr::new("PATH"));
        let path = match given {
            Some(Some(path)) => Some(path.clone()),
            None if !self.clear => None,
            _ => Some("/bin:/usr/bin".into()),
        };
        Ok(Plan {
            program: word(&self.program, "its name")?,
            path: path.filter(|_| !self.program.as_bytes().contains(&b'/')),
            arguments,
            environment: self.environment()?,
            directory,
            descriptors: Vec::new(),
            merge: false,
            group: match self.group {
                Group::Inherit => None,
                Group::Own => Some(0),
                Group::Join(0) => return Err(self.refuse(libc::EINVAL, "there is no process group 0")),
                Group::Join(number) => Some(number),
            },
            parent_death_signal: self.death,
        })
    }

    /// `None`: as this process has it.
    fn environment(&self) -> Result<Option<Vec<CString>>> {
        if !self.clear && self.environment.is_empty() {
            return Ok(None);
        }
        let mut all: BTreeMap<OsString, OsString> =
            if self.clear { BTreeMap::new() } else { std::env::vars_os().collect() };
        for (key, value) in &self.environment {
            if key.is_empty() || key.as_bytes().contains(&b'=') {
                return Err(self.refuse(libc::EINVAL, format!("{key:?} is no name of an environment variable")));
            }
            match value {
                Some(value) => drop(all.insert(key.clone(), value.clone())),
                None => drop(all.remove(key)),
            }
        }
        let join = |(key, value): (OsString, OsString)| {
            let mut pair = key.into_vec();
            pair.push(b'=');
            pair.extend(value.into_vec());
            CString::new(pair).map_err(|_| self.refuse(libc::EINVAL, "its environment has a NUL in it"))
        };
        all.into_iter().map(join).collect::<Result<_>>().map(Some)
    }

    fn refuse(&self, errno: i32, cause: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new("spawn", Path::new(&self.program), errno, cause)
    }

    /// posix_spawn(3) tells an errno and not what it is about: that is found out here.
    #[cold]
    fn explain(&self, errno: Errno, plan: &Plan) -> Error {
        if let Some(directory) = self.directory.as_deref().filter(|_| sys::spawn::is_of_path(errno)) {
            if sys::spawn::enter(plan.directory.as_deref().unwrap_or_default()) == Err(errno) {
                let sentence = errno.of("", "").cause().to_owned();
                let cause = format!("{sentence}; {} was to start in it", self.program.to_string_lossy());
                return Error::new("enter directory", directory, errno.0, cause);
            }
        }
        let program = self.directory.as_deref().unwrap_or(Path::new("")).join(&self.program);
        let has_slash = self.program.as_bytes().contains(&b'/');
        let cause = match errno.0 {
            libc::ENOENT if self.program.is_empty() => "its name is empty".into(),
            libc::ENOENT if !has_slash => "there is no such program in PATH".into(),
            libc::ENOENT if program.exists() => {
                "it is there, but not the interpreter that its first line names, or its loader".into()
            }
            libc::EACCES if has_slash && program.is_dir() => "it is a directory".into(),
            libc::EACCES => "it is not executable, or a directory on the way may not be searched".into(),
            libc::ENOEXEC => {
                "it is no program that the kernel can run: a script begins with a line like '#!/bin/sh'".into()
            }
            libc::E2BIG => {
                "its arguments and environment are more than the kernel takes (ARG_MAX, 128 KiB in one)".into()
            }
            libc::EAGAIN => {
                "no more processes: the limit is RLIMIT_NPROC ('ulimit -u'), pids.max or kernel.pid_max".into()
            }
            libc::ETXTBSY => "somebody has it open for writing".into(),
            libc::EPERM | libc::ESRCH => match self.group {
                Group::Join(number) => format!("there is no process group {number} in this session"),
                _ => return errno.of("spawn", Path::new(&self.program)),
            },
            libc::EBADF => plan
                .descriptors
                .iter()
                .find_map(|&(source, target)| {
                    if target < 0 || target >= sys::spawn::limit() {
                        Some(format!("{target} is no descriptor: it is negative or beyond RLIMIT_NOFILE"))
                    } else if !sys::spawn::is_open(source) {
                        Some(format!("descriptor {source}, which was to be its {target}, is closed"))
                    } else {
                        None
                    }
                })
                .unwrap_or_else(|| "its standard output, which standard error was to follow, is closed".into()),
            _ => return errno.of("spawn", Path::new(&self.program)),
        };
        self.refuse(errno.0, cause)
    }
}

impl Slot {
    fn given(&self, object: &Object) -> Result<&Redirect> {
        self.0.as_ref().ok_or_else(|| {
            Error::new(
                "spawn",
                object,
                libc::EBADF,
                "a descriptor that it was given went with an earlier child: give another",
            )
        })
    }

    fn went(&mut self) {
        if matches!(self.0, Some(Redirect::Fd(_))) {
            self.0 = None;
        }
    }
}

impl Opening {
    fn flags(self) -> i32 {
        libc::O_NOCTTY
            | match self {
                Opening::Read => libc::O_RDONLY,
                Opening::Write => libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC,
                Opening::Append => libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND,
            }
    }
}

fn null_flags(stream: usize) -> i32 {
    if stream == 0 { libc::O_RDONLY } else { libc::O_WRONLY }
}

fn lend(ours: &mut Vec<OwnedFd>, fd: OwnedFd) -> RawFd {
    let number = fd.as_raw_fd();
    ours.push(fd);
    number
}

fn open(path: &Path, flags: i32) -> Result<OwnedFd> {
    let name = CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::new("open", path, libc::EINVAL, "its path has a NUL in it"))?;
    fs::open(&name, flags, 0o666).map_err(|errno| errno.of("open", path))
}
