"""Facts of every record: its timeline, its places, and waiting where care is finite."""

import numpy as np
from coherence import BEGINNINGS, ENDINGS, EVENT, MINUTE, Run, fact, first_times, is_one_of

from engine import scenario as scenario_api
from engine.codes import (
    AT_POI,
    AWAITED,
    CASUALTY_KINDS,
    DEATH_CAUSES,
    EN_ROUTE,
    NONE,
    OUTCOMES,
    WAITING_FOR,
    CasualtyKind,
    Outcome,
)
from scenarios import catalogue

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
    called_for = np.array(["critical_care" in wanted.needs for wanted in catalogue.condition_needs()])
    wounded = r.p["kind"][icu] == CasualtyKind.WOUNDED
    burnt = np.zeros(r.n, bool)  # by AIS 3 it may be a fifth of the body
    burnt[r.w["patient"][np.array([c.burn for c in catalogue.conditions()])[r.w["condition"]]]] = True
    assert ((ais[icu] >= 4) | (started[icu] >= 0) | (burnt & (ais >= 3))[icu])[wounded].all()
    assert called_for[r.p["condition"][icu]][~wounded].all()


@fact
def only_bumping_breaks_care_off_and_only_push_refuses(r: Run) -> None:
    assert r.scenario.bumping or not r.counts("bumped", "care_resumed").any()
    assert r.scenario.acceptance == "push" or not r.counts("refused").any()
    assert r.scenario.world or not r.counts("facility_hit").any()
    assert (r.counts("bumped") >= r.counts("care_resumed")).all()
