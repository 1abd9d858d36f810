"""Which diagnoses exclude each other: what the column `excludes` and the amputations of a limb mean for two wounds.

A cell of `excludes` names groups of `exclusions.csv`. Of a group without parts a patient has one condition at most.
Of a group with parts, written as `group:part`, conditions of different parts never meet; those of one part may. A group
of scope `side` holds for the left and the right side apart; a condition that names no side belongs to both.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

Keys = tuple[frozenset[str], frozenset[str]]
"""What a condition is, and what it never meets. Two conditions exclude each other where one never meets what the
other is."""


class Excluding(Protocol):
    """What is needed of a condition."""

    @property
    def code(self) -> str:
        """ICD-10-CM code."""

    @property
    def side(self) -> str:
        """`left`, `right` or another word."""

    @property
    def amputation(self) -> bool:
        """Whether a part of the body is lost."""

    @property
    def excludes(self) -> tuple[str, ...]:
        """Groups, or groups with a part."""


class Group(Protocol):
    """What is needed of a group."""

    @property
    def scope(self) -> str:
        """`patient` or `side`."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts."""


LIMB_LEVELS = {
    **dict.fromkeys(("S4", "S7", "T22.03", "T22.13", "T22.23", "T22.33"), 1),
    **dict.fromkeys(("T24.01", "T24.11", "T24.21", "T24.31"), 1),
    **dict.fromkeys(("S5", "S8", "T22", "T24"), 2),
    **dict.fromkeys(("S6", "S9", "T23", "T25"), 3),
    **dict.fromkeys(("S68.0", "S68.1", "S98.1", "S98.2"), 4),
}
"""Position of an ICD-10-CM block on a limb: 1 to elbow or knee, 2 to wrist or ankle, 3 hand or foot, 4 a lost digit."""

_LEVELS = (1, 2, 3, 4)
_ARM = ("S4", "S5", "S6", "T22", "T23")


def limb_level(code: str) -> int:
    """Return the position of a condition along a limb, 0 elsewhere.

    >>> limb_level("S72.301A"), limb_level("T23.001A"), limb_level("S98.111A"), limb_level("S06.0X0A")
    (1, 3, 4, 0)
    """
    found = [prefix for prefix in LIMB_LEVELS if code.startswith(prefix)]
    return LIMB_LEVELS[max(found, key=len)] if found else 0


def exclusion_keys(condition: Excluding, groups: Mapping[str, Group]) -> Keys:
    """Return what a condition is and what it never meets: its code, its groups and its place on a limb."""
    own, against = {condition.code}, {condition.code}
    sides = [condition.side] if condition.side in ("left", "right") else ["left", "right"]
    for entry in condition.excludes:
        name, _, part = entry.partition(":")
        group = groups[name]
        for place in sides if group.scope == "side" else [""]:
            own.add(f"{name}:{part}:{place}")
            others = [other for other in group.parts if other != part] if group.parts else [part]
            against |= {f"{name}:{other}:{place}" for other in others}
    level = limb_level(condition.code)
    if level:
        limb = "arm" if condition.code.startswith(_ARM) else "leg"
        own |= {f"{limb} {side} {level}" for side in sides}
        if condition.amputation and level < max(_LEVELS):
            against |= {f"{limb} {side} {lost}" for side in sides for lost in _LEVELS if lost >= level}
    return frozenset(own), frozenset(against)


def exclude_each_other(first: Keys, second: Keys) -> bool:
    """Whether two conditions never meet in one patient."""
    return bool(first[0] & second[1]) or bool(second[0] & first[1])


def excluded_pairs(keys: Sequence[Keys]) -> list[tuple[list[int], list[int]]]:
    """Return lists of numbers of conditions: none of the first list meets one of the second, in either order."""
    members: dict[str, tuple[list[int], list[int]]] = {}
    for number, (own, against) in enumerate(keys):
        for key in own:
            members.setdefault(key, ([], []))[0].append(number)
        for key in against:
            members.setdefault(key, ([], []))[1].append(number)
    return [pair for pair in members.values() if pair[0] and pair[1]]
