"""Lines of the settings of a TOML text: `tomllib` tells none, and a mistake is found by its line."""

import contextlib
import json
import re
import tomllib
from bisect import bisect_right

Path = tuple[str | int, ...]
"""Keys and indices from the root to a setting: `("facilities", 2, "ward_beds")`."""

_TRIVIA = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*+")
_BLANKS = re.compile(r"[ \t]*+")
_KEY = re.compile(r"""[A-Za-z0-9_-]++|"(?:[^\\"\n]|\\.)*+"|'[^'\n]*+'""")
_STRING = re.compile(
    r'"""(?:[^\\"]|\\.|"(?!""))*+"{3,5}'
    r"|'''(?:[^']|'(?!''))*+'{3,5}"
    r'|"(?:[^\\"\n]|\\.)*+"'
    r"|'[^'\n]*+'",
    re.DOTALL,
)
_OTHER = re.compile(r"[^,\]}#\r\n]++")
"""A number, a truth value, or a date and time, which may have a blank between them."""

_STEP = re.compile(r'(?:^|\.)([A-Za-z0-9_-]+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]')
"""A step of a place in messages: a field, an index, or a key in quotes."""


def line_of(text: str, place: str) -> int | None:
    """The line of a setting in a TOML text, counted from 1.

    Parameters
    ----------
    text
        TOML that `tomllib` accepts.
    place
        The setting as messages name it, for example `fronts[1].nations["POL"]`.

    Returns
    -------
    The line of the setting; of a setting that is not written, that of the table it belongs to; None for one that
    belongs to no table of the text.
    """
    lines = setting_lines(text)
    path = path_of(place)
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)


def path_of(place: str) -> Path:
    """The keys and indices that a place in messages consists of, as far as it can be read."""
    path: list[str | int] = []
    position = 0
    while step := _STEP.match(place, position):
        name, index, key = step.groups()
        path.append(name if name is not None else int(index) if index is not None else json.loads(key))
        position = step.end()
    return tuple(path)


def setting_lines(text: str) -> dict[Path, int]:
    """The line of every key, table and item of a list in a TOML text that `tomllib` accepts."""
    scanner = _Scanner(text)
    with contextlib.suppress(RecursionError, _Unreadable):
        scanner.scan()
    return scanner.lines


class _Unreadable(Exception):
    """The text is none that tomllib accepts."""


class _Scanner:
    """Walks through a TOML text and notes where each setting begins."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._position = 0
        self._line_ends = [match.start() for match in re.finditer("\n", text)]
        self._last: dict[Path, int] = {}
        """By array of tables: the index of its last table."""

    def scan(self) -> None:
        """Walk through the whole text."""
        table: Path = ()
        self._skip(_TRIVIA)
        while self._position < len(self._text):
            if self._text.startswith("[", self._position):
                table = self._header()
            else:
                self._setting(table)
            self._skip(_TRIVIA)

    def _header(self) -> Path:
        """`[table]` or `[[array of tables]]`; returns its path."""
        line = self._line()
        brackets = 2 if self._text.startswith("[[", self._position) else 1
        self._position += brackets
        keys = self._keys()
        self._position += brackets
        path: Path = ()
        for key in keys[:-1]:
            path = (*path, key)
            self._note(path, line)
            path = (*path, self._last[path]) if path in self._last else path
        path = (*path, keys[-1])
        self._note(path, line)
        if brackets == 2:
            self._last[path] = self._last.get(path, -1) + 1
            path = (*path, self._last[path])
            self._note(path, line)
        return path

    def _setting(self, table: Path) -> None:
        """`key = value`, the key possibly in parts."""
        line = self._line()
        path = table
        for key in self._keys():
            path = (*path, key)
            self._note(path, line)
        self._position += 1  # the sign of equality
        self._skip(_BLANKS)
        self._value(path)

    def _value(self, path: Path) -> None:
        start = self._text[self._position : self._position + 1]
        if start == "[":
            self._list(path)
        elif start == "{":
            self._inline_table(path)
        else:
            self._skip(_STRING if start in ('"', "'") else _OTHER, must=True)

    def _list(self, path: Path) -> None:
        self._position += 1
        index = 0
        while not self._ends("]"):
            self._note((*path, index), self._line())
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: Path) -> None:
        self._position += 1
        while not self._ends("}"):
            self._setting(path)

    def _ends(self, bracket: str) -> bool:
        """Pass over what separates two items, and over the closing bracket if it follows."""
        self._skip(_TRIVIA)
        if self._text.startswith(",", self._position):
            self._position += 1
            self._skip(_TRIVIA)
        if self._position >= len(self._text):
            raise _Unreadable
        ends = self._text.startswith(bracket, self._position)
        self._position += ends
        return ends

    def _keys(self) -> list[str]:
        """The parts of a dotted key, and the blanks around them."""
        keys = []
        while True:
            self._skip(_BLANKS)
            keys.append(_decode(self._skip(_KEY, must=True)))
            self._skip(_BLANKS)
            if not self._text.startswith(".", self._position):
                return keys
            self._position += 1

    def _skip(self, pattern: re.Pattern[str], must: bool = False) -> str:
        match = pattern.match(self._text, self._position)
        if match is None:
            if must:
                raise _Unreadable
            return ""
        self._position = match.end()
        return match[0]

    def _line(self) -> int:
        return bisect_right(self._line_ends, self._position - 1) + 1

    def _note(self, path: Path, line: int) -> None:
        self.lines.setdefault(path, line)


def _decode(key: str) -> str:
    """The key as `tomllib` reads it."""
    return next(iter(tomllib.loads(f"{key} = 0"))) if key[:1] in ('"', "'") else key
