"""Facts of every record: treatments and vital signs, wounds and diagnoses."""

import itertools
from functools import cache

import numpy as np
from coherence import EVENT, NEVER, REGION, TREATED_REGIONS, TREATMENT, Run, fact, first_times, is_one_of

from engine import scenario as scenario_api
from engine.codes import (
    AT_POI,
    CASUALTY_KINDS,
    EN_ROUTE,
    MECHANISMS,
    NONE,
    REGIONS,
    SEXES,
    SIDED_REGIONS,
    SIDES,
    CasualtyKind,
    DeathCause,
    Outcome,
)
from scenarios import catalogue, tables
from scenarios.tables import model_parameters

SECOND = 1000
"""ms"""
MOST_MS = 1 << 40
"""ms, longer than any run: a patient's times lie between multiples of it."""

# --- treatments and vital signs


@fact
def treatments_run_forward(r: Run) -> None:
    assert (r.t["end"] >= r.t["start"]).all()
    assert (r.t["start"] >= r.p["onset"][r.t["patient"]]).all()


@fact
def treatments_lie_within_the_stay(r: Run) -> None:
    at_mtf = r.t["facility"] >= 0
    came, went = r.stay(r.t[at_mtf])
    assert (r.t["start"][at_mtf] >= came).all()
    assert (r.t["end"][at_mtf] <= went).all()


@fact
def aid_at_the_point_of_injury_and_on_the_way_comes_before_the_first_door(r: Run) -> None:
    first = r.earliest("arrived")
    first = np.where(first < 0, NEVER, first)
    later = (r.t["facility"] == EN_ROUTE) & (r.t["start"] >= first[r.t["patient"]])
    for place, limit in ((AT_POI, r.earliest("departed")), (EN_ROUTE, r.earliest("arrived"))):
        there = r.t[(r.t["facility"] == place) & ~later]
        limit = np.where(limit < 0, r.p["closed"], limit)[there["patient"]]
        assert (there["start"] <= limit).all(), place
    outside = r.t[(r.t["facility"] < 0) & ~later]
    assert (outside["end"] <= first[outside["patient"]]).all()


@fact
def on_the_way_between_two_facilities_only_what_began_before_goes_on(r: Run) -> None:
    first = r.earliest("arrived")
    first = np.where(first < 0, NEVER, first)
    later = r.t[(r.t["facility"] == EN_ROUTE) & (r.t["start"] >= first[r.t["patient"]])]
    moves = r.events("departed", "arrived", "staged", "died", "in_care_at_horizon")
    at = moves["patient"].astype(np.int64) * MOST_MS + moves["at"]
    ride = np.searchsorted(at, later["patient"].astype(np.int64) * MOST_MS + later["start"], "right") - 1
    assert (moves["patient"][ride] == later["patient"]).all()
    assert (moves["kind"][ride] == EVENT["departed"]).all()
    assert (later["end"] <= moves["at"][ride + 1]).all()
    goes_on = [
        TREATMENT[name] for name in ("oxygen", "burn_fluids", "blood_transfusion", "spinal_precautions")
    ]
    assert np.isin(later["kind"], goes_on).all()
    for kind in goes_on:
        begun = np.full(r.n, NEVER)
        rows = r.t[r.t["kind"] == kind]
        np.minimum.at(begun, rows["patient"], rows["start"])
        mine = later[later["kind"] == kind]
        assert (begun[mine["patient"]] < mine["start"]).all()


@fact
def evacuation_is_requested_when_field_care_is_over(r: Run) -> None:
    requests = r.events("evacuation_requested")
    asked = first_times(requests[requests["facility"] == AT_POI], r.n)
    triages = r.events("triaged")
    triaged = first_times(triages[triages["facility"] == AT_POI], r.n)
    assert ((asked < 0) | ((triaged >= 0) & (triaged <= asked))).all()
    times = [scenario_api.care_at_point_of_injury(r.scenario, front) for front in r.scenario.fronts]
    waits = np.array([time.treatment_minutes is not None for time in times])[r.p["front"]] & (asked >= 0)
    again = np.isin(
        r.t["kind"], [TREATMENT["autoinjector"], TREATMENT["atropine"]]
    )  # as long as the signs go on
    there = r.t[(r.t["facility"] == AT_POI) & waits[r.t["patient"]] & ~again]
    assert (there["end"] <= asked[there["patient"]] + SECOND).all()
    aided = r.p["kind"] <= CasualtyKind.NBI
    assert (r.earliest("first_aid") >= 0)[aided & waits].all()


@fact
def a_treatment_names_a_wound_the_patient_has(r: Run) -> None:
    named = r.t[r.t["wound"] != NONE]
    assert (named["wound"] < r.wounds[named["patient"]]).all()


@cache
def is_burn_of_the_airway() -> np.ndarray:
    """By condition. A burn of larynx, trachea and lung is listed under the thorax."""
    return np.array([each.code.startswith("T27.1") for each in catalogue.conditions()])


@fact
def a_treatment_fits_the_wound_it_names(r: Run) -> None:
    named = r.t[r.t["wound"] != NONE]
    wounds = r.w[r.worst[named["patient"]] + named["wound"]]
    region = np.where(is_burn_of_the_airway()[wounds["condition"]], REGION["neck"], wounds["region"])
    wrong = {}
    for name, regions in TREATED_REGIONS.items():
        treated = region[named["kind"] == TREATMENT[name]]
        other = treated[~np.isin(treated, [REGION[x] for x in regions])]
        for x in np.unique(other):
            wrong[f"{name} of {REGIONS[x]}"] = int((other == x).sum())
    assert not wrong


def may_be_in_shock(r: Run) -> np.ndarray:
    """By patient: T1 and T2 whose worst wound has AIS 2, with such a wound of a limb that bleeds and is cleaned."""
    worst = model_parameters("vital_signs")["vital_signs"]["low_pressure"]["other"][0]
    needs = catalogue.condition_needs()
    bleeds = [bool({"pressure_dressing", "haemostatic_dressing"} & set(of.needs)) for of in needs]
    cleaned = [of.operations[:1] == ("wound_debridement",) for of in needs]
    opened = np.array(bleeds) & np.array(cleaned)
    limb = np.isin(r.w["region"], [REGION["upper_limb"], REGION["lower_limb"]])
    found = np.zeros(r.n, bool)
    found[r.w["patient"][limb & (r.w["ais"] == worst) & opened[r.w["condition"]]]] = True
    return found & (r.p["worst_ais"] == worst) & (r.p["triage"] <= 2)


@fact
def only_the_wounded_are_operated_on_and_only_who_needs_it(r: Run) -> None:
    operations = np.array([bool(of.operations) for of in catalogue.condition_needs()])
    calls = np.zeros(r.n, bool)
    calls[r.w["patient"][operations[r.w["condition"]]]] = True
    calls |= r.p["lethal"] != NONE
    blood = np.array(["blood_transfusion" in of.needs for of in catalogue.condition_needs()])
    calls_for_blood = np.zeros(r.n, bool)
    calls_for_blood[r.w["patient"][blood[r.w["condition"]]]] = True
    for name in ("surgery_started", "definitive_surgery_started", "resuscitation_started"):
        who = r.events(name)["patient"]
        assert (r.p["kind"][who] == CasualtyKind.WOUNDED).all()
        if name == "resuscitation_started":
            assert np.isin(r.p["triage"][who], (1, 2, 4)).all()  # a true T4 is a T1 that has to wait
            if r.scenario.routing == "clock":
                grave = calls_for_blood | (r.p["lethal"] != NONE) | (r.p["worst_ais"] >= 3)
                assert (grave | may_be_in_shock(r))[who].all()
        elif r.scenario.routing == "clock":
            assert calls[who].all()
    start, definitive = r.earliest("surgery_started"), r.earliest("definitive_surgery_started")
    assert (start[definitive >= 0] >= 0).all()
    assert (start <= definitive)[definitive >= 0].all()


@fact
def facilities_do_what_they_are_able_to(r: Run) -> None:
    for name, able in (("surgery_started", "dcs"), ("resuscitation_started", "dcr"), ("icu_admitted", "icu")):
        places = np.array([bool(getattr(f, able)) for f in r.scenario.facilities])
        assert places[r.events(name)["facility"]].all(), name


@fact
def agent_casualties_are_decontaminated_before_they_are_triaged(r: Run) -> None:
    agent = r.p["kind"] == CasualtyKind.AGENT
    assert not r.counts("decontamination_started", "decontamination_ended")[~agent].any()
    arrived, begun = r.earliest("arrived"), r.earliest("decontamination_started")
    at_once = agent & (r.counts("refused") == 0)  # refused casualties are decontaminated on admission
    assert np.array_equal(arrived[at_once], begun[at_once])
    assert ((begun >= arrived) | (begun < 0))[agent].all()
    assert (r.counts("decontamination_started")[agent] <= 1).all()
    ended = r.earliest("decontamination_ended")
    triaged = r.events("triaged")
    triaged = triaged[(triaged["facility"] >= 0) & agent[triaged["patient"]]]
    assert (ended[triaged["patient"]] >= 0).all()
    assert (triaged["at"] >= ended[triaged["patient"]]).all()


@fact
def triage_has_a_category_and_a_request_a_precedence(r: Run) -> None:
    detailed = np.isin(r.e["kind"], [EVENT["triaged"], EVENT["evacuation_requested"]])
    assert np.isin(r.e["detail"][detailed], (1, 2, 3, *([4] if r.scenario.expectant else []))).all()
    waits = np.isin(r.e["kind"], [EVENT["waiting"], EVENT["refused"]])
    complicated = r.e["kind"] == EVENT["complication"]
    left = r.e["kind"] == EVENT["departed"]
    assert (r.e["detail"][~detailed & ~waits & ~complicated & ~left] == 0).all()
    assert np.isin(r.p["triage"], (1, 2, 3, 4)).all()
    expectant = r.p["triage"] == 4
    if not r.scenario.expectant or r.scenario.routing != "clock":
        assert not expectant.any()
    elif "T4" not in (r.scenario.triage or {}).get("battle", {}):
        worst = (r.p["niss"] >= 50) & (r.p["worst_ais"] < 6) & (r.p["mascal"] == 1)
        assert worst[expectant].all()
        if not r.scenario.incidents:  # a row of a list may give another category
            assert expectant[worst].all()
        final = r.e[(r.e["kind"] == EVENT["triaged"]) & expectant[r.e["patient"]]]
        assert (final["detail"] == 4).all()


@fact
def a_departure_names_the_kind_of_vehicle_that_the_link_has(r: Run) -> None:
    """0: none, where no link names one or vehicles are unlimited."""
    ids = [f.id for f in r.scenario.facilities]
    index = {name: k for k, name in enumerate(ids)} | {scenario_api.POI: AT_POI}
    fronts = [f.name for f in r.scenario.fronts]
    legal = set()
    for link in r.scenario.links:
        kind = scenario_api.transport_kind(link, r.scenario.vehicles)
        named = ("", *scenario_api.TRANSPORT_KINDS).index(kind or "")
        legal |= {
            (index[link.origin], index[link.destination], fronts.index(name), named) for name in link.fronts
        }
    moves = r.events("departed", "arrived", "staged")
    came = np.flatnonzero(np.isin(moves["kind"], [EVENT["arrived"], EVENT["staged"]]))
    left, came = moves[came - 1], moves[came]
    front = r.p["front"][came["patient"]]
    columns = (left["facility"], came["facility"], front, left["detail"])
    taken = set(zip(*(column.tolist() for column in columns), strict=True))
    if not r.scenario.vehicles:
        assert {named for *_, named in taken} <= {0}
    else:
        assert taken <= legal


@fact
def vital_signs_are_those_of_a_human(r: Run) -> None:
    limits = {
        "score": (0, 200),
        "heart_rate": (20, 190),
        "systolic": (30, 230),
        "diastolic": (10, 140),
        "respiratory_rate": (3, 50),
        "spo2": (40, 100),
        "gcs": (3, 15),
        "gcs_eye": (1, 4),
        "gcs_verbal": (1, 5),
        "gcs_motor": (1, 6),
        "pain": (0, 10),
        "etco2": (8, 70),
        "temperature": (60, 220),  # 26 to 42 degrees
        "lactate": (5, 200),
        "base_excess": (1, 240),  # -20.9 to 3
        "haemoglobin": (30, 190),
        "inr": (9, 60),
    }
    beats = r.v["heart_rate"] > 0
    for name, (low, high) in limits.items():
        taken = r.v[name][beats & (r.v[name] != NONE)] if name != "score" else r.v[name]
        assert taken.min(initial=high) >= low, name
        assert taken.max(initial=low) <= high, name
    both = beats & (r.v["systolic"] != NONE) & (r.v["diastolic"] != NONE)
    assert (r.v["diastolic"] < r.v["systolic"])[both].all()
    assert np.array_equal(r.v["systolic"] == NONE, r.v["diastolic"] == NONE)


@fact
def who_arrives_in_arrest_dies_within_five_minutes(r: Run) -> None:
    stopped = r.v["heart_rate"] == 0
    for name in ("systolic", "diastolic", "respiratory_rate"):
        assert np.array_equal(r.v[name] == 0, stopped), name
    rows = r.v[stopped]
    assert (rows["gcs"] == 3).all() and (rows["spo2"] == NONE).all()
    assert (r.p["closed"][rows["patient"]] - rows["at"] <= 5 * 60_000).all()
    doors = r.events("arrived")
    pairs = set(zip(doors["patient"].tolist(), doors["at"].tolist(), strict=True))
    assert all(pair in pairs for pair in zip(rows["patient"].tolist(), rows["at"].tolist(), strict=True))


@fact
def the_coma_scale_is_the_sum_of_its_parts(r: Run) -> None:
    parts = [r.v[name].astype(int) for name in ("gcs_eye", "gcs_verbal", "gcs_motor")]
    given = parts[0] != NONE
    assert (sum(parts) == r.v["gcs"])[given].all()
    assert np.isin(r.v["gcs"][~given], (15, NONE)).all()
    tube = r.v["etco2"] != NONE
    assert (parts[1][tube] == 1).all()
    assert (r.v["pain"] == NONE)[tube].all()


@fact
def blood_is_taken_from_role_2_on(r: Run) -> None:
    role = r.roles[r.v["facility"]]
    for name in ("lactate", "base_excess", "haemoglobin", "inr"):
        assert (role[r.v[name] != NONE] >= 2).all(), name


@fact
def nobody_in_an_mtf_goes_without_signs_for_longer_than_half_a_day(r: Run) -> None:
    """But for the outpatients in quarters, who are in their units."""
    same = r.v["patient"][1:] == r.v["patient"][:-1]
    inside = (r.v["facility"][1:] >= 0) & (r.v["facility"][:-1] >= 0)
    few = (
        np.bincount(r.v["patient"], minlength=r.n)[r.v["patient"][1:]] < 400
    )  # the table's limit ends the series
    outpatients = np.isin(r.v["patient"][1:], r.events("quarters")["patient"])
    assert (np.diff(r.v["at"])[same & inside & few & ~outpatients] <= 12 * 3_600_000).all()


@fact
def vital_signs_are_taken_where_the_patient_is(r: Run) -> None:
    staged = np.array([f.role == 0 for f in r.scenario.facilities] + [True, True])  # and outside facilities
    inside = r.v[~staged[r.v["facility"]]]
    came, went = r.stay(inside)
    assert (inside["at"] >= came).all()
    assert (inside["at"] <= went).all()
    assert (r.v["at"] >= r.p["onset"][r.v["patient"]]).all()
    assert (r.v["at"] <= r.p["closed"][r.v["patient"]]).all()
    same = r.v["patient"][1:] == r.v["patient"][:-1]
    assert (np.diff(r.v["at"])[same] >= 0).all()
    arrivals = r.events("arrived")
    doors = set(zip(r.v["patient"].tolist(), r.v["at"].tolist(), strict=True))
    assert all(
        pair in doors for pair in zip(arrivals["patient"].tolist(), arrivals["at"].tolist(), strict=True)
    )


@fact
def resuscitation_lifts_the_score_of_those_who_are_badly_off(r: Run) -> None:
    """Last reading before the resuscitation against the one at its end; below a score of 8 death is too near."""
    ended = r.events("resuscitation_ended")
    finished = np.full(r.n, -1)
    finished[ended["patient"]] = ended["at"]
    after = np.flatnonzero(r.v["at"] == finished[r.v["patient"]])
    after = after[(after > 0) & (r.v["patient"][after - 1] == r.v["patient"][after])]
    before, lifted = r.v["score"][after - 1].astype(int), r.v["score"][after].astype(int)
    bad = (before >= 80) & (before < 150)
    if bad.sum() >= 30:
        assert (lifted > before)[bad].mean() > 0.95
        assert (lifted - before)[bad].mean() > 20


# --- wounds and diagnoses


def iss_region(region: str, ais: int) -> str:
    """ISS region of a wound (docs/model.md section 2.4.2): skin wounds (AIS 1) outside the face are external."""
    if region in ("face", "eyes", "ears"):
        return "face"
    if ais == 1:
        return "external"
    return {"head": "head", "neck": "head", "thorax": "chest", "abdomen": "abdomen"}.get(region, "limbs")


def scores(wounds: list[tuple[str, int]]) -> tuple[int, int]:
    """(ISS, NISS) of (region, AIS) pairs."""
    if any(ais == 6 for _, ais in wounds):
        return 75, 75
    by_region: dict[str, int] = {}
    for region, ais in wounds:
        key = iss_region(region, ais)
        by_region[key] = max(by_region.get(key, 0), ais)
    worst = sorted((x * x for x in by_region.values()), reverse=True)[:3]
    every = sorted((ais * ais for _, ais in wounds), reverse=True)[:3]
    return sum(worst), sum(every)


@fact
def iss_and_niss_follow_from_the_wounds(r: Run) -> None:
    ends, counts = r.p["wound_end"].tolist(), r.wounds.tolist()
    regions = [REGIONS[x] for x in r.w["region"].tolist()]
    pairs = list(zip(regions, r.w["ais"].tolist(), strict=True))
    recomputed = [scores(pairs[end - n : end]) for end, n in zip(ends, counts, strict=True)]
    assert recomputed == list(zip(r.p["iss"].tolist(), r.p["niss"].tolist(), strict=True))


@fact
def weapons_wound_and_nothing_else_does(r: Run) -> None:
    wounded = r.p["kind"] == CasualtyKind.WOUNDED
    assert np.array_equal(r.wounds > 0, wounded)
    assert (r.wounds <= 24).all()
    assert np.array_equal(wounded, r.p["mechanism"] < 3)
    by_kind = {"agent": "cbrn", "nbi": "accident", "disease": "illness", "psychological": "psychological"}
    for kind, mechanism in by_kind.items():
        of_kind = is_one_of(r.p["kind"], CASUALTY_KINDS, kind)
        assert (r.p["mechanism"][of_kind] == MECHANISMS.index(mechanism)).all()
    assert np.array_equal(r.p["severity"] != NONE, r.p["kind"] == CasualtyKind.AGENT)


@fact
def the_worst_wound_comes_first_and_gives_the_diagnosis(r: Run) -> None:
    same = r.w["patient"][1:] == r.w["patient"][:-1]
    assert (np.diff(r.w["ais"].astype(int))[same] <= 0).all()
    wounded = r.wounds > 0
    worst = r.w[r.worst[wounded]]
    assert np.array_equal(worst["ais"], r.p["worst_ais"][wounded])
    assert np.array_equal(worst["condition"], r.p["condition"][wounded])
    assert (r.p["worst_ais"][~wounded] == 0).all()


@fact
def ais_is_what_the_region_allows(r: Run) -> None:
    given = model_parameters("casualties")["wounds"]
    for region, shares in given["ais"].items():
        ais = r.w["ais"][r.w["region"] == REGION[region]]
        possible = [k + 1 for k, share in enumerate(shares) if share > 0]
        possible += [6] if given["instantly_fatal"].get(region, 0) > 0 else []
        assert np.isin(ais, possible).all(), region


@fact
def ais_6_kills_at_once_and_nothing_else_does(r: Run) -> None:
    fatal = r.p["worst_ais"] == 6
    assert (r.p["status"][fatal] == Outcome.KIA).all()
    assert np.array_equal(r.p["closed"][fatal], r.p["time"][fatal])
    assert np.array_equal(fatal, r.p["death_cause"] == DeathCause.INSTANTLY_FATAL_INJURY)
    assert np.bincount(r.w["patient"][r.w["ais"] == 6], minlength=r.n).max(initial=0) <= 1


@fact
def a_wound_has_a_condition_that_fits(r: Run) -> None:
    types = [w.type for w in r.scenario.warfare]
    owner = r.p[r.w["patient"]]
    columns = [r.w["condition"], r.w["region"], r.w["side"], r.w["ais"], owner["mechanism"], owner["type"]]
    conditions = catalogue.conditions()
    for condition, region, side, ais, mechanism, type_ in np.unique(np.stack(columns), axis=1).T.tolist():
        warfare = types[type_] if type_ != NONE else None
        name = REGIONS[region]
        given = conditions[condition], name, SIDES[side], ais, MECHANISMS[mechanism], warfare
        assert catalogue.wound_fits(*given), given
        sideless = conditions[condition].side in ("both", "none")
        assert (name in SIDED_REGIONS and not sideless) <= (side != 0), given
        assert side == 0 or name in SIDED_REGIONS or SIDES[side] == conditions[condition].side, given


@fact
def no_two_conditions_of_a_casualty_exclude_each_other(r: Run) -> None:
    keys = catalogue.condition_keys()
    known: dict[tuple[int, int], bool] = {}
    begin = 0
    for end in np.append(np.flatnonzero(np.diff(r.w["patient"])) + 1, len(r.w)).tolist():
        for pair in itertools.combinations(r.w["condition"][begin:end].tolist(), 2):
            if pair not in known:
                known[pair] = catalogue.exclude_each_other(keys[pair[0]], keys[pair[1]])
            assert not known[pair], [catalogue.conditions()[number].code for number in pair]
        begin = end


@fact
def at_sea_the_other_wounds_are_burns_and_immersion(r: Run) -> None:
    if not any(x.type == "naval" for x in r.scenario.warfare):
        return
    burnt = np.array([x.burn or x.immersion for x in catalogue.conditions()])[r.w["condition"]]
    has = np.zeros(len(r.p), bool)
    np.logical_or.at(has, r.w["patient"], burnt)
    other = (r.p["kind"] == CasualtyKind.WOUNDED) & (r.p["mechanism"] == MECHANISMS.index("other"))
    assert other.sum() < 100 or has[other].mean() > 0.7


@fact
def an_illness_has_a_condition_that_fits(r: Run) -> None:
    names = [x for x in CASUALTY_KINDS if x != "wounded"]
    conditions = catalogue.conditions()
    ill = r.p[r.p["kind"] != CasualtyKind.WOUNDED]
    for condition, kind, sex in np.unique(
        np.stack([ill["condition"], ill["kind"], ill["sex"]]), axis=1
    ).T.tolist():
        found = conditions[condition]
        assert found.sex in (None, SEXES[sex]), found
        assert CASUALTY_KINDS[kind] in names
        assert found.use == CASUALTY_KINDS[kind], found
        if found.use == "nbi" and found.environment:
            wanted = f"{found.group}_casualty" if found.group == "heat" else f"{found.group}_injury"
            assert found.environment in r.scenario.environment or any(
                f"{wanted}_probability" in tables.warfare_patterns()["environmental_modifiers"][x]
                for x in r.scenario.environment
            ), found


@fact
def an_external_cause_fits(r: Run) -> None:
    """By mechanism; an illness that an accident can bring on, such as an insect bite, has one of its causes."""
    causes, conditions = catalogue.external_causes(), catalogue.conditions()
    caused = r.p[r.p["cause"] != 65535]
    seen = np.stack([caused["cause"], caused["mechanism"], caused["condition"]])
    for cause, mechanism, condition in np.unique(seen, axis=1).T.tolist():
        found = causes[cause]
        if found.use == "nbi":
            assert MECHANISMS[mechanism] in ("accident", "illness"), found
            assert found.kind in conditions[condition].causes, (found, conditions[condition])
        else:
            assert found.mechanism == MECHANISMS[mechanism], found
    assert (r.p["cause"] != 65535)[r.p["stream"] == 0].all()
