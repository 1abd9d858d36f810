"""Optimisation: the cheapest point that meets constraints, the best of several, or a front of cost and outcome."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.experiments import batch_size
from actors.run import compile_before
from engine.experiments import (
    Bottleneck,
    OptimisationPlan,
    Quantity,
    costs_of,
    difference_of,
    find_bottleneck,
    fitted,
    larger_is_better,
    quantities_of,
    requirement_of,
    values_of,
)
from engine.inference import (
    CheapestRule,
    FrontRule,
    SelectionRule,
    mean_interval,
)
from engine.measures import absent_value
from engine.run import Replications
from goldenhour.optimisation_files import LoadedOptimisation, OptimisationSource, levels_of, load_optimisation
from goldenhour.optimisation_result import Optimisation, PointOutcome, SimulatedPoint, optimisation_files
from goldenhour.optimisation_sentences import optimisation_sentences
from goldenhour.point_driver import OnDetail, OnStart, PlanRequest, PointDriver, Workplace, open_workplace

Column = NDArray[np.float64]

OptimisationRequest = PlanRequest[LoadedOptimisation]
"""An optimisation, and how it is carried out."""


def run_optimisation(
    request: OptimisationRequest,
    on_progress: OnDetail = lambda detail, phase: None,
    on_start: OnStart = lambda run_id, started_before: None,
) -> Optimisation:
    """Search until the answer is known. What was cut off in the same output folder is continued.

    Parameters
    ----------
    request
        What to do.
    on_progress
        Called several times a second.
    on_start
        Called once the output folder, if any, is claimed, and the measures are known to exist if that shows in a
        second or two.

    Raises
    ------
    InputError
        If there is no such measure, or if the output folder cannot be used.
    RunError
        If a replication cannot be simulated. What is finished stays in the output folder.
    """
    loaded = request.loaded
    with open_workplace(
        request,
        "optimisation",
        on_start,
        find=lambda names: _quantities_of(loaded.plan, names),
        first=batch_size(loaded.base.resolved),
    ) as workplace:
        return _Search(request, workplace, on_progress).finish()


def _quantities_of(plan: OptimisationPlan, names: Collection[str]) -> list[Quantity]:
    """The quantities that decide, where replications have these measures. Raises InputError for another one."""
    counts = {name for name in plan.measures if absent_value(name) == 0.0}  # summaries leave out counts of 0
    return quantities_of(plan, sorted({*names, *counts}))


class _Search(PointDriver):
    """An optimisation that is being carried out."""

    def __init__(self, request: OptimisationRequest, workplace: Workplace, on_progress: OnDetail) -> None:
        self._loaded, self._plan = request.loaded, request.loaded.plan
        self._costs = costs_of(self._plan, request.design)
        self._quantities: list[Quantity] = []
        self._stops: dict[int, int] = {}
        """By point, how many replications the search has asked for."""
        self._open: set[int] = set()
        self._is_done = False
        super().__init__(request, workplace, on_progress)
        if self._gathered.known:
            self._find_quantities(self._gathered.known)

    def finish(self) -> Optimisation:
        """Search, and say what was found."""
        goal = self._plan.goal
        found = self._cheapest() if goal == "cheapest" else self._best() if goal == "best" else self._front()
        points = [
            SimulatedPoint(outcome, self._points.hash_of(outcome.number), self._sampled(outcome.number).T)
            for outcome in sorted(found.points, key=lambda each: each.number)
        ]
        counts = {"points": len(points), "replications": sum(self._stops.values())}
        folder = self._publish(optimisation_files(found, points, self._loaded.as_run()), counts)
        return replace(found, folder=folder)

    def _cheapest(self) -> Optimisation:
        search = self._plan.search
        rule = CheapestRule(
            requirements=tuple(requirement_of(each, search) for each in self._plan.constraints),
            confidence=search.confidence,
            first=self._plan.first,
            cap=search.most,
            batch=self._batch,
        )
        found = rule.search(self._costs, self._sample, levels_of(self._design) if search.monotone else None)
        outcomes = [
            self._outcome(
                each.point,
                {"met": "meets", "missed": "fails", "too close": "too close", "open": "not needed"}[
                    each.verdict
                ],
                tuple(decision.interval for decision in each.decisions),
                each.count,
            )
            for each in found.examined.values()
        ]
        notes = [
            f"more of a factor can hurt: {self._design[good].label} meets the constraints, and "
            f"{self._design[bad].label} does not; so all cheaper points were examined in the order of their costs"
            for good, bad in found.contradictions[:1]
        ]
        if found.ruled_out:
            by = {self._design[point].label for point in found.ruled_out.values()}
            notes.append(
                f"{len(found.ruled_out):,} points were not simulated: they have as much or less of everything than "
                f"{', '.join(sorted(by)[:3])}{', ...' if len(by) > 3 else ''}, which fails"
            )
        largest = int(max(range(len(self._design)), key=lambda point: (self._costs[point], point)))
        bottleneck = None if found.best is not None or found.undecided else self._bottleneck(largest)
        return self._result(
            outcomes,
            best_number=found.best,
            undecided_numbers=found.undecided,
            largest_number=largest if found.best is None else None,
            bottleneck=bottleneck,
            constant_numbers=tuple(
                each.point
                for each in found.examined.values()
                if each.verdict in ("met", "missed")
                and any(
                    constraint.probability is None and decision.interval.constant
                    for constraint, decision in zip(self._plan.constraints, each.decisions, strict=True)
                )
            ),
            decided=found.best is not None or not found.undecided,
            notes=notes,
        )

    def _bottleneck(self, point: int) -> Bottleneck | None:
        """What limits the network at a point, as the constraints see it."""
        about_surgery = any(
            "surgery" in column for quantity in self._quantities for column in quantity.columns
        )
        required = [requirement_of(each, self._plan.search) for each in self._plan.constraints]
        shares = [
            pair for pair in zip(required, self._quantities, strict=True) if pair[0].probability is not None
        ]

        def misses(measures: Mapping[str, float]) -> bool:
            row = Replications(tuple(measures), np.array([list(measures.values())]))
            return not all(
                requirement.keeps(values_of(quantity, row)).all() for requirement, quantity in shares
            )

        chosen = self._points[point]
        return find_bottleneck(
            chosen.scenario, chosen.seed, about_surgery, misses if len(shares) == len(required) else None
        )

    def _best(self) -> Optimisation:
        search = self._plan.search
        rule = SelectionRule(
            difference=difference_of(self._plan),
            confidence=search.confidence,
            largest=larger_is_better(self._plan),
            first=self._plan.first,
            cap=search.most,
        )
        values = np.zeros((len(self._design), 0))
        alive: Sequence[int] = range(len(self._design))
        more = self._plan.first
        while True:
            have = values.shape[1]
            stop = min(search.most, -(-(have + more) // self._batch) * self._batch)
            found = self._sample(dict.fromkeys(alive, (have, stop)))
            grown = np.full((len(self._design), stop), math.nan)
            grown[:, :have] = values
            for point, rows in found.items():
                grown[point, have:] = rows[0]
            values = grown
            selection = rule.assess(values)
            alive, more = selection.survivors, selection.more
            if selection.done or stop >= search.most:
                break
        left = "equal" if selection.guaranteed else "not decided"
        outcomes = [
            self._outcome(
                point,
                "best" if point == selection.best else "dropped" if point not in alive else left,
                (mean_interval(values[point], search.confidence),),
                int(np.isfinite(values[point]).sum()),
                selection.best if point not in alive else None,
            )
            for point in range(len(self._design))
        ]
        return self._result(
            outcomes,
            best_number=selection.best,
            undecided_numbers=()
            if selection.guaranteed
            else tuple(point for point in alive if point != selection.best),
            constant_numbers=selection.constant,
            decided=selection.guaranteed,
            notes=self._missing_notes(values),
        )

    def _front(self) -> Optimisation:
        search = self._plan.search
        rule = FrontRule(
            difference=difference_of(self._plan),
            confidence=search.confidence,
            largest=larger_is_better(self._plan),
            first=self._plan.first,
            cap=search.most,
            batch=self._batch,
        )
        found = rule.search(
            self._costs,
            lambda wanted: {point: rows[0] for point, rows in self._sample(wanted).items()},
        )
        words = {"front": "on the front", "open": "not decided"}
        outcomes = [
            self._outcome(
                each.point, words.get(each.place, each.place), (each.interval,), each.count, each.by
            )
            for each in found
        ]
        undecided = tuple(each.point for each in found if each.place == "open")
        return self._result(
            outcomes,
            undecided_numbers=undecided,
            constant_numbers=tuple(each.point for each in found if each.constant),
            decided=not undecided,
            notes=[],
        )

    def _sample(self, wanted: Mapping[int, tuple[int, int]]) -> dict[int, Column]:
        """Simulate; return by point the values of each quantity, shape (quantities, stop - first)."""
        self._open = set(wanted)
        self._stops |= {point: stop for point, (_, stop) in wanted.items()}
        requests = self._missing((point, stop) for point, (_, stop) in wanted.items())
        for point, batch, replications in self._replicator.stream(requests):
            self._find_quantities(replications.names)
            self._keep(point, batch.first, replications)
        return {point: self._sampled(point)[:, first:] for point, (first, _) in wanted.items()}

    def _sampled(self, point: int) -> Column:
        """The values of each quantity at a point, shape (quantities, replications)."""
        joined = self._gathered.joined(point, self._stops[point])
        return np.stack([values_of(quantity, joined) for quantity in self._quantities])

    def _find_quantities(self, names: Collection[str]) -> None:
        """Look the measures up in the first replications. Raises InputError if there is no such measure."""
        if not self._quantities:
            self._quantities = _quantities_of(self._plan, names)
            self._gathered.needed = frozenset(
                name for quantity in self._quantities for name in quantity.columns
            )

    def _missing_notes(self, values: Column) -> list[str]:
        """What a reader must know about replications without data."""
        simulated = values[:, : self._plan.first]
        missing = int(np.isnan(simulated).any(axis=0).sum())
        if not missing:
            return []
        return [
            f"{missing} of the first {simulated.shape[1]} replications have no data for "
            f"{self._plan.search.objective} at one of the points; such replications are left out"
        ]

    def _outcome(
        self, point: int, decision: str, intervals: tuple[Any, ...], count: int, by: int | None = None
    ) -> PointOutcome:
        return PointOutcome(
            number=point,
            label=self._design[point].label,
            values=self._design[point].values,
            cost=float(self._costs[point]),
            intervals=intervals,
            decision=decision,
            by=None if by is None else self._design[by].label,
            replications=count,
        )

    def _result(
        self, outcomes: Sequence[PointOutcome], *, decided: bool, notes: Sequence[str], **fields: Any
    ) -> Optimisation:
        self._open = set()
        self._is_done = True
        self._report_phase("finishing")
        found = Optimisation(
            name=self._loaded.name,
            plan=self._plan,
            seed=self._loaded.base.resolved.seed,
            days=self._loaded.base.resolved.days,
            factors=self._design.names,
            quantities=tuple(self._fitted(outcomes)),
            size=len(self._design),
            points=tuple(sorted(outcomes, key=lambda each: (each.cost, each.number))),
            decided=decided,
            notes=(*self._design.notes, *notes),
            **fields,
        )
        return replace(found, sentences=tuple(optimisation_sentences(found)))

    def _fitted(self, outcomes: Sequence[PointOutcome]) -> list[Quantity]:
        """The quantities, with the decimals that their means need; a share of replications needs none."""
        search, found = self._plan, []
        for number, quantity in enumerate(self._quantities):
            is_share = search.goal == "cheapest" and search.constraints[number].probability is not None
            means = [] if is_share else [each.intervals[number].estimate for each in outcomes]
            found.append(fitted(quantity, means))
        return found

    def _points_done(self) -> int:
        return len(self._stops.keys() - self._open)

    def _in_question(self) -> str:
        count = len(self._open)
        return "" if self._is_done else f"{count:,} {'point' if count == 1 else 'points'} in question"


def optimise(
    source: OptimisationSource,
    workers: int = 0,
    address: str | None = None,
    output: str | Path | None = None,
    force: bool = False,
) -> Optimisation:
    """Find the cheapest point that meets constraints, the best of several, or the front of cost against an outcome.

    Parameters
    ----------
    source
        The path of an optimisation file, a mapping with the fields of one, or a plan.
    workers, address
        Tasks on Ray at a time, on the cluster at `address` or a local one; 0: in this process.
    output
        A folder for its files; None: no files. What is finished there is not simulated again.
    force
        Replace the files of an earlier run, experiment or optimisation in that folder.

    Raises
    ------
    InputError
        If there is no such file, scenario or measure, or if the folder cannot be used.
    ScenarioError
        If the file is not that of an optimisation, or if a scenario cannot be run.

    Examples
    --------
    >>> import goldenhour
    >>> found = goldenhour.optimise(
    ...     {
    ...         "scenario": "coin",
    ...         "factors": [{"path": "days", "levels": [1, 10, 30]}],
    ...         "constraints": [{"measure": "patients", "at_least": 40, "probability": 0.9}],
    ...     }
    ... )
    >>> found.best.label
    'days=30'
    """
    loaded = load_optimisation(source)
    request = OptimisationRequest(
        loaded, loaded.design(), None if output is None else Path(output), force, workers, address
    )
    compile_before(request.entry_points(), lambda state: None)
    return run_optimisation(request)
