"""Values of clinical rules on triage, evacuation, complications and death."""

from collections.abc import Callable

import numpy as np

from bench.clinical.columns import NEVER, Array, Column, first, has, value_at_first
from bench.clinical.predicates.registry import predicate
from bench.clinical.records import HOUR, MINUTE, Records
from engine.codes import COMPLICATIONS, LIMBS, Event, TriageCategory
from engine.records.patient_rows import last_before


@predicate
def onward_departure(r: Records) -> Column:
    """Departures from facilities."""
    return r.events.kind("departed") & (r.events.facility >= 0)


def row_before(r: Records, wanted: Column) -> Array:
    """Return the row of the latest event in `wanted` of the same patient before each event, -1 without one."""
    rows = np.where(wanted.values, np.arange(len(wanted.values)), -1)
    found = np.maximum.accumulate(np.concatenate(([-1], rows[:-1]))) if len(rows) else rows
    patient = r.events.rows.patient
    return np.where((found >= 0) & (patient[found] == patient), found, -1)


@predicate
def dies_suddenly(r: Records) -> Column:
    """Patients killed at once, by a hit on the facility, or by a matrix instead of a course."""
    return r.patients.labelled("death_cause", "instantly_fatal_injury", "facility_hit", "transition")


@predicate
def departs_within_6h_of_icu(r: Records) -> Column:
    """Patients who leave a facility within six hours of intensive care."""
    start = r.event_time("icu_admitted")
    return has(r.events.kind("departed") & (r.events.at > start) & (r.events.at < start + 6 * HOUR))


@predicate
def departs_on_request(r: Records) -> Column:
    """Patients who leave a facility in the second in which their evacuation is requested."""
    before = row_before(r, r.events.kind("evacuation_requested"))
    at, place = r.chunk.events["at"], r.chunk.events["facility"]
    at_once = (before >= 0) & (place[before] == place) & (at - at[before] < 1000)
    return has(onward_departure(r) & r.events.rows.column(at_once))


@predicate
def first_triage_t1(r: Records) -> Column:
    """Patients triaged T1 the first time."""
    return value_at_first(r.events.detail, r.events.kind("triaged")) == 1


@predicate
def field_category(r: Records) -> Column:
    """Category of the first triage at the point of injury; not a number without one."""
    return value_at_first(r.events.detail, r.events.kind("triaged") & (r.events.facility == -1))


@predicate
def door_category(r: Records) -> Column:
    """Category of the first triage in a facility; not a number without one."""
    return value_at_first(r.events.detail, r.events.kind("triaged") & (r.events.facility >= 0))


@predicate
def comatose_at_field_triage(r: Records) -> Column:
    """Patients triaged at the point of injury who have a GCS of 8 or less there within four minutes."""
    at = first(r.events.at, r.events.kind("triaged") & (r.events.facility == -1))
    near = (r.vitals.at > at - 4 * MINUTE) & (r.vitals.at < at + 4 * MINUTE)
    coma = (r.vitals.gcs > 0) & (r.vitals.gcs <= 8)
    return has(near & coma & (r.vitals.facility == -1)) & (field_category(r) > 0)


@predicate
def first_request_routine(r: Records) -> Column:
    """Patients whose first evacuation is requested as routine."""
    return value_at_first(r.events.detail, r.events.kind("evacuation_requested")) == 3


@predicate
def has_role1(r: Records) -> Column:
    """Patients who were at a Role 1 facility."""
    return r.patients.role1 < NEVER


@predicate
def complication(r: Records) -> Callable[..., Column]:
    """Return the function that gives the time of the first of these complications, NEVER without one."""

    def time(*labels: str) -> Column:
        kinds = r.chunk.events["detail"] // LIMBS
        those = np.isin(kinds, [COMPLICATIONS.index(label) for label in labels])
        return first(r.events.at, r.events.kind("complication") & r.events.rows.column(those))

    return time


@predicate
def infected(r: Records) -> Column:
    """Time of the first infection of each patient, NEVER without one."""
    time: Column = complication(r)(
        "wound_infection", "bone_infection", "abdominal_infection", "pneumonia", "sepsis"
    )
    return time


@predicate
def embolism(r: Records) -> Column:
    """Time of the first venous thromboembolism of each patient, NEVER without one."""
    time: Column = complication(r)("deep_vein_thrombosis", "pulmonary_embolism")
    return time


@predicate
def fatal(r: Records) -> Callable[[str], Column]:
    """Return the function that says who died late of a complication."""

    def of(label: str) -> Column:
        return r.patients.fatal_complication == COMPLICATIONS.index(label)

    return of


def _category_on_leaving(r: Records) -> Array:
    """Return the triage category with which each departure of events happens; 0 without one."""
    before = row_before(r, r.events.kind("triaged"))
    return np.where(before >= 0, r.chunk.events["detail"][np.maximum(before, 0)], 0)


def _sign_at_event(r: Records, sign: str) -> Array:
    """Return a sign as last taken before each event, at most 15 minutes earlier; not a number without one."""
    taken = getattr(r.vitals, sign).values.astype(np.float64)
    events = r.chunk.events
    known = np.flatnonzero(~np.isnan(taken))
    if not len(known):
        return np.full(len(events), np.nan)
    readings = r.chunk.vitals[known]
    places = last_before(readings, "at", events["patient"].astype(np.int64), events["at"].astype(np.int64))
    place = np.maximum(places, 0)
    fresh = (places >= 0) & (events["at"] - readings["at"][place] <= 15 * MINUTE)
    return np.where(fresh, taken[known][place], np.nan)


@predicate
def leaves_intubated(r: Records) -> Column:
    """Departures from facilities of the intubated, and of those with GCS 8 or less."""
    tube = ~np.isnan(_sign_at_event(r, "etco2"))
    return onward_departure(r) & r.events.rows.column(tube | (_sign_at_event(r, "gcs") <= 8))


@predicate
def leaves_confused_or_breathless(r: Records) -> Column:
    """Departures from facilities with GCS 12 or less, or a saturation below 92."""
    signs = (_sign_at_event(r, "gcs") <= 12) | (_sign_at_event(r, "spo2") < 92)
    return onward_departure(r) & r.events.rows.column(signs)


@predicate
def leaves_below(r: Records) -> Callable[[int], Column]:
    """Departures with a triage category that is less urgent than the one given."""

    def below(category: int) -> Column:
        return r.events.rows.column(_category_on_leaving(r) > category)

    return below


def _departs_to_role4(r: Records) -> Column:
    """Departures from a facility of Role 2 or 3 to Role 4 that are routine."""
    events, patient = r.chunk.events, r.events.rows.patient
    following = np.minimum(np.arange(len(events)) + 1, len(events) - 1)
    roles = r.role(r.events).values
    request = row_before(r, r.events.kind("evacuation_requested"))
    routine = (request >= 0) & (events["detail"][np.maximum(request, 0)] == TriageCategory.T3)
    to = (
        (patient[following] == patient)
        & (events["kind"][following] == Event.ARRIVED)
        & (roles[following] == 4)
    )
    return onward_departure(r) & r.events.rows.column(to & routine & (roles >= 2))


@predicate
def goes_to_role4_routine(r: Records) -> Column:
    """Patients whose movement to Role 4 from Role 2 or 3 is routine."""
    return has(_departs_to_role4(r))


@predicate
def goes_to_role4_within_12h(r: Records) -> Column:
    """Patients who leave for Role 4 as routine within 12 hours of arrival at the facility before it."""
    came = row_before(r, r.events.kind("arrived"))
    at = r.chunk.events["at"]
    soon = (came >= 0) & (at - at[np.maximum(came, 0)] < 12 * HOUR)
    return has(_departs_to_role4(r) & r.events.rows.column(soon))
