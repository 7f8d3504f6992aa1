//! The protocol on standard input and output.

use crate::sys::{self, Fork};
use crate::together::outcome;
use crate::works::{self, Answer, Run};
use crate::{Ability, Contender, Shape};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;
use std::str::FromStr;

/// The whole of a program that brings contenders: without arguments it [serves](serve), with `clean NAME` it
/// [cleans](clean).
pub fn main(contenders: &[Contender]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [] => serve(contenders),
        ["clean", name] => clean(contenders, name),
        _ => Err(refuse("usage: without arguments, to serve `unipc bench`; or: clean NAME")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Says on standard output which contenders there are, and does the runs that standard input asks for, until its end,
/// or until nobody reads the answers. It returns only in the process that called it.
///
/// Each run is done by fresh processes, which are gone when it is answered. What fails in one, by an error, a
/// panic or a death, is its answer, and no end of the serving; what hangs is the caller's to kill, with the group.
///
/// # Errors
/// Standard input or output failed; the process has several threads, or no right to fork.
pub fn serve(contenders: &[Contender]) -> io::Result<()> {
    sys::adopt_children()?;
    sys::unlimit_queues();
    let mut out = io::stdout().lock();
    for who in contenders {
        match who.absent {
            Some(remedy) => writeln!(out, "absent\t{}\t{}\t{remedy}", who.name, who.language)?,
            None => writeln!(
                out,
                "contender\t{}\t{}\t{}\t{}\t{}",
                who.name,
                who.language,
                who.kind.name(),
                who.waits.text(),
                who.abilities.iter().map(|ability| ability.name()).collect::<Vec<_>>().join(",")
            )?,
        }
    }
    writeln!(out, "ready")?;
    out.flush()?;
    let mut line = String::new();
    let mut input = io::stdin().lock();
    while input.read_line(&mut line)? > 0 {
        let Some(answer) = answer(contenders, line.trim_end_matches('\n'), out.as_fd())? else { break };
        writeln!(out, "{answer}")?;
        out.flush()?;
        line.clear();
    }
    Ok(())
}

/// Removes what a run of that name may have left behind.
///
/// # Errors
/// It is no name of a run.
pub fn clean(contenders: &[Contender], name: &str) -> io::Result<()> {
    let names = names(name)?;
    for who in contenders {
        for name in &names {
            (who.unlink)(name);
        }
    }
    Ok(())
}

/// Does what a line asks for, and gives back what to say; none when nobody is there to hear it.
fn answer(contenders: &[Contender], line: &str, out: BorrowedFd<'_>) -> io::Result<Option<String>> {
    let mut run = match request(contenders, line) {
        Ok(run) => run,
        Err(error) => return Ok(Some(refusal("failed", &error))),
    };
    let asked = run.shape.depth;
    run.shape = match outcome(|| (run.who.fit)(run.shape)) {
        Ok(shape) => shape,
        Err(error) => return Ok(Some(refusal("cannot", &error))),
    };
    let depth = Some(run.shape.depth).filter(|&depth| depth != asked);
    let answer = apart(&run, depth, out)?;
    for name in &run.names {
        (run.who.unlink)(name);
    }
    Ok(answer)
}

/// Does a run in a process of its own, and gives back its line; none when nobody is there to read it.
fn apart(run: &Run<'_>, depth: Option<usize>, out: BorrowedFd<'_>) -> io::Result<Option<String>> {
    let (mut answers, mut answer) = sys::pipe()?;
    let pid = match sys::fork()? {
        Fork::Child => {
            let line = outcome(|| works::work(run))
                .map_or_else(|error| refusal("failed", &error), |answer| told(&answer, depth));
            sys::exit(i32::from(answer.write_all(line.as_bytes()).is_err()));
        }
        Fork::Parent(pid) => pid,
    };
    drop(answer);
    let is_heard = sys::is_listened_to(answers.as_fd(), out)?;
    if !is_heard {
        sys::kill(pid);
    }
    let mut line = String::new();
    answers.read_to_string(&mut line)?;
    // Those it left behind are killed with it, and come here.
    while let Some(ended) = sys::wait_any()? {
        if let (true, Some(wrong)) = (ended.pid == pid, ended.wrong) {
            line = refusal("failed", &io::Error::other(wrong));
        }
    }
    Ok(is_heard.then_some(line))
}

fn told(answer: &Answer, depth: Option<usize>) -> String {
    let mut line = String::from("ok");
    for (name, value) in [("ns", answer.ns), ("cpu", answer.cpu)] {
        if let Some(value) = value {
            let _ = write!(line, "\t{name}={value:.3}");
        }
    }
    if let Some(depth) = depth {
        let _ = write!(line, "\tdepth={depth}");
    }
    for (at, sample) in answer.samples.iter().enumerate() {
        let _ = write!(line, "{}{sample}", if at == 0 { "\tsamples=" } else { "," });
    }
    line
}

fn refusal(verdict: &str, error: &io::Error) -> String {
    let sentence = error.to_string().replace(|c: char| c.is_control(), " ");
    format!("{verdict}\t{}", if sentence.is_empty() { "it did not say why" } else { &sentence })
}

fn refuse(sentence: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, sentence)
}

/// The names of the two objects that a run may have.
fn names(name: &str) -> io::Result<[String; 2]> {
    let is_name = name.len() > 1 && name.len() < 200 && name.starts_with('/') && !name[1..].contains(['/', '\0']);
    if !is_name || name == "/." || name == "/.." {
        return Err(refuse(&format!("{name:?} is no name of an object: a slash, and no other")));
    }
    Ok([name.to_owned(), format!("{name}.back")])
}

fn request<'a>(contenders: &'a [Contender], line: &str) -> io::Result<Run<'a>> {
    let mut fields = line.split('\t');
    if fields.next() != Some("run") {
        return Err(refuse("this is no request: one begins with `run`"));
    }
    let fields: HashMap<&str, &str> = fields.filter_map(|field| field.split_once('=')).collect();
    let must = |key: &str| fields.get(key).copied().ok_or_else(|| refuse(&format!("the request has no field {key}")));
    let (name, language) = (must("contender")?, fields.get("language"));
    let is_meant = |who: &&Contender| who.name == name && language.is_none_or(|&language| language == who.language);
    let who =
        contenders.iter().find(is_meant).ok_or_else(|| refuse("there is no contender of that name and language"))?;
    if let Some(remedy) = who.absent {
        return Err(refuse(&format!("the contender is not here: {remedy}")));
    }
    let work = must("work")?;
    let work =
        Ability::WORKS.iter().find(|known| known.name() == work).ok_or_else(|| refuse("there is no such work"))?;
    let cpus: Option<Vec<usize>> = fields
        .get("cpus")
        .filter(|cpus| !cpus.is_empty())
        .map(|cpus| cpus.split(',').map(|cpu| number("cpus", cpu)).collect())
        .transpose()?;
    let shape = Shape {
        size: field(&fields, "size", 64)?,
        depth: field(&fields, "depth", 64)?,
        producers: field(&fields, "producers", 1)?,
        consumers: field(&fields, "consumers", 1)?,
    };
    Ok(Run {
        who,
        work: *work,
        shape,
        messages: field(&fields, "messages", 100_000)?,
        priorities: field(&fields, "priorities", 1)?,
        cpus: cpus.map(|cpus| [cpus[0], *cpus.last().unwrap_or(&cpus[0])]),
        names: names(must("name")?)?,
    })
}

fn field<T: FromStr>(fields: &HashMap<&str, &str>, key: &str, absent: T) -> io::Result<T> {
    fields.get(key).map_or(Ok(absent), |value| number(key, value))
}

fn number<T: FromStr>(key: &str, value: &str) -> io::Result<T> {
    value
        .parse()
        .map_err(|_| refuse(&format!("the request's {key} is {value:?}, and must be a number that is not too large")))
}
