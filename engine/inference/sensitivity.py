"""Sensitivity of a result to its factors: Morris' elementary effects, and Sobol's first-order and total indices.

Results of a simulation vary from replication to replication also at one point. With two or more replications at each
point, the part of the variance that this noise causes is separated from the part that the factors cause, and the
indices are those of the expected result. The products below therefore pair different replications only: their noise is
independent, whether or not the points share random numbers.

Sources: M. D. Morris, Technometrics 33 (1991), pp. 161-174; F. Campolongo, J. Cariboni and A. Saltelli, Environmental
Modelling & Software 22 (2007), pp. 1509-1518 (mu*); A. Saltelli et al., Computer Physics Communications 181 (2010),
pp. 259-270, table 2: estimator (b) for first-order indices and (f), M. J. W. Jansen's, for total indices.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError
from engine.inference.designs import check_groups
from engine.inference.distributions import check_confidence, t_cdf
from engine.inference.intervals import Floats, Interval, mean_interval, mean_p_value

RESAMPLES = 1000
"""Bootstrap samples of the intervals of Sobol indices."""
_CHUNK = 100
"""Bootstrap samples that are held in memory at a time."""


class MorrisIndex(msgspec.Struct, frozen=True):
    """The effect of one factor over its range, in the unit of the result."""

    mu: Interval
    """Mean of the elementary effects: the direction of the effect."""
    mu_star: Interval
    """Mean of their absolute values: the importance of the factor. Noise makes it larger."""
    sigma: float
    """Standard deviation of the elementary effects: interaction with other factors, or curvature; NaN with fewer than
    two trajectories."""
    noise: float
    """Share of sigma**2 that the noise of the replications causes; NaN with one replication per point."""
    p_value: float
    """Of the hypothesis that the effect is 0 on average (mu); for a group, that it is 0 everywhere, NaN with one
    replication per point. mu* has none: it is above 0 by noise alone."""


def morris_indices(
    units: Floats,
    outputs: ArrayLike,
    confidence: float = 0.95,
    *,
    groups: Sequence[int] | None = None,
    positions: Floats | None = None,
) -> list[MorrisIndex]:
    """Return mu, mu* and sigma of each factor or group from the results at the points of `morris_design`.

    An elementary effect is the change of the result divided by that of the factor's position in its range, so it is the
    change over the whole range if that were linear. Effects of different trajectories are independent; the intervals
    are those of their mean (t).

    **P-values.** The mean effect has two sources of variance: between trajectories, and between replications, whose
    random numbers all trajectories share. Its variance is that of a two-way table with one value in each cell (S. R.
    Searle, G. Casella and C. E. McCulloch, Variance Components, 1992, section 4.3), the degrees of freedom are F. E.
    Satterthwaite's (Biometrics Bulletin 2, 1946, pp. 110-114). The effect of a group has no sign. In each trajectory
    the products of its effects in different replications have the mean 0 if it has none, and a positive one if it has;
    the test is Student's, one-sided. It takes the noise of different trajectories as independent.

    Parameters
    ----------
    units
        Shape (r (g + 1), k): the coordinates of the design, with g groups; without groups g is k.
    outputs
        Shape (r (g + 1),) or (r (g + 1), replications); NaN without data. An effect with NaN at either end, in all
        replications, is left out and counted as missing.
    confidence
        Of each interval.
    groups
        As in `morris_design`. The factors of a group change in different directions, so that an effect of several has
        no sign: it has mu* alone, and mu, sigma and noise are NaN.
    positions
        Shape of `units`: where the value of each factor lies in its range, 0 to 1 (`Factor.position`). A step of the
        coordinate from 1/3 to 1 changes two levels from the one end to the other. Default: the coordinates. Of a group,
        the mean change counts.
    """
    check_confidence(confidence)
    group = check_groups(groups, units.shape[1])
    count, sizes = int(group.max()) + 1, np.bincount(group)
    results = _by_replication(outputs, units.shape[0])
    if units.shape[0] % (count + 1):
        raise InputError(
            f"units: got {units.shape[0]} points; allowed: a multiple of {count + 1}, the points of trajectories"
        )
    path = units.reshape(-1, count + 1, group.size)
    steps = np.diff(path, axis=1)  # (r, groups, factors): of each step, the change of each factor
    moved = (steps != 0.0) @ np.eye(count, dtype=np.int64)[
        group
    ]  # (r, groups, groups): how many factors of each group
    which = moved.argmax(axis=2)  # (r, groups): the group that changes in each step
    if (
        not (moved.sum(axis=2) == sizes[which]).all()
        or not (np.sort(which, axis=1) == np.arange(count)).all()
    ):
        raise InputError(
            "units: got a step that changes no factor or several; allowed: points of a Morris design with these groups"
        )
    if positions is not None:
        if positions.shape != units.shape:
            raise InputError(
                f"positions: got an array of shape {positions.shape}; allowed: that of units, {units.shape}"
            )
        steps = np.diff(positions.reshape(path.shape), axis=1)
    sign = np.where((sizes[which] == 1) & (steps.sum(axis=2) < 0.0), -1.0, 1.0)
    size = sign * np.abs(steps).sum(axis=2) / sizes[which]
    size = np.where(size == 0.0, np.nan, size)[:, :, None]  # a factor that has not moved shows nothing
    change = np.diff(results.reshape(-1, count + 1, results.shape[1]), axis=1) / size
    ordered = np.take_along_axis(
        change, np.argsort(which, axis=1)[:, :, None], axis=1
    )  # (r, groups, replications)
    return [
        _morris_index(ordered[:, number], confidence)
        if sizes[number] == 1
        else _group_index(ordered[:, number], confidence)
        for number in range(count)
    ]


def _group_index(effects: Floats, confidence: float) -> MorrisIndex:
    """Return the index of a group of factors, whose effects have no sign, from them, shape (r, replications)."""
    one = _morris_index(effects, confidence)
    mu = Interval(math.nan, math.nan, math.nan, one.mu.count, one.mu.missing)
    return MorrisIndex(mu, one.mu_star, math.nan, math.nan, _square_p_value(effects))


def _morris_index(effects: Floats, confidence: float) -> MorrisIndex:
    """Return the index of one factor from its effects, shape (r, replications)."""
    there = ~np.isnan(effects)
    number = there.sum(axis=1)
    total = np.where(there, effects, 0.0).sum(axis=1)
    mean = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    used = mean[number > 0]
    sigma = float(used.std(ddof=1)) if used.size > 1 else math.nan
    repeated = number > 1
    noise = math.nan
    if repeated.any() and sigma > 0.0:
        squares = np.where(there, effects - mean[:, None], 0.0)[repeated] ** 2
        of_mean = squares.sum(axis=1) / (number[repeated] - 1) / number[repeated]
        noise = min(1.0, float(of_mean.mean()) / sigma**2)
    star = mean_interval(np.abs(mean), confidence)
    if star.low < 0.0:
        star = replace(star, low=0.0)  # a mean of absolute values is not negative
    return MorrisIndex(mean_interval(mean, confidence), star, sigma, noise, _mean_p_value(effects, mean))


def _mean_p_value(effects: Floats, means: Floats) -> float:
    """Return the p-value of a mean effect of 0, from effects of shape (r, replications) and their means, shape (r,)."""
    complete = effects[~np.isnan(effects).any(axis=1)]
    rows, columns = complete.shape
    if rows < 2 or columns < 2:
        return mean_p_value(means)
    by_row, by_column, mean = complete.mean(axis=1), complete.mean(axis=0), float(complete.mean())
    rest = complete - by_row[:, None] - by_column[None, :] + mean
    degrees = (rows - 1, columns - 1, (rows - 1) * (columns - 1))
    between = columns * float(by_row.var(ddof=1))
    shared, within = rows * float(by_column.var(ddof=1)), float((rest**2).sum()) / degrees[2]
    if between == 0.0 or shared <= within:
        return mean_p_value(by_row)
    total = between + shared - within
    free = total**2 / (between**2 / degrees[0] + shared**2 / degrees[1] + within**2 / degrees[2])
    t = mean / math.sqrt(total / (rows * columns))
    return 2.0 * t_cdf(-abs(t), max(1.0, free))


def _square_p_value(effects: Floats) -> float:
    """Return the p-value of no effect of a group, from effects of shape (r, replications)."""
    there = ~np.isnan(effects)
    used = effects[there.sum(axis=1) > 1]
    number = (~np.isnan(used)).sum(axis=1)
    if len(used) < 2:
        return math.nan
    filled = np.where(np.isnan(used), 0.0, used)
    products = (filled.sum(axis=1) ** 2 - (filled**2).sum(axis=1)) / (number * (number - 1))
    two_sided = mean_p_value(products)
    return 0.5 * two_sided if products.mean() > 0.0 else 1.0 - 0.5 * two_sided


class SobolIndices(msgspec.Struct, frozen=True):
    """The shares of the variance of a result that its factors cause, as these vary over their ranges."""

    first: list[Interval]
    """By factor: the share it causes by itself."""
    total: list[Interval]
    """By factor: the share it causes by itself and in interaction with others."""
    variance: float
    """Variance that the factors cause, in the squared unit of the result. With one replication per point the noise is
    part of it and of the total indices."""
    noise: Interval
    """Share of the variance of a single replication that chance causes, not the factors; NaN with one replication per
    point."""


def sobol_indices(
    outputs: ArrayLike,
    factors: int,
    confidence: float = 0.95,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> SobolIndices:
    """Return the indices from the results at the points of `sobol_index_design`, with bootstrap intervals.

    The percentile bootstrap draws base points with all their blocks (G. E. B. Archer, A. Saltelli and I. M. Sobol,
    Journal of Statistical Computation and Simulation 58, 1997, pp. 99-120).

    Parameters
    ----------
    outputs
        Shape (base (k + 2),) or (base (k + 2), replications), block after block as in the design; NaN without data. A
        base point with NaN in any block is left out and counted as missing.
    factors
        k, or the number of groups.
    confidence
        Of each interval.
    resamples, seed
        Of the bootstrap.

    Raises
    ------
    InputError
        If the number of results does not fit.
    """
    check_confidence(confidence)
    flat = np.asarray(outputs, dtype=np.float64)
    if flat.ndim not in (1, 2) or flat.shape[0] == 0 or flat.shape[0] % (factors + 2):
        raise InputError(
            f"outputs: got an array of shape {flat.shape}; allowed: a multiple of {factors + 2} points for "
            f"{factors} factors"
        )
    blocks = _by_replication(flat, flat.shape[0]).reshape(factors + 2, flat.shape[0] // (factors + 2), -1)
    complete = ~np.isnan(blocks).any(axis=(0, 2))
    blocks = blocks[:, complete]
    count, missing = int(complete.sum()), int((~complete).sum())
    if count < 2:
        nothing = Interval(math.nan, math.nan, math.nan, count, missing)
        return SobolIndices([nothing] * factors, [nothing] * factors, math.nan, nothing)
    features = _features(blocks)
    estimate = _indices(features.mean(axis=0, keepdims=True), factors, blocks.shape[2])[0]
    samples = _bootstrap(features, factors, blocks.shape[2], resamples, seed)
    tail = 0.5 * (1.0 - confidence)
    low, high = _percentiles(samples, tail), _percentiles(samples, 1.0 - tail)
    intervals = [
        Interval(float(estimate[i]), float(low[i]), float(high[i]), count, missing)
        for i in range(2 * factors + 1)
    ]
    return SobolIndices(
        intervals[:factors], intervals[factors : 2 * factors], float(estimate[-1]), intervals[2 * factors]
    )


def _by_replication(outputs: ArrayLike, points: int) -> Floats:
    """Return results as shape (points, replications)."""
    results = np.asarray(outputs, dtype=np.float64)
    if results.ndim == 1:
        results = results[:, None]
    if results.ndim != 2 or results.shape[0] != points or results.shape[1] == 0:
        raise InputError(
            f"outputs: got an array of shape {np.shape(outputs)}; allowed: {points} points, with one or more "
            "replications"
        )
    if np.isinf(results).any():
        raise InputError("outputs: got an infinite value; allowed: numbers, and NaN without data")
    return results


def _off_diagonal(a: Floats, b: Floats) -> Floats:
    """Return the mean of a_i * b_j over pairs of different replications i and j; with one replication, of a * b.

    Shapes (..., replications); the result has shape (...).
    """
    n = a.shape[-1]
    if n == 1:
        return a[..., 0] * b[..., 0]
    product: Floats = (a.sum(axis=-1) * b.sum(axis=-1) - (a * b).sum(axis=-1)) / (n * (n - 1))
    return product


def _features(blocks: Floats) -> Floats:
    """Return what the indices are functions of the means of, by base point.

    Parameters
    ----------
    blocks
        Shape (k + 2, base, replications).

    Returns
    -------
    Shape (base, 2 k + 2 + replications): numerators of first-order and total indices, the square of the results, the
    noise, and the results by replication. The overall mean is subtracted first, which leaves the indices as they are
    and makes the first-order estimator more precise.
    """
    centred = blocks - blocks[:2].mean()
    a, b, mixed = centred[0], centred[1], centred[2:]
    first = _off_diagonal(np.broadcast_to(b, mixed.shape), mixed - a)
    total = 0.5 * _off_diagonal(mixed - a, mixed - a)
    square = 0.5 * (_off_diagonal(a, a) + _off_diagonal(b, b))
    noise = np.full(square.shape, np.nan)
    if blocks.shape[2] > 1:
        noise = 0.5 * (a.var(axis=1, ddof=1) + b.var(axis=1, ddof=1))
    return np.column_stack([first.T, total.T, square, noise, 0.5 * (a + b)])


def _indices(means: Floats, factors: int, replications: int) -> Floats:
    """Return first-order and total indices, the noise share and the variance from means of the features.

    Shapes (samples, 2 k + 2 + replications) and (samples, 2 k + 2).
    """
    level = means[:, 2 * factors + 2 :]
    variance = means[:, 2 * factors] - _off_diagonal(level, level)
    variance = np.where(variance > 0.0, variance, np.nan)
    noise = means[:, 2 * factors + 1] / (means[:, 2 * factors + 1] + variance)
    return np.column_stack([means[:, : 2 * factors] / variance[:, None], noise, variance])


def _bootstrap(features: Floats, factors: int, replications: int, resamples: int, seed: int) -> Floats:
    """Return the indices of resamples of the base points, shape (resamples, 2 k + 2)."""
    random = np.random.Generator(np.random.PCG64(seed))
    base = features.shape[0]
    samples = []
    for begin in range(0, resamples, _CHUNK):
        size = min(_CHUNK, resamples - begin)
        drawn = (random.random((size, base)) * base).astype(np.int64) + base * np.arange(size)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=size * base).reshape(size, base)
        samples.append(_indices(weights @ features / base, factors, replications))
    return np.vstack(samples)


def _percentiles(samples: Floats, probability: float) -> NDArray[np.float64]:
    """Return a quantile of each column, of the samples in which it is defined."""
    defined = ~np.isnan(samples)
    return np.array(
        [
            np.quantile(column[there], probability) if there.any() else math.nan
            for column, there in zip(samples.T, defined.T)
        ]
    )
