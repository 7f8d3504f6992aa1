//! What the kernel refuses: rights, limits, space. Most needs root, to become somebody else.

use crate::common::{Scratch, mode_of};
use crate::{play, play_as_root, printed};
use unipc::{Fifo, Memory, Queue, Semaphore};

fn make_all(scratch: &Scratch, mode: u32) {
    Fifo::options().exact_mode(mode).create(scratch.path()).unwrap();
    Queue::options().max_messages(1).message_size(8).exact_mode(mode).create(scratch.name()).unwrap();
    Memory::options().size(1).exact_mode(mode).create(scratch.name()).unwrap();
    Semaphore::options().exact_mode(mode).create(scratch.name()).unwrap();
}

crate::promises! {
    fn another_user_is_refused_where_the_mode_forbids() {
        let scratch = Scratch::new();
        make_all(&scratch, 0o600);
        let path = scratch.path();
        let arguments = [scratch.name(), path.to_str().unwrap()];
        let Some(errnos) = play_as_root("another user is refused", "open-as-nobody", &arguments) else { return };
        let (access, permission) = (libc::EACCES, libc::EPERM);
        assert_eq!(errnos, format!("[{access}, {access}, {access}, {access}, {permission}, {permission}]"));
    }

    fn another_user_is_served_where_the_mode_allows() {
        let scratch = Scratch::new();
        make_all(&scratch, 0o666);
        play_as_root("another user is served", "use-as-nobody", &[scratch.name(), scratch.path().to_str().unwrap()]);
    }

    fn an_exact_mode_holds_under_a_strict_umask() {
        let scratch = Scratch::new();
        play("modes-under-a-strict-umask", &[scratch.name(), scratch.path().to_str().unwrap()]);
        let file = &scratch.name()[1..];
        assert_eq!(mode_of(scratch.path()), 0o666);
        assert_eq!(mode_of(format!("/dev/shm/{file}")), 0o666);
        assert_eq!(mode_of(format!("/dev/shm/sem.{file}")), 0o666);
        let queue = std::os::fd::AsFd::as_fd(&Queue::open(scratch.name()).unwrap()).try_clone_to_owned().unwrap();
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::File::from(queue).metadata().unwrap().permissions().mode() & 0o777, 0o666);
    }

    fn a_refused_queue_names_the_limit_its_value_and_the_way_out() {
        let what = "the limits of an ordinary user";
        let Some(causes) = play_as_root(what, "queue-refusals-as-nobody", &["/refused"]) else { return };
        assert_eq!(causes.lines().collect::<Vec<_>>(), [
            "11 messages exceed fs.mqueue.msg_max=10; raise it with 'sysctl fs.mqueue.msg_max=11' as root",
            "messages of 9000 bytes exceed fs.mqueue.msgsize_max=8192; raise it with 'sysctl fs.mqueue.msgsize_max=9000' as root",
            "4 messages of 2000 bytes count as 8384 bytes, and with this user's other queues they exceed \
             RLIMIT_MSGQUEUE=5000; unlink queues, ask for less, or raise it with 'ulimit -q'",
            "the system is at fs.mqueue.queues_max=2; unlink queues or raise it with sysctl as root",
        ]);
    }

    fn a_full_file_system_is_an_error_at_creation_and_not_a_crash_later() {
        let Some(cause) = play_as_root("a full file system", "fill-a-small-file-system", &["/half"]) else { return };
        assert_eq!(cause, "no space for 614400 bytes: its file system has 524288 free; remove objects there or make it larger");
    }

    fn more_memory_than_the_machine_has_is_refused_before_it_is_taken() {
        assert_eq!(play("ask-for-too-much-memory", &[]), "refused");
    }

    fn all_but_fifos_work_without_proc() {
        let scratch = Scratch::new();
        let path = scratch.path();
        let arguments = [scratch.name(), path.to_str().unwrap()];
        let Some(said) = play_as_root("working without /proc", "work-without-proc", &arguments) else { return };
        assert_eq!(said, "worked");
    }

    fn running_out_of_descriptors_is_told_as_such() {
        use std::os::unix::process::CommandExt;
        let scratch = Scratch::new();
        let mut command = crate::peer("run-out-of-descriptors", &[scratch.name()]);
        let limit = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
        let lower = move || match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        };
        unsafe { command.pre_exec(lower) };
        let text = printed(command.output().unwrap());
        let told = "the process is at its limit of open descriptors (RLIMIT_NOFILE)";
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with(&format!("create pipe: {told}")), "{text}");
        assert_eq!(lines[1..], ["24", told, "24"]);
    }
}
