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

    The last of these cumulated shares is 1. They are searched one by one: there are some ten to fifty, and the
    processor mispredicts every other step of a binary search.
    """
    last = count - 1
    entry = 0
    while entry < last and uniform >= cumulated[first + entry]:
        entry += 1
    return entry
