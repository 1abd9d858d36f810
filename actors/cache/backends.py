"""Where values outlive a process: files of this user, or a Redis that many share; packed, with their digest.

Whatever goes wrong in a tier is a miss, and told once as its `fault`; a value that fails its digest is a miss too, and
is written anew once it has been made again.
"""

import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from engine import identity
from engine.precomputed import NAMESPACES, CacheKey

DISK_BYTES = 64 * 1024 * 1024
"""Most that the files of all namespaces take; the ones not used for longest go first."""

DISK_VALUES = 2048
"""Most files of all namespaces."""

_DIGEST_BYTES = hashlib.sha256().digest_size


class Usage(dict[str, tuple[int, int]]):
    """By namespace: (values, bytes)."""


class Backend(Protocol):
    """A place of values. `fault` is the last thing that went wrong; None while all is well."""

    name: str
    fault: str | None

    def get(self, wanted: Sequence[CacheKey]) -> list[bytes | None]:
        """The packed values, None for what is not there."""

    def put(self, values: Iterable[tuple[CacheKey, bytes]], tags: Iterable[str]) -> None:
        """Keep packed values under tags."""

    def clear(self, namespace: str | None) -> int:
        """Forget a namespace, or all; returns how many values went."""

    def usage(self) -> Usage:
        """What is there."""


def seal(data: bytes) -> bytes:
    """The data behind its SHA-256."""
    return hashlib.sha256(data).digest() + data


def unseal(sealed: bytes) -> bytes | None:
    """The data, or None where it is not what was sealed."""
    data = sealed[_DIGEST_BYTES:]
    return data if hashlib.sha256(data).digest() == sealed[:_DIGEST_BYTES] else None


class DiskBackend:
    """Values as files in the cache folder, for this user and machine; they need no tags, for keys name contents."""

    name = "disk"

    def __init__(self, limit_bytes: int = DISK_BYTES) -> None:
        self.fault: str | None = None
        self._limit = limit_bytes

    def get(self, wanted: Sequence[CacheKey]) -> list[bytes | None]:
        """The packed values, None for what is not there."""
        return [self._read(recipe) for recipe in wanted]

    def put(self, values: Iterable[tuple[CacheKey, bytes]], tags: Iterable[str]) -> None:
        """Keep packed values."""
        for recipe, data in values:
            with self._guard():
                target = self._path(recipe)
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                draft = target.with_suffix(f".{uuid.uuid4().hex[:12]}.tmp")
                try:
                    draft.write_bytes(seal(data))
                    os.replace(draft, target)
                finally:
                    draft.unlink(missing_ok=True)
                self._prune()

    def clear(self, namespace: str | None) -> int:
        """Forget a namespace, or all; returns how many values went."""
        gone = 0
        with self._guard():
            for path in self._files(namespace or "*"):
                path.unlink(missing_ok=True)
                gone += 1
        return gone

    def usage(self) -> Usage:
        """What is there."""
        found = Usage()
        with self._guard():
            for name in NAMESPACES:
                sizes = [path.stat().st_size for path in self._files(name)]
                found[name] = len(sizes), sum(sizes)
        return found

    def _read(self, recipe: CacheKey) -> bytes | None:
        with self._guard():
            path = self._path(recipe)
            try:
                sealed = path.read_bytes()
            except FileNotFoundError:
                return None
            if path.parent.stat().st_uid != os.getuid():
                raise PermissionError(f"{path.parent} belongs to another user")
            data = unseal(sealed)
            if data is None:
                raise ValueError(f"{path.name} failed its digest and is made again")
            os.utime(path)
            return data
        return None

    def _path(self, recipe: CacheKey) -> Path:
        return identity.cache_root() / "values" / recipe.namespace / f"{recipe.key}.value"

    def _files(self, namespace: str) -> list[Path]:
        return list((identity.cache_root() / "values").glob(f"{namespace}/*.value"))

    def _prune(self) -> None:
        """Remove the values not used for longest once there are too many."""
        found = sorted(((path.stat(), path) for path in self._files("*")), key=lambda f: f[0].st_mtime)
        left = sum(about.st_size for about, _ in found)
        for number, (about, path) in enumerate(found):
            if left <= self._limit and len(found) - number <= DISK_VALUES:
                return
            path.unlink(missing_ok=True)
            left -= about.st_size

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            self.fault = f"the cache folder: {error}"
