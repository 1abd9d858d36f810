"""What a design is for: main effects and interactions, Morris' and Sobol's indices, or rank correlations.

Each replication yields one value of a contrast, because all points have the same replications: common random numbers
make the interval of the contrast's mean narrow. A replication in which a point of the contrast has no data is left out
and counted. Sources are named in `engine.inference`; for contrasts, D. C. Montgomery, Design and Analysis of
Experiments (8th ed. 2013), sections 5.3, 6.2 and 8.2.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from engine.experiments.estimates import after_stopping, interval_confidence
from engine.experiments.points import AS_IT_IS, DesignPoints
from engine.experiments.uncertainty import split_variance
from engine.inference import (
    Interval,
    holm,
    mean_interval,
    mean_p_value,
    morris_indices,
    rank_correlation,
    rank_p_value,
    sobol_indices,
)
from engine.scenario import write_value

Column = NDArray[np.float64]
Floats = NDArray[np.float64]

MOST_INTERACTIONS = 10_000
"""Most interactions that are computed for a measure."""

_NAMES, _NOTES = 6, 20
"""Most effects in a note on aliases, and most such notes."""

EFFECT_COLUMNS = ("measure", "kind", "name", "statistic", "estimate", "low", "high", "n", "missing", "p_holm")
"""Names of the columns of `effect_row`."""


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """An effect of a factor, of a group of factors or of two factors on a measure."""

    measure: str
    kind: str
    """main effect, interaction, one at a time, Morris, Sobol, rank correlation or uncertainty."""
    name: str
    """The factor, the group, or two factors with " x " between."""
    statistic: str
    """What the number is: for an effect the levels it is between, for Morris mu, mu* and sigma, for Sobol the index."""
    interval: Interval
    """Without bounds for a number that has no interval."""
    p_holm: float = math.nan
    """P-value of the hypothesis of no effect, adjusted for all effects of this kind on the measure; NaN without a test.
    That of mu* is the one of mu, or of a group's effect (`MorrisIndex.p_value`)."""


class _Contrast(msgspec.Struct, frozen=True):
    """A difference of means of points."""

    kind: str
    name: str
    statistic: str
    weights: tuple[tuple[NDArray[np.int64], float], ...]
    """Points, and the weight that each of them has."""


def effects_of(
    points: DesignPoints,
    measure: str,
    values: Sequence[Column],
    *,
    confidence: float = 0.95,
    sequential: bool = False,
) -> list[Effect]:
    """Return the effects on a measure that the kind of design is meant to find; none for a list.

    Parameters
    ----------
    points
        The points of the experiment.
    measure
        Its name.
    values
        Per point, shape (n,): the values of replications 0 to n - 1, n being its own for each point; NaN without data.
        A contrast uses the replications that its points have, other analyses those that all points have.
    confidence
        Of each interval.
    sequential
        Whether replications were added until intervals were narrow enough; intervals and p-values of contrasts and of
        Morris are corrected for it.
    """
    each = interval_confidence(confidence, 1, sequential)
    if points.kind in ("full factorial", "fractional factorial", "one at a time"):
        return _contrast_effects(measure, _contrasts(points), values, each, sequential)
    if points.kind == "Morris":
        return _morris(points, measure, _matrix(values), each, sequential)
    if points.kind == "Sobol indices":
        return _sobol(points, measure, _matrix(values), each)
    if points.kind == "list":
        return []
    found = _rank_correlations(points, measure, values, each)
    return found if points.kind != "assumptions" else [*_uncertainty(measure, _matrix(values), each), *found]


def effect_row(effect: Effect) -> tuple[Any, ...]:
    """Return an effect as a row of a table with the columns `EFFECT_COLUMNS`."""
    interval = effect.interval
    return (
        *(effect.measure, effect.kind, effect.name, effect.statistic),
        *(interval.estimate, interval.low, interval.high, interval.count, interval.missing, effect.p_holm),
    )


def alias_notes(points: DesignPoints) -> list[str]:
    """Return which effects of a fractional factorial design cannot be told apart, one sentence each."""
    if points.kind != "fractional factorial":
        return []
    signs = _signs(points)
    columns: dict[bytes, list[str]] = {}
    for position, name in enumerate(points.names):
        columns.setdefault(_key(signs[:, position]), []).append(name)
    for a, b in combinations(range(len(points.names)), 2):
        name = f"{points.names[a]} x {points.names[b]}"
        columns.setdefault(_key(signs[:, a] * signs[:, b]), []).append(name)
    aliased = [names for names in columns.values() if len(names) > 1]
    notes = [f"cannot be told apart: {_few(names)}" for names in aliased[:_NOTES]]
    return (
        notes
        if len(aliased) <= _NOTES
        else [*notes, f"and {len(aliased) - _NOTES:,} more such sets of effects"]
    )


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def _matrix(values: Sequence[Column]) -> Floats:
    """Return the replications that all points have, shape (points, replications)."""
    count = min(len(column) for column in values)
    return np.array([column[:count] for column in values], dtype=np.float64)


def _contrasts(points: DesignPoints) -> Iterable[_Contrast]:
    """Yield the contrasts of a factorial design, or the differences from the scenario as it is."""
    if points.kind == "one at a time":
        yield from _single_changes(points)
        return
    levels = [_levels_of(points, position) for position in range(len(points.names))]
    for name, found in zip(points.names, levels, strict=True):
        (first, low), *others = found
        for level, rows in others:
            weights = ((rows, 1.0 / rows.size), (low, -1.0 / low.size))
            yield _Contrast("main effect", name, f"{first} -> {level}", weights)
    signs = _signs(points) if points.kind == "fractional factorial" else None
    seen = set() if signs is None else {_key(column) for column in signs.T}
    count = 0
    for a, b in combinations(range(len(points.names)), 2):
        if signs is not None:
            column = _key(signs[:, a] * signs[:, b])
            if column in seen:
                continue
            seen.add(column)
        for contrast in _interactions(points.names[a], points.names[b], levels[a], levels[b]):
            count += 1
            if count > MOST_INTERACTIONS:
                return
            yield contrast


def _interactions(
    name: str, other: str, levels: Sequence[tuple[str, Any]], others: Sequence[tuple[str, Any]]
) -> Iterable[_Contrast]:
    """Yield how the effect of one factor differs between levels of another: how much more both do than one by one.

    Montgomery (section 6.2) and others call half of it the interaction effect.
    """
    (first, low), *ups = levels
    (other_first, other_low), *other_ups = others
    for level, high in ups:
        for other_level, other_high in other_ups:
            cells = [
                (np.intersect1d(rows, columns), sign)
                for rows, columns, sign in (
                    (high, other_high, 1.0),
                    (low, other_high, -1.0),
                    (high, other_low, -1.0),
                    (low, other_low, 1.0),
                )
            ]
            if all(cell.size for cell, _ in cells):
                yield _Contrast(
                    "interaction",
                    f"{name} x {other}",
                    f"{first} -> {level} x {other_first} -> {other_level}",
                    tuple((cell, sign / cell.size) for cell, sign in cells),
                )


def _single_changes(points: DesignPoints) -> Iterable[_Contrast]:
    """Yield the difference of each point from the first, in which one factor has another level."""
    assert points.changed is not None
    own = points.rows[0]
    for number in range(1, len(points)):
        position = points.changed[number].index(True)
        level = _text(points.rows[number][position])
        yield _Contrast(
            "one at a time",
            points.names[position],
            f"{_text(own[position])} -> {level}",
            ((np.array([number]), 1.0), (np.array([0]), -1.0)),
        )


def _levels_of(points: DesignPoints, position: int) -> list[tuple[str, NDArray[np.int64]]]:
    """Return the levels of a factor in their order, and the points that have each."""
    column = [row[position] for row in points.rows]
    return [
        (_text(level), np.array([number for number, value in enumerate(column) if value == level]))
        for level in points.levels[position]
    ]


def _signs(points: DesignPoints) -> NDArray[np.int8]:
    """Return -1 where a factor of a two-level design has its first level and 1 where it has the other."""
    columns = [
        [-1 if row[position] == levels[0] else 1 for row in points.rows]
        for position, levels in enumerate(points.levels)
    ]
    return np.array(columns, dtype=np.int8).T


def _key(column: NDArray[np.int8]) -> bytes:
    """Return the same bytes for a column of signs and its opposite, whose effects differ in sign only."""
    return (column * column[0]).astype(np.int8).tobytes()


def _contrast_effects(
    measure: str,
    contrasts: Iterable[_Contrast],
    values: Sequence[Column],
    confidence: float,
    sequential: bool,
) -> list[Effect]:
    """Return the effects of contrasts, with p-values adjusted among those of one kind."""
    counts = np.array([len(column) for column in values])
    results = np.full((counts.size, int(counts.max())), np.nan)
    for row, column in zip(results, values, strict=True):
        row[: len(column)] = column
    known = ~np.isnan(results)
    filled = np.where(known, results, 0.0)
    found, p_values = [], []
    for contrast in contrasts:
        total = np.zeros(results.shape[1])
        there = np.ones(results.shape[1], dtype=bool)
        for rows, weight in contrast.weights:
            total += weight * filled[rows].sum(axis=0)
            there &= known[rows].all(axis=0)
        shared = min(int(counts[rows].min()) for rows, _ in contrast.weights)
        per_replication = np.where(there, total, np.nan)[:shared]
        p_value = mean_p_value(per_replication)
        p_values.append(after_stopping(p_value) if sequential else p_value)
        found.append(
            Effect(
                measure=measure,
                kind=contrast.kind,
                name=contrast.name,
                statistic=contrast.statistic,
                interval=mean_interval(per_replication, confidence),
            )
        )
    adjusted = np.full(len(found), np.nan)
    for kind in {effect.kind for effect in found}:
        same = np.array([effect.kind == kind for effect in found])
        adjusted[same] = holm(np.array(p_values)[same])
    return [replace(effect, p_holm=float(p)) for effect, p in zip(found, adjusted, strict=True)]


def _morris(
    points: DesignPoints, measure: str, results: Floats, confidence: float, sequential: bool
) -> list[Effect]:
    assert points.units is not None
    found = []
    indices = morris_indices(
        points.units, results, confidence, groups=points.groups, positions=points.positions
    )
    p_values = [index.p_value for index in indices]
    adjusted = holm([after_stopping(p) for p in p_values] if sequential else p_values)
    for name, index, p_holm in zip(points.effects, indices, adjusted, strict=True):
        count, missing = index.mu_star.count, index.mu_star.missing
        numbers = {
            "mu*": index.mu_star,
            "mu": index.mu,
            "sigma": Interval(index.sigma, math.nan, math.nan, count, missing),
            "noise": Interval(index.noise, math.nan, math.nan, count, missing),
        }
        found += [
            Effect(
                measure=measure,
                kind="Morris",
                name=name,
                statistic=statistic,
                interval=interval,
                p_holm=float(p_holm) if statistic in ("mu*", "mu") else math.nan,
            )
            for statistic, interval in numbers.items()
            if statistic == "mu*" or not math.isnan(interval.estimate)
        ]
    return found


def _sobol(points: DesignPoints, measure: str, results: Floats, confidence: float) -> list[Effect]:
    indices = sobol_indices(results, len(points.effects), confidence)
    found = []
    for name, first, total in zip(points.effects, indices.first, indices.total, strict=True):
        for statistic, interval in (("first order", first), ("total", total)):
            found.append(
                Effect(measure=measure, kind="Sobol", name=name, statistic=statistic, interval=interval)
            )
    found.append(
        Effect(
            measure=measure,
            kind="Sobol",
            name="chance",
            statistic="share of variance",
            interval=indices.noise,
        )
    )
    return found


def _uncertainty(measure: str, results: Floats, confidence: float) -> list[Effect]:
    """Return how much of the spread is ignorance, and where the mean and a result lie; nothing with too little data."""
    complete = int((~np.isnan(results).any(axis=0)).sum())
    if len(results) < 2 or complete < 2:
        return []
    split = split_variance(results, confidence=confidence)
    percent = f"{100 * split.level:g} % range"
    used = (split.replications, split.missing)
    numbers = {
        ("ignorance", "share of variance"): split.share,
        ("ignorance", f"mean, {percent}"): Interval(split.mean, *split.mean_range, *used),
        ("chance and ignorance", f"result, {percent}"): Interval(split.mean, *split.result_range, *used),
    }
    return [
        Effect(measure=measure, kind="uncertainty", name=name, statistic=statistic, interval=interval)
        for (name, statistic), interval in numbers.items()
    ]


def _rank_correlations(
    points: DesignPoints, measure: str, values: Sequence[Column], confidence: float
) -> list[Effect]:
    """Return Spearman's correlation of the means of the points with each factor whose values are numbers."""
    means = np.array([mean_interval(column, confidence).estimate for column in values])
    found = []
    for position, name in enumerate(points.names):
        column = [row[position] for row in points.rows]
        if points.kind == "assumptions" and points.units is not None:
            numbers = points.units[:, position]  # an assumption may be a table, all of it at one quantile
        elif all(isinstance(value, int | float) for value in column):
            numbers = np.array(column, dtype=np.float64)
        else:
            continue
        interval = rank_correlation(numbers, means, confidence)
        found.append(
            Effect(
                measure=measure,
                kind="rank correlation",
                name=name,
                statistic="Spearman's rho",
                interval=interval,
            )
        )
    adjusted = holm([rank_p_value(effect.interval) for effect in found])
    return [replace(effect, p_holm=float(p)) for effect, p in zip(found, adjusted, strict=True)]


def _text(value: Any) -> str:
    """A level in words."""
    if value is None:
        return AS_IT_IS
    return value if isinstance(value, str) else write_value(value)
