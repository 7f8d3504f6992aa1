//! What storms found once in a hundred thousand deaths, made certain.

#[cfg(feature = "fail-points")]
use crate::peers::sleeps_without_end;
use crate::peers::{Peer, is_root, shared};
use crate::trace::{Step, Victim, be_traced};
use libtest_mimic::Trial;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use unipc::{Engine, Queue};

const LONG: Duration = Duration::from_secs(10);

type Play = fn(&str);

const RARE: &[(&str, Play)] = &[
    ("namesakes in two pid namespaces are told apart", namesakes),
    ("thousands die at one queue and there is room for the next", thousands),
    ("a newcomer finds the room that is there behind a cell that was held for long", newcomer),
    #[cfg(feature = "fail-points")]
    ("who has slept for long is woken by no clock, and by a death", long_sleeper),
];

pub fn all() -> Vec<Trial> {
    RARE.iter().map(|&(name, _)| crate::trial("rare", name)).collect()
}

pub fn play(name: &str, queue: &str) {
    let (_, play) = RARE.iter().find(|rare| rare.0 == name).unwrap();
    play(queue);
}

fn create(name: &str, slots: usize) -> Queue {
    let mut options = Queue::options();
    options.engine(Engine::Shm).max_messages(slots).message_size(16).create(name).unwrap()
}

fn open(name: &str) -> Queue {
    Queue::options().engine(Engine::Shm).open(name).unwrap()
}

/// A child that does something and stays.
fn stays(work: impl FnOnce(), start: impl FnOnce(&dyn Fn()) -> Peer) -> Peer {
    let came: &AtomicU32 = shared();
    let work = std::cell::Cell::new(Some(work));
    let peer = start(&|| {
        work.take().unwrap()();
        came.store(1, SeqCst);
        loop {
            unsafe { libc::pause() };
        }
    });
    while came.load(SeqCst) == 0 {
        std::thread::sleep(Duration::from_micros(50));
    }
    peer
}

/// In a container many a process has the number 1. One dies while it comes to the queue; another of the
/// same number, who came meanwhile and may have taken the very place, goes on. There is one instant at
/// which the kernel cannot tell them apart (docs/crash.md): it is no longer than an instruction or two.
fn namesakes(name: &str) {
    if !is_root() {
        println!("skipped: namesakes: needs root");
        return;
    }
    let (mut calls, mut kills, mut mistaken) = (1, 0, 0);
    loop {
        let queue = create(name, 2);
        queue.send(b"held", 0).unwrap();
        let (traced, over): (&AtomicU32, &AtomicU32) = (shared(), shared());
        let comes = Victim::fork_apart(|| {
            traced.store(1, SeqCst);
            be_traced();
            std::mem::forget(open(name));
            over.store(1, SeqCst);
        });
        // Between two calls of the kernel, or right before a store to the life word.
        let mut seen = 0;
        while seen < calls && over.load(SeqCst) == 0 {
            let (_, call) = comes.next();
            let will = comes.will();
            assert_eq!(comes.step(call), Step::Went);
            seen += u32::from(call.is_some() || will != comes.will());
        }
        let holds = stays(
            || {
                let queue = open(name);
                let _ = queue.borrow().unwrap().into_loan();
                std::mem::forget(queue);
            },
            |work| Peer::fork_apart(work),
        );
        let is_about_to_take = comes.will()[1] != 0;
        comes.kill();
        kills += 1;
        let was_given_away = queue.try_receive().is_ok();
        if was_given_away {
            assert!(is_about_to_take, "after {seen} changes: the living one's message was given away");
            mistaken += 1;
        }
        holds.kill();
        if !was_given_away {
            assert_eq!(queue.receive_by(LONG).unwrap().data, b"held");
        }
        Queue::unlink(name).unwrap();
        if over.load(SeqCst) == 1 {
            break;
        }
        calls += 1;
    }
    assert!(mistaken <= 1, "mistaken for dead at {mistaken} of {kills} instants");
    println!("namesakes: {kills} kills, at {mistaken} of these instants the living one was taken for dead");
}

fn thousands(name: &str) {
    let queue = create(name, 4);
    let deaths = if crate::is_full() { 20_000 } else { 1_500 };
    for turn in 0..deaths {
        queue.send(b"one", 0).unwrap();
        let held = stays(
            || {
                let queue = open(name);
                match turn % 3 {
                    0 => {}
                    1 => drop(queue.borrow().map(|held| held.into_loan().to_words()).unwrap()),
                    _ => drop(queue.reserve(3, 0).map(|held| held.into_loan().to_words()).unwrap()),
                }
                std::mem::forget(queue);
            },
            |work| Peer::fork(work),
        );
        held.kill();
        assert_eq!(queue.receive_by(LONG).unwrap().data, b"one");
    }
    for _ in 0..2 {
        assert_eq!((0..9).filter(|_| queue.try_send(b"one", 0).is_ok()).count(), 4);
        assert_eq!(queue.receive_many(9, LONG).unwrap().len(), 4);
    }
    println!("{deaths} died");
}

fn newcomer(name: &str) {
    let queue = create(name, 2);
    queue.send(b"held", 0).unwrap();
    let held = queue.borrow().unwrap();
    // All the others go through the other cell, past the one that is held.
    for _ in 0..10_000 {
        queue.send(b"passes", 0).unwrap();
        assert_eq!(queue.receive_by(LONG).unwrap().data, b"passes");
    }
    open(name).try_send(b"first", 0).unwrap();
    assert_eq!(open(name).try_receive().unwrap().data, b"first");
    // One who sleeps for room is woken by one whose hint is as old.
    queue.send(b"fills", 0).unwrap();
    let sleeps = Peer::fork(|| open(name).send(b"slept", 0).unwrap());
    while !crate::peers::is_asleep(sleeps.pid, true) {
        std::thread::sleep(Duration::from_micros(50));
    }
    assert_eq!(queue.receive_by(LONG).unwrap().data, b"fills");
    assert_eq!(sleeps.reap_by(LONG).ok(), Some(0));
    assert_eq!(queue.receive_by(LONG).unwrap().data, b"slept");
    held.release().unwrap();
}

/// After a second it sleeps at everybody's life words, so it need not look again.
#[cfg(feature = "fail-points")]
fn long_sleeper(name: &str) {
    let queue = create(name, 2);
    for point in ["message: published", "wake: taken the bit"] {
        let sleeper = Peer::fork(|| assert_eq!(open(name).receive().unwrap().data, b"one"));
        while !sleeps_without_end(sleeper.pid) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let before = sleeps(sleeper.pid);
        std::thread::sleep(Duration::from_millis(2500));
        assert_eq!(sleeps(sleeper.pid), before, "it was woken, and for what?");
        let sender = Peer::fork(|| {
            let queue = open(name);
            unipc::fail_points::arm(point, 1, libc::SIGKILL);
            let _ = queue.send(b"one", 0);
        });
        assert_eq!(sender.reap(), libc::SIGKILL, "{point}");
        assert_eq!(sleeper.reap_by(LONG).ok(), Some(0), "{point}");
    }
    assert!(queue.is_empty().unwrap());
}

/// How often the first thread of a process has gone to sleep.
#[cfg(feature = "fail-points")]
fn sleeps(pid: i32) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with("voluntary_ctxt_switches"));
    line.unwrap().to_owned()
}
