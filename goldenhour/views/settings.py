"""What a scenario says of care and of listed casualties, for `scenarios check`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.scenario import (
    ListedRow,
    Scenario,
    changed_settings,
    environment_multipliers,
    listed_rows,
    model_constants,
    moment_text,
    start_seconds,
)
from goldenhour.console import Screen, Table
from goldenhour.views.formatting import plural

if TYPE_CHECKING:
    from engine.compile import ListedDeaths

CARE_FIELDS = (
    "triage",
    "survival",
    "treatments",
    "model",
    "intensive_care",
    "reoperations",
    "point_of_injury",
    "triage_accuracy",
    "retriage_minutes",
    "bumping",
    "expectant",
    "mascal_threshold",
)
"""Fields of a scenario about care and what it is for."""

FACILITY_FIELDS = (
    "hold_bay",
    "triage_minutes",
    "care_minutes",
    "resuscitation_minutes",
    "surgery_minutes",
    "icu_minutes",
)
"""Fields of a facility about care that the tables of the network do not show."""

MOST_ENTRIES = 20
"""Entries of `incidents` that the table shows."""


def care_settings(scenario: Scenario) -> dict[str, str]:
    """The settings of care that a scenario, as written, has and that differ from the defaults, by their path."""
    found = dict(changed_settings(scenario, CARE_FIELDS))
    for facility in scenario.facilities:
        place = f"facilities[{facility.id}]"
        found |= {f"{place}.{name}": value for name, value in changed_settings(facility, FACILITY_FIELDS)}
    return found


def environment_effects(scenario: Scenario) -> str:
    """What the environment of a scenario does to casualties, transport and care, in words; empty without one."""
    if not scenario.environment:
        return ""
    from engine.compile import environment

    def product(name: str) -> float:
        return environment(scenario, name, 1.0, lambda one, other: one * other)

    factors = environment_multipliers(scenario)
    delay = environment(scenario, "evacuation_delay_minutes", 0.0, lambda one, other: one + other)
    effects = [
        f"battle casualties and NBI times {factors['battle']:.3g}, disease times {factors['disease']:.3g}",
        f"links take {1 / product('mobility'):.3g} times as long, those to Role 4 apart",
        f"{delay:g} minutes more from the point of injury",
        f"first aid begins {1 / product('visibility'):.3g} times as late",
    ]
    if "extreme_cold" in scenario.environment:
        cold = model_constants(scenario, "survival")["clock_factors"]["cold"]
        effects.append(f"the wounded die {cold:g} times as fast")
    return f"{', '.join(scenario.environment)}: {'; '.join(effects)}"


def show_care_settings(screen: Screen, scenario: Scenario) -> None:
    """Print the settings of care that a scenario, as written, has and that differ from the defaults."""
    settings = care_settings(scenario)
    if scenario.environment:
        settings = {"environment": environment_effects(scenario), **settings}
    if settings:
        shown = Table("setting", "value", title="Care settings", sentences=("value",))
        for name, value in settings.items():
            shown.add_row(name, value)
        screen.print(shown)


def listed_json(scenario: Scenario) -> list[dict[str, Any]]:
    """By entry of `incidents` of a resolved scenario: its first and last time, front, number and what it gives."""
    start = start_seconds(scenario)
    return [
        {
            "first": moment_text(start + rows[0].at / 1000),
            "last": moment_text(start + rows[-1].at / 1000),
            "front": rows[0].front,
            "number": sum(row.number for row in rows),
            "given": _given(rows),
        }
        for rows in _entries(scenario)
    ]


def show_listed(screen: Screen, scenario: Scenario, deaths: "Sequence[ListedDeaths]") -> None:
    """Print the listed incidents of a resolved scenario: times, numbers, and what their casualties are given."""
    entries = listed_json(scenario)
    if not entries:
        return
    shown = Table(
        "first",
        "last",
        "front",
        "number",
        "given",
        right=("number",),
        title="Listed incidents",
        sentences=("given",),
    )
    for entry in entries[:MOST_ENTRIES]:
        last = "" if entry["last"] == entry["first"] else entry["last"]
        number, given = f"{entry['number']:,}", entry["given"]
        shown.add_row(_clock(entry["first"]), _clock(last), entry["front"], number, given)
    first, last = min(entry["first"] for entry in entries), max(entry["last"] for entry in entries)
    shown.caption = f"times in UTC; the first is {_clock(first)}, the last {_clock(last)}"
    shown.caption_justify = "left"
    if len(entries) > MOST_ENTRIES:
        shown.caption += f"; not shown: {plural(len(entries) - MOST_ENTRIES, 'further entry')}"
    screen.print(shown)
    if deaths:
        screen.print(_deaths_table(deaths))


def _deaths_table(deaths: "Sequence[ListedDeaths]") -> Table:
    """The share of listed wounded who die untreated, by group of rows."""
    heads = ("number", "asked for", "reached")
    shown = Table("listed with", *heads, right=heads, title="Listed wounded who die untreated")
    for group in deaths:
        shown.add_row(
            group.given, f"{group.number:,}", f"{100 * group.asked:.1f} %", f"{100 * group.reached:.1f} %"
        )
    return shown


def _entries(scenario: Scenario) -> list[list[ListedRow]]:
    """The rows of each entry of `incidents`, by time; entries without casualties are left out."""
    entries: dict[int, list[ListedRow]] = {}
    for row in listed_rows(scenario):
        entries.setdefault(row.row, []).append(row)
    return [entries[number] for number in sorted(entries)]


def _given(rows: list[ListedRow]) -> str:
    """What the casualties of an entry are given, in short."""
    incident, number = rows[0].incident, sum(row.number for row in rows)
    parts: list[str] = [] if incident.stream == "battle" else [incident.stream]
    if rows[0].categories is not None:
        counts = [sum((row.categories or (0, 0, 0))[k] for row in rows) for k in range(3)]
        parts += [f"{count:,} T{k + 1}" for k, count in enumerate(counts) if count]
        rest = number - sum(counts)
        parts += [f"{rest:,} of another category"] if rest else []
    if incident.mean_iss is not None:
        parts.append(f"mean ISS {incident.mean_iss:g}")
    parts += [text for text in (incident.mechanism, incident.nation, incident.unit) if text]
    if incident.conditions:
        parts.append(" ".join(incident.conditions))
    return ", ".join(parts)


def _clock(moment: str) -> str:
    """A moment without its seconds, where they are 0."""
    return moment.replace("T", " ").removesuffix("Z").removesuffix(":00")
