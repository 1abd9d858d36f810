"""What an experiment compares: measures of a run by name, and some that have a short name of their own."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError, shown
from engine.experiments.formulas import Formula, unknown_measure
from engine.measures import absent_value
from engine.scenario import near_match

if TYPE_CHECKING:
    from engine.run import Replications

Column = NDArray[np.float64]

_MOST_DECIMALS = 20


class Quantity(NamedTuple):
    """A number that each replication has."""

    name: str
    """How a user asks for it: a short name, or the name of a measure."""
    meaning: str
    """What it is, for a sentence: "deaths per 100 battle casualties"."""
    lower: str
    """What a lower value means, with {} for the difference and {days} for the days in which people are hurt."""
    higher: str
    """What a higher value means, likewise."""
    decimals: int
    """Decimals to print."""
    fewer_is_better: bool | None
    """None: neither is better in itself."""
    half_width: float | None
    """Half-width that is always small enough unless the user says otherwise; None: a share of the baseline's mean."""
    columns: tuple[str, ...]
    """Names of the measures that it is computed from."""
    formula: Callable[..., Column]
    """Computes it from these columns."""


def _same(column: Column) -> Column:
    return column


def _percent(part: Column, whole: Column) -> Column:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, 100.0 * part / whole, math.nan)


def _percent_of_sum(one: Column, other: Column, whole: Column) -> Column:
    return _percent(one + other, whole)


def _sum(*columns: Column) -> Column:
    return np.sum(columns, axis=0)


QUANTITIES: dict[str, Quantity] = {
    each.name: each
    for each in (
        Quantity(
            "deaths",
            "deaths per 100 battle casualties",
            "{} fewer deaths per 100 battle casualties",
            "{} more deaths per 100 battle casualties",
            2,
            True,
            0.2,
            ("mortality.kia", "mortality.dow", "mortality.battle_casualties"),
            _percent_of_sum,
        ),
        Quantity(
            "surgery",
            "the median time from injury to surgery",
            "a median time from injury to surgery {} minutes shorter",
            "a median time from injury to surgery {} minutes longer",
            1,
            True,
            5.0,
            ("minutes_from_injury.surgery.median",),
            _same,
        ),
        Quantity(
            "dow",
            "died of wounds per 100 WIA",
            "{} fewer died of wounds per 100 WIA",
            "{} more died of wounds per 100 WIA",
            2,
            True,
            0.2,
            ("mortality.dow", "mortality.wia"),
            _percent,
        ),
        Quantity(
            "kia",
            "killed in action per 100 battle casualties",
            "{} fewer killed in action per 100 battle casualties",
            "{} more killed in action per 100 battle casualties",
            2,
            True,
            0.2,
            ("mortality.kia", "mortality.battle_casualties"),
            _percent,
        ),
        Quantity(
            "all_deaths",
            "all deaths",
            "{} fewer deaths of all causes in {days}",
            "{} more deaths of all causes in {days}",
            1,
            True,
            None,
            ("outcomes.kia", "outcomes.dow", "outcomes.died_nonbattle"),
            _sum,
        ),
        Quantity(
            "surgery_in_time",
            "operations within two hours of the injury",
            "{} % fewer of the operations within two hours of the injury",
            "{} % more of the operations within two hours of the injury",
            1,
            False,
            2.0,
            ("minutes_from_injury.surgery.percent_within_120",),
            _same,
        ),
    )
}
"""Quantities with a short name."""

DEFAULT_QUANTITIES = ("deaths", "surgery")


@dataclass(frozen=True, slots=True)
class _FormulaOfQuantities:
    """Computes a formula over quantities from the columns of measures that these need."""

    formula: Formula
    quantities: tuple[Quantity, ...]
    columns: tuple[str, ...]

    def __call__(self, *columns: Column) -> Column:
        """Return the values of the formula, shape (replications,)."""
        by_name = dict(zip(self.columns, columns, strict=True))
        values = {
            quantity.name: quantity.formula(*(by_name[name] for name in quantity.columns))
            for quantity in self.quantities
        }
        return self.formula.evaluate(values)


def find_quantities(
    wanted: Sequence[str], known: Sequence[str], formulas: Mapping[str, Formula] | None = None
) -> list[Quantity]:
    """Return the quantities of these names.

    Parameters
    ----------
    wanted
        Short names, names of measures, or names of formulas.
    known
        Names of the measures that the replications have.
    formulas
        By name: formulas over short names and measures.

    Raises
    ------
    InputError
        If there is no such measure, with the nearest name.
    """
    formulas = formulas or {}
    found = []
    for name in dict.fromkeys(wanted):
        if name in formulas:
            found.append(formula_quantity(name, formulas[name], known))
        elif name in QUANTITIES:
            found.append(QUANTITIES[name])
        elif name in known:
            found.append(_plain_quantity(name, (name,), _same))
        else:
            near = near_match(name, [*formulas, *QUANTITIES, *known])
            hint = f"; did you mean {near!r}?" if near else ""
            raise InputError(
                f"measure: got {shown(name)}; allowed: {', '.join([*formulas, *QUANTITIES])}, or a number of "
                f"summary.json by its path, such as time_to_surgery.minutes.table.mean{hint}"
            )
    return found


def formula_quantity(name: str, formula: Formula, known: Sequence[str]) -> Quantity:
    """Return the quantity that a formula computes from others.

    Raises
    ------
    InputError
        If there is no measure that it names, with its position and the nearest name.
    """
    parts = []
    for part, position in zip(formula.names, formula.positions, strict=True):
        if part not in QUANTITIES and part not in known:
            raise unknown_measure(formula.text, part, position, [*QUANTITIES, *known])
        parts += find_quantities([part], known)
    columns = tuple(dict.fromkeys(column for part in parts for column in part.columns))
    return _plain_quantity(name, columns, _FormulaOfQuantities(formula, tuple(parts), columns))


def _plain_quantity(name: str, columns: tuple[str, ...], formula: Callable[..., Column]) -> Quantity:
    """Return a quantity of which nothing is known but its name."""
    return Quantity(
        name, name, f"{name} lower by {{}}", f"{name} higher by {{}}", 2, None, None, columns, formula
    )


def fitted(quantity: Quantity, sizes: Iterable[float]) -> Quantity:
    """Return a quantity with as many decimals as numbers of these sizes need for three digits.

    A quantity with a short name has its own decimals, and no quantity has fewer than two. What is not finite, or 0,
    does not count.

    >>> [fitted(_plain_quantity("x", (), _same), [size]).decimals for size in (270.0, 0.05, 0.00001234)]
    [2, 4, 7]
    """
    largest = max((abs(size) for size in sizes if math.isfinite(size)), default=0.0)
    if quantity.name in QUANTITIES or largest == 0.0 or largest >= 0.1:
        return quantity
    return quantity._replace(decimals=min(_MOST_DECIMALS, 2 - math.floor(math.log10(largest))))


def values_of(quantity: Quantity, replications: "Replications") -> Column:
    """Return a quantity by replication, shape (replications,); NaN where a replication has no data for it."""
    columns: Mapping[str, int] = {name: number for number, name in enumerate(replications.names)}
    count = len(replications.values)
    found = [
        replications.values[:, columns[name]] if name in columns else np.full(count, absent_value(name))
        for name in quantity.columns
    ]
    values: Column = quantity.formula(*found)
    return values
