//! `unipc top`: the same as `unipc ls`, live.

use crate::exit;
use crate::failure::Failure;
use crate::look::{self, KindArgument};
use crate::table;
use crate::text;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Alignment, Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Row, Table};
use ratatui::{DefaultTerminal, Frame};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::collections::HashMap;
use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use unipc::survey::{self, Kind, Object, Survey};

/// Watch how much is in objects, what comes and goes, and who waits.
///
/// Full-screen, on a terminal. DEPTH counts the messages of a queue, the bytes of a pipe or FIFO, the permits of a
/// semaphore; IN and OUT what came and went, a second. Queues of engine shm alone tell that: of all else it is
/// known by how much it grew or shrank, and so "≥5" that at least so many came.
#[derive(clap::Args)]
#[command(after_help = AFTER)]
pub struct Arguments {
    /// Seconds between two looks
    #[arg(long, short, value_name = "SECONDS", default_value = "1", value_parser = interval)]
    interval: Duration,

    /// Only these kinds
    #[arg(value_enum, value_name = "KIND")]
    kinds: Vec<KindArgument>,
}

const AFTER: &str = "\
On less than 64 columns the rates and the counts of processes are left out.

Keys: q leaves; s sorts by the next of name, depth, rate, waiters; up, down, page up,
page down, home and end move. Looking costs some 0.1 ms for each process of the machine.

Exit status: 0 after q; 2 if the arguments make no sense or there is no terminal; 125 if
the terminal fails. A signal ends it as any other command, and the terminal is put back.";

fn interval(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.1..=3600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "it is not a number from 0.1 to 3600".into())
}

/// A signal is noticed after this at the latest.
const SIGNAL: Duration = Duration::from_millis(100);

/// With less than this, rates and counts of processes are left out.
const WIDE: usize = 64;

/// What all columns but the names and who waits take, with the blanks between all.
fn others(width: usize) -> usize {
    if width < WIDE { 9 + 9 + 3 } else { 9 + 9 + 7 + 7 + 4 + 4 + 7 }
}

/// The columns that there is room for.
fn fitting<T>(width: usize, columns: [T; 8]) -> Vec<T> {
    let each = columns.into_iter().enumerate();
    each.filter(|(at, _)| width >= WIDE || !(3..7).contains(at)).map(|(_, column)| column).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Name,
    Depth,
    Rate,
    Waiters,
}

impl Sort {
    fn next(self) -> Sort {
        match self {
            Sort::Name => Sort::Depth,
            Sort::Depth => Sort::Rate,
            Sort::Rate => Sort::Waiters,
            Sort::Waiters => Sort::Name,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Sort::Name => "name",
            Sort::Depth => "depth",
            Sort::Rate => "rate",
            Sort::Waiters => "waiters",
        }
    }
}

/// An object, as a line shows it.
struct Watched {
    object: Object,
    depth: Option<u64>,
    rate: Rate,
    waiters: Vec<String>,
}

/// What came and went, a second; nothing at the first look.
#[derive(Clone, Copy, Default)]
struct Rate {
    came: f64,
    went: f64,
    /// At least so much: what came and went again in between was not seen.
    at_least: bool,
}

/// What is compared with the next look.
#[derive(Clone, Copy)]
struct Before {
    at: Instant,
    depth: u64,
    sent: Option<u64>,
}

impl Rate {
    fn between(before: Before, now: Before) -> Rate {
        let seconds = now.at.duration_since(before.at).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let a_second = |count: u64| count as f64 / seconds;
        let (grown, shrunk) = (now.depth.saturating_sub(before.depth), before.depth.saturating_sub(now.depth));
        match before.sent.zip(now.sent) {
            Some((then, now)) => {
                let came = now.saturating_sub(then);
                let went = (came + shrunk).saturating_sub(grown);
                Rate { came: a_second(came), went: a_second(went), at_least: false }
            }
            None => Rate { came: a_second(grown), went: a_second(shrunk), at_least: true },
        }
    }

    fn shown(self, rate: f64) -> String {
        let sign = if self.at_least { "≥" } else { "" };
        match rate {
            0.05.. if rate < 99.95 => format!("{sign}{rate:.1}"),
            0.05.. if rate < 999_999.5 => format!("{sign}{rate:.0}"),
            0.05.. => format!("{sign}{:.0}M", rate / 1e6),
            _ => String::new(),
        }
    }
}

fn depth(object: &Object) -> Option<u64> {
    object.messages.or(object.bytes).or(object.value.map(u64::from))
}

type Key = (Kind, u64, u64);

fn key(object: &Object) -> Key {
    (object.kind, object.device, object.inode)
}

struct Screen {
    kinds: Vec<Kind>,
    interval: Duration,
    watched: Vec<Watched>,
    unseen: usize,
    before: HashMap<Key, Before>,
    sort: Sort,
    first: usize,
    /// How many lines of objects there is room for.
    page: usize,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if !std::io::stdout().is_terminal() {
        let sentence = "standard output is no terminal; 'unipc ls' shows the same once";
        return Err(Failure::usage("top", sentence));
    }
    if table::terminal().is_none() {
        let sentence = "the terminal does not say how large it is; tell it by 'stty rows 24 columns 80'";
        return Err(Failure::usage("top", sentence));
    }
    let caught = Arc::new(AtomicUsize::new(0));
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
        signal_hook::flag::register_usize(signal, caught.clone(), signal as usize)?;
    }
    let mut screen = Screen {
        kinds: look::kinds(&arguments.kinds),
        interval: arguments.interval,
        watched: Vec::new(),
        unseen: 0,
        before: HashMap::new(),
        sort: Sort::Name,
        first: 0,
        page: 0,
    };
    let terminal = ratatui::try_init().map_err(failed)?; // puts it back after a panic, too
    let outcome = screen.serve(terminal, &caught);
    ratatui::restore();
    match caught.load(Ordering::Relaxed) {
        0 => outcome.map(|()| ExitCode::SUCCESS).map_err(failed),
        signal => Err(Failure::signal(signal as i32)),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is for map_err")]
fn failed(error: std::io::Error) -> Failure {
    Failure::new(exit::OWN, format_args!("use the terminal: {}", crate::failure::plain(&error)))
}

/// Where keys come from: as ratatui has it.
fn keys() -> std::io::Result<File> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() { Ok(stdin.as_fd().try_clone_to_owned()?.into()) } else { File::open("/dev/tty") }
}

/// Waits for a key, less than a second. That it has gone is an error: who reads events then is never told, and never ends.
fn wait_for(keys: &File, time: Duration) -> std::io::Result<()> {
    let mut watched = [PollFd::new(keys, PollFlags::IN)];
    let time = Timespec { tv_sec: 0, tv_nsec: time.subsec_nanos().into() };
    match poll(&mut watched, Some(&time)) {
        Err(Errno::INTR) => return Ok(()),
        outcome => outcome?,
    };
    let shown = watched[0].revents();
    if shown.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

fn leaves(key: KeyEvent) -> bool {
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}

impl Screen {
    fn serve(&mut self, mut terminal: DefaultTerminal, caught: &AtomicUsize) -> std::io::Result<()> {
        let mut next = Instant::now();
        let keys = keys()?;
        loop {
            if caught.load(Ordering::Relaxed) != 0 {
                return Ok(());
            }
            if Instant::now() >= next {
                self.look();
                next = Instant::now() + self.interval;
                terminal.draw(|frame| self.draw(frame))?;
            }
            wait_for(&keys, next.saturating_duration_since(Instant::now()).min(SIGNAL))?;
            let mut changed = false;
            // All that came: the reader of events has taken them off the terminal together, where they are waited for.
            while event::poll(Duration::ZERO)? {
                match event::read()? {
                    Event::Key(key) if leaves(key) => return Ok(()),
                    Event::Key(key) => changed |= self.obey(key.code),
                    _ => changed = true, // another size
                }
            }
            if changed {
                terminal.draw(|frame| self.draw(frame))?;
            }
        }
    }

    /// Whether the key means anything.
    fn obey(&mut self, key: KeyCode) -> bool {
        match key {
            KeyCode::Char('s') => {
                self.sort = self.sort.next();
                self.order();
            }
            KeyCode::Up => self.first = self.first.saturating_sub(1),
            KeyCode::Down => self.first = self.first.saturating_add(1).min(self.last()),
            KeyCode::PageUp => self.first = self.first.saturating_sub(self.page),
            KeyCode::PageDown => self.first = self.first.saturating_add(self.page).min(self.last()),
            KeyCode::Home => self.first = 0,
            KeyCode::End => self.first = self.last(),
            _ => return false,
        }
        true
    }

    /// The first line when the end is shown.
    fn last(&self) -> usize {
        self.watched.len().saturating_sub(self.page)
    }

    fn look(&mut self) {
        let Survey { objects, unseen, .. } = survey::objects(&self.kinds);
        let now = Instant::now();
        let watched = objects.into_iter().map(|object| {
            let depth = depth(&object);
            let current = depth.map(|depth| Before { at: now, depth, sent: object.sent });
            let before = self.before.get(&key(&object)).copied();
            let rate = before.zip(current).map_or_else(Rate::default, |(before, now)| Rate::between(before, now));
            let waiter = |waiter: &survey::Waiter| {
                let what = look::waits(object.kind, waiter.waits).join(", ");
                format!("{} ({what})", look::program(&waiter.process))
            };
            let waiters: Vec<String> = object.waiters().iter().map(waiter).collect();
            Watched { object, depth, rate, waiters }
        });
        self.watched = watched.collect();
        let before = |one: &Watched| Some(Before { at: now, depth: one.depth?, sent: one.object.sent });
        self.before = self.watched.iter().filter_map(|one| Some((key(&one.object), before(one)?))).collect();
        self.unseen = unseen.len();
        self.order();
    }

    fn order(&mut self) {
        let place = |kind: Kind| self.kinds.iter().position(|&one| one == kind);
        let rate = |one: &Watched| one.rate.came + one.rate.went;
        self.watched.sort_by(|a, b| {
            let first = match self.sort {
                Sort::Name => std::cmp::Ordering::Equal,
                Sort::Depth => b.depth.cmp(&a.depth),
                Sort::Rate => rate(b).total_cmp(&rate(a)),
                Sort::Waiters => b.waiters.len().cmp(&a.waiters.len()),
            };
            let names = (place(a.object.kind), &a.object.name).cmp(&(place(b.object.kind), &b.object.name));
            first.then(names)
        });
    }

    /// How wide names are shown, and who waits: what the other columns leave, more of it to who needs more.
    fn share(&self, width: usize) -> (usize, usize) {
        let room = width.saturating_sub(others(width));
        let shown = || self.watched.iter().skip(self.first).take(self.page);
        let longest = shown().map(|one| text::width(&text::shown(&one.object.name))).max().unwrap_or(0);
        let waiters = shown().filter_map(|one| one.waiters.first()).map(|first| text::width(first)).max().unwrap_or(0);
        let name = longest.min(room.saturating_sub(waiters).max(room * 3 / 5)).max(4);
        (name, room.saturating_sub(name))
    }

    fn draw(&mut self, frame: &mut Frame) {
        let [title, body, foot] =
            Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
        self.page = usize::from(body.height).saturating_sub(1);
        self.first = self.first.min(self.last());
        let waiting: usize = self.watched.iter().map(|one| one.waiters.len()).sum();
        let (objects, waiting) =
            (text::count(self.watched.len() as u64, "object"), text::count(waiting as u64, "waiter"));
        let unseen = if self.unseen > 0 { "; not all can be seen" } else { "" };
        let bold = Style::new().add_modifier(Modifier::BOLD);
        frame.render_widget(Line::styled(format!("unipc top: {objects}, {waiting}{unseen}"), bold), title);
        let clock = text::date(std::time::SystemTime::now());
        if title.width > 70 {
            frame.render_widget(Line::from(clock).alignment(Alignment::Right), title);
        }
        let keys = format!("q leaves   s sorts (by {})   arrows move", self.sort.name());
        frame.render_widget(Line::styled(keys, Style::new().add_modifier(Modifier::DIM)), foot);
        let width = usize::from(body.width);
        let (name, waiting) = self.share(width);
        let right = |text: String| Cell::from(Text::from(text).alignment(Alignment::Right));
        let titles = ["KIND", "NAME", "DEPTH", "IN/s", "OUT/s", "OPEN", "HELD", "WAITING"];
        let titles = fitting(width, titles).into_iter().map(|title| match title {
            "DEPTH" | "IN/s" | "OUT/s" | "OPEN" | "HELD" => right(title.into()),
            _ => Cell::from(title),
        });
        let rows = self.watched.iter().skip(self.first).take(self.page).map(|one| {
            let object = &one.object;
            let (holders, more) = (object.holders().count(), one.waiters.len().saturating_sub(1));
            let waiters = one.waiters.first().cloned().unwrap_or_default();
            let waiters = if more > 0 { format!("{waiters} and {more} more") } else { waiters };
            let cells = [
                Cell::from(object.kind.to_string()),
                Cell::from(text::clipped(&text::shown(&object.name), name)),
                right(shown_depth(one)),
                right(one.rate.shown(one.rate.came)).style(Color::Yellow),
                right(one.rate.shown(one.rate.went)).style(Color::Yellow),
                right(object.processes().len().to_string()),
                right(if holders > 0 { holders.to_string() } else { String::new() }),
                Cell::from(text::clipped(&waiters, waiting)).style(Color::Cyan),
            ];
            Row::new(fitting(width, cells))
        });
        let widths = fitting(width, [9, name, 9, 7, 7, 4, 4, waiting]);
        let widths = widths.into_iter().map(|width| Constraint::Length(width as u16));
        let header = Row::new(titles).style(Style::new().add_modifier(Modifier::REVERSED));
        frame.render_widget(Table::new(rows, widths).header(header), body);
    }
}

/// "3/10", "12K/64K"
fn shown_depth(one: &Watched) -> String {
    let object = &one.object;
    match (object.messages, object.max_messages, object.bytes, object.capacity) {
        (Some(messages), Some(max), ..) => format!("{messages}/{max}"),
        (_, _, Some(bytes), Some(capacity)) => format!("{}/{}", text::bytes(bytes), text::bytes(capacity)),
        _ => one.depth.map(|depth| depth.to_string()).unwrap_or_default(),
    }
}
