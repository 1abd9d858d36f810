"""Incident sizes, and the renewal bridge that makes them sum to an exact total (docs/model.md section 2.3.3).

For a size distribution p let u(0) = 1 and u(k) = sum over s of p_s u(k - s): the probability that some incident ends
exactly at the k-th casualty. With n casualties left, size s is drawn with probability p_s u(n - s) / u(n). These are
independent sizes, conditioned on their sum. Where n is more than 20 times the largest size, u has converged, and sizes
are drawn from p itself.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.numeric import compiled, compiled_entry, words
from engine.tables import Floats, Ints

BRIDGE_LENGTH = 20
"""The renewal bridge is used when at most this many times the largest size is left."""


class SizeLaw(NamedTuple):
    """The size distribution of one kind of incident.

    >>> SizeLaw(0.5, (2, 3)).probabilities().tolist()
    [0.0, 0.5, 0.25, 0.25]
    """

    cluster: float
    """Probability of a cluster; any other incident hurts one person."""
    range: tuple[int, int]
    """Sizes of a cluster, each with the same probability."""
    second: float = 0.0
    """Share of the clusters that have their size in `second_range`."""
    second_range: tuple[int, int] = (1, 1)
    whole: bool = False
    """Whether the table gives clusters the probability 1: then fewer casualties than the smallest size are one
    incident."""
    is_one: bool = False
    """Whether all casualties of a cell are one incident."""

    def probabilities(self) -> NDArray[np.float64]:
        """Return P(size = s) at index s, from 0 to the largest size."""
        most = max(1, self.range[1] if self.cluster > 0 else 1)
        if self.cluster > 0 and self.second > 0:
            most = max(most, self.second_range[1])
        found = np.zeros(most + 1)
        found[1] = 1.0 - self.cluster
        parts = ((1.0 - self.second, self.range), (self.second, self.second_range))
        for share, (low, high) in parts if self.cluster > 0 else ():
            for size in range(low, high + 1):
                found[size] += self.cluster * share / (high - low + 1)
        return found

    def mean(self) -> float:
        """Return the mean size of an incident."""
        total = 0.0
        for size, probability in enumerate(self.probabilities().tolist()):
            total += size * probability
        return total


_ANY_SIZE = 1 << 40
"""More than any incident has casualties."""

ONE_INCIDENT = SizeLaw(0.0, (1, 1), is_one=True)
"""An event that is one incident, of as many casualties as its cell has."""

SINGLE = SizeLaw(0.0, (1, 1))
"""One casualty at a time: non-battle casualties, and battle casualties without a warfare type."""


class SizeTables(NamedTuple):
    """The size laws of a plan for the compiled code: one row per law; L laws, S the largest size of all."""

    probability: Floats
    """(L, S + 1): P(size = s)."""
    cumulated: Floats
    """(L, S + 1): P(size <= s)."""
    renewal: Floats
    """(L, 20 S + 1): the renewal sequence u(k)."""
    shape: Ints
    """(L, 3): largest size; smallest size above 1; smallest size of a `whole` law, else 0."""


SIZE_TABLES = (("f8", 2), ("f8", 2), ("f8", 2), ("i8", 2))
"""The arrays of `SizeTables` as arguments of an entry point."""


def tabulate(laws: Sequence[SizeLaw]) -> SizeTables:
    """Return the tables of these laws; takes milliseconds."""
    sizes = [law.probabilities() for law in laws]
    most = max(len(own) for own in sizes) - 1
    probability = np.zeros((len(laws), most + 1))
    cumulated = np.zeros_like(probability)
    shape = np.zeros((len(laws), 3), np.int64)
    for row, (law, own) in enumerate(zip(laws, sizes, strict=True)):
        probability[row, : len(own)] = own
        running = 0.0
        for size, share in enumerate(own.tolist()):
            running += share
            cumulated[row, size] = running
        cumulated[row, len(own) - 1 :] = 1.0
        above = [size for size in range(2, len(own)) if own[size] > 0]
        shape[row] = len(own) - 1, above[0] if above else 1, law.range[0] if law.whole else 0
    renewal = np.zeros((len(laws), BRIDGE_LENGTH * most + 1))
    fill_renewal(probability, shape, renewal)
    for row, law in enumerate(laws):
        if law.is_one:
            shape[row] = _ANY_SIZE, 1, _ANY_SIZE
    return SizeTables(probability, cumulated, renewal, shape)


@compiled_entry(("f8", 2), ("i8", 2), ("f8", 2))
def fill_renewal(probability: Floats, shape: Ints, renewal: Floats) -> None:
    """Fill u(k) of every law (row) up to 20 times its largest size: u(k) = sum over s of p_s u(k - s)."""
    for law in range(probability.shape[0]):
        most = shape[law, 0]
        renewal[law, 0] = 1.0
        for left in range(1, BRIDGE_LENGTH * most + 1):
            if left < shape[law, 2]:
                renewal[law, left] = 1.0  # those left are one incident, in one way
                continue
            total = 0.0
            for size in range(1, (left if left < most else most) + 1):
                total += probability[law, size] * renewal[law, left - size]
            renewal[law, left] = total


@compiled
def four_words(key: int, cell: int, index: int, block: int) -> Any:
    """Return `engine.numeric.words`, by a call: that compiles faster than the same code at every place of use."""
    return words(key, cell, index, block)


@compiled
def draw_size(tables: SizeTables, law: int, left: int, word: int) -> int:
    """Return the size of the next incident, with `left` casualties left in the cell, from a 32-bit word."""
    most = tables.shape[law, 0]
    if most == 1:
        return 1
    if left < tables.shape[law, 2]:
        return left
    uniform = (np.float64(word) + 0.5) * (1.0 / 4294967296.0)
    if left > BRIDGE_LENGTH * most:
        if uniform < tables.cumulated[law, 1]:
            return 1
        size = tables.shape[law, 1]
        while tables.cumulated[law, size] <= uniform:
            size += 1
        return size
    target = uniform * tables.renewal[law, left]
    reached = tables.probability[law, 1] * tables.renewal[law, left - 1]
    drawn = 1
    size = tables.shape[law, 1]
    if size == 1:
        return 1
    while reached <= target and size <= most and size <= left:
        weight = tables.probability[law, size] * tables.renewal[law, left - size]
        if weight > 0.0:
            reached += weight
            drawn = size
        size += 1
    return drawn


@compiled
def count_incidents(
    tables: SizeTables, law: int, left: int, counted: int, budget: int, key: int, cell: int
) -> tuple[int, int]:
    """Count the incidents of a cell in steps of about `budget` incidents: the counting pass, which stores nothing.

    The drawing pass repeats the draws: the size of incident i comes from word i & 3 of block (cell, i >> 2).

    Parameters
    ----------
    left, counted
        State of the count: at first all casualties and 0, then what the last call returned. Between calls `counted`
        is a multiple of 4.

    Returns
    -------
    tuple[int, int]
        Casualties left, 0 at the end, and incidents counted.
    """
    if tables.shape[law, 0] == 1:
        return 0, counted + left
    stop = counted + budget
    while left > 0 and counted < stop:
        block = four_words(key, cell, np.uint64(counted >> 2), np.uint64(0))
        for word in block:
            if left > 0:
                left -= draw_size(tables, law, left, word)
                counted += 1
    return left, counted
