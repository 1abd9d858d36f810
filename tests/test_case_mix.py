"""The case mix: groups of accidents and diseases by climate, season and operation, causes of accidents, and agents."""

import json
import re
from collections import Counter
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import simple_icd_10_cm as icd
from scipy import stats

import goldenhour
from engine.codes import CASUALTY_KINDS, NONE, CasualtyKind
from engine.compile.illnesses import Theatre, group_shares
from engine.tables import Table
from scenarios import catalogue

ALPHA = 1e-4
CONDITIONS = catalogue.conditions()
CAUSES = catalogue.external_causes()
GROUPS = np.array([condition.group for condition in CONDITIONS])
CODES = np.array([condition.code for condition in CONDITIONS])
NO_SPECIAL = (0.0, 0.0, 0.0, 0.0)
ILL = ("nbi", "disease", "psychological", "agent")
MALARIA = ("B50", "B51", "B54")
DNBI = {"battle": 0.0, "nbi": 0.4, "disease": 0.6}


def simulate(total: int, **settings: Any) -> Table:
    """The patients of a scenario on the default fronts."""
    return _simulate(json.dumps({"name": "mix", "casualties": {"total": total}, **settings}))


@lru_cache(maxsize=32)
def _simulate(text: str) -> Table:
    return goldenhour.simulate(json.loads(text), seed=3).patients


def ill(**settings: Any) -> Table:
    """The patients of a scenario without battle casualties."""
    return simulate(25_000, mix=DNBI, **settings)


def agents(**settings: Any) -> Table:
    """The agent casualties of a scenario of type cbrn."""
    patients = simulate(20_000, warfare=[{"type": "cbrn"}], **settings)
    return patients[patients["kind"] == CasualtyKind.AGENT]


def of_kind(patients: Table, kind: str) -> Table:
    return patients[patients["kind"] == CASUALTY_KINDS.index(kind)]


def share(patients: Table, group: str) -> float:
    return float((GROUPS[patients["condition"]] == group).mean())


def test_nobody_in_the_baltic_has_malaria() -> None:
    """The default fronts are Poland, Estonia and Finland."""
    for season in ("winter", "summer"):
        codes = Counter(CODES[simulate(50_000, mix=DNBI, season=season)["condition"]].tolist())
        assert not [code for code in codes if code.startswith(MALARIA)]
        assert codes["J06.9"] > 100
    assert [code for code in CODES[ill(climate="tropical")["condition"]] if code.startswith(MALARIA)]


def test_no_disease_occurs_outside_its_climates() -> None:
    for climate in ("temperate", "desert", "arctic", "tropical"):
        for number in np.unique(ill(climate=climate)["condition"]):
            assert not CONDITIONS[number].climates or climate in CONDITIONS[number].climates


def test_heat_is_of_the_desert_summer_and_cold_of_the_arctic_winter() -> None:
    summer, winter = (of_kind(ill(climate="desert", season=season), "nbi") for season in ("summer", "winter"))
    assert share(summer, "heat") > 6 * share(winter, "heat") > 0
    assert share(winter, "cold") > 0.01 > share(summer, "cold")
    arctic = of_kind(ill(climate="arctic", season="winter"), "nbi")
    temperate = of_kind(ill(climate="temperate", season="summer"), "nbi")
    assert share(arctic, "cold") > 20 * share(temperate, "cold")
    assert share(arctic, "heat") == 0


def test_respiratory_disease_is_of_the_winter_and_of_garrisons() -> None:
    winter, summer = (of_kind(ill(season=season), "disease") for season in ("winter", "summer"))
    assert share(winter, "respiratory") > 1.8 * share(summer, "respiratory")
    garrison = of_kind(ill(season="summer", intensity="low"), "disease")
    assert share(garrison, "respiratory") > 1.2 * share(summer, "respiratory")


def test_diseases_that_insects_carry_are_of_the_tropics() -> None:
    tropical, temperate = (of_kind(ill(climate=climate), "disease") for climate in ("tropical", "temperate"))
    assert share(tropical, "vector_and_zoonosis") > 20 * share(temperate, "vector_and_zoonosis")


def test_combat_stress_follows_the_intensity_of_warfare() -> None:
    shares = [
        share(ill(intensity=intensity, warfare=[{"type": type_}]), "stress")
        for intensity, type_ in (
            ("low", "peacekeeping"),
            ("medium", "conventional"),
            ("extreme", "artillery"),
        )
    ]
    assert shares[1] > 2 * shares[0] and shares[2] > 2 * shares[1]


@pytest.mark.parametrize("climate", ["temperate", "desert", "tropical", "arctic"])
@pytest.mark.parametrize("use", ["nbi", "disease", "psychological"])
def test_groups_have_their_shares(climate: str, use: str) -> None:
    patients = of_kind(ill(climate=climate, season="summer"), use)
    theatre = Theatre(climate, "summer", "medium", (), NO_SPECIAL)
    counts = Counter(GROUPS[patients["condition"]].tolist())
    msk = counts["msk"] / len(patients)
    for sex, word in enumerate(("female", "male")):
        of_sex = Counter(GROUPS[patients["condition"][patients["sex"] == sex]].tolist())
        wanted = group_shares(use, theatre, "standard", msk, word)
        assert set(of_sex) <= set(wanted)
        groups = [group for group in wanted if wanted[group] * sum(of_sex.values()) >= 5]
        seen = np.array([of_sex[group] for group in groups])
        expected = np.array([wanted[group] for group in groups])
        assert stats.chisquare(seen, expected / expected.sum() * seen.sum()).pvalue > ALPHA, (climate, use)


def test_the_cause_of_every_accident_can_do_its_injury() -> None:
    accidents = {"battle": 0.0, "nbi": 1.0, "disease": 0.0}
    patients = simulate(50_000, mix=accidents, environment=["mountainous_terrain", "urban_debris"])
    pairs = set(zip(patients["condition"].tolist(), patients["cause"].tolist(), strict=True))
    for condition, cause in pairs:
        assert CAUSES[cause].kind in CONDITIONS[condition].causes, (CODES[condition], CAUSES[cause].code)
    assert len(pairs) > 400


def test_causes_of_accidents_have_the_published_shares() -> None:
    """Where neither heat nor cold takes a part of the accidents."""
    patients = of_kind(ill(climate="temperate", season="autumn"), "nbi")
    kinds = Counter(CAUSES[cause].kind for cause in patients["cause"].tolist())
    for name, kind in catalogue.cause_kinds().items():
        if kind.share is not None and kind.tag == "published":
            assert kinds[name] / len(patients) == pytest.approx(kind.share, abs=0.02), name
    assert (kinds["fall"] + kinds["height"]) / len(patients) == pytest.approx(0.213, abs=0.02)
    severe = patients[patients["triage"] < 3]
    guns = np.mean([CAUSES[cause].kind == "gunshot" for cause in severe["cause"].tolist()])
    assert 0.03 < guns < 0.09  # 7.1 % of those in the registry, who were evacuated


def test_a_bite_has_its_animal_and_another_disease_no_cause() -> None:
    patients = of_kind(ill(), "disease")
    for number in np.unique(patients["condition"]):
        causes = np.unique(patients["cause"][patients["condition"] == number])
        if CONDITIONS[number].causes:
            assert {CAUSES[cause].kind for cause in causes} <= set(CONDITIONS[number].causes)
        else:
            assert causes.tolist() == [65535]


def test_one_incident_has_one_agent_and_a_code_of_war() -> None:
    mixed = {"nerve": 0.3, "blister": 0.2, "cyanide": 0.1, "radiation": 0.2, "anthrax": 0.2}
    patients = agents(agents=mixed)
    names = list(catalogue.agent_kinds())
    of_incident: dict[int, set[int]] = {}
    for patient in patients:
        of_incident.setdefault(int(patient["incident"]), set()).add(int(patient["agent"]))
    assert {len(found) for found in of_incident.values()} == {1}
    counts = Counter(names[found.pop()] for found in of_incident.values())
    assert (
        stats.chisquare([counts[name] for name in mixed], [mixed[name] * len(of_incident) for name in mixed])[
            1
        ]
        > ALPHA
    )
    assert set(counts) == set(mixed)
    codes = {"chemical": "Y36.7X0A", "biological": "Y36.6X0A", "nuclear": "Y36.540A"}
    for agent, cause, condition in set(
        zip(
            patients["agent"].tolist(),
            patients["cause"].tolist(),
            patients["condition"].tolist(),
            strict=True,
        )
    ):
        assert CAUSES[cause].code == codes[catalogue.agent_kinds()[names[agent]].weapon]
        assert CONDITIONS[condition].group == names[agent]


def test_an_agent_takes_the_course_of_its_grade() -> None:
    patients = agents(agents={"cyanide": 1.0})
    for number, grade in enumerate(("mild", "moderate", "severe", "very_severe")):
        row = catalogue.agent_grades()["cyanide", grade]
        here = patients[patients["severity"] == number]
        assert len(here) / len(patients) == pytest.approx(row.share, abs=0.02)
        assert set(here["triage"].tolist()) == {int(row.triage[1])}
        lethal = int((here["lethal"] != NONE).sum())
        assert stats.binomtest(lethal, len(here), row.lethal).pvalue > ALPHA
        assert {CONDITIONS[code].grade for code in here["condition"].tolist()} == {grade}
    assert (patients["onset"] == patients["time"]).all()


def test_without_a_choice_the_agent_is_nerve_agent() -> None:
    assert set(agents()["agent"].tolist()) == {0}


def test_accidents_and_diseases_have_no_agent() -> None:
    assert set(ill()["agent"].tolist()) == {NONE}


def test_every_group_and_grade_has_conditions() -> None:
    for group in catalogue.groups().values():
        assert any(c.group == group.group and c.use == group.use for c in CONDITIONS), group.group
    for agent, grade in catalogue.agent_grades():
        assert any(c.group == agent and c.grade == grade for c in CONDITIONS), (agent, grade)
    for agent in catalogue.agent_kinds():
        shares = [row.share for (name, _), row in catalogue.agent_grades().items() if name == agent]
        assert not shares or sum(shares) == pytest.approx(1.0), agent


def test_every_kind_of_cause_has_a_code_and_every_code_a_kind() -> None:
    kinds = {cause.kind for cause in CAUSES if cause.use == "nbi"}
    assert kinds == set(catalogue.cause_kinds())
    assert all(condition.causes for condition in CONDITIONS if condition.use == "nbi")


FURTHER = ("second", "third", "fourth")


def has(patients: Table, code: str) -> Any:
    """Which patients have a code as a further diagnosis."""
    found = np.stack([patients[name] for name in FURTHER], axis=1)
    return np.isin(found, np.flatnonzero(code == CODES)).any(axis=1)


def main(patients: Table, code: str) -> Table:
    """The patients whose main diagnosis begins with a code."""
    return patients[np.char.startswith(CODES[patients["condition"]], code)]


def test_gastroenteritis_goes_with_dehydration_and_more_often_where_it_is_severe() -> None:
    patients = main(ill(climate="desert"), "A09")
    rows = {row.categories: row.chance for row in catalogue.second_diagnoses() if row.second == "E86.0"}
    mild, severe = patients[patients["triage"] == 3], patients[patients["triage"] < 3]
    for group, chance in ((mild, rows[("T3",)]), (severe, rows[("T1", "T2")])):
        assert stats.binomtest(int(has(group, "E86.0").sum()), len(group), chance).pvalue > ALPHA


def test_heat_stroke_goes_with_rhabdomyolysis() -> None:
    patients = main(ill(climate="desert", season="summer"), "T67.0")
    assert stats.binomtest(int(has(patients, "M62.82").sum()), len(patients), 0.25).pvalue > ALPHA


def test_the_extent_of_a_burn_stands_second() -> None:
    burned = main(ill(), "T22.20")
    assert len(burned) > 20  # an arm is 9 %; some have a burn of another site second
    assert stats.binomtest(int(has(burned, "T31.0").sum()), len(burned), 0.9).pvalue > ALPHA
    gassed = main(agents(agents={"blister": 1.0}), "T21.60")
    assert len(gassed) > 50 and has(gassed, "T32.10").all()


def test_further_diagnoses_are_those_of_the_data_and_never_the_same_twice() -> None:
    patients = ill()
    found = np.stack([patients["condition"], *(patients[name] for name in FURTHER)], axis=1)
    for row in np.unique(found, axis=0).tolist():
        codes = [str(CODES[number]) for number in row if number != 65535]
        assert len(set(codes)) == len(codes)
        assert row[1:] == sorted(row[1:], key=lambda number: number == 65535)
        for code in codes[1:]:
            assert any(
                one.second == code and codes[0].startswith(one.codes) for one in catalogue.second_diagnoses()
            ), codes
    assert 0.08 < (patients["second"] != 65535).mean() < 0.2


def test_every_further_diagnosis_is_in_the_catalogue() -> None:
    displays = {condition.code: condition.display for condition in CONDITIONS}
    for row in catalogue.second_diagnoses():
        assert displays[row.second] == row.display, row.second
        assert any(condition.code.startswith(row.codes) for condition in CONDITIONS), row.codes


def excluded_by(code: str) -> list[str]:
    """The notes of type Excludes1 of a code and of the blocks it stands in."""
    return [note for item in (code, *icd.get_ancestors(code)) for note in icd.get_excludes1(item)]


def names_code(note: str, code: str) -> bool:
    """Whether a note names a code, alone or in a range of blocks."""
    ranges = re.findall(r"([A-Z]\d\d)\.?-?\s*-\s*([A-Z]\d\d)", note)
    return any(code.startswith(one) for one in re.findall(r"[A-Z]\d[\dA-Z](?:\.[\dA-Z]+)?", note)) or any(
        low <= code[:3] <= high for low, high in ranges
    )


def test_no_main_diagnosis_excludes_its_further_ones() -> None:
    assert any(names_code(note, "T67.1XXA") for note in excluded_by("R55"))  # syncope, and heat syncope
    for row in catalogue.second_diagnoses():
        for code in {c.code for c in CONDITIONS if c.use in ILL and c.code.startswith(row.codes)}:
            for one, other in ((code, row.second), (row.second, code)):
                assert not any(names_code(note, other) for note in excluded_by(one)), (code, row.second)
