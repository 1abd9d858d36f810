"""Uniforms from the words of a draw, and what they select."""

from engine.numeric import compiled
from engine.tables import Floats

_UNIT = 1.0 / 4294967296.0


@compiled
def to_uniform(word: int) -> float:
    """Return a 32-bit word as a uniform on (0, 1): (word + 1/2) / 2**32 (docs/model.md section 5.2)."""
    return (float(word) + 0.5) * _UNIT


@compiled
def pick_cumulated(cumulated: Floats, first: int, count: int, uniform: float) -> int:
    """Return the entry of cumulated[first:first + count] into which `uniform` falls, counted from `first`.

    The last of these cumulated shares is 1.
    """
    low = 0
    high = count - 1
    while low < high:
        middle = (low + high) >> 1
        if uniform < cumulated[first + middle]:
            high = middle
        else:
            low = middle + 1
    return low
