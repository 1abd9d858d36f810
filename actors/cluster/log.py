"""The log of a run: one JSON object per line, each with the time and the id of the run."""

import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import InputError
from engine.plain_text import escape_json

VARIABLE = "GOLDENHOUR_LOG"
"""Environment variable that names the file to append to; `-` stands for stderr."""

STDERR = 2
"""The file descriptor. `sys.stderr` may be None, or a stream of this process that has none."""


class Log:
    """The log of one run. It appends to the file named by `VARIABLE`, or to `default` when the variable is not set.

    Raises InputError when the file named by the variable cannot be opened. If `default` cannot be opened, or is not a
    regular file of one name, or a line cannot be written, the lines are dropped: a log never fails a run.
    """

    def __init__(self, run: str, default: Path) -> None:
        self._run = run
        requested = os.environ.get(VARIABLE)
        self._owned = requested != "-"
        if not self._owned:
            self._descriptor = STDERR
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        path = Path(requested).expanduser() if requested else default
        if not requested:  # a pipe in its place would wait for a reader
            flags |= os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            self._descriptor = os.open(path, flags, 0o666)
        except OSError as error:
            if requested:
                raise InputError(f"{VARIABLE}: cannot write {str(path)!r}: {error.strerror}") from error
            self._descriptor = -1
            return
        status = os.fstat(self._descriptor)
        if not requested and (not stat.S_ISREG(status.st_mode) or status.st_nlink > 1):
            self.close()  # nor does it write to a file that has another name elsewhere

    def write(self, event: str, **fields: Any) -> None:
        """Append a line with the time, the id of the run, the event and `fields`."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = _as_json({"time": now, "run": self._run, "event": event, **fields})
        try:
            os.write(self._descriptor, line + b"\n")
        except OSError:
            return

    def close(self) -> None:
        """Close the file. stderr stays open."""
        if self._owned and self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def _as_json(entry: dict[str, Any]) -> bytes:
    """An entry in one line without control characters: logs are read on terminals."""
    try:
        line = msgspec.json.encode(entry)
    except UnicodeEncodeError:  # a path that is not UTF-8
        return json.dumps(entry, default=str).encode()
    return line if line.isascii() and b"\x7f" not in line else escape_json(line.decode()).encode()
