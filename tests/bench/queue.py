"""What a message costs from Python: unipc's queue in shared memory against posix_ipc's.

As queue.cpp: contenders take turns within each round, figures are medians of the rounds, ratios the
medians of the rounds' own ratios, with the least and the greatest; every message carries its number
and is checked. Prints a Markdown table. QUICK=1: few and short rounds.
"""

import contextlib
import gc
import os
import random
import resource
import signal
import statistics
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import posix_ipc

import unipc

QUICK = "QUICK" in os.environ
ROUNDS = 3 if QUICK else 11
SECONDS = 0.05 if QUICK else 0.2  # of one run
WATCHDOG = 20
SLOTS = 64
SIZE = 64
LIMIT = int(Path("/proc/sys/fs/mqueue/msg_max").read_text())
NAME = f"/unipc-bench-{os.getpid()}"
CPUS = sorted(os.sched_getaffinity(0))

# The numbers go round; a loop over them costs as little as a loop can.
MESSAGES = [number.to_bytes(8, "little") * (SIZE // 8) for number in range(1000)]

Send = Callable[[bytes], object]
Receive = Callable[[], tuple[bytes, int]]


def make_unipc() -> None:
    unipc.Queue.create(NAME, engine="shm", max_messages=SLOTS, message_size=SIZE).close()


def open_unipc() -> tuple[Send, Receive]:
    queue = unipc.Queue.open(NAME, engine="shm")
    return queue.send, queue.receive


def make_posix_ipc() -> None:
    depth = min(SLOTS, LIMIT)
    posix_ipc.MessageQueue(
        NAME, posix_ipc.O_CREX, max_messages=depth, max_message_size=SIZE
    ).close()


def open_posix_ipc() -> tuple[Send, Receive]:
    queue = posix_ipc.MessageQueue(NAME)
    return queue.send, queue.receive


CONTENDERS = {
    "unipc": (make_unipc, open_unipc, unipc.Queue.unlink),
    "posix_ipc": (make_posix_ipc, open_posix_ipc, posix_ipc.unlink_message_queue),
}


def send_all(send: Send, times: int) -> None:
    for message in MESSAGES * times:
        send(message)


def receive_all(receive: Receive, times: int) -> None:
    for message in MESSAGES * times:
        if receive()[0] != message:
            raise RuntimeError("another message than was sent")


def pairs(send: Send, receive: Receive, times: int) -> None:
    for message in MESSAGES * times:
        send(message)
        if receive()[0] != message:
            raise RuntimeError("another message than was sent")


def seconds(work: Callable[[], None]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def alone(who: str, times: int) -> float:
    """A process that receives what it sent."""
    send, receive = CONTENDERS[who][1]()
    os.sched_setaffinity(0, CPUS[:1])
    pairs(send, receive, 1)
    return seconds(lambda: pairs(send, receive, times))


def stream(who: str, times: int) -> float:
    """From a process to another, on two cores, both as fast as they can."""
    pid = os.fork()
    if pid == 0:
        with only_this():
            os.sched_setaffinity(0, CPUS[-1:])
            send_all(CONTENDERS[who][1]()[0], 1 + times)
    os.sched_setaffinity(0, CPUS[:1])
    receive = CONTENDERS[who][1]()[1]
    receive_all(receive, 1)
    taken = seconds(lambda: receive_all(receive, times))
    if os.waitpid(pid, 0)[1] != 0:
        raise RuntimeError("the sender failed")
    return taken


@contextlib.contextmanager
def only_this() -> Iterator[None]:
    """A forked process does what is inside and ends there, at last by the watchdog."""
    try:
        signal.alarm(WATCHDOG)
        gc.disable()
        yield
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def measure(work: Callable[[str, int], float], who: str, times: int) -> float:
    """Nanoseconds a message, in a process of its own."""
    make, _, unlink = CONTENDERS[who]
    out, back = os.pipe()
    make()
    try:
        pid = os.fork()
        if pid == 0:
            with only_this():
                os.write(back, struct.pack("d", work(who, times)))
        os.close(back)
        with open(out, "rb") as answer:
            taken = answer.read()
        if os.waitpid(pid, 0)[1] != 0:
            raise RuntimeError(f"{who} failed or hung")
    finally:
        unlink(NAME)
    return struct.unpack("d", taken)[0] / (times * len(MESSAGES)) * 1e9


ROWS = [
    ("send and receive in one process", alone, "3 (6)"),
    ("one producer, one consumer, two processes on two cores", stream, ""),
]


def main() -> None:
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_MSGQUEUE, (resource.RLIM_INFINITY,) * 2)
    version = ".".join(map(str, sys.version_info[:3]))
    head = f"Python {version}, {SIZE} B, {SLOTS} slots; ns a message, median of {ROUNDS} rounds"
    print(f"| {head} | unipc | posix_ipc | x posix_ipc | asked (aim) |")
    print("|---|---:|---:|---:|---|")
    for what, work, asked in ROWS:
        times = {
            who: max(1, round(SECONDS * 1e9 / (measure(work, who, 10) * len(MESSAGES))))
            for who in CONTENDERS
        }
        rounds = []
        for _ in range(ROUNDS):
            order = random.sample(list(CONTENDERS), len(CONTENDERS))
            rounds.append({who: measure(work, who, times[who]) for who in order})
        ours, theirs = (statistics.median(one[who] for one in rounds) for who in CONTENDERS)
        ratios = sorted(one["posix_ipc"] / one["unipc"] for one in rounds)
        middle = f"{statistics.median(ratios):.2f} [{ratios[0]:.2f}-{ratios[-1]:.2f}]"
        print(f"| {what} | {ours:.0f} | {theirs:.0f} | {middle} | {asked} |", flush=True)
    if LIMIT < SLOTS:
        print(f"\nskipped: queues of posix_ipc deeper than fs.mqueue.msg_max={LIMIT}")
    if len(CPUS) < 2:
        print("\nskipped: two cores; there is one, and both sides ran on it")


if __name__ == "__main__":
    main()
