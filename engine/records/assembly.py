"""The compiled kernel that writes records: it carries out a program of operations for each row of a table.

A record is a sequence of pieces, texts of fixed width, times and integers. A piece is a few bytes that were encoded
once, such as `,"event":"triaged"`. The kernel looks its number up by a code and copies it. It sees the operations, the
columns and the pieces as addresses, so that it needs neither NumPy nor Numba's run-time to run.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from engine.numeric import compiled
from engine.records.operations import (
    COPY_BYTES,
    DATES,
    DATES_AT,
    FIRST_DAY,
    LAST_DAY,
    OPERATION_BYTES,
    ColumnType,
    Op,
)


def _load(bits: int, signed: bool) -> Any:
    """Return an intrinsic that reads an integer at an address."""

    @intrinsic
    def load(context: Any, address: Any) -> Any:
        def generate(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = ir.IntType(bits)
            value = builder.load(builder.inttoptr(arguments[0], kind.as_pointer()), align=1)
            if bits == 64:
                return value
            extend = builder.sext if signed else builder.zext
            return extend(value, ir.IntType(64))

        return types.int64(types.int64), generate

    return load


_u8, _u16, _u32 = _load(8, False), _load(16, False), _load(32, False)
_i16, _i32, _i64 = _load(16, True), _load(32, True), _load(64, True)


def _store(bits: int) -> Any:
    """Return an intrinsic that writes the low bits of an integer at an address."""

    @intrinsic
    def store(context: Any, address: Any, value: Any) -> Any:
        def generate(ctx: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = ir.IntType(bits)
            value = arguments[1] if bits == 64 else builder.trunc(arguments[1], kind)
            builder.store(value, builder.inttoptr(arguments[0], kind.as_pointer()), align=1)
            return ctx.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    return store


_put_byte, _put_word = _store(8), _store(64)


def _copying(size: int) -> Any:
    """Return an intrinsic that copies `size` bytes between addresses."""

    @intrinsic
    def copy(context: Any, target: Any, source: Any) -> Any:
        def generate(ctx: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = ir.VectorType(ir.IntType(8), size)
            target, source = (builder.inttoptr(address, kind.as_pointer()) for address in arguments)
            builder.store(builder.load(source, align=1), target, align=1)
            return ctx.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    return copy


_copy_32 = _copying(COPY_BYTES)


@compiled
def _copy(target: int, source: int, size: int) -> None:
    """Copy `size` bytes, and up to COPY_BYTES more behind them: that is faster than a call of memcpy for a short text.

    What is written too much is overwritten by the next operation.
    """
    _copy_32(target, source)
    done = COPY_BYTES
    while done < size:
        _copy_32(target + done, source + done)
        done += COPY_BYTES


@compiled
def _value(op: int, row: int) -> int:
    """Return the value of an operation's column in a row."""
    address = _i64(op + 8) + _i64(op + 16) * row
    kind = _i64(op + 24)
    if kind == ColumnType.UINT8:
        return _u8(address)
    if kind == ColumnType.INT64:
        return _i64(address)
    if kind == ColumnType.UINT16:
        return _u16(address)
    if kind == ColumnType.INT16:
        return _i16(address)
    if kind == ColumnType.INT32:
        return _i32(address)
    return _u32(address)


@compiled
def _piece(pieces: int, number: int, at: int) -> int:
    """Copy a piece to `at`; return the address after it. `pieces` has address and size of each piece."""
    entry = pieces + 16 * number
    size = _i64(entry + 8)
    _copy(at, _i64(entry), size)
    return at + size


@compiled
def _two_digits(value: int, at: int) -> None:
    _put_byte(at, 48 + value // 10)
    _put_byte(at + 1, 48 + value % 10)


@compiled
def _date(days: int, at: int) -> int:
    """Write days since 1970 as YYYY-MM-DD in the proleptic Gregorian calendar.

    The method is `civil_from_days` of Howard Hinnant, "chrono-compatible low-level date algorithms".
    """
    shifted = days + 719468
    era = shifted // 146097
    day_of_era = shifted - era * 146097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    year = year_of_era + era * 400 + (1 if month <= 2 else 0)
    _two_digits(year // 100, at)
    _two_digits(year % 100, at + 2)
    _put_byte(at + 4, 45)
    _two_digits(month, at + 5)
    _put_byte(at + 7, 45)
    _two_digits(day_of_year - (153 * shifted_month + 2) // 5 + 1, at + 8)
    return at + 10


@compiled
def _clock(second: int, at: int) -> int:
    """Write seconds since midnight as Thh:mm:ssZ."""
    _put_byte(at, 84)
    _two_digits(second // 3600, at + 1)
    _put_byte(at + 3, 58)
    _two_digits(second // 60 % 60, at + 4)
    _put_byte(at + 6, 58)
    _two_digits(second % 60, at + 7)
    _put_byte(at + 9, 90)
    return at + 10


@compiled
def _decimal(value: int, at: int) -> int:
    """Write a non-negative integer in decimal digits."""
    digits = 1
    power = 10
    while digits < 19 and value >= power:
        digits += 1
        power *= 10
    place = at + digits
    while place > at:
        place -= 1
        _put_byte(place, 48 + value % 10)
        value //= 10
    return at + digits


@compiled
def _digits(value: int, least: int, at: int) -> int:
    """Write a non-negative integer in at least `least` decimal digits."""
    power = 10
    zeros = least - 1
    while zeros > 0 and value >= power:
        zeros -= 1
        power *= 10
    while zeros > 0:
        _put_byte(at, 48)
        at += 1
        zeros -= 1
    return _decimal(value, at)


@compiled
def _big_endian(value: int, size: int, at: int) -> int:
    """Write the lowest `size` bytes of an integer, the most significant first."""
    for place in range(size):
        _put_byte(at + place, value >> (8 * (size - 1 - place)))
    return at + size


@compiled
def _packed(value: int, at: int) -> int:
    """Write a non-negative integer as MessagePack does, in as few bytes as it needs."""
    if value < 1 << 7:
        _put_byte(at, value)
        return at + 1
    if value < 1 << 8:
        _put_byte(at, 0xCC)
        return _big_endian(value, 1, at + 1)
    if value < 1 << 16:
        _put_byte(at, 0xCD)
        return _big_endian(value, 2, at + 1)
    if value < 1 << 32:
        _put_byte(at, 0xCE)
        return _big_endian(value, 4, at + 1)
    _put_byte(at, 0xCF)
    return _big_endian(value, 8, at + 1)


@compiled
def _add_entry(op: int) -> None:
    """Add one to the size of the MessagePack map that operation `op` began."""
    header = _i64(op + 40)
    if _i64(op + 56) == 1:
        _big_endian((_u8(header + 1) << 8 | _u8(header + 2)) + 1, 2, header + 1)
    else:
        _put_byte(header, _u8(header) + 1)


@compiled
def _array_header(items: int, at: int) -> int:
    """Write the header of a MessagePack array."""
    if items < 16:
        _put_byte(at, 0x90 | items)
        return at + 1
    if items < 1 << 16:
        _put_byte(at, 0xDC)
        return _big_endian(items, 2, at + 1)
    _put_byte(at, 0xDD)
    return _big_endian(items, 4, at + 1)


@compiled
def _text_header(size: int, at: int) -> int:
    """Write the header of a MessagePack text."""
    if size < 32:
        _put_byte(at, 0xA0 | size)
        return at + 1
    if size < 1 << 8:
        _put_byte(at, 0xD9)
        return _big_endian(size, 1, at + 1)
    if size < 1 << 16:
        _put_byte(at, 0xDA)
        return _big_endian(size, 2, at + 1)
    _put_byte(at, 0xDB)
    return _big_endian(size, 4, at + 1)


def assemble(
    ops: int,
    count: int,
    bound: int,
    pieces: int,
    start_ms: int,
    first: int,
    stop: int,
    out: int,
    capacity: int,
    result: int,
) -> None:
    """Write rows `first` to `stop` - 1, or as many of them as fit.

    All arguments are integers, so that the compiled function can be called without Numba.

    Parameters
    ----------
    ops, count
        Address of the operations and their number.
    bound
        Largest size of a row without its lists.
    pieces
        Address of a table with the address and the size of each piece.
    start_ms
        The time that the columns of times count from, in ms since 1970.
    first, stop
        The rows.
    out, capacity
        Address and size of the buffer. COPY_BYTES behind the end of each piece and each text of fixed width are read.
    result
        Address of RESULT_WORDS integers. The first three are the first row that was not written, the number of bytes
        written, and the operation whose code has no piece or whose time or date no text can hold, or -1. The others are
        room for the days whose dates have been written, each with the address of its text.
    """
    end = out + capacity - COPY_BYTES
    at = out
    for slot in range(DATES):
        _put_word(result + DATES_AT + 16 * slot + 8, 0)
    patient = first
    full = False
    fault = -1
    while patient < stop:
        begin = at
        if at + bound > end:
            break
        row = patient
        list_op = 0
        list_end = 0
        step = 0
        while step < count:
            op = ops + step * OPERATION_BYTES
            step += 1
            kind = _i32(op)
            if kind == Op.PIECE:
                at = _piece(pieces, _i64(op + 32), at)
            elif kind == Op.LOOKUP or kind == Op.OPTIONAL:
                code = _value(op, row) - _i64(op + 32)
                last = _i64(op + 40)
                if code < 0 or code > last:
                    if code != _i64(op + 56):
                        fault = step - 1
                        break
                    code = last
                before = at
                at = _piece(pieces, _i64(op + 48) + code, at)
                if kind == Op.OPTIONAL and at > before:
                    _add_entry(ops + _i32(op + 4) * OPERATION_BYTES)
            elif kind == Op.SKIP:
                if _value(op, row) < 0:
                    step = _i64(op + 32)
                elif _i32(op + 4) >= 0:
                    _add_entry(ops + _i32(op + 4) * OPERATION_BYTES)
            elif kind == Op.TIME:
                time = _value(op, row)
                if time < 0 and _i64(op + 56) == 1:
                    at = _piece(pieces, _i64(op + 48), at)
                else:
                    at = _piece(pieces, _i64(op + 32), at)
                    seconds = (time + start_ms) // 1000
                    day = seconds // 86400
                    slot = result + DATES_AT + 16 * (day & (DATES - 1))
                    written = _i64(slot + 8)
                    if written != 0 and day == _i64(slot):
                        _copy(at, written, 10)
                    elif day < FIRST_DAY or day > LAST_DAY:
                        fault = step - 1
                        break
                    else:
                        _date(day, at)
                        _put_word(slot, day)
                        _put_word(slot + 8, at)
                    at = _clock(seconds - day * 86400, at + 10)
                    at = _piece(pieces, _i64(op + 40), at)
            elif kind == Op.INTEGER or kind == Op.PACKED:
                value = _value(op, row)
                if value < 0:
                    at = _piece(pieces, _i64(op + 40), at)
                elif kind == Op.INTEGER:
                    at = _decimal(value, at)
                else:
                    at = _packed(value, at)
            elif kind == Op.BYTES:
                size = _i64(op + 32)
                _copy(at, _i64(op + 8) + _i64(op + 16) * row, size)
                at += size
            elif kind == Op.DIGITS:
                header = _i64(op + 56)
                end_of_text = _digits(_value(op, row), _i64(op + 32), at + header)
                if header == 1:
                    _put_byte(at, 0xA0 | (end_of_text - at - 1))
                at = end_of_text
            elif kind == Op.DATE:
                day = _value(op, row)
                if day < FIRST_DAY or day > LAST_DAY:
                    fault = step - 1
                    break
                at = _date(day, at)
            elif kind == Op.MAP:
                _put_word(op + 40, at)
                if _i64(op + 56) == 1:
                    _put_byte(at, 0xDE)
                    at = _big_endian(_i64(op + 32), 2, at + 1)
                else:
                    _put_byte(at, 0x80 | _i64(op + 32))
                    at += 1
            elif kind == Op.LIST:
                row = _value(op, patient - 1) if patient > 0 else 0
                list_end = _value(op, patient)
                items = list_end - row
                if at + bound + items * _i64(op + 32) > end:
                    full = True
                    break
                if _i64(op + 56) == 1:
                    at = _array_header(items, at)
                if items == 0:
                    at = _piece(pieces, _i64(op + 48) + 1, at)
                    step = _i64(op + 40)
                    row = patient
                else:
                    at = _piece(pieces, _i64(op + 48), at)
                    list_op = op
            elif kind == Op.TEXT:
                size = _value(op, row)
                if size < 0:
                    at = _piece(pieces, _i64(op + 40), at)
                else:
                    at = _text_header(size, at)
            elif kind == Op.NEXT:
                row += 1
                if row < list_end:
                    at = _piece(pieces, _i64(list_op + 48) + 2, at)
                    step = _i64(op + 32) + 1
                else:
                    at = _piece(pieces, _i64(list_op + 48) + 3, at)
                    row = patient
        if full or fault >= 0:
            at = begin
            break
        patient += 1
    _put_word(result, patient)
    _put_word(result + 8, at - out)
    _put_word(result + 16, fault)
