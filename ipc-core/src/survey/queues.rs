//! The system's queues: those that a mounted mqueue file system lists, and those that a process has open.

use super::scene::{Key, Scene, path_of};
use super::verdict::Way;
use super::{Kind, Object, Survey};
use crate::engine::Engine;
use crate::error::Errno;
use crate::name::{NAME_MAX, Name};
use crate::sys::observe::Facts;
use crate::sys::{self, mq, observe, proc};
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where the system's queues are listed, as far as they are.
pub(super) fn places() -> Vec<PathBuf> {
    proc::mounts("mqueue").into_iter().map(|(place, _)| place).collect()
}

pub(super) fn list(scene: &Scene, survey: &mut Survey) {
    let places = places();
    let mut listed: BTreeMap<Key, (PathBuf, Facts)> = BTreeMap::new();
    for place in &places {
        let entries = match std::fs::read_dir(place) {
            Ok(entries) => entries,
            Err(error) => {
                let place = place.display();
                survey
                    .unseen
                    .push(format!("queues of the system's that nobody has open: {place} cannot be read: {error}"));
                continue;
            }
        };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if let Some(facts) = facts(&path) {
                listed.insert((facts.device, facts.inode), (path, facts));
            }
        }
    }
    if places.is_empty() {
        survey.unseen.push(
            "queues of the system's that nobody has open: /dev/mqueue is not mounted (as root: mkdir -p /dev/mqueue; \
             mount -t mqueue none /dev/mqueue)"
                .into(),
        );
    }
    for (&key, target) in &scene.queues {
        if !listed.contains_key(&key) {
            survey.objects.extend(open(scene, key, target));
        }
    }
    for (key, (path, facts)) in listed {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut object = Object::new(Kind::Queue, Engine::Posix, format!("/{file}"), key);
        object.openers = scene.openers(key);
        object.kin.way = Way::File;
        note(&mut object, &facts);
        fill(&mut object, &path);
        object.path = Some(path);
        survey.objects.push(object);
    }
}

fn facts(path: &Path) -> Option<Facts> {
    observe::facts(&c_path(path).ok()?, false).ok()
}

const REMOVED: &str = "its name was removed before";

/// Whether another may bear its name by now.
pub(super) fn lost_its_name(object: &Object) -> bool {
    matches!(object.kin.way, Way::None(REMOVED))
}

/// A queue that no directory lists, but somebody has open.
fn open(scene: &Scene, key: Key, target: &Path) -> Option<Object> {
    let openers = scene.openers(key);
    let process = openers.iter().find_map(|one| one.descriptor.map(|_| &one.process))?;
    let held = openers.iter().find_map(|one| {
        let path = path_of(one.process.window, one.descriptor?);
        let facts = observe::facts(&path, true).ok()?;
        ((facts.device, facts.inode) == key).then_some((path, facts))
    });
    let target = target.to_string_lossy();
    // A name may end so, too.
    let is_named = held.as_ref().is_some_and(|(_, facts)| facts.links > 0);
    let (name, removed) = match target.strip_suffix(" (deleted)") {
        Some(name) if !is_named => (name, true),
        _ => (&*target, false),
    };
    let mut object = Object::new(Kind::Queue, Engine::Posix, name.to_owned(), key);
    let other = proc::namespace(&process.window.to_string(), "ipc");
    // Of one that has ended it is not told; the name then shows whether it is the same queue.
    let is_ours = other.is_none() || other == proc::namespace("self", "ipc");
    object.kin.way = if removed {
        object.trouble.push("its name was removed: it goes with the last who has it open".into());
        Way::None(REMOVED)
    } else if is_ours {
        Way::Queue
    } else {
        object.trouble.push(format!("it is in another IPC namespace, that of process {}", process.number));
        Way::None("it is in another IPC namespace")
    };
    object.openers = openers;
    // Who had it may have closed it since: by its name it is found still.
    if let Some((facts, file)) = again(&object) {
        note(&mut object, &facts);
        count(&mut object, file);
        return Some(object);
    }
    let (path, facts) = held?;
    note(&mut object, &facts);
    fill(&mut object, Path::new(OsStr::from_bytes(path.to_bytes())));
    Some(object)
}

/// A queue of this name that nobody has open, as far as can be seen.
pub(super) fn by_name(name: &str) -> Option<Object> {
    let parsed = Name::new("find", name, NAME_MAX).ok()?;
    let mut object = Object::new(Kind::Queue, Engine::Posix, name.to_owned(), (0, 0));
    object.kin.way = Way::Queue;
    match observe::open_named_queue(&parsed.file("")) {
        Ok(file) => {
            let facts = observe::facts_of(file.as_fd()).ok()?;
            (object.device, object.inode) = (facts.device, facts.inode);
            note(&mut object, &facts);
            count(&mut object, file);
        }
        Err(errno @ (Errno::AGAIN | Errno(libc::EACCES))) => object.complain("what is in it cannot be seen", errno),
        Err(_) => return None,
    }
    Some(object)
}

/// The kernel sets a queue's time of change whenever it is used or looked at, and that of its modification once.
fn note(object: &mut Object, facts: &Facts) {
    object.note(facts);
    (object.made, object.changed) = (Some(facts.modified), None);
}

/// How much is in it now. ENOENT: neither its name nor those who had it open lead to it any more.
pub(super) fn refresh(object: &mut Object) -> sys::Result<()> {
    object.trouble.clear();
    if let Some(path) = object.path.clone() {
        observe::facts(&c_path(&path)?, false)?;
        fill(object, &path);
        return Ok(());
    }
    if let Some((_, file)) = again(object) {
        count(object, file);
        return Ok(());
    }
    let open = object.openers.iter().find_map(|one| Some(path_of(one.process.window, one.descriptor?)));
    let path = open.ok_or(Errno::NOT_FOUND)?;
    observe::facts(&path, true)?;
    fill(object, Path::new(OsStr::from_bytes(path.to_bytes())));
    Ok(())
}

/// The queue of this name, if it still is this one; not our own, which is not opened: see `fill`.
fn again(object: &Object) -> Option<(Facts, File)> {
    let own = object.openers.iter().any(|one| one.process.number == std::process::id());
    if own || !matches!(object.kin.way, Way::Queue) {
        return None;
    }
    let name = Name::new("look at", &object.name, NAME_MAX).ok()?;
    let file = observe::open_named_queue(&name.file("")).ok()?;
    let facts = observe::facts_of(file.as_fd()).ok()?;
    ((facts.device, facts.inode) == (object.device, object.inode)).then_some((facts, file))
}

fn c_path(path: &Path) -> sys::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::INVALID)
}

/// How much is in it.
fn fill(object: &mut Object, path: &Path) {
    let own = object.openers.iter().find(|one| one.process.number == std::process::id());
    // Not opened: to close it would take back this process's registration for notification.
    if let Some(number) = own.and_then(|own| own.descriptor) {
        match observe::own_queue(number) {
            Ok(found) => attributes(object, found),
            Err(errno) => object.complain("what is in it cannot be seen", errno),
        }
        return;
    }
    match c_path(path).and_then(|path| observe::open_queue(&path)) {
        Ok(file) => count(object, file),
        Err(errno) => object.complain("what is in it cannot be seen", errno),
    }
}

fn attributes(object: &mut Object, found: mq::Attributes) {
    object.messages = Some(found.queued as u64);
    object.max_messages = Some(found.max_messages as u64);
    object.message_size = Some(found.message_size as u64);
}

/// What the kernel tells of a queue, to who may read it: `QSIZE:129 NOTIFY:2 SIGNO:0 NOTIFY_PID:8260`.
fn count(object: &mut Object, mut file: File) {
    let told = || -> sys::Result<String> {
        let facts = observe::facts_of(file.as_fd())?;
        if (facts.device, facts.inode) != (object.device, object.inode) {
            return Err(Errno(libc::ESTALE));
        }
        attributes(object, mq::attributes(file.as_fd())?);
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| Errno(error.raw_os_error().unwrap_or(libc::EIO)))?;
        Ok(text)
    }();
    match told {
        Ok(text) => {
            let number = |name: &str| {
                let word = text.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix(':'));
                word.and_then(|number| number.parse::<u64>().ok())
            };
            object.bytes = number("QSIZE");
            object.notified = number("NOTIFY_PID").filter(|&process| process != 0).map(|process| process as u32);
        }
        Err(errno) => object.complain("what is in it cannot be seen", errno),
    }
}
