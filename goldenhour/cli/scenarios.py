"""`goldenhour scenarios`: list the built-in ones, print one to edit, check one's own."""

import json
from collections.abc import Iterable, Sequence
from math import fsum
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

import scenarios
from engine.scenario import (
    STREAMS,
    WARFARE_TYPES,
    Facility,
    Scenario,
    check,
    is_finite,
    parse,
    resolve,
    scenario_hash,
)
from goldenhour.cli import stored_scenarios
from goldenhour.views import console as _console
from goldenhour.views import facilities_table, links_table, network_as_json, policies, show_network
from goldenhour.views import table as _table

if TYPE_CHECKING:
    from engine.arrivals import ExpectedArrivals

BAR_WIDTH = 40
KINDS = ("reference", "finite care", "warfare type", "preset")
REFERENCES = ("standard", "coin", "falklands", "okinawa")
MOST_BARS = 16
"""More days than this are shown several to a bar."""


def list_command(as_json: bool) -> None:
    """Name, kind, casualties, days and description of each built-in scenario and of each stored one."""
    rows = sorted(map(_overview, scenarios.builtin_names()), key=lambda row: KINDS.index(row["kind"]))
    rows += map(_stored_overview, stored_scenarios.rows())
    if as_json:
        _print_json(rows)
        return
    table = _table("name", "kind", "casualties", "days", "description", right=("casualties", "days"))
    for row in rows:
        total = row["casualties"]
        version = f" @{row['version']}" if "version" in row else ""
        table.add_row(
            Text(row["name"]),
            f"{row['kind']}{version}",
            f"{total:,}" if total else "rates",
            str(row["days"]),
            Text(row["description"]),
        )
    _console().print(table)
    click.echo(
        "goldenhour run NAME simulates one; goldenhour scenarios show NAME > mine.toml makes it yours."
    )


def show_command(source: str, as_json: bool = False) -> None:
    """The scenario as commented TOML; a stored one as it was given."""
    loaded = stored_scenarios.load(source)
    text = stored_scenarios.text_of(loaded)
    if as_json:
        about = {
            "name": loaded.row["name"] if loaded.row is not None else source,
            "source": loaded.source,
            "hash": scenario_hash(loaded.scenario),
        }
        if loaded.row is not None:
            about |= _about(loaded.row) | {"parent": loaded.row["parent"]}
        _print_json(about | {"text": text})
    else:
        click.echo(text, nl=False)


def show_network_command(source: str) -> None:
    """The scenario's network as tables and as a diagram; ScenarioError where it cannot be run."""
    original = stored_scenarios.load(source).scenario
    check(original)
    show_network(_console(width=100), resolve(original), _table)


def check_command(source: str, as_json: bool) -> None:
    """What the scenario will do; ScenarioError where it cannot be run."""
    original = stored_scenarios.load(source).scenario
    notes = check(original)
    scenario = resolve(original)
    from engine.arrivals import (  # NumPy and Numba: only a scenario that can be run pays for them
        expected_arrivals,
        plan_arrivals,
    )

    expected = list(expected_arrivals(plan_arrivals(scenario)))
    triage = _triage(scenario)
    if as_json:
        _print_json(_as_json(scenario, notes, expected) | {"battle_triage": triage})
        return
    console = _console()
    _print_head(console, scenario, expected)
    console.print(_fronts_table(expected))
    console.print(_types_table(expected))
    console.print(_days_table(scenario, expected))
    if triage:
        console.print(_triage_table(scenario, triage))
    console.print(_facilities_table(scenario.facilities))
    if is_finite(scenario):
        console.print(facilities_table(scenario, _table))
    console.print(links_table(scenario, _table))
    for line in policies(scenario):
        console.print(line, highlight=False, markup=False)
    for note in notes:
        console.print(f"note: {note}", highlight=False, markup=False)
    console.print(f"{source} can be run", highlight=False, markup=False)


def _overview(name: str) -> dict[str, Any]:
    scenario = parse(scenarios.builtin_bytes(name), "toml", name)
    if name in WARFARE_TYPES:
        kind = "warfare type"
    elif scenario.network is not None:
        kind = "finite care"
    else:
        kind = "reference" if name in REFERENCES else "preset"
    return {
        "name": name,
        "kind": kind,
        "casualties": scenario.casualties.total,
        "days": scenario.days,
        "description": scenario.description,
    }


def _stored_overview(row: dict[str, Any]) -> dict[str, Any]:
    scenario: Scenario | None = row["scenario"]
    return {
        "name": row["name"],
        "kind": "stored",
        "casualties": scenario.casualties.total if scenario else None,
        "days": scenario.days if scenario else None,
        "description": scenario.description if scenario else "(cannot be read by this version)",
        **_about(row),
    }


def _about(row: dict[str, Any]) -> dict[str, Any]:
    """Version, hash, author, time and note of a stored scenario."""
    added = row["created_at"].isoformat()
    return {key: row[key] for key in ("version", "hash", "author", "note")} | {"created_at": added}


def _as_json(scenario: Scenario, notes: list[str], expected: Sequence["ExpectedArrivals"]) -> dict[str, Any]:
    def grouped(*names: str) -> list[dict[str, Any]]:
        sums = _sums(expected, names)
        return [
            dict(zip(names, key, strict=True)) | {"expected": round(value, 3)} for key, value in sums.items()
        ]

    return {
        "name": scenario.name,
        "scenario_hash": scenario_hash(scenario),
        "days": scenario.days,
        "expected": round(fsum(row.expected for row in expected), 3),
        "by_day": grouped("day"),
        "by_front": grouped("front", "stream"),
        "by_type": grouped("type", "special", "stream"),
        "facilities": len(scenario.facilities),
        "links": len(scenario.links),
        "vehicles": sum(pool.number for pool in scenario.vehicles),
        "finite": network_as_json(scenario),
        "notes": notes,
    }


def _sums(rows: Iterable["ExpectedArrivals"], names: Sequence[str]) -> dict[tuple[Any, ...], float]:
    """Expected casualties by the fields `names`, in the order in which they come."""
    parts: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        parts.setdefault(tuple(getattr(row, name) for name in names), []).append(row.expected)
    return {key: fsum(values) for key, values in parts.items()}


def _print_head(console: Console, scenario: Scenario, expected: Sequence["ExpectedArrivals"]) -> None:
    total = fsum(row.expected for row in expected)
    how = f"exactly {scenario.casualties.total:,}" if scenario.casualties.total else f"about {_number(total)}"
    console.print(Text(scenario.name, style="bold"))
    if scenario.description:
        console.print(scenario.description, highlight=False, markup=False)
    days = "1 day" if scenario.days == 1 else f"{scenario.days} days"
    console.print(f"{how} casualties in {days} from {scenario.start}, seed {scenario.seed}", highlight=False)


def _fronts_table(expected: Sequence["ExpectedArrivals"]) -> Table:
    streams = STREAMS
    table = _table("front", *streams, "all", right=(*streams, "all"), title="Casualties to expect, by front")
    sums = _sums(expected, ("front", "stream"))
    fronts = list(dict.fromkeys(front for front, _ in sums))
    for front in fronts:
        values = [sums.get((front, stream), 0.0) for stream in streams]
        table.add_row(Text(front), *map(_number, values), _number(fsum(values)))
    if len(fronts) > 1:
        values = [fsum(sums.get((front, stream), 0.0) for front in fronts) for stream in streams]
        table.add_row("all", *map(_number, values), _number(fsum(values)), style="bold")
    return table


def _types_table(expected: Sequence["ExpectedArrivals"]) -> Table:
    table = _table(
        "warfare type", "battle", "of which events", right=("battle", "of which events"), title="By type"
    )
    battle = [row for row in expected if row.stream == "battle"]
    sums = _sums(battle, ("type",))
    events = _sums((row for row in battle if row.special is not None), ("type",))
    for key, value in sums.items():
        table.add_row(key[0] or "(none)", _number(value), _number(events.get(key, 0.0)))
    return table


def _days_table(scenario: Scenario, expected: Sequence["ExpectedArrivals"]) -> Table:
    table = _table("day", "casualties", "", right=("day", "casualties"), title="By day")
    by_day = {key[0]: value for key, value in _sums(expected, ("day",)).items()}
    step = -(-scenario.days // MOST_BARS)
    bars = [(first, min(first + step - 1, scenario.days)) for first in range(1, scenario.days + 1, step)]
    values = [fsum(by_day.get(day, 0.0) for day in range(first, last + 1)) for first, last in bars]
    highest = max(values, default=0.0) or 1.0
    for (first, last), value in zip(bars, values, strict=True):
        label = str(first) if first == last else f"{first}-{last}"
        width = round(BAR_WIDTH * value / highest)
        table.add_row(label, _number(value), "█" * max(width, 1 if value > 0 else 0))
    return table


def _triage(scenario: Scenario) -> dict[str, list[float]]:
    """Shares of T1..T3 that the author's battle weights lead to, by warfare type; empty where there are none."""
    if "battle" not in (scenario.triage or {}) or scenario.routing != "clock":
        return {}
    from engine.compile import battle_triage_report
    from engine.numeric import is_cold

    if is_cold():
        click.echo("Preparing the kernel (its first use on a machine compiles it) ...", err=True)
    return battle_triage_report(scenario)


def _triage_table(scenario: Scenario, found: dict[str, list[float]]) -> Table:
    wanted = (scenario.triage or {})["battle"]
    table = _table(
        "warfare type", "T1", "T2", "T3", right=("T1", "T2", "T3"), title="Triage of battle casualties"
    )
    table.add_row("asked for", *(f"{100 * wanted[category]:.0f} %" for category in ("T1", "T2", "T3")))
    for name, shares in found.items():
        table.add_row(f"comes out: {name}", *(f"{100 * share:.0f} %" for share in shares))
    table.caption = (
        "of those who arrive and are not back on duty within 72 h; the T1 share is matched within limits"
    )
    return table


def _facilities_table(facilities: Sequence[Facility]) -> Table:
    table = _table(
        "facility", "role", "can do", "holds for", "serves", title="What they can do", right=("role",)
    )
    for facility in facilities:
        abilities = [
            name
            for name, able in (
                ("resuscitation", facility.dcr),
                ("surgery", facility.dcs),
                ("intensive care", facility.icu),
                ("definitive surgery", facility.definitive),
            )
            if able
        ]
        days = "no limit" if facility.policy_days is None else f"{facility.policy_days:g} d"
        table.add_row(
            facility.id,
            "CSU" if facility.role == 0 else str(facility.role),
            ", ".join(abilities) or ("holding" if facility.role == 0 else "first treatment"),
            days,
            ", ".join(facility.fronts) or "all fronts",
        )
    return table


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == round(value) else f"{value:,.1f}"


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
