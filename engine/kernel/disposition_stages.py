"""The stages at the end of care in a facility: return to duty or evacuation (docs/model.md section 2.7)."""

import math

from engine.clinical import (
    burn_fluids_go_on,
    care_goes_on_the_way,
    care_in_bed,
    consider_complications,
    death_time,
    enter_unseen,
    log_event,
    log_treatment,
    log_ward_rounds,
    next_complication,
    set_factor,
    to_uniform,
)
from engine.codes import (
    AT_POI,
    EN_ROUTE,
    INTENSIVE_CARE,
    LEG_BLOCKS,
    NONE,
    CarePlace,
    CasualtyKind,
    DrawPurpose,
    Effect,
    Event,
    Treatment,
    TriageCategory,
)
from engine.kernel.codes import MatrixOutcome, Stage
from engine.kernel.poi_stages import set_next_poi_stage
from engine.kernel.travel import draw_leg_time, draw_route_time
from engine.kernel.waiting import precedence_of, triage_for_evacuation
from engine.numeric import Counter, compiled, words
from engine.tables import HOUR, MINUTE, QUIET, TREATMENT_COUNT, CasualtyState, Model, Output, PatientRow


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
_HIGHEST_OF_QUARTERS = 3
"""The highest role with outpatients."""
_OUT_OF_BED = 2
"""Of `outpatient`: has left the bed after days on the ward."""
_WORST_OUT_OF_BED = 2
"""Highest AIS of the wounded who leave the bed for quarters."""


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
    is_there = casualty.stage == Stage.COMPLICATION or casualty.stage == Stage.FIT_TO_TRAVEL
    if is_there and not casualty.in_quarters:
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
    care_in_bed(output, row, casualty, now, until, model)
    casualty.in_quarters = 0
    _end_stay(casualty, Stage.RETURN, end, complication)


@compiled
def _end_stay(casualty: CasualtyState, stage: int, end: float, complication: float) -> None:
    """Let `stage` follow at `end`, ms, unless there is a complication before."""
    casualty.stage = stage
    casualty.at = end
    if complication < end:
        casualty.stage = Stage.COMPLICATION
        casualty.at = complication


@compiled
def goes_to_quarters(record: PatientRow, casualty: CasualtyState, model: Model) -> bool:
    """Return whether a casualty goes back to his unit with limited duty, as an outpatient of a facility in theatre."""
    return bool(
        casualty.outpatient
        and not casualty.operated
        and not casualty.resuscitated
        and not casualty.intensive
        and not casualty.complications
        and not model.transitions.used[0]
        and model.network.role[casualty.facility] <= _HIGHEST_OF_QUARTERS
        and stays_until_duty(record, casualty, model)
    )


@compiled
def _leaves_bed_at(
    record: PatientRow, casualty: CasualtyState, now: float, end: float, model: Model
) -> float:
    """Return when a casualty who stays until `end`, ms, leaves the ward for quarters; infinity: not before.

    It is the T3 with small wounds and the ill of T2 and T3 whom nothing would kill, without an operation.
    """
    slight = record.worst_ais <= _WORST_OUT_OF_BED and record.triage == TriageCategory.T3
    if record.kind != CasualtyKind.WOUNDED:
        slight = record.triage != TriageCategory.T1 and record.kind != CasualtyKind.AGENT
    leaves = now + model.care.quarters_after[0]
    if (
        not slight
        or model.care.quarters_ais < 1
        or record.lethal != NONE
        or casualty.operated
        or casualty.resuscitated
        or casualty.intensive
        or casualty.complications
        or casualty.late_death_at < math.inf
        or casualty.leaves_theatre
        or casualty.outpatient == _OUT_OF_BED
        or model.network.role[casualty.facility] > _HIGHEST_OF_QUARTERS
        or not stays_until_duty(record, casualty, model)
        or end < leaves + _LEAST_IN_QUARTERS
    ):
        return math.inf
    return float(leaves)


_LEAST_IN_QUARTERS = 12.0 * HOUR
"""ms for which nobody leaves the bed."""


@compiled
def _send_to_quarters(
    output: Output, row: int, casualty: CasualtyState, now: float, end: float, model: Model
) -> None:
    """Send the casualty to the unit with limited duty, until full duty at `end`, ms, or a complication."""
    log_event(output, row, now, casualty.facility, Event.QUARTERS, 0)
    casualty.in_quarters = 1
    _end_stay(casualty, Stage.RETURN, end, next_complication(output, row, casualty, now, model))


@compiled
def leads_to_role_4(record: PatientRow, casualty: CasualtyState, model: Model) -> bool:
    """Return whether the way onwards from the casualty's facility leads to Role 4."""
    link = model.network.next_link[casualty.facility, record.front]
    return bool(
        link >= 0
        and model.network.role[casualty.facility] > 0
        and model.network.role[model.network.destination[link]] == 4
    )


@compiled
def arranged_at(
    record: PatientRow, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> float:
    """Return when a journey to Role 4 that is asked for at `now` is arranged, ms; other journeys are at once.

    Whoever is dying, or still needs an operation, does not wait for it.
    """
    if (
        casualty.life < math.inf
        or (casualty.needs_surgery and not casualty.operated)
        or not leads_to_role_4(record, casualty, model)
    ):
        return now
    uniform = to_uniform(
        words(
            model.keys[DrawPurpose.CARE], counter[0], counter[1], INTENSIVE_CARE + LEG_BLOCKS * casualty.leg
        )[2]
    )
    least = model.care.arrangement[casualty.category, 0]
    most = model.care.arrangement[casualty.category, 1]
    return now + least + uniform * (most - least)


@compiled
def _fit_to_travel_at(
    record: PatientRow, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> float:
    """Return until when the casualty stays on the ward before evacuation is requested, ms.

    Those who were operated on here recover, the routine for a night; the journey to Role 4 has to be arranged. Who is
    dying waits for neither.
    """
    if casualty.life < math.inf:
        return now
    if casualty.arranged_at == -math.inf:
        casualty.arranged_at = arranged_at(record, casualty, now, model, counter)
    until = max(casualty.arranged_at, casualty.recovered_at)
    if casualty.category == TriageCategory.T3 and casualty.recovered_at > casualty.operated_until:
        until = max(until, casualty.operated_until + model.care.recovery[2])
    return float(until)


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
def stays_until_duty(record: PatientRow, casualty: CasualtyState, model: Model) -> bool:
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
    """Keep the casualty if the stay fits the evacuation policy, in a bed or in quarters; else evacuate.

    Evacuation is requested once the casualty is fit to travel and the journey is arranged. All is decided again when a
    complication occurs on the ward.
    """
    record = output.patients[row]
    if model.transitions.used[0]:
        _dispose_under_matrix(output, row, casualty, now, model, counter)
        return
    may_go = casualty.stage == Stage.DISPOSITION or casualty.stage == Stage.FIT_TO_TRAVEL
    in_quarters = may_go and goes_to_quarters(record, casualty, model)
    consider_complications(output, row, casualty, now, model)
    if in_quarters and casualty.complications:  # decides again, in a bed
        casualty.at = now
        return
    link = model.network.next_link[casualty.facility, record.front]
    if link < 0 or stays_until_duty(record, casualty, model):
        end = max(casualty.stay_end, now + SHORTEST_WARD_STAY)
        end = end if death_time(casualty) == math.inf else math.inf
        if casualty.stage == Stage.DISPOSITION:
            triage_for_evacuation(output, row, casualty, now, model)
        if in_quarters:
            _send_to_quarters(output, row, casualty, now, end, model)
        else:
            leaves = _leaves_bed_at(record, casualty, now, end, model)
            _admit_to_ward(output, row, casualty, now, min(end, leaves), model)
            if leaves < math.inf:
                casualty.outpatient = _OUT_OF_BED
                if casualty.stage == Stage.RETURN:
                    casualty.stage = Stage.FIT_TO_TRAVEL
        enter_unseen(output, row, casualty, model)
        return
    triage_for_evacuation(output, row, casualty, now, model)
    until = _fit_to_travel_at(record, casualty, now, model, counter)
    if until > now:
        _admit_to_ward(output, row, casualty, now, until, model)
        if casualty.stage == Stage.RETURN:
            casualty.stage = Stage.FIT_TO_TRAVEL
        enter_unseen(output, row, casualty, model)
        return
    casualty.in_quarters = 0
    if model.network.way_finite[casualty.way]:
        log_event(output, row, now, casualty.facility, Event.EVACUATION_REQUESTED, precedence_of(casualty))
        casualty.stage = Stage.AWAIT_TRANSPORT
        casualty.at = math.inf
        casualty.transport_requested_at = now
    else:
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
    care_goes_on_the_way(output, row, casualty, now, model)
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
