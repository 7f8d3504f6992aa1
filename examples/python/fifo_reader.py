"""Prints the lines that fifo_writer, or any program, writes to a FIFO, and removes it at the end.

Run it: python3 fifo_reader.py [PATH]
and, in another terminal, fifo_writer with the same path, or `ls > PATH`.
"""

import sys

import unipc


def main(path: str = "/tmp/unipc-example-fifo") -> None:
    fifo, _created = unipc.Fifo.open_or_create(path)
    with fifo, fifo.open_reader() as reader:  # waits for a writer
        with open(reader.fileno(), encoding="utf-8", closefd=False) as lines:
            for line in lines:
                print(f"received: {line.rstrip()}")
        print("the last writer is gone")
    unipc.Fifo.unlink(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
