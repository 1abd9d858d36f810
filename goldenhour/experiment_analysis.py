"""The analysis of an experiment: from the values of its replications to estimates, effects and sentences."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.experiments import (
    DesignPoints,
    ExperimentPlan,
    PointRow,
    Quantity,
    Stopping,
    alias_notes,
    effects_of,
    estimate_notes,
    estimate_points,
    fitted,
    is_sequential,
)
from goldenhour.experiment_result import Experiment
from goldenhour.experiment_sentences import experiment_sentences

Column = NDArray[np.float64]


def analyse(
    name: str,
    plan: ExperimentPlan,
    days: int,
    design: DesignPoints,
    points: Sequence[PointRow],
    quantities: Sequence[Quantity],
    results: dict[str, tuple[Column, ...]],
    stopping: Stopping,
) -> Experiment:
    """Return what the replications of an experiment say.

    Parameters
    ----------
    name, plan, days, points, quantities, results
        As the fields of `Experiment`.
    design
        The points as the design made them.
    stopping
        Why there are no more replications.
    """
    quantities = [
        fitted(quantity, (size for column in results[quantity.name] for size in column.tolist()))
        for quantity in quantities
    ]
    asked = plan.results
    sequential = is_sequential(plan)
    estimates = estimate_points(
        results,
        confidence=asked.confidence,
        quantiles=asked.quantiles,
        baseline=design.baseline,
        sequential=sequential,
    )
    effects = [
        effect
        for measure, values in results.items()
        for effect in effects_of(design, measure, values, confidence=asked.confidence, sequential=sequential)
    ]
    labels = [point.label for point in points]
    notes = [
        *design.notes,
        *alias_notes(design),
        *stopping.notes,
        *estimate_notes(estimates, labels, confidence=asked.confidence, quantiles=asked.quantiles),
    ]
    found = Experiment(
        name=name,
        plan=plan,
        days=days,
        factors=design.names,
        points=tuple(points),
        quantities=tuple(quantities),
        results=results,
        estimates=tuple(estimates),
        effects=tuple(effects),
        baseline=design.baseline,
        precise=stopping.met,
        notes=tuple(dict.fromkeys(notes)),
    )
    return replace(found, sentences=tuple(experiment_sentences(found)))
