"""Every setting of a scenario has an effect, in the direction its name promises: who is hurt, when, by what.

A test of an effect runs the simulation twice with common random numbers. TESTED names, for every field of every
Struct of a scenario, the test that fails when the field is ignored.
"""

import itertools
import json
import math
from functools import cache
from pathlib import Path
from typing import Any, get_args

import effects as x
import msgspec
import numpy as np
import pytest
from runs import manifest

from actors.run import RunRequest, run_scenario
from engine import scenario as scenario_api
from engine.codes import WAITING_FOR, CasualtyKind
from engine.tables import columns as c
from scenarios import tables

ARRIVALS, NETWORK, SURVIVAL = "test_arrivals", "test_effects_network", "test_effects_survival"
FINITE, NETWORKS = "test_effects_finite", "test_networks"
RESOURCES, STAGES, TRANSPORT = "test_resources", "test_stages", "test_transport"
CASE_MIX = "test_case_mix"
LISTED, CHECK_SETTINGS = "test_listed", "test_check_settings"
DIVERSION, MORTUARY, OPERATIONS = "test_diversion", "test_mortuary_affairs", "test_operations"
COMPLICATIONS = "test_complications"
HERE, SURROUNDINGS = "test_effects", "test_effects_surroundings"
LANGUAGE, REPETITION = "test_scenario_language", "test_scenario_repetition"
FRONT_RATES = "test_front_rates"
STRENGTH = "test_strength"
POINT_OF_INJURY = "test_point_of_injury"
REPEATED = "test_repeated_entries_are_numbered_and_named_together"
LETHALITY, TREATMENT = "test_lethality", "test_treatment_settings"
TIMES = "test_the_time_of_a_link_follows_its_distribution"

TESTED: dict[str, tuple[str, str]] = {
    "Distribution.distribution": (NETWORK, TIMES),
    "Distribution.mean": (NETWORK, TIMES),
    "Distribution.sd": (NETWORK, TIMES),
    "Distribution.median": (NETWORK, TIMES),
    "Distribution.sigma": (NETWORK, TIMES),
    "Distribution.low": (NETWORK, TIMES),
    "Distribution.mode": (NETWORK, TIMES),
    "Distribution.high": (NETWORK, TIMES),
    "Distribution.k": (NETWORK, TIMES),
    "Distribution.autocorrelation": (
        ARRIVALS,
        "test_the_logarithm_of_an_autocorrelated_rate_is_stationary",
    ),
    "Rates.battle": (HERE, "test_a_doubled_rate_doubles_its_own_stream_alone"),
    "Rates.nbi": (HERE, "test_a_doubled_rate_doubles_its_own_stream_alone"),
    "Rates.disease": (HERE, "test_a_doubled_rate_doubles_its_own_stream_alone"),
    "Rates.depletion": (HERE, "test_depletion_leaves_fewer_to_be_hurt"),
    "Rates.return_to_duty": (STRENGTH, "test_returns_restore_the_strength_with_the_same_casualties"),
    "ReturnToDuty.share": (STRENGTH, "test_a_share_is_that_of_its_stream_alone"),
    "ReturnToDuty.days": (STRENGTH, "test_the_shares_back_follow_the_distribution_of_days"),
    "Casualties.total": (HERE, "test_the_total_is_the_number_of_patients"),
    "Casualties.rates": (HERE, "test_a_doubled_rate_doubles_its_own_stream_alone"),
    "Casualties.only_listed": (LISTED, "test_listed_casualties_are_part_of_a_total_and_come_on_top_of_rates"),
    "Incident.at": (LISTED, "test_exactly_as_many_come_as_listed_to_the_millisecond_and_nobody_else"),
    "Incident.front": (LISTED, "test_exactly_as_many_come_as_listed_to_the_millisecond_and_nobody_else"),
    "Incident.number": (LISTED, "test_exactly_as_many_come_as_listed_to_the_millisecond_and_nobody_else"),
    "Incident.numbers": (LISTED, "test_a_series_brings_its_numbers_at_equal_distances"),
    "Incident.every_minutes": (LISTED, "test_a_series_brings_its_numbers_at_equal_distances"),
    "Incident.stream": (LISTED, "test_a_category_is_the_true_one_and_that_at_the_point_of_injury"),
    "Incident.mechanism": (LISTED, "test_mechanism_nation_and_unit_are_those_given"),
    "Incident.category": (LISTED, "test_a_category_is_the_true_one_and_that_at_the_point_of_injury"),
    "Incident.triage": (LISTED, "test_shares_are_met_by_all_rows_together"),
    "Incident.mean_iss": (LISTED, "test_a_mass_casualty_has_the_mean_iss_asked_for"),
    "Incident.nation": (LISTED, "test_mechanism_nation_and_unit_are_those_given"),
    "Incident.unit": (LISTED, "test_mechanism_nation_and_unit_are_those_given"),
    "Incident.conditions": (LISTED, "test_conditions_are_the_wounds_and_no_others"),
    "IncidentInFile.count": (CHECK_SETTINGS, "test_a_count_and_several_fronts_are_written_out"),
    "IncidentInFile.fronts": (CHECK_SETTINGS, "test_a_count_and_several_fronts_are_written_out"),
    "IncidentInFile.csv": (LISTED, "test_five_hundred_casualties_as_one_line_each_in_a_short_scenario"),
    "Scenario.incidents": (LISTED, "test_exactly_as_many_come_as_listed_to_the_millisecond_and_nobody_else"),
    "Mix.battle": (HERE, "test_the_mix_asked_for_is_delivered"),
    "Mix.nbi": (HERE, "test_the_mix_asked_for_is_delivered"),
    "Mix.disease": (HERE, "test_the_mix_asked_for_is_delivered"),
    "Warfare.type": (HERE, "test_each_warfare_type_wounds_in_its_own_way"),
    "Warfare.weight": (HERE, "test_a_heavier_type_has_more_casualties"),
    "SpecialEvent.event": (SURROUNDINGS, "test_special_events_wound_more_severely_by_their_kind"),
    "SpecialEvent.day": (SURROUNDINGS, "test_an_event_falls_on_its_day_hour_and_front"),
    "SpecialEvent.hour": (SURROUNDINGS, "test_an_event_falls_on_its_day_hour_and_front"),
    "SpecialEvent.front": (SURROUNDINGS, "test_an_event_falls_on_its_day_hour_and_front"),
    "SpecialEvent.type": (SURROUNDINGS, "test_the_type_of_an_event_is_that_of_its_casualties"),
    "SpecialEvent.casualty_multiplier": (
        SURROUNDINGS,
        "test_a_doubled_multiplier_doubles_the_casualties_of_an_event",
    ),
    "Front.name": (SURROUNDINGS, "test_casualties_belong_to_the_fronts_by_share"),
    "Front.share": (SURROUNDINGS, "test_casualties_belong_to_the_fronts_by_share"),
    "Front.population": (SURROUNDINGS, "test_casualties_follow_the_strength_of_a_front"),
    "Front.replacements_per_day": (STRENGTH, "test_enough_replacements_keep_the_strength_as_it_was"),
    "Front.nations": (SURROUNDINGS, "test_each_front_delivers_its_nations"),
    "Facility.id": (NETWORK, "test_facilities_are_called_by_id_and_name"),
    "Facility.role": (NETWORK, "test_the_role_of_a_facility_is_the_door_that_is_recorded"),
    "Front.rates": (FRONT_RATES, "test_a_front_with_its_own_rate_has_its_own_casualties_alone"),
    "Front.rate_factor": (FRONT_RATES, "test_a_factor_multiplies_the_casualties_of_its_front"),
    "Front.units": (FRONT_RATES, "test_units_share_the_rate_of_their_front_by_strength_and_factor"),
    "Front.point_of_injury": (POINT_OF_INJURY, "test_a_front_has_its_own_times_field_by_field"),
    "PointOfInjury.first_aid_after_minutes": (
        POINT_OF_INJURY,
        "test_first_aid_comes_after_its_time_and_acts_then",
    ),
    "PointOfInjury.treatment_minutes": (
        POINT_OF_INJURY,
        "test_nobody_leaves_before_first_aid_is_over_where_it_takes_time",
    ),
    "PointOfInjury.triage_after_minutes": (POINT_OF_INJURY, "test_field_triage_begins_after_its_time"),
    "PointOfInjury.triage_minutes": (
        POINT_OF_INJURY,
        "test_field_triage_puts_off_triage_request_and_all_that_follows_by_its_time",
    ),
    "Scenario.point_of_injury": (
        POINT_OF_INJURY,
        "test_field_triage_puts_off_triage_request_and_all_that_follows_by_its_time",
    ),
    "FrontRates.battle": (FRONT_RATES, "test_a_front_with_its_own_rate_has_its_own_casualties_alone"),
    "FrontRates.nbi": (FRONT_RATES, "test_a_front_with_its_own_rate_has_its_own_casualties_alone"),
    "FrontRates.disease": (FRONT_RATES, "test_a_front_with_its_own_rate_has_its_own_casualties_alone"),
    "Unit.type": (FRONT_RATES, "test_settings_of_rates_that_make_no_sense_are_refused"),
    "Unit.strength": (FRONT_RATES, "test_units_share_the_rate_of_their_front_by_strength_and_factor"),
    "Unit.rate_factor": (FRONT_RATES, "test_units_share_the_rate_of_their_front_by_strength_and_factor"),
    "Unit.rates": (FRONT_RATES, "test_a_unit_with_its_own_rate_adds_it_to_that_of_the_others"),
    "FrontInFile.count": (REPETITION, REPEATED),
    "FacilityInFile.count": (REPETITION, REPEATED),
    "VehicleInFile.count": (REPETITION, REPEATED),
    "LinkInFile.count": (REPETITION, REPEATED),
    "SpecialEventInFile.count": (REPETITION, "test_events_come_again_after_a_time"),
    "SpecialEventInFile.every": (REPETITION, "test_events_come_again_after_a_time"),
    "WorldEventInFile.count": (REPETITION, "test_events_come_again_after_a_time"),
    "WorldEventInFile.every": (REPETITION, "test_events_come_again_after_a_time"),
    "ScenarioInFile.distances": (REPETITION, "test_links_take_their_distance_from_a_table"),
    "ScenarioInFile.road_factor": (REPETITION, "test_links_take_their_distance_from_coordinates"),
    "FrontInFile.latitude": (REPETITION, "test_links_take_their_distance_from_coordinates"),
    "FrontInFile.longitude": (REPETITION, "test_links_take_their_distance_from_coordinates"),
    "FacilityInFile.latitude": (REPETITION, "test_links_take_their_distance_from_coordinates"),
    "FacilityInFile.longitude": (REPETITION, "test_links_take_their_distance_from_coordinates"),
    "Facility.new": (LANGUAGE, "test_an_entry_that_says_new_is_added_beside_the_one_it_resembles"),
    "Facility.kind": (NETWORK, "test_a_basic_role_2_has_no_intensive_care"),
    "Facility.name": (NETWORK, "test_facilities_are_called_by_id_and_name"),
    "Facility.fronts": (NETWORK, "test_a_facility_takes_the_fronts_it_serves"),
    "Facility.dcr": (NETWORK, "test_resuscitation_at_role_1_saves_lives"),
    "Facility.dcs": (NETWORK, "test_without_surgery_more_die"),
    "Facility.icu": (NETWORK, "test_without_intensive_care_nobody_is_admitted_to_it"),
    "Facility.definitive": (NETWORK, "test_definitive_surgery_is_done_where_it_can_be"),
    "Facility.policy_days": (NETWORK, "test_a_longer_evacuation_policy_returns_more_to_duty"),
    "Link.origin": (NETWORK, "test_a_direct_link_passes_by_role_1"),
    "Link.destination": (NETWORK, "test_a_direct_link_passes_by_role_1"),
    "Link.fronts": (NETWORK, "test_a_link_carries_the_fronts_it_names"),
    "Link.minutes": (NETWORK, TIMES),
    "Link.distance_km": (NETWORK, "test_twice_the_distance_is_twice_the_time"),
    "Link.terrain": (NETWORK, "test_terrain_slows_by_its_factor"),
    "Link.vehicle": (NETWORK, "test_each_kind_of_transport_has_its_speed"),
    "Vehicle.id": (NETWORK, "test_a_pool_lends_its_speed_and_loading_times_to_the_links_that_name_it"),
    "Vehicle.kind": (NETWORK, "test_each_kind_of_transport_has_its_speed"),
    "Vehicle.speed_kmh": (
        NETWORK,
        "test_a_pool_lends_its_speed_and_loading_times_to_the_links_that_name_it",
    ),
    "Vehicle.load_minutes": (
        NETWORK,
        "test_a_pool_lends_its_speed_and_loading_times_to_the_links_that_name_it",
    ),
    "Vehicle.unload_minutes": (
        NETWORK,
        "test_a_pool_lends_its_speed_and_loading_times_to_the_links_that_name_it",
    ),
    "Complications.drawn": (COMPLICATIONS, "test_complications_lengthen_the_stay"),
    "Complications.factors": (COMPLICATIONS, "test_a_factor_multiplies_the_probability_of_one_complication"),
    "Survival.instant_death": (SURVIVAL, "test_the_share_killed_at_once_is_the_one_asked_for"),
    "Survival.severity": (SURVIVAL, "test_more_severity_means_worse_wounds_and_more_deaths"),
    "Survival.lethality": (LETHALITY, "test_the_share_that_dies_untreated_is_the_one_asked_for"),
    "Survival.untreated_minutes": (LETHALITY, "test_the_median_time_to_death_is_the_one_asked_for"),
    "TreatmentSetting.available": (
        TREATMENT,
        "test_without_a_kind_of_first_aid_nobody_gets_it_and_its_own_die",
    ),
    "TreatmentSetting.success": (TREATMENT, "test_the_success_of_first_aid_is_the_one_asked_for"),
    "TreatmentSetting.rate": (TREATMENT, "test_a_faster_clock_after_first_aid_kills_more"),
    "TreatmentSetting.delay_minutes": (TREATMENT, "test_the_delay_of_one_kind_of_first_aid_is_its_own"),
    "Survival.mechanisms": (SURVIVAL, "test_wounds_have_the_mechanisms_asked_for"),
    "Survival.aid_success_factor": (SURVIVAL, "test_first_aid_that_works_more_often_saves_lives"),
    "Survival.surgery_success_factor": (SURVIVAL, "test_surgery_that_succeeds_more_often_saves_lives"),
    "Survival.tbi_success": (SURVIVAL, "test_success_in_brain_injury_acts_on_brain_injury_alone"),
    "Survival.late_hazard": (SURVIVAL, "test_the_late_hazard_makes_the_late_deaths"),
    "Survival.first_aid_minutes": (SURVIVAL, "test_later_first_aid_costs_lives"),
    "Survival.clock": (SURVIVAL, "test_without_the_clock_nobody_dies_of_wounds"),
    "Scenario.complications": (COMPLICATIONS, "test_complications_lengthen_the_stay"),
    "Scenario.treatments": (
        TREATMENT,
        "test_without_a_kind_of_first_aid_nobody_gets_it_and_its_own_die",
    ),
    "Scenario.model": ("test_model_constants", "test_lives_follow_the_constant"),
    "Scenario.detail": ("test_vital_signs", "test_the_full_series_is_longer_and_changes_nothing_else"),
    "Scenario.name": (HERE, "test_name_and_description_label_the_output_and_change_nobody"),
    "Scenario.description": (HERE, "test_name_and_description_label_the_output_and_change_nobody"),
    "Scenario.start": (HERE, "test_the_start_moves_every_date"),
    "Scenario.days": (HERE, "test_people_are_hurt_during_the_days"),
    "Scenario.seed": (HERE, "test_another_seed_or_replication_is_other_people_with_the_same_chances"),
    "Scenario.horizon_days": (HERE, "test_at_the_horizon_those_in_care_are_reported_with_their_stage"),
    "Scenario.intensity": (HERE, "test_more_intensity_makes_mass_casualties"),
    "Scenario.tempo": (HERE, "test_tempo_spreads_the_casualties_over_the_days"),
    "Scenario.environment": (SURROUNDINGS, "test_an_environment_delays_slows_and_hides_by_its_table"),
    "Scenario.climate": (CASE_MIX, "test_heat_is_of_the_desert_summer_and_cold_of_the_arctic_winter"),
    "Scenario.season": (CASE_MIX, "test_respiratory_disease_is_of_the_winter_and_of_garrisons"),
    "Scenario.agents": (CASE_MIX, "test_one_incident_has_one_agent_and_a_code_of_war"),
    "Scenario.day_weights": (HERE, "test_the_days_have_the_weights_asked_for"),
    "Scenario.routing": (SURVIVAL, "test_outcomes_follow_the_transition_matrices"),
    "Scenario.mascal_threshold": (HERE, "test_an_incident_is_a_mass_casualty_from_the_threshold_on"),
    "Scenario.casualties": (HERE, "test_the_total_is_the_number_of_patients"),
    "Scenario.mix": (HERE, "test_the_mix_asked_for_is_delivered"),
    "Scenario.triage": (SURVIVAL, "test_the_share_of_t1_among_battle_casualties_follows"),
    "Scenario.survival": (SURVIVAL, "test_without_the_clock_nobody_dies_of_wounds"),
    "Scenario.warfare": (HERE, "test_each_warfare_type_wounds_in_its_own_way"),
    "Scenario.events": (SURROUNDINGS, "test_an_event_falls_on_its_day_hour_and_front"),
    "Scenario.fronts": (SURROUNDINGS, "test_casualties_belong_to_the_fronts_by_share"),
    "Scenario.facilities": (NETWORK, "test_facilities_are_called_by_id_and_name"),
    "Scenario.links": (NETWORK, "test_a_direct_link_passes_by_role_1"),
    "Scenario.vehicles": (
        NETWORK,
        "test_a_pool_lends_its_speed_and_loading_times_to_the_links_that_name_it",
    ),
    "Shift.from_hour": (RESOURCES, "test_operations_begin_while_a_team_is_on_its_shift"),
    "Shift.to_hour": (RESOURCES, "test_operations_begin_while_a_team_is_on_its_shift"),
    "Shift.surgical_teams": (RESOURCES, "test_operations_begin_while_a_team_is_on_its_shift"),
    "Divert.queue": (DIVERSION, "test_a_facility_diverts_while_as_many_wait"),
    "Divert.tables_busy": (DIVERSION, "test_a_facility_diverts_while_its_tables_are_busy"),
    "Divert.no_team": (DIVERSION, "test_a_facility_diverts_while_no_team_is_on_duty"),
    "Divert.ward_share": (DIVERSION, "test_a_facility_diverts_while_its_beds_are_full"),
    "Divert.icu_share": (DIVERSION, "test_a_facility_diverts_while_its_beds_are_full"),
    "Divert.categories": (DIVERSION, "test_only_the_categories_named_are_diverted"),
    "Facility.hold_bay": (OPERATIONS, "test_a_bay_is_free_while_its_patient_waits_for_a_table"),
    "Reoperations.probability": (
        OPERATIONS,
        "test_another_operation_follows_with_the_probability_of_the_severity",
    ),
    "Reoperations.interval_minutes": (OPERATIONS, "test_the_next_operation_is_due_after_the_interval"),
    "Reoperations.most": (
        OPERATIONS,
        "test_those_who_are_operated_on_again_have_as_many_operations_as_allowed",
    ),
    "Reoperations.roles": (OPERATIONS, "test_only_the_roles_named_operate_again"),
    "Scenario.reoperations": (OPERATIONS, "test_each_further_operation_holds_a_table_and_is_counted"),
    "MortuaryAffairs.vehicle": (
        MORTUARY,
        "test_a_pool_of_its_own_moves_the_dead_and_leaves_the_others_to_the_patients",
    ),
    "MortuaryAffairs.collection_points": (MORTUARY, "test_the_way_of_the_dead_ends_at_a_collection_point"),
    "MortuaryAffairs.died_of_wounds": (
        MORTUARY,
        "test_who_dies_at_a_facility_is_moved_with_died_of_wounds_only",
    ),
    "Scenario.mortuary_affairs": (
        MORTUARY,
        "test_with_few_vehicles_the_dead_delay_patients_and_with_many_they_do_not",
    ),
    "IntensiveCare.after_surgery": (
        OPERATIONS,
        "test_surgery_alone_is_no_reason_for_intensive_care_unless_it_says_so",
    ),
    "IntensiveCare.worst_ais": (OPERATIONS, "test_intensive_care_follows_the_worst_ais"),
    "IntensiveCare.niss": (OPERATIONS, "test_intensive_care_follows_the_niss"),
    "IntensiveCare.after_resuscitation": (OPERATIONS, "test_intensive_care_follows_resuscitation"),
    "Scenario.intensive_care": (OPERATIONS, "test_intensive_care_follows_the_niss"),
    "Facility.divert": (DIVERSION, "test_a_facility_diverts_while_its_tables_are_busy"),
    "Surge.trigger": (RESOURCES, "test_surge_opens_at_its_trigger_after_its_delay"),
    "Surge.delay_minutes": (RESOURCES, "test_surge_opens_at_its_trigger_after_its_delay"),
    "Surge.ward_beds": (RESOURCES, "test_surge_adds_its_beds_and_bays"),
    "Surge.icu_beds": (RESOURCES, "test_surge_adds_its_beds_and_bays"),
    "Surge.treatment_bays": (RESOURCES, "test_surge_adds_its_beds_and_bays"),
    "Facility.triage_teams": (RESOURCES, "test_a_limit_is_reached_and_never_passed"),
    "Facility.treatment_bays": (RESOURCES, "test_a_limit_is_reached_and_never_passed"),
    "Facility.operating_tables": (RESOURCES, "test_a_limit_is_reached_and_never_passed"),
    "Facility.surgical_teams": (RESOURCES, "test_a_limit_is_reached_and_never_passed"),
    "Facility.icu_beds": (RESOURCES, "test_a_limit_is_reached_and_never_passed"),
    "Facility.ward_beds": (RESOURCES, "test_a_limit_is_reached_and_never_passed"),
    "Facility.nation": (TRANSPORT, "test_those_of_a_nation_go_to_its_own_facility"),
    "Facility.places": (RESOURCES, "test_no_more_than_its_places_are_inside_or_on_the_way"),
    "Facility.shifts": (RESOURCES, "test_operations_begin_while_a_team_is_on_its_shift"),
    "Facility.surge": (RESOURCES, "test_surge_adds_its_beds_and_bays"),
    "Facility.blood_units": (RESOURCES, "test_blood_is_used_up_and_who_has_none_dies_sooner"),
    "Facility.resupply_hours": (RESOURCES, "test_blood_is_resupplied_in_its_interval_by_its_units"),
    "Facility.resupply_units": (RESOURCES, "test_blood_is_resupplied_in_its_interval_by_its_units"),
    "Facility.triage_minutes": (STAGES, "test_a_service_takes_as_long_as_the_facility_says"),
    "Facility.care_minutes": (STAGES, "test_a_service_takes_as_long_as_the_facility_says"),
    "Facility.resuscitation_minutes": (STAGES, "test_a_service_takes_as_long_as_the_facility_says"),
    "Facility.surgery_minutes": (STAGES, "test_a_service_takes_as_long_as_the_facility_says"),
    "Facility.icu_minutes": (STAGES, "test_a_service_takes_as_long_as_the_facility_says"),
    "Batch.minimum": (TRANSPORT, "test_a_batch_leaves_when_its_minimum_waits"),
    "Batch.wait_minutes": (TRANSPORT, "test_nobody_waits_longer_for_a_batch_than_its_wait"),
    "Batch.override": (TRANSPORT, "test_who_overrides_a_batch_leaves_at_once_with_whoever_waits"),
    "Link.categories": (TRANSPORT, "test_a_link_is_for_the_categories_it_names"),
    "Link.batch": (TRANSPORT, "test_a_batch_leaves_when_its_minimum_waits"),
    "Lift.interval_hours": (TRANSPORT, "test_a_lift_leaves_by_its_schedule"),
    "Lift.first_hour": (TRANSPORT, "test_a_lift_leaves_by_its_schedule"),
    "Lift.cancellation": (TRANSPORT, "test_lifts_are_cancelled_by_their_probability"),
    "Vehicle.number": (TRANSPORT, "test_more_vehicles_carry_more_at_a_time_and_nobody_waits_as_long"),
    "Vehicle.new": (LANGUAGE, "test_an_entry_that_says_new_is_added_beside_the_one_it_resembles"),
    "Vehicle.base": (TRANSPORT, "test_a_vehicle_comes_from_its_base"),
    "Vehicle.litters": (TRANSPORT, "test_a_vehicle_takes_as_many_lying_as_it_has_litters"),
    "Vehicle.seats": (TRANSPORT, "test_seats_are_for_those_who_can_sit"),
    "Vehicle.night": (TRANSPORT, "test_who_cannot_fly_by_night_does_not"),
    "Vehicle.dispatch_minutes": (TRANSPORT, "test_an_escort_holds_a_vehicle_for_the_minutes_of_dispatch"),
    "Vehicle.grounded": (TRANSPORT, "test_weather_grounds_vehicles_on_its_share_of_the_days"),
    "Vehicle.loss": (TRANSPORT, "test_vehicles_are_lost_on_the_way_by_their_probability"),
    "Vehicle.clock_factor": (TRANSPORT, "test_the_clock_runs_on_board_at_the_vehicles_rate"),
    "Vehicle.lift": (TRANSPORT, "test_a_lift_leaves_by_its_schedule"),
    "WorldEvent.event": (FINITE, "test_a_closed_facility_takes_nobody_for_the_duration"),
    "WorldEvent.at_hours": (FINITE, "test_a_facility_that_opens_later_takes_nobody_before"),
    "WorldEvent.facility": (FINITE, "test_a_closed_facility_takes_nobody_for_the_duration"),
    "WorldEvent.vehicle": (TRANSPORT, "test_interdicted_vehicles_do_not_move_until_they_are_back"),
    "WorldEvent.duration_hours": (FINITE, "test_a_closed_facility_takes_nobody_for_the_duration"),
    "WorldEvent.minutes_factor": (FINITE, "test_a_facility_that_has_moved_is_as_much_nearer_or_farther"),
    "WorldEvent.capacity_lost": (FINITE, "test_a_hit_takes_its_share_of_the_capacity_for_the_duration"),
    "WorldEvent.killed": (FINITE, "test_a_hit_kills_its_share_of_those_inside"),
    "WorldEvent.number": (TRANSPORT, "test_interdicted_vehicles_do_not_move_until_they_are_back"),
    "Scenario.expectant": (STAGES, "test_the_worst_wounded_of_a_mass_casualty_incident_are_expectant"),
    "Scenario.acceptance": (
        RESOURCES,
        "test_push_brings_patients_to_full_doors_and_accept_keeps_them_where_they_are",
    ),
    "Scenario.destination": (
        TRANSPORT,
        "test_the_destination_is_the_closest_a_random_one_or_the_least_loaded",
    ),
    "Scenario.bypass": (TRANSPORT, "test_a_full_facility_is_passed_over_unless_there_is_no_bypass"),
    "Scenario.national_preference": (TRANSPORT, "test_those_of_a_nation_go_to_its_own_facility"),
    "Scenario.bumping": (RESOURCES, "test_bumping_gives_the_bays_to_the_more_urgent"),
    "Scenario.retriage_minutes": (STAGES, "test_those_who_wait_are_triaged_again_in_its_interval"),
    "Scenario.triage_accuracy": (STAGES, "test_triage_is_right_with_the_probability_asked_for"),
    "Scenario.world": (FINITE, "test_a_closed_facility_takes_nobody_for_the_duration"),
    "Scenario.network": (NETWORKS, "test_a_network_is_expanded_for_every_front_and_leads_everyone_to_role_4"),
    "Scenario.network_scale": (
        NETWORKS,
        "test_the_scale_multiplies_every_count_of_the_network_and_nothing_written_beside_it",
    ),
}

# --- the table itself


def fields() -> list[str]:
    """Return Struct.field for every field of a scenario."""
    found = [
        s for s in msgspec.Struct.__subclasses__() if s.__module__.startswith("engine.scenario.structs.")
    ]
    return [f"{s.__name__}.{name}" for s in found for name in s.__struct_fields__]


def test_every_field_of_a_scenario_has_a_test_of_its_effect() -> None:
    assert sorted(TESTED) == sorted(fields())
    for module, name in TESTED.values():
        assert x.is_test(module, name), name


# --- name, dates, seed


def test_name_and_description_label_the_output_and_change_nobody(tmp_path: Path) -> None:
    outputs = []
    for name, description in (("one", "the first"), ("two", "the second")):
        text = json.dumps(x.settings_of(200, name=name, description=description))
        original = scenario_api.parse(text.encode(), "json")
        folder = tmp_path / name
        run_scenario(
            RunRequest(
                scenario=scenario_api.resolve(original),
                original=original,
                output=folder,
                version="0",
                seed=1,
                workers=0,
                chunk_size=512,
            )
        )
        written = (folder / "scenario.toml").read_text("utf-8")
        assert f'name = "{name}"' in written
        assert f'description = "{description}"' in written
        outputs.append(manifest(folder))
    one, two = outputs
    assert one["scenario_hash"] == two["scenario_hash"]
    assert [p["sha256"] for p in one["parts"]] == [p["sha256"] for p in two["parts"]]


def test_the_start_moves_every_date() -> None:
    here, later = (
        x.run(300, start=start, season="winter", mix=x.MIXED)
        for start in ("2030-01-01T00:00:00Z", "2031-03-05T12:00:00Z")
    )
    assert x.same_people(here, later)
    assert (here.events == later.events).all()
    shift = np.datetime64("2031-03-05T12:00:00") - np.datetime64("2030-01-01T00:00:00")
    for a, b in zip(here.records(), later.records(), strict=True):
        for one, two in zip(a.timeline, b.timeline, strict=True):
            assert np.datetime64(two.at[:-1]) - np.datetime64(one.at[:-1]) == shift
        moved = np.datetime64(b.demographics.birth_date) - np.datetime64(a.demographics.birth_date)
        assert abs(moved - shift) < np.timedelta64(367, "D")
        assert b.demographics.birth_date != a.demographics.birth_date


def test_people_are_hurt_during_the_days() -> None:
    for days in (1, 3, 40):
        p = x.run(2000, days=days).patients
        assert p["incident_time"].min() >= 0
        assert (days - 1) * x.DAY <= p["incident_time"].max() < days * x.DAY


def test_another_seed_or_replication_is_other_people_with_the_same_chances() -> None:
    first = x.run(4000)
    for other in (x.run(4000, seed=2), x.run(4000, replication=1)):
        assert not np.isin(other.patients["id_lo"], first.patients["id_lo"]).any()
        assert x.cfr(other) != x.cfr(first)
        assert x.cfr(other) == pytest.approx(x.cfr(first), abs=4 * math.sqrt(2 * 0.12 * 0.88 / 4000))
    again = x._run.__wrapped__(json.dumps(x.settings_of(4000), sort_keys=True), 0)
    for name in c.TABLES:
        assert (getattr(first, name) == getattr(again, name)).all()


def test_at_the_horizon_those_in_care_are_reported_with_their_stage() -> None:
    ever = x.run(2000, mix=x.MIXED)
    assert not x.status(ever, "in_care").any()
    held = []
    for days in (8, 10, 14):
        short = x.run(2000, mix=x.MIXED, horizon_days=days)
        assert x.same_people(ever, short)
        care, end = x.status(short, "in_care"), days * x.DAY
        assert (care == (ever.patients["closed"] > end)).all()
        assert (short.patients["status"][~care] == ever.patients["status"][~care]).all()
        assert (short.patients["closed"][~care] == ever.patients["closed"][~care]).all()
        assert (short.patients["waiting_for"][care] < len(WAITING_FOR)).all()
        assert short.events["at"][care[short.events["patient"]]].max() <= end + 20 * x.MINUTE
        assert short.measures["outcomes"]["in_care"] == care.sum()
        held.append(int(care.sum()))
    assert held[0] > held[1] > held[2] > 0
    early = x.run(2000, mix=x.MIXED, day_weights=[0.0] * 7 + [1.0], horizon_days=8)
    care = x.status(early, "in_care")
    stages = {WAITING_FOR[k] for k in early.patients["waiting_for"][care]}
    assert stages >= {"evacuation", "transport", "treatment", "surgery", "recovery"}
    for record in early.records():
        assert (record.outcome.status == "in_care") == (record.timeline[-1].event == "in_care_at_horizon")
    poi = x.run(500, days=1, day_weights=[1.0], horizon_days=1, **x.one_place(minutes=x.constant(3000.0)))
    waiting = x.status(poi, "in_care")
    assert waiting.sum() + x.status(poi, "kia").sum() == 500
    assert waiting.sum() > 100
    assert (poi.patients["facility"][waiting] < 0).all()


# --- how many


@pytest.mark.parametrize("total", [1, 2, 3, 10, 777])
def test_the_total_is_the_number_of_patients(total: int) -> None:
    result = x.run(total, mix=None)
    assert len(result) == total
    assert sum(result.measures["outcomes"].values()) == total


@pytest.mark.parametrize("stream", scenario_api.STREAMS)
def test_a_doubled_rate_doubles_its_own_stream_alone(stream: str) -> None:
    def rates(factor: float) -> Any:
        given = {s: {"distribution": "constant", "mean": 10.0} for s in scenario_api.STREAMS}
        given[stream] = {"distribution": "constant", "mean": 10.0 * factor}
        return x.run(casualties={"rates": given}, fronts=[{**x.FRONT, "population": 10_000}], mix=None)

    once, twice = (r.patients for r in (rates(1.0), rates(2.0)))
    for k, name in enumerate(scenario_api.STREAMS):
        few, many = once[once["stream"] == k], twice[twice["stream"] == k]
        assert len(few) == pytest.approx(800, abs=5 * math.sqrt(800))
        if name == stream:
            assert len(many) == pytest.approx(1600, abs=5 * 40)
            assert np.isin(few["id_lo"], many["id_lo"]).all()
        else:
            assert (few["id_lo"] == many["id_lo"]).all()


def test_depletion_leaves_fewer_to_be_hurt() -> None:
    def hurt(depletion: bool) -> Any:
        rates = {"battle": {"distribution": "constant", "mean": 50.0}, "depletion": depletion}
        return x.run(casualties={"rates": rates}, fronts=[{**x.FRONT, "population": 5000}], mix=None).patients

    full, less = hurt(False), hurt(True)
    assert np.isin(less["id_lo"], full["id_lo"]).all()
    assert len(less) == pytest.approx(5000 * (1 - 0.95**8), rel=0.06)
    assert len(full) == pytest.approx(5000 * 0.4, rel=0.06)


# --- mix, warfare, intensity, tempo


def test_the_mix_asked_for_is_delivered() -> None:
    for mix in ((0.5, 0.2, 0.3), (0.1, 0.8, 0.1), (0.0, 0.0, 1.0)):
        shares = dict(zip(scenario_api.STREAMS, mix, strict=True))
        counts = np.bincount(x.run(4000, mix=shares).patients["stream"], minlength=3)
        assert x.counts_are(counts, mix, lines=3)


@cache
def of_type(name: str) -> tuple[float, Any, float, float]:
    """Return CFR, shares of weapons by incident, share killed at once and mean NISS of 20,000 casualties of a
    warfare type.
    """
    result = x.run(20_000, warfare=[{"type": name}] if name != "standard" else [])
    p = result.patients[result.patients["kind"] == CasualtyKind.WOUNDED]
    _, first = np.unique(p["incident"], return_index=True)
    weapons = np.bincount(p["mechanism"][first], minlength=3)
    alive = p[p["worst_ais"] < 6]
    return x.cfr(result), weapons, float((p["worst_ais"] == 6).mean()), float(alive["niss"].mean())


WOUNDED_BY: dict[str, tuple[tuple[float, float, float], float, float, float]] = {
    "standard": ((0.765, 0.185, 0.05), 0.053, 0.0, 12.5),
    "conventional": ((0.75, 0.20, 0.05), 0.07, 0.0, 14.0),
    "artillery": ((0.93, 0.02, 0.05), 0.09, 0.15, 17.6),
    "urban": ((0.60, 0.33, 0.07), 0.08, 0.05, 15.2),
    "guerrilla": ((0.62, 0.33, 0.05), 0.055, 0.0, 12.6),
    "drone": ((0.92, 0.03, 0.05), 0.08, 0.2, 17.4),
    "naval": ((0.65, 0.02, 0.33), 0.10, 0.05, 17.1),
    "peacekeeping": ((0.40, 0.35, 0.25), 0.03, -0.25, 7.8),
}
"""docs/model.md section 3.2.4: explosion/gunshot/other, killed at once, mean of Z, CFR."""


@pytest.mark.parametrize("name", WOUNDED_BY)
def test_each_warfare_type_wounds_in_its_own_way(name: str) -> None:
    shares, instant, severity, rate = WOUNDED_BY[name]
    fatality, weapons, killed, niss = of_type(name)
    assert x.counts_are(weapons, shares, lines=8)
    assert killed == pytest.approx(instant, abs=0.008)
    assert 100 * fatality == pytest.approx(rate, abs=1.5)
    if abs(severity) >= 0.15:
        assert (niss / of_type("standard")[3] > 1.1) == (severity > 0)
        assert (niss / of_type("standard")[3] < 0.9) == (severity < 0)


def test_warfare_types_are_as_deadly_as_their_order() -> None:
    rate = {name: of_type(name)[0] for name in [*WOUNDED_BY, "cbrn"]}
    steps: list[tuple[str, ...]] = [
        ("peacekeeping",),
        ("standard", "guerrilla"),
        ("conventional",),
        ("urban",),
        ("naval", "drone", "artillery"),
    ]
    for lower, higher in itertools.pairwise(steps):
        assert max(rate[name] for name in lower) < min(rate[name] for name in higher)
    assert 0.11 < rate["cbrn"] < 0.16


def test_cbrn_is_deadlier_than_peacekeeping() -> None:
    assert of_type("cbrn")[0] > of_type("peacekeeping")[0] + 0.03


def test_a_heavier_type_has_more_casualties() -> None:
    for weight in (1.0, 3.0):
        types = [{"type": "urban", "weight": weight}, {"type": "drone", "weight": 1.0}]
        p = x.run(4000, mix=x.NBI, warfare=types).patients
        assert x.share_is((p["type"] == 0).sum(), 4000, weight / (1 + weight), lines=2)


def test_more_intensity_makes_mass_casualties() -> None:
    shares = [
        float(x.run(6000, warfare=[{"type": "conventional"}], intensity=level).patients["mascal"].mean())
        for level in get_args(scenario_api.Intensity)
    ]
    assert shares == sorted(shares)
    assert shares[-1] > shares[0] + 0.1
    rates = {"rates": {"battle": {"distribution": "constant", "mean": 20.0}}}
    fronts = [{**x.FRONT, "population": 10_000}]
    numbers = [
        len(x.run(casualties=rates, fronts=fronts, mix=None, intensity=level))
        for level in get_args(scenario_api.Intensity)
    ]
    assert np.array(numbers) / 1600 == pytest.approx([0.5, 1.0, 1.5, 2.0], rel=0.12)


@pytest.mark.parametrize("tempo", get_args(scenario_api.Tempo))
def test_tempo_spreads_the_casualties_over_the_days(tempo: str) -> None:
    p = x.run(4000, mix=x.NBI, warfare=[{"type": "urban"}], tempo=tempo).patients
    pattern = tables.warfare_patterns()["tempo_patterns"][tempo]["daily_intensity"]
    assert x.counts_are(np.bincount(p["incident_time"] // x.DAY, minlength=8), pattern, lines=5)


def test_the_days_have_the_weights_asked_for() -> None:
    for weights in ([1.0, 2.0, 1.0], [0.0, 1.0, 9.0]):
        p = x.run(3000, mix=x.ILL, days=3, day_weights=weights).patients
        assert x.counts_are(np.bincount(p["incident_time"] // x.DAY, minlength=3), weights, lines=2)


def test_an_incident_is_a_mass_casualty_from_the_threshold_on() -> None:
    shares = []
    for threshold in (2, 10, 20, 31):
        p = x.run(4000, warfare=[{"type": "conventional"}], mascal_threshold=threshold).patients
        assert (p["mascal"] == (p["incident_size"] >= threshold)).all()
        shares.append(float(p["mascal"].mean()))
    assert shares[0] >= shares[1] > shares[2] > shares[3] == 0
