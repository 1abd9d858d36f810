"""An experiment on the terminal: what it costs, its points with a picture of their intervals, and its effects."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.scenario import Scenario, own_value
from goldenhour.console import Table
from goldenhour.views.formatting import format_duration, plain_number

if TYPE_CHECKING:
    from actors.store import ExperimentDetail
    from engine.experiments import DesignPoints, Effect, Estimate, Price, Quantity
    from engine.inference import Interval
    from goldenhour.experiment_result import Experiment

NO_VALUE = "-"

MOST_ROWS = 12
"""Most rows of a table of points or effects; the files have all."""

MOST_MEASURES = 4
"""Measures that have tables."""

MOST_LEVELS = 6
"""Levels of a factor that are shown."""

PICTURE_WIDTH = 25
"""Characters of the picture of an interval."""

_SHOWN = {"Morris": ("mu*",), "Sobol": ("first order", "total", "share of variance")}
"""By kind of effect, the statistics that are shown; of other kinds all."""


class _Scale(NamedTuple):
    """The numbers at both ends of the pictures of a table."""

    low: float
    high: float

    def place(self, value: float) -> int:
        """The character that stands for a value."""
        span = self.high - self.low
        share = 0.5 if span <= 0.0 else (value - self.low) / span
        return round(min(1.0, max(0.0, share)) * (PICTURE_WIDTH - 1))


def experiment_words(detail: "ExperimentDetail") -> str:
    """How far an experiment is."""
    words = f"Simulating: {detail.replications:,} of {detail.replications_wanted:,} replications"
    if detail.cached:
        words += f", {detail.cached:,} known before"
    words += f"; {detail.points_done:,} of {detail.points:,} points"
    if detail.seconds_left is not None and detail.replications < detail.replications_wanted:
        words += f"; about {format_duration(detail.seconds_left)} left"
    return f"{words}; widest: {detail.widest}" if detail.widest else words


def experiment_tables(experiment: "Experiment") -> Iterator[Table]:
    """Yield the tables of an experiment: by measure the effects, largest first, and the points."""
    for quantity in experiment.quantities[:MOST_MEASURES]:
        effects = [each for each in experiment.effects if each.measure == quantity.name]
        if effects:
            yield _effects_table(experiment, quantity, effects)
        estimates = [each for each in experiment.estimates if each.measure == quantity.name]
        if len(experiment) <= MOST_ROWS or not effects:
            yield _points_table(experiment, quantity, estimates)


def factors_table(base: Scenario, design: "DesignPoints") -> Table:
    """Return what is varied: each factor with its levels and its value in the resolved scenario `base`."""
    table = Table("factor", "levels", "in the scenario", "settings", sentences=("levels", "settings"))
    for number, (name, paths) in enumerate(zip(design.names, design.paths, strict=True)):
        own = [row[number] for row in design.rows]
        if all(isinstance(value, int | float) for value in own):
            own.sort()
        values = list(dict.fromkeys(map(_value, own)))
        many = f"{len(values):,} values, such as {', '.join(values[:2])}"
        table.add_row(
            name,
            ", ".join(values) if len(values) <= MOST_LEVELS else _span(design, number) or many,
            _own_value(base, paths),
            ", ".join(paths[:MOST_LEVELS])
            + (f" and {len(paths) - MOST_LEVELS:,} more" if len(paths) > MOST_LEVELS else ""),
        )
    return table


def price_json(price: "Price") -> dict[str, Any]:
    """Return what an experiment costs as plain data."""
    return {
        "points": price.points,
        "replications": price.replications,
        "most_replications": price.most_replications,
        "seconds": plain_number(price.seconds),
    }


def experiment_json(experiment: "Experiment") -> dict[str, Any]:
    """Return an experiment as plain data, without the single replications."""
    return {
        "experiment": experiment.name,
        "folder": None if experiment.folder is None else str(experiment.folder),
        "design": experiment.plan.kind,
        "factors": list(experiment.factors),
        "points": [
            {
                "point": point.point,
                "label": point.label,
                "values": dict(zip(experiment.factors, point.values, strict=True)),
                "replications": point.replications,
            }
            for point in experiment.points
        ],
        "baseline": experiment.baseline,
        "confidence": experiment.confidence,
        "precise": experiment.precise,
        "estimates": _rows(experiment, "estimates"),
        "effects": _rows(experiment, "effects") if experiment.effects else [],
        "sentences": list(experiment.sentences),
        "notes": list(experiment.notes),
    }


def _rows(experiment: "Experiment", name: str) -> list[dict[str, Any]]:
    table = experiment.table(name)
    heads = [column.name for column in table.columns]
    return [
        {
            head: plain_number(value) if isinstance(value, float) else value
            for head, value in zip(heads, row, strict=True)
        }
        for row in zip(*table.values, strict=True)
    ]


def _points_table(experiment: "Experiment", quantity: "Quantity", estimates: "Sequence[Estimate]") -> Table:
    """The means of the points with their intervals; of many points the lowest and the highest."""
    percent = f"{100 * experiment.confidence:g} % interval"
    compared = experiment.baseline is not None and len(estimates) > 1
    heads = ["mean", percent, *(["difference", "its interval"] if compared else [])]
    chosen, left_out = _chosen(estimates)
    scale = _scale([each.mean for each in chosen])
    picture = f"{_number(quantity, scale.low)} to {_number(quantity, scale.high)}"
    table = Table(
        "point", *heads, picture, right=heads, whole=(*heads, picture), decorative=(picture,), sentences=("point",),
        title=quantity.meaning,
    )  # fmt: skip
    for each in chosen:
        label = experiment.points[each.point].label
        cells = [_number(quantity, each.mean.estimate), _bounds(quantity, each.mean, "")]
        if compared:
            difference = each.difference
            cells += ["baseline", ""] if difference is None else [
                _signed(quantity, difference.estimate), _bounds(quantity, difference, "+")
            ]  # fmt: skip
        table.add_row(label, *cells, _picture(each.mean, scale))
    if left_out:
        table.caption = f"The lowest and highest of {len(estimates):,} points; estimates.csv has all."
        table.caption_justify = "left"
    return table


def _effects_table(experiment: "Experiment", quantity: "Quantity", effects: "Sequence[Effect]") -> Table:
    """The effects with their intervals, the largest first."""
    percent = f"{100 * experiment.confidence:g} % interval"
    wanted = [each for each in effects if each.statistic in _SHOWN.get(each.kind, (each.statistic,))]
    wanted.sort(key=lambda each: -abs(each.interval.estimate) if each.interval.count else math.inf)
    kinds = {each.kind for each in wanted}
    unit = quantity if kinds <= {"main effect", "interaction", "one at a time", "Morris"} else None
    scale = _scale([each.interval for each in wanted[:MOST_ROWS]], zero=True)
    picture = f"{_number(unit, scale.low)} to {_number(unit, scale.high)}"
    heads = ["effect", percent]
    table = Table(
        "factor", "what", *heads, picture, right=heads, whole=(*heads, picture), decorative=(picture,), keys=2,
        sentences=("factor", "what"), title=f"effects on {quantity.meaning}",
    )  # fmt: skip
    for each in wanted[:MOST_ROWS]:
        what = each.statistic if each.kind != "interaction" else "together more than one by one"
        sign = "+" if each.kind in ("main effect", "interaction", "one at a time", "rank correlation") else ""
        amount = _signed(unit, each.interval.estimate) if sign else _number(unit, each.interval.estimate)
        table.add_row(
            each.name,
            what,
            amount,
            _bounds(unit, each.interval, sign),
            _picture(each.interval, scale, zero=True),
        )
    if len(wanted) > MOST_ROWS:
        table.caption = f"The largest of {len(wanted):,} effects; effects.csv has all."
        table.caption_justify = "left"
    return table


def _chosen(estimates: "Sequence[Estimate]") -> "tuple[list[Estimate], bool]":
    """The estimates that are shown, in the order of the points, or of their means; and whether others are left out."""
    if len(estimates) <= MOST_ROWS:
        return list(estimates), False
    known = sorted((each for each in estimates if each.mean.count), key=lambda each: each.mean.estimate)
    half = MOST_ROWS // 2
    return (known, True) if len(known) <= MOST_ROWS else (known[:half] + known[-half:], True)


def _scale(intervals: "Sequence[Interval]", zero: bool = False) -> _Scale:
    ends = [0.0] if zero else []
    for each in intervals:
        ends += [end for end in (each.low, each.estimate, each.high) if math.isfinite(end)]
    return _Scale(min(ends), max(ends)) if ends else _Scale(0.0, 0.0)


def _picture(interval: "Interval", scale: _Scale, zero: bool = False) -> str:
    """The interval as a line with a dot at the estimate; with `zero`, a mark where 0 is."""
    characters = [" "] * PICTURE_WIDTH
    if zero:
        characters[scale.place(0.0)] = "│"
    if math.isfinite(interval.estimate):
        if math.isfinite(interval.low) and math.isfinite(interval.high):
            for place in range(scale.place(interval.low), scale.place(interval.high) + 1):
                characters[place] = "─"
        characters[scale.place(interval.estimate)] = "•"
    return "".join(characters).rstrip()


def _number(quantity: "Quantity | None", value: float) -> str:
    if math.isnan(value):
        return NO_VALUE
    return f"{value:,.{2 if quantity is None else quantity.decimals}f}"


def _signed(quantity: "Quantity | None", value: float) -> str:
    return NO_VALUE if math.isnan(value) else f"{value:+,.{2 if quantity is None else quantity.decimals}f}"


def _bounds(quantity: "Quantity | None", interval: "Interval", sign: str) -> str:
    if math.isnan(interval.half_width):
        return NO_VALUE
    write = _signed if sign else _number
    return f"{write(quantity, interval.low)} to {write(quantity, interval.high)}"


def _value(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _span(design: "DesignPoints", number: int) -> str | None:
    """The least and the largest value of a factor, if all are numbers."""
    values = [row[number] for row in design.rows]
    if not all(isinstance(value, int | float) for value in values):
        return None
    count = len(set(values))
    return f"{_value(min(values))} to {_value(max(values))}, {count:,} values"


def _own_value(base: Scenario, paths: Sequence[str]) -> str:
    """The value of a factor in the scenario."""
    values = [own_value(base, path) for path in paths]
    if any(value != values[0] for value in values):
        return "several"
    return NO_VALUE if values[0] is None else _value(values[0])
