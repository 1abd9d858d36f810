"""A comparison of scenarios on the terminal."""

import math
from typing import TYPE_CHECKING, Any

from goldenhour.console import Table
from goldenhour.views.formatting import plain_number

if TYPE_CHECKING:
    from engine.experiments import Difference, Quantity
    from engine.inference import Interval
    from goldenhour.comparison import Comparison

NO_VALUE = "-"


def comparison_table(comparison: "Comparison") -> Table:
    """Return the table of a comparison: a row by quantity, and by scenario where there are several."""
    percent = f"{100 * comparison.confidence:g} %"
    differing = any(each.difference.count != comparison.pairs for each in comparison.differences)
    heads = ["baseline", "compared", "difference", f"{percent} interval", "gain"]
    if differing:
        heads.insert(4, "pairs")
    several = len(comparison.labels) > 2
    keys = ["quantity", "compared scenario"] if several else ["quantity"]
    table = Table(
        *keys, *heads, right=heads, keys=len(keys), whole=("quantity", heads[3]), sentences=keys[1:]
    )
    name = ""
    for each in comparison.differences:
        cells = _cells(each)
        if not differing:
            del cells[4]
        first = "" if each.quantity.name == name else each.quantity.meaning
        name = each.quantity.name
        table.add_row(first, *([comparison.labels[each.alternative]] if several else []), *cells)
    return table


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
                "pairing_gain": plain_number(each.pairing_gain),
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
        _number(quantity, each.baseline.estimate),
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
        "estimate": plain_number(interval.estimate),
        "low": plain_number(interval.low),
        "high": plain_number(interval.high),
        "count": interval.count,
        "missing": interval.missing,
    }
