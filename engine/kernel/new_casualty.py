"""A new casualty: an empty row and state, then person, wounds or illness, and survival clock."""

import math

import numpy as np

from engine.clinical import (
    NO_DIAGNOSIS,
    airway_is_held,
    calls_for_bed,
    calls_for_operation,
    calls_for_ventilator,
    draw_blood_units,
    draw_coma,
    draw_fate_of_ill,
    draw_fate_of_wounded,
    draw_illness,
    draw_listed_ill,
    draw_listed_wounded,
    draw_low_pressure,
    draw_person,
    draw_second_diagnoses,
    draw_shock,
    draw_stay_of_ill,
    draw_stay_of_wounded,
    draw_up_work,
    draw_wounds,
    excision_of,
    has_large_burn,
    hours_unwell,
    hours_with_tube,
    is_done_in_one_session,
    is_grave,
    is_repaired_on_arrival,
    is_under_tourniquet,
    risks_of_injuries,
    role_of_last_operation,
    role_of_treatments,
    roles_that_operate,
    row_of_cell,
    type_row,
)
from engine.codes import NONE, CasualtyKind, DrawPurpose, TriageCategory
from engine.kernel.poi_stages import begin_at_poi
from engine.numeric import Counter, compiled
from engine.tables import (
    EVENT_COUNT,
    QUIET,
    TREATMENT_COUNT,
    WOUND_COUNT,
    CasualtyState,
    Model,
    Output,
    PatientRow,
)


@compiled
def _reset_record(record: PatientRow) -> None:
    """Empty the columns of the record that care fills."""
    record.first_care = -1
    record.role1 = -1
    record.role2 = -1
    record.role3 = -1
    record.role4 = -1
    record.surgery = -1
    record.untreated_death = -1
    record.death_cause = NONE
    record.waiting_for = NONE
    record.fatal_complication = NONE
    record.lethal = NONE
    record.worst_ais = 0
    record.agent = NONE
    record.second = NO_DIAGNOSIS
    record.third = NO_DIAGNOSIS
    record.fourth = NO_DIAGNOSIS


@compiled
def _reset_state(casualty: CasualtyState) -> None:
    """Reset what an earlier casualty may have left in the slot."""
    casualty.head_ais = 0
    casualty.admitted = 0
    casualty.admitted_at = 0.0
    casualty.expects_rtd72 = 0
    casualty.leaves_theatre = 0
    casualty.needs_surgery = 0
    casualty.operable = 0
    casualty.grave = 0
    casualty.cavity = 0
    casualty.airway_held = 0
    casualty.calls_for_ventilator = 0
    casualty.comatose = 0
    casualty.ventilated = 0
    casualty.prompt = 0
    casualty.excision = 0
    casualty.tourniquet = 0
    casualty.onward = 0
    casualty.care_role = 0
    casualty.killer = NONE
    casualty.blood_units = 0
    casualty.blood_given = 0
    casualty.expectant = 0
    casualty.resuscitated = 0
    casualty.resuscitating = 0
    casualty.operated = 0
    casualty.operated_here = 0
    casualty.operations_here = 0
    casualty.awake_at = 0.0
    casualty.operated_until = -math.inf
    casualty.recovered_at = -math.inf
    casualty.arranged_at = -math.inf
    casualty.in_quarters = 0
    casualty.large_burn = 0
    casualty.single_session = 0
    casualty.reoperate_at = math.inf
    casualty.intensive = 0
    casualty.sorted_inside = 0
    casualty.gcs = 15.0
    casualty.gcs_hours = 1.0
    casualty.unwell_hours = 0.0
    casualty.tube_hours = 0.0
    casualty.work_first = 0.0
    casualty.work_later = 0.0
    casualty.work_again = 0.0
    casualty.shocked = 0
    casualty.hypotensive = 0
    casualty.low_pressure = 0.0
    casualty.low_pulse = 0.0
    casualty.transfused_at = math.inf
    casualty.complications = 0
    casualty.unseen = 0
    casualty.considered_at = -math.inf
    casualty.definitive = 0
    casualty.decontaminated = 0
    casualty.category = 0
    casualty.outcome = 0
    casualty.retriage_at = math.inf
    casualty.wait_until = 0.0
    casualty.ready_at = 0.0
    casualty.vehicle_clock_factor = 1.0
    casualty.platform = 0
    casualty.retriages = 0
    casualty.granted = 0
    casualty.vehicles_sent = 0
    casualty.in_surge_place = 0
    casualty.no_blood = 0
    casualty.in_bay = 0
    casualty.queue = -1
    casualty.next = -1
    casualty.previous = -1
    casualty.held = -1
    casualty.granted_resource = -1
    casualty.occupied_place = -1
    casualty.reserved_place = -1
    casualty.first_decision = -1
    casualty.is_free = 0


@compiled
def _draw_person(record: PatientRow, model: Model, counter: Counter, listed: int) -> None:
    """Draw the identity, except for what a row of the list gives."""
    nation = -1
    sex = NONE
    if listed >= 0:
        nation = int(model.listed.nation[listed])
        sex = int(model.listed.sex[listed])
    draw_person(record, counter[0], counter[1], model.keys[DrawPurpose.PERSON], model.people, nation, sex)
    if listed >= 0 and model.listed.unit[listed] >= 0:
        record.unit = model.listed.unit[listed]


@compiled
def _draw_wounded(output: Output, row: int, casualty: CasualtyState, model: Model, counter: Counter) -> None:
    """Draw the wounds and their fate."""
    record = output.patients[row]
    cell, index = counter
    injury_key = model.keys[DrawPurpose.INJURY]
    mechanism, shift, may_die_at_once = NONE, 0.0, True
    casualty.wounds = draw_wounds(
        record,
        output,
        casualty.wound,
        cell,
        index,
        injury_key,
        model.injuries,
        mechanism,
        shift,
        may_die_at_once,
    )
    draw_fate_of_wounded(
        record,
        casualty,
        output,
        casualty.wound,
        casualty.wounds,
        type_row(record, model.injuries),
        cell,
        index,
        model.keys[DrawPurpose.SURVIVAL],
        1.0,
        1.0,
        model.survival,
        model.treatments.rules,
    )


@compiled
def _draw_ill(record: PatientRow, casualty: CasualtyState, model: Model, counter: Counter) -> None:
    """Draw the illness, agent or accident and its fate."""
    cell, index = counter
    kills = draw_illness(record, cell, index, model.keys[DrawPurpose.INJURY], model.injuries, NONE)
    draw_fate_of_ill(record, casualty, kills, cell, index, model.keys[DrawPurpose.SURVIVAL], model.survival)


@compiled
def initialise_casualty(
    output: Output, row: int, casualty: CasualtyState, model: Model, counter: Counter
) -> None:
    """Draw who the casualty of a row is and what is wrong, and begin at the point of injury."""
    record = output.patients[row]
    quiet = output.rows[QUIET]
    _reset_record(record)
    _reset_state(casualty)
    casualty.cell = counter[0]
    casualty.index = counter[1]
    listed = row_of_cell(model.listed, np.uint64(counter[0]))
    # the sex decides on the illness, and some illnesses are operated on
    if not quiet or model.network.prefers_own_nation or record.kind != CasualtyKind.AGENT:  # the sex matters
        _draw_person(record, model, counter, listed)
    casualty.wound = output.rows[WOUND_COUNT]
    casualty.wounds = 0
    if listed >= 0 and record.kind == CasualtyKind.WOUNDED:
        draw_listed_wounded(output, row, casualty, model, counter, listed)
    elif listed >= 0:
        draw_listed_ill(record, casualty, model, counter, listed)
    elif record.kind == CasualtyKind.WOUNDED:
        _draw_wounded(output, row, casualty, model, counter)
    else:
        _draw_ill(record, casualty, model, counter)
    survival_key = model.keys[DrawPurpose.SURVIVAL]
    rules = model.treatments.rules
    if record.kind != CasualtyKind.WOUNDED:
        draw_second_diagnoses(record, counter[0], counter[1], model.keys[DrawPurpose.INJURY], model.injuries)
        draw_stay_of_ill(record, casualty, counter[0], counter[1], survival_key, model.survival)
    else:
        draw_stay_of_wounded(record, casualty, output, counter[0], counter[1], survival_key, model.survival)
        draw_coma(output, record, casualty, model, counter)
        casualty.airway_held = 1 if airway_is_held(output, casualty, model) else 0
        casualty.large_burn = 1 if has_large_burn(output, record, casualty, model) else 0
        casualty.blood_units = draw_blood_units(output, record, casualty, model, counter)
        casualty.grave = 1 if is_grave(record, casualty, model) else 0
        draw_shock(output, record, casualty, model, counter)
        casualty.blood_given = casualty.blood_units
        casualty.cavity = 1 if calls_for_operation(output, record, casualty, rules.in_cavity, model) else 0
        casualty.single_session = 1 if is_done_in_one_session(output, record, casualty, model) else 0
        casualty.operable = roles_that_operate(output, record, casualty, model)
        casualty.needs_surgery = 1 if casualty.operable else 0
        if casualty.operable:
            draw_up_work(output, record, casualty, model)
        casualty.prompt = 1 if is_repaired_on_arrival(output, record, casualty, model) else 0
        casualty.tourniquet = 1 if is_under_tourniquet(output, casualty, model) else 0
        casualty.excision = excision_of(output, record, casualty, model)
        draw_low_pressure(output, record, casualty, model, counter)
    casualty.unwell_hours = hours_unwell(output, record, casualty, model)
    casualty.tube_hours = hours_with_tube(output, record, casualty, model)

    casualty.calls_for_ventilator = 1 if calls_for_ventilator(output, record, casualty, model) else 0
    casualty.risks = risks_of_injuries(output, record, casualty, model)
    casualty.onward = role_of_last_operation(output, record, casualty, model)
    casualty.care_role = role_of_treatments(output, record, casualty, model)
    casualty.outpatient = 0 if calls_for_bed(output, record, casualty, model) else 1
    if not quiet:
        for k in range(casualty.wounds):
            output.wounds[casualty.wound + k].patient = row
        output.rows[WOUND_COUNT] += casualty.wounds
    if casualty.life < math.inf:
        record.untreated_death = int(record.onset + casualty.life / casualty.factor)
    casualty.first_treatment = output.rows[TREATMENT_COUNT]
    casualty.first_event = output.rows[EVENT_COUNT]
    begin_at_poi(output, row, casualty, model, counter)
    wounded = record.kind == CasualtyKind.WOUNDED
    casualty.must_lie = 1 if wounded and record.triage <= TriageCategory.T2 else 0
