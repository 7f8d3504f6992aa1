//! A row of contenders: they take turns within each round, in another order each time.

use super::plan::{Row, Section, Unit};
use super::program::{Answer, Contender, Measure, Program};
use super::statistics::{Spread, quantile};
use crate::failure::Failure;
use crate::signals::Signals;
use fastrand::Rng;
use std::time::Duration;
use unipc_contender::Ability;

/// What a run has at least, and more of a deep object.
const LEAST_MESSAGES: u32 = 64;
const MOST_MESSAGES: u32 = 10_000_000;

pub struct Settings {
    pub rounds: usize,
    /// That a run is to take.
    pub time: Duration,
    /// The same one twice if there is no other.
    pub cpus: [usize; 2],
}

/// A contender in a row, and how it has done.
pub struct Entrant<'a> {
    pub contender: &'a Contender,
    messages: u32,
    /// What a message costs, in ns, in each round.
    pub costs: Vec<f64>,
    /// The CPU time of all sides, likewise.
    cpus: Vec<f64>,
    /// Of all rounds; in order when the row is done.
    samples: Vec<u32>,
    /// Its room, where that was not to be had as the row has it.
    pub depth: Option<u32>,
}

impl Entrant<'_> {
    pub fn cost(&self) -> Spread {
        Spread::of(self.costs.iter().copied()).expect("an entrant has its rounds")
    }

    pub fn cpu(&self) -> Option<Spread> {
        Spread::of(self.cpus.iter().copied())
    }

    pub fn quantile(&self, share: f64) -> Option<u32> {
        quantile(&self.samples, share)
    }

    /// What `other` costs over what this one does, round by round.
    pub fn ratio(&self, other: &Entrant) -> Option<Spread> {
        let pairs = self.costs.iter().zip(&other.costs);
        Spread::of(pairs.filter(|(ours, _)| **ours > 0.0).map(|(ours, theirs)| theirs / ours))
    }
}

/// What came of a row.
pub struct Outcome<'a> {
    pub section: &'a Section,
    pub row: &'a Row,
    /// The cheapest first.
    pub entrants: Vec<Entrant<'a>>,
    pub cannot: Vec<(&'a Contender, String)>,
    pub failed: Vec<(&'a Contender, String)>,
}

/// Against whom others are seen: the first of these names that took part, of the same sort of language.
const BASELINES: [&str; 4] = ["unipc shm", "unipc semaphore", "unipc posix", "unipc pipe"];
const BASELINE_IN_PLACE: &str = "unipc shm in place";

impl Outcome<'_> {
    /// unipc beside which this one is to be seen: in Python beside Python's, and all else beside C's, or Rust's if C
    /// takes no part; in place beside in place.
    pub fn baseline(&self, of: &Entrant) -> Option<&Entrant<'_>> {
        let python = of.contender.language == "Python";
        let languages: &[&str] = match of.contender.language.as_str() {
            "Python" => &["Python"],
            "Rust" if of.contender.name.starts_with("unipc") => &["Rust", "C"],
            _ => &["C", "Rust"],
        };
        let in_place = of.contender.can(Ability::InPlace) && !python;
        let names = in_place.then_some(BASELINE_IN_PLACE).into_iter().chain(BASELINES);
        names.flat_map(|name| languages.iter().map(move |language| (name, language))).find_map(|(name, language)| {
            self.entrants.iter().find(|one| one.contender.name == name && one.contender.language == **language)
        })
    }
}

pub struct Contest<'a> {
    pub programs: &'a mut [Program],
    pub signals: &'a mut Signals,
    pub settings: &'a Settings,
    pub random: Rng,
}

impl Contest<'_> {
    /// Holds a row of it; `begun` is told of each contender's turn.
    pub fn hold<'a>(
        &mut self,
        section: &'a Section,
        row: &'a Row,
        contenders: &[&'a Contender],
        mut begun: impl FnMut(&Contender),
    ) -> Result<Outcome<'a>, Failure> {
        let mut outcome = Outcome { section, row, entrants: Vec::new(), cannot: Vec::new(), failed: Vec::new() };
        for &contender in contenders {
            begun(contender);
            if let Some(messages) = self.calibrate(&mut outcome, contender)? {
                let (costs, cpus, samples) = Default::default();
                outcome.entrants.push(Entrant { contender, messages, costs, cpus, samples, depth: None });
            }
        }
        for _ in 0..self.settings.rounds {
            let mut entrants = std::mem::take(&mut outcome.entrants);
            self.random.shuffle(&mut entrants);
            for mut entrant in entrants {
                begun(entrant.contender);
                let Some(measure) = self.run(&mut outcome, entrant.contender, entrant.messages)? else { continue };
                entrant.costs.extend(cost(row, &measure));
                entrant.cpus.extend(measure.cpu);
                entrant.samples.extend(measure.samples);
                entrant.depth = measure.depth;
                outcome.entrants.push(entrant);
            }
        }
        outcome.entrants.iter_mut().for_each(|entrant| entrant.samples.sort_unstable());
        outcome.entrants.sort_by(|one, other| one.cost().median.total_cmp(&other.cost().median));
        Ok(outcome)
    }

    /// How many messages make a run; which warms up, too.
    fn calibrate<'a>(&mut self, outcome: &mut Outcome<'a>, contender: &'a Contender) -> Result<Option<u32>, Failure> {
        let row = outcome.row;
        if let Some(messages) = row.messages {
            // The work of a second is its own rehearsal.
            let rehearsed = row.work == Ability::Idle || self.cost(outcome, contender, messages)?.is_some();
            return Ok(rehearsed.then_some(messages));
        }
        let least = LEAST_MESSAGES.max(4 * row.shape.depth);
        let time = self.settings.time.as_secs_f64() * 1e9;
        let enough = |cost: f64| time / cost.max(0.1);
        let mut messages = least;
        loop {
            let Some(once) = self.cost(outcome, contender, messages)? else { return Ok(None) };
            if once * f64::from(messages) < time / 16.0 && messages < MOST_MESSAGES {
                // A short run tells little: not all at once.
                let next = (enough(once) / 8.0) as u32;
                messages = next.clamp(2 * messages, 64 * messages).min(MOST_MESSAGES);
                continue;
            }
            // Who was disturbed once is not to have short runs for it.
            let Some(again) = self.cost(outcome, contender, messages)? else { return Ok(None) };
            return Ok(Some((enough(once.min(again)) as u32).clamp(least, MOST_MESSAGES)));
        }
    }

    fn cost<'a>(
        &mut self,
        outcome: &mut Outcome<'a>,
        contender: &'a Contender,
        messages: u32,
    ) -> Result<Option<f64>, Failure> {
        let measure = self.run(outcome, contender, messages)?;
        Ok(measure.and_then(|measure| cost(outcome.row, &measure)))
    }

    /// `None`: it takes part no more.
    fn run<'a>(
        &mut self,
        outcome: &mut Outcome<'a>,
        contender: &'a Contender,
        messages: u32,
    ) -> Result<Option<Measure>, Failure> {
        let program = &mut self.programs[contender.program];
        match program.run(contender, outcome.row, messages, self.settings.cpus, self.signals)? {
            Answer::Measured(measure) if cost(outcome.row, &measure).is_some() => return Ok(Some(measure)),
            Answer::Measured(_) => outcome.failed.push((contender, "it gives no figure".into())),
            Answer::Cannot(why) => outcome.cannot.push((contender, why)),
            Answer::Failed(why) => outcome.failed.push((contender, why)),
        }
        Ok(None)
    }
}

fn cost(row: &Row, measure: &Measure) -> Option<f64> {
    if row.unit == Unit::Milliseconds { measure.cpu } else { measure.ns }
}
