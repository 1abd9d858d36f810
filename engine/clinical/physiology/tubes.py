"""Who needs a tube in the airway, and who stays on the ventilator after an operation (docs/model.md section 2.7.5)."""

import math

from engine import numeric
from engine.clinical.physiology.signs import find_signs
from engine.clinical.survival import death_time
from engine.codes import LethalMechanism
from engine.numeric import compiled
from engine.tables import DAY, HOUR, MINUTE, CasualtyState, Model, Output, PatientRow, Physiology


@compiled
def airway_is_held(output: Output, casualty: CasualtyState, model: Model) -> bool:
    """Return whether a wound threatens the airway itself: of face, neck and bronchi, and burns of them."""
    rules = model.treatments.rules
    for number in range(casualty.wounds):
        if rules.holds_airway[output.wounds[casualty.wound + number].condition]:
            return True
    return False


@compiled
def needs_tube(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, found: bool, model: Model
) -> bool:
    """Return whether the state of a casualty at the time `at`, ms, calls for a tube, apart from any operation.

    It is coma, an airway lost or threatened by a wound, or a saturation that falls. `found`: the signs at the time `at`
    are those that were found last.
    """
    limits = model.treatments.limits
    if record.lethal == LethalMechanism.AIRWAY and casualty.life < math.inf:
        return True
    if casualty.airway_held:
        return True
    if not found:
        find_signs(record, casualty, output.physiology, at, model)
    signs = output.physiology.signs
    return bool(signs.gcs < limits.unconscious_gcs + 0.5 or signs.spo2 < limits.ventilated_spo2)


@compiled
def saturation_through_tube(casualty: CasualtyState, state: Physiology, at: float, model: Model) -> float:
    """Return the saturation on the ventilator: that of the lung with oxygen, which falls before death.

    `state.signs` are those of the time `at`, ms.
    """
    rules = model.vital_signs.tube
    loss = model.vital_signs.loss
    late = max(0.0, 1.0 - (death_time(casualty) - at) / (loss.last_hour[0] * MINUTE))
    share = max(0.0, 1.0 - (death_time(casualty) - at) / (loss.collapse[0] * MINUTE))
    failing = loss.last_hour[1] * late * late + loss.collapse[2] * share
    lacks = max(0.0, state.spo2 - state.signs.spo2 - failing)
    lung = state.spo2 + rules.saturation[0] - min(rules.saturation[2], rules.saturation[1] * lacks)
    return lung - failing


@compiled
def is_operated_on_again(casualty: CasualtyState) -> bool:
    """Return whether a casualty after damage control surgery in a cavity, who has bled, is operated on once more."""
    return bool(
        casualty.cavity
        and casualty.operated
        and casualty.blood_units > 0
        and (not casualty.definitive or casualty.reoperate_at < math.inf)
    )


@compiled
def has_had_much_blood(casualty: CasualtyState, at: float, model: Model) -> bool:
    """Return whether a casualty has had a massive transfusion in the day before the time `at`, ms."""
    return bool(
        casualty.blood_given >= model.treatments.limits.massive_units
        and casualty.transfused_at <= at < casualty.transfused_at + DAY
    )


@compiled
def coma_scale(casualty: CasualtyState, since: float) -> float:
    """Return the Glasgow Coma Scale `since` ms after the injury, by the injury of the brain and not rounded."""
    points = 15.0 - casualty.gcs
    if points <= 0.0:
        return 15.0
    return 15.0 - points * numeric.exp(-max(0.0, since) / (casualty.gcs_hours * HOUR))


@compiled
def time_awake(record: PatientRow, casualty: CasualtyState, points: float) -> float:
    """Return when the Glasgow Coma Scale reaches `points`, not rounded, by the injury of the brain, ms."""
    lost = 15.0 - casualty.gcs
    left = 15.0 - points
    if lost <= left:
        return float(record.onset)
    return float(record.onset) + casualty.gcs_hours * HOUR * numeric.log(lost / left)


@compiled
def keeps_tube(record: PatientRow, casualty: CasualtyState, at: float, model: Model) -> bool:
    """Return whether injuries and operations alone, whatever the signs, keep a casualty on the ventilator.

    It is who waits for a second operation in head, neck, chest or belly after damage control surgery, has had much
    blood, has a threatened airway, or is comatose from a brain injury.
    """
    return bool(
        is_operated_on_again(casualty)
        or has_had_much_blood(casualty, at, model)
        or coma_scale(casualty, at - float(record.onset)) < model.treatments.limits.unconscious_gcs + 0.5
        or casualty.airway_held
    )


@compiled
def travels_with_tube(casualty: CasualtyState, model: Model) -> bool:
    """Return whether a casualty who is on the ventilator in intensive care keeps the tube for the journey.

    It is who waits for a second operation in a cavity, or for the operation on a threatened airway, and who has a
    severe injury of the head. The others are awake hours before they leave.
    """
    return bool(
        is_operated_on_again(casualty)
        or (casualty.airway_held and not casualty.definitive)
        or casualty.head_ais >= model.vital_signs.tube.brain_ais
    )


@compiled
def stays_on_ventilator(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, model: Model
) -> bool:
    """Return whether a casualty is on the ventilator in the intensive care that begins at the time `at`, ms.

    All others wake up after their operation.
    """
    found = False
    return bool(
        keeps_tube(record, casualty, at, model) or needs_tube(output, record, casualty, at, found, model)
    )
