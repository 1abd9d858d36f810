"""The evacuation network of a scenario as tables, as a diagram and as JSON, for `scenarios show` and `check`."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from rich.text import Text

from engine.codes import RESOURCES
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
from goldenhour.console import Screen, Table, Tree
from goldenhour.views.formatting import plural

NO_LIMIT = "-"

COLUMN_HEADS = {
    "triage_teams": "triage",
    "treatment_bays": "bays",
    "operating_tables": "tables",
    "surgical_teams": "teams",
    "icu_beds": "ICU",
    "ward_beds": "ward",
}
"""By limiting field of a facility: the head of its column, which also names it in short."""

LABELS = {info.field: info.label for info in RESOURCES} | {"surgical_teams": "surgical teams"}
"""By limiting field of a facility: its name in a sentence."""


def show_network(console: Screen, s: Scenario) -> None:
    """Print facilities, links and vehicles of a resolved scenario as tables, and the routes of each front as a tree."""
    console.print(Text(s.name, style="bold"))
    console.print(facilities_table(s))
    console.print(links_table(s))
    if s.vehicles:
        console.print(_vehicles_table(s))
    for line in policies(s):
        console.print(line, highlight=False)
    for front in s.fronts:
        console.print()
        console.print(network_diagram(s, front.name))


def facilities_table(s: Scenario) -> Table:
    """The facilities with their resources."""
    heads = list(COLUMN_HEADS.values())
    right = ("role", *heads, "places")
    shown = Table(
        "facility", "role", *heads, "places", "also", right=right, title="Facilities", sentences=("also",)
    )
    for f in s.facilities:
        room = facility_places(f)
        shown.add_row(
            f.id,
            _role(f),
            *(_resource(f, name) for name in COLUMN_HEADS),
            NO_LIMIT if room is None or f.role == 4 else f"{room:,}",
            "; ".join(_also_limited(f)),
        )
    shown.caption = f"{NO_LIMIT}: no limit; places: patients inside or on the way"
    shown.caption_justify = "left"
    return shown


def _role(f: Facility) -> str:
    return "CSU" if f.role == 0 else str(f.role)


def _resource(f: Facility, name: str) -> str:
    if name == "surgical_teams" and f.shifts:
        return "roster"
    count = getattr(f, name)
    return NO_LIMIT if count is None else f"{count:,}"


def _also_limited(f: Facility) -> Iterator[str]:
    """What else is limited at a facility: teams by the hour, surge, diversion, blood."""
    for shift in f.shifts:
        yield f"{plural(shift.surgical_teams, 'team')} {shift.from_hour:g}-{shift.to_hour:g} h"
    if f.surge is not None:
        added = [
            f"{getattr(f.surge, name):,} {head}"
            for name, head in COLUMN_HEADS.items()
            if getattr(f.surge, name, 0)
        ]
        yield f"surge +{', '.join(added) or 'nothing'} at {100 * f.surge.trigger:.0f} %"
    if f.divert is not None:
        conditions = ", ".join(
            name if value is True else f"{name} {value:g}"
            for name in type(f.divert).__struct_fields__
            if name != "categories" and (value := getattr(f.divert, name)) not in (None, False)
        )
        yield f"diverts {' '.join(f.divert.categories) or 'all'} at {conditions}"
    if f.blood_units is not None:
        supply = f", +{f.resupply_units:,} per {f.resupply_hours:g} h" if f.resupply_hours else ""
        yield f"{f.blood_units:,} blood units{supply}"
    if f.nation is not None:
        yield f.nation


def capabilities_table(s: Scenario) -> Table:
    """What each facility can do, how long it holds patients, and the fronts it serves."""
    shown = Table("facility", "role", "can do", "holds for", "serves", title="Capabilities", right=("role",))
    reached = _fronts_reaching(s)
    for f in s.facilities:
        abilities = [
            name
            for name, able in (
                ("resuscitation", f.dcr),
                ("surgery", f.dcs),
                ("intensive care", f.icu),
                ("definitive surgery", f.definitive),
            )
            if able
        ]
        shown.add_row(
            f.id,
            _role(f),
            ", ".join(abilities) or ("holding" if f.role == 0 else "first treatment"),
            "no limit" if f.policy_days is None else f"{f.policy_days:g} d",
            _served(s, f, reached),
        )
    return shown


def _fronts_reaching(s: Scenario) -> dict[str, list[str]]:
    """By id of a facility, the fronts from which links lead there, directly or over others."""
    reached: dict[str, list[str]] = {f.id: [] for f in s.facilities}
    for front in s.fronts:
        ways = [link for link in s.links if front.name in link.fronts]
        places, seen = [POI], {POI}
        while places:
            at = places.pop()
            onward = {link.destination for link in ways if link.origin == at} - seen
            seen |= onward
            places += onward
        for facility in seen - {POI}:
            reached[facility].append(front.name)
    return reached


def _served(s: Scenario, f: Facility, reached: dict[str, list[str]]) -> str:
    """The fronts whose casualties may come to a facility."""
    fronts = [name for name in reached[f.id] if not f.fronts or name in f.fronts]
    if not fronts:
        return "nobody"
    return "all fronts" if len(fronts) == len(s.fronts) and not f.fronts else ", ".join(fronts)


def links_table(s: Scenario) -> Table:
    """The links: mean time, the categories that may use each, its vehicle and its fronts."""
    shown = Table("from", "to", "mean", "who", "vehicle", "fronts", right=("mean",), title="Links", keys=2)
    for link in s.links:
        shown.add_row(
            link.origin,
            link.destination,
            f"{_mean(s, link):,.0f} min",
            _eligible(link),
            _transport(link),
            "all" if len(link.fronts) == len(s.fronts) else ", ".join(link.fronts),
        )
    pools = {v.id for v in s.vehicles}
    if any(link.vehicle in pools for link in s.links):
        shown.caption = (
            "mean: one way if the number of vehicles is limited, else from the decision to the arrival"
        )
        shown.caption_justify = "left"
    return shown


def _mean(s: Scenario, link: Link) -> float:
    """Mean minutes of a link: one way if its vehicles are limited, else from the decision to the arrival."""
    pools = {v.id for v in s.vehicles}
    minutes = one_way_minutes if link.vehicle in pools else link_minutes
    return mean_of(minutes(link, s.vehicles))


def _eligible(link: Link) -> str:
    return " ".join(c for c in CATEGORIES if c in link.categories) if link.categories else "all"


def _transport(link: Link) -> str:
    batch = link.batch
    grouped = f", {batch.minimum} at a time or {batch.wait_minutes:g} min" if batch else ""
    return f"{link.vehicle or NO_LIMIT}{grouped}"


def _vehicles_table(s: Scenario) -> Table:
    shown = Table(
        "vehicles",
        "kind",
        "number",
        "litters",
        "seats",
        "delay",
        "also",
        right=("number", "litters", "seats", "delay"),
        title="Vehicles",
        whole=("vehicles", "delay"),
        sentences=("also",),
    )
    for v in s.vehicles:
        shown.add_row(
            v.id,
            v.kind.replace("_", " "),
            f"{v.number:,}",
            str(v.litters),
            str(v.seats),
            NO_LIMIT if v.dispatch_minutes is None else f"{v.dispatch_minutes:g} min",
            "; ".join(_operation(v)),
        )
    return shown


def _operation(v: Vehicle) -> Iterator[str]:
    """When a vehicle pool moves, and what keeps it from moving."""
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
    """What is limited, and the rules by which it is shared, in sentences."""
    if not is_finite(s):
        return ["Nothing is limited: nobody waits for a place, a bed, a team or a vehicle."]
    finite = [f for f in s.facilities if limiting_settings(f)]
    names = [LABELS[name] for name in COLUMN_HEADS if any(getattr(f, name) is not None for f in finite)]
    names += ["places"] if any(f.places is not None for f in finite) else []
    names += ["rosters"] if any(f.shifts for f in finite) else []
    names += ["blood"] if any(f.blood_units is not None for f in finite) else []
    lines = []
    if finite:
        lines.append(f"Limited at {plural(len(finite), 'facility')}: {', '.join(names)}.")
    pools = used_vehicle_pools(s)
    if pools:
        number = sum(v.number for v in pools)
        lines.append(f"Limited vehicles: {number:,} in {plural(len(pools), 'pool')}.")
    if s.world:
        lines.append(f"Events that change facilities or vehicles: {len(s.world):,}.")
    rule = "only if" if s.acceptance == "accept" else "whether or not"
    full = "skipped" if s.bypass else "waited for"
    lines.append(f"Vehicles leave {rule} their destination has a free place.")
    lines.append(f"Choice of destination: {s.destination}; a full or closed destination is {full}.")
    return lines


def network_json(s: Scenario) -> dict[str, Any]:
    """The limits of each facility, the number of each limited vehicle pool, and the count of world events."""
    return {
        "facilities": {
            f.id: {name: getattr(f, name) for name in limiting_settings(f) if name != "shifts"}
            for f in s.facilities
            if limiting_settings(f)
        },
        "vehicles": {v.id: v.number for v in used_vehicle_pools(s)},
        "world": len(s.world),
    }


def network_diagram(s: Scenario, front: str) -> Tree:
    """The routes of a front from the point of injury. Similar facilities side by side share a line."""
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
        for links in _similar_links(s, onward.get(at, []), onward, by_id):
            ids = [link.destination for link in links]
            known = ids[0] in seen
            seen.update(ids)
            line = Text(_link_text(s, links[0]), style="dim")
            line.append(" → ")
            line.append(_names(ids), style="bold")
            line.append(", see above" if known else _capacity(by_id[ids[0]], len(ids)))
            twig = Tree(line)
            branch.children.append(twig)
            if not known:
                grow(twig, ids[0])

    grow(tree, POI)
    return tree


def _similar_links(
    s: Scenario, links: Sequence[Link], onward: dict[str, list[Link]], by_id: dict[str, Facility]
) -> list[list[Link]]:
    """The links from one place, the shortest first, in groups that differ only in the destination's name."""

    def appearance(link: Link) -> str:
        f = by_id[link.destination]
        routes = [(_link_text(s, route), route.destination) for route in onward.get(f.id, [])]
        return repr((_link_text(s, link), f.role, _capacity(f, 1), routes))

    order = sorted(links, key=lambda link: (_mean(s, link), appearance(link)))
    return [list(group) for _, group in groupby(order, key=appearance)]


def _link_text(s: Scenario, link: Link) -> str:
    """A link in short: mean minutes, vehicle, batch, and the categories that may use it."""
    who = f", {_eligible(link)}" if link.categories else ""
    by = f", {link.vehicle}" if link.vehicle else ""
    batch = f", by {link.batch.minimum}" if link.batch else ""
    return f"{_mean(s, link):,.0f} min{by}{batch}{who}"


def _names(ids: Sequence[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{ids[0]} ... {ids[-1]}"


def _capacity(f: Facility, count: int) -> str:
    """Role and resources of a facility, in short; `count` facilities are alike."""
    role = "staging unit" if f.role == 0 else f"Role {f.role}"
    parts = [
        f"{getattr(f, name):,} {head}"
        for name, head in COLUMN_HEADS.items()
        if name != "surgical_teams" and getattr(f, name) is not None
    ]
    each = f", {count} of them" if count > 1 else ""
    return f", {role}{each}" + (f": {', '.join(parts)}" if parts else "")
