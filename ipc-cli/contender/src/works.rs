//! The works: what is measured, and what must be right about it.

use crate::message::{Ledger, Source, Word, must_be, wrong};
use crate::together::{Control, ROLES, Role, SAMPLES, Side, together};
use crate::{Ability, Contender, End, Handle, Kind, Opener, Shape, sys};
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// What is to be done, and with whom.
pub struct Run<'a> {
    pub who: &'a Contender,
    pub work: Ability,
    pub shape: Shape,
    pub messages: u64,
    pub priorities: u32,
    /// Two that its processes run on; none where they are not pinned.
    pub cpus: Option<[usize; 2]>,
    /// The names of two objects: there, and back.
    pub names: [String; 2],
}

/// What it took, in nanoseconds.
#[derive(Debug, Default)]
pub struct Answer {
    pub ns: Option<f64>,
    pub cpu: Option<f64>,
    pub samples: Vec<u64>,
}

/// Does the work, in a process that has no other children.
///
/// # Errors
/// A sentence: it cannot be done, or was not done right.
pub fn work(run: &Run<'_>) -> io::Result<Answer> {
    run.judge()?;
    let control = Control::new()?;
    match run.work {
        Ability::Stream if run.who.kind == Kind::Floor => alone(run, control),
        Ability::Stream => stream(run, control),
        Ability::Pair => alone(run, control).map(|answer| Answer { cpu: None, ..answer }),
        Ability::PingPong => ping_pong(run, control),
        Ability::Asleep => asleep(run, control),
        Ability::Open => open(run, control),
        Ability::Idle => idle(run, control),
        _ => Err(wrong("this is no work")),
    }
}

impl Run<'_> {
    fn judge(&self) -> io::Result<()> {
        let has = |ability| self.who.abilities.contains(&ability);
        let sides = u64::from(self.shape.producers) + u64::from(self.shape.consumers);
        let refused = if !has(self.work) {
            "the contender cannot do this work"
        } else if self.shape.size < 8 {
            "a message has 8 bytes at least"
        } else if self.shape.depth == 0 || self.messages == 0 || self.shape.producers == 0 || self.shape.consumers == 0
        {
            "depth, messages, producers and consumers are 1 at least"
        } else if self.messages >= 1 << 48 || sides > ROLES as u64 {
            "that many messages, producers or consumers are more than a message can tell apart"
        } else if sides > 2 && !has(Ability::Many) {
            "the contender cannot serve several producers and consumers"
        } else if self.priorities == 0 || self.priorities > 255 {
            "there are 1 to 255 priorities"
        } else if self.priorities > 1 && !has(Ability::Priorities) {
            "the contender has no priorities"
        } else {
            return Ok(());
        };
        Err(wrong(refused))
    }

    fn create(&self, which: usize) -> io::Result<Opener> {
        (self.who.create)(&self.names[which], self.shape)
    }

    /// Removes what has a name and needs none, once all have it open.
    fn unlink(&self) {
        for name in self.names.iter().filter(|_| !self.who.needs_name) {
            (self.who.unlink)(name);
        }
    }

    fn pin(&self, which: usize) -> io::Result<()> {
        self.cpus.map_or(Ok(()), |cpus| sys::pin(cpus[which]))
    }

    /// How many processes stream.
    fn sides(&self) -> usize {
        (self.shape.producers + self.shape.consumers) as usize
    }

    /// How many of the messages are a producer's.
    fn share(&self, producer: u32) -> u64 {
        let upto = |producer: u32| u128::from(self.messages) * u128::from(producer) / u128::from(self.shape.producers);
        (upto(producer + 1) - upto(producer)) as u64
    }
}

/// Until a tenth has come, nothing is measured.
fn warm(messages: u64) -> u64 {
    messages / 10
}

#[expect(clippy::cast_precision_loss)] // of times and counts
fn each(nanoseconds: u64, messages: u64) -> f64 {
    nanoseconds as f64 / messages.max(1) as f64
}

/// From producers to consumers, all as fast as they can.
fn stream(run: &Run<'_>, control: Control) -> io::Result<Answer> {
    let opener = run.create(0)?;
    let opener = &opener;
    let one_to_one = run.shape.producers == 1 && run.shape.consumers == 1;
    let producers = (0..run.shape.producers).map(|me| -> Role<'_> {
        Box::new(move || {
            one_to_one.then(|| run.pin(0)).transpose()?;
            let mut to = opener(End::Sender)?;
            let side = produce(run, control, me, to.as_mut())?;
            control.set_side(me as usize, side);
            control.finish_line(run.sides());
            Ok(())
        })
    });
    let consumers = (run.shape.producers..run.shape.producers + run.shape.consumers).map(|me| -> Role<'_> {
        Box::new(move || {
            one_to_one.then(|| run.pin(1)).transpose()?;
            let mut from = opener(End::Receiver)?;
            let side = consume(run, control, from.as_mut())?;
            control.set_side(me as usize, side);
            control.finish_line(run.sides());
            Ok(())
        })
    });
    together(control, producers.chain(consumers).collect())?;

    let sides =
        |from: u32, count: u32| -> Vec<Side> { (from..from + count).map(|me| control.side(me as usize)).collect() };
    let (sent, received) = (sides(0, run.shape.producers), sides(run.shape.producers, run.shape.consumers));
    let all = |sides: &[Side], what: fn(&Side) -> u64| sides.iter().map(what).fold(0, u64::wrapping_add);
    let (went, came) = (all(&sent, |side| side.messages), all(&received, |side| side.messages));
    if came != went {
        return Err(wrong(&format!("{came} messages came of {went} that were sent")));
    }
    if all(&sent, |side| side.sum) != all(&received, |side| side.sum) {
        return Err(wrong("other messages came than were sent: the sums of their checks differ"));
    }
    let begin = received.iter().filter(|side| side.begin > 0).map(|side| side.begin).min().unwrap_or(0);
    let end = received.iter().map(|side| side.end).max().unwrap_or(0);
    let cpu = |sides: &[Side]| each(all(sides, |side| side.cpu), all(sides, |side| side.counted));
    let counted = run.messages - (0..run.shape.producers).map(|me| warm(run.share(me))).sum::<u64>();
    Ok(Answer { ns: Some(each(end - begin, counted)), cpu: Some(cpu(&sent) + cpu(&received)), ..Answer::default() })
}

fn produce(run: &Run<'_>, control: Control, me: u32, to: &mut dyn Handle) -> io::Result<Side> {
    let mut source = Source::new(me, run.priorities);
    let messages = run.share(me);
    // What mixed priorities cost depends on the depth: so the object is full when the race begins.
    let before = if run.priorities > 1 { run.shape.depth as u64 / u64::from(run.shape.producers) } else { 0 };
    for _ in 0..before.min(messages) {
        to.send(source.next())?;
    }
    control.start_line(run.sides());
    if me == 0 {
        run.unlink();
    }
    while source.sent < warm(messages) {
        to.send(source.next())?;
    }
    let (from, cpu) = (source.sent, sys::cpu());
    while source.sent < messages {
        to.send(source.next())?;
    }
    let cpu = sys::cpu() - cpu;
    if control.is_last_of(run.shape.producers) {
        for _ in 0..run.shape.consumers {
            to.send(Word::END)?;
        }
    }
    to.finish()?;
    Ok(Side { cpu, counted: messages - from, messages, sum: source.sum, ..Side::default() })
}

fn consume(run: &Run<'_>, control: Control, from: &mut dyn Handle) -> io::Result<Side> {
    let mut ledger = Ledger::new(run.shape.producers, run.shape.consumers, run.priorities);
    control.start_line(run.sides());
    // One consumer knows how many come; of several, each looks at how far a producer is.
    let only = run.shape.consumers == 1;
    let early = warm(run.messages);
    let early_of_each = warm(run.messages / u64::from(run.shape.producers));
    let mut ended = false;
    let mut is_warm = early == 0;
    while !is_warm && !ended {
        let word = from.receive()?;
        ended = word == Word::END;
        if !ended {
            ledger.enter(word)?;
            is_warm = if only { ledger.received >= early } else { word.sequence() + 1 >= early_of_each };
        }
    }
    let (begin, cpu, counted) = (sys::now(), sys::cpu(), ledger.received);
    let all = if only { run.messages } else { u64::MAX };
    while !ended && ledger.received < all {
        let word = from.receive()?;
        ended = word == Word::END;
        if !ended {
            ledger.enter(word)?;
        }
    }
    let (end, cpu) = (sys::now(), sys::cpu() - cpu);
    if !ended && from.receive()? != Word::END {
        return Err(wrong("a message came after the last"));
    }
    from.finish()?;
    let begin = if is_warm { begin } else { 0 };
    Ok(Side { begin, end, cpu, counted: ledger.received - counted, messages: ledger.received, sum: ledger.sum })
}

/// One process sends, and receives what it sent; with priorities, at the full depth all the time.
fn alone(run: &Run<'_>, control: Control) -> io::Result<Answer> {
    let opener = run.create(0)?;
    let role = || {
        run.pin(0)?;
        let mut handle = opener(End::Both)?;
        let handle = handle.as_mut();
        run.unlink();
        let mut source = Source::new(0, run.priorities);
        let mut ledger = Ledger::new(1, 1, run.priorities);
        let kept = if run.priorities > 1 { run.shape.depth as u64 - 1 } else { 0 };
        for _ in 0..kept {
            handle.send(source.next())?;
        }
        let mut pairs = |count: u64| -> io::Result<()> {
            for _ in 0..count {
                handle.send(source.next())?;
                ledger.enter(handle.receive()?)?;
            }
            Ok(())
        };
        let early = warm(run.messages);
        pairs(early)?;
        let (begin, cpu) = (sys::now(), sys::cpu());
        pairs(run.messages - early)?;
        let (end, cpu) = (sys::now(), sys::cpu() - cpu);
        // The rest comes by its priority, as nobody sends any more.
        let mut highest = u32::MAX;
        for _ in 0..kept {
            let word = handle.receive()?;
            if word.priority() > highest {
                return Err(wrong(&format!("priority {} came after priority {highest}", word.priority())));
            }
            highest = word.priority();
            ledger.enter(word)?;
        }
        if source.sum != ledger.sum {
            return Err(wrong("other messages came than were sent: the sums of their checks differ"));
        }
        handle.finish()?;
        control.set_side(0, Side { begin, end, cpu, counted: run.messages - early, ..Side::default() });
        Ok(())
    };
    together(control, vec![Box::new(role)])?;
    let Side { begin, end, cpu, counted, .. } = control.side(0);
    Ok(Answer { ns: Some(each(end - begin, counted)), cpu: Some(each(cpu, counted)), ..Answer::default() })
}

/// What a process does with one object to send to, and one to receive from.
type Side2<'a> = &'a dyn Fn(&mut dyn Handle, &mut dyn Handle) -> io::Result<()>;

/// Two processes on two cores, an object in each direction.
fn two_ways(run: &Run<'_>, control: Control, first: Side2<'_>, second: Side2<'_>) -> io::Result<()> {
    let there = run.create(0)?;
    let back = run.create(1)?;
    let one = || {
        run.pin(0)?;
        let (mut to, mut from) = (there(End::Sender)?, back(End::Receiver)?);
        control.touch_samples();
        control.start_line(2);
        run.unlink();
        first(to.as_mut(), from.as_mut())?;
        to.finish()?;
        from.finish()?;
        control.finish_line(2);
        Ok(())
    };
    let other = || {
        run.pin(1)?;
        // In the same order: who opens a FIFO waits for the other end of it.
        let (mut from, mut to) = (there(End::Receiver)?, back(End::Sender)?);
        control.touch_samples();
        control.start_line(2);
        second(to.as_mut(), from.as_mut())?;
        control.finish_line(2);
        Ok(())
    };
    together(control, vec![Box::new(one), Box::new(other)])
}

/// There and back; nobody is ever idle.
fn ping_pong(run: &Run<'_>, control: Control) -> io::Result<Answer> {
    let timed = run.messages.min(SAMPLES as u64);
    let word = |i| Word::new(0, 0, i);
    two_ways(
        run,
        control,
        &|to, from| {
            let mut volley = |from_: u64, until: u64| -> io::Result<()> {
                for i in from_..until {
                    to.send(word(i))?;
                    must_be(word(i), from.receive()?)?;
                }
                Ok(())
            };
            let early = warm(run.messages);
            volley(0, early)?;
            let begin = sys::now();
            volley(early, run.messages)?;
            let end = sys::now();
            let mut before = end;
            for i in run.messages..run.messages + timed {
                volley(i, i + 1)?;
                let after = sys::now();
                control.note(after - before);
                before = after;
            }
            control.set_side(0, Side { begin, end, ..Side::default() });
            Ok(())
        },
        &|to, from| {
            for i in 0..run.messages + timed {
                must_be(word(i), from.receive()?)?;
                to.send(word(i))?;
            }
            Ok(())
        },
    )?;
    let Side { begin, end, .. } = control.side(0);
    let ns = Some(each(end - begin, run.messages - warm(run.messages)));
    Ok(Answer { ns, samples: control.samples(), ..Answer::default() })
}

/// From before a send until the other side, which has slept, has the message.
fn asleep(run: &Run<'_>, control: Control) -> io::Result<Answer> {
    let send = |to: &mut dyn Handle, i| {
        std::thread::sleep(Duration::from_millis(1));
        control.sent_at.store(sys::now(), Relaxed);
        to.send(Word::new(0, 0, i))
    };
    let receive = |from: &mut dyn Handle, i| {
        let word = from.receive()?;
        let took = sys::now().saturating_sub(control.sent_at.load(Relaxed));
        if i >= warm(run.messages) {
            control.note(took);
        }
        must_be(Word::new(0, 0, i), word)
    };
    two_ways(
        run,
        control,
        &|to, from| (0..run.messages).try_for_each(|i| send(to, i).and_then(|()| receive(from, i))),
        &|to, from| (0..run.messages).try_for_each(|i| receive(from, i).and_then(|()| send(to, i))),
    )?;
    let samples = control.samples();
    let mut sorted = samples.clone();
    sorted.sort_unstable();
    let ns = sorted.get(sorted.len() / 2).map(|&middle| each(middle, 1));
    Ok(Answer { ns, samples, ..Answer::default() })
}

/// One process has it open, another opens it and closes it, time and again.
fn open(run: &Run<'_>, control: Control) -> io::Result<Answer> {
    let opener = run.create(0)?;
    let keep = || {
        let _open = opener(End::Both)?;
        control.start_line(2);
        while control.overtaken.load(Relaxed) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    };
    let measure = || {
        run.pin(0)?;
        control.start_line(2);
        let times = |count: u64| (0..count).try_for_each(|_| opener(End::Sender).map(drop));
        let early = warm(run.messages);
        times(early)?;
        let begin = sys::now();
        times(run.messages - early)?;
        control.set_side(1, Side { begin, end: sys::now(), ..Side::default() });
        control.overtaken.store(1, Relaxed);
        Ok(())
    };
    together(control, vec![Box::new(keep), Box::new(measure)])?;
    let Side { begin, end, .. } = control.side(1);
    Ok(Answer { ns: Some(each(end - begin, run.messages - warm(run.messages))), ..Answer::default() })
}

/// One process waits for a message, one for room; a third looks at what CPU time they take.
fn idle(run: &Run<'_>, control: Control) -> io::Result<Answer> {
    let empty = run.create(0)?;
    let is_bounded = run.who.abilities.contains(&Ability::Depth);
    let full = if is_bounded { Some(run.create(1)?) } else { None };
    let waiters = 1 + usize::from(is_bounded);
    let word = |i| Word::new(0, 0, i);
    let taken = || {
        if control.overtaken.load(Relaxed) != 0 {
            return Err(wrong("who was to wait did not: more came than was sent, or more has room than its depth"));
        }
        (0..waiters).try_fold(0, |sum, role| sys::cpu_of(control.pid(role)).map(|cpu| sum + cpu))
    };

    let receiver = || {
        let mut from = empty(End::Receiver)?;
        control.start_line(waiters + 1);
        let word_0 = from.receive()?;
        control.overtaken.store(1, Relaxed);
        must_be(word(0), word_0)
    };
    let look = || {
        let mut to = empty(End::Sender)?;
        let mut from = full.as_ref().map(|full| full(End::Receiver)).transpose()?;
        control.start_line(waiters + 1);
        run.unlink();
        std::thread::sleep(Duration::from_millis(1500)); // until they sleep for good: some look once more after a second
        let before = taken()?;
        std::thread::sleep(Duration::from_secs(1));
        let cpu = taken()? - before;
        control.set_side(waiters, Side { cpu, ..Side::default() });
        to.send(word(0))?;
        from.as_mut().map_or(Ok(()), |from| must_be(word(0), from.receive()?))
    };
    let sender = full.as_ref().map(|full| -> Role<'_> {
        Box::new(move || {
            let mut to = full(End::Sender)?;
            let depth = run.shape.depth as u64;
            (0..depth).try_for_each(|i| to.send(word(i)))?;
            control.start_line(waiters + 1);
            to.send(word(depth))?;
            control.overtaken.store(1, Relaxed);
            Ok(())
        })
    });
    let receiver: Role<'_> = Box::new(receiver);
    together(control, [receiver].into_iter().chain(sender).chain([Box::new(look) as Role<'_>]).collect())?;
    Ok(Answer { cpu: Some(each(control.side(waiters).cpu, 1)), ..Answer::default() })
}
