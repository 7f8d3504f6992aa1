//! Objects as the commands see them: found by arguments, judged, and said.

use crate::exit;
use crate::failure::Failure;
use crate::text::{self, Names};
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::time::SystemTime;
use unipc::Engine;
use unipc::survey::{self, Kind, Life, Object, Opener, Participant, Process, Verdict, Waits};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineArgument {
    Posix,
    Shm,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KindArgument {
    #[value(alias = "pipe")]
    Pipes,
    #[value(alias = "fifo")]
    Fifos,
    #[value(alias = "queue")]
    Queues,
    Memory,
    #[value(alias = "semaphore")]
    Semaphores,
}

impl From<KindArgument> for Kind {
    fn from(argument: KindArgument) -> Kind {
        match argument {
            KindArgument::Pipes => Kind::Pipe,
            KindArgument::Fifos => Kind::Fifo,
            KindArgument::Queues => Kind::Queue,
            KindArgument::Memory => Kind::Memory,
            KindArgument::Semaphores => Kind::Semaphore,
        }
    }
}

/// The kinds that are meant, each once; all where none is said.
pub fn kinds(said: &[KindArgument]) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for kind in said.iter().map(|&kind| kind.into()) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if kinds.is_empty() { vec![Kind::Queue, Kind::Memory, Kind::Semaphore, Kind::Fifo, Kind::Pipe] } else { kinds }
}

/// Which of the objects that bear a name are meant.
#[derive(clap::Args)]
pub struct Choice {
    /// Only objects of this kind
    #[arg(long, short, value_enum)]
    kind: Option<KindArgument>,

    /// Only objects of this engine
    #[arg(long, short, value_enum)]
    engine: Option<EngineArgument>,
}

impl Choice {
    pub fn has(&self, object: &Object) -> bool {
        let engine = match object.engine {
            Engine::Shm => EngineArgument::Shm,
            _ => EngineArgument::Posix,
        };
        self.kind.is_none_or(|kind| object.kind == kind.into()) && self.engine.is_none_or(|wanted| wanted == engine)
    }

    /// All that bear the name and are meant.
    pub fn find(&self, name: &str) -> Result<Vec<Object>, Failure> {
        let mut found = survey::find(name)?;
        let others = found.iter().map(title).collect::<Vec<_>>().join(", ");
        found.retain(|object| self.has(object));
        if found.is_empty() {
            let sentence = format!("find {name}: what bears this name is {others}");
            return Err(Failure::new(exit::NOT_THERE, sentence));
        }
        Ok(found)
    }
}

/// "queue /orders (shm)"
pub fn title(object: &Object) -> String {
    let name = text::shown(&object.name);
    match object.kind {
        Kind::Queue => format!("queue {name} ({})", object.engine),
        Kind::Pipe => name,
        kind => format!("{kind} {name}"),
    }
}

/// An object, and what is certain of it.
pub struct Judged {
    pub object: Object,
    pub verdict: Verdict,
}

impl Judged {
    pub fn new(object: Object) -> Judged {
        Judged { verdict: survey::verdict(&object), object }
    }

    pub fn state(&self) -> &'static str {
        match self.verdict {
            Verdict::Alive(_) => "alive",
            Verdict::Dead(_) => "dead",
            Verdict::Unused(_) => "unused",
            Verdict::Unknown(_) => "unknown",
        }
    }

    pub fn style(&self) -> Style {
        let color = match self.verdict {
            Verdict::Alive(_) => AnsiColor::Green,
            Verdict::Dead(_) => AnsiColor::Red,
            Verdict::Unused(_) => AnsiColor::Yellow,
            Verdict::Unknown(_) => AnsiColor::Magenta,
        };
        color.on_default()
    }

    pub fn json(&self, users: &Names) -> Value {
        let Judged { object, verdict } = self;
        json!({
            "kind": object.kind.to_string(),
            "name": object.name,
            "engine": object.engine.to_string(),
            "path": object.path.as_ref().map(|path| path.to_string_lossy()),
            "device": object.device,
            "inode": object.inode,
            "owner": object.uid.map(|uid| users.of(uid)),
            "uid": object.uid,
            "gid": object.gid,
            "mode": object.mode.map(|mode| format!("{mode:04o}")),
            "size": object.size,
            "allocated": object.allocated,
            "made": object.made.map(text::unix),
            "changed": object.changed.map(text::unix),
            "maker": object.maker,
            "messages": object.messages,
            "sent": object.sent,
            "max_messages": object.max_messages,
            "message_size": object.message_size,
            "bytes": object.bytes,
            "capacity": object.capacity,
            "value": object.value,
            "notified": object.notified,
            "order": object.order.map(|order| order.to_string()),
            "orphaned": object.orphaned,
            "state": self.state(),
            "why": verdict.why(),
            "openers": object.openers.iter().map(opener).collect::<Vec<_>>(),
            "participants": object.participants.iter().map(participant).collect::<Vec<_>>(),
            "waiters": object.waiters().iter().map(|waiter| json!({
                "pid": waiter.process.number,
                "thread": waiter.thread,
                "program": waiter.process.name,
                "for": waits(object.kind, waiter.waits),
            })).collect::<Vec<_>>(),
            "trouble": object.trouble,
        })
    }
}

fn opener(opener: &Opener) -> Value {
    json!({
        "pid": opener.process.number,
        "program": opener.process.name,
        "command": opener.process.command,
        "uid": opener.process.uid,
        "started": opener.process.started.map(text::unix),
        "descriptor": opener.descriptor,
        "mapped": opener.mapped.as_ref().map(|range| [range.start, range.end]),
        "reads": opener.reads,
        "writes": opener.writes,
    })
}

fn participant(one: &Participant) -> Value {
    json!({
        "place": one.place,
        "pid": one.process.as_ref().map(|process| process.number),
        "thread": one.thread,
        "program": one.process.as_ref().map(|process| &process.name),
        "uid": one.process.as_ref().map(|process| process.uid),
        "own_process": one.own_process,
        "own_thread": one.own_thread,
        "since": text::unix(one.since),
        "state": one.life.to_string(),
        "why": one.life.why(),
        "waits_for": waits(Kind::Queue, one.waits),
        "reserved": one.reserved,
        "borrowed": one.borrowed,
        "locks": one.locks,
        "notified": one.notified,
    })
}

/// What for, in words.
pub fn waits(kind: Kind, waits: Waits) -> Vec<&'static str> {
    let (receive, send) = match kind {
        Kind::Pipe | Kind::Fifo => ("read", "write"),
        Kind::Semaphore => ("wait", "post"),
        _ => ("receive", "send"),
    };
    let each = [(waits.to_receive, receive), (waits.to_send, send), (waits.watches, "watch")];
    each.into_iter().filter_map(|(so, word)| so.then_some(word)).collect()
}

/// How a process has an object, all its descriptors and mappings taken together: "rw".
pub struct Holding<'a> {
    pub process: &'a Process,
    pub reads: bool,
    pub writes: bool,
}

impl Holding<'_> {
    pub fn how(&self) -> &'static str {
        match (self.reads, self.writes) {
            (true, true) => "rw",
            (true, false) => "r",
            (false, true) => "w",
            (false, false) => "",
        }
    }
}

/// Each process that has it, once.
pub fn holdings(object: &Object) -> Vec<Holding<'_>> {
    let mut found: Vec<Holding> = Vec::new();
    for opener in &object.openers {
        let process = &*opener.process;
        match found.iter_mut().find(|one| one.process.number == process.number) {
            Some(one) => (one.reads, one.writes) = (one.reads || opener.reads, one.writes || opener.writes),
            None => found.push(Holding { process, reads: opener.reads, writes: opener.writes }),
        }
    }
    found.sort_by_key(|one| one.process.number);
    found
}

/// What it has in its hands: "lock, 1 reserved, 2 borrowed".
pub fn holds(one: &Participant) -> String {
    let count = |count: usize, how: &str| (count > 0).then(|| format!("{count} {how}"));
    let each = [one.locks.then(|| "lock".to_owned()), count(one.reserved, "reserved"), count(one.borrowed, "borrowed")];
    each.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// "4711 orderd", or what it calls itself where it was not found.
pub fn name_of(one: &Participant) -> String {
    match (&one.process, &one.life) {
        (Some(process), _) => program(process),
        (None, Life::Dead(_)) => format!("{} (dead)", one.own_process),
        (None, _) => format!("{} (unknown)", one.own_process),
    }
}

/// "4711 orderd"
pub fn program(process: &Process) -> String {
    format!("{} {}", process.number, text::shown(&process.name))
}

/// How old it is.
pub fn age(made: Option<SystemTime>) -> String {
    made.map_or_else(String::new, |made| text::age(text::since(made)))
}
