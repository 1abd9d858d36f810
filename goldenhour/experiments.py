"""Experiments: replications of a scenario, and paired replications until differences are known well enough."""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from actors.cache import LocalCache, cache_settings
from actors.cluster import available_cores, ray_address, start_session
from actors.experiments import Point, ReplicationProgress, Replicator, Request, batch_size
from actors.run import compile_before
from engine.errors import InputError, shown
from engine.experiments import (
    DEFAULT_QUANTITIES,
    Quantity,
    compare_replications,
    find_quantities,
    fitted,
    values_of,
)
from engine.inference import Precision, StoppingRule, check_confidence, interval_notes
from engine.measures import absent_value
from engine.run import Replications, entry_points, join_replications
from engine.scenario import PreparedScenario, ScenarioOverrides, near_match, prepare
from goldenhour.comparison import Comparison, Replicated
from goldenhour.result import ScenarioSource, load_scenario, settings_of
from goldenhour.run_time import expected_time

FIRST_PAIRS = 50
"""Pairs of replications before the first look at the precision."""

MOST_PAIRS = 1000
"""Most pairs, unless the user allows more."""

RELATIVE_HALF_WIDTH = 0.05
"""Half-width of a quantity that has none of its own, as a share of the baseline's mean."""

SHARE_OF_DIFFERENCE = 0.2
"""Half-width that is small enough for any quantity, as a share of the difference, unless the user gives one."""

QUICK_SECONDS = 20.0
"""Expected time of the first pairs up to which this process simulates them: a local Ray takes seconds to start."""

ALL_CPUS = -1
"""As many tasks at a time as a cluster has CPUs."""

_REPLICATION_SECONDS = 0.01
"""Time of a replication besides its casualties: compiled tables are copied, measures computed."""


class Alternative(NamedTuple):
    """A scenario that is compared."""

    label: str
    """What to call it."""
    prepared: PreparedScenario


@dataclass(frozen=True)
class ComparisonPlan:
    """What is compared, and how precisely."""

    alternatives: tuple[Alternative, ...]
    """Two or more scenarios, the baseline first."""
    seed: int
    """Seed of all of them: a replication meets the same casualties in each."""
    quantities: tuple[str, ...] = DEFAULT_QUANTITIES
    """Names of what is compared (`find_quantities`)."""
    confidence: float = 0.95
    """Of the intervals; those of a quantity hold together for all scenarios."""
    half_widths: Mapping[str, float] = field(default_factory=dict)
    """By name of a quantity: the half-width of the interval of the difference at which to stop; default: its own."""
    pairs: int | None = None
    """Exact number of pairs; None: until all half-widths are small enough."""
    most_pairs: int | None = None
    """Most pairs, only without `pairs`; None: MOST_PAIRS."""

    @property
    def cap(self) -> int:
        """The number of pairs after which to stop in any case."""
        if self.pairs is not None:
            return self.pairs
        return MOST_PAIRS if self.most_pairs is None else self.most_pairs

    def check(self) -> None:
        """Raise InputError for a plan that makes no sense, or that compares a scenario with itself."""
        if len(self.alternatives) < 2:
            raise InputError("compare: got one scenario; allowed: two or more")
        for name in ("pairs", "most_pairs"):
            value = getattr(self, name)
            least = 2 if name == "pairs" else FIRST_PAIRS
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
                raise InputError(f"{name}: got {shown(value)}; allowed: whole numbers from {least}")
        check_confidence(self.confidence)
        if self.pairs is not None and self.half_widths:
            raise InputError(
                "pairs and half_widths exclude each other: give the number of pairs, or the precision wanted"
            )
        if self.pairs is not None and self.most_pairs is not None:
            raise InputError(
                "pairs and most_pairs exclude each other: give the number of pairs, or the most pairs"
            )
        self._check_half_widths()
        base = self.alternatives[0]
        for other in self.alternatives[1:]:
            if other.prepared.hash == base.prepared.hash:
                raise InputError(
                    f"compare: {other.label!r} and {base.label!r} are the same scenario: what differs changes nothing"
                )

    def _check_half_widths(self) -> None:
        """Raise InputError for a half-width of what is not compared, or that is no number above 0."""
        if not isinstance(self.half_widths, Mapping):
            raise InputError(
                f"half_widths: got {shown(self.half_widths)}; allowed: a mapping from measures to numbers above 0"
            )
        for name, width in self.half_widths.items():
            if name not in self.quantities:
                near = near_match(name, self.quantities)
                hint = f"; did you mean {near!r}?" if near else ""
                raise InputError(
                    f"half_widths: got {shown(name)}; allowed: what is compared, {', '.join(self.quantities)}{hint}"
                )
            number = isinstance(width, (int, float)) and not isinstance(width, bool)
            if not (number and 0.0 < width < math.inf):
                raise InputError(f"half_widths: got {shown(width)} for {name!r}; allowed: a number above 0")


class ComparisonProgress(NamedTuple):
    """How far a comparison is."""

    replications: ReplicationProgress
    widest: str
    """The quantity that is furthest from its precision, in words; empty before the first look."""
    expected_pairs: float
    """Pairs that the precision will need, judged so far; NaN before the first look."""


OnProgress = Callable[[ComparisonProgress], None]


def workers_for(plan: ComparisonPlan, address: str | None) -> int:
    """Return how many tasks to run on Ray at a time for a comparison: see `workers_for_seconds`."""
    pairs = plan.pairs or FIRST_PAIRS
    return workers_for_seconds(
        pairs * sum(replication_seconds(one.prepared) for one in plan.alternatives), address
    )


def replication_seconds(prepared: PreparedScenario) -> float:
    """Return the expected time of a replication in this process."""
    return expected_time(prepared, formats=(), workers=0).seconds + _REPLICATION_SECONDS


def workers_for_seconds(seconds: float, address: str | None) -> int:
    """Return how many tasks to run on Ray at a time: ALL_CPUS on a cluster; 0, in this process, for what is quick."""
    if ray_address(address) != "local":
        return ALL_CPUS
    return 0 if seconds <= QUICK_SECONDS or available_cores() < 2 else available_cores()


def run_comparison(
    plan: ComparisonPlan,
    workers: int | None = None,
    address: str | None = None,
    on_progress: OnProgress = lambda progress: None,
) -> Comparison:
    """Simulate pairs of replications until the plan is fulfilled.

    Parameters
    ----------
    plan
        What is compared.
    workers
        Tasks on Ray at a time; 0: in this process; None: what suits the size.
    address
        A Ray cluster; None: a local Ray, if any.
    on_progress
        Called several times a second.

    Raises
    ------
    InputError
        If the plan makes no sense, or there is no such quantity.
    RunError
        If a replication cannot be simulated.
    """
    plan.check()
    with open_workers(workers_for(plan, address) if workers is None else workers, address) as tasks:
        return _Run(plan, tasks, on_progress).finish()


@contextlib.contextmanager
def open_workers(wanted: int, address: str | None) -> Iterator[int]:
    """Open a session on Ray if there are workers; yield their number, that of the CPUs for ALL_CPUS."""
    if not wanted:
        yield 0
        return
    with start_session(address, max(1, wanted)):
        import ray

        yield wanted if wanted > 0 else max(1, int(ray.cluster_resources().get("CPU", 1)))


def batch_cache() -> LocalCache | None:
    """The cache of finished batches; None if GOLDENHOUR_CACHE is `off`."""
    settings = cache_settings()
    return None if settings.mode == "off" else LocalCache(settings)


class _Run:
    """A comparison that is being carried out."""

    def __init__(self, plan: ComparisonPlan, workers: int, on_progress: OnProgress) -> None:
        self._plan = plan
        self._on_progress = on_progress
        self._widest, self._expected = "", float("nan")
        points = [Point(one.prepared.resolved, plan.seed) for one in plan.alternatives]
        self._replicator = Replicator(points, batch_cache(), workers, self._report)
        self._found: list[Replications] = []

    def finish(self) -> Comparison:
        """Add pairs until the plan is fulfilled."""
        plan = self._plan
        first = min(plan.pairs or FIRST_PAIRS, FIRST_PAIRS)
        self._found = replications_of_known_measures(
            self._replicator, [first] * len(plan.alternatives), plan.quantities
        )
        known = {name for found in self._found for name in found.names}
        quantities = find_measures(plan.quantities, known)
        if plan.pairs is not None:
            self._extend(plan.pairs)
            return self._result(quantities, plan.confidence, True, [])
        rule = self._rule(quantities)
        while True:
            progress = rule.assess(self._differences(quantities))
            if progress.done:
                break
            name, widest = max(progress.measures.items(), key=lambda item: item[1].expected)
            self._widest, self._expected = name, widest.expected
            self._extend(progress.count + progress.more)
        self._found = [Replications(one.names, one.values[: progress.count]) for one in self._found]
        confidence = 1.0 - (1.0 - rule.interval_confidence) * (len(plan.alternatives) - 1)
        return self._result(quantities, confidence, progress.met, list(progress.notes))

    def _rule(self, quantities: Sequence[Quantity]) -> StoppingRule:
        """When to stop: the precision of each difference."""
        plan = self._plan
        precisions = {}
        for quantity in quantities:
            given = plan.half_widths.get(quantity.name)
            wanted = quantity.half_width if given is None else given
            if wanted is None:
                base = values_of(quantity, self._found[0])
                there = base[base == base]
                wanted = RELATIVE_HALF_WIDTH * abs(float(there.mean())) if len(there) else 0.0
            for label in self._other_labels():
                precisions[f"{quantity.name} of {label}"] = Precision(
                    absolute=wanted or None, relative=SHARE_OF_DIFFERENCE if given is None else None
                )
        return StoppingRule(
            measures=precisions,
            confidence=1.0 - (1.0 - plan.confidence) / (len(plan.alternatives) - 1),
            first=FIRST_PAIRS,
            cap=plan.cap,
            batch=max(batch_size(one.prepared.resolved) for one in plan.alternatives),
        )

    def _differences(self, quantities: Sequence[Quantity]) -> dict[str, Any]:
        """Alternative less baseline by pair, by quantity and alternative."""
        found = {}
        for quantity in quantities:
            base, *others = (values_of(quantity, one) for one in self._found)
            for label, values in zip(self._other_labels(), others, strict=True):
                found[f"{quantity.name} of {label}"] = values - base
        return found

    def _other_labels(self) -> list[str]:
        return [one.label for one in self._plan.alternatives[1:]]

    def _extend(self, pairs: int) -> None:
        """Simulate until there are so many pairs."""
        have = len(self._found[0].values)
        if pairs <= have:
            return
        more = self._replicator.extend([(have, pairs)] * len(self._plan.alternatives))
        self._found = [join_replications([one, other]) for one, other in zip(self._found, more, strict=True)]

    def _report(self, progress: ReplicationProgress) -> None:
        self._on_progress(ComparisonProgress(progress, self._widest, self._expected))

    def _result(
        self, quantities: Sequence[Quantity], confidence: float, precise: bool, notes: list[str]
    ) -> Comparison:
        plan = self._plan
        labels = tuple(one.label for one in plan.alternatives)
        quantities = [
            fitted(each, (size for one in self._found for size in values_of(each, one).tolist()))
            for each in quantities
        ]
        differences = compare_replications(self._found, quantities, confidence)
        if plan.pairs is not None:
            notes = [
                f"{each.quantity.name} of {labels[each.alternative]}: {note}"
                for each in differences
                for note in interval_notes(each.difference, confidence)
            ]
        return Comparison(
            labels=labels,
            seed=plan.seed,
            days=plan.alternatives[0].prepared.resolved.days,
            confidence=plan.confidence,
            quantities=tuple(quantities),
            differences=tuple(differences),
            replications=tuple(self._found),
            precise=precise,
            notes=tuple(notes),
            sequential=plan.pairs is None,
        )


def label_of(change: Mapping[str, Any]) -> str:
    """What to call a scenario with these changes."""
    return "; ".join(f"{path}={value}" for path, value in change.items())


def names_given(given: str | Iterable[str], what: str) -> tuple[str, ...]:
    """The names that a caller gives, a single one or several, each once. Raises InputError."""
    names = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else []
    if isinstance(given, Mapping) or not all(isinstance(name, str) for name in names):
        names = []
    if not names:
        raise InputError(f"{what}: got {shown(given)}; allowed: a name, or a list of names")
    return tuple(dict.fromkeys(names))


def changes_given(
    given: Mapping[str, Any] | Iterable[Mapping[str, Any]], what: str
) -> list[Mapping[str, Any]]:
    """The changes that a caller gives, a single mapping or several. Raises InputError."""
    changes = (
        [given] if isinstance(given, Mapping) else list(given) if isinstance(given, Iterable) else [None]
    )
    if not all(isinstance(change, Mapping) for change in changes):
        raise InputError(
            f"{what}: got {shown(given)}; allowed: a mapping from paths to values, or a list of such mappings"
        )
    return changes


def find_measures(wanted: Sequence[str], known: Iterable[str]) -> list[Quantity]:
    """The quantities of these names where replications have the measures `known`. Raises InputError for another one."""
    counts = {name for name in wanted if absent_value(name) == 0.0}  # summaries leave out counts of 0
    return find_quantities(wanted, sorted({*known, *counts}))


def replications_of_known_measures(
    replicator: Replicator, counts: Sequence[int], wanted: Sequence[str]
) -> list[Replications]:
    """Return the first replications of each point, so many as `counts` says.

    Those of the first point come first. They show which measures there are, before the other points are simulated.

    Raises
    ------
    InputError
        If there is no measure of a name in `wanted`.
    RunError
        If a replication cannot be simulated.
    """
    first = min(counts[0], FIRST_PAIRS)
    (begun,) = replicator.collect([Request(0, 0, first)])
    find_measures(wanted, begun.names)
    if counts[0] > first:
        begun = join_replications([begun, *replicator.collect([Request(0, first, counts[0])])])
    others = replicator.collect([Request(number, 0, count) for number, count in enumerate(counts)][1:])
    return [begun, *others]


def compare(
    *scenarios: ScenarioSource,
    settings: Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] | Sequence[Mapping[str, Any]] = (),
    measures: str | Sequence[str] = DEFAULT_QUANTITIES,
    half_widths: Mapping[str, float] | None = None,
    pairs: int | None = None,
    most_pairs: int | None = None,
    confidence: float = 0.95,
    seed: int | None = None,
    patients: int | None = None,
    days: int | None = None,
    allow_long: bool = False,
    workers: int = 0,
    address: str | None = None,
) -> Comparison:
    """Compare scenarios with the first, over replications with common random numbers.

    Parameters
    ----------
    scenarios
        Two or more, as `goldenhour.simulate` takes them; or one, with `changes`.
    settings
        Values for single settings of all scenarios, by path.
    changes
        Settings of the scenarios that the one scenario is compared with: a mapping for each, or a single mapping.
    measures
        One or more of deaths, surgery, dow, kia, all_deaths, surgery_in_time, or numbers of summary.json by their
        paths.
    half_widths
        By measure: the half-width of the interval of the difference at which to stop; default: the measure's own, or a
        fifth of the difference.
    pairs
        Exact number of pairs of replications; None: until all half-widths are small enough.
    most_pairs
        Most pairs, only without `pairs`; default: 1,000.
    confidence
        Of the intervals; those of a measure hold together for all scenarios.
    seed
        Seed of all scenarios; default: the first one's.
    patients, days, allow_long
        As in `goldenhour.simulate`.
    workers, address
        Tasks on Ray at a time, on the cluster at `address` or a local one; 0: in this process.

    Raises
    ------
    InputError
        If there is no such scenario or measure, or if two scenarios are the same.
    ScenarioError
        If a scenario cannot be run.

    Examples
    --------
    >>> import goldenhour
    >>> found = goldenhour.compare("brigade", changes=[{"facilities[R2-North].operating_tables": 1}], pairs=50)
    >>> found.differences[1].difference.low > 0
    True
    """
    overrides = (seed, patients, days)
    names: list[str] = []

    def alternative(source: ScenarioSource, more: Mapping[str, Any], label: str | None) -> Alternative:
        written, origin = load_scenario(source)
        merged = {**(settings or {}), **more}
        prepared = prepare(written, ScenarioOverrides(*overrides, settings_of(merged)), origin, allow_long)
        name = label or (source if isinstance(source, str) else prepared.original.name)
        while name in names:
            name += "'"
        names.append(name)
        return Alternative(name, prepared)

    changes = changes_given(changes, "changes")
    wanted = names_given(measures, "measures")
    if changes and len(scenarios) != 1:
        raise InputError("compare: changes belong to one scenario; allowed: one with changes, or several")
    own = label_of(settings) if changes and settings and isinstance(settings, Mapping) else None
    found = [alternative(source, {}, own) for source in scenarios]
    for change in changes:
        found.append(alternative(scenarios[0], change, label_of(change)))
    if not found:
        raise InputError("compare: got no scenario; allowed: two or more, or one with changes")
    plan = ComparisonPlan(
        tuple(found), found[0].prepared.resolved.seed, wanted, confidence,
        {} if half_widths is None else half_widths, pairs, most_pairs,
    )  # fmt: skip
    plan.check()
    compile_alternatives(found)
    return run_comparison(plan, workers, address)


def replicate(
    scenario: ScenarioSource,
    replications: int = 100,
    first: int = 0,
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    patients: int | None = None,
    days: int | None = None,
    allow_long: bool = False,
    workers: int = 0,
    address: str | None = None,
    measures: str | Sequence[str] | None = None,
) -> Replicated:
    """Simulate replications of a scenario and return the measures of each.

    Parameters
    ----------
    scenario, settings, seed, patients, days, allow_long
        As in `goldenhour.simulate`.
    replications, first
        How many, and the number of the first one.
    workers, address
        As in `goldenhour.compare`.
    measures
        What `estimates` and the tables have, as in `goldenhour.compare`. Default: deaths and surgery in `estimates`,
        every number of summary.json in the tables.

    Raises
    ------
    InputError
        If there is no such scenario or measure, or a number makes no sense.
    ScenarioError
        If the scenario cannot be run.

    Examples
    --------
    >>> import goldenhour
    >>> found = goldenhour.replicate("coin", 20)
    >>> interval = found.estimate("patients")
    >>> interval.low < interval.estimate < interval.high
    True
    """
    for name, value, least in (("replications", replications, 1), ("first", first, 0)):
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**31:
            raise InputError(f"{name}: got {shown(value)}; allowed: whole numbers from {least}")
    wanted = None if measures is None else names_given(measures, "measures")
    written, origin = load_scenario(scenario)
    prepared = prepare(
        written, ScenarioOverrides(seed, patients, days, settings_of(settings)), origin, allow_long
    )
    compile_alternatives([Alternative("", prepared)])
    resolved = prepared.resolved
    with open_workers(workers, address) as tasks:
        replicator = Replicator([Point(resolved, resolved.seed)], batch_cache(), tasks)
        begin = first + min(replications, FIRST_PAIRS)
        (found,) = replicator.extend([(first, begin)])
        find_measures(wanted or (), found.names)
        if first + replications > begin:
            found = join_replications([found, *replicator.extend([(begin, first + replications)])])
    return Replicated(resolved, first, found, wanted)


def compile_alternatives(alternatives: Sequence[Alternative]) -> None:
    """Compile what any of the scenarios needs and is not in the cache, without a word."""
    wanted = [entry for one in alternatives for entry in entry_points(one.prepared.resolved, texts=False)]
    compile_before(dict.fromkeys(wanted), lambda state: None)
