#![doc = include_str!("../docs/survey.md")]

mod limits;
mod memory;
mod pipes;
mod queues;
mod scene;
mod segments;
mod verdict;

use crate::engine::Engine;
use crate::error::{Errno, Error, Result};
use crate::sys::observe::Facts;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

pub use limits::{Feature, Limit, features, limits};
pub use verdict::{Verdict, verdict};

/// The kinds of objects that are found.
///
/// ```
/// use unipc::survey::Kind;
/// assert_eq!("queues".parse::<Kind>()?, Kind::Queue);
/// assert_eq!(Kind::Fifo.to_string(), "fifo");
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A pipe without a name, as long as somebody has an end of it.
    Pipe,
    /// A FIFO that somebody has open; who waits in open(2) for a peer does not have it yet.
    Fifo,
    /// A message queue, of either engine.
    Queue,
    /// Shared memory that has a name.
    Memory,
    /// A semaphore that has a name.
    Semaphore,
}

impl Kind {
    /// Every kind there is.
    ///
    /// ```
    /// assert_eq!(unipc::survey::Kind::ALL.len(), 5);
    /// ```
    pub const ALL: &'static [Kind] = &[Kind::Pipe, Kind::Fifo, Kind::Queue, Kind::Memory, Kind::Semaphore];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Pipe => "pipe",
            Kind::Fifo => "fifo",
            Kind::Queue => "queue",
            Kind::Memory => "memory",
            Kind::Semaphore => "semaphore",
        })
    }
}

impl FromStr for Kind {
    type Err = Error;

    /// In the singular or the plural. EINVAL: it is none.
    fn from_str(text: &str) -> Result<Kind> {
        let kind = Kind::ALL.iter().copied().find(|kind| text.strip_suffix('s').unwrap_or(text) == kind.to_string());
        kind.ok_or_else(|| {
            let known: Vec<String> = Kind::ALL.iter().map(ToString::to_string).collect();
            Error::new("choose", "kind", libc::EINVAL, format!("'{text}' is no kind; there is: {}", known.join(", ")))
        })
    }
}

/// Whether somebody lives.
///
/// ```
/// use unipc::survey::Life;
/// assert_eq!(Life::Dead("the kernel has marked its death".into()).to_string(), "dead");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// It does.
    Alive,
    /// It does not, for this reason.
    Dead(String),
    /// It cannot be told, for this reason.
    Unknown(String),
}

impl Life {
    /// The reason, where there is one.
    ///
    /// ```
    /// assert_eq!(unipc::survey::Life::Alive.why(), None);
    /// ```
    pub fn why(&self) -> Option<&str> {
        match self {
            Life::Alive => None,
            Life::Dead(why) | Life::Unknown(why) => Some(why),
        }
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Life::Alive => "alive",
            Life::Dead(_) => "dead",
            Life::Unknown(_) => "unknown",
        })
    }
}

/// A process, as it was when it was looked at.
///
/// ```
/// let survey = unipc::survey::objects(&[unipc::survey::Kind::Pipe]);
/// for opener in survey.objects.iter().flat_map(|object| &object.openers) {
///     println!("{} {}", opener.process.number, opener.process.command);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Process {
    /// Its number in this PID namespace.
    pub number: u32,
    /// What the kernel calls it: up to 15 bytes, and whatever the program made of them.
    pub name: String,
    /// Its command line, a space between the arguments; may be empty, and is the program's to change. As in all
    /// names its control characters are to be escaped before a terminal sees them.
    pub command: String,
    /// The user that it acts as.
    pub uid: u32,
    /// When it was started, to some hundredths of a second.
    pub started: Option<SystemTime>,
    /// Its number in each PID namespace that it is in, this one's first.
    pub(crate) numbers: Vec<u32>,
    /// The number under which /proc shows what it has.
    pub(crate) window: u32,
}

impl Process {
    /// The number that it knows itself by: another one than [`number`](Self::number) if it is in a PID namespace
    /// inside this one.
    ///
    /// ```
    /// let survey = unipc::survey::objects(&[unipc::survey::Kind::Pipe]);
    /// for opener in survey.objects.iter().flat_map(|object| &object.openers) {
    ///     assert!(opener.process.own_number() > 0);
    /// }
    /// ```
    pub fn own_number(&self) -> u32 {
        self.numbers.last().copied().unwrap_or(self.number)
    }
}

impl fmt::Display for Process {
    /// "4711 (orderd)"
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.number, self.name.escape_debug())
    }
}

/// What a thread waits for.
///
/// ```
/// use unipc::survey::Waits;
/// let idle = Waits::default();
/// assert!(!idle.any());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waits {
    /// For something to read or to receive; for a permit of a semaphore.
    pub to_receive: bool,
    /// For room to write or to send.
    pub to_send: bool,
    /// It only watches, and takes nothing by that: a thread that polls, or behind a descriptor that is polled, or
    /// behind a notification.
    pub watches: bool,
}

impl Waits {
    /// Whether it waits at all.
    ///
    /// ```
    /// assert!(!unipc::survey::Waits::default().any());
    /// ```
    pub fn any(self) -> bool {
        self.to_receive || self.to_send
    }
}

/// A thread that waits.
///
/// ```
/// let survey = unipc::survey::objects(&[unipc::survey::Kind::Semaphore]);
/// for waiter in survey.objects.iter().flat_map(|object| object.waiters()) {
///     println!("thread {} of {}", waiter.thread, waiter.process);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiter {
    /// Whose thread it is.
    pub process: Arc<Process>,
    /// The thread's number in this PID namespace.
    pub thread: u32,
    /// For what.
    pub waits: Waits,
}

/// A descriptor of an object, or a mapping, that a process has.
///
/// ```
/// let (_reader, _writer) = unipc::pipe()?;
/// let survey = unipc::survey::objects(&[unipc::survey::Kind::Pipe]);
/// let ends = survey.objects.iter().flat_map(|pipe| &pipe.openers);
/// let own = ends.filter(|end| end.process.number == std::process::id());
/// assert!(own.clone().any(|end| end.reads) && own.clone().any(|end| end.writes));
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opener {
    /// Who has it.
    pub process: Arc<Process>,
    /// The number of the descriptor; `None` for a mapping.
    pub descriptor: Option<i32>,
    /// Where it is mapped; `None` for a descriptor.
    pub mapped: Option<std::ops::Range<u64>>,
    /// Whether it can be read by it.
    pub reads: bool,
    /// Whether it can be written by it.
    pub writes: bool,
    /// Threads of the process that wait at it just now, in a system call, poll(2) and epoll_wait(2) among them, and
    /// select(2) not: found by /proc/PID/task/TID/syscall, which needs the right to trace the process. Those of a queue of engine shm are among its
    /// [`participants`](Object::participants).
    pub waiting: Vec<Waiter>,
}

/// A thread that takes part in a queue of engine shm: it has a place in the table of the queue.
///
/// ```
/// let survey = unipc::survey::objects(&[unipc::survey::Kind::Queue]);
/// for thread in survey.objects.iter().flat_map(|queue| &queue.participants) {
///     println!("thread {} of process {} is {}", thread.own_thread, thread.own_process, thread.life);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Participant {
    /// The number of its place.
    pub place: usize,
    /// Its process's number, as that process sees itself.
    pub own_process: u32,
    /// Its own number, as it sees itself.
    pub own_thread: u32,
    /// The process, if it was found: under this number, with the queue mapped, in this PID namespace or one inside.
    pub process: Option<Arc<Process>>,
    /// Its number in this PID namespace, if it was found.
    pub thread: Option<u32>,
    /// When it came.
    pub since: SystemTime,
    /// Dead: by the word that the kernel marks when a thread dies. Alive: by the absence of the mark, and because
    /// the thread was found. Unknown: there is no mark, but no such thread can be seen from here either.
    pub life: Life,
    /// What it sleeps for.
    pub waits: Waits,
    /// Messages that it writes just now: sends in the midst, and those that are reserved.
    pub reserved: usize,
    /// Messages that it reads just now: receives in the midst, and those that are borrowed.
    pub borrowed: usize,
    /// Whether it has the lock of the queue's index.
    pub locks: bool,
    /// Whether it is registered to be notified.
    pub notified: bool,
}

/// How the messages of a queue of engine shm are kept.
///
/// ```
/// assert_eq!(unipc::survey::Order::Sorted.to_string(), "sorted");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// Nothing was ever sent.
    Fresh,
    /// As a ring: all messages had this priority so far.
    Ring(u32),
    /// By an index: messages of different priorities have met.
    Sorted,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Order::Fresh => "fresh",
            Order::Ring(_) => "ring",
            Order::Sorted => "sorted",
        })
    }
}

/// An object that was found, and all that could be told of it without touching it.
///
/// What is `None` does not apply to this kind, or could not be looked at: then [`trouble`](Self::trouble) says why.
///
/// ```
/// use unipc::{Engine, Queue, survey};
/// let name = format!("/unipc-doc-object-{}", std::process::id());
/// let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
/// queue.send(b"an order", 3)?;
/// let found = &survey::find(&name)?[0];
/// assert_eq!((found.kind, found.engine), (survey::Kind::Queue, Engine::Shm));
/// assert_eq!((found.messages, found.bytes), (Some(1), Some(8)));
/// assert_eq!(found.participants[0].own_process, std::process::id());
/// # Queue::unlink(&name)?;
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Whose machinery it is.
    pub engine: Engine,
    /// What it is opened by: "/orders", the path of a FIFO; of a pipe what /proc calls it, `pipe:[4711]`.
    pub name: String,
    /// The file that it is, if it has one that can be reached from here.
    pub path: Option<PathBuf>,
    /// The file system that it is on, and its number there: together they tell it from every other.
    pub device: u64,
    /// See [`device`](Self::device).
    pub inode: u64,
    /// Its owner.
    pub uid: Option<u32>,
    /// Its owner's group.
    pub gid: Option<u32>,
    /// Its permission bits.
    pub mode: Option<u32>,
    /// Bytes of memory, or of the file that a queue of engine shm is.
    pub size: Option<u64>,
    /// How many of them have their space.
    pub allocated: Option<u64>,
    /// When it was made.
    pub made: Option<SystemTime>,
    /// When it was last changed, by what the kernel notes: resized, written by a system call, its mode set. Stores
    /// into a mapping do not count.
    pub changed: Option<SystemTime>,
    /// The process that made it, as that process saw itself: engine shm alone keeps it.
    pub maker: Option<u32>,
    /// Messages in a queue.
    pub messages: Option<u64>,
    /// Messages that were sent so far to a queue of engine shm, reservations that were given back among them: what
    /// this grows by and `messages` does not was received.
    pub sent: Option<u64>,
    /// Bytes in a queue or a pipe. Of a queue of the system's that this very process has open they are not told, nor
    /// who is to be notified: to ask the kernel would take this process's own registration away.
    pub bytes: Option<u64>,
    /// Messages that a queue can hold.
    pub max_messages: Option<u64>,
    /// Bytes of its longest message.
    pub message_size: Option<u64>,
    /// Bytes that a pipe can hold.
    pub capacity: Option<u64>,
    /// Permits of a semaphore.
    pub value: Option<u32>,
    /// How many wait for a permit, as the semaphore itself counts: those who died waiting are counted for ever.
    pub waiting: Option<u32>,
    /// The process that is registered to be notified of the next message of a queue of the system's.
    pub notified: Option<u32>,
    /// The version of the layout of a queue of engine shm, whose header was checked.
    pub layout: Option<u32>,
    /// How a queue of engine shm keeps its messages.
    pub order: Option<Order>,
    /// Cells of a queue of engine shm that a dead thread holds, which nobody has repaired yet; and its lock, if
    /// a dead one has that.
    pub orphaned: u64,
    /// Who has it open or mapped.
    pub openers: Vec<Opener>,
    /// Who takes part in a queue of engine shm.
    pub participants: Vec<Participant>,
    /// What is wrong with it, or could not be looked at, in sentences.
    pub trouble: Vec<String>,
    /// What [`verdict`] has to know beside: see there.
    pub(crate) kin: verdict::Kin,
}

/// What was found, and what could not be looked at.
///
/// ```
/// let survey = unipc::survey::objects(unipc::survey::Kind::ALL);
/// println!("{} objects; unseen: {:?}", survey.objects.len(), survey.unseen);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Survey {
    /// By kind, and by name within a kind.
    pub objects: Vec<Object>,
    /// What is not among them, or may be missing in them, in sentences: processes of other users, queues that
    /// cannot be listed.
    pub unseen: Vec<String>,
}

/// A message that was looked at, and is still in its queue.
///
/// ```
/// use unipc::{Engine, Queue, survey};
/// let name = format!("/unipc-doc-peek-{}", std::process::id());
/// let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
/// queue.send(b"later", 1)?;
/// queue.send(b"sooner", 9)?;
/// let messages = survey::find(&name)?[0].peek(10, 64)?;
/// assert_eq!(messages[0].data, b"sooner");
/// assert_eq!(queue.len()?, 2);
/// # Queue::unlink(&name)?;
/// # Ok::<(), unipc::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peeked {
    /// Its priority.
    pub priority: u32,
    /// How many bytes it has; 0 if it changed.
    pub len: usize,
    /// The first of its bytes, as many as were asked for; none if it changed.
    pub data: Vec<u8>,
    /// It was received, or is being, while it was looked at.
    pub changed: bool,
}

/// Looks for objects of these kinds, and for who has them; in no order of importance, and without touching any.
///
/// What cannot be looked at is no error: it is in the answer, with the reason. Each object is looked at at its
/// own instant, so the whole is no snapshot: a process that ends meanwhile may be seen here and not there. The
/// work is some 0.1 ms for each process of the machine, and more for one that has thousands of mappings.
///
/// Does not wait. Async-signal-unsafe; may be called by any thread, and after fork. Opens files and descriptors of
/// other processes for some microseconds and only to read ([the page](crate::survey) says what of that can be
/// noticed).
///
/// ```
/// use unipc::survey::{self, Kind};
/// for object in survey::objects(&[Kind::Memory, Kind::Semaphore]).objects {
///     println!("{} {} {:?}", object.kind, object.name, object.openers.len());
/// }
/// ```
pub fn objects(kinds: &[Kind]) -> Survey {
    let scene = scene::Scene::take(kinds);
    let mut survey = Survey { objects: Vec::new(), unseen: scene.unseen() };
    if kinds.contains(&Kind::Pipe) || kinds.contains(&Kind::Fifo) {
        pipes::list(&scene, kinds, &mut survey);
    }
    if kinds.contains(&Kind::Queue) {
        queues::list(&scene, &mut survey);
    }
    if kinds.iter().any(|kind| matches!(kind, Kind::Queue | Kind::Memory | Kind::Semaphore)) {
        memory::list(&scene, kinds, &mut survey);
    }
    sort(&mut survey.objects);
    survey
}

fn sort(objects: &mut [Object]) {
    objects.sort_by(|a, b| (a.kind, &a.name, a.inode).cmp(&(b.kind, &b.name, b.inode)));
}

/// Looks for the objects that bear a name: "/orders" may be a queue of either engine, a semaphore and memory at
/// once. A path is that of a FIFO, or of an object's file below /dev/shm; `pipe:[4711]` is a pipe.
///
/// A queue of the system's is found by its name also where [`objects`] cannot list it.
///
/// # Errors
/// ENOENT: nothing bears it, as far as can be seen. EINVAL: a path leads to something that is none of these.
/// EACCES: the way to it may not be searched.
///
/// ```
/// let error = unipc::survey::find("/no-such-object").unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
/// ```
pub fn find(object: &str) -> Result<Vec<Object>> {
    let operation = "find";
    let none = |cause: String| Error::new(operation, std::path::Path::new(object), libc::ENOENT, cause);
    if object.starts_with("pipe:[") {
        let found = objects(&[Kind::Pipe]).objects.into_iter().filter(|pipe| pipe.name == object);
        let found: Vec<Object> = found.collect();
        return if found.is_empty() { Err(none("no process that can be seen has it".into())) } else { Ok(found) };
    }
    let path = PathBuf::from(object);
    let is_name = object.starts_with('/') && !object[1..].contains('/');
    let mut survey = objects(&[Kind::Queue, Kind::Memory, Kind::Semaphore]);
    survey.objects.retain(|found| found.path.as_ref() == Some(&path) || is_name && found.name == object);
    let queue = |found: &Object| found.engine == Engine::Posix && found.kind == Kind::Queue;
    if is_name && !survey.objects.iter().any(|found| queue(found) && !queues::lost_its_name(found)) {
        if let Some(named) = queues::by_name(object) {
            // One that bore the name before, and that somebody still has, is not in its way.
            survey.objects.retain(|found| !queue(found));
            survey.objects.push(named);
            sort(&mut survey.objects);
        }
    }
    if survey.objects.is_empty() {
        survey.objects.extend(pipes::by_path(operation, &path, is_name)?);
    }
    if survey.objects.is_empty() {
        if !object.contains('/') {
            return Err(none(format!(
                "nothing bears this name; that of an object begins with a slash, as in \"/{object}\""
            )));
        }
        let unseen = survey.unseen.iter().map(|what| format!("; {what}"));
        return Err(none(format!("nothing bears this name{}", unseen.collect::<String>())));
    }
    Ok(survey.objects)
}

impl Object {
    fn new(kind: Kind, engine: Engine, name: String, key: (u64, u64)) -> Object {
        Object {
            kind,
            engine,
            name,
            path: None,
            device: key.0,
            inode: key.1,
            uid: None,
            gid: None,
            mode: None,
            size: None,
            allocated: None,
            made: None,
            changed: None,
            maker: None,
            messages: None,
            sent: None,
            bytes: None,
            max_messages: None,
            message_size: None,
            capacity: None,
            value: None,
            waiting: None,
            notified: None,
            layout: None,
            order: None,
            orphaned: 0,
            openers: Vec::new(),
            participants: Vec::new(),
            trouble: Vec::new(),
            kin: verdict::Kin::default(),
        }
    }

    /// What the file system tells of every object.
    fn note(&mut self, facts: &Facts) {
        (self.uid, self.gid) = (Some(facts.uid), Some(facts.gid));
        self.mode = Some(facts.permissions());
        (self.made, self.changed) = (facts.made, Some(facts.changed));
    }

    fn complain(&mut self, what: &str, errno: Errno) {
        self.trouble.push(format!("{what}: {}", errno.of("look at", "object").cause()));
    }

    /// Looks at the object again, and not at who has it: how much is in it, its value, its participants. That costs
    /// microseconds, where finding objects walks through all processes; so it is fit to be done often.
    ///
    /// # Errors
    /// ENOENT: it is gone; ESTALE: another one has its name now. EPERM, EBADF: of a pipe, it may not be looked into, or
    /// nobody has the same end as before. What else cannot be seen is in [`trouble`](Self::trouble).
    ///
    /// ```
    /// use unipc::{Engine, Queue, survey};
    /// let name = format!("/unipc-doc-refresh-{}", std::process::id());
    /// let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// let mut found = survey::find(&name)?.remove(0);
    /// queue.send(b"an order", 0)?;
    /// found.refresh()?;
    /// assert_eq!(found.messages, Some(1));
    /// # Queue::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn refresh(&mut self) -> Result<()> {
        let again = match self.kind {
            Kind::Pipe | Kind::Fifo => pipes::refresh(self),
            Kind::Queue if self.engine == Engine::Posix => queues::refresh(self),
            _ => memory::refresh(self),
        };
        again.map_err(|errno| {
            let error = errno.of("look at", std::path::Path::new(&self.name));
            if errno.0 == libc::ESTALE { error.because("another one has its name now") } else { error }
        })
    }

    /// Every thread that waits at the object, as far as can be seen; of a participant that could not be found,
    /// nothing is told here.
    ///
    /// ```
    /// for object in unipc::survey::objects(unipc::survey::Kind::ALL).objects {
    ///     for waiter in object.waiters() {
    ///         println!("{} waits at {}", waiter.process, object.name);
    ///     }
    /// }
    /// ```
    pub fn waiters(&self) -> Vec<Waiter> {
        let here = self.participants.iter().filter(|one| one.waits.any() && one.life == Life::Alive);
        let here = here
            .filter_map(|one| Some(Waiter { process: one.process.clone()?, thread: one.thread?, waits: one.waits }));
        self.openers.iter().flat_map(|opener| opener.waiting.iter().cloned()).chain(here).collect()
    }

    /// Those of its participants that hold something: its lock, or messages that they write or read in place.
    ///
    /// ```
    /// use unipc::{Engine, Queue, survey};
    /// let name = format!("/unipc-doc-holders-{}", std::process::id());
    /// let queue = Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(&name)?;
    /// let reserved = queue.reserve(8, 0)?;
    /// assert_eq!(survey::find(&name)?[0].holders().count(), 1);
    /// # reserved.abort();
    /// # Queue::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn holders(&self) -> impl Iterator<Item = &Participant> {
        self.participants.iter().filter(|one| one.locks || one.reserved + one.borrowed > 0)
    }

    /// The processes that have it open or mapped, each once, as far as can be seen.
    ///
    /// ```
    /// let (_reader, _writer) = unipc::pipe()?;
    /// let survey = unipc::survey::objects(&[unipc::survey::Kind::Pipe]);
    /// assert!(survey.objects.iter().any(|pipe| pipe.processes().iter().any(|one| one.number == std::process::id())));
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn processes(&self) -> Vec<Arc<Process>> {
        let mut processes: Vec<Arc<Process>> = self.openers.iter().map(|opener| opener.process.clone()).collect();
        processes.sort_by_key(|process| process.number);
        processes.dedup_by_key(|process| process.number);
        processes
    }

    /// Looks at the first `max` messages of a queue of engine shm, and at up to `bytes` bytes of each, in the order
    /// in which they would be received; takes none, and leaves no trace.
    ///
    /// The queue goes on meanwhile: what is received between the look at the order and the look at the message is
    /// said to have [changed](Peeked::changed). Who may read the file may look.
    ///
    /// # Errors
    /// EOPNOTSUPP: no queue, or one of the system's, which shows a message only to who takes it. ENOENT: it was
    /// removed; ESTALE: another one has its name now. EACCES. EBADMSG, EPROTO: its header is spoiled, or of another
    /// version or machine.
    ///
    /// ```
    /// use unipc::{Queue, survey};
    /// let name = format!("/unipc-doc-peek-posix-{}", std::process::id());
    /// Queue::options().max_messages(2).message_size(16).create(&name)?;
    /// let error = survey::find(&name)?[0].peek(1, 16).unwrap_err();
    /// assert_eq!(error.errno(), libc::EOPNOTSUPP);
    /// # Queue::unlink(&name)?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn peek(&self, max: usize, bytes: usize) -> Result<Vec<Peeked>> {
        segments::peek(self, max, bytes)
    }

    /// Whether it has a name that could be removed from here: not a pipe, nothing whose name was removed before,
    /// nothing of another namespace. Asks nothing about the right to.
    ///
    /// ```
    /// use unipc::{Queue, survey};
    /// let name = format!("/unipc-doc-named-{}", std::process::id());
    /// let queue = Queue::options().max_messages(2).message_size(16).create(&name)?;
    /// assert!(survey::find(&name)?[0].is_named());
    /// Queue::unlink(&name)?;
    /// let objects = survey::objects(&[survey::Kind::Queue]).objects;
    /// assert!(!objects.iter().find(|object| object.name == name).unwrap().is_named());
    /// # drop(queue);
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn is_named(&self) -> bool {
        !matches!(self.kin.way, verdict::Way::None(_))
    }

    /// Removes the object's name, whoever uses it: those who have it open go on with it, as with `unlink`. It is
    /// looked first whether the name still is that of this very object.
    ///
    /// Between that look and the removal another object may take the name, if somebody who may removes this one
    /// and makes that one in these microseconds; the kernel has no way to remove what one has looked at.
    ///
    /// # Errors
    /// ENOENT: it was removed; ESTALE: another one has its name now. EACCES, EPERM: it is another's. EOPNOTSUPP: it
    /// has no name that could be removed from here: a pipe, or an object of another namespace.
    ///
    /// ```
    /// use unipc::{Semaphore, survey};
    /// let name = format!("/unipc-doc-remove-{}", std::process::id());
    /// let semaphore = Semaphore::create(&name, 1)?;
    /// survey::find(&name)?[0].remove()?;
    /// assert!(Semaphore::open(&name).is_err());
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn remove(&self) -> Result<()> {
        verdict::remove(self)
    }

    /// Removes the object's name if nobody has it open or mapped, anywhere: in whatever namespace, by a mapping, by a
    /// descriptor that is on its way through a socket. The kernel vouches for that by a lease (fcntl(2)), and as
    /// long as this has the lease nobody can open the object: from the proof to the removal nobody comes.
    ///
    /// Of a queue of the system's the lease is given back just before: mq_open(3) keeps everybody from the names of all
    /// queues while it waits for a lease. Who opens the queue in that microsecond has one without a name.
    ///
    /// Who begins to open it in these microseconds is made to wait, and comes too late: to unipc it then does not
    /// exist, as is right; another program may be left with an object that has no name any more, as after any
    /// removal in the instant of opening.
    ///
    /// Asks nothing about who made it: that is [`verdict`]'s.
    ///
    /// # Errors
    /// As [`remove`](Self::remove), and EBUSY: somebody has it. EACCES: neither its owner nor privileged.
    /// EOPNOTSUPP also: a FIFO, for which there are no leases.
    ///
    /// ```
    /// use unipc::{Semaphore, survey};
    /// let name = format!("/unipc-doc-unused-{}", std::process::id());
    /// let semaphore = Semaphore::create(&name, 1)?;
    /// let found = survey::find(&name)?.remove(0);
    /// assert_eq!(found.remove_unused().unwrap_err().kind(), std::io::ErrorKind::ResourceBusy);
    /// drop(semaphore);
    /// found.remove_unused()?;
    /// # Ok::<(), unipc::Error>(())
    /// ```
    pub fn remove_unused(&self) -> Result<()> {
        verdict::remove_unused(self)
    }
}
