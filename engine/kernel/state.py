"""The state of a run with finite care: calendar, waiting lines, what is in use, vehicles, journals (MODEL section 5).

One row of WORLD, passed by reference. The tables are made for the most that a run may need; memory that is never
touched is never taken, so a run takes what its open patients take.
"""

import math
from typing import Annotated, Any

import numpy as np

from engine.codes import CATEGORY_COUNT, RESOURCE_COUNT
from engine.kernel.calendar import Calendar, enter, initialise
from engine.kernel.codes import ENTRY_KIND_SHIFT, KernelExit
from engine.numeric import compiled
from engine.tables import (
    CANDIDATES,
    FACILITIES,
    FRONTS,
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
    UInt8,
    dtype_of,
)

MAX_DECISIONS = 1 << 23
SAMPLE_ROWS = 50_000
"""Rows of the time series; the interval is chosen so that they suffice."""

ALL_RESOURCES = FACILITIES * RESOURCE_COUNT
QUEUES = ALL_RESOURCES + WAYS
"""Waiting lines: one for each resource, then one for each way of transport."""


class DecisionRow(Row):
    """One entry of a casualty's decision log."""

    at: Float64
    value: Int32
    code: Int32
    next: Int32


DECISION = dtype_of(DecisionRow)


class ResourceSample(Row):
    """One row of the time series of resources."""

    at: Int64  # ms: end of the interval
    facility: Int16
    resource: UInt8
    in_use: Float64  # means over the interval, weighted by time
    queue: Float64
    in_use_now: Int32
    queue_now: Int32
    capacity: Int32


SAMPLE = dtype_of(ResourceSample)


class KernelState(Row):
    """The state of a run: one row, passed by reference."""

    now: Float64
    turn_at: Float64  # ms, and turn, of what happens: see columns.LEFT
    turn: Int64
    until: Float64  # ms, and turn, until which clocks go on when all patients are closed
    until_turn: Int64
    foreign: Annotated[
        Ints, "u1", FRONTS
    ]  # 1: the front's casualties are counted only: they are another simulation's
    status: Int64
    cursor: Int64  # next arrival
    arrived: Int64  # arrivals taken in
    exhausted: Int64  # 1: no arrivals will come
    open: Int64
    most_open: Int64
    steps: Int64
    progress_at: Float64  # ms of the last thing that happened to a patient
    sample_every: Float64
    told: Int64  # 1: records are written; 0: only the flow
    closed_patients: Int64
    releases: Int64  # entries K_RELEASE in the calendar
    ends: Annotated[Floats, "f8", 2]  # of the vehicle being loaded: last unloading, travel
    # slots
    states: Annotated[Rows[CasualtyState], SLOTS + 1]
    free_slot: Int32
    used_slots: Int32
    calendar: Calendar
    # journal
    free_note: Int32
    used_notes: Int32
    notes: Annotated[Rows[DecisionRow], MAX_DECISIONS]
    # waiting lines
    first: Annotated[Ints, "i4", (QUEUES, CATEGORY_COUNT)]
    last: Annotated[Ints, "i4", (QUEUES, CATEGORY_COUNT)]
    waiting: Annotated[Ints, "i4", QUEUES]
    waiting_as: Annotated[Ints, "i4", (QUEUES, CATEGORY_COUNT)]  # of them, by category
    # resources
    capacity: Annotated[Ints, "i4", ALL_RESOURCES]  # now
    in_use: Annotated[Ints, "i4", ALL_RESOURCES]
    lost: Annotated[Ints, "i4", ALL_RESOURCES]  # by hits
    teams: Annotated[Ints, "i4", FACILITIES]
    surge_open: Annotated[Ints, "u1", FACILITIES]
    surge_coming: Annotated[Ints, "u1", FACILITIES]
    closed: Annotated[Ints, "i4", FACILITIES]  # reasons to be closed
    inside: Annotated[Ints, "i4", FACILITIES]  # and on the way
    blood: Annotated[Ints, "i8", FACILITIES]
    serving: Annotated[
        Ints, "i4", (ALL_RESOURCES, CATEGORY_COUNT)
    ]  # bumping: those in treatment bays, latest first
    # releases of resources, then returns of vehicles, at times that are known and nobody waits for; in `notes`
    promised_first: Annotated[Ints, "i4", ALL_RESOURCES + POOLS]  # -1: none
    promised_last: Annotated[Ints, "i4", ALL_RESOURCES + POOLS]
    # statistics of resources and ways
    touched: Annotated[Floats, "f8", QUEUES]
    used_area: Annotated[Floats, "f8", ALL_RESOURCES]
    capacity_area: Annotated[Floats, "f8", ALL_RESOURCES]
    queue_area: Annotated[Floats, "f8", QUEUES]
    max_queue: Annotated[Ints, "i8", QUEUES]
    max_used: Annotated[Ints, "i8", ALL_RESOURCES]
    served: Annotated[Ints, "i8", ALL_RESOURCES]
    wait_sum: Annotated[Floats, "f8", (QUEUES, CATEGORY_COUNT)]
    wait_count: Annotated[Ints, "i8", (QUEUES, CATEGORY_COUNT)]
    blocked: Annotated[Floats, "f8", ALL_RESOURCES]
    stay_sum: Annotated[Floats, "f8", ALL_RESOURCES]  # ms held, as the holders tell it
    died_waiting: Annotated[Ints, "i8", QUEUES]
    sampled_used: Annotated[Floats, "f8", ALL_RESOURCES]  # areas at the last sample
    sampled_queue: Annotated[Floats, "f8", ALL_RESOURCES]
    sampled_at: Float64
    samples: Int64
    sample: Annotated[Rows[ResourceSample], SAMPLE_ROWS]
    arrived_at: Annotated[Ints, "i8", FACILITIES]
    refused: Annotated[Ints, "i8", FACILITIES]
    bypassed: Annotated[Ints, "i8", FACILITIES]
    blood_used: Annotated[Floats, "f8", FACILITIES]
    blood_short: Annotated[Ints, "i8", FACILITIES]
    # vehicles
    idle: Annotated[Ints, "i4", POOLS]  # negative: vehicles out of use that have yet to come home
    coming: Annotated[
        Ints, "i4", (WAYS, CATEGORY_COUNT)
    ]  # room for a category in the vehicles under way to a place
    coming_by: Annotated[Ints, "i4", CANDIDATES]  # litters of the vehicles under way for a candidate
    picked: Int64  # candidate by which the one found by `transport` would go
    sorties: Annotated[Ints, "i8", POOLS]
    carried: Annotated[Ints, "i8", POOLS]
    litters_used: Annotated[Ints, "i8", POOLS]
    vehicles_lost: Annotated[Ints, "i8", POOLS]
    busy: Annotated[Floats, "f8", POOLS]  # ms
    wanted: Annotated[
        Ints, "u1", POOLS
    ]  # 1: somebody waits for a vehicle to return: returns are in the calendar
    wake_at: Annotated[Floats, "f8", POOLS]
    weather_day: Annotated[Floats, "f8", POOLS]  # day of the answer below
    weather_bad: Annotated[Ints, "u1", POOLS]
    batch_wake_at: Annotated[Floats, "f8", WAYS]
    # outcomes where no records are written
    outcomes: Annotated[Ints, "i8", (3, 8)]
    stuck: Int64  # slot of a patient who waits for ever
    blame: Int64  # order of the arrival whose record contradicts the flow


KERNEL_STATE = dtype_of(KernelState)


def new_kernel_state() -> Any:
    """An empty world: one row of WORLD."""
    w = np.zeros(1, KERNEL_STATE)
    initialise(w["calendar"])
    w["first"] = -1
    w["last"] = -1
    w["serving"] = -1
    w["free_slot"] = -1
    w["weather_day"] = -1e9
    w["free_note"] = -1
    w["promised_first"] = -1
    w["promised_last"] = -1
    return w


@compiled
def schedule(state: KernelState, at: float, kind: int, order: int, what: int, version: int) -> None:
    """Enter something in the calendar."""
    enter(state.calendar, at, (kind << ENTRY_KIND_SHIFT) + order, what, version)


@compiled
def new_slot(state: KernelState) -> Any:
    """A free slot; -1 when there is none left."""
    slot = state.free_slot
    if slot >= 0:
        state.free_slot = state.states[slot].next
    else:
        slot = state.used_slots
        if slot >= SLOTS:
            state.status = KernelExit.TABLES_FULL
            return -1
        state.used_slots += 1
    state.open += 1
    state.most_open = max(state.most_open, state.open)
    return int(slot)


@compiled
def free_slot(state: KernelState, slot: int) -> None:
    """Give back a slot and its journal."""
    casualty = state.states[slot]
    if casualty.journal >= 0:
        state.notes[casualty.journal_end].next = state.free_note
        state.free_note = casualty.journal
    casualty.journal = -1
    casualty.version += 1
    casualty.nobody = 1
    casualty.next = state.free_slot
    state.free_slot = slot
    state.open -= 1


@compiled
def new_decision(state: KernelState) -> Any:
    """A free row of the journals; -1 when there is none left."""
    entry = state.free_note
    if entry >= 0:
        state.free_note = state.notes[entry].next
    else:
        entry = state.used_notes
        if entry >= MAX_DECISIONS:
            state.status = KernelExit.TABLES_FULL
            return -1
        state.used_notes += 1
    return int(entry)


@compiled
def add_pending_release(state: KernelState, owner: int, at: float) -> None:
    """Something of `owner` (a resource, or RESOURCES_IN_ALL plus a pool) will be free at `at`, and nobody waits for
    it.
    """
    entry = new_decision(state)
    if entry < 0:
        return
    state.notes[entry].at = at
    first = state.promised_first[owner]
    if first < 0:
        state.notes[entry].next = -1
        state.promised_first[owner] = entry
        state.promised_last[owner] = entry
    elif state.notes[state.promised_last[owner]].at <= at:
        state.notes[entry].next = -1
        state.notes[state.promised_last[owner]].next = entry
        state.promised_last[owner] = entry
    elif at < state.notes[first].at:
        state.notes[entry].next = first
        state.promised_first[owner] = entry
    else:
        before = int(first)
        while state.notes[state.notes[before].next].at <= at:
            before = int(state.notes[before].next)
        state.notes[entry].next = state.notes[before].next
        state.notes[before].next = entry


@compiled
def next_pending_release(state: KernelState, owner: int) -> float:
    """When the next of `owner` will be free; infinity: none is promised."""
    entry = state.promised_first[owner]
    return state.notes[entry].at if entry >= 0 else math.inf


@compiled
def pop_pending_release(state: KernelState, owner: int) -> float:
    """Takes the first promise of `owner` off its list; returns its time."""
    entry = state.promised_first[owner]
    state.promised_first[owner] = state.notes[entry].next
    state.notes[entry].next = state.free_note
    state.free_note = entry
    return float(state.notes[entry].at)


@compiled
def log_decision(state: KernelState, casualty: CasualtyState, at: float, code: int, value: int) -> None:
    """Append to the journal of a patient, if the record will be told."""
    if not state.told:
        return
    entry = new_decision(state)
    if entry < 0:
        return
    row = state.notes[entry]
    row.at = at
    row.code = code
    row.value = value
    row.next = -1
    if casualty.journal < 0:
        casualty.journal = entry
    else:
        state.notes[casualty.journal_end].next = entry
    casualty.journal_end = entry
