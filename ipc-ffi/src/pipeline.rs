//! Pipelines.

use crate::boundary::{
    Failure, Handle, Kind, Versioned, array, bytes, close, cold, deadline, get, hand, options, out, places, store,
    versions,
};
use crate::pipe::{unipc_pipe_reader, unipc_pipe_writer};
use crate::process::unipc_status;
use crate::process::{
    Started, UNIPC_REDIRECT_INHERIT, command, give, group, redirect, take, unipc_command, unipc_redirect,
};
use libc::{iovec, pid_t, ssize_t};
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use unipc::Child;
use unipc::pipeline::{Pipeline, Running, Statuses, Stderr};

/// Where the standard errors of the stages go: one of the UNIPC_ERRORS_ values.
pub type unipc_errors = c_int;
/// Each stage's as its command says.
pub const UNIPC_ERRORS_AS_SET: unipc_errors = 0;
/// A pipe for each stage.
pub const UNIPC_ERRORS_APART: unipc_errors = 1;
/// One pipe for all. Lines of up to UNIPC_PIPE_BUF bytes, written at once, do not mix.
pub const UNIPC_ERRORS_MERGED: unipc_errors = 2;

/// Programs that unipc_pipeline_spawn() started, the output of each the input of the next. Opaque.
pub struct unipc_pipeline {
    _opaque: (),
}

impl Handle for unipc_pipeline {
    type Value = Started<Running>;
    const KIND: Kind = Kind::Pipeline;
}

/// How a pipeline is bound. Begin with UNIPC_PIPELINE_OPTIONS_INIT; in every field 0 is the default. NULL in
/// place of the struct is every default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct unipc_pipeline_options {
    /// sizeof(unipc_pipeline_options), as the caller compiled it.
    pub size: usize,
    /// The input of the first stage. UNIPC_REDIRECT_INHERIT: as its command says.
    pub input: unipc_redirect,
    /// The output of the last stage. UNIPC_REDIRECT_INHERIT: as its command says.
    pub output: unipc_redirect,
    /// The joints that pass this process, each by the number of the stage before it: those, and nothing
    /// else, does unipc_pipeline_take_joint() give.
    pub joints: *const usize,
    /// How many.
    pub joint_count: usize,
    /// What unipc_pipeline_communicate() collects of one output at most, but for up to a mebibyte; 0: what memory
    /// holds.
    pub output_limit: usize,
    /// Where the standard errors go.
    pub errors: unipc_errors,
    /// Not 0: the pipeline succeeds if every stage does. 0: if the last one does.
    pub pipefail: c_int,
    /// The process group of all stages: UNIPC_GROUP_OWN: a new one, which the first stage leads; or the number of
    /// one. 0: as each command says.
    pub group: c_int,
    /// 0.
    pub reserved: c_int,
}

// SAFETY: repr(C), led by its size, and without padding: what the assertion counts.
unsafe impl Versioned for unipc_pipeline_options {}
const _: () = assert!(
    size_of::<unipc_pipeline_options>()
        == 4 * size_of::<usize>() + 2 * size_of::<unipc_redirect>() + 4 * size_of::<c_int>()
);

unsafe fn read(
    stages: *const unipc_command,
    count: usize,
    given: &unipc_pipeline_options,
) -> Result<Pipeline, Failure> {
    crate::reserved(given.reserved)?;
    let mut pipeline = Pipeline::new();
    for (number, stage) in (1..).zip(versions("stages", stages, count)?) {
        pipeline.stage(command(&stage).map_err(|failure| failure.at(&format!("stage {number} of {count}")))?);
    }
    if given.input.kind != UNIPC_REDIRECT_INHERIT {
        pipeline.stdin(redirect(&given.input, 0)?);
    }
    if given.output.kind != UNIPC_REDIRECT_INHERIT {
        pipeline.stdout(redirect(&given.output, 1)?);
    }
    for &joint in array("joints", given.joints, given.joint_count)? {
        pipeline.open_joint(joint);
    }
    if given.group != 0 {
        pipeline.group(group(given.group)?);
    }
    pipeline.stderr(match given.errors {
        UNIPC_ERRORS_AS_SET => Stderr::AsSet,
        UNIPC_ERRORS_APART => Stderr::Apart,
        UNIPC_ERRORS_MERGED => Stderr::Merged,
        _ => {
            return Err(Failure::Unknown {
                what: "place for standard errors",
                value: given.errors.into(),
                known: "UNIPC_ERRORS_AS_SET (0), APART (1) and MERGED (2)",
            });
        }
    });
    pipeline.pipefail(given.pipefail != 0);
    Ok(pipeline)
}

fn beyond(what: &str, number: usize, count: usize) -> Failure {
    Failure::Told(libc::EINVAL, format!("there is no {what} {number}: the pipeline has {count}, counted from 0").into())
}

fn stage(pipeline: &Running, number: usize) -> Result<&Child, Failure> {
    let stages = pipeline.stages();
    stages.get(number).ok_or_else(|| beyond("stage", number, stages.len()))
}

/// A place for each of the first `count` of those that there are.
unsafe fn wanted<'a, T>(
    what: &'static str,
    start: *mut T,
    count: usize,
    there: usize,
) -> Result<&'a mut [MaybeUninit<T>], Failure> {
    let places = places(what, start, count)?;
    if count > there {
        let cause = format!("{what} are for {count}, and the pipeline has {there}");
        return Err(Failure::Told(libc::EINVAL, cause.into()));
    }
    Ok(places)
}

/// Stores the statuses, and tells whether they are a success.
fn tell(places: &mut [MaybeUninit<unipc_status>], statuses: &Statuses) -> bool {
    for (place, &status) in places.iter_mut().zip(statuses.iter()) {
        place.write(status.into());
    }
    statuses.success()
}

/// Starts `count` programs, the first one first, and connects the output of each with the input of the next.
/// Between them this process takes no part, and keeps nothing open. What `stages` say of their standard inputs
/// and outputs holds where the pipeline begins and ends, unless `options`, which may be NULL, say otherwise.
///
/// - Ownership: the handle is the caller's, until unipc_pipeline_close(). `stages`, all of one size, `options` and
///   all in them stay the caller's, their descriptors too.
/// - Blocking: as unipc_spawn(); and up to 100 ms, where a stage cannot be started and those before it
///   are ended.
/// - Errors: those of unipc_spawn(), of any stage: the sentence names the program and its place, as "stage 3 of
///   5", and the stages before it are ended and reaped. EINVAL: no stages; a joint, place of errors or group that
///   there is not; E2BIG: options of a newer header.
/// - Safety: threads: any, while none changes the environment; fork: yes; signals: no.
/// - See: posix_spawn(3), pipe(7)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_spawn(
    stages: *const unipc_command,
    count: usize,
    options: *const unipc_pipeline_options,
) -> *mut unipc_pipeline {
    cold(|| {
        let given = self::options(options)?;
        let mut running = read(stages, count, &given)?.spawn()?;
        if given.output_limit > 0 {
            running.limit_output(given.output_limit);
        }
        let (streams, joints) = (running.take_streams(), std::mem::take(&mut running.joints));
        Ok(hand(Started::new(running, streams, joints)))
    })
}

/// Waits until every stage has ended, and stores in `statuses` how the first `count` of them did. The statuses
/// stay known: waiting again, after unipc_pipeline_communicate() too, gives them again.
///
/// Success is that of the last stage, or, with `pipefail`, of every stage. A stage that SIGPIPE killed because the
/// next one left early, as `yes` in `yes | head -1`, is no failure, unless it is the last.
///
/// - Ownership: `statuses` stays the caller's; NULL if `count` is 0.
/// - Blocking: up to `timeout` nanoseconds in all; UNIPC_FOREVER; 0: not at all.
/// - Errors: EAGAIN: a stage runs, and not to wait; ETIMEDOUT; EINTR: a signal handler ran; ECHILD: all have
///   ended, but a status is lost, as said of unipc_child_wait(); EINVAL: `count` is more than there are stages; the
///   timeout.
/// - Safety: threads: any; fork: ECHILD; signals: no.
/// - See: waitid(2)
///
/// @return 1 if the pipeline succeeded, 0 if not, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_wait(
    pipeline: *const unipc_pipeline,
    statuses: *mut unipc_status,
    count: usize,
    timeout: i64,
) -> c_int {
    cold(|| {
        let pipeline = &get(pipeline)?.running;
        let places = wanted("statuses", statuses, count, pipeline.stages().len())?;
        Ok(tell(places, &pipeline.wait_by(deadline(timeout)?)?))
    })
}

/// Which stage, counted from 0, makes the pipeline a failure: the last one, or with `pipefail` the last that
/// failed. Its `shell_code` is what a shell would have in `$?`.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: EAGAIN: a stage runs; ECHILD as unipc_pipeline_wait().
/// - Safety: threads: any; fork: ECHILD; signals: no.
/// - See: waitid(2)
///
/// @return its number; that of all stages if the pipeline succeeded; or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_failed(pipeline: *const unipc_pipeline) -> ssize_t {
    cold(|| {
        let statuses = get(pipeline)?.running.wait_by(unipc::Deadline::NOW)?;
        Ok(statuses.failed().unwrap_or(statuses.len()))
    })
}

/// Writes `length` bytes to the first stage and closes its input, reads the output of the last and every
/// standard error to their ends, all at the same time and in any amount, and waits for the stages. `output`, which
/// may be NULL, receives the output; `errors` the first `count` of the standard errors: one a stage, or with
/// UNIPC_ERRORS_MERGED one for all. A stage that leaves early is no error; unipc_pipeline_wait() tells its status.
///
/// The ends of file come when no process has the pipe open any more: a grandchild that lives on delays them.
///
/// - Ownership: `input` stays the caller's; NULL if `length` is 0. The bytes that `output` and `errors` then
///   point to are the caller's, until unipc_free() of each; a NUL stands behind them. On failure nothing is stored.
/// - Blocking: up to `timeout` nanoseconds in all; UNIPC_FOREVER; 0: what can be moved without waiting is.
/// - Errors: ETIMEDOUT; EAGAIN; EINTR: nothing is lost and the stages run on: call again with the same input
///   to go on, or take what was read by unipc_pipeline_partial_output(); EINVAL: there is input, and that of the
///   first stage is no pipe to this process; less input than went already; `count` is more than there are; a
///   joint that was not taken; the timeout; EMSGSIZE: more came than `output_limit`, and what did is to be taken
///   likewise; ENOMEM; ECHILD as unipc_pipeline_wait(): what was read is
///   still to be taken; EBUSY: another thread communicates with it.
/// - Safety: threads: any; others wait for the stages, signal and cancel them meanwhile, but what would
///   communicate is EBUSY; fork: ECHILD; signals: no.
/// - See: poll(2), waitid(2)
///
/// @return 1 if the pipeline succeeded, 0 if not, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_communicate(
    pipeline: *mut unipc_pipeline,
    input: *const c_void,
    length: usize,
    output: *mut iovec,
    errors: *mut iovec,
    count: usize,
    timeout: i64,
) -> c_int {
    cold(|| {
        let (pipeline, deadline) = (get(pipeline)?, deadline(timeout)?);
        let mut ends = pipeline.ends()?;
        let errors = wanted("errors", errors, count, ends.streams.outputs.len() - 1)?;
        if !ends.joints.is_empty() {
            let cause = "it has open joints: take them, and let a thread pass on what comes to them";
            return Err(Failure::Told(libc::EINVAL, cause.into()));
        }
        ends.streams.communicate(bytes("input", input, length)?, deadline)?;
        let statuses = pipeline.running.wait_by(deadline)?;
        give_all(output, errors, &ends.streams.take_outputs())?;
        Ok(statuses.success())
    })
}

/// Takes what unipc_pipeline_communicate() has read before it failed. If that is called again, it gives what comes
/// after.
///
/// - Ownership: the bytes that `output`, which may be NULL, and the first `count` of `errors` then point to are the
///   caller's, until unipc_free() of each; a NUL stands behind them. What is not asked for is lost.
/// - Blocking: never.
/// - Errors: EINVAL: `count` is more than there are; ENOMEM; EBUSY: another thread communicates with the pipeline.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: poll(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_partial_output(
    pipeline: *mut unipc_pipeline,
    output: *mut iovec,
    errors: *mut iovec,
    count: usize,
) -> c_int {
    cold(|| {
        let mut ends = get(pipeline)?.ends()?;
        let errors = wanted("errors", errors, count, ends.streams.outputs.len() - 1)?;
        give_all(output, errors, &ends.streams.take_outputs())
    })
}

/// The output goes to its place, and of the standard errors as many as there are places.
unsafe fn give_all(output: *mut iovec, errors: &mut [MaybeUninit<iovec>], taken: &[Vec<u8>]) -> Result<(), Failure> {
    give(output, &taken[0])?;
    errors.iter_mut().zip(&taken[1..]).try_for_each(|(place, bytes)| give(place.as_mut_ptr(), bytes))
}

/// Sends a signal to every stage that has not ended; to their group, where they have one of their own.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: EINVAL: there is no such signal; EPERM: a stage has taken on another user's rights; the others have
///   the signal.
/// - Safety: threads: any, also while others wait for it; fork: yes; signals: no.
/// - See: kill(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_signal(pipeline: *const unipc_pipeline, signal: c_int) -> c_int {
    cold(|| Ok(get(pipeline)?.running.signal(signal)?))
}

/// Ends the pipeline: SIGTERM (and SIGCONT) to every stage, SIGKILL to those that still run after `grace`
/// nanoseconds, to their group where they have one of their own; waits for all, and stores in `statuses` how the
/// first `count` ended. What stands in the outputs can still be read.
///
/// - Ownership: `statuses` stays the caller's; NULL if `count` is 0.
/// - Blocking: up to `grace`, and until killed stages have ended.
/// - Errors: EPERM: a stage has taken on another user's rights; the others are killed; EINTR: a signal handler ran:
///   call again; ECHILD as unipc_pipeline_wait(); EINVAL: `count` is more than there are stages; the grace.
/// - Safety: threads: any, also while others communicate; fork: ECHILD; signals: no.
/// - See: pidfd_send_signal(2), waitid(2)
///
/// @return 1 if the pipeline succeeded all the same, 0 if not, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_cancel(
    pipeline: *mut unipc_pipeline,
    statuses: *mut unipc_status,
    count: usize,
    grace: i64,
) -> c_int {
    cold(|| {
        let pipeline = &get(pipeline)?.running;
        let places = wanted("statuses", statuses, count, pipeline.stages().len())?;
        Ok(tell(places, &pipeline.cancel(deadline(grace)?)?))
    })
}

/// How many stages the pipeline has.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: those of every call.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: pipe(7)
///
/// @return the count, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_count(pipeline: *const unipc_pipeline) -> ssize_t {
    cold(|| Ok(get(pipeline)?.running.stages().len()))
}

/// The number of a stage's process; `stage` is counted from 0. It may be another's once the stage was waited
/// for.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: EINVAL: there is no such stage.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: getpid(2)
///
/// @return the number, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_stage_pid(pipeline: *const unipc_pipeline, stage: usize) -> pid_t {
    cold(|| Ok(self::stage(&get(pipeline)?.running, stage)?.id()))
}

/// The pidfd of a stage, for poll(2) and its kin: readable once it has ended.
///
/// - Ownership: stays the handle's: not to be closed, and good until unipc_pipeline_close().
/// - Blocking: never.
/// - Errors: EINVAL: there is no such stage.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: pidfd_open(2)
///
/// @return the descriptor, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_stage_fd(pipeline: *const unipc_pipeline, stage: usize) -> c_int {
    cold(|| Ok(self::stage(&get(pipeline)?.running, stage)?.as_raw_fd()))
}

/// Sends one stage a signal, and never another process.
///
/// - Ownership: none changes.
/// - Blocking: never.
/// - Errors: ESRCH: it was waited for; EINVAL: there is no such stage or signal; EPERM.
/// - Safety: threads: any, also while others wait for it; fork: yes; signals: no.
/// - See: pidfd_send_signal(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_stage_signal(
    pipeline: *const unipc_pipeline,
    stage: usize,
    signal: c_int,
) -> c_int {
    cold(|| Ok(self::stage(&get(pipeline)?.running, stage)?.signal(signal)?))
}

/// Waits until one stage has ended, and stores how in `status`, which may be NULL.
///
/// - Ownership: none changes.
/// - Blocking: up to `timeout` nanoseconds on the monotonic clock; UNIPC_FOREVER; 0: not at all.
/// - Errors: those of unipc_child_wait(); EINVAL: there is no such stage.
/// - Safety: threads: any; fork: ECHILD; signals: no.
/// - See: waitid(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_stage_wait(
    pipeline: *const unipc_pipeline,
    stage: usize,
    status: *mut unipc_status,
    timeout: i64,
) -> c_int {
    cold(|| {
        let ended = self::stage(&get(pipeline)?.running, stage)?.wait_by(deadline(timeout)?)?;
        store(status, ended.into());
        Ok(())
    })
}

/// Takes the end of the first stage's input, where that is UNIPC_REDIRECT_PIPE. Closing it is the end of file for
/// the stage.
///
/// - Ownership: the end is the caller's, until unipc_pipe_writer_close(), and no longer that of
///   unipc_pipeline_communicate().
/// - Blocking: never.
/// - Errors: EBADF: it is no such pipe, or was taken; EBUSY: another thread communicates with the
///   pipeline.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: pipe(7)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_take_input(pipeline: *mut unipc_pipeline) -> *mut unipc_pipe_writer {
    cold(|| take(get(pipeline)?.ends()?.streams.stdin.take(), "input"))
}

/// Takes the end of the last stage's output, where that is UNIPC_REDIRECT_PIPE.
///
/// - Ownership: the end is the caller's, until unipc_pipe_reader_close(), and no longer that of
///   unipc_pipeline_communicate().
/// - Blocking: never.
/// - Errors: EBADF: it is no such pipe, or was taken; EBUSY: another thread communicates with the
///   pipeline.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: pipe(7)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_take_output(pipeline: *mut unipc_pipeline) -> *mut unipc_pipe_reader {
    cold(|| take(get(pipeline)?.ends()?.streams.outputs[0].take(), "output"))
}

/// Takes the end of a stage's standard error, counted from 0, where that is a pipe; with UNIPC_ERRORS_MERGED
/// number 0 is that of all.
///
/// - Ownership: the end is the caller's, until unipc_pipe_reader_close(), and no longer that of
///   unipc_pipeline_communicate().
/// - Blocking: never.
/// - Errors: EBADF: it is no such pipe, or was taken; EINVAL: there is no such number; EBUSY: another thread communicates with the
///   pipeline.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: pipe(7)
///
/// @return the handle, or NULL with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_take_error(
    pipeline: *mut unipc_pipeline,
    number: usize,
) -> *mut unipc_pipe_reader {
    cold(|| {
        let mut ends = get(pipeline)?.ends()?;
        let errors = &mut ends.streams.outputs[1..];
        let count = errors.len();
        let error = errors.get_mut(number).ok_or_else(|| beyond("standard error", number, count))?;
        take(error.take(), "standard error")
    })
}

/// Takes both ends of a joint that was opened: what `reader` gives came out of stage `number`, what `writer` takes
/// goes into the next. Passing it on is the caller's, by unipc_pipe_splice_to() and unipc_pipe_tee() without a copy;
/// then both are closed.
///
/// - Ownership: the ends are the caller's, until unipc_pipe_reader_close() and unipc_pipe_writer_close(). On failure
///   nothing is stored.
/// - Blocking: never.
/// - Errors: EBADF: it was not opened, or was taken; EBUSY: another thread communicates with the pipeline.
/// - Safety: threads: any; fork: yes; signals: no.
/// - See: splice(2), tee(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_take_joint(
    pipeline: *mut unipc_pipeline,
    number: usize,
    reader: *mut *mut unipc_pipe_reader,
    writer: *mut *mut unipc_pipe_writer,
) -> c_int {
    cold(|| {
        let (reader, writer) = (out("reader", reader)?, out("writer", writer)?);
        let joints = &mut get(pipeline)?.ends()?.joints;
        let Some(at) = joints.iter().position(|joint| joint.number == number) else {
            let cause = format!("joint {number} was not opened, or was taken");
            return Err(Failure::Told(libc::EBADF, cause.into()));
        };
        let joint = joints.remove(at);
        reader.write(hand(joint.reader));
        writer.write(hand(joint.writer));
        Ok(())
    })
}

/// Closes the handle, and the ends that were not taken. NULL is allowed. It kills no stage, never waits and never
/// leaves a zombie, as said of unipc_child_close().
///
/// - Ownership: takes the handle.
/// - Blocking: never.
/// - Errors: EBADF: it is closed already.
/// - Safety: threads: none may be in a call on the handle; fork: the handles of parent and child are closed
///   separately; signals: no.
/// - See: waitid(2)
///
/// @return 0, or -1 with errno set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unipc_pipeline_close(pipeline: *mut unipc_pipeline) -> c_int {
    cold(|| close(pipeline))
}
