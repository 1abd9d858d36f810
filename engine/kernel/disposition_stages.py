"""The stages at the end of care in a facility: return to duty or evacuation (docs/model.md section 2.7)."""

import math

from engine.clinical import (
    burn_fluids_go_on,
    consider_complications,
    death_time,
    enter_unseen,
    log_event,
    log_treatment,
    log_ward_rounds,
    next_complication,
    oxygen_in_bed,
    oxygen_on_the_way,
    set_factor,
)
from engine.codes import AT_POI, EN_ROUTE, NONE, CarePlace, CasualtyKind, Effect, Event, Treatment
from engine.kernel.codes import MatrixOutcome, Stage
from engine.kernel.poi_stages import set_next_poi_stage
from engine.kernel.travel import draw_leg_time, draw_route_time
from engine.kernel.waiting import precedence_of, triage_for_evacuation
from engine.numeric import Counter, compiled
from engine.tables import MINUTE, QUIET, TREATMENT_COUNT, CasualtyState, Model, Output, PatientRow


@compiled
def prepared_at(casualty: CasualtyState, requested_at: float, model: Model) -> float:
    """Return when a casualty whose evacuation is requested at `requested_at` may leave the facility, ms."""
    return max(float(requested_at + model.care.preparation[casualty.category]), casualty.awake_at)


@compiled
def _depart_onwards(
    output: Output,
    row: int,
    casualty: CasualtyState,
    now: float,
    ready: float,
    leg: float,
    goal: int,
    model: Model,
) -> None:
    """Request evacuation to `goal`, `leg` ms away, and leave at `ready`, when the casualty is prepared.

    Used where vehicles are unlimited, and under transition-matrix routing.
    """
    log_event(output, row, now, casualty.facility, Event.EVACUATION_REQUESTED, precedence_of(casualty))
    casualty.destination = goal
    casualty.stage = Stage.LEAVE
    casualty.at = ready
    casualty.arrive_at = ready + leg


@compiled
def _stay_begins(record: PatientRow, casualty: CasualtyState) -> float:
    """Return when the days in care begin: the injury of the wounded, the first admission of the others, ms."""
    return float(record.time) if record.kind == CasualtyKind.WOUNDED else casualty.admitted_at


SHORTEST_WARD_STAY = 30.0 * MINUTE
"""ms"""


@compiled
def _extend_ward_care(output: Output, casualty: CasualtyState, until: float) -> None:
    """Let the last stay on the ward in the record last until `until`, ms."""
    if output.rows[QUIET]:
        return
    k = int(output.rows[TREATMENT_COUNT]) - 1
    while k >= casualty.first_treatment and output.treatments[k].kind != Treatment.WARD_CARE:
        k -= 1
    if k >= casualty.first_treatment:
        output.treatments[k].end = int(until)


@compiled
def _admit_to_ward(
    output: Output, row: int, casualty: CasualtyState, now: float, end: float, model: Model
) -> None:
    """Admit the casualty to the ward until `end`, ms; infinity: until death.

    A complication before then is the next stage. Who has one on the ward stays there.
    """
    complication = next_complication(output, row, casualty, now, model)
    until = min(min(end, complication), death_time(casualty))
    if casualty.stage == Stage.COMPLICATION:
        _extend_ward_care(output, casualty, until)
    else:
        log_event(output, row, now, casualty.facility, Event.WARD_ADMITTED, 0)
        log_treatment(
            output,
            row,
            casualty.facility,
            Treatment.WARD_CARE,
            now,
            (until - now) / MINUTE,
            Effect.SUPPORTIVE,
            NONE,
        )
        log_ward_rounds(output, row, casualty, now, until, model)
        oxygen_in_bed(output, row, casualty, now, until, model)
    casualty.stage = Stage.RETURN
    casualty.at = end
    if complication < end:
        casualty.stage = Stage.COMPLICATION
        casualty.at = complication


@compiled
def _dispose_under_matrix(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """Apply the outcome that transition-matrix routing has drawn for this facility."""
    record = output.patients[row]
    here = casualty.facility
    if casualty.outcome < MatrixOutcome.DEAD:
        goal = model.transitions.facility[record.front, casualty.outcome]
        link = model.network.next_link[here, record.front]
        leg = draw_route_time(casualty, record.front, goal, link, model, counter)
        triage_for_evacuation(output, row, casualty, now, model)
        ready = prepared_at(casualty, now, model)
        _depart_onwards(output, row, casualty, now, ready, leg, goal, model)
    else:
        longest = _stay_begins(record, casualty) + model.network.evacuation_policy[here]
        end = max(now + SHORTEST_WARD_STAY, min(casualty.stay_end, longest))
        _admit_to_ward(output, row, casualty, now, end, model)


@compiled
def _stays_until_duty(record: PatientRow, casualty: CasualtyState, model: Model) -> bool:
    """Return whether the casualty can be cared for here and is back on duty within the evacuation policy."""
    here = casualty.facility
    recovers = (
        casualty.life == math.inf
        and casualty.late_death_at == math.inf
        and (not casualty.needs_surgery or casualty.operated)
    )
    role = model.network.role[here]
    return bool(
        recovers
        and not casualty.leaves_theatre
        and role > 0
        and casualty.stay_end - _stay_begins(record, casualty) <= model.network.evacuation_policy[here]
        and role >= casualty.onward
        and role >= casualty.care_role
    )


@compiled
def decide_disposition(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """Keep the casualty on the ward if the stay fits the evacuation policy, else evacuate as soon as possible.

    It is decided again when a complication occurs on the ward.
    """
    record = output.patients[row]
    if model.transitions.used[0]:
        _dispose_under_matrix(output, row, casualty, now, model, counter)
        return
    consider_complications(output, row, casualty, now, model)
    link = model.network.next_link[casualty.facility, record.front]
    if link < 0 or _stays_until_duty(record, casualty, model):
        end = max(casualty.stay_end, now + SHORTEST_WARD_STAY)
        end = end if death_time(casualty) == math.inf else math.inf
        _admit_to_ward(output, row, casualty, now, end, model)
    elif model.network.way_finite[casualty.way]:
        triage_for_evacuation(output, row, casualty, now, model)
        log_event(output, row, now, casualty.facility, Event.EVACUATION_REQUESTED, precedence_of(casualty))
        casualty.stage = Stage.AWAIT_TRANSPORT
        casualty.at = math.inf
        casualty.transport_requested_at = now
    else:
        triage_for_evacuation(output, row, casualty, now, model)
        ready = prepared_at(casualty, now, model)
        leg = draw_leg_time(link, casualty.leg, ready, model, counter)
        _depart_onwards(output, row, casualty, now, ready, leg, model.network.destination[link], model)
    enter_unseen(output, row, casualty, model)


@compiled
def leave_with_vehicle(output: Output, row: int, casualty: CasualtyState, now: float, model: Model) -> None:
    """Leave the facility with a vehicle, which arrives at `arrive_at`."""
    log_event(output, row, now, casualty.facility, Event.DEPARTED, casualty.platform)
    casualty.facility = EN_ROUTE
    casualty.platform = 0
    if casualty.vehicle_clock_factor != 1.0 or casualty.in_surge_place:
        casualty.in_surge_place = 0
        set_factor(casualty, now, model.survival.factor[0] * casualty.vehicle_clock_factor)
    oxygen_on_the_way(output, row, casualty, now, model)
    on_the_way = CarePlace.ON_THE_WAY
    burn_fluids_go_on(output, row, casualty, now, casualty.arrive_at, on_the_way, model)
    casualty.stage = Stage.ARRIVE
    casualty.at = casualty.arrive_at


@compiled
def board_vehicle(
    casualty: CasualtyState, candidate: int, depart: float, arrive: float, model: Model
) -> None:
    """Assign the casualty to a vehicle of `candidate`, which departs at `depart` and arrives at `arrive`, ms."""
    casualty.destination = model.network.destination[model.network.candidate_link[candidate]]
    pool = model.network.candidate_pool[candidate]
    casualty.vehicle_clock_factor = model.network.vehicle_clock_factor[pool] if pool >= 0 else 1.0
    casualty.platform = model.network.candidate_platform[candidate]
    casualty.depart_at = depart
    casualty.arrive_at = arrive
    casualty.retriage_at = math.inf
    if casualty.facility == AT_POI:
        set_next_poi_stage(casualty)
    else:
        casualty.stage = Stage.LEAVE
        casualty.at = depart
