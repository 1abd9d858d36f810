"""Scenarios by name or from a file: the one place where scenario files are opened (the engine takes bytes)."""

import difflib
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import scenarios
from engine.errors import InputError, shown
from engine.scenario import MAX_BYTES, Scenario, parse

_FORMATS: dict[str, Literal["toml", "json"]] = {".toml": "toml", ".json": "json"}


def load(source: str | Path, others: Sequence[str] = ()) -> Scenario:
    """The scenario that `source` names: a built-in's name, or the path of a .toml or .json file.

    `others` are further names that a mistyped one may look like.

    A built-in's name wins over a file or folder of the same name; `./name` means the file.
    Raises InputError when there is no such scenario, ScenarioError when it cannot be read as one.
    """
    text = os.fspath(source)
    if isinstance(source, str) and text in scenarios.builtin_names():
        return parse(scenarios.builtin_bytes(text), "toml", text)
    if not is_file_name(text):
        raise InputError(_no_such(text, others))
    path = Path(text)
    data, fmt = read(path)
    return parse(data, fmt, path.name)


def is_file_name(text: str) -> bool:
    """Whether `text` names a file of a scenario by its ending."""
    return Path(text).suffix.lower() in _FORMATS


def read(path: Path) -> tuple[bytes, Literal["toml", "json"]]:
    """A scenario file's bytes, and its format by its ending. Raises InputError."""
    if not is_file_name(str(path)):
        raise InputError(f"scenario file {shown(str(path))}: allowed: a name that ends in .toml or .json")
    return _read(path), _FORMATS[path.suffix.lower()]


def near_builtin(name: str, others: Sequence[str] = ()) -> str | None:
    """The built-in scenario (or the one of `others`) whose name looks most like `name`, if any does."""
    stem = (
        Path(name)
        .name.removesuffix(".toml")
        .removesuffix(".json")
        .lower()
        .replace("-", "_")
        .replace(" ", "_")
    )
    found = difflib.get_close_matches(stem, [*scenarios.builtin_names(), *others], n=1, cutoff=0.6)
    return found[0] if found else None


def _no_such(name: str, others: Sequence[str]) -> str:
    try:
        exists = os.path.lexists(name)
    except ValueError:
        exists = False
    if exists:
        what = "is a folder" if Path(name).is_dir() else "does not end in .toml or .json"
        return f"scenario {shown(name)} {what}; a scenario is a .toml or .json file or a built-in's name"
    near = near_builtin(name, others)
    hint = f"; did you mean {near!r}?" if near else "; `goldenhour scenarios list` shows what there is"
    return f"scenario {shown(name)} is neither a built-in scenario nor a .toml or .json file{hint}"


def _read(path: Path) -> bytes:
    place = f"scenario file {shown(str(path))}"
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        near = near_builtin(str(path))
        hint = f"; did you mean the built-in {near!r}?" if near else ""
        raise InputError(f"{place} does not exist{hint}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{place} cannot be opened: {reason}") from None
    try:
        about = os.fstat(descriptor)
        if stat.S_ISDIR(about.st_mode):
            raise InputError(f"{place} is a folder; name a .toml or .json file in it")
        if not stat.S_ISREG(about.st_mode):
            raise InputError(f"{place} is not a regular file")
        if about.st_size > MAX_BYTES:
            raise InputError(f"{place} has {about.st_size:,} bytes; a scenario has at most {MAX_BYTES:,}")
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read(MAX_BYTES + 1)  # `parse` refuses one that has grown meanwhile
    except OSError as error:
        raise InputError(f"{place} cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
