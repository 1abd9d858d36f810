"""The state of a run: calendar, queues, resources in use, vehicles, decision logs (docs/model.md section 2.8).

One row of KERNEL_STATE, passed by reference. The tables have room for the most that a run may need. The operating
system allocates memory only for pages that are used, so a run takes what its open patients take.
"""

import math
from typing import Annotated

import numpy as np

from engine.codes import CATEGORY_COUNT, PERIOD_COUNT, RESOURCE_COUNT
from engine.kernel.calendar import Calendar, enter, initialise
from engine.kernel.codes import DEMAND_COUNT, ENTRY_KIND_SHIFT, FullTable, KernelExit
from engine.numeric import compiled
from engine.tables import (
    CANDIDATES,
    FACILITIES,
    FRONTS,
    NATIONS,
    POOLS,
    SLOTS,
    WAYS,
    CasualtyState,
    Float64,
    Floats,
    Int16,
    Int32,
    Int64,
    Ints,
    Row,
    Rows,
    Table,
    UInt8,
    dtype_of,
)

MAX_DECISIONS = 1 << 23
"""Rows of all decision logs and pending releases together."""
SAMPLE_ROWS = 50_000
"""Rows of the time series. The interval is chosen so that they suffice for most runs, and is doubled when all
are used."""

ALL_RESOURCES = FACILITIES * RESOURCE_COUNT
"""Number of resources. Way w has queue ALL_RESOURCES + w; pool p has heap ALL_RESOURCES + p of `pending_first`."""
REMAINS_QUEUES = ALL_RESOURCES + WAYS
"""Way w has queue REMAINS_QUEUES + w for the dead, who are in column 0 of it."""
QUEUES = REMAINS_QUEUES + WAYS
"""Number of queues: one for each resource, one for each way of transport, then one for the dead of each way."""

NATION_TREES = WAYS * CATEGORY_COUNT * DEMAND_COUNT
"""Number of groups, one for each way, category and `Demand`. After them come NATIONS search trees for each group."""
NATION_NODES = SLOTS + 1
"""Number of the first node in the trees of nations. Slot s has node s in its group and NATION_NODES + s there."""


class DecisionRow(Row):
    """An entry of a casualty's decision log, or a pending release."""

    at: Float64  # ms
    value: Int32  # see `Decision`; of a pending release the row of its first child in the heap, -1 none
    code: Int32  # `Decision`
    next: Int32  # row of the next entry, or of the next child of the same parent; -1 none


DECISION = dtype_of(DecisionRow)


class QueueNode(Row):
    """A patient in a search tree, or in a list (`engine.kernel.queue_groups`)."""

    ticket: Int64  # place in the queue
    left: Int32  # in a tree the nodes below, in a list the nodes before and after; -1 none
    right: Int32
    size: Int32  # of the subtree; 0: not in a tree
    in_list: Int32  # 1: in a list
    group: Int32  # number of the group or of the tree of a nation
    next_aboard: Int32  # slot of who boards next; -1 none


class Loading(Row):
    """A vehicle that is being loaded, and who may board it."""

    litters: Int64  # free
    seats: Int64  # free
    reserved: Int64  # places at the destination that are reserved for others than those aboard
    passengers: Int64
    first_aboard: Int64  # slots; -1 none
    last_aboard: Int64
    last_ticket: Int64  # of who has boarded last in this category; -1 none
    in_lists: Int64  # 1: the groups of this category are lists
    several_wait: Int64  # 1: patients of several groups may wait for another vehicle
    waiting_of_earlier: Int64  # patients of the categories before this one who wait for another vehicle
    # groups of patients of a category who make the same demands
    groups: Int64
    group: Annotated[Ints, "i4", DEMAND_COUNT * NATIONS]  # number of the group or of the tree of a nation
    demand: Annotated[Ints, "u1", DEMAND_COUNT * NATIONS]
    head: Annotated[Ints, "i4", DEMAND_COUNT * NATIONS]  # node of the next to be considered; -1 none
    had_no_room: Annotated[Ints, "u1", DEMAND_COUNT * NATIONS]  # 1: the vehicle had no room for its head
    # room in vehicles to preferred facilities; -1: not known yet
    room: Annotated[Ints, "i8", DEMAND_COUNT * NATIONS]
    waiting: Annotated[Ints, "i8", DEMAND_COUNT * NATIONS]  # so many of the first wait for those


class ResourceSample(Row):
    """One row of the time series of resources."""

    at: Int64  # ms: end of the interval
    facility: Int16
    resource: UInt8
    in_use: Float64  # mean over the interval
    queue: Float64  # mean over the interval
    in_use_now: Int32
    queue_now: Int32
    capacity: Int32


SAMPLE = dtype_of(ResourceSample)


class KernelState(Row):
    """The state of a run. Queues are numbered as QUEUES says; -1 in a column of rows or slots means none."""

    now: Float64  # ms
    sequence_at: Float64  # ms; with `sequence` the place in the write order, see WriteOrderRow
    sequence: Int64
    end_at: Float64  # ms; with `end_sequence` where the clock stops once all patients are closed
    end_sequence: Int64
    excluded_front: Annotated[
        Ints, "u1", FRONTS
    ]  # 1: another simulation's casualties, which are only counted
    status: Int64  # `KernelExit`
    full_table: Int64  # `FullTable`, where the status is TABLES_FULL
    next_arrival: Int64  # row of the arrivals
    arrival_count: Int64  # arrivals taken in
    arrivals_exhausted: Int64  # 1: no more arrivals will come
    open_count: Int64  # casualties in slots
    max_open_count: Int64
    steps: Int64
    visited: (
        Int64  # patients whom a vehicle's loading looked at, and slots searched after a hit (SLOTS_PER_STEP)
    )
    progress_at: Float64  # ms of the last event of a patient
    sample_interval: Float64  # ms; 0: no time series
    writes_records: Int64  # 1: records are written; 0: only the flow is simulated
    closed_count: Int64
    scheduled_releases: Int64  # RELEASE entries in the calendar
    in_hit: (
        Int64  # 1 while a hit is applied: nothing is granted and no vehicle is sent before the SERVE entry
    )
    loading: Loading
    vehicle_times: Annotated[Floats, "f8", 2]  # of the vehicle being loaded: end of unloading, ms of travel
    # slots: the last is used to replay a casualty
    casualties: Annotated[Rows[CasualtyState], SLOTS + 1]
    free_slot: Int32  # first of the list of free slots
    used_slots: Int32
    calendar: Calendar
    # decision logs
    free_decision: Int32  # first of the list of free rows
    used_decisions: Int32
    decisions: Annotated[Rows[DecisionRow], MAX_DECISIONS]
    # queues, by triage category: slots of the first and the last
    queue_first: Annotated[Ints, "i4", (QUEUES, CATEGORY_COUNT)]
    queue_last: Annotated[Ints, "i4", (QUEUES, CATEGORY_COUNT)]
    queue_length: Annotated[Ints, "i4", QUEUES]
    queue_length_by_category: Annotated[Ints, "i4", (QUEUES, CATEGORY_COUNT)]
    # search trees and lists of those who wait for transport
    queue_nodes: Annotated[Rows[QueueNode], 2 * (SLOTS + 1)]
    queue_trees: Annotated[Ints, "i4", NATION_TREES * (1 + NATIONS)]  # node of the root + 1; 0: nobody waits
    list_last: Annotated[Ints, "i4", NATION_TREES]  # last node of a list + 1; 0: it is empty
    nations_waiting: Annotated[Ints, "i8", NATION_TREES]  # bit n: patients of nation n wait
    separates_nations: (
        Int64  # 1: a nation may decide who waits for a vehicle, so each has search trees of its own
    )
    last_ticket: Int64
    # resources
    capacity: Annotated[Ints, "i4", ALL_RESOURCES]  # at present
    in_use: Annotated[Ints, "i4", ALL_RESOURCES]
    capacity_lost: Annotated[Ints, "i4", ALL_RESOURCES]  # by hits
    surgical_teams: Annotated[Ints, "i4", FACILITIES]  # on shift
    surge_open: Annotated[Ints, "u1", FACILITIES]
    surge_scheduled: Annotated[Ints, "u1", FACILITIES]
    closures: Annotated[Ints, "i4", FACILITIES]  # reasons to be closed; 0: open
    occupancy: Annotated[Ints, "i4", FACILITIES]  # patients inside or on the way, where places are counted
    blood: Annotated[Ints, "i8", FACILITIES]  # units in stock; -1: unlimited
    # bumping: slots of the patients in treatment bays, the latest first
    bay_patients: Annotated[Ints, "i4", (ALL_RESOURCES, CATEGORY_COUNT)]
    # pending releases of resources, then returns of vehicles by pool: heaps of rows of `decisions`
    pending_first: Annotated[Ints, "i4", ALL_RESOURCES + POOLS]
    pending_until: Annotated[Floats, "f8", ALL_RESOURCES + POOLS]  # ms of the last of them, if there are any
    # statistics of resources and ways; an area is a time integral in ms
    integrated_until: Annotated[Floats, "f8", QUEUES]  # ms
    used_area: Annotated[Floats, "f8", ALL_RESOURCES]
    capacity_area: Annotated[Floats, "f8", ALL_RESOURCES]
    queue_area: Annotated[Floats, "f8", QUEUES]
    max_queue: Annotated[Ints, "i8", QUEUES]
    max_used: Annotated[Ints, "i8", ALL_RESOURCES]
    served: Annotated[Ints, "i8", ALL_RESOURCES]
    wait_sum: Annotated[Floats, "f8", (QUEUES, CATEGORY_COUNT)]  # ms
    wait_count: Annotated[Ints, "i8", (QUEUES, CATEGORY_COUNT)]
    blocked_time: Annotated[Floats, "f8", ALL_RESOURCES]  # ms held while the next resource was not free
    stay_sum: Annotated[Floats, "f8", ALL_RESOURCES]  # ms held, summed over the holders
    died_waiting: Annotated[Ints, "i8", QUEUES]
    # the same in the periods of `engine.codes.Period`; ms from, to
    period_begin: Annotated[Floats, "f8", PERIOD_COUNT]
    period_end: Annotated[Floats, "f8", PERIOD_COUNT]
    period_casualties: Annotated[Ints, "i8", PERIOD_COUNT]  # arrivals
    period_used_area: Annotated[Floats, "f8", (ALL_RESOURCES, PERIOD_COUNT)]
    period_capacity_area: Annotated[Floats, "f8", (ALL_RESOURCES, PERIOD_COUNT)]
    period_queue_area: Annotated[Floats, "f8", (QUEUES, PERIOD_COUNT)]
    period_max_queue: Annotated[Ints, "i8", (QUEUES, PERIOD_COUNT)]
    period_wait_sum: Annotated[Floats, "f8", (QUEUES, PERIOD_COUNT, CATEGORY_COUNT)]  # waits that began in it
    period_wait_count: Annotated[Ints, "i8", (QUEUES, PERIOD_COUNT, CATEGORY_COUNT)]
    period_busy_time: Annotated[Floats, "f8", (POOLS, PERIOD_COUNT)]  # ms
    sampled_used: Annotated[Floats, "f8", ALL_RESOURCES]  # areas at the last sample
    sampled_queue: Annotated[Floats, "f8", ALL_RESOURCES]
    sampled_at: Float64  # ms
    series_length: Int64  # rows of `series`
    series: Annotated[Rows[ResourceSample], SAMPLE_ROWS]
    arrived_at: Annotated[Ints, "i8", FACILITIES]
    refused: Annotated[Ints, "i8", FACILITIES]
    bypassed: Annotated[Ints, "i8", FACILITIES]
    blood_used: Annotated[Floats, "f8", FACILITIES]  # units
    blood_short: Annotated[Ints, "i8", FACILITIES]  # units
    # vehicles
    idle_vehicles: Annotated[Ints, "i4", POOLS]  # negative: vehicles out of use that have yet to return
    expected_room: Annotated[Ints, "i4", (WAYS, CATEGORY_COUNT)]  # in vehicles under way to a place
    expected_litters: Annotated[Ints, "i4", CANDIDATES]  # in vehicles under way for a candidate
    chosen_candidate: (
        Int64  # second result of the last search in `dispatch`: by which candidate the patient goes
    )
    expected_remains: Annotated[Ints, "i4", WAYS]  # litters in vehicles under way for the dead of a place
    remains_carried: Annotated[Ints, "i8", POOLS]
    remains_time: Annotated[Floats, "f8", POOLS]  # ms that vehicles spent on the dead
    sorties: Annotated[Ints, "i8", POOLS]
    carried: Annotated[Ints, "i8", POOLS]
    litters_used: Annotated[Ints, "i8", POOLS]
    vehicles_lost: Annotated[Ints, "i8", POOLS]
    busy_time: Annotated[Floats, "f8", POOLS]  # ms
    vehicle_wanted: Annotated[
        Ints, "u1", POOLS
    ]  # 1: a patient waits for a return, so returns are in the calendar
    wake_at: Annotated[Floats, "f8", POOLS]  # ms of the next look at a pool that could not move
    weather_day: Annotated[Floats, "f8", POOLS]  # the day that `weather_grounds` is about
    weather_grounds: Annotated[Ints, "u1", POOLS]
    batch_wake_at: Annotated[Floats, "f8", WAYS]  # ms of the next look at a batch
    # by stream and `Outcome`, where no records are written
    outcomes: Annotated[Ints, "i8", (3, 8)]
    contradicted_arrival: Int64  # number of the arrival whose record contradicts the decision pass


KERNEL_STATE = dtype_of(KernelState)


def new_kernel_state() -> Table:
    """Return the empty state of a run: one row of KERNEL_STATE."""
    state = np.zeros(1, KERNEL_STATE)
    initialise(state["calendar"])
    state["queue_first"] = -1
    state["queue_last"] = -1
    state["bay_patients"] = -1
    state["free_slot"] = -1
    state["weather_day"] = -1e9
    state["free_decision"] = -1
    state["pending_first"] = -1
    return state


@compiled
def kind_of(resource: int) -> int:
    """Return the `Resource` of a numbered resource."""
    return resource - (resource // RESOURCE_COUNT) * RESOURCE_COUNT  # faster in Numba than %


@compiled
def next_due(casualty: CasualtyState) -> float:
    """Return the time of the next stage or re-triage, ms; infinity: none."""
    return min(casualty.at, casualty.retriage_at)


@compiled
def schedule(state: KernelState, at: float, kind: int, order: int, subject: int, version: int) -> None:
    """Put an entry in the calendar. `EntryKind` says what `subject` and `version` mean for each kind."""
    enter(state.calendar, at, (kind << ENTRY_KIND_SHIFT) + order, subject, version)


@compiled
def report_error(state: KernelState, error: int) -> None:
    """End the run with an error. The first error stays: a later one may only follow from it."""
    if state.status < KernelExit.DEADLOCK:
        state.status = error


@compiled
def report_full_table(state: KernelState, table: int) -> None:
    """End the run because a `FullTable` is full."""
    if state.status < KernelExit.DEADLOCK:
        state.full_table = table
        state.status = KernelExit.TABLES_FULL


@compiled
def report_contradiction(state: KernelState, arrival_number: int) -> None:
    """End the run because the two passes contradict each other on a casualty."""
    if state.status < KernelExit.DEADLOCK:
        state.contradicted_arrival = arrival_number
        state.status = KernelExit.CONTRADICTION


@compiled
def new_slot(state: KernelState) -> int:
    """Return a free slot; -1 if none is left."""
    slot = state.free_slot
    if slot >= 0:
        state.free_slot = state.casualties[slot].next
    else:
        slot = state.used_slots
        if slot >= SLOTS:
            report_full_table(state, FullTable.SLOTS)
            return -1
        state.used_slots += 1
    state.open_count += 1
    state.max_open_count = max(state.max_open_count, state.open_count)
    return int(slot)


@compiled
def free_slot(state: KernelState, slot: int) -> None:
    """Free a slot and its decision log."""
    casualty = state.casualties[slot]
    if casualty.first_decision >= 0:
        state.decisions[casualty.last_decision].next = state.free_decision
        state.free_decision = casualty.first_decision
    casualty.first_decision = -1
    casualty.version += 1
    casualty.is_free = 1
    casualty.next = state.free_slot
    state.free_slot = slot
    state.open_count -= 1


@compiled
def new_decision(state: KernelState) -> int:
    """Return a free row of the decision logs; -1 if none is left."""
    entry = state.free_decision
    if entry >= 0:
        state.free_decision = state.decisions[entry].next
    else:
        entry = state.used_decisions
        if entry >= MAX_DECISIONS:
            report_full_table(state, FullTable.DECISIONS)
            return -1
        state.used_decisions += 1
    return int(entry)


@compiled
def _meld(state: KernelState, one: int, other: int) -> int:
    """Put the heap with the later root below that with the earlier one; return the root."""
    if state.decisions[other].at < state.decisions[one].at:
        one, other = other, one
    state.decisions[other].next = state.decisions[one].value
    state.decisions[one].value = other
    return one


@compiled
def add_pending_release(state: KernelState, owner: int, at: float) -> None:
    """Note that a unit of `owner` will be free at `at`; no patient waits for it.

    `owner` is a resource, or ALL_RESOURCES plus a pool.
    """
    entry = new_decision(state)
    if entry < 0:
        return
    state.decisions[entry].at = at
    state.decisions[entry].value = -1
    first = int(state.pending_first[owner])
    if first < 0:
        state.pending_first[owner] = entry
        state.pending_until[owner] = at
    else:
        state.pending_first[owner] = _meld(state, first, entry)
        state.pending_until[owner] = max(state.pending_until[owner], at)


@compiled
def next_pending_release(state: KernelState, owner: int) -> float:
    """Return when the next unit of `owner` will be free, ms; infinity: no release is pending."""
    entry = state.pending_first[owner]
    return state.decisions[entry].at if entry >= 0 else math.inf


@compiled
def _join_children(state: KernelState, child: int) -> int:
    """Make one heap of the children of a removed root, from `child` on; return its root, -1 without any.

    A pairing heap (Fredman, Sedgewick, Sleator and Tarjan, Algorithmica 1, 1986): pairs first, then from the last to
    the first.
    """
    pairs = -1
    while child >= 0:
        second = int(state.decisions[child].next)
        after = -1
        if second >= 0:
            after = int(state.decisions[second].next)
            child = _meld(state, child, second)
        state.decisions[child].next = pairs
        pairs = child
        child = after
    root = pairs
    if root >= 0:
        pairs = int(state.decisions[root].next)
    while pairs >= 0:
        after = int(state.decisions[pairs].next)
        root = _meld(state, root, pairs)
        pairs = after
    return root


@compiled
def pop_pending_release(state: KernelState, owner: int) -> float:
    """Remove the first pending release of `owner` and return its time, ms."""
    entry = int(state.pending_first[owner])
    state.pending_first[owner] = _join_children(state, int(state.decisions[entry].value))
    state.decisions[entry].next = state.free_decision
    state.free_decision = entry
    return float(state.decisions[entry].at)


@compiled
def log_decision(state: KernelState, casualty: CasualtyState, at: float, code: int, value: int) -> None:
    """Append a decision to a casualty's log, if records are written."""
    if not state.writes_records:
        return
    entry = new_decision(state)
    if entry < 0:
        return
    row = state.decisions[entry]
    row.at = at
    row.code = code
    row.value = value
    row.next = -1
    if casualty.first_decision < 0:
        casualty.first_decision = entry
    else:
        state.decisions[casualty.last_decision].next = entry
    casualty.last_decision = entry
