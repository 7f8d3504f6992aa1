"""The thread that calls the callback of Queue.notify().

It is one of Python's own, and no frame of another language lies beneath the callback: an
interpreter that ends may end it anywhere. It takes no signals, so that none is kept from the
threads that wait for them.
"""

import _thread
import signal
from collections.abc import Callable
from typing import Protocol

# A thread raises these by its own fault, and faulthandler is to see them.
_FAULTS = {
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGTRAP,
    signal.SIGSYS,
}


class _Notification(Protocol):
    def wait(self) -> bool:
        """Waits for the message, and returns whether it came or the registration was removed."""

    def done(self) -> None:
        """Says that the callback has ended, or will not be called."""


def start(notification: _Notification, callback: Callable[[], object]) -> None:
    """Starts the thread."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - _FAULTS)
        _thread.start_new_thread(_run, (notification, callback))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run(notification: _Notification, callback: Callable[[], object]) -> None:
    try:
        if notification.wait():
            callback()
    finally:
        notification.done()
