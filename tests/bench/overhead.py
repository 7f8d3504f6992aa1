"""What a call of unipc costs from Python, against the package or the module that does the same.

Contenders run in this one process, in turn, round by round; a row is the median of the rounds, the
ratio the median of the ratios round by round. Prints a Markdown table.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable

import posix_ipc

import unipc

ROUNDS = 31
PAIRS = 10_000
MESSAGE = b"x" * 64


def main() -> None:
    name = f"/unipc-bench-{os.getpid()}"
    queue = unipc.Queue.create(name, max_messages=4, message_size=64)
    semaphore = unipc.Semaphore.create(name, 0)
    try:
        other_queue = posix_ipc.MessageQueue(name)
        other_semaphore = posix_ipc.Semaphore(name)
    finally:
        unipc.Queue.unlink(name)
        unipc.Semaphore.unlink(name)
    reader, writer = unipc.pipe()
    read_fd, write_fd = os.pipe()

    def queue_unipc(pairs: range) -> None:
        send, receive = queue.send, queue.receive
        for _ in pairs:
            send(MESSAGE, 1)
            receive()

    def queue_posix_ipc(pairs: range) -> None:
        send, receive = other_queue.send, other_queue.receive
        for _ in pairs:
            send(MESSAGE, None, 1)
            receive()

    def semaphore_unipc(pairs: range) -> None:
        post, wait = semaphore.post, semaphore.wait
        for _ in pairs:
            post()
            wait()

    def semaphore_posix_ipc(pairs: range) -> None:
        release, acquire = other_semaphore.release, other_semaphore.acquire
        for _ in pairs:
            release()
            acquire()

    def pipe_unipc(pairs: range) -> None:
        write, read = writer.write, reader.read
        for _ in pairs:
            write(b"x")
            read(1)

    def pipe_os(pairs: range) -> None:
        write, read = os.write, os.read
        for _ in pairs:
            write(write_fd, b"x")
            read(read_fd, 1)

    rows: list[tuple[str, Callable[[range], None], str, Callable[[range], None]]] = [
        ("queue: 64-byte send + receive", queue_unipc, "posix_ipc", queue_posix_ipc),
        ("semaphore: post + wait", semaphore_unipc, "posix_ipc", semaphore_posix_ipc),
        ("pipe: 1-byte write + read", pipe_unipc, "os.write, os.read", pipe_os),
    ]

    def nanoseconds(pair: Callable[[range], None]) -> float:
        pairs = range(PAIRS)
        begin = time.perf_counter_ns()
        pair(pairs)
        return (time.perf_counter_ns() - begin) / PAIRS

    results: dict[str, list[tuple[float, float]]] = {what: [] for what, *_ in rows}
    for number in range(ROUNDS + 1):
        for what, ours, _, others in rows:
            first, second = (ours, others) if number % 2 else (others, ours)
            times = {first: nanoseconds(first), second: nanoseconds(second)}
            if number:  # the first round warms up
                results[what].append((times[ours], times[others]))

    version = ".".join(map(str, sys.version_info[:3]))
    head = f"Python {version}, one process, median of {ROUNDS} rounds of {PAIRS} pairs"
    print(f"| {head} | unipc ns | other ns | the other | unipc / other |")
    print("|---|---:|---:|---|---:|")
    for what, _, other, _ in rows:
        mine = statistics.median(ours for ours, _ in results[what])
        theirs = statistics.median(others for _, others in results[what])
        ratio = statistics.median(ours / others for ours, others in results[what])
        print(f"| {what} | {mine:.0f} | {theirs:.0f} | {other} | {ratio:.2f} |")
    for handle in (queue, semaphore, reader, writer):
        handle.close()


if __name__ == "__main__":
    main()
