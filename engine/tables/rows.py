"""Rows of structured arrays, described once: for NumPy as a dtype, for mypy and the reader as a class.

    class VitalRow(Row):
        at: Int64  # ms
        heart_rate: UInt8  # per minute

    VITAL = dtype_of(VitalRow)

A compiled function gets a row by reference and is annotated with its class. Numba ignores the annotation; mypy checks
that every field that the function names exists.
"""

from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

UInt8 = Annotated[int, "u1"]
UInt16 = Annotated[int, "u2"]
UInt32 = Annotated[int, "u4"]
UInt64 = Annotated[int, "u8"]
Int16 = Annotated[int, "i2"]
Int32 = Annotated[int, "i4"]
Int64 = Annotated[int, "i8"]
Float64 = Annotated[float, "f8"]

Ints = NDArray[np.integer[Any]]
"""An array of integers within a row: `Annotated[Ints, "i4", SHAPE]`."""
Floats = NDArray[np.floating[Any]]
"""An array of floats within a row: `Annotated[Floats, "f8", SHAPE]`."""

T = TypeVar("T", bound="Row")


class Row:
    """One row of a structured array. Subclasses annotate their fields; they are never instantiated."""


class Rows(Generic[T]):
    """An array of rows within a row: `Annotated[Rows[EventRow], LENGTH]`."""

    def __getitem__(self, index: int) -> T:
        """Return the row at an index, by reference."""
        raise TypeError("a description of rows holds none")

    def __setitem__(self, index: int, value: T) -> None:
        raise TypeError("a description of rows holds none")

    def __len__(self) -> int:
        raise TypeError("a description of rows holds none")


def dtype_of(row: type[Row]) -> "np.dtype[np.void]":
    """Return the aligned dtype of a row, its fields in the order of the class (those of a base class first).

    >>> class Point(Row):
    ...     x: Int32
    ...     y: Int32
    >>> dtype_of(Point).names
    ('x', 'y')

    Raises
    ------
    TypeError
        If a field's annotation has no dtype.
    """
    hints = get_type_hints(row, include_extras=True)
    return np.dtype([(name, *_field(name, hint)) for name, hint in hints.items()], align=True)


def _field(name: str, hint: Any) -> tuple[Any, ...]:
    """Return what np.dtype needs of a field besides its name: the type and, for an array, the shape."""
    if isinstance(hint, type) and issubclass(hint, Row):
        return (dtype_of(hint),)
    if get_origin(hint) is Annotated:
        kind, *extra = get_args(hint)
        if get_origin(kind) is Rows:
            return dtype_of(get_args(kind)[0]), _shape(extra[0])
        if len(extra) == 1:
            return (extra[0],)
        return extra[0], _shape(extra[1])
    raise TypeError(f"field {name!r}: {hint!r} has no dtype")


def _shape(shape: int | tuple[int, ...]) -> tuple[int, ...]:
    return shape if isinstance(shape, tuple) else (shape,)
