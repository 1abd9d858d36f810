"""From the file of an experiment to its points: the design, tried in the scenario before anything is simulated."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError, ScenarioError
from engine.experiments.levels import inference_factor, line_of, try_levels
from engine.experiments.plan import ExperimentPlan, PlanFactor, short_path
from engine.experiments.plan_reading import completed
from engine.experiments.points import DesignPoints, prepare_point, prepare_with
from engine.experiments.price import MOST_POINTS, check_size
from engine.experiments.uncertainty import assumption_points
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
    Assumption,
    PreparedScenario,
    ScenarioText,
    Setting,
    assumptions_of,
    given_assumption,
    near_match,
    own_value,
    with_given,
)

FACTORIAL = ("full factorial", "fractional factorial")
"""Kinds of design in which each factor has a few levels."""

SPACE_FILLING = ("Latin hypercube", "Sobol sequence", "Morris", "Sobol indices", "assumptions")
"""Kinds of design without a point that the others are naturally compared with."""

_PROBE_LISTED = 1000
"""Points of a list that are prepared before the experiment starts."""


def design_of(
    plan: ExperimentPlan,
    base: PreparedScenario,
    *,
    text: ScenarioText | None = None,
    seconds: float = math.nan,
    assumptions: Sequence[Assumption] | None = None,
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
        What `kind = "assumptions"` draws; default: all of the scenario (`assumptions_of`). A range of a factor replaces
        the assumption of the same path; its distribution is triangular too, and levels are equally likely.

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
    assumptions: Sequence[Assumption] | None,
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
        positions=_positions(coordinates, made.units) if plan.kind == "Morris" else None,
    )
    return replace(points, baseline=_baseline(plan, None, points))


def _positions(
    coordinates: Sequence[Factor], units: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    """Return where the values at the coordinates lie in their ranges, in the same shape."""
    if units is None:
        return None
    columns = [
        [factor.position(unit) for unit in column]
        for factor, column in zip(coordinates, units.T.tolist(), strict=True)
    ]
    return np.array(columns, dtype=np.float64).T


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
        name = shares.label
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
    assumptions: Sequence[Assumption] | None,
    notes: Sequence[str],
) -> DesignPoints:
    """Return draws of the factors and the assumptions."""
    known = assumptions_of(base.original) if assumptions is None else assumptions
    given = [
        given_assumption(base.resolved, factor.all_paths[0], factor.low, factor.high, name=factor.label)
        for factor in plan.factors
        if factor.low is not None and factor.high is not None and len(factor.all_paths) == 1
    ]
    uniform = [(own, factor) for own, factor in zip(plan.factors, factors, strict=True) if _is_uniform(own)]
    taken = {path for own, _ in uniform for path in own.all_paths}
    free = [one for one in with_given(known, given) if one.path not in taken]
    drawn: list[Factor | Assumption] = [*(factor for _, factor in uniform), *free]
    if not drawn:
        raise InputError('kind = "assumptions": the scenario has none with a range, and there are no factors')
    found = assumption_points(drawn, plan.design.points or 0, plan.design.seed or 0)
    names = tuple(each.name for each in drawn)
    points = DesignPoints(
        kind=plan.kind,
        names=names,
        paths=(*(own.all_paths for own, _ in uniform), *((one.path,) for one in free)),
        rows=found.rows,
        levels=((),) * len(names),
        changed=None,
        labels=None,
        notes=tuple(notes),
        units=found.units,
        effects=names,
        groups=tuple(range(len(names))),
        baseline=None,
    )
    return replace(points, baseline=_baseline(plan, None, points))


def _is_uniform(factor: PlanFactor) -> bool:
    """Whether the values of a factor are equally likely: its levels, or a range of several settings together."""
    return bool(factor.levels) or len(factor.all_paths) > 1


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
        with line_of(f"shares[{number}]", text):
            prepare_with(plan, base, [Setting(path, each) for path in shares.paths])
    return notes


def _own_value(base: PreparedScenario, *paths: str) -> Any:
    """The value that the scenario has at these paths; None if they differ."""
    values = [own_value(base.resolved, path) for path in paths]
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
