"""Treatments: what is given for which wound or illness, where and when, what it acts on, and the signs it changes."""

from functools import cache
from typing import Any

import effects as x
import numpy as np
import pytest
from small_networks import SECOND, Result, at, grave, hospital, run

from engine.codes import (
    AT_POI,
    EFFECTS,
    EN_ROUTE,
    LETHAL_MECHANISMS,
    NONE,
    REGIONS,
    TREATMENTS,
    CasualtyKind,
    Effect,
    LethalMechanism,
)
from engine.compile.treatments import care_rules
from scenarios import catalogue
from scenarios.tables import model_parameters

LIMBS = ("upper_limb", "lower_limb")
OPERATIONS = (
    *(kind.label for kind in catalogue.treatment_kinds().values() if kind.theatre),
    *sorted({care.operation for care in catalogue.mechanism_care() if care.operation == "surgical_airway"}),
)
BLEEDING = (
    LethalMechanism.TORSO_HAEMORRHAGE,
    LethalMechanism.JUNCTIONAL_HAEMORRHAGE,
    LethalMechanism.EXTREMITY_HAEMORRHAGE,
)


# --- what was given, and for what


@cache
def wounded() -> Result:
    """6,000 battle casualties in a chain of Role 1 to Role 4."""
    return run(6000, **x.network())


TENSION = {"survival": {"mechanisms": {"thorax_tension": 0.5}}}


@cache
def with_tension() -> Result:
    """The same with more tension pneumothorax among the lethal wounds of the chest."""
    return run(6000, model=TENSION, **x.network())


@cache
def others() -> Result:
    """6,000 casualties of every kind, those of CBRN agents among them."""
    return run(6000, mix=x.MIXED, warfare=[{"type": "cbrn"}, {"type": "conventional"}], **x.network())


def of(result: Result, *kinds: str) -> Any:
    """The treatments of these kinds."""
    return result.treatments[np.isin(result.treatments["kind"], [TREATMENTS.index(kind) for kind in kinds])]


def wound(result: Result, treatments: Any) -> Any:
    """The wound that each treatment names."""
    assert (treatments["wound"] != NONE).all()
    return result.wounds[wound_rows(result, treatments)]


def wound_rows(result: Result, treatments: Any) -> Any:
    """The row of the wound that each treatment names."""
    first = np.concatenate([[0], result.patients["wound_end"][:-1]]).astype(np.int64)
    return first[treatments["patient"]] + treatments["wound"]


def able_to_kill(result: Result) -> Any:
    """Whether each wound can kill by the mechanism that would kill its patient."""
    by = care_rules(frozenset())["kills_by"][0][result.wounds["condition"]].astype(int)
    mechanism = result.patients["lethal"][result.wounds["patient"]].astype(int)
    return (mechanism < 8) & (by >> np.minimum(mechanism, 8) & 1).astype(bool)


def has_killer(result: Result) -> Any:
    """Whether each patient has a wound that can kill by the mechanism that would."""
    found = np.zeros(len(result), bool)
    found[result.wounds["patient"][able_to_kill(result)]] = True
    return found


def region(wounds: Any) -> list[str]:
    return [REGIONS[code] for code in wounds["region"]]


def is_flagged(wounds: Any, *flags: str) -> Any:
    """Whether the condition of each wound has one of these properties of the catalogue."""
    conditions = catalogue.conditions()
    return np.array([any(getattr(conditions[c], flag) for flag in flags) for c in wounds["condition"]], bool)


def needed(wounds: Any, *labels: str) -> Any:
    """Whether the condition of each wound calls for one of these treatments."""
    calls = [not {*of.needs, *of.operations}.isdisjoint(labels) for of in catalogue.condition_needs()]
    return np.array(calls, bool)[wounds["condition"]]


def patients_who_need(result: Result, *labels: str) -> Any:
    """Which patients have a wound that calls for one of these treatments."""
    found = np.zeros(len(result), bool)
    found[result.wounds["patient"][needed(result.wounds, *labels)]] = True
    return found


def lethal(result: Result, treatments: Any) -> Any:
    return result.patients["lethal"][treatments["patient"]]


def outside(treatments: Any) -> Any:
    """Those given before the first door."""
    return treatments[treatments["facility"] < 0]


# --- first aid


def test_a_tourniquet_goes_on_a_bleeding_limb_only() -> None:
    result = wounded()
    tourniquets = of(result, "tourniquet")
    assert len(tourniquets) > 500
    on = wound(result, tourniquets)
    assert set(region(on)) == set(LIMBS)
    bleeds = is_flagged(on, "vessel", "amputation")
    dying_of_it = (lethal(result, tourniquets) == LethalMechanism.EXTREMITY_HAEMORRHAGE) & (
        able_to_kill(result)[wound_rows(result, tourniquets)] | (tourniquets["wound"] == 0)
    )
    assert (bleeds | dying_of_it).all()
    assert (outside(tourniquets)["facility"] < 0).mean() > 0.9


FIRST_AID = {
    "airway": {"airway_adjunct"},
    "tension_pneumothorax": {"needle_decompression"},
    "torso_haemorrhage": {"tranexamic_acid"},
    "junctional_haemorrhage": {"haemostatic_dressing", "junctional_tourniquet"},
    "extremity_haemorrhage": {"tourniquet"},
}


@pytest.mark.parametrize("mechanism", FIRST_AID)
def test_first_aid_is_what_the_mechanism_of_death_calls_for(mechanism: str) -> None:
    result = with_tension() if mechanism == "tension_pneumothorax" else wounded()
    given = outside(result.treatments)
    given = given[lethal(result, given) == LETHAL_MECHANISMS.index(mechanism)]
    acted = given[given["effect"] != Effect.SUPPORTIVE]
    assert len(acted) > 20
    assert {TREATMENTS[kind] for kind in np.unique(acted["kind"])} == FIRST_AID[mechanism]
    assert {EFFECTS[effect] for effect in np.unique(acted["effect"])} == {"effective", "ineffective"}
    assert np.bincount(acted["patient"]).max() == 1


def test_first_aid_cannot_act_on_what_kills_nobody() -> None:
    result = wounded()
    given = outside(result.treatments)
    harmless = given[np.isin(lethal(result, given), (NONE, LethalMechanism.TBI))]
    assert len(harmless) > 2000
    assert (harmless["effect"] == Effect.SUPPORTIVE).all()


def test_a_splint_goes_on_a_limb_that_needs_it() -> None:
    result = wounded()
    splints = of(result, "splint")
    assert len(splints) > 50
    on = wound(result, splints)
    assert set(LIMBS) <= set(region(on)) <= {*LIMBS, "neck"}
    assert needed(on, "splint").all()
    assert is_flagged(on, "fracture").mean() > 0.7


def test_analgesia_outside_is_for_pain_and_not_more_often_than_every_half_hour() -> None:
    result = wounded()
    given = outside(of(result, "analgesia"))
    assert len(given) > 500
    severe = result.patients["worst_ais"] >= 2
    assert (severe | patients_who_need(result, "analgesia"))[given["patient"]].all()
    every = of(result, "analgesia")
    every = every[
        ~np.isin(every["patient"], of(result, "closed_reduction")["patient"])
    ]  # has a dose of its own
    order = np.lexsort((every["start"], every["patient"]))
    every = every[order]
    same = every["patient"][1:] == every["patient"][:-1]
    assert same.sum() > 20
    assert (np.diff(every["start"])[same] >= 30 * x.MINUTE).all()


def test_an_autoinjector_is_for_casualties_of_an_agent() -> None:
    result = others()
    injected = of(result, "autoinjector")
    assert len(injected) > 100
    assert (result.patients["kind"][injected["patient"]] == CasualtyKind.AGENT).all()
    aided = outside(result.treatments)
    aided = aided[result.patients["kind"][aided["patient"]] == CasualtyKind.AGENT]
    assert {TREATMENTS[kind] for kind in np.unique(aided["kind"])} >= {"autoinjector"}


# --- at a facility


def test_blood_is_for_those_who_bleed() -> None:
    result = wounded()
    blood = of(result, "blood_transfusion")
    assert len(blood) > 100
    dying = np.isin(lethal(result, blood), BLEEDING)
    excised = np.isin(blood["patient"], of(result, "burn_excision")["patient"])
    other = ~dying & ~excised & ~patients_who_need(result, "blood_transfusion")[blood["patient"]]
    assert dying.mean() > 0.2
    assert 0 < other.mean() < 0.06
    in_shock = patients_in_shock_by_open_limbs(result)
    assert in_shock[blood["patient"][other]].all()


def patients_in_shock_by_open_limbs(result: Result) -> Any:
    """T1 and T2 whom nothing would kill and who have an open wound of a limb that is their worst."""
    open_limb = np.isin(region(result.wounds), LIMBS) & needed(result.wounds, "wound_debridement")
    open_limb &= result.wounds["ais"] == result.patients["worst_ais"][result.wounds["patient"]]
    found = np.zeros(len(result), bool)
    found[result.wounds["patient"][open_limb]] = True
    return found & (result.patients["triage"] <= 2) & (result.patients["lethal"] == NONE)


def test_blood_begins_with_the_resuscitation_and_runs_without_a_gap() -> None:
    result = wounded()
    blood = of(result, "blood_transfusion")
    blood = blood[~np.isin(blood["patient"], of(result, "burn_excision")["patient"])]  # has blood of its own
    blood = blood[np.lexsort((blood["start"], blood["patient"]))]
    began, ended = (at(result, f"resuscitation_{which}") for which in ("started", "ended"))
    assert (blood["start"] / x.MINUTE >= began[blood["patient"]] - SECOND).all()
    first = np.concatenate([[True], blood["patient"][1:] != blood["patient"][:-1]])
    lived = np.isfinite(ended[blood["patient"]])
    assert (blood["end"] / x.MINUTE <= ended[blood["patient"]] + SECOND)[first & lived].all()
    assert (blood["start"] / x.MINUTE <= ended[blood["patient"]])[first & lived].all()
    further = np.flatnonzero(~first)
    assert len(further) > 50
    assert (np.abs(blood["start"][further].astype(np.int64) - blood["end"][further - 1]) <= 1000).all()
    assert (blood["units"] >= 1).all()


def test_without_blood_in_stock_nobody_is_transfused() -> None:
    result = hospital({"dcs": False, "blood_units": 0}, total=2000, survival=None)
    dying = np.isin(result.patients["lethal"], BLEEDING)
    blood = of(result, "blood_transfusion")
    assert not dying[blood["patient"]].any()
    assert len(of(result, "tranexamic_acid")) > 100


def test_a_chest_drain_is_for_a_chest_wound_that_needs_it_and_one_a_wound() -> None:
    result = hospital({}, total=6000, survival=None, model=TENSION)
    drains = of(result, "chest_drain")
    assert len(drains) > 50
    on = wound(result, drains)
    assert set(region(on)) == {"thorax"}
    of_tension = lethal(result, drains) == LethalMechanism.TENSION_PNEUMOTHORAX
    assert (needed(on, "chest_drain") | of_tension).all()
    single = care_rules(frozenset())["both_sides"][0][on["condition"]] == 0
    assert single.sum() > 50
    pairs = np.stack([drains["patient"][single], drains["wound"][single]])
    assert np.unique(pairs, axis=1, return_counts=True)[1].max() == 1
    acted = drains["effect"] == Effect.EFFECTIVE
    assert acted.any()
    assert of_tension[acted].all()


def test_open_wounds_are_cared_for_at_role_1_the_worst_first() -> None:
    result = wounded()
    care = of(result, "wound_care")
    care = care[care["facility"] == x.place(result, "R1")]
    assert len(care) > 1000
    assert needed(wound(result, care), "wound_care").all()
    wounds_cared_for = np.unique(wound_rows(result, care))  # dressings are renewed on the ward
    given = np.bincount(result.wounds["patient"][wounds_cared_for], minlength=len(result))
    needing = result.wounds["patient"][needed(result.wounds, "wound_care")]
    numbers = np.bincount(needing, minlength=len(result))
    there = (given > 0) & (at(result, "care_ended", "R1") > 0)  # others died meanwhile
    assert (given[there] == np.minimum(numbers, 6)[there]).all()
    assert (numbers[there] > 6).any() and (numbers[there] < 6).any()


def test_an_operation_is_one_that_the_wound_or_the_mechanism_of_death_calls_for() -> None:
    result = wounded()
    operations = of(result, *OPERATIONS)
    operations = operations[operations["wound"] != NONE]  # an airway before the theatre is for none
    on = wound(result, operations)
    kinds = catalogue.treatment_kinds()
    against = {care.operation for care in catalogue.mechanism_care()}
    against |= {"ventricular_drain"}  # of a brain injury without a clot
    complications = {need for kind in catalogue.complication_kinds() for need in kind.needs}
    complicated = np.isin(operations["patient"], x.rows(result, "complication")["patient"])
    for name in OPERATIONS:
        mine = operations["kind"] == TREATMENTS.index(name)
        wanted = [name, *(kind.label for kind in kinds.values() if kind.short_of == name)]
        called_for = needed(on[mine], *wanted)
        acted = operations["effect"][mine] != Effect.SUPPORTIVE
        closing = ("delayed_closure", "definitive_surgery", "fracture_fixation", "laparotomy")
        if name not in ("wound_debridement", *closing):
            came_up = complicated & (name in complications)
            assert (called_for | (acted & (name in against)) | came_up[mine]).all(), name
    assert (operations["kind"] == TREATMENTS.index("laparotomy")).sum() > 20
    removed = operations["kind"] == TREATMENTS.index("amputation")
    assert removed.sum() > 10
    assert is_flagged(on[removed], "amputation").all()
    fixed = operations["kind"] == TREATMENTS.index("external_fixation")
    assert fixed.sum() > 10
    assert is_flagged(on[fixed], "fracture").all()


def test_the_operations_of_a_session_begin_one_after_another_under_anaesthesia() -> None:
    result = wounded()
    kinds = catalogue.treatment_kinds()
    longest = np.array([kinds[label].minutes_high for label in TREATMENTS])
    anaesthesia = of(result, "general_anaesthesia", "regional_anaesthesia", "sedation")
    operations = of(result, *OPERATIONS)
    begin, end = at(result, "surgery_started") * x.MINUTE, at(result, "surgery_ended") * x.MINUTE
    several = 0
    for patient in np.flatnonzero(np.isfinite(end))[:300]:
        mine = operations[operations["patient"] == patient]
        mine = mine[(mine["start"] >= begin[patient] - 1000) & (mine["end"] <= end[patient] + 1000)]
        assert 1 <= len(mine) <= 12
        assert (mine["start"] >= begin[patient]).all() and (mine["end"] <= end[patient]).all()
        assert (np.diff(mine["start"]) > 0).all()
        assert ((mine["end"] - mine["start"]) / x.MINUTE <= longest[mine["kind"]] + SECOND).all()
        asleep = anaesthesia[anaesthesia["patient"] == patient]
        assert asleep["start"][0] == pytest.approx(begin[patient], abs=1000)
        assert asleep["end"][0] == pytest.approx(end[patient], abs=1000)
        assert (mine["effect"] != Effect.SUPPORTIVE).sum() <= 1
        first = mine["effect"][0] != Effect.SUPPORTIVE
        bound = (
            TREATMENTS.index("tourniquet")
            in result.treatments["kind"][result.treatments["patient"] == patient]
        )
        assert bound or first or (mine["effect"] == Effect.SUPPORTIVE).all()
        several += len(mine) > 1
    assert several > 50


def test_what_belongs_to_an_operation_comes_before_the_debridement_of_soft_tissue() -> None:
    result = wounded()
    begin, end = at(result, "surgery_started") * x.MINUTE, at(result, "surgery_ended") * x.MINUTE
    session = of(result, *OPERATIONS)
    patient = session["patient"]
    within = (session["start"] >= begin[patient] - 1000) & (session["end"] <= end[patient] + 1000)
    session = session[within & (session["wound"] != NONE)]
    open_bone = care_rules(frozenset())["bares_bone"][0][wound(result, session)["condition"]] == 1
    soft = (session["kind"] == TREATMENTS.index("wound_debridement")) & ~open_bone
    soft &= session["effect"] == Effect.SUPPORTIVE  # debridement may be what acts on what would kill
    first = np.full(len(result), np.inf)
    np.minimum.at(first, session["patient"][soft], session["start"][soft])
    part = np.isin(session["kind"], [TREATMENTS.index(x) for x in ("fasciotomy", "external_fixation")])
    part &= np.isin(region(wound(result, session)), LIMBS)
    part |= session["kind"] == TREATMENTS.index("bowel_resection")
    assert (part & np.isfinite(first[session["patient"]])).sum() > 20
    assert (session["start"] < first[session["patient"]])[part].all()


def test_the_grave_are_resuscitated_and_nobody_else() -> None:
    result = wounded()
    there = np.isfinite(at(result, "resuscitation_started") + at(result, "arrived", "R2"))
    cared = np.isfinite(at(result, "care_started", "R2"))
    urgent = (result.patients["kind"] == CasualtyKind.WOUNDED) & (result.patients["triage"] != 3)
    assert there.sum() > 300
    in_shock = patients_in_shock_by_open_limbs(result)
    assert (urgent & (grave(result) | in_shock))[there].all()
    assert (urgent & grave(result))[there].mean() > 0.95
    assert not (urgent & grave(result))[cared].any()
    assert (urgent & cared).sum() > 100


def test_those_operated_on_under_a_tube_are_ventilated_in_intensive_care_some_for_all_of_it() -> None:
    """Some wake after the operation; the others some hours before they leave, or they keep the tube for the way."""
    result = wounded()
    ventilated, intensive = of(result, "ventilation"), of(result, "critical_care")
    ends = {(int(t["patient"]), int(t["start"])): int(t["end"]) for t in ventilated}
    tube = np.full(len(result), np.inf)
    found = of(result, "intubation", "surgical_airway", "tracheostomy")
    np.minimum.at(tube, found["patient"], found["start"].astype(float))
    operated = np.isfinite(at(result, "surgery_ended", "R2"))
    stays = intensive[intensive["facility"] == x.place(result, "R2")]
    stays = stays[operated[stays["patient"]]]
    intubated = tube[stays["patient"]] < stays["start"]
    until = np.array([ends.get((int(t["patient"]), int(t["start"])), -1) for t in stays])
    on = until >= 0
    assert intubated[on].all()
    blood = of(result, "blood_transfusion")
    blood = blood[~np.isin(blood["patient"], of(result, "burn_excision")["patient"])]
    units = np.bincount(blood["patient"], blood["units"], len(result))
    rules = model_parameters("vital_signs")["vital_signs"]["tube"]
    whole = until == stays["end"]
    short = until - stays["start"] <= rules["recovery_minutes"][1] * x.MINUTE + 1000
    awake = stays["end"] - until >= rules["awake_hours"] * 60 * x.MINUTE - 1000
    assert (whole | short | awake)[on].all()
    much = intubated & (units[stays["patient"]] >= 10)
    assert much.sum() > 50 and on[much].all() and not (short & ~whole)[much].any()
    assert (intubated & ~on).sum() > 50, "awake at the end of the operation"
    assert (on & awake & ~short).sum() > 50


def test_only_the_first_operation_on_what_would_kill_can_save() -> None:
    result = wounded()
    operations = of(result, *OPERATIONS)
    acted = operations["effect"] != Effect.SUPPORTIVE
    assert acted.sum() > 100
    assert (lethal(result, operations[acted]) != NONE).all()
    able = able_to_kill(result)
    killer = able[wound_rows(result, operations[acted])]
    assert (killer | ~has_killer(result)[operations["patient"][acted]]).all()
    assert killer.mean() > 0.9
    saved = operations[operations["effect"] == Effect.EFFECTIVE]["patient"]
    causes = result.patients["death_cause"][saved]
    dead = x.status(result, "dow")[saved]
    assert dead.sum() > 0
    assert (causes[dead] >= 1 + len(LETHAL_MECHANISMS)).all()  # of late complications, no longer of the wound


def test_the_most_urgent_of_the_ill_have_emergency_care() -> None:
    result = others()
    ill = result.patients["kind"] >= CasualtyKind.NBI
    emergency = of(result, "emergency_care")
    assert len(emergency) > 100
    assert (result.patients["kind"] != CasualtyKind.WOUNDED)[emergency["patient"]].all()
    seen = np.zeros(len(result), bool)
    seen[emergency["patient"]] = True
    treated = np.isfinite(at(result, "care_ended"))
    urgent = ill & (result.patients["triage"] == 1) & treated
    assert urgent.sum() > 50
    assert seen[urgent].all()


def test_an_illness_is_treated_by_what_it_needs() -> None:
    result = others()
    ill = result.patients["kind"] >= CasualtyKind.NBI
    cared = ill & np.isfinite(at(result, "care_ended"))
    needs = catalogue.condition_needs()
    given: list[set[str]] = [set() for _ in range(len(result))]
    for patient, kind in zip(
        *(result.treatments[name].tolist() for name in ("patient", "kind")), strict=True
    ):
        given[patient].add(TREATMENTS[kind])
    assert cared.sum() > 1000
    for patient in np.flatnonzero(cared).tolist():
        called_for = needs[result.patients["condition"][patient]]
        possible = {*called_for.needs, *called_for.operations, "observation", "emergency_care"}
        assert given[patient] & possible, (patient, called_for)


def test_a_treatment_ends_with_the_death_of_the_casualty() -> None:
    result = wounded()
    dead = x.status(result, "kia", "dow")[result.treatments["patient"]]
    treatments = result.treatments[dead]
    closed = result.patients["closed"][treatments["patient"]]
    assert (treatments["end"] <= closed).all()
    assert (treatments["start"] < closed).all()
    assert (treatments["end"] == closed).sum() > 50  # those cut short


def test_every_treatment_that_the_catalogue_calls_for_occurs() -> None:
    environments = ["extreme_heat", "extreme_cold"]
    more = run(6000, mix=x.NBI, environment=environments, **x.network())
    given: set[str] = set()
    for result in (wounded(), others(), more):
        given |= {TREATMENTS[kind] for kind in np.unique(result.treatments["kind"])}
    called_for = {label for of in catalogue.condition_needs() for label in (*of.needs, *of.operations)}
    missing = called_for - given  # of rare diseases and other agents
    assert len(missing) <= 14, missing


def test_first_aid_is_given_at_the_point_of_injury_or_on_the_way_and_goes_on_there() -> None:
    result = wounded()
    aid = x.rows(result, "first_aid")
    assert set(aid["facility"].tolist()) == {AT_POI, EN_ROUTE}
    places = np.full(len(result), 99)
    places[aid["patient"]] = aid["facility"]
    given = outside(result.treatments)
    assert (given["facility"] >= np.minimum(places, AT_POI)[given["patient"]] - 1).all()
    on_the_way = given[places[given["patient"]] == EN_ROUTE]
    assert (on_the_way["facility"] == EN_ROUTE).all()
    acted = given[given["effect"] != Effect.SUPPORTIVE]
    there = acted["facility"] == places[acted["patient"]]
    departed = x.rows(result, "departed")
    leaves = np.full(len(result), np.inf)
    np.minimum.at(leaves, departed["patient"], departed["at"].astype(float))
    left = leaves[acted["patient"]]  # what has not begun then goes on in the vehicle
    assert (there | ((acted["facility"] == EN_ROUTE) & (np.abs(acted["start"] - left) <= 1000))).all()
    assert there.mean() > 0.9


def test_the_worst_open_fracture_is_washed_and_fixed_in_the_same_session() -> None:
    """What keeps the bones still is put on where they have been cleaned, whatever else waits."""
    result = wounded()
    debridement, fixation = (TREATMENTS.index(name) for name in ("wound_debridement", "external_fixation"))
    rules = care_rules(frozenset())[0]
    bares, wanted = rules["bares_bone"], rules["operations"]
    ends = result.patients["wound_end"].astype(np.int64)
    starts = np.concatenate(([0], ends[:-1]))
    worst = {}
    for patient in np.flatnonzero(result.patients["lethal"] == NONE).tolist():
        for number, wound in enumerate(result.wounds[starts[patient] : ends[patient]]):
            if bares[wound["condition"]] and wanted[wound["condition"], 0] == debridement:
                if fixation in wanted[wound["condition"]]:
                    worst[patient] = number
                break
    sessions = 0
    for patient, number in worst.items():
        mine = result.treatments[result.treatments["patient"] == patient]
        mine = mine[mine["wound"] == number]
        for row in mine[(mine["kind"] == debridement)][:1]:
            sessions += 1
            follows = mine[(mine["kind"] == fixation) & (mine["facility"] == row["facility"])]
            assert row["end"] in follows["start"], (patient, number)
    assert sessions > 50


def test_oxygen_goes_on_in_bed_for_the_first_hours() -> None:
    """Carbon monoxide is not washed out, and a bruised lung not well, when the care in the bay ends."""
    result = others()
    oxygen, tube = (TREATMENTS.index(name) for name in ("oxygen", "intubation"))
    calls = care_rules(frozenset())[0]
    needs = (calls["needs"] & calls["bit"][oxygen]) != 0
    ill = result.patients["kind"] == CasualtyKind.NBI
    toxic = ill & needs[result.patients["condition"]]
    toxic[result.treatments["patient"][result.treatments["kind"] == tube]] = False
    gas = result.treatments[result.treatments["kind"] == oxygen]
    beds = 0
    for event in x.rows(result, "ward_admitted"):
        patient = int(event["patient"])
        limit = int(result.patients["onset"][patient]) + 12 * 3_600_000
        mine = gas[gas["patient"] == patient]
        if toxic[patient] and event["at"] + x.MINUTE < limit and len(mine[mine["start"] < event["at"]]):
            beds += 1
            bed = mine[mine["start"] == event["at"]]
            assert len(bed) == 1, patient
            assert bed["end"][0] <= limit
    assert beds > 5


def test_antibiotics_go_on_daily_in_intensive_care_after_an_operation() -> None:
    result = wounded()
    rules = care_rules(frozenset())[0]
    kind = TREATMENTS.index("antibiotics")
    needs = (rules["needs"] & rules["bit"][kind]) != 0
    wants = np.zeros(len(result), bool)
    np.logical_or.at(wants, result.wounds["patient"], needs[result.wounds["condition"]])
    given = result.treatments[result.treatments["kind"] == kind]
    care = result.treatments[result.treatments["kind"] == TREATMENTS.index("critical_care")]
    operated = result.patients["surgery"]
    days = 0
    for stay in care:
        patient = int(stay["patient"])
        last = min(int(stay["end"]), int(result.patients["time"][patient]) + 72 * 3_600_000)
        if not wants[patient] or not 0 <= operated[patient] <= stay["start"]:
            continue
        starts = given["start"][given["patient"] == patient]
        starts = np.sort(starts[starts <= last])
        for begin in range(int(stay["start"]), last - x.DAY - 600_000, x.DAY):
            days += 1
            assert ((starts > begin - x.DAY) & (starts <= begin + x.DAY)).any(), patient
    assert days > 30
