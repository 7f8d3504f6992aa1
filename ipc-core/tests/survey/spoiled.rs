//! A queue's file may have anything in it, and may change at any time: to look at it harms nobody, changes
//! nothing, and ends.

use crate::common::{Scratch, queue};
use crate::peers::{Over, only};
use crate::script::{self, MESSAGE, NUMBERS, Step};
use crate::segment::{self, Segment};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use unipc::queue::PRIORITY_MAX;
use unipc::survey::{self, Kind, Object, Verdict};
use unipc::{Engine, Queue};

/// What may be told of any file that bears a queue's name, whatever is in it.
fn look(found: &mut Object) {
    found.refresh().unwrap();
    match (found.messages, found.max_messages) {
        (Some(messages), Some(max)) => {
            assert!(messages <= max, "{found:?}");
            assert!(found.bytes.is_none_or(|bytes| bytes <= max * found.message_size.unwrap()), "{found:?}");
        }
        // What cannot be told has a reason.
        _ => assert!(found.messages.is_none() && !found.trouble.is_empty(), "{found:?}"),
    }
    assert!(found.participants.len() <= 1024);
    match found.peek(1000, 1 << 20) {
        Ok(shown) => {
            for message in shown {
                let max = found.message_size.map_or(usize::MAX, |max| max as usize);
                assert!(message.data.len() <= max && message.len <= max && message.priority <= PRIORITY_MAX);
            }
        }
        Err(error) => {
            assert!([libc::EBADMSG, libc::EPROTO, libc::EOPNOTSUPP].contains(&error.errno()), "{error}");
            assert!(error.to_string().len() > 20, "{error}");
        }
    }
}

/// As [`look`], and nothing has changed by it.
fn look_without_trace(found: &mut Object, file: &File) {
    let bytes = || {
        let mut bytes = vec![0; file.metadata().unwrap().len().min(1 << 15) as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        (bytes, std::os::unix::fs::MetadataExt::blocks(&file.metadata().unwrap()))
    };
    let before = bytes();
    look(found);
    assert!(bytes() == before);
}

fn make(scratch: &Scratch) -> (Queue, Segment, Object) {
    let queue =
        Queue::options().engine(Engine::Shm).max_messages(4).message_size(MESSAGE).create(scratch.name()).unwrap();
    let segment = Segment::open(scratch.name());
    (queue, segment, only(scratch.name()))
}

crate::promises! {
    fn every_field_may_have_any_number() {
        for sorted in [false, true] {
            let scratch = Scratch::new();
            let (queue, segment, mut found) = make(&scratch);
            queue.send(b"one", 1).unwrap();
            queue.send(b"two", 1 + u32::from(sorted)).unwrap();
            let _borrowed = queue.borrow().unwrap();
            let _reserved = queue.reserve(5, 1).unwrap();
            let mut looks = 0;
            for at in segment.fields() {
                let before = segment.u32(at).load(Relaxed);
                for number in NUMBERS {
                    segment.u32(at).store(number as u32, Relaxed);
                    look(&mut found);
                    segment.u32(at).store((number >> 32) as u32, Relaxed);
                    look(&mut found);
                    looks += 2;
                }
                segment.u32(at).store(before, Relaxed);
            }
            assert!(looks > 4000, "{looks}");
            look(&mut found);
            assert!(found.trouble.is_empty() && found.messages == Some(1), "{found:?}");
        }
    }

    fn no_script_of_the_fuzzers_does_harm_to_who_looks() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/segment");
        let (mut scripts, mut looks) = (0, 0);
        for entry in std::fs::read_dir(folder).unwrap() {
            let (setup, steps) = script::parse(&std::fs::read(entry.unwrap().path()).unwrap());
            let scratch = Scratch::new();
            let mut options = Queue::options();
            options.engine(Engine::Shm).max_messages(setup.slots).message_size(MESSAGE);
            let queue = options.create(scratch.name()).unwrap();
            for number in 0..setup.messages as u32 {
                let _ = queue.try_send(b"a message", if setup.sorted { number } else { 1 });
            }
            let _borrowed = setup.borrowed.then(|| queue.try_borrow());
            let segment = Segment::open(scratch.name());
            let mut found = only(scratch.name());
            let file = File::open(segment::path(scratch.name())).unwrap();
            let end = segment.end();
            for step in steps {
                match step {
                    Step::Poke32 { at, value } => segment.u32(at % end).store(value, Relaxed),
                    Step::Poke64 { at, value } => segment.u64(at % end).store(value, Relaxed),
                    Step::Flip { at, bit } => drop(segment.u32(at % end).fetch_xor(1 << bit, Relaxed)),
                    Step::Send { len, priority } => {
                        script::judge(queue.try_send(&[b'x'; MESSAGE][..len], priority));
                    }
                    Step::Receive => drop(script::judge(queue.try_receive())),
                    _ => continue,
                }
                look_without_trace(&mut found, &file);
                looks += 1;
            }
            let verdict = survey::verdict(&only(segment::path(scratch.name()).to_str().unwrap()));
            assert!(matches!(verdict, Verdict::Alive(_)), "{verdict:?}");
            scripts += 1;
        }
        assert!(scripts > 40 && looks > scripts, "only {scripts} scripts were played, and {looks} looks taken");
    }

    fn a_file_that_changes_all_the_time_is_looked_at_in_peace() {
        let scratch = Scratch::new();
        let (queue, segment, mut found) = make(&scratch);
        queue.send(b"one", 1).unwrap();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _over = Over(&over);
            scope.spawn(|| {
                let (fields, mut number) = (segment.fields(), 1u64);
                while !over.load(Relaxed) {
                    number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let at = fields[(number >> 33) as usize % fields.len()];
                    segment.u32(at).fetch_xor(1 << (number >> 28 & 31), Relaxed);
                }
            });
            for _ in 0..5000 {
                look(&mut found);
            }
        });
    }

    fn a_file_that_is_cut_and_grows_is_looked_at_in_peace() {
        let scratch = Scratch::new();
        let (queue, segment, mut found) = make(&scratch);
        drop(queue);
        let len = segment.len as u64;
        drop(segment);
        let file = File::options().write(true).open(segment::path(scratch.name())).unwrap();
        let mut header = [0; 4096];
        File::open(segment::path(scratch.name())).unwrap().read_exact_at(&mut header, 0).unwrap();
        for cut in [0, 1, 4095, 4096, 4097, 8192, len - 4096, len - 1, len, len + 1, len + 4096, 1 << 40] {
            file.set_len(cut).unwrap();
            look(&mut found);
            // Its header is gone, or says another size.
            assert!(found.messages.is_none() || cut == len, "{cut}: {found:?}");
            file.set_len(0).unwrap();
            file.write_all_at(&header, 0).unwrap();
            file.set_len(cut.max(4096)).unwrap();
            look(&mut found);
            assert_eq!(found.messages.is_some(), cut == len, "{cut}: {found:?}");
        }
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _over = Over(&over);
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    for cut in [8192, len, 0, len] {
                        file.set_len(cut).unwrap();
                        let _ = file.write_all_at(&header, 0);
                    }
                }
            });
            for _ in 0..3000 {
                let _ = found.refresh();
                let _ = found.peek(10, 100);
            }
        });
    }

    /// It has no space anywhere, and says that it holds as much as can be.
    fn a_huge_file_of_nothing_is_judged_at_once_and_gets_no_space() {
        let scratch = Scratch::new();
        let small = queue(Engine::Shm, &scratch, 1);
        let mut header = [0; 4096];
        let path = segment::path(scratch.name());
        File::open(&path).unwrap().read_exact_at(&mut header, 0).unwrap();
        drop(small);
        for slots in [1u64 << 20, (1 << 20) + 1, i32::MAX as u64] {
            let body = (slots * 12).next_multiple_of(128) + slots * 64;
            let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64;
            let table = (4096 + body).next_multiple_of(page);
            let size = table + 1024 * page;
            header[24..32].copy_from_slice(&size.to_ne_bytes());
            header[32..40].copy_from_slice(&table.to_ne_bytes());
            header[64..72].copy_from_slice(&slots.to_ne_bytes());
            header[72..80].copy_from_slice(&48u64.to_ne_bytes());
            header[1028..1032].copy_from_slice(&u32::MAX.to_ne_bytes());
            let file = File::create(&path).unwrap();
            file.set_len(size).unwrap();
            file.write_all_at(&header, 0).unwrap();
            let mut found = only(scratch.name());
            assert_eq!(found.max_messages, Some(slots), "{found:?}");
            look_without_trace(&mut found, &File::open(&path).unwrap());
            assert_eq!(std::os::unix::fs::MetadataExt::blocks(&file.metadata().unwrap()), 8);
            assert_eq!(found.trouble.is_empty(), slots == 1 << 20, "{:?}", found.trouble);
        }
    }

    fn what_is_no_queue_but_has_a_queues_name_is_told() {
        let scratch = Scratch::new();
        let path = segment::path(scratch.name());
        let told = || {
            let found = survey::objects(&[Kind::Queue]).objects;
            let found = found.into_iter().find(|found| found.path.as_ref() == Some(&path)).unwrap();
            assert!(found.messages.is_none() && found.trouble.len() == 1, "{found:?}");
            assert!(!matches!(survey::verdict(&found), Verdict::Dead(_)));
            found.trouble[0].clone()
        };
        std::fs::write(&path, b"hello").unwrap();
        assert_eq!(told(), "it is no unipc object: it has 5 bytes");
        std::fs::write(&path, [b'x'; 5000]).unwrap();
        assert_eq!(told(), "it is no unipc object: it begins with other bytes");
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert_eq!(told(), "it is no file");
        std::fs::remove_file(&path).unwrap();
        unipc::Fifo::create(&path).unwrap();
        assert_eq!(told(), "it is no file");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(told(), "it is no file");
        std::fs::remove_dir(&path).unwrap();
        let (other, queue) = (Scratch::new(), Scratch::new());
        drop(crate::common::queue(Engine::Shm, &queue, 2));
        std::fs::rename(segment::path(queue.name()), &path).unwrap();
        assert_eq!(told(), "it was made under another name");
        drop(other);
    }

    fn a_semaphore_that_is_none_is_told() {
        let scratch = Scratch::new();
        let path = format!("/dev/shm/sem.{}", &scratch.name()[1..]);
        for bytes in [&b""[..], b"short", &[0xff; 32], &[0x80; 4096]] {
            std::fs::write(&path, bytes).unwrap();
            let found = only(scratch.name());
            assert_eq!((found.kind, found.value, found.trouble.len()), (Kind::Semaphore, None, 1), "{found:?}");
        }
    }
}
