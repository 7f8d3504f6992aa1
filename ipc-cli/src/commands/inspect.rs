//! `unipc inspect`: one object in full.

use crate::failure::{self, Failure};
use crate::look::{self, Choice, Judged};
use crate::table::{self, Cell, Column, Table};
use crate::text::{self, Names};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;
use unipc::Engine;
use unipc::survey::{Kind, Object, Peeked};

/// Show all that can be told of an object: who has it, who takes part, what is in it.
///
/// OBJECT is a name ("/orders", which may be a queue, a semaphore and memory at once: then all are shown), the
/// path of a FIFO or of a file in /dev/shm, or a pipe as /proc calls it, "pipe:[4711]". Nothing is taken from it,
/// and nothing changes by it.
#[derive(clap::Args)]
#[command(after_help = AFTER)]
pub struct Arguments {
    /// One JSON object, as of 'unipc ls --json', in which queues of engine shm have "peeked"
    #[arg(long)]
    json: bool,

    /// So many messages of a queue of engine shm at most, in the order in which they would be received
    #[arg(long, short, value_name = "COUNT", default_value_t = 10)]
    messages: usize,

    /// So many bytes of each message at most
    #[arg(long, short, value_name = "COUNT", default_value_t = 256)]
    bytes: usize,

    #[command(flatten)]
    choice: Choice,

    /// A name, a path, or pipe:[NUMBER]
    object: String,
}

const AFTER: &str = "\
A queue of engine posix shows its messages only to who takes them: 'unipc receive'.

Exit status: 0; 2 if the arguments make no sense; 3 if there is no such object; 4 if
permission is denied; 125 for anything else; 141 if the reader of the output has left.";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let found = arguments.choice.find(&arguments.object)?;
    let found: Vec<Judged> = found.into_iter().map(Judged::new).collect();
    let users = Names::users();
    let mut out = anstream::stdout().lock();
    if arguments.json {
        let objects: Vec<Value> = found.iter().map(|one| full(arguments, one, &users)).collect();
        writeln!(out, "{}", text::json(&json!({ "objects": objects })))?;
        return Ok(ExitCode::SUCCESS);
    }
    for (index, one) in found.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        show(arguments, one, &users, &mut out)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn can_peek(object: &Object) -> bool {
    object.kind == Kind::Queue && object.engine == Engine::Shm
}

fn peek(arguments: &Arguments, object: &Object) -> Option<Vec<Peeked>> {
    if !can_peek(object) || object.messages.is_none() {
        return None; // why not is among its troubles
    }
    object.peek(arguments.messages, arguments.bytes).map_err(failure::say).ok()
}

fn full(arguments: &Arguments, one: &Judged, users: &Names) -> Value {
    let mut full = one.json(users);
    let peeked = peek(arguments, &one.object).map(|messages| {
        let message = |message: &Peeked| {
            let hex = message.data.iter().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            json!({ "priority": message.priority, "len": message.len, "hex": hex, "changed": message.changed })
        };
        messages.iter().map(message).collect::<Vec<_>>()
    });
    full["peeked"] = json!(peeked);
    full
}

fn show(arguments: &Arguments, one: &Judged, users: &Names, out: &mut impl Write) -> io::Result<()> {
    let object = &one.object;
    let bold = anstyle::Style::new().bold();
    writeln!(out, "{bold}{}{bold:#}", look::title(object))?;
    let mut facts: Vec<(&str, String)> = Vec::new();
    if let Some(path) = &object.path {
        facts.push(("path", text::shown(&path.to_string_lossy())));
    }
    if object.inode != 0 {
        facts.push(("inode", format!("{} on device {}", object.inode, text::device(object.device))));
    }
    if let (Some(uid), Some(mode)) = (object.uid, object.mode) {
        let group = object.gid.map(|gid| Names::groups().of(gid)).unwrap_or_default();
        facts.push(("owner", format!("{} ({uid}), group {group}", users.of(uid))));
        facts.push(("mode", format!("{} ({mode:04o})", text::mode(mode))));
    }
    if let Some(size) = object.size {
        let have = object.allocated.map(|allocated| format!(", {allocated} of them in memory")).unwrap_or_default();
        facts.push(("size", format!("{}{have}", text::count(size, "byte"))));
    }
    if let Some(made) = object.made {
        let by = object.maker.map(|maker| format!(", by process {maker}")).unwrap_or_default();
        facts.push(("made", format!("{}, {} ago{by}", text::date(made), text::age(text::since(made)))));
    }
    let (state, style) = (one.state(), one.style());
    facts.push(("state", format!("{style}{state}{style:#}: {}", text::shown(one.verdict.why()))));
    facts.extend(content(object));
    for trouble in &object.trouble {
        facts.push(("trouble", text::shown(trouble)));
    }
    for (name, value) in facts {
        writeln!(out, "  {name:<9} {value}")?;
    }
    openers(object, users, out)?;
    participants(object, users, out)?;
    if let Some(messages) = peek(arguments, object) {
        dump(object, &messages, out)?;
    }
    Ok(())
}

fn content(object: &Object) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if can_peek(object) {
        if let Some(order) = object.order {
            facts.push(("header", format!("checked, and right; kept {}", kept(order))));
        }
    }
    if let (Some(messages), Some(max), Some(size)) = (object.messages, object.max_messages, object.message_size) {
        let bytes = object.bytes.map(|bytes| format!(", together {}", text::count(bytes, "byte"))).unwrap_or_default();
        facts.push(("messages", format!("{messages} of {max} at most, of {size} bytes each at most{bytes}")));
    } else if let (Some(bytes), Some(capacity)) = (object.bytes, object.capacity) {
        facts.push(("bytes", format!("{bytes} of {capacity} at most")));
    }
    if let Some(value) = object.value {
        let waiting = object.waiting.filter(|&waiting| waiting > 0);
        let waiting = waiting.map(|waiting| format!("; as it counts, {waiting} wait or died waiting"));
        facts.push(("value", format!("{}{}", text::count(u64::from(value), "permit"), waiting.unwrap_or_default())));
    }
    if let Some(process) = object.notified {
        facts.push(("notifies", format!("process {process}, of the next message")));
    }
    if object.orphaned > 0 {
        facts.push(("orphaned", format!("{} held by the dead, to be repaired by who comes to them", object.orphaned)));
    }
    facts
}

fn kept(order: unipc::survey::Order) -> String {
    match order {
        unipc::survey::Order::Fresh => "fresh: nothing was ever sent".into(),
        unipc::survey::Order::Ring(priority) => format!("as a ring: all had priority {priority}"),
        _ => "sorted, by priority".into(),
    }
}

fn heading(out: &mut impl Write, text: &str) -> io::Result<()> {
    let bold = anstyle::Style::new().bold();
    writeln!(out, "\n  {bold}{text}{bold:#}")
}

fn table(titles: &[&str], rows: Vec<Vec<String>>, out: &mut impl Write) -> io::Result<()> {
    let column = |title: &&str| Column { title: (*title).to_owned(), rank: None, right: false };
    let rows = rows.into_iter().map(|row| row.into_iter().map(Cell::from).collect()).collect();
    let mut table = Table { columns: titles.iter().map(column).collect(), rows };
    table.drop_empty();
    table.write(out, "    ", table::terminal()).map(drop)
}

fn openers(object: &Object, users: &Names, out: &mut impl Write) -> io::Result<()> {
    heading(out, if object.openers.is_empty() { "nobody that can be seen has it open" } else { "has it open" })?;
    if object.openers.is_empty() {
        return Ok(());
    }
    let rows = object.openers.iter().map(|opener| {
        let how = match (opener.descriptor, &opener.mapped) {
            (Some(descriptor), _) => format!("fd {descriptor}"),
            (None, Some(range)) => format!("mapped at {:#x}", range.start),
            (None, None) => String::new(),
        };
        let access = [(opener.reads, "r"), (opener.writes, "w")];
        let access: String = access.into_iter().filter_map(|(so, letter)| so.then_some(letter)).collect();
        let waiting = opener
            .waiting
            .iter()
            .map(|waiter| format!("thread {} ({})", waiter.thread, look::waits(object.kind, waiter.waits).join(", ")));
        let process = &opener.process;
        vec![
            process.number.to_string(),
            text::shown(&process.name),
            users.of(process.uid),
            look::age(process.started),
            how,
            access,
            waiting.collect::<Vec<_>>().join("\n"),
            text::shown(&process.command),
        ]
    });
    table(&["PID", "PROGRAM", "USER", "RUNS", "HOW", "ACCESS", "WAITS", "COMMAND"], rows.collect(), out)
}

fn participants(object: &Object, users: &Names, out: &mut impl Write) -> io::Result<()> {
    if object.participants.is_empty() {
        return Ok(());
    }
    heading(out, "takes part")?;
    let rows = object.participants.iter().map(|one| {
        let process = one.process.as_ref();
        let mut holds = look::holds(one);
        if one.notified {
            holds.push_str(if holds.is_empty() { "notification" } else { ", notification" });
        }
        vec![
            process.map_or(one.own_process, |process| process.number).to_string(),
            one.thread.unwrap_or(one.own_thread).to_string(),
            process.map(|process| text::shown(&process.name)).unwrap_or_default(),
            process.map(|process| users.of(process.uid)).unwrap_or_default(),
            text::age(text::since(one.since)),
            one.life.to_string(),
            holds,
            look::waits(object.kind, one.waits).join(", "),
            one.life.why().unwrap_or_default().to_owned(),
        ]
    });
    table(&["PID", "THREAD", "PROGRAM", "USER", "SINCE", "STATE", "HOLDS", "WAITS", "WHY"], rows.collect(), out)
}

fn dump(object: &Object, messages: &[Peeked], out: &mut impl Write) -> io::Result<()> {
    let all = object.messages.unwrap_or(0);
    if all == 0 && messages.is_empty() {
        return Ok(());
    }
    let shown = messages.len();
    heading(out, &format!("messages, as they would be received ({shown} of {all})"))?;
    for (index, message) in messages.iter().enumerate() {
        if message.changed {
            writeln!(out, "    {}: it was received while it was looked at", index + 1)?;
            continue;
        }
        let bytes = text::count(message.len as u64, "byte");
        writeln!(out, "    {}: priority {}, {bytes}", index + 1, message.priority)?;
        for (row, line) in message.data.chunks(16).enumerate() {
            let mut hex = String::new();
            for (index, byte) in line.iter().enumerate() {
                let _ = write!(hex, "{}{byte:02x}", if index == 8 { "  " } else { " " });
            }
            let plain: String =
                line.iter().map(|&byte| if (b' '..=b'~').contains(&byte) { byte as char } else { '.' }).collect();
            writeln!(out, "      {:06x} {hex:<49}  {plain}", row * 16)?;
        }
        if message.data.len() < message.len {
            writeln!(out, "      … {} more", message.len - message.data.len())?;
        }
    }
    Ok(())
}
