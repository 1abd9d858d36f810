"""What an experiment costs before it starts: points, replications, expected time."""

import math
from typing import NamedTuple

from engine.errors import InputError
from engine.experiments.plan import ExperimentPlan
from engine.experiments.plan_reading import completed

MOST_POINTS = 100_000
"""Most points of an experiment."""


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


def check_size(plan: ExperimentPlan, points: int, seconds: float = math.nan) -> None:
    """Raise InputError if there are more than `MOST_POINTS` points, with their price."""
    if points > MOST_POINTS:
        instead = ""
        if plan.kind == "full factorial":
            instead = '; kind = "fractional factorial", "Latin hypercube" or "one at a time" needs fewer'
        raise InputError(
            f"design: got {price_of(plan, points, seconds)}; allowed: at most {MOST_POINTS:,} points{instead}"
        )


def _duration(seconds: float) -> str:
    """A time in words, for a price."""
    for unit, size in (("years", 365.25 * 86_400), ("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"about {seconds / size:,.0f} {unit}"
    return f"about {seconds:,.0f} seconds"
