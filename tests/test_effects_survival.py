"""Every setting of triage, routing and the survival clock has an effect, in the direction its name promises."""

from itertools import product
from typing import Any

import effects as x
import numpy as np
import pytest

from engine.codes import (
    EFFECTS,
    LETHAL_MECHANISMS,
    MECHANISMS,
    NONE,
    STREAMS,
    CasualtyKind,
    DeathCause,
    Outcome,
)
from engine.scenario import Survival
from scenarios import tables

ROLES = ("POI", "Role1", "Role2", "Role3", "Role4")
CATEGORIES = ("T1", "T2", "T3")


def lethal(result: Any, *names: str) -> Any:
    """Return which patients would die untreated of one of these mechanisms."""
    return np.isin(result.patients["lethal"], [LETHAL_MECHANISMS.index(name) for name in names])


def died(result: Any) -> Any:
    return x.status(result, "kia", "dow", "died_nonbattle")


def differ(a: Any, b: Any) -> Any:
    """Return which patients have different outcomes."""
    assert x.same_people(a, b)
    return (a.patients["status"] != b.patients["status"]) | (a.patients["closed"] != b.patients["closed"])


# --- severity


@pytest.mark.parametrize("share", [0.0, 0.05, 0.4, 1.0])
def test_the_share_killed_at_once_is_the_one_asked_for(share: float) -> None:
    p = x.run(survival={"instant_death": share}).patients
    at_once = p["death_cause"] == DeathCause.INSTANTLY_FATAL_INJURY
    assert x.share_is(at_once.sum(), len(p), share, lines=4)
    assert (p["closed"][at_once] == p["time"][at_once]).all()
    assert (p["status"][at_once] == Outcome.KIA).all()
    assert (p["worst_ais"][at_once] == 6).all()


def test_more_severity_means_worse_wounds_and_more_deaths() -> None:
    results = [x.run(survival={"severity": s}) for s in (-0.5, 0.0, 0.5)]
    assert x.same_people(*results)
    niss = [r.patients["niss"].astype(int) for r in results]
    assert (niss[0] <= niss[1]).mean() > 0.97
    assert (niss[1] <= niss[2]).mean() > 0.97
    assert niss[0].mean() < niss[1].mean() - 1.5 < niss[2].mean() - 3.0
    rates = [x.cfr(r) for r in results]
    assert rates[0] + 0.02 < rates[1] < rates[2] - 0.02


def test_wounds_have_the_mechanisms_asked_for() -> None:
    for mix in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.2, 0.3, 0.5)):
        shares = dict(zip(MECHANISMS[:3], mix, strict=True))
        counts = np.bincount(x.run(survival={"mechanisms": shares}).patients["mechanism"], minlength=3)
        assert x.counts_are(counts, mix, lines=3)
    blast, shot = (x.run(survival={"mechanisms": {m: 1.0}}) for m in ("explosion", "gunshot"))
    assert len(blast.wounds) > 1.3 * len(shot.wounds)


# --- treatment


def effective_aid(result: Any) -> int:
    """Return how often first aid was effective."""
    t = result.treatments
    aid = (t["facility"] < 0) & (t["effect"] == EFFECTS.index("effective"))
    return int(aid.sum())


def test_first_aid_that_works_more_often_saves_lives() -> None:
    far = x.network((120.0, *x.LEGS[1:]))
    results = [x.run(4000, survival={"aid_success_factor": f}, **far) for f in (0.0, 0.5, 1.0, 2.0)]
    assert x.same_people(*results)
    worked = [effective_aid(r) for r in results]
    assert worked[0] == 0
    assert worked[1] == pytest.approx(worked[2] / 2, rel=0.15)
    assert worked[2] < worked[3]
    rates = [x.cfr(r) for r in results]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > rates[2] + 0.005
    assert not differ(results[0], results[3])[lethal(results[0], "tbi")].any()


def test_surgery_that_succeeds_more_often_saves_lives() -> None:
    results = [
        x.run(4000, survival={"severity": 1.0, "surgery_success_factor": f}) for f in (0.0, 0.5, 1.0, 2.0)
    ]
    rates = [x.cfr(r) for r in results]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > rates[1] + 0.01 > rates[2] + 0.02
    brain = lethal(results[0], "tbi") | (results[0].patients["lethal"] == NONE)
    assert not (died(results[0]) != died(results[2]))[brain].any()
    kia = [x.status(r, "kia") for r in results]
    assert (kia[0] == kia[3]).all()


def test_success_in_brain_injury_acts_on_brain_injury_alone() -> None:
    settings: list[dict[str, float]] = [{"tbi_success": 0.0}, {}, {"tbi_success": 1.0}]
    none, usual, every = (x.run(6000, survival={"severity": 0.5, **s}) for s in settings)
    brain = lethal(none, "tbi") & (none.patients["surgery"] >= 0)
    assert brain.sum() >= 40
    dead = [int(died(r)[brain].sum()) for r in (none, usual, every)]
    assert dead[0] == brain.sum()
    assert dead[0] > dead[1] > dead[2]
    others = ~lethal(none, "tbi")
    assert not differ(none, every)[others].any()


def test_the_late_hazard_makes_the_late_deaths() -> None:
    def late(probability: float | None) -> int:
        result = x.run(4000, survival={} if probability is None else {"late_hazard": probability})
        return int((result.patients["death_cause"] == DeathCause.LATE_COMPLICATIONS).sum())

    none, usual, more, most = late(0.0), late(None), late(0.1), late(1.0)
    assert none == 0 < usual < more < most
    assert more / 0.1 == pytest.approx(usual / 0.022, rel=0.5)
    assert x.cfr(x.run(4000, survival={"late_hazard": 1.0})) > x.cfr(x.run(4000)) + 0.05


def test_later_first_aid_costs_lives() -> None:
    def with_aid_after(minutes: float) -> Any:
        far = x.network((240.0, *x.LEGS[1:]))
        return x.run(4000, survival={"first_aid_minutes": minutes}, **far)

    results = [with_aid_after(m) for m in (1.0, 5.0, 30.0)]
    assert x.same_people(*results)
    p = results[0].patients
    aid = [(r.patients["first_care"] - r.patients["time"]) / x.MINUTE for r in results]
    for k, factor in ((1, 5.0), (2, 30.0)):
        by_buddy = np.ones(len(p), bool)
        for r in (results[0], results[k]):
            arrived = np.nan_to_num(x.first_leg(r), nan=np.inf)
            by_buddy &= (r.patients["first_care"] >= 0) & (
                (r.patients["first_care"] - p["time"]) / x.MINUTE < arrived
            )
        assert by_buddy.mean() > 0.8
        assert aid[k][by_buddy] == pytest.approx(factor * aid[0][by_buddy], rel=1e-3)
    assert x.run(4000).measures["minutes_from_injury"]["first_care"]["median"] == pytest.approx(5.0, abs=0.5)
    rates = [x.cfr(r) for r in results]
    assert rates == sorted(set(rates))
    assert rates[2] > rates[0] + 0.002


def test_without_the_clock_nobody_dies_of_wounds() -> None:
    on, off = (x.run(4000, mix=x.MIXED, survival={"clock": clock}) for clock in (True, False))
    assert x.same_people(on, off)
    assert len(set(on.patients["death_cause"].tolist())) > 6
    assert set(off.patients["death_cause"].tolist()) == {DeathCause.INSTANTLY_FATAL_INJURY, NONE}
    living = off.patients["death_cause"] == NONE
    assert (off.patients["untreated_death"][living] == -1).all()
    assert x.cfr(off) < x.cfr(on) - 0.05


# --- triage


def admitted_shares(result: Any) -> Any:
    """Return the shares of T1..T3 among admitted battle casualties not back within 72 h, if none died before."""
    p = result.patients
    there = (p["kind"] == CasualtyKind.WOUNDED) & (p["worst_ais"] < 6) & (p["rtd72"] == 0)
    counts = np.bincount(p["triage"][there], minlength=4)[1:]
    return counts / counts.sum()


@pytest.mark.parametrize("clock", [True, False])
def test_the_share_of_t1_among_battle_casualties_follows(clock: bool) -> None:
    severity = []
    for wanted in (0.2, 0.35, 0.5):
        weights = {"battle": {"T1": wanted, "T2": 0.25, "T3": 0.75 - wanted}}
        result = x.run(6000, triage=weights, survival={"clock": clock})
        assert admitted_shares(result)[0] == pytest.approx(wanted, abs=0.035)
        severity.append(float(result.patients["niss"].mean()))
    assert severity[0] + 2 < severity[1] < severity[2] - 2


@pytest.mark.parametrize(("stream", "kind"), [("nbi", CasualtyKind.NBI), ("disease", CasualtyKind.DISEASE)])
def test_other_casualties_have_the_triage_asked_for(stream: str, kind: int) -> None:
    back = []
    for weights in ((0.5, 0.3, 0.2), (0.02, 0.08, 0.9)):
        triage = {stream: dict(zip(CATEGORIES, weights, strict=True))}
        result = x.run(mix={**x.BATTLE, "battle": 0.0, stream: 1.0}, triage=triage)
        counts = np.bincount(result.patients["triage"][result.patients["kind"] == kind], minlength=4)[1:]
        assert x.counts_are(counts, weights, lines=4)
        back.append(float(x.status(result, "rtd").mean()))
    assert back[0] < back[1] - 0.2


def test_in_cbrn_the_triage_of_disease_acts_on_the_agent() -> None:
    rates = []
    for weights in ((0.1, 0.2, 0.7), (0.6, 0.2, 0.2)):
        triage = {"disease": dict(zip(CATEGORIES, weights, strict=True))}
        result = x.run(warfare=[{"type": "cbrn"}], triage=triage)
        agent = result.patients["kind"] == CasualtyKind.AGENT
        assert agent.sum() > 2000
        counts = np.bincount(result.patients["triage"][agent], minlength=4)[1:]
        assert x.counts_are(counts, weights, lines=2)
        rates.append(x.cfr(result))
    assert rates[1] > rates[0] + 0.1


# --- transition-matrix routing


def chances(category: str) -> dict[str, float]:
    """Return the probability of each outcome of a battle casualty by transition_matrices.json."""
    matrices = tables.transition_matrices()["base_transitions"]
    at = {"POI": 1.0}
    ends = {"kia": 0.0, "dow": 0.0, "rtd": 0.0, "discharged": 0.0}
    for role in ROLES:
        here = at.get(role, 0.0)
        row = {k: v for k, v in matrices[role]["transitions"][category].items() if k != "description"}
        for target, share in row.items():
            mass = here * share / sum(row.values())
            if target == "KIA":
                ends["kia" if role == "POI" else "dow"] += mass
            elif target == "RTD":
                ends["discharged" if role == "Role4" else "rtd"] += mass
            else:
                at[target] = at.get(target, 0.0) + mass
    return ends


MATRIX: dict[str, Any] = {"routing": "transition-matrix"}


@pytest.mark.parametrize("category", CATEGORIES)
def test_outcomes_follow_the_transition_matrices(category: str) -> None:
    triage = {"battle": {k: float(k == category) for k in CATEGORIES}}
    result = x.run(6000, triage=triage, **MATRIX)
    wanted = chances(category)
    counts = [int(x.status(result, name).sum()) for name in wanted]
    assert sum(counts) == 6000
    assert x.counts_are(counts, list(wanted.values()), lines=3)
    assert (result.patients["triage"] == 1 + CATEGORIES.index(category)).all()


def test_under_matrices_a_death_in_a_facility_is_dow_and_role_4_discharges() -> None:
    result = x.run(6000, mix=x.MIXED, **MATRIX)
    p = result.patients
    reached = np.stack([p[f"role{k}"] for k in (1, 2, 3, 4)]).max(axis=0) >= 0
    battle = p["stream"] == 0
    kia, dow = x.status(result, "kia"), x.status(result, "dow")
    assert not reached[kia].any()
    assert reached[dow].all()
    assert battle[kia | dow].all()
    assert not battle[x.status(result, "died_nonbattle")].any()
    gone = x.status(result, "discharged")
    assert gone.sum() > 500
    assert (p["role4"][gone] >= 0).all()
    assert (p["role4"][x.status(result, "rtd")] < 0).all()
    assert not x.status(result, "evacuated").any()
    at_poi = p["facility"][kia]
    assert (at_poi < 0).all()


def test_the_routing_changes_the_outcomes_and_not_the_people() -> None:
    clock, matrix = x.run(mix=x.MIXED), x.run(mix=x.MIXED, routing="transition-matrix")
    assert x.same_people(clock, matrix)
    spared = clock.patients["death_cause"] != DeathCause.INSTANTLY_FATAL_INJURY
    for name in ("niss", "iss", "condition", "mechanism", "worst_ais"):
        assert (clock.patients[name] == matrix.patients[name])[spared].all()
    assert x.status(clock, "evacuated").any()
    assert not x.status(clock, "discharged").any()
    assert x.status(matrix, "discharged").any()


def test_under_matrices_the_triage_is_that_of_the_tables_or_the_authors() -> None:
    table = tables.simulation_parameters()["triage_weights"]
    p = x.run(6000, mix=x.MIXED, **MATRIX).patients
    names = ("Battle Injury", "Non-Battle Injury", "Disease")
    for k, name in enumerate(names):
        counts = np.bincount(p["triage"][p["stream"] == k], minlength=4)[1:]
        assert x.counts_are(counts, [table[name][t] for t in CATEGORIES], lines=6)
    for k, stream in enumerate(STREAMS):
        weights = (0.1, 0.2, 0.7)
        triage = {stream: dict(zip(CATEGORIES, weights, strict=True))}
        p = x.run(mix=x.MIXED, triage=triage, **MATRIX).patients
        counts = np.bincount(p["triage"][p["stream"] == k], minlength=4)[1:]
        assert x.counts_are(counts, weights, lines=6)


def test_without_immediate_casualties_no_accident_kills() -> None:
    weights = {"T1": 0.0, "T2": 0.5, "T3": 0.5}
    usual, mild = (x.run(9000, mix=x.MIXED, **more) for more in ({}, {"triage": {"nbi": weights}}))
    assert x.same_people(usual, mild)
    killed = [
        int((r.patients["lethal"][r.patients["kind"] == CasualtyKind.NBI] != NONE).sum())
        for r in (usual, mild)
    ]
    assert killed[0] > 0 and killed[1] == 0
    assert (usual.patients["lethal"] == mild.patients["lethal"])[
        usual.patients["kind"] != CasualtyKind.NBI
    ].all()


OF_SURVIVAL: dict[str, Any] = {
    "instant_death": 0.5,
    "severity": 0.5,
    "lethality": 0.5,
    "untreated_minutes": 10.0,
    "mechanisms": {"gunshot": 1.0},
    "aid_success_factor": 0.5,
    "surgery_success_factor": 0.5,
    "tbi_success": 0.0,
    "late_hazard": 1.0,
    "first_aid_minutes": 60.0,
    "clock": False,
}


@pytest.mark.parametrize("name", Survival.__struct_fields__)
def test_under_matrices_a_setting_of_survival_moves_deaths_or_wounds_or_is_noted(name: str) -> None:
    settings: dict[str, Any] = {"survival": {name: OF_SURVIVAL[name]}, **MATRIX}
    plain, changed = x.run(1000, **MATRIX), x.run(1000, **settings)
    acts = any((plain.patients[k] != changed.patients[k]).any() for k in ("status", "niss"))
    assert acts or any(f"survival.{name}" in note for note in x.notes(**settings))


def test_nobody_outside_battle_is_kia_or_dow() -> None:
    for mix, routing in product((x.NBI, x.ILL), ("clock", "transition-matrix")):
        result = x.run(mix=mix, routing=routing)
        assert not x.status(result, "kia", "dow").any()
        assert routing == "clock" or x.status(result, "died_nonbattle").any()
