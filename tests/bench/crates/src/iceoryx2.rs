//! iceoryx2, its messages written and read in place. It waits neither for a sample nor for room, so both sides poll,
//! which is the fastest it can be.

use crate::theirs;
use iceoryx2::node::Node;
use iceoryx2::port::{publisher::Publisher, subscriber::Subscriber};
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;
use std::fs;
use std::hint::spin_loop;
use std::io;
use std::mem::MaybeUninit;
use unipc_contender::{Ability, Contender, End, Handle, Opener, Shape, Waits, Word};

/// Every subscriber gets every message: so it has one to one, and nothing with several.
pub fn contender() -> Contender {
    const ABILITIES: &[Ability] =
        &[Ability::Stream, Ability::Pair, Ability::PingPong, Ability::Open, Ability::Depth, Ability::InPlace];
    Contender { waits: Waits::Spins, unlink, needs_name: true, ..Contender::new("iceoryx2", "Rust", ABILITIES, create) }
}

/// Where the files of an object are, so that nothing else is in the way, nor left behind.
fn folder(name: &str) -> String {
    format!("/tmp{name}.iceoryx2")
}

/// How the names of its files in /dev/shm begin.
fn prefix(name: &str) -> String {
    format!("{}.iceoryx2.", &name[1..])
}

fn unlink(name: &str) {
    let _ = fs::remove_dir_all(folder(name));
    for file in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        if file.file_name().to_string_lossy().starts_with(&prefix(name)) {
            let _ = fs::remove_file(file.path());
        }
    }
}

/// A service lives as long as somebody has it: so who opens it makes it, if nobody was faster.
#[expect(clippy::unnecessary_wraps, reason = "others fail")]
fn create(name: &str, shape: Shape) -> io::Result<Opener> {
    set_log_level(LogLevel::Fatal);
    let name = name.to_owned();
    Ok(Box::new(move |end| Ok(Box::new(Ports::open(&name, shape, end)?))))
}

type Service = PortFactory<ipc::Service, [u8], ()>;

struct Ports {
    publisher: Option<Publisher<ipc::Service, [u8], ()>>,
    subscriber: Option<Subscriber<ipc::Service, [u8], ()>>,
    shape: Shape,
    _service: Service,
    _node: Node<ipc::Service>,
}

impl Ports {
    fn open(name: &str, shape: Shape, end: End) -> io::Result<Ports> {
        let mut config = Config::default();
        config.global.set_root_path(&Path::new(folder(name).as_bytes()).map_err(theirs)?);
        config.global.prefix = FileName::new(prefix(name).as_bytes()).map_err(theirs)?;
        let node = NodeBuilder::new().config(&config).create::<ipc::Service>().map_err(theirs)?;
        let service = node
            .service_builder(&"messages".try_into().map_err(theirs)?)
            .publish_subscribe::<[u8]>()
            .payload_alignment(Alignment::new(8).expect("a power of two"))
            .enable_safe_overflow(false)
            .subscriber_max_buffer_size(shape.depth)
            .max_publishers(2) // who opens it while it is open is the second
            .max_subscribers(1)
            .history_size(0)
            .open_or_create()
            .map_err(theirs)?;
        let publisher = || {
            let builder = service.publisher_builder().initial_max_slice_len(shape.size);
            builder.backpressure_strategy(BackpressureStrategy::DiscardData).create()
        };
        let subscriber = (end != End::Sender).then(|| service.subscriber_builder().create());
        let publisher = (end != End::Receiver).then(publisher);
        Ok(Ports {
            publisher: publisher.transpose().map_err(theirs)?,
            subscriber: subscriber.transpose().map_err(theirs)?,
            shape,
            _service: service,
            _node: node,
        })
    }
}

fn other_end() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this is the other end")
}

impl Handle for Ports {
    /// Delivers it, however often it takes: no subscriber had room if nobody got it. (Leaving the retries to
    /// iceoryx2 costs it a look at the clock for each message.)
    fn send(&mut self, word: Word) -> io::Result<()> {
        let publisher = self.publisher.as_ref().ok_or_else(other_end)?;
        loop {
            let mut sample = publisher.loan_slice_uninit(self.shape.size).map_err(theirs)?;
            let message = sample.payload_mut();
            *message.first_chunk_mut().expect("8 bytes") = word.to_bytes().map(MaybeUninit::new);
            if self.shape.is_checked() {
                *message.last_chunk_mut().expect("8 bytes") = word.check().map(MaybeUninit::new);
            }
            // SAFETY: what stays unwritten are bytes of a shared mapping, for which every pattern is a value.
            let sample = unsafe { sample.assume_init() };
            if sample.send().map_err(theirs)? > 0 {
                return Ok(());
            }
            spin_loop();
        }
    }

    fn receive(&mut self) -> io::Result<Word> {
        let subscriber = self.subscriber.as_ref().ok_or_else(other_end)?;
        loop {
            if let Some(sample) = subscriber.receive().map_err(theirs)? {
                return self.shape.read(&sample, 0);
            }
            spin_loop();
        }
    }
}
