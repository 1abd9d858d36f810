"""The queues of the kernel: search trees, lists and heaps choose whom a search of the whole queue chooses."""

import heapq
import time
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
from engine.kernel import MAX_DECISIONS, MAX_ENTRIES, KernelExit, begin_run, new_kernel_state
from engine.kernel.boarding import _preferred_room, select_passengers
from engine.kernel.codes import Demand
from engine.kernel.destinations import awaits_surgery
from engine.kernel.event_loop import _check_progress
from engine.kernel.places import accepts, reserve_place
from engine.kernel.queue_groups import (
    append,
    first,
    following,
    group_of,
    join_group,
    leave_group,
    nth,
    rank,
    remove,
    size,
)
from engine.kernel.resources import end_wait, leave_queue
from engine.kernel.state import (
    ALL_RESOURCES,
    add_pending_release,
    free_slot,
    new_slot,
    next_pending_release,
    pop_pending_release,
)
from engine.kernel.transport_queue import first_who_sits, join_transport_queue
from engine.kernel.vehicles import needs_litter
from engine.numeric import compiled
from engine.run import Simulation
from engine.scenario import parse, prepare
from engine.tables import DAY, EVENT_COUNT, HOUR, MAX_EVENTS, SLOTS, new_output

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
    casualty.is_free = 0
    casualty.first_decision = -1
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
    casualty.must_lie = draws[1] % 5 == 0
    casualty.wait_since = now
    scratch.patients[slot].nation = draws[2] % 5
    join_transport_queue(state, scratch, slot, now, model)


@compiled
def _leave(state: Any, slot: int, now: float) -> None:
    end_wait(state, slot, now)
    free_slot(state, slot)


@compiled
def _retriage(state: Any, scratch: Any, slot: int, category: int, now: float, model: Any) -> None:
    casualty = state.casualties[slot]
    before = casualty.category
    casualty.category = category
    leave_queue(state, slot, before, now)
    join_transport_queue(state, scratch, slot, now, model)


@compiled
def _agree_on_queue(state: Any, way: int) -> bool:
    """Return whether groups and a plain search agree on who sits first and on the n-th who lies and awaits surgery."""
    for category in range(CATEGORY_COUNT):
        slot = state.queue_first[ALL_RESOURCES + way, category]
        while slot >= 0 and needs_litter(state.casualties[slot]):
            slot = state.casualties[slot].next
        if first_who_sits(state, way, category) != slot:
            return False
        root = state.queue_trees[group_of(way, category, Demand.SURGERY)] - 1
        if root >= 0 and state.queue_nodes[root].in_list:
            continue  # a list, in which nobody looks for the n-th
        slot = state.queue_first[ALL_RESOURCES + way, category]
        n = 0
        while slot >= 0:
            if awaits_surgery(state.casualties[slot]) and needs_litter(state.casualties[slot]):
                if nth(state, group_of(way, category, Demand.SURGERY), n) != slot:
                    return False
                n += 1
            slot = state.casualties[slot].next
    return True


@njit
def _compare(states: Any, others: Any, scratches: Any, models: Any, draws: Any, every: int) -> int:
    """Let patients join, die, change category and board in two states, one by each search.

    Returns the number of vehicles that left, or -1 where the states differ.
    """
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
            _leave(state, dies, now)
            _leave(other, dies, now)
        changes = draw[2] % state.used_slots
        if draw[7] % 3 == 0 and state.casualties[changes].queue >= 0:
            category = 1 + draw[3] % (CATEGORY_COUNT - 1)
            _retriage(state, scratch, changes, category, now, model)
            _retriage(other, scratch, changes, category, now, model)
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
            _leave(state, slot, now)
            _leave(other, slot, now)
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


def _simulation(total: int, more: str = "", settings: str = "", chunk_size: int = 2048) -> Simulation:
    """Return a simulation of TRUCKS that writes records."""
    text = settings + TRUCKS.format(total=total) + more
    simulation = Simulation(prepare(parse(text.encode(), "toml")).resolved, 1, 0, chunk_size)
    simulation._state["writes_records"] = 1
    return simulation


def test_a_full_output_ends_the_run_instead_of_being_overrun() -> None:
    for count, name in enumerate(("events", "treatments", "wounds", "vitals")):
        simulation = _simulation(50)
        output = new_output()
        size = len(output[name][0])
        output["rows"][0, count] = size - 20
        with pytest.raises(RunError, match="closes more patients at once than the output has room for"):
            while not simulation._advance(output, 50):
                pass
        assert output["rows"][0, count] == size - 20


def _hit(hour: float) -> str:
    """Return a hit that kills all at R1."""
    event = f'event = "hit"\nat_hours = {hour!r}\nfacility = "R1"\ncapacity_lost = 0.5\nkilled = 1.0\n'
    return f"\n[[world]]\n{event}"


def test_a_hit_that_closes_more_patients_than_the_output_holds_is_named_as_the_cause() -> None:
    simulation = _simulation(2000, _hit(20.0))
    most = 5  # patients for whom the output has room; a step without a hit closes fewer
    with pytest.raises(RunError) as raised:
        while True:
            output = new_output()
            output["rows"][0, EVENT_COUNT] = len(output["events"][0]) - most * MAX_EVENTS
            assert not simulation._advance(output, 1)
    message = str(raised.value)
    assert message.startswith("on day 0.8, a hit closes more patients at once")  # after 20 hours
    assert "wait for transport from POI to R1 or R2" in message
    assert message.endswith("lower `killed` of the hit, or split it into several hits at different times")
    assert "capacity" not in message


@pytest.mark.parametrize("hits", ["", _hit(30.0)])
def test_a_full_decision_log_is_named_as_the_cause_wherever_it_fills(hits: str) -> None:
    whole = _simulation(400, hits)
    patients = sum(len(chunk.patients) for chunk in whole)
    used = int(whole._state["used_decisions"][0])
    for room in [*range(20), *range(20, used, used // 40)]:
        simulation = _simulation(400, hits)
        simulation._state["used_decisions"] = MAX_DECISIONS - room
        with pytest.raises(RunError, match=r"on day .*, the decision logs .*8,388,608 rows; .* patients"):
            for _ in simulation:
                pass
    assert patients == 400


def test_a_decision_log_that_is_full_at_a_hit_is_not_called_a_contradiction() -> None:
    closings = []
    simulation = _simulation(400, _hit(47.9))
    for _ in range(151):
        assert not simulation._advance(new_output(), 1)
        closings.append(float(simulation._state["now"][0]) / HOUR)
    alone = [count for count in range(50, 150) if closings[count + 1] > closings[count] + 1e-3]
    for count in (alone[0], alone[len(alone) // 2], alone[-1]):
        simulation = _simulation(400, _hit(closings[count] + 1e-5))
        for _ in range(count + 1):
            simulation._advance(new_output(), 1)
        simulation._state["used_decisions"] = MAX_DECISIONS
        simulation._state["free_decision"] = -1
        with pytest.raises(RunError, match="the decision logs") as raised:
            while not simulation._advance(new_output(), 1):
                pass
        assert f"on day {closings[count] / 24:.1f}," in str(raised.value)


def test_full_slots_and_a_full_calendar_are_named_as_the_cause() -> None:
    simulation = _simulation(400)
    simulation._state["used_slots"] = SLOTS - 20
    with pytest.raises(
        RunError, match=r"more than 262,144 patients are open at a time; 20 patients are still"
    ):
        list(simulation)
    simulation = _simulation(400)
    simulation._state["calendar"]["used"] = MAX_ENTRIES
    with pytest.raises(RunError, match=r"the calendar is full: .* 2,097,152 events"):
        list(simulation)


def test_a_full_output_at_the_horizon_loses_no_record_in_silence() -> None:
    simulation = _simulation(2000, settings="horizon_days = 2\n")
    while simulation._open_slots is None:
        assert not simulation._advance(new_output(), 1)
    output = new_output()
    output["rows"][0, EVENT_COUNT] = len(output["events"][0]) - 1
    with pytest.raises(RunError, match="than the output has room for"):
        simulation._advance(output, 1)


@njit
def _check(states: Any, models: Any, at: float) -> None:
    _check_progress(states[0], at, models[0])


def test_a_deadlock_does_not_hide_that_a_table_is_full() -> None:
    simulation = _simulation(50)
    for status, expected in (
        (KernelExit.RUNNING, KernelExit.DEADLOCK),
        (KernelExit.TABLES_FULL, KernelExit.TABLES_FULL),
    ):
        state = new_kernel_state()
        state["status"] = status
        _check(state, simulation._model, 1000.0 * DAY)
        assert state["status"][0] == expected


@njit
def _join_twice_and_leave(states: Any, in_list: bool, leaves: Any) -> None:
    for slot in range(2):
        join_group(states[0], TREE, in_list, 0, slot)
    for slot in leaves:
        leave_group(states[0], slot)


@pytest.mark.parametrize("in_list", [False, True])
def test_leaving_a_group_twice_is_an_error_and_does_not_hang(in_list: bool) -> None:
    for leaves, expected in (
        ((0, 1), KernelExit.RUNNING),
        ((1, 1), KernelExit.NOT_IN_QUEUE),
        ((0, 0), KernelExit.NOT_IN_QUEUE),
        ((1, 0, 1), KernelExit.NOT_IN_QUEUE),
        ((5,), KernelExit.NOT_IN_QUEUE),
        ((0, 1, 0), KernelExit.NOT_IN_QUEUE),
    ):
        state = new_kernel_state()
        _join_twice_and_leave(state, in_list, np.array(leaves))
        assert state["status"][0] == expected, leaves


def _flow_seconds(total: int) -> float:
    """Return the processor time of a flow per patient, s; most of the patients are open at the same time."""
    simulation = _simulation(total)
    simulation._state["writes_records"] = 0
    begin = time.thread_time()
    simulation.run_flow()
    seconds = time.thread_time() - begin
    assert simulation.max_open > 0.4 * total, "as many wait as in a long queue"
    return seconds / total


def test_the_work_per_patient_does_not_grow_with_the_queue() -> None:
    assert min(_flow_seconds(160_000) for _ in range(2)) < 3.0 * min(_flow_seconds(30_000) for _ in range(4))
