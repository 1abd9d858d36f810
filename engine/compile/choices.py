"""Compile the catalogue of wounds to lists of weighted choices, and what a condition is."""

import itertools
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.codes import REGIONS, SEXES, SIDED_REGIONS, SIDES, CareNeed, ConditionFlag
from engine.compile.rows import WEAPONS, cumulated, floats, ints
from engine.tables import NO_SIDE, WOUND_CONDITIONS
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
            sides = (SIDES.index(condition.side),) if condition.side in SIDES[1:] else (1, 2)
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
        if condition.use != "wound" or condition.weight <= 0.0:
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


# --- what a condition is


def side_code(condition: catalogue.Condition) -> int:
    """Return the index of SIDES that a condition names, 0 where it leaves the side open, NO_SIDE where it has none."""
    return NO_SIDE if condition.side in ("both", "none") else SIDES.index(condition.side)


def sex_code(condition: catalogue.Condition) -> int:
    """Return 1 + the index of SEXES of a condition that only one sex can have, else 0."""
    return 0 if condition.sex is None else 1 + SEXES.index(condition.sex)


def conditions_by_ais() -> NDArray[np.uint16]:
    """Return, shape (WOUND_CONDITIONS, 3, 7), the condition of the same code by mechanism and AIS; else itself."""
    wounds = [one for one in catalogue.conditions() if one.use == "wound"]
    found: dict[tuple[str, str, int], int] = {}
    for number, one in enumerate(wounds):
        for mechanism, ais in itertools.product(one.mechanisms, range(one.ais_low, one.ais_high + 1)):
            found.setdefault((one.code, mechanism, ais), number)
    table = np.zeros((WOUND_CONDITIONS, len(WEAPONS), AIS_ROWS), np.uint16)
    for number, one in enumerate(wounds):
        for (row, weapon), ais in itertools.product(enumerate(WEAPONS), range(AIS_ROWS)):
            table[number, row, ais] = found.get((one.code, weapon, ais), number)
    return table


def conflict_bits() -> NDArray[np.uint8]:
    """Return which conditions of wounds exclude each other, shape (WOUND_CONDITIONS, WOUND_CONDITIONS // 8).

    Bit `b % 8` of byte `[a, b // 8]` is set where the conditions `a` and `b` never meet in one patient; a condition
    excludes itself.

    Raises
    ------
    ValueError
        If the catalogue has more conditions of wounds than the table has rows, or if they do not come first.
    """
    wounds = [number for number, one in enumerate(catalogue.conditions()) if one.use == "wound"]
    if wounds != list(range(len(wounds))) or len(wounds) > WOUND_CONDITIONS:
        raise ValueError(f"the conditions of wounds are not the first ones, or more than {WOUND_CONDITIONS}")
    excluded = np.zeros((WOUND_CONDITIONS, WOUND_CONDITIONS), np.bool_)
    for first, second in catalogue.excluded_pairs(catalogue.condition_keys()[: len(wounds)]):
        excluded[np.ix_(first, second)] = True
    return np.packbits(excluded | excluded.T, axis=1, bitorder="little")


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
        "sprain": CareNeed.MUSCULOSKELETAL,
        "fracture": CareNeed.MUSCULOSKELETAL,
        "vehicle_and_fall": CareNeed.MUSCULOSKELETAL,
        "wound_and_crush": CareNeed.MUSCULOSKELETAL,
        "fall": CareNeed.MUSCULOSKELETAL,
        "crush": CareNeed.MUSCULOSKELETAL,
        "surgical": CareNeed.SURGICAL,
        "heat": CareNeed.COOLING,
        "cold": CareNeed.REWARMING,
    }.get(condition.group, CareNeed.MEDICAL)
