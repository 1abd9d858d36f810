"""Built-in scenarios, catalogues and reference tables: data with their sources, and modules that load them."""

from importlib.resources import files

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
