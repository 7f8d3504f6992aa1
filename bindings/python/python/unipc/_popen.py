"""Programs as files: popen()."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from ._unipc import PIPE, spawn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

    from ._unipc import Child, Command, PipeReader, PipeWriter, Status, _Options, _Word


class _Stream:
    """What the stream of a program has beside what a file has."""

    child: Child
    closed: bool
    # What is written to, if anything is.
    _sink: io.RawIOBase | None

    def close(self, *, timeout: float | None = None) -> Status:
        """Flushes and closes the pipe, waits until the program has ended, and returns its Status.

        Closing again returns it again. ``timeout`` is in seconds, and waits and raises as in
        Child.wait(); it runs once the pipe is closed, and not while what is left is flushed to a
        program that does not read. The pipe is closed in any case, and after a TimeoutError the
        program can be ended by ``child``. One that writes what nobody reads any more is killed by
        SIGPIPE. Raises BrokenPipeError if the program did not read all that was written. A signal
        handler that raises ends it, too, and what is left is not written.
        """
        try:
            self._shut()
        except BrokenPipeError:
            self.child.wait(timeout)
            raise
        return self.child.wait(timeout)

    def _shut(self) -> None:
        """Flushes and closes the pipe, which is closed in any case."""
        if self._sink is not None and not self.closed:
            try:
                self.flush()  # type: ignore[attr-defined]
            except BaseException:
                # A close with something left to write would begin to wait again.
                self._sink.close()
                getattr(self, "buffer", self._sink).close()
                super().close()  # type: ignore[misc]
                raise
        super().close()  # type: ignore[misc]

    def __exit__(self, *exception: object) -> None:
        """Closes it, and waits as the block of a Child does."""
        try:
            self._shut()
        except BrokenPipeError:
            self.child.__exit__(*exception)
            raise
        self.child.__exit__(*exception)

    def __del__(self) -> None:
        # A file's own would close it, which here would wait for the program.
        if "child" not in self.__dict__:
            return
        with contextlib.suppress(OSError, ValueError):  # as a file's; ValueError: it was detached
            if not self.closed:
                warnings.warn(f"unclosed stream of {self.child!r}", ResourceWarning, 2, source=self)
                self.child.detach()
            super().close()  # type: ignore[misc]


class _Input(io.RawIOBase):
    """What a program reads, whose end can come before the whole stream is closed."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        return self._file.write(data)

    @property
    def finished(self) -> bool:
        return self._file.closed

    def finish(self) -> None:
        self._file.close()

    def close(self) -> None:
        super().close()
        self._file.close()


class _Pair(io.BufferedRWPair):
    def __init__(self, reader: io.FileIO, writer: _Input) -> None:
        super().__init__(reader, writer)
        self._input = writer

    def write(self, data: Buffer, /) -> int:
        """Writes all of ``data``, to the buffer or to the program."""
        self._check()
        return super().write(data)

    def _check(self) -> None:
        if self._input.finished:
            raise ValueError("nothing can be written behind the end: finish() was called")

    def finish(self) -> None:
        """Flushes and closes what the program reads, which finds the end of its input."""
        self.flush()
        self._input.finish()


class TextStream(_Stream, io.TextIOWrapper):  # type: ignore[misc]
    """A program as a file of text, made by popen(): an io.TextIOWrapper.

    Closing it, or leaving its ``with`` block, waits for the program, its ``child``. One that is
    dropped unclosed closes its pipe, with a ResourceWarning, and lets the program run on.
    """

    __module__ = "unipc"

    def write(self, text: str, /) -> int:
        """Writes all of ``text``, to the buffer or to the program."""
        if isinstance(self.buffer, _Pair):
            self.buffer._check()
        return super().write(text)

    def finish(self) -> None:
        """Flushes and closes what the program reads, which finds the end of its input.

        Reading goes on. Raises io.UnsupportedOperation unless the mode is "r+".
        """
        if not isinstance(self.buffer, _Pair):
            raise io.UnsupportedOperation("finish")
        self.flush()
        self.buffer.finish()


class ByteReader(_Stream, io.BufferedReader):  # type: ignore[misc]
    """A program as a file of bytes to read, an io.BufferedReader; closed as a TextStream is."""

    __module__ = "unipc"


class ByteWriter(_Stream, io.BufferedWriter):  # type: ignore[misc]
    """A program as a file of bytes to write, an io.BufferedWriter; closed as a TextStream is."""

    __module__ = "unipc"


class ByteDuplex(_Stream, _Pair):  # type: ignore[misc]
    """A program as a file of bytes to write and read, an io.BufferedRWPair.

    It is closed as a TextStream is; finish() is the end of what is written.
    """

    __module__ = "unipc"


def _file(end: PipeReader | PipeWriter | None, mode: str) -> io.FileIO:
    assert end is not None
    with end:
        return io.FileIO(os.dup(end.fileno()), mode)


@overload
def popen(
    command: Command | Sequence[_Word],
    mode: Literal["r", "w", "r+"] = "r",
    *,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    **options: Unpack[_Options],
) -> TextStream: ...
@overload
def popen(
    command: Command | Sequence[_Word], mode: Literal["rb"], **options: Unpack[_Options]
) -> ByteReader: ...
@overload
def popen(
    command: Command | Sequence[_Word], mode: Literal["wb"], **options: Unpack[_Options]
) -> ByteWriter: ...
@overload
def popen(
    command: Command | Sequence[_Word], mode: Literal["r+b", "rb+"], **options: Unpack[_Options]
) -> ByteDuplex: ...
@overload
def popen(
    command: Command | Sequence[_Word],
    mode: str,
    *,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    **options: Unpack[_Options],
) -> TextStream | ByteReader | ByteWriter | ByteDuplex: ...
def popen(
    command: Command | Sequence[_Word],
    mode: str = "r",
    *,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    **options: Any,
) -> TextStream | ByteReader | ByteWriter | ByteDuplex:
    """Starts a program and returns it as a file: what it writes is read, what is written it reads.

    ``mode`` is "r" (read its standard output), "w" (write to its standard input) or "r+" (both), of
    text, whose ``encoding``, ``errors`` and ``newline`` are those of open(); with a "b", of bytes.
    ``command`` is a sequence of arguments, or a Command, which shell() makes of a line; the other
    keywords are those of Command. In mode "r+", flush what is to be answered; who writes more than
    two pipes hold to a program that answers, and does not read the answers, waits for ever: see
    Child.communicate().

    Leaving the ``with`` block closes the file and waits for the program, and close() returns its
    Status. Raises as spawn() does, and ValueError for another mode. See popen(3).
    """
    streams = {"r": ("stdout",), "w": ("stdin",), "r+": ("stdin", "stdout")}.get(
        mode.replace("b", "", 1)
    )
    if streams is None:
        raise ValueError(f"mode must be 'r', 'w' or 'r+', with or without a 'b', not {mode!r}")
    if "b" in mode and (encoding, errors, newline) != (None, None, None):
        raise ValueError("a mode of bytes has no encoding, errors or newline")
    for name in streams:
        if options.get(name) is not None:
            raise ValueError(f"{name} is the file itself in mode {mode!r}")
        options[name] = PIPE
    if "b" not in mode:
        # What is wrong with these is raised before anything is started.
        io.TextIOWrapper(io.BytesIO(), encoding, errors, newline)

    def wrapped(buffer: io.BufferedReader | io.BufferedWriter | _Pair) -> TextStream:
        return TextStream(buffer, encoding, errors, newline)  # type: ignore[arg-type]

    child = spawn(command, **options)
    try:
        stream: TextStream | ByteReader | ByteWriter | ByteDuplex
        sink: io.FileIO | _Input | None = None
        if "w" in mode:
            sink = _file(child.stdin, "w")
            stream = ByteWriter(sink) if "b" in mode else wrapped(io.BufferedWriter(sink))
        elif "+" not in mode:
            source = _file(child.stdout, "r")
            stream = ByteReader(source) if "b" in mode else wrapped(io.BufferedReader(source))
        else:
            source, sink = _file(child.stdout, "r"), _Input(_file(child.stdin, "w"))
            both = source, sink
            stream = ByteDuplex(*both) if "b" in mode else wrapped(_Pair(*both))
    except BaseException:
        child.detach()
        raise
    stream.child, stream._sink = child, sink
    return stream
