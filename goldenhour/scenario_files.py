"""Scenarios by name or from a file. Only this module opens scenario files; the engine takes their bytes."""

import difflib
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import scenarios
from engine.errors import InputError, shown
from engine.scenario import MAX_BYTES, Scenario, ScenarioOrigin, ScenarioText, parse, parse_text

MOST_NEAR_FILES = 5
"""Most files that a message names for one that does not exist."""

_FORMATS: dict[str, Literal["toml", "json"]] = {".toml": "toml", ".json": "json"}


def load(source: str | Path, others: Sequence[str] = ()) -> Scenario:
    """The scenario that `source` names. A built-in's name wins over a file of that name; `./name` means the file.

    Parameters
    ----------
    source
        A built-in's name, or the path of a .toml or .json file.
    others
        Further names to suggest for a mistyped one.

    Raises
    ------
    InputError
        If there is no such scenario.
    ScenarioError
        If the file is not a scenario.
    """
    return load_with_origin(source, others)[0]


def load_with_origin(source: str | Path, others: Sequence[str] = ()) -> tuple[Scenario, ScenarioOrigin]:
    """The scenario that `source` names, as `load` finds it, and where it was read from."""
    text = os.fspath(source)
    if isinstance(source, str) and text in scenarios.builtin_names():
        return parse(scenarios.builtin_bytes(text), "toml", text), ScenarioOrigin("built-in", text)
    if not is_file_name(text):
        raise InputError(_no_such_scenario(text, others))
    path = Path(text)
    scenario, parsed = parse_file(path, *read(path))
    return scenario, ScenarioOrigin("file", text, text=parsed)


def parse_file(path: Path, data: bytes, fmt: Literal["toml", "json"]) -> tuple[Scenario, ScenarioText]:
    """The scenario of a file, with what the tables say that it names, and its text."""
    return parse_text(data, fmt, path.name, lambda place, name: _read_table(place, name, path.parent))


def _read_table(place: str, name: str, folder: Path) -> str:
    """The text of a CSV file that a scenario names at `place`, as seen from its folder. Raises InputError."""
    file = f"{place}, CSV file {shown(name)}"
    try:
        return _read_regular_file(folder / name, file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: no text in UTF-8 at byte {error.start:,}") from None


def is_file_name(text: str) -> bool:
    """Whether `text` ends like the name of a scenario file."""
    return Path(text).suffix.lower() in _FORMATS


def read(path: Path) -> tuple[bytes, Literal["toml", "json"]]:
    """The bytes of a scenario file, and its format from the end of its name. Raises InputError."""
    if not is_file_name(str(path)):
        raise InputError(f"scenario file {shown(str(path))}: allowed: a name that ends in .toml or .json")
    return _read_regular_file(path), _FORMATS[path.suffix.lower()]


def near_builtin(name: str, others: Sequence[str] = ()) -> str | None:
    """The name of a built-in scenario, or one of `others`, that is most like `name`; None if none is."""
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


def near_files(path: Path) -> list[str]:
    """Names of the scenario files in the folder of `path` with a name like its, the most alike first."""
    try:
        names = sorted(file.name for file in path.parent.iterdir() if is_file_name(file.name))
    except (OSError, ValueError):
        return []
    by_stem: dict[str, list[str]] = {}
    for name in names:
        by_stem.setdefault(Path(name).stem.lower(), []).append(name)
    wanted = path.stem.lower() if is_file_name(path.name) else path.name.lower()
    contained = [
        stem for stem in by_stem if min(len(stem), len(wanted)) >= 3 and (wanted in stem or stem in wanted)
    ]
    alike = difflib.get_close_matches(wanted, list(by_stem), n=MOST_NEAR_FILES, cutoff=0.6)
    stems = list(dict.fromkeys([*alike, *contained]))
    return [name for stem in stems for name in by_stem[stem]][:MOST_NEAR_FILES]


def _no_such_scenario(name: str, others: Sequence[str]) -> str:
    exists: bool | None
    try:
        exists = os.path.lexists(name)
    except ValueError:
        exists = None
    if exists:
        problem = "is a folder" if Path(name).is_dir() else "does not end in .toml or .json"
        return f"scenario {shown(name)} {problem}; allowed: a .toml or .json file, or the name of a built-in"
    near, files = near_builtin(name, others), near_files(Path(name)) if exists is not None else []
    same = [file for file in files if Path(file).stem.lower() == Path(name).name.lower()]
    meant = same or ([near] if near else files)
    hint = _did_you_mean(meant) if meant else "`goldenhour scenarios list` lists all scenarios"
    return f"scenario {shown(name)} is neither a built-in scenario nor a .toml or .json file; {hint}"


def _hint_for(path: Path) -> str:
    """What may have been meant by a file that does not exist: another file of its folder, else a built-in."""
    if not path.parent.is_dir():
        return f", nor does the folder {shown(str(path.parent))}"
    if files := near_files(path):
        return f"; in its folder: {_did_you_mean(files)}"
    near = near_builtin(str(path))
    return f"; did you mean the built-in {near!r}?" if near else ""


def _did_you_mean(names: Iterable[str]) -> str:
    """The question whether one of these was meant."""
    return f"did you mean {' or '.join(map(shown, names))}?"


def _read_regular_file(path: Path, place: str = "") -> bytes:
    limit = "it may have at most" if place else "a scenario has at most"
    is_scenario = not place
    place = place or f"scenario file {shown(str(path))}"
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise InputError(f"{place} does not exist{_hint_for(path) if is_scenario else ''}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{place} cannot be opened: {reason}") from None
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{place} is a folder; name a .toml or .json file in it")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{place} is not a regular file")
        if status.st_size > MAX_BYTES:
            raise InputError(f"{place} has {status.st_size:,} bytes; {limit} {MAX_BYTES:,}")
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read(MAX_BYTES + 1)  # one byte more, so that `parse` refuses a file that has grown
    except OSError as error:
        raise InputError(f"{place} cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
