//! ipc-channel, of bytes: made in one process, its ends inherited by others.

use crate::theirs;
use ipc_channel::ipc::{IpcBytesReceiver, IpcBytesSender, bytes_channel};
use std::io;
use std::rc::Rc;
use unipc_contender::{Ability, Contender, Handle, Opener, Shape, Word};

pub fn contender() -> Contender {
    const ABILITIES: &[Ability] =
        &[Ability::Stream, Ability::Pair, Ability::PingPong, Ability::Asleep, Ability::Idle, Ability::Many];
    Contender { fit, ..Contender::new("ipc-channel", "Rust", ABILITIES, create) }
}

fn fit(shape: Shape) -> io::Result<Shape> {
    if shape.consumers > 1 {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "a channel of ipc-channel has one receiver"));
    }
    Ok(shape)
}

struct Channel {
    ends: Rc<(IpcBytesSender, IpcBytesReceiver)>,
    shape: Shape,
    message: Vec<u8>,
}

fn create(_: &str, shape: Shape) -> io::Result<Opener> {
    let ends = Rc::new(bytes_channel()?);
    Ok(Box::new(move |_| Ok(Box::new(Channel { ends: ends.clone(), shape, message: vec![1; shape.size] }))))
}

impl Handle for Channel {
    fn send(&mut self, word: Word) -> io::Result<()> {
        self.shape.write(word, &mut self.message);
        self.ends.0.send(&self.message)
    }

    fn receive(&mut self) -> io::Result<Word> {
        self.shape.read(&self.ends.1.recv().map_err(theirs)?, 0)
    }
}
