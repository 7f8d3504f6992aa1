"""Errors: the right class, errno, the name, a sentence; bad arguments."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import unipc
from unipc import Fifo, Memory, Queue, Semaphore

NAMED: list[tuple[str, Any]] = [("queue", Queue), ("memory", Memory), ("semaphore", Semaphore)]


@pytest.mark.parametrize(("noun", "kind"), NAMED)
def test_what_is_not_there_is_file_not_found(noun: str, kind: Any) -> None:
    name = f"/unipc-py-{os.getpid()}-missing"
    for verb in ("open", "unlink"):
        with pytest.raises(FileNotFoundError) as caught:
            getattr(kind, verb)(name)
        error = caught.value
        assert type(error) is FileNotFoundError
        assert error.errno == errno.ENOENT
        assert error.filename == name
        assert error.strerror == f"{verb} {noun} {name}: it does not exist"
        assert error.args == (errno.ENOENT, error.strerror)


@pytest.mark.parametrize(("noun", "kind"), NAMED)
@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        ("orders", errno.EINVAL, 'begins with a slash, as in "/orders"'),
        ("", errno.EINVAL, "begins with a slash"),
        ("/", errno.EINVAL, "at least one character"),
        ("/a/b", errno.EINVAL, "one slash"),
        ("/..", errno.EINVAL, "not . or .."),
        ("/a\0b", errno.EINVAL, "NUL"),
        ("/" + "x" * 256, errno.ENAMETOOLONG, "256 bytes behind the slash"),
    ],
)
def test_a_bad_name_is_refused_with_a_reason(
    noun: str, kind: Any, name: str, number: int, words: str
) -> None:
    for verb, arguments in (("open", ()), ("create", (1,)), ("unlink", ())):
        with pytest.raises(OSError, match=f"{verb} {noun}") as caught:
            getattr(kind, verb)(name, *arguments)
        assert caught.value.errno == number
        assert words in str(caught.value)


@pytest.mark.parametrize(("noun", "kind"), NAMED)
def test_a_name_is_text(noun: str, kind: Any) -> None:
    for name in (b"/bytes", None, 7, Path("/path")):
        with pytest.raises(TypeError, match="name"):
            kind.open(name)
    with pytest.raises(UnicodeEncodeError):
        kind.open("/\udcff")


def test_an_error_of_a_pipe_has_no_filename() -> None:
    reader, writer = unipc.pipe()
    with writer:
        with reader, pytest.raises(BlockingIOError) as caught:
            reader.read(1, timeout=0)
        assert caught.value.strerror == "read from pipe: it would block"
        assert caught.value.filename is None
        with pytest.raises(BrokenPipeError) as broken:
            writer.write(b"x")
    assert broken.value.errno == errno.EPIPE
    assert broken.value.strerror == "write to pipe: nobody has it open for reading any more"


def test_timeouts_are_timeout_errors_with_errno_and_name(
    queue: Queue, semaphore: Semaphore
) -> None:
    for handle, call in ((queue, queue.receive), (semaphore, semaphore.wait)):
        with pytest.raises(TimeoutError) as caught:
            call(timeout=0.001)
        assert caught.value.errno == errno.ETIMEDOUT
        assert caught.value.filename == handle.name
        assert "timed out" in str(caught.value)


def test_permissions_are_permission_errors() -> None:
    code = """if True:
        import os, sys, unipc
        name, path = sys.argv[1:]
        os.setgid(65534), os.setgroups([]), os.setuid(65534)
        for call in (
            lambda: unipc.Queue.open(name),
            lambda: unipc.Memory.open(name),
            lambda: unipc.Semaphore.open(name),
            lambda: unipc.Fifo.open(path).open_reader(timeout=0),
        ):
            try:
                call()
            except PermissionError as error:
                print(error.errno, error.filename in (name, path))
    """
    if os.getuid() != 0:
        pytest.skip("only root can become somebody without permissions")
    name = f"/unipc-py-{os.getpid()}-permissions"
    path = f"/tmp{name}"
    try:
        with Queue.create(name, 1, 16), Memory.create(name, 16), Fifo.create(path):
            Semaphore.create(name, 0).close()
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", code, name, path],
                capture_output=True,
                text=True,
                check=True,
            )
    finally:
        for unlink in (Queue.unlink, Memory.unlink, Semaphore.unlink):
            unlink(name)
        Fifo.unlink(path)
    assert done.stdout == "13 True\n" * 4


@pytest.mark.parametrize("timeout", [-1, -0.001, float("nan"), float("-inf")])
def test_a_timeout_that_is_none_is_refused(
    timeout: float, queue: Queue, semaphore: Semaphore, tmp_path: Path
) -> None:
    reader, writer = unipc.pipe()
    queue.send(b"is there")
    with reader, writer, Fifo.create(tmp_path / "fifo") as fifo:
        calls: list[Callable[[], object]] = [
            lambda: reader.read(1, timeout=timeout),
            lambda: reader.read(timeout=timeout),
            lambda: reader.read_full(1, timeout=timeout),
            lambda: reader.read_into(bytearray(1), timeout=timeout),
            lambda: writer.write(b"x", timeout=timeout),
            lambda: writer.write_full(b"x", timeout=timeout),
            lambda: reader.splice_to(1, 1, timeout=timeout),
            lambda: writer.splice_from(0, 1, timeout=timeout),
            lambda: queue.receive(timeout=timeout),
            lambda: queue.send(b"", timeout=timeout),
            lambda: semaphore.wait(timeout),
            lambda: semaphore.acquire(timeout=timeout),
            lambda: fifo.open_reader(timeout=timeout),
            lambda: fifo.open_writer(timeout=timeout),
        ]
        for call in calls:
            with pytest.raises(ValueError, match="timeout must be None or a number of seconds"):
                call()
        assert reader.available == 0
    assert len(queue) == 1


def test_a_timeout_is_a_number(queue: Queue) -> None:
    for timeout in ("1", b"1", [1]):
        with pytest.raises(TypeError, match="timeout"):
            queue.receive(timeout=timeout)  # type: ignore[arg-type]
    queue.send(b"x")
    assert queue.receive(timeout=True).data == b"x"


def test_arguments_of_a_wrong_type_are_refused(queue: Queue, name: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: queue.send("text"),  # type: ignore[arg-type]
        lambda: queue.send(None),  # type: ignore[arg-type]
        lambda: queue.send(b"x", "high"),  # type: ignore[arg-type]
        lambda: queue.send(b"x", 1.5),  # type: ignore[arg-type]
        lambda: queue.receive_into("text"),  # type: ignore[arg-type]
        lambda: queue.receive_into(b"bytes are not writable" * 4),
        lambda: Memory.create(name, "big"),  # type: ignore[arg-type]
        lambda: Semaphore.init_in(queue),  # type: ignore[arg-type]
        lambda: Queue.create(name, surprise=1),  # type: ignore[call-arg]
        lambda: unipc.PipeReader.from_fd("0"),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(TypeError):
            call()
    assert len(queue) == 0


def test_the_limit_of_descriptors_is_named() -> None:
    code = """if True:
        import resource, unipc
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
        ends = []
        try:
            while True:
                ends += unipc.pipe()
        except OSError as error:
            print(error.errno, "RLIMIT_NOFILE" in error.strerror)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{errno.EMFILE} True\n"
