//! Plays scripts in a process of its own, so that one that crashes or hangs there is told, not suffered.

use crate::script;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use unipc::Queue;

/// Long enough for a loaded machine; only what hangs comes to it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Enough to see what is wrong.
const COMPLAINTS: usize = 12;

pub struct Judge {
    name: String,
    player: Option<Player>,
    complaints: Vec<String>,
    pub played: usize,
}

struct Player {
    child: Child,
    scripts: ChildStdin,
    verdicts: Receiver<String>,
}

impl Player {
    fn start(name: &str) -> Player {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["peer", "play-scripts", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (scripts, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (tell, verdicts) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        Player { child, scripts, verdicts }
    }
}

impl Judge {
    pub fn new() -> Judge {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("/unipc-test-judge-{}-{number}", std::process::id());
        Judge { name, player: None, complaints: Vec::new(), played: 0 }
    }

    pub fn play(&mut self, what: &str, bytes: &[u8]) {
        self.played += 1;
        let player = self.player.get_or_insert_with(|| Player::start(&self.name));
        let hex = bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        let sent = writeln!(player.scripts, "{hex}").and_then(|()| player.scripts.flush());
        let verdict = match (sent, player.verdicts.recv_timeout(PATIENCE)) {
            (Ok(()), Ok(verdict)) if verdict == "good" => return,
            (Ok(()), Ok(verdict)) => verdict,
            _ => {
                let ended = player.child.try_wait().unwrap();
                let _ = player.child.kill();
                let _ = player.child.wait();
                self.player = None;
                let _ = Queue::unlink(&self.name);
                ended.map_or_else(|| "it hangs".into(), |status| format!("the process ended: {status}"))
            }
        };
        let (setup, steps) = script::parse(bytes);
        self.complaints.push(format!("{what}: {verdict}\n  script {hex}\n  {setup:?}\n  {steps:?}"));
        assert!(self.complaints.len() < COMPLAINTS, "{}", self.complaints.join("\n"));
    }

    /// Panics if anything was wrong.
    pub fn conclude(mut self) -> usize {
        let complaints = std::mem::take(&mut self.complaints);
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
        self.played
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        if let Some(mut player) = self.player.take() {
            let _ = player.child.kill();
            let _ = player.child.wait();
        }
        let _ = Queue::unlink(&self.name);
    }
}

/// The role: a script a line, a verdict a line.
pub fn play_scripts(name: &str) {
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    std::panic::set_hook(Box::new(|_| ()));
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let digits = line.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let bytes: Vec<u8> = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        let outcome = std::panic::catch_unwind(|| script::run(name, &bytes));
        let verdict = match outcome {
            Ok(()) => "good".to_owned(),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").replace('\n', " ")
            }
        };
        println!("{verdict}");
    }
}
