#!/usr/bin/env python3
"""The contenders of `unipc bench` in Python: unipc, posix_ipc, multiprocessing and pyzmq.

usage: contenders.py             serves docs/contenders.md's protocol on standard input and output
       contenders.py clean NAME  removes what a run that was killed has left

A package that is not there is absent; this requirements.txt and that of tests have them all.
"""

# mypy: disable-error-code="no-any-return"

import contextlib
import fcntl
import importlib
import multiprocessing
import resource
import select
import struct
import tempfile
import time
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from contender import (
    Cannot,
    Contender,
    Messages,
    Parcel,
    Receive,
    Request,
    Semaphore,
    Send,
    serve,
)


def package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


unipc, posix_ipc, zmq = package("unipc"), package("posix_ipc"), package("zmq")
forked = multiprocessing.get_context("fork")

ONE_TO_ONE: tuple[str, ...] = ("stream", "pair", "ping-pong", "asleep", "idle")
QUEUE: tuple[str, ...] = (*ONE_TO_ONE, "open", "many", "priorities", "depth")


def limit(name: str) -> int:
    return int(Path("/proc/sys/fs/mqueue", name).read_text())


def fit(request: Request) -> int:
    """How deep each of two queues of the kernel's can be for it."""
    largest, total = limit("msgsize_max"), resource.getrlimit(resource.RLIMIT_MSGQUEUE)[0]
    # It adds some bytes to a message where it counts it, or less.
    deepest = (
        request.depth if total == resource.RLIM_INFINITY else total // 2 // (request.size + 128)
    )
    for name, most, allowed in (
        ("fs.mqueue.msgsize_max", largest, request.size <= largest),
        ("RLIMIT_MSGQUEUE", total, deepest > 0),
    ):
        if not allowed:
            raise Cannot(f"{name}={most} allows no messages of {request.size} bytes")
    return min(request.depth, limit("msg_max"), deepest)


def widen(fd: int, size: int) -> None:
    """Lets a pipe hold a message of so many bytes while nobody reads."""
    if fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) < size:
        try:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, size)
        except PermissionError:
            raise Cannot(f"a pipe for {size} bytes is beyond fs.pipe-max-size") from None


def unbroken(request: Request) -> None:
    """Several that write, or read, share a pipe only if none of them meets half a message."""
    if request.size > select.PIPE_BUF and (request.producers, request.consumers) != (1, 1):
        raise Cannot(f"several can share a pipe up to PIPE_BUF={select.PIPE_BUF} bytes a message")


# ---- unipc


class UnipcQueue(Messages):
    PACKAGE = "unipc"
    ABILITIES = QUEUE
    engine = ""

    def __init__(self, name: str, request: Request) -> None:
        super().__init__(name, request)
        unipc.Queue.create(name, self.depth, self.size, engine=self.engine).close()

    @classmethod
    def unlink(cls, name: str) -> None:
        unipc.Queue.unlink(name)

    @cached_property
    def queue(self) -> Any:
        return unipc.Queue.open(self.name, engine=self.engine)

    def reopen(self) -> None:
        unipc.Queue.open(self.name, engine=self.engine).close()

    def sender(self) -> Send:
        return self.queue.send

    def receiver(self) -> Receive:
        return self.queue.receive

    def due(self, parcel: Parcel) -> object:
        return parcel.message, parcel.priority


class UnipcPosix(UnipcQueue):
    NAME = "unipc posix"
    engine = "posix"

    @classmethod
    def fit(cls, request: Request) -> int:
        return fit(request)


class UnipcShm(UnipcQueue):
    NAME = "unipc shm"
    WAITS = "spins, then blocks"
    engine = "shm"


class UnipcInPlace(UnipcShm):
    """Of a message only the word and the check are written, and read, as they lie in the queue."""

    NAME = "unipc shm in place"
    ABILITIES = (*ONE_TO_ONE, "many", "priorities", "depth", "in-place")

    @cached_property
    def whole(self) -> struct.Struct:
        return struct.Struct(f"<Q{self.size - 16}xQ" if self.size >= 16 else f"<Q{self.size - 8}x")

    def goods(self, parcel: Parcel) -> object:
        return parcel.word, parcel.check

    def due(self, parcel: Parcel) -> object:
        return self.whole.unpack(parcel.message), parcel.priority

    def sender(self) -> Send:
        reserve, put = self.queue.reserve, struct.Struct("<Q").pack_into
        size, end = self.size, self.size - 8

        def send(parcel: tuple[int, int], priority: int = 0) -> None:
            word, check = parcel
            slot = reserve(size, priority)
            put(slot, 0, word)
            put(slot, end, check)
            slot.commit()

        def send_short(parcel: tuple[int, int], priority: int = 0) -> None:
            slot = reserve(size, priority)
            put(slot, 0, parcel[0])
            slot.commit()

        return send if size >= 16 else send_short

    def receiver(self) -> Receive:
        borrow, read = self.queue.borrow, self.whole.unpack

        def receive() -> object:
            message = borrow()
            got = read(message), message.priority
            message.release()
            return got

        return receive


class UnipcPipe(Messages):
    NAME = "unipc pipe"
    PACKAGE = "unipc"
    ABILITIES = (*ONE_TO_ONE, "many")

    def __init__(self, name: str, request: Request) -> None:
        super().__init__(name, request)
        unbroken(request)
        self.reader, self.writer = unipc.pipe()
        if request.work == "pair":
            widen(self.writer.fileno(), self.size)

    def close(self) -> None:
        self.reader.close()
        self.writer.close()

    def sender(self) -> Send:
        return self.writer.write_full

    def receiver(self) -> Receive:
        return partial(self.reader.read_full, self.size)


class UnipcFifo(Messages):
    NAME = "unipc fifo"
    PACKAGE = "unipc"
    ABILITIES = (*ONE_TO_ONE, "open", "many")

    def __init__(self, name: str, request: Request) -> None:
        super().__init__(name, request)
        self.path = self.path_of(name)
        self.wide = self.size if request.work == "pair" else 0
        unbroken(request)
        unipc.Fifo.create(self.path).close()

    @staticmethod
    def path_of(name: str) -> Path:
        return Path(tempfile.gettempdir(), name.strip("/") + ".fifo")

    @classmethod
    def unlink(cls, name: str) -> None:
        unipc.Fifo.unlink(cls.path_of(name))

    def reopen(self) -> None:
        fifo = unipc.Fifo.open(self.path)
        fifo.open_writer().close()
        fifo.close()

    def sender(self) -> Send:
        return unipc.Fifo.open(self.path).open_writer().write_full

    def receiver(self) -> Receive:
        reader = unipc.Fifo.open(self.path).open_reader(timeout=0)
        widen(reader.fileno(), self.wide)
        return partial(reader.read_full, self.size)


class UnipcSemaphore(Semaphore):
    NAME = "unipc semaphore"
    PACKAGE = "unipc"

    def __init__(self, name: str, request: Request) -> None:
        super().__init__(name, request)
        unipc.Semaphore.create(name, 0).close()

    @classmethod
    def unlink(cls, name: str) -> None:
        unipc.Semaphore.unlink(name)

    @cached_property
    def semaphore(self) -> Any:
        return unipc.Semaphore.open(self.name)

    def post(self) -> Callable[[], object]:
        return self.semaphore.post

    def wait(self) -> Callable[[], object]:
        return self.semaphore.wait

    def value(self) -> int:
        return self.semaphore.value


# ---- posix_ipc


class PosixIpc(Messages):
    NAME = "posix_ipc"
    PACKAGE = "posix_ipc"
    ABILITIES = QUEUE
    GONE = (posix_ipc.ExistentialError,) if posix_ipc else ()

    def __init__(self, name: str, request: Request) -> None:
        super().__init__(name, request)
        flags = posix_ipc.O_CREX
        queue = posix_ipc.MessageQueue(
            name, flags, max_messages=self.depth, max_message_size=self.size
        )
        queue.close()

    @classmethod
    def fit(cls, request: Request) -> int:
        return fit(request)

    @classmethod
    def unlink(cls, name: str) -> None:
        posix_ipc.unlink_message_queue(name)

    @cached_property
    def queue(self) -> Any:
        return posix_ipc.MessageQueue(self.name)

    def reopen(self) -> None:
        posix_ipc.MessageQueue(self.name).close()

    def sender(self) -> Send:
        return self.queue.send

    def receiver(self) -> Receive:
        return self.queue.receive

    def arguments(self, parcel: Parcel) -> tuple[object, ...]:
        return parcel.message, None, parcel.priority

    def due(self, parcel: Parcel) -> object:
        return parcel.message, parcel.priority


class PosixIpcSemaphore(Semaphore):
    NAME = "posix_ipc semaphore"
    PACKAGE = "posix_ipc"
    GONE = PosixIpc.GONE

    def __init__(self, name: str, request: Request) -> None:
        super().__init__(name, request)
        posix_ipc.Semaphore(name, posix_ipc.O_CREX).close()

    @classmethod
    def unlink(cls, name: str) -> None:
        posix_ipc.unlink_semaphore(name)

    @cached_property
    def semaphore(self) -> Any:
        return posix_ipc.Semaphore(self.name)

    def post(self) -> Callable[[], object]:
        return self.semaphore.release

    def wait(self) -> Callable[[], object]:
        return self.semaphore.acquire

    def value(self) -> int:
        return self.semaphore.value


# ---- multiprocessing


class MultiprocessingPipe(Messages):
    NAME = "multiprocessing.Pipe"
    ABILITIES = ONE_TO_ONE

    def __init__(self, name: str, request: Request) -> None:
        super().__init__(name, request)
        self.reader, self.writer = forked.Pipe(duplex=False)
        if request.work == "pair":
            # The length that goes before a large message has a page of the pipe to itself.
            widen(self.writer.fileno(), self.size + resource.getpagesize())

    def close(self) -> None:
        self.reader.close()
        self.writer.close()

    def sender(self) -> Send:
        return self.writer.send_bytes

    def receiver(self) -> Receive:
        return self.reader.recv_bytes


class MultiprocessingQueue(Messages):
    """A thread of the sender's writes what put() leaves in a list."""

    NAME = "multiprocessing.Queue"
    ABILITIES = (*ONE_TO_ONE, "many", "depth")

    def __init__(self, name: str, request: Request) -> None:
        super().__init__(name, request)
        self.queue = forked.Queue(self.depth)

    def sender(self) -> Send:
        return self.queue.put

    def receiver(self) -> Receive:
        return self.queue.get

    def settle(self) -> None:
        while self.queue.qsize() > 0:
            time.sleep(0.0001)

    def flush(self) -> None:
        self.queue.close()
        self.queue.join_thread()


class MultiprocessingSemaphore(Semaphore):
    NAME = "multiprocessing.Semaphore"

    def __init__(self, name: str, request: Request) -> None:
        super().__init__(name, request)
        self.semaphore = forked.Semaphore(0)

    def post(self) -> Callable[[], object]:
        return self.semaphore.release

    def wait(self) -> Callable[[], object]:
        return self.semaphore.acquire

    def value(self) -> int:
        return self.semaphore.get_value()


# ---- pyzmq


class PyZmq(Messages):
    """PUSH and PULL. An abstract address leaves nothing behind."""

    NAME = "pyzmq"
    PACKAGE = "pyzmq"
    ABILITIES = ONE_TO_ONE

    def __init__(self, name: str, request: Request) -> None:
        super().__init__(name, request)
        self.address = f"ipc://@{name}"
        # They are kept until the process ends: what is on its way goes with who has sent it.
        self.sockets: list[Any] = []

    def sender(self) -> Send:
        push = zmq.Context.instance().socket(zmq.PUSH)
        push.set_hwm(self.depth)
        push.immediate = True
        push.reconnect_ivl = 1
        push.connect(self.address)
        push.poll(None, zmq.POLLOUT)  # until it is connected
        self.sockets.append(push)
        return push.send

    def receiver(self) -> Receive:
        pull = zmq.Context.instance().socket(zmq.PULL)
        pull.set_hwm(self.depth)
        pull.bind(self.address)
        self.sockets.append(pull)
        return pull.recv


CONTENDERS: dict[type[Contender], Any] = {
    UnipcShm: unipc,
    UnipcInPlace: unipc,
    UnipcPosix: unipc,
    UnipcPipe: unipc,
    UnipcFifo: unipc,
    UnipcSemaphore: unipc,
    PosixIpc: posix_ipc,
    PosixIpcSemaphore: posix_ipc,
    MultiprocessingPipe: multiprocessing,
    MultiprocessingQueue: multiprocessing,
    MultiprocessingSemaphore: multiprocessing,
    PyZmq: zmq,
}

if __name__ == "__main__":
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_MSGQUEUE, (resource.RLIM_INFINITY,) * 2)
    serve(
        [kind for kind, there in CONTENDERS.items() if there],
        [kind for kind, there in CONTENDERS.items() if not there],
    )
