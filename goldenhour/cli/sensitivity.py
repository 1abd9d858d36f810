"""`goldenhour sensitivity`: on which assumptions an answer rests."""

import contextlib
import math
import re
from typing import TYPE_CHECKING

import click

from engine.errors import InputError, shown
from engine.scenario import ScenarioOverrides, Setting
from goldenhour import console, views
from goldenhour.cli import options
from goldenhour.cli.compare import alternatives_of, changed_settings, compile_for
from goldenhour.cli.execution import command_seconds
from goldenhour.cli.scenario_sources import prepare_source

if TYPE_CHECKING:
    from goldenhour.sensitivity_analysis import GivenRange

_RANGE = re.compile(r"(?P<path>.+?)\s*=\s*(?P<low>[^.\s]\S*?)\s*\.\.\s*(?P<high>\S+)\Z")
"""PATH=LOW..HIGH."""


@click.command()
@click.argument("scenarios", nargs=-1, required=True)
@options.settings
@click.option(
    "--vs",
    "change",
    metavar="PATH=VALUE",
    help="Ask about the difference that this setting makes; several settings with ; between them.",
)
@click.option(
    "--measure",
    "measures",
    metavar="NAME",
    multiple=True,
    help="As of `goldenhour compare`. Can be repeated. Default: deaths and surgery.",
)
@click.option(
    "--range",
    "ranges",
    metavar="PATH=LOW..HIGH",
    multiple=True,
    help="A setting of the scenario that is not known exactly, or another range of an assumption. Can be repeated.",
)
@click.option(
    "--assumption",
    "only",
    metavar="NAME",
    multiple=True,
    help="Vary this assumption and not all; its name or its path. Can be repeated.",
)
@click.option(
    "--replications",
    type=click.IntRange(2, 10**6),
    default=100,
    help="Replications of each point: of the scenario as it is, and of each end of a range. Default: 100.",
)
@options.confidence
@options.seed
@options.patients
@options.days
@options.allow_long
@options.tasks
@options.ray_address
@options.json_for_tables
def sensitivity(
    scenarios: tuple[str, ...],
    settings: tuple[Setting, ...],
    change: str | None,
    measures: tuple[str, ...],
    ranges: tuple[str, ...],
    only: tuple[str, ...],
    replications: int,
    confidence: float,
    seed: int | None,
    patients: int | None,
    days: int | None,
    allow_long: bool,
    workers: int | None,
    address: str | None,
    as_json: bool,
) -> None:
    """Say on which assumptions an answer rests: each goes to the low and the high end of its range.

    SCENARIOS is one scenario; with a second one, or with --vs, the question is whether their difference holds:

    \b
    goldenhour sensitivity brigade --measure deaths
    goldenhour sensitivity brigade --set 'facilities[R2-North].surgical_teams=1' \\
                                   --vs 'facilities[R2-North].surgical_teams=2'

    The ranges of the model's constants are in docs/assumptions.md. All points have the same casualties in a
    replication. Finished replications are kept in the cache.
    """  # noqa: D301
    from engine.experiments import DEFAULT_QUANTITIES
    from goldenhour.experiments import Alternative
    from goldenhour.sensitivity_analysis import ScenarioAt, SensitivityPlan, run_sensitivity

    options.check_ray_address(address, 1 if workers is None else workers)
    overrides = (seed, patients, days)
    given = tuple(map(_given_range, ranges))
    if change is None and len(scenarios) == 1:
        prepared = prepare_source(scenarios[0], ScenarioOverrides(*overrides, settings), allow_long)
        alternatives = [Alternative(scenarios[0], prepared)]
    else:
        changes = () if change is None else (change,)
        alternatives = alternatives_of(scenarios, settings, changes, overrides, allow_long)
    plan = SensitivityPlan(
        scenarios=tuple(
            ScenarioAt(one, ScenarioOverrides(*overrides, _settings(settings, change, number)), allow_long)
            for number, one in enumerate(alternatives)
        ),
        seed=alternatives[0].prepared.resolved.seed if seed is None else seed,
        quantities=tuple(dict.fromkeys(measures)) or DEFAULT_QUANTITIES,
        given=given,
        only=only,
        replications=replications,
        confidence=confidence,
    )
    plan.check()
    for label, prepared in alternatives:
        for note in prepared.notes:
            console.print_error_line(f"note: {label}: {note}")
    compile_for(alternatives)
    with views.replications_line() as show:
        found = run_sensitivity(
            plan, workers, address, lambda progress: show(views.replications_words(progress))
        )
    if as_json:
        console.print_json(views.sensitivity_json(found), indent=None)
        return
    screen = console.screen(110, highlight=False)
    for sentence in found.sentences:
        screen.print(sentence)
    for quantity in found.quantities:
        screen.print()
        screen.print(views.tornado_table(found, quantity))
    screen.print()
    screen.print(
        "One assumption at a time. sure: its difference from the answer as assumed is not chance, judged "
        f"for all together with {100 * confidence:g} % confidence."
    )
    if found.idle:
        screen.print(f"Without effect in this scenario: {', '.join(found.idle)}.")
    console.print_line(
        f"{len(found.assumptions):,} assumptions, {replications:,} replications of each point, seed {found.seed}; "
        f"{views.format_seconds(command_seconds())} for the whole command"
    )


def _settings(settings: tuple[Setting, ...], change: str | None, number: int) -> tuple[Setting, ...]:
    """The settings of the scenario with this number."""
    if change is None or number == 0:
        return settings
    return (*settings, *changed_settings(change))


def _given_range(text: str) -> "GivenRange":
    """The range that `PATH=LOW..HIGH` gives. Raises InputError."""
    from goldenhour.sensitivity_analysis import GivenRange

    match = _RANGE.match(text.strip())
    if match is not None:
        low, high = (_number(match[name]) for name in ("low", "high"))
        if low is not None and high is not None and low < high:
            return GivenRange(match["path"], low, high)
    raise InputError(
        f"--range: got {shown(text)}; allowed: PATH=LOW..HIGH with numbers, such as casualties.rates.battle.mean=1..2.5"
    )


def _number(text: str) -> float | None:
    """A number, whole where it is written so; None if it is none."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            value = kind(text)
            return value if math.isfinite(value) else None
    return None
