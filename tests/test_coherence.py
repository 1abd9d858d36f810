"""Coherence: facts that hold for every record, checked on 100,000 records and on random small scenarios.

`brigade` and `division` have many times the casualties that their finite care is for: waits, blocking, surge, deaths.

A fact takes a `Run` and asserts; `test_a_fact_of_every_record` states each on each built-in, and
`test_the_facts_hold_for_any_small_scenario` states all of them on scenarios that Hypothesis generates.
"""

import itertools
import json
from collections.abc import Callable
from functools import cache, cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import goldenhour
from engine import scenario as scenario_api
from engine.clinical import people
from engine.codes import (
    AT_POI,
    AWAITED,
    CASUALTY_KINDS,
    DEATH_CAUSES,
    EN_ROUTE,
    EVENTS,
    MECHANISMS,
    NONE,
    OUTCOMES,
    REGIONS,
    SEXES,
    SIDED_REGIONS,
    SIDES,
    TREATMENTS,
    WAITING_FOR,
    CasualtyKind,
    DeathCause,
    Outcome,
)
from engine.numeric.elementary import uncompiled
from scenarios import catalogue, tables
from scenarios.tables import model_parameters

BUILTINS = {
    "conventional": 20_000,
    "cbrn": 20_000,
    "standard": 20_000,
    "coin": 15_000,
    "naval": 15_000,
    "falklands": 10_000,
    "brigade": 1_500,
    "division": 3_000,
}
MINUTE = 60_000
DAY = 86_400_000
EVENT = {name: k for k, name in enumerate(EVENTS)}
TREATMENT = {name: k for k, name in enumerate(TREATMENTS)}
REGION = {name: k for k, name in enumerate(REGIONS)}
BEGINNINGS = ("injured", "fell_ill", "exposed")
ENDINGS = {
    "returned_to_duty": ("rtd",),
    "died": ("kia", "dow", "died_nonbattle"),
    "left_theatre": ("evacuated",),
    "discharged": ("discharged",),
    "in_care_at_horizon": ("in_care",),
}
ROLES = ("role1", "role2", "role3", "role4")
NEVER = np.iinfo(np.int64).max
LIMBS = ("upper_limb", "lower_limb")
TREATED_REGIONS = {
    "tourniquet": LIMBS,
    "haemostatic_dressing": ("neck", "thorax", "abdomen", *LIMBS),
    "airway_adjunct": ("face", "neck"),
    "needle_decompression": ("thorax",),
    "chest_drain": ("thorax",),
    "splint": LIMBS,
    "laparotomy": ("abdomen",),
    "thoracotomy": ("thorax",),
    "craniotomy": ("head",),
    "neck_exploration": ("neck",),
    "vascular_repair": LIMBS,
    "external_fixation": LIMBS,
    "amputation": LIMBS,
    "eye_repair": ("eyes",),
    "surgical_airway": ("face",),
}
"""By treatment: the regions of the wounds that it may name."""


class Run:
    """The tables `p`, `e`, `t`, `w`, `v` of one replication, and values that several facts use."""

    def __init__(self, result: Any) -> None:
        self.scenario: scenario_api.Scenario = result.scenario
        self.p, self.e, self.t = result.patients, result.events, result.treatments
        self.w, self.v = result.wounds, result.vitals
        self.clock = self.scenario.routing == "clock"
        self.n = len(self.p)

    @cached_property
    def first(self) -> Any:
        """Row of each patient's first event."""
        return np.concatenate([[0], self.p["event_end"][:-1]]).astype(np.int64)

    @cached_property
    def last(self) -> Any:
        """Row of each patient's last event."""
        return self.p["event_end"].astype(np.int64) - 1

    @cached_property
    def wounds(self) -> Any:
        """Number of wounds of each patient."""
        return np.diff(self.p["wound_end"].astype(np.int64), prepend=0)

    @cached_property
    def worst(self) -> Any:
        """Row of each wounded patient's first wound; meaningless for the others."""
        return self.p["wound_end"].astype(np.int64) - self.wounds

    def events(self, *names: str) -> Any:
        """The events of these kinds."""
        return self.e[np.isin(self.e["kind"], [EVENT[name] for name in names])]

    def counts(self, *names: str) -> Any:
        """Events of these kinds by patient."""
        return np.bincount(self.events(*names)["patient"], minlength=self.n)

    def earliest(self, *names: str) -> Any:
        """Time of the first event of these kinds by patient, -1 where there is none."""
        return first_times(self.events(*names), self.n)

    @cached_property
    def roles(self) -> Any:
        """Role by facility; 0 for the point of injury and the way."""
        return np.array([*(f.role for f in self.scenario.facilities), 0, 0])

    @cached_property
    def finite(self) -> Any:
        """Whether a resource is limited, by facility and the first five of AWAITED."""
        names = ("triage_teams", "treatment_bays", "operating_tables", "icu_beds", "ward_beds")
        return np.array([[getattr(f, name) is not None for name in names] for f in self.scenario.facilities])

    @cached_property
    def before(self) -> Any:
        """By event: the row of the move (departure, arrival, staging) before it, -1 before the first departure."""
        moves = np.isin(self.e["kind"], [EVENT["departed"], EVENT["arrived"], EVENT["staged"]])
        rows = np.arange(len(self.e))
        found = np.maximum.accumulate(np.where(moves, rows, -1))
        found = np.concatenate([[-1], found[:-1]])
        return np.where(found < self.first[self.e["patient"]], -1, found)

    @cached_property
    def whereabouts(self) -> Any:
        """By event: the place of the patient until then, derived from the moves alone."""
        move = self.e[self.before]
        place = np.where(move["kind"] == EVENT["departed"], EN_ROUTE, move["facility"])
        return np.where(self.before < 0, AT_POI, place)

    def stay(self, rows: Any) -> tuple[Any, Any]:
        """Arrival and end of the stay of each row's patient at the row's facility (NEVER where there was none)."""
        count = len(self.scenario.facilities)
        came = np.full(self.n * count, NEVER)
        went = np.full(self.n * count, -1)
        arrived, departed = self.events("arrived"), self.events("departed")
        departed = departed[departed["facility"] >= 0]
        place = arrived["patient"].astype(np.int64) * count + arrived["facility"]
        assert len(np.unique(place)) == len(place), "a facility is visited twice"
        came[place] = arrived["at"]
        went[place] = self.p["closed"][arrived["patient"]]
        went[departed["patient"].astype(np.int64) * count + departed["facility"]] = departed["at"]
        place = rows["patient"].astype(np.int64) * count + rows["facility"]
        return came[place], went[place]


def first_times(rows: Any, n: int) -> Any:
    """Earliest `at` by patient of rows of events, -1 without any."""
    times = np.full(n, NEVER)
    np.minimum.at(times, rows["patient"], rows["at"])
    return np.where(times == NEVER, -1, times)


FACTS: dict[str, Callable[[Run], None]] = {}


def fact(check: Callable[[Run], None]) -> Callable[[Run], None]:
    """Registers a fact that holds for every run."""
    FACTS[check.__name__] = check
    return check


def is_one_of(codes: Any, names: tuple[str, ...], *wanted: str) -> Any:
    return np.isin(codes, [names.index(name) for name in wanted])


# --- the timeline


@fact
def timelines_run_forward(r: Run) -> None:
    same = r.e["patient"][1:] == r.e["patient"][:-1]
    assert (np.diff(r.e["at"])[same] >= 0).all()


@fact
def rows_lie_patient_by_patient(r: Run) -> None:
    for table, end in ((r.e, "event_end"), (r.t, "treatment_end"), (r.w, "wound_end"), (r.v, "vital_end")):
        owners = np.repeat(np.arange(r.n), np.diff(r.p[end].astype(np.int64), prepend=0))
        assert np.array_equal(table["patient"], owners)


@fact
def a_record_begins_with_the_injury_exposure_or_illness(r: Run) -> None:
    first = r.e[r.first]
    assert (first["at"] == r.p["time"]).all()
    assert (first["facility"] == AT_POI).all()
    for kind, name in (("wounded", 0), ("agent", 2), ("nbi", 0), ("disease", 1), ("psychological", 1)):
        of_kind = is_one_of(r.p["kind"], CASUALTY_KINDS, kind)
        assert (first["kind"][of_kind] == EVENT[BEGINNINGS[name]]).all()
    assert (r.counts(*BEGINNINGS) == 1).all()


@fact
def a_record_ends_once(r: Run) -> None:
    assert (r.counts(*ENDINGS) == 1).all()
    assert np.isin(r.e["kind"][r.last], [EVENT[name] for name in ENDINGS]).all()


@fact
def the_outcome_is_the_last_event(r: Run) -> None:
    last = r.e[r.last]
    assert np.array_equal(last["at"], r.p["closed"])
    assert np.array_equal(last["facility"], r.p["facility"])
    for name, statuses in ENDINGS.items():
        assert np.array_equal(last["kind"] == EVENT[name], is_one_of(r.p["status"], OUTCOMES, *statuses))


@fact
def nothing_happens_after_the_end(r: Run) -> None:
    for rows, column in ((r.e, "at"), (r.t, "end"), (r.v, "at")):
        assert (rows[column] <= r.p["closed"][rows["patient"]]).all()


@fact
def nobody_dies_twice_and_only_the_dead_have_a_cause_of_death(r: Run) -> None:
    deaths = r.counts("died")
    assert deaths.max(initial=0) <= 1
    assert np.array_equal(deaths == 1, r.p["death_cause"] != NONE)
    assert (r.p["death_cause"][deaths == 1] < len(DEATH_CAUSES)).all()


@fact
def killed_never_reached_an_mtf_and_died_of_wounds_did(r: Run) -> None:
    arrived = r.counts("arrived") > 0
    assert not arrived[r.p["status"] == Outcome.KIA].any()
    assert arrived[r.p["status"] == Outcome.DOW].all()


@fact
def only_battle_casualties_are_kia_or_dow(r: Run) -> None:
    battle = r.p["stream"] == 0
    assert battle[np.isin(r.p["status"], (Outcome.KIA, Outcome.DOW))].all()
    assert not battle[r.p["status"] == Outcome.DIED_NONBATTLE].any()
    assert np.array_equal(battle, np.isin(r.p["kind"], (CasualtyKind.WOUNDED, CasualtyKind.AGENT)))
    assert np.array_equal(r.p["stream"] == 1, r.p["kind"] == CasualtyKind.NBI)


@fact
def only_role_4_closes_a_patient_as_evacuated_or_discharged(r: Run) -> None:
    gone = np.isin(r.p["status"], (Outcome.EVACUATED, Outcome.DISCHARGED))
    assert (r.roles[r.p["facility"][gone]] == 4).all()
    assert not ((r.p["status"] == Outcome.DISCHARGED) & r.clock).any()
    back = r.p["status"] == Outcome.RTD
    assert (r.roles[r.p["facility"][back]] < 4).all()


@fact
def the_time_columns_are_the_first_events(r: Run) -> None:
    arrived = r.events("arrived")
    for role in (1, 2, 3, 4):
        at_role = arrived[r.roles[arrived["facility"]] == role]
        assert np.array_equal(r.p[f"role{role}"], first_times(at_role, r.n)), f"role{role}"
    assert np.array_equal(r.p["surgery"], r.earliest("surgery_started"))
    care = r.earliest("first_aid", "care_started", "resuscitation_started")
    assert np.array_equal(r.p["first_care"], care)


@fact
def symptoms_come_after_the_exposure_and_only_of_an_agent(r: Run) -> None:
    assert (r.p["onset"] >= r.p["time"]).all()
    agent = r.p["kind"] == CasualtyKind.AGENT
    assert (r.p["onset"] == r.p["time"])[~agent].all()
    shown = r.earliest("symptom_onset")
    assert not shown[~agent].max(initial=-1) >= 0
    delayed = (shown >= 0) & agent
    assert np.array_equal(shown[delayed], r.p["onset"][delayed])
    assert (r.p["onset"] > r.p["time"])[delayed].all()


@fact
def back_to_duty_within_72_h_is_counted_from_the_injury(r: Run) -> None:
    soon = (r.p["status"] == Outcome.RTD) & (r.p["closed"] - r.p["time"] <= 72 * 60 * MINUTE)
    assert np.array_equal(r.p["rtd72"] == 1, soon)


# --- places


@fact
def nobody_is_in_two_places(r: Run) -> None:
    kind, place = r.e["kind"], r.whereabouts
    arrived = np.isin(kind, [EVENT["arrived"], EVENT["staged"]])
    assert (place[arrived] == EN_ROUTE).all(), "an arrival without a departure"
    assert (place[kind == EVENT["departed"]] != EN_ROUTE).all(), "a departure while on the way"
    assert np.array_equal(r.e["facility"][~arrived], place[~arrived])
    assert (r.e["facility"][arrived] >= 0).all()


@fact
def moves_follow_the_network(r: Run) -> None:
    arrived = np.flatnonzero(np.isin(r.e["kind"], [EVENT["arrived"], EVENT["staged"]]))
    origin = r.e["facility"][r.before[arrived]]
    ids = [f.id for f in r.scenario.facilities]
    index = {name: k for k, name in enumerate(ids)} | {scenario_api.POI: AT_POI}
    fronts = [f.name for f in r.scenario.fronts]
    legal = {
        (index[link.origin], index[link.destination], fronts.index(name))
        for link in r.scenario.links
        for name in link.fronts
    }
    front = r.p["front"][r.e["patient"][arrived]]
    taken = set(zip(origin.tolist(), r.e["facility"][arrived].tolist(), front.tolist(), strict=True))
    if not r.clock:  # transition-matrix routing may skip facilities
        for _ in range(4):
            legal |= {(a, d, f) for a, b, f in legal for b2, d, f2 in legal if b == b2 and f == f2}
    assert taken <= legal


@fact
def a_way_takes_time(r: Run) -> None:
    arrived = np.flatnonzero(np.isin(r.e["kind"], [EVENT["arrived"], EVENT["staged"]]))
    assert (r.e["at"][arrived] > r.e["at"][r.before[arrived]]).all()


@fact
def only_a_staging_unit_stages(r: Run) -> None:
    assert (r.roles[r.events("staged")["facility"]] == 0).all()
    assert (r.roles[r.events("arrived")["facility"]] > 0).all()
    assert (r.t["facility"] < 0).sum() + (r.roles[r.t["facility"]] > 0).sum() == len(r.t)


@fact
def what_has_started_ends_before_the_next_step(r: Run) -> None:
    steps = ("decontamination", "care", "resuscitation", "surgery", "definitive_surgery")
    for name in steps:
        started = np.flatnonzero(r.e["kind"] == EVENT[f"{name}_started"])
        breaks = ["bumped"] if name in ("care", "resuscitation") else []
        breaks += ["facility_hit"] if r.scenario.world else []
        if name in ("decontamination", "surgery", "definitive_surgery") or not breaks:
            assert np.bincount(r.e["patient"][started], minlength=r.n).max(initial=0) <= 1, f"{name} twice"
        after = r.e[started + 1]
        assert np.array_equal(after["patient"], r.e["patient"][started])
        ends = (f"{name}_ended", "died", "in_care_at_horizon", *breaks)
        assert np.isin(after["kind"], [EVENT[x] for x in ends]).all(), name


# --- waiting where care is finite


SERVED = (
    ("triaged",),
    ("care_started", "resuscitation_started", "care_resumed"),
    ("surgery_started", "definitive_surgery_started"),
    ("icu_admitted",),
    ("ward_admitted", "evacuation_requested"),
    (),
    ("departed",),
)
"""Indexed as AWAITED: the events that end a wait for it."""


@fact
def a_wait_is_for_something_finite_and_ends_with_it(r: Run) -> None:
    again = (r.e["kind"] == EVENT["triaged"]) & (r.e["facility"] >= 0)
    rows = np.arange(len(r.e))
    after = np.minimum.accumulate(np.where(again, len(r.e) - 1, rows)[::-1])[
        ::-1
    ]  # the next event that is no triage
    waits = np.flatnonzero(r.e["kind"] == EVENT["waiting"])
    assert np.isin(r.e["detail"][waits], (0, 1, 2, 3, 4)).all()
    assert r.finite[r.e["facility"][waits], r.e["detail"][waits]].all()
    others = ("died", "in_care_at_horizon", *(["facility_hit"] if r.scenario.world else []))
    for what, served in enumerate(SERVED[:5]):
        of_kind = waits[r.e["detail"][waits] == what]
        follow = r.e[of_kind + 1] if what == 0 else r.e[after[of_kind + 1]]
        assert np.array_equal(follow["patient"], r.e["patient"][of_kind])
        ends = [EVENT[x] for x in (*served, *others)]
        assert np.isin(follow["kind"], ends).all(), AWAITED[what]
        assert np.array_equal(follow["facility"], r.e["facility"][of_kind])


@fact
def who_dies_waiting_is_said_to_have_waited_for_it(r: Run) -> None:
    before = r.e[np.maximum(r.last - 1, 0)]
    open_wait = (before["kind"] == EVENT["waiting"]) & np.isin(
        r.e["kind"][r.last], [EVENT["died"], EVENT["in_care_at_horizon"]]
    )
    expected = np.array([WAITING_FOR.index(x) for x in WAITED], np.int64)[before["detail"][open_wait]]
    assert np.array_equal(r.p["waiting_for"][open_wait], expected)


WAITED = ("triage", "treatment", "surgery", "icu_bed", "ward_bed", "place", "evacuation")
"""Indexed as AWAITED: the label in WAITING_FOR."""


@fact
def beds_follow_what_they_are_for(r: Run) -> None:
    started = r.earliest("surgery_started")
    ais = r.p["worst_ais"]
    icu = r.events("icu_admitted")["patient"]
    assert ((ais[icu] >= 4) | (started[icu] >= 0)).all()


@fact
def only_bumping_breaks_care_off_and_only_push_refuses(r: Run) -> None:
    assert r.scenario.bumping or not r.counts("bumped", "care_resumed").any()
    assert r.scenario.acceptance == "push" or not r.counts("refused").any()
    assert r.scenario.world or not r.counts("facility_hit").any()
    assert (r.counts("bumped") >= r.counts("care_resumed")).all()


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
    for place, limit in ((AT_POI, r.earliest("departed")), (EN_ROUTE, r.earliest("arrived"))):
        there = r.t[r.t["facility"] == place]
        limit = np.where(limit < 0, r.p["closed"], limit)[there["patient"]]
        assert (there["start"] <= limit).all(), place
    first = r.earliest("arrived")
    first = np.where(first < 0, NEVER, first)
    outside = r.t[r.t["facility"] < 0]
    assert (outside["end"] <= first[outside["patient"]]).all()


@fact
def a_treatment_names_a_wound_the_patient_has(r: Run) -> None:
    named = r.t[r.t["wound"] != NONE]
    assert (named["wound"] < r.wounds[named["patient"]]).all()


@fact
def a_treatment_fits_the_wound_it_names(r: Run) -> None:
    named = r.t[r.t["wound"] != NONE]
    region = r.w["region"][r.worst[named["patient"]] + named["wound"]]
    wrong = {}
    for name, regions in TREATED_REGIONS.items():
        treated = region[named["kind"] == TREATMENT[name]]
        other = treated[~np.isin(treated, [REGION[x] for x in regions])]
        for x in np.unique(other):
            wrong[f"{name} of {REGIONS[x]}"] = int((other == x).sum())
    assert not wrong


@fact
def only_the_wounded_are_operated_on_and_only_in_t1_and_t2(r: Run) -> None:
    for name in ("surgery_started", "definitive_surgery_started", "resuscitation_started"):
        who = r.p[r.events(name)["patient"]]
        assert (who["kind"] == CasualtyKind.WOUNDED).all()
        assert np.isin(who["triage"], (1, 2)).all()
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
    assert (r.e["detail"][~detailed & ~waits] == 0).all()
    assert np.isin(r.p["triage"], (1, 2, 3)).all()


@fact
def vital_signs_are_those_of_a_human(r: Run) -> None:
    limits = {
        "score": (0, 200),
        "heart_rate": (20, 190),
        "systolic": (40, 200),
        "respiratory_rate": (4, 45),
        "spo2": (50, 100),
        "gcs": (3, 15),
    }
    for name, (low, high) in limits.items():
        assert r.v[name].min(initial=high) >= low, name
        assert r.v[name].max(initial=low) <= high, name


@fact
def vital_signs_are_taken_where_the_patient_is(r: Run) -> None:
    came, went = r.stay(r.v)
    assert (r.v["at"] >= came).all()
    assert (r.v["at"] <= went).all()
    same = r.v["patient"][1:] == r.v["patient"][:-1]
    assert (np.diff(r.v["at"])[same] >= 0).all()
    assert np.array_equal(np.bincount(r.v["patient"], minlength=r.n) > 0, r.counts("arrived") > 0)


@fact
def resuscitation_lifts_the_score_of_those_who_are_badly_off(r: Run) -> None:
    ended = r.events("resuscitation_ended")
    at_door = np.flatnonzero(np.isin(r.v["patient"], ended["patient"]))
    after = at_door[1:][(r.v["patient"][at_door[1:]] == r.v["patient"][at_door[:-1]])]
    finished = np.full(r.n, -1)
    finished[ended["patient"]] = ended["at"]
    after = after[r.v["at"][after] == finished[r.v["patient"][after]]]
    before, lifted = r.v["score"][after - 1].astype(int), r.v["score"][after].astype(int)
    bad = (before >= 80) & (before < 150)  # below, so near death that 1 - u/T leaves little of the effect
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
        assert (name in SIDED_REGIONS) <= (side != 0), given
        assert side == 0 or name in SIDED_REGIONS or SIDES[side] == conditions[condition].side, given


@fact
def a_limb_is_amputated_once(r: Run) -> None:
    amputation = np.array([x.amputation for x in catalogue.conditions()])
    gone = r.w[amputation[r.w["condition"]]]
    limb = (gone["patient"].astype(np.int64) * 16 + gone["region"]) * 4 + gone["side"]
    assert len(np.unique(limb)) == len(limb)


@fact
def no_wound_is_distal_to_an_amputation(r: Run) -> None:
    level = {"S4": 1, "S7": 1, "S5": 2, "S8": 2, "S6": 3, "S9": 3}
    along = np.array([level.get(x.code[:2], 0) for x in catalogue.conditions()])[r.w["condition"]]
    gone = np.array([x.amputation for x in catalogue.conditions()])[r.w["condition"]]
    limb = (r.w["patient"].astype(np.int64) * 16 + r.w["region"]) * 4 + r.w["side"]
    cut = dict(zip(limb[gone].tolist(), along[gone].tolist(), strict=True))
    beyond = [x for x, at in zip(limb.tolist(), along.tolist(), strict=True) if at > cut.get(x, 3)]
    assert not beyond


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
            assert any(
                f"{wanted}_probability" in tables.warfare_patterns()["environmental_modifiers"][x]
                for x in r.scenario.environment
            ), found


@fact
def an_external_cause_fits(r: Run) -> None:
    causes = catalogue.external_causes()
    caused = r.p[r.p["cause"] != 65535]
    for cause, mechanism in np.unique(np.stack([caused["cause"], caused["mechanism"]]), axis=1).T.tolist():
        found = causes[cause]
        wanted = "accident" if found.use == "nbi" else found.mechanism
        assert wanted == MECHANISMS[mechanism], found
    assert (r.p["cause"] != 65535)[r.p["stream"] == 0].all()


# --- people


@fact
def age_and_birth_date_agree_at_the_injury(r: Run) -> None:
    start = np.datetime64(r.scenario.start.rstrip("Z"), "ms")
    today = (start + r.p["time"].astype("timedelta64[ms]")).astype("datetime64[D]")
    born = r.p["birth"].astype("datetime64[D]")

    def parts(day: Any) -> tuple[Any, Any]:
        year, month = day.astype("datetime64[Y]"), day.astype("datetime64[M]")
        of_year = (month - year.astype("datetime64[M]")).astype(int) * 32 + (day - month).astype(int)
        return year.astype(int) + 1970, of_year

    (year, now), (birth_year, birthday) = parts(today), parts(born)
    assert np.array_equal(r.p["age"], year - birth_year - (now < birthday))


@pytest.mark.parametrize("years", [17, 20, 23, 40])
def test_ages_are_those_of_the_calendar_on_every_day(years: int) -> None:
    """On the earliest, the second and the latest day of birth, from every day of four years."""
    python = uncompiled(people._date, people._day_number, people._set_birth)
    for today in range(19_600, 19_600 + 4 * 365 + 1):
        year, month, day = python._date(today)
        for uniform in (0.0001, 0.004, 0.9999):
            record = SimpleNamespace()
            python._set_birth(record, years, uniform, today)
            born_year, *birthday = python._date(record.birth)
            assert record.age == year - born_year - ([month, day] < birthday) == years


@fact
def nobody_is_too_young_for_the_rank(r: Run) -> None:
    for nation, rank in np.unique(np.stack([r.p["nation"], r.p["rank"]]), axis=1).T.tolist():
        held = catalogue.nations()[nation].ranks[rank]
        age = r.p["age"][(r.p["nation"] == nation) & (r.p["rank"] == rank)]
        assert age.min() >= max(17, held.min_age), held
        assert age.max() <= 70


@fact
def nations_are_those_of_the_front(r: Run) -> None:
    for front, nation in np.unique(np.stack([r.p["front"], r.p["nation"]]), axis=1).T.tolist():
        shares = r.scenario.fronts[front].nations
        assert shares.get(catalogue.nations()[nation].code, 0.0) > 0.0


@fact
def names_numbers_and_the_rest_are_in_range(r: Run) -> None:
    for nation, sex in np.unique(np.stack([r.p["nation"], r.p["sex"]]), axis=1).T.tolist():
        names = catalogue.names(catalogue.nations()[nation].code)
        who = r.p[(r.p["nation"] == nation) & (r.p["sex"] == sex)]
        assert who["given_name"].max() < len(getattr(names, f"{SEXES[sex]}_given"))
        assert who["family_name"].max() < len(getattr(names, f"{SEXES[sex]}_family"))
    for k, front in enumerate(r.scenario.fronts):
        assert r.p["unit"][r.p["front"] == k].max(initial=0) < len(catalogue.units(front.name))
    assert (r.p["blood_group"] < 8).all()
    assert ((r.p["weight"] >= 45) & (r.p["weight"] <= 140)).all()
    for nation in np.unique(r.p["nation"]):
        numbers = r.p["service_number"][r.p["nation"] == nation]
        assert len(np.unique(numbers)) == len(numbers)
        assert numbers.min() >= 10_000_000


# --- incidents, order and ids


@fact
def casualties_of_one_incident_belong_together(r: Run) -> None:
    order = np.argsort(r.p["incident"], kind="stable")
    rows = r.p[order]
    first = np.flatnonzero(np.concatenate([[True], rows["incident"][1:] != rows["incident"][:-1]]))
    size = np.diff(np.append(first, len(rows)))
    head = np.repeat(rows[first], size)
    for name in ("front", "type", "special", "stream", "incident_time", "incident_size", "mascal"):
        assert np.array_equal(rows[name], head[name]), name
    weapons = rows["kind"] == CasualtyKind.WOUNDED
    assert np.array_equal(rows["kind"], head["kind"])
    assert np.array_equal(rows["mechanism"][weapons], head["mechanism"][weapons])
    if r.scenario.casualties.rates is None or not r.scenario.casualties.rates.depletion:
        assert np.array_equal(size, rows["incident_size"][first])


@fact
def an_incident_lasts_minutes(r: Run) -> None:
    after = r.p["time"] - r.p["incident_time"]
    assert (after >= 0).all()
    for k, name in [*enumerate([w.type for w in r.scenario.warfare]), (NONE, None)]:
        table = tables.warfare_patterns()["warfare_types"][name]["casualty_clustering"] if name else {}
        given = table.get("cluster_duration_minutes", table.get("individual_spacing_minutes", [2, 15]))
        of_type = (r.p["type"] == k) & (r.p["special"] == NONE)  # a special event may have another type
        assert after[of_type].max(initial=0) <= max(given) * MINUTE, name
    dnbi = r.p["stream"] != 0
    assert (r.p["incident_size"][dnbi] == 1).all()


@fact
def nobody_dies_of_a_sprain_or_a_headache(r: Run) -> None:
    can_kill = np.array([x.lethal for x in catalogue.conditions()])
    ill = np.isin(r.p["kind"], (CasualtyKind.NBI, CasualtyKind.DISEASE, CasualtyKind.PSYCHOLOGICAL)) & (
        r.p["lethal"] != NONE
    )
    assert (r.p["triage"][ill] == 1).all()
    assert can_kill[r.p["condition"][ill]].all()


@fact
def mass_casualty_incidents_are_those_above_the_threshold(r: Run) -> None:
    assert np.array_equal(r.p["mascal"] == 1, r.p["incident_size"] >= r.scenario.mascal_threshold)


@fact
def people_are_hurt_within_the_days_of_the_scenario(r: Run) -> None:
    assert (r.p["incident_time"] >= 0).all()
    assert (r.p["incident_time"] < r.scenario.days * DAY).all()


@fact
def records_are_in_the_order_of_time_and_id(r: Run) -> None:
    if r.finite.any():  # records leave the kernel between the injury and the outcome
        assert (np.maximum.accumulate(r.p["time"]) <= r.p["closed"]).all()
        return
    keys = list(zip(r.p["time"].tolist(), r.p["id_hi"].tolist(), r.p["id_lo"].tolist(), strict=True))
    assert all(a < b for a, b in itertools.pairwise(keys))


@fact
def ids_are_unique_and_uuids_of_version_8(r: Run) -> None:
    pairs = np.stack([r.p["id_hi"], r.p["id_lo"]])
    assert np.unique(pairs, axis=1).shape == pairs.shape
    assert ((r.p["id_hi"] >> np.uint64(12)) & np.uint64(15) == 8).all()
    assert (r.p["id_lo"] >> np.uint64(62) == 2).all()


@fact
def those_who_would_die_untreated_are_known(r: Run) -> None:
    lethal = r.p["lethal"] != NONE
    fatal = r.p["worst_ais"] == 6
    assert np.array_equal((r.p["untreated_death"] >= 0), lethal | fatal)
    assert (r.p["untreated_death"] >= r.p["onset"])[lethal | fatal].all()
    dead = r.p["death_cause"] != NONE
    if r.clock:
        of_clock = dead & lethal & (r.p["death_cause"] != DeathCause.LATE_COMPLICATIONS)
        assert np.array_equal(r.p["death_cause"][of_clock], 1 + r.p["lethal"][of_clock])
        p = r.p[of_clock]
        worst = max([1.0, *(v.clock_factor or 1.0 for v in r.scenario.vehicles)])
        if any(f.surge for f in r.scenario.facilities):  # the clock runs faster in an overflow area
            worst = max(worst, model_parameters("care")["overflow"]["clock_factor"])
        least = (p["untreated_death"] - p["onset"]) / worst - 1
        assert (p["closed"] - p["onset"] >= least).all(), "care hastens death"


# --- the runs


@cache
def builtin_run(name: str) -> Run:
    return Run(goldenhour.simulate(name, seed=11, patients=BUILTINS[name]))


def test_there_are_a_hundred_thousand_records() -> None:
    assert sum(builtin_run(name).n for name in BUILTINS) == sum(BUILTINS.values()) >= 100_000


@pytest.mark.parametrize("name", BUILTINS)
@pytest.mark.parametrize("check", FACTS)
def test_a_fact_of_every_record(check: str, name: str) -> None:
    FACTS[check](builtin_run(name))


FRONTS = (
    {"name": "North", "population": 300, "nations": {"NOR": 0.5, "GBR": 0.5}},
    {"name": "South", "population": 700, "nations": {"POL": 0.2, "EST": 0.2, "CZE": 0.6}},
)
RATES = {
    "battle": {"distribution": "gamma", "mean": 30, "sd": 40},
    "nbi": {"distribution": "constant", "mean": 6},
    "disease": {"distribution": "exponential", "mean": 8},
}


@st.composite
def documents(draw: Any) -> dict[str, Any]:
    """Draw scenario documents of about a hundred patients at most."""
    days = draw(st.integers(1, 6))
    document: dict[str, Any] = {
        "name": "any",
        "days": days,
        "start": draw(
            st.sampled_from(["2030-01-01T00:00:00Z", "2028-02-29T18:30:00Z", "1944-12-31T23:00:00Z"])
        ),
        "fronts": list(FRONTS[: draw(st.integers(1, 2))]),
        "intensity": draw(st.sampled_from(["low", "medium", "high", "extreme"])),
        "mascal_threshold": draw(st.integers(2, 20)),
        "routing": draw(st.sampled_from(["clock", "clock", "transition-matrix"])),
        "environment": draw(
            st.lists(
                st.sampled_from(sorted(tables.warfare_patterns()["environmental_modifiers"])), unique=True
            )
        ),
        "warfare": [
            {"type": x}
            for x in draw(st.lists(st.sampled_from(scenario_api.WARFARE_TYPES), unique=True, max_size=3))
        ],
    }
    if draw(st.booleans()):
        document["horizon_days"] = days + draw(st.sampled_from([0, 0.1, 1, 5]))
    if draw(st.booleans()):
        document["events"] = [
            {"event": draw(st.sampled_from(["major_offensive", "ambush", "mass_casualty"]))}
        ]
    if draw(st.integers(0, 3)) == 0:
        document["casualties"] = {"rates": RATES | {"depletion": draw(st.booleans())}}
    else:
        document["casualties"] = {"total": draw(st.integers(1, 120))}
        if draw(st.booleans()):
            document["mix"] = {"battle": 0.8, "nbi": 0.1, "disease": 0.1}
    if draw(st.booleans()):
        document["survival"] = {
            "instant_death": draw(st.sampled_from([0.0, 0.1, 1.0])),
            "severity": draw(st.sampled_from([-1.0, 0.0, 1.0])),
            "first_aid_minutes": draw(st.sampled_from([0.5, 5, 60])),
            "late_hazard": draw(st.sampled_from([0.0, 0.5])),
            "clock": draw(st.booleans()),
        }
    if document["routing"] == "clock" and draw(st.booleans()):
        document |= {
            "network": draw(st.sampled_from(["brigade", "division"])),
            "network_scale": draw(st.sampled_from([0.1, 1.0])),
            "acceptance": draw(st.sampled_from(["accept", "push"])),
            "destination": draw(st.sampled_from(["closest-first", "spread-out", "least-loaded"])),
            "bypass": draw(st.booleans()),
            "bumping": draw(st.booleans()),
            "expectant": draw(st.booleans()),
        }
    elif draw(st.booleans()):
        document["links"] = [
            {
                "origin": "POI",
                "destination": "R2-North",
                "fronts": ["North"],
                "minutes": {
                    "distribution": "lognormal",
                    "median": draw(st.sampled_from([5, 50, 500])),
                    "sigma": 1,
                },
            }
        ]
    return document


@settings(max_examples=60, phases=[Phase.generate], report_multiple_bugs=False)
@given(documents(), st.integers(0, 2**32), st.integers(0, 3))
def test_the_facts_hold_for_any_small_scenario(document: dict[str, Any], seed: int, replication: int) -> None:
    scenario = scenario_api.parse(json.dumps(document).encode(), "json")
    run = Run(goldenhour.simulate(scenario, seed=seed, replication=replication))
    if run.n == 0:
        return
    for name, check in FACTS.items():
        try:
            check(run)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


def test_a_score_is_recomputed_as_the_books_do() -> None:
    assert scores([("head", 3), ("face", 2), ("lower_limb", 4), ("lower_limb", 4)]) == (29, 41)
    assert scores([("thorax", 1), ("lower_limb", 1), ("face", 1)]) == (2, 3)
    assert scores([("head", 6), ("face", 1)]) == (75, 75)
