"""Sensitivity: how far an answer moves when each assumption goes to the ends of its range."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from actors.experiments import Point, ReplicationProgress, Replicator
from engine.errors import InputError, shown
from engine.experiments import (
    DEFAULT_QUANTITIES,
    Quantity,
    fitted,
    swings,
    values_of,
)
from engine.inference import check_confidence, mean_interval
from engine.run import Replications
from engine.scenario import (
    GIVEN,
    Assumption,
    PreparedScenario,
    ScenarioOverrides,
    Setting,
    assumptions_of,
    given_assumption,
    near_match,
    prepare,
    with_given,
)
from goldenhour.experiments import (
    Alternative,
    batch_cache,
    compile_alternatives,
    find_measures,
    label_of,
    names_given,
    open_workers,
    replication_seconds,
    replications_of_known_measures,
    workers_for_seconds,
)
from goldenhour.result import ScenarioSource, load_scenario, settings_of
from goldenhour.sensitivity_result import Sensitivity

DEFAULT_REPLICATIONS = 100
"""Replications of each point."""

_NO_EFFECT = "no effect"
"""What a note says of a setting that changes nothing."""


class GivenRange(NamedTuple):
    """A range that a user gives for a setting."""

    path: str
    low: float
    high: float
    mode: float | None = None
    """Default: the scenario's value."""
    name: str | None = None


class ScenarioAt(NamedTuple):
    """A scenario, and how to prepare it again with other settings."""

    alternative: Alternative
    overrides: ScenarioOverrides
    """With which it was prepared."""
    allow_long: bool = False

    def with_setting(self, setting: Setting) -> PreparedScenario:
        """Prepare it with one setting more. Raises ScenarioError."""
        prepared = self.alternative.prepared
        overrides = self.overrides._replace(settings=(*self.overrides.settings, setting))
        return prepare(prepared.written, overrides, prepared.origin, self.allow_long)


@dataclass(frozen=True)
class SensitivityPlan:
    """What is varied, and what is measured."""

    scenarios: tuple[ScenarioAt, ...]
    """One; or two, whose difference is the answer, the baseline first."""
    seed: int
    quantities: tuple[str, ...] = DEFAULT_QUANTITIES
    given: tuple[GivenRange, ...] = ()
    """Ranges besides those of the model, or instead of them."""
    only: tuple[str, ...] = ()
    """Names or paths of the assumptions that are varied; default: all."""
    replications: int = DEFAULT_REPLICATIONS
    confidence: float = 0.95

    def check(self) -> None:
        """Raise InputError for a plan that makes no sense."""
        if len(self.scenarios) not in (1, 2):
            raise InputError(
                f"sensitivity: got {len(self.scenarios)} scenarios; allowed: one, or two whose difference is the answer"
            )
        value = self.replications
        if not isinstance(value, int) or isinstance(value, bool) or not 2 <= value <= 10**6:
            raise InputError(f"replications: got {shown(value)}; allowed: whole numbers from 2 to 1,000,000")
        check_confidence(self.confidence)
        self._check_ranges()
        hashes = [one.alternative.prepared.hash for one in self.scenarios]
        if len(set(hashes)) < len(hashes):
            raise InputError("sensitivity: both scenarios are the same: there is no difference to explain")

    def _check_ranges(self) -> None:
        """Raise InputError if a setting has two ranges."""
        paths = [one.path for one in self.given]
        for path in paths:
            if paths.count(path) > 1:
                raise InputError(f"range: got {path!r} twice; allowed: one range for each setting")


class _Ends(NamedTuple):
    """Numbers of the points at both ends of an assumption's range, by scenario; None where the end is how it is."""

    low: tuple[int, ...] | None
    high: tuple[int, ...] | None


def run_sensitivity(
    plan: SensitivityPlan,
    workers: int | None = None,
    address: str | None = None,
    on_progress: Callable[[ReplicationProgress], None] = lambda progress: None,
) -> Sensitivity:
    """Simulate each assumption at both ends of its range, with common random numbers.

    Parameters
    ----------
    plan
        What is varied and measured.
    workers, address
        As in `run_comparison`.
    on_progress
        Called several times a second with a `ReplicationProgress`.

    Raises
    ------
    InputError
        If the plan makes no sense, there is no such quantity, or nothing can be varied.
    ScenarioError
        If a range does not fit a scenario.
    """
    plan.check()
    assumptions, idle, points, ends = _points(plan)
    if not assumptions:
        raise InputError(
            "sensitivity: the scenario rests on no assumption that has a range; give one with "
            "--range PATH=LOW..HIGH (ranges)"
        )
    seconds = plan.replications * len(points) * replication_seconds(plan.scenarios[0].alternative.prepared)
    with open_workers(
        workers_for_seconds(seconds, address) if workers is None else workers, address
    ) as tasks:
        replicator = Replicator(
            [Point(each.resolved, plan.seed) for each in points], batch_cache(), tasks, on_progress
        )
        counts = [plan.replications] * len(points)
        found = replications_of_known_measures(replicator, counts, plan.quantities)
    return _result(plan, assumptions, idle, found, ends)


def _points(
    plan: SensitivityPlan,
) -> tuple[list[Assumption], list[str], list[PreparedScenario], list[_Ends]]:
    """The assumptions that are varied, the names of those without effect, the points, and which are whose ends.

    A scenario that does not rest on an assumption stays as it is while another moves.
    """
    first = plan.scenarios[0].alternative.prepared
    given = [given_assumption(first.resolved, *one) for one in plan.given]
    own = [with_given(assumptions_of(one.alternative.prepared.original), given) for one in plan.scenarios]
    wanted = _chosen([*own[0], *(one for other in own[1:] for one in other if one not in own[0])], plan.only)
    points = [one.alternative.prepared for one in plan.scenarios]
    assumptions, idle, ends = [], [], []
    for one in wanted:
        moving = [number for number, each in enumerate(own) if one in each]
        at_ends = [_at_end(one, value, plan.scenarios, moving) for value in (one.low, one.high)]
        if all(_is_idle(end, plan.scenarios) for end in at_ends):
            idle.append(one.name)
            continue
        numbers: list[tuple[int, ...] | None] = []
        for end in at_ends:
            places = {number: len(points) + place for place, number in enumerate(end)}
            points += end.values()
            own_points = tuple(places.get(number, number) for number in range(len(own)))
            numbers.append(own_points if end else None)
        assumptions.append(one)
        ends.append(_Ends(*numbers))
    return assumptions, idle, points, ends


def _at_end(
    one: Assumption, value: Any, scenarios: Sequence[ScenarioAt], moving: Sequence[int]
) -> dict[int, PreparedScenario]:
    """By number, the scenarios that are others with an assumption at the end `value` of its range.

    The mode of a range of the model is what the scenario has. That of a range which the user gives may lie outside.
    """
    if one.tag != GIVEN:
        if value == one.mode:
            return {}
        return {number: scenarios[number].with_setting(Setting(one.path, value)) for number in moving}
    found = {number: scenarios[number].with_setting(Setting(one.path, value)) for number in moving}
    return {
        number: prepared
        for number, prepared in found.items()
        if prepared.hash != scenarios[number].alternative.prepared.hash
    }


def _chosen(found: Sequence[Assumption], only: Sequence[str]) -> list[Assumption]:
    """The assumptions of these names or paths, and those that the user has given a range. Raises InputError."""
    names = {name for one in found for name in (one.name, one.path)}
    for name in only:
        if name not in names:
            near = near_match(name, names)
            hint = f"; did you mean {near!r}?" if near else ""
            raise InputError(
                f"assumption: got {shown(name)}; allowed: the name or path of one that the scenario rests on{hint}"
            )
    return [one for one in found if not only or one.tag == GIVEN or one.name in only or one.path in only]


def _is_idle(changed: Mapping[int, PreparedScenario], scenarios: Sequence[ScenarioAt]) -> bool:
    """Whether a setting changes nothing, by the notes on the scenarios that have it, by their number."""
    for number, new in changed.items():
        known = scenarios[number].alternative.prepared
        notes = [note for note in new.notes if note not in known.notes]
        if new.hash != known.hash and not any(_NO_EFFECT in note for note in notes):
            return False
    return True


def _result(
    plan: SensitivityPlan,
    assumptions: Sequence[Assumption],
    idle: Sequence[str],
    found: Sequence[Replications],
    ends: Sequence[_Ends],
) -> Sensitivity:
    quantities = [
        fitted(each, (size for one in found for size in values_of(each, one).tolist()))
        for each in find_measures(plan.quantities, {name for one in found for name in one.names})
    ]
    answers, tornados = {}, {}
    scenarios = tuple(range(len(plan.scenarios)))
    for quantity in quantities:

        def answer(
            numbers: tuple[int, ...], of: Quantity = quantity
        ) -> "np.ndarray[Any, np.dtype[np.float64]]":
            first, *others = (values_of(of, found[number]) for number in numbers)
            return others[0] - first if others else first

        as_it_is = answer(scenarios)
        answers[quantity.name] = mean_interval(as_it_is, plan.confidence)
        pairs = [tuple(None if end is None else answer(end) for end in each) for each in ends]
        tornados[quantity.name] = tuple(swings(as_it_is, pairs, plan.confidence))  # type: ignore[arg-type]
    return Sensitivity(
        labels=tuple(one.alternative.label for one in plan.scenarios),
        seed=plan.seed,
        days=plan.scenarios[0].alternative.prepared.resolved.days,
        replications=plan.replications,
        confidence=plan.confidence,
        quantities=tuple(quantities),
        assumptions=tuple(assumptions),
        answers=answers,
        swings=tornados,
        idle=tuple(idle),
    )


def ranges_given(ranges: Any) -> tuple[GivenRange, ...]:
    """The ranges of a mapping from paths to low and high. Raises InputError."""
    allowed = "a mapping from paths to the low and the high end of a range"
    if ranges is not None and not isinstance(ranges, Mapping):
        raise InputError(f"ranges: got {shown(ranges)}; allowed: {allowed}")
    found = []
    for path, ends in (ranges or {}).items():
        numbers = list(ends) if isinstance(ends, list | tuple) else []
        numbers = [end.item() if isinstance(end, np.generic) else end for end in numbers]
        if len(numbers) != 2 or not all(
            isinstance(end, int | float) and not isinstance(end, bool) and math.isfinite(end)
            for end in numbers
        ):
            raise InputError(f"ranges: got {shown(ends)} for {shown(path)}; allowed: {allowed}")
        found.append(GivenRange(path, *numbers))
    return tuple(found)


def sensitivity(
    scenario: ScenarioSource,
    change: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    measures: str | Sequence[str] = DEFAULT_QUANTITIES,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    only: str | Sequence[str] = (),
    replications: int = DEFAULT_REPLICATIONS,
    confidence: float = 0.95,
    seed: int | None = None,
    patients: int | None = None,
    days: int | None = None,
    allow_long: bool = False,
    workers: int = 0,
    address: str | None = None,
) -> Sensitivity:
    """Say on which assumptions an answer rests: each goes to the low and the high end of its range.

    Parameters
    ----------
    scenario, settings, seed, patients, days, allow_long
        As in `goldenhour.simulate`.
    change
        Settings of a second scenario: the answer is then the difference that they make.
    measures
        As in `goldenhour.compare`.
    ranges
        By path of a setting, the low and the high end of a range besides those of the model, or instead of one.
    only
        Names or paths of the assumptions that are varied; default: all. Those of `ranges` are varied in any case.
    replications
        Of each point.
    confidence
        Of the intervals, and of the judgement what can be told from chance.
    workers, address
        As in `goldenhour.compare`.

    Raises
    ------
    InputError
        If there is no such scenario or measure.
    ScenarioError
        If the scenario cannot be run, or a range does not fit it.

    Examples
    --------
    >>> import goldenhour
    >>> found = goldenhour.sensitivity("coin", measures=["deaths"], replications=10)
    >>> len(found.swings["deaths"]) == len(found.assumptions)
    True
    """
    written, origin = load_scenario(scenario)
    name = scenario if isinstance(scenario, str) else written.name

    def one(label: str, more: Mapping[str, Any]) -> ScenarioAt:
        overrides = ScenarioOverrides(seed, patients, days, settings_of({**(settings or {}), **more}))
        return ScenarioAt(
            Alternative(label, prepare(written, overrides, origin, allow_long)), overrides, allow_long
        )

    if change is not None and not isinstance(change, Mapping):
        raise InputError(f"change: got {shown(change)}; allowed: a mapping from paths to values")
    wanted = names_given(measures, "measures")
    chosen = names_given(only, "only") if only else ()
    given = ranges_given(ranges)
    own = label_of(settings) if change is not None and settings and isinstance(settings, Mapping) else name
    scenarios = [one(own, {})]
    if change is not None:
        scenarios.append(one(label_of(change), change))
    plan = SensitivityPlan(
        tuple(scenarios),
        scenarios[0].alternative.prepared.resolved.seed,
        wanted,
        given,
        chosen,
        replications,
        confidence,
    )
    plan.check()
    compile_alternatives([each.alternative for each in scenarios])
    return run_sensitivity(plan, workers, address)
