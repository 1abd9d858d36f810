"""Counts of times in cells of fixed number: exact to add up, and found by compiled code.

The first cell holds times of 0. The next are tenths of a minute. Above 25.6 minutes the cells become wider: each is at
most 1 / 128 of its time. `engine.measures.durations` counts to the minute for longer, at the price of more cells.
"""

from collections.abc import Sequence

from engine.numeric import compiled
from engine.tables import Ints

UNIT = 6_000
"""ms: a tenth of a minute."""
PER_MINUTE = 10
"""Units in a minute."""

BY_THE_UNIT = 256
_OCTAVE = BY_THE_UNIT // 2
"""Cells from a power of two of units to the next, above BY_THE_UNIT."""
_DOUBLINGS = 24
CELLS = 1 + BY_THE_UNIT + _DOUBLINGS * _OCTAVE
"""Number of cells. The last also holds longer times, of eight centuries and more."""


@compiled
def cell_of(milliseconds: int) -> int:
    """Return the cell of a time of 0 ms or more."""
    if milliseconds <= 0:
        return 0
    units = milliseconds // UNIT
    doublings = 0
    while units >= BY_THE_UNIT:
        units >>= 1
        doublings += 1
    return min(1 + units + doublings * _OCTAVE, CELLS - 1)


def quantiles(counts: Ints, shares: Sequence[float]) -> list[float | None]:
    """Return the quantiles of counted times in minutes, interpolated within their cells; None without times.

    Parameters
    ----------
    counts
        As many of the first cells as are in use, at least.
    shares
        Above 0, and at most 1.

    Raises
    ------
    ValueError
        If a share is outside these bounds.
    """
    if not all(0.0 < share <= 1.0 for share in shares):
        raise ValueError(f"shares {shares}: allowed above 0 to 1")
    reached = counts.cumsum()
    total = int(reached[-1])
    if not total:
        return [None] * len(shares)
    found: list[float | None] = []
    for share in shares:
        rank = share * total
        cell = int(reached.searchsorted(rank))
        before = int(reached[cell - 1]) if cell else 0
        start, width = _bounds(cell)
        units = start + width * ((rank - before) / (int(reached[cell]) - before))
        found.append(round(units / PER_MINUTE, 1))
    return found


def cells_up_to(milliseconds: int) -> int:
    """Return the number of the first cells that times of up to so many ms are counted in.

    >>> cells_up_to(0), cells_up_to(6_000), cells_up_to(256 * 6_000), cells_up_to(512 * 6_000)
    (1, 3, 258, 386)
    """
    units = max(milliseconds, 0) // UNIT
    doublings = max(units.bit_length() - BY_THE_UNIT.bit_length() + 1, 0)
    return min(2 + (units >> doublings) + doublings * _OCTAVE, CELLS) if milliseconds > 0 else 1


def shorter_than(counts: Ints, minutes: int) -> int:
    """Return how many of the counted times are shorter than `minutes`. Raises ValueError unless a cell begins there."""
    units = minutes * PER_MINUTE
    doublings = 0
    while units >> doublings >= BY_THE_UNIT:
        doublings += 1
    if units & ((1 << doublings) - 1):
        raise ValueError(f"no cell begins at {minutes} minutes")
    return int(counts[: 1 + (units >> doublings) + doublings * _OCTAVE].sum())


def _bounds(cell: int) -> tuple[int, int]:
    """Return start and width of a cell in units.

    >>> _bounds(0), _bounds(1), _bounds(257), _bounds(385)
    ((0, 0), (0, 1), (256, 2), (512, 4))
    """
    if cell == 0:
        return 0, 0
    place = cell - 1
    doublings = max(0, place // _OCTAVE - 1)
    return (place - doublings * _OCTAVE) << doublings, 1 << doublings
