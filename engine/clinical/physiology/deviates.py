"""Deviates of a person and of a reading, from random words."""

import numpy as np

from engine.numeric import compiled


@compiled
def normal(word: int) -> float:
    """Return a standard normal deviate from a word: the sum of its four bytes, which has the kurtosis 2.7."""
    mask = 255
    bits = np.int64(word)
    total = (bits & mask) + ((bits >> 8) & mask) + ((bits >> 16) & mask) + ((bits >> 24) & mask)
    return (total - 510.0) / 147.8


@compiled
def rough_normal(word: int) -> float:
    """Return a normal deviate from the low bytes of a word, the sum of two: within 2.4 SD.

    The high bytes may serve as a uniform.
    """
    bits = np.int64(word)
    return ((bits & 255) + ((bits >> 8) & 255) - 255.0) / 104.5


@compiled
def half(word: int, high: bool) -> float:
    """Return one half of a word as a uniform on (0, 1)."""
    bits = np.int64(word)
    return (((bits >> 16) if high else (bits & 65535)) + 0.5) / 65536.0
