//! Processes that have objects: this program in a role, which says "ready" and stays until it is killed.

use std::ffi::CStr;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use unipc::survey::{self, Object};
use unipc::{Engine, Fifo, Memory, Queue, Semaphore};

pub struct Peer {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts it and waits until it is ready.
    pub fn start(role: &str, arguments: &[&str]) -> Peer {
        let mut peer = Peer::begin(role, arguments);
        assert_eq!(peer.line(), "ready", "{role} {arguments:?}");
        peer
    }

    pub fn begin(role: &str, arguments: &[&str]) -> Peer {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("peer").arg(role).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Peer { child, out }
    }

    /// In a PID namespace of its own, where we may; with its number here.
    pub fn apart(role: &str, arguments: &[&str]) -> Option<(Peer, u32)> {
        let mut peer = Peer::begin("apart", &[&[role], arguments].concat());
        let (first, second) = (peer.line(), peer.line());
        // Two processes say them, in any order.
        let number = if first == "ready" { second } else { first };
        number.parse().ok().map(|number| (peer, number))
    }

    /// As [`start`](Self::start), by a thread that is not the process's first; the first has ended.
    pub fn start_headless(role: &str, arguments: &[&str]) -> Peer {
        let peer = Peer::start("headless", &[&[role], arguments].concat());
        crate::common::until("its first thread has ended", || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", peer.pid())).unwrap();
            status.contains("State:\tZ")
        });
        peer
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// All that it still says, when it has ended.
    pub fn rest(mut self) -> String {
        let mut text = String::new();
        self.out.read_to_string(&mut text).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {text}");
        text
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// As it died: when this returns all that the kernel does at a death is done.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends what other threads do meanwhile, also when this one fails.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

pub fn is_root() -> bool {
    unsafe { libc::geteuid() == 0 }
}

/// Whether deaths of makers can be known: not from inside a container, nor by who sees but a part.
pub fn sees_all() -> bool {
    survey::features().iter().any(|feature| feature.name == "all processes" && feature.present)
}

/// The one object of this name and kind.
pub fn only(name: &str) -> Object {
    let mut found = survey::find(name).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

static READY: AtomicBool = AtomicBool::new(false);

fn ready() {
    println!("ready");
    READY.store(true, Relaxed);
}

fn for_ever() -> ! {
    loop {
        unsafe { libc::pause() };
    }
}

pub fn shm(name: &str) -> Queue {
    Queue::options().engine(Engine::Shm).open(name).unwrap()
}

pub fn play(role: &str, arguments: &[&str]) {
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    match (role, arguments) {
        ("have", [what, name]) => have(what, name),
        ("make", [name]) => {
            let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(name).unwrap();
            queue.send(b"left behind", 1).unwrap();
            ready();
            for_ever()
        }
        ("make-and-close", [name]) => {
            drop(Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(name).unwrap());
            ready();
            for_ever()
        }
        ("take-part", [how, name]) => take_part(how, name),
        ("wait", [what, name]) => {
            ready();
            match *what {
                "semaphore" => Semaphore::open(name).unwrap().wait().unwrap(),
                "posix" => drop(Queue::open(name).unwrap().receive().unwrap()),
                "shm" => drop(shm(name).receive().unwrap()),
                "shm-full" => shm(name).send(b"one more", 0).unwrap(),
                _ => panic!("wait for {what}?"),
            }
        }
        ("watch", [how, name]) => watch(how, name),
        ("open-and-close", [name]) => open_and_close(name),
        ("judge-on-and-on", [name]) => {
            let objects = survey::find(name).unwrap();
            ready();
            loop {
                for object in &objects {
                    survey::verdict(object);
                }
                std::thread::sleep(std::time::Duration::from_micros(100));
            }
        }
        ("judge-short-of-descriptors", [name]) => judge_short_of_descriptors(name),
        ("apart", [role, rest @ ..]) => apart(role, rest),
        ("headless", [role, rest @ ..]) => headless(role, rest),
        ("tell-from-inside", [name]) => tell_from_inside(name),
        ("tell-listed", [name, place]) => tell_listed(name, place),
        ("tell-as-nobody", [name]) => {
            assert_eq!(unsafe { libc::setgroups(0, std::ptr::null()) | libc::setgid(65534) | libc::setuid(65534) }, 0);
            tell(name);
        }
        ("descriptor-in-flight", [path]) => descriptor_in_flight(path),
        ("churn", [prefix, seed]) => crate::storm::churn(prefix, seed.parse().unwrap()),
        _ => panic!("no role {role} {arguments:?}"),
    }
}

fn have(what: &str, name: &str) -> ! {
    // Kept by never returning.
    let _queue;
    let _memory;
    let _semaphore;
    let _end;
    match what {
        "posix" => _queue = Queue::open(name).unwrap(),
        "shm" => _queue = shm(name),
        "memory" => _memory = Memory::open(name).unwrap(),
        "semaphore" => _semaphore = Semaphore::open(name).unwrap(),
        "fifo" => _end = Fifo::open(name).unwrap().try_open_reader().unwrap(),
        _ => panic!("have {what}?"),
    }
    ready();
    for_ever()
}

fn take_part(how: &str, name: &str) -> ! {
    let queue = shm(name);
    // What is held as a loan is held until it is ended.
    match how {
        "borrow" => drop(queue.borrow().unwrap().into_loan()),
        "reserve" => drop(queue.reserve(8, 3).unwrap().into_loan()),
        "notify" => queue.notify_signal(libc::SIGURG, 0).unwrap(),
        _ => panic!("take part to {how}?"),
    }
    ready();
    for_ever()
}

/// Judges an object again and again, while another thread takes all descriptors and gives them back.
fn judge_short_of_descriptors(name: &str) {
    let object = only(name);
    let limit = libc::rlimit { rlim_cur: 16, rlim_max: 16 };
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Relaxed) {
                drop(std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect::<Vec<_>>());
            }
        });
        let _over = Over(&over);
        for _ in 0..1000 {
            let verdict = survey::verdict(&object);
            assert!(!matches!(verdict, survey::Verdict::Dead(_)), "{verdict:?}");
        }
    });
}

/// As another program does: it waits where it has to.
fn open_and_close(name: &str) -> ! {
    let name = std::ffi::CString::new(name).unwrap();
    ready();
    loop {
        let queue = unsafe { libc::mq_open(name.as_ptr(), libc::O_RDWR) };
        if queue >= 0 {
            unsafe { libc::mq_close(queue) };
        }
    }
}

fn watch(how: &str, name: &str) -> ! {
    let queue = Queue::open(name).unwrap();
    let (number, sends) = (std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(&queue)), how.contains("send"));
    ready();
    unsafe {
        if how.starts_with("poll") {
            let mut watched =
                libc::pollfd { fd: number, events: if sends { libc::POLLOUT } else { libc::POLLIN }, revents: 0 };
            libc::poll(&raw mut watched, 1, -1);
        } else {
            let epoll = libc::epoll_create1(0);
            let events = if sends { libc::EPOLLOUT } else { libc::EPOLLIN } as u32;
            let mut event = libc::epoll_event { events, u64: 0 };
            libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, number, &raw mut event);
            libc::epoll_wait(epoll, &raw mut event, 1, -1);
        }
    }
    panic!("woken");
}

/// Plays a role as process 1 of a PID namespace; says that process's number here.
fn apart(role: &str, rest: &[&str]) {
    if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
        return println!("no namespaces");
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut child = command.arg("peer").arg(role).args(rest).stdin(Stdio::null()).spawn().unwrap();
    println!("{}", child.id());
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}");
}

/// Plays a role by another thread, and ends the first when it is ready.
fn headless(role: &str, rest: &[&str]) -> ! {
    let role: Vec<String> = [&[role], rest].concat().into_iter().map(str::to_owned).collect();
    std::thread::spawn(move || {
        let role: Vec<&str> = role.iter().map(String::as_str).collect();
        play(role[0], &role[1..]);
    });
    while !READY.load(Relaxed) {
        std::thread::yield_now();
    }
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    unreachable!()
}

/// Looks as a container does: from a PID namespace with its own /proc.
fn tell_from_inside(name: &str) {
    let none: *const libc::c_char = std::ptr::null();
    let root = c"/".as_ptr();
    let (kind, place): (&CStr, &CStr) = (c"proc", c"/proc");
    let apart = unsafe {
        libc::unshare(libc::CLONE_NEWNS) == 0
            && libc::mount(none, root, none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) == 0
            && libc::mount(kind.as_ptr(), place.as_ptr(), kind.as_ptr(), 0, none.cast()) == 0
    };
    if apart { tell(name) } else { println!("no namespaces") }
}

/// Has the system's queues listed, which is this process's own affair; finds a queue there, and removes it.
fn tell_listed(name: &str, place: &str) {
    let none: *const libc::c_char = std::ptr::null();
    let (kind, place_c) = (c"mqueue", std::ffi::CString::new(place).unwrap());
    let mounted = unsafe {
        libc::unshare(libc::CLONE_NEWNS) == 0
            && libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) == 0
            && libc::mount(kind.as_ptr(), place_c.as_ptr(), kind.as_ptr(), 0, none.cast()) == 0
    };
    if !mounted {
        return println!("no namespaces");
    }
    let survey = survey::objects(&[survey::Kind::Queue]);
    assert!(!survey.unseen.iter().any(|what| what.contains("mqueue")), "{:?}", survey.unseen);
    let mut found = survey.objects.into_iter().find(|found| found.name == name).unwrap();
    assert_eq!(found.path, Some(std::path::Path::new(place).join(&name[1..])));
    found.refresh().unwrap();
    println!("{:?} {:?} {:?}", found.messages, found.bytes, found.openers.len());
    crate::judged::remove_unused(&found);
    assert_eq!(found.refresh().unwrap_err().errno(), libc::ENOENT);
    assert_eq!(found.remove().unwrap_err().errno(), libc::ENOENT);
}

/// What is said of an object and those who take part in it.
fn tell(name: &str) {
    let object = only(name);
    println!("{:?}", survey::verdict(&object));
    for participant in &object.participants {
        println!("{:?}", participant.life);
    }
    println!("unseen {}", survey::objects(&[survey::Kind::Queue]).unseen.join("; "));
}

/// Opens a file, puts the descriptor into a socket that nobody reads, and closes its own.
fn descriptor_in_flight(path: &str) -> ! {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut ends = [0; 2];
    assert_eq!(unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, ends.as_mut_ptr()) }, 0);
    let mut byte = [0u8];
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    let mut control = [0u64; 8];
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(4) as usize;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as usize;
        let number = std::os::fd::AsRawFd::as_raw_fd(&file);
        libc::CMSG_DATA(header).cast::<i32>().write_unaligned(number);
        assert_eq!(libc::sendmsg(ends[0], &raw const message, 0), 1);
    }
    drop(file);
    ready();
    for_ever()
}
