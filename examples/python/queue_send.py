"""Sends four messages of different priority to a queue, which is made if it is not there.

Run it: python3 queue_send.py [NAME]
and then queue_receive, in any language: it takes the most urgent first.
"""

import sys

import unipc

MESSAGES = [
    (1, "tidy the desk"),
    (5, "answer the letter"),
    (9, "put out the fire"),
    (5, "water the plants"),
]


def main(name: str = "/unipc-example-queue") -> None:
    queue, _created = unipc.Queue.open_or_create(name, max_messages=8, message_size=64)
    with queue:
        for priority, text in MESSAGES:
            queue.send(text.encode(), priority)
            print(f"sent with priority {priority}: {text}")


if __name__ == "__main__":
    main(*sys.argv[1:])
