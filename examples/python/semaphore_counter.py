"""Two processes count in shared memory, 1000 times each; a semaphore beside the counter lets one
at a time do so, and no count is lost.

Run it: python3 semaphore_counter.py
"""

import os
import sys

import unipc


def count(semaphore: unipc.Semaphore, counter: memoryview) -> None:
    for _ in range(1000):
        with semaphore:
            counter[0] += 1


def main() -> None:
    # Anonymous memory has no name to be found by: the child inherits it.
    memory = unipc.Memory.anonymous(4096)
    semaphore = unipc.Semaphore.init_in(memory, 0, 1)
    counter = memoryview(memory)[unipc.Semaphore.SIZE :].cast("I")

    pid = os.fork()
    count(semaphore, counter)
    if pid == 0:
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    print(f"two processes added 1000 each: {counter[0]}")
    sys.exit(status != 0)


if __name__ == "__main__":
    main()
