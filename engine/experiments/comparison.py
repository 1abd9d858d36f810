"""The comparison of scenarios with a baseline, replication by replication."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from engine.experiments.quantities import Quantity, values_of
from engine.inference import Interval, mean_interval, paired_interval, variance_ratio
from engine.run import Replications


class Difference(NamedTuple):
    """How a quantity differs between a scenario and the baseline."""

    quantity: Quantity
    alternative: int
    """Number of the scenario, from 1; 0 is the baseline."""
    baseline: Interval
    """The mean of the baseline."""
    mean: Interval
    """The mean of the scenario."""
    difference: Interval
    """Scenario less baseline, from pairs of replications."""
    lower: float
    """Share of the pairs in which the scenario's value is lower than the baseline's."""
    equal: float
    """Share of the pairs in which both are the same."""
    pairing_gain: float
    """How many times more independent pairs the same precision would need; NaN where nothing varies."""


def compare_replications(
    replications: Sequence[Replications], quantities: Sequence[Quantity], confidence: float = 0.95
) -> list[Difference]:
    """Compare each scenario with the first, quantity by quantity.

    The intervals of the differences of a quantity hold together for all scenarios with this confidence (Bonferroni).
    Those of different quantities do not.

    Parameters
    ----------
    replications
        The same replications of each scenario, the baseline first.
    quantities
        What to compare.
    confidence
        Above 0 and below 1.
    """
    baseline, *others = replications
    each = 1.0 - (1.0 - confidence) / max(1, len(others))
    found = []
    for quantity in quantities:
        base = values_of(quantity, baseline)
        for number, other in enumerate(others, 1):
            values = values_of(quantity, other)
            there = ~np.isnan(values - base)
            pairs = max(1, int(there.sum()))
            found.append(
                Difference(
                    quantity,
                    number,
                    mean_interval(base, confidence),
                    mean_interval(values, confidence),
                    paired_interval(base, values, each),
                    float((values < base)[there].sum() / pairs),
                    float((values == base)[there].sum() / pairs),
                    variance_ratio(base, values),
                )
            )
    return found
