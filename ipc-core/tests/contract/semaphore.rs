use crate::common::{SHORT, Scratch, errno, interrupted, mode_of, timed, umask};
use std::time::{Duration, SystemTime};
use unipc::{Deadline, Engine, Memory, Opened, Semaphore};

const LONG: Duration = Duration::from_secs(50);

const ENGINES: &[Engine] = Semaphore::ENGINES;

fn create(engine: Engine, scratch: &Scratch, value: u32) -> Semaphore {
    Semaphore::options().engine(engine).value(value).create(scratch.name()).unwrap()
}

crate::promises! {
    fn waiting_takes_what_posting_gives(engine) {
        let scratch = Scratch::new();
        let semaphore = create(engine, &scratch, 2);
        semaphore.wait().unwrap();
        semaphore.wait().unwrap();
        assert_eq!(semaphore.value().unwrap(), 0);
        assert!(semaphore.try_wait().unwrap_err().would_block());
        semaphore.post().unwrap();
        semaphore.post_many(3).unwrap();
        assert_eq!(semaphore.value().unwrap(), 4);
        assert_eq!((semaphore.name(), semaphore.engine()), (Some(scratch.name()), engine));
    }

    fn everybody_who_opens_a_name_shares_the_count(engine) {
        let scratch = Scratch::new();
        let here = create(engine, &scratch, 0);
        let there = Semaphore::options().engine(engine).open(scratch.name()).unwrap();
        here.post().unwrap();
        there.try_wait().unwrap();
        assert_eq!(here.value().unwrap(), 0);
    }

    fn creating_is_exclusive_and_opening_needs_an_object(engine) {
        let scratch = Scratch::new();
        assert_eq!(errno(Semaphore::options().engine(engine).open(scratch.name())), libc::ENOENT);
        create(engine, &scratch, 1);
        assert_eq!(errno(Semaphore::options().engine(engine).create(scratch.name())), libc::EEXIST);
        Semaphore::unlink(scratch.name()).unwrap();
        assert_eq!(errno(Semaphore::unlink(scratch.name())), libc::ENOENT);
    }

    fn opening_or_creating_tells_which_and_keeps_the_existing_value(engine) {
        let scratch = Scratch::new();
        let mut options = Semaphore::options();
        options.engine(engine).value(3);
        assert_eq!(options.open_or_create(scratch.name()).unwrap().1, Opened::Created);
        let (semaphore, opened) = options.value(7).open_or_create(scratch.name()).unwrap();
        assert_eq!((opened, semaphore.value().unwrap()), (Opened::Existing, 3));
    }

    fn a_bad_name_or_value_or_mode_is_refused(engine) {
        let scratch = Scratch::new();
        let mut options = Semaphore::options();
        options.engine(engine);
        for name in ["", "lock", "/", "/a/b", "/nul\0"] {
            assert_eq!(errno(options.create(name)), libc::EINVAL, "{name:?}");
        }
        assert_eq!(errno(options.create(&format!("/{}", "x".repeat(252)))), libc::ENAMETOOLONG);
        assert_eq!(errno(options.clone().value(Semaphore::MAX + 1).create(scratch.name())), libc::EINVAL);
        assert_eq!(errno(options.clone().mode(0o2000).create(scratch.name())), libc::EINVAL);
    }

    fn the_value_never_exceeds_its_maximum(engine) {
        let scratch = Scratch::new();
        let semaphore = create(engine, &scratch, Semaphore::MAX);
        assert_eq!(errno(semaphore.post()), libc::EOVERFLOW);
        semaphore.wait().unwrap();
        assert_eq!(errno(semaphore.post_many(2)), libc::EOVERFLOW);
        assert_eq!(semaphore.value().unwrap(), Semaphore::MAX - 1);
        semaphore.post_many(1).unwrap();
        semaphore.post_many(0).unwrap();
    }

    fn a_timed_wait_lasts_its_time_on_either_clock(engine) {
        let scratch = Scratch::new();
        let semaphore = create(engine, &scratch, 0);
        let (outcome, took) = timed(|| semaphore.wait_by(SHORT));
        assert!(outcome.unwrap_err().timed_out() && took >= SHORT);
        let end = SystemTime::now() + SHORT;
        assert!(semaphore.wait_by(end).unwrap_err().timed_out());
        assert!(SystemTime::now() >= end);
    }

    fn a_deadline_that_has_passed_still_takes_a_permit(engine) {
        let scratch = Scratch::new();
        let semaphore = create(engine, &scratch, 0);
        for deadline in [Deadline::after(Duration::ZERO), Deadline::at(SystemTime::UNIX_EPOCH)] {
            assert!(semaphore.wait_by(deadline).unwrap_err().timed_out());
            semaphore.post().unwrap();
            semaphore.wait_by(deadline).unwrap();
        }
    }

    fn a_waiter_gets_the_permit_that_comes(engine) {
        let scratch = Scratch::new();
        let semaphore = create(engine, &scratch, 0);
        for deadline in [Deadline::NEVER, Deadline::after(LONG), Deadline::at(SystemTime::now() + LONG)] {
            std::thread::scope(|scope| {
                let waiter = scope.spawn(|| semaphore.wait_by(deadline));
                std::thread::sleep(SHORT);
                assert!(!waiter.is_finished());
                semaphore.post().unwrap();
                waiter.join().unwrap().unwrap();
            });
        }
    }

    fn posting_many_wakes_many(engine) {
        let scratch = Scratch::new();
        let semaphore = create(engine, &scratch, 0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| semaphore.wait().unwrap());
            }
            std::thread::sleep(SHORT);
            semaphore.post_many(4).unwrap();
        });
        assert_eq!(semaphore.value().unwrap(), 0);
    }

    fn a_signal_ends_a_wait_and_takes_nothing(engine) {
        let scratch = Scratch::new();
        let semaphore = create(engine, &scratch, 0);
        for deadline in [Deadline::NEVER, Deadline::after(LONG), Deadline::at(SystemTime::now() + LONG)] {
            assert!(interrupted(|| semaphore.wait_by(deadline)).unwrap_err().interrupted());
        }
        semaphore.post().unwrap();
        semaphore.try_wait().unwrap();
    }

    fn a_guard_gives_its_permit_back_unless_kept(engine) {
        let scratch = Scratch::new();
        let semaphore = create(engine, &scratch, 1);
        let permit = semaphore.acquire().unwrap();
        assert!(semaphore.try_acquire().unwrap_err().would_block());
        assert!(semaphore.acquire_by(SHORT).unwrap_err().timed_out());
        drop(permit);
        semaphore.try_acquire().unwrap().keep();
        assert_eq!(semaphore.value().unwrap(), 0);
    }

    fn it_excludes_threads_from_each_other(engine) {
        let scratch = Scratch::new();
        let semaphore = create(engine, &scratch, 1);
        let memory = Memory::anonymous(8).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let _permit = semaphore.acquire().unwrap();
                        let mut number = [0; 8];
                        memory.read_at(0, &mut number).unwrap();
                        memory.write_at(0, &(u64::from_ne_bytes(number) + 1).to_ne_bytes()).unwrap();
                    }
                });
            }
        });
        let mut number = [0; 8];
        memory.read_at(0, &mut number).unwrap();
        assert_eq!(u64::from_ne_bytes(number), 2000);
    }

    fn the_umask_applies_to_a_mode_and_not_to_an_exact_one(engine) {
        let (scratch, exact) = (Scratch::new(), Scratch::new());
        let mode = |scratch: &Scratch| mode_of(format!("/dev/shm/sem.{}", &scratch.name()[1..]));
        Semaphore::options().engine(engine).mode(0o666).create(scratch.name()).unwrap();
        assert_eq!(mode(&scratch), 0o666 & !umask());
        Semaphore::options().engine(engine).exact_mode(0o666).create(exact.name()).unwrap();
        assert_eq!(mode(&exact), 0o666);
    }

    fn those_who_have_it_open_outlive_the_name(engine) {
        let scratch = Scratch::new();
        let semaphore = create(engine, &scratch, 0);
        Semaphore::unlink(scratch.name()).unwrap();
        semaphore.post().unwrap();
        semaphore.try_wait().unwrap();
        assert_eq!(errno(Semaphore::options().engine(engine).open(scratch.name())), libc::ENOENT);
    }

    fn a_file_that_is_no_semaphore_is_refused(engine) {
        let scratch = Scratch::new();
        std::fs::write(format!("/dev/shm/sem.{}", &scratch.name()[1..]), [0; 31]).unwrap();
        let error = Semaphore::options().engine(engine).open(scratch.name()).unwrap_err();
        assert_eq!((error.errno(), error.cause()), (libc::EINVAL, "it is no semaphore: 31 bytes where a sem_t has 32"));
    }

    fn bytes_that_are_no_shared_semaphore_are_refused(engine) {
        let scratch = Scratch::new();
        let path = format!("/dev/shm/sem.{}", &scratch.name()[1..]);
        let memory = Memory::anonymous(4096).unwrap();
        for byte in [0, 7, 255] {
            std::fs::write(&path, [byte; 32]).unwrap();
            assert_eq!(errno(Semaphore::options().engine(engine).open(scratch.name())), libc::EINVAL);
            memory.write_at(0, &[byte; 32]).unwrap();
            assert_eq!(errno(Semaphore::open_in(&memory, 0)), libc::EBADMSG);
        }
        Semaphore::init_in(&memory, 0, Semaphore::MAX).unwrap();
        Semaphore::open_in(&memory, 0).unwrap().wait().unwrap();
    }

    fn an_unnamed_one_lives_in_shared_memory(_engine) {
        let memory = Memory::anonymous(4096).unwrap();
        let here = Semaphore::init_in(&memory, 64, 1).unwrap();
        let there = Semaphore::open_in(&memory, 64).unwrap();
        there.wait().unwrap();
        assert_eq!((here.value().unwrap(), here.name()), (0, None));
    }

    fn an_unnamed_one_needs_a_good_place(_engine) {
        let memory = Memory::anonymous(100).unwrap();
        assert_eq!(errno(Semaphore::init_in(&memory, 4, 1)), libc::EINVAL);
        assert_eq!(errno(Semaphore::init_in(&memory, 72, 1)), libc::ERANGE);
        assert_eq!(errno(Semaphore::open_in(&memory, usize::MAX - 7)), libc::ERANGE);
        assert_eq!(errno(Semaphore::init_in(&memory, 0, Semaphore::MAX + 1)), libc::EINVAL);
        let private = Memory::options().size(100).sharing(unipc::memory::Sharing::Private).anonymous().unwrap();
        assert_eq!(errno(Semaphore::init_in(&private, 0, 1)), libc::EINVAL);
        Semaphore::init_in(&memory, 64, 1).unwrap();
    }
}
