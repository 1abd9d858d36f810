"""Two-level fractional factorial designs: the smallest one found with a wanted resolution.

Factors beyond the first b take the sign of a product of some of those b. In terms of bits, a factor is a set of base
factors, and the resolution is the least number of factors whose sets cancel, so that each base factor occurs an even
number of times; D. C. Montgomery, Design and Analysis of Experiments (8th ed. 2013), section 8.2. Sets are chosen
greedily, as in the lexicographic codes of J. H. Conway and N. J. A. Sloane, IEEE Transactions on Information Theory 32
(1986), pp. 337-348. Up to 17 factors this finds the smallest designs known of resolutions III, IV and V.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_HIGHEST = 5
"""Highest resolution that is searched for."""


@dataclass(frozen=True, slots=True)
class Fraction:
    """A two-level design of 2**base points for `len(columns)` factors."""

    base: int
    """Factors that take all combinations of their levels."""
    columns: tuple[int, ...]
    """Per factor, the base factors whose product it is, as bits."""
    resolution: int
    """Least number of factors in a product that is constant; one more than the factors if no product is."""

    @property
    def size(self) -> int:
        """Number of points."""
        return 1 << self.base

    @property
    def generators(self) -> dict[int, tuple[int, ...]]:
        """By factor that is a product: the factors, all from the base, that it is the product of."""
        home = {column: factor for factor, column in enumerate(self.columns) if column.bit_count() == 1}
        return {
            factor: tuple(home[1 << bit] for bit in range(self.base) if column >> bit & 1)
            for factor, column in enumerate(self.columns)
            if column.bit_count() > 1
        }

    def levels(self) -> NDArray[np.uint8]:
        """Return the points, shape (size, factors), 0 for the low and 1 for the high level.

        A product of an even number of factors is high where they differ: signs multiply, and low is -1.
        """
        points = np.arange(self.size, dtype=np.int64)
        found = np.empty((self.size, len(self.columns)), dtype=np.uint8)
        for factor, column in enumerate(self.columns):
            low = np.zeros(self.size, dtype=np.int64)
            for bit in range(self.base):
                if column >> bit & 1:
                    low ^= 1 - (points >> bit & 1)
            found[:, factor] = 1 - low
        return found


def smallest_fraction(factors: int, resolution: int) -> Fraction:
    """Return the smallest fraction found for this many factors with at least this resolution (3, 4 or 5).

    Of the fractions of this size, it is the one with the highest resolution up to V; a half has the highest possible.
    """
    base = 1
    while len(_greedy_columns(base, factors, resolution)) < factors:
        base += 1
    if base == factors - 1:
        columns = [*(1 << bit for bit in range(base)), (1 << base) - 1]
    else:
        tried = (_greedy_columns(base, factors, better) for better in range(_HIGHEST, resolution - 1, -1))
        columns = next(found for found in tried if len(found) == factors)
    return Fraction(base, tuple(columns), _resolution(base, columns))


def _greedy_columns(base: int, factors: int, resolution: int) -> list[int]:
    """Return columns, at most `factors`, of which no fewer than `resolution` cancel; base factors come first."""
    sums: list[set[int]] = [{0}, *(set() for _ in range(resolution - 2))]  # by number of columns added up
    columns: list[int] = []
    alone = [1 << bit for bit in range(base)]
    for candidate in (*alone, *(mask for mask in range(1 << base) if mask.bit_count() > 1)):
        if len(columns) == factors:
            break
        if any(candidate in of_size for of_size in sums):
            continue
        columns.append(candidate)
        for size in range(resolution - 2, 0, -1):
            sums[size] |= {candidate ^ other for other in sums[size - 1]}
    return columns


def _resolution(base: int, columns: list[int]) -> int:
    """Return the least number of columns that cancel, one more than the columns if none do."""
    fewest = np.full(1 << base, len(columns) + 1, dtype=np.int64)  # columns by what remains of their sum
    least = len(columns) + 1
    masks = np.arange(1 << base)
    for column in columns:
        least = min(least, int(fewest[column]) + 1)
        fewest = np.minimum(fewest, fewest[masks ^ column] + 1)
        fewest[column] = min(int(fewest[column]), 1)
    return least
