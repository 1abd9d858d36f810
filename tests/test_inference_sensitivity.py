"""Morris and Sobol: functions with known indices, SALib as an oracle, and the noise of replications kept apart."""

import math

import numpy as np
import pytest
from SALib.analyze import morris as salib_morris
from SALib.analyze import sobol as salib_sobol
from scipy import stats

from engine.errors import InputError
from engine.inference import (
    Factor,
    morris_design,
    morris_indices,
    rank_correlation,
    rank_p_value,
    sobol_index_design,
    sobol_indices,
)

NAN = math.nan


def factors(count):
    return [Factor(name=f"x{number}", low=0.0, high=1.0) for number in range(count)]


def ishigami(units):
    x = math.pi * (2.0 * units - 1.0)
    return np.sin(x[:, 0]) + 7.0 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


# T. Ishigami and T. Homma (1990): a = 7, b = 0.1
VARIANCE = 49 / 8 + 0.1 * math.pi**4 / 5 + 0.01 * math.pi**8 / 18 + 0.5
FIRST = [0.5 * (1 + 0.1 * math.pi**4 / 5) ** 2 / VARIANCE, 49 / 8 / VARIANCE, 0.0]
TOTAL = [FIRST[0] + 8 * 0.01 * math.pi**8 / 225 / VARIANCE, FIRST[1], 8 * 0.01 * math.pi**8 / 225 / VARIANCE]


def problem(count):
    return {"num_vars": count, "names": [f"x{i}" for i in range(count)], "bounds": [[0.0, 1.0]] * count}


def test_morris_agrees_with_salib():
    design = morris_design(factors(3), 30, seed=1)
    units = design.points().units
    outputs = ishigami(units)
    ours = morris_indices(units, outputs)
    theirs = salib_morris.analyze(problem(3), units, outputs, num_levels=4, seed=1)
    assert [index.mu.estimate for index in ours] == pytest.approx(list(theirs["mu"]))
    assert [index.mu_star.estimate for index in ours] == pytest.approx(list(theirs["mu_star"]))
    assert [index.sigma for index in ours] == pytest.approx(list(theirs["sigma"]))


def test_sobol_agrees_with_salib():
    base = 256
    outputs = ishigami(sobol_index_design(factors(3), base, seed=2).points().units)
    ours = sobol_indices(outputs, 3)
    blocks = outputs.reshape(5, base)
    in_their_order = blocks[[0, 2, 3, 4, 1]].T.ravel()
    theirs = salib_sobol.analyze(problem(3), in_their_order, calc_second_order=False, seed=2)
    assert [i.estimate for i in ours.total] == pytest.approx(list(theirs["ST"]))
    # they subtract the mean of all blocks, and we that of A and B
    assert [i.estimate for i in ours.first] == pytest.approx(list(theirs["S1"]), abs=2e-3)
    half = [0.5 * (i.high - i.low) for i in ours.total]
    assert half == pytest.approx(list(theirs["ST_conf"]), rel=0.25)
    assert math.isnan(ours.noise.estimate)


def test_the_indices_of_ishigamis_function_are_inside_their_intervals():
    found = sobol_indices(ishigami(sobol_index_design(factors(3), 1024, seed=3).points().units), 3, 0.99)
    for intervals, exact in ((found.first, FIRST), (found.total, TOTAL)):
        for interval, value in zip(intervals, exact):
            assert interval.contains(value)
            assert interval.half_width < 0.15
    assert found.variance == pytest.approx(VARIANCE, rel=0.05)


def test_morris_on_a_linear_function_has_no_sigma():
    units = morris_design(factors(4), 8, seed=4).points().units
    found = morris_indices(units, units @ [3.0, -2.0, 0.0, 1.0])
    assert [index.mu.estimate for index in found] == pytest.approx([3.0, -2.0, 0.0, 1.0])
    assert [index.mu_star.estimate for index in found] == pytest.approx([3.0, 2.0, 0.0, 1.0])
    assert [index.sigma for index in found] == pytest.approx([0.0] * 4, abs=1e-12)


def test_morris_sees_an_interaction_as_sigma():
    units = morris_design(factors(3), 100, seed=5).points().units
    with_interaction, _, alone = morris_indices(units, units[:, 0] * units[:, 1] + units[:, 2])
    assert with_interaction.sigma > 0.2
    assert alone.sigma == pytest.approx(0.0, abs=1e-12)


def noisy(units, replications, deviation, common, seed):
    """Return a function with noise that is common to all points, or independent from point to point."""
    random = np.random.default_rng(seed)
    shape = (1, replications) if common else (len(units), replications)
    noise = deviation * random.normal(size=shape)
    return ishigami(units)[:, None] + noise * (1.0 + units[:, :1] if common else 1.0)


@pytest.mark.parametrize("common", [False, True])
def test_the_noise_of_replications_does_not_enter_sobol_indices(common):
    units = sobol_index_design(factors(3), 2048, seed=6).points().units
    found = sobol_indices(noisy(units, 40 if common else 4, 3.0, common, 7), 3, 0.99)
    for interval, exact in zip(found.total, TOTAL):
        assert interval.estimate == pytest.approx(exact, abs=0.05)
    scale = np.mean((1.0 + units[:, 0]) ** 2) if common else 1.0
    share = 9.0 * scale / (9.0 * scale + VARIANCE)
    assert found.noise.estimate == pytest.approx(share, abs=0.12 if common else 0.02)


def test_with_one_replication_noise_is_part_of_the_total_indices():
    units = sobol_index_design(factors(3), 1024, seed=8).points().units
    outputs = noisy(units, 2, 3.0, False, 9)
    single, double = sobol_indices(outputs[:, 0], 3), sobol_indices(outputs, 3)
    assert single.total[2].estimate > TOTAL[2] + 0.15
    assert double.total[2].estimate == pytest.approx(TOTAL[2], abs=0.1)
    assert math.isnan(single.noise.estimate) and not math.isnan(double.noise.estimate)


def test_morris_states_the_share_of_noise():
    units = morris_design(factors(3), 2000, seed=10).points().units
    outputs = (units @ [1.0, 0.0, 0.0])[:, None] + np.random.default_rng(11).normal(size=(len(units), 5))
    for index in morris_indices(units, outputs):
        assert index.noise == pytest.approx(1.0, abs=0.1)
    quiet = morris_indices(
        units, ishigami(units)[:, None] + 0.01 * np.random.default_rng(12).normal(size=(len(units), 5))
    )
    assert all(index.noise < 0.01 for index in quiet)
    assert all(math.isnan(index.noise) for index in morris_indices(units, ishigami(units)))


def test_points_without_data_are_left_out_and_counted():
    units = morris_design(factors(3), 20, seed=13).points().units
    outputs = ishigami(units)
    outputs[0] = NAN  # the first step of the first trajectory
    found = morris_indices(units, outputs)
    assert sum(index.mu.missing for index in found) == 1
    assert all(index.mu.count + index.mu.missing == 20 for index in found)

    outputs = ishigami(sobol_index_design(factors(3), 64, seed=14).points().units)
    outputs[[5, 64 + 9, 2 * 64 + 5]] = NAN
    found = sobol_indices(outputs, 3)
    assert (found.total[0].count, found.total[0].missing) == (62, 2)
    nothing = sobol_indices(np.full(5 * 8, NAN), 3)
    assert math.isnan(nothing.total[0].estimate) and nothing.total[0].missing == 8


def test_a_result_that_never_changes_has_no_indices():
    found = sobol_indices(np.full(5 * 64, 2.0), 3)
    assert math.isnan(found.first[0].estimate) and math.isnan(found.total[0].low)
    units = morris_design(factors(3), 10, seed=15).points().units
    index = morris_indices(units, np.full(len(units), 2.0))[0]
    assert (index.mu.estimate, index.sigma) == (0.0, 0.0) and index.mu.constant


def test_results_that_do_not_fit_are_refused():
    units = morris_design(factors(3), 10, seed=16).points().units
    with pytest.raises(InputError, match="allowed: 40 points"):
        morris_indices(units, np.zeros(39))
    with pytest.raises(InputError, match="points of a Morris design"):
        morris_indices(np.random.default_rng(1).random((40, 3)), np.zeros(40))
    with pytest.raises(InputError, match="a multiple of 5 points for 3 factors"):
        sobol_indices(np.zeros(64), 3)
    with pytest.raises(InputError, match="infinite"):
        sobol_indices(np.full(40, np.inf), 3)


def test_the_bootstrap_depends_on_its_seed_alone():
    outputs = ishigami(sobol_index_design(factors(3), 64, seed=17).points().units)
    assert sobol_indices(outputs, 3) != sobol_indices(outputs, 3, seed=1)
    assert sobol_indices(outputs, 3).first == sobol_indices(outputs, 3).first


def test_the_intervals_of_sobol_indices_cover_with_random_points():
    """With independent base points, not the more even ones of a Sobol sequence, the bootstrap is put to the test."""
    random = np.random.default_rng(18)
    hits = np.zeros((2, 3))
    experiments = 120
    for _ in range(experiments):
        a, b = random.random((2, 400, 3))
        blocks = [a, b]
        for factor in range(3):
            block = a.copy()
            block[:, factor] = b[:, factor]
            blocks.append(block)
        found = sobol_indices(ishigami(np.vstack(blocks)), 3, resamples=300)
        for row, (intervals, exact) in enumerate(((found.first, FIRST), (found.total, TOTAL))):
            hits[row] += [interval.contains(value) for interval, value in zip(intervals, exact)]
    assert (hits / experiments > 0.88).all()


# --- groups of factors

GROUPS = (0, 1, 0, 2, 1)


def test_morris_of_groups_agrees_with_salib():
    design = morris_design(factors(5), 40, seed=3, groups=GROUPS)
    units = design.points().units
    outputs = units @ [1.0, -2.0, 3.0, 0.5, 1.5] + units[:, 0] * units[:, 3] + np.sin(7.0 * units[:, 1])
    names = [f"x{number}" for number in range(5)]
    asked = {
        "num_vars": 5,
        "names": names,
        "bounds": [[0.0, 1.0]] * 5,
        "groups": [f"g{number}" for number in GROUPS],
    }
    wanted = salib_morris.analyze(asked, units, outputs, num_levels=4, num_resamples=2)
    found = morris_indices(units, outputs, groups=GROUPS)
    assert list(wanted["names"]) == ["g0", "g1", "g2"]
    assert [index.mu_star.estimate for index in found] == pytest.approx(list(wanted["mu_star"]), rel=1e-12)
    assert found[2].sigma == pytest.approx(morris_indices(units, outputs, groups=GROUPS)[2].sigma)
    assert [math.isnan(index.sigma) for index in found] == [True, True, False]
    assert [math.isnan(index.mu.estimate) for index in found] == [True, True, False]


def test_the_interval_of_a_mean_of_absolute_effects_is_not_negative():
    units = morris_design(factors(2), 3, seed=1).points().units
    for index in morris_indices(units, np.random.default_rng(1).normal(size=9)):
        assert 0.0 <= index.mu_star.low <= index.mu_star.estimate


def test_a_step_of_morris_changes_all_factors_of_one_group_and_each_group_once():
    design = morris_design(factors(5), 30, seed=1, groups=GROUPS)
    assert design.size == 30 * 4
    steps = np.diff(design.points().units.reshape(30, 4, 5), axis=1) != 0.0
    changed = [{tuple(np.flatnonzero(step)) for step in path} for path in steps]
    assert all(sets == {(0, 2), (1, 4), (3,)} for sets in changed)


def test_the_design_without_groups_is_that_of_one_factor_each():
    with_groups = morris_design(factors(4), 10, seed=5, groups=(0, 1, 2, 3)).points().units
    assert np.array_equal(with_groups, morris_design(factors(4), 10, seed=5).points().units)


def test_the_sobol_index_of_a_group_is_that_of_its_factors_together():
    design = sobol_index_design(factors(3), 1024, groups=(0, 1, 1))
    assert design.size == 1024 * 4
    units = design.points().units
    outputs = 2.0 * units[:, 0] + units[:, 1] + units[:, 2] + 3.0 * (units[:, 1] - 0.5) * (units[:, 2] - 0.5)
    own, together = 4.0 / 12.0, 2.0 / 12.0 + 9.0 / 144.0
    found = sobol_indices(outputs, 2)
    assert found.first[1].contains(together / (own + together))
    assert found.total[1].contains(together / (own + together))
    assert found.first[0].contains(own / (own + together))


@pytest.mark.parametrize("groups", [(0, 1), (0, 1, 3), (0, 0.5, 1), (1, 1, 1), ((0, 1, 2),)])
def test_groups_that_are_not_numbered_are_refused(groups):
    with pytest.raises(InputError, match="one number from 0 per factor, of 3, without gaps"):
        morris_design(factors(3), 4, groups=groups)


def test_points_of_other_groups_are_refused():
    units = morris_design(factors(3), 4, groups=(0, 0, 1)).points().units
    with pytest.raises(InputError, match="points of a Morris design with these groups"):
        morris_indices(units, units[:, 0], groups=(0, 1, 1))


# --- rank correlation


@pytest.mark.parametrize("ties", [False, True])
def test_the_rank_correlation_is_that_of_scipy(ties):
    random = np.random.default_rng(4)
    a = random.integers(0, 5, 60).astype(float) if ties else random.random(60)
    b = a + random.normal(size=60)
    found = rank_correlation(a, b)
    assert found.estimate == pytest.approx(stats.spearmanr(a, b).statistic, rel=1e-12)
    assert found.low < found.estimate < found.high


def test_the_interval_of_a_rank_correlation_covers():
    random = np.random.default_rng(9)
    rho, inside, repeats = 0.6, 0, 1000
    true = 6.0 / math.pi * math.asin(rho / 2.0)  # of a bivariate normal distribution
    for _ in range(repeats):
        a = random.normal(size=50)
        b = rho * a + math.sqrt(1.0 - rho * rho) * random.normal(size=50)
        inside += rank_correlation(a, b).contains(true)
    assert 0.93 <= inside / repeats <= 0.97


def test_a_rank_correlation_leaves_out_missing_pairs_and_has_none_without_variation():
    found = rank_correlation([1.0, 2.0, 3.0, math.nan, 4.0], [4.0, 3.0, 2.0, 0.0, 1.0])
    assert (found.estimate, found.count, found.missing) == (-1.0, 4, 1)
    assert math.isnan(rank_correlation([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]).estimate)


# --- what can be told from noise


def p_values(results, repeats, groups=None):
    """P-values of noise, by the given source of results of shape (points, 5)."""
    units = morris_design(factors(6), 20, seed=20, groups=groups).points().units
    random = np.random.default_rng(21)
    return np.array(
        [
            [i.p_value for i in morris_indices(units, results(units, random), groups=groups)]
            for _ in range(repeats)
        ]
    )


def test_the_p_value_of_a_factor_that_does_nothing_is_uniform():
    found = p_values(lambda units, random: random.normal(size=(len(units), 5)), 200)
    assert (found <= 0.05).mean() == pytest.approx(0.05, abs=0.025)
    assert (found <= 0.5).mean() == pytest.approx(0.5, abs=0.07)


def test_what_only_a_few_shared_replications_show_is_no_effect():
    """Each replication has a slope of its own, the same along all trajectories; on average there is none."""

    def results(units, random):
        return units @ random.normal(size=(6, 5)) + 0.1 * random.normal(size=(len(units), 5))

    assert (p_values(results, 150) <= 0.05).mean() <= 0.08


def test_a_group_that_does_nothing_is_seldom_told_and_one_that_does_something_is():
    groups = [0, 0, 1, 1, 2, 2]
    found = p_values(lambda units, random: random.normal(size=(len(units), 5)), 300, groups)
    assert (found <= 0.05).mean() <= 0.06
    some = p_values(
        lambda units, random: (units @ [3.0, 2.0, 0, 0, 0, 0])[:, None] + random.normal(size=(len(units), 5)),
        20,
        groups,
    )
    assert (some[:, 0] < 0.001).all()
    single = morris_design(factors(6), 20, seed=20, groups=groups).points().units
    assert all(math.isnan(i.p_value) for i in morris_indices(single, single @ np.ones(6), groups=groups))


def test_the_p_value_of_a_rank_correlation_is_scipys():
    a, b = np.random.default_rng(22).normal(size=(2, 30))
    assert rank_p_value(rank_correlation(a, b)) == pytest.approx(stats.spearmanr(a, b).pvalue)
    assert rank_p_value(rank_correlation([1, 2, 3, 4], [1, 2, 3, 4])) == pytest.approx(2 / 24)
    assert math.isnan(rank_p_value(rank_correlation([1, 2, 3], [1, 2, 3])))
