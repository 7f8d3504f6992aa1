"""FIFOs: unipc, mkfifo(3), Python's os and the shell read and write the same ones."""

import errno
import subprocess
from pathlib import Path

import pytest

from conftest import FACES, SECONDS, Actor, fails_with, pairs

TEXT = "what one writes, the other reads: grüße"

faces = pytest.mark.parametrize("one", FACES, indirect=True)


@pairs("libc", "os_and_mmap")
def test_text_goes_both_ways_whoever_waits(one: Actor, other: Actor, tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    one.do("fifo_create", path)
    for first, second in ((one, other), (other, one)):
        first.begin("fifo_read", path)
        assert first.still_waits()
        second.do("fifo_write", path, TEXT)
        assert first.answer() == TEXT
        first.begin("fifo_write", path, TEXT)
        assert first.still_waits()
        assert second.do("fifo_read", path) == TEXT
        first.answer()


@pairs("libc", "os_and_mmap")
def test_a_fifo_is_created_once(one: Actor, other: Actor, tmp_path: Path) -> None:
    one.do("fifo_create", tmp_path / "fifo")
    with fails_with(errno.EEXIST):
        other.do("fifo_create", tmp_path / "fifo")


@faces
def test_the_shell_writes_and_reads(one: Actor, tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    one.do("fifo_create", path)
    one.begin("fifo_read", path)
    pipeline = "printf 'pear apple fig' | tr ' ' '\\n' | sort | tr '\\n' ' ' > \"$0\""
    subprocess.run(["sh", "-c", pipeline, path], check=True, timeout=SECONDS)
    assert one.answer() == "apple fig pear "
    one.begin("fifo_write", path, TEXT)
    shown = subprocess.run(["cat", path], check=True, timeout=SECONDS, capture_output=True)
    assert shown.stdout.decode() == TEXT
    one.answer()


@faces
def test_a_file_that_is_no_fifo_is_refused(one: Actor, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("kept")
    for verb, more in (("fifo_read", ()), ("fifo_write", ("overwritten",))):
        with pytest.raises(OSError, match="it is no FIFO"):
            one.do(verb, path, *more)
    assert path.read_text() == "kept"
