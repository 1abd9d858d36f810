"""Built-in scenarios, catalogues and reference tables: data with their sources, and modules that load them."""

import csv
from importlib.resources import files

_EVIDENCE = ".assumptions.csv"
"""Ending of the files that say where the settings of a built-in scenario come from."""

_FIRST = ("standard", "coin", "falklands", "okinawa")


def builtin_names() -> tuple[str, ...]:
    """Names of the built-in scenarios: the general ones first, then the others in alphabetical order."""
    found = sorted(
        entry.name.removesuffix(".toml")
        for entry in files("scenarios").joinpath("builtin").iterdir()
        if entry.name.endswith(".toml")
    )
    return tuple([name for name in _FIRST if name in found] + [name for name in found if name not in _FIRST])


def builtin_bytes(name: str) -> bytes:
    """The TOML file of a built-in scenario.

    Raises
    ------
    KeyError
        If there is no built-in scenario of this name.
    """
    if name not in builtin_names():
        raise KeyError(name)
    return files("scenarios").joinpath("builtin", f"{name}.toml").read_bytes()


def evidence_names() -> tuple[str, ...]:
    """Names of the built-in scenarios with a list of where each of their settings comes from."""
    files_there = {entry.name for entry in files("scenarios").joinpath("builtin").iterdir()}
    return tuple(name for name in builtin_names() if name + _EVIDENCE in files_there)


def evidence_rows(name: str) -> list[dict[str, str]]:
    """Where the settings of a built-in scenario come from: rows of setting, basis, source and seen.

    Raises
    ------
    KeyError
        If there is no such list for a built-in scenario of this name.
    """
    if name not in evidence_names():
        raise KeyError(name)
    text = files("scenarios").joinpath("builtin", name + _EVIDENCE).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))
