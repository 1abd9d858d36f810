"""Factors of an experiment: what is varied, over which levels or range."""

import math
from dataclasses import dataclass
from typing import Any

from engine.errors import InputError, shown


@dataclass(frozen=True, kw_only=True, slots=True)
class Factor:
    """One thing that a design varies: over given levels, or over a range of numbers.

    Raises
    ------
    InputError
        If neither levels nor a range are given, or both, or they make no sense.

    >>> Factor(name="tables", low=1, high=4, whole=True).at(0.5)
    3
    >>> Factor(name="policy", levels=("nearest", "fastest")).at(0.2)
    'nearest'
    """

    name: str
    levels: tuple[Any, ...] = ()
    """Two or more different values of any kind."""
    low: float | None = None
    high: float | None = None
    whole: bool = False
    """Whether the range holds whole numbers only, both bounds included."""

    def __post_init__(self) -> None:
        ranged = self.low is not None or self.high is not None
        if ranged == bool(self.levels):
            raise InputError(
                f"factor {self.name!r}: got {'both levels and a range' if ranged else 'neither levels nor a range'}; "
                "allowed: levels, or low and high"
            )
        if ranged:
            self._check_range()
            return
        if len(self.levels) < 2:
            raise InputError(
                f"factor {self.name!r}: got the levels {shown(self.levels)}; allowed: two or more, "
                "since one changes nothing"
            )
        for position, level in enumerate(self.levels):
            if level in self.levels[:position]:
                raise InputError(
                    f"factor {self.name!r}: got the level {shown(level)} twice; allowed: different levels"
                )

    def _check_range(self) -> None:
        """Refuse a range that is not one of numbers, ascending."""
        low, high = self.low, self.high
        for bound in (low, high):
            if isinstance(bound, bool) or not isinstance(bound, (int, float)) or not math.isfinite(bound):
                raise InputError(
                    f"factor {self.name!r}: got the range {shown(low)} to {shown(high)}; allowed: two numbers"
                )
            if self.whole and bound != int(bound):
                raise InputError(f"factor {self.name!r}: got {shown(bound)}; allowed: whole numbers")
        if not low < high:  # type: ignore[operator]
            raise InputError(
                f"factor {self.name!r}: got the range {shown(low)} to {shown(high)}; allowed: low below high"
            )

    @property
    def ends(self) -> tuple[Any, ...]:
        """The levels, or the two ends of the range: what a factorial design uses."""
        return self.levels or (self.at(0.0), self.at(1.0))

    def at(self, unit: float) -> Any:
        """Return the value at a coordinate from 0 to 1: uniform over the range, or over the levels in their order."""
        if self.levels:
            return self.levels[min(int(unit * len(self.levels)), len(self.levels) - 1)]
        assert self.low is not None and self.high is not None
        if self.whole:
            low, count = int(self.low), int(self.high) - int(self.low) + 1
            return low + min(int(unit * count), count - 1)
        return self.high if unit == 1.0 else self.low + unit * (self.high - self.low)

    def position(self, unit: float) -> float:
        """Return where the value at a coordinate lies in the range, 0 to 1; levels are taken as equally far apart.

        >>> Factor(name="tables", levels=(10, 20)).position(1 / 3), Factor(name="beds", low=0.0, high=9.0).position(0.3)
        (0.0, 0.3)
        """
        if self.levels:
            return min(int(unit * len(self.levels)), len(self.levels) - 1) / (len(self.levels) - 1)
        if self.whole:
            assert self.low is not None and self.high is not None
            return float((self.at(unit) - self.low) / (self.high - self.low))
        return unit
