//! Processes that make, open, use and close objects are killed at random, while another one removes what is
//! provably unused. Nothing that anybody has is removed, and in the end nothing is left.

use crate::common::{Scratch, trial, until};
use crate::peers::Peer;
use libtest_mimic::Trial;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;
use unipc::survey::{self, Kind, Object, Verdict};
use unipc::{Engine, Memory, Queue, Semaphore};

const PEERS: usize = 4;
/// Of each kind there are so many names.
const NAMES: u64 = 3;

/// At the end of the names of the system's queues: ours has the same otherwise.
const SYSTEMS: &str = "-of-the-system";

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// What errors say that another one made or removed the object meanwhile.
fn had<T>(outcome: unipc::Result<T>) -> Option<T> {
    outcome.map_err(|error| assert!([libc::ENOENT, libc::EEXIST].contains(&error.errno()), "{error}")).ok()
}

fn same_file(path: &str) -> Option<u64> {
    std::fs::metadata(path).ok().map(|found| found.ino())
}

/// Whether the name is this object's for as long as `use_it` has it.
fn keeps_its_name(path: &str, use_it: impl FnOnce()) {
    let before = same_file(path);
    use_it();
    let after = same_file(path);
    assert!(before.is_some() && before == after, "{path} was removed while this process had it: {before:?} {after:?}");
}

/// The role: goes on until it is killed. A violation is a panic, which ends it.
pub fn churn(prefix: &str, seed: u64) {
    let mut numbers = Numbers(seed);
    println!("ready");
    loop {
        let name = format!("{prefix}-{}", numbers.below(NAMES));
        let pause = Duration::from_micros(numbers.below(3) * numbers.below(1500));
        let rest = &name[1..];
        match numbers.below(4) {
            0 => {
                let options = || {
                    let mut options = Queue::options();
                    options.engine(Engine::Shm).max_messages(4).message_size(64);
                    options
                };
                let Some((queue, _)) = had(options().open_or_create(&name)) else { continue };
                keeps_its_name(&format!("/dev/shm/unipc.queue.{rest}"), || {
                    let _ = queue.try_send(b"an order", numbers.below(2) as u32);
                    let borrowed = queue.try_borrow();
                    std::thread::sleep(pause);
                    if numbers.below(2) == 0 {
                        let _ = borrowed.map(unipc::queue::Borrowed::release);
                    }
                });
            }
            1 => {
                let Some((memory, _)) = had(Memory::options().size(5000).open_or_create(&name)) else { continue };
                keeps_its_name(&format!("/dev/shm/{rest}"), || {
                    memory.write_at(numbers.below(4000) as usize, b"bytes").unwrap();
                    std::thread::sleep(pause);
                });
            }
            2 => {
                let Some((semaphore, _)) = had(Semaphore::options().value(1).open_or_create(&name)) else { continue };
                keeps_its_name(&format!("/dev/shm/sem.{rest}"), || {
                    let _ = semaphore.try_wait();
                    std::thread::sleep(pause);
                    semaphore.post().unwrap();
                });
            }
            _ => {
                let (mut options, name) = (Queue::options(), format!("{name}{SYSTEMS}"));
                let Some((queue, _)) = had(options.max_messages(2).message_size(32).open_or_create(&name)) else {
                    continue;
                };
                let inode = |queue: &Queue| {
                    let fd = queue.as_fd().try_clone_to_owned().unwrap();
                    std::fs::File::from(fd).metadata().unwrap().ino()
                };
                let _ = queue.try_send(b"x", 0);
                std::thread::sleep(pause);
                let again =
                    Queue::open(&name).unwrap_or_else(|error| panic!("was removed while this process had it: {error}"));
                assert_eq!(inode(&again), inode(&queue), "{name} was removed while this process had it");
            }
        }
    }
}

/// Removes what is provably unused; how many. Queues of the system's that nobody has open are not listed where
/// /dev/mqueue is not mounted: then they are found `by_name`.
fn clean(prefix: &str, by_name: bool) -> usize {
    let survey = survey::objects(&[Kind::Queue, Kind::Memory, Kind::Semaphore]);
    let mut ours: Vec<Object> = survey.objects.into_iter().filter(|found| found.name.starts_with(prefix)).collect();
    for number in (0..NAMES).filter(|_| by_name) {
        ours.extend(survey::find(&format!("{prefix}-{number}{SYSTEMS}")).unwrap_or_default());
    }
    let unused = |object: &&Object| matches!(survey::verdict(object), Verdict::Dead(_) | Verdict::Unused(_));
    let removed = ours.iter().filter(unused).filter(|object| match object.remove_unused() {
        Ok(()) => true,
        Err(error) => {
            // Somebody came, or another one took its place, since.
            let expected = [libc::EBUSY, libc::ENOENT, libc::ESTALE];
            assert!(expected.contains(&error.errno()), "{error}");
            false
        }
    });
    removed.count()
}

/// What a storm that fails leaves behind goes with this.
struct Remains<'a>(&'a str);

impl Drop for Remains<'_> {
    fn drop(&mut self) {
        for name in (0..NAMES).map(|number| format!("{}-{number}", self.0)) {
            let _ = Queue::unlink(&format!("{name}{SYSTEMS}"));
            let _ = Queue::unlink(&name);
            let _ = Memory::unlink(&name);
            let _ = Semaphore::unlink(&name);
        }
    }
}

fn rounds(seed: u64, count: usize) {
    let scratch = Scratch::new();
    let prefix = scratch.name();
    let _remains = Remains(prefix); // dropped after the peers were killed
    let mut numbers = Numbers(seed);
    let mut start = || Peer::start("churn", &[prefix, &numbers.below(1 << 30).to_string()]);
    let mut peers: Vec<Peer> = (0..PEERS).map(|_| start()).collect();
    let mut removed = 0;
    for round in 0..count {
        std::thread::sleep(Duration::from_micros(round as u64 * 7919 % 3000));
        let victim = round % PEERS;
        assert!(!peers[victim].has_ended(), "a peer has found a violation");
        let dead = std::mem::replace(&mut peers[victim], start());
        dead.kill();
        removed += clean(prefix, round % 10 == 0);
    }
    for peer in &mut peers {
        assert!(!peer.has_ended(), "a peer has found a violation");
    }
    peers.into_iter().for_each(Peer::kill);
    // Other tests look at what they find, and have it open for that.
    let left = || {
        let names = (0..NAMES).flat_map(|number| ["", SYSTEMS].map(|end| format!("{prefix}-{number}{end}")));
        names.filter(|name| survey::find(name).is_ok()).count()
    };
    until("nothing is left", || {
        clean(prefix, true);
        left() == 0
    });
    assert!(removed > 0);
}

/// Two hundred kills, in parts that a watchdog can watch.
pub fn all(what: &str) -> Vec<Trial> {
    let part = |part: u64| {
        let name = format!("{what}::what_anybody_has_survives_when_others_are_killed::{part}");
        trial(name, move || rounds(part, 20))
    };
    (1..=10).map(part).collect()
}
