"""What the replications of an experiment say: estimates, effects of factors, and when there are enough of them."""

import math

import numpy as np
import pytest

from engine.errors import InputError
from engine.experiments import (
    EFFECT_COLUMNS,
    alias_notes,
    assess_points,
    design_of,
    effect_row,
    effects_of,
    estimate_columns,
    estimate_notes,
    estimate_points,
    estimate_row,
    first_counts,
    parse_plan,
    prepare_base,
)
from engine.inference import holm, mean_interval, mean_p_value, paired_interval, quantile_interval
from goldenhour.result import load_scenario

BRIGADE, ORIGIN = load_scenario("brigade")
FIELDS = ("surgical_teams", "operating_tables", "ward_beds", "icu_beds", "treatment_bays", "triage_teams")


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def designed(kind, factors, more=""):
    """The points of a design over some settings of a facility; by name of a field, its levels or range."""
    lines = [f'scenario = "brigade"\n[design]\nkind = "{kind}"\n{more}']
    for field, values in factors.items():
        lines.append(f'[[factors]]\npath = "facilities[R2-North].{field}"\nname = "{field}"\n{values}')
    plan = parse_plan("\n".join(lines).encode())
    return design_of(plan, prepare_base(plan, BRIGADE, ORIGIN))


# --- estimates


def test_an_estimate_has_the_intervals_of_its_own_replications():
    values = [10.0 + normal(1, 50), 12.0 + normal(2, 80)]
    values[1][[3, 60]] = math.nan
    base, other = estimate_points({"x": values}, quantiles=(0.9,), baseline=0)
    assert base.mean == mean_interval(values[0])
    assert base.difference is None
    assert other.mean == mean_interval(values[1])
    assert (other.mean.count, other.mean.missing) == (78, 2)
    assert other.median == quantile_interval(values[1], 0.5)
    assert other.quantiles == (quantile_interval(values[1], 0.9),)
    assert other.difference == paired_interval(values[0], values[1][:50])
    assert (other.difference.count, other.difference.missing) == (49, 1)


def test_the_intervals_of_differences_hold_together_and_p_values_are_adjusted_over_all_comparisons():
    values = {
        name: [normal(seed + point, 40) + 0.3 * point for point in range(4)]
        for seed, name in ((0, "a"), (9, "b"))
    }
    found = estimate_points(values, baseline=1)
    others = [estimate for estimate in found if estimate.point != 1]
    assert len(others) == 6
    for estimate in others:
        base, own = values[estimate.measure][1], values[estimate.measure][estimate.point]
        assert estimate.difference == paired_interval(base, own, 1.0 - 0.05 / 3)
    raw = [mean_p_value(values[e.measure][e.point] - values[e.measure][1]) for e in others]
    assert [estimate.p_holm for estimate in others] == holm(raw).tolist()
    assert all(math.isnan(estimate.p_holm) for estimate in found if estimate.point == 1)


def test_sequential_estimates_have_wider_intervals_and_larger_p_values():
    values = {"x": [normal(1, 60), 0.5 + normal(2, 60)]}
    fixed, sequential = (estimate_points(values, baseline=0, sequential=each)[1] for each in (False, True))
    assert sequential.mean == mean_interval(values["x"][1], 0.96)
    assert sequential.difference == paired_interval(*values["x"], 0.96)
    assert sequential.p_value > 1.2 * fixed.p_value
    assert sequential.difference.contains(0.0) == (sequential.p_value > 0.05)


def test_twenty_comparisons_without_a_difference_rarely_show_one():
    wrong = missed = 0
    for seed in range(150):
        rows = estimate_points({"x": list(normal(seed, 21, 30))}, baseline=0)
        wrong += any(row.p_holm <= 0.05 for row in rows)
        missed += any(row.difference is not None and not row.difference.contains(0.0) for row in rows)
    assert wrong <= missed <= 0.09 * 150


def test_rows_have_a_number_for_each_column():
    rows = estimate_points({"x": [normal(1, 50), normal(2, 50)]}, quantiles=(0.5, 0.975), baseline=0)
    columns = estimate_columns((0.5, 0.975))
    table = [dict(zip(columns, estimate_row(row, f"p{row.point}"), strict=True)) for row in rows]
    assert (table[1]["point"], table[1]["label"], table[1]["measure"], table[1]["n"]) == (1, "p1", "x", 50)
    assert table[1]["low"] == rows[1].mean.low
    assert table[1]["q0.975_high"] == rows[1].quantiles[1].high
    assert table[1]["difference_low"] == rows[1].difference.low
    assert table[1]["pairs"] == 50
    assert math.isnan(table[0]["difference"])


def test_what_a_reader_must_know_is_said():
    some = normal(3, 50)
    some[:7] = math.nan
    values = [normal(1, 50), np.full(50, 4.0), some, np.full(50, math.nan), normal(1, 50) + 1.0]
    notes = estimate_notes(
        estimate_points({"x": values}, quantiles=(0.99,), baseline=0), list("abcde"), quantiles=(0.99,)
    )
    constant = next(note for note in notes if note.startswith("x, b: "))
    assert "all 50 values are equal, so the interval has no width" in constant
    assert constant.endswith("other values may still occur in up to 5.8 % of replications")
    assert "x, c: no data in 7 of 50 replications, which are left out" in notes
    assert "x, d: no data in 50 of 50 replications, which are left out" in notes
    assert any(
        note.startswith("x, e, difference from the baseline (1): all 50 values are equal") for note in notes
    )
    assert "x: 43 values are too few for both bounds of the quantile 0.99; 368 are needed" in notes


def test_notes_of_many_points_are_one():
    values = [normal(point, 20) for point in range(12)]
    for point in range(2, 9):
        values[point][: point - 1] = math.nan
    notes = estimate_notes(estimate_points({"x": values}), [str(point) for point in range(12)])
    assert notes == ["x: at 7 of 12 points replications without data are left out, at most 7 of 20"]


# --- effects


def test_a_full_factorial_has_main_effects_and_interactions_and_pairing_makes_them_exact():
    points = designed(
        "full factorial", {"surgical_teams": "levels = [1, 2]", "operating_tables": "levels = [1, 2, 4]"}
    )
    common = 100.0 * normal(1, 30)
    values = [
        3.0 * teams + 2.0 * tables + 1.0 * teams * tables + common
        for teams, tables in (p.values for p in points)
    ]
    effects = effects_of(points, "x", values)
    found = {(effect.kind, effect.name, effect.statistic): effect for effect in effects}
    means = {
        ("main effect", "surgical_teams", "1 -> 2"): 3.0 + 7.0 / 3.0,
        ("main effect", "operating_tables", "1 -> 2"): 2.0 + 1.5,
        ("main effect", "operating_tables", "1 -> 4"): 3 * (2.0 + 1.5),
        ("interaction", "surgical_teams x operating_tables", "1 -> 2 x 1 -> 2"): 1.0,
        ("interaction", "surgical_teams x operating_tables", "1 -> 2 x 1 -> 4"): 3.0,
    }
    assert set(found) == set(means)
    for key, mean in means.items():
        assert found[key].interval.estimate == pytest.approx(mean)
        assert found[key].interval.half_width < 1e-9
        assert found[key].p_holm < 1e-6
    assert len(effect_row(effects[0])) == len(EFFECT_COLUMNS)


def test_the_interval_of_an_effect_is_that_of_its_contrasts_by_replication():
    points = designed(
        "full factorial", {"surgical_teams": "levels = [1, 2]", "operating_tables": "low = 1\nhigh = 3"}
    )
    values = list(normal(5, 4, 25))
    values[2][4] = math.nan
    values[3] = np.append(values[3], 7.0)
    main, other, interaction = effects_of(points, "x", values)
    low, low_high, high, both = (column[:25] for column in values)
    assert main.interval == mean_interval(0.5 * (high + both) - 0.5 * (low + low_high))
    assert (main.interval.count, main.interval.missing) == (24, 1)
    assert other.interval.estimate == pytest.approx(
        mean_interval(0.5 * (low_high + both) - 0.5 * (low + high)).estimate
    )
    assert interaction.interval.estimate == pytest.approx(
        mean_interval(both - high - low_high + low).estimate
    )


def test_a_fraction_finds_main_effects_and_says_what_it_cannot_tell_apart():
    factors = dict.fromkeys(FIELDS[:4], "levels = [2, 1]")
    points = designed("fractional factorial", factors, "resolution = 4")
    assert len(points) == 8
    weights = {"surgical_teams": 5.0, "operating_tables": -3.0, "ward_beds": 2.0, "icu_beds": 1.0}
    values = []
    for point in points:
        named = dict(zip(points.names, point.values, strict=True))
        interaction = named["surgical_teams"] * named["operating_tables"]
        values.append(
            sum(weights[name] * value for name, value in named.items()) + interaction + normal(1, 20)
        )
    effects = effects_of(points, "x", values)
    found = {effect.name: effect.interval.estimate for effect in effects}
    assert [found[name] for name in weights] == pytest.approx([-6.5, 1.5, -2.0, -1.0])
    assert all(effect.statistic == "2 -> 1" for effect in effects if effect.kind == "main effect")
    assert found["surgical_teams x operating_tables"] == pytest.approx(1.0)
    assert len(effects) == 4 + 3
    assert "cannot be told apart: surgical_teams x operating_tables, ward_beds x icu_beds" in alias_notes(
        points
    )


def test_one_at_a_time_has_the_difference_of_each_level_from_the_scenario_as_it_is():
    points = designed(
        "one at a time", {"surgical_teams": "levels = [1, 2, 3]", "ward_beds": "low = 5\nhigh = 50"}
    )
    values = list(normal(5, 5, 25))
    effects = effects_of(points, "x", values)
    own = points.rows[0][1]
    assert [(effect.name, effect.statistic) for effect in effects] == [
        ("surgical_teams", "2 -> 1"),
        ("surgical_teams", "2 -> 3"),
        ("ward_beds", f"{own} -> 5"),
        ("ward_beds", f"{own} -> 50"),
    ]
    for number, effect in enumerate(effects, 1):
        assert effect.interval == pytest.approx(paired_interval(values[0], values[number]))


def linear(points, weights, replications, noise=0.0):
    """Results that are linear in the coordinates of a design, with noise of their own in each replication."""
    outputs = points.units @ weights
    return [value + noise * normal(number, replications) for number, value in enumerate(outputs)]


def test_morris_finds_the_effect_of_a_group():
    factors = {
        "surgical_teams": 'low = 1\nhigh = 9\ngroup = "surgery"',
        "operating_tables": 'low = 1\nhigh = 9\ngroup = "surgery"',
        "ward_beds": "low = 1\nhigh = 60",
    }
    points = designed("Morris", factors, "trajectories = 30")
    found = {
        (e.name, e.statistic): e.interval
        for e in effects_of(points, "x", [np.full(3, value) for value in points.positions @ [1.0, 2.0, -4.0]])
    }
    assert found["ward_beds", "mu"].estimate == pytest.approx(-4.0)
    assert found["ward_beds", "mu*"].estimate == pytest.approx(4.0)
    assert found["ward_beds", "sigma"].estimate == pytest.approx(0.0, abs=1e-9)
    assert 1.0 <= found["surgery", "mu*"].estimate <= 3.0
    assert ("surgery", "mu") not in found


def test_morris_divides_by_how_far_the_value_moved():
    """A step of 2/3 changes two levels from the one to the other, and a whole number by what rounding leaves."""
    factors = {
        "surgical_teams": "levels = [10, 20]",
        "ward_beds": "low = 1\nhigh = 4",
        "icu_beds": "levels = [9, 3, 5]",
    }
    points = designed("Morris", factors, "trajectories = 20")
    values = [np.full(2, teams + 100.0 * beds) for teams, beds, _ in points.rows]
    found = {(e.name, e.statistic): e for e in effects_of(points, "x", values)}
    assert found["surgical_teams", "mu*"].interval.estimate == pytest.approx(10.0)
    assert found["surgical_teams", "mu"].interval.estimate == pytest.approx(10.0)
    assert found["ward_beds", "mu"].interval.estimate == pytest.approx(300.0)
    assert found["ward_beds", "sigma"].interval.estimate == pytest.approx(0.0, abs=1e-9)
    assert found["icu_beds", "mu*"].interval.estimate == 0.0
    assert [found[name, "mu*"].p_holm <= 0.05 for name in points.names] == [True, True, False]


def told(effects, kind):
    return [e for e in effects if e.kind == kind and e.p_holm <= 0.05]


def test_of_factors_that_do_nothing_morris_seldom_names_one():
    """The interval of mu*, a mean of absolute values, excludes 0 for all of them, for noise has a size."""
    points = designed("Morris", dict.fromkeys(FIELDS[:4], "low = 1\nhigh = 60"), "trajectories = 20")
    random, named = np.random.default_rng(23), 0
    for _ in range(200):
        effects = effects_of(points, "x", list(random.normal(size=(len(points), 5))))
        assert all(e.interval.low > 0.0 for e in effects if e.statistic == "mu*")
        named += bool(told(effects, "Morris"))
    assert named / 200 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 200)


def test_of_assumptions_that_do_nothing_one_is_seldom_named():
    """One by one at least one of 48 is named in nine of ten experiments."""
    points = designed("assumptions", {}, "points = 64")
    random, named, one_by_one = np.random.default_rng(24), 0, 0
    for _ in range(100):
        effects = effects_of(points, "x", list(random.normal(size=(len(points), 5))))
        named += bool(told(effects, "rank correlation"))
        intervals = [e.interval for e in effects if e.kind == "rank correlation"]
        one_by_one += any(interval.low > 0.0 or interval.high < 0.0 for interval in intervals)
    assert named / 100 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 100)
    assert one_by_one / 100 > 0.5


def test_sobol_indices_of_a_linear_result_are_the_squares_of_its_weights():
    factors = {"surgical_teams": "low = 1\nhigh = 9", "ward_beds": "low = 1\nhigh = 60"}
    points = designed("Sobol indices", factors, "base = 256")
    effects = effects_of(points, "x", linear(points, [1.0, 2.0], 8, 0.2))
    found = {(effect.name, effect.statistic): effect.interval for effect in effects}
    assert found["ward_beds", "first order"].contains(0.8)
    assert found["surgical_teams", "total"].contains(0.2)
    assert found["chance", "share of variance"].contains(0.04 / (0.04 + 5.0 / 12.0))


def test_other_designs_have_rank_correlations_of_the_means_and_lists_have_none():
    factors = {"surgical_teams": "low = 1\nhigh = 60", "ward_beds": "low = 1\nhigh = 60"}
    points = designed("Latin hypercube", factors, "points = 40")
    values = linear(points, [0.0, -5.0], 10, 0.1)
    values[3] = np.full(10, math.nan)
    teams, beds = effects_of(points, "x", values)
    assert beds.interval.high < -0.9
    assert (beds.interval.count, beds.interval.missing) == (39, 1)
    assert teams.interval.contains(0.0)
    listed = parse_plan(b'scenario = "brigade"\n[[points]]\nlabel = "one"')
    assert effects_of(design_of(listed, prepare_base(listed, BRIGADE)), "x", [normal(1, 5)]) == []


def test_an_experiment_with_assumptions_separates_chance_from_ignorance():
    points = designed("assumptions", {}, "points = 50")
    common = normal(1, 40)
    ignorance = 2.0 * points.units[:, 3]
    values = [mean + common + 0.1 * normal(number, 40) for number, mean in enumerate(ignorance)]
    effects = effects_of(points, "x", values)
    share = next(effect.interval for effect in effects if effect.statistic == "share of variance")
    of_mean = 4.0 / 12.0
    assert share.estimate == pytest.approx(of_mean / (of_mean + np.var(common, ddof=1)), rel=0.1)
    strongest = max(
        (effect for effect in effects if effect.kind == "rank correlation"),
        key=lambda effect: abs(effect.interval.estimate),
    )
    assert strongest.name == points.names[3]


# --- when to stop


def plan_of(replications, results=""):
    text = f'scenario = "brigade"\n[[points]]\n[replications]\n{replications}\n[results]\n{results}'
    return parse_plan(text.encode())


def carried_out(plan, results, baseline, batch=1):
    """Extend the replications of each point until the plan is fulfilled; return the last decision and all counts."""
    labels = [f"p{point}" for point in range(len(results["x"]))]
    counts = list(first_counts(plan, len(labels), batch))
    while True:
        values = {
            name: [column[:n] for column, n in zip(columns, counts, strict=True)]
            for name, columns in results.items()
        }
        found = assess_points(plan, values, baseline, labels, batch)
        if found.done:
            return found, counts
        assert sum(found.wanted) > sum(counts)
        counts = [max(have, want) for have, want in zip(counts, found.wanted, strict=True)]


def test_a_fixed_count_is_the_same_for_all_points():
    plan = plan_of("count = 30")
    assert first_counts(plan, 3) == (30, 30, 30)
    found, _ = carried_out(plan, {"x": list(normal(1, 3, 30))}, 0)
    assert found.wanted == (30, 30, 30)
    assert found.met


def test_each_point_stops_by_itself_when_its_own_interval_is_narrow_enough():
    plan = plan_of("half_width = { x = 0.5 }\nfirst = 20\nmost = 5000", 'measures = ["x"]\nbaseline = "none"')
    results = {"x": [scale * normal(1, 5000) for scale in (0.5, 2.0, 6.0)]}
    found, counts = carried_out(plan, results, None)
    assert found.met
    assert list(found.wanted) == counts
    assert counts[0] == 20
    assert counts == sorted(counts)
    for column, count in zip(results["x"], counts, strict=True):
        assert mean_interval(column[:count], 0.96).half_width <= 0.5


def kind_plan(kind, factors):
    text = f'scenario = "brigade"\n[design]\nkind = "{kind}"\n[replications]\nhalf_width = {{ x = 0.5 }}\nfirst = 20\n'
    text += 'most = 5000\n[results]\nmeasures = ["x"]\nbaseline = "none"\n'
    for name in factors:
        text += f'[[factors]]\npath = "facilities[R2-North].{name}"\nlow = 1\nhigh = 2\n'
    return parse_plan(text.encode())


def test_all_points_of_a_factorial_have_as_many_replications_as_the_one_that_needs_most():
    """An effect uses the replications that all points have; it would drop most of the others."""
    plan = kind_plan("full factorial", FIELDS[:2])
    results = {"x": [scale * normal(1, 5000) for scale in (0.5, 2.0, 6.0, 1.0)]}
    found, counts = carried_out(plan, results, None)
    assert found.met and set(found.wanted) == set(counts) == {max(counts)}
    assert counts[0] > 200
    assert any("all points have" in note for note in found.notes)
    other, _ = carried_out(kind_plan("Morris", FIELDS[:2]), results, None)
    assert min(other.wanted) < max(other.wanted)
    assert any("effects use the first 20" in note for note in other.notes)


def test_the_effect_of_one_change_uses_the_replications_of_its_two_points():
    points = designed("one at a time", {"surgical_teams": "levels = [1, 2, 3]"})
    values = [normal(1, 60), normal(2, 60), normal(3, 25)]
    one, other = effects_of(points, "x", values)
    assert (one.interval.count, one.interval.missing) == (60, 0)
    assert (other.interval.count, other.interval.missing) == (25, 0)
    assert one.interval == pytest.approx(paired_interval(values[0], values[1]))


@pytest.mark.parametrize(("kind", "numbers"), [("full factorial", ""), ("Morris", "trajectories = 5")])
def test_p_values_of_effects_are_corrected_for_stopping(kind, numbers):
    points = designed(kind, dict.fromkeys(FIELDS[:2], "low = 1\nhigh = 9"), numbers)
    values = list(normal(6, len(points), 40))
    fixed, stopped = (
        [e.p_holm for e in effects_of(points, "x", values, sequential=sequential) if not math.isnan(e.p_holm)]
        for sequential in (False, True)
    )
    assert all(a < b or a == b == 1.0 for a, b in zip(fixed, stopped, strict=True))
    assert any(b > a for a, b in zip(fixed, stopped, strict=True))


def test_half_widths_of_differences_hold_together_and_the_baseline_has_as_many_as_any():
    plan = plan_of("half_width = { x = 0.4 }\nfirst = 20\nmost = 5000", 'measures = ["x"]')
    common = 50.0 * normal(1, 5000)
    results = {"x": [common, common + normal(2, 5000), common + 4.0 * normal(3, 5000)]}
    found, counts = carried_out(plan, results, 0)
    assert counts[1] < counts[2] == counts[0] < 1000
    for point in (1, 2):
        n = counts[point]
        assert paired_interval(results["x"][0][:n], results["x"][point][:n], 0.98).half_width <= 0.4
    assert found.met
    assert found.notes == ()


def test_the_decision_does_not_depend_on_what_was_simulated_in_advance():
    plan = plan_of("half_width = { x = 0.5 }\nmost = 2000", 'measures = ["x"]\nbaseline = "none"')
    results = {"x": [3.0 * normal(1, 2000), 6.0 * normal(2, 2000)]}
    found, counts = carried_out(plan, results, None, batch=16)
    assert all(count % 16 == 0 for count in counts)
    assert assess_points(plan, results, None, ["a", "b"], 16).wanted == found.wanted


def test_a_share_of_a_difference_is_one_of_the_baselines_mean():
    plan = plan_of('half_width = { x = "5 %" }\nfirst = 20\nmost = 5000', 'measures = ["x"]')
    base = 100.0 + normal(1, 5000)
    results = {"x": [base, base + 20.0 * normal(2, 5000)]}
    found, counts = carried_out(plan, results, 0)
    assert found.met
    assert 60 <= counts[1] <= 160


def test_a_half_width_that_is_not_reached_is_said_with_what_it_would_need():
    plan = plan_of("half_width = { x = 0.01 }\nfirst = 20\nmost = 100", 'measures = ["x"]\nbaseline = "none"')
    found, _ = carried_out(plan, {"x": [normal(1, 100), np.zeros(100)]}, None)
    assert not found.met
    (note,) = found.notes
    assert note.startswith("p0: x: half-width 0.178")
    assert "after 100 replications, the cap" in note
    first = assess_points(plan, {"x": [normal(1, 20), np.zeros(20)]}, None, ["p0", "p1"])
    assert first.open_points == 1
    assert first.widest.startswith("x of p0: half-width 0.")
    assert first.expected > 10_000


def test_differences_without_a_baseline_are_refused():
    plan = plan_of('half_width = { x = 1 }\nof = "differences"', 'measures = ["x"]')
    with pytest.raises(InputError, match='of = "differences" without a baseline'):
        assess_points(plan, {"x": [normal(1, 50)]}, None, ["a"])
    with pytest.raises(InputError, match="and one point"):
        assess_points(plan, {"x": [normal(1, 50)]}, 0, ["a"])
