//! What is said of a contest: Markdown for people, tabs for programs.

use super::contest::{Entrant, Outcome};
use super::plan::{Row, Section, Unit};
use super::program::Absent;
use super::statistics::Spread;
use std::fmt::Write;

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

/// A table of Markdown that is a table on a terminal, too.
fn table(titles: &[&str], right: &[bool], rows: &[Vec<String>]) -> String {
    let width = |at: usize| {
        let cells = rows.iter().map(|row| row[at].as_str()).chain([titles[at]]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).zip(right).map(|((cell, &width), right)| {
            if *right { format!(" {cell:>width$} |") } else { format!(" {cell:<width$} |") }
        });
        format!("|{}\n", padded.collect::<String>())
    };
    let rules = widths.iter().zip(right).map(|(&width, right)| {
        if *right { format!("{}:|", "-".repeat(width + 1)) } else { format!("{}|", "-".repeat(width + 2)) }
    });
    let mut text = line(&mut titles.iter().copied());
    let _ = writeln!(text, "|{}", rules.collect::<String>());
    for row in rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

/// A name as a cell has it.
fn cell(name: &str) -> String {
    name.replace('|', r"\|")
}

/// What a section says before its rows.
pub fn heading(section: &Section) -> String {
    format!("## {}\n\n{}\n", section.title, section.about)
}

/// A row: its contenders, the best first.
pub fn row(outcome: &Outcome) -> String {
    let row = outcome.row;
    let unit = row.unit.name();
    let mut titles = vec![row.title.clone(), "in".into(), "waits".into(), format!("{unit} [least-most]")];
    let cpu = outcome.section.cpu;
    let samples = outcome.entrants.iter().any(|entrant| entrant.quantile(0.5).is_some());
    if cpu {
        titles.push("CPU ns".into());
    }
    if samples {
        titles.extend(["p50".into(), "p99".into(), "p99.9".into()]);
    }
    titles.push("over unipc's [least-most]".into());
    let line = |entrant: &Entrant| {
        let who = entrant.contender;
        let mut cells = vec![cell(&who.name), cell(&who.language), cell(&who.waits)];
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
        cells
    };
    let right: Vec<bool> = (0..titles.len()).map(|at| at > 2).collect();
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    let mut text = table(&titles, &right, &outcome.entrants.iter().map(line).collect::<Vec<_>>());
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
                shape.depth,
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
