"""Random streams: Philox4x32-10 with the published answers, and uniforms that depend on nothing but their name."""

import numpy as np
import pytest
from scipy import stats

from engine.numeric import philox

KNOWN = [  # Random123 1.09, kat_vectors: counter, key, result
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_the_generator_gives_the_published_answers(counter: str, key: str, result: str) -> None:
    c = [int(x, 16) for x in counter.split()]
    k = [int(x, 16) for x in key.split()]
    got = philox.words.py_func(
        np.uint64(k[0] | k[1] << 32), np.uint64(c[0] | c[1] << 32), np.uint64(c[2]), np.uint64(c[3])
    )
    assert [f"{int(word):08x}" for word in got] == result.split()


def test_compiled_and_interpreted_words_agree() -> None:
    from engine.arrivals.incidents import four_words

    for i in range(20):
        arguments = np.uint64(2**63 + i), np.uint64(2**64 - 1 - i), np.uint64(i), np.uint64(2**32 - 1 - i)
        assert four_words(*arguments) == philox.words.py_func(*arguments)


def test_uniforms_are_uniform_within_and_between_indices_and_draws() -> None:
    key = np.uint64(philox.key(1, 0, "test"))
    cell = np.uint64(philox.cell("a"))
    grid = np.array(
        [[philox.uniform(key, cell, np.uint64(i), np.uint64(d)) for d in range(4)] for i in range(5000)]
    )
    assert grid.min() > 0.0
    assert grid.max() < 1.0
    assert np.unique(grid).size == grid.size
    tests = [stats.kstest(grid[:, d], "uniform").pvalue for d in range(4)]
    tests += [stats.pearsonr(grid[:, 0], grid[:, d]).pvalue for d in range(1, 4)]
    tests += [stats.pearsonr(grid[:-1, d], grid[1:, d]).pvalue for d in range(4)]
    assert min(tests) > 0.001 / len(tests)


def test_keys_and_cells_differ_by_every_part_of_their_name() -> None:
    keys = {philox.key(s, r, p) for s in range(20) for r in range(20) for p in ("time", "id")}
    assert len(keys) == 800
    assert philox.key(1, 23, "x") != philox.key(12, 3, "x")
    assert philox.cell("ab", "c") != philox.cell("a", "bc")
    assert philox.cell("a", "") != philox.cell("a")
    assert philox.cell("Poland") == philox.cell("Poland")
