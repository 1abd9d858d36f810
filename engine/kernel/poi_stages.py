"""The stages at the point of injury: injury, first aid, request and departure (docs/model.md section 2.7)."""

import math

import numpy as np

from engine import numeric
from engine.clinical import (
    ALL_ROLES,
    care_on_the_way,
    give_first_aid,
    give_prehospital_blood,
    given_category,
    log_event,
    pick_cumulated,
    row_of_cell,
    set_factor,
    to_uniform,
    type_row,
)
from engine.codes import (
    AT_POI,
    EN_ROUTE,
    FIELD_CARE,
    FIRST_AID,
    FIRST_RESPONDER,
    MATRIX_START,
    NONE,
    CasualtyKind,
    DrawPurpose,
    Event,
    LethalMechanism,
    TriageCategory,
)
from engine.kernel.codes import DEPARTURE_SHARE, REQUEST_SHARE, FieldTime, MatrixOutcome, Stage
from engine.kernel.outcomes import ONE_SECOND, end_treatments, go_on_the_way, spread_treatments
from engine.kernel.travel import draw_field_minutes, draw_leg_time, draw_matrix_outcome, draw_route_time
from engine.kernel.waiting import assign_category, precedence_of
from engine.numeric import Counter, compiled, words
from engine.tables import MINUTE, TREATMENT_COUNT, CasualtyState, Model, Output, PatientRow


@compiled
def set_next_poi_stage(casualty: CasualtyState) -> None:
    """Make the earliest of first aid, request, departure and arrival the stage that is due.

    First aid counts as long as it comes before the arrival at the first facility: a vehicle may depart before it.
    """
    stage = Stage.ARRIVE
    at = casualty.arrive_at
    if casualty.depart_at <= at:
        stage = Stage.DEPART
        at = casualty.depart_at
    if casualty.request_at <= at:
        stage = Stage.REQUEST
        at = casualty.request_at
    if casualty.aid_at <= at and casualty.aid_at < casualty.arrive_at:
        stage = Stage.FIRST_AID
        at = casualty.aid_at
    casualty.stage = stage
    casualty.at = at


@compiled
def _begin_under_matrix(
    record: PatientRow, casualty: CasualtyState, start: float, leg: int, model: Model, counter: Counter
) -> float:
    """Draw category, outcome and leg under transition-matrix routing; return the time of the first leg, ms."""
    row = type_row(record, model.injuries)
    _, uniform, second_uniform, _ = words(
        model.keys[DrawPurpose.SURVIVAL], counter[0], counter[1], MATRIX_START
    )
    record.triage = TriageCategory.T1 + pick_cumulated(
        model.transitions.triage[row, record.stream], 0, 3, to_uniform(uniform)
    )
    given = given_category(model.listed, row_of_cell(model.listed, np.uint64(counter[0])), counter[1])
    if given:
        record.triage = given
    casualty.needs_surgery = (
        1 if record.kind == CasualtyKind.WOUNDED and record.triage <= TriageCategory.T2 else 0
    )
    casualty.operable = ALL_ROLES
    if record.worst_ais == 6:
        return leg
    casualty.life = math.inf
    record.lethal = NONE
    record.untreated_death = -1
    draw_matrix_outcome(record, casualty, 0, model, counter)
    if casualty.outcome == MatrixOutcome.DEAD:
        casualty.late_death_at = (
            start + to_uniform(second_uniform) * model.care.request_shares[DEPARTURE_SHARE] * leg
        )
    elif casualty.outcome < MatrixOutcome.DEAD:
        casualty.destination = model.transitions.facility[record.front, casualty.outcome]
        return draw_route_time(
            casualty,
            record.front,
            casualty.destination,
            model.network.first_link[record.front],
            model,
            counter,
        )
    return leg


@compiled
def _log_injury(output: Output, row: int) -> None:
    """Log the injury, illness or exposure, and the onset of symptoms if it is delayed."""
    record = output.patients[row]
    if record.kind == CasualtyKind.AGENT:
        log_event(output, row, record.time, AT_POI, Event.EXPOSED, 0)
        if record.onset > record.time:
            log_event(output, row, record.onset, AT_POI, Event.SYMPTOM_ONSET, 0)
    elif record.kind >= CasualtyKind.DISEASE:
        log_event(output, row, record.time, AT_POI, Event.FELL_ILL, 0)
    else:
        log_event(output, row, record.time, AT_POI, Event.INJURED, 0)


@compiled
def _draw_first_aid_time(record: PatientRow, start: float, model: Model, counter: Counter) -> float:
    """Return the time of first aid, ms; infinity for the ill, who get none."""
    a, _, _, _ = words(model.keys[DrawPurpose.CARE], counter[0], counter[1], FIRST_RESPONDER)
    log_median = model.survival.aid_delay[0]
    if record.kind == CasualtyKind.AGENT:  # by himself or a buddy
        log_median = model.survival.aid_delay_against[LethalMechanism.AGENT]
    elif record.lethal != NONE:
        log_median = model.survival.aid_delay_against[record.lethal]
    delay = numeric.exp(log_median + model.survival.aid_delay[1] * numeric.normal_quantile(to_uniform(a)))
    if model.network.field_kind[record.front, FieldTime.FIRST_AID_AFTER] >= 0:
        delay = draw_field_minutes(record.front, FieldTime.FIRST_AID_AFTER, to_uniform(a), model)
    if record.kind == CasualtyKind.AGENT:  # nobody has to look for him
        return start + delay * MINUTE
    if record.kind <= CasualtyKind.NBI:
        return start + delay * model.care.aid_slowdown[0] * MINUTE
    return math.inf


@compiled
def _wait_for_field_care(
    record: PatientRow, casualty: CasualtyState, start: float, model: Model, counter: Counter
) -> None:
    """Put request, departure and arrival off until field triage and, where it has a duration, first aid are over.

    Preparation and travel take as long as without them. `request_at` becomes the end of the triage.
    """
    triage_after, triage, treatment, _ = words(
        model.keys[DrawPurpose.CARE], counter[0], counter[1], FIELD_CARE
    )
    preparation = casualty.depart_at - casualty.request_at
    travel = casualty.arrive_at - casualty.depart_at
    after = draw_field_minutes(record.front, FieldTime.TRIAGE_AFTER, to_uniform(triage_after), model)
    if after >= 0.0:
        casualty.request_at = start + after * MINUTE
    lasts = draw_field_minutes(record.front, FieldTime.TRIAGE, to_uniform(triage), model)
    casualty.request_at += max(0.0, lasts) * MINUTE
    casualty.ready_at = casualty.request_at
    lasts = draw_field_minutes(record.front, FieldTime.TREATMENT, to_uniform(treatment), model)
    if lasts >= 0.0 and casualty.aid_at < math.inf:
        casualty.ready_at = max(casualty.ready_at, casualty.aid_at + lasts * MINUTE)
    casualty.depart_at = casualty.ready_at + preparation
    casualty.arrive_at = casualty.depart_at + travel


@compiled
def begin_at_poi(output: Output, row: int, casualty: CasualtyState, model: Model, counter: Counter) -> None:
    """Log the injury and set the times of first aid, request, departure and arrival at the first facility.

    Each has a time of its own: a vehicle that is near may come before the first aid, which is then given on the way.
    Evacuation is requested at first aid, but no later than at a fixed share of the first leg. Times of care that the
    front has put it off.
    """
    record = output.patients[row]
    casualty.facility = AT_POI
    casualty.leg = 0
    casualty.destination = model.network.destination[model.network.first_link[record.front]]
    start = float(record.onset)
    casualty.way = model.network.poi_way[record.front]
    casualty.aid_at = _draw_first_aid_time(record, start, model, counter)
    leg = draw_leg_time(model.network.first_link[record.front], 0, start, model, counter)
    if model.transitions.used[0]:
        leg = _begin_under_matrix(record, casualty, start, leg, model, counter)
    casualty.arrive_at = start + leg
    casualty.depart_at = start + leg * model.care.request_shares[DEPARTURE_SHARE]
    _log_injury(output, row)
    casualty.request_at = min(start + leg * model.care.request_shares[REQUEST_SHARE], casualty.aid_at)
    if model.network.field_care[record.front]:
        _wait_for_field_care(record, casualty, start, model, counter)
    if model.network.way_finite[casualty.way]:  # time and destination depend on other patients
        casualty.remaining = casualty.depart_at - max(casualty.request_at, casualty.ready_at)
        casualty.arrive_at = math.inf
        casualty.depart_at = math.inf
    set_next_poi_stage(casualty)


@compiled
def _triage_in_field(
    output: Output, row: int, casualty: CasualtyState, model: Model, counter: Counter
) -> None:
    """Let the first responder triage the casualty."""
    uniform = to_uniform(words(model.keys[DrawPurpose.CARE], counter[0], counter[1], FIRST_RESPONDER)[1])
    casualty.category = assign_category(output, row, casualty, casualty.at, 0, uniform, model)
    given = given_category(model.listed, row_of_cell(model.listed, np.uint64(counter[0])), counter[1])
    if given:
        casualty.category = given
    log_event(output, row, casualty.at, AT_POI, Event.TRIAGED, casualty.category)


@compiled
def _request_evacuation(
    output: Output, row: int, casualty: CasualtyState, model: Model, counter: Counter
) -> None:
    """Let the first responder triage the casualty and, once first aid is over, request evacuation by precedence."""
    if casualty.category == 0:
        _triage_in_field(output, row, casualty, model, counter)
        if casualty.ready_at > casualty.at:
            casualty.request_at = casualty.ready_at
            return
    casualty.request_at = math.inf
    log_event(output, row, casualty.at, AT_POI, Event.EVACUATION_REQUESTED, precedence_of(casualty))
    if model.network.way_finite[casualty.way]:
        casualty.stage = Stage.AWAIT_TRANSPORT


@compiled
def _draw_pace(model: Model, counter: Counter) -> float:
    """Return the pace of treatments at the point of injury and on the way."""
    return to_uniform(words(model.keys[DrawPurpose.CARE], counter[0], counter[1], FIELD_CARE)[3])


@compiled
def _give_first_aid(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """Give first aid, at the point of injury or on the way; it acts on the clock when it begins."""
    casualty.aid_at = math.inf
    output.patients[row].first_care = int(now)
    log_event(output, row, now, casualty.facility, Event.FIRST_AID, 0)
    uniform = to_uniform(words(model.keys[DrawPurpose.SURVIVAL], counter[0], counter[1], FIRST_AID)[0])
    first = output.rows[TREATMENT_COUNT]
    pace = _draw_pace(model, counter)
    give_first_aid(output, row, casualty, now, uniform, pace, model)
    front = output.patients[row].front
    if model.network.field_kind[front, FieldTime.TREATMENT] >= 0:
        treatment = words(model.keys[DrawPurpose.CARE], counter[0], counter[1], FIELD_CARE)[2]
        minutes = draw_field_minutes(front, FieldTime.TREATMENT, to_uniform(treatment), model)
        spread_treatments(output, first, now, now + minutes * MINUTE)


@compiled
def _depart_from_poi(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """Leave the point of injury; from here on the clock runs at the vehicle's speed, and blood may be given."""
    casualty.depart_at = math.inf
    log_event(output, row, now, AT_POI, Event.DEPARTED, casualty.platform)
    casualty.platform = 0
    go_on_the_way(output, casualty.first_treatment, now)
    end_treatments(output, casualty.first_treatment, now, ONE_SECOND)
    casualty.facility = EN_ROUTE
    if casualty.vehicle_clock_factor != 1.0:
        set_factor(casualty, now, model.survival.factor[0] * casualty.vehicle_clock_factor)
    pace = _draw_pace(model, counter)
    care_on_the_way(output, row, casualty, now, pace, model)
    if model.survival.prehospital_blood[0] > 0.0:
        uniform = to_uniform(words(model.keys[DrawPurpose.SURVIVAL], counter[0], counter[1], FIRST_AID)[1])
        give_prehospital_blood(output, row, casualty, now, uniform, pace, model)


@compiled
def perform_poi_stage(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """Perform the stage that is due before the first facility: request, first aid or departure."""
    if casualty.stage == Stage.REQUEST:
        _request_evacuation(output, row, casualty, model, counter)
    elif casualty.stage == Stage.FIRST_AID:
        _give_first_aid(output, row, casualty, now, model, counter)
    else:
        _depart_from_poi(output, row, casualty, now, model, counter)
    if (
        model.transitions.used[0]
        and casualty.outcome == MatrixOutcome.RETURNED
        and casualty.stage != Stage.REQUEST
    ):
        casualty.stage = Stage.RETURN
        casualty.at = max(now, casualty.ready_at)
    elif casualty.stage != Stage.AWAIT_TRANSPORT:
        set_next_poi_stage(casualty)
