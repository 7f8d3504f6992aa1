//! `unipc bench`: what it compares is real, and what its contenders do wrong is told.

mod common;

use common::{Done, Scratch, Terminal, UNIPC, children, start_command, until};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Runs of a moment: what is measured does not matter here.
const SHORT: &str = "$UNIPC bench --rounds 2 --time 1ms --output out";

/// The cells of a column, by its title.
fn column<'a>(table: &'a str, title: &str) -> Vec<&'a str> {
    let mut lines = table.lines();
    let at = lines.next().unwrap().split('\t').position(|one| one == title).unwrap();
    lines.map(|line| line.split('\t').nth(at).unwrap()).collect()
}

fn read(scratch: &Scratch, name: &str) -> String {
    fs::read_to_string(scratch.path(name)).unwrap()
}

/// A program of contenders, in sh: `mine`, which can do `stream` and `pair`, and answers by `answer`.
fn contender(scratch: &Scratch, answer: &str) {
    let script = format!(
        "[ \"$1\" = clean ] && {{ echo \"$2\" >>cleaned; exit; }}\n\
         printf 'contender\\tmine\\tsh\\tmessages\\tblocks\\tstream,pair\\n'\n\
         printf 'absent\\tits brother\\tsh\\tapt-get install brother\\n'\n\
         echo ready\n\
         tab=$(printf '\\t')\n\
         while read -r request; do {answer}; done\n"
    );
    program(scratch, &script);
}

fn program(scratch: &Scratch, script: &str) {
    fs::write(scratch.path("program"), format!("#!/bin/sh\n{script}")).unwrap();
    fs::set_permissions(scratch.path("program"), fs::Permissions::from_mode(0o755)).unwrap();
}

fn with_contender(answer: &str, rest: &str) -> (Scratch, Done) {
    let scratch = Scratch::new();
    contender(&scratch, answer);
    let done = scratch.shell(&format!("{SHORT} --contender ./program --only mine {rest}"));
    (scratch, done)
}

#[test]
fn every_contender_does_every_work_that_it_says_it_can() {
    let scratch = Scratch::new();
    let done = scratch.shell("$UNIPC bench --rounds 1 --time 1ms --output out");
    assert!(!done.out().contains("FAILED"), "{}", done.out());
    assert_eq!(done.code, 0, "{}", done.err());
    let results = read(&scratch, "out/results.tsv");
    let contenders: BTreeSet<&str> = column(&results, "contender").into_iter().collect();
    let ours = ["unipc shm", "unipc shm in place", "unipc posix", "unipc pipe", "unipc fifo", "unipc semaphore"];
    let system = ["mqueue", "pipe", "fifo", "unix stream", "unix seqpacket", "sem_t"];
    let floor = ["cache line", "futex", "system call", "memcpy"];
    for who in ours.iter().chain(&system).chain(&floor) {
        assert!(contenders.contains(who), "{who} is not in {contenders:?}");
    }
    let works: BTreeSet<&str> = column(&results, "work").into_iter().collect();
    assert_eq!(Vec::from_iter(works), ["asleep", "idle", "open", "pair", "ping-pong", "stream"]);
    let busy = results.lines().skip(1).filter(|line| !line.starts_with("Idle"));
    let medians = busy.map(|line| line.split('\t').nth(12).unwrap().parse::<f64>().unwrap());
    assert!(medians.into_iter().all(|median| median > 0.0), "{results}");
    for plot in ["throughput", "latency", "many"] {
        let picture = read(&scratch, &format!("out/{plot}.svg"));
        assert!(picture.starts_with("<svg") && picture.contains("unipc shm"), "{plot}");
        assert!(read(&scratch, "out/report.md").contains(&format!("({plot}.svg)")), "{plot}");
    }
}

#[test]
fn what_is_printed_is_the_report() {
    let scratch = Scratch::new();
    let done = scratch.shell(&format!("{SHORT} --only mqueue '64 B, send'"));
    assert_eq!((done.code, done.err()), (0, "unipc: bench: written to out\n"));
    assert_eq!(done.out(), read(&scratch, "out/report.md"), "there is no plot of this row");
    let results = read(&scratch, "out/results.tsv");
    assert!(column(&results, "row").iter().all(|row| *row == "64 B, send and receive"));
    assert!(column(&results, "rounds").iter().all(|rounds| rounds.split(',').count() == 2));
}

#[test]
fn another_contender_stands_beside_unipc_with_its_ratio() {
    let (scratch, done) = with_contender("echo \"ok${tab}ns=1e9${tab}cpu=5\"", "'64 B, send'");
    assert_eq!(done.code, 0, "{}", done.err());
    let line = done.out().lines().find(|line| line.starts_with("| mine")).unwrap();
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    assert_eq!(cells[1..5], ["mine", "sh", "blocks", "1000000000 [1000000000-1000000000]"], "{line}");
    let times: f64 = cells[5].split(' ').next().unwrap().parse().unwrap();
    assert!(times > 1000.0, "no message of unipc takes a millisecond: {line}");
    assert!(done.out().contains("skipped: its brother (sh) is not installed: apt-get install brother"));
    assert!(read(&scratch, "out/ratios.tsv").lines().any(|line| line.contains("unipc shm\tRust\tmine\tsh\t")));
}

#[test]
fn who_fails_is_named_and_the_others_are_compared() {
    let (scratch, done) = with_contender("echo \"failed${tab}messages were lost\"", "'64 B, send'");
    assert_eq!(done.code, 1);
    assert!(done.out().contains("FAILED: mine (sh): messages were lost\n"), "{}", done.out());
    assert!(column(&read(&scratch, "out/results.tsv"), "contender").contains(&"unipc shm"));
}

#[test]
fn what_the_machine_does_not_allow_is_no_failure() {
    let (_, done) = with_contender("echo \"cannot${tab}the moon is full\"", "'64 B, send'");
    assert_eq!(done.code, 0);
    assert!(done.out().contains("Left out: mine (sh): the moon is full\n"), "{}", done.out());
}

#[test]
fn who_fails_in_a_later_round_is_out_of_the_row() {
    let answer = "[ -e once ] && echo \"failed${tab}later\" || echo \"ok${tab}ns=1e9\"; touch once";
    let (scratch, done) = with_contender(answer, "'64 B, send'");
    assert_eq!(done.code, 1);
    assert!(done.out().contains("FAILED: mine (sh): later\n"), "{}", done.out());
    assert!(!column(&read(&scratch, "out/results.tsv"), "contender").contains(&"mine"));
}

#[test]
fn a_run_that_hangs_is_killed_and_cleaned_up_after() {
    let (scratch, done) = with_contender("sleep 1000", "--patience 1s '64 B, send'");
    assert_eq!(done.code, 1);
    assert!(done.out().contains("FAILED: mine (sh): it hung and was killed after 1 s\n"), "{}", done.out());
    let cleaned = read(&scratch, "cleaned");
    assert!(cleaned.starts_with("/unipc-bench-") && cleaned.lines().count() == 1, "{cleaned}");
}

#[test]
fn a_program_that_ends_is_begun_anew() {
    let answer = "[ -e once ] || { touch once; exit; }; echo \"ok${tab}ns=1e9\"";
    let (_, done) = with_contender(answer, "'64 B, send' '64 B, one to one'");
    assert_eq!(done.code, 1);
    assert!(done.out().contains("FAILED: mine (sh): its program has ended\n"), "{}", done.out());
    assert_eq!(done.out().matches("| mine ").count(), 1, "the second row has it: {}", done.out());
}

#[test]
fn nonsense_of_a_contender_does_no_harm() {
    for answer in ["echo", "echo ok", "echo \"ok${tab}ns=-1\"", "printf 'a\\033[2Jb\\n'", "head -c 3000000 /dev/zero"] {
        let (_, done) = with_contender(answer, "--patience 5s '64 B, send'");
        assert_eq!(done.code, 1, "{answer}: {}", done.err());
        assert!(done.out().contains("FAILED: mine (sh): "), "{answer}: {}", done.out());
        assert!(!done.out().contains('\x1b'), "{answer}");
    }
}

#[test]
fn who_is_not_as_deep_as_its_row_says_is_named() {
    let answer = "echo \"ok${tab}ns=9${tab}depth=7\"";
    let (scratch, done) = with_contender(answer, "'64 B, one' '64 B, send'");
    assert_eq!(done.code, 0, "{}", done.err());
    let sentence = "\nNot as deep: mine (sh) has room for 7 messages here\n";
    assert_eq!(done.out().matches(sentence).count(), 1, "where depth matters: {}", done.out());
    let results = read(&scratch, "out/results.tsv");
    let depth = |who: &str| {
        let line = results.lines().find(|line| line.contains(&format!("\t{who}\t"))).unwrap();
        line.split('\t').nth(4).unwrap().to_owned()
    };
    assert_eq!([depth("mine"), depth("unipc shm")], ["7", "64"]);
}

/// A logarithmic axis down to nothing, or up to no end, would have no end of marks.
#[test]
fn figures_that_no_work_can_have_are_none() {
    for figure in ["ns=0", "ns=1e-300", "ns=1e300"] {
        let (_, done) = with_contender(&format!("echo \"ok${{tab}}{figure}\""), "'64 B, one' '1 KiB, one'");
        assert_eq!(done.code, 1, "{figure}: {}", done.err());
        assert!(done.out().contains("FAILED: mine (sh): it says 'ok"), "{figure}: {}", done.out());
    }
}

#[test]
fn a_program_that_does_not_stop_saying_what_it_has_is_refused() {
    let scratch = Scratch::new();
    program(&scratch, r#"exec yes "$(printf 'absent\tx\tx\tx')""#);
    let done = scratch.shell(&format!("{SHORT} --contender ./program"));
    assert_eq!((done.code, done.out()), (125, ""), "{}", done.err());
    assert!(done.err().contains("it says more than there is to say"), "{}", done.err());
}

/// What is shown of it would be another name, which the program does not know.
#[test]
fn a_name_that_is_no_text_is_refused() {
    let scratch = Scratch::new();
    program(&scratch, r"printf 'contender\tm\033[2Jine\tsh\tmessages\tblocks\tpair\nready\n'");
    let done = scratch.shell(&format!("{SHORT} --contender ./program"));
    assert_eq!((done.code, done.out()), (125, ""), "{}", done.err());
    assert!(done.err().contains(r"it says 'contender\tm\u{1b}[2Jine"), "{}", done.err());
}

#[test]
fn a_name_with_a_bar_stays_in_its_cell() {
    let scratch = Scratch::new();
    let script = r"[ $# = 0 ] || exit; printf 'contender\tmi|ne\tsh\tmessages\tblocks\tpair\nready\n'
        while read -r request; do printf 'ok\tns=5\n'; done";
    program(&scratch, script);
    let done = scratch.shell(&format!("{SHORT} --contender ./program --only mi '64 B, send'"));
    assert!(done.out().contains(r"| mi\|ne "), "{}", done.out());
    assert!(column(&read(&scratch, "out/results.tsv"), "contender").contains(&"mi|ne"));
}

#[test]
fn a_quantile_beyond_the_samples_is_not_told() {
    let (scratch, done) = with_contender("echo \"ok${tab}ns=9${tab}samples=$(seq -s, 100)\"", "'64 B, send'");
    assert_eq!(done.code, 0, "{}", done.err());
    let results = read(&scratch, "out/results.tsv");
    let line = results.lines().find(|line| line.contains("\tmine\t")).unwrap();
    assert_eq!(line.split('\t').collect::<Vec<_>>()[16..19], ["50", "99", ""], "of 200 samples");
}

#[test]
fn what_is_no_program_of_contenders_is_refused() {
    let scratch = Scratch::new();
    for (program, code, words) in [
        ("./nothing", 127, "nothing"),
        ("/bin/true", 125, "/bin/true: it is no program of contenders: it does not say what contenders it has"),
        ("/bin/date", 125, "/bin/date: it is no program of contenders: it says "),
    ] {
        let done = scratch.shell(&format!("{SHORT} --contender {program}"));
        assert_eq!((done.code, done.out()), (code, ""), "{}", done.err());
        assert!(done.err().contains(words), "{}", done.err());
    }
}

#[test]
fn arguments_without_sense_are_refused_before_anything_is_done() {
    let scratch = Scratch::new();
    for arguments in ["no-such-work", "--rounds 0", "--time soon", "--serve x"] {
        let done = scratch.shell(&format!("$UNIPC bench {arguments}"));
        assert_eq!((done.code, done.out()), (2, ""), "{arguments}: {}", done.err());
    }
    assert!(!fs::exists(scratch.path("unipc-bench")).unwrap());
    let done = scratch.shell("$UNIPC bench --rounds 1 --output /dev/null/x '64 B, send'");
    assert_eq!(done.code, 125);
    assert!(done.err().contains("make the folder /dev/null/x"), "{}", done.err());
}

#[test]
fn a_folder_that_takes_no_files_is_refused_before_anything_is_measured() {
    let scratch = Scratch::new();
    let done = scratch.shell("$UNIPC bench --rounds 1 --output /proc/self '64 B, send'");
    assert_eq!((done.code, done.out()), (125, ""));
    assert!(done.err().contains("write /proc/self/report.md"), "{}", done.err());
}

#[test]
fn with_one_processor_allowed_both_sides_run_on_it_and_that_is_said() {
    let scratch = Scratch::new();
    let done = scratch.shell(&format!("taskset -c 0 {SHORT} --only mqueue '64 B, one'"));
    assert_eq!(done.code, 0, "{}", done.err());
    assert!(done.out().contains("\nOnly one processor was allowed, and both sides ran on it.\n"), "{}", done.out());
}

#[test]
fn a_list_measures_nothing() {
    let scratch = Scratch::new();
    let done = scratch.shell("$UNIPC bench --list");
    assert_eq!((done.code, done.err()), (0, ""));
    assert!(done.out().contains("64 B, one to one\n    unipc shm (Rust), "), "{}", done.out());
    assert!(done.out().contains("  mqueue (libc): blocks\n"), "{}", done.out());
    assert!(!fs::exists(scratch.path("unipc-bench")).unwrap());
}

#[test]
fn a_reader_who_leaves_ends_it_quietly() {
    let scratch = Scratch::new();
    let done = scratch.shell(&format!("{{ {SHORT} '64 B, send'; echo $? >&2; }} | head -n 1"));
    assert_eq!((done.out(), done.err()), ("# unipc bench\n", "141\n"));
}

#[test]
fn a_signal_leaves_no_process_and_no_object() {
    let scratch = Scratch::new();
    let out = scratch.path("out");
    let talk = start_command(&[UNIPC, "bench", "--time", "5s", "--output", &out, "64 B, one to one"]);
    let below = |ids: &[i32]| -> Vec<i32> { ids.iter().flat_map(|&id| children(id)).map(|(id, _)| id).collect() };
    let server = || below(&[talk.child.id()]);
    until("a run is under way", || !below(&below(&server())).is_empty());
    let processes = [server(), below(&server()), below(&below(&server()))].concat();
    talk.child.signal(15).unwrap();
    let prefix = format!("unipc-bench-{}-", talk.child.id());
    let done = talk.talk(b"");
    assert_eq!(done.signal, Some(15), "{}", done.err());
    let is_there = |id: &i32| fs::read_to_string(format!("/proc/{id}/cmdline")).is_ok_and(|line| !line.is_empty());
    until("all processes are gone", || !processes.iter().any(is_there));
    let left = fs::read_dir("/dev/shm").unwrap().map(|one| one.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.contains(&prefix)).count(), 0);
}

#[test]
fn on_a_terminal_a_bar_tells_how_far_it_is() {
    let scratch = Scratch::new();
    let out = scratch.path("out");
    let words = [UNIPC, "bench", "--rounds", "2", "--time", "50ms", "--output", &out, "64 B, send"];
    let mut terminal = Terminal::start_command(&words);
    terminal.expect(" of about ");
    terminal.expect("64 B, send and receive: ");
    let done = terminal.end();
    assert_eq!(done.code, 0, "{}", done.out());
    let mut screen = vt100::Parser::new(24, 80, 0);
    screen.process(&done.stdout);
    let shown = screen.screen().contents();
    assert!(
        !shown.contains("send and receive: ") && shown.contains("written to"),
        "the bar is gone at the end: {shown}"
    );
    assert!(shown.lines().any(|line| line.starts_with("unipc shm  ")), "a table that fits: {shown}");
}
