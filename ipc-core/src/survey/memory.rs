//! What stands in /dev/shm: memory, semaphores, and queues of engine shm.

use super::scene::{Key, SHM, Scene, path_of};
use super::verdict::Way;
use super::{Kind, Object, Survey, segments};
use crate::engine::Engine;
use crate::error::Errno;
use crate::queue::look;
use crate::sys::observe::{self, Facts};
use crate::sys::{self, sem};
use std::collections::HashSet;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, FileExt};
use std::path::Path;

const SEMAPHORE: &str = "sem.";

pub(super) fn list(scene: &Scene, kinds: &[Kind], survey: &mut Survey) {
    let entries = match std::fs::read_dir(SHM) {
        Ok(entries) => entries,
        Err(error) => {
            survey.unseen.push(format!("memory, semaphores and queues of engine shm: {SHM} cannot be read: {error}"));
            return;
        }
    };
    let mut listed = HashSet::new();
    for entry in entries.filter_map(std::result::Result::ok) {
        let file = entry.file_name();
        listed.insert(entry.ino());
        let (kind, engine, name) = judge(&file);
        if kinds.contains(&kind) {
            survey.objects.extend(object(scene, kind, engine, name, &file));
        }
    }
    for (&key, file) in scene.removed.iter().filter(|((_, inode), _)| !listed.contains(inode)) {
        let (kind, engine, name) = judge(file.as_os_str());
        if kinds.contains(&kind) {
            survey.objects.push(removed(scene, kind, engine, name, key));
        }
    }
}

/// An object that has lost its name, while somebody has it.
fn removed(scene: &Scene, kind: Kind, engine: Engine, name: String, key: Key) -> Object {
    let mut object = Object::new(kind, engine, name, key);
    object.openers = scene.openers(key);
    let open = object.openers.iter().find_map(|one| Some(path_of(one.process.window, one.descriptor?)));
    if let Some(Ok(facts)) = open.map(|path| observe::facts(&path, true)) {
        if (facts.device, facts.inode) == key {
            object.note(&facts);
            (object.size, object.allocated) = (Some(facts.size), Some(facts.allocated));
        }
    }
    object.trouble.push("its name was removed: it goes with the last who has it".into());
    object.kin.way = Way::None("its name was removed before");
    object
}

/// What a file is by the name that it has.
fn judge(file: &OsStr) -> (Kind, Engine, String) {
    let text = file.to_string_lossy();
    if look::is_called_so(&text) {
        // One that is called by a digest has its name inside.
        let name = look::name_of(&text).unwrap_or_else(|| format!("{SHM}/{text}"));
        return (Kind::Queue, Engine::Shm, name);
    }
    match text.strip_prefix(SEMAPHORE) {
        Some(rest) => (Kind::Semaphore, Engine::Posix, format!("/{rest}")),
        None => (Kind::Memory, Engine::Posix, format!("/{text}")),
    }
}

/// `None`: it is gone, or no object.
fn object(scene: &Scene, kind: Kind, engine: Engine, name: String, file: &OsStr) -> Option<Object> {
    let path = Path::new(SHM).join(file);
    let c_path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let facts = observe::facts(&c_path, false).ok()?;
    if !facts.is_file() && kind == Kind::Memory {
        return None;
    }
    let key = (facts.device, facts.inode);
    let mut object = Object::new(kind, engine, name, key);
    object.openers = scene.openers(key);
    object.path = Some(path);
    object.kin.way = Way::File;
    if facts.is_file() {
        tell(&mut object, &c_path, &facts);
    } else {
        object.note(&facts);
        object.trouble.push("it is no file".into());
        object.kin.way = Way::None("it is no file, and so no object: rm(1) or rmdir(1) removes it");
    }
    Some(object)
}

/// What the object's file tells now. ENOENT, ESTALE.
pub(super) fn refresh(object: &mut Object) -> sys::Result<()> {
    let path = object.path.as_ref().and_then(|path| CString::new(path.as_os_str().as_bytes()).ok());
    let path = path.ok_or(Errno::NOT_FOUND)?;
    let facts = observe::facts(&path, false)?;
    if (facts.device, facts.inode) != (object.device, object.inode) {
        return Err(Errno(libc::ESTALE));
    }
    object.trouble.clear();
    tell(object, &path, &facts);
    Ok(())
}

fn tell(object: &mut Object, path: &CString, facts: &Facts) {
    object.note(facts);
    (object.size, object.allocated) = (Some(facts.size), Some(facts.allocated));
    match object.kind {
        Kind::Queue => segments::fill(object, path),
        Kind::Semaphore => match told(path, facts) {
            Ok(Some((value, waiting))) => (object.value, object.waiting) = (Some(value), Some(waiting)),
            Ok(None) => object.trouble.push("no semaphore that processes share stands in its file".into()),
            Err(errno) => object.complain("its value cannot be seen", errno),
        },
        _ => {}
    }
}

/// The value of a semaphore, and how many wait at it. `None`: it is none.
fn told(path: &CString, facts: &Facts) -> sys::Result<Option<(u32, u32)>> {
    if facts.size < sem::SIZE as u64 {
        return Ok(None);
    }
    let mut bytes = [0; sem::SIZE];
    let file = observe::open(path)?;
    file.read_exact_at(&mut bytes, 0).map_err(|error| Errno(error.raw_os_error().unwrap_or(libc::EBADMSG)))?;
    Ok(sem::told(&bytes))
}
