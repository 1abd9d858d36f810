"""Incident sizes: what one event's casualties number, and the renewal bridge that makes them sum to an exact total.

For a size distribution p let u(0) = 1 and u(k) = sum over s of p_s u(k - s), the chance that some incident ends exactly
at the k-th casualty. With n casualties left, size s is drawn with probability p_s u(n - s) / u(n): exactly independent
sizes conditioned to sum to n. Where n is more than 20 times the largest size, u has converged and sizes come from p
itself (MODEL section 2).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.numeric import compiled_entry, words

CAP = 0.99
"""Largest probability of a mass casualty incident; something must be left for single casualties to fill up with."""

ENDGAME = 20
"""The bridge is in force while no more casualties are left than this many times the largest size."""


class SizeLaw(NamedTuple):
    """The size distribution of one kind of incident, seed-independent.

    With probability `cluster` an incident is a mass casualty incident, of uniform size in `range`, or with probability
    `second` among those in `second_range`; otherwise it hurts one person. `whole`: the table knows no single
    casualties (its probability is 1), so what is left below the smallest size is one incident.
    """

    cluster: float
    range: tuple[int, int]
    second: float = 0.0
    second_range: tuple[int, int] = (1, 1)
    whole: bool = False

    def probabilities(self) -> NDArray[np.float64]:
        """P(size = s) at index s, from 0 to the largest size."""
        most = max(1, self.range[1] if self.cluster > 0 else 1)
        if self.cluster > 0 and self.second > 0:
            most = max(most, self.second_range[1])
        p = np.zeros(most + 1)
        p[1] = 1.0 - self.cluster
        parts = ((1.0 - self.second, self.range), (self.second, self.second_range))
        for share, (low, high) in parts if self.cluster > 0 else ():
            for s in range(low, high + 1):
                p[s] += self.cluster * share / (high - low + 1)
        return p

    def mean(self) -> float:
        """Mean size of an unconditioned incident."""
        total = 0.0
        for s, p in enumerate(self.probabilities().tolist()):
            total += s * p
        return total


SINGLE = SizeLaw(0.0, (1, 1))
"""Non-battle casualties, and battle casualties without a warfare type: one at a time."""


class SizeTables(NamedTuple):
    """The laws of a plan, one row each, as the kernels read them (L laws, S the largest size of all)."""

    p: NDArray[np.float64]
    """(L, S + 1): P(size = s)."""
    cumulated: NDArray[np.float64]
    """(L, S + 1): P(size <= s)."""
    u: NDArray[np.float64]
    """(L, 20 S + 1): the renewal sequence."""
    shape: NDArray[np.int64]
    """(L, 3): largest size; smallest size above 1; smallest size of a `whole` law, else 0."""


def tabulate(laws: Sequence[SizeLaw]) -> SizeTables:
    """The tables of these laws; takes milliseconds."""
    sizes = [law.probabilities() for law in laws]
    most = max(len(p) for p in sizes) - 1
    p = np.zeros((len(laws), most + 1))
    cumulated = np.zeros_like(p)
    shape = np.zeros((len(laws), 3), np.int64)
    for row, (law, own) in enumerate(zip(laws, sizes, strict=True)):
        p[row, : len(own)] = own
        running = 0.0
        for s, probability in enumerate(own.tolist()):
            running += probability
            cumulated[row, s] = running
        cumulated[row, len(own) - 1 :] = 1.0
        above = [s for s in range(2, len(own)) if own[s] > 0]
        shape[row] = len(own) - 1, above[0] if above else 1, law.range[0] if law.whole else 0
    u = np.zeros((len(laws), ENDGAME * most + 1))
    _fill_renewal(p, shape, u)
    return SizeTables(p, cumulated, u, shape)


@compiled_entry
def _fill_renewal(p: Any, shape: Any, u: Any) -> None:
    """u(k) for every law (rows) up to 20 times its largest size."""
    for law in range(p.shape[0]):
        most = shape[law, 0]
        u[law, 0] = 1.0
        for k in range(1, ENDGAME * most + 1):
            if k < shape[law, 2]:
                u[law, k] = 1.0  # what is left is one incident, in one way
                continue
            total = 0.0
            for s in range(1, (k if k < most else most) + 1):
                total += p[law, s] * u[law, k - s]
            u[law, k] = total


@njit
def four_words(key: Any, cell: Any, index: Any, block: Any) -> Any:
    """`streams.words` as a call, which compiles faster than the same code in every place."""
    return words(key, cell, index, block)


@njit
def draw_size(tables: Any, law: int, left: int, word: Any) -> int:
    """Size of the next incident with `left` casualties left in the cell, from a 32-bit word."""
    most = tables.shape[law, 0]
    if most == 1:
        return 1
    v = (np.float64(word) + 0.5) * (1.0 / 4294967296.0)
    if left > ENDGAME * most:
        if v < tables.cumulated[law, 1]:
            return 1
        s = tables.shape[law, 1]
        while tables.cumulated[law, s] <= v:
            s += 1
        return s
    if left < tables.shape[law, 2]:
        return left
    target = v * tables.u[law, left]
    reached = tables.p[law, 1] * tables.u[law, left - 1]
    size = 1
    s = tables.shape[law, 1]
    if s == 1:
        return 1
    while reached <= target and s <= most and s <= left:
        weight = tables.p[law, s] * tables.u[law, left - s]
        if weight > 0.0:
            reached += weight
            size = s
        s += 1
    return size


@njit
def count_incidents(tables: Any, law: int, left: int, counted: int, budget: int, key: Any, cell: Any) -> Any:
    """(casualties left, incidents counted) after about `budget` more incidents: the first pass, which stores nothing.

    Start with every casualty left and none counted; 0 left ends it. `counted` is a multiple of 4 in between: the
    word of incident i is word i & 3 of block (cell, i >> 2), the same in both passes.
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
