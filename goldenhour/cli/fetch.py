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
    manifest = await source.read(run_wing.MANIFEST)
    names = (
        []
        if manifest is None
        else sorted(
            run_wing.files_in_manifest(manifest, f"{place}/{run_wing.MANIFEST}") - {run_wing.MANIFEST}
        )
    )
    if not names or manifest is None:
        raise InputError(f"there is no finished run in {place}: no {run_wing.MANIFEST} of goldenhour")
    document = msgspec.json.decode(manifest)
    if expected is not None and expected != run_wing.run_of_manifest(document):
        raise InputError(f"{place} now holds another run; to fetch that one, name the place")
    digests = {part["path"]: part.get("sha256") for part in document["parts"]}
    with _file_errors(output), _locked(output):
        replaced = run_wing.replaceable_files(output, force)
        partial = output / FETCHING
        partial.mkdir()
        renaming = False
        try:
            total = await _copy_files(located, names, digests, partial, quiet)
            if not await source.is_unchanged(manifest):
                raise RunError(f"the run in {place} was replaced while it was fetched; fetch again")
            (partial / run_wing.MANIFEST).write_bytes(manifest)
            names.append(run_wing.MANIFEST)
            foreign = [name for name in names if name not in replaced and os.path.lexists(output / name)]
            if foreign:
                raise RunError(
                    f"{str(output / foreign[0])!r} appeared during the fetch; it is not replaced, because this fetch "
                    "did not create it"
                )
            renames = Renames(
                {name: _identity(partial / name) for name in names},
                {name: _identity(output / name) for name in replaced},
            )
            (partial / RENAMES).write_bytes(msgspec.json.encode(renames))
            run_wing.sync_folder(partial)
            renaming = True
            for name in sorted(replaced, key=lambda name: name != run_wing.MANIFEST):
                (output / name).unlink(missing_ok=True)
            for name in names:
                os.replace(partial / name, output / name)
            run_wing.sync_folder(output)
            renaming = False
        finally:
            if not renaming:
                shutil.rmtree(partial, ignore_errors=True)
    return total + len(manifest)


async def _copy_files(
    located: "LocatedOutput", names: list[str], digests: dict[str, str | None], folder: Path, quiet: bool
) -> int:
    """Copy files to a folder and compare their digests. Returns the number of bytes."""
    total = 0
    last_message = time.monotonic()
    for name in names:
        digest = hashlib.sha256()
        with (folder / name).open("xb") as file:
            async for piece in located.source.pieces(name):
                file.write(piece)
                digest.update(piece)
                total += len(piece)
                if not quiet and time.monotonic() - last_message > MESSAGE_SECONDS:
                    last_message = time.monotonic()
                    console.print_error_line(f"{total:,} bytes fetched")
            file.flush()
            os.fsync(file.fileno())
        if name in digests and digest.hexdigest() != digests[name]:
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
        with contextlib.suppress(OSError, msgspec.DecodeError):
            renames = msgspec.json.decode((partial / RENAMES).read_bytes(), type=Renames)
            for identities in (renames.new, renames.old):
                for name, identity in identities.items():
                    path = output / Path(name).name
                    if os.path.lexists(path) and _identity(path) == identity:
                        path.unlink()
    shutil.rmtree(partial, ignore_errors=True)


def _identity(path: Path) -> FileIdentity:
    status = path.lstat()
    return status.st_ino, status.st_size, status.st_mtime_ns
