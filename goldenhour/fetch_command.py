"""`goldenhour fetch`: brings the output of a run home, from an object store, a folder, or the head of a cluster.

Every part is compared with its digest in the manifest; the files get their final names when all of them are there, the
manifest last.
"""

import asyncio
import base64
import contextlib
import hashlib
import os
import shlex
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Protocol

import click
import msgspec
import zstandard

from actors import bucket
from actors.folder import MANIFEST, named_in, replaceable, sync, try_lock
from engine.errors import GoldenhourError, InputError, RunError, shown, write_error
from goldenhour import jobs, parcel, run_command
from goldenhour.store_access import ask

FETCHING = ".goldenhour-fetching"
"""Folder within the output folder that holds what has come so far."""

GIVEN = "given.json"
"""File in it, once the files are given their names: those, and the names of what they replace."""

SILENT_SECONDS = 120.0
"""How long a job may print nothing, its start included."""

SAID_SECONDS = 2.0


class Source(Protocol):
    """Where the files of a run are read from."""

    async def read(self, name: str) -> bytes | None:
        """A small file; None where it is not there."""
        ...

    def pieces(self, name: str) -> AsyncIterator[bytes]:
        """The bytes of a file."""
        ...


class _InFolder:
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


class _InBucket:
    def __init__(self, url: bucket.Url) -> None:
        self._objects = bucket.Objects(url)

    async def read(self, name: str) -> bytes | None:
        return await self._objects.read(name)

    def pieces(self, name: str) -> AsyncIterator[bytes]:
        return self._objects.pieces(name)


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
            yield unpacker.decompress(base64.b64decode(words[2]), max_output_size=parcel.PIECE)

    async def _next(self) -> list[str]:
        """The words of the line that comes next; it stays there."""
        if self._ahead is None:
            self._ahead = await anext(self._lines, ["", ".", "-1"])
            _, kind, rest = self._ahead
            if kind == "!":
                raise InputError(
                    f"there is no finished run in {self._place}: {msgspec.json.decode(rest.encode())}"
                )
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


def fetch(what: str, output: Path, address: str | None, force: bool, quiet: bool) -> None:
    """Bring the output of a run into a folder."""
    output = run_command.expanded(output).absolute()
    if os.path.lexists(output):
        with _alone(output):
            replaceable(output, force)
    source, place = _find(what, address, quiet)
    size = asyncio.run(_bring(source, place, output, force, quiet))
    if not quiet:
        click.echo(f"{size:,} bytes in {output}", err=True)


def _find(what: str, address: str | None, quiet: bool) -> tuple[Source, str]:
    """Where the files are, and that place in words."""
    if bucket.is_url(what):
        return _InBucket(bucket.parse(what)), what
    if os.path.lexists(run_command.expanded(Path(what))):
        return _InFolder(run_command.expanded(Path(what))), what
    if address or os.environ.get(jobs.ADDRESS):
        cluster = jobs.Jobs(jobs.chosen_address(address))
        if what.startswith(("/", "~")):
            return _through_job(cluster, what, quiet)
        info = cluster.known(what)
        if info is not None:
            return _of_job(cluster, what, info, quiet)
        if address:
            raise InputError(f"the cluster at {cluster.address} has no run or job {shown(what)}")
    row = ask(lambda store: _row(store, what))
    return (
        _find(row["output"], None, quiet)
        if os.path.lexists(row["output"]) or bucket.is_url(row["output"])
        else _nowhere(what, row["output"])
    )


async def _row(store: Any, reference: str) -> Any:
    return await store.run(await store.find_run(reference))


def _nowhere(what: str, output: str) -> Any:
    raise InputError(
        f"run {shown(what)} wrote to {output}, which is not on this machine; if it was a job: --address http://HOST:8265"
    )


def _of_job(cluster: jobs.Jobs, job: str, info: Any, quiet: bool) -> tuple[Source, str]:
    """The output of a job that has ended: where it is at a URL from there, else through the log of another job."""
    status = str(getattr(info.status, "value", info.status))
    place = (info.metadata or {}).get(jobs.METADATA)
    if place is None:
        raise InputError(
            f"job {job} was not started by `goldenhour submit`: name the URL or folder it wrote to"
        )
    if status not in jobs.ENDED:
        raise InputError(f"run {job} is not finished ({status.lower()})")
    if status != "SUCCEEDED":
        raise InputError(f"run {job} left no output: it ended as {status.lower()}")
    if bucket.is_url(place):
        return _InBucket(bucket.parse(place)), place
    return _through_job(cluster, place, quiet)


def _through_job(cluster: jobs.Jobs, place: str, quiet: bool) -> tuple[Source, str]:
    """The files in a folder of the cluster's head, through the log of a job."""
    if not quiet:
        click.echo(f"fetching {place} through a job of the cluster", err=True)
    return _InParcel(_printed(cluster, place), place), place


async def _printed(cluster: jobs.Jobs, place: str) -> AsyncIterator[str]:
    """What a job prints that packs the files in `place`; it is stopped where nobody reads on."""
    name = f"goldenhour-fetch-{uuid.uuid4()}"
    command = f"python -m goldenhour.parcel {shlex.quote(place)}"
    with jobs.package() as folder:
        cluster.submit(name, command, folder, {}, place)
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


async def _bring(source: Source, place: str, output: Path, force: bool, quiet: bool) -> int:
    """Copy, compare and publish; returns the bytes."""
    manifest = await source.read(MANIFEST)
    names = [] if manifest is None else sorted(named_in(manifest, f"{place}/{MANIFEST}") - {MANIFEST})
    if not names or manifest is None:
        raise InputError(f"there is no finished run in {place}: no {MANIFEST} of goldenhour")
    with _alone(output):
        partial = output / FETCHING
        replaced = replaceable(output, force)
        partial.mkdir()
        given = False
        try:
            total = await _copy(source, place, manifest, names, partial, quiet)
            (partial / GIVEN).write_bytes(msgspec.json.encode(sorted({*names, MANIFEST, *replaced})))
            given = True
            for name in sorted(replaced, key=lambda name: name != MANIFEST):
                (output / name).unlink(missing_ok=True)
            for name in [*names, MANIFEST]:
                os.replace(partial / name, output / name)
            sync(output)
            given = False
        finally:
            if not given:
                shutil.rmtree(partial, ignore_errors=True)
    return total


async def _copy(
    source: Source, place: str, manifest: bytes, names: list[str], folder: Path, quiet: bool
) -> int:
    """Bring the files into a folder and compare them; returns the bytes."""
    digests = {part["path"]: part.get("sha256") for part in msgspec.json.decode(manifest)["parts"]}
    total = len(manifest)
    said = time.monotonic()
    for name in names:
        digest = hashlib.sha256()
        with (folder / name).open("xb") as file:
            async for piece in source.pieces(name):
                file.write(piece)
                digest.update(piece)
                total += len(piece)
                if not quiet and time.monotonic() - said > SAID_SECONDS:
                    said = time.monotonic()
                    click.echo(f"{total:,} bytes fetched", err=True)
            file.flush()
            os.fsync(file.fileno())
        if name in digests and digest.hexdigest() != digests[name]:
            raise RunError(f"{place}/{name} is damaged: its digest is not that of the manifest")
    (folder / MANIFEST).write_bytes(manifest)
    return total


@contextlib.contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Lock the folder and clear it of what a fetch has left that was cut off; says what cannot be written."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        lock = os.open(output, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if not try_lock(lock):
                raise InputError(f"another fetch is writing to {str(output)!r}")
            _take_back(output)
            yield
        finally:
            os.close(lock)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"output {str(output)!r} is a file; a folder is needed") from error
    except OSError as error:
        raise write_error(Path(error.filename or output), error) from error


def _take_back(output: Path) -> None:
    """Remove what a fetch has left that was cut off, also while it gave the files their names."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        for name in msgspec.json.decode((output / FETCHING / GIVEN).read_bytes(), type=list[str]):
            (output / Path(name).name).unlink(missing_ok=True)
    shutil.rmtree(output / FETCHING, ignore_errors=True)
