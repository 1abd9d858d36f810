"""Compile wounds and illnesses to the tables of `engine.clinical.casualties` (docs/model.md section 2.4)."""

import math
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np

from engine.codes import REGIONS, SIDED_REGIONS, SIDES
from engine.compile.choices import (
    care_need,
    cause_choices,
    condition_flags,
    illness_choices,
    limb_level,
    nature_of,
    wound_choices,
)
from engine.compile.rows import (
    STANDARD,
    WEAPONS,
    by_type,
    cumulated,
    environment,
    filled,
    floats,
    ints,
    triage_weights,
)
from engine.numeric import interpreted
from engine.scenario import Scenario, incident_types, mix_of, model_constants, special_event_types
from engine.tables import INJURIES, Table
from scenarios import catalogue, tables

ENVIRONMENT_INJURIES = ("heat_casualty", "cold_injury", "fall_injury", "crush_injury")
"""Non-battle injuries that an environment causes, in the order of `Illness` from HEAT on."""


_AIS_KEPT = 64
"""Limits of AIS that are kept for other scenarios with the same shares in a region."""


def compile_injuries(scenario: Scenario) -> Table:
    """Return one row of INJURIES for a resolved scenario, before the severity is fitted to triage weights."""
    return filled(
        INJURIES,
        **severity_fields(scenario),
        **wound_fields(scenario),
        **_choice_fields(scenario),
        **_condition_fields(),
        **_illness_fields(scenario),
    )


def severity_fields(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of INJURIES by warfare type or special event: mechanisms, instant death and severity."""
    given = model_constants(scenario, "casualties")
    types = [given["types"][name] for name in incident_types(scenario)]
    own = scenario.survival
    mechanisms: list[dict[Any, float]] = [own.mechanisms or of_type["mechanisms"] for of_type in types]
    # under transition-matrix routing the matrix decides who dies at the point of injury
    fixed = 0.0 if scenario.routing == "transition-matrix" else own.instant_death
    templates = tables.warfare_patterns()["special_event_templates"]
    per_log = given["special_events"]["severity_per_log"]
    return {
        "mechanisms": by_type(
            [cumulated([shares.get(weapon, 0.0) for weapon in WEAPONS]) for shares in mechanisms]
        ),
        "instant": by_type([of_type["instant_death"] if fixed is None else fixed for of_type in types]),
        "severity": by_type([of_type["severity"] + (own.severity or 0.0) for of_type in types]),
        "special_severity": floats(
            per_log * interpreted.log(templates[event.event]["injury_severity_increase"])
            for event in scenario.events
        ),
        "special_type": ints(special_event_types(scenario)),
    }


def wound_fields(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of INJURIES on number, region and AIS of wounds (docs/model.md section 2.4.1)."""
    wounds = model_constants(scenario, "casualties")["wounds"]
    return {
        "wound_mean": floats(wounds["mean"][weapon] for weapon in WEAPONS),
        "wound_slope": floats([wounds["severity_slope"], wounds["severity_offset"]]),
        "latent": floats([wounds["latent"], wounds["noise"]]),
        "shift": floats(wounds["shift"][weapon] for weapon in WEAPONS),
        "regions": floats(cumulated(wounds["regions"][weapon]) for weapon in WEAPONS),
        "ais": floats(_ais_limits(tuple(wounds["ais"][region])) for region in REGIONS),
        "fatal": floats(cumulated([wounds["instantly_fatal"].get(region, 0.0) for region in REGIONS])),
        "sided": np.array([region in SIDED_REGIONS for region in REGIONS], np.uint8),
    }


def _choice_fields(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of INJURIES that choose conditions and external causes."""
    types = tuple(incident_types(scenario))
    wound, illness, cause = (
        wound_choices(types, _burn_weights(scenario, types)),
        illness_choices(),
        cause_choices(types),
    )
    return {
        "first": by_type(wound.first),
        "count": by_type(wound.count),
        "choices": wound.choices,
        "chance": wound.chance,
        "ill_first": illness.first,
        "ill_count": illness.count,
        "ill_choices": illness.choices,
        "ill_chance": illness.chance,
        "cause_first": by_type(cause.first),
        "cause_count": by_type(cause.count),
        "cause_choices": cause.choices,
        "cause_chance": cause.chance,
    }


def _burn_weights(scenario: Scenario, types: Sequence[str]) -> tuple[float, ...]:
    """Return by warfare type the weight of burns and immersion among conditions of the mechanism `other`."""
    given = model_constants(scenario, "casualties")["types"]
    return tuple(float(given[name].get("burn_and_immersion_weight", 1.0)) for name in types)


@cache
def _condition_fields() -> dict[str, Any]:
    """Return the fields of INJURIES by condition."""
    conditions = catalogue.conditions()
    return {
        "flags": np.array([condition_flags(condition) for condition in conditions], np.uint8),
        "groups": np.array([care_need(condition) for condition in conditions], np.uint8),
        "side": np.array([SIDES.index(condition.side) for condition in conditions], np.uint8),
        "level": np.array([limb_level(condition.code) for condition in conditions], np.uint8),
        "nature": np.array([nature_of(condition) for condition in conditions], np.uint8),
    }


def _illness_fields(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of INJURIES on casualties without weapon wounds (docs/model.md section 2.4.4)."""
    dnbi = model_constants(scenario, "casualties")["dnbi"]
    psychological, musculoskeletal = _shares_of_disease(scenario)
    triage = {
        "nbi": triage_weights(scenario, "nbi") or dnbi["triage"]["nbi"],
        "disease": triage_weights(scenario, "disease") or dnbi["triage"]["disease"],
        "psychological": dnbi["triage"]["psychological"],
    }
    agent_shares, agent_triage = _agent(scenario)
    return {
        "psychological": by_type(psychological),
        "musculoskeletal": by_type(musculoskeletal),
        "environment": floats(
            environment(scenario, f"{name}_probability", 0.0, max) for name in ENVIRONMENT_INJURIES
        ),
        "category": floats(_courses(dnbi["lethal"][kind], shares) for kind, shares in triage.items()),
        "agent_severity": floats(cumulated(agent_shares)),
        "agent_triage": ints(agent_triage),
    }


@lru_cache(_AIS_KEPT)
def _ais_limits(shares: tuple[float, ...]) -> list[float]:
    """Return the upper normal quantiles of AIS 1 to 5; infinity from the highest AIS of the region on."""
    limits = []
    for count in range(1, 6):
        reached = round(math.fsum(shares[:count]), 12)
        limits.append(math.inf if reached >= 1.0 else interpreted.normal_quantile(reached))
    return limits


def _shares_of_disease(scenario: Scenario) -> tuple[list[float], list[float]]:
    """Return the psychological and the musculoskeletal share of disease by warfare type.

    With shares n and d of NBI and disease they are min(1, .233 (n + d) / d) and max(0, (.504 (n + d) - n) / d): the
    published shares of all DNBI, where every NBI counts as musculoskeletal.
    """
    dnbi = model_constants(scenario, "casualties")["dnbi"]
    mix = mix_of(scenario)
    psychological, musculoskeletal = [], []
    for name in incident_types(scenario):
        of_type = [part for part in mix if name in (part.type, STANDARD if part.type is None else part.type)]
        nbi = math.fsum(part.weight for part in of_type if part.stream == "nbi")
        disease = math.fsum(part.weight for part in of_type if part.stream == "disease")
        if disease <= 0.0:
            psychological.append(0.0)
            musculoskeletal.append(0.0)
            continue
        share = min(1.0, dnbi["psychological_share"] * (nbi + disease) / disease)
        psychological.append(round(share, 9))
        rest = max(0.0, (dnbi["musculoskeletal_share"] * (nbi + disease) - nbi) / disease)
        musculoskeletal.append(round(min(1.0 - share, rest), 9))
    return psychological, musculoskeletal


def _agent(scenario: Scenario) -> tuple[list[float], list[int]]:
    """Return the shares of the agent's severities, re-weighted to an author's triage of disease, and their triage."""
    agent = model_constants(scenario, "casualties")["agent"]
    shares, triage = list(agent["severity"]), list(agent["triage"])
    wanted = triage_weights(scenario, "disease")
    if wanted:
        given = [
            math.fsum(share for share, of_share in zip(shares, triage, strict=True) if of_share == category)
            for category in (1, 2, 3)
        ]
        shares = [
            share * wanted[category - 1] / given[category - 1]
            for share, category in zip(shares, triage, strict=True)
        ]
    return shares, triage


def _courses(lethal: float, triage: Sequence[float]) -> list[float]:
    """Return the cumulated shares of lethal T1, other T1, T2 and T3; at most all T1 are lethal."""
    immediate, *others = triage
    kills = min(lethal * math.fsum(triage), immediate)
    return cumulated([kills, immediate - kills, *others])
