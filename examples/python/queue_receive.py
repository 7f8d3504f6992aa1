"""Takes every message out of the queue that queue_send filled, and removes the queue.

Run it: python3 queue_receive.py [NAME]
The highest priority comes first and, within one, the oldest message.
"""

import sys

import unipc


def main(name: str = "/unipc-example-queue") -> None:
    with unipc.Queue.open(name) as queue:
        try:
            while True:
                data, priority = queue.receive(timeout=0)
                print(f"received with priority {priority}: {data.decode()}")
        except BlockingIOError:
            print("the queue is empty")
    unipc.Queue.unlink(name)


if __name__ == "__main__":
    main(*sys.argv[1:])
