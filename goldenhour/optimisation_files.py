"""Files of optimisations: read, with the scenario that they name, and their points made."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from engine.errors import InputError, shown
from engine.experiments import (
    DEFAULT_INDIFFERENCE,
    DesignPoints,
    OptimisationPlan,
    PlanSearch,
    Price,
    check_optimisation,
    costs_of,
    difference_of,
    larger_is_better,
    optimisation_points,
    optimisation_price,
    parse_optimisation,
)
from engine.scenario import PreparedScenario, ScenarioText
from goldenhour import scenario_files
from goldenhour.experiment_files import LoadScenario, load_base, text_as_run, toml_of
from goldenhour.experiments import replication_seconds

OptimisationSource = str | Path | Mapping[str, Any] | OptimisationPlan
"""What an optimisation can be given as: a file, a mapping with the fields of one, or a plan."""


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
        if self.plan.search.monotone:
            levels_of(design)
        return design

    def price(self, points: int) -> Price:
        """What it costs if each point is looked at once, and at most."""
        return optimisation_price(self.plan, points, replication_seconds(self.base))

    def as_run(self) -> str:
        """The file optimisation.toml: complete, so that it can be repeated anywhere with this version of goldenhour."""
        return text_as_run(replace(self.plan, search=completed_search(self.plan)), self.base)


def levels_of(design: DesignPoints) -> NDArray[np.float64]:
    """The levels of the factors, shape (points, factors). Raises InputError for one that is no number."""
    for name, column in zip(design.names, zip(*design.rows, strict=True), strict=True):
        odd = [each for each in column if isinstance(each, bool) or not isinstance(each, (int, float))]
        if odd:
            raise InputError(
                f"search.monotone: got {shown(odd[0])} in {name!r}; allowed: only with factors that are numbers"
            )
    return np.array(design.rows, dtype=np.float64)


def completed_search(plan: OptimisationPlan) -> PlanSearch:
    """How it is searched, with a value for each number that the author of a plan left open."""
    search = replace(plan.search, first=plan.first)
    if plan.goal == "cheapest":
        open_shares = [
            each for each in plan.constraints if each.probability is not None and each.indifference is None
        ]
        if open_shares and search.indifference is None:
            search = replace(search, indifference=DEFAULT_INDIFFERENCE)
        return search
    better: Literal["less", "more"] = "more" if larger_is_better(plan) else "less"
    return replace(search, better=better, difference=difference_of(plan))


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
