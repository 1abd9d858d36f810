"""Where the output of a run is read from by `goldenhour fetch`: a folder, an object store, or what a job prints."""

import asyncio
import base64
import binascii
import contextlib
import os
import shlex
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import click
import msgspec
import zstandard

from actors.run import MANIFEST, ObjectStore, Url, is_url, parse_url
from engine.errors import GoldenhourError, InputError, RunError, shown
from goldenhour.cli import ask, expand_path
from goldenhour.jobs import client, parcel

SILENT_SECONDS = 120.0
"""How long a job may print nothing, its start included."""


class Source(Protocol):
    """Where the files of a run are read from."""

    async def read(self, name: str) -> bytes | None:
        """A small file; None where it is not there."""
        ...

    def pieces(self, name: str) -> AsyncIterator[bytes]:
        """The bytes of a file."""
        ...

    async def is_still(self, manifest: bytes) -> bool:
        """Whether what was read since the manifest was is of the run it names, and not of one that replaced it."""
        ...


class FoundOutput(NamedTuple):
    """The output of a run: `place` in words; `made`: scenario's hash, seed and replication, where they are known."""

    source: Source
    place: str
    made: tuple[str, int, int] | None = None


class _InFolder:
    """Files in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read(self, name: str) -> bytes | None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return (self._folder / name).read_bytes()
        return None

    async def pieces(self, name: str) -> AsyncIterator[bytes]:
        try:
            with (self._folder / name).open("rb") as file:
                while piece := file.read(1 << 22):
                    yield piece
        except OSError as error:
            raise RunError(f"{self._folder / name} cannot be read: {error.strerror}") from error

    async def is_still(self, manifest: bytes) -> bool:
        return await self.read(MANIFEST) == manifest


class _InBucket:
    """Objects below a URL."""

    def __init__(self, url: Url) -> None:
        self._objects = ObjectStore(url)

    async def read(self, name: str) -> bytes | None:
        return await self._objects.read(name)

    def pieces(self, name: str) -> AsyncIterator[bytes]:
        return self._objects.pieces(name)

    async def is_still(self, manifest: bytes) -> bool:
        return await self.read(MANIFEST) == manifest


class _InParcel:
    """Files that a job prints, read while it prints them: the manifest first, then the others in the order of their
    names, which is the order they must be asked for in.
    """

    def __init__(self, text: AsyncIterator[str], place: str) -> None:
        self._lines = _lines(text)
        self._place = place
        self._ahead: list[str] | None = None
        self._counted = 0
        self._here: _InFolder | None = None

    async def read(self, name: str) -> bytes | None:
        data = b"".join([piece async for piece in self.pieces(name)])
        if self._ahead is not None and self._ahead[1] == "+":
            self._here = _InFolder(Path(self._place).expanduser())
            if await self._here.read(name) != data:
                raise InputError(
                    f"{self._place} on the cluster holds {int(self._ahead[2]):,} bytes, and a job's log can carry "
                    f"{parcel.LIMIT_BYTES:,}: copy it by other means, or run with -o to a URL or to a folder that "
                    "this machine shares"
                )
        return data or None

    async def pieces(self, name: str) -> AsyncIterator[bytes]:
        if self._here is not None:
            async for piece in self._here.pieces(name):
                yield piece
            return
        unpacker = zstandard.ZstdDecompressor()
        while (words := await self._next())[1] == name:  # an empty file has no pieces
            self._ahead = None
            self._counted += 1
            try:
                piece = unpacker.decompress(base64.b64decode(words[2]), max_output_size=parcel.PIECE)
            except (binascii.Error, zstandard.ZstdError):
                raise RunError(
                    f"what the cluster sent of {self._place}/{name} is damaged: fetch again"
                ) from None
            yield piece

    async def is_still(self, manifest: bytes) -> bool:
        """True: whoever prints them looks himself before the last line."""
        if self._here is not None:
            return await self._here.is_still(manifest)
        return (await self._next())[1] == "."

    async def _next(self) -> list[str]:
        """The words of the line that comes next; it stays there."""
        if self._ahead is None:
            self._ahead = await anext(self._lines, ["", ".", "-1"])
            _, kind, rest = self._ahead
            if kind == "!":
                raise InputError(f"nothing to fetch from {self._place}: {msgspec.json.decode(rest)}")
            if kind == "." and int(rest) != self._counted:
                raise RunError(
                    f"what the cluster sent of {self._place} is not whole: it ended after {self._counted} pieces; "
                    "fetch again"
                )
        return self._ahead


async def _lines(text: AsyncIterator[str]) -> AsyncIterator[list[str]]:
    """The lines of a parcel, as three words each, in what a job prints."""
    rest = ""
    async for piece in text:
        *whole, rest = (rest + piece).split("\n")
        for line in whole:
            words = line.split(" ", 2)
            if words[0] == parcel.PREFIX and len(words) == 3:
                yield words


def find_output(what: str, address: str | None, quiet: bool) -> FoundOutput:
    """The output that `what` names: a URL, a folder of this machine or of the cluster's head, a job or a recorded run.

    With an `address` it is looked for on that cluster only. Raises InputError where there is none.
    """
    if is_url(what):
        return FoundOutput(_InBucket(parse_url(what)), what)
    here = expand_path(Path(what))
    if address is None and os.path.lexists(here):
        return FoundOutput(_InFolder(here), what)
    away = None
    if address or os.environ.get(client.ADDRESS_VARIABLE):
        try:
            cluster = client.Jobs(client.chosen_address(address))
        except InputError as error:
            if address:
                raise
            away = error
        else:
            found = _on_cluster(cluster, what, quiet)
            if found is not None:
                return found
            if address:
                raise InputError(f"the cluster at {cluster.address} has no run or job {shown(what)}")
    try:
        return _recorded(what)
    except InputError as error:
        raise (error if away is None else InputError(f"{error}; {away}")) from None


def _on_cluster(cluster: client.Jobs, what: str, quiet: bool) -> FoundOutput | None:
    """The output of a job that has ended, at a URL or through the log of another job; None for an unknown one."""
    if what.startswith(("/", "~")):
        return FoundOutput(_through_job(cluster, what, quiet), what)
    info = cluster.known(what)
    if info is None:
        return None
    status = str(getattr(info.status, "value", info.status))
    metadata = info.metadata or {}
    place = metadata.get(client.OUTPUT_KEY)
    if place is None:
        raise InputError(
            f"job {what} was not started by `goldenhour submit`: name the URL or folder it wrote to"
        )
    if status not in client.ENDED:
        raise InputError(f"run {what} is not finished ({status.lower()})")
    if status != "SUCCEEDED":
        raise InputError(f"run {what} left no output: it ended as {status.lower()}")
    made = metadata.get(client.MADE_KEY)
    return FoundOutput(
        _InBucket(parse_url(place)) if is_url(place) else _through_job(cluster, place, quiet),
        place,
        None if made is None else msgspec.json.decode(made, type=tuple[str, int, int]),
    )


def _recorded(what: str) -> FoundOutput:
    """The output of a run that the database has."""

    async def look(store: Any) -> Any:
        return await store.run(await store.find_run(what))

    row = ask(look)
    place = row["output"]
    if row["state"] != "succeeded":
        raise InputError(f"run {shown(what)} has no finished output: it is {row['state']}")
    source: Source
    if is_url(place):
        source = _InBucket(parse_url(place))
    elif os.path.lexists(place):
        source = _InFolder(Path(place))
    else:
        raise InputError(
            f"run {shown(what)} wrote to {place}, which is not on this machine; if it was a job: "
            "--address http://HOST:8265"
        )
    return FoundOutput(source, place, (row["hash"], row["seed"], row["replication"]))


def _through_job(cluster: client.Jobs, place: str, quiet: bool) -> _InParcel:
    """The files in a folder of the cluster's head, through the log of a job."""
    if not quiet:
        click.echo(f"fetching {place} through a job of the cluster", err=True)
    return _InParcel(printed(cluster, place), place)


async def printed(cluster: client.Jobs, place: str) -> AsyncIterator[str]:
    """What a job prints that packs the files in `place`; it is stopped where nobody reads on."""
    name = f"goldenhour-fetch-{uuid.uuid4()}"
    command = f"python -m goldenhour.jobs.parcel {shlex.quote(place)}"
    with client.package() as folder:
        cluster.submit(name, command, folder, {}, {client.OUTPUT_KEY: place})
    told = ended = False
    last = ""
    try:
        text = aiter(cluster.following(name))
        while True:
            async with asyncio.timeout(SILENT_SECONDS):
                piece = await anext(text, None)
            if piece is None:
                break
            told = told or parcel.PREFIX in piece
            last = "" if told else (last + piece)[-500:]
            yield piece
        ended = True
        if not told:
            raise RunError(
                f"the cluster could not send {place}: {(cluster.info(name).message or last).strip()[:500]}"
            )
    except TimeoutError:
        raise RunError(f"the cluster has sent nothing of {place} in {SILENT_SECONDS:.0f} s") from None
    finally:
        if not ended:
            with contextlib.suppress(GoldenhourError):
                cluster.stop(name)
