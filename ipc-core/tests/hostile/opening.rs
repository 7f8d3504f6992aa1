//! What stands in a queue's place and is none: refused, with a sentence that says why.

use crate::common::Scratch;
use crate::contents::Numbers;
use crate::script::MESSAGE;
use crate::segment::path;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use unipc::{Engine, Error, Queue};

fn queue(name: &str) -> Queue {
    Queue::options().engine(Engine::Shm).max_messages(4).message_size(MESSAGE).create(name).unwrap()
}

/// The bytes of a queue with two messages in it, whose file is gone again.
fn valid(name: &str) -> Vec<u8> {
    let queue = queue(name);
    queue.try_send(b"one", 1).unwrap();
    queue.try_send(b"two", 2).unwrap();
    drop(queue);
    let bytes = std::fs::read(path(name)).unwrap();
    std::fs::remove_file(path(name)).unwrap();
    bytes
}

fn open(name: &str) -> Result<Queue, Error> {
    Queue::options().engine(Engine::Shm).open(name)
}

#[track_caller]
fn refused(name: &str, errno: i32, words: &str) {
    let error = open(name).expect_err("it was opened");
    assert_eq!(error.errno(), errno, "{error}");
    assert!(error.cause().contains(words), "{error}");
}

/// A queue's file of these bytes, of `len` in all.
fn put(name: &str, bytes: &[u8], len: usize) {
    let file = std::fs::File::create(path(name)).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, bytes, 0).unwrap();
    file.set_len(len as u64).unwrap();
}

/// The role: opens a queue as a stranger, and tells the outcome.
pub fn tell(name: &str) {
    assert_eq!(unsafe { libc::setgid(65534) }, 0);
    assert_eq!(unsafe { libc::setuid(65534) }, 0);
    match open(name) {
        Ok(_) => println!("opened"),
        Err(error) => println!("{} {error}", error.errno()),
    }
}

/// A valid file with a number of its header changed.
#[track_caller]
fn refused_with(at: usize, number: &[u8], errno: i32, words: &str) {
    let scratch = Scratch::new();
    let mut bytes = valid(scratch.name());
    bytes[at..at + number.len()].copy_from_slice(number);
    put(scratch.name(), &bytes, bytes.len());
    refused(scratch.name(), errno, words);
}

crate::promises! {
    fn every_prefix_of_a_valid_file_is_refused() {
        let scratch = Scratch::new();
        let bytes = valid(scratch.name());
        put(scratch.name(), &bytes, bytes.len());
        open(scratch.name()).unwrap(); // the whole is no prefix
        let page = 4096;
        let lengths = (0..=3 * page).chain((3 * page..bytes.len()).step_by(page)).chain([bytes.len() - 1, bytes.len() + 1]);
        let file = std::fs::OpenOptions::new().write(true).open(path(scratch.name())).unwrap();
        for len in lengths {
            file.set_len(0).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, &bytes[..len.min(2 * page)], 0).unwrap();
            file.set_len(len as u64).unwrap();
            let error = open(scratch.name()).expect_err("a prefix was opened");
            assert_eq!(error.errno(), libc::EBADMSG, "{len} bytes: {error}");
            assert!(error.cause().contains(&len.to_string()), "{len} bytes: {error}");
        }
    }

    fn an_empty_file_and_garbage_are_refused() {
        let scratch = Scratch::new();
        put(scratch.name(), b"", 0);
        refused(scratch.name(), libc::EBADMSG, "no unipc object");
        let mut numbers = Numbers(3);
        for _ in 0..200 {
            let len = [100, 4096, 8192, 5 << 20][numbers.below(4)];
            let bytes: Vec<u8> = (0..len.min(16384) / 8).flat_map(|_| numbers.next().to_le_bytes()).collect();
            put(scratch.name(), &bytes, len);
            refused(scratch.name(), libc::EBADMSG, "no unipc object");
        }
    }

    fn garbage_behind_a_valid_beginning_is_refused_or_harmless() {
        let scratch = Scratch::new();
        let bytes = valid(scratch.name());
        let mut numbers = Numbers(4);
        for _ in 0..2000 {
            let mut bytes = bytes[..16384].to_vec();
            for _ in 0..=numbers.below(3) {
                let at = [8, 12, 16, 20, 24, 28, 32, 36, 52, 64, 68, 72, 76, 256][numbers.below(14)];
                bytes[at..at + 4].copy_from_slice(&(numbers.next() as u32 >> numbers.below(32)).to_le_bytes());
            }
            put(scratch.name(), &bytes, 8192 + 1024 * 4096);
            if let Err(error) = open(scratch.name()) {
                assert!([libc::EBADMSG, libc::EPROTO].contains(&error.errno()), "{error}");
            }
        }
    }

    fn another_version_or_machine_is_refused_by_name() {
        refused_with(8, &2u32.to_le_bytes(), libc::EPROTO, "version 2");
        refused_with(8, &u32::MAX.to_le_bytes(), libc::EPROTO, "version 4294967295");
        refused_with(12, &[1, 2, 3, 4], libc::EPROTO, "byte order");
        refused_with(20, &16384u32.to_le_bytes(), libc::EPROTO, "pages of 16384 bytes");
        refused_with(16, &2u32.to_le_bytes(), libc::EBADMSG, "not of this kind");
        refused_with(0, b"UNIPC", libc::EBADMSG, "other bytes");
    }

    fn numbers_that_do_not_fit_together_are_refused() {
        refused_with(24, &4096u64.to_le_bytes(), libc::EBADMSG, "another size");
        for table in [0, 4096, 12288, 1 << 40, u64::MAX, u64::MAX - 4095, 1 << 63] {
            refused_with(32, &table.to_le_bytes(), libc::EBADMSG, "another size");
        }
        for slots in [0u64, 400, 1 << 31, 1 << 40, 1 << 53] {
            refused_with(64, &slots.to_le_bytes(), libc::EBADMSG, "do not fit together");
            refused_with(72, &(slots * 1024).to_le_bytes(), libc::EBADMSG, "do not fit together");
        }
    }

    fn a_file_that_was_made_under_another_name_is_refused() {
        refused_with(256, b"/other", libc::EBADMSG, "another name");
        for len in [0u32, 1, 256, 257, u32::MAX] {
            refused_with(52, &len.to_le_bytes(), libc::EBADMSG, "another name");
        }
    }

    fn a_huge_file_without_contents_is_refused() {
        let scratch = Scratch::new();
        let bytes = valid(scratch.name());
        for len in [1usize << 33, 1 << 46, (1 << 62) + 1] {
            put(scratch.name(), b"", len);
            refused(scratch.name(), libc::EBADMSG, "no unipc object");
            put(scratch.name(), &bytes[..8192], len);
            refused(scratch.name(), libc::EBADMSG, "another size");
        }
    }

    fn what_is_no_file_is_refused() {
        let scratch = Scratch::new();
        let (name, path) = (scratch.name(), path(scratch.name()));
        let c_path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        assert_eq!(unsafe { libc::mkfifo(c_path.as_ptr(), 0o600) }, 0);
        refused(name, libc::EBADMSG, "no file");
        std::fs::remove_file(&path).unwrap();

        std::fs::create_dir(&path).unwrap();
        refused(name, libc::EISDIR, "directory");
        std::fs::remove_dir(&path).unwrap();

        let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        refused(name, libc::ENXIO, "no such device");
        drop(socket);
        std::fs::remove_file(&path).unwrap();

        for target in ["/etc/passwd", "/nowhere"] {
            symlink(target, &path).unwrap();
            refused(name, libc::ELOOP, "symbolic link");
            std::fs::remove_file(&path).unwrap();
        }
        let other = Scratch::new();
        queue(other.name());
        symlink(crate::segment::path(other.name()), &path).unwrap();
        refused(name, libc::ELOOP, "symbolic link");
        std::fs::remove_file(&path).unwrap();
    }

    fn a_file_that_may_not_be_written_is_refused() {
        let scratch = Scratch::new();
        queue(scratch.name());
        if unsafe { libc::geteuid() } != 0 {
            return eprintln!("SKIPPED, needs root: what strangers are told");
        }
        for mode in [0, 0o600, 0o444] {
            std::fs::set_permissions(path(scratch.name()), std::fs::Permissions::from_mode(mode)).unwrap();
            let output = Command::new(std::env::current_exe().unwrap()).args(["peer", "open", scratch.name()]).output().unwrap();
            let told = String::from_utf8(output.stdout).unwrap();
            assert!(told.starts_with("13 ") && told.contains("permission denied"), "mode {mode:o}: {told}");
        }
        std::fs::set_permissions(path(scratch.name()), std::fs::Permissions::from_mode(0o666)).unwrap();
        let output = Command::new(std::env::current_exe().unwrap()).args(["peer", "open", scratch.name()]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "opened");
    }
}
