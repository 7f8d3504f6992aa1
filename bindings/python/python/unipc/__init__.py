"""Local inter-process communication on Linux: pipes, FIFOs, queues, shared memory, semaphores,
processes and pipelines.

Each primitive is a class, made by ``create``, ``open`` and ``open_or_create`` where it has a name:

========================  =========================================================
pipe(), duplex()          a stream of bytes between related processes
Fifo                      the same, found by a path
Queue                     messages with priorities, found by a name: the system's own, or
                          with engine="shm" unipc's, at the speed of memory and in place
Memory                    bytes that several processes map, and a buffer to Python
Semaphore                 a count to wait for, named or inside a Memory
spawn(), popen()          a program: a Child to talk to and to wait for, or a file
Pipeline                  programs one after the other: p1 | p2 | p3
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

from ._popen import ByteDuplex, ByteReader, ByteWriter, TextStream, popen
from ._unipc import (
    NULL,
    PIPE,
    PIPE_BUF,
    PRIORITY_MAX,
    STDOUT,
    Borrowed,
    Child,
    Command,
    Duplex,
    Fifo,
    File,
    Memory,
    PipeEnd,
    Pipeline,
    PipeReader,
    PipeWriter,
    Queue,
    Redirect,
    Redirection,
    Reservation,
    RunningPipeline,
    Semaphore,
    Status,
    Statuses,
    __version__,
    duplex,
    pipe,
    shell,
    spawn,
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


class Output(NamedTuple):
    """What Child.communicate() brought: what came from ``stdout`` and from ``stderr``, empty where
    that is no PIPE, and the child's ``status``.
    """

    stdout: bytes
    stderr: bytes
    status: Status


class PipelineOutput(NamedTuple):
    """What RunningPipeline.communicate() brought: what came from the last stage's ``stdout``, from
    each ``stderr`` (one for all if they are merged), and the ``statuses`` of the stages.
    """

    stdout: bytes
    stderr: tuple[bytes, ...]
    statuses: Statuses


class Joint(NamedTuple):
    """A joint of a pipeline that was opened: its ``number``, 0 for the one between the first two
    stages, the ``reader`` of what the stage before writes, and the ``writer`` to the stage behind.
    """

    number: int
    reader: PipeReader
    writer: PipeWriter


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
    "NULL",
    "PIPE",
    "PIPE_BUF",
    "PRIORITY_MAX",
    "STDOUT",
    "Borrowed",
    "ByteDuplex",
    "ByteReader",
    "ByteWriter",
    "Child",
    "Command",
    "Duplex",
    "Fifo",
    "File",
    "Joint",
    "Memory",
    "Message",
    "Output",
    "PipeEnd",
    "PipeReader",
    "PipeWriter",
    "Pipeline",
    "PipelineOutput",
    "Queue",
    "QueueAttributes",
    "Redirect",
    "Redirection",
    "Reservation",
    "RunningPipeline",
    "Seal",
    "Semaphore",
    "Status",
    "Statuses",
    "TextStream",
    "__version__",
    "duplex",
    "pipe",
    "popen",
    "shell",
    "spawn",
]
