"""Intervals over replications: against SciPy, against their definitions, and where the data say little or nothing."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from engine.errors import InputError
from engine.inference import (
    beta_cdf,
    beta_quantile,
    binomial_cdf,
    differences,
    mean_interval,
    mean_p_value,
    median_interval,
    normal_cdf,
    normal_quantile,
    paired_interval,
    quantile_count,
    quantile_interval,
    share_interval,
    t_cdf,
    t_half_width_factor,
    t_quantile,
    unseen_share,
    variance_ratio,
)

CONFIDENCES = [0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999, 0.999999]
NAN = math.nan


@pytest.mark.parametrize("df", [1, 1.5, 2, 3, 4, 5, 9, 19, 33.3, 99, 1000, 1e4, 1e5, 1e6])
def test_students_t_agrees_with_scipy(df):
    for confidence in CONFIDENCES:
        tail = (1.0 - confidence) / 2.0
        exact = stats.t.isf(tail, df)
        assert t_half_width_factor(confidence, df) == pytest.approx(exact, rel=1e-10)
        assert t_quantile(tail, df) == pytest.approx(-exact, rel=1e-10)
        assert t_quantile(1.0 - tail, df) == pytest.approx(stats.t.ppf(1.0 - tail, df), rel=1e-10)
        assert t_cdf(-exact, df) == pytest.approx(stats.t.cdf(-exact, df), rel=1e-10)
        assert t_cdf(exact, df) == pytest.approx(stats.t.cdf(exact, df), rel=1e-10)


def test_students_t_in_its_special_cases():
    assert t_quantile(0.5, 3) == 0.0
    assert t_cdf(0.0, 3) == 0.5
    assert t_quantile(0.975, math.inf) == normal_quantile(0.975)
    assert t_quantile(0.5 + 1e-9, 7) == pytest.approx(stats.t.ppf(0.5 + 1e-9, 7), rel=1e-6)
    assert (t_cdf(-math.inf, 5), t_cdf(math.inf, 5)) == (0.0, 1.0)
    assert (t_quantile(0.0, 5), t_quantile(1.0, 5)) == (-math.inf, math.inf)


def test_the_normal_distribution_agrees_with_scipy():
    for p in [1e-12, 1e-6, 0.025, 0.3, 0.5, 0.8, 0.999999]:
        assert normal_quantile(p) == pytest.approx(special.ndtri(p), rel=1e-12, abs=1e-15)
    for z in [-30.0, -8.0, -1.0, 0.0, 2.0, 6.0]:
        assert normal_cdf(z) == pytest.approx(special.ndtr(z), rel=1e-12)


@pytest.mark.parametrize(
    ("a", "b"),
    [(1, 1), (0.5, 0.5), (1, 20), (3, 18), (500, 501), (1, 1e6), (1e6, 1e6), (5e5, 0.5), (30, 1e6), (1e3, 3)],
)
def test_the_beta_distribution_agrees_with_scipy(a, b):
    for p in [1e-7, 1e-5, 0.005, 0.025, 0.3, 0.5, 0.9, 0.975, 0.99999]:
        exact = stats.beta.ppf(p, a, b)
        assert beta_quantile(p, a, b) == pytest.approx(exact, rel=1e-10)
        assert beta_cdf(exact, a, b) == pytest.approx(stats.beta.cdf(exact, a, b), rel=1e-10)


def test_the_binomial_distribution_agrees_with_scipy():
    for n, p in [(1, 0.5), (20, 0.5), (50, 0.01), (1000, 0.95), (100_000, 0.3)]:
        for k in sorted({-1, 0, 1, n // 10, n // 3, n // 2, n - 1, n}):
            assert binomial_cdf(k, n, p) == pytest.approx(stats.binom.cdf(k, n, p), rel=1e-10, abs=1e-300)


def test_a_mean_has_students_t_interval():
    values = np.random.default_rng(1).gamma(2.0, size=37)
    interval = mean_interval(values, 0.9)
    low, high = stats.t.interval(0.9, 36, values.mean(), stats.sem(values))
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-12)
    assert (interval.count, interval.missing) == (37, 0)
    assert interval.estimate == pytest.approx(values.mean())


def test_replications_without_data_are_counted_and_left_out():
    interval = mean_interval([1.0, NAN, 2.0, 4.0, NAN])
    assert (interval.count, interval.missing) == (3, 2)
    assert interval.half_width == mean_interval([1.0, 2.0, 4.0]).half_width
    assert median_interval([1.0, NAN]).missing == 1


@pytest.mark.parametrize("interval", [mean_interval, median_interval])
def test_without_data_or_with_one_value_there_are_no_bounds(interval):
    empty, single = interval([NAN, NAN]), interval([NAN, 7.0])
    assert (empty.count, empty.missing) == (0, 2)
    assert math.isnan(empty.estimate) and math.isnan(empty.low) and math.isnan(empty.high)
    assert single.estimate == 7.0
    assert math.isnan(single.low) and math.isnan(single.high) and not single.constant


def test_equal_values_give_no_width_and_say_how_little_that_means():
    interval = mean_interval([0.1] * 20)
    assert (interval.estimate, interval.low, interval.high) == (0.1, 0.1, 0.1)
    assert interval.constant
    assert mean_interval([0.1] * 19 + [0.2]).half_width > 0.0
    share = unseen_share(20, 0.95)
    assert (1.0 - share) ** 20 == pytest.approx(0.05)
    assert unseen_share(0) == 1.0


def test_an_infinite_value_is_refused_with_its_place():
    with pytest.raises(InputError, match=r"values\[1\]: got inf"):
        mean_interval([1.0, math.inf])
    with pytest.raises(InputError, match=r"b\[0\]: got -inf"):
        paired_interval([1.0], [-math.inf])


@pytest.mark.parametrize("confidence", [0, 1, 95, -0.1, NAN, True, "0.95"])
def test_a_confidence_that_is_none_is_refused(confidence):
    with pytest.raises(InputError, match="confidence: got"):
        mean_interval([1.0, 2.0], confidence)


def test_a_confidence_in_percent_gets_a_hint():
    with pytest.raises(InputError, match=r"did you mean 0.95\?"):
        mean_interval([1.0, 2.0], 95)


def test_pairs_need_the_same_replications():
    with pytest.raises(InputError, match="the same replications of both"):
        paired_interval([1.0, 2.0], [1.0])


def test_a_paired_interval_is_that_of_the_differences_of_complete_pairs():
    a, b = np.array([3.0, 5.0, NAN, 4.0, 6.0]), np.array([2.5, NAN, 1.0, 3.0, 6.0])
    interval = paired_interval(a, b)
    assert (interval.count, interval.missing) == (3, 2)
    assert interval.estimate == pytest.approx(-0.5)
    expected = stats.ttest_rel([2.5, 3.0, 6.0], [3.0, 4.0, 6.0]).confidence_interval(0.95)
    assert (interval.low, interval.high) == pytest.approx(tuple(expected))
    assert np.isnan(differences(a, b)).sum() == 2


def test_the_variance_ratio_says_what_pairing_gained():
    random = np.random.default_rng(2)
    common, own = random.normal(size=(2, 5000))
    assert variance_ratio(common, own) == pytest.approx(1.0, rel=0.1)
    assert variance_ratio(common, common + 0.5 * own) == pytest.approx((1 + 1.25) / 0.25, rel=0.1)
    assert variance_ratio(common, -common) == pytest.approx(0.5)
    assert variance_ratio([1.0, 2.0], [2.0, 3.0]) == math.inf
    assert math.isnan(variance_ratio([1.0, 1.0], [2.0, 2.0]))
    assert math.isnan(variance_ratio([1.0, NAN], [2.0, 3.0]))


def test_p_values_are_those_of_the_t_test_and_of_the_sign_test_without_variance():
    values = np.random.default_rng(3).normal(0.4, size=25)
    assert mean_p_value(values) == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue, rel=1e-10)
    assert mean_p_value([0.0] * 20) == 1.0
    assert mean_p_value([0.5] * 6) == pytest.approx(stats.binomtest(6, 6).pvalue)
    assert math.isnan(mean_p_value([1.0]))


@pytest.mark.parametrize(("successes", "count"), [(0, 20), (1, 20), (10, 20), (20, 20), (3, 1000)])
def test_shares_have_clopper_pearson_intervals(successes, count):
    interval = share_interval(successes, count, 0.99)
    expected = stats.binomtest(successes, count).proportion_ci(0.99, method="exact")
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), rel=1e-10)
    assert interval.estimate == successes / count


def test_a_share_covers_at_least_as_often_as_promised_for_every_true_share():
    bounds = [share_interval(k, 30) for k in range(31)]
    for share in np.linspace(0.003, 0.997, 200):
        chances = stats.binom.pmf(np.arange(31), 30, share)
        assert sum(chance for chance, b in zip(chances, bounds) if b.contains(share)) >= 0.95


def test_a_share_of_nothing_and_impossible_counts():
    empty = share_interval(0, 0, missing=4)
    assert math.isnan(empty.estimate) and math.isnan(empty.low) and empty.missing == 4
    for successes, count in [(3, 2), (-1, 2)]:
        with pytest.raises(InputError, match="successes: got"):
            share_interval(successes, count)


@pytest.mark.parametrize("n", [6, 7, 20, 101, 500])
@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9, 0.95])
def test_quantiles_lie_between_the_closest_order_statistics_that_cover(n, probability):
    interval = quantile_interval(np.arange(1, n + 1), probability)
    low = 0 if interval.low == -math.inf else int(interval.low)
    high = n + 1 if interval.high == math.inf else int(interval.high)
    # each tail is at most .025, and the next order statistic would make it more
    assert stats.binom.cdf(low - 1, n, probability) <= 0.025 < stats.binom.cdf(low, n, probability)
    assert stats.binom.sf(high - 1, n, probability) <= 0.025 < stats.binom.sf(high - 2, n, probability)
    assert interval.low <= interval.estimate <= interval.high


def test_too_few_values_leave_a_quantile_unbounded():
    for probability in (0.5, 0.05, 0.95):
        least = quantile_count(probability)
        enough = quantile_interval(np.arange(least), probability)
        short = quantile_interval(np.arange(least - 1), probability)
        assert math.isfinite(enough.low) and math.isfinite(enough.high)
        assert math.isinf(short.low) or math.isinf(short.high)
    extreme = quantile_interval(np.arange(20), 0.999)
    assert extreme.low <= extreme.estimate <= extreme.high == math.inf


def test_the_median_agrees_with_scipys_order_statistics():
    values = np.random.default_rng(4).exponential(size=80)
    interval = median_interval(values)
    expected = stats.quantile_test(values, p=0.5).confidence_interval(0.95)
    assert (interval.low, interval.high) == (expected.low, expected.high)
    assert interval.estimate == np.median(values)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60),
    st.floats(0.0, 1.0, exclude_min=True, exclude_max=True),
)
def test_a_quantile_between_two_values_is_that_of_numpy(values, probability):
    found = quantile_interval(values, probability)
    wanted = float(np.quantile(np.array(values), probability))
    assert found.estimate == pytest.approx(min(max(wanted, found.low), found.high), rel=1e-12, abs=1e-9)
