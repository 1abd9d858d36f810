"""Estimates of an experiment: of each point and measure the mean, median and quantiles, and what differs.

The intervals of the differences of a measure from the baseline hold together for all points with the confidence asked
for (Bonferroni). P-values are adjusted by Holm's method over all comparisons of the experiment, those of other measures
included. Where the number of replications was chosen by their results (`sequential`), intervals and p-values are
corrected as `engine.inference.StoppingRule` says.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from engine.inference import (
    Interval,
    differences,
    error_factor,
    holm,
    interval_notes,
    mean_interval,
    mean_p_value,
    median_interval,
    paired_interval,
    quantile_count,
    quantile_interval,
    variance_ratio,
)

Column = NDArray[np.float64]

_NAMED_POINTS = 3
"""A note names at most this many points; of more it gives the number."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What the replications of a point say of a measure."""

    point: int
    """Number of the point, from 0."""
    measure: str
    mean: Interval
    median: Interval
    quantiles: tuple[Interval, ...] = ()
    """Of the probabilities asked for, in their order."""
    difference: Interval | None = None
    """The point less the baseline, from pairs of replications; None for the baseline, or without one."""
    pairing_gain: float = math.nan
    """How many times more independent pairs the same precision would need."""
    p_value: float = math.nan
    """Of the hypothesis that the mean difference is 0."""
    p_holm: float = math.nan
    """The same, adjusted for all comparisons of the experiment."""


def interval_confidence(confidence: float, comparisons: int = 1, sequential: bool = False) -> float:
    """Return the confidence of each of several intervals that together have the confidence asked for.

    Parameters
    ----------
    confidence
        Of all together.
    comparisons
        How many they are (Bonferroni).
    sequential
        Whether replications were added until intervals were narrow enough.

    >>> round(interval_confidence(0.95, 5), 6), round(interval_confidence(0.95, sequential=True), 6)
    (0.99, 0.96)
    """
    error = (1.0 - confidence) / max(1, comparisons)
    return 1.0 - (error_factor(error) if sequential else 1.0) * error


def estimate_measure(
    measure: str,
    values: Sequence[Column],
    *,
    confidence: float = 0.95,
    quantiles: Sequence[float] = (),
    baseline: int | None = None,
    sequential: bool = False,
) -> list[Estimate]:
    """Return the estimates of a measure by point; `p_holm` is not set yet.

    Parameters
    ----------
    measure
        Its name.
    values
        Per point, shape (n,): the values of replications 0 to n - 1, n being its own for each point; NaN without data.
    confidence
        Of the intervals.
    quantiles
        Probabilities.
    baseline
        Number of the point that the others are compared with; None: no comparison.
    sequential
        Whether replications were added until intervals were narrow enough.
    """
    each = interval_confidence(confidence, 1, sequential)
    together = interval_confidence(confidence, len(values) - 1, sequential)
    found = []
    for point, column in enumerate(values):
        estimate = Estimate(
            point=point,
            measure=measure,
            mean=mean_interval(column, each),
            median=median_interval(column, each),
            quantiles=tuple(quantile_interval(column, probability, each) for probability in quantiles),
        )
        if baseline is not None and point != baseline:
            pairs = min(len(column), len(values[baseline]))
            own, base = column[:pairs], values[baseline][:pairs]
            p_value = mean_p_value(differences(base, own))
            estimate = replace(
                estimate,
                difference=paired_interval(base, own, together),
                pairing_gain=variance_ratio(base, own),
                p_value=after_stopping(p_value) if sequential else p_value,
            )
        found.append(estimate)
    return found


def with_holm(estimates: Sequence[Estimate]) -> list[Estimate]:
    """Return the estimates with p-values that are adjusted for all comparisons among them."""
    adjusted = holm([estimate.p_value for estimate in estimates])
    return [replace(estimate, p_holm=float(p)) for estimate, p in zip(estimates, adjusted, strict=True)]


def estimate_points(
    values: Mapping[str, Sequence[Column]],
    *,
    confidence: float = 0.95,
    quantiles: Sequence[float] = (),
    baseline: int | None = None,
    sequential: bool = False,
) -> list[Estimate]:
    """Return the estimates of several measures, measure after measure and point after point.

    `values` has by measure what `estimate_measure` takes, the other parameters are the same.

    >>> rows = estimate_points({"x": [np.array([1.0, 2.0, 4.0]), np.array([2.0, 3.5, 5.0])]}, baseline=0)
    >>> round(rows[1].difference.estimate, 3), round(rows[1].p_holm, 3)
    (1.167, 0.02)
    """
    found = [
        estimate
        for measure, columns in values.items()
        for estimate in estimate_measure(
            measure,
            columns,
            confidence=confidence,
            quantiles=quantiles,
            baseline=baseline,
            sequential=sequential,
        )
    ]
    return with_holm(found)


def estimate_columns(quantiles: Sequence[float]) -> tuple[str, ...]:
    """Return the names of the columns of `estimate_row`."""
    asked = [f"q{probability:g}{end}" for probability in quantiles for end in ("", "_low", "_high")]
    return (
        *("point", "label", "measure", "n", "missing", "mean", "low", "high"),
        *("median", "median_low", "median_high", *asked),
        *("difference", "difference_low", "difference_high", "pairs", "p_holm", "pairing_gain"),
    )


def estimate_row(estimate: Estimate, label: str) -> tuple[Any, ...]:
    """Return an estimate as a row of a table; NaN where there is no number.

    Parameters
    ----------
    estimate
        The estimate.
    label
        Of its point.
    """
    nothing = Interval(math.nan, math.nan, math.nan, 0)
    difference = estimate.difference or nothing
    inner = [
        number
        for interval in (estimate.mean, estimate.median, *estimate.quantiles, difference)
        for number in (interval.estimate, interval.low, interval.high)
    ]
    mean = estimate.mean
    return (
        *(estimate.point, label, estimate.measure, mean.count, mean.missing),
        *(*inner, difference.count, estimate.p_holm, estimate.pairing_gain),
    )


def estimate_notes(
    estimates: Sequence[Estimate],
    labels: Sequence[str],
    *,
    confidence: float = 0.95,
    quantiles: Sequence[float] = (),
) -> list[str]:
    """Return what a reader of the estimates must know, one sentence each, beginning with the measure.

    Values that are missing, values or differences that do not vary, and quantiles for which there are too few
    replications.
    """
    notes = []
    for measure in dict.fromkeys(estimate.measure for estimate in estimates):
        own = [estimate for estimate in estimates if estimate.measure == measure]
        notes += _interval_notes(measure, [estimate.mean for estimate in own], own, labels, confidence)
        notes += _difference_notes(measure, own, labels, confidence)
        for number, probability in enumerate(quantiles):
            short = [e.quantiles[number] for e in own if math.isinf(e.quantiles[number].half_width)]
            if short:
                needed = quantile_count(probability, confidence)
                counts = min(interval.count for interval in short)
                notes.append(
                    f"{measure}: {counts} values are too few for both bounds of the quantile {probability:g}; "
                    f"{needed} are needed"
                )
    return notes


def _interval_notes(
    measure: str,
    intervals: Sequence[Interval],
    estimates: Sequence[Estimate],
    labels: Sequence[str],
    confidence: float,
) -> list[str]:
    """Return notes on values that are missing or do not vary: by point, or together for many points."""
    noted = [
        (interval, labels[estimate.point], interval_notes(interval, confidence))
        for interval, estimate in zip(intervals, estimates, strict=True)
    ]
    noted = [each for each in noted if each[2]]
    if len(noted) <= _NAMED_POINTS:
        return [f"{measure}, {label}: {note}" for _, label, notes in noted for note in notes]
    found = []
    missing = [interval for interval, _, _ in noted if interval.missing]
    if missing:
        most = max(missing, key=lambda interval: interval.missing / (interval.count + interval.missing))
        found.append(
            f"{measure}: at {len(missing)} of {len(intervals)} points replications without data are left out, at most "
            f"{most.missing} of {most.count + most.missing}"
        )
    constant = [interval for interval, _, _ in noted if interval.constant]
    if constant:
        found.append(
            f"{measure}: at {len(constant)} of {len(intervals)} points all values are equal, so the interval of the "
            "mean has no width; other values may still occur"
        )
    return found


def _difference_notes(
    measure: str, estimates: Sequence[Estimate], labels: Sequence[str], confidence: float
) -> list[str]:
    """Return notes on differences that are the same in all pairs, unless neither of the two varies."""
    same = [
        estimate
        for estimate in estimates
        if estimate.difference is not None and estimate.difference.constant and not estimate.mean.constant
    ]
    if len(same) > _NAMED_POINTS:
        none = sum(
            estimate.difference is not None and estimate.difference.estimate == 0.0 for estimate in same
        )
        return [
            f"{measure}: at {len(same)} points the difference from the baseline is the same in all pairs, at {none} of "
            "them 0, so its interval has no width; other values may still occur"
        ]
    return [
        f"{measure}, {labels[estimate.point]}, difference from the baseline ({estimate.difference.estimate:g}): "
        f"{interval_notes(estimate.difference, confidence)[-1]}"
        for estimate in same
        if estimate.difference is not None
    ]


def after_stopping(p_value: float) -> float:
    """Return a p-value with the error probability at the stop of a sequential experiment."""
    corrected = p_value
    for _ in range(20):
        corrected = min(1.0, p_value / error_factor(max(corrected, 1e-300)))
    return corrected
