//! Runs as `unipc bench` asks for them, of contenders that are right, and of some that are not. A test starts
//! this very program again as one that serves them.
#![allow(clippy::undocumented_unsafe_blocks)] // libc is called here as any program calls it

use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use unipc_contender::{
    Ability, Contender, End, Handle, Kind, Opener, Semaphore, Shape, Word, floor, semaphore, system,
};

/// Long enough for a loaded machine; only what hangs comes to it.
const WATCHDOG: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("contenders") => unipc_contender::serve(&contenders()).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        Some("clean") => unipc_contender::main(&contenders()),
        Some("threads") => {
            std::thread::spawn(|| std::thread::sleep(WATCHDOG));
            unipc_contender::serve(&contenders()).map_or_else(
                |error| {
                    eprintln!("{error}");
                    ExitCode::FAILURE
                },
                |()| ExitCode::SUCCESS,
            )
        }
        _ => libtest_mimic::run(&Arguments::from_args(), all()).exit_code(),
    }
}

// ---- Contenders: datagrams, and what can be wrong with them.

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Loses,
    LosesTheLast,
    Tears,
    Repeats,
    Swaps,
    Trades,
    Shortens,
    Promotes,
    Invents,
    Hangs,
    Dies,
    Panics,
    Errs,
}

/// Of how many messages a run has 1,000; a fault comes at one of them.
const FAULTY: u64 = 500;

struct Datagrams {
    fault: Fault,
    socket: UnixDatagram,
    shape: Shape,
    last: Word,
    sent: u64,
    /// The message, and a byte that tells its priority.
    message: Vec<u8>,
}

fn datagrams(fault: Fault, shape: Shape) -> io::Result<Opener> {
    let (from, to) = UnixDatagram::pair()?;
    Ok(Box::new(move |end| {
        let socket = if end == End::Receiver { &from } else { &to };
        Ok(Box::new(Datagrams::new(fault, socket, shape)?))
    }))
}

/// In one process, what one end sends comes from the other.
fn both(shape: Shape) -> io::Result<Opener> {
    let (from, to) = UnixDatagram::pair()?;
    Ok(Box::new(move |_| {
        let end = |socket| Datagrams::new(Fault::None, socket, shape);
        Ok(Box::new(Both([end(&from)?, end(&to)?])))
    }))
}

struct Both([Datagrams; 2]);

impl Handle for Both {
    fn send(&mut self, word: Word) -> io::Result<()> {
        self.0[1].send(word)
    }

    fn receive(&mut self) -> io::Result<Word> {
        self.0[0].receive()
    }
}

impl Datagrams {
    fn new(fault: Fault, socket: &UnixDatagram, shape: Shape) -> io::Result<Datagrams> {
        let message = vec![0; shape.size + 1];
        Ok(Datagrams { fault, socket: socket.try_clone()?, shape, last: Word::END, sent: 0, message })
    }

    fn write(&mut self, word: Word, priority: u32) {
        let (mark, message) = self.message.split_first_mut().unwrap();
        *mark = priority as u8;
        self.shape.write(word, message);
    }

    /// A message that is as it should be.
    fn put(&mut self, word: Word) -> io::Result<()> {
        self.write(word, word.priority());
        self.socket.send(&self.message).map(drop)
    }

    /// The one that is not.
    fn spoil(&mut self, word: Word, before: Word) -> io::Result<()> {
        match self.fault {
            Fault::Loses | Fault::LosesTheLast | Fault::Swaps => Ok(()),
            Fault::Repeats => self.put(word).and_then(|()| self.put(word)),
            Fault::Trades => self.put(before),
            Fault::Invents => self.put(Word::new(0, 7, 3)),
            Fault::Shortens => {
                self.write(word, 0);
                self.socket.send(&self.message[..self.shape.size]).map(drop)
            }
            Fault::Promotes => {
                self.write(word, 1);
                self.socket.send(&self.message).map(drop)
            }
            Fault::Tears => {
                self.write(word, 0);
                *self.message.last_chunk_mut().unwrap() = before.check();
                self.socket.send(&self.message).map(drop)
            }
            Fault::Hangs => loop {
                std::thread::sleep(WATCHDOG);
            },
            Fault::Dies => std::process::abort(),
            Fault::Panics => panic!("what a\nmess"),
            Fault::Errs => Err(io::Error::other("no more ink")),
            Fault::None => self.put(word),
        }
    }
}

impl Handle for Datagrams {
    fn send(&mut self, word: Word) -> io::Result<()> {
        self.sent += 1;
        let before = std::mem::replace(&mut self.last, word);
        let faulty = if self.fault == Fault::LosesTheLast { 1000 } else { FAULTY };
        if self.sent == faulty {
            return self.spoil(word, before);
        }
        self.put(word)?;
        if self.fault == Fault::Swaps && self.sent == FAULTY + 1 { self.put(before) } else { Ok(()) }
    }

    fn receive(&mut self) -> io::Result<Word> {
        let length = self.socket.recv(&mut self.message)?;
        self.shape.read(&self.message[1..length], u32::from(self.message[0]))
    }
}

/// Permits that are never taken.
struct Generous;

impl Semaphore for Generous {
    fn post(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn wait(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn value(&mut self) -> io::Result<u32> {
        Ok(7)
    }
}

/// What is there as long as an object has its name.
fn trace(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("{}.trace", &name[1..]))
}

fn contenders() -> Vec<Contender> {
    use Ability::{Asleep, Depth, Idle, Many, Open, Pair, PingPong, Priorities, Stream};
    let contender = |name, create| Contender::new(name, "Rust", &[Stream, PingPong, Asleep, Many], create);
    let named =
        |name, create| Contender { unlink: |name| drop(std::fs::remove_file(trace(name))), ..contender(name, create) };
    let mut all = vec![
        contender("right", |_, shape| datagrams(Fault::None, shape)),
        Contender { abilities: &[Pair, Open, Idle, Priorities], ..contender("unordered", |_, shape| both(shape)) },
        Contender { abilities: &[Idle, Depth], ..contender("deeper", |_, shape| datagrams(Fault::None, shape)) },
        contender("loses", |_, shape| datagrams(Fault::Loses, shape)),
        contender("loses the last", |_, shape| datagrams(Fault::LosesTheLast, shape)),
        contender("tears", |_, shape| datagrams(Fault::Tears, shape)),
        contender("repeats", |_, shape| datagrams(Fault::Repeats, shape)),
        contender("swaps", |_, shape| datagrams(Fault::Swaps, shape)),
        contender("trades", |_, shape| datagrams(Fault::Trades, shape)),
        contender("shortens", |_, shape| datagrams(Fault::Shortens, shape)),
        contender("promotes", |_, shape| datagrams(Fault::Promotes, shape)),
        contender("invents", |_, shape| datagrams(Fault::Invents, shape)),
        contender("dies", |_, shape| datagrams(Fault::Dies, shape)),
        contender("panics", |_, shape| datagrams(Fault::Panics, shape)),
        named("errs", |name, shape| {
            std::fs::write(trace(name), "")?;
            datagrams(Fault::Errs, shape)
        }),
        named("hangs", |name, shape| {
            let (name, opener) = (trace(name), datagrams(Fault::Hangs, shape)?);
            Ok(Box::new(move |end| {
                let handle = opener(end)?;
                Ok(if end == End::Receiver {
                    Box::new(Late { handle, name: name.clone(), received: 0 })
                } else {
                    handle
                })
            }))
        }),
        contender("never made", |_, _| Err(io::Error::other("there is no wood"))),
        Contender { fit: |_| panic!("no fit"), ..contender("unfit", |_, shape| datagrams(Fault::None, shape)) },
        contender("dies unmade", |_, _| std::process::abort()),
        Contender { absent: Some("grow a tree"), ..contender("absent", |_, _| Err(io::ErrorKind::NotFound.into())) },
        Contender {
            kind: Kind::Semaphore,
            abilities: &[Pair, PingPong],
            ..contender("generous", |_, _| Ok(Box::new(|_| Ok(semaphore(Generous)))))
        },
    ];
    all.extend(system());
    all.extend(floor());
    all
}

/// Makes its name again, just before the other side hangs.
struct Late {
    handle: Box<dyn Handle>,
    name: PathBuf,
    received: u64,
}

impl Handle for Late {
    fn send(&mut self, word: Word) -> io::Result<()> {
        self.handle.send(word)
    }

    fn receive(&mut self) -> io::Result<Word> {
        self.received += 1;
        if self.received == FAULTY {
            std::fs::write(&self.name, "")?;
        }
        self.handle.receive()
    }
}

// ---- A program that serves them, in a group of its own.

struct Server {
    child: Child,
    requests: Option<ChildStdin>,
    answers: Option<BufReader<ChildStdout>>,
    hello: Vec<String>,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

fn name() -> String {
    format!("/unipc-test-contender-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command
}

impl Server {
    fn start() -> Server {
        Server::of(program(&["contenders"]))
    }

    fn of(mut command: Command) -> Server {
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let (requests, answers) = (child.stdin.take(), child.stdout.take().map(BufReader::new));
        let mut server = Server { child, requests, answers, hello: Vec::new() };
        while server.hello.last().is_none_or(|line| line != "ready") {
            let line = server.line();
            server.hello.push(line);
        }
        server
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.as_mut().unwrap().read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the program has ended");
        line.trim_end_matches('\n').to_owned()
    }

    fn ask(&mut self, request: &str) {
        writeln!(self.requests.as_mut().unwrap(), "{request}").unwrap();
    }

    fn answer(&mut self, request: &str) -> String {
        self.ask(request);
        self.line()
    }

    fn run(&mut self, who: &str, work: &str, more: &str) -> String {
        self.answer(&request(who, work, more))
    }

    /// The sentence with which it fails.
    fn failure(&mut self, who: &str, work: &str, more: &str) -> String {
        let answer = self.run(who, work, more);
        let sentence = answer.strip_prefix("failed\t");
        sentence.unwrap_or_else(|| panic!("{who} {work} {more}: {answer}")).to_owned()
    }

    /// The numbers that it answers.
    fn figures(&mut self, who: &str, work: &str, more: &str) -> HashMap<String, Vec<f64>> {
        let answer = self.run(who, work, more);
        let fields = answer.strip_prefix("ok\t").unwrap_or_else(|| panic!("{who} {work} {more}: {answer}"));
        let numbers = |text: &str| text.split(',').map(|number| number.parse().unwrap()).collect();
        fields
            .split('\t')
            .filter_map(|field| field.split_once('='))
            .map(|(key, text)| (key.to_owned(), numbers(text)))
            .collect()
    }

    fn group(&self) -> i32 {
        -(self.child.id() as i32)
    }

    /// Whether any process of its group still runs: zombies are somebody else's matter.
    fn is_anybody_left(&self) -> bool {
        let runs = |process: std::fs::DirEntry| {
            let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
            let (state, group) = (fields.next()?, fields.nth(1)?);
            Some(group == self.child.id().to_string() && state != "Z")
        };
        std::fs::read_dir("/proc").unwrap().flatten().any(|process| runs(process) == Some(true))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        unsafe { libc::kill(self.group(), libc::SIGKILL) };
        let _ = self.child.wait();
    }
}

fn request(who: &str, work: &str, more: &str) -> String {
    let mut fields = HashMap::from([("messages", "1000"), ("size", "64"), ("depth", "8"), ("cpus", "")]);
    let cpu = cpu().to_string();
    fields.insert("cpus", &cpu);
    fields.extend(more.split_whitespace().map(|field| field.split_once('=').unwrap()));
    let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("run\tcontender={who}\twork={work}\t{}\tname={}", fields.join("\t"), name())
}

/// One that this process may run on.
fn cpu() -> usize {
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    assert_eq!(unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) }, 0);
    (0..libc::CPU_SETSIZE as usize).find(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).unwrap()
}

fn clean(name: &str) -> Output {
    program(&["clean", name]).output().unwrap()
}

fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        std::thread::sleep(Duration::from_millis(5)); // the watchdog ends what never comes
    }
}

// ---- Promises.

macro_rules! promises {
    ($($(#[$doc:meta])* fn $name:ident() $body:block)*) => {
        $($(#[$doc])* fn $name() $body)*
        fn all() -> Vec<Trial> {
            vec![$(trial(stringify!($name), $name)),*]
        }
    };
}

fn trial(name: &'static str, promise: fn()) -> Trial {
    Trial::test(name, move || {
        let (done, watched) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if watched.recv_timeout(WATCHDOG) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprintln!("WATCHDOG: {name} hangs; ending the whole run");
                std::process::abort(); // servers end when nobody listens to them
            }
        });
        let outcome = std::panic::catch_unwind(promise);
        drop(done);
        outcome.map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            Failed::from(text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("panicked").to_owned())
        })
    })
}

promises! {
    fn a_program_says_what_it_has_and_what_is_absent() {
        let server = Server::start();
        let says = |line: &str| assert!(server.hello.iter().any(|said| said == line), "{line:?} in {:?}", server.hello);
        says("contender\tright\tRust\tmessages\tblocks\tstream,ping-pong,asleep,many");
        says("contender\tmqueue\tlibc\tmessages\tblocks\tstream,pair,ping-pong,asleep,open,idle,many,priorities,depth");
        says("contender\tsem_t\tlibc\tsemaphore\tblocks\tpair,ping-pong");
        says("contender\tcache line\tmachine\tfloor\tspins\tping-pong");
        says("absent\tabsent\tRust\tgrow a tree");
    }

    fn what_is_right_is_answered_with_figures() {
        let mut server = Server::start();
        for more in ["", "messages=1", "messages=20000", "size=8", "size=12", "size=4096 messages=200"] {
            let figures = server.figures("right", "stream", more);
            assert!(figures["ns"][0] >= 0.0 && figures["cpu"][0] >= 0.0, "{more}: {figures:?}");
        }
        for more in ["producers=3", "consumers=3", "producers=2 consumers=2 messages=1001", "producers=9 messages=4"] {
            assert!(server.figures("right", "stream", more)["ns"][0] > 0.0, "{more}");
        }
        let figures = server.figures("right", "ping-pong", "messages=700");
        assert_eq!(figures["samples"].len(), 700);
        assert!(figures["ns"][0] > 0.0);
        assert_eq!(server.figures("right", "asleep", "messages=10")["samples"].len(), 18, "a tenth warms up");
    }

    fn no_more_than_20_000_samples_are_told() {
        let mut server = Server::start();
        let figures = server.figures("futex", "ping-pong", "messages=20500");
        assert_eq!(figures["samples"].len(), 20_000);
    }

    fn the_system_and_the_floor_are_right_in_every_work() {
        let mut server = Server::start();
        let hello = server.hello.clone();
        for line in hello {
            let fields: Vec<&str> = line.split('\t').collect();
            let ["contender", who, "libc" | "machine", kind, _, abilities] = fields[..] else { continue };
            let has = |ability| abilities.split(',').any(|one| one == ability);
            for work in abilities.split(',') {
                match work {
                    "stream" => {
                        server.figures(who, work, "");
                        server.figures(who, work, "size=8");
                        server.figures(who, work, "size=4096 messages=200");
                        if has("many") {
                            server.figures(who, work, "producers=2 consumers=2");
                        }
                        if has("priorities") {
                            server.figures(who, work, "priorities=8");
                            server.figures(who, work, "priorities=8 producers=2 consumers=3");
                            server.figures(who, work, "priorities=8 messages=3");
                        }
                    }
                    "pair" if has("priorities") => {
                        server.figures(who, work, "");
                        server.figures(who, work, "priorities=8");
                    }
                    // Two that spin need a core each.
                    "ping-pong" if kind == "floor" => drop(server.figures(who, work, "messages=20 cpus=")),
                    "pair" | "ping-pong" | "open" => drop(server.figures(who, work, "messages=200")),
                    "asleep" => drop(server.figures(who, work, "messages=3")),
                    _ => {}
                }
            }
        }
    }

    fn who_waits_for_nothing_to_come_takes_no_time() {
        let mut server = Server::start();
        for who in ["mqueue", "pipe"] {
            assert!(server.figures(who, "idle", "")["cpu"][0] < 5e8, "{who} does not sleep");
        }
        let sentence = server.failure("deeper", "idle", "depth=1");
        assert!(sentence.contains("more has room than its depth"), "{sentence}");
    }

    fn whoever_spoils_messages_fails_and_the_others_go_on() {
        let mut server = Server::start();
        for (who, why) in [
            ("loses", "message 500 came where message 499 was due"),
            ("loses the last", "999 messages came of 1000 that were sent"),
            ("tears", "a torn message came"),
            ("repeats", "message 499 came where message 500 was due"),
            ("swaps", "message 500 came where message 499 was due"),
            ("trades", "message 498 came where message 499 was due"),
            ("shortens", "a message was sent with length 64, and came with 63"),
            ("promotes", "a message was sent with priority 0, and came with 1"),
            ("invents", "a message came that nobody sent: its word is 0x0007000000000003"),
            ("dies", "a process of it died of signal 6"),
            ("panics", "it panicked: what a mess"),
            ("errs", "no more ink"),
            ("never made", "there is no wood"),
            ("dies unmade", "a process of it died of signal 6"),
        ] {
            assert_eq!(server.failure(who, "stream", ""), why, "{who}");
            server.figures("right", "stream", "");
        }
        for who in ["repeats", "trades", "tears", "invents", "dies"] {
            server.failure(who, "ping-pong", "");
        }
    }

    fn several_consumers_miss_nothing_either() {
        let mut server = Server::start();
        assert_eq!(server.failure("loses", "stream", "consumers=2"), "999 messages came of 1000 that were sent");
        let sentence = server.failure("repeats", "stream", "consumers=2");
        assert!(sentence.contains("1001 messages came of 1000") || sentence.contains("came again"), "{sentence}");
        let sentence = server.failure("trades", "stream", "consumers=3");
        assert!(sentence.contains("sums of their checks differ") || sentence.contains("came again"), "{sentence}");
        let sentence = server.failure("invents", "stream", "producers=2");
        assert!(sentence.contains("that nobody sent"), "{sentence}");
    }

    fn the_highest_priority_is_to_come_first() {
        let mut server = Server::start();
        server.figures("unordered", "pair", "");
        let sentence = server.failure("unordered", "pair", "priorities=5");
        assert!(sentence.starts_with("priority ") && sentence.contains("came after priority"), "{sentence}");
    }

    fn permits_that_nobody_takes_are_noticed() {
        let mut server = Server::start();
        assert_eq!(server.failure("generous", "pair", ""), "7 permits are left that were all taken");
        assert_eq!(server.failure("generous", "ping-pong", ""), "7 permits are left that were all taken");
    }

    fn what_cannot_be_done_is_refused_with_the_reason() {
        let mut server = Server::start();
        for (who, work, more, why) in [
            ("nobody", "stream", "", "no contender"),
            ("right", "stream", "language=C", "no contender"),
            ("absent", "stream", "", "grow a tree"),
            ("right", "juggle", "", "no such work"),
            ("right", "many", "", "no such work"),
            ("right", "open", "", "cannot do this work"),
            ("right", "stream", "size=7", "8 bytes at least"),
            ("right", "stream", "size=-1", "must be a number"),
            ("right", "stream", "messages=0", "1 at least"),
            ("right", "stream", "depth=0", "1 at least"),
            ("right", "stream", "priorities=2", "has no priorities"),
            ("right", "stream", "producers=100 consumers=100", "more than a message can tell apart"),
            ("right", "stream", "producers=4294967295 consumers=4294967295", "more than a message can tell apart"),
            ("right", "stream", "cpus=1000000", "cannot run on CPU 1000000"),
            ("unix stream", "stream", "producers=2", "several producers"),
        ] {
            let sentence = server.failure(who, work, more);
            assert!(sentence.contains(why), "{who} {work} {more}: {sentence}");
        }
        for (who, more, why) in [
            ("pipe", "producers=2 size=5000", "PIPE_BUF"),
            ("mqueue", "size=1000000000", "fs.mqueue.msgsize_max"),
            ("unix seqpacket", "size=1000000000", "net.core.wmem_default"),
            ("unfit", "", "it panicked: no fit"),
        ] {
            let answer = server.run(who, "stream", more);
            assert!(answer.starts_with("cannot\t") && answer.contains(why), "{who} {more}: {answer}");
        }
        for line in ["", "jump", "run", "run\tcontender=right\twork=stream", "run\tcontender=right\twork=stream\tname=/a/b"] {
            let answer = server.answer(line);
            assert!(answer.starts_with("failed\t"), "{line:?}: {answer}");
        }
        server.figures("right", "stream", "");
    }

    fn a_queue_of_the_system_is_as_deep_as_it_may_be() {
        let mut server = Server::start();
        let figures = server.figures("mqueue", "stream", "depth=1000000 priorities=4 messages=3000");
        assert!(figures["depth"].iter().all(|&depth| depth < 1_000_000.0), "and says how deep that was");
        assert!(!server.figures("mqueue", "stream", "depth=1").contains_key("depth"));
    }

    fn nothing_is_left_of_a_run_that_failed() {
        let mut server = Server::start();
        let name = name();
        let answer = server.answer(&format!("run\tcontender=errs\twork=stream\tmessages=1000\tname={name}"));
        assert_eq!(answer, "failed\tno more ink");
        assert!(!trace(&name).exists());
    }

    fn a_run_that_hangs_goes_with_its_group_and_its_names_are_cleaned() {
        let mut server = Server::start();
        let name = name();
        server.ask(&format!("run\tcontender=hangs\twork=stream\tmessages=1000\tname={name}"));
        until(|| trace(&name).exists());
        unsafe { libc::kill(server.group(), libc::SIGKILL) };
        server.child.wait().unwrap();
        until(|| !server.is_anybody_left());
        for _ in 0..2 {
            let cleaned = clean(&name);
            assert!(cleaned.status.success() && cleaned.stdout.is_empty() && cleaned.stderr.is_empty(), "{cleaned:?}");
            assert!(!trace(&name).exists());
        }
        assert!(!clean("/a/b").status.success());
    }

    fn what_a_program_has_forked_dies_with_it() {
        let mut server = Server::start();
        let name = name();
        server.ask(&format!("run\tcontender=hangs\twork=stream\tmessages=1000\tname={name}"));
        until(|| trace(&name).exists());
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        until(|| !server.is_anybody_left());
        clean(&name);
    }

    fn children_are_waited_for_where_they_were_ignored() {
        let mut command = program(&["contenders"]);
        unsafe {
            command.pre_exec(|| {
                libc::signal(libc::SIGCHLD, libc::SIG_IGN);
                Ok(())
            });
        }
        let mut server = Server::of(command);
        assert_eq!(server.failure("dies", "stream", ""), "a process of it died of signal 6");
    }

    fn a_program_to_which_nobody_listens_ends_what_it_does() {
        let mut server = Server::start();
        server.ask(&request("hangs", "stream", ""));
        drop(server.answers.take());
        assert!(server.child.wait().unwrap().success());
        until(|| !server.is_anybody_left());
    }

    fn a_program_ends_with_its_input() {
        let mut server = Server::start();
        server.figures("right", "stream", "");
        drop(server.requests.take());
        assert!(server.child.wait().unwrap().success());
        assert!(!server.is_anybody_left());
    }

    fn a_program_with_threads_does_not_fork() {
        let mut command = program(&["threads"]);
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all((request("right", "stream", "") + "\n").as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains("2 threads"), "{said}");
    }
}
