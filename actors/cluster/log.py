"""A run's log: one JSON object a line, each with the time and the run's id."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import InputError

VARIABLE = "GOLDENHOUR_LOG"
"""Environment variable with the file to append to, `-` for stderr."""


class Log:
    """Where a run says what happens to it: the file of `VARIABLE`, else `default`.

    Raises InputError when the file that was asked for cannot be opened; a line that cannot be written is lost.
    """

    def __init__(self, run: str, default: Path) -> None:
        self._run = run
        asked = os.environ.get(VARIABLE)
        self._owned = asked != "-"
        if not self._owned:
            self._descriptor = sys.stderr.fileno()
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        path = Path(asked).expanduser() if asked else default
        try:
            self._descriptor = os.open(path, flags if asked else flags | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            if asked:
                raise InputError(f"{VARIABLE}: cannot write {str(path)!r}: {error.strerror}") from error
            self._descriptor = -1

    def write(self, event: str, **fields: Any) -> None:
        """Add a line: the time, the run, the event and `fields`."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = msgspec.json.encode({"time": now, "run": self._run, "event": event, **fields}) + b"\n"
        try:
            os.write(self._descriptor, line)
        except OSError:
            return

    def close(self) -> None:
        """Let go of the file."""
        if self._owned and self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
