"""What several test files need."""

import contextlib
import gc
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import unipc

Ends = tuple[unipc.PipeReader, unipc.PipeWriter]


def until(condition: Callable[[], bool]) -> None:
    """Waits until `condition` holds; that it does in the end, the watchdog sees to."""
    while not condition():
        time.sleep(0.001)


def fill(writer: unipc.PipeWriter) -> None:
    """Writes until the pipe is full."""
    try:
        while True:
            writer.write(bytes(65536), timeout=0)
    except BlockingIOError:
        pass


# futex, futex_waitv and futex_wait, of x86 and ARM.
FUTEXES = {"98", "202", "449", "455"}


def waits_for(process: int, queue: unipc.Queue) -> bool:
    """Whether the one thread of another process sleeps in a call of the queue."""
    number, *arguments = Path(f"/proc/{process}/syscall").read_text().split()
    if queue.engine == "shm":
        return number in FUTEXES
    return arguments[:1] == [hex(queue.fileno())]


def stays_in_a_system_call(pid: int) -> bool:
    """Not on its way to one: a signal that comes before open(2) of a FIFO does not end that."""

    def now() -> str:
        return Path(f"/proc/{pid}/syscall").read_text()

    before = now()
    time.sleep(0.2)
    return before == now() != "running\n"


def open_descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Starts a fresh interpreter."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Waiting:
    """Runs a call that waits on a thread of its own, and keeps what comes of it.

    Entered, the thread sleeps in the call; left, it has ended.
    """

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self._thread = threading.Thread(target=self._run)
        self.result: object = None
        self.error: BaseException | None = None

    def _run(self) -> None:
        try:
            self.result = self._call()
        except BaseException as error:
            self.error = error

    def system_call(self) -> str:
        """The number of the one in which the thread sleeps."""
        return Path(f"/proc/self/task/{self._thread.native_id}/syscall").read_text().split()[0]

    def _sleeps(self) -> bool:
        return self.system_call() != "running"

    def __enter__(self) -> "Waiting":
        self._thread.start()
        until(lambda: not self._thread.is_alive() or self._sleeps())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.join()


def _links() -> dict[str, str]:
    """What each open descriptor is."""
    found = {}
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the listing's own
            found[number] = os.readlink(f"/proc/self/fd/{number}")
    return found


def children() -> set[str]:
    """The children of this process, zombies too."""
    lists = [task / "children" for task in Path("/proc/self/task").iterdir()]
    return {child for each in lists if each.exists() for child in each.read_text().split()}


def has_keeper() -> bool:
    """Whether unipc has a thread for the children of this process."""
    names = [task / "comm" for task in Path("/proc/self/task").iterdir()]
    return any(name.exists() and name.read_text() == "unipc-keeper\n" for name in names)


@contextlib.contextmanager
def leaving_nothing() -> Iterator[None]:
    """A block that is to leave no descriptor, child or thread; dropped children are reaped soon."""
    gc.collect()
    before, living = _links(), children()
    yield
    gc.collect()
    patience = time.monotonic() + 30
    while (children() - living or has_keeper()) and time.monotonic() < patience:
        time.sleep(0.001)
    assert children() - living == set()
    assert not has_keeper()
    assert _links() == before


def exited(code: int) -> unipc.Status:
    return unipc.Status.from_raw(code << 8)


def killed(number: int) -> unipc.Status:
    return unipc.Status.from_raw(number)


def pattern(size: int) -> bytes:
    """Bytes that show when some are missing, doubled or swapped."""
    return random.Random(size).randbytes(size)
