"""Columns of the tables of a run that can be combined across tables: the algebra in which clinical rules are written.

A column belongs to one table of a run. Columns of one table combine row by row; a column of patients combines with one
of another table by the patient of each row. Numbers and texts combine with every column.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NEVER = float("inf")
"""Time of what never happens, in columns of times in ms."""


class TablesDiffer(TypeError):
    """Two columns of different tables, neither of which is that of the patients."""


class Rows:
    """The rows of one table: its name, the patient of each row, and the rows of the table of patients."""

    def __init__(self, name: str, patient: Array, patients: "Rows | None" = None) -> None:
        self.name = name
        self.patient = patient
        self.patients = patients or self

    def __len__(self) -> int:
        return len(self.patient)

    def column(self, values: Any) -> "Column":
        """Return a column of this table."""
        return Column(self, np.asarray(values))


class Column:
    """Values of a table, one per row. Comparisons, `& | ^ ~` and `+ - *` work row by row."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, rows: Rows, values: Array) -> None:
        if len(values) != len(rows):
            raise ValueError(f"{len(values)} values for {len(rows)} rows of {rows.name}")
        self.rows = rows
        self.values = values

    def _combined(self, other: Any, operation: Callable[[Any, Any], Any]) -> "Column":
        if not isinstance(other, Column):
            return Column(self.rows, operation(self.values, other))
        if self.rows is other.rows:
            return Column(self.rows, operation(self.values, other.values))
        if other.rows is self.rows.patients:
            return Column(self.rows, operation(self.values, other.values[self.rows.patient]))
        if self.rows is other.rows.patients:
            return Column(other.rows, operation(self.values[other.rows.patient], other.values))
        raise TablesDiffer(f"a column of {self.rows.name} with one of {other.rows.name}")

    def __and__(self, other: Any) -> "Column":
        return self._combined(other, np.logical_and)

    def __or__(self, other: Any) -> "Column":
        return self._combined(other, np.logical_or)

    def __xor__(self, other: Any) -> "Column":
        return self._combined(other, np.logical_xor)

    def __invert__(self) -> "Column":
        return Column(self.rows, ~self.values.astype(bool))

    def __lt__(self, other: Any) -> "Column":
        return self._combined(other, np.less)

    def __le__(self, other: Any) -> "Column":
        return self._combined(other, np.less_equal)

    def __gt__(self, other: Any) -> "Column":
        return self._combined(other, np.greater)

    def __ge__(self, other: Any) -> "Column":
        return self._combined(other, np.greater_equal)

    def __eq__(self, other: object) -> "Column":  # type: ignore[override]
        return self._combined(other, np.equal)

    def __ne__(self, other: object) -> "Column":  # type: ignore[override]
        return self._combined(other, np.not_equal)

    def __add__(self, other: Any) -> "Column":
        return self._combined(other, np.add)

    def __sub__(self, other: Any) -> "Column":
        # Never minus never is not a number, and every comparison with it is false.
        with np.errstate(invalid="ignore"):
            return self._combined(other, np.subtract)

    def __mul__(self, other: Any) -> "Column":
        return self._combined(other, np.multiply)

    def __bool__(self) -> bool:
        raise TypeError("a column has no truth value: write & and | in place of `and` and `or`")

    def is_in(self, values: Any) -> "Column":
        """Whether each value is one of these."""
        return Column(self.rows, np.isin(self.values, values))


def has(column: Column) -> Column:
    """Whether any row of each patient is true."""
    return count(column) > 0


def count(column: Column) -> Column:
    """Return the number of true rows of each patient."""
    rows = column.rows
    chosen = rows.patient[column.values.astype(bool)]
    return rows.patients.column(np.bincount(chosen, minlength=len(rows.patients)))


def total(values: Column, where: Column) -> Column:
    """Return the sum of the values of each patient's rows in `where`."""
    rows = values.rows
    chosen = where.values.astype(bool)
    sums = np.bincount(
        rows.patient[chosen], weights=values.values[chosen].astype(np.float64), minlength=len(rows.patients)
    )
    return rows.patients.column(sums)


def first(times: Column, where: Column) -> Column:
    """Return the smallest of the values of each patient's rows in `where`; NEVER without any."""
    return _reduced(times, where, np.fmin, NEVER)


def last(times: Column, where: Column) -> Column:
    """Return the largest of the values of each patient's rows in `where`; -NEVER without any."""
    return _reduced(times, where, np.fmax, -NEVER)


def _reduced(values: Column, where: Column, function: Any, default: float) -> Column:
    rows = values.rows
    found = np.full(len(rows.patients), default)
    chosen = where.values.astype(bool)
    function.at(found, rows.patient[chosen], values.values[chosen].astype(np.float64))
    return rows.patients.column(found)


def value_at_first(values: Column, where: Column) -> Column:
    """Return the value of each patient's first row in `where`; not a number without any."""
    return _value(values, np.flatnonzero(where.values)[::-1])


def value_at_last(values: Column, where: Column) -> Column:
    """Return the value of each patient's last row in `where`; not a number without any."""
    return _value(values, np.flatnonzero(where.values))


def _value(values: Column, rows: Array) -> Column:
    found = np.full(len(values.rows.patients), np.nan)
    found[values.rows.patient[rows]] = values.values[rows]  # of several assignments the last one counts
    return values.rows.patients.column(found)


def meet(one: Column, other: Column, *by: Column) -> Column:
    """Return the patients with a row in `one` and another row in `other` whose values in the columns `by` are equal."""
    rows = one.rows
    key = rows.patient.astype(np.int64)
    for column in by:
        values = column.values.astype(np.int64)
        key = key * (int(values.max(initial=0)) + 1) + values
    mine, others = np.flatnonzero(one.values), np.sort(key[np.flatnonzero(other.values)])
    partners = np.searchsorted(others, key[mine], "right") - np.searchsorted(others, key[mine], "left")
    partners -= other.values[mine].astype(np.int64)  # a row is no partner of itself
    found = np.zeros(len(rows.patients), bool)
    found[rows.patient[mine[partners > 0]]] = True
    return rows.patients.column(found)
