"""The evacuation network of a scenario, made complete: facilities, links and vehicles with their defaults."""

from collections.abc import Sequence

from msgspec import UNSET
from msgspec.structs import replace

from engine.errors import MISSING, ScenarioError, shown
from engine.scenario.default_network import default_facilities, default_fronts, default_links
from engine.scenario.near_matches import near_match
from engine.scenario.network_templates import Network, expand_template, override_entries
from engine.scenario.structs.facilities import Facility
from engine.scenario.structs.fronts import Front
from engine.scenario.structs.links import Link
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vehicles import Vehicle
from engine.scenario.structs.vocabulary import TRANSPORT_KINDS
from scenarios import tables

_ALLOWED = {
    "role": "a whole number from 0 to 4",
    "kind": f"one of {', '.join(TRANSPORT_KINDS)}",
    "number": "a whole number, at least 1",
}
"""Fields that only an entry that overrides one of a network may leave out, and what they may be."""


def expand_network(scenario: Scenario) -> Scenario:
    """The scenario with the network template that it names written out, and `network` unset.

    A scenario that names none is returned as it is. An entry of the scenario overrides the template's entry of the
    same id, field by field: a field at its default keeps the template's value. Entries of other ids are added. A link
    replaces the template's links between the same two places for the fronts that it serves; the scenario's links come
    first. Raises ScenarioError if an entry that overrides none has no role, kind or number.
    """
    template = template_of(scenario)
    facility_ids = {facility.id for facility in template.facilities} if template else set()
    pool_ids = {pool.id for pool in template.vehicles} if template else set()
    _require_fields("facilities", scenario.facilities, facility_ids, ("role",))
    _require_fields("vehicles", scenario.vehicles, pool_ids, ("kind", "number"))
    if template is None:
        return scenario
    fronts = list(scenario.fronts) or default_fronts()
    facilities = override_entries(template.facilities, scenario.facilities)
    vehicles = override_entries(template.vehicles, scenario.vehicles)
    return replace(
        scenario,
        network=None,
        network_scale=1.0,
        facilities=[replace(facility, new=False) if facility.new else facility for facility in facilities],
        links=[*scenario.links, *_links_left(template.links, scenario.links, fronts, facilities)],
        vehicles=[replace(pool, new=False) if pool.new else pool for pool in vehicles],
    )


def template_of(scenario: Scenario) -> Network | None:
    """The network template that a scenario names, for its fronts; None where it names none."""
    if scenario.network is None:
        return None
    fronts = list(scenario.fronts) or default_fronts()
    return expand_template(scenario.network, [front.name for front in fronts], scenario.network_scale)


def _require_fields(
    place: str, entries: Sequence[Facility | Vehicle], template_ids: set[str], names: tuple[str, ...]
) -> None:
    """Refuse an entry that overrides none of a template and lacks one of these fields."""
    for i, entry in enumerate(entries):
        for name in names:
            if getattr(entry, name) is UNSET and entry.id not in template_ids:
                raise ScenarioError(
                    f"{place}[{i}].{name}",
                    MISSING,
                    f"{_ALLOWED[name]}; only an entry that overrides one of a network may leave it out, and "
                    f"{shown(entry.id)} does not",
                    near_match(entry.id, template_ids),
                )


def complete_network(scenario: Scenario) -> Scenario:
    """The scenario with its whole network, of a template or the default one, and with the defaults of every entry."""
    scenario = expand_network(scenario)
    fronts = list(scenario.fronts) or default_fronts()
    facilities = [
        _complete_facility(facility) for facility in scenario.facilities or default_facilities(fronts)
    ]
    links = complete_links(scenario, fronts, facilities)
    return replace(
        scenario,
        fronts=fronts,
        facilities=facilities,
        links=[replace(link, fronts=link_fronts(link, fronts, facilities)) for link in links],
        vehicles=[_complete_vehicle(pool) for pool in scenario.vehicles],
    )


def facility_fronts(facility: Facility, fronts: list[Front]) -> list[str]:
    """Names of the fronts that a facility serves, in the order of the scenario."""
    names = [front.name for front in fronts]
    served = frozenset(facility.fronts)
    return [name for name in names if name in served] if served else names


def link_fronts(link: Link, fronts: list[Front], facilities: list[Facility]) -> list[str]:
    """Names of the fronts whose casualties may use a link: its own, else all that both ends serve."""
    if link.fronts:
        own = frozenset(link.fronts)
        return [front.name for front in fronts if front.name in own]
    by_id = {facility.id: facility for facility in facilities}
    served = [front.name for front in fronts]
    for end in (link.origin, link.destination):
        if end in by_id:
            at_end = frozenset(facility_fronts(by_id[end], fronts))
            served = [name for name in served if name in at_end]
    return served


def _links_left(
    links: list[Link], replacements: list[Link], fronts: list[Front], facilities: list[Facility]
) -> list[Link]:
    """The links that `replacements` leave in place, each for the fronts that it still serves."""
    replaced = {
        (link.origin, link.destination, name)
        for link in replacements
        for name in link_fronts(link, fronts, facilities)
    }
    left = []
    for link in links:
        served = link_fronts(link, fronts, facilities)
        still_served = [name for name in served if (link.origin, link.destination, name) not in replaced]
        if still_served == served:
            left.append(link)
        elif still_served:
            left.append(replace(link, fronts=still_served))
    return left


def complete_links(scenario: Scenario, fronts: list[Front], facilities: list[Facility]) -> list[Link]:
    """The scenario's own links; without facilities of its own, together with those of the default network.

    In the default network a link replaces the default link of the same origin for the fronts that it serves.
    """
    if scenario.facilities or not scenario.links:
        return list(scenario.links) or ([] if scenario.facilities else default_links(fronts))
    replaced = {
        (link.origin, name) for link in scenario.links for name in link_fronts(link, fronts, facilities)
    }
    left = [link for link in default_links(fronts) if (link.origin, link.fronts[0]) not in replaced]
    return [*scenario.links, *left]


def _complete_facility(facility: Facility) -> Facility:
    """The facility with kind, name, capabilities and evacuation policy."""
    kind = facility.kind or tables.default("facility_kind")[str(facility.role)]
    able = tables.default("capabilities")[kind]
    policy = tables.default("policy_days")[str(facility.role)]
    has_policy = facility.policy_days is not None or policy is None
    return replace(
        facility,
        kind=kind,
        name=facility.name or facility.id,
        dcr=able["dcr"] if facility.dcr is None else facility.dcr,
        dcs=able["dcs"] if facility.dcs is None else facility.dcs,
        icu=able["icu"] if facility.icu is None else facility.icu,
        definitive=able["definitive"] if facility.definitive is None else facility.definitive,
        policy_days=facility.policy_days if has_policy else float(policy),
    )


def _complete_vehicle(pool: Vehicle) -> Vehicle:
    """The pool with its litters, by default its kind's capacity (transport_logistics.json), and its seats, else 0."""
    capacity = int(tables.transports()[pool.kind]["capacity"])
    return replace(
        pool,
        litters=capacity if pool.litters is None else pool.litters,
        seats=0 if pool.seats is None else pool.seats,
    )
