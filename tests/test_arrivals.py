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
from msgspec.structs import replace
from scipy import stats

import scenarios
from engine import scenario as scenario_api
from engine.arrivals import expected_arrivals, generate, generate_arrivals, incidents, plan_arrivals, profiles
from engine.arrivals.counts import daily_counts
from engine.arrivals.parts import DAY_MS, HOUR_MS
from engine.codes import CASUALTY_KINDS, NONE
from engine.numeric import philox
from engine.tables import ARRIVAL
from scenarios import tables as scenario_tables

DAY = DAY_MS
HOUR = HOUR_MS
POLAND = scenario_api.Front(name="Poland", population=2500, nations={"POL": 1.0})
ESTONIA = scenario_api.Front(name="Estonia", population=4000, nations={"EST": 1.0})


def gamma(mean: float = 1.77, sd: float = 3.56) -> scenario_api.Distribution:
    return scenario_api.Distribution(distribution="gamma", mean=mean, sd=sd)


def constant(mean: float) -> scenario_api.Distribution:
    return scenario_api.Distribution(distribution="constant", mean=mean)


def scenario(
    types: str = "",
    total: int | None = None,
    battle: Any = None,
    disease: Any = None,
    depletion: bool = False,
    **settings: Any,
) -> scenario_api.Scenario:
    if total is None and (battle or disease):
        rates = scenario_api.Rates(battle=battle, disease=disease, depletion=depletion)
        settings.setdefault("fronts", [POLAND])
        casualties = scenario_api.Casualties(rates=rates)
    else:
        casualties = scenario_api.Casualties(total=total or 1440)
    warfare = [scenario_api.Warfare(type=name) for name in types.split()]  # type: ignore[arg-type]
    return scenario_api.resolve(
        scenario_api.Scenario(name="test", casualties=casualties, warfare=warfare, **settings)
    )


def builtin(name: str, total: int | None = None) -> scenario_api.Scenario:
    return scenario_api.resolve(
        scenario_api.with_overrides(
            scenario_api.parse(scenarios.builtin_bytes(name), "toml", name), total=total
        )
    )


def hurt(s: scenario_api.Scenario, seed: int = 1, replication: int = 0) -> Any:
    batches = list(generate_arrivals(plan_arrivals(s), seed, replication))
    return np.concatenate(batches) if batches else np.empty(0, ARRIVAL)


def first_of_incidents(rows: Any) -> Any:
    return rows[np.unique(rows["incident"], return_index=True)[1]]


def stream_is(rows: Any, *kinds: str) -> Any:
    return rows[np.isin(rows["kind"], [CASUALTY_KINDS.index(kind) for kind in kinds])]


POSITIONS = ("front", "type", "special")
"""Columns of positions in the scenario's lists."""


def same(a: Any, b: Any, without: tuple[str, ...] = POSITIONS) -> bool:
    """Whether two selections hold the same casualties; positions in the scenario's lists may differ.

    The casualties' numbers may differ where the scenarios have different cells.
    """
    names = [name for name in ARRIVAL.names or () if name not in without]
    return len(a) == len(b) and all((a[name] == b[name]).all() for name in names)


# --- totals


@pytest.mark.parametrize("name", scenarios.builtin_names())
def test_the_number_asked_for_is_the_number_delivered(name: str) -> None:
    for total in (1, 2, 3, 7, 24, 100, 1440):
        assert len(hurt(builtin(name, total), seed=total)) == total


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


# --- the hours of the day


@pytest.mark.parametrize("types", ["", *scenario_api.WARFARE_TYPES])
def test_incidents_start_as_the_drawn_profile_says(types: str) -> None:
    s = scenario(types, 200_000, days=1, day_weights=[1.0], fronts=[POLAND])
    plan = plan_arrivals(s)
    weights = np.zeros(profiles.QUARTERS)
    key = np.uint64(philox.key(1, 0, "arrivals profile"))
    profiles.draw_profile(plan.patterns[0], key, np.uint64(0), weights, np.empty(24))
    starts = first_of_incidents(hurt(s))["incident_time"] / DAY
    assert len(starts) > 5000

    def cumulated(x: Any) -> Any:
        return np.interp(x, np.linspace(0, 1, 97), np.concatenate([[0], np.cumsum(weights) / weights.sum()]))

    assert stats.kstest(starts, cumulated).pvalue > 0.001 / 9


def hours_of(types: str, **settings: Any) -> Any:
    rows = first_of_incidents(hurt(scenario(types, 50_000, **settings)))
    return np.bincount(rows["incident_time"] % DAY // HOUR, minlength=24) / len(rows)


def test_the_patterns_have_the_features_of_their_tables() -> None:
    conventional = hours_of("conventional")
    peak, night = [6, 7, 8, 9, 16, 17, 18, 19], [0, 1, 2, 3, 4, 5, 20, 21, 22, 23]
    dull = [10, 11, 12, 13, 14, 15]
    assert conventional[peak].mean() / conventional[dull].mean() == pytest.approx(5.0, rel=0.1)
    assert conventional[night].mean() / conventional[dull].mean() == pytest.approx(0.3, rel=0.1)
    urban = hours_of("urban")
    assert urban[6:10].mean() / urban[0:6].mean() == pytest.approx(3.0 / 0.8, rel=0.1)
    naval = hours_of("naval")
    assert naval[[4, 5, 6, 10, 11, 16, 17]].mean() / naval[[0, 1, 2, 3]].mean() == pytest.approx(
        10.0, rel=0.1
    )
    drone = hours_of("drone")
    assert drone[0:6].sum() + drone[21:].sum() == 0
    peace = hours_of("peacekeeping")
    assert peace[[8, 9, 10, 11, 14, 15, 16, 17]].sum() == pytest.approx(1.0)
    cbrn = hours_of("cbrn")
    assert cbrn[0:3].sum() > cbrn[3:].sum()
    assert cbrn[12] < cbrn[6] < cbrn[4]


def test_sporadic_windows_prefer_dawn_and_dusk_to_day_and_day_to_night() -> None:
    hours = hours_of("guerrilla", days=800, tempo="sustained")
    twilight = hours[[5, 6, 18, 19]].mean()
    assert twilight > hours[7:18].mean() > hours[[21, 22, 23, 0, 1, 2, 3, 4]].mean() > 0


def test_profiles_differ_between_days_and_fronts_but_not_between_streams() -> None:
    s = scenario("drone", 60_000, days=2, fronts=[POLAND, ESTONIA])
    rows = first_of_incidents(hurt(s))
    hour = rows["incident_time"] // HOUR

    def share(mask: Any) -> Any:
        return np.bincount(hour[mask] % 24, minlength=24) / mask.sum()

    wounded, day, front = rows["kind"] == 0, rows["incident_time"] // DAY, rows["front"]
    mine = (day == 0) & (front == 0)
    assert np.abs(share(mine & wounded) - share(mine & ~wounded)).max() < 0.05
    assert np.abs(share(mine) - share((day == 1) & (front == 0))).max() > 0.1
    assert np.abs(share(mine) - share((day == 0) & (front == 1))).max() > 0.1


def test_a_profile_is_never_empty() -> None:
    plan = plan_arrivals(scenario(" ".join(scenario_api.WARFARE_TYPES), 10, intensity="low", fronts=[POLAND]))
    weights = np.zeros(profiles.QUARTERS)
    for pattern in plan.patterns:
        for day in range(300):
            profiles.draw_profile(pattern, np.uint64(9), np.uint64(day), weights, np.empty(24))
            assert weights.min() >= 0
            assert weights.max() > 0


# --- every setting has an effect


def mean_size(rows: Any) -> float:
    return float(first_of_incidents(stream_is(rows, "wounded", "agent"))["incident_size"].mean())


@pytest.mark.parametrize("types", ["conventional", "urban", "guerrilla", "naval", "peacekeeping"])
def test_more_intensity_means_more_mass_casualties(types: str) -> None:
    sizes = [
        mean_size(hurt(scenario(types, 60_000, intensity=i))) for i in ("low", "medium", "high", "extreme")
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.97 * sizes[-1]


def test_more_intensity_means_more_casualties_under_rates() -> None:
    numbers = [
        len(hurt(scenario("", battle=constant(40.0), days=20, intensity=i)))
        for i in ("low", "medium", "high", "extreme")
    ]
    assert np.array(numbers) / numbers[1] == pytest.approx([0.5, 1.0, 1.5, 2.0], rel=0.08)


@pytest.mark.parametrize("types", ["artillery", "guerrilla", "drone", "peacekeeping"])
def test_more_intensity_means_more_windows_in_a_day(types: str) -> None:
    busy = []
    for intensity in ("low", "medium", "high", "extreme"):
        plan = plan_arrivals(scenario(types, 10, intensity=intensity, fronts=[POLAND]))
        weights, above = np.zeros(profiles.QUARTERS), 0
        for day in range(200):
            profiles.draw_profile(plan.patterns[0], np.uint64(4), np.uint64(day), weights, np.empty(24))
            above += int((weights > 0.5).sum())
        busy.append(above)
    assert busy == sorted(set(busy))


def test_tempo_moves_casualties_between_the_days() -> None:
    def by_day(**settings: Any) -> Any:
        return np.bincount(hurt(scenario("urban", 20_000, **settings))["incident_time"] // DAY, minlength=8)

    rising, falling = by_day(tempo="escalating"), by_day(tempo="declining")
    assert rising[-1] > 3 * rising[0]
    assert falling[0] > 3 * falling[-1]
    assert by_day(tempo="surge").argmax() == 2
    assert by_day(tempo="intermittent")[1] < 0.5 * by_day(tempo="intermittent")[0]
    rates = scenario("", battle=constant(50.0), days=8, tempo="escalating")
    days = np.bincount(hurt(rates)["incident_time"] // DAY, minlength=8)
    assert days[-1] > 3 * days[0]


@pytest.mark.parametrize(
    ("name", "injured", "ill"),
    [
        (n, row["casualty_modifier"], row["disease_multiplier"])
        for n, row in scenario_tables.warfare_patterns()["environmental_modifiers"].items()
    ],
)
def test_the_environment_multiplies_rates_and_shifts_the_mix_of_a_total(
    name: Any, injured: float, ill: float
) -> None:
    settings: dict[str, Any] = {"battle": constant(100.0), "disease": constant(100.0), "days": 40}
    plain, changed = (
        expected_arrivals(plan_arrivals(scenario(**settings, environment=e))) for e in ([], [name])
    )
    for stream, factor in (("battle", injured), ("disease", ill)):
        a, b = (sum(r.expected for r in rows if r.stream == stream) for rows in (plain, changed))
        assert b / a == pytest.approx(factor)
    plain_rows, rows = (hurt(scenario("", 40_000, environment=e)) for e in ([], [name]))
    shift = len(stream_is(rows, "disease")) - len(stream_is(plain_rows, "disease"))
    assert shift > 0 if ill > injured else shift < 0


@pytest.mark.parametrize(
    ("event", "hours", "start"), [("major_offensive", 4, {5, 6, 7}), ("ambush", 1, {6, 7, 17, 18, 19})]
)
def test_a_special_event_happens_in_its_window_with_its_share(
    event: Any, hours: float, start: set[int]
) -> None:
    s = scenario("conventional", 100_000, events=[scenario_api.SpecialEvent(event=event, day=3)])
    rows = hurt(s)
    special = rows[rows["special"] == 0]
    began = special["incident_time"] - 2 * DAY
    first = began.min() // HOUR
    assert first in start
    assert began.max() < (first + hours) * HOUR
    assert {CASUALTY_KINDS[k] for k in np.unique(special["kind"])} == {"wounded"}
    multiplier = {"major_offensive": 3.0, "ambush": 2.0}[event]
    weight = multiplier * hours / 24 / 8
    battle = len(stream_is(rows, "wounded"))
    assert len(special) / battle == pytest.approx(weight / (1 + weight), rel=0.15)
    assert (
        stats.chisquare(
            np.bincount(special["front"], minlength=3), len(special) * np.array([0.6, 0.3, 0.1])
        ).pvalue
        > 1e-4
    )
    sizes = first_of_incidents(special)["incident_size"]
    assert sizes.max() <= 30


def test_a_mass_casualty_event_on_a_named_front_at_a_named_hour() -> None:
    event = scenario_api.SpecialEvent(
        event="mass_casualty", day=2, hour=13.25, front="Estonia", casualty_multiplier=10.0
    )
    rows = hurt(scenario("", 20_000, events=[event, event]))
    assert set(np.unique(rows["special"])) == {0, 1, NONE}
    for number in (0, 1):
        special = rows[rows["special"] == number]
        assert {int(f) for f in np.unique(special["front"])} == {1}
        assert special["incident_time"].min() >= DAY + 13.25 * HOUR
        assert special["incident_time"].max() < DAY + 13.75 * HOUR
        sizes = first_of_incidents(special)["incident_size"]
        assert len(sizes) == 1
        assert len(special) == sizes[0]
        assert 60 <= sizes[0] <= 200  # twice the range of the table
    calm = hurt(scenario("", 20_000))
    assert len(calm) == len(rows)
    assert np.bincount(rows["front"])[1] == pytest.approx(np.bincount(calm["front"])[1], rel=0.05)


def test_an_event_adds_casualties_under_rates() -> None:
    settings: dict[str, Any] = {"battle": constant(60.0), "days": 9}
    calm = hurt(scenario("urban", **settings))
    rows = hurt(scenario("urban", events=[scenario_api.SpecialEvent(event="major_offensive")], **settings))
    added = rows[rows["special"] == 0]
    assert len(rows) == len(calm) + len(added)
    assert len(added) == pytest.approx(60 * 2.5 * 3.0 * 4 / 24, abs=40)
    assert set((added["incident_time"] // DAY).tolist()) == {4}


def test_the_agent_of_cbrn_hurts_in_the_battle_stream() -> None:
    rows = hurt(scenario("cbrn", 20_000))
    shares = np.bincount(rows["kind"], minlength=5) / len(rows)
    assert shares[CASUALTY_KINDS.index("agent")] == pytest.approx(
        scenario_api.agent_share("cbrn") * (shares[0] + shares[1]), rel=0.02
    )
    assert shares[CASUALTY_KINDS.index("disease")] == 0
    assert mean_size(rows) > 50


def test_every_warfare_type_changes_the_arrivals() -> None:
    seen = {name: hours_of(name).round(3).tobytes() for name in scenario_api.WARFARE_TYPES}
    assert len(set(seen.values())) == len(scenario_api.WARFARE_TYPES)


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
