//! A peer that spoils bits all the time, while others work.

use crate::common::{Scratch, until};
use crate::contents::Numbers;
use crate::script::{MESSAGE, check, judge};
use crate::segment::Segment;
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use unipc::{Engine, Queue};

const LONG: Duration = Duration::from_millis(1500);
const SHORT: Duration = Duration::from_micros(200);

/// The role: flips bits of what is in use, with a pause of so many microseconds in between.
pub fn flip(name: &str, pause: u64) {
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let segment = Segment::open(name);
    let fields = segment.fields();
    let mut numbers = Numbers(pause);
    loop {
        let at = fields[numbers.below(fields.len())];
        match numbers.below(4) {
            0 => segment.u32(at).store(numbers.next() as u32 >> numbers.below(32), Relaxed),
            1 => segment.u64(at & !7).store(numbers.next() << numbers.below(64), Relaxed),
            _ => drop(segment.u32(at).fetch_xor(1 << numbers.below(32), Relaxed)),
        }
        if pause > 0 {
            std::thread::sleep(Duration::from_micros(pause));
        }
    }
}

struct Flipper(Child);

impl Flipper {
    fn start(name: &str, pause: u64) -> Flipper {
        let mut command = Command::new(std::env::current_exe().unwrap());
        Flipper(command.args(["peer", "flip", name, &pause.to_string()]).spawn().unwrap())
    }
}

impl Drop for Flipper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One operation of a thread; in any order they come.
pub fn operate(queue: &Queue, name: &str, number: usize) {
    let priority = number as u32 % 3;
    match number % 16 {
        0..=2 => drop(judge(queue.send_by(b"a message", priority, SHORT))),
        3 => drop(judge(queue.try_send(&[b'x'; MESSAGE], priority))),
        4..=6 => {
            if let Some(message) = judge(queue.receive_by(SHORT)) {
                check(queue, message.data.len(), message.priority);
            }
        }
        7 => {
            let mut buffer = [0xee; MESSAGE + 8];
            if let Some(received) = judge(queue.try_receive_into(&mut buffer)) {
                check(queue, received.len, received.priority);
            }
            assert_eq!(buffer[MESSAGE..], [0xee; 8]);
        }
        8 | 9 => {
            if let Some(mut reserved) = judge(queue.reserve_by(MESSAGE, priority, SHORT)) {
                judge(reserved.write(0, &[b'y'; MESSAGE]));
                judge(if number % 2 == 0 { reserved.commit() } else { reserved.abort() });
            }
        }
        10 | 11 => {
            if let Some(borrowed) = judge(queue.borrow_by(SHORT)) {
                check(queue, borrowed.len(), borrowed.priority());
                judge(borrowed.to_vec());
                judge(if number % 2 == 0 { borrowed.release() } else { borrowed.put_back() });
            }
        }
        12 => {
            let mut entry = libc::pollfd { fd: queue.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
            assert!(unsafe { libc::poll(&raw mut entry, 1, 0) } >= 0);
        }
        13 => {
            judge(queue.notify_callback(|| ()));
            queue.cancel_notify().unwrap();
        }
        14 => {
            if let Some(other) = judge(Queue::options().engine(Engine::Shm).open(name)) {
                judge(other.try_send(b"by another handle", priority));
            }
        }
        _ => assert!(queue.len().unwrap() <= queue.max_messages()),
    }
}

/// Threads work on a queue while a peer flips bits of it; each goes on and comes to its end.
fn work_under_fire(slots: usize, pause: u64) {
    let scratch = Scratch::new();
    let queue =
        Queue::options().engine(Engine::Shm).max_messages(slots).message_size(MESSAGE).create(scratch.name()).unwrap();
    queue.try_send(b"the first", 0).unwrap();
    let flipper = Flipper::start(scratch.name(), pause);
    let done: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
    std::thread::scope(|scope| {
        let (queue, name, done) = (&queue, scratch.name(), &done);
        for (worker, done) in done.iter().enumerate() {
            scope.spawn(move || {
                let mut numbers = Numbers(worker as u64 + 7);
                let begin = Instant::now();
                while begin.elapsed() < LONG {
                    operate(queue, name, numbers.below(1 << 20));
                    done.fetch_add(1, Relaxed);
                }
            });
        }
    });
    drop(flipper);
    assert!(done.iter().all(|count| count.load(Relaxed) > 20), "{done:?}");
    // What the spoiler left behind, whatever it is, does not hang anybody.
    for number in 0..64 {
        operate(&queue, scratch.name(), number);
    }
    drop(queue);
    until("the library's threads have ended", || !has_threads());
}

/// Whether this process has a thread that the library made.
pub fn has_threads() -> bool {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let mut names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.any(|name| name.starts_with("unipc-"))
}

crate::promises! {
    fn bits_that_flip_all_the_time_stop_nobody() {
        work_under_fire(4, 0);
    }

    fn bits_that_flip_now_and_then_stop_nobody() {
        work_under_fire(4, 300);
    }

    fn a_queue_of_one_under_fire_stops_nobody() {
        work_under_fire(1, 50);
    }
}
