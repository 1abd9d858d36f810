"""Programs: a table of the schema, compiled to the operations of `engine.records.assembly`.

The schema gives parts: bytes that are the same in every record, and fields. Neighbours are joined: constant bytes go
into the pieces of the field after or before them, and fields that follow the same code become one field. Then each
part becomes an operation.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from engine.errors import RunError
from engine.numeric import NativeFunction
from engine.records.code_tables import Codes, CodeTables
from engine.records.fields import Rows, Source, View
from engine.records.operations import (
    COPY_BYTES,
    DATE_BYTES,
    MOST_DIGITS,
    OPERATION_BYTES,
    RESULT_WORDS,
    TIME_BYTES,
    ColumnType,
    Op,
)
from engine.records.values import Coded, Joined, Values, python_values
from engine.tables import Chunk

_INTEGER_BYTES = MOST_DIGITS + 1
"""The largest size of an integer, or of digits with the header of a MessagePack text."""
_HEADER_BYTES = 5
"""The largest size of the header of a MessagePack array or map."""
_SPARE_BYTES = 1 << 16
_NOWHERE = (0, 0, 0)
"""Address, stride and type for an operation that reads no column."""
_NO_CODE = -(1 << 62)
"""Stands for the code of null where there is none."""

ASSEMBLE = NativeFunction(
    "engine.records.assembly", "assemble", (int,) * 10, ("engine.records.program", "ASSEMBLE")
)
"""`engine.records.assembly.assemble`, whose module is imported only to compile it, because it imports Numba."""

_COLUMN_TYPES = {
    np.dtype("u1"): ColumnType.UINT8,
    np.dtype("u2"): ColumnType.UINT16,
    np.dtype("u4"): ColumnType.UINT32,
    np.dtype(bool): ColumnType.UINT8,
    np.dtype("i2"): ColumnType.INT16,
    np.dtype("i4"): ColumnType.INT32,
    np.dtype("i8"): ColumnType.INT64,
}

Write = Callable[[Any], bytes]
"""Encodes a value: a text, a number, a truth value, a Struct or None."""


@dataclass(frozen=True)
class LookUp:
    """One or more fields that follow the same code, and the bytes around them."""

    texts: tuple[bytes | tuple[Source, Write, str], ...]
    """Constant bytes; or the source of a field, what encodes its values, and the field's path in the record."""
    counted: bool = False
    """Whether the field is an entry of a MessagePack map only where it is not empty."""

    @property
    def source(self) -> Source:
        """The source of the code."""
        return self.fields[0][0]

    @property
    def fields(self) -> list[tuple[Source, Write, str]]:
        """The fields among the texts."""
        return [text for text in self.texts if not isinstance(text, bytes)]

    @property
    def path(self) -> str:
        """The path of the first field."""
        return self.fields[0][2]

    def follows(self, other: "LookUp", code_tables: CodeTables) -> bool:
        """Whether both follow the same code and know the same ones, and may be joined."""
        if self.counted or other.counted:
            return False
        key = self.source.code_key(code_tables)
        return key is not None and key == other.source.code_key(code_tables)

    def null(self, view: View) -> int | None:
        """Return the code of "none of them"; None if one of the fields cannot be null."""
        codes = {_coded(source, view).null for source, _, _ in self.fields}
        return codes.pop() if len(codes) == 1 else None

    def pieces(self, view: View) -> list[bytes]:
        """Return the bytes for each code."""
        count = len(_coded(self.source, view).texts)
        columns: list[Iterable[bytes]] = [
            [text] * count if isinstance(text, bytes) else map(text[1], _coded(text[0], view).texts)
            for text in self.texts
        ]
        return list(map(b"".join, zip(*columns, strict=True)))


@dataclass(frozen=True)
class Direct:
    """A time, date, integer or id, which the kernel writes from its column, and the bytes around it."""

    op: Op
    source: Source
    path: str
    """The field's path in the record."""
    quotes: tuple[bytes, bytes] = (b"", b"")
    """What stands around a time that is not null."""
    operands: tuple[int, int] = (0, 0)
    """For digits: the smallest number of them, and whether they begin with the header of a MessagePack text."""
    null: bytes | None = None
    """What is written for a negative value; None if it cannot be null."""
    before: bytes = b""
    after: bytes = b""


@dataclass(frozen=True)
class ListBegin:
    """The beginning of a list."""

    rows: Rows
    path: str
    opening: bytes = b""
    empty: bytes = b""
    separator: bytes = b""
    closing: bytes = b""
    header: bool = False
    """Whether the list begins with the header of a MessagePack array."""


@dataclass(frozen=True)
class ListEnd:
    """The end of an item of a list."""


@dataclass(frozen=True)
class MapBegin:
    """The header of a MessagePack map with so many entries and those that are not left out."""

    entries: int
    wide: bool
    """Whether there may be 16 or more."""


@dataclass(frozen=True)
class MapEnd:
    """The end of a MessagePack map."""


@dataclass(frozen=True)
class SkipBegin:
    """The beginning of parts that are left out where the value is negative."""

    source: Source
    path: str
    counted: bool
    """Whether they are an entry of the MessagePack map that is open."""


@dataclass(frozen=True)
class SkipEnd:
    """The end of parts that may be left out."""


Part = bytes | LookUp | Direct | ListBegin | ListEnd | MapBegin | MapEnd | SkipBegin | SkipEnd


def join_parts(parts: Iterable[Part], code_tables: CodeTables) -> list[Part]:
    """Join neighbours, so that a record takes as few operations as possible."""
    joined: list[Part] = []
    constant = b""
    for part in (*parts, None):
        if isinstance(part, bytes):
            constant += part
            continue
        if constant:
            if isinstance(part, LookUp) and not part.counted:
                part = replace(part, texts=(constant, *part.texts))
            elif isinstance(part, Direct) and part.op == Op.TIME:
                part = replace(part, before=constant + part.before)
            else:
                _append(joined, constant)
            constant = b""
        last = joined[-1] if joined else None
        if isinstance(part, LookUp) and isinstance(last, LookUp) and part.follows(last, code_tables):
            joined[-1] = replace(last, texts=(*last.texts, *part.texts))
        elif part is not None:
            joined.append(part)
    return joined


def _append(parts: list[Part], constant: bytes) -> None:
    """Add constant bytes at the end, within the last part where that is possible."""
    last = parts[-1] if parts else None
    if isinstance(last, LookUp) and not last.counted:
        parts[-1] = replace(last, texts=(*last.texts, constant))
    elif isinstance(last, Direct) and last.op == Op.TIME:
        parts[-1] = replace(last, after=last.after + constant)
    else:
        parts.append(constant)


@dataclass
class _Step:
    """An operation, its pieces, and the column it reads."""

    op: Op
    scope: int
    source: Source | None = None
    path: str = ""
    look_up: LookUp | None = None
    pieces: list[bytes] = field(default_factory=list)
    operands: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    """The operands a to d."""
    map: int = -1
    """Operand e: the operation that began the MessagePack map of which it writes an entry."""
    bound: int = 0
    """Largest number of bytes that it writes, besides its pieces."""
    null: bool = False


class Program:
    """Writes the rows of one table as bytes. It reuses its pieces from chunk to chunk.

    Parameters
    ----------
    parts
        The parts of a row.
    table
        The table that has one row for each record: a name of a field of `Chunk`.
    code_tables
        The texts behind the codes.
    """

    def __init__(self, parts: Iterable[Part], table: str, code_tables: CodeTables) -> None:
        self._table = table
        self._code_tables = code_tables
        self._lists: list[ListBegin] = []
        self._steps = list(self._compile(join_parts(parts, code_tables)))
        self._ops = np.zeros((len(self._steps), OPERATION_BYTES // 8), np.int64)
        self._ops.view(np.int32)[:, :2] = [(step.op, step.map) for step in self._steps]
        self._pieces = np.zeros((0, 2), np.int64)
        self._blob = b""
        self._bound = 0
        self._row_bytes = 0

    def _compile(self, parts: Sequence[Part]) -> Iterator[_Step]:
        scope = begin = 0
        numbers = _numbers(parts)
        maps: list[int] = []
        for number, part in zip(numbers, parts, strict=False):
            match part:
                case bytes():
                    yield _Step(Op.PIECE, scope, pieces=[part])
                case LookUp():
                    op = Op.OPTIONAL if part.counted else Op.LOOKUP
                    step = _Step(op, scope, part.source, part.path, part, operands=[0, 0, 0, _NO_CODE])
                    step.map = maps[-1] if part.counted else -1
                    yield step
                case Direct():
                    yield _direct(part, scope)
                case SkipBegin():
                    end = numbers[_end(parts, part, SkipEnd)]
                    step = _Step(Op.SKIP, scope, part.source, part.path, operands=[end, 0, 0, 0])
                    step.map = maps[-1] if part.counted else -1
                    yield step
                case MapBegin():
                    maps.append(number)
                    operands = [part.entries, 0, 0, int(part.wide)]
                    yield _Step(Op.MAP, scope, operands=operands, bound=_HEADER_BYTES)
                case MapEnd():
                    maps.pop()
                case ListBegin():
                    if scope:
                        raise TypeError(f"{part.path}: a list cannot hold a list")
                    self._lists.append(part)
                    scope, begin = len(self._lists), number
                    end = numbers[_end(parts, part, ListEnd)]
                    pieces = [part.opening, part.empty, part.separator, part.closing]
                    operands = [0, end + 1, 0, int(part.header)]
                    yield _Step(
                        Op.LIST, scope, path=part.path, pieces=pieces, operands=operands, bound=_HEADER_BYTES
                    )
                case ListEnd():
                    yield _Step(Op.NEXT, scope, operands=[begin, 0, 0, 0])
                    scope = 0

    def write(self, chunk: Chunk) -> memoryview:
        """Return the rows of `chunk`."""
        rows = getattr(chunk, self._table)
        of_chunk: dict[Any, Any] = {}
        root = View(chunk, rows, self._code_tables, of_chunk)
        keep = self._bind(root, of_chunk)
        result = np.zeros(RESULT_WORDS, np.int64)
        filled: list[NDArray[np.uint8]] = []
        done = 0
        while done < len(rows):
            expected = (len(rows) - done) * (self._row_bytes or self._bound)
            out = np.empty(
                expected + expected // 8 + self._bound + _SPARE_BYTES * (len(filled) + 1), np.uint8
            )
            ASSEMBLE(
                self._ops.ctypes.data,
                len(self._ops),
                self._bound,
                self._pieces.ctypes.data,
                self._code_tables.start_ms,
                done,
                len(rows),
                out.ctypes.data,
                len(out),
                result.ctypes.data,
            )
            done, size, fault = result[:3].tolist()
            if fault >= 0:
                self._raise_fault(self._steps[fault], root)
            filled.append(out[:size])
        del keep
        data = filled[0] if len(filled) == 1 else np.concatenate(filled) if filled else np.empty(0, np.uint8)
        if len(rows):
            self._row_bytes = -(-len(data) // len(rows))
        return data.data

    def _raise_fault(self, step: _Step, root: View) -> NoReturn:
        """Raise RunError about the first value of a step that cannot be written, as the oracle does."""
        rows = self._lists[step.scope - 1].rows if step.scope else None
        view = View(root.chunk, rows.rule(root)[0], self._code_tables) if rows else root
        fields = step.look_up.fields if step.look_up else [(step.source, None, step.path)]
        for source, _, path in fields:
            if source is not None:
                python_values(source.values(view), self._code_tables, step.operands[3] == 1, path)
        raise RunError(f"{step.path}: a value cannot be written")

    def _bind(self, root: View, of_chunk: dict[Any, Any]) -> list[Any]:
        """Set the columns of all operations to those of a chunk. Returns the arrays, which must stay alive.

        The views of the lists share `of_chunk` with that of the rows.
        """
        views = [root]
        ends: list[NDArray[Any]] = [np.zeros(0, np.int64)]
        for each in self._lists:
            table, end = each.rows.rule(root)
            _check_ends(end, len(root.rows), len(table), each.path)
            views.append(View(root.chunk, table, self._code_tables, of_chunk))
            ends.append(end)
        keep: list[Any] = [views]
        grown = not len(self._pieces)
        places: list[tuple[int, int, int]] = []
        for step in self._steps:
            view = views[step.scope]
            place = _NOWHERE
            if step.op == Op.LIST:
                column, place = _bind_column(ends[step.scope], len(root.rows), step.path)
                keep.append(column)
            elif step.source is not None:
                values = step.source.values(view)
                column, place = _bind_column(_array(values), len(view.rows), step.path, step.source.width)
                keep.append(column)
                if step.op == Op.DIGITS and column.dtype.kind == "i" and int(column.min(initial=0)) < 0:
                    raise ValueError(f"{step.path}: digits cannot write a negative number")
                if step.look_up is not None:
                    coded = _coded(step.source, view, values)
                    if len(coded.texts) > len(step.pieces):
                        step.pieces = step.look_up.pieces(view)
                        null = step.look_up.null(view)
                        step.operands[:2] = coded.low, len(step.pieces) - 1
                        step.operands[3] = _NO_CODE if null is None else null - coded.low
                        grown = True
            places.append(place)
        self._ops[:, 1:4] = places
        if grown:
            self._number_pieces()
            for step, op in zip(self._steps, self._ops, strict=True):
                op[4:] = step.operands
        return keep

    def _number_pieces(self) -> None:
        """Number the pieces of all operations, and note how long rows can be."""
        pieces: list[bytes] = []
        bounds = [0] * (len(self._lists) + 1)
        for step in self._steps:
            first = len(pieces)
            pieces += step.pieces
            longest = max(map(len, step.pieces), default=0)
            match step.op:
                case Op.PIECE:
                    step.operands[0] = first
                case Op.LOOKUP | Op.OPTIONAL | Op.LIST:
                    step.operands[2] = first
                case Op.TIME:
                    step.operands[:3] = first, first + 1, first + 2
                    longest = sum(map(len, step.pieces))
                case Op.INTEGER | Op.PACKED | Op.TEXT:
                    step.operands[1] = first
            if step.op == Op.LIST:
                bounds[0] += sum(map(len, step.pieces)) + step.bound
                bounds[step.scope] += len(step.pieces[2])
            else:
                bounds[step.scope] += longest + step.bound
        for step in self._steps:
            if step.op == Op.LIST:
                step.operands[0] = bounds[step.scope]
        self._bound = bounds[0]
        self._blob = b"".join((*pieces, bytes(COPY_BYTES)))
        sizes = np.array([len(piece) for piece in pieces], np.int64)
        address = np.frombuffer(self._blob, np.uint8).ctypes.data
        self._pieces = np.stack((address + np.cumsum(sizes) - sizes, sizes), axis=1)


def _direct(part: Direct, scope: int) -> _Step:
    step = _Step(part.op, scope, part.source, part.path)
    if part.op == Op.TIME:
        opening, closing = part.quotes
        nothing = part.before + (part.null or b"") + part.after
        step.pieces = [part.before + opening, closing + part.after, nothing]
        step.operands[3] = int(part.null is not None)
    elif part.op in (Op.INTEGER, Op.PACKED, Op.TEXT):
        step.pieces = [part.null or b""]
    step.bound = {Op.TIME: TIME_BYTES, Op.DATE: DATE_BYTES, Op.BYTES: part.source.width}.get(
        part.op, _INTEGER_BYTES
    )
    if part.op == Op.BYTES:
        step.operands[0] = part.source.width
    elif part.op == Op.DIGITS:
        step.operands[0], step.operands[3] = part.operands
    return step


def _coded(source: Source, view: View, values: Values | None = None) -> Coded:
    found = source.values(view) if values is None else values
    if not isinstance(found, Coded):
        raise TypeError(f"{source} is not a look-up")
    return found


def _array(values: Values) -> NDArray[Any]:
    if isinstance(values, Joined):
        raise TypeError("a composed text is written part by part")
    return values.codes if isinstance(values, Coded) else values.values


def _bind_column(
    column: NDArray[Any], rows: int, path: str, width: int = 0
) -> tuple[NDArray[Any], tuple[int, int, int]]:
    """Return the column that an operation reads, and its address, stride and type.

    The kernel reads the column by its address, so that a wrong length or type would show in the records or not at all.
    """
    if column.ndim != 1 or len(column) != rows:
        raise ValueError(f"{path}: a column of shape {column.shape} for {rows} rows")
    if width:
        if column.dtype.kind != "S" or column.dtype.itemsize != width:
            raise TypeError(f"{path}: a column of type {column.dtype} for texts of {width} bytes")
        kind = ColumnType.UINT8
        column = np.concatenate((column, np.zeros(1 + COPY_BYTES // width, column.dtype)))
    else:
        known = _COLUMN_TYPES.get(column.dtype)
        if known is None:
            column, known = _as_int64(column, path), ColumnType.INT64
        kind = known
    return column, (column.__array_interface__["data"][0], column.strides[0], kind)


def _as_int64(column: NDArray[Any], path: str) -> NDArray[Any]:
    """Return a column as signed integers of 64 bits."""
    if column.dtype.kind not in "iub":
        raise TypeError(f"{path}: a column of type {column.dtype}; allowed: integers and truth values")
    if column.dtype.kind == "u" and column.itemsize == 8 and int(column.max(initial=0)) >= 1 << 63:
        raise ValueError(f"{path}: the number {int(column.max())} is too large; allowed: less than 2**63")
    return column.astype(np.int64)


def _check_ends(ends: Codes, patients: int, rows: int, path: str) -> None:
    """Raise ValueError if `ends` are not the exclusive ends of the patients' rows in a table."""
    if not patients or ends.shape != (patients,):
        return  # the binding of the column checks its shape
    if int(ends[0]) < 0 or int(ends[-1]) > rows or (ends[1:] < ends[:-1]).any():
        raise ValueError(f"{path}: the ends of the rows must not decrease, nor exceed the {rows} rows")


def _numbers(parts: Sequence[Part]) -> list[int]:
    """Return the number of each part's operation, and how many there are. The end of a skip or map has none."""
    return list(accumulate((not isinstance(part, SkipEnd | MapEnd) for part in parts), initial=0))


def _end(parts: Sequence[Part], begin: Part, kind: type[Part]) -> int:
    """Return the index of the first part of a kind after `begin`."""
    start = next(at for at, part in enumerate(parts) if part is begin)
    return next(at for at in range(start, len(parts)) if isinstance(parts[at], kind))
