"""Counter-based random numbers: Philox4x32-10 on (key; cell, index, block).

A draw is a pure function of its key (seed, replication, purpose) and counter (cell, index within the cell, draw
number), so it depends neither on other casualties nor on the order of work (MODEL section 7). Source of the
generator: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

import hashlib
from typing import Any

import numpy as np

from engine.numeric.jit import compiled

_MASK32 = 0xFFFFFFFF


def key(seed: int, replication: int, purpose: str) -> int:
    """The 64-bit Philox key of one purpose in one replication."""
    text = f"{seed}\x1f{replication}\x1f{purpose}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8, person=b"gh-key").digest(), "little")


def cell(*names: str | int) -> int:
    """The 64-bit name of a cell: its front, type, ... are keyed by name, never by position."""
    text = "\x1f".join(map(str, names)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8, person=b"gh-cell").digest(), "little")


Counter = tuple[int, int]
"""What the draws of a casualty are counted by: its cell and its index within the cell."""


@compiled(from_python=True)
def words(key: Any, cell: Any, index: Any, block: Any) -> Any:
    """Four independent 32-bit words, as uint64 values: Philox4x32-10 of counter (cell, index, block).

    `key` and `cell` are 64-bit, `index` and `block` below 2**32.
    """
    mask = np.uint64(_MASK32)
    shift = np.uint64(32)
    c0 = np.uint64(cell) & mask
    c1 = np.uint64(cell) >> shift
    c2 = np.uint64(index) & mask
    c3 = np.uint64(block) & mask
    k0 = np.uint64(key) & mask
    k1 = np.uint64(key) >> shift
    m0 = np.uint64(0xD2511F53)
    m1 = np.uint64(0xCD9E8D57)
    for _ in range(10):
        p0 = m0 * c0
        p1 = m1 * c2
        c0 = (p1 >> shift) ^ c1 ^ k0
        c1 = p1 & mask
        c2 = (p0 >> shift) ^ c3 ^ k1
        c3 = p0 & mask
        k0 = (k0 + np.uint64(0x9E3779B9)) & mask
        k1 = (k1 + np.uint64(0xBB67AE85)) & mask
    return c0, c1, c2, c3


@compiled(from_python=True)
def uniform(key: Any, cell: Any, index: Any, draw: Any) -> float:
    """A uniform on (0, 1) with 53 bits: draw number `draw` of (cell, index)."""
    a, b, c, d = words(key, cell, index, np.uint64(draw) >> np.uint64(1))
    if np.uint64(draw) & np.uint64(1):
        high, low = c, d
    else:
        high, low = a, b
    bits = (high << np.uint64(21)) ^ (low >> np.uint64(11))
    return (np.float64(bits) + 0.5) * (1.0 / 9007199254740992.0)
