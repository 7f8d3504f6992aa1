//! Starting a program: posix_spawn(3), and by clone(2) what it cannot do.
//!
//! Both ways the child borrows the caller's memory and the caller's thread sleeps until the new program runs
//! or could not be run, so nothing is copied however big the host is, no lock of another thread is needed,
//! and a failure comes back as an errno.

use super::{Result, check, syscall};
use crate::error::Errno;
use std::convert::Infallible;
use std::ffi::{CStr, CString, OsStr, OsString, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::ptr;

/// A descriptor of this process, and its number in the child.
pub type Move = (RawFd, RawFd);

/// Everything about a child, ready to be used without another allocation.
#[derive(Debug)]
pub struct Plan {
    pub program: CString,
    /// Where a program without a slash is searched, if that is not this process's own `PATH`.
    pub path: Option<OsString>,
    pub arguments: Vec<CString>,
    /// `KEY=value`; this process's own if there is none.
    pub environment: Option<Vec<CString>>,
    pub directory: Option<CString>,
    /// Each number once.
    pub descriptors: Vec<Move>,
    /// The child's 2 is a copy of its 1.
    pub merge: bool,
    /// The process group to be in; 0 is a new one of its own.
    pub group: Option<i32>,
    /// What the child gets when the thread that starts it ends.
    pub parent_death_signal: Option<i32>,
}

/// Numbers that posix_spawn(3) is asked to close one by one.
const FEW: i32 = 256;

/// Starts it; its number.
pub fn spawn(plan: &Plan) -> Result<i32> {
    let (moves, _lifted) = apart(plan)?;
    let gaps = gaps(&moves);
    let closes: i32 = gaps.iter().map(|(first, end)| end - first).sum();
    // posix_spawn(3) takes no number from the limit on, not even to close whatever is behind it.
    let highest = moves.iter().map(|&(source, _)| source).max().unwrap_or(0).max(behind(&moves));
    if plan.parent_death_signal.is_some() || plan.path.is_some() || closes > FEW || highest >= limit() {
        by_clone(plan, &moves, &gaps)
    } else {
        by_posix_spawn(plan, &moves, &gaps)
    }
}

/// The moves in an order, and from such sources, that none overwrites the source of a later one; and the
/// copies that this took.
fn apart(plan: &Plan) -> Result<(Vec<Move>, Vec<OwnedFd>)> {
    let mut moves = plan.descriptors.clone();
    let mut lifted = Vec::new();
    let is_target = |number| plan.merge && number == 2 || plan.descriptors.iter().any(|&(_, target)| target == number);
    for (source, target) in &mut moves {
        if *source == *target || !is_target(*source) {
            continue;
        }
        let mut floor = 3;
        let copy = loop {
            // SAFETY: no memory is involved; a number that is not open is an EBADF; the copy is ours.
            let copy = unsafe {
                let number = check(libc::fcntl(*source, libc::F_DUPFD_CLOEXEC, floor).into())? as RawFd;
                OwnedFd::from_raw_fd(number)
            };
            if !is_target(copy.as_raw_fd()) {
                break copy;
            }
            floor = copy.as_raw_fd() + 1;
        };
        *source = copy.as_raw_fd();
        lifted.push(copy);
    }
    if plan.merge {
        moves.push((1, 2));
    }
    Ok((moves, lifted))
}

/// Ranges of numbers from 3 on that the child is not to have, but for the last, which is open: their first
/// and their end.
fn gaps(moves: &[Move]) -> Vec<(RawFd, RawFd)> {
    let mut kept: Vec<RawFd> = moves.iter().map(|&(_, target)| target).filter(|&target| target > 2).collect();
    kept.sort_unstable();
    let starts = std::iter::once(3).chain(kept.iter().map(|&number| number.saturating_add(1)));
    starts.zip(kept.iter().copied()).filter(|(first, end)| first < end).collect()
}

/// The first number behind all that the child is to have.
fn behind(moves: &[Move]) -> RawFd {
    moves.iter().map(|&(_, target)| target.saturating_add(1)).max().unwrap_or(0).max(3)
}

/// A null-terminated array of what `strings` has.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain(std::iter::once(ptr::null())).collect()
}

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// The array that exec takes for `plan`: one of the strings in `own`, or this process's.
fn environment(own: Option<&Vec<*const c_char>>) -> *const *const c_char {
    // SAFETY: who changes the environment while other threads read it has promised not to (setenv(3)).
    own.map_or(unsafe { environ }, Vec::as_ptr)
}

/// RLIMIT_NOFILE: a descriptor's number is below it.
pub fn limit() -> RawFd {
    let mut limit = MaybeUninit::<libc::rlimit>::zeroed();
    // SAFETY: `limit` is valid to write to, and zeroes are a valid value.
    let limit = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, limit.as_mut_ptr());
        limit.assume_init()
    };
    RawFd::try_from(limit.rlim_cur).unwrap_or(RawFd::MAX)
}

/// Whether a number stands for a descriptor of this process.
pub fn is_open(number: RawFd) -> bool {
    // SAFETY: no memory is involved.
    unsafe { syscall!(SYS_fcntl, number, libc::F_GETFD, 0) }.is_ok()
}

/// Whether an errno may be about a directory on the way.
pub fn is_of_path(errno: Errno) -> bool {
    matches!(errno.0, libc::ENOENT | libc::ENOTDIR | libc::EACCES | libc::ELOOP | libc::ENAMETOOLONG)
}

/// Whether a child could make `directory` its working directory.
pub fn enter(directory: &CStr) -> Result<()> {
    super::fs::open(directory, libc::O_PATH | libc::O_DIRECTORY, 0)?;
    // SAFETY: a NUL-terminated path.
    check(unsafe { libc::faccessat(libc::AT_FDCWD, directory.as_ptr(), libc::X_OK, libc::AT_EACCESS) }.into()).map(drop)
}

/// A number that libc's functions return: 0 or an errno.
fn done(value: c_int) -> Result<()> {
    if value == 0 { Ok(()) } else { Err(Errno(value)) }
}

struct Actions(libc::posix_spawn_file_actions_t);

impl Actions {
    fn new(plan: &Plan, moves: &[Move], gaps: &[(RawFd, RawFd)]) -> Result<Actions> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: init makes it valid; the strings are copied.
        unsafe {
            done(libc::posix_spawn_file_actions_init(actions.as_mut_ptr()))?;
            let mut actions = Actions(actions.assume_init());
            if let Some(directory) = &plan.directory {
                done(libc::posix_spawn_file_actions_addchdir_np(&raw mut actions.0, directory.as_ptr()))?;
            }
            for &(source, target) in moves {
                done(libc::posix_spawn_file_actions_adddup2(&raw mut actions.0, source, target))?;
            }
            for number in gaps.iter().flat_map(|&(first, end)| first..end) {
                done(libc::posix_spawn_file_actions_addclose(&raw mut actions.0, number))?;
            }
            done(libc::posix_spawn_file_actions_addclosefrom_np(&raw mut actions.0, behind(moves)))?;
            Ok(actions)
        }
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: `new` initialised it.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    /// Every signal at its default and none blocked, whatever this process does with them.
    fn new(group: Option<i32>) -> Result<Attributes> {
        let mut attributes = MaybeUninit::uninit();
        let mut signals = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: init makes the attributes valid; the set is all bits, or by sigemptyset none.
        unsafe {
            done(libc::posix_spawnattr_init(attributes.as_mut_ptr()))?;
            let mut attributes = Attributes(attributes.assume_init());
            // Not by sigfillset, which leaves out two that glibc would then have the child ignore.
            signals.as_mut_ptr().write_bytes(0xff, 1);
            done(libc::posix_spawnattr_setsigdefault(&raw mut attributes.0, signals.as_ptr()))?;
            libc::sigemptyset(signals.as_mut_ptr());
            done(libc::posix_spawnattr_setsigmask(&raw mut attributes.0, signals.as_ptr()))?;
            let mut flags = libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK;
            if let Some(group) = group {
                done(libc::posix_spawnattr_setpgroup(&raw mut attributes.0, group))?;
                flags |= libc::POSIX_SPAWN_SETPGROUP;
            }
            done(libc::posix_spawnattr_setflags(&raw mut attributes.0, flags as libc::c_short))?;
            Ok(attributes)
        }
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: `new` initialised it.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}

fn by_posix_spawn(plan: &Plan, moves: &[Move], gaps: &[(RawFd, RawFd)]) -> Result<i32> {
    let actions = Actions::new(plan, moves, gaps)?;
    let attributes = Attributes::new(plan.group)?;
    let arguments = pointers(&plan.arguments);
    let own = plan.environment.as_deref().map(pointers);
    let mut child = 0;
    // SAFETY: valid objects, NUL-terminated strings and null-terminated arrays, which libc only reads.
    let outcome = unsafe {
        libc::posix_spawnp(
            &raw mut child,
            plan.program.as_ptr(),
            &raw const actions.0,
            &raw const attributes.0,
            arguments.as_ptr().cast(),
            environment(own.as_ref()).cast(),
        )
    };
    done(outcome)?;
    Ok(child)
}

/// What the child works on, in the parent's memory.
struct Order<'a> {
    plan: &'a Plan,
    moves: &'a [Move],
    gaps: &'a [(RawFd, RawFd)],
    candidates: &'a [CString],
    arguments: *const *const c_char,
    environment: *const *const c_char,
    parent: i32,
    limit: RawFd,
    /// Why it came to nothing.
    errno: i32,
}

const STACK: usize = 64 * 1024;
/// Bytes of the kernel's own signal set.
const KERNEL_SET: usize = 8;

fn by_clone(plan: &Plan, moves: &[Move], gaps: &[(RawFd, RawFd)]) -> Result<i32> {
    let candidates = candidates(&plan.program, plan.path.as_deref());
    let arguments = pointers(&plan.arguments);
    let own = plan.environment.as_deref().map(pointers);
    let mut order = Order {
        plan,
        moves,
        gaps,
        candidates: &candidates,
        arguments: arguments.as_ptr(),
        environment: environment(own.as_ref()),
        parent: std::process::id() as i32,
        limit: limit(),
        errno: 0,
    };
    let mut stack: Vec<u128> = vec![0; STACK / size_of::<u128>()];
    let every = !0u64;
    let mut before = 0u64;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the masks are sets of the kernel's size. The child has a stack of its own, big enough for what
    // `run` calls; this thread sleeps until it has gone from this memory; no signal handler runs in it, because
    // all are blocked until none is left; and it calls nothing but the kernel, so no lock and no allocation.
    unsafe {
        let _ = syscall!(SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const every, &raw mut before, KERNEL_SET);
        let top = stack.as_mut_ptr_range().end;
        let outcome = check(libc::clone(run, top.cast(), flags, (&raw mut order).cast()).into());
        let errno = (&raw const order.errno).read_volatile();
        let outcome = match outcome {
            Ok(child) if errno != 0 => {
                let nothing: *mut c_void = ptr::null_mut();
                let _ = syscall!(SYS_wait4, child as i32, nothing, libc::__WALL, nothing);
                Err(Errno(errno))
            }
            outcome => outcome.map(|child| child as i32),
        };
        let _ = syscall!(SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const before, 0, KERNEL_SET);
        outcome
    }
}

/// The paths under which execvp(3) tries a program.
fn candidates(program: &CStr, path: Option<&OsStr>) -> Vec<CString> {
    let name = program.to_bytes();
    if name.is_empty() || name.contains(&b'/') {
        return vec![program.to_owned()];
    }
    let path = path.map(OsStr::to_owned).or_else(|| std::env::var_os("PATH"));
    let path = path.map_or_else(|| b"/bin:/usr/bin".to_vec(), OsString::into_vec);
    let join = |directory: &[u8]| {
        let separator: &[u8] = if directory.is_empty() { b"" } else { b"/" };
        CString::new([directory, separator, name].concat()).ok()
    };
    path.split(|&byte| byte == b':').filter_map(join).collect()
}

/// The child. What it returns is its exit status, in case that it came to nothing.
extern "C" fn run(order: *mut c_void) -> c_int {
    // SAFETY: the parent sleeps, so the order is this thread's alone.
    let order = unsafe { &mut *order.cast::<Order>() };
    // SAFETY: this is a child as `execute` asks for.
    let Err(errno) = unsafe { execute(order) };
    order.errno = errno.0;
    127
}

/// Becomes the program, or tells why not.
///
/// # Safety
/// For a child of clone(2) alone, with all signals blocked.
unsafe fn execute(order: &Order) -> Result<Infallible> {
    let plan = order.plan;
    // SAFETY: each call is given integers, NUL-terminated strings, or zeroes in the size of the kernel's
    // sigaction, which stand for the default.
    unsafe {
        let default = [0u64; 4];
        for signal in 1..=64 {
            let _ = syscall!(SYS_rt_sigaction, signal, default.as_ptr(), 0, KERNEL_SET); // two cannot be set
        }
        if let Some(group) = plan.group {
            syscall!(SYS_setpgid, 0, group)?;
        }
        if let Some(directory) = &plan.directory {
            syscall!(SYS_chdir, directory.as_ptr())?;
        }
        for &(source, target) in order.moves {
            if source == target {
                syscall!(SYS_fcntl, source, libc::F_SETFD, 0)?;
            } else {
                syscall!(SYS_dup3, source, target, 0)?;
            }
        }
        for &(first, end) in order.gaps {
            close_range(first, end - 1, order.limit);
        }
        close_range(behind(order.moves), RawFd::MAX, order.limit);
        if let Some(signal) = plan.parent_death_signal {
            syscall!(SYS_prctl, libc::PR_SET_PDEATHSIG, signal)?;
            // 0: the parent is beyond this PID namespace, and will be.
            let parent = syscall!(SYS_getppid)? as i32;
            if parent != order.parent && parent != 0 {
                syscall!(SYS_exit_group, 128 + signal)?;
            }
        }
        let none = 0u64;
        syscall!(SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const none, 0, KERNEL_SET)?;
        let (mut refused, mut last) = (false, Errno::NOT_FOUND);
        for candidate in order.candidates {
            match syscall!(SYS_execve, candidate.as_ptr(), order.arguments, order.environment) {
                Err(Errno(libc::EACCES)) => refused = true,
                Err(errno @ Errno(libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT)) => {
                    last = errno;
                }
                Err(errno) => return Err(errno),
                Ok(_) => {} // it does not come back
            }
        }
        Err(if refused { Errno(libc::EACCES) } else { last })
    }
}

/// Closes `first` to `last`, those below `limit` where the kernel (before Linux 5.9) cannot do it by itself.
///
/// # Safety
/// For a child that has these numbers for itself.
unsafe fn close_range(first: RawFd, last: RawFd, limit: RawFd) {
    // SAFETY: no memory is involved.
    unsafe {
        if syscall!(SYS_close_range, first, last, 0).is_err() {
            for number in first..=last.min(limit) {
                let _ = syscall!(SYS_close, number);
            }
        }
    }
}
