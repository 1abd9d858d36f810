"""What a scenario leaves open, filled in: fronts, shares, capabilities, policies, and the laydown."""

from functools import cache
from math import exp
from typing import Any

from msgspec.structs import replace

from engine.scenario import templates
from engine.scenario.structs import (
    POI,
    Casualties,
    Distribution,
    Facility,
    Front,
    Link,
    Scenario,
    SpecialEvent,
    Vehicle,
    Warfare,
    WarfareType,
)
from scenarios import tables


def resolve(s: Scenario) -> Scenario:
    """The same scenario with every default filled in; resolving twice changes nothing.

    Filled: casualties (total 1,440), fronts and their `share` (given; else by population; else equal), tempo
    and weights of warfare types, day, type and multiplier of special events, kind, name, capabilities and
    policy of facilities, the named network (then unset) or the default laydown, `fronts` of links, litters and
    seats of vehicles. Expects a scenario that `check` accepts.
    """
    s = completed(s)
    casualties = s.casualties
    if casualties.total is None and casualties.rates is None:
        casualties = Casualties(total=tables.default("total"))
    warfare = [replace(w, weight=type_weight(w)) for w in s.warfare]
    return replace(
        s,
        casualties=casualties,
        tempo=s.tempo or (tables.default("tempo") if warfare and s.day_weights is None else None),
        warfare=warfare,
        events=[_resolved_event(e, s.days, warfare) for e in s.events],
        fronts=_resolved_fronts(list(s.fronts)),
    )


def laid(s: Scenario) -> Scenario:
    """The scenario with the network it names laid out in its own lists, and `network` unset; as it is without one.

    An entry of the scenario with the id of one of the network's changes that one, field by field: what it leaves
    at its default stays the network's. Others are added. A link replaces the network's links between the same
    two places for the fronts it serves; the scenario's links come first.
    """
    if s.network is None:
        return s
    fronts = list(s.fronts) or default_fronts()
    base = templates.lay(s.network, [front.name for front in fronts], s.network_scale)
    facilities = templates.overlaid(base.facilities, s.facilities)
    return replace(
        s,
        network=None,
        network_scale=1.0,
        facilities=facilities,
        links=[*s.links, *_not_replaced(base.links, s.links, fronts, facilities)],
        vehicles=templates.overlaid(base.vehicles, s.vehicles),
    )


def completed(s: Scenario) -> Scenario:
    """The scenario with its whole network in its lists: laid out or default, entries with their own defaults."""
    s = laid(s)
    fronts = list(s.fronts) or default_fronts()
    facilities = [resolved_facility(f) for f in s.facilities or default_facilities(fronts)]
    links = complete_links(s, fronts, facilities)
    return replace(
        s,
        fronts=fronts,
        facilities=facilities,
        links=[replace(link, fronts=link_fronts(link, fronts, facilities)) for link in links],
        vehicles=[resolved_vehicle(v) for v in s.vehicles],
    )


def _not_replaced(
    links: list[Link], by: list[Link], fronts: list[Front], facilities: list[Facility]
) -> list[Link]:
    """The links of a network that the links `by` leave in place, for the fronts they leave them."""
    taken = {
        (link.origin, link.destination, name) for link in by for name in link_fronts(link, fronts, facilities)
    }
    kept = []
    for link in links:
        served = link_fronts(link, fronts, facilities)
        left = [name for name in served if (link.origin, link.destination, name) not in taken]
        if left == served:
            kept.append(link)
        elif left:
            kept.append(replace(link, fronts=left))
    return kept


def type_weight(w: Warfare) -> float:
    """Relative weight of a warfare type: its own, else `weight_multiplier` of the reference table."""
    if w.weight is not None:
        return w.weight
    return float(tables.warfare_patterns()["warfare_types"][w.type]["weight_multiplier"])


def middle_day(days: int) -> int:
    """The day of a special event that names none: the middle one, 1-based."""
    return min(days // 2 + 1, days)


def _resolved_event(e: SpecialEvent, days: int, warfare: list[Warfare]) -> SpecialEvent:
    """The event with day, type (the heaviest; the first of equals; conventional without types) and multiplier."""
    heaviest: WarfareType = max(warfare, key=type_weight).type if warfare else "conventional"
    template = tables.warfare_patterns()["special_event_templates"][e.event]
    return replace(
        e,
        day=e.day or middle_day(days),
        type=e.type or heaviest,
        casualty_multiplier=e.casualty_multiplier or float(template["casualty_multiplier"]),
    )


@cache
def _front_table() -> tuple[Front, ...]:
    return tuple(
        Front(
            name=row["name"],
            share=row["ratio"],
            nations={n["nationality_code"]: n["percentage"] / 100 for n in row["nations"]},
        )
        for row in tables.fronts_config()["fronts"]
    )


def default_fronts() -> list[Front]:
    """The fronts of fronts_config.json."""
    return list(_front_table())


def _resolved_fronts(fronts: list[Front]) -> list[Front]:
    """Fronts with shares: those given, else in proportion to population, else equal."""
    if all(f.share is not None for f in fronts):
        return fronts
    weights = [f.population or 0 for f in fronts] if all(f.population for f in fronts) else [1] * len(fronts)
    return [replace(f, share=w / sum(weights)) for f, w in zip(fronts, weights, strict=True)]


def resolved_facility(f: Facility) -> Facility:
    """The facility with kind, name, capabilities and policy."""
    kind = f.kind or tables.default("facility_kind")[str(f.role)]
    able = tables.default("capabilities")[kind]
    policy = tables.default("policy_days")[str(f.role)]
    return replace(
        f,
        kind=kind,
        name=f.name or f.id,
        dcr=able["dcr"] if f.dcr is None else f.dcr,
        dcs=able["dcs"] if f.dcs is None else f.dcs,
        icu=able["icu"] if f.icu is None else f.icu,
        definitive=able["definitive"] if f.definitive is None else f.definitive,
        policy_days=f.policy_days if f.policy_days is not None or policy is None else float(policy),
    )


def resolved_vehicle(v: Vehicle) -> Vehicle:
    """The pool with litters, else its kind's capacity (transport_logistics.json), and seats, else none."""
    capacity = int(tables.transports()[v.kind]["capacity"])
    return replace(
        v,
        litters=capacity if v.litters is None else v.litters,
        seats=0 if v.seats is None else v.seats,
    )


def default_facilities(fronts: list[Front]) -> list[Facility]:
    """Per front a Role 1, a Role 2 and a Role 3, and one Role 4 for all: R1-<front>, R2-<front>, R3-<front>, R4."""
    per_front = [
        Facility(id=f"R{role}-{front.name}", role=role, fronts=[front.name])
        for front in fronts
        for role in (1, 2, 3)
    ]
    return [*per_front, Facility(id="R4", role=4)]


def leg_minutes(leg: str) -> Distribution:
    """Minutes of `POI_to_Role1` and so on: lognormal, by ground where the table has it (transition_matrices.json)."""
    row = tables.transition_matrices()["evacuation_times"][leg]
    by = row.get("ground", row.get("air"))
    return Distribution(distribution="lognormal", mean=float(by["mean"]), sd=float(by["std"]))


def default_links(fronts: list[Front]) -> list[Link]:
    """The legs of the default laydown: POI to Role 1, 2, 3 of each front, then the Role 4."""
    links = []
    for front in fronts:
        chain = [POI, f"R1-{front.name}", f"R2-{front.name}", f"R3-{front.name}", "R4"]
        for step in range(4):
            leg = f"{'POI' if step == 0 else f'Role{step}'}_to_Role{step + 1}"
            links.append(
                Link(
                    origin=chain[step],
                    destination=chain[step + 1],
                    fronts=[front.name],
                    minutes=leg_minutes(leg),
                )
            )
    return links


def complete_links(s: Scenario, fronts: list[Front], facilities: list[Facility]) -> list[Link]:
    """The links of a scenario: its own; without facilities of its own, laid over the default laydown's.

    There a link replaces the default link of the same origin for the fronts it serves.
    """
    if s.facilities or not s.links:
        return list(s.links) or ([] if s.facilities else default_links(fronts))
    replaced = {(link.origin, name) for link in s.links for name in link_fronts(link, fronts, facilities)}
    kept = [link for link in default_links(fronts) if (link.origin, link.fronts[0]) not in replaced]
    return [*s.links, *kept]


def facility_fronts(f: Facility, fronts: list[Front]) -> list[str]:
    """Names of the fronts a facility serves, in the order of the scenario."""
    return [front.name for front in fronts if not f.fronts or front.name in f.fronts]


def link_fronts(link: Link, fronts: list[Front], facilities: list[Facility]) -> list[str]:
    """Names of the fronts whose casualties may use a link: its own, else all that both ends serve."""
    if link.fronts:
        return [front.name for front in fronts if front.name in link.fronts]
    by_id = {f.id: f for f in facilities}
    served = [front.name for front in fronts]
    for end in (link.origin, link.destination):
        if end in by_id:
            at_end = facility_fronts(by_id[end], fronts)
            served = [name for name in served if name in at_end]
    return served


def link_minutes(link: Link, vehicles: list[Vehicle]) -> Distribution:
    """Travel time of a link in minutes.

    `minutes` as given; else lognormal with mean distance / speed * terrain factor (transport_logistics.json)
    plus loading and unloading, and the SD of `travel.spread` (scenario_defaults.json) of the travelling.
    """
    return _minutes(link, vehicles, handling=True)


def one_way_minutes(link: Link, vehicles: list[Vehicle]) -> Distribution:
    """As `link_minutes`, the moving alone: without the pool's loading and unloading, where there is a distance."""
    return _minutes(link, vehicles, handling=False)


def _minutes(link: Link, vehicles: list[Vehicle], handling: bool) -> Distribution:
    if link.minutes is not None:
        return link.minutes
    travel: dict[str, Any] = tables.default("travel")
    name = link.vehicle or travel["air_vehicle" if link.terrain == "air" else "vehicle"]
    pool = next((v for v in vehicles if v.id == name), None)
    row = tables.transports()[pool.kind if pool else name]
    terrain = link.terrain or ("air" if row["mode"] == "air" else travel["terrain"])
    speed = pool.speed_kmh if pool and pool.speed_kmh else float(row["speed_kmh"])
    factor = tables.transport_logistics()["transport_time_calculation"]["modifiers"]["terrain"][terrain]
    moving = (link.distance_km or 0.0) / speed * 60.0 * factor
    around = ((pool.load_minutes or 0.0) + (pool.unload_minutes or 0.0)) if pool and handling else 0.0
    return Distribution(distribution="lognormal", mean=moving + around, sd=moving * travel["spread"])


def mean_of(d: Distribution) -> float:
    """Mean of a distribution, in its own unit."""
    if d.distribution == "triangular":
        return ((d.low or 0.0) + (d.mode or 0.0) + (d.high or 0.0)) / 3.0
    if d.median is not None:
        sigma = d.sigma or 0.0
        return d.median * exp(sigma * sigma / 2.0)
    return d.mean or 0.0
