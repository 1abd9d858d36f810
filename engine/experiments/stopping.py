"""How many replications each point of an experiment gets: a count, or until its intervals are narrow enough.

Each point has the same rule (`engine.inference.StoppingRule`) and stops by itself, so points differ in their number of
replications. In a factorial design each effect is about all points, and uses the replications that all have: there
every point has as many as the one that needs most. Where the half-widths are about differences, the baseline has as
many as the point that needs most; pairs are the first replications of both. Intervals of differences hold together for
all points (Bonferroni). A relative half-width of a difference is a share of the baseline's mean at the first look,
because a share of a difference that may be 0 would never be reached.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.experiments.plan import ExperimentPlan
from engine.experiments.plan_reading import completed, half_width_of
from engine.inference import Precision, Progress, StoppingRule

Column = NDArray[np.float64]

_FACTORIAL = ("full factorial", "fractional factorial")
"""Designs of which all points have the same number of replications."""

_TABLES = ("Morris", "Sobol indices", "assumptions")
"""Other designs of which effects use the replications that all points have."""


class Stopping(NamedTuple):
    """What the results so far say about the number of replications."""

    wanted: tuple[int, ...]
    """Per point, replications that it is to have next; when done, those that the estimates use, always the first."""
    done: bool
    met: bool
    """Whether every half-width is reached; True for a fixed count."""
    open_points: int
    """Points that need more replications."""
    widest: str
    """The measure and point that are furthest from their half-width, in words; empty where none is open."""
    expected: float
    """Replications of all points together that the half-widths will need, judged so far; NaN if unknown."""
    notes: tuple[str, ...]
    """What a reader must know where a half-width is not reached, one sentence each."""


def first_counts(plan: ExperimentPlan, points: int, batch: int = 1) -> tuple[int, ...]:
    """Return the replications that each point has before the first look; for a fixed count, all of them.

    Parameters
    ----------
    plan
        The experiment.
    points
        Number of points.
    batch
        Looks are multiples of this.
    """
    chosen = completed(plan).replications
    if chosen.count is not None:
        return (chosen.count,) * points
    rule = _rule(plan, {"": Precision(absolute=1.0)}, 0.95, batch)
    return (rule.looks()[0],) * points


def assess_points(
    plan: ExperimentPlan,
    values: Mapping[str, Sequence[Column]],
    baseline: int | None,
    labels: Sequence[str],
    batch: int = 1,
) -> Stopping:
    """Return how many replications each point is to have, judged by its results.

    Parameters
    ----------
    plan
        The experiment.
    values
        By measure with a half-width, and per point, shape (n,): the results so far; NaN without data.
    baseline
        Number of the point with which the others are compared (`DesignPoints.baseline`).
    labels
        Of the points.
    batch
        Looks are multiples of this; the same in every call.

    Raises
    ------
    InputError
        If half-widths of differences are wanted and there is nothing to compare.
    """
    chosen = completed(plan).replications
    if chosen.count is not None:
        return Stopping((chosen.count,) * len(labels), True, True, 0, "", math.nan, ())
    paired = is_about_differences(plan, baseline)
    if paired and len(labels) < 2:
        raise InputError('replications: got of = "differences" and one point; allowed: of = "means"')
    others = [point for point in range(len(labels)) if not (paired and point == baseline)]
    rule = _point_rule(plan, values, baseline if paired else None, len(others), batch)
    found = {
        point: rule.assess(_measured(rule, values, point, baseline if paired else None)) for point in others
    }
    wanted = [0] * len(labels)
    for point, progress in found.items():
        wanted[point] = progress.count + progress.more
    if paired and baseline is not None:
        wanted[baseline] = max(wanted)
    if plan.kind in _FACTORIAL:
        wanted = [max(wanted)] * len(wanted)
    still = {point: progress for point, progress in found.items() if not progress.done}
    widest, expected = _widest(still, labels)
    total = sum(progress.count for progress in found.values() if progress.done)
    notes = [
        f"{labels[point]}: {note}"
        for point, progress in found.items()
        if progress.done and not progress.met
        for note in _unreached(progress)
    ]
    if not still:
        notes += _count_notes(plan, wanted, [progress.count for progress in found.values()])
    return Stopping(
        wanted=tuple(wanted),
        done=not still,
        met=all(progress.met for progress in found.values()),
        open_points=len(still),
        widest=widest,
        expected=total + expected if still else float(total),
        notes=tuple(notes),
    )


def _count_notes(plan: ExperimentPlan, counts: Sequence[int], needed: Sequence[int]) -> list[str]:
    """Return what a reader must know of effects where points need different numbers of replications."""
    if plan.kind in _FACTORIAL and min(needed) < max(counts):
        return [
            f"all points have {max(counts):,} replications, as the point that needs most: effects use what all have"
        ]
    if plan.kind in _TABLES and min(counts) < max(counts):
        return [
            f"points have {min(counts):,} to {max(counts):,} replications: effects use the first {min(counts):,}, "
            "which all have"
        ]
    return []


def is_about_differences(plan: ExperimentPlan, baseline: int | None) -> bool:
    """Whether the half-widths of a plan are about differences from the baseline. Raises InputError without one."""
    of = plan.replications.of
    if of == "differences" and baseline is None:
        raise InputError('replications: got of = "differences" without a baseline; allowed: of = "means"')
    return of == "differences" or (of is None and baseline is not None)


def _point_rule(
    plan: ExperimentPlan,
    values: Mapping[str, Sequence[Column]],
    baseline: int | None,
    points: int,
    batch: int,
) -> StoppingRule:
    """Return the rule of each point; `baseline` is None where the half-widths are about means."""
    first = first_counts(plan, 1, batch)[0]
    precisions = {}
    for name, width in plan.replications.half_width.items():
        absolute, relative = half_width_of(width, f"replications.half_width.{name}")
        if relative is not None and baseline is not None:
            start = values[name][baseline][:first]
            start = start[~np.isnan(start)]
            share = relative * abs(float(start.mean())) if start.size else 0.0
            if share > 0.0:
                absolute, relative = max(absolute or 0.0, share), None
        precisions[name] = Precision(absolute=absolute, relative=relative)
    comparisons = points if baseline is not None else 1
    confidence = 1.0 - (1.0 - plan.results.confidence) / comparisons
    return _rule(plan, precisions, confidence, batch)


def _rule(
    plan: ExperimentPlan, precisions: Mapping[str, Precision], confidence: float, batch: int
) -> StoppingRule:
    chosen = completed(plan).replications
    assert chosen.first is not None
    assert chosen.most is not None
    return StoppingRule(
        measures=precisions, confidence=confidence, first=chosen.first, cap=chosen.most, batch=batch
    )


def _measured(
    rule: StoppingRule, values: Mapping[str, Sequence[Column]], point: int, baseline: int | None
) -> dict[str, Column]:
    """Return what the rule judges a point by: its values, or their differences from the baseline."""
    found = {}
    for name in rule.measures:
        own = values[name][point]
        if baseline is None:
            found[name] = own
        else:
            pairs = min(len(own), len(values[name][baseline]))
            found[name] = own[:pairs] - values[name][baseline][:pairs]
    return found


def _widest(still: Mapping[int, Progress], labels: Sequence[str]) -> tuple[str, float]:
    """Return the measure and point that need most, in words, and the replications of all that still need some."""
    widest, most, total = "", -1.0, 0.0
    for point, progress in still.items():
        total += max(progress.expected, progress.count + progress.more)
        for name, measure in progress.measures.items():
            needs = math.inf if math.isnan(measure.expected) else measure.expected
            if not measure.met and needs > most:
                width = f"half-width {measure.interval.half_width:.3g}, {measure.target:.3g} wanted"
                if math.isnan(measure.interval.half_width):
                    width = "too few replications with data"
                widest, most = f"{name} of {labels[point]}: {width}", needs
    return widest, total


def _unreached(progress: Progress) -> list[str]:
    """Return the notes on the measures of a point that have not reached their half-width."""
    return [
        note
        for note in progress.notes
        if any(_about(note, name) for name, m in progress.measures.items() if not m.met)
    ]


def _about(note: str, measure: str) -> bool:
    return note.startswith(f"{measure}: ")


def is_sequential(plan: ExperimentPlan) -> bool:
    """Whether replications are added until intervals are narrow enough."""
    return completed(plan).replications.count is None
