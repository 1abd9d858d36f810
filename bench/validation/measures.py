"""Values that targets measure and that take more than an expression, registered beside those of the clinical rules."""

from collections.abc import Callable

import numpy as np

from bench.clinical.columns import NEVER, Column, count, first, has, total, value_at_first
from bench.clinical.predicates import predicate
from bench.clinical.records import DAY, HOUR, Records
from engine.codes import LETHAL_MECHANISMS, DeathCause, Effect

HAEMORRHAGES = [label for label in LETHAL_MECHANISMS if label.endswith("haemorrhage")]


@predicate
def at_facility_from_battle(r: Records) -> Column:
    """Battle casualties who reach a medical treatment facility alive."""
    return r.patients.labelled("stream", "battle") & (r.door < NEVER)


@predicate
def back_in_72h(r: Records) -> Column:
    """Patients back on duty within 72 hours."""
    return r.patients.rtd72 == 1


@predicate
def dead_in_24h(r: Records) -> Column:
    """Patients who die within 24 hours of the first door."""
    return r.dead & (r.patients.closed <= r.door + DAY)


# --- blood


@predicate
def blood_in_24h(r: Records) -> Column:
    """Patients transfused within 24 hours of the first door."""
    return has(r.treatments.kind("blood_transfusion") & (r.treatments.start <= r.door + DAY))


@predicate
def units_in_24h(r: Records) -> Column:
    """Units of blood within 24 hours of the first door."""
    given = r.treatments.kind("blood_transfusion") & (r.treatments.start <= r.door + DAY)
    return total(r.treatments.units, given)


# --- first vital signs at a facility


def _first(sign: str) -> Callable[[Records], Column]:
    """Return the first value of a sign that is measured at or after the first door."""

    def value(r: Records) -> Column:
        values = getattr(r.vitals, sign)
        return value_at_first(values, (r.vitals.at >= r.door) & (values > -100))

    return value


@predicate
def first_inr(r: Records) -> Column:
    """First INR."""
    return _first("inr")(r)


@predicate
def first_temperature(r: Records) -> Column:
    """First temperature within an hour of the first door, in degrees Celsius; not a number without one."""
    taken = (r.vitals.at >= r.door) & (r.vitals.at <= r.door + HOUR) & (r.vitals.temperature > 0)
    return value_at_first(r.vitals.temperature, taken)


@predicate
def base_deficit(r: Records) -> Column:
    """First base deficit in mmol/L."""
    return _first("base_excess")(r) * -1


@predicate
def cold_class(r: Records) -> Column:
    """Class of the first temperature: 0 from 36 degrees on, 1 below 36, 2 below 34, 3 below 32."""
    temperature = first_temperature(r)
    return (temperature < 36) * 1 + (temperature < 34) * 1 + (temperature < 32) * 1


@predicate
def pressure_class(r: Records) -> Column:
    """Class of 10 mmHg of the first systolic pressure, the lowest pressure last."""
    pressure = value_at_first(r.vitals.systolic, r.vitals.at >= r.door)
    return r.patients.rows.column(-np.ceil(pressure.values / 10))


@predicate
def shock_index(r: Records) -> Column:
    """First pulse over first systolic pressure."""
    at = r.vitals.at >= r.door
    pulse, pressure = value_at_first(r.vitals.heart_rate, at), value_at_first(r.vitals.systolic, at)
    with np.errstate(divide="ignore", invalid="ignore"):
        return r.patients.rows.column(pulse.values / pressure.values)


@predicate
def revised_trauma_score(r: Records) -> Column:
    """Revised trauma score (Champion et al. 1989) of the first vital signs."""
    at = r.vitals.at >= r.door
    gcs, pressure, breaths = (
        value_at_first(sign, at).values
        for sign in (r.vitals.gcs, r.vitals.systolic, r.vitals.respiratory_rate)
    )
    coma = np.digitize(gcs, (4, 6, 9, 13))
    circulation = np.digitize(pressure, (1, 50, 76, 90))
    breathing = np.where(breaths > 29, 3, np.array([0, 1, 2, 4])[np.digitize(breaths, (1, 6, 10))])
    score = 0.9368 * coma + 0.7326 * circulation + 0.2908 * breathing
    return r.patients.rows.column(np.where(np.isnan(gcs + pressure + breaths), np.nan, score))


# --- lesions, Role 2


@predicate
def isolated_severe_brain(r: Records) -> Column:
    """Battle casualties at a facility with AIS 3 or more of the brain and no wound elsewhere above AIS 2."""
    brain = has(r.wounds.among("brain_injury") & (r.wounds.ais >= 3))
    other = has(~r.wounds.labelled("region", "head") & (r.wounds.ais > 2))
    return at_facility_from_battle(r) & brain & ~other


@predicate
def brought_to_role2(r: Records) -> Column:
    """Battle casualties who leave the point of injury for Role 2 or reach it, those who die on the way included."""
    reached = r.patients.role2 < NEVER
    on_the_way = r.patients.labelled("status", "kia") & r.happened("departed")
    return r.patients.labelled("stream", "battle") & (reached | on_the_way)


@predicate
def dies_at_role2(r: Records) -> Column:
    """Patients who die at Role 2 or on the way to it."""
    place = r.role(r.patients)
    return r.dead & ((place == 2) | r.patients.labelled("status", "kia"))


@predicate
def moved_on_from_role2(r: Records) -> Column:
    """Patients who leave Role 2 for another facility."""
    return has(r.events.kind("departed") & (r.role(r.events) == 2))


def _days_at(role: int) -> Callable[[Records], Column]:
    """Return the days from the first arrival at a role to the departure from it or the outcome, 0 without it."""

    def days(r: Records) -> Column:
        here = r.role(r.events) == role
        came = first(r.events.at, r.events.kind("arrived") & here)
        left = first(r.events.at, r.events.kind("departed") & here)
        end = np.minimum(left.values, r.patients.closed.values)
        stay = np.where(came.values < NEVER, (end - np.minimum(came.values, end)) / DAY, 0.0)
        return r.patients.rows.column(stay)

    return days


@predicate
def days_at_role2(r: Records) -> Column:
    """Days at Role 2."""
    return _days_at(2)(r)


@predicate
def days_at_role3(r: Records) -> Column:
    """Days at Role 3."""
    return _days_at(3)(r)


# --- care before a facility, operations


@predicate
def before_door(r: Records) -> Callable[..., Column]:
    """Number of these treatments before the first facility."""
    return lambda *labels: count(r.treatments.kind(*labels) & (r.treatments.start < r.door))


@predicate
def missed_before_door(r: Records) -> Column:
    """Number of measures that were called for and not given before the first facility.

    An airway in coma; seal, needle or drain of an open or collapsed chest; a tourniquet or packing of a torn-off limb
    or a cut artery of a limb; warmth from ISS 16 on.
    """
    given = before_door(r)
    gcs = value_at_first(r.vitals.gcs, r.vitals.at >= r.door)
    chest = has(r.wounds.among("open_chest", "pneumothorax") & (r.wounds.ais >= 3))
    limb = has(r.wounds.among("major_amputation", "limb_artery"))
    missed = [
        (gcs <= 8) & (given("airway_adjunct", "intubation", "surgical_airway") == 0),
        chest & (given("chest_seal", "needle_decompression", "chest_drain") == 0),
        limb & (given("tourniquet", "junctional_tourniquet", "haemostatic_dressing") == 0),
        (r.patients.iss >= 16) & (given("hypothermia_prevention", "rewarming") == 0),
    ]
    return missed[0] * 1 + missed[1] * 1 + missed[2] * 1 + missed[3] * 1


@predicate
def ineffective_before_door(r: Records) -> Column:
    """Number of treatments before the first facility that were aimed at what kills and failed."""
    return count((r.treatments.effect == Effect.INEFFECTIVE) & (r.treatments.start < r.door))


@predicate
def operations_on_wounded(r: Records) -> Column:
    """Operations of the wounded, other than escharotomies."""
    return r.operations & r.patients.kind("wounded")


@predicate
def orthopaedic(r: Records) -> Column:
    """Operations that are orthopaedic: fixation, amputation, fasciotomy, and debridement of fractures and stumps."""
    bones = r.wounds.among("limb_fracture", "limb_amputation", "crushed_limb", "pelvic_fracture")
    debrided = r.treatments.kind("wound_debridement") & r.of_wound(bones)
    fixed = r.treatments.kind("external_fixation", "fracture_fixation", "closed_reduction")
    return fixed | debrided | r.treatments.kind("amputation", "fasciotomy")


# --- triage, evacuation, death


@predicate
def triage_at_poi(r: Records) -> Column:
    """First triage category at the point of injury; not a number without one."""
    return value_at_first(r.events.detail, r.events.kind("triaged") & (r.events.facility == -1))


@predicate
def triaged_at_poi(r: Records) -> Column:
    """Patients triaged at the point of injury."""
    return triage_at_poi(r) > 0


@predicate
def urgent_or_priority(r: Records) -> Column:
    """Patients whose first evacuation is requested as urgent or priority."""
    return value_at_first(r.events.detail, r.events.kind("evacuation_requested")) <= 2


@predicate
def dies_of_haemorrhage(r: Records) -> Column:
    """Patients who die of a haemorrhage."""
    causes = [DeathCause[label.upper()] for label in HAEMORRHAGES]
    return r.patients.death_cause.is_in(causes)
