"""Programs: a table of the schema, compiled to the operations of `engine.records.assembly`.

The schema gives parts: bytes that are the same in every record, and fields. Neighbours are joined: constant bytes go
into the pieces of the field after or before them, and fields that follow the same code become one field. Then each
part becomes an operation.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.numeric import NativeFunction
from engine.records.code_tables import CodeTables
from engine.records.fields import Rows, Source, View
from engine.records.operations import COPY_BYTES, OPERANDS, Column, Op
from engine.records.values import Coded, Dates, FixedTexts, Integers, Numerals, Times, Values
from engine.tables import Chunk

_TIME_BYTES, _DATE_BYTES, _INTEGER_BYTES, _HEADER_BYTES = 20, 10, 20, 5
_SPARE_BYTES = 1 << 16

ASSEMBLE = NativeFunction(
    "engine.records.assembly", "assemble", (int,) * 10, ("engine.records.program", "ASSEMBLE")
)
"""`engine.records.assembly.assemble`, whose module is imported only to compile it, because it imports Numba."""

_COLUMN_TYPES = {
    np.dtype("u1"): Column.UINT8,
    np.dtype("u2"): Column.UINT16,
    np.dtype("u4"): Column.UINT32,
    np.dtype("u8"): Column.INT64,  # all numbers are below 2**63
    np.dtype("i2"): Column.INT16,
    np.dtype("i4"): Column.INT32,
    np.dtype("i8"): Column.INT64,
}

Write = Callable[[Any], bytes]
"""Encodes a value: a text, a number, a truth value, a Struct or None."""


@dataclass(frozen=True)
class LookUp:
    """One or more fields that follow the same code, and the bytes around them."""

    texts: tuple[bytes | tuple[Source, Write], ...]
    counted: bool = False
    """Whether the field is an entry of a MessagePack map only where it is not empty."""

    @property
    def source(self) -> Source:
        """The source of the code."""
        return next(text[0] for text in self.texts if not isinstance(text, bytes))

    def follows(self, other: "LookUp") -> bool:
        """Whether both follow the same code, and may be joined."""
        key = self.source.code_key
        return key is not None and key == other.source.code_key and not self.counted and not other.counted

    def pieces(self, view: View) -> list[bytes]:
        """Return the bytes for each code."""
        columns: list[Iterable[bytes]] = []
        lists = [None if isinstance(text, bytes) else _coded(text[0], view).texts for text in self.texts]
        count = max(len(texts) for texts in lists if texts is not None)
        for text, texts in zip(self.texts, lists, strict=True):
            if isinstance(text, bytes):
                columns.append([text] * count)
            else:
                columns.append(map(text[1], texts or ()))
        return list(map(b"".join, zip(*columns, strict=True)))


@dataclass(frozen=True)
class Direct:
    """A time, date, integer or id, which the kernel writes from its column, and the bytes around it."""

    op: Op
    source: Source
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


Part = bytes | LookUp | Direct | ListBegin | ListEnd | MapBegin


def join_parts(parts: Iterable[Part]) -> list[Part]:
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
        if isinstance(part, LookUp) and isinstance(last, LookUp) and part.follows(last):
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
    look_up: LookUp | None = None
    pieces: list[bytes] = field(default_factory=list)
    operands: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
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
        self._lists: list[Rows] = []
        self._steps = list(self._compile(join_parts(parts)))
        self._ops = np.zeros((len(self._steps), OPERANDS), np.int64)
        self._pieces = np.zeros((0, 2), np.int64)
        self._blob = b""
        self._bound = 0
        self._row_bytes = 0

    def _compile(self, parts: Sequence[Part]) -> Iterator[_Step]:
        scope = begin = 0
        for number, part in enumerate(parts):
            match part:
                case bytes():
                    yield _Step(Op.PIECE, scope, pieces=[part])
                case LookUp():
                    op = Op.OPTIONAL if part.counted else Op.LOOKUP
                    yield _Step(op, scope, part.source, part)
                case Direct():
                    yield _direct(part, scope)
                case MapBegin():
                    yield _Step(Op.MAP, scope, operands=[part.entries, 0, 0, 0], bound=1)
                case ListBegin():
                    self._lists.append(part.rows)
                    scope, begin = len(self._lists), number
                    end = next(at for at in range(number, len(parts)) if isinstance(parts[at], ListEnd))
                    pieces = [part.opening, part.empty, part.separator, part.closing]
                    operands = [0, end + 1, 0, int(part.header)]
                    yield _Step(Op.LIST, scope, pieces=pieces, operands=operands, bound=_HEADER_BYTES)
                case ListEnd():
                    yield _Step(Op.NEXT, scope, operands=[begin, 0, 0, 0])
                    scope = 0

    def write(self, chunk: Chunk) -> memoryview:
        """Return the rows of `chunk`."""
        rows = getattr(chunk, self._table)
        root = View(chunk, rows, self._code_tables)
        keep = self._bind(root)
        starts = np.zeros(3, np.int64)
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
                starts.ctypes.data,
            )
            done, size, fault = starts.tolist()
            if fault >= 0:
                self._check_times(self._steps[fault], root)
                raise IndexError(
                    f"row {done} of {self._table}: no text for a code of {self._steps[fault].source}"
                )
            filled.append(out[:size])
        del keep
        data = filled[0] if len(filled) == 1 else np.concatenate(filled) if filled else np.empty(0, np.uint8)
        if len(rows):
            self._row_bytes = -(-len(data) // len(rows))
        return data.data

    def _check_times(self, step: _Step, root: View) -> None:
        """Raise RunError if one of a step's times is later than records can hold."""
        if step.op == Op.TIME and step.source is not None:
            view = (
                View(root.chunk, self._lists[step.scope - 1].rule(root)[0], self._code_tables)
                if step.scope
                else root
            )
            self._code_tables.instants(_array(step.source.values(view)))

    def _bind(self, root: View) -> list[Any]:
        """Set the columns of all operations to those of a chunk. Returns the arrays, which must stay alive."""
        views = [root]
        ends: list[NDArray[Any]] = [np.zeros(0, np.int64)]
        for rows in self._lists:
            table, end = rows.rule(root)
            views.append(View(root.chunk, table, self._code_tables))
            ends.append(end)
        keep: list[Any] = [views]
        grown = not len(self._pieces)
        for step, op in zip(self._steps, self._ops, strict=True):
            view = views[step.scope]
            if step.op == Op.LIST:
                keep.append(_bind_column(op, ends[step.scope]))
            elif step.source is not None:
                values = step.source.values(view)
                keep.append(_bind_column(op, _array(values)))
                if step.look_up is not None:
                    coded = _coded(step.source, view, values)
                    if len(coded.texts) > len(step.pieces):
                        step.pieces = step.look_up.pieces(view)
                        grown = True
                    step.operands[:2] = coded.low, len(step.pieces) - 1
                    step.operands[3] = int(coded.texts[-1] is None) if step.pieces else 0
        if grown:
            self._number_pieces()
        for step, op in zip(self._steps, self._ops, strict=True):
            op[0], op[4:] = step.op, step.operands
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
                case Op.INTEGER | Op.PACKED:
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
    step = _Step(part.op, scope, part.source)
    if part.op == Op.TIME:
        opening, closing = part.quotes
        nothing = part.before + (part.null or b"") + part.after
        step.pieces = [part.before + opening, closing + part.after, nothing]
        step.operands[3] = int(part.null is not None)
    elif part.op in (Op.INTEGER, Op.PACKED):
        step.pieces = [part.null or b""]
    step.bound = {Op.TIME: _TIME_BYTES, Op.DATE: _DATE_BYTES, Op.BYTES: part.source.width}.get(
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
    match values:
        case Coded():
            return values.codes
        case Integers() | Times() | Dates() | FixedTexts() | Numerals():
            return values.values


def _bind_column(op: NDArray[np.int64], column: NDArray[Any]) -> NDArray[Any]:
    """Set address, stride and type of an operation's column. Returns the column that it reads."""
    if column.dtype.kind == "S":
        kind = Column.UINT8
        column = np.concatenate((column, np.zeros(1 + COPY_BYTES // column.itemsize, column.dtype)))
    else:
        known = _COLUMN_TYPES.get(column.dtype)
        if known is None:
            column = column.astype(np.int64)
            known = Column.INT64
        kind = known
    op[1:4] = column.ctypes.data, column.strides[0], kind
    return column
