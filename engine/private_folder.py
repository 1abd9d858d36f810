"""Folders whose content a process trusts: compiled kernels, cached values, the secret that signs values in Redis.

Machine code from such a folder runs as the user. So nobody else may have written it, even where the folder lies in a
place that is shared. Every check looks at an open descriptor and never at a name, so nothing can be exchanged between
the check and the use (docs/caches.md).
"""

import contextlib
import os
import re
import shutil
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

from engine import identity
from engine.errors import errors_of

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC
_ENGINE = re.compile("[0-9a-f]{20}")
_CACHED_ENGINES = 3
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_CHOOSE = "take that right away (chmod go-w), or let GOLDENHOUR_CACHE_DIR name a folder in it"


class UnsafeFolderError(PermissionError):
    """A folder or file in which other users could have put what they like. The text says what to do."""


class PrivateFolder:
    """An open folder in the cache folder, in which only this user and root can write.

    Use it in a `with` statement. Names are names of files, without a path.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def open(cls, *names: str, create: bool = False) -> "PrivateFolder":
        """Open a folder of the cache folder.

        Parameters
        ----------
        names
            The folders that lead to it, from the cache folder on.
        create
            Whether to make the folders that are missing. Only this user can enter those.

        Raises
        ------
        UnsafeFolderError
            If a folder is a link, belongs to another user than this one or root, or can be written by others. The cache
            folder itself may be a link of this user, and may be written by others if it is sticky, as /tmp is.
        OSError
            If it does not exist or cannot be opened.
        """
        path = identity.cache_root()
        descriptor = _open_root(path, create)
        try:
            for number, name in enumerate(names, 1):
                path = path / name
                inner = _open_inner(path, descriptor, create)
                os.close(descriptor)
                descriptor = inner
                _check(os.fstat(descriptor), path, None if number == len(names) else descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor)

    def __enter__(self) -> "PrivateFolder":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def read(self, name: str, largest: int) -> bytes:
        """Return the content of a file of at most `largest` bytes.

        Raises
        ------
        UnsafeFolderError
            If it is a link or no regular file, belongs to another user than this one or root, or can be written by
            others.
        ValueError
            If it is larger.
        OSError
            If it does not exist or cannot be read.
        """
        # Without O_NONBLOCK, opening a pipe would wait for a writer.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | _NO_LINK
        path = self.path / name
        with _name_links(path, self._descriptor):
            descriptor = os.open(name, flags, dir_fd=self._descriptor)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UnsafeFolderError(f"{path} is not a regular file")
            _check(status, path)
            if status.st_size > largest:
                raise ValueError(f"{path} has {status.st_size:,} bytes; allowed: {largest:,}")
            with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
                data = file.read(status.st_size + 1)
        finally:
            os.close(descriptor)
        if len(data) != status.st_size:
            raise ValueError(f"{path} changed while it was read")
        return data

    def write(self, name: str, data: bytes) -> None:
        """Write a file that only this user can read. It appears under its name when it is complete."""
        with self._draft(name, data) as draft:
            os.replace(draft, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def write_new(self, name: str, data: bytes) -> None:
        """Write a file as `write` does, unless one of that name exists."""
        with self._draft(name, data) as draft, contextlib.suppress(FileExistsError):
            os.link(draft, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def open_lock(self, name: str) -> int:
        """Return the descriptor of a file to lock, which is made if it is missing."""
        path = self.path / name
        flags = os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | _NO_LINK
        with _name_links(path, self._descriptor):
            return os.open(name, flags, 0o600, dir_fd=self._descriptor)

    def names(self) -> list[str]:
        """Return the names of everything in the folder."""
        with errors_of(self.path), os.scandir(self._descriptor) as entries:
            return [entry.name for entry in entries]

    def status(self, name: str) -> os.stat_result:
        """Return the status of a file, without following a link."""
        with errors_of(self.path / name):
            return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)

    def mark_used(self, name: str | None = None) -> None:
        """Set the time of a file, or of the folder, to now, if this user may."""
        with contextlib.suppress(OSError):
            if name is None:
                os.utime(self._descriptor)
            else:
                os.utime(name, dir_fd=self._descriptor, follow_symlinks=False)

    def remove(self, name: str) -> None:
        """Remove a file, if it exists."""
        with contextlib.suppress(FileNotFoundError), errors_of(self.path / name):
            os.unlink(name, dir_fd=self._descriptor)

    def remove_folder(self, name: str) -> None:
        """Remove a folder with its content, as far as possible."""
        shutil.rmtree(name, ignore_errors=True, dir_fd=self._descriptor)

    @contextlib.contextmanager
    def _draft(self, name: str, data: bytes) -> Iterator[str]:
        """Write a file under another name, which is removed afterwards."""
        draft = f"{name}.{uuid.uuid4().hex[:12]}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
        with errors_of(self.path / name):
            descriptor = os.open(draft, flags, 0o600, dir_fd=self._descriptor)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                yield draft
            finally:
                self.remove(draft)


def _open_root(path: Path, create: bool) -> int:
    """Open and check the cache folder."""
    with contextlib.suppress(FileNotFoundError):
        link = os.lstat(path)
        if stat.S_ISLNK(link.st_mode):
            _check_owner(link, path)
    try:
        descriptor = os.open(path, _FOLDER)
    except FileNotFoundError:
        if not create:
            raise
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, _FOLDER)
    try:
        status = os.fstat(descriptor)
        if status.st_mode & stat.S_ISVTX:
            _check_owner(status, path)
        else:
            chosen = bool(os.environ.get("GOLDENHOUR_CACHE_DIR"))
            _check(status, path, None if chosen else descriptor, _CHOOSE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _open_inner(path: Path, parent: int, create: bool) -> int:
    """Open a folder in the folder `parent`; the caller checks it."""
    with _name_links(path, parent):
        try:
            return os.open(path.name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
        except FileNotFoundError:
            if not create:
                raise
        with contextlib.suppress(FileExistsError):
            os.mkdir(path.name, 0o700, dir_fd=parent)
        return os.open(path.name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)


@contextlib.contextmanager
def _name_links(path: Path, parent: int) -> Iterator[None]:
    """Say that a name is a link, where the system says that there are too many links or that it is not a folder."""
    with errors_of(path):
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            if stat.S_ISLNK(os.stat(path.name, dir_fd=parent, follow_symlinks=False).st_mode):
                raise UnsafeFolderError(f"{path} is a link, which is not followed") from error
            raise


def _check_owner(status: os.stat_result, path: Path) -> None:
    """Raise UnsafeFolderError for a folder or file of another user than this one or root."""
    if status.st_uid not in (os.geteuid(), 0):
        raise UnsafeFolderError(
            f"{path} belongs to another user; GOLDENHOUR_CACHE_DIR may name a folder of yours"
        )


def _check(
    status: os.stat_result, path: Path, to_narrow: int | None = None, remedy: str = "remove it"
) -> None:
    """Raise UnsafeFolderError if others than this user and root could have written a folder or file.

    `to_narrow` is the descriptor of a folder that an earlier version made, with too wide a mode where the umask is 002.
    If it is this user's, the others lose their right to write in it. What lies in it is checked on its own.
    """
    _check_owner(status, path)
    if not status.st_mode & _WRITABLE_BY_OTHERS:
        return
    if to_narrow is not None and status.st_uid == os.geteuid():
        os.fchmod(to_narrow, stat.S_IMODE(status.st_mode) & ~_WRITABLE_BY_OTHERS)
        return
    raise UnsafeFolderError(f"other users can write to {path}; {remedy}")


def prune_engines(name: str) -> None:
    """Delete the compiled code of all engines except the ones used last.

    Parameters
    ----------
    name
        A folder of the cache folder with one folder for each engine, named by 20 hex digits.
    """
    with PrivateFolder.open(name) as private:
        found = {entry: private.status(entry) for entry in private.names() if _ENGINE.fullmatch(entry)}
        digests = [entry for entry, status in found.items() if stat.S_ISDIR(status.st_mode)]
        digests.sort(key=lambda entry: found[entry].st_mtime, reverse=True)
        for entry in digests[_CACHED_ENGINES:]:
            private.remove_folder(entry)
