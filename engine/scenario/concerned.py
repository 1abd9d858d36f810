"""Whom a scenario can have: the streams and kinds of its casualties, and how many one incident can hurt."""

from math import inf
from typing import Literal

from engine.scenario.front_rates import mean_rates
from engine.scenario.listed import number_listed
from engine.scenario.mix import mix_of
from engine.scenario.structs.scenario import Scenario
from scenarios import tables

CasualtyKind = Literal["wounded", "agent", "nbi", "disease"]
"""As in `engine.scenario.mix.MixCell`: the wounded and agent casualties are the stream battle."""


def occurring_kinds(scenario: Scenario) -> set[CasualtyKind]:
    """The kinds of casualties that a scenario can have, as far as its settings tell; it passes the checks."""
    found: set[CasualtyKind] = set()
    types = {warfare.type for warfare in scenario.warfare} | {event.type for event in scenario.events}
    for incident in scenario.incidents:
        if incident.stream != "battle":
            found.add(incident.stream)
        elif incident.mechanism == "cbrn":
            found.add("agent")
        else:
            found |= {"wounded", "agent"} if "cbrn" in types else {"wounded"}
    casualties = scenario.casualties
    if casualties.only_listed or (
        scenario.incidents and casualties.total is None and casualties.rates is None
    ):
        return found
    if casualties.rates is None:
        found |= {cell.kind for cell in mix_of(scenario)}
    else:
        means = mean_rates(scenario)
        found |= {stream for stream in ("nbi", "disease") if means[stream] > 0.0}  # type: ignore[misc]
        if means["battle"] > 0.0:
            found |= {"wounded", "agent"} if "cbrn" in types else {"wounded"}
    if scenario.events:
        found |= {"wounded", "agent"} if "cbrn" in types else {"wounded"}
    return found


def largest_incident(scenario: Scenario) -> float:
    """Number of casualties that no incident of a scenario exceeds; infinity with special events."""
    if scenario.events:
        return inf
    most = max(1, number_listed(scenario))
    for warfare in scenario.warfare:
        clusters = tables.warfare_patterns()["warfare_types"][warfare.type]["casualty_clustering"]
        most = max(
            most, *(value[1] for name, value in clusters.items() if name.endswith(("_size", "_range")))
        )
    return most
