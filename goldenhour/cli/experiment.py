"""`goldenhour experiment`: carry an experiment out, price it before it starts, or write a file to begin with."""

import math
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from actors.run import RunFile, Url, recorded
from actors.store import ExperimentDetail, Registration, check_name
from engine.errors import InputError, shown
from engine.scenario import Scenario, ScenarioOrigin
from goldenhour import console, views
from goldenhour.cli import options
from goldenhour.cli.execution import check_scenario, command_seconds, database_of_records, plan_registration
from goldenhour.cli.groups import FileGroup
from goldenhour.cli.new_scenario import check_new
from goldenhour.cli.run import run_id_of_environment
from goldenhour.cli.scenario_sources import load
from goldenhour.outputs import local_folder

if TYPE_CHECKING:
    from engine.experiments import Quantity
    from goldenhour.experiment_driver import ExperimentRequest
    from goldenhour.experiment_files import LoadedExperiment
    from goldenhour.experiment_result import Experiment

MOST_NOTES = 8
"""Notes that are printed; --json has all."""

TRIED_SECONDS = 2.0
"""Expected time of the replications that `check` simulates to see which measures there are."""

MOST_TRIED = 10

_NEW = """\
# An experiment of goldenhour. It runs as it is:   goldenhour experiment FILE
# What it will do, and how long that takes:        goldenhour experiment check FILE
# The answer is printed, and the folder beside this file that has its name holds all replications.

scenario = "brigade"        # a built-in scenario, a file seen from this one, or NAME@VERSION of the database
# days = 10                 # also seed, patients; default: as the scenario has them
# settings = { "links[POI-R1-North].minutes" = 20 }   # hold for all points

[design]
# list, full factorial, fractional factorial, one at a time, Latin hypercube, Sobol sequence, Morris, Sobol indices,
# assumptions; docs/experiments.md says which answers what
kind = "full factorial"

[[factors]]                 # what is varied; one such table for each
name = "teams with tables"  # optional
paths = ["facilities[R2-North].surgical_teams", "facilities[R2-North].operating_tables"]   # move together
levels = [2, 3]             # or low = 1, high = 4

[[factors]]
name = "ICU beds"
path = "facilities[R2-North].icu_beds"   # any field, as --set takes it
levels = [4, 8]

[replications]
count = 100                 # of each point; or instead of count, until intervals are narrow enough:
# half_width = { deaths = 0.5, surgery = "5 %" }   # of the difference from the first point; % of that point's mean
# most = 1000               # but at most so many

[results]
measures = ["deaths", "surgery"]   # also dow, kia, all_deaths, surgery_in_time, and any number of summary.json
# quantiles = [0.5, 0.9]    # over the replications
# formulas = { burden = "surgery / 60 + 10 * deaths" }
# baseline = "first"        # the point that the others are compared with: its label or number, or "none"
"""


@click.group(cls=FileGroup)
def experiment() -> None:
    """Carry out the experiment in FILE: many scenarios, many replications, one answer."""


@experiment.command("run")
@click.argument("file", metavar="FILE")
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    callback=options.output_value,
    help="Write the results to this folder. Default: ./NAME, from NAME.toml.",
)
@click.option(
    "--force", is_flag=True, help="Replace the files of an earlier run or experiment in the folder."
)
@options.tasks
@click.option("--address", metavar="A", help="Simulate on the Ray cluster at this address, HOST:PORT.")
@click.option("--name", help="Name of the experiment in the database.")
@click.option("--no-store", is_flag=True, help="Do not use the database.")
@options.no_progress
@options.json_for_summary
def run(
    file: str,
    output: Path | Url | None,
    force: bool,
    workers: int | None,
    address: str | None,
    name: str | None,
    no_store: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Carry out the experiment in FILE, and say what was found and how sure that is.

    FILE says which scenario, what is varied, how often it is simulated and what is measured. A replication has the
    same casualties at all points, so that few replications show a small difference. The same command, or `goldenhour
    resume DIR`, continues after an interruption. Finished replications are also kept in the cache: with more
    replications, another level or another measure, only what is new is simulated.
    """
    from goldenhour.experiment_driver import ExperimentRequest, workers_for_experiment
    from goldenhour.experiment_files import load_experiment

    if name is not None:
        check_name(name)
    options.check_ray_address(address, 1 if workers is None else workers)
    loaded = load_experiment(file, load_scenario)
    design = loaded.design()
    chosen = workers_for_experiment(loaded, len(design), address) if workers is None else workers
    run_id = run_id_of_environment() or str(uuid.uuid4())
    folder = local_folder(Path(Path(file).stem) if output is None else output)
    request = ExperimentRequest(loaded, design, folder, force, chosen, address, run_id)
    execute(request, name, no_store, quiet, as_json)


@experiment.command("new")
@click.argument("file", metavar="FILE")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def new(file: str, force: bool) -> None:
    """Write a short experiment file with comments, which runs as it is."""
    path = Path(file)
    check_new(path, force)
    try:
        with path.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(_NEW.replace("FILE", path.name))
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(str(path))} cannot be written: {error}") from None
    console.print_line(
        f"written to {path}; `goldenhour experiment check {path}` says what it will do, "
        f"`goldenhour experiment {path}` does it"
    )


@experiment.command("check")
@click.argument("file", metavar="FILE")
@options.as_json
def check(file: str, as_json: bool) -> None:
    """Say what the experiment in FILE will do and what it costs, without doing it.

    Every level of every factor is tried in the scenario. A few replications of the scenario show which measures it has,
    unless even these take long.
    """
    from goldenhour.experiment_files import load_experiment

    loaded = load_experiment(file, load_scenario)
    design = loaded.design()
    quantities, seconds = _try(loaded)
    price = loaded.price(len(design), seconds)
    notes = [*loaded.base.notes, *design.notes]
    if as_json:
        console.print_json(
            {
                "experiment": loaded.name,
                "design": loaded.plan.kind,
                "price": views.price_json(price),
                "factors": {
                    name: list(paths) for name, paths in zip(design.names, design.paths, strict=True)
                },
                "baseline": design.baseline,
                "notes": notes,
            }
        )
        return
    screen = console.screen(110, highlight=False)
    base = loaded.base.resolved
    days = "1 day" if base.days == 1 else f"{base.days:,} days"
    screen.print(f"{loaded.name}: {loaded.plan.kind}, with {base.name}, {days}, seed {base.seed}")
    screen.print(f"{price}, with one process of this machine")
    if quantities is not None:
        screen.print(f"measures: {', '.join(_few([quantity.meaning for quantity in quantities]))}")
    if design.baseline is not None:
        screen.print(f"compared with: {design[design.baseline].label}")
    screen.print()
    screen.print(views.factors_table(base, design))
    if notes:
        screen.print()
    for note in notes:
        screen.print(f"note: {note}")


def execute(
    request: "ExperimentRequest", name: str | None, no_store: bool, quiet: bool, as_json: bool
) -> None:
    """Carry out an experiment, show its progress, record it in the database, and print what was found.

    Parameters
    ----------
    request
        The experiment.
    name
        Its name in the database; None: it has none.
    no_store
        Do not use the database.
    quiet
        Print warnings only.
    as_json
        Print what was found as one JSON object, even if `quiet`.
    """
    from goldenhour.experiment_driver import run_experiment

    if not quiet:
        for note in request.loaded.base.notes:
            console.print_error_line(f"note: {note}")
    views.compile_first(request.entry_points())
    database = database_of_records(no_store, console.print_error_line)
    with (
        views.replications_line(quiet) as show,
        recorded(
            _registration(request, name), database, request.workers, request.address, console.print_error_line
        ) as recorder,
    ):

        def report(detail: ExperimentDetail, phase: str) -> None:
            show(views.experiment_words(recorder.report(detail, phase)))

        found = run_experiment(request, report, recorder.start)
        recorder.measures = {"sentences": list(found.sentences), "notes": list(found.notes)}
    if as_json:
        console.print_json(
            {**views.experiment_json(found), "seconds": round(command_seconds(), 3)}, indent=None
        )
    elif not quiet:
        _show(found)


def resume_experiment(
    run_file: RunFile,
    output: Path,
    workers: int,
    address: str | None,
    no_store: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Continue the unfinished experiment in the folder `output`; the other parameters are those of `execute`."""
    from goldenhour.experiment_driver import ExperimentRequest
    from goldenhour.experiment_files import load_text

    loaded = load_text(run_file.experiment, "experiment.toml")
    check_scenario(loaded.base, run_file, output)
    request = ExperimentRequest(loaded, loaded.design(), output, False, workers, address, run_file.run_id)
    execute(request, None, no_store, quiet, as_json)


def _show(found: "Experiment") -> None:
    screen = console.screen(110, highlight=False)
    for sentence in found.sentences:
        screen.print(sentence)
    for table in views.experiment_tables(found):
        screen.print()
        screen.print(table)
    screen.print()
    for note in found.notes[:MOST_NOTES]:
        screen.print(f"note: {note}")
    if len(found.notes) > MOST_NOTES:
        screen.print(f"{len(found.notes) - MOST_NOTES:,} more notes: --json prints them")
    points = "1 point" if len(found) == 1 else f"{len(found):,} points"
    console.print_line(
        f"{points}, {found.replications:,} replications, seed {found.seed}; results in {found.folder}; "
        f"{views.format_seconds(command_seconds())} for the whole command"
    )


def _try(loaded: "LoadedExperiment") -> "tuple[list[Quantity] | None, float]":
    """The measures, and the seconds of a replication, from some replications of the scenario.

    None and NaN if they would take long. Raises InputError for a measure that there is not.
    """
    from goldenhour.experiment_driver import try_experiment
    from goldenhour.experiments import replication_seconds

    count = min(MOST_TRIED, int(TRIED_SECONDS / replication_seconds(loaded.base)))
    if not count:
        return None, math.nan
    from engine.run import entry_points

    views.compile_first(entry_points(loaded.base.resolved, texts=False))
    return try_experiment(loaded, count)


def _few(words: list[str], most: int = 12) -> list[str]:
    return words if len(words) <= most else [*words[:most], f"{len(words) - most:,} more"]


def load_scenario(source: str) -> tuple[Scenario, ScenarioOrigin]:
    """Find a scenario as `goldenhour run` does, also in the database. Raises InputError and ScenarioError."""
    loaded = load(source)
    return loaded.scenario, loaded.origin


def _registration(request: "ExperimentRequest", name: str | None) -> Registration:
    """The row that the database gets for an experiment before it starts."""
    loaded = request.loaded
    price = loaded.price(len(request.design))
    return plan_registration(
        "experiment",
        loaded.as_run(),
        loaded.base,
        ExperimentDetail(points=price.points, replications_wanted=price.replications),
        run_id=request.run_id,
        name=name,
        workers=request.workers,
        output=request.output,
    )
