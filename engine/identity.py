"""What this engine is: digests of its sources and of its data, and where on disk what follows from them is kept."""

import hashlib
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import scenarios

_ENGINE = Path(__file__).resolve().parent
_CATALOGUE = Path(scenarios.__file__).resolve().parent


def digest_of(root: Path, paths: Iterable[Path]) -> "hashlib._Hash":
    """SHA-256 over names and contents of files below `root`."""
    sha = hashlib.sha256()
    for path in sorted(paths):
        content = path.read_bytes()
        sha.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode() + content)
    return sha


def sources() -> "hashlib._Hash":
    """SHA-256 over all of engine/*.py."""
    return digest_of(_ENGINE, _ENGINE.rglob("*.py"))


@cache
def engine_version() -> str:
    """20 hex digits that change with any line of the engine."""
    return sources().hexdigest()[:20]


@cache
def catalogue_version() -> str:
    """20 hex digits that change with any table, catalogue or loader in scenarios/; built-in scenarios apart."""
    found = [path for path in _CATALOGUE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    builtin = _CATALOGUE / "builtin"
    return digest_of(_CATALOGUE, [p for p in found if builtin not in p.parents]).hexdigest()[:20]


def cache_root() -> Path:
    """$GOLDENHOUR_CACHE_DIR, else $XDG_CACHE_HOME/goldenhour, else ~/.cache/goldenhour; OSError without a home."""
    chosen = os.environ.get("GOLDENHOUR_CACHE_DIR")
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    base = xdg if os.path.isabs(xdg) else os.path.expanduser("~/.cache")
    if not os.path.isabs(base):
        raise OSError("there is no home folder to keep a cache in")
    return Path(base, "goldenhour")
