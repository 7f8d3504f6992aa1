//! Processes that work together, start each other, and die.

use crate::common::{SHORT, Scratch};
use crate::{hear, kill, peer, play, printed};
use std::os::fd::AsRawFd;
use std::time::Duration;
use unipc::{Memory, Queue, Semaphore};

const LONG: Duration = Duration::from_secs(50);

fn queue(scratch: &Scratch, max_messages: usize) -> Queue {
    Queue::options().max_messages(max_messages).message_size(64).create(scratch.name()).unwrap()
}

crate::promises! {
    fn a_program_takes_over_the_ends_that_were_made_inheritable() {
        let (reader, into_child) = unipc::pipe().unwrap();
        let (from_child, writer) = unipc::pipe().unwrap();
        reader.set_inheritable(true).unwrap();
        writer.set_inheritable(true).unwrap();
        let child = peer("echo-over-inherited-ends", &[&reader.as_raw_fd().to_string(), &writer.as_raw_fd().to_string()])
            .spawn().unwrap();
        drop((reader, writer));
        into_child.write(b"hello").unwrap();
        let mut buffer = [0; 64];
        let count = from_child.read_by(&mut buffer, LONG).unwrap();
        assert_eq!(&buffer[..count], b"HELLO");
        printed(child.wait_with_output().unwrap());
    }

    fn exec_closes_everything_that_was_not_made_inheritable() {
        let scratch = Scratch::new();
        assert_eq!(play("exec-among-open-objects", &[scratch.name(), scratch.path().to_str().unwrap()]), "closed");
    }

    fn a_process_goes_on_when_its_first_thread_has_ended() {
        let scratch = Scratch::new();
        let fifo = format!("{}.fifo", scratch.path().display());
        let said = play("outlive-the-first-thread", &[scratch.name(), &fifo]);
        std::fs::remove_file(&fifo).unwrap();
        assert_eq!(said, "through");
    }

    fn a_forked_child_uses_what_it_inherited() {
        let scratch = Scratch::new();
        queue(&scratch, 1);
        assert_eq!(play("pipe-across-fork", &[]), "parent child!");
        assert_eq!(play("anonymous-memory-across-fork", &[]), "shared seen, private not");
        assert_eq!(play("queue-across-fork", &[scratch.name()]), "from the child");
    }

    fn unrelated_processes_meet_at_a_fifo() {
        let scratch = Scratch::new();
        let fifo = unipc::Fifo::create(scratch.path()).unwrap();
        let writer = peer("fifo-write", &[scratch.path().to_str().unwrap(), "met"]).spawn().unwrap();
        let mut buffer = [0; 8];
        let reader = fifo.open_reader_by(LONG).unwrap();
        let count = reader.read_by(&mut buffer, LONG).unwrap();
        assert_eq!(&buffer[..count], b"met");
        printed(writer.wait_with_output().unwrap());
    }

    fn unrelated_processes_exchange_messages_by_priority() {
        let scratch = Scratch::new();
        let queue = queue(&scratch, 4);
        play("queue-send", &[scratch.name(), "1", "low"]);
        play("queue-send", &[scratch.name(), "9", "high"]);
        assert_eq!(queue.receive().unwrap().data, b"high");
        assert_eq!(queue.receive().unwrap().data, b"low");
    }

    fn a_receiver_that_is_killed_leaves_the_queue_to_the_others() {
        let scratch = Scratch::new();
        let queue = queue(&scratch, 4);
        for _ in 0..5 {
            let mut dying = peer("queue-receive-for-ever", &[scratch.name()]).spawn().unwrap();
            hear(&mut dying, "waiting");
            std::thread::sleep(Duration::from_millis(5));
            kill(dying);
        }
        let mut living = peer("queue-receive-one", &[scratch.name()]).spawn().unwrap();
        hear(&mut living, "waiting");
        queue.send(b"for the living", 0).unwrap();
        assert_eq!(printed(living.wait_with_output().unwrap()), "for the living");
    }

    fn what_a_killed_creator_made_stays_and_works() {
        let scratch = Scratch::new();
        let mut creator = peer("queue-create-and-stay", &[scratch.name()]).spawn().unwrap();
        hear(&mut creator, "created");
        kill(creator);
        let queue = Queue::open(scratch.name()).unwrap();
        assert_eq!(queue.receive_by(LONG).unwrap().data, b"from the creator");
        let mut creator = peer("memory-create-and-stay", &[scratch.name()]).spawn().unwrap();
        hear(&mut creator, "created");
        kill(creator);
        let mut buffer = [0; 16];
        Memory::open(scratch.name()).unwrap().read_at(7, &mut buffer).unwrap();
        assert_eq!(&buffer, b"from the creator");
    }

    fn two_processes_count_to_2000_under_a_semaphore() {
        let scratch = Scratch::new();
        let memory = Memory::create(scratch.name(), 8).unwrap();
        let _semaphore = Semaphore::create(scratch.name(), 1).unwrap();
        let counters = [(); 2].map(|()| peer("count", &[scratch.name(), scratch.name(), "1000"]).spawn().unwrap());
        for counter in counters {
            printed(counter.wait_with_output().unwrap());
        }
        let mut number = [0; 8];
        memory.read_at(0, &mut number).unwrap();
        assert_eq!(u64::from_ne_bytes(number), 2000);
    }

    fn a_permit_stays_taken_when_its_holder_is_killed() {
        let scratch = Scratch::new();
        let semaphore = Semaphore::create(scratch.name(), 1).unwrap();
        let mut holder = peer("semaphore-take-and-stay", &[scratch.name()]).spawn().unwrap();
        hear(&mut holder, "taken");
        kill(holder);
        assert!(semaphore.wait_by(SHORT).unwrap_err().timed_out());
        semaphore.post().unwrap(); // anybody may give it back
        semaphore.wait_by(LONG).unwrap();
    }

    fn a_waiter_that_is_killed_takes_no_permit() {
        let scratch = Scratch::new();
        let semaphore = Semaphore::create(scratch.name(), 0).unwrap();
        let mut waiter = peer("semaphore-wait-and-stay", &[scratch.name()]).spawn().unwrap();
        hear(&mut waiter, "waiting");
        std::thread::sleep(Duration::from_millis(5));
        kill(waiter);
        semaphore.post().unwrap();
        semaphore.wait_by(LONG).unwrap();
    }

    fn a_missing_reader_is_an_error_under_the_default_sigpipe_too() {
        assert_eq!(play("write-without-reader-under-default-sigpipe", &[]), "[32]");
    }

    fn a_missing_reader_is_an_error_on_kernels_without_rwf_nosignal_too() {
        assert_eq!(play("write-without-reader-on-an-old-kernel", &[]), "[32]");
    }

    fn a_sigpipe_that_the_host_has_pending_stays_pending() {
        assert_eq!(play("keep-a-pending-sigpipe", &[]), "kept");
    }

    fn a_message_sends_the_signal_that_was_registered() {
        let scratch = Scratch::new();
        let queue = queue(&scratch, 1);
        let mut registrant = peer("notify-by-signal", &[scratch.name()]).spawn().unwrap();
        hear(&mut registrant, "registered");
        assert_eq!(
            play("notification-of-another-process", &[scratch.name()]),
            "a process is registered for notification already"
        );
        queue.send(b"x", 0).unwrap();
        assert_eq!(printed(registrant.wait_with_output().unwrap()), format!("code {} value 42", libc::SI_MESGQ));
        queue.notify_callback(|| ()).unwrap(); // the registration went with its use
    }

    fn a_child_leaves_the_callbacks_of_its_parent_alone() {
        let scratch = Scratch::new();
        queue(&scratch, 1);
        assert_eq!(play("fork-among-callbacks", &[scratch.name()]), "left alone");
    }

    fn what_is_made_keeps_off_the_standard_streams() {
        let scratch = Scratch::new();
        queue(&scratch, 1);
        assert_eq!(play("live-without-standard-streams", &[scratch.name()]), "kept apart");
    }

    fn a_redirected_stream_is_put_back() {
        assert_eq!(play("redirect", &[]), "restored");
    }

    fn nothing_leaks_in_hundreds_of_rounds() {
        let scratch = Scratch::new();
        assert_eq!(play("leak-nothing", &[scratch.name(), scratch.path().to_str().unwrap()]), "nothing leaked");
    }
}
