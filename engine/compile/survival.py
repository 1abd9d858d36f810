"""A scenario's survival clock compiled to the table of `engine.clinical.survival`."""

import numpy as np

from engine.compile.rows import filled, floats, normal_cdf
from engine.numeric import interpreted
from engine.scenario import Scenario
from engine.tables import SURVIVAL, Table
from scenarios import tables
from scenarios.tables import model_parameters


def _clock_factor(s: Scenario) -> float:
    """Product of the environment's factors on the survival clock."""
    return (
        float(model_parameters("survival")["clock_factors"]["cold"])
        if "extreme_cold" in s.environment
        else 1.0
    )


def _lethal_tables() -> tuple[list[float], list[float]]:
    """(probability of being lethal if untreated, median life in minutes) by NISS 0..75."""
    given = model_parameters("survival")["lethality"]
    probability, minutes = [], []
    for niss in range(76):
        x = (niss - given["midpoint_niss"]) / given["scale_niss"]
        probability.append(1.0 / (1.0 + interpreted.exp(-x)) if niss >= given["minimum_niss"] else 0.0)
        minutes.append(given["minutes"] * interpreted.power(float(max(1, niss)), given["exponent"]))
    return probability, minutes


def _stays() -> tuple[list[list[float]], list[list[float]]]:
    """(by worst AIS: log median days, sigma, share below 72 h; by category: log median days, sigma)."""
    given = model_parameters("survival")["stay"]
    wounded = []
    for days in given["wounded_median_days"]:
        sigma = given["wounded_sigma"]
        wounded.append(
            [interpreted.log(days), sigma, normal_cdf((interpreted.log(3.0) - interpreted.log(days)) / sigma)]
        )
    category = [
        [interpreted.log(days), sigma]
        for days, sigma in zip(given["category_median_days"], given["category_sigma"], strict=True)
    ]
    return [wounded[0], *wounded], [category[-1], *category]


def _agent_onset() -> list[float]:
    """Share with delayed symptoms and the four delays in hours to choose from (warfare_patterns.json)."""
    cbrn = tables.warfare_patterns()["warfare_types"]["cbrn"]
    delays = cbrn["temporal_pattern"]["delayed_symptom_hours"]
    return [cbrn["casualty_clustering"]["delayed_onset_probability"], *delays]


def compile_survival(s: Scenario) -> Table:
    """Parameters of the survival clock for a resolved scenario."""
    given, own = model_parameters("survival"), s.survival
    casualties = model_parameters("casualties")
    probability, minutes = _lethal_tables()
    wounded_stay, category_stay = _stays()
    treat, agent, dnbi = given["treatment"], given["treatment"]["agent"], given["treatment"]["dnbi"]
    aid = [*treat["first_aid_works"], agent["first_aid_works"], 0.0, 0.0]
    surgery = [min(1.0, p * own.surgery_success_factor) for p in treat["surgery_succeeds"]]
    surgery[0] = treat["surgery_succeeds"][0] if own.tbi_success is None else own.tbi_success
    treated = [agent["treatment_succeeds"], dnbi["treatment_succeeds"], dnbi["treatment_succeeds"]]
    delay = treat["first_aid_median_minutes"] if own.first_aid_minutes is None else own.first_aid_minutes
    late, look = given["late"], given["score"]
    nerve = casualties["agent"]
    lethal_agent = zip(nerve["lethal"], nerve["median_minutes"], strict=True)
    return filled(
        SURVIVAL,
        clock=np.array([own.clock], np.uint8),
        lethal=floats(probability),
        minutes=floats(minutes),
        sigma=floats([given["lethality"]["sigma"]]),
        region_split=floats(
            given["mechanisms"][x]
            for x in ("neck_airway", "thorax_tension", "abdomen_torso", "limb_extremity")
        ),
        triage=floats([casualties["triage"]["immediate_minutes"], casualties["triage"]["surgical_ais2"]]),
        aid_works=floats(min(1.0, p * own.aid_success_factor) for p in aid),
        aid_rate=floats([*treat["rate_after_first_aid"], agent["rate_after_first_aid"], 1.0, 1.0]),
        resuscitation_rate=floats(
            [*treat["rate_after_resuscitation"], agent["rate_after_resuscitation"], 1.0, 1.0]
        ),
        surgery_works=floats([*surgery, *treated]),
        aid_delay=floats([interpreted.log(delay), treat["first_aid_sigma"]]),
        late_penalty=floats([treat["late_penalty"], treat["late_from"]]),
        late=floats(
            [
                late["probability"] if own.late_hazard is None else own.late_hazard,
                late["niss_scale"],
                late["maximum"],
                late["mean_days"],
            ]
        ),
        rtd72=floats([0.0, *given["rtd72"]["probability"], 0.0, 0.0]),
        rtd72_hours=floats(given["rtd72"]["hours"]),
        stay=floats(wounded_stay),
        category_stay=floats(category_stay),
        agent=floats([p, interpreted.log(m), nerve["sigma"]] for p, m in lethal_agent),
        agent_onset=floats(_agent_onset()),
        dnbi_life=floats(
            [interpreted.log(casualties["dnbi"]["lethal_median_minutes"]), casualties["dnbi"]["lethal_sigma"]]
        ),
        factor=floats([_clock_factor(s)]),
        score=floats(
            [
                look["b"],
                interpreted.log(interpreted.log(20.0)),
                look["stable_floor"],
                look["stable_per_niss"],
                look["stable_minutes"],
                look["resuscitation_ceiling"],
                look["resuscitation_half_life_minutes"],
                look["recovery_rate"],
            ]
        ),
        late_niss=late["minimum_niss"],
        niss_equivalent=floats([0.0, *(look["niss_equivalent"][f"T{k}"] for k in (1, 2, 3))]),
    )
