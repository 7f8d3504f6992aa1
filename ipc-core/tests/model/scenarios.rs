use crate::common::Scratch;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::thread::{JoinHandle, spawn, yield_now};
use shuttle::{Config, MaxSteps, Runner};
use std::collections::HashMap;
use std::fs::File;
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use unipc::model::{mortal, reset};
use unipc::queue::Received;
use unipc::{Engine, Queue};

/// What says that nothing comes any more; of the lowest priority.
const LAST: u32 = 0;
/// A queue's only priority, in scenarios of rings.
const ONE: u32 = 5;
/// More steps than the longest life that is cut short here.
const STEPS_MAX: usize = 2000;

/// A queue, and its file to look into without taking part.
#[derive(Clone)]
struct Place {
    queue: Arc<Queue>,
    file: Arc<File>,
}

impl Deref for Place {
    type Target = Queue;

    fn deref(&self) -> &Queue {
        &self.queue
    }
}

impl Place {
    fn new(name: &str, slots: usize) -> Place {
        let queue = Queue::options().engine(Engine::Shm).max_messages(slots).message_size(8).create(name).unwrap();
        let file = File::open(format!("/dev/shm/unipc.queue.{}", &name[1..])).unwrap();
        Queue::unlink(name).unwrap();
        Place { queue: Arc::new(queue), file: Arc::new(file) }
    }

    /// Whether every cell is free: nothing is in the queue, and nobody holds anything, dead or alive.
    fn is_idle(&self) -> bool {
        const CELLS: u64 = 4224; // of so small a queue, as docs/layout.md has it
        const STRIDE: u64 = 128;
        let mut word = [0; 8];
        (0..self.queue.max_messages() as u64).all(|cell| {
            self.file.read_exact_at(&mut word, CELLS + cell * STRIDE).unwrap();
            u64::from_ne_bytes(word) >> 62 == 0
        })
    }
}

fn explore(executions: usize, scenario: impl Fn(Place) + Send + Sync + 'static, slots: usize) {
    let scratch = Scratch::new();
    let name = scratch.name().to_owned();
    let scenario = Arc::new(move || {
        reset();
        scenario(Place::new(&name, slots));
    });
    let executions = if std::env::var_os("UNIPC_TEST_LONG").is_some() { 20 * executions } else { executions };
    let run = |scheduler: Box<dyn Scheduler + Send>| {
        let mut config = Config::new();
        config.stack_size = 1 << 17;
        config.max_steps = MaxSteps::FailAfter(100_000);
        config.silence_warnings = true;
        let scenario = scenario.clone();
        Runner::new(scheduler, config).run(move || scenario());
    };
    run(Box::new(RandomScheduler::new(executions.div_ceil(2))));
    run(Box::new(PctScheduler::new(3, executions.div_ceil(2))));
}

/// Kills somebody at the first step, at the second, and so on, until it lives long enough to come to its end;
/// `scenario` is given how many steps to grant, and says whether it was too few.
fn kill_at_each_step(slots: usize, scenario: impl Fn(Place, usize) -> bool + Copy + Send + Sync + 'static) {
    for steps in 0..STEPS_MAX {
        let killed = Arc::new(AtomicBool::new(false));
        let told = killed.clone();
        explore(
            4,
            move |queue| {
                if scenario(queue, steps) {
                    told.store(true, Relaxed);
                }
            },
            slots,
        );
        if !killed.load(Relaxed) {
            assert!(steps > 20, "it had no more than {steps} steps");
            return;
        }
    }
    panic!("it never came to its end");
}

fn message(sender: u32, number: u32) -> [u8; 8] {
    (u64::from(sender) << 32 | u64::from(number)).to_ne_bytes()
}

fn send(queue: &Queue, sender: u32, number: u32, priority: u32) {
    queue.send(&message(sender, number), priority).unwrap();
}

type Message = (u32, u32, u32);

fn receive(queue: &Queue) -> Message {
    let mut buffer = [0; 8];
    let Received { len, priority } = queue.receive_into(&mut buffer).unwrap();
    assert_eq!(len, 8);
    let number = u64::from_ne_bytes(buffer);
    ((number >> 32) as u32, number as u32, priority)
}

fn sender(queue: &Place, sender: u32, count: u32, priority: u32) -> JoinHandle<()> {
    let queue = queue.clone();
    spawn(move || (0..count).for_each(|number| send(&queue, sender, number, priority)))
}

fn receiver(queue: &Place, count: usize) -> JoinHandle<Vec<Message>> {
    let queue = queue.clone();
    spawn(move || (0..count).map(|_| receive(&queue)).collect())
}

/// Receives until the last message.
fn patient_receiver(queue: &Place) -> JoinHandle<Vec<Message>> {
    let queue = queue.clone();
    spawn(move || std::iter::repeat_with(|| receive(&queue)).take_while(|&(sender, ..)| sender != u32::MAX).collect())
}

/// Sends the last message, when those who are left have taken all others, and freed what the dead held:
/// nobody wakes them for it.
fn end(queue: &Place, priority: u32) {
    while !queue.is_idle() {
        yield_now();
    }
    send(queue, u32::MAX, 0, priority);
}

/// Those of each sender came in order.
fn in_order(received: &[Message]) {
    let mut last = HashMap::new();
    for &(sender, number, _) in received {
        let before = last.insert(sender, number);
        assert!(before.is_none_or(|before| before < number), "{received:?}");
    }
}

/// Those of a sender, as far as they came.
fn count(received: &[Message], sender: u32) -> u32 {
    received.iter().filter(|message| message.0 == sender).count() as u32
}

/// As many fit as ever.
fn has_its_room(queue: &Place, slots: usize, priority: u32) {
    assert!(queue.is_idle());
    let sent = (0..).take_while(|&number| queue.try_send(&message(0, number), priority).is_ok()).count();
    assert_eq!((sent, queue.len().unwrap()), (slots, slots));
    for _ in 0..slots {
        receive(queue);
    }
}

fn two_senders(slots: usize, priorities: [u32; 2]) {
    explore(
        400,
        move |queue| {
            let senders = [1, 2].map(|number| sender(&queue, number, 2, priorities[number as usize - 1]));
            let received = receiver(&queue, 4).join().unwrap();
            senders.into_iter().for_each(|sender| sender.join().unwrap());
            in_order(&received);
            assert_eq!([1, 2].map(|sender| count(&received, sender)), [2, 2]);
            has_its_room(&queue, slots, priorities[0]);
        },
        slots,
    );
}

fn two_receivers(slots: usize, priorities: [u32; 2]) {
    explore(
        400,
        move |queue| {
            let receivers = [(); 2].map(|()| receiver(&queue, 2));
            for number in 0..4 {
                send(&queue, 1, number, priorities[number as usize / 2]);
            }
            let mut all: Vec<Message> = Vec::new();
            for receiver in receivers {
                let received = receiver.join().unwrap();
                if priorities[0] == priorities[1] {
                    in_order(&received);
                }
                all.extend(received);
            }
            all.sort_unstable();
            assert!(all.iter().map(|message| message.1).eq(0..4), "{all:?}");
            has_its_room(&queue, slots, priorities[0]);
        },
        slots,
    );
}

fn two_of_each(slots: usize, priorities: [u32; 2]) {
    explore(
        400,
        move |queue| {
            let senders = [1, 2].map(|number| sender(&queue, number, 2, priorities[number as usize - 1]));
            let receivers = [(); 2].map(|()| receiver(&queue, 2));
            senders.into_iter().for_each(|sender| sender.join().unwrap());
            let received = receivers.map(|receiver| receiver.join().unwrap());
            received.iter().for_each(|received| in_order(received));
            assert_eq!([1, 2].map(|sender| count(&received.concat(), sender)), [2, 2]);
            has_its_room(&queue, slots, priorities[0]);
        },
        slots,
    );
}

/// One of two senders is killed: what it was told was sent is received, once, and the other does not notice.
fn a_sender_dies(slots: usize, victims: u32, others: u32) {
    kill_at_each_step(slots, move |queue, steps| {
        let victim = {
            let queue = queue.clone();
            spawn(move || {
                let mut acknowledged = 0;
                let lived = mortal(steps, || {
                    for number in 0..2 {
                        send(&queue, 1, number, victims);
                        acknowledged += 1;
                    }
                });
                (acknowledged, lived.is_none())
            })
        };
        let other = sender(&queue, 2, 2, others);
        let receiver = patient_receiver(&queue);
        let (acknowledged, killed) = victim.join().unwrap();
        other.join().unwrap();
        end(&queue, if victims == others { victims } else { LAST });
        let received = receiver.join().unwrap();
        in_order(&received);
        let came = count(&received, 1);
        assert!(
            came == acknowledged || killed && came == acknowledged + 1,
            "{received:?}, {acknowledged} acknowledged"
        );
        assert_eq!(count(&received, 2), 2, "{received:?}");
        has_its_room(&queue, slots, victims);
        killed
    });
}

/// One of two receivers is killed: but for what it may have taken last, the other gets all that it has not.
fn a_receiver_dies(slots: usize, priorities: [u32; 2]) {
    kill_at_each_step(slots, move |queue, steps| {
        let ended = Arc::new(AtomicU32::new(0));
        let receiver = |steps: Option<usize>| {
            let (queue, ended) = (queue.clone(), ended.clone());
            spawn(move || {
                let mut received = Vec::new();
                let mut work = || {
                    received.extend(
                        std::iter::repeat_with(|| receive(&queue)).take_while(|&(sender, ..)| sender != u32::MAX),
                    );
                };
                let lived = match steps {
                    Some(steps) => mortal(steps, work),
                    None => Some(work()),
                };
                ended.fetch_add(1, Relaxed);
                (received, lived.is_none())
            })
        };
        let (victim, survivor) = (receiver(Some(steps)), receiver(None));
        for number in 0..4 {
            send(&queue, 1, number, priorities[number as usize / 2]);
        }
        let last = if priorities[0] == priorities[1] { priorities[0] } else { LAST };
        end(&queue, last);
        while ended.load(Relaxed) < 2 {
            let _ = queue.try_send(&message(u32::MAX, 0), last); // one for each who lives
            yield_now();
        }
        let ((mut all, killed), (mut received, _)) = (victim.join().unwrap(), survivor.join().unwrap());
        if priorities[0] == priorities[1] {
            // What the dead one was reading came back to where it was, when others had been taken already.
            if let Some(late) = (1..received.len()).find(|&at| received[at].1 < received[at - 1].1) {
                let late = received.remove(late);
                in_order(&received);
                received.push(late);
            }
        }
        all.extend(received);
        let mut numbers: Vec<u32> = all.iter().map(|message| message.1).collect();
        numbers.sort_unstable();
        let came = numbers.len();
        numbers.dedup();
        assert_eq!(came, numbers.len(), "twice: {all:?}");
        assert!(came == 4 || killed && came == 3, "{all:?}");
        while queue.try_receive().is_ok() {} // what was for the dead
        has_its_room(&queue, slots, priorities[0]);
        killed
    });
}

crate::promises! {
    fn two_senders_and_a_receiver_at_a_ring_of_one() {
        two_senders(1, [ONE, ONE]);
    }

    fn two_senders_and_a_receiver_at_a_ring_of_two() {
        two_senders(2, [ONE, ONE]);
    }

    fn two_receivers_and_a_sender_at_a_ring_of_one() {
        two_receivers(1, [ONE, ONE]);
    }

    fn two_receivers_and_a_sender_at_a_ring_of_two() {
        two_receivers(2, [ONE, ONE]);
    }

    fn two_of_each_at_a_ring_of_one() {
        two_of_each(1, [ONE, ONE]);
    }

    fn two_of_each_at_a_ring_of_two() {
        two_of_each(2, [ONE, ONE]);
    }

    fn a_ring_of_one_is_sorted_meanwhile() {
        two_senders(1, [ONE, 7]);
        two_receivers(1, [ONE, 7]);
    }

    fn a_ring_of_two_is_sorted_meanwhile() {
        two_senders(2, [ONE, 7]);
        two_of_each(2, [ONE, 7]);
    }

    fn a_sender_dies_at_each_step_at_a_ring_of_one() {
        a_sender_dies(1, ONE, ONE);
    }

    fn a_sender_dies_at_each_step_at_a_ring_of_two() {
        a_sender_dies(2, ONE, ONE);
    }

    fn a_sender_dies_at_each_step_of_sorting_a_ring() {
        a_sender_dies(2, 7, ONE);
    }

    fn a_receiver_dies_at_each_step_at_a_ring_of_one() {
        a_receiver_dies(1, [ONE, ONE]);
    }

    fn a_receiver_dies_at_each_step_at_a_ring_of_two() {
        a_receiver_dies(2, [ONE, ONE]);
    }

    fn a_receiver_dies_at_each_step_while_a_ring_is_sorted() {
        a_receiver_dies(2, [ONE, 7]);
    }
}
