use crate::common::{SHORT, Scratch, errno, fifo, interrupted, mode_of, timed, umask};
use std::time::Duration;
use unipc::{Deadline, Fifo, Opened};

crate::promises! {
    fn creating_twice_is_refused() {
        let scratch = Scratch::new();
        fifo(&scratch);
        assert_eq!(errno(Fifo::create(scratch.path())), libc::EEXIST);
        assert_eq!(errno(Fifo::options().exact_mode(0o600).create(scratch.path())), libc::EEXIST);
    }

    fn opening_or_creating_tells_which() {
        let scratch = Scratch::new();
        assert_eq!(Fifo::options().open_or_create(scratch.path()).unwrap().1, Opened::Created);
        assert_eq!(Fifo::options().open_or_create(scratch.path()).unwrap().1, Opened::Existing);
    }

    fn the_umask_applies_to_a_mode_and_not_to_an_exact_one() {
        let scratch = Scratch::new();
        Fifo::options().mode(0o777).create(scratch.path()).unwrap();
        assert_eq!(mode_of(scratch.path()), 0o777 & !umask());
        let exact = Scratch::new();
        Fifo::options().exact_mode(0o777).create(exact.path()).unwrap();
        assert_eq!(mode_of(exact.path()), 0o777);
        assert_eq!(errno(Fifo::options().mode(0o1777).create(Scratch::new().path())), libc::EINVAL);
    }

    fn an_exact_mode_leaves_no_second_name_behind() {
        let scratch = Scratch::new();
        std::fs::create_dir(scratch.path()).unwrap();
        let path = scratch.path().join("fifo");
        Fifo::options().exact_mode(0o622).create(&path).unwrap();
        assert!(Fifo::options().exact_mode(0o622).create(&path).is_err());
        let names: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        std::fs::remove_dir_all(scratch.path()).unwrap();
        assert_eq!(names, ["fifo"]);
    }

    fn a_name_left_by_a_killed_process_is_in_nobodys_way() {
        let scratch = Scratch::new();
        std::fs::create_dir(scratch.path()).unwrap();
        for number in 0..50 {
            let left = scratch.path().join(format!(".unipc-{}-{number}", std::process::id()));
            std::fs::write(left, "").unwrap();
        }
        let made = Fifo::options().exact_mode(0o600).create(scratch.path().join("fifo"));
        std::fs::remove_dir_all(scratch.path()).unwrap();
        made.unwrap();
    }

    fn a_path_that_is_no_fifo_is_refused() {
        let scratch = Scratch::new();
        std::fs::write(scratch.path(), "a file").unwrap();
        for path in [scratch.path(), "/tmp".into(), "/dev/null".into()] {
            assert_eq!(errno(Fifo::open(&path)), libc::EINVAL);
            assert_eq!(errno(Fifo::options().open_or_create(&path)), libc::EINVAL);
            assert_eq!(errno(Fifo::unlink(&path)), libc::EINVAL);
        }
        assert_eq!(std::fs::read(scratch.path()).unwrap(), b"a file");
        assert_eq!(errno(Fifo::open("/no/such/fifo")), libc::ENOENT);
        assert_eq!(errno(Fifo::open("nul\0byte")), libc::EINVAL);
    }

    fn what_was_checked_is_what_is_opened_whatever_the_path_becomes() {
        let scratch = Scratch::new();
        let checked = fifo(&scratch);
        std::fs::remove_file(scratch.path()).unwrap();
        std::fs::write(scratch.path(), "put in its place").unwrap();
        let reader = checked.try_open_reader().unwrap();
        checked.try_open_writer().unwrap().write(b"the fifo").unwrap();
        assert_eq!(reader.available().unwrap(), 8);
        assert_eq!(std::fs::read(scratch.path()).unwrap(), b"put in its place");
    }

    fn readers_and_writers_wait_for_each_other() {
        for reader_first in [true, false] {
            let scratch = Scratch::new();
            let fifo = fifo(&scratch);
            std::thread::scope(|scope| {
                let reader = scope.spawn(|| {
                    if !reader_first {
                        std::thread::sleep(SHORT);
                    }
                    fifo.open_reader().unwrap()
                });
                if reader_first {
                    std::thread::sleep(SHORT);
                    assert!(!reader.is_finished(), "nobody writes yet");
                }
                fifo.open_writer().unwrap().write(b"met").unwrap();
                assert_eq!(reader.join().unwrap().read(&mut [0; 8]).unwrap(), 3);
            });
        }
    }

    fn a_timed_reader_meets_a_writer_of_either_kind() {
        for blocking in [true, false] {
            let scratch = Scratch::new();
            let fifo = fifo(&scratch);
            std::thread::scope(|scope| {
                let reader = scope.spawn(|| fifo.open_reader_by(Duration::from_secs(50)).unwrap());
                std::thread::sleep(SHORT);
                let deadline = if blocking { Deadline::NEVER } else { Deadline::after(Duration::from_secs(50)) };
                let writer = fifo.open_writer_by(deadline).unwrap();
                let reader = reader.join().unwrap(); // before anything is written
                writer.write(b"met").unwrap();
                assert_eq!(reader.read(&mut [0; 8]).unwrap(), 3);
                assert!(!reader.is_nonblocking().unwrap() && !writer.is_nonblocking().unwrap());
            });
        }
    }

    fn a_timed_writer_meets_a_reader_that_blocks_in_open() {
        let scratch = Scratch::new();
        let fifo = fifo(&scratch);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| fifo.open_writer_by(Duration::from_secs(50)).unwrap());
            std::thread::sleep(SHORT);
            let reader = fifo.open_reader().unwrap();
            writer.join().unwrap().write(b"met").unwrap();
            assert_eq!(reader.read(&mut [0; 8]).unwrap(), 3);
        });
    }

    fn a_writer_that_wrote_and_left_was_met() {
        let scratch = Scratch::new();
        let fifo = fifo(&scratch);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| fifo.open_reader_by(Duration::from_secs(50)).unwrap());
            fifo.open_writer().unwrap().write(b"gone").unwrap();
            let reader = reader.join().unwrap();
            assert_eq!(reader.read(&mut [0; 8]).unwrap(), 4);
            assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
        });
    }

    fn a_rendezvous_lasts_its_time() {
        let scratch = Scratch::new();
        let fifo = fifo(&scratch);
        let (outcome, took) = timed(|| fifo.open_reader_by(SHORT));
        assert!(outcome.unwrap_err().timed_out() && took >= SHORT);
        let (outcome, took) = timed(|| fifo.open_writer_by(SHORT));
        assert!(outcome.unwrap_err().timed_out() && took >= SHORT);
    }

    fn a_signal_ends_a_rendezvous() {
        let scratch = Scratch::new();
        let fifo = fifo(&scratch);
        assert!(interrupted(|| fifo.open_reader()).unwrap_err().interrupted());
        assert!(interrupted(|| fifo.open_writer()).unwrap_err().interrupted());
        assert!(interrupted(|| fifo.open_reader_by(Duration::from_secs(50))).unwrap_err().interrupted());
        assert!(interrupted(|| fifo.open_writer_by(Duration::from_secs(50))).unwrap_err().interrupted());
    }

    fn opening_at_once_needs_a_reader_for_writing_only() {
        let scratch = Scratch::new();
        let fifo = fifo(&scratch);
        assert_eq!(errno(fifo.try_open_writer()), libc::ENXIO);
        let reader = fifo.try_open_reader().unwrap();
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
        let writer = fifo.try_open_writer().unwrap();
        assert!(reader.try_read(&mut [0; 8]).unwrap_err().would_block());
        drop(reader);
        assert_eq!(errno(writer.write(b"x")), libc::EPIPE);
    }

    fn the_handle_is_no_end_of_the_fifo() {
        let scratch = Scratch::new();
        let fifo = fifo(&scratch);
        let reader = fifo.try_open_reader().unwrap();
        let writer = fifo.try_open_writer().unwrap();
        drop(writer);
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
    }

    fn several_writers_and_readers_share_one_fifo() {
        let scratch = Scratch::new();
        let fifo = fifo(&scratch);
        let readers = [fifo.try_open_reader().unwrap(), fifo.try_open_reader().unwrap()];
        let writers = [fifo.open_writer().unwrap(), fifo.open_writer().unwrap()];
        std::thread::scope(|scope| {
            for writer in writers {
                scope.spawn(move || (0..500).for_each(|_| assert_eq!(writer.write(b"12345678").unwrap(), 8)));
            }
            let counts: Vec<usize> = readers
                .iter()
                .map(|reader| scope.spawn(move || {
                    let mut count = 0;
                    while let got @ 1.. = reader.read(&mut [0; 64]).unwrap() {
                        count += got;
                    }
                    count
                }))
                .collect::<Vec<_>>()
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect();
            assert_eq!(counts.iter().sum::<usize>(), 2 * 500 * 8);
        });
    }

    fn those_who_have_it_open_outlive_the_name() {
        let scratch = Scratch::new();
        let fifo = fifo(&scratch);
        let reader = fifo.try_open_reader().unwrap();
        let writer = fifo.try_open_writer().unwrap();
        Fifo::unlink(scratch.path()).unwrap();
        writer.write(b"still").unwrap();
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 5);
        assert_eq!(errno(Fifo::open(scratch.path())), libc::ENOENT);
        assert_eq!(errno(Fifo::unlink(scratch.path())), libc::ENOENT);
    }

    fn a_writer_whose_reader_came_back_writes_as_before() {
        let scratch = Scratch::new();
        let fifo = fifo(&scratch);
        let reader = fifo.try_open_reader().unwrap();
        let writer = fifo.try_open_writer().unwrap();
        drop(reader);
        assert_eq!(errno(writer.try_write(b"x")), libc::EPIPE);
        let _reader = fifo.try_open_reader().unwrap();
        assert_eq!(writer.try_write(&vec![0; 60_000]).unwrap(), 60_000);
    }

    fn an_unlink_storm_does_not_keep_a_fifo_from_being_opened_or_created() {
        let scratch = Scratch::new();
        let path = scratch.path();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = std::fs::remove_file(&path);
            });
            for _ in 0..5000 {
                Fifo::options().open_or_create(&path).unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }

    fn timeouts_work_on_its_ends_too() {
        let scratch = Scratch::new();
        let fifo = fifo(&scratch);
        let reader = fifo.try_open_reader().unwrap();
        let writer = fifo.try_open_writer().unwrap();
        assert!(reader.read_by(&mut [0; 8], SHORT).unwrap_err().timed_out());
        while writer.try_write(&[0; 4096]).is_ok() {}
        assert!(writer.write_by(b"x", SHORT).unwrap_err().timed_out());
    }
}
