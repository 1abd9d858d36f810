"""`goldenhour resume`: continue an interrupted run or experiment, named by its output or as in the database."""

import asyncio
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import msgspec

from actors import run as run_wing
from actors.cluster import default_workers, ray_address
from actors.run import AUTOMATIC_WORKERS, RunRequest, Url, parse_url
from actors.store import ALL_KINDS, ENDED, ExperimentDetail, Heartbeat
from engine.errors import InputError, RunError, StoreError, shown
from engine.scenario import parse, prepare
from goldenhour import __version__, console
from goldenhour.cli import options
from goldenhour.cli.execution import execute, registration_of
from goldenhour.cli.experiment import resume_experiment
from goldenhour.cli.optimise import resume_optimisation
from goldenhour.cli.plans import PlanOptions
from goldenhour.database import current_database, with_store
from goldenhour.outputs import expand_path, output_text, recorded_output, staging_and_destination

if TYPE_CHECKING:
    from actors.store import ConfigStore


class _Summary(msgspec.Struct):
    """What the database needs to know of a summary besides its whole text."""

    patients: Annotated[int, msgspec.Meta(ge=0, le=2**53)]


@click.command()
@click.argument("what", metavar="DIR|URL|RUN", callback=options.output_value)
@click.option(
    "--workers", type=click.IntRange(0, 1024), help="Number of generator processes. Default: as before."
)
@click.option(
    "--address",
    metavar="A",
    help="Address of the Ray cluster, HOST:PORT, also where the run was on one before.",
)
@options.no_store
@options.no_progress
@options.json_for_summary
def resume(
    what: Path | Url,
    workers: int | None,
    address: str | None,
    no_store: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Resume an unfinished run or experiment: in the folder DIR, for the output URL, or with the name or id RUN.

    `goldenhour runs list` and `goldenhour experiments list` show names and ids; the first characters of an id are
    enough. The files become the same as those without interruption. Starting the same command again also resumes it.
    """
    row = None if _is_output(what) else _find_row(str(what), no_store)
    place = what if row is None else recorded_output(row)
    output, destination = staging_and_destination(place)
    if destination is not None and not output.exists():
        _check_uploaded(destination)
        if not quiet:
            console.print_error_line(f"the run in {str(place)!r} is finished: nothing to do")
        return
    run_file = run_wing.find_unfinished_run(output)
    if run_file is None:
        recorded = not no_store and _record_success(output, row)
        if not quiet:
            action = "recorded as succeeded" if recorded else "nothing to do"
            console.print_error_line(f"the run in {str(place)!r} is finished: {action}")
        return
    if row is not None and run_file.run_id != str(row["id"]):
        raise InputError(
            f"{str(place)!r} now holds another unfinished run, {run_file.run_id}; to resume that one, name the folder"
        )
    _check_release(run_file, place)
    workers, address = _workers_and_address(run_file, workers, address, place)
    if run_file.experiment:
        resume_kind = resume_optimisation if run_file.experiment_kind == "optimisation" else resume_experiment
        chosen = PlanOptions(no_store=no_store, quiet=quiet, as_json=as_json)
        resume_kind(run_file, output, workers, address, chosen)
        return
    written = parse(bytes(run_file.scenario), "json", "scenario of the unfinished run")
    prepared = prepare(written, allow_long=True)  # the run has been allowed to start
    if prepared.hash != run_file.scenario_hash or prepared.original.seed != run_file.seed:
        raise InputError(
            f"the run file in {str(place)!r} is damaged: its scenario is not that of its hash and seed"
        )
    destination = _checked_destination(run_file.destination, destination, output)
    request = RunRequest(
        scenario=prepared.resolved,
        original=prepared.original,
        seed=run_file.seed,
        output=output,
        destination=destination,
        replication=run_file.replication,
        formats=run_file.formats,
        compress=run_file.compress,
        workers=workers,
        writers=run_file.writers,
        simulators=run_file.simulators if workers else 1,
        chunk_size=run_file.chunk_size,
        address=address,
        version=__version__,
    )
    execute(request, prepared, None if no_store else registration_of(request, prepared), quiet, as_json)


def _workers_and_address(
    run_file: run_wing.RunFile, workers: int | None, address: str | None, place: Path | Url
) -> tuple[int, str | None]:
    """The processes and the cluster that are given, else those of the unfinished run. Raises InputError."""
    workers = run_file.workers if workers is None else workers
    if address is None and workers:
        address = _checked_address(run_file.address, place)
    if workers == AUTOMATIC_WORKERS and ray_address(address) == "local":
        workers = default_workers()
    options.check_ray_address(address, workers)
    return workers, address


def _check_release(run_file: run_wing.RunFile, place: Path | Url) -> None:
    """Raise InputError if another release or engine began the run: this one might write other bytes."""
    if run_file.version != __version__:
        raise InputError(
            f"the run in {str(place)!r} was begun by goldenhour {run_file.version} and this is {__version__}: resume "
            f"it with goldenhour {run_file.version}, or start it again with --force"
        )
    if run_file.engine != run_wing.engine_digest():
        raise InputError(
            f"the run in {str(place)!r} was begun by another build of goldenhour {__version__}, with the engine "
            f"{run_file.engine} (here {run_wing.engine_digest()}): resume it with that build, or start it again with "
            "--force"
        )


def _checked_address(address: str | None, place: Path | Url) -> str | None:
    """The cluster's address according to the run file, if it is none or the user's environment names the same one.

    Raises InputError for another one: whoever joins a cluster runs its code, so a file does not decide about that.
    `auto` without RAY_ADDRESS, outside of a submitted job, is any Ray that is found on the machine.
    """
    named = os.environ.get("RAY_ADDRESS")
    if address in (None, "local") or (named and address == named):
        return address
    if address == "auto" and (named or "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ):
        return address
    raise InputError(
        f"the run in {str(place)!r} was on the Ray cluster at {shown(address)}: if you trust that cluster, add "
        f"--address {shlex.quote(str(address))}; or add --workers 0"
    )


def _checked_destination(text: str, named: Url | None, output: Path) -> Url | None:
    """The URL that an unfinished run uploads to, according to its run file.

    Raises InputError unless it is the one that the user has named, or the one whose files are written to a folder of
    this name: a run file alone does not decide where files are sent.
    """
    if named is None and text:
        url = parse_url(text)
        if staging_and_destination(url)[0].name == output.name:
            return url
    if text != (named or ""):
        raise InputError(
            f"the unfinished run in {str(output)!r} belongs to the output {shown(text)}, not to this one"
        )
    return named


def _check_uploaded(url: Url) -> None:
    """Raise InputError unless the object store holds a finished run at `url`."""
    objects = run_wing.ObjectStore(url)
    try:
        manifest = asyncio.run(objects.read(run_wing.MANIFEST))
    except RunError as error:
        raise InputError(str(error)) from error
    if manifest is not None:
        run_wing.decode_manifest(manifest, f"{url}/{run_wing.MANIFEST}")
        return
    raise InputError(
        f"there is no finished run at {url}, and this machine has no unfinished run for it; resume a run on the "
        f"machine where it was started, with the same {run_wing.STAGING_VARIABLE} if that was set"
    )


def _is_output(what: Path | Url) -> bool:
    """Whether `what` names an output. Names and ids of runs have no slash."""
    return isinstance(what, Url) or "/" in str(what) or os.path.lexists(expand_path(what))


def _find_row(reference: str, no_store: bool) -> dict[str, Any]:
    """The run with this name or id in the database. Raises InputError if there is none."""
    if no_store:
        raise InputError(
            f"there is no folder {shown(reference)}, and --no-store excludes the database of runs; name the output "
            "folder"
        )
    if current_database().is_new:
        raise InputError(
            f"there is no folder {shown(reference)}, and the database has no runs yet; allowed: the output folder or "
            "URL of a run, or a run of `goldenhour runs list`"
        )

    async def find(store: "ConfigStore") -> dict[str, Any] | None:
        return await store.run(await store.find_run(reference, ALL_KINDS))

    try:
        row = with_store(find)
    except InputError as error:
        raise InputError(f"{error}; nor is there a folder of that name") from None
    if row is None:
        raise InputError(f"run {shown(reference)} was removed")
    return row


def _record_success(output: Path, row: dict[str, Any] | None) -> bool:
    """Record the finished run in `output` as succeeded, if its driver was killed before it did so.

    Parameters
    ----------
    output
        The output folder.
    row
        The run in the database; None: find it by its output.

    Returns
    -------
    bool
        Whether the database was changed.
    """
    try:
        if current_database().is_new:
            return False
    except StoreError:  # there is no home folder for a database
        return False
    with run_wing.Folder(output, follow=True) as folder:
        data, summary = (
            folder.read(name, run_wing.MAX_MANIFEST_BYTES) or b""
            for name in (run_wing.MANIFEST, run_wing.SUMMARY)
        )
    manifest = run_wing.decode_manifest(data, output / run_wing.MANIFEST)
    size = sum(part.bytes for part in manifest.parts)
    if manifest.kind != "run":
        detail = ExperimentDetail(
            points=manifest.points,
            points_done=manifest.points,
            replications=manifest.replications,
            replications_wanted=manifest.replications,
        )
        return _record_end(manifest, output, row, None, {"fraction": 1.0, "bytes": size, "detail": detail})
    try:
        patients = msgspec.json.decode(summary, type=_Summary).patients
        measures = msgspec.json.decode(summary, type=dict[str, Any])
    except (ValueError, RecursionError):
        raise InputError(
            f"{str(output / run_wing.SUMMARY)!r} is missing, damaged or not of goldenhour"
        ) from None
    return _record_end(
        manifest, output, row, measures, {"patients": patients, "fraction": 1.0, "bytes": size}
    )


def _record_end(
    manifest: run_wing.Manifest,
    output: Path,
    row: dict[str, Any] | None,
    measures: dict[str, Any] | None,
    progress: dict[str, Any],
) -> bool:
    """Record what the manifest describes as succeeded, as `_record_success` says. `progress` is the last heartbeat."""

    async def record(store: "ConfigStore") -> bool:
        found = row or await store.run_of_output(output_text(output), ALL_KINDS)
        if found is None or found["state"] in ENDED:
            return False
        if manifest.identity != (found["hash"], found["seed"], found["replication"]):
            return False
        last = Heartbeat(id=found["id"], **progress)
        await store.finish_run(found["id"], "succeeded", measures=measures, last=last)
        return True

    try:
        return with_store(record)
    except StoreError:  # the files are complete without the database
        return False
