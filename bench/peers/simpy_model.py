"""The brigade network in SimPy: a process for each casualty, priority resources, and dispatched vehicles.

It does all that goldenhour does in this network, by the same rules:

- Queues by triage category, first come first served within, never pre-emptive.
- A vehicle leaves its base when more wait than are being fetched and the destination has a place, which is kept; it
  loads the most urgent who wait when it is there, further ones only into further places, brings all and goes back.
- A bay is held until the table is free, bay and table until the ward bed is, the bed until the vehicle leaves.

`python -m bench.peers.simpy_model` runs it by itself and prints casualties/s.
"""

import random
import time
from collections.abc import Generator
from heapq import heappop, heappush
from itertools import count
from typing import Any

import simpy
from simpy.resources.resource import PriorityRequest

from bench.peers.network import BRIGADE, MINUTES_A_DAY, PER_DAY, Leg, Measures, Network, Tally

Process = Generator[simpy.Event, Any, Any]


class Passenger:
    """A patient who waits for transport: the event `left` is the departure, `arrived` the arrival."""

    __slots__ = ("arrived", "left")

    def __init__(self, env: simpy.Environment) -> None:
        self.left = env.event()
        self.arrived = env.event()


class Places:
    """The places of a facility, for patients inside or on the way."""

    def __init__(self, number: float) -> None:
        self.free = number
        self.feeder: Pool | None = None
        """The pool that brings patients."""

    def free_one(self) -> None:
        """Free the place of a patient who has left."""
        self.free += 1
        if self.feeder is not None:
            self.feeder.dispatch()


class Pool:
    """The vehicles of one leg, their base, and the patients who wait for them."""

    def __init__(self, env: simpy.Environment, rng: random.Random, leg: Leg, into: Places) -> None:
        self.env = env
        self.drive = leg.minutes.sampler(rng)
        self.idle = leg.vehicles
        self.litters = leg.litters
        self.load = leg.load_minutes
        self.unload = leg.unload_minutes
        self.comes = leg.base == "destination"
        self.into = into
        into.feeder = self
        self.waiting: list[tuple[int, int, Passenger]] = []
        self.coming = 0
        """Litters of the vehicles on their way to waiting patients."""
        self.order = count()

    def call(self, category: int) -> Passenger:
        """Request transport."""
        passenger = Passenger(self.env)
        heappush(self.waiting, (category, next(self.order), passenger))
        self.dispatch()
        return passenger

    def dispatch(self) -> None:
        """Send vehicles while more patients wait than litters are on the way, a vehicle is idle and there is a
        place.
        """
        while self.idle and self.into.free > 0 and len(self.waiting) > self.coming:
            self.idle -= 1
            self.into.free -= 1
            self.coming += self.litters
            self.env.process(self.sortie())

    def sortie(self) -> Process:
        """Drive out, load, drive to the destination, unload, and drive back to the base."""
        timeout, waiting, into = self.env.timeout, self.waiting, self.into
        if self.comes:
            yield timeout(self.drive())
        self.coming -= self.litters
        passengers = [heappop(waiting)[2]]
        while waiting and into.free > 0 and len(passengers) < self.litters:
            into.free -= 1
            passengers.append(heappop(waiting)[2])
        if waiting:
            self.dispatch()
        yield timeout(self.load * len(passengers))
        for passenger in passengers:
            passenger.left.succeed()
        minutes = self.drive()
        yield timeout(minutes + self.unload * len(passengers))
        for passenger in passengers:
            passenger.arrived.succeed()
        if not self.comes:
            yield timeout(minutes)
        self.idle += 1
        self.dispatch()


class Model:
    """The model of one replication."""

    def __init__(self, network: Network, days: int, seed: int) -> None:
        self.env = env = simpy.Environment()
        self.rng = rng = random.Random(seed)
        self.network = network
        self.end = days * MINUTES_A_DAY
        self.tally = Tally()
        one, two = network.role1, network.role2
        self.role2_places = Places(two.places)
        self.poi = Pool(env, rng, network.poi, Places(float("inf")))
        self.forward = Pool(env, rng, network.forward, self.role2_places)
        self.rear = Pool(env, rng, network.rear, Places(float("inf")))
        self.role1_triage = simpy.PriorityResource(env, one.triage_teams)
        self.role1_bays = simpy.PriorityResource(env, one.bays)
        self.role2_triage = simpy.PriorityResource(env, two.triage_teams)
        self.role2_bays = simpy.PriorityResource(env, two.bays)
        self.tables = simpy.PriorityResource(env, two.tables)
        self.ward = simpy.PriorityResource(env, two.ward_beds)
        self.role1_triage_minutes = one.triage.sampler(rng)
        self.role1_care = one.care.sampler(rng)
        self.role2_triage_minutes = two.triage.sampler(rng)
        self.role2_care = two.care.sampler(rng)
        self.resuscitation = two.resuscitation.sampler(rng)
        self.surgery = two.surgery.sampler(rng)
        env.process(self.arrivals())

    def arrivals(self) -> Process:
        """Create casualties one by one."""
        env, draw = self.env, self.rng.expovariate
        rate = self.network.per_day / MINUTES_A_DAY
        first, second, _ = self.network.shares
        while True:
            yield env.timeout(draw(rate))
            if env.now >= self.end:
                return
            u = self.rng.random()
            env.process(self.casualty(1 if u < first else 2 if u < first + second else 3))

    def casualty(self, category: int) -> Process:
        """Take a casualty from the request at the point of injury to the door of Role 3."""
        env, add, preparation = self.env, self.tally.add, self.network.preparation
        requested = env.now

        passenger = self.poi.call(category)
        yield passenger.left
        add("wait: departure from POI", env.now - requested)
        yield passenger.arrived

        since = env.now
        with self.role1_triage.request(category) as team:
            yield team
            add("wait: Role 1 triage", env.now - since)
            yield env.timeout(self.role1_triage_minutes())
        yield env.timeout(preparation)
        since = env.now
        with self.role1_bays.request(category) as bay:
            yield bay
            add("wait: Role 1 bay", env.now - since)
            yield env.timeout(self.role1_care())

        since = env.now
        passenger = self.forward.call(category)
        yield passenger.left
        add("wait: departure from Role 1", env.now - since)
        yield passenger.arrived

        arrived = since = env.now
        with self.role2_triage.request(category) as team:
            yield team
            add("wait: Role 2 triage", env.now - since)
            yield env.timeout(self.role2_triage_minutes())
        yield env.timeout(preparation)
        since = env.now
        held = self.role2_bays.request(category)
        yield held
        add("wait: Role 2 bay", env.now - since)
        if category <= 2:
            yield env.timeout(self.resuscitation() + self.network.before_surgery)
            held = yield from self.move(held, self.tables, category, "wait: Role 2 table")
            yield env.timeout(self.surgery())
        else:
            yield env.timeout(self.role2_care())
        held = yield from self.move(held, self.ward, category, "wait: Role 2 ward bed")

        since = env.now
        passenger = self.rear.call(category)
        yield passenger.left
        held.resource.release(held)
        self.role2_places.free_one()
        add("wait: departure from Role 2", env.now - since)
        add("minutes in Role 2", env.now - arrived)
        yield passenger.arrived

        add("request to Role 3, all", env.now - requested)
        add(f"request to Role 3, T{category}", env.now - requested)
        if env.now < self.end:
            add(PER_DAY, 1.0)

    def move(
        self, held: PriorityRequest, to: simpy.PriorityResource, category: int, measure: str
    ) -> Generator[simpy.Event, Any, PriorityRequest]:
        """Wait for the next resource while holding the present one."""
        since = self.env.now
        request = to.request(category)
        yield request
        held.resource.release(held)
        self.tally.add(measure, self.env.now - since)
        return request


def run(network: Network, days: int, seed: int) -> Measures:
    """Return the means of one replication, which ends when the last casualty is at Role 3."""
    model = Model(network, days, seed)
    model.env.run()
    return model.tally.means(days)


def main() -> None:
    """Run one long replication and print its means."""
    days = 100
    begun = time.perf_counter()
    measures = run(BRIGADE, days, 1)
    seconds = time.perf_counter() - begun
    for name, value in measures.items():
        print(f"{name:32} {value:10.2f}")
    print(f"{BRIGADE.per_day * days / seconds:,.0f} casualties/s")


if __name__ == "__main__":
    main()
