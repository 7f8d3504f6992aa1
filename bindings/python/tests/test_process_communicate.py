"""communicate(): any amount of data in both directions, timeouts, and going on."""

import errno
import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import unipc
from support import FUTEXES, Waiting, exited, killed, pattern, until
from unipc import NULL, PIPE, STDOUT, Child, shell, spawn

pytestmark = pytest.mark.usefixtures("no_traces")


def talker(line: str, **options: Any) -> Child:
    return spawn(shell(line), **({"stdin": PIPE, "stdout": PIPE, "stderr": PIPE} | options))


class Gate:
    """What a line of the shell waits for until it is opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.wait = f"until [ -e {path} ]; do sleep 0.01; done"

    def open(self) -> None:
        self._path.touch()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")


def end(child: Child) -> None:
    """Ends one that is left running, and what it has of pipes."""
    child.kill()
    with child:
        pass


def test_any_amount_goes_in_and_comes_out_of_both_outputs() -> None:
    data = pattern(8 << 20)
    with talker("tee /dev/stderr") as child:
        output = child.communicate(data)
    assert output.stdout == data
    assert output.stderr == data
    assert output.status.success
    assert output == (data, data, output.status)


def test_who_writes_before_reading_is_no_deadlock() -> None:
    data = pattern(4 << 20)
    filled = "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2"
    with talker(f"{filled}; cat; {filled}") as child:
        stdout, stderr, _ = child.communicate(data)
    assert stdout == bytes(1_000_000) + data + bytes(1_000_000)
    assert stderr == bytes(2_000_000)


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
def test_any_buffer_is_an_input(wrap: Any) -> None:
    with talker("cat") as child:
        assert child.communicate(wrap(b"hello")).stdout == b"hello"
    with unipc.Memory.anonymous(4096) as memory, talker("wc -c") as child:
        assert child.communicate(memory).stdout == b"4096\n"


def test_text_is_no_input() -> None:
    text: Any = "hello"
    with talker("cat") as child:
        with pytest.raises(TypeError):
            child.communicate(text)


@pytest.mark.parametrize("data", [None, b""])
def test_no_input_is_the_end_of_file(data: bytes | None) -> None:
    with talker("wc -c") as child:
        assert child.communicate(data).stdout == b"0\n"


def test_without_pipes_it_waits() -> None:
    with spawn(shell("exit 4")) as child:
        assert child.communicate() == (b"", b"", exited(4))
        assert child.communicate() == (b"", b"", exited(4))


def test_merged_errors_come_with_the_output() -> None:
    with talker("echo one; echo two >&2", stderr=STDOUT) as child:
        assert child.communicate() == (b"one\ntwo\n", b"", exited(0))


def test_input_for_which_there_is_no_pipe_is_a_value_error() -> None:
    with spawn(["true"], stdin=NULL) as child:
        with pytest.raises(ValueError, match="standard input is no pipe"):
            child.communicate(b"lost")


def test_a_reader_that_leaves_early_is_no_error() -> None:
    data = pattern(4 << 20)
    with talker("head -c 10") as child:
        assert child.communicate(data) == (data[:10], b"", exited(0))
    with talker("exec <&-; sleep 0.1; echo late") as child:
        assert child.communicate(data).stdout == b"late\n"


def test_a_reader_that_leaves_early_is_no_signal_where_sigpipe_would_kill() -> None:
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        with talker("head -c 10") as child:
            assert len(child.communicate(bytes(4 << 20)).stdout) == 10
    finally:
        signal.signal(signal.SIGPIPE, before)


def test_the_pipes_are_closed_afterwards() -> None:
    child = talker("cat")
    ends = (child.stdin, child.stdout, child.stderr)
    child.communicate(b"x")
    assert all(end is not None and end.closed for end in ends)


def test_what_was_written_and_read_before_goes_before() -> None:
    with talker("cat; echo err >&2") as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"first ")
        assert child.stdout.read_full(6) == b"first "
        child.stdin.write(b"then ")
        assert child.communicate(b"last") == (b"then last", b"err\n", exited(0))


def test_a_pipe_that_its_user_closed_stays_closed() -> None:
    with talker("cat; echo done") as child:
        assert child.stdin is not None
        assert child.stderr is not None
        child.stdin.close()
        child.stderr.close()
        assert child.communicate() == (b"done\n", b"", exited(0))
    with talker("cat") as child:
        assert child.stdin is not None
        child.stdin.close()
        with pytest.raises(ValueError, match="standard input is no pipe"):
            child.communicate(b"x")


def test_what_was_read_before_the_timeout_comes_with_it_and_again_at_the_end(gate: Gate) -> None:
    data = pattern(300_000)
    with talker(f"echo first; echo complaint >&2; {gate.wait}; cat") as child:
        heard: Any = None
        while heard is None or not (heard.stdout and heard.stderr):
            begin = time.monotonic()
            with pytest.raises(TimeoutError) as caught:
                child.communicate(data, timeout=0.05)
            assert time.monotonic() - begin >= 0.05
            heard = caught.value
            assert heard.errno == errno.ETIMEDOUT
            assert heard.transferred == 65536  # what a pipe holds
        assert (heard.stdout, heard.stderr) == (b"first\n", b"complaint\n")
        assert child.stdout is not None
        assert not child.stdout.closed
        gate.open()
        stdout, stderr, status = child.communicate(data)
        assert stdout == b"first\n" + data
        assert stderr == b"complaint\n"
        assert status.success


def test_between_two_calls_the_pipes_are_the_callers(gate: Gate) -> None:
    with talker(f"{gate.wait}; cat") as child:
        with pytest.raises(TimeoutError):
            child.communicate(b"", timeout=0.01)
        # Its input has ended, for there was none.
        assert child.stdin is not None
        assert child.stdin.closed
        gate.open()
        assert child.stdout is not None
        assert child.stdout.read() == b""


def test_a_child_that_neither_reads_nor_writes_is_left_at_the_timeout() -> None:
    child = talker("exec sleep 1000")
    with pytest.raises(TimeoutError) as caught:
        child.communicate(bytes(1 << 20), timeout=0.05)
    told: Any = caught.value
    assert (told.stdout, told.stderr, told.transferred) == (b"", b"", 65536)
    child.kill()
    assert child.communicate(bytes(1 << 20)) == (b"", b"", killed(9))


def test_outputs_that_never_pause_do_not_keep_it_beyond_the_timeout() -> None:
    child = talker("exec yes", stdin=NULL)
    assert child.stdout is not None
    assert child.stdout.read(2) == b"y\n"
    with pytest.raises(TimeoutError) as caught:
        child.communicate(timeout=0.01)
    told: Any = caught.value
    assert told.stdout.startswith(b"y\ny\n")
    end(child)


def test_without_waiting_it_moves_what_can_be_moved() -> None:
    data = pattern(1 << 20)
    with talker("cat") as child:
        went = 0
        while True:
            try:
                output = child.communicate(data, timeout=0)
                break
            except BlockingIOError as error:
                told: Any = error
                assert told.transferred >= went
                went = told.transferred
    assert output.stdout == data


def test_another_input_than_the_one_that_was_begun_with_is_refused_where_it_shows() -> None:
    child = talker("exec sleep 1000")
    with pytest.raises(TimeoutError):
        child.communicate(bytes(1 << 20), timeout=0.02)
    with pytest.raises(ValueError, match="the input is shorter"):
        child.communicate(bytes(10))
    end(child)


def test_a_grandchild_that_keeps_the_output_open_does_not_hold_the_timeout() -> None:
    child = spawn(shell("echo out; sleep 1000 &"), stdout=PIPE, group="own")
    child.wait()
    with pytest.raises(TimeoutError) as caught:
        child.communicate(timeout=0.05)
    told: Any = caught.value
    assert told.stdout == b"out\n"
    child.signal_group(signal.SIGKILL)
    assert child.communicate() == (b"out\n", b"", exited(0))


def test_other_threads_wait_signal_and_kill_meanwhile() -> None:
    child = talker("trap 'echo caught; exit 3' USR1; echo ready; while :; do sleep 0.01; done")
    with Waiting(child.communicate) as talking, Waiting(child.wait) as waiting:
        time.sleep(0.05)  # until the trap is set, or the signal kills: either ends it
        child.signal(signal.SIGUSR1)
    assert isinstance(talking.result, unipc.Output)
    assert talking.result.status == waiting.result
    child = talker("exec sleep 1000")
    with Waiting(child.communicate) as talking:
        child.kill()
    assert talking.result == (b"", b"", killed(9))


def test_two_at_once_cannot_communicate_and_none_while_another_reads() -> None:
    child = talker("exec sleep 1000")
    out = child.stdout
    assert out is not None
    with Waiting(child.communicate):
        until(lambda: out.closed)
        with pytest.raises(ValueError, match="somebody communicates already"):
            child.communicate()
        child.kill()
    child = talker("exec sleep 1000")
    assert child.stdout is not None
    with Waiting(child.stdout.read) as reading:
        until(lambda: reading.system_call() not in FUTEXES | {"running"})  # has the GIL no more
        with pytest.raises(ValueError, match="another thread waits at one of its pipes"):
            child.communicate()
        assert child.stdin is not None
        assert not child.stdin.closed
        child.kill()
    with child:
        assert child.communicate().status == -9


@pytest.fixture
def alarm() -> Iterator[list[int]]:
    """Runs a handler every 10 ms; at number 3 it raises."""
    calls: list[int] = []

    def handler(number: int, frame: object) -> None:
        calls.append(number)
        if len(calls) == 3:
            raise KeyError("the handler's own")

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    yield calls
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_handler_that_raises_ends_it_and_nothing_is_lost(gate: Gate, alarm: list[int]) -> None:
    data = pattern(300_000)
    with talker(f"{gate.wait}; cat") as child:
        with pytest.raises(KeyError, match="the handler's own") as caught:
            child.communicate(data)
        told: Any = caught.value
        assert told.stdout == b""
        assert told.transferred <= 65536
        gate.open()
        assert child.communicate(data).stdout == data
    assert len(alarm) >= 3


def test_a_handler_that_raises_while_bytes_flow_loses_none_of_them() -> None:
    def handler(number: int, frame: object) -> None:
        raise KeyError("the handler's own")

    size = 64 << 20
    child = spawn(["head", "-c", str(size), "/dev/zero"], stdout=PIPE)
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.005)
    try:
        with pytest.raises(KeyError, match="the handler's own") as caught:
            child.communicate()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    told: Any = caught.value
    output = child.communicate()
    assert output.stdout.startswith(told.stdout)
    assert len(output.stdout) == size
    assert output.status.success


def test_a_handler_may_not_communicate_itself_but_kill(gate: Gate) -> None:
    child = talker("exec sleep 1000")
    refused: list[str] = []

    def handler(number: int, frame: object) -> None:
        try:
            child.communicate()
        except ValueError as error:
            refused.append(str(error))
        child.kill()

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        assert child.communicate().status == -9
    finally:
        signal.signal(signal.SIGALRM, before)
    assert refused == ["somebody communicates already"]


def test_it_leaves_the_mode_of_the_pipes_alone() -> None:
    # O_NONBLOCK is shared with the child, which would find it in its own standard streams.
    line = "cat; for n in 0 1 2; do sed -n 's/^flags:[^0]*//p' /proc/$$/fdinfo/$n; done"
    with talker(line) as child:
        flags = child.communicate(b"").stdout.split()
    assert len(flags) == 3
    assert all(int(flag, 8) & os.O_NONBLOCK == 0 for flag in flags)


def test_it_works_beyond_the_number_1024() -> None:
    numbers = [fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3) for _ in range(1100)]
    try:
        with talker("cat") as child:
            assert child.fileno() > 1024
            assert child.communicate(b"hello").stdout == b"hello"
    finally:
        for number in numbers:
            os.close(number)


def test_other_threads_run_meanwhile() -> None:
    ticks = 0
    done = False

    def tick() -> None:
        nonlocal ticks
        while not done:
            ticks += 1
            time.sleep(0)

    thread = threading.Thread(target=tick)
    thread.start()
    child = talker("exec sleep 1000")
    try:
        before = ticks
        with pytest.raises(TimeoutError):
            child.communicate(timeout=0.1)
        assert ticks - before > 10
    finally:
        done = True
        thread.join()
        end(child)


def test_the_status_is_what_subprocess_says_of_the_same() -> None:
    for line in ("exit 3", "kill -9 $$", "cat"):
        theirs = subprocess.run(line, shell=True, input=b"hello", capture_output=True)
        with talker(line) as child:
            ours = child.communicate(b"hello")
        assert (ours.stdout, ours.status.returncode) == (theirs.stdout, theirs.returncode)


def test_output_beyond_the_limit_is_an_error_that_keeps_it() -> None:
    child = talker("exec yes", stdin=NULL)
    with pytest.raises(OSError, match="more came out of it than the limit") as caught:
        child.communicate(limit=1000)
    told: Any = caught.value
    assert told.errno == errno.EMSGSIZE
    assert 1000 < len(told.stdout) <= 1000 + (1 << 20)
    with pytest.raises(OSError, match="limit"):  # what was kept counts
        child.communicate(limit=1000)
    end(child)
    with talker("head -c 1000 /dev/zero; head -c 1000 /dev/zero >&2") as child:
        assert child.communicate(limit=1000).stderr == bytes(1000)
    with pytest.raises(ValueError, match="whole number"), talker("true") as child:
        child.communicate(limit=-1)


def test_the_end_of_all_that_was_written_comes_at_once() -> None:
    with talker("echo said and done") as child:
        child.wait()
        assert child.communicate(timeout=0).stdout == b"said and done\n"


def test_a_gate_opens(gate: Gate) -> None:
    with talker(gate.wait) as child:
        assert child.poll() is None
        gate.open()
        until(lambda: child.poll() == 0)
