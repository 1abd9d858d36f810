"""Files of experiments: read, with the scenario that they name, and their designs made."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from engine.errors import InputError, ScenarioError, shown
from engine.experiments import (
    DesignPoints,
    ExperimentPlan,
    PlanHeader,
    Price,
    completed,
    design_of,
    parse_plan,
    parse_plan_text,
    plan_to_toml,
    prepare_base,
    price_of,
)
from engine.scenario import PreparedScenario, Scenario, ScenarioOrigin, ScenarioText, write_value
from goldenhour import scenario_files
from goldenhour.experiments import replication_seconds

LoadScenario = Callable[[str], tuple[Scenario, ScenarioOrigin]]
"""Finds a scenario by its name or the path of its file, as `scenario_files.load_with_origin` does."""

ExperimentSource = str | Path | Mapping[str, Any] | ExperimentPlan
"""What an experiment can be given as: a file, a mapping with the fields of one, or a plan."""


@dataclass(frozen=True)
class LoadedExperiment:
    """An experiment that can be carried out."""

    name: str
    """What to call it."""
    plan: ExperimentPlan
    """With a value for each number that its author left open, the seed included."""
    base: PreparedScenario
    """The scenario that its points change."""
    text: ScenarioText | None
    """The file, for lines in messages."""

    def design(self) -> DesignPoints:
        """The points, after each level has been tried in the scenario. Raises ScenarioError and InputError."""
        return design_of(self.plan, self.base, text=self.text, seconds=replication_seconds(self.base))

    def price(self, points: int, seconds: float = math.nan) -> Price:
        """What it costs. `seconds` is the time of a replication; NaN: judged by the size of the scenario."""
        return price_of(self.plan, points, replication_seconds(self.base) if math.isnan(seconds) else seconds)

    def as_run(self) -> str:
        """The file experiment.toml: complete, so that it can be repeated anywhere with this version of goldenhour."""
        return text_as_run(self.plan, self.base)


def load_experiment(source: ExperimentSource, load_scenario: LoadScenario | None = None) -> LoadedExperiment:
    """Read an experiment, and prepare the scenario that it begins with.

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
        If the file is not that of an experiment, or if its scenario cannot be run.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        data = scenario_files.read_plan(path, "experiment file")
        plan, text = parse_plan_text(data, path.name)
        return _loaded(plan, text, path.parent, path.stem, load_scenario)
    if isinstance(source, Mapping | ExperimentPlan):
        toml = plan_to_toml(source) if isinstance(source, ExperimentPlan) else toml_of(source)
        return _loaded(parse_plan(toml.encode()), None, Path(), "experiment", load_scenario)
    raise InputError(
        f"experiment: got {shown(source)}; allowed: the path of a .toml file, a mapping with its fields, or a plan"
    )


def load_text(text: str, where: str) -> LoadedExperiment:
    """The experiment of a file experiment.toml, which names no other file. Raises InputError and ScenarioError."""
    return _loaded(parse_plan(text.encode(), where), None, Path(), "experiment", None)


def load_base(
    header: PlanHeader, folder: Path, text: ScenarioText | None, load_scenario: LoadScenario | None = None
) -> PreparedScenario:
    """The scenario that a file of an experiment or an optimisation begins with, with its settings.

    Parameters
    ----------
    header
        What the file says of it.
    folder
        The folder of the file, from which paths of scenario files begin.
    text
        The file, for lines in messages.
    load_scenario
        Finds the scenario; default: built-ins and files.

    Raises
    ------
    InputError
        If there is no such scenario.
    ScenarioError
        If it cannot be run.
    """
    named = header.scenario
    origin: ScenarioOrigin | None = None
    if isinstance(named, str):
        if scenario_files.is_file_name(named):
            named = os.fspath(folder / named)
        written, origin = (load_scenario or scenario_files.load_with_origin)(named)
    else:
        try:
            written = scenario_files.from_tree(named, folder)
        except ScenarioError as error:
            raise _within("scenario", error, text) from None
    try:
        return prepare_base(header, written, origin)
    except ScenarioError as error:
        raise error if text is None or error.line else text.with_line(error) from None


def text_as_run(plan: PlanHeader, base: PreparedScenario) -> str:
    """A plan as TOML that names no other file: it names a built-in scenario, and holds any other."""
    origin = base.origin
    if origin is not None and origin.kind == "built-in":
        return plan_to_toml(replace(plan, scenario=origin.name))
    return plan_to_toml(plan, base.written)


def _loaded(
    plan: ExperimentPlan,
    text: ScenarioText | None,
    folder: Path,
    name: str,
    load_scenario: LoadScenario | None,
) -> LoadedExperiment:
    base = load_base(plan, folder, text, load_scenario)
    plan = replace(completed(plan), name=plan.name or name, seed=base.resolved.seed)
    return LoadedExperiment(plan.name or name, plan, base, text)


def toml_of(fields: Mapping[str, Any], what: str = "experiment") -> str:
    """These fields of an experiment, or of something else, as TOML. Raises InputError."""
    lines = []
    for name, value in fields.items():
        try:
            lines.append(write_value({str(name): value})[2:-2])
        except (AttributeError, TypeError, RecursionError):
            raise InputError(
                f"{what}: got {shown(value)} for {shown(name)}; allowed: texts, numbers, lists and mappings"
            ) from None
    return "\n".join(lines) + "\n"


def _within(place: str, error: ScenarioError, text: ScenarioText | None) -> ScenarioError:
    """The error of a scenario that is written at a place of the file."""
    inside = ScenarioError(f"{place}.{error.place}", error.value, error.allowed, error.near)
    return inside if text is None else text.with_line(inside)
