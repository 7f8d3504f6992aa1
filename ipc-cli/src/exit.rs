//! The exit codes of all commands.

use rustix::io::Errno;
use unipc::Error;

/// The arguments make no sense.
pub const USAGE: u8 = 2;
/// A command that runs programs failed itself: apart from the codes that programs use.
pub const OWN: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;
/// Whoever reads standard output has left: SIGPIPE's, as a shell has it.
pub const NO_READER: u8 = 141;

pub const HELP: &str =
    "Exit status: 0 for success, 2 for arguments that make no sense; else as the command's own help says.";

/// What a shell gives for a program that cannot be started.
pub fn of_spawn(error: &Error) -> u8 {
    match Errno::from_raw_os_error(error.errno()) {
        Errno::NOENT => NOT_FOUND,
        // The machine's limits, and not the program's fault.
        Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE | Errno::NOSYS => OWN,
        _ => NOT_EXECUTABLE,
    }
}
