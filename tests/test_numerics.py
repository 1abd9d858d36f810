"""Elementary functions: close to the true values, and the same bits whether compiled or interpreted."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from scipy import special

from engine.numeric import elementary

SAMPLE = np.random.default_rng(7)


def ulps(got: float, true: float) -> float:
    return abs(got - true) / math.ulp(true) if true else abs(got) / 5e-324


def test_exp_is_right_to_two_ulp() -> None:
    with localcontext() as context:
        context.prec = 40
        for x in [*SAMPLE.uniform(-700, 700, 500), *SAMPLE.uniform(-1, 1, 500), 0.0, 1.0, -1e-300]:
            true = Decimal(float(x)).exp()
            assert abs(Decimal(elementary.exp(float(x))) / true - 1) < Decimal("4.5e-16")


def test_log_is_right_to_two_ulp() -> None:
    with localcontext() as context:
        context.prec = 40
        for x in [*np.exp(SAMPLE.uniform(-700, 700, 500)), *SAMPLE.uniform(0.5, 2, 500), 1.0, 2.0, 5e-324]:
            true = Decimal(float(x)).ln()
            assert abs(Decimal(elementary.log(float(x))) - true) <= abs(true) * Decimal("4.5e-16")


def test_the_ends_of_exp_and_log() -> None:
    assert elementary.exp(-800.0) == 0.0
    assert elementary.exp(710.0) == math.inf
    assert math.isnan(elementary.exp(math.nan))
    assert elementary.log(0.0) == -math.inf
    assert math.isnan(elementary.log(-1.0))
    assert elementary.log(math.inf) == math.inf


def test_power_follows_exp_and_log() -> None:
    for x, y in SAMPLE.uniform(0.1, 20, (200, 2)):
        assert elementary.power(x, y) == pytest.approx(x**y, rel=1e-14)


def test_the_normal_quantile_inverts_the_distribution_function() -> None:
    for p in [*SAMPLE.uniform(0, 1, 1000), *10.0 ** SAMPLE.uniform(-15, -1, 500)]:
        assert elementary.normal_quantile(p) == pytest.approx(special.ndtri(p), rel=2e-14, abs=1e-15)
        assert elementary.normal_quantile(1 - p) == pytest.approx(special.ndtri(1 - p), rel=2e-14, abs=1e-15)
    assert elementary.normal_quantile(0.5) == 0.0


def test_log_gamma_agrees_with_scipy() -> None:
    for x in 10.0 ** SAMPLE.uniform(-6, 9, 2000):
        assert elementary.log_gamma(x) == pytest.approx(special.gammaln(x), rel=2e-13, abs=2e-14)


@pytest.mark.parametrize("name", ["exp", "log", "normal_quantile"])
def test_compiled_and_interpreted_functions_give_the_same_bits(name: str) -> None:
    function = getattr(elementary, name)
    for u in SAMPLE.uniform(0, 1, 300):
        assert function(u) == function.py_func(u)


@pytest.mark.parametrize("name", ["exp", "log", "normal_quantile", "log_gamma"])
def test_the_uncompiled_functions_give_the_same_bits_as_the_compiled(name: str) -> None:
    u = np.random.default_rng(5).uniform(size=3000)
    values = {"exp": 200.0 * u - 100.0, "log": 1e6 * u, "normal_quantile": u, "log_gamma": 1e5 * u}[name]
    compiled, plain = getattr(elementary, name), getattr(elementary.interpreted, name)
    assert not hasattr(plain, "py_func")
    assert all(compiled(x) == plain(x) for x in values.tolist())
