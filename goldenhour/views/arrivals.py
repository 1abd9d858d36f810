"""The casualties that a scenario leads to expect, as tables and as JSON, for `scenarios check`."""

from collections.abc import Iterable, Sequence
from math import fsum
from typing import TYPE_CHECKING, Any

from rich.text import Text

from engine.scenario import STREAMS, Scenario, listed_rows, number_listed
from goldenhour.console import Screen, Table
from goldenhour.views.formatting import format_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.arrivals import ArrivalCounts, ExpectedArrivals, Range

RANGE = "5-95 %"
"""Head of the columns of ranges."""

BAR_WIDTH = 40
"""Characters of the bar of the highest day."""

MAX_BARS = 16
"""A scenario of more days than this has several days in each bar."""

MAX_STRENGTH_COLUMNS = 6
"""Most fronts whose strength is shown one beside the other."""


def show_expected_arrivals(
    console: Screen,
    scenario: Scenario,
    expected: Sequence["ExpectedArrivals"],
    counts: "ArrivalCounts | None",
    strength: "NDArray[np.float64] | None" = None,
) -> None:
    """Print what a resolved scenario is, and its expected casualties by front, by warfare type and by day.

    Parameters
    ----------
    counts
        Gives the ranges of 5 to 95 %; without them there are none.
    strength
        Shape (days, fronts): expected strength at the beginning of each day, under depletion.
    """
    _show_heading(console, scenario, expected, counts)
    console.print(_fronts_table(expected, counts))
    console.print(_types_table(expected, counts))
    console.print(_days_table(scenario, expected, counts))
    if strength is not None:
        console.print(_strength_table(scenario, strength))
    if counts is not None:
        console.print(
            f"5-95 %: the range of nine of ten of {counts.replications} replications", highlight=False
        )
    else:
        console.print(
            "no ranges: there are too many casualties to draw them many times here", highlight=False
        )


def expected_arrivals_json(
    expected: Sequence["ExpectedArrivals"],
    counts: "ArrivalCounts | None",
    scenario: Scenario,
    strength: "NDArray[np.float64] | None" = None,
) -> dict[str, Any]:
    """Expected casualties in all, by day, by front and by warfare type, each with its range of 5 to 95 %.

    Under depletion also the expected strength at the beginning of each day, by front.
    """

    def grouped(*names: str) -> list[dict[str, Any]]:
        sums = _sums(expected, names)
        return [
            dict(zip(names, key, strict=True))
            | {"expected": round(value, 3), "range": _range(_counts_of(counts, names, key))}
            for key, value in sums.items()
        ]

    return {
        "expected": round(fsum(row.expected for row in expected), 3),
        "range": _range(None if counts is None else [counts.total]),
        "replications": None if counts is None else counts.replications,
        "listed": round(fsum(row.expected for row in expected if row.is_listed)),
        "by_day": grouped("day"),
        "by_front": grouped("front", "stream"),
        "by_type": grouped("type", "special", "stream"),
        **({} if strength is None else {"strength": _strength_json(scenario, strength)}),
    }


def _strength_json(scenario: Scenario, strength: "NDArray[np.float64]") -> list[dict[str, Any]]:
    """Expected strength of each front at the beginning of each day."""
    return [
        {"day": day + 1, "front": front.name, "expected": round(float(strength[day, number]), 3)}
        for day in range(len(strength))
        for number, front in enumerate(scenario.fronts)
    ]


def _counts_of(counts: "ArrivalCounts | None", names: Sequence[str], key: Sequence[Any]) -> list[Any] | None:
    """Counts of the casualties with these values of the fields `names`; None without counts."""
    if counts is None:
        return None
    if tuple(names) == ("day",):
        return [counts.by_day[key[0] - 1]]
    fields = ("front", "stream") if "front" in names else ("type", "special", "stream")
    table: dict[Any, Any] = counts.by_front if "front" in names else counts.by_type
    wanted = dict(zip(names, key, strict=True))
    return [
        found
        for entry, found in table.items()
        if all(wanted.get(field, value) == value for field, value in zip(fields, entry, strict=True))
    ]


def _range(counts: list[Any] | None) -> "Range | None":
    """Range of the sum of some counts; None without counts."""
    if counts is None:
        return None
    from engine.arrivals import Range, range_of

    return range_of(counts) if counts else Range(0, 0)


def _range_text(counts: list[Any] | None) -> str:
    """Range of the sum of some counts, empty where it is a single number or not known."""
    found = _range(counts)
    return "" if found is None or found.low == found.high else f"{found.low:,}-{found.high:,}"


def _sums(rows: Iterable["ExpectedArrivals"], names: Sequence[str]) -> dict[tuple[Any, ...], float]:
    """Expected casualties by the fields `names`, in the order of their first row."""
    parts: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        parts.setdefault(tuple(getattr(row, name) for name in names), []).append(row.expected)
    return {key: fsum(values) for key, values in parts.items()}


def _show_heading(
    console: Screen,
    scenario: Scenario,
    expected: Sequence["ExpectedArrivals"],
    counts: "ArrivalCounts | None",
) -> None:
    total = fsum(row.expected for row in expected)
    exact = scenario.casualties.total
    listed = number_listed(scenario)
    if scenario.casualties.only_listed:
        exact = listed
    count = f"exactly {exact:,}" if exact else f"about {format_number(total)}"
    between = "" if exact or counts is None else _range_text([counts.total])
    if between:
        count += f" (5-95 %: {between})"
    console.print(Text(scenario.name, style="bold"))
    if scenario.description:
        console.print(scenario.description, highlight=False)
    days = "1 day" if scenario.days == 1 else f"{scenario.days} days"
    console.print(
        f"{count} {'casualty' if exact == 1 else 'casualties'} in {days} from {scenario.start}, seed {scenario.seed}",
        highlight=False,
    )
    if listed:
        times = {
            (row.at, row.front, row.incident.stream, row.incident.mechanism == "cbrn")
            for row in listed_rows(scenario)
        }
        incidents = "1 incident" if len(times) == 1 else f"{len(times):,} incidents"
        if scenario.casualties.only_listed:
            rest = "nothing else comes"
        elif exact:
            rest = f"the other {exact - listed:,} of the total are drawn"
        else:
            rest = "those that the rates draw come on top"
        console.print(f"{listed:,} of them listed, in {incidents}; {rest}", highlight=False)


def _fronts_table(expected: Sequence["ExpectedArrivals"], counts: "ArrivalCounts | None") -> Table:
    right = (*STREAMS, "all", RANGE)
    shown = Table("front", *right, right=right, title="Expected casualties by front")
    sums = _sums(expected, ("front", "stream"))
    fronts = list(dict.fromkeys(front for front, _ in sums))
    for front in fronts:
        values = [sums.get((front, stream), 0.0) for stream in STREAMS]
        between = _range_text(_counts_of(counts, ("front",), (front,)))
        shown.add_row(front, *map(format_number, values), format_number(fsum(values)), between)
    if len(fronts) > 1:
        values = [fsum(sums.get((front, stream), 0.0) for front in fronts) for stream in STREAMS]
        between = _range_text(None if counts is None else [counts.total])
        shown.add_row("all", *map(format_number, values), format_number(fsum(values)), between, style="bold")
    return shown


def _types_table(expected: Sequence["ExpectedArrivals"], counts: "ArrivalCounts | None") -> Table:
    right = ("battle", RANGE, "of these in special events")
    shown = Table("warfare type", *right, right=right, title="By warfare type")
    battle = [row for row in expected if row.stream == "battle"]
    sums = _sums(battle, ("type",))
    special = _sums((row for row in battle if row.special is not None), ("type",))
    for key, value in sums.items():
        between = _range_text(_counts_of(counts, ("type", "stream"), (key[0], "battle")))
        shown.add_row(key[0] or "(none)", format_number(value), between, format_number(special.get(key, 0.0)))
    return shown


def _days_table(
    scenario: Scenario, expected: Sequence["ExpectedArrivals"], counts: "ArrivalCounts | None"
) -> Table:
    heads = ("day", "casualties", RANGE)
    shown = Table(*heads, "", right=heads, title="By day", decorative=("",))
    by_day = {key[0]: value for key, value in _sums(expected, ("day",)).items()}
    step = -(-scenario.days // MAX_BARS)
    bars = [(first, min(first + step - 1, scenario.days)) for first in range(1, scenario.days + 1, step)]
    values = [fsum(by_day.get(day, 0.0) for day in range(first, last + 1)) for first, last in bars]
    highest = max(values, default=0.0) or 1.0
    for (first, last), value in zip(bars, values, strict=True):
        label = str(first) if first == last else f"{first}-{last}"
        width = round(BAR_WIDTH * value / highest)
        between = _range_text(None if counts is None else list(counts.by_day[first - 1 : last]))
        shown.add_row(label, format_number(value), between, "█" * max(width, 1 if value > 0 else 0))
    return shown


def _strength_table(scenario: Scenario, strength: "NDArray[np.float64]") -> Table:
    """Expected strength by day: of each front, or of all together where there are more than fit on a line."""
    names = [front.name for front in scenario.fronts]
    if len(names) > MAX_STRENGTH_COLUMNS:
        names, strength = [f"all {len(names)} fronts"], strength.sum(axis=1, keepdims=True)
    heads = ("day", *names)
    shown = Table(*heads, right=heads, title="Expected strength")
    step = -(-len(strength) // MAX_BARS)
    for day in range(0, len(strength), step):
        shown.add_row(str(day + 1), *(format_number(float(value)) for value in strength[day]))
    return shown
