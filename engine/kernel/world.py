"""World events: facilities open, close and are hit; vehicles go out of use and come back."""

import math

from engine.clinical import to_uniform
from engine.codes import HIT, RESOURCE_COUNT, DrawPurpose, Resource
from engine.kernel.codes import Decision, EntryKind, Stage, WorldEventKind
from engine.kernel.decision_pass import advance_casualty, free_everything
from engine.kernel.dispatch import dispatch_from_pool, dispatch_to_facility
from engine.kernel.interruptions import restart_care
from engine.kernel.outcomes import kill_in_hit
from engine.kernel.remains_stages import is_dead
from engine.kernel.resources import (
    end_wait,
    release_held,
    schedule_next_event,
    serve_queue,
    update_integrals,
    update_operating_tables,
)
from engine.kernel.state import KernelState, log_decision, schedule
from engine.numeric import compiled, words
from engine.tables import UNLIMITED, Model, Output

SLOTS_PER_STEP = 64
"""Slots that are searched in the time of a step of the kernel."""


@compiled
def _change_capacity(state: KernelState, number: int, sign: int, now: float, model: Model) -> None:
    """Take the capacity that a hit costs from a facility (`sign` 1), or give it back (-1)."""
    facility = model.network.world_event_target[number]
    for k in range(RESOURCE_COUNT):
        resource = facility * RESOURCE_COUNT + k
        if (
            model.network.capacity[resource] < UNLIMITED
        ):  # unlimited bays are marked finite if blood is limited
            update_integrals(state, resource, now)
            share = model.network.world_event_value[number]
            change = sign * int(share * model.network.capacity[resource] + 0.5)
            state.capacity_lost[resource] += change
            if k != Resource.OPERATING_TABLE:
                state.capacity[resource] -= change
    update_operating_tables(state, facility, now, model)


@compiled
def _kill(state: KernelState, scratch: Output, output: Output, slot: int, now: float, model: Model) -> None:
    """Kill a casualty in a facility that is hit."""
    casualty = state.casualties[slot]
    if casualty.queue >= 0:
        end_wait(state, slot, now)
    log_decision(state, casualty, now, Decision.KILLED, 0)
    kill_in_hit(scratch, slot, casualty, now, model)
    casualty.retriage_at = math.inf
    if is_dead(casualty):  # the remains ask for a vehicle after the hit, in the order of the arrivals
        free_everything(state, scratch, slot, now, model)
        schedule_next_event(state, slot)
    else:
        advance_casualty(state, scratch, output, slot, now, model)


@compiled
def _restart_at_triage(state: KernelState, scratch: Output, slot: int, now: float, model: Model) -> None:
    """Interrupt the care of a casualty who survives a hit on the facility. Care starts again with triage."""
    casualty = state.casualties[slot]
    if casualty.queue >= 0:
        end_wait(state, slot, now)
    release_held(state, scratch, slot, now, model)
    log_decision(state, casualty, now, Decision.REQUEUED, 0)
    restart_care(scratch, slot, casualty, now)
    schedule_next_event(state, slot)


@compiled
def _hit_facility(
    state: KernelState, scratch: Output, output: Output, number: int, now: float, model: Model
) -> None:
    """Hit a facility: capacity is lost, and the casualties inside are killed or begin again with triage."""
    facility = model.network.world_event_target[number]
    _change_capacity(state, number, 1, now, model)
    state.in_hit = 1
    state.visited += state.used_slots // SLOTS_PER_STEP
    for slot in range(state.used_slots):
        casualty = state.casualties[slot]
        if (
            casualty.is_free
            or casualty.facility != facility
            or casualty.stage == Stage.LEAVE
            or casualty.in_quarters
            or casualty.stage == Stage.CLOSED
            or is_dead(casualty)
        ):
            continue
        uniform = to_uniform(
            words(model.keys[DrawPurpose.VEHICLES], casualty.cell, casualty.index, HIT + number)[0]
        )
        if uniform < model.network.world_event_killed[number]:
            _kill(state, scratch, output, slot, now, model)
        elif casualty.stage != Stage.AWAIT_TRANSPORT and casualty.stage != Stage.ADMIT:
            _restart_at_triage(state, scratch, slot, now, model)
    state.in_hit = 0


@compiled
def apply_world_event(
    state: KernelState, scratch: Output, output: Output, number: int, now: float, model: Model
) -> None:
    """Apply a world event of the scenario. What it makes available is granted when all changes of `now` are applied."""
    kind = model.network.world_event_kind[number]
    target = model.network.world_event_target[number]
    of_pool = 0
    if kind == WorldEventKind.OPEN:
        state.closures[target] -= 1
    elif kind == WorldEventKind.CLOSE:
        state.closures[target] += 1
        return
    elif kind == WorldEventKind.HIT:
        _hit_facility(state, scratch, output, number, now, model)
    elif kind == WorldEventKind.HIT_END:
        _change_capacity(state, number, -1, now, model)
    elif kind == WorldEventKind.VEHICLES_OUT:
        state.idle_vehicles[target] -= int(model.network.world_event_value[number])
        return
    else:
        state.idle_vehicles[target] += int(model.network.world_event_value[number])
        of_pool = 1
    schedule(state, now, EntryKind.SERVE, number, target, of_pool)


@compiled
def serve_after_change(
    state: KernelState, scratch: Output, subject: int, of_pool: int, now: float, model: Model
) -> None:
    """Grant what world events have made available, and send vehicles.

    `subject` is a vehicle pool (`of_pool` 1) or a facility (0).
    """
    if of_pool:
        dispatch_from_pool(state, scratch, subject, now, model)
        return
    for kind in range(RESOURCE_COUNT):
        serve_queue(state, scratch, subject * RESOURCE_COUNT + kind, now, model)
    dispatch_to_facility(state, scratch, subject, now, model)
