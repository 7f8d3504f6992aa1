"""The Python face, as one of the programs that the tests put side by side."""

import subprocess
import sys
import threading
from pathlib import Path

import unipc

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from talk import talk

COUNTER = 1024


def timeout(milliseconds: str | None) -> float | None:
    return None if milliseconds is None else int(milliseconds) / 1000


class Peer:
    queue: unipc.Queue
    memory: unipc.Memory
    semaphore: unipc.Semaphore
    message_came: threading.Event

    def queue_create(self, name: str, count: str, size: str) -> None:
        self.queue = unipc.Queue.create(name, int(count), int(size))

    def queue_open(self, name: str) -> None:
        self.queue = unipc.Queue.open(name)

    def queue_unlink(self, name: str) -> None:
        unipc.Queue.unlink(name)

    def queue_send(self, priority: str, text: str) -> None:
        self.queue.send(text.encode(), int(priority))

    def queue_receive(self, milliseconds: str | None = None) -> str:
        data, priority = self.queue.receive(timeout=timeout(milliseconds))
        return f"{priority} {data.decode()}"

    def queue_try(self) -> str:
        return self.queue_receive("0")

    def queue_attributes(self) -> str:
        now = self.queue.attributes
        return f"{now.max_messages} {now.message_size} {now.queued}"

    def queue_notify(self) -> None:
        message_came = threading.Event()
        self.queue.notify(message_came.set)
        self.message_came = message_came

    def queue_notified(self) -> None:
        self.message_came.wait()

    def memory_create(self, name: str, size: str) -> int:
        self.memory = unipc.Memory.create(name, int(size))
        return len(self.memory)

    def memory_open(self, name: str) -> int:
        self.memory = unipc.Memory.open(name)
        return len(self.memory)

    def memory_create_file(self, path: str, size: str) -> int:
        self.memory = unipc.Memory.create_file(path, int(size))
        return len(self.memory)

    def memory_open_file(self, path: str) -> int:
        self.memory = unipc.Memory.open_file(path)
        return len(self.memory)

    def memory_unlink(self, name: str) -> None:
        unipc.Memory.unlink(name)

    def memory_write(self, offset: str, text: str) -> None:
        self.memory.write(int(offset), text.encode())

    def memory_read(self, offset: str, length: str) -> str:
        return self.memory.read(int(offset), int(length)).decode()

    def semaphore_create(self, name: str, value: str) -> None:
        self.semaphore = unipc.Semaphore.create(name, int(value))

    def semaphore_open(self, name: str) -> None:
        self.semaphore = unipc.Semaphore.open(name)

    def semaphore_unlink(self, name: str) -> None:
        unipc.Semaphore.unlink(name)

    def semaphore_init(self, offset: str, value: str) -> None:
        self.semaphore = unipc.Semaphore.init_in(self.memory, int(offset), int(value))

    def semaphore_at(self, offset: str) -> None:
        self.semaphore = unipc.Semaphore.open_in(self.memory, int(offset))

    def semaphore_wait(self, milliseconds: str | None = None) -> None:
        self.semaphore.wait(timeout(milliseconds))

    def semaphore_try(self) -> None:
        self.semaphore.wait(timeout=0)

    def semaphore_post(self) -> None:
        self.semaphore.post()

    def semaphore_value(self) -> int:
        return self.semaphore.value

    def count(self, rounds: str) -> None:
        with memoryview(self.memory) as view, view[COUNTER:].cast("I") as counter:
            for _ in range(int(rounds)):
                with self.semaphore:
                    counter[0] += 1

    def counted(self) -> int:
        return int.from_bytes(self.memory.read(COUNTER, 4), sys.byteorder)

    def fifo_create(self, path: str) -> None:
        unipc.Fifo.create(path)

    def fifo_read(self, path: str) -> str:
        with unipc.Fifo.open(path) as fifo, fifo.open_reader() as reader:
            return reader.read().decode()

    def fifo_write(self, path: str, text: str) -> None:
        with unipc.Fifo.open(path) as fifo, fifo.open_writer() as writer:
            writer.write_full(text.encode())

    def pipe_exec(self, text: str, *command: str) -> str:
        here, there = unipc.duplex()
        ends = (there.reader.fileno(), there.writer.fileno())
        child = subprocess.Popen([*command, *map(str, ends)], pass_fds=ends)
        there.close()
        here.write_full(text.encode())
        here.writer.close()
        heard = here.read().decode()
        if child.wait() != 0:
            raise ChildProcessError(child.returncode, "the child failed")
        return heard


def echo(reader: int, writer: int) -> None:
    """What the program is when it inherits two ends: it says what it heard."""
    with unipc.PipeReader.from_fd(reader) as hears, unipc.PipeWriter.from_fd(writer) as answers:
        answers.write_full(b"heard " + hears.read())


if __name__ == "__main__":
    if sys.argv[1:2] == ["echo"]:
        echo(int(sys.argv[2]), int(sys.argv[3]))
    else:
        talk(Peer())
