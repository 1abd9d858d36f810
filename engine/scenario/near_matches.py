"""Words and ids that look like others: what may have been meant, and what is a slip of another id."""

import difflib
import re
from collections.abc import Iterable
from typing import Any

_PARTS = re.compile(r"\d+|[^\W\d_]+")
_LONG = 4
"""Letters of a word in which a slip can be told from another word: `R2-A` and `R2-B` are two places."""


def near_match(word: Any, words: Any) -> str | None:
    """The word of `words` that looks most like `word`, whatever the case; None where none does."""
    if not isinstance(word, str):
        return None
    by_lower = {str(candidate).lower(): str(candidate) for candidate in words}
    matches = difflib.get_close_matches(word[:100].lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else None


def near_id(entry_id: str, ids: Iterable[str]) -> str | None:
    """The first of `ids` that `entry_id` is a slip of; None where none is, or where it is one of them.

    `R2-north` is one of `R2-North`, but `R1-North-4` is none of `R1-North-3`.

    A slip has another case or other separators, or one letter more, less, changed or exchanged with the next in a
    word of at least four. Numbers are the same, because alike entries are numbered.
    """
    known = list(ids)
    if entry_id in known:
        return None
    parts = _parts(entry_id)
    return next((other for other in known if _is_slip(parts, _parts(other))), None)


def _parts(entry_id: str) -> list[str]:
    """Words and numbers of an id, in lower case."""
    return _PARTS.findall(entry_id.casefold())


def _is_slip(parts: list[str], others: list[str]) -> bool:
    return (
        len(parts) == len(others)
        and bool(parts)
        and all(a == b or _is_one_edit(a, b) for a, b in zip(parts, others, strict=True))
    )


def _is_one_edit(word: str, other: str) -> bool:
    """Whether two words of letters differ by one letter, or by two neighbours exchanged."""
    if min(len(word), len(other)) < _LONG or word.isdecimal() or other.isdecimal():
        return False
    longer, shorter = (word, other) if len(word) >= len(other) else (other, word)
    start = 0
    while start < len(shorter) and longer[start] == shorter[start]:
        start += 1
    rest, other_rest = longer[start:], shorter[start:]
    if len(longer) > len(shorter):
        return rest[1:] == other_rest
    exchanged = other_rest[1:2] + other_rest[:1] + other_rest[2:]
    return rest[1:] == other_rest[1:] or rest == exchanged
