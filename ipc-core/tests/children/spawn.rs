//! Starting: what a child gets, what it does not get, and why one cannot be started.

use crate::common::{Scratch, errno, fifo, until};
use crate::traces::{descriptors, has_children, leaving_nothing};
use crate::{LONG, both_ways, host, run, said, sh};
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use unipc::process::Group;
use unipc::{Child, Command, Fifo, Redirect, Status, popen};

/// What this thread has at a number of its choice, until it is dropped.
fn at(number: i32, what: &OwnedFd) -> OwnedFd {
    assert_eq!(unsafe { libc::fcntl(number, libc::F_GETFD) }, -1, "{number} is taken");
    assert_eq!(unsafe { libc::dup3(what.as_raw_fd(), number, libc::O_CLOEXEC) }, number);
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// A file without a name that reads as `text`.
fn saying(text: &str) -> OwnedFd {
    let (reader, writer) = unipc::pipe().unwrap();
    writer.write(text.as_bytes()).unwrap();
    reader.into()
}

fn script(scratch: &Scratch, text: &str, mode: u32) -> String {
    let path = scratch.path();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn refusal(command: &mut Command) -> unipc::Error {
    command.spawn().unwrap_err()
}

crate::promises! {
    fn arguments_arrive_as_they_are_and_no_shell_sees_them() {
        both_ways(|way| {
            assert_eq!(said(way(run(&["printf", "%s|", "two words", "$HOME", "*", "", "a\nb"]))), "two words|$HOME|*||a\nb|");
            let mut odd = Command::new("printf");
            odd.arg("%s").arg(OsStr::from_bytes(b"\xff\xfe"));
            let mut child = way(odd).stdout(Redirect::Pipe).spawn().unwrap();
            let mut bytes = Vec::new();
            child.stdout.take().unwrap().read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, b"\xff\xfe");
            let mut named = Command::new("/bin/sh");
            named.arg0("another name").args(["-c", "echo $0"]);
            assert_eq!(said(way(named)), "another name\n");
        });
    }

    fn a_shell_is_there_when_it_is_asked_for() {
        both_ways(|way| assert_eq!(said(way(sh("x=1; echo $((x + 1)) | tr 2 3"))), "3\n"));
    }

    fn the_environment_is_this_ones_with_what_was_changed() {
        both_ways(|way| {
            let home = std::env::var("HOME").unwrap_or_default();
            let mut changed = sh("echo $UNIPC_TEST:$HOME");
            changed.env("UNIPC_TEST", "set");
            assert_eq!(said(way(changed)), format!("set:{home}\n"));
            let mut removed = sh("echo ${HOME-gone}");
            removed.env_remove("HOME");
            assert_eq!(said(way(removed)), "gone\n");
            let mut cleared = run(&["env"]);
            cleared.env("B", "0").env_clear().env("A", "1").env("C", "");
            assert_eq!(said(way(cleared)), "A=1\nC=\n");
        });
    }

    fn a_program_is_searched_in_the_childs_own_path() {
        let scratch = Scratch::new();
        fs::create_dir(scratch.path()).unwrap();
        let program = scratch.path().join("unipc-test-program");
        fs::write(&program, "#!/bin/sh\necho found\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        both_ways(|way| {
            assert_eq!(errno(way(run(&["unipc-test-program"])).spawn()), libc::ENOENT);
            let path = format!("/no-such-directory::{}:/bin", scratch.path().display());
            let mut command = run(&["unipc-test-program"]);
            command.env("PATH", path);
            assert_eq!(said(way(command)), "found\n");
            let mut here = run(&["unipc-test-program"]);
            here.env("PATH", "").directory(scratch.path());
            assert_eq!(said(way(here)), "found\n");
            let mut elsewhere = run(&["true"]);
            elsewhere.env("PATH", "/no-such-directory");
            assert_eq!(errno(way(elsewhere).spawn()), libc::ENOENT);
        });
        fs::remove_dir_all(scratch.path()).unwrap();
    }

    fn a_child_starts_in_its_directory_and_a_relative_program_is_sought_there() {
        let scratch = Scratch::new();
        fs::create_dir(scratch.path()).unwrap();
        fs::write(scratch.path().join("here"), "#!/bin/sh\npwd\n").unwrap();
        fs::set_permissions(scratch.path().join("here"), fs::Permissions::from_mode(0o755)).unwrap();
        let place = fs::canonicalize(scratch.path()).unwrap();
        both_ways(|way| {
            let mut command = run(&["./here"]);
            command.directory(scratch.path());
            assert_eq!(said(way(command)).trim_end(), place.to_str().unwrap());
        });
        fs::remove_dir_all(scratch.path()).unwrap();
    }

    fn streams_are_bound_to_null_pipes_and_each_other() {
        both_ways(|way| {
            let mut null = sh("cat; echo lost; echo lost >&2");
            null.stdin(Redirect::Null).stdout(Redirect::Null).stderr(Redirect::Null);
            assert!(way(null).spawn().unwrap().wait().unwrap().success());

            let mut three = sh("read word; echo out $word; echo err $word >&2");
            three.stdin(Redirect::Pipe).stdout(Redirect::Pipe).stderr(Redirect::Pipe);
            let mut child = way(three).spawn().unwrap();
            child.stdin.take().unwrap().write(b"x\n").unwrap();
            let (mut out, mut err) = (String::new(), String::new());
            child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
            child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
            assert_eq!((out.as_str(), err.as_str()), ("out x\n", "err x\n"));
            assert!(child.wait().unwrap().success());

            let mut merged = sh("echo one; echo two >&2; echo three");
            merged.stderr(Redirect::Stdout);
            assert_eq!(said(way(merged)), "one\ntwo\nthree\n");
        });
    }

    fn streams_are_bound_to_files_that_spawn_opens() {
        let scratch = Scratch::new();
        both_ways(|way| {
            let text = |line: &str, redirect: Redirect| {
                let mut command = sh(line);
                command.stdout(redirect);
                assert!(way(command).spawn().unwrap().wait().unwrap().success());
                fs::read_to_string(scratch.path()).unwrap()
            };
            assert_eq!(text("echo one", Redirect::write(scratch.path())), "one\n");
            assert_eq!(text("echo two", Redirect::append(scratch.path())), "one\ntwo\n");
            assert_eq!(text("echo three", Redirect::write(scratch.path())), "three\n");
            let mut reads = run(&["cat"]);
            reads.stdin(Redirect::read(scratch.path()));
            assert_eq!(said(way(reads)), "three\n");
        });
    }

    fn streams_are_bound_to_ends_of_pipes_and_fifos_and_to_open_files() {
        let scratch = Scratch::new();
        fifo(&scratch);
        both_ways(|way| {
            let (reader, writer) = unipc::pipe().unwrap();
            let mut command = run(&["echo", "through a pipe"]);
            command.stdout(writer);
            way(command).spawn().unwrap().wait().unwrap();
            let mut text = String::new();
            { &reader }.read_to_string(&mut text).unwrap(); // ends: no writing end was left open
            assert_eq!(text, "through a pipe\n");

            let fifo = Fifo::open(scratch.path()).unwrap();
            let mut reads = run(&["cat"]);
            let (end, from) = std::thread::scope(|scope| {
                let writer = scope.spawn(|| fifo.open_writer_by(LONG).unwrap());
                (fifo.open_reader_by(LONG).unwrap(), writer.join().unwrap())
            });
            from.write(b"through a fifo").unwrap();
            drop(from);
            reads.stdin(end);
            assert_eq!(said(way(reads)), "through a fifo");

            let mut file = run(&["head", "-c", "9"]);
            file.stdin(fs::File::open("Cargo.toml").unwrap());
            assert_eq!(said(way(file)), "[package]");
        });
    }

    fn descriptors_arrive_under_the_numbers_that_were_chosen() {
        both_ways(|way| {
            let mut command = sh("cat <&3; cat <&9; cat /dev/fd/200");
            command.descriptor(9, saying("nine ")).descriptor(3, saying("three ")).descriptor(200, saying("many "));
            assert_eq!(said(way(command)), "three nine many ");
            let mut far = sh("cat <&9");
            far.descriptor(9, saying("near\n")).descriptor(900, saying("far"));
            assert_eq!(said(way(far)), "near\n");
        });
    }

    fn descriptors_change_places_without_losing_one() {
        both_ways(|way| {
            let (a, b, c) = (at(70, &saying("a")), at(71, &saying("b")), at(72, &saying("c")));
            let mut crossed = sh("cat /dev/fd/70; cat /dev/fd/71; cat /dev/fd/72");
            crossed.descriptor(70, b).descriptor(71, c).descriptor(72, a);
            assert_eq!(said(way(crossed)), "bca");

            let mut same = sh("cat /dev/fd/70; cat /dev/fd/71");
            same.descriptor(70, at(70, &saying("stays "))).descriptor(71, at(72, &saying("moves")));
            assert_eq!(said(way(same)), "stays moves");
        });
    }

    fn streams_and_numbers_change_places_without_losing_one() {
        both_ways(|way| {
            // What becomes 0 has the number 70, what becomes 70 has 71, standard output is 72.
            let (reader, writer) = unipc::pipe().unwrap();
            let (zero, seventy, out) = (at(70, &saying("zero ")), at(71, &saying("seventy")), at(72, &writer.into()));
            let mut command = sh("cat; cat /dev/fd/70; echo oh >&2");
            command.stdin(zero).descriptor(70, seventy).stdout(out).stderr(Redirect::Stdout);
            assert!(way(command).spawn().unwrap().wait().unwrap().success());
            let mut text = String::new();
            { &reader }.read_to_string(&mut text).unwrap();
            assert_eq!(text, "zero seventyoh\n");
        });
    }

    fn nothing_else_is_inherited() {
        let (reader, writer) = unipc::pipe().unwrap();
        let high = unsafe { OwnedFd::from_raw_fd(libc::fcntl(reader.as_raw_fd(), libc::F_DUPFD, 500)) };
        reader.set_inheritable(true).unwrap();
        writer.set_inheritable(true).unwrap();
        both_ways(|way| {
            let mut bare = host("descriptors", &[]);
            bare.stdin(Redirect::Null);
            assert_eq!(said(way(bare)), "0 1 2\n");
            let mut more = host("descriptors", &[]);
            more.stdin(Redirect::Null).descriptor(5, saying("")).descriptor(8, saying(""));
            assert_eq!(said(way(more)), "0 1 2 5 8\n");
            let mut far = host("descriptors", &[]);
            far.stdin(Redirect::Null).descriptor(900, saying(""));
            assert_eq!(said(way(far)), "0 1 2 900\n");
        });
        drop(high);
    }

    fn the_ends_that_the_caller_keeps_are_not_in_the_child() {
        both_ways(|way| {
            let mut cat = run(&["cat"]);
            cat.stdin(Redirect::Pipe).stdout(Redirect::Pipe);
            let mut one = way(cat).spawn().unwrap();
            let mut cat = run(&["cat"]);
            cat.stdin(Redirect::Pipe).stdout(Redirect::Pipe);
            let two = way(cat).spawn().unwrap();
            drop(one.stdin.take()); // the other child has no copy of it
            assert!(one.wait_by(LONG).unwrap().success());
            drop(two);
        });
    }

    fn a_descriptor_goes_with_the_first_child_and_stays_when_there_is_none() {
        leaving_nothing(|| {
            let (reader, writer) = unipc::pipe().unwrap();
            let mut command = run(&["no-such-program-of-unipc"]);
            command.stdout(writer);
            assert_eq!(errno(command.spawn()), libc::ENOENT);
            let error = reader.try_read(&mut [0; 8]).unwrap_err();
            assert!(error.would_block()); // not the end of file
            drop(command);
            assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);

            let (reader, writer) = unipc::pipe().unwrap();
            let mut command = run(&["echo", "once"]);
            command.stdout(writer);
            command.spawn().unwrap().wait().unwrap();
            assert_eq!(reader.available().unwrap(), 5);
            let error = refusal(&mut command);
            assert_eq!(error.errno(), libc::EBADF);
            assert!(error.cause().contains("went with an earlier child"), "{error}");
            command.stdout(Redirect::Null);
            assert!(command.spawn().unwrap().wait().unwrap().success());
        });
    }

    fn commands_children_and_streams_go_to_any_thread() {
        fn check<T: Send + Sync>() {}
        check::<(Command, Redirect, Child, Status)>();
        check::<(popen::Reader, popen::Writer, popen::Duplex)>();
    }

    fn a_command_starts_as_many_children_as_are_wanted() {
        both_ways(|way| {
            let mut command = way(run(&["sh", "-c", "exit 7"]));
            for _ in 0..5 {
                assert_eq!(command.spawn().unwrap().wait().unwrap().code(), Some(7));
            }
        });
    }

    fn what_is_duplicated_stays_the_callers() {
        leaving_nothing(|| {
            let (reader, writer) = unipc::pipe().unwrap();
            let mut command = run(&["echo", "hello"]);
            command.stdout(Redirect::duplicate(&writer).unwrap());
            command.spawn().unwrap().wait().unwrap();
            writer.write(b"and more").unwrap();
            assert_eq!(reader.available().unwrap(), 14);
        });
    }

    fn a_group_is_led_or_joined() {
        both_ways(|way| {
            let group = |pid: i32| unsafe { libc::getpgid(pid) };
            let mut own = run(&["sleep", "60"]);
            own.group(Group::Own);
            let leader = way(own).spawn().unwrap();
            assert_eq!(group(leader.id()), leader.id());
            let mut joining = run(&["sleep", "60"]);
            joining.group(Group::Join(leader.id()));
            let second = way(joining).spawn().unwrap();
            assert_eq!(group(second.id()), leader.id());
            let inheriting = way(run(&["sleep", "60"])).spawn().unwrap();
            assert_eq!(group(inheriting.id()), group(0));
            leader.signal_group(libc::SIGKILL).unwrap();
            inheriting.kill().unwrap();
            for child in [&leader, &second, &inheriting] {
                assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
            }
            let mut stranger = run(&["true"]);
            stranger.group(Group::Join(leader.id()));
            let error = refusal(&mut way(stranger));
            assert_eq!(error.cause(), format!("there is no process group {} in this session", leader.id()));
        });
    }

    fn a_program_that_does_not_exist_is_an_error_of_spawn() {
        both_ways(|way| {
            let error = refusal(&mut way(run(&["no-such-program-of-unipc"])));
            assert_eq!(error.to_string(), "spawn no-such-program-of-unipc: there is no such program in PATH");
            assert_eq!((error.errno(), error.object()), (libc::ENOENT, "no-such-program-of-unipc"));
            let error = refusal(&mut way(run(&["/no/such/program"])));
            assert_eq!(error.to_string(), "spawn /no/such/program: it does not exist");
            assert_eq!(refusal(&mut way(run(&[""]))).to_string(), "spawn : its name is empty");
            assert_eq!(errno(way(run(&["/etc/passwd/program"])).spawn()), libc::ENOTDIR);
        });
    }

    fn a_program_that_is_not_executable_is_an_error_of_spawn() {
        let scratch = Scratch::new();
        let path = script(&scratch, "#!/bin/sh\n", 0o644);
        both_ways(|way| {
            let error = refusal(&mut way(run(&[&path])));
            assert_eq!(error.errno(), libc::EACCES);
            assert!(error.to_string().starts_with(&format!("spawn {path}: it is not executable")), "{error}");
            let error = refusal(&mut way(run(&["/tmp/"])));
            assert_eq!((error.errno(), error.cause()), (libc::EACCES, "it is a directory"));
        });
    }

    fn what_is_executable_and_no_program_is_an_error_of_spawn() {
        let (text, lost) = (Scratch::new(), Scratch::new());
        let no_format = script(&text, "echo without a first line\n", 0o755);
        let no_interpreter = script(&lost, "#!/no/such/interpreter\n", 0o755);
        both_ways(|way| {
            let error = refusal(&mut way(run(&[&no_format])));
            assert_eq!(error.errno(), libc::ENOEXEC);
            assert!(error.cause().contains("'#!/bin/sh'"), "{error}");
            let error = refusal(&mut way(run(&[&no_interpreter])));
            assert_eq!(error.errno(), libc::ENOENT);
            assert!(error.cause().contains("interpreter"), "{error}");
        });
    }

    fn an_argument_vector_without_a_program_is_an_error_of_spawn() {
        leaving_nothing(|| {
            let error = refusal(&mut run(&[]));
            assert_eq!(error.errno(), libc::EINVAL);
            assert_eq!(error.to_string(), "spawn program: the argument vector is empty: its first is the program");
        });
    }

    fn a_nul_is_an_error_of_spawn_wherever_it_is() {
        both_ways(|way| {
            let cause = |command: &mut Command| {
                let error = command.spawn().unwrap_err();
                assert_eq!(error.errno(), libc::EINVAL);
                error.to_string()
            };
            assert_eq!(cause(&mut way(run(&["echo", "a\0b"]))), "spawn echo: an argument has a NUL in it");
            assert!(cause(&mut way(run(&["ec\0ho"]))).contains("has a NUL in it"));
            let mut variable = run(&["echo"]);
            variable.env("A", "\0");
            assert!(cause(&mut way(variable)).contains("its environment has a NUL in it"));
            let mut directory = run(&["echo"]);
            directory.directory("/\0");
            assert!(cause(&mut way(directory)).contains("its directory has a NUL in it"));
            let mut file = run(&["echo"]);
            file.stdout(Redirect::write("/\0"));
            assert!(cause(&mut way(file)).contains("its path has a NUL in it"));
            for key in ["", "A=B"] {
                let mut bad = run(&["echo"]);
                bad.env(key, "1");
                assert!(cause(&mut way(bad)).contains("is no name of an environment variable"));
            }
        });
    }

    fn a_directory_that_cannot_be_entered_is_named_and_not_the_program() {
        both_ways(|way| {
            let mut command = run(&["true"]);
            command.directory("/no/such/directory");
            let error = refusal(&mut way(command));
            assert_eq!(error.to_string(), "enter directory /no/such/directory: it does not exist; true was to start in it");
            let mut file = run(&["true"]);
            file.directory("/etc/passwd");
            let error = refusal(&mut way(file));
            assert_eq!((error.errno(), error.object()), (libc::ENOTDIR, "/etc/passwd"));
            let mut both = run(&["no-such-program-of-unipc"]);
            both.directory("/");
            assert_eq!(refusal(&mut way(both)).object(), "no-such-program-of-unipc");
        });
    }

    fn a_file_that_cannot_be_opened_is_named_and_not_the_program() {
        both_ways(|way| {
            let mut command = run(&["true"]);
            command.stdin(Redirect::read("/no/such/file"));
            let error = refusal(&mut way(command));
            assert_eq!(error.to_string(), "open /no/such/file: it does not exist");
            let mut directory = run(&["true"]);
            directory.stdout(Redirect::write("/tmp"));
            assert_eq!(errno(way(directory).spawn()), libc::EISDIR);
        });
    }

    fn a_closed_descriptor_is_an_error_of_spawn() {
        both_ways(|way| {
            let null = fs::File::open("/dev/null").unwrap().into();
            let number = 77;
            let mut command = run(&["true"]);
            command.descriptor(5, at(number, &null));
            unsafe { libc::close(number) };
            let mut command = way(command);
            let error = refusal(&mut command);
            std::mem::forget(at(number, &null)); // for the command to close
            assert_eq!(error.errno(), libc::EBADF);
            assert_eq!(error.to_string(), "spawn true: descriptor 77, which was to be its 5, is closed");
        });
    }

    fn a_number_that_no_descriptor_can_have_is_an_error_of_spawn() {
        both_ways(|way| {
            for number in [-1, 1 << 30, i32::MAX] {
                let mut command = run(&["true"]);
                command.descriptor(number, saying(""));
                let error = refusal(&mut way(command));
                assert_eq!(error.errno(), libc::EBADF);
                assert!(error.cause().starts_with(&format!("{number} is no descriptor")), "{error}");
            }
        });
    }

    fn what_is_for_standard_error_alone_is_refused_elsewhere() {
        leaving_nothing(|| {
            let mut command = run(&["true"]);
            command.stdin(Redirect::Stdout);
            assert_eq!(errno(command.spawn()), libc::EINVAL);
        });
    }

    fn a_signal_that_does_not_exist_ties_nobody() {
        leaving_nothing(|| {
            let mut command = run(&["true"]);
            command.dies_with_parent(1000);
            assert_eq!(refusal(&mut command).to_string(), "spawn true: there is no signal 1000");
        });
    }

    fn more_arguments_than_the_kernel_takes_are_an_error_of_spawn() {
        both_ways(|way| {
            let error = refusal(&mut way(run(&["echo", &"x".repeat(1 << 20)])));
            assert_eq!(error.errno(), libc::E2BIG);
        });
    }

    fn a_child_has_every_signal_unblocked_and_at_its_default() {
        // This program, being Rust, ignores SIGPIPE.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
        let looks = std::thread::spawn(|| {
            let mut mask: libc::sigset_t = unsafe { std::mem::zeroed() };
            unsafe {
                libc::sigfillset(&raw mut mask);
                libc::pthread_sigmask(libc::SIG_BLOCK, &raw const mask, std::ptr::null_mut());
            }
            both_ways(|way| {
                let expected = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n";
                let look = || run(&["grep", "-E", "^Sig(Blk|Ign):", "/proc/self/status"]);
                assert_eq!(said(way(look())), expected);
                let mut searching = look();
                searching.env("PATH", "/usr/bin:/bin");
                assert_eq!(said(way(searching)), expected);
            });
            unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, std::ptr::null(), &raw mut mask) };
            assert_eq!(unsafe { libc::sigismember(&raw const mask, libc::SIGUSR1) }, 1); // the host's own stays
        });
        let outcome = looks.join();
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) };
        outcome.unwrap();
    }

    fn ten_thousand_rounds_leak_nothing() {
        leaving_nothing(|| {
            let mut command = run(&["true"]);
            command.stdin(Redirect::Null).stdout(Redirect::Pipe);
            for _ in 0..10_000 {
                assert!(command.spawn().unwrap().wait().unwrap().success());
            }
        });
    }

    fn a_thousand_failures_leak_nothing() {
        both_ways(|way| {
            let mut command = run(&["/no/such/program"]);
            command.stdin(Redirect::Pipe).stdout(Redirect::Pipe).stderr(Redirect::Null);
            let mut command = way(command);
            for _ in 0..1000 {
                assert_eq!(errno(command.spawn()), libc::ENOENT);
            }
        });
    }

    fn many_threads_start_children_at_once_and_no_end_goes_astray() {
        both_ways(|way| {
            std::thread::scope(|scope| {
                for thread in 0..8 {
                    scope.spawn(move || {
                        for round in 0..20 {
                            let mut cat = run(&["cat"]);
                            cat.stdin(Redirect::Pipe);
                            let mut child = way(cat).stdout(Redirect::Pipe).spawn().unwrap();
                            let word = format!("{thread}.{round}");
                            child.stdin.take().unwrap().write(word.as_bytes()).unwrap();
                            let mut text = String::new(); // ends only if nobody else has the writing ends
                            child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
                            assert_eq!(text, word);
                            assert!(child.wait_by(LONG).unwrap().success());
                        }
                    });
                }
            });
        });
    }

    fn no_descriptor_to_be_had_is_an_error_and_leaves_nothing() {
        both_ways(|way| {
            let mut before: libc::rlimit = unsafe { std::mem::zeroed() };
            unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut before) };
            let mut command = run(&["true"]);
            command.stdin(Redirect::Pipe).stdout(Redirect::Pipe);
            let mut command = way(command);
            let open = descriptors().len() as u64;
            let mut failures = 0;
            for room in 0..12 {
                let tight = libc::rlimit { rlim_cur: open + room, ..before };
                unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const tight) };
                let outcome = command.spawn();
                unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const before) };
                match outcome {
                    Ok(child) => assert!(child.wait().unwrap().success()),
                    Err(error) => {
                        assert_eq!(error.errno(), libc::EMFILE, "{error}");
                        failures += 1;
                    }
                }
                until("nobody is left", || !has_children());
            }
            assert!(failures > 0);
        });
    }
}
