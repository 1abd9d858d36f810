"""Designs of experiments: the properties that define each, sizes before points, and what is refused."""

import builtins
import itertools

import numpy as np
import pytest
from scipy import stats

from engine.errors import InputError
from engine.inference import (
    Factor,
    fractional_factorial,
    full_factorial,
    latin_hypercube,
    list_design,
    morris_design,
    one_at_a_time,
    shares_on_the_simplex,
    smallest_fraction,
    sobol_index_design,
    sobol_sequence,
)


def factors(count, **given):
    given = given or {"low": 0.0, "high": 1.0}
    return [Factor(name=f"x{number}", **given) for number in range(count)]


# --- factors


def test_a_range_is_covered_from_low_to_high():
    factor = Factor(name="minutes", low=30.0, high=90.0)
    assert [factor.at(unit) for unit in (0.0, 0.5, 1.0)] == [30.0, 60.0, 90.0]


@pytest.mark.parametrize(
    "factor", [Factor(name="n", low=2, high=5, whole=True), Factor(name="n", levels=(2, 3, 4, 5))]
)
def test_whole_numbers_and_levels_have_equal_shares_of_the_coordinates(factor):
    values = [factor.at(unit) for unit in (np.arange(400) + 0.5) / 400]
    assert {value: values.count(value) for value in set(values)} == dict.fromkeys((2, 3, 4, 5), 100)
    assert all(isinstance(value, int) for value in values)
    assert (factor.at(0.0), factor.at(1.0)) == (2, 5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "neither levels nor a range"),
        ({"levels": (1, 2), "low": 0.0, "high": 1.0}, "both levels and a range"),
        ({"levels": (1,)}, "two or more, since one changes nothing"),
        ({"levels": (1, 2, 1)}, "the level 1 twice"),
        ({"low": 2.0, "high": 2.0}, "allowed: low below high"),
        ({"low": 0.0}, "the range 0.0 to None"),
        ({"low": 0.0, "high": float("inf")}, "allowed: two numbers"),
        ({"low": 0.5, "high": 3, "whole": True}, "got 0.5; allowed: whole numbers"),
    ],
)
def test_factors_that_make_no_sense_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        Factor(name="x", **given)


# --- factorial designs


def test_a_full_factorial_has_every_combination_once():
    design = full_factorial(
        [
            Factor(name="a", levels=(1, 2, 3)),
            Factor(name="b", levels=("x", "y")),
            Factor(name="c", low=0, high=9),
        ]
    )
    points = design.points()
    assert design.size == len(points.rows) == len(set(points.rows)) == 12
    assert set(points.rows) == set(itertools.product((1, 2, 3), ("x", "y"), (0, 9)))


def test_a_design_that_is_too_large_is_refused_with_its_size_before_it_is_generated():
    design = full_factorial(factors(9, levels=tuple(range(10))))
    assert design.size == 10**9
    with pytest.raises(InputError, match=r"9 factors with 1,000,000,000 points; allowed: at most 1,000,000"):
        design.points()
    with pytest.raises(InputError, match=r"40 points; allowed: at most 39"):
        morris_design(factors(3), 10).points(most=39)


def walsh(levels):
    return 2.0 * levels - 1.0


@pytest.mark.parametrize("count", range(2, 13))
@pytest.mark.parametrize("resolution", [3, 4, 5])
def test_a_fraction_has_the_resolution_that_it_states(count, resolution):
    """No product of fewer than R columns is constant, and one of R columns is: from the points alone."""
    fraction = smallest_fraction(count, resolution)
    signs = walsh(fraction.levels().astype(float))
    assert signs.shape == (fraction.size, count)
    assert len({tuple(row) for row in signs}) == fraction.size
    confounded = [
        size
        for size in range(1, min(count, 6) + 1)
        if any(
            abs(signs[:, list(some)].prod(axis=1).mean()) == 1.0
            for some in itertools.combinations(range(count), size)
        )
    ]
    if fraction.size < 2**count:
        assert fraction.resolution >= resolution
        assert min(confounded, default=fraction.resolution) == fraction.resolution
    else:
        assert not confounded


@pytest.mark.parametrize(
    ("count", "resolution", "size"),
    [(3, 3, 4), (7, 3, 8), (15, 3, 16), (31, 3, 32), (4, 4, 8), (8, 4, 16), (16, 4, 32), (32, 4, 64)]
    + [(5, 5, 16), (6, 5, 32), (8, 5, 64), (11, 5, 128), (17, 5, 256)],
)
def test_fractions_are_as_small_as_the_tables_say(count, resolution, size):
    assert smallest_fraction(count, resolution).size == size


def test_a_fractional_factorial_states_its_resolution_and_generators():
    design = fractional_factorial(factors(6, levels=("off", "on")), resolution=4)
    assert design.size == 16
    assert design.notes == ("resolution IV: 1/4 of the 64 combinations, with x4 = x0 x1 x2, x5 = x0 x1 x3",)
    for row in design.points().rows:
        sign = {name: 1 if value == "on" else -1 for name, value in zip(design.names, row)}
        assert sign["x4"] == sign["x0"] * sign["x1"] * sign["x2"]
    assert fractional_factorial(factors(3), resolution=5).notes == (
        "all combinations: the resolution needs no fewer",
    )


def test_fractional_factorials_refuse_what_they_cannot_do():
    with pytest.raises(InputError, match="resolution: got 6; allowed: 3, 4 or 5"):
        fractional_factorial(factors(3), resolution=6)
    with pytest.raises(InputError, match="got 3 levels; allowed: two"):
        fractional_factorial(factors(3, levels=(1, 2, 3)))


def test_one_at_a_time_changes_one_factor_of_the_baseline():
    design = one_at_a_time(
        [Factor(name="a", levels=(1, 2, 3)), Factor(name="b", low=0.0, high=1.0)], (2, 0.0)
    )
    rows = design.points().rows
    assert rows[0] == (2, 0.0)
    assert rows[1:] == [(1, 0.0), (3, 0.0), (2, 1.0)]
    with pytest.raises(InputError, match="baseline: got 1 values; allowed: 2"):
        one_at_a_time(factors(2), (1,))


def test_a_list_is_checked_for_its_shape():
    assert list_design(["a", "b"], [[1, 2], [3, 4]]).points().rows == [(1, 2), (3, 4)]
    with pytest.raises(InputError, match="point 1: got 1 values; allowed: 2"):
        list_design(["a", "b"], [[1, 2], [3]])
    with pytest.raises(InputError, match="got no points"):
        list_design(["a"], [])
    with pytest.raises(InputError, match="got 'a' twice"):
        list_design(["a", "a"], [[1, 2]])


# --- trajectories, hypercubes, sequences


@pytest.mark.parametrize("grid", [2, 4, 6, 10])
def test_trajectories_change_each_factor_once_by_the_same_step(grid):
    k, r = 5, 200
    units = morris_design(factors(k), r, grid=grid, seed=3).points().units
    assert units.shape == (r * (k + 1), k)
    steps = np.diff(units.reshape(r, k + 1, k), axis=1)
    moved = np.abs(steps) > 1e-12
    assert (moved.sum(axis=1) == 1).all() and (moved.sum(axis=2) == 1).all()
    assert np.allclose(np.abs(steps[moved]), grid / (2 * (grid - 1)))
    order = moved.argmax(axis=2)
    assert len({tuple(row) for row in order}) > 50


@pytest.mark.parametrize("grid", [4, 6, 8])
def test_trajectories_visit_all_levels_of_the_grid_equally(grid):
    """A common fault with more than four levels is to visit the middle ones too often."""
    units = morris_design(factors(3), 4000, grid=grid, seed=4).points().units
    levels, counts = np.unique(np.rint(units * (grid - 1)), return_counts=True)
    assert levels.tolist() == list(range(grid))
    assert counts == pytest.approx(np.full(grid, units.size / grid), rel=0.05)


def test_a_latin_hypercube_has_one_point_in_every_part_of_every_factor():
    points = latin_hypercube(factors(4), 50, seed=5).points()
    parts = np.sort((points.units * 50).astype(int), axis=0)
    assert (parts == np.arange(50)[:, None]).all()
    assert points.rows[7] == tuple(points.units[7])


def test_a_sobol_sequence_fills_the_space_more_evenly_than_chance():
    units = sobol_sequence(factors(3), 256, seed=6).points().units
    random = np.random.default_rng(6).random((256, 3))
    assert stats.qmc.discrepancy(units) < 0.1 * stats.qmc.discrepancy(random)
    with pytest.raises(InputError, match=r"points: got 100; allowed: powers of 2, for example 64 or 128"):
        sobol_sequence(factors(3), 100)


def test_the_blocks_of_sobol_indices_exchange_one_column():
    k, base = 3, 64
    units = sobol_index_design(factors(k), base, seed=7).points().units.reshape(k + 2, base, k)
    a, b = units[0], units[1]
    for factor in range(k):
        expected = a.copy()
        expected[:, factor] = b[:, factor]
        assert (units[2 + factor] == expected).all()
    assert (a != b).all()


@pytest.mark.parametrize(
    "design",
    [
        lambda seed: morris_design(factors(3), 5, seed=seed),
        lambda seed: latin_hypercube(factors(3), 16, seed=seed),
        lambda seed: sobol_sequence(factors(3), 16, seed=seed),
        lambda seed: sobol_index_design(factors(3), 16, seed=seed),
    ],
)
def test_the_seed_alone_determines_a_design(design):
    assert design(1).points().rows == design(1).points().rows
    assert design(1).points().rows != design(2).points().rows
    assert design(1).size == len(design(1).points().rows)


def test_without_scipy_the_error_names_the_extra(monkeypatch):
    original = builtins.__import__

    def without_scipy(name, *rest, **more):
        if name.startswith("scipy"):
            raise ImportError(name)
        return original(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_scipy)
    for design in (
        lambda: latin_hypercube(factors(2), 8),
        lambda: sobol_sequence(factors(2), 8),
        lambda: sobol_index_design(factors(2), 8),
    ):
        with pytest.raises(InputError, match=r"needs SciPy.*pip install 'goldenhour\[experiments\]'"):
            design()
    assert morris_design(factors(2), 4).points().rows


def test_shares_stay_on_the_simplex_and_are_uniform_on_it():
    shares = shares_on_the_simplex(np.random.default_rng(8).random((20_000, 3)))
    assert shares.shape == (20_000, 4)
    assert (shares >= 0.0).all() and shares.sum(axis=1) == pytest.approx(1.0)
    # each share of a uniform point on the simplex of four has the beta distribution (1, 3)
    for share in shares.T:
        assert stats.kstest(share, stats.beta(1, 3).cdf).pvalue > 0.001
