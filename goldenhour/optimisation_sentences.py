"""What an optimisation has found, in sentences."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from engine.inference import MOST_UNSEEN

if TYPE_CHECKING:
    from engine.experiments import Bottleneck, PlanConstraint, Quantity
    from engine.inference import Interval
    from goldenhour.optimisation_result import Optimisation, PointOutcome

_NAMED = 3
"""Points that a sentence names."""

_HARDLY_BUSY = 0.5
"""Vehicles that are busy for a smaller share of the time are not called the limit."""

_LONG = 0.6
"""Hours are not named where they are more than this share of the casualty period."""


def optimisation_sentences(found: "Optimisation") -> Iterator[str]:
    """Yield the answer first, then how sure it is, and what is not known."""
    if found.goal == "cheapest":
        yield from _cheapest(found)
    elif found.goal == "best":
        yield from _best(found)
    else:
        yield from _front(found)
    if found.constant_numbers:
        yield _constant(found)


def _constant(found: "Optimisation") -> str:
    """What the confidence does not cover: results or differences that never varied."""
    points = [each for each in found.points if each.number in found.constant_numbers]
    what = "values of the mean" if found.goal == "cheapest" else "differences from a better or cheaper point"
    if found.goal == "best":
        what = "differences from the best"
    return (
        f"{_labels(points)}: all {what} were equal. The confidence is then only that others occur in at most "
        f"{100 * MOST_UNSEEN:g} % of replications; it does not say how large they are, so the mean may differ."
    )


def _cheapest(found: "Optimisation") -> Iterator[str]:
    best = found.best
    verb = "is known to keep" if found.undecided else "keeps"
    wanted = " and ".join(
        f"{verb} {constraint_words(constraint, quantity)}"
        for constraint, quantity in zip(found.plan.constraints, found.quantities, strict=True)
    )
    if best is None:
        yield _nothing(found, wanted)
        if found.decided:
            yield bottleneck_sentence(found)
    else:
        yield (
            f"Of {found.size:,} points, {best.label} (cost {number_words(best.cost)}) is the cheapest that {wanted}: "
            f"{_evidence(found, best)}."
        )
        yield _surely(found, best)
    if found.undecided:
        several = len(found.undecided) > 1
        yield (
            f"Too close to call after {max(each.replications for each in found.undecided):,} replications: "
            f"{_labels(found.undecided)}. {'They' if several else 'It'} may or may not meet the constraints; "
            f"[search] most adds replications."
        )


def _surely(found: "Optimisation", best: "PointOutcome") -> str:
    percent = f"{100 * found.confidence:g} %"
    cheaper = [each for each in found.points if each.cost < best.cost or each.decision == "fails"]
    count = sum(1 for each in found.points if each.number in found.undecided_numbers)
    if not cheaper and not count:
        return f"With {percent} confidence it does; no point is cheaper."
    if count:
        return f"With {percent} confidence it does, and no cheaper one but those that are too close to call."
    return f"With {percent} confidence it does, and no cheaper one does."


def _nothing(found: "Optimisation", wanted: str) -> str:
    """The sentence that no point meets the constraints."""
    who = f"None of {found.size:,} points"
    if len(found.factors) == 1 and found.points:
        levels = [each.values[0] for each in found.points]
        ends = f" from {number_words(min(levels))} to {number_words(max(levels))}" if len(levels) > 1 else ""
        what = "number" if all(isinstance(level, int) for level in levels) else "value"
        who = f"No {what} of {found.factors[0]}{ends}"
    sure = f" ({100 * found.confidence:g} % confidence)" if found.decided else ""
    largest = found.point(found.largest_number)
    words = f"{who} {wanted}{sure}"
    if largest is None:
        return f"{words}."
    return f"{words}; at the most expensive, {largest.label}: {_evidence(found, largest)}."


def constraint_words(constraint: "PlanConstraint", quantity: "Quantity") -> str:
    """Return a constraint: `the median time from injury to surgery at most 120 in at least 95 % of replications`."""
    limit = (
        f"at most {number_words(constraint.at_most)}"
        if constraint.at_most is not None
        else f"at least {number_words(constraint.at_least or 0.0)}"
    )
    if constraint.probability is None:
        return f"{quantity.meaning} {limit} on average"
    return f"{quantity.meaning} {limit} in at least {100 * constraint.probability:g} % of replications"


def _evidence(found: "Optimisation", point: "PointOutcome") -> str:
    """What the replications of a point say of the constraints."""
    words = []
    for constraint, quantity, interval in zip(
        found.plan.constraints, found.quantities, point.intervals, strict=True
    ):
        if constraint.probability is None:
            words.append(interval_words(interval, quantity.decimals))
        else:
            words.append(f"so in {share_words(interval)} of them")
    count = f"{point.replications:,} replications"
    missing = max((interval.missing for interval in point.intervals), default=0)
    if missing:
        count += f", {missing:,} without data left out"
    return f"{' and '.join(words)}; {count}"


def share_words(interval: "Interval") -> str:
    """A share with its interval, in percent."""
    if not interval.count:
        return "no share that is known"
    low, high = 100 * interval.low, 100 * interval.high
    return f"{100 * interval.estimate:.1f} % ({low:.1f} to {high:.1f} %)"


def interval_words(interval: "Interval", decimals: int) -> str:
    """A mean with its interval."""
    if not interval.count:
        return "no data"
    if not math.isfinite(interval.half_width):
        return f"{interval.estimate:,.{decimals}f}"
    return (
        f"{interval.estimate:,.{decimals}f} ({interval.low:,.{decimals}f} to {interval.high:,.{decimals}f})"
    )


def number_words(value: float) -> str:
    """A number, without decimals that are 0."""
    return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"


def bottleneck_sentence(found: "Optimisation") -> str:
    """Say what limits the network at the most expensive point."""
    limit = found.bottleneck
    largest = found.point(found.largest_number)
    at = "" if largest is None else f" at {largest.label}"
    if limit is None:
        return f"Nobody waits for anything{at}, so more of any resource cannot help."
    where = _resource_words(limit)
    detail = _detail(limit, found)
    if limit.longest_stage:
        stage = limit.longest_stage.replace("_", " ")
        return (
            f"No wait is the largest part of the time to surgery{at}: {stage} takes {limit.longest_minutes:,.0f} of "
            f"{limit.surgery_minutes:,.0f} minutes. The longest wait is for {where} ({detail})."
        )
    if limit.vehicles and limit.busy < _HARDLY_BUSY:
        return (
            f"Patients wait longest for {where} ({detail}). As these are hardly busy, more of them may not help: the "
            "limit may be the way itself, or room where they go."
        )
    held = f"; while patients wait for them, they hold the {' and the '.join(reversed(limit.holds))}"
    return f"The limit is {where} ({detail}){held if limit.holds else ''}."


def _resource_words(limit: "Bottleneck") -> str:
    if limit.vehicles:
        place = "the point of injury" if limit.place == "POI" else limit.place
        return f"the vehicles {limit.resource} from {place}" if limit.resource else f"vehicles from {place}"
    return f"{limit.place}'s {limit.resource}"


def _detail(limit: "Bottleneck", found: "Optimisation") -> str:
    wait = f"mean wait {limit.wait_minutes:,.0f} min"
    if limit.vehicles:
        return f"{100 * limit.busy:.0f} % busy in the days with casualties, {wait}"
    words = f"{100 * limit.busy:.0f} % busy while patients wait"
    days = found.days
    if limit.to_hours - limit.from_hours <= _LONG * max(24.0 * days, 24.0 * 5):
        begins = f"the first {limit.to_hours:g} h"
        if limit.from_hours > 0:
            begins = f"hours {limit.from_hours:g} to {limit.to_hours:g}"
        words += f", mostly in {begins}"
    return f"{words}; {wait}"


def _best(found: "Optimisation") -> Iterator[str]:
    best = found.best
    (quantity,) = found.quantities
    if best is None:
        yield f"No replication has data for {quantity.meaning} at all points, so none can be selected."
        return
    which = "highest" if found.larger_is_better else "lowest"
    yield (
        f"{best.label} is the best of {found.size:,}, with the {which} mean: {quantity.meaning} "
        f"{interval_words(best.intervals[0], quantity.decimals)}."
    )
    difference = number_words(found.difference)
    if found.decided:
        yield (
            f"If one of them is better than all others by {difference} or more, this is the one with "
            f"{100 * found.confidence:g} % confidence. {found.replications:,} replications in all, "
            f"{_counts([each.replications for each in found.points])} of each."
        )
    else:
        yield (
            f"That is not sure: after {best.replications:,} replications it still cannot be told from "
            f"{_labels(found.undecided)} by {difference}; [search] most adds replications."
        )


def _counts(counts: Sequence[int]) -> str:
    """The least and the largest of some counts: `25 to 400`, or `25`."""
    least, largest = min(counts), max(counts)
    return f"{least:,}" if least == largest else f"{least:,} to {largest:,}"


def _points_are(count: int, of: int) -> str:
    """So many of the points, with the verb: `1 of 3 points is`."""
    return f"{count:,} of {of:,} points {'is' if count == 1 else 'are'}"


def _front(found: "Optimisation") -> Iterator[str]:
    (quantity,) = found.quantities
    front = found.front
    if front:
        ends = [front[0], front[-1]] if len(front) > 1 else [front[0]]
        words = " to ".join(
            f"{each.label} (cost {number_words(each.cost)}, {quantity.meaning} "
            f"{each.intervals[0].estimate:,.{quantity.decimals}f})"
            for each in ends
        )
        from_ = "from " if len(ends) > 1 else ""
        yield f"{_points_are(len(front), found.size)} on the front, {from_}{words}."
    else:
        yield f"None of {found.size:,} points is known to be on the front."
    dropped = found.size - len(front) - len(found.undecided)
    claims = [] if not front else ["every point on the front is better than all cheaper ones there"]
    if dropped:
        others = f"each of the {dropped:,} others is" if dropped > 1 else "the other is"
        claims.append(
            f"{others} better by at most {number_words(found.difference)} than one that costs no more"
        )
    if claims:
        but = ""
        if found.constant_numbers:
            those = [each for each in found.points if each.number in found.constant_numbers]
            but = f" but what is said of {_labels(those)}"
        yield f"With {100 * found.confidence:g} % confidence in all of it{but}: {', and '.join(claims)}."
    if found.undecided:
        yield (
            f"Not decided after {max(each.replications for each in found.undecided):,} replications: "
            f"{_labels(found.undecided)}."
        )


def _labels(points: "Sequence[PointOutcome]") -> str:
    names = [each.label for each in points[:_NAMED]]
    more = len(points) - len(names)
    return " and ".join([", ".join(names), f"{more:,} more"]) if more else ", ".join(names)
