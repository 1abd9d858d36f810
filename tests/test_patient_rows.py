"""Rows of the same patient before or after a time, which the rules of full records look up."""

import numpy as np
import pytest

from engine.codes import EVENTS, Event
from engine.records.patient_rows import Lookup, of_kinds

ROWS = np.dtype([("patient", "i4"), ("at", "i8"), ("kind", "u1")])


def table(seed: int) -> np.ndarray:
    """Return readings of 30 patients, some without any, by patient and time."""
    random = np.random.default_rng(seed)
    rows = np.zeros(120, ROWS)
    rows["patient"] = random.integers(0, 30, len(rows))
    rows["at"] = random.integers(0, 50, len(rows))
    rows["kind"] = random.integers(0, len(EVENTS), len(rows))
    return np.sort(rows, order=("patient", "at"))


@pytest.mark.parametrize("share_known", [0.0, 0.3, 1.0])
def test_the_nearest_known_row_of_the_same_patient_is_found(share_known: float) -> None:
    rows = table(1)
    random = np.random.default_rng(2)
    known = random.random(len(rows)) < share_known
    patients, times = random.integers(0, 32, 400), random.integers(0, 52, 400)
    lookup = Lookup(rows, "at", patients, times)
    before, after = lookup.last_before(known), lookup.first_after(known)
    for place, (patient, at) in enumerate(zip(patients, times, strict=True)):
        own = known & (rows["patient"] == patient)
        earlier = np.flatnonzero(own & (rows["at"] <= at))
        later = np.flatnonzero(own & (rows["at"] >= at))
        assert before[place] == (earlier[-1] if len(earlier) else -1)
        assert after[place] == (later[0] if len(later) else -1)


def test_nothing_is_found_in_an_empty_table() -> None:
    lookup = Lookup(table(1)[:0], "at", np.arange(3), np.arange(3))
    assert lookup.last_before().tolist() == [-1, -1, -1]
    assert lookup.first_after().tolist() == [-1, -1, -1]


def test_rows_of_several_kinds_are_those_of_each_of_them() -> None:
    rows = table(3)
    found = of_kinds(rows, (Event.TRIAGED, Event.DIED))
    assert found.tolist() == [kind in (Event.TRIAGED, Event.DIED) for kind in rows["kind"].tolist()]
