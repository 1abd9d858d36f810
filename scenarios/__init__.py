"""Built-in scenarios and catalogues: data with its sources, and loaders without logic."""

from importlib.resources import files

_ORDER = ("standard", "coin", "falklands", "okinawa")


def builtin_names() -> tuple[str, ...]:
    """Names of the built-in scenarios: the general ones first, then the others in alphabetical order."""
    found = sorted(
        entry.name.removesuffix(".toml")
        for entry in files("scenarios").joinpath("builtin").iterdir()
        if entry.name.endswith(".toml")
    )
    return tuple([name for name in _ORDER if name in found] + [name for name in found if name not in _ORDER])


def builtin_bytes(name: str) -> bytes:
    """The TOML file of the built-in scenario `name`; KeyError if there is none."""
    if name not in builtin_names():
        raise KeyError(name)
    return files("scenarios").joinpath("builtin", f"{name}.toml").read_bytes()
