"""multiprocessing: handles as arguments, under each start method."""

import contextlib
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import unipc
from support import until, waits_for
from unipc import Duplex, Fifo, Memory, PipeReader, PipeWriter, Queue, Semaphore

METHODS = ["fork", "spawn", "forkserver"]
every_method = pytest.mark.parametrize("method", METHODS)


def run(method: str, target: Callable[..., None], *arguments: object) -> None:
    context: Any = multiprocessing.get_context(method)
    process = context.Process(target=target, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == 0
    process.close()


def answer(queue: Queue) -> None:
    data, priority = queue.receive()
    queue.send(data.upper(), priority + 1)
    queue.close()


@every_method
def test_a_queue_goes_by_its_name(method: str, queue: Queue) -> None:
    queue.send(b"question", 1)
    run(method, answer, queue)
    assert queue.receive() == (b"QUESTION", 2)


def count(memory: Memory, semaphore: Semaphore) -> None:
    for _ in range(100):
        with semaphore:
            memory.write(0, (int.from_bytes(memory.read(0, 8), "little") + 1).to_bytes(8, "little"))
    semaphore.close()
    memory.close()


@every_method
def test_memory_and_semaphore_go_by_their_names(
    method: str, name: str, semaphore: Semaphore
) -> None:
    semaphore.post()
    with Memory.create(name, 4096) as memory:
        for _ in range(2):
            run(method, count, memory, semaphore)
        assert int.from_bytes(memory.read(0, 8), "little") == 200


@every_method
def test_a_memfd_and_the_semaphore_in_it_go_as_a_descriptor(method: str) -> None:
    with Memory.memfd("handed on", 4096) as memory:
        with contextlib.closing(Semaphore.init_in(memory, 64, 1)) as semaphore:
            run(method, count, memory, semaphore)
        assert int.from_bytes(memory.read(0, 8), "little") == 100


@every_method
def test_a_file_goes_by_its_path(method: str, tmp_path: Path, semaphore: Semaphore) -> None:
    semaphore.post()
    with Memory.create_file(tmp_path / "file", 4096) as memory:
        run(method, count, memory, semaphore)
        assert int.from_bytes(memory.read(0, 8), "little") == 100


def upper(reader: PipeReader, writer: PipeWriter) -> None:
    assert not reader.inheritable
    with reader, writer:
        writer.write_full(reader.read_full(5).upper())


@every_method
def test_pipe_ends_go_as_descriptors(method: str) -> None:
    there, to_there = unipc.pipe()
    from_there, back = unipc.pipe()
    with there, to_there, from_there, back:
        to_there.write(b"hello")
        run(method, upper, there, back)
        back.close()
        assert from_there.read() == b"HELLO"


def reply(side: Duplex) -> None:
    with side:
        side.write(side.read(100).upper())


@every_method
def test_a_duplex_goes_whole(method: str) -> None:
    ours, theirs = unipc.duplex()
    with ours, theirs:
        ours.write(b"hello")
        run(method, reply, theirs)
        assert ours.read(100) == b"HELLO"


def write_to(fifo: Fifo) -> None:
    with fifo, fifo.open_writer() as writer:
        writer.write(b"through the fifo")


@every_method
def test_a_fifo_goes_by_its_path(method: str, tmp_path: Path) -> None:
    with Fifo.create(tmp_path / "fifo") as fifo, fifo.open_reader(timeout=0) as reader:
        run(method, write_to, fifo)
        assert reader.read() == b"through the fifo"


def test_a_pickled_handle_is_opened_with_the_same_access(
    queue: Queue, name: str, tmp_path: Path
) -> None:
    with Queue.open(
        queue.name, access="read-only", nonblocking=True, engine=queue.engine
    ) as receiver:
        with pickle.loads(pickle.dumps(receiver)) as again:
            assert (again.nonblocking, again.engine) == (True, queue.engine)
            assert again.name == queue.name
            with pytest.raises(OSError, match="receiving only"):
                again.send(b"x")
    with Memory.create(name, 100), Memory.open(name, size=50, read_only=True) as memory:
        with pickle.loads(pickle.dumps(memory)) as again:
            assert (len(again), again.read_only) == (50, True)
    with Memory.create_file(tmp_path / "file", 10) as memory:
        with pickle.loads(pickle.dumps(memory)) as again:
            again.write(0, b"x")
        assert memory.read(0, 1) == b"x"


def test_what_has_no_name_cannot_be_pickled_and_says_what_can_be_done(name: str) -> None:
    reader, writer = unipc.pipe()
    with reader, writer:
        for end in (reader, writer):
            with pytest.raises(TypeError, match="argument when a multiprocessing"):
                pickle.dumps(end)
    with Memory.anonymous(4096) as memory:
        with contextlib.closing(Semaphore.init_in(memory)) as semaphore:
            for handle in (memory, semaphore):
                with pytest.raises(TypeError, match=r"use memfd\(\) or create\(\)"):
                    pickle.dumps(handle)
    with Memory.memfd("memfd", 10) as memory, pytest.raises(TypeError, match="has no name"):
        pickle.dumps(memory)
    with Memory.create(name, 10, sharing="private") as memory:
        with pytest.raises(TypeError, match="process's own"):
            pickle.dumps(memory)


def test_a_closed_handle_cannot_be_pickled(queue: Queue, tmp_path: Path) -> None:
    queue.close()
    fifo = Fifo.create(tmp_path / "fifo")
    fifo.close()
    for handle in (queue, fifo):
        with pytest.raises(ValueError, match="closed"):
            pickle.dumps(handle)


def test_a_program_started_by_exec_has_none_of_our_descriptors(queue: Queue) -> None:
    reader, writer = unipc.pipe()
    with reader, writer, Memory.memfd("private", 10) as memory:
        writer.write(b"x", timeout=0)
        numbers = [handle.fileno() for handle in (reader, writer, memory, queue)]
        code = f"import os; print([n for n in {numbers} if os.path.exists(f'/proc/self/fd/{{n}}')])"
        done = subprocess.run(
            [sys.executable, "-c", code],
            close_fds=False,
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout == "[]\n"


def test_a_killed_receiver_leaves_the_queue_whole(queue: Queue) -> None:
    child = os.fork()
    if child == 0:
        queue.receive()
        os._exit(0)

    until(lambda: waits_for(child, queue))
    os.kill(child, 9)
    os.waitpid(child, 0)
    queue.send(b"for the next")
    assert queue.receive().data == b"for the next"
