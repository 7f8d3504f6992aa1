"""A parent greets its child through one pipe, and the child answers through another.

Run it: python3 pipe_hello.py
"""

import os
import sys

import unipc


def child(side: unipc.Duplex) -> None:
    greeting = side.read().decode()  # to the end of file
    side.write_full(f'hello, parent; you said "{greeting}"'.encode())


def main() -> None:
    here, there = unipc.duplex()
    pid = os.fork()
    if pid == 0:
        # Each side closes what is the other's, or nobody would ever see an end of file.
        here.close()
        child(there)
        os._exit(0)
    there.close()

    greeting = "hello, child"
    print(f"parent: {greeting}")
    here.write_full(greeting.encode())
    here.writer.close()  # the child reads up to here

    print(f"child: {here.read().decode()}")
    _, status = os.waitpid(pid, 0)
    sys.exit(status != 0)


if __name__ == "__main__":
    main()
