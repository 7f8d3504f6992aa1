"""Messages of a mebibyte that are never copied: a child writes each where it lies in the queue, and
the parent reads it there.

Run it: python3 zero_copy.py
"""

import os
import sys

import unipc

SIZE = 1 << 20
STEP = 4096
LAST = 3


def fill(message: unipc.Reservation, byte: int) -> None:
    data = message.data
    for begin in range(0, SIZE, STEP):
        data[begin : begin + STEP] = bytes([byte]) * STEP


def produce(queue: unipc.Queue) -> None:
    for number in range(1, LAST + 1):
        with queue.reserve(SIZE) as message:
            fill(message, number)
        if number == 2:
            with queue.reserve(SIZE) as message:
                fill(message, 99)
                message.abort()  # nobody ever sees it


def consume(queue: unipc.Queue) -> None:
    message = queue.borrow()
    size = len(message.data)
    print(f"borrowed message {message.data[0]} of {size} bytes, and put it back")
    message.put_back()

    for number in range(1, LAST + 1):
        with queue.borrow() as message:
            if message.data != bytes([number]) * SIZE:
                sys.exit(f"zero_copy: message {number} is not what was written")
            print(f"message {number}: {len(message.data)} bytes, read in place")


def main() -> None:
    name = f"/unipc-example-zero-copy-{os.getpid()}"
    with unipc.Queue.create(name, 2, SIZE, engine="shm") as queue:
        unipc.Queue.unlink(name)

        # The child has the queue, though its name is gone.
        pid = os.fork()
        if pid == 0:
            produce(queue)
            os._exit(0)
        consume(queue)
        if os.waitpid(pid, 0)[1] != 0:
            sys.exit("zero_copy: the child failed")
        if len(queue) == 0:
            print("the queue is empty")


if __name__ == "__main__":
    main()
