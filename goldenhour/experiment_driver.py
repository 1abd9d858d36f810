"""The driver of an experiment: replications of all points until the plan is fulfilled, and their results."""

import math
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actors.experiments import Point, Replicator, batch_size, read_experiment
from actors.run import compile_before
from engine.errors import InputError
from engine.experiments import (
    QUANTITIES,
    ExperimentPlan,
    Formula,
    PointRow,
    Quantity,
    Stopping,
    assess_points,
    decode_experiment,
    find_quantities,
    first_counts,
    is_sequential,
    parse_formula,
    values_of,
)
from engine.measures import absent_value
from goldenhour.experiment_analysis import analyse
from goldenhour.experiment_files import ExperimentSource, LoadedExperiment, load_experiment, load_text
from goldenhour.experiment_result import Experiment
from goldenhour.point_driver import OnDetail, OnStart, PlanRequest, PointDriver, Workplace, open_workplace

ExperimentRequest = PlanRequest[LoadedExperiment]
"""An experiment, and how it is carried out."""


def run_experiment(
    request: ExperimentRequest,
    on_progress: OnDetail = lambda detail, phase: None,
    on_start: OnStart = lambda run_id, started_before: None,
) -> Experiment:
    """Carry an experiment out. One that was cut off in the same output folder is continued.

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
    plan, base = request.loaded.plan, request.loaded.base
    with open_workplace(
        request,
        "experiment",
        on_start,
        find=lambda names: _find_quantities(plan, names),
        first=first_counts(plan, len(request.design), batch_size(base.resolved))[0],
        packages=("scipy",) if request.design.units is not None else (),
    ) as workplace:
        return _Run(request, workplace, on_progress).finish()


class _Run(PointDriver):
    """An experiment that is being carried out."""

    def __init__(self, request: ExperimentRequest, workplace: Workplace, on_progress: OnDetail) -> None:
        self._loaded, self._plan = request.loaded, request.loaded.plan
        self._open: set[int] = set()
        self._names_checked = False
        self._widest, self._expected = "", math.nan
        needed = None if self._plan.all_measures else frozenset(_needed(self._plan))
        super().__init__(request, workplace, on_progress, needed)

    def finish(self) -> Experiment:
        """Add replications until the plan is fulfilled, analyse them, and write the files."""
        plan, design = self._plan, self._design
        labels = [point.label for point in design]
        wanted: Sequence[int] = first_counts(plan, len(design), self._batch)
        while True:
            self._extend(wanted)
            quantities = self._quantities()
            stopping = self._assess(quantities, wanted, labels)
            wanted = stopping.wanted
            if stopping.done:
                break
            self._widest, self._expected = stopping.widest, stopping.expected
        self._widest, self._expected = "", math.nan
        self._report_phase("finishing")
        points = tuple(
            PointRow(
                point.number,
                point.label,
                point.values,
                self._points.hash_of(point.number),
                self._loaded.base.resolved.seed,
                wanted[point.number],
            )
            for point in design
        )
        found = analyse(
            self._loaded.name,
            plan,
            self._loaded.base.resolved.days,
            design,
            points,
            quantities,
            self._values(quantities, wanted),
            stopping,
        )
        counts = {"points": len(points), "replications": found.replications}
        return replace(found, folder=self._publish(found.files(self._loaded.as_run()), counts))

    def _assess(
        self, quantities: Sequence[Quantity], wanted: Sequence[int], labels: Sequence[str]
    ) -> Stopping:
        """Whether more replications are needed."""
        widths = self._plan.replications.half_width
        judged = [quantity for quantity in quantities if quantity.name in widths]
        values = self._values(judged, wanted) if is_sequential(self._plan) else {}
        return assess_points(self._plan, values, self._design.baseline, labels, self._batch)

    def _extend(self, wanted: Sequence[int]) -> None:
        """Simulate until each point has so many replications."""
        left: Counter[int] = Counter()
        requests = self._missing(enumerate(wanted))
        for request in requests:
            left[request.point] += request.stop - request.first
        self._open = set(left)
        for point, batch, replications in self._replicator.stream(requests):
            self._keep(point, batch.first, replications)
            left[point] -= batch.size
            if not left[point]:
                self._open.discard(point)
                self._check_names()

    def _check_names(self) -> None:
        """Refuse a measure that the first point does not have, before the others are simulated."""
        if not self._names_checked:
            self._names_checked = True
            self._quantities()

    def _quantities(self) -> list[Quantity]:
        """What is measured. Raises InputError for a measure that there is not."""
        return _find_quantities(self._plan, self._gathered.known)

    def _values(
        self, quantities: Sequence[Quantity], counts: Sequence[int]
    ) -> dict[str, tuple[NDArray[np.float64], ...]]:
        """By measure and point, the values of the first replications, shape (replications,)."""
        found: dict[str, list[NDArray[np.float64]]] = {quantity.name: [] for quantity in quantities}
        for point, count in enumerate(counts):
            joined = self._gathered.joined(point, count)
            for quantity in quantities:
                found[quantity.name].append(values_of(quantity, joined))
        return {name: tuple(values) for name, values in found.items()}

    def _points_done(self) -> int:
        return len(self._design) - len(self._open)

    def _in_question(self) -> str:
        return self._widest

    def _expected_replications(self) -> float:
        return 0.0 if math.isnan(self._expected) else self._expected


def experiment(
    source: ExperimentSource,
    workers: int = 0,
    address: str | None = None,
    output: str | Path | None = None,
    force: bool = False,
) -> Experiment:
    """Carry out an experiment and return its results.

    Parameters
    ----------
    source
        The path of an experiment file, a mapping with the fields of one, or a plan.
    workers, address
        Tasks on Ray at a time, on the cluster at `address` or a local one; 0: in this process.
    output
        A folder for its files, which `open_experiment` reads; None: no files. What is finished there is not simulated
        again.
    force
        Replace the files of an earlier run or experiment in that folder.

    Raises
    ------
    InputError
        If there is no such file, scenario, measure or point, or if the folder cannot be used.
    ScenarioError
        If the file is not that of an experiment, or if a scenario cannot be run.

    Examples
    --------
    >>> import goldenhour
    >>> found = goldenhour.experiment(
    ...     {
    ...         "scenario": "coin",
    ...         "factors": [{"path": "days", "levels": [1, 3]}],
    ...         "replications": {"count": 5},
    ...         "results": {"measures": ["patients"]},
    ...     }
    ... )
    >>> found.estimate("patients", "days=1").mean.high < found.estimate("patients", "days=3").mean.low
    True
    """
    loaded = load_experiment(source)
    request = ExperimentRequest(
        loaded, loaded.design(), None if output is None else Path(output), force, workers, address
    )
    compile_before(request.entry_points(), lambda state: None)
    return run_experiment(request)


def try_experiment(loaded: LoadedExperiment, count: int) -> tuple[list[Quantity], float]:
    """Simulate some replications of the scenario. Returns what is measured, and the seconds of a replication.

    Raises
    ------
    InputError
        If there is no such measure.
    """
    base = loaded.base.resolved
    replicator = Replicator([Point(base, base.seed)], None)
    (first,) = replicator.extend([(0, 1)])
    began = time.monotonic()
    (more,) = replicator.extend([(1, 1 + count)])
    seconds = (time.monotonic() - began) / count
    return _find_quantities(loaded.plan, {*first.names, *more.names}), seconds


def open_experiment(folder: str | Path) -> Experiment:
    """Read the files of a finished experiment.

    Raises
    ------
    InputError
        If there is no finished experiment in the folder, or if it was made with a scenario that has changed since.

    Examples
    --------
    >>> import goldenhour
    >>> found = goldenhour.open_experiment("teams")  # doctest: +SKIP
    >>> found.to_pandas("estimates")  # doctest: +SKIP
    """
    path = Path(folder)
    stored = read_experiment(path)
    loaded = load_text(stored.plan, str(path / "experiment.toml"))
    if loaded.base.hash != stored.scenario_hash:
        raise InputError(
            f"the experiment in {str(path)!r} was made with another version of the scenario "
            f"{loaded.base.original.name!r}, by goldenhour {stored.version}: read its tables as files"
        )
    design = loaded.design()
    points, results = decode_experiment(stored.points, stored.results, design.names)
    formulas = _formulas_of(loaded.plan)
    known = [*results, *(name for formula in formulas.values() for name in formula.names)]
    quantities = find_quantities(list(results), known, formulas)
    labels = [point.label for point in points]
    stopping = assess_points(loaded.plan, results, design.baseline, labels, batch_size(loaded.base.resolved))
    base = loaded.base.resolved
    found = analyse(loaded.name, loaded.plan, base.days, design, points, quantities, results, stopping)
    return replace(found, folder=path)


def _find_quantities(plan: ExperimentPlan, known: Collection[str]) -> list[Quantity]:
    """What an experiment measures, where replications have the measures `known`. Raises InputError for another one."""
    # Summaries leave out counts of 0.
    rare = {name for name in _needed(plan) if absent_value(name) == 0.0}
    formulas = _formulas_of(plan)
    names = [*(sorted(known) if plan.all_measures else plan.measure_names), *formulas]
    return find_quantities(names, sorted({*known, *rare}), formulas)


def _needed(plan: ExperimentPlan) -> Iterator[str]:
    """Names of the numbers of a summary from which measures and formulas are computed."""
    formulas = _formulas_of(plan).values()
    for name in [*plan.measure_names, *(name for formula in formulas for name in formula.names)]:
        yield from QUANTITIES[name].columns if name in QUANTITIES else (name,)


def _formulas_of(plan: ExperimentPlan) -> dict[str, Formula]:
    return {name: parse_formula(text) for name, text in plan.results.formulas.items()}
