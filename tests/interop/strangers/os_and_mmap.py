"""A program that has never heard of the library under test: what Python's os and mmap have."""

import mmap
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from talk import talk


def read_all(fd: int) -> str:
    with os.fdopen(fd, "rb") as stream:
        return stream.read().decode()


def write_all(fd: int, text: str) -> None:
    with os.fdopen(fd, "wb") as stream:
        stream.write(text.encode())


class Stranger:
    memory: mmap.mmap

    def memory_create_file(self, path: str, size: str) -> int:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.ftruncate(fd, int(size))
        return self._map(fd)

    def memory_open_file(self, path: str) -> int:
        return self._map(os.open(path, os.O_RDWR))

    def _map(self, fd: int) -> int:
        self.memory = mmap.mmap(fd, 0)
        os.close(fd)
        return len(self.memory)

    # POSIX's named memory is a file of this folder, on Linux.
    def memory_create(self, name: str, size: str) -> int:
        return self.memory_create_file(f"/dev/shm{name}", size)

    def memory_open(self, name: str) -> int:
        return self.memory_open_file(f"/dev/shm{name}")

    def memory_unlink(self, name: str) -> None:
        os.unlink(f"/dev/shm{name}")

    def memory_write(self, offset: str, text: str) -> None:
        data = text.encode()
        self.memory[int(offset) : int(offset) + len(data)] = data

    def memory_read(self, offset: str, length: str) -> str:
        return self.memory[int(offset) : int(offset) + int(length)].decode()

    def fifo_create(self, path: str) -> None:
        os.mkfifo(path, 0o600)

    def fifo_read(self, path: str) -> str:
        return read_all(os.open(path, os.O_RDONLY))

    def fifo_write(self, path: str, text: str) -> None:
        write_all(os.open(path, os.O_WRONLY), text)

    def pipe_exec(self, text: str, *command: str) -> str:
        reader, to_child = os.pipe()
        from_child, writer = os.pipe()
        child = subprocess.Popen([*command, str(reader), str(writer)], pass_fds=(reader, writer))
        os.close(reader)
        os.close(writer)
        write_all(to_child, text)
        heard = read_all(from_child)
        if child.wait() != 0:
            raise ChildProcessError(child.returncode, "the child failed")
        return heard


def echo(reader: int, writer: int) -> None:
    """What the program is when it inherits two ends: it says what it heard."""
    write_all(writer, f"heard {read_all(reader)}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["echo"]:
        echo(int(sys.argv[2]), int(sys.argv[3]))
    else:
        talk(Stranger())
