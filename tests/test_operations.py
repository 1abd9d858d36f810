"""Bays and tables, further operations in a stay, and who needs intensive care: the settings have their effects."""

import json
from typing import Any

import effects as x
import finite_laws as laws
import finite_oracle as oracle
import numpy as np
import pytest
from small_networks import (
    Result,
    at,
    calls_for_role_3_surgery,
    hospital,
    run,
    through,
    wakes_in_intensive_care,
)

from engine import scenario as scenario_api
from engine.codes import TREATMENTS, CasualtyKind, Resource
from engine.errors import ScenarioError
from scenarios import catalogue

SURGERY = x.constant(120.0)
EVERY = [1.0] * 4
NEVER = [0.0] * 4
SCARCE = {"treatment_bays": 3, "operating_tables": 1, "surgery_minutes": SURGERY}


def operations(result: Result, facility: str = "R2") -> Any:
    """Return the number of operations of each patient at a facility."""
    started = np.concatenate(
        [
            x.rows(result, name, facility)["patient"]
            for name in ("surgery_started", "definitive_surgery_started")
        ]
    )
    return np.bincount(started.astype(np.int64), minlength=len(result))


def longest_stay_in_bay(result: Result) -> int:
    """Return the most bays in use at a time, of those that the table `facilities` shows."""
    rows = result.facilities
    return int(rows["in_use_now"][rows["resource"] == Resource.TREATMENT_BAY].max(initial=0))


def first_care(result: Result) -> Any:
    """Return the minutes from the arrival to the first treatment in a bay."""
    begun = np.fmin(at(result, "care_started", "R2"), at(result, "resuscitation_started", "R2"))
    return begun - at(result, "arrived", "R2")


# --- the bay


def test_a_bay_is_free_while_its_patient_waits_for_a_table() -> None:
    held, freed = (hospital({**SCARCE, "hold_bay": hold}) for hold in (True, False))
    assert np.nanmean(first_care(freed)) < 0.5 * np.nanmean(first_care(held))
    assert (operations(held) == operations(freed)).all()
    assert 0 < longest_stay_in_bay(freed) <= 3
    busy = [x.rows(result, "surgery_started", "R2")["at"].max() for result in (held, freed)]
    assert busy[1] <= busy[0], "the only table is never idle for want of a patient in a bay"


def test_check_says_where_no_bay_is_held() -> None:
    for own in ({"treatment_bays": 2}, {"operating_tables": 1}, {}):
        place = {"id": "R2", "role": 2, "hold_bay": False, **own}
        whole = x.one_place(minutes=x.constant(30.0)) | {"facilities": [place]}
        assert any("hold_bay: no effect" in note for note in x.notes(**whole))
    whole["facilities"] = [{"id": "R2", "role": 2, "hold_bay": False, **SCARCE}]
    assert not any("hold_bay" in note for note in x.notes(**whole))


# --- further operations


def again(probability: list[float] = EVERY, **rules: Any) -> dict[str, Any]:
    return {"reoperations": {"probability": probability, **rules}}


@pytest.mark.parametrize("most", [2, 3, 5])
def test_those_who_are_operated_on_again_have_as_many_operations_as_allowed(most: int) -> None:
    once = operations(through({}))
    result = through({}, **again(most=most))
    assert once.max() == 1
    assert (operations(result) == most * once).all()
    assert (x.treatments(result, "wound_debridement")["facility"] == 0).sum() >= (most - 1) * once.sum()


def test_another_operation_follows_with_the_probability_of_the_severity() -> None:
    result = through({}, **again([0.0, 0.3, 0.6, 1.0], most=2))
    number, iss = operations(result), result.patients["iss"]
    for low, high, share in ((1, 8, 0.0), (9, 15, 0.3), (16, 24, 0.6), (25, 75, 1.0)):
        band = (number > 0) & (iss >= low) & (iss <= high)
        assert band.sum() > 10
        assert x.share_is((number[band] == 2).sum(), band.sum(), share, lines=4)


def test_the_next_operation_is_due_after_the_interval() -> None:
    for minutes in (600.0, 3000.0):
        result = through({}, **again(most=2, interval_minutes=x.constant(minutes)))
        ended = at(result, "surgery_ended", "R2")
        last = np.zeros(len(result))
        for kind in (
            "surgery_started",
            "definitive_surgery_started",
        ):  # the first may have done all there is to do
            started = x.rows(result, kind, "R2")
            np.maximum.at(last, started["patient"], started["at"] / x.MINUTE)
        twice = operations(result) == 2
        assert twice.sum() > 50
        passed = (last - ended)[twice]
        assert passed.min() == pytest.approx(minutes, abs=0.1)
        if minutes > 2880:  # the longest stay in intensive care
            assert passed.max() == pytest.approx(minutes, abs=0.1)


def test_only_the_roles_named_operate_again() -> None:
    for roles, expected in (([2], 2), ([3], 1)):
        number = operations(through({}, **again(most=2, roles=roles)))
        assert number.max() == expected


def test_each_further_operation_holds_a_table_and_is_counted() -> None:
    table = {"operating_tables": 1, "surgery_minutes": SURGERY}
    few, many = through(table), through(table, **again(most=3, interval_minutes=x.constant(300.0)))
    assert operations(many).sum() == 3 * operations(few).sum()

    def use(result: Result) -> float:
        rows = result.facilities
        mine = rows[rows["resource"] == Resource.OPERATING_TABLE]
        return float(mine["in_use"].sum())

    assert use(many) > 2 * use(few)


def test_littles_law_and_the_oracle_hold_where_tables_and_beds_wait_for_each_other() -> None:
    place = {
        "id": "R2",
        "role": 2,
        "operating_tables": 1,
        "treatment_bays": 2,
        "icu_beds": 1,
        "ward_beds": 2,
        "places": 40,
        "hold_bay": False,
        "surgery_minutes": SURGERY,
    }
    links = [
        {"origin": "POI", "destination": "R2", "minutes": x.constant(30.0)},
        {"origin": "R2", "destination": "R4", "minutes": x.constant(30.0)},
    ]
    scenario = x.settings_of(
        80,
        days=2,
        facilities=[place, {"id": "R4", "role": 4}],
        links=links,
        **again(most=3, interval_minutes=x.constant(120.0)),
    )
    laws.check_whole(oracle.run(scenario))


def test_the_laws_notice_operations_that_come_too_soon_or_are_too_many() -> None:
    scenario = x.settings_of(
        60, days=1, **x.one_place(minutes=x.constant(30.0)), **again(interval_minutes=x.constant(900.0))
    )
    r = oracle.run(scenario)
    laws.check_operations(r)
    for change in ({"most": 2}, {"interval_minutes": x.constant(1200.0)}, {"roles": [3]}):
        scenario["reoperations"] = again(interval_minutes=x.constant(900.0))["reoperations"] | change
        other = scenario_api.parse(json.dumps(scenario).encode(), "json")
        r.scenario = scenario_api.resolve(other)
        with pytest.raises(AssertionError):
            laws.check_operations(r)


def test_settings_of_further_operations_that_make_no_sense_are_refused() -> None:
    place = x.one_place(minutes=x.constant(30.0))
    for rules, said in (
        ({"probability": [0.5, 0.5]}, "reoperations.probability"),
        ({"probability": [0.5, 0.5, 0.5, 1.5]}, "reoperations.probability"),
        ({"probability": EVERY, "most": 1}, "reoperations.most"),
        ({"probability": EVERY, "most": 6}, "reoperations.most"),
        ({"probability": EVERY, "roles": [4]}, "reoperations.roles"),
        ({"probability": EVERY, "roles": [2, 2]}, "reoperations.roles"),
        (
            {"probability": EVERY, "interval_minutes": {"distribution": "erlang"}},
            "reoperations.interval_minutes",
        ),
    ):
        with pytest.raises(ScenarioError, match=said):
            x.notes(**place, reoperations=rules)


def test_check_says_where_further_operations_have_no_effect() -> None:
    place = x.one_place(minutes=x.constant(30.0))
    for rules, why in (
        (again(NEVER), "every probability is 0"),
        (again(roles=[3]), "no facility of role 3 below Role 4 operates"),
        (again() | {"routing": "transition-matrix"}, "routing transition-matrix"),
    ):
        assert any("reoperations: no effect" in note and why in note for note in x.notes(**place, **rules))
    assert not any("reoperations" in note for note in x.notes(**place, **again()))


# --- intensive care


def in_intensive_care(**rules: Any) -> tuple[Any, Result]:
    result = through({}, intensive_care=rules) if rules else through({})
    return np.isfinite(at(result, "icu_admitted", "R2")), result


def goes_on_at_once(result: Result) -> Any:
    """Which patients call for an operation of a higher role and were not operated on at the Role 2."""
    return calls_for_role_3_surgery(result) & (operations(result) == 0)


def comes_without_large_burn(result: Result) -> Any:
    """Which patients reach the Role 2 and have no large burn, which always leads to intensive care."""
    burnt = np.zeros(len(result), bool)
    burnt[x.treatments(result, "burn_fluids")["patient"]] = True
    return np.isfinite(at(result, "arrived", "R2")) & ~burnt


def test_without_a_rule_of_its_own_the_grave_operated_on_and_all_of_ais_4_have_intensive_care() -> None:
    care, result = in_intensive_care()
    operated = (operations(result) > 0) & wakes_in_intensive_care(result)
    expected = operated | ((result.patients["worst_ais"] >= 4) & ~goes_on_at_once(result))
    assert (care == expected)[comes_without_large_burn(result)].all()


def test_surgery_alone_is_no_reason_for_intensive_care_unless_it_says_so() -> None:
    care, result = in_intensive_care(after_surgery=False)
    there = comes_without_large_burn(result)
    assert (care == ((result.patients["worst_ais"] >= 4) & ~goes_on_at_once(result)))[there].all()


@pytest.mark.parametrize("niss", [9, 25])
def test_intensive_care_follows_the_niss(niss: int) -> None:
    care, result = in_intensive_care(after_surgery=False, worst_ais="none", niss=niss)
    there = comes_without_large_burn(result)
    assert (care == ((result.patients["niss"] >= niss) & ~goes_on_at_once(result)))[there].all()
    assert 0 < care.sum() < there.sum()


def test_intensive_care_follows_the_worst_ais() -> None:
    care, result = in_intensive_care(after_surgery=False, worst_ais=3)
    there = comes_without_large_burn(result)
    grave = result.patients["worst_ais"] >= 3
    assert (care == (grave & ~goes_on_at_once(result)))[there].all()
    assert (grave & goes_on_at_once(result))[there].any()


def test_intensive_care_follows_resuscitation() -> None:
    care, result = in_intensive_care(after_surgery=False, worst_ais="none", after_resuscitation=True)
    resuscitated = np.isfinite(at(result, "resuscitation_started", "R2"))
    there = comes_without_large_burn(result)
    assert (care == (resuscitated & ~goes_on_at_once(result)))[there].all()
    assert care.sum() > 20


def test_check_says_who_never_needs_intensive_care() -> None:
    place = x.one_place(minutes=x.constant(30.0))
    nobody = {"after_surgery": False, "worst_ais": "none"}
    assert any("nobody needs it" in note for note in x.notes(**place, intensive_care=nobody))
    basic = place | {"facilities": [{"id": "R2", "role": 2, "icu": False}]}
    assert any(
        "no facility below Role 4 has intensive care" in note
        for note in x.notes(**basic, intensive_care={"niss": 9})
    )


def test_the_settings_are_written_and_read_again() -> None:
    text = json.dumps(
        x.settings_of(
            **x.one_place(minutes=x.constant(30.0)),
            **again(interval_minutes=x.constant(900.0), roles=[2]),
            intensive_care={"after_surgery": False, "worst_ais": "none", "niss": 25},
        )
    )
    given = scenario_api.parse(text.encode(), "json")
    assert scenario_api.parse(scenario_api.to_toml(given).encode(), "toml") == given
    assert scenario_api.parse(scenario_api.to_toml(given, commented=True).encode(), "toml") == given


# --- operations within the care of the ill


def within_care(result: Result) -> Any:
    """Return the operations on those without wounds."""
    kinds = catalogue.treatment_kinds()
    theatre = [TREATMENTS.index(label) for label in kinds if kinds[label].theatre]
    done = result.treatments[np.isin(result.treatments["kind"], theatre)]
    return done[result.patients["kind"][done["patient"]] != CasualtyKind.WOUNDED]


def test_nobody_leaves_soon_after_an_operation_within_interrupted_care() -> None:
    """The more urgent take the bays of the others, who go on later: the time to wake counts from the end."""
    model = {"care": {"preparation": {"minutes": [0.0] * 4, "after_operation_minutes": 300.0}}}
    bays = {"treatment_bays": 4, "care_minutes": x.constant(120.0), "places": 100_000}
    places = [{"id": "R2", "role": 2, "policy_days": 0.0, **bays}, {"id": "R4", "role": 4}]
    links = [
        {"origin": "POI", "destination": "R2", "minutes": x.constant(30.0)},
        {"origin": "R2", "destination": "R4", "minutes": x.constant(30.0)},
    ]
    result = run(
        3200,
        model=model,
        bumping=True,
        retriage_minutes=1e6,
        days=16,
        mix={"battle": 0.4, "nbi": 0.6, "disease": 0.0},
        facilities=places,
        links=links,
        survival=x.NOBODY_DIES,
        complications={"drawn": False},
    )
    done = within_care(result)
    broken = np.isin(done["patient"], x.rows(result, "bumped")["patient"])
    assert broken.sum() > 5
    left = at(result, "departed", "R2")[done["patient"]]
    assert np.nanmin((left - done["end"] / x.MINUTE)[broken]) == pytest.approx(300.0, abs=0.1)


def test_an_operation_within_care_that_a_hit_breaks_off_is_done_again() -> None:
    hits = [
        {"event": "hit", "at_hours": float(hour), "facility": "R2", "capacity_lost": 0.0}
        for hour in range(2, 48)
    ]
    result = through({}, world=hits, mix={"battle": 0.0, "nbi": 1.0, "disease": 0.0})
    done = within_care(result)
    struck = x.rows(result, "facility_hit", "R2")
    hit_at = set(zip(struck["patient"].tolist(), struck["at"].tolist(), strict=True))
    broken = [int(row["patient"]) for row in done if (int(row["patient"]), int(row["end"])) in hit_at]
    assert len(broken) > 5
    ended = x.rows(result, "care_ended", "R2")
    whole = set(zip(ended["patient"].tolist(), ended["at"].tolist(), strict=True))
    again = {int(row["patient"]) for row in done if (int(row["patient"]), int(row["end"])) in whole}
    assert set(broken) <= again
