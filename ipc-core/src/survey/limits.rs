//! What this machine allows.

use super::scene::{SHM, partial};
use super::{Kind, objects, queues};
use crate::engine::Engine;
use crate::sys::{fs, kernel, mq, observe, proc};
use std::borrow::Cow;

/// A limit of this machine, or of this process on it.
///
/// ```
/// for limit in unipc::survey::limits() {
///     println!("{}: {:?} {}. {}", limit.name, limit.value, limit.unit, limit.about);
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limit {
    /// What the system calls it: `fs.mqueue.msg_max`, `RLIMIT_NOFILE`, `/dev/shm`.
    pub name: &'static str,
    /// `None`: there is no limit, or it could not be read, as `known` tells.
    pub value: Option<u64>,
    /// Whether it could be read.
    pub known: bool,
    /// How much of it is used now, where that can be told.
    pub used: Option<u64>,
    /// Whether more than that may be used: of `RLIMIT_MSGQUEUE` it is counted from the queues that are seen, and
    /// those that nobody has open are seen only where they are listed, in /dev/mqueue.
    pub at_least: bool,
    /// What is counted: "messages", "bytes".
    pub unit: &'static str,
    /// What it limits, in a sentence.
    pub about: &'static str,
    /// How it is changed, in a sentence.
    pub change: Cow<'static, str>,
}

/// Something that this machine has or lacks.
///
/// ```
/// for feature in unipc::survey::features() {
///     println!("{}: {}. {}", feature.name, if feature.present { "yes" } else { "no" }, feature.about);
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Feature {
    /// Its name: `futex_waitv(2)`, `/dev/mqueue`.
    pub name: &'static str,
    /// Whether it is there.
    pub present: bool,
    /// What it is for, and how it is without, in sentences.
    pub about: &'static str,
    /// How it is had, in a sentence; empty where it is a matter of the kernel's version alone, which `about` names.
    pub change: &'static str,
}

fn sysctl(name: &'static str, path: &str, unit: &'static str, about: &'static str, zero_is_none: bool) -> Limit {
    let found = fs::read_number(path);
    Limit {
        name,
        value: found.filter(|&number| !(zero_is_none && number == 0)),
        known: found.is_some(),
        used: None,
        at_least: false,
        unit,
        about,
        change: format!("as root: sysctl -w {name}=NUMBER").into(),
    }
}

/// What limits the objects of this process, and how each limit is changed.
///
/// Looks for queues as [`objects`] does, to count what is used. Does not wait.
///
/// ```
/// let limits = unipc::survey::limits();
/// assert!(limits.iter().any(|limit| limit.name == "RLIMIT_NOFILE" && limit.used > Some(2)));
/// ```
pub fn limits() -> Vec<Limit> {
    let queue =
        |name, file: &str, unit, about| sysctl(name, &format!("/proc/sys/fs/mqueue/{file}"), unit, about, false);
    let pipe = |name, file: &str, unit, about| sysctl(name, &format!("/proc/sys/fs/{file}"), unit, about, true);
    vec![
        queue(
            "fs.mqueue.queues_max",
            "queues_max",
            "queues",
            "How many queues of engine posix there can be in this IPC namespace, root's apart",
        ),
        queue(
            "fs.mqueue.msg_max",
            "msg_max",
            "messages",
            "How many messages a queue of engine posix can be made for, root's apart",
        ),
        queue(
            "fs.mqueue.msgsize_max",
            "msgsize_max",
            "bytes",
            "How long the messages of a queue of engine posix can be, root's apart",
        ),
        queue(
            "fs.mqueue.msg_default",
            "msg_default",
            "messages",
            "How many messages a queue of engine posix has that is made without a size",
        ),
        queue("fs.mqueue.msgsize_default", "msgsize_default", "bytes", "How long its messages are"),
        bytes_of_queues(),
        memory(),
        pipe(
            "fs.pipe-max-size",
            "pipe-max-size",
            "bytes",
            "How large the capacity of a pipe can be set without privilege",
        ),
        pipe(
            "fs.pipe-user-pages-soft",
            "pipe-user-pages-soft",
            "pages",
            "How much all pipes of a user can hold before new ones are made of two pages",
        ),
        pipe(
            "fs.pipe-user-pages-hard",
            "pipe-user-pages-hard",
            "pages",
            "How much all pipes of a user can hold before no new one can be made",
        ),
        descriptors(),
        files(),
        mappings(),
    ]
}

fn bytes_of_queues() -> Limit {
    let (soft, hard) = observe::limit(observe::Resource::Queues);
    let me = observe::user();
    let found = objects(&[Kind::Queue]).objects;
    let own = found.iter().filter(|queue| queue.engine == Engine::Posix && queue.uid == Some(me));
    let used =
        own.filter_map(|queue| Some(mq::counted_bytes(queue.max_messages? as usize, queue.message_size? as usize)));
    Limit {
        name: "RLIMIT_MSGQUEUE",
        value: soft,
        known: true,
        used: Some(u64::try_from(used.sum::<u128>()).unwrap_or(u64::MAX)),
        at_least: queues::places().is_empty(),
        unit: "bytes",
        about: "How much all queues of engine posix can hold that this user has made, full or not",
        change: raise("ulimit -q", hard),
    }
}

fn raise(command: &str, hard: Option<u64>) -> Cow<'static, str> {
    match hard {
        Some(hard) => {
            format!("{command} NUMBER, up to {hard}; beyond, in /etc/security/limits.conf or by the service manager")
                .into()
        }
        None => format!("{command} NUMBER").into(),
    }
}

fn memory() -> Limit {
    let space = observe::space(c"/dev/shm").ok();
    Limit {
        name: SHM,
        value: space.map(|(all, _)| all).filter(|&all| all > 0),
        known: space.is_some(),
        used: space.map(|(all, free)| all.saturating_sub(free)),
        at_least: false,
        unit: "bytes",
        about: "How much shared memory, semaphores and queues of engine shm can take together",
        change: "as root: mount -o remount,size=NUMBER /dev/shm; of a container, when it is started (--shm-size)"
            .into(),
    }
}

fn descriptors() -> Limit {
    let (soft, hard) = observe::limit(observe::Resource::Descriptors);
    let used = proc::descriptors(std::process::id(), |_| true).ok();
    Limit {
        name: "RLIMIT_NOFILE",
        value: soft,
        known: true,
        used: used.map(|open| open.len() as u64),
        at_least: false,
        unit: "descriptors",
        about: "How many descriptors this process can have: each end of a pipe and each queue is one",
        change: raise("ulimit -n", hard),
    }
}

fn files() -> Limit {
    let told = std::fs::read_to_string("/proc/sys/fs/file-nr").unwrap_or_default();
    let mut numbers = told.split_whitespace().map(str::parse::<u64>);
    let used = numbers.next().and_then(std::result::Result::ok);
    Limit {
        used,
        ..sysctl(
            "fs.file-max",
            "/proc/sys/fs/file-max",
            "files",
            "How many open files the whole machine can have",
            false,
        )
    }
}

fn mappings() -> Limit {
    let maps = std::fs::read_to_string("/proc/self/maps").ok();
    Limit {
        used: maps.map(|maps| maps.lines().count() as u64),
        ..sysctl(
            "vm.max_map_count",
            "/proc/sys/vm/max_map_count",
            "mappings",
            "How many mappings this process can have: memory and semaphores are one each, a queue of engine shm is one \
             and two more for each thread",
            false,
        )
    }
}

/// What the engines use of the kernel, and whether it is there; and where this process stands.
///
/// ```
/// let features = unipc::survey::features();
/// assert!(features.iter().any(|feature| feature.name == "robust futexes"));
/// ```
pub fn features() -> Vec<Feature> {
    let initial = |kind| proc::namespace("self", kind).is_some_and(|number| proc::is_initial(kind, number));
    vec![
        Feature {
            name: "/dev/mqueue",
            present: !queues::places().is_empty(),
            about: "Lists the queues of engine posix; without it those that no process has open cannot be listed, \
                    though used and removed by name they can be",
            change: "as root: mkdir -p /dev/mqueue && mount -t mqueue none /dev/mqueue",
        },
        Feature {
            name: SHM,
            present: observe::facts(c"/dev/shm", true).is_ok(),
            about: "Holds shared memory, semaphores and queues of engine shm; without it there are none",
            change: "as root: mkdir -m 1777 -p /dev/shm && mount -t tmpfs none /dev/shm",
        },
        Feature {
            name: "/proc",
            present: fs::has_proc(),
            about: "Tells who has what open; without it a survey sees objects only, and FIFOs cannot be opened",
            change: "as root: mount -t proc none /proc",
        },
        Feature {
            name: "all processes",
            present: partial().is_empty(),
            about: "Whether /proc shows every process of the machine: only then can it be said of a maker that it is \
                    gone",
            change: "look from the initial PID namespace, as root, with a /proc mounted without hidepid",
        },
        Feature {
            name: "leases",
            present: fs::read_number("/proc/sys/fs/leases-enable") == Some(1),
            about: "Prove that nobody has an object (fcntl(2), F_SETLEASE); without, nothing can be said to be dead",
            change: "as root: sysctl -w fs.leases-enable=1",
        },
        Feature {
            name: "robust futexes",
            present: observe::has_robust_lists(),
            about: "Tell of deaths; engine shm does not work without (EOPNOTSUPP)",
            change: "",
        },
        Feature {
            name: "futex_waitv(2)",
            present: kernel::waits_for_any(),
            about: "Lets who sleeps at a queue of engine shm be woken by the death of those whom it waits for \
                    (Linux 5.16); without, it looks every 50 ms",
            change: "",
        },
        Feature {
            name: "wakes for the dead",
            present: kernel::wakes_for_the_dead(),
            about: "The kernel wakes a sleeper in a dead thread's place although others sleep too (Linux 6.2); \
                    without, sleepers at queues of engine shm look every 50 ms",
            change: "",
        },
        Feature {
            name: "RWF_NOSIGNAL",
            present: observe::has_nosignal(),
            about: "Writes to a pipe without SIGPIPE in one system call (Linux 6.18); without, it takes four where \
                    SIGPIPE would kill",
            change: "",
        },
        Feature {
            name: "pidfd_getfd(2)",
            present: observe::has_borrowing(),
            about: "Tells how much is in another process's pipe (Linux 5.6); without, it is not told",
            change: "",
        },
        Feature {
            name: "the machine's PID namespace",
            present: initial("pid"),
            about: "Otherwise only the processes of this container are seen, and their numbers are its own",
            change: "",
        },
        Feature {
            name: "the machine's IPC namespace",
            present: initial("ipc"),
            about: "Otherwise the queues of engine posix are those of this container",
            change: "",
        },
        Feature {
            name: "the machine's user namespace",
            present: initial("user"),
            about: "Otherwise root is root in this container only, and limits that only root of the machine exceeds \
                    hold for it",
            change: "",
        },
    ]
}
