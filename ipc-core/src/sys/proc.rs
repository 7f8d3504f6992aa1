//! proc(5): which processes there are, what they have open and mapped, and what they wait in.
//!
//! Each answer is of an instant of its own, and only of what this process may look at: of this PID namespace
//! and those inside it, and of other users' processes by privilege alone. What is gone meanwhile is ENOENT or
//! ESRCH.

use super::Result;
use crate::error::Errno;
use std::fs;
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

fn errno(error: &io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EIO))
}

/// What is no text becomes some: names of programs may have any bytes.
fn text(path: &str) -> Result<String> {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(|error| errno(&error))
}

/// The numbers that name entries of a directory.
fn numbers_in(path: &str) -> Result<Vec<u32>> {
    let entries = fs::read_dir(path).map_err(|error| errno(&error))?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}

/// Every process that /proc shows.
pub fn numbers() -> Result<Vec<u32>> {
    numbers_in("/proc")
}

/// The threads of a process, by their numbers here.
pub fn threads(process: u32) -> Vec<u32> {
    numbers_in(&format!("/proc/{process}/task")).unwrap_or_default()
}

/// What is told of a process, or of a thread.
pub struct Status {
    pub name: String,
    /// The effective user.
    pub uid: u32,
    /// Its numbers, that of this PID namespace first, the one it knows itself by last.
    pub numbers: Vec<u32>,
    /// It has ended, with all its threads, and waits to be reaped.
    pub ended: bool,
}

fn status_in(path: &str) -> Result<Status> {
    let text = text(path)?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().trim()
    };
    let numbers = |name: &str| field(name).split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let uids: Vec<u32> = numbers("Uid");
    let mut all: Vec<u32> = numbers("NSpid");
    if all.is_empty() {
        all = numbers("Pid"); // a kernel without PID namespaces
    }
    Ok(Status {
        name: field("Name").to_owned(),
        uid: uids.get(1).copied().ok_or(Errno(libc::EIO))?,
        numbers: all,
        ended: field("State").starts_with(['Z', 'X']),
    })
}

pub fn status(process: u32) -> Result<Status> {
    let mut status = status_in(&format!("/proc/{process}/status"))?;
    status.ended &= survivor(process).is_none();
    Ok(status)
}

/// The first of its threads that has not ended.
fn survivor(process: u32) -> Option<u32> {
    threads(process).into_iter().find(|&thread| thread_status(process, thread).is_ok_and(|status| !status.ended))
}

/// The number under which /proc shows what a process has: its own, or, if its first thread ended before others
/// (pthread_exit(3)), that of one of them.
pub fn window(process: u32) -> u32 {
    let empty = fs::read_dir(format!("/proc/{process}/fd")).is_ok_and(|mut open| open.next().is_none());
    if empty { survivor(process).unwrap_or(process) } else { process }
}

pub fn thread_status(process: u32, thread: u32) -> Result<Status> {
    status_in(&format!("/proc/{process}/task/{thread}/status"))
}

/// The command line, a space between the arguments; empty for a thread of the kernel, and a zombie.
pub fn command(process: u32) -> String {
    let line = text(&format!("/proc/{process}/cmdline")).unwrap_or_default();
    line.trim_end_matches('\0').replace('\0', " ")
}

/// When the machine was started, on the clock as it is set now.
pub fn boot() -> Option<SystemTime> {
    let uptime = text("/proc/uptime").ok()?;
    let seconds: f64 = uptime.split(' ').next()?.parse().ok()?;
    SystemTime::now().checked_sub(Duration::try_from_secs_f64(seconds).ok()?)
}

/// When a process was started, as long after [`boot`].
pub fn started(process: u32) -> Option<Duration> {
    const FIELD: usize = 19; // behind the name, which may have any bytes
    let stat = text(&format!("/proc/{process}/stat")).ok()?;
    let ticks: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(FIELD)?.parse().ok()?;
    // SAFETY: sysconf reads a constant.
    let rate = unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.max(1) as u64;
    Some(Duration::from_millis(ticks.checked_mul(1000)? / rate))
}

/// Where /proc shows a descriptor.
pub fn descriptor(process: u32, number: i32) -> String {
    format!("/proc/{process}/fd/{number}")
}

/// Those descriptors whose target is `wanted`: a path, or what /proc writes in its place, as `pipe:[4711]`.
/// EACCES: the process is another's.
pub fn descriptors(process: u32, wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<(i32, PathBuf)>> {
    let open = numbers_in(&format!("/proc/{process}/fd"))?.into_iter().filter_map(|number| {
        let target = fs::read_link(descriptor(process, number as i32)).ok()?; // or closed since
        wanted(target.as_os_str().as_bytes()).then_some((number as i32, target))
    });
    Ok(open.collect())
}

/// Whether a descriptor was opened to read, and to write. Neither: it only stands for a file (`O_PATH`).
pub fn rights(process: u32, number: i32) -> (bool, bool) {
    // The permission bits of the link tell.
    let mode = fs::symlink_metadata(descriptor(process, number)).map_or(0, |link| link.mode());
    (mode & 0o400 != 0, mode & 0o200 != 0)
}

/// A file that a process has mapped.
pub struct Mapped {
    pub range: Range<u64>,
    pub reads: bool,
    /// Into the file: of a private mapping no store gets there.
    pub writes: bool,
    pub device: u64,
    pub inode: u64,
    /// As /proc writes it: ` (deleted)` stands behind a name that was removed.
    pub path: PathBuf,
}

/// The files that a process has mapped from `device`.
pub fn mapped(process: u32, device: u64) -> Result<Vec<Mapped>> {
    let text = text(&format!("/proc/{process}/maps"))?;
    // Some processes have thousands of others.
    let written = format!(" {:02x}:{:02x} ", libc::major(device), libc::minor(device));
    let lines = text.lines().filter(|line| line.contains(&written));
    Ok(lines.filter_map(mapping).filter(|mapped| mapped.device == device).collect())
}

/// A line such as `7f0c8000-7f0c9000 rw-s 00000000 00:19 4711    /dev/shm/orders`.
fn mapping(line: &str) -> Option<Mapped> {
    let mut words = line.split_whitespace();
    let (begin, end) = words.next()?.split_once('-')?;
    let rights = words.next()?;
    let (major, minor) = words.nth(1)?.split_once(':')?;
    let inode = words.next()?.parse().ok()?;
    let hexadecimal = |digits| u64::from_str_radix(digits, 16).ok();
    let device = libc::makedev(hexadecimal(major)? as u32, hexadecimal(minor)? as u32);
    let range = hexadecimal(begin)?..hexadecimal(end)?;
    let (reads, writes) = (rights.contains('r'), rights.contains('w') && rights.ends_with('s'));
    let path = PathBuf::from(line.find('/').map_or("", |at| &line[at..]));
    Some(Mapped { range, reads, writes, device, inode, path })
}

/// The system call that a thread is in, and its first two arguments. `None`: it runs, or may not be asked.
pub fn waits_in(process: u32, thread: u32) -> Option<(i64, [u64; 2])> {
    let text = text(&format!("/proc/{process}/task/{thread}/syscall")).ok()?;
    let mut words = text.split_whitespace();
    let number = words.next()?.parse().ok().filter(|&number: &i64| number >= 0)?;
    let mut argument = || u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok();
    Some((number, [argument()?, argument()?]))
}

/// The descriptors that a thread polls in that call, and for which events (poll(2), epoll(7)); none if it has left it.
pub fn polled(process: u32, thread: u32, (call, [first, second]): (i64, [u64; 2])) -> Vec<(i32, u32)> {
    #[cfg(target_arch = "x86_64")]
    const POLLS: [i64; 2] = [libc::SYS_poll, libc::SYS_ppoll];
    #[cfg(not(target_arch = "x86_64"))]
    const POLLS: [i64; 1] = [libc::SYS_ppoll];
    #[cfg(target_arch = "x86_64")]
    const EPOLLS: [i64; 3] = [libc::SYS_epoll_wait, libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2];
    #[cfg(not(target_arch = "x86_64"))]
    const EPOLLS: [i64; 2] = [libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2];
    /// Whoever polls more is not looked at.
    const MOST: u64 = 1 << 14;
    let place = format!("/proc/{process}/task/{thread}");
    let found = if POLLS.contains(&call) && second <= MOST {
        polled_in(&format!("{place}/mem"), first, second as usize)
    } else if EPOLLS.contains(&call) {
        text(&format!("{place}/fdinfo/{}", first as i32)).map_or_else(|_| Vec::new(), |told| targets(&told))
    } else {
        Vec::new()
    };
    // What was read is what it polls if it is there still.
    let stays = !found.is_empty() && waits_in(process, thread) == Some((call, [first, second]));
    if stays { found } else { Vec::new() }
}

/// An array of `struct pollfd`.
fn polled_in(memory: &str, at: u64, count: usize) -> Vec<(i32, u32)> {
    let mut bytes = vec![0; count * size_of::<libc::pollfd>()];
    let read = fs::File::open(memory).and_then(|memory| memory.read_exact_at(&mut bytes, at));
    let each = bytes.chunks_exact(size_of::<libc::pollfd>()).map(|one| {
        let number = i32::from_ne_bytes([one[0], one[1], one[2], one[3]]);
        (number, u32::from(u16::from_ne_bytes([one[4], one[5]])))
    });
    if read.is_ok() { each.collect() } else { Vec::new() }
}

/// From lines such as `tfd:        5 events:       19 data: …`.
fn targets(told: &str) -> Vec<(i32, u32)> {
    let target = |line: &str| {
        let mut words = line.strip_prefix("tfd:")?.split_whitespace();
        Some((words.next()?.parse().ok()?, u32::from_str_radix(words.nth(1)?, 16).ok()?))
    };
    told.lines().filter_map(target).collect()
}

/// Tells a namespace of a process from others: `pid`, `ipc`, `mnt`, `user`…
pub fn namespace(process: &str, kind: &str) -> Option<u64> {
    let link = fs::read_link(format!("/proc/{process}/ns/{kind}")).ok()?;
    link.to_str()?.split(['[', ']']).nth(1)?.parse().ok()
}

/// Whether a namespace is the one that the machine began with: their numbers are the kernel's constants.
pub fn is_initial(kind: &str, number: u64) -> bool {
    let first = match kind {
        "ipc" => 0xEFFF_FFFF_u64,
        "uts" => 0xEFFF_FFFE,
        "user" => 0xEFFF_FFFD,
        "pid" => 0xEFFF_FFFC,
        "cgroup" => 0xEFFF_FFFB,
        "time" => 0xEFFF_FFFA,
        _ => return false,
    };
    number == first
}

/// Where a file system of this kind is mounted in this mount namespace, with its options.
pub fn mounts(kind: &str) -> Vec<(PathBuf, String)> {
    let text = text("/proc/self/mountinfo").unwrap_or_default();
    let mount = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let place = left.split(' ').nth(4)?;
        let mut right = right.split(' ');
        (right.next()? == kind).then(|| (unescaped(place), right.next_back().unwrap_or_default().to_owned()))
    };
    text.lines().filter_map(mount).collect()
}

/// mountinfo writes a space as `\040`.
fn unescaped(place: &str) -> PathBuf {
    let mut text = place.to_owned();
    for (code, character) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        text = text.replace(code, character);
    }
    Path::new(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_maps_is_read() {
        let found = mapping("7f0c8000-7f0ca000 rw-s 00001000 00:19 4711      /dev/shm/a b").unwrap();
        assert_eq!((found.range, found.inode, found.device), (0x7f0c_8000..0x7f0c_a000, 4711, libc::makedev(0, 0x19)));
        assert!(found.reads && found.writes);
        assert_eq!(found.path, Path::new("/dev/shm/a b"));
        assert!(!mapping("7f0c8000-7f0ca000 rw-p 00001000 00:19 4711 /dev/shm/a").unwrap().writes);
        assert!(mapping("").is_none() && mapping("nonsense").is_none());
    }

    #[test]
    fn what_an_epoll_instance_watches_is_read() {
        let told = "pos:\t0\nflags:\t02\ntfd:        5 events:       19 data:              5  pos:0 ino:3d sdev:d\n\
                    tfd:       12 events: 2000001c data: ffffffffffffffff  pos:0 ino:40 sdev:d\ntfd: nonsense\n";
        assert_eq!(targets(told), [(5, 0x19), (12, 0x2000_001c)]);
    }

    #[test]
    fn this_process_is_told_as_it_is() {
        let own = std::process::id();
        assert!(numbers().unwrap().contains(&own));
        let status = status(own).unwrap();
        assert_eq!(status.numbers.last(), Some(&own));
        assert!(!status.ended && !command(own).is_empty());
        assert!(boot().unwrap() + started(own).unwrap() <= SystemTime::now() + Duration::from_millis(20));
        assert!(mounts("proc").iter().any(|(place, _)| place == Path::new("/proc")));
    }
}
