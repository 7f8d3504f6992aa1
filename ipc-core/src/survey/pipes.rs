//! Pipes and FIFOs, by who has an end of them.

use super::scene::{Key, Scene};
use super::verdict::Way;
use super::{Kind, Object, Survey};
use crate::engine::Engine;
use crate::error::{Errno, Error, Result};
use crate::name;
use crate::sys::{self, observe, pipe};
use std::os::fd::AsFd;
use std::path::Path;

pub(super) fn list(scene: &Scene, kinds: &[Kind], survey: &mut Survey) {
    if kinds.contains(&Kind::Pipe) {
        survey.objects.extend(scene.pipes.iter().map(|(&key, target)| object(scene, Kind::Pipe, key, target)));
    }
    if kinds.contains(&Kind::Fifo) {
        survey.objects.extend(scene.fifos.iter().map(|(&key, path)| object(scene, Kind::Fifo, key, path)));
    }
}

/// The FIFO that has this path, open or not; with `or_none`, something else is none.
pub(super) fn by_path(operation: &'static str, path: &Path, or_none: bool) -> Result<Option<Object>> {
    let facts = match observe::facts(&name::path(operation, path)?, true) {
        Ok(facts) if facts.is_fifo() => facts,
        Ok(_) if !or_none => {
            let cause = "it is no FIFO, and no object of /dev/shm or /dev/mqueue";
            return Err(Error::new(operation, path, libc::EINVAL, cause));
        }
        Ok(_) | Err(Errno::NOT_FOUND) => return Ok(None),
        Err(errno) => return Err(errno.of(operation, path)),
    };
    let scene = Scene::take(&[Kind::Fifo]);
    Ok(Some(object(&scene, Kind::Fifo, (facts.device, facts.inode), path)))
}

fn object(scene: &Scene, kind: Kind, key: Key, path: &Path) -> Object {
    let mut object = Object::new(kind, Engine::Posix, path.to_string_lossy().into_owned(), key);
    object.openers = scene.openers(key);
    object.kin.way = match kind {
        Kind::Pipe => Way::None("a pipe has no name: it goes with the last who has an end of it"),
        _ => find_again(&mut object, path),
    };
    if let Err(errno) = refresh(&mut object) {
        if !object.openers.is_empty() {
            object.complain("how much is in it cannot be seen", errno);
        }
    }
    object
}

/// How much is in it now. ENOENT: nobody has an end of it any more.
pub(super) fn refresh(object: &mut Object) -> sys::Result<()> {
    let (bytes, capacity) = fill(object).unwrap_or(Err(Errno::NOT_FOUND))?;
    (object.bytes, object.capacity) = (Some(bytes as u64), Some(capacity as u64));
    Ok(())
}

/// What the path of a FIFO tells of it, if it still is this one's here: who has it open may see another tree.
fn find_again(object: &mut Object, path: &Path) -> Way {
    let facts = |follow| observe::facts(&name::path("find", path).ok()?, follow).ok();
    match facts(true) {
        Some(found) if (found.device, found.inode) == (object.device, object.inode) => {
            object.note(&found);
            object.path = Some(path.to_owned());
            if facts(false).is_some_and(|own| own.is_fifo()) {
                Way::File
            } else {
                Way::None("its path is a symbolic link: the FIFO is removed by its own path, and the link by rm(1)")
            }
        }
        _ => {
            object.trouble.push(
                "nothing has this path any more, or not here: it was removed, or is in another mount namespace".into(),
            );
            Way::None("it has no name that could be removed from here")
        }
    }
}

/// Bytes in it, and how many it can hold, by a descriptor borrowed from one that has an end of it.
fn fill(object: &Object) -> Option<sys::Result<(usize, usize)>> {
    let ask = |process: u32, descriptor: i32| {
        let end = observe::borrow_descriptor(process, descriptor)?;
        let facts = observe::facts_of(end.as_fd())?;
        if !facts.is_fifo() || facts.inode != object.inode {
            return Err(Errno::BAD_HANDLE); // closed, and the number given to something else
        }
        Ok((pipe::available(end.as_fd())?, pipe::capacity(end.as_fd())?))
    };
    let ends = object.openers.iter().filter(|end| end.reads || end.writes);
    let mut ends = ends.filter_map(|end| Some((end.process.window, end.descriptor?)));
    let (process, descriptor) = ends.next()?;
    let first = ask(process, descriptor);
    Some(first.or_else(|errno| ends.find_map(|(process, descriptor)| ask(process, descriptor).ok()).ok_or(errno)))
}
