"""The warfare types of a scenario: their weights, and which types its incidents may be of."""

from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vocabulary import Stream, WarfareType
from engine.scenario.structs.warfare import Warfare
from scenarios import tables


def type_weight(warfare: Warfare) -> float:
    """Relative weight of a warfare type: its own, else `weight_multiplier` of the reference table."""
    if warfare.weight is not None:
        return warfare.weight
    return float(tables.warfare_patterns()["warfare_types"][warfare.type]["weight_multiplier"])


def heaviest_type(scenario: Scenario) -> WarfareType | None:
    """The warfare type with the largest weight, the first of equals; None without types."""
    return max(scenario.warfare, key=type_weight).type if scenario.warfare else None


def injury_modifier(name: WarfareType | None) -> dict[Stream, float]:
    """Factors of a warfare type on the streams of the default mix; 1 without a type."""
    if name is None:
        return {"battle": 1.0, "nbi": 1.0, "disease": 1.0}
    row = tables.warfare_patterns()["warfare_types"][name]["injury_modifier"]
    return {"battle": row["Battle Injury"], "nbi": row["Non-Battle Injury"], "disease": row["Disease"]}


def agent_share(name: WarfareType | None) -> float:
    """Share of agent casualties among the battle casualties of a warfare type: above 0 for cbrn only."""
    if name != "cbrn":
        return 0.0
    default_mix, modifier = tables.default("mix"), injury_modifier(name)
    agent = modifier["disease"] * float(default_mix["disease"])
    return agent / (agent + modifier["battle"] * float(default_mix["battle"]))


def incident_types(scenario: Scenario) -> list[str]:
    """Names of the types that incidents may be of.

    First the scenario's warfare types, then types that only its special events have, last `standard`, which is the
    type of incidents that have none. The kernel's tables by warfare type have their rows in this order.
    """
    types = [warfare.type for warfare in scenario.warfare]
    event_types = [event.type for event in scenario.events if event.type is not None]
    return [*dict.fromkeys([*types, *event_types]), "standard"]


def special_event_types(scenario: Scenario) -> list[int]:
    """By special event: the index of its type among `incident_types`."""
    names = incident_types(scenario)
    return [names.index(event.type or "standard") for event in scenario.events]
