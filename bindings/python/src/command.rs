//! What to run, and what it is bound to.

use crate::convert::{Descriptor, Leader, Signal, Word, descriptor};
use crate::errors::raise;
use crate::handle::Open;
use crate::pipe::PipeEnd;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyOSError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyDict, PyInt, PyMapping, PyString, PyTuple};
use std::ffi::{OsStr, OsString};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use unipc::process::{Group, Opening};

/// The same number wherever Rust and Python run on Linux.
const EBADF: i32 = 9;

/// What a standard stream is bound to, where that is neither a descriptor nor a File.
#[pyclass(frozen, eq, hash, module = "unipc")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::upper_case_acronyms)]
pub enum Redirect {
    /// /dev/null.
    NULL,
    /// A pipe that is made for it; its other end is the object's own.
    PIPE,
    /// Where standard output goes: for standard error alone.
    STDOUT,
}

/// A file that a standard stream of a child is bound to; it is opened when the child is spawned.
///
/// ``mode`` is as in open(): "r" reads, "w" writes to a file that is made, or emptied, and "a" writes
/// to the end of one, which is made if it is not there.
#[pyclass(frozen, eq, hash, module = "unipc")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct File {
    path: OsString,
    /// How it is opened: "r", "w" or "a".
    #[pyo3(get)]
    mode: String,
}

#[pymethods]
impl File {
    #[new]
    #[pyo3(signature = (path, mode = "r"))]
    fn new(path: &Bound<'_, PyAny>, mode: &str) -> PyResult<File> {
        Opening::parse(mode)?;
        Ok(File { path: word(path)?, mode: mode.into() })
    }

    /// Where it is, as it was given.
    #[getter]
    fn path(&self) -> &OsStr {
        &self.path
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("unipc.File({}, '{}')", self.path().into_pyobject(py)?.repr()?, self.mode))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let file = slf.get();
        Ok((slf.get_type().into_any(), (file.path(), &file.mode).into_bound_py_any(slf.py())?))
    }
}

impl Word for Opening {
    const WHAT: &'static str = "mode";
    const WORDS: &'static [(&'static str, Self)] =
        &[("r", Opening::Read), ("w", Opening::Write), ("a", Opening::Append)];
}

/// A text, bytes or path, as programs take it.
pub fn word(object: &Bound<'_, PyAny>) -> PyResult<OsString> {
    if object.is_instance_of::<PyString>() {
        return object.extract();
    }
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(OsStr::from_bytes(bytes.as_bytes()).to_owned());
    }
    // SAFETY: the thread is attached, and `object` is alive; what comes back is ours.
    let path = unsafe { Bound::from_owned_ptr_or_err(object.py(), ffi::PyOS_FSPath(object.as_ptr())) };
    word(&path.map_err(|error| {
        let class = object.get_type().name().map_or_else(|_| "?".into(), |name| name.to_string());
        if error.is_instance_of::<PyTypeError>(object.py()) {
            PyTypeError::new_err(format!("expected a str, bytes or a path, not '{class}'"))
        } else {
            error
        }
    })?)
}

fn path(object: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    word(object).map(PathBuf::from)
}

/// What a descriptor of a child is to be.
pub enum Binding {
    Inherit,
    Ready(Redirect),
    File(PathBuf, Opening),
    /// An end of a pipe goes with the child; anything else stays the caller's.
    End(Py<PipeEnd>),
    Descriptor(Py<PyAny>),
}

impl Binding {
    pub fn new(object: &Bound<'_, PyAny>) -> PyResult<Binding> {
        if object.is_none() {
            return Ok(Binding::Inherit);
        }
        if let Ok(redirect) = object.cast::<Redirect>() {
            return Ok(Binding::Ready(*redirect.get()));
        }
        if let Ok(file) = object.cast::<File>() {
            return Ok(Binding::File(file.get().path().into(), Opening::parse(&file.get().mode)?));
        }
        Binding::open(object)
    }

    /// What is open already.
    fn open(object: &Bound<'_, PyAny>) -> PyResult<Binding> {
        if let Ok(end) = object.cast::<PipeEnd>() {
            return Ok(Binding::End(end.clone().unbind()));
        }
        let is_number = object.is_instance_of::<PyInt>();
        if object.is_instance_of::<PyBool>() || !is_number && !object.hasattr("fileno")? {
            return Err(PyTypeError::new_err(format!(
                "expected a descriptor, an object with a fileno() or, for a standard stream, None, NULL, PIPE or a \
                 File, not '{}'",
                object.get_type().name()?
            )));
        }
        if is_number {
            descriptor(object)?; // of a range that it can be of
        }
        Ok(Binding::Descriptor(object.clone().unbind()))
    }

    /// For the child that is started now. What is closed is told of `program`, whose `name` it was to be.
    pub fn redirect(&self, py: Python<'_>, program: &OsStr, name: &str) -> PyResult<unipc::Redirect> {
        let duplicate = match self {
            Binding::Inherit => return Ok(unipc::Redirect::Inherit),
            Binding::Ready(Redirect::NULL) => return Ok(unipc::Redirect::Null),
            Binding::Ready(Redirect::PIPE) => return Ok(unipc::Redirect::Pipe),
            Binding::Ready(Redirect::STDOUT) => return Ok(unipc::Redirect::Stdout),
            Binding::File(path, opening) => return Ok(unipc::Redirect::File(path.clone(), *opening)),
            Binding::End(end) => unipc::Redirect::duplicate(&*end.bind(py).shared()?),
            Binding::Descriptor(object) => {
                let fd = descriptor(object.bind(py))?;
                return unipc::Redirect::duplicate(fd).map_err(|error| {
                    if error.errno() != EBADF {
                        return raise(error);
                    }
                    let sentence =
                        format!("spawn: descriptor {}, which was to be its {name}, is closed", fd.as_raw_fd());
                    PyOSError::new_err((EBADF, sentence, program.to_owned()))
                });
            }
        };
        duplicate.map_err(raise)
    }

    pub fn went(&self, py: Python<'_>) {
        if let Binding::End(end) = self {
            Open::close(end.bind(py));
        }
    }
}

/// What is said of a command beside its arguments; what is not said is None.
#[derive(Default)]
pub struct Options {
    streams: [Option<Binding>; 3],
    env: Option<Vec<(OsString, OsString)>>,
    directory: Option<PathBuf>,
    descriptors: Option<Vec<(i32, Binding)>>,
    group: Option<Group>,
    dies_with_parent: Option<i32>,
    name: Option<OsString>,
}

const STREAMS: [&str; 3] = ["stdin", "stdout", "stderr"];

impl Options {
    /// Of the keywords of `function`.
    pub fn of(function: &str, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Options> {
        let mut options = Options::default();
        for (keyword, value) in keywords.into_iter().flatten() {
            let keyword = keyword.cast::<PyString>()?.to_cow()?;
            if value.is_none() {
                continue;
            }
            match &*keyword {
                "env" => options.env = Some(environment(&value)?),
                "directory" => options.directory = Some(path(&value)?),
                "descriptors" => options.descriptors = Some(numbered(&value)?),
                "group" => options.group = Some(group(&value)?),
                "dies_with_parent" => options.dies_with_parent = Some(death(&value)?),
                "name" => options.name = Some(word(&value)?),
                other => {
                    let stream = STREAMS.iter().position(|stream| *stream == other).ok_or_else(|| {
                        PyTypeError::new_err(format!("{function}() got an unexpected keyword argument '{other}'"))
                    })?;
                    options.streams[stream] = Some(Binding::new(&value)?);
                }
            }
        }
        Ok(options)
    }

    /// The streams that `over` does not bind otherwise, and their names.
    fn bound<'a>(&'a self, over: &'a Options) -> impl Iterator<Item = (&'a Binding, &'static str)> {
        let streams = self.streams.iter().zip(&over.streams).zip(STREAMS);
        streams.filter_map(|((mine, over), name)| mine.as_ref().filter(|_| over.is_none()).map(|mine| (mine, name)))
    }

    fn apply(&self, py: Python<'_>, command: &mut unipc::Command, over: &Options) -> PyResult<()> {
        let program = command.program().to_owned();
        for (binding, stream) in self.bound(over) {
            let redirect = binding.redirect(py, &program, stream)?;
            match stream {
                "stdin" => command.stdin(redirect),
                "stdout" => command.stdout(redirect),
                _ => command.stderr(redirect),
            };
        }
        for (number, binding) in self.descriptors.iter().flatten() {
            if let unipc::Redirect::Fd(fd) = binding.redirect(py, &program, &number.to_string())? {
                command.descriptor(*number, fd);
            }
        }
        if let Some(env) = &self.env {
            command.env_clear();
            for (key, value) in env {
                command.env(key, value);
            }
        }
        if let Some(directory) = &self.directory {
            command.directory(directory);
        }
        if let Some(group) = self.group {
            command.group(group);
        }
        if let Some(signal) = self.dies_with_parent {
            command.dies_with_parent(signal);
        }
        if let Some(name) = &self.name {
            command.arg0(name);
        }
        Ok(())
    }

    fn went(&self, py: Python<'_>, over: &Options) {
        let descriptors = self.descriptors.iter().flatten().map(|(_, binding)| binding);
        self.bound(over).map(|(binding, _)| binding).chain(descriptors).for_each(|binding| binding.went(py));
    }
}

fn environment(mapping: &Bound<'_, PyAny>) -> PyResult<Vec<(OsString, OsString)>> {
    let mut pairs = Vec::new();
    for item in mapping.cast::<PyMapping>()?.items()? {
        let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        pairs.push((word(&key)?, word(&value)?));
    }
    Ok(pairs)
}

fn numbered(mapping: &Bound<'_, PyAny>) -> PyResult<Vec<(i32, Binding)>> {
    let mut bindings = Vec::new();
    for item in mapping.cast::<PyMapping>()?.items()? {
        let (number, value): (Descriptor, Bound<'_, PyAny>) = item.extract()?;
        bindings.push((number.0, Binding::open(&value)?));
    }
    Ok(bindings)
}

pub fn group(object: &Bound<'_, PyAny>) -> PyResult<Group> {
    if let Ok(text) = object.cast::<PyString>() {
        return match text.to_cow()?.as_ref() {
            "own" => Ok(Group::Own),
            other => Err(PyValueError::new_err(format!("group must be 'own' or a number, not '{other}'"))),
        };
    }
    object.extract().map(|Leader(number)| Group::Join(number))
}

fn death(object: &Bound<'_, PyAny>) -> PyResult<i32> {
    if object.is_instance_of::<PyBool>() {
        return Err(PyTypeError::new_err("dies_with_parent is a signal, such as signal.SIGTERM, not a bool"));
    }
    object.extract().map(|Signal(number)| number)
}

/// A program and its arguments, and what it is bound to: what spawn(), popen() and Pipeline take.
///
/// ``arguments`` is a sequence of str, bytes or paths, of which the first is the program; without a
/// slash it is searched in the directories of ``PATH``. No shell sees them: shell() makes a command of
/// one. Nothing happens before it is spawned, which may be done several times.
///
/// ``stdin``, ``stdout`` and ``stderr`` are None (this process's), NULL, PIPE (a fresh pipe, whose other
/// end the Child has), STDOUT (for ``stderr``: merged into standard output), a File, a descriptor, an
/// object with a fileno(), which stays the caller's and open, or a PipeReader or PipeWriter, which goes
/// with the child: it is closed here once the child is started, so that the end of file comes when it
/// must; give its dup() to keep it.
///
/// ``env`` is the whole environment (``os.environ | {"LC_ALL": "C"}`` adds to this process's own);
/// ``directory`` is where it starts; ``descriptors`` maps numbers to what the child finds there, and
/// nothing else is inherited; ``group`` is "own" for a process group that it leads, or the number of one
/// to join; ``dies_with_parent`` is the signal that it gets when this process ends; ``name`` is its
/// argument 0 if that is not the program.
#[pyclass(frozen, weakref, module = "unipc")]
pub struct Command {
    arguments: Vec<OsString>,
    options: Options,
    is_shell: bool,
}

/// Makes a command of a line for the shell, ``/bin/sh -c line``.
///
/// What stands in the line is a program of its own: never build one from what strangers say. The
/// keywords are those of Command.
#[pyfunction]
#[pyo3(signature = (line, **options))]
pub fn shell(line: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Command> {
    Ok(Command { arguments: vec![word(line)?], options: Options::of("shell", options)?, is_shell: true })
}

#[pymethods]
impl Command {
    #[new]
    #[pyo3(signature = (arguments, **options))]
    fn new(arguments: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Command> {
        Ok(Command { arguments: vector(arguments)?, options: Options::of("Command", options)?, is_shell: false })
    }

    /// The program and its arguments, as they were given; ``("/bin/sh", "-c", line)`` of a shell's line.
    #[getter]
    fn arguments<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let shell = ["/bin/sh", "-c"].map(OsString::from);
        PyTuple::new(
            py,
            shell.iter().take(if self.is_shell { 2 } else { 0 }).chain(&self.arguments).collect::<Vec<_>>(),
        )
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        if self.is_shell {
            return Ok(format!("unipc.shell({})", self.arguments[0].as_os_str().into_pyobject(py)?.repr()?));
        }
        let arguments = self.arguments.iter().map(|word| Ok(word.into_pyobject(py)?.repr()?.to_string()));
        Ok(format!("unipc.Command([{}])", arguments.collect::<PyResult<Vec<_>>>()?.join(", ")))
    }

    fn __reduce__(_slf: &Bound<'_, Self>) -> PyResult<()> {
        Err(PyTypeError::new_err("a command cannot be pickled: send its arguments, and make it anew there"))
    }
}

fn vector(arguments: &Bound<'_, PyAny>) -> PyResult<Vec<OsString>> {
    let one = arguments.is_instance_of::<PyString>()
        || arguments.is_instance_of::<PyBytes>()
        || arguments.is_instance_of::<PyByteArray>();
    if one || arguments.hasattr("__fspath__")? {
        return Err(PyTypeError::new_err(
            "a command is a list of arguments, as in [\"ls\", \"-l\"]; for a line of the shell there is shell(\"ls -l\")",
        ));
    }
    arguments.try_iter()?.map(|argument| word(&argument?)).collect()
}

/// A command in the hands of who starts it.
pub enum Given<'py> {
    Made(Bound<'py, Command>),
    Fresh(Vec<OsString>),
}

impl<'py> Given<'py> {
    pub fn new(object: &Bound<'py, PyAny>) -> PyResult<Given<'py>> {
        match object.cast::<Command>() {
            Ok(command) => Ok(Given::Made(command.clone())),
            Err(_) => Ok(Given::Fresh(vector(object)?)),
        }
    }

    /// The core's, with `more` said of it.
    pub fn build(&self, py: Python<'py>, more: &Options) -> PyResult<unipc::Command> {
        let mut command = match self {
            Given::Fresh(arguments) => unipc::Command::from_arguments(arguments),
            Given::Made(made) if made.get().is_shell => unipc::Command::shell(&made.get().arguments[0]),
            Given::Made(made) => unipc::Command::from_arguments(&made.get().arguments),
        };
        if let Given::Made(made) = self {
            made.get().options.apply(py, &mut command, more)?;
        }
        more.apply(py, &mut command, &Options::default())?;
        Ok(command)
    }

    /// Closes what went with the child.
    pub fn went(&self, py: Python<'_>, more: &Options) {
        if let Given::Made(made) = self {
            made.get().options.went(py, more);
        }
        more.went(py, &Options::default());
    }
}

/// What starting fails with: arguments that cannot be any are a `ValueError`, as Python has it.
#[cold]
pub fn refused(error: unipc::Error) -> PyErr {
    const EINVAL: i32 = 22;
    if error.errno() == EINVAL { PyValueError::new_err(error.to_string()) } else { raise(error) }
}
