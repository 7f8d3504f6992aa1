//! Pictures of a contest, as SVG.

use super::contest::{Entrant, Outcome};
use super::plan::{self, Plot};
use super::program::Contender;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::ops::Range;
use std::path::Path;
use unipc_contender::Kind;

const WIDTH: u32 = 960;
const HEIGHT: u32 = 540;
const LEGEND: u32 = 240;
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(51, 51, 51);
const GRID: RGBColor = RGBColor(225, 225, 225);
const FLOOR: RGBColor = RGBColor(150, 150, 150);
/// unipc's own.
const OURS: [RGBColor; 5] =
    [RGBColor(101, 84, 192), RGBColor(0, 40, 100), RGBColor(0, 135, 150), RGBColor(0, 82, 204), RGBColor(76, 154, 255)];
/// What else there is takes these in turn.
const OTHERS: [RGBColor; 16] = [
    RGBColor(222, 53, 11),
    RGBColor(255, 139, 0),
    RGBColor(54, 133, 66),
    RGBColor(191, 38, 130),
    RGBColor(121, 85, 72),
    RGBColor(158, 157, 36),
    RGBColor(233, 120, 140),
    RGBColor(0, 0, 0),
    RGBColor(110, 190, 110),
    RGBColor(190, 150, 60),
    RGBColor(136, 14, 79),
    RGBColor(255, 205, 40),
    RGBColor(0, 77, 64),
    RGBColor(183, 110, 190),
    RGBColor(130, 0, 0),
    RGBColor(84, 110, 30),
];

/// Which of the contenders a picture has: all in one would hide each other.
#[derive(Clone, Copy, PartialEq)]
enum Group {
    Compiled,
    Python,
}

impl Group {
    fn has(self, entrant: &Entrant) -> bool {
        let floor = entrant.contender.kind == Kind::Floor;
        floor || (self == Group::Python) == (entrant.contender.language == "Python")
    }
}

struct Line {
    label: String,
    points: Vec<(f64, f64)>,
    color: RGBColor,
    stroke: u32,
    /// The points are measured; what is between them is not.
    dots: bool,
}

struct Picture<'a> {
    title: String,
    y_title: &'a str,
    x_title: &'a str,
    /// Where something stands on the x axis, and what.
    ticks: Vec<(f64, String)>,
    lines: Vec<Line>,
    /// The best of a picture is at its top.
    rising: bool,
}

/// Each contender's color, the same in all pictures.
pub struct Palette(BTreeMap<String, RGBColor>);

impl Palette {
    pub fn new(contenders: &[Contender]) -> Palette {
        let (mut ours, mut others) = (OURS.iter().copied().cycle(), OTHERS.iter().copied().cycle());
        let names: BTreeSet<&String> =
            contenders.iter().filter(|one| one.kind == Kind::Messages).map(|one| &one.name).collect();
        let color = |name: &String| if name.starts_with("unipc") { ours.next() } else { others.next() };
        let colors = names.iter().copied().map(color).map(|color| color.unwrap_or(FLOOR)).collect::<Vec<_>>();
        Palette(names.into_iter().cloned().zip(colors).collect())
    }
}

/// Writes what `plot` has to show of `outcomes` into the folder; the names of the files.
pub fn draw(plot: Plot, outcomes: &[Outcome], palette: &Palette, folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut files = Vec::new();
    for (group, suffix, of) in [(Group::Compiled, "", ""), (Group::Python, "-python", ", from Python")] {
        let (name, mut picture) = match plot {
            Plot::Throughput => ("throughput", throughput(outcomes, group, of)),
            Plot::Latency => ("latency", latency(outcomes, group, of)),
            Plot::Many => ("many", many(outcomes, group, of)),
        };
        for line in &mut picture.lines {
            line.color = palette.0.get(&line.label).copied().unwrap_or(FLOOR);
        }
        if picture.lines.iter().any(|line| line.color != FLOOR) && picture.ticks.len() > 1 {
            let file = format!("{name}{suffix}.svg");
            picture.save(&folder.join(&file))?;
            files.push(file);
        }
    }
    Ok(files)
}

/// A line for each contender that is named once, C's before others.
fn lines<'a>(
    outcomes: &'a [Outcome],
    group: Group,
    point: impl Fn(i32, &'a Entrant<'a>) -> Vec<(f64, f64)>,
) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let all = || outcomes.iter().flat_map(|outcome| &outcome.entrants).filter(|entrant| group.has(entrant));
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for who in all().map(|entrant| entrant.contender) {
        let better = all().any(|other| other.contender.name == who.name && other.contender.language == "C");
        let named = (who.name.as_str(), who.language.as_str());
        if seen.contains(&named) || (better && who.language != "C") {
            continue;
        }
        seen.push(named);
        let of = |outcome: &'a Outcome| {
            let same = |one: &&Entrant| one.contender.name == who.name && one.contender.language == who.language;
            outcome.entrants.iter().find(same)
        };
        let points = (0..).zip(outcomes).filter_map(|(at, outcome)| Some(point(at, of(outcome)?)));
        let ours = who.name.starts_with("unipc");
        lines.push(Line {
            label: who.name.clone(),
            points: points.flatten().collect(),
            color: FLOOR,
            stroke: if ours { 3 } else { 2 },
            dots: true,
        });
    }
    lines
}

fn throughput<'a>(outcomes: &[Outcome], group: Group, of: &str) -> Picture<'a> {
    let ticks = (0..).zip(outcomes).map(|(at, outcome)| (f64::from(at), plan::size(outcome.row.shape.size)));
    Picture {
        title: format!("Throughput, one process to another{of}"),
        y_title: "messages a second",
        x_title: "size of a message",
        ticks: ticks.collect(),
        lines: lines(outcomes, group, |at, entrant| vec![(f64::from(at), 1e9 / entrant.cost().median)]),
        rising: true,
    }
}

fn many<'a>(outcomes: &[Outcome], group: Group, of: &str) -> Picture<'a> {
    let title = |outcome: &Outcome| format!("{} to {}", outcome.row.shape.producers, outcome.row.shape.consumers);
    Picture {
        title: format!("What a message costs among several processes, 64 B{of}"),
        y_title: "ns a message",
        x_title: "producers to consumers",
        ticks: (0..).zip(outcomes).map(|(at, outcome)| (f64::from(at), title(outcome))).collect(),
        lines: lines(outcomes, group, |at, entrant| vec![(f64::from(at), entrant.cost().median)]),
        rising: false,
    }
}

/// The first row, as a distribution: right is rarer, by powers of ten.
fn latency<'a>(outcomes: &[Outcome], group: Group, of: &str) -> Picture<'a> {
    const STEPS: u32 = 120;
    let curve = |_, entrant: &Entrant| {
        let at = |step: u32| {
            let rarity = 3.3 * f64::from(step) / f64::from(STEPS);
            entrant.quantile(1.0 - 10f64.powf(-rarity)).map(|ns| (rarity, f64::from(ns.max(1))))
        };
        (4..=STEPS).filter_map(at).collect()
    };
    let mut lines = lines(&outcomes[..outcomes.len().min(1)], group, curve);
    lines.retain(|line| !line.points.is_empty());
    for line in &mut lines {
        line.dots = false;
    }
    let ticks = [(0.301, "50 %"), (1.0, "90 %"), (2.0, "99 %"), (3.0, "99.9 %")];
    Picture {
        title: format!("Ping-pong, there and back, 64 B{of}"),
        y_title: "ns",
        x_title: "of the messages take no longer",
        ticks: ticks.map(|(at, label)| (at, label.to_owned())).into(),
        lines,
        rising: false,
    }
}

/// The decades of a logarithmic axis.
fn decades(lines: &[Line]) -> Range<i32> {
    let values = || lines.iter().flat_map(|line| &line.points).map(|point| point.1.log10());
    let least = values().fold(f64::INFINITY, f64::min);
    let most = values().fold(f64::NEG_INFINITY, f64::max);
    least.floor() as i32..(most.ceil() as i32).max(least.floor() as i32 + 1)
}

/// An axis of powers of ten.
struct Decades(Range<i32>);

impl Ranged for Decades {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let (from, to) = (f64::from(self.0.start), f64::from(self.0.end));
        let share = (value.log10() - from) / (to - from);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        (self.0.start..=self.0.end).map(|power| 10f64.powi(power)).collect()
    }

    fn range(&self) -> Range<f64> {
        10f64.powi(self.0.start)..10f64.powi(self.0.end)
    }
}

impl ValueFormatter<f64> for Decades {
    fn format_ext(&self, value: &f64) -> String {
        match *value {
            value if value >= 1e6 => format!("{} M", value / 1e6),
            value if value >= 1e3 => format!("{} k", value / 1e3),
            value => value.to_string(),
        }
    }
}

impl Picture<'_> {
    fn save(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let root = SVGBackend::new(path, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&WHITE)?;
        let (left, legend) = root.split_horizontally(WIDTH - LEGEND);
        let first = self.ticks.first().map_or(0.0, |tick| tick.0);
        let last = self.ticks.last().map_or(1.0, |tick| tick.0);
        let mut chart = ChartBuilder::on(&left)
            .margin(14)
            .caption(&self.title, (FONT, 20).into_font().color(&INK))
            .x_label_area_size(52)
            .y_label_area_size(72)
            .build_cartesian_2d(first - 0.2..last + 0.3, Decades(decades(&self.lines)))?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(0)
            .y_desc(self.y_title)
            .x_desc(self.x_title)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .label_style((FONT, 14).into_font().color(&INK))
            .draw()?;
        let bottom = chart.y_range().start;
        for (at, label) in &self.ticks {
            chart.draw_series(LineSeries::new([(*at, bottom), (*at, chart.y_range().end)], GRID))?;
            let (x, y) = chart.backend_coord(&(*at, bottom));
            let centered = (FONT, 14).into_font().color(&INK).pos(Pos::new(HPos::Center, VPos::Top));
            root.draw(&Text::new(label.clone(), (x, y + 6), centered))?;
        }
        for line in &self.lines {
            let style = line.color.stroke_width(line.stroke);
            chart.draw_series(LineSeries::new(line.points.iter().copied(), style))?;
            if line.dots {
                let dots = line.points.iter().map(|&point| Circle::new(point, 3, line.color.filled()));
                chart.draw_series(dots)?;
            }
        }
        self.legend(&legend)?;
        root.present()?;
        Ok(())
    }

    /// The lines' names, in the order in which they end.
    fn legend<DB: DrawingBackend>(&self, area: &DrawingArea<DB, plotters::coord::Shift>) -> Result<(), Box<dyn Error>>
    where
        DB::ErrorType: 'static,
    {
        let mut lines: Vec<&Line> = self.lines.iter().filter(|line| !line.points.is_empty()).collect();
        let end = |line: &Line| line.points.last().map_or(0.0, |point| point.1);
        lines.sort_by(|one, other| end(other).total_cmp(&end(one)));
        let note = if self.rising { "higher is better" } else { "lower is better" };
        area.draw(&Text::new(note, (4, 20), (FONT, 13).into_font().color(&FLOOR)))?;
        for (at, line) in (0..).zip(lines) {
            let y = 48 + 21 * at;
            let style = line.color.stroke_width(line.stroke + 1);
            area.draw(&PathElement::new([(4, y), (24, y)], style))?;
            let text = (FONT, 14).into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
            area.draw(&Text::new(line.label.clone(), (32, y), text))?;
        }
        Ok(())
    }
}
