"""One brigade-like network, described once: the parameters, the goldenhour scenario, and what is measured.

POI -> Role 1 (triage team, bays) -> ambulances -> Role 2 (triage team, bays, tables, ward beds, finite `places`) ->
vehicles -> Role 3 without limit. The survival clock is off; casualties arrive one by one, Poisson. T1 and T2 need
surgery, T3 do not. The SimPy and Ciw models of this package are written from this module alone.
"""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

MINUTES_A_DAY = 1440.0

Sampler = Callable[[], float]
Base = Literal["origin", "destination"]


class Constant(NamedTuple):
    """A constant time in minutes."""

    mean: float

    def sampler(self, rng: random.Random) -> Sampler:
        """Return a function that draws minutes."""
        return lambda: self.mean

    def setting(self) -> dict[str, Any]:
        """Return the distribution as a scenario writes it."""
        return {"distribution": "constant", "mean": self.mean}


class Exponential(NamedTuple):
    """An exponential time in minutes."""

    mean: float

    def sampler(self, rng: random.Random) -> Sampler:
        """Return a function that draws minutes."""
        rate, draw = 1.0 / self.mean, rng.expovariate
        return lambda: draw(rate)

    def setting(self) -> dict[str, Any]:
        """Return the distribution as a scenario writes it."""
        return {"distribution": "exponential", "mean": self.mean}


class Lognormal(NamedTuple):
    """A lognormal time in minutes, by mean and standard deviation."""

    mean: float
    sd: float

    def sampler(self, rng: random.Random) -> Sampler:
        """Return a function that draws minutes."""
        variance = math.log(1.0 + (self.sd / self.mean) ** 2)
        mu, sigma, draw = math.log(self.mean) - variance / 2.0, math.sqrt(variance), rng.lognormvariate
        return lambda: draw(mu, sigma)

    def setting(self) -> dict[str, Any]:
        """Return the distribution as a scenario writes it."""
        return {"distribution": "lognormal", "mean": self.mean, "sd": self.sd}


class Triangular(NamedTuple):
    """A triangular time in minutes."""

    low: float
    mode: float
    high: float

    def sampler(self, rng: random.Random) -> Sampler:
        """Return a function that draws minutes."""
        low, mode, high, draw = self.low, self.mode, self.high, rng.triangular
        return lambda: draw(low, high, mode)

    def setting(self) -> dict[str, Any]:
        """Return the distribution as a scenario writes it."""
        return {"distribution": "triangular", "low": self.low, "mode": self.mode, "high": self.high}


Duration = Constant | Exponential | Lognormal | Triangular


@dataclass(frozen=True)
class Leg:
    """A pool of identical vehicles on one link; `minutes` is the time of one trip, and the trip back takes as long."""

    vehicles: int
    litters: int
    minutes: Duration
    load_minutes: float
    """Minutes for each patient."""
    unload_minutes: float
    base: Base


@dataclass(frozen=True)
class Role1:
    """Triage, then treatment; patients who wait for an ambulance hold no resource."""

    triage_teams: int
    triage: Duration
    bays: int
    care: Duration


@dataclass(frozen=True)
class Role2:
    """Triage, a bay for resuscitation or care, a table if needed, and a ward bed until the vehicle leaves."""

    triage_teams: int
    triage: Duration
    bays: int
    care: Duration
    resuscitation: Duration
    tables: int
    surgery: Duration
    ward_beds: int
    places: int
    """Patients inside or on the way, at most."""


@dataclass(frozen=True)
class Network:
    """The complete network. Times are in minutes."""

    per_day: float
    """Rate of a Poisson process of casualties."""
    shares: tuple[float, float, float]
    """Shares of T1, T2 and T3."""
    poi: Leg
    role1: Role1
    forward: Leg
    """From Role 1 to Role 2."""
    role2: Role2
    rear: Leg
    """From Role 2 to Role 3."""
    preparation: float = 2.5
    """Time from triage to readiness for a bay; it needs no resource (scenarios/data/model/care.toml)."""
    before_surgery: float = 15.0
    """Time from the end of resuscitation to readiness for a table, spent in the bay (the same file)."""


SHARES_FROM = 1_094_483
"""Number of goldenhour's battle casualties, without warfare type and clock, from which the shares were estimated.
Every run
of `bench.peers` checks the shares."""

BRIGADE = Network(
    per_day=84.0,
    shares=(0.1509, 0.1753, 0.6738),
    poi=Leg(4, 1, Lognormal(20.0, 8.0), 2.0, 2.0, "destination"),
    role1=Role1(triage_teams=1, triage=Exponential(5.0), bays=2, care=Exponential(20.0)),
    forward=Leg(4, 2, Lognormal(30.0, 10.0), 2.0, 2.0, "origin"),
    role2=Role2(
        triage_teams=1,
        triage=Exponential(5.0),
        bays=6,
        care=Triangular(25.0, 45.0, 70.0),
        resuscitation=Triangular(13.0, 28.0, 55.0),
        tables=3,
        surgery=Lognormal(100.0, 50.0),
        ward_beds=3,
        places=19,
    ),
    rear=Leg(5, 2, Lognormal(45.0, 15.0), 0.0, 2.0, "origin"),
)
"""The network of the SimPy model: two patients to a vehicle, ambulances that return to the origin."""

SINGLE = replace(
    BRIGADE,
    forward=Leg(7, 1, Lognormal(30.0, 10.0), 2.0, 2.0, "destination"),
    role2=replace(BRIGADE.role2, places=23),
    rear=Leg(8, 1, Lognormal(45.0, 15.0), 0.0, 2.0, "origin"),
)
"""The network of the Ciw model: one patient to a vehicle, and ambulances of Role 2 that fetch from Role 1, so that a
vehicle is free when its patient is inside."""

PER_DAY = "at Role 3 per day"
TIME_IN_SYSTEM = ("all", "T1", "T2", "T3")
MEASURES = (
    *(f"request to Role 3, {who}" for who in TIME_IN_SYSTEM),
    "wait: departure from POI",
    "wait: Role 1 triage",
    "wait: Role 1 bay",
    "wait: departure from Role 1",
    "wait: Role 2 triage",
    "wait: Role 2 bay",
    "wait: Role 2 table",
    "wait: Role 2 ward bed",
    "wait: departure from Role 2",
    "minutes in Role 2",
    PER_DAY,
)
"""Measures of a replication that every model reports: means in minutes over all its casualties, from the empty system
until the last one arrives at Role 3. Waits include those of 0 minutes. `departure` is the time from the request until
the vehicle leaves with the patient. `at Role 3 per day` counts only the days of the campaign."""

Measures = Mapping[str, float]


class Tally:
    """Sums and counts of the MEASURES of one replication."""

    def __init__(self) -> None:
        self._sums = dict.fromkeys(MEASURES, 0.0)
        self._counts = dict.fromkeys(MEASURES, 0)

    def add(self, measure: str, minutes: float) -> None:
        """Add one casualty's contribution to a mean."""
        self._sums[measure] += minutes
        self._counts[measure] += 1

    def means(self, days: int) -> Measures:
        """Return the MEASURES."""
        return {
            name: total / (days if name == PER_DAY else max(1, self._counts[name]))
            for name, total in self._sums.items()
        }


def scenario(network: Network, days: int) -> dict[str, Any]:
    """Return the network as a goldenhour scenario of `days` days."""
    one, two = network.role1, network.role2
    return {
        "name": "peers",
        "days": days,
        "casualties": {"rates": {"battle": Constant(network.per_day).setting()}},
        "fronts": [{"name": "Front", "population": 1000, "nations": {"NOR": 1.0}}],
        "survival": {"clock": False, "instant_death": 0.0},
        "complications": {"drawn": False},
        "model": {
            "treatments": {"treatments": {"needs": {"operates_by_category": 1}}},
            "care": {
                "preparation": {"minutes": [0.0] * 4, "after_operation_minutes": 0.0},
                "recovery": {"minutes": [0.0, 0.0], "routine_hours": 0.0},
            },
        },
        "triage_accuracy": 1.0,
        "facilities": [
            {
                "id": "R1",
                "role": 1,
                "policy_days": 0,
                "triage_teams": one.triage_teams,
                "triage_minutes": one.triage.setting(),
                "treatment_bays": one.bays,
                "care_minutes": one.care.setting(),
            },
            {
                "id": "R2",
                "role": 2,
                "kind": "role2_basic",
                "policy_days": 0,
                "triage_teams": two.triage_teams,
                "triage_minutes": two.triage.setting(),
                "treatment_bays": two.bays,
                "care_minutes": two.care.setting(),
                "resuscitation_minutes": two.resuscitation.setting(),
                "operating_tables": two.tables,
                "surgery_minutes": two.surgery.setting(),
                "ward_beds": two.ward_beds,
                "places": two.places,
            },
            {"id": "R3", "role": 3, "policy_days": 3650},
        ],
        "links": [
            _link("POI", "R1", "poi", network.poi),
            _link("R1", "R2", "forward", network.forward),
            _link("R2", "R3", "rear", network.rear),
        ],
        "vehicles": [
            _vehicle("poi", network.poi, "R1"),
            _vehicle("forward", network.forward, "R1" if network.forward.base == "origin" else "R2"),
            _vehicle("rear", network.rear, "R2" if network.rear.base == "origin" else "R3"),
        ],
    }


def _link(origin: str, destination: str, vehicle: str, leg: Leg) -> dict[str, Any]:
    return {
        "origin": origin,
        "destination": destination,
        "vehicle": vehicle,
        "minutes": leg.minutes.setting(),
    }


def _vehicle(name: str, leg: Leg, base: str) -> dict[str, Any]:
    return {
        "id": name,
        "kind": "ambulance_standard",
        "number": leg.vehicles,
        "base": base,
        "litters": leg.litters,
        "load_minutes": leg.load_minutes,
        "unload_minutes": leg.unload_minutes,
    }
