//! The exit codes of all commands.

use rustix::io::Errno;
use unipc::Error;

/// It would have to wait, and was told not to.
pub const NOT_NOW: u8 = 1;
/// The arguments make no sense.
pub const USAGE: u8 = 2;
pub const NOT_THERE: u8 = 3;
pub const DENIED: u8 = 4;
/// A message that the queue cannot hold, or that ends too early.
pub const UNFIT: u8 = 5;
const EXISTS: u8 = 6;
/// As timeout(1) has it.
pub const TIMED_OUT: u8 = 124;
/// A command that runs programs failed itself: apart from the codes that programs use.
pub const OWN: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;
/// Whoever reads standard output has left: SIGPIPE's, as a shell has it.
pub const NO_READER: u8 = 141;

pub const HELP: &str =
    "Exit status: 0 for success, 2 for arguments that make no sense; else as the command's own help says.";

/// What the commands that work on an object have in common, behind their examples.
pub const OF_OBJECTS: &str = "\
Exit status:
  0    it is done
  1    it would have to wait, and --no-wait was given
  2    the arguments make no sense, or the system does not allow what they say
  3    the object does not exist
  4    permission is denied
  5    a message does not fit, or the input ends inside of one
  6    the object exists already
  124  timed out
  125  anything else
  141  whoever reads the output has left; nothing is said of it
A signal ends the command as it ends any other: 128 + N in a shell.";

/// Of an error that the core gives for an object.
pub fn of(error: &Error) -> u8 {
    match Errno::from_raw_os_error(error.errno()) {
        // ENXIO: nobody has the FIFO open for reading.
        Errno::AGAIN | Errno::NXIO => NOT_NOW,
        Errno::INVAL | Errno::NAMETOOLONG | Errno::OVERFLOW | Errno::RANGE => USAGE,
        Errno::NOENT => NOT_THERE,
        Errno::ACCESS | Errno::PERM => DENIED,
        Errno::MSGSIZE => UNFIT,
        Errno::EXIST => EXISTS,
        Errno::TIMEDOUT => TIMED_OUT,
        Errno::PIPE => NO_READER,
        _ => OWN,
    }
}

/// What a shell gives for a program that cannot be started.
pub fn of_spawn(error: &Error) -> u8 {
    match Errno::from_raw_os_error(error.errno()) {
        Errno::NOENT => NOT_FOUND,
        // The machine's limits, and not the program's fault.
        Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE | Errno::NOSYS => OWN,
        _ => NOT_EXECUTABLE,
    }
}
