"""Where patients are brought: equally close facilities share them, and a facility diverts while its conditions hold."""

import json
from typing import Any

import effects as x
import finite_laws as laws
import finite_oracle as oracle
import numpy as np
import pytest
from small_networks import HOUR, Result, at, counts, run, two

from engine import scenario as scenario_api
from engine.codes import NONE, Resource
from engine.errors import ScenarioError
from scenarios import catalogue

SURGERY = x.constant(120.0)


def alike(places: list[dict[str, Any]], minutes: float = 30.0, **settings: Any) -> Result:
    """Run a network of Role 2s at the same distance, from which all leave for a Role 4."""
    facilities = [{"id": f"R2{k}", "role": 2, "policy_days": 0.0, **own} for k, own in enumerate(places)]
    links = [{"origin": "POI", "destination": f["id"], "minutes": x.constant(minutes)} for f in facilities]
    links += [{"origin": f["id"], "destination": "R4", "minutes": x.constant(300.0)} for f in facilities]
    whole = {"facilities": [*facilities, {"id": "R4", "role": 4}], "links": links, "days": 2, **settings}
    return run(300, **{"survival": x.NOBODY_DIES, **whole})


def longest_queue(result: Result) -> int:
    """Return the longest queue for a treatment bay of the near Role 2."""
    rows = result.facilities
    return int(
        rows["queue_now"][(rows["facility"] == 0) & (rows["resource"] == Resource.TREATMENT_BAY)].max()
    )


def came(result: Result, facility: str) -> Any:
    return np.isfinite(at(result, "arrived", facility))


# --- equally close


@pytest.mark.parametrize("scarce", ["treatment_bays", "operating_tables", "surgical_teams", "triage_teams"])
def test_equally_close_facilities_share_the_patients_whatever_is_scarce(scarce: str) -> None:
    result = alike([{scarce: 2}] * 3)
    shares = [came(result, f"R2{k}").sum() for k in range(3)]
    assert sum(shares) == 300
    assert min(shares) > 75
    alone = alike([{}] * 3)
    assert came(alone, "R20").all(), "nobody waits anywhere, so the first serves all"


def test_the_load_is_relative_to_the_units() -> None:
    few, many = 0, 0
    for replication in range(4):
        result = alike([{"operating_tables": 1}, {"operating_tables": 3}], replication=replication)
        few, many = few + came(result, "R20").sum(), many + came(result, "R21").sum()
    assert few + many == 1200
    assert 2.0 < many / few < 4.0


def test_fewer_die_where_three_share() -> None:
    own = {"operating_tables": 1, "surgery_minutes": SURGERY}
    settings = {"survival": {"instant_death": 0.0, "severity": 0.5}, "days": 1}
    one = alike([own], **settings)
    three = alike([own] * 3, **settings)
    assert x.status(three, "dow").sum() < x.status(one, "dow").sum()


def test_only_exact_ties_are_shared() -> None:
    result = two({"operating_tables": 1}, {"operating_tables": 1})
    assert came(result, "near").all()


def test_check_says_which_of_equally_close_links_is_used() -> None:
    links = [{"origin": "POI", "destination": name, "minutes": x.constant(30.0)} for name in ("A", "B")]

    def found(**own: Any) -> list[str]:
        return x.notes(facilities=[{"id": "A", "role": 2, **own}, {"id": "B", "role": 2, **own}], links=links)

    assert not any("not used" in note for note in found(operating_tables=1))
    assert any("A is as close, earlier in links and never full" in note for note in found())


# --- diversion


def pair(divert: dict[str, Any], near: dict[str, Any], **settings: Any) -> tuple[Result, Result]:
    """Run `two` without and with diversion from the near Role 2; the far one has no limits."""
    return two(near, {}, **settings), two({**near, "divert": divert}, {}, **settings)


def in_use_at(result: Result, begin: str, end: str, at_minutes: Any) -> Any:
    """Return how many are between two events at the near Role 2 at each time, the time itself excluded."""
    begins, ends = at(result, begin, "near"), at(result, end, "near")
    return np.array([((begins < t) & ~(ends <= t)).sum() for t in at_minutes])


def test_a_facility_diverts_while_its_tables_are_busy() -> None:
    near = {"operating_tables": 2, "surgery_minutes": SURGERY}
    without, result = pair({"tables_busy": True}, near)
    assert came(without, "near").all()
    asked = at(result, "evacuation_requested")
    busy = in_use_at(result, "surgery_started", "surgery_ended", asked)
    clear = np.abs(busy - 2) != 0
    assert came(result, "far").sum() > 50
    assert (came(result, "far") == (busy >= 2))[clear | (busy == 2)].mean() > 0.99
    assert counts(result, "near")["bypassed"] == came(result, "far").sum()
    assert counts(without, "near")["bypassed"] == 0


def test_only_the_categories_named_are_diverted() -> None:
    near = {"operating_tables": 2, "surgery_minutes": SURGERY}
    _, result = pair({"tables_busy": True, "categories": ["T1"]}, near)
    triaged = x.rows(result, "triaged")
    first = np.full(len(result), 0)
    for row in triaged[triaged["facility"] == -1]:
        first[row["patient"]] = row["detail"]
    far = came(result, "far")
    assert far.sum() > 20
    assert (first[far] == 1).all()


def test_a_facility_diverts_while_as_many_wait() -> None:
    near = {"treatment_bays": 1}
    without, _ = pair({"queue": 1}, near)
    waits = []
    for queue in (1, 5, 20):
        _, result = pair({"queue": queue}, near)
        waits.append(longest_queue(result))
        assert came(result, "far").sum() > 50
    assert waits[0] < waits[1] < waits[2] < longest_queue(without)


def test_a_facility_diverts_while_no_team_is_on_duty() -> None:
    shift = {"from_hour": 6.0, "to_hour": 18.0, "surgical_teams": 3}
    near = {"operating_tables": 3, "shifts": [shift]}
    without, result = pair({"no_team": True}, near)
    assert came(without, "near").all()
    hour = at(result, "evacuation_requested") / HOUR % 24
    assert (came(result, "near") == ((hour >= 6) & (hour < 18))).all()


@pytest.mark.parametrize(
    ("condition", "beds"),
    [("ward_share", {"ward_beds": 10, "places": 1000}), ("icu_share", {"icu_beds": 10})],
)
def test_a_facility_diverts_while_its_beds_are_full(condition: str, beds: dict[str, int]) -> None:
    near = {**beds, "policy_days": 3.0, "icu_minutes": x.constant(2000.0)}
    far = []
    for share in (0.3, 0.9):
        without, result = pair({condition: share}, near)
        assert came(without, "near").all()
        far.append(came(result, "far").sum())
    assert far[0] > far[1] > 10


def test_if_all_divert_the_closest_takes_the_patient() -> None:
    shift = {"from_hour": 6.0, "to_hour": 18.0, "surgical_teams": 3}
    own = {"operating_tables": 3, "shifts": [shift], "divert": {"no_team": True}}
    result = two(own, own)
    assert came(result, "near").all()


def test_a_facility_that_diverts_is_better_than_one_that_cannot_operate() -> None:
    shift = {"from_hour": 6.0, "to_hour": 18.0, "surgical_teams": 3}
    own = {"operating_tables": 3, "shifts": [shift], "divert": {"no_team": True}}
    result = two(own, {"dcs": False})
    operable = np.array([bool(of.operations) for of in catalogue.condition_needs()])
    surgical = result.patients["lethal"] != NONE
    surgical[result.wounds["patient"][operable[result.wounds["condition"]]]] = True
    assert came(result, "near")[result.patients["surgery"] >= 0].all()
    night = at(result, "evacuation_requested") / HOUR % 24 >= 18
    assert (~surgical & night).sum() > 20
    assert came(result, "far")[~surgical & night].all()


def test_diversion_goes_before_national_preference_and_load() -> None:
    shift = {"from_hour": 6.0, "to_hour": 18.0, "surgical_teams": 3}
    own = {"operating_tables": 3, "shifts": [shift], "divert": {"no_team": True}, "nation": "NOR"}
    for policy in ("closest-first", "least-loaded", "spread-out"):
        result = two(own, {"nation": "ITA"}, national_preference=True, destination=policy)
        night = (at(result, "evacuation_requested") / HOUR + 6) % 24 < 12
        assert came(result, "far")[night].all()
        assert came(result, "near")[~night].all()


def test_who_is_diverted_waits_for_the_vehicle_to_the_other_facility() -> None:
    places = [
        {"id": "near", "role": 2, "policy_days": 0.0, "operating_tables": 1, "surgery_minutes": SURGERY},
        {"id": "far", "role": 3},
    ]
    pool = {"id": "cars", "kind": "ambulance_standard", "number": 40, "litters": 2, "seats": 2}
    links = [
        {"origin": "POI", "destination": name, "minutes": x.constant(minutes), "vehicle": "cars"}
        for name, minutes in (("near", 30.0), ("far", 60.0))
    ]
    links.append({"origin": "near", "destination": "far", "minutes": x.constant(60.0)})
    far = []
    for divert in (None, {"tables_busy": True, "categories": ["T1", "T2"]}):
        own = {**places[0], **({"divert": divert} if divert else {})}
        result = run(
            300, facilities=[own, places[1]], links=links, vehicles=[pool], days=2, survival=x.NOBODY_DIES
        )
        far.append((~came(result, "near")).sum())
    assert far[0] == 0
    assert far[1] > 50


def test_the_laws_notice_a_kernel_that_does_not_divert() -> None:
    def scenario(**own: Any) -> dict[str, Any]:
        near = {"id": "near", "role": 2, "operating_tables": 1, "surgery_minutes": SURGERY, **own}
        links = [{"origin": "POI", "destination": "R1", "minutes": x.constant(20.0)}]
        links += [
            {"origin": "R1", "destination": name, "minutes": x.constant(minutes)}
            for name, minutes in (("near", 30.0), ("far", 60.0))
        ]
        places = [{"id": "R1", "role": 1, "policy_days": 0.0}, near, {"id": "far", "role": 3}]
        return x.settings_of(200, days=2, facilities=places, links=links)

    divert = {"tables_busy": True, "queue": 3}
    deaf, right = oracle.run(scenario()), oracle.run(scenario(divert=divert))
    laws.check_whole(right)
    deaf.scenario = right.scenario
    with pytest.raises(AssertionError, match="diverted to a facility that diverts"):
        laws.check_diversion(deaf, oracle.read(deaf))


# --- what is refused, and what has no effect


def test_diversion_without_a_condition_is_refused() -> None:
    for divert in ({}, {"categories": ["T1"]}):
        with pytest.raises(
            ScenarioError, match=r"divert: got 'no condition'; allowed: at least one of queue"
        ):
            x.notes(
                **x.one_place(minutes=x.constant(30.0))
                | {"facilities": [{"id": "R2", "role": 2, "divert": divert}]}
            )


@pytest.mark.parametrize(
    ("near", "settings", "note"),
    [
        (
            {"divert": {"tables_busy": True}},
            {},
            "divert.tables_busy: no effect, because operating tables have no limit",
        ),
        ({"divert": {"no_team": True}}, {}, "divert.no_team: no effect, because no shifts are set"),
        ({"divert": {"queue": 3}}, {}, "divert.queue: no effect, because triage teams, treatment bays"),
        (
            {"divert": {"ward_share": 0.5}},
            {},
            "divert.ward_share: no effect, because the ward beds have no limit",
        ),
        (
            {"divert": {"icu_share": 0.5}},
            {},
            "divert.icu_share: no effect, because the ICU beds have no limit",
        ),
        (
            {"operating_tables": 1, "divert": {"tables_busy": True}},
            {"bypass": False},
            "divert: no effect, because without bypass patients wait for the closest",
        ),
    ],
)
def test_check_says_where_diversion_has_no_effect(
    near: dict[str, Any], settings: dict[str, Any], note: str
) -> None:
    places = [{"id": "near", "role": 2, **near}, {"id": "far", "role": 2}]
    links = [
        {"origin": "POI", "destination": name, "minutes": x.constant(minutes)}
        for name, minutes in (("near", 30.0), ("far", 60.0))
    ]
    assert any(note in found for found in x.notes(facilities=places, links=links, **settings))


def test_check_says_that_nobody_can_be_diverted_where_there_is_one_link() -> None:
    place = {"id": "R2", "role": 2, "operating_tables": 1, "divert": {"tables_busy": True}}
    whole = x.one_place(minutes=x.constant(30.0)) | {"facilities": [place]}
    assert any("no place with a link to it has another link" in note for note in x.notes(**whole))


def test_a_scenario_with_diversion_is_written_and_read_again() -> None:
    place = {"id": "R2", "role": 2, "operating_tables": 1, "divert": {"queue": 3, "categories": ["T1", "T2"]}}
    given = scenario_api.parse(json.dumps(x.settings_of(facilities=[place], links=[])).encode(), "json")
    assert scenario_api.parse(scenario_api.to_toml(given).encode(), "toml") == given
