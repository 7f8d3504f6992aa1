//! What starting a program and waiting for it costs over the bare posix_spawn(3) and waitpid(2).
//!
//! All sides run in this one process, in turn, round by round; a column is the median of the rounds, a ratio
//! the median of the ratios round by round. Prints a Markdown table. QUICK=1: few rounds.
#![allow(clippy::undocumented_unsafe_blocks)] // libc is called here as any program calls it

use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::Stdio;
use std::time::Instant;
use unipc::{Command, Redirect};

const PROGRAM: &std::ffi::CStr = c"true";
const STARTS: u32 = 50;

unsafe extern "C" {
    static environ: *const *mut libc::c_char;
}

fn bare(actions: *const libc::posix_spawn_file_actions_t) -> i32 {
    let arguments = [PROGRAM.as_ptr().cast_mut(), std::ptr::null_mut()];
    let mut child = 0;
    let outcome = unsafe {
        libc::posix_spawnp(&raw mut child, PROGRAM.as_ptr(), actions, std::ptr::null(), arguments.as_ptr(), environ)
    };
    assert_eq!(outcome, 0);
    child
}

fn bare_wait(child: i32) {
    let mut status = 0;
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0);
}

fn plain_bare() {
    bare_wait(bare(std::ptr::null()));
}

fn plain_unipc() {
    assert!(Command::new("true").spawn().unwrap().wait().unwrap().success());
}

fn plain_std() {
    assert!(std::process::Command::new("true").status().unwrap().success());
}

fn piped_bare() {
    let mut ends = [0; 2];
    let mut actions: libc::posix_spawn_file_actions_t = unsafe { std::mem::zeroed() };
    let (mut reader, writer, child) = unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0);
        libc::posix_spawn_file_actions_init(&raw mut actions);
        libc::posix_spawn_file_actions_adddup2(&raw mut actions, ends[1], 1);
        let child = bare(&raw const actions);
        libc::posix_spawn_file_actions_destroy(&raw mut actions);
        (std::fs::File::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]), child)
    };
    drop(writer);
    assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
    bare_wait(child);
}

fn piped_unipc() {
    let child = Command::new("true").stdout(Redirect::Pipe).spawn().unwrap();
    assert_eq!(child.stdout.as_ref().unwrap().read(&mut [0; 8]).unwrap(), 0);
    assert!(child.wait().unwrap().success());
}

fn piped_std() {
    let mut child = std::process::Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(child.stdout.as_mut().unwrap().read(&mut [0; 8]).unwrap(), 0);
    assert!(child.wait().unwrap().success());
}

/// What does it by posix_spawn, by unipc, by the standard library.
type Sides = [fn(); 3];

const ROWS: [(&str, Sides); 2] = [
    ("spawn `true` + wait", [plain_bare, plain_unipc, plain_std]),
    ("spawn `true` with its output in a pipe, read to the end, wait", [piped_bare, piped_unipc, piped_std]),
];

fn microseconds(start: fn()) -> f64 {
    let begin = Instant::now();
    for _ in 0..STARTS {
        start();
    }
    begin.elapsed().as_secs_f64() * 1e6 / f64::from(STARTS)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let rounds = if std::env::var_os("QUICK").is_some() { 11 } else { 41 };
    println!(
        "| Rust, one process, median of {rounds} rounds of {STARTS} | posix_spawn us | unipc us | std us | unipc / posix_spawn | std / posix_spawn |"
    );
    println!("|---|---:|---:|---:|---:|---:|");
    for (what, sides) in ROWS {
        let _warm = sides.map(microseconds);
        let mut times: [Vec<f64>; 3] = Default::default();
        for round in 0..rounds {
            // Each is the first as often as the others are.
            for turn in 0..sides.len() {
                let side = (round + turn) % sides.len();
                times[side].push(microseconds(sides[side]));
            }
        }
        let ratio = |side: usize| median(times[side].iter().zip(&times[0]).map(|(ours, bare)| ours / bare).collect());
        let ratios = (ratio(1), ratio(2));
        let [bare, unipc, std] = times.map(median);
        println!("| {what} | {bare:.0} | {unipc:.0} | {std:.0} | {:.2} | {:.2} |", ratios.0, ratios.1);
    }
}
