//! The roles. Each runs in a process of its own with one thread, so it may fork, change its mask,
//! its user or its mounts.

use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Duration;
use unipc::{Deadline, Fifo, Memory, PipeReader, PipeWriter, Queue, Semaphore};

const LONG: Duration = Duration::from_secs(50);

pub fn play(role: &str, arguments: &[&str]) {
    unsafe { libc::alarm(55) }; // a peer that hangs ends before its test does
    match (role, arguments) {
        ("echo-over-inherited-ends", [reader, writer]) => {
            let end = |number: &str| unsafe { OwnedFd::from_raw_fd(number.parse().unwrap()) };
            let (reader, writer) =
                (PipeReader::from_fd(end(reader)).unwrap(), PipeWriter::from_fd(end(writer)).unwrap());
            let mut buffer = [0; 64];
            let count = reader.read(&mut buffer).unwrap();
            writer.write(&buffer[..count].to_ascii_uppercase()).unwrap();
        }
        ("outlive-the-first-thread", [name, path]) => outlive_the_first_thread(name, path),
        ("list-descriptors", []) => println!("{}", descriptors()),
        ("exec-among-open-objects", [name, path]) => exec_among_open_objects(name, path),
        ("fifo-write", [path, text]) => {
            Fifo::open(path).unwrap().open_writer_by(LONG).unwrap().write(text.as_bytes()).unwrap();
        }
        ("queue-send", [name, priority, texts @ ..]) => {
            let queue = Queue::open(name).unwrap();
            for text in texts {
                queue.send_by(text.as_bytes(), priority.parse().unwrap(), LONG).unwrap();
            }
        }
        ("queue-receive-for-ever", [name]) => {
            let queue = Queue::open(name).unwrap();
            say("waiting");
            loop {
                queue.receive().unwrap();
            }
        }
        ("queue-receive-one", [name]) => {
            let queue = Queue::open(name).unwrap();
            say("waiting");
            println!("{}", String::from_utf8(queue.receive_by(LONG).unwrap().data).unwrap());
        }
        ("queue-create-and-stay", [name]) => {
            let queue = Queue::options().max_messages(2).message_size(64).create(name).unwrap();
            queue.send(b"from the creator", 1).unwrap();
            say("created");
            stay();
        }
        ("memory-create-and-stay", [name]) => {
            let memory = Memory::create(name, 4096).unwrap();
            memory.write_at(7, b"from the creator").unwrap();
            say("created");
            stay();
        }
        ("semaphore-take-and-stay", [name]) => {
            Semaphore::open(name).unwrap().wait().unwrap();
            say("taken");
            stay();
        }
        ("semaphore-wait-and-stay", [name]) => {
            let semaphore = Semaphore::open(name).unwrap();
            say("waiting");
            semaphore.wait().unwrap();
        }
        ("count", [semaphore, memory, rounds]) => {
            let (semaphore, memory) = (Semaphore::open(semaphore).unwrap(), Memory::open(memory).unwrap());
            for _ in 0..rounds.parse().unwrap() {
                let _permit = semaphore.acquire().unwrap();
                let mut number = [0; 8];
                memory.read_at(0, &mut number).unwrap();
                memory.write_at(0, &(u64::from_ne_bytes(number) + 1).to_ne_bytes()).unwrap();
            }
        }
        ("write-without-reader-under-default-sigpipe", []) => write_without_reader(),
        ("write-without-reader-on-an-old-kernel", []) => {
            refuse_pwritev2();
            write_without_reader();
        }
        ("keep-a-pending-sigpipe", []) => keep_a_pending_sigpipe(),
        ("anonymous-memory-across-fork", []) => anonymous_memory_across_fork(),
        ("pipe-across-fork", []) => pipe_across_fork(),
        ("queue-across-fork", [name]) => queue_across_fork(name),
        ("notify-by-signal", [name]) => notify_by_signal(name),
        ("notification-of-another-process", [name]) => {
            let error = Queue::open(name).unwrap().notify_callback(|| ()).unwrap_err();
            println!("{}", error.cause());
        }
        ("redirect", []) => redirect(),
        ("modes-under-a-strict-umask", [name, path]) => {
            unsafe { libc::umask(0o077) };
            Fifo::options().exact_mode(0o666).create(path).unwrap();
            Queue::options().max_messages(1).message_size(8).exact_mode(0o666).create(name).unwrap();
            Memory::options().size(1).exact_mode(0o666).create(name).unwrap();
            Semaphore::options().exact_mode(0o666).create(name).unwrap();
        }
        ("open-as-nobody", [name, path]) => {
            become_nobody();
            let causes = [
                Fifo::open(path).unwrap().try_open_reader().unwrap_err(),
                Queue::open(name).unwrap_err(),
                Memory::open(name).unwrap_err(),
                Semaphore::open(name).unwrap_err(),
                Queue::unlink(name).unwrap_err(),
                Memory::unlink(name).unwrap_err(),
            ];
            println!("{:?}", causes.map(|error| error.errno()));
        }
        ("use-as-nobody", [name, path]) => {
            become_nobody();
            Fifo::open(path).unwrap().try_open_reader().unwrap();
            Queue::open(name).unwrap().send(b"x", 0).unwrap();
            Memory::open(name).unwrap().write_at(0, b"x").unwrap();
            Semaphore::open(name).unwrap().post().unwrap();
        }
        ("queue-refusals-as-nobody", [name]) => queue_refusals(name),
        ("fill-a-small-file-system", [name]) => fill_a_small_file_system(name),
        ("ask-for-too-much-memory", []) => ask_for_too_much_memory(),
        ("work-without-proc", [name, path]) => work_without_proc(name, path),
        ("fork-among-callbacks", [name]) => fork_among_callbacks(name),
        ("live-without-standard-streams", [name]) => live_without_standard_streams(name),
        ("leak-nothing", [name, path]) => leak_nothing(name, path),
        ("run-out-of-descriptors", [name]) => run_out_of_descriptors(name),
        _ => panic!("no role {role} with {} arguments", arguments.len()),
    }
}

fn say(line: &str) {
    println!("{line}");
    std::io::stdout().flush().unwrap();
}

fn stay() -> ! {
    loop {
        std::thread::sleep(LONG);
    }
}

fn default_sigpipe() {
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

/// Rust programs ignore SIGPIPE; a C host does not.
fn write_without_reader() {
    default_sigpipe();
    let (reader, writer) = unipc::pipe().unwrap();
    let (source, into_source) = unipc::pipe().unwrap();
    into_source.write(b"spliced").unwrap();
    drop(reader);
    let mut errnos = [
        writer.write(b"x").unwrap_err(),
        writer.try_write(b"x").unwrap_err(),
        writer.write_by(b"x", LONG).unwrap_err(),
        writer.write_full(&vec![0; 100_000], Deadline::NEVER).unwrap_err(),
        writer.splice_from(&source, 9, Deadline::NEVER).unwrap_err(),
        source.splice_to(&writer, 9, Deadline::NEVER).unwrap_err(),
        source.tee(&writer, 9, Deadline::NEVER).unwrap_err(),
        unsafe { writer.vmsplice(b"static", Deadline::NEVER) }.unwrap_err(),
    ]
    .map(|error| error.errno())
    .to_vec();
    errnos.dedup();

    // The reader takes some of a long write and leaves: the kernel raises the signal, and says how
    // much went.
    let (reader, writer) = unipc::pipe().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut some = vec![0; 65_536];
            reader.read_full(&mut some, LONG).unwrap();
            std::thread::sleep(Duration::from_millis(20));
        });
        let data = vec![0; 1 << 20];
        assert!(writer.write(&data).map_or_else(|error| error.errno() == libc::EPIPE, |count| count < data.len()));
        errnos.push(writer.write_full(&data, Deadline::NEVER).unwrap_err().errno());
    });
    errnos.dedup();
    println!("{errnos:?}");
}

/// A seccomp filter by which pwritev2(2), and with it RWF_NOSIGNAL, is not there.
fn refuse_pwritev2() {
    let instruction = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let program = [
        instruction((libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, 0, 0, 0), // the number of the call
        instruction((libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, 0, 1, libc::SYS_pwritev2 as u32),
        instruction((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EOPNOTSUPP as u32),
        instruction((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter), 0);
    }
}

/// A SIGPIPE that the host has pending, and blocked, is not ours to take.
fn keep_a_pending_sigpipe() {
    refuse_pwritev2();
    default_sigpipe();
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    let pending = || unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigpending(&raw mut set);
        libc::sigismember(&raw const set, libc::SIGPIPE) == 1
    };
    unsafe {
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
    let (reader, writer) = unipc::pipe().unwrap();
    drop(reader);
    assert_eq!(writer.write(b"x").unwrap_err().errno(), libc::EPIPE);
    assert!(!pending(), "our own is taken back");
    unsafe { libc::raise(libc::SIGPIPE) };
    assert_eq!(writer.write(b"x").unwrap_err().errno(), libc::EPIPE);
    assert!(pending(), "the host's stays");
    println!("kept");
}

/// Forks; the child runs `child` and ends, and its exit status is checked.
fn forked(child: impl FnOnce()) {
    match unsafe { libc::fork() } {
        -1 => panic!("fork"),
        0 => {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
            unsafe { libc::_exit(outcome.is_err().into()) };
        }
        pid => {
            let mut status = -1;
            assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
            assert_eq!(status, 0);
        }
    }
}

fn anonymous_memory_across_fork() {
    let shared = Memory::anonymous(4096).unwrap();
    let private = Memory::options().size(4096).sharing(unipc::memory::Sharing::Private).anonymous().unwrap();
    let semaphore = Semaphore::init_in(&shared, 1024, 0).unwrap();
    forked(|| {
        shared.write_at(0, b"child").unwrap();
        private.write_at(0, b"child").unwrap();
        semaphore.post().unwrap();
    });
    semaphore.wait_by(LONG).unwrap();
    let mut seen = [[0; 5]; 2];
    shared.read_at(0, &mut seen[0]).unwrap();
    private.read_at(0, &mut seen[1]).unwrap();
    assert_eq!(seen, [*b"child", [0; 5]]);
    println!("shared seen, private not");
}

fn pipe_across_fork() {
    let (mut reader, writer) = unipc::pipe().unwrap();
    let _ = reader.try_read(&mut [0; 1]); // the timed machinery is inherited too
    let _ = writer.write_by(b"parent ", LONG);
    let mut text = String::new();
    let mut writer = Some(writer);
    forked(|| {
        let writer = writer.take().unwrap();
        writer.write_by(b"child", LONG).unwrap();
        writer.try_write(b"!").unwrap();
    });
    drop(writer);
    reader.read_to_string(&mut text).unwrap(); // ends: both processes have closed their writers
    println!("{text}");
}

/// Nobody else starts programs here, so what a child finds open it has from us.
/// What is made and opened when the thread that began the process is gone, and with it what /proc shows of it.
fn outlive_the_first_thread(name: &str, path: &str) -> ! {
    let (name, path) = (name.to_owned(), path.to_owned());
    std::thread::spawn(move || {
        while std::fs::read_dir("/proc/self/fd").is_ok_and(|mut descriptors| descriptors.next().is_some()) {
            std::thread::yield_now();
        }
        let queue = Queue::options().engine(unipc::Engine::Shm).create(&name).unwrap();
        let fifo = Fifo::options().mode(0o640).create(&path).unwrap();
        let writer = std::thread::spawn(move || fifo.open_writer_by(LONG).unwrap().write(b"through").unwrap());
        let mut buffer = [0; 7];
        Fifo::open(&path).unwrap().open_reader_by(LONG).unwrap().read_full(&mut buffer, LONG).unwrap();
        writer.join().unwrap();
        queue.send(&buffer, 0).unwrap();
        println!("{}", String::from_utf8(queue.receive().unwrap().data).unwrap());
        std::process::exit(0)
    });
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    unreachable!()
}

fn exec_among_open_objects(name: &str, path: &str) {
    let before = crate::play("list-descriptors", &[]);
    let (reader, writer) = unipc::pipe().unwrap();
    let _ = (reader.try_read(&mut [0; 1]), writer.try_write(b"x"));
    let fifo = Fifo::create(path).unwrap();
    let _end = fifo.try_open_reader().unwrap();
    let queue = Queue::options().max_messages(1).message_size(8).create(name).unwrap();
    queue.notify_callback(|| ()).unwrap();
    let _memory = Memory::create(name, 1).unwrap();
    let _memfd = Memory::options().size(1).memfd("m").unwrap();
    let _semaphore = Semaphore::create(name, 1).unwrap();
    assert_eq!(crate::play("list-descriptors", &[]), before);
    reader.set_inheritable(true).unwrap();
    assert_ne!(crate::play("list-descriptors", &[]), before);
    println!("closed");
}

fn queue_across_fork(name: &str) {
    let queue = Queue::open(name).unwrap();
    forked(|| queue.send(b"from the child", 4).unwrap());
    println!("{}", String::from_utf8(queue.receive_by(LONG).unwrap().data).unwrap());
}

fn notify_by_signal(name: &str) {
    static mut SEEN: (i32, usize) = (0, 0);
    unsafe extern "C" fn handler(_: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        unsafe { SEEN = ((*info).si_code, (*info).si_value().sival_ptr.addr()) };
    }
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO;
    unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
    let queue = Queue::open(name).unwrap();
    queue.notify_signal(libc::SIGUSR1, 42).unwrap();
    say("registered");
    crate::common::until("the signal came", || unsafe { SEEN.1 } != 0);
    let (code, value) = unsafe { SEEN };
    println!("code {code} value {value}");
}

fn redirect() {
    use unipc::pipe::Stdio;
    let (reader, writer) = unipc::pipe().unwrap();
    let redirection = writer.redirect(Stdio::Out).unwrap();
    say("into the pipe");
    std::process::Command::new("echo").arg("and the child's").status().unwrap();
    redirection.restore().unwrap();
    let mut buffer = [0; 64];
    let count = reader.read(&mut buffer).unwrap();
    assert_eq!(&buffer[..count], b"into the pipe\nand the child's\n");

    // A stream that was closed is closed again.
    unsafe { libc::close(0) };
    drop(reader.redirect(Stdio::In).unwrap());
    assert_eq!(unsafe { libc::fcntl(0, libc::F_GETFD) }, -1);

    writer.redirect(Stdio::Err).unwrap().keep();
    eprint!("kept");
    assert_eq!(reader.available().unwrap(), 4);
    println!("restored");
}

fn become_nobody() {
    const NOBODY: u32 = 65534;
    unsafe {
        assert_eq!(libc::setgroups(0, std::ptr::null()), 0);
        assert_eq!(libc::setgid(NOBODY), 0);
        assert_eq!(libc::setuid(NOBODY), 0);
    }
}

/// Each refusal of the kernel, as an ordinary user meets it: in an IPC namespace of its own, where
/// the limits are the kernel's defaults and nobody else counts against them.
fn queue_refusals(name: &str) {
    unshare(libc::CLONE_NEWIPC);
    std::fs::write("/proc/sys/fs/mqueue/queues_max", "2").unwrap();
    become_nobody();
    let refused = |messages, bytes, name: &str| {
        let error = Queue::options().max_messages(messages).message_size(bytes).create(name).unwrap_err();
        println!("{}", error.cause());
    };
    refused(11, 64, name);
    refused(4, 9000, name);
    let limit = libc::rlimit { rlim_cur: 5000, rlim_max: 5000 };
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_MSGQUEUE, &raw const limit) }, 0);
    refused(4, 2000, name);
    let queues = ["-1", "-2"]
        .map(|number| Queue::options().max_messages(1).message_size(8).create(&format!("{name}{number}")).unwrap());
    refused(1, 8, name);
    drop(queues); // they go with the namespace
}

/// A namespace of this process's own; in a container root may lack the right to one.
fn unshare(namespace: i32) {
    if unsafe { libc::unshare(namespace) } != 0 {
        println!("{}", crate::NO_NAMESPACES);
        std::process::exit(0);
    }
}

/// Mounts that this process alone sees.
fn private_mounts() {
    unshare(libc::CLONE_NEWNS);
    let (nothing, flags) = (std::ptr::null(), libc::MS_REC | libc::MS_PRIVATE);
    assert_eq!(unsafe { libc::mount(nothing, c"/".as_ptr(), nothing, flags, std::ptr::null()) }, 0);
}

fn mount_tmpfs(place: &std::ffi::CStr, options: &std::ffi::CStr) {
    let kind = c"tmpfs".as_ptr();
    assert_eq!(unsafe { libc::mount(kind, place.as_ptr(), kind, 0, options.as_ptr().cast()) }, 0);
}

fn fill_a_small_file_system(name: &str) {
    private_mounts();
    mount_tmpfs(c"/dev/shm", c"size=1m");
    let mut half = Memory::create(name, 512 * 1024).unwrap();
    let other = format!("{name}-other");
    println!("{}", Memory::create(&other, 600 * 1024).unwrap_err().cause());
    assert_eq!(half.resize(2 << 20).unwrap_err().errno(), libc::ENOSPC);
    half.resize(1 << 20).unwrap();
    let error = Semaphore::create(name, 1).unwrap_err();
    assert_eq!(error.errno(), libc::ENOSPC);
    half.write_at(0, &vec![7; 1 << 20]).unwrap(); // every byte was reserved
}

/// A memfd has no file system to bound it: the kernel would give until it kills. Should the refusal
/// ever fail, the limit of this process protects the machine.
fn ask_for_too_much_memory() {
    let limit = libc::rlimit { rlim_cur: 1 << 30, rlim_max: 1 << 30 };
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), 0);
    }
    let error = Memory::options().size(1 << 46).memfd("huge").unwrap_err();
    assert_eq!(error.errno(), libc::ENOMEM, "{error}");
    let mut memory = Memory::options().size(4096).memfd("growing").unwrap();
    assert_eq!(memory.resize(1 << 46).unwrap_err().errno(), libc::ENOMEM);
    assert_eq!(memory.len(), 4096);
    println!("refused");
}

/// Without /proc a pipe cannot be reopened: the timed calls then poll.
fn work_without_proc(name: &str, path: &str) {
    private_mounts();
    mount_tmpfs(c"/proc", c"size=4k");
    let (reader, writer) = unipc::pipe().unwrap();
    let mut buffer = [0; 64];
    assert!(reader.try_read(&mut buffer).unwrap_err().would_block());
    assert!(reader.read_by(&mut buffer, Duration::from_millis(5)).unwrap_err().timed_out());
    writer.try_write(b"polled").unwrap();
    assert_eq!(reader.read_by(&mut buffer, LONG).unwrap(), 6);
    while writer.try_write(&[0; 4096]).is_ok() {}
    assert!(writer.write_by(&vec![0; 100_000], Duration::from_millis(5)).unwrap_err().timed_out());
    drop(reader);
    assert_eq!(writer.try_write(b"x").unwrap_err().errno(), libc::EPIPE);
    Memory::create(name, 100).unwrap().write_at(0, b"x").unwrap();
    assert_eq!(Memory::create(name, 100).unwrap_err().errno(), libc::EEXIST);
    Semaphore::create(name, 1).unwrap().wait().unwrap();
    Semaphore::open(name).unwrap();
    let error = Fifo::options().exact_mode(0o600).create(path).unwrap_err();
    assert!(error.cause().contains("/proc is not mounted"), "{error}");
    println!("worked");
}

/// The child has the handle, but not the threads of the callbacks; its own are left alone.
fn fork_among_callbacks(name: &str) {
    let queue = Queue::open(name).unwrap();
    queue.notify_callback(|| ()).unwrap();
    forked(|| {
        let thread = std::thread::spawn(|| std::thread::sleep(Duration::from_millis(20)));
        queue.cancel_notify().unwrap();
        drop(Queue::open(name).unwrap());
        thread.join().unwrap();
    });
    let mut queue = Some(queue);
    forked(|| {
        let thread = std::thread::spawn(|| std::thread::sleep(Duration::from_millis(20)));
        drop(queue.take());
        thread.join().unwrap();
    });
    println!("left alone");
}

/// What we make never takes the place of a standard stream that the host has closed.
fn live_without_standard_streams(name: &str) {
    unsafe { (libc::close(0), libc::close(2)) };
    let (reader, writer) = unipc::pipe().unwrap();
    let queue = Queue::open(name).unwrap();
    let memory = Memory::options().size(1).memfd("m").unwrap();
    use std::os::fd::AsRawFd;
    let numbers = [reader.as_raw_fd(), writer.as_raw_fd(), queue.as_raw_fd(), memory.as_fd().unwrap().as_raw_fd()];
    assert!(numbers.iter().all(|&number| number > 2), "{numbers:?}");
    drop(writer.redirect(unipc::pipe::Stdio::In).unwrap());
    assert!(reader.try_read(&mut [0; 1]).unwrap_err().would_block());
    println!("kept apart");
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Everything, its failures too, many times over.
fn leak_nothing(name: &str, path: &str) {
    let round = || {
        let (reader, writer) = unipc::duplex().unwrap().0.into_ends();
        let _ = reader.read_by(&mut [0; 1], Duration::ZERO);
        let _ = writer.try_write(b"x");
        let _ = writer.try_clone().unwrap();
        drop(PipeReader::from_fd(reader.into()).unwrap());
        assert!(PipeReader::from_fd(OwnedFd::from(writer)).is_err());

        let fifo = Fifo::options().exact_mode(0o600).create(path).unwrap();
        assert!(Fifo::create(path).is_err());
        assert!(fifo.open_reader_by(Duration::from_micros(60)).is_err());
        assert!(fifo.try_open_writer().is_err());
        let reader = fifo.try_open_reader().unwrap();
        let _ = (reader.try_read(&mut [0; 1]), fifo.try_open_writer().unwrap().try_write(b"x"));
        Fifo::unlink(path).unwrap();

        let queue = Queue::options().max_messages(1).message_size(8).create(name).unwrap();
        assert!(Queue::options().max_messages(usize::MAX).create(&format!("{name}-bad")).is_err());
        assert!(Queue::create(name).is_err());
        queue.notify_callback(|| ()).unwrap();
        queue.cancel_notify().unwrap();
        let _ = queue.receive_by(Duration::ZERO);
        Queue::unlink(name).unwrap();

        let mut memory = Memory::create(name, 100).unwrap();
        assert!(Memory::create(name, 100).is_err() && memory.resize(1 << 60).is_err());
        assert!(Memory::options().size(200).open(name).is_err());
        assert!(Memory::create(&format!("{name}-bad"), 1 << 60).is_err());
        memory.resize(5000).unwrap();
        drop(Semaphore::init_in(&memory, 0, 1).unwrap());
        drop(Memory::options().size(1).memfd("m").unwrap());
        Memory::unlink(name).unwrap();

        let semaphore = Semaphore::create(name, 0).unwrap();
        assert!(Semaphore::create(name, 0).is_err());
        let _ = semaphore.wait_by(Duration::ZERO);
        Semaphore::unlink(name).unwrap();
    };
    let mappings = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
    (0..20).for_each(|_| round());
    crate::common::until("the notifying threads ended", || threads() == 1);
    let before = (descriptors(), mappings());
    (0..300).for_each(|_| round());
    crate::common::until("the notifying threads ended", || threads() == 1);
    let after = (descriptors(), mappings());
    assert_eq!(before.0, after.0, "descriptors");
    assert!(after.1 <= before.1 + 8, "mappings: {} before, {} after", before.1, after.1); // malloc has its own
    println!("nothing leaked");
}

trait IntoEnds {
    fn into_ends(self) -> (PipeReader, PipeWriter);
}

impl IntoEnds for unipc::Duplex {
    fn into_ends(self) -> (PipeReader, PipeWriter) {
        (self.reader, self.writer)
    }
}

fn run_out_of_descriptors(name: &str) {
    Queue::options().max_messages(1).message_size(8).create(name).unwrap();
    let mut hoard = Vec::new();
    let error = loop {
        match unipc::pipe() {
            Ok(pipe) => hoard.push(pipe),
            Err(error) => break error,
        }
    };
    println!("{error}");
    // One descriptor may be left after a pipe, which takes two.
    let files: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    println!("{}", Queue::open(name).unwrap_err().errno());
    println!(
        "{}",
        Queue::options().message_size(8).create(&format!("{name}-2")).unwrap_err().cause().split(';').next().unwrap()
    );
    println!("{}", Memory::create(name, 1).unwrap_err().errno());
    drop((hoard, files));
    unipc::pipe().unwrap();
}
