"""The log of a run: one JSON object per line, each with the time and the id of the run."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import InputError

VARIABLE = "GOLDENHOUR_LOG"
"""Environment variable that names the file to append to; `-` stands for stderr."""


class Log:
    """The log of one run. It appends to the file named by `VARIABLE`, or to `default` when the variable is not set.

    Raises InputError when the file named by the variable cannot be opened. If `default` cannot be opened, or a line
    cannot be written, the lines are dropped: a log never fails a run.
    """

    def __init__(self, run: str, default: Path) -> None:
        self._run = run
        requested = os.environ.get(VARIABLE)
        self._owned = requested != "-"
        if not self._owned:
            self._descriptor = sys.stderr.fileno()
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        path = Path(requested).expanduser() if requested else default
        try:
            self._descriptor = os.open(path, flags if requested else flags | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            if requested:
                raise InputError(f"{VARIABLE}: cannot write {str(path)!r}: {error.strerror}") from error
            self._descriptor = -1

    def write(self, event: str, **fields: Any) -> None:
        """Append a line with the time, the id of the run, the event and `fields`."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = msgspec.json.encode({"time": now, "run": self._run, "event": event, **fields}) + b"\n"
        try:
            os.write(self._descriptor, line)
        except OSError:
            return

    def close(self) -> None:
        """Close the file. stderr stays open."""
        if self._owned and self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
