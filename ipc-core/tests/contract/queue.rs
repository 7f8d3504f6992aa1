use crate::common::{SHORT, Scratch, errno, interrupted, queue, timed, umask, until};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};
use unipc::queue::{Message, PRIORITY_MAX, Received};
use unipc::{Access, Deadline, Engine, Opened, Queue};

const ENGINES: &[Engine] = Queue::ENGINES;
const LONG: Duration = Duration::from_secs(50);

fn readable(queue: &Queue) -> bool {
    use std::os::fd::AsRawFd;
    let mut entry = libc::pollfd { fd: queue.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    unsafe { libc::poll(&raw mut entry, 1, 0) == 1 }
}

fn count_one(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::SeqCst);
}

crate::promises! {
    fn the_highest_priority_comes_first_and_within_one_the_oldest(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 8);
        for (text, priority) in [("c1", 1), ("a1", PRIORITY_MAX), ("c2", 1), ("b1", 7), ("d1", 0), ("a2", PRIORITY_MAX)] {
            queue.send(text.as_bytes(), priority).unwrap();
        }
        let order: Vec<String> = (0..6).map(|_| String::from_utf8(queue.receive().unwrap().data).unwrap()).collect();
        assert_eq!(order, ["a1", "a2", "b1", "c1", "c2", "d1"]);
    }

    fn messages_arrive_whole_with_their_priority(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 4);
        for data in [&b""[..], b"x", &[0; 64], &[255; 63]] {
            queue.send(data, 3).unwrap();
            assert_eq!(queue.receive().unwrap(), Message { data: data.to_vec(), priority: 3 });
        }
    }

    fn a_message_is_received_into_the_callers_buffer(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 4);
        queue.send(b"hello", 2).unwrap();
        let mut buffer = [9; 80];
        assert_eq!(queue.receive_into(&mut buffer).unwrap(), Received { len: 5, priority: 2 });
        assert_eq!((&buffer[..5], &buffer[5..]), (&b"hello"[..], &[9; 75][..]));
    }

    fn a_short_buffer_is_refused_and_the_message_stays(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 4);
        queue.send(b"short", 0).unwrap();
        let error = queue.receive_into(&mut [0; 63]).unwrap_err();
        assert_eq!(error.errno(), libc::EMSGSIZE);
        assert!(error.cause().contains("63") && error.cause().contains("64 bytes are needed"), "{error}");
        assert_eq!(queue.receive().unwrap().data, b"short");
    }

    fn a_message_that_is_too_long_is_refused(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 4);
        let error = queue.send(&[0; 65], 0).unwrap_err();
        assert_eq!(error.errno(), libc::EMSGSIZE);
        assert!(error.cause().contains("65") && error.cause().contains("64"), "{error}");
        assert!(queue.is_empty().unwrap());
    }

    fn a_priority_beyond_the_highest_is_refused(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 4);
        for priority in [PRIORITY_MAX + 1, u32::MAX] {
            assert_eq!(errno(queue.send(b"x", priority)), libc::EINVAL);
        }
        assert!(queue.is_empty().unwrap());
    }

    fn a_full_queue_and_an_empty_one_would_block(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 2);
        assert!(queue.try_receive().unwrap_err().would_block());
        assert!(queue.try_receive_into(&mut [0; 64]).unwrap_err().would_block());
        queue.try_send(b"1", 0).unwrap();
        queue.try_send(b"2", 0).unwrap();
        assert!(queue.try_send(b"3", 9).unwrap_err().would_block());
        assert_eq!(queue.len().unwrap(), 2);
        assert_eq!(queue.try_receive().unwrap().data, b"1");
        queue.try_send(b"3", 0).unwrap();
    }

    fn not_waiting_once_leaves_the_queue_in_blocking_mode(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 1);
        let _ = queue.try_receive();
        assert!(!queue.attributes().unwrap().nonblocking);
    }

    fn a_nonblocking_handle_never_waits(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 1);
        queue.set_nonblocking(true).unwrap();
        assert!(queue.attributes().unwrap().nonblocking);
        assert!(queue.receive().unwrap_err().would_block());
        assert!(queue.receive_by(LONG).unwrap_err().would_block());
        assert!(queue.receive_by(SystemTime::now() + LONG).unwrap_err().would_block());
        queue.send(b"x", 0).unwrap();
        assert!(queue.send(b"x", 0).unwrap_err().would_block());
        assert!(queue.send_by(b"x", 0, LONG).unwrap_err().would_block());
        queue.set_nonblocking(false).unwrap();
        assert!(queue.send_by(b"x", 0, SHORT).unwrap_err().timed_out());
        let other = Queue::options().engine(engine).nonblocking(true).open(scratch.name()).unwrap();
        assert!(other.send(b"x", 0).unwrap_err().would_block());
        assert!(!queue.attributes().unwrap().nonblocking, "the flag is the handle's own");
    }

    fn a_timed_wait_lasts_its_time_on_either_clock(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 1);
        let (outcome, took) = timed(|| queue.receive_by(SHORT));
        assert!(outcome.unwrap_err().timed_out() && took >= SHORT);
        queue.send(b"x", 0).unwrap();
        let (outcome, took) = timed(|| queue.send_by(b"x", 0, SHORT));
        assert!(outcome.unwrap_err().timed_out() && took >= SHORT);
        let end = SystemTime::now() + SHORT;
        assert!(queue.send_by(b"x", 0, end).unwrap_err().timed_out());
        assert!(SystemTime::now() >= end);
    }

    fn a_deadline_that_has_passed_still_uses_what_is_there(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 1);
        let past = [Deadline::after(Duration::ZERO), Deadline::at(SystemTime::now() - LONG), Deadline::at(SystemTime::UNIX_EPOCH - LONG)];
        for deadline in past {
            queue.send_by(b"x", 0, deadline).unwrap();
            assert!(queue.send_by(b"x", 0, deadline).unwrap_err().timed_out());
            queue.receive_by(deadline).unwrap();
            assert!(queue.receive_by(deadline).unwrap_err().timed_out());
        }
    }

    fn a_waiting_receiver_gets_the_message_that_comes(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 1);
        for deadline in [Deadline::NEVER, Deadline::after(LONG), Deadline::at(SystemTime::now() + LONG)] {
            std::thread::scope(|scope| {
                let receiver = scope.spawn(|| queue.receive_by(deadline).unwrap());
                std::thread::sleep(SHORT);
                assert!(!receiver.is_finished());
                queue.send(b"awaited", 1).unwrap();
                assert_eq!(receiver.join().unwrap().data, b"awaited");
            });
        }
    }

    fn a_waiting_sender_uses_the_room_that_comes(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 1);
        queue.send(b"first", 0).unwrap();
        for deadline in [Deadline::NEVER, Deadline::after(LONG), Deadline::at(SystemTime::now() + LONG)] {
            std::thread::scope(|scope| {
                let sender = scope.spawn(|| queue.send_by(b"next", 0, deadline).unwrap());
                std::thread::sleep(SHORT);
                assert!(!sender.is_finished());
                queue.receive().unwrap();
                sender.join().unwrap();
            });
            assert_eq!(queue.len().unwrap(), 1);
        }
    }

    fn a_signal_ends_a_wait_and_moves_nothing(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 1);
        for deadline in [Deadline::NEVER, Deadline::after(LONG), Deadline::at(SystemTime::now() + LONG)] {
            assert!(interrupted(|| queue.receive_by(deadline)).unwrap_err().interrupted());
            queue.send(b"x", 0).unwrap();
            assert!(interrupted(|| queue.send_by(b"y", 0, deadline)).unwrap_err().interrupted());
            assert_eq!(queue.receive().unwrap().data, b"x");
            assert!(queue.is_empty().unwrap());
        }
    }

    fn a_deadline_holds_across_interruptions(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 1);
        let ((), took) = timed(|| interrupted(|| {
            let deadline = Deadline::after(SHORT * 3);
            while queue.receive_by(deadline).unwrap_err().interrupted() {}
        }));
        assert!(took >= SHORT * 3);
    }

    fn creating_is_exclusive_and_opening_needs_an_object(engine) {
        let scratch = Scratch::new();
        assert_eq!(errno(Queue::options().engine(engine).open(scratch.name())), libc::ENOENT);
        queue(engine, &scratch, 1);
        assert_eq!(errno(Queue::options().engine(engine).create(scratch.name())), libc::EEXIST);
        Queue::unlink(scratch.name()).unwrap();
        assert_eq!(errno(Queue::unlink(scratch.name())), libc::ENOENT);
    }

    fn opening_or_creating_tells_which_and_keeps_the_existing_size(engine) {
        let scratch = Scratch::new();
        let mut options = Queue::options();
        options.engine(engine).max_messages(3).message_size(32);
        assert_eq!(options.open_or_create(scratch.name()).unwrap().1, Opened::Created);
        let (queue, opened) = options.max_messages(5).open_or_create(scratch.name()).unwrap();
        assert_eq!((opened, queue.max_messages(), queue.message_size()), (Opened::Existing, 3, 32));
    }

    fn racing_to_open_or_create_makes_one_queue(engine) {
        let scratch = Scratch::new();
        let created = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let (queue, opened) = Queue::options().engine(engine).max_messages(8).message_size(16)
                        .open_or_create(scratch.name()).unwrap();
                    created.fetch_add(usize::from(opened == Opened::Created), Ordering::Relaxed);
                    queue.send(b"here", 0).unwrap();
                });
            }
        });
        assert_eq!(created.load(Ordering::Relaxed), 1);
        assert_eq!(Queue::options().engine(engine).open(scratch.name()).unwrap().len().unwrap(), 8);
    }

    fn the_attributes_are_those_asked_for(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 3);
        queue.send(b"1", 0).unwrap();
        let attributes = queue.attributes().unwrap();
        assert_eq!((attributes.max_messages, attributes.message_size), (3, 64));
        assert_eq!((attributes.queued, attributes.nonblocking), (1, false));
        assert_eq!((queue.max_messages(), queue.message_size(), queue.name()), (3, 64, scratch.name()));
        assert_eq!(queue.engine(), engine);
    }

    fn a_queue_of_nothing_is_refused(engine) {
        let scratch = Scratch::new();
        assert_eq!(errno(Queue::options().engine(engine).max_messages(0).create(scratch.name())), libc::EINVAL);
        assert_eq!(errno(Queue::options().engine(engine).message_size(0).create(scratch.name())), libc::EINVAL);
        assert_eq!(errno(Queue::options().engine(engine).max_messages(usize::MAX).create(scratch.name())), libc::EINVAL);
        assert_eq!(errno(Queue::options().engine(engine).mode(0o7777).create(scratch.name())), libc::EINVAL);
    }

    fn a_bad_name_is_refused(engine) {
        for name in ["", "orders", "/", "/a/b", "/..", "/nul\0"] {
            assert_eq!(errno(Queue::options().engine(engine).create(name)), libc::EINVAL, "{name:?}");
            assert_eq!(errno(Queue::options().engine(engine).open(name)), libc::EINVAL, "{name:?}");
            assert_eq!(errno(Queue::unlink(name)), libc::EINVAL, "{name:?}");
        }
        let long = format!("/{}", "x".repeat(256));
        assert_eq!(errno(Queue::options().engine(engine).create(&long)), libc::ENAMETOOLONG);
    }

    fn a_name_may_have_255_bytes_of_any_kind(engine) {
        let name = format!("/{:x<253}é", format!("unipc-test-{}", std::process::id()));
        let made = Queue::options().engine(engine).max_messages(1).message_size(8).create(&name);
        Queue::unlink(&name).unwrap();
        made.unwrap();
    }

    fn a_handle_for_one_direction_refuses_the_other(engine) {
        let scratch = Scratch::new();
        queue(engine, &scratch, 2);
        let sender = Queue::options().engine(engine).access(Access::WriteOnly).open(scratch.name()).unwrap();
        let receiver = Queue::options().engine(engine).access(Access::ReadOnly).open(scratch.name()).unwrap();
        sender.send(b"one way", 0).unwrap();
        assert_eq!(errno(sender.receive()), libc::EBADF);
        assert_eq!(errno(sender.receive_into(&mut [0; 64])), libc::EBADF);
        assert_eq!(errno(receiver.send(b"back", 0)), libc::EBADF);
        assert_eq!(receiver.receive().unwrap().data, b"one way");
    }

    fn the_umask_applies_to_a_mode_and_not_to_an_exact_one(engine) {
        use std::os::unix::fs::PermissionsExt;
        let mode = |queue: &Queue| {
            let file = match engine {
                Engine::Shm => std::fs::File::open(format!("/dev/shm/unipc.queue.{}", &queue.name()[1..])).unwrap(),
                _ => std::fs::File::from(queue.as_fd().try_clone_to_owned().unwrap()),
            };
            file.metadata().unwrap().permissions().mode() & 0o777
        };
        let scratch = Scratch::new();
        let mut options = Queue::options();
        options.engine(engine).max_messages(1).message_size(8);
        assert_eq!(mode(&options.mode(0o666).create(scratch.name()).unwrap()), 0o666 & !umask());
        let exact = Scratch::new();
        assert_eq!(mode(&options.exact_mode(0o666).create(exact.name()).unwrap()), 0o666);
    }

    fn those_who_have_it_open_outlive_the_name(engine) {
        let scratch = Scratch::new();
        let first = queue(engine, &scratch, 1);
        Queue::unlink(scratch.name()).unwrap();
        first.send(b"old", 0).unwrap();
        let second = queue(engine, &scratch, 1); // the name is free for another
        assert!(second.is_empty().unwrap());
        assert_eq!(first.receive().unwrap().data, b"old");
    }

    fn messages_outlive_the_handle_that_sent_them(engine) {
        let scratch = Scratch::new();
        queue(engine, &scratch, 1).send(b"kept", 0).unwrap();
        assert_eq!(Queue::options().engine(engine).open(scratch.name()).unwrap().receive().unwrap().data, b"kept");
    }

    fn many_producers_and_consumers_lose_and_double_nothing(engine) {
        const EACH: u32 = 500;
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 4);
        let (tell, told) = mpsc::channel();
        std::thread::scope(|scope| {
            for producer in 0..3 {
                let queue = &queue;
                scope.spawn(move || {
                    for number in 0..EACH {
                        let deadline = if number % 3 == 0 { Deadline::after(LONG) } else { Deadline::NEVER };
                        queue.send_by(&(producer * EACH + number).to_ne_bytes(), number % 5, deadline).unwrap();
                    }
                });
            }
            for consumer in 0..3 {
                let (queue, tell) = (&queue, tell.clone());
                scope.spawn(move || {
                    for _ in 0..EACH {
                        let deadline = if consumer == 0 { Deadline::after(LONG) } else { Deadline::NEVER };
                        let data = queue.receive_by(deadline).unwrap().data;
                        tell.send(u32::from_ne_bytes(data.try_into().unwrap())).unwrap();
                    }
                });
            }
        });
        drop(tell);
        let mut all: Vec<u32> = told.iter().collect();
        all.sort_unstable();
        assert!(all == (0..3 * EACH).collect::<Vec<_>>());
    }

    fn the_descriptor_is_readable_while_messages_are_there(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 2);
        assert!(!readable(&queue));
        queue.send(b"1", 0).unwrap();
        assert!(readable(&queue));
        queue.receive().unwrap();
        assert!(!readable(&queue));
    }

    fn a_callback_runs_once_when_a_message_comes_into_the_empty_queue(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 4);
        let count = Arc::new(AtomicUsize::new(0));
        let counter = count.clone();
        queue.notify_callback(move || count_one(&counter)).unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 0);
        queue.send(b"1", 0).unwrap();
        until("the callback ran", || count.load(Ordering::SeqCst) == 1);
        queue.receive().unwrap();
        queue.send(b"2", 0).unwrap();
        std::thread::sleep(SHORT);
        assert_eq!(count.load(Ordering::SeqCst), 1);
        queue.receive().unwrap();
        let counter = count.clone();
        queue.notify_callback(move || count_one(&counter)).unwrap();
        queue.send(b"3", 0).unwrap();
        until("the new callback ran", || count.load(Ordering::SeqCst) == 2);
    }

    fn a_callback_runs_on_another_thread_with_signals_blocked(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 1);
        let (tell, told) = mpsc::channel();
        queue.notify_callback(move || {
            let mut mask: libc::sigset_t = unsafe { std::mem::zeroed() };
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), &raw mut mask) };
            let blocked = unsafe { libc::sigismember(&raw const mask, libc::SIGUSR1) } == 1;
            tell.send((std::thread::current().id(), blocked)).unwrap();
        }).unwrap();
        queue.send(b"x", 0).unwrap();
        let (id, blocked) = told.recv().unwrap();
        assert!(id != std::thread::current().id() && blocked);
    }

    fn nobody_is_notified_while_a_receiver_waits(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 1);
        let count = Arc::new(AtomicUsize::new(0));
        let counter = count.clone();
        std::thread::scope(|scope| {
            let receiver = scope.spawn(|| queue.receive().unwrap());
            std::thread::sleep(SHORT);
            queue.notify_callback(move || count_one(&counter)).unwrap();
            queue.send(b"for the receiver", 0).unwrap();
            receiver.join().unwrap();
        });
        std::thread::sleep(SHORT);
        assert_eq!(count.load(Ordering::SeqCst), 0);
        queue.send(b"for nobody", 0).unwrap();
        until("the callback ran", || count.load(Ordering::SeqCst) == 1);
    }

    fn there_is_one_registration_and_it_can_be_cancelled(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 1);
        let dropped = Arc::new(());
        let held = dropped.clone();
        queue.notify_callback(move || drop(held)).unwrap();
        assert_eq!(errno(queue.notify_callback(|| ())), libc::EBUSY);
        assert_eq!(errno(queue.notify_signal(libc::SIGUSR2, 0)), libc::EBUSY);
        queue.cancel_notify().unwrap();
        until("the callback was dropped without running", || Arc::strong_count(&dropped) == 1);
        queue.notify_callback(|| ()).unwrap();
        queue.cancel_notify().unwrap();
        queue.cancel_notify().unwrap();
        assert_eq!(errno(queue.notify_signal(9999, 0)), libc::EINVAL);
    }

    fn no_callback_runs_once_the_cancellation_has_returned(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 1);
        for round in 0..200 {
            let cancelled = Arc::new(AtomicUsize::new(0));
            let (seen, late) = (cancelled.clone(), Arc::new(AtomicUsize::new(0)));
            let counter = late.clone();
            queue.notify_callback(move || {
                if round % 2 == 0 {
                    std::thread::sleep(Duration::from_micros(100));
                }
                counter.fetch_add(seen.load(Ordering::SeqCst), Ordering::SeqCst);
            }).unwrap();
            queue.send(b"x", 0).unwrap();
            queue.cancel_notify().unwrap();
            cancelled.store(1, Ordering::SeqCst);
            queue.receive().unwrap();
            assert_eq!((late.load(Ordering::SeqCst), Arc::strong_count(&cancelled)), (0, 1));
        }
    }

    fn a_callback_may_register_and_cancel_anew(engine) {
        let scratch = Scratch::new();
        let queue = Arc::new(queue(engine, &scratch, 4));
        let (tell, told) = mpsc::channel();
        let again = queue.clone();
        queue.notify_callback(move || {
            again.receive().unwrap();
            let (inner, tell_inner) = (again.clone(), tell.clone());
            again.notify_callback(move || {
                inner.cancel_notify().unwrap();
                tell_inner.send("again").unwrap();
            }).unwrap();
            tell.send("once").unwrap();
        }).unwrap();
        queue.send(b"x", 0).unwrap();
        assert_eq!(told.recv(), Ok("once"));
        queue.send(b"x", 0).unwrap();
        assert_eq!(told.recv(), Ok("again"));
    }

    fn everybody_who_cancels_waits_for_the_callback(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 1);
        let (running, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (begin, end) = (running.clone(), ended.clone());
        queue.notify_callback(move || {
            count_one(&begin);
            std::thread::sleep(SHORT);
            count_one(&end);
        }).unwrap();
        queue.send(b"x", 0).unwrap();
        until("the callback runs", || running.load(Ordering::SeqCst) == 1);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    queue.cancel_notify().unwrap();
                    assert_eq!(ended.load(Ordering::SeqCst), 1);
                });
            }
        });
    }

    fn a_callback_that_cancelled_itself_is_still_waited_for(engine) {
        let scratch = Scratch::new();
        let queue = Arc::new(queue(engine, &scratch, 1));
        let (cancelled, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (own, by_itself, end) = (queue.clone(), cancelled.clone(), ended.clone());
        queue.notify_callback(move || {
            own.cancel_notify().unwrap();
            drop(own);
            count_one(&by_itself);
            std::thread::sleep(SHORT);
            count_one(&end);
        }).unwrap();
        queue.send(b"x", 0).unwrap();
        until("it cancelled itself", || cancelled.load(Ordering::SeqCst) == 1);
        queue.cancel_notify().unwrap();
        assert_eq!(ended.load(Ordering::SeqCst), 1);
    }

    fn a_callback_that_panics_harms_nobody(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 1);
        queue.notify_callback(|| std::panic::resume_unwind(Box::new("on purpose"))).unwrap();
        queue.send(b"x", 0).unwrap();
        queue.cancel_notify().unwrap();
        queue.receive().unwrap();
        queue.notify_callback(|| ()).unwrap();
    }

    fn signal_0_is_no_signal(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 1);
        assert_eq!(errno(queue.notify_signal(0, 0)), libc::EINVAL);
        queue.notify_signal(libc::SIGUSR2, 0).unwrap();
        queue.cancel_notify().unwrap();
    }

    fn closing_the_queue_ends_the_thread_that_waits_for_notification(engine) {
        let scratch = Scratch::new();
        let queue = queue(engine, &scratch, 1);
        let dropped = Arc::new(());
        let held = dropped.clone();
        queue.notify_callback(move || drop(held)).unwrap();
        drop(queue);
        until("the thread ended", || Arc::strong_count(&dropped) == 1);
    }
}
