"""Casualties whom no other patient can affect, because nothing finite lies ahead of them.

Where that holds for all, the run needs neither calendar nor queues: `advance_unlimited` is an entry point of its own,
which compiles in half the time of `advance`.
"""

import math

import numpy as np

from engine.clinical import copy_arrival, death_time, take_last, take_until, take_with_events
from engine.codes import Outcome
from engine.kernel.codes import KernelExit, Stage
from engine.kernel.new_casualty import initialise_casualty
from engine.kernel.outcomes import die
from engine.kernel.records import begin_record, end_record, has_room
from engine.kernel.stages import perform_stage
from engine.kernel.state import KERNEL_STATE, KernelState, next_due
from engine.numeric import Counter, compiled, compiled_entry
from engine.tables import (
    ARRIVAL,
    ARRIVAL_SEQUENCE,
    HORIZON_SEQUENCE,
    MODEL,
    OUTPUT,
    PATIENTS,
    SLOTS,
    ArrivalRow,
    CasualtyState,
    Model,
    Output,
    PatientRow,
    Table,
)

_IN_CARE = int(
    Outcome.IN_CARE
)  # plain: Numba cannot unify a member with a column of bytes (platform section 2.3)


def uses_calendar(net: np.void) -> bool:
    """Return whether the calendar of a run can hold any entry; `net` is a row of its network."""
    fields = ("finite", "poi_finite_ahead", "resupply_interval", "lift_interval", "world_event_count")
    return any(bool(np.any(net[name])) for name in fields)


@compiled
def outcome_at_horizon(record: PatientRow, closed: bool, model: Model) -> int:
    """Return the outcome, which is IN_CARE unless it was fixed by the horizon."""
    if closed and record.closed <= model.care.horizon[0]:
        return int(record.status)
    return _IN_CARE


@compiled
def _perform_all_stages(
    output: Output, row: int, casualty: CasualtyState, model: Model, counter: Counter
) -> None:
    """Move a casualty from stage to stage until the outcome is fixed or the horizon is reached."""
    while casualty.stage != Stage.CLOSED:
        due = next_due(casualty)
        death = death_time(casualty)
        following = min(due, death)
        take_until(output, row, casualty, min(following, model.care.horizon[0]), model, counter)
        if following > model.care.horizon[0]:
            return
        if death > due:
            perform_stage(output, row, casualty, model, counter)
            take_with_events(output, row, casualty, due, model, counter)
        elif death == math.inf:
            return
        else:
            take_last(output, row, casualty, death, model, counter)
            die(output, row, casualty, death, model)


@compiled
def write_unaffected(
    state: KernelState, scratch: Output, output: Output, arrival: ArrivalRow, model: Model
) -> None:
    """Write the record of a casualty at arrival. Where no records are written, only the outcome is counted."""
    counter = (arrival.cell, arrival.index)
    casualty = state.casualties[SLOTS]
    state.closed_count += 1
    if state.writes_records:
        if not has_room(state, output):
            return
        row = output.rows[PATIENTS]
        copy_arrival(output.patients[row], arrival, model.care.mascal_threshold[0])
        first_event, first_vital = begin_record(output, row, casualty, model, counter)
        _perform_all_stages(output, row, casualty, model, counter)
        end_record(state, output, row, casualty, first_event, first_vital, model)
    else:
        record = scratch.patients[SLOTS]
        copy_arrival(record, arrival, model.care.mascal_threshold[0])
        initialise_casualty(scratch, SLOTS, casualty, model, counter)
        _perform_all_stages(scratch, SLOTS, casualty, model, counter)
        state.outcomes[record.stream, outcome_at_horizon(record, True, model)] += 1


@compiled_entry(KERNEL_STATE, ARRIVAL, MODEL, OUTPUT, OUTPUT, int)
def advance_unlimited(
    states: Table, arrivals: Table, models: Table, scratches: Table, outputs: Table, room: int
) -> None:
    """Do what `advance` does where nothing is finite and the calendar stays empty.

    It returns at the end of each batch of arrivals, which is short enough that Ctrl-C works.
    """
    state: KernelState = states[0]
    model: Model = models[0]
    scratch: Output = scratches[0]
    output: Output = outputs[0]
    state.status = KernelExit.RUNNING
    while state.status == KernelExit.RUNNING:
        if output.rows[PATIENTS] >= room:
            state.status = KernelExit.CHUNK_FULL
        elif state.next_arrival < len(arrivals):
            arrival = arrivals[state.next_arrival]
            state.now = arrival.time
            state.sequence_at = state.now
            state.sequence = ARRIVAL_SEQUENCE + state.arrival_count
            state.arrival_count += 1
            if not state.excluded_front[arrival.front]:
                write_unaffected(state, scratch, output, arrival, model)
            state.next_arrival += 1
            state.steps += 1
        elif not state.arrivals_exhausted:
            state.status = KernelExit.NEEDS_ARRIVALS
        elif model.care.horizon[0] == math.inf:
            state.now = max(state.now, state.end_at)
            state.status = KernelExit.FINISHED
        else:
            state.now = model.care.horizon[0]
            state.sequence_at = model.care.horizon[0]
            state.sequence = HORIZON_SEQUENCE
            state.status = KernelExit.FINISHED
