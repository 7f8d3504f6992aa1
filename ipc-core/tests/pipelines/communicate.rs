use crate::common::{SHORT, Scratch, errno, interrupted, timed};
use crate::{LONG, between, leaving_nothing, pattern, piped, sh};
use std::time::Duration;
use unipc::pipeline::{Running, Stderr};
use unipc::process::Group;
use unipc::{Command, Deadline, Redirect};

/// Ends what a case leaves running, children of stages too.
fn end(running: &Running) {
    running.signal(libc::SIGKILL).unwrap();
    running.wait().unwrap();
}

fn child(line: &str) -> unipc::Child {
    sh(line).stdin(Redirect::Pipe).stdout(Redirect::Pipe).stderr(Redirect::Pipe).spawn().unwrap()
}

crate::promises! {
    fn any_amount_goes_in_and_comes_out_of_both_outputs() {
        leaving_nothing(|| {
            let input = pattern(8 << 20);
            let output = child("tee /dev/stderr").communicate(&input, LONG).unwrap();
            assert!(output.status.success());
            assert!(output.stdout == input && output.stderr == input);
        });
    }

    fn any_amount_comes_on_the_errors_of_all_stages_at_once() {
        leaving_nothing(|| {
            let input = pattern(4 << 20);
            // Each stage fills its standard error before it reads: whoever drains one after the other hangs.
            let stages = (0..5).map(|_| sh("head -c 1000000 /dev/zero >&2; cat; head -c 1000000 /dev/zero >&2"));
            let output = piped(stages).stderr(Stderr::Apart).spawn().unwrap().communicate(&input, LONG).unwrap();
            assert!(output.statuses.success());
            assert!(output.stdout == input);
            assert_eq!(output.stderr.iter().map(Vec::len).collect::<Vec<_>>(), [2_000_000; 5]);
        });
    }

    fn any_amount_comes_on_one_error_for_all() {
        leaving_nothing(|| {
            let input = pattern(4 << 20);
            let stages = (0..5).map(|_| sh("head -c 1000000 /dev/zero >&2; cat; head -c 1000000 /dev/zero >&2"));
            let output = piped(stages).stderr(Stderr::Merged).spawn().unwrap().communicate(&input, LONG).unwrap();
            assert!(output.stdout == input);
            assert_eq!(output.stderr.iter().map(Vec::len).collect::<Vec<_>>(), [10_000_000]);
        });
    }

    fn an_empty_input_is_the_end_of_file() {
        leaving_nothing(|| {
            assert_eq!(child("wc -c").communicate(b"", LONG).unwrap().stdout, b"0\n");
            let output = piped([sh("cat"), sh("wc -c")]).spawn().unwrap().communicate(b"", LONG).unwrap();
            assert_eq!(output.stdout, b"0\n");
        });
    }

    fn without_pipes_it_waits() {
        leaving_nothing(|| {
            let output = between([sh("exit 4"), sh("exit 5")]).spawn().unwrap().communicate(b"", LONG).unwrap();
            assert_eq!((output.stdout.len(), output.stderr), (0, vec![vec![], vec![]]));
            assert_eq!(output.statuses.iter().map(|status| status.code()).collect::<Vec<_>>(), [Some(4), Some(5)]);
            let output = Command::new("true").spawn().unwrap().communicate(b"", LONG).unwrap();
            assert!(output.status.success());
        });
    }

    fn input_for_which_there_is_no_pipe_is_refused() {
        leaving_nothing(|| {
            let mut running = between([sh("cat")]).spawn().unwrap();
            assert_eq!(errno(running.communicate(b"lost", LONG)), libc::EINVAL);
            assert!(running.wait().unwrap().success());
            let mut child = Command::new("true").spawn().unwrap();
            assert_eq!(errno(child.communicate(b"lost", LONG)), libc::EINVAL);
            assert!(child.wait().unwrap().success());
        });
    }

    fn a_reader_that_leaves_early_is_no_error() {
        leaving_nothing(|| {
            let input = pattern(4 << 20);
            let output = child("head -c 10").communicate(&input, LONG).unwrap();
            assert_eq!((output.stdout, output.status.success()), (input[..10].to_vec(), true));
            let output = child("exec <&-; sleep 0.1; echo late").communicate(&input, LONG).unwrap();
            assert_eq!(output.stdout, b"late\n");
            let output = piped([sh("true"), sh("cat")]).spawn().unwrap().communicate(&input, LONG).unwrap();
            assert!(output.stdout.is_empty() && output.statuses.success());
        });
    }

    fn a_reader_that_leaves_early_is_no_signal_where_sigpipe_would_kill() {
        leaving_nothing(|| {
            let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
            let output = child("head -c 10").communicate(&pattern(4 << 20), LONG).unwrap();
            unsafe { libc::signal(libc::SIGPIPE, before) };
            assert_eq!(output.stdout.len(), 10);
        });
    }

    fn a_child_that_neither_reads_nor_writes_is_left_at_the_deadline() {
        leaving_nothing(|| {
            let mut running = piped([Command::from(["sleep", "1000"])]).spawn().unwrap();
            let (outcome, took) = timed(|| running.communicate(&vec![0; 1 << 20], SHORT));
            let error = outcome.unwrap_err();
            assert!(error.timed_out() && took >= SHORT);
            assert_eq!(error.transferred(), 65536); // what a pipe holds
            end(&running);
            let mut child = child("exec sleep 1000");
            assert!(child.communicate(b"", SHORT).unwrap_err().timed_out());
            child.kill().unwrap();
            assert_eq!(child.communicate(b"", LONG).unwrap().status.signal(), Some(9));
        });
    }

    fn outputs_that_never_pause_do_not_keep_it_beyond_the_deadline() {
        leaving_nothing(|| {
            // Several, so that one of them always has something.
            let mut running = between((0..4).map(|_| sh("exec yes >&2"))).stderr(Stderr::Apart).spawn().unwrap();
            running.limit_output(1 << 29);
            assert!(running.communicate(b"", Duration::from_millis(5)).unwrap_err().timed_out());
            let (stdout, stderr) = running.partial_output();
            assert!(stdout.is_empty() && stderr.len() == 4);
            assert!(stderr.iter().any(|bytes| bytes.starts_with(b"y\ny\n")));
            end(&running);
        });
    }

    fn what_was_read_before_the_deadline_is_kept_and_nothing_is_written_twice() {
        leaving_nothing(|| {
            let gate = Scratch::new();
            let wait = format!("until [ -e {} ]; do sleep 0.01; done", gate.path().display());
            let input = pattern(300_000);
            let line = format!("echo first; echo complaint >&2; {wait}; cat");
            let mut running = piped([sh(&line), sh("cat")]).stderr(Stderr::Apart).spawn().unwrap();
            for _ in 0..3 {
                let error = running.communicate(&input, SHORT).unwrap_err();
                assert!(error.timed_out());
                assert_eq!(error.transferred(), 65536);
            }
            std::fs::write(gate.path(), "").unwrap();
            let output = running.communicate(&input, LONG).unwrap();
            assert!(output.stdout == [&b"first\n"[..], &input].concat());
            assert_eq!(output.stderr, [&b"complaint\n"[..], b""]);
        });
        leaving_nothing(|| {
            let gate = Scratch::new();
            let wait = format!("until [ -e {} ]; do sleep 0.01; done", gate.path().display());
            let input = pattern(300_000);
            let mut child = child(&format!("echo first; {wait}; cat"));
            assert!(child.communicate(&input, SHORT).unwrap_err().timed_out());
            std::fs::write(gate.path(), "").unwrap();
            assert!(child.communicate(&input, LONG).unwrap().stdout == [&b"first\n"[..], &input].concat());
        });
    }

    fn what_was_read_can_be_taken_and_comes_once() {
        leaving_nothing(|| {
            let gate = Scratch::new();
            let line = format!("echo first; until [ -e {} ]; do sleep 0.01; done; echo last", gate.path().display());
            let mut running = between([sh(&line)]).stdout(Redirect::Pipe).spawn().unwrap();
            let mut heard = Vec::new();
            while heard.is_empty() {
                assert!(running.communicate(b"", SHORT).unwrap_err().timed_out());
                heard = running.partial_output().0;
            }
            assert_eq!(heard, b"first\n");
            std::fs::write(gate.path(), "").unwrap();
            assert_eq!(running.communicate(b"", LONG).unwrap().stdout, b"last\n");
        });
        leaving_nothing(|| {
            let mut child = child("echo out; echo err >&2; exec sleep 1000");
            let (mut out, mut err) = (Vec::new(), Vec::new());
            while out.is_empty() || err.is_empty() {
                assert!(child.communicate(b"", SHORT).unwrap_err().timed_out());
                let (more_out, more_err) = child.partial_output();
                out.extend(more_out);
                err.extend(more_err);
            }
            assert_eq!((&out[..], &err[..]), (&b"out\n"[..], &b"err\n"[..]));
            child.kill().unwrap();
            assert!(child.communicate(b"", LONG).unwrap().stdout.is_empty());
        });
    }

    fn a_grandchild_that_keeps_the_output_open_does_not_hold_the_deadline() {
        leaving_nothing(|| {
            let mut running = between([sh("echo out; sleep 1000 &")])
                .stdout(Redirect::Pipe).group(Group::Own).spawn().unwrap();
            assert!(running.wait_by(LONG).unwrap().success()); // the stage has ended, its output has not
            let mut heard = Vec::new();
            while heard.is_empty() {
                assert!(running.communicate(b"", SHORT).unwrap_err().timed_out());
                heard = running.partial_output().0;
            }
            assert_eq!(heard, b"out\n");
            end(&running);
        });
    }

    fn a_grandchild_that_keeps_the_input_open_does_not_hold_the_deadline() {
        leaving_nothing(|| {
            let mut running = piped([sh("exec 3<&0; sleep 1000 <&3 >&- & exit 3")]).group(Group::Own).spawn().unwrap();
            assert_eq!(running.wait_by(LONG).unwrap()[0].code(), Some(3));
            let error = running.communicate(&vec![0; 1 << 20], SHORT).unwrap_err();
            assert!(error.timed_out());
            assert_eq!(error.transferred(), 65536);
            end(&running);
        });
    }

    fn a_signal_handler_ends_it_and_it_goes_on() {
        leaving_nothing(|| {
            let mut running = piped([Command::from(["sleep", "1000"])]).spawn().unwrap();
            assert!(interrupted(|| running.communicate(b"", LONG)).unwrap_err().interrupted());
            end(&running);

            let input = pattern(1 << 20);
            let mut running = piped([sh("sleep 0.1; cat"), sh("cat")]).spawn().unwrap();
            let output = interrupted(|| {
                loop {
                    match running.communicate(&input, LONG) {
                        Err(error) if error.interrupted() => {}
                        done => break done.unwrap(),
                    }
                }
            });
            assert!(output.stdout == input && output.statuses.success());
        });
    }

    fn without_waiting_it_moves_what_can_be_moved() {
        leaving_nothing(|| {
            let input = pattern(1 << 20);
            let mut running = piped([sh("cat"), sh("cat")]).spawn().unwrap();
            let mut went = 0;
            let output = loop {
                match running.communicate(&input, Deadline::NOW) {
                    Ok(output) => break output,
                    Err(error) => {
                        assert!(error.would_block() && error.transferred() >= went);
                        went = error.transferred();
                        std::thread::sleep(Duration::from_micros(100));
                    }
                }
            };
            assert!(output.stdout == input);
        });
    }

    fn the_end_of_all_that_was_written_comes_at_once() {
        leaving_nothing(|| {
            let mut child = child("echo said and done");
            child.wait_by(LONG).unwrap();
            assert_eq!(child.communicate(b"", Deadline::NOW).unwrap().stdout, b"said and done\n");
        });
    }

    fn another_input_than_the_one_that_was_begun_with_is_refused_where_it_shows() {
        leaving_nothing(|| {
            let mut running = piped([Command::from(["sleep", "1000"])]).spawn().unwrap();
            assert!(running.communicate(&vec![0; 1 << 20], SHORT).unwrap_err().timed_out());
            assert_eq!(errno(running.communicate(&[0; 10], SHORT)), libc::EINVAL);
            end(&running);
        });
    }

    fn one_communicates_while_others_wait_signal_and_kill() {
        leaving_nothing(|| {
            let input = pattern(1 << 20);
            let mut child = child("exec sleep 1000");
            let mut streams = child.take_streams();
            std::thread::scope(|scope| {
                let talking = scope.spawn(|| streams.communicate(&input, LONG));
                let waiting = scope.spawn(|| child.wait());
                child.kill().unwrap();
                assert_eq!(waiting.join().unwrap().unwrap().signal(), Some(libc::SIGKILL));
                talking.join().unwrap().unwrap();
            });
            let mut running = piped([sh("cat"), sh("exec sleep 1000"), sh("cat")]).spawn().unwrap();
            let mut streams = running.take_streams();
            std::thread::scope(|scope| {
                let talking = scope.spawn(|| streams.communicate(&input, LONG));
                let waiting = scope.spawn(|| running.wait());
                let statuses = running.cancel(LONG).unwrap();
                assert_eq!(waiting.join().unwrap().unwrap(), statuses);
                talking.join().unwrap().unwrap();
            });
        });
    }

    fn streams_that_were_taken_go_on_where_the_child_left_off() {
        leaving_nothing(|| {
            let input = pattern(300_000);
            let mut child = child("echo first; sleep 0.2; cat");
            assert!(child.communicate(&input, SHORT).unwrap_err().timed_out());
            let mut streams = child.take_streams();
            streams.communicate(&input, LONG).unwrap();
            assert_eq!(streams.written(), input.len());
            assert!(streams.take_outputs() == [[&b"first\n"[..], &input].concat(), Vec::new()]);
            assert!(child.wait().unwrap().success());
        });
    }

    fn it_leaves_the_mode_of_the_pipes_alone() {
        leaving_nothing(|| {
            // O_NONBLOCK is shared with the child, which would find it in its own standard streams.
            let line = "cat; for n in 0 1 2; do sed -n 's/^flags:[^0]*//p' /proc/$$/fdinfo/$n; done";
            let output = child(line).communicate(b"", LONG).unwrap();
            let flags = String::from_utf8(output.stdout).unwrap();
            let flags: Vec<_> = flags.lines().map(|line| i32::from_str_radix(line, 8).unwrap()).collect();
            assert!(flags.len() == 3 && flags.iter().all(|flags| flags & libc::O_NONBLOCK == 0), "{flags:?}");
        });
    }

    fn output_beyond_the_limit_is_an_error_that_keeps_it() {
        leaving_nothing(|| {
            let mut running = piped([sh("head -c 3000000 /dev/zero"), sh("cat; echo enough >&2")])
                .stderr(Stderr::Apart).spawn().unwrap();
            running.limit_output(1_000_000);
            let mut bytes = 0;
            let output = loop {
                match running.communicate(b"", LONG) {
                    Err(error) if error.errno() == libc::EMSGSIZE => {
                        let (more, _) = running.partial_output();
                        assert!((1_000_001..=1_000_000 + (1 << 20)).contains(&more.len()), "{}", more.len());
                        bytes += more.len();
                    }
                    done => break done.unwrap(),
                }
            };
            assert_eq!(bytes + output.stdout.len(), 3_000_000);
            assert_eq!(output.stderr[1], b"enough\n");
            let mut exact = child("echo 12345");
            exact.limit_output(6);
            assert_eq!(exact.communicate(b"", LONG).unwrap().stdout, b"12345\n");
            let mut beyond = child("echo 123456");
            beyond.limit_output(6);
            assert_eq!(errno(beyond.communicate(b"", LONG)), libc::EMSGSIZE);
        });
    }
}
