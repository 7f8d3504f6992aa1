//! `--rate`: a live line for each joint.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// Of all joints; empty where they are not shown.
pub struct Rates(Vec<ProgressBar>);

/// How often a line is drawn anew, also when nothing passes.
const TICK: Duration = Duration::from_millis(200);

impl Rates {
    /// `lines` are the stages, as they are to be shown.
    pub fn new(wanted: bool, lines: &[String]) -> Rates {
        if !wanted || !io::stderr().is_terminal() {
            return Rates(Vec::new());
        }
        let style = ProgressStyle::with_template("{binary_bytes_per_sec:>14} {binary_bytes:>12}  {wide_msg}")
            .expect("the template is right");
        let all = MultiProgress::new();
        let line = |pair: &[String]| {
            let bar = all.add(ProgressBar::no_length()).with_style(style.clone());
            bar.set_message(format!("{} | {}", pair[0], pair[1]));
            bar
        };
        Rates(lines.windows(2).map(line).collect())
    }

    pub fn are_shown(&self) -> bool {
        !self.0.is_empty()
    }

    /// To be told of the bytes that pass joint `number`, counted from 0.
    pub fn of(&self, number: usize) -> Option<ProgressBar> {
        let bar = self.0.get(number)?.clone();
        bar.enable_steady_tick(TICK);
        Some(bar)
    }

    /// Leaves the lines as they are, with the average in place of the rate.
    pub fn finish(&self) {
        self.0.iter().for_each(ProgressBar::finish);
        if self.are_shown() {
            let _ = writeln!(io::stderr()); // the library leaves the cursor behind its last line
        }
    }
}
