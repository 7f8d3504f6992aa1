//! `unipc fifo`, `sem` and `memory`, as scripts use them.

mod common;

use common::{Objects, Talk, UNIPC, WATCHDOG, children, start_command, until};
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};

fn start(arguments: &[&str]) -> Talk {
    start_command(&[&[UNIPC], arguments].concat())
}

/// More than a pipe holds, and no two pages the same.
fn data() -> Vec<u8> {
    (0..100_000u32).flat_map(u32::to_le_bytes).collect()
}

fn refused(objects: &Objects, code: i32, script: &str, sentence: &str) {
    let done = objects.shell(script);
    assert_eq!((done.code, done.out()), (code, ""), "{script}: {}", done.err());
    assert_eq!(done.err(), format!("unipc: {}\n", sentence.replace("$Q", &objects.name)), "{script}");
}

// ---- fifo

#[test]
fn what_one_process_writes_another_reads() {
    let objects = Objects::new();
    let path = objects.scratch.path("fifo");
    objects.succeeds("umask 0; $UNIPC fifo create --mode 620 fifo; $UNIPC fifo create --exist-ok fifo");
    let file = fs::metadata(&path).unwrap();
    assert!(file.file_type().is_fifo() && file.permissions().mode() & 0o777 == 0o620);
    fs::write(objects.scratch.path("data"), data()).unwrap();
    objects.succeeds("$UNIPC fifo read fifo >out & $UNIPC fifo write --timeout 50 fifo <data; wait $!");
    assert!(fs::read(objects.scratch.path("out")).unwrap() == data());
    objects.succeeds("$UNIPC fifo unlink fifo");
    assert!(!fs::exists(path).unwrap());
}

#[test]
fn who_follows_a_fifo_stays_from_writer_to_writer() {
    let objects = Objects::new();
    let path = objects.scratch.path("fifo");
    objects.succeeds("$UNIPC fifo create fifo");
    let reader = start(&["fifo", "read", "--follow", &path]);
    for line in ["one", "two"] {
        assert_eq!(start(&["fifo", "write", &path, line]).talk(b"").code, 0);
        let mut heard = [0; 4];
        reader.child.stdout.as_ref().unwrap().read_full(&mut heard, WATCHDOG).unwrap();
        assert_eq!(heard, format!("{line}\n").as_bytes());
    }
    reader.child.signal(15).unwrap();
    let done = reader.talk(b"");
    assert_eq!((done.signal, done.err()), (Some(15), ""));
}

#[test]
fn who_reads_a_fifo_ends_quietly_when_its_own_reader_has_left() {
    let objects = Objects::new();
    objects.succeeds("$UNIPC fifo create fifo");
    let reader = objects.start("{ $UNIPC fifo read --follow fifo; echo $? >code; } | head -1");
    objects.succeeds("$UNIPC fifo write fifo first");
    let done = reader.talk(b"");
    assert_eq!((done.out(), done.err()), ("first\n", ""));
    assert_eq!(fs::read_to_string(objects.scratch.path("code")).unwrap(), "141\n");
}

#[test]
fn a_writer_ends_quietly_when_the_reader_has_left() {
    let objects = Objects::new();
    objects.succeeds("$UNIPC fifo create fifo");
    let reader = objects.start("head -1 <fifo");
    let done = objects.shell("yes | $UNIPC fifo write fifo");
    assert_eq!((done.code, done.out(), done.err()), (141, "", ""));
    assert_eq!(reader.talk(b"").out(), "y\n");
}

#[test]
fn waits_at_a_fifo_end_and_other_files_are_left_alone() {
    let objects = Objects::new();
    objects.succeeds("$UNIPC fifo create fifo; echo precious >file");
    let nobody = "open for writing fifo: no reader opened it in time";
    refused(&objects, 124, "$UNIPC fifo write --timeout 10ms fifo text", nobody);
    refused(
        &objects,
        1,
        "$UNIPC fifo write --no-wait fifo text",
        "open for writing fifo: nobody has it open for reading",
    );
    refused(
        &objects,
        124,
        "$UNIPC fifo read --timeout 10ms fifo",
        "open for reading fifo: no writer opened it in time",
    );
    refused(&objects, 1, "$UNIPC fifo read --no-wait fifo", "read from fifo: nobody has written to it");
    assert_eq!(objects.succeeds("exec 3<>fifo; echo there >&3; $UNIPC fifo read --no-wait fifo"), "there\n");
    let silent = "read from fifo: timed out: nothing was written to it";
    refused(&objects, 124, "$UNIPC fifo read --follow --timeout 10ms fifo", silent);
    refused(&objects, 3, "$UNIPC fifo read none", "open FIFO none: it does not exist");
    refused(&objects, 6, "$UNIPC fifo create fifo", "create FIFO fifo: it exists already");
    refused(&objects, 2, "$UNIPC fifo write file text", "open FIFO file: it is no FIFO");
    refused(&objects, 2, "$UNIPC fifo unlink file", "unlink FIFO file: it is no FIFO");
    assert_eq!(fs::read_to_string(objects.scratch.path("file")).unwrap(), "precious\n");
}

// ---- sem

#[test]
fn permits_are_taken_and_given() {
    let objects = Objects::new();
    objects.succeeds("$UNIPC sem create $Q --value 2; $UNIPC sem create $Q --value 9 --exist-ok");
    assert_eq!(objects.succeeds("$UNIPC sem value $Q; $UNIPC sem wait $Q; $UNIPC sem value $Q"), "2\n1\n");
    objects.succeeds("$UNIPC sem wait --no-wait $Q");
    refused(&objects, 1, "$UNIPC sem wait --no-wait $Q", "wait for semaphore $Q: its value is 0");
    refused(&objects, 124, "$UNIPC sem wait --timeout 10ms $Q", "wait for semaphore $Q: timed out: its value was 0");
    assert_eq!(objects.succeeds("$UNIPC sem post -n 3 $Q; $UNIPC sem post $Q; $UNIPC sem value $Q"), "4\n");
    refused(&objects, 2, "$UNIPC sem post -n 2147483647 $Q", "post semaphore $Q: the value would exceed 2147483647");
    refused(&objects, 6, "$UNIPC sem create $Q", "create semaphore $Q: it exists already");
    objects.succeeds("$UNIPC sem unlink $Q");
    refused(&objects, 3, "$UNIPC sem value $Q", "open semaphore $Q: it does not exist");
}

#[test]
fn who_waits_for_a_permit_gets_the_one_that_is_posted() {
    let objects = Objects::new();
    objects.succeeds("$UNIPC sem create $Q");
    let waiting = start(&["sem", "wait", &objects.name]);
    until("it sleeps", || children(std::process::id() as i32).contains(&(waiting.child.id(), 'S')));
    objects.succeeds("$UNIPC sem post $Q");
    assert_eq!(waiting.talk(b"").code, 0);
    assert_eq!(objects.succeeds("$UNIPC sem value $Q"), "0\n");
}

// ---- memory

#[test]
fn memory_has_what_was_put_into_it() {
    let objects = Objects::new();
    fs::write(objects.scratch.path("data"), data()).unwrap();
    objects.succeeds("$UNIPC memory create $Q --input data; $UNIPC memory dump $Q | cmp - data");
    objects.succeeds("printf 'in between' | $UNIPC memory write $Q --offset 64K");
    assert_eq!(objects.succeeds("$UNIPC memory dump $Q --offset 65539 --length 7"), "between");
    objects.succeeds("$UNIPC memory dump $Q | cmp - data | grep -q 'byte 65537'");
    objects.succeeds("$UNIPC memory unlink $Q; printf abc | $UNIPC memory create $Q --size 5 --input -");
    assert_eq!(objects.succeeds("$UNIPC memory dump $Q"), "abc\0\0");
}

#[test]
fn what_does_not_fit_into_memory_changes_nothing() {
    let objects = Objects::new();
    objects.succeeds("$UNIPC memory create $Q --size 4; $UNIPC memory create $Q --size 3 --exist-ok");
    let room = |what, count| format!("{what}: standard input has more than the {count} bytes that there is room for");
    refused(&objects, 5, "printf 12345 | $UNIPC memory write $Q", &room("write to memory $Q", 4));
    refused(&objects, 5, "printf 123 | $UNIPC memory write $Q --offset 2", &room("write to memory $Q", 2));
    assert_eq!(objects.succeeds("$UNIPC memory dump $Q"), "\0\0\0\0");
    refused(&objects, 5, "printf 12345 | $UNIPC memory create ${Q}x --size 4 --input -", &room("create memory $Qx", 4));
    refused(&objects, 3, "$UNIPC memory dump ${Q}x", "open memory $Qx: it does not exist");
    refused(&objects, 6, "$UNIPC memory create $Q --size 4", "create memory $Q: it exists already");
    refused(&objects, 2, "$UNIPC memory dump $Q --offset 5", "dump memory $Q: bytes 5 to 5 are not within its 4");
    refused(&objects, 2, "$UNIPC memory dump $Q --length 5", "dump memory $Q: bytes 0 to 5 are not within its 4");
    assert_eq!(objects.shell("$UNIPC memory create ${Q}x").code, 2);
}

#[test]
fn a_dump_ends_quietly_when_its_reader_has_left() {
    let objects = Objects::new();
    objects.succeeds("$UNIPC memory create $Q --size 1M");
    let done = objects.shell("{ $UNIPC memory dump $Q; echo $? >code; } | head -c 1");
    assert_eq!((done.out(), done.err()), ("\0", ""));
    assert_eq!(fs::read_to_string(objects.scratch.path("code")).unwrap(), "141\n");
}
