//! Hosts in odd states: without standard streams, ignoring SIGCHLD, forked, dying.

use crate::common::{SHORT, errno, until};
use crate::traces::leaving_nothing;
use crate::{LONG, both_ways, host, run, said, sh};
use std::fmt::Write;
use std::os::fd::{AsFd, AsRawFd};
use unipc::{Child, Command, Deadline, PipeReader, Redirect};

pub fn play(role: &str, arguments: &[&str]) {
    unsafe { libc::alarm(55) }; // one that hangs ends before its test does
    match (role, arguments) {
        ("descriptors", []) => println!("{}", descriptors()),
        ("start-without-streams", [tied]) => start_without_streams(*tied == "tied"),
        ("ignore-sigchld", [flag]) => ignore_sigchld(*flag == "no-wait"),
        ("reap-everybody", []) => reap_everybody(),
        ("start-in-a-forked-child", []) => start_in_a_forked_child(),
        ("wait-in-a-forked-child", []) => wait_in_a_forked_child(),
        ("fork-among-starts", []) => fork_among_starts(),
        ("tie-and-stay", []) => tie_and_stay(),
        ("tie-and-end", []) => drop(tied("sleep", &["60"])),
        ("tie-from-a-thread-that-ends", []) => tie_from_a_thread_that_ends(),
        _ => panic!("no such role: {role} {arguments:?}"),
    }
}

fn descriptors() -> String {
    let listing = std::fs::read_dir("/proc/self/fd").unwrap();
    let mut numbers: Vec<i32> =
        listing.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    numbers.retain(|&number| unsafe { libc::fcntl(number, libc::F_GETFD) } != -1); // not the listing's own
    numbers.sort_unstable();
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn ways(tied: bool, mut command: Command) -> Command {
    if tied {
        command.dies_with_parent(libc::SIGKILL);
    }
    command
}

/// Standard streams that are closed here: a file takes what is to be said.
fn start_without_streams(tied: bool) {
    let mut report = String::new();
    for number in 0..3 {
        unsafe { libc::close(number) };
    }
    // Inherited: closed there, too.
    let line = "for n in 0 1 2; do test -e /proc/$$/fd/$n && exit 1; done; exit 0";
    writeln!(report, "inherited: {}", ways(tied, sh(line)).spawn().unwrap().wait().unwrap()).unwrap();
    // Pipes are made above 2, and arrive at 0 to 2.
    let mut cat = sh("cat; echo oh >&2");
    cat.stdin(Redirect::Pipe).stdout(Redirect::Pipe).stderr(Redirect::Stdout);
    let mut child = ways(tied, cat).spawn().unwrap();
    child.stdin.take().unwrap().write(b"through ").unwrap();
    let mut buffer = [0; 32];
    let count = child.stdout.as_ref().unwrap().read_full(&mut buffer, Deadline::NEVER).unwrap();
    write!(report, "{} {}", String::from_utf8_lossy(&buffer[..count]), child.wait().unwrap()).unwrap();
    // Standard error that is to follow a closed standard output.
    let mut merged = sh("exit 0");
    merged.stderr(Redirect::Stdout);
    writeln!(report, "\nmerged: {}", ways(tied, merged).spawn().unwrap_err()).unwrap();
    // What lies at 0 to 2 here arrives crosswise.
    let (reader, writer) = unipc::pipe().unwrap();
    writer.write(b"crosswise").unwrap();
    drop(writer);
    let (from, to) = unipc::pipe().unwrap();
    let low = |what: &dyn AsRawFd, number: i32| {
        assert_eq!(unsafe { libc::dup3(what.as_raw_fd(), number, libc::O_CLOEXEC) }, number);
        unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(number) }
    };
    let (out, input) = (low(&to, 0), low(&reader, 1));
    drop((to, reader));
    let mut cat = run(&["cat"]);
    cat.stdin(input).stdout(out);
    ways(tied, cat).spawn().unwrap().wait().unwrap();
    let count = from.read_full(&mut buffer, Deadline::NEVER).unwrap();
    write!(report, "{}", String::from_utf8_lossy(&buffer[..count])).unwrap();
    std::fs::write(std::env::var_os("UNIPC_REPORT").unwrap(), report).unwrap();
}

fn is_readable(child: &Child) -> bool {
    let mut entry = libc::pollfd { fd: child.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    unsafe { libc::poll(&raw mut entry, 1, 0) == 1 }
}

/// No wait hangs, and each says that the status is lost.
fn ignore_sigchld(by_flag: bool) {
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = if by_flag { libc::SIG_DFL } else { libc::SIG_IGN };
    action.sa_flags = if by_flag { libc::SA_NOCLDWAIT } else { 0 };
    unsafe { libc::sigaction(libc::SIGCHLD, &raw const action, std::ptr::null_mut()) };
    for _ in 0..50 {
        let children = [(); 3].map(|()| run(&["true"]).spawn().unwrap());
        assert_eq!(errno(children[0].wait()), libc::ECHILD);
        assert_eq!(errno(children[1].wait_by(LONG)), libc::ECHILD);
        until("it has ended", || is_readable(&children[2]));
        assert_eq!(errno(children[2].try_wait()), libc::ECHILD);
        assert_eq!(errno(children[2].signal(libc::SIGTERM)), libc::ESRCH);
    }
    let running = run(&["sleep", "60"]).spawn().unwrap();
    assert!(running.wait_by(SHORT).unwrap_err().timed_out());
    running.kill().unwrap();
    assert_eq!(errno(running.terminate(SHORT)), libc::ECHILD);
    run(&["sleep", "0.1"]).spawn().unwrap().detach();
    assert_eq!(errno(run(&["/no/such/program"]).spawn()), libc::ENOENT);
    let mut tied = run(&["/no/such/program"]);
    assert_eq!(errno(tied.dies_with_parent(9).spawn()), libc::ENOENT);
    println!("{}", run(&["true"]).spawn().unwrap().wait().unwrap_err());
}

fn reap_everybody() {
    let child = sh("exit 3").spawn().unwrap();
    assert_eq!(unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) }, child.id());
    assert_eq!(errno(child.signal(libc::SIGKILL)), libc::ESRCH);
    assert_eq!(errno(child.wait_by(LONG)), libc::ECHILD);
    println!("{}", child.wait().unwrap_err());
}

/// Runs in a child made by fork, and gives back its exit status.
fn forked(work: impl FnOnce()) -> i32 {
    let child = unsafe { libc::fork() };
    if child == 0 {
        unsafe { libc::alarm(50) };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        unsafe { libc::_exit(i32::from(outcome.is_err())) };
    }
    let mut status = 0;
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    status
}

fn start_in_a_forked_child() {
    // The parent has the thread; the child must get one of its own.
    let held = run(&["sleep", "60"]).dies_with_parent(libc::SIGKILL).spawn().unwrap();
    run(&["sleep", "0.2"]).spawn().unwrap().detach();
    let status = forked(|| {
        leaving_nothing_new(|| {
            assert!(run(&["true"]).spawn().unwrap().wait().unwrap().success());
            assert!(run(&["true"]).dies_with_parent(9).spawn().unwrap().wait_by(LONG).unwrap().success());
            run(&["sleep", "0.1"]).spawn().unwrap().detach();
        });
    });
    assert_eq!(status, 0);
    assert_eq!(held.try_wait().unwrap(), None);
    println!("done");
}

fn leaving_nothing_new(case: impl FnOnce()) {
    case();
    until("no child is left", || !crate::traces::has_children());
}

fn wait_in_a_forked_child() {
    let child = run(&["sleep", "60"]).spawn().unwrap();
    let status = forked(|| {
        assert_eq!(errno(child.wait()), libc::ECHILD);
        assert_eq!(errno(child.try_wait()), libc::ECHILD);
    });
    assert_eq!(status, 0);
    assert_eq!(child.try_wait().unwrap(), None);
    child.kill().unwrap();
    child.wait().unwrap();
    println!("done");
}

/// Forks while other threads start and abandon children: whatever lock they hold, the forked one can do it too.
fn fork_among_starts() {
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    run(&["sleep", "0.01"]).dies_with_parent(9).spawn().unwrap().detach();
                }
            });
        }
        for _ in 0..100 {
            // Only what fork leaves whole is used: no allocator of another thread's is needed by glibc's own.
            assert_eq!(forked(|| run(&["true"]).dies_with_parent(9).spawn().unwrap().detach()), 0);
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    println!("done");
}

fn tied(program: &str, arguments: &[&str]) -> Child {
    Command::new(program).args(arguments).stdout(Redirect::Inherit).dies_with_parent(libc::SIGTERM).spawn().unwrap()
}

fn tie_and_stay() {
    let _children = [tied("sleep", &["60"]), tied("sleep", &["60"])];
    println!("tied");
    unsafe { libc::pause() };
}

fn tie_from_a_thread_that_ends() {
    let child = std::thread::spawn(|| tied("sleep", &["60"])).join().unwrap();
    std::thread::sleep(SHORT);
    assert_eq!(child.try_wait().unwrap(), None);
    println!("lives");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A host, and a pipe that ends when it and all its descendants are gone.
fn watched(role: &str) -> (Child, PipeReader) {
    let (reader, writer) = unipc::pipe().unwrap();
    (host(role, &[]).stdout(writer).spawn().unwrap(), reader)
}

crate::promises! {
    fn a_host_without_standard_streams_starts_what_others_start() {
        let scratch = crate::common::Scratch::new();
        for way in ["plain", "tied"] {
            let mut command = host("start-without-streams", &[way]);
            command.env("UNIPC_REPORT", scratch.path());
            leaving_nothing(|| command.spawn().unwrap().wait().unwrap());
            let report = std::fs::read_to_string(scratch.path()).unwrap();
            assert_eq!(
                report,
                "inherited: exited with 0\nthrough oh\n exited with 0\n\
                 merged: spawn /bin/sh: its standard output, which standard error was to follow, is closed\ncrosswise"
            );
            std::fs::remove_file(scratch.path()).unwrap();
        }
    }

    fn a_host_that_ignores_sigchld_is_told_that_statuses_are_lost_and_hangs_nowhere() {
        for how in ["ignored", "no-wait"] {
            let text = leaving_nothing(|| said(host("ignore-sigchld", &[how])));
            assert_eq!(
                text,
                "wait for true: its status is lost: this process ignores SIGCHLD, or waited for it by other means, \
                 or is not its parent\n"
            );
        }
    }

    fn a_host_that_reaps_everybody_is_told_that_the_status_is_lost() {
        let text = leaving_nothing(|| said(host("reap-everybody", &[])));
        assert!(text.starts_with("wait for /bin/sh: its status is lost"), "{text}");
    }

    fn a_forked_host_starts_and_abandons_children_of_its_own() {
        assert_eq!(leaving_nothing(|| said(host("start-in-a-forked-child", &[]))), "done\n");
    }

    fn a_forked_host_is_no_parent_of_what_its_parent_started() {
        assert_eq!(leaving_nothing(|| said(host("wait-in-a-forked-child", &[]))), "done\n");
    }

    fn a_fork_at_any_moment_leaves_a_host_that_can_start_children() {
        assert_eq!(leaving_nothing(|| said(host("fork-among-starts", &[]))), "done\n");
    }

    fn children_that_are_tied_die_when_their_parent_is_killed() {
        leaving_nothing(|| {
            let (parent, reader) = watched("tie-and-stay");
            let mut buffer = [0; 8];
            assert_eq!(reader.read_full(&mut buffer[..5], LONG).unwrap(), 5);
            assert!(reader.read_by(&mut buffer, SHORT).unwrap_err().timed_out()); // all of them live
            parent.kill().unwrap();
            parent.wait().unwrap();
            assert_eq!(reader.read_by(&mut buffer, LONG).unwrap(), 0); // none of them does
        });
    }

    fn children_that_are_tied_die_when_their_parent_ends() {
        leaving_nothing(|| {
            let (parent, reader) = watched("tie-and-end");
            assert!(parent.wait_by(LONG).unwrap().success());
            assert_eq!(reader.read_by(&mut [0; 8], LONG).unwrap(), 0);
        });
    }

    fn children_that_are_tied_outlive_the_thread_that_started_them() {
        assert_eq!(leaving_nothing(|| said(host("tie-from-a-thread-that-ends", &[]))), "lives\n");
    }

    fn a_tied_child_is_waited_for_as_any_other() {
        both_ways(|way| {
            let child = way(sh("exit 6")).spawn().unwrap();
            assert_eq!(child.wait_by(LONG).unwrap().code(), Some(6));
        });
    }
}
