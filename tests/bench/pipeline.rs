//! What a pipeline of three stages carries, started by unipc and by the shell; and what passes through this
//! process by communicate, beside the standard library with a thread that writes.
//!
//! Both sides run in turn, round by round; a column is the median of the rounds, the ratio the median of the
//! ratios round by round. What arrives is compared. Prints a Markdown table. QUICK=1: few rounds, less data.
#![allow(clippy::cast_precision_loss)] // of rates

use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;
use unipc::{Command, Deadline, Pipeline, Redirect};

const PIECE: usize = 64 << 20;

/// A file that goes with the benchmark.
struct Scratch(std::path::PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

/// `cat` of the file so many times, `cat`, and a last stage that says what arrived.
fn by_unipc(file: &Path, times: usize, last: &[&str]) -> Vec<u8> {
    let mut first = Command::new("cat");
    first.args(vec![file; times]);
    let mut pipeline = Pipeline::new();
    pipeline.stage(first).stage(["cat"]).stage(last.to_vec()).stdout(Redirect::Pipe).pipefail(true);
    let output = pipeline.spawn().unwrap().communicate(b"", Deadline::NEVER).unwrap();
    assert!(output.statuses.success(), "{}", output.statuses);
    output.stdout
}

fn by_shell(file: &Path, times: usize, last: &[&str]) -> Vec<u8> {
    let line = format!("cat {} | cat | {}", vec![file.to_str().unwrap(); times].join(" "), last.join(" "));
    let output = std::process::Command::new("sh").arg("-c").arg(line).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn through_unipc(data: &[u8]) -> Vec<u8> {
    let mut pipeline = Pipeline::new();
    pipeline.stage(["cat"]).stage(["cat"]).stage(["cat"]).stdin(Redirect::Pipe).stdout(Redirect::Pipe);
    pipeline.spawn().unwrap().communicate(data, Deadline::NEVER).unwrap().stdout
}

fn through_std(data: &[u8]) -> Vec<u8> {
    let cat = |input: Stdio| std::process::Command::new("cat").stdin(input).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = cat(Stdio::piped());
    let mut second = cat(first.stdout.take().unwrap().into());
    let mut third = cat(second.stdout.take().unwrap().into());
    let mut output = Vec::new();
    std::thread::scope(|scope| {
        let mut input = first.stdin.take().unwrap();
        scope.spawn(move || input.write_all(data).unwrap());
        third.stdout.take().unwrap().read_to_end(&mut output).unwrap();
    });
    for mut child in [first, second, third] {
        assert!(child.wait().unwrap().success());
    }
    output
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs both in turn and prints their row.
fn row(
    what: &str,
    bytes: usize,
    rounds: usize,
    other: &str,
    unipc: impl Fn() -> Vec<u8>,
    others: impl Fn() -> Vec<u8>,
) {
    let timed = |run: &dyn Fn() -> Vec<u8>| {
        let begin = Instant::now();
        let arrived = run();
        (bytes as f64 / begin.elapsed().as_secs_f64() / 1e9, arrived)
    };
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        // Neither side always comes first.
        let (mine, yours) = if round % 2 == 0 {
            let mine = timed(&unipc);
            (mine, timed(&others))
        } else {
            let yours = timed(&others);
            (timed(&unipc), yours)
        };
        assert!(mine.1 == yours.1, "{what}: not the same arrived");
        ours.push(mine.0);
        theirs.push(yours.0);
        ratios.push(mine.0 / yours.0);
    }
    println!("| {what} | {:.2} | {:.2} | {other} | {:.2} |", median(ours), median(theirs), median(ratios));
}

fn main() {
    let quick = std::env::var_os("QUICK").is_some();
    let (rounds, times) = if quick { (3, 2) } else { (7, 16) };
    let file = Scratch(std::env::temp_dir().join(format!("unipc-bench-{}", std::process::id())));
    let piece = pattern(PIECE);
    std::fs::write(&file.0, &piece).unwrap();
    let whole = PIECE * times;

    println!(
        "| {} MiB, median of {rounds} rounds | unipc GB/s | other GB/s | the other | unipc / other |",
        whole >> 20
    );
    println!("|---|---:|---:|---|---:|");
    let path = &file.0;
    for (what, last) in [("`cat … \\| cat \\| cksum`", &["cksum"][..]), ("`cat … \\| cat \\| wc -c`", &["wc", "-c"])]
    {
        row(what, whole, rounds, "`sh -c`", || by_unipc(path, times, last), || by_shell(path, times, last));
    }
    let data = piece.repeat(times.min(4));
    let what = format!("{} MiB from and to memory through `cat \\| cat \\| cat`", data.len() >> 20);
    row(&what, data.len(), rounds, "std, a thread", || through_unipc(&data), || through_std(&data));
}
