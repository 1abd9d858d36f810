"""The queues of the kernel: search trees, lists and heaps choose whom a search of the whole queue chooses."""

import heapq
from bisect import bisect_left, bisect_right
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from engine.codes import CATEGORY_COUNT, RESOURCE_COUNT, Resource
from engine.compile import NOTHING, compile_scenario
from engine.errors import RunError
from engine.kernel import begin_run, new_kernel_state
from engine.kernel.boarding import _preferred_room, select_passengers
from engine.kernel.destinations import awaits_surgery
from engine.kernel.event_loop import MAX_STEPS
from engine.kernel.places import accepts, reserve_place
from engine.kernel.queue_groups import append, first, following, group_of, nth, rank, remove, size
from engine.kernel.resources import end_wait
from engine.kernel.state import (
    ALL_RESOURCES,
    add_pending_release,
    new_slot,
    next_pending_release,
    pop_pending_release,
)
from engine.kernel.transport_queue import first_who_sits, join_transport_queue
from engine.kernel.vehicles import needs_litter
from engine.numeric import compiled
from engine.run import Simulation
from engine.scenario import parse, prepare
from engine.tables import new_output

TREE = 7
OWNER = 3


# --- the structures


@njit
def _change_tree(states: Any, joins: Any, node: int, ticket: int) -> None:
    if joins:
        append(states[0], TREE, node, ticket)
    else:
        remove(states[0], node)


@njit
def _ask_tree(states: Any, number: int, ticket: int) -> tuple[int, int, int, int, int]:
    state = states[0]
    return (
        size(state, TREE),
        first(state, TREE),
        nth(state, TREE, number),
        rank(state, TREE, ticket),
        following(state, TREE, ticket),
    )


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 400)), max_size=300))
def test_a_search_tree_answers_as_a_sorted_list_does(steps: list[tuple[int, int]]) -> None:
    state = new_kernel_state()
    tickets: list[int] = []
    nodes: list[int] = []
    free = list(range(400))
    for ticket, (kind, number) in enumerate(steps):
        if kind > 0:
            node = free.pop(number % len(free))
            _change_tree(state, True, node, 2 * ticket)
            tickets.append(2 * ticket)
            nodes.append(node)
        elif nodes:
            at = number % len(nodes)
            _change_tree(state, False, nodes[at], 0)
            free.append(nodes.pop(at))
            del tickets[at]
        after = bisect_right(tickets, number)
        assert _ask_tree(state, number, number) == (
            len(nodes),
            nodes[0] if nodes else -1,
            nodes[number] if number < len(nodes) else -1,
            bisect_left(tickets, number),
            nodes[after] if after < len(nodes) else -1,
        )


@njit
def _drive_releases(states: Any, times: Any, pops: Any, out: Any) -> int:
    state = states[0]
    n = 0
    for k in range(len(times)):
        add_pending_release(state, OWNER, times[k])
        for _ in range(pops[k]):
            if next_pending_release(state, OWNER) < np.inf:
                out[n] = pop_pending_release(state, OWNER)
                n += 1
    return n


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from((0.0, 1.0, 2.0, 5.5, 7.0, 1e9)), st.integers(0, 3)), max_size=200))
def test_releases_come_out_in_the_order_of_time(steps: list[tuple[float, int]]) -> None:
    times = np.array([at + k % 3 for k, (at, _) in enumerate(steps)])
    pops = np.array([count for _, count in steps], np.int64)
    out = np.zeros(len(steps))
    state = new_kernel_state()
    n = _drive_releases(state, times, pops, out)
    heap: list[float] = []
    expected = []
    for at, count in zip(times, pops, strict=True):
        heapq.heappush(heap, at)
        expected += [heapq.heappop(heap) for _ in range(min(count, len(heap)))]
    assert out[:n].tolist() == expected
    if heap:
        assert state["pending_until"][0, OWNER] == max(heap)


# --- who boards


FACILITIES = """
[[facilities]]
id = "R1"
role = 1
[[facilities]]
id = "R2"
role = 2
places = 60
nation = "USA"
[[facilities]]
id = "R3"
role = 3
nation = "NOR"
[[links]]
origin = "POI"
destination = "R1"
minutes = { distribution = "constant", mean = 20 }
vehicle = "near"
[[links]]
origin = "POI"
destination = "R2"
minutes = { distribution = "constant", mean = 60 }
vehicle = "near"
[[links]]
origin = "POI"
destination = "R3"
minutes = { distribution = "constant", mean = 90 }
vehicle = "far"
[[links]]
origin = "POI"
destination = "R2"
minutes = { distribution = "constant", mean = 70 }
vehicle = "bus"
[[links]]
origin = "R1"
destination = "R2"
minutes = { distribution = "constant", mean = 60 }
[[vehicles]]
id = "near"
kind = "ambulance_armored"
number = 3
litters = 3
seats = 2
[[vehicles]]
id = "far"
kind = "ambulance_armored"
number = 2
[[vehicles]]
id = "bus"
kind = "transport_truck"
number = 2
litters = 0
seats = 12
"""
FRONT = '[[fronts]]\nname = "F"\npopulation = 1000\nnations = { USA = 0.4, NOR = 0.4, EST = 0.2 }\n'
ONE_OPERATES = FACILITIES.replace("role = 2", "role = 1")
FOR_T1 = ONE_OPERATES.replace('"far"\n[[links]]', '"far"\ncategories = ["T1"]\n[[links]]')
NETWORKS = {
    "all but one operate": FACILITIES,
    "preferring surgery": ONE_OPERATES,
    "preferring the nation": FACILITIES,
    "the closest": FACILITIES,
    "preferring surgery for T1": FOR_T1,
}
SETTINGS = {
    "preferring the nation": "national_preference = true\n",
    "the closest": 'destination = "closest-first"\nbypass = false\n',
}
PLACES = RESOURCE_COUNT + int(Resource.PLACE)
"""Number of the places of R2, of which there are 60."""


@compiled
def _select_plainly(
    state: Any,
    scratch: Any,
    candidate: int,
    litters: int,
    seats: int,
    reserved: int,
    now: float,
    model: Any,
    out: Any,
) -> int:
    """Look at each patient of the queue, one after the other, and note the slots of those who board."""
    queue = ALL_RESOURCES + model.network.candidate_way[candidate]
    facility = model.network.destination[model.network.candidate_link[candidate]]
    passengers = 0
    stay_behind = 0
    for step in range(2 * CATEGORY_COUNT):
        category = step % CATEGORY_COUNT
        if step == CATEGORY_COUNT:
            if passengers > 0 or stay_behind == 0:
                break
            stay_behind = 0
        slot = int(state.queue_first[queue, category])
        while slot >= 0 and litters + seats > 0:
            casualty = state.casualties[slot]
            if not model.network.allowed_categories[candidate] >> category & 1 or (
                category <= 2 and litters == 0
            ):
                break
            is_last_chance = step >= CATEGORY_COUNT
            if _preferred_room(state, scratch, slot, candidate, is_last_chance, now, model) > stay_behind:
                stay_behind += 1
            elif reserved <= 0 and not accepts(state, facility, model):
                litters = 0
                seats = 0
            else:
                sits = not needs_litter(casualty) and seats > 0
                if sits or litters > 0:
                    if sits:
                        seats -= 1
                    else:
                        litters -= 1
                        state.litters_used[model.network.candidate_pool[candidate]] += 1
                    if reserved > 0:
                        reserved -= 1
                    else:
                        reserve_place(state, facility, now, model)
                    out[passengers] = slot
                    passengers += 1
            slot = int(casualty.next)
    return passengers


@compiled
def _join(state: Any, scratch: Any, number: int, draws: Any, now: float, model: Any) -> None:
    slot = new_slot(state)
    casualty = state.casualties[slot]
    casualty.queue = -1
    casualty.held = -1
    casualty.facility = -1
    casualty.way = 0
    casualty.index = number
    casualty.leg = 0
    casualty.operated = 0
    casualty.category = 1 + draws[0] % (CATEGORY_COUNT - 1)
    casualty.needs_surgery = draws[1] % 3 == 0
    casualty.operated = draws[1] % 6 == 0
    casualty.wait_since = now
    scratch.patients[slot].nation = draws[2] % 5
    join_transport_queue(state, scratch, slot, now, model)


@compiled
def _agree_on_queue(state: Any, way: int) -> bool:
    """Return whether groups and a plain search agree on who sits first and who is the n-th to need surgery."""
    for category in range(CATEGORY_COUNT):
        slot = state.queue_first[ALL_RESOURCES + way, category]
        while slot >= 0 and needs_litter(state.casualties[slot]):
            slot = state.casualties[slot].next
        if first_who_sits(state, way, category) != slot:
            return False
        if state.queue_nodes[max(0, state.queue_trees[group_of(way, category, 1)] - 1)].size == 0:
            continue  # a list, in which nobody looks for the n-th
        slot = state.queue_first[ALL_RESOURCES + way, category]
        n = 0
        while slot >= 0:
            if awaits_surgery(state.casualties[slot]):
                if nth(state, group_of(way, category, 1), n) != slot:
                    return False
                n += 1
            slot = state.casualties[slot].next
    return True


@njit
def _compare(states: Any, others: Any, scratches: Any, models: Any, draws: Any, every: int) -> int:
    """Let patients join, die and board in two states, one by each search; return the vehicles that left, or -1."""
    state = states[0]
    other = others[0]
    scratch = scratches[0]
    model = models[0]
    chosen = np.zeros(1000, np.int64)
    left = 0
    for number in range(len(draws)):
        draw = draws[number]
        now = 1000.0 * number
        for _ in range(1 + draw[5] % 2):
            _join(state, scratch, number, draw, now, model)
            _join(other, scratch, number, draw, now, model)
        dies = draw[6] % state.used_slots
        if draw[7] % 4 == 0 and state.casualties[dies].queue >= 0:
            end_wait(state, dies, now)
            end_wait(other, dies, now)
        candidate = draw[3] % model.network.way_count[0]
        for s in (state, other):
            s.expected_litters[draw[4] % model.network.way_count[0]] = draw[5] % 7
            s.idle_vehicles[draw[6] % 3] = draw[7] % 3
            s.in_use[PLACES] = 54 + draw[6] % 7
            s.vehicle_wanted[:3] = 0
        if draw[8] % every > 0:
            continue
        pool = model.network.candidate_pool[candidate]
        litters = model.network.litters[pool]
        seats = model.network.seats[pool]
        reserved = draw[9] % 3 == 0
        count = _select_plainly(other, scratch, candidate, litters, seats, reserved, now, model, chosen)
        select_passengers(state, scratch, candidate, litters, seats, reserved, now, model)
        if count != state.loading.passengers or state.litters_used[pool] != other.litters_used[pool]:
            return -1
        slot = state.loading.first_aboard
        for k in range(count):
            if slot != chosen[k]:
                return -1
            end_wait(state, slot, now)
            end_wait(other, slot, now)
            slot = state.queue_nodes[slot].next_aboard
        for pool in range(3):
            if state.vehicle_wanted[pool] != other.vehicle_wanted[pool]:
                return -1
        for k in range(len(state.in_use)):
            if k < 200 and state.in_use[k] != other.in_use[k]:
                return -1
        if not _agree_on_queue(state, 0):
            return -1
        left += count > 0
    return left


@pytest.mark.parametrize("network", list(NETWORKS))
def test_a_vehicle_takes_whom_a_search_of_the_whole_queue_chooses(network: str) -> None:
    text = f'name = "x"\nacceptance = "accept"\n{SETTINGS.get(network, "")}{FRONT}{NETWORKS[network]}'
    scenario = prepare(parse(text.encode(), "toml")).resolved
    model = compile_scenario(scenario, 1, 0, NOTHING)
    for seed in range(60):
        states = new_kernel_state(), new_kernel_state()
        for state in states:
            begin_run(state, model)
        draws = np.random.default_rng(seed).integers(0, 1 << 30, (600, 10))
        assert _compare(*states, new_output(quiet=True), model, draws, 1 + seed % 6) > 40


# --- long queues


TRUCKS = """
name = "trucks"
days = 2
[casualties]
total = {total}
[[facilities]]
id = "R1"
role = 1
[[facilities]]
id = "R2"
role = 2
operating_tables = 2
[[links]]
origin = "POI"
destination = "R1"
minutes = {{ distribution = "constant", mean = 20 }}
vehicle = "trucks"
[[links]]
origin = "POI"
destination = "R2"
minutes = {{ distribution = "constant", mean = 60 }}
vehicle = "ambulances"
[[links]]
origin = "R1"
destination = "R2"
minutes = {{ distribution = "constant", mean = 30 }}
vehicle = "ambulances"
[[vehicles]]
id = "trucks"
kind = "transport_truck"
number = 100
litters = 0
seats = 10
[[vehicles]]
id = "ambulances"
kind = "ambulance_armored"
number = 20
"""


def test_a_full_output_ends_the_run_instead_of_being_overrun() -> None:
    prepared = prepare(parse(TRUCKS.format(total=50).encode(), "toml"))
    for count, name in enumerate(("events", "treatments", "wounds", "vitals")):
        simulation = Simulation(prepared.resolved, 1, 0)
        simulation._state["writes_records"] = 1
        output = new_output()
        size = len(output[name][0])
        output["rows"][0, count] = size - 20
        with pytest.raises(RunError, match="a hit closes too many at once"):
            while not simulation._advance(output, 50):
                pass
        assert output["rows"][0, count] == size - 20


def test_the_work_per_patient_does_not_grow_with_the_queue() -> None:
    visits = {}
    for total in (10_000, 40_000):
        simulation = Simulation(prepare(parse(TRUCKS.format(total=total).encode(), "toml")).resolved, 1, 0)
        simulation.run_flow()
        assert simulation.max_open > 0.4 * total
        state = simulation._state[0]
        visits[total] = (int(state["visited"]) + int(state["steps"])) / total
    assert visits[40_000] < 1.5 * visits[10_000] < 30
    assert MAX_STEPS <= 100_000
