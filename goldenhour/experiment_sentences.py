"""What an experiment says, in sentences."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from goldenhour.sentences import difference_sentence, listed_words

if TYPE_CHECKING:
    from engine.experiments import Effect, Estimate, Quantity
    from goldenhour.experiment_result import Experiment

MOST_COMPARED = 6
"""Up to so many points besides the baseline, each has a sentence for each measure."""

MOST_MEASURES = 6
"""Measures that have sentences."""

_NAMED = 3
"""Effects that a sentence names."""

_MOST_ASSUMPTIONS = 5
"""Assumptions that a sentence names."""

_NO_SHARE = 0.005
"""Where ignorance is a smaller share of the variance, which is 0 %, no assumption is named."""

_MAIN = {"Morris": "mu*", "Sobol": "total", "rank correlation": "Spearman's rho"}
"""By kind of effect, the statistic by which effects are ranked; of other kinds there is only one."""


def experiment_sentences(experiment: "Experiment") -> Iterator[str]:
    """Yield the answer first: what matters most, what differs from the baseline, or between which values it lies."""
    for quantity in experiment.quantities[:MOST_MEASURES]:
        estimates = [each for each in experiment.estimates if each.measure == quantity.name]
        effects = [each for each in experiment.effects if each.measure == quantity.name]
        if effects:
            yield from effect_sentences(quantity, effects, experiment.confidence)
        if experiment.baseline is not None and len(estimates) > 1:
            yield from _compared(experiment, quantity, estimates, experiment.baseline, bool(effects))
        else:
            yield _range(experiment, quantity, estimates)
    if len(experiment.quantities) > MOST_MEASURES:
        yield f"{len(experiment.quantities) - MOST_MEASURES:,} more measures are in the tables."


def effect_sentences(quantity: "Quantity", effects: "Sequence[Effect]", confidence: float) -> Iterator[str]:
    """Yield what moves a measure most, and which of the effects can be told from chance."""
    kind = effects[0].kind
    if kind == "Sobol":
        yield _sobol(quantity, effects)
        return
    if kind == "uncertainty":
        yield _uncertainty(quantity, effects, confidence)
        return
    ranked = _ranked(effects, kind)
    told = [each for each in ranked if _is_told(each, confidence)]
    names = list(dict.fromkeys(each.name for each in effects if each.kind == kind))
    if not ranked:
        yield f"No replication has data for {quantity.meaning} at the points of an effect."
    elif len(names) == 1:
        verb = "moves" if told else "does not move"
        more = f": {_size(told[0], quantity)}" if told else " so that it can be told from chance"
        yield f"{names[0]} {verb} {quantity.meaning}{more}."
    elif not told:
        words = f"Of {len(names):,} factors, none moves {quantity.meaning} so that it can be told from chance"
        if kind == "Morris" and ranked[0].interval.estimate > 0.0:
            words += (
                f"; the largest effect seen is that of {ranked[0].name}, {_size(ranked[0], quantity)}, and more "
                "replications would show whether it is one"
            )
        yield f"{words}."
    else:
        first, *others = told
        most = "most" if first is ranked[0] else "most of those that can be told from chance"
        words = f"Of {len(names):,} factors, {first.name} moves {quantity.meaning} {most}: {_size(first, quantity)}"
        if others:
            parts = [f"{each.name} ({_size(each, quantity)})" for each in others[: _NAMED - 1]]
            words += f"; then {listed_words(parts)}"
        rest = len(names) - len({each.name for each in told})
        if rest:
            words += (
                f". {rest:,} cannot be told from chance" if rest > 1 else ". One cannot be told from chance"
            )
        yield words + "."
    strongest = [each for each in _ranked(effects, "interaction") if _is_told(each, confidence)]
    if strongest:
        yield (
            f"In {quantity.meaning}, two factors do more or less together than one by one, most {strongest[0].name}: "
            f"{_size(strongest[0], quantity)}."
        )


def _sobol(quantity: "Quantity", effects: "Sequence[Effect]") -> str:
    totals = sorted(
        (each for each in effects if each.statistic == "total" and each.interval.count),
        key=lambda each: -each.interval.estimate,
    )
    if not totals or all(math.isnan(each.interval.estimate) for each in totals):
        return f"Nothing varies in {quantity.meaning}, or it has no data."
    parts = [
        f"{_percent(each.interval.estimate)} ({_percent(each.interval.low)} to {_percent(each.interval.high)}) without "
        f"{each.name}"
        for each in totals[:_NAMED]
    ]
    words = f"The variance of {quantity.meaning} between points falls by {listed_words(parts)}"
    chance = next((each for each in effects if each.name == "chance"), None)
    if chance is not None and not math.isnan(chance.interval.estimate):
        words += f"; of all variance, chance makes {_percent(chance.interval.estimate)}"
    return words + "."


def _uncertainty(quantity: "Quantity", effects: "Sequence[Effect]", confidence: float) -> str:
    """How far the mean and a single result may be from what was found, and with which assumptions the mean goes."""
    found = {(each.name, each.statistic.partition(",")[0]): each.interval for each in effects}
    mean, result = found["ignorance", "mean"], found["chance and ignorance", "result"]
    share = found["ignorance", "share of variance"]
    number = f",.{quantity.decimals}f"
    words = (
        f"{_capital(quantity.meaning)}: {mean.estimate:{number}} on average. What is not known moves the mean between "
        f"{mean.low:{number}} and {mean.high:{number}} (nine of ten draws); with chance, a single result lies between "
        f"{result.low:{number}} and {result.high:{number}}. {_percent(share.estimate)} of the variance is ignorance "
        f"({_percent(share.low)} to {_percent(share.high)}), the rest chance."
    )
    ranked = [each for each in _ranked(effects, "rank correlation") if _is_told(each, confidence)]
    if ranked and share.estimate >= _NO_SHARE:
        parts = [f"{each.name} ({each.interval.estimate:+.2f})" for each in ranked[:_MOST_ASSUMPTIONS]]
        words += f" The mean goes most with {listed_words(parts)}."
    return words


def _ranked(effects: "Sequence[Effect]", kind: str) -> "list[Effect]":
    """The effects of a kind by which factors are ranked, the largest first, one of each name."""
    wanted = _MAIN.get(kind)
    own = [
        each
        for each in effects
        if each.kind == kind
        and (wanted is None or each.statistic == wanted)
        and not math.isnan(each.interval.estimate)
    ]
    found: dict[str, Effect] = {}
    for each in sorted(own, key=lambda each: -abs(each.interval.estimate)):
        found.setdefault(each.name, each)
    return list(found.values())


def _is_told(effect: "Effect", confidence: float) -> bool:
    """Whether an effect can be told from none: the p-values of all effects are judged together (Holm)."""
    return effect.p_holm <= 1.0 - confidence


def _size(effect: "Effect", quantity: "Quantity") -> str:
    """How large an effect is: `-0.62 from 1 to 2`."""
    number = effect.interval.estimate
    if effect.kind == "rank correlation":
        return f"rank correlation {number:+.2f}"
    if effect.kind == "Morris":
        return f"{number:,.{quantity.decimals}f} on average over its range"
    amount = f"{number:+,.{quantity.decimals}f}"
    return (
        amount
        if effect.kind == "interaction"
        else f"{amount} from {effect.statistic.replace(' -> ', ' to ')}"
    )


def _compared(
    experiment: "Experiment",
    quantity: "Quantity",
    estimates: "Sequence[Estimate]",
    baseline: int,
    has_effects: bool,
) -> Iterator[str]:
    """Yield what differs from the baseline: each point, or the most different ones of many."""
    labels = [point.label for point in experiment.points]
    others = [(each, each.difference) for each in estimates if each.difference is not None]

    def sentence(estimate: "Estimate") -> str:
        difference = experiment.difference(estimate)
        assert difference is not None
        return difference_sentence(
            difference, labels[baseline], labels[estimate.point], experiment.days, experiment.confidence
        )

    if len(others) <= MOST_COMPARED and not has_effects:
        yield from (sentence(each) for each, _ in others)
        return
    told = [(each, difference) for each, difference in others if not difference.contains(0.0)]
    told = [(each, difference) for each, difference in told if not math.isnan(difference.half_width)]
    words = f"{_capital(quantity.meaning)}: {len(told):,} of {len(others):,} points can be told from {labels[baseline]}"
    if not told:
        yield f"{words}."
        return
    lowest, low = min(told, key=lambda pair: pair[1].estimate)
    highest, high = max(told, key=lambda pair: pair[1].estimate)
    if low.estimate < 0.0 < high.estimate:
        yield f"{words}, in both directions. {_capital(sentence(lowest))} {_capital(sentence(highest))}"
    else:
        yield f"{words}. Most different: {sentence(lowest if high.estimate < 0.0 else highest)}"


def _range(experiment: "Experiment", quantity: "Quantity", estimates: "Sequence[Estimate]") -> str:
    """Between which means the points lie."""
    known = [each for each in estimates if each.mean.count]
    if not known:
        return f"{_capital(quantity.meaning)}: no replication has data."
    labels = [point.label for point in experiment.points]
    lowest = min(known, key=lambda each: each.mean.estimate)
    highest = max(known, key=lambda each: each.mean.estimate)

    def value(estimate: "Estimate") -> str:
        mean = estimate.mean
        words = f"{mean.estimate:,.{quantity.decimals}f}"
        if not math.isnan(mean.half_width):
            words += f" ({mean.low:,.{quantity.decimals}f} to {mean.high:,.{quantity.decimals}f})"
        return words

    if lowest is highest or lowest.mean.estimate == highest.mean.estimate:
        where = f"at {labels[lowest.point]}" if len(known) == 1 else f"at all {len(known):,} points"
        return f"{_capital(quantity.meaning)}: {value(lowest)} {where}."
    return (
        f"{_capital(quantity.meaning)}: from {value(lowest)} at {labels[lowest.point]} to {value(highest)} at "
        f"{labels[highest.point]}, of {len(known):,} points."
    )


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f} %"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
