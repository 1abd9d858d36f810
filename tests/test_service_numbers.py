"""Service numbers: no two casualties of a run and a nation have the same one (docs/model.md section 5.2.1)."""

import io
import json

import effects as x
import numpy as np
import pandas
import pyarrow.parquet
import pytest
import synthetic
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from engine.clinical.service_numbers import mixed, permuted, service_number
from engine.codes import SERVICE_NUMBER
from engine.numeric import key, words
from engine.records import encode_chunks

KEY = np.uint64(key(1, 0, "person"))


@njit
def _many(first: int, count: int, nation: int, key: int) -> np.ndarray:
    found = np.empty(count, np.int64)
    for k in range(count):
        found[k] = service_number(np.uint64(first + k), nation, key)
    return found


def inverse(image: int, upper: int, lower: int, key: int, index: int) -> int:
    """Undo the rounds of `permuted`, the last first."""
    a, b, c, d = words(key, np.uint64(0), np.uint64(index), np.uint64(SERVICE_NUMBER))
    high, low = divmod(image, lower)
    for left_word, right_word in ((c, d), (a, b)):
        low = (low - (int(mixed(np.uint64(high), np.uint64(right_word))) >> 32)) % lower
        high = (high - (int(mixed(np.uint64(low), np.uint64(left_word))) >> 32)) % upper
    return high * lower + low


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_the_permutation_can_be_undone(data: st.DataObject) -> None:
    upper = data.draw(st.integers(1, 9_000_000))
    lower = data.draw(st.integers(1, 10_000_000))
    number = data.draw(st.integers(0, upper * lower - 1))
    index = data.draw(st.integers(0, 2**32 - 1))
    seed = np.uint64(data.draw(st.integers(0, 2**64 - 1)))
    image = int(permuted(np.uint64(number), np.uint64(upper), np.uint64(lower), seed, np.uint64(index)))
    assert 0 <= image < upper * lower
    assert inverse(image, upper, lower, seed, index) == number


def test_the_permutation_reaches_every_number() -> None:
    for upper, lower in ((9, 10), (90, 10), (1, 7), (900, 100)):
        size = np.uint64(upper), np.uint64(lower)
        images = {int(permuted(np.uint64(k), *size, KEY, np.uint64(5))) for k in range(upper * lower)}
        assert images == set(range(upper * lower))


def test_a_million_numbers_hold_no_repeat_and_have_eight_digits() -> None:
    found = _many(0, 1_000_000, 3, KEY)
    assert len(np.unique(found)) == len(found)
    assert found.min() >= 10_000_000
    assert found.max() <= 99_999_999
    assert abs(np.corrcoef(found, np.arange(len(found)))[0, 1]) < 0.01
    assert (found[:1000] != _many(0, 1000, 4, KEY)).mean() > 0.99  # each nation has its own order


@pytest.mark.parametrize("digits", [8, 9, 10, 13])
def test_numbers_grow_by_a_digit_when_all_shorter_ones_are_given(digits: int) -> None:
    shorter = 10**digits - 10**7  # numbers of eight to so many digits
    found = _many(shorter - 500, 1000, 0, KEY)
    lengths = [len(str(number)) for number in found.tolist()]
    assert lengths == [digits] * 500 + [digits + 1] * 500
    assert len(set(found.tolist())) == 1000


def test_no_two_casualties_of_a_nation_have_the_same_service_number() -> None:
    """Sixty thousand of one nation: independent draws of eight digits would repeat about twenty times."""
    numbers = x.run(60_000, mix=x.MIXED).patients["service_number"]
    assert len(np.unique(numbers)) == len(numbers) == 60_000
    assert numbers.min() >= 10_000_000
    assert numbers.max() <= 99_999_999


def test_casualties_of_all_days_have_different_numbers_under_rates() -> None:
    rates = {"battle": x.constant(4.0), "disease": {"distribution": "gamma", "mean": 3.0, "sd": 2.0}}
    found = x.run(
        mix=None,
        days=60,
        fronts=[{**x.FRONT, "population": 40_000}, {**x.SOUTH, "population": 20_000}],
        casualties={"rates": {**rates, "depletion": True}},
    ).patients
    assert len(found) > 10_000
    for nation in np.unique(found["nation"]):
        numbers = found["service_number"][found["nation"] == nation]
        assert len(np.unique(numbers)) == len(numbers)


@pytest.mark.parametrize("numbers", [(123_456_789, 10_000_000), (10_000_000, 12_345_678_901_234)])
def test_long_numbers_are_whole_in_every_format(numbers: tuple[int, int]) -> None:
    chunk, tables = synthetic.chunk(2), synthetic.code_tables()
    chunk.patients["service_number"] = numbers
    expected = [str(number) for number in numbers]
    (lines,) = encode_chunks([chunk], tables, "jsonl")
    records = [json.loads(line) for line in bytes(lines.data).splitlines()]
    assert [record["demographics"]["service_number"] for record in records] == expected
    frames = {
        (fmt, f.table): f.data for fmt in ("csv", "parquet") for f in encode_chunks([chunk], tables, fmt)
    }
    read = pandas.read_csv(io.BytesIO(frames["csv", "patients"]), dtype={"service_number": str})
    assert read["service_number"].tolist() == expected
    table = pyarrow.parquet.read_table(io.BytesIO(frames["parquet", "patients"]))
    assert table["service_number"].to_pylist() == expected
