"""Complications in the course: who gets them, when, and what they do (docs/model.md section 2.5.8)."""

from functools import cache
from typing import Any, get_args

import effects as x
import numpy as np
import pytest
from scipy import stats

import goldenhour
from engine.codes import COMPLICATIONS, EVENTS, LIMBS, NONE, RISKS, DeathCause, Outcome
from engine.errors import ScenarioError
from engine.scenario import model_constants
from scenarios import catalogue
from scenarios.catalogue import CatalogueError, ComplicationKind, ComplicationRisk
from scenarios.catalogue.complications import check_complication, check_risk
from scenarios.catalogue.tables import parse_rows
from scenarios.catalogue.thresholds import Threshold, find_thresholds

HOUR = x.DAY / 24
STAYS: dict[str, Any] = {
    "facilities": [{"id": "R3", "role": 3, "policy_days": 3650.0}],
    "links": [
        {
            "origin": "POI",
            "destination": "R3",
            "minutes": {"distribution": "lognormal", "median": 52, "sigma": 0.85},
        }
    ],
}
"""One hospital that nobody leaves before care ends: the whole first stay in hospital is in the record. Casualties
and the way there are those of `coin`."""
FACTOR_100 = {"factors": dict.fromkeys(COMPLICATIONS, 100.0)}


def found(result: goldenhour.Result, *labels: str) -> Any:
    """Return the events of these complications, of all without labels."""
    events = x.rows(result, "complication")
    if not labels:
        return events
    return events[np.isin(events["detail"] // LIMBS, [COMPLICATIONS.index(label) for label in labels])]


def had(result: goldenhour.Result, *labels: str) -> Any:
    """Return which patients have one of these complications."""
    mask = np.zeros(len(result), bool)
    mask[found(result, *labels)["patient"]] = True
    return mask


def given(result: goldenhour.Result, *kinds: str) -> Any:
    """Return which patients have one of these treatments."""
    mask = np.zeros(len(result), bool)
    for kind in kinds:
        mask[x.treatments(result, kind)["patient"]] = True
    return mask


def door(result: goldenhour.Result) -> Any:
    """Return the time of the first arrival, infinity without one, by patient."""
    at = np.full(len(result), np.inf)
    arrived = x.rows(result, "arrived")
    np.minimum.at(at, arrived["patient"], arrived["at"].astype(float))
    return at


@cache
def hospital(drawn: bool = True) -> goldenhour.Result:
    return x.run(16_000, complications={"drawn": drawn}, **STAYS)


@cache
def theatre(drawn: bool = True) -> goldenhour.Result:
    return x.run(12_000, mix=x.MIXED, complications={"drawn": drawn})


# --- when


@pytest.mark.parametrize("run", [hospital, theatre])
def test_nobody_has_a_complication_before_its_earliest_hour(run: Any) -> None:
    result = run()
    for kind in catalogue.complication_kinds():
        events = found(result, kind.complication)
        if kind.complication == "organ_failure":  # also of late deaths that come earlier
            events = events[result.patients["fatal_complication"][events["patient"]] == NONE]
        since = result.patients["time"][events["patient"]]
        if kind.counts_from == "transfusion":
            units = x.treatments(result, "blood_transfusion")
            begun = np.full(len(result), np.inf)
            np.minimum.at(begun, units["patient"], units["start"].astype(float))
            since = begun[events["patient"]]
        assert ((events["at"] - since) / HOUR >= kind.earliest_hours - 0.25).all(), kind.complication


def test_half_of_those_who_are_there_long_enough_have_it_by_the_median() -> None:
    """Of those who have it and stay long enough to have it late."""
    result = hospital()
    tested = 0
    for kind in catalogue.complication_kinds():
        events = found(result, kind.complication)
        patients = result.patients[events["patient"]]
        hours = (events["at"] - patients["time"]) / HOUR
        if kind.complication not in ("wound_infection", "acute_kidney_injury"):
            continue
        stayed = (patients["closed"] - patients["time"]) / HOUR > 1.5 * kind.upper_hours
        within = int((hours[stayed] <= kind.median_hours).sum())
        tested += 1
        assert stayed.sum() > 100, kind.complication
        # a stay that is long because of the complication favours late ones a little
        assert 0.4 < within / stayed.sum() < 0.62, kind.complication
    assert tested == 2


def test_a_complication_lies_between_the_door_and_the_outcome() -> None:
    for result in (hospital(), theatre()):
        events = found(result)
        assert len(events) > 200
        assert (events["facility"] >= 0).all()
        assert (events["at"] >= door(result)[events["patient"]]).all()
        assert (events["at"] <= result.patients["closed"][events["patient"]]).all()


def test_events_stay_in_the_order_of_time_and_at_their_place() -> None:
    """A complication is found where the patient is: after the last arrival, and not between departure and arrival."""
    for result in (hospital(), theatre()):
        e = result.events
        same = e["patient"][1:] == e["patient"][:-1]
        assert (np.diff(e["at"])[same] >= 0).all()
        k = np.flatnonzero(e["kind"] == EVENTS.index("complication"))
        assert (e["patient"][k - 1] == e["patient"][k]).all()
        assert (e["facility"][k - 1] == e["facility"][k]).all()
        assert not (e["kind"][k - 1] == EVENTS.index("departed")).any()
        ends = np.isin(
            e["kind"], [EVENTS.index(name) for name in ("returned_to_duty", "died", "left_theatre")]
        )
        assert (e["kind"][np.flatnonzero(ends)[:-1] + 1] != EVENTS.index("complication")).all()


# --- who


def with_wound(result: goldenhour.Result, *beginnings: str) -> Any:
    """Return who has a wound whose code begins so."""
    those = np.array([condition.code.startswith(beginnings) for condition in catalogue.conditions()])
    mask = np.zeros(len(result), bool)
    mask[result.wounds["patient"][those[result.wounds["condition"]]]] = True
    return mask


def test_each_complication_occurs_once_at_most() -> None:
    events = found(hospital())
    pairs = np.stack([events["patient"], events["detail"] // LIMBS], axis=1)
    assert len(np.unique(pairs, axis=0)) == len(pairs)


def test_who_gets_what_is_what_the_risks_say() -> None:
    result = hospital()
    p = result.patients
    limb = with_wound(
        result, "S45", "S55", "S75", "S85", "S47", "S57", "S67", "S77", "S87", "S97", "S52", "S82"
    )
    assert had(result, "compartment_syndrome").sum() > 20
    assert limb[had(result, "compartment_syndrome")].all()
    assert given(result, "blood_transfusion")[had(result, "transfusion_reaction")].all()
    for label in ("pneumonia", "acute_respiratory_distress"):
        assert had(result, label).sum() > 5, label
        assert given(result, "critical_care")[had(result, label)].all(), label
        assert (ventilated_since(result)[found(result, label)["patient"]] <= found(result, label)["at"]).all()
    belly = ("laparotomy", "bowel_resection", "colostomy", "splenectomy", "pelvic_packing")
    assert given(result, *belly)[had(result, "abdominal_infection")].all()
    assert (p["niss"][had(result, "organ_failure")] >= 9).all()


def test_the_code_of_a_complication_names_the_limb_of_the_wound() -> None:
    result = hospital()
    texts = catalogue.complication_texts()
    events = found(result, "compartment_syndrome")
    assert len(events) > 20
    known = 0
    for event in events:
        wounds = result.wounds[result.wounds["patient"] == event["patient"]]
        displays = [catalogue.conditions()[c].display.lower() for c in wounds["condition"]]
        display = texts[event["detail"]].display
        for side in ("left", "right"):
            if f"of {side}" in display:
                known += 1
                assert any(side in text for text in displays), (display, displays)
    assert known > 0.9 * len(events)


def ventilated_since(result: goldenhour.Result) -> Any:
    """Return when the ventilator in intensive care first began, infinity without it, by patient.

    It may end before intensive care does. Those who only wake up after an operation do not count.
    """
    care, ventilation = x.treatments(result, "critical_care"), x.treatments(result, "ventilation")
    stays: dict[int, list[tuple[int, int]]] = {}
    for row in care:
        stays.setdefault(int(row["patient"]), []).append((int(row["start"]), int(row["end"])))
    tube = model_constants(result.scenario, "vital_signs")["vital_signs"]["tube"]
    waking = tube["recovery_minutes"][1] * 60_000
    since = np.full(len(result), np.inf)
    for row in ventilation:
        inside = any(a <= row["start"] and row["end"] <= b for a, b in stays.get(int(row["patient"]), []))
        if inside and row["end"] - row["start"] > waking:
            since[row["patient"]] = min(since[row["patient"]], float(row["start"]))
    return since


def test_whoever_has_a_complication_of_the_ventilated_has_ventilator_time_in_the_record() -> None:
    found = 0
    for record in x.run(600, complications=FACTOR_100, detail="full", **STAYS).records():
        kinds = {event.detail for event in record.timeline if event.event == "complication"}
        if kinds & {"pneumonia", "acute_respiratory_distress"}:
            found += 1
            assert record.outcome.ventilator_days, record.id
    assert found > 20


def test_without_tourniquets_nobody_is_at_risk_of_one() -> None:
    """Without intensive care only a tourniquet of over two hours brings an acute kidney injury."""
    hospital_without = {**STAYS, "facilities": [{**STAYS["facilities"][0], "icu": False}]}
    numbers = {}
    for available in (True, False):
        result = x.run(
            16_000,
            treatments={"tourniquet": {"available": available}},
            complications={"factors": {"acute_kidney_injury": 6.0}},
            **hospital_without,
        )
        assert given(result, "tourniquet").any() == available
        numbers[available] = int(had(result, "acute_kidney_injury").sum())
    assert numbers[True] > 5
    assert numbers[False] == 0


# --- how often


def near(count: int, of: int, low: float, high: float) -> bool:
    """Whether the exact 99 % interval of a share meets a published band."""
    interval = stats.binomtest(count, of).proportion_ci(0.99, "exact")
    return bool(interval.low <= high and interval.high >= low)


def test_incidences_are_the_published_ones() -> None:
    """Over the whole first stay in hospital: targets CMP1 to CMP5 of the validation, and SRG3."""
    result = hospital()
    p = result.patients
    stays = (door(result) < np.inf) & (p["rtd72"] == 0)
    lived = ~np.isin(p["status"], [Outcome.KIA, Outcome.DOW])
    infections = ("wound_infection", "bone_infection", "abdominal_infection", "pneumonia", "sepsis")
    embolism = had(result, "deep_vein_thrombosis", "pulmonary_embolism")
    kidney = had(result, "acute_kidney_injury")
    ventilated = given(result, "ventilation")
    after_laparotomy = stays & lived & given(result, "laparotomy")
    massive = units(result) >= 10
    rows = {
        "CMP1 infection": (had(result, *infections), would_leave(), 0.30, 0.38),
        "CMP2 venous thromboembolism": (embolism, stays, 0.015, 0.029),
        "CMP2 of lower limb amputees": (
            embolism,
            stays & lived & with_wound(result, "S78", "S88"),
            0.151,
            0.198,
        ),
        "CMP2 after laparotomy": (embolism, after_laparotomy, 0.11, 0.21),
        "CMP2 after laparotomy, massively transfused": (embolism, after_laparotomy & massive, 0.18, 0.35),
        "CMP3 kidney injury of the critical": (
            kidney,
            would_leave() & given(result, "critical_care"),
            0.11,
            0.14,
        ),
        "CMP5 respiratory distress": (
            had(result, "acute_respiratory_distress"),
            stays & ventilated,
            0.025,
            0.045,
        ),
        "SRG3 compartment syndrome of limb casualties": (
            had(result, "compartment_syndrome"),
            stays & has_limb_wound(result),
            0.02,
            0.04,
        ),
    }
    failed = []
    for name, (those, among, low, high) in rows.items():
        count, of = int((those & among).sum()), int(among.sum())
        print(f"{name}: {count}/{of} = {count / of:.4f}, published {low} to {high}")
        if not near(count, of, low, high):
            failed.append(name)
    assert failed == []
    events = found(result, "acute_kidney_injury")
    early = (events["at"] - p["time"][events["patient"]]) / HOUR <= 48  # CMP4: 80.5 % of those in theatre
    assert 0.75 < early.mean() < 0.86


def would_leave() -> Any:
    """Return whom a hospital in theatre would send to Role 4: not back within 15 days without complications."""
    p = hospital(drawn=False).patients
    alive = ~np.isin(p["status"], [Outcome.KIA, Outcome.DOW])
    long = (p["closed"] - p["time"]) / x.DAY > 15
    return alive & (p["rtd72"] == 0) & ((p["status"] == Outcome.DISCHARGED) | long)


def units(result: goldenhour.Result) -> Any:
    given_units = np.zeros(len(result))
    rows = x.treatments(result, "blood_transfusion")
    np.add.at(given_units, rows["patient"], rows["units"])
    return given_units


def has_limb_wound(result: goldenhour.Result) -> Any:
    mask = np.zeros(len(result), bool)
    limb = result.wounds["region"] >= 7
    mask[result.wounds["patient"][limb & (result.wounds["ais"] >= 2)]] = True
    return mask


# --- what they do


def test_complications_change_nobody_else_and_no_death() -> None:
    """The survival clock alone decides on death: with common random numbers the same people die at the same times."""
    on, off = hospital(), hospital(drawn=False)
    assert x.same_people(on, off)
    assert len(found(off)) == 0 < len(found(on))
    for column in ("status", "closed", "death_cause"):
        died = np.isin(off.patients["status"], [Outcome.KIA, Outcome.DOW, Outcome.DIED_NONBATTLE])
        assert (on.patients[column][died] == off.patients[column][died]).all()
    assert (on.patients["death_cause"] == off.patients["death_cause"]).all()


def test_complications_lengthen_the_stay() -> None:
    on, off = hospital(), hospital(drawn=False)
    days = (on.patients["closed"] - off.patients["closed"]) / x.DAY
    fatal = np.isin(on.patients["status"], [Outcome.KIA, Outcome.DOW])
    ill = had(on) & ~fatal
    assert (days[~had(on)] == 0).all()
    kinds = catalogue.complication_kinds()
    added = np.zeros(len(on))
    events = found(on)
    np.add.at(added, events["patient"], np.array([k.stay_days for k in kinds])[events["detail"] // LIMBS])
    assert ill.sum() > 500
    assert days[ill] == pytest.approx(added[ill], abs=0.6)
    assert 4 < days[ill].mean() < 30


def test_nobody_with_an_embolism_is_back_within_days() -> None:
    result = theatre()
    for label in ("pulmonary_embolism", "deep_vein_thrombosis", "sepsis", "compartment_syndrome"):
        events = found(result, label)
        patients = result.patients[events["patient"]]
        assert not (patients["status"] == Outcome.RTD).any(), label


def test_fewer_return_to_duty_in_theatre_with_complications() -> None:
    on, off = theatre(), theatre(drawn=False)
    back = [x.status(result, "rtd") for result in (on, off)]
    assert not (back[0] & ~back[1]).any()
    lost = back[1] & ~back[0]
    assert 5 <= lost.sum() <= 0.05 * back[1].sum()
    assert had(on)[lost].all()


def test_a_factor_multiplies_the_probability_of_one_complication() -> None:
    usual, none, much = (
        x.run(8000, complications={"factors": {"wound_infection": factor}}, **STAYS)
        for factor in (1.0, 0.0, 3.0)
    )
    counts = [int(had(result, "wound_infection").sum()) for result in (none, usual, much)]
    assert counts[0] == 0 < counts[1]
    assert counts[2] / counts[1] == pytest.approx(3.0, rel=0.2)
    others = [label for label in COMPLICATIONS if label != "wound_infection"]
    # a longer stay shows later complications that were drawn anyway
    assert not (had(none, *others) & ~had(much, *others)).any()


def test_a_complication_is_treated() -> None:
    result = hospital()
    for kind in catalogue.complication_kinds():
        events = found(result, kind.complication)
        for need in kind.needs[:1]:
            rows = x.treatments(result, need)
            keys = set(zip(rows["patient"].tolist(), rows["start"].tolist(), strict=True))
            treated = sum((int(event["patient"]), int(event["at"])) in keys for event in events)
            assert treated >= 0.9 * len(events), (kind.complication, need, treated, len(events))


def test_a_late_death_names_its_complication() -> None:
    for result in (hospital(), theatre()):
        p = result.patients
        late = p["death_cause"] == DeathCause.LATE_COMPLICATIONS
        assert late.sum() > 10
        assert ((p["fatal_complication"] != NONE) == late).all()
        fatal = p["fatal_complication"][late]
        kills = [k.kills > 0 for k in catalogue.complication_kinds()]
        assert np.array(kills)[fatal].all()
        there = [
            bool(had(result, COMPLICATIONS[kind])[patient])
            for patient, kind in zip(np.flatnonzero(late), fatal, strict=True)
        ]
        assert np.mean(there) > 0.85  # who dies on the way, in a queue or on the table is not seen to have it
    assert (hospital(drawn=False).patients["fatal_complication"] == NONE).all()


def test_whose_late_death_comes_after_the_horizon_has_no_fatal_complication() -> None:
    result = x.run(12_000, mix=x.MIXED, days=30, horizon_days=30.0)
    p = result.patients
    late = p["death_cause"] == DeathCause.LATE_COMPLICATIONS
    assert late.sum() > 10
    assert x.status(result, "in_care").sum() > 100
    assert ((p["fatal_complication"] != NONE) == late).all()


def reactions(result: goldenhour.Result) -> dict[int, tuple[int, int, int]]:
    """Return by id the first and the last start of resuscitation and the onset of a reaction to a transfusion, ms.

    Only of those who had it in a bed: nothing else in the record is of the same time.
    """
    begun, found_at = x.rows(result, "resuscitation_started"), found(result, "transfusion_reaction")
    who, times = np.unique(
        np.stack((result.events["patient"], result.events["at"])), axis=1, return_counts=True
    )
    alone = {(int(patient), int(at)) for (patient, at), count in zip(who.T, times, strict=True) if count == 1}
    kept = {}
    for event in found_at:
        patient, at = int(event["patient"]), int(event["at"])
        starts = begun["at"][begun["patient"] == patient]
        if (patient, at) in alone and len(starts):
            kept[int(result.patients["id_lo"][patient])] = (int(starts[0]), int(starts[-1]), at)
    return kept


def test_a_reaction_counts_from_the_first_transfusion_also_after_a_hit() -> None:
    """A hit interrupts the transfusion, which begins again: the reaction comes as long after the first as without."""
    hits = [
        {"event": "hit", "at_hours": float(hour), "facility": "R3", "capacity_lost": 0.0}
        for hour in range(6, 192, 6)
    ]
    plain, struck = (
        reactions(
            x.run(12_000, complications={"factors": {"transfusion_reaction": 100.0}}, world=world, **STAYS)
        )
        for world in ([], hits)
    )
    late = [
        (struck[one][2] - struck[one][0]) - (plain[one][2] - plain[one][0])
        for one in plain.keys() & struck.keys()
        if struck[one][1] > struck[one][0]
    ]
    assert len(late) > 5
    assert np.mean(np.abs(late) <= 2) > 0.8, late


def test_the_record_has_the_diagnosis_from_its_time_on() -> None:
    result = x.run(600, complications=FACTOR_100, **STAYS)
    texts = catalogue.complication_texts()
    records = result.records()
    numbers = [len(record.injury.complications) for record in records]
    assert sum(numbers) == len(found(result)) > 100
    for record in records:
        logged = [event for event in record.timeline if event.event == "complication"]
        for event, complication in zip(logged, record.injury.complications, strict=True):
            assert (event.at, event.facility) == (complication.at, complication.facility)
            assert event.detail in COMPLICATIONS
            assert (complication.code, complication.display) in {(text.code, text.display) for text in texts}
        assert (record.outcome.fatal_complication is None) == (
            record.outcome.cause_of_death != "late_complications"
        )


# --- settings and files


def test_the_words_are_the_codes() -> None:
    from scenarios.catalogue import Complication, Risk

    assert get_args(Complication) == COMPLICATIONS
    assert get_args(Risk) == RISKS


def test_an_unknown_complication_is_refused_with_a_near_match() -> None:
    with pytest.raises(ScenarioError, match="pulmonary_embolism"):
        x.run(10, complications={"factors": {"pulmonary_embolus": 2.0}})
    with pytest.raises(ScenarioError, match="complications"):
        x.run(10, complications={"drawn": "sometimes"})


def test_factors_without_effect_are_noted() -> None:
    factors = {"factors": {"sepsis": 2.0}}
    assert any("complications" in note for note in x.notes(complications={"drawn": False, **factors}))
    assert any(
        "complications" in note for note in x.notes(complications=factors, routing="transition-matrix")
    )
    assert not any("complications" in note for note in x.notes(complications=factors))


def test_the_code_of_each_complication_is_billable_and_its_text_that_of_the_code() -> None:
    import simple_icd_10_cm as icd

    for text in catalogue.complication_texts():
        assert icd.is_leaf(text.code), text.code
        assert " ".join(icd.get_description(text.code).split()) == text.display


KIND = (
    "complication,display,code,earliest_hours,median_hours,upper_hours,stay_days,needs,source,tag\n"
    "sepsis,Sepsis,A41.9,48,120,264,12,antibiotics,judgement,judgement\n"
)
RISK = (
    "complication,risks,without,probability,source,tag\nsepsis,niss_9|burn,operated,0.5,judgement,judgement\n"
)


@pytest.mark.parametrize(
    ("old", "new", "column", "near"),
    [
        ("sepsis", "sepsys", "complication", "sepsis"),
        ("A41.9", "A41.8", "code", "A41.9"),
        ("48,120", "120,48", "median_hours", None),
        ("antibiotics", "antibiotic", "needs", "antibiotics"),
        (",judgement,", ",judgment,", "source", "judgement"),
    ],
)
def test_a_broken_kind_is_named_by_line_and_column(old: str, new: str, column: str, near: str | None) -> None:
    with pytest.raises(CatalogueError) as caught:
        for line, row in parse_rows("complication_kinds.csv", KIND.replace(old, new, 1), ComplicationKind):
            check_complication("complication_kinds.csv", line, row)
    assert (caught.value.line, caught.value.column, caught.value.near) == (2, column, near)


@pytest.mark.parametrize(
    ("old", "new", "column", "near"),
    [
        ("niss_9", "nis_9", "risks", "niss_9"),
        ("0.5", "1.5", "probability", None),
        (",operated", ",burn", "without", None),
    ],
)
def test_a_broken_risk_is_named_by_line_and_column(old: str, new: str, column: str, near: str | None) -> None:
    with pytest.raises(CatalogueError) as caught:
        for line, row in parse_rows("complication_risks.csv", RISK.replace(old, new, 1), ComplicationRisk):
            check_risk("complication_risks.csv", line, row)
    assert (caught.value.line, caught.value.column, caught.value.near) == (2, column, near)


THRESHOLDS = "threshold,value,unit,meaning,source,tag\ntourniquet_hours,2,hours,text,judgement,judgement\n"


@pytest.mark.parametrize(
    ("old", "new", "line", "column"),
    [
        ("tourniquet_hours", "tourniquet_hour", 2, "threshold"),
        ("2,hours", "two,hours", 2, "value"),
        (",judgement,", ",judgment,", 2, "source"),
        ("", "", 1, "threshold"),
    ],
)
def test_a_broken_or_missing_threshold_is_named(old: str, new: str, line: int, column: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        find_thresholds(parse_rows("thresholds.csv", THRESHOLDS.replace(old, new, 1), Threshold))
    assert (caught.value.line, caught.value.column) == (line, column)


def test_a_threshold_given_twice_is_refused() -> None:
    twice = THRESHOLDS + THRESHOLDS.splitlines()[1] + "\n"
    with pytest.raises(CatalogueError, match="each threshold once"):
        find_thresholds(parse_rows("thresholds.csv", twice, Threshold))
