//! A table without lines, as wide as the terminal; without one, as wide as it needs.

use crate::text;
use anstyle::Style;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

/// Between two columns.
const GAP: &str = "  ";
/// A column is not made narrower.
const NARROW: usize = 8;

pub struct Column {
    pub title: String,
    /// The columns with the smallest are left out first where all do not fit; `None` stays.
    pub rank: Option<u8>,
    pub right: bool,
}

/// A cell may have several lines.
#[derive(Default)]
pub struct Cell {
    pub text: String,
    pub style: Style,
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell { text, style: Style::new() }
    }
}

pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
}

/// Standard output's columns, where it is a terminal.
pub fn terminal() -> Option<usize> {
    let size = io::stdout().is_terminal().then(|| rustix::termios::tcgetwinsize(io::stdout()).ok()).flatten();
    size.map(|size| usize::from(size.ws_col)).filter(|&width| width > 0)
}

impl Table {
    /// Leaves out the columns that say nothing in any row.
    pub fn drop_empty(&mut self) {
        for at in (0..self.columns.len()).rev() {
            if self.rows.iter().all(|row| row[at].text.is_empty()) {
                self.remove(at);
            }
        }
    }

    fn remove(&mut self, at: usize) -> Column {
        self.rows.iter_mut().for_each(|row| drop(row.remove(at)));
        self.columns.remove(at)
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |at: usize, column: &Column| {
            let cells = self.rows.iter().flat_map(|row| row[at].text.lines());
            cells.map(text::width).chain([text::width(&column.title)]).max().unwrap_or(0)
        };
        self.columns.iter().enumerate().map(|(at, column)| widest(at, column)).collect()
    }

    /// Writes it, each line behind `indent`; the titles of the columns that were left out to fit into `width`.
    pub fn write(&mut self, out: &mut impl Write, indent: &str, width: Option<usize>) -> io::Result<Vec<String>> {
        let mut left_out = Vec::new();
        let mut widths = self.widths();
        if let Some(width) = width {
            let total =
                |widths: &[usize]| indent.len() + widths.iter().map(|one| one + GAP.len()).sum::<usize>() - GAP.len();
            while total(&widths) > width {
                let ranked = self.columns.iter().enumerate().filter_map(|(at, column)| Some((column.rank?, at)));
                let Some((_, at)) = ranked.min() else { break };
                left_out.push(self.remove(at).title);
                widths.remove(at);
            }
            while total(&widths) > width {
                match widths.iter_mut().max() {
                    Some(widest) if *widest > NARROW => *widest -= 1,
                    _ => break,
                }
            }
        }
        let bold = Style::new().bold();
        let titles: Vec<Cell> =
            self.columns.iter().map(|column| Cell { text: column.title.clone(), style: bold }).collect();
        for row in [titles].iter().chain(&self.rows) {
            self.write_row(out, indent, row, &widths)?;
        }
        Ok(left_out)
    }

    fn write_row(&self, out: &mut impl Write, indent: &str, row: &[Cell], widths: &[usize]) -> io::Result<()> {
        let height = row.iter().map(|cell| cell.text.lines().count()).max().unwrap_or(0).max(1);
        for line in 0..height {
            let mut written = String::from(indent);
            // Blanks are written when something follows them.
            let mut blanks = 0;
            for ((cell, column), &width) in row.iter().zip(&self.columns).zip(widths) {
                let text = text::clipped(cell.text.lines().nth(line).unwrap_or(""), width);
                let rest = width - text::width(&text);
                let (before, after) = if column.right { (rest, 0) } else { (0, rest) };
                if text.is_empty() {
                    blanks += width + GAP.len();
                } else {
                    let style = cell.style;
                    let _ = write!(written, "{}{style}{text}{style:#}", " ".repeat(blanks + before));
                    blanks = after + GAP.len();
                }
            }
            writeln!(out, "{written}")?;
        }
        Ok(())
    }
}
