"""What `goldenhour experiment` and `goldenhour optimise` share: their options, their new files, and their execution."""

import functools
import hashlib
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from actors.run import RunFile, Url, recorded
from actors.store import NO_OUTPUT, Content, ExperimentDetail, Registration, check_name
from engine.errors import InputError, shown
from engine.scenario import PreparedScenario, Scenario, ScenarioOrigin
from goldenhour import __version__, console, views
from goldenhour.cli import options, scenario_sources
from goldenhour.cli.execution import (
    command_seconds,
    database_of_records,
    scenario_columns,
    shown_workers,
)
from goldenhour.cli.new_scenario import check_new
from goldenhour.cli.run import run_id_of_environment
from goldenhour.database import user_and_machine
from goldenhour.outputs import local_folder, output_text

if TYPE_CHECKING:
    from goldenhour.point_driver import Kind, Loaded, OnDetail, OnStart, PlanRequest


class Found(Protocol):
    """The results of an experiment or an optimisation."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was found."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        ...


F = TypeVar("F", bound=Found)


@dataclass(frozen=True)
class PlanOptions:
    """How a user wants an experiment or an optimisation to be carried out, recorded and shown."""

    output: Path | Url | None = None
    force: bool = False
    workers: int | None = None
    """None: what suits the size."""
    address: str | None = None
    name: str | None = None
    """In the database."""
    no_store: bool = False
    quiet: bool = False
    as_json: bool = False


def plan_options(kind: "Kind", default_output: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of `PlanOptions`, and the options to the command as its last argument."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @click.option(
            "-o",
            "--output",
            metavar="DIR",
            callback=options.output_value,
            help=f"Write the results to this folder. Default: {default_output}.",
        )
        @click.option(
            "--force",
            is_flag=True,
            help="Replace the files of an earlier run or experiment in the folder.",
        )
        @options.tasks
        @options.ray_address
        @click.option("--name", help=f"Name of the {kind} in the database.")
        @options.no_store
        @options.no_progress
        @options.json_for_summary
        @functools.wraps(command)
        def with_options(*arguments: Any, **values: Any) -> None:
            # Arrow's own allocator holds 6 MB more than malloc for the small files of results.
            os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
            own = {name: values.pop(name) for name in PlanOptions.__dataclass_fields__}
            command(*arguments, **values, chosen=PlanOptions(**own))

        return with_options

    return decorate


def check_options(chosen: PlanOptions) -> None:
    """Raise InputError for options that exclude each other, or for a name that the database cannot hold."""
    if chosen.name is not None:
        check_name(chosen.name)
    options.check_ray_address(chosen.address, 1 if chosen.workers is None else chosen.workers)


def request_of(loaded: "Loaded", chosen: PlanOptions) -> "PlanRequest[Any]":
    """The request for what a user wants. Raises InputError and ScenarioError."""
    from goldenhour.point_driver import PlanRequest, workers_for_plan

    design = loaded.design()
    workers = chosen.workers
    if workers is None:
        workers = workers_for_plan(loaded, len(design), chosen.address)
    folder = None if chosen.output is None else local_folder(chosen.output)
    run_id = run_id_of_environment() or str(uuid.uuid4())
    return PlanRequest(loaded, design, folder, chosen.force, workers, chosen.address, run_id)


def request_to_resume(
    loaded: "Loaded", run_file: RunFile, output: Path, workers: int, address: str | None
) -> "PlanRequest[Any]":
    """The request to continue what is unfinished in a folder. Raises InputError if its run file is damaged."""
    from goldenhour.point_driver import PlanRequest

    if loaded.base.hash != run_file.scenario_hash:
        raise InputError(
            f"the run file in {str(output)!r} is damaged: its scenario is not that of its hash; start the "
            f"{run_file.experiment_kind} again with --force"
        )
    return PlanRequest(loaded, loaded.design(), output, False, workers, address, run_file.run_id)


def carry_out(
    request: "PlanRequest[Any]",
    kind: "Kind",
    detail: ExperimentDetail,
    work: "Callable[[PlanRequest[Any], OnDetail, OnStart], F]",
    words: Callable[[ExperimentDetail], str],
    chosen: PlanOptions,
) -> F:
    """Carry out an experiment or an optimisation, show its progress, and record it in the database.

    Parameters
    ----------
    request
        What is done.
    kind
        What it is.
    detail
        How much is to be done, as far as is known.
    work
        Does it.
    words
        Says how far it is.
    chosen
        What the user wants, besides what the request has.
    """
    if not chosen.quiet:
        for note in request.loaded.base.notes:
            console.print_error_line(f"note: {note}")
    views.compile_first(request.entry_points())
    database = database_of_records(chosen.no_store, console.print_error_line)
    registration = _registration(request, kind, detail, chosen.name)
    with (
        views.replications_line(chosen.quiet) as show,
        recorded(
            registration, database, request.workers, request.address, console.print_error_line
        ) as recorder,
    ):

        def report(detail: ExperimentDetail, phase: str) -> None:
            show(words(recorder.report(detail, phase)))

        found = work(request, report, recorder.start)
        recorder.measures = {"sentences": list(found.sentences), "notes": list(found.notes)}
    return found


def print_found(
    found: F, document: Callable[[F], dict[str, Any]], show: Callable[[F], None], chosen: PlanOptions
) -> None:
    """Print what was found: the JSON object `document` of it, even if quiet, or with `show`."""
    if chosen.as_json:
        console.print_json({**document(found), "seconds": round(command_seconds(), 3)}, indent=None)
    elif not chosen.quiet:
        show(found)


def _registration(
    request: "PlanRequest[Any]", kind: "Kind", detail: ExperimentDetail, name: str | None
) -> Registration:
    """The row that the database gets before it starts."""
    text = request.loaded.as_run()
    base: PreparedScenario = request.loaded.base
    return Registration(
        id=uuid.UUID(request.run_id) if request.run_id else uuid.uuid4(),
        kind=kind,
        name=name,
        **scenario_columns(base),
        content=Content(text=text, format="toml", hash=hashlib.sha256(text.encode()).hexdigest()),
        seed=base.resolved.seed,
        replication=0,
        settings={"workers": shown_workers(request.workers)},
        who=user_and_machine(),
        output=NO_OUTPUT if request.output is None else output_text(request.output),
        version=__version__,
        detail=detail,
    )


def load_scenario(source: str) -> tuple[Scenario, ScenarioOrigin]:
    """Find a scenario as `goldenhour run` does, also in the database. Raises InputError and ScenarioError."""
    loaded = scenario_sources.load(source)
    return loaded.scenario, loaded.origin


def write_new(file: str, force: bool, template: str, command: str, check_says: str, run_says: str) -> None:
    """Write a file to begin with, and say what its `command` does with it. Raises InputError.

    `check_says` and `run_says` tell what `COMMAND check FILE` and `COMMAND FILE` do.
    """
    path = Path(file)
    check_new(path, force)
    try:
        with path.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(template.replace("FILE", path.name))
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(str(path))} cannot be written: {error}") from None
    console.print_line(
        f"written to {path}; `goldenhour {command} check {path}` {check_says}, `goldenhour {command} {path}` {run_says}"
    )
