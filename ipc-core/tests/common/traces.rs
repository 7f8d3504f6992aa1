//! What a case leaves behind: descriptors, children, threads.

use crate::common::until;
use std::collections::{BTreeMap, BTreeSet};

/// What each open descriptor of this process is.
pub fn descriptors() -> BTreeMap<i32, String> {
    let number = |entry: &std::fs::DirEntry| entry.file_name().to_str().unwrap().parse().unwrap();
    let listing: Vec<_> = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap()).collect();
    let open = listing.iter().filter_map(|entry| Some((number(entry), std::fs::read_link(entry.path()).ok()?)));
    open.map(|(number, target)| (number, target.to_string_lossy().into_owned())).collect()
}

/// Whether this process has a child, be it a zombie.
pub fn has_children() -> bool {
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT) == 0 }
}

/// Whether unipc has a thread for the children of this process.
pub fn has_keeper() -> bool {
    let names = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path().join("comm"));
    names.filter_map(|name| std::fs::read_to_string(name).ok()).any(|name| name.trim() == "unipc-keeper")
}

/// The children of this process, zombies too.
fn children() -> BTreeSet<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path().join("children"));
    let lists = tasks.filter_map(|list| std::fs::read_to_string(list).ok());
    lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Runs a case that is to leave no descriptor, no child and no thread; children that it dropped are reaped soon.
/// What an earlier case left, which has failed, is not held against it.
pub fn leaving_nothing<T>(case: impl FnOnce() -> T) -> T {
    let (open, living, kept) = (descriptors(), children(), has_keeper());
    let outcome = case();
    until("no child is left", || if living.is_empty() { !has_children() } else { children().is_subset(&living) });
    until("no thread is left", || kept || !has_keeper());
    assert_eq!(descriptors(), open);
    outcome
}
