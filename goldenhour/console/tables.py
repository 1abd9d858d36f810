"""Tables that fit any width. Where the columns do not fit beside each other, they are printed below each other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

from goldenhour.console.layout import PADDING, column_blocks, fit_columns, lines_of, narrowest
from goldenhour.console.texts import LaidOutText, console_text, wrap

_ASCII_HEAD = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)

SENTENCE_LINES, SENTENCE_CELLS = 3, 24
"""Longer texts have more than so many lines only in columns of at least so many cells."""

Cell = str | Text


@dataclass
class _Row:
    cells: Sequence[Cell]
    style: str | None


class Table:
    """A table without a frame, for `print` of a console of rich.

    If the columns do not fit, cells are wrapped between words. If that is not enough, decorative columns are left out;
    then the columns are divided into blocks below each other, each with the key columns; at last each row is printed
    as a list. A number is never divided.

    Parameters
    ----------
    columns
        The heads.
    right
        Columns that are aligned to the right, by their heads.
    title
        Line above the table.
    keys
        Number of first columns that say what a row is.
    decorative
        Columns that can be left out, by their heads: they repeat what others say.
    whole
        Columns whose words stay in one line, by their heads.
    sentences
        Columns of longer texts, by their heads: they are wrapped to at most three lines, or to 24 cells.
    """

    def __init__(
        self,
        *columns: str,
        right: Sequence[str] = (),
        title: str | None = None,
        keys: int = 1,
        decorative: Sequence[str] = (),
        whole: Sequence[str] = (),
        sentences: Sequence[str] = (),
    ) -> None:
        self.caption: str | None = None
        self.caption_justify: Literal["left", "center"] = "center"
        self._columns = columns
        self._right = right
        self._title = title
        self._keys = keys
        self._decorative = decorative
        self._whole = whole
        self._sentences = sentences
        self._rows: list[_Row] = []

    def add_row(self, *cells: Cell, style: str | None = None) -> None:
        """Add a row, with a cell for each column. Strings have no markup."""
        if len(cells) != len(self._columns):
            raise ValueError(f"{len(cells)} cells in a table of {len(self._columns)} columns")
        self._rows.append(_Row(cells, style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay the table out for the width and the characters of a console."""
        yield from _Layout(self, console, options).parts()


class _Layout:
    """The layout of one table on one console."""

    def __init__(self, table: Table, console: Console, options: ConsoleOptions) -> None:
        self._table = table
        self._width = options.max_width
        self._has_lines = options.encoding.startswith("utf")
        self._console = console
        self._heads = [console_text(console, head, False) for head in table._columns]
        self._rows = [[console_text(console, cell, False) for cell in row.cells] for row in table._rows]
        whole = {number for number, head in enumerate(table._columns) if head in table._whole}
        self._natural = [max(cell_len(text.plain) for text in self._column(n)) for n in self._all()]
        self._least = [
            self._natural[n] if n in whole or table._columns[n] in table._decorative else self._narrowest(n)
            for n in self._all()
        ]

    def _narrowest(self, number: int) -> int:
        """The fewest cells of a column that may be wrapped."""
        texts = [text.plain for text in self._column(number)]
        width = max(map(narrowest, texts))
        if self._table._columns[number] in self._table._sentences:
            for text in texts:
                while width < SENTENCE_CELLS and len(lines_of(text, width)) > SENTENCE_LINES:
                    width += 1
        return width

    def _all(self) -> range:
        return range(len(self._heads))

    def _column(self, number: int) -> list[Text]:
        return [self._heads[number], *(row[number] for row in self._rows)]

    def parts(self) -> Iterator[RichTable | Text]:
        """What is printed, from top to bottom."""
        table = self._table
        every = list(self._all())
        needed = [n for n in every if table._columns[n] not in table._decorative]
        for columns in (every, needed):
            widths = self._fit(columns)
            if widths is not None and self._has_room_for_notes(sum(widths) + PADDING * (len(columns) - 1)):
                yield self._block(columns, widths, is_alone=True)
                return
        if table._title:
            yield self._line(table._title, "bold")
        blocks = column_blocks([self._least[n] for n in needed], table._keys, self._width)
        if blocks is None:
            yield from self._lists(needed)
        for number, block in enumerate(blocks or ()):
            columns = [needed[n] for n in block]
            if number:
                yield Text("")
            yield self._block(columns, self._fit(columns) or [], is_alone=False)
        if table.caption:
            yield self._line(table.caption, "table.caption")

    def _has_room_for_notes(self, width: int) -> bool:
        """Whether title and caption can be wrapped to the width of the table."""
        return all(narrowest(text) <= width for text in (self._table._title, self._table.caption) if text)

    def _fit(self, columns: Sequence[int]) -> list[int] | None:
        return fit_columns(
            [self._natural[n] for n in columns], [self._least[n] for n in columns], self._width
        )

    def _block(self, columns: Sequence[int], widths: Sequence[int], is_alone: bool) -> RichTable:
        """The table of some columns; `is_alone` if it is the whole, with title and caption."""
        table = self._table
        shown = RichTable(
            box=box.SIMPLE_HEAD if self._has_lines else _ASCII_HEAD,
            show_edge=False,
            pad_edge=False,
            safe_box=False,
        )
        for number, cells in zip(columns, widths, strict=True):
            shown.add_column(
                wrap(self._heads[number], cells),
                justify="right" if table._columns[number] in table._right else "left",
                width=cells,
                no_wrap=True,
            )
        for row, texts in zip(table._rows, self._rows, strict=True):
            shown.add_row(
                *(wrap(texts[number], cells) for number, cells in zip(columns, widths, strict=True)),
                style=row.style,
            )
        if is_alone:
            total = sum(widths) + PADDING * (len(columns) - 1)
            shown.title_justify, shown.caption_justify = "left", table.caption_justify
            shown.title = self._note(table._title, "bold", total) if table._title else None
            shown.caption = self._note(table.caption, "table.caption", total) if table.caption else None
        return shown

    def _note(self, text: str, style: str, width: int) -> LaidOutText:
        note = console_text(self._console, text, False)
        note.style = style
        return wrap(note, width)

    def _line(self, text: str, style: str) -> LaidOutText:
        line = self._note(text, style, self._width)
        line.overflow = "ignore"
        return line

    def _lists(self, columns: Sequence[int]) -> Iterator[Text]:
        """Each row as a list of `head: cell`, one below the other."""
        for row, texts in zip(self._table._rows, self._rows, strict=True):
            for number in columns:
                if not texts[number].plain:
                    continue
                indent = "" if number < self._table._keys else "  "
                head = self._heads[number].plain
                line = Text(f"{head}: " if head else "", style=row.style or "").append_text(texts[number])
                for part, (start, end) in enumerate(lines_of(line.plain, self._width - len(indent) - 1)):
                    shown = LaidOutText(indent + (" " if part else ""), no_wrap=True, overflow="ignore")
                    yield shown.append_text(line[start:end])
