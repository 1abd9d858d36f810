"""Care by need (docs/model.md section 2.7.5): what wounds and a failing body call for is done where it can be."""

from functools import cache
from typing import Any, NamedTuple

import effects as x
import numpy as np
import pytest

import goldenhour
from engine.codes import EVENTS, NONE, REGIONS, TREATMENTS, CasualtyKind
from engine.compile.treatments import care_rules
from scenarios import catalogue
from scenarios.catalogue import CatalogueError
from scenarios.catalogue.care import TreatmentKind, check_treatment
from scenarios.catalogue.tables import parse_rows

NAMES = ("coin", "brigade", "standard")
MINUTE = 60_000
NEVER = 1 << 60
OPERATIONS = tuple(kind.label for kind in catalogue.treatment_kinds().values() if kind.theatre)


class Run(NamedTuple):
    """A run with the places of its treatments' wounds."""

    result: Any
    conditions: Any
    """Condition of the wound of each treatment; -1 without."""
    second_door: Any
    """ms of the first arrival at Role 2 or 3; -1."""


@cache
def run(name: str) -> Run:
    """7,000 casualties of a built-in scenario."""
    r = goldenhour.simulate(name, seed=11, patients=7000)
    first = np.concatenate([[0], r.patients["wound_end"][:-1]]).astype(np.int64)
    named = r.treatments["wound"] != NONE
    conditions = np.full(len(r.treatments), -1)
    places = first[r.treatments["patient"]] + np.where(named, r.treatments["wound"], 0)
    conditions[named] = r.wounds["condition"][places[named]]
    doors = np.stack([np.where(r.patients[role] < 0, NEVER, r.patients[role]) for role in ("role2", "role3")])
    door = doors.min(axis=0)
    return Run(r, conditions, np.where(door == NEVER, -1, door))


def is_kind(r: Any, *labels: str) -> Any:
    return np.isin(r.treatments["kind"], [TREATMENTS.index(label) for label in labels])


def first_start(r: Any, *labels: str) -> Any:
    """By patient: ms of the first such treatment; NEVER."""
    found = np.full(len(r.patients), NEVER)
    given = r.treatments[is_kind(r, *labels)]
    np.minimum.at(found, given["patient"], given["start"])
    return found


def has_condition(r: Any, which: Any) -> Any:
    """By patient: whether a wound has one of these conditions, a mask of the catalogue."""
    found = np.zeros(len(r.patients), bool)
    found[r.wounds["patient"][which[r.wounds["condition"]]]] = True
    return found


def calls_for(*labels: str) -> Any:
    """By condition: whether it calls for one of these treatments."""
    return np.array(
        [not {*of.needs, *of.operations}.isdisjoint(labels) for of in catalogue.condition_needs()], bool
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_unconscious_have_an_airway_before_role_2(name: str) -> None:
    r, _, door = run(name)
    first = np.full(len(r.patients), -1)
    first[r.vitals["patient"][::-1]] = np.arange(len(r.vitals))[::-1]
    low = (first >= 0) & (r.vitals["gcs"][first] <= 8) & (r.patients["kind"] == CasualtyKind.WOUNDED)
    cared = first_start(r, *TREATMENTS) < door
    low &= (door >= 0) & cared
    secured = first_start(r, "airway_adjunct", "intubation", "surgical_airway") <= door
    assert low.sum() >= (10 if name == "coin" else 3)
    assert secured[low].all()


@pytest.mark.parametrize("name", NAMES)
def test_an_open_chest_or_pneumothorax_is_relieved_before_role_2(name: str) -> None:
    r, _, door = run(name)
    which = calls_for("needle_decompression", "chest_seal")
    hurt = has_condition(r, which) & (door >= 0) & (first_start(r, *TREATMENTS) < door)
    relieved = first_start(r, "needle_decompression", "chest_seal", "chest_drain") <= door
    assert hurt.sum() > 10
    assert relieved[hurt].mean() >= 0.99  # the way may end before the chest's turn


@pytest.mark.parametrize("name", NAMES)
def test_a_tourniquet_is_never_later_than_dressings_and_drugs(name: str) -> None:
    """Somebody else may begin to deal with what would kill at the same moment."""
    r = run(name).result
    tourniquet = first_start(r, "tourniquet")
    has = tourniquet < NEVER
    other = first_start(r, "pressure_dressing", "haemostatic_dressing", "tranexamic_acid", "iv_access")
    assert has.sum() > 20
    assert (tourniquet <= other)[has].all()


@pytest.mark.parametrize("name", NAMES)
def test_tranexamic_acid_is_given_once_with_an_access_within_three_hours(name: str) -> None:
    r = run(name).result
    acid = r.treatments[is_kind(r, "tranexamic_acid")]
    assert len(acid) > 50
    assert np.bincount(acid["patient"]).max() == 1
    assert (acid["start"] <= r.patients["onset"][acid["patient"]] + 180 * MINUTE).all()
    access = first_start(r, "iv_access", "intraosseous_access")
    assert (access[acid["patient"]] <= acid["start"]).all()


@pytest.mark.parametrize("name", NAMES)
def test_what_needs_an_access_has_one(name: str) -> None:
    r = run(name).result
    labels = [kind.label for kind in catalogue.treatment_kinds().values() if kind.needs_access]
    given = r.treatments[is_kind(r, *labels)]
    access = first_start(r, "iv_access", "intraosseous_access")[given["patient"]]
    in_theatre = first_start(r, *OPERATIONS)[given["patient"]] <= given["end"]
    assert ((access <= given["start"]) | in_theatre).all()


@pytest.mark.parametrize("name", NAMES)
def test_dressings_are_for_what_can_be_dressed(name: str) -> None:
    r, conditions, _ = run(name)
    dressings = is_kind(
        r, "pressure_dressing", "wound_care", "eye_shield", "burn_dressing", "closed_reduction"
    )
    assert dressings.sum() > 1000
    for label in ("pressure_dressing", "wound_care", "eye_shield", "burn_dressing", "closed_reduction"):
        mine = conditions[is_kind(r, label)]
        assert calls_for(label, "tourniquet")[mine[mine >= 0]].all(), label
    region = np.array([REGIONS.index(of.regions[0]) if of.regions else -1 for of in catalogue.conditions()])
    on = region[conditions[is_kind(r, "pressure_dressing") & (conditions >= 0)]]
    assert not (on == REGIONS.index("eyes")).any()


@pytest.mark.parametrize("name", NAMES)
def test_no_craniotomy_without_an_airway(name: str) -> None:
    r = run(name).result
    craniotomy = first_start(r, "craniotomy")
    has = craniotomy < NEVER
    assert has.sum() > 10
    assert (first_start(r, "intubation", "surgical_airway", "tracheostomy") <= craniotomy)[has].all()


@pytest.mark.parametrize("name", NAMES)
def test_a_dislocation_is_reduced_where_it_can_be(name: str) -> None:
    r = run(name).result
    which = calls_for("closed_reduction")
    out = has_condition(r, which) | which[r.patients["condition"]]
    care = np.zeros(len(r.patients), bool)
    ended = r.events[np.isin(r.events["kind"], [EVENTS.index("care_ended")])]
    care[ended["patient"]] = True
    assert (out & care).sum() > 10
    assert (first_start(r, "closed_reduction") < NEVER)[out & care].all()


@pytest.mark.parametrize("name", NAMES)
def test_calcium_comes_with_blood_and_blood_in_units(name: str) -> None:
    r = run(name).result
    blood = is_kind(r, "blood_transfusion")
    assert ((r.treatments["units"] > 0) == blood).all()
    facility = r.treatments["facility"] >= 0
    transfused = np.unique(r.treatments["patient"][blood & facility])
    lived = (r.treatments["end"] - r.treatments["start"])[blood & facility] > 10 * MINUTE
    long = np.unique(r.treatments["patient"][blood & facility][lived])
    calcium = np.unique(r.treatments["patient"][is_kind(r, "calcium")])
    assert np.isin(calcium, transfused).all()
    assert np.isin(long, calcium).all()


@pytest.mark.parametrize("name", NAMES)
def test_who_needs_an_operation_has_it_at_role_3_whatever_the_category(name: str) -> None:
    r = run(name).result
    which = np.array([bool(of.operations) for of in catalogue.condition_needs()])
    which &= care_rules(frozenset())["drained"][0][: len(which)] == 0  # a drain is enough unless it bleeds on
    wounded = r.patients["kind"] == CasualtyKind.WOUNDED
    seen = r.events[(r.events["kind"] == EVENTS.index("left_theatre"))]
    left = np.zeros(len(r.patients), bool)
    left[seen["patient"]] = True
    back = r.patients["status"] == 3
    other = np.array([bool({*of.operations} - {"burn_excision"}) for of in catalogue.condition_needs()])
    needing = wounded & has_condition(r, which & other) & (left | back)  # large burns are excised at Role 4
    assert needing.sum() > 100
    done = first_start(r, *OPERATIONS, "surgical_airway") < NEVER
    assert done[needing].mean() > 0.995
    started = np.unique(r.events["patient"][r.events["kind"] == EVENTS.index("surgery_started")])
    assert (has_condition(r, which) | (r.patients["lethal"] != NONE))[started].all()


def test_transfusion_is_as_common_and_as_large_as_published() -> None:
    """Median 8, upper quartile 18 units (Fisher et al. 2021); 10 % are transfused there, somewhat more here.

    A lognormal distribution with these quartiles has 44 % with 10 units or more, at the upper end of what is published.
    """
    r = goldenhour.simulate("coin", seed=5, patients=30_000)
    p = r.patients
    there = (p["kind"] == CasualtyKind.WOUNDED) & ((p["role1"] >= 0) | (p["role2"] >= 0) | (p["role3"] >= 0))
    units = np.zeros(len(p))
    np.add.at(units, r.treatments["patient"], r.treatments["units"])
    given = units[there & (units > 0)]
    assert 0.08 <= len(given) / there.sum() <= 0.14
    assert 7 <= np.median(given) <= 9
    assert 14 <= np.quantile(given, 0.75) <= 20
    error = 0.5 / np.sqrt(len(given))  # the standard error of a share of a half, at most .02 here
    assert error < 0.02
    assert 0.32 <= (given >= 10).mean() <= 0.45 + 2 * error


def test_without_tourniquets_and_acid_there_are_none_and_more_die() -> None:
    def coin(**treatments: Any) -> Any:
        settings = {f"treatments.{label}.available": False for label in treatments}
        return goldenhour.simulate("coin", seed=3, patients=20_000, settings=settings)

    plain = coin()
    dead = [int(x.status(plain, "kia", "dow").sum())]
    for label in ("tourniquet", "tranexamic_acid"):
        without = coin(**{label: False})
        assert is_kind(plain, label).sum() > 300
        assert is_kind(without, label).sum() == 0
        dead.append(int(x.status(without, "kia", "dow").sum()))
    assert dead[1] > dead[0] + 10
    assert dead[2] > dead[0]


# --- the catalogue of treatments


ROW = {
    "label": "splint",
    "display": "Splint",
    "priority": "390",
    "places": "medic|role1",
    "given_by": "medic",
    "indication": "fracture",
    "minutes_low": "2",
    "minutes_mode": "4",
    "minutes_high": "8",
    "effect": "none",
    "source": "TCCC",
    "tag": "judgement",
}


def read(**cells: str) -> None:
    given = ROW | cells
    text = ",".join(given) + "\n" + ",".join(given.values()) + "\n"
    for line, row in parse_rows("treatments.csv", text, TreatmentKind):
        check_treatment("treatments.csv", line, row)


@pytest.mark.parametrize(
    ("cells", "column", "words"),
    [
        ({"label": "splnt"}, "label", "did you mean 'splint'"),
        ({"places": "medic|role5"}, "places", "role3"),
        ({"minutes_mode": "9"}, "minutes_mode", "minutes_low <= minutes_mode <= minutes_high"),
        ({"theatre": "yes"}, "priority", "operations have no priority"),
        ({"theatre": "yes", "priority": ""}, "places", "role2, role3"),
        ({"short_of": "ligation"}, "short_of", "only operations"),
        ({"once": "yes", "repeat_minutes": "5"}, "repeat_minutes", "nothing beside once"),
        ({"once": "maybe"}, "once", "yes or nothing"),
    ],
)
def test_a_broken_row_of_treatments_names_its_place(cells: dict[str, str], column: str, words: str) -> None:
    read()
    with pytest.raises(CatalogueError) as caught:
        read(**cells)
    assert (caught.value.file, caught.value.line, caught.value.column) == ("treatments.csv", 2, column)
    assert words in str(caught.value)


def test_every_treatment_of_the_code_list_has_a_row_and_every_condition_a_need() -> None:
    assert set(catalogue.treatment_kinds()) == set(TREATMENTS)
    for condition, wanted in zip(catalogue.conditions(), catalogue.condition_needs(), strict=True):
        if condition.use not in ("complication", "factor") and condition.ais_high < 6:
            assert wanted.needs or wanted.operations, condition.display


def test_what_bleeds_most_comes_first() -> None:
    order = sorted(
        (kind for kind in catalogue.treatment_kinds().values() if kind.priority),
        key=lambda k: k.priority or 0,
    )
    rank = {kind.label: place for place, kind in enumerate(order)}
    march = (
        "tourniquet",
        "haemostatic_dressing",
        "airway_adjunct",
        "chest_seal",
        "iv_access",
        "tranexamic_acid",
    )
    assert [rank[label] for label in march] == sorted(rank[label] for label in march)
    assert rank["tranexamic_acid"] < rank["hypothermia_prevention"] < rank["analgesia"] < rank["wound_care"]
