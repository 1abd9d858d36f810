"""Values of clinical rules on treatments and drugs."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.clinical.columns import Column, count, has
from bench.clinical.predicates.registry import predicate
from bench.clinical.records import HOUR, MINUTE, Records
from engine.records import CodeTables, doses
from engine.records.fields import View as RecordView
from engine.records.patient_rows import last_before
from engine.records.values import Coded

ALTERNATIVES: dict[str, tuple[str, ...]] = {
    "iv_access": ("intraosseous_access",),
    "airway_adjunct": ("intubation", "surgical_airway", "tracheostomy"),
    "intubation": ("surgical_airway", "tracheostomy"),
    "needle_decompression": ("chest_drain", "thoracotomy"),
    "chest_seal": ("chest_drain", "thoracotomy"),
    "chest_drain": ("thoracotomy",),
    "tourniquet": ("junctional_tourniquet", "haemostatic_dressing", "amputation"),
    "junctional_tourniquet": ("haemostatic_dressing", "vascular_repair", "ligation"),
    "haemostatic_dressing": ("pressure_dressing", "tourniquet", "junctional_tourniquet"),
    "pressure_dressing": ("haemostatic_dressing", "wound_care", "wound_debridement", "burn_dressing"),
    "pelvic_binder": ("external_fixation", "pelvic_packing"),
    "splint": ("external_fixation", "fracture_fixation", "closed_reduction", "amputation"),
    "closed_reduction": ("fracture_fixation", "external_fixation", "definitive_surgery"),
    "oxygen": ("intubation", "ventilation", "respiratory_support"),
    "wound_care": ("wound_debridement",),
    "hypothermia_prevention": ("rewarming",),
    "burn_dressing": ("burn_excision", "wound_care"),
    "atropine_and_oxime": ("autoinjector",),
    "eye_shield": ("eye_repair", "foreign_body_removal", "medication"),
}
"""By treatment that a condition needs: treatments that answer the need as well."""

BY_STATE = {"oxygen", "intubation", "ventilation", "hypertonic_saline"}
"""Treatments that only the state decides on, whatever a condition needs: a low saturation, coma, a lost airway."""

FOR_BLEEDING = {"blood_transfusion", "calcium", "tranexamic_acid"}
"""Needs of torn lungs and intercostal vessels only where these bleed on: a drain is enough for 85 to 90 %."""


@predicate
def dressings(r: Records) -> Column:
    """Treatments that are dressings."""
    return r.treatments.kind("pressure_dressing", "haemostatic_dressing", "burn_dressing")


@predicate
def treatment_available(r: Records) -> Callable[[str], Column]:
    """Whether the scenario has a treatment; it may switch off single ones."""

    def available(label: str) -> Column:
        settings: Any = r.scenario.treatments or {}
        setting = settings.get(label)
        off = setting is not None and setting.available is False
        return r.patients.everything() & (not off)

    return available


@predicate
def same_wound_more_than_twice(r: Records) -> Callable[[str], Column]:
    """Whether any wound gets a treatment more than twice."""

    def more(label: str) -> Column:
        rows = r.treatments.kind(label) & r.names_wound
        key = r.treatments.rows.patient.astype(np.int64) * 256 + r.chunk.treatments["wound"]
        keys, counts = np.unique(key[rows.values], return_counts=True)
        found = np.zeros(len(r.chunk), bool)
        found[keys[counts > 2] // 256] = True
        return r.patients.rows.column(found)

    return more


@predicate
def blood_runs_short(r: Records) -> Column:
    """All patients where a facility of the scenario has a limited stock of blood."""
    limited = any(facility.blood_units is not None for facility in r.scenario.facilities)
    return r.patients.everything() & limited


def _unmet(r: Records, attribute: str, alternatives: dict[str, tuple[str, ...]]) -> tuple[Column, Column]:
    """Return who has a condition with treatments in `attribute`, and who lacks any single one of them."""
    given = r.sets.attribute(attribute)
    nobody = r.patients.everything() & False
    asked, lacking = nobody, nobody
    drained = r.sets.mask("chest_drained")
    for label in sorted({label for row in given for label in row} - BY_STATE):
        mask = np.array([label in row for row in given])
        if label in FOR_BLEEDING:
            mask = mask & ~drained
        needy = r.with_condition(mask)
        answered = r.given(label, *alternatives.get(label, ()))
        asked, lacking = asked | needy, lacking | (needy & ~answered)
    return asked, lacking


@predicate
def has_needs(r: Records) -> Column:
    """Patients with a condition that needs a treatment."""
    return _unmet(r, "needs", ALTERNATIVES)[0]


@predicate
def need_unmet(r: Records) -> Column:
    """Patients who lack a treatment that one of their conditions needs; of some the state decides instead."""
    return _unmet(r, "needs", ALTERNATIVES)[1]


def _treatment_view(r: Records) -> RecordView:
    return RecordView(r.chunk, r.chunk.treatments, CodeTables(r.scenario))


def _rows_with(r: Records, values: Coded, wanted: Callable[[str], bool]) -> Column:
    """Treatments whose text is wanted."""
    those = np.array([text is not None and wanted(text) for text in values.texts])
    return r.treatments.rows.column(those[np.minimum(values.indices("treatments"), len(those) - 1)])


@predicate
def drug(r: Records) -> Callable[..., Column]:
    """Treatments with a drug whose name contains one of some words."""
    values: Any = doses.drugs(_treatment_view(r))
    return lambda *words: _rows_with(r, values, lambda text: any(word in text for word in words))


@predicate
def unnamed(r: Records) -> Column:
    """Treatments without the name of a drug."""
    values: Any = doses.drugs(_treatment_view(r))
    return ~_rows_with(r, values, bool)


@predicate
def route(r: Records) -> Callable[..., Column]:
    """Treatments with a drug by one of some routes."""
    values: Any = doses.routes(_treatment_view(r))
    return lambda *labels: _rows_with(r, values, lambda text: text in labels)


@predicate
def again_within(r: Records) -> Callable[[Column, float], Column]:
    """Patients with two of some treatments less than so many hours apart."""

    def found(rows: Column, hours: float) -> Column:
        chosen = np.flatnonzero(rows.values.astype(bool))
        who = r.treatments.rows.patient[chosen]
        start = r.chunk.treatments["start"].astype(np.int64)[chosen]
        order = np.lexsort((start, who))
        who, start = who[order], start[order]
        close = (who[1:] == who[:-1]) & (np.diff(start) < hours * HOUR)
        patients = np.zeros(len(r.chunk), bool)
        patients[who[1:][close]] = True
        return r.patients.rows.column(patients)

    return found


@predicate
def sign_before(r: Records) -> Callable[[str, float], Column]:
    """The value of a sign as it was last taken before each treatment, at most so many minutes; else not a number."""

    def value(sign: str, minutes: float) -> Column:
        taken = getattr(r.vitals, sign).values.astype(np.float64)
        known = np.flatnonzero(~np.isnan(taken))
        treatments = r.chunk.treatments
        if not len(known):
            return r.treatments.rows.column(np.full(len(treatments), np.nan))
        readings = r.chunk.vitals[known]
        places = last_before(
            readings, "at", treatments["patient"].astype(np.int64), treatments["start"].astype(np.int64)
        )
        place = np.maximum(places, 0)
        age = treatments["start"] - readings["at"][place]
        found = np.where((places >= 0) & (age <= minutes * MINUTE), taken[known][place], np.nan)
        return r.treatments.rows.column(found)

    return value


@predicate
def drained_on_one_side(r: Records) -> Column:
    """Patients with a lesion of both lungs that has got a chest drain on one side only."""
    rows = r.treatments.kind("chest_drain") & r.of_wound(r.wounds.among("both_lungs_torn"))
    drains = count(rows)
    return (drains > 0) & (drains < 2)


@predicate
def ventilated_long(r: Records) -> Column:
    """Patients ventilated for more than four hours at a stretch."""
    given = r.treatments
    return has(given.kind("ventilation") & (given.end - given.start > 4 * HOUR))
