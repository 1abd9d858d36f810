"""The state of a patient at the beginning: person, injury or illness (docs/model.md section 2.12)."""

import math

from engine import numeric
from engine.clinical.burns import burn_area
from engine.clinical.physiology.deviates import half, normal, rough_normal
from engine.clinical.uniforms import to_uniform
from engine.codes import (
    NONE,
    VITAL_SIGNS,
    CasualtyKind,
    ConditionFlag,
    DrawPurpose,
    LethalMechanism,
    Region,
    Sex,
    SignPattern,
    Treatment,
    TriageCategory,
    Watch,
)
from engine.numeric import Counter, compiled, words
from engine.tables import (
    HOUR,
    MINUTE,
    QUIET,
    CasualtyState,
    Floats,
    Model,
    Output,
    PatientRow,
    Physiology,
)


@compiled
def draw_coma(
    output: Output, record: PatientRow, casualty: CasualtyState, model: Model, counter: Counter
) -> None:
    """Draw the GCS of a wounded casualty by the worst AIS of a brain injury, and how fast it recovers."""
    ais = 0
    for number in range(casualty.wounds):
        wound = output.wounds[casualty.wound + number]
        if model.vital_signs.patterns[wound.condition] == SignPattern.BRAIN:
            ais = max(ais, min(5, int(wound.ais)))
    brain = model.vital_signs.brain
    casualty.gcs = 15.0
    casualty.gcs_hours = brain.recovery_hours[0]
    lethal = record.lethal == LethalMechanism.TBI
    if ais > 0 or lethal:
        key = model.keys[DrawPurpose.CARE]
        uniform = to_uniform(words(key, counter[0], counter[1], VITAL_SIGNS + 1)[2])
        points = to_uniform(words(key, counter[0], counter[1], VITAL_SIGNS + 2)[0])
        severe = brain.severe[ais]
        moderate = severe + brain.moderate[ais]
        mild = moderate + brain.mild[ais]
        if uniform < severe:
            casualty.gcs = 3.0 + float(int(points * 6.0))
            casualty.gcs_hours = brain.recovery_hours[2]
        elif uniform < moderate:
            casualty.gcs = 9.0 + float(int(points * 5.0))
            casualty.gcs_hours = brain.recovery_hours[1]
        elif uniform < mild:
            casualty.gcs = 14.0
    if ais <= brain.concussion[0]:
        casualty.gcs = max(casualty.gcs, brain.concussion[1])
        casualty.gcs_hours = brain.concussion[2]
    if lethal:
        casualty.gcs = min(casualty.gcs, brain.lethal_most)
        casualty.gcs_hours = max(casualty.gcs_hours, brain.recovery_hours[1])
    elif casualty.expects_rtd72:
        casualty.gcs = max(casualty.gcs, 14.0)
    stay = (casualty.stay_end - record.time) / HOUR
    if stay > 0.0:
        casualty.gcs_hours = min(casualty.gcs_hours, stay / brain.stay_constants)


@compiled
def _begin_loss(
    record: PatientRow, casualty: CasualtyState, state: Physiology, deviate: float, model: Model
) -> None:
    """Set the share of the blood volume that wounds cost that do not kill: by NISS, and by the units called for."""
    loss = model.vital_signs.loss
    lost = loss.non_lethal[0] * min(1.0, record.niss / loss.niss_scale)
    state.lost = max(state.lost, min(loss.non_lethal[2], lost * numeric.exp(loss.non_lethal[1] * deviate)))
    if casualty.blood_units > 0:
        by_units = loss.units[0] + loss.units[1] * numeric.log(float(casualty.blood_units))
        by_units = min(loss.units[3], by_units + loss.units[2] * deviate)
        state.lost = max(state.lost, by_units)


@compiled
def _of_person(parameters: Floats, deviate: float, spread: float) -> float:
    """Return the value of a person, whose deviate is at most `spread`."""
    return parameters[0] + parameters[1] * min(spread, max(-spread, deviate))


@compiled
def _is_calm(record: PatientRow, casualty: CasualtyState) -> bool:
    """Return whether nothing would kill a casualty, who is not poisoned and needs no blood."""
    return bool(record.lethal == NONE and casualty.blood_units == 0 and record.kind != CasualtyKind.AGENT)


@compiled
def _pressure_of_person(record: PatientRow, casualty: CasualtyState, deviate: float, model: Model) -> float:
    """Return the systolic pressure of a casualty at rest, mmHg."""
    base = model.vital_signs.baseline
    if record.kind == CasualtyKind.AGENT or record.lethal != NONE:
        return _of_person(base.systolic, deviate, base.spread)
    if casualty.blood_units > 0:
        return _of_person(base.bleeding, deviate, base.spread)
    usual = base.well if record.kind == CasualtyKind.WOUNDED else base.ill
    return _of_person(usual[2:], deviate, base.spread)


@compiled
def _stress_of_person(record: PatientRow, casualty: CasualtyState, model: Model) -> float:
    """Return by how much stress raises the systolic pressure at first, mmHg."""
    base = model.vital_signs.baseline
    bleeds = casualty.blood_units > 0 and record.lethal == NONE
    return float(base.bleeding[2] if bleeds else base.stress_systolic)


@compiled
def _set_low_pressure(casualty: CasualtyState, applies: bool, low: Floats, uniform: float) -> None:
    """Decide whether an injury to which this applies goes with a low pressure without a loss of blood."""
    if applies and uniform < low[1]:
        casualty.low_pressure = low[2]
        casualty.low_pulse = low[3]


@compiled
def draw_low_pressure(
    output: Output, record: PatientRow, casualty: CasualtyState, model: Model, counter: Counter
) -> None:
    """Draw whether the pressure of the wounded is low without a loss of blood, and whether all see it.

    `draw_shock` has drawn the low pressure of those with open wounds before.
    """
    key = model.keys[DrawPurpose.CARE]
    uniform = half(words(key, counter[0], counter[1], VITAL_SIGNS + 2)[1], False)
    signs = model.vital_signs
    low = signs.low_pressure
    if casualty.low_pressure == 0.0 and uniform >= max(low.cord[1], low.brain[1]):
        return
    brain_ais = 0
    cord_ais = 0
    other_ais = 0
    for number in range(casualty.wounds):
        wound = output.wounds[casualty.wound + number]
        if signs.patterns[wound.condition] == SignPattern.BRAIN:
            brain_ais = max(brain_ais, int(wound.ais))
        elif signs.patterns[wound.condition] == SignPattern.CORD:
            cord_ais = max(cord_ais, int(wound.ais))
        else:
            other_ais = max(other_ais, int(wound.ais))
    alone = other_ais < low.alone
    _set_low_pressure(casualty, alone and cord_ais >= low.cord[0], low.cord, uniform)
    _set_low_pressure(casualty, alone and brain_ais >= low.brain[0], low.brain, uniform)
    if casualty.low_pressure > 0.0:
        own = normal(words(key, counter[0], counter[1], VITAL_SIGNS)[1])
        systolic = _pressure_of_person(record, casualty, own, model)
        systolic += _stress_of_person(record, casualty, model) - casualty.low_pressure
        casualty.hypotensive = 1 if systolic < low.seen_below else 0


@compiled
def _begin_wounds(
    output: Output,
    record: PatientRow,
    casualty: CasualtyState,
    state: Physiology,
    model: Model,
) -> None:
    """Find burns, injuries of the chest and pain among the wounds."""
    signs = model.vital_signs
    state.pain = signs.pain.by_worst_ais[min(6, int(record.worst_ais))]
    for number in range(casualty.wounds):
        wound = output.wounds[casualty.wound + number]
        flags = model.injuries.flags[wound.condition]
        if flags & ConditionFlag.AMPUTATION:
            state.pain = max(state.pain, signs.pain.amputation)
            if wound.ais >= _LARGE_AMPUTATION:
                state.lost = signs.loss.amputation
        if flags & ConditionFlag.BURN:
            state.pain = max(state.pain, signs.pain.burn)
            if wound.ais >= signs.burn.inhalation_ais and (
                wound.region == Region.NECK or wound.region == Region.THORAX
            ):
                state.inhalation = 1.0
        elif wound.region == Region.THORAX and (
            flags & ConditionFlag.PNEUMOTHORAX or wound.ais >= signs.chest.minor_ais
        ):
            state.chest = 1.0


_LARGE_AMPUTATION = 3
"""AIS of an amputation from which much blood is lost."""
_FAR = 0.5
"""Points of the Glasgow Coma Scale that are left for rounding."""


@compiled
def _stays_awake(record: PatientRow, casualty: CasualtyState, state: Physiology, model: Model) -> bool:
    """Return whether the Glasgow Coma Scale cannot fall to that of the unconscious, so that nobody has to look at it.

    Only of small records: the intervals of the others depend on the signs that were found last. It is known of
    illnesses and accidents that do not kill, as long as they are not transfused. Their worst is the whole change by the
    illness and burns, and the pressure as low and the patient as cold as it makes them.
    """
    signs = model.vital_signs
    if signs.full or model.transitions.used[0] or record.lethal != NONE or casualty.low_pressure > 0.0:
        return False
    if record.kind == CasualtyKind.WOUNDED or record.kind == CasualtyKind.AGENT:
        return False
    illness = signs.illness
    lowest = state.systolic + min(0.0, signs.baseline.stress_systolic)
    lowest += state.illness * min(0.0, illness.systolic[state.pattern])
    lowest -= signs.burn.pressure[1] * max(0.0, state.burn - signs.burn.pressure[0])
    points = state.gcs + state.illness * min(0.0, illness.gcs[state.pattern])
    points -= signs.loss.coma[1] * max(0.0, signs.loss.coma[0] - lowest)
    if state.pattern == SignPattern.COLD:
        coldest = state.temperature + state.illness * min(0.0, illness.temperature[state.pattern])
        points -= illness.cold_coma[1] * max(0.0, illness.cold_coma[0] - coldest)
    return bool(points > model.treatments.limits.unconscious_gcs + 0.5 + _FAR)


@compiled
def begin_readings(output: Output, row: int, casualty: CasualtyState, model: Model, counter: Counter) -> None:
    """Begin the state of the patient whose record is begun: who it is, and what the injury or illness does."""
    if output.rows[QUIET]:
        return
    record = output.patients[row]
    state = output.physiology
    signs = model.vital_signs
    base = signs.baseline
    key = model.keys[DrawPurpose.CARE]
    a, b, c, d = words(key, counter[0], counter[1], VITAL_SIGNS)
    e, f, g, h = words(key, counter[0], counter[1], VITAL_SIGNS + 1)
    state.heart_rate = _of_person(base.heart_rate, normal(a), base.spread)
    if _is_calm(record, casualty):
        usual = base.well if record.kind == CasualtyKind.WOUNDED else base.ill
        state.heart_rate = _of_person(usual[:2], normal(a), base.spread)
    state.systolic = _pressure_of_person(record, casualty, normal(b), model)
    state.stress = _stress_of_person(record, casualty, model)
    state.respiratory_rate = _of_person(base.respiratory_rate, normal(c), base.spread)
    state.spo2 = _of_person(base.spo2, normal(d), base.spread)
    state.temperature = _of_person(base.temperature, normal(e), base.spread)
    haemoglobin = base.haemoglobin_female if record.sex == Sex.FEMALE else base.haemoglobin_male
    state.haemoglobin = _of_person(haemoglobin, normal(f), base.spread)
    state.ventilator = signs.tube.breaths[0] + signs.tube.breaths[1] * half(h, False)
    state.attended = 1 if half(h, True) < signs.schedule.medic else 0
    state.gcs = casualty.gcs
    state.gcs_hours = casualty.gcs_hours
    state.inhalation = 0.0
    state.chest = 0.0
    state.illness = 0.0
    state.pattern = SignPattern.NONE
    i, j, k, m = words(key, counter[0], counter[1], VITAL_SIGNS + 2)
    state.lost = 0.0
    state.ischaemic_at = math.inf
    state.response = normal(m)
    state.clotting = 1.0
    state.cools = 1.0
    state.gets_cold = 1.0 if to_uniform(j) < signs.decline.temperature[2] else 0.0
    if record.kind == CasualtyKind.WOUNDED:
        _begin_wounds(output, record, casualty, state, model)
        _begin_loss(record, casualty, state, normal(k), model)
        without_blood = record.lethal == NONE or record.lethal == LethalMechanism.TBI
        if without_blood and casualty.blood_units == 0:  # nobody is in shock who needs no blood
            state.response = min(0.0, state.response)
        state.clotting = numeric.exp(signs.laboratory.inr_loss[2] * rough_normal(g))
        state.cools = numeric.exp(signs.cooling.sigma * rough_normal(i))
    else:
        state.pattern = signs.patterns[record.condition]
        spread = signs.illness.spread
        if state.pattern != SignPattern.NERVE:
            state.illness = signs.illness.by_triage[record.triage] * (spread[0] + spread[1] * to_uniform(i))
        if state.pattern == SignPattern.COLD:  # nobody with hypothermia is warm by nature
            state.temperature = min(state.temperature, base.temperature[0])
        if state.pattern == SignPattern.STROKE:  # nor with a heat stroke cold
            state.temperature = max(state.temperature, base.temperature[0])
        state.pain = min(10.0, signs.illness.pain[state.pattern] * (spread[0] + spread[1] * to_uniform(g)))
        if state.pattern == SignPattern.LIMB and record.triage == TriageCategory.T3:
            state.pain *= signs.pain.slight_limb
        rules = model.treatments.rules
        if rules.needs[record.condition] & rules.bit[Treatment.FASCIOTOMY]:
            state.ischaemic_at = float(record.onset) + signs.pain.ischaemic[1] * MINUTE
    state.burn = burn_area(output, record, casualty, model.injuries)
    state.stays_awake = 1 if _stays_awake(record, casualty, state, model) else 0
    state.shown = 0.0
    state.anchor_used = 0.0
    state.anchor_shown = 0.0
    state.lift = 0.0
    state.lift_at = 0.0
    state.lift_minutes = 1.0
    state.rescued_at = math.inf
    state.antidote_at = math.inf
    state.atropine_from = math.inf
    state.atropine_at = math.inf
    state.bagged_from = math.inf
    state.bagged_until = -math.inf
    state.admitted_at = math.inf
    state.worst_loss = 0.0
    state.transfused_at = math.inf
    state.bled = 0.0
    state.bled_at = math.inf
    state.bled_until = -math.inf
    state.tube_at = math.inf
    state.tube_until = -math.inf
    state.paralysed_until = -math.inf
    state.asleep_at = math.inf
    state.asleep_until = -math.inf
    state.dissociated_at = math.inf
    state.analgesia_at = math.inf
    state.analgesia_before = 0.0
    state.analgesia = 0.0
    state.drift_heart_rate = 0.0
    state.drift_systolic = 0.0
    state.drift_elapsed = -1.0
    state.last_at = -math.inf
    state.next_at = math.inf
    state.watch_since = 0.0
    state.laboratory_at = -math.inf
    state.laboratory_normal = 0.0
    state.watch = Watch.NOBODY
    state.number = 0
    state.events_seen = casualty.first_event
    state.treatments_seen = casualty.first_treatment
    state.inserted_at = math.inf
    state.noted_until = -math.inf
    state.pending = 0
