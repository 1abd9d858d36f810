"""`goldenhour fetch`: copy the output of a run to a folder of this machine, from wherever it is.

Each part is compared with its digest in the manifest. The files are copied to a hidden folder first and get their
final names when all are complete, the manifest last.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from actors import run as run_wing
from engine.errors import InputError, RunError, write_error
from goldenhour import console, jobs
from goldenhour.cli import options
from goldenhour.outputs import expand_path

if TYPE_CHECKING:
    from goldenhour.jobs import LocatedOutput

FETCHING = ".goldenhour-fetching"
"""Folder within the output folder that holds the files until they are complete."""

RENAMES = "given.json"
"""File in it that exists while the files get their final names, as `Renames`."""

MESSAGE_SECONDS = 2.0
"""Seconds between two messages on the progress."""

MAX_TEXT_BYTES = 1 << 26
"""Largest summary or scenario that is fetched."""

FileIdentity = tuple[int, int, int]
"""Inode, size, and time of the last change in ns: they tell two files of one name apart. Renaming keeps them."""


class Renames(msgspec.Struct, frozen=True):
    """The files that get their final names, and those that they replace, by name."""

    new: dict[str, FileIdentity]
    old: dict[str, FileIdentity]


@click.command("fetch")
@click.argument("what", metavar="RUN|URL|DIR")
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="Copy the files to this folder.",
)
@options.dashboard_address
@click.option("--force", is_flag=True, help="Replace an earlier run in that folder.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def fetch(what: str, output: Path, address: str | None, force: bool, quiet: bool) -> None:
    """Copy the output of a finished run to this machine.

    The files are checked against the manifest of the run. RUN is the id that `goldenhour submit` printed, or a run of
    `goldenhour runs list`. The URL or the folder that the run wrote to can be given instead.
    """
    _fetch(what, output, address, force, quiet)


def _fetch(what: str, output: Path, address: str | None, force: bool, quiet: bool) -> None:
    output = expand_path(output).absolute()
    with _file_errors(output):
        if os.path.lexists(output) and not os.path.lexists(output / FETCHING):
            run_wing.replaceable_files(output, force)
    located = jobs.locate_output(what, address, quiet)
    size = asyncio.run(_copy_run(located, output, force, quiet))
    if not quiet:
        console.print_error_line(f"{size:,} bytes in {output}")


async def _copy_run(located: "LocatedOutput", output: Path, force: bool, quiet: bool) -> int:
    """Copy all files, check them, and give them their final names. Returns the number of bytes."""
    source, place, expected = located
    data = await source.read(run_wing.MANIFEST)
    if data is None:
        raise InputError(f"there is no finished run in {place}: no {run_wing.MANIFEST} of goldenhour")
    manifest = run_wing.decode_manifest(data, f"{place}/{run_wing.MANIFEST}")
    if expected is not None and expected != manifest.identity:
        raise InputError(f"{place} now holds another run; to fetch that one, name the place")
    with _file_errors(output), _locked(output):
        replaced = run_wing.replaceable_files(output, force)
        (output / FETCHING).mkdir()
        renaming = False
        try:
            with (
                run_wing.Folder(output, follow=True) as target,
                run_wing.Folder(output / FETCHING) as partial,
            ):
                total = await _copy_files(located, manifest, partial, quiet)
                if not await source.is_unchanged(data):
                    raise RunError(f"the run in {place} was replaced while it was fetched; fetch again")
                partial.write_new(run_wing.MANIFEST, data)
                names = [*manifest.names, run_wing.MANIFEST]
                foreign = [
                    name
                    for name in names
                    if target.exists(name) and not (name in replaced and target.is_file(name))
                ]
                if foreign:
                    raise RunError(
                        f"{str(output / foreign[0])!r} appeared during the fetch; it is not replaced, because this "
                        "fetch did not create it"
                    )
                renames = Renames(
                    {name: identity for name in names if (identity := _identity(partial, name))},
                    {name: identity for name in replaced if (identity := _identity(target, name))},
                )
                partial.write_new(RENAMES, msgspec.json.encode(renames))
                run_wing.sync_folder(output / FETCHING)
                renaming = True
                for name in sorted(replaced, key=lambda name: name != run_wing.MANIFEST):
                    target.remove(name)
                for name in names:
                    partial.move(name, target)
                run_wing.sync_folder(output)
                renaming = False
        finally:
            if not renaming:
                shutil.rmtree(output / FETCHING, ignore_errors=True)
    return total + len(data)


async def _copy_files(
    located: "LocatedOutput", manifest: "run_wing.Manifest", folder: "run_wing.Folder", quiet: bool
) -> int:
    """Copy the files of a manifest to a folder and compare their digests. Returns the number of bytes."""
    parts = {part.path: part for part in manifest.parts}
    total = 0
    last_message = time.monotonic()
    for name in manifest.names:
        part = parts.get(name)
        left = MAX_TEXT_BYTES if part is None else part.bytes
        digest = hashlib.sha256()
        with os.fdopen(folder.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
            async for piece in located.source.pieces(name):
                left -= len(piece)
                if left < 0:
                    raise RunError(f"{located.place}/{name} is damaged: it is larger than the manifest says")
                file.write(piece)
                digest.update(piece)
                total += len(piece)
                if not quiet and time.monotonic() - last_message > MESSAGE_SECONDS:
                    last_message = time.monotonic()
                    console.print_error_line(f"{total:,} bytes fetched")
            file.flush()
            os.fsync(file.fileno())
        if part is not None and digest.hexdigest() != part.sha256:
            raise RunError(f"{located.place}/{name} is damaged: its digest differs from that in the manifest")
    return total


@contextlib.contextmanager
def _file_errors(output: Path) -> Iterator[None]:
    """Replace errors of the operating system by errors of goldenhour."""
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"output {str(output)!r} is a file; a folder is needed") from error
    except OSError as error:
        raise write_error(Path(error.filename or output), error) from error


@contextlib.contextmanager
def _locked(output: Path) -> Iterator[None]:
    """Create the folder, lock it, and remove what an interrupted fetch has left in it."""
    created = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    lock = os.open(output, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not run_wing.try_lock(lock):
            raise InputError(f"another fetch is writing to {str(output)!r}")
        _remove_interrupted(output)
        yield
    except BaseException:
        if created:
            with contextlib.suppress(OSError):
                output.rmdir()
        raise
    finally:
        os.close(lock)


def _remove_interrupted(output: Path) -> None:
    """Remove what an interrupted fetch has left.

    A manifest in the folder means that one run is complete: only the hidden folder is removed. Without one, the fetch
    may have been interrupted while it renamed files. Then the renamed files and the rest of those they replace are
    removed too, because neither run is complete.
    """
    partial = output / FETCHING
    if os.path.lexists(partial) and (partial.is_symlink() or not partial.is_dir()):
        raise InputError(
            f"{str(partial)!r} is not a folder of goldenhour: remove it or choose another output"
        )
    if not os.path.lexists(output / run_wing.MANIFEST):
        with contextlib.suppress(OSError, InputError, ValueError, RecursionError):
            with run_wing.Folder(partial) as folder:
                data = folder.read(RENAMES, run_wing.MAX_MANIFEST_BYTES) or b""
            renames = msgspec.json.decode(data, type=Renames)
            with run_wing.Folder(output, follow=True) as target:
                for name, identity in (*renames.new.items(), *renames.old.items()):
                    ours = run_wing.OUTPUT_NAMES.fullmatch(name) is not None
                    if ours and target.is_file(name) and _identity(target, name) == identity:
                        target.remove(name)
    shutil.rmtree(partial, ignore_errors=True)


def _identity(folder: "run_wing.Folder", name: str) -> FileIdentity | None:
    """The identity of a file; None if there is none of this name."""
    status = folder.status(name)
    return None if status is None else (status.st_ino, status.st_size, status.st_mtime_ns)
