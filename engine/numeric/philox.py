"""Counter-based random numbers: Philox4x32-10 of a key and a counter (docs/model.md section 5.2).

A draw is a pure function of its key (seed, replication, purpose) and its counter (cell, index within the cell,
block). It depends neither on other casualties nor on the order of work. Source of the generator: Salmon et al.,
"Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

import hashlib
from typing import Any

import numpy as np

from engine.numeric.jit import compiled

_LOW_32_BITS = 0xFFFFFFFF


def key(seed: int, replication: int, purpose: str) -> int:
    """Return the 64-bit key of one purpose in one replication.

    >>> hex(key(1, 0, "care"))
    '0x7e991345903a19d4'
    """
    text = f"{seed}\x1f{replication}\x1f{purpose}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8, person=b"gh-key").digest(), "little")


def cell(*names: str | int) -> int:
    """Return the 64-bit hash of a cell's names: front, type and so on count by name, never by position."""
    text = "\x1f".join(map(str, names)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8, person=b"gh-cell").digest(), "little")


Counter = tuple[int, int]
"""Cell and index within the cell: the part of the counter that identifies a casualty."""


@compiled
def words(key: int, cell: int, index: int, block: int) -> Any:
    """Return four independent 32-bit words, as uint64 values: Philox4x32-10 of counter (cell, index, block).

    Parameters
    ----------
    key, cell
        64-bit numbers.
    index, block
        Numbers below 2**32.
    """
    mask = np.uint64(_LOW_32_BITS)
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


@compiled
def uniform(key: int, cell: int, index: int, draw: int) -> float:
    """Return a uniform on (0, 1) with 53 bits, (w + 1/2) / 2**53: draw number `draw` of (cell, index).

    A block of the generator holds two such draws.
    """
    a, b, c, d = words(key, cell, index, np.uint64(draw) >> np.uint64(1))
    if np.uint64(draw) & np.uint64(1):
        high, low = c, d
    else:
        high, low = a, b
    bits = (high << np.uint64(21)) ^ (low >> np.uint64(11))
    return (np.float64(bits) + 0.5) * (1.0 / 9007199254740992.0)
