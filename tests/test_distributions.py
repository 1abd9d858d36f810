"""Inverse distribution functions against SciPy's distribution functions."""

import math
import time

import numpy as np
import pytest
from scipy import stats

from engine.numeric import distributions as d
from engine.numeric import uniform

SAMPLE = np.random.default_rng(3)


def uniforms(n: int) -> list[float]:
    return [
        *SAMPLE.uniform(0, 1, n // 2),
        *10.0 ** SAMPLE.uniform(-13, -1, n // 4),
        *1 - 10.0 ** SAMPLE.uniform(-13, -1, n // 4),
    ]


def is_quantile(k: int, u: float, law: object) -> bool:
    """Whether P(X <= k - 1) < u <= P(X <= k), up to the accuracy of SciPy and of 1 - u."""
    slack = 1e-9
    at, below = law.cdf(k), law.cdf(k - 1)  # type: ignore[attr-defined]
    above, more = law.sf(k), law.sf(k - 1)  # type: ignore[attr-defined]
    if u < 0.5:
        return at >= u * (1 - slack) and below < u * (1 + slack)
    v = 1 - u
    return above <= v * (1 + slack) + 1e-15 and more > v * (1 - slack) - 1e-15


def test_binomial_quantiles_are_exact() -> None:
    for u in uniforms(1200):
        n = int(10 ** SAMPLE.uniform(0, 6))
        p = SAMPLE.choice([SAMPLE.uniform(), 10 ** SAMPLE.uniform(-7, 0), 1 - 10 ** SAMPLE.uniform(-7, 0)])
        k = d.binomial(u, n, p)
        assert 0 <= k <= n
        assert is_quantile(k, u, stats.binom(n, p)), (u, n, p, k)


def test_poisson_quantiles_are_exact() -> None:
    for u in uniforms(1200):
        mean = 10 ** SAMPLE.uniform(-5, 6)
        k = d.poisson(u, mean)
        assert is_quantile(k, u, stats.poisson(mean)), (u, mean, k)


def test_counts_of_a_billion_are_quick_and_right() -> None:
    d.binomial(0.5, 10, 0.5)
    d.poisson(0.5, 1.0)
    began = time.perf_counter()
    for p in (0.5, 0.01, 0.999):
        for z in (-3.0, 0.3, 2.0):
            sd = math.sqrt(1e9 * p * (1 - p))
            assert d.binomial(stats.norm.cdf(z), 10**9, p) == pytest.approx(
                1e9 * p + z * sd, abs=4 + sd / 1e3
            )
    assert d.poisson(stats.norm.cdf(1.5), 1e9) == pytest.approx(1e9 + 1.5 * math.sqrt(1e9), abs=4)
    assert time.perf_counter() - began < 1.0


def test_degenerate_counts() -> None:
    assert [d.binomial(0.7, n, p) for n, p in ((0, 0.5), (5, 0.0), (5, 1.0), (1, 0.2), (1, 0.4))] == [
        0,
        0,
        5,
        0,
        1,
    ]
    assert d.poisson(0.99, 0.0) == 0
    assert d.poisson(0.3, 1e-300) == 0


def test_counts_never_fall_when_luck_chance_or_number_rise() -> None:
    us = np.sort(SAMPLE.uniform(0, 1, 400))
    assert all(np.diff([d.binomial(u, 37, 0.3) for u in us]) >= 0)
    assert all(np.diff([d.poisson(u, 12.5) for u in us]) >= 0)
    for u in us[::20]:
        assert all(np.diff([d.binomial(u, 200, p) for p in np.linspace(0, 1, 60)]) >= 0)
        assert all(np.diff([d.binomial(u, n, 0.37) for n in range(60)]) >= 0)
        assert all(np.diff([d.poisson(u, m) for m in np.linspace(0, 80, 90)]) >= 0)


def test_gamma_quantiles_agree_with_scipy() -> None:
    for u in uniforms(1000):
        shape = 10 ** SAMPLE.uniform(-1.5, 4)
        true = stats.gamma.ppf(u, shape) if u < 0.5 else stats.gamma.isf(1 - u, shape)
        if true > 1e-280:
            assert d.gamma(u, shape) == pytest.approx(true, rel=1e-9), (u, shape)


@pytest.mark.parametrize(
    ("code", "a", "b", "c", "law"),
    [
        (d.EXPONENTIAL, 6.86, 0.0, 0.0, stats.expon(scale=6.86)),
        (d.GAMMA, 1.77, 3.56, 0.0, stats.gamma((1.77 / 3.56) ** 2, scale=3.56**2 / 1.77)),
        (d.ERLANG, 30.0, 4.0, 0.0, stats.gamma(4, scale=7.5)),
        (d.TRIANGULAR, 41.0, 95.0, 210.0, stats.triang((95 - 41) / (210 - 41), 41, 210 - 41)),
        (d.LOGNORMAL_MEDIAN, 52.0, 0.85, 0.0, stats.lognorm(0.85, scale=52.0)),
        (
            d.LOGNORMAL,
            1.77,
            3.56,
            0.0,
            stats.lognorm(math.sqrt(math.log1p((3.56 / 1.77) ** 2)), scale=1.77 / math.hypot(1, 3.56 / 1.77)),
        ),
    ],
)
def test_a_continuous_quantile_inverts_its_law(code: int, a: float, b: float, c: float, law: object) -> None:
    for u in SAMPLE.uniform(0, 1, 300):
        assert d.continuous(code, a, b, c, u) == pytest.approx(law.ppf(u), rel=1e-9)  # type: ignore[attr-defined]


def test_constant_and_empty_distributions() -> None:
    assert d.continuous(d.CONSTANT, 3.5, 0.0, 0.0, 0.2) == 3.5
    assert d.continuous(d.LOGNORMAL, 0.0, 1.0, 0.0, 0.2) == 0.0
    assert d.continuous(d.GAMMA, 0.0, 1.0, 0.0, 0.2) == 0.0
    assert d.continuous(d.TRIANGULAR, 2.0, 2.0, 2.0, 0.2) == 2.0


def test_drawn_counts_follow_their_law() -> None:
    us = [uniform(np.uint64(1), np.uint64(2), np.uint64(i), np.uint64(0)) for i in range(20_000)]
    for draws, law in (
        ([d.binomial(u, 12, 0.3) for u in us], stats.binom(12, 0.3)),
        ([d.poisson(u, 3.7) for u in us], stats.poisson(3.7)),
    ):
        top = 9
        seen = np.bincount(np.minimum(draws, top), minlength=top + 1)
        want = [*(law.pmf(k) for k in range(top)), law.sf(top - 1)]
        assert stats.chisquare(seen, np.array(want) * len(us)).pvalue > 0.0005
