"""Optimisation: the cheapest point that meets constraints, the best of several, or a front of cost and outcome."""

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from actors.experiments import (
    ExperimentIdentity,
    ExperimentOutput,
    ReplicationProgress,
    Replicator,
    ResultFile,
    batch_size,
)
from actors.run import compile_before
from actors.store import ExperimentDetail
from engine.errors import InputError, shown
from engine.experiments import (
    Bottleneck,
    DesignPoints,
    OptimisationPlan,
    PlanSearch,
    Price,
    Quantity,
    check_optimisation,
    costs_of,
    difference_of,
    find_bottleneck,
    larger_is_better,
    optimisation_points,
    optimisation_price,
    parse_optimisation,
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
from engine.run import EntryPoints, Replications
from engine.scenario import PreparedScenario, ScenarioText
from goldenhour import __version__, scenario_files
from goldenhour.experiment_files import LoadScenario, load_base, text_as_run, toml_of
from goldenhour.experiments import batch_cache, open_workers, replication_seconds, workers_for_seconds
from goldenhour.gathered import Gathered, PreparedPoints, entry_points_of, left_resumable
from goldenhour.optimisation_result import Optimisation, PointOutcome, SimulatedPoint, optimisation_files
from goldenhour.optimisation_sentences import optimisation_sentences

OptimisationSource = str | Path | Mapping[str, Any] | OptimisationPlan
"""What an optimisation can be given as: a file, a mapping with the fields of one, or a plan."""

Column = NDArray[np.float64]


OnDetail = Callable[[ExperimentDetail, str], object]
"""Called with how far the optimisation is, and its phase: running or finishing."""

OnClaimed = Callable[[str, bool], None]
"""Called once the output is claimed: with the id of the optimisation, and whether it was started before."""


@dataclass(frozen=True)
class LoadedOptimisation:
    """An optimisation that can be carried out."""

    name: str
    """What to call it."""
    plan: OptimisationPlan
    base: PreparedScenario
    """The scenario that its points change."""
    text: ScenarioText | None
    """The file, for lines in messages."""

    def design(self) -> DesignPoints:
        """The points, after each level has been tried in the scenario. Raises ScenarioError and InputError."""
        design = optimisation_points(
            self.plan, self.base, text=self.text, seconds=replication_seconds(self.base)
        )
        costs_of(self.plan, design)
        return design

    def price(self, points: int) -> Price:
        """What it costs if each point is looked at once, and at most."""
        return optimisation_price(self.plan, points, replication_seconds(self.base))

    def as_run(self) -> str:
        """The file optimisation.toml: complete, so that it can be repeated anywhere with this version of goldenhour."""
        return text_as_run(replace(self.plan, search=completed_search(self.plan)), self.base)


@dataclass(frozen=True)
class OptimisationRequest:
    """An optimisation, and how it is carried out."""

    loaded: LoadedOptimisation
    design: DesignPoints
    output: Path | None = None
    """The folder of its results; None: they are only returned."""
    force: bool = False
    """Replace the files of an earlier run, experiment or optimisation."""
    workers: int = 0
    """Tasks on Ray at a time; 0: in this process; ALL_CPUS: as many as a cluster has CPUs."""
    address: str | None = None
    """A Ray cluster; None: a local Ray, if any."""
    run_id: str | None = None
    """Id of the optimisation; None: a new one."""

    def entry_points(self) -> list[EntryPoints]:
        """What is compiled before it starts."""
        return entry_points_of(self.loaded.plan, self.loaded.base, self.design)


def completed_search(plan: OptimisationPlan) -> PlanSearch:
    """How it is searched, with a value for each number that the author of a plan left open."""
    search = replace(plan.search, first=plan.first)
    if plan.goal == "cheapest":
        return search
    better: Literal["less", "more"] = "more" if larger_is_better(plan) else "less"
    return replace(search, better=better, difference=difference_of(plan))


def workers_for_optimisation(loaded: LoadedOptimisation, points: int, address: str | None) -> int:
    """Return how many tasks to run on Ray at a time: 0, in this process, for what is quick."""
    return workers_for_seconds(loaded.price(points).seconds, address)


def load_optimisation(
    source: OptimisationSource, load_scenario: LoadScenario | None = None
) -> LoadedOptimisation:
    """Read an optimisation, and prepare the scenario that it begins with.

    Parameters
    ----------
    source
        The path of a .toml file, a mapping with the fields of such a file, or a plan.
    load_scenario
        Finds the scenario; default: built-ins and files.

    Raises
    ------
    InputError
        If there is no such file or scenario.
    ScenarioError
        If the file is not that of an optimisation, or if its scenario cannot be run.
    """
    text: ScenarioText | None = None
    folder, name = Path(), "optimisation"
    if isinstance(source, str | Path):
        path = Path(source)
        plan, text = parse_optimisation(scenario_files.read_plan(path, "optimisation file"), path.name)
        folder, name = path.parent, path.stem
    elif isinstance(source, Mapping):
        plan, _ = parse_optimisation(toml_of(source, "optimise").encode(), name)
    elif isinstance(source, OptimisationPlan):
        check_optimisation(source)
        plan = source
    else:
        raise InputError(
            f"optimise: got {shown(source)}; allowed: the path of a .toml file, a mapping with its fields, or a plan"
        )
    return _loaded(plan, text, folder, name, load_scenario)


def load_optimisation_text(text: str, where: str) -> LoadedOptimisation:
    """The optimisation of a file optimisation.toml, which names no other file. Raises InputError and ScenarioError."""
    plan, _ = parse_optimisation(text.encode(), where)
    return _loaded(plan, None, Path(), "optimisation", None)


def _loaded(
    plan: OptimisationPlan,
    text: ScenarioText | None,
    folder: Path,
    name: str,
    load_scenario: LoadScenario | None,
) -> LoadedOptimisation:
    base = load_base(plan, folder, text, load_scenario)
    plan = replace(plan, name=plan.name or name, seed=base.resolved.seed)
    return LoadedOptimisation(plan.name or name, plan, base, text)


def run_optimisation(
    request: OptimisationRequest,
    on_progress: OnDetail = lambda detail, phase: None,
    on_claimed: OnClaimed = lambda run_id, started_before: None,
) -> Optimisation:
    """Search until the answer is known. What was cut off in the same output folder is continued.

    Parameters
    ----------
    request
        What to do.
    on_progress
        Called several times a second.
    on_claimed
        Not called without an output.

    Raises
    ------
    InputError
        If there is no such measure, or if the output folder cannot be used.
    RunError
        If a replication cannot be simulated. What is finished stays in the output folder.
    """
    with ExitStack() as stack:
        output = None
        if request.output is not None:
            output = _claim(request, request.output)
            stack.enter_context(left_resumable(output, "the optimisation"))
            on_claimed(output.run_id, output.started_before)
        tasks = stack.enter_context(open_workers(request.workers, request.address))
        return _Search(request, output, tasks, on_progress).finish()


def _claim(request: OptimisationRequest, folder: Path) -> ExperimentOutput:
    loaded = request.loaded
    identity = ExperimentIdentity(
        loaded.as_run(), loaded.base, loaded.base.resolved.seed, __version__, kind="optimisation"
    )
    return ExperimentOutput.claim(
        folder, request.force, identity, request.run_id, request.workers, request.address
    )


class _Search:
    """An optimisation that is being carried out."""

    def __init__(
        self,
        request: OptimisationRequest,
        output: ExperimentOutput | None,
        workers: int,
        on_progress: OnDetail,
    ) -> None:
        loaded, design = request.loaded, request.design
        self._loaded, self._plan, self._design = loaded, loaded.plan, design
        self._output = output
        self._on_progress = on_progress
        self._points = PreparedPoints(loaded.plan, loaded.base, design)
        self._replicator = Replicator(self._points, batch_cache(), workers, self._report)
        self._costs = costs_of(loaded.plan, design)
        self._batch = batch_size(loaded.base.resolved)
        self._quantities: list[Quantity] = []
        self._progress = ReplicationProgress(0, 0, 0)
        self._gathered = Gathered(None, [{} for _ in range(len(design))])
        self._stops: dict[int, int] = {}
        """By point, how many replications the search has asked for."""
        self._open: set[int] = set()
        self._resumed = 0
        if output is not None:
            for point, batch, replications in output.journal.begin():
                self._gathered.add(point, batch.first, replications)
                self._resumed += batch.size
        if self._resumed:
            self._find_quantities(self._gathered.known)

    def finish(self) -> Optimisation:
        """Search, and say what was found."""
        goal = self._plan.goal
        found = self._cheapest() if goal == "cheapest" else self._best() if goal == "best" else self._front()
        return found if self._output is None else self._publish(found, self._output)

    def _publish(self, found: Optimisation, output: ExperimentOutput) -> Optimisation:
        points = [
            SimulatedPoint(outcome, self._points.hash_of(outcome.number), self._sampled(outcome.number).T)
            for outcome in sorted(found.points, key=lambda each: each.number)
        ]
        files = [
            ResultFile(name, pieces, rows)
            for name, pieces, rows in optimisation_files(found, points, self._loaded.as_run())
        ]
        output.publish({"points": len(points), "replications": sum(self._stops.values())}, files)
        return dataclasses.replace(found, folder=output.path)

    def _cheapest(self) -> Optimisation:
        search = self._plan.search
        rule = CheapestRule(
            requirements=tuple(requirement_of(each, search) for each in self._plan.constraints),
            confidence=search.confidence,
            first=self._plan.first,
            cap=search.most,
            batch=self._batch,
        )
        found = rule.search(self._costs, self._sample, self._levels() if search.monotone else None)
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
        bottleneck = None if found.best is not None else self._bottleneck(largest)
        return self._result(
            outcomes,
            best_number=found.best,
            undecided_numbers=found.undecided,
            largest_number=largest if found.best is None else None,
            bottleneck=bottleneck,
            decided=found.best is not None or not found.undecided,
            notes=notes,
        )

    def _levels(self) -> NDArray[np.float64]:
        """Shape (points, factors): the levels of the factors, which must be numbers. Raises InputError."""
        for name, column in zip(self._design.names, zip(*self._design.rows, strict=True), strict=True):
            odd = [each for each in column if isinstance(each, bool) or not isinstance(each, (int, float))]
            if odd:
                raise InputError(
                    f"search.monotone: got {shown(odd[0])} in {name!r}; allowed: only with factors that are numbers"
                )
        return np.array(self._design.rows, dtype=np.float64)

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
        outcomes = [
            self._outcome(
                point,
                "best" if point == selection.best else "dropped" if point not in alive else "not decided",
                (mean_interval(values[point], search.confidence),),
                int(np.isfinite(values[point]).sum()),
                selection.best if point not in alive else None,
            )
            for point in range(len(self._design))
        ]
        return self._result(
            outcomes,
            best_number=selection.best,
            undecided_numbers=tuple(point for point in alive if point != selection.best),
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
        return self._result(outcomes, undecided_numbers=undecided, decided=not undecided, notes=[])

    def _sample(self, wanted: Mapping[int, tuple[int, int]]) -> dict[int, Column]:
        """Simulate; return by point the values of each quantity, shape (quantities, stop - first)."""
        self._open = set(wanted)
        self._stops |= {point: stop for point, (_, stop) in wanted.items()}
        requests = [
            request for point, (_, stop) in wanted.items() for request in self._gathered.missing(point, stop)
        ]
        for point, batch, replications in self._replicator.stream(requests):
            self._find_quantities(replications.names)
            kept = self._gathered.add(point, batch.first, replications)
            if self._output is not None:
                self._output.journal.append(point, batch.first, kept)
        return {point: self._sampled(point)[:, first:] for point, (first, _) in wanted.items()}

    def _sampled(self, point: int) -> Column:
        """The values of each quantity at a point, shape (quantities, replications)."""
        joined = self._gathered.joined(point, self._stops[point])
        return np.stack([values_of(quantity, joined) for quantity in self._quantities])

    def _find_quantities(self, names: Collection[str]) -> None:
        """Look the measures up in the first replications. Raises InputError if there is no such measure."""
        if not self._quantities:
            counts = {name for name in self._plan.measures if absent_value(name) == 0.0}
            self._quantities = quantities_of(self._plan, sorted({*names, *counts}))
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
        self._report_detail("finishing")
        found = Optimisation(
            name=self._loaded.name,
            plan=self._plan,
            seed=self._loaded.base.resolved.seed,
            days=self._loaded.base.resolved.days,
            factors=self._design.names,
            quantities=tuple(self._quantities),
            size=len(self._design),
            points=tuple(sorted(outcomes, key=lambda each: (each.cost, each.number))),
            decided=decided,
            notes=(*self._design.notes, *notes),
            **fields,
        )
        return dataclasses.replace(found, sentences=tuple(optimisation_sentences(found)))

    def _report(self, progress: ReplicationProgress) -> None:
        self._progress = progress
        count = len(self._open)
        self._report_detail("running", f"{count:,} {'point' if count == 1 else 'points'} in question")

    def _report_detail(self, phase: str, widest: str = "") -> None:
        done, wanted, cached = self._progress
        detail = ExperimentDetail(
            points=len(self._design),
            points_done=len(self._stops.keys() - self._open),
            replications=done + self._resumed,
            replications_wanted=wanted + self._resumed,
            cached=cached + self._resumed,
            widest=widest,
        )
        self._on_progress(detail, phase)


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
