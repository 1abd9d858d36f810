"""Styled texts of rich, cleaned and wrapped."""

from collections.abc import Callable

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from engine.plain_text import clean
from goldenhour.console.layout import lines_of
from goldenhour.console.spelling import spell


class LaidOutText(Text):
    """A text that is clean, spelled for its console and wrapped: the console prints it as it is."""


def showable(text: Text, encoding: str) -> Text:
    """A styled text in one line, in characters that the encoding has."""
    shown = spell(clean(text.plain), encoding)
    if shown == text.plain:
        return text
    return _map_pieces(text, lambda piece: spell(clean(piece), encoding))


def wrap(text: Text, width: int) -> LaidOutText:
    """A clean text in lines of at most `width` cells; a line with a longer number is wider."""
    wrapped = LaidOutText(style=text.style, justify=text.justify, overflow=text.overflow, end=text.end)
    wrapped.no_wrap = True
    if cell_len(text.plain) <= width:
        wrapped.append_text(text)
        return wrapped
    lines = lines_of(text.plain, width)
    pieces = text.divide([position for line in lines for position in line])
    # divide() returns the lines and the gaps around them, starting with a gap: every second piece is a line
    for number, line in enumerate(pieces[1::2]):
        if number:
            wrapped.append("\n")
        wrapped.append_text(line)
    return wrapped


def console_text(console: Console, cell: str | Text, highlight: bool | None = None) -> Text:
    """A cell or an argument of `print` as a text in the console's characters. Markup in a string is not read."""
    if isinstance(cell, Text):
        return showable(cell, console.encoding)
    plain = spell(clean(cell), console.encoding)
    return console.render_str(plain, markup=False, emoji=False, highlight=highlight)


def _map_pieces(text: Text, change: Callable[[str], str]) -> Text:
    """A text whose plain characters are changed piece by piece, each with the styles that it has."""
    edges = sorted({edge for span in text.spans for edge in (span.start, span.end)} - {0, len(text.plain)})
    result = text.blank_copy()
    for piece in text.divide(edges):
        changed = Text(change(piece.plain))
        for span in piece.spans:
            changed.stylize(span.style)
        result.append_text(changed)
    return result
