//! Waiting, signalling, ending, and letting go.

use crate::common::{SHORT, Scratch, errno, interrupted, timed, until};
use crate::traces::{has_children, has_keeper, leaving_nothing};
use crate::{LONG, both_ways, run, sh};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;
use unipc::process::Group;
use unipc::{Child, Command, Deadline, Redirect, Status};

fn sleeper() -> Child {
    run(&["sleep", "60"]).spawn().unwrap()
}

/// One that says that it is ready, and then runs `line` for ever.
fn ready(line: &str) -> Command {
    let mut command = sh(&format!("{line}; echo ready; while :; do sleep 60; done"));
    command.stdout(Redirect::Pipe);
    command
}

fn hear(child: &Child) {
    let mut buffer = [0; 16];
    let count = child.stdout.as_ref().unwrap().read_by(&mut buffer, LONG).unwrap();
    assert_eq!(&buffer[..count], b"ready\n");
}

fn is_readable(fd: impl AsFd) -> bool {
    let mut entry = libc::pollfd { fd: fd.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    unsafe { libc::poll(&raw mut entry, 1, 0) == 1 }
}

/// What the kernel says of a process: running, sleeping, stopped, zombie; nothing of none.
fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

crate::promises! {
    fn an_exit_and_a_signal_are_told_apart() {
        both_ways(|way| {
            let ended = |line| way(sh(line)).spawn().unwrap().wait().unwrap();
            let status = ended("exit 143");
            assert_eq!((status.code(), status.signal(), status.success()), (Some(143), None, false));
            assert_eq!(status.to_string(), "exited with 143");
            let status = ended("kill -TERM $$");
            assert_eq!((status.code(), status.signal(), status.success()), (None, Some(15), false));
            assert_eq!((status.to_string().as_str(), status.shell_code()), ("killed by SIGTERM", 143));
            assert_eq!(ended("exit 0"), Status::from_raw(0));
            let status = ended("kill -40 $$");
            assert_eq!((status.signal(), status.to_string().as_str()), (Some(40), "killed by signal 40"));
        });
    }

    fn a_status_is_what_waitpid_gives() {
        leaving_nothing(|| {
            for line in ["exit 0", "exit 1", "exit 255", "kill -KILL $$", "kill -HUP $$"] {
                let bare = std::process::Command::new("sh").args(["-c", line]).status().unwrap();
                assert_eq!(sh(line).spawn().unwrap().wait().unwrap().raw(), bare.into_raw(), "{line}");
            }
        });
    }

    fn a_core_dump_is_told() {
        let scratch = Scratch::new();
        std::fs::create_dir(scratch.path()).unwrap();
        // Not QUIT: a shell has what it starts in the background ignore it.
        let line = "ulimit -c unlimited; kill -ABRT $$";
        let (bare, status) = leaving_nothing(|| {
            let bare = std::process::Command::new("sh").args(["-c", line]).current_dir(scratch.path()).status();
            (bare.unwrap(), sh(line).directory(scratch.path()).spawn().unwrap().wait().unwrap())
        });
        std::fs::remove_dir_all(scratch.path()).unwrap();
        assert_eq!(status.signal(), Some(libc::SIGABRT));
        assert_eq!(status.core_dumped(), bare.core_dumped()); // some systems dump none
        assert_eq!(status.to_string(), format!("killed by SIGABRT{}", if bare.core_dumped() { " (core dumped)" } else { "" }));
    }

    fn a_status_stays_known_and_every_waiter_gets_it() {
        leaving_nothing(|| {
            let child = sh("sleep 0.05; exit 5").spawn().unwrap();
            std::thread::scope(|scope| {
                let waiters: Vec<_> = (0..8)
                    .map(|n| {
                        let child = &child;
                        scope.spawn(move || if n % 2 == 0 { child.wait() } else { child.wait_by(LONG) })
                    })
                    .collect();
                for waiter in waiters {
                    assert_eq!(waiter.join().unwrap().unwrap().code(), Some(5));
                }
            });
            assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(5));
            assert_eq!(child.wait_by(Deadline::NOW).unwrap().code(), Some(5));
        });
    }

    fn a_wait_ends_with_its_deadline_and_the_child_runs_on() {
        leaving_nothing(|| {
            let child = sleeper();
            let (outcome, time) = timed(|| child.wait_by(SHORT));
            assert!(outcome.unwrap_err().timed_out());
            assert!(time >= SHORT);
            assert!(child.wait_by(Deadline::NOW).unwrap_err().would_block());
            assert_eq!(child.try_wait().unwrap(), None);
            child.kill().unwrap();
            assert_eq!(child.wait_by(LONG).unwrap().signal(), Some(9));
        });
    }

    fn a_signal_handler_ends_a_wait_and_the_child_runs_on() {
        leaving_nothing(|| {
            let child = sleeper();
            assert!(interrupted(|| child.wait()).unwrap_err().interrupted());
            assert!(interrupted(|| child.wait_by(LONG)).unwrap_err().interrupted());
            assert_eq!(child.try_wait().unwrap(), None);
            child.kill().unwrap();
            child.wait().unwrap();
        });
    }

    fn a_child_is_polled_beside_other_descriptors() {
        leaving_nothing(|| {
            let child = sleeper();
            assert!(!is_readable(&child));
            let (reader, _writer) = unipc::pipe().unwrap();
            child.kill().unwrap();
            let entry = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
            let mut both = [entry(reader.as_raw_fd()), entry(child.as_raw_fd())];
            assert_eq!(unsafe { libc::poll(both.as_mut_ptr(), 2, 50_000) }, 1);
            assert_eq!((both[0].revents, both[1].revents & libc::POLLIN), (0, libc::POLLIN));
            child.wait().unwrap();
            assert!(is_readable(&child));
        });
    }

    fn a_signal_reaches_the_child_and_after_the_wait_nobody() {
        leaving_nothing(|| {
            let child = sleeper();
            child.signal(0).unwrap();
            assert_eq!(errno(child.signal(1000)), libc::EINVAL);
            child.signal(libc::SIGUSR1).unwrap();
            until("it has ended", || is_readable(&child));
            child.signal(libc::SIGTERM).unwrap(); // to a zombie: without effect
            assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGUSR1));
            let error = child.signal(libc::SIGTERM).unwrap_err();
            assert_eq!(error.to_string(), "signal sleep: it has ended, and was waited for");
            assert_eq!(error.errno(), libc::ESRCH);
            child.kill().unwrap();
        });
    }

    fn a_group_is_signalled_also_when_its_leader_is_gone() {
        leaving_nothing(|| {
            let (reader, writer) = unipc::pipe().unwrap();
            let leader = sh("sleep 60 & exit 0").stdout(writer).group(Group::Own).spawn().unwrap();
            assert!(leader.wait().unwrap().success());
            assert!(reader.try_read(&mut [0; 1]).unwrap_err().would_block()); // somebody holds the other end
            match leader.signal_group(libc::SIGKILL) {
                Ok(()) => assert_eq!(reader.read_by(&mut [0; 1], LONG).unwrap(), 0),
                Err(error) => {
                    eprintln!("skipped: the group of a leader that is gone, which needs Linux 6.9: {error}");
                    return;
                }
            }
            until("nobody is left in it", || leader.signal_group(0).is_err());
            assert_eq!(errno(leader.signal_group(libc::SIGKILL)), libc::ESRCH);
        });
    }

    fn a_child_without_a_group_of_its_own_has_none_to_signal() {
        leaving_nothing(|| {
            let child = sleeper();
            assert_eq!(errno(child.signal_group(libc::SIGTERM)), libc::EINVAL);
            child.kill().unwrap();
            child.wait().unwrap();
        });
    }

    fn who_ends_when_asked_is_not_killed() {
        both_ways(|way| {
            let mut trapping = sh("trap 'exit 3' TERM; echo ready; while read word; do :; done");
            trapping.stdin(Redirect::Pipe).stdout(Redirect::Pipe);
            let child = way(trapping).spawn().unwrap();
            hear(&child);
            assert_eq!(child.terminate(LONG).unwrap().code(), Some(3));
            let child = way(run(&["true"])).spawn().unwrap();
            until("it has ended", || is_readable(&child));
            assert!(child.terminate(LONG).unwrap().success());
            assert!(child.terminate(LONG).unwrap().success());
        });
    }

    fn who_does_not_end_when_asked_is_killed_after_the_grace() {
        leaving_nothing(|| {
            let child = ready("trap '' TERM").group(Group::Own).spawn().unwrap();
            hear(&child);
            let (status, time) = timed(|| child.terminate(SHORT).unwrap());
            assert_eq!(status.signal(), Some(libc::SIGKILL));
            assert!(time >= SHORT);
        });
    }

    fn who_is_stopped_is_asked_as_well() {
        leaving_nothing(|| {
            let child = sleeper();
            child.signal(libc::SIGSTOP).unwrap();
            until("it is stopped", || state(child.id()) == Some('T'));
            assert_eq!(child.terminate(LONG).unwrap().signal(), Some(libc::SIGTERM));
        });
    }

    fn a_group_is_ended_with_its_leader() {
        leaving_nothing(|| {
            let (reader, writer) = unipc::pipe().unwrap();
            let child = sh("sleep 60 | sleep 60").stderr(writer).group(Group::Own).spawn().unwrap();
            assert!(!child.terminate(LONG).unwrap().success());
            assert_eq!(reader.read_by(&mut [0; 1], LONG).unwrap(), 0); // nobody holds the other end
        });
    }

    fn a_child_that_is_dropped_runs_on_and_is_no_zombie_afterwards() {
        both_ways(|way| {
            let (reader, writer) = unipc::pipe().unwrap();
            let (theirs, hold) = unipc::pipe().unwrap();
            let child = way(sh("read word; echo lived $word")).stdin(theirs).stdout(writer).spawn().unwrap();
            let pid = child.id();
            drop(child);
            assert!(state(pid).is_some_and(|state| state != 'Z'));
            hold.write(b"on\n").unwrap();
            let mut text = String::new();
            { &reader }.read_to_string(&mut text).unwrap();
            assert_eq!(text, "lived on\n");
            until("it is reaped", || state(pid).is_none());
        });
    }

    fn a_child_that_had_ended_is_reaped_by_the_drop() {
        leaving_nothing(|| {
            let child = run(&["true"]).spawn().unwrap();
            until("it has ended", || is_readable(&child));
            drop(child);
            assert!(!has_children() && !has_keeper());
        });
    }

    fn a_hundred_dropped_children_share_one_thread_that_ends_with_the_last() {
        leaving_nothing(|| {
            let (reader, writer) = unipc::pipe().unwrap();
            for n in 0..100 {
                let reader = reader.try_clone().unwrap();
                sh(&format!("read word; exit {n}")).stdin(reader).spawn().unwrap().detach();
            }
            let keepers = || {
                let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path().join("comm"));
                tasks.filter(|comm| std::fs::read_to_string(comm).is_ok_and(|name| name == "unipc-keeper\n")).count()
            };
            assert_eq!(keepers(), 1);
            drop(writer);
            drop(reader);
        });
    }

    fn dropping_while_others_are_dropped_loses_nobody() {
        leaving_nothing(|| {
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for n in 0..100 {
                            let child = run(&["true"]).spawn().unwrap();
                            if n % 3 == 0 {
                                child.wait().unwrap();
                            }
                        }
                    });
                }
            });
        });
    }

    fn the_ends_of_a_dropped_child_are_closed() {
        leaving_nothing(|| {
            let (reader, writer) = unipc::pipe().unwrap();
            let child = run(&["cat"]).stdin(Redirect::Pipe).stdout(writer).spawn().unwrap();
            drop(child); // its input ends, and so does it
            assert_eq!(reader.read_by(&mut [0; 1], LONG).unwrap(), 0);
        });
    }

    fn a_deadline_that_has_passed_still_finds_who_has_ended() {
        leaving_nothing(|| {
            let child = sh("exit 4").spawn().unwrap();
            until("it has ended", || is_readable(&child));
            assert_eq!(child.wait_by(Duration::ZERO).unwrap().code(), Some(4));
        });
    }
}
