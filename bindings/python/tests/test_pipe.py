"""Pipes: both ends, full and partial transfers, flags, redirection, moving without a copy."""

import contextlib
import errno
import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import unipc
from support import Ends, Waiting, fill


def test_what_is_written_is_read_in_order(ends: Ends) -> None:
    reader, writer = ends
    assert writer.write(b"hello ") == 6
    assert writer.write(b"world") == 5
    assert reader.available == 11
    assert reader.read(5) == b"hello"
    assert reader.read(100) == b" world"


def test_a_read_takes_what_is_there_and_does_not_wait_for_more(ends: Ends) -> None:
    reader, writer = ends
    for size in (1, 256, 257, 4096, 70_000):
        writer.write(b"abc")
        assert reader.read(max(size, 3)) == b"abc"


def test_the_end_of_file_comes_when_the_last_writer_is_closed(ends: Ends) -> None:
    reader, writer = ends
    with writer.dup() as second:
        writer.write(b"x")
        writer.close()
        assert reader.read(10) == b"x"
        with pytest.raises(BlockingIOError):
            reader.read(10, timeout=0)
        second.close()
    assert reader.read(10) == b""
    assert reader.read_full(10) == b""
    assert reader.read_into(bytearray(10)) == 0


def test_a_read_without_a_size_reads_to_the_end_of_file(ends: Ends) -> None:
    reader, writer = ends
    data = os.urandom(300_000)

    def write() -> None:
        with writer:
            writer.write_full(data)

    with Waiting(write):
        assert reader.read() == data


def test_reading_nothing_gives_nothing_and_does_not_wait(ends: Ends) -> None:
    reader, writer = ends
    assert reader.read(0) == b""
    assert reader.read_full(0) == b""
    assert writer.write(b"") == 0


def test_a_full_read_gathers_the_pieces(ends: Ends) -> None:
    reader, writer = ends
    with Waiting(lambda: reader.read_full(6)) as waiting:
        writer.write(b"abc")
        writer.write(b"defgh")
    assert waiting.result == b"abcdef"
    assert reader.read(10) == b"gh"


def test_a_full_read_is_short_at_the_end_of_file_only(ends: Ends) -> None:
    reader, writer = ends
    writer.write(b"abc")
    writer.close()
    assert reader.read_full(6) == b"abc"


@pytest.mark.parametrize("size", [6, -1])
def test_a_read_that_fails_halfway_loses_nothing(ends: Ends, size: int) -> None:
    reader, writer = ends
    writer.write(b"abc")
    with pytest.raises(TimeoutError) as caught:
        reader.read(-1, timeout=0.01) if size < 0 else reader.read_full(size, timeout=0.01)
    assert getattr(caught.value, "partial") == b"abc"  # noqa: B009
    assert getattr(caught.value, "transferred") == 3  # noqa: B009


def test_a_full_write_writes_more_than_the_pipe_holds(ends: Ends) -> None:
    reader, writer = ends
    data = os.urandom(1_000_000)
    with Waiting(lambda: writer.write_full(data)) as waiting:
        assert reader.read_full(len(data)) == data
    assert waiting.error is None


def test_a_full_write_that_times_out_tells_how_much_went(ends: Ends) -> None:
    _, writer = ends
    with pytest.raises(TimeoutError) as caught:
        writer.write_full(bytes(1_000_000), timeout=0.01)
    assert getattr(caught.value, "transferred") == writer.capacity  # noqa: B009


def test_a_timeout_ends_a_wait_no_earlier(ends: Ends) -> None:
    reader, writer = ends
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        reader.read(1, timeout=0.1)
    assert time.monotonic() - begin >= 0.1
    fill(writer)
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        writer.write(b"x", timeout=0.1)
    assert time.monotonic() - begin >= 0.1


def test_a_timeout_of_zero_does_not_wait(ends: Ends) -> None:
    reader, writer = ends
    with pytest.raises(BlockingIOError) as caught:
        reader.read(1, timeout=0)
    assert caught.value.errno == errno.EAGAIN
    fill(writer)
    with pytest.raises(BlockingIOError):
        writer.write(b"x", timeout=0)
    assert not reader.nonblocking


def test_a_write_of_up_to_pipe_buf_bytes_goes_whole_or_not_at_all(ends: Ends) -> None:
    reader, writer = ends
    fill(writer)
    assert len(reader.read(100)) == 100
    with pytest.raises(BlockingIOError):
        writer.write(bytes(unipc.PIPE_BUF), timeout=0)
    with pytest.raises(TimeoutError):
        writer.write(bytes(unipc.PIPE_BUF), timeout=0.01)


def test_writing_where_nobody_reads_is_a_broken_pipe(ends: Ends) -> None:
    reader, writer = ends
    reader.close()
    with pytest.raises(BrokenPipeError):
        writer.write(b"x")
    with pytest.raises(BrokenPipeError):
        writer.write_full(b"x" * 100_000)


def test_the_capacity_can_be_set(ends: Ends) -> None:
    reader, writer = ends
    assert reader.capacity == 65536
    reader.capacity = 100_000
    assert writer.capacity == 131_072
    with pytest.raises(ValueError, match="from 0 to"):
        reader.capacity = -1
    writer.write(bytes(100_000))
    with pytest.raises(OSError, match="more than 4096 bytes stand in it") as caught:
        writer.capacity = 4096
    assert caught.value.errno == errno.EBUSY


def test_a_nonblocking_end_does_not_wait_without_a_timeout(ends: Ends) -> None:
    reader, writer = ends
    reader.nonblocking = writer.nonblocking = True
    assert reader.nonblocking
    assert not os.get_blocking(writer.fileno())
    with pytest.raises(BlockingIOError):
        reader.read(1)
    fill(writer)
    with pytest.raises(BlockingIOError):
        writer.write(b"x")
    reader.nonblocking = False
    assert os.get_blocking(reader.fileno())


def test_the_ends_are_close_on_exec_until_they_are_made_inheritable(ends: Ends) -> None:
    for end in ends:
        assert not end.inheritable
        assert not os.get_inheritable(end.fileno())
        end.inheritable = True
        assert os.get_inheritable(end.fileno())


def test_an_end_that_was_inherited_across_exec_is_taken_over(ends: Ends) -> None:
    reader, writer = ends
    code = "import sys, unipc; unipc.PipeWriter.from_fd(int(sys.argv[1])).write_full(b'inherited')"
    fd = writer.fileno()
    subprocess.run([sys.executable, "-c", code, str(fd)], pass_fds=[fd], check=True)
    writer.close()
    assert reader.read() == b"inherited"


def test_a_descriptor_that_is_no_end_is_refused_and_stays_open(ends: Ends) -> None:
    reader, writer = ends
    with pytest.raises(OSError, match="not open for this direction") as caught:
        unipc.PipeReader.from_fd(writer.fileno())
    assert caught.value.errno == errno.EBADF
    writer.write(b"still open")
    with open("/dev/null") as file:
        with pytest.raises(OSError, match="no pipe") as caught:
            unipc.PipeReader.from_fd(file.fileno())
        assert caught.value.errno == errno.EINVAL
        os.fstat(file.fileno())
    with pytest.raises(OSError, match="the descriptor is closed"):
        unipc.PipeReader.from_fd(1_000_000)
    with pytest.raises(ValueError, match="fd must be 0 to"):
        unipc.PipeReader.from_fd(-1)
    fd = os.dup(reader.fileno())
    with unipc.PipeReader.from_fd(fd) as taken:
        assert taken.fileno() == fd
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_redirected_stream_comes_back() -> None:
    code = """if True:
        import sys, unipc
        reader, writer = unipc.pipe()
        with reader, writer:
            print("before")
            with writer.redirect("stdout"):
                print("within")
            print("after", reader.read(100))
            redirection = writer.redirect(2)
            print("an error", file=sys.stderr)
            redirection.restore()
            redirection.restore()
            print(reader.read(100))
            with reader.redirect("stdin"):
                writer.write(b"a line\\n")
                print(input())
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "before\nafter b'within\\n'\nb'an error\\n'\na line\n"
    assert done.stderr == ""


def test_a_child_writes_to_the_redirected_stream(ends: Ends) -> None:
    reader, writer = ends
    with writer.redirect("stdout"):
        subprocess.run(["echo", "from the child"], check=True)
    assert reader.read(100) == b"from the child\n"


def test_a_redirection_can_be_kept() -> None:
    code = """if True:
        import os, unipc
        reader, writer = unipc.pipe()
        with reader, writer:
            with writer.redirect(1) as redirection:
                redirection.keep()
            print("into the pipe", flush=True)
            os.write(2, reader.read(100))
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("", "into the pipe\n")


def test_only_standard_streams_are_redirected(ends: Ends) -> None:
    with pytest.raises(ValueError, match="'stdin' or 'stdout' or 'stderr'"):
        ends[1].redirect("output")
    with pytest.raises(ValueError, match="0, 1 or 2"):
        ends[1].redirect(3)


def test_an_end_is_duplicated_onto_a_number(ends: Ends) -> None:
    reader, writer = ends
    number = os.dup(0)
    try:
        writer.duplicate_onto(number)
        assert os.get_inheritable(number)
        os.write(number, b"through the number")
        assert reader.read(100) == b"through the number"
    finally:
        os.close(number)
    with pytest.raises(OSError, match="no descriptor") as caught:
        writer.duplicate_onto(-1)
    assert caught.value.errno == errno.EBADF


def test_bytes_move_from_file_to_pipe_to_file(ends: Ends, tmp_path: Path) -> None:
    reader, writer = ends
    data = os.urandom(10_000)
    (tmp_path / "source").write_bytes(data)
    with open(tmp_path / "source", "rb") as source, open(tmp_path / "target", "wb") as target:
        assert writer.splice_from(source, 20_000) == len(data)
        assert writer.splice_from(source, 20_000) == 0
        assert reader.splice_to(target.fileno(), 20_000) == len(data)
    assert (tmp_path / "target").read_bytes() == data


def test_splicing_waits_like_reading(ends: Ends) -> None:
    reader, writer = ends
    with open("/dev/null", "wb") as null:
        with pytest.raises(TimeoutError):
            reader.splice_to(null, 10, timeout=0.01)
        with pytest.raises(BlockingIOError):
            reader.splice_to(null, 10, timeout=0)
        with Waiting(lambda: reader.splice_to(null, 10)) as waiting:
            writer.write(b"abc")
        assert waiting.result == 3
    with pytest.raises(TypeError, match="fileno"):
        reader.splice_to("no file", 10)  # type: ignore[arg-type]


def test_tee_copies_and_leaves(ends: Ends) -> None:
    reader, writer = ends
    copy, into_copy = unipc.pipe()
    with copy, into_copy:
        writer.write(b"twice")
        assert reader.tee(into_copy, 100) == 5
        assert (reader.read(100), copy.read(100)) == (b"twice", b"twice")


def test_vmsplice_lends_the_pages_of_a_memory(ends: Ends) -> None:
    reader, writer = ends
    with unipc.Memory.anonymous(8192) as memory:
        memory.write(4096, b"lent")
        assert writer.vmsplice(memory, 4096, 4) == 4
        with pytest.raises(OSError, match="do not lie within its 8192 bytes") as caught:
            writer.vmsplice(memory, 8000, 1000)
        assert caught.value.errno == errno.ERANGE
        with pytest.raises(OSError, match="do not lie within"):
            writer.vmsplice(memory, 8193)
    assert reader.read(100) == b"lent"


def test_a_duplex_pair_talks_both_ways() -> None:
    parent, child = unipc.duplex()
    with parent, child:
        parent.write(b"question")
        assert child.read(100) == b"question"
        child.write_full(b"answer")
        assert parent.read_full(6) == b"answer"
        assert isinstance(parent.reader, unipc.PipeReader)
        assert isinstance(child.writer, unipc.PipeWriter)
        child.writer.close()
        assert parent.read() == b""
        assert not child.closed
    assert parent.closed
    assert child.reader.closed


def test_a_descriptor_serves_pythons_own_files(ends: Ends) -> None:
    reader, writer = ends
    with io.open(os.dup(writer.fileno()), "w") as file:  # noqa: UP020
        file.write("a line\n")
    writer.close()
    assert reader.read() == b"a line\n"


def test_many_threads_share_the_ends(ends: Ends) -> None:
    reader, writer = ends
    counts = [0] * 4

    def read(index: int) -> None:
        while piece := reader.read(1000):
            counts[index] += len(piece)

    def write() -> None:
        for _ in range(500):
            writer.write_full(b"x" * 100)

    readers = [threading.Thread(target=read, args=(index,)) for index in range(4)]
    writers = [threading.Thread(target=write) for _ in range(4)]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    writer.close()
    for thread in readers:
        thread.join()
    assert sum(counts) == 4 * 500 * 100


def test_a_fork_inherits_the_ends(ends: Ends) -> None:
    reader, writer = ends
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            reader.close()
            writer.write(b"from the child")
            os._exit(0)
        os._exit(1)
    writer.close()
    assert reader.read() == b"from the child"
    assert os.waitpid(child, 0)[1] == 0


REDIRECTED = """if True:
    import gc, os, sys, unipc, warnings
    reader, writer = unipc.pipe()
    sys.stdout.close() if sys.argv[1] == "closed" else None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        redirection = writer.redirect("stdout")
        os.write(1, b"through the pipe")
        if sys.argv[1] == "dropped":
            del redirection
        else:
            redirection.restore()
            del redirection
    assert reader.read(100) == b"through the pipe"
    os.write(1, b"and back")
    assert [str(warning.message) for warning in caught] == (
        ["unrestored <unipc.Redirection of stdout>"] if sys.argv[1] == "dropped" else []
    )
    reader.close(), writer.close()
"""


@pytest.mark.parametrize("case", ["dropped", "restored", "closed"])
def test_a_redirection_ends_and_warns_when_nobody_ended_it(case: str) -> None:
    command = [sys.executable, "-c", REDIRECTED, case]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == "and back"
