"""Errors that are shown to the user: each says what is wrong and what to do, and has an exit code."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from engine.masking import mask_logins


class _Missing:
    """The value of a required field that is missing."""

    def __repr__(self) -> str:
        return "(missing)"


MISSING: Final = _Missing()

VALUE_WIDTH = 80
"""Most characters of a value in an error message."""

LOGIN_WIDTH = 10_000
"""Characters of a value in which a login is searched for. An argument of a command is shorter."""


def shown(value: Any) -> str:
    """Return the `repr` of any value in at most `VALUE_WIDTH` characters, without logins; never fails.

    >>> shown("two")
    "'two'"
    """
    try:
        if isinstance(value, str):
            value = mask_logins(value[:LOGIN_WIDTH])
        if isinstance(value, (str, bytes)):
            value = value[: VALUE_WIDTH + 1]
        text = repr(value)
    except (ValueError, RecursionError):  # integers of more than 4,300 digits; nesting
        text = (
            f"a whole number of {value.bit_length()} bits" if isinstance(value, int) else type(value).__name__
        )
    return text if len(text) <= VALUE_WIDTH else text[: VALUE_WIDTH - 3] + "..."


class GoldenhourError(Exception):
    """Base of all errors that are reported as one message, without a traceback."""

    exit_code = 1


class ScenarioError(GoldenhourError):
    """A scenario that cannot be run.

    Parameters
    ----------
    place
        Path to the setting, for example `fronts[1].nations["XXX"]`, or the document and its line.
    value
        The value that was given.
    allowed
        What is allowed there.
    near
        An allowed word that looks like the one given.
    line
        Where the setting is written, for example `mine.toml, line 12`; empty if that is unknown.
    """

    exit_code = 2

    def __init__(self, place: str, value: Any, allowed: str, near: str | None = None, line: str = "") -> None:
        self.place = place
        self.value = value
        self.allowed = allowed
        self.near = near
        self.line = line
        hint = f"; did you mean {near!r}?" if near is not None else ""
        where = f" ({line})" if line else ""
        super().__init__(f"{place}: got {shown(value)}; allowed: {allowed}{hint}{where}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the parts, so that the error can pass between processes."""
        value = self.value if isinstance(self.value, (str, int, float, bool)) else shown(self.value)
        return (type(self), (self.place, value, self.allowed, self.near, self.line))


class InputError(GoldenhourError):
    """An option or argument that cannot be used."""

    exit_code = 2


class RunError(GoldenhourError):
    """A run that could not be finished, and that would fail again."""


class StoppedRun(RunError):
    """A run stopped by a failure outside of it, of a disk, a process or the cluster; it can be resumed."""


class StoreError(GoldenhourError):
    """The database cannot be used, or it refuses a request."""


class ConflictError(StoreError):
    """A change that conflicts with one that another process has made in the meantime."""


class Interrupted(GoldenhourError):
    """The user stopped the run (Ctrl-C)."""

    exit_code = 130


@contextlib.contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Give each error of the system this path, because a file that is opened in an open folder is named without it."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # one of the system's, not one with a text of ours
            error.filename = str(path)
        raise


def write_error(path: Path | str, error: OSError) -> StoppedRun:
    """Return the error of a run for a failed operation on the file or folder `path`."""
    words = {
        errno.ENOSPC: "no space left on the device: free some, or write to another one",
        errno.EDQUOT: "the disk quota is used up",
        errno.EACCES: "permission denied",
        errno.EPERM: "permission denied",
        errno.EROFS: "the file system is read-only",
        errno.EFBIG: "the file is larger than this process may write",
        errno.EIO: "the disk reports an error (EIO): what it holds of the file may be damaged",
    }
    return StoppedRun(
        f"cannot write {str(path)!r}: {words.get(error.errno or 0, error.strerror or str(error))}"
    )
