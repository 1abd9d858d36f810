"""Burns, cold and nerve agents as surgeons read them: area and fluids, rewarming, stays (model section 2.7.5)."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from bench import readers
from bench.clinical.builtins import sized
from engine.codes import NONE, TREATMENTS
from engine.compile.injuries import burn_areas
from scenarios import catalogue


@cache
def ship() -> Any:
    """Return a scenario in which many burn, and its records."""
    scenario = sized("warship_hit", 300)
    return scenario, readers.simulated(scenario, 300, 5)


def area_of(chunk: Any) -> Any:
    """Return the burnt share of the body surface of each patient by the wounds alone, in per cent."""
    areas = np.asarray(burn_areas())
    return np.bincount(
        chunk.wounds["patient"], areas[chunk.wounds["condition"]], minlength=len(chunk.patients)
    )


def test_who_is_burnt_on_a_fifth_of_the_body_has_a_burn_of_ais_3() -> None:
    _, chunk = ship()
    large = area_of(chunk) >= 20
    assert large.sum() > 10
    burnt = np.asarray(burn_areas())[chunk.wounds["condition"]] > 0
    worst = np.zeros(len(chunk.patients), int)
    np.maximum.at(worst, chunk.wounds["patient"][burnt], chunk.wounds["ais"][burnt].astype(int))
    assert (worst[large] >= 3).all()


def test_the_rate_of_burn_fluids_follows_the_area() -> None:
    scenario, chunk = ship()
    fluids = chunk.treatments["patient"][chunk.treatments["kind"] == TREATMENTS.index("burn_fluids")]
    rows = sorted(set(fluids.tolist()))[:8]
    assert len(rows) >= 4
    for row, text in zip(rows, readers.texts(scenario, chunk, rows), strict=True):
        percent = int(np.ceil(min(95.0, area_of(chunk)[row])))
        weight = int(chunk.patients["weight"][row])
        rate = 10 * percent + 100 * max(0, (weight - 80) // 10)
        assert f"dose {rate} mL/h" in text
        assert f"burnt percent {percent}" in text


def test_who_gets_burn_fluids_has_a_large_burn() -> None:
    _, chunk = ship()
    fluids = chunk.treatments["patient"][chunk.treatments["kind"] == TREATMENTS.index("burn_fluids")]
    assert len(fluids)
    assert (area_of(chunk)[fluids] >= 15).all()


@pytest.mark.parametrize("grades", [("mild", "moderate"), ("moderate", "severe"), ("severe", "very_severe")])
def test_graver_nerve_agent_casualties_stay_longer(grades: tuple[str, str]) -> None:
    days = {
        each.grade: each.stay_days or 0.0
        for each in catalogue.conditions()
        if each.use == "agent" and each.group == "nerve"
    }
    assert days[grades[0]] < days[grades[1]]


def test_a_deeper_or_larger_burn_does_not_stay_shorter() -> None:
    burns = [each for each in catalogue.conditions() if each.use == "wound" and each.burn_share and each.skin]
    second = [each for each in burns if "second degree" in each.display and each.ais_high == 1]
    third = [each for each in burns if "third degree" in each.display]
    assert second
    assert max(each.stay_days or 0.0 for each in second) <= min(each.stay_days or 0.0 for each in third)
    small = [each.stay_days or 0.0 for each in second if sum(each.burn_share or (0, 0)) < 5]
    large = [each.stay_days or 0.0 for each in second if sum(each.burn_share or (0, 0)) >= 8]
    assert max(small) <= min(large)


def test_hypothermia_is_over_after_ten_hours() -> None:
    scenario = sized("arctic_operation", 3000)
    chunk = readers.simulated(scenario, 3000, 11)
    cold = np.array([each.code.startswith("T68") for each in catalogue.conditions()])[
        chunk.patients["condition"]
    ]
    cold &= chunk.patients["lethal"] == NONE
    assert cold.sum() >= 10
    vitals = chunk.vitals
    taken = cold[vitals["patient"]] & (vitals["temperature"] != NONE)
    hours = (vitals["at"] - chunk.patients["time"][vitals["patient"]]) / 3_600_000
    degrees = 20.0 + vitals["temperature"] / 10.0
    early, late = taken & (hours < 1), taken & (hours > 14)
    assert early.sum() > 3
    assert np.median(degrees[early]) < 34
    assert degrees[late].min() > 35
