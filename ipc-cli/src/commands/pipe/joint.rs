//! A joint that is looked at: bytes go from pipe to pipe, counted and copied to files, and are not read.

use super::copies::Copies;
use super::rate::Rate;
use super::uninterrupted;
use crate::failure;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io;
use unipc::Deadline;
use unipc::pipeline::Joint;

/// What the pipes of such a joint hold, if the user's pipes are not at their limit. Each turn costs this
/// command a wake-up: so few and long ones.
pub const ALL: usize = 1 << 20;

/// What does the work of one joint, in a thread of its own.
pub struct Relay {
    joint: Joint,
    copies: Option<Copies>,
    rate: Option<Rate>,
}

impl Relay {
    pub fn new(joint: Joint, copies: Option<Copies>, rate: Option<Rate>) -> Relay {
        let _ = joint.reader.set_capacity(ALL);
        let _ = joint.writer.set_capacity(ALL);
        Relay { joint, copies, rate }
    }

    /// Until one of the two stages has left, whom the other is told of by the end of this joint; whether all
    /// has gone well.
    pub fn run(mut self) -> bool {
        let passed = self.pass();
        if let Some(rate) = &self.rate {
            rate.end();
        }
        match passed {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                // The pipeline is cut here: no file's fault, and not to be expected.
                say(self.rate.as_ref(), &format!("joint {}: {error}", self.joint.number + 1));
                false
            }
            _ => self.copies.is_none_or(|copies| copies.are_complete()),
        }
    }

    fn pass(&mut self) -> unipc::Result<()> {
        while self.has_more() {
            let rate = self.rate.as_ref();
            match &mut self.copies {
                None => {
                    if self.forward(ALL)? == 0 {
                        break;
                    }
                }
                Some(copies) => {
                    let mut left = copies.take(&self.joint.reader, |sentence| say(rate, sentence))?;
                    if left == 0 {
                        break;
                    }
                    while left > 0 {
                        left -= self.forward(left)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn forward(&self, len: usize) -> unipc::Result<usize> {
        let passed = uninterrupted(|| self.joint.reader.splice_to(&self.joint.writer, len, Deadline::NEVER))?;
        if let Some(rate) = &self.rate {
            rate.add(passed);
        }
        Ok(passed)
    }

    /// Waits for bytes, or an end. The stage before learns that the one behind has left even when it says
    /// nothing more.
    fn has_more(&self) -> bool {
        let mut both =
            [PollFd::new(&self.joint.reader, PollFlags::IN), PollFd::new(&self.joint.writer, PollFlags::empty())];
        while poll(&mut both, None) == Err(Errno::INTR) {}
        both[1].revents().is_empty()
    }
}

fn say(rate: Option<&Rate>, sentence: &str) {
    match rate {
        Some(rate) => rate.say(sentence),
        None => failure::say(sentence),
    }
}
