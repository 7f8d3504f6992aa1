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
from support import Ends
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
        assert error.strerror == f"{verb} {noun}: it does not exist"
        assert str(error) == f"[Errno 2] {verb} {noun}: it does not exist: '{name}'"
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
            lambda: unipc.Queue.open(name + "-shm", engine="shm"),
            lambda: unipc.Memory.open(name),
            lambda: unipc.Semaphore.open(name),
            lambda: unipc.Fifo.open(path).open_reader(timeout=0),
        ):
            try:
                call()
            except PermissionError as error:
                print(error.errno, error.filename in (name, name + "-shm", path))
    """
    if os.getuid() != 0:
        pytest.skip("only root can become somebody without permissions")
    name = f"/unipc-py-{os.getpid()}-permissions"
    path = f"/tmp{name}"
    try:
        with Queue.create(name, 1, 16), Memory.create(name, 16), Fifo.create(path):
            Queue.create(f"{name}-shm", 1, 16, engine="shm").close()
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
        Queue.unlink(f"{name}-shm")
        Fifo.unlink(path)
    assert done.stdout == "13 True\n" * 5


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
            lambda: queue.send_many([b""], timeout=timeout),
            lambda: queue.receive_many(1, timeout=timeout),
            lambda: queue.reserve(1, timeout=timeout),
            lambda: queue.borrow(timeout=timeout),
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


def test_a_number_of_no_machine_word_names_its_argument_and_range(
    queue: Queue, name: str, ends: Ends
) -> None:
    reader, writer = ends
    fd = "fd must be 0 to 2147483647, not"
    huge = 10**5000  # more digits than Python writes
    calls: list[tuple[str, Callable[[int], object]]] = [
        ("priority must be 0 to 32767, not", lambda n: queue.send(b"", n)),
        ("value must be 0 to 2147483647, not", lambda n: Semaphore.create(name, n)),
        ("signal must be 1 to 64, not", queue.notify_signal),
        (fd, unipc.PipeReader.from_fd),
        (fd, unipc.PipeWriter.from_fd),
        (fd, Memory.from_fd),
        (fd, writer.duplicate_onto),
        ("size must be -1 to", reader.read),
        ("expected a whole number from 0 to", reader.read_full),
    ]
    for words, call in calls:
        for number in (2**80, -(2**80), huge):
            with pytest.raises(ValueError, match=words) as caught:
                call(number)
            shown = "one of very many digits" if number is huge else f"{number}"
            assert str(caught.value).endswith(f", not {shown}")


def test_what_is_no_descriptor_has_an_errno(ends: Ends) -> None:
    calls: list[Callable[[int], object]] = [
        unipc.PipeReader.from_fd,
        unipc.PipeWriter.from_fd,
        Memory.from_fd,
    ]
    with open(os.devnull) as closed:
        number = closed.fileno()
    for call in calls:
        with pytest.raises(OSError, match="descriptor") as caught:
            call(number)
        assert caught.value.errno == errno.EBADF
        with pytest.raises(ValueError, match="fd must be 0 to"):
            call(-1)


def test_a_path_that_is_no_text_is_the_filename(tmp_path: Path) -> None:
    path = os.path.join(tmp_path, os.fsdecode(b"\xff"))
    calls: list[Callable[[str], object]] = [
        Fifo.open,
        Fifo.unlink,
        Memory.open_file,
        lambda path: Fifo.create(f"{path}/no"),
        lambda path: Memory.create_file(f"{path}/no", 1),
    ]
    for call in calls:
        with pytest.raises(FileNotFoundError) as caught:
            call(path)
        assert caught.value.filename in (path, f"{path}/no")
    with Fifo.create(path) as fifo, pytest.raises(OSError, match="nobody has it open") as refused:
        fifo.open_writer(timeout=0)
    assert (refused.value.errno, refused.value.filename) == (errno.ENXIO, path)


def test_true_and_false_are_what_python_takes_for_them(ends: Ends, semaphore: Semaphore) -> None:
    reader, _ = ends
    for on in (1, "yes", 0, ""):
        reader.nonblocking = on  # type: ignore[assignment]
        reader.inheritable = on  # type: ignore[assignment]
        assert (reader.nonblocking, reader.inheritable) == (bool(on), bool(on))
    assert not semaphore.acquire(0)  # type: ignore[arg-type]
    semaphore.post()
    assert semaphore.acquire(1)  # type: ignore[arg-type]


def test_a_reader_does_not_become_a_writer(ends: Ends) -> None:
    reader, writer = ends
    for kind in (unipc.PipeWriter, unipc.PipeEnd):
        with pytest.raises(TypeError, match="__class__"):
            reader.__class__ = kind  # type: ignore[assignment]
    with pytest.raises(TypeError, match="__class__"):
        writer.__class__ = unipc.PipeReader  # type: ignore[assignment]
    writer.write(b"x")
    assert reader.read(1) == b"x"
