"""The laws of the recovery of the dead (docs/model.md section 2.9.5), checked on what the records of a run show."""

import itertools
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from finite_oracle import FOREVER, MINUTE, MOST_ABOARD, PLACE, TRANSPORT, Observed, Removal, Run

from engine import scenario as scenario_api
from engine.codes import AT_POI, EN_ROUTE


class Chain:
    """Where the dead are moved to, from the scenario itself."""

    def __init__(self, net: Any) -> None:
        self.net = net
        self.given: scenario_api.MortuaryAffairs = net.s.mortuary_affairs
        self.points = {net.index[name] for name in self.given.collection_points}

    def pool(self, link: scenario_api.Link) -> scenario_api.Vehicle | None:
        """Return the pool that moves the dead on a link; None without limit."""
        found: scenario_api.Vehicle | None = self.net.pools.get(self.given.vehicle or link.vehicle)
        return found

    def leaving(self, place: int, front: str) -> list[scenario_api.Link]:
        """Return the links from a place that lead to where the dead may go, the closest first."""
        found = [x for x in self.net.leaving(place, front) if (p := self.pool(x)) is None or p.litters]
        if self.points:
            found = [x for x in found if self.leads(self.net.index[x.destination])]
        return found

    def leads(self, facility: int) -> bool:
        """Whether a facility is a collection point, or one lies ahead of it for some front."""
        return facility in self.points or any(
            self.leaving(facility, front.name) for front in self.net.s.fronts
        )

    def moves(self, place: int, front: str) -> bool:
        """Whether the dead of a front are moved on from a place."""
        return place == EN_ROUTE or (place not in self.points and bool(self.leaving(place, front)))

    def waits(self, place: int, front: str) -> bool:
        """Whether the dead may wait at a place."""
        opening = {e.facility for e in self.net.s.world if e.event in ("open", "close", "move")}
        return any(self.pool(x) is not None or x.destination in opening for x in self.leaving(place, front))


def check_remains(r: Run, observed: Observed, net: Any) -> None:
    """Check who is moved, from where to where, in which order and with what room; and the kernel's counters."""
    if r.scenario.mortuary_affairs is None:
        assert not observed.removals
        return
    chain = Chain(net)
    _check_ways(r, observed, chain)
    _check_room(r, observed, chain)
    check_queue(r, observed, chain)
    check_patients_first(r, observed, chain)
    _check_counters(r, observed, chain)


def _front(r: Run, patient: int) -> str:
    return r.scenario.fronts[r.patients["front"][patient]].name


def _check_ways(r: Run, observed: Observed, chain: Chain) -> None:
    """Check that all who are to be moved are, without a gap, and to the end of their way."""
    removals: dict[int, list[Removal]] = defaultdict(list)
    for removal in observed.removals:
        removals[removal.patient].append(removal)
    end = FOREVER if r.scenario.horizon_days is None else r.scenario.horizon_days * 86_400_000
    for patient, place, _died, admitted in observed.dead:
        front = _front(r, patient)
        covered = not admitted or chain.given.died_of_wounds
        found = removals.pop(patient, [])
        if not covered or not chain.moves(place, front):
            assert not found, ("moved", patient)
            continue
        if end == FOREVER:
            assert found and found[-1].ends, ("not recovered", patient, place)
        for before, after in itertools.pairwise(found):
            assert (after.origin, after.asked) == (before.destination, before.arrived)
        for removal in found:
            assert removal.asked <= removal.departed <= removal.arrived
            if removal.destination >= 0:
                onward = bool(chain.points) and chain.moves(removal.destination, front)
                assert removal.ends != onward, ("the end of the way", removal)
    assert not removals


def _loads(r: Run, observed: Observed, chain: Chain) -> Iterator[tuple[Any, Any, list[Removal]]]:
    """Group completed removals by link, departure and arrival: of one vehicle, or of several alike."""
    together: dict[Any, list[Removal]] = defaultdict(list)
    for removal in observed.removals:
        if removal.origin != EN_ROUTE and removal.destination >= 0:
            front = _front(r, removal.patient)
            key = front if removal.origin == AT_POI else ""
            together[removal.origin, removal.destination, key, removal.departed].append(removal)
    for (origin, destination, _, _), removals in together.items():
        link = chain.net.link(origin, destination, _front(r, removals[0].patient))
        pool = chain.pool(link)
        removals.sort(key=lambda x: x.arrived)
        first = 0
        for k in range(1, len(removals) + 1):
            if k == len(removals) or removals[k].arrived > removals[first].arrived + MOST_ABOARD:
                if pool is not None:
                    yield link, pool, removals[first:k]
                first = k


def _check_room(r: Run, observed: Observed, chain: Chain) -> None:
    """Check that each of the dead has a litter."""
    for link, pool, removals in _loads(r, observed, chain):
        alike = link.minutes is not None and link.minutes.distribution == "constant"
        number = pool.number if pool.lift is not None or alike else 1
        assert len(removals) <= number * pool.litters, ("litters of the dead", link, removals)


def vehicles_away(r: Run, observed: Observed, net: Any) -> Iterator[tuple[str, float, float, int]]:
    """Yield when vehicles are away with the dead: pool, from, to, and the least number of vehicles."""
    if r.scenario.mortuary_affairs is None:
        return
    chain = Chain(net)
    for link, pool, removals in _loads(r, observed, chain):
        if pool.lift is not None:
            continue
        alike = link.minutes is not None and link.minutes.distribution == "constant"
        departed, arrived = removals[0].departed, removals[-1].arrived
        unloading = (pool.unload_minutes or 0.0) * MINUTE * pool.litters
        way = max(0.0, arrived - departed - unloading - MOST_ABOARD)
        base = pool.base or (link.destination if link.origin == "POI" else link.origin)
        back = way if base != link.destination else 0.0
        sent = departed - (pool.load_minutes or 0.0) * MINUTE - (pool.dispatch_minutes or 0.0) * MINUTE
        yield pool.id, sent, arrived + back - 1, (-(-len(removals) // pool.litters) if alike else 1)


def _without_loading(chain: Chain) -> bool:
    """Whether all vehicles depart as soon as they are loaded."""
    return not any(pool.load_minutes for pool in chain.net.s.vehicles)


def check_queue(r: Run, observed: Observed, chain: Chain) -> None:
    """Check that the dead of a place leave it in the order in which they came to wait."""
    if not _without_loading(chain):
        return
    queues: dict[Any, list[Removal]] = defaultdict(list)
    for removal in observed.removals:
        if removal.origin != EN_ROUTE:
            front = _front(r, removal.patient)
            links = tuple((x.origin, x.destination) for x in chain.net.leaving(removal.origin, front))
            queues[removal.origin, front if removal.origin == AT_POI else "", links].append(removal)
    for removals in queues.values():
        removals.sort(key=lambda x: (x.asked, x.departed))
        latest = -1
        for removal in removals:
            assert removal.departed >= latest, ("passed in the line of the dead", removal)
            latest = removal.departed


def check_patients_first(r: Run, observed: Observed, chain: Chain) -> None:
    """Check that no vehicle takes the dead of a place from which it could take a patient who waits there.

    Only places with a single link are looked at, whose destination takes everybody.
    """
    net = chain.net
    if not _without_loading(chain):
        return
    changing = {e.facility for e in net.s.world}
    waits: dict[tuple[int, str], list[tuple[int, int]]] = defaultdict(list)
    for (place, resource), found in observed.waits.items():
        if resource == TRANSPORT:
            for wait in found:
                waits[place, _front(r, wait.patient)].append((wait.since, wait.until))
    for link, pool, removals in _loads(r, observed, chain):
        place, front = removals[0].origin, _front(r, removals[0].patient)
        leaving = net.leaving(place, front)
        full = net.base(net.index[link.destination], PLACE) is not None
        if len(leaving) > 1 or link.vehicle != pool.id or full or link.destination in changing:
            continue
        if pool.lift is not None:
            continue
        at = removals[0].departed
        passed = [x for x in waits[place, front] if x[0] + 1 < at < x[1] - 1]
        assert not passed, ("a patient waits while the dead leave", removals, passed)


def _check_counters(r: Run, observed: Observed, chain: Chain) -> None:
    """Check that the kernel's counters agree with the records."""
    found = r.flow.summary()["mortuary_affairs"]
    carried = sum(len(removals) for _, _, removals in _loads(r, observed, chain))
    under_way = sum(
        x.departed < FOREVER and x.destination < 0 and x.origin != EN_ROUTE for x in observed.removals
    )
    counted = sum(row["dead"] for row in found["vehicles"])
    assert carried <= counted, (counted, carried)
    if r.scenario.horizon_days is None:
        assert carried == counted and not under_way
        assert all(row["waiting_at_end"] == 0 for row in found["places"])
        if r.flow.resources() and _without_loading(chain):
            waited = sum(x.departed - x.asked for x in observed.removals)
            area = sum(row["mean_waiting"] for row in found["places"]) * r.flow.milliseconds
            allowed = 1e-6 * r.flow.milliseconds * len(found["places"]) + 2 * len(observed.removals)
            assert abs(area - waited) <= allowed, (area, waited)
