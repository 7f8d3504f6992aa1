"""What several test files need."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
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

    def _sleeps(self) -> bool:
        with open(f"/proc/self/task/{self._thread.native_id}/syscall") as file:
            return file.read().strip() != "running"

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
