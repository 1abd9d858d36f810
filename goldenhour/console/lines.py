"""Printing without tables: lines, error messages, JSON and TOML documents, and a question."""

import json
import sys
import tomllib
from collections.abc import Callable
from datetime import datetime
from typing import Any, TextIO

from engine.errors import Interrupted
from engine.plain_text import clean, clean_lines, escape_json, escape_toml
from goldenhour.console.spelling import is_utf8, spell
from goldenhour.console.streams import trusted_file


def print_line(text: str = "") -> None:
    """Print one line on stdout."""
    _write(sys.stdout, clean(text) + "\n")


def print_text(text: str) -> None:
    """Print a text of several lines on stdout."""
    _write(sys.stdout, clean_lines(text))


def print_error_line(text: str) -> None:
    """Print one line on stderr: a note, a warning, progress."""
    _write(sys.stderr, clean(text) + "\n")


def print_error_text(text: str) -> None:
    """Print a text of several lines, or a part of one, on stderr."""
    _write(sys.stderr, clean_lines(text))


def report_error(message: str, hint: str = "") -> None:
    """Print an error message on stderr. Its further lines are indented; the hint is a line of its own."""
    first, *others = message.split("\n")
    print_error_line(f"goldenhour: {first}")
    for line in filter(None, others):
        print_error_line(f"  {line}")
    if hint:
        print_error_line(hint)


def print_json(value: Any, indent: int | None = 2) -> None:
    """Print a value as a JSON document on stdout; in one line if `indent` is None."""
    text = format_json(value, indent)
    _write(sys.stdout, escape_json(text, not is_utf8(_encoding(sys.stdout))) + "\n")


def format_json(value: Any, indent: int | None = 2) -> str:
    """A value as JSON, with times in ISO 8601; in one line if `indent` is None."""
    return json.dumps(value, indent=indent, ensure_ascii=False, default=_as_text)


def print_toml(text: str, rewritten: Callable[[], str]) -> None:
    """Print a TOML document on stdout, which means the same when it is read back.

    Parameters
    ----------
    text
        The document as its author wrote it.
    rewritten
        Gives the same content with all strings in double quotes. It is printed instead if `text` has a control
        character, or one that the encoding of stdout lacks, in a string in single quotes.
    """
    ascii_only = not is_utf8(_encoding(sys.stdout))
    escaped = escape_toml(text, ascii_only)
    if escaped != text and not _is_same_toml(escaped, text):
        escaped = escape_toml(rewritten(), ascii_only)
    _write(sys.stdout, escaped)


def print_toml_lines(text: str) -> None:
    """Print lines of TOML documents on stdout, such as the differences of two."""
    _write(sys.stdout, escape_toml(text, not is_utf8(_encoding(sys.stdout))))


def confirm(question: str) -> None:
    """Ask on stderr, and return if the answer is yes. Raises Interrupted for any other answer, and without one."""
    if ask(f"{question} [y/N]").lower() not in ("y", "yes"):
        raise Interrupted("stopped")


def can_ask() -> bool:
    """Whether stdin is a terminal, where somebody may answer."""
    return sys.stdin is not None and sys.stdin.isatty()


def ask(question: str) -> str:
    """Ask on stderr, and return the answer without blanks around it. Raises Interrupted without one."""
    print_error_text(f"{clean(question)}: ")
    answer = sys.stdin.buffer.readline() if hasattr(sys.stdin, "buffer") else sys.stdin.readline().encode()
    if not answer.endswith(b"\n"):
        print_error_line("")
    if not answer:
        raise Interrupted("stopped")
    return answer.decode(errors="replace").strip()


def _is_same_toml(one: str, other: str) -> bool:
    try:
        return tomllib.loads(one) == tomllib.loads(other)
    except ValueError:
        return False


def _write(stream: TextIO | None, text: str) -> None:
    """Write a clean text. A process of another package may have no streams at all."""
    if stream is not None:
        file = trusted_file(stream)
        file.write(spell(text, _encoding(stream)))
        file.flush()


def _encoding(stream: TextIO | None) -> str:
    return getattr(stream, "encoding", None) or "utf-8"


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
