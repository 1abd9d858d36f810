"""Reading and writing of the files of experiments; a mistake is reported with its place, a near match and its line."""

import re
from collections.abc import Sequence
from typing import Any, NoReturn

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from engine.errors import MISSING, InputError, ScenarioError
from engine.experiments.formulas import MAX_LENGTH, FormulaError, parse_formula
from engine.experiments.plan import (
    DEFAULT_COUNT,
    DEFAULT_FIRST,
    DEFAULT_MOST,
    DESIGN_NUMBERS,
    ExperimentPlan,
    PlanDesign,
    PlanFactor,
    PlanHeader,
    PlanReplications,
    PlanResults,
    short_path,
)
from engine.experiments.quantities import QUANTITIES
from engine.scenario import Scenario, ScenarioText, near_match, read_struct, to_toml, write_value

LEAST_FIRST = 20
"""Fewest replications at the first look of a sequential experiment (`engine.inference.StoppingRule`)."""

_PERCENT = re.compile(r"\s*(?:([0-9]*\.?[0-9]+)\s*or\s*)?([0-9]*\.?[0-9]+)\s*%\s*\Z")
_HEADER = re.compile(r"^(\[+)", re.MULTILINE)
_SHARES = ("Latin hypercube", "Sobol sequence", "Morris", "Sobol indices")
"""Kinds of design whose points lie anywhere in the space, as those of shares do."""
_GROUPS = ("Morris", "Sobol indices")


def parse_plan(data: bytes, where: str = "experiment") -> ExperimentPlan:
    r"""Read the file of an experiment.

    Structure, types, bounds, spelling and contradictions are checked here. `design_of` checks the factors against the
    scenario.

    Parameters
    ----------
    data
        The whole file, TOML.
    where
        Name of the file in messages.

    Raises
    ------
    ScenarioError
        With the place of the first mistake, its value, what is allowed, a near match and the line.

    Examples
    --------
    >>> plan = parse_plan(b'scenario = "brigade"\nfactors = [{ path = "days", levels = [10, 20] }]')
    >>> plan.kind, plan.factors[0].levels
    ('full factorial', [10, 20])
    """
    return parse_plan_text(data, where)[0]


def parse_plan_text(data: bytes, where: str = "experiment") -> tuple[ExperimentPlan, ScenarioText]:
    """Read the file of an experiment as `parse_plan` does; return also its text, which knows lines."""
    plan, text = read_struct(data, where, ExperimentPlan)
    try:
        check_plan(plan)
    except ScenarioError as error:
        raise text.with_line(error) from None
    return plan, text


def check_plan(plan: ExperimentPlan) -> None:
    """Raise ScenarioError if parts of a plan contradict each other. The scenario is not needed."""
    check_factors(plan.factors)
    _check_design(plan)
    _check_shares(plan)
    _check_effects(plan)
    check_results(plan.results)
    _check_replications(plan)


def check_factors(factors: Sequence[PlanFactor], place: str = "factors") -> None:
    """Raise ScenarioError for a factor that names no setting or no values, or two of the same name or path."""
    names: dict[str, int] = {}
    paths: dict[str, int] = {}
    for number, factor in enumerate(factors):
        here = f"{place}[{number}]"
        if factor.path is not None and factor.paths:
            _refuse(f"{here}.paths", factor.paths, "path, or paths, but not both")
        if not factor.all_paths:
            _refuse(
                f"{here}.path", MISSING, "the path of a setting, such as facilities[R2-North].surgical_teams"
            )
        ranged = factor.low is not None or factor.high is not None
        if ranged and factor.levels:
            _refuse(f"{here}.levels", factor.levels, "levels, or low and high, but not both")
        if not ranged and len(factor.levels) < 2:
            value = factor.levels or MISSING
            _refuse(
                f"{here}.levels", value, "two or more levels, or low and high; a single one changes nothing"
            )
        if ranged:
            _check_range(factor, here)
        for position, level in enumerate(factor.levels):
            if level in factor.levels[:position]:
                _refuse(f"{here}.levels[{position}]", level, "different levels")
        if factor.label in names:
            _refuse(
                f"{here}.name", factor.label, f"a name of its own; {place}[{names[factor.label]}] has it too"
            )
        names[factor.label] = number
        for path in factor.all_paths:
            if path in paths:
                _refuse(
                    f"{here}.path", path, f"a setting that no other factor has; {place}[{paths[path]}] has it"
                )
            paths[path] = number


def _check_range(factor: PlanFactor, here: str) -> None:
    for name in ("low", "high"):
        if getattr(factor, name) is None:
            _refuse(f"{here}.{name}", MISSING, "both low and high")
    assert factor.low is not None and factor.high is not None
    if not factor.low < factor.high:
        _refuse(f"{here}.high", factor.high, f"above low, {write_value(factor.low)}")


def _check_design(plan: ExperimentPlan) -> None:
    """Refuse points or factors that a kind does not have, and numbers of another kind."""
    kind, design = plan.kind, plan.design
    if kind == "list" and not plan.points:
        _refuse("points", MISSING, 'one or more [[points]] with settings each, for kind = "list"')
    if kind != "list" and plan.points:
        _refuse(
            "points",
            f"{len(plan.points)} points",
            f'[[points]] only for kind = "list", not {write_value(kind)}',
        )
    if kind == "list" and (plan.factors or plan.shares):
        name = "factors" if plan.factors else "shares"
        _refuse(
            name, f"{len(getattr(plan, name))} entries", 'none for kind = "list", whose points have settings'
        )
    if kind not in ("list", "assumptions") and not (plan.factors or plan.shares):
        _refuse("factors", MISSING, "one or more [[factors]] with path and levels, or low and high")
    for name in ("resolution", "points", "trajectories", "grid", "base", "seed"):
        value = getattr(design, name)
        if value is None or name in DESIGN_NUMBERS[kind]:
            continue
        kinds = [write_value(other) for other, numbers in DESIGN_NUMBERS.items() if name in numbers]
        _refuse(f"design.{name}", value, f"only with kind = {' or '.join(kinds)}")
    for name in {"Sobol sequence": ("points",), "Sobol indices": ("base",)}.get(kind, ()):
        number = getattr(design, name)
        if number is not None and number & (number - 1):
            below = 1 << (number.bit_length() - 1)
            _refuse(f"design.{name}", number, f"a power of 2, such as {below} or {2 * below}")
    if design.grid is not None and design.grid % 2:
        _refuse("design.grid", design.grid, "an even number")
    labels: dict[str, int] = {}
    for number, point in enumerate(plan.points):
        if point.label in labels:
            _refuse(
                f"points[{number}].label",
                point.label,
                f"a label of its own; points[{labels[point.label]}] has it",
            )
        if point.label is not None:
            labels[point.label] = number
    for number, factor in enumerate(plan.factors):
        if factor.group is not None and kind not in _GROUPS:
            _refuse(
                f"factors[{number}].group",
                factor.group,
                'groups only with kind = "Morris" or "Sobol indices"',
            )


def _check_shares(plan: ExperimentPlan) -> None:
    paths = {path for factor in plan.factors for path in factor.all_paths}
    for number, shares in enumerate(plan.shares):
        if plan.kind not in _SHARES:
            kinds = ", ".join(map(write_value, _SHARES))
            _refuse(f"shares[{number}].paths", shares.paths, f"shares only with kind = {kinds}")
        for position, path in enumerate(shares.paths):
            if path in paths:
                _refuse(
                    f"shares[{number}].paths[{position}]", path, "each setting in one factor or share only"
                )
            paths.add(path)


def _check_effects(plan: ExperimentPlan) -> None:
    """Refuse two effects of the same name: of a factor, of a group of factors, or of shares."""
    places: dict[str, str] = {}
    for number, factor in enumerate(plan.factors):
        if factor.group is None:
            places[factor.label] = f"factors[{number}]"
    columns = {factor.label: f"factors[{number}]" for number, factor in enumerate(plan.factors)}
    for number, factor in enumerate(plan.factors):
        if factor.group in places:
            allowed = f"a name that no factor outside the group has; {places[factor.group]} has it"
            _refuse(f"factors[{number}].group", factor.group, allowed)
    places |= {factor.group: "a group" for factor in plan.factors if factor.group is not None}
    for number, shares in enumerate(plan.shares):
        here = f"shares[{number}]"
        if shares.label in places:
            allowed = f"a name of its own; {places[shares.label]} has it too"
            _refuse(f"{here}.name", shares.label, allowed)
        places[shares.label] = here
        for position, path in enumerate(shares.paths):
            column = short_path(path)
            if column in columns:
                allowed = f"a setting whose name, {column}, differs from that of {columns[column]}"
                _refuse(f"{here}.paths[{position}]", path, allowed)
            columns[column] = here


def check_results(results: PlanResults) -> None:
    """Raise ScenarioError for results that make no sense. Which measures there are is known after the first runs."""
    if isinstance(results.measures, str) and results.measures != "all":
        _refuse("results.measures", results.measures, 'a list of measures, or "all"')
    for number, probability in enumerate(results.quantiles):
        if probability in results.quantiles[:number]:
            _refuse(f"results.quantiles[{number}]", probability, "different probabilities")
    named = () if isinstance(results.measures, str) else results.measures
    for name, text in results.formulas.items():
        place = f"results.formulas[{msgspec.json.encode(name).decode()}]"
        if name in QUANTITIES or name in named or not name:
            _refuse(place, name, "a name that no measure has")
        try:
            parse_formula(text)
        except FormulaError as error:
            _refuse(
                place, text, f"at character {error.position}: {error.allowed}, not {error.got}", error.near
            )
        except InputError:
            _refuse(place, text, f"a formula of at most {MAX_LENGTH:,} characters")


def _check_replications(plan: ExperimentPlan) -> None:
    """Refuse stopping rules that contradict each other."""
    chosen = plan.replications
    if chosen.count is not None:
        for name in ("half_width", "first", "most", "of"):
            value = getattr(chosen, name)
            if value is not None and value != {}:
                _refuse(
                    f"replications.{name}",
                    value,
                    "nothing beside count: give the number of replications, or the half-widths at which to stop",
                )
        return
    if not chosen.half_width:
        for name in ("first", "most", "of"):
            if getattr(chosen, name) is not None:
                _refuse(f"replications.{name}", getattr(chosen, name), "only with half_width")
        return
    known = [*plan.measure_names, *plan.results.formulas]
    for name, value in chosen.half_width.items():
        place = f"replications.half_width[{msgspec.json.encode(name).decode()}]"
        if not plan.all_measures and name not in known:
            _refuse(place, name, f"a measure of the results: {', '.join(known)}", near_match(name, known))
        half_width_of(value, place)
    if chosen.first is not None and chosen.first < LEAST_FIRST:
        why = "with fewer the variance is too uncertain to stop by"
        _refuse("replications.first", chosen.first, f"a whole number, at least {LEAST_FIRST}: {why}")
    least = chosen.first or LEAST_FIRST
    if chosen.most is not None and chosen.most < least:
        _refuse("replications.most", chosen.most, f"at least {least}, the replications before the first look")
    if chosen.of == "differences" and plan.results.baseline == "none":
        _refuse("replications.of", chosen.of, '"means", because baseline = "none"')


def half_width_of(value: float | str, place: str) -> tuple[float | None, float | None]:
    """Return a half-width as absolute and relative, one of which may be None. Raises ScenarioError.

    >>> half_width_of("5 %", "surgery"), half_width_of(0.2, "deaths"), half_width_of("0.2 or 5 %", "deaths")
    ((None, 0.05), (0.2, None), (0.2, 0.05))
    """
    allowed = (
        'a number above 0, a share of the mean such as "5 %", above 0 and below 100 %, or both: "0.2 or 5 %"'
    )
    if isinstance(value, str):
        match = _PERCENT.match(value) if len(value) <= 100 else None
        if match is None or not 0.0 < float(match[2]) < 100.0 or (match[1] and float(match[1]) <= 0.0):
            _refuse(place, value, allowed)
        return (float(match[1]) if match[1] else None), float(match[2]) / 100.0
    if not value > 0.0:
        _refuse(place, value, allowed)
    return float(value), None


def completed(plan: ExperimentPlan) -> ExperimentPlan:
    """Return the plan with a value for each number that its author left open."""
    design = PlanDesign(
        kind=plan.kind,
        **{
            name: default if getattr(plan.design, name) is None else getattr(plan.design, name)
            for name, default in DESIGN_NUMBERS[plan.kind].items()
        },
    )
    chosen = plan.replications
    if chosen.half_width:
        first = chosen.first or min(DEFAULT_FIRST, chosen.most or DEFAULT_FIRST)
        replications = replace(chosen, first=first, most=chosen.most or max(DEFAULT_MOST, first))
    else:
        replications = PlanReplications(count=chosen.count or DEFAULT_COUNT)
    return replace(plan, design=design, replications=replications)


def plan_to_toml(plan: PlanHeader, scenario: Scenario | None = None) -> str:
    """Return a plan as TOML with all that is set, defaults included; parsing it gives an equal plan.

    Parameters
    ----------
    plan
        Of an experiment, or another file with this header; see `completed`.
    scenario
        Written as a table in place of the name of the scenario.
    """
    lines, tables = [], []
    for name in type(plan).__struct_fields__:
        value = getattr(plan, name)
        if name == "scenario" and (scenario is not None or isinstance(value, dict)):
            continue
        if isinstance(value, Struct):
            tables += ["", f"[{name}]", *_settings(value)]
        elif isinstance(value, list) and value and isinstance(value[0], Struct):
            for entry in value:
                tables += ["", f"[[{name}]]", *_settings(entry)]
        elif value is not None and value not in ([], {}):
            lines.append(f"{name} = {write_value(value)}")
    if scenario is not None:
        tables += ["", "[scenario]", _HEADER.sub(r"\1scenario.", to_toml(scenario)).rstrip("\n")]
    elif isinstance(plan.scenario, dict):
        lines.append(f"scenario = {write_value(plan.scenario)}")
    return "\n".join([*lines, *tables]) + "\n"


def _settings(entry: Struct) -> list[str]:
    """`name = value` for each field that is set."""
    values = {name: getattr(entry, name) for name in entry.__struct_fields__}
    return [
        f"{name} = {write_value(value)}"
        for name, value in values.items()
        if value is not None and value not in ([], {})
    ]


def _refuse(place: str, value: Any, allowed: str, near: str | None = None) -> NoReturn:
    raise ScenarioError(place, value, allowed, near)
