//! Who is dead, and who only seems so.

use crate::common::{Scratch, errno, queue, until};
use crate::peers::{Over, Peer, is_root, only, sees_all, shm};
use crate::segment;
use std::cell::RefCell;
use unipc::survey::{self, Object, Verdict};
use unipc::{Engine, Fifo, Memory, Queue, Semaphore};

fn judge(name: &str) -> Verdict {
    survey::verdict(&only(name))
}

/// As [`survey::verdict`], once no other test looks at the object, which each does with all that it finds.
fn judge_in_peace(object: &Object) -> Verdict {
    let verdict = RefCell::new(Verdict::Unknown(String::new()));
    until("nobody else looks", || {
        verdict.replace(survey::verdict(object));
        !matches!(&*verdict.borrow(), Verdict::Alive(why) if why.contains("does not show"))
    });
    verdict.into_inner()
}

/// The object is removed, once no other test looks at it.
pub fn remove_unused(object: &Object) {
    until("nobody else looks", || match object.remove_unused() {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.errno(), libc::EBUSY, "{error}");
            false
        }
    });
}

#[track_caller]
fn is_alive(verdict: &Verdict, who: u32) {
    assert!(matches!(verdict, Verdict::Alive(why) if why.contains(&who.to_string())), "{verdict:?}, but {who} has it");
}

/// What can be said at most of a queue of engine shm whose processes are all gone.
#[track_caller]
fn is_dead(name: &str) -> Verdict {
    let verdict = judge_in_peace(&only(name));
    let dead = if sees_all() { matches!(verdict, Verdict::Dead(_)) } else { matches!(verdict, Verdict::Unused(_)) };
    assert!(dead, "{verdict:?}");
    verdict
}

/// What is told from a PID namespace with its own /proc; `None`: there is none to be had.
fn told_from_inside(name: &str) -> Option<String> {
    let told = Peer::begin("apart", &["tell-from-inside", name]).rest();
    let told: Vec<&str> = told.lines().filter(|line| line.parse::<u32>().is_err()).collect();
    (!told.contains(&"no namespaces")).then(|| told.join("\n"))
}

const SKIPPED: &str = "SKIPPED, needs root and the right to namespaces";

crate::promises! {
    fn what_somebody_has_open_is_alive() {
        let scratch = Scratch::new();
        let queue = queue(Engine::Shm, &scratch, 4);
        is_alive(&judge(scratch.name()), std::process::id());
        let peer = Peer::start("have", &["shm", scratch.name()]);
        drop(queue);
        is_alive(&judge(scratch.name()), peer.pid());
    }

    fn a_queue_whose_processes_were_killed_is_dead_and_can_be_removed() {
        let scratch = Scratch::new();
        let maker = Peer::start("make", &[scratch.name()]);
        let other = Peer::start("take-part", &["borrow", scratch.name()]);
        maker.kill();
        is_alive(&judge(scratch.name()), other.pid());
        assert_eq!(errno(only(scratch.name()).remove_unused()), libc::EBUSY);
        other.kill();
        let found = only(scratch.name());
        let verdict = is_dead(scratch.name());
        assert!(verdict.why().contains("nobody has it open or mapped"), "{verdict:?}");
        remove_unused(&found);
        assert_eq!(errno(Queue::options().engine(Engine::Shm).open(scratch.name())), libc::ENOENT);
        assert_eq!(errno(found.remove_unused()), libc::ENOENT);
    }

    fn messages_that_go_with_a_dead_queue_are_told() {
        let scratch = Scratch::new();
        Peer::start("make", &[scratch.name()]).kill();
        assert!(is_dead(scratch.name()).why().ends_with("; 1 message is in it"));
    }

    fn a_queue_whose_maker_lives_is_unused_and_not_dead() {
        let scratch = Scratch::new();
        let maker = Peer::start("make-and-close", &[scratch.name()]);
        let verdict = judge_in_peace(&only(scratch.name()));
        assert!(matches!(&verdict, Verdict::Unused(why) if why.contains(&maker.pid().to_string())), "{verdict:?}");
        maker.kill();
        is_dead(scratch.name());
    }

    fn a_maker_whose_first_thread_has_ended_lives() {
        let scratch = Scratch::new();
        let maker = Peer::start_headless("make-and-close", &[scratch.name()]);
        let verdict = judge_in_peace(&only(scratch.name()));
        assert!(matches!(&verdict, Verdict::Unused(why) if why.contains(&maker.pid().to_string())), "{verdict:?}");
        maker.kill();
        is_dead(scratch.name());
    }

    fn who_opens_a_queue_while_it_is_removed_and_who_removes_it_do_not_wait_for_each_other() {
        // The kernel would end that after fs.lease-break-time, 45 s, each time.
        let scratch = Scratch::new();
        let _opener = Peer::start("open-and-close", &[scratch.name()]);
        for _ in 0..150 {
            drop(queue(Engine::Posix, &scratch, 1));
            remove_unused(&only(scratch.name()));
        }
    }

    fn who_looks_while_another_judges_is_told_the_same() {
        let scratch = Scratch::new();
        queue(Engine::Posix, &scratch, 1).send(b"seen", 0).unwrap();
        drop(Semaphore::create(scratch.name(), 7).unwrap());
        let _judge = Peer::start("judge-on-and-on", &[scratch.name()]);
        for _ in 0..200 {
            let found = survey::find(scratch.name()).unwrap();
            let told: Vec<_> = found.iter().map(|one| (one.messages, one.value, &one.trouble[..])).collect();
            assert_eq!(told, [(Some(1), None, &[][..]), (None, Some(7), &[])]);
        }
    }

    fn who_runs_out_of_descriptors_takes_nobody_for_dead() {
        let scratch = Scratch::new();
        let _maker = Peer::start("make-and-close", &[scratch.name()]);
        Peer::begin("judge-short-of-descriptors", &[scratch.name()]).rest();
    }

    fn of_the_systems_objects_nobody_is_known_to_come_back() {
        let scratch = Scratch::new();
        drop(queue(Engine::Posix, &scratch, 4));
        drop(Memory::create(scratch.name(), 100).unwrap());
        drop(Semaphore::create(scratch.name(), 1).unwrap());
        let found = survey::find(scratch.name()).unwrap();
        assert_eq!(found.len(), 3);
        for object in found {
            let verdict = judge_in_peace(&object);
            assert!(matches!(verdict, Verdict::Unused(_)), "{} {verdict:?}", object.kind);
            remove_unused(&object);
        }
        assert_eq!(errno(survey::find(scratch.name())), libc::ENOENT);
    }

    fn each_kind_that_somebody_has_is_alive_and_is_not_removed() {
        let scratch = Scratch::new();
        drop(queue(Engine::Posix, &scratch, 4));
        drop(Memory::create(scratch.name(), 100).unwrap());
        drop(Semaphore::create(scratch.name(), 1).unwrap());
        // Found while nobody has them: so what was seen then says nothing of now.
        let before: Vec<Object> = survey::find(scratch.name()).unwrap();
        let peers = ["posix", "memory", "semaphore"].map(|what| Peer::start("have", &[what, scratch.name()]));
        for object in &before {
            assert_eq!(errno(object.remove_unused()), libc::EBUSY, "{}", object.kind);
            assert!(matches!(survey::verdict(object), Verdict::Alive(_)), "{}", object.kind);
        }
        for object in survey::find(scratch.name()).unwrap() {
            let verdict = survey::verdict(&object);
            assert!(peers.iter().any(|peer| verdict.why().contains(&peer.pid().to_string())), "{verdict:?}");
        }
    }

    fn who_only_reads_memory_has_it_too() {
        let scratch = Scratch::new();
        drop(Memory::create(scratch.name(), 100).unwrap());
        let memory = Memory::options().read_only(true).open(scratch.name()).unwrap();
        is_alive(&judge(scratch.name()), std::process::id());
        assert_eq!(errno(only(scratch.name()).remove_unused()), libc::EBUSY);
        drop(memory);
    }

    fn a_descriptor_that_is_on_its_way_keeps_a_queue_alive() {
        let scratch = Scratch::new();
        Peer::start("make", &[scratch.name()]).kill();
        let peer = Peer::start("descriptor-in-flight", &[segment::path(scratch.name()).to_str().unwrap()]);
        let found = only(scratch.name());
        assert!(found.openers.is_empty());
        let verdict = survey::verdict(&found);
        assert!(matches!(&verdict, Verdict::Alive(why) if why.contains("through a socket")), "{verdict:?}");
        assert_eq!(errno(found.remove_unused()), libc::EBUSY);
        peer.kill();
                is_dead(scratch.name());
    }

    fn from_inside_a_container_nobody_outside_is_taken_for_dead() {
        let scratch = Scratch::new();
        let queue = queue(Engine::Shm, &scratch, 4);
        let inside = || {
            if !is_root() {
                return None;
            }
            told_from_inside(scratch.name())
        };
        let Some(told) = inside() else { return eprintln!("{SKIPPED}: what a container sees") };
        assert!(told.starts_with("Alive(\"somebody has it open whom /proc does not show"), "{told}");
        assert!(told.contains("Unknown(") && !told.contains("Dead("), "{told}");
        assert!(told.contains("outside this PID namespace"), "{told}");
        drop(queue);
        // Its maker, this process, lives and cannot be seen from there.
        let told = RefCell::new(String::new());
        until("nobody else looks", || {
            told.replace(inside().unwrap());
            !told.borrow().starts_with("Alive(")
        });
        let told = told.into_inner();
        assert!(told.starts_with("Unused("), "{told}");
    }

    fn a_container_that_has_a_queue_keeps_it_alive_for_who_looks_from_another() {
        if !is_root() {
            return eprintln!("{SKIPPED}: what one container sees of another");
        }
        let scratch = Scratch::new();
        Peer::start("make", &[scratch.name()]).kill();
        let Some((one, number)) = Peer::apart("have", &["shm", scratch.name()]) else {
            return eprintln!("{SKIPPED}: what one container sees of another");
        };
        if let Some(told) = told_from_inside(scratch.name()) {
            assert!(told.starts_with("Alive("), "{told}");
        }
        is_alive(&judge(scratch.name()), number);
        drop(one);
    }

    fn a_stranger_can_prove_nothing() {
        if !is_root() {
            return eprintln!("SKIPPED, needs root: what another user can prove");
        }
        let scratch = Scratch::new();
        Peer::start("make", &[scratch.name()]).kill();
        let told = Peer::begin("tell-as-nobody", &[scratch.name()]).rest();
        assert!(told.starts_with("Unknown("), "{told}");
    }

    fn a_fifo_without_anybody_is_unknown_and_one_with_somebody_alive() {
        let scratch = Scratch::new();
        let fifo = Fifo::create(scratch.path()).unwrap();
        let text = scratch.path();
        let text = text.to_str().unwrap();
        assert!(matches!(judge(text), Verdict::Unknown(_)));
        assert_eq!(errno(only(text).remove_unused()), libc::EOPNOTSUPP);
        let reader = fifo.try_open_reader().unwrap();
        is_alive(&judge(text), std::process::id());
        drop(reader);
        only(text).remove().unwrap();
        assert!(!scratch.path().exists());
    }

    fn a_pipe_cannot_be_removed() {
        let (reader, _writer) = unipc::pipe().unwrap();
        let link = std::fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader))).unwrap();
        let found = only(link.to_str().unwrap());
        is_alive(&survey::verdict(&found), std::process::id());
        assert_eq!(errno(found.remove()), libc::EOPNOTSUPP);
    }

    fn to_remove_what_is_in_use_leaves_it_to_who_has_it() {
        for engine in [Engine::Shm, Engine::Posix] {
            let scratch = Scratch::new();
            let queue = queue(engine, &scratch, 4);
            only(scratch.name()).remove().unwrap();
            queue.send(b"still", 0).unwrap();
            assert_eq!(queue.receive().unwrap().data, b"still");
            assert_eq!(errno(Queue::options().engine(engine).open(scratch.name())), libc::ENOENT);
        }
    }

    /// Whoever opens waits for that, and is not refused.
    fn a_verdict_keeps_nobody_from_opening() {
        let scratch = Scratch::new();
        Peer::start("make", &[scratch.name()]).kill();
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _over = Over(&over);
            scope.spawn(|| {
                let found = only(scratch.name());
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    let verdict = survey::verdict(&found);
                    assert!(!matches!(verdict, Verdict::Unknown(_)), "{verdict:?}");
                }
            });
            for _ in 0..2000 {
                drop(shm(scratch.name()));
            }
        });
    }
}
