"""Prints what clients send, until one of them sends "quit".

Run it: python3 queue_server.py [NAME]
and, in other terminals, queue_client in any language.
"""

import sys

import unipc


def serve(queue: unipc.Queue) -> None:
    while (text := queue.receive().data.decode()) != "quit":
        print(f"received: {text}", flush=True)
    print("told to quit")


def main(name: str = "/unipc-example-server") -> None:
    queue, _created = unipc.Queue.open_or_create(name, max_messages=8, message_size=64)
    try:
        with queue:
            print("waiting for clients", flush=True)
            serve(queue)
    finally:
        unipc.Queue.unlink(name)


if __name__ == "__main__":
    main(*sys.argv[1:])
