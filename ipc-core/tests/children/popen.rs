//! A program as a stream.

use crate::common::{SHORT, errno, until};
use crate::traces::{has_children, leaving_nothing};
use crate::{LONG, run, sh};
use std::io::{Read, Write};
use unipc::{Redirect, popen};

crate::promises! {
    fn what_a_program_writes_is_read_and_its_status_told() {
        leaving_nothing(|| {
            let mut stream = popen::reader(sh("echo one; echo two; exit 3")).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            assert_eq!(text, "one\ntwo\n");
            assert_eq!(stream.close().unwrap().code(), Some(3));
            assert_eq!(stream.close().unwrap().code(), Some(3));
        });
    }

    fn what_is_written_a_program_reads() {
        leaving_nothing(|| {
            let (reader, writer) = unipc::pipe().unwrap();
            let mut stream = popen::writer(run(&["tr", "a-z", "A-Z"]).stdout(writer)).unwrap();
            write!(stream, "hello {}", 7).unwrap();
            assert!(stream.close().unwrap().success());
            let mut text = String::new();
            { &reader }.read_to_string(&mut text).unwrap();
            assert_eq!(text, "HELLO 7");
        });
    }

    fn both_directions_are_one_stream() {
        leaving_nothing(|| {
            let mut stream = popen::duplex(run(&["cat"])).unwrap();
            for word in ["question", "and another"] {
                stream.write_all(word.as_bytes()).unwrap();
                let mut buffer = vec![0; word.len()];
                stream.read_exact(&mut buffer).unwrap();
                assert_eq!(buffer, word.as_bytes());
            }
            stream.finish();
            assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0);
            assert_eq!(stream.write(b"x").unwrap_err().to_string(), "write to stream of a command: it was closed");
            assert!(stream.close().unwrap().success());
            assert!(stream.read(&mut [0; 8]).is_err());
        });
    }

    fn no_shell_reads_an_argument_vector() {
        leaving_nothing(|| {
            let mut text = String::new();
            popen::reader(run(&["echo", "$HOME;", "exit 9"])).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "$HOME; exit 9\n");
        });
    }

    fn a_stream_that_is_closed_early_tells_of_the_sigpipe() {
        leaving_nothing(|| {
            let mut stream = popen::reader(run(&["yes"])).unwrap();
            stream.read_exact(&mut [0; 4]).unwrap();
            assert_eq!(stream.close().unwrap().to_string(), "killed by SIGPIPE");
        });
    }

    fn a_program_that_does_not_read_is_an_error_of_writing_and_no_signal() {
        leaving_nothing(|| {
            let mut stream = popen::writer(run(&["true"])).unwrap();
            stream.child().wait().unwrap();
            assert_eq!(stream.write(b"x").unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
            assert!(stream.close().unwrap().success());
        });
    }

    fn closing_waits_no_longer_than_it_is_told_to() {
        leaving_nothing(|| {
            let mut stream = popen::reader(run(&["sleep", "60"])).unwrap();
            assert!(stream.close_by(SHORT).unwrap_err().timed_out());
            assert!(stream.pipe().is_none());
            stream.child().kill().unwrap();
            assert_eq!(stream.close_by(LONG).unwrap().signal(), Some(libc::SIGKILL));
        });
    }

    fn dropping_a_stream_neither_waits_nor_kills() {
        leaving_nothing(|| {
            let (reader, writer) = unipc::pipe().unwrap();
            let stream = popen::writer(sh("cat > /dev/null; echo done").stdout(writer)).unwrap();
            drop(stream);
            let mut text = String::new();
            { &reader }.read_to_string(&mut text).unwrap();
            assert_eq!(text, "done\n");
            until("it is reaped", || !has_children());
        });
    }

    fn a_command_that_cannot_be_started_is_no_stream() {
        leaving_nothing(|| {
            assert_eq!(errno(popen::reader(run(&["no-such-program-of-unipc"]))), libc::ENOENT);
            assert_eq!(errno(popen::writer(run(&[]))), libc::EINVAL);
            assert_eq!(errno(popen::duplex(run(&["/tmp"]))), libc::EACCES);
        });
    }

    fn the_other_streams_stay_as_the_command_sets_them() {
        leaving_nothing(|| {
            let mut command = sh("cat; echo also >&2");
            command.stdin(Redirect::read("/dev/null")).stderr(Redirect::Stdout);
            let mut text = String::new();
            popen::reader(command).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "also\n");
        });
    }
}
