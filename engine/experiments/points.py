"""The points of an experiment: each is a scenario with some settings changed, and its label."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError, ScenarioError, shown
from engine.experiments.plan import ExperimentPlan, PlanFactor, PlanHeader, short_path
from engine.experiments.plan_reading import completed
from engine.inference import (
    Design,
    Factor,
    fractional_factorial,
    full_factorial,
    latin_hypercube,
    morris_design,
    one_at_a_time,
    shares_on_the_simplex,
    sobol_index_design,
    sobol_sequence,
)
from engine.scenario import (
    PreparedScenario,
    Scenario,
    ScenarioOrigin,
    ScenarioOverrides,
    ScenarioText,
    Setting,
    holds_whole_numbers,
    near_match,
    prepare,
    value_at,
    write_value,
)

MOST_POINTS = 100_000
"""Most points of an experiment."""

FACTORIAL = ("full factorial", "fractional factorial")
"""Kinds of design in which each factor has a few levels."""

SPACE_FILLING = ("Latin hypercube", "Sobol sequence", "Morris", "Sobol indices", "assumptions")
"""Kinds of design without a point that the others are naturally compared with."""

AS_IT_IS = "as it is"
"""Label of a point without settings of its own."""

_LABELLED_SETTINGS = 4
"""A label names at most this many settings; a point with more is called by its number."""

_NOTES = 2
"""Most notes about the scenario per factor."""

_PROBE_LISTED = 1000
"""Points of a list that are prepared before the experiment starts."""


class Assumption(Protocol):
    """A setting that is not known exactly, and its distribution."""

    @property
    def name(self) -> str:
        """What to call it."""

    @property
    def path(self) -> str:
        """The setting."""

    def at(self, unit: float) -> Any:
        """Return the quantile at a probability from 0 to 1."""


class DesignPoint(NamedTuple):
    """A point of an experiment."""

    number: int
    """From 0."""
    label: str
    settings: tuple[Setting, ...]
    """What it changes; those that hold for all points are not among them."""
    values: tuple[Any, ...]
    """Per name of `DesignPoints.names`, the value; None where the scenario's own is kept and is not one value."""


@dataclass(frozen=True)
class DesignPoints:
    """The points of an experiment, in the order in which analyses expect them. Each is made when it is asked for."""

    kind: str
    names: tuple[str, ...]
    """What the points have values of: factors, shares, or the settings of a list."""
    paths: tuple[tuple[str, ...], ...]
    """Per name, the settings that have the value."""
    rows: Sequence[tuple[Any, ...]]
    """Per point, a value per name."""
    levels: tuple[tuple[Any, ...], ...]
    """Per name, the levels of a factorial design in their order; empty for other kinds."""
    changed: Sequence[tuple[bool, ...]] | None
    """Per point and name, whether the point sets the value; None: all do."""
    labels: tuple[str, ...] | None
    """Per point; None: they are made from the values."""
    notes: tuple[str, ...]
    """What a reader must know about the design, one sentence each."""
    units: NDArray[np.float64] | None
    """Shape (points, coordinates), from 0 to 1: what the analyses of Morris and Sobol take."""
    effects: tuple[str, ...]
    """Names of what the analysis of the design finds effects of: factors, and groups of factors."""
    groups: tuple[int, ...]
    """Per coordinate, which of the effects it belongs to."""
    baseline: int | None
    """The point with which the others are compared, if any."""

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.rows)

    def __getitem__(self, number: int) -> DesignPoint:
        """Return a point by its number, from 0."""
        if not 0 <= number < len(self.rows):
            raise IndexError(number)
        row = self.rows[number]
        sets = (True,) * len(row) if self.changed is None else self.changed[number]
        settings = tuple(
            Setting(path, value)
            for paths, value, is_set in zip(self.paths, row, sets, strict=True)
            if is_set
            for path in paths
        )
        return DesignPoint(number, self._label(number, row, sets), settings, row)

    def __iter__(self) -> Iterator[DesignPoint]:
        """Iterate over the points."""
        return (self[number] for number in range(len(self)))

    def _label(self, number: int, row: tuple[Any, ...], sets: tuple[bool, ...]) -> str:
        if self.labels is not None:
            return self.labels[number]
        words = [
            f"{name}={_value_label(value)}"
            for name, value, is_set in zip(self.names, row, sets, strict=True)
            if is_set
        ]
        if len(words) > _LABELLED_SETTINGS:
            return f"point {number}"
        return "; ".join(words) or AS_IT_IS


class Price(NamedTuple):
    """What an experiment costs at least, and at most where it is sequential."""

    points: int
    replications: int
    """Of all points together, at least."""
    most_replications: int
    seconds: float
    """Expected time of `replications` with one process; NaN if unknown."""

    def __str__(self) -> str:
        """Return it in words."""
        words = f"{self.points:,} points, {self.replications:,} replications"
        if self.most_replications > self.replications:
            words += f" at least and {self.most_replications:,} at most"
        return words if math.isnan(self.seconds) else f"{words}, {_duration(self.seconds)} of computing"


def price_of(plan: ExperimentPlan, points: int, seconds: float = math.nan) -> Price:
    """Return what an experiment of this many points costs.

    Parameters
    ----------
    plan
        The experiment.
    points
        Number of points.
    seconds
        Expected time of one replication.
    """
    chosen = completed(plan).replications
    least = chosen.count or chosen.first or 0
    most = chosen.count or chosen.most or 0
    return Price(points, points * least, points * most, points * least * seconds)


def overrides_of(plan: PlanHeader, settings: Sequence[Setting] = ()) -> ScenarioOverrides:
    """Return what a plan replaces in its scenario; `settings` are those of a point and come last."""
    own = tuple(Setting(path, value) for path, value in plan.settings.items())
    return ScenarioOverrides(plan.seed, plan.patients, plan.days, (*own, *settings))


def prepare_base(
    plan: PlanHeader, written: Scenario, origin: ScenarioOrigin | None = None
) -> PreparedScenario:
    """Return the scenario of a plan with the settings that hold for all points. Raises ScenarioError."""
    return prepare(written, overrides_of(plan), origin, plan.allow_long)


def prepare_point(plan: PlanHeader, base: PreparedScenario, point: DesignPoint) -> PreparedScenario:
    """Return the scenario of a point.

    Raises
    ------
    ScenarioError
        If the scenario cannot be run with these settings, with the label of the point.
    """
    if not point.settings:
        return base
    try:
        return _prepare(plan, base, point.settings)
    except ScenarioError as error:
        words = f"point {point.number}" + (f", {point.label}" if not point.label.startswith("point ") else "")
        raise ScenarioError(error.place, error.value, error.allowed, error.near, words) from None


def design_of(
    plan: ExperimentPlan,
    base: PreparedScenario,
    *,
    text: ScenarioText | None = None,
    seconds: float = math.nan,
    assumptions: Sequence[Assumption] = (),
) -> DesignPoints:
    """Return the points of a plan, after each level of each factor has been tried in the scenario.

    Parameters
    ----------
    plan
        The experiment.
    base
        Its scenario (`prepare_base`).
    text
        The file of the plan, for the lines in messages.
    seconds
        Expected time of one replication, for the price of a design that is refused.
    assumptions
        What `kind = "assumptions"` draws, besides the factors.

    Raises
    ------
    ScenarioError
        If there is no such setting, or it cannot have a value.
    InputError
        If there are too many points, with their price; if a factor changes nothing.
    """
    plan = completed(plan)
    try:
        if plan.kind == "list":
            return _listed(plan, base)
        return _designed(plan, base, text, seconds, assumptions)
    except ScenarioError as error:
        own = text is not None and _field_of(error.place) in ExperimentPlan.__struct_fields__
        raise text.with_line(error) if own and text else error from None


def check_size(plan: ExperimentPlan, points: int, seconds: float = math.nan) -> None:
    """Raise InputError if there are more than `MOST_POINTS` points, with their price."""
    if points > MOST_POINTS:
        instead = ""
        if plan.kind == "full factorial":
            instead = '; kind = "fractional factorial", "Latin hypercube" or "one at a time" needs fewer'
        raise InputError(
            f"design: got {price_of(plan, points, seconds)}; allowed: at most {MOST_POINTS:,} points{instead}"
        )


def inference_factor(
    factor: PlanFactor, base: PreparedScenario, place: str, text: ScenarioText | None = None
) -> Factor:
    """Return a factor of a plan as `engine.inference` has it; a range of whole numbers where the setting is whole.

    Raises
    ------
    ScenarioError
        If there is no such setting, or a bound of a range must be whole and is not.
    """
    if factor.levels:
        return Factor(name=factor.label, levels=tuple(factor.levels))
    with _line_of(place, text):
        whole = any(holds_whole_numbers(base.original, path) for path in factor.all_paths)
    for name in ("low", "high") if whole else ():
        bound = getattr(factor, name)
        if bound != int(bound):
            raise ScenarioError(f"{place}.{name}", bound, f"a whole number, as {factor.all_paths[0]} is one")
    low, high = factor.low, factor.high
    assert low is not None and high is not None
    return Factor(
        name=factor.label, low=int(low) if whole else low, high=int(high) if whole else high, whole=whole
    )


def try_levels(
    plan: PlanHeader,
    base: PreparedScenario,
    factor: PlanFactor,
    levels: Sequence[Any],
    place: str,
    text: ScenarioText | None = None,
) -> list[str]:
    """Try each level of a factor in the scenario; return notes about levels without an effect.

    Parameters
    ----------
    plan, base
        The plan and its scenario.
    factor
        The factor.
    levels
        Its levels, or the ends of its range.
    place, text
        The factor's place in the file, and the file, for its line in messages.

    Raises
    ------
    ScenarioError
        If the scenario cannot have a level.
    InputError
        If all levels give the same scenario.
    """
    found: dict[str, Any] = {}
    same: list[str] = []
    idle: dict[str, None] = {}
    for level in levels:
        with _line_of(place, text):
            prepared = _prepare(plan, base, [Setting(path, level) for path in factor.all_paths])
        if prepared.hash in found:
            same.append(f"{shown(level)} and {shown(found[prepared.hash])} give the same scenario")
        found.setdefault(prepared.hash, level)
        idle.update(dict.fromkeys(note for note in prepared.notes if note not in base.notes))
    if len(found) == 1:
        few = ", ".join(map(shown, levels[:4])) + (", ..." if len(levels) > 4 else "")
        raise InputError(
            f"{place}: factor {factor.label!r} changes nothing: all of its levels, {few}, give the same scenario"
        )
    notes = [*same, *list(idle)[:_NOTES]]
    if len(idle) > _NOTES:
        notes.append(f"{len(idle) - _NOTES} more notes as of `goldenhour scenarios check`")
    return [f"factor {factor.label!r}: {note}" for note in notes]


@contextlib.contextmanager
def _line_of(place: str, text: ScenarioText | None) -> Iterator[None]:
    """Give an error about the scenario the place of a factor, and its line in the file."""
    try:
        yield
    except ScenarioError as error:
        if error.line or error.place.startswith(place):
            raise
        line = "" if text is None else text.with_line(ScenarioError(place, None, "")).line
        words = ", ".join(filter(None, [place, line]))
        raise ScenarioError(error.place, error.value, error.allowed, error.near, words) from None


def _prepare(plan: PlanHeader, base: PreparedScenario, settings: Sequence[Setting]) -> PreparedScenario:
    return prepare(base.written, overrides_of(plan, settings), base.origin, plan.allow_long)


def _listed(plan: ExperimentPlan, base: PreparedScenario) -> DesignPoints:
    """Return the points of a list, each prepared once so that mistakes come before the first replication."""
    paths = list(dict.fromkeys(path for point in plan.points for path in point.settings))
    own = {path: _own_value(base, path) for path in paths}
    rows = [tuple(point.settings.get(path, own[path]) for path in paths) for point in plan.points]
    changed = [tuple(path in point.settings for path in paths) for point in plan.points]
    points = DesignPoints(
        kind="list",
        names=tuple(map(short_path, paths))
        if len(set(map(short_path, paths))) == len(paths)
        else tuple(paths),
        paths=tuple((path,) for path in paths),
        rows=rows,
        levels=((),) * len(paths),
        changed=changed,
        labels=None,
        notes=(),
        units=None,
        effects=(),
        groups=(),
        baseline=None,
    )
    labels = tuple(
        given.label if given.label is not None else point.label
        for given, point in zip(plan.points, points, strict=True)
    )
    found: dict[str, str] = {}
    notes = []
    for number, point in enumerate(points):
        if number >= _PROBE_LISTED:
            break
        prepared = prepare_point(plan, base, point._replace(label=labels[number]))
        if prepared.hash in found:
            notes.append(f"the points {found[prepared.hash]!r} and {labels[number]!r} are the same scenario")
        found.setdefault(prepared.hash, labels[number])
    return replace(points, labels=labels, notes=tuple(notes), baseline=_baseline(plan, labels))


def _field_of(place: str) -> str:
    """The field of a file that a place is in."""
    return place.partition(".")[0].partition("[")[0]


def _designed(
    plan: ExperimentPlan,
    base: PreparedScenario,
    text: ScenarioText | None,
    seconds: float,
    assumptions: Sequence[Assumption],
) -> DesignPoints:
    """Return the points of a design over factors and shares."""
    factors = [inference_factor(f, base, f"factors[{i}]", text) for i, f in enumerate(plan.factors)]
    coordinates, groups, effects = _coordinates(plan, factors)
    own = tuple(_own_value(base, *factor.all_paths) for factor in plan.factors)
    if plan.kind == "assumptions":
        size = plan.design.points or 0
        check_size(plan, size, seconds)
        notes = _tried(plan, base, factors, text)
        return _drawn(plan, base, factors, assumptions, notes)
    design = _inference_design(plan, coordinates, groups, own)
    check_size(plan, design.size, seconds)
    notes = _tried(plan, base, factors, text)
    made = design.points(MOST_POINTS)
    rows: list[tuple[Any, ...]] = made.rows
    changed = None
    if plan.kind == "one at a time":
        changed = [(False,) * len(own)]
        changed += [
            tuple(value is not mine for value, mine in zip(row, own, strict=True)) for row in rows[1:]
        ]
    if plan.shares:
        assert made.units is not None
        rows = _with_shares(plan, rows, made.units, len(factors))
    points = DesignPoints(
        kind=plan.kind,
        names=(*(factor.label for factor in plan.factors), *_share_names(plan)),
        paths=(
            *(factor.all_paths for factor in plan.factors),
            *((path,) for shares in plan.shares for path in shares.paths),
        ),
        rows=rows,
        levels=tuple(factor.ends if plan.kind in FACTORIAL else () for factor in coordinates),
        changed=changed,
        labels=None,
        notes=(*design.notes, *notes),
        units=made.units,
        effects=effects,
        groups=groups,
        baseline=None,
    )
    return replace(points, baseline=_baseline(plan, None, points))


def _inference_design(
    plan: ExperimentPlan, factors: Sequence[Factor], groups: Sequence[int], own: tuple[Any, ...]
) -> Design:
    """Return the design, whose points are not generated yet."""
    design = plan.design
    seed = design.seed or 0
    if plan.kind == "full factorial":
        return full_factorial(factors)
    if plan.kind == "fractional factorial":
        return fractional_factorial(factors, design.resolution or 4)
    if plan.kind == "one at a time":
        return one_at_a_time(factors, own)
    if plan.kind == "Latin hypercube":
        return latin_hypercube(factors, design.points or 0, seed=seed)
    if plan.kind == "Sobol sequence":
        return sobol_sequence(factors, design.points or 0, seed=seed)
    if plan.kind == "Morris":
        return morris_design(
            factors, design.trajectories or 0, grid=design.grid or 4, seed=seed, groups=groups
        )
    return sobol_index_design(factors, design.base or 0, seed=seed, groups=groups)


def _coordinates(
    plan: ExperimentPlan, factors: Sequence[Factor]
) -> tuple[list[Factor], tuple[int, ...], tuple[str, ...]]:
    """Return the coordinates of the design, the number of the effect that each belongs to, and the effects' names.

    k + 1 shares have k coordinates, which belong to one effect.
    """
    effects: dict[str, int] = {}
    groups = []
    for factor in plan.factors:
        groups.append(effects.setdefault(factor.group or factor.label, len(effects)))
    coordinates = list(factors)
    for shares in plan.shares:
        name = shares.name or f"shares of {short_path(shares.paths[0])}"
        for position in range(len(shares.paths) - 1):
            coordinates.append(Factor(name=f"{name} [{position}]", low=0.0, high=1.0))
            groups.append(effects.setdefault(name, len(effects)))
    return coordinates, tuple(groups), tuple(effects)


def _with_shares(
    plan: ExperimentPlan, rows: Sequence[tuple[Any, ...]], units: NDArray[np.float64], first: int
) -> list[tuple[Any, ...]]:
    """Return the rows of the factors with the values of the shares, of which coordinates begin at `first`."""
    blocks = []
    for shares in plan.shares:
        stop = first + len(shares.paths) - 1
        blocks.append(shares.total * shares_on_the_simplex(units[:, first:stop]))
        first = stop
    count = len(plan.factors)
    found = np.hstack(blocks).tolist()
    return [(*row[:count], *values) for row, values in zip(rows, found, strict=True)]


def _share_names(plan: ExperimentPlan) -> list[str]:
    return [short_path(path) for shares in plan.shares for path in shares.paths]


def _drawn(
    plan: ExperimentPlan,
    base: PreparedScenario,
    factors: Sequence[Factor],
    assumptions: Sequence[Assumption],
    notes: Sequence[str],
) -> DesignPoints:
    """Return independent draws of the factors and the assumptions."""
    taken = {path for factor in plan.factors for path in factor.all_paths}
    free = [assumption for assumption in assumptions if assumption.path not in taken]
    names = (*(factor.label for factor in plan.factors), *(assumption.name for assumption in free))
    if not names:
        raise InputError('kind = "assumptions": the scenario has none with a range, and there are no factors')
    random = np.random.Generator(np.random.PCG64(plan.design.seed or 0))
    units = random.random((plan.design.points or 0, len(names)))
    drawn: list[Factor | Assumption] = [*factors, *free]
    rows = [tuple(each.at(unit) for each, unit in zip(drawn, row, strict=True)) for row in units.tolist()]
    points = DesignPoints(
        kind=plan.kind,
        names=names,
        paths=(*(factor.all_paths for factor in plan.factors), *((each.path,) for each in free)),
        rows=rows,
        levels=((),) * len(names),
        changed=None,
        labels=None,
        notes=tuple(notes),
        units=units,
        effects=names,
        groups=tuple(range(len(names))),
        baseline=None,
    )
    return replace(points, baseline=_baseline(plan, None, points))


def _tried(
    plan: ExperimentPlan, base: PreparedScenario, factors: Sequence[Factor], text: ScenarioText | None
) -> list[str]:
    """Try each level of each factor, and equal shares; return notes."""
    notes = []
    for number, (given, factor) in enumerate(zip(plan.factors, factors, strict=True)):
        levels = given.levels or factor.ends
        notes += try_levels(plan, base, given, levels, f"factors[{number}]", text)
    for number, shares in enumerate(plan.shares):
        each = shares.total / len(shares.paths)
        with _line_of(f"shares[{number}]", text):
            _prepare(plan, base, [Setting(path, each) for path in shares.paths])
    return notes


def _own_value(base: PreparedScenario, *paths: str) -> Any:
    """The value that the scenario has at these paths; None if they differ."""
    values = [value_at(base.resolved, path) for path in paths]
    return values[0] if all(value == values[0] for value in values) else None


def _baseline(
    plan: ExperimentPlan, labels: Sequence[str] | None, points: DesignPoints | None = None
) -> int | None:
    """Return the number of the point that the others are compared with. Raises ScenarioError."""
    chosen = plan.results.baseline
    count = len(labels) if labels is not None else len(points or ())
    if chosen is None:
        return None if plan.kind in SPACE_FILLING or count < 2 else 0
    if isinstance(chosen, int):
        if not 0 <= chosen < count:
            raise ScenarioError("results.baseline", chosen, f"the number of a point, 0 to {count - 1}")
        return chosen
    if chosen in ("first", "none"):
        return 0 if chosen == "first" else None
    known = list(labels) if labels is not None else [point.label for point in points or ()]
    if chosen not in known:
        few = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
        allowed = f'"first", "none", the number of a point, 0 to {count - 1}, or its label: {few}'
        raise ScenarioError("results.baseline", chosen, allowed, near_match(chosen, known))
    return known.index(chosen)


def _value_label(value: Any) -> str:
    """A value in a label: numbers short, words without quotes."""
    if isinstance(value, str):
        return value
    return f"{value:.6g}" if isinstance(value, float) else write_value(value)


def _duration(seconds: float) -> str:
    """A time in words, for a price."""
    for unit, size in (("years", 365.25 * 86_400), ("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"about {seconds / size:,.0f} {unit}"
    return f"about {seconds:,.0f} seconds"
