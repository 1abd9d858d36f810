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
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import click
import msgspec
import zstandard

from actors import bucket
from actors.folder import MANIFEST, named_in, replaceable, sync
from engine.errors import InputError, RunError, shown, write_error
from goldenhour import jobs, parcel, run_command
from goldenhour.store_access import ask

FETCHING = ".goldenhour-fetching"
"""Folder within the output folder that holds what has come so far."""

GIVEN = "given.json"
"""File in it, once the files are given their names: those, and the names of what they replace."""

PARCEL_SECONDS = 300.0
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
    """Files that a job has printed."""

    def __init__(self, log: str, place: str) -> None:
        self._packed: dict[str, list[str]] = {}
        lines, told = 0, None
        for line in log.splitlines():
            words = line.split(" ", 2)
            if words[0] != parcel.PREFIX or len(words) != 3:
                continue
            if words[1] == "!":
                raise InputError(
                    f"there is no finished run in {place}: {msgspec.json.decode(words[2].encode())}"
                )
            if words[1] == "+":
                continue
            if words[1] == ".":
                told = int(words[2])
                continue
            self._packed.setdefault(words[1], []).append(words[2])
            lines += 1
        if told != lines:
            raise RunError(
                f"what the cluster sent of {place} is not whole: {lines} pieces of {told}; fetch again"
            )

    @property
    def whole(self) -> bool:
        """Whether it holds more than the manifest."""
        return set(self._packed) != {MANIFEST}

    async def read(self, name: str) -> bytes | None:
        if name not in self._packed:
            return None
        return b"".join([piece async for piece in self.pieces(name)])

    async def pieces(self, name: str) -> AsyncIterator[bytes]:
        unpacker = zstandard.ZstdDecompressor()
        for text in self._packed.get(name, []):  # an empty file has no pieces
            yield unpacker.decompress(base64.b64decode(text), max_output_size=parcel.PIECE)


def fetch(what: str, output: Path, address: str | None, force: bool, quiet: bool) -> None:
    """Bring the output of a run into a folder."""
    source, place = _find(what, address, quiet)
    output = run_command.expanded(output).absolute()
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
    carried = _InParcel(_carried(cluster, place), place)
    if carried.whole:
        return carried, place
    here = _InFolder(Path(place).expanduser())
    if asyncio.run(here.read(MANIFEST)) == asyncio.run(carried.read(MANIFEST)):
        return here, place
    raise InputError(
        f"{place} on the cluster is larger than the {parcel.LIMIT_BYTES:,} bytes that a job's log can carry: copy it "
        "by other means, or run with -o to a URL or to a folder that this machine shares"
    )


def _carried(cluster: jobs.Jobs, place: str) -> str:
    """The log of a job that prints the files in `place`."""
    name = f"goldenhour-fetch-{uuid.uuid4()}"
    command = f"python -m goldenhour.parcel {shlex.quote(place)}"
    with jobs.package() as folder:
        cluster.submit(name, command, folder, {}, place)
    until = time.monotonic() + PARCEL_SECONDS
    while True:
        info = cluster.info(name)
        status = str(getattr(info.status, "value", info.status))
        if status in jobs.ENDED:
            log = cluster.log(name)
            if parcel.PREFIX not in log:
                raise RunError(f"the cluster could not send {place}: {(info.message or log).strip()[:500]}")
            return log
        if time.monotonic() > until:
            raise RunError(f"the cluster has not sent {place} in {PARCEL_SECONDS:.0f} s: job {name}")
        time.sleep(0.5)


async def _bring(source: Source, place: str, output: Path, force: bool, quiet: bool) -> int:
    """Copy, compare and publish; returns the bytes."""
    manifest = await source.read(MANIFEST)
    names = [] if manifest is None else sorted(named_in(manifest, f"{place}/{MANIFEST}") - {MANIFEST})
    if not names or manifest is None:
        raise InputError(f"there is no finished run in {place}: no {MANIFEST} of goldenhour")
    digests = {part["path"]: part.get("sha256") for part in msgspec.json.decode(manifest)["parts"]}
    partial = output / FETCHING
    total = len(manifest)
    path = output
    said = time.monotonic()
    giving = False
    try:
        output.mkdir(parents=True, exist_ok=True)
        _take_back(output)
        replaced = replaceable(output, force)
        partial.mkdir()
        for name in names:
            digest = hashlib.sha256()
            path = partial / name
            with path.open("xb") as file:
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
        (partial / MANIFEST).write_bytes(manifest)
        (partial / GIVEN).write_bytes(msgspec.json.encode(sorted({*names, MANIFEST, *replaced})))
        giving = True
        for name in sorted(replaced, key=lambda name: name != MANIFEST):
            (output / name).unlink(missing_ok=True)
        for name in [*names, MANIFEST]:
            path = output / name
            os.replace(partial / name, path)
        sync(output)
        giving = False
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"output {str(output)!r} is a file; a folder is needed") from error
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        if not giving:
            shutil.rmtree(partial, ignore_errors=True)
    return total


def _take_back(output: Path) -> None:
    """Remove what a fetch has left that was cut off, also while it gave the files their names."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        for name in msgspec.json.decode((output / FETCHING / GIVEN).read_bytes(), type=list[str]):
            (output / Path(name).name).unlink(missing_ok=True)
    shutil.rmtree(output / FETCHING, ignore_errors=True)
