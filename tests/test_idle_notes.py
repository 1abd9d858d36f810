"""Notes on settings without effect: each is given where it is true, as runs show, and only there."""

from typing import Any

import effects as x
import numpy as np
import pytest

from scenarios.tables import model_parameters

BATTLE = {"triage": {"battle": {"T1": 0.3, "T2": 0.3, "T3": 0.4}}}
GAS = {"warfare": [{"type": "cbrn"}]}
COLD = {"environment": ["extreme_cold"]}
MASS = {"warfare": [{"type": "artillery"}], "expectant": True}
T4 = {**MASS, "triage": {"battle": {"T1": 0.2, "T2": 0.3, "T3": 0.4, "T4": 0.1}}}
MATRIX = {"routing": "transition-matrix"}
AGAIN = {"probability": [0.5, 0.5, 0.9, 0.9]}
STOCK = x.network(R2={"blood_units": 40, "operating_tables": 1, "surgical_teams": 1})


def model(path: str, value: Any) -> dict[str, Any]:
    """A setting that replaces one constant."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return {"model": value}


def treatment(name: str, **fields: Any) -> dict[str, Any]:
    return {"treatments": {name: fields}}


SURGERY = model_parameters("survival")["treatment"]["surgery_succeeds"]
AID = [0.0, 0.6, 0.5, 0.7, 0.5, 0.2]

IDLE: list[tuple[dict[str, Any], dict[str, Any], str, dict[str, Any] | None]] = [
    ({"triage_accuracy": 0.9}, model("care.triage.right.poi", 0.5), "triage_accuracy replaces it", {}),
    (
        {"survival": {"first_aid_minutes": 9.0}},
        model("survival.treatment.first_aid_median_minutes", 20.0),
        "survival.first_aid_minutes replaces it",
        {},
    ),
    (
        {"survival": {"late_hazard": 0.1}},
        model("survival.late.probability", 0.2),
        "late_hazard replaces it",
        {},
    ),
    (
        {"survival": {"tbi_success": 0.2}},
        model("survival.treatment.surgery_succeeds", [0.9, *SURGERY[1:]]),
        "tbi_success replaces it",
        {},
    ),
    (
        treatment("tourniquet", success=0.4),
        model("survival.treatment.first_aid_works", AID),
        "treatments.tourniquet.success replaces it",
        treatment("airway_adjunct", success=0.4),
    ),
    (BATTLE, model("casualties.types.standard.severity", 0.5), "gives the share of T1", {}),
    (BATTLE, model("casualties.triage.surgical_ais2", 0.6), "gives the share of T2", {}),
    (
        {"survival": {"instant_death": 0.1}},
        model("casualties.types.standard.instant_death", 0.4),
        "survival.instant_death replaces it",
        {},
    ),
    (
        {"survival": {"lethality": 0.1}},
        model("survival.lethality.midpoint_niss", 50.0),
        "survival.lethality gives the share",
        {},
    ),
    (
        {"survival": {"untreated_minutes": 60.0}},
        model("survival.lethality.minutes", 9000.0),
        "untreated_minutes gives the median",
        {},
    ),
    ({}, model("care.mascal.expectant_niss", 20), "expectant is false", MASS),
    (T4, model("care.mascal.expectant_niss", 20), "gives the share of T4", MASS),
    ({}, model("care.overflow.clock_factor", 3.0), "no facility has surge places", None),
    ({}, model("care.night.from_hour", 12.0), "no vehicle rests at night", None),
    ({}, model("survival.clock_factors.cold", 3.0), "no extreme_cold", COLD),
    ({}, model("casualties.agent.lethal", [0.1, 0.5, 0.6, 1.0]), "without agent casualties", GAS),
    ({}, model("survival.treatment.agent.treatment_succeeds", 0.1), "without agent casualties", GAS),
    (
        {},
        model("casualties.special_events.severity_per_log", 2.0),
        "without special events",
        {"events": [{"event": "ambush"}]},
    ),
    (
        {},
        model("survival.treatment.dnbi.treatment_succeeds", 0.1),
        "without non-battle injuries and disease",
        {"mix": x.MIXED},
    ),
    ({"mix": x.ILL}, model("survival.lethality.midpoint_niss", 20.0), "without wounded", {}),
    ({}, {"expectant": True}, "expectant: no effect, because no incident has mascal_threshold", MASS),
    ({"mix": x.ILL}, {"survival": {"lethality": 0.1, "late_hazard": 0.5}}, "no effect without wounded", {}),
    ({"mix": x.ILL}, BATTLE, "triage.battle: no effect without wounded", {}),
    ({"mix": x.ILL}, treatment("tourniquet", success=0.1), "tourniquet: no effect, without wounded", {}),
    ({}, treatment("emergency_care", success=0.1), "emergency_care: no effect, without", {"mix": x.MIXED}),
    ({}, {"triage": {"nbi": {"T1": 0.3, "T2": 0.3, "T3": 0.4}}}, "triage.nbi: no effect", {"mix": x.MIXED}),
    (
        treatment("surgery", available=False),
        {"reoperations": AGAIN},
        "reoperations: no effect, because treatments.surgery is not available",
        {},
    ),
    (
        treatment("resuscitation", available=False),
        {"intensive_care": {"after_resuscitation": True}},
        "after_resuscitation: no effect, because treatments.resuscitation is not available",
        {},
    ),
    (
        treatment("resuscitation", available=False),
        x.network(R2={"blood_units": 4}),
        "facility R2: blood_units: no effect, because treatments.resuscitation is not available",
        {},
    ),
]
"""What a scenario has, what has no effect there, words of the note, and a scenario where it acts (None: not tried)."""


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = {**one, **other}
    for key in one.keys() & other.keys():
        if isinstance(one[key], dict) and isinstance(other[key], dict):
            both[key] = merged(one[key], other[key])
    return both


def by_patient(result: Any) -> list[Any]:
    """Patients and treatments in the order of the patients' identifiers, without places in other tables."""
    p, t = result.patients, result.treatments
    order = np.argsort(p["id_lo"])
    of_treatments = np.argsort(p["id_lo"][t["patient"]], kind="stable")
    of_patients = [name for name in p.dtype.names if not name.endswith("_end")]
    return [p[order][of_patients], t[of_treatments][[name for name in t.dtype.names if name != "patient"]]]


@pytest.mark.parametrize(("given", "idle", "words", "acting"), IDLE, ids=[words for _, _, words, _ in IDLE])
def test_a_setting_without_effect_is_noted_and_has_none(
    given: dict[str, Any], idle: dict[str, Any], words: str, acting: dict[str, Any] | None
) -> None:
    given = merged(x.network() if "facilities" in idle else {}, given)
    both = merged(given, idle)
    found = [note for note in x.notes(**both) if words in note]
    assert len(found) == 1, x.notes(**both)
    plain, changed = x.run(400, **given), x.run(400, **both)
    for one, other in zip(by_patient(plain), by_patient(changed), strict=True):
        assert len(one) == len(other)
        for name in one.dtype.names:
            if (
                one[name].dtype.kind == "f" or name == "untreated_death"
            ):  # the last bit may differ where a tilt is found
                assert np.allclose(one[name], other[name], atol=1.0, equal_nan=True), name
            else:
                assert (one[name] == other[name]).all(), name
    if acting is not None:
        assert not [note for note in x.notes(**merged(acting, idle)) if words in note]


def test_deaths_under_the_matrix_and_blood_without_stocks_are_noted() -> None:
    (note,) = [
        note for note in x.notes(**MATRIX, **model("survival.lethality.sigma", 1.2)) if "model." in note
    ]
    assert note == "model.survival.lethality.sigma: no effect on deaths under routing transition-matrix"
    blood = model("care.blood.units", 6)
    assert any("acts on consumption alone" in note for note in x.notes(**blood))
    assert not any("acts on consumption alone" in note for note in x.notes(**blood, **STOCK))


def test_what_unavailable_surgery_switches_off_is_noted() -> None:
    settings = x.network(
        R2={"operating_tables": 2, "surgery_minutes": x.constant(60.0), "divert": {"tables_busy": True}}
    )
    found = x.notes(**settings, **treatment("surgery", available=False))
    (note,) = [note for note in found if note.startswith("facility R2: ") and "treatments.surgery" in note]
    for name in ("surgery_minutes", "operating_tables", "divert.tables_busy"):
        assert name in note
    assert not any("is not available" in note for note in x.notes(**settings))


def test_a_share_of_t4_without_mass_casualty_incidents_is_noted() -> None:
    small = {**T4, "warfare": [{"type": "drone"}]}
    assert any("triage.battle.T4: nobody is T4" in note for note in x.notes(**small))
    assert not any("nobody is T4" in note for note in x.notes(**T4))
    assert not any("nobody is T4" in note for note in x.notes(**small, mascal_threshold=5))
