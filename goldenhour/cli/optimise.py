"""`goldenhour optimise`: the cheapest laydown that meets constraints, the best of several, or a front of cost."""

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from actors.run import RunFile, Url, recorded
from actors.store import ExperimentDetail, check_name
from engine.errors import InputError, shown
from engine.scenario import Scenario, ScenarioOrigin
from goldenhour import console, views
from goldenhour.cli import options, scenario_sources
from goldenhour.cli.execution import check_scenario, command_seconds, database_of_records, plan_registration
from goldenhour.cli.groups import FileGroup
from goldenhour.cli.new_scenario import check_new
from goldenhour.cli.run import run_id_of_environment
from goldenhour.outputs import local_folder

if TYPE_CHECKING:
    from goldenhour.optimisation import LoadedOptimisation, OptimisationRequest
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
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    callback=options.output_value,
    help="Write the results to this folder. Default: nowhere.",
)
@click.option(
    "--force", is_flag=True, help="Replace the files of an earlier run or experiment in the folder."
)
@options.tasks
@click.option("--address", metavar="A", help="Simulate on the Ray cluster at this address, HOST:PORT.")
@click.option("--name", help="Name of the optimisation in the database.")
@click.option("--no-store", is_flag=True, help="Do not use the database.")
@options.no_progress
@options.json_for_summary
def run_file(
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
    """Find the cheapest laydown that meets constraints, the best of several, or a front of cost against an outcome.

    FILE says what is varied, what it costs and what is asked; `goldenhour optimise new FILE` writes one with comments.
    Replications are added only where the answer is not known yet. Finished ones are kept in the cache: after an
    interruption, or with another limit, only the missing ones are simulated. They are also kept in DIR, where
    `goldenhour resume DIR` continues. `goldenhour experiments` shows the optimisation while it runs, and stops it.
    """
    from goldenhour.optimisation import OptimisationRequest, workers_for_optimisation

    if name is not None:
        check_name(name)
    options.check_ray_address(address, 1 if workers is None else workers)
    loaded = _load(file)
    design = loaded.design()
    chosen = workers_for_optimisation(loaded, len(design), address) if workers is None else workers
    folder = None if output is None else local_folder(output)
    run_id = run_id_of_environment() or str(uuid.uuid4())
    request = OptimisationRequest(loaded, design, folder, force, chosen, address, run_id)
    execute(request, name, no_store, quiet, as_json)


@optimise.command("new")
@click.argument("file", required=False)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def new(file: str | None, force: bool) -> None:
    """Write a commented file of an optimisation, ready to edit. Without FILE it is printed."""
    if file is None:
        console.print_text(TEMPLATE)
        return
    path = Path(file)
    check_new(path, force)
    try:
        with path.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(TEMPLATE.replace("FILE", path.name))
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(str(path))} cannot be written: {error}") from None
    console.print_line(
        f"written to {path}; `goldenhour optimise check {path}` says what it costs, `goldenhour optimise {path}` "
        "answers it"
    )


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


def execute(
    request: "OptimisationRequest", name: str | None, no_store: bool, quiet: bool, as_json: bool
) -> None:
    """Carry out an optimisation, show its progress, record it in the database, and print what was found.

    Parameters
    ----------
    request
        The optimisation.
    name
        Its name in the database; None: it has none.
    no_store
        Do not use the database.
    quiet
        Print warnings only.
    as_json
        Print what was found as one JSON object, even if `quiet`.
    """
    from goldenhour.optimisation import run_optimisation

    views.compile_first(request.entry_points())
    database = database_of_records(no_store, console.print_error_line)
    registration = plan_registration(
        "optimisation",
        request.loaded.as_run(),
        request.loaded.base,
        ExperimentDetail(points=len(request.design)),
        run_id=request.run_id,
        name=name,
        workers=request.workers,
        output=request.output,
    )
    with (
        views.replications_line(quiet) as show,
        recorded(
            registration, database, request.workers, request.address, console.print_error_line
        ) as recorder,
    ):
        if request.output is None:
            recorder.start(str(registration.id), False)

        def report(detail: ExperimentDetail, phase: str) -> None:
            show(views.optimisation_words(recorder.report(detail, phase)))

        found = run_optimisation(request, report, recorder.start)
        recorder.measures = {"sentences": list(found.sentences), "notes": list(found.notes)}
    if as_json:
        console.print_json(views.optimisation_json(found), indent=None)
    elif not quiet:
        _show(found)


def resume_optimisation(
    run_file: RunFile,
    output: Path,
    workers: int,
    address: str | None,
    no_store: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Continue the unfinished optimisation in the folder `output`; the other parameters are those of `execute`."""
    from goldenhour.optimisation import OptimisationRequest, load_optimisation_text

    loaded = load_optimisation_text(run_file.experiment, "optimisation.toml")
    check_scenario(loaded.base, run_file, output)
    request = OptimisationRequest(loaded, loaded.design(), output, False, workers, address, run_file.run_id)
    execute(request, None, no_store, quiet, as_json)


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
    from goldenhour.optimisation import load_optimisation

    return load_optimisation(file, _load_scenario)


def _load_scenario(source: str) -> tuple[Scenario, ScenarioOrigin]:
    loaded = scenario_sources.load(source)
    return loaded.scenario, loaded.origin
