"""The errors a user of goldenhour can meet: each says what is wrong and what to do, and knows its exit code."""

import errno
from pathlib import Path
from typing import Any, Final


class _Missing:
    """The value of a field that is required and was not given."""

    def __repr__(self) -> str:
        return "(missing)"


MISSING: Final = _Missing()

VALUE_WIDTH = 80
"""An offending value is shown in at most this many characters."""


def shown(value: Any) -> str:
    """`repr` of any value on one line, at most `VALUE_WIDTH` characters, and never failing."""
    try:
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

    `place` is the path to the setting (`fronts[1].nations["XXX"]`, or the document and its line), `value` the
    offending value, `allowed` what may stand there, `near` an accepted word that looks like the one given.
    """

    exit_code = 2

    def __init__(self, place: str, value: Any, allowed: str, near: str | None = None) -> None:
        self.place = place
        self.value = value
        self.allowed = allowed
        self.near = near
        hint = f"; did you mean {near!r}?" if near is not None else ""
        super().__init__(f"{place}: got {shown(value)}; allowed: {allowed}{hint}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the four parts when the error travels between processes."""
        value = self.value if isinstance(self.value, (str, int, float, bool)) else shown(self.value)
        return (type(self), (self.place, value, self.allowed, self.near))


class InputError(GoldenhourError):
    """An option or argument that cannot be used."""

    exit_code = 2


class RunError(GoldenhourError):
    """A run that could not be finished: disk, process or cluster failed."""


class StoppedRun(RunError):
    """A run stopped by something outside of it, its disk, a process or the cluster: it can be resumed."""


class StoreError(GoldenhourError):
    """The database cannot be used, or refuses what was asked of it."""


class ConflictError(StoreError):
    """Somebody else was faster: what was to be changed is no longer what its author saw."""


class Interrupted(GoldenhourError):
    """The user stopped the run (Ctrl-C)."""

    exit_code = 130


def write_error(path: Path | str, error: OSError) -> StoppedRun:
    """The error of a run for a failed operation on the file or folder `path`."""
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
