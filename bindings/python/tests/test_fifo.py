"""FIFOs: paths, modes, the rendezvous."""

import errno
import os
import pickle
import stat
import threading
from pathlib import Path

import pytest

import unipc
from support import Waiting
from unipc import Fifo


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fifo"


def test_reader_and_writer_meet(path: Path) -> None:
    with Fifo.create(path) as fifo, Waiting(fifo.open_reader) as waiting:
        with fifo.open_writer() as writer:
            writer.write(b"through a path")
    reader = waiting.result
    assert isinstance(reader, unipc.PipeReader)
    with reader:
        assert reader.read() == b"through a path"


def test_a_writer_waits_for_a_reader(path: Path) -> None:
    with Fifo.create(path) as fifo, Waiting(lambda: fifo.open_writer(timeout=60)) as waiting:
        reader = fifo.open_reader()
    assert isinstance(waiting.result, unipc.PipeWriter)
    waiting.result.close()
    reader.close()


def test_creating_what_exists_is_refused(path: Path) -> None:
    Fifo.create(path).close()
    with pytest.raises(FileExistsError) as caught:
        Fifo.create(path)
    assert caught.value.filename == str(path)
    with pytest.raises(FileNotFoundError):
        Fifo.create(path.parent / "no directory" / "fifo")


def test_open_or_create_tells_which_it_did(path: Path) -> None:
    for expected in (True, False):
        fifo, created = Fifo.open_or_create(path)
        fifo.close()
        assert created is expected


def test_the_umask_applies_to_a_mode_and_not_to_an_exact_one(path: Path, tmp_path: Path) -> None:
    exact = tmp_path / "exact"
    before = os.umask(0o027)
    try:
        Fifo.create(path, mode=0o666).close()
        Fifo.create(exact, exact_mode=0o666).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE(exact.stat().st_mode) == 0o666
    with pytest.raises(ValueError, match="not both"):
        Fifo.create(tmp_path / "third", mode=0o600, exact_mode=0o600)
    with pytest.raises(OSError, match="beyond 0o777"):
        Fifo.create(tmp_path / "third", mode=0o1777)


def test_a_path_that_is_no_fifo_is_refused(path: Path) -> None:
    path.write_bytes(b"a file")
    for call in (Fifo.open, Fifo.unlink, Fifo.open_or_create):
        with pytest.raises(OSError, match="no FIFO") as caught:
            call(path)
        assert caught.value.errno == errno.EINVAL
    assert path.read_bytes() == b"a file"
    with pytest.raises(FileNotFoundError):
        Fifo.open(path.parent / "nothing")


def test_opening_at_once_needs_a_reader_for_a_writer_only(path: Path) -> None:
    with Fifo.create(path) as fifo:
        with pytest.raises(OSError, match="nobody has it open for reading") as caught:
            fifo.open_writer(timeout=0)
        assert caught.value.errno == errno.ENXIO
        assert caught.value.filename == str(path)
        with fifo.open_reader(timeout=0) as reader:
            assert reader.read(10) == b""
            with fifo.open_writer(timeout=0) as writer:
                writer.write(b"x")
                assert reader.read(10) == b"x"
                assert not reader.nonblocking
                assert not writer.nonblocking


def test_a_rendezvous_can_time_out(path: Path) -> None:
    with Fifo.create(path) as fifo:
        for call in (fifo.open_reader, fifo.open_writer):
            with pytest.raises(TimeoutError):
                call(timeout=0.02)


def test_several_readers_share_what_several_writers_write(path: Path) -> None:
    with Fifo.create(path) as fifo:
        first = fifo.open_reader(timeout=0)
        second = fifo.open_reader(timeout=0)
        writers = [fifo.open_writer() for _ in range(3)]
        with first, second:
            for writer in writers:
                with writer:
                    writer.write(b"0123456789")
            assert first.read(15) + second.read(15) == b"0123456789" * 3


def test_unlink_removes_the_name_and_not_the_ends(path: Path) -> None:
    with Fifo.create(path) as fifo, fifo.open_reader(timeout=0) as reader:
        with fifo.open_writer() as writer:
            Fifo.unlink(path)
            assert not path.exists()
            writer.write(b"still there")
            assert reader.read(100) == b"still there"
    with pytest.raises(FileNotFoundError):
        Fifo.unlink(path)


def test_strings_and_odd_names_are_paths_too(tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff and 'quotes'")
    with Fifo.create(odd) as fifo:
        assert fifo.path == odd
        assert "unipc.Fifo" in repr(fifo)
    Fifo.unlink(odd)
    with pytest.raises(OSError, match="NUL"):
        Fifo.create(str(tmp_path / "a\0b"))


def test_a_pickled_fifo_is_found_from_another_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Fifo.create("relative") as fifo:
        data = pickle.dumps(fifo)
    monkeypatch.chdir("/")
    with pickle.loads(data) as again, again.open_reader(timeout=0) as reader:
        assert reader.read(1) == b""


def test_the_gil_is_free_while_a_rendezvous_waits(path: Path) -> None:
    readers: list[unipc.PipeReader] = []
    with Fifo.create(path) as fifo:
        threads = [
            threading.Thread(target=lambda t=t: readers.append(fifo.open_reader(timeout=t)))
            for t in (None, 60)
        ]
        for thread in threads:
            thread.start()
        with fifo.open_writer():
            for thread in threads:
                thread.join()
    for reader in readers:
        reader.close()
    assert len(readers) == 2
