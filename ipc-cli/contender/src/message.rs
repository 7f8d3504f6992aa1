//! What every message carries, and what a receiver refuses.

use std::io;

/// What a message says of itself in its first 8 bytes: its priority, its producer, and its place in that
/// producer's sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word(u64);

impl Word {
    /// The last that a consumer receives. It is sent with priority 0.
    pub const END: Word = Word(u64::MAX);

    /// The word of message `sequence`, below 2^48, of `producer` and `priority`, both below 256.
    #[inline]
    pub const fn new(priority: u32, producer: u32, sequence: u64) -> Word {
        Word((priority as u64) << 56 | (producer as u64) << 48 | sequence)
    }

    /// The word that these 8 bytes are.
    #[inline]
    pub const fn from_bytes(bytes: [u8; 8]) -> Word {
        Word(u64::from_le_bytes(bytes))
    }

    /// What the first 8 bytes of its message are.
    #[inline]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }

    /// What the last 8 bytes of its message are, where it has 16 or more.
    #[inline]
    pub const fn check(self) -> [u8; 8] {
        self.sum().to_le_bytes()
    }

    /// With what priority it is sent.
    #[inline]
    pub const fn priority(self) -> u32 {
        if self.0 == u64::MAX { 0 } else { (self.0 >> 56) as u32 }
    }

    #[inline]
    pub(crate) const fn sum(self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[inline]
    const fn producer(self) -> u64 {
        self.0 >> 48 & 0xff
    }

    #[inline]
    pub(crate) const fn sequence(self) -> u64 {
        self.0 & ((1 << 48) - 1)
    }
}

/// What is asked of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many bytes each message has: 8 at least.
    pub size: usize,
    /// How many messages the object is to hold, where it counts them.
    pub depth: usize,
    /// How many processes send to it.
    pub producers: u32,
    /// How many receive from it.
    pub consumers: u32,
}

impl Shape {
    /// Whether messages of this size have a check at their end.
    #[inline]
    pub const fn is_checked(self) -> bool {
        self.size >= 16
    }

    /// Writes a message: its word, and at its end the check. What is between stays.
    ///
    /// # Panics
    /// `message` is shorter than 8 bytes.
    #[inline]
    pub fn write(self, word: Word, message: &mut [u8]) {
        *message.first_chunk_mut().expect("8 bytes") = word.to_bytes();
        if self.is_checked() {
            *message.last_chunk_mut().expect("8 bytes") = word.check();
        }
    }

    /// The word of a message that came with `priority` (0 where there are none).
    ///
    /// # Errors
    /// It has another length than was sent, or another priority, or it is torn.
    #[inline]
    pub fn read(self, message: &[u8], priority: u32) -> io::Result<Word> {
        match (message.first_chunk(), message.last_chunk()) {
            (Some(&word), Some(&check)) => self.judge(word, check, message.len(), priority),
            _ => Err(self.refuse(message.len())),
        }
    }

    /// As [`read`](Self::read), of a message that is not to be had as a slice: its first and its last 8
    /// bytes, and its length.
    ///
    /// # Errors
    /// As `read`.
    #[inline]
    pub fn judge(self, word: [u8; 8], check: [u8; 8], length: usize, priority: u32) -> io::Result<Word> {
        let word = Word::from_bytes(word);
        if length != self.size {
            Err(self.refuse(length))
        } else if self.is_checked() && check != word.check() {
            Err(wrong("a torn message came"))
        } else if priority != word.priority() {
            Err(differs("priority", u64::from(word.priority()), u64::from(priority)))
        } else {
            Ok(word)
        }
    }

    #[cold]
    fn refuse(self, length: usize) -> io::Error {
        differs("length", self.size as u64, length as u64)
    }
}

#[cold]
fn differs(what: &str, sent: u64, came: u64) -> io::Error {
    wrong(&format!("a message was sent with {what} {sent}, and came with {came}"))
}

#[cold]
pub(crate) fn wrong(sentence: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, sentence)
}

/// One producer's messages, one after the other.
pub(crate) struct Source {
    producer: u32,
    priorities: u32,
    pub sent: u64,
    /// The checks of those that were sent, added up.
    pub sum: u64,
}

impl Source {
    pub fn new(producer: u32, priorities: u32) -> Source {
        Source { producer, priorities, sent: 0, sum: 0 }
    }

    #[inline]
    pub fn next(&mut self) -> Word {
        let priority = match self.priorities {
            1 => 0,
            several => ((self.sent as u32).wrapping_mul(2_654_435_761) >> 16) % several,
        };
        let word = Word::new(priority, self.producer, self.sent);
        self.sent += 1;
        self.sum = self.sum.wrapping_add(word.sum());
        word
    }
}

/// Whether what comes is what went: of each producer and priority in order.
pub(crate) struct Ledger {
    /// Of each producer, of each priority: the least sequence that may come.
    least: Vec<u64>,
    priorities: u32,
    /// It is the only consumer of one producer and one priority, and sees all.
    sees_all: bool,
    pub received: u64,
    pub sum: u64,
}

impl Ledger {
    pub fn new(producers: u32, consumers: u32, priorities: u32) -> Ledger {
        Ledger {
            least: vec![0; producers as usize * priorities as usize],
            priorities,
            sees_all: producers == 1 && consumers == 1 && priorities == 1,
            received: 0,
            sum: 0,
        }
    }

    #[inline]
    pub fn enter(&mut self, word: Word) -> io::Result<()> {
        if self.sees_all {
            if word.0 != self.received {
                return Err(other_than_due(Word(self.received), word));
            }
        } else {
            let (priority, sequence) = (word.priority(), word.sequence());
            let place = word.producer() as usize * self.priorities as usize + priority as usize;
            let Some(least) = self.least.get_mut(place).filter(|_| priority < self.priorities) else {
                return Err(wrong(&format!("a message came that nobody sent: its word is {:#018x}", word.0)));
            };
            if sequence < *least {
                return Err(wrong(&format!("message {sequence} came again, or after message {}", *least - 1)));
            }
            *least = sequence + 1;
        }
        self.received += 1;
        self.sum = self.sum.wrapping_add(word.sum());
        Ok(())
    }
}

/// Refuses any word but the one that is due.
#[inline]
pub(crate) fn must_be(due: Word, word: Word) -> io::Result<()> {
    if word == due { Ok(()) } else { Err(other_than_due(due, word)) }
}

#[cold]
fn other_than_due(due: Word, word: Word) -> io::Error {
    wrong(&match word {
        Word::END => format!("the end came where message {} was due", due.sequence()),
        _ if word.0 >> 48 != due.0 >> 48 => format!("a message came that nobody sent: its word is {:#018x}", word.0),
        _ => format!("message {} came where message {} was due", word.sequence(), due.sequence()),
    })
}
