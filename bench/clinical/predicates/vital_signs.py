"""Values of clinical rules on vital signs."""

from collections.abc import Callable

import numpy as np

from bench.clinical.columns import Array, Column, count, first, has, last, value_at_first
from bench.clinical.predicates.registry import PREDICATES, predicate
from bench.clinical.records import DAY, HOUR, MINUTE, OPERATIONS, Records


def _at_door(column: str) -> Callable[[Records], Column]:
    """Return a sign of the first set at or after the first door."""

    def value(r: Records) -> Column:
        return value_at_first(getattr(r.vitals, column), r.vitals.at >= r.door)

    return value


for _name, _column in {
    "door_gcs": "gcs",
    "door_systolic": "systolic",
    "door_pulse": "heart_rate",
    "door_spo2": "spo2",
    "door_breaths": "respiratory_rate",
}.items():
    PREDICATES[_name] = _at_door(_column)


@predicate
def moribund(r: Records) -> Column:
    """Vital signs of the moribund (validation target MOR1)."""
    v = r.vitals
    circulation = (v.systolic < 90) | (v.heart_rate > 120) | (v.heart_rate < 50)
    breath = (v.spo2 < 85) | (v.respiratory_rate < 8) | (v.respiratory_rate > 30)
    return circulation | breath | (v.gcs < 9)


def _before_the_end(minutes: float) -> Callable[[Records], Column]:
    return lambda r: r.vitals.at >= r.patients.closed - minutes * MINUTE


PREDICATES["last_half_hour"] = _before_the_end(30)

PREDICATES["last_hour"] = _before_the_end(60)

PREDICATES["last_two_hours"] = _before_the_end(120)


@predicate
def longest_gap_hours(r: Records) -> Column:
    """Longest time without vital signs from the first door to the outcome, in hours."""
    at, patient = r.vitals.at.values, r.vitals.rows.patient
    door, closed = r.door.values[patient], r.patients.closed.values
    previous = np.concatenate(([0.0], at[:-1]))
    fresh = np.concatenate(([True], patient[1:] != patient[:-1]))
    gaps = at - np.where(fresh | (previous < door), door, previous)
    longest = np.zeros(len(r.chunk))
    np.maximum.at(longest, patient, gaps)
    ends = np.maximum(last(r.vitals.at, r.vitals.everything()).values, r.door.values)
    with np.errstate(invalid="ignore"):
        longest = np.maximum(longest, closed - ends)
    return r.patients.rows.column(longest / HOUR)


@predicate
def signs_in_first_icu_hours(r: Records) -> Column:
    """Number of sets of vital signs in the first six hours of intensive care."""
    start = r.event_time("icu_admitted")
    return count((r.vitals.at >= start) & (r.vitals.at <= start + 6 * HOUR))


@predicate
def signs_before_surgery(r: Records) -> Column:
    """Patients with vital signs in the hour before their first operation."""
    start = r.event_time("surgery_started")
    return has((r.vitals.at <= start) & (r.vitals.at >= start - HOUR))


@predicate
def signs_after_surgery(r: Records) -> Column:
    """Patients with vital signs in the half hour after their first operation."""
    end = r.event_time("surgery_ended")
    return has((r.vitals.at >= end) & (r.vitals.at <= end + 30 * MINUTE))


@predicate
def coma_at_resuscitation(r: Records) -> Column:
    """Vital signs with GCS 8 or less in the quarter of an hour after the door of a facility that resuscitates."""
    door = r.door_of("dcr")
    late = (r.vitals.at >= door) & (r.vitals.at <= door + 15 * MINUTE)
    return late & (r.vitals.gcs <= 8) & (r.patients.closed > door + HOUR)


@predicate
def lowest_gcs(r: Records) -> Column:
    """Lowest GCS of each patient; NEVER without vital signs."""
    return first(r.vitals.gcs, r.vitals.everything())


@predicate
def hypoxic_at_role2(r: Records) -> Column:
    """Patients with a saturation below 90 within 15 minutes of the door of Role 2 who live for an hour more."""
    near = (r.vitals.at >= r.role2) & (r.vitals.at <= r.role2 + 15 * MINUTE)
    return has(near & (r.vitals.spo2 < 90)) & (r.patients.closed > r.role2 + HOUR)


def _steps(r: Records, column: str) -> tuple[Array, Array]:
    """Return the change of a sign from the set before, and whether that is of the same patient."""
    values = getattr(r.vitals, column).values.astype(np.float64)
    patient = r.vitals.rows.patient
    same = np.concatenate(([False], patient[1:] == patient[:-1]))
    return np.diff(values, prepend=0.0), same


@predicate
def bounces(r: Records) -> Column:
    """Patients whose pressure rises and falls, or falls and rises, by 20 mmHg in the three days after resuscitation."""
    change, same = _steps(r, "systolic")
    end = r.event_time("resuscitation_ended").values[r.vitals.rows.patient]
    at = r.vitals.at.values
    near = same & (at > end) & (at <= end + 3 * DAY)
    swings = np.where(near & (np.abs(change) >= 20), np.sign(change), 0.0)
    turned = np.concatenate(([False], swings[1:] * swings[:-1] < 0)) & same
    return has(r.vitals.rows.column(turned))


@predicate
def score_falls_after_surgery(r: Records) -> Column:
    """Patients whose health score falls by 4 from one set of signs to the next after their first operation."""
    change, same = _steps(r, "score")
    end = r.event_time("surgery_ended").values[r.vitals.rows.patient]
    previous = np.concatenate(([0.0], r.vitals.at.values[:-1]))
    return has(r.vitals.rows.column(same & (previous >= end) & (change <= -40)))


@predicate
def lactate_in_deep_shock(r: Records) -> Column:
    """Vital signs with a lactate value and a systolic pressure below 80."""
    return (r.vitals.systolic < 80) & (r.vitals.lactate >= 0)


@predicate
def waking(r: Records) -> Column:
    """Vital signs in the two hours after an operation."""
    given = r.treatments
    operation = given.kind(*OPERATIONS).values
    span = 10**12  # ms, longer than any course
    ends = np.sort(
        given.rows.patient[operation].astype(np.int64) * span + given.end.values[operation].astype(np.int64)
    )
    taken = r.vitals.rows.patient.astype(np.int64) * span + r.vitals.at.values.astype(np.int64)
    last = np.concatenate(([-span], ends))[np.searchsorted(ends, taken, side="right")]
    return r.vitals.rows.column(taken - last <= 2 * HOUR)


@predicate
def pain_before_analgesia(r: Records) -> Column:
    """Vital signs with a pain score, GCS 14 or more, before any analgesia or anaesthesia."""
    eased = r.started("analgesia", "intubation", *OPERATIONS)
    return (r.vitals.pain >= 0) & (r.vitals.gcs >= 14) & (r.vitals.at < eased)


@predicate
def lowest_saturation(r: Records) -> Column:
    """Lowest saturation of each patient; NEVER without vital signs."""
    return first(r.vitals.spo2, r.vitals.spo2 >= 0)


@predicate
def longest_gap_of_agents_hours(r: Records) -> Column:
    """Longest time without vital signs from the first door, in the six hours from the onset on, in hours."""
    at, patient = r.vitals.at.values, r.vitals.rows.patient
    door, until = r.door.values[patient], (r.patients.onset + 6 * HOUR).values[patient]
    previous = np.concatenate(([0.0], at[:-1]))
    same = np.concatenate(([False], patient[1:] == patient[:-1]))
    counts = same & (previous >= door) & (previous < until)
    longest = np.zeros(len(r.chunk))
    np.maximum.at(longest, patient[counts], (at - previous)[counts])
    return r.patients.rows.column(longest / HOUR)
