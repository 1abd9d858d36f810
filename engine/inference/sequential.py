"""Sequential stopping: how many replications are enough for intervals of a wanted width.

The rule looks at the results at a few fixed numbers of replications, each about a quarter larger than the one before,
and stops at the first look at which every measure is precise enough. What it decides is a pure function of the results
in the order of the replications: results beyond the look at which it stops are not used, so the outcome depends neither
on the number of workers nor on what was simulated in advance.

**What is guaranteed.** A rule that stops when an interval is narrow enough stops too early when the variance happens to
be underestimated, so plain t intervals contain the true mean too seldom: .94 instead of .95 with a first look at 20 (Y.
S. Chow and H. Robbins, Annals of Mathematical Statistics 36, 1965, pp. 457-462, show that this vanishes only as the
width goes to 0; N. Starr, ibid. 37, 1966, pp. 36-50, computes it for normal values). The intervals here are therefore
computed with a smaller error probability: 0.04 instead of 0.05, 0.0073 instead of 0.01 (`error_factor`). With a first
look at 20 or more values and looks at least a quarter apart, the intervals at the stop then contain the true mean of
independent normal values about as often as the confidence says, for every absolute half-width. This was found by
simulation of half-widths that 15 to 200 values would reach: the worst coverage is .951 for .95 and .989 for .99, which
4,000 experiments cannot tell from .99 (`make bench-experiments` repeats it). For relative half-widths and for values
that are not normal this holds approximately, as for every t interval; skewed values with few replications come lowest.
Each measure's interval has the confidence by itself; `simultaneous=True` divides the error probability by the number of
measures (Bonferroni), so that all of them hold together.

The relative half-width is that of A. M. Law, Simulation Modeling and Analysis (5th ed. 2015), section 9.4.1, without
its correction: the half-width divided by the estimate, not by the unknown true mean.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from engine.errors import InputError, shown
from engine.inference.distributions import check_confidence
from engine.inference.intervals import Floats, Interval, interval_notes, mean_interval, observed

LEAST_FIRST = 20
"""Fewest replications at the first look; with fewer the coverage stated above does not hold."""
LEAST_GROWTH = 1.25
"""Least ratio of consecutive looks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Precision:
    """The half-width that the interval of a measure must reach: absolute, or relative to the estimate.

    If both are given, the larger of the two suffices: an absolute half-width serves where the mean may be near 0.

    Raises
    ------
    InputError
        If neither is given, or one makes no sense.
    """

    absolute: float | None = None
    """Half-width in the unit of the measure."""
    relative: float | None = None
    """Half-width as a share of the absolute value of the mean, above 0 and below 1."""

    def __post_init__(self) -> None:
        if self.absolute is None and self.relative is None:
            raise InputError(
                "precision: got neither an absolute nor a relative half-width; allowed: one or both"
            )
        if self.absolute is not None and not (_is_number(self.absolute) and 0.0 < self.absolute < math.inf):
            raise InputError(f"absolute half-width: got {shown(self.absolute)}; allowed: above 0")
        if self.relative is not None and not (_is_number(self.relative) and 0.0 < self.relative < 1.0):
            hint = ""
            if _is_number(self.relative) and 1.0 <= self.relative < 100.0:
                hint = f"; did you mean {self.relative / 100.0:g}?"
            raise InputError(
                f"relative half-width: got {shown(self.relative)}; allowed: above 0 and below 1, "
                f"a share of the mean{hint}"
            )

    def target(self, mean: float) -> float:
        """Return the half-width that suffices for this mean."""
        absolute = 0.0 if self.absolute is None else self.absolute
        relative = 0.0 if self.relative is None else self.relative * abs(mean)
        return max(absolute, relative)

    def __str__(self) -> str:
        """Return it in words."""
        words = [] if self.absolute is None else [f"{self.absolute:g}"]
        words += [] if self.relative is None else [f"{100 * self.relative:g} % of the mean"]
        return " or ".join(words)


class MeasureProgress(msgspec.Struct, frozen=True):
    """How far one measure is from the precision asked for."""

    interval: Interval
    target: float
    """The half-width that suffices at the present mean; NaN without data."""
    met: bool
    expected: float
    """Replications that the precision will need, judged by the present mean and variance; infinite if none would do,
    NaN if there are too few values to judge by."""


class Progress(msgspec.Struct, frozen=True):
    """What a stopping rule decides about the results so far."""

    done: bool
    """No more replications: every precision is met, or the cap is reached."""
    met: bool
    """Every precision is met."""
    count: int
    """Replications that the intervals use, always the first ones."""
    more: int
    """Replications to add before the rule can decide again; 0 when done."""
    measures: dict[str, MeasureProgress]
    notes: tuple[str, ...]
    """What a reader of the intervals must know, one sentence each, beginning with the measure."""

    @property
    def expected(self) -> float:
        """Replications that all precisions will need; NaN if there are too few values to judge by."""
        expected = [measure.expected for measure in self.measures.values()]
        return math.nan if any(map(math.isnan, expected)) else max(expected)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoppingRule:
    """When to stop adding replications: a precision for each measure, looks, and a cap.

    Parameters
    ----------
    measures
        Precision by the name of a measure, one or more. Give the paired differences of a comparison as a measure.
    confidence
        Of each interval, above 0 and below 1.
    first
        Replications at the first look, 20 or more.
    cap
        Most replications.
    batch
        Looks are multiples of this, apart from the cap.
    growth
        Least ratio of consecutive looks, 1.25 or more. Larger ones mean fewer looks and more replications than needed.
    simultaneous
        Whether the confidence is that of all intervals together.

    Raises
    ------
    InputError
        If a value makes no sense, or two contradict each other.

    >>> rule = StoppingRule(measures={"deaths": Precision(absolute=0.5)}, cap=100)
    >>> rule.looks()
    (20, 25, 32, 40, 50, 63, 79, 99, 100)
    >>> rule.assess({"deaths": [3.0, 4.0] * 5}).more
    10
    """

    measures: Mapping[str, Precision]
    confidence: float = 0.95
    first: int = LEAST_FIRST
    cap: int = 10_000
    batch: int = 1
    growth: float = LEAST_GROWTH
    simultaneous: bool = False

    def __post_init__(self) -> None:
        check_confidence(self.confidence)
        if not self.measures:
            raise InputError("measures: got none; allowed: one or more with a precision each")
        for name, value, least, why in (
            ("first", self.first, LEAST_FIRST, ": with fewer the variance is too uncertain to stop by"),
            ("batch", self.batch, 1, ""),
        ):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InputError(f"{name}: got {shown(value)}; allowed: whole numbers from {least}{why}")
        if not isinstance(self.cap, int) or self.cap < self.first:
            raise InputError(
                f"cap: got {shown(self.cap)}; allowed: whole numbers from {self.first}, the replications at the first "
                "look"
            )
        if not (_is_number(self.growth) and LEAST_GROWTH <= self.growth <= 10.0):
            raise InputError(f"growth: got {shown(self.growth)}; allowed: {LEAST_GROWTH:g} to 10")

    @property
    def interval_confidence(self) -> float:
        """Confidence at which the intervals are computed, so that those at the stop have the one asked for."""
        shares = len(self.measures) if self.simultaneous else 1
        error = (1.0 - self.confidence) / shares
        return 1.0 - error_factor(error) * error

    def looks(self) -> tuple[int, ...]:
        """Return the numbers of replications at which the rule decides, ascending; the last is the cap."""
        return look_schedule(self.first, self.cap, self.batch, self.growth)

    def pending(self, values: Mapping[str, ArrayLike]) -> int:
        """Return how many more replications are needed before the rule can decide again; 0 when it stops."""
        return self.assess(values).more

    def assess(self, values: Mapping[str, ArrayLike]) -> Progress:
        """Return whether to stop, with the intervals.

        Parameters
        ----------
        values
            By measure, shape (n,): the results of replications 0 to n - 1 in this order, NaN where one has no data.
            Measures without a precision are ignored.

        Returns
        -------
        Progress
            At the first look that meets every precision, or at the cap; else after all n replications.

        Raises
        ------
        InputError
            If a measure is missing or two differ in the number of replications.
        """
        arrays = self._arrays(values)
        count = next(iter(arrays.values())).size
        for look in self.looks():
            if look > count:
                return self._progress(arrays, count, more=look - count)
            measures = self._measures(arrays, look)
            if look == self.cap or all(measure.met for measure in measures.values()):
                return self._progress(arrays, look, more=0)
        raise AssertionError("the last look is the cap")

    def _arrays(self, values: Mapping[str, ArrayLike]) -> dict[str, Floats]:
        """Return the results of the measures with a precision; refuse one that is missing or of another length."""
        arrays = {}
        for name in self.measures:
            if name not in values:
                raise InputError(f"measures: got no results of {shown(name)}; there are: {', '.join(values)}")
            arrays[name] = np.asarray(values[name], dtype=np.float64)
            observed(arrays[name], name)
        sizes = {name: array.size for name, array in arrays.items()}
        if len(set(sizes.values())) > 1:
            raise InputError(
                f"measures: got different numbers of replications: {sizes}; allowed: the same of all"
            )
        return arrays

    def _measures(self, arrays: Mapping[str, Floats], count: int) -> dict[str, MeasureProgress]:
        """Return the progress of each measure after `count` replications."""
        return {
            name: _measure_progress(
                mean_interval(arrays[name][:count], self.interval_confidence), precision, count, self.first
            )
            for name, precision in self.measures.items()
        }

    def _progress(self, arrays: Mapping[str, Floats], count: int, more: int) -> Progress:
        """Return the progress of all measures after `count` replications, with notes."""
        measures = self._measures(arrays, count)
        met = all(measure.met for measure in measures.values())
        done = more == 0
        notes = [
            f"{name}: {note}"
            for name, measure in measures.items()
            for note in _notes(measure, self.measures[name], self.confidence, count, done)
        ]
        return Progress(done, met and done, count, more, measures, tuple(notes))


def look_schedule(first: int, cap: int, batch: int = 1, growth: float = LEAST_GROWTH) -> tuple[int, ...]:
    """Return numbers of replications from `first` to `cap`, each at least `growth` times the one before.

    They are multiples of `batch`, apart from the cap.

    >>> look_schedule(20, 60, batch=25)
    (25, 50, 60)
    """
    found = [min(cap, _next_multiple(first, batch))]
    while found[-1] < cap:
        found.append(min(cap, _next_multiple(math.ceil(found[-1] * growth), batch)))
    return tuple(found)


def error_factor(error: float) -> float:
    """Return the factor on the error probability of an interval that corrects for stopping when it is narrow.

    0.8 at 0.05 and above, 0.1 less for each power of ten below. By simulation of normal values, the error probability
    at the stop exceeds that of the interval by at most 16 % at 0.05, 25 % at 0.01, 38 % at 0.0025 and 54 % at 0.0005.

    >>> round(error_factor(0.05), 3), round(error_factor(0.01), 3), round(error_factor(0.0005), 3)
    (0.8, 0.73, 0.6)
    """
    return min(0.8, max(0.3, 0.8 + 0.1 * math.log10(error / 0.05)))


def _is_number(value: Any) -> bool:
    """Whether it is a number that is neither a truth value nor NaN."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)


def _next_multiple(number: int, of: int) -> int:
    return -(-number // of) * of


def _measure_progress(interval: Interval, precision: Precision, count: int, least: int) -> MeasureProgress:
    """Return how far a measure is after `count` replications; it needs `least` values to be met."""
    if math.isnan(interval.half_width):
        return MeasureProgress(interval, math.nan, False, math.nan)
    target = precision.target(interval.estimate)
    half = interval.half_width
    met = half <= target and interval.count >= least
    if half <= 0.0:
        expected = float(least)
    elif target == 0.0:
        expected = math.inf
    else:
        expected = max(float(least), math.ceil(interval.count * (half / target) ** 2))
    return MeasureProgress(interval, target, met, expected * count / interval.count)


def _notes(
    measure: MeasureProgress, precision: Precision, confidence: float, count: int, done: bool
) -> list[str]:
    """Return what a reader of the interval must know, without the name of the measure."""
    interval = measure.interval
    notes = interval_notes(interval, confidence)
    if not done or measure.met:
        return notes
    if interval.count < 2:
        notes.append("too few replications have data for an interval")
    elif precision.absolute is None and interval.contains(0.0):
        notes.append(
            f"the mean is so near 0 ({interval.estimate:.3g}, interval {interval.low:.3g} to {interval.high:.3g}) that "
            f"a half-width of {precision} cannot be reached; give an absolute half-width as well"
        )
    elif interval.half_width <= measure.target:
        notes.append(f"only {interval.count} replications have data, too few to stop by")
    else:
        notes.append(
            f"half-width {interval.half_width:.3g} after {count} replications, the cap; {precision} was asked for, "
            f"for which about {measure.expected:,.0f} would be needed"
        )
    return notes
