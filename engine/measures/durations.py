"""Counts of durations, from which medians are found: of fixed size, exact to add up, without a longest duration."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

MINUTE = 60_000

BY_THE_MINUTE = 65_536
"""Durations below this, in minutes (45 days), are counted by whole minutes. Above it the cells become wider: each is at
most 1 / 32,768 of its duration."""

_OCTAVE = BY_THE_MINUTE // 2
"""Cells from a power of two of minutes to the next, above BY_THE_MINUTE."""


class Durations:
    """Counts of durations by cell.

    >>> durations = Durations()
    >>> durations.add(np.array([4, 5, 70_000]) * MINUTE)
    >>> durations.median()
    5.5
    """

    def __init__(self) -> None:
        self._counts: NDArray[np.int64] = np.zeros(0, np.int64)  # by cell, as many as were needed
        self._shortest = np.iinfo(np.int64).max  # ms
        self._longest = -1  # ms

    def __len__(self) -> int:
        """Return the number of durations."""
        return int(self._counts.sum())

    def add(self, milliseconds: NDArray[np.int64]) -> None:
        """Count durations. Raises ValueError if one is negative."""
        if len(milliseconds) == 0:
            return
        shortest, longest = int(milliseconds.min()), int(milliseconds.max())
        if shortest < 0:
            raise ValueError(f"a duration of {shortest} ms")
        self._shortest = min(self._shortest, shortest)
        self._longest = max(self._longest, longest)
        cells, last = milliseconds // MINUTE, longest // MINUTE
        if last >= BY_THE_MINUTE:
            cells = _cells(cells)
            last = int(cells.max())
        self._extend(last + 1)
        np.add.at(self._counts, cells, 1)

    def merge(self, other: "Durations") -> None:
        """Add the counts of others."""
        self._shortest = min(self._shortest, other._shortest)
        self._longest = max(self._longest, other._longest)
        self._extend(len(other._counts))
        self._counts[: len(other._counts)] += other._counts

    def below(self, minutes: int) -> int:
        """Return how many are shorter than `minutes`, which is at most BY_THE_MINUTE."""
        return int(self._counts[:minutes].sum())

    def median(self) -> float | None:
        """Return the median in minutes, None without durations."""
        return self.quantile(0.5)

    def quantile(self, share: float) -> float | None:
        """Return a quantile in minutes, None without durations.

        It is interpolated within its cell, and never below the shortest or above the longest duration.

        Parameters
        ----------
        share
            Above 0, and at most 1.
        """
        reached = self._counts.cumsum()
        rank = share * int(reached[-1]) if len(reached) else 0
        if not rank:
            return None
        cell = int(reached.searchsorted(rank))
        before = int(reached[cell - 1]) if cell else 0
        start, width = _cell_bounds(cell)
        found = start + width * ((rank - before) / int(self._counts[cell]))
        return round(min(max(found, self._shortest / MINUTE), self._longest / MINUTE), 1)

    def _extend(self, cells: int) -> None:
        """Extend the counts to at least so many cells, and to more while they are few: each copy takes its time."""
        old = self._counts
        if cells > len(old):
            self._counts = np.zeros(max(cells, min(2 * len(old), BY_THE_MINUTE)), np.int64)
            self._counts[: len(old)] = old


def _cells(minutes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the cells of whole minutes: the minutes below BY_THE_MINUTE, then _OCTAVE for each power of two."""
    _, bits = np.frexp(minutes.astype(np.float64))  # exact: 2**63 ms are fewer than 2**53 minutes
    doublings: Any = np.maximum(bits.astype(np.int64) - 16, 0)
    return (minutes >> doublings) + doublings * _OCTAVE


def _cell_bounds(cell: int) -> tuple[int, int]:
    """Return start and width of a cell in minutes.

    >>> _cell_bounds(70), _cell_bounds(65_537)
    ((70, 1), (65538, 2))
    """
    doublings = max(0, cell // _OCTAVE - 1)
    return (cell - doublings * _OCTAVE) << doublings, 1 << doublings
