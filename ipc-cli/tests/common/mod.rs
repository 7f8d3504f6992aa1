//! The command as a test sees it: run with a watchdog, talked to, on a terminal of its own.

#![allow(dead_code)] // each test uses a part of it

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use unipc::{Child, Command, Redirect, Status};

pub const UNIPC: &str = env!("CARGO_BIN_EXE_unipc");

/// Long enough for a loaded machine; only what hangs comes to it.
pub const WATCHDOG: Duration = Duration::from_secs(60);

/// How a command ended, and what it said.
pub struct Done {
    /// As a shell has it.
    pub code: i32,
    pub signal: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Done {
    fn new(status: Status, stdout: Vec<u8>, stderr: Vec<u8>) -> Done {
        Done { code: status.shell_code(), signal: status.signal(), stdout, stderr }
    }

    pub fn out(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    pub fn err(&self) -> &str {
        std::str::from_utf8(&self.stderr).unwrap()
    }
}

/// A command that runs, and is talked to.
pub struct Talk {
    pub child: Child,
}

impl Talk {
    /// Waits for these words, which are the first on standard error.
    pub fn hear(&self, words: &str) {
        let mut heard = vec![0; words.len()];
        self.child.stderr.as_ref().unwrap().read_full(&mut heard, WATCHDOG).unwrap();
        assert_eq!(heard, words.as_bytes());
    }

    /// Writes `input` and closes it, and hears all.
    pub fn talk(mut self, input: &[u8]) -> Done {
        match self.child.communicate(input, WATCHDOG) {
            Ok(output) => Done::new(output.status, output.stdout, output.stderr),
            Err(error) => {
                let _ = self.child.kill();
                panic!("{error}: {:?}", self.child.partial_output());
            }
        }
    }
}

/// `unipc pipe` with these arguments; the core gives it the standard streams and nothing else, whatever this
/// test was given.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(UNIPC);
    command.arg("pipe").args(arguments);
    command.stdin(Redirect::Null).stdout(Redirect::Pipe).stderr(Redirect::Pipe);
    command
}

pub fn done(command: &mut Command) -> Done {
    Talk { child: command.spawn().unwrap() }.talk(b"")
}

pub fn unipc(arguments: &[&str]) -> Done {
    done(&mut command(arguments))
}

pub fn start(arguments: &[&str]) -> Talk {
    Talk { child: command(arguments).stdin(Redirect::Pipe).spawn().unwrap() }
}

/// A script that finds the command as `$UNIPC`.
pub fn shell(script: &str) -> Done {
    Scratch::new().shell(script)
}

/// A folder that goes with the test.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("unipc-cli-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    pub fn shell(&self, script: &str) -> Done {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("UNIPC", UNIPC).directory(&self.0);
        done(command.stdin(Redirect::Null).stdout(Redirect::Pipe).stderr(Redirect::Pipe))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Objects of one name, `$Q` of the scripts, that go with the test.
pub struct Objects {
    pub scratch: Scratch,
    pub name: String,
}

impl Objects {
    pub fn new() -> Objects {
        let scratch = Scratch::new();
        let name = scratch.0.file_name().unwrap().to_str().unwrap();
        Objects { name: format!("/{name}"), scratch }
    }

    pub fn shell(&self, script: &str) -> Done {
        self.scratch.shell(&format!("Q={}; {script}", self.name))
    }

    /// What a script prints that says nothing of errors.
    pub fn succeeds(&self, script: &str) -> String {
        let done = self.shell(&format!("set -e; {script}"));
        assert_eq!((done.code, done.err()), (0, ""), "{script}");
        String::from_utf8(done.stdout).unwrap()
    }

    pub fn start(&self, script: &str) -> Talk {
        start_command(&["env", "-C", &self.scratch.path(""), &format!("UNIPC={UNIPC}"), "sh", "-c", script])
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        let _ = unipc::Queue::unlink(&self.name);
        let _ = unipc::Semaphore::unlink(&self.name);
        let _ = unipc::Memory::unlink(&self.name);
    }
}

/// A command, with pipes to talk to it.
pub fn start_command(words: &[&str]) -> Talk {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Redirect::Pipe).stdout(Redirect::Pipe).stderr(Redirect::Pipe);
    Talk { child: command.spawn().unwrap() }
}

/// Waits for what another process brings about.
pub fn until(what: &str, so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !so() {
        assert!(begin.elapsed() < WATCHDOG, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The children of a process, and the state of each, by its letter.
pub fn children(parent: i32) -> Vec<(i32, char)> {
    let processes = fs::read_dir("/proc").unwrap();
    let ids = processes.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<i32>().ok());
    let mut found: Vec<_> = ids
        .filter_map(|id| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            let mut fields = stat.rsplit_once(") ")?.1.split(' ');
            let state = fields.next()?.chars().next()?;
            (fields.next()?.parse::<i32>().ok()? == parent).then_some((id, state))
        })
        .collect();
    found.sort_unstable();
    found
}

/// A command that has a pseudo-terminal of 80 by 24 for its own.
pub struct Terminal {
    pub child: Child,
    master: File,
    said: Vec<u8>,
    expected: usize,
}

impl Terminal {
    /// `unipc pipe` with these arguments.
    pub fn start(arguments: &[&str]) -> Terminal {
        Terminal::start_command(&[&[UNIPC, "pipe"], arguments].concat())
    }

    pub fn start_command(words: &[&str]) -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = rustix::termios::Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&master, size).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let open = || OpenOptions::new().read(true).write(true).custom_flags(0o400).open(&name).unwrap(); // O_NOCTTY
        let mut command = Command::new("setsid");
        command.arg("--ctty").args(words).env("TERM", "xterm");
        let child = command.stdin(open()).stdout(open()).stderr(open()).spawn().unwrap();
        Terminal { child, master: master.into(), said: Vec::new(), expected: 0 }
    }

    pub fn write(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Reads on, until `text` was said behind what was expected before; what was said up to it.
    pub fn expect(&mut self, text: &str) -> String {
        loop {
            let rest = &self.said[self.expected..];
            if let Some(place) = rest.windows(text.len()).position(|part| part == text.as_bytes()) {
                let before = String::from_utf8_lossy(&rest[..place]).into_owned();
                self.expected += place + text.len();
                return before;
            }
            assert!(self.read(), "it ended without {text:?}: {:?}", String::from_utf8_lossy(&self.said));
        }
    }

    /// Reads on, until what stands on the screen is so: a program that draws writes only what has changed.
    pub fn expect_screen(&mut self, what: &str, so: impl Fn(&str) -> bool) {
        let begin = Instant::now();
        let mut screen = vt100::Parser::new(24, 80, 0);
        let mut seen = 0;
        loop {
            screen.process(&self.said[seen..]);
            seen = self.said.len();
            let shown = screen.screen().contents();
            if so(&shown) {
                self.expected = seen;
                return;
            }
            if begin.elapsed() > WATCHDOG || !self.read() {
                let _ = self.child.kill();
                panic!("in vain: {what}: {shown}");
            }
        }
    }

    /// Whether there was more.
    fn read(&mut self) -> bool {
        let time = rustix::event::Timespec::try_from(WATCHDOG).unwrap();
        let mut polled = [rustix::event::PollFd::new(&self.master, rustix::event::PollFlags::IN)];
        if rustix::event::poll(&mut polled, Some(&time)).unwrap() == 0 {
            let _ = self.child.kill();
            panic!("it hangs: {:?}", String::from_utf8_lossy(&self.said));
        }
        let mut buffer = [0; 4096];
        let count = self.master.read(&mut buffer).unwrap_or(0); // EIO: nobody has the terminal any more
        self.said.extend(&buffer[..count]);
        count > 0
    }

    /// All that it said until it ended.
    pub fn end(mut self) -> Done {
        while self.read() {}
        let status = self.child.wait_by(WATCHDOG).unwrap();
        Done::new(status, self.said, Vec::new())
    }
}
