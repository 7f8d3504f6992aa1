"""Local inter-process communication on Linux: pipes, FIFOs, queues, shared memory, semaphores.

Each primitive is a class, made by ``create``, ``open`` and ``open_or_create`` where it has a name:

========================  =========================================================
pipe(), duplex()          a stream of bytes between related processes
Fifo                      the same, found by a path
Queue                     messages with priorities, found by a name: the system's own, or
                          with engine="shm" unipc's, at the speed of memory and in place
Memory                    bytes that several processes map, and a buffer to Python
Semaphore                 a count to wait for, named or inside a Memory
========================  =========================================================

What all of them have in common: ``timeout`` is in seconds, None waits for ever and 0 does not wait
(BlockingIOError), and a wait that is over raises TimeoutError. While a call waits the GIL is
released, and a signal handler runs within a second, mostly at once: if it raises, so does the call,
and if it returns, the wait goes on for the rest of the time. Failures are OSErrors with errno, a
sentence and the name; a closed handle is a ValueError, and so is a number that is negative or
beyond its machine word. Closing never removes a name: ``unlink`` does.
"""

import enum
from typing import NamedTuple

from ._unipc import (
    PIPE_BUF,
    PRIORITY_MAX,
    Borrowed,
    Duplex,
    Fifo,
    Memory,
    PipeEnd,
    PipeReader,
    PipeWriter,
    Queue,
    Redirection,
    Reservation,
    Semaphore,
    __version__,
    duplex,
    pipe,
)


class Message(NamedTuple):
    """A message from a Queue: its ``data``, as many bytes as were sent, and the ``priority`` it was
    sent with, 0 to PRIORITY_MAX.
    """

    data: bytes
    priority: int


class QueueAttributes(NamedTuple):
    """The attributes of a Queue, as mq_getattr(3) has them: ``max_messages`` that fit,
    ``message_size`` in bytes at most, ``queued`` messages that are there now, and ``nonblocking``,
    whether O_NONBLOCK is set.
    """

    max_messages: int
    message_size: int
    queued: int
    nonblocking: bool


class Seal(enum.IntFlag):
    """What Memory.seal() forbids for ever, as F_ADD_SEALS of fcntl(2) has it.

    SEAL: no seal can be added any more. SHRINK: the memory cannot be cut short. GROW: it cannot be
    made longer. WRITE: its bytes cannot be changed; refused while a shared mapping can write them.
    FUTURE_WRITE: they cannot be changed except through the mappings that there are.
    """

    SEAL = 1
    SHRINK = 2
    GROW = 4
    WRITE = 8
    FUTURE_WRITE = 16


__all__ = [
    "PIPE_BUF",
    "PRIORITY_MAX",
    "Borrowed",
    "Duplex",
    "Fifo",
    "Memory",
    "Message",
    "PipeEnd",
    "PipeReader",
    "PipeWriter",
    "Queue",
    "QueueAttributes",
    "Redirection",
    "Reservation",
    "Seal",
    "Semaphore",
    "__version__",
    "duplex",
    "pipe",
]
