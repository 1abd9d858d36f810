"""Fast assembly of JSON from fragments: the technique, for any part of a record.

Most of a record's JSON is one of a few thousand fragments, such as
'","event":"triaged","facility":"R1-North","role":1,"detail":"T2"}'. The rest is times and ids of fixed width, which
NumPy writes a column at a time. A part of a patient's record is therefore one `bytes.join` over a row of columns.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.records.code_tables import Codes

Fragments = NDArray[np.object_]
"""Fragments by row: an array of bytes objects."""

FixedWidth = NDArray[np.bytes_]
"""Texts of fixed width by row: times, dates, ids."""

_TABLE_LIMIT = 1 << 18
"""Fragments of combined codes below this are kept in an array; others are created at each lookup."""


class FragmentTable:
    """Fragments by code, each created at its first lookup.

    >>> ages = FragmentTable((), lambda age: b'"age":%d' % age)
    >>> ages.lookup(np.array([30, 41])).tolist()
    [b'"age":30', b'"age":41']

    Parameters
    ----------
    sizes
        A fragment may depend on several codes: the number of values of each code after the first.
    create
        Returns the fragment for one value of each code.
    """

    def __init__(self, sizes: Sequence[int], create: Callable[..., bytes]) -> None:
        self._sizes = sizes
        self._create = create
        self._table: Fragments = np.empty(0, object)
        self._known = np.zeros(0, bool)

    def lookup(self, *codes: Codes | NDArray[np.bool_]) -> Fragments:
        """Return the fragments for columns of codes, all of the same length."""
        combined = codes[0].astype(np.int64)
        for size, code in zip(self._sizes, codes[1:], strict=True):
            combined *= size
            combined += code
        if combined.max(initial=0) >= len(self._known) and not self._grow(int(combined.max(initial=0))):
            created = {code: self._fragment(code) for code in set(combined.tolist())}
            return np.array([created[code] for code in combined.tolist()], object)
        known = self._known.take(combined)
        if not known.all():
            for code in set(combined[~known].tolist()):
                self._table[code] = self._fragment(code)
                self._known[code] = True
        return self._table.take(combined)

    def _grow(self, code: int) -> bool:
        """Make room for `code`. Returns False if the table would become too large."""
        if code >= _TABLE_LIMIT:
            return False
        more = max(2 * code, 256) - len(self._known)
        self._table = np.concatenate((self._table, np.empty(more, object)))
        self._known = np.concatenate((self._known, np.zeros(more, bool)))
        return True

    def _fragment(self, code: int) -> bytes:
        codes = []
        for size in reversed(self._sizes):
            code, rest = divmod(code, size)
            codes.append(rest)
        return self._create(code, *reversed(codes))


class ObjectPart:
    """One text for each patient: the patient's row of columns, concatenated."""

    def __init__(self, *columns: "Fragments | FixedWidth | ListPart") -> None:
        self._columns = columns

    def texts(self, first: int, stop: int) -> Iterator[bytes]:
        """Return the texts of patients `first` to `stop` - 1."""
        columns = (
            column.texts(first, stop) if isinstance(column, ListPart) else column[first:stop].tolist()
            for column in self._columns
        )
        return map(b"".join, zip(*columns, strict=True))


class ListPart:
    """One text for each patient: all rows of the patient, concatenated.

    Parameters
    ----------
    ends
        Exclusive ends of the patients' rows.
    empty
        The text of a patient without rows.
    columns
        The columns of the rows.
    """

    def __init__(self, ends: Codes, empty: bytes, *columns: Fragments | FixedWidth) -> None:
        self._bounds = np.concatenate(([0], ends.astype(np.int64)))
        self._empty = empty
        self._columns = columns

    def texts(self, first: int, stop: int) -> list[bytes]:
        """Return the texts of patients `first` to `stop` - 1."""
        bounds = self._bounds[first : stop + 1]
        width, start, end = len(self._columns), bounds[0], bounds[-1]
        matrix = np.empty((end - start, width), object)
        for place, column in enumerate(self._columns):
            matrix[:, place] = column[start:end]
        cells = matrix.reshape(-1).tolist()
        join, empty = b"".join, self._empty
        cuts = ((bounds - start) * width).tolist()
        return [join(cells[one:next_]) or empty for one, next_ in pairwise(cuts)]


def join_columns(*parts: bytes | FixedWidth) -> FixedWidth:
    """Concatenate columns of fixed width, and constant texts, row by row.

    >>> join_columns(b"<", np.array([b"a", b"b"]), b">").tolist()
    [b'<a>', b'<b>']
    """
    rows = next(len(part) for part in parts if not isinstance(part, bytes))
    widths = [len(part) if isinstance(part, bytes) else part.itemsize for part in parts]
    out = np.empty(rows, [(str(place), f"S{width}") for place, width in enumerate(widths)])
    for place, part in enumerate(parts):
        out[str(place)] = part
    return out.view(f"S{out.itemsize}")


def first_and_last(ends: Codes) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows are the first, and which the last, of their patient.

    >>> first, last = first_and_last(np.array([2, 2, 3]))
    >>> first.tolist(), last.tolist()
    ([True, False, True], [False, True, True])

    Parameters
    ----------
    ends
        Exclusive ends of the patients' rows.
    """
    stops = ends.astype(np.int64)
    starts = np.concatenate(([0], stops[:-1]))
    filled = stops > starts
    rows = int(stops[-1]) if len(stops) else 0
    first, last = np.zeros(rows, bool), np.zeros(rows, bool)
    first[starts[filled]] = True
    last[stops[filled] - 1] = True
    return first, last
