"""goldenhour against queueing theory: every row of docs/model.md section 3.2.10 as a scenario, as one table.

`make bench-theory` runs it. Each system is a scenario without the survival clock: non-battle injuries arrive in a
Poisson process at a facility with `treatment_bays` as servers and `care_minutes` of a given distribution. The constant
preparation before a bay delays all patients alike and changes no queue. Loss systems have `places`; a second facility
without limit takes the patients that the first one refuses. A line fails if the exact value lies outside the confidence
interval of the measured one; the intervals hold for all lines together (99 %, Bonferroni, Student's t over the
replications). Six relaxation times at the start and at the end are discarded. Little's law is checked for every
resource of every run. The exit code is 1 if a line fails.
"""

import argparse
import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import stats

from bench import results_file
from engine import scenario as scenario_api
from engine.codes import AT_POI, EVENTS
from engine.run import Simulation
from engine.scenario import Scenario
from engine.tables import columns as c

Floats = NDArray[np.float64]
Measured = dict[str, float]

CONFIDENCE = 0.99
"""Confidence level of all lines together."""
SIZES = {"small": (30, 0.15), "full": (30, 1.0)}
"""By size: replications, and the factor on the patients of each."""
LITTLE = 1e-9
"""Allowed relative error of Little's law within the kernel's statistics."""
RECORDED = 1e-5
"""Allowed error of Little's law against the times in the records, which are whole milliseconds."""
MINUTE = 60_000.0
DAY_MINUTES = 1440.0
PREPARATION = 2.5
"""Minutes between triage and readiness for a bay (scenarios/data/model/care.toml)."""
WAY = 1.0 / 60.0
"""Minutes of the shortest leg, to which a leg of 0 minutes is rounded up."""
RELAXATIONS = 6.0


class Service(NamedTuple):
    """Distribution of the service and its mean in units of time."""

    distribution: str
    mean: float
    k: int | None = None

    def setting(self, unit: float) -> dict[str, Any]:
        """Return the distribution as a scenario writes it; a unit of time has `unit` minutes."""
        stages = {} if self.k is None else {"k": self.k}
        return {"distribution": self.distribution, "mean": self.mean * unit, **stages}


@dataclass(frozen=True, kw_only=True)
class System:
    """A queueing system in its own unit of time, and its exact values."""

    name: str
    rates: tuple[float, ...]
    """Arrivals per unit of time, by category."""
    servers: int | None
    service: Service
    patients: int
    """Patients of a replication, before the factor of the size."""
    expected: Mapping[str, float]
    """Exact values by the names that `measure` returns; times in units."""
    bumping: bool = False
    places: int | None = None
    """Places of a loss system."""
    then: tuple[int, Service] | None = None
    """Servers and service of the second facility of a tandem."""
    unit: float = 10.0
    """Minutes in a unit of time."""

    @property
    def rate(self) -> float:
        """All arrivals per unit of time."""
        return math.fsum(self.rates)

    def cut(self) -> float:
        """Return the units of time to discard at both ends: relaxation times of the M/M/c queue (Cohen 1982)."""
        if self.places is not None:
            return 10.0 * self.service.mean
        stations = [(self.servers or 1, self.service), *([self.then] if self.then else [])]
        return RELAXATIONS * max(
            (math.sqrt(servers / service.mean) - math.sqrt(self.rate)) ** -2 for servers, service in stations
        )


def exponential(mean: float) -> Service:
    """Return an exponential service."""
    return Service("exponential", mean)


def mmc(
    rate: float, mu: float, servers: int, patients: int, values: Sequence[float], note: str = ""
) -> System:
    """Return an M/M/c system with its exact values (docs/model.md section 3.2.10)."""
    name = f"M/M/{servers} λ={rate:g} μ={mu:g}{note}"
    names = ("P(wait)", "Wq", "W", "Lq", "L")
    expected = dict(zip(names, values))
    return System(
        name=name,
        rates=(0.0, 0.0, rate),
        servers=servers,
        service=exponential(1.0 / mu),
        patients=patients,
        expected=expected,
    )


def single(kind: str, service: Service, rate: float, patients: int, wait: float) -> System:
    """Return an M/G/1 system with a service of mean 1."""
    return System(
        name=f"M/{kind}/1 load {rate:g}",
        rates=(0.0, 0.0, rate),
        servers=1,
        service=service,
        patients=patients,
        expected={"Wq": wait},
    )


def loss_states(rate: float, mu: float, servers: int, places: int, before: float) -> list[float]:
    """Return P(n patients inside), n = 0..places, of an M/M/c/K system with a delay `before` that needs no server.

    Product form: an infinite-server station, insensitive to its distribution, and an M/M/c station, with a limit on
    both together; blocked arrivals are lost. With `before` = 0 it is M/M/c/K.
    """
    weights = [0.0] * (places + 1)
    for delayed in range(places + 1):
        for rest in range(places + 1 - delayed):
            served = math.prod(rate / (mu * min(k, servers)) for k in range(1, rest + 1))
            weights[delayed + rest] += (rate * before) ** delayed / math.factorial(delayed) * served
    return [w / math.fsum(weights) for w in weights]


def mm23() -> System:
    """Return M/M/2/3 (simmer's vignette) with the preparation inside; without it: .468007 .351005 .131627 .049360."""
    unit = 5000.0
    p = loss_states(3.0, 4.0, 2, 3, (PREPARATION + WAY) / unit)
    return System(
        name="M/M/2/3 λ=3 μ=4",
        rates=(0.0, 0.0, 3.0),
        servers=2,
        service=exponential(0.25),
        patients=3000,
        expected={
            **{f"p{n}": value for n, value in enumerate(p)},
            "N": math.fsum(n * value for n, value in enumerate(p)),
            "loss": p[3],
        },
        places=3,
        unit=unit,
    )


def erlang_b() -> System:
    """Return Erlang B, a = 4, c = 5: five places, no other limit; preparation and care together are the service."""
    unit = 500.0
    care = 1.0 - (PREPARATION + WAY) / unit
    return System(
        name="Erlang B a=4 c=5",
        rates=(0.0, 0.0, 4.0),
        servers=None,
        service=exponential(care),
        patients=20_000,
        expected={"loss": 0.199067},
        places=5,
        unit=unit,
    )


def systems() -> list[System]:
    """Return the systems of docs/model.md section 3.2.10."""
    erlang = Service("erlang", 1.0, 2)
    constant = Service("constant", 1.0)
    return [
        mmc(0.5, 1, 1, 20_000, (0.5, 1.0, 2.0, 0.5, 1.0)),
        mmc(0.8, 1, 1, 40_000, (0.8, 4.0, 5.0, 3.2, 4.0)),
        mmc(0.9, 1, 1, 60_000, (0.9, 9.0, 10.0, 8.1, 9.0)),
        mmc(5, 8, 1, 20_000, (0.625, 0.208333, 0.333333, 1.041667, 1.666667)),
        mmc(1.6, 1, 2, 40_000, (0.711111, 1.777778, 2.777778, 2.844444, 4.444444)),
        mmc(1.8, 1, 2, 60_000, (0.852632, 4.263158, 5.263158, 7.673684, 9.473684)),
        mmc(0.2, 0.1, 3, 20_000, (0.444444, 4.444444, 14.444444, 0.888889, 2.888889)),
        mmc(4, 1, 5, 40_000, (0.554113, 0.554113, 1.554113, 2.216450, 6.216450)),
        mmc(9, 1, 10, 60_000, (0.668732, 0.668732, 1.668732, 6.018584, 15.018584)),
        mm23(),
        erlang_b(),
        single("D", constant, 0.5, 20_000, 0.5),
        single("D", constant, 0.8, 30_000, 2.0),
        single("D", constant, 0.9, 50_000, 4.5),
        single("E₂", erlang, 0.5, 20_000, 0.75),
        single("E₂", erlang, 0.8, 30_000, 3.0),
        single("E₂", erlang, 0.9, 50_000, 6.75),
        System(
            name="M/M/1 priorities λ=(.3, .5)",
            rates=(0.3, 0.5, 0.0),
            servers=1,
            service=exponential(1.0),
            patients=40_000,
            expected={"Wq T1": 1.142857, "Wq T2": 5.714286},
        ),
        System(
            name="the same, pre-emptive resume",
            rates=(0.3, 0.5, 0.0),
            servers=1,
            service=exponential(1.0),
            patients=40_000,
            expected={"W T1": 1.428571, "W T2": 7.142857},
            bumping=True,
        ),
        System(
            name="M/M/3 priorities λ=(1.0, 1.4)",
            rates=(1.0, 1.4, 0.0),
            servers=3,
            service=exponential(1.0),
            patients=40_000,
            expected={"Wq T1": 0.323596, "Wq T2": 1.617978},
        ),
        System(
            name="M/M/3 λ=2.4, first come first served",
            rates=(0.0, 0.0, 2.4),
            servers=3,
            service=exponential(1.0),
            patients=40_000,
            expected={"Wq": 1.078652},
        ),
        System(
            name="tandem: M/M/1, M/M/2, load .8",
            rates=(0.0, 0.0, 0.8),
            servers=1,
            service=exponential(1.0),
            patients=40_000,
            expected={
                "Wq": 4.0,
                "L": 4.0,
                "Wq second": 2 * 1.777778,
                "L second": 4.444444,
                "P(both empty)": 0.2 / 9.0,  # product form: (1 - ρ) (1 - ρ) / (1 + ρ)
            },
            then=(2, exponential(2.0)),
        ),
    ]


def scenario(system: System, factor: float) -> Scenario:
    """Return the checked and resolved scenario of a system; `factor` multiplies the number of patients."""
    rate = system.rate
    days = max(1, math.ceil(factor * system.patients * system.unit / (rate * DAY_MINUTES)))
    given = {
        "name": "theory",
        "days": days,
        "casualties": {"rates": {"nbi": _constant(rate * DAY_MINUTES / system.unit / 100)}},
        "fronts": [{"name": "Front", "population": 100_000, "nations": {"NOR": 1.0}}],
        "triage": {"nbi": {f"T{k}": share / rate for k, share in enumerate(system.rates, 1)}},
        "triage_accuracy": 1.0,
        "retriage_minutes": None,
        "survival": {"clock": False},
        "complications": {"drawn": False},
        "bumping": system.bumping,
        "model": {"care": {"preparation": {"minutes": [0.0] * 4, "after_operation_minutes": 0.0}}},
        **_network(system),
    }
    parsed = scenario_api.parse(msgspec.json.encode(given), "json")
    scenario_api.check(parsed)
    return scenario_api.resolve(parsed)


def _network(system: System) -> dict[str, Any]:
    """Return facilities and links as a scenario writes them."""
    onwards = bool(system.then) or system.places is not None
    first = _facility("first", 1 if system.then else 2, system.servers, system.service.setting(system.unit))
    first["policy_days"] = 0 if onwards else 3650
    if system.places is not None:
        first["places"] = system.places
        second = _facility("second", 2, None, system.service.setting(system.unit)) | {"policy_days": 0}
        last = {"id": "last", "role": 3, "policy_days": 3650}
        links = [
            _link("POI", "first", 0.0),
            _link("POI", "second", 5.0),
            _link("first", "last", 0.0),
            _link("second", "last", 0.0),
        ]
        return {"facilities": [first, second, last], "links": links}
    if system.then:
        servers, service = system.then
        second = _facility("second", 2, servers, service.setting(system.unit)) | {"policy_days": 3650}
        links = [_link("POI", "first", 0.0), _link("first", "second", 0.0)]
        return {"facilities": [first, second], "links": links}
    return {"facilities": [first], "links": [_link("POI", "first", 0.0)]}


def _facility(name: str, role: int, servers: int | None, care: dict[str, Any]) -> dict[str, Any]:
    bays = {} if servers is None else {"treatment_bays": servers}
    return {"id": name, "role": role, "triage_minutes": _constant(0.0), "care_minutes": care, **bays}


def _link(origin: str, destination: str, minutes: float) -> dict[str, Any]:
    return {"origin": origin, "destination": destination, "minutes": _constant(minutes)}


def _constant(mean: float) -> dict[str, Any]:
    return {"distribution": "constant", "mean": mean}


class Log:
    """The event log of a replication: times in ms by patient, kind of event and facility."""

    def __init__(self, chunks: Iterable[c.Chunk]) -> None:
        events, categories = [], []
        for chunk in chunks:
            chunk.events["patient"] += chunk.first
            events.append(chunk.events)
            categories.append(chunk.patients["triage"].copy())
        self.category = np.concatenate(categories)
        """True triage, which is the assigned one here."""
        self._events = np.concatenate(events)

    def at(self, kind: str, facility: int) -> Floats:
        """Return the time in ms of each patient's first such event there, shape (patients,); NaN if there is none."""
        e = self._events
        rows = e[(e["kind"] == EVENTS.index(kind)) & (e["facility"] == facility)]
        times = np.full(len(self.category), np.nan)
        times[rows["patient"][::-1]] = rows["at"][::-1]
        return times


class Visits(NamedTuple):
    """Visits to one facility, in ms: when each patient is ready for a bay, starts and ends there."""

    ready: Floats
    start: Floats
    end: Floats


def visits(log: Log, facility: int) -> Visits:
    """Return the visits of all patients, in record order."""
    ready = log.at("triaged", facility) + PREPARATION * MINUTE
    return Visits(ready, log.at("care_started", facility), log.at("care_ended", facility))


def measure(system: System, log: Log, days: int) -> Measured:
    """Return the measurements of a replication in the system's unit of time, without both ends."""
    ms = system.unit * MINUTE
    window = (system.cut() * ms, days * DAY_MINUTES * MINUTE - system.cut() * ms)
    if window[1] - window[0] < window[0]:
        raise SystemExit(f"{system.name}: {days} days are too few to discard both ends")
    if system.places is not None:
        return measure_loss(system.places, log, window)
    first = visits(log, 0)
    result = measure_queue(first, log.category, window, ms)
    if system.then:
        second = visits(log, 1)
        more = measure_queue(second, log.category, window, ms)
        result |= {f"{name} second": value for name, value in more.items()}
        busy = covered(
            np.concatenate([first.ready, second.ready]), np.concatenate([first.end, second.end]), window
        )
        result["P(both empty)"] = 1.0 - busy
    return result


def measure_queue(v: Visits, category: NDArray[Any], window: tuple[float, float], ms: float) -> Measured:
    """Return means over the patients who arrive within the window, and over its time."""
    inside = (v.ready >= window[0]) & (v.ready < window[1])
    wait, stay = (v.start - v.ready) / ms, (v.end - v.ready) / ms
    result = {
        "P(wait)": float(np.mean((v.start - v.ready)[inside] > 1.0)),
        "Wq": float(wait[inside].mean()),
        "W": float(stay[inside].mean()),
        "Lq": mean_number(v.ready, v.start, window),
        "L": mean_number(v.ready, v.end, window),
    }
    for k in np.unique(category):
        mine = inside & (category == k)
        result[f"Wq T{k}"] = float(wait[mine].mean())
        result[f"W T{k}"] = float(stay[mine].mean())
    return result


def measure_loss(places: int, log: Log, window: tuple[float, float]) -> Measured:
    """Return states and loss of the first facility; a place is taken from the request to the departure."""
    requested = log.at("evacuation_requested", AT_POI)
    left = log.at("departed", 0)
    lost = np.isnan(log.at("arrived", 0))
    inside = (requested >= window[0]) & (requested < window[1])
    p = state_shares(requested[~lost], left[~lost], places, window)
    result = {f"p{n}": value for n, value in enumerate(p)}
    result["N"] = math.fsum(n * value for n, value in enumerate(p))
    result["loss"] = float(lost[inside].mean())
    return result


def mean_number(begin: Floats, end: Floats, window: tuple[float, float]) -> float:
    """Return the mean number of intervals [begin, end) over the window."""
    shared = np.minimum(end, window[1]) - np.maximum(begin, window[0])
    return float(np.maximum(shared, 0.0).sum() / (window[1] - window[0]))


def covered(begin: Floats, end: Floats, window: tuple[float, float]) -> float:
    """Return the share of the window covered by at least one interval [begin, end)."""
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], end[order]
    reached = np.concatenate([[-math.inf], np.maximum.accumulate(end)[:-1]])
    fresh = np.maximum(begin, reached)
    return mean_number(fresh, np.maximum(end, fresh), window)


def state_shares(begin: Floats, end: Floats, most: int, window: tuple[float, float]) -> list[float]:
    """Return the shares of the window with 0..most intervals [begin, end). Raises SystemExit if there are more."""
    some = end > begin
    times = np.concatenate([[-math.inf], begin[some], end[some]])
    steps = np.concatenate([[0.0], np.ones(some.sum()), -np.ones(some.sum())])
    order = np.lexsort((steps, times))  # at equal times departures come before arrivals
    times, number = times[order], np.cumsum(steps[order]).astype(np.int64)
    if number.max() > most:
        raise SystemExit(f"{number.max()} patients in {most} places")
    until = np.append(times[1:], math.inf)
    length = np.maximum(0.0, np.minimum(until, window[1]) - np.maximum(times, window[0]))
    shares = np.bincount(number, length, most + 1) / (window[1] - window[0])
    return [float(share) for share in shares]


def law_of_little(simulation: Simulation, system: System, log: Log) -> tuple[float, float]:
    """Return the largest relative errors of Little's law: of the statistics alone, and against times of the records."""
    flow = simulation.flow
    recorded = 0.0
    for row in flow.resources():
        queue, used = row["mean_queue"] * flow.milliseconds, row["mean_in_use"] * flow.milliseconds
        facility = 1 if row["facility"] == "second" else 0
        v = visits(log, facility)
        waits, stays = float(np.nansum(v.start - v.ready)), float(np.nansum(v.end - v.ready))
        if row["resource"] == "places":
            pairs = [
                (
                    used,
                    float(np.nansum(log.at("departed", facility) - log.at("evacuation_requested", AT_POI))),
                )
            ]
        elif system.bumping:
            pairs = [(queue + used, stays)]
        else:
            pairs = [(queue, waits), (used, stays - waits)]
        rounding = 0.5e-6 * flow.milliseconds  # the figures have six decimals
        recorded = max([recorded, *(max(0.0, abs(a - b) - rounding) / b for a, b in pairs)])
    return flow.little_error(), recorded


class Line(NamedTuple):
    """One line of the table."""

    system: str
    what: str
    expected: float
    measured: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the exact value lies in the interval."""
        return self.low <= self.expected <= self.high


def replicate(
    system: System, replications: int, factor: float, seed: int
) -> tuple[list[Measured], float, float, int]:
    """Return the measurements of each replication, the largest errors of Little's law, and the number of patients."""
    resolved = scenario(system, factor)
    results, own, recorded, patients = [], 0.0, 0.0, 0
    for replication in range(replications):
        simulation = Simulation(resolved, seed, replication)
        log = Log(simulation)
        patients += len(log.category)
        results.append(measure(system, log, resolved.days))
        errors = law_of_little(simulation, system, log)
        own, recorded = max(own, errors[0]), max(recorded, errors[1])
    return results, own, recorded, patients


def lines_of(system: System, results: Sequence[Measured], lines: int) -> Iterator[Line]:
    """Yield the lines of a system; `lines` is the number of lines that share the confidence level."""
    t = float(stats.t.ppf(1.0 - (1.0 - CONFIDENCE) / (2 * lines), len(results) - 1))
    for what, expected in system.expected.items():
        values = np.array([result[what] for result in results])
        half = t * float(values.std(ddof=1)) / math.sqrt(len(values))
        mean = float(values.mean())
        yield Line(system.name, what, expected, mean, mean - half, mean + half)


def little_lines(name: str, own: float, recorded: float) -> Iterator[Line]:
    """Yield the lines of Little's law, whose errors must be nearly 0."""
    yield Line(name, "Little's law, every resource", 0.0, own, own - LITTLE, own + LITTLE)
    yield Line(name, "the same, from the records", 0.0, recorded, recorded - RECORDED, recorded + RECORDED)


def show(lines: Iterable[Line], title: str) -> None:
    """Print the table."""
    table = Table(title=title, title_justify="left")
    for name in ("System", "What"):
        table.add_column(name)
    for name in ("Exact", "Measured", "99 % CI of all", ""):
        table.add_column(name, justify="right")
    before = ""
    for line in lines:
        little = line.expected == 0.0
        shown = f"{line.measured:.0e}" if little else f"{line.measured:.4f}"
        table.add_row(
            line.system if line.system != before else "",
            line.what,
            "0" if little else f"{line.expected:.6f}",
            shown,
            f"within {line.high - line.measured:.0e}" if little else f"{line.low:.4f} to {line.high:.4f}",
            "ok" if line.holds else "[bold red]FAILED[/]",
        )
        before = line.system
    Console(width=None if sys.stdout.isatty() else 130).print(table)


def main() -> int:
    """Measure, print and save the figures; return 1 if a line fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--only", default="", help="systems whose name contains this")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    replications, factor = SIZES[options.size]
    chosen = [system for system in systems() if options.only in system.name]
    count = sum(len(system.expected) for system in chosen)
    begun = time.perf_counter()
    lines: list[Line] = []
    total = 0
    for number, system in enumerate(chosen, 1):
        results, own, recorded, patients = replicate(system, replications, factor, options.seed + number)
        total += patients
        lines += [*lines_of(system, results, count), *little_lines(system.name, own, recorded)]
        print(f"{number}/{len(chosen)} {system.name}: {patients:,} patients", flush=True)
    seconds = round(time.perf_counter() - begun, 1)
    show(lines, f"Theory: {replications} replications, {total:,} patients, {seconds} s")
    failed = sum(not line.holds for line in lines)
    path = results_file.append(
        "theory",
        {
            "size": options.size,
            "seed": options.seed,
            "replications": replications,
            "patients": total,
            "seconds": seconds,
            "lines": [line._asdict() | {"holds": line.holds} for line in lines],
        },
    )
    print(f"{len(lines) - failed} of {len(lines)} hold; figures appended to bench/results/{path.name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
