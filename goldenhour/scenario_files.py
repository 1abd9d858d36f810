"""Scenarios by name or from a file. Only this module opens scenario files; the engine takes their bytes."""

import difflib
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import scenarios
from engine.errors import InputError, ScenarioError, shown
from engine.scenario import (
    EXTENDS,
    MAX_BYTES,
    Scenario,
    ScenarioOrigin,
    ScenarioText,
    extend,
    parse,
    parse_text,
    read_tree,
    scenario_of,
    to_toml,
)

MOST_NEAR_FILES = 5
"""Most files that a message names for one that does not exist."""

_FORMATS: dict[str, Literal["toml", "json"]] = {".toml": "toml", ".json": "json"}


MAX_EXTENDED = 8
"""Most scenarios that extend each other."""

FindStored = Callable[[str], Scenario | None]
"""Finds a scenario of the database by NAME or NAME@VERSION; None if there is none."""


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


def load_with_origin(
    source: str | Path, others: Sequence[str] = (), find_stored: FindStored | None = None
) -> tuple[Scenario, ScenarioOrigin]:
    """The scenario that `source` names, as `load` finds it, and where it was read from.

    A file may extend a built-in, another file or, with `find_stored`, a scenario of the database.
    """
    text = os.fspath(source)
    if isinstance(source, str) and text in scenarios.builtin_names():
        return parse(scenarios.builtin_bytes(text), "toml", text), ScenarioOrigin("built-in", text)
    if not is_file_name(text):
        raise InputError(_no_such_scenario(text, others))
    scenario, parsed = _load_file(Path(text), find_stored, ())
    return scenario, ScenarioOrigin("file", text, text=parsed)


def from_tree(tree: dict[str, Any], folder: Path) -> Scenario:
    """The scenario with the fields of `tree`, which may extend a built-in or a file in `folder`, and name tables there.

    Raises
    ------
    InputError
        If there is no scenario that it extends, or no table that it names.
    ScenarioError
        If it is not a scenario.
    """
    return _scenario_of(tree, "scenario", folder, None, ())


def read_whole(
    path: Path, find_stored: FindStored | None = None
) -> tuple[Scenario, ScenarioText | None, str, Literal["toml", "json"]]:
    """The scenario of a file, what it was read from, a text of it that needs no other file, and the text's format.

    It is the file's own text unless the file extends another scenario or names a table. Raises InputError and
    ScenarioError.
    """
    scenario, source = _load_file(path, find_stored, ())
    if source is None or source.files:
        return scenario, source, to_toml(scenario), "toml"
    return scenario, source, source.data.decode(), source.format


def _load_file(
    path: Path, find_stored: FindStored | None, above: tuple[Path, ...]
) -> tuple[Scenario, ScenarioText | None]:
    """The scenario of a file, and its text unless it extends another one. `above` are the files that extend it."""
    data, fmt = read(path)
    tree = (
        read_tree(data, fmt, path.name) if EXTENDS.encode() in data else {}
    )  # most files are parsed only once
    if EXTENDS not in tree:
        return parse_text(data, fmt, path.name, _table_reader(path.parent))
    file = path.resolve()
    if file in above or len(above) == MAX_EXTENDED:
        names = " -> ".join(each.name for each in (*above, file))
        reason = (
            "a scenario that does not extend itself" if file in above else f"at most {MAX_EXTENDED} steps"
        )
        raise ScenarioError(EXTENDS, names, reason)
    return _scenario_of(tree, path.name, path.parent, find_stored, (*above, file)), None


def _scenario_of(
    tree: dict[str, Any], where: str, folder: Path, find_stored: FindStored | None, above: tuple[Path, ...]
) -> Scenario:
    if EXTENDS not in tree:
        return scenario_of(tree, where, _table_reader(folder))
    own = {name: value for name, value in tree.items() if name != EXTENDS}
    name = tree[EXTENDS]
    try:
        base = _load_base(name, folder, find_stored, above)
    except InputError as error:
        raise InputError(f"{where}, {EXTENDS}: {error}") from None
    return extend(base, own, where, _table_reader(folder))


def _load_base(name: Any, folder: Path, find_stored: FindStored | None, above: tuple[Path, ...]) -> Scenario:
    """The scenario that the field `extends` names. Raises InputError or ScenarioError."""
    if not isinstance(name, str) or not name or (is_file_name(name) and Path(name).is_absolute()):
        stored = ", or NAME@VERSION of a stored scenario" if find_stored else ""
        raise ScenarioError(
            EXTENDS,
            name,
            f"the name of a built-in, or the path of a .toml or .json file from the folder of this one{stored}",
        )
    if name in scenarios.builtin_names():
        return parse(scenarios.builtin_bytes(name), "toml", name)
    if is_file_name(name):
        try:
            return _load_file(folder / name, find_stored, above)[0]
        except ScenarioError as error:
            if error.place == EXTENDS:
                raise
            place = f"{name}: {error.place}"
            raise ScenarioError(place, error.value, error.allowed, error.near, error.line) from None
    found = find_stored(name) if find_stored else None
    if found is None:
        raise InputError(_no_such_scenario(name, ()))
    return found


def _table_reader(folder: Path) -> Callable[[str, str], str]:
    """Returns a function that reads the CSV files which a scenario in `folder` names."""
    return lambda place, name: _read_table(place, name, folder)


def _read_table(place: str, name: str, folder: Path) -> str:
    """The text of a CSV file that a scenario names at `place`, as seen from its folder. Raises InputError."""
    file = f"{place}, CSV file {shown(name)}"
    try:
        data = _read_regular_file(folder / name, file, _hint_for_table, "it may have at most")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: no text in UTF-8 at byte {error.start:,}") from None


def is_file_name(text: str) -> bool:
    """Whether `text` ends like the name of a scenario file."""
    return Path(text).suffix.lower() in _FORMATS


def read(path: Path) -> tuple[bytes, Literal["toml", "json"]]:
    """The bytes of a scenario file, and its format from the end of its name. Raises InputError."""
    if not is_file_name(str(path)):
        raise InputError(f"scenario file {shown(str(path))}: allowed: a name that ends in .toml or .json")
    place = f"scenario file {shown(str(path))}"
    return _read_regular_file(path, place, _hint_for, "a scenario has at most"), _FORMATS[path.suffix.lower()]


def read_plan(path: Path, what: str) -> bytes:
    """The bytes of a .toml file of another kind, such as an `experiment file`. Raises InputError."""
    place = f"{what} {shown(str(path))}"
    if path.suffix.lower() != ".toml":
        raise InputError(f"{place}: allowed: a name that ends in .toml")
    return _read_regular_file(path, place, _hint_for_plan, "it may have at most")


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


def _hint_for_plan(path: Path) -> str:
    """What may have been meant by a .toml file that does not exist: another file of its folder."""
    if not path.parent.is_dir():
        return f", nor does the folder {shown(str(path.parent))}"
    files = [name for name in near_files(path) if name.endswith(".toml")]
    return f"; in its folder: {_did_you_mean(files)}" if files else ""


def _hint_for_table(path: Path) -> str:
    """The CSV file of the same folder that may have been meant by one that does not exist."""
    try:
        names = [file.name for file in path.parent.iterdir() if file.suffix.lower() == ".csv"]
    except (OSError, ValueError):
        return ""
    near = difflib.get_close_matches(path.name, sorted(names), n=1, cutoff=0.6)
    return f"; {_did_you_mean(near)}" if near else ""


def _did_you_mean(names: Iterable[str]) -> str:
    """The question whether one of these was meant."""
    return f"did you mean {' or '.join(map(shown, names))}?"


def _read_regular_file(path: Path, place: str, hint_for: Callable[[Path], str], limit: str) -> bytes:
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise InputError(f"{place} does not exist{hint_for(path)}") from None
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
