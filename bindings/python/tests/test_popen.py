"""popen(): programs as files."""

import codecs
import csv
import io
import json
import os
import signal
import time
from pathlib import Path
from typing import Any, Literal

import pytest

import unipc
from support import leaving_nothing, python, stays_in_a_system_call, until
from unipc import PIPE, STDOUT, File, popen, shell

pytestmark = pytest.mark.usefixtures("no_traces")


def test_what_a_program_writes_is_read_and_how_it_ended_is_told() -> None:
    stream = popen(shell("echo one; echo two; exit 3"))
    assert stream.read() == "one\ntwo\n"
    assert stream.close().code == 3
    assert stream.close().code == 3
    assert stream.closed
    assert stream.child.status == 3


def test_what_is_written_a_program_reads(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with popen(["tr", "a-z", "A-Z"], "w", stdout=File(path, "w")) as stream:
        print("hello", 7, file=stream)
    assert stream.child.status == 0
    assert path.read_text() == "HELLO 7\n"


def test_both_directions_are_one_stream() -> None:
    with popen(["cat"], "r+") as stream:
        for word in ("question\n", "ünd another\n"):
            stream.write(word)
            stream.flush()
            assert stream.readline() == word
        stream.write("the last")
        stream.finish()
        assert stream.read() == "the last"
        assert not stream.closed
        with pytest.raises(ValueError, match="behind the end"):
            stream.write("x")
        stream.finish()
    assert stream.child.status == 0


def test_a_sorted_answer_comes_after_the_end() -> None:
    with popen(["sort"], "r+b") as stream:
        stream.write(b"b\na\n")
        stream.finish()
        assert stream.read() == b"a\nb\n"
    with popen(["sort"], "r+") as text:
        text.writelines(["b\n", "a\n"])
        text.finish()
        assert list(text) == ["a\n", "b\n"]


@pytest.mark.parametrize(
    ("mode", "kind", "abilities"),
    [
        ("r", unipc.TextStream, (True, False)),
        ("w", unipc.TextStream, (False, True)),
        ("r+", unipc.TextStream, (True, True)),
        ("rb", unipc.ByteReader, (True, False)),
        ("wb", unipc.ByteWriter, (False, True)),
        ("r+b", unipc.ByteDuplex, (True, True)),
        ("rb+", unipc.ByteDuplex, (True, True)),
        ("bw", unipc.ByteWriter, (False, True)),
    ],
)
def test_each_mode_gives_a_file_of_its_kind(
    mode: Any, kind: type, abilities: tuple[bool, bool]
) -> None:
    with popen(["true"], mode) as stream:
        assert type(stream) is kind
        assert isinstance(stream, io.TextIOBase if "b" not in mode else io.BufferedIOBase)
        assert (stream.readable(), stream.writable()) == abilities
        assert not stream.seekable()
        assert not stream.closed
        with pytest.raises(io.UnsupportedOperation):
            stream.seek(1)
        empty: Any = b"" if "b" in mode else ""
        if abilities[1]:
            assert stream.write(empty) == 0
        else:
            with pytest.raises(io.UnsupportedOperation):
                stream.write(empty)
    assert stream.closed
    assert stream.child.status == 0


def test_a_mode_may_be_known_late() -> None:
    for mode in ("r", "rb"):
        with popen(["echo", "hello"], mode) as stream:
            assert stream.read() in ("hello\n", b"hello\n")


def test_what_reads_files_reads_it() -> None:
    with popen(shell("echo '[1, 2]'")) as stream:
        assert json.load(stream) == [1, 2]
    with popen(shell("echo a,b; echo c,d")) as stream:
        assert list(csv.reader(stream)) == [["a", "b"], ["c", "d"]]
    with popen(["head", "-c", "100000", "/dev/zero"], "rb") as stream_of_bytes:
        assert stream_of_bytes.peek(1)[:1] == b"\0"
        assert stream_of_bytes.read() == bytes(100_000)


def test_text_is_as_it_is_asked_for() -> None:
    with popen(["printf", r"\374"], encoding="latin-1") as stream:
        assert stream.encoding == "latin-1"
        assert stream.read() == "ü"
    with popen(["printf", r"\377"], encoding="utf-8", errors="replace") as stream:
        assert stream.read() == "\ufffd"
    with popen(["printf", r"a\r\nb"], newline="") as stream:
        assert stream.read() == "a\r\nb"
    with popen(["printf", r"a\r\nb"]) as stream:
        assert stream.read() == "a\nb"


def test_no_shell_reads_an_argument_vector() -> None:
    with popen(["echo", "$HOME;", "exit 9"]) as stream:
        assert stream.read() == "$HOME; exit 9\n"


def test_a_stream_that_is_closed_early_tells_of_the_sigpipe() -> None:
    stream = popen(["yes"], "rb")
    assert stream.read(4) == b"y\ny\n"
    assert str(stream.close()) == "killed by SIGPIPE"


def test_a_program_that_does_not_read_is_a_broken_pipe_and_no_signal() -> None:
    stream = popen(["true"], "w")
    stream.child.wait()
    stream.write("x")
    with pytest.raises(BrokenPipeError):
        stream.close()
    assert stream.closed
    assert stream.close().success
    binary = popen(["true"], "wb")
    binary.child.wait()
    with pytest.raises(BrokenPipeError), binary:
        binary.write(b"x")
    assert binary.closed


def test_closing_waits_no_longer_than_it_is_told_to() -> None:
    stream = popen(["sleep", "60"])
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        stream.close(timeout=0.05)
    assert time.monotonic() - begin >= 0.05
    assert stream.closed
    with pytest.raises(BlockingIOError):
        stream.close(timeout=0)
    stream.child.kill()
    assert stream.close(timeout=60).signal == signal.SIGKILL


def test_a_block_that_fails_waits_as_well() -> None:
    with pytest.raises(ZeroDivisionError), popen(["cat"], "w", stdout=File("/dev/null", "w")) as f:
        raise ZeroDivisionError
    assert f.child.status == 0
    with pytest.raises(KeyboardInterrupt), popen(["sleep", "60"]) as f:
        raise KeyboardInterrupt
    assert f.child.poll() is None
    f.child.kill()
    f.child.wait()


@pytest.mark.parametrize("mode", ["w", "wb", "r+"])
def test_dropping_a_stream_neither_waits_nor_kills_but_warns(
    mode: Literal["w", "wb", "r+"], tmp_path: Path
) -> None:
    path = tmp_path / "file"
    line = shell(f"cat > /dev/null; sleep 0.05; echo done > {path}")
    stream: Any = popen(line, mode)
    with pytest.warns(ResourceWarning, match="unclosed stream of <unipc.Child /bin/sh"):
        del stream
    until(lambda: path.exists() and path.read_text() == "done\n")


def test_a_command_that_cannot_be_started_is_no_stream() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        popen(["no-such-program-of-unipc"])
    assert caught.value.filename == "no-such-program-of-unipc"
    with pytest.raises(ValueError, match="empty"):
        popen([], "w")
    with pytest.raises(PermissionError):
        popen(["/tmp"], "r+")


@pytest.mark.parametrize("mode", ["", "b", "a", "rw", "w+", "r+b+", "rbb", "R", "x", "rt"])
def test_another_mode_is_a_value_error(mode: Any) -> None:
    with pytest.raises(ValueError, match="mode must be 'r', 'w' or 'r\\+'"):
        popen(["true"], mode)


def test_what_does_not_go_together_is_refused_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "started"
    command = ["touch", str(path)]
    wrong: list[tuple[Any, Any, type[Exception]]] = [
        ("r", {"stdout": PIPE}, ValueError),
        ("w", {"stdin": PIPE}, ValueError),
        ("r+", {"stdin": File("/dev/null")}, ValueError),
        ("rb", {"encoding": "utf-8"}, ValueError),
        ("r", {"encoding": "no-such-encoding"}, LookupError),
        ("r", {"newline": "x"}, ValueError),
        ("r", {"cwd": "/"}, TypeError),
    ]
    for mode, options, kind in wrong:
        with pytest.raises(kind):
            popen(command, mode, **options)
    time.sleep(0.1)
    assert not path.exists()


def test_the_other_streams_stay_as_the_command_sets_them() -> None:
    command = unipc.Command(["sh", "-c", "cat; echo also >&2"], stdin=File("/dev/null"))
    with popen(command, stderr=STDOUT) as stream:
        assert stream.read() == "also\n"


def test_large_data_goes_through_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    data = os.urandom(3_000_000)
    with popen(["cat"], "wb", stdout=File(path, "w")) as stream:
        stream.write(data)
    assert path.read_bytes() == data
    with popen(["cat", path], "rb") as reader:
        assert b"".join(reader) == data


def test_the_encoding_is_that_of_files_unless_it_is_given(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w") as file, popen(["true"]) as stream:
        assert codecs.lookup(stream.encoding) == codecs.lookup(file.encoding)


def test_a_program_that_is_interrupted_while_it_reads_ends() -> None:
    code = """if True:
        import signal, unipc
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with unipc.popen(["sleep", "1000"], dies_with_parent=signal.SIGKILL) as stream:
            print("waiting", flush=True)
            stream.read()
    """
    with python(code) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "waiting\n"
        until(lambda: stays_in_a_system_call(program.pid))
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate()
    assert "KeyboardInterrupt" in errors
    assert program.returncode == -signal.SIGINT


@pytest.mark.parametrize("mode", ["w", "wb", "r+", "r+b"])
@pytest.mark.parametrize("way", ["stream.close()", "stream.__exit__(None, None, None)"])
def test_ctrl_c_ends_a_close_that_waits_for_a_program_that_does_not_read(
    mode: str, way: str
) -> None:
    code = f"""if True:
        import fcntl, signal, unipc
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stream = unipc.popen(["sleep", "1000"], {mode!r}, dies_with_parent=signal.SIGKILL)
        word = bytes if "b" in {mode!r} else "x".__mul__
        with open(f"/proc/{{stream.child.pid}}/fd/0", "rb") as pipe:
            room = fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
        stream.write(word(room))
        stream.flush()
        stream.write(word(100))
        print("closing", flush=True)
        try:
            {way}
        except KeyboardInterrupt:
            print(stream.closed, stream.child.poll(), flush=True)
        stream.child.kill()
        print(stream.close(timeout=60), flush=True)
    """
    with python(code) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "closing\n"
        until(lambda: stays_in_a_system_call(program.pid))
        program.send_signal(signal.SIGINT)
        told, errors = program.communicate()
    assert (told, errors) == ("True None\nkilled by SIGKILL\n", "")


@pytest.mark.parametrize("mode", ["w", "wb", "r+", "r+b"])
def test_dropping_what_a_program_did_not_read_is_silent_as_with_files(mode: Any) -> None:
    stream: Any = popen(["true"], mode)
    stream.child.wait()
    stream.write(b"x" if "b" in mode else "x")
    with pytest.warns(ResourceWarning, match="unclosed stream"):
        del stream  # an exception in it would be an error here


def test_a_thousand_streams_leak_nothing() -> None:
    with leaving_nothing():
        for _ in range(350):
            with popen(["/bin/true"]) as r, popen(["/bin/true"], "wb") as w:
                assert r.read() == ""
            assert w.closed
            popen(["/bin/true"], "r+b").close()
        del r, w
