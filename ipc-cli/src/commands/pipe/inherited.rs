//! The descriptors that this command was given, such as those of `<(…)` in a shell: the programs get them,
//! as they would from a shell.

use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use unipc::Command;

/// Beside the standard streams.
pub struct Inherited {
    /// The kernel's own handle of this process: by way of it a number that was found is taken without a claim
    /// as to whose it is.
    this: OwnedFd,
    numbers: Vec<RawFd>,
}

impl Inherited {
    /// To be called before others are opened. `None` where the system does not tell (no /proc).
    pub fn find() -> Option<Inherited> {
        let this = pidfd_open(getpid(), PidfdFlags::empty()).ok()?;
        let listing = std::fs::read_dir("/proc/self/fd").ok()?;
        let numbers: Vec<RawFd> = listing.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        let mut found = Inherited { this, numbers: Vec::new() };
        // The listing's own is among them, and closed by now.
        let own = found.this.as_raw_fd();
        found.numbers = numbers.into_iter().filter(|&it| it > 2 && it != own && found.copy(it).is_some()).collect();
        Some(found)
    }

    pub fn hand_on(&self, command: &mut Command) {
        for &number in &self.numbers {
            if let Some(copy) = self.copy(number) {
                command.descriptor(number, copy);
            }
        }
    }

    fn copy(&self, number: RawFd) -> Option<OwnedFd> {
        pidfd_getfd(&self.this, number, PidfdGetfdFlags::empty()).ok()
    }
}
