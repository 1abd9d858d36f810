"""The code book of ICD-10-CM: which codes exclude each other (notes Excludes1), read from `simple_icd_10_cm`."""

import re
from collections.abc import Iterator

import numpy as np
import simple_icd_10_cm as code_book

from bench.clinical.columns import Array

_CODE = r"[A-TV-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?"
_RANGE = re.compile(rf"({_CODE})-?\s*(?:to|-)\s*({_CODE})-?")
_SINGLE = re.compile(rf"({_CODE})-?")


def excluded_codes(codes: tuple[str, ...]) -> Array:
    """Return whether each pair of codes excludes each other, shape (codes, codes).

    A note holds for all codes below the code that has it. A note that speaks of open fractures holds for the codes of
    open fractures alone.
    """
    found = np.zeros((len(codes), len(codes)), bool)
    unique = sorted(set(codes))
    column = np.array(codes)
    for code in unique:
        named = [other for other in unique if other != code and _is_excluded(code, other)]
        found[np.ix_(column == code, np.isin(column, named))] = True
    return found | found.T


def _is_excluded(code: str, other: str) -> bool:
    return any(
        low <= other[: len(low)] and other[: len(high)] <= high and (not opened or other[-1] in "BC")
        for low, high, opened in _notes(code)
    )


_read: dict[str, list[tuple[str, str, bool]]] = {}


def _notes(code: str) -> list[tuple[str, str, bool]]:
    """Return what a code excludes: first and last code of each range, and whether only open fractures are meant."""
    if code not in _read:
        _read[code] = list(_ranges(code)) if code_book.is_valid_item(code) else []
    return _read[code]


def _ranges(code: str) -> Iterator[tuple[str, str, bool]]:
    for item in (code, *code_book.get_ancestors(code)):
        if len(item) > 7 or "-" in item:  # a block or chapter: its notes are about other chapters
            continue
        for note in code_book.get_excludes1(item):
            opened = "open fracture" in note or "open skull fracture" in note or "character B" in note
            for low, high in _RANGE.findall(note):
                yield low, high, opened
            for single in _SINGLE.findall(_RANGE.sub("", note)):
                yield single, single, opened
