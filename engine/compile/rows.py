"""Helpers of the compilation: arrays, cumulated shares, and rows of the kernel's tables."""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.codes import TriageCategory
from engine.scenario import CATEGORIES, Scenario
from engine.tables import TYPES, Table
from scenarios import tables

WEAPONS = ("explosion", "gunshot", "other")
"""Mechanisms of wounds, in the order of `Mechanism`."""
STANDARD = "standard"
"""Name of the model's constants for casualties without a warfare type."""


ALL_CATEGORIES = 0b11111
"""Bits of all triage categories, index 0 included."""


def floats(values: Iterable[Any]) -> NDArray[np.float64]:
    """Return a contiguous float64 array."""
    return np.ascontiguousarray(np.array(list(values), np.float64))


def ints(values: Iterable[Any]) -> NDArray[np.int64]:
    """Return a contiguous int64 array."""
    return np.ascontiguousarray(np.array(list(values), np.int64))


def cumulated(weights: Sequence[float]) -> list[float]:
    """Return cumulated shares; from the last positive weight on exactly 1.

    >>> cumulated([1.0, 3.0, 0.0])
    [0.25, 1.0, 1.0]
    """
    total = math.fsum(weights)
    shares = [reached / total for reached in itertools.accumulate(weights)]
    last = max((place for place, weight in enumerate(weights) if weight > 0), default=len(weights) - 1)
    return [1.0 if place >= last else share for place, share in enumerate(shares)]


def category_bits(categories: Sequence[str]) -> int:
    """Return the bits of triage categories, all of them for an empty list; T4 travels with T1."""
    if not categories:
        return ALL_CATEGORIES
    bits = sum(1 << (1 + CATEGORIES.index(name)) for name in categories)  # type: ignore[arg-type]
    return bits | (1 << TriageCategory.T4 if bits & 1 << TriageCategory.T1 else 0)


def filled(dtype: Any, **values: Any) -> Table:
    """Return one row of a table, shape (1,); each value fills the first cells of its field, and the rest stay 0.

    Raises
    ------
    ValueError
        If a value does not fit its field, or a field has no value.
    """
    row = np.zeros(1, dtype)
    fill(row, **values)
    if missing := set(dtype.names) - set(values):
        raise ValueError(f"no values for {sorted(missing)}")
    return row


def fill(row: Table, **values: Any) -> None:
    """Fill some fields of one row of a table, shape (1,), as `filled` does. Raises ValueError if one does not fit."""
    for name, value in values.items():
        array = np.asarray(value)
        room = row[name][0].shape
        if any(length > most for length, most in zip(array.shape, room, strict=True)):
            raise ValueError(f"{name}: {array.shape} does not fit {room}")
        if room == ():
            row[name][0] = array
        else:
            row[name][0][tuple(slice(length) for length in array.shape)] = array


def filled_from(dtype: Any, values: Mapping[str, Any]) -> Table:
    """Return one row of a table, shape (1,), from a table of the model's TOML files with keys like the fields.

    A field that is itself a row takes a nested table. The keys `source` and `confidence` are skipped.

    Raises
    ------
    ValueError
        If keys and fields differ.
    """
    given = {name: value for name, value in values.items() if name not in ("source", "confidence")}
    if set(given) != set(dtype.names):
        raise ValueError(f"keys {sorted(given)} do not match fields {sorted(dtype.names)}")
    row = np.zeros(1, dtype)
    for name, value in given.items():
        row[name] = filled_from(dtype[name], value) if dtype[name].names else np.asarray(value)
    return row


def by_type(rows: Any) -> NDArray[Any]:
    """Return rows by warfare type, shape (TYPES, ...): first those of the scenario's types, last the one for none."""
    array = np.asarray(rows)
    spread = np.zeros((TYPES, *array.shape[1:]), array.dtype)
    spread[: len(rows) - 1] = array[:-1]
    spread[-1] = array[-1]
    return spread


def environment(
    scenario: Scenario, name: str, neutral: float, combine: Callable[[float, float], float]
) -> float:
    """Return a modifier of the scenario's environments, combined over all of them; `neutral` where one has none."""
    modifiers = tables.warfare_patterns()["environmental_modifiers"]
    value = neutral
    for condition in scenario.environment:
        value = combine(value, float(modifiers[condition].get(name, neutral)))
    return value


def triage_weights(scenario: Scenario, stream: str) -> list[float] | None:
    """Return the weights of T1 to T3 that the author gives for a stream; None without. T1 includes T4."""
    written = (scenario.triage or {}).get(stream)  # type: ignore[call-overload]
    return [written["T1"] + written.get("T4", 0.0), written["T2"], written["T3"]] if written else None
