"""Times of first aid and field triage at the point of injury: before they are over nobody is ready for evacuation."""

import json
from typing import Any

import effects as x
import numpy as np
import pytest

import goldenhour
from engine.codes import AT_POI, CasualtyKind
from engine.errors import ScenarioError
from engine.measures.counted import STAGES
from engine.scenario import Scenario, parse, resolve, scenario_hash, to_toml

MILD = {"survival": x.NOBODY_DIES, "mix": x.MIXED}
"""Settings under which everybody is evacuated."""
AMBULANCES = {"id": "A", "kind": "ambulance_standard", "number": 6}


def run_of(times: dict[str, Any] | None, **settings: Any) -> goldenhour.Result:
    return x.run(600, **{**MILD, **x.network(), **settings}, point_of_injury=times)


def with_ambulances() -> dict[str, Any]:
    net = x.network()
    net["links"][0]["vehicle"] = "A"
    return {**net, "vehicles": [AMBULANCES]}


def first(result: goldenhour.Result, kind: str) -> Any:
    """Return ms of each patient's first event of a kind at the point of injury, by id; NaN where there is none."""
    rows = x.rows(result, kind)
    rows = rows[rows["facility"] == AT_POI]
    found = np.full(len(result), np.nan)
    found[rows["patient"][::-1]] = rows["at"][::-1]
    return by_id(result, found)


def by_id(result: goldenhour.Result, column: Any) -> Any:
    """Return a column of the patients in the order of their ids."""
    return column[np.argsort(result.patients["id_lo"])]


def later(before: Any, after: Any) -> Any:
    """Return by how many minutes one column is later than another, where neither is NaN."""
    a, b = x.both(before, after)
    return (b - a) / x.MINUTE


def scenario_of(**settings: Any) -> Scenario:
    return parse(json.dumps(x.settings_of(**settings)).encode(), "json")


def test_field_triage_puts_off_triage_request_and_all_that_follows_by_its_time() -> None:
    before, after = run_of(None), run_of({"triage_minutes": 10.0})
    assert x.same_people(before, after)
    for kind in ("triaged", "evacuation_requested", "departed"):
        assert later(first(before, kind), first(after, kind)) == pytest.approx(10.0, abs=1e-4), kind
    assert (first(after, "triaged") == first(after, "evacuation_requested")).all()
    assert x.first_leg(after) - x.first_leg(before) == pytest.approx(10.0, abs=1e-4)
    a, b = x.both(first(before, "first_aid"), first(after, "first_aid"))
    assert (a == b).all()


def test_a_vehicle_is_sent_when_field_triage_is_over() -> None:
    before = run_of(None, **with_ambulances())
    after = run_of({"triage_minutes": 60.0}, **with_ambulances())
    assert later(
        first(before, "evacuation_requested"), first(after, "evacuation_requested")
    ) == pytest.approx(60.0, abs=1e-4)
    assert (first(after, "departed") >= first(after, "evacuation_requested")).all()
    assert np.mean(later(first(before, "departed"), first(after, "departed"))) == pytest.approx(60.0, abs=5.0)


@pytest.mark.parametrize("settings", [{}, with_ambulances()], ids=["unlimited", "ambulances"])
def test_nobody_leaves_before_first_aid_is_over_where_it_takes_time(settings: dict[str, Any]) -> None:
    before, after = run_of(None, **settings), run_of({"treatment_minutes": 25.0}, **settings)
    aid, ready = first(after, "first_aid"), first(after, "evacuation_requested")
    aided = by_id(after, after.patients["kind"] <= CasualtyKind.NBI)
    assert not np.isnan(aid[aided]).any() and np.isnan(aid[~aided]).all()
    assert np.nanmin((ready - aid)[aided]) / x.MINUTE == pytest.approx(25.0, abs=1e-4)
    assert (first(after, "departed") >= ready).all()
    assert (ready[~aided] == first(before, "evacuation_requested")[~aided]).all()
    assert (first(after, "triaged") == first(before, "triaged")).all()
    given = after.treatments[after.treatments["facility"] == AT_POI]
    lasts = np.zeros(len(after))
    np.maximum.at(lasts, given["patient"], given["end"] - after.patients["first_care"][given["patient"]])
    treated = aided & (by_id(after, lasts) > 0)
    assert treated.sum() > 0.9 * aided.sum()
    assert by_id(after, lasts)[treated] / x.MINUTE == pytest.approx(25.0, abs=1e-4)
    assert np.nanmean(first(after, "departed") - first(before, "departed")) > 10 * x.MINUTE


def test_first_aid_comes_after_its_time_and_acts_then() -> None:
    grave = {"instant_death": 0.0, "severity": 0.5}
    far = {"mix": x.BATTLE, "survival": grave, **x.network((180.0, 45.0, 90.0, 360.0))}
    soon = x.run(3000, point_of_injury={"first_aid_after_minutes": 1.0}, **far)
    late = x.run(3000, point_of_injury={"first_aid_after_minutes": 45.0}, **far)
    for result, minutes in ((soon, 1.0), (late, 45.0)):
        after = (result.patients["first_care"] - result.patients["onset"]) / x.MINUTE
        on_the_way = result.patients["first_care"] >= 0
        assert after[on_the_way] == pytest.approx(minutes, abs=1e-4)
    assert x.cfr(late) > x.cfr(soon) + 0.003
    assert (x.status(late, "kia") | ~x.status(soon, "kia")).all()


def test_a_longer_first_aid_costs_lives_by_the_later_departure_alone() -> None:
    settings = {"mix": x.BATTLE, "survival": {"instant_death": 0.0}, **x.network()}
    short = x.run(3000, point_of_injury={"treatment_minutes": 1.0}, **settings)
    long = x.run(3000, point_of_injury={"treatment_minutes": 90.0}, **settings)
    a, b = x.both(first(short, "first_aid"), first(long, "first_aid"))
    assert (a == b).all()
    assert x.cfr(long) > x.cfr(short) + 0.005


def test_field_triage_begins_after_its_time() -> None:
    result = run_of({"triage_after_minutes": 15.0, "triage_minutes": 2.0})
    onset = by_id(result, result.patients["onset"])
    assert (first(result, "triaged") - onset) / x.MINUTE == pytest.approx(17.0, abs=1e-4)
    assert (first(result, "triaged") == first(result, "evacuation_requested")).all()
    both = run_of({"triage_after_minutes": 15.0, "treatment_minutes": 30.0})
    aided = by_id(both, both.patients["kind"] <= CasualtyKind.NBI)
    assert (first(both, "triaged") - onset) / x.MINUTE == pytest.approx(15.0, abs=1e-4)
    assert (first(both, "evacuation_requested") > first(both, "triaged"))[aided].all()


def test_the_times_follow_their_distribution() -> None:
    result = run_of({"triage_minutes": x.duration(20.0)})
    lasts = later(first(run_of(None), "triaged"), first(result, "triaged"))
    assert lasts.mean() == pytest.approx(20.0, abs=5 * 20 / 3 / np.sqrt(len(lasts)))
    assert lasts.std() == pytest.approx(20 / 3, rel=0.15)


def test_a_front_has_its_own_times_field_by_field() -> None:
    def of_south(own: dict[str, Any] | None) -> goldenhour.Result:
        south = {**x.SOUTH, **({} if own is None else {"point_of_injury": own})}
        times = {"triage_after_minutes": 15.0, "triage_minutes": 2.0}
        return x.run(400, **MILD, fronts=[x.FRONT, south], point_of_injury=times)

    same, other = of_south(None), of_south({"triage_minutes": 9.0})
    added = first(other, "triaged") - first(same, "triaged")
    south = by_id(same, same.patients["front"] == 1)
    assert (added[south] == 7 * x.MINUTE).all() and (added[~south] == 0).all()
    north = [by_id(result, result.patients["closed"])[~south] for result in (same, other)]
    assert (north[0] == north[1]).all()


def test_the_stages_of_the_time_to_surgery_contain_them_and_add_up() -> None:
    settings = {"mix": x.BATTLE, "survival": x.NOBODY_DIES}
    before = run_of(None, **settings)
    after = run_of({"triage_minutes": 10.0, "treatment_minutes": 15.0}, **settings)
    tables = [result.delays() for result in (before, after)]
    operated = tables[0]["to_surgery"] >= 0
    operated[x.treatments(before, "burn_excision")["patient"]] = False  # done days later, whenever they come
    assert operated.sum() > 100
    for table in tables:
        assert (sum(table[name][operated] for name in STAGES) == table["to_surgery"][operated]).all()
    added = {
        name: (tables[1][name] - tables[0][name])[operated] for name in ("point_of_injury", "to_surgery")
    }
    assert added["point_of_injury"].min() >= 10 * x.MINUTE - 1
    assert np.abs(added["point_of_injury"] - added["to_surgery"]).max() <= 2


def test_under_transition_matrix_routing_they_put_off_evacuation() -> None:
    before, after = (
        run_of(times, routing="transition-matrix", facilities=None, links=None, survival=None)
        for times in (None, {"triage_minutes": 10.0})
    )
    assert later(first(before, "departed"), first(after, "departed")) == pytest.approx(10.0, abs=1e-4)
    returned = run_of(
        {"treatment_minutes": 50.0}, routing="transition-matrix", facilities=None, links=None, survival=None
    )
    at_poi = returned.treatments[returned.treatments["facility"] == AT_POI]
    assert (at_poi["end"] <= returned.patients["closed"][at_poi["patient"]]).all()


def test_written_and_read_again_it_gives_the_same_patients() -> None:
    times = {"triage_minutes": 3.0, "treatment_minutes": {"distribution": "gamma", "mean": 9.0, "sd": 4.0}}
    front = {**x.FRONT, "point_of_injury": {"first_aid_after_minutes": 2.0}}
    scenario = scenario_of(total=80, point_of_injury=times, fronts=[front])
    for commented in (False, True):
        assert parse(to_toml(scenario, commented).encode(), "toml") == scenario
    shown = parse(to_toml(resolve(scenario)).encode(), "toml")
    assert scenario_hash(shown) == scenario_hash(scenario) != scenario_hash(scenario_of(total=80))
    a, b = goldenhour.simulate(scenario), goldenhour.simulate(shown)
    for one, other in ((a.events, b.events), (a.treatments, b.treatments), (a.patients, b.patients)):
        assert (one == other).all()


def test_times_that_are_no_duration_are_refused() -> None:
    for times, place in (
        ({"triage_minutes": -1.0}, "point_of_injury.triage_minutes"),
        ({"triage": 1.0}, "point_of_injury.triage"),
        (
            {"treatment_minutes": {"distribution": "gamma", "mean": 9.0}},
            "point_of_injury.treatment_minutes.sd",
        ),
    ):
        for settings, at in (
            ({"point_of_injury": times}, place),
            ({"fronts": [{**x.FRONT, "point_of_injury": times}]}, f"fronts[0].{place}"),
        ):
            with pytest.raises(ScenarioError) as error:
                x.notes(**settings)
            assert error.value.place == at


def test_times_without_effect_are_noted() -> None:
    own = [{**x.FRONT, "point_of_injury": {"triage_minutes": 4.0}}]
    ill = {"mix": x.ILL, "point_of_injury": {"treatment_minutes": 4.0}}
    slow = {"tourniquet": {"delay_minutes": 3.0}}
    replaced = {"point_of_injury": {"first_aid_after_minutes": 4.0}}
    for settings, note in (
        ({"point_of_injury": {}}, "point_of_injury: no effect, because nothing"),
        ({"point_of_injury": {"triage_minutes": 0.0}}, "point_of_injury.triage_minutes: no effect"),
        ({"point_of_injury": {"triage_minutes": 1.0}, "fronts": own}, "every front has its own"),
        (ill, "point_of_injury.treatment_minutes: no effect, because the ill"),
        ({**replaced, "survival": {"first_aid_minutes": 3.0}}, "survival.first_aid_minutes: no effect"),
        ({**replaced, "treatments": slow}, 'treatments["tourniquet"].delay_minutes: no effect'),
    ):
        assert any(note in found for found in x.notes(**settings)), note
    assert x.notes(point_of_injury={"triage_minutes": 1.0, "treatment_minutes": 5.0}) == x.notes()
