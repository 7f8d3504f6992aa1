//! Where in a stream of bytes a message ends.

use clap::ValueEnum;
use std::io::{self, BufRead, Read};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Framing {
    /// A line each, without its newline
    Line,
    /// Each ends with a NUL byte
    Nul,
    /// The length goes before each: four bytes, the highest first
    Length,
    /// Nothing is in between
    None,
}

#[derive(clap::Args)]
pub struct Choice {
    /// What separates messages from each other
    #[arg(short = 'F', long, value_name = "HOW", default_value = "line")]
    framing: Framing,

    /// The same as --framing nul
    #[arg(short = '0', long, conflicts_with = "framing")]
    null: bool,
}

impl Choice {
    pub fn framing(&self) -> Framing {
        if self.null { Framing::Nul } else { self.framing }
    }
}

/// Why there is no next message.
#[derive(Debug)]
pub enum Unread {
    /// It has more bytes than can be.
    TooLong,
    /// The input ends inside of it.
    CutShort,
    Failed(io::Error),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Unread {
        Unread::Failed(error)
    }
}

/// Takes the messages out of a stream.
pub struct Frames<R> {
    input: R,
    framing: Framing,
    longest: usize,
    ended: bool,
}

impl<R: BufRead> Frames<R> {
    /// No message has more than `longest` bytes.
    pub fn new(input: R, framing: Framing, longest: usize) -> Frames<R> {
        Frames { input, framing, longest, ended: false }
    }

    fn separated(&mut self, separator: u8) -> Result<Option<Vec<u8>>, Unread> {
        let mut message = Vec::new();
        self.input.by_ref().take(self.longest as u64 + 1).read_until(separator, &mut message)?;
        match message.last() {
            None => return Ok(None),
            Some(&last) if last == separator => drop(message.pop()),
            Some(_) if message.len() > self.longest => return Err(Unread::TooLong),
            Some(_) => {}
        }
        Ok(Some(message))
    }

    fn counted(&mut self) -> Result<Option<Vec<u8>>, Unread> {
        let length = match self.exactly(4)? {
            bytes if bytes.is_empty() => return Ok(None),
            bytes => bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)),
        };
        if length > self.longest {
            return Err(Unread::TooLong);
        }
        let message = self.exactly(length)?;
        if message.len() < length { Err(Unread::CutShort) } else { Ok(Some(message)) }
    }

    /// None of them at the end of the input.
    fn exactly(&mut self, count: usize) -> Result<Vec<u8>, Unread> {
        let mut bytes = Vec::new();
        self.input.by_ref().take(count as u64).read_to_end(&mut bytes)?;
        if bytes.is_empty() || bytes.len() == count { Ok(bytes) } else { Err(Unread::CutShort) }
    }

    fn whole(&mut self) -> Result<Option<Vec<u8>>, Unread> {
        let mut message = Vec::new();
        self.input.by_ref().take(self.longest as u64 + 1).read_to_end(&mut message)?;
        self.ended = true;
        if message.len() > self.longest { Err(Unread::TooLong) } else { Ok(Some(message)) }
    }
}

impl<R: BufRead> Iterator for Frames<R> {
    type Item = Result<Vec<u8>, Unread>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = match self.framing {
            Framing::Line => self.separated(b'\n'),
            Framing::Nul => self.separated(0),
            Framing::Length => self.counted(),
            Framing::None => self.whole(),
        };
        self.ended |= !matches!(next, Ok(Some(_)));
        next.transpose()
    }
}

impl Framing {
    /// The message as it stands in a stream.
    pub fn frame(self, mut message: Vec<u8>) -> Vec<u8> {
        match self {
            Framing::Line => message.push(b'\n'),
            Framing::Nul => message.push(0),
            Framing::Length => drop(message.splice(..0, (message.len() as u32).to_be_bytes())),
            Framing::None => {}
        }
        message
    }
}

/// The priority in front of a message, and a tab.
pub fn with_priority(priority: u32, message: &[u8]) -> Vec<u8> {
    [format!("{priority}\t").as_bytes(), message].concat()
}

/// As many bytes as that takes.
pub const PRIORITY_LEN: usize = 6;

/// The reverse of [`with_priority`].
pub fn split_priority(text: &[u8]) -> Option<(u32, &[u8])> {
    let tab = text.iter().take(PRIORITY_LEN).position(|&byte| byte == b'\t')?;
    let digits = text[..tab].iter().all(u8::is_ascii_digit);
    let priority = std::str::from_utf8(&text[..tab]).ok()?.parse().ok()?;
    (digits && priority <= unipc::queue::PRIORITY_MAX).then_some((priority, &text[tab + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stream: &[u8], framing: Framing, longest: usize) -> Vec<Result<Vec<u8>, Unread>> {
        Frames::new(stream, framing, longest).collect()
    }

    #[test]
    fn what_was_framed_comes_out_the_same() {
        let messages = [&b""[..], b"a", b"two words", b"12345678"];
        for framing in [Framing::Line, Framing::Nul, Framing::Length] {
            let stream: Vec<u8> = messages.iter().flat_map(|message| framing.frame(message.to_vec())).collect();
            // Wherever the input comes in pieces.
            for piece in 1..stream.len() {
                let input = io::BufReader::with_capacity(piece, &stream[..]);
                let read: Vec<_> = Frames::new(input, framing, 9).map(Result::unwrap).collect();
                assert_eq!(read, messages, "{framing:?}");
            }
        }
        assert_eq!(Framing::Length.frame(b"abc".to_vec()), b"\0\0\0\x03abc");
    }

    #[test]
    fn the_last_message_needs_no_separator() {
        assert_eq!(read(b"a\nb", Framing::Line, 9)[1].as_deref().unwrap(), b"b");
        assert_eq!(read(b"a\0b", Framing::Nul, 9)[1].as_deref().unwrap(), b"b");
    }

    #[test]
    fn no_input_is_no_message_but_an_empty_one_where_nothing_separates() {
        for framing in [Framing::Line, Framing::Nul, Framing::Length] {
            assert!(read(b"", framing, 9).is_empty());
        }
        assert_eq!(read(b"", Framing::None, 9)[0].as_deref().unwrap(), b"");
    }

    #[test]
    fn one_byte_too_many_ends_it() {
        let streams = [
            (Framing::Line, &b"a\n1234\n12345\nb\n"[..]),
            (Framing::Nul, b"a\x001234\x0012345\0b\0"),
            (Framing::Length, b"\0\0\0\x01a\0\0\0\x041234\0\0\0\x0512345\0\0\0\x01b"),
        ];
        for (framing, stream) in streams {
            let read = read(stream, framing, 4);
            assert_eq!(read.len(), 3, "{framing:?}");
            assert!(read[1].as_deref().unwrap() == b"1234" && matches!(read[2], Err(Unread::TooLong)), "{framing:?}");
        }
        assert!(matches!(read(b"12345", Framing::None, 4)[..], [Err(Unread::TooLong)]));
    }

    #[test]
    fn an_end_inside_of_a_counted_message_is_found() {
        for stream in [&b"\0\0\0"[..], b"\0\0\0\x02", b"\0\0\0\x02a"] {
            assert!(matches!(read(stream, Framing::Length, 4)[..], [Err(Unread::CutShort)]), "{stream:?}");
        }
    }

    #[test]
    fn a_priority_is_what_stands_before_the_tab() {
        assert_eq!(split_priority(b"7\ttext\t"), Some((7, &b"text\t"[..])));
        assert_eq!(split_priority(&with_priority(32767, b"")), Some((32767, &b""[..])));
        for text in [&b""[..], b"7", b"\t", b"+7\ttext", b"32768\ttext", b"text\t"] {
            assert_eq!(split_priority(text), None, "{text:?}");
        }
    }
}
