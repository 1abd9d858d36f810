"""The values of a field in all rows of a chunk, as columns. Sources return them, and every format is made from them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import RunError
from engine.records.code_tables import Codes, CodeTables, check_days, digit_texts

Array = NDArray[Any]


def null_code(codes: Codes) -> int | None:
    """Return the code that means "none of them": 255 or 65535 in columns of one or two bytes; None in others.

    >>> null_code(np.zeros(1, np.uint8)), null_code(np.zeros(1, np.int64))
    (255, None)
    """
    return (1 << 8 * codes.itemsize) - 1 if codes.dtype.kind == "u" and codes.itemsize <= 2 else None


class Coded(NamedTuple):
    """Values as indices of a list: a row has the value at `code - low`.

    If the list ends with None, that is also the value of the code of "none of them", 255 or 65535.
    """

    texts: Sequence[Any]
    """Texts; or integers, numbers, truth values, Structs; None is null."""
    codes: Codes
    low: int = 0

    @property
    def null(self) -> int | None:
        """The code of "none of them"; None if there is none, or if it is an ordinary code of the list."""
        if not len(self.texts) or self.texts[-1] is not None:
            return None
        code = null_code(self.codes)
        return code if code is not None and code - self.low >= len(self.texts) - 1 else None

    def indices(self, place: str) -> NDArray[np.int64]:
        """Return the index of each row's value, shape (rows,).

        Parameters
        ----------
        place
            The path of the field, for the error.

        Raises
        ------
        RunError
            If a code has no value.
        """
        indices = self.codes.astype(np.int64)
        if self.low:
            indices -= self.low
        last = len(self.texts) - 1
        null = self.null
        if null is not None:
            indices[self.codes == null] = last
        # A negative index is a very large number if it is read without a sign.
        if len(indices) and int(indices.view(np.uint64).max()) > last:
            row = int(np.flatnonzero((indices < 0) | (indices > last))[0])
            known = f"from {self.low} to {last + self.low}" if last >= 0 else "none"
            raise RunError(
                f"{place}: row {row} has the code {int(self.codes[row])}, which is unknown; known: {known}"
            )
        return indices


class Integers(NamedTuple):
    """Integers, null where negative."""

    values: Codes


class Times(NamedTuple):
    """Times in ms from the scenario's start. If the field may be null, a negative time is null."""

    values: NDArray[np.int64]

    def known(self, nullable: bool) -> NDArray[np.int64]:
        """Return the times, with -1 for each that is null."""
        return np.maximum(self.values, -1) if nullable else self.values


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


class DigitTexts(NamedTuple):
    """Non-negative integers as texts of digits, with leading zeros up to `least` digits."""

    values: Codes
    least: int

    def texts(self) -> NDArray[np.bytes_]:
        """Return the texts, padded at the end."""
        return digit_texts(self.values, self.least)


class Joined(NamedTuple):
    """Texts that are joined from the texts of several codes, row by row."""

    parts: tuple[Coded, ...]
    """Texts without null. Where the whole is null, each part is an empty text."""
    shown: Coded
    """The texts are None, where the whole is null, and ""."""

    def sizes(self) -> NDArray[np.int64]:
        """Return the number of bytes of each text in UTF-8, -1 where it is null."""
        sizes = np.where(self.shown.codes == 0, np.int64(-1), np.int64(0))
        for part in self.parts:
            lengths = np.fromiter((len(text.encode()) for text in part.texts), np.int64, len(part.texts))
            sizes += lengths.take(part.indices("a part of a text"))
        return sizes

    def rows(self, place: str) -> list[str | None]:
        """Return the text of each row; `place` is the path of the field, for errors."""
        columns = [map(part.texts.__getitem__, part.indices(place).tolist()) for part in self.parts]
        return [
            "".join(texts) if shown else None
            for shown, *texts in zip(self.shown.codes.tolist(), *columns, strict=True)
        ]


def joined(parts: Sequence[tuple[Sequence[str], Codes]], shown: NDArray[np.bool_] | None = None) -> Joined:
    """Return texts joined from `parts`, each a list of texts and the index of each row's.

    Parameters
    ----------
    parts
        The first text of each list must be empty where `shown` is given.
    shown
        False where the text is null; by default none is.
    """
    if shown is None:
        shown = np.ones(len(parts[0][1]), bool)
    return Joined(
        tuple(Coded(texts, np.where(shown, codes, 0).astype(np.int32)) for texts, codes in parts),
        Coded((None, ""), shown.astype(np.uint8)),
    )


Values = Coded | Integers | Times | Dates | FixedTexts | DigitTexts | Joined


def python_values(values: Values, code_tables: CodeTables, nullable: bool, place: str) -> list[Any]:
    """Return the values as Python objects: times and dates as ISO 8601 texts, null as None.

    Parameters
    ----------
    values, code_tables
        The values, and the texts behind their codes.
    nullable
        Whether a negative time is null.
    place
        The path of the field, for errors.
    """
    match values:
        case Coded():
            return list(map(values.texts.__getitem__, values.indices(place).tolist()))
        case Integers():
            return [None if value < 0 else value for value in values.values.astype(np.int64).tolist()]
        case Times():
            texts = _strings(code_tables.instants(values.known(nullable)))
            if not nullable:
                return texts
            return [
                None if time < 0 else text for time, text in zip(values.values.tolist(), texts, strict=True)
            ]
        case Dates():
            return _strings(code_tables.dates(values.values.astype(np.int64)))
        case FixedTexts():
            return _strings(values.values)
        case DigitTexts():
            return _strings(values.texts())
        case Joined():
            return values.rows(place)


def numpy_values(values: Values, code_tables: CodeTables, kind: str, nullable: bool, place: str) -> Array:
    """Return the values as a NumPy array. Null is None in texts, NaT in times, NaN in numbers and -1 in integers.

    Parameters
    ----------
    values, code_tables
        The values, and the texts behind their codes.
    kind
        The kind of the column: text, integer, number, truth, time or date.
    nullable
        Whether a negative time is null.
    place
        The path of the field, for errors.
    """
    match values:
        case Coded():
            if kind == "text":
                return np.array([*values.texts, None], object)[:-1].take(values.indices(place))
            dtype = {"integer": np.int64, "number": np.float64, "truth": np.bool_}[kind]
            null = np.nan if kind == "number" else -1
            known = [null if value is None else value for value in values.texts]
            return np.array(known, dtype).take(values.indices(place))
        case Integers():
            return np.maximum(values.values.astype(np.int64), -1)
        case Times():
            seconds = code_tables.seconds(values.known(nullable)).astype("datetime64[s]")
            return np.where(values.values < 0, np.datetime64("NaT", "s"), seconds) if nullable else seconds
        case Dates():
            check_days(values.values)
            return values.values.astype("datetime64[D]")
        case FixedTexts():
            return values.values.astype("U")
        case DigitTexts():
            return values.texts().astype("U")
        case Joined():
            texts = np.empty(len(values.shown.codes), object)
            texts[:] = values.rows(place)
            return texts


def _strings(texts: NDArray[np.bytes_]) -> list[str]:
    result: list[str] = texts.astype("U").tolist()
    return result
