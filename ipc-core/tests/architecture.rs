//! The arrows of docs/architecture.md, held against the source: who may use whom.

use std::path::Path;

/// For each place in `src`, what it may name of the crate. `sys` names only `error`, and so on; the
/// first prefix that fits a file decides.
const ARROWS: &[(&str, &[&str])] = &[
    ("sys", &["sys", "error"]),
    ("error.rs", &[]),
    ("engine.rs", &["error"]),
    ("name.rs", &["error"]),
    ("options.rs", &["error"]),
    ("deadline.rs", &["error", "sys"]),
    ("pipe/posix.rs", &["deadline", "error", "sys", "pipe::PIPE_BUF"]),
    ("fifo/posix.rs", &["deadline", "error", "sys", "options"]),
    ("region", &["deadline", "error", "sys", "region"]),
    ("queue/posix.rs", &["deadline", "error", "sys", "options", "name", "queue::Size", "queue::calls"]),
    (
        "queue/shm",
        &[
            "deadline",
            "error",
            "sys",
            "options",
            "name",
            "region",
            "queue::Size",
            "queue::calls",
            "queue::PRIORITY_MAX",
        ],
    ),
    ("queue/calls.rs", &["sys"]),
    ("queue/loan.rs", &["error", "name"]),
    ("semaphore/posix.rs", &["deadline", "error", "sys", "options", "name"]),
    ("pipe.rs", &["deadline", "error", "sys"]),
    ("fifo.rs", &["deadline", "error", "sys", "options", "name", "pipe"]),
    ("queue.rs", &["deadline", "error", "engine", "options", "name"]),
    ("memory.rs", &["error", "sys", "options", "name"]),
    ("process", &["deadline", "error", "sys", "pipe"]),
    ("popen.rs", &["deadline", "error", "pipe", "process"]),
    ("pipeline.rs", &["deadline", "error", "sys", "pipe", "process"]),
    ("semaphore.rs", &["deadline", "error", "sys", "engine", "options", "name", "memory"]),
    ("survey", &["error", "sys", "engine", "name", "region::header", "queue::look"]),
    (
        "lib.rs",
        &[
            "deadline",
            "error",
            "engine",
            "options",
            "name",
            "region",
            "sys",
            "pipe",
            "fifo",
            "queue",
            "memory",
            "semaphore",
            "process",
            "popen",
            "pipeline",
            "survey",
        ],
    ),
];

fn sources(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { sources(&path, found) } else { found.push(path) }
    }
}

/// What a source names behind `crate::`, a group in braces taken apart.
fn named(text: &str) -> Vec<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut names = Vec::new();
    for rest in code.split("crate::").skip(1) {
        if let Some(group) = rest.strip_prefix('{') {
            names.extend(group.split('}').next().unwrap().split(',').map(|name| name.trim().to_owned()));
        } else {
            let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').next().unwrap();
            match rest[name.len()..].strip_prefix('{') {
                Some(group) => {
                    let group = group.split('}').next().unwrap().split(',');
                    names.extend(group.map(|last| format!("{name}{}", last.trim())));
                }
                None => names.push(name.to_owned()),
            }
        }
    }
    names
}

#[test]
fn the_arrows_point_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 15, "the sources are not where they were");
    for path in files {
        let file = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let (_, allowed) = ARROWS.iter().find(|(place, _)| file.starts_with(place)).unwrap_or_else(|| {
            panic!("{file} has no arrows yet: say in this test, and in docs/architecture.md, whom it may use")
        });
        for name in named(&std::fs::read_to_string(&path).unwrap()) {
            let fits = |place: &str| name == place || name.starts_with(&format!("{place}::"));
            let error = ["Error", "Result"].into_iter().any(fits); // the root's names for what error has
            assert!(
                error || allowed.iter().copied().any(fits),
                "{file} uses crate::{name}, which docs/architecture.md does not allow"
            );
        }
    }
}

#[test]
fn raw_pointers_are_touched_in_sys_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for path in files.iter().filter(|path| !path.starts_with(root.join("sys")) && !path.ends_with("sys.rs")) {
        let text = std::fs::read_to_string(path).unwrap();
        let blocks =
            text.lines().filter(|line| !line.trim_start().starts_with("//") && line.contains("unsafe {")).count();
        let passed_on = text.matches("#[allow(unsafe_code)] // only declared here").count();
        assert!(blocks <= passed_on, "{}: {blocks} unsafe blocks, {passed_on} promises passed on", path.display());
    }
}

#[test]
fn every_public_item_has_an_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut items = 0;
    for file in [
        "error",
        "engine",
        "options",
        "deadline",
        "pipe",
        "fifo",
        "queue",
        "queue/loan",
        "memory",
        "semaphore",
        "process",
        "process/child",
        "process/communicate",
        "process/status",
        "popen",
        "pipeline",
        "survey",
        "survey/limits",
        "survey/verdict",
    ] {
        let text = std::fs::read_to_string(root.join(file).with_extension("rs")).unwrap();
        let mut example = false;
        for line in text.lines().map(str::trim_start) {
            if line.starts_with("///") {
                example |= line.contains("```");
            } else if ["pub fn ", "pub const ", "pub unsafe fn ", "pub struct ", "pub enum ", "pub type "]
                .iter()
                .any(|item| line.starts_with(item))
            {
                assert!(example, "{file}.rs: {line}");
                items += 1;
                example = false;
            } else if !line.starts_with("#[") {
                example = false;
            }
        }
    }
    assert!(items > 180, "only {items} items were found");
}
