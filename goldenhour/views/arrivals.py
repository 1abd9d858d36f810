"""The casualties that a scenario leads to expect, as tables and as JSON, for `scenarios check`."""

from collections.abc import Iterable, Sequence
from math import fsum
from typing import TYPE_CHECKING, Any, Literal

from rich.text import Text

from engine.scenario import STREAMS, Scenario, listed_rows, number_listed
from goldenhour.console import Screen, Table
from goldenhour.views.formatting import format_number

if TYPE_CHECKING:
    from engine.arrivals import ExpectedArrivals

BAR_WIDTH = 40
"""Characters of the bar of the highest day."""

MAX_BARS = 16
"""A scenario of more days than this has several days in each bar."""


def show_expected_arrivals(
    console: Screen, scenario: Scenario, expected: Sequence["ExpectedArrivals"]
) -> None:
    """Print what a resolved scenario is, and its expected casualties by front, by warfare type and by day."""
    _show_heading(console, scenario, expected)
    console.print(_fronts_table(expected))
    console.print(_types_table(expected))
    console.print(_days_table(scenario, expected))


def expected_arrivals_json(expected: Sequence["ExpectedArrivals"]) -> dict[str, Any]:
    """Expected casualties in all, by day, by front and by warfare type."""

    def grouped(*names: str) -> list[dict[str, Any]]:
        sums = _sums(expected, names)
        return [
            dict(zip(names, key, strict=True)) | {"expected": round(value, 3)} for key, value in sums.items()
        ]

    return {
        "expected": round(fsum(row.expected for row in expected), 3),
        "listed": round(fsum(row.expected for row in expected if row.is_listed)),
        "by_day": grouped("day"),
        "by_front": grouped("front", "stream"),
        "by_type": grouped("type", "special", "stream"),
    }


def triage_table(scenario: Scenario, reached: dict[str, list[float]]) -> Table:
    """The shares of T1 to T3 that the scenario asks for, and those `reached` in each warfare type."""
    wanted = (scenario.triage or {})["battle"]
    categories: tuple[Literal["T1", "T2", "T3"], ...] = ("T1", "T2", "T3")
    shown = Table("warfare type", *categories, right=categories, title="Triage of battle casualties")
    shown.add_row("asked for", *(f"{100 * wanted[category]:.0f} %" for category in categories))
    for name, shares in reached.items():
        shown.add_row(f"reached: {name}", *(f"{100 * share:.0f} %" for share in shares))
    shown.caption = (
        "of those who arrive and are not back on duty within 72 h; T1 can be matched only within limits"
    )
    return shown


def _sums(rows: Iterable["ExpectedArrivals"], names: Sequence[str]) -> dict[tuple[Any, ...], float]:
    """Expected casualties by the fields `names`, in the order of their first row."""
    parts: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        parts.setdefault(tuple(getattr(row, name) for name in names), []).append(row.expected)
    return {key: fsum(values) for key, values in parts.items()}


def _show_heading(console: Screen, scenario: Scenario, expected: Sequence["ExpectedArrivals"]) -> None:
    total = fsum(row.expected for row in expected)
    exact = scenario.casualties.total
    listed = number_listed(scenario)
    if scenario.casualties.only_listed:
        exact = listed
    count = f"exactly {exact:,}" if exact else f"about {format_number(total)}"
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


def _fronts_table(expected: Sequence["ExpectedArrivals"]) -> Table:
    right = (*STREAMS, "all")
    shown = Table("front", *right, right=right, title="Expected casualties by front")
    sums = _sums(expected, ("front", "stream"))
    fronts = list(dict.fromkeys(front for front, _ in sums))
    for front in fronts:
        values = [sums.get((front, stream), 0.0) for stream in STREAMS]
        shown.add_row(front, *map(format_number, values), format_number(fsum(values)))
    if len(fronts) > 1:
        values = [fsum(sums.get((front, stream), 0.0) for front in fronts) for stream in STREAMS]
        shown.add_row("all", *map(format_number, values), format_number(fsum(values)), style="bold")
    return shown


def _types_table(expected: Sequence["ExpectedArrivals"]) -> Table:
    right = ("battle", "of these in special events")
    shown = Table("warfare type", *right, right=right, title="By warfare type")
    battle = [row for row in expected if row.stream == "battle"]
    sums = _sums(battle, ("type",))
    special = _sums((row for row in battle if row.special is not None), ("type",))
    for key, value in sums.items():
        shown.add_row(key[0] or "(none)", format_number(value), format_number(special.get(key, 0.0)))
    return shown


def _days_table(scenario: Scenario, expected: Sequence["ExpectedArrivals"]) -> Table:
    heads = ("day", "casualties")
    shown = Table(*heads, "", right=heads, title="By day", decorative=("",))
    by_day = {key[0]: value for key, value in _sums(expected, ("day",)).items()}
    step = -(-scenario.days // MAX_BARS)
    bars = [(first, min(first + step - 1, scenario.days)) for first in range(1, scenario.days + 1, step)]
    values = [fsum(by_day.get(day, 0.0) for day in range(first, last + 1)) for first, last in bars]
    highest = max(values, default=0.0) or 1.0
    for (first, last), value in zip(bars, values, strict=True):
        label = str(first) if first == last else f"{first}-{last}"
        width = round(BAR_WIDTH * value / highest)
        shown.add_row(label, format_number(value), "█" * max(width, 1 if value > 0 else 0))
    return shown
