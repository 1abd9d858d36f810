"""Values of clinical rules on operations, and on what follows them."""

import numpy as np

from bench.clinical.columns import NEVER, Array, Column, has, value_at_first
from bench.clinical.predicates.course import onward_departure, row_before
from bench.clinical.predicates.registry import predicate
from bench.clinical.records import MINUTE, Records


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
