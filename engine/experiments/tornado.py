"""How far an answer moves when one assumption after the other goes to the ends of its range: a tornado.

Each assumption is at its low end and at its high end while all others are as they are (one at a time), with common
random numbers, so that the difference from the answer as it is has a paired interval. Which of the differences cannot
be told from chance is judged for all assumptions together (Holm).

Source: T. G. Eschenbach, Spiderplots versus tornado diagrams for sensitivity analysis, Interfaces 22 (1992) 40-46.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.inference import Interval, holm, mean_interval, mean_p_value, paired_interval

Column = NDArray[np.float64]


class Swing(NamedTuple):
    """How an answer depends on one assumption."""

    assumption: int
    """Its number in the order given."""
    at_low: Interval
    """The answer with the assumption at the low end of its range."""
    at_high: Interval
    low: Interval
    """What that changes: the answer at the low end less the answer as it is, from pairs of replications."""
    high: Interval
    p_value: float
    """Of the hypothesis that neither end changes the answer, adjusted for the number of assumptions (Holm)."""

    @property
    def width(self) -> float:
        """From the lowest to the highest of the answers as it is, at the low and at the high end; 0 without data."""
        ends = [each.estimate for each in (self.low, self.high) if not math.isnan(each.estimate)]
        return max(0.0, *ends, 0.0) - min(0.0, *ends, 0.0)

    def is_told(self, confidence: float) -> bool:
        """Whether it can be told from chance."""
        return self.p_value <= 1.0 - confidence


def swings(
    as_it_is: Column, ends: Sequence[tuple[Column | None, Column | None]], confidence: float = 0.95
) -> list[Swing]:
    """Return the swing of an answer by each assumption, the widest first.

    Parameters
    ----------
    as_it_is
        Shape (replications,): the answer with all assumptions as they are; NaN where a replication has none.
    ends
        By assumption, the answer in the same replications at the low and at the high end of its range; None where that
        end is how it is.
    confidence
        Of each interval, above 0 and below 1.
    """
    found = []
    p_values = []
    for number, pair in enumerate(ends):
        low, high = (as_it_is if end is None else end for end in pair)
        found.append(
            Swing(
                number,
                mean_interval(low, confidence),
                mean_interval(high, confidence),
                paired_interval(as_it_is, low, confidence),
                paired_interval(as_it_is, high, confidence),
                math.nan,
            )
        )
        tests = [mean_p_value(end - as_it_is) for end in pair if end is not None]
        there = [p for p in tests if not math.isnan(p)]
        p_values.append(min(1.0, len(there) * min(there)) if there else math.nan)
    adjusted = holm(p_values).tolist() if p_values else []
    judged = [swing._replace(p_value=p) for swing, p in zip(found, adjusted, strict=True)]
    return sorted(judged, key=lambda swing: -swing.width)


def holds(as_it_is: Interval, found: Sequence[Swing]) -> tuple[list[Swing], list[Swing]]:
    """Return the swings that reverse the sign of a difference, and those that leave it open.

    A swing reverses it if the interval at an end lies on the other side of 0 than that of the difference as it is; it
    leaves it open if the interval at an end contains 0. Both are empty where the difference as it is has no sign.
    """
    sign = _sign(as_it_is)
    if sign == 0:
        return [], []
    reversing = [each for each in found if -sign in (_sign(each.at_low), _sign(each.at_high))]
    return reversing, [
        each for each in found if each not in reversing and 0 in (_sign(each.at_low), _sign(each.at_high))
    ]


def _sign(interval: Interval) -> int:
    """1 or -1 where an interval lies on one side of 0; else 0, also without data."""
    return int(interval.low > 0.0) - int(interval.high < 0.0)
