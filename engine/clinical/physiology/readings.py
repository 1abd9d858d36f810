"""Readings: when signs are taken, and the row that each of them adds to the record.

Between two events the state of a patient is a function of time. So the readings of an interval are added when it ends,
before the next event changes the state, and no event is scheduled for them.
"""

import math

from engine import numeric
from engine.clinical.physiology.deviates import half, normal
from engine.clinical.physiology.intervals import interval_after
from engine.clinical.physiology.shown import fading, note_rescue, note_treatments, shown_share
from engine.clinical.physiology.signs import find_signs
from engine.clinical.physiology.tubes import (
    coma_scale,
    has_had_much_blood,
    is_operated_on_again,
    needs_tube,
    saturation_through_tube,
    stays_on_ventilator,
    travels_with_tube,
)
from engine.clinical.survival import clock_at, health_score
from engine.clinical.uniforms import to_uniform
from engine.codes import (
    NONE,
    VITAL_SIGNS,
    VITAL_SIGNS_BLOCKS,
    CasualtyKind,
    DrawPurpose,
    Event,
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
_WELL, _LIMB, _MIND = int(SignPattern.NONE), int(SignPattern.LIMB), int(SignPattern.MIND)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""
_MOST_CODE = 254.0
"""Largest value of a column of bytes in which 255 means that a sign was not taken."""


@compiled
def _whole(bounds: Floats, value: float) -> int:
    """Return a sign within its bounds, rounded to a whole number."""
    return int(min(bounds[1], max(bounds[0], value)) + 0.5)


@compiled
def _tenths(bounds: Floats, value: float, lowest: float) -> int:
    """Return a sign within its bounds in tenths above `lowest`, which a byte holds."""
    return int(min(_MOST_CODE, (min(bounds[1], max(bounds[0], value)) - lowest) * 10.0 + 0.5))


@compiled
def _set_coma_scale(
    entry: VitalRow, points: float, tube: bool, paralysed: bool, weaned: bool, model: Model
) -> None:
    """Set the GCS and its parts.

    An intubated patient says nothing and is sedated: does not move at first and in an operation, opens the eyes when
    called and obeys once sedation has ended.
    """
    brain = model.vital_signs.brain
    total = int(min(15.0, max(3.0, points)) + 0.5)
    eye = int(brain.eye[total - 3])
    verbal = int(brain.verbal[total - 3])
    motor = int(brain.motor[total - 3])
    if tube:
        rules = model.vital_signs.tube
        verbal = 1
        if paralysed:
            eye = 1
            motor = 1
        elif weaned:
            eye = min(eye, int(rules.weaned_eye))
            motor = min(motor, int(rules.weaned_motor))
        else:
            eye = min(eye, int(rules.eye))
            motor = min(motor, int(rules.motor))
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
    if half(first, False) < noise.no_heart_rate:
        entry.heart_rate = NONE
    if half(first, True) < noise.no_systolic:
        entry.systolic = NONE
        entry.diastolic = NONE
    if half(second, False) < noise.no_respiratory_rate:
        entry.respiratory_rate = NONE
    if half(second, True) < noise.no_spo2:
        entry.spo2 = NONE
    if half(third, False) < noise.no_gcs:
        _omit_coma_scale(entry)
    if half(third, True) < noise.no_pain:
        entry.pain = NONE
    if half(fourth, False) < noise.no_temperature:
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
    lactate = (laboratory.lactate[0] + laboratory.lactate[1] * deficit) * (1.0 + noise[0] * normal(first))
    entry.lactate = _tenths(bounds.lactate, lactate, 0.0)
    excess = -deficit + noise[1] * normal(second)
    entry.base_excess = _tenths(bounds.base_excess, excess, LOWEST_BASE_EXCESS)
    diluted = 1.0 - fading(at - float(record.onset), loss.dilution_minutes * MINUTE)
    lost = signs.loss + loss.dilution_worst * (state.worst_loss - signs.loss)
    haemoglobin = state.haemoglobin * (1.0 - loss.dilution * lost * diluted) + noise[2] * normal(third)
    burn = model.vital_signs.burn
    if state.burn >= burn.large[0]:
        fall = burn.haemoglobin[0] * (1.0 - fading(at - float(record.onset), burn.haemoglobin[1] * HOUR))
        if at > state.asleep_until > 0.0:
            fall += burn.haemoglobin[2] * (1.0 - fading(at - state.asleep_until, burn.haemoglobin[3] * HOUR))
        haemoglobin -= fall * min(1.0, state.burn / burn.haemoglobin[4])
    entry.haemoglobin = _tenths(bounds.haemoglobin, haemoglobin, 0.0)
    rise = laboratory.inr[2] * max(0.0, deficit - laboratory.inr[1])
    late = fading(at - state.admitted_at, laboratory.inr_loss[1] * HOUR)
    rise += laboratory.inr_loss[0] * max(signs.loss, state.worst_loss * late)
    inr = laboratory.inr[0] + rise * state.clotting
    entry.inr = _tenths(bounds.inr, inr + noise[3] * normal(fourth), 0.0)
    state.laboratory_at = at
    normal_at = laboratory.normal
    state.laboratory_normal = 0.0
    if (
        lactate <= normal_at[0]
        and -excess <= normal_at[1]
        and haemoglobin >= normal_at[2]
        and entry.inr <= normal_at[3] * 10.0 + 0.5
    ):
        state.laboratory_normal = 1.0


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
    _set_coma_scale(entry, 3.0, True, True, False, model)


@compiled
def _calls_for_blood_tests(
    record: PatientRow, casualty: CasualtyState, state: Physiology, model: Model
) -> bool:
    """Return whether anybody wants to know: of the grave and poisoned, and of the ill other than in limb or mind."""
    laboratory = model.vital_signs.laboratory
    if record.triage > laboratory.least_urgent and record.triage != TriageCategory.T4:
        return False
    if record.lethal != NONE or casualty.blood_units > 0 or record.kind == CasualtyKind.AGENT:
        return True
    if record.kind == CasualtyKind.WOUNDED:
        return bool(record.worst_ais >= laboratory.least_ais)
    return state.pattern not in (_WELL, _LIMB, _MIND)


@compiled
def _takes_blood(
    record: PatientRow, casualty: CasualtyState, state: Physiology, at: float, facility: int, model: Model
) -> bool:
    """Return whether blood is taken with this reading: from Role 2 on, and again the sooner if it was not normal."""
    if facility < 0 or model.network.role[facility] < 2:
        return False
    laboratory = model.vital_signs.laboratory
    hours = laboratory.hours[state.watch]
    if state.laboratory_normal > 0.0:
        hours = laboratory.normal_hours[state.watch]
    return at - state.laboratory_at >= hours * HOUR and _calls_for_blood_tests(record, casualty, state, model)


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
        if elapsed != state.drift_elapsed:
            state.drift_elapsed = elapsed
            state.drift_kept = numeric.exp(numeric.log(noise.persistence) * elapsed / (5.0 * MINUTE))
        kept = state.drift_kept
    fresh = math.sqrt(1.0 - kept * kept)
    state.drift_heart_rate = kept * state.drift_heart_rate + fresh * noise.heart_rate[0] * normal(e)
    state.drift_systolic = kept * state.drift_systolic + fresh * noise.systolic[0] * normal(f)
    tube = state.tube_at < at and at < state.tube_until
    entry = output.vitals[output.rows[VITAL_COUNT]]
    entry.at = int(at)
    entry.patient = row
    entry.facility = facility
    entry.score = int(health_score(record, casualty, at, model.survival) * 10.0 + 0.5)
    heart_rate = signs.heart_rate + state.drift_heart_rate + noise.heart_rate[1] * normal(a)
    entry.heart_rate = _whole(bounds.heart_rate, heart_rate)
    systolic = signs.systolic + state.drift_systolic + noise.systolic[1] * normal(b)
    systolic = min(bounds.systolic[1], max(bounds.systolic[0], systolic))
    entry.systolic = int(systolic + 0.5)
    diastolic = systolic * parameters.baseline.diastolic[0] + parameters.baseline.diastolic[1]
    diastolic = systolic - (systolic - diastolic) * (1.0 - signs.loss)
    entry.diastolic = int(min(_whole(bounds.diastolic, diastolic), entry.systolic - 10))
    respiratory_rate = signs.respiratory_rate + noise.respiratory_rate * normal(c)
    spo2 = signs.spo2 + noise.spo2 * normal(d)
    entry.etco2 = NONE
    asleep_until = state.asleep_until + parameters.tube.asleep_minutes * MINUTE
    asleep = state.asleep_at <= at and at < asleep_until
    if tube or asleep:
        respiratory_rate = state.ventilator
        spo2 = saturation_through_tube(casualty, state, at, model) + noise.spo2 * normal(d)
    if tube:
        etco2 = parameters.tube.etco2
        carbon_dioxide = etco2[0] - etco2[2] * max(0.0, signs.loss - etco2[1]) + noise.etco2 * normal(g)
        entry.etco2 = _whole(bounds.etco2, carbon_dioxide)
    entry.respiratory_rate = _whole(bounds.respiratory_rate, respiratory_rate)
    entry.spo2 = _whole(bounds.spo2, spo2)
    if systolic < noise.no_signal[2] or (
        systolic < noise.no_signal[0] and half(g, False) < noise.no_signal[1]
    ):
        entry.spo2 = NONE
    waking = parameters.tube.waking
    weaning = parameters.tube.weaning
    points = signs.gcs
    if at >= asleep_until:
        points -= waking[0] * fading(at - asleep_until, waking[1] * MINUTE)
    if at >= state.tube_until:
        points -= weaning[1] * fading(at - state.tube_until, weaning[2] * MINUTE)
    edge = model.treatments.limits.unconscious_gcs
    if points < edge:  # of the others a GCS that changes is a finding
        points = min(points + noise.gcs * normal(g), edge + 0.4)
    paralysed = tube and (asleep or at < state.paralysed_until)
    weaned = tube and at > state.tube_until - weaning[0] * MINUTE
    _set_coma_scale(entry, points, tube, paralysed, weaned, model)
    entry.pain = NONE
    dissociated = 0.0 < at - state.dissociated_at < parameters.tube.dissociated_minutes * MINUTE
    if (asleep or dissociated) and not tube:
        _omit_coma_scale(entry)
    elif entry.gcs >= parameters.pain.spoken_gcs:
        entry.pain = int(min(10.0, signs.pain + 1.2 * half(g, True)))
    temperature = signs.temperature + noise.temperature * normal(h)
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
    elif _takes_blood(record, casualty, state, at, facility, model):
        i, j, k, m = words(key, counter[0], counter[1], block + 2)
        _set_laboratory(entry, record, state, at, i, j, k, m, model)
    output.rows[VITAL_COUNT] += 1
    state.last_at = at
    state.next_at = at + interval_after(record, casualty, state, at, model)


@compiled
def _show_tube_from_its_start(output: Output, row: int, model: Model, counter: Counter) -> None:
    """Show an intubation that is entered afterwards in the readings taken since it began."""
    state = output.physiology
    number = state.number
    k = output.rows[VITAL_COUNT] - 1
    while number > 0 and k >= 0:
        entry = output.vitals[k]
        if not (state.tube_at < entry.at < state.tube_until) or entry.etco2 != NONE or entry.heart_rate == 0:
            return
        block = VITAL_SIGNS + VITAL_SIGNS_BLOCKS * number + 1
        g = words(model.keys[DrawPurpose.CARE], counter[0], counter[1], block)[2]
        _set_coma_scale(entry, 3.0, True, True, False, model)
        etco2 = model.vital_signs.tube.etco2[0] + model.vital_signs.noise.etco2 * normal(g)
        entry.etco2 = _whole(model.vital_signs.bounds.etco2, etco2)
        entry.respiratory_rate = _whole(model.vital_signs.bounds.respiratory_rate, state.ventilator)
        entry.pain = NONE
        number -= 1
        k -= 1


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
def _has_tube(state: Physiology, at: float) -> bool:
    """Return whether the patient is intubated at the time `at`."""
    return bool(state.tube_at < at and at < state.tube_until)


@compiled
def _keep_tube(
    output: Output, record: PatientRow, casualty: CasualtyState, kind: int, at: float, model: Model
) -> None:
    """Keep the tube after an operation of those who stay on the ventilator; the others wake up within the hour.

    After damage control surgery it stays until the next operation, at most for two days, and after the last one a day.
    Who needs a tube apart from the operation keeps it as long as after any intubation.
    """
    rules = model.vital_signs.tube
    state = output.physiology
    if not _has_tube(state, at) or kind == Event.RESUSCITATION_ENDED:
        return
    found = False
    if is_operated_on_again(casualty):
        state.tube_until = max(state.tube_until, at + rules.unfinished_hours * HOUR)
    elif not needs_tube(output, record, casualty, at, found, model):
        state.tube_until = at  # on the table
        if casualty.cavity:
            state.tube_until = at + rules.recovery_minutes[0] * MINUTE
        if has_had_much_blood(casualty, at, model):
            state.tube_until = at + rules.finished_hours * HOUR


@compiled
def _plan_extubation(
    record: PatientRow, casualty: CasualtyState, state: Physiology, at: float, model: Model
) -> None:
    """Plan in intensive care, from `at` on, that the tube is out hours before the patient leaves it, or stays in.

    `travels_with_tube` says in whom it stays; it stays in the comatose as well.
    """
    rules = model.vital_signs.tube
    leaves = casualty.at
    before = leaves - rules.awake_hours * HOUR
    if not _has_tube(state, at) or leaves == math.inf or state.tube_until <= before:
        return
    settled = rules.settled_hours * HOUR
    comatose = (
        coma_scale(casualty, before - float(record.onset)) < model.treatments.limits.unconscious_gcs + 0.5
    )
    if comatose or travels_with_tube(casualty, model):
        state.tube_until = max(state.tube_until, leaves + settled)
    else:
        state.tube_until = max(before, at + settled)


@compiled
def _reads_at(
    output: Output, record: PatientRow, casualty: CasualtyState, event: EventRow, model: Model
) -> bool:
    """Note who watches the patient after an event, and return whether signs are taken then."""
    at = float(event.at)
    kind = event.kind
    state = output.physiology
    schedule = model.vital_signs.schedule
    full = bool(model.vital_signs.full)
    aged = at - state.last_at > schedule.fresh_minutes * MINUTE
    if kind == Event.FIRST_AID:
        if state.attended:
            _set_watch(state, Watch.FIELD, at)
        return full and state.attended != 0
    if kind == Event.DEPARTED:
        _set_watch(state, Watch.VEHICLE, at)
        if _has_tube(state, at) and casualty.arrive_at < math.inf:
            landed = casualty.arrive_at + model.vital_signs.tube.landed_minutes * MINUTE
            state.tube_until = max(state.tube_until, landed)
        return full
    if kind == Event.ARRIVED:
        if state.admitted_at == math.inf:
            state.admitted_at = at
        _set_watch(state, Watch.BAY, at)
        here = event.facility
        if _has_tube(state, at) and not (model.network.has_icu[here] or model.network.operates[here]):
            state.tube_until = max(state.tube_until, at + model.vital_signs.tube.waiting_hours * HOUR)
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
        _keep_tube(output, record, casualty, kind, at, model)
        _set_watch(state, Watch.BAY, at)
        return True
    waits = kind == Event.STAGED or (
        kind == Event.EVACUATION_REQUESTED and stays_on_ventilator(output, record, casualty, at, model)
    )
    if waits and _has_tube(state, at):
        state.tube_until = max(state.tube_until, at + model.vital_signs.tube.waiting_hours * HOUR)
    if kind == Event.ICU_ADMITTED:
        if _has_tube(state, at):
            waking = at + model.vital_signs.tube.recovery_minutes[1] * MINUTE
            state.tube_until = max(state.tube_until, waking)
        _set_watch(state, Watch.INTENSIVE_CARE, at)
        _plan_extubation(record, casualty, state, at, model)
    elif kind == Event.WARD_ADMITTED:
        state.tube_until = min(state.tube_until, at)
        _set_watch(state, Watch.WARD, at)
    elif kind == Event.STAGED:
        _set_watch(state, Watch.WARD, at)
    elif kind == Event.QUARTERS:
        _set_watch(state, Watch.NOBODY, at)
    elif kind == Event.EVACUATION_REQUESTED and event.facility >= 0 and state.watch != Watch.INTENSIVE_CARE:
        _set_watch(state, Watch.WARD, at)
    return full and bool(kind == Event.RETURNED_TO_DUTY or kind == Event.DISCHARGED)


@compiled
def _ends_readings(kind: int) -> bool:
    """Return whether no signs are taken after an event of this kind, until a bed or the outcome."""
    return bool(
        kind == Event.RETURNED_TO_DUTY
        or kind == Event.QUARTERS
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
    if state.tube_at < state.last_at and state.last_at < state.tube_until:
        _show_tube_from_its_start(output, row, model, counter)
    for k in range(state.events_seen, output.rows[EVENT_COUNT]):
        event = output.events[k]
        watch = state.watch
        reads = _reads_at(output, output.patients[row], casualty, event, model) and model.vital_signs.taken
        at = float(event.at)
        if reads and at > state.last_at and state.number < MAX_VITALS - 1:
            _take_reading(output, row, casualty, at, int(event.facility), model, counter)
        elif (watch != state.watch or event.kind == Event.TRIAGED) and state.number > 0:
            state.next_at = min(
                max(at, state.last_at + interval_after(output.patients[row], casualty, state, at, model)),
                at + interval_after(output.patients[row], casualty, state, at, model),
            )
        if (
            event.kind == Event.TRIAGED
            and event.facility < 0
            and state.number == 0
            and model.vital_signs.full
        ):
            _set_watch(state, Watch.FIELD, at)
            state.next_at = min(state.next_at, at + model.vital_signs.schedule.unattended_minutes * MINUTE)
        if _ends_readings(event.kind):
            state.next_at = math.inf
    state.events_seen = output.rows[EVENT_COUNT]
