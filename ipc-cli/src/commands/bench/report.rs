//! What is said of a contest: Markdown for people, tabs for programs.

use super::contest::{Entrant, Outcome};
use super::plan::{Row, Section, Unit};
use super::program::Absent;
use super::statistics::Spread;
use crate::table::{Cell, Column, Table};
use crate::text;
use std::fmt::Write;
use unipc_contender::Ability;

/// Three digits, or all before the point.
fn figure(value: f64) -> String {
    match value {
        _ if value < 9.995 => format!("{value:.2}"),
        _ if value < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn spread(spread: Spread) -> String {
    format!("{} [{}-{}]", figure(spread.median), figure(spread.least), figure(spread.most))
}

/// What a row's figures are, from what a message costs.
pub fn in_unit(row: &Row, cost: Spread) -> Spread {
    match row.unit {
        Unit::Nanoseconds => cost,
        Unit::GigabytesPerSecond => cost.inverse(|ns| f64::from(row.shape.size) / ns),
        Unit::Milliseconds => Spread { median: cost.median / 1e6, least: cost.least / 1e6, most: cost.most / 1e6 },
    }
}

/// A table as Markdown has it, and readable as it stands.
pub fn markdown(table: &Table) -> String {
    let text = |cell: &Cell| cell.text.replace('|', r"\|");
    let rows: Vec<Vec<String>> = table.rows.iter().map(|row| row.iter().map(text).collect()).collect();
    let widest = |(at, column): (usize, &Column)| {
        let cells = rows.iter().map(|row| row[at].as_str()).chain([column.title.as_str()]);
        cells.map(text::width).max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = table.columns.iter().enumerate().map(widest).collect();
    let mut written = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        for (at, cell) in cells.enumerate() {
            let blanks = " ".repeat(widths[at] - text::width(cell));
            let (before, after) = if table.columns[at].right { (&*blanks, "") } else { ("", &*blanks) };
            let _ = write!(written, "| {before}{cell}{after} ");
        }
        written += "|\n";
    };
    line(&mut table.columns.iter().map(|column| column.title.as_str()));
    let rules: Vec<String> = table.columns.iter().zip(&widths).map(|(column, width)| rule(column, *width)).collect();
    line(&mut rules.iter().map(String::as_str));
    for row in &rows {
        line(&mut row.iter().map(String::as_str));
    }
    written
}

fn rule(column: &Column, width: usize) -> String {
    if column.right { format!("{}:", "-".repeat(width - 1)) } else { "-".repeat(width) }
}

/// What a section says before its rows.
pub fn heading(section: &Section) -> String {
    format!("## {}\n\n{}\n", section.title, section.about)
}

/// A row: its contenders, the best first. What a narrow terminal can do without has a rank.
pub fn row(outcome: &Outcome) -> Table {
    let row = outcome.row;
    let cpu = outcome.section.cpu;
    let samples = outcome.entrants.iter().any(|entrant| entrant.quantile(0.5).is_some());
    let left = |title: &str, rank| Column { title: title.into(), rank, right: false };
    let right = |title: &str, rank| Column { title: title.into(), rank, right: true };
    let mut columns = vec![left(&row.title, None), left("in", None), left("waits", Some(1))];
    columns.push(right(&format!("{} [least-most]", row.unit.name()), None));
    if cpu {
        columns.push(right("CPU ns", Some(2)));
    }
    if samples {
        columns.extend([right("p50", Some(3)), right("p99", Some(5)), right("p99.9", Some(4))]);
    }
    columns.push(right("time over unipc's [least-most]", Some(6)));
    let line = |entrant: &Entrant| {
        let who = entrant.contender;
        let mut cells = vec![who.name.clone(), who.language.clone(), who.waits.clone()];
        cells.push(spread(in_unit(row, entrant.cost())));
        if cpu {
            cells.push(entrant.cpu().map(|cpu| figure(cpu.median)).unwrap_or_default());
        }
        if samples {
            let of = |share| entrant.quantile(share).map(|ns| ns.to_string()).unwrap_or_default();
            cells.extend([of(0.5), of(0.99), of(0.999)]);
        }
        cells.push(match outcome.baseline(entrant) {
            Some(ours) if std::ptr::eq(ours, entrant) => "1".into(),
            Some(ours) => ours.ratio(entrant).map(spread).unwrap_or_default(),
            None => String::new(),
        });
        cells.into_iter().map(Cell::from).collect()
    };
    Table { columns, rows: outcome.entrants.iter().map(line).collect() }
}

/// Who is not in the row, or not as it says, and why.
pub fn missing(outcome: &Outcome) -> String {
    let mut text = String::new();
    let (work, shape) = (outcome.row.work, &outcome.row.shape);
    for entrant in outcome.entrants.iter().filter(|_| work == Ability::Stream || shape.priorities > 1) {
        if let Some(depth) = entrant.depth {
            let _ = writeln!(text, "\nNot as deep: {} has room for {depth} messages here", entrant.contender);
        }
    }
    for (who, why) in &outcome.cannot {
        let _ = writeln!(text, "\nLeft out: {who}: {why}");
    }
    for (who, why) in &outcome.failed {
        let _ = writeln!(text, "\nFAILED: {who}: {why}");
    }
    text
}

pub fn absent(absent: &[Absent]) -> String {
    let mut text = String::new();
    for Absent { name, language, remedy } in absent {
        let _ = writeln!(text, "skipped: {name} ({language}) is not installed: {remedy}");
    }
    text
}

/// A line a contender and row; the rounds, in ns, are in the order of their medians' row.
pub fn results(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "section\trow\twork\tsize\tdepth\tproducers\tconsumers\tpriorities\tcontender\tlanguage\twaits\tunit\tmedian\t\
         least\tmost\tcpu_ns\tp50_ns\tp99_ns\tp999_ns\trounds\n",
    );
    for outcome in outcomes {
        let (row, shape) = (outcome.row, &outcome.row.shape);
        for entrant in &outcome.entrants {
            let who = entrant.contender;
            let Spread { median, least, most } = in_unit(row, entrant.cost());
            let cpu = entrant.cpu().map(|cpu| format!("{:.2}", cpu.median)).unwrap_or_default();
            let of = |share| entrant.quantile(share).map(|ns| ns.to_string()).unwrap_or_default();
            let rounds: Vec<String> = entrant.costs.iter().map(|cost| format!("{cost:.2}")).collect();
            let _ = writeln!(
                text,
                "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{median:.3}\t{least:.3}\t{most:.3}\t{cpu}\t{}\t{}\t{}\t{}",
                outcome.section.title,
                row.title,
                row.work.name(),
                shape.size,
                entrant.depth.unwrap_or(shape.depth),
                shape.producers,
                shape.consumers,
                shape.priorities,
                who.name,
                who.language,
                who.waits,
                row.unit.name(),
                of(0.5),
                of(0.99),
                of(0.999),
                rounds.join(",")
            );
        }
    }
    text
}

/// A line for each pair of each row: how many times what the one costs the other does.
pub fn ratios(outcomes: &[Outcome]) -> String {
    let mut text = String::from("row\tcontender\tlanguage\tother\tother_language\tratio\tleast\tmost\n");
    for outcome in outcomes {
        for (at, one) in outcome.entrants.iter().enumerate() {
            for other in &outcome.entrants[at + 1..] {
                let Some(Spread { median, least, most }) = one.ratio(other) else { continue };
                let (who, whom) = (one.contender, other.contender);
                let _ = writeln!(
                    text,
                    "{}\t{}\t{}\t{}\t{}\t{median:.3}\t{least:.3}\t{most:.3}",
                    outcome.row.title, who.name, who.language, whom.name, whom.language
                );
            }
        }
    }
    text
}
