//! `unipc ls`, `inspect`, `clean`, `rm`, `doctor`, `top` and `completions`, as scripts and terminals use them.

mod common;

use common::{Done, Terminal, UNIPC, WATCHDOG, done, until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use unipc::survey;
use unipc::{Child, Command, Engine, Memory, Queue, Redirect, Semaphore};

/// Names that begin like no other test's; what has them goes with the test.
struct Prefix(String);

impl Prefix {
    fn new() -> Prefix {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        Prefix(format!("/survey-{}-{}-", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    fn name(&self, rest: &str) -> String {
        format!("{}{rest}", self.0)
    }

    /// What is left of it in /dev/shm.
    fn files(&self) -> BTreeSet<String> {
        let names = fs::read_dir("/dev/shm").unwrap().map(|entry| entry.unwrap().file_name().into_string());
        names.filter_map(Result::ok).filter(|name| name.contains(&self.0[1..])).collect()
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        for file in self.files() {
            let _ = fs::remove_file(format!("/dev/shm/{file}"));
        }
    }
}

fn shm(name: &str) -> Queue {
    Queue::options().engine(Engine::Shm).max_messages(4).message_size(64).create(name).unwrap()
}

/// `unipc` with these arguments.
fn run(arguments: &[&str]) -> Done {
    let mut command = Command::new(UNIPC);
    command.args(arguments).stdin(Redirect::Null).stdout(Redirect::Pipe).stderr(Redirect::Pipe);
    done(&mut command)
}

fn succeeds(arguments: &[&str]) -> String {
    let done = run(arguments);
    assert_eq!(done.code, 0, "{arguments:?}: {}", done.err());
    String::from_utf8(done.stdout).unwrap()
}

fn refused(code: i32, arguments: &[&str]) -> String {
    let done = run(arguments);
    assert_eq!((done.code, done.out()), (code, ""), "{arguments:?}: {}", done.err());
    done.err().to_owned()
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&succeeds(arguments)).unwrap()
}

/// This program again, in another role: see [`peer`].
fn peer(role: &str, name: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "peer_role", "--ignored", "--nocapture", "--quiet"]);
    command.env("UNIPC_TEST_ROLE", role).env("UNIPC_TEST_NAME", name).dies_with_parent(9);
    command.stdin(Redirect::Null).stdout(Redirect::Pipe).spawn().unwrap()
}

/// The same, when it has said that it is ready.
fn ready(role: &str, name: &str) -> Child {
    let peer = peer(role, name);
    hear(&peer);
    peer
}

fn hear(peer: &Child) {
    let mut said = Vec::new();
    while !said.ends_with(b"ready\n") {
        let mut byte = [0];
        peer.stdout.as_ref().unwrap().read_full(&mut byte, WATCHDOG).unwrap();
        said.extend(byte);
    }
}

fn kill(peer: &mut Child) {
    peer.kill().unwrap();
    peer.wait_by(WATCHDOG).unwrap();
}

#[test]
#[ignore = "what other processes of these tests do"]
fn peer_role() {
    let (Ok(role), Ok(name)) = (std::env::var("UNIPC_TEST_ROLE"), std::env::var("UNIPC_TEST_NAME")) else { return };
    let say = || {
        println!("ready");
        std::io::stdout().flush().unwrap();
    };
    match role.as_str() {
        "receive" => {
            let queue = Queue::options().engine(Engine::Shm).open(&name).unwrap();
            say();
            queue.receive().unwrap();
        }
        "borrow" => {
            let queue = Queue::options().engine(Engine::Shm).open(&name).unwrap();
            let _borrowed = queue.borrow().unwrap();
            say();
            std::thread::sleep(WATCHDOG * 2);
        }
        "make" => {
            let queue = shm(&name);
            queue.send(b"left behind", 1).unwrap();
            say();
            std::thread::sleep(WATCHDOG * 2);
        }
        "churn" => {
            let queue = shm(&name);
            say();
            for number in 0.. {
                queue.send(b"work", number % 3).unwrap();
                drop(queue.reserve(8, 1).unwrap());
                drop(queue.borrow().unwrap());
                let again = Queue::options().engine(Engine::Shm).open(&name).unwrap();
                let _ = again.try_receive();
            }
        }
        _ => panic!("{role}"),
    }
}

/// Whether the death of a maker can be known: not from inside a container, nor by who sees only a part.
fn sees_all() -> bool {
    let sees = survey::features().iter().any(|feature| feature.name == "all processes" && feature.present);
    if !sees {
        // Not by eprintln, which is swallowed when the test succeeds.
        let _ = writeln!(std::io::stderr(), "skipped: what is dead (from here not all processes can be seen)");
    }
    sees
}

/// The fields of the one line about this name.
fn fields(columns: &str, kind: &str, name: &str) -> Vec<String> {
    let lines = succeeds(&["ls", "--raw", "-o", &format!("name,{columns}"), kind]);
    let mut about = lines.lines().map(|line| line.split('\t')).filter(|line| line.clone().next() == Some(name));
    let line = about.next().unwrap_or_else(|| panic!("{name} is not there: {lines}"));
    assert!(about.next().is_none(), "{lines}");
    line.skip(1).map(str::to_owned).collect()
}

// ---- ls

#[test]
fn a_script_reads_who_has_a_queue_and_who_waits() {
    let prefix = Prefix::new();
    let name = prefix.name("orders");
    let queue = shm(&name);
    let mut peer = ready("receive", &name);
    let (us, them) = (std::process::id().to_string(), peer.id().to_string());
    let columns = "kind,engine,mode,messages,bytes,value,waiters,state";
    until("it waits", || fields("waiters", "queues", &name) == [&*them]);
    assert_eq!(fields(columns, "queues", &name), ["queue", "shm", "0600", "0", "0", "-", &*them, "alive"]);
    let mut both = [us.parse::<u32>().unwrap(), them.parse().unwrap()];
    both.sort_unstable();
    assert_eq!(fields("openers", "queues", &name), [format!("{},{}", both[0], both[1])]);
    kill(&mut peer);
    queue.send(b"coffee", 3).unwrap();
    assert_eq!(fields("messages,bytes,openers,waiters", "queues", &name), ["1", "6", &*us, "-"]);
}

#[test]
fn a_script_reads_who_holds_a_message_also_when_it_died_with_it() {
    let prefix = Prefix::new();
    let name = prefix.name("orders");
    let queue = shm(&name);
    queue.send(b"coffee", 3).unwrap();
    let mut peer = ready("borrow", &name);
    let them = peer.id().to_string();
    assert_eq!(fields("holder", "queues", &name), [&*them]);
    kill(&mut peer);
    assert_eq!(fields("holder,state", "queues", &name), [&*them, "alive"]);
    assert!(succeeds(&["ls", "queues"]).contains(&format!("{them} (dead): 1 borrowed")));
    drop(queue);
}

#[test]
fn a_semaphore_memory_and_a_fifo_are_listed_with_what_is_theirs() {
    let prefix = Prefix::new();
    let name = prefix.name("all");
    let semaphore = Semaphore::create(&name, 7).unwrap();
    let memory = Memory::options().size(5000).create(&name).unwrap();
    let us = std::process::id().to_string();
    assert_eq!(fields("kind,value,openers,state", "semaphores", &name), ["semaphore", "7", &*us, "alive"]);
    assert_eq!(fields("kind,size,openers,state", "memory", &name), ["memory", "5000", &*us, "alive"]);
    drop((semaphore, memory));
    assert_eq!(fields("value,openers,state", "semaphores", &name), ["7", "-", "unused"]);
    let scratch = common::Scratch::new();
    assert_eq!(scratch.shell("mkfifo fifo").code, 0);
    let path = scratch.path("fifo");
    let mut fifo = fs::File::options().read(true).write(true).open(&path).unwrap();
    fifo.write_all(b"bytes").unwrap();
    assert_eq!(fields("kind,bytes,openers,state", "fifos", &path), ["fifo", "5", &*us, "alive"]);
}

#[test]
fn a_queue_of_the_systems_is_listed_with_who_has_it_and_inspected_without_a_message_taken() {
    let name = Prefix::new().name("system");
    let queue = Queue::options().max_messages(2).message_size(16).create(&name).unwrap();
    queue.send(b"coffee", 3).unwrap();
    let columns = "engine,messages,bytes,openers,state";
    let listed = std::panic::catch_unwind(|| fields(columns, "queues", &name));
    let inspected = run(&["inspect", &name]);
    let removed = run(&["rm", &name]);
    let us = std::process::id().to_string();
    assert_eq!(listed.unwrap(), ["posix", "1", "6", &*us, "alive"]);
    assert!(
        inspected.out().contains("1 of 2 at most, of 16 bytes each at most, together 6 bytes"),
        "{}",
        inspected.out()
    );
    assert_eq!((removed.code, removed.err()), (0, ""));
    assert_eq!(queue.len().unwrap(), 1);
    assert_eq!(Queue::open(&name).unwrap_err().errno(), 2);
}

#[test]
fn the_raw_columns_are_stable() {
    let prefix = Prefix::new();
    let name = prefix.name("orders");
    let _queue = shm(&name);
    let lines = succeeds(&["ls", "--raw"]);
    let line: Vec<&str> = lines.lines().find(|line| line.contains(&name)).unwrap().split('\t').collect();
    assert_eq!(line.len(), 14, "{line:?}");
    assert_eq!((&line[..3], line[4], line[13]), (&["queue", &*name, "shm"][..], "0600", "alive"));
    assert!(line[3] != "-" && line[5].parse::<u64>().unwrap() > 4 * 64);
}

#[test]
fn a_kind_that_is_said_twice_is_listed_once() {
    let prefix = Prefix::new();
    let name = prefix.name("m");
    let _memory = Memory::options().size(1).create(&name).unwrap();
    let said = succeeds(&["ls", "memory", "queues", "memory"]);
    assert_eq!(said.matches(&name).count(), 1, "{said}");
}

#[test]
fn json_has_all_that_is_known() {
    let prefix = Prefix::new();
    let name = prefix.name("orders");
    let queue = shm(&name);
    queue.send(b"coffee", 3).unwrap();
    let listed = json(&["ls", "--json", "queues"]);
    assert!(listed["unseen"].is_array());
    let found = listed["objects"].as_array().unwrap().iter().find(|object| object["name"] == *name).unwrap();
    let us = std::process::id();
    assert_eq!((&found["kind"], &found["engine"], &found["state"]), (&"queue".into(), &"shm".into(), &"alive".into()));
    assert_eq!((&found["messages"], &found["max_messages"], &found["bytes"]), (&1.into(), &4.into(), &6.into()));
    assert_eq!((&found["maker"], &found["value"]), (&us.into(), &Value::Null));
    assert!(found["openers"].as_array().unwrap().iter().all(|opener| opener["pid"] == us));
    assert_eq!((&found["participants"][0]["pid"], &found["participants"][0]["state"]), (&us.into(), &"alive".into()));
}

#[test]
fn nothing_of_a_name_reaches_the_terminal_but_what_can_be_seen() {
    let prefix = Prefix::new();
    let name = prefix.name("\x1b[31m\n\t\u{9b}\u{2066}");
    let _memory = Memory::options().size(1).create(&name).unwrap();
    let is_harmless = |said: &str| !said.contains(|c| c != '\n' && char::is_control(c) || c == '\u{2066}');
    for arguments in [&["ls", "memory"][..], &["inspect", &name], &["clean", &name]] {
        let said = succeeds(arguments);
        assert!(is_harmless(&said) && said.contains(r"\u{1b}[31m\n\t\u{9b}\u{2066}"), "{said}");
    }
    let raw = succeeds(&["ls", "--raw", "memory"]).replace('\t', " ");
    assert!(is_harmless(&raw) && raw.contains(r"\u{1b}[31m\n\t"), "{raw}");
    for arguments in [&["ls", "--json", "memory"][..], &["inspect", "--json", &name]] {
        let said = succeeds(arguments);
        let json: Value = serde_json::from_str(&said).unwrap();
        let names: Vec<&Value> = json["objects"].as_array().unwrap().iter().map(|object| &object["name"]).collect();
        assert!(is_harmless(&said) && names.contains(&&Value::from(&*name)), "{said}");
    }
    let missing = format!("/tmp{name}");
    for (code, arguments) in [
        (2, &["memory", "dump", "--offset", "9", &name][..]),
        (3, &["rm", &missing]),
        (3, &["memory", "unlink", &prefix.name("\x1b\u{9b}")]),
        (125, &["manual", &missing]),
        (125, &["memory", "write", "--input", &missing, &name]),
        (2, &["ls", "-o", "\x1b\u{9b}\u{2066}"]),
        (127, &["pipe", &missing]),
    ] {
        let said = refused(code, arguments);
        assert!(is_harmless(&said), "{said:?}");
    }
}

#[test]
fn a_table_fits_into_a_terminal_and_has_colours_there_unless_they_are_unwanted() {
    let prefix = Prefix::new();
    let name = prefix.name("orders");
    let _queue = shm(&name);
    let terminal = |words: &[&str]| {
        let done = Terminal::start_command(words).end();
        assert_eq!(done.code, 0);
        done.out().to_owned()
    };
    let colourful = terminal(&[UNIPC, "ls", "queues"]);
    assert!(colourful.contains(&format!("{}alive", anstyle::AnsiColor::Green.on_default())), "{colourful}");
    let plain = terminal(&["env", "NO_COLOR=1", UNIPC, "ls", "queues"]);
    let sober: String = plain.chars().filter(|&c| c != '\r').collect();
    assert!(!sober.contains("\x1b[3"), "{sober:?}");
    let lines: Vec<&str> = sober.lines().filter(|line| !line.contains('\x1b') && !line.starts_with("unipc:")).collect();
    assert!(lines.iter().any(|line| line.contains("alive")), "{sober:?}");
    for line in lines {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
}

#[test]
fn who_stops_reading_is_no_error_that_is_spoken_of() {
    for arguments in [&["ls"][..], &["ls", "--json"], &["ls", "--raw", "pipes"], &["doctor"], &["completions", "bash"]]
    {
        let (reader, writer) = unipc::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(UNIPC);
        command.args(arguments).stdin(Redirect::Null).stdout(writer).stderr(Redirect::Pipe);
        let done = done(&mut command);
        assert_eq!((done.code, done.err()), (141, ""), "{arguments:?}");
    }
}

#[test]
fn a_kind_or_a_column_that_does_not_exist_is_2() {
    assert!(refused(2, &["ls", "spoons"]).contains("'spoons'"));
    assert!(refused(2, &["ls", "-o", "spoons"]).contains("'spoons'"));
    refused(2, &["ls", "--raw", "--json"]);
}

// ---- inspect

#[test]
fn messages_are_seen_and_stay() {
    let prefix = Prefix::new();
    let name = prefix.name("orders");
    let queue = shm(&name);
    queue.send(b"two coffees", 1).unwrap();
    queue.send(b"\x00\xffwater", 9).unwrap();
    let text = succeeds(&["inspect", &name]);
    let us = std::process::id().to_string();
    let (water, coffee) = (text.find("00 ff 77 61 74 65 72").unwrap(), text.find("two coffees").unwrap());
    assert!(water < coffee, "the higher priority is the first: {text}");
    for part in ["..water", "priority 9, 7 bytes", "checked, and right", "(0600)", "2 of 4 at most", "takes part", &us]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let found = json(&["inspect", "--json", "--messages", "1", "--bytes", "3", &name]);
    let peeked = &found["objects"][0]["peeked"];
    assert_eq!((&peeked[0]["hex"], &peeked[0]["len"], &peeked[1]), (&"00ff77".into(), &7.into(), &Value::Null));
    assert_eq!((queue.len().unwrap(), &queue.receive().unwrap().data[..]), (2, &b"\x00\xffwater"[..]));
}

#[test]
fn a_spoiled_header_is_said_to_be_so() {
    let prefix = Prefix::new();
    let name = prefix.name("orders");
    fs::write(format!("/dev/shm/unipc.queue.{}", &name[1..]), [0x55; 8192]).unwrap();
    let text = succeeds(&["inspect", &name]);
    assert!(text.contains("trouble") && !text.contains("checked, and right"), "{text}");
}

#[test]
fn a_pipe_shows_its_ends() {
    let (_reader, writer) = unipc::pipe().unwrap();
    writer.write(b"12345").unwrap();
    let descriptor = std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(&writer));
    let name = fs::read_link(format!("/proc/self/fd/{descriptor}")).unwrap();
    let text = succeeds(&["inspect", name.to_str().unwrap()]);
    assert!(text.contains("5 of ") && text.contains(&format!("fd {descriptor} ")), "{text}");
}

#[test]
fn what_is_not_there_is_3() {
    let name = Prefix::new().name("nothing");
    for command in ["inspect", "rm", "clean"] {
        assert!(refused(3, &[command, &name]).starts_with(&format!("unipc: find {name}: ")), "{command}");
        let slash = format!("begins with a slash, as in \"{name}\"\n");
        assert!(refused(3, &[command, &name[1..]]).ends_with(&slash), "{command}");
    }
}

#[test]
fn of_what_may_not_be_looked_at_nothing_is_made_up() {
    let prefix = Prefix::new();
    let name = prefix.name("secret");
    succeeds(&["queue", "create", "--mode", "0", &name]);
    let script = r#"setpriv --inh-caps=-all --bounding-set=-all "$0" inspect "$1""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, UNIPC, &name]).stdin(Redirect::Null).stdout(Redirect::Pipe).stderr(Redirect::Pipe);
    let done = done(&mut command);
    Queue::unlink(&name).unwrap();
    assert!(done.code == 0 && done.out().contains("permission denied"), "{}{}", done.out(), done.err());
    assert!(!done.out().contains("inode"), "{}", done.out());
}

// ---- rm

#[test]
fn what_is_removed_is_gone_and_who_has_it_goes_on() {
    let prefix = Prefix::new();
    let (orders, other) = (prefix.name("orders"), prefix.name("other"));
    let (queue, memory) = (shm(&orders), Memory::options().size(10).create(&other).unwrap());
    assert_eq!(succeeds(&["rm", &orders, &other]), "");
    assert!(prefix.files().is_empty(), "{:?}", prefix.files());
    queue.send(b"still", 0).unwrap();
    drop(memory);
    // What has lost its name does not stand in the way of who has it now.
    let _again = shm(&orders);
    assert_eq!(succeeds(&["rm", &orders]), "");
    assert!(prefix.files().is_empty(), "{:?}", prefix.files());
}

#[test]
fn what_only_has_the_name_of_an_object_stays() {
    let prefix = Prefix::new();
    let name = prefix.name("q");
    let path = format!("/dev/shm/unipc.queue.{}", &name[1..]);
    std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
    for object in [&name, &path] {
        let said = refused(125, &["rm", object]);
        assert!(said.contains("it is no file") && said.contains("rm(1)"), "{said}");
    }
    assert!(succeeds(&["clean", "--unused", &name]).starts_with("kept "));
    for other in ["../../../../../../etc/passwd", "/dev/shm/../../etc/passwd", "/etc/passwd"] {
        refused(2, &["rm", other]);
    }
    assert!(fs::symlink_metadata(&path).is_ok() && fs::metadata("/etc/passwd").is_ok());
    fs::remove_file(&path).unwrap();
}

#[test]
fn a_name_that_several_bear_is_removed_only_when_it_is_said_which() {
    let prefix = Prefix::new();
    let name = prefix.name("both");
    let (_queue, _semaphore) = (shm(&name), Semaphore::create(&name, 1).unwrap());
    let said = refused(2, &["rm", &name]);
    assert!(said.contains(&format!("queue {name} (shm), semaphore {name}")), "{said}");
    assert_eq!(prefix.files().len(), 2);
    assert_eq!(succeeds(&["rm", "--kind", "semaphores", &name]), "");
    assert!(prefix.files().iter().all(|file| file.starts_with("unipc.queue.")));
    assert!(refused(3, &["rm", "--engine", "posix", &name]).contains("(shm)"));
}

#[test]
fn the_others_are_removed_when_one_is_not_there() {
    let prefix = Prefix::new();
    let (here, gone) = (prefix.name("here"), prefix.name("gone"));
    let _queue = shm(&here);
    assert!(refused(3, &["rm", &gone, &here]).contains(&gone));
    assert!(prefix.files().is_empty());
}

// ---- clean

#[test]
fn a_dry_run_says_all_and_removes_nothing() {
    let prefix = Prefix::new();
    let name = prefix.name("dead");
    kill(&mut ready("make", &name));
    let unused = prefix.name("unused");
    drop(Memory::options().size(10).create(&unused).unwrap());
    let said = succeeds(&["clean", "--dry-run", "--unused", "--prefix", &prefix.0]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines.iter().all(|line| line.starts_with("would remove ")), "{said}");
    assert_eq!(prefix.files().len(), 2);
    if sees_all() {
        assert!(said.contains(", which made it, is gone; 1 message is in it"), "{said}");
    }
}

#[test]
fn what_nobody_has_but_somebody_may_come_back_to_is_kept_unless_it_is_asked_for() {
    let prefix = Prefix::new();
    let name = prefix.name("memory");
    drop(Memory::options().size(10).create(&name).unwrap());
    let said = succeeds(&["clean", "--prefix", &prefix.0]);
    assert!(said.starts_with(&format!("kept memory {name}: nobody has it")), "{said}");
    assert_eq!(prefix.files().len(), 1);
    assert!(succeeds(&["clean", "--unused", "--prefix", &prefix.0]).starts_with("removed "));
    assert!(prefix.files().is_empty());
}

#[test]
fn what_is_in_use_is_kept_even_if_it_is_named() {
    let prefix = Prefix::new();
    let name = prefix.name("memory");
    let _memory = Memory::options().size(10).create(&name).unwrap();
    let said = succeeds(&["clean", "--unused", &name]);
    assert!(said.starts_with(&format!("kept memory {name}: in use by {} (", std::process::id())), "{said}");
    assert_eq!(prefix.files().len(), 1);
    assert_eq!(succeeds(&["clean", "--unused", "--prefix", &prefix.0]), "");
}

#[test]
fn after_200_kills_at_random_the_dead_are_gone_and_the_living_untouched() {
    if !sees_all() {
        return;
    }
    let prefix = Prefix::new();
    // Of the living one has its maker, and one only who opened it.
    let (own, found) = (prefix.name("own"), prefix.name("found"));
    let kept = shm(&own);
    kept.send(b"mine", 1).unwrap();
    let mut maker = ready("make", &found);
    let opened = Queue::options().engine(Engine::Shm).open(&found).unwrap();
    kill(&mut maker);
    let file = |name: &str| format!("unipc.queue.{}", &name[1..]);
    let living = BTreeSet::from([file(&own), file(&found)]);
    let inodes = || [&own, &found].map(|name| fs::metadata(format!("/dev/shm/{}", file(name))).unwrap().ino());
    let before = inodes();
    let (mut removed, mut number) = (0, 0_u64);
    while number < 200 {
        let mut peers = Vec::new();
        for _ in 0..8 {
            let peer = peer("churn", &prefix.name(&number.to_string()));
            // Half of them die while they work, half at any time from the start on.
            if number % 2 == 0 {
                hear(&peer);
            }
            peers.push(peer);
            number += 1;
        }
        for (index, mut peer) in peers.into_iter().enumerate() {
            let random = (number + index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52;
            std::thread::sleep(Duration::from_micros(random));
            kill(&mut peer);
            // The others live yet, and so does what they have.
            if index == 3 {
                removed += clean(&prefix.0);
            }
        }
        let all = std::cell::Cell::new(0);
        // What somebody looks at just now, as other tests do, is kept for the next time.
        until("the dead are gone, and they alone", || {
            all.set(all.get() + clean(&prefix.0));
            prefix.files() == living
        });
        removed += all.get();
    }
    assert!((100..=200).contains(&removed), "{removed} were removed");
    assert_eq!(inodes(), before);
    assert_eq!(kept.receive().unwrap().data, b"mine");
    assert_eq!(opened.receive().unwrap().data, b"left behind");
}

/// How many it removed.
fn clean(prefix: &str) -> usize {
    let said = succeeds(&["clean", "--prefix", prefix]);
    assert!(said.lines().all(|line| line.starts_with("removed ") || line.starts_with("kept ")), "{said}");
    said.lines().filter(|line| line.starts_with("removed ")).count()
}

// ---- doctor

#[test]
fn the_doctor_speaks_in_sentences_and_names_the_way_out() {
    let text = succeeds(&["doctor"]).split_whitespace().collect::<Vec<_>>().join(" ");
    for part in
        ["fs.mqueue.msg_max: ", "sysctl -w fs.mqueue.msg_max=NUMBER", "RLIMIT_MSGQUEUE: ", "/dev/shm: ", "ulimit -q"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let found = json(&["doctor", "--json"]);
    let limit = found["limits"].as_array().unwrap().iter().find(|limit| limit["name"] == "fs.mqueue.msg_max").unwrap();
    let value = fs::read_to_string("/proc/sys/fs/mqueue/msg_max").unwrap();
    assert_eq!(limit["value"], value.trim().parse::<u64>().unwrap());
    // What it cannot count it does not take for nothing.
    let listed = fs::read_to_string("/proc/mounts").unwrap().lines().any(|line| line.contains(" mqueue "));
    assert_eq!(text.contains(" bytes, at least "), !listed, "{text}");
}

// ---- top

/// Leaves the screen of the full-screen view.
const LEAVES: &str = "\x1b[?1049l";

#[test]
fn top_shows_what_grows_and_leaves_the_terminal_as_it_was() {
    let prefix = Prefix::new();
    let name = prefix.name("q");
    let queue = shm(&name);
    let script = r#"before=$(stty -g); "$0" top --interval 0.2 queues; code=$?; [ "$(stty -g)" = "$before" ] && echo left $code"#;
    let mut terminal = Terminal::start_command(&["sh", "-c", script, UNIPC]);
    terminal.expect("KIND");
    // Whatever else there is: who waits stands first.
    terminal.write("sss");
    terminal.expect_screen("it sorts", |screen| screen.contains("by waiters"));
    let line = |screen: &str| screen.lines().find(|line| line.contains(&name)).map(str::to_owned).unwrap_or_default();
    let mut peer = ready("receive", &name);
    terminal.expect_screen("it waits", |screen| line(screen).contains(&format!("{} ", peer.id())));
    peer.signal(19).unwrap(); // it is not to take what it waits for
    let us = std::process::id() as i32;
    until("it has stopped", || common::children(us).contains(&(peer.id(), 'T')));
    queue.send(b"one", 0).unwrap();
    queue.send(b"two", 0).unwrap();
    terminal.expect_screen("it grows", |screen| line(screen).contains("2/4 "));
    terminal.expect_screen("it is in motion", |screen| {
        queue.try_send(b"one more", 0).unwrap();
        queue.try_receive().unwrap();
        let line = line(screen);
        let fields: Vec<&str> = line.split_whitespace().collect();
        let rate = |at: usize| fields[at].parse::<f64>().is_ok_and(|rate| rate > 0.0);
        fields.len() > 6 && rate(3) && rate(4) && fields[5] == "2"
    });
    kill(&mut peer);
    terminal.write("q");
    terminal.expect(LEAVES);
    terminal.expect("left 0");
    assert_eq!(terminal.end().code, 0);
}

#[test]
fn a_signal_ends_top_and_the_terminal_is_put_back() {
    for signal in [1, 15] {
        let script = r#"trap '' HUP; before=$(stty -g); env --default-signal=HUP "$0" top & echo "pid $!."; wait $!; code=$?
            [ "$(stty -g)" = "$before" ] && echo left $code"#;
        let mut terminal = Terminal::start_command(&["bash", "-c", script, UNIPC]);
        terminal.expect("pid ");
        let number: i32 = terminal.expect(".").parse().unwrap();
        terminal.expect("KIND");
        let process = rustix::process::Pid::from_raw(number).unwrap();
        let signal = if signal == 1 { rustix::process::Signal::HUP } else { rustix::process::Signal::TERM };
        rustix::process::kill_process(process, signal).unwrap();
        terminal.expect(LEAVES);
        terminal.expect(&format!("left {}", 128 + signal.as_raw()));
        assert_eq!(terminal.end().code, 0);
    }
}

#[test]
fn top_ends_when_its_terminal_has_gone() {
    // In a session of its own it gets no SIGHUP.
    let script = r#"exec 3<&0; setsid "$0" top <&3 & echo "pid $!."; wait $!"#;
    let mut terminal = Terminal::start_command(&["sh", "-c", script, UNIPC]);
    terminal.expect("pid ");
    let number: i32 = terminal.expect(".").parse().unwrap();
    terminal.expect("KIND");
    drop(terminal);
    until("it has ended", || !std::fs::exists(format!("/proc/{number}")).unwrap());
}

#[test]
fn keys_that_come_together_are_drawn_once() {
    let mut top = Terminal::start_command(&[UNIPC, "top", "--interval", "3600", "memory"]);
    top.expect_screen("the keys", |shown| shown.contains("by name"));
    top.write(&("s".repeat(199) + "q"));
    let done = top.end();
    let drawn = done.out().matches("\x1b[?25l").count(); // the cursor is hidden at each
    assert!(done.code == 0 && drawn < 100, "{drawn} times");
}

#[test]
fn on_a_narrow_terminal_names_and_who_waits_have_the_room() {
    let prefix = Prefix::new();
    let _queue = shm(&prefix.name("q"));
    let mut peer = ready("receive", &prefix.name("q"));
    let script = r#"stty rows 10 columns 40; exec "$0" top --interval 0.2 queues"#;
    let mut top = Terminal::start_command(&["sh", "-c", script, UNIPC]);
    top.write("sss"); // whatever else there is: who waits stands first
    let begin: String = prefix.name("q").chars().take(9).collect();
    top.expect_screen("a name and who waits", |shown| {
        shown
            .lines()
            .any(|line| line.contains(&begin) && line.contains("0/4 ") && line.contains(&format!(" {} ", peer.id())))
    });
    top.write("q");
    assert_eq!(top.end().code, 0);
    kill(&mut peer);
}

#[test]
fn a_terminal_of_no_size_is_told_from_none() {
    let top = Terminal::start_command(&["sh", "-c", r#"stty rows 0 columns 0; exec "$0" top"#, UNIPC]);
    let done = top.end();
    assert!(done.code == 2 && done.out().contains("stty rows"), "{}", done.out());
}

#[test]
fn top_needs_a_terminal() {
    assert!(refused(2, &["top"]).contains("no terminal"));
}

// ---- completions and manual

#[test]
fn every_shell_can_be_taught_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = succeeds(&["completions", shell]);
        for word in ["inspect", "--dry-run", "--pipefail"] {
            assert!(script.contains(word.trim_start_matches('-')), "{shell}: {word}");
        }
    }
    let mut bash = Command::new("bash");
    let script = r#"source <("$0" completions bash); COMP_WORDS=(unipc insp); COMP_CWORD=1; _unipc unipc insp unipc; echo "${COMPREPLY[@]}""#;
    bash.args(["-c", script, UNIPC]).stdin(Redirect::Null).stdout(Redirect::Pipe).stderr(Redirect::Pipe);
    assert_eq!(done(&mut bash).out(), "inspect\n");
}

#[test]
fn each_command_has_a_manual_page() {
    let scratch = common::Scratch::new();
    succeeds(&["manual", &scratch.path("")]);
    for page in ["unipc", "unipc-ls", "unipc-pipe", "unipc-top"] {
        let text = fs::read_to_string(scratch.path(&format!("{page}.1"))).unwrap();
        assert!(text.contains(".TH ") && text.contains(".SH DESCRIPTION"), "{page}: {text}");
    }
    assert!(fs::read_to_string(scratch.path("unipc-ls.1")).unwrap().contains("Exit status"));
    assert!(refused(125, &["manual", &scratch.path("none")]).contains("write manual pages"));
}
