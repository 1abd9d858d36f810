"""Readings: when signs are taken, and the row that each of them adds to the record.

Between two events the state of a patient is a function of time. So the readings of an interval are added when it ends,
before the next event changes the state, and no event is scheduled for them.
"""

import math

import numpy as np

from engine import numeric
from engine.clinical.physiology.shown import fading, note_rescue, note_treatments, shown_share
from engine.clinical.physiology.signs import find_signs
from engine.clinical.survival import clock_at, health_score
from engine.clinical.uniforms import to_uniform
from engine.codes import (
    NONE,
    VITAL_SIGNS,
    VITAL_SIGNS_BLOCKS,
    CasualtyKind,
    ConditionFlag,
    DrawPurpose,
    Event,
    LethalMechanism,
    Region,
    Sex,
    SignPattern,
    TriageCategory,
    Watch,
)
from engine.numeric import Counter, compiled, words
from engine.tables import (
    COLDEST,
    EVENT_COUNT,
    HOUR,
    LOWEST_BASE_EXCESS,
    MAX_VITALS,
    MINUTE,
    QUIET,
    VITAL_COUNT,
    CasualtyState,
    EventRow,
    Floats,
    Model,
    Output,
    PatientRow,
    Physiology,
    VitalRow,
)

_FOR_EVENTS = 96
"""Rows of a patient that are kept for readings at events; the others end before them."""
_ONE_SECOND = 1000.0
_MOST_CODE = 254.0
"""Largest value of a column of bytes in which 255 means that a sign was not taken."""


@compiled
def _normal(word: int) -> float:
    """Return a standard normal deviate from a word: the sum of its four bytes, which has the kurtosis 2.7."""
    mask = 255
    bits = np.int64(word)
    total = (bits & mask) + ((bits >> 8) & mask) + ((bits >> 16) & mask) + ((bits >> 24) & mask)
    return (total - 510.0) / 147.8


@compiled
def _rough_normal(word: int) -> float:
    """Return a normal deviate from the low bytes of a word, the sum of two: within 2.4 SD.

    The high bytes may serve as a uniform.
    """
    bits = np.int64(word)
    return ((bits & 255) + ((bits >> 8) & 255) - 255.0) / 104.5


@compiled
def _half(word: int, high: bool) -> float:
    """Return one half of a word as a uniform on (0, 1)."""
    bits = np.int64(word)
    return (((bits >> 16) if high else (bits & 65535)) + 0.5) / 65536.0


@compiled
def _begin_brain(
    record: PatientRow,
    casualty: CasualtyState,
    state: Physiology,
    ais: int,
    uniform: float,
    points: float,
    model: Model,
) -> None:
    """Draw the GCS by the worst AIS of a brain injury."""
    brain = model.vital_signs.brain
    state.gcs_hours = brain.recovery_hours[0]
    severe = brain.severe[ais]
    moderate = severe + brain.moderate[ais]
    mild = moderate + brain.mild[ais]
    if uniform < severe:
        state.gcs = 3.0 + float(int(points * 6.0))
        state.gcs_hours = brain.recovery_hours[2]
    elif uniform < moderate:
        state.gcs = 9.0 + float(int(points * 5.0))
        state.gcs_hours = brain.recovery_hours[1]
    elif uniform < mild:
        state.gcs = 14.0
    if record.lethal == LethalMechanism.TBI:
        state.gcs = min(state.gcs, brain.lethal_most)
        state.gcs_hours = max(state.gcs_hours, brain.recovery_hours[1])
    elif casualty.expects_rtd72:
        state.gcs = max(state.gcs, 14.0)
    stay = (casualty.stay_end - record.time) / HOUR
    if stay > 0.0:
        state.gcs_hours = min(state.gcs_hours, stay / brain.stay_constants)


@compiled
def _begin_loss(
    record: PatientRow, casualty: CasualtyState, state: Physiology, deviate: float, model: Model
) -> None:
    """Set the share of the blood volume that wounds cost that do not kill: by NISS, and by the units called for."""
    loss = model.vital_signs.loss
    lost = loss.non_lethal[0] * min(1.0, record.niss / loss.niss_scale)
    state.lost = min(loss.non_lethal[2], lost * numeric.exp(loss.non_lethal[1] * deviate))
    if casualty.blood_units > 0:
        by_units = loss.units[0] + loss.units[1] * numeric.log(float(casualty.blood_units))
        by_units = min(loss.units[3], by_units + loss.units[2] * deviate)
        state.lost = max(state.lost, by_units)


@compiled
def _begin_low_pressure(state: Physiology, applies: bool, low: Floats, uniform: float) -> None:
    """Draw whether an injury to which this applies goes with a low pressure that no loss of blood explains."""
    if applies and uniform < low[1]:
        state.low_pressure = low[2]
        state.low_pulse = low[3]


@compiled
def _begin_wounds(
    output: Output,
    record: PatientRow,
    casualty: CasualtyState,
    state: Physiology,
    uniform: float,
    model: Model,
) -> int:
    """Find burns, injuries of chest and cord and pain among the wounds; return the worst AIS of a brain injury.

    `uniform` decides whether the pressure is low.
    """
    signs = model.vital_signs
    brain_ais = 0
    cord_ais = 0
    other_ais = 0
    state.pain = signs.pain.by_worst_ais[min(6, int(record.worst_ais))]
    for number in range(casualty.wounds):
        wound = output.wounds[casualty.wound + number]
        flags = model.injuries.flags[wound.condition]
        if signs.patterns[wound.condition] == SignPattern.BRAIN:
            brain_ais = max(brain_ais, min(5, int(wound.ais)))
        elif signs.patterns[wound.condition] == SignPattern.CORD:
            cord_ais = max(cord_ais, int(wound.ais))
        else:
            other_ais = max(other_ais, int(wound.ais))
        if flags & ConditionFlag.AMPUTATION:
            state.pain = max(state.pain, signs.pain.amputation)
        if flags & ConditionFlag.BURN:
            state.burn = min(95.0, state.burn + signs.burn.surface[wound.ais])
            state.pain = max(state.pain, signs.pain.burn)
            if wound.ais >= signs.burn.inhalation_ais and (
                wound.region == Region.NECK or wound.region == Region.THORAX
            ):
                state.inhalation = 1.0
        elif wound.region == Region.THORAX and (
            flags & ConditionFlag.PNEUMOTHORAX or wound.ais >= signs.chest.minor_ais
        ):
            state.chest = 1.0
    low = signs.low_pressure
    alone = other_ais < low.alone
    _begin_low_pressure(state, alone and cord_ais >= low.cord[0], low.cord, uniform)
    _begin_low_pressure(state, alone and brain_ais >= low.brain[0], low.brain, uniform)
    simple = record.worst_ais == low.other[0] and record.lethal == NONE and casualty.blood_units == 0
    _begin_low_pressure(state, simple, low.other, uniform)
    return brain_ais


@compiled
def _of_person(parameters: Floats, deviate: float, spread: float) -> float:
    """Return the value of a person, whose deviate is at most `spread`."""
    return parameters[0] + parameters[1] * min(spread, max(-spread, deviate))


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
    state.heart_rate = _of_person(base.heart_rate, _normal(a), base.spread)
    state.systolic = _of_person(base.systolic, _normal(b), base.spread)
    state.respiratory_rate = _of_person(base.respiratory_rate, _normal(c), base.spread)
    state.spo2 = _of_person(base.spo2, _normal(d), base.spread)
    state.temperature = _of_person(base.temperature, _normal(e), base.spread)
    haemoglobin = base.haemoglobin_female if record.sex == Sex.FEMALE else base.haemoglobin_male
    state.haemoglobin = _of_person(haemoglobin, _normal(f), base.spread)
    state.ventilator = signs.tube.breaths[0] + signs.tube.breaths[1] * _half(h, False)
    state.attended = 1 if _half(h, True) < signs.schedule.medic else 0
    state.gcs = 15.0
    state.gcs_hours = 1.0
    state.burn = 0.0
    state.inhalation = 0.0
    state.chest = 0.0
    state.illness = 0.0
    state.pattern = SignPattern.NONE
    i, j, k, m = words(key, counter[0], counter[1], VITAL_SIGNS + 2)
    state.lost = 0.0
    state.response = _normal(m)
    state.clotting = 1.0
    state.cools = 1.0
    state.low_pressure = 0.0
    state.low_pulse = 0.0
    state.gets_cold = 1.0 if to_uniform(j) < signs.decline.temperature[2] else 0.0
    if record.kind == CasualtyKind.WOUNDED:
        ais = _begin_wounds(output, record, casualty, state, _half(j, False), model)
        _begin_brain(record, casualty, state, ais, to_uniform(g), to_uniform(i), model)
        _begin_loss(record, casualty, state, _normal(k), model)
        state.clotting = numeric.exp(signs.laboratory.inr_loss[2] * _rough_normal(g))
        state.cools = numeric.exp(signs.cooling.sigma * _rough_normal(i))
    else:
        state.pattern = signs.patterns[record.condition]
        if state.pattern != SignPattern.NERVE:
            spread = signs.illness.spread
            state.illness = signs.illness.by_triage[record.triage] * (spread[0] + spread[1] * to_uniform(i))
        if state.pattern == SignPattern.COLD:  # nobody with hypothermia is warm by nature
            state.temperature = min(state.temperature, base.temperature[0])
        state.pain = min(10.0, signs.illness.pain[state.pattern] * (0.5 + to_uniform(g)))
    state.shown = 0.0
    state.anchor_used = 0.0
    state.anchor_shown = 0.0
    state.lift = 0.0
    state.lift_at = 0.0
    state.lift_minutes = 1.0
    state.rescued_at = math.inf
    state.antidote_at = math.inf
    state.admitted_at = math.inf
    state.worst_loss = 0.0
    state.transfused_at = math.inf
    state.tube_at = math.inf
    state.tube_until = -math.inf
    state.paralysed_until = -math.inf
    state.asleep_at = math.inf
    state.asleep_until = -math.inf
    state.analgesia_at = math.inf
    state.analgesia = 0.0
    state.drift_heart_rate = 0.0
    state.drift_systolic = 0.0
    state.last_at = -math.inf
    state.next_at = math.inf
    state.watch_since = 0.0
    state.laboratory_at = -math.inf
    state.watch = Watch.NOBODY
    state.number = 0
    state.events_seen = casualty.first_event
    state.treatments_seen = casualty.first_treatment
    state.noted_until = -math.inf
    state.pending = 0


@compiled
def _interval(casualty: CasualtyState, state: Physiology, at: float, model: Model) -> float:
    """Return the ms between a reading at `at` and the next one."""
    schedule = model.vital_signs.schedule
    if not model.vital_signs.full:
        return schedule.core_minutes * MINUTE
    minutes = schedule.minutes[state.watch, min(4, casualty.category)]
    thinned = schedule.thinning * (at - state.watch_since) / MINUTE
    return min(schedule.most_minutes, max(minutes, thinned)) * MINUTE


@compiled
def _whole(bounds: Floats, value: float) -> int:
    """Return a sign within its bounds, rounded to a whole number."""
    return int(min(bounds[1], max(bounds[0], value)) + 0.5)


@compiled
def _tenths(bounds: Floats, value: float, lowest: float) -> int:
    """Return a sign within its bounds in tenths above `lowest`, which a byte holds."""
    return int(min(_MOST_CODE, (min(bounds[1], max(bounds[0], value)) - lowest) * 10.0 + 0.5))


@compiled
def _set_coma_scale(entry: VitalRow, points: float, tube: bool, paralysed: bool, model: Model) -> None:
    """Set the GCS and its parts; an intubated patient is sedated and says nothing, and at first does not move."""
    brain = model.vital_signs.brain
    total = int(min(15.0, max(3.0, points)) + 0.5)
    eye = int(brain.eye[total - 3])
    verbal = int(brain.verbal[total - 3])
    motor = int(brain.motor[total - 3])
    if tube:
        eye = min(eye, int(model.vital_signs.tube.eye))
        verbal = 1
        motor = 1 if paralysed else min(motor, int(model.vital_signs.tube.motor))
    entry.gcs_eye = eye
    entry.gcs_verbal = verbal
    entry.gcs_motor = motor
    entry.gcs = eye + verbal + motor
    if entry.gcs == 15 and not model.vital_signs.full:  # then its parts are known
        entry.gcs_eye = NONE
        entry.gcs_verbal = NONE
        entry.gcs_motor = NONE


@compiled
def _omit_coma_scale(entry: VitalRow) -> None:
    entry.gcs = NONE
    entry.gcs_eye = NONE
    entry.gcs_verbal = NONE
    entry.gcs_motor = NONE


@compiled
def _omit_signs(entry: VitalRow, first: int, second: int, third: int, fourth: int, model: Model) -> None:
    """Leave out signs that nobody has taken before the first MTF; the words decide which."""
    noise = model.vital_signs.noise
    if _half(first, False) < noise.no_heart_rate:
        entry.heart_rate = NONE
    if _half(first, True) < noise.no_systolic:
        entry.systolic = NONE
        entry.diastolic = NONE
    if _half(second, False) < noise.no_respiratory_rate:
        entry.respiratory_rate = NONE
    if _half(second, True) < noise.no_spo2:
        entry.spo2 = NONE
    if _half(third, False) < noise.no_gcs:
        _omit_coma_scale(entry)
    if _half(third, True) < noise.no_pain:
        entry.pain = NONE
    if _half(fourth, False) < noise.no_temperature:
        entry.temperature = NONE


@compiled
def _set_laboratory(
    entry: VitalRow,
    record: PatientRow,
    state: Physiology,
    at: float,
    first: int,
    second: int,
    third: int,
    fourth: int,
    model: Model,
) -> None:
    """Set the laboratory values; the words give their errors."""
    signs = state.signs
    bounds = model.vital_signs.bounds
    noise = model.vital_signs.noise.laboratory
    laboratory = model.vital_signs.laboratory
    loss = model.vital_signs.loss
    deficit = signs.base_deficit
    lactate = (laboratory.lactate[0] + laboratory.lactate[1] * deficit) * (1.0 + noise[0] * _normal(first))
    entry.lactate = _tenths(bounds.lactate, lactate, 0.0)
    excess = -deficit + noise[1] * _normal(second)
    entry.base_excess = _tenths(bounds.base_excess, excess, LOWEST_BASE_EXCESS)
    diluted = 1.0 - fading(at - float(record.onset), loss.dilution_minutes * MINUTE)
    lost = signs.loss + loss.dilution_worst * (state.worst_loss - signs.loss)
    haemoglobin = state.haemoglobin * (1.0 - loss.dilution * lost * diluted) + noise[2] * _normal(third)
    entry.haemoglobin = _tenths(bounds.haemoglobin, haemoglobin, 0.0)
    rise = laboratory.inr[2] * max(0.0, deficit - laboratory.inr[1])
    late = fading(at - state.admitted_at, laboratory.inr_loss[1] * HOUR)
    rise += laboratory.inr_loss[0] * max(signs.loss, state.worst_loss * late)
    inr = laboratory.inr[0] + rise * state.clotting
    entry.inr = _tenths(bounds.inr, inr + noise[3] * _normal(fourth), 0.0)
    state.laboratory_at = at


@compiled
def _without_thermometer(
    record: PatientRow, casualty: CasualtyState, state: Physiology, model: Model
) -> bool:
    """Return whether the temperature may be left out: in a bay, of the slightly wounded."""
    return bool(
        state.watch == Watch.BAY
        and record.kind == CasualtyKind.WOUNDED
        and record.triage == TriageCategory.T3
        and casualty.life == math.inf
    )


@compiled
def _arrives_in_arrest(casualty: CasualtyState, at: float, model: Model) -> bool:
    """Return whether the clock leaves so little time at the first door that the heart has stopped."""
    if casualty.life == math.inf or casualty.rate <= 0.0:
        return False
    left = (casualty.life - clock_at(casualty, at)) / casualty.rate
    return bool(left < model.vital_signs.schedule.arrest_minutes * MINUTE)


@compiled
def _show_arrest(entry: VitalRow, model: Model) -> None:
    """Show a stopped heart: no pulse, pressure, breath or movement."""
    entry.heart_rate = 0
    entry.systolic = 0
    entry.diastolic = 0
    entry.respiratory_rate = 0
    entry.spo2 = NONE
    entry.etco2 = NONE
    entry.pain = NONE
    _set_coma_scale(entry, 3.0, True, True, model)


@compiled
def _takes_blood(record: PatientRow, state: Physiology, at: float, facility: int, model: Model) -> bool:
    """Return whether blood is taken with this reading."""
    laboratory = model.vital_signs.laboratory
    return bool(
        facility >= 0
        and model.network.role[facility] >= 2
        and (record.triage <= laboratory.least_urgent or record.triage == TriageCategory.T4)
        and at - state.laboratory_at >= laboratory.hours[state.watch] * HOUR
    )


@compiled
def _take_reading(
    output: Output,
    row: int,
    casualty: CasualtyState,
    at: float,
    facility: int,
    model: Model,
    counter: Counter,
) -> None:
    """Add a row with the signs at the time `at`."""
    state = output.physiology
    record = output.patients[row]
    parameters = model.vital_signs
    bounds = parameters.bounds
    noise = parameters.noise
    note_treatments(output, row, casualty, at, model)
    find_signs(record, casualty, state, at, model)
    signs = state.signs
    state.number += 1
    block = VITAL_SIGNS + VITAL_SIGNS_BLOCKS * state.number
    key = model.keys[DrawPurpose.CARE]
    a, b, c, d = words(key, counter[0], counter[1], block)
    e, f, g, h = words(key, counter[0], counter[1], block + 1)
    elapsed = at - state.last_at
    kept = 0.0
    if elapsed < HOUR:
        kept = numeric.exp(numeric.log(noise.persistence) * elapsed / (5.0 * MINUTE))
    fresh = math.sqrt(1.0 - kept * kept)
    state.drift_heart_rate = kept * state.drift_heart_rate + fresh * noise.heart_rate[0] * _normal(e)
    state.drift_systolic = kept * state.drift_systolic + fresh * noise.systolic[0] * _normal(f)
    tube = state.tube_at < at and at < state.tube_until
    entry = output.vitals[output.rows[VITAL_COUNT]]
    entry.at = int(at)
    entry.patient = row
    entry.facility = facility
    entry.score = int(health_score(record, casualty, at, model.survival) * 10.0 + 0.5)
    heart_rate = signs.heart_rate + state.drift_heart_rate + noise.heart_rate[1] * _normal(a)
    entry.heart_rate = _whole(bounds.heart_rate, heart_rate)
    systolic = signs.systolic + state.drift_systolic + noise.systolic[1] * _normal(b)
    systolic = min(bounds.systolic[1], max(bounds.systolic[0], systolic))
    entry.systolic = int(systolic + 0.5)
    diastolic = systolic * parameters.baseline.diastolic[0] + parameters.baseline.diastolic[1]
    diastolic = systolic - (systolic - diastolic) * (1.0 - signs.loss)
    entry.diastolic = int(min(_whole(bounds.diastolic, diastolic), entry.systolic - 10))
    respiratory_rate = signs.respiratory_rate + noise.respiratory_rate * _normal(c)
    spo2 = signs.spo2 + noise.spo2 * _normal(d)
    entry.etco2 = NONE
    asleep = state.asleep_at < at and at < state.asleep_until
    if tube or asleep:
        respiratory_rate = state.ventilator
        spo2 = max(spo2, parameters.tube.saturation)
    if tube:
        etco2 = parameters.tube.etco2
        carbon_dioxide = etco2[0] - etco2[2] * max(0.0, signs.loss - etco2[1]) + noise.etco2 * _normal(g)
        entry.etco2 = _whole(bounds.etco2, carbon_dioxide)
    entry.respiratory_rate = _whole(bounds.respiratory_rate, respiratory_rate)
    entry.spo2 = _whole(bounds.spo2, spo2)
    if systolic < noise.no_signal[0] and _half(g, False) < noise.no_signal[1]:
        entry.spo2 = NONE
    points = signs.gcs
    if points < 14.5:
        points += noise.gcs * _normal(g)
    paralysed = tube and at < state.paralysed_until
    _set_coma_scale(entry, points, tube, paralysed, model)
    entry.pain = NONE
    if asleep and not tube:
        _omit_coma_scale(entry)
    elif entry.gcs >= parameters.pain.spoken_gcs:
        entry.pain = int(min(10.0, signs.pain + 1.2 * _half(g, True)))
    temperature = signs.temperature + noise.temperature * _normal(h)
    entry.temperature = _tenths(bounds.temperature, temperature, COLDEST)
    entry.lactate = NONE
    entry.base_excess = NONE
    entry.haemoglobin = NONE
    entry.inr = NONE
    if state.admitted_at == math.inf:
        i, j, k, m = words(key, counter[0], counter[1], block + 2)
        _omit_signs(entry, i, j, k, m, model)
    elif state.admitted_at == at and _arrives_in_arrest(casualty, at, model):
        _show_arrest(entry, model)
    elif _without_thermometer(record, casualty, state, model):
        i, _, _, _ = words(key, counter[0], counter[1], block + 2)
        if to_uniform(i) < noise.no_temperature_minor:
            entry.temperature = NONE
    elif _takes_blood(record, state, at, facility, model):
        i, j, k, m = words(key, counter[0], counter[1], block + 2)
        _set_laboratory(entry, record, state, at, i, j, k, m, model)
    output.rows[VITAL_COUNT] += 1
    state.last_at = at
    state.next_at = at + _interval(casualty, state, at, model)


@compiled
def take_until(
    output: Output, row: int, casualty: CasualtyState, until: float, model: Model, counter: Counter
) -> None:
    """Take the readings of the interval that ends at `until`, before what is due then changes the state."""
    if output.rows[QUIET]:
        return
    state = output.physiology
    while state.next_at < until:
        if state.number >= MAX_VITALS - _FOR_EVENTS:
            state.next_at = math.inf
        else:
            _take_reading(output, row, casualty, state.next_at, casualty.facility, model, counter)
    note_treatments(output, row, casualty, until, model)
    if casualty.life < math.inf:
        state.shown = shown_share(casualty, state, until)


@compiled
def take_last(
    output: Output, row: int, casualty: CasualtyState, death: float, model: Model, counter: Counter
) -> None:
    """Take a last reading before the death of a patient who is watched, if the last one is too old; then end them."""
    if output.rows[QUIET]:
        return
    state = output.physiology
    schedule = model.vital_signs.schedule
    changed = float(output.events[output.rows[EVENT_COUNT] - 1].at)
    at = max(changed, max(state.last_at, death - schedule.lasts_before * MINUTE))
    if (
        state.number > 0
        and state.number < MAX_VITALS - 1
        and state.watch != Watch.NOBODY
        and death - state.last_at > schedule.last_minutes * MINUTE
        and at < death - _ONE_SECOND
    ):
        _take_reading(output, row, casualty, at, casualty.facility, model, counter)
    state.next_at = math.inf


@compiled
def _set_watch(state: Physiology, watch: int, at: float) -> None:
    """Note who watches the patient from `at` on."""
    if state.watch != watch:
        state.watch = watch
        state.watch_since = at


@compiled
def _reads_at(state: Physiology, event: EventRow, model: Model) -> bool:
    """Note who watches the patient after an event, and return whether signs are taken then."""
    at = float(event.at)
    kind = event.kind
    schedule = model.vital_signs.schedule
    full = bool(model.vital_signs.full)
    aged = at - state.last_at > schedule.fresh_minutes * MINUTE
    if kind == Event.FIRST_AID:
        if state.attended:
            _set_watch(state, Watch.FIELD, at)
        return full and state.attended != 0
    if kind == Event.DEPARTED:
        _set_watch(state, Watch.VEHICLE, at)
        return full
    if kind == Event.ARRIVED:
        if state.admitted_at == math.inf:
            state.admitted_at = at
        _set_watch(state, Watch.BAY, at)
        return True
    if kind == Event.RESUSCITATION_STARTED:
        return full or aged
    if kind == Event.SURGERY_STARTED or kind == Event.DEFINITIVE_SURGERY_STARTED:
        _set_watch(state, Watch.OPERATION, at)
        return full or aged
    if (
        kind == Event.RESUSCITATION_ENDED
        or kind == Event.SURGERY_ENDED
        or kind == Event.DEFINITIVE_SURGERY_ENDED
    ):
        _set_watch(state, Watch.BAY, at)
        return True
    if kind == Event.ICU_ADMITTED:
        _set_watch(state, Watch.INTENSIVE_CARE, at)
    elif kind == Event.WARD_ADMITTED or kind == Event.STAGED:
        state.tube_until = min(state.tube_until, at)
        _set_watch(state, Watch.WARD, at)
    elif kind == Event.EVACUATION_REQUESTED and event.facility >= 0 and state.watch != Watch.INTENSIVE_CARE:
        _set_watch(state, Watch.WARD, at)
    return full and bool(kind == Event.RETURNED_TO_DUTY or kind == Event.DISCHARGED)


@compiled
def _ends_readings(kind: int) -> bool:
    """Return whether no signs are taken after an event of this kind."""
    return bool(
        kind == Event.RETURNED_TO_DUTY
        or kind == Event.DISCHARGED
        or kind == Event.LEFT_THEATRE
        or kind == Event.DIED
    )


@compiled
def take_with_events(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """Consider the treatments and events that have been added at `now`, and take the readings that go with them."""
    if output.rows[QUIET]:
        return
    state = output.physiology
    note_rescue(output.patients[row], casualty, state, now, model)
    note_treatments(output, row, casualty, now + 1.0, model)
    for k in range(state.events_seen, output.rows[EVENT_COUNT]):
        event = output.events[k]
        watch = state.watch
        reads = _reads_at(state, event, model)
        at = float(event.at)
        if reads and at > state.last_at and state.number < MAX_VITALS - 1:
            _take_reading(output, row, casualty, at, int(event.facility), model, counter)
        elif watch != state.watch and state.number > 0:
            state.next_at = min(
                max(at, state.last_at + _interval(casualty, state, at, model)),
                at + _interval(casualty, state, at, model),
            )
        if _ends_readings(event.kind):
            state.next_at = math.inf
    state.events_seen = output.rows[EVENT_COUNT]
