"""Vital signs of a casualty (docs/model.md section 2.12).

The function appends rows to the table of vital signs. Parameters are in `scenarios/data/model/treatments.toml`.
"""

from engine.clinical.survival import MAX_HEALTH_SCORE, health_score
from engine.clinical.uniforms import to_uniform
from engine.codes import VITAL_SIGNS, CasualtyKind, DrawPurpose, LethalMechanism
from engine.numeric import Counter, compiled, words
from engine.tables import (
    QUIET,
    CasualtyState,
    DeficitWeights,
    Model,
    Output,
    PatientRow,
    VitalSignParameters,
)


@compiled
def _bounded(minimum: float, maximum: float, value: float) -> int:
    """Return a vital sign within its bounds, rounded to a whole number."""
    return int(min(maximum, max(minimum, value)) + 0.5)


@compiled
def _deficit_weights(record: PatientRow, vital_signs: VitalSignParameters) -> DeficitWeights:
    """Return how strongly each group of vital signs shows the deficit, by what fails."""
    weights = vital_signs.default
    if record.lethal == LethalMechanism.TBI:
        weights = vital_signs.brain_injury
    elif (
        record.lethal == LethalMechanism.AIRWAY
        or record.lethal == LethalMechanism.TENSION_PNEUMOTHORAX
        or record.kind == CasualtyKind.AGENT
    ):
        weights = vital_signs.asphyxia
    elif record.kind == CasualtyKind.PSYCHOLOGICAL:
        weights = vital_signs.psychological
    return weights


@compiled
def _coma_scale(
    casualty: CasualtyState, deficit: float, weights: DeficitWeights, vital_signs: VitalSignParameters
) -> int:
    """Return the Glasgow Coma Scale at a deficit of the health score."""
    coma = vital_signs.gcs
    recovering = 1.0 if casualty.recover_span == 0.0 else coma.recovering
    concussed = coma.head_injury[int(min(5, casualty.head_ais))] * recovering
    points = coma.healthy - max(concussed, coma.change * weights.brain * deficit * deficit)
    return _bounded(coma.minimum, coma.maximum, points)


@compiled
def coma_scale(record: PatientRow, casualty: CasualtyState, at: float, model: Model) -> int:
    """Return the Glasgow Coma Scale at the time `at`, ms, if nothing changes until then."""
    score = health_score(record, casualty, at, model.survival)
    deficit = (MAX_HEALTH_SCORE - score) / MAX_HEALTH_SCORE
    return _coma_scale(casualty, deficit, _deficit_weights(record, model.vital_signs), model.vital_signs)


@compiled
def measure_vitals(
    output: Output, row: int, casualty: CasualtyState, now: float, number: int, model: Model, counter: Counter
) -> None:
    """Append health score and vital signs at `now` (docs/model.md section 2.12).

    The signs follow the deficit of the health score, d = (20 - score) / 20, weighted by what fails. Heart rate,
    pressure and respiratory rate change in proportion to d, oxygen saturation and GCS to d squared.

    Parameters
    ----------
    number
        Number of the measurement: selects the random draws.
    """
    if output.rows[QUIET]:
        return
    record = output.patients[row]
    vital_signs = model.vital_signs
    score = health_score(record, casualty, now, model.survival)
    deficit = (MAX_HEALTH_SCORE - score) / MAX_HEALTH_SCORE
    weights = _deficit_weights(record, vital_signs)
    a, b, c, d = words(model.keys[DrawPurpose.CARE], counter[0], counter[1], VITAL_SIGNS + number)
    entry = output.vitals[output.rows[3]]
    entry.at = int(now)
    entry.patient = row
    entry.facility = casualty.facility
    entry.score = int(score * 10.0 + 0.5)
    sign = vital_signs.heart_rate
    damping = 1.0 if deficit < vital_signs.collapse else vital_signs.collapse_factor
    pulse = sign.lowest + sign.spread * to_uniform(a) + sign.change * weights.bleeding * deficit * damping
    entry.heart_rate = _bounded(sign.minimum, sign.maximum, pulse)
    sign = vital_signs.systolic
    pressure = sign.lowest + sign.spread * to_uniform(b) - sign.change * weights.bleeding * deficit
    entry.systolic = _bounded(sign.minimum, sign.maximum, pressure)
    sign = vital_signs.respiratory_rate
    breaths = sign.lowest + sign.spread * to_uniform(c) + sign.change * weights.breathing * deficit
    entry.respiratory_rate = _bounded(sign.minimum, sign.maximum, breaths)
    sign = vital_signs.spo2
    saturation = (
        sign.lowest + sign.spread * to_uniform(d) - sign.change * weights.breathing * deficit * deficit
    )
    entry.spo2 = _bounded(sign.minimum, sign.maximum, saturation)
    entry.gcs = _coma_scale(casualty, deficit, weights, vital_signs)
    output.rows[3] += 1
