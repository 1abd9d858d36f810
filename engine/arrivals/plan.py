"""The plan of a scenario's arrivals: its cells with their weights, size laws and patterns, before any draw."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from engine import numeric
from engine.arrivals import profiles
from engine.arrivals.incidents import ONE_INCIDENT, SINGLE, SizeLaw, SizeTables, tabulate
from engine.arrivals.listed import EIGHT_DIGITS, listed_by_day, plan_listed
from engine.arrivals.rows import CELL, PATTERN, RATE, PatternRow
from engine.arrivals.strength import additions_by_day, return_shares
from engine.codes import CASUALTY_KINDS, NONE, STREAMS, CasualtyKind
from engine.numeric import interpreted
from engine.scenario import (
    MAX_DAYS,
    Distribution,
    Scenario,
    SpecialEvent,
    agent_share,
    day_weights_of,
    environment_multipliers,
    events_from_start,
    front_rate,
    mix_of,
    model_constants,
    number_listed,
)
from scenarios import tables

PART_CASUALTIES = 4_096
"""Mean number of casualties of the incidents that are drawn together at most: it bounds the memory of a run."""

MINUTE_MS = 60_000.0


ONE_INCIDENT_EVENTS = ("mass_casualty",)
"""Kinds of special events that are one incident of their size range."""


class Group(NamedTuple):
    """One stream of one front."""

    stream: str
    front: int
    name: int
    share: float
    """Of the stream's casualties, under `total`."""


class ExpectedArrivals(NamedTuple):
    """Expected casualties of a cell on a day."""

    day: int
    """From 1."""
    front: str
    stream: str
    kind: str
    type: str | None
    special: str | None
    expected: float
    is_listed: bool = False


@dataclass(frozen=True, slots=True)
class ArrivalPlan:
    """The arrivals of a scenario as `generate_arrivals` reads them, without any draw; C cells, P patterns, R rates."""

    days: int
    total: int | None
    """Casualties that are drawn under `total`, without the listed; None under `rates`."""
    depletion: bool
    day_weights: NDArray[np.float64]
    """(days,): sum 1."""
    cells: Any
    """(C,) CELL."""
    labels: tuple[tuple[str | None, str | None], ...]
    """(C,): warfare type and special event."""
    patterns: Any
    """(P,) PATTERN: one profile is drawn from each on each day."""
    sizes: SizeTables
    streams: tuple[tuple[str, float], ...]
    """Streams and their shares."""
    groups: tuple[Group, ...]
    rates: Any
    """(R,) RATE, empty under `total`."""
    fronts: tuple[str, ...]
    populations: NDArray[np.int64]
    """(fronts,): 0 where none is given."""
    returning: NDArray[np.float64]
    """(streams, K): share of a day's casualties who restore the strength k + 1 days later; K = 0 where nobody does."""
    replacements: NDArray[np.float64]
    """(fronts,): a day."""
    listed: Any
    """LISTED, by time: listed casualties."""


class _Builder:
    """Collects the cells of a plan, and the patterns and size laws that they share."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.patterns: dict[tuple[str, ...], PatternRow] = {}
        self.laws: dict[SizeLaw, int] = {}
        self.cells: list[Any] = []
        self.labels: list[tuple[str | None, str | None]] = []
        self.types: list[str] = [w.type for w in scenario.warfare]

    def add(
        self,
        group: int,
        stream: str,
        kind: str,
        front: int,
        type_: str | None,
        weight: float,
        event: tuple[int, int] | None = None,
        chance: float = 0.0,
    ) -> None:
        """Add a cell unless its weight is 0.

        Parameters
        ----------
        event
            Index of the special event, and its number among its kind.
        chance
            Of an event that is one incident: the probability that it is this cell's, not divided by their sum.
        """
        if not (weight > 0.0 or chance > 0.0):
            return
        scenario = self.scenario
        name = scenario.fronts[front].name
        cell = np.zeros((), CELL)
        special = "" if event is None else f"{scenario.events[event[0]].event} {event[1]}"
        cell["name"] = numeric.cell("arrivals", stream, kind, name, type_ or "", special)
        cell["front"], cell["group"], cell["weight"] = front, group, weight
        cell["kind"] = CASUALTY_KINDS.index(kind)
        cell["type"] = self.types.index(type_) if type_ in self.types else NONE
        cell["special"] = NONE if event is None else event[0]
        cell["day"] = -1 if event is None else (scenario.events[event[0]].day or 1) - 1
        law = SINGLE
        if event is not None and chance > 0.0:
            law = ONE_INCIDENT
            cell["chance"] = chance
            cell["fewest"], cell["most"] = _size_range(scenario.events[event[0]], type_ or "conventional")
        elif stream == "battle" and type_ is not None:
            law = (
                _event_law(scenario, scenario.events[event[0]], type_)
                if event
                else _type_law(scenario, type_)
            )
        cell["law"] = self.laws.setdefault(law, len(self.laws))
        cell["limit"] = max(1, int(PART_CASUALTIES / law.mean()))
        shortest, longest = _duration_minutes(self.scenario, type_)
        cell["shortest"], cell["longest"] = MINUTE_MS * shortest, MINUTE_MS * longest
        cell["profile"] = self._profile(name, type_, event, special)
        cell["keep"] = 1.0
        self.cells.append(cell[()])
        self.labels.append((type_, special or None))

    def _profile(self, front: str, type_: str | None, event: tuple[int, int] | None, special: str) -> int:
        """Return the number of the pattern of a front and type, or of a special event."""
        patterns = tables.warfare_patterns()
        place = ("event", special) if event else ("type", front, type_ or "")
        if place not in self.patterns:
            name = numeric.cell("profile", *place)
            given = model_constants(self.scenario, "arrivals")["profiles"]
            if event:
                setting = self.scenario.events[event[0]]
                template = patterns["special_event_templates"][setting.event]
                pattern = profiles.event_pattern(name, template, setting.hour, given)
            elif type_ is None:
                pattern = profiles.uniform_pattern(name, given)
            else:
                frequency = patterns["intensity_levels"][self.scenario.intensity]["event_frequency"]
                table = patterns["warfare_types"][type_]["temporal_pattern"]
                pattern = profiles.warfare_pattern(name, table, frequency, given)
            self.patterns[place] = pattern
        return list(self.patterns).index(place)


def _incident_parameters(scenario: Scenario) -> dict[str, Any]:
    """Return the model's constants of incidents."""
    found: dict[str, Any] = model_constants(scenario, "arrivals")["incidents"]
    return found


def _duration_minutes(scenario: Scenario, type_: str | None) -> tuple[float, float]:
    """Return the shortest and longest time over which an incident of this type spreads its casualties."""
    clustering: Mapping[str, Any] = {}
    if type_ is not None:
        clustering = tables.warfare_patterns()["warfare_types"][type_]["casualty_clustering"]
    default = _incident_parameters(scenario)["duration_minutes"]
    low, high = clustering.get(
        "cluster_duration_minutes", clustering.get("individual_spacing_minutes", default)
    )
    return float(low), float(high)


def _cluster_probability(scenario: Scenario, template: float) -> float:
    """Return the probability of a cluster: the table's times a factor of the intensity, below 1."""
    level = tables.warfare_patterns()["intensity_levels"][scenario.intensity]
    largest: float = _incident_parameters(scenario)["largest_cluster_probability"]
    return min(largest, template * float(level["mass_casualty_reduction"]))


def _type_law(scenario: Scenario, type_: str) -> SizeLaw:
    """Return the law of the incident sizes of a warfare type's battle casualties.

    The second range is that of a building collapse or an IED, with the table's probability. For drones it is the target
    and `collateral_range` more, with the probability that `precision_single_target` leaves.
    """
    table = tables.warfare_patterns()["warfare_types"][type_]["casualty_clustering"]
    template = float(table["mass_casualty_probability"])
    low, high = table["cluster_size_range"]
    second, second_range = 0.0, (1, 1)
    if "building_collapse_probability" in table:
        second, second_range = table["building_collapse_probability"], tuple(table["building_collapse_size"])
    elif "ied_probability" in table:
        second, second_range = table["ied_probability"], tuple(table["ied_size_range"])
    elif "collateral_range" in table:
        second = 1.0 - table["precision_single_target"]
        second_range = 1 + table["collateral_range"][0], 1 + table["collateral_range"][1]
    cluster = _cluster_probability(scenario, template)
    return SizeLaw(cluster, (low, high), second, second_range, template >= 1.0)


def _event_law(scenario: Scenario, event: SpecialEvent, type_: str) -> SizeLaw:
    """Return the law of the incident sizes of a special event: its own range, else that of its warfare type."""
    patterns = tables.warfare_patterns()
    template = patterns["special_event_templates"][event.event]
    clustering = patterns["warfare_types"][type_]["casualty_clustering"]
    low, high = template.get("size_range", clustering["cluster_size_range"])
    probability = float(template["mass_casualty_probability"])
    return SizeLaw(_cluster_probability(scenario, probability), (low, high), whole=probability >= 1.0)


def _size_range(event: SpecialEvent, type_: str) -> tuple[int, int]:
    """Return the least and the greatest size of an event that is one incident.

    The range is that of the table, else of the warfare type, times the event's multiplier in units of the table's.
    """
    patterns = tables.warfare_patterns()
    template = patterns["special_event_templates"][event.event]
    clustering = patterns["warfare_types"][type_]["casualty_clustering"]
    low, high = template.get("size_range", clustering["cluster_size_range"])
    factor = (event.casualty_multiplier or template["casualty_multiplier"]) / template["casualty_multiplier"]
    return max(1, round(low * factor)), max(1, round(high * factor))


def _rate_row(name: int, group: int, rate: Distribution) -> Any:
    """Return one row of RATE."""
    row = np.zeros((), RATE)
    row["name"], row["group"], row["correlation"] = name, group, rate.autocorrelation
    row["a"], row["b"] = rate.mean or 0.0, rate.sd or 0.0
    if rate.distribution == "lognormal" and rate.median is not None:
        row["code"], row["a"], row["b"] = numeric.LOGNORMAL_MEDIAN, rate.median, rate.sigma or 0.0
    elif rate.distribution == "erlang":
        row["code"], row["b"] = numeric.ERLANG, rate.k or 1
    elif rate.distribution == "triangular":
        row["code"], row["a"], row["b"], row["c"] = numeric.TRIANGULAR, rate.low, rate.mode, rate.high
    else:
        row["code"] = {
            "constant": numeric.CONSTANT,
            "exponential": numeric.EXPONENTIAL,
            "lognormal": numeric.LOGNORMAL,
            "gamma": numeric.GAMMA,
        }[rate.distribution]
    return row[()]


def plan_arrivals(scenario: Scenario) -> ArrivalPlan:
    """Return the arrival plan of a resolved scenario."""
    scenario = replace(scenario, events=events_from_start(scenario))
    builder = _Builder(scenario)
    rates = scenario.casualties.rates
    mix = mix_of(scenario)
    day_weights = day_weights_of(scenario)
    shares = {stream: fsum(part.weight for part in mix if part.stream == stream) for stream in STREAMS}
    environment = environment_multipliers(scenario)
    level = tables.warfare_patterns()["intensity_levels"][scenario.intensity]
    groups: list[Group] = []
    rate_rows: list[Any] = []
    for stream, share in shares.items():
        for index, front in enumerate(scenario.fronts):
            components: list[Distribution] = []
            scale = 1.0
            if rates is not None:
                components = front_rate(front, rates, stream)  # type: ignore[arg-type]
                scale = (front.population or 0) / 1000.0 * environment[stream] * level["patient_multiplier"]  # type: ignore[index]
            if not share > 0.0 or (rates is not None and not components):
                continue
            group = len(groups)
            groups.append(Group(stream, index, numeric.cell("group", stream, front.name), front.share or 0.0))
            for number, rate in enumerate(components):
                rate_rows.append(_rate_row(numeric.cell("rate", stream, front.name, number), group, rate))
            for part in mix:
                if part.stream == stream:
                    builder.add(group, stream, part.kind, index, part.type, scale * part.weight / share)
            if stream == "battle":
                _add_events(builder, group, index, scale, day_weights)
    total = None
    if rates is None:
        total = (scenario.casualties.total or 0) - (
            number_listed(scenario) if scenario.casualties.total else 0
        )
    return ArrivalPlan(
        days=scenario.days,
        total=total,
        depletion=rates is not None and rates.depletion,
        day_weights=np.array(day_weights),
        cells=_numbered(np.array(builder.cells, CELL), rates is not None),
        labels=tuple(builder.labels),
        patterns=np.array(list(builder.patterns.values()), PATTERN),
        sizes=tabulate(list(builder.laws) or [SINGLE]),
        streams=tuple(shares.items()),
        groups=tuple(groups),
        rates=np.array(rate_rows, RATE),
        fronts=tuple(front.name for front in scenario.fronts),
        populations=np.array([front.population or 0 for front in scenario.fronts], np.int64),
        returning=_return_shares(scenario),
        replacements=np.array([front.replacements_per_day or 0.0 for front in scenario.fronts]),
        listed=plan_listed(scenario, _first_listed_number(scenario, len(builder.cells))),
    )


def _return_shares(scenario: Scenario) -> NDArray[np.float64]:
    """Return `ArrivalPlan.returning` of a resolved scenario."""
    given = scenario.casualties.rates.return_to_duty if scenario.casualties.rates is not None else {}
    rows = [_rate_row(0, STREAMS.index(stream), one.days) for stream, one in given.items()]
    shares = np.array([one.share for one in given.values()])
    return return_shares(np.array(rows, RATE), shares, scenario.days)


def _first_listed_number(scenario: Scenario, cells: int) -> int:
    """Return a number of a casualty above those that are drawn; see `_numbered`. Each step has one more digit."""
    if scenario.casualties.only_listed:
        return 0
    if scenario.casualties.rates is None:
        bound = cells * (scenario.casualties.total or 0)
    else:  # nobody is hurt twice on one day
        bound = cells * MAX_DAYS * max(front.population or 0 for front in scenario.fronts)
    first = EIGHT_DIGITS
    while first < bound:
        first = 10 * first + EIGHT_DIGITS
    return first


def _numbered(cells: Any, by_day: bool) -> Any:
    """Set the fields from which casualties get their numbers, and return the cells.

    The casualties of all cells (and days, if they are counted by day) take turns, so that the number of one casualty
    does not depend on how many others there are.
    """
    cells["rank"][np.argsort(cells["name"], kind="stable")] = np.arange(len(cells))
    cells["first_number"] = cells["rank"]
    cells["cell_count"] = len(cells)
    cells["number_step"] = len(cells) * (MAX_DAYS if by_day else 1)
    return cells


def _add_events(builder: _Builder, group: int, front: int, scale: float, day_weights: list[float]) -> None:
    """Add the special events of a front: cells of the battle stream on one day (docs/model.md section 2.3.5).

    A mass casualty event is one incident instead, on the front and of the kind that are drawn. Of others, the weight is
    casualty_multiplier * duration_hours / 24 * weight of the day. The day weights sum to 1 under `total`;
    under `rates` their mean is 1.
    """
    scenario = builder.scenario
    seen: dict[str, int] = {}
    for index, event in enumerate(scenario.events):
        seen[event.event] = seen.get(event.event, 0) + 1
        if event.front is not None and event.front != scenario.fronts[front].name:
            continue
        template = tables.warfare_patterns()["special_event_templates"][event.event]
        multiplier = event.casualty_multiplier or float(template["casualty_multiplier"])
        weight = scale * multiplier * template["duration_hours"] / 24.0
        own = day_weights[(event.day or 1) - 1] or 1.0 / scenario.days
        weight *= own * (1.0 if scenario.casualties.rates is None else scenario.days)
        type_ = event.type or "conventional"
        agent = agent_share(type_)
        for kind, share in (("wounded", 1.0 - agent), ("agent", agent)):
            if event.event in ONE_INCIDENT_EVENTS:
                chance = share * (1.0 if event.front is not None else scenario.fronts[front].share or 0.0)
                builder.add(group, "battle", kind, front, type_, 0.0, (index, seen[event.event]), chance)
                continue
            builder.add(group, "battle", kind, front, type_, weight * share, (index, seen[event.event]))


def expected_arrivals(plan: ArrivalPlan) -> list[ExpectedArrivals]:
    """Return the expected casualties of every cell and day; those of 0 are left out.

    With depletion they are exact for rates that are independent from day to day, as long as there is strength left and
    replacements never fill it up.
    """
    table = _expected_table(plan)
    if plan.depletion:
        _deplete(plan, table)
    return [
        ExpectedArrivals(
            day + 1,
            plan.fronts[cell["front"]],
            plan.groups[cell["group"]].stream,
            CASUALTY_KINDS[cell["kind"]],
            *plan.labels[c],
            float(table[day, c]),
        )
        for day in range(plan.days)
        for c, cell in enumerate(plan.cells)
        if table[day, c] > 0.0
    ] + _expected_listed(plan)


def expected_total(plan: ArrivalPlan) -> float:
    """Return the expected casualties in all, before depletion: the sum of `expected_arrivals`, at once."""
    return fsum(_expected_table(plan).sum(axis=1).tolist()) + int(plan.listed["number"].sum())


def _expected_table(plan: ArrivalPlan) -> NDArray[np.float64]:
    """Return the expected casualties without depletion, shape (days, C)."""
    factors = day_factors(plan)
    of_events = _expected_of_events(plan)
    if plan.total is not None:
        in_group, at_events = np.zeros((2, len(plan.groups)))
        for cell, expected in zip(plan.cells, of_events, strict=True):
            in_group[cell["group"]] += cell["weight"]
            at_events[cell["group"]] += expected
        share_of = dict(plan.streams)
        front_total = {
            stream: fsum(group.share for group in plan.groups if group.stream == stream)
            for stream in share_of
        }
        means = [
            max(
                0.0,
                plan.total * share_of[group.stream] * (group.share / front_total[group.stream])
                - at_events[number],
            )
            / in_group[number]
            if in_group[number] > 0
            else 0.0
            for number, group in enumerate(plan.groups)
        ]
    else:
        means = [0.0] * len(plan.groups)
        for row in plan.rates:
            means[row["group"]] += _mean_rate(row)
    table = np.zeros((plan.days, len(plan.cells)))
    for c, cell in enumerate(plan.cells):
        table[:, c] = factors[:, c] * (cell["weight"] * means[cell["group"]] + of_events[c])
    return table


def _expected_of_events(plan: ArrivalPlan) -> NDArray[np.float64]:
    """Return the expected casualties of each cell of an event that is one incident, 0 for the others."""
    expected = np.zeros(len(plan.cells))
    for special in set(plan.cells["special"][plan.cells["most"] > 0].tolist()):
        own = (plan.cells["special"] == special) & (plan.cells["most"] > 0)
        chance = plan.cells["chance"][own]
        mean = 0.5 * (plan.cells["fewest"][own] + plan.cells["most"][own])
        expected[own] = chance / chance.sum() * mean
    return expected


def _expected_listed(plan: ArrivalPlan) -> list[ExpectedArrivals]:
    """Return the listed casualties by day, front, stream, kind and warfare type."""
    types = dict(zip(plan.cells["type"].tolist(), (type_ for type_, _ in plan.labels), strict=True))
    counts: dict[tuple[Any, ...], float] = {}
    for row in plan.listed:
        parts = ((int(row["kind"]), 1.0 - row["agent_share"]), (int(CasualtyKind.AGENT), row["agent_share"]))
        for kind, share in parts:
            place = (int(row["day"]), int(row["front"]), kind, types.get(int(row["type"])))
            counts[place] = counts.get(place, 0.0) + float(share * row["number"])
    return [
        ExpectedArrivals(
            day + 1,
            plan.fronts[front],
            STREAMS[max(0, kind - CasualtyKind.AGENT)],
            CASUALTY_KINDS[kind],
            type_,
            None,
            expected,
            True,
        )
        for (day, front, kind, type_), expected in sorted(counts.items(), key=lambda item: item[0][:3])
        if expected > 0.0
    ]


def expected_strength(plan: ArrivalPlan) -> NDArray[np.float64]:
    """Return the strength expected at the beginning of each day under `rates`, shape (days, fronts)."""
    return _deplete(plan, _expected_table(plan))


def _deplete(plan: ArrivalPlan, table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Multiply each day's expected casualties, shape (days, C), by the share of the strength expected to be there.

    Returns the strength at the beginning of each day, shape (days, fronts).
    """
    listed = listed_by_day(plan.listed, plan.days, len(plan.fronts))
    added = additions_by_day(plan.replacements, plan.returning, plan.listed, plan.days)
    stream = np.array([STREAMS.index(plan.groups[group].stream) for group in plan.cells["group"].tolist()])
    strength = np.zeros((plan.days, len(plan.fronts)))
    for front, population in enumerate(plan.populations.tolist()):
        of_front = plan.cells["front"] == front
        thinned = of_front & (plan.cells["most"] == 0)
        ratio = 1.0
        for day in range(plan.days):
            strength[day, front] = max(0.0, ratio) * population
            table[day, thinned] *= max(0.0, ratio)
            lost = float(table[day, of_front].sum()) + float(listed[day, front])
            if not len(added):
                ratio = max(0.0, ratio - lost / population)
            elif day + 1 < plan.days:
                later = added[day + 1 : day + 1 + plan.returning.shape[1], front]
                for number in range(len(STREAMS)):
                    drawn = float(table[day, of_front & (stream == number)].sum())
                    later += drawn * plan.returning[number, : len(later)]
                ratio = min(1.0, ratio - lost / population + float(added[day + 1, front]) / population)
    return strength


def _mean_rate(row: Any) -> float:
    """Return the mean of a row of RATE."""
    if row["code"] == numeric.LOGNORMAL_MEDIAN:
        return float(row["a"] * interpreted.exp(row["b"] * row["b"] / 2.0))
    if row["code"] == numeric.TRIANGULAR:
        return float(row["a"] + row["b"] + row["c"]) / 3.0
    return float(row["a"])


def day_factors(plan: ArrivalPlan) -> NDArray[np.float64]:
    """Return the factor on each cell's weight on each day, shape (days, C); 1 for a special event on its day."""
    factors = np.zeros((plan.days, len(plan.cells)))
    each = plan.day_weights if plan.total is not None else plan.day_weights * plan.days
    for c, day in enumerate(plan.cells["day"].tolist()):
        if day < 0:
            factors[:, c] = each
        else:
            factors[day, c] = 1.0
    return factors
