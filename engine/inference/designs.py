"""Designs of experiments: which points, a point being one value of each factor.

A `Design` knows its size before any point is generated, and refuses to generate more points than are wanted. All
designs are functions of their arguments and the seed.

Sources: D. C. Montgomery, Design and Analysis of Experiments (8th ed. 2013), chapters 5 to 8 (factorial and fractional
factorial designs); M. D. Morris, Technometrics 33 (1991), pp. 161-174 (trajectories); M. D. McKay, R. J. Beckman and
W. J. Conover, Technometrics 21 (1979), pp. 239-245 (Latin hypercubes); A. Saltelli et al., Computer Physics
Communications 181 (2010), pp. 259-270 (the rows of Sobol indices). Latin hypercubes and Sobol sequences come from
scipy.stats.qmc, the extra `experiments`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError, shown
from engine.inference.factors import Factor
from engine.inference.fractions import Fraction, smallest_fraction

Floats = NDArray[np.float64]

MOST_POINTS = 1_000_000
"""Most points that are generated unless the caller allows more."""
RESOLUTIONS = {3: "III", 4: "IV", 5: "V"}
"""Resolutions that can be asked for, and how they are written."""


@dataclass(frozen=True, slots=True)
class Points:
    """The points of a design, in the order in which analyses expect them."""

    names: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    """One value of each factor per point."""
    units: Floats | None
    """Shape (points, factors): coordinates from 0 to 1, which the analyses of Morris and Sobol take; None where a
    design has none."""


@dataclass(frozen=True, slots=True)
class Design:
    """A design whose size is known and whose points are generated on demand."""

    kind: str
    names: tuple[str, ...]
    size: int
    """Number of points."""
    notes: tuple[str, ...]
    """What the design can and cannot separate, one sentence each."""
    _generate: Callable[[], Points]

    def points(self, most: int = MOST_POINTS) -> Points:
        """Return the points.

        Raises
        ------
        InputError
            If there are more than `most`; nothing is generated then.
        """
        if self.size > most:
            instead = ""
            if self.kind == "full factorial":
                instead = "; a fractional factorial design or a Latin hypercube needs fewer"
            raise InputError(
                f"design {self.kind!r}: got {len(self.names)} factors with {self.size:,} points; allowed: at most "
                f"{most:,}{instead}"
            )
        return self._generate()


def list_design(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Design:
    """Return the design of the points given, one value of each factor per row.

    >>> list_design(["tables", "beds"], [(1, 4), (2, 4)]).size
    2
    """
    _check_names(names)
    if not rows:
        raise InputError("list design: got no points; allowed: one or more")
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise InputError(
                f"list design, point {number}: got {len(row)} values; allowed: {len(names)}, one of each factor"
            )
    points = [tuple(row) for row in rows]
    return Design("list", tuple(names), len(points), (), lambda: Points(tuple(names), points, None))


def full_factorial(factors: Sequence[Factor]) -> Design:
    """Return all combinations of the levels, of ranges the two ends; the last factor varies fastest.

    >>> design = full_factorial([Factor(name="a", levels=(1, 2, 3)), Factor(name="b", low=0.0, high=1.0)])
    >>> design.size, design.points().rows[:3]
    (6, [(1, 0.0), (1, 1.0), (2, 0.0)])
    """
    names = _check_names([factor.name for factor in factors])
    ends = [factor.ends for factor in factors]
    size = math.prod(len(levels) for levels in ends)
    return Design("full factorial", names, size, (), lambda: Points(names, list(product(*ends)), None))


def fractional_factorial(factors: Sequence[Factor], resolution: int = 4) -> Design:
    """Return a two-level design of 2**(k - p) points with at least this resolution.

    Resolution III confuses main effects with interactions of two factors, IV only such interactions with each other, V
    only interactions of two with those of three. `Design.notes` states the resolution reached and the generators.

    Parameters
    ----------
    factors
        With two levels each, or a range, whose ends are used.
    resolution
        3, 4 or 5.

    >>> design = fractional_factorial([Factor(name=name, levels=(0, 1)) for name in "abcde"], resolution=5)
    >>> design.size, design.notes
    (16, ('resolution V: a half of the 32 combinations, with e = a b c d',))
    """
    names = _check_names([factor.name for factor in factors])
    if resolution not in RESOLUTIONS:
        raise InputError(f"resolution: got {shown(resolution)}; allowed: 3, 4 or 5")
    for factor in factors:
        if len(factor.ends) != 2:
            raise InputError(
                f"factor {factor.name!r}: got {len(factor.ends)} levels; allowed: two in a fractional factorial design"
            )
    fraction = smallest_fraction(len(factors), resolution)
    ends = [factor.ends for factor in factors]

    def generate() -> Points:
        rows = [tuple(ends[j][int(level)] for j, level in enumerate(row)) for row in fraction.levels()]
        return Points(names, rows, None)

    return Design("fractional factorial", names, fraction.size, (_fraction_note(fraction, names),), generate)


def _fraction_note(fraction: Fraction, names: Sequence[str]) -> str:
    """Return the resolution and the generators in words."""
    if not fraction.generators:
        return "all combinations: the resolution needs no fewer"
    words = ", ".join(
        f"{names[factor]} = {' '.join(names[base] for base in bases)}"
        for factor, bases in fraction.generators.items()
    )
    share = 2 ** len(fraction.generators)
    part = "a half" if share == 2 else f"1/{share}"
    roman = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
    name = roman[fraction.resolution] if fraction.resolution < len(roman) else str(fraction.resolution)
    return f"resolution {name}: {part} of the {2 ** len(names):,} combinations, with {words}"


def one_at_a_time(factors: Sequence[Factor], baseline: Sequence[Any]) -> Design:
    """Return the baseline, and for each factor its other levels (of a range the two ends) with all others unchanged.

    Interactions cannot be seen.

    Parameters
    ----------
    factors
        k factors.
    baseline
        k values, those of the scenario as it is.

    >>> design = one_at_a_time([Factor(name="a", levels=(1, 2, 3)), Factor(name="b", low=0.0, high=1.0)], (2, 0.5))
    >>> design.points().rows
    [(2, 0.5), (1, 0.5), (3, 0.5), (2, 0.0), (2, 1.0)]
    """
    names = _check_names([factor.name for factor in factors])
    if len(baseline) != len(factors):
        raise InputError(f"baseline: got {len(baseline)} values; allowed: {len(factors)}, one of each factor")
    rows = [tuple(baseline)]
    for position, factor in enumerate(factors):
        others = [level for level in factor.ends if level != baseline[position]]
        rows += [(*baseline[:position], level, *baseline[position + 1 :]) for level in others]
    notes = ("interactions of factors cannot be seen",)
    return Design("one at a time", names, len(rows), notes, lambda: Points(names, rows, None))


def morris_design(
    factors: Sequence[Factor],
    trajectories: int,
    *,
    grid: int = 4,
    seed: int = 0,
    groups: Sequence[int] | None = None,
) -> Design:
    """Return trajectories of Morris: each changes one factor after the other, in random order, by the same step.

    The coordinates lie on a grid of `grid` levels from 0 to 1, the step is grid / (2 (grid - 1)), and each level of the
    grid is visited with the same probability. `morris_indices` analyses the results.

    Parameters
    ----------
    factors
        k factors. Give whole numbers and levels enough values that a step changes them.
    trajectories
        Number r of trajectories, 2 or more; the size is r (k + 1).
    grid
        An even number of levels, 4 is usual.
    seed
        Selects the starting points and orders.
    groups
        Per factor, the number of its group from 0: a step changes all factors of a group, each up or down (F.
        Campolongo, J. Cariboni and A. Saltelli, Environmental Modelling & Software 22, 2007, pp. 1509-1518, section
        4). With g groups the size is r (g + 1). Default: each factor by itself.

    >>> morris_design([Factor(name=name, low=0.0, high=1.0) for name in "abc"], 10).size
    40
    >>> morris_design([Factor(name=name, low=0.0, high=1.0) for name in "abc"], 10, groups=[0, 0, 1]).size
    30
    """
    names = _check_names([factor.name for factor in factors])
    _check_count("trajectories", trajectories, 2)
    if grid not in range(2, 1001, 2):
        raise InputError(f"grid: got {shown(grid)}; allowed: even numbers from 2 to 1000")
    group = check_groups(groups, len(factors))
    size = trajectories * (int(group.max()) + 2)

    def generate() -> Points:
        return _in_unit_cube(factors, _trajectories(group, trajectories, grid, seed))

    return Design("Morris", names, size, (), generate)


def check_groups(groups: Sequence[int] | None, factors: int) -> NDArray[np.int64]:
    """Return the group of each factor, shape (factors,), numbers from 0 without gaps; None: each by itself.

    Raises
    ------
    InputError
        If there is not one number per factor, or a number is left out.
    """
    if groups is None:
        return np.arange(factors)
    given = np.asarray(groups)
    numbered = given.dtype.kind in "iu" and given.ndim == 1
    if not numbered or given.size != factors or set(given.tolist()) != set(range(int(given.max()) + 1)):
        raise InputError(
            f"groups: got {shown(list(groups))}; allowed: one number from 0 per factor, of {factors}, without gaps"
        )
    return given.astype(np.int64)


def _trajectories(group: NDArray[np.int64], trajectories: int, grid: int, seed: int) -> Floats:
    """Return the coordinates of Morris' trajectories, shape (trajectories * (groups + 1), factors).

    `group` is the group of each factor, shape (factors,).
    """
    factors, groups = group.size, int(group.max()) + 1
    random = np.random.Generator(np.random.PCG64(seed))
    half = grid // 2
    draws = random.random((3, trajectories, factors))
    low = np.floor(draws[0] * half)  # in steps of the grid
    upwards = draws[1] < 0.5
    begin, end = np.where(upwards, low, low + half), np.where(upwards, low + half, low)
    turn = np.argsort(np.argsort(draws[2, :, :groups], axis=1), axis=1)  # when each group changes
    changed = turn[:, None, group] < np.arange(groups + 1)[None, :, None]
    steps: Floats = np.where(changed, end[:, None, :], begin[:, None, :])
    return steps.reshape(-1, factors) / (grid - 1)


def latin_hypercube(factors: Sequence[Factor], points: int, *, seed: int = 0) -> Design:
    """Return a Latin hypercube: each factor has one point in each of `points` equal parts of its range.

    Raises
    ------
    InputError
        If SciPy is missing, which the extra `experiments` installs; also from `Design.points`.
    """
    names = _check_names([factor.name for factor in factors])
    _check_count("points", points, 2)
    sampler = _samplers("Latin hypercube")

    def generate() -> Points:
        return _in_unit_cube(factors, sampler.LatinHypercube(len(factors), rng=seed).random(points))

    return Design("Latin hypercube", names, points, (), generate)


def sobol_sequence(factors: Sequence[Factor], points: int, *, seed: int = 0) -> Design:
    """Return the first points of a scrambled Sobol sequence, which fill the space evenly.

    Parameters
    ----------
    factors
        k factors.
    points
        A power of 2: other numbers lose the balance (A. B. Owen, On dropping the first Sobol' point, 2020).
    seed
        Selects the scrambling.

    Raises
    ------
    InputError
        If SciPy is missing, which the extra `experiments` installs.
    """
    names = _check_names([factor.name for factor in factors])
    _check_power_of_two("points", points)
    sampler = _samplers("Sobol sequence")

    def generate() -> Points:
        return _in_unit_cube(factors, sampler.Sobol(len(factors), rng=seed).random(points))

    return Design("Sobol sequence", names, points, (), generate)


def sobol_index_design(
    factors: Sequence[Factor], base: int, *, seed: int = 0, groups: Sequence[int] | None = None
) -> Design:
    """Return the points from which `sobol_indices` computes first-order and total indices.

    Two matrices A and B of `base` points each, then for each factor the matrix A with that factor's column from B:
    base (k + 2) points, block after block.

    Parameters
    ----------
    factors
        k factors.
    base
        A power of 2; 256 or more for useful intervals.
    seed
        Selects the scrambling of the Sobol sequence in 2 k dimensions that A and B come from.
    groups
        Per factor, the number of its group from 0. The columns of a group come from B together, so its indices are
        those of the group, and the size is base (g + 2) with g groups. Default: each factor by itself.

    >>> sobol_index_design([Factor(name=name, low=0.0, high=1.0) for name in "abc"], 256).size
    1280
    """
    names = _check_names([factor.name for factor in factors])
    _check_power_of_two("base", base)
    sampler = _samplers("Sobol index")
    k, group = len(factors), check_groups(groups, len(factors))
    count = int(group.max()) + 1

    def generate() -> Points:
        both = sampler.Sobol(2 * k, rng=seed).random(base)
        first, second = both[:, :k], both[:, k:]
        mixed = []
        for number in range(count):
            block = first.copy()
            block[:, group == number] = second[:, group == number]
            mixed.append(block)
        return _in_unit_cube(factors, np.vstack([first, second, *mixed]))

    return Design("Sobol indices", names, base * (count + 2), (), generate)


def shares_on_the_simplex(units: Floats) -> Floats:
    """Return k + 1 shares that sum to 1 from k coordinates; uniform coordinates give shares uniform on the simplex.

    By stick-breaking: share j takes 1 - (1 - u_j)**(1 / (k - j)) of what the shares before it leave (L. Devroye,
    Non-Uniform Random Variate Generation, 1986).

    Parameters
    ----------
    units
        Shape (n, k), each 0 to 1.

    Returns
    -------
    Shape (n, k + 1).

    >>> shares_on_the_simplex(np.array([[0.75, 0.5]])).round(3).tolist()
    [[0.5, 0.25, 0.25]]
    """
    k = units.shape[1]
    taken = 1.0 - (1.0 - units) ** (1.0 / (k - np.arange(k)))
    left = np.cumprod(np.hstack([np.ones((units.shape[0], 1)), 1.0 - taken]), axis=1)
    return np.hstack([left[:, :-1] * taken, left[:, -1:]])


def _in_unit_cube(factors: Sequence[Factor], units: Floats) -> Points:
    """Return points with the values of the factors at these coordinates."""
    rows = [tuple(factor.at(unit) for factor, unit in zip(factors, row)) for row in units.tolist()]
    return Points(tuple(factor.name for factor in factors), rows, units)


def _samplers(kind: str) -> Any:
    """Return scipy.stats.qmc, which only these designs need."""
    try:
        from scipy.stats import qmc
    except ImportError:
        raise InputError(
            f"a {kind} design needs SciPy, which is not installed: pip install 'goldenhour[experiments]'"
        ) from None
    return qmc


def _check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Refuse a design without factors and a factor that is named twice."""
    if not names:
        raise InputError("factors: got none; allowed: one or more")
    for position, name in enumerate(names):
        if name in names[:position]:
            raise InputError(f"factors: got {name!r} twice; allowed: different factors")
    return tuple(names)


def _check_count(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name}: got {shown(value)}; allowed: whole numbers from {least}")


def _check_power_of_two(name: str, value: Any) -> None:
    """Refuse a number of points with which a Sobol sequence is not balanced."""
    _check_count(name, value, 2)
    if value & (value - 1):
        below = 1 << (value.bit_length() - 1)
        raise InputError(
            f"{name}: got {value}; allowed: powers of 2, for example {below} or {2 * below}, since other numbers of "
            "points lose the balance of the sequence"
        )
