"""A sensitivity analysis on the terminal: a tornado for each quantity, and as JSON."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from goldenhour.console import Table

if TYPE_CHECKING:
    from engine.experiments import Quantity, Swing
    from engine.scenario import Assumption
    from goldenhour.sensitivity_result import Sensitivity

BAR_WIDTH = 25
"""Characters of the bars of a tornado, with the answer as it is in the middle."""

MOST_ROWS = 12
"""Assumptions in a tornado: those that can be told from chance, and the widest of the others."""


def tornado_table(found: "Sensitivity", quantity: "Quantity") -> Table:
    """Return the tornado of a quantity: a row for each of the assumptions with the widest swings."""
    answer = found.answers[quantity.name].estimate
    sign = "+" if found.is_difference else ""
    rows = found.swings[quantity.name]
    told = [swing for swing in rows if swing.is_told(found.confidence)]
    rest = [swing for swing in rows if swing not in told]
    shown = told + rest[: max(0, MOST_ROWS - len(told))]
    farthest = max(
        (
            abs(end.estimate)
            for swing in shown
            for end in (swing.low, swing.high)
            if not math.isnan(end.estimate)
        ),
        default=0.0,
    )
    heads = ("at low", "at high")
    table = Table(
        "assumption",
        "range",
        *heads,
        "",
        "sure",
        right=heads,
        title=f"{quantity.meaning}, {answer:{sign},.{quantity.decimals}f} as assumed",
        decorative=("",),
        sentences=("assumption",),
        whole=("range",),
    )
    for swing in shown:
        one = found.assumptions[swing.assumption]
        ends = (swing.at_low.estimate, swing.at_high.estimate)
        table.add_row(
            one.name,
            _range(one),
            *("-" if math.isnan(end) else f"{end:{sign},.{quantity.decimals}f}" for end in ends),
            _bar(swing, farthest),
            "yes" if swing in told else "no",
        )
    return table


def sensitivity_json(found: "Sensitivity") -> dict[str, Any]:
    """Return a sensitivity analysis as plain data, without the single replications."""
    return {
        "scenarios": list(found.labels),
        "seed": found.seed,
        "replications": found.replications,
        "confidence": found.confidence,
        "answers": {
            name: {"estimate": _plain(each.estimate), "low": _plain(each.low), "high": _plain(each.high)}
            for name, each in found.answers.items()
        },
        "swings": [{key: _plain(value) for key, value in row.items()} for row in found.rows()],
        "without_effect": list(found.idle),
        "sentences": list(found.sentences),
    }


def _range(one: "Assumption") -> str:
    """The ends of a range; of several values, the first one's with dots."""
    if isinstance(one.mode, list | Mapping):
        pairs = list(zip(_values(one.low), _values(one.high), strict=True))
        low, high = next((pair for pair in pairs if pair[0] != pair[1]), pairs[0])
        return f"{_short(low)} to {_short(high)} ..."
    return f"{_short(one.low)} to {_short(one.high)}"


def _short(value: float) -> str:
    """A number with three digits, or whole where it has more."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _values(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else list(value)


def _bar(swing: "Swing", farthest: float) -> str:
    """The bar from the lowest to the highest change, with the answer as it is in the middle."""
    half = BAR_WIDTH // 2
    ends = [end.estimate for end in (swing.low, swing.high) if not math.isnan(end.estimate)]
    if not ends or farthest <= 0.0:
        return " " * half + "│"
    left, right = (round(half * max(0.0, side) / farthest) for side in (-min(*ends, 0.0), max(*ends, 0.0)))
    return " " * (half - left) + "█" * left + "│" + "█" * right


def _plain(value: Any) -> Any:
    """A value with None in place of numbers that JSON does not have."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
