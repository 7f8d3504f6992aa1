//! What `unipc pipe` carries through three programs, plain, watched and copied, and what a shell's own pipeline
//! does.
//!
//! Both sides run in turn, round by round; a column is the median of the rounds, the ratio the median of the
//! ratios round by round. What arrives is compared. Standard error is a pseudo-terminal, so that `--rate` draws.
//! Prints a Markdown table. QUICK=1: few rounds, less data.
#![allow(clippy::cast_precision_loss)] // of rates

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

const UNIPC: &str = env!("CARGO_BIN_EXE_unipc");
const PIECE: usize = 64 << 20;

/// Files that go with the benchmark.
struct Scratch(PathBuf);

impl Scratch {
    fn new(folder: impl Into<PathBuf>) -> Scratch {
        Scratch(folder.into().join(format!("unipc-bench-command-{}", std::process::id())))
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A terminal that somebody looks at: what it is told is read.
fn terminal() -> File {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = OpenOptions::new().read(true).write(true).open(name).unwrap();
    std::thread::spawn(move || {
        let mut master = File::from(master);
        while master.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
    });
    terminal
}

/// Runs it; what it wrote, and gigabytes per second.
fn timed(words: &[&str], bytes: usize, terminal: &File) -> (f64, Vec<u8>) {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stderr(terminal.try_clone().unwrap());
    let begin = Instant::now();
    let output = command.output().unwrap();
    let speed = bytes as f64 / begin.elapsed().as_secs_f64() / 1e9;
    assert!(output.status.success(), "{words:?}: {}", output.status);
    (speed, output.stdout)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let quick = std::env::var_os("QUICK").is_some();
    let (rounds, times) = if quick { (3, 2) } else { (7, 16) };
    let (file, copy, terminal) = (Scratch::new(std::env::temp_dir()), Scratch::new("/dev/shm"), terminal());
    let piece: Vec<u8> = (0..PIECE as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    fs::write(&file.0, piece).unwrap();
    let bytes = PIECE * times;
    let files = vec![file.path(); times];
    let tee = format!("1:{}", copy.path());

    println!(
        "| `cat … \\| cat \\| wc -c`, {} MiB, median of {rounds} rounds | unipc GB/s | shell GB/s | the shell's | unipc / shell |",
        bytes >> 20
    );
    println!("|---|---:|---:|---|---:|");
    let with_tee = format!("tee {} | ", copy.path());
    for (options, between, what) in [
        (&[][..], "", "`a \\| b \\| c`"),
        (&["--rate"], "", "`a \\| b \\| c`"),
        (&["--tee", tee.as_str()], with_tee.as_str(), "`a \\| tee FILE \\| b \\| c`"),
    ] {
        let unipc = [&[UNIPC, "pipe"], options, &["cat"], &files, &["--", "cat", "--", "wc", "-c"]].concat();
        let line = format!("cat {} | {between}cat | wc -c", files.join(" "));
        let shell = ["sh", "-c", line.as_str()];
        let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..rounds {
            // Neither side always comes first.
            let (mine, yours) = if round % 2 == 0 {
                let mine = timed(&unipc, bytes, &terminal);
                check(&copy.0, options, bytes);
                (mine, timed(&shell, bytes, &terminal))
            } else {
                let yours = timed(&shell, bytes, &terminal);
                (timed(&unipc, bytes, &terminal), yours)
            };
            assert!(mine.1 == yours.1, "not the same arrived");
            ours.push(mine.0);
            theirs.push(yours.0);
            ratios.push(mine.0 / yours.0);
        }
        let option = options.first().map_or(String::new(), |option| format!(" {option}"));
        println!(
            "| `unipc pipe{option}` | {:.2} | {:.2} | {what} | {:.2} |",
            median(ours),
            median(theirs),
            median(ratios)
        );
    }
}

/// A copy that was asked for has all bytes.
fn check(copy: &Path, options: &[&str], bytes: usize) {
    if options.first() == Some(&"--tee") {
        assert_eq!(fs::metadata(copy).unwrap().len(), bytes as u64);
    }
}
