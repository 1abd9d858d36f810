"""`goldenhour scenarios`: list, show and check scenarios, say what they rest on; add, compare, remove stored ones."""

import difflib
import os
from collections import Counter
from collections.abc import Iterator
from math import fsum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

import scenarios as catalogue
from actors.store import URL_VARIABLE, Content, check_name
from engine.errors import InputError, StoreError, shown
from engine.plain_text import clean
from engine.scenario import (
    BASES,
    WARFARE_TYPES,
    PreparedScenario,
    Scenario,
    ScenarioOrigin,
    ScenarioOverrides,
    Setting,
    builtin_evidence,
    has_tilts,
    is_finite,
    parse,
    prepare,
    scenario_hash,
    to_toml,
)
from goldenhour import console, scenario_files, views
from goldenhour.cli import options
from goldenhour.cli.groups import SuggestingGroup
from goldenhour.cli.listing import listed
from goldenhour.cli.new_scenario import new
from goldenhour.cli.scenario_sources import (
    LoadedScenario,
    find_stored,
    load,
    prepare_source,
    stored_scenarios,
)
from goldenhour.database import current_database, user_and_machine, with_store
from goldenhour.run_time import expected_time
from goldenhour.tilts import KIND, tilts_of_scenario

if TYPE_CHECKING:
    from engine.arrivals import ArrivalCounts
    from engine.compile import ListedDeaths, TypeReport

KINDS = ("reference", "finite care", "warfare type", "preset")
"""Kinds of built-in scenarios, in the order of the list."""

REFERENCES = ("standard", "coin", "falklands", "okinawa")


@click.group(cls=SuggestingGroup)
def scenarios() -> None:
    """List, show and check scenarios; store your own."""


scenarios.add_command(new)


@scenarios.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")
def list_scenarios(as_json: bool) -> None:
    """List the built-in scenarios and the stored ones."""
    rows = sorted(map(_builtin_row, catalogue.builtin_names()), key=lambda row: KINDS.index(row["kind"]))
    try:
        rows += map(_stored_row, stored_scenarios())
    except StoreError as error:
        if os.environ.get(URL_VARIABLE):
            raise
        console.print_error_line(f"note: the stored scenarios cannot be listed: {error}")
    if as_json:
        console.print_json(rows)
        return
    console.screen().print(views.scenarios_table(rows))
    console.print_line(
        "`goldenhour run NAME` simulates one; `goldenhour scenarios show NAME > mine.toml` copies it for editing."
    )


@scenarios.command("show")
@click.argument("scenario")
@click.option("--network", is_flag=True, help="Print the evacuation network instead: tables and a diagram.")
@click.option("--history", is_flag=True, help="Print all versions of a stored scenario instead.")
@click.option("--brief", is_flag=True, help="Print only what differs from the defaults, without comments.")
@options.settings
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def show(
    scenario: str, network: bool, history: bool, brief: bool, settings: tuple[Setting, ...], as_json: bool
) -> None:
    """Print a scenario as a TOML file that you can edit.

    SCENARIO is a built-in scenario, a .toml or .json file, or a stored scenario as NAME or NAME@VERSION.
    """
    if history and settings:
        raise InputError("--history and --set exclude each other: versions are shown as they are stored")
    if history:
        _show_history(scenario, as_json)
    elif network:
        prepared = prepare_source(scenario, ScenarioOverrides(settings=settings), allow_long=True)
        views.show_network(console.screen(width=100), prepared.resolved)
    else:
        _show_text(load(scenario).changed(settings), scenario, brief, as_json)


@scenarios.command("check")
@click.argument("scenario", metavar="FILE")
@options.settings
@options.allow_long
@options.json_for_tables
def check(scenario: str, settings: tuple[Setting, ...], allow_long: bool, as_json: bool) -> None:
    """Check whether a scenario can be run.

    If it can, its expected casualties with their range of 5 to 95 % and its network are shown, and a note if a run
    would take more than ten minutes on this machine. If not, the first error is shown, and the exit code is 2.
    FILE is a .toml or .json file, a built-in scenario, or a stored one as NAME or NAME@VERSION.
    """
    prepared = prepare_source(scenario, ScenarioOverrides(settings=settings), allow_long)
    from engine.arrivals import (  # NumPy: only for a valid scenario
        expected_arrivals,
        expected_strength,
        plan_arrivals,
    )

    resolved, time = prepared.resolved, expected_time(prepared)
    report, deaths = _battle_report(resolved)
    plan = plan_arrivals(resolved)
    expected = list(expected_arrivals(plan))
    strength = expected_strength(plan) if plan.depletion else None
    counts = _arrival_counts(resolved, fsum(row.expected for row in expected))
    if as_json:
        document = {
            "name": resolved.name,
            "scenario_hash": prepared.hash,
            "days": resolved.days,
            **views.expected_arrivals_json(expected, counts, resolved, strength),
            "facilities": len(resolved.facilities),
            "links": len(resolved.links),
            "vehicles": sum(pool.number for pool in resolved.vehicles),
            "finite": views.network_json(resolved),
            "notes": prepared.notes,
            "expected_seconds": round(time.seconds, 1),
            **views.battle_report_json(resolved, report),
            "settings": views.care_settings(prepared.original),
            "listed_incidents": views.listed_json(resolved),
            "listed_deaths": [group._asdict() for group in deaths],
        }
        console.print_json(document)
        return
    screen = console.screen()
    views.show_expected_arrivals(screen, resolved, expected, counts, strength)
    for table in views.battle_report_tables(resolved, report):
        screen.print(table)
    views.show_listed(screen, resolved, deaths)
    views.show_care_settings(screen, prepared.original)
    _show_care(screen, prepared)
    if note := time.note():
        screen.print(f"note: {note}", highlight=False)
    screen.print(f"{scenario} can be run", highlight=False)


@scenarios.command("assumptions")
@click.argument("name")
@options.as_json
def assumptions(name: str, as_json: bool) -> None:
    """Show what each setting of a built-in scenario rests on.

    Each is published, calibrated to what is published, or a judgement. Not every built-in scenario has such a list.
    """
    if name not in catalogue.evidence_names():
        raise _no_evidence(name)
    rows = builtin_evidence(name)
    if as_json:
        console.print_json([row._asdict() for row in rows])
        return
    console.screen().print(views.evidence_table(rows))
    counts = Counter(row.basis for row in rows)
    console.print_line(", ".join(f"{counts[basis]} {basis}" for basis in BASES if counts[basis]))


@scenarios.command("add")
@click.argument("file", metavar="FILE")
@click.option("--name", help="Store it under this name. Default: the file's name without its ending.")
@click.option(
    "--parent",
    type=click.IntRange(1, 2**31 - 1),
    help="The version that FILE is an edit of. It must be the newest one.",
)
@click.option("--note", default="", help="One line that says what is different.")
@options.allow_long
@options.as_json
def add(file: str, name: str | None, parent: int | None, note: str, allow_long: bool, as_json: bool) -> None:
    """Store a file as a new scenario, or as its next version.

    FILE is a .toml or .json file that can be run. If it extends another scenario, both are stored as one.
    """
    path = Path(file)
    name = path.stem if name is None else name
    check_name(name)
    if name in catalogue.builtin_names():
        raise InputError(f"--name: {shown(name)} is the name of a built-in scenario; choose another name")
    if scenario_files.is_file_name(name):
        raise InputError(f"--name: got {shown(name)}; allowed: a name that does not end in .toml or .json")
    scenario, source, text, fmt = scenario_files.read_whole(path, find_stored)
    origin = ScenarioOrigin("file", file, text=source)
    prepared = prepare(scenario, origin=origin, allow_long=allow_long)
    content = Content(text=text, format=fmt, hash=prepared.hash)
    stored = with_store(lambda store: store.add_scenario(name, content, user_and_machine(), note, parent))
    if as_json:
        console.print_json(stored)
    elif stored["added"]:
        console.print_line(f"stored as {name}@{stored['version']}; `goldenhour run {name}` runs it")
    else:
        console.print_line(f"not stored: {name}@{stored['version']} is the same")


@scenarios.command("diff")
@click.argument("first", metavar="A")
@click.argument("second", metavar="[B]", required=False)
@options.as_json
def diff(first: str, second: str | None, as_json: bool) -> None:
    """Show the differences between two scenarios.

    A and B are each a file, or a scenario as NAME or NAME@VERSION. Without B, the version A is compared with its
    parent, the version that it is an edit of.
    """
    new = load(first)
    if second is None:
        parent = new.row["parent"] if new.row is not None else None
        if new.row is None or parent is None:
            raise InputError(f"scenario {shown(first)} has no earlier version; name two scenarios")
        names = (f"{new.row['name']}@{parent}", f"{new.row['name']}@{new.origin.version}")
        old = load(names[0])
    else:
        names, old, new = (first, second), new, load(second)
    if as_json:
        changes = list(_changes("", msgspec.to_builtins(old.scenario), msgspec.to_builtins(new.scenario)))
        console.print_json({"from": names[0], "to": names[1], "changes": changes})
        return
    before, after = (to_toml(each.scenario).splitlines(keepends=True) for each in (old, new))
    text = "".join(difflib.unified_diff(before, after, clean(names[0]), clean(names[1])))
    if not text:
        console.print_error_line(f"{names[0]} and {names[1]} do not differ")
    console.print_toml_lines(text)


@scenarios.command("rm")
@click.argument("name")
@options.as_json
def remove(name: str, as_json: bool) -> None:
    """Remove a stored scenario from the list.

    Its versions stay in the database, because runs refer to them.
    """
    if name in catalogue.builtin_names():
        raise InputError(f"{shown(name)} is a built-in scenario and cannot be removed")
    if current_database().is_new or not with_store(lambda store: store.remove_scenario(name)):
        raise _no_stored_scenario(name)
    if as_json:
        console.print_json({"name": name, "removed": True})
    else:
        console.print_line(
            f"{name} removed from the list; its versions can still be used, for example {name}@1"
        )


def _builtin_row(name: str) -> dict[str, Any]:
    scenario = parse(catalogue.builtin_bytes(name), "toml", name)
    if name in WARFARE_TYPES:
        kind = "warfare type"
    elif scenario.network is not None or is_finite(scenario):
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


def _stored_row(row: dict[str, Any]) -> dict[str, Any]:
    scenario: Scenario | None = row["scenario"]
    return {
        "name": row["name"],
        "kind": "stored",
        "casualties": scenario.casualties.total if scenario else None,
        "days": scenario.days if scenario else None,
        "description": scenario.description if scenario else "(this version cannot read it)",
        **_version_facts(row),
    }


def _version_facts(row: dict[str, Any]) -> dict[str, Any]:
    """Version, hash, author, note and time of a stored scenario."""
    created = row["created_at"].isoformat()
    return {key: row[key] for key in ("version", "hash", "author", "note")} | {"created_at": created}


def _show_text(loaded: LoadedScenario, source: str, brief: bool, as_json: bool) -> None:
    """Print a scenario as a file. It is not checked: a faulty one can be shown in order to correct it."""
    text = to_toml(loaded.scenario) if brief else loaded.text()
    if not as_json:
        console.print_toml(text, lambda: to_toml(loaded.scenario, commented=not brief))
        return
    facts = {
        "name": source if loaded.row is None else loaded.row["name"],
        "source": loaded.origin.kind,
        "hash": scenario_hash(loaded.scenario) if loaded.row is None else loaded.row["hash"],
    }
    if loaded.row is not None:
        facts |= _version_facts(loaded.row) | {"parent": loaded.row["parent"]}
    console.print_json(facts | {"text": text})


def _show_history(name: str, as_json: bool) -> None:
    """Print all versions of a stored scenario."""
    rows = [] if current_database().is_new else listed(lambda store: store.scenario_history(name))
    if not rows:
        raise _no_stored_scenario(name)
    if as_json:
        console.print_json(rows)
    else:
        console.screen().print(views.versions_table(rows))


def _no_stored_scenario(name: str) -> InputError:
    return InputError(
        f"there is no stored scenario {shown(name)}; `goldenhour scenarios list` lists all scenarios"
    )


def _no_evidence(name: str) -> InputError:
    """The error for a scenario whose settings have no list of where they come from."""
    have = catalogue.evidence_names()
    if name in catalogue.builtin_names():
        problem = f"the built-in scenario {shown(name)} has no list of what its settings rest on"
    else:
        problem = f"there is no built-in scenario {shown(name)}"
    near = difflib.get_close_matches(name.lower(), have, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return InputError(f"{problem}; scenarios with such a list: {', '.join(have)}{hint}")


def _show_care(screen: "console.Screen", prepared: PreparedScenario) -> None:
    """Print facilities and links, what is limited, and the notes."""
    scenario = prepared.resolved
    screen.print(views.capabilities_table(scenario))
    if is_finite(scenario):
        screen.print(views.facilities_table(scenario))
    screen.print(views.links_table(scenario))
    for line in views.policies(scenario):
        screen.print(line, highlight=False)
    for note in prepared.notes:
        screen.print(f"note: {note}", highlight=False)


def _battle_report(scenario: Scenario) -> "tuple[dict[str, TypeReport], list[ListedDeaths]]":
    """By warfare type: what the battle casualties are like, and the tilts that meet the author's shares.

    In addition, who of the listed dies untreated. Both are empty if the scenario asks for no shares. Raises
    ScenarioError if one cannot be met.
    """
    from engine.compile import battle_triage_report, has_mean_iss, listed_deaths_report
    from engine.run import LISTED_SEVERITY, SEVERITY

    if not has_tilts(scenario):
        return {}, []
    views.compile_first([SEVERITY, LISTED_SEVERITY] if has_mean_iss(scenario) else [SEVERITY])
    tilts = tilts_of_scenario(scenario)[KIND]
    deaths = listed_deaths_report(scenario, scenario.seed, 0, tilts)
    return battle_triage_report(scenario, tilts), deaths


def _arrival_counts(scenario: Scenario, expected: float) -> "ArrivalCounts | None":
    """Counts of some hundred replications of the arrivals; None where they would take long."""
    from engine.arrivals import count_replications, plan_arrivals
    from engine.run import ARRIVALS, entry_points

    views.compile_first([each for each in entry_points(scenario, texts=False) if each.name == ARRIVALS])
    return count_replications(plan_arrivals(scenario), expected, scenario.seed)


def _changes(place: str, old: Any, new: Any) -> Iterator[dict[str, Any]]:
    """Each setting that differs, with its place and its value before and after; None where it is not set."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _changes(f"{place}.{key}" if place else key, old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _changes(f"{place}[{number}]", before, after)
    elif old != new:
        yield {"setting": place, "from": old, "to": new}
