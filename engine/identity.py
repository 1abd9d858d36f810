"""Digests of the engine's sources and of its data, and the folder of caches on disk."""

import hashlib
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import scenarios

_ENGINE = Path(__file__).resolve().parent
_CATALOGUE = Path(scenarios.__file__).resolve().parent


def digest_of(root: Path, paths: Iterable[Path]) -> "hashlib._Hash":
    """Return the SHA-256 of names and contents of files below `root`."""
    sha = hashlib.sha256()
    for path in sorted(paths):
        content = path.read_bytes()
        sha.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode() + content)
    return sha


def sources() -> "hashlib._Hash":
    """Return the SHA-256 of all Python files in engine/."""
    return digest_of(_ENGINE, _ENGINE.rglob("*.py"))


@cache
def engine_version() -> str:
    """Return 20 hex digits that change with any line of the engine."""
    return sources().hexdigest()[:20]


@cache
def catalogue_version() -> str:
    """Return 20 hex digits that change with any file in scenarios/ except the built-in scenarios."""
    found = [path for path in _CATALOGUE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    builtin = _CATALOGUE / "builtin"
    return digest_of(_CATALOGUE, [path for path in found if builtin not in path.parents]).hexdigest()[:20]


def cache_root() -> Path:
    """Return the folder of caches: $GOLDENHOUR_CACHE_DIR, else $XDG_CACHE_HOME/goldenhour, else ~/.cache/goldenhour.

    Raises
    ------
    OSError
        If there is no home folder.
    """
    chosen = os.environ.get("GOLDENHOUR_CACHE_DIR")
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    base = xdg if os.path.isabs(xdg) else os.path.expanduser("~/.cache")
    if not os.path.isabs(base):
        raise OSError("there is no home folder for a cache")
    return Path(base, "goldenhour")
