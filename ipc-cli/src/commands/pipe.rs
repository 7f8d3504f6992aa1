//! `unipc pipe`: programs, each reading what the one before writes.

mod copies;
mod inherited;
mod joint;
mod rate;

use crate::failure::{self, Failure};
use crate::signals::{self, Signals};
use crate::waiting::uninterrupted;
use crate::{exit, words};
use clap::builder::{OsStringValueParser, TypedValueParser};
use copies::Copies;
use inherited::Inherited;
use joint::Relay;
use rate::Rates;
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::SIGKILL;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use unipc::Command;
use unipc::pipeline::{Pipeline, Running, Statuses};

/// Run programs as a pipeline: each reads what the one before writes.
///
/// No shell takes part: every word is an argument as it stands. The first program reads this command's
/// standard input, the last writes to its standard output, and all share its standard error, its other
/// descriptors and its terminal. Either all programs start, or an error names the one that cannot, and those
/// before it are ended.
#[derive(clap::Args)]
#[command(
    override_usage = "unipc pipe [OPTIONS] CMD [ARG]... [-- CMD [ARG]...]...",
    after_help = "'unipc pipe --help' tells more, with examples.",
    after_long_help = AFTER
)]
pub struct Arguments {
    /// Say on standard error how each program ended
    ///
    /// When all have: a line each, of five fields with tabs in between. They are: the word "stage", the number
    /// counted from 1, the code as a shell has it, the same in words ("exited with 3", "killed by SIGTERM"), and
    /// the program with its arguments.
    #[arg(long)]
    status: bool,

    /// Fail when any program does, not the last one alone
    ///
    /// The last one that failed gives the exit status. A program that SIGPIPE killed because the one behind it
    /// had left, as 'yes' in 'yes | head -1', has not failed.
    #[arg(long)]
    pipefail: bool,

    /// Write a copy of what passes joint N to FILE
    ///
    /// Joint 1 is between the first and the second program. FILE is made, or emptied, before anything starts.
    /// Give the option once for each copy. When FILE cannot take more (the disk is full), that is said, the
    /// pipeline goes on, and the exit status is 125 if it were 0.
    #[arg(long, value_name = "N:FILE", value_parser = OsStringValueParser::new().try_map(|text| Tee::parse(&text)))]
    tee: Vec<Tee>,

    /// Show bytes per second, and how many there were, at each joint
    ///
    /// Live, on standard error, where that is a terminal; without one nothing is shown. What the last program
    /// writes to the same terminal meanwhile is drawn over, so let it write elsewhere, or only at its end.
    #[arg(long)]
    rate: bool,

    /// What stands between two programs
    ///
    /// Choose another word when '--' is an argument of a program.
    #[arg(long, value_name = "WORD", default_value = "--")]
    separator: OsString,

    /// The programs and their arguments, with '--' in between; options of unipc stand before the first
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    words: Vec<OsString>,
}

const AFTER: &str = "\
Examples:
  unipc pipe sort words -- uniq -c -- sort -rn -- head
      The ten most frequent lines.
  unipc pipe --rate --tee 1:shop.sql pg_dump shop -- zstd -- ssh far 'cat >shop'
      Watch a dump go over the network, and keep it here, too.
  unipc pipe --pipefail --status make -- tee log -- grep -c warning
      Fail when make does, and tell which program failed.
  unipc pipe --separator : git diff -- src : less
      '--' is an argument of git here.

Exit status, as a shell's:
  that of the last program, with --pipefail that of the last one that failed;
       128 + N if signal N killed it
  2    the arguments of 'unipc pipe' make no sense
  125  unipc itself failed: a --tee FILE that cannot be written, a limit
  126  a program was found and cannot be executed
  127  a program was not found

Signals: the programs are in the terminal's foreground, as this command is:
Ctrl-C and Ctrl-Z reach all of them. This command stays until the programs have
ended, and hands SIGTERM and SIGHUP on to them. They start with every signal at
its default; so write nohup before each of them, and not before unipc.

A joint that neither --tee nor --rate looks at is a plain pipe of the kernel
between two programs. At the others this command moves the bytes from pipe to
pipe without reading them (splice(2), tee(2)), and up to 2 MiB stand there.";

/// A copy that was asked for.
#[derive(Clone, Debug)]
struct Tee {
    /// Counted from 1.
    joint: usize,
    path: PathBuf,
}

impl Tee {
    fn parse(text: &OsStr) -> Result<Tee, String> {
        let mut parts = text.as_bytes().splitn(2, |&byte| byte == b':');
        let number = parts.next().and_then(|number| std::str::from_utf8(number).ok()?.parse().ok());
        match (number, parts.next()) {
            (Some(joint @ 1..), Some(path @ [_, ..])) => Ok(Tee { joint, path: OsStr::from_bytes(path).into() }),
            _ => Err("it is not N:FILE, the number of a joint from 1 on and a path".into()),
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let stages: Vec<&[OsString]> = arguments.words.split(|word| *word == arguments.separator).collect();
    check(arguments, &stages)?;
    let inherited = Inherited::find();
    let mut copies: Vec<Option<Copies>> = stages[1..].iter().map(|_| None).collect();
    for tee in &arguments.tee {
        let place = &mut copies[tee.joint - 1];
        if place.is_none() {
            *place = Some(Copies::new()?);
        }
        place.iter_mut().try_for_each(|copies| copies.add(tee.joint, &tee.path))?;
    }
    let lines: Vec<String> = stages.iter().map(|stage| words::line(stage)).collect();
    let rates = arguments.rate.then(|| Rates::new(&lines)).flatten();
    let mut pipeline = Pipeline::new();
    pipeline.pipefail(arguments.pipefail);
    for stage in &stages {
        let mut command = Command::from_arguments(*stage);
        if let Some(inherited) = &inherited {
            inherited.hand_on(&mut command);
        }
        pipeline.stage(command);
    }
    for (joint, copies) in copies.iter().enumerate() {
        if rates.is_some() || copies.is_some() {
            pipeline.open_joint(joint);
        }
    }
    let mut signals = Signals::catch()?;
    let mut running = pipeline.spawn().map_err(|error| Failure::new(exit::of_spawn(&error), error))?;
    drop(pipeline);
    let mut relays = Vec::new();
    for joint in running.joints.drain(..) {
        let number = joint.number;
        relays.push(Relay::new(joint, copies[number].take(), rates.as_ref().map(|rates| rates.of(number))));
    }
    let served = serve(&running, relays, &mut signals);
    if let Some(rates) = rates {
        rates.leave();
    }
    let (statuses, complete) = served?;
    if arguments.status {
        report(&statuses, &lines);
    }
    Ok(exit_as(&statuses, complete, &signals))
}

fn check(arguments: &Arguments, stages: &[&[OsString]]) -> Result<(), Failure> {
    let refuse = |sentence: String| Err(Failure::usage("pipe", sentence));
    let separator = arguments.separator.to_string_lossy();
    if let Some(empty) = stages.iter().position(|stage| stage.is_empty()) {
        return refuse(format!(
            "there is no program in place {} of {}: '{separator}' stands between two",
            empty + 1,
            stages.len()
        ));
    }
    if let Some(tee) = arguments.tee.iter().find(|tee| tee.joint >= stages.len()) {
        let cause = match stages.len() {
            1 => "one program has none".to_owned(),
            count => format!("the last one of {count} programs is {}", count - 1),
        };
        return refuse(format!("--tee {}:{}: there is no such joint: {cause}", tee.joint, tee.path.display()));
    }
    Ok(())
}

/// Passes on what comes to the opened joints, and waits for the stages; how they ended, and whether every
/// copy is complete.
fn serve(running: &Running, relays: Vec<Relay>, signals: &mut Signals) -> Result<(Statuses, bool), Failure> {
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for relay in relays {
            match thread::Builder::new().spawn_scoped(scope, || relay.run()) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    let _ = running.signal(SIGKILL); // or those threads that run would wait for the stages
                    return Err(Failure::new(exit::OWN, format_args!("start a thread: {}", failure::plain(&error))));
                }
            }
        }
        let statuses = wait(running, signals)?;
        let complete = threads.into_iter().all(|thread| thread.join().expect("a relay does not panic"));
        Ok((statuses, complete))
    })
}

/// Reaps each stage when it ends, in whichever order, and hands signals on meanwhile.
fn wait(running: &Running, signals: &mut Signals) -> Result<Statuses, Failure> {
    // The last one first, or it could take the end of the others for the end of its input, and succeed. One
    // that has taken on another user's rights cannot be signalled; its neighbours can.
    let hand_on = |signal| running.stages().iter().rev().for_each(|stage| drop(stage.signal(signal)));
    // A stage that was started after Ctrl-C has not heard of it.
    signals.take(hand_on);
    let mut left: Vec<_> = running.stages().iter().collect();
    while !left.is_empty() {
        let fds = left.iter().map(|stage| stage.as_fd()).chain(signals.fds());
        let mut watched: Vec<_> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        // It fails for a signal alone, or for memory that will be there next time: nothing is lost by looking.
        let _ = poll(&mut watched, None);
        drop(watched);
        left.retain(|stage| matches!(stage.try_wait(), Ok(None)));
        signals.take(|signal| {
            if !signals::comes_to_all(signal) {
                hand_on(signal);
            }
        });
    }
    uninterrupted(|| running.wait()).map_err(Failure::from)
}

fn report(statuses: &Statuses, lines: &[String]) {
    let mut text = Vec::new();
    for (number, (status, line)) in statuses.iter().zip(lines).enumerate() {
        let _ = writeln!(text, "stage\t{}\t{}\t{status}\t{line}", number + 1, status.shell_code());
    }
    let _ = io::stderr().write_all(&text); // that nobody reads it is no failure
}

fn exit_as(statuses: &Statuses, complete: bool, signals: &Signals) -> ExitCode {
    match statuses.failed().map(|stage| statuses[stage]) {
        Some(status) => {
            // A shell that runs this in a script stops, too, only when it sees the signal itself.
            if let Some(signal) = status.signal() {
                signals.end_by(signal);
            }
            ExitCode::from(status.shell_code() as u8)
        }
        None if complete => ExitCode::SUCCESS,
        None => ExitCode::from(exit::OWN),
    }
}
