"""The values of a field in all rows of a chunk, as columns. Sources return them, and every format is made from them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.records.code_tables import Codes, CodeTables, numerals

Array = NDArray[Any]


class Coded(NamedTuple):
    """Values as indices of a list. A row has the value at `code - low`, or the last one where that is beyond the end.

    So a list that ends with None gives null for the codes of "none of them", 255 and 65535.
    """

    texts: Sequence[Any]
    """Texts; or integers, numbers, truth values, Structs; None is null."""
    codes: Codes
    low: int = 0

    def indices(self) -> NDArray[np.int64]:
        """Return the index of each row's value, shape (rows,)."""
        indices = self.codes.astype(np.int64)
        if self.low:
            indices -= self.low
        return np.minimum(indices, len(self.texts) - 1, out=indices)


class Integers(NamedTuple):
    """Integers, null where negative."""

    values: Codes


class Times(NamedTuple):
    """Times in ms from the scenario's start. If the field may be null, a negative time is null."""

    values: NDArray[np.int64]


class Dates(NamedTuple):
    """Days since 1970-01-01."""

    values: Codes


class FixedTexts(NamedTuple):
    """Texts of fixed width in ASCII without quotation marks: ids."""

    texts: NDArray[np.bytes_]
    places: Codes | None = None
    """Which of the texts each row has; without it, each row has the text in its place."""

    @property
    def values(self) -> NDArray[np.bytes_]:
        """The text of each row."""
        return self.texts if self.places is None else self.texts.take(self.places)


class Numerals(NamedTuple):
    """Non-negative integers as texts of digits, with leading zeros up to `least` digits."""

    values: Codes
    least: int

    def texts(self) -> NDArray[np.bytes_]:
        """Return the texts, padded at the end."""
        return numerals(self.values, self.least)


Values = Coded | Integers | Times | Dates | FixedTexts | Numerals


def python_values(values: Values, code_tables: CodeTables, nullable: bool) -> list[Any]:
    """Return the values as Python objects: times and dates as ISO 8601 texts, null as None."""
    match values:
        case Coded():
            return list(map(values.texts.__getitem__, values.indices().tolist()))
        case Integers():
            return [None if value < 0 else value for value in values.values.tolist()]
        case Times():
            texts = _strings(code_tables.instants(values.values))
            if not nullable:
                return texts
            return [
                None if time < 0 else text for time, text in zip(values.values.tolist(), texts, strict=True)
            ]
        case Dates():
            return _strings(code_tables.dates(values.values.astype(np.int64)))
        case FixedTexts():
            return _strings(values.values)
        case Numerals():
            return _strings(values.texts())


def numpy_values(values: Values, code_tables: CodeTables, kind: str) -> Array:
    """Return the values as a NumPy array. Null is None in texts, NaT in times and -1 in integers.

    Parameters
    ----------
    values, code_tables
        The values, and the texts behind their codes.
    kind
        The kind of the column: text, integer, number, truth, time or date.
    """
    match values:
        case Coded():
            if kind == "text":
                return np.array([*values.texts, None], object)[:-1].take(values.indices())
            dtype = {"integer": np.int64, "number": np.float64, "truth": np.bool_}[kind]
            known = [-1 if value is None else value for value in values.texts]
            return np.array(known, dtype).take(values.indices())
        case Integers():
            return np.maximum(values.values.astype(np.int64), -1)
        case Times():
            seconds = code_tables.seconds(values.values).astype("datetime64[s]")
            return np.where(values.values < 0, np.datetime64("NaT", "s"), seconds)
        case Dates():
            return values.values.astype("datetime64[D]")
        case FixedTexts():
            return values.values.astype("U")
        case Numerals():
            return values.texts().astype("U")


def _strings(texts: NDArray[np.bytes_]) -> list[str]:
    result: list[str] = texts.astype("U").tolist()
    return result
