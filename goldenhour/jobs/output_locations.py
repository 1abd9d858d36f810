"""Where the output of a run is: in a folder, at a URL, on the head of a cluster, or where the database says."""

import asyncio
import contextlib
import os
import shlex
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from actors.run import Url, is_url, parse_url
from actors.store import ALL_KINDS
from engine.errors import GoldenhourError, InputError, RunError, shown
from goldenhour import console
from goldenhour.database import with_store
from goldenhour.jobs import client, log_archive
from goldenhour.jobs.output_files import FolderFiles, JobLogFiles, ObjectStoreFiles, OutputFiles
from goldenhour.jobs.package import job_folder
from goldenhour.outputs import expand_path, recorded_output

SILENT_SECONDS = 120.0
"""The longest time between two texts of a job that sends files, its start included."""


class RunIdentity(NamedTuple):
    """What tells a run apart from others that write to the same place."""

    scenario_hash: str
    seed: int
    replication: int


class LocatedOutput(NamedTuple):
    """The output of a run."""

    source: OutputFiles
    place: str
    """The folder or URL, for messages."""
    identity: RunIdentity | None = None
    """The run that should be there, if it is known."""


def locate_output(what: str, address: str | None, quiet: bool) -> LocatedOutput:
    """Find the output that `what` names.

    Parameters
    ----------
    what
        A URL, a folder of this machine or of the cluster's head, the id of a job, or a run of the database.
    address
        URL of a cluster's dashboard: look on that cluster only. None: look here, on the cluster of the environment,
        and in the database.
    quiet
        Print no messages.

    Raises
    ------
    InputError
        If there is no such output.
    """
    if is_url(what):
        return LocatedOutput(ObjectStoreFiles(parse_url(what)), what)
    folder = expand_path(Path(what))
    if address is None and os.path.lexists(folder):
        return LocatedOutput(FolderFiles(folder), what)
    unreachable = None
    if address or os.environ.get(client.ADDRESS_VARIABLE):
        try:
            cluster = client.JobsClient(client.dashboard_url(address))
        except InputError as error:
            if address:
                raise
            unreachable = error
        else:
            located = _on_cluster(cluster, what, quiet)
            if located is not None:
                return located
            if address:
                raise InputError(f"the cluster at {cluster.address} has no run or job {shown(what)}")
    try:
        return _in_database(what)
    except InputError as error:
        raise (error if unreachable is None else InputError(f"{error}; {unreachable}")) from None


def _on_cluster(cluster: client.JobsClient, what: str, quiet: bool) -> LocatedOutput | None:
    """A folder of the cluster's head, or the output of a job that has succeeded; None if there is no such job."""
    if what.startswith(("/", "~")):
        return LocatedOutput(_through_job(cluster, what, quiet), what)
    info = cluster.find(what)
    if info is None:
        return None
    status = client.status_of(info)
    metadata = info.metadata or {}
    place = metadata.get(client.OUTPUT_KEY)
    if not isinstance(place, str) or not (place.startswith(("/", "~")) or is_url(place)):
        raise InputError(
            f"job {what} was not started by `goldenhour submit`; name the URL or folder that it wrote to"
        )
    if status not in client.ENDED:
        raise InputError(f"run {what} is not finished ({status.lower()})")
    if status != "SUCCEEDED":
        raise InputError(f"run {what} left no output: its job has {status.lower()}")
    identity = metadata.get(client.IDENTITY_KEY)
    try:
        expected = None if identity is None else msgspec.json.decode(identity, type=RunIdentity)
    except (ValueError, TypeError, RecursionError):
        raise InputError(
            f"job {what}: the cluster names no run of goldenhour, but {shown(identity)}"
        ) from None
    return LocatedOutput(
        ObjectStoreFiles(parse_url(place)) if is_url(place) else _through_job(cluster, place, quiet),
        place,
        expected,
    )


def _in_database(what: str) -> LocatedOutput:
    """The output of a run or experiment that the database has recorded as succeeded."""

    async def find(store: Any) -> Any:
        return await store.run(await store.find_run(what, ALL_KINDS))

    row = with_store(find)
    place = row["output"]
    if row["state"] != "succeeded":
        raise InputError(f"{row['kind']} {shown(what)} has no finished output: it is {row['state']}")
    try:
        output = recorded_output(row)
    except InputError as error:
        raise InputError(f"{error}; if it was a job, name its cluster: --address http://HOST:8265") from None
    source: OutputFiles = ObjectStoreFiles(output) if isinstance(output, Url) else FolderFiles(output)
    return LocatedOutput(source, place, RunIdentity(row["hash"], row["seed"], row["replication"]))


def _through_job(cluster: client.JobsClient, place: str, quiet: bool) -> JobLogFiles:
    """The files in a folder of the cluster's head, read from the log of a job that prints them."""
    if not quiet:
        console.print_error_line(f"fetching {place} through a job of the cluster")
    return JobLogFiles(archive_text(cluster, place), place)


async def archive_text(cluster: client.JobsClient, place: str) -> AsyncIterator[str]:
    """Start a job that prints the files in `place`, and yield what it prints.

    The job is stopped if the reader stops before its end. Raises RunError if the job sends nothing.
    """
    name = f"goldenhour-fetch-{uuid.uuid4()}"
    command = f"python -m goldenhour.jobs.log_archive {shlex.quote(place)}"
    with job_folder() as folder:
        cluster.submit(name, command, folder, {}, {client.OUTPUT_KEY: place})
    has_begun = has_ended = False
    last_text = ""
    try:
        text = aiter(cluster.log(name))
        while True:
            async with asyncio.timeout(SILENT_SECONDS):
                piece = await anext(text, None)
            if piece is None:
                break
            has_begun = has_begun or log_archive.PREFIX in piece
            last_text = "" if has_begun else (last_text + piece)[-500:]
            yield piece
        has_ended = True
        if not has_begun:
            reason = (cluster.info(name).message or last_text).strip()[:500]
            raise RunError(f"the cluster could not send {place}: {reason}")
    except TimeoutError:
        raise RunError(f"the cluster has sent nothing of {place} in {SILENT_SECONDS:.0f} s") from None
    finally:
        if not has_ended:
            with contextlib.suppress(GoldenhourError):
                cluster.stop(name)
