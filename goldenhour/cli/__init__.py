"""The command line: one file for each command or group of commands, with its options, its help and what it does."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from goldenhour.cli.main import goldenhour

__getattr__ = lazy_attributes(
    __name__,
    {
        "main": ("goldenhour",),
    },
)

__all__ = [
    "goldenhour",
]
