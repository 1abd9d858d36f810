"""`goldenhour compare`: scenarios, or one scenario with changes, over paired replications."""

import contextlib
import hashlib
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from actors.run import recorded
from actors.store import NO_OUTPUT, Content, ExperimentDetail, Registration, check_name
from engine.errors import InputError, shown
from engine.scenario import PreparedScenario, ScenarioOverrides, Setting, parse_setting
from goldenhour import __version__, console, views
from goldenhour.cli import options
from goldenhour.cli.execution import command_seconds, database_of_records, scenario_columns, shown_workers
from goldenhour.cli.scenario_sources import prepare_source
from goldenhour.database import user_and_machine

if TYPE_CHECKING:
    from goldenhour.experiments import Alternative, ComparisonPlan, ComparisonProgress

MOST_SCENARIOS = 100
"""Most scenarios in a comparison."""

_SEPARATOR = re.compile(r""";(?=(?:[^"']|"[^"]*"|'[^']*')*$)""")
"""A semicolon outside quotes."""


@click.command()
@click.argument("scenarios", nargs=-1, required=True)
@options.settings
@click.option(
    "--vs",
    "changes",
    metavar="PATH=VALUE",
    multiple=True,
    help="Compare with the same scenario and this setting; several settings with ; between them. Can be repeated.",
)
@click.option(
    "--measure",
    "measures",
    metavar="NAME",
    multiple=True,
    help="What to compare: deaths, surgery, dow, kia, all_deaths, surgery_in_time, or a number of summary.json by its "
    "path, such as time_to_surgery.minutes.table.mean. Can be repeated. Default: deaths and surgery.",
)
@click.option(
    "--half-width",
    "half_widths",
    metavar="NAME=NUMBER",
    multiple=True,
    help="Stop when the half-width of the interval of this difference is so small. Can be repeated. Default: 0.2 "
    "deaths per 100, 5 minutes, 2 %, or 5 % of the baseline's mean; a fifth of the difference is enough too.",
)
@click.option(
    "--pairs", type=click.IntRange(2, 10**6), help="Simulate exactly so many pairs of replications."
)
@click.option(
    "--most",
    type=click.IntRange(50, 10**6),
    help="Most pairs of replications, without --pairs. Default: 1000.",
)
@options.confidence
@options.seed
@options.patients
@options.days
@options.allow_long
@options.tasks
@options.ray_address
@click.option("--name", help="Name of the comparison, to find it with `goldenhour experiments`.")
@click.option("--no-store", is_flag=True, help="Do not record the comparison in the database.")
@options.json_for_tables
def compare(
    scenarios: tuple[str, ...],
    settings: tuple[Setting, ...],
    changes: tuple[str, ...],
    measures: tuple[str, ...],
    half_widths: tuple[str, ...],
    pairs: int | None,
    most: int | None,
    confidence: float,
    seed: int | None,
    patients: int | None,
    days: int | None,
    allow_long: bool,
    workers: int | None,
    address: str | None,
    name: str | None,
    no_store: bool,
    as_json: bool,
) -> None:
    """Say what changes from the first scenario to each of the others, and how sure that is.

    SCENARIOS are two or more, or one with --vs:

    \b
    goldenhour compare brigade my-brigade.toml
    goldenhour compare brigade --set 'facilities[R2-North].surgical_teams=1' \\
                               --vs 'facilities[R2-North].surgical_teams=2'

    A replication has the same casualties in all scenarios, so that few replications show a small difference. They
    are added until the intervals are narrow enough. --set holds for all scenarios. Finished replications are kept in
    the cache: after an interruption, or for another measure, only the missing ones are simulated.
    """  # noqa: D301
    from engine.experiments import DEFAULT_QUANTITIES
    from goldenhour.experiments import ComparisonPlan, run_comparison, workers_for

    if name is not None:
        check_name(name)
    options.check_ray_address(address, 1 if workers is None else workers)
    alternatives = alternatives_of(scenarios, settings, changes, (seed, patients, days), allow_long)
    for label, prepared in alternatives:
        for note in prepared.notes:
            console.print_error_line(f"note: {label}: {note}")
    plan = ComparisonPlan(
        alternatives=tuple(alternatives),
        seed=alternatives[0].prepared.resolved.seed if seed is None else seed,
        quantities=tuple(dict.fromkeys(measures)) or DEFAULT_QUANTITIES,
        confidence=confidence,
        half_widths=dict(map(_half_width, half_widths)),
        pairs=pairs,
        most_pairs=most,
    )
    plan.check()
    compile_for(alternatives)
    workers = workers_for(plan, address) if workers is None else workers
    database = database_of_records(no_store, console.print_error_line)
    registration = _registration(plan, name, workers)
    with (
        views.replications_line() as show,
        recorded(registration, database, workers, address, console.print_error_line) as recorder,
    ):
        recorder.start(str(registration.id), False)

        def report(progress: "ComparisonProgress") -> None:
            recorder.report(_detail(plan, progress))
            show(_progress_words(progress))

        found = run_comparison(plan, workers, address, report)
        count = len(alternatives)
        total = found.pairs * count
        recorder.report(
            ExperimentDetail(
                points=count,
                points_done=count,
                replications=total,
                replications_wanted=total,
                seconds_left=0.0,
            ),
            "finishing",
        )
        recorder.measures = {"sentences": list(found.sentences), "notes": list(found.notes)}
    if as_json:
        console.print_json(views.comparison_json(found), indent=None)
        return
    screen = console.screen(110, highlight=False)
    for sentence in found.sentences:
        screen.print(sentence)
    screen.print()
    screen.print(views.comparison_table(found))
    screen.print()
    for note in found.notes:
        screen.print(f"note: {note}")
    screen.print(
        "gain: the pairing gain, how many times more replications the same intervals would need without common random "
        "numbers."
    )
    console.print_line(
        f"{found.pairs:,} pairs, seed {found.seed}; {views.format_seconds(command_seconds())} for the whole command"
    )


def alternatives_of(
    sources: Sequence[str],
    settings: tuple[Setting, ...],
    changes: Sequence[str],
    overrides: tuple[int | None, int | None, int | None],
    allow_long: bool,
) -> "list[Alternative]":
    """The scenarios to compare, prepared, with a label each. Raises InputError and ScenarioError."""
    from goldenhour.experiments import Alternative

    if changes and len(sources) > 1:
        raise InputError(
            "compare: --vs changes one scenario, and several are given; allowed: one with --vs, or several"
        )
    if not changes and len(sources) == 1:
        raise InputError(
            "compare: got one scenario; write another after it, or --vs PATH=VALUE, such as "
            "--vs 'facilities[R2-North].surgical_teams=2'"
        )
    if len(sources) + len(changes) > MOST_SCENARIOS:
        raise InputError(f"compare: got {len(sources) + len(changes):,} scenarios; allowed: {MOST_SCENARIOS}")

    def prepared(source: str, more: Sequence[Setting] = ()) -> PreparedScenario:
        return prepare_source(source, ScenarioOverrides(*overrides, (*settings, *more)), allow_long)

    found = [Alternative(source, prepared(source)) for source in sources]
    if changes:
        base = "; ".join(_label(f"{setting.path}={setting.value}") for setting in settings) or sources[0]
        found = [Alternative(base, found[0].prepared)]
        for change in changes:
            more = changed_settings(change)
            label = "; ".join(_label(text) for text in _texts(change))
            found.append(Alternative(label, prepared(sources[0], more)))
    return found


def changed_settings(change: str) -> list[Setting]:
    """The settings of a --vs. Raises InputError."""
    found = [parse_setting(text) for text in _texts(change)]
    if not found:
        raise InputError(f"--vs: got {shown(change)}; allowed: PATH=VALUE")
    return found


def _texts(change: str) -> list[str]:
    """The settings of a --vs as they are written."""
    return [text.strip() for text in _SEPARATOR.split(change) if text.strip()]


def _label(setting: str) -> str:
    """What to call a change: `R2-North.surgical_teams=2` for `facilities[R2-North].surgical_teams=2`."""
    return re.sub(r"^\w+\[([^\]]+)\]", r"\1", setting)


def _half_width(text: str) -> tuple[str, float]:
    """Name and number of `NAME=NUMBER`. Raises InputError."""
    name, _, number = text.partition("=")
    with contextlib.suppress(ValueError):
        if name.strip() and 0 < float(number) < math.inf:
            return name.strip(), float(number)
    raise InputError(
        f"--half-width: got {shown(text)}; allowed: NAME=NUMBER with a finite number above 0, such as deaths=0.1"
    )


def compile_for(alternatives: "Sequence[Alternative]") -> None:
    """Compile what any of the scenarios needs and is not in the cache."""
    from engine.run import entry_points

    wanted = [entry for one in alternatives for entry in entry_points(one.prepared.resolved, texts=False)]
    views.compile_first(dict.fromkeys(wanted))


def _registration(plan: "ComparisonPlan", name: str | None, workers: int) -> Registration:
    """The row that the database gets for a comparison before it starts. Its content is the whole plan as JSON."""
    base, count = plan.alternatives[0].prepared, len(plan.alternatives)
    document = {
        "scenarios": [
            {"label": label, "scenario": prepared.original} for label, prepared in plan.alternatives
        ],
        "seed": plan.seed,
        "measures": plan.quantities,
        "confidence": plan.confidence,
        "half_widths": dict(plan.half_widths),
        "pairs": plan.pairs,
        "most_pairs": plan.cap,
    }
    data = msgspec.json.encode(document)
    return Registration(
        kind="comparison",
        name=name,
        **scenario_columns(base),
        content=Content(text=data.decode(), format="json", hash=hashlib.sha256(data).hexdigest()),
        seed=plan.seed,
        replication=0,
        settings={"workers": shown_workers(workers)},
        who=user_and_machine(),
        output=NO_OUTPUT,
        version=__version__,
        detail=ExperimentDetail(points=count, replications_wanted=(plan.pairs or 0) * count),
    )


def _detail(plan: "ComparisonPlan", progress: "ComparisonProgress") -> ExperimentDetail:
    done, wanted, cached = progress.replications
    count, pairs = len(plan.alternatives), progress.expected_pairs
    words = ""
    if progress.widest and math.isfinite(pairs):
        words = f"{progress.widest} needs about {pairs:,.0f} pairs"
        wanted = max(wanted, count * math.ceil(min(pairs, plan.cap)))
    return ExperimentDetail(
        points=count, replications=done, replications_wanted=wanted, cached=cached, widest=words
    )


def _progress_words(progress: "ComparisonProgress") -> str:
    """How many replications are done, and how many pairs the widest interval needs."""
    words = views.replications_words(progress.replications)
    if progress.widest and progress.expected_pairs == progress.expected_pairs:
        words += f"; {progress.widest} needs about {progress.expected_pairs:,.0f} pairs"
    return words
