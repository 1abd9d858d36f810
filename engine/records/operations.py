"""The operations of a program that writes records, carried out by the kernel in `engine.records.assembly`.

An operation is a row of eight integers: kind, address, stride and type of a column, and four operands.
"""

from enum import IntEnum

COPY_BYTES = 32
"""Bytes that are copied at once. So many are read and written behind the end of a piece."""

LAST_DAY = 2_932_896
"""9999-12-31 in days since 1970: the last that a date of ten characters can hold."""

OPERANDS = 8
"""Integers in an operation."""


class Op(IntEnum):
    """Kinds of operation, with the meaning of the operands a, b, c and d."""

    PIECE = 0
    """Copy piece a."""
    LOOKUP = 1
    """Copy piece c + value - a. A value - a beyond b, the last piece, copies that if d is 1; else it is a fault."""
    OPTIONAL = 2
    """The same; where the piece is not empty, add one to the size of the map that is open."""
    INTEGER = 3
    """Write the value in decimal digits, or piece b where it is negative."""
    TIME = 4
    """Write piece a, the time in ISO 8601, piece b; or piece c where d is 1 and the value is negative."""
    DATE = 5
    """Write a date in ISO 8601, from days since 1970."""
    BYTES = 6
    """Copy a bytes from the column."""
    DIGITS = 11
    """Write the value in at least a decimal digits; after the header of a MessagePack text if d is 1."""
    PACKED = 7
    """Write the value as an integer of MessagePack, or piece b where it is negative."""
    MAP = 8
    """Write the header of a MessagePack map with a entries, and OPTIONAL ones."""
    LIST = 9
    """Begin a list whose exclusive ends are in the column. a: largest size of an item. b: the operation after the list.
    c: the piece that opens it; the pieces of an empty list, of a separator and of the end follow. d: 1 to write the
    header of a MessagePack array."""
    NEXT = 10
    """End an item of the list that began with operation a."""


class Column(IntEnum):
    """Types of a column's values."""

    UINT8 = 0
    UINT16 = 1
    UINT32 = 2
    INT16 = 3
    INT32 = 4
    INT64 = 5
