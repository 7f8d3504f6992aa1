use crate::common::{SHORT, Scratch, errno, fifo, interrupted, timed};
use crate::{LONG, between, descriptors, leaving_nothing, pattern, piped, sh};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::Duration;
use unipc::pipeline::{Running, Statuses, Stderr};
use unipc::process::Group;
use unipc::{Command, Pipeline, Redirect};

fn cats(count: usize) -> Vec<Command> {
    (0..count).map(|_| Command::from(["cat"])).collect()
}

fn codes(statuses: &Statuses) -> Vec<Option<i32>> {
    statuses.iter().map(|status| status.code()).collect()
}

fn signals(statuses: &Statuses) -> Vec<Option<i32>> {
    statuses.iter().map(|status| status.signal()).collect()
}

/// What a pipeline prints that reads nothing.
fn printed(mut pipeline: Pipeline) -> String {
    let output = pipeline.stdin(Redirect::Null).stdout(Redirect::Pipe).spawn().unwrap().communicate(b"", LONG).unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn read_all(running: &mut Running) -> Vec<u8> {
    let mut bytes = Vec::new();
    running.stdout.take().unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

crate::promises! {
    fn bytes_go_through_all_stages_in_their_order() {
        leaving_nothing(|| {
            let input = pattern(1 << 20);
            let output = piped(cats(5)).spawn().unwrap().communicate(&input, LONG).unwrap();
            assert!(output.stdout == input);
            assert_eq!(codes(&output.statuses), [Some(0); 5]);
            let stages = [sh("echo a"), sh("cat; echo b"), sh("cat; echo c"), sh("tr a-z A-Z")];
            assert_eq!(printed(between(stages)), "A\nB\nC\n");
        });
    }

    fn one_stage_is_a_pipeline_and_none_is_not() {
        leaving_nothing(|| {
            assert_eq!(printed(between([sh("echo alone")])), "alone\n");
            assert_eq!(errno(Pipeline::new().spawn()), libc::EINVAL);
            assert_eq!(errno(between(cats(3)).open_joint(2).spawn()), libc::EINVAL);
            assert_eq!(errno(between(cats(1)).open_joint(0).spawn()), libc::EINVAL);
        });
    }

    fn between_the_stages_this_process_keeps_nothing_open() {
        leaving_nothing(|| {
            let before = descriptors();
            let running = piped(cats(4)).spawn().unwrap();
            let after = descriptors();
            let new: Vec<_> = after.iter().filter(|(number, _)| !before.contains_key(number)).collect();
            let pipes = new.iter().filter(|(_, target)| target.starts_with("pipe:")).count();
            assert_eq!((pipes, new.len()), (2, 2 + 4), "{new:?}"); // the two ends, and a pidfd for each stage
            drop(running);
        });
    }

    fn a_stage_has_its_three_streams_and_nothing_else() {
        leaving_nothing(|| {
            let (_reader, inheritable) = unipc::pipe().unwrap();
            inheritable.set_inheritable(true).unwrap();
            let list = || sh("exec ls /proc/self/fd >&2"); // 3 is the listing's own
            let output = piped([list(), list(), list(), list()]).stderr(Stderr::Apart)
                .spawn().unwrap().communicate(b"", LONG).unwrap();
            assert_eq!(output.stderr, [b"0\n1\n2\n3\n"; 4]);
        });
    }

    fn a_program_that_another_thread_starts_meanwhile_inherits_no_end() {
        leaving_nothing(|| {
            let sleepers = std::thread::scope(|scope| {
                let starting = scope.spawn(|| {
                    let start = |_| std::process::Command::new("sleep").arg("1000").spawn().unwrap();
                    (0..40).map(start).collect::<Vec<_>>()
                });
                // The end of file would not come as long as a sleeper had the end of a joint.
                while !starting.is_finished() {
                    let output = piped(cats(3)).spawn().unwrap().communicate(b"through", LONG).unwrap();
                    assert_eq!(output.stdout, b"through");
                }
                starting.join().unwrap()
            });
            for mut sleeper in sleepers {
                sleeper.kill().unwrap();
                sleeper.wait().unwrap();
            }
        });
    }

    fn each_stage_has_a_status_of_its_own() {
        leaving_nothing(|| {
            let statuses = between([sh("exit 3"), sh("kill -9 $$"), sh("true")]).spawn().unwrap().wait().unwrap();
            assert_eq!(codes(&statuses), [Some(3), None, Some(0)]);
            assert_eq!(signals(&statuses), [None, Some(9), None]);
            assert_eq!(statuses.to_string(), format!("{} | {} | {}", statuses[0], statuses[1], statuses[2]));
        });
    }

    fn success_is_the_last_stage_s_or_with_pipefail_every_stage_s() {
        leaving_nothing(|| {
            let failed = |stages: [&str; 3], pipefail| {
                let statuses = between(stages.map(sh)).pipefail(pipefail).spawn().unwrap().wait().unwrap();
                assert_eq!(statuses.success(), statuses.failed().is_none());
                statuses.failed()
            };
            let (good, bad) = ("cat", "cat; exit 1");
            for (stages, last, every) in [
                ([good, good, good], None, None),
                ([bad, good, good], None, Some(0)),
                ([bad, bad, good], None, Some(1)),
                ([good, good, bad], Some(2), Some(2)),
                ([bad, good, bad], Some(2), Some(2)),
                ([good, "cat; kill -9 $$", good], None, Some(1)),
                ([good, "cat; kill -13 $$", good], None, None), // SIGPIPE
                ([good, good, "cat; kill -13 $$"], Some(2), Some(2)),
                ([good, "cat; exit 141", good], None, Some(1)), // a shell's word for SIGPIPE is a code
            ] {
                assert_eq!((failed(stages, false), failed(stages, true)), (last, every), "{stages:?}");
            }
        });
    }

    fn a_stage_whose_reader_leaves_early_dies_of_sigpipe_and_that_is_no_failure() {
        leaving_nothing(|| {
            for pipefail in [false, true] {
                let mut pipeline = between([Command::from(["yes"]), Command::from(["head", "-1"])]);
                let mut running = pipeline.stdout(Redirect::Pipe).pipefail(pipefail).spawn().unwrap();
                let output = running.communicate(b"", LONG).unwrap();
                assert_eq!(output.stdout, b"y\n");
                assert_eq!(signals(&output.statuses), [Some(libc::SIGPIPE), None]);
                assert!(output.statuses.success());
            }
        });
    }

    fn the_last_stage_dies_of_sigpipe_when_this_process_leaves() {
        leaving_nothing(|| {
            let mut running = between([sh("exec yes"), sh("exec cat")]).stdout(Redirect::Pipe).spawn().unwrap();
            drop(running.stdout.take());
            let statuses = running.wait_by(LONG).unwrap();
            assert_eq!(signals(&statuses), [Some(libc::SIGPIPE); 2]);
            assert_eq!(statuses.failed(), Some(1));
        });
    }

    fn errors_come_apart_together_or_where_the_commands_say() {
        leaving_nothing(|| {
            let stages = || ["one", "two", "three"].map(|word| sh(&format!("cat; echo {word} >&2")));
            let output = between(stages()).stderr(Stderr::Apart).spawn().unwrap().communicate(b"", LONG).unwrap();
            assert_eq!(output.stderr, [&b"one\n"[..], b"two\n", b"three\n"]);
            let output = between(stages()).stderr(Stderr::Merged).spawn().unwrap().communicate(b"", LONG).unwrap();
            assert_eq!(output.stderr, [b"one\ntwo\nthree\n"]); // each waits for the end of the one before
            let file = Scratch::new();
            let mut set = stages();
            set[0].stderr(Redirect::Pipe);
            set[1].stderr(Redirect::Stdout);
            set[2].stderr(Redirect::write(file.path()));
            let output = piped(set).spawn().unwrap().communicate(b"", LONG).unwrap();
            assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"two\n"[..], &[b"one\n".to_vec(), vec![], vec![]][..]));
            assert_eq!(std::fs::read(file.path()).unwrap(), b"three\n");
        });
    }

    fn the_first_input_and_the_last_output_are_bound_as_a_process_s_are() {
        leaving_nothing(|| {
            let (source, target) = (Scratch::new(), Scratch::new());
            std::fs::write(source.path(), "from a file").unwrap();
            let through = |input: Redirect, output: Redirect| {
                assert!(Pipeline::new().stage(["cat"]).stage(["cat"]).stdin(input).stdout(output)
                    .spawn().unwrap().wait_by(LONG).unwrap().success());
            };
            through(Redirect::read(source.path()), Redirect::write(target.path()));
            assert_eq!(std::fs::read(target.path()).unwrap(), b"from a file");
            through(Redirect::Null, Redirect::append(target.path()));
            assert_eq!(std::fs::read(target.path()).unwrap(), b"from a file");
            through(Redirect::read(source.path()), Redirect::append(target.path()));
            assert_eq!(std::fs::read(target.path()).unwrap(), b"from a filefrom a file");
            let descriptor = OwnedFd::from(std::fs::File::open(source.path()).unwrap());
            let (reader, writer) = unipc::pipe().unwrap();
            through(descriptor.into(), writer.into());
            let mut buffer = [0; 64];
            let count = reader.read_full(&mut buffer, LONG).unwrap(); // to the end: nobody else has the writer
            assert_eq!(&buffer[..count], b"from a file");
            let (reader, writer) = unipc::pipe().unwrap();
            writer.write(b"from a pipe").unwrap();
            drop(writer);
            through(reader.into(), Redirect::write(target.path()));
            assert_eq!(std::fs::read(target.path()).unwrap(), b"from a pipe");
        });
    }

    fn ends_of_a_fifo_can_be_bound() {
        leaving_nothing(|| {
            let scratch = Scratch::new();
            let fifo = fifo(&scratch);
            let reader = fifo.try_open_reader().unwrap();
            let writer = fifo.try_open_writer().unwrap();
            let writing = between([sh("echo through a FIFO"), sh("cat")]).stdout(writer).spawn().unwrap();
            let mut reading = between([sh("cat"), sh("cat")]).stdin(reader).stdout(Redirect::Pipe).spawn().unwrap();
            assert_eq!(reading.communicate(b"", LONG).unwrap().stdout, b"through a FIFO\n");
            assert!(writing.wait_by(LONG).unwrap().success());
        });
    }

    fn a_stage_that_cannot_be_started_is_named_and_nothing_of_the_pipeline_is_left() {
        leaving_nothing(|| {
            let file = Scratch::new();
            std::fs::write(file.path(), "not a program").unwrap();
            let path = file.path().to_str().unwrap().to_owned();
            for (program, errno) in [
                ("unipc-no-such-program", libc::ENOENT),
                ("/no/such/program", libc::ENOENT),
                (&path, libc::EACCES),
                ("/tmp", libc::EACCES),
                ("nul\0here", libc::EINVAL),
            ] {
                for place in [0, 2, 4] {
                    // What runs before does not end by itself, and does not care for its ends.
                    let mut stages: Vec<_> = (0..5).map(|_| Command::from(["sleep", "1000"])).collect();
                    stages[place] = Command::from([program]);
                    let before = descriptors();
                    let mut pipeline = piped(stages);
                    let error = pipeline.stderr(Stderr::Merged).spawn().unwrap_err();
                    assert_eq!(descriptors(), before); // though the pipeline is still there
                    assert_eq!(error.errno(), errno, "{error}");
                    assert!(error.cause().ends_with(&format!("(stage {} of 5)", place + 1)), "{error}");
                    assert!(error.object().contains(program.split('\0').next().unwrap()), "{error}");
                }
            }
            let error = piped([Command::from(["cat"]), Command::from([""; 0])]).spawn().unwrap_err();
            assert!(error.errno() == libc::EINVAL && error.cause().contains("(stage 2 of 2)"), "{error}");
        });
    }

    fn a_file_that_cannot_be_opened_is_named_and_nothing_of_the_pipeline_is_left() {
        leaving_nothing(|| {
            let error = piped(cats(3)).stdout(Redirect::write("/no/such/file")).spawn().unwrap_err();
            assert_eq!(error.errno(), libc::ENOENT);
            assert!(error.to_string().contains("/no/such/file"), "{error}");
        });
    }

    fn a_stage_that_ignores_sigterm_is_not_left_when_a_later_one_cannot_be_started() {
        leaving_nothing(|| {
            let stubborn = sh("trap '' TERM; while :; do sleep 1000; done");
            let failed = between([stubborn, Command::from(["unipc-no-such-program"])]).group(Group::Own).spawn();
            assert_eq!(errno(failed), libc::ENOENT);
        });
    }

    fn a_limit_of_descriptors_that_is_met_anywhere_leaves_nothing() {
        leaving_nothing(|| {
            let mut limit: libc::rlimit = unsafe { std::mem::zeroed() };
            unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
            let free = (0..1000).find(|number| !descriptors().contains_key(number)).unwrap() as u64;
            let mut refused = 0;
            for room in 0..30 {
                let before = descriptors();
                let few = libc::rlimit { rlim_cur: free + room, ..limit };
                unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const few) };
                let spawned = piped(cats(4)).stderr(Stderr::Merged).spawn();
                unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
                match spawned {
                    Ok(mut running) => assert!(running.communicate(b"", LONG).unwrap().statuses.success()),
                    Err(error) => {
                        assert_eq!(error.errno(), libc::EMFILE, "{error}");
                        refused += 1;
                    }
                }
                assert_eq!(descriptors(), before);
            }
            assert!((5..29).contains(&refused), "{refused} refused");
        });
    }

    fn a_stage_that_dies_at_once_is_no_hang() {
        leaving_nothing(|| {
            let input = pattern(4 << 20);
            for place in 0..4 {
                let mut stages = cats(4);
                stages[place] = sh("exit 7");
                let output = piped(stages).pipefail(true).spawn().unwrap().communicate(&input, LONG).unwrap();
                assert!(output.stdout.is_empty());
                assert_eq!(output.statuses[place].code(), Some(7));
                assert_eq!(output.statuses.failed(), Some(place));
            }
        });
    }

    fn a_stage_that_never_reads_stops_what_is_before_it_until_it_is_cancelled() {
        leaving_nothing(|| {
            let stages = [Command::from(["yes"]), Command::from(["sleep", "1000"]), Command::from(["cat"])];
            let running = between(stages).spawn().unwrap();
            let (outcome, took) = timed(|| running.wait_by(SHORT));
            assert!(outcome.unwrap_err().timed_out() && took >= SHORT);
            let statuses = running.cancel(LONG).unwrap();
            assert_eq!(statuses[1].signal(), Some(libc::SIGTERM));
        });
    }

    fn a_stage_that_closes_its_output_early_is_the_end_of_file_for_the_next() {
        leaving_nothing(|| {
            let gate = Scratch::new();
            let line = format!("echo all; exec >&-; until [ -e {} ]; do sleep 0.01; done", gate.path().display());
            let mut running = between([sh(&line), sh("cat"), sh("cat")]).stdout(Redirect::Pipe).spawn().unwrap();
            assert_eq!(read_all(&mut running), b"all\n");
            assert!(running.try_wait().unwrap().is_none()); // and lives on
            std::fs::write(gate.path(), "").unwrap();
            assert!(running.wait_by(LONG).unwrap().success());
        });
    }

    fn of_ten_stages_the_fifth_is_killed_and_all_end() {
        leaving_nothing(|| {
            let input = pattern(4 << 20);
            let mut stages = cats(10);
            stages[4] = Command::from(["sleep", "1000"]); // so that all before it are full
            let mut running = piped(stages).pipefail(true).spawn().unwrap();
            assert!(running.communicate(&input, SHORT).unwrap_err().timed_out());
            running.stages()[4].kill().unwrap();
            let output = running.communicate(&input, LONG).unwrap();
            assert!(output.stdout.is_empty());
            assert_eq!(output.statuses[4].signal(), Some(libc::SIGKILL));
            assert_eq!(signals(&output.statuses)[..4], [Some(libc::SIGPIPE); 4]);
            assert_eq!(codes(&output.statuses)[5..], [Some(0); 5]);
            assert_eq!(output.statuses.failed(), Some(4));
        });
    }

    fn cancelling_ends_politely_first_and_by_force_after_the_grace() {
        leaving_nothing(|| {
            let ready = Scratch::new();
            let path = ready.path().display().to_string();
            let stubborn = sh(&format!("trap '' TERM; echo >{path}; while :; do sleep 0.01; done"));
            let stages = [Command::from(["sleep", "1000"]), stubborn, sh("trap 'exit 5' TERM; while :; do sleep 0.01; done")];
            let running = between(stages).spawn().unwrap();
            while !ready.path().exists() {
                std::thread::sleep(Duration::from_millis(1));
            }
            let (statuses, took) = timed(|| running.cancel(SHORT).unwrap());
            assert!(took >= SHORT);
            assert_eq!(signals(&statuses)[..2], [Some(libc::SIGTERM), Some(libc::SIGKILL)]);
            assert_eq!(running.cancel(SHORT).unwrap(), statuses); // once more is no harm
            assert_eq!(running.wait().unwrap(), statuses);
        });
    }

    fn cancelling_what_has_ended_reports_how_it_ended() {
        leaving_nothing(|| {
            let running = between([sh("exit 1"), sh("exit 2")]).spawn().unwrap();
            running.wait_by(LONG).unwrap();
            assert_eq!(codes(&running.cancel(LONG).unwrap()), [Some(1), Some(2)]);
        });
    }

    fn a_stopped_stage_is_cancelled_too() {
        leaving_nothing(|| {
            let running = between(cats(3)).stdin(Redirect::Pipe).spawn().unwrap();
            running.signal(libc::SIGSTOP).unwrap();
            assert_eq!(signals(&running.cancel(LONG).unwrap()), [Some(libc::SIGTERM); 3]);
        });
    }

    fn cancelling_a_group_ends_the_children_of_the_stages() {
        leaving_nothing(|| {
            // The end of file comes when the last process that has the pipe is gone, the sleepers too.
            let stages = [sh("sleep 1000 2>&1 & wait"), sh("sleep 1000 & cat; wait")];
            let mut running = between(stages).stdout(Redirect::Pipe).group(Group::Own).spawn().unwrap();
            std::thread::sleep(SHORT);
            let statuses = running.cancel(LONG).unwrap();
            assert_eq!(signals(&statuses), [Some(libc::SIGTERM); 2]);
            assert!(read_all(&mut running).is_empty());
        });
    }

    fn all_stages_of_a_group_are_in_it_and_the_host_is_not() {
        leaving_nothing(|| {
            let stages = (0..4).map(|_| sh("exec cut -d ' ' -f 5 /proc/self/stat >&2"));
            let mut running = piped(stages).stderr(Stderr::Apart).group(Group::Own).spawn().unwrap();
            let first = running.stages()[0].id();
            let output = running.communicate(b"", LONG).unwrap();
            for group in output.stderr {
                assert_eq!(String::from_utf8(group).unwrap().trim(), first.to_string());
            }
            assert_ne!(unsafe { libc::getpgrp() }, first);
        });
    }

    fn a_signal_handler_ends_cancelling_and_it_goes_on() {
        leaving_nothing(|| {
            let ready = Scratch::new();
            let stubborn = format!("trap '' TERM; echo > {}; while :; do sleep 0.01; done", ready.path().display());
            let running = between([sh(&stubborn), sh("exit 3")]).spawn().unwrap();
            while !ready.path().exists() {
                std::thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(running.stages()[1].wait().unwrap().code(), Some(3));
            assert!(interrupted(|| running.cancel(LONG)).unwrap_err().interrupted());
            let statuses = running.cancel(SHORT).unwrap();
            assert_eq!((codes(&statuses)[1], signals(&statuses)[0]), (Some(3), Some(libc::SIGKILL)));
        });
    }

    fn a_signal_handler_ends_waiting_and_it_goes_on() {
        leaving_nothing(|| {
            let running = between([sh("sleep 1000"), sh("exit 3")]).group(Group::Own).spawn().unwrap();
            assert_eq!(running.stages()[1].wait().unwrap().code(), Some(3));
            assert!(interrupted(|| running.wait()).unwrap_err().interrupted());
            running.signal(libc::SIGKILL).unwrap();
            assert_eq!(codes(&running.wait().unwrap()), [None, Some(3)]);
        });
    }

    fn dropping_a_running_pipeline_kills_nobody() {
        leaving_nothing(|| {
            let file = Scratch::new();
            let line = format!("cat; sleep 0.05; echo done > {}", file.path().display());
            drop(piped([sh("cat"), sh(&line)]).spawn().unwrap());
            while std::fs::read(file.path()).unwrap_or_default() != b"done\n" {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    }

    fn an_open_joint_lets_this_process_see_and_keep_what_goes_through() {
        leaving_nothing(|| {
            let input = pattern(4 << 20);
            let copy = Scratch::new();
            let mut running = piped(cats(3)).open_joint(0).open_joint(1).spawn().unwrap();
            let mut joints = std::mem::take(&mut running.joints).into_iter();
            let (first, second) = (joints.next().unwrap(), joints.next().unwrap());
            assert_eq!((first.number, second.number), (0, 1));
            let output = std::thread::scope(|scope| {
                let counted = scope.spawn(move || {
                    let mut passed = 0;
                    loop {
                        match first.reader.splice_to(&first.writer, 1 << 20, LONG).unwrap() {
                            0 => return passed,
                            count => passed += count,
                        }
                    }
                });
                let kept = scope.spawn(|| {
                    let second = second;
                    let file = std::fs::File::create(copy.path()).unwrap();
                    let (tee, into_tee) = unipc::pipe().unwrap();
                    loop {
                        let count = second.reader.tee(&into_tee, 1 << 20, LONG).unwrap();
                        if count == 0 {
                            return;
                        }
                        let mut left = [count; 2];
                        while left[0] > 0 {
                            left[0] -= tee.splice_to(&file, left[0], LONG).unwrap();
                        }
                        while left[1] > 0 {
                            left[1] -= second.reader.splice_to(&second.writer, left[1], LONG).unwrap();
                        }
                    }
                });
                let output = running.communicate(&input, LONG).unwrap();
                assert_eq!(counted.join().unwrap(), input.len());
                kept.join().unwrap();
                output
            });
            assert!(output.stdout == input && output.statuses.success());
            assert!(std::fs::read(copy.path()).unwrap() == input);
        });
    }

    fn who_leaves_an_open_joint_tells_both_sides() {
        leaving_nothing(|| {
            let mut running = between([sh("exec yes"), sh("wc -c")]).stdout(Redirect::Pipe).open_joint(0).spawn().unwrap();
            assert_eq!(errno(running.communicate(b"", LONG)), libc::EINVAL); // nobody passes anything on
            running.joints.clear();
            let output = running.communicate(b"", LONG).unwrap();
            assert_eq!(output.stdout, b"0\n");
            assert_eq!(output.statuses[0].signal(), Some(libc::SIGPIPE));
        });
    }

    fn where_the_host_ignores_sigchld_the_output_comes_and_the_statuses_are_an_error() {
        leaving_nothing(|| {
            let before = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
            let mut running = between([sh("echo kept"), sh("cat")]).stdout(Redirect::Pipe).spawn().unwrap();
            let outcome = running.communicate(b"", LONG);
            unsafe { libc::signal(libc::SIGCHLD, before) };
            assert_eq!(errno(outcome), libc::ECHILD);
            assert_eq!(errno(running.wait()), libc::ECHILD);
            assert_eq!(running.partial_output().0, b"kept\n");
        });
    }

    fn several_threads_wait_for_one_pipeline() {
        leaving_nothing(|| {
            let running = between(cats(3)).stdin(Redirect::Pipe).spawn().unwrap();
            let statuses = std::thread::scope(|scope| {
                let waiting: Vec<_> = (0..4).map(|_| scope.spawn(|| running.wait().unwrap())).collect();
                running.signal(libc::SIGTERM).unwrap();
                waiting.into_iter().map(|waiter| waiter.join().unwrap()).collect::<Vec<_>>()
            });
            assert!(statuses.iter().all(|found| *found == statuses[0]));
        });
    }

    fn a_pipeline_without_descriptors_of_its_own_can_be_started_again() {
        leaving_nothing(|| {
            let mut pipeline = piped([sh("cat; echo one"), sh("cat; echo two")]);
            for _ in 0..3 {
                assert_eq!(pipeline.spawn().unwrap().communicate(b"", LONG).unwrap().stdout, b"one\ntwo\n");
            }
            let (_reader, writer) = unipc::pipe().unwrap();
            pipeline.stdout(writer);
            assert!(pipeline.spawn().unwrap().communicate(b"", LONG).unwrap().statuses.success());
            assert_eq!(errno(pipeline.spawn()), libc::EBADF);
        });
    }

    fn a_thousand_stages_leak_nothing() {
        leaving_nothing(|| {
            for _ in 0..250 {
                let output = piped(cats(4)).stderr(Stderr::Apart).spawn().unwrap().communicate(b"x", LONG).unwrap();
                assert_eq!(output.stdout, b"x");
            }
        });
    }
}
