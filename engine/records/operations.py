"""The operations of a program that writes records, carried out by the kernel in `engine.records.assembly`.

An operation is a row of 64 bytes: two integers of 32 bits, its kind and operand e, and seven of 64 bits, the address,
stride and type of a column and the operands a to d.
"""

from enum import IntEnum

COPY_BYTES = 32
"""Bytes that are copied at once. So many are read and written behind the end of a piece."""

FIRST_DAY, LAST_DAY = -719_528, 2_932_896
"""0000-01-01 and 9999-12-31 in days since 1970: the first and last that a date of ten characters can hold."""

TIME_BYTES, DATE_BYTES = 20, 10
"""Sizes of a time and of a date in ISO 8601."""

MOST_DIGITS = 19
"""Digits of the largest integer of 64 bits."""

OPERATION_BYTES = 64
"""Size of an operation."""

DATES = 64
"""Days whose dates the kernel copies from where it wrote them, a power of two. A day has one place, by its number."""

DATES_AT = 24
"""Offset of these days in the result, each with the address of its text: the result begins with three integers."""

RESULT_WORDS = DATES_AT // 8 + 2 * DATES
"""Integers of 64 bits of the result."""


class Op(IntEnum):
    """Kinds of operation, with the meaning of the operands a to e."""

    PIECE = 0
    """Copy piece a."""
    LOOKUP = 1
    """Copy piece c + value - a, or piece c + b, the last, where value - a is d. Another value beyond the pieces is a
    fault."""
    OPTIONAL = 2
    """The same; where the piece is not empty, add one to the size of the map that operation e began."""
    INTEGER = 3
    """Write the value in decimal digits, or piece b where it is negative."""
    TIME = 4
    """Write piece a, the time in ISO 8601, piece b; or piece c where d is 1 and the value is negative."""
    DATE = 5
    """Write a date in ISO 8601, from days since 1970."""
    BYTES = 6
    """Copy a bytes from the column."""
    DIGITS = 7
    """Write the value in at least a decimal digits; after the header of a MessagePack text if d is 1."""
    PACKED = 8
    """Write the value as an integer of MessagePack, or piece b where it is negative."""
    SKIP = 9
    """Continue with operation a where the value is negative; else add one to the size of the map that operation e
    began, if there is one (e is not -1)."""
    MAP = 10
    """Write the header of a MessagePack map with a entries, to which OPTIONAL and SKIP add theirs. d: 1 for the header
    of three bytes, which 16 or more entries need. The kernel keeps the header's address in b."""
    LIST = 11
    """Begin a list whose exclusive ends are in the column. a: largest size of an item. b: the operation after the list.
    c: the piece that opens it; the pieces of an empty list, of a separator and of the end follow. d: 1 to write the
    header of a MessagePack array."""
    NEXT = 12
    """End an item of the list that began with operation a."""
    TEXT = 13
    """Write the header of a MessagePack text of as many bytes as the value says, or piece b where it is negative."""


class ColumnType(IntEnum):
    """Types of a column's values."""

    UINT8 = 0
    UINT16 = 1
    UINT32 = 2
    INT16 = 3
    INT32 = 4
    INT64 = 5
