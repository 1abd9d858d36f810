"""How text and columns fit into a given number of cells: words are wrapped, and a number is never divided."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

LONG_WORD = 32
"""A word of more cells than this is divided to fit, but never within a number."""

PADDING = 3
"""Cells between two columns."""

_IN_NUMBER = frozenset("0123456789.,:-+%")


def lines_of(text: str, width: int) -> list[tuple[int, int]]:
    """The first and the last position of each line, when a text without line breaks is wrapped to `width` cells.

    Only a number that is wider makes a line wider. Blanks at the end of a line do not count.
    """
    lines: list[tuple[int, int]] = []
    start = end = 0  # of the line so far
    for first, last in _words(text):
        if cell_len(text[start:last]) > width:
            if end > start:
                lines.append((start, end))
            start = first  # also without the blanks that a text begins with
        for piece_first, piece_last in _pieces(text, first, last, width):
            if piece_last != last and piece_last > piece_first:
                lines.append((min(start, piece_first), piece_last))
                start = piece_last
        end = last
    if end > start or not lines:
        lines.append((start, end))
    return lines


def narrowest(text: str) -> int:
    """The fewest cells in which a text can be wrapped: its longest word, or a part of one that is very long."""
    widest = 0
    for first, last in _words(text):
        cells = cell_len(text[first:last])
        if cells > LONG_WORD:
            pieces = _pieces(text, first, last, LONG_WORD)
            cells = max(cell_len(text[start:end]) for start, end in pieces)
        widest = max(widest, cells)
    return widest


def fit_columns(natural: Sequence[int], least: Sequence[int], width: int) -> list[int] | None:
    """The widths of the columns of a table in `width` cells, the widest columns reduced first.

    Parameters
    ----------
    natural
        Cells of each column if nothing is wrapped.
    least
        The fewest cells that each column can have.
    width
        Cells of the terminal.

    Returns
    -------
    list of int or None
        None if even the smallest columns do not fit.
    """
    last = len(natural) - 1
    available = width - last
    # rich counts the blanks beside a column as its own; so do these widths, so that equal tables look equal
    around = [(index > 0) + (index < last) for index in range(len(natural))]
    widths = [min(cells + blanks, available) for cells, blanks in zip(natural, around, strict=True)]
    floors = [min(cells, n) + blanks for cells, n, blanks in zip(least, natural, around, strict=True)]
    if sum(floors) > available:
        return None
    excess = sum(widths) - available
    while excess > 0:
        open_columns = [cells > floor for cells, floor in zip(widths, floors, strict=True)]
        candidates = [cells for cells, is_open in zip(widths, open_columns, strict=True) if is_open]
        widest = max(candidates)
        step = widest - max((cells for cells in candidates if cells != widest), default=0)
        room = [
            min(excess, step, cells - floor) if is_open and cells == widest else 0
            for cells, floor, is_open in zip(widths, floors, open_columns, strict=True)
        ]
        widths = _reduce(widths, room, excess)
        excess = sum(widths) - available
    return [cells - blanks for cells, blanks in zip(widths, around, strict=True)]


def column_blocks(least: Sequence[int], keys: int, width: int) -> list[list[int]] | None:
    """Divide the columns of a wide table into blocks that fit below each other.

    Parameters
    ----------
    least
        The fewest cells that each column can have.
    keys
        Number of first columns that say what a row is; each block begins with them.
    width
        Cells of the terminal.

    Returns
    -------
    list of list of int or None
        The columns of each block. None if a column does not fit beside the keys.
    """
    head = list(range(keys))
    blocks: list[list[int]] = []
    for column in range(keys, len(least)):
        if blocks and _total(least, [*blocks[-1], column]) <= width:
            blocks[-1].append(column)
        elif _total(least, [*head, column]) <= width:
            blocks.append([*head, column])
        else:
            return None
    return blocks or None


def _total(least: Sequence[int], columns: Sequence[int]) -> int:
    return sum(least[column] for column in columns) + PADDING * (len(columns) - 1)


def _reduce(widths: Sequence[int], room: Sequence[int], excess: int) -> list[int]:
    """Take `excess` from the columns with room, in equal shares as far as each has room."""
    shares = sum(1 for cells in room if cells)
    reduced = []
    for cells, most in zip(widths, room, strict=True):
        taken = min(most, round(excess / shares)) if most else 0
        reduced.append(cells - taken)
        excess -= taken
        shares -= 1 if most else 0
    return reduced


def _words(text: str) -> Iterator[tuple[int, int]]:
    """The first and the last position of each word."""
    start: int | None = None
    for position, character in enumerate(text):
        if character == " ":
            if start is not None:
                yield start, position
            start = None
        elif start is None:
            start = position
    if start is not None:
        yield start, len(text)


def _pieces(text: str, first: int, last: int, width: int) -> Iterator[tuple[int, int]]:
    """The parts of a word that have at most `width` cells each. A number in it is not divided."""
    start, cells = first, 0
    cut: int | None = None
    cells_at_cut = 0
    for position in range(first, last):
        if position > start and not _is_within_number(text, position):
            cut, cells_at_cut = position, cells
        size = cell_len(text[position])
        if cells + size > width and cut is not None:
            yield start, cut
            start, cells, cut = cut, cells - cells_at_cut, None
        cells += size
    yield start, last


def _is_within_number(text: str, position: int) -> bool:
    """Whether a line break before `position` would divide a number."""
    before, after = text[position - 1], text[position]
    return before in _IN_NUMBER and after in _IN_NUMBER and (before.isdigit() or after.isdigit())
