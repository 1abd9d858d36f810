"""The disk backend: one file per value in the user's cache folder."""

import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from actors.cache.backend import Usage
from engine.precomputed import LARGEST_PACKED, NAMESPACES, CacheKey
from engine.private_folder import PrivateFolder, UnsafeFolderError

DISK_BYTES = 64 * 1024 * 1024
"""Largest size of all files together. The least recently used ones are removed first."""

DISK_VALUES = 2048
"""Largest number of files."""


_FOLDER = "values"
_CHECKSUM_BYTES = hashlib.sha256().digest_size


class _File(NamedTuple):
    """A file of the cache."""

    namespace: str
    name: str
    size: int
    used: float
    """When it was last used, in seconds since 1970."""


class DiskBackend:
    """Values in files, for this user and machine, each after its SHA-256.

    Tags are ignored: nothing has to be invalidated, because a key is a digest of all that the value depends on.
    """

    name = "disk"

    def __init__(self, limit_bytes: int = DISK_BYTES) -> None:
        self.fault: str | None = None
        self.refusal: str | None = None
        """Why the cache folder is not used: others could have written to it. None if that was never seen."""
        self._limit = limit_bytes

    def get(self, keys: Sequence[CacheKey]) -> list[bytes | None]:
        """Return the packed value of each key, None for those that are missing or damaged."""
        return [self._read(key) for key in keys]

    def put(self, values: Iterable[tuple[CacheKey, bytes]], tags: Iterable[str]) -> None:
        """Store packed values."""
        for key, data in values:
            if len(data) > LARGEST_PACKED:
                continue
            with self._record_faults():
                with PrivateFolder.open(_FOLDER, key.namespace, create=True) as folder:
                    folder.write(_file_name(key), hashlib.sha256(data).digest() + data)
                self._evict()

    def clear(self, namespace: str | None) -> int:
        """Remove all values of a namespace, or of all namespaces for None. Return how many were removed."""
        removed = 0
        with self._record_faults():
            for file in self._files(NAMESPACES if namespace is None else (namespace,)):
                self._remove(file)
                removed += 1
        return removed

    def usage(self) -> Usage:
        """Return the number and size of the values by namespace."""
        usage = Usage()
        with self._record_faults():
            for name in NAMESPACES:
                sizes = [file.size for file in self._files((name,))]
                usage[name] = len(sizes), sum(sizes)
        return usage

    def _read(self, key: CacheKey) -> bytes | None:
        with self._record_faults():
            try:
                with PrivateFolder.open(_FOLDER, key.namespace) as folder:
                    stored = folder.read(_file_name(key), LARGEST_PACKED + _CHECKSUM_BYTES)
                    folder.mark_used(_file_name(key))
            except FileNotFoundError:
                return None
            data = stored[_CHECKSUM_BYTES:]
            if hashlib.sha256(data).digest() != stored[:_CHECKSUM_BYTES]:
                raise ValueError(f"{_file_name(key)} has a wrong checksum; its value is computed again")
            return data
        return None

    def _files(self, namespaces: Sequence[str]) -> list[_File]:
        found = []
        for namespace in namespaces:
            with contextlib.suppress(FileNotFoundError), PrivateFolder.open(_FOLDER, namespace) as folder:
                for name in folder.names():
                    if re.fullmatch(r"[0-9a-f]{64}\.value", name):
                        with contextlib.suppress(FileNotFoundError):
                            status = folder.status(name)
                            found.append(_File(namespace, name, status.st_size, status.st_mtime))
        return found

    def _remove(self, file: _File) -> None:
        with PrivateFolder.open(_FOLDER, file.namespace) as folder:
            folder.remove(file.name)

    def _evict(self) -> None:
        """Remove the least recently used files until size and number are within their limits."""
        files = sorted(self._files(NAMESPACES), key=attrgetter("used"))
        size = sum(file.size for file in files)
        for number, file in enumerate(files):
            if size <= self._limit and len(files) - number <= DISK_VALUES:
                return
            self._remove(file)
            size -= file.size

    @contextlib.contextmanager
    def _record_faults(self) -> Iterator[None]:
        """Turn an error of the file system, or a damaged file, into `fault`."""
        try:
            yield
        except (OSError, ValueError) as error:
            self.fault = f"the cache folder: {error}"
            if isinstance(error, UnsafeFolderError):
                self.refusal = self.fault


def _file_name(key: CacheKey) -> str:
    return f"{key.key}.value"
