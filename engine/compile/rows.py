"""What the compilation of a scenario is made with: the model's constants and rows of the kernel's tables."""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.numeric import interpreted
from engine.scenario import Scenario
from engine.tables import TYPES, Table
from scenarios import tables

WEAPONS = ("explosion", "gunshot", "other")
STANDARD = "standard"


def floats(values: Iterable[Any]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """A contiguous float64 array."""
    return np.ascontiguousarray(np.array(list(values), np.float64))


def ints(values: Iterable[Any]) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """A contiguous int64 array."""
    return np.ascontiguousarray(np.array(list(values), np.int64))


def cumulated(weights: Sequence[float]) -> list[float]:
    """Cumulated shares, the last exactly 1."""
    total = math.fsum(weights)
    shares = [x / total for x in itertools.accumulate(weights)]
    last = max((k for k, w in enumerate(weights) if w > 0), default=len(weights) - 1)
    return [1.0 if k >= last else s for k, s in enumerate(shares)]


def normal_cdf(x: float) -> float:
    """Standard normal distribution function by bisection of its inverse, so with the same bits everywhere."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if interpreted.normal_quantile(middle) < x:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def filled(dtype: Any, **values: Any) -> Table:
    """One row of a table; each value fills the first cells of its field, the rest stay 0."""
    row = np.zeros(1, dtype)
    for name, value in values.items():
        array = np.asarray(value)
        room = row[name][0].shape
        if any(n > most for n, most in zip(array.shape, room, strict=True)):
            raise ValueError(f"{name}: {array.shape} does not fit {room}")
        if room == ():
            row[name][0] = array
        else:
            row[name][0][tuple(slice(n) for n in array.shape)] = array
    if missing := set(dtype.names) - set(values):
        raise ValueError(f"no values for {sorted(missing)}")
    return row


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


def by_type(rows: Any) -> Any:
    """Rows by warfare type, shape (TYPES, ...): those of the scenario's types first, the one for none last."""
    array = np.asarray(rows)
    spread = np.zeros((TYPES, *array.shape[1:]), array.dtype)
    spread[: len(rows) - 1] = array[:-1]
    spread[-1] = array[-1]
    return spread


def environment(s: Scenario, name: str, start: float, join: Callable[[float, float], float]) -> float:
    """A modifier of all the scenario's environments, joined."""
    value = start
    for condition in s.environment:
        value = join(
            value, float(tables.warfare_patterns()["environmental_modifiers"][condition].get(name, start))
        )
    return value


def triage_weights(s: Scenario, stream: str) -> list[float] | None:
    """Weights of T1..T3 that the scenario's author writes for a stream."""
    written = (s.triage or {}).get(stream)  # type: ignore[call-overload]
    return [written["T1"], written["T2"], written["T3"]] if written else None
