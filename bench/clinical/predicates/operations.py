"""Values of clinical rules on operations, and on what follows them."""

import numpy as np

from bench.clinical.columns import NEVER, Array, Column, has, value_at_first
from bench.clinical.predicates.course import onward_departure, row_before
from bench.clinical.predicates.registry import predicate
from bench.clinical.records import HOUR, MINUTE, Records
from engine.codes import NONE, Event


@predicate
def in_surgical_system(r: Records) -> Column:
    """Survivors, other than those evacuated without passing any facility that operates."""
    evacuated = r.patients.labelled("status", "evacuated", "discharged")
    return r.survivor & ~(evacuated & (r.surgical_door == NEVER))


@predicate
def has_operations(r: Records) -> Column:
    """Patients with a condition that calls for an operation."""
    given = r.sets.attribute("operations")
    return r.with_condition(np.array([bool(row) for row in given]) & ~r.sets.mask("chest_drained"))


DEFERRABLE = {
    "fracture_fixation",
    "hernia_repair",
    "spinal_surgery",
    "maxillofacial_surgery",
    "burn_excision",
    "closed_reduction",
    "urological_repair",
}
"""Operations that may wait for Role 4."""

OPENS_SKULL_GCS = 10
"""First GCS with which the skull is opened; it is judged with an error of one or two points around 12."""


@predicate
def operation_undone(r: Records) -> Column:
    """Patients with a condition of whose operations none was done; those that may wait unless evacuated.

    A craniotomy is called for only with a low GCS.
    """
    given = r.sets.attribute("operations")
    evacuated = r.patients.labelled("status", "evacuated", "discharged")
    found = r.patients.everything() & False
    for wanted in {row for row in given if row}:
        mask = np.array([row == wanted for row in given]) & ~r.sets.mask("chest_drained")
        needy = r.with_condition(mask)
        if set(wanted) & DEFERRABLE:
            needy = needy & ~evacuated
        if "craniotomy" in wanted:
            needy = needy & (value_at_first(r.vitals.gcs, r.vitals.gcs >= 3) <= OPENS_SKULL_GCS)
        found = found | (needy & ~r.given(*wanted))
    return found


def _since_surgery(r: Records) -> Array:
    """Return the time from the end of the last operation at the same facility to each event, NEVER without one."""
    before = row_before(r, r.events.kind("surgery_ended", "definitive_surgery_ended"))
    at, place = r.chunk.events["at"], r.chunk.events["facility"]
    return np.where((before >= 0) & (place[before] == place), at - at[before], NEVER)


@predicate
def leaves_after_surgery(r: Records) -> Column:
    """Patients who leave a facility where they were operated."""
    return has(onward_departure(r) & r.events.rows.column(_since_surgery(r) < NEVER))


@predicate
def leaves_within_half_an_hour(r: Records) -> Column:
    """Patients who leave a facility within half an hour of the end of an operation."""
    return has(onward_departure(r) & r.events.rows.column(_since_surgery(r) < 30 * MINUTE))


def _reading_before(r: Records, at: Array, patient: Array) -> Array:
    """Return the row of the last reading of the patient not after `at`, of each pair; -1 without one."""
    if not len(r.vitals.at.values):
        return np.full(len(at), -1)
    rows = r.vitals.rows.patient
    span = max(1.0, float(np.max(r.chunk.vitals["at"])), float(np.max(at, initial=0))) + 1.0
    keys = rows * span + r.chunk.vitals["at"]
    found = np.searchsorted(keys, patient * span + at, side="right") - 1
    return np.where((found >= 0) & (rows[np.maximum(found, 0)] == patient), found, -1)


def _tubed_at(r: Records, at: Array, patient: Array) -> Array:
    """Return of each pair whether the last reading of the patient not after `at` has an end-tidal carbon dioxide."""
    row = _reading_before(r, at, patient)
    return (
        (row >= 0) & (r.chunk.vitals["etco2"][np.maximum(row, 0)] != NONE)
        if len(r.chunk.vitals)
        else row >= 0
    )


@predicate
def leaves_unrecovered(r: Records) -> Column:
    """Patients who leave a facility within two hours of the end of an operation, without a tube."""
    at, patient = r.chunk.events["at"], r.events.rows.patient
    early = (_since_surgery(r) < 2 * HOUR) & ~_tubed_at(r, at, patient)
    return has(onward_departure(r) & r.events.rows.column(early))


@predicate
def travels_after_intubation(r: Records) -> Column:
    """Patients who leave a facility after they were intubated."""
    return has(onward_departure(r) & (r.events.at > r.started("intubation", "surgical_airway")))


@predicate
def loses_tube_around_the_journey(r: Records) -> Column:
    """Patients who have a tube two hours before a departure and not at it, or at it and not an hour after arrival.

    Before the departure only the time at the facility counts.
    """
    events, patient = r.chunk.events, r.events.rows.patient
    at = events["at"].astype(np.float64)
    came = row_before(r, r.events.kind("arrived"))
    before = np.maximum(at - 2 * HOUR, np.where(came >= 0, at[np.maximum(came, 0)], at))
    following = np.minimum(np.arange(len(at)) + 1, len(at) - 1)
    reached = (patient[following] == patient) & (events["kind"][following] == Event.ARRIVED)
    reached &= at[following] < r.patients.closed.values[patient] - HOUR
    tubed = _tubed_at(r, before, patient) | _tubed_at(r, at, patient)
    lost = tubed & ~_tubed_at(r, at, patient)
    lost |= _tubed_at(r, at, patient) & reached & ~_tubed_at(r, at[following] + HOUR, patient)
    return has(onward_departure(r) & r.events.rows.column(lost))
