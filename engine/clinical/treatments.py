"""What care does: the treatments of each place, what they act on and the signs they change (MODEL section 4).

Every function writes rows of `columns.EVENT`, `columns.TREATMENT` or `columns.VITAL` for one casualty and, where a
treatment acts on what would kill, changes the survival clock.
"""

import math
from typing import Any

from engine.clinical.casualties import to_uniform
from engine.clinical.survival import health_score, set_rate, slow_clock, stop_clock, surgery_success
from engine.codes import (
    NONE,
    VITAL_SIGNS,
    CareNeed,
    CasualtyKind,
    ConditionFlag,
    DrawPurpose,
    Effect,
    LethalMechanism,
    Region,
    Treatment,
)
from engine.numeric import Counter, compiled, words
from engine.tables import MINUTE, QUIET, CasualtyState, Ints, Model, Output, PatientRow, WoundRow

GCS_LOST = (0.0, 0.0, 1.0, 2.0, 6.0, 9.0)
"""Points of GCS that a head injury of AIS 0..5 costs, half of them while recovering (assumption)."""


@compiled
def log_event(output: Output, row: int, at: float, facility: int, kind: int, detail: int) -> None:
    """One row of columns.EVENT for patient row i."""
    if output.rows[QUIET]:
        return
    entry = output.events[output.rows[0]]
    entry.at = int(at)
    entry.patient = row
    entry.facility = facility
    entry.kind = kind
    entry.detail = detail
    output.rows[0] += 1


@compiled
def log_treatment(
    output: Output, row: int, facility: int, kind: int, start: float, minutes: float, effect: int, wound: int
) -> None:
    """One row of columns.TREATMENT, `minutes` long."""
    if output.rows[QUIET]:
        return
    entry = output.treatments[output.rows[1]]
    entry.start = int(start)
    entry.end = int(start + minutes * MINUTE)
    entry.patient = row
    entry.facility = facility
    entry.kind = kind
    entry.effect = effect
    entry.wound = wound
    output.rows[1] += 1


@compiled
def _vital(low: float, high: float, value: int) -> Any:
    return int(min(high, max(low, value)) + 0.5)


@compiled
def measure_vitals(
    output: Output, row: int, casualty: CasualtyState, now: float, number: int, model: Model, counter: Counter
) -> None:
    """Health score and vital signs at `now`.

    The signs fall with the deficit of the score, each after what is failing (assumption): blood loss raises the pulse
    and lowers the pressure, an airway or chest injury lowers SpO2, a brain injury lowers GCS.
    """
    if output.rows[QUIET]:
        return
    record = output.patients[row]
    value = health_score(record, casualty, now, model.survival)
    deficit = (20.0 - value) / 20.0
    a, b, c, d = words(model.keys[DrawPurpose.CARE], counter[0], counter[1], VITAL_SIGNS + number)
    bleeding = 1.0
    breathing = 0.6
    brain = 0.5
    if record.lethal == LethalMechanism.TBI:
        bleeding, breathing, brain = 0.3, 0.7, 1.0
    elif (
        record.lethal == LethalMechanism.AIRWAY
        or record.lethal == LethalMechanism.TENSION_PNEUMOTHORAX
        or record.kind == CasualtyKind.AGENT
    ):
        bleeding, breathing, brain = 0.7, 1.0, 0.6
    elif record.kind == CasualtyKind.PSYCHOLOGICAL:
        bleeding, breathing, brain = 0.4, 0.2, 0.0
    entry = output.vitals[output.rows[3]]
    entry.at = int(now)
    entry.patient = row
    entry.facility = casualty.facility
    entry.score = int(value * 10.0 + 0.5)
    pulse = 72.0 + 18.0 * to_uniform(a) + 85.0 * bleeding * deficit * (1.0 if deficit < 0.85 else 0.4)
    entry.heart_rate = _vital(20.0, 190.0, pulse)
    entry.systolic = _vital(40.0, 200.0, 114.0 + 22.0 * to_uniform(b) - 85.0 * bleeding * deficit)
    entry.respiratory_rate = _vital(4.0, 45.0, 13.0 + 5.0 * to_uniform(c) + 18.0 * breathing * deficit)
    entry.spo2 = _vital(50.0, 100.0, 96.0 + 3.0 * to_uniform(d) - 32.0 * breathing * deficit * deficit)
    concussed = GCS_LOST[int(min(5, casualty.head_ais))] * (1.0 if casualty.recover_span == 0.0 else 0.5)
    entry.gcs = _vital(3.0, 15.0, 15.4 - max(concussed, 14.0 * brain * deficit * deficit))
    output.rows[3] += 1


@compiled
def _is_limb(region: int) -> bool:
    return region >= Region.UPPER_LIMB


@compiled
def _first_aid_of_accident(group: int) -> int:
    """First aid of a non-battle injury."""
    if group == CareNeed.COOLING:
        return Treatment.COOLING
    if group == CareNeed.REWARMING:
        return Treatment.REWARMING
    if group in (CareNeed.MUSCULOSKELETAL, CareNeed.FRACTURE):
        return Treatment.SPLINT
    return Treatment.OBSERVATION


@compiled
def give_first_aid(
    output: Output, row: int, casualty: CasualtyState, now: float, uniform: float, model: Model
) -> None:
    """Self or buddy aid at the point of injury or on the way: acts on what would kill, dresses what bleeds."""
    record = output.patients[row]
    where = casualty.facility
    effect = Effect.SUPPORTIVE
    if record.lethal != NONE and record.lethal != LethalMechanism.TBI:
        if uniform < model.survival.aid_works[record.lethal]:
            effect = Effect.EFFECTIVE
            slow_clock(casualty, now, model.survival.aid_rate[record.lethal])
        elif model.survival.aid_works[record.lethal] > 0.0:
            effect = Effect.INEFFECTIVE
    if output.rows[QUIET]:
        return
    if record.kind == CasualtyKind.AGENT:
        log_treatment(output, row, where, Treatment.AUTOINJECTOR, now, 1.0, effect, NONE)
        return
    if record.kind == CasualtyKind.NBI:
        log_treatment(
            output,
            row,
            where,
            _first_aid_of_accident(model.injuries.groups[record.condition]),
            now,
            3.0,
            Effect.SUPPORTIVE,
            NONE,
        )
        return
    kind = Treatment.PRESSURE_DRESSING
    if record.lethal == LethalMechanism.EXTREMITY_HAEMORRHAGE:
        kind = Treatment.TOURNIQUET
    elif record.lethal == LethalMechanism.JUNCTIONAL_HAEMORRHAGE:
        kind = Treatment.HAEMOSTATIC_DRESSING
    elif record.lethal == LethalMechanism.AIRWAY:
        kind = Treatment.AIRWAY_ADJUNCT
    elif record.lethal == LethalMechanism.TENSION_PNEUMOTHORAX:
        kind = Treatment.NEEDLE_DECOMPRESSION
    elif record.lethal == LethalMechanism.TORSO_HAEMORRHAGE:
        kind = Treatment.TRANEXAMIC_ACID
    elif record.lethal == NONE and _is_limb(output.wounds[casualty.wound].region):
        flags_of_wound = model.injuries.flags[output.wounds[casualty.wound].condition]
        if flags_of_wound & (ConditionFlag.VESSEL | ConditionFlag.AMPUTATION):
            kind = Treatment.TOURNIQUET
        elif flags_of_wound & ConditionFlag.FRACTURE:
            kind = Treatment.SPLINT
    log_treatment(
        output, row, where, kind, now, 2.0, effect, NONE if kind == Treatment.TRANEXAMIC_ACID else 0
    )
    for k in range(1 if kind != Treatment.TRANEXAMIC_ACID else 0, casualty.wounds):
        wound = output.wounds[casualty.wound + k]
        flags_of_wound = model.injuries.flags[wound.condition]
        if (
            wound.ais >= 3
            and _is_limb(wound.region)
            and flags_of_wound & (ConditionFlag.VESSEL | ConditionFlag.AMPUTATION)
        ):
            log_treatment(
                output, row, where, Treatment.TOURNIQUET, now + 1.0 * MINUTE, 1.0, Effect.SUPPORTIVE, k
            )
        elif k == 1:
            fits = (
                Treatment.SPLINT
                if _is_limb(wound.region) and flags_of_wound & ConditionFlag.FRACTURE
                else Treatment.PRESSURE_DRESSING
            )
            log_treatment(output, row, where, fits, now + 2.0 * MINUTE, 2.0, Effect.SUPPORTIVE, k)
    if record.worst_ais >= 2:
        log_treatment(
            output, row, where, Treatment.ANALGESIA, now + 3.0 * MINUTE, 1.0, Effect.SUPPORTIVE, NONE
        )


@compiled
def _operate_on_ill(record: PatientRow, casualty: CasualtyState, group: int, model: Model) -> int:
    """Surgery of an illness or accident within its care, once, where it can be done and T1 or T2 calls for it."""
    if record.triage <= 2 and model.network.operates[casualty.facility] and not casualty.operated:
        casualty.operated = 1
        casualty.definitive = 1
        return Treatment.FRACTURE_FIXATION if group == CareNeed.FRACTURE else Treatment.DEFINITIVE_SURGERY
    if casualty.operated:
        return Treatment.OBSERVATION
    return Treatment.SPLINT if group == CareNeed.FRACTURE else Treatment.MEDICATION


@compiled
def treat_ill(
    output: Output, row: int, casualty: CasualtyState, now: float, minutes: float, effect: int, model: Model
) -> None:
    """What an MTF does for a casualty without weapon wounds."""
    record = output.patients[row]
    where = casualty.facility
    if record.kind == CasualtyKind.AGENT:
        if effect == Effect.SUPPORTIVE and casualty.leg > 1:
            log_treatment(output, row, where, Treatment.OBSERVATION, now, minutes, Effect.SUPPORTIVE, NONE)
            return
        log_treatment(output, row, where, Treatment.ATROPINE_AND_OXIME, now, minutes, effect, NONE)
        if record.triage == 1:
            log_treatment(
                output, row, where, Treatment.INTUBATION, now + 4.0 * MINUTE, 6.0, Effect.SUPPORTIVE, NONE
            )
        return
    group = model.injuries.groups[record.condition]
    kind = Treatment.MEDICATION
    if record.kind == CasualtyKind.PSYCHOLOGICAL:
        kind = Treatment.PSYCHOLOGICAL_SUPPORT
    elif group == CareNeed.COOLING:
        kind = Treatment.COOLING
    elif group == CareNeed.REWARMING:
        kind = Treatment.REWARMING
    elif group == CareNeed.MUSCULOSKELETAL:
        kind = (
            Treatment.SPLINT
            if casualty.leg == 1 and record.kind == CasualtyKind.NBI
            else Treatment.PHYSIOTHERAPY
        )
    elif group in (CareNeed.FRACTURE, CareNeed.SURGICAL):
        kind = _operate_on_ill(record, casualty, group, model)
    elif group == CareNeed.FLUIDS:
        kind = Treatment.REHYDRATION
    if record.triage == 1:
        log_treatment(output, row, where, Treatment.EMERGENCY_CARE, now, minutes, effect, NONE)
        log_treatment(
            output, row, where, Treatment.IV_ACCESS, now + 2.0 * MINUTE, 3.0, Effect.SUPPORTIVE, NONE
        )
    elif effect != Effect.SUPPORTIVE:
        log_treatment(output, row, where, Treatment.EMERGENCY_CARE, now, minutes, effect, NONE)
    log_treatment(output, row, where, kind, now, minutes, Effect.SUPPORTIVE, NONE)
    if record.kind == CasualtyKind.NBI and group in (CareNeed.MUSCULOSKELETAL, CareNeed.FRACTURE):
        log_treatment(
            output, row, where, Treatment.ANALGESIA, now + 1.0 * MINUTE, 1.0, Effect.SUPPORTIVE, NONE
        )
    elif record.triage <= 2 and record.kind == CasualtyKind.DISEASE:
        log_treatment(output, row, where, Treatment.OBSERVATION, now, minutes, Effect.SUPPORTIVE, NONE)


@compiled
def treat_wounded(output: Output, row: int, casualty: CasualtyState, now: float, minutes: float) -> None:
    """Treatment room care of a wounded casualty who is not resuscitated here."""
    if output.rows[QUIET]:
        return
    record = output.patients[row]
    where = casualty.facility
    for k in range(min(casualty.wounds, 3)):
        log_treatment(output, row, where, Treatment.WOUND_CARE, now, minutes, Effect.SUPPORTIVE, k)
    if record.triage <= 2:
        log_treatment(
            output, row, where, Treatment.IV_ACCESS, now + 1.0 * MINUTE, 3.0, Effect.SUPPORTIVE, NONE
        )
    if record.worst_ais >= 2:
        log_treatment(
            output, row, where, Treatment.ANTIBIOTICS, now + 2.0 * MINUTE, 2.0, Effect.SUPPORTIVE, NONE
        )
    log_treatment(output, row, where, Treatment.ANALGESIA, now + 4.0 * MINUTE, 1.0, Effect.SUPPORTIVE, NONE)


@compiled
def resuscitate(
    output: Output, row: int, casualty: CasualtyState, now: float, minutes: float, model: Model
) -> None:
    """The treatments of damage control resuscitation, within its time."""
    if output.rows[QUIET]:
        return
    record = output.patients[row]
    where = casualty.facility
    effect = Effect.EFFECTIVE if record.lethal != NONE and casualty.life < math.inf else Effect.SUPPORTIVE
    if record.lethal == LethalMechanism.TBI or record.lethal == LethalMechanism.AIRWAY:
        log_treatment(output, row, where, Treatment.INTUBATION, now + 1.0 * MINUTE, 6.0, effect, 0)
    else:
        log_treatment(output, row, where, Treatment.IV_ACCESS, now, 3.0, Effect.SUPPORTIVE, NONE)
    drained = False
    for k in range(casualty.wounds):
        wound = output.wounds[casualty.wound + k]
        if wound.region == Region.THORAX and (
            model.injuries.flags[wound.condition] & ConditionFlag.PNEUMOTHORAX
            or (record.lethal == LethalMechanism.TENSION_PNEUMOTHORAX and not drained)
        ):
            drain = (
                effect
                if record.lethal == LethalMechanism.TENSION_PNEUMOTHORAX and not drained
                else Effect.SUPPORTIVE
            )
            log_treatment(output, row, where, Treatment.CHEST_DRAIN, now + 3.0 * MINUTE, 8.0, drain, k)
            drained = True
            break
    if (
        record.lethal > LethalMechanism.TENSION_PNEUMOTHORAX
        and record.lethal <= LethalMechanism.EXTREMITY_HAEMORRHAGE
        and not casualty.no_blood
    ):
        log_treatment(
            output, row, where, Treatment.BLOOD_TRANSFUSION, now + 4.0 * MINUTE, minutes - 4.0, effect, NONE
        )
        log_treatment(
            output, row, where, Treatment.TRANEXAMIC_ACID, now + 4.0 * MINUTE, 4.0, Effect.SUPPORTIVE, NONE
        )
    elif record.niss >= 16:
        log_treatment(
            output, row, where, Treatment.TRANEXAMIC_ACID, now + 4.0 * MINUTE, 4.0, Effect.SUPPORTIVE, NONE
        )
    log_treatment(output, row, where, Treatment.ANTIBIOTICS, now + 5.0 * MINUTE, 2.0, Effect.SUPPORTIVE, NONE)
    log_treatment(output, row, where, Treatment.ANALGESIA, now + 6.0 * MINUTE, 1.0, Effect.SUPPORTIVE, NONE)


@compiled
def _operation(wound: WoundRow, lethal: int, flags: Ints) -> int:
    """The operation a wound calls for."""
    flags_of_wound = flags[wound.condition]
    if wound.region == Region.HEAD:
        return (
            Treatment.CRANIOTOMY
            if wound.ais >= 3 or lethal == LethalMechanism.TBI
            else Treatment.WOUND_DEBRIDEMENT
        )
    if wound.region == Region.EYES:
        return Treatment.EYE_REPAIR
    if wound.region == Region.EARS:
        return Treatment.WOUND_DEBRIDEMENT
    if wound.region == Region.FACE:
        return Treatment.SURGICAL_AIRWAY if lethal == LethalMechanism.AIRWAY else Treatment.WOUND_DEBRIDEMENT
    if wound.region == Region.NECK:
        return Treatment.NECK_EXPLORATION if wound.ais >= 2 else Treatment.WOUND_DEBRIDEMENT
    if flags_of_wound & ConditionFlag.BURN:
        return Treatment.WOUND_DEBRIDEMENT
    if wound.region == Region.THORAX:
        return Treatment.THORACOTOMY if wound.ais >= 4 or lethal != NONE else Treatment.WOUND_DEBRIDEMENT
    if wound.region == Region.ABDOMEN:
        return Treatment.LAPAROTOMY if wound.ais >= 2 else Treatment.WOUND_DEBRIDEMENT
    if flags_of_wound & ConditionFlag.AMPUTATION:
        return Treatment.AMPUTATION
    if flags_of_wound & ConditionFlag.VESSEL or lethal in (
        LethalMechanism.EXTREMITY_HAEMORRHAGE,
        LethalMechanism.JUNCTIONAL_HAEMORRHAGE,
    ):
        return Treatment.VASCULAR_REPAIR
    if flags_of_wound & ConditionFlag.FRACTURE:
        return Treatment.EXTERNAL_FIXATION
    return Treatment.WOUND_DEBRIDEMENT


@compiled
def start_surgery(
    output: Output,
    row: int,
    casualty: CasualtyState,
    now: float,
    minutes: float,
    uniform: float,
    model: Model,
) -> None:
    """Damage control surgery: decides whether it stops what kills; lists the operations of the two worst wounds."""
    record = output.patients[row]
    effect = Effect.SUPPORTIVE
    set_rate(casualty, now, 0.0)
    if casualty.life < math.inf:
        effect = Effect.INEFFECTIVE
        if uniform < surgery_success(casualty, record, model.survival):
            effect = Effect.EFFECTIVE
    if not output.rows[QUIET]:
        log_treatment(
            output,
            row,
            casualty.facility,
            _operation(output.wounds[casualty.wound], record.lethal, model.injuries.flags),
            now,
            minutes,
            effect,
            0,
        )
        if casualty.wounds > 1 and output.wounds[casualty.wound + 1].ais >= 2:
            second = _operation(output.wounds[casualty.wound + 1], NONE, model.injuries.flags)
            half = 0.5 * minutes
            log_treatment(
                output, row, casualty.facility, second, now + half * MINUTE, half, Effect.SUPPORTIVE, 1
            )
    if effect == Effect.EFFECTIVE:
        stop_clock(casualty, now)
