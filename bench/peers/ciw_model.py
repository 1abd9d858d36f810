"""The brigade network in Ciw: `network.SINGLE`, with one patient to a vehicle, which is what Ciw can model.

Vehicles are servers whose service is the sortie; priorities are priority classes; a bay held until the table is free,
and a bed until the vehicle is, are Ciw's blocking by finite node capacity. Node classes of our own do what Ciw leaves
open, as its manual shows: the blocked enter by priority instead of in the order in which they were blocked; vehicles
that come from elsewhere take the most urgent who wait when they are there; ambulances leave only while Role 2 has a
place. Where it deviates from goldenhour and the SimPy model:

- A vehicle holds one patient, as a server does: `network.SINGLE` is what the three can be compared on.
- A server is not free before its patient has moved on, so ambulances of Role 1 that return empty cannot be modelled;
  in `network.SINGLE` they are Role 2's. Those to Role 3 return to Role 2 within the service, for nobody waits beyond;
  nothing is loaded at Role 2 (`load_minutes` 0), for the bed is free when the vehicle is taken.
- Ciw draws from Python's global generator.

`python -m bench.peers.ciw_model` runs it by itself and prints casualties/s.
"""

import math
import time
from itertools import pairwise
from typing import Any

import ciw

from bench.peers.network import (
    MINUTES_A_DAY,
    PER_DAY,
    SINGLE,
    Constant,
    Duration,
    Exponential,
    Leg,
    Lognormal,
    Measures,
    Network,
    Tally,
    Triangular,
)

CLASSES = {"T1": 0, "T2": 1, "T3": 2}
"""Customer classes and their priorities."""

(
    POI_VEHICLES,
    ROLE1_TRIAGE,
    ROLE1_PREPARATION,
    ROLE1_BAYS,
    AMBULANCES,
    ROLE2_TRIAGE,
    ROLE2_PREPARATION,
    ROLE2_BAYS,
    TABLES,
    WARD,
    REAR_VEHICLES,
) = range(1, 12)
"""Nodes."""


class PriorityBlocking(ciw.Node):  # type: ignore[misc]
    """A node whose blocked individuals enter the next one by priority, and first come first served within a
    priority.
    """

    def block_individual(self, individual: Any, next_node: Any) -> None:
        """Block an individual, in front of all of lower priority."""
        super().block_individual(individual, next_node)
        queue = next_node.blocked_queue
        node, number = queue.pop()
        priority = individual.priority_class
        position = len(queue)
        while position and queue[position - 1][2] > priority:
            position -= 1
        queue.insert(position, (node, number, priority))


class Fetching(PriorityBlocking):
    """Vehicles that come from the destination: the service is the trip out, then the trip with the most urgent patient.

    Any waiting patient may be the one who leaves; the patient who called the vehicle then gets the state of the other.
    This is necessary because Ciw binds a customer to a server from the start of the service.
    """

    def __init__(self, id_: int, simulation: Any) -> None:
        super().__init__(id_, simulation)
        self.leg: Leg | None = None
        self.ride: Any = None
        self.departures: dict[int, float] = {}
        """Departure times by patient."""

    def serves(self, leg: Leg) -> None:
        """Set the leg, before the run."""
        self.leg, self.ride = leg, distribution(leg.minutes)

    def finish_service(self) -> None:
        """Handle a vehicle that reaches the patients, or the destination with its patient."""
        individual = self.decide_between_simultaneous_individuals()
        self.next_individual = [individual]
        if individual.id_number in self.departures:
            super().finish_service()
            return
        assert self.leg is not None
        patient = next(one for one in self.all_individuals if one.id_number not in self.departures)
        if patient is not individual:
            self.exchange(patient, individual)
        departure = self.now + self.leg.load_minutes
        self.departures[patient.id_number] = departure
        patient.service_end_date = departure + self.ride.sample() + self.leg.unload_minutes
        patient.server.next_end_service_date = patient.service_end_date

    @staticmethod
    def exchange(one: Any, other: Any) -> None:
        """Exchange the vehicles and times of two patients, of whom one may have no vehicle."""
        for name in ("server", "service_start_date", "service_time", "service_end_date"):
            mine, yours = getattr(one, name), getattr(other, name)
            setattr(one, name, yours)
            setattr(other, name, mine)
        for patient in (one, other):
            if patient.server:
                patient.server.cust = patient


class Ambulances(Fetching):
    """Vehicles that leave only if Role 2 has a place, which is reserved from then on."""

    places = 0
    inside = 0

    def choose_next_customer(self) -> Any:
        """Choose the next customer; None while Role 2 is full."""
        return super().choose_next_customer() if self.inside < self.places else None

    def attach_server(self, server: Any, individual: Any) -> None:
        """Let a vehicle leave, and reserve a place."""
        super().attach_server(server, individual)
        self.inside += 1

    def free_place(self) -> None:
        """Free the place of a patient who has left Role 2."""
        self.inside -= 1
        self.begin_service_if_possible_change_shift()


class Ward(PriorityBlocking):
    """Beds; a patient who leaves a bed leaves Role 2."""

    def release(self, next_individual: Any, next_node: Any, reroute: bool = False) -> None:
        """Let a patient leave with a vehicle."""
        super().release(next_individual, next_node, reroute)
        self.simulation.transitive_nodes[AMBULANCES - 1].free_place()


class Sortie(ciw.dists.Distribution):  # type: ignore[misc]
    """Time of a vehicle in minutes: load, trip, unload, trip back. The patient stores the time of arrival."""

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.drive = distribution(leg.minutes)

    def sample(self, t: float | None = None, ind: Any = None) -> float:
        """Return the minutes until the vehicle is back."""
        ride: float = self.drive.sample()
        ind.arrives = (t or 0.0) + self.leg.load_minutes + ride + self.leg.unload_minutes
        return self.leg.load_minutes + ride + self.leg.unload_minutes + ride


class UntilTheEnd(ciw.dists.Distribution):  # type: ignore[misc]
    """Poisson arrivals until `end`."""

    def __init__(self, rate: float, end: float) -> None:
        self.exponential = ciw.dists.Exponential(rate)
        self.end = end

    def sample(self, t: float | None = None, ind: Any = None) -> float:
        """Return the minutes to the next arrival; infinity after the last."""
        gap: float = self.exponential.sample()
        return gap if (t or 0.0) + gap < self.end else math.inf


def distribution(minutes: Duration) -> Any:
    """Return the distribution as Ciw has it."""
    match minutes:
        case Exponential(mean):
            return ciw.dists.Exponential(1.0 / mean)
        case Lognormal(mean, sd):
            variance = math.log(1.0 + (sd / mean) ** 2)
            return ciw.dists.Lognormal(math.log(mean) - variance / 2.0, math.sqrt(variance))
        case Triangular(low, mode, high):
            return ciw.dists.Triangular(low, mode, high)
        case Constant(mean):
            return ciw.dists.Deterministic(mean)


def simulation(network: Network, days: int) -> Any:
    """Return the Ciw simulation of this network."""
    one, two = network.role1, network.role2
    none = ciw.dists.Deterministic(0.0)
    preparation = ciw.dists.Deterministic(network.preparation)
    operated = distribution(two.resuscitation) + ciw.dists.Deterministic(network.before_surgery)
    nodes = [  # servers, places in the queue, service times
        (network.poi.vehicles, math.inf, distribution(network.poi.minutes)),
        (one.triage_teams, math.inf, distribution(one.triage)),
        (math.inf, math.inf, preparation),
        (one.bays, math.inf, distribution(one.care)),
        (network.forward.vehicles, math.inf, distribution(network.forward.minutes)),
        (two.triage_teams, math.inf, distribution(two.triage)),
        (math.inf, math.inf, preparation),
        (two.bays, math.inf, distribution(two.care)),
        (two.tables, 0, distribution(two.surgery)),
        (two.ward_beds, 0, none),
        (network.rear.vehicles, 0, Sortie(network.rear)),
    ]
    services = {name: [service for _, _, service in nodes] for name in CLASSES}
    services["T1"][ROLE2_BAYS - 1] = services["T2"][ROLE2_BAYS - 1] = operated
    everywhere = list(range(1, len(nodes) + 1))
    routes = dict.fromkeys(CLASSES, everywhere)
    routes["T3"] = [node for node in everywhere if node != TABLES]
    rates = {name: network.per_day * share / MINUTES_A_DAY for name, share in zip(CLASSES, network.shares)}
    described = ciw.create_network(
        arrival_distributions={
            name: [UntilTheEnd(rate, days * MINUTES_A_DAY), *[None] * (len(nodes) - 1)]
            for name, rate in rates.items()
        },
        service_distributions=services,
        number_of_servers=[servers for servers, _, _ in nodes],
        queue_capacities=[places for _, places, _ in nodes],
        routing={
            name: ciw.routing.NetworkRouting(_routers(route, len(nodes))) for name, route in routes.items()
        },
        priority_classes=CLASSES,
    )
    classes = [PriorityBlocking] * len(nodes)
    classes[POI_VEHICLES - 1] = Fetching
    classes[AMBULANCES - 1] = Ambulances
    classes[WARD - 1] = Ward
    result = ciw.Simulation(described, node_class=classes)
    result.transitive_nodes[POI_VEHICLES - 1].serves(network.poi)
    result.transitive_nodes[AMBULANCES - 1].serves(network.forward)
    result.transitive_nodes[AMBULANCES - 1].places = two.places
    return result


def _routers(route: list[int], nodes: int) -> list[Any]:
    """Return the routing along the nodes of the route and out of the network."""
    following = dict(pairwise(route))
    return [
        ciw.routing.Direct(to=following[node]) if node in following else ciw.routing.Leave()
        for node in range(1, nodes + 1)
    ]


def run(network: Network, days: int, seed: int) -> Measures:
    """Return the means of one replication, which ends when the last casualty is at Role 3."""
    ciw.seed(seed)
    model = simulation(network, days)
    model.simulate_until_max_time(math.inf)
    return measures(model, days)


def measures(model: Any, days: int) -> Measures:
    """Return the MEASURES from Ciw's records."""
    tally = Tally()
    left_poi = model.transitive_nodes[POI_VEHICLES - 1].departures
    left_role1 = model.transitive_nodes[AMBULANCES - 1].departures
    for patient in model.nodes[-1].all_individuals:
        number = patient.id_number
        at = {record.node: record for record in patient.data_records}
        requested, bay, table = at[POI_VEHICLES].arrival_date, at[ROLE2_BAYS], at.get(TABLES)
        left_role2 = at[REAR_VEHICLES].service_start_date
        tally.add("request to Role 3, all", patient.arrives - requested)
        tally.add(f"request to Role 3, {patient.customer_class}", patient.arrives - requested)
        tally.add("wait: departure from POI", left_poi[number] - requested)
        tally.add("wait: Role 1 triage", at[ROLE1_TRIAGE].waiting_time)
        tally.add("wait: Role 1 bay", at[ROLE1_BAYS].waiting_time)
        tally.add("wait: departure from Role 1", left_role1[number] - at[AMBULANCES].arrival_date)
        tally.add("wait: Role 2 triage", at[ROLE2_TRIAGE].waiting_time)
        tally.add("wait: Role 2 bay", bay.waiting_time)
        if table is not None:
            tally.add("wait: Role 2 table", bay.time_blocked)
        tally.add("wait: Role 2 ward bed", (table or bay).time_blocked)
        tally.add("wait: departure from Role 2", left_role2 - at[WARD].arrival_date)
        tally.add("minutes in Role 2", left_role2 - at[ROLE2_TRIAGE].arrival_date)
        if patient.arrives < days * MINUTES_A_DAY:
            tally.add(PER_DAY, 1.0)
    return tally.means(days)


def main() -> None:
    """Run one long replication and print its means."""
    days = 30
    begun = time.perf_counter()
    means = run(SINGLE, days, 1)
    seconds = time.perf_counter() - begun
    for name, value in means.items():
        print(f"{name:32} {value:10.2f}")
    print(f"{SINGLE.per_day * days / seconds:,.0f} casualties/s")


if __name__ == "__main__":
    main()
