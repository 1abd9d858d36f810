"""`goldenhour optimise`: the cheapest laydown that meets constraints, the best of several, or a front of cost."""

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
    from goldenhour.optimisation import OptimisationRequest
    from goldenhour.optimisation_files import LoadedOptimisation
    from goldenhour.optimisation_result import Optimisation

TEMPLATE = """# How few ambulances keep the median time from injury to surgery under two hours?
# `goldenhour optimise check FILE` says what this costs, `goldenhour optimise FILE` answers it.
scenario = "brigade"        # a built-in, a file as seen from this one, or a stored scenario
# seed = 1
# settings = { "facilities[R2-North].icu_beds" = 20 }   # hold for all points

[optimise]
goal = "cheapest"           # or "best": the best of several; "front": cost against an outcome
# cost = "2 * ambulances + 5 * teams"   # of the factors by name; default: their sum

[[factors]]
name = "ambulances"
path = "vehicles[ambulances-North].number"
low = 1
high = 12

# [[factors]]
# name = "teams"
# path = "facilities[R2-North].surgical_teams"
# levels = [1, 2]

[[constraints]]             # all of them must be met; for goal = "cheapest"
measure = "surgery"         # deaths, surgery, ..., a number of summary.json, or a formula
at_most = 120               # or at_least
probability = 0.9           # in at least so many of the replications; without it: on average

[search]
confidence = 0.95           # of the whole answer
most = 2000                 # replications of a point
# indifference = 0.02       # a share known to be so near its limit is too close to call
# monotone = true           # more never hurts: examine few of many points
# objective = "deaths"      # for "best" and "front"
# difference = 0.2          # the smallest difference of the objective that matters
"""


@click.group(cls=FileGroup)
def optimise() -> None:
    """Find the cheapest laydown that is good enough, the best of several, or what more money buys."""


@optimise.command("run")
@click.argument("file")
@plans.plan_options("optimisation", "nowhere")
def run_file(file: str, chosen: plans.PlanOptions) -> None:
    """Find the cheapest laydown that meets constraints, the best of several, or a front of cost against an outcome.

    FILE says what is varied, what it costs and what is asked; `goldenhour optimise new FILE` writes one with comments.
    Replications are added only where the answer is not known yet. Finished ones are kept in the cache: after an
    interruption, or with another limit, only the missing ones are simulated. They are also kept in DIR, where
    `goldenhour resume DIR` continues. `goldenhour experiments` shows the optimisation while it runs, and stops it.
    """
    plans.check_options(chosen)
    execute(plans.request_of(_load(file), chosen), chosen)


@optimise.command("new")
@click.argument("file", required=False)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def new(file: str | None, force: bool) -> None:
    """Write a commented file of an optimisation, ready to edit. Without FILE it is printed."""
    if file is None:
        console.print_text(TEMPLATE)
        return
    plans.write_new(file, force, TEMPLATE, "optimise", "says what it costs", "answers it")


@optimise.command("check")
@click.argument("file")
@options.json_for_tables
def check(file: str, as_json: bool) -> None:
    """Check the file of an optimisation, and say what it costs."""
    loaded = _load(file)
    design = loaded.design()
    price = loaded.price(len(design))
    if as_json:
        console.print_json(
            {
                "name": loaded.name,
                "goal": loaded.plan.goal,
                "points": price.points,
                "replications": price.replications,
                "most_replications": price.most_replications,
                "seconds": price.seconds,
                "notes": list(design.notes),
            },
            indent=None,
        )
        return
    for note in design.notes:
        console.print_error_line(f"note: {note}")
    console.print_line(f"{loaded.name}: {price}")
    if loaded.plan.goal == "cheapest":
        console.print_line(
            "The search ends at the cheapest point that is good enough, so most points cost nothing."
        )


def execute(request: "OptimisationRequest", chosen: plans.PlanOptions) -> None:
    """Carry out an optimisation, show its progress, record it in the database, and print what was found."""
    from goldenhour.optimisation import run_optimisation

    detail = ExperimentDetail(points=len(request.design))
    found = plans.carry_out(
        request, "optimisation", detail, run_optimisation, views.optimisation_words, chosen
    )
    plans.print_found(found, views.optimisation_json, _show, chosen)


def resume_optimisation(
    run_file: RunFile, output: Path, workers: int, address: str | None, chosen: plans.PlanOptions
) -> None:
    """Continue the unfinished optimisation in the folder `output`."""
    from goldenhour.optimisation_files import load_optimisation_text

    loaded = load_optimisation_text(run_file.experiment, "optimisation.toml")
    execute(plans.request_to_resume(loaded, run_file, output, workers, address), chosen)


def _show(found: "Optimisation") -> None:
    screen = console.screen(110, highlight=False)
    for sentence in found.sentences:
        screen.print(sentence)
    screen.print()
    if found.goal == "front":
        console.print_text(views.front_picture(found) + "\n")
        screen.print()
    screen.print(views.optimisation_table(found))
    screen.print()
    for note in found.notes:
        screen.print(f"note: {note}")
    console.print_line(
        f"{len(found):,} of {found.size:,} points, {found.replications:,} replications, seed {found.seed}; "
        f"{'' if found.folder is None else f'results in {found.folder}; '}"
        f"{views.format_seconds(command_seconds())} for the whole command"
    )


def _load(file: str) -> "LoadedOptimisation":
    from goldenhour.optimisation_files import load_optimisation

    return load_optimisation(file, plans.load_scenario)
