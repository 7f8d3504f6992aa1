//! How a process ended.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How a child ended: by exiting with a code, or by a signal.
///
/// [`Display`](fmt::Display) prints `exited with 3`, `killed by SIGTERM` or `killed by SIGSEGV (core dumped)`.
///
/// ```
/// use unipc::Command;
/// let status = Command::shell("exit 3").spawn()?.wait()?;
/// assert_eq!((status.code(), status.signal()), (Some(3), None));
/// let status = Command::shell("kill -TERM $$").spawn()?.wait()?;
/// assert_eq!((status.code(), status.signal()), (None, Some(15)));
/// assert_eq!(status.to_string(), "killed by SIGTERM");
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(i32);

impl Status {
    /// From what [wait(2)](https://man7.org/linux/man-pages/man2/wait.2.html) encodes.
    ///
    /// ```
    /// assert_eq!(unipc::Status::from_raw(0x300).code(), Some(3));
    /// ```
    pub const fn from_raw(raw: i32) -> Status {
        Status(raw)
    }

    /// As [wait(2)](https://man7.org/linux/man-pages/man2/wait.2.html) encodes it, for its macros.
    ///
    /// ```
    /// assert_eq!(unipc::Command::shell("exit 3").spawn()?.wait()?.raw(), 0x300);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// Whether it exited with 0.
    ///
    /// ```
    /// assert!(unipc::Command::new("true").spawn()?.wait()?.success());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub const fn success(self) -> bool {
        self.0 == 0
    }

    /// What it gave to exit(3), 0 to 255; `None` if a signal ended it.
    ///
    /// ```
    /// assert_eq!(unipc::Command::new("false").spawn()?.wait()?.code(), Some(1));
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub const fn code(self) -> Option<i32> {
        match self.signal() {
            None => Some(self.0 >> 8 & 0xff),
            Some(_) => None,
        }
    }

    /// The number of the signal that ended it; `None` if it exited.
    ///
    /// ```
    /// let child = unipc::Command::new("sleep").arg("60").spawn()?;
    /// child.kill()?;
    /// assert_eq!(child.wait()?.signal(), Some(9));
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub const fn signal(self) -> Option<i32> {
        match self.0 & 0x7f {
            0 => None,
            signal => Some(signal),
        }
    }

    /// Whether the signal that ended it left a core dump.
    ///
    /// ```
    /// assert!(!unipc::Status::from_raw(15).core_dumped());
    /// ```
    pub const fn core_dumped(self) -> bool {
        self.0 & 0x80 != 0 && self.signal().is_some()
    }

    /// One number, as a shell has it in `$?`: the code, or 128 and the signal's number.
    ///
    /// ```
    /// assert_eq!(unipc::Status::from_raw(15).shell_code(), 143);
    /// ```
    pub const fn shell_code(self) -> i32 {
        match self.signal() {
            None => self.0 >> 8 & 0xff,
            Some(signal) => 128 + signal,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(code) = self.code() {
            return write!(f, "exited with {code}");
        }
        let signal = self.signal().unwrap_or(0);
        match name(signal) {
            Some(name) => write!(f, "killed by SIG{name}")?,
            None => write!(f, "killed by signal {signal}")?,
        }
        f.write_str(if self.core_dumped() { " (core dumped)" } else { "" })
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Status({self})")
    }
}

impl From<Status> for ExitStatus {
    fn from(status: Status) -> ExitStatus {
        ExitStatus::from_raw(status.0)
    }
}

impl From<ExitStatus> for Status {
    fn from(status: ExitStatus) -> Status {
        Status(status.into_raw())
    }
}

fn name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        libc::SIGHUP => "HUP",
        libc::SIGINT => "INT",
        libc::SIGQUIT => "QUIT",
        libc::SIGILL => "ILL",
        libc::SIGTRAP => "TRAP",
        libc::SIGABRT => "ABRT",
        libc::SIGBUS => "BUS",
        libc::SIGFPE => "FPE",
        libc::SIGKILL => "KILL",
        libc::SIGUSR1 => "USR1",
        libc::SIGSEGV => "SEGV",
        libc::SIGUSR2 => "USR2",
        libc::SIGPIPE => "PIPE",
        libc::SIGALRM => "ALRM",
        libc::SIGTERM => "TERM",
        libc::SIGVTALRM => "VTALRM",
        libc::SIGPROF => "PROF",
        libc::SIGIO => "IO",
        libc::SIGPWR => "PWR",
        libc::SIGSYS => "SYS",
        libc::SIGXCPU => "XCPU",
        libc::SIGXFSZ => "XFSZ",
        libc::SIGSTKFLT => "STKFLT",
        _ => return None,
    })
}
