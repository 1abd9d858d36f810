"""Reading the files of a run: from a folder, from an object store, or from the log of a job."""

import base64
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import msgspec
import zstandard

from actors.run import MANIFEST, MAX_MANIFEST_BYTES, Folder, ObjectStore, Url
from engine.errors import InputError, RunError
from goldenhour.jobs import log_archive
from goldenhour.outputs import expand_path

READ_BYTES = 1 << 22


class OutputFiles(Protocol):
    """The files of a run, wherever they are."""

    async def read(self, name: str) -> bytes | None:
        """The content of a small file; None if there is none of this name."""
        ...

    def pieces(self, name: str) -> AsyncIterator[bytes]:
        """The content of a file, in pieces."""
        ...

    async def is_unchanged(self, manifest: bytes) -> bool:
        """Whether no other run has replaced the one with this manifest since the manifest was read."""
        ...


class FolderFiles:
    """The files in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read(self, name: str) -> bytes | None:
        """The content of a small file; None if there is none of this name."""
        try:
            with Folder(self._folder, follow=True) as folder:
                return folder.read(name, MAX_MANIFEST_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._unreadable(name, error) from error

    async def pieces(self, name: str) -> AsyncIterator[bytes]:
        """The content of a file, in pieces."""
        try:
            with Folder(self._folder, follow=True) as folder:
                descriptor = folder.open(name)
            with os.fdopen(descriptor, "rb") as file:
                while piece := file.read(READ_BYTES):
                    yield piece
        except OSError as error:
            raise self._unreadable(name, error) from error

    def _unreadable(self, name: str, error: OSError) -> RunError:
        return RunError(f"{self._folder / name} cannot be read: {error.strerror}")

    async def is_unchanged(self, manifest: bytes) -> bool:
        """Whether the folder still has this manifest."""
        return await self.read(MANIFEST) == manifest


class ObjectStoreFiles:
    """The objects below a URL."""

    def __init__(self, url: Url) -> None:
        self._objects = ObjectStore(url)

    async def read(self, name: str) -> bytes | None:
        """The content of a small object; None if there is none of this name."""
        return await self._objects.read(name)

    def pieces(self, name: str) -> AsyncIterator[bytes]:
        """The content of an object, in pieces."""
        return self._objects.pieces(name)

    async def is_unchanged(self, manifest: bytes) -> bool:
        """Whether the URL still has this manifest."""
        return await self.read(MANIFEST) == manifest


class JobLogFiles:
    """The files that a job prints as a log archive, read while it prints them.

    They must be asked for in the order of the archive: the manifest first, then the others by name. If the archive
    says that the run is too large for it, the files are read from the folder of the same name on this machine, if a
    shared disk has it here too.

    Parameters
    ----------
    text
        What the job prints, in pieces.
    place
        The output folder on the cluster, for messages.
    """

    def __init__(self, text: AsyncIterator[str], place: str) -> None:
        self._lines = _archive_lines(text)
        self._place = place
        self._next_line: tuple[str, str] | None = None
        self._pieces_read = 0
        self._shared: FolderFiles | None = None

    async def read(self, name: str) -> bytes | None:
        """The content of a small file; None if it is empty."""
        data = bytearray()
        async for piece in self.pieces(name):
            data += piece
            if len(data) > MAX_MANIFEST_BYTES:
                raise RunError(f"{self._place}/{name} has more than {MAX_MANIFEST_BYTES:,} bytes")
        content = bytes(data)
        if self._next_line is not None and self._next_line[0] == log_archive.TOO_LARGE:
            self._shared = FolderFiles(expand_path(Path(self._place)))
            if await self._shared.read(name) != content:
                raise InputError(
                    f"{self._place} on the cluster holds {self._number(self._next_line[1]):,} bytes, and a job's log "
                    f"can carry {log_archive.LIMIT_BYTES:,}: copy it by other means, or run with -o to a URL or to "
                    "a folder that this machine shares"
                )
        return content or None

    async def pieces(self, name: str) -> AsyncIterator[bytes]:
        """The content of a file, in pieces."""
        if self._shared is not None:
            async for piece in self._shared.pieces(name):
                yield piece
            return
        decompressor = zstandard.ZstdDecompressor()
        while (line := await self._peek())[0] == name:  # an empty file has no pieces
            self._next_line = None
            self._pieces_read += 1
            try:
                data = base64.b64decode(line[1], validate=True)
                # `max_output_size` has no effect where the frame itself says how large its content is
                if not 0 <= zstandard.frame_content_size(data) <= log_archive.PIECE_BYTES:
                    raise self._damaged(name)
                piece = decompressor.decompress(data)
            except (ValueError, zstandard.ZstdError):  # ValueError: not Base64
                raise self._damaged(name) from None
            yield piece

    async def is_unchanged(self, manifest: bytes) -> bool:
        """Whether the archive is complete: the job compares the manifest itself before it prints the last line."""
        if self._shared is not None:
            return await self._shared.is_unchanged(manifest)
        return (await self._peek())[0] == log_archive.END

    async def _peek(self) -> tuple[str, str]:
        """Kind and content of the next line, which stays the next one. Raises if it reports an error."""
        if self._next_line is None:
            line = await anext(self._lines, None)  # a tuple as the default is an error in Python 3.11
            self._next_line = line or (log_archive.END, "-1")
            kind, content = self._next_line
            if kind == log_archive.FAILED:
                try:
                    reason = msgspec.json.decode(content, type=str)[:2000]
                except (ValueError, RecursionError):
                    raise self._damaged("the job's answer") from None
                raise InputError(f"nothing to fetch from {self._place}: {reason}")
            if kind == log_archive.END and self._number(content) != self._pieces_read:
                raise RunError(
                    f"the transfer of {self._place} from the cluster is not complete: it ended after "
                    f"{self._pieces_read} pieces; fetch again"
                )
        return self._next_line

    def _number(self, text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", text):
            raise self._damaged("the end of the job's answer")
        return int(text)

    def _damaged(self, name: str) -> RunError:
        return RunError(f"{self._place}/{name} was damaged on the way from the cluster; fetch again")


async def _archive_lines(text: AsyncIterator[str]) -> AsyncIterator[tuple[str, str]]:
    """Kind and content of each line of an archive; other lines that a job prints are skipped."""
    rest = ""
    async for piece in text:
        *whole, rest = (rest + piece).split("\n")
        for line in whole:
            words = line.split(" ", 2)
            if words[0] == log_archive.PREFIX and len(words) == 3:
                yield words[1], words[2]
        rest = rest[
            : log_archive.LINE_CHARACTERS
        ]  # what is longer is no line of an archive, or a damaged one
