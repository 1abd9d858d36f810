"""The standard streams of the process. Writing to them never fails, whatever they are connected to.

`secure_streams` replaces `sys.stdout` and `sys.stderr`, so that what other packages print is cleaned as well.
"""

import contextlib
import errno
import io
import os
import select
import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO, cast

from engine.plain_text import clean_lines
from goldenhour.console.spelling import ERROR_HANDLER


class StandardStream(io.TextIOBase):
    """A standard stream: text is cleaned, encoded with what the encoding has, and written at once.

    The first error of the operating system is kept in `failure`. After it, all text is dropped: a run does not end
    because nobody reads what it prints.

    Parameters
    ----------
    descriptor
        The file descriptor.
    encoding
        Encoding of the terminal, pipe or file behind it.
    """

    def __init__(self, descriptor: int, encoding: str) -> None:
        self.failure: OSError | None = None
        self.trusted = cast(TextIO, _Trusted(self))
        self._descriptor = descriptor
        self._encoding = encoding
        self._lock = threading.RLock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the terminal, pipe or file."""
        return self._encoding

    @property
    def errors(self) -> str:  # type: ignore[override]
        """The handler of characters that the encoding lacks."""
        return ERROR_HANDLER

    def fileno(self) -> int:
        """The file descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """Whether text can be written: always."""
        return True

    def write(self, text: str) -> int:
        """Write a text of any origin, without its control characters except line breaks and tabs."""
        self.write_trusted(clean_lines(text))
        return len(text)

    def write_trusted(self, text: str) -> None:
        """Write a text that may steer the terminal."""
        data = memoryview(text.encode(self._encoding, ERROR_HANDLER))
        with self._lock:
            while data and self.failure is None:
                try:
                    data = data[os.write(self._descriptor, data) :]
                except BlockingIOError:  # another process has set the terminal or the pipe to non-blocking
                    select.select([], [self._descriptor], [])
                except OSError as error:
                    self.failure = error

    def close(self) -> None:
        """Do nothing: the descriptor belongs to the process."""


class _Trusted(io.TextIOBase):
    """The same stream for the console's own output, which has colours and moves the cursor."""

    def __init__(self, stream: StandardStream) -> None:
        self._stream = stream
        self.fileno = stream.fileno  # type: ignore[method-assign]
        self.isatty = stream.isatty  # type: ignore[method-assign]

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    def write(self, text: str) -> int:
        self._stream.write_trusted(text)
        return len(text)

    def close(self) -> None:
        pass


def secure_streams() -> None:
    """Replace `sys.stdout` and `sys.stderr` by streams that never fail. Called once, when the process begins.

    Descriptors 0 to 2 that are closed are connected to the null device. Otherwise the next files that the process
    opens would get these numbers, and what any library prints would be written into them.
    """
    for descriptor in (0, 1, 2):
        _occupy(descriptor)
    sys.stdout = cast(TextIO, _standard_stream(sys.stdout, 1))
    sys.stderr = cast(TextIO, _standard_stream(sys.stderr, 2))
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115 - it stays open as long as the process


def relax_encodings() -> None:
    """Let `print` spell what the encodings of stdout and stderr lack, for programs that are not the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERROR_HANDLER)


def exit_code(code: int, report: Callable[[str], None]) -> int:
    """The exit code of the process: 1 if the command gave 0 and what it printed could not be written.

    A reader that goes away (`| head -1`) has read what it wanted: that is no error.

    Parameters
    ----------
    code
        The exit code of the command.
    report
        Called with the error message.
    """
    failure = _failure(sys.stdout)
    if failure is None or failure.errno == errno.EPIPE:
        return code
    report(f"cannot write to standard output: {failure.strerror}")
    return code or 1


def is_output_lost() -> bool:
    """Whether nothing can be written to standard output any more, so that there is no use in printing more."""
    return _failure(sys.stdout) is not None


def trusted_file(stream: TextIO) -> TextIO:
    """The file for text that may steer the terminal; `stream` itself before `secure_streams`, as in tests."""
    return stream.trusted if isinstance(stream, StandardStream) else stream


def _failure(stream: Any) -> OSError | None:
    return stream.failure if isinstance(stream, StandardStream) else None


def _occupy(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null != descriptor:
            os.dup2(null, descriptor)
            os.close(null)
        os.set_inheritable(descriptor, True)


def _standard_stream(stream: TextIO | None, descriptor: int) -> StandardStream:
    if isinstance(stream, StandardStream):
        return stream
    if stream is None:  # it was closed; the descriptor may belong to another file by now
        return StandardStream(os.open(os.devnull, os.O_WRONLY), "utf-8")
    with contextlib.suppress(OSError):
        stream.flush()
    return StandardStream(descriptor, stream.encoding)
