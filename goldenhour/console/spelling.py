r"""How characters are written where the encoding of a stream lacks them: `->` for an arrow, `\xe9` for an accent."""

import codecs

from engine.plain_text import visible_escape

ERROR_HANDLER = "goldenhour"
"""Name of the handler of encoding errors that this module registers."""

_SPELLINGS = {
    "\N{RIGHTWARDS ARROW}": "->",
    "\N{LEFTWARDS ARROW}": "<-",
    "\N{LEFT RIGHT ARROW}": "<->",
    "\N{RIGHTWARDS DOUBLE ARROW}": "=>",
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{BULLET}": "*",
    "\N{MIDDLE DOT}": "*",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{NON-BREAKING HYPHEN}": "-",
    "\N{MINUS SIGN}": "-",
    "\N{NO-BREAK SPACE}": " ",
    "\N{NARROW NO-BREAK SPACE}": " ",
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{DOUBLE LOW-9 QUOTATION MARK}": '"',
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{PLUS-MINUS SIGN}": "+/-",
    "\N{LESS-THAN OR EQUAL TO}": "<=",
    "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{MICRO SIGN}": "u",
    "\N{BOX DRAWINGS LIGHT HORIZONTAL}": "-",
    "\N{BOX DRAWINGS HEAVY HORIZONTAL}": "-",
    "\N{BOX DRAWINGS LIGHT VERTICAL}": "|",
    "\N{BOX DRAWINGS HEAVY VERTICAL}": "|",
}


def spell(text: str, encoding: str) -> str:
    r"""Return a text of which `encoding` has every character.

    >>> spell("Zürich → Bern", "ascii")
    'Z\\xfcrich -> Bern'
    """
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.encode(encoding, ERROR_HANDLER).decode(encoding)
    return text


def is_utf8(encoding: str) -> bool:
    """Whether a stream of this encoding takes JSON and TOML, which are UTF-8, as they are."""
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def _spelling(character: str) -> str:
    if character in _SPELLINGS:
        return _SPELLINGS[character]
    if "\u2500" <= character <= "\u257f":  # the corners and crossings of boxes
        return "+"
    if "\u2580" <= character <= "\u259f":  # blocks
        return "#"
    return visible_escape(character)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_spelling, error.object[error.start : error.end])), error.end


codecs.register_error(ERROR_HANDLER, _replace)
