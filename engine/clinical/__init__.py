"""Injuries and illnesses of casualties, the survival clock, and the effects of treatments."""

from engine.clinical.agent_care import care_in_decontamination, repeat_atropine
from engine.clinical.bay_care import resuscitate, starts_resuscitation, treat_ill, treat_wounded
from engine.clinical.bed_care import care_in_bed
from engine.clinical.beds import calls_for_bed
from engine.clinical.blood import draw_blood_units, draw_shock
from engine.clinical.burns import has_large_burn
from engine.clinical.casualties import (
    DRAWN,
    SAMPLE,
    copy_arrival,
    draw_sample,
    draw_wounds,
)
from engine.clinical.complications import (
    consider_complications,
    enter_unseen,
    name_late_death,
    next_complication,
    note_shock,
    risks_of_injuries,
)
from engine.clinical.danger import (
    category_of_state,
    hours_unwell,
    hours_with_tube,
    is_immediate,
    looks_immediate,
)
from engine.clinical.first_aid import (
    burn_fluids_go_on,
    care_goes_on_the_way,
    care_on_the_way,
    give_first_aid,
    give_prehospital_blood,
)
from engine.clinical.illnesses import (
    NO_DIAGNOSIS,
    draw_illness,
    draw_second_diagnoses,
    draw_stay_of_ill,
)
from engine.clinical.listed import (
    draw_listed_ill,
    draw_listed_wounded,
    given_category,
    iss_of_listed,
    row_of_cell,
)
from engine.clinical.log import log_event, log_treatment
from engine.clinical.needs import (
    ALL_ROLES,
    bleeds_to_death,
    calls_for_operation,
    calls_for_ventilator,
    excision_of,
    is_grave,
    is_repaired_on_arrival,
    is_under_tourniquet,
    needs_of_coma,
    place_of_role,
    role_of_last_operation,
    role_of_treatments,
    roles_that_operate,
)
from engine.clinical.operations import (
    log_definitive_surgery,
    log_further_operation,
    start_surgery,
    ventilate,
)
from engine.clinical.people import draw_person
from engine.clinical.physiology import (
    airway_is_held,
    begin_readings,
    coma_scale,
    draw_coma,
    draw_low_pressure,
    is_operated_on_again,
    take_last,
    take_until,
    take_with_events,
    time_awake,
)
from engine.clinical.service_numbers import set_service_number
from engine.clinical.stays import draw_stay_of_wounded, stay_after_operation
from engine.clinical.survival import (
    death_time,
    draw_fate_of_ill,
    draw_fate_of_wounded,
    draw_late_death,
    resuscitation_effect,
    set_factor,
    set_rate,
    slow_clock,
    start_recovery,
    stop_clock,
)
from engine.clinical.theatre import draw_up_work, is_done_in_one_session, work_of_session
from engine.clinical.uniforms import pick_cumulated, to_uniform
from engine.clinical.ward_rounds import log_ward_rounds
from engine.clinical.wound_conditions import type_row

__all__ = [
    "ALL_ROLES",
    "DRAWN",
    "NO_DIAGNOSIS",
    "SAMPLE",
    "airway_is_held",
    "begin_readings",
    "bleeds_to_death",
    "burn_fluids_go_on",
    "calls_for_bed",
    "calls_for_operation",
    "calls_for_ventilator",
    "care_goes_on_the_way",
    "care_in_bed",
    "care_in_decontamination",
    "care_on_the_way",
    "category_of_state",
    "coma_scale",
    "consider_complications",
    "copy_arrival",
    "death_time",
    "draw_blood_units",
    "draw_coma",
    "draw_fate_of_ill",
    "draw_fate_of_wounded",
    "draw_illness",
    "draw_late_death",
    "draw_listed_ill",
    "draw_listed_wounded",
    "draw_low_pressure",
    "draw_person",
    "draw_sample",
    "draw_second_diagnoses",
    "draw_shock",
    "draw_stay_of_ill",
    "draw_stay_of_wounded",
    "draw_up_work",
    "draw_wounds",
    "enter_unseen",
    "excision_of",
    "give_first_aid",
    "give_prehospital_blood",
    "given_category",
    "has_large_burn",
    "hours_unwell",
    "hours_with_tube",
    "is_done_in_one_session",
    "is_grave",
    "is_immediate",
    "is_operated_on_again",
    "is_repaired_on_arrival",
    "is_under_tourniquet",
    "iss_of_listed",
    "log_definitive_surgery",
    "log_event",
    "log_further_operation",
    "log_treatment",
    "log_ward_rounds",
    "looks_immediate",
    "name_late_death",
    "needs_of_coma",
    "next_complication",
    "note_shock",
    "pick_cumulated",
    "place_of_role",
    "repeat_atropine",
    "resuscitate",
    "resuscitation_effect",
    "risks_of_injuries",
    "role_of_last_operation",
    "role_of_treatments",
    "roles_that_operate",
    "row_of_cell",
    "set_factor",
    "set_rate",
    "set_service_number",
    "slow_clock",
    "start_recovery",
    "start_surgery",
    "starts_resuscitation",
    "stay_after_operation",
    "stop_clock",
    "take_last",
    "take_until",
    "take_with_events",
    "time_awake",
    "to_uniform",
    "treat_ill",
    "treat_wounded",
    "type_row",
    "ventilate",
    "work_of_session",
]
