"""The survival clock and what is wrong with the casualties: docs/model.md sections 2.4, 2.5 and 3.2.4, on 60,000
casualties a type.

Seeds are fixed; every statistical test holds with a chance of 1 in 1,000 or less of failing by luck alone.
"""

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from numba import njit
from scipy import stats

import goldenhour
import scenarios
from engine import scenario as scenario_api
from engine.clinical import survival
from engine.codes import (
    CASUALTY_KINDS,
    EFFECTS,
    EVENTS,
    LETHAL_MECHANISMS,
    NONE,
    REGIONS,
    TREATMENTS,
    CasualtyKind,
    DeathCause,
    Outcome,
)
from engine.compile import model as compiled
from engine.compile.treatments import care_rules
from engine.run import Simulation
from engine.tables import CasualtyState, dtype_of
from engine.tables import columns as c
from scenarios import catalogue
from scenarios.tables import model_parameters

MINUTE = 60_000
DAY = 86_400_000
ALPHA = 0.001
N = 60_000
LETHAL = {name: k for k, name in enumerate(LETHAL_MECHANISMS)}
TABLE = {
    "standard": (11.5, 7.6, 12.6),
    "conventional": (13.9, 7.5, 14.2),
    "artillery": (18.1, 9.5, 17.9),
    "urban": (14.7, 7.2, 15.8),
    "guerrilla": (11.2, 6.7, 12.7),
    "drone": (16.7, 9.7, 17.4),
    "naval": (17.5, 7.0, 16.9),
    "peacekeeping": (6.7, 4.9, 7.9),
}
"""docs/model.md section 3.2.4: %KIA, %DOW, CFR through the default laydown."""


def battle_only(name: str) -> scenario_api.Scenario:
    """N battle casualties of a warfare type through the default laydown."""
    warfare = [] if name == "standard" else [scenario_api.Warfare(type=name)]  # type: ignore[arg-type]
    return scenario_api.resolve(
        scenario_api.Scenario(
            name="battle",
            warfare=warfare,
            casualties=scenario_api.Casualties(total=N),
            mix=scenario_api.Mix(battle=1.0, nbi=0.0, disease=0.0),
        )
    )


@cache
def summary_of(name: str) -> dict[str, Any]:
    """Measures of `battle_only`, and by incident the mechanism of its wounded."""
    simulation = Simulation(battle_only(name), 5, 0, 4096)
    mechanisms: dict[int, int] = {}
    for chunk in simulation:
        weapons = chunk.patients[chunk.patients["kind"] == CasualtyKind.WOUNDED]
        mechanisms.update(zip(weapons["incident"].tolist(), weapons["mechanism"].tolist(), strict=True))
    counts = np.bincount(list(mechanisms.values()), minlength=3)
    return simulation.measures.summary() | {"mechanisms": counts}


@cache
def standard() -> goldenhour.Result:
    """All tables of N battle casualties without a warfare type."""
    return goldenhour.simulate(battle_only("standard"), seed=5)


@cache
def table() -> Any:
    """The engine's parameters of the clock for `standard`: one row of SURVIVAL."""
    resolved = scenario_api.resolve(scenario_api.parse(scenarios.builtin_bytes("standard"), "toml"))
    return compiled.compile_scenario(resolved, 1, 0)[0]["survival"]


def fits(observed: Any, shares: Any) -> bool:
    """Whether counts agree with shares (chi-square); cells of share 0 must be empty."""
    observed, shares = np.asarray(observed, float), np.asarray(shares, float)
    shares = shares / shares.sum()
    assert observed[shares == 0].sum() == 0
    keep = shares > 0
    if keep.sum() == 1:
        return bool(observed.sum() > 0)
    return bool(stats.chisquare(observed[keep], shares[keep] * observed.sum()).pvalue > ALPHA)


def numbers_of_wounds(patients: Any) -> Any:
    return np.diff(patients["wound_end"].astype(np.int64), prepend=0)


# --- lethality and life


def test_life_by_severity_is_the_simedis_formula() -> None:
    for niss in (9, 16, 25, 44, 75):
        assert table()["minutes"][0][niss] == pytest.approx(43_500 * niss**-1.95, rel=1e-12)
    published = {16: 195, 21: 115, 25: 82, 75: 9.6}
    for niss, minutes in published.items():
        assert table()["minutes"][0][niss] == pytest.approx(minutes, rel=0.01)


def test_lethality_is_logistic_from_niss_9() -> None:
    assert (table()["lethal"][0][:9] == 0).all()
    assert table()["lethal"][0][33] == 0.5
    for niss in range(9, 76):
        assert table()["lethal"][0][niss] == pytest.approx(1 / (1 + math.exp(-(niss - 33) / 12)), rel=1e-12)


def test_shares_of_lethal_casualties_follow_the_table() -> None:
    p = standard().patients
    alive = p[p["worst_ais"] < 6]
    assert (alive["lethal"][alive["worst_ais"] < 3] == NONE).all()
    alive = alive[alive["worst_ais"] >= 3]
    total = np.bincount(alive["niss"], minlength=76)
    lethal = np.bincount(alive["niss"][alive["lethal"] != NONE], minlength=76)
    assert (lethal[:9] == 0).all()
    seen = np.flatnonzero((total >= 20) & (np.arange(76) >= 9))
    assert len(seen) > 20
    for niss in seen:
        p_value = stats.binomtest(
            int(lethal[niss]), int(total[niss]), float(table()["lethal"][0][niss])
        ).pvalue
        assert p_value > ALPHA / len(seen), niss


def test_life_scatters_lognormally() -> None:
    p = standard().patients
    mortal = p[p["lethal"] != NONE]
    minutes = (mortal["untreated_death"] - mortal["onset"]) / MINUTE
    z = np.log(minutes / (43_500.0 * mortal["niss"].astype(float) ** -1.95)) / 0.9
    assert stats.kstest(z, "norm").pvalue > ALPHA


def test_what_kills_follows_from_the_worst_wound() -> None:
    r = standard()
    worst = r.wounds[r.patients["wound_end"].astype(np.int64) - numbers_of_wounds(r.patients)]
    alone = numbers_of_wounds(r.patients) == 1
    expected = {
        "head": {"tbi": 1.0},
        "face": {"airway": 1.0},
        "neck": {"airway": 0.5, "junctional_haemorrhage": 0.5},
        "thorax": {"tension_pneumothorax": 0.01, "torso_haemorrhage": 0.99},
        "abdomen": {"torso_haemorrhage": 0.5, "junctional_haemorrhage": 0.5},
        "lower_limb": {"extremity_haemorrhage": 0.7, "junctional_haemorrhage": 0.3},
    }
    able = care_rules(frozenset())["kills_by"][0][worst["condition"]].astype(int)
    for region, shares in expected.items():
        here = alone & (worst["region"] == REGIONS.index(region)) & (r.patients["lethal"] != NONE)
        usual = sum(1 << LETHAL_MECHANISMS.index(name) for name in shares)
        for mask in np.unique(able[here]):
            can = [name for code, name in enumerate(LETHAL_MECHANISMS) if int(mask) >> code & 1]
            lethal = r.patients["lethal"][here & (able == mask)]
            if len(can) == 1:
                assert (lethal == LETHAL_MECHANISMS.index(can[0])).all(), (region, can)
            else:  # all of them, or none
                assert mask in (0, usual), (region, can)
                counts = np.bincount(lethal, minlength=9)
                assert fits(counts, [shares.get(name, 0.0) for name in LETHAL_MECHANISMS]), (region, can)


def test_what_kills_belongs_to_a_wound_that_can_do_it() -> None:
    """Whom something would kill has a wound that can kill by it; who has none, such as the burnt, has no such death."""
    r = standard()
    able = care_rules(frozenset())["kills_by"][0][r.wounds["condition"]].astype(int)
    mechanism = r.patients["lethal"][r.wounds["patient"]].astype(int)
    can = (mechanism < 8) & ((able >> np.minimum(mechanism, 8)) & 1).astype(bool)
    has = np.zeros(len(r.patients), bool)
    has[r.wounds["patient"][can]] = True
    anything = np.zeros(len(r.patients), bool)
    anything[r.wounds["patient"][able > 0]] = True
    mortal = r.patients["lethal"] != NONE
    assert mortal.sum() > 1000
    assert has[mortal].all()
    assert not mortal[~anything].any()


# --- the clock


def clock_at_death(events: Any, treatments: Any, p: Any) -> float:
    """The clock u (ms) of a casualty at death, integrated over the timeline by docs/model.md section 2.5.3."""
    names = [EVENTS[k] for k in events["kind"].tolist()]
    times = events["at"].astype(float)
    given = model_parameters("survival")["treatment"]
    works = any(t["effect"] == EFFECTS.index("effective") and t["facility"] < 0 for t in treatments)
    slowest, rate, since, clock = 1.0, 1.0, float(p["onset"]), 0.0
    for name, now in zip(names, times, strict=True):
        if name == "first_aid" and works:
            change = min(slowest, given["rate_after_first_aid"][p["lethal"]])
            slowest = change
        elif name.endswith("surgery_started") or name == "resuscitation_started":
            change = 0.0
        elif name == "resuscitation_ended":
            change = slowest = min(slowest, given["rate_after_resuscitation"][p["lethal"]])
        elif name.endswith("surgery_ended"):  # in vain: the casualty dies of the clock
            change = slowest = max(slowest, given["rate_after_failed_surgery"])
        elif name == "died":
            change = rate
        else:
            continue
        clock += (now - since) * rate
        since, rate = now, change
    return clock


def test_death_comes_when_the_clock_has_run_out() -> None:
    r = standard()
    p = r.patients
    of_clock = (p["death_cause"] >= 1) & (p["death_cause"] < DeathCause.LATE_COMPLICATIONS)
    in_hospital = np.flatnonzero(of_clock & (p["status"] == Outcome.DOW))[:1500]
    before = np.flatnonzero(of_clock & (p["status"] == Outcome.KIA))[:1500]
    assert len(in_hospital) > 700
    for k in [*in_hospital, *before]:
        events = r.events[p["event_end"][k - 1] if k else 0 : p["event_end"][k]]
        treatments = r.treatments[p["treatment_end"][k - 1] if k else 0 : p["treatment_end"][k]]
        life = float(p["untreated_death"][k] - p["onset"][k])
        assert clock_at_death(events, treatments, p[k]) == pytest.approx(life, abs=20.0), k


def test_nobody_dies_of_the_clock_while_being_resuscitated_or_operated_on() -> None:
    r = standard()
    died = np.flatnonzero(r.events["kind"] == EVENTS.index("died"))
    of_clock = r.patients["death_cause"][r.events["patient"][died]] != DeathCause.LATE_COMPLICATIONS
    before = {EVENTS[k] for k in np.unique(r.events["kind"][died[of_clock] - 1])}
    assert not before & {"resuscitation_started", "surgery_started", "definitive_surgery_started"}
    assert {"injured", "first_aid", "departed", "arrived", "resuscitation_ended", "icu_admitted"} <= before


def test_a_tourniquet_does_nothing_for_a_brain() -> None:
    r = standard()
    brain = r.patients["lethal"] == LETHAL["tbi"]
    aid = r.treatments[(r.treatments["facility"] < 0) & brain[r.treatments["patient"]]]
    assert len(aid) > 500
    assert (aid["effect"] == EFFECTS.index("supportive")).all()
    dead = brain & (r.patients["status"] == Outcome.KIA) & (r.patients["worst_ais"] < 6)
    assert dead.sum() > 100
    assert (np.abs(r.patients["closed"] - r.patients["untreated_death"])[dead] <= 1).all()


def test_first_aid_works_as_often_as_the_table_says() -> None:
    r = standard()
    kinds = {
        "airway": "airway_adjunct",
        "tension_pneumothorax": "needle_decompression",
        "torso_haemorrhage": "tranexamic_acid",
        "junctional_haemorrhage": "haemostatic_dressing",
        "extremity_haemorrhage": "tourniquet",
    }
    outside = r.treatments[r.treatments["facility"] < 0]
    lethal = r.patients["lethal"][outside["patient"]]
    for mechanism, kind in kinds.items():
        code = LETHAL[mechanism]
        meant = outside["effect"] != EFFECTS.index("supportive")  # further tourniquets are for other limbs
        tried = outside[(lethal == code) & (outside["kind"] == TREATMENTS.index(kind)) & meant]
        works = int((tried["effect"] == EFFECTS.index("effective")).sum())
        chance = model_parameters("survival")["treatment"]["first_aid_works"][code]
        assert stats.binomtest(works, len(tried), chance).pvalue > ALPHA / 5, mechanism


@njit
def probe(p: Any, s: Any, m: Any, shares: Any, lethal: Any, out: Any) -> None:
    """By share u/T of the clock: success of surgery, score, score and gain of life after resuscitation."""
    t = m[0].survival
    for k in range(len(shares)):
        p[0].lethal = lethal
        p[0].kind = 0
        p[0].niss = 25
        survival.start_clock(s[0], 0.0, 6_000_000.0, 1.0)
        now = 6_000_000.0 * shares[k]
        survival.set_rate(s[0], now, 1.0)
        out[k, 0] = survival.surgery_success(s[0], p[0], t)
        out[k, 1] = survival.health_score(p[0], s[0], now, t)
        before = survival.death_time(s[0])
        survival.resuscitation_effect(p[0], s[0], now, t)
        out[k, 2] = survival.health_score(p[0], s[0], now, t)
        out[k, 3] = survival.death_time(s[0]) - before
        out[k, 4] = survival.health_score(p[0], s[0], now + 1_800_000.0, t)
        s[0].bonus = 0.0
        out[k, 4] -= survival.health_score(p[0], s[0], now + 1_800_000.0, t)


@cache
def probed() -> tuple[Any, Any]:
    """(shares u/T, what `probe` found) for torso haemorrhage."""
    resolved = scenario_api.resolve(scenario_api.parse(scenarios.builtin_bytes("standard"), "toml"))
    shares = np.array([0.0, 0.25, 0.5, 0.625, 0.75, 1.0])
    out = np.zeros((len(shares), 5))
    p, s = np.zeros(1, c.PATIENT), np.zeros(1, dtype_of(CasualtyState))
    probe(p, s, compiled.compile_scenario(resolved, 1, 0), shares, LETHAL["torso_haemorrhage"], out)
    return shares, out


def test_a_rescue_at_the_last_minute_is_not_one_at_the_first() -> None:
    shares, found = probed()
    expected = [0.86 * (1 - 0.6 * min(1.0, max(0.0, (x - 0.5) / 0.5))) for x in shares]
    assert found[:, 0] == pytest.approx(expected, rel=1e-12)
    assert found[-1, 0] == pytest.approx(0.4 * 0.86)


def test_the_score_runs_from_19_to_1() -> None:
    shares, found = probed()
    a = math.log(math.log(20))
    assert found[0, 1] == pytest.approx(19.0, abs=0.05)
    assert found[-1, 1] == pytest.approx(1.0, rel=1e-9)
    assert found[:, 1] == pytest.approx(20 * np.exp(-np.exp(-3 + (a + 3) * shares)), rel=1e-9)


def test_resuscitation_lifts_the_score_and_does_not_move_the_death() -> None:
    shares, found = probed()
    low, high = found[:-1, 1], found[:-1, 2]
    assert (high[low < 19] > low[low < 19]).all()
    assert high == pytest.approx(low + np.maximum(0, 19 - low) * (1 - shares[:-1]), rel=1e-9)
    assert (found[:, 3] == 0).all()
    later = np.minimum(1, shares + 0.3)  # 30 of 100 minutes
    gain = np.where(shares < 1, np.maximum(0, 19 - found[:, 1]), 0)
    assert found[:, 4] == pytest.approx(gain * (1 - later), abs=1e-9)  # it lasts, and goes as the clock runs


def test_surgery_succeeds_between_the_tables_bounds() -> None:
    r = standard()
    theatre = [TREATMENTS.index(label) for label, kind in catalogue.treatment_kinds().items() if kind.theatre]
    tried = r.treatments[np.isin(r.treatments["kind"], theatre) & (r.treatments["facility"] >= 0)]
    tried = tried[tried["effect"] != EFFECTS.index("supportive")]
    lethal = r.patients["lethal"][tried["patient"]]
    for name, best in zip(
        LETHAL_MECHANISMS, model_parameters("survival")["treatment"]["surgery_succeeds"], strict=False
    ):
        of_kind = tried[lethal == LETHAL[name]]
        rate = float((of_kind["effect"] == EFFECTS.index("effective")).mean())
        spread = 4 * math.sqrt(0.25 / len(of_kind))
        assert 0.4 * best - spread < rate < best + spread, name


# --- late deaths, return to duty, stays


def test_the_late_hazard_is_a_probability_by_niss() -> None:
    r = standard()
    p = r.patients
    arrived = np.maximum.reduce([p[f"role{k}"] for k in (1, 2, 3, 4)]) >= 0
    exposed = p[arrived & (p["lethal"] == NONE) & (p["niss"] >= 9) & (p["rtd72"] == 0) & (p["worst_ais"] < 6)]
    late = int((exposed["death_cause"] == DeathCause.LATE_COMPLICATIONS).sum())
    chance = 0.022 * np.minimum(exposed["niss"] / 25.0, 2.0)
    assert abs(late - chance.sum()) < 3.3 * math.sqrt((chance * (1 - chance)).sum())
    exempt = p[(p["niss"] < 9) | (p["rtd72"] == 1)]
    assert not (exempt["death_cause"] == DeathCause.LATE_COMPLICATIONS).any()


def test_late_deaths_are_exponential_from_a_day_after_admission() -> None:
    p = standard().patients
    late = p[(p["death_cause"] == DeathCause.LATE_COMPLICATIONS) & (p["lethal"] == NONE)]
    days = (late["closed"] - late["role1"]) / DAY
    assert len(days) > 50
    assert stats.kstest(days, stats.expon(loc=1.0, scale=2.0).cdf).pvalue > ALPHA


def test_return_within_72_h_is_for_minor_wounds() -> None:
    """Of the wounded who are not killed 33 to 47 % are back (Kotwal 2016, Owens 2008); nearly all have AIS 1."""
    p = standard().patients
    wounded = p[(p["kind"] == CasualtyKind.WOUNDED) & (p["worst_ais"] < 6)]
    back = wounded["rtd72"] == 1
    assert 0.33 <= back.sum() / (~np.isin(wounded["status"], [Outcome.KIA])).sum() <= 0.47
    assert (wounded["worst_ais"][back] == 1).mean() > 0.95
    assert not (back & (wounded["lethal"] != NONE)).any()


@cache
def held() -> goldenhour.Result:
    """Casualties of all kinds through one hospital that keeps everybody until they are fit."""
    return goldenhour.simulate(
        {
            "name": "held",
            "casualties": {"total": 40_000},
            "mix": {"battle": 0.4, "nbi": 0.2, "disease": 0.4},
            "fronts": [{"name": "North", "nations": {"NOR": 1.0}}],
            "facilities": [{"id": "R2", "role": 2, "policy_days": 3650}, {"id": "R4", "role": 4}],
            "links": [
                {"origin": "POI", "destination": "R2", "minutes": {"distribution": "constant", "mean": 30}},
                {"origin": "R2", "destination": "R4", "minutes": {"distribution": "constant", "mean": 30}},
            ],
        },
        seed=3,
    )


def test_who_is_held_returns_unless_a_condition_ends_duty() -> None:
    """Whoever can return is kept until then; whose duty in theatre ends goes on."""
    p = held().patients
    survivors = p[np.isin(p["status"], [Outcome.RTD, Outcome.EVACUATED])]
    back = survivors[survivors["status"] == Outcome.RTD]
    assert 0.4 < len(back) / len(survivors) < 0.9
    ends = np.array([condition.return_days == "no" for condition in catalogue.conditions()])
    assert not ends[back["condition"]].any()
    gone = survivors[survivors["status"] == Outcome.EVACUATED]
    assert ends[gone["condition"]].mean() > 0.8  # of the rest another wound does, or care calls for more


def test_wound_regions_by_mechanism() -> None:
    r = standard()
    mechanism = r.patients["mechanism"][r.wounds["patient"]]
    single = numbers_of_wounds(r.patients)[r.wounds["patient"]] == 1
    for k, name in enumerate(("explosion", "gunshot", "other")):
        # the instantly fatal wound has shares of its own
        of_mechanism = (mechanism == k) & (r.wounds["ais"] < 6)
        shares = np.asarray(model_parameters("casualties")["wounds"]["regions"][name])
        counts = np.bincount(r.wounds["region"][of_mechanism & single], minlength=9)
        assert fits(counts, shares), name
        # a wound that cannot be beside another one moves or is left out
        counts = np.bincount(r.wounds["region"][of_mechanism], minlength=9)
        assert np.allclose(counts / counts.sum(), shares / shares.sum(), atol=0.01), name
    fatal = np.bincount(r.wounds["region"][r.wounds["ais"] == 6], minlength=9)
    given = model_parameters("casualties")["wounds"]["instantly_fatal"]
    assert fits(fatal, [given.get(name, 0.0) for name in REGIONS])


def test_the_number_of_wounds_by_mechanism() -> None:
    r = standard()
    z, weight = np.polynomial.hermite_e.hermegauss(60)
    counts = numbers_of_wounds(r.patients)
    for k, m in enumerate((3.05, 1.35, 1.5)):
        mean = m * np.exp(0.8 * z - 0.32)
        further = sum((mean / (1 + mean)) ** j for j in range(1, 24))
        expected = 1 + float((further * weight).sum() / weight.sum())
        seen = counts[r.patients["mechanism"] == k]
        assert abs(seen.mean() - expected) < 3.5 * seen.std() / math.sqrt(len(seen)), k
    assert counts.min() == 1
    assert counts.max() == 24


def test_ais_by_region_follows_the_table() -> None:
    """Each casualty's wounds weigh 1 together: those with many wounds have the worse ones."""
    r = standard()
    counts = numbers_of_wounds(r.patients)
    keep = (r.patients["mechanism"] == 0) & (r.patients["worst_ais"] < 6)
    wounds = r.wounds[keep[r.wounds["patient"]]]
    weight = 1.0 / counts[wounds["patient"]]
    for region, shares in model_parameters("casualties")["wounds"]["ais"].items():
        here = wounds["region"] == REGIONS.index(region)
        seen = np.bincount(wounds["ais"][here], weights=weight[here], minlength=6)[1:6]
        assert seen / seen.sum() == pytest.approx(np.array(shares) / sum(shares), abs=0.02), region


@pytest.mark.parametrize("name", [*TABLE, "cbrn"])
def test_mechanisms_by_warfare_type(name: str) -> None:
    given = model_parameters("casualties")["types"][name]["mechanisms"]
    counts = summary_of(name)["mechanisms"]
    assert fits(counts, [given[x] for x in ("explosion", "gunshot", "other")])


# --- illness and agent


@pytest.mark.parametrize("name", ["standard", "coin"])
def test_psychiatric_and_musculoskeletal_shares_of_dnbi(name: str) -> None:
    p = goldenhour.simulate(name, seed=2, patients=25_000).patients
    dnbi = p[p["stream"] != 0]
    groups = np.array([x.group for x in catalogue.conditions()])
    limbs = (dnbi["kind"] == CasualtyKind.NBI) | (groups[dnbi["condition"]] == "msk")
    assert (dnbi["kind"] == CasualtyKind.PSYCHOLOGICAL).mean() == pytest.approx(0.233, abs=0.012)
    assert limbs.mean() == pytest.approx(0.504, abs=0.015)


def test_severity_of_non_battle_casualties() -> None:
    p = goldenhour.simulate("standard", seed=6, patients=60_000).patients
    expected = {
        CasualtyKind.NBI: (0.03, 0.17, 0.80),
        CasualtyKind.DISEASE: (0.02, 0.10, 0.88),
        CasualtyKind.PSYCHOLOGICAL: (0.0, 0.03, 0.97),
    }
    lethal = {CasualtyKind.NBI: 0.004, CasualtyKind.DISEASE: 0.002, CasualtyKind.PSYCHOLOGICAL: 0.0}
    for kind, shares in expected.items():
        of_kind = p[p["kind"] == kind]
        assert fits(np.bincount(of_kind["triage"], minlength=4)[1:4], shares), CASUALTY_KINDS[kind]
        mortal = int((of_kind["lethal"] != NONE).sum())
        assert stats.binomtest(mortal, len(of_kind), lethal[kind]).pvalue > ALPHA, CASUALTY_KINDS[kind]


def test_severity_of_agent_casualties() -> None:
    result = goldenhour.simulate("cbrn", seed=4, patients=N)
    p = result.patients[result.patients["kind"] == CasualtyKind.AGENT]
    assert fits(np.bincount(p["severity"], minlength=4), (0.40, 0.30, 0.18, 0.12))
    for severity, (triage, lethal, median) in enumerate(
        ((3, 0.0, 240), (2, 0.05, 240), (1, 0.6, 60), (1, 1.0, 10))
    ):
        of_severity = p[p["severity"] == severity]
        assert (of_severity["triage"] == triage).all()
        mortal = of_severity[of_severity["lethal"] != NONE]
        assert stats.binomtest(len(mortal), len(of_severity), lethal).pvalue > ALPHA
        if len(mortal) > 50:
            vapour = mortal[mortal["onset"] - mortal["time"] < 30 * MINUTE]  # liquid kills later
            minutes = (vapour["untreated_death"] - vapour["onset"]) / MINUTE
            assert stats.kstest(minutes, stats.lognorm(0.7, scale=median).cdf).pvalue > ALPHA


def test_cbrn_kills_12_to_15_percent_of_its_casualties() -> None:
    rates = [
        goldenhour.simulate("cbrn", seed=seed, patients=N).measures["mortality"]["case_fatality_rate"]
        for seed in (4, 5)
    ]
    assert 12 <= min(rates) <= max(rates) <= 15, rates
    assert min(rates) > summary_of("peacekeeping")["mortality"]["case_fatality_rate"] + 3


# --- the results of all that together


@pytest.mark.parametrize("name", TABLE)
def test_mortality_by_warfare_type(name: str) -> None:
    found = summary_of(name)["mortality"]
    assert found["battle_casualties"] == N
    seen = [found[x] for x in ("percent_kia", "percent_dow", "case_fatality_rate")]
    assert seen == pytest.approx(list(TABLE[name]), abs=1.5), name
