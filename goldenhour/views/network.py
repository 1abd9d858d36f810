"""The evacuation network of a scenario as tables and as a diagram, for `scenarios show --network` and `check`."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from engine.scenario import (
    CATEGORIES,
    POI,
    Facility,
    Link,
    Scenario,
    Vehicle,
    facility_places,
    is_finite,
    limiting_settings,
    link_minutes,
    mean_of,
    one_way_minutes,
    used_vehicle_pools,
)

NO_LIMIT = "-"
RESOURCES = (
    ("triage_teams", "triage", "triage teams"),
    ("treatment_bays", "bays", "bays"),
    ("operating_tables", "tables", "tables"),
    ("surgical_teams", "teams", "surgical teams"),
    ("icu_beds", "ICU", "ICU beds"),
    ("ward_beds", "ward", "ward beds"),
)
"""Field of a facility, head of its column, and its name in a sentence."""

Maker = Callable[..., Table]


def show_network(console: Console, s: Scenario, table: Maker) -> None:
    """Facilities, links and vehicles of a resolved scenario as tables, then the ways of every front as a tree.

    `table` makes an empty table of given columns.
    """
    console.print(Text(s.name, style="bold"))
    console.print(facilities_table(s, table))
    console.print(links_table(s, table))
    if s.vehicles:
        console.print(_vehicles_table(s, table))
    for line in policies(s):
        console.print(line, highlight=False, markup=False)
    for front in s.fronts:
        console.print()
        console.print(_diagram(s, front.name))


def facilities_table(s: Scenario, table: Maker) -> Table:
    """The facilities with their resources."""
    heads = [head for _, head, _ in RESOURCES]
    right = ("role", *heads, "places")
    shown = table("facility", "role", *heads, "places", "besides", right=right, title="Facilities")
    for f in s.facilities:
        room = facility_places(f)
        shown.add_row(
            Text(f.id),
            "CSU" if f.role == 0 else str(f.role),
            *(_resource(f, name) for name, _, _ in RESOURCES),
            NO_LIMIT if room is None or f.role == 4 else f"{room:,}",
            Text("; ".join(_besides(f))),
        )
    shown.caption = f"{NO_LIMIT}: no limit; places: patients inside and on their way"
    shown.caption_justify = "left"
    return shown


def _resource(f: Facility, name: str) -> str:
    if name == "surgical_teams" and f.shifts:
        return "roster"
    count = getattr(f, name)
    return NO_LIMIT if count is None else f"{count:,}"


def _besides(f: Facility) -> Iterator[str]:
    """What else a facility has: staff by the hour, surge, blood."""
    for shift in f.shifts:
        yield f"{_plural(shift.surgical_teams, 'team')} {shift.from_hour:g}-{shift.to_hour:g} h"
    if f.surge is not None:
        added = [
            f"{getattr(f.surge, name):,} {head}" for name, head, _ in RESOURCES if getattr(f.surge, name, 0)
        ]
        yield f"surge +{', '.join(added) or 'nothing'} at {100 * f.surge.trigger:.0f} %"
    if f.blood_units is not None:
        supply = f", +{f.resupply_units:,} per {f.resupply_hours:g} h" if f.resupply_hours else ""
        yield f"{f.blood_units:,} blood units{supply}"
    if f.nation is not None:
        yield f.nation


def links_table(s: Scenario, table: Maker) -> Table:
    """The links with mean times, who may go, and by what."""
    shown = table("from", "to", "mean", "who", "vehicle", "fronts", right=("mean",), title="Links")
    for link in s.links:
        shown.add_row(
            Text(link.origin),
            Text(link.destination),
            f"{_mean(s, link):,.0f} min",
            _who(link),
            Text(_by(link)),
            Text("all" if len(link.fronts) == len(s.fronts) else ", ".join(link.fronts)),
        )
    pools = {v.id for v in s.vehicles}
    if any(link.vehicle in pools for link in s.links):
        shown.caption = "mean: with vehicles of a limited number one way, else from the decision to the door"
        shown.caption_justify = "left"
    return shown


def _mean(s: Scenario, link: Link) -> float:
    """Mean minutes of a link: of one way where the vehicles are limited."""
    pools = {v.id for v in s.vehicles}
    minutes = one_way_minutes if link.vehicle in pools else link_minutes
    return mean_of(minutes(link, s.vehicles))


def _who(link: Link) -> str:
    return " ".join(c for c in CATEGORIES if c in link.categories) if link.categories else "all"


def _by(link: Link) -> str:
    batch = link.batch
    grouped = f", {batch.minimum} at a time or {batch.wait_minutes:g} min" if batch else ""
    return f"{link.vehicle or NO_LIMIT}{grouped}"


def _vehicles_table(s: Scenario, table: Maker) -> Table:
    shown = table(
        "vehicles",
        "kind",
        "number",
        "litters",
        "seats",
        "delay",
        "besides",
        right=("number", "litters", "seats", "delay"),
        title="Vehicles",
    )
    shown.columns[0].no_wrap = True
    for v in s.vehicles:
        shown.add_row(
            Text(v.id),
            v.kind.replace("_", " "),
            f"{v.number:,}",
            str(v.litters),
            str(v.seats),
            NO_LIMIT if v.dispatch_minutes is None else f"{v.dispatch_minutes:g} min",
            Text("; ".join(_habits(v))),
        )
    return shown


def _habits(v: Vehicle) -> Iterator[str]:
    """When and how a pool moves."""
    if v.lift is not None:
        yield f"every {v.lift.interval_hours:g} h from hour {v.lift.first_hour:g}"
        if v.lift.cancellation:
            yield f"cancelled {100 * v.lift.cancellation:g} %"
    if v.base is not None:
        yield f"based at {v.base}"
    if not v.night:
        yield "not at night"
    if v.grounded:
        yield f"grounded {100 * v.grounded:g} % of days"
    if v.loss:
        yield f"lost {100 * v.loss:g} % of sorties"


def policies(s: Scenario) -> list[str]:
    """What is finite, and by which rules it is shared, in sentences."""
    if not is_finite(s):
        return ["Nothing is limited: nobody waits for a place, a bed, a team or a vehicle."]
    finite = [f for f in s.facilities if limiting_settings(f)]
    names = [word for name, _, word in RESOURCES if any(getattr(f, name) is not None for f in finite)]
    names += ["places"] if any(f.places is not None for f in finite) else []
    names += ["rosters"] if any(f.shifts for f in finite) else []
    names += ["blood"] if any(f.blood_units is not None for f in finite) else []
    lines = []
    if finite:
        lines.append(f"Limited at {_plural(len(finite), 'facility')}: {', '.join(names)}.")
    pools = used_vehicle_pools(s)
    if pools:
        number = sum(v.number for v in pools)
        lines.append(f"Limited vehicles: {number:,} in {_plural(len(pools), 'pool')}.")
    if s.world:
        lines.append(f"Events that befall facilities or vehicles: {len(s.world):,}.")
    rule = "only for a place that is free" if s.acceptance == "accept" else "whether there is a place or not"
    passed = "passed over" if s.bypass else "waited for"
    lines.append(f"Vehicles leave {rule}; destinations {s.destination}, full or closed ones {passed}.")
    return lines


def network_as_json(s: Scenario) -> dict[str, Any]:
    """What is finite: by facility its limits, by pool its number, and the events in the world."""
    return {
        "facilities": {
            f.id: {name: getattr(f, name) for name in limiting_settings(f) if name != "shifts"}
            for f in s.facilities
            if limiting_settings(f)
        },
        "vehicles": {v.id: v.number for v in used_vehicle_pools(s)},
        "world": len(s.world),
    }


def _diagram(s: Scenario, front: str) -> Tree:
    """The ways of a front from the point of injury; like places side by side are one line."""
    by_id = {f.id: f for f in s.facilities}
    onward: dict[str, list[Link]] = {}
    for link in s.links:
        if front in link.fronts:
            onward.setdefault(link.origin, []).append(link)
    population = next(f.population for f in s.fronts if f.name == front)
    strength = f" ({population:,} strong)" if population else ""
    tree = Tree(Text(f"{POI} of front {front}{strength}", style="bold"))
    seen: set[str] = set()

    def grow(branch: Tree, at: str) -> None:
        for links in _alike(s, onward.get(at, []), onward, by_id):
            ids = [link.destination for link in links]
            known = ids[0] in seen
            seen.update(ids)
            line = Text(_way(s, links[0]), style="dim")
            line.append(" → ")
            line.append(_span(ids), style="bold")
            line.append(", above" if known else _size(by_id[ids[0]], len(ids)))
            twig = branch.add(line)
            if not known:
                grow(twig, ids[0])

    grow(tree, POI)
    return tree


def _alike(
    s: Scenario, links: Sequence[Link], onward: dict[str, list[Link]], by_id: dict[str, Facility]
) -> list[list[Link]]:
    """The links from one place, the closest first; those that differ in the destination's name alone together."""

    def look(link: Link) -> str:
        f = by_id[link.destination]
        ways = [(_way(s, way), way.destination) for way in onward.get(f.id, [])]
        return repr((_way(s, link), f.role, _size(f, 1), ways))

    order = sorted(links, key=lambda link: (_mean(s, link), look(link)))
    return [list(group) for _, group in groupby(order, key=look)]


def _way(s: Scenario, link: Link) -> str:
    """How a link is gone: mean minutes, vehicle, who."""
    who = f", {_who(link)}" if link.categories else ""
    by = f", {link.vehicle}" if link.vehicle else ""
    batch = f", by {link.batch.minimum}" if link.batch else ""
    return f"{_mean(s, link):,.0f} min{by}{batch}{who}"


def _span(ids: Sequence[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{ids[0]} ... {ids[-1]}"


def _size(f: Facility, count: int) -> str:
    """Role and resources of a facility, in short."""
    role = "staging unit" if f.role == 0 else f"Role {f.role}"
    parts = [
        f"{getattr(f, name):,} {head}"
        for name, head, _ in RESOURCES
        if name != "surgical_teams" and getattr(f, name) is not None
    ]
    each = f", {count} of them" if count > 1 else ""
    return f", {role}{each}" + (f": {', '.join(parts)}" if parts else "")


def _plural(count: int, word: str) -> str:
    many = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{count:,} {word if count == 1 else many}"
