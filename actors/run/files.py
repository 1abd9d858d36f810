"""Folders whose files are reached without links, files that survive a power failure, and locks of a process."""

import fcntl
import os
import stat
from pathlib import Path
from types import TracebackType

from engine.errors import InputError, errors_of, shown


class Folder:
    """An open folder. Its files are reached by name through its descriptor.

    A name is one component, so no file outside of the folder is reached. No link is followed, also if somebody puts one
    in the place of a file meanwhile. What is opened is a regular file: a pipe or a device would wait or never end.

    Parameters
    ----------
    path
        The folder.
    follow
        Whether `path` itself may be a link: only for a folder that the user has named.

    Raises
    ------
    OSError
        There is no such folder, or it cannot be used. The errors of all methods have the whole path as `filename`.
    """

    def __init__(self, path: Path, follow: bool = False) -> None:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        self.path = path
        self._descriptor = os.open(path, flags if follow else flags | os.O_NOFOLLOW)

    def __enter__(self) -> "Folder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the folder. Safe to call twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def names(self) -> list[str]:
        """Names of all that is in the folder."""
        with errors_of(self.path), os.scandir(self._descriptor) as entries:
            return [entry.name for entry in entries]

    def status(self, name: str) -> os.stat_result | None:
        """The status of a file, or of the link that is there; None if there is nothing of this name."""
        try:
            with errors_of(self.path / name):
                return os.stat(_component(name), dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def exists(self, name: str) -> bool:
        """Whether there is anything of this name, even a link that leads nowhere."""
        return self.status(name) is not None

    def is_file(self, name: str) -> bool:
        """Whether there is a regular file of this name, not a link to one."""
        status = self.status(name)
        return status is not None and stat.S_ISREG(status.st_mode)

    def open(self, name: str, flags: int = os.O_RDONLY) -> int:
        """The descriptor of a regular file.

        Raises InputError for anything else, and for a file to be written that has a second name (a hard link), because
        the other name may lie outside of the folder.
        """
        path = self.path / _component(name)
        if not flags & os.O_EXCL and self.exists(name) and not self.is_file(name):
            raise _not_regular(path)
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with errors_of(self.path / name):
            descriptor = os.open(name, flags, 0o666, dir_fd=self._descriptor)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _not_regular(path)
            if flags & os.O_ACCMODE != os.O_RDONLY and status.st_nlink > 1:
                raise InputError(
                    f"{str(path)!r} is also the file of another name (a hard link): remove it or copy it"
                )
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def read(self, name: str, most: int) -> bytes | None:
        """The content of a file; None if there is none. Raises InputError for one of more than `most` bytes."""
        try:
            descriptor = self.open(name)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise InputError(
                f"{str(self.path / name)!r} has more than {most:,} bytes: it is not of goldenhour"
            )
        return data

    def write_new(self, name: str, data: bytes) -> None:
        """Write a file that must not exist yet, and wait until its bytes are on the disk."""
        with os.fdopen(self.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def remove(self, name: str) -> None:
        """Remove a file, or the link that is there; nothing if there is none of this name."""
        try:
            with errors_of(self.path / name):
                os.unlink(_component(name), dir_fd=self._descriptor)
        except FileNotFoundError:
            return

    def move(self, name: str, target: "Folder", new: str | None = None) -> None:
        """Move a file to another folder of the same file system, by default under the same name."""
        with errors_of(self.path / name):
            os.replace(
                _component(name),
                _component(new or name),
                src_dir_fd=self._descriptor,
                dst_dir_fd=target._descriptor,
            )


def _component(name: str) -> str:
    """`name` if it is one component of a path. Raises InputError."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise InputError(f"{shown(name)} is not the name of a file in the folder of a run")
    return name


def _not_regular(path: Path) -> InputError:
    return InputError(f"{str(path)!r} is a link or not a regular file: remove it or choose another folder")


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk: files created, renamed or removed there."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Lock a file or folder without waiting. Returns False if another process holds the lock.

    Returns True where the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def is_regular_file(path: Path) -> bool:
    """Whether `path` is a regular file itself, not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
