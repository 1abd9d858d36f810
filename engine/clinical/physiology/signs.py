"""The vital signs that a state of the patient shows, each lesion and failure in its own way."""

import math

from engine import numeric
from engine.clinical.physiology.shown import (
    decline_share,
    eased_by_analgesia,
    fading,
    is_bagged,
    shown_share,
)
from engine.clinical.survival import death_time
from engine.codes import (
    NONE,
    CasualtyKind,
    LethalMechanism,
    SignPattern,
)
from engine.numeric import compiled
from engine.tables import (
    DAY,
    HOUR,
    MINUTE,
    TREATMENT_COUNT,
    CasualtyState,
    Floats,
    Model,
    Output,
    PatientRow,
    Physiology,
    Signs,
)


@compiled
def _power(base: float, exponent: float) -> float:
    """Return base**exponent; 0 for a base of 0."""
    return numeric.exp(exponent * numeric.log(base)) if base > 0.0 else 0.0


@compiled
def _beyond(value: float, edge: float) -> float:
    """Return how far `value` is beyond `edge`, as a share of what is left up to 1."""
    return max(0.0, value - edge) / (1.0 - edge)


@compiled
def _interpolated(at: Floats, values: Floats, x: float) -> float:
    """Return the value at x of the line through the points (at, values)."""
    last = len(at) - 1
    if x >= at[last]:
        return values[last]
    k = 0
    while x > at[k + 1]:
        k += 1
    return values[k] + (values[k + 1] - values[k]) * (x - at[k]) / (at[k + 1] - at[k])


@compiled
def _since_admission(state: Physiology, at: float, hours: float) -> float:
    """Return what is left of something that care takes away from the first admission on."""
    return fading(at - state.admitted_at, hours * HOUR) if state.admitted_at < math.inf else 1.0


@compiled
def _bleeds(lethal: int, pattern: int) -> bool:
    """Return whether what would kill is a haemorrhage; of accidents it is one in limbs and belly."""
    return bool(
        LethalMechanism.TORSO_HAEMORRHAGE <= lethal <= LethalMechanism.EXTREMITY_HAEMORRHAGE
        or (
            lethal == LethalMechanism.NON_BATTLE_INJURY
            and (pattern == SignPattern.LIMB or pattern == SignPattern.ABDOMEN)
        )
    )


@compiled
def _suffocates(lethal: int, pattern: int) -> bool:
    """Return whether air in the chest would kill, of accidents any failing chest."""
    return bool(
        lethal == LethalMechanism.TENSION_PNEUMOTHORAX
        or (lethal == LethalMechanism.NON_BATTLE_INJURY and pattern == SignPattern.CHEST)
    )


@compiled
def _presses(lethal: int, pattern: int) -> bool:
    """Return whether pressure in the skull would kill, also by an accident."""
    return bool(
        lethal == LethalMechanism.TBI
        or (lethal == LethalMechanism.NON_BATTLE_INJURY and pattern == SignPattern.BRAIN)
    )


@compiled
def _fails(lethal: int, pattern: int) -> bool:
    """Return whether an illness would kill, or an accident in none of the other ways."""
    return bool(
        lethal == LethalMechanism.DISEASE
        or (
            lethal == LethalMechanism.NON_BATTLE_INJURY
            and not _bleeds(lethal, pattern)
            and not _suffocates(lethal, pattern)
            and not _presses(lethal, pattern)
        )
    )


@compiled
def _blood_loss(
    record: PatientRow, state: Physiology, at: float, shown: float, decline: float, model: Model
) -> float:
    """Return the share of the blood volume lost."""
    loss = model.vital_signs.loss
    bleeding = shown if _bleeds(record.lethal, state.pattern) else 0.0
    if model.transitions.used[0]:
        bleeding = decline
    lethal = loss.at_death * _power(bleeding, loss.exponent)
    minor = 0.0
    if record.kind == CasualtyKind.WOUNDED:
        minor = state.lost * (1.0 - fading(at - float(record.onset), loss.onset_minutes * MINUTE))
        minor *= _since_admission(state, at, loss.restored_hours)
        if at > state.transfused_at:
            minor *= fading(at - state.transfused_at, loss.transfused_minutes * MINUTE)
    lost = max(lethal, minor)
    if at > state.bled_at:
        more = state.bled * (1.0 - fading(at - state.bled_at, loss.operative[1] * MINUTE))
        more *= fading(at - state.bled_until, loss.operative[2] * MINUTE)
        lost += more * (1.0 - lost / loss.at_death)
    return lost


@compiled
def _show_bleeding(state: Physiology, signs: Signs, model: Model) -> None:
    """Add what the loss of blood does. Most keep their pressure; some suddenly do not."""
    loss = model.vital_signs.loss
    lost = signs.loss
    signs.heart_rate += loss.pulse * lost * max(0.0, 1.0 - loss.response[0] * state.response)
    signs.heart_rate -= loss.pulse_collapse[1] * max(0.0, lost - loss.pulse_collapse[0])
    ratio = lost / loss.pressure[1]
    ratio *= ratio
    own = 1.0 - (lost / loss.at_death) * (lost / loss.at_death)  # at the end all are alike
    fall = loss.pressure[0] * ratio * ratio * ratio * numeric.exp(loss.response[1] * state.response * own)
    fall = min(fall, max(loss.pressure[3], loss.pressure[2] * lost / loss.at_death))
    signs.systolic -= max(fall, loss.last[1] * max(0.0, lost - loss.last[0]) / (loss.at_death - loss.last[0]))
    signs.respiratory_rate += loss.breaths[1] * max(0.0, lost - loss.breaths[0])
    signs.spo2 -= loss.saturation[1] * max(0.0, lost - loss.saturation[0])
    if lost > loss.agonal[0]:
        signs.respiratory_rate = loss.agonal[1]
        signs.gcs = min(signs.gcs, loss.agonal[2])
    signs.base_deficit += _interpolated(loss.base_deficit_at, loss.base_deficit, lost)


@compiled
def _show_brain(
    record: PatientRow,
    casualty: CasualtyState,
    state: Physiology,
    signs: Signs,
    at: float,
    shown: float,
    model: Model,
) -> None:
    """Add what an injury of the brain does: the GCS, and the Cushing response where pressure in the skull kills."""
    brain = model.vital_signs.brain
    points = 15.0 - state.gcs
    lethal = _presses(record.lethal, state.pattern)
    if points > 0.0 and casualty.life == math.inf:
        begin = float(record.onset)
        if state.rescued_at < math.inf:
            begin = state.rescued_at
        points *= fading(at - begin, state.gcs_hours * HOUR)
    if lethal:
        points += (12.0 - points) * min(1.0, shown / brain.fall_to)
    signs.gcs -= points
    if not lethal:
        return
    rise = _beyond(shown, brain.cushing[0])
    if rise > 0.0 and signs.systolic >= brain.masked_below:
        signs.systolic += brain.cushing[1] * rise
        signs.heart_rate += (brain.cushing[2] - signs.heart_rate) * min(1.0, 1.6 * rise)
        signs.respiratory_rate += (brain.cushing[3] - signs.respiratory_rate) * rise
    signs.systolic -= brain.last[1] * _beyond(shown, brain.last[0])
    failed = _beyond(shown, brain.breaths_last[0])
    signs.respiratory_rate += (brain.breaths_last[1] - signs.respiratory_rate) * failed


@compiled
def _show_airway(signs: Signs, shown: float, model: Model) -> None:
    """Add what an obstructed airway does: saturation and breathing first."""
    airway = model.vital_signs.airway
    signs.spo2 -= airway.saturation[0] * _power(shown, airway.saturation[1])
    signs.heart_rate += airway.pulse[0] * shown
    if shown > airway.pulse[1]:
        signs.heart_rate = airway.pulse[2]
    signs.respiratory_rate += airway.breaths[0] * shown
    if shown > airway.breaths[1]:
        signs.respiratory_rate = airway.breaths[2]
    signs.gcs -= airway.coma[1] * _beyond(shown, airway.coma[0])
    signs.base_deficit += model.vital_signs.laboratory.failing_deficit * shown


@compiled
def _show_chest(state: Physiology, signs: Signs, at: float, tension: float, model: Model) -> None:
    """Add what an injured chest does; `tension` is what shows of a tension pneumothorax."""
    chest = model.vital_signs.chest
    signs.respiratory_rate += chest.breaths * tension
    signs.spo2 -= chest.saturation * tension
    signs.heart_rate += chest.pulse * tension
    signs.systolic -= chest.pressure[1] * _beyond(tension, chest.pressure[0])
    signs.base_deficit += model.vital_signs.laboratory.failing_deficit * tension
    if state.chest > 0.0:
        minor = state.chest * _since_admission(state, at, chest.minor_hours)
        signs.respiratory_rate += chest.minor_breaths * minor
        signs.spo2 -= chest.minor_saturation * minor


@compiled
def _show_burn(state: Physiology, signs: Signs, at: float, model: Model) -> None:
    """Add what burns do."""
    burn = model.vital_signs.burn
    left = _since_admission(state, at, burn.hours)
    lasting = _since_admission(state, at, burn.large[1]) if state.burn >= burn.large[0] else left
    signs.heart_rate += min(burn.pulse[1], burn.pulse[0] * state.burn) * lasting
    signs.systolic -= burn.pressure[1] * max(0.0, state.burn - burn.pressure[0]) * left
    if state.inhalation > 0.0:
        signs.respiratory_rate += burn.inhalation[0] * left
        signs.spo2 -= burn.inhalation[1] * left


@compiled
def _show_nerve_agent(
    record: PatientRow, state: Physiology, signs: Signs, at: float, shown: float, model: Model
) -> None:
    """Replace the signs by those of the severity of a nerve agent casualty, which rises to the worst towards death.

    Atropine drives the pulse up, and the saturation rises as the secretions dry, before the patient wakes.
    """
    agent = model.vital_signs.nerve_agent
    if at < record.onset:
        return
    worst = len(agent.gcs) - 1
    grade = record.severity + (worst - record.severity) * shown
    left, wet = 1.0, 1.0
    antidote_at = state.antidote_at
    if record.lethal == NONE:
        antidote_at = min(antidote_at, state.atropine_from)
        left = fading(at - float(record.onset), agent.untreated_hours * HOUR)
    if antidote_at < math.inf:
        left = min(left, fading(at - antidote_at, agent.treated_hours * HOUR))
        wet = fading(at - antidote_at, agent.drying_minutes * MINUTE)
    left = max(left, shown)
    wet = max(min(left, wet), shown)
    low = int(min(worst - 1, int(grade)))
    part = grade - low
    signs.heart_rate += left * (
        agent.heart_rate[low] + part * (agent.heart_rate[low + 1] - agent.heart_rate[low]) - signs.heart_rate
    )
    signs.respiratory_rate += left * (
        agent.respiratory_rate[low]
        + part * (agent.respiratory_rate[low + 1] - agent.respiratory_rate[low])
        - signs.respiratory_rate
    )
    signs.spo2 += wet * (agent.spo2[low] + part * (agent.spo2[low + 1] - agent.spo2[low]) - signs.spo2)
    signs.gcs += left * (agent.gcs[low] + part * (agent.gcs[low + 1] - agent.gcs[low]) - signs.gcs)
    signs.systolic -= agent.collapse[1] * _beyond(shown, agent.collapse[0])
    if at > state.atropine_from:
        driven = 1.0 - fading(at - state.atropine_from, agent.atropine_minutes[0] * MINUTE)
        driven *= (1.0 - _beyond(shown, agent.collapse[0])) * fading(
            at - state.atropine_at, agent.atropine_minutes[1] * MINUTE
        )
        driven_to = agent.atropine_pulse - agent.atropine_less * grade
        signs.heart_rate += driven * max(0.0, driven_to - signs.heart_rate)
    if is_bagged(state, at, model):
        signs.spo2 = max(signs.spo2, agent.bagged_spo2)
        signs.respiratory_rate = max(signs.respiratory_rate, agent.bagged_respiratory_rate)


@compiled
def _show_illness(record: PatientRow, state: Physiology, signs: Signs, at: float, model: Model) -> None:
    """Add what the illness or accident does, until care takes it away."""
    illness = model.vital_signs.illness
    pattern = state.pattern
    factor = state.illness * _since_admission(state, at, illness.recovery_hours[pattern])
    if factor < 0.01:
        return
    if pattern != SignPattern.COLD:  # who is found cold has been so for long
        factor *= 1.0 - fading(at - float(record.onset), illness.onset_hours * HOUR)
    signs.heart_rate += factor * illness.heart_rate[pattern]
    signs.systolic += factor * illness.systolic[pattern]
    signs.respiratory_rate += factor * illness.respiratory_rate[pattern]
    signs.spo2 += factor * illness.spo2[pattern]
    signs.temperature += factor * illness.temperature[pattern]
    signs.gcs += factor * illness.gcs[pattern]
    if pattern == SignPattern.COLD:
        signs.gcs -= illness.cold_coma[1] * max(0.0, illness.cold_coma[0] - signs.temperature)


@compiled
def _show_decline(state: Physiology, signs: Signs, share: float, model: Model) -> None:
    """Add what sepsis, organ failure or the end of an illness does."""
    decline = model.vital_signs.decline
    signs.heart_rate += decline.heart_rate * share
    signs.systolic -= decline.systolic * share * share
    signs.respiratory_rate += decline.respiratory_rate * share
    signs.spo2 -= decline.spo2 * share
    signs.gcs -= decline.gcs[1] * _beyond(share, decline.gcs[0])
    early = min(1.0, 2.0 * share)
    signs.temperature += early * (
        -decline.temperature[1] if state.gets_cold > 0.0 else decline.temperature[0]
    )
    signs.base_deficit += decline.base_deficit * share


@compiled
def _cooled(record: PatientRow, state: Physiology, signs: Signs, at: float, model: Model) -> float:
    """Return by how much a wounded casualty has cooled, degrees Celsius."""
    if record.kind != CasualtyKind.WOUNDED:
        return 0.0
    warm = _since_admission(state, at, model.vital_signs.cooling.rewarming_hours)
    if warm < 0.001:
        return 0.0
    cooling = model.vital_signs.cooling
    until = min(at, state.admitted_at)
    hours = min(cooling.most_hours, max(0.0, until - record.onset) / HOUR)
    share = cooling.least + cooling.by_loss * signs.loss + cooling.by_niss * record.niss
    share = min(cooling.most, share) * state.cools
    cold = cooling.cold_factor if model.survival.factor[0] > 1.0 else 1.0
    exposed = hours * cooling.per_hour * cold * share
    return (exposed + model.vital_signs.burn.temperature * state.burn) * warm


@compiled
def _pain(record: PatientRow, state: Physiology, at: float, model: Model) -> float:
    """Return the pain, 0 to 10."""
    if state.pain <= 0.0:
        return 0.0
    pain = model.vital_signs.pain
    eased = eased_by_analgesia(state, at, model)
    left = max(0.0, state.pain * fading(at - float(record.onset), pain.days * DAY) - eased)
    begun = max(state.analgesia_at, state.admitted_at)
    if left > pain.kept[0] and at > begun:
        left = pain.kept[0] + (left - pain.kept[0]) * fading(at - begun, pain.kept[1] * MINUTE)
    burn = model.vital_signs.burn
    if state.burn >= burn.large[0]:
        least = burn.pain[0]
        if at > state.asleep_until > 0.0:
            least += burn.pain[1] * fading(at - state.asleep_until, burn.pain[2] * HOUR)
        left = max(left, least * fading(at - float(record.onset), burn.pain[3] * DAY))
    if 0.0 < at - state.ischaemic_at < pain.ischaemic[3] * HOUR:
        left = max(
            left, pain.ischaemic[0] * (1.0 - fading(at - state.ischaemic_at, pain.ischaemic[2] * MINUTE))
        )
    return left


@compiled
def _felt(pain: float, model: Model) -> float:
    """Return the points of pain that raise pulse and pressure."""
    return max(0.0, pain - model.vital_signs.pain.felt_from)


@compiled
def _show_few_breaths(record: PatientRow, state: Physiology, signs: Signs, at: float, model: Model) -> None:
    """Let the saturation fall in who hardly breathes, unless somebody breathes for the patient."""
    apnoea = model.vital_signs.apnoea
    if state.tube_at < at < state.tube_until or record.kind == CasualtyKind.AGENT:
        return
    if is_bagged(state, at, model):
        signs.spo2 = max(signs.spo2, apnoea.bagged[0])
        signs.respiratory_rate = max(signs.respiratory_rate, apnoea.bagged[1])
    signs.spo2 -= apnoea.saturation * max(0.0, apnoea.breaths - signs.respiratory_rate)


@compiled
def _show_last_hour(record: PatientRow, signs: Signs, left: float, model: Model) -> None:
    """Let the saturation fall in the last hour before any death, and pressure and saturation in the last minutes.

    `left` is the time to death, ms. In the last minutes the pressure falls from what it was to that of the dying.
    """
    loss = model.vital_signs.loss
    late = 1.0 - left / (loss.last_hour[0] * MINUTE)
    signs.spo2 -= loss.last_hour[1] * late * late
    minutes = loss.collapse[3] if record.lethal == LethalMechanism.AIRWAY else loss.collapse[0]
    share = min(1.0, 1.0 - left / (minutes * MINUTE))
    if share > 0.0:
        before = signs.systolic
        signs.systolic -= max(0.0, signs.systolic - loss.collapse[1]) * share
        signs.heart_rate *= 1.0 - loss.collapse[4] * share
        signs.gcs -= loss.coma[1] * max(0.0, min(before, loss.coma[0]) - signs.systolic)
        signs.spo2 -= loss.collapse[2] * share


@compiled
def find_signs(
    record: PatientRow, casualty: CasualtyState, state: Physiology, at: float, model: Model
) -> None:
    """Set `state.signs` to what the patient shows at the time `at`, before the noise of a reading."""
    signs = state.signs
    shown = shown_share(casualty, state, at)
    decline = decline_share(record, casualty, state, at, model)
    base = model.vital_signs.baseline
    stress = base.stress_share * (state.heart_rate - base.rest_pulse)
    calm = 1.0 - _since_admission(state, at, base.calm_hours)
    signs.heart_rate = state.heart_rate - stress * calm
    signs.systolic = state.systolic + state.stress * (1.0 - calm)
    signs.respiratory_rate = state.respiratory_rate
    signs.spo2 = state.spo2
    signs.temperature = state.temperature
    signs.gcs = 15.0
    signs.base_deficit = 0.0
    signs.pain = _pain(record, state, at, model)
    felt = _felt(signs.pain, model)
    signs.heart_rate += model.vital_signs.pain.pulse * felt
    signs.systolic += model.vital_signs.pain.pressure * felt
    signs.loss = _blood_loss(record, state, at, shown, decline, model)
    state.worst_loss = max(state.worst_loss, signs.loss)
    if state.burn > 0.0:
        _show_burn(state, signs, at, model)
    if state.illness > 0.0:
        _show_illness(record, state, signs, at, model)
    suffocates = _suffocates(record.lethal, state.pattern)
    if state.chest > 0.0 or suffocates:
        _show_chest(state, signs, at, shown if suffocates else 0.0, model)
    signs.temperature -= _cooled(record, state, signs, at, model)
    if signs.loss > 0.0:
        _show_bleeding(state, signs, model)
    if casualty.low_pressure > 0.0:
        left = _since_admission(state, at, model.vital_signs.low_pressure.hours)
        signs.systolic -= casualty.low_pressure * left
        signs.heart_rate += casualty.low_pulse * left
    coma = model.vital_signs.loss.coma
    if signs.systolic < coma[0]:
        signs.gcs -= coma[1] * (coma[0] - signs.systolic)
    if state.gcs < 15.0 or _presses(record.lethal, state.pattern):
        _show_brain(record, casualty, state, signs, at, shown, model)
    if record.lethal == LethalMechanism.AIRWAY:
        _show_airway(signs, shown, model)
    if _fails(record.lethal, state.pattern):
        decline = max(decline, shown)
    if record.kind == CasualtyKind.AGENT:
        if record.severity < NONE and state.pattern == SignPattern.NERVE:
            _show_nerve_agent(record, state, signs, at, shown, model)
        else:
            decline = max(decline, shown)
    if decline > 0.0 and not model.transitions.used[0]:
        _show_decline(state, signs, decline, model)
    if signs.respiratory_rate < model.vital_signs.apnoea.breaths:
        _show_few_breaths(record, state, signs, at, model)
    left = death_time(casualty) - at
    if left < model.vital_signs.loss.last_hour[0] * MINUTE:
        _show_last_hour(record, signs, left, model)
    failing = model.vital_signs.loss.failing
    if signs.systolic < failing[0]:
        lowest = model.vital_signs.bounds.systolic[0]
        signs.heart_rate -= failing[1] * (failing[0] - max(lowest, signs.systolic))


@compiled
def pain_of_record(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, model: Model
) -> float:
    """Return the pain at the time `at`, ms, after all analgesia in the record, noted by a reading or not."""
    state = output.physiology
    noted = state.analgesia_at, state.analgesia, state.analgesia_before
    state.analgesia_at, state.analgesia, state.analgesia_before = math.inf, 0.0, 0.0
    for k in range(casualty.first_treatment, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        points = model.vital_signs.analgesia[treatment.kind]
        if points > 0.0 and treatment.start < at:
            state.analgesia_before = eased_by_analgesia(state, float(treatment.start), model)
            state.analgesia_at = float(treatment.start)
            state.analgesia = points
    pain = _pain(record, state, at, model)
    state.analgesia_at, state.analgesia, state.analgesia_before = noted
    return pain


@compiled
def coma_once_eased(signs: Signs, model: Model) -> float:
    """Return the points of the Glasgow Coma Scale in `signs` once pain is eased; not rounded, without noise.

    Pain holds up a low pressure; whoever it keeps awake is not awake after analgesia.
    """
    coma = model.vital_signs.loss.coma
    eased = signs.systolic - model.vital_signs.pain.pressure * _felt(signs.pain, model)
    lower = max(0.0, coma[0] - eased) - max(0.0, coma[0] - signs.systolic)
    return float(signs.gcs - coma[1] * lower)
