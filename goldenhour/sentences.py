"""What a comparison says, in sentences."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.experiments import Difference, Quantity

_RARE = 0.01
"""Shares of the replications below this are not mentioned."""


def difference_sentence(
    difference: "Difference", baseline: str, scenario: str, days: int, confidence: float
) -> str:
    """Return what a comparison says about a quantity of one scenario, for somebody who knows no statistics.

    The first half is the answer, the second how sure it is: the interval, the number of pairs, and how often chance
    outweighs the difference.

    Parameters
    ----------
    difference
        What was found.
    baseline, scenario
        What the two are called.
    days
        Days in which people are hurt.
    confidence
        Of the interval.
    """
    quantity, interval = difference.quantity, difference.difference
    who = f"{scenario} instead of {baseline}"
    if not interval.count:
        return f"{who}: {quantity.meaning} cannot be compared, because no pair of replications has data for both."
    pairs = f"{interval.count:,} pairs"
    if interval.missing:
        pairs += f", {interval.missing:,} more without data"
    if math.isnan(interval.half_width):
        return f"{who}: one pair of replications says nothing about chance ({quantity.meaning})."
    if interval.constant and interval.estimate == 0.0:
        return f"{who}: the same {quantity.meaning} in all {pairs}."
    percent = f"{100 * confidence:g} % interval"
    if interval.low <= 0.0 <= interval.high:
        return (
            f"{who}: no difference in {quantity.meaning} can be told from chance: {percent} "
            f"{interval.low:+,.{quantity.decimals}f} to {interval.high:+,.{quantity.decimals}f}, {pairs}."
        )
    low, high = sorted((abs(interval.low), abs(interval.high)))
    return (
        f"{who}: {_amount(quantity, interval.estimate, days)}, {percent} "
        f"{low:,.{quantity.decimals}f} to {high:,.{quantity.decimals}f}, {pairs}; {_often(difference)}."
    )


def _days(days: int) -> str:
    return f"{days} day" if days == 1 else f"{days} days"


def _amount(quantity: "Quantity", value: float, days: int) -> str:
    """Return the size and the direction of a difference: `0.67 fewer deaths per 100 battle casualties`."""
    template = quantity.lower if value < 0 else quantity.higher
    words = template.replace("{}", f"{abs(value):,.{quantity.decimals}f}")
    return words.replace("{days}", _days(days))


def _often(difference: "Difference") -> str:
    """Return in how many of the replications the difference went the same way."""
    same_way = difference.lower if difference.difference.estimate < 0 else _higher(difference)
    words = f"so in {_share(same_way)} of the replications"
    other_way = 1.0 - same_way - difference.equal
    if difference.equal >= _RARE:
        words += f", no difference in {_share(difference.equal)}"
    if other_way >= _RARE:
        words += f", the opposite in {_share(other_way)}"
    return words


def _higher(difference: "Difference") -> float:
    return 1.0 - difference.lower - difference.equal


def _share(share: float) -> str:
    """Return a share in words: `all`, `half`, `37 %`."""
    if share >= 1.0 - 1e-9:
        return "all"
    if abs(share - 0.5) < 0.02:
        return "half"
    if share >= 0.99:
        return "nearly all"
    return f"{100 * share:.0f} %"
