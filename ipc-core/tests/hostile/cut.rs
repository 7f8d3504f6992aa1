//! A peer that cuts the file of a queue while others have it mapped, which the kernel punishes them for
//! with SIGBUS: it is to be an error, and nothing else of the process suffers.

use crate::common::{Scratch, until};
use crate::live::operate;
use crate::segment::path;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use unipc::{Engine, Queue};

const WHILE: Duration = Duration::from_millis(150);
const LARGE: usize = 20_000;

/// The role: works on a queue with two threads, and tells in the end what sending to it gives.
pub fn be_cut(name: &str) {
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let queue = Queue::options().engine(Engine::Shm).open(name).unwrap();
    let was_cut = AtomicBool::new(false);
    println!("working");
    std::thread::scope(|scope| {
        for worker in 0..2 {
            let (queue, was_cut) = (&queue, &was_cut);
            scope.spawn(move || {
                let mut numbers = crate::contents::Numbers(worker);
                let mut begin = None::<Instant>;
                while begin.is_none_or(|begin| begin.elapsed() < WHILE) {
                    operate(queue, name, numbers.below(1 << 20));
                    if std::fs::metadata(path(name)).map_or(0, |found| found.len()) < LARGE as u64 * 8 {
                        was_cut.store(true, Relaxed);
                    }
                    if was_cut.load(Relaxed) {
                        begin.get_or_insert_with(Instant::now);
                    }
                }
            });
        }
    });
    // A handle that was made before, a thread that comes now.
    let errno = std::thread::scope(|scope| {
        scope.spawn(|| queue.try_send(b"x", 0).err().map_or(0, |error| error.errno())).join().unwrap()
    });
    let again = (0..8).map(|_| queue.try_receive().err().map_or(0, |error| error.errno())).last().unwrap();
    drop(queue);
    println!("ended {errno} {again}");
}

fn start(name: &str) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["peer", "be-cut", name])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "working");
    child.stdout = Some(out.into_inner());
    child
}

/// Cuts a queue to the part of its length while two processes work on it; they say EBADMSG and end well.
fn cut(sorted: bool, part: impl Fn(u64) -> u64) {
    let scratch = Scratch::new();
    let queue =
        Queue::options().engine(Engine::Shm).max_messages(4).message_size(LARGE).create(scratch.name()).unwrap();
    for priority in [0, u32::from(sorted)] {
        queue.try_send(b"before", priority).unwrap();
    }
    drop(queue);
    let workers = [(); 2].map(|()| start(scratch.name()));
    std::thread::sleep(Duration::from_millis(30));
    let file = std::fs::OpenOptions::new().write(true).open(path(scratch.name())).unwrap();
    let len = file.metadata().unwrap().len();
    file.set_len(part(len)).unwrap();
    for worker in workers {
        let output = worker.wait_with_output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}: {told}", output.status);
        let told = told.trim().strip_prefix("ended ").unwrap_or_else(|| panic!("{told}"));
        assert!(told.split(' ').all(|errno| errno == libc::EBADMSG.to_string()), "{told}");
    }
}

crate::promises! {
    fn a_queue_that_is_cut_to_nothing_says_so() {
        cut(false, |_| 0);
    }

    fn a_sorted_queue_that_is_cut_to_nothing_says_so() {
        cut(true, |_| 0);
    }

    fn a_queue_whose_cells_are_cut_off_says_so() {
        cut(false, |_| 8192);
    }

    fn a_sorted_queue_whose_cells_are_cut_off_says_so() {
        cut(true, |_| 8192);
    }

    /// Zeroes are a fresh queue; handles that knew it otherwise get along with that.
    fn a_queue_that_is_cut_and_grown_again_stops_nobody() {
        let scratch = Scratch::new();
        let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(scratch.name()).unwrap();
        for _ in 0..100 {
            queue.try_send(b"turn", 3).unwrap();
            queue.try_receive().unwrap();
        }
        queue.try_send(b"lost", 3).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(path(scratch.name())).unwrap();
        let len = file.metadata().unwrap().len();
        file.set_len(0).unwrap();
        file.set_len(len).unwrap();
        for number in 0..200 {
            operate(&queue, scratch.name(), number);
        }
        drop(queue);
        until("the library's threads have ended", || !crate::live::has_threads());
    }
}
