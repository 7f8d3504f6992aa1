//! What engine shm offers beyond the system's queues, and what it does without.

use crate::common::{SHORT, Scratch, errno, until};
use std::sync::mpsc;
use std::time::Duration;
use unipc::queue::Loan;
use unipc::{Access, Deadline, Engine, Queue};

const LONG: Duration = Duration::from_secs(50);

fn queue(scratch: &Scratch, max_messages: usize, message_size: usize) -> Queue {
    let mut options = Queue::options();
    options.engine(Engine::Shm).max_messages(max_messages).message_size(message_size).create(scratch.name()).unwrap()
}

fn fill(queue: &Queue) -> usize {
    (0..u32::MAX).take_while(|number| queue.try_send(&number.to_ne_bytes(), 0).is_ok()).count()
}

/// A ring, and one that was sorted by a message of another priority.
fn both(scratch: &Scratch, max_messages: usize) -> [Queue; 2] {
    let ring = queue(scratch, max_messages, 64);
    Queue::unlink(scratch.name()).unwrap();
    let sorted = queue(scratch, max_messages, 64);
    for priority in [1, 2] {
        sorted.send(b"", priority).unwrap();
        sorted.receive().unwrap();
    }
    [ring, sorted]
}

crate::promises! {
    fn a_reserved_message_is_sent_by_its_commit() {
        let scratch = Scratch::new();
        for queue in both(&scratch, 2) {
            let mut message = queue.reserve(4, 3).unwrap();
            message.write(0, b"te").unwrap();
            message.write(2, b"xt").unwrap();
            assert_eq!((message.len(), message.priority(), queue.len().unwrap()), (4, 3, 0));
            assert!(queue.try_receive().unwrap_err().would_block());
            message.commit().unwrap();
            let received = queue.receive().unwrap();
            assert_eq!((received.data.as_slice(), received.priority), (&b"text"[..], 3));
        }
    }

    fn a_reservation_that_is_dropped_or_aborted_leaves_its_room() {
        let scratch = Scratch::new();
        for queue in both(&scratch, 2) {
            drop(queue.reserve(4, 0).unwrap());
            queue.reserve(4, 0).unwrap().abort().unwrap();
            assert_eq!((queue.len().unwrap(), fill(&queue)), (0, 2));
        }
    }

    fn a_reservation_takes_room_and_the_others_go_on() {
        let scratch = Scratch::new();
        for queue in both(&scratch, 3) {
            let held = queue.reserve(4, 0).unwrap();
            for round in 0..20u32 {
                assert_eq!(fill(&queue), 2, "round {round}");
                assert!(queue.send_by(b"no room", 0, SHORT / 10).unwrap_err().timed_out());
                for number in 0..2u32 {
                    assert_eq!(queue.receive().unwrap().data, number.to_ne_bytes());
                }
            }
            held.commit().unwrap();
            assert_eq!(queue.receive().unwrap().data.len(), 4);
            let once = fill(&queue); // a held cell that others went past is free again a lap later
            assert!((2..=3).contains(&once));
            while queue.try_receive().is_ok() {}
            assert_eq!(fill(&queue), 3);
        }
    }

    fn room_behind_a_message_that_came_late_or_came_back_is_room() {
        let scratch = Scratch::new();
        for queue in both(&scratch, 4) {
            let late = queue.reserve(4, 0).unwrap();
            for _ in 0..3 {
                queue.send(b"x", 0).unwrap();
                queue.receive().unwrap();
            }
            late.commit().unwrap();
            assert_eq!(fill(&queue), 3);
            while queue.try_receive().is_ok() {}
            queue.send(b"first", 0).unwrap();
            let back = queue.borrow().unwrap();
            for _ in 0..3 {
                queue.send(b"x", 0).unwrap();
                queue.receive().unwrap();
            }
            back.put_back().unwrap();
            assert_eq!(fill(&queue), 3);
            assert_eq!(queue.receive().unwrap().data, b"first");
        }
        Queue::unlink(scratch.name()).unwrap();
        for queue in both(&scratch, 300) {
            assert_eq!(queue.send_many(&["back"; 150], 0, Deadline::NOW).unwrap(), 150);
            let back: Vec<_> = (0..150).map(|_| queue.borrow().unwrap()).collect();
            for _ in 0..150 {
                queue.send(b"x", 0).unwrap();
                queue.receive().unwrap();
            }
            drop(back);
            assert_eq!(fill(&queue), 150);
            Queue::unlink(scratch.name()).ok();
        }
    }

    fn a_borrowed_message_is_read_in_place_and_goes_by_its_release() {
        let scratch = Scratch::new();
        for queue in both(&scratch, 2) {
            queue.send(b"text", 7).unwrap();
            let message = queue.borrow().unwrap();
            assert_eq!((message.to_vec().unwrap().as_slice(), message.len(), message.priority()), (&b"text"[..], 4, 7));
            assert!(queue.try_receive().unwrap_err().would_block());
            let mut end = [0; 2];
            message.read(2, &mut end).unwrap();
            assert_eq!(&end, b"xt");
            assert_eq!(errno(message.read(3, &mut end)), libc::ERANGE);
            message.release().unwrap();
            assert!(queue.is_empty().unwrap());
        }
    }

    fn a_borrowed_message_that_is_dropped_is_the_first_again() {
        let scratch = Scratch::new();
        for queue in both(&scratch, 4) {
            for text in ["first", "second", "third"] {
                queue.send(text.as_bytes(), 1).unwrap();
            }
            let first = queue.borrow().unwrap();
            assert_eq!(queue.receive().unwrap().data, b"second");
            drop(first);
            assert_eq!(queue.len().unwrap(), 2);
            assert_eq!(queue.receive().unwrap().data, b"first");
            assert_eq!(queue.receive().unwrap().data, b"third");
            assert_eq!(fill(&queue), 4);
        }
    }

    fn a_message_that_comes_back_wakes_who_waits_for_one() {
        let scratch = Scratch::new();
        for queue in both(&scratch, 1) {
            queue.send(b"x", 0).unwrap();
            let message = queue.borrow().unwrap();
            std::thread::scope(|scope| {
                let receiver = scope.spawn(|| queue.receive_by(LONG).unwrap());
                std::thread::sleep(SHORT);
                message.put_back().unwrap();
                assert_eq!(receiver.join().unwrap().data, b"x");
            });
        }
    }

    fn a_thread_that_ends_gives_back_what_it_held() {
        let scratch = Scratch::new();
        for queue in both(&scratch, 1) {
            queue.send(b"x", 0).unwrap();
            let (tell, told) = mpsc::channel();
            std::thread::scope(|scope| {
                let queue = &queue;
                let borrower = scope.spawn(move || {
                    let loan = queue.borrow().unwrap().into_loan();
                    tell.send(loan).unwrap();
                    std::thread::sleep(SHORT);
                });
                let loan = told.recv().unwrap();
                let receiver = scope.spawn(|| queue.receive_by(LONG).unwrap());
                borrower.join().unwrap();
                assert_eq!(receiver.join().unwrap().data, b"x");
                let late = queue.resume_borrowed(loan).unwrap().release();
                assert_eq!(errno(late), libc::EOWNERDEAD);
            });
            assert_eq!(fill(&queue), 1);
        }
    }

    fn another_thread_may_end_what_one_has_begun() {
        let scratch = Scratch::new();
        for queue in both(&scratch, 2) {
            let mut message = queue.reserve(4, 0).unwrap();
            message.write(0, b"text").unwrap();
            std::thread::scope(|scope| scope.spawn(|| message.commit().unwrap()).join()).unwrap();
            let message = queue.borrow().unwrap();
            std::thread::scope(|scope| scope.spawn(|| message.release().unwrap()).join()).unwrap();
            assert_eq!((queue.len().unwrap(), fill(&queue)), (0, 2));
        }
    }

    fn what_was_made_up_or_ended_before_is_refused() {
        let scratch = Scratch::new();
        for queue in both(&scratch, 2) {
            let reserved = queue.reserve(4, 0).unwrap().into_loan();
            queue.resume_reserved(reserved).unwrap().commit().unwrap();
            assert_eq!(errno(queue.resume_reserved(reserved).unwrap().commit()), libc::EOWNERDEAD);
            let borrowed = queue.borrow().unwrap().into_loan();
            assert_eq!(errno(queue.resume_reserved(borrowed).unwrap().commit()), libc::EINVAL);
            queue.resume_borrowed(borrowed).unwrap().release().unwrap();
            assert_eq!(errno(queue.resume_borrowed(borrowed).unwrap().release()), libc::EOWNERDEAD);
            for words in [[0; 3], [u64::MAX; 3], [1, 2, 3], [0, u64::MAX, 0], [0, 1 << 62, 1 << 40]] {
                let _ = queue.resume_reserved(Loan::from_words(words)).and_then(unipc::queue::Reserved::commit).unwrap_err();
                let _ = queue.resume_borrowed(Loan::from_words(words)).and_then(unipc::queue::Borrowed::release).unwrap_err();
            }
            assert_eq!(fill(&queue), 2);
        }
    }

    fn a_message_in_place_needs_engine_shm() {
        let scratch = Scratch::new();
        let queue = crate::common::queue(Engine::Posix, &scratch, 1);
        assert_eq!(errno(queue.reserve(1, 0)), libc::EOPNOTSUPP);
        assert_eq!(errno(queue.borrow()), libc::EOPNOTSUPP);
        assert_eq!(errno(queue.shutdown()), libc::EOPNOTSUPP);
    }

    fn what_cannot_be_sent_cannot_be_reserved() {
        let scratch = Scratch::new();
        let queue = queue(&scratch, 1, 64);
        assert_eq!(errno(queue.reserve(65, 0)), libc::EMSGSIZE);
        assert_eq!(errno(queue.reserve(1, 32768)), libc::EINVAL);
        let receiver = Queue::options().engine(Engine::Shm).access(Access::ReadOnly).open(scratch.name()).unwrap();
        assert_eq!(errno(receiver.reserve(1, 0)), libc::EBADF);
        let sender = Queue::options().engine(Engine::Shm).access(Access::WriteOnly).open(scratch.name()).unwrap();
        assert_eq!(errno(sender.borrow()), libc::EBADF);
    }

    fn a_shutdown_ends_the_waits_of_its_handle_and_no_others() {
        let scratch = Scratch::new();
        let queue = queue(&scratch, 1, 64);
        let other = Queue::options().engine(Engine::Shm).open(scratch.name()).unwrap();
        std::thread::scope(|scope| {
            let ended: Vec<_> = (0..3).map(|_| scope.spawn(|| queue.receive())).collect();
            let goes_on = scope.spawn(|| other.receive().unwrap());
            std::thread::sleep(SHORT);
            queue.shutdown().unwrap();
            for wait in ended {
                assert_eq!(errno(wait.join().unwrap()), libc::ESHUTDOWN);
            }
            assert_eq!(errno(queue.receive_by(LONG)), libc::ESHUTDOWN);
            std::thread::sleep(SHORT);
            assert!(!goes_on.is_finished());
            queue.send(b"still goes", 0).unwrap();
            assert_eq!(goes_on.join().unwrap().data, b"still goes");
        });
    }

    fn a_queue_has_one_engine_and_says_which() {
        let scratch = Scratch::new();
        queue(&scratch, 1, 64);
        let error = Queue::open(scratch.name()).unwrap_err();
        assert_eq!((error.errno(), error.cause()), (libc::EINVAL, "it is a queue of engine shm: open it with engine shm"));
        assert_eq!(errno(Queue::options().max_messages(1).message_size(8).create(scratch.name())), libc::EEXIST);
        Queue::unlink(scratch.name()).unwrap();
        crate::common::queue(Engine::Posix, &scratch, 1);
        assert_eq!(errno(Queue::options().engine(Engine::Shm).open(scratch.name())), libc::EINVAL);
        assert_eq!(errno(Queue::options().engine(Engine::Shm).create(scratch.name())), libc::EEXIST);
    }

    fn two_engines_never_both_make_a_name() {
        let scratch = Scratch::new();
        for _ in 0..500 {
            let start = std::sync::Barrier::new(2);
            let made = std::thread::scope(|scope| {
                let make = |engine| {
                    let (start, scratch) = (&start, &scratch);
                    scope.spawn(move || {
                        let mut options = Queue::options();
                        options.engine(engine).max_messages(1).message_size(8);
                        start.wait();
                        usize::from(options.create(scratch.name()).is_ok())
                    })
                };
                [make(Engine::Posix), make(Engine::Shm)].map(|maker| maker.join().unwrap())
            });
            assert!(made[0] + made[1] < 2);
            let _ = Queue::unlink(scratch.name());
        }
    }

    fn one_of_two_senders_at_once_notifies() {
        use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
        let scratch = Scratch::new();
        for queue in both(&scratch, 4) {
            let (round, sent) = (AtomicUsize::new(0), AtomicUsize::new(0));
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        for number in 1..=300 {
                            while round.load(SeqCst) < number {
                                std::thread::yield_now();
                            }
                            queue.send(b"x", 0).unwrap();
                            sent.fetch_add(1, SeqCst);
                        }
                    });
                }
                for number in 1..=300 {
                    let (tell, told) = mpsc::channel();
                    queue.notify_callback(move || tell.send(()).unwrap()).unwrap();
                    round.store(number, SeqCst);
                    told.recv_timeout(LONG).unwrap();
                    until("both were sent", || sent.load(SeqCst) == 2 * number);
                    queue.receive_many(2, Deadline::NOW).unwrap();
                }
            });
        }
    }

    fn no_message_escapes_the_descriptor() {
        use std::os::fd::{AsFd, AsRawFd};
        let scratch = Scratch::new();
        let queue = queue(&scratch, 4, 16);
        let other = Queue::options().engine(Engine::Shm).open(scratch.name()).unwrap();
        let mut entry = libc::pollfd { fd: queue.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
        for round in 0..3000 {
            std::thread::sleep(Duration::from_nanos(round * 7919 % 60_000));
            other.send(b"x", 0).unwrap();
            assert_eq!(unsafe { libc::poll(&raw mut entry, 1, 20_000) }, 1, "round {round}");
            queue.receive().unwrap();
        }
    }

    /// Each asks for the descriptor anew before it polls, which makes it right at that instant; the thread that
    /// keeps it right afterwards has to learn what it shows now.
    fn no_message_escapes_two_who_poll() {
        use std::os::fd::{AsFd, AsRawFd};
        let scratch = Scratch::new();
        let queue = queue(&scratch, 4, 16);
        let rounds = 6000;
        let poll = || {
            let queue = Queue::options().engine(Engine::Shm).open(scratch.name()).unwrap();
            loop {
                match queue.try_receive() {
                    Ok(message) if message.data == b"end" => return,
                    Ok(_) => continue,
                    Err(error) => assert!(error.would_block(), "{error}"),
                }
                let mut entry = libc::pollfd { fd: queue.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
                assert_eq!(unsafe { libc::poll(&raw mut entry, 1, 20_000) }, 1, "a message that nobody was told of");
            }
        };
        std::thread::scope(|scope| {
            let pollers = [scope.spawn(poll), scope.spawn(poll)];
            for round in 0..rounds {
                std::thread::sleep(Duration::from_nanos(round * 7919 % 60_000));
                queue.send_by(b"x", 0, LONG).unwrap();
            }
            for _ in pollers {
                queue.send_by(b"end", 0, LONG).unwrap();
            }
        });
    }

    fn busy_threads_get_no_false_refusal() {
        let scratch = Scratch::new();
        for queue in both(&scratch, 256) {
            assert_eq!(queue.send_many(&["x"; 32], 0, Deadline::NOW).unwrap(), 32);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for _ in 0..5_000 {
                            queue.try_send(b"x", 0).unwrap();
                            queue.try_receive().unwrap();
                        }
                    });
                }
            });
        }
    }

    fn it_holds_a_million_messages() {
        let scratch = Scratch::new();
        let queue = queue(&scratch, 1 << 20, 8);
        assert_eq!(fill(&queue), 1 << 20);
        queue.receive().unwrap();
        queue.send(b"urgent", 9).unwrap();
        assert_eq!(queue.len().unwrap(), 1 << 20);
        assert_eq!(queue.receive().unwrap().data, b"urgent");
        for number in 1..1u32 << 20 {
            assert_eq!(queue.receive().unwrap().data, number.to_ne_bytes());
        }
        assert!(queue.is_empty().unwrap());
    }

    fn a_message_may_have_16_mebibytes() {
        let scratch = Scratch::new();
        let queue = queue(&scratch, 2, 16 << 20);
        let data: Vec<u8> = (0..16u32 << 20).map(|number| (number * 7 + number / 4096) as u8).collect();
        for priority in [0, 0, 5] {
            queue.send(&data, priority).unwrap();
            assert!(queue.receive().unwrap().data == data);
        }
    }

    fn there_may_be_thousands_of_queues() {
        let scratches: Vec<Scratch> = (0..1500).map(|_| Scratch::new()).collect();
        let queues: Vec<Queue> = scratches.iter().take(400).map(|scratch| queue(scratch, 1, 8)).collect();
        for scratch in &scratches[400..] {
            queue(scratch, 1, 8).send(b"kept", 0).unwrap();
        }
        for queue in &queues {
            queue.send(b"x", 0).unwrap();
        }
        for queue in &queues {
            assert_eq!(queue.receive().unwrap().data, b"x");
        }
    }

    fn places_of_threads_that_ended_are_given_out_again() {
        let scratch = Scratch::new();
        let queue = queue(&scratch, 4, 8);
        for _ in 0..3000 {
            std::thread::scope(|scope| scope.spawn(|| queue.send(b"x", 0).unwrap()).join()).unwrap();
            queue.receive().unwrap();
        }
    }

    fn more_threads_than_places_are_refused() {
        let scratch = Scratch::new();
        let queue = queue(&scratch, 4, 8);
        let (tell, told) = mpsc::channel();
        std::thread::scope(|scope| {
            let mut stay = Vec::new();
            for _ in 0..1030 {
                let (tell, queue) = (tell.clone(), &queue);
                let (leave, left) = mpsc::channel::<()>();
                std::thread::Builder::new()
                    .stack_size(64 << 10)
                    .spawn_scoped(scope, move || {
                        tell.send(queue.try_receive().unwrap_err().errno()).unwrap();
                        let _ = left.recv();
                    })
                    .unwrap();
                stay.push(leave);
            }
            let refused = told.iter().take(1030).filter(|&errno| errno == libc::EUSERS).count();
            assert_eq!(refused, 1030 - 1023); // this thread has one
        });
        queue.send(b"x", 0).unwrap();
    }

    fn more_than_there_is_space_for_is_refused_when_it_is_made() {
        let scratch = Scratch::new();
        let error = Queue::options()
            .engine(Engine::Shm)
            .max_messages(1 << 20)
            .message_size(1 << 24)
            .create(scratch.name())
            .unwrap_err();
        assert!([libc::ENOSPC, libc::ENOMEM].contains(&error.errno()), "{error}");
        assert!(error.cause().contains("/dev/shm"), "{error}");
        assert_eq!(errno(Queue::options().engine(Engine::Shm).open(scratch.name())), libc::ENOENT);
    }

    /// Four of each work as fast as they can, until every one has had a hundred turns.
    fn nobody_starves() {
        use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
        let scratch = Scratch::new();
        for queue in both(&scratch, 2) {
            let (done, turns) = (AtomicBool::new(false), [const { AtomicUsize::new(0) }; 8]);
            std::thread::scope(|scope| {
                for (number, own) in turns.iter().enumerate() {
                    let (queue, done) = (&queue, &done);
                    scope.spawn(move || {
                        while !done.load(SeqCst) {
                            let served = match number % 2 {
                                0 => queue.send_by(b"x", 0, SHORT).is_ok(),
                                _ => queue.receive_by(SHORT).is_ok(),
                            };
                            own.fetch_add(usize::from(served), SeqCst);
                        }
                    });
                }
                until("everybody has had a hundred turns", || turns.iter().all(|turns| turns.load(SeqCst) >= 100));
                done.store(true, SeqCst);
            });
        }
    }

    fn waiting_takes_no_processor_time() {
        let scratch = Scratch::new();
        let queue = queue(&scratch, 1, 8);
        let spent = std::thread::scope(|scope| {
            scope.spawn(|| {
                let now = || {
                    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
                    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
                    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
                };
                let _ = queue.receive_by(SHORT);
                let begin = now();
                assert!(queue.receive_by(Duration::from_secs(1)).unwrap_err().timed_out());
                now().saturating_sub(begin)
            }).join().unwrap()
        });
        assert!(spent < Duration::from_millis(100), "a wait of a second took {spent:?} of processor time");
    }

    fn batches_go_as_far_as_there_is_room_or_messages() {
        let scratch = Scratch::new();
        for queue in both(&scratch, 3) {
            assert_eq!(queue.send_many(&["1", "2", "3", "4"], 0, Deadline::NEVER).unwrap(), 3);
            assert!(queue.send_many(&["4"], 0, Deadline::NOW).unwrap_err().would_block());
            let some = queue.receive_many(2, Deadline::NEVER).unwrap();
            assert_eq!((some[0].data.as_slice(), some[1].data.as_slice()), (&b"1"[..], &b"2"[..]));
            assert_eq!(queue.receive_many(9, Deadline::NEVER).unwrap().len(), 1);
            assert!(queue.receive_many(9, Duration::from_millis(2)).unwrap_err().timed_out());
            assert_eq!(queue.send_many(&[""; 0], 0, Deadline::NEVER).unwrap(), 0);
            assert!(queue.receive_many(0, Deadline::NEVER).unwrap().is_empty());
        }
    }

    fn nothing_is_left_of_a_handle_that_was_closed() {
        let scratch = Scratch::new();
        let handle = queue(&scratch, 2, 8);
        let file = format!("/dev/shm/unipc.queue.{}", &scratch.name()[1..]);
        let inode = format!(" {} ", std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(file).unwrap()));
        let maps = || std::fs::read_to_string("/proc/self/maps").unwrap().matches(&inode).count();
        let _ = std::os::fd::AsFd::as_fd(&handle);
        handle.notify_callback(|| ()).unwrap();
        assert!(maps() > 2, "the segment, and a page for each thread");
        drop(handle);
        until("the mappings are gone", || maps() == 0);
    }
}
