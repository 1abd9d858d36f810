"""The place of an entry in messages: in the scenario, in a network template or in the default network."""

from engine.scenario.structs.links import Link
from engine.scenario.structs.scenario import Scenario


def entry_place(scenario: Scenario, field: str, entry_id: str) -> str:
    """Place of the facility or vehicle pool with this id; `field` is `facilities` or `vehicles`."""
    for i, entry in enumerate(getattr(scenario, field)):
        if entry.id == entry_id:
            return f"{field}[{i}]"
    return f"{_source(scenario)}, {entry_id}"


def link_place(scenario: Scenario, i: int, link: Link) -> str:
    """Place of link i of the expanded network, where the scenario's own links come first."""
    if i < len(scenario.links):
        return f"links[{i}]"
    return f"{_source(scenario)}, {link.origin} -> {link.destination}"


def _source(scenario: Scenario) -> str:
    return f"network {scenario.network}" if scenario.network else "default network"
