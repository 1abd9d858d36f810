"""A comparison of scenarios on the terminal."""

import math
from typing import TYPE_CHECKING, Any

from goldenhour.console import Table

if TYPE_CHECKING:
    from engine.experiments import Difference, Quantity
    from engine.inference import Interval
    from goldenhour.comparison import Comparison

NO_VALUE = "-"


def comparison_table(comparison: "Comparison") -> Table:
    """Return the table of a comparison: a row for the baseline and one for each scenario, by quantity."""
    percent = f"{100 * comparison.confidence:g} %"
    heads = ("mean", "difference", f"{percent} interval", "pairs", "pairing gain")
    shown = Table("quantity", "scenario", *heads, right=heads, keys=2, sentences=("quantity", "scenario"))
    for quantity in comparison.quantities:
        mine = [each for each in comparison.differences if each.quantity.name == quantity.name]
        first = mine[0]
        shown.add_row(
            quantity.meaning, comparison.labels[0], _number(quantity, first.baseline.estimate), "", "", "", ""
        )
        for each in mine:
            shown.add_row("", comparison.labels[each.alternative], *_cells(each))
    return shown


def comparison_json(comparison: "Comparison") -> dict[str, Any]:
    """Return a comparison as plain data, without the single replications."""
    return {
        "scenarios": list(comparison.labels),
        "seed": comparison.seed,
        "pairs": comparison.pairs,
        "confidence": comparison.confidence,
        "precise": comparison.precise,
        "differences": [
            {
                "quantity": each.quantity.name,
                "meaning": each.quantity.meaning,
                "scenario": comparison.labels[each.alternative],
                "baseline": comparison.labels[0],
                "baseline_mean": _interval_json(each.baseline),
                "mean": _interval_json(each.mean),
                "difference": _interval_json(each.difference),
                "lower": each.lower,
                "equal": each.equal,
                "pairing_gain": _plain(each.pairing_gain),
            }
            for each in comparison.differences
        ],
        "sentences": list(comparison.sentences),
        "notes": list(comparison.notes),
    }


def _cells(each: "Difference") -> list[str]:
    quantity, interval = each.quantity, each.difference
    gain = NO_VALUE if math.isnan(each.pairing_gain) else f"{each.pairing_gain:,.1f}"
    if math.isnan(interval.half_width):
        bounds = NO_VALUE
    else:
        bounds = f"{interval.low:+,.{quantity.decimals}f} to {interval.high:+,.{quantity.decimals}f}"
    difference = interval.estimate
    return [
        _number(quantity, each.mean.estimate),
        NO_VALUE if math.isnan(difference) else f"{difference:+,.{quantity.decimals}f}",
        bounds,
        f"{interval.count:,}",
        "all" if math.isinf(each.pairing_gain) else gain,
    ]


def _number(quantity: "Quantity", value: float) -> str:
    return NO_VALUE if math.isnan(value) else f"{value:,.{quantity.decimals}f}"


def _interval_json(interval: "Interval") -> dict[str, Any]:
    return {
        "estimate": _plain(interval.estimate),
        "low": _plain(interval.low),
        "high": _plain(interval.high),
        "count": interval.count,
        "missing": interval.missing,
    }


def _plain(value: float) -> float | None:
    """The value, or None where JSON has no number for it."""
    return value if math.isfinite(value) else None
