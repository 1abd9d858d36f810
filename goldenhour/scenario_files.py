"""Scenarios by name or from a file. Only this module opens scenario files; the engine takes their bytes."""

import difflib
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import scenarios
from engine.errors import InputError, ScenarioError, shown
from engine.scenario import (
    EXTENDS,
    MAX_BYTES,
    Scenario,
    ScenarioOrigin,
    extend,
    parse,
    read_tree,
    scenario_of,
    to_toml,
)

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
    return _load_file(Path(text), find_stored, ()), ScenarioOrigin("file", text)


def from_tree(tree: dict[str, Any], folder: Path) -> Scenario:
    """The scenario with the fields of `tree`, which may extend a built-in or a file in `folder`.

    Raises
    ------
    InputError
        If there is no scenario that it extends.
    ScenarioError
        If it is not a scenario.
    """
    return _scenario_of(tree, "scenario", folder, None, ())


def read_whole(
    path: Path, find_stored: FindStored | None = None
) -> tuple[Scenario, str, Literal["toml", "json"]]:
    """The scenario of a file, a text of it that needs no other file, and the format of the text.

    It is the file's own text unless the file extends another scenario. Raises InputError and ScenarioError.
    """
    data, fmt = read(path)
    scenario = _load_file(path, find_stored, ())
    if _may_extend(data) and EXTENDS in read_tree(data, fmt, path.name):
        return scenario, to_toml(scenario), "toml"
    return scenario, data.decode(), fmt


def _may_extend(data: bytes) -> bool:
    """Whether a file may have the field `extends`: most files need to be parsed only once."""
    return EXTENDS.encode() in data


def _load_file(path: Path, find_stored: FindStored | None, above: tuple[Path, ...]) -> Scenario:
    """The scenario of a file. `above` are the files that extend it, from the first on."""
    data, fmt = read(path)
    if not _may_extend(data):
        return parse(data, fmt, path.name)
    file = path.resolve()
    if file in above or len(above) == MAX_EXTENDED:
        names = " -> ".join(each.name for each in (*above, file))
        reason = (
            "a scenario that does not extend itself" if file in above else f"at most {MAX_EXTENDED} steps"
        )
        raise ScenarioError(EXTENDS, names, reason)
    tree = read_tree(data, fmt, path.name)
    return _scenario_of(tree, path.name, path.parent, find_stored, (*above, file))


def _scenario_of(
    tree: dict[str, Any], where: str, folder: Path, find_stored: FindStored | None, above: tuple[Path, ...]
) -> Scenario:
    if EXTENDS not in tree:
        return scenario_of(tree, where)
    own = {name: value for name, value in tree.items() if name != EXTENDS}
    name = tree[EXTENDS]
    try:
        return extend(_load_base(name, folder, find_stored, above), own, where)
    except InputError as error:
        raise InputError(f"{where}, {EXTENDS}: {error}") from None


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
            return _load_file(folder / name, find_stored, above)
        except ScenarioError as error:
            if error.place == EXTENDS:
                raise
            raise ScenarioError(f"{name}: {error.place}", error.value, error.allowed, error.near) from None
    found = find_stored(name) if find_stored else None
    if found is None:
        raise InputError(_no_such_scenario(name, ()))
    return found


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


def _no_such_scenario(name: str, others: Sequence[str]) -> str:
    try:
        exists = os.path.lexists(name)
    except ValueError:
        exists = False
    if exists:
        problem = "is a folder" if Path(name).is_dir() else "does not end in .toml or .json"
        return f"scenario {shown(name)} {problem}; allowed: a .toml or .json file, or the name of a built-in"
    near = near_builtin(name, others)
    hint = f"did you mean {near!r}?" if near else "`goldenhour scenarios list` lists all scenarios"
    return f"scenario {shown(name)} is neither a built-in scenario nor a .toml or .json file; {hint}"


def _read_regular_file(path: Path) -> bytes:
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
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{place} is a folder; name a .toml or .json file in it")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{place} is not a regular file")
        if status.st_size > MAX_BYTES:
            raise InputError(f"{place} has {status.st_size:,} bytes; a scenario has at most {MAX_BYTES:,}")
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read(MAX_BYTES + 1)  # one byte more, so that `parse` refuses a file that has grown
    except OSError as error:
        raise InputError(f"{place} cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
