"""Rides: a patient is assigned to a vehicle with fixed times of departure and arrival."""

import math

from engine.clinical import death_time
from engine.kernel.codes import LAST_POI_STAGE, Decision, Stage
from engine.kernel.destinations import awaits_surgery, distance
from engine.kernel.disposition_stages import board_vehicle, prepared_at
from engine.kernel.diversion import diverts
from engine.kernel.places import accepts
from engine.kernel.resources import end_wait, schedule_next_event
from engine.kernel.stages import perform_stage
from engine.kernel.state import KernelState, log_decision
from engine.kernel.travel import draw_leg_time
from engine.numeric import compiled
from engine.tables import CasualtyState, Model, Output


@compiled
def _count_bypassed(
    state: KernelState, casualty: CasualtyState, candidate: int, now: float, model: Model
) -> None:
    """Count every closer facility that the patient passes because it is full or closed, diverts or cannot operate."""
    way = model.network.candidate_way[candidate]
    first = model.network.way_first[way]
    for other in range(first, first + model.network.way_count[way]):
        if (
            other >= candidate
            if model.network.move_count == 0
            else distance(other, now, model) >= distance(candidate, now, model)
        ):
            continue
        facility = model.network.destination[model.network.candidate_link[other]]
        incapable = (
            awaits_surgery(casualty)
            and model.network.candidate_operates[candidate]
            and not model.network.candidate_operates[other]
        )
        if model.network.allowed_categories[other] >> casualty.category & 1 and (
            incapable
            or not accepts(state, facility, model)
            or (model.network.bypass and diverts(state, facility, casualty.category, now, model))
        ):
            state.bypassed[facility] += 1


@compiled
def assign_ride(
    state: KernelState,
    scratch: Output,
    slot: int,
    candidate: int,
    now: float,
    depart: float,
    arrive: float,
    model: Model,
) -> None:
    """Assign a ride to a waiting patient: log it, end the wait and schedule what follows.

    The caller has reserved a place at the destination.
    """
    casualty = state.casualties[slot]
    if casualty.held >= 0:
        state.blocked_time[casualty.held] += now - casualty.wait_since
    end_wait(state, slot, now)
    facility = model.network.destination[model.network.candidate_link[candidate]]
    casualty.reserved_place = facility if model.network.counts_places[facility] else -1
    _count_bypassed(state, casualty, candidate, now, model)
    log_decision(state, casualty, now, Decision.RIDE, candidate)
    log_decision(state, casualty, depart, Decision.TIME, 0)
    log_decision(state, casualty, arrive, Decision.TIME, 0)
    counter = (casualty.cell, casualty.index)
    if casualty.stage == Stage.FIRST_AID and casualty.at <= now:
        perform_stage(scratch, slot, casualty, model, counter)
    casualty.wait_until = now
    board_vehicle(casualty, candidate, depart, arrive, model)
    # the remaining stages at the point of injury affect no other patient
    while casualty.stage <= LAST_POI_STAGE and casualty.at < death_time(casualty):
        perform_stage(scratch, slot, casualty, model, counter)
    schedule_next_event(state, slot)
    state.progress_at = now


@compiled
def ready_to_depart(casualty: CasualtyState, model: Model) -> float:
    """Return when a patient who waits for transport at a facility is prepared for it, ms; -infinity elsewhere.

    Preparation begins with the request and goes on while the vehicle is on its way (docs/model.md section 2.7.4).
    """
    if casualty.facility < 0:
        return -math.inf
    return prepared_at(casualty, casualty.transport_requested_at, model)


@compiled
def ride_time(casualty: CasualtyState, candidate: int, now: float, model: Model) -> float:
    """Return ms from the patient's place to the destination: the patient's own draw for the leg."""
    return draw_leg_time(
        model.network.candidate_link[candidate], casualty.leg, now, model, (casualty.cell, casualty.index)
    )
