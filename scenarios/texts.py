"""Cleaning of texts from other packages: done once, where a text enters the data."""

import unicodedata

_BLANKS = ("Cc", "Zs", "Zl", "Zp")
"""Categories of characters that a blank replaces: control characters, blanks, ends of lines and paragraphs."""


def clean_text(text: str) -> str:
    r"""Return the text on one line, with single blanks and without characters that cannot be seen.

    >>> clean_text(" open fracture type I or II/\tinitial\u00a0 encounter\u200b")
    'open fracture type I or II/ initial encounter'
    """
    categories = [(character, unicodedata.category(character)) for character in text]
    visible = (" " if kind in _BLANKS else character for character, kind in categories if kind != "Cf")
    return " ".join("".join(visible).split())
