"""Shared memory: unipc maps what shm_open(3), open(2) and mmap(2) make, and the reverse."""

import errno
import os
from collections.abc import Iterator
from multiprocessing import shared_memory
from pathlib import Path

import pytest

from conftest import FACES, Actor, fails_with, pairs

faces = pytest.mark.parametrize("one", FACES, indirect=True)


@pairs("libc", "os_and_mmap")
def test_both_sides_see_the_bytes_of_a_named_object(one: Actor, other: Actor, name: str) -> None:
    assert one.do("memory_create", name, 5000) == "5000"
    assert other.do("memory_open", name) == "5000"
    one.do("memory_write", 0, "from one")
    other.do("memory_write", 4990, "from other")
    assert other.do("memory_read", 0, 8) == "from one"
    assert one.do("memory_read", 4990, 10) == "from other"
    other.do("memory_unlink", name)
    with fails_with(errno.ENOENT):
        one.do("memory_open", name)


@pairs("libc", "os_and_mmap")
def test_both_sides_see_the_bytes_of_a_file(one: Actor, other: Actor, tmp_path: Path) -> None:
    path = tmp_path / "mapped"
    one.do("memory_create_file", path, 100)
    assert other.do("memory_open_file", path) == "100"
    one.do("memory_write", 0, "from one")
    other.do("memory_write", 50, "from other")
    assert other.do("memory_read", 0, 8) == "from one"
    assert one.do("memory_read", 50, 10) == "from other"
    content = path.read_bytes()
    assert (content[:8], content[50:60], len(content)) == (b"from one", b"from other", 100)


@pairs("libc", "os_and_mmap")
def test_an_object_is_created_once(one: Actor, other: Actor, name: str) -> None:
    one.do("memory_create", name, 100)
    with fails_with(errno.EEXIST):
        other.do("memory_create", name, 100)
    other.do("memory_unlink", name)


@pytest.fixture
def half_made(name: str) -> Iterator[str]:
    """An object whose maker has come no further than shm_open(3)."""
    path = f"/dev/shm{name}"
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    yield name
    os.unlink(path)


@faces
def test_an_object_without_a_size_yet_is_refused(one: Actor, half_made: str) -> None:
    with pytest.raises(OSError, match="it is empty"):
        one.do("memory_open", half_made)


@faces
def test_the_shared_memory_of_multiprocessing_is_the_same(one: Actor, name: str) -> None:
    theirs = shared_memory.SharedMemory(name, create=True, size=100)
    try:
        assert one.do("memory_open", name) == "100"
        assert theirs.buf is not None
        theirs.buf[:7] = b"standby"
        assert one.do("memory_read", 0, 7) == "standby"
        one.do("memory_write", 10, "ready")
        assert bytes(theirs.buf[10:15]) == b"ready"
    finally:
        theirs.close()
        theirs.unlink()
