//! What is found, and what is told of it.

use crate::common::{Scratch, queue, until};
use crate::peers::{Over, Peer, is_root, only, shm};
use crate::segment;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};
use unipc::survey::{self, Kind, Life, Object, Order, Participant};
use unipc::{Engine, Fifo, Memory, Queue, Semaphore};

fn own() -> u32 {
    std::process::id()
}

fn has(object: &Object, process: u32) -> bool {
    object.processes().iter().any(|one| one.number == process)
}

fn part_of(object: &Object, process: u32) -> &Participant {
    object.participants.iter().find(|one| one.own_process == process).unwrap()
}

fn shm_queue(scratch: &Scratch) -> Queue {
    queue(Engine::Shm, scratch, 4)
}

/// All that the kernel notes of a queue's file, and how much space it has.
fn facts(name: &str) -> [i64; 7] {
    let facts = std::fs::metadata(segment::path(name)).unwrap();
    let space = facts.blocks() as i64;
    [facts.atime(), facts.atime_nsec(), facts.mtime(), facts.mtime_nsec(), facts.ctime(), facts.ctime_nsec(), space]
}

crate::promises! {
    fn a_queue_of_engine_shm_is_found_with_what_is_in_it() {
        let scratch = Scratch::new();
        let before = SystemTime::now();
        let queue = shm_queue(&scratch);
        let fresh = only(scratch.name());
        assert_eq!((fresh.order, fresh.messages, fresh.bytes), (Some(Order::Fresh), Some(0), Some(0)));
        queue.send(b"12345", 7).unwrap();
        queue.send(b"678", 7).unwrap();
        let ring = only(scratch.name());
        assert_eq!((ring.order, ring.messages, ring.bytes), (Some(Order::Ring(7)), Some(2), Some(8)));
        queue.send(b"9", 8).unwrap();
        let sorted = only(scratch.name());
        assert_eq!((sorted.order, sorted.messages, sorted.bytes), (Some(Order::Sorted), Some(3), Some(9)));
        assert_eq!((sorted.kind, sorted.engine, &*sorted.name), (Kind::Queue, Engine::Shm, scratch.name()));
        assert_eq!((sorted.max_messages, sorted.message_size), (Some(4), Some(64)));
        assert_eq!((sorted.maker, sorted.mode), (Some(own()), Some(0o600)));
        assert_eq!(sorted.uid, Some(unsafe { libc::geteuid() }));
        assert!(sorted.made.unwrap() >= before && sorted.made.unwrap() <= SystemTime::now());
        assert_eq!(sorted.size, Some(std::fs::metadata(segment::path(scratch.name())).unwrap().len()));
        assert!(sorted.trouble.is_empty(), "{:?}", sorted.trouble);
        assert!(has(&sorted, own()));
    }

    fn a_queue_of_the_systems_is_found_while_somebody_has_it_open() {
        let scratch = Scratch::new();
        let queue = queue(Engine::Posix, &scratch, 4);
        queue.send(b"12345", 7).unwrap();
        let peer = Peer::start("have", &["posix", scratch.name()]);
        drop(queue);
        let survey = survey::objects(&[Kind::Queue]);
        let found = survey.objects.iter().find(|object| object.name == scratch.name()).unwrap();
        assert_eq!((found.kind, found.engine), (Kind::Queue, Engine::Posix));
        assert_eq!((found.messages, found.bytes), (Some(1), Some(5)));
        assert_eq!((found.max_messages, found.message_size, found.mode), (Some(4), Some(64), Some(0o600)));
        assert!(has(found, peer.pid()) && !has(found, own()));
        assert!(found.openers.iter().all(|opener| opener.reads && opener.writes));
    }

    fn a_queue_of_the_systems_that_nobody_has_open_is_found_by_its_name() {
        let scratch = Scratch::new();
        queue(Engine::Posix, &scratch, 4).send(b"12345", 7).unwrap();
        let mut found = only(scratch.name());
        assert_eq!((found.messages, found.bytes), (Some(1), Some(5)));
        assert!(found.openers.is_empty());
        Queue::open(scratch.name()).unwrap().send(b"678", 1).unwrap();
        found.refresh().unwrap();
        assert_eq!((found.messages, found.bytes), (Some(2), Some(8)));
    }

    fn a_queue_of_the_systems_is_listed_where_its_file_system_is_mounted() {
        let scratch = Scratch::new();
        queue(Engine::Posix, &scratch, 4).send(b"12345", 7).unwrap();
        std::fs::create_dir(scratch.path()).unwrap();
        let told = is_root().then(|| {
            Peer::begin("tell-listed", &[scratch.name(), scratch.path().to_str().unwrap()]).rest()
        });
        std::fs::remove_dir(scratch.path()).unwrap();
        match told.as_deref().map(str::trim_end) {
            None | Some("no namespaces") => eprintln!("SKIPPED, needs root and the right to namespaces: listed queues"),
            Some(told) => {
                assert!(told == "Some(1) Some(5) 0", "{told}");
                assert_eq!(crate::common::errno(Queue::open(scratch.name())), libc::ENOENT);
            }
        }
    }

    fn to_look_takes_no_registration_for_notification_away() {
        let scratch = Scratch::new();
        let queue = queue(Engine::Posix, &scratch, 4);
        let (tell, told) = std::sync::mpsc::channel();
        queue.notify_callback(move || tell.send(()).unwrap()).unwrap();
        let mut found = only(scratch.name());
        assert_eq!((found.messages, found.notified), (Some(0), None));
        found.refresh().unwrap();
        queue.send(b"x", 0).unwrap();
        told.recv_timeout(Duration::from_secs(30)).unwrap();
    }

    fn who_is_registered_for_notification_is_told() {
        let scratch = Scratch::new();
        let _queue = shm_queue(&scratch);
        let peer = Peer::start("take-part", &["notify", scratch.name()]);
        let found = only(scratch.name());
        let notified = found.participants.iter().filter(|one| one.notified);
        assert_eq!(notified.map(|one| one.own_process).collect::<Vec<_>>(), [peer.pid()]);
    }

    fn several_objects_of_one_name_are_all_found() {
        let scratch = Scratch::new();
        let _queue = shm_queue(&scratch);
        let _memory = Memory::create(scratch.name(), 100).unwrap();
        let _semaphore = Semaphore::create(scratch.name(), 1).unwrap();
        let kinds: Vec<Kind> = survey::find(scratch.name()).unwrap().iter().map(|found| found.kind).collect();
        assert_eq!(kinds, [Kind::Queue, Kind::Memory, Kind::Semaphore]);
        let by_path = survey::find(segment::path(scratch.name()).to_str().unwrap()).unwrap();
        assert_eq!((by_path.len(), by_path[0].kind), (1, Kind::Queue));
    }

    fn a_semaphore_is_found_with_its_value_and_who_waits() {
        let scratch = Scratch::new();
        let semaphore = Semaphore::create(scratch.name(), 7).unwrap();
        let mut found = only(scratch.name());
        assert_eq!((found.value, found.waiting), (Some(7), Some(0)));
        for _ in 0..7 {
            semaphore.wait().unwrap();
        }
        let peer = Peer::start("wait", &["semaphore", scratch.name()]);
        until("the peer waits", || {
            let mut now = found.clone();
            now.refresh().unwrap();
            now.waiting == Some(1)
        });
        found.refresh().unwrap();
        assert_eq!((found.value, found.waiting), (Some(0), Some(1)));
        until("its thread is told", || {
            only(scratch.name()).waiters().iter().any(|one| one.process.number == peer.pid() && one.waits.to_receive)
        });
    }

    fn a_name_that_looks_as_if_it_was_removed_is_a_name() {
        let scratch = Scratch::new();
        let name = format!("{} (deleted)", scratch.name());
        let queue = Queue::options().max_messages(1).message_size(64).create(&name).unwrap();
        let peer = Peer::start("have", &["posix", &name]);
        drop(queue);
        let found = survey::find(&name);
        Queue::unlink(&name).unwrap();
        assert!(found.is_ok_and(|found| found.len() == 1 && found[0].is_named() && has(&found[0], peer.pid())));
        let removed = survey::objects(&[Kind::Queue]).objects.into_iter().find(|one| has(one, peer.pid())).unwrap();
        assert_eq!((&*removed.name, removed.is_named()), (&*name, false));
    }

    fn who_polls_is_told_as_who_waits_and_for_what() {
        let (empty, full) = (Scratch::new(), Scratch::new());
        let _empty = queue(Engine::Posix, &empty, 1);
        queue(Engine::Posix, &full, 1).send(b"full", 0).unwrap();
        for (how, to_send) in [("poll", false), ("epoll", false), ("poll-to-send", true), ("epoll-to-send", true)] {
            let name = if to_send { full.name() } else { empty.name() };
            let peer = Peer::start("watch", &[how, name]);
            until("it is told", || {
                let waiters = only(name).waiters();
                let waits = waiters.iter().find(|one| one.process.number == peer.pid()).map(|one| one.waits);
                waits.is_some_and(|waits| waits.watches && (waits.to_receive, waits.to_send) == (!to_send, to_send))
            });
        }
    }

    fn memory_is_found_with_its_size_and_who_has_it_mapped() {
        let scratch = Scratch::new();
        drop(Memory::create(scratch.name(), 12345).unwrap());
        let peer = Peer::start("have", &["memory", scratch.name()]);
        let found = only(scratch.name());
        assert_eq!((found.kind, found.size), (Kind::Memory, Some(12345)));
        let mapping = found.openers.iter().find(|opener| opener.mapped.is_some()).unwrap();
        assert_eq!((mapping.process.number, mapping.reads, mapping.writes), (peer.pid(), true, true));
        assert!(!has(&found, own()));
    }

    fn a_process_is_told_with_its_program_and_user() {
        let scratch = Scratch::new();
        let _memory = Memory::create(scratch.name(), 100).unwrap();
        let before = SystemTime::now();
        let peer = Peer::start("have", &["memory", scratch.name()]);
        let found = only(scratch.name());
        let process = found.processes().into_iter().find(|one| one.number == peer.pid()).unwrap();
        let name = std::fs::read_to_string(format!("/proc/{}/comm", peer.pid())).unwrap();
        assert_eq!((&*process.name, process.uid), (name.trim_end(), unsafe { libc::geteuid() }));
        assert!(process.command.ends_with(&format!("peer have memory {}", scratch.name())), "{}", process.command);
        assert!(process.started.unwrap() + Duration::from_secs(1) > before);
        assert_eq!(process.own_number(), peer.pid());
    }

    fn a_process_whose_first_thread_has_ended_is_told_as_any_other() {
        for what in ["posix", "shm", "memory", "semaphore", "fifo"] {
            let scratch = Scratch::new();
            let path = scratch.path().to_str().unwrap().to_owned();
            let name = if what == "fifo" { &path } else { scratch.name() };
            match what {
                "posix" => drop(queue(Engine::Posix, &scratch, 4)),
                "shm" => drop(queue(Engine::Shm, &scratch, 4)),
                "memory" => drop(Memory::create(name, 100).unwrap()),
                "semaphore" => drop(Semaphore::create(name, 1).unwrap()),
                _ => drop(Fifo::create(name).unwrap()),
            }
            let peer = Peer::start_headless("have", &[what, name]);
            let found = only(name);
            assert!(has(&found, peer.pid()), "{what}: {found:?}");
            let trouble: Vec<_> = found.trouble.iter().filter(|one| !one.contains("how much is in it")).collect();
            assert!(trouble.is_empty(), "{what}: {trouble:?}");
            assert!(found.processes()[0].command.contains("headless"), "{what}: {found:?}");
        }
    }

    fn a_pipe_tells_who_has_which_end_and_how_much_is_in_it() {
        let (reader, writer) = unipc::pipe().unwrap();
        writer.write(b"twelve bytes").unwrap();
        let link = std::fs::read_link(format!("/proc/self/fd/{}", reader.as_raw_fd())).unwrap();
        let name = link.to_str().unwrap();
        let mut found = only(name);
        assert_eq!((found.kind, &*found.name, found.bytes), (Kind::Pipe, name, Some(12)));
        assert_eq!(found.capacity, Some(reader.capacity().unwrap() as u64));
        let end = |fd: i32| {
            let own = found.openers.iter().find(|one| one.process.number == own() && one.descriptor == Some(fd));
            own.map(|one| (one.reads, one.writes))
        };
        assert_eq!(end(reader.as_raw_fd()), Some((true, false)));
        assert_eq!(end(writer.as_raw_fd()), Some((false, true)));
        writer.write(b"!").unwrap();
        found.refresh().unwrap();
        assert_eq!(found.bytes, Some(13));
        drop((reader, writer));
        assert!(survey::find(name).is_err());
    }

    fn a_fifo_is_found_while_it_is_open_and_by_its_path_always() {
        let scratch = Scratch::new();
        let path = scratch.path();
        Fifo::create(&path).unwrap();
        let text = path.to_str().unwrap();
        let listed = || survey::objects(&[Kind::Fifo]).objects.into_iter().find(|found| found.name == text);
        assert!(listed().is_none());
        assert!(only(text).openers.is_empty());
        let peer = Peer::start("have", &["fifo", text]);
        let found = listed().unwrap();
        let opener = &found.openers[0];
        assert_eq!((opener.process.number, opener.reads, opener.writes), (peer.pid(), true, false));
        assert_eq!((found.path.as_deref(), found.mode, found.bytes), (Some(&*path), Some(0o600), Some(0)));
    }

    fn a_fifo_behind_a_link_is_looked_at_but_not_removed() {
        let (scratch, other) = (Scratch::new(), Scratch::new());
        Fifo::create(scratch.path()).unwrap();
        std::os::unix::fs::symlink(scratch.path(), other.path()).unwrap();
        let found = only(other.path().to_str().unwrap());
        assert_eq!((found.kind, found.mode, found.is_named()), (Kind::Fifo, Some(0o600), false));
        let error = found.remove().unwrap_err();
        assert!(error.errno() == libc::EOPNOTSUPP && error.to_string().contains("symbolic link"), "{error}");
        assert!(scratch.path().exists() && other.path().exists());
        std::fs::remove_file(other.path()).unwrap();
    }

    fn what_a_thread_holds_of_a_queue_is_told() {
        let scratch = Scratch::new();
        let queue = shm_queue(&scratch);
        for _ in 0..2 {
            queue.send(b"x", 3).unwrap();
        }
        let borrower = Peer::start("take-part", &["borrow", scratch.name()]);
        let reserver = Peer::start("take-part", &["reserve", scratch.name()]);
        let found = only(scratch.name());
        let (reading, writing) = (part_of(&found, borrower.pid()), part_of(&found, reserver.pid()));
        assert_eq!((reading.borrowed, reading.reserved, &reading.life), (1, 0, &Life::Alive));
        assert_eq!((writing.borrowed, writing.reserved, &writing.life), (0, 1, &Life::Alive));
        assert_eq!((reading.own_thread, reading.thread), (borrower.pid(), Some(borrower.pid())));
        assert!(reading.since <= SystemTime::now());
        assert_eq!(found.holders().count(), 2);
        assert_eq!((found.messages, found.orphaned), (Some(1), 0));
    }

    fn who_sleeps_at_a_queue_is_told_and_for_what() {
        let scratch = Scratch::new();
        let queue = shm_queue(&scratch);
        let receiver = Peer::start("wait", &["shm", scratch.name()]);
        let asleep = |pid: u32, receives: bool| {
            until("the peer sleeps", || {
                only(scratch.name()).waiters().iter().any(|one| {
                    one.process.number == pid && (one.waits.to_receive, one.waits.to_send) == (receives, !receives)
                })
            });
        };
        asleep(receiver.pid(), true);
        queue.send(b"x", 0).unwrap();
        assert_eq!(receiver.rest(), "");
        for _ in 0..4 {
            queue.send(b"x", 0).unwrap();
        }
        let sender = Peer::start("wait", &["shm-full", scratch.name()]);
        asleep(sender.pid(), false);
    }

    fn who_waits_at_a_queue_of_the_systems_is_told() {
        let scratch = Scratch::new();
        let _queue = queue(Engine::Posix, &scratch, 4);
        let peer = Peer::start("wait", &["posix", scratch.name()]);
        until("the peer waits", || {
            only(scratch.name()).waiters().iter().any(|one| one.process.number == peer.pid() && one.waits.to_receive)
        });
    }

    fn a_killed_thread_is_dead_and_what_it_held_is_still_told() {
        let scratch = Scratch::new();
        let queue = shm_queue(&scratch);
        queue.send(b"x", 3).unwrap();
        let peer = Peer::start("take-part", &["borrow", scratch.name()]);
        let pid = peer.pid();
        peer.kill();
        let found = only(scratch.name());
        let dead = part_of(&found, pid);
        assert!(matches!(dead.life, Life::Dead(_)), "{:?}", dead.life);
        assert_eq!((dead.borrowed, dead.process.is_none()), (1, true));
        assert_eq!(part_of(&found, own()).life, Life::Alive);
        // Another one repairs, and there is nothing left to tell.
        assert_eq!(queue.receive().unwrap().data, b"x");
        assert_eq!(part_of(&only(scratch.name()), pid).borrowed, 0);
    }

    fn a_thread_of_an_inner_pid_namespace_is_found_by_its_own_number() {
        if !is_root() {
            return eprintln!("SKIPPED, needs root and the right to namespaces: participants of inner PID namespaces");
        }
        let scratch = Scratch::new();
        let queue = shm_queue(&scratch);
        queue.send(b"x", 3).unwrap();
        let Some((_peer, outside)) = Peer::apart("take-part", &["borrow", scratch.name()]) else {
            return eprintln!("SKIPPED, needs root and the right to namespaces: participants of inner PID namespaces");
        };
        let found = only(scratch.name());
        let inside = part_of(&found, 1);
        assert_eq!((&inside.life, inside.own_thread, inside.thread), (&Life::Alive, 1, Some(outside)));
        assert_eq!(inside.process.as_ref().map(|one| (one.number, one.own_number())), Some((outside, 1)));
        assert_eq!(inside.borrowed, 1);
    }

    fn to_look_leaves_no_trace() {
        let scratch = Scratch::new();
        let queue = shm_queue(&scratch);
        for priority in [3, 1, 2] {
            queue.send(b"some bytes", priority).unwrap();
        }
        let bytes = || std::fs::read(segment::path(scratch.name())).unwrap();
        let before = bytes();
        // So long ago that the next who reads it as usual is noted.
        let long_ago = std::fs::FileTimes::new().set_accessed(SystemTime::UNIX_EPOCH);
        std::fs::File::open(segment::path(scratch.name())).unwrap().set_times(long_ago).unwrap();
        let noted = facts(scratch.name());
        let mut found = only(scratch.name());
        found.refresh().unwrap();
        assert_eq!(found.peek(10, 100).unwrap().len(), 3);
        assert!(matches!(survey::verdict(&found), survey::Verdict::Alive(_)));
        assert_eq!(facts(scratch.name()), noted);
        assert!(bytes() == before && queue.len().unwrap() == 3);
        assert_ne!(facts(scratch.name()), noted, "whoever reads it as usual is noted");
    }

    fn messages_are_shown_in_the_order_in_which_they_are_received() {
        for priorities in [&[5; 12][..], &[3, 0, 9, 3, 3, 32767, 0, 9, 1, 1, 3, 0]] {
            let scratch = Scratch::new();
            let queue = queue(Engine::Shm, &scratch, 8);
            // Half of them go through before, so that the ring has come round.
            for number in 0..4u8 {
                queue.send(&[number], priorities[0]).unwrap();
                queue.receive().unwrap();
            }
            for (number, &priority) in priorities.iter().take(8).enumerate() {
                queue.send(format!("message {number}").as_bytes(), priority).unwrap();
            }
            let found = only(scratch.name());
            let shown = found.peek(100, 9).unwrap();
            assert_eq!(found.peek(3, 9).unwrap(), shown[..3]);
            assert_eq!(shown.len(), 8);
            for shown in shown {
                let message = queue.receive().unwrap();
                assert_eq!((&shown.data, shown.priority, shown.changed), (&message.data, message.priority, false));
                assert_eq!(shown.len, 9);
            }
            assert_eq!(found.peek(1, 1).unwrap(), []);
        }
    }

    fn as_many_bytes_are_shown_as_are_asked_for() {
        let scratch = Scratch::new();
        shm_queue(&scratch).send(b"0123456789", 1).unwrap();
        let shown = only(scratch.name()).peek(1, 4).unwrap();
        assert_eq!((&*shown[0].data, shown[0].len), (&b"0123"[..], 10));
    }

    /// Each message is the same byte all over, so that a torn one shows.
    fn what_is_received_meanwhile_is_said_to_have_changed_and_never_shown_torn() {
        let scratch = Scratch::new();
        let mut options = Queue::options();
        let queue = options.engine(Engine::Shm).max_messages(8).message_size(4000).create(scratch.name()).unwrap();
        let found = only(scratch.name());
        let over = std::sync::atomic::AtomicBool::new(false);
        let is_over = || over.load(Relaxed);
        let (mut whole, mut rounds) = (0, 0);
        std::thread::scope(|scope| {
            let _over = Over(&over);
            scope.spawn(|| {
                for number in (0..=255u8).cycle().take_while(|_| !is_over()) {
                    let _ = queue.send_by(&[number; 4000], u32::from(number % 3), Duration::from_millis(1));
                }
            });
            scope.spawn(|| {
                while !is_over() {
                    let _ = queue.receive_by(Duration::from_millis(1));
                }
            });
            while rounds < 3000 {
                rounds += 1;
                for shown in found.peek(8, 4000).unwrap() {
                    if shown.changed {
                        assert!(shown.data.is_empty());
                        continue;
                    }
                    assert!(shown.len == 4000 && shown.data.iter().all(|&byte| byte == shown.data[0]));
                    assert_eq!(shown.priority, u32::from(shown.data[0] % 3));
                    whole += 1;
                }
            }
        });
        assert!(whole > 0);
    }

    fn a_stranger_sees_what_is_there_and_is_told_what_he_does_not() {
        if !is_root() {
            return eprintln!("SKIPPED, needs root: what another user sees");
        }
        let scratch = Scratch::new();
        let _queue = shm_queue(&scratch);
        let told = Peer::begin("tell-as-nobody", &[scratch.name()]).rest();
        assert!(told.starts_with("Unknown(\"only its owner (uid 0) and root"), "{told}");
        assert!(told.contains("unseen what ") && told.contains("look as root"), "{told}");
    }

    fn a_path_that_is_nothing_of_ours_is_said_to_be_so() {
        let error = survey::find("/etc/passwd").unwrap_err();
        assert_eq!((error.errno(), error.object()), (libc::EINVAL, "/etc/passwd"));
        assert_eq!(survey::find("/no/such/thing").unwrap_err().errno(), libc::ENOENT);
        assert_eq!(survey::find("pipe:[1]").unwrap_err().errno(), libc::ENOENT);
        assert_eq!("unicorns".parse::<Kind>().unwrap_err().errno(), libc::EINVAL);
    }

    fn what_has_lost_its_name_is_found_while_somebody_has_it() {
        let scratch = Scratch::new();
        drop(Memory::create(scratch.name(), 12345).unwrap());
        drop(shm_queue(&scratch));
        let peers = ["memory", "shm"].map(|what| Peer::start("have", &[what, scratch.name()]));
        Memory::unlink(scratch.name()).unwrap();
        Queue::unlink(scratch.name()).unwrap();
        let found = survey::find(scratch.name()).unwrap();
        assert_eq!(found.iter().map(|found| found.kind).collect::<Vec<_>>(), [Kind::Queue, Kind::Memory]);
        assert!(found.iter().all(|found| found.path.is_none() && found.trouble[0].contains("removed")), "{found:?}");
        assert!(has(&found[1], peers[0].pid()) && has(&found[0], peers[1].pid()));
        assert_eq!(crate::common::errno(found[0].remove()), libc::EOPNOTSUPP);
        drop(peers);
        assert!(survey::find(scratch.name()).is_err());
    }

    fn who_has_the_index_locked_is_told() {
        let scratch = Scratch::new();
        let queue = shm_queue(&scratch);
        queue.send(b"x", 1).unwrap();
        queue.send(b"x", 2).unwrap();
        let mut found = only(scratch.name());
        let segment = segment::Segment::open(scratch.name());
        let (place, lock) = (part_of(&found, own()).place as u32, segment.u32(1408));
        let generation = segment.u32(segment.table() + place as usize * segment.page).load(Relaxed);
        lock.store((generation << 10 | place) + 1, Relaxed);
        found.refresh().unwrap();
        assert!(part_of(&found, own()).locks && found.holders().count() == 1 && found.orphaned == 0);
        // The same place, given out before: its thread is no more.
        lock.store((generation.wrapping_sub(1) << 10 | place) + 1, Relaxed);
        found.refresh().unwrap();
        assert!(!part_of(&found, own()).locks && found.orphaned == 1);
        lock.store(0, Relaxed);
        assert_eq!(queue.receive().unwrap().priority, 2);
    }

    fn limits_and_features_are_those_of_the_machine() {
        let limits = survey::limits();
        let limit = |name: &str| limits.iter().find(|limit| limit.name == name).unwrap();
        let number = |path: &str| std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok());
        assert_eq!(limit("fs.mqueue.msg_max").value, number("/proc/sys/fs/mqueue/msg_max"));
        assert_eq!(limit("fs.pipe-max-size").value, number("/proc/sys/fs/pipe-max-size"));
        let (shm, descriptors) = (limit("/dev/shm"), limit("RLIMIT_NOFILE"));
        assert!(shm.used < shm.value && descriptors.used < descriptors.value);
        assert!(limits.iter().all(|limit| !limit.about.is_empty() && !limit.change.is_empty()));
        let features = survey::features();
        let present = |name: &str| features.iter().any(|feature| feature.name == name && feature.present);
        assert!(present("/dev/shm") && present("/proc") && present("robust futexes"));
        let mounted = std::fs::read_to_string("/proc/mounts").unwrap().lines().any(|line| line.contains(" mqueue "));
        assert_eq!(present("/dev/mqueue"), mounted);
    }

    fn the_bytes_of_queues_count_against_their_limit() {
        let limit = || survey::limits().into_iter().find(|limit| limit.name == "RLIMIT_MSGQUEUE").unwrap();
        let scratch = Scratch::new();
        let _queue = queue(Engine::Posix, &scratch, 4);
        assert!(limit().used.unwrap() >= 4 * 64);
        // Those that nobody has open are not among them, unless they are listed.
        let listed = survey::features().iter().any(|one| one.name == "/dev/mqueue" && one.present);
        assert_eq!(limit().at_least, !listed);
    }

    fn a_queue_tells_how_many_messages_were_ever_sent() {
        let scratch = Scratch::new();
        let queue = shm_queue(&scratch);
        let sent = || only(scratch.name()).sent;
        assert_eq!(sent(), Some(0));
        for number in 1..=11 {
            queue.send(b"an order", 1).unwrap();
            assert_eq!(sent(), Some(number));
            queue.receive().unwrap();
            assert_eq!(sent(), Some(number));
        }
        for (number, priority) in [(12, 1), (13, 2), (14, 3)] {
            queue.send(b"an order", priority).unwrap();
            assert_eq!(sent(), Some(number));
        }
        queue.receive().unwrap();
        assert_eq!(sent(), Some(14));
    }

    fn a_queue_whose_name_is_a_digest_is_found_by_its_name() {
        let name = format!("/unipc-test-{}-{}", own(), "x".repeat(230));
        let queue = Queue::options().engine(Engine::Shm).max_messages(2).message_size(8).create(&name).unwrap();
        let found = survey::find(&name);
        Queue::unlink(&name).unwrap();
        drop(queue);
        assert_eq!(found.unwrap()[0].max_messages, Some(2));
    }

    fn what_was_removed_or_replaced_is_said_to_be() {
        let scratch = Scratch::new();
        let queue = shm_queue(&scratch);
        let mut found = only(scratch.name());
        Queue::unlink(scratch.name()).unwrap();
        assert_eq!(found.refresh().unwrap_err().errno(), libc::ENOENT);
        assert_eq!(found.peek(1, 1).unwrap_err().errno(), libc::ENOENT);
        let _other = shm_queue(&scratch);
        assert_eq!(found.refresh().unwrap_err().errno(), libc::ESTALE);
        assert_eq!(found.peek(1, 1).unwrap_err().errno(), libc::ESTALE);
        assert_eq!(found.remove().unwrap_err().errno(), libc::ESTALE);
        assert_eq!(found.remove_unused().unwrap_err().errno(), libc::ESTALE);
        drop(queue);
        drop(shm(scratch.name())); // the other is still there
    }
}
