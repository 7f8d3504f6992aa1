//! Looking at what others have, and proving that nobody has it: statx(2), statfs(2), fcntl(2) leases,
//! pidfd_getfd(2), getrlimit(2).

use super::{Result, check, fd, fs, mq, syscall};
use crate::error::Errno;
use std::ffi::CStr;
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, SystemTime};

/// What a file is, whoever has it.
#[derive(Clone, Debug)]
pub struct Facts {
    pub device: u64,
    pub inode: u64,
    /// With the bits that tell its type.
    mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// How many names it has.
    pub links: u32,
    pub size: u64,
    /// How many of its bytes have their space.
    pub allocated: u64,
    pub made: Option<SystemTime>,
    pub modified: SystemTime,
    pub changed: SystemTime,
}

impl Facts {
    pub fn is_file(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFREG
    }

    pub fn is_fifo(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFIFO
    }

    pub fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }
}

/// Of what has this path; of the link itself, unless `follow`.
pub fn facts(path: &CStr, follow: bool) -> Result<Facts> {
    statx(libc::AT_FDCWD, path, if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW })
}

pub fn facts_of(fd: BorrowedFd<'_>) -> Result<Facts> {
    statx(fd.as_raw_fd(), c"", libc::AT_EMPTY_PATH)
}

/// Whether the last name of a file was removed.
pub fn has_no_name(fd: BorrowedFd<'_>) -> bool {
    facts_of(fd).is_ok_and(|facts| facts.links == 0)
}

fn statx(directory: i32, path: &CStr, flags: i32) -> Result<Facts> {
    let mut found = MaybeUninit::<libc::statx>::zeroed();
    // What is known of a file on a server that is gone is not asked anew: that would wait.
    let flags = flags | libc::AT_STATX_DONT_SYNC | libc::AT_NO_AUTOMOUNT;
    // SAFETY: a NUL-terminated path; `found` is valid to write to, and zeroes are a valid value.
    let found = unsafe {
        let wanted = libc::STATX_BASIC_STATS | libc::STATX_BTIME;
        syscall!(SYS_statx, directory, path.as_ptr(), flags, wanted, found.as_mut_ptr())?;
        found.assume_init()
    };
    let time = |at: libc::statx_timestamp| {
        let since = Duration::new(u64::try_from(at.tv_sec).unwrap_or(0), at.tv_nsec.min(999_999_999));
        SystemTime::UNIX_EPOCH + since
    };
    Ok(Facts {
        device: libc::makedev(found.stx_dev_major, found.stx_dev_minor),
        inode: found.stx_ino,
        mode: found.stx_mode.into(),
        uid: found.stx_uid,
        gid: found.stx_gid,
        links: found.stx_nlink,
        size: found.stx_size,
        allocated: found.stx_blocks.saturating_mul(512),
        made: (found.stx_mask & libc::STATX_BTIME != 0).then(|| time(found.stx_btime)),
        modified: time(found.stx_mtime),
        changed: time(found.stx_ctime),
    })
}

/// Opens a file to read it, so that not even its time of access changes where that can be had; a FIFO or a
/// device in its place is not waited for, and a symbolic link is ELOOP.
pub fn open(path: &CStr) -> Result<File> {
    let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let opened = patiently(|| match fs::open(path, flags | libc::O_NOATIME, 0) {
        Err(Errno(libc::EPERM)) => fs::open(path, flags, 0), // another's file
        opened => opened,
    });
    opened.map(File::from)
}

/// Goes past who is [alone](Alone) with the file for some microseconds, as another who looks.
fn patiently<T>(open: impl Fn() -> Result<T>) -> Result<T> {
    const ASKED: u32 = 20;
    const PAUSE: Duration = Duration::from_millis(1);
    for _ in 1..ASKED {
        match open() {
            Err(Errno::AGAIN) => drop(fd::sleep(PAUSE)),
            opened => return opened,
        }
    }
    open()
}

/// Opens a queue that another process has, by its descriptor, to count what is in it. Not for one that this
/// process has: whatever closes such a descriptor takes back the process's registration for notification.
pub fn open_queue(path: &CStr) -> Result<File> {
    patiently(|| fs::open(path, libc::O_RDONLY | libc::O_NONBLOCK, 0)).map(File::from)
}

/// The same by its name, without its slash.
pub fn open_named_queue(name: &CStr) -> Result<File> {
    patiently(|| mq::open(name, libc::O_RDONLY | libc::O_NONBLOCK, 0, None)).map(File::from)
}

/// The attributes of the queue that is this process's descriptor `number`; EBADF if it is none any more.
pub fn own_queue(number: i32) -> Result<mq::Attributes> {
    // SAFETY: the borrow lasts for this call only, which changes nothing, whatever the number stands for by now.
    mq::attributes(unsafe { BorrowedFd::borrow_raw(number) })
}

fn file_system(path: &CStr) -> Result<libc::statfs> {
    let mut found = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: a NUL-terminated path; `found` is valid to write to, and zeroes are a valid value.
    unsafe {
        check(libc::statfs(path.as_ptr(), found.as_mut_ptr()).into())?;
        Ok(found.assume_init())
    }
}

/// Whether a path leads to one of the kernel's message queues.
pub fn is_queue(path: &CStr) -> bool {
    const MQUEUE_MAGIC: u64 = 0x1980_0202;
    file_system(path).is_ok_and(|found| found.f_type as u64 == MQUEUE_MAGIC)
}

/// Bytes of a file system, and how many of them are free.
pub fn space(path: &CStr) -> Result<(u64, u64)> {
    let found = file_system(path)?;
    let unit = found.f_bsize as u64;
    Ok((found.f_blocks.saturating_mul(unit), found.f_bavail.saturating_mul(unit)))
}

/// The kernel's word that nobody else has a file open or mapped, in whatever namespace, and be it by a
/// descriptor that is on its way through a socket: it grants a write lease (fcntl(2), `F_SETLEASE`) only then.
/// While this lives nobody can open the file: who wants to waits, or is told EAGAIN if he may not.
pub struct Alone<'a>(BorrowedFd<'a>);

impl Alone<'_> {
    /// `fd` is the only one of this process. EAGAIN: somebody has it. EACCES: neither the owner of the file
    /// nor privileged (CAP_LEASE). EINVAL: the file system has no leases.
    pub fn with(fd: BorrowedFd<'_>) -> Result<Alone<'_>> {
        // Who comes meanwhile makes the kernel tell us: not by SIGIO, which kills.
        control(fd, F_SETSIG, libc::SIGURG)?;
        control(fd, libc::F_SETLEASE, libc::F_WRLCK)?;
        Ok(Alone(fd))
    }

    /// Whether somebody has come meanwhile to open the file, and waits until this is gone.
    pub fn is_wanted(&self) -> bool {
        control(self.0, libc::F_GETLEASE, 0) != Ok(libc::F_WRLCK as usize)
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        let _ = control(self.0, libc::F_SETLEASE, libc::F_UNLCK);
    }
}

/// libc has no name for it.
const F_SETSIG: i32 = 10;

fn control(fd: BorrowedFd<'_>, command: i32, argument: i32) -> Result<usize> {
    // SAFETY: no memory is involved.
    unsafe { syscall!(SYS_fcntl, fd, command, argument) }
}

/// A second descriptor of the file that is another process's descriptor `number`: whoever counts readers and
/// writers sees no new one. `process` may be the number of a thread (since Linux 6.9). EPERM: it may not be
/// looked at.
pub fn borrow_descriptor(process: u32, number: i32) -> Result<OwnedFd> {
    const PIDFD_THREAD: i32 = libc::O_EXCL;
    // SAFETY: no memory is involved; the descriptors that come back are ours.
    unsafe {
        let open = |flags: i32| syscall!(SYS_pidfd_open, process as i32, flags);
        let pidfd = fd::new(open(0).or_else(|_| open(PIDFD_THREAD))? as i32)?;
        fd::new(syscall!(SYS_pidfd_getfd, pidfd.as_fd(), number, 0u32)? as i32)
    }
}

/// A limit of this process, the soft and the hard one; `None` is no limit.
pub fn limit(what: Resource) -> (Option<u64>, Option<u64>) {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    let number = match what {
        Resource::Queues => libc::RLIMIT_MSGQUEUE,
        Resource::Descriptors => libc::RLIMIT_NOFILE,
    };
    // SAFETY: `limit` is valid to write to.
    unsafe { libc::getrlimit(number, &raw mut limit) };
    let number = |value| (value != libc::RLIM_INFINITY).then_some(value);
    (number(limit.rlim_cur), number(limit.rlim_max))
}

#[derive(Clone, Copy)]
pub enum Resource {
    Queues,
    Descriptors,
}

/// The effective user of this process.
pub fn user() -> u32 {
    // SAFETY: it has no arguments and cannot fail.
    unsafe { libc::geteuid() }
}

/// Whether the kernel has robust futexes, and libc uses them.
pub fn has_robust_lists() -> bool {
    let (mut head, mut size) = (0usize, 0usize);
    // SAFETY: both are valid to write to; 0 is this thread.
    unsafe { syscall!(SYS_get_robust_list, 0, &raw mut head, &raw mut size) }.is_ok() && head != 0
}

/// Whether the kernel has pidfd_getfd(2).
pub fn has_borrowing() -> bool {
    // SAFETY: no memory is involved, and there is no such descriptor.
    let refused = unsafe { syscall!(SYS_pidfd_getfd, -1, -1, 0u32) };
    refused != Err(Errno(libc::ENOSYS))
}

/// Whether write calls can do without SIGPIPE: `RWF_NOSIGNAL` of pwritev2(2).
pub fn has_nosignal() -> bool {
    const RWF_NOSIGNAL: u32 = 0x100;
    let Ok((_reader, writer)) = super::pipe::pipe() else { return false };
    let byte = [0u8];
    let part = libc::iovec { iov_base: byte.as_ptr().cast_mut().cast(), iov_len: 1 };
    // SAFETY: one iovec over `byte`, from which the kernel only reads; offset -1 means "no offset".
    unsafe { syscall!(SYS_pwritev2, writer.as_fd(), &raw const part, 1, -1, -1, RWF_NOSIGNAL) }.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;

    #[test]
    fn who_comes_while_a_file_is_held_alone_is_told_and_nobody_is_killed() {
        let path = CString::new(format!("/dev/shm/unipc-unit-alone-{}", std::process::id())).unwrap();
        let made = fs::open(&path, libc::O_CREAT | libc::O_EXCL | libc::O_RDWR, 0o600).unwrap();
        let own = open(&path).unwrap();
        assert_eq!(Alone::with(own.as_fd()).err(), Some(Errno::AGAIN));
        drop(made);
        let alone = Alone::with(own.as_fd()).unwrap();
        assert_eq!(open(&path).err(), Some(Errno::AGAIN));
        drop(alone);
        assert!(open(&path).is_ok());
        fs::unlink(&path).unwrap();
    }
}
