//! `unipc pipe`, as scripts and terminals use it.

mod common;

use common::{Done, Scratch, Terminal, children, done, shell, start, unipc, until};
use std::fmt::Write;
use std::fs;

/// More than all pipes on the way hold, and no two pages the same.
fn data() -> Vec<u8> {
    (0..3_000_000u32).flat_map(u32::to_le_bytes).collect()
}

fn text(done: &Done) -> (i32, &str, &str) {
    (done.code, done.out(), done.err())
}

// ---- the data

#[test]
fn what_goes_in_comes_out() {
    let data = data();
    let done = start(&["cat", "--", "cat", "--", "cat"]).talk(&data);
    assert_eq!(done.code, 0, "{}", done.err());
    assert!(done.stdout == data);
}

#[test]
fn what_is_looked_at_comes_out_the_same_and_each_copy_is_equal() {
    let (scratch, data) = (Scratch::new(), data());
    let files = ["1:a", "2:b", "2:c", "2:d:e"].map(|name| format!("{}{}", &name[..2], scratch.path(&name[2..])));
    let mut arguments: Vec<&str> = files.iter().flat_map(|file| ["--tee", file]).collect();
    arguments.extend(["cat", "--", "cat", "--", "cat"]);
    let done = start(&arguments).talk(&data);
    assert_eq!(done.code, 0, "{}", done.err());
    assert!(done.stdout == data);
    for name in ["a", "b", "c", "d:e"] {
        assert!(fs::read(scratch.path(name)).unwrap() == data, "{name}");
    }
}

#[test]
fn small_pieces_arrive_when_they_are_written() {
    let scratch = Scratch::new();
    let tee = format!("1:{}", scratch.path("copy"));
    let running = start(&["--tee", &tee, "cat", "--", "cat"]);
    for piece in [b"one", b"two"] {
        running.child.stdin.as_ref().unwrap().write(piece).unwrap();
        let mut buffer = [0; 3];
        running.child.stdout.as_ref().unwrap().read_full(&mut buffer, common::WATCHDOG).unwrap();
        assert_eq!(&buffer, piece);
    }
    assert_eq!(running.talk(b"").code, 0);
}

#[test]
fn the_first_reads_our_input_and_the_last_writes_our_output() {
    let scratch = Scratch::new();
    fs::write(scratch.path("in"), "b\na\n").unwrap();
    let done = scratch.shell("$UNIPC pipe sort -- cat <in >out");
    assert_eq!(text(&done), (0, "", ""));
    assert_eq!(fs::read_to_string(scratch.path("out")).unwrap(), "a\nb\n");
}

#[test]
fn a_single_program_is_a_pipeline() {
    assert_eq!(text(&unipc(&["echo", "hello"])), (0, "hello\n", ""));
}

#[test]
fn no_shell_reads_the_arguments() {
    assert_eq!(unipc(&["echo", "$HOME", "*", ";", "a  b", "--", "cat"]).out(), "$HOME * ; a  b\n");
}

#[test]
fn options_of_a_program_are_its_own() {
    assert_eq!(unipc(&["echo", "--status", "-h", "--", "cat"]).out(), "--status -h\n");
}

#[test]
fn another_separator_makes_two_dashes_an_argument() {
    assert_eq!(unipc(&["--separator", ":", "echo", "--", "a", ":", "tr", "a", "b"]).out(), "-- b\n");
}

#[test]
fn a_joint_that_nobody_looks_at_is_a_pipe_between_the_programs() {
    let ends = |options: &[&str]| {
        let stages = [
            "sh",
            "-c",
            "end=$(readlink /proc/$$/fd/1); echo $end >&2",
            "--",
            "sh",
            "-c",
            "readlink /proc/$$/fd/0 >&2",
        ];
        let err = unipc(&[options, &stages].concat()).err().to_owned();
        let mut ends: Vec<_> = err.lines().map(str::to_owned).collect();
        ends.sort();
        assert!(ends.len() == 2 && ends[0].starts_with("pipe:"), "{err}");
        ends[0] == ends[1]
    };
    assert!(ends(&[]));
    assert!(ends(&["--rate"]), "without a terminal nobody looks at the rate");
    assert!(!ends(&["--tee", "1:/dev/null"]));
}

// ---- who leaves early

#[test]
fn yes_ends_when_head_has_left() {
    for options in [&[][..], &["--tee", "1:/dev/null"]] {
        let options = [&["--status", "--pipefail"], options].concat();
        let done = unipc(&[&options[..], &["yes", "--", "head", "-1"]].concat());
        assert_eq!(
            text(&done),
            (0, "y\n", "stage\t1\t141\tkilled by SIGPIPE\tyes\nstage\t2\t0\texited with 0\thead -1\n")
        );
    }
}

/// Not when it writes next, after which it could sleep for ever.
#[test]
fn a_program_is_told_at_once_that_its_reader_has_left_also_where_a_copy_is_made() {
    let running = start(&["--tee", "1:/dev/null", "cat", "--", "sh", "-c", "echo started >&2"]);
    running.hear("started\n");
    let unipc = running.child.id();
    until("the second has ended", || children(unipc).len() == 1);
    let pipe = fs::read_link(format!("/proc/{}/fd/1", children(unipc)[0].0)).unwrap();
    until("the pipe has no reader", || {
        let fds = fs::read_dir(format!("/proc/{unipc}/fd")).unwrap();
        !fds.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok()).any(|link| link == pipe)
    });
    assert_eq!(running.talk(b"x").code, 0);
}

#[test]
fn a_program_that_never_reads_is_no_hang() {
    let done = unipc(&["--tee", "1:/dev/null", "--status", "yes", "--", "true", "--", "cat"]);
    assert_eq!((done.code, done.out()), (0, ""));
}

// ---- statuses

#[test]
fn the_last_program_gives_the_status() {
    assert_eq!(text(&unipc(&["false", "--", "true"])), (0, "", ""));
    assert_eq!(unipc(&["true", "--", "sh", "-c", "exit 3"]).code, 3);
    assert_eq!(unipc(&["true", "--", "sh", "-c", "kill -TERM $$"]).code, 128 + 15);
    assert_eq!(unipc(&["true", "--", "sh", "-c", "kill -KILL $$"]).code, 128 + 9);
}

#[test]
fn with_pipefail_the_last_that_failed_gives_it() {
    let stages = ["sh", "-c", "exit 3", "--", "sh", "-c", "exit 4", "--", "true"];
    assert_eq!(unipc(&stages).code, 0);
    assert_eq!(unipc(&[&["--pipefail"], &stages[..]].concat()).code, 4);
}

#[test]
fn of_ten_stages_the_fifth_is_killed() {
    let dying = "head -c 100000 >/dev/null; kill -KILL $$";
    for tees in [&[][..], &["--tee", "4:/dev/null", "--tee", "5:/dev/null", "--tee", "9:/dev/null"]] {
        let mut arguments = [&["--status"], tees, &["yes"]].concat();
        for number in 2..=10 {
            arguments.push("--");
            if number == 5 {
                arguments.extend(["sh", "-c", dying]);
            } else {
                arguments.push("cat");
            }
        }
        let mut expected = String::new();
        for number in 1..=10 {
            let (code, how, line) = match number {
                1 => (141, "killed by SIGPIPE", "yes"),
                2..=4 => (141, "killed by SIGPIPE", "cat"),
                5 => (137, "killed by SIGKILL", "sh -c 'head -c 100000 >/dev/null; kill -KILL $$'"),
                _ => (0, "exited with 0", "cat"),
            };
            writeln!(expected, "stage\t{number}\t{code}\t{how}\t{line}").unwrap();
        }
        assert_eq!(text(&unipc(&arguments)), (0, "", expected.as_str()));
        arguments.insert(0, "--pipefail");
        assert_eq!(unipc(&arguments).code, 128 + 9);
    }
}

#[test]
fn a_status_is_one_line_whatever_the_arguments_are() {
    let done = unipc(&["--status", "true", "a\tb\n", "it's"]);
    assert_eq!(done.err(), "stage\t1\t0\texited with 0\ttrue $'a\\tb\\n' 'it'\\''s'\n");
}

#[test]
fn a_program_that_is_not_there_is_127_and_leaves_nothing_running() {
    let scratch = Scratch::new();
    for place in 0..3 {
        let mut stages = [&["sleep", "100"][..]; 3];
        stages[place] = &["no-such-program"];
        let done = unipc(&stages.join(&"--")); // sleep would keep standard error open, and this waiting
        let sentence = "spawn no-such-program: there is no such program in PATH";
        assert_eq!(text(&done), (127, "", &*format!("unipc: {sentence} (stage {} of 3)\n", place + 1)));
    }
    assert_eq!(scratch.shell("$UNIPC pipe ./absent -- cat").code, 127);
}

#[test]
fn a_program_that_cannot_be_executed_is_126() {
    let scratch = Scratch::new();
    fs::write(scratch.path("text"), "no program").unwrap();
    let done = scratch.shell("$UNIPC pipe cat -- ./text; echo $?; chmod +x text; $UNIPC pipe cat -- ./text; echo $?; $UNIPC pipe / -- cat; echo $?");
    assert_eq!(done.out(), "126\n126\n126\n");
    assert_eq!(done.err().lines().count(), 3, "{}", done.err());
}

#[test]
fn a_status_is_known_though_the_caller_ignores_sigchld() {
    assert_eq!(text(&shell("env --ignore-signal=CHLD $UNIPC pipe true -- sh -c 'exit 3'")), (3, "", ""));
}

// ---- copies

#[test]
fn a_copy_that_cannot_be_written_is_an_error_before_anything_starts() {
    let scratch = Scratch::new();
    for path in [scratch.path("absent/copy"), scratch.path("")] {
        let done = unipc(&["--tee", &format!("1:{path}"), "touch", &scratch.path("started"), "--", "cat"]);
        assert_eq!((done.code, done.out()), (125, ""));
        assert!(done.err().starts_with(&format!("unipc: --tee 1:{path}: ")), "{}", done.err());
    }
    assert!(!fs::exists(scratch.path("started")).unwrap());
}

#[test]
fn a_full_disk_is_said_once_and_does_not_touch_the_data() {
    let data = data();
    let done = start(&["--tee", "1:/dev/full", "cat", "--", "cat"]).talk(&data);
    assert!(done.stdout == data);
    let cause = "No space left on device; it ends after 0 bytes, the pipeline goes on";
    assert_eq!((done.code, done.err()), (125, &*format!("unipc: --tee 1:/dev/full: {cause}\n")));
}

#[test]
fn a_copy_that_meets_a_limit_is_the_beginning_of_the_data() {
    let scratch = Scratch::new();
    let done =
        scratch.shell("seq 100000 >all; ulimit -f 4; $UNIPC pipe --tee 1:copy cat all -- md5sum; echo $?; md5sum <all");
    let lines: Vec<_> = done.out().lines().collect();
    assert!(lines.len() == 3 && lines[0] == lines[2] && lines[1] == "125", "{lines:?}");
    let (all, copy) = (fs::read(scratch.path("all")).unwrap(), fs::read(scratch.path("copy")).unwrap());
    assert!(!copy.is_empty() && copy.len() < all.len() && all.starts_with(&copy));
    assert!(
        done.err().contains(&format!("it ends after {} bytes, the pipeline goes on", copy.len())),
        "{}",
        done.err()
    );
}

#[test]
fn a_failure_of_the_pipeline_comes_before_one_of_a_copy() {
    assert_eq!(unipc(&["--tee", "1:/dev/full", "seq", "9", "--", "sh", "-c", "cat; exit 3"]).code, 3);
}

#[test]
fn a_copy_goes_to_a_fifo_too() {
    let scratch = Scratch::new();
    let done = scratch.shell("mkfifo f; cat f >copy & $UNIPC pipe --tee 1:f seq 100000 -- md5sum; wait; md5sum <copy");
    let lines: Vec<_> = done.out().lines().collect();
    assert!(lines.len() == 2 && lines[0] == lines[1], "{lines:?} {}", done.err());
}

// ---- what makes no sense

#[test]
fn arguments_that_make_no_sense_are_2_and_a_sentence() {
    for (arguments, sentence) in [
        (&[][..], "the following required arguments were not provided"),
        (&["--tee", "x", "a"], "it is not N:FILE"),
        (&["--tee", "0:x", "a", "--", "b"], "it is not N:FILE"),
        (&["--tee", "1:", "a", "--", "b"], "it is not N:FILE"),
        (&["--tee", "2:x", "a", "--", "b"], "there is no such joint: the last one of 2 programs is 1"),
        (&["--tee", "1:x", "a"], "there is no such joint: one program has none"),
        (&["a", "--"], "there is no program in place 2 of 2"),
        (&["a", "--", "--", "b"], "there is no program in place 2 of 3"),
        (&["--", "--", "b"], "there is no program in place 1 of 2"),
        (&["--pipefial", "a"], "unexpected argument '--pipefial'"),
    ] {
        let done = unipc(arguments);
        assert_eq!((done.code, done.out()), (2, ""), "{arguments:?}");
        assert!(done.err().starts_with("unipc: ") && done.err().contains(sentence), "{}", done.err());
        assert!(done.err().contains("--help"));
    }
    assert!(!fs::exists("x").unwrap());
}

#[test]
fn help_tells_exit_codes_with_examples_and_has_no_colours_in_a_pipe() {
    let done = unipc(&["--help"]);
    assert_eq!((done.code, done.err()), (0, ""));
    for word in ["Examples:", "125", "126", "127", "128 + N", "--separator", "SIGTERM"] {
        assert!(done.out().contains(word), "{word}");
    }
    assert!(!done.out().contains('\x1b'));
}

#[test]
fn nobody_who_reads_the_help_is_no_noise() {
    let (reader, writer) = unipc::pipe().unwrap();
    drop(reader);
    let mut command = common::command(&["--help"]);
    let done = done(command.stdout(writer));
    assert_eq!(text(&done), (141, "", ""));
}

#[test]
fn nobody_who_reads_the_statuses_is_no_failure() {
    let (reader, writer) = unipc::pipe().unwrap();
    drop(reader);
    let mut command = common::command(&["--status", "true", "--", "sh", "-c", "exit 3"]);
    assert_eq!(done(command.stderr(writer)).code, 3);
}

// ---- what the programs get, and what is left

#[test]
fn a_program_has_the_standard_streams_and_no_other_descriptor() {
    let list = "ls /proc/self/fd | tr '\\n' ' ' >&2; cat";
    let stages = ["sh", "-c", list, "--", "sh", "-c", list, "--", "sh", "-c", list];
    for options in [&[][..], &["--tee", "1:/dev/null", "--tee", "2:/dev/null"]] {
        let done = unipc(&[options, &stages].concat());
        let mut numbers: Vec<_> = done.err().split_whitespace().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, ["0", "0", "0", "1", "1", "1", "2", "2", "2", "3", "3", "3"], "3 is of ls itself");
    }
}

#[test]
fn a_descriptor_that_was_handed_to_us_is_handed_on() {
    let scratch = Scratch::new();
    fs::write(scratch.path("in"), "seven").unwrap();
    let done = scratch.shell("$UNIPC pipe true -- sh -c 'cat <&7' -- cat 7<in");
    assert_eq!(text(&done), (0, "seven", ""));
}

#[test]
fn an_ended_program_is_no_zombie_while_others_run() {
    let running = start(&["cat", "--", "true", "--", "sh", "-c", "echo started >&2; exit 3"]);
    running.hear("started\n");
    until("two are reaped", || children(running.child.id()).len() == 1);
    assert!(children(running.child.id()).iter().all(|(_, state)| *state != 'Z'));
    assert_eq!(running.talk(b"").code, 3);
}

#[test]
fn sigterm_is_handed_on_and_ends_all() {
    for options in [&[][..], &["--tee", "1:/dev/null"]] {
        let running = start(&[options, &["sleep", "100", "--", "cat"]].concat());
        let unipc = running.child.id();
        until("both run", || children(unipc).len() == 2);
        let stages = children(unipc);
        running.child.signal(15).unwrap();
        let done = running.talk(b"");
        assert_eq!(done.code, 128 + 15);
        assert!(stages.iter().all(|(id, _)| !fs::exists(format!("/proc/{id}")).unwrap()));
    }
}

// ---- terminals

#[test]
fn without_a_terminal_the_rate_prints_nothing() {
    assert_eq!(text(&unipc(&["--rate", "seq", "3", "--", "cat"])), (0, "1\n2\n3\n", ""));
}

#[test]
fn on_a_terminal_the_rate_is_a_live_line_for_each_joint() {
    let scratch = Scratch::new();
    let (go, out) = (scratch.path("go"), scratch.path("out"));
    unipc::Fifo::create(&go).unwrap();
    // 1 MiB, and a stop until this test has seen it.
    let source = format!("head -c 1048576 /dev/zero; read line <{go}; head -c 1048576 /dev/zero");
    let sink = format!("md5sum >{out}");
    let mut terminal = Terminal::start(&["--rate", "sh", "-c", &source, "--", "cat", "--", "sh", "-c", &sink]);
    terminal.expect("B/s     1.00 MiB  2: cat | sh -c 'md5sum");
    fs::write(&go, "\n").unwrap();
    let done = terminal.end();
    assert_eq!(done.code, 0);
    // The last picture stays, below it the cursor.
    let last = done.out().rsplit("\x1b[1A").next().unwrap();
    assert_eq!(last.matches("B/s     2.00 MiB  ").count(), 2, "{last:?}");
    assert!(last.ends_with('\n'));
    let zeroes = shell("head -c 2097152 /dev/zero | md5sum");
    assert_eq!(fs::read_to_string(out).unwrap(), zeroes.out());
}

#[test]
fn what_the_last_program_says_at_its_end_is_not_drawn_over() {
    for upstream in [&["seq", "1000"][..], &["yes", "--", "head", "-c", "3893"]] {
        let mut terminal = Terminal::start(&[&["--rate"], upstream, &["--", "sh", "-c", "wc -c; sleep 1"]].concat());
        terminal.expect("B/s     3.80 KiB  ");
        terminal.expect("\n3893\r\n");
        let done = terminal.end();
        let (_, behind) = done.out().rsplit_once("3893").unwrap();
        assert_eq!((done.code, behind), (0, "\r\n"));
    }
}

#[test]
fn no_color_is_obeyed_on_a_terminal() {
    let help =
        |setting| Terminal::start_command(&["env", "-u", "NO_COLOR", setting, common::UNIPC, "pipe", "-h"]).end();
    assert!(help("TERM=xterm").out().contains('\x1b'));
    assert!(!help("NO_COLOR=1").out().contains('\x1b'));
}

#[test]
fn ctrl_c_ends_all_programs_and_the_command() {
    for options in [&[][..], &["--rate"], &["--tee", "1:/dev/null"]] {
        let stages = ["sh", "-c", "echo ready >&2; exec sleep 100", "--", "cat"];
        let mut terminal = Terminal::start(&[options, &stages].concat());
        terminal.expect("ready");
        let unipc = terminal.child.id();
        until("both run", || children(unipc).len() == 2);
        let stages = children(unipc);
        terminal.write("\x03");
        let done = terminal.end();
        assert_eq!(done.signal, Some(2), "as a shell has it: ended by the signal itself, {:?}", done.out());
        assert!(stages.iter().all(|(id, _)| !fs::exists(format!("/proc/{id}")).unwrap()));
    }
}

#[test]
fn ctrl_c_ends_the_script_around_it_too() {
    let script = format!("{} pipe sh -c 'echo ready; exec sleep 100' -- cat; echo went on", common::UNIPC);
    let mut terminal = Terminal::start_command(&["bash", "-c", &script]);
    terminal.expect("ready");
    terminal.write("\x03");
    let done = terminal.end();
    assert!(!done.out().contains("went on"), "{}", done.out());
}

#[test]
fn a_program_that_handles_ctrl_c_keeps_the_command() {
    let last = "trap 'echo caught' INT; echo ready; cat; exit 5";
    let mut terminal = Terminal::start(&["sleep", "100", "--", "sh", "-c", last]);
    terminal.expect("ready");
    terminal.write("\x03");
    terminal.expect("caught");
    assert_eq!(terminal.end().code, 5);
}

#[test]
fn the_programs_are_in_the_terminals_foreground() {
    // Who is not is stopped when it reads the terminal, as less does.
    let mut terminal =
        Terminal::start(&["echo", "hello", "--", "sh", "-c", "cat; read line </dev/tty; echo \"got $line\""]);
    terminal.expect("hello");
    terminal.write("it\n");
    terminal.expect("got it");
    assert_eq!(terminal.end().code, 0);
}
