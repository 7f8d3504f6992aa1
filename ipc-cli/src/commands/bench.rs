//! `unipc bench`: contenders side by side.

mod contest;
mod ours;
mod plan;
mod plot;
mod program;
mod report;
mod statistics;

use crate::exit;
use crate::failure::{self, Failure, plain};
use crate::signals::Signals;
use crate::table::{self, Table};
use crate::text;
use contest::{Contest, Outcome, Settings};
use fastrand::Rng;
use indicatif::{ProgressBar, ProgressStyle};
use plan::{Row, Section};
use plot::Palette;
use program::{Absent, Contender, Program};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

/// Measure what unipc and others cost on this machine, side by side
///
/// Contenders take turns within each round, in another order each time, on two processors of their own where there
/// are two. All carry the same messages and check each of them. What is shown is the median of the rounds with the
/// least and the greatest, and how many times what unipc costs the others do: the median of the rounds' own ratios.
///
/// The command itself has unipc's own engines, the system's pipes, FIFOs, message queues, sockets and semaphores, and
/// what the machine leaves to nobody: a cache line's way between two processors, a bare system call, a copy of
/// memory, a futex. Others are brought by programs: see --contender.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  unipc bench                       all, in some minutes
  unipc bench --quick 64            rows with 64 in their title, few and short rounds
  unipc bench --only mqueue         unipc and the kernel's queue

Written to the folder: report.md, results.tsv (a line for each contender and row), ratios.tsv (each
pair of a row), and plots as SVG.

Exit status:
  0    all that took part have done what they were asked
  1    one of them failed, which is said
  2    the arguments make no sense
  125  anything else
  141  whoever reads the output has left")]
pub struct Arguments {
    /// Only rows whose title has one of these words
    #[arg(value_name = "WORK")]
    works: Vec<String>,

    /// Few and short rounds of some of the rows: about a minute
    #[arg(long)]
    quick: bool,

    /// Rounds of each row [default: 7; quick: 3]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: Option<u16>,

    /// How long a contender works in a round, about [default: 50ms; quick: 20ms]
    #[arg(long, value_name = "TIME", value_parser = crate::values::duration)]
    time: Option<Duration>,

    /// Also the contenders of this program (docs/contenders.md)
    #[arg(long = "contender", value_name = "PROGRAM")]
    programs: Vec<PathBuf>,

    /// Beside unipc only contenders whose name or language has this in it
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,

    /// A run that takes longer has failed, and is killed
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = crate::values::duration)]
    patience: Duration,

    /// The folder for what is written; it is made if it is not there
    #[arg(long, value_name = "FOLDER", default_value = "unipc-bench")]
    output: PathBuf,

    /// Say what would be measured, and measure nothing
    #[arg(long)]
    list: bool,

    /// Be a program of contenders
    #[arg(long, hide = true)]
    serve: bool,
}

const FILES: [&str; 3] = ["report.md", "results.tsv", "ratios.tsv"];

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.serve {
        return serve(&arguments.works);
    }
    let mut signals = Signals::catch()?;
    let (began, busy_before) = (Instant::now(), busy());
    let Field { mut programs, contenders, absent } = Field::enter(arguments, &mut signals)?;
    let sections = chosen(arguments)?;
    if arguments.list {
        list(&sections, &contenders, &absent)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (rounds, time) = if arguments.quick { (3, 20) } else { (7, 50) };
    let settings = Settings {
        rounds: arguments.rounds.map_or(rounds, usize::from),
        time: arguments.time.unwrap_or(Duration::from_millis(time)),
        cpus: processors()?,
    };
    let folder = &arguments.output;
    make(folder)?;
    let mut contest =
        Contest { programs: &mut programs, signals: &mut signals, settings: &settings, random: Rng::with_seed(3) };
    let mut report = title(&settings);
    show(&report)?;
    let outcomes = hold(&mut contest, &sections, &contenders, folder, &mut report)?;
    drop(programs); // whose processes' time is known when they have ended
    let mut remarks = String::from("\n");
    if settings.cpus[0] == settings.cpus[1] {
        remarks += "Only one processor was allowed, and both sides ran on it.\n";
    }
    let (machine, family) = busy();
    let others = (machine - busy_before.0 - (family - busy_before.1)).max(0.0) / began.elapsed().as_secs_f64();
    let verdict = if others > 0.1 { ": too much for the figures to be trusted" } else { "" };
    let _ = writeln!(remarks, "Others kept {:.0} % of a processor busy meanwhile{verdict}.", 100.0 * others);
    remarks += &report::absent(&absent);
    report += &remarks;
    show(&remarks)?;
    for (name, text) in FILES.into_iter().zip([report, report::results(&outcomes), report::ratios(&outcomes)]) {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| own(&format!("write {}", path.display()), &error))?;
    }
    failure::say(format_args!("bench: written to {}", folder.display()));
    let failed = outcomes.iter().any(|outcome| !outcome.failed.is_empty());
    Ok(ExitCode::from(u8::from(failed)))
}

/// Who takes part, and who could.
#[derive(Default)]
struct Field {
    programs: Vec<Program>,
    contenders: Vec<Contender>,
    absent: Vec<Absent>,
}

impl Field {
    /// Starts the programs, and hears what they have.
    fn enter(arguments: &Arguments, signals: &mut Signals) -> Result<Field, Failure> {
        let this = std::env::current_exe().map_err(|error| own("find this program", &error))?;
        let mut lines: Vec<Vec<OsString>> = vec![vec![this.into(), "bench".into(), "--serve".into()]];
        lines.extend(arguments.programs.iter().map(|program| vec![program.into()]));
        let mut field = Field::default();
        for (number, line) in lines.into_iter().enumerate() {
            let (program, has, lacks) = Program::start(line, number, arguments.patience, signals)?;
            field.programs.push(program);
            field.contenders.extend(has.into_iter().filter(|contender| wanted(contender, &arguments.only)));
            field.absent.extend(lacks);
        }
        Ok(field)
    }
}

/// The sections, with the rows that are asked for.
fn chosen(arguments: &Arguments) -> Result<Vec<Section>, Failure> {
    let words: Vec<String> = arguments.works.iter().map(|word| word.to_lowercase()).collect();
    let mut sections = plan::sections(arguments.quick);
    for section in &mut sections {
        section.rows.retain(|row| {
            let title = row.title.to_lowercase();
            words.is_empty() || words.iter().any(|word| title.contains(word))
        });
    }
    sections.retain(|section| !section.rows.is_empty());
    if sections.is_empty() {
        return Err(Failure::usage("bench", "no row has such a word in its title; --list shows them"));
    }
    Ok(sections)
}

/// Makes the folder and its files: not to be told after minutes that they cannot be written.
fn make(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| own(&format!("make the folder {}", folder.display()), &error))?;
    for name in FILES {
        let path = folder.join(name);
        let file = fs::OpenOptions::new().append(true).create(true).open(&path);
        file.map_err(|error| own(&format!("write {}", path.display()), &error))?;
    }
    Ok(())
}

/// Holds all rows; what is said of each is shown, and added to the report.
fn hold<'a>(
    contest: &mut Contest,
    sections: &'a [Section],
    contenders: &'a [Contender],
    folder: &Path,
    report: &mut String,
) -> Result<Vec<Outcome<'a>>, Failure> {
    let concerned = |row: &Row| contenders.iter().filter(|one| one.takes_part(row)).collect::<Vec<&Contender>>();
    let rows = || sections.iter().flat_map(|section| &section.rows);
    let turns: usize = rows().map(|row| concerned(row).len() * (1 + contest.settings.rounds)).sum();
    let bar = ProgressBar::new(turns as u64); // which is not drawn where standard error is no terminal
    let style = ProgressStyle::with_template("{bar:24} {percent:>3} %  {elapsed} of about {duration}  {wide_msg}");
    bar.set_style(style.expect("the template is right"));
    let palette = Palette::new(contenders);
    let mut outcomes: Vec<Outcome> = Vec::new();
    for section in sections {
        let heading = format!("\n{}", report::heading(section));
        bar.suspend(|| show(&heading))?;
        *report += &heading;
        let first = outcomes.len();
        for row in &section.rows {
            let outcome = contest.hold(section, row, &concerned(row), |contender| {
                // Drawn between the runs, so that nothing else runs beside them.
                bar.set_message(format!("{}: {contender}", row.title));
                bar.inc(1);
            });
            let outcome = outcome.inspect_err(|_| bar.finish_and_clear())?;
            let (mut table, missing) = (report::row(&outcome), report::missing(&outcome));
            let markdown = format!("\n{}{missing}", report::markdown(&table));
            let shown = match table::terminal() {
                Some(width) => fitting(&mut table, width)? + &missing,
                None => markdown.clone(),
            };
            bar.suspend(|| show(&shown))?;
            *report += &markdown;
            outcomes.push(outcome);
        }
        if let Some(plot) = section.plot {
            let files = plot::draw(plot, &outcomes[first..], &palette, folder);
            for file in files.map_err(|error| own("draw a plot", &error))? {
                let _ = write!(report, "\n![{}]({file})\n", section.title);
            }
        }
    }
    bar.finish_and_clear();
    Ok(outcomes)
}

/// As a terminal of that width shows it.
fn fitting(table: &mut Table, width: usize) -> Result<String, Failure> {
    let mut shown = Vec::from(b"\n");
    table.write(&mut shown, "", Some(width))?;
    Ok(String::from_utf8_lossy(&shown).into_owned())
}

/// What standard output has of it at once, also when it goes into a file.
fn show(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

fn own(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(exit::OWN, format_args!("{what}: {error}"))
}

/// `unipc bench --serve`: speaks the protocol, or removes what a run has left.
fn serve(words: &[String]) -> Result<ExitCode, Failure> {
    let contenders: Vec<_> =
        ours::contenders().into_iter().chain(unipc_contender::system()).chain(unipc_contender::floor()).collect();
    let served = match words {
        [] => unipc_contender::serve(&contenders),
        [clean, name] if clean == "clean" => unipc_contender::clean(&contenders, name),
        _ => return Err(Failure::usage("bench", "--serve is for unipc bench itself")),
    };
    served.map_err(|error| own("serve", &plain(&error)))?;
    Ok(ExitCode::SUCCESS)
}

fn wanted(contender: &Contender, only: &[String]) -> bool {
    let named = contender.to_string().to_lowercase();
    let ours = contender.name.starts_with("unipc");
    only.is_empty() || ours || only.iter().any(|one| named.contains(&one.to_lowercase()))
}

fn list(sections: &[Section], contenders: &[Contender], absent: &[Absent]) -> Result<(), Failure> {
    let mut text = String::new();
    for section in sections {
        let _ = writeln!(text, "{}", section.title);
        for row in &section.rows {
            let _ = writeln!(text, "  {}", row.title);
            let named: Vec<String> =
                contenders.iter().filter(|one| one.takes_part(row)).map(ToString::to_string).collect();
            let _ = writeln!(text, "    {}", named.join(", "));
        }
    }
    let waits: BTreeSet<String> = contenders.iter().map(|one| format!("{one}: {}", one.waits)).collect();
    let _ = writeln!(text, "How they wait");
    for line in waits {
        let _ = writeln!(text, "  {line}");
    }
    show(&(text + &report::absent(absent)))
}

/// The machine, and how it was asked.
fn title(settings: &Settings) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let [one, other] = settings.cpus;
    format!(
        "# unipc bench\n\n{}; {} processors, of which {one} and {other} were used; Linux {}; unipc {}; {}.\n\
         {} rounds of about {} ms for each contender, in turns; medians, in brackets the least and the greatest.\n",
        model.map_or("an unnamed processor", |(_, name)| name.trim()),
        info.lines().filter(|line| line.starts_with("processor")).count().max(1),
        read("/proc/sys/kernel/osrelease").trim(),
        env!("CARGO_PKG_VERSION"),
        text::date(SystemTime::now()),
        settings.rounds,
        settings.time.as_millis(),
    )
}

/// Two that this process may run on, no two threads of one core if there are others.
fn processors() -> Result<[usize; 2], Failure> {
    let set = rustix::thread::sched_getaffinity(None).map_err(|error| own("ask for the processors", &error))?;
    let allowed: Vec<usize> = (0..rustix::thread::CpuSet::MAX_CPU).filter(|&one| set.is_set(one)).collect();
    let core = |one: usize| {
        let of = |what| fs::read_to_string(format!("/sys/devices/system/cpu/cpu{one}/topology/{what}")).ok();
        (of("physical_package_id"), of("core_id"))
    };
    let first = allowed.first().copied().unwrap_or(0);
    let apart = allowed.iter().copied().find(|&one| core(one) != core(first));
    Ok([first, apart.or(allowed.get(1).copied()).unwrap_or(first)])
}

/// Seconds of computing: of the whole machine, and of it this process's children.
fn busy() -> (f64, f64) {
    const TICKS: f64 = 100.0; // a second; USER_HZ, which is the same everywhere
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let sum =
        |fields: &mut dyn Iterator<Item = &str>| -> f64 { fields.filter_map(|one| one.parse::<f64>().ok()).sum() };
    let (stat, own) = (read("/proc/stat"), read("/proc/self/stat"));
    let machine = sum(&mut stat.lines().next().unwrap_or_default().split_whitespace().skip(1).take(3));
    // Behind the name in parentheses: utime, stime, cutime and cstime are the 12th to the 15th.
    let family = sum(&mut own.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(4));
    (machine / TICKS, family / TICKS)
}
