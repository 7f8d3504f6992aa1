//! A program that has contenders: started once, asked for one run after the other. docs/contenders.md has what is
//! said on both sides.

use super::plan::Row;
use crate::exit;
use crate::failure::Failure;
use crate::signals::Signals;
use crate::text;
use rustix::event::PollFlags;
use std::ffi::OsString;
use std::fmt;
use std::ops::RangeInclusive;
use std::os::fd::AsFd;
use std::time::Duration;
use unipc::process::Group;
use unipc::{Child, Command, Deadline, Redirect};
use unipc_contender::{Ability, Kind};

/// For the end of a program whose input has ended.
const GRACE: Duration = Duration::from_secs(2);
/// An answer with all its samples is not as long, nor is all that a program has.
const LONGEST: usize = 1 << 20;
/// What a message can take, in ns, and more: from less than an instruction to a day.
const FIGURES: RangeInclusive<f64> = 1e-3..=1e14;
const SIGKILL: i32 = 9;

pub struct Contender {
    pub name: String,
    /// What a program that uses it is written in.
    pub language: String,
    pub kind: Kind,
    pub waits: String,
    abilities: Vec<String>,
    /// Which of the programs has it.
    pub program: usize,
}

impl Contender {
    pub fn can(&self, ability: Ability) -> bool {
        self.abilities.iter().any(|one| one == ability.name())
    }

    /// Whether the row is a matter for it.
    pub fn takes_part(&self, row: &Row) -> bool {
        (self.kind == row.kind || self.kind == Kind::Floor)
            && self.can(row.work)
            && row.needs.iter().all(|&need| self.can(need))
            && !row.without.is_some_and(|ability| self.can(ability))
            && (row.names.is_empty() || row.names.contains(&self.name.as_str()))
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.language)
    }
}

/// What could be compared if it were installed.
pub struct Absent {
    pub name: String,
    pub language: String,
    pub remedy: String,
}

#[derive(Default)]
pub struct Measure {
    pub ns: Option<f64>,
    pub cpu: Option<f64>,
    pub samples: Vec<u32>,
    /// Its room, where that was not to be had as asked for.
    pub depth: Option<u32>,
}

pub enum Answer {
    Measured(Measure),
    /// The machine does not allow it.
    Cannot(String),
    Failed(String),
}

/// What a program says next.
enum Heard {
    Line(String),
    /// Not in time.
    Nothing,
    /// Nothing more, or nothing that could be a line.
    End,
}

pub struct Program {
    line: Vec<OsString>,
    child: Child,
    /// What has come of the next line.
    heard: Vec<u8>,
    runs: u64,
    /// How long an answer may take: only what hangs comes to it.
    patience: Duration,
}

impl Program {
    /// Starts it and hears what it has.
    pub fn start(
        line: Vec<OsString>,
        number: usize,
        patience: Duration,
        signals: &mut Signals,
    ) -> Result<(Program, Vec<Contender>, Vec<Absent>), Failure> {
        let child = spawn(&line)?;
        let mut program = Program { line, child, heard: Vec::new(), runs: 0, patience };
        let (mut contenders, mut absent, mut length) = (Vec::new(), Vec::new(), 0);
        loop {
            let Heard::Line(said) = program.hear(signals)? else {
                return Err(program.strange("does not say what contenders it has"));
            };
            length += said.len();
            if length > LONGEST {
                return Err(program.strange("says more than there is to say"));
            }
            // What cannot be shown as it is would be a name that it does not know.
            let is_text = said.split('\t').all(|field| text::shown(field) == field);
            let fields: Vec<&str> = if is_text { said.split('\t').collect() } else { Vec::new() };
            match fields[..] {
                ["ready"] => return Ok((program, contenders, absent)),
                ["absent", name, language, remedy] => {
                    absent.push(Absent { name: name.into(), language: language.into(), remedy: remedy.into() });
                }
                ["contender", name, language, kind, waits, abilities] => contenders.push(Contender {
                    name: name.into(),
                    language: language.into(),
                    kind: match Kind::ALL.iter().find(|one| one.name() == kind) {
                        Some(kind) => *kind,
                        None => return Err(program.strange(format_args!("has a contender of the kind '{kind}'"))),
                    },
                    waits: waits.into(),
                    abilities: abilities.split(',').map(str::to_owned).collect(),
                    program: number,
                }),
                _ => return Err(program.strange(format_args!("says '{said}'"))),
            }
        }
    }

    /// One run. A program that hangs or ends is killed, with all its processes, and begun anew.
    pub fn run(
        &mut self,
        contender: &Contender,
        row: &Row,
        messages: u32,
        cpus: [usize; 2],
        signals: &mut Signals,
    ) -> Result<Answer, Failure> {
        self.runs += 1;
        let name = format!("/unipc-bench-{}-{}-{}", std::process::id(), self.child.id(), self.runs);
        let shape = &row.shape;
        let request = format!(
            "run\tcontender={}\tlanguage={}\twork={}\tsize={}\tdepth={}\tmessages={messages}\tproducers={}\t\
             consumers={}\tpriorities={}\tcpus={},{}\tname={name}\n",
            contender.name,
            contender.language,
            row.work.name(),
            shape.size,
            shape.depth,
            shape.producers,
            shape.consumers,
            shape.priorities,
            cpus[0],
            cpus[1]
        );
        let asked = match &self.child.stdin {
            Some(stdin) => stdin.write_full(request.as_bytes(), self.patience).is_ok(),
            None => false,
        };
        let answer = if asked { self.hear(signals) } else { Ok(Heard::End) };
        let sentence = match &answer {
            Ok(Heard::Line(line)) => match understood(line) {
                Some(answer) => return Ok(answer),
                None => format!("it says '{}'", text::shown(line)),
            },
            Ok(Heard::Nothing) => format!("it hung and was killed after {} s", self.patience.as_secs_f64()),
            Ok(Heard::End) => "its program has ended".into(),
            Err(_) => String::new(),
        };
        self.kill();
        self.clean(&name);
        answer?;
        self.child = spawn(&self.line)?;
        self.heard.clear();
        // What it has is known.
        for _ in 0..LONGEST {
            if !matches!(self.hear(signals)?, Heard::Line(line) if line != "ready") {
                break;
            }
        }
        Ok(Answer::Failed(sentence))
    }

    fn hear(&mut self, signals: &mut Signals) -> Result<Heard, Failure> {
        let deadline = Deadline::after(self.patience);
        let Some(stdout) = &self.child.stdout else { return Ok(Heard::End) };
        loop {
            if let Some(end) = self.heard.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                return Ok(Heard::Line(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            // Something to read, or the end of it.
            let shown = signals.wait_beside(&[(stdout.as_fd(), PollFlags::IN)], deadline)?;
            if shown[0].is_empty() {
                return Ok(Heard::Nothing);
            }
            let mut piece = [0; 8192];
            match stdout.try_read(&mut piece) {
                Ok(count) if count > 0 && self.heard.len() < LONGEST => self.heard.extend(&piece[..count]),
                Err(error) if error.would_block() || error.interrupted() => {}
                _ => return Ok(Heard::End),
            }
        }
    }

    fn strange(&self, what: impl fmt::Display) -> Failure {
        let name = self.line[0].to_string_lossy();
        Failure::new(exit::OWN, format_args!("{name}: it is no program of contenders: it {what}"))
    }

    /// With all its processes.
    fn kill(&self) {
        let _ = self.child.signal_group(SIGKILL);
        let _ = self.child.kill();
        let _ = self.child.wait_by(GRACE);
    }

    /// Removes what a killed run has left.
    fn clean(&self, name: &str) {
        let mut command = Command::from_arguments(&self.line);
        command.args(["clean", name]).stdin(Redirect::Null).stdout(Redirect::Null).stderr(Redirect::Null);
        if let Ok(child) = command.spawn() {
            if child.wait_by(GRACE).is_err() {
                let _ = child.kill();
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if self.child.wait_by(GRACE).is_err() {
            self.kill();
        }
    }
}

/// In a process group of its own, and ended when this process ends.
fn spawn(line: &[OsString]) -> Result<Child, Failure> {
    let mut command = Command::from_arguments(line);
    command.stdin(Redirect::Pipe).stdout(Redirect::Pipe).group(Group::Own).dies_with_parent(SIGKILL);
    command.spawn().map_err(|error| Failure::new(exit::of_spawn(&error), error))
}

/// `None`: it is no answer.
fn understood(line: &str) -> Option<Answer> {
    let (verdict, rest) = line.split_once('\t')?;
    match verdict {
        "cannot" => Some(Answer::Cannot(text::shown(rest))),
        "failed" => Some(Answer::Failed(text::shown(rest))),
        "ok" => {
            let mut measure = Measure::default();
            let figure = |value: &str| value.parse().ok().filter(|value| *value == 0.0 || FIGURES.contains(value));
            for field in rest.split('\t') {
                match field.split_once('=')? {
                    ("ns", value) => measure.ns = Some(figure(value).filter(|&ns| ns > 0.0)?),
                    ("cpu", value) => measure.cpu = Some(figure(value)?),
                    ("depth", value) => measure.depth = Some(value.parse().ok()?),
                    ("samples", values) => {
                        let samples = values.split(',').filter(|value| !value.is_empty());
                        measure.samples = samples.map(|value| Some(figure(value)? as u32)).collect::<Option<_>>()?;
                    }
                    _ => {}
                }
            }
            Some(Answer::Measured(measure))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_figures_or_a_sentence() {
        let Some(Answer::Measured(measure)) = understood("ok\tns=44.6\tcpu=88\tsamples=1,2,3\tnew=x") else { panic!() };
        assert_eq!((measure.ns, measure.cpu, measure.samples), (Some(44.6), Some(88.0), vec![1, 2, 3]));
        assert!(matches!(understood("failed\tmessages were lost"), Some(Answer::Failed(why)) if why.contains("lost")));
        assert!(matches!(understood("cannot\tit is\x1b[31mred"), Some(Answer::Cannot(why)) if !why.contains('\x1b')));
        for line in ["", "ok", "ok\tns=", "ok\tns=-1", "ok\tns=0", "ok\tns=nan", "ok\tsamples=1,x", "yes\tns=1"] {
            assert!(understood(line).is_none(), "{line:?}");
        }
    }
}
