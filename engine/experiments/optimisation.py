"""The file of an optimisation: what is varied, what it costs, and what is asked of it."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NoReturn

import numpy as np
from msgspec import Meta, Struct, field
from msgspec.structs import replace
from numpy.typing import NDArray

from engine.errors import MISSING, InputError, ScenarioError
from engine.experiments.designing import design_of
from engine.experiments.formulas import Formula, FormulaError, parse_formula
from engine.experiments.levels import inference_factor
from engine.experiments.plan import (
    MAX_FACTORS,
    MAX_LISTED_POINTS,
    ExperimentPlan,
    PlanFactor,
    PlanHeader,
    PlanPoint,
)
from engine.experiments.plan_reading import LEAST_FIRST, check_factors
from engine.experiments.points import DesignPoints
from engine.experiments.price import Price
from engine.experiments.quantities import QUANTITIES, Quantity, find_quantities, formula_quantity
from engine.inference import LEAST_VALUES, Requirement
from engine.scenario import PreparedScenario, ScenarioText, near_match, read_struct

Goal = Literal["cheapest", "best", "front"]

MOST_BY_GOAL = {"cheapest": 10_000, "best": 200, "front": 5_000}
"""Most points by goal."""

DEFAULT_MOST = 2000
"""Replications of a point, unless the file says otherwise."""

DEFAULT_FIRST = 25
"""Replications of a point at the first look, unless the file says otherwise."""

DEFAULT_INDIFFERENCE = 0.02
"""How near to its limit a share is no matter, unless the file says otherwise."""

Costs = NDArray[np.float64]


class PlanGoal(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """What is asked."""

    goal: Goal = "cheapest"
    """The cheapest point that meets the constraints, the best point, or the front of cost against the objective."""
    cost: str | dict[str, float] | None = None
    """A formula of the factors by name, or a cost per unit of each; default: the sum of the factors."""


class PlanConstraint(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A limit that the point must keep."""

    measure: str
    """A short name, a number of summary.json by its path, or a formula of these."""
    at_most: int | float | None = None
    at_least: int | float | None = None
    probability: float | None = None
    """The share of the replications that must keep the limit; without: their mean must."""
    indifference: float | None = None
    """How near to `probability`, or to the limit of a mean, the truth is no matter; default: that of the search for a
    share, 0 for a mean."""


class PlanSearch(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """How it is searched."""

    confidence: Annotated[float, Meta(gt=0, lt=1)] = 0.95
    """Of the answer."""
    first: Annotated[int, Meta(ge=LEAST_FIRST, le=1_000_000)] | None = None
    """Replications of a point before the first decision."""
    most: Annotated[int, Meta(ge=LEAST_FIRST, le=1_000_000)] = DEFAULT_MOST
    """Replications of a point at most."""
    indifference: Annotated[float, Meta(ge=0, lt=1)] | None = None
    """Of constraints on shares that have none of their own; default: DEFAULT_INDIFFERENCE."""
    monotone: bool = False
    """Cheapest: more of a factor never hurts, so that a point that misses a constraint rules out all smaller ones."""
    objective: str = "deaths"
    """Best and front: a measure or a formula."""
    better: Literal["less", "more"] | None = None
    """Which objective is better; default: what is better for the measure, else less."""
    difference: float | None = None
    """The smallest difference of the objective that matters; default: that of the measure, if it has one."""


class OptimisationPlan(PlanHeader, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """An optimisation, as its file has it."""

    optimise: PlanGoal = PlanGoal()
    factors: Annotated[list[PlanFactor], Meta(max_length=MAX_FACTORS)] = field(default_factory=list)
    points: Annotated[list[PlanPoint], Meta(max_length=MAX_LISTED_POINTS)] = field(default_factory=list)
    """Instead of factors: the points themselves."""
    constraints: Annotated[list[PlanConstraint], Meta(max_length=20)] = field(default_factory=list)
    search: PlanSearch = PlanSearch()

    @property
    def goal(self) -> Goal:
        """What is asked."""
        return self.optimise.goal

    @property
    def first(self) -> int:
        """Replications of a point at the first look."""
        return min(self.search.first or DEFAULT_FIRST, self.search.most)

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures and formulas that decide."""
        if self.goal == "cheapest":
            return tuple(constraint.measure for constraint in self.constraints)
        return (self.search.objective,)


def parse_optimisation(data: bytes, where: str = "optimisation") -> tuple[OptimisationPlan, ScenarioText]:
    """Read the file of an optimisation; return also its text, which knows lines.

    Raises
    ------
    ScenarioError
        With the place of the first mistake, its value, what is allowed, a near match and the line.
    """
    plan, text = read_struct(data, where, OptimisationPlan)
    try:
        check_optimisation(plan)
    except ScenarioError as error:
        raise text.with_line(error) from None
    return plan, text


def check_optimisation(plan: OptimisationPlan) -> None:
    """Raise ScenarioError if parts of a plan contradict each other. The scenario is not needed."""
    if plan.factors and plan.points:
        _refuse("points", f"{len(plan.points)} points", "[[factors]] or [[points]], but not both")
    if not plan.factors and not plan.points:
        _refuse("factors", MISSING, "one or more [[factors]] with path and levels, or low and high")
    check_factors(plan.factors)
    if plan.goal == "cheapest":
        _check_constraints(plan)
    else:
        _check_objective(plan)
    if plan.search.first is not None and plan.search.first > plan.search.most:
        _refuse("search.first", plan.search.first, f"at most search.most, {plan.search.most}")
    cost = plan.optimise.cost
    if cost is not None and plan.goal == "best":
        _refuse("optimise.cost", cost, 'none for goal = "best"')
    if isinstance(cost, str):
        _formula(cost, "optimise.cost")


def _check_constraints(plan: OptimisationPlan) -> None:
    if not plan.constraints:
        _refuse("constraints", MISSING, 'one or more [[constraints]] for goal = "cheapest"')
    for number, constraint in enumerate(plan.constraints):
        place = f"constraints[{number}]"
        if _is_formula(constraint.measure):
            _formula(constraint.measure, f"{place}.measure")
        try:
            requirement_of(constraint, plan.search)
        except InputError as error:
            field = "probability" if str(error).startswith("probability") else "at_most"
            field = "indifference" if str(error).startswith("indifference") else field
            value = getattr(constraint, field)
            words = str(error).partition("allowed: ")[2] or str(error)
            _refuse(f"{place}.{field}", MISSING if value is None else value, words)
        if constraint.probability is None and plan.search.most < LEAST_VALUES:
            _refuse(
                "search.most",
                plan.search.most,
                f"at least {LEAST_VALUES}, before which a constraint on a mean is never decided, such as {place}",
            )
    shares = [each for each in plan.constraints if each.probability is not None]
    if plan.search.indifference is not None and all(each.indifference is not None for each in shares):
        _refuse(
            "search.indifference",
            plan.search.indifference,
            "only where a constraint has a probability, and no indifference of its own",
        )
    for name in ("objective", "better", "difference"):
        if getattr(plan.search, name) != getattr(PlanSearch(), name):
            _refuse(f"search.{name}", getattr(plan.search, name), 'only with goal = "best" or "front"')


def _check_objective(plan: OptimisationPlan) -> None:
    if plan.constraints:
        _refuse("constraints", f"{len(plan.constraints)} entries", 'none; only with goal = "cheapest"')
    if plan.search.monotone:
        _refuse("search.monotone", True, 'only with goal = "cheapest"')
    if plan.search.indifference is not None:
        _refuse(
            "search.indifference",
            plan.search.indifference,
            'only with goal = "cheapest"; here it is search.difference',
        )
    if _is_formula(plan.search.objective):
        _formula(plan.search.objective, "search.objective")
    difference = plan.search.difference
    if difference is not None and not 0.0 < difference < math.inf:
        _refuse("search.difference", difference, "above 0")
    if difference is None and default_difference(plan.search.objective) is None:
        _refuse(
            "search.difference",
            MISSING,
            f"the smallest difference of {plan.search.objective} that matters, above 0",
        )


def default_difference(objective: str) -> float | None:
    """Return the smallest difference of an objective that matters where the file has none."""
    return QUANTITIES[objective].half_width if objective in QUANTITIES else None


def difference_of(plan: OptimisationPlan) -> float:
    """Return the smallest difference of the objective that matters; NaN if the plan has none, as one for "cheapest"."""
    given = plan.search.difference
    difference = default_difference(plan.search.objective) if given is None else given
    return math.nan if difference is None else difference


def larger_is_better(plan: OptimisationPlan) -> bool:
    """Whether more of the objective is better."""
    if plan.search.better is not None:
        return plan.search.better == "more"
    objective = plan.search.objective
    return objective in QUANTITIES and QUANTITIES[objective].fewer_is_better is False


def requirement_of(constraint: PlanConstraint, search: PlanSearch) -> Requirement:
    """Return a constraint as `engine.inference` has it. Raises InputError."""
    indifference = constraint.indifference
    if indifference is None:
        indifference = 0.0
        if constraint.probability is not None:
            indifference = DEFAULT_INDIFFERENCE if search.indifference is None else search.indifference
    return Requirement(
        at_most=constraint.at_most,
        at_least=constraint.at_least,
        probability=constraint.probability,
        indifference=indifference,
    )


def optimisation_points(
    plan: OptimisationPlan,
    base: PreparedScenario,
    *,
    text: ScenarioText | None = None,
    seconds: float = math.nan,
) -> DesignPoints:
    """Return the points among which is searched: all combinations of the levels, or those listed.

    Parameters
    ----------
    plan, base, text, seconds
        As in `design_of`.

    Raises
    ------
    ScenarioError
        If there is no such setting, or it cannot have a value; if a range is not one of whole numbers.
    InputError
        If there are too many points, with their price; if a factor changes nothing.
    """
    factors = [_with_levels(factor, base, f"factors[{k}]", text) for k, factor in enumerate(plan.factors)]
    count = len(plan.points) or math.prod(len(factor.levels) for factor in factors)
    most = MOST_BY_GOAL[plan.goal]
    if count > most:
        raise InputError(
            f"points: got {optimisation_price(plan, count, seconds)}; allowed: at most {most:,} points for goal = "
            f'"{plan.goal}": fewer factors, or wider steps between levels'
        )
    if plan.goal != "cheapest" and count < 2:
        raise ScenarioError("points", f"{count} point", "two or more")
    header = {name: getattr(plan, name) for name in PlanHeader.__struct_fields__}
    experiment = ExperimentPlan(**header, factors=factors, points=plan.points)
    return design_of(experiment, base, text=text, seconds=seconds)


def optimisation_price(plan: OptimisationPlan, points: int, seconds: float = math.nan) -> Price:
    """Return what an optimisation costs, if each point is looked at once and if each goes to the cap."""
    least = points * plan.first
    return Price(points, least, points * plan.search.most, least * seconds)


def _with_levels(
    factor: PlanFactor, base: PreparedScenario, place: str, text: ScenarioText | None
) -> PlanFactor:
    """Return a factor with the whole numbers of its range as levels."""
    if factor.levels:
        return factor
    ranged = inference_factor(factor, base, place, text)
    if not ranged.whole or ranged.low is None or ranged.high is None:
        error = ScenarioError(
            f"{place}.low", factor.low, f"levels = [...], since {factor.all_paths[0]} is no whole number"
        )
        raise error if text is None else text.with_line(error)
    return replace(factor, levels=list(range(int(ranged.low), int(ranged.high) + 1)), low=None, high=None)


def costs_of(plan: OptimisationPlan, design: DesignPoints) -> Costs:
    """Return the cost of each point, shape (points,).

    Raises
    ------
    ScenarioError
        If the formula names no factor, a factor is no number, or a cost is none.
    """
    place = "optimise.cost"
    columns: dict[str, Costs] = {}
    for position, name in enumerate(design.names):
        values = [row[position] for row in design.rows]
        if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
            columns[name] = np.array(values, dtype=np.float64)
    cost = plan.optimise.cost
    if plan.goal == "best":
        return np.zeros(len(design))
    if cost is None and len(columns) < len(design.names):
        odd = next(name for name in design.names if name not in columns)
        _refuse(place, MISSING, f"a formula of the factors that are numbers, as {odd!r} is none")
    used = columns if cost is None else dict.fromkeys(cost) if isinstance(cost, dict) else {}
    if isinstance(cost, str):
        used = dict.fromkeys(_formula(cost, place).names)
    for name in used:
        if name not in columns:
            allowed = "factors that are numbers: " + ", ".join(map(repr, columns))
            _refuse(place, name, allowed, near_match(name, columns))
    if cost is None:
        found = np.sum(list(columns.values()), axis=0)
    elif isinstance(cost, dict):
        found = np.sum([columns[name] * each for name, each in cost.items()], axis=0)
    else:
        found = _formula(cost, place).evaluate(columns)
    costs: Costs = np.broadcast_to(np.asarray(found, dtype=np.float64), (len(design),)).copy()
    if not np.isfinite(costs).all():
        number = int(np.flatnonzero(~np.isfinite(costs))[0])
        _refuse(place, cost, f"a formula with a finite value at each point, also at {design[number].label}")
    return costs


def quantities_of(plan: OptimisationPlan, known: Sequence[str]) -> list[Quantity]:
    """Return the quantities that decide, one for each of `OptimisationPlan.measures`.

    Parameters
    ----------
    plan
        The optimisation.
    known
        Names of the measures that replications have.

    Raises
    ------
    InputError
        If there is no such measure, with the nearest name.
    """
    found = []
    for measure in plan.measures:
        if measure in QUANTITIES or measure in known or not _is_formula(measure):
            found += find_quantities([measure], known)
        else:
            found.append(formula_quantity(measure, parse_formula(measure), known))
    return found


def _is_formula(measure: str) -> bool:
    """Whether a measure that has no such name can be meant as a formula: it is more than a name."""
    return any(symbol in measure for symbol in "+*/()<>='") or " - " in measure


def _formula(text: str, place: str) -> Formula:
    try:
        return parse_formula(text)
    except FormulaError as error:
        allowed = f"{error.allowed} (character {error.position}: got {error.got})"
        raise ScenarioError(place, text, allowed, error.near) from None


def _refuse(place: str, value: Any, allowed: str, near: str | None = None) -> NoReturn:
    raise ScenarioError(place, value, allowed, near)
