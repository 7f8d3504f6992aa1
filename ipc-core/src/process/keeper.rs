//! The one thread that a process has for its children, while it must: it reaps those that were abandoned while
//! they ran, and is the parent of those that are to die with their parent, because the kernel takes the thread
//! that started them for that.

use crate::deadline::Deadline;
use crate::error::Errno;
use crate::sys::own::Own;
use crate::sys::spawn::{self, Plan};
use crate::sys::{self, child, fd, signal};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

enum Task {
    /// Reap it when it has ended.
    Reap(OwnedFd),
    /// Start it, say so, and stay until it has ended.
    Start(Arc<Plan>, mpsc::Sender<sys::Result<Started>>),
}

/// A child's number and its pidfd, unless it was gone at once.
pub type Started = (i32, Option<OwnedFd>);

#[derive(Default)]
struct Keeper {
    tasks: Vec<Task>,
    /// Wakes the thread; none, no thread.
    bell: Option<Arc<OwnedFd>>,
}

static KEEPER: Own<Keeper> = Own::new();

const STACK: usize = 128 * 1024;

/// How often the thread looks where it cannot poll.
const BLIND: Duration = Duration::from_millis(100);

/// Leaves a running child to the thread. Where none can be had, it is reaped when there next is one.
pub fn abandon(pidfd: OwnedFd) {
    let _ = hand(Task::Reap(pidfd));
}

/// Starts a child that is to live no longer than this process.
pub fn start(plan: Arc<Plan>) -> sys::Result<Started> {
    let (tell, told) = mpsc::channel();
    hand(Task::Start(plan, tell))?;
    told.recv().unwrap_or(Err(Errno::AGAIN))
}

fn hand(task: Task) -> sys::Result<()> {
    let reap = matches!(task, Task::Reap(_));
    KEEPER.with(|keeper| {
        let keeper = keeper.get_or_insert_default();
        keeper.tasks.push(task);
        let outcome = match &keeper.bell {
            Some(bell) => {
                let _ = fd::write(bell.as_fd(), &1u64.to_ne_bytes()); // full is rung, too
                Ok(())
            }
            None => begin(keeper),
        };
        if outcome.is_err() && !reap {
            keeper.tasks.pop();
        }
        outcome
    })
}

fn begin(keeper: &mut Keeper) -> sys::Result<()> {
    let bell = Arc::new(fd::event()?);
    let heard = bell.clone();
    let builder = thread::Builder::new().name("unipc-keeper".into()).stack_size(STACK);
    signal::with_all_blocked(|| builder.spawn(move || keep(&heard))).map_err(|_| Errno::AGAIN)?;
    keeper.bell = Some(bell);
    Ok(())
}

fn keep(bell: &OwnedFd) {
    let mut abandoned: Vec<OwnedFd> = Vec::new();
    let mut tied: Vec<OwnedFd> = Vec::new();
    loop {
        let tasks = KEEPER.with(|keeper| {
            let keeper = keeper.get_or_insert_default();
            if keeper.tasks.is_empty() && abandoned.is_empty() && tied.is_empty() {
                keeper.bell = None;
                return None;
            }
            Some(std::mem::take(&mut keeper.tasks))
        });
        let Some(tasks) = tasks else { return };
        for task in tasks {
            match task {
                Task::Reap(pidfd) => abandoned.push(pidfd),
                Task::Start(plan, tell) => {
                    let started = begin_child(&plan, &mut tied);
                    let _ = tell.send(started);
                }
            }
        }
        if abandoned.is_empty() && tied.is_empty() {
            continue;
        }
        let everybody = || abandoned.iter().chain(&tied);
        let mut watched: Vec<_> =
            std::iter::once(bell).chain(everybody()).map(|fd| fd::watch(fd.as_fd(), fd::READABLE)).collect();
        if Deadline::NEVER.wait_for_any(&mut watched).is_err() {
            // The process has lowered its limit of descriptors below what it has open.
            thread::sleep(BLIND);
            for (entry, pidfd) in watched[1..].iter_mut().zip(everybody()) {
                entry.revents = i16::from(!matches!(child::look(pidfd.as_fd(), false), Ok(None)));
            }
        }
        let mut ended = watched[1..].iter().map(|entry| entry.revents != 0);
        abandoned.retain(|pidfd| {
            let gone = ended.next() == Some(true);
            if gone {
                child::reap(pidfd.as_fd());
            }
            !gone
        });
        tied.retain(|_| ended.next() != Some(true));
        let _ = fd::read(bell.as_fd(), &mut [0; 8]);
    }
}

/// Starts it in this thread, which it then is tied to.
fn begin_child(plan: &Plan, tied: &mut Vec<OwnedFd>) -> sys::Result<Started> {
    let place = fd::event()?;
    let (number, pidfd) = start_here(plan)?;
    drop(place);
    if let Some(pidfd) = &pidfd {
        match fd::duplicate(pidfd.as_fd()) {
            Ok(mine) => tied.push(mine),
            Err(errno) => {
                child::discard(number);
                return Err(errno);
            }
        }
    }
    Ok((number, pidfd))
}

/// Starts a child of this thread. A place for its pidfd is kept meanwhile: where there is none, the program is
/// not to begin its work, and be killed in it.
pub fn start_here(plan: &Plan) -> sys::Result<Started> {
    let place = fd::event()?;
    let number = spawn::spawn(plan)?;
    drop(place);
    match child::open(number) {
        Ok(pidfd) => Ok((number, pidfd)),
        Err(errno) => {
            child::discard(number);
            Err(errno)
        }
    }
}
