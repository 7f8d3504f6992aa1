//! What is measured: a row is one work at one shape, a section a family of rows.

use unipc_contender::{Ability, Kind};

#[derive(Clone, Copy)]
pub struct Shape {
    /// Of a message, in bytes.
    pub size: u32,
    /// How many messages there is room for, where that can be had.
    pub depth: u32,
    pub producers: u32,
    pub consumers: u32,
    pub priorities: u32,
}

const SMALL: Shape = Shape { size: 64, depth: 64, producers: 1, consumers: 1, priorities: 1 };

/// What its figures are in.
#[derive(Clone, Copy, PartialEq)]
pub enum Unit {
    /// ns a message, or whatever the work repeats.
    Nanoseconds,
    /// Of the messages' bytes.
    GigabytesPerSecond,
    /// CPU time: ms in a second.
    Milliseconds,
}

impl Unit {
    pub fn name(self) -> &'static str {
        match self {
            Unit::Nanoseconds => "ns",
            Unit::GigabytesPerSecond => "GB/s",
            Unit::Milliseconds => "ms",
        }
    }
}

pub struct Row {
    pub title: String,
    /// One of those that are works (docs/contenders.md).
    pub work: Ability,
    pub shape: Shape,
    pub unit: Unit,
    /// Of the contenders, beside which floors are seen.
    pub kind: Kind,
    /// Abilities beside the work.
    pub needs: &'static [Ability],
    /// Who has this takes no part.
    pub without: Option<Ability>,
    /// If there are any, only contenders of these names.
    pub names: &'static [&'static str],
    /// Of a run; `None`: as many as fit into its time.
    pub messages: Option<u32>,
    quick: bool,
}

impl Row {
    fn new(title: impl Into<String>, work: Ability, shape: Shape) -> Row {
        Row {
            title: title.into(),
            work,
            shape,
            unit: Unit::Nanoseconds,
            kind: Kind::Messages,
            needs: &[],
            without: None,
            names: &[],
            messages: None,
            quick: true,
        }
    }

    fn quick(self, quick: bool) -> Row {
        Row { quick, ..self }
    }
}

/// A picture of a section.
#[derive(Clone, Copy)]
pub enum Plot {
    /// Messages a second by size.
    Throughput,
    /// What share of the messages took how long.
    Latency,
    /// ns a message by producers and consumers.
    Many,
}

pub struct Section {
    pub title: &'static str,
    /// What is done, and how it is to be read.
    pub about: &'static str,
    pub plot: Option<Plot>,
    /// Beside the time: the CPU time of all sides.
    pub cpu: bool,
    pub rows: Vec<Row>,
}

pub fn size(bytes: u32) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

pub fn sections(quick: bool) -> Vec<Section> {
    let mut all = vec![throughput(), bulk(), slots(), many(), priorities(), ping_pong(), asleep(), pair(), open()];
    all.extend([semaphores(), idle()]);
    for section in &mut all {
        section.rows.retain(|row| row.quick || !quick);
        for row in &mut section.rows {
            row.messages = row.messages.map(|messages| if quick { messages.div_ceil(3) } else { messages });
        }
    }
    all.retain(|section| !section.rows.is_empty());
    all
}

fn throughput() -> Section {
    let row = |size| {
        Row::new(format!("{}, one to one", self::size(size)), Ability::Stream, Shape { size, ..SMALL })
            .quick(matches!(size, 64 | 4096))
    };
    Section {
        title: "Throughput",
        about: "From one process to another, on two processors, both as fast as they can. Room for 64 messages where \
                it is counted in messages; pipes and sockets have what the system gives them. CPU time is of both \
                sides, in ns a message, which is ms for a million.",
        plot: Some(Plot::Throughput),
        cpu: true,
        rows: [8, 64, 256, 1024, 4096, 65536].into_iter().map(row).collect(),
    }
}

fn bulk() -> Section {
    let shape = Shape { size: 1 << 20, depth: 8, ..SMALL };
    let row = Row::new("1 MiB, one to one", Ability::Stream, shape);
    let row = Row { unit: Unit::GigabytesPerSecond, without: Some(Ability::InPlace), ..row };
    Section {
        title: "Bulk",
        about: "Large messages from one process to another, room for eight of them. In place nothing is moved, \
                however large it is, and so nothing is measured here.",
        plot: None,
        cpu: false,
        rows: vec![row],
    }
}

fn slots() -> Section {
    let row =
        Row { needs: &[Ability::Depth], ..Row::new("64 B, 10 slots", Ability::Stream, Shape { depth: 10, ..SMALL }) };
    Section {
        title: "Little room",
        about: "As throughput, with room for ten messages, which is what the kernel allows a queue by default.",
        plot: None,
        cpu: false,
        rows: vec![row],
    }
}

fn many() -> Section {
    let row = |(producers, consumers)| {
        let shape = Shape { producers, consumers, ..SMALL };
        let title = format!("64 B, {producers} to {consumers}");
        Row { needs: &[Ability::Many], ..Row::new(title, Ability::Stream, shape) }
            .quick((producers, consumers) == (2, 2))
    };
    Section {
        title: "Many producers and consumers",
        about: "Producers to consumers, each a process, one object for all of them. The kernel chooses where they run, but \
                for one to one.",
        plot: Some(Plot::Many),
        cpu: false,
        rows: [(1, 1), (1, 2), (2, 1), (2, 2), (4, 4)].into_iter().map(row).collect(),
    }
}

fn priorities() -> Section {
    let shape = |depth| Shape { depth, priorities: 8, ..SMALL };
    let row = |depth| {
        let title = format!("eight priorities, {depth} deep");
        Row { needs: &[Ability::Priorities, Ability::Depth], ..Row::new(title, Ability::Stream, shape(depth)) }
            .quick(depth == 64)
    };
    let full = Row::new("eight priorities, 1024 deep at every moment, one process", Ability::Pair, shape(1024));
    let full = Row { needs: &[Ability::Priorities, Ability::Depth], ..full }.quick(false);
    Section {
        title: "Priorities, mixed",
        about: "Messages of 64 bytes, and who receives gets the highest first; the queue is full when it begins.",
        plot: None,
        cpu: false,
        rows: [10, 64, 256, 1024].into_iter().map(row).chain([full]).collect(),
    }
}

fn ping_pong() -> Section {
    let large = Row::new("4 KiB in place, there and back", Ability::PingPong, Shape { size: 4096, ..SMALL });
    Section {
        title: "Ping-pong",
        about: "A message there and one back, again and again, by calls that block; who spins stays awake, who does \
                not sleeps in the kernel meanwhile. The median is of the rounds, by one look at the clock before \
                and one after; p50, p99 and p99.9 are of messages timed one by one, all rounds together.",
        plot: Some(Plot::Latency),
        cpu: false,
        rows: vec![
            Row::new("64 B, there and back", Ability::PingPong, SMALL),
            Row { needs: &[Ability::InPlace], ..large }.quick(false),
        ],
    }
}

fn asleep() -> Section {
    Section {
        title: "Wake-up",
        about: "From before the send until the receiver, who has slept for a millisecond, has the message: one way.",
        plot: None,
        cpu: false,
        rows: vec![Row { messages: Some(50), ..Row::new("64 B, the receiver asleep", Ability::Asleep, SMALL) }],
    }
}

fn pair() -> Section {
    Section {
        title: "In one process",
        about: "A send and the receive of it: what the calls themselves cost.",
        plot: None,
        cpu: false,
        rows: vec![Row::new("64 B, send and receive", Ability::Pair, SMALL)],
    }
}

fn open() -> Section {
    Section {
        title: "Open and close",
        about: "Of an object that is there.",
        plot: None,
        cpu: false,
        rows: vec![Row::new("open and close", Ability::Open, SMALL)],
    }
}

fn semaphores() -> Section {
    let row = |title, work| Row { kind: Kind::Semaphore, ..Row::new(title, work, SMALL) };
    Section {
        title: "Semaphores",
        about: "Post and wait in one process; and two processes that wake each other in turn, with a semaphore for \
                each direction.",
        plot: None,
        cpu: false,
        rows: vec![row("semaphore: post and wait", Ability::Pair), row("semaphore: ping-pong", Ability::PingPong)],
    }
}

fn idle() -> Section {
    let row = Row {
        names: &["unipc shm", "mqueue", "boost"],
        unit: Unit::Milliseconds,
        messages: Some(1),
        ..Row::new("waiting for a message, and for room", Ability::Idle, SMALL)
    };
    Section {
        title: "Idle",
        about: "CPU time of a second in which two processes only wait, in ms.",
        plot: None,
        cpu: false,
        rows: vec![row.quick(false)],
    }
}
