"""The mix: how casualties divide into streams and warfare types."""

from math import fsum
from typing import Literal, NamedTuple

from engine.scenario.front_rates import mean_rates
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vocabulary import STREAMS, Stream, WarfareType
from engine.scenario.warfare_types import agent_share, injury_modifier, type_weight
from scenarios import tables


class MixCell(NamedTuple):
    """One cell of the mix: casualties of one kind and one warfare type."""

    stream: Stream
    kind: Literal["wounded", "agent", "nbi", "disease"]
    """`wounded` and `agent` both belong to stream battle."""
    type: WarfareType | None
    """A warfare type of the scenario; None where the scenario has none."""
    weight: float
    """Share of the casualties outside special events; the weights of all cells sum to 1."""


def mix_of(scenario: Scenario) -> list[MixCell]:
    """Shares of streams and warfare types among the casualties; they sum to 1, and cells of weight 0 are left out.

    A type's share is its weight. Within a type an explicit `mix` holds as it is written; under rates the streams have
    the proportion of their mean rates times the environment; the default mix is multiplied by the type's
    `injury_modifier` and by the environment, then normalised. In type cbrn the table's 'Disease' means agent
    casualties: stream battle, kind agent. They are the share `agent_share` of the battle casualties, whatever the mix.
    """
    cells: list[MixCell] = []
    types: list[tuple[WarfareType | None, float]] = [
        (warfare.type, type_weight(warfare)) for warfare in scenario.warfare
    ] or [(None, 1.0)]
    total = fsum(weight for _, weight in types)
    for name, weight in types:
        shares = _stream_shares(scenario, name)
        agent = shares["battle"] * agent_share(name)
        type_share = weight / total
        cells += [
            MixCell("battle", "wounded", name, type_share * (shares["battle"] - agent)),
            MixCell("battle", "agent", name, type_share * agent),
            MixCell("nbi", "nbi", name, type_share * shares["nbi"]),
            MixCell("disease", "disease", name, type_share * shares["disease"]),
        ]
    return [cell for cell in cells if cell.weight > 0.0]


def _stream_shares(scenario: Scenario, name: WarfareType | None) -> dict[Stream, float]:
    """Shares of the streams within a warfare type, summing to 1."""
    mix = scenario.mix
    if mix is not None:
        weights: dict[Stream, float] = {"battle": mix.battle, "nbi": mix.nbi, "disease": mix.disease}
    elif scenario.casualties.rates is not None:
        weights = rate_shares(scenario)
        factors = environment_multipliers(scenario)
        weights = {stream: weights[stream] * factors[stream] for stream in STREAMS}
    else:
        modifier, factors = injury_modifier(name), environment_multipliers(scenario)
        weights = {
            stream: tables.default("mix")[stream] * modifier[stream] * factors[stream] for stream in STREAMS
        }
        if (
            name == "cbrn"
        ):  # the table's 'Disease' is caused by the agent: nobody is left who is ill otherwise
            agent = tables.default("mix")["disease"] * modifier["disease"] * factors["battle"]
            weights = {**weights, "battle": weights["battle"] + agent, "disease": 0.0}
    total = fsum(weights.values())
    return {stream: weights[stream] / total for stream in STREAMS}


def environment_multipliers(scenario: Scenario) -> dict[Stream, float]:
    """Product over the environment: `casualty_modifier` on battle and NBI, `disease_multiplier` on disease."""
    injured = ill = 1.0
    for name in scenario.environment:
        row = tables.warfare_patterns()["environmental_modifiers"][name]
        injured *= row["casualty_modifier"]
        ill *= row["disease_multiplier"]
    return {"battle": injured, "nbi": injured, "disease": ill}


def rate_shares(scenario: Scenario) -> dict[Stream, float]:
    """Shares of the streams by their mean rates over all fronts, summing to 1.

    They are rounded, because the last bit of exp differs between processors.
    """
    means = mean_rates(scenario)
    total = fsum(means.values())
    return {stream: round(means[stream] / total, 12) for stream in STREAMS}
