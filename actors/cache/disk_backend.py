"""The disk backend: one file per value in the user's cache folder."""

import contextlib
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from actors.cache.backend import Usage, add_checksum, verify_checksum
from engine import identity
from engine.precomputed import NAMESPACES, CacheKey

DISK_BYTES = 64 * 1024 * 1024
"""Largest size of all files together. The least recently used ones are removed first."""

DISK_VALUES = 2048
"""Largest number of files."""


class DiskBackend:
    """Values in files, for this user and machine.

    Tags are ignored: nothing has to be invalidated, because a key is a digest of all that the value depends on.
    """

    name = "disk"

    def __init__(self, limit_bytes: int = DISK_BYTES) -> None:
        self.fault: str | None = None
        self._limit = limit_bytes

    def get(self, keys: Sequence[CacheKey]) -> list[bytes | None]:
        """Return the packed value of each key, None for those that are missing or damaged."""
        return [self._read(key) for key in keys]

    def put(self, values: Iterable[tuple[CacheKey, bytes]], tags: Iterable[str]) -> None:
        """Store packed values."""
        for key, data in values:
            with self._record_faults():
                target = self._path(key)
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                draft = target.with_suffix(f".{uuid.uuid4().hex[:12]}.tmp")
                try:
                    draft.write_bytes(add_checksum(data))
                    os.replace(draft, target)
                finally:
                    draft.unlink(missing_ok=True)
                self._evict()

    def clear(self, namespace: str | None) -> int:
        """Remove all values of a namespace, or of all namespaces for None. Return how many were removed."""
        removed = 0
        with self._record_faults():
            for path in self._files(namespace or "*"):
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def usage(self) -> Usage:
        """Return the number and size of the values by namespace."""
        usage = Usage()
        with self._record_faults():
            for name in NAMESPACES:
                sizes = [path.stat().st_size for path in self._files(name)]
                usage[name] = len(sizes), sum(sizes)
        return usage

    def _read(self, key: CacheKey) -> bytes | None:
        with self._record_faults():
            path = self._path(key)
            try:
                stored = path.read_bytes()
            except FileNotFoundError:
                return None
            if path.parent.stat().st_uid != os.getuid():
                raise PermissionError(f"{path.parent} belongs to another user")
            data = verify_checksum(stored)
            if data is None:
                raise ValueError(f"{path.name} has a wrong checksum; its value is computed again")
            os.utime(path)
            return data
        return None

    def _path(self, key: CacheKey) -> Path:
        return identity.cache_root() / "values" / key.namespace / f"{key.key}.value"

    def _files(self, namespace: str) -> list[Path]:
        return list((identity.cache_root() / "values").glob(f"{namespace}/*.value"))

    def _evict(self) -> None:
        """Remove the least recently used files until size and number are within their limits."""
        files = sorted(((path.stat(), path) for path in self._files("*")), key=lambda file: file[0].st_mtime)
        size = sum(status.st_size for status, _ in files)
        for number, (status, path) in enumerate(files):
            if size <= self._limit and len(files) - number <= DISK_VALUES:
                return
            path.unlink(missing_ok=True)
            size -= status.st_size

    @contextlib.contextmanager
    def _record_faults(self) -> Iterator[None]:
        """Turn an error of the file system, or a damaged file, into `fault`."""
        try:
            yield
        except (OSError, ValueError) as error:
            self.fault = f"the cache folder: {error}"
