"""Too little memory is a MemoryError, which loses nothing, and never the end of the process."""

import subprocess
import sys

import pytest

PREPARE = """if True:
    import os, resource, sys, threading, unipc

    def limit(megabytes):
        now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + (megabytes << 20),) * 2)

    def feed(total):
        reader, writer = unipc.pipe()
        reader.capacity = 1 << 20
        if os.fork() == 0:
            reader.close()
            piece = bytes(1 << 20)
            try:
                for _ in range(total):
                    writer.write_full(piece)
            except BrokenPipeError:
                pass
            os._exit(0)
        writer.close()
        return reader
"""

READ = """
    reader = feed(400)
    limit(200)
    try:
        reader.read()
    except MemoryError as error:
        print(len(error.partial) == error.transferred, error.transferred >= 100 << 20)
        assert reader.read(10) == bytes(10)
"""

READ_FULL = """
    reader = feed(400)
    limit(200)
    try:
        reader.read_full(400 << 20)
    except MemoryError as error:
        print(len(error.partial) == error.transferred, error.transferred >= 100 << 20)
        assert reader.read(10) == bytes(10)
"""

READ_ONCE = """
    # No second copy is made: what fits once can be read.
    reader = feed(130)
    limit(200)
    print(len(reader.read()) == 130 << 20, reader.read() == b"")
"""

OVERLAP = """
    memory = unipc.Memory.anonymous(200 << 20)
    memory.write(1000, b"begin")
    limit(20)
    with memoryview(memory) as view:
        memory.write(0, view)
        memory.write(5, view[:-5])
    print(memory.read(1005, 5) == b"begin", memory.read(1000, 5) == bytes(5))
"""

COPY = """
    memory = unipc.Memory.anonymous(200 << 20)
    limit(100)
    try:
        memory.read()
    except MemoryError:
        print(True, len(memory) == 200 << 20)
"""


@pytest.mark.parametrize("code", [READ, READ_FULL, READ_ONCE, OVERLAP, COPY])
def test_too_little_memory_ends_no_process(code: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", PREPARE + code]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True True\n", "")
