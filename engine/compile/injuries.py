"""Compile wounds and illnesses to the tables of `engine.clinical.casualties` (docs/model.md section 2.4)."""

import math
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np

from engine.codes import REGIONS, SIDED_REGIONS
from engine.compile.agents import agent_fields
from engine.compile.causes import cause_choices, nature_of
from engine.compile.choices import (
    care_need,
    condition_flags,
    conditions_by_ais,
    conflict_bits,
    sex_code,
    side_code,
    wound_choices,
)
from engine.compile.illnesses import compile_illnesses, illness_fields
from engine.compile.rows import (
    WEAPONS,
    by_type,
    cumulated,
    filled,
    floats,
    ints,
)
from engine.numeric import interpreted
from engine.scenario import Scenario, incident_types, model_constants, special_event_types
from engine.tables import INJURIES, Table
from scenarios import catalogue, tables

_MOST_BURNT = (0.0, 10.0, 20.0, 30.0, 40.0, 100.0, 100.0)
"""Per cent of the body surface below which all burns of a patient stay, by the worst AIS of one of them: the AIS
dictionary codes burns once, by the whole area, with AIS 2 from 10 %, 3 from 20 %, 4 from 30 % and 5 from 40 % on."""

_AIS_KEPT = 64
"""Limits of AIS that are kept for other scenarios with the same shares in a region."""


def compile_injuries(scenario: Scenario) -> Table:
    """Return one row of INJURIES for a resolved scenario, before the severity is fitted to triage weights."""
    return filled(
        INJURIES,
        **severity_fields(scenario),
        **wound_fields(scenario),
        **wound_choice_fields(scenario),
        **_choice_fields(scenario),
        **condition_fields(),
        **agent_fields(scenario),
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


def wound_choice_fields(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of INJURIES that choose the conditions of wounds."""
    types = tuple(incident_types(scenario))
    wound = wound_choices(types, _burn_weights(scenario, types))
    return {
        "first": by_type(wound.first),
        "count": by_type(wound.count),
        "choices": wound.choices,
        "chance": wound.chance,
    }


def _choice_fields(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of INJURIES that choose illnesses and external causes."""
    types = tuple(incident_types(scenario))
    illnesses = compile_illnesses(scenario)
    cause = cause_choices(types, illnesses.accidents)
    return {
        **illness_fields(scenario, illnesses),
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
def condition_fields() -> dict[str, Any]:
    """Return the fields of INJURIES by condition."""
    conditions = catalogue.conditions()
    return {
        "flags": np.array([condition_flags(condition) for condition in conditions], np.uint8),
        "groups": np.array([care_need(condition) for condition in conditions], np.uint8),
        "side": np.array([side_code(condition) for condition in conditions], np.uint8),
        "sex": np.array([sex_code(condition) for condition in conditions], np.uint8),
        "burn_area": burn_areas(),
        "burn_most": floats(_MOST_BURNT),
        "conflicts": conflict_bits(),
        "by_ais": conditions_by_ais(),
        "nature": np.array([nature_of(condition) for condition in conditions], np.uint8),
        "same": _same_codes(),
    }


@cache
def burn_areas() -> Any:
    """Return by condition the middle of the burned share of the body surface, in per cent; 0 where nothing is burnt."""
    shares = [condition.burn_share for condition in catalogue.conditions()]
    return floats(0.0 if share is None else sum(share) / 2.0 for share in shares)


def _same_codes() -> Any:
    """Return by condition the first one with its code and use."""
    first: dict[tuple[str, str], int] = {}
    return ints(
        first.setdefault((condition.code, condition.use), number)
        for number, condition in enumerate(catalogue.conditions())
    )


@lru_cache(_AIS_KEPT)
def _ais_limits(shares: tuple[float, ...]) -> list[float]:
    """Return the upper normal quantiles of AIS 1 to 5; infinity from the highest AIS of the region on."""
    limits = []
    for count in range(1, 6):
        reached = round(math.fsum(shares[:count]), 12)
        limits.append(math.inf if reached >= 1.0 else interpreted.normal_quantile(reached))
    return limits
