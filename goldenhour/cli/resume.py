"""`goldenhour resume`: goes on with a run that was cut off, named by its output or as `goldenhour runs` names it."""

import asyncio
import os
from pathlib import Path
from typing import Any

import click
import msgspec

from actors.cluster import default_workers, ray_address
from actors.run import (
    AUTOMATIC_WORKERS,
    MANIFEST,
    STAGING_FOLDER,
    SUMMARY,
    ObjectStore,
    RunRequest,
    Url,
    is_url,
    parse_url,
    run_of_manifest,
    unfinished,
)
from actors.store import ENDED, Beat, ConfigStore, Database
from engine.errors import InputError, RunError, StoreError, shown
from engine.scenario import parse, resolve
from goldenhour import __version__
from goldenhour.cli import run
from goldenhour.cli.store_access import ask


def resume_command(
    what: Path | Url,
    workers: int | None,
    address: str | None,
    no_store: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Go on with an unfinished run, with the settings it was started with."""
    row = None if _is_place(what) else _row(str(what), no_store)
    place = what if row is None else _output_of(row)
    output, destination = run.staging_and_destination(place)
    if destination is not None and not output.exists():
        _look_there(destination)
        if not quiet:
            click.echo(f"the run in {str(place)!r} is finished: nothing to do", err=True)
        return
    left = unfinished(output)
    if row is not None and left is not None and left.run != str(row["id"]):
        raise InputError(
            f"{str(place)!r} holds another unfinished run by now, {left.run}: name the folder to go on with that one"
        )
    if left is None:
        entered = not no_store and _settle(output, row)
        if not quiet:
            more = "it is entered as succeeded" if entered else "nothing to do"
            click.echo(f"the run in {str(place)!r} is finished: {more}", err=True)
        return
    original = parse(bytes(left.scenario), "json", "scenario of the unfinished run")
    workers = left.workers if workers is None else workers
    address = left.address if address is None and workers else address
    if workers == AUTOMATIC_WORKERS and ray_address(address) == "local":
        workers = default_workers()
    run.check_address(address, workers)
    request = RunRequest(
        scenario=resolve(original),
        original=original,
        seed=left.seed,
        output=output,
        destination=destination or (Url(left.destination) if left.destination else None),
        replication=left.replication,
        formats=left.formats,
        compress=left.compress,
        workers=workers,
        writers=left.writers,
        simulators=left.simulators if workers else 1,
        chunk_size=left.chunk_size,
        address=address,
        version=__version__,
    )
    run.carry_out(request, None if no_store else run.registration(request), quiet, as_json)


def _look_there(url: Url) -> None:
    """InputError where an object store does not hold a finished run."""
    objects = ObjectStore(url)
    try:
        manifest = asyncio.run(objects.read(MANIFEST))
    except RunError as error:
        raise InputError(str(error)) from error
    if manifest is None:
        raise InputError(
            f"this machine has no unfinished run for {url}, and no finished one is there; runs are gone on with where "
            f"they were started, with the same {STAGING_FOLDER} if it was set"
        )


def _is_place(what: Path | Url) -> bool:
    """Whether it names an output: neither an id nor a name of a run has a slash."""
    return isinstance(what, Url) or "/" in str(what) or os.path.lexists(run.expand_path(what))


def _row(reference: str, no_store: bool) -> dict[str, Any]:
    """The run that the database has under this name or id."""
    if no_store:
        raise InputError(
            f"there is no folder {shown(reference)}, and runs are looked up in the database: with --no-store name the "
            "output folder"
        )
    if Database.from_environment().is_new:
        raise InputError(
            f"there is no folder {shown(reference)}, and no run in the database yet; allowed: the output folder or URL "
            "of a run, or a run of `goldenhour runs list`"
        )

    async def find(store: ConfigStore) -> dict[str, Any] | None:
        return await store.run(await store.find_run(reference))

    try:
        row = ask(find)
    except InputError as error:
        raise InputError(f"{error}; nor is there a folder of that name") from None
    if row is None:
        raise InputError(f"run {shown(reference)} was removed")
    return row


def _output_of(row: dict[str, Any]) -> Path | Url:
    """Where the files of a run are."""
    if is_url(row["output"]):
        return parse_url(row["output"])
    if not os.path.lexists(row["output"]):
        raise InputError(f"run {str(row['id'])[:8]} wrote to {row['output']}, which is not on this machine")
    return Path(row["output"])


def _settle(output: Path, row: dict[str, Any] | None) -> bool:
    """Enter the finished run in `output` as succeeded if its driver was killed before it could; whether that was so.

    `row` is what the database has of it, None: not looked up yet.
    """
    if Database.from_environment().is_new:
        return False
    manifest = msgspec.json.decode((output / MANIFEST).read_bytes())
    measures = msgspec.json.decode((output / SUMMARY).read_bytes())

    async def settle(store: ConfigStore) -> bool:
        found = row or await store.run_of_output(run.output_text(output))
        if found is None or found["state"] in ENDED:
            return False
        if run_of_manifest(manifest) != (found["hash"], found["seed"], found["replication"]):
            return False
        size = sum(part["bytes"] for part in manifest["parts"])
        last = Beat(id=found["id"], patients=measures["patients"], fraction=1.0, bytes=size)
        await store.finish_run(found["id"], "succeeded", measures=measures, beat=last)
        return True

    try:
        return ask(settle)
    except StoreError:  # the files are there all the same
        return False
