"""`goldenhour run`: check all input, run the scenario, and print the summary."""

import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from actors.run import (
    AUTOMATIC_WORKERS,
    CHUNK_SIZE,
    FORMAT_NAMES,
    MAX_CHUNK_SIZE,
    RunRequest,
    Url,
)
from engine.errors import InputError, shown
from engine.records import COMPRESSIONS
from engine.scenario import PreparedScenario, ScenarioOverrides, Setting
from goldenhour import __version__, console
from goldenhour.cli import options
from goldenhour.cli.execution import execute, registration_of
from goldenhour.cli.scenario_sources import prepare_source
from goldenhour.outputs import default_output, staging_and_destination
from goldenhour.run_time import SMALL_RUN, automatic_workers, expected_time

RUN_VARIABLE = "GOLDENHOUR_RUN"
"""Environment variable with the id that a run or experiment gets, a UUID. `goldenhour submit` sets it for its job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of `goldenhour run`. None: not given, and the default depends on other options."""

    scenario: str
    output: Path | Url | None
    seed: int | None
    replication: int
    patients: int | None
    days: int | None
    settings: tuple[Setting, ...]
    allow_long: bool
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


def _formats(ctx: click.Context, option: click.Parameter, value: str) -> tuple[str, ...]:
    names = [options.choice(name.strip(), FORMAT_NAMES, "--format") for name in value.split(",")]
    return tuple(dict.fromkeys(names))


def _compression(ctx: click.Context, option: click.Parameter, value: str) -> str:
    return options.choice(value, tuple(COMPRESSIONS), "--compress")


@click.command()
@click.argument("scenario")
@click.option(
    "-o",
    "--output",
    metavar="DIR|URL",
    callback=options.output_value,
    help="Write the files to this folder, or to s3://, gs:// or az://BUCKET/PREFIX. "
    "Default: ./NAME-seedN-repR, from the scenario, the seed and the replication.",
)
@options.seed
@options.replication
@options.patients
@options.days
@options.settings
@options.allow_long
@click.option(
    "--format",
    "formats",
    metavar="F[,F]",
    default="jsonl",
    callback=_formats,
    help=f"File formats, separated by commas: {', '.join(FORMAT_NAMES)}. Default: jsonl.",
)
@click.option(
    "--compress",
    metavar="C",
    default="none",
    callback=_compression,
    help="Compress the files: none, gzip or zstd. Parquet files are always compressed inside. Default: none.",
)
@click.option(
    "--workers",
    metavar="N",
    default="auto",
    callback=options.worker_count,
    help="Number of generator processes. 0: run everything in this process, without Ray. auto: without Ray where fewer "
    f"than {SMALL_RUN:,} patients are expected, because Ray takes longer to start than they take; else CPU cores - 1, "
    "and on a cluster all its CPUs - 1. The files are the same. Default: auto.",
)
@click.option(
    "--writers",
    type=click.IntRange(1, 1024),
    default=1,
    help="Number of writer processes; each writes some files. On a cluster of several machines, more than one needs "
    "a shared folder. Default: 1.",
)
@click.option(
    "--simulators",
    type=click.IntRange(1, 200),
    default=1,
    help="Number of simulator processes; they divide the fronts. Fronts that share a limited resource stay together, "
    "which limits the number. Default: 1.",
)
@click.option(
    "--chunk-size",
    type=click.IntRange(1, MAX_CHUNK_SIZE),
    help=f"Number of patients in a chunk of work. Fewer need less memory and more time. Default: {CHUNK_SIZE}.",
)
@click.option("--name", help="Name of the run, to find it with `goldenhour runs`.")
@click.option("--no-store", is_flag=True, help="Do not record the run in the database.")
@click.option(
    "--address", metavar="A", help="Use the Ray cluster at this address, HOST:PORT. Default: start Ray here."
)
@click.option(
    "--force",
    is_flag=True,
    help="Write into an output folder that is not empty, and replace the run that is there.",
)
@options.no_progress
@options.json_for_summary
def run(**values: Any) -> None:
    """Simulate a scenario and write its patients to files.

    SCENARIO is a built-in scenario, a .toml or .json file, or a stored scenario as NAME or NAME@VERSION.
    """
    given = RunOptions(**values)
    overrides = ScenarioOverrides(given.seed, given.patients, given.days, given.settings)
    prepared = prepare_source(given.scenario, overrides, given.allow_long)
    notes = list(prepared.notes)
    if given.patients is not None and prepared.written.casualties.rates is not None:
        notes.insert(0, f"--patients {given.patients:,} replaces the scenario's rates")
    request = _request(given, prepared)
    if request.workers != AUTOMATIC_WORKERS:  # how many a cluster has is unknown here
        expected = expected_time(prepared, request.formats, request.compress, request.workers)
        notes += filter(None, [expected.note()])
    if not given.quiet:
        for note in notes:
            console.print_error_line(f"note: {note}")
    registration = None
    if not given.no_store:
        registration = registration_of(request, prepared, given.name, given.settings)
    execute(request, prepared, registration, given.quiet, given.as_json)


def _request(given: RunOptions, prepared: PreparedScenario) -> RunRequest:
    """The run that the options ask for. Raises InputError for options that exclude each other."""
    workers = given.workers
    if workers is None:
        workers = automatic_workers(prepared, given.address, given.writers, given.simulators)
    options.check_ray_address(given.address, workers)
    check_processes(workers, given.writers, given.simulators)
    original = prepared.original
    output, destination = staging_and_destination(
        given.output or default_output(original.name, original.seed, given.replication)
    )
    return RunRequest(
        scenario=prepared.resolved,
        original=original,
        seed=original.seed,
        output=output,
        destination=destination,
        replication=given.replication,
        formats=given.formats,
        compress=given.compress,
        workers=workers,
        writers=given.writers,
        simulators=given.simulators,
        chunk_size=given.chunk_size or CHUNK_SIZE,
        address=given.address,
        force=given.force,
        version=__version__,
        run_id=run_id_of_environment(),
    )


def check_processes(workers: int | None, writers: int, simulators: int) -> None:
    """Raise InputError if several writers or simulators are asked for without workers."""
    if workers == 0 and writers > 1:
        raise InputError("--writers and --workers 0 exclude each other: without workers one process writes")
    if workers == 0 and simulators > 1:
        raise InputError(
            "--simulators and --workers 0 exclude each other: without workers one process simulates"
        )


def run_id_of_environment() -> str:
    """The id that the environment gives this run or experiment; empty if it gives none. Raises InputError."""
    text = os.environ.get(RUN_VARIABLE) or ""
    try:
        return str(uuid.UUID(text)) if text else ""
    except ValueError:
        raise InputError(f"{RUN_VARIABLE}: got {shown(text)}; allowed: a UUID") from None
