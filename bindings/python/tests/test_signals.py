"""Signals, as PEP 475 has them: a handler runs within a second, and what it does decides."""

import contextlib
import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import unipc
from support import Ends, Waiting, fill, python, stays_in_a_system_call, until


class Interrupted(Exception):
    """What a handler raises."""


@contextlib.contextmanager
def waits(kind: str, name: str, tmp_path: Path) -> Iterator[Callable[..., object]]:
    """A call that waits for ever unless it is given a timeout, for each kind there is."""
    with contextlib.ExitStack() as stack:
        reader, writer = unipc.pipe()
        stack.enter_context(reader)
        stack.enter_context(writer)
        if kind in ("write", "write_full"):
            fill(writer)
            call = getattr(writer, kind)
            yield lambda **keyword: call(b"x", **keyword)
        elif kind in ("read", "read_full"):
            call = getattr(reader, kind)
            yield lambda **keyword: call(1, **keyword)
        elif kind == "read_all":
            writer.write(b"not the end")
            yield lambda **keyword: reader.read(**keyword)
        elif kind == "splice":
            null = stack.enter_context(open("/dev/null", "wb"))
            yield lambda **keyword: reader.splice_to(null, 1, **keyword)
        elif kind in ("open_reader", "open_writer"):
            yield getattr(stack.enter_context(unipc.Fifo.create(tmp_path / "fifo")), kind)
        elif kind in QUEUE_KINDS:
            what, _, engine = kind.partition(" in ")
            queue = stack.enter_context(
                unipc.Queue.create(name, 1, 16, engine="shm" if engine else "posix")
            )
            if what in ("send", "send_many", "reserve"):
                queue.send(b"")
            calls: dict[str, Callable[..., object]] = {
                "send": lambda **keyword: queue.send(b"", **keyword),
                "send_many": lambda **keyword: queue.send_many([b""], **keyword),
                "reserve": lambda **keyword: queue.reserve(1, **keyword),
                "receive": queue.receive,
                "receive_into": lambda **keyword: queue.receive_into(bytearray(16), **keyword),
                "receive_many": lambda **keyword: queue.receive_many(2, **keyword),
                "borrow": queue.borrow,
            }
            yield calls[what]
        elif kind in PROCESS_KINDS:
            child = unipc.spawn(["sleep", "1000"], stdout=unipc.PIPE)
            running = unipc.Pipeline(["sleep", "1000"], ["cat"], stdout=unipc.PIPE).spawn()
            stack.callback(running.__exit__, None, None, None)
            stack.callback(running.signal, signal.SIGKILL)
            stack.callback(child.__exit__, None, None, None)
            stack.callback(child.kill)
            calls = {
                "child": child.wait,
                "communicate": child.communicate,
                "pipeline": running.wait,
                "communicate with pipeline": running.communicate,
            }
            yield calls[kind]
        else:
            yield stack.enter_context(contextlib.closing(unipc.Semaphore.create(name, 0))).wait


PROCESS_KINDS = ["child", "communicate", "pipeline", "communicate with pipeline"]


QUEUE_KINDS = [
    *("send", "receive", "receive_into", "receive_many"),
    *("send in shm", "receive in shm", "receive_into in shm", "receive_many in shm"),
    *("send_many in shm", "reserve in shm", "borrow in shm"),
]
KINDS = [
    "read",
    "read_full",
    "read_all",
    "write",
    "write_full",
    "splice",
    "open_reader",
    "open_writer",
    *QUEUE_KINDS,
    *PROCESS_KINDS,
    "wait",
]


@contextlib.contextmanager
def alarms(handler: Callable[[], None], interval: float) -> Iterator[None]:
    """Runs `handler` on SIGALRM, again and again."""
    before = signal.signal(signal.SIGALRM, lambda number, frame: handler())
    signal.setitimer(signal.ITIMER_REAL, interval, interval)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("timeout", [None, 3600.0])
@pytest.mark.parametrize("kind", KINDS)
def test_a_handler_that_raises_ends_the_wait_at_once(
    kind: str, timeout: float | None, name: str, tmp_path: Path
) -> None:
    def handler() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise Interrupted

    with waits(kind, name, tmp_path) as call, alarms(handler, 0.02), pytest.raises(Interrupted):
        call(timeout=timeout)


@pytest.mark.parametrize("kind", KINDS)
def test_a_handler_that_returns_keeps_the_remaining_time(
    kind: str, name: str, tmp_path: Path
) -> None:
    count = 0

    def handler() -> None:
        nonlocal count
        count += 1

    # If each signal began the time anew, this would never end.
    with waits(kind, name, tmp_path) as call, alarms(handler, 0.01):
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            call(timeout=0.2)
        assert time.monotonic() - begin >= 0.2
    assert count >= 2


@pytest.mark.parametrize("keyword", [{}, {"timeout": 3600.0}, {"deadline": 1e11}])
def test_a_handler_that_returns_lets_the_wait_be_served(
    queue: unipc.Queue, semaphore: unipc.Semaphore, keyword: dict[str, float]
) -> None:
    count = 0

    def handler() -> None:
        nonlocal count
        count += 1
        if count == 3:
            queue.send(b"from the handler")
        if count == 6:
            semaphore.post()

    with alarms(handler, 0.01):
        assert queue.receive(**keyword).data == b"from the handler"
        semaphore.wait(**keyword)
    assert count >= 6


def test_what_was_moved_before_a_handler_raised_is_told(ends: Ends) -> None:
    def handler() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise Interrupted

    reader, writer = ends
    calls: list[Callable[[], object]] = [lambda: reader.read_full(10), reader.read]
    for call in calls:
        writer.write(b"abc")
        with alarms(handler, 0.02), pytest.raises(Interrupted) as caught:
            call()
        assert getattr(caught.value, "partial") == b"abc"  # noqa: B009
    with alarms(handler, 0.02), pytest.raises(Interrupted) as caught:
        writer.write_full(bytes(100_000))
    assert getattr(caught.value, "transferred") == 65536  # noqa: B009


FLOOD = 512 << 20


@contextlib.contextmanager
def flowing(kind: str) -> Iterator[Callable[..., object]]:
    """A call whose bytes never pause, so that it has no reason to sleep."""
    reader, writer = unipc.pipe()
    with reader, writer:
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                piece = bytearray(65536)
                while True:
                    if kind == "write_full":
                        os.read(reader.fileno(), 65536)
                    else:
                        os.write(writer.fileno(), piece)
            os._exit(0)
        try:
            if kind == "write_full":
                # Zeroes that were never written to take no memory.
                with unipc.Memory.anonymous(FLOOD, sharing="private") as memory:
                    yield lambda: writer.write_full(memory)
            elif kind == "read_full":
                yield lambda: reader.read_full(FLOOD)
            else:
                yield reader.read
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


@pytest.mark.parametrize("kind", ["read", "read_full", "write_full"])
def test_a_handler_runs_though_the_bytes_never_pause(kind: str) -> None:
    def handler() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise Interrupted

    with flowing(kind) as call, alarms(handler, 0.01), pytest.raises(Interrupted) as caught:
        call()
    transferred = getattr(caught.value, "transferred")  # noqa: B009
    assert 0 <= transferred < FLOOD
    if kind != "write_full":
        assert getattr(caught.value, "partial") == bytes(transferred)  # noqa: B009


def test_a_timeout_ends_reading_of_bytes_that_never_pause() -> None:
    with flowing("read") as call, pytest.raises(TimeoutError) as caught:
        call(timeout=0.1)
    assert caught.value.errno == errno.ETIMEDOUT
    assert getattr(caught.value, "partial")  # noqa: B009


def test_closing_ends_reading_of_bytes_that_never_pause() -> None:
    with flowing("read") as call, Waiting(call) as waiting:
        call.__self__.close()  # type: ignore[attr-defined]
    assert isinstance(waiting.error, ValueError)


def test_a_handlers_own_timeout_error_comes_through(semaphore: unipc.Semaphore) -> None:
    def handler() -> None:
        raise TimeoutError("the handler's own")

    with alarms(handler, 0.02), pytest.raises(TimeoutError, match="the handler's own"):
        semaphore.acquire(timeout=3600)


def test_nothing_is_lost_when_signals_interrupt_a_transfer() -> None:
    data = os.urandom(3_000_000)
    reader, writer = unipc.pipe()

    def write() -> None:
        with writer:
            for begin in range(0, len(data), 100_000):
                writer.write_full(data[begin : begin + 100_000])
                time.sleep(0.001)

    thread = threading.Thread(target=write)
    with reader, alarms(lambda: None, 0.001):
        thread.start()
        assert reader.read_full(1_000_000) == data[:1_000_000]
        assert reader.read() == data[1_000_000:]
        thread.join()


CTRL_C = """if True:
    import signal, sys, unipc
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be inherited as ignored
    kind, name, engine = sys.argv[1:]
    queue = unipc.Queue.open(name, engine=engine)
    reader, writer = unipc.pipe()
    print("waiting", flush=True)
    if kind == "queue":
        queue.receive()
    elif kind == "borrow":
        queue.borrow()
    elif kind == "pipe":
        reader.read(1)
    elif kind == "child":
        unipc.spawn(["sleep", "1000"], dies_with_parent=9).wait()
    elif kind == "communicate":
        unipc.spawn(["sleep", "1000"], stdout=unipc.PIPE, dies_with_parent=9).communicate()
    elif kind == "pipeline":
        sleep = unipc.Command(["sleep", "1000"], dies_with_parent=9)
        with unipc.Pipeline(sleep, ["cat"], stdout=unipc.PIPE).spawn() as running:
            running.communicate()
    elif kind == "semaphore":
        with unipc.Memory.anonymous(64) as memory:
            unipc.Semaphore.init_in(memory).wait()
    else:
        unipc.Fifo.open(kind).open_reader()
"""


@pytest.mark.parametrize(
    "kind", ["queue", "pipe", "semaphore", "child", "communicate", "pipeline", "fifo"]
)
def test_control_c_ends_a_program_that_waits(kind: str, queue: unipc.Queue, tmp_path: Path) -> None:
    if kind == "fifo":
        kind = str(tmp_path / "fifo")
        unipc.Fifo.create(kind).close()
    with python(CTRL_C, kind, queue.name, queue.engine) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "waiting\n"
        until(lambda: stays_in_a_system_call(program.pid))
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate()
    assert "KeyboardInterrupt" in errors
    assert program.returncode == -signal.SIGINT


@pytest.mark.parametrize("kind", KINDS)
def test_other_threads_run_while_a_call_waits(kind: str, name: str, tmp_path: Path) -> None:
    ticks = 0
    done = False

    def tick() -> None:
        nonlocal ticks
        while not done:
            ticks += 1
            time.sleep(0)

    thread = threading.Thread(target=tick)
    with waits(kind, name, tmp_path) as call:
        thread.start()
        try:
            before = ticks
            with pytest.raises(TimeoutError):
                call(timeout=0.1)
            # With the GIL held throughout, at most the tick that was under way is counted.
            assert ticks - before > 10
        finally:
            done = True
            thread.join()
