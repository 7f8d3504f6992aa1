"""Writes lines to a FIFO, which is made if it is not there; fifo_reader prints them.

Run it: python3 fifo_writer.py [PATH [LINE...]]
and fifo_reader, in any language, with the same path in another terminal.
"""

import sys

import unipc


def main(path: str = "/tmp/unipc-example-fifo", *lines: str) -> None:
    fifo, _created = unipc.Fifo.open_or_create(path)
    with fifo, fifo.open_writer() as writer:  # waits for a reader
        for line in lines or ("hello, reader", "goodbye"):
            writer.write_full(f"{line}\n".encode())
            print(f"sent: {line}")


if __name__ == "__main__":
    main(*sys.argv[1:])
