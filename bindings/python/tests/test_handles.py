"""What every handle has: closing, warnings, threads, no leaks."""

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import unipc
from support import Ends, Waiting, fill, open_descriptors
from unipc import Fifo, Memory, Queue, Semaphore

Make = Callable[[], Any]


@pytest.fixture(
    params=[
        "reader",
        "writer",
        "fifo",
        "queue",
        "queue in shm",
        "memory",
        "memfd",
        "anonymous",
        "file",
        "semaphore",
        "semaphore in memory",
    ]
)
def make(request: pytest.FixtureRequest, name: str, tmp_path: Path) -> Iterator[Make]:
    """Makes a handle of each kind, anew at each call."""
    with contextlib.ExitStack() as stack:
        reader, writer = unipc.pipe()
        stack.enter_context(reader)
        stack.enter_context(writer)
        memory = stack.enter_context(Memory.anonymous(4096))
        yield {
            "reader": reader.dup,
            "writer": writer.dup,
            "fifo": lambda: Fifo.open_or_create(tmp_path / "fifo")[0],
            "queue": lambda: Queue.open_or_create(name, 1, 16)[0],
            "queue in shm": lambda: Queue.open_or_create(name, 1, 16, engine="shm")[0],
            "memory": lambda: Memory.open_or_create(name, 16)[0],
            "memfd": lambda: Memory.memfd("label", 16),
            "anonymous": lambda: Memory.anonymous(16),
            "file": lambda: Memory.open_or_create_file(tmp_path / "file", 16)[0],
            "semaphore": lambda: Semaphore.open_or_create(name, 0)[0],
            "semaphore in memory": lambda: Semaphore.init_in(memory),
        }[request.param]


def noun(handle: object) -> str:
    kind = type(handle).__name__
    return {"PipeReader": "pipe", "PipeWriter": "pipe", "Fifo": "FIFO"}.get(kind, kind.lower())


def test_closing_twice_is_allowed(make: Make) -> None:
    handle = make()
    assert handle.closed is False
    handle.close()
    handle.close()
    assert handle.closed is True


def test_a_closed_handle_refuses_everything(make: Make, ends: Ends) -> None:
    handle = make()
    handle.close()
    refusal = f"^{noun(handle)} is closed$"
    arguments: dict[str, tuple[object, ...]] = {
        "read_full": (1,),
        "read_into": (bytearray(16),),
        "receive_into": (bytearray(16),),
        "write": (0, b"x") if isinstance(handle, Memory) else (b"x",),
        "write_full": (b"x",),
        "send": (b"x",),
        "send_many": ([b"x"],),
        "receive_many": (1,),
        "reserve": (1,),
        "splice_to": (0, 1),
        "splice_from": (0, 1),
        "tee": (ends[1], 1),
        "redirect": (0,),
        "duplicate_onto": (1000,),
        "notify": (print,),
        "notify_signal": (10,),
        "resize": (1,),
        "protect": ("read",),
        "seal": (1,),
    }
    makers = {"create", "open", "open_or_create", "unlink", "from_fd", "init_in", "open_in"}
    makers |= {"create_file", "open_file", "open_or_create_file", "anonymous", "memfd"}
    tried = 0
    with Memory.anonymous(16) as memory:
        arguments["vmsplice"] = (memory,)
        for member in dir(handle):
            if member.startswith("_") or member in makers | {"close", "closed"} or member.isupper():
                continue
            with pytest.raises(ValueError, match=refusal):
                getattr(handle, member)(*arguments.get(member, ()))
            tried += 1
    assert tried >= 3
    if not isinstance(handle, Semaphore):
        with pytest.raises(ValueError, match=refusal), handle:
            pass


def test_a_handle_tells_what_it_is(make: Make) -> None:
    handle = make()
    kind = type(handle).__name__
    assert repr(handle).startswith(f"<unipc.{kind}")
    handle.close()
    assert repr(handle) == f"<unipc.{kind}, closed>"


def test_a_handle_that_is_dropped_unclosed_warns_and_is_closed(make: Make) -> None:
    gc.collect()
    before = open_descriptors()
    with pytest.warns(ResourceWarning, match="unclosed <unipc"):
        make()
    assert open_descriptors() == before


def test_a_warning_as_an_error_does_not_disturb_the_program() -> None:
    code = """if True:
        import unipc
        def drop():
            reader, writer = unipc.pipe()
            raise KeyError("on its way")
        try:
            drop()
        except KeyError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "'on its way'\n"
    assert done.stderr.count("ResourceWarning: unclosed <unipc.Pipe") == 2


def test_a_handle_can_be_referred_to_weakly(make: Make) -> None:
    handle = make()
    handle.close()
    reference = weakref.ref(handle)
    assert reference() is handle
    del handle
    assert reference() is None


def test_handles_are_not_made_by_calling_their_class() -> None:
    for kind in (unipc.PipeEnd, unipc.PipeReader, unipc.Fifo, Queue, Memory, Semaphore):
        with pytest.raises(TypeError, match=kind.__name__):
            kind()


def test_thousands_of_rounds_leave_no_descriptor(make: Make) -> None:
    make().close()
    gc.collect()
    before = open_descriptors()
    for _ in range(2000):
        make().close()
    assert open_descriptors() == before


def test_failures_leave_no_descriptor(name: str, tmp_path: Path, queue: Queue) -> None:
    def fail(call: Callable[[], object]) -> None:
        with pytest.raises((OSError, ValueError)):
            call()

    (tmp_path / "file").touch()
    queue.fileno()  # in shared memory a queue gets its descriptor when it is asked for
    with Memory.create(name, 16), Fifo.create(tmp_path / "fifo") as fifo:
        before = open_descriptors()
        for _ in range(500):
            fail(lambda: Queue.create(queue.name, engine=queue.engine))
            fail(lambda: Queue.open(queue.name, engine="posix" if queue.engine == "shm" else "shm"))
            fail(lambda: queue.reserve(65))
            fail(lambda: queue.borrow(timeout=0))
            fail(lambda: Memory.create(name, 16))
            fail(lambda: Memory.open(name, size=17))
            fail(lambda: Memory.open_file(tmp_path / "file"))
            fail(lambda: Memory.from_fd(queue.fileno()))
            fail(lambda: Fifo.open(tmp_path / "file"))
            fail(lambda: fifo.open_writer(timeout=0))
            fail(lambda: fifo.open_reader(timeout=1e-6))
            fail(lambda: Semaphore.open("/unipc-py-no-such-semaphore"))
            fail(lambda: unipc.PipeReader.from_fd(queue.fileno()))
            fail(lambda: queue.receive(timeout=0))
        assert open_descriptors() == before


def test_transfers_do_not_grow_the_process(queue: Queue) -> None:
    def pages() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1])

    reader, writer = unipc.pipe()
    data = bytes(60_000)

    def rounds() -> None:
        for _ in range(3000):
            writer.write_full(data)
            reader.read(len(data))
            queue.send(data[:64])
            queue.receive()
            with contextlib.suppress(BlockingIOError):
                queue.receive(timeout=0)

    with reader, writer:
        rounds()
        before = pages()
        rounds()
        # A leak of one chunk a round would be 44,000 pages.
        assert pages() - before < 2000


@pytest.mark.parametrize(
    "kind",
    [
        *("read", "write", "wait", "open_reader", "send", "receive"),
        *("send in shm", "receive in shm", "reserve in shm", "borrow in shm"),
    ],
)
def test_a_wait_on_a_handle_that_is_closed_ends(kind: str, name: str, tmp_path: Path) -> None:
    reader, writer = unipc.pipe()
    with contextlib.ExitStack() as stack:
        stack.enter_context(reader)
        stack.enter_context(writer)
        handle: Any
        call: Callable[[], object]
        if kind == "read":
            handle, call = reader, lambda: reader.read(1)
        elif kind == "write":
            fill(writer)
            handle, call = writer, lambda: writer.write(b"x")
        elif kind == "wait":
            handle = Semaphore.create(name, 0)
            call = handle.wait
        elif kind == "open_reader":
            handle = Fifo.create(tmp_path / "fifo")
            call = lambda: handle.open_reader(timeout=3600)  # noqa: E731
        else:
            handle = queue = Queue.create(
                name, 1, 16, engine="shm" if kind.endswith("shm") else "posix"
            )
            if kind.startswith(("send", "reserve")):
                queue.send(b"")
            calls: dict[str, Callable[[], object]] = {
                "send": lambda: queue.send(b""),
                "receive": queue.receive,
                "reserve": lambda: queue.reserve(1),
                "borrow": queue.borrow,
            }
            call = calls[kind.split()[0]]
        with Waiting(call) as waiting:
            handle.close()
        assert isinstance(waiting.error, ValueError)
        assert str(waiting.error) == f"{noun(handle)} is closed"


def test_threads_that_hammer_one_handle_survive_its_closing(make: Make) -> None:
    for _ in range(20):
        hammer_and_close(make())


def hammer_and_close(handle: Any) -> None:
    calls: dict[type, Callable[[Any], object]] = {
        unipc.PipeReader: lambda handle: handle.read(1, timeout=0.001),
        unipc.PipeWriter: lambda handle: handle.write(b"x", timeout=0.001),
        Fifo: lambda handle: handle.open_reader(timeout=0).close(),
        Queue: lambda handle: (handle.send(b"x", timeout=0.001), handle.receive(timeout=0)),
        Memory: lambda handle: (handle.write(0, b"x"), handle.read(), bytes(handle)),
        Semaphore: lambda handle: (handle.post(), handle.wait(0.001)),
    }
    call = calls[type(handle)]
    start = threading.Barrier(5)
    errors: list[BaseException] = []

    def hammer() -> None:
        start.wait()
        try:
            while True:
                with contextlib.suppress(BlockingIOError, TimeoutError):
                    call(handle)
        except (ValueError, BufferError) as error:
            errors.append(error)

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    start.wait()
    while not handle.closed:
        with contextlib.suppress(BufferError):  # another thread has a view just now
            handle.close()
    for thread in threads:
        thread.join()
    assert len(errors) == 4


def test_memory_is_resized_while_threads_use_it(name: str) -> None:
    stop = threading.Event()
    with Memory.create(name, 4096) as memory:

        def use() -> None:
            while not stop.is_set():
                memory.write(0, b"x" * 4096)
                assert len(memory.read(0, 4096)) == 4096
                memory.sync()
                with contextlib.suppress(BufferError), memoryview(memory) as view:
                    view[4095] = 1

        threads = [threading.Thread(target=use) for _ in range(3)]
        for thread in threads:
            thread.start()
        resized = 0
        while resized < 200:
            with contextlib.suppress(BufferError):
                memory.resize(4096 + (resized % 2) * 1_000_000)
                resized += 1
        stop.set()
        for thread in threads:
            thread.join()


def test_an_interpreter_ends_with_handles_open_and_callbacks_registered() -> None:
    name = f"/unipc-py-{os.getpid()}-ends"
    code = """if True:
        import sys, threading, unipc
        queue = unipc.Queue.create(sys.argv[1], 2, 16)
        unipc.Queue.unlink(sys.argv[1])
        queue.notify(print)
        fast = unipc.Queue.create(sys.argv[1], 2, 16, engine="shm")
        unipc.Queue.unlink(sys.argv[1])
        fast.notify(print)
        fast.fileno()
        written = fast.reserve(8).data
        threading.Thread(target=fast.receive, daemon=True).start()
        memory = unipc.Memory.anonymous(10)
        view = memoryview(memory)
        threading.Thread(target=unipc.pipe()[0].read, daemon=True).start()
        print("done")
    """
    done = subprocess.run(
        [sys.executable, "-c", code, name], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_a_handler_may_close_what_the_call_waits_on(queue: Queue) -> None:
    before = signal.signal(signal.SIGALRM, lambda number, frame: queue.close())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises(ValueError, match="queue is closed"):
            queue.receive()
    finally:
        signal.signal(signal.SIGALRM, before)
