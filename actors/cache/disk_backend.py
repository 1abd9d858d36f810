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

DISK_BYTES = 256 * 1024 * 1024
"""Largest size of all files together. The least recently used ones are removed first."""

DISK_VALUES = 32_768
"""Largest number of files. Counting them takes 0.2 s."""

_LEFT_FREE = 32
"""So many times what is left free when files are removed fits into the limits: files are not counted at every write."""

_OTHERS = 4
"""So many processes can write at a time before they count the files again, without more than the limits in all."""

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
        self._free_bytes = self._free_values = 0  # what may be written before the files are counted again

    def get(self, keys: Sequence[CacheKey]) -> list[bytes | None]:
        """Return the packed value of each key, None for those that are missing or damaged."""
        found: dict[CacheKey, bytes | None] = {}
        for namespace in dict.fromkeys(key.namespace for key in keys):
            with (
                self._record_faults(),
                contextlib.suppress(FileNotFoundError),
                PrivateFolder.open(_FOLDER, namespace) as folder,
            ):
                for key in keys:
                    if key.namespace == namespace:
                        found[key] = self._read(folder, key)
        return [found.get(key) for key in keys]

    def put(self, values: Iterable[tuple[CacheKey, bytes]], tags: Iterable[str]) -> None:
        """Store packed values."""
        for key, data in values:
            if len(data) > LARGEST_PACKED:
                continue
            with self._record_faults():
                with PrivateFolder.open(_FOLDER, key.namespace, create=True) as folder:
                    folder.write(_file_name(key), hashlib.sha256(data).digest() + data)
                self._free_bytes -= len(data) + _CHECKSUM_BYTES
                self._free_values -= 1
                if self._free_bytes < 0 or self._free_values < 0:
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

    def _read(self, folder: PrivateFolder, key: CacheKey) -> bytes | None:
        with self._record_faults():
            try:
                stored = folder.read(_file_name(key), LARGEST_PACKED + _CHECKSUM_BYTES)
            except FileNotFoundError:
                return None
            folder.mark_used(_file_name(key))
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
        """Remove the least recently used files if size or number are above their limits, and count what may be written.

        Some more are removed, so that there is room for the next ones.
        """
        files = sorted(self._files(NAMESPACES), key=attrgetter("used"))
        size, number = sum(file.size for file in files), len(files)
        if size > self._limit or number > DISK_VALUES:
            least = self._limit // _LEFT_FREE, DISK_VALUES // _LEFT_FREE
            for file in files:
                if size <= self._limit - least[0] and number <= DISK_VALUES - least[1]:
                    break
                self._remove(file)
                size -= file.size
                number -= 1
        self._free_bytes = (self._limit - size) // _OTHERS
        self._free_values = (DISK_VALUES - number) // _OTHERS

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
