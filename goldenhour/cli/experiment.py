"""`goldenhour experiment`: carry an experiment out, price it before it starts, or write a file to begin with."""

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from actors.run import RunFile
from actors.store import ExperimentDetail
from goldenhour import console, views
from goldenhour.cli import options, plans
from goldenhour.cli.execution import command_seconds
from goldenhour.cli.groups import FileGroup

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
@plans.plan_options("experiment", "./NAME, from NAME.toml")
def run(file: str, chosen: plans.PlanOptions) -> None:
    """Carry out the experiment in FILE, and say what was found and how sure that is.

    FILE says which scenario, what is varied, how often it is simulated and what is measured. A replication has the
    same casualties at all points, so that few replications show a small difference. The same command, or `goldenhour
    resume DIR`, continues after an interruption. Finished replications are also kept in the cache: with more
    replications, another level or another measure, only what is new is simulated.
    """
    from goldenhour.experiment_files import load_experiment

    plans.check_options(chosen)
    loaded = load_experiment(file, plans.load_scenario)
    output = Path(Path(file).stem) if chosen.output is None else chosen.output
    chosen = replace(chosen, output=output)
    execute(plans.request_of(loaded, chosen), chosen)


@experiment.command("new")
@click.argument("file", metavar="FILE")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def new(file: str, force: bool) -> None:
    """Write a short experiment file with comments, which runs as it is."""
    plans.write_new(file, force, _NEW, "experiment", "says what it will do", "does it")


@experiment.command("check")
@click.argument("file", metavar="FILE")
@options.as_json
def check(file: str, as_json: bool) -> None:
    """Say what the experiment in FILE will do and what it costs, without doing it.

    Every level of every factor is tried in the scenario. A few replications of the scenario show which measures it has,
    unless even these take long.
    """
    from goldenhour.experiment_files import load_experiment

    loaded = load_experiment(file, plans.load_scenario)
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


def execute(request: "ExperimentRequest", chosen: plans.PlanOptions) -> None:
    """Carry out an experiment, show its progress, record it in the database, and print what was found."""
    from goldenhour.experiment_driver import run_experiment

    price = request.loaded.price(len(request.design))
    detail = ExperimentDetail(points=price.points, replications_wanted=price.replications)
    found = plans.carry_out(request, "experiment", detail, run_experiment, views.experiment_words, chosen)
    plans.print_found(found, views.experiment_json, _show, chosen)


def resume_experiment(
    run_file: RunFile, output: Path, workers: int, address: str | None, chosen: plans.PlanOptions
) -> None:
    """Continue the unfinished experiment in the folder `output`."""
    from goldenhour.experiment_files import load_text

    loaded = load_text(run_file.experiment, "experiment.toml")
    execute(plans.request_to_resume(loaded, run_file, output, workers, address), chosen)


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
