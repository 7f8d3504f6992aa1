"""Unique names, which are gone afterwards even when a test fails."""

import contextlib
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

import unipc
from support import leaving_nothing

Namer = Callable[[], str]
Engine = Literal["posix", "shm"]


@pytest.fixture
def new_name() -> Iterator[Namer]:
    """Gives names for queues, memory and semaphores, and removes what still bears one."""
    names: list[str] = []
    numbers = itertools.count()

    def new_name() -> str:
        names.append(f"/unipc-py-{os.getpid()}-{next(numbers)}")
        return names[-1]

    owner = os.getpid()
    yield new_name
    if os.getpid() != owner:
        return
    for name in names:
        for unlink in (unipc.Queue.unlink, unipc.Memory.unlink, unipc.Semaphore.unlink):
            with contextlib.suppress(FileNotFoundError):
                unlink(name)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """As pytest's own, but nothing of it stays."""
    with tempfile.TemporaryDirectory(prefix=f"unipc-py-{os.getpid()}-") as path:
        yield Path(path)


@pytest.fixture
def name(new_name: Namer) -> str:
    return new_name()


@pytest.fixture(params=["posix", "shm"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine that queues have, in turn."""
    engine: Engine = request.param
    return engine


@pytest.fixture
def queue(name: str, engine: Engine) -> Iterator[unipc.Queue]:
    """A queue of 4 messages of 64 bytes."""
    with unipc.Queue.create(name, 4, 64, engine=engine) as queue:
        yield queue


@pytest.fixture
def semaphore(name: str) -> Iterator[unipc.Semaphore]:
    """A semaphore without permits."""
    with contextlib.closing(unipc.Semaphore.create(name, 0)) as semaphore:
        yield semaphore


@pytest.fixture
def ends() -> Iterator[tuple[unipc.PipeReader, unipc.PipeWriter]]:
    reader, writer = unipc.pipe()
    with reader, writer:
        yield reader, writer


@pytest.fixture
def no_traces() -> Iterator[None]:
    """The test leaves no descriptor, child or thread."""
    with leaving_nothing():
        yield
