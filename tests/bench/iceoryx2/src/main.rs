//! What a message of 4 KiB costs in iceoryx2, written and read in place, by the protocol of
//! tests/bench/queue.cpp: two processes on two cores, stamped messages that are checked.
//!
//! usage: bench-iceoryx2 stream|ping-pong NAME DEPTH MESSAGES CPU CPU
//!
//! Prints nanoseconds a message (ping-pong: there and back). iceoryx2 does not wait for a sample, so
//! both sides poll, which is the fastest it can be.

use iceoryx2::port::{publisher::Publisher, subscriber::Subscriber};
use iceoryx2::prelude::*;
use std::env::args;
use std::io::{Read, stdin};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio, exit};
use std::time::Instant;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A message: its stamp at the beginning, and a check of it at the end.
#[repr(C)]
#[derive(Debug, ZeroCopySend)]
struct Message {
    sequence: u64,
    body: [u64; 510],
    check: u64,
}

fn check(sequence: u64) -> u64 {
    sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

type Sender = Publisher<ipc::Service, Message, ()>;
type Receiver = Subscriber<ipc::Service, Message, ()>;

/// Delivers it, however often it takes: no subscriber had room if nobody got it. (Leaving the
/// retries to iceoryx2 costs it a look at the clock for each message.)
fn send(publisher: &Sender, sequence: u64) -> Result<()> {
    loop {
        let mut sample = publisher.loan_uninit()?;
        let message = sample.payload_mut().as_mut_ptr();
        // SAFETY: `message` is the loaned sample's own memory. What stays unwritten in it are
        // integers of a shared mapping, for which every pattern is a value.
        let sample = unsafe {
            (&raw mut (*message).sequence).write(sequence);
            (&raw mut (*message).check).write(check(sequence));
            sample.assume_init()
        };
        if sample.send()? > 0 {
            return Ok(());
        }
        std::hint::spin_loop();
    }
}

fn receive(subscriber: &Receiver) -> Result<u64> {
    loop {
        if let Some(sample) = subscriber.receive()? {
            if sample.check != check(sample.sequence) {
                return Err("a torn message".into());
            }
            return Ok(sample.sequence);
        }
        std::hint::spin_loop();
    }
}

fn must_be(wanted: u64, got: u64) -> Result<()> {
    if got == wanted { Ok(()) } else { Err(format!("message {got} where {wanted} was due").into()) }
}

fn pin(cpu: usize) {
    // SAFETY: a set of CPUs that lives on this stack.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set);
    }
}

fn main() -> Result<()> {
    set_log_level(LogLevel::Error);
    let given: Vec<String> = args().collect();
    let [_, work, name, depth, messages, here, there, rest @ ..] = given.as_slice() else {
        eprintln!("usage: bench-iceoryx2 stream|ping-pong NAME DEPTH MESSAGES CPU CPU");
        exit(2);
    };
    let (depth, messages): (usize, u64) = (depth.parse()?, messages.parse()?);
    let echo = work == "ping-pong";
    let peer = !rest.is_empty();
    pin(if peer { there } else { here }.parse()?);

    // Files of this run alone, so that nothing else is in the way, nor left behind.
    let place = format!("/tmp/{name}.iceoryx2");
    let mut config = Config::default();
    config.global.set_root_path(&Path::new(place.as_bytes())?);
    config.global.prefix = FileName::new(format!("{name}.iceoryx2.").as_bytes())?;
    let node = NodeBuilder::new().config(&config).create::<ipc::Service>()?;
    let service = |direction: &str| {
        node.service_builder(&direction.try_into().expect("a name"))
            .publish_subscribe::<Message>()
            .enable_safe_overflow(false)
            .subscriber_max_buffer_size(depth)
            .max_publishers(1)
            .max_subscribers(1)
            .history_size(0)
            .open_or_create()
    };
    let (out, back) = (service("out")?, service("back")?);
    let publisher = |to: &iceoryx2::service::port_factory::publish_subscribe::PortFactory<ipc::Service, Message, ()>| {
        to.publisher_builder().backpressure_strategy(BackpressureStrategy::DiscardData).create()
    };

    if peer {
        let publisher = publisher(&out)?;
        if echo {
            let subscriber = back.subscriber_builder().create()?;
            send(&publisher, u64::MAX)?;
            for i in 0..messages {
                must_be(i, receive(&subscriber)?)?;
                send(&publisher, i)?;
            }
        } else {
            send(&publisher, u64::MAX)?;
            for i in 0..messages {
                send(&publisher, i)?;
            }
        }
        // Samples live in the publisher's memory: it stays until the other side has them all.
        stdin().read_to_end(&mut Vec::new())?;
        return Ok(());
    }

    let subscriber = out.subscriber_builder().create()?;
    let publisher = publisher(&back)?;
    let mut child = Command::new(std::env::current_exe()?);
    child.args(&given[1..]).arg("peer").stdin(Stdio::piped());
    // SAFETY: prctl(2) may be called between fork and exec.
    unsafe {
        child.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    let mut child = child.spawn()?;
    must_be(u64::MAX, receive(&subscriber)?)?; // it is there
    let warm = messages / 10;
    let mut begin = Instant::now();
    for i in 0..messages {
        if i == warm {
            begin = Instant::now();
        }
        if echo {
            send(&publisher, i)?;
        }
        must_be(i, receive(&subscriber)?)?;
    }
    let taken = begin.elapsed();
    drop(child.stdin.take());
    let done = child.wait()?.success();
    println!("{:.2}", taken.as_nanos() as f64 / (messages - warm) as f64);
    drop((subscriber, publisher, out, back, node));
    let _ = std::fs::remove_dir_all(&place);
    if done { Ok(()) } else { Err("the other side failed".into()) }
}
