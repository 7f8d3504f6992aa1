"""Programs side by side: unipc's three faces, and strangers that have never heard of unipc.

Each program is an actor: it does what a test tells it, a line at a time (see talk.py), so that a
test reads as a conversation. A promise is written once and held to each pair of actors that has
something to prove: a stranger with a stranger has nothing.
"""

import contextlib
import ctypes
import errno
import itertools
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "examples"))
from built import RUST_BIN, compile_c  # noqa: E402

FACES = ["c", "python", "rust"]
STRANGERS = ["libc", "os_and_mmap"]
SECONDS = 30  # for an answer; the watchdog is for a test

Command = list[str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.timeout(120))


def pairs(*strangers: str) -> pytest.MarkDecorator:
    """A test's `one` and `other`: each face with each stranger and each other face, both ways."""
    known = itertools.permutations([*FACES, *strangers], 2)
    together = [pair for pair in known if not set(pair) <= set(STRANGERS)]
    return pytest.mark.parametrize(("one", "other"), together, indirect=True)


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Command]:
    folder = tmp_path_factory.mktemp("actors")
    return {
        "c": [str(compile_c(HERE / "peers/peer.c", folder))],
        "python": [sys.executable, str(HERE / "peers/peer.py")],
        "rust": [str(RUST_BIN / "interop_peer")],
        "libc": [str(compile_c(HERE / "strangers/libc.c", folder, with_unipc=False))],
        "os_and_mmap": [sys.executable, str(HERE / "strangers/os_and_mmap.py")],
    }


class Actor:
    """A program that runs, and does what it is told."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout

    def begin(self, verb: str, *arguments: object) -> None:
        """Tells it something, and does not wait for the answer."""
        self._to.write("\t".join([verb, *map(str, arguments)]).encode() + b"\n")

    def has_answered(self, seconds: float) -> bool:
        return bool(select.select([self._from], [], [], seconds)[0])

    def answer(self) -> str:
        """The result of what it was told; its error is raised, as the class that its errno has."""
        assert self.has_answered(SECONDS), "no answer"
        outcome, *results = self._from.readline().decode().rstrip("\n").split("\t")
        if outcome == "error":
            raise OSError(int(results[0]), results[1])
        assert outcome == "ok", "it ended"
        return results[0]

    def do(self, verb: str, *arguments: object) -> str:
        self.begin(verb, *arguments)
        return self.answer()

    def still_waits(self) -> bool:
        return not self.has_answered(0.1)

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def fails_with(number: int) -> Iterator[None]:
    """The block ends with an OSError of this errno, whatever its sentence."""
    with pytest.raises(OSError, match=r".") as caught:
        yield
    assert caught.value.errno == number, f"that is not {errno.errorcode[number]}"


def _actor(request: pytest.FixtureRequest, commands: dict[str, Command]) -> Iterator[Actor]:
    actor = Actor(commands[request.param])
    yield actor
    actor.end()


@pytest.fixture
def one(request: pytest.FixtureRequest, commands: dict[str, Command]) -> Iterator[Actor]:
    yield from _actor(request, commands)


@pytest.fixture
def other(request: pytest.FixtureRequest, commands: dict[str, Command]) -> Iterator[Actor]:
    yield from _actor(request, commands)


_counter = itertools.count()


@pytest.fixture
def name() -> Iterator[str]:
    """A name of nobody else; whatever object a test leaves under it is removed, and reported."""
    name = f"/unipc-interop-{os.getpid()}-{next(_counter)}"
    yield name
    libc = ctypes.CDLL(None)
    unlinks: list[Callable[[bytes], int]] = [libc.mq_unlink, libc.shm_unlink, libc.sem_unlink]
    assert [unlink(name.encode()) for unlink in unlinks] == [-1, -1, -1], f"{name} is left behind"
