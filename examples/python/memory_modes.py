"""The four kinds of mapping: a child made by fork writes to each of them, and the parent shows
whether it sees that itself, and what then stands in the file.

Run it: python3 memory_modes.py [PATH]
The path is that of a file to be made and removed.
"""

import os
import sys

import unipc


def after_child(memory: unipc.Memory) -> str:
    """Writes "parent", lets a child write "child!", and returns what then stands in the memory."""
    memory.write(0, b"parent")
    pid = os.fork()
    if pid == 0:
        memory.write(0, b"child!")
        os._exit(0)
    os.waitpid(pid, 0)
    return memory.read().decode()


def show_anonymous() -> None:
    for sharing in ("shared", "private"):
        with unipc.Memory.anonymous(6, sharing=sharing) as memory:
            print(f"{sharing + ' anonymous':19}{after_child(memory):13}-")


def show_file(path: str) -> None:
    for sharing in ("shared", "private"):
        with open(path, "x+", encoding="ascii") as file:
            try:
                file.write("before")
                file.flush()
                with unipc.Memory.open_file(path, sharing=sharing) as memory:
                    seen = after_child(memory)
            finally:
                os.unlink(path)
            file.seek(0)
            print(f"{sharing + ' file':19}{seen:13}{file.read()}")


def main(path: str = "/tmp/unipc-example-modes") -> None:
    print("mapping            parent sees  file holds")
    show_anonymous()
    show_file(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
