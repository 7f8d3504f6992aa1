"""Shared memory: the four mappings, names, files, descriptors, views."""

import contextlib
import errno
import mmap
import os
import socket
import stat
from pathlib import Path

import pytest

import unipc
from conftest import Namer
from unipc import Memory, Seal


def in_a_child(work: object) -> None:
    """Runs `work` in a child made by fork, and waits for it."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            assert callable(work)
            work()
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_two_handles_of_a_name_show_the_same_bytes(name: str) -> None:
    with Memory.create(name, 100) as one, Memory.open(name) as two:
        assert (len(one), len(two)) == (100, 100)
        assert one.read() == bytes(100)
        one.write(10, b"shared")
        assert two.read(10, 6) == b"shared"
        assert two.read(94) == bytes(6)
        assert (one.name, one.sharing, one.protection) == (name, "shared", "read-write")


def test_creating_what_exists_is_refused(name: str) -> None:
    Memory.create(name, 1).close()
    with pytest.raises(FileExistsError):
        Memory.create(name, 1)


def test_open_or_create_tells_which_it_did(name: str, tmp_path: Path) -> None:
    for expected in (True, False):
        memory, created = Memory.open_or_create(name, 100)
        with memory:
            assert created is expected
        memory, created = Memory.open_or_create_file(tmp_path / "file", 100)
        with memory:
            assert created is expected


def test_unlink_removes_the_name_and_not_the_bytes(name: str) -> None:
    with Memory.create(name, 10) as memory:
        Memory.unlink(name)
        memory.write(0, b"still here")
        assert memory.read() == b"still here"
    for call in (Memory.open, Memory.unlink):
        with pytest.raises(FileNotFoundError):
            call(name)


def test_leaving_a_with_block_does_not_unlink(name: str) -> None:
    with Memory.create(name, 4) as memory:
        memory.write(0, b"kept")
    with Memory.open(name) as memory:
        assert memory.read() == b"kept"


def test_a_mapping_longer_than_the_object_is_refused(name: str) -> None:
    with Memory.create(name, 100):
        with Memory.open(name, size=50) as part:
            assert len(part) == 50
        with pytest.raises(OSError, match="it has 100 bytes; 101 were asked for") as caught:
            Memory.open(name, size=101)
        assert caught.value.errno == errno.EINVAL


def test_sizes_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(OSError, match="0 bytes cannot be mapped"):
        Memory.create(name, 0)
    with pytest.raises(ValueError, match="from 0 to"):
        Memory.create(name, -1)
    with pytest.raises(ValueError, match="from 0 to"):
        Memory.create(name, 2**64)
    with pytest.raises(FileNotFoundError):
        Memory.open(name)


def test_space_that_is_not_there_is_refused_at_once(name: str) -> None:
    space = os.statvfs("/dev/shm")
    size = (space.f_blocks + 1) * space.f_frsize
    with pytest.raises(OSError, match=f"no space for {size} bytes") as caught:
        Memory.create(name, size)
    assert caught.value.errno == errno.ENOSPC
    with Memory.create(name, 4096) as memory:
        with pytest.raises(OSError, match="no space"):
            memory.resize(size)
        assert len(memory) == 4096


def test_the_umask_applies_to_a_mode_and_not_to_an_exact_one(new_name: Namer) -> None:
    before = os.umask(0o027)
    try:
        masked = Memory.create(new_name(), 1, mode=0o666)
        exact = Memory.create(new_name(), 1, exact_mode=0o666)
    finally:
        os.umask(before)
    with masked, exact:
        assert stat.S_IMODE(os.fstat(masked.fileno()).st_mode) == 0o640
        assert stat.S_IMODE(os.fstat(exact.fileno()).st_mode) == 0o666


def test_ranges_that_do_not_lie_inside_are_refused(name: str) -> None:
    with Memory.create(name, 8) as memory:
        for call in (
            lambda: memory.read(0, 9),
            lambda: memory.read(9),
            lambda: memory.read(5, 2**62),
            lambda: memory.write(7, b"ab"),
            lambda: memory.sync(8, 1),
        ):
            with pytest.raises(OSError, match="do not lie within its 8 bytes") as caught:
                call()
            assert caught.value.errno == errno.ERANGE
            assert caught.value.filename == name
        assert memory.read(8) == b""
        with pytest.raises(ValueError, match="from 0 to"):
            memory.read(-1)


def test_anonymous_shared_memory_is_shared_with_a_child() -> None:
    with Memory.anonymous(100) as memory:
        in_a_child(lambda: memory.write(0, b"from the child"))
        assert memory.read(0, 14) == b"from the child"
        assert memory.name is None
        with pytest.raises(ValueError, match="no descriptor"):
            memory.fileno()


def test_anonymous_private_memory_is_not() -> None:
    with Memory.anonymous(100, sharing="private") as memory:
        memory.write(0, b"the parent's")
        in_a_child(lambda: memory.write(0, b"the child's!"))
        assert memory.read(0, 12) == b"the parent's"


def test_a_shared_file_is_changed_and_a_private_mapping_is_not(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Memory.create_file(path, 10) as shared:
        with Memory.open_file(path, sharing="private") as private:
            private.write(0, b"private")
            assert private.read(0, 7) == b"private"
            assert path.read_bytes() == bytes(10)
        shared.write(0, b"shared")
        shared.sync()
        shared.sync(3)
        shared.sync(3, 2)
        assert path.read_bytes() == b"shared" + bytes(4)
        with pytest.raises(FileExistsError):
            Memory.create_file(path, 10)


def test_read_only_memory_cannot_be_changed(name: str) -> None:
    with Memory.create(name, 8) as writable, Memory.open(name, read_only=True) as memory:
        writable.write(0, b"readable")
        assert memory.read() == b"readable"
        assert memory.read_only
        assert memory.protection == "read"
        with pytest.raises(PermissionError, match="for reading only"):
            memory.write(0, b"x")
        with pytest.raises(PermissionError, match="for reading only"):
            memory.protect("read-write")
        with memoryview(memory) as view:
            assert view.readonly
            with pytest.raises(TypeError):
                view[0] = 1
        reader, writer = unipc.pipe()
        with reader, writer, pytest.raises(TypeError, match="writable"):
            reader.read_into(memory)


def test_a_view_shows_and_changes_the_very_bytes(name: str) -> None:
    with Memory.create(name, 16) as memory, Memory.open(name) as other:
        with memoryview(memory) as view:
            assert (view.nbytes, view.readonly, view.contiguous) == (16, False, True)
            view[0:5] = b"hello"
            assert other.read(0, 5) == b"hello"
            other.write(0, b"J")
            assert bytes(view[:5]) == b"Jello"
            with view.cast("Q") as words:
                words[1] = 7
        assert other.read(8) == (7).to_bytes(8, "little")
        assert bytes(memory)[:5] == b"Jello"
        assert int.from_bytes(memoryview(memory)[8:], "little") == 7


def test_close_resize_and_protect_are_refused_while_views_exist(name: str) -> None:
    memory = Memory.create(name, 16)
    first = memoryview(memory)
    second = first[4:8]
    for call in (memory.close, lambda: memory.resize(32), lambda: memory.protect("read")):
        with pytest.raises(BufferError, match="a view of the memory exists"):
            call()
    third = memoryview(memory)
    with pytest.raises(BufferError, match="2 views"):
        memory.close()
    assert not memory.closed
    second[0] = 1
    for view in (second, first, third):
        view.release()
    memory.resize(32)
    memory.protect("read")
    memory.close()
    assert memory.closed


def test_leaving_a_with_block_with_a_view_is_a_buffer_error(name: str) -> None:
    with pytest.raises(BufferError), Memory.create(name, 16) as memory:
        view = memoryview(memory)
    view.release()
    memory.close()


def test_a_view_outlives_the_name_of_its_memory(name: str) -> None:
    view = memoryview(Memory.create(name, 4))
    Memory.unlink(name)
    view[:] = b"here"
    assert bytes(view) == b"here"
    with pytest.warns(ResourceWarning, match=r"unclosed <unipc\.Memory"):
        view.release()


def test_memory_can_grow_and_shrink(name: str) -> None:
    with Memory.create(name, 10) as memory:
        memory.write(0, b"0123456789")
        memory.resize(100_000)
        assert len(memory) == 100_000
        assert memory.read(0, 12) == b"0123456789\0\0"
        with Memory.open(name) as other:
            assert len(other) == 100_000
        memory.resize(5)
        assert memory.read() == b"01234"
        with pytest.raises(OSError, match="0 bytes"):
            memory.resize(0)
    with Memory.anonymous(10) as memory, pytest.raises(OSError, match="keeps its length") as caught:
        memory.resize(20)
    assert caught.value.errno == errno.EOPNOTSUPP


def test_protection_forbids_and_allows() -> None:
    with Memory.anonymous(10) as memory:
        memory.protect("none")
        assert memory.protection == "none"
        for call in (memory.read, lambda: memory.write(0, b"x")):
            with pytest.raises(PermissionError, match="protection forbids"):
                call()
        with pytest.raises(BufferError, match="none"):
            memoryview(memory)
        memory.protect("read")
        assert memory.read() == bytes(10)
        memory.protect("read-write")
        memory.write(0, b"x")
        with pytest.raises(ValueError, match="'none' or 'read' or 'read-write'"):
            memory.protect("write")  # type: ignore[arg-type]


def test_memory_keeps_its_size_while_a_semaphore_lives_in_it() -> None:
    with Memory.memfd("with semaphore", 4096) as memory:
        with contextlib.closing(unipc.Semaphore.init_in(memory)):
            with pytest.raises(OSError, match="a semaphore lives in it") as caught:
                memory.resize(8192)
            assert caught.value.errno == errno.EBUSY
        memory.resize(8192)


def test_a_memfd_can_be_sealed() -> None:
    with Memory.memfd("sealed", 4096) as memory:
        assert memory.seals == Seal(0)
        memory.seal(Seal.GROW | Seal.SHRINK)
        assert memory.seals is Seal.GROW | Seal.SHRINK
        for size in (1, 8192):
            with pytest.raises(PermissionError, match="seal"):
                memory.resize(size)
        with pytest.raises(OSError, match="writable once") as caught:
            memory.seal(Seal.WRITE)
        assert caught.value.errno == errno.EBUSY
        memory.seal(Seal.FUTURE_WRITE | Seal.SEAL)
        with pytest.raises(PermissionError):
            memory.seal(Seal.WRITE)
        with pytest.raises(ValueError, match=r"unipc\.Seal"):
            memory.seal(0x1000)
        memory.write(0, b"this mapping still may")


def test_only_a_memfd_can_be_sealed(name: str) -> None:
    with Memory.create(name, 10) as named, Memory.anonymous(10) as anonymous:
        assert named.seals is Seal.SEAL
        with pytest.raises(PermissionError, match="no seal can be added"):
            named.seal(Seal.GROW)
        for call in (lambda: anonymous.seals, lambda: anonymous.seal(Seal.GROW)):
            with pytest.raises(OSError, match="only a memfd") as caught:
                call()
            assert caught.value.errno == errno.EINVAL


def test_a_descriptor_sent_through_a_socket_maps_the_same_bytes() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Memory.memfd("sent", 4096) as memory:
        socket.send_fds(ours, [b"x"], [memory.fileno()])
        _, [fd], _, _ = socket.recv_fds(theirs, 1, 1)
        with Memory.from_fd(fd, size=100) as other:
            assert other.fileno() == fd
            assert len(other) == 100
            other.write(0, b"the same")
        assert memory.read(0, 8) == b"the same"


def test_a_descriptor_that_cannot_be_mapped_is_refused_and_stays_open() -> None:
    reader, writer = os.pipe()
    try:
        with pytest.raises(OSError, match="no regular file") as caught:
            Memory.from_fd(reader)
        assert caught.value.errno == errno.EINVAL
        os.fstat(reader)
    finally:
        os.close(reader)
        os.close(writer)


def test_the_same_bytes_are_there_for_mmap(name: str) -> None:
    with Memory.create(name, 4096) as memory:
        with mmap.mmap(memory.fileno(), 4096) as stranger:
            stranger[:5] = b"hello"
            assert memory.read(0, 5) == b"hello"


def test_bytes_can_be_copied_from_a_view_of_the_same_memory() -> None:
    with Memory.anonymous(100) as memory:
        memory.write(0, bytes(range(100)))
        with memoryview(memory) as view:
            memory.write(10, view[:90])
        assert memory.read() == bytes(range(10)) + bytes(range(90))
