"""Arrivals: who is hurt when, where and with whom (docs/model.md section 2.3).

Statistical tests have fixed seeds; those of one test function share an error of 1 in 1,000 (Bonferroni).
"""

import hashlib
import itertools
import math
import time
import uuid
from typing import Any

import numpy as np
import pytest
from arrival_scenarios import (
    DAY,
    ESTONIA,
    POLAND,
    POSITIONS,
    builtin,
    constant,
    first_of_incidents,
    gamma,
    hurt,
    same,
    scenario,
    stream_is,
)
from msgspec.structs import replace
from scipy import stats

import scenarios
from engine import scenario as scenario_api
from engine.arrivals import expected_arrivals, generate, generate_arrivals, incidents, plan_arrivals
from engine.arrivals.counts import daily_counts
from engine.codes import CASUALTY_KINDS, NONE

# --- totals


@pytest.mark.parametrize("name", scenarios.builtin_names())
def test_the_number_asked_for_is_the_number_delivered(name: str) -> None:
    listed = scenario_api.number_listed(scenario_api.parse(scenarios.builtin_bytes(name), "toml"))
    totals = [total for total in (1, 2, 3, 7, 24, 100, 300, 1440) if total >= listed]
    for total in totals:
        assert len(hurt(builtin(name, total), seed=total)) == total
    assert len(totals) >= 2


def test_streams_and_fronts_get_their_shares() -> None:
    s = scenario("urban", 60_000, mix=scenario_api.Mix(battle=0.5, nbi=0.2, disease=0.3))
    rows = hurt(s)
    seen = {k: len(stream_is(rows, k)) for k in ("wounded", "nbi", "disease")}
    tests = [
        stats.binomtest(seen[k], len(rows), p).pvalue
        for k, p in (("wounded", 0.5), ("nbi", 0.2), ("disease", 0.3))
    ]
    fronts = np.bincount(rows["front"], minlength=3)
    tests.append(stats.chisquare(fronts, len(rows) * np.array([f.share for f in s.fronts])).pvalue)
    assert min(tests) > 0.001 / len(tests)


def test_types_share_by_weight() -> None:
    types = [scenario_api.Warfare(type="urban", weight=3.0), scenario_api.Warfare(type="drone", weight=1.0)]
    s = scenario_api.resolve(
        scenario_api.Scenario(
            name="t",
            casualties=scenario_api.Casualties(total=40_000),
            warfare=types,
            mix=scenario_api.Mix(battle=0.5, nbi=0.2, disease=0.3),
        )
    )
    counts = np.bincount(hurt(s)["type"], minlength=2)
    assert stats.binomtest(int(counts[0]), 40_000, 0.75).pvalue > 0.001


def test_the_days_get_their_weights() -> None:
    for s in (
        scenario("conventional", 100_000, tempo="escalating"),
        scenario("", 20_000, day_weights=[0, 3, 1, 4, 0, 0, 2, 0]),
    ):
        want = np.array(scenario_api.day_weights_of(s))
        seen = np.zeros(8)
        for seed in range(60):
            rows = hurt(s, seed)
            seen += np.bincount(rows["incident_time"] // DAY, minlength=8) / len(rows) / 60
        assert np.allclose(seen, want, rtol=0.015)
        assert (seen[want == 0] == 0).all()


def test_what_is_expected_adds_up_and_is_what_comes() -> None:
    for s in (
        scenario("conventional cbrn", 30_000, events=[scenario_api.SpecialEvent(event="ambush", day=3)]),
        scenario(
            "urban", battle=[constant(40.0), constant(20.0)], disease=constant(30.0), days=8, tempo="surge"
        ),
    ):
        plan = plan_arrivals(s)
        rows = expected_arrivals(plan)
        mean = sum(row.expected for row in rows)
        if plan.total is not None:
            assert mean == pytest.approx(plan.total)
        seen = np.mean([len(hurt(s, seed=i)) for i in range(5)])
        assert seen == pytest.approx(mean, abs=5 * math.sqrt(mean / 5))
        got = hurt(s)
        for stream, kinds in (("battle", ("wounded", "agent")), ("disease", ("disease",))):
            want = sum(row.expected for row in rows if row.stream == stream)
            assert len(stream_is(got, *kinds)) == pytest.approx(want, abs=5 * math.sqrt(want) + 1)


def test_a_billion_can_be_planned_and_begun_at_once() -> None:
    next(generate_arrivals(plan_arrivals(scenario("", 2000)), 1, 0))
    began = time.perf_counter()
    first = next(generate_arrivals(plan_arrivals(scenario("", 10**9)), 1, 0))
    assert time.perf_counter() - began < 2.0
    assert 4096 <= len(first) <= generate.LARGEST_BATCH


# --- order, identity, incidents


@pytest.mark.parametrize("types", ["", "conventional", "cbrn", "artillery drone"])
def test_batches_are_sorted_and_ids_unique(types: str) -> None:
    batches = list(generate_arrivals(plan_arrivals(scenario(types, 120_000, days=2)), 5, 0))
    assert max(map(len, batches)) <= generate.LARGEST_BATCH
    rows = np.concatenate(batches)
    keys = list(zip(rows["time"].tolist(), rows["id_hi"].tolist(), rows["id_lo"].tolist(), strict=True))
    assert keys == sorted(keys)
    assert len({key[1:] for key in keys}) == len(keys)
    assert np.unique(rows[["cell", "index"]]).size == len(rows)


def test_ids_are_uuids_of_version_8() -> None:
    for row in hurt(scenario("", 50)):
        made = uuid.UUID(int=int(row["id_hi"]) << 64 | int(row["id_lo"]))
        assert (made.version, made.variant) == (8, uuid.RFC_4122)


def test_the_order_of_equal_times_is_that_of_the_ids() -> None:
    rows = hurt(scenario("", 300_000, days=1, day_weights=[1.0]), seed=2)
    ties = np.flatnonzero(np.diff(rows["time"]) == 0)
    assert len(ties) > 100
    assert (rows["id_hi"][ties] < rows["id_hi"][ties + 1]).all()


def test_an_incident_has_one_place_type_and_kind_and_lasts_minutes() -> None:
    rows = hurt(scenario("conventional artillery cbrn", 30_000))
    order = np.argsort(rows["incident"], kind="stable")
    for group in np.split(rows[order], np.flatnonzero(np.diff(rows["incident"][order])) + 1):
        assert (group["incident_size"] == len(group)).all()
        for name in ("front", "type", "kind", "incident_time", "cell"):
            assert (group[name] == group[name][0]).all()
        assert group["time"][0] == group["incident_time"][0]
        assert group["time"].max() - group["time"][0] <= 20 * 60_000
        assert len(group) == 1 or CASUALTY_KINDS[group["kind"][0]] in ("wounded", "agent")


def test_an_incident_that_is_not_over_at_midnight_goes_on() -> None:
    rows = hurt(scenario("artillery", 100_000))
    assert (rows["time"] // DAY > rows["incident_time"] // DAY).any()


def test_the_same_run_twice_is_the_same_and_another_seed_or_replication_is_not() -> None:
    s = scenario("guerrilla", 3000)
    rows = hurt(s)
    assert (rows == hurt(s)).all()
    for other in (hurt(s, 2), hurt(s, 1, 1)):
        assert not np.isin(other["id_lo"], rows["id_lo"]).any()


def test_nobody_is_nothing() -> None:
    assert len(hurt(scenario(battle=constant(1e-9)))) == 0


# --- incident sizes


def test_sizes_are_those_of_independent_incidents_that_sum_to_the_total() -> None:
    law = incidents.SizeLaw(0.6, (2, 4), 0.25, (3, 5))
    tables = incidents.tabulate([law])
    p = law.probabilities()
    key = np.uint64(11)
    tests = []
    for n in (1, 4, 7):
        want: dict[tuple[int, ...], float] = {}
        for length in range(1, n + 1):
            for sizes in itertools.product(range(1, len(p)), repeat=length):
                if sum(sizes) == n:
                    want[sizes] = want.get(sizes, 0.0) + math.prod(p[s] for s in sizes)
        seen = dict.fromkeys(want, 0)
        runs = 6000
        for run in range(runs):
            left, sizes = n, []
            while left:
                word = incidents.four_words(key, np.uint64(n), np.uint64(run), np.uint64(len(sizes)))[0]
                sizes.append(incidents.draw_size(tables, 0, left, word))
                left -= sizes[-1]
            seen[tuple(sizes)] += 1
        total = sum(want.values())
        assert tables.renewal[0, n] == pytest.approx(total)
        likely = [s for s in want if want[s] / total * runs >= 5]
        observed = [*(seen[s] for s in likely), runs - sum(seen[s] for s in likely)]
        expected = [
            *(want[s] / total * runs for s in likely),
            runs * (1 - sum(want[s] for s in likely) / total),
        ]
        if expected[-1] < 1e-6:
            observed.pop(), expected.pop()
        if len(expected) > 1:
            tests.append(stats.chisquare(observed, np.array(expected) * sum(observed) / sum(expected)).pvalue)
    assert min(tests) > 0.001 / len(tests)


def test_seven_of_ten_conventional_incidents_hurt_one_person() -> None:
    rows = first_of_incidents(stream_is(hurt(scenario("conventional", 600_000)), "wounded"))
    assert (rows["incident_size"] == 1).mean() == pytest.approx(0.70, abs=0.01)
    clusters = rows["incident_size"][rows["incident_size"] > 1]
    assert stats.chisquare(np.bincount(clusters)[10:31]).pvalue > 0.001


def test_second_ranges_are_met() -> None:
    urban = first_of_incidents(stream_is(hurt(scenario("urban", 400_000)), "wounded"))["incident_size"]
    assert (urban > 20).mean() == pytest.approx(0.4 * 0.1 * 40 / 41, rel=0.1)
    drone = first_of_incidents(stream_is(hurt(scenario("drone", 400_000)), "wounded"))["incident_size"]
    assert (drone == 5).mean() == pytest.approx(0.1 * 0.7 / 5, rel=0.1)


def test_a_mass_casualty_event_below_its_smallest_size_is_one_incident() -> None:
    law = incidents.SizeLaw(0.99, (30, 100), whole=True)
    tables = incidents.tabulate([law])
    for left in (1, 2, 29):
        assert incidents.draw_size(tables, 0, left, 12345) == left
    sizes = {incidents.draw_size(tables, 0, 45, word) for word in range(0, 2**32, 2**24)}
    assert sizes <= {1, *range(30, 46)}
    assert max(sizes) > 30


def test_the_first_pass_counts_the_incidents_that_the_second_draws() -> None:
    law = incidents.SizeLaw(0.3, (10, 30))
    tables = incidents.tabulate([law])
    key, cell = np.uint64(3), np.uint64(4)
    once = incidents.count_incidents(tables, 0, 50_000, 0, 10**9, key, cell)
    left, counted = 50_000, 0
    while left:
        left, counted = incidents.count_incidents(tables, 0, left, counted, 100, key, cell)
    assert once == (0, counted)


# --- daily rates


def test_a_gamma_cox_process_has_the_mean_and_spread_of_the_closed_form() -> None:
    plan = plan_arrivals(scenario(battle=gamma(), days=3650))
    counts = np.concatenate([daily_counts(plan, 1, r)[:, 0] for r in range(274)])
    assert counts.size > 10**6
    assert counts.mean() == pytest.approx(4.425, rel=0.03)
    assert counts.std() == pytest.approx(math.sqrt(4.425 + (3.56 * 2.5) ** 2), rel=0.03)


def test_a_lognormal_cox_process_has_the_mean_and_empty_days_of_the_closed_form() -> None:
    rate = scenario_api.Distribution(distribution="lognormal", mean=1.77, sd=3.56)
    plan = plan_arrivals(scenario(battle=rate, days=3650))
    counts = np.concatenate([daily_counts(plan, 1, r)[:, 0] for r in range(100)])
    assert counts.mean() == pytest.approx(4.425, rel=0.03)
    assert (counts == 0).mean() == pytest.approx(0.246, abs=0.004)


def test_the_rate_of_a_day_is_shared_by_its_types_and_belongs_to_one_front() -> None:
    s = scenario("urban drone", battle=gamma(), days=3650, fronts=[POLAND, ESTONIA])
    counts = np.concatenate([daily_counts(plan_arrivals(s), 1, r) for r in range(30)])
    poland = counts[:, :2].sum(axis=1)
    assert poland.std() == pytest.approx(math.sqrt(4.425 + (3.56 * 2.5) ** 2), rel=0.08)
    assert np.corrcoef(counts[:, 0], counts[:, 1])[0, 1] > 0.8
    assert abs(np.corrcoef(poland, counts[:, 2:].sum(axis=1))[0, 1]) < 0.02


def test_components_of_a_rate_add_up_and_are_independent() -> None:
    plan = plan_arrivals(scenario(battle=[gamma(), gamma(0.68, 1.39)], days=3650))
    counts = np.concatenate([daily_counts(plan, 1, r)[:, 0] for r in range(60)])
    mean = 2.5 * (1.77 + 0.68)
    assert counts.mean() == pytest.approx(mean, rel=0.03)
    assert counts.std() == pytest.approx(math.sqrt(mean + 6.25 * (3.56**2 + 1.39**2)), rel=0.04)


def test_the_logarithm_of_an_autocorrelated_rate_is_stationary() -> None:
    rate = scenario_api.Distribution(distribution="lognormal", median=100.0, sigma=0.5, autocorrelation=0.6)
    crowd = replace(POLAND, population=1_000_000)
    plan = plan_arrivals(scenario(battle=rate, days=3650, fronts=[crowd]))
    logs = np.log(np.stack([daily_counts(plan, 1, r)[:, 0] for r in range(20)]) / 1e5)
    assert logs.mean() == pytest.approx(0.0, abs=0.03)
    assert logs.std() == pytest.approx(0.5, rel=0.03)
    assert np.corrcoef(logs[:, :-1].ravel(), logs[:, 1:].ravel())[0, 1] == pytest.approx(0.6, abs=0.02)
    assert logs[:, 0].std() == pytest.approx(0.5, rel=0.5)


def test_a_day_has_the_casualties_of_its_count() -> None:
    s = scenario("conventional", battle=gamma(), disease=constant(2.0), days=60)
    plan = plan_arrivals(s)
    rows = hurt(s)
    counts = daily_counts(plan, 1, 0).sum(axis=1)
    assert (np.bincount(rows["incident_time"] // DAY, minlength=60) == counts).all()


def test_depletion_keeps_a_part_of_the_same_casualties() -> None:
    heavy = [replace(POLAND, population=3000)]
    settings: dict[str, Any] = {
        "battle": constant(30.0),
        "disease": constant(5.0),
        "days": 60,
        "fronts": heavy,
    }
    full = hurt(scenario("artillery", **settings))
    left = hurt(scenario("artillery", depletion=True, **settings))
    assert np.isin(left["id_lo"], full["id_lo"]).all()
    first_day = left[left["incident_time"] < DAY]
    assert same(first_day, full[full["incident_time"] < DAY])
    strength = 3000 - np.cumsum(np.bincount(left["incident_time"] // DAY, minlength=60))
    everyone = np.bincount(full["incident_time"] // DAY, minlength=60)
    kept = np.bincount(left["incident_time"] // DAY, minlength=60)
    want = everyone[1:] * strength[:-1] / 3000
    assert ((kept[1:] - want) ** 2 / np.maximum(want, 1)).mean() < 2
    assert strength[-1] == pytest.approx(3000 * (1 - 0.035) ** 60, rel=0.15)
    table = expected_arrivals(plan_arrivals(scenario("artillery", depletion=True, **settings)))
    assert sum(row.expected for row in table) == pytest.approx(3000 * (1 - (1 - 0.035) ** 60), rel=1e-6)
    for group in (left[left["incident"] == i] for i in np.unique(left["incident"])[:200]):
        assert (group["incident_size"] == len(group)).all()


# --- common random numbers


def test_changing_one_front_leaves_the_others_casualties_alone() -> None:
    settings: dict[str, Any] = {"battle": gamma(), "disease": constant(2.0), "days": 30}
    both = hurt(scenario("urban", fronts=[POLAND, ESTONIA], **settings))
    changed = hurt(scenario("urban", fronts=[replace(POLAND, population=90_000), ESTONIA], **settings))
    alone = hurt(scenario("urban", fronts=[ESTONIA], **settings))
    estonia = both[both["front"] == 1]
    assert len(estonia) > 200
    assert same(estonia, changed[changed["front"] == 1])
    assert same(estonia, alone, (*POSITIONS, "number"))


def test_adding_a_type_or_an_event_leaves_the_draws_of_the_others_alone() -> None:
    urban = [scenario_api.Warfare(type="urban", weight=1.0)]
    base = scenario("urban", battle=constant(80.0), days=10)
    one = hurt(replace(base, warfare=urban))
    event = hurt(
        scenario_api.resolve(
            replace(base, warfare=urban, events=[scenario_api.SpecialEvent(event="ambush", day=2)])
        )
    )
    assert same(one, event[event["special"] == NONE], (*POSITIONS, "number"))
    drone = scenario_api.Warfare(type="drone", weight=0.25)
    two = hurt(
        replace(
            base,
            warfare=[drone, *urban],
            casualties=scenario_api.Casualties(rates=scenario_api.Rates(battle=constant(100.0))),
        )
    )
    assert same(one, two[two["type"] == 1], (*POSITIONS, "number"))


def test_the_order_of_fronts_and_types_does_not_matter() -> None:
    there = hurt(scenario("urban drone", 5000, fronts=[POLAND, ESTONIA]))
    back = hurt(scenario("drone urban", 5000, fronts=[ESTONIA, POLAND]))
    assert same(there, back)
    assert (there["front"] == 1 - back["front"]).all()


def test_a_higher_rate_never_gives_fewer_and_keeps_everyone() -> None:
    low = scenario("", battle=gamma(), days=200)
    high = scenario("", battle=gamma(1.77 * 1.3, 3.56 * 1.3), days=200)
    few, many = (daily_counts(plan_arrivals(s), 1, 0) for s in (low, high))
    assert (many >= few).all()
    assert many.sum() > few.sum()
    assert np.isin(hurt(low)[["id_lo", "number"]], hurt(high)[["id_lo", "number"]]).all()


def test_persons_keep_their_draws_when_the_total_changes() -> None:
    few, many = hurt(scenario("urban", 5000)), hurt(scenario("urban", 9000))
    assert np.isin(few[["cell", "index"]], many[["cell", "index"]]).mean() > 0.99
    assert np.isin(few["id_lo"], many["id_lo"]).mean() > 0.99
    numbers = dict(zip(many["id_lo"].tolist(), many["number"].tolist(), strict=True))
    assert all(numbers.get(row["id_lo"], row["number"]) == row["number"] for row in few)


# --- memory and machines


@pytest.mark.parametrize("types", ["", "conventional", " ".join(scenario_api.WARFARE_TYPES)])
def test_memory_does_not_follow_the_number_of_casualties(types: str) -> None:
    run = generate._Generator(plan_arrivals(scenario(types, 1_000_000, days=30)), 1, 0)
    assert sum(map(len, run.batches())) == 1_000_000
    assert run.buffer.nbytes < 6_000_000


def test_the_casualties_are_the_same_on_every_machine() -> None:
    """If a change of the arrivals is meant, so is that of this digest."""
    sha = hashlib.sha256()
    lognormal = scenario_api.Distribution(distribution="lognormal", mean=1.77, sd=3.56, autocorrelation=0.3)
    for s in (
        scenario("conventional", 5000, fronts=[POLAND]),
        scenario("", battle=[gamma(), lognormal], disease=constant(2.0), days=30),
    ):
        rows = hurt(s)
        for name in ("time", "id_hi", "id_lo", "cell", "incident", "incident_time", "index", "incident_size"):
            sha.update(rows[name].tobytes())
    assert sha.hexdigest()[:16] == "50332b36dfe44f62"
