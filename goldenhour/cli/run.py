"""`goldenhour run`: everything is checked first; then the run, its progress, and the planner's summary."""

import json
import os
import re
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from actors.cluster import default_workers, ray_address
from actors.run import (
    AUTOMATIC_WORKERS,
    CHUNK_SIZE,
    RunRequest,
    RunResult,
    Url,
    run_recorded,
    run_scenario,
    staging_folder,
)
from actors.store import Content, Database, Registration, check_name
from engine.errors import InputError, shown
from engine.records import RUN_TABLES
from engine.scenario import Scenario, check, resolve, scenario_hash, to_toml, with_overrides
from goldenhour import __version__
from goldenhour.cli import stored_scenarios
from goldenhour.cli.store_access import who
from goldenhour.views import display

RUN_VARIABLE = "GOLDENHOUR_RUN"
"""Environment variable with the id that a run is to have, a UUID: `goldenhour submit` sets it for its job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of `goldenhour run`; None where the default depends on something else."""

    scenario: str
    output: Path | Url | None
    seed: int | None
    replication: int
    patients: int | None
    days: int | None
    formats: tuple[str, ...]
    compress: str
    workers: int | None
    writers: int
    simulators: int
    chunk_size: int | None
    name: str | None
    no_store: bool
    address: str | None
    force: bool
    quiet: bool
    as_json: bool


def run_command(options: Options) -> None:
    """Check, run, and say what came out."""
    loaded = stored_scenarios.load(options.scenario)
    written = loaded.scenario
    original = with_overrides(written, seed=options.seed, total=options.patients, days=options.days)
    notes = check(original)
    if options.patients is not None and written.casualties.rates is not None:
        notes = [f"--patients {options.patients:,} replaces the scenario's rates", *notes]
    request = _request(options, original)
    if not options.quiet:
        for note in notes:
            click.echo(f"note: {note}", err=True)
    entered = None if options.no_store else registration(request, loaded, options.name)
    carry_out(request, entered, options.quiet, options.as_json)


def carry_out(request: RunRequest, entered: Registration | None, quiet: bool, said_as_json: bool) -> None:
    """Run, with progress, and say what came out; `entered` is what the database is told, None: nothing."""
    with display(quiet) as shown_progress:
        if entered is None:
            result = run_scenario(request, shown_progress.report)
        else:
            where = Database.from_environment()
            result = run_recorded(request, entered, where, shown_progress.report, shown_progress.say)
    if not quiet:
        for note in result.notes:
            click.echo(f"note: {note}", err=True)
    if said_as_json:
        sys.stdout.write(json.dumps(as_json(request, result)) + "\n")
    elif not quiet:
        from goldenhour.views import show_summary

        show_summary(request.scenario, request.seed, request.replication, result)


def default_output(name: str, seed: int, replication: int) -> Path:
    """./NAME-seedN-repR, with the name made fit for a folder."""
    safe = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "scenario"
    return Path(f"{safe}-seed{seed}-rep{replication}")


def expand_path(path: Path) -> Path:
    """The path with `~` replaced; InputError where `~NAME` names no user."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise InputError(
            f"{str(path)!r}: this machine has no user of that name; write the folder out"
        ) from error


def staging_and_destination(output: Path | Url) -> tuple[Path, Url | None]:
    """The folder that the files are made in, and the URL they are uploaded to then."""
    if isinstance(output, Url):
        return staging_folder(output, Database.from_environment().folder), output
    return expand_path(output).absolute(), None


def output_text(output: Path | Url) -> str:
    """An output as the database holds it."""
    return os.fsencode(output).decode("utf-8", "backslashreplace")


def check_address(address: str | None, workers: int = 1) -> None:
    """Raise InputError for what cannot be the address of a Ray cluster, or where there are no workers to use it."""
    if address is not None and workers == 0:
        raise InputError("--address and --workers 0 exclude each other: without workers there is no Ray")
    if address is not None and not re.fullmatch(r"auto|(ray://)?[\w.\-\[\]:]+:\d{1,5}", address):
        raise InputError(f"--address: got {shown(address)}; allowed: HOST:PORT or auto")


def _request(options: Options, original: Scenario) -> RunRequest:
    workers = options.workers
    if workers is None:
        local = ray_address(options.address) == "local"
        workers = default_workers() if local else AUTOMATIC_WORKERS
    check_address(options.address, workers)
    if options.writers > 1 and workers == 0:
        raise InputError("--writers and --workers 0 exclude each other: without workers this process writes")
    if options.simulators > 1 and workers == 0:
        raise InputError(
            "--simulators and --workers 0 exclude each other: without workers this process simulates"
        )
    output, destination = staging_and_destination(
        options.output or default_output(original.name, original.seed, options.replication)
    )
    return RunRequest(
        scenario=resolve(original),
        original=original,
        seed=original.seed,
        output=output,
        destination=destination,
        replication=options.replication,
        formats=options.formats,
        compress=options.compress,
        workers=workers,
        writers=options.writers,
        simulators=options.simulators,
        chunk_size=options.chunk_size or CHUNK_SIZE,
        address=options.address,
        force=options.force,
        version=__version__,
        run=_given_id(),
    )


def registration(
    request: RunRequest, loaded: stored_scenarios.Loaded | None = None, name: str | None = None
) -> Registration:
    """What the database is told of a run before it starts; `loaded`: where its scenario came from, None: a run that is
    gone on with.
    """
    if name is not None:
        check_name(name)
    original = request.original
    row = None if loaded is None else loaded.row
    return Registration(
        id=uuid.UUID(request.run) if request.run else uuid.uuid4(),
        name=name,
        scenario=original.name if row is None else row["name"],
        source="file" if loaded is None else loaded.source,
        scenario_version=None if loaded is None else loaded.version,
        content=Content(
            text=to_toml(original),
            format="toml",
            hash=scenario_hash(original),
        ),
        seed=request.seed,
        replication=request.replication,
        settings={
            "formats": ",".join(request.formats),
            "compress": request.compress,
            "workers": "automatic" if request.workers == AUTOMATIC_WORKERS else request.workers,
            "chunk_size": request.chunk_size,
        },
        who=who(),
        output=output_text(request.destination or request.output),
        version=request.version,
        expected=request.scenario.casualties.total,
    )


def _given_id() -> str:
    """The id that the environment gives to this run; empty where it gives none."""
    text = os.environ.get(RUN_VARIABLE) or ""
    try:
        return str(uuid.UUID(text)) if text else ""
    except ValueError:
        raise InputError(f"{RUN_VARIABLE}: got {shown(text)}; allowed: a UUID") from None


def bytes_per_record(result: RunResult) -> float:
    """Bytes of the patients' files for each patient; the tables of the run count apart."""
    written = sum(part.bytes for part in result.parts if part.table not in RUN_TABLES)
    return round(written / result.patients, 1) if result.patients else 0.0


def as_json(request: RunRequest, result: RunResult) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "patients": result.patients,
        "output": str(result.output),
        "scenario": request.original.name,
        "scenario_hash": scenario_hash(request.original),
        "seed": request.seed,
        "replication": request.replication,
        "outcomes": result.measures["outcomes"],
        "seconds": round(result.seconds, 3),
        "patients_per_second": round(result.patients_per_second, 1),
        "peak_pss_mb": result.peak_pss_mb,
        "pss_mb": result.pss_mb,
        "workers": result.workers,
        "chunk_size": request.chunk_size,
        "bytes": result.bytes,
        "bytes_per_record": bytes_per_record(result),
        "recoveries": result.recoveries,
        "resumed": result.resumed,
        "run": result.run,
        "parts": [str(result.output / part.path) for part in result.parts],
        "files": [str(path) for path in result.files],
    }
