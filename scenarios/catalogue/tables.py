"""Read the JSON files of `scenarios/data` and the CSV files of `scenarios/data/catalogue`.

A CSV file has a header; each further row becomes one `msgspec.Struct`, whose fields are the columns it may have. An
empty cell means the default of the field. A list stands in one cell with `|` between its entries, a table of numbers
as `name=number|name=number`, a range as `low-high`, and a yes-or-no as `yes` or nothing.
"""

import csv
import io
import types
from collections.abc import Callable, Iterable
from importlib.resources import files
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

Parser = Callable[[str], Any]
Row = TypeVar("Row", bound=msgspec.Struct)


class CatalogueError(ValueError):
    """A cell of a catalogue that cannot be used.

    Parameters
    ----------
    file, line, column
        Where it is. Line 1 is the header; the column is given by its name, and is empty for a whole row.
    value
        What stands there.
    allowed
        What may stand there.
    near
        An allowed word that looks like the one given.
    """

    def __init__(
        self, file: str, line: int, column: str, value: str, allowed: str, near: str | None = None
    ) -> None:
        self.file = file
        self.line = line
        self.column = column
        self.value = value
        self.allowed = allowed
        self.near = near
        place = f"{file}, line {line}" + (f", column {column}" if column else "")
        hint = f"; did you mean {near!r}?" if near is not None else ""
        super().__init__(f"{place}: got {value!r}; allowed: {allowed}{hint}")


class _NotAllowed(ValueError):
    """A cell that a parser refuses: the part of it that is wrong, what is allowed and a near match."""

    def __init__(self, value: str, allowed: str, near: str | None = None) -> None:
        super().__init__(value)
        self.value = value
        self.allowed = allowed
        self.near = near


def load_json(name: str, kind: type[Any]) -> Any:
    """Return the JSON file `name` below `scenarios/data`, decoded as `kind`."""
    data = files("scenarios").joinpath("data", *name.split("/")).read_bytes()
    return msgspec.json.decode(data, type=kind)


def near_match(word: str, words: Iterable[str]) -> str | None:
    """Return the word of `words` that looks most like `word`; None where none does."""
    import difflib

    found = difflib.get_close_matches(word.lower()[:100], list(words), n=1, cutoff=0.6)
    return found[0] if found else None


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise _NotAllowed(text, "a number") from None
    if not 0.0 <= value < 1e9:
        raise _NotAllowed(text, "a number from 0 on")
    return value


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise _NotAllowed(text, "a whole number")
    return int(text)


def _yes(text: str) -> bool:
    if text != "yes":
        raise _NotAllowed(text, "yes or nothing")
    return True


def _text(text: str) -> str:
    if text != " ".join(text.split()):
        raise _NotAllowed(text, "a text on one line, without double blanks")
    return text


def _range(text: str) -> tuple[float, float]:
    low, dash, high = text.partition("-")
    if not dash or _number(low) > _number(high):
        raise _NotAllowed(text, "a range low-high")
    return _number(low), _number(high)


def _word_of(words: tuple[str, ...]) -> Parser:
    def parse(text: str) -> str:
        if text not in words:
            raise _NotAllowed(text, ", ".join(word for word in words if word), near_match(text, words))
        return text

    return parse


def _list_of(parser: Parser) -> Parser:
    def parse(text: str) -> tuple[Any, ...]:
        entries = tuple(parser(entry) for entry in text.split("|"))
        if "" in entries or len(set(entries)) < len(entries):
            raise _NotAllowed(text, "a list without empty or repeated entries")
        return entries

    return parse


def _weights(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for entry in text.split("|"):
        name, equals, number = entry.partition("=")
        if not equals or not name or name in found:
            raise _NotAllowed(entry, "name=number, each name once")
        found[name] = _number(number)
    return found


def _either(parsers: list[Parser]) -> Parser:
    def parse(text: str) -> Any:
        refused: list[_NotAllowed] = []
        for parser in parsers:
            try:
                return parser(text)
            except _NotAllowed as error:
                refused.append(error)
        near = next((error.near for error in refused if error.near), None)
        raise _NotAllowed(text, " or ".join(error.allowed for error in refused), near)

    return parse


_PARSERS: dict[Any, Parser] = {
    str: _text,
    float: _number,
    int: _whole,
    bool: _yes,
    tuple[float, float]: _range,
    dict[str, float]: _weights,
}


def _parser_of(annotation: Any) -> Parser:
    """Return the parser of a cell for a field with this annotation."""
    if annotation in _PARSERS:
        return _PARSERS[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return _word_of(arguments)
    if origin is tuple:
        return _list_of(_parser_of(arguments[0]))
    if origin in (Union, types.UnionType):
        parsers = [_parser_of(argument) for argument in arguments if argument is not type(None)]
        return parsers[0] if len(parsers) == 1 else _either(parsers)
    raise TypeError(f"no cell can hold {annotation!r}")


def parse_rows(file: str, text: str, kind: type[Row], **given: Any) -> list[tuple[int, Row]]:
    """Return the rows of a CSV file with the line each of them begins on.

    Parameters
    ----------
    file
        Name of the file, for errors.
    text
        Its content.
    kind
        The struct of a row.
    given
        Fields that are the same for all rows and have no column.

    Raises
    ------
    CatalogueError
        At a column that is unknown, missing or given twice, and at a cell that cannot be parsed.
    """
    hints = get_type_hints(kind)
    parsers = {field.name: _parser_of(hints[field.name]) for field in msgspec.structs.fields(kind)}
    required = [field.name for field in msgspec.structs.fields(kind) if field.required]
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = next(lines, [])
    columns = [name for name in parsers if name not in given]
    for name in header:
        if name not in columns or header.count(name) > 1:
            raise CatalogueError(
                file, 1, name, name, f"each once: {', '.join(columns)}", near_match(name, columns)
            )
    for name in required:
        if name not in header and name not in given:
            raise CatalogueError(file, 1, name, "", f"a column {name}")
    rows = []
    known: dict[tuple[str, str], Any] = {}  # most cells repeat
    line = lines.line_num + 1
    try:
        for cells in lines:
            if any(cells):  # a spreadsheet may leave empty rows
                rows.append(
                    (line, _parse_row(file, line, header, cells, kind, parsers, required, given, known))
                )
            line = lines.line_num + 1
    except csv.Error as error:
        raise CatalogueError(file, line, "", str(error), "comma-separated values") from None
    return rows


def _parse_row(
    file: str,
    line: int,
    header: list[str],
    cells: list[str],
    kind: type[Row],
    parsers: dict[str, Parser],
    required: list[str],
    given: dict[str, Any],
    known: dict[tuple[str, str], Any],
) -> Row:
    """Return the struct of one row; `known` holds the cells that have been parsed."""
    if len(cells) != len(header):
        raise CatalogueError(file, line, "", f"{len(cells)} cells", f"{len(header)}, as in the header")
    values = dict(given)
    for name, cell in zip(header, cells, strict=True):
        if cell:
            try:
                if (name, cell) not in known:
                    known[name, cell] = parsers[name](cell)
                values[name] = known[name, cell]
            except _NotAllowed as error:
                raise CatalogueError(file, line, name, error.value, error.allowed, error.near) from None
        elif name in required:
            raise CatalogueError(file, line, name, "", "not empty")
    return kind(**values)


def read_rows(name: str, kind: type[Row], **given: Any) -> list[tuple[int, Row]]:
    """Return the rows of the file `name` of `scenarios/data/catalogue`; see `parse_rows`."""
    text = files("scenarios").joinpath("data", "catalogue", name).read_text("utf-8-sig")
    return parse_rows(name, text, kind, **given)
