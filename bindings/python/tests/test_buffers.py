"""Any contiguous buffer in, any writable contiguous buffer out."""

import array
import ctypes
import mmap
from collections.abc import Callable
from typing import Any

import pytest

import unipc
from support import Ends

TEXT = b"0123456789abcdef"


def mapped() -> mmap.mmap:
    area = mmap.mmap(-1, len(TEXT))
    area[:] = TEXT
    return area


def in_memory() -> memoryview:
    view = memoryview(unipc.Memory.anonymous(4096))
    view[100:116] = TEXT
    return view[100:116]


BUFFERS: dict[str, Callable[[], Any]] = {
    "bytes": lambda: TEXT,
    "bytearray": lambda: bytearray(TEXT),
    "memoryview": lambda: memoryview(bytearray(b"xx" + TEXT + b"xx"))[2:-2],
    "array": lambda: array.array("I", TEXT),
    "ctypes": lambda: (ctypes.c_uint16 * 8).from_buffer_copy(TEXT),
    "mmap": mapped,
    "two dimensions": lambda: memoryview(bytearray(TEXT)).cast("B", (4, 4)),
    "shared memory": in_memory,
}
every_buffer = pytest.mark.parametrize("kind", BUFFERS)
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <unipc.Memory:ResourceWarning")


@every_buffer
def test_any_contiguous_buffer_goes_in(kind: str, ends: Ends, queue: unipc.Queue) -> None:
    reader, writer = ends
    data = BUFFERS[kind]()
    assert writer.write(data) == len(TEXT)
    writer.write_full(data)
    assert reader.read(100) == TEXT * 2
    queue.send(data)
    assert queue.receive().data == TEXT
    with unipc.Memory.anonymous(100) as memory:
        memory.write(50, data)
        assert memory.read(50, 16) == TEXT


@pytest.mark.parametrize("kind", [kind for kind in BUFFERS if kind != "bytes"])
def test_any_writable_contiguous_buffer_is_filled(
    kind: str, ends: Ends, queue: unipc.Queue
) -> None:
    reader, writer = ends
    buffer = BUFFERS[kind]()
    writer.write(TEXT[::-1])
    assert reader.read_into(buffer) == 16
    assert bytes(buffer) == TEXT[::-1]
    queue.send(b"short")
    with pytest.raises(OSError, match="64 bytes are needed"):
        queue.receive_into(buffer)
    large = bytearray(64)
    assert queue.receive_into(memoryview(large).cast("I")) == (5, 0)
    assert large[:5] == b"short"


def test_a_buffer_with_gaps_is_refused(ends: Ends, queue: unipc.Queue) -> None:
    reader, writer = ends
    gaps = memoryview(bytearray(32))[::2]
    calls: list[Callable[[], object]] = [
        lambda: writer.write(gaps),
        lambda: writer.write_full(gaps),
        lambda: reader.read_into(gaps),
        lambda: queue.send(gaps),
        lambda: queue.receive_into(gaps),
    ]
    for call in calls:
        with pytest.raises(BufferError, match="contiguous"):
            call()


def test_a_buffer_that_may_not_be_written_is_refused(ends: Ends, queue: unipc.Queue) -> None:
    for constant in (b"constant", memoryview(b"constant"), "text", None):
        with pytest.raises(TypeError, match="writable bytes-like object is required, not"):
            ends[0].read_into(constant)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="writable bytes-like object is required, not"):
            queue.receive_into(constant)  # type: ignore[arg-type]


def test_an_empty_buffer_is_a_buffer(ends: Ends, queue: unipc.Queue) -> None:
    for nothing in (b"", bytearray(), memoryview(b""), array.array("d")):
        assert ends[1].write(nothing) == 0
        queue.send(nothing)
        assert queue.receive().data == b""
    assert ends[0].read_into(bytearray()) == 0


def test_a_buffer_is_free_again_after_the_call(ends: Ends, queue: unipc.Queue) -> None:
    data = bytearray(TEXT)
    ends[1].write(data)
    queue.send(data)
    ends[0].read_into(data)
    with pytest.raises(BlockingIOError):
        ends[0].read_into(data, timeout=0)
    data.clear()
