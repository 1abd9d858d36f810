"""The command line: one file a command."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from goldenhour.cli.main import goldenhour
    from goldenhour.cli.run import expand_path
    from goldenhour.cli.store_access import ask

__getattr__ = lazy_attributes(
    __name__,
    {
        "main": ("goldenhour",),
        "run": ("expand_path",),
        "store_access": ("ask",),
    },
)

__all__ = [
    "ask",
    "expand_path",
    "goldenhour",
]
