"""Compile the catalogues of conditions and external causes to lists of weighted choices."""

import itertools
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.codes import MECHANISMS, REGIONS, SEXES, SIDED_REGIONS, SIDES, CareNeed, ConditionFlag, Illness
from engine.compile.rows import STANDARD, WEAPONS, cumulated, floats, ints
from engine.tables import NATURES
from scenarios import catalogue

Choice = tuple[int, float]
"""Number in the catalogue, and weight."""

_KEPT = 16
"""Lists of choices that are kept for other scenarios with the same warfare types."""

AIS_ROWS = 7
"""Rows of a table by AIS, from 0 to 6."""


class ChoiceLists:
    """Lists of weighted choices, concatenated: `first` and `count` say where each list is.

    >>> lists = ChoiceLists((2,))
    >>> lists.add((1,), [(7, 1.0), (9, 3.0)])
    >>> int(lists.first[1]), int(lists.count[1]), lists.choices.tolist(), lists.chance.tolist()
    (0, 2, [7, 9], [0.25, 1.0])
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.first = np.zeros(shape, np.int64)
        self.count = np.zeros(shape, np.int64)
        self._choices: list[int] = []
        self._chance: list[float] = []
        self._known: dict[tuple[Choice, ...], tuple[int, int]] = {}

    def add(self, place: tuple[int, ...], found: Sequence[Choice]) -> None:
        """Put a list at `place` of the shape; equal lists are stored once."""
        if not found:
            return
        content = tuple(found)
        if content not in self._known:
            self._known[content] = (len(self._choices), len(content))
            self._choices += [choice for choice, _ in content]
            self._chance += cumulated([weight for _, weight in content])
        self.first[place], self.count[place] = self._known[content]

    @property
    def choices(self) -> NDArray[np.int64]:
        """All choices."""
        return ints(self._choices or [0])

    @property
    def chance(self) -> NDArray[np.float64]:
        """Cumulated weights within each list."""
        return floats(self._chance or [1.0])


# --- conditions of wounds


def _wound_places(condition: catalogue.Condition) -> Iterable[tuple[int, int, int, int]]:
    """Yield (region, mechanism, AIS, side) of the wounds that a condition fits, which may be on either side."""
    for region, mechanism in itertools.product(condition.regions, condition.mechanisms):
        sides: tuple[int, ...] = (0,)
        if region in SIDED_REGIONS:
            sides = (SIDES.index(condition.side),) if condition.side else (1, 2)
        for ais, side in itertools.product(range(condition.ais_low, condition.ais_high + 1), sides):
            yield REGIONS.index(region), WEAPONS.index(mechanism), ais, side


@lru_cache(_KEPT)
def wound_choices(types: tuple[str, ...], burn_weights: tuple[float, ...]) -> ChoiceLists:
    """Return the conditions by (warfare type, region, mechanism, AIS, side).

    `burn_weights`: by type, the factor on the weight of burns and immersion by the mechanism `other`.
    """
    common: dict[tuple[int, int, int, int], list[Choice]] = {}
    bound: dict[tuple[int, ...], list[Choice]] = {}
    for number, condition in enumerate(catalogue.conditions()):
        if condition.use != "wound":
            continue
        for place in _wound_places(condition):
            if not condition.types:
                common.setdefault(place, []).append((number, condition.weight))
            for row, name in enumerate(types):
                if name in condition.types:
                    bound.setdefault((row, *place), []).append((number, condition.weight))
    burns = {
        number
        for number, condition in enumerate(catalogue.conditions())
        if condition.burn or condition.immersion
    }
    lists = ChoiceLists((len(types), len(REGIONS), len(WEAPONS), AIS_ROWS, len(SIDES)))
    for row, factor in enumerate(burn_weights):
        for place, found in common.items():
            other = place[1] == WEAPONS.index("other")
            lists.add(
                (row, *place),
                [
                    (number, weight * factor if number in burns and other else weight)
                    for number, weight in [*found, *bound.get((row, *place), [])]
                ],
            )
    return lists


# --- conditions of casualties without weapon wounds

ILLNESS_OF: dict[tuple[str, str], int] = {
    ("agent", ""): Illness.AGENT,
    ("psychological", ""): Illness.PSYCHOLOGICAL,
    ("nbi", ""): Illness.NBI,
    ("nbi", "heat"): Illness.HEAT,
    ("nbi", "cold"): Illness.COLD,
    ("nbi", "fall"): Illness.FALL,
    ("nbi", "crush"): Illness.CRUSH,
    ("disease", ""): Illness.DISEASE,
    ("disease", "msk"): Illness.MUSCULOSKELETAL,
}
"""Illness table by (use, group) of a condition; the group "" stands for all others."""


def _illness_of(condition: catalogue.Condition) -> int | None:
    """Return the illness table that a condition belongs to; None for wounds."""
    return ILLNESS_OF.get((condition.use, condition.group), ILLNESS_OF.get((condition.use, "")))


@cache
def illness_choices() -> ChoiceLists:
    """Return the conditions of casualties without weapon wounds by (illness, true triage category, sex).

    Category 0 stands for the T1 conditions that can kill within hours. Where none fits, all of the illness do.
    """
    lists = ChoiceLists((len(Illness), 4, len(SEXES)))
    for illness in Illness:
        of_illness = [
            (number, condition)
            for number, condition in enumerate(catalogue.conditions())
            if _illness_of(condition) == illness
        ]
        for category, (sex, name) in itertools.product((0, 1, 2, 3), enumerate(SEXES)):
            members = [
                (number, condition) for number, condition in of_illness if condition.sex in (None, name)
            ]
            wanted = f"T{max(1, category)}"
            fitting = [
                (number, condition.weight)
                for number, condition in members
                if wanted in condition.categories and (category or condition.lethal)
            ]
            everyone = [(number, condition.weight) for number, condition in members]
            lists.add((illness, category, sex), fitting or everyone)
    return lists


# --- external causes

CAUSE_NATURES = ("", "burn", "blunt", "immersion")
"""Natures of wounds by mechanism `other`, in the order of the codes."""

ACCIDENT_GROUPS = ("", "msk", "fall", "crush", "heat", "cold")
"""Groups of accidents, in the order of the codes."""


def nature_of(condition: catalogue.Condition) -> int:
    """Return which external causes fit a condition: index of CAUSE_NATURES for wounds, of ACCIDENT_GROUPS for NBI."""
    if condition.use == "nbi":
        group = "fall" if condition.fracture else condition.group
        return ACCIDENT_GROUPS.index(group) if group in ACCIDENT_GROUPS else 0
    if condition.use != "wound":
        return 0
    if set(condition.mechanisms) == {"other"} and condition.immersion:
        return CAUSE_NATURES.index("immersion")
    if set(condition.mechanisms) == {"other"} and condition.burn:
        return CAUSE_NATURES.index("burn")
    return CAUSE_NATURES.index("blunt")


def _causes_of(type_: str, mechanism: str, nature: int) -> list[Choice]:
    """Return the causes for a warfare type, mechanism and nature: the type's own, else the standard ones, else all."""
    causes = list(enumerate(catalogue.external_causes()))
    if mechanism == "accident":
        group = ACCIDENT_GROUPS[nature]
        return [
            (number, cause.weight)
            for number, cause in causes
            if cause.use == "nbi" and group and group in cause.groups
        ]
    fitting = [
        (number, cause) for number, cause in causes if cause.use != "nbi" and cause.mechanism == mechanism
    ]
    if mechanism == "other":
        wanted = CAUSE_NATURES[min(nature, len(CAUSE_NATURES) - 1)]
        fitting = [(number, cause) for number, cause in fitting if cause.nature == wanted]
    for name in (type_, STANDARD):
        own = [(number, cause.types[name]) for number, cause in fitting if cause.types.get(name, 0.0) > 0.0]
        if own:
            return own
    return [(number, weight) for number, cause in fitting for weight in cause.types.values()]


@lru_cache(_KEPT)
def cause_choices(types: tuple[str, ...]) -> ChoiceLists:
    """Return the external causes by (warfare type, mechanism, nature)."""
    lists = ChoiceLists((len(types), len(MECHANISMS), NATURES))
    for (row, type_), (code, mechanism), nature in itertools.product(
        enumerate(types), enumerate(MECHANISMS), range(NATURES)
    ):
        lists.add((row, code, nature), _causes_of(type_, mechanism, nature))
    return lists


# --- what a condition is

LIMB_LEVELS = {
    **dict.fromkeys(("S4", "S7"), 1),
    **dict.fromkeys(("S5", "S8", "T22", "T24"), 2),
    **dict.fromkeys(("S6", "S9", "T23", "T25"), 3),
}
"""Position of an ICD-10-CM block along a limb: 1 to elbow or knee, 2 to wrist or ankle, 3 hand or foot."""


def limb_level(code: str) -> int:
    """Return the position of a condition along a limb, 0 elsewhere.

    >>> limb_level("S72.301A"), limb_level("T23.001A"), limb_level("S06.0X0A")
    (1, 3, 0)
    """
    return LIMB_LEVELS.get(code[:2], LIMB_LEVELS.get(code[:3], 0))


def condition_flags(condition: catalogue.Condition) -> int:
    """Return the `ConditionFlag` bits of a condition."""
    return sum(flag for flag in ConditionFlag if getattr(condition, flag.name.lower()))


def care_need(condition: catalogue.Condition) -> CareNeed:
    """Return the kind of care that an illness or accident calls for."""
    if condition.code.startswith("M62.82"):  # rhabdomyolysis is treated with fluids
        return CareNeed.FLUIDS
    if condition.use == "nbi" and condition.fracture and condition.group != "gastrointestinal":
        return CareNeed.FRACTURE
    return {
        "gastrointestinal": CareNeed.FLUIDS,
        "msk": CareNeed.MUSCULOSKELETAL,
        "fall": CareNeed.MUSCULOSKELETAL,
        "crush": CareNeed.MUSCULOSKELETAL,
        "surgical": CareNeed.SURGICAL,
        "heat": CareNeed.COOLING,
        "cold": CareNeed.REWARMING,
    }.get(condition.group, CareNeed.MEDICAL)
