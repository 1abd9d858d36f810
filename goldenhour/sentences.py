"""What a comparison says, and what a sensitivity analysis says, in sentences."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.experiments import Difference, Quantity, Swing
    from engine.inference import Interval

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
        return f"{who}: the same {quantity.meaning.removeprefix('the ')} in all {pairs}."
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


_NAMED = 5
"""Assumptions that a sentence names."""


def sensitivity_sentence(
    quantity: "Quantity",
    answer: "Interval",
    swings: "Sequence[Swing]",
    names: Sequence[str],
    labels: Sequence[str],
    days: int,
    confidence: float,
    holds: "tuple[Sequence[Swing], Sequence[Swing]] | None" = None,
) -> str:
    """Return on which assumptions an answer rests most, and whether the difference of two scenarios holds.

    Parameters
    ----------
    quantity
        What the answer is about.
    answer
        With all assumptions as they are.
    swings
        The widest first.
    names
        Names of the assumptions, by `Swing.assumption`.
    labels
        What the scenario is called; of two, the baseline first.
    days
        Days in which people are hurt.
    confidence
        With which a swing must be told from chance.
    holds
        Of two scenarios: the swings that reverse the difference, and those that leave it open.
    """
    if not answer.count:
        return f"{labels[-1]}: no replication has data for {quantity.meaning}."
    number = f",.{quantity.decimals}f"
    if holds is None:
        found = f"{labels[0]}: {quantity.meaning}, {answer.estimate:{number}} as assumed"
    else:
        found = f"{labels[1]} instead of {labels[0]}: {_amount(quantity, answer.estimate, days)} as assumed"
    told = [swing for swing in swings if swing.is_told(confidence)]
    if not told:
        found += f". None of {len(swings)} assumptions moves it beyond chance."
    else:
        sign = "+" if holds is not None else ""
        parts = [
            f"{names[swing.assumption]} ({swing.at_low.estimate:{sign}{number}} to "
            f"{swing.at_high.estimate:{sign}{number}})"
            for swing in told[:_NAMED]
        ]
        verb = "matters" if len(told) == 1 else "matter"
        most = "rests most" if told[0] is swings[0] else "as far as can be told from chance rests most"
        found += f", {most} on {listed_words(parts)}"
        found += f". {len(told)} of {len(swings)} assumptions {verb} beyond chance."
    return found if holds is None else f"{found} {_verdict(quantity, answer, swings, names, holds)}"


def _verdict(
    quantity: "Quantity",
    answer: "Interval",
    swings: "Sequence[Swing]",
    names: Sequence[str],
    holds: "tuple[Sequence[Swing], Sequence[Swing]]",
) -> str:
    """Whether the sign of a difference stays the same over the ranges."""
    reversing, unclear = ([names[swing.assumption] for swing in each] for each in holds)
    if answer.low <= 0.0 <= answer.high or math.isnan(answer.half_width):
        return "With all assumptions as they are, no difference can be told from chance."
    if reversing:
        return f"The answer does not hold: its sign changes with {listed_words(reversing)}."
    if unclear:
        where = listed_words(unclear)
        return f"Its sign never changes, but no difference can be told from chance at an end of {where}."
    ends = [end.estimate for swing in swings for end in (swing.at_low, swing.at_high)]
    number = f"+,.{quantity.decimals}f"
    return (
        f"The answer holds: at both ends of every single assumption it has the same sign, from {min(ends):{number}} "
        f"to {max(ends):{number}}."
    )


def mean_sentence(quantity: "Quantity", mean: "Interval", confidence: float = 0.95) -> str:
    """Return the mean of a quantity over the replications of a scenario, with its interval."""
    words = quantity.meaning[:1].upper() + quantity.meaning[1:]
    if not mean.count:
        return f"{words}: no replication has data."
    number = f",.{quantity.decimals}f"
    found = f"{words}: {mean.estimate:{number}}"
    if not math.isnan(mean.half_width):
        found += f", {100 * confidence:g} % interval {mean.low:{number}} to {mean.high:{number}}"
    found += f", {mean.count:,} replications"
    return f"{found}, {mean.missing:,} more without data." if mean.missing else f"{found}."


def with_notes(sentences: Sequence[str], notes: Sequence[str]) -> list[str]:
    """Return the sentences of an answer, then what its reader must know."""
    return [*sentences, *(f"note: {note}" for note in notes)]


def listed_words(parts: Sequence[str]) -> str:
    """Return words with commas and `and` between them."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


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
