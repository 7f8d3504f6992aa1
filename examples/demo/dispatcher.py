"""The demo's Python process: sends calls to the C process, takes its answers, and counts.

``run`` starts it; what the others share with it stands in shared memory as below.
"""

import sys

import unipc

CALLS_ARE_IN, ANSWERS_ARE_IN, READY, GO, ONE_AT_A_TIME, COUNTER = 0, 32, 64, 96, 128, 160
PATIENCE = 30.0  # seconds; no partner is waited for longer

CALLS = [
    (2, "cat in a tree"),
    (9, "house on fire"),
    (5, "flooded cellar"),
    (1, "noisy neighbours"),
]


def main(name: str, rounds: str) -> None:
    queue = unipc.Queue.open(name)
    memory = unipc.Memory.open(name)
    calls_are_in, answers_are_in, ready, go, one_at_a_time = (
        unipc.Semaphore.open_in(memory, offset)
        for offset in (CALLS_ARE_IN, ANSWERS_ARE_IN, READY, GO, ONE_AT_A_TIME)
    )

    for priority, call in CALLS:
        queue.send(call.encode(), priority, timeout=PATIENCE)
        print("sent", priority, call, sep="\t")
    calls_are_in.post()
    answers_are_in.wait(PATIENCE)
    for _ in CALLS:
        answer, priority = queue.receive(timeout=PATIENCE)
        print("took", priority, answer.decode(), sep="\t")

    counter = memoryview(memory)[COUNTER:].cast("I")
    ready.post()
    go.wait(PATIENCE)
    for _ in range(int(rounds)):
        with one_at_a_time:
            counter[0] += 1
    print("added", rounds, sep="\t")


if __name__ == "__main__":
    main(*sys.argv[1:])
