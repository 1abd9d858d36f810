"""What a scenario is: the Structs, what follows from them, and their hash.

`parse` reads one from bytes, `check` refuses what cannot be run and notes what has no effect, `resolve` fills
what the author left open, so that everything downstream sees complete lists. Pure Python: neither NumPy nor
Numba.
"""

import hashlib
from datetime import UTC, datetime
from math import fsum
from typing import Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from engine.scenario.checks.settings import parse_start
from engine.scenario.defaults import (
    mean_of,
    resolve,
    type_weight,
)
from engine.scenario.structs import (
    MAX_DAYS,
    STREAMS,
    Casualties,
    Distribution,
    Mix,
    Rates,
    RateSetting,
    Scenario,
    Stream,
    WarfareType,
)
from scenarios import tables


class MixCell(NamedTuple):
    """One cell of the mix: `weight` is its share of the casualties outside special events; all cells sum
    to 1.

    `type` is a warfare type of the scenario, None without; `kind` "wounded" and "agent" are both of stream
    battle.
    """

    stream: Stream
    kind: Literal["wounded", "agent", "nbi", "disease"]
    type: WarfareType | None
    weight: float


def mix_of(s: Scenario) -> list[MixCell]:
    """Shares of streams and warfare types among the casualties, normalised to sum 1; cells of weight 0
    left out.

    A type's share is its weight. Within a type an explicit `mix` (or, under rates, their means) is taken as
    it is; the default mix is multiplied by the type's `injury_modifier` and by the environment, then
    normalised. In type cbrn the table's 'Disease' is agent casualties: stream battle, kind agent, as large a
    part of the battle casualties as the tables make it (`agent_share`), whatever the mix.
    """
    cells: list[MixCell] = []
    types: list[tuple[WarfareType | None, float]] = [(w.type, type_weight(w)) for w in s.warfare] or [
        (None, 1.0)
    ]
    total = fsum(weight for _, weight in types)
    for name, weight in types:
        shares = _stream_shares(s, name)
        agent = shares["battle"] * agent_share(name)
        part = weight / total
        cells += [
            MixCell("battle", "wounded", name, part * (shares["battle"] - agent)),
            MixCell("battle", "agent", name, part * agent),
            MixCell("nbi", "nbi", name, part * shares["nbi"]),
            MixCell("disease", "disease", name, part * shares["disease"]),
        ]
    return [cell for cell in cells if cell.weight > 0.0]


def agent_share(name: WarfareType | None) -> float:
    """Share of the agent's casualties among the battle casualties of a warfare type: 0 but for cbrn."""
    if name != "cbrn":
        return 0.0
    base, modifier = tables.default("mix"), _injury_modifier(name)
    agent = modifier["disease"] * float(base["disease"])
    return agent / (agent + modifier["battle"] * float(base["battle"]))


def _injury_modifier(name: WarfareType | None) -> dict[Stream, float]:
    if name is None:
        return {"battle": 1.0, "nbi": 1.0, "disease": 1.0}
    row = tables.warfare_patterns()["warfare_types"][name]["injury_modifier"]
    return {"battle": row["Battle Injury"], "nbi": row["Non-Battle Injury"], "disease": row["Disease"]}


def _stream_shares(s: Scenario, name: WarfareType | None) -> dict[Stream, float]:
    """Shares of the streams within a warfare type, summing to 1."""
    if s.mix is not None:
        weights: dict[Stream, float] = {"battle": s.mix.battle, "nbi": s.mix.nbi, "disease": s.mix.disease}
    elif s.casualties.rates is not None:
        weights = _rate_shares(s.casualties.rates)
        factors = environment_multipliers(s)
        weights = {stream: weights[stream] * factors[stream] for stream in STREAMS}
    else:
        modifier, factors = _injury_modifier(name), environment_multipliers(s)
        weights = {
            stream: tables.default("mix")[stream] * modifier[stream] * factors[stream] for stream in STREAMS
        }
        if name == "cbrn":  # the table's 'Disease' is the agent's work: no share of disease proper is left
            base = tables.default("mix")["disease"] * modifier["disease"] * factors["battle"]
            weights = {**weights, "battle": weights["battle"] + base, "disease": 0.0}
    total = fsum(weights.values())
    return {stream: weights[stream] / total for stream in STREAMS}


def environment_multipliers(s: Scenario) -> dict[Stream, float]:
    """Product over the environment: `casualty_modifier` on battle and NBI, `disease_multiplier` on disease."""
    injured = ill = 1.0
    for name in s.environment:
        row = tables.warfare_patterns()["environmental_modifiers"][name]
        injured *= row["casualty_modifier"]
        ill *= row["disease_multiplier"]
    return {"battle": injured, "nbi": injured, "disease": ill}


def rate_components(setting: RateSetting) -> list[Distribution]:
    """The distributions a rate is the sum of; none where it is unset."""
    if setting is None:
        return []
    return [setting] if isinstance(setting, Distribution) else list(setting)


def _rate_shares(rates: Rates) -> dict[Stream, float]:
    """Shares of the streams by their mean rates. Rounded: the last bit of exp differs between processors."""
    means: dict[Stream, float] = {
        "battle": fsum(mean_of(d) for d in rate_components(rates.battle)),
        "nbi": fsum(mean_of(d) for d in rate_components(rates.nbi)),
        "disease": fsum(mean_of(d) for d in rate_components(rates.disease)),
    }
    total = fsum(means.values())
    return {stream: round(means[stream] / total, 12) for stream in STREAMS}


def day_weights_of(s: Scenario) -> list[float]:
    """Weight of each day, summing to 1; its length is `days`.

    `day_weights` as given. Else `tempo` (sustained with warfare types): entry floor(8 d / days) of its eight
    for day d from 0; `intermittent` repeats its eight days instead. Else under `total` the day distribution
    of simulation_parameters.json (days 1, 2, 4 and 8 of an 8-day war), stretched to `days`: days that fall on
    none of the four get nobody. Else, under `rates`, even. Under rates a day's rate is multiplied by weight *
    days.
    """
    war = int(tables.default("war_days"))
    tempo = s.tempo or (tables.default("tempo") if s.warfare else None)
    if s.day_weights is not None:
        weights = list(s.day_weights)
    elif tempo is not None:
        pattern = tables.warfare_patterns()["tempo_patterns"][tempo]["daily_intensity"]
        cycles = tempo == "intermittent"
        weights = [float(pattern[d % war if cycles else war * d // s.days]) for d in range(s.days)]
    elif s.casualties.rates is not None:
        weights = [1.0] * s.days
    else:
        table = tables.simulation_parameters()["day_distribution"]
        weights = stretched([float(table.get(f"Day {d + 1}", 0.0)) for d in range(war)], s.days)
    total = fsum(weights)
    return [w / total for w in weights]


def stretched(weights: list[float], days: int) -> list[float]:
    """Daily weights of one length spread evenly over another number of days; the sum is kept."""
    old = len(weights)
    out = []
    for d in range(days):  # day d covers old days from d*old/days to (d+1)*old/days
        begin, end = d * old, (d + 1) * old
        parts = [
            weights[i] * (min(end, (i + 1) * days) - max(begin, i * days)) / days
            for i in range(begin // days, -(-end // days))
        ]
        out.append(fsum(parts))
    return out


def incident_types(s: Scenario) -> list[str]:
    """Names of the types incidents may be of: the scenario's, those only its special events have, `standard` for none.

    The kernel's tables by warfare type have their rows in this order.
    """
    types = [w.type for w in s.warfare]
    of_events = [e.type for e in s.events if e.type is not None]
    return [*dict.fromkeys([*types, *of_events]), "standard"]


def special_types(s: Scenario) -> list[int]:
    """By special event: the index of its type among `incident_types`."""
    names = incident_types(s)
    return [names.index(e.type or "standard") for e in s.events]


def with_overrides(
    s: Scenario, *, seed: int | None = None, total: int | None = None, days: int | None = None
) -> Scenario:
    """The scenario with another seed, number of casualties or number of days, as the command line's
    options ask.

    `total` in place of rates keeps the streams in the proportion of their mean rates. `days` stretches
    `day_weights`; special events keep their day (`check` refuses one that falls after the end). Bounds are
    `check`'s to judge.
    """
    if seed is not None:
        s = replace(s, seed=seed)
    if total is not None:
        if s.casualties.rates is not None and s.mix is None:
            s = replace(s, mix=Mix(**_rate_shares(s.casualties.rates)))
        s = replace(s, casualties=Casualties(total=total))
    if days is not None:
        if s.day_weights is not None and 1 <= days <= MAX_DAYS:
            s = replace(s, day_weights=stretched(s.day_weights, days))
        s = replace(s, days=days)
    return s


def scenario_hash(s: Scenario) -> str:
    """SHA-256 (hex) of the resolved scenario as canonical JSON, without seed, name and description."""
    content = msgspec.to_builtins(resolve(s))
    for key in ("seed", "name", "description"):
        del content[key]
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()


def start_seconds(s: Scenario) -> int:
    """The scenario's start in seconds since 1970-01-01T00:00:00Z."""
    since = parse_start(s.start) - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400 + since.seconds
