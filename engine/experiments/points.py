"""The points of an experiment: each is a scenario with some settings changed, and its label."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import ScenarioError
from engine.experiments.plan import PlanHeader
from engine.scenario import (
    PreparedScenario,
    Scenario,
    ScenarioOrigin,
    ScenarioOverrides,
    Setting,
    prepare,
    write_value,
)

AS_IT_IS = "as it is"
"""Label of a point without settings of its own."""

_LABELLED_SETTINGS = 4
"""A label names at most this many settings; a point with more is called by its number."""


class DesignPoint(NamedTuple):
    """A point of an experiment."""

    number: int
    """From 0."""
    label: str
    settings: tuple[Setting, ...]
    """What it changes; those that hold for all points are not among them."""
    values: tuple[Any, ...]
    """Per name of `DesignPoints.names`, the value; None where the scenario's own is kept and is not one value."""


@dataclass(frozen=True)
class DesignPoints:
    """The points of an experiment, in the order in which analyses expect them. Each is made when it is asked for."""

    kind: str
    names: tuple[str, ...]
    """What the points have values of: factors, shares, or the settings of a list."""
    paths: tuple[tuple[str, ...], ...]
    """Per name, the settings that have the value."""
    rows: Sequence[tuple[Any, ...]]
    """Per point, a value per name."""
    levels: tuple[tuple[Any, ...], ...]
    """Per name, the levels of a factorial design in their order; empty for other kinds."""
    changed: Sequence[tuple[bool, ...]] | None
    """Per point and name, whether the point sets the value; None: all do."""
    labels: tuple[str, ...] | None
    """Per point; None: they are made from the values."""
    notes: tuple[str, ...]
    """What a reader must know about the design, one sentence each."""
    units: NDArray[np.float64] | None
    """Shape (points, coordinates), from 0 to 1: what the analyses of Morris and Sobol take."""
    effects: tuple[str, ...]
    """Names of what the analysis of the design finds effects of: factors, and groups of factors."""
    groups: tuple[int, ...]
    """Per coordinate, which of the effects it belongs to."""
    baseline: int | None
    """The point with which the others are compared, if any."""
    positions: NDArray[np.float64] | None = None
    """Shape of `units`: where the values lie in their ranges (`Factor.position`); None where no analysis needs it."""

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.rows)

    def __getitem__(self, number: int) -> DesignPoint:
        """Return a point by its number, from 0."""
        if not 0 <= number < len(self.rows):
            raise IndexError(number)
        row = self.rows[number]
        sets = (True,) * len(row) if self.changed is None else self.changed[number]
        settings = tuple(
            Setting(path, value)
            for paths, value, is_set in zip(self.paths, row, sets, strict=True)
            if is_set
            for path in paths
        )
        return DesignPoint(number, self._label(number, row, sets), settings, row)

    def __iter__(self) -> Iterator[DesignPoint]:
        """Iterate over the points."""
        return (self[number] for number in range(len(self)))

    def _label(self, number: int, row: tuple[Any, ...], sets: tuple[bool, ...]) -> str:
        if self.labels is not None:
            return self.labels[number]
        words = [
            f"{name}={_value_label(value)}"
            for name, value, is_set in zip(self.names, row, sets, strict=True)
            if is_set
        ]
        if len(words) > _LABELLED_SETTINGS:
            return f"point {number}"
        return "; ".join(words) or AS_IT_IS


def overrides_of(plan: PlanHeader, settings: Sequence[Setting] = ()) -> ScenarioOverrides:
    """Return what a plan replaces in its scenario; `settings` are those of a point and come last."""
    own = tuple(Setting(path, value) for path, value in plan.settings.items())
    return ScenarioOverrides(plan.seed, plan.patients, plan.days, (*own, *settings))


def prepare_base(
    plan: PlanHeader, written: Scenario, origin: ScenarioOrigin | None = None
) -> PreparedScenario:
    """Return the scenario of a plan with the settings that hold for all points. Raises ScenarioError."""
    return prepare(written, overrides_of(plan), origin, plan.allow_long)


def prepare_point(plan: PlanHeader, base: PreparedScenario, point: DesignPoint) -> PreparedScenario:
    """Return the scenario of a point.

    Raises
    ------
    ScenarioError
        If the scenario cannot be run with these settings, with the label of the point.
    """
    if not point.settings:
        return base
    try:
        return prepare_with(plan, base, point.settings)
    except ScenarioError as error:
        words = f"point {point.number}" + (f", {point.label}" if not point.label.startswith("point ") else "")
        raise ScenarioError(error.place, error.value, error.allowed, error.near, words) from None


def prepare_with(plan: PlanHeader, base: PreparedScenario, settings: Sequence[Setting]) -> PreparedScenario:
    """Return the scenario of a plan with more settings. Raises ScenarioError."""
    return prepare(base.written, overrides_of(plan, settings), base.origin, plan.allow_long)


def _value_label(value: Any) -> str:
    """A value in a label: numbers short, words without quotes."""
    if isinstance(value, str):
        return value
    return f"{value:.6g}" if isinstance(value, float) else write_value(value)
