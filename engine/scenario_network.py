"""The evacuation network of a scenario, checked: facilities, links, vehicles, and that everyone reaches care."""

from collections.abc import Sequence

from engine.errors import MISSING, ScenarioError
from engine.scenario_defaults import (
    complete_links,
    default_facilities,
    default_fronts,
    facility_fronts,
    link_fronts,
    link_minutes,
    mean_of,
)
from engine.scenario_file import near_match
from engine.scenario_structs import POI, TRANSPORT_KINDS, Distribution, Facility, Link, Scenario
from scenarios import tables

_PARAMETERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "constant": (("mean",),),
    "exponential": (("mean",),),
    "lognormal": (("mean", "sd"), ("median", "sigma")),
    "gamma": (("mean", "sd"),),
    "erlang": (("mean", "k"),),
    "triangular": (("low", "mode", "high"),),
}
_RATE_KINDS = ("constant", "exponential", "lognormal", "gamma")
_AT_ROLE_4 = ("dcr", "dcs", "icu", "definitive", "policy_days")
"""What care at a facility depends on: nothing at Role 4, where the clock ends."""

_FINITE = ("triage_teams", "treatment_bays", "operating_tables", "surgical_teams", "icu_beds", "ward_beds")
_SHOWN = 20


def check_network(s: Scenario) -> list[str]:
    """Refuse a network that cannot carry everyone (ScenarioError); return notes on what is not used.

    Links without facilities are laid over the default laydown. Every front needs a link from POI; its chain
    need not end in a Role 4 (a note says where it ends), as a network may be any part of an evacuation
    system.
    """
    fronts = list(s.fronts) or default_fronts()
    names = [front.name for front in fronts]
    _check_facilities(s, names)
    facilities = list(s.facilities) or default_facilities(fronts)
    _check_vehicles(s, [f.id for f in facilities])
    for i, link in enumerate(s.links):
        _check_link(f"links[{i}]", link, s, facilities)
    links = complete_links(s, fronts, facilities)
    _check_cycles(links)
    by_id = {f.id: f for f in facilities}
    for i, link in enumerate(s.links):
        _check_reach(f"links[{i}]", link, s, facilities, by_id)
    _check_twins(s, facilities)
    used, notes = _walk_fronts(s, facilities, links)
    return [*notes, *_unused_notes(s, facilities, used)]


def check_name(place: str, name: str) -> None:
    """A name is printable, without slashes or blanks at the ends, not '.' or '..', and no spreadsheet formula."""
    odd = not name.isprintable() or name != name.strip() or set(name) & {"/", "\\"}
    if odd or name in (".", "..") or name[:1] in tuple("=+-@"):
        raise ScenarioError(
            place,
            name,
            "printable characters without slashes and without blanks at the ends, not '.' or '..', no = + - @ first",
        )


def distinct(place: str, words: Sequence[str], field: str = "") -> None:
    """ScenarioError at the second of two like words."""
    for i, word in enumerate(words):
        if word in words[:i]:
            at = f"{place}[{i}].{field}" if field else f"{place}[{i}]"
            raise ScenarioError(at, word, f"each only once; it is {place}[{words.index(word)}] already")


def check_duration(place: str, d: Distribution, rate: bool = False) -> None:
    """A distribution has exactly the parameters of its kind, and sensible ones. `rate`: a daily rate, no duration."""
    if rate and d.distribution not in _RATE_KINDS:
        raise ScenarioError(
            f"{place}.distribution", d.distribution, f"for a rate one of {', '.join(_RATE_KINDS)}"
        )
    fields = ("mean", "sd", "median", "sigma", "low", "mode", "high", "k")
    given = tuple(name for name in fields if getattr(d, name) is not None)
    options = _PARAMETERS[d.distribution]
    wanted = " or ".join(" and ".join(option) for option in options)
    best = max(options, key=lambda option: len(set(option) & set(given)))
    for name in given:
        if name not in best:
            raise ScenarioError(f"{place}.{name}", getattr(d, name), f"for {d.distribution} only {wanted}")
    for name in best:
        if name not in given:
            raise ScenarioError(f"{place}.{name}", MISSING, f"for {d.distribution} {wanted}")
    if d.mean == 0 and d.distribution != "constant":
        raise ScenarioError(f"{place}.mean", d.mean, f"a mean above 0 for {d.distribution}")
    low, mode, high = d.low or 0.0, d.mode or 0.0, d.high or 0.0
    if d.distribution == "triangular" and not (low <= mode <= high and low < high):
        raise ScenarioError(
            place, f"low {low:g}, mode {mode:g}, high {high:g}", "low <= mode <= high and low < high"
        )
    if d.autocorrelation != 0 and not (rate and d.distribution == "lognormal"):
        raise ScenarioError(f"{place}.autocorrelation", d.autocorrelation, "0 but for lognormal rates")
    if mean_of(d) > 1e6 or (rate and mean_of(d) > 1000):
        limit = "a mean of at most 1,000 per 1,000 a day" if rate else "a mean of at most 1,000,000 minutes"
        raise ScenarioError(place, f"a mean of {mean_of(d):.4g}", limit)


def _listed(words: Sequence[str]) -> str:
    more = len(words) - _SHOWN
    return ", ".join(words[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _check_known(place: str, word: str, words: Sequence[str], what: str) -> None:
    if word not in words:
        raise ScenarioError(place, word, f"{what}: {_listed(words)}", near_match(word, words))


def _check_facilities(s: Scenario, fronts: Sequence[str]) -> None:
    for i, f in enumerate(s.facilities):
        place = f"facilities[{i}]"
        check_name(f"{place}.id", f.id)
        if f.name is not None:
            check_name(f"{place}.name", f.name)
        if f.id.upper() == POI:
            raise ScenarioError(f"{place}.id", f.id, "any id but POI, which is the point of injury")
        if f.kind is not None and f.kind[4] != str(f.role):
            raise ScenarioError(f"{place}.kind", f.kind, f"a kind of its role, {f.role}")
        for j, name in enumerate(f.fronts):
            _check_known(f"{place}.fronts[{j}]", name, fronts, "a front")
        distinct(f"{place}.fronts", f.fronts)
    distinct("facilities", [f.id for f in s.facilities], "id")


def _check_vehicles(s: Scenario, facilities: Sequence[str]) -> None:
    for i, v in enumerate(s.vehicles):
        place = f"vehicles[{i}]"
        check_name(f"{place}.id", v.id)
        if v.id in TRANSPORT_KINDS:
            raise ScenarioError(
                f"{place}.id", v.id, "any id but a kind of transport, which links may name as well"
            )
        if v.base is not None:
            _check_known(f"{place}.base", v.base, facilities, "a facility")
        if v.litters == 0 and not v.seats:
            raise ScenarioError(
                f"{place}.litters", v.litters, "room for at least one patient, on litters or seats"
            )
    distinct("vehicles", [v.id for v in s.vehicles], "id")


def _check_link(place: str, link: Link, s: Scenario, facilities: Sequence[Facility]) -> None:
    """The link on its own: ends, fronts, time or distance, vehicle."""
    ids = [f.id for f in facilities]
    _check_known(f"{place}.origin", link.origin, [POI, *ids], "POI or a facility")
    _check_known(f"{place}.destination", link.destination, ids, "a facility")
    names = [front.name for front in s.fronts or default_fronts()]
    for j, name in enumerate(link.fronts):
        _check_known(f"{place}.fronts[{j}]", name, names, "a front")
    distinct(f"{place}.fronts", link.fronts)
    if link.minutes is not None and link.distance_km is not None:
        raise ScenarioError(place, "minutes and distance_km", "one of the two")
    if link.minutes is None and link.distance_km is None:
        raise ScenarioError(f"{place}.minutes", MISSING, "minutes (a distribution) or distance_km")
    if link.minutes is not None:
        check_duration(f"{place}.minutes", link.minutes)
        if link.terrain is not None:
            raise ScenarioError(f"{place}.terrain", link.terrain, "a terrain only with distance_km")
    pools = {v.id: v.kind for v in s.vehicles}
    if link.vehicle is not None:
        kinds = [*pools, *TRANSPORT_KINDS]
        _check_known(f"{place}.vehicle", link.vehicle, kinds, "a vehicle or a kind of transport")
        mode = tables.transports()[pools.get(link.vehicle, link.vehicle)]["mode"]
        if link.terrain is not None and (mode == "air") != (link.terrain == "air"):
            fitting = (
                "air, as aircraft fly" if mode == "air" else "a terrain on the ground for ground vehicles"
            )
            raise ScenarioError(f"{place}.terrain", link.terrain, fitting)


def _check_cycles(links: Sequence[Link]) -> None:
    """Depth-first search for a way back to where one came from; ScenarioError names it."""
    onward: dict[str, list[tuple[str, int]]] = {}
    for i, link in enumerate(links):
        onward.setdefault(link.origin, []).append((link.destination, i))
    done: set[str] = set()
    for root in onward:
        path = [root]
        ways = [iter(onward[root])]
        while path:
            step = next(ways[-1], None)
            if step is None:
                done.add(path.pop())
                ways.pop()
            elif step[0] in path:
                cycle = " -> ".join([*path[path.index(step[0]) :], step[0]])
                raise ScenarioError(
                    f"links[{step[1]}]", cycle, "links that never lead back to where they came from"
                )
            elif step[0] not in done:
                path.append(step[0])
                ways.append(iter(onward.get(step[0], [])))


def _check_reach(
    place: str, link: Link, s: Scenario, facilities: list[Facility], by_id: dict[str, Facility]
) -> None:
    """The link and its ends: roles do not fall, and both ends serve its fronts."""
    fronts = list(s.fronts) or default_fronts()
    ends = [by_id[end] for end in (link.origin, link.destination) if end in by_id]
    if len(ends) == 2 and ends[1].role < ends[0].role:
        raise ScenarioError(
            f"{place}.destination",
            link.destination,
            f"a facility of Role {ends[0].role}, as {link.origin}, or a higher one; it is Role "
            f"{ends[1].role}",
        )
    for j, name in enumerate(link.fronts):
        for end in ends:
            served = facility_fronts(end, fronts)
            if name not in served:
                raise ScenarioError(
                    f"{place}.fronts[{j}]", name, f"a front that {end.id} serves: {_listed(served)}"
                )
    if not link_fronts(link, fronts, facilities):
        raise ScenarioError(
            place, f"{link.origin} -> {link.destination}", "ends that serve at least one front in common"
        )


def _check_twins(s: Scenario, facilities: list[Facility]) -> None:
    """No two links join the same two places for the same front."""
    fronts = list(s.fronts) or default_fronts()
    seen: dict[tuple[str, str, str], int] = {}
    for i, link in enumerate(s.links):
        for name in link_fronts(link, fronts, facilities):
            first = seen.setdefault((link.origin, link.destination, name), i)
            if first != i:
                raise ScenarioError(
                    f"links[{i}]",
                    f"{link.origin} -> {link.destination}",
                    f"one link between two places for a front; links[{first}] is the same for {name}",
                )


def _walk_fronts(s: Scenario, facilities: list[Facility], links: list[Link]) -> tuple[set[str], list[str]]:
    """Follow every front from POI by the closest links: ids of facilities reached, and notes."""
    fronts = list(s.fronts) or default_fronts()
    by_id = {f.id: f for f in facilities}
    minutes = [mean_of(link_minutes(link, s.vehicles)) for link in links]
    ways: dict[tuple[str, str], list[int]] = {}
    for i, link in enumerate(links):
        for name in link_fronts(link, fronts, facilities):
            ways.setdefault((link.origin, name), []).append(i)
    reached: set[str] = set()
    unused: dict[int, tuple[str, str]] = {}
    notes = []
    for front in fronts:
        at = POI
        while here := ways.get((at, front.name)):
            closest = min(here, key=lambda i: (minutes[i], i))
            for i in here:
                if i != closest:
                    unused.setdefault(i, (front.name, links[closest].destination))
            at = links[closest].destination
            reached.add(at)
        if at == POI:
            raise ScenarioError(
                "links", f"none from POI for front {front.name!r}", "a link from POI for every front"
            )
        if by_id[at].role < 4:
            notes.append(
                f"front {front.name}: evacuation ends at {at} (Role {by_id[at].role}), no way leads "
                f"to a Role 4 from there"
            )
    for i, (front_name, taken) in sorted(unused.items()):
        notes.append(
            f"links[{i}] ({links[i].origin} -> {links[i].destination}): not used from front "
            f"{front_name}, as {taken} is "
            "closer; a second destination acts once facilities can be full"
        )
    return reached, notes


def _unused_notes(s: Scenario, facilities: list[Facility], reached: set[str]) -> list[str]:
    """Facilities nobody reaches, capacities and vehicles that do not act yet."""
    notes = []
    for i, f in enumerate(s.facilities):
        if f.id not in reached:
            notes.append(f"facilities[{i}] ({f.id}): nobody gets there")
    limited = [f.id for f in s.facilities if any(getattr(f, name) is not None for name in _FINITE)]
    if limited:
        notes.append(
            f"capacities of {_listed(limited)}: read and checked, but not yet finite in this version"
        )
    if s.routing == "clock":
        for i, f in enumerate(s.facilities):
            usual = tables.default("capabilities")[f.kind or "role4"] | {"policy_days": None}
            idle = [name for name in _AT_ROLE_4 if getattr(f, name) not in (None, usual[name])]
            if f.role == 4 and idle:
                notes.append(
                    f"facilities[{i}] ({f.id}): {_listed(idle)} without effect, arrival at Role 4 fixes the outcome"
                )
    for i, link in enumerate(s.links):
        if link.vehicle is not None and link.minutes is not None:
            notes.append(f"links[{i}].vehicle: without effect, as minutes gives the travel time")
    named = {link.vehicle for link in s.links}
    for i, v in enumerate(s.vehicles):
        if v.id not in named:
            notes.append(f"vehicles[{i}] ({v.id}): no link names it")
    if s.vehicles:
        notes.append(
            "vehicles: of numbers, base, places and night only speed and loading times act in this "
            "version, on links "
            "with distance_km"
        )
    return notes
