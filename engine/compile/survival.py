"""Compile the survival clock of a scenario to the table of `engine.clinical.survival` (docs/model.md section 2.5)."""

import math
from typing import Any

import numpy as np

from engine.codes import TREATMENTS, LethalMechanism
from engine.compile.agents import agent_life, agent_onset
from engine.compile.rows import filled, floats
from engine.numeric import interpreted
from engine.scenario import (
    MECHANISM_OF,
    TREATMENT_NAMES,
    Scenario,
    TreatmentName,
    is_available,
    model_constants,
)
from engine.tables import SURVIVAL, TYPES, Table
from scenarios import catalogue

HIGHEST_NISS = 75


def compile_survival(scenario: Scenario) -> Table:
    """Return one row of SURVIVAL for a resolved scenario."""
    return filled(
        SURVIVAL,
        **lethality_fields(scenario),
        **_treatment_fields(scenario),
        **_late_fields(scenario),
        **stay_fields(scenario),
        **_illness_fields(scenario),
        **_score_fields(scenario),
        **_availability_fields(scenario),
    )


def lethality_fields(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of SURVIVAL on lethality, life and triage of the wounded."""
    given = model_constants(scenario, "survival")
    triage = model_constants(scenario, "casualties")["triage"]
    return {
        "clock": np.array([scenario.survival.clock], np.uint8),
        "lethal": floats([lethal_shares(scenario)] * TYPES),
        "lethal_ais": given["lethality"]["minimum_ais"],
        "minutes": floats([_median_lives(scenario)] * TYPES),
        "sigma": floats([given["lethality"]["sigma"]]),
        "region_split": floats(
            given["mechanisms"][name]
            for name in ("neck_airway", "thorax_tension", "abdomen_torso", "limb_extremity")
        ),
        "immediate_minutes": float(triage["immediate_minutes"]),
        "surgical_ais2": floats([triage["surgical_ais2"]] * TYPES),
        "opened_ais2": float(triage["opened_ais2"]),
        "expectant": floats([_expectant_from(scenario)] * TYPES),
        "factor": floats([_clock_factor(scenario)]),
    }


def _clock_factor(scenario: Scenario) -> float:
    """Return the product of the environment's factors on the survival clock."""
    cold = float(model_constants(scenario, "survival")["clock_factors"]["cold"])
    return cold if "extreme_cold" in scenario.environment else 1.0


def lethal_shares(scenario: Scenario, tilt: float = 0.0) -> list[float]:
    """Return the probability of being lethal if untreated by NISS 0 to 75.

    1 / (1 + exp(-(NISS - midpoint_niss) / scale_niss - tilt)) from minimum_niss on (docs/model.md section 2.5.1).
    """
    given = model_constants(scenario, "survival")["lethality"]
    shares = []
    for niss in range(HIGHEST_NISS + 1):
        logit = (niss - given["midpoint_niss"]) / given["scale_niss"] + tilt
        shares.append(1.0 / (1.0 + interpreted.exp(-logit)) if niss >= given["minimum_niss"] else 0.0)
    return shares


def _median_lives(scenario: Scenario) -> list[float]:
    """Return the median life of the lethal in minutes by NISS 0 to 75: minutes * NISS**exponent."""
    given = model_constants(scenario, "survival")["lethality"]
    return [
        given["minutes"] * interpreted.power(float(max(1, niss)), given["exponent"])
        for niss in range(HIGHEST_NISS + 1)
    ]


def _expectant_from(scenario: Scenario) -> list[float]:
    """Return the NISS above which a T1 of a MASCAL incident is T4, and the share of those with this NISS who are."""
    given = model_constants(scenario, "care")["mascal"]
    return [float(given["expectant_niss"]), 1.0] if scenario.expectant else [math.inf, 0.0]


def _treatment_fields(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of SURVIVAL on the effects of treatments, by `LethalMechanism` (docs/model.md section
    2.5.4).
    """
    given, own = model_constants(scenario, "survival")["treatment"], scenario.survival
    agent, dnbi = given["agent"], given["dnbi"]
    aid = [
        min(1.0, chance * own.aid_success_factor) if _is_aid_available(scenario, mechanism) else NO_AID
        for mechanism, chance in zip(
            LethalMechanism, [*given["first_aid_works"], agent["first_aid_works"]], strict=False
        )
    ]
    surgery = [min(1.0, chance * own.surgery_success_factor) for chance in given["surgery_succeeds"]]
    surgery[0] = given["surgery_succeeds"][0] if own.tbi_success is None else own.tbi_success
    treated = [agent["treatment_succeeds"], dnbi["treatment_succeeds"], dnbi["treatment_succeeds"]]
    delay = given["first_aid_median_minutes"] if own.first_aid_minutes is None else own.first_aid_minutes
    return {
        "aid_works": floats([*aid, NO_AID, NO_AID]),
        "aid_rate": floats([*given["rate_after_first_aid"], agent["rate_after_first_aid"], 1.0, 1.0]),
        "resuscitation_rate": floats(
            [*given["rate_after_resuscitation"], agent["rate_after_resuscitation"], 1.0, 1.0]
        ),
        "surgery_works": floats([*surgery, *treated]),
        "aid_delay": floats([interpreted.log(delay), given["first_aid_sigma"]]),
        "aid_delay_against": floats(
            interpreted.log(_delay_against(scenario, mechanism, delay)) for mechanism in LethalMechanism
        ),
        "late_penalty": floats([given["late_penalty"], given["late_from"]]),
    }


NO_AID = -1.0
"""In place of a probability that first aid works: there is none against the mechanism."""

AID_AGAINST: dict[int, TreatmentName] = {
    **{mechanism: name for name, mechanism in MECHANISM_OF.items()},
    LethalMechanism.AGENT: "autoinjector",
}
"""By lethal mechanism: the first aid that acts on it."""


def _is_aid_available(scenario: Scenario, mechanism: int) -> bool:
    """Return whether there is first aid against a lethal mechanism, as far as the scenario says."""
    name = AID_AGAINST.get(mechanism)
    return name is None or is_available(scenario, name)


def _delay_against(scenario: Scenario, mechanism: int, delay: float) -> float:
    """Return the median delay of first aid against a lethal mechanism, in minutes; `delay` is that of all."""
    setting = scenario.treatments.get(AID_AGAINST[mechanism]) if mechanism in AID_AGAINST else None
    own = None if setting is None else setting.delay_minutes
    if own is not None:
        return own
    agent = model_constants(scenario, "survival")["treatment"]["agent"]
    return delay * float(agent["self_aid_share"]) if mechanism == LethalMechanism.AGENT else delay


def _availability_fields(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of SURVIVAL on treatments that not every scenario has."""
    given = model_constants(scenario, "survival")["treatment"]
    blood = given["prehospital_blood"]
    carried = is_available(scenario, "prehospital_blood")
    return {
        "available": np.array(
            [label not in TREATMENT_NAMES or is_available(scenario, label) for label in TREATMENTS],
            np.uint8,
        ),
        "prehospital_blood": floats([carried, blood["works"], blood["rate_after"]]),
        "resuscitation_works": given["resuscitation"]["works"],
        "failed_surgery_rate": given["rate_after_failed_surgery"],
        "surgery_without_blood": given["without_blood"]["surgery_factor"],
    }


def _late_fields(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of SURVIVAL on late deaths (docs/model.md section 2.5.5)."""
    late, own = model_constants(scenario, "survival")["late"], scenario.survival.late_hazard
    return {
        "late": floats(
            [
                late["probability"] if own is None else own,
                late["niss_scale"],
                late["maximum"],
                late["first_days"],
                late["mean_days"],
            ]
        ),
        "late_niss": late["minimum_niss"],
    }


def stay_fields(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of SURVIVAL on stays and return to duty (docs/model.md section 2.5.6)."""
    stay = model_constants(scenario, "survival")["stay"]
    days, least, leaves = [], [], []
    for condition in catalogue.conditions():
        care = condition.stay_days or 0.0
        ends_duty = condition.return_days == "no"
        duty = care if ends_duty else max(care, float(condition.return_days or 0.0))
        days.append(stay["scale"] * (care + stay["convalescence_share"] * (duty - care)))
        least.append(stay["least_days"] if condition.operations else 0.0)
        leaves.append(int(ends_duty))
    return {
        "stay_days": floats(days),
        "stay_least": floats(least),
        "leaves": np.array(leaves, np.uint8),
        "stay_sigma": stay["sigma"],
        "stay_shortest": stay["shortest"],
        "least_days": stay["least_days"],
    }


def _illness_fields(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of SURVIVAL on agent, NBI and disease casualties (docs/model.md section 2.5.1)."""
    dnbi = model_constants(scenario, "casualties")["dnbi"]
    return {
        "agent": floats(agent_life(scenario)),
        "agent_onset": floats(agent_onset()),
        "dnbi_life": floats([interpreted.log(dnbi["lethal_median_minutes"]), dnbi["lethal_sigma"]]),
    }


def _score_fields(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of SURVIVAL on the health score (docs/model.md section 2.5.7)."""
    given = model_constants(scenario, "survival")["score"]
    return {
        "score": floats(
            [
                given["b"],
                interpreted.log(interpreted.log(20.0)),
                given["stable_floor"],
                given["stable_per_niss"],
                given["stable_minutes"],
                given["resuscitation_ceiling"],
                given["recovery_rate"],
            ]
        ),
        "niss_equivalent": floats([0.0, *(given["niss_equivalent"][name] for name in ("T1", "T2", "T3"))]),
    }
