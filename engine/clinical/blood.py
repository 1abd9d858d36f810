"""Units of blood that a casualty is given (docs/model.md section 2.5.4)."""

import math

from engine import numeric
from engine.clinical.log import log_treatment
from engine.clinical.needs import bleeds_to_death, calls_for_operation, needs_of_injuries
from engine.clinical.physiology.deviates import half
from engine.clinical.uniforms import to_uniform
from engine.codes import (
    FIRST_AID,
    LETHALITY,
    NONE,
    VITAL_SIGNS,
    DrawPurpose,
    Effect,
    Region,
    Treatment,
    TriageCategory,
)
from engine.numeric import Counter, compiled, words
from engine.tables import (
    CARE_ROWS,
    MINUTE,
    TREATMENT_COUNT,
    CasualtyState,
    Model,
    Output,
    PatientRow,
)

_ANY = -1
"""Mask of all operations."""
_BLOOD_TRANSFUSION = int(Treatment.BLOOD_TRANSFUSION)
_SUPPORTIVE = int(Effect.SUPPORTIVE)
_WOUND_DEBRIDEMENT = int(Treatment.WOUND_DEBRIDEMENT)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""

_SLOW = 1.0
"""Standard normal quantile of the life of those who would not bleed to death: longer than most of those who would."""


@compiled
def draw_blood_units(
    output: Output, record: PatientRow, casualty: CasualtyState, model: Model, counter: Counter
) -> int:
    """Return the units that the resuscitation of a wounded casualty calls for; 0: no blood.

    They are lognormal. Their logarithm is correlated with how fast the casualty bleeds, with the draw of the life, and
    rises with the NISS.
    """
    rules = model.treatments.rules
    dying = bleeds_to_death(record)
    if rules.off & rules.bit[Treatment.BLOOD_TRANSFUSION]:
        return 0
    if (
        not dying
        and not needs_of_injuries(output, record, casualty, model) & rules.bit[Treatment.BLOOD_TRANSFUSION]
    ):
        return 0
    key = model.keys[DrawPurpose.SURVIVAL]
    life = _SLOW
    if dying:
        life = numeric.normal_quantile(to_uniform(words(key, counter[0], counter[1], LETHALITY)[1]))
    own = numeric.normal_quantile(to_uniform(words(key, counter[0], counter[1], FIRST_AID)[2]))
    severity = model.care.blood[3]
    quantile = math.sqrt(1.0 - severity * severity) * own - severity * life
    log_median = model.care.blood[0] if dying else model.care.blood[1]
    log_median += model.care.blood[4] * (record.niss - model.care.blood[5])
    units = numeric.exp(log_median + model.care.blood[2] * quantile)
    most = float(model.care.most_units)
    if not dying:
        operated = calls_for_operation(output, record, casualty, _ANY, model)
        most = model.care.most_units_of_others[0 if operated else 1]
    return int(min(most, max(1.0, units + 0.5)))


@compiled
def draw_shock(
    output: Output, record: PatientRow, casualty: CasualtyState, model: Model, counter: Counter
) -> None:
    """Draw whether T1 or T2 have lost so much blood by open wounds of limbs that kill nobody that the pressure is low.

    They get a few units. Where nobody is transfused they are left out.
    """
    rules = model.treatments.rules
    shock = model.vital_signs.low_pressure.other
    if (
        casualty.blood_units > 0
        or record.lethal != NONE
        or record.worst_ais != shock[0]
        or record.triage > TriageCategory.T2
        or rules.off & rules.bit[Treatment.BLOOD_TRANSFUSION]
    ):
        return
    uniform = half(words(model.keys[DrawPurpose.CARE], counter[0], counter[1], VITAL_SIGNS + 2)[1], False)
    if uniform >= shock[1]:
        return
    dressed = int(rules.bit[Treatment.PRESSURE_DRESSING] | rules.bit[Treatment.HAEMOSTATIC_DRESSING])
    for number in range(casualty.wounds):
        wound = output.wounds[casualty.wound + number]
        limb = wound.region == Region.UPPER_LIMB or wound.region == Region.LOWER_LIMB
        bleeds = limb and rules.needs[wound.condition] & dressed
        if wound.ais >= shock[0] and bleeds and rules.operations[wound.condition, 0] == _WOUND_DEBRIDEMENT:
            key = model.keys[DrawPurpose.SURVIVAL]
            own = numeric.normal_quantile(to_uniform(words(key, counter[0], counter[1], FIRST_AID)[2]))
            units = numeric.exp(model.care.blood[6] + model.care.blood[7] * own)
            casualty.blood_units = int(min(float(model.care.most_units), max(1.0, units + 0.5)))
            casualty.low_pressure = shock[2]
            casualty.low_pulse = shock[3]
            return


@compiled
def _log_further_units(
    output: Output, row: int, casualty: CasualtyState, begin: float, end: float, units: int
) -> None:
    """Log a transfusion of what an earlier one leaves, from `begin` to `end`, ms."""
    minutes = (end - begin) / MINUTE
    kind = _BLOOD_TRANSFUSION
    log_treatment(output, row, casualty.facility, kind, begin, minutes, _SUPPORTIVE, NONE)
    output.treatments[output.rows[TREATMENT_COUNT] - 1].units = units


@compiled
def _has_room(output: Output, casualty: CasualtyState) -> bool:
    """Return whether the record has room for another treatment."""
    return bool(
        output.rows[TREATMENT_COUNT] < casualty.first_treatment + CARE_ROWS
        and output.rows[TREATMENT_COUNT] < len(output.treatments)
    )


@compiled
def spread_units(output: Output, row: int, casualty: CasualtyState, first: int, model: Model) -> None:
    """Let those units of a transfusion of the bay, logged from row `first` on, go on after it that take longer.

    A unit takes some minutes, so the bay has time for a few: as many as the loss before the door calls for. The others
    are for what is lost afterwards.
    """
    if not _has_room(output, casualty):
        return
    for k in range(first, output.rows[TREATMENT_COUNT]):
        blood = output.treatments[k]
        if blood.kind != _BLOOD_TRANSFUSION:
            continue
        fitting = int((blood.end - blood.start) / (model.care.unit_minutes[0] * MINUTE))
        left = int(blood.units) - max(1, fitting)
        last_minute = blood.end - MINUTE
        if left <= 0 or last_minute <= blood.start:
            return
        blood.units -= left
        blood.end = int(last_minute)
        end = last_minute + left * model.care.unit_minutes[1] * MINUTE
        _log_further_units(output, row, casualty, last_minute, end, left)
        return


@compiled
def split_units(output: Output, row: int, casualty: CasualtyState, now: float, until: float) -> None:
    """Split a transfusion that goes on at `now`: the rest is given in the operation or on the way that begins then.

    `until` is when it is over at the latest. Both are in ms.
    """
    if not _has_room(output, casualty):
        return
    for k in range(casualty.first_treatment, output.rows[TREATMENT_COUNT]):
        blood = output.treatments[k]
        if blood.kind != _BLOOD_TRANSFUSION or blood.start >= now or blood.end <= now:
            continue
        before = int(blood.units * (now - blood.start) / (float(blood.end) - blood.start) + 0.5)
        before = max(1, before)
        end = min(float(blood.end), until)
        left = int(blood.units) - before
        if left > 0:
            blood.units = before
            blood.end = int(now)
            _log_further_units(output, row, casualty, now, end, left)
        return
