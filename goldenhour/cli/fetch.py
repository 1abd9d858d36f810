"""`goldenhour fetch`: brings the output of a run home, from an object store, a folder, or the head of a cluster.

Every part is compared with its digest in the manifest; the files get their final names when all of them are there, the
manifest last.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from actors.run import MANIFEST, named_in, replaceable, run_of_manifest, sync, try_lock
from engine.errors import InputError, RunError, write_error
from goldenhour.cli import run
from goldenhour.jobs import FoundOutput, find_output

FETCHING = ".goldenhour-fetching"
"""Folder within the output folder that holds what has come so far."""

GIVEN = "given.json"
"""File in it, once the files are given their names: what those are and what they replace, as `Given`."""

SAID_SECONDS = 2.0

Mark = tuple[int, int, int]
"""What tells a file from any other of its name: inode, size, time of its last change in ns. Renaming leaves them."""


class Given(msgspec.Struct, frozen=True):
    """Marks of the files that come, by name, and of those they replace."""

    new: dict[str, Mark]
    old: dict[str, Mark]


def fetch_command(what: str, output: Path, address: str | None, force: bool, quiet: bool) -> None:
    """Bring the output of a run into a folder."""
    output = run.expand_path(output).absolute()
    with _said(output):
        if os.path.lexists(output) and not os.path.lexists(output / FETCHING):
            replaceable(output, force)
    size = asyncio.run(_bring(find_output(what, address, quiet), output, force, quiet))
    if not quiet:
        click.echo(f"{size:,} bytes in {output}", err=True)


async def _bring(found: FoundOutput, output: Path, force: bool, quiet: bool) -> int:
    """Copy, compare and publish; returns the bytes."""
    source, place, expected = found
    manifest = await source.read(MANIFEST)
    names = [] if manifest is None else sorted(named_in(manifest, f"{place}/{MANIFEST}") - {MANIFEST})
    if not names or manifest is None:
        raise InputError(f"there is no finished run in {place}: no {MANIFEST} of goldenhour")
    document = msgspec.json.decode(manifest)
    if expected is not None and expected != run_of_manifest(document):
        raise InputError(f"{place} holds another run by now; name the place to fetch that one")
    digests = {part["path"]: part.get("sha256") for part in document["parts"]}
    with _said(output), _alone(output):
        replaced = replaceable(output, force)
        partial = output / FETCHING
        partial.mkdir()
        given = False
        try:
            total = await _copy(found, names, digests, partial, quiet)
            if not await source.is_still(manifest):
                raise RunError(f"the run in {place} was replaced while it was fetched: fetch again")
            (partial / MANIFEST).write_bytes(manifest)
            names.append(MANIFEST)
            appeared = [name for name in names if name not in replaced and os.path.lexists(output / name)]
            if appeared:
                raise RunError(f"{str(output / appeared[0])!r} appeared meanwhile and is not ours to replace")
            marks = Given(
                {name: _mark(partial / name) for name in names}, {n: _mark(output / n) for n in replaced}
            )
            (partial / GIVEN).write_bytes(msgspec.json.encode(marks))
            sync(partial)
            given = True
            for name in sorted(replaced, key=lambda name: name != MANIFEST):
                (output / name).unlink(missing_ok=True)
            for name in names:
                os.replace(partial / name, output / name)
            sync(output)
            given = False
        finally:
            if not given:
                shutil.rmtree(partial, ignore_errors=True)
    return total + len(manifest)


async def _copy(
    found: FoundOutput, names: list[str], digests: dict[str, str | None], folder: Path, quiet: bool
) -> int:
    """Bring the files into a folder and compare them; returns the bytes."""
    total = 0
    said = time.monotonic()
    for name in names:
        digest = hashlib.sha256()
        with (folder / name).open("xb") as file:
            async for piece in found.source.pieces(name):
                file.write(piece)
                digest.update(piece)
                total += len(piece)
                if not quiet and time.monotonic() - said > SAID_SECONDS:
                    said = time.monotonic()
                    click.echo(f"{total:,} bytes fetched", err=True)
            file.flush()
            os.fsync(file.fileno())
        if name in digests and digest.hexdigest() != digests[name]:
            raise RunError(f"{found.place}/{name} is damaged: its digest is not that of the manifest")
    return total


@contextlib.contextmanager
def _said(output: Path) -> Iterator[None]:
    """Say in words what cannot be read or written."""
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"output {str(output)!r} is a file; a folder is needed") from error
    except OSError as error:
        raise write_error(Path(error.filename or output), error) from error


@contextlib.contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Make the folder, lock it, and clear it of what a fetch has left that was cut off."""
    created = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    lock = os.open(output, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not try_lock(lock):
            raise InputError(f"another fetch is writing to {str(output)!r}")
        _take_back(output)
        yield
    except BaseException:
        if created:
            with contextlib.suppress(OSError):
                output.rmdir()
        raise
    finally:
        os.close(lock)


def _take_back(output: Path) -> None:
    """Remove what a fetch has left that was cut off.

    Where it was just giving the files their names, those and the rest of what they replace go too: neither run is
    whole. With a manifest in place one is: then nothing but the hidden folder goes.
    """
    partial = output / FETCHING
    if os.path.lexists(partial) and (partial.is_symlink() or not partial.is_dir()):
        raise InputError(f"{str(partial)!r} is not a folder of ours: remove it or choose another output")
    if not os.path.lexists(output / MANIFEST):
        with contextlib.suppress(OSError, msgspec.DecodeError):
            given = msgspec.json.decode((partial / GIVEN).read_bytes(), type=Given)
            for marks in (given.new, given.old):
                for name, mark in marks.items():
                    path = output / Path(name).name
                    if os.path.lexists(path) and _mark(path) == mark:
                        path.unlink()
    shutil.rmtree(partial, ignore_errors=True)


def _mark(path: Path) -> Mark:
    found = path.lstat()
    return found.st_ino, found.st_size, found.st_mtime_ns
