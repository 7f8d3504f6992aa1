//! `--rate`: a live line for each joint.

use crate::failure;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Once};
use std::time::Duration;

/// How often a line is drawn anew, also when nothing passes.
const TICK: Duration = Duration::from_millis(200);

/// The lines of all joints.
pub struct Rates {
    all: MultiProgress,
    bars: Vec<ProgressBar>,
    left: Once,
}

/// The line of one joint.
pub struct Rate {
    all: Arc<Rates>,
    number: usize,
}

impl Rates {
    /// `stages` as they are to be shown. `None` where nobody looks.
    pub fn new(stages: &[String]) -> Option<Arc<Rates>> {
        if !io::stderr().is_terminal() || stages.len() < 2 {
            return None;
        }
        let style = ProgressStyle::with_template("{binary_bytes_per_sec:>14} {binary_bytes:>12}  {wide_msg}")
            .expect("the template is right");
        let all = MultiProgress::new();
        let line = |(number, pair): (usize, &[String])| {
            let bar = all.add(ProgressBar::no_length()).with_style(style.clone());
            bar.set_message(format!("{}: {} | {}", number + 1, pair[0], pair[1]));
            bar
        };
        let bars = stages.windows(2).enumerate().map(line).collect();
        Some(Arc::new(Rates { all, bars, left: Once::new() }))
    }

    /// From now on the line of joint `number`, counted from 0, is shown.
    pub fn of(self: &Arc<Rates>, number: usize) -> Rate {
        self.bars[number].enable_steady_tick(TICK);
        Rate { all: self.clone(), number }
    }

    /// Leaves the lines as they are, with averages in place of the rates.
    pub fn leave(&self) {
        self.left.call_once(|| {
            self.bars.iter().for_each(ProgressBar::finish);
            self.all.set_draw_target(ProgressDrawTarget::hidden());
            let _ = writeln!(io::stderr()); // the library's cursor is behind its last line
        });
    }
}

impl Rate {
    pub fn add(&self, bytes: usize) {
        self.all.bars[self.number].inc(bytes as u64);
    }

    /// Beside the lines, which would be drawn over it.
    pub fn say(&self, sentence: &str) {
        self.all.all.suspend(|| failure::say(sentence));
    }

    /// To be called before the stage behind is told of the end: what the last one then says on the same
    /// terminal is not to be drawn over.
    pub fn end(&self) {
        if self.number + 1 == self.all.bars.len() && io::stdout().is_terminal() {
            self.all.leave();
        }
    }
}
