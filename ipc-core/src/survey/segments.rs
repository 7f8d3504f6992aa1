//! Queues of engine shm: what their files tell, beside what /proc does.

use super::{Kind, Life, Object, Opener, Order, Participant, Peeked, Process, Waits};
use crate::engine::Engine;
use crate::error::{Errno, Error, Result};
use crate::name;
use crate::queue::look::{Look, SORTED, Seat, View};
use crate::region::header::{Spoiled, VERSION};
use crate::sys::{observe, proc};
use std::collections::HashMap;
use std::ffi::CStr;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Looks into the queue's file.
pub(super) fn fill(object: &mut Object, path: &CStr) {
    let outcome = open(object, path).and_then(|look| {
        let view = look.view()?;
        Ok((look.name, view))
    });
    match outcome {
        Ok((name, view)) => {
            object.name = name;
            describe(object, view);
        }
        Err(spoiled) => {
            forget(object);
            match spoiled {
                Spoiled { errno, cause: None } => object.complain("what is in it cannot be seen", errno),
                Spoiled { cause: Some(cause), .. } => object.trouble.push(cause.into_owned()),
            }
        }
    }
}

/// What was told before is not so any more.
fn forget(object: &mut Object) {
    object.layout = None;
    (object.maker, object.messages, object.bytes, object.order) = (None, None, None, None);
    (object.max_messages, object.message_size, object.sent, object.orphaned) = (None, None, None, 0);
    object.participants.clear();
}

fn open(object: &Object, path: &CStr) -> std::result::Result<Look, Spoiled> {
    let opened = observe::open(path)?;
    let facts = observe::facts_of(opened.as_fd())?;
    if (facts.device, facts.inode) != (object.device, object.inode) {
        return Err(Errno(libc::ESTALE).into());
    }
    let called = object.path.as_deref().and_then(Path::file_name).unwrap_or_default();
    Look::at(opened, facts.size, &called.to_string_lossy())
}

fn describe(object: &mut Object, view: View) {
    object.made = time(view.made).or(object.made);
    (object.layout, object.maker) = (Some(VERSION), Some(view.maker));
    object.max_messages = Some(view.max_messages as u64);
    object.message_size = Some(view.message_size as u64);
    object.messages = Some(view.messages as u64);
    object.sent = Some(view.sent);
    object.bytes = view.bytes;
    object.orphaned = view.orphaned;
    object.order = Some(match view.mode {
        0 => Order::Fresh,
        SORTED => Order::Sorted,
        priority => Order::Ring(priority - 1),
    });
    object.trouble.extend(view.wrong);
    whole_mappings(&mut object.openers);
    object.participants = view.seats.iter().map(|seat| judge(&object.openers, seat)).collect();
}

/// Each thread that takes part has its own page mapped once more, for the kernel; who waits is among those.
fn whole_mappings(openers: &mut Vec<Opener>) {
    let len = |range: &std::ops::Range<u64>| range.end - range.start;
    let longest = openers.iter().filter_map(|one| Some((one.process.number, len(one.mapped.as_ref()?))));
    let mut whole: HashMap<u32, u64> = HashMap::new();
    for (process, len) in longest {
        let known = whole.entry(process).or_default();
        *known = len.max(*known);
    }
    openers.retain(|one| one.mapped.as_ref().is_none_or(|range| whole.get(&one.process.number) == Some(&len(range))));
    for one in openers {
        one.waiting.clear();
    }
}

/// Later than the clock can tell is never.
fn time(nanoseconds: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(nanoseconds))
}

fn judge(openers: &[Opener], seat: &Seat) -> Participant {
    let found = if seat.dead { None } else { Some(find(openers, seat)) };
    let (process, thread, life) = match found {
        None => (None, None, Life::Dead("the kernel has marked that its thread ended".into())),
        Some(Ok((process, thread))) => (Some(process), Some(thread), Life::Alive),
        Some(Err(why)) => (None, None, Life::Unknown(why)),
    };
    Participant {
        place: seat.place,
        own_process: seat.process,
        own_thread: seat.thread,
        process,
        thread,
        since: time(seat.since).unwrap_or(SystemTime::UNIX_EPOCH),
        life,
        waits: Waits { to_receive: seat.receives(), to_send: seat.sends(), watches: seat.watches() },
        reserved: seat.reserved,
        borrowed: seat.borrowed,
        locks: seat.locks,
        notified: seat.notified,
    }
}

/// The thread that has a place which is not marked, among those whose process has the queue mapped. A number
/// alone is no proof: other PID namespaces have the same ones.
fn find(openers: &[Opener], seat: &Seat) -> std::result::Result<(Arc<Process>, u32), String> {
    let mut processes: Vec<&Arc<Process>> =
        openers.iter().filter(|one| one.mapped.is_some()).map(|one| &one.process).collect();
    processes.dedup_by_key(|process| process.number);
    let threads = processes.into_iter().filter(|process| process.own_number() == seat.process).filter_map(|process| {
        let own = |&thread: &u32| {
            let status = proc::thread_status(process.number, thread);
            status.is_ok_and(|status| !status.ended && status.numbers.last() == Some(&seat.thread))
        };
        Some((process.clone(), proc::threads(process.number).into_iter().find(own)?))
    });
    let mut threads: Vec<_> = threads.collect();
    match threads.len() {
        1 => Ok(threads.remove(0)),
        0 => Err(format!(
            "it is not marked as dead, but no thread {} of a process {} that has the queue mapped can be seen from \
             here: it is in a PID namespace or of a user that cannot be looked at, or has ended just now",
            seat.thread, seat.process
        )),
        _ => Err(format!("several PID namespaces have a thread {} of a process {}", seat.thread, seat.process)),
    }
}

pub(super) fn peek(object: &Object, max: usize, bytes: usize) -> Result<Vec<Peeked>> {
    let operation = "look into queue";
    let fail = |errno: i32, cause: &'static str| Err(Error::new(operation, Path::new(&object.name), errno, cause));
    let path = match &object.path {
        _ if object.kind != Kind::Queue => return fail(libc::EOPNOTSUPP, "it is no queue"),
        Some(path) if object.engine == Engine::Shm => path,
        _ => return fail(libc::EOPNOTSUPP, "a queue of the system's shows a message only to who takes it"),
    };
    let messages = open(object, &name::path(operation, path)?).and_then(|look| look.peek(max, bytes));
    let messages = messages.map_err(|Spoiled { errno, cause }| {
        let error = errno.of(operation, Path::new(&object.name));
        match cause {
            Some(cause) => error.because(cause),
            None if errno.0 == libc::ESTALE => error.because("another one has its name now"),
            None => error,
        }
    })?;
    let told = messages.into_iter().map(|message| Peeked {
        priority: message.priority,
        len: message.len,
        changed: message.data.is_none(),
        data: message.data.unwrap_or_default(),
    });
    Ok(told.collect())
}
