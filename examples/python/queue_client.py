"""Sends each of its arguments to queue_server; "quit" ends the server.

Run it: python3 queue_client.py [NAME [TEXT...]]
while queue_server runs, in any language.
"""

import sys

import unipc


def main(name: str = "/unipc-example-server", *texts: str) -> None:
    with unipc.Queue.open(name) as queue:
        for text in texts or ("hello, server", "quit"):
            queue.send(text.encode(), timeout=10)
            print(f"sent: {text}")


if __name__ == "__main__":
    main(*sys.argv[1:])
