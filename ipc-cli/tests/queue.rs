//! `unipc send`, `receive` and `queue`, as scripts use them.

mod common;

use common::{Objects, Talk, Terminal, UNIPC, WATCHDOG, children, start_command, until};
use std::collections::BTreeSet;
use std::fs;
use unipc::Queue;

const ENGINES: [&str; 2] = ["posix", "shm"];

/// A queue of this engine, `$Q` of the scripts.
fn queue(engine: &str, options: &str) -> Objects {
    let objects = Objects::new();
    objects.succeeds(&format!("$UNIPC queue create $Q --engine {engine} {options}"));
    objects
}

fn open(objects: &Objects, engine: &str) -> Queue {
    Queue::options().engine(engine.parse().unwrap()).open(&objects.name).unwrap()
}

fn start(arguments: &[&str]) -> Talk {
    start_command(&[&[UNIPC], arguments].concat())
}

/// All bytes there are, and neighbours that look like frames.
fn binary_messages() -> Vec<Vec<u8>> {
    let mut messages: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte; usize::from(byte) % 7]).collect();
    messages.push((0..=255).collect());
    messages.push(b"\0\0\0\x05\n\n\0".to_vec());
    messages.push(Vec::new());
    messages
}

fn counted(messages: &[Vec<u8>]) -> Vec<u8> {
    messages.iter().flat_map(|message| [&(message.len() as u32).to_be_bytes(), &message[..]].concat()).collect()
}

// ---- messages

#[test]
fn arguments_are_messages_and_the_highest_priority_comes_first() {
    for engine in ENGINES {
        let objects = queue(engine, "");
        objects.succeeds("$UNIPC send $Q one 'two words' ''; $UNIPC send --priority 7 $Q -- --urgent");
        let said = objects.succeeds("$UNIPC receive -n 4 --with-priority $Q");
        assert_eq!(said, "7\t--urgent\n0\tone\n0\ttwo words\n0\t\n", "{engine}");
    }
}

#[test]
fn each_line_is_a_message_and_the_last_needs_no_newline() {
    for engine in ENGINES {
        let objects = queue(engine, "");
        objects.succeeds(r"printf 'a\n\n b \nc' | $UNIPC send $Q");
        assert_eq!(objects.succeeds("$UNIPC receive --all -0 $Q"), "a\0\0 b \0c\0", "{engine}");
    }
}

#[test]
fn newlines_go_through_where_nul_or_nothing_separates() {
    for engine in ENGINES {
        let objects = queue(engine, "");
        objects.succeeds(r"printf 'a\nb\0c\0' | $UNIPC send -0 $Q; printf 'd\ne\0' | $UNIPC send --framing none $Q");
        assert_eq!(objects.succeeds("$UNIPC receive --all --framing none $Q"), "a\nbcd\ne\0", "{engine}");
    }
}

#[test]
fn a_sender_and_a_receiver_at_once_pass_every_byte_on() {
    for engine in ENGINES {
        let objects = queue(engine, "--max-messages 3 --message-size 256");
        let messages = binary_messages();
        let count = messages.len().to_string();
        let receiver = start(&["receive", "-F", "length", "-n", &count, &objects.name]);
        let sent = start(&["send", "-F", "length", &objects.name]).talk(&counted(&messages));
        assert_eq!((sent.code, sent.err()), (0, ""), "{engine}");
        let done = receiver.talk(b"");
        assert_eq!((done.code, done.err()), (0, ""), "{engine}");
        assert!(done.stdout == counted(&messages), "{engine}");
    }
}

#[test]
fn two_receivers_share_what_a_sender_sends() {
    for engine in ENGINES {
        let objects = queue(engine, "--max-messages 4 --message-size 16");
        let receivers = [(); 2].map(|()| start(&["receive", "-n", "200", &objects.name]));
        objects.succeeds("seq 400 | $UNIPC send $Q");
        let received = receivers.map(|receiver| receiver.talk(b""));
        let all: BTreeSet<u32> =
            received.iter().flat_map(|done| done.out().lines().map(|line| line.parse().unwrap())).collect();
        assert!(all.into_iter().eq(1..=400), "{engine}");
    }
}

#[test]
fn a_line_is_sent_when_it_is_read_and_printed_when_it_comes() {
    for engine in ENGINES {
        let objects = queue(engine, "");
        let sender = start(&["send", &objects.name]);
        let receiver = start(&["receive", "--follow", &objects.name]);
        for line in [b"one\n", b"two\n"] {
            sender.child.stdin.as_ref().unwrap().write(line).unwrap();
            let mut heard = [0; 4];
            receiver.child.stdout.as_ref().unwrap().read_full(&mut heard, WATCHDOG).unwrap();
            assert_eq!(&heard, line, "{engine}");
        }
        receiver.child.signal(15).unwrap();
        let done = receiver.talk(b"");
        assert_eq!((done.signal, done.err()), (Some(15), ""), "{engine}");
        assert_eq!(sender.talk(b"").code, 0);
    }
}

#[test]
fn priorities_go_along_from_queue_to_queue() {
    let (from, to) = (queue("posix", ""), queue("shm", ""));
    from.succeeds("$UNIPC send $Q low; $UNIPC send -p 32767 $Q high");
    let (from, to_name) = (from, &to.name);
    from.succeeds(&format!(
        "$UNIPC receive --all -F length --with-priority $Q | $UNIPC send -F length --with-priority {to_name}"
    ));
    assert_eq!(to.succeeds("$UNIPC receive --all --with-priority $Q"), "32767\thigh\n0\tlow\n");
}

#[test]
fn a_message_without_its_priority_is_refused() {
    let objects = queue("posix", "");
    let done = objects.shell(r"printf '1\tfirst\nsecond\n' | $UNIPC send --with-priority $Q");
    assert_eq!(done.code, 5);
    assert_eq!(done.err(), "unipc: message 2: it does not begin with a priority from 0 to 32767 and a tab\n");
}

#[test]
fn a_count_takes_and_leaves() {
    for engine in ENGINES {
        let objects = queue(engine, "");
        objects.succeeds("seq 5 | $UNIPC send -n 4 $Q");
        assert_eq!(objects.succeeds("$UNIPC receive -n 0 $Q; $UNIPC receive $Q; $UNIPC receive -n 2 $Q"), "1\n2\n3\n");
        let done = objects.shell("$UNIPC receive --no-wait -n 2 $Q");
        let empty = format!("unipc: receive from queue {}: the queue is empty\n", objects.name);
        assert_eq!((done.code, done.out(), done.err()), (1, "4\n", &empty[..]), "{engine}");
        assert_eq!(objects.succeeds("$UNIPC receive --all $Q"), "", "{engine}");
    }
}

// ---- what is refused

#[test]
fn a_message_that_does_not_fit_is_named_with_the_limit_and_those_before_it_are_sent() {
    let scripts = [
        "$UNIPC send $Q a 1234 12345 b",
        r"printf 'a\n1234\n12345\nb\n' | $UNIPC send $Q",
        r"printf 'a\0001234\00012345\000b' | $UNIPC send -0 $Q",
        r"printf '\0\0\0\001a\0\0\0\0041234\0\0\0\00512345' | $UNIPC send -F length $Q",
        r"printf '0\ta\n0\t1234\n0\t12345\n' | $UNIPC send --with-priority $Q",
    ];
    for engine in ENGINES {
        let objects = queue(engine, "--message-size 4");
        for script in scripts {
            let done = objects.shell(script);
            let name = &objects.name;
            let sentence =
                format!("unipc: message 3: it is longer than the 4 bytes that a message of queue {name} has at most\n");
            assert_eq!((done.code, done.err()), (5, &sentence[..]), "{engine}: {script}");
            assert_eq!(objects.succeeds("$UNIPC receive --all $Q"), "a\n1234\n", "{engine}: {script}");
        }
    }
}

#[test]
fn an_input_that_ends_inside_of_a_message_is_refused() {
    let objects = queue("posix", "");
    let done = objects.shell(r"printf '\0\0\0\001a\0\0\0\002b' | $UNIPC send -F length $Q");
    assert_eq!((done.code, done.err()), (5, "unipc: message 2: standard input ends inside of it\n"));
    assert_eq!(objects.succeeds("$UNIPC receive --all $Q"), "a\n");
}

#[test]
fn every_refusal_has_its_own_status() {
    let unprivileged = "setpriv --inh-caps=-all --bounding-set=-all";
    for engine in ENGINES {
        let objects = queue(engine, "--max-messages 1");
        let name = &objects.name;
        let refused = |code: i32, script: &str, sentence: &str| {
            let done = objects.shell(script);
            assert_eq!((done.code, done.out()), (code, ""), "{engine}: {script}: {}", done.err());
            let sentence = format!("unipc: {}\n", sentence.replace("$Q", name));
            assert_eq!(done.err(), sentence, "{engine}: {script}");
        };
        refused(1, "$UNIPC receive --no-wait $Q", "receive from queue $Q: the queue is empty");
        refused(124, "$UNIPC receive --timeout 10ms $Q", "receive from queue $Q: timed out: the queue was empty");
        refused(124, "$UNIPC receive --follow --timeout 0 $Q", "receive from queue $Q: timed out: the queue was empty");
        objects.succeeds("$UNIPC send $Q full");
        refused(1, "$UNIPC send --no-wait $Q more", "message 1: send to queue $Q: the queue is full");
        refused(
            124,
            "$UNIPC send --timeout 10ms $Q more",
            "message 1: send to queue $Q: timed out: the queue was full",
        );
        refused(3, "$UNIPC send ${Q}x message", "open queue $Qx: it does not exist");
        refused(3, "$UNIPC receive ${Q}x", "open queue $Qx: it does not exist");
        refused(3, "$UNIPC queue unlink ${Q}x", "unlink queue $Qx: it does not exist");
        refused(2, "$UNIPC receive orders", "open queue orders: a name begins with a slash, as in \"/orders\"");
        refused(125, "$UNIPC send -i none $Q", "open none: No such file or directory");
        let cause = "--max-messages, --message-size and --mode are a new queue's: give --create, too";
        refused(2, "$UNIPC send --mode 660 $Q message", cause);
        assert_eq!(objects.shell("$UNIPC queue create $Q").code, 6, "{engine}");
        assert_eq!(objects.shell("$UNIPC send --priority 32768 $Q message").code, 2, "{engine}");
        objects.succeeds("$UNIPC queue unlink $Q");
        objects.succeeds(&format!("$UNIPC queue create $Q --engine {engine} --mode 0"));
        let done = objects.shell(&format!("{unprivileged} $UNIPC receive $Q"));
        assert_eq!(done.code, 4, "{engine}: {}", done.err());
    }
}

// ---- which queue

#[test]
fn a_queue_is_made_once_and_found_whichever_engine_has_it() {
    for engine in ENGINES {
        let objects = Objects::new();
        objects.succeeds(&format!("$UNIPC send --create --engine {engine} --max-messages 2 --message-size 1K $Q a"));
        let made = open(&objects, engine);
        assert_eq!((made.max_messages(), made.message_size()), (2, 1024));
        objects.succeeds("$UNIPC send --create $Q b; $UNIPC queue create $Q --exist-ok");
        assert_eq!(objects.succeeds("$UNIPC receive --create -n 2 $Q"), "a\nb\n", "{engine}");
        objects.succeeds("$UNIPC queue unlink $Q");
        assert_eq!(objects.shell("$UNIPC receive $Q").code, 3);
    }
}

#[test]
fn a_queue_of_the_other_engine_is_not_taken_for_the_one_asked_for() {
    let objects = queue("shm", "");
    let done = objects.shell("$UNIPC receive --engine posix $Q");
    assert_eq!(done.code, 2);
    assert!(done.err().ends_with("it is a queue of engine shm: open it with engine shm\n"), "{}", done.err());
}

#[test]
fn a_name_on_both_engines_is_an_error_that_says_so() {
    let objects = queue("shm", "");
    // The library itself lets nobody make the second.
    let file = format!("/dev/shm/unipc.queue.{}", &objects.name[1..]);
    let aside = format!("{file}.aside");
    fs::rename(&file, &aside).unwrap();
    objects.succeeds("$UNIPC queue create $Q");
    fs::rename(&aside, &file).unwrap();
    let done = objects.shell("$UNIPC send $Q which");
    let cause = "both engines have one of this name: choose by --engine posix or --engine shm";
    assert_eq!((done.code, done.err()), (2, &format!("unipc: open queue {}: {cause}\n", objects.name)[..]));
    objects.succeeds("$UNIPC send --engine shm $Q shm; $UNIPC send --engine posix $Q posix");
    assert_eq!(objects.succeeds("$UNIPC receive --engine shm $Q; $UNIPC receive --engine posix $Q"), "shm\nposix\n");
}

#[test]
fn what_cannot_be_removed_keeps_nothing_else() {
    let objects = queue("posix", "");
    let done = objects.shell("$UNIPC queue unlink ${Q}x $Q ${Q}y");
    assert_eq!((done.code, done.err().lines().count()), (3, 2));
    assert_eq!(objects.shell("$UNIPC receive $Q").code, 3);
}

// ---- who leaves

#[test]
fn who_follows_ends_quietly_when_the_reader_has_left_and_takes_nothing_more() {
    for engine in ENGINES {
        let objects = queue(engine, "");
        objects.succeeds("$UNIPC send $Q first");
        // No further message comes to tell it.
        let done = objects.shell("{ $UNIPC receive --follow $Q; echo $? >code; } | head -1");
        assert_eq!((done.out(), done.err()), ("first\n", ""), "{engine}");
        assert_eq!(fs::read_to_string(objects.scratch.path("code")).unwrap(), "141\n", "{engine}");
        objects.succeeds("$UNIPC send $Q second");
        assert_eq!(objects.succeeds("$UNIPC receive --all $Q"), "second\n", "{engine}");
    }
}

#[test]
fn a_message_that_cannot_be_printed_stays_in_the_queue() {
    for engine in ENGINES {
        let objects = queue(engine, "");
        objects.succeeds("$UNIPC send -p 3 $Q precious");
        for options in ["", "--all", "--no-wait"] {
            let done = objects.shell(&format!("$UNIPC receive {options} $Q >/dev/full"));
            let sentence = "unipc: write to standard output: No space left on device\n";
            assert_eq!((done.code, done.err()), (125, sentence), "{engine}");
        }
        assert_eq!(objects.succeeds("$UNIPC receive --all --with-priority $Q"), "3\tprecious\n", "{engine}");
    }
}

/// A receiver in the midst of a message that is larger than the pipe that it goes to.
fn stuck(objects: &Objects, engine: &str) -> Talk {
    let receiver = start(&["receive", "--follow", "--framing", "none", &objects.name]);
    let message = vec![b'm'; 200_000];
    assert_eq!(start(&["send", "--framing", "none", &objects.name]).talk(&message).code, 0);
    let queue = open(objects, engine);
    until("the receiver has the message in hand", || queue.try_borrow().is_err_and(|error| error.would_block()));
    until("the pipe is full", || receiver.child.stdout.as_ref().unwrap().available().unwrap() >= 65536);
    receiver
}

#[test]
fn a_message_in_hand_goes_back_when_a_signal_ends_the_receiver() {
    for signal in [2, 9, 15] {
        let objects = queue("shm", "--message-size 200000");
        let receiver = stuck(&objects, "shm");
        receiver.child.signal(signal).unwrap();
        let done = receiver.talk(b"");
        assert_eq!((done.signal, done.err()), (Some(signal), ""));
        assert!(done.stdout.len() < 200_000);
        let back = objects.succeeds("$UNIPC receive --timeout 30 $Q | wc -c");
        assert_eq!(back.trim(), "200001", "signal {signal}");
    }
}

#[test]
fn a_message_of_engine_posix_goes_back_too_when_a_signal_ends_the_receiver() {
    let objects = queue("posix", "--max-messages 10 --message-size 8K");
    let receiver = start(&["receive", "--follow", "-F", "length", &objects.name]);
    let messages: Vec<Vec<u8>> = (0..16u8).map(|number| vec![number; 8000]).collect();
    assert_eq!(start(&["send", "-F", "length", &objects.name]).talk(&counted(&messages)).code, 0);
    // Eight fill the pipe; the ninth is in hand.
    let queue = open(&objects, "posix");
    until("the pipe is full", || queue.len().unwrap() == 7);
    receiver.child.signal(15).unwrap();
    let printed = receiver.talk(b"").stdout;
    let whole = printed.chunks_exact(8004).map(|frame| frame[4]);
    let back = objects.succeeds("$UNIPC receive --all --framing none $Q").into_bytes();
    let mut all: Vec<u8> = whole.chain(back.chunks_exact(8000).map(|message| message[0])).collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..16));
}

/// Whether a command is in this state.
fn is(talk: &Talk, state: char) -> bool {
    children(std::process::id() as i32).contains(&(talk.child.id(), state))
}

#[test]
fn a_message_that_cannot_go_back_is_printed_where_there_is_room() {
    let objects = queue("posix", "--max-messages 1 --message-size 8K");
    let receiver = start(&["receive", "--follow", "--framing", "none", &objects.name]);
    let messages = vec![vec![b'm'; 8000]; 10];
    // Eight fill the pipe, the ninth is in hand, and the tenth has its place.
    assert_eq!(start(&["send", "-F", "length", &objects.name]).talk(&counted(&messages)).code, 0);
    receiver.child.signal(19).unwrap();
    until("it has stopped", || is(&receiver, 'T'));
    receiver.child.stdout.as_ref().unwrap().read_full(&mut vec![0; 32000], WATCHDOG).unwrap();
    receiver.child.signal(15).unwrap();
    receiver.child.signal(18).unwrap();
    let done = receiver.talk(b"");
    assert_eq!((done.signal, done.err(), done.stdout.len()), (Some(15), "", 9 * 8000 - 32000));
}

#[test]
fn a_message_that_cannot_go_back_is_named_as_lost() {
    let objects = queue("posix", "--max-messages 1 --message-size 8K");
    let receiver = start(&["receive", "--follow", "--framing", "none", &objects.name]);
    let messages = vec![vec![b'm'; 8000]; 10];
    // Eight fill the pipe, the ninth is in hand, and the tenth has its place.
    assert_eq!(start(&["send", "-F", "length", &objects.name]).talk(&counted(&messages)).code, 0);
    receiver.child.signal(15).unwrap();
    until("it has ended", || is(&receiver, 'Z')); // the pipe is full as long as that
    let done = receiver.talk(b"");
    let cause = format!("send to queue {}: the queue is full", objects.name);
    let sentence = format!("unipc: a message of 8000 bytes was not printed and is lost: {cause}\n");
    assert_eq!((done.signal, done.err()), (Some(15), &sentence[..]));
}

#[test]
fn control_c_ends_who_waits_and_is_seen_by_the_shell() {
    for engine in ENGINES {
        let objects = queue(engine, "");
        let mut terminal = Terminal::start_command(&[UNIPC, "receive", "--follow", &objects.name]);
        objects.succeeds("$UNIPC send $Q ready");
        terminal.expect("ready\r\n");
        terminal.write("\x03");
        let done = terminal.end();
        assert_eq!(done.signal, Some(2), "{engine}");
        assert!(done.out().ends_with("ready\r\n^C"), "{engine}: {:?}", done.out());
        objects.succeeds("$UNIPC send $Q later");
        assert_eq!(objects.succeeds("$UNIPC receive $Q"), "later\n", "{engine}");
    }
}

// ---- help

#[test]
fn the_help_of_each_command_has_examples_and_every_status() {
    let objects = Objects::new();
    for command in ["send", "receive", "queue", "fifo", "sem", "memory"] {
        let help = objects.succeeds(&format!("$UNIPC {command} --help"));
        for part in ["Examples:\n  ", "Exit status:\n  0 ", "  3    the object does not exist\n", "  124  timed out\n"]
        {
            assert!(help.contains(part), "{command}: {part:?}");
        }
    }
    let all = ["queue create", "queue unlink", "fifo read", "sem wait", "sem value", "memory dump", "memory write"];
    for command in all.into_iter().chain(["ls", "inspect", "top", "clean", "rm", "doctor", "pipe", "completions bash"])
    {
        assert!(objects.succeeds(&format!("$UNIPC {command} --help")).contains("Exit status"), "{command}");
    }
}
