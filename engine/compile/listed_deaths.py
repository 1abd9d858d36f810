"""Lethality and time to death of listed casualties whose severity or triage is given (docs/model.md section 2.3.6).

The tilts let `survival.lethality` and `survival.untreated_minutes` hold for casualties as the model draws them. Listed
ones may be worse. So each group of them gets a factor on the odds of being lethal and one on the life, with which both
hold there too.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.codes import MECHANISMS, NONE
from engine.compile.rows import STANDARD
from engine.compile.tilts import CategorySample, living_by_category, type_rows
from engine.numeric import interpreted
from engine.scenario import ListedRow, Scenario, heaviest_type, unnamed_categories
from engine.tables import Table

WIDEST, STEPS = 40.0, 50
"""Bounds of the logarithm of a factor, and bisections."""
QUANTILES = 200
"""Lives by which the distribution of one NISS is represented."""
ROUNDS = 4
"""Times that the two factors of a group with given categories are sought in turn."""


class ListedDeaths(NamedTuple):
    """The casualties of one group of listed rows who die untreated."""

    given: str
    """What their rows give."""
    number: int
    """Casualties, without those killed at once where their number is known."""
    asked: float
    """The share of them that the scenario asks for."""
    reached: float
    """The share with the factors that were found."""
    unchanged: float
    """The share without them."""


class _Group(NamedTuple):
    """Rows of the list which have the share together."""

    given: str
    places: list[int]
    """Their places in `model["listed"]`."""
    rows: list[ListedRow]


def meet_deaths(
    scenario: Scenario, model: Table, rows: Sequence[ListedRow], niss: Mapping[int, NDArray[np.int64]]
) -> list[ListedDeaths]:
    """Fill `model["listed"]` with the factors by which the deaths of a resolved scenario hold among its listed wounded.

    Parameters
    ----------
    rows
        By place in `model["listed"]`: the row.
    niss
        By place of a row with a mean ISS: the number of its casualties by NISS, without those killed at once.
    """
    own = scenario.survival
    asked = own.clock and (own.lethality is not None or own.untreated_minutes is not None)
    if scenario.routing != "clock" or not asked:
        return []
    type_ = type_rows(scenario)[heaviest_type(scenario) or STANDARD]
    found = []
    for group in _groups(rows):
        if group.places[0] in niss:
            counts = np.sum([niss[place] for place in group.places], axis=0)
            search: _Search = _BySeverity(scenario, model, type_, counts)
        else:
            search = _ByCategory(scenario, model, type_, group)
        unchanged = search.share(1.0, 1.0)
        odds, life = search.find()
        for place in group.places:
            model["listed"]["odds"][0, place], model["listed"]["life"][0, place] = odds, life
        asked_share = unchanged if own.lethality is None else own.lethality
        found.append(
            ListedDeaths(group.given, search.number, asked_share, search.share(odds, life), unchanged)
        )
    return found


def _groups(rows: Sequence[ListedRow]) -> list[_Group]:
    """Return the rows of wounded whose severity or triage is given, in groups.

    Rows with the same mean ISS and mechanism are a group, rows with the same shares, and all rows with one category.
    """
    groups: dict[str, _Group] = {}
    for place, row in enumerate(rows):
        incident = row.incident
        if incident.stream != "battle" or incident.mechanism == "cbrn" or incident.conditions is not None:
            continue
        if incident.mean_iss is not None:
            given = f"mean ISS {incident.mean_iss:g}"
            given += f", {incident.mechanism}" if incident.mechanism else ""
        elif incident.triage is not None:
            given = ", ".join(f"{name} {share:g}" for name, share in sorted(incident.triage.items()))
        elif incident.category is not None:
            given = "a category each"
        else:
            continue
        group = groups.setdefault(given, _Group(given, [], []))
        group.places.append(place)
        group.rows.append(row)
    return list(groups.values())


def _bisected(value: Callable[[float], float], wanted: float) -> float:
    """Return the factor with which a rising function has a value, or the one that comes closest."""
    low, high = -WIDEST, WIDEST
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        if value(interpreted.exp(middle)) < wanted:
            low = middle
        else:
            high = middle
    return interpreted.exp(0.5 * (low + high))


def _weighted_median(values: list[tuple[float, float]]) -> float | None:
    """Return the median of values with weights; None if there are none."""
    left = 0.5 * sum(weight for _, weight in values)
    for value, weight in sorted(values):
        left -= weight
        if left <= 0.0:
            return value
    return None


class _Search(ABC):
    """The search for the two factors of a group."""

    def __init__(self, scenario: Scenario) -> None:
        self.lethality = scenario.survival.lethality
        self.minutes = scenario.survival.untreated_minutes
        self.number = 0

    @abstractmethod
    def share(self, odds: float, life: float) -> float:
        """Return the share that dies untreated."""

    @abstractmethod
    def median(self, odds: float, life: float) -> float | None:
        """Return the median life in minutes of those who die untreated; None if nobody does."""

    def find(self) -> tuple[float, float]:
        """Return the factors on the odds and on the life."""
        odds, life = 1.0, 1.0
        for _ in range(ROUNDS):
            if self.lethality is not None:
                odds = _bisected(partial(self.share, life=life), self.lethality)
            median = self.median(odds, life)
            if self.minutes is None or median is None:
                break
            life *= self.minutes / median
        return odds, life


class _BySeverity(_Search):
    """Casualties whose NISS are known."""

    def __init__(self, scenario: Scenario, model: Table, type_: int, niss: NDArray[np.int64]) -> None:
        super().__init__(scenario)
        survival = model["survival"][0]
        self.chance = [float(chance) for chance in survival["lethal"][type_]]
        self.lives = [float(minutes) for minutes in survival["minutes"][type_]]
        self.sigma = float(survival["sigma"][0])
        self.counts = [int(count) for count in niss]
        self.number = sum(self.counts)

    def _lethal(self, odds: float) -> list[float]:
        """Return the expected number of lethal casualties by NISS."""
        return [
            count * chance * odds / (1.0 - chance + chance * odds)
            for count, chance in zip(self.counts, self.chance, strict=True)
        ]

    def share(self, odds: float, life: float) -> float:
        """Return the share that dies untreated."""
        return float(sum(self._lethal(odds))) / max(1, self.number)

    def median(self, odds: float, life: float) -> float | None:
        """Return the median life in minutes of those who die untreated; None if nobody does."""
        spread = [
            interpreted.exp(self.sigma * interpreted.normal_quantile((k + 0.5) / QUANTILES))
            for k in range(QUANTILES)
        ]
        lives = [
            (minutes * life * factor, number)
            for minutes, number in zip(self.lives, self._lethal(odds), strict=True)
            if number > 0.0
            for factor in spread
        ]
        return _weighted_median(lives)


class _ByCategory(_Search):
    """Casualties whose categories are given, seen in a fixed sample of the warfare type for each mechanism."""

    def __init__(self, scenario: Scenario, model: Table, type_: int, group: _Group) -> None:
        super().__init__(scenario)
        self.number = sum(row.number for row in group.rows)
        self.parts: list[tuple[CategorySample, list[tuple[tuple[int, ...], int]]]] = []
        samples: dict[int, dict[tuple[int, ...], int]] = {}
        for row in group.rows:
            given = row.incident.mechanism
            numbers = samples.setdefault(NONE if given is None else MECHANISMS.index(given), {})
            counts = row.categories or (0, 0, 0)
            rest = tuple(int(name[1]) for name in unnamed_categories(row.incident))
            for categories, count in (
                *(((k + 1,), count) for k, count in enumerate(counts)),
                (rest, row.number - sum(counts)),
            ):
                if count > 0:
                    numbers[categories] = numbers.get(categories, 0) + count
        for mechanism, numbers in samples.items():
            self.parts.append((living_by_category(model, type_, mechanism), list(numbers.items())))

    def share(self, odds: float, life: float) -> float:
        """Return the share that dies untreated."""
        dying = 0.0
        for sample, numbers in self.parts:
            category, lethal, _ = sample(odds, life)
            for categories, count in numbers:
                of_them = np.isin(category, categories)
                dying += count * int((of_them & lethal).sum()) / max(1, int(of_them.sum()))
        return dying / self.number

    def median(self, odds: float, life: float) -> float | None:
        """Return the median life in minutes of those who die untreated; None if nobody does."""
        lives: list[tuple[float, float]] = []
        for sample, numbers in self.parts:
            category, lethal, minutes = sample(odds, life)
            for categories, count in numbers:
                of_them = np.isin(category, categories)
                weight = count / max(1, int(of_them.sum()))
                lives += [(float(value), weight) for value in minutes[of_them & lethal]]
        return _weighted_median(lives)
