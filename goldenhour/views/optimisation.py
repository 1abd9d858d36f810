"""What an optimisation has found, on the terminal: the points that were looked at, and the front as a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from goldenhour.console import Table
from goldenhour.views.experiment import experiment_words

if TYPE_CHECKING:
    from actors.store import ExperimentDetail
    from engine.inference import Interval
    from goldenhour.optimisation_result import Optimisation, PointOutcome

MOST_ROWS = 60
"""Most points in the table. The front, what was found and its neighbours come first."""

WIDTH, HEIGHT = 60, 14
"""Characters of the picture."""

MARKS = {"on the front": "O", "not decided": "?", "dominated": ".", "not worth it": "."}
"""By decision, the mark in the picture; a later one covers an earlier one in the order reversed."""

_NO_VALUE = "-"


def optimisation_words(detail: "ExperimentDetail") -> str:
    """How far an optimisation is."""
    words = experiment_words(replace(detail, widest=""))
    return f"{words}; {detail.widest}" if detail.widest else words


def optimisation_table(found: "Optimisation") -> Table:
    """Return the table of the points that were looked at, cheaper ones first."""
    heads = ["cost"] if found.goal != "best" else []
    for head in _measures(found):
        heads += [head, "interval"] if len(found.quantities) == 1 else [head]
    heads.append("replications")
    shown = Table("point", *heads, "decision", right=heads, sentences=("point",))
    for point in _chosen(found):
        cells = [f"{point.cost:,.6g}"] if found.goal != "best" else []
        for number, interval in enumerate(point.intervals):
            value, bounds = _interval(found, number, interval)
            cells += [value, bounds] if len(found.quantities) == 1 else [f"{value} ({bounds})"]
        shown.add_row(point.label, *cells, f"{point.replications:,}", _decision(point))
    return shown


def optimisation_json(found: "Optimisation") -> dict[str, Any]:
    """Return what was found as plain data, without the single replications."""
    return {
        "name": found.name,
        "goal": found.goal,
        "confidence": found.confidence,
        "seed": found.seed,
        "points": found.size,
        "simulated": len(found.points),
        "replications": found.replications,
        "decided": found.decided,
        "best": None if found.best is None else found.best.label,
        "front": [each.label for each in found.front],
        "undecided": [each.label for each in found.undecided],
        "bottleneck": None if found.bottleneck is None else found.bottleneck._asdict(),
        "rows": list(found.rows()),
        "sentences": list(found.sentences),
        "notes": list(found.notes),
    }


def front_picture(found: "Optimisation") -> str:
    """Return cost against the objective as lines of characters: O on the front, ? not decided, . left out."""
    points = [each for each in found.points if each.intervals[0].count]
    if len(points) < 2:
        return ""
    decimals = found.quantities[0].decimals
    xs = [each.cost for each in points]
    ys = [each.intervals[0].estimate for each in points]
    grid = [[" "] * WIDTH for _ in range(HEIGHT)]
    order = sorted(range(len(points)), key=lambda k: ".?O".index(MARKS[points[k].decision]))
    for k in order:
        column = _place(xs[k], min(xs), max(xs), WIDTH)
        row = HEIGHT - 1 - _place(ys[k], min(ys), max(ys), HEIGHT)
        grid[row][column] = MARKS[points[k].decision]
    high, low = f"{max(ys):,.{decimals}f}", f"{min(ys):,.{decimals}f}"
    margin = max(len(high), len(low))
    labels = [high, *[""] * (HEIGHT - 2), low]
    lines = [f"{label:>{margin}} |{''.join(row).rstrip()}" for label, row in zip(labels, grid, strict=True)]
    left, right = f"{min(xs):,.6g}", f"{max(xs):,.6g}"
    lines.append(f"{'':>{margin}} +{'-' * WIDTH}")
    lines.append(f"{'':>{margin}}  {left}{right:>{WIDTH - len(left)}}")
    lines.append(
        f"{'':>{margin}}  cost, and {found.quantities[0].meaning}: O on the front, ? not decided, . left out"
    )
    return "\n".join(lines)


def _place(value: float, low: float, high: float, cells: int) -> int:
    return 0 if high <= low else round((cells - 1) * (value - low) / (high - low))


def _measures(found: "Optimisation") -> list[str]:
    """The heads of the values: a share of replications, or a mean."""
    if found.goal != "cheapest":
        return [f"{found.quantities[0].name}, mean"]
    heads = []
    for constraint, quantity in zip(found.plan.constraints, found.quantities, strict=True):
        if constraint.probability is None:
            heads.append(f"{quantity.name}, mean")
        else:
            sign, limit = (
                ("<=", constraint.at_most) if constraint.at_most is not None else (">=", constraint.at_least)
            )
            heads.append(f"P({quantity.name} {sign} {limit:g})")
    return heads


def _interval(found: "Optimisation", number: int, interval: "Interval") -> tuple[str, str]:
    """Value and bounds of a constraint or the objective."""
    if not interval.count:
        return _NO_VALUE, _NO_VALUE
    share = found.goal == "cheapest" and found.plan.constraints[number].probability is not None
    decimals = 3 if share else found.quantities[number].decimals
    value = f"{interval.estimate:,.{decimals}f}"
    if not abs(interval.half_width) < float("inf"):
        return value, _NO_VALUE
    return value, f"{interval.low:,.{decimals}f} to {interval.high:,.{decimals}f}"


def _decision(point: "PointOutcome") -> str:
    if point.by is None:
        return point.decision
    return f"{point.decision}, {'by' if point.decision == 'dominated' else 'beside'} {point.by}"


def _chosen(found: "Optimisation") -> "Sequence[PointOutcome]":
    """The points of the table: all, or those that matter most."""
    if len(found.points) <= MOST_ROWS:
        return found.points
    important = {"meets", "too close", "on the front", "not decided", "best"}
    chosen = [each for each in found.points if each.decision in important][:MOST_ROWS]
    rest = [each for each in found.points if each.decision not in important]
    if found.goal == "cheapest":
        rest = rest[::-1]
    chosen += rest[: MOST_ROWS - len(chosen)]
    return sorted(chosen, key=lambda each: (each.cost, each.number))
