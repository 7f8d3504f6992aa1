use crate::common::{SHORT, Scratch, errno, interrupted, timed};
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use unipc::pipe::PIPE_BUF;
use unipc::{Deadline, PipeReader, PipeWriter, duplex, pipe};

fn fill(writer: &PipeWriter) {
    while writer.try_write(&[0; PIPE_BUF]).is_ok() {}
}

crate::promises! {
    fn bytes_come_out_in_the_order_they_went_in() {
        let (mut reader, writer) = pipe().unwrap();
        let sent: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        let mut received = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn({
                let sent = &sent;
                move || writer.write_full(sent, Deadline::NEVER).unwrap()
            });
            reader.read_to_end(&mut received).unwrap();
        });
        assert!(received == sent);
    }

    fn both_ends_are_close_on_exec() {
        let (reader, writer) = pipe().unwrap();
        assert!(!reader.is_inheritable().unwrap() && !writer.is_inheritable().unwrap());
        assert!(!writer.try_clone().unwrap().is_inheritable().unwrap());
    }

    fn inheritance_can_be_switched_on_and_off() {
        let (reader, _writer) = pipe().unwrap();
        reader.set_inheritable(true).unwrap();
        assert!(reader.is_inheritable().unwrap());
        reader.set_inheritable(false).unwrap();
        assert!(!reader.is_inheritable().unwrap());
    }

    fn a_read_gives_what_is_there_and_no_more_than_fits() {
        let (reader, writer) = pipe().unwrap();
        writer.write(b"abcdef").unwrap();
        let mut buffer = [0; 4];
        assert_eq!(reader.read(&mut buffer).unwrap(), 4);
        assert_eq!(&buffer, b"abcd");
        assert_eq!(reader.read(&mut buffer).unwrap(), 2);
    }

    fn empty_reads_and_writes_move_nothing() {
        let (reader, writer) = pipe().unwrap();
        assert_eq!(writer.write(b"").unwrap(), 0);
        assert_eq!(reader.try_read(&mut []).unwrap(), 0);
        writer.write_full(b"", Deadline::NOW).unwrap();
        assert_eq!(reader.available().unwrap(), 0);
    }

    fn the_end_of_file_comes_when_the_last_writer_goes() {
        let (reader, writer) = pipe().unwrap();
        let second = writer.try_clone().unwrap();
        drop(writer);
        assert!(reader.try_read(&mut [0; 8]).unwrap_err().would_block());
        second.write(b"last").unwrap();
        drop(second);
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 4);
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
        assert_eq!(reader.read_by(&mut [0; 8], SHORT).unwrap(), 0);
        assert_eq!(reader.try_read(&mut [0; 8]).unwrap(), 0);
    }

    fn the_end_of_file_comes_also_when_the_writer_had_used_timeouts() {
        let (reader, writer) = pipe().unwrap();
        writer.write_by(b"x", SHORT).unwrap();
        drop(writer);
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 1);
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
    }

    fn every_way_of_writing_without_a_reader_is_epipe() {
        let (reader, writer) = pipe().unwrap();
        let (source, into_source) = pipe().unwrap();
        into_source.write(b"spliced").unwrap();
        drop(reader);
        assert_eq!(errno(writer.write(b"x")), libc::EPIPE);
        assert_eq!(errno(writer.try_write(b"x")), libc::EPIPE);
        assert_eq!(errno(writer.write_by(b"x", SHORT)), libc::EPIPE);
        assert_eq!(errno(writer.write_full(b"x", Deadline::NEVER)), libc::EPIPE);
        assert_eq!(errno(writer.splice_from(&source, 9, Deadline::NEVER)), libc::EPIPE);
        assert_eq!(errno(source.tee(&writer, 9, Deadline::NEVER)), libc::EPIPE);
        assert_eq!(errno(unsafe { writer.vmsplice(b"static", Deadline::NEVER) }), libc::EPIPE);
    }

    fn a_writer_that_waits_for_room_learns_that_the_reader_went() {
        let (reader, writer) = pipe().unwrap();
        fill(&writer);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| writer.write(b"more"));
            std::thread::sleep(SHORT);
            drop(reader);
            assert_eq!(errno(waiting.join().unwrap()), libc::EPIPE);
        });
    }

    fn a_call_that_must_not_wait_says_so() {
        let (reader, writer) = pipe().unwrap();
        assert!(reader.try_read(&mut [0; 8]).unwrap_err().would_block());
        fill(&writer);
        assert!(writer.try_write(b"x").unwrap_err().would_block());
        assert!(writer.write_by(b"x", Deadline::NOW).unwrap_err().would_block());
    }

    fn not_waiting_once_leaves_the_flags_that_others_share() {
        let (reader, writer) = pipe().unwrap();
        let _ = reader.try_read(&mut [0; 8]);
        let _ = writer.try_write(b"x");
        let _ = reader.read_by(&mut [0; 8], SHORT);
        assert!(!reader.is_nonblocking().unwrap() && !writer.is_nonblocking().unwrap());
    }

    fn nonblocking_mode_can_be_set_and_taken_back() {
        let (reader, writer) = pipe().unwrap();
        reader.set_nonblocking(true).unwrap();
        assert!(reader.read(&mut [0; 8]).unwrap_err().would_block());
        reader.set_nonblocking(false).unwrap();
        writer.write(b"x").unwrap();
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 1);
        writer.set_nonblocking(true).unwrap();
        fill(&writer);
        assert!(writer.write(b"x").unwrap_err().would_block());
    }

    fn a_timed_read_lasts_its_time_and_takes_what_comes() {
        let (reader, writer) = pipe().unwrap();
        let (outcome, took) = timed(|| reader.read_by(&mut [0; 8], SHORT));
        assert!(outcome.unwrap_err().timed_out());
        assert!(took >= SHORT);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(SHORT);
                writer.write(b"here").unwrap();
            });
            assert_eq!(reader.read_by(&mut [0; 8], Duration::from_secs(50)).unwrap(), 4);
        });
    }

    fn a_timed_write_lasts_its_time_and_uses_the_room_that_comes() {
        let (reader, writer) = pipe().unwrap();
        fill(&writer);
        let (outcome, took) = timed(|| writer.write_by(b"x", SHORT));
        assert!(outcome.unwrap_err().timed_out());
        assert!(took >= SHORT);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(SHORT);
                reader.read(&mut vec![0; 65536]).unwrap();
            });
            assert_eq!(writer.write_by(b"here", Duration::from_secs(50)).unwrap(), 4);
        });
    }

    fn a_deadline_that_has_passed_still_takes_what_is_there() {
        let (reader, writer) = pipe().unwrap();
        writer.write_by(b"there", Duration::ZERO).unwrap();
        assert_eq!(reader.read_by(&mut [0; 8], Duration::ZERO).unwrap(), 5);
        assert!(reader.read_by(&mut [0; 8], Duration::ZERO).unwrap_err().timed_out());
    }

    fn a_deadline_can_stand_on_the_realtime_clock() {
        let (reader, _writer) = pipe().unwrap();
        let end = std::time::SystemTime::now() + SHORT;
        assert!(reader.read_by(&mut [0; 8], end).unwrap_err().timed_out());
        assert!(std::time::SystemTime::now() >= end);
    }

    fn a_signal_ends_a_wait_and_takes_nothing() {
        let (reader, writer) = pipe().unwrap();
        assert!(interrupted(|| reader.read(&mut [0; 8])).unwrap_err().interrupted());
        assert!(interrupted(|| reader.read_by(&mut [0; 8], Duration::from_secs(50))).unwrap_err().interrupted());
        fill(&writer);
        assert!(interrupted(|| writer.write(b"x")).unwrap_err().interrupted());
        assert!(interrupted(|| writer.write_by(b"x", Duration::from_secs(50))).unwrap_err().interrupted());
    }

    fn a_deadline_holds_across_interruptions() {
        let (reader, _writer) = pipe().unwrap();
        let ((), took) = timed(|| interrupted(|| {
            let deadline = Deadline::after(SHORT * 3);
            while reader.read_by(&mut [0; 8], deadline).unwrap_err().interrupted() {}
            assert!(deadline.has_passed());
        }));
        assert!(took >= SHORT * 3);
    }

    fn reading_in_full_gathers_pieces_and_stops_at_the_end_of_file() {
        let (reader, writer) = pipe().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for piece in [b"one", b"two", b"six"] {
                    writer.write(piece).unwrap();
                    std::thread::sleep(Duration::from_millis(2));
                }
            });
            let mut buffer = [0; 6];
            assert_eq!(reader.read_full(&mut buffer, Deadline::NEVER).unwrap(), 6);
            assert_eq!(&buffer, b"onetwo");
            assert_eq!(reader.read_full(&mut buffer, Deadline::NEVER).unwrap(), 3);
        });
    }

    fn what_moved_before_a_timeout_is_not_lost() {
        let (reader, writer) = pipe().unwrap();
        writer.write(b"abc").unwrap();
        let mut buffer = [0; 8];
        let error = reader.read_full(&mut buffer, SHORT).unwrap_err();
        assert!(error.timed_out());
        assert_eq!(&buffer[..error.transferred()], b"abc");

        let sent: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        let error = writer.write_full(&sent, SHORT).unwrap_err();
        assert!(error.timed_out());
        let mut received = vec![0; error.transferred()];
        reader.read_full(&mut received, Deadline::NOW).unwrap();
        assert!(received == sent[..error.transferred()] && !received.is_empty());
        assert_eq!(reader.available().unwrap(), 0);
    }

    fn writes_of_up_to_pipe_buf_bytes_never_mix() {
        const RECORD: usize = PIPE_BUF;
        let (reader, writer) = pipe().unwrap();
        std::thread::scope(|scope| {
            for letter in b'a'..=b'd' {
                let writer = writer.try_clone().unwrap();
                scope.spawn(move || {
                    for round in 0..100 {
                        let deadline = if round % 2 == 0 { Deadline::NEVER } else { Deadline::after(Duration::from_secs(50)) };
                        assert_eq!(writer.write_by(&[letter; RECORD], deadline).unwrap(), RECORD);
                    }
                });
            }
            drop(writer);
            let mut record = [0; RECORD];
            let mut count = 0;
            while reader.read_full(&mut record, Deadline::NEVER).unwrap() == RECORD {
                assert!(record.iter().all(|&byte| byte == record[0]), "two records are mixed");
                count += 1;
            }
            assert_eq!(count, 400);
        });
    }

    fn a_small_write_without_waiting_goes_whole_or_not_at_all() {
        let (reader, writer) = pipe().unwrap();
        fill(&writer);
        reader.read(&mut [0; 100]).unwrap(); // room for some, but not for all
        assert!(writer.try_write(&[1; PIPE_BUF]).unwrap_err().would_block());
        assert_eq!(reader.available().unwrap(), writer.capacity().unwrap() - 100);
    }

    fn the_capacity_can_be_read_and_set() {
        let (reader, writer) = pipe().unwrap();
        assert_eq!(writer.set_capacity(200_000).unwrap(), 262_144);
        assert_eq!(reader.capacity().unwrap(), 262_144);
        fill(&writer);
        assert_eq!(reader.available().unwrap(), 262_144);
        assert_eq!(errno(reader.set_capacity(4096)), libc::EBUSY);
        assert_eq!(errno(reader.set_capacity(1 << 40)), libc::EINVAL);
    }

    fn splicing_moves_a_file_into_a_pipe_and_on_into_a_file() {
        let scratch = Scratch::new();
        let sent: Vec<u8> = (0..150_000_u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(scratch.path(), &sent).unwrap();
        let source = std::fs::File::open(scratch.path()).unwrap();
        let mut target = std::fs::File::from(memfd());
        let (reader, writer) = pipe().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || while writer.splice_from(&source, 1 << 20, Deadline::NEVER).unwrap() > 0 {});
            while reader.splice_to(&target, 1 << 20, Deadline::NEVER).unwrap() > 0 {}
        });
        let mut received = Vec::new();
        target.rewind().unwrap();
        target.read_to_end(&mut received).unwrap();
        assert!(received == sent);
    }

    fn splicing_between_pipes_waits_no_longer_than_told() {
        let (source, into_source) = pipe().unwrap();
        let (_from_target, target) = pipe().unwrap();
        assert!(source.splice_to(&target, 10, Deadline::NOW).unwrap_err().would_block());
        let (outcome, took) = timed(|| source.splice_to(&target, 10, SHORT));
        assert!(outcome.unwrap_err().timed_out() && took >= SHORT);
        into_source.write(b"moved").unwrap();
        fill(&target);
        assert!(source.splice_to(&target, 10, SHORT).unwrap_err().timed_out());
        assert_eq!(source.available().unwrap(), 5);
    }

    fn splicing_from_a_pipe_without_writers_is_the_end_of_file() {
        let (source, into_source) = pipe().unwrap();
        let (_reader, writer) = pipe().unwrap();
        drop(into_source);
        assert_eq!(source.splice_to(&writer, 10, Deadline::NEVER).unwrap(), 0);
    }

    fn splicing_to_a_full_socket_waits_no_longer_than_told() {
        let (mut socket, other) = std::os::unix::net::UnixStream::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        while socket.write(&[0; 4096]).is_ok() {}
        socket.set_nonblocking(false).unwrap();
        let (source, into_source) = pipe().unwrap();
        into_source.write(b"x").unwrap();
        assert!(source.splice_to(&socket, 1, Deadline::NOW).unwrap_err().would_block());
        assert!(source.splice_to(&socket, 1, SHORT).unwrap_err().timed_out());
        let (_reader, writer) = pipe().unwrap();
        assert!(writer.splice_from(&other, 1, Duration::ZERO).is_ok()); // what fills the other side
        assert_eq!(source.available().unwrap(), 1);
    }

    fn packets_stay_packets_with_a_timeout_too() {
        let mut ends = [0; 2];
        assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_DIRECT) }, 0);
        let [reader, writer] = ends.map(|fd| unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) });
        let (reader, writer) = (PipeReader::from_fd(reader).unwrap(), PipeWriter::from_fd(writer).unwrap());
        writer.write_by(b"ab", SHORT).unwrap();
        writer.write_by(b"cd", SHORT).unwrap();
        assert_eq!(reader.read_by(&mut [0; 8], SHORT).unwrap(), 2);
    }

    fn tee_copies_and_leaves_the_bytes_in_place() {
        let (source, into_source) = pipe().unwrap();
        let (copy, into_copy) = pipe().unwrap();
        into_source.write(b"twice").unwrap();
        assert_eq!(source.tee(&into_copy, 100, Deadline::NEVER).unwrap(), 5);
        let mut buffers = [[0; 5]; 2];
        source.read(&mut buffers[0]).unwrap();
        copy.read(&mut buffers[1]).unwrap();
        assert_eq!(buffers, [*b"twice", *b"twice"]);
        assert!(source.tee(&into_copy, 100, SHORT).unwrap_err().timed_out());
    }

    fn lent_pages_arrive_as_they_are() {
        static DATA: [u8; 50_000] = [7; 50_000];
        let (reader, writer) = pipe().unwrap();
        let lent = unsafe { writer.vmsplice(&DATA, Deadline::NEVER) }.unwrap();
        let mut buffer = vec![0; lent];
        assert_eq!(reader.read_full(&mut buffer, Deadline::NEVER).unwrap(), lent);
        assert!(lent > 0 && buffer.iter().all(|&byte| byte == 7));
    }

    fn a_descriptor_that_is_no_such_end_is_refused() {
        let (reader, writer) = pipe().unwrap();
        assert_eq!(errno(PipeReader::from_fd(OwnedFd::from(writer))), libc::EBADF);
        assert_eq!(errno(PipeWriter::from_fd(OwnedFd::from(reader))), libc::EBADF);
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(errno(PipeReader::from_fd(file.into())), libc::EINVAL);
    }

    fn a_descriptor_that_only_names_a_pipe_is_no_end() {
        let (reader, _writer) = pipe().unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        let mut options = std::fs::OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::custom_flags(options.read(true), libc::O_PATH);
        assert_eq!(errno(PipeReader::from_fd(options.open(path).unwrap().into())), libc::EBADF);
    }

    fn splicing_nothing_moves_nothing() {
        let (source, _into_source) = pipe().unwrap();
        let (_reader, writer) = pipe().unwrap();
        for deadline in [Deadline::NEVER, Deadline::NOW, Deadline::after(SHORT)] {
            assert_eq!(source.splice_to(&writer, 0, deadline).unwrap(), 0);
        }
    }

    fn a_descriptor_taken_over_works_like_any_other() {
        let (reader, writer) = pipe().unwrap();
        let writer = PipeWriter::from_fd(writer.into()).unwrap();
        let reader = PipeReader::from_fd(reader.into()).unwrap();
        writer.try_write(b"on").unwrap();
        assert_eq!(reader.try_read(&mut [0; 8]).unwrap(), 2);
    }

    fn a_child_gets_an_end_as_its_standard_stream() {
        let (reader, writer) = pipe().unwrap();
        let mut command = std::process::Command::new("tr");
        let (mut output, into_output) = pipe().unwrap();
        let mut child = command.args(["a-z", "A-Z"]).stdin(reader).stdout(into_output).spawn().unwrap();
        drop(command); // it holds the ends of the child
        writer.write(b"loud").unwrap();
        drop(writer);
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(text, "LOUD");
    }

    fn a_duplex_pair_carries_both_directions_apart() {
        let (here, there) = duplex().unwrap();
        here.writer.write(b"question").unwrap();
        there.writer.write(b"answer").unwrap();
        let mut buffer = [0; 16];
        assert_eq!(there.reader.read(&mut buffer).unwrap(), 8);
        assert_eq!(here.reader.read(&mut buffer).unwrap(), 6);
        drop(there.writer);
        assert_eq!(here.reader.read(&mut buffer).unwrap(), 0);
        here.writer.write(b"still open").unwrap();
    }

    fn the_standard_traits_read_and_write() {
        let (reader, mut writer) = pipe().unwrap();
        write!(writer, "{}-{}", 1, 2).unwrap();
        writer.flush().unwrap();
        let mut text = [0; 3];
        (&reader).read_exact(&mut text).unwrap();
        assert_eq!(&text, b"1-2");
        drop(reader);
        assert_eq!(writer.write_all(b"x").unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    }

    fn handles_may_be_sent_to_and_shared_between_threads() {
        fn check<T: Send + Sync>() {}
        check::<PipeReader>();
        check::<PipeWriter>();
        check::<unipc::Fifo>();
        check::<unipc::Queue>();
        check::<unipc::Memory>();
        check::<unipc::Semaphore>();
        check::<unipc::Error>();
    }
}

fn memfd() -> OwnedFd {
    let memory = unipc::Memory::options().size(1).memfd("target").unwrap();
    let fd = memory.as_fd().unwrap().as_fd().try_clone_to_owned().unwrap();
    std::fs::File::from(fd.try_clone().unwrap()).set_len(0).unwrap();
    fd
}
