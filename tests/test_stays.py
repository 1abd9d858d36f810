"""Stay, return to duty and preparation: the diagnosis decides, and settings have effects (model section 2.5.6)."""

import json
from functools import cache
from typing import Any

import effects as x
import numpy as np
import pytest
from scipy import stats

import goldenhour
from engine.codes import EVENTS, NONE, TREATMENTS, TRIAGE, CasualtyKind
from engine.errors import ScenarioError
from scenarios import catalogue

ALPHA = 0.001
SIGMA, SHORTEST, LEAST = 0.3, 0.5, 3.0
ONWARD: dict[str, Any] = {
    "facilities": [{"id": "R2", "role": 2, "policy_days": 3650.0}, {"id": "R4", "role": 4}],
    "links": [
        {"origin": "POI", "destination": "R2", "minutes": x.constant(30.0)},
        {"origin": "R2", "destination": "R4", "minutes": x.constant(30.0)},
    ],
}
"""One hospital that keeps everybody until they are fit, and a way out of the theatre."""


def stay_settings(**stay: float) -> dict[str, Any]:
    return {"survival": {"stay": stay}}


def held(**settings: Any) -> goldenhour.Result:
    return x.run(
        6000,
        **{
            "mix": x.MIXED,
            "survival": x.NOBODY_DIES,
            "complications": {"drawn": False},
            **ONWARD,
            **settings,
        },
    )


@cache
def _by_condition() -> tuple[Any, Any, Any]:
    """Return median days in care, whether duty ends, and whether an operation is called for, by condition."""
    conditions = catalogue.conditions()
    return (
        np.array([condition.stay_days or 0.0 for condition in conditions]),
        np.array([condition.return_days == "no" for condition in conditions]),
        np.array([bool(condition.operations) for condition in conditions]),
    )


def of_patients(result: goldenhour.Result, by_condition: Any) -> Any:
    """Return the largest value of a patient's conditions."""
    p, w = result.patients, result.wounds
    found = np.zeros(len(p))
    np.maximum.at(found, w["patient"], by_condition[w["condition"]].astype(float))
    ill = p["kind"] != CasualtyKind.WOUNDED
    for name in ("condition", "second", "third", "fourth"):
        there = ill & (p[name] < len(by_condition))
        found[there] = np.maximum(found[there], by_condition[p[name][there]])
    return found


def days_in_care(result: goldenhour.Result) -> Any:
    """Return days from the injury, or of those without wounds from the first admission, to the end."""
    p = result.patients
    begin = np.where(p["kind"] == CasualtyKind.WOUNDED, p["time"], p["role2"])
    return (p["closed"] - begin) / x.DAY


def never_operated(result: goldenhour.Result) -> Any:
    """Return who is not operated on, and whom no condition keeps for the least days."""
    operated = np.zeros(len(result), bool)
    operated[x.rows(result, "surgery_started")["patient"]] = True
    return ~operated & (of_patients(result, _by_condition()[2]) == 0)


def test_the_stay_is_lognormal_about_that_of_the_longest_condition() -> None:
    result = held()
    days, median = days_in_care(result), of_patients(result, _by_condition()[0])
    back = (
        x.status(result, "rtd") & never_operated(result) & (days > 0.25)
    )  # nobody leaves before care has ended
    for kind in (CasualtyKind.WOUNDED, CasualtyKind.NBI, CasualtyKind.DISEASE):
        of_kind = back & (result.patients["kind"] == kind)
        assert of_kind.sum() > 300
        law = np.log(days[of_kind] / median[of_kind]) / SIGMA
        assert law.min() >= np.log(SHORTEST) / SIGMA - 1e-6, kind
        inner = law[law > np.log(SHORTEST) / SIGMA + 1e-6]
        assert stats.kstest(inner, stats.truncnorm(np.log(SHORTEST) / SIGMA, np.inf).cdf).pvalue > ALPHA, kind


@pytest.mark.parametrize("shortest", [0.5, 0.9])
def test_nobody_is_fit_within_the_shortest_part_of_the_usual_stay(shortest: float) -> None:
    result = held(model=stay_settings(shortest=shortest))
    days, median = days_in_care(result), of_patients(result, _by_condition()[0])
    back = x.status(result, "rtd") & never_operated(result) & (median >= 1)
    back &= result.patients["lethal"] == NONE
    part = days[back] / median[back]
    assert part.min() == pytest.approx(shortest, abs=1e-6)
    bound = (np.abs(part - shortest) < 1e-6).sum()
    assert x.share_is(bound, len(part), stats.norm.cdf(np.log(shortest) / SIGMA), lines=2)


def test_whose_duty_in_theatre_ends_leaves_it_and_all_others_return() -> None:
    result = held()
    ends = of_patients(result, _by_condition()[1]) > 0
    assert 0.2 < ends.mean() < 0.6
    assert x.status(result, "evacuated")[ends].all()
    kept = ~ends & ~(of_patients(result, _by_condition()[2]) > 0) & (result.patients["lethal"] == NONE)
    assert x.status(result, "rtd")[kept].mean() > 0.98  # few need more than the role has


def operated_within_care(result: goldenhour.Result) -> dict[int, int]:
    """Return the end, ms, of the last operation within the care by patient without wounds."""
    kinds = catalogue.treatment_kinds()
    theatre = np.isin(result.treatments["kind"], [TREATMENTS.index(k) for k in kinds if kinds[k].theatre])
    done = result.treatments[theatre]
    done = done[result.patients["kind"][done["patient"]] != CasualtyKind.WOUNDED]
    return dict(zip(done["patient"].tolist(), done["end"].tolist(), strict=True))


def test_nobody_is_back_within_three_days_of_an_operation_also_within_the_care() -> None:
    """The operation comes a week after the first admission, so the days in care do not cover it by themselves."""
    places = [{"id": "R1", "role": 1, "policy_days": 0.0}, {"id": "R2", "role": 2, "policy_days": 3650.0}]
    links = [
        {"origin": "POI", "destination": "R1", "minutes": x.constant(30.0)},
        {"origin": "R1", "destination": "R2", "minutes": x.constant(10_080.0)},
    ]
    result = x.run(
        20_000,
        mix={"battle": 0.0, "nbi": 0.6, "disease": 0.4},
        survival=x.NOBODY_DIES,
        complications={"drawn": False},
        facilities=places,
        links=links,
    )
    ended = operated_within_care(result)
    back = np.flatnonzero(x.status(result, "rtd"))
    days = [
        (int(result.patients["closed"][patient]) - ended[patient]) / x.DAY
        for patient in back.tolist()
        if patient in ended
    ]
    assert len(days) > 30
    assert min(days) >= LEAST - 1e-6
    assert min(days) == pytest.approx(LEAST, abs=1e-6), "the operation decides for some"


def test_whose_duty_ends_is_discharged_where_no_way_leads_on() -> None:
    alone = {"facilities": ONWARD["facilities"][:1], "links": ONWARD["links"][:1]}
    result = held(**alone)
    ends = of_patients(result, _by_condition()[1]) > 0
    assert x.status(result, "discharged")[ends].all()
    assert x.status(result, "rtd")[~ends].all()


def test_nobody_is_back_within_72_hours_of_an_operation() -> None:
    result = held()
    e = x.rows(result, "surgery_ended")
    ended = np.full(len(result), -1)
    np.maximum.at(ended, e["patient"], e["at"])
    back = x.status(result, "rtd") & (ended >= 0)
    assert back.sum() > 50
    since = (result.patients["closed"] - ended)[back] / x.DAY
    assert since.min() >= LEAST - 1e-6
    longer = held(model=stay_settings(least_days=9.0))
    since = (longer.patients["closed"] - ended)[back & x.status(longer, "rtd")] / x.DAY
    assert since.min() >= 9.0 - 1e-6


def test_without_spread_the_stay_is_the_median() -> None:
    result = held(model=stay_settings(sigma=0.0))
    days, median = days_in_care(result), of_patients(result, _by_condition()[0])
    back = x.status(result, "rtd") & never_operated(result) & (median > 0)
    assert days[back] == pytest.approx(median[back], abs=1e-6)


def test_the_scale_multiplies_the_days_of_all_conditions() -> None:
    usual, double = held(), held(model=stay_settings(scale=2.0))
    assert x.same_people(usual, double)
    days = [days_in_care(result) for result in (usual, double)]
    back = x.status(usual, "rtd") & x.status(double, "rtd") & never_operated(usual)
    back &= (days[0] > 0.25) & (usual.patients["lethal"] == NONE)
    assert back.sum() > 1000
    assert days[1][back] == pytest.approx(2.0 * days[0][back], abs=1e-6)
    soon = [(result.patients["rtd72"] == 1).sum() for result in (usual, double)]
    assert soon[1] < 0.9 * soon[0]


def test_convalescence_in_care_lengthens_the_stay() -> None:
    without, half, whole = (held(model=stay_settings(convalescence_share=c)) for c in (0.0, 0.5, 1.0))
    assert x.same_people(without, half, whole)
    back = x.status(without, "rtd")
    assert (x.status(whole, "rtd") == back).all()
    stays = [days_in_care(r)[back] for r in (without, half, whole)]
    assert (stays[0] <= stays[1] + 1e-6).all() and (stays[1] <= stays[2] + 1e-6).all()
    assert stays[0].mean() + 0.5 < stays[1].mean() < stays[2].mean() - 0.5


def test_minor_illness_and_accidents_stay_at_role_1() -> None:
    result = x.run(6000, mix={"battle": 0.0, "nbi": 0.5, "disease": 0.5}, **x.network())
    p = result.patients
    median, ends, operation = (of_patients(result, column) for column in _by_condition())
    minor = (median <= 2) & (ends == 0) & (operation == 0) & (p["triage"] == TRIAGE.index("T3"))
    assert minor.mean() > 0.3
    assert (p["role2"][minor] < 0).mean() > 0.85


def test_what_role_1_cannot_do_is_not_kept_there() -> None:
    """An appendix is taken out where there is an operating theatre, however long Role 1 may keep its patients."""
    result = x.run(20_000, mix=x.ILL, survival=x.NOBODY_DIES, **x.network(R1={"policy_days": 3650.0}))
    codes = np.array([condition.code for condition in catalogue.conditions()])
    appendicitis = np.char.startswith(codes[result.patients["condition"]], "K35")
    assert appendicitis.sum() > 20
    assert (result.patients["role2"][appendicitis] >= 0).all()
    kept = result.patients["role2"] < 0
    assert kept.mean() > 0.7
    assert x.status(result, "rtd")[kept].all()


def preparation(result: goldenhour.Result) -> tuple[Any, Any]:
    """Return minutes from a request at a facility to the departure, and the category assigned last before it."""
    e = result.events
    order = np.lexsort((np.arange(len(e)), e["patient"]))
    e = e[order]
    kinds = [EVENTS.index(name) for name in ("evacuation_requested", "departed", "triaged")]
    minutes, categories = [], []
    category, requested, owner = 0, -1, -1
    for row in e:
        if row["patient"] != owner:
            owner, category, requested = row["patient"], 0, -1
        if row["kind"] == kinds[2]:
            category = int(row["detail"])
        elif row["kind"] == kinds[0] and 0 <= row["facility"] < len(result.scenario.facilities):
            requested = int(row["at"])
        elif row["kind"] == kinds[1] and requested >= 0:
            minutes.append((int(row["at"]) - requested) / x.MINUTE)
            categories.append(category)
            requested = -1
    return np.array(minutes), np.array(categories)


def same_patients(*results: goldenhour.Result) -> bool:
    """Return whether the runs have the same patients, in whatever order their records are complete."""
    first = np.sort(results[0].patients["id_lo"])
    return all((np.sort(r.patients["id_lo"]) == first).all() for r in results)


FERRY = {"id": "pool", "kind": "ambulance_standard", "number": 1000, "litters": 4, "base": "R1"}


@pytest.mark.parametrize("vehicles", [[], [FERRY]])
def test_departure_is_as_long_after_the_request_as_preparation_takes(vehicles: list[dict[str, Any]]) -> None:
    """Vehicles without limit, and vehicles enough that are already there."""
    network = x.network(R1={"policy_days": 0.0})
    if vehicles:
        network["links"][1]["vehicle"] = "pool"
    own = {"care": {"preparation": {"after_operation_minutes": 0.0}}}
    usual = x.run(1500, survival=x.NOBODY_DIES, **network, vehicles=vehicles, model=own)
    given = {"care": {"preparation": {"minutes": [30.0, 40.0, 50.0, 60.0], "after_operation_minutes": 0.0}}}
    longer = x.run(1500, survival=x.NOBODY_DIES, **network, vehicles=vehicles, model=given)
    at_once = x.run(1500, survival=x.NOBODY_DIES, **network, vehicles=vehicles, model=x.AT_ONCE)
    assert same_patients(usual, longer, at_once)
    for result, expected in ((usual, (10, 15, 20, 20)), (longer, (30, 40, 50, 60)), (at_once, (0, 0, 0, 0))):
        minutes, categories = preparation(result)
        assert set(categories.tolist()) >= {1, 2, 3}
        wanted = np.array([0, *expected])[categories]
        assert len(minutes) > 1000
        exact = np.abs(minutes - wanted) < 1e-3
        assert exact.mean() > 0.95 and (minutes >= wanted - 1e-3).all()


def test_a_vehicle_waits_for_the_last_whom_it_takes_to_be_prepared() -> None:
    """Two ambulances that are always wanted: nobody leaves earlier than prepared."""
    network = x.network(R1={"policy_days": 0.0})
    network["links"][1]["vehicle"] = "pool"
    pool = {**FERRY, "number": 2}
    found = [
        x.run(
            300,
            survival=x.NOBODY_DIES,
            **network,
            vehicles=[pool],
            model={"care": {"preparation": {"minutes": [minutes] * 4}}},
        )
        for minutes in (0.0, 60.0)
    ]
    for result, least in zip(found, (0.0, 60.0), strict=True):
        minutes, _ = preparation(result)
        assert minutes.min() >= least - 1e-3
    assert same_patients(*found)


def rest_after_operations(result: goldenhour.Result) -> Any:
    """Return minutes from the end of an operation to the departure from the same facility."""
    e = result.events
    e = e[np.lexsort((np.arange(len(e)), e["patient"]))]
    ends = [EVENTS.index(name) for name in ("surgery_ended", "definitive_surgery_ended")]
    departed = EVENTS.index("departed")
    minutes, ended, owner = [], None, -1
    for row in e:
        if row["patient"] != owner:
            owner, ended = row["patient"], None
        if row["kind"] in ends:
            ended = row
        elif row["kind"] == departed and ended is not None and ended["facility"] == row["facility"]:
            minutes.append((int(row["at"]) - int(ended["at"])) / x.MINUTE)
            ended = None
    return np.array(minutes)


@pytest.mark.parametrize("vehicles", [[], [{**FERRY, "base": "R2"}]])
def test_nobody_leaves_within_half_an_hour_of_an_operation(vehicles: list[dict[str, Any]]) -> None:
    network = x.network()
    if vehicles:
        network["links"][2]["vehicle"] = "pool"
    for settings, least in (
        ({}, 30.0),
        ({"after_operation_minutes": 240.0}, 240.0),
        ({"minutes": [45.0] * 4}, 45.0),
    ):
        model = {"care": {"preparation": settings, **x.NO_STAY}}
        rest = rest_after_operations(
            x.run(1500, survival=x.NOBODY_DIES, **network, vehicles=vehicles, model=model)
        )
        assert len(rest) > 100
        assert rest.min() == pytest.approx(least, abs=1e-3)


def test_those_not_on_a_ventilator_recover_for_the_time_of_the_setting() -> None:
    """Nobody else leaves in less than the shortest time of the setting; longer times lengthen the rest."""
    rests = {}
    for minutes, hours in (([120.0, 300.0], 12.0), ([400.0, 700.0], 12.0), ([120.0, 300.0], 30.0)):
        result = x.run(
            1500,
            **x.network(R2={"kind": "role2_basic"}),
            model={
                "care": {
                    "strategic": x.NO_STAY["strategic"],
                    "recovery": {"minutes": minutes, "routine_hours": hours},
                }
            },
        )
        rest = rest_after_operations(result)
        left_early = rest < minutes[0] - 1e-3
        assert 0.0 < left_early.mean() < 0.5
        rests[minutes[0], hours] = np.sort(rest[~left_early])
    assert (
        rests[120.0, 12.0].min() == pytest.approx(300.0, abs=1e-3) or rests[120.0, 12.0].min() >= 120.0 - 1e-3
    )
    assert rests[400.0, 12.0].min() >= 400.0 - 1e-3
    assert rests[120.0, 30.0].mean() > rests[120.0, 12.0].mean() + 200.0


@pytest.mark.parametrize("vehicles", [[], [{**FERRY, "base": "R3"}]])
def test_a_journey_to_role_4_takes_as_long_to_arrange_as_the_setting(vehicles: list[dict[str, Any]]) -> None:
    network = x.network(R3={"policy_days": 0.0})
    if vehicles:
        network["links"][3]["vehicle"] = "pool"
    hours: dict[float, Any] = {}
    for most in (0.0, 20.0, 50.0):
        strategic = {"least_hours": [most] * 4, "most_hours": [most] * 4}
        recovery = {"minutes": [0.0, 0.0], "routine_hours": 0.0}
        result = x.run(
            1000,
            survival=x.NOBODY_DIES,
            complications={"drawn": False},
            **network,
            vehicles=vehicles,
            model={"care": {"strategic": strategic, "recovery": recovery}},
        )
        p = result.patients
        p = p[np.argsort(p["id_lo"])]
        there = (p["role3"] >= 0) & (p["role4"] >= 0)
        assert there.sum() > 200
        hours[most] = ((p["role4"] - p["role3"]) / (60 * x.MINUTE))[there]
    for most in (20.0, 50.0):
        assert len(hours[most]) == len(hours[0.0])
        longer = hours[most] - hours[0.0]
        assert np.median(longer) == pytest.approx(most, abs=0.5)
        assert (longer > most - 1.0).all()


def test_the_slightly_hurt_and_ill_go_to_quarters_and_return_as_soon() -> None:
    """Where nobody has quarters they lie on the ward, and nobody returns sooner or later."""
    settings: dict[str, Any] = {"mix": x.MIXED, "survival": x.NOBODY_DIES, **x.network()}
    usual = x.run(3000, **settings)
    fewer = x.run(3000, **settings, model={"care": {"quarters": {"worst_ais": 0}}})
    assert same_patients(usual, fewer)
    found = {}
    for name, result in (("usual", usual), ("fewer", fewer)):
        e, p = result.events, result.patients
        who = np.unique(e["patient"][e["kind"] == EVENTS.index("quarters")])
        direct = np.isin(who, e["patient"][e["kind"] == EVENTS.index("ward_admitted")], invert=True)
        assert (p["triage"][who[direct]] == 3).all() and (p["worst_ais"][who[direct]] <= 1).all()
        wounded = p["kind"][who] == CasualtyKind.WOUNDED
        assert (p["triage"][who[wounded]] == 3).all() and (p["worst_ais"][who] <= 2).all()
        assert (p["triage"][who] >= 2).all()
        assert x.status(result, "rtd")[who].all()
        found[name] = [
            int((p["kind"][who] == kind).sum()) for kind in (CasualtyKind.WOUNDED, CasualtyKind.DISEASE)
        ]
    assert min(found["usual"]) > 50 and max(found["fewer"]) == 0
    times = [np.sort(r.patients["closed"][x.status(r, "rtd")]) for r in (usual, fewer)]
    assert len(times[0]) == len(times[1])
    assert np.mean(times[0] == times[1]) > 0.99


def test_who_needs_no_bed_is_hardly_over_triaged_at_the_point_of_injury() -> None:
    """And a setting of the shares acts."""
    shares = []
    for right in (0.97, 0.6):
        result = x.run(
            3000,
            mix=x.ILL,
            survival=x.NOBODY_DIES,
            model={"care": {"triage": {"right": {"slight_poi": right}}}},
        )
        e = result.events
        first = e[(e["kind"] == EVENTS.index("triaged")) & (e["facility"] == -1)]
        home = np.isin(first["patient"], e["patient"][e["kind"] == EVENTS.index("quarters")])
        home &= np.isin(
            first["patient"], e["patient"][e["kind"] == EVENTS.index("ward_admitted")], invert=True
        )
        assert home.sum() > 500
        shares.append((first["detail"] == 3)[home].mean())
        low, high = stats.binom.interval(1 - ALPHA, home.sum(), right)
        assert low <= (first["detail"] == 3)[home].sum() <= high
    assert shares[0] > shares[1]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model.survival.rtd72", {"probability": [0.7, 0.2, 0.0]}),
        ("model.survival.stay.wounded_median_days", [5.0] * 5),
        ("model.survival.stay.category_sigma", [1.0] * 3),
    ],
)
def test_what_the_diagnosis_replaced_is_refused_with_what_to_use(path: str, value: Any) -> None:
    model: dict[str, Any] = {}
    table = model
    *tables, name = path.split(".")[1:]
    for each in tables:
        table = table.setdefault(each, {})
    table[name] = value
    with pytest.raises(ScenarioError, match="follows from the diagnosis") as caught:
        goldenhour.simulate(json.loads(json.dumps(x.settings_of(10, model=model))))
    assert caught.value.place == path
