//! `unipc ls`: which objects there are, and who has them.

use crate::failure::{self, Failure};
use crate::look::{self, Judged, KindArgument, holdings};
use crate::table::{self, Cell, Column, Table};
use crate::text::{self, Names};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use unipc::survey::{self, Kind};

/// List pipes, FIFOs, queues, memory and semaphores, and who has them.
///
/// Of each kind a table. Of the processes of other users only root is told; what could not be looked at is
/// said on standard error, with the reason. Nothing that is looked at changes by it.
#[derive(clap::Args)]
#[command(after_help = "'unipc ls --help' tells more.", after_long_help = AFTER)]
pub struct Arguments {
    /// One JSON object with all that is known, in "objects", and in "unseen" what is not
    #[arg(long, conflicts_with_all = ["raw", "columns"])]
    json: bool,

    /// One line an object, tabs between the columns, no titles: for scripts
    ///
    /// What does not apply, or could not be seen, is "-". Numbers are whole: bytes, seconds, process numbers
    /// with commas in between. Control characters in names are escaped. Columns are those of -o, or kind, name,
    /// engine, owner, mode, size, messages, bytes, value, age, openers, holder, waiters, state.
    #[arg(long)]
    raw: bool,

    /// These columns, in this order, commas in between
    #[arg(long = "columns", short = 'o', value_name = "COLUMNS", value_enum, value_delimiter = ',')]
    columns: Vec<Field>,

    /// Only these kinds
    #[arg(value_enum, value_name = "KIND")]
    kinds: Vec<KindArgument>,
}

const AFTER: &str = "\
Columns:
  messages  in a queue, of how many at most
  bytes     in a queue or pipe, of how many at most
  value     permits of a semaphore
  openers   who has it open or mapped, for (r)eading, (w)riting
  holder    who has the lock of a queue of engine shm, or writes
            (reserved) or reads (borrowed) messages in place; the
            dead, too
  waiters   who sleeps to receive, send, read, write, or wait for
            a permit; 'watch': in poll(2) or alike, which takes nothing
  state     alive    somebody has it
            dead     nobody has it, and its maker is gone
            unused   nobody has it; who may come back is unknown
            unknown  it cannot be told; the column why says why

On a terminal that is too narrow for all, columns that matter less are left out, and
that is said; the output elsewhere has all of them. Queues of engine posix that no
process has open are listed where an mqueue file system is mounted ('unipc doctor').

Examples:
  unipc ls queues
  unipc ls -o name,state,why
  unipc ls --raw -o state,kind,name | awk -F'\\t' '$1 == \"dead\"'

Exit status: 0, also if there is nothing; 2 if the arguments make no sense; 125 if
standard output cannot be written, 141 if its reader has left.";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Field {
    Kind,
    Name,
    Engine,
    Owner,
    Mode,
    Size,
    Messages,
    Bytes,
    Value,
    Age,
    Openers,
    Holder,
    Waiters,
    State,
    Why,
    Path,
    Inode,
}

impl Field {
    const RAW: [Field; 14] = [
        Field::Kind,
        Field::Name,
        Field::Engine,
        Field::Owner,
        Field::Mode,
        Field::Size,
        Field::Messages,
        Field::Bytes,
        Field::Value,
        Field::Age,
        Field::Openers,
        Field::Holder,
        Field::Waiters,
        Field::State,
    ];

    /// In a table of one kind.
    const TABLE: [Field; 13] = [
        Field::Name,
        Field::Engine,
        Field::Owner,
        Field::Mode,
        Field::Size,
        Field::Messages,
        Field::Bytes,
        Field::Value,
        Field::Age,
        Field::State,
        Field::Openers,
        Field::Holder,
        Field::Waiters,
    ];

    fn column(self, may_go: bool) -> Column {
        let value = self.to_possible_value().expect("each has a name");
        let rank = match self {
            Field::Size => 0,
            Field::Mode => 1,
            Field::Bytes => 2,
            Field::Age => 3,
            Field::Owner => 4,
            Field::Engine => 5,
            _ => u8::MAX,
        };
        let right =
            matches!(self, Field::Size | Field::Messages | Field::Bytes | Field::Value | Field::Age | Field::Inode);
        Column { title: value.get_name().to_uppercase(), rank: (may_go && rank < u8::MAX).then_some(rank), right }
    }

    /// As people read it.
    fn cell(self, one: &Judged, users: &Names) -> Cell {
        let object = &one.object;
        let of = |count: Option<u64>, most: Option<u64>, say: fn(u64) -> String| match (count, most) {
            (Some(count), Some(most)) => format!("{}/{}", say(count), say(most)),
            (count, _) => count.map(say).unwrap_or_default(),
        };
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        Cell::from(match self {
            Field::Kind => object.kind.to_string(),
            Field::Name => text::shown(&object.name),
            Field::Engine => object.engine.to_string(),
            Field::Owner => object.uid.map(|uid| users.of(uid)).unwrap_or_default(),
            Field::Mode => object.mode.map(text::mode).unwrap_or_default(),
            Field::Size => object.size.map(text::bytes).unwrap_or_default(),
            Field::Messages => of(object.messages, object.max_messages, |number| number.to_string()),
            Field::Bytes => of(object.bytes, object.capacity, text::bytes),
            Field::Value => number(object.value.map(u64::from)),
            Field::Age => look::age(object.made),
            Field::Openers => lines(holdings(object).iter().map(|one| {
                let how = one.how();
                let program = look::program(one.process);
                if how.is_empty() { program } else { format!("{program} ({how})") }
            })),
            Field::Holder => lines(object.holders().map(|one| format!("{}: {}", look::name_of(one), look::holds(one)))),
            Field::Waiters => lines(object.waiters().iter().map(|waiter| {
                let (program, what) =
                    (look::program(&waiter.process), look::waits(object.kind, waiter.waits).join(", "));
                if what.is_empty() { program } else { format!("{program} ({what})") }
            })),
            Field::State => return Cell { text: one.state().to_owned(), style: one.style() },
            Field::Why => one.verdict.why().to_owned(),
            Field::Path => object.path.as_ref().map(|path| text::shown(&path.to_string_lossy())).unwrap_or_default(),
            Field::Inode => object.inode.to_string(),
        })
    }

    /// As scripts read it; empty where there is nothing.
    fn raw(self, one: &Judged, users: &Names) -> String {
        let object = &one.object;
        let numbers = |each: Vec<u32>| each.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        match self {
            Field::Mode => object.mode.map(|mode| format!("{mode:04o}")).unwrap_or_default(),
            Field::Size => number(object.size),
            Field::Messages => number(object.messages),
            Field::Bytes => number(object.bytes),
            Field::Age => number(object.made.map(|made| text::since(made).as_secs())),
            Field::Openers => numbers(holdings(object).iter().map(|one| one.process.number).collect()),
            Field::Holder => {
                let number = |one: &survey::Participant| one.process.as_ref().map_or(one.own_process, |it| it.number);
                numbers(object.holders().map(number).collect())
            }
            Field::Waiters => numbers(object.waiters().iter().map(|waiter| waiter.process.number).collect()),
            _ => self.cell(one, users).text,
        }
    }
}

/// More processes are only counted.
const SHOWN: usize = 8;

fn lines(each: impl Iterator<Item = String>) -> String {
    let mut each: Vec<String> = each.collect();
    if each.len() > SHOWN {
        let rest = each.split_off(SHOWN - 1);
        each.push(format!("… {} more", rest.len()));
    }
    each.join("\n")
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let kinds = look::kinds(&arguments.kinds);
    let survey = survey::objects(&kinds);
    let objects: Vec<Judged> = survey.objects.into_iter().map(Judged::new).collect();
    let users = Names::users();
    let mut out = anstream::stdout().lock();
    if arguments.json {
        let objects: Vec<Value> = objects.iter().map(|one| one.json(&users)).collect();
        writeln!(out, "{}", text::json(&json!({ "objects": objects, "unseen": survey.unseen })))?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.raw {
        let columns = if arguments.columns.is_empty() { &Field::RAW[..] } else { &arguments.columns };
        for one in &objects {
            let fields = columns.iter().map(|column| Some(column.raw(one, &users)).filter(|text| !text.is_empty()));
            let fields: Vec<String> = fields.map(|field| field.unwrap_or_else(|| "-".into())).collect();
            writeln!(out, "{}", fields.join("\t"))?;
        }
    } else {
        show(arguments, &kinds, &objects, &users, &mut out)?;
    }
    out.flush()?;
    drop(out);
    say_trouble(&objects, &survey.unseen);
    Ok(ExitCode::SUCCESS)
}

fn show(
    arguments: &Arguments,
    kinds: &[Kind],
    objects: &[Judged],
    users: &Names,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let width = table::terminal();
    let table = |columns: &[Field], rows: &mut dyn Iterator<Item = &Judged>, may_go: bool| Table {
        columns: columns.iter().map(|column| column.column(may_go)).collect(),
        rows: rows.map(|one| columns.iter().map(|column| column.cell(one, users)).collect()).collect(),
    };
    if !arguments.columns.is_empty() {
        table(&arguments.columns, &mut objects.iter(), false).write(out, "", width)?;
        return Ok(());
    }
    let bold = anstyle::Style::new().bold();
    let mut left_out = Vec::new();
    let mut first = true;
    for &kind in kinds {
        let mut rows = objects.iter().filter(|one| one.object.kind == kind).peekable();
        if rows.peek().is_none() {
            continue;
        }
        let mut table = table(&Field::TABLE, &mut rows, true);
        table.drop_empty();
        let count = text::count(table.rows.len() as u64, &kind.to_string());
        writeln!(out, "{}{bold}{}{bold:#}", if first { "" } else { "\n" }, count)?;
        first = false;
        for title in table.write(out, "  ", width)? {
            if !left_out.contains(&title) {
                left_out.push(title);
            }
        }
    }
    if first {
        let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
        writeln!(out, "nothing was found ({})", kinds.join(", "))?;
    }
    if !left_out.is_empty() {
        let dim = anstyle::Style::new().dimmed();
        writeln!(out, "\n{dim}too narrow for {}; see -o{dim:#}", left_out.join(", ").to_lowercase())?;
    }
    Ok(())
}

/// Each sentence once, with those whom it is about.
fn say_trouble(objects: &[Judged], unseen: &[String]) {
    let mut about: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in objects {
        for trouble in &one.object.trouble {
            about.entry(trouble).or_default().push(&one.object.name);
        }
    }
    for (trouble, mut names) in about {
        let more = names.len().saturating_sub(3);
        names.truncate(3);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        failure::say(format_args!("{}{more}: {trouble}", names.join(", ")));
    }
    for what in unseen {
        failure::say(format_args!("not looked into: {what}"));
    }
}
