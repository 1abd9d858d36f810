"""The file of an experiment: which scenario, what is varied, how often it is simulated, and what is measured."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from engine.scenario import MAX_DAYS

DesignKind = Literal[
    "list",
    "full factorial",
    "fractional factorial",
    "one at a time",
    "Latin hypercube",
    "Sobol sequence",
    "Morris",
    "Sobol indices",
    "assumptions",
]

MAX_FACTORS = 1000
MAX_LEVELS = 1000
MAX_LISTED_POINTS = 10_000
MAX_REPLICATIONS = 1_000_000
"""Most replications of a point."""
MAX_MEASURES = 100_000
MAX_FORMULAS = 200

Settings = dict[str, Any]
"""Values of settings of a scenario by their path."""

Number = int | float


class PlanHeader(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """What files of experiments and of optimisations have in common: the scenario, and settings that always hold."""

    name: Annotated[str, Meta(min_length=1, max_length=80)] | None = None
    scenario: Annotated[
        str | dict[str, Any],
        Meta(
            description="a built-in or stored scenario, a file as seen from this one, or a scenario as a table"
        ),
    ]
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    days: Annotated[int, Meta(ge=1, le=MAX_DAYS)] | None = None
    patients: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None
    allow_long: bool = False
    """Whether to accept counts of events and vehicles that no theatre has."""
    settings: Settings = {}
    """They hold for all points."""


class PlanFactor(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Something that is varied: a setting of the scenario, or several that always have the same value."""

    path: str | None = None
    paths: Annotated[list[str], Meta(max_length=MAX_FACTORS)] = []
    """Instead of one path: settings that have the same value."""
    name: Annotated[str, Meta(min_length=1, max_length=120)] | None = None
    levels: Annotated[list[Any], Meta(max_length=MAX_LEVELS)] = []
    low: Number | None = None
    high: Number | None = None
    group: Annotated[str, Meta(min_length=1, max_length=120)] | None = None
    """Morris and Sobol indices: factors of a group are varied together and have one effect."""

    @property
    def all_paths(self) -> tuple[str, ...]:
        """The paths of the settings."""
        return (self.path,) if self.path is not None else tuple(self.paths)

    @property
    def label(self) -> str:
        """Its name; default: the path, shortened."""
        return self.name if self.name is not None else short_path(self.all_paths[0])


class PlanShares(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Settings that are varied together, because they are shares of one whole."""

    paths: Annotated[list[str], Meta(min_length=2, max_length=100)]
    total: Annotated[float, Meta(gt=0, le=1e9)] = 1.0
    """Their sum."""
    name: Annotated[str, Meta(min_length=1, max_length=120)] | None = None

    @property
    def label(self) -> str:
        """Its name; default: made of the first path."""
        return self.name if self.name is not None else f"shares of {short_path(self.paths[0])}"


class PlanPoint(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A point of a list."""

    label: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    settings: Settings = {}


class PlanDesign(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Which points are simulated. A number that is not given has the default of its kind (`DESIGN_NUMBERS`)."""

    kind: DesignKind | None = None
    """Default: "list" where there are points, else "full factorial"."""
    resolution: Annotated[int, Meta(ge=3, le=5)] | None = None
    points: Annotated[int, Meta(ge=2, le=10_000_000)] | None = None
    trajectories: Annotated[int, Meta(ge=2, le=1_000_000)] | None = None
    grid: Annotated[int, Meta(ge=2, le=1000)] | None = None
    base: Annotated[int, Meta(ge=2, le=10_000_000)] | None = None
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None


DESIGN_NUMBERS: dict[str, dict[str, int]] = {
    "list": {},
    "full factorial": {},
    "fractional factorial": {"resolution": 4},
    "one at a time": {},
    "Latin hypercube": {"points": 64, "seed": 0},
    "Sobol sequence": {"points": 64, "seed": 0},
    "Morris": {"trajectories": 20, "grid": 4, "seed": 0},
    "Sobol indices": {"base": 256, "seed": 0},
    "assumptions": {"points": 64, "seed": 0},
}
"""By kind of design, the numbers that it has, with their defaults."""


class PlanReplications(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """How many replications each point has: a count, or until the intervals are narrow enough."""

    count: Annotated[int, Meta(ge=1, le=MAX_REPLICATIONS)] | None = None
    """Default without `half_width`: `DEFAULT_COUNT`."""
    half_width: dict[str, float | str] = {}
    """By measure: the half-width at which to stop; a text such as "5 %" is a share of the mean."""
    first: Annotated[int, Meta(ge=2, le=MAX_REPLICATIONS)] | None = None
    most: Annotated[int, Meta(ge=2, le=MAX_REPLICATIONS)] | None = None
    of: Literal["differences", "means"] | None = None
    """What the half-widths are about; default: differences where there is a baseline."""


DEFAULT_COUNT = 100
DEFAULT_FIRST = 50
DEFAULT_MOST = 1000


class PlanResults(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """What is measured."""

    measures: str | Annotated[list[str], Meta(min_length=1, max_length=MAX_MEASURES)] = field(
        default_factory=lambda: ["deaths", "surgery"]
    )
    """Short names, numbers of summary.json by their path; "all" means all of these."""
    quantiles: Annotated[list[Annotated[float, Meta(gt=0, lt=1)]], Meta(max_length=100)] = []
    formulas: Annotated[dict[str, str], Meta(max_length=MAX_FORMULAS)] = {}
    baseline: int | str | None = None
    """Label or number of a point from 0, "first" or "none"; default: the first where the kind of design has one."""
    confidence: Annotated[float, Meta(gt=0, lt=1)] = 0.95


class ExperimentPlan(PlanHeader, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """An experiment, as its file has it."""

    design: PlanDesign = PlanDesign()
    factors: Annotated[list[PlanFactor], Meta(max_length=MAX_FACTORS)] = []
    shares: Annotated[list[PlanShares], Meta(max_length=100)] = []
    points: Annotated[list[PlanPoint], Meta(max_length=MAX_LISTED_POINTS)] = []
    replications: PlanReplications = PlanReplications()
    results: PlanResults = PlanResults()

    @property
    def kind(self) -> DesignKind:
        """The kind of the design."""
        return self.design.kind or ("list" if self.points else "full factorial")

    @property
    def all_measures(self) -> bool:
        """Whether every number of summary.json is wanted."""
        return self.results.measures == "all"

    @property
    def measure_names(self) -> tuple[str, ...]:
        """Names of the measures that are asked for, without formulas; none where all are wanted."""
        measures = self.results.measures
        return () if isinstance(measures, str) else tuple(dict.fromkeys(measures))


def short_path(path: str) -> str:
    """Return a path without the name of the list that it begins with.

    >>> short_path("facilities[R2-North].surgical_teams")
    'R2-North.surgical_teams'
    """
    head, bracket, rest = path.partition("[")
    name, closing, rest = rest.partition("]")
    return f"{name}{rest}" if bracket and closing and rest and head.isidentifier() else path
