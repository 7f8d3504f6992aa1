//! What no contender can be faster than.

use crate::sys::{self, Line};
use crate::{Ability, Contender, End, Handle, Kind, Opener, Shape, Waits, Word};
use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// The floor: a cache line between two cores, a futex that wakes a process, a call into the kernel, a
/// copy in memory.
pub fn floor() -> Vec<Contender> {
    let floor = |name, waits, abilities, create| Contender {
        kind: Kind::Floor,
        waits,
        ..Contender::new(name, "machine", abilities, create)
    };
    vec![
        floor("cache line", Waits::Spins, &[Ability::PingPong], |_, _| share(|line, last| Bounced { line, last })),
        floor("futex", Waits::Blocks, &[Ability::PingPong, Ability::Asleep], |_, _| {
            share(|line, _| Woken { line, turn: 0 })
        }),
        floor("system call", Waits::Never, &[Ability::Pair], |_, _| Ok(Box::new(|_| Ok(Box::new(Called(Word::END)))))),
        floor("memcpy", Waits::Never, &[Ability::Stream], |_, shape| {
            Ok(Box::new(move |_| Ok(Box::new(Copied::new(shape)))))
        }),
    ]
}

/// What stands in a line of memory before the first word does: no word, as it is the end.
const NOTHING: Word = Word::END;

fn share<H: Handle + 'static>(handle: fn(&'static Line, Word) -> H) -> io::Result<Opener> {
    let line = &sys::shared(1)?[0];
    line.words[0].store(u64::from_le_bytes(NOTHING.to_bytes()), Relaxed);
    Ok(Box::new(move |_: End| Ok(Box::new(handle(line, NOTHING)))))
}

/// Plain stores and loads.
struct Bounced {
    line: &'static Line,
    last: Word,
}

impl Handle for Bounced {
    #[inline]
    fn send(&mut self, word: Word) -> io::Result<()> {
        self.line.words[0].store(u64::from_le_bytes(word.to_bytes()), Release);
        Ok(())
    }

    #[inline]
    fn receive(&mut self) -> io::Result<Word> {
        loop {
            let word = Word::from_bytes(self.line.words[0].load(Acquire).to_le_bytes());
            if word != self.last {
                self.last = word;
                return Ok(word);
            }
        }
    }
}

/// From the wake-up of a process until it runs.
struct Woken {
    line: &'static Line,
    turn: u32,
}

impl Handle for Woken {
    fn send(&mut self, word: Word) -> io::Result<()> {
        self.line.words[0].store(u64::from_le_bytes(word.to_bytes()), Relaxed);
        self.line.turn.fetch_add(1, Release);
        sys::futex_wake(&self.line.turn);
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Word> {
        while self.line.turn.load(Acquire) == self.turn {
            sys::futex_wait(&self.line.turn, self.turn);
        }
        self.turn = self.turn.wrapping_add(1);
        Ok(Word::from_bytes(self.line.words[0].load(Relaxed).to_le_bytes()))
    }
}

/// Into the kernel and back, once for a send and a receive.
struct Called(Word);

impl Handle for Called {
    fn send(&mut self, word: Word) -> io::Result<()> {
        self.0 = word;
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Word> {
        sys::nothing();
        Ok(self.0)
    }
}

/// From one ring of messages to another, as deep as an object would be.
struct Copied {
    shape: Shape,
    from: Vec<u8>,
    to: Vec<u8>,
    place: usize,
}

impl Copied {
    fn new(shape: Shape) -> Copied {
        let ring = vec![1; shape.depth * shape.size];
        Copied { shape, from: ring.clone(), to: ring, place: 0 }
    }

    fn bytes(&self) -> std::ops::Range<usize> {
        let begin = self.place * self.shape.size;
        begin..begin + self.shape.size
    }
}

impl Handle for Copied {
    fn send(&mut self, word: Word) -> io::Result<()> {
        self.place = (self.place + 1) % self.shape.depth;
        let bytes = self.bytes();
        self.shape.write(word, &mut self.from[bytes.clone()]);
        self.to[bytes.clone()].copy_from_slice(&self.from[bytes]);
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Word> {
        self.shape.read(&self.to[self.bytes()], 0)
    }
}
