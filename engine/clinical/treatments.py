"""What care does: the treatments of each place, what they act on and the signs they change (MODEL section 4).

Every function writes rows of `columns.EVENT`, `columns.TREATMENT` or `columns.VITAL` for one casualty and, where a
treatment acts on what would kill, changes the survival clock.
"""

import math
from typing import Any

import numpy as np

from engine.clinical.casualties import to_uniform
from engine.clinical.survival import MINUTE, health_score, set_rate, slow_clock, stop_clock, surgery_success
from engine.codes import (
    NONE,
    CareNeed,
    CasualtyKind,
    ConditionFlag,
    DrawPurpose,
    Effect,
    LethalMechanism,
    Region,
    Treatment,
)
from engine.numeric import compiled, words
from engine.tables import QUIET

GCS_LOST = (0.0, 0.0, 1.0, 2.0, 6.0, 9.0)
"""Points of GCS that a head injury of AIS 0..5 costs, half of them while recovering (assumption)."""


@compiled
def log_event(o: Any, i: Any, at: Any, facility: Any, kind: Any, detail: Any) -> None:
    """One row of columns.EVENT for patient row i."""
    if o.rows[QUIET]:
        return
    row = o.events[o.rows[0]]
    row.at = np.int64(at)
    row.patient = i
    row.facility = facility
    row.kind = kind
    row.detail = detail
    o.rows[0] += 1


@compiled
def log_treatment(
    o: Any, i: Any, facility: Any, kind: Any, start: Any, minutes: Any, effect: Any, wound: Any
) -> None:
    """One row of columns.TREATMENT, `minutes` long."""
    if o.rows[QUIET]:
        return
    row = o.treatments[o.rows[1]]
    row.start = np.int64(start)
    row.end = np.int64(start + minutes * MINUTE)
    row.patient = i
    row.facility = facility
    row.kind = kind
    row.effect = effect
    row.wound = wound
    o.rows[1] += 1


@compiled
def _vital(low: Any, high: Any, value: Any) -> Any:
    return np.int64(min(high, max(low, value)) + 0.5)


@compiled
def measure_vitals(o: Any, i: Any, s: Any, now: Any, number: Any, m: Any, who: Any) -> None:
    """Health score and vital signs at `now`.

    The signs fall with the deficit of the score, each after what is failing (assumption): blood loss raises the pulse
    and lowers the pressure, an airway or chest injury lowers SpO2, a brain injury lowers GCS.
    """
    if o.rows[QUIET]:
        return
    p = o.patients[i]
    value = health_score(p, s, now, m.survival)
    deficit = (20.0 - value) / 20.0
    a, b, c, d = words(m.keys[DrawPurpose.CARE], who[0], who[1], 4096 + number)
    bleeding = 1.0
    breathing = 0.6
    brain = 0.5
    if p.lethal == LethalMechanism.TBI:
        bleeding, breathing, brain = 0.3, 0.7, 1.0
    elif (
        p.lethal == LethalMechanism.AIRWAY
        or p.lethal == LethalMechanism.TENSION_PNEUMOTHORAX
        or p.kind == CasualtyKind.AGENT
    ):
        bleeding, breathing, brain = 0.7, 1.0, 0.6
    elif p.kind == CasualtyKind.PSYCHOLOGICAL:
        bleeding, breathing, brain = 0.4, 0.2, 0.0
    row = o.vitals[o.rows[3]]
    row.at = np.int64(now)
    row.patient = i
    row.facility = s.facility
    row.score = np.int64(value * 10.0 + 0.5)
    pulse = 72.0 + 18.0 * to_uniform(a) + 85.0 * bleeding * deficit * (1.0 if deficit < 0.85 else 0.4)
    row.heart_rate = _vital(20.0, 190.0, pulse)
    row.systolic = _vital(40.0, 200.0, 114.0 + 22.0 * to_uniform(b) - 85.0 * bleeding * deficit)
    row.respiratory_rate = _vital(4.0, 45.0, 13.0 + 5.0 * to_uniform(c) + 18.0 * breathing * deficit)
    row.spo2 = _vital(50.0, 100.0, 96.0 + 3.0 * to_uniform(d) - 32.0 * breathing * deficit * deficit)
    concussed = GCS_LOST[int(min(5, s.head_ais))] * (1.0 if s.recover_span == 0.0 else 0.5)
    row.gcs = _vital(3.0, 15.0, 15.4 - max(concussed, 14.0 * brain * deficit * deficit))
    o.rows[3] += 1


@compiled
def _is_limb(region: Any) -> bool:
    return region >= Region.UPPER_LIMB


@compiled
def _first_aid_of_accident(group: Any) -> int:
    """First aid of a non-battle injury."""
    if group == CareNeed.COOLING:
        return Treatment.COOLING
    if group == CareNeed.REWARMING:
        return Treatment.REWARMING
    if group in (CareNeed.MUSCULOSKELETAL, CareNeed.FRACTURE):
        return Treatment.SPLINT
    return Treatment.OBSERVATION


@compiled
def give_first_aid(o: Any, i: Any, s: Any, now: Any, u: Any, m: Any) -> None:
    """Self or buddy aid at the point of injury or on the way: acts on what would kill, dresses what bleeds."""
    p = o.patients[i]
    where = s.facility
    effect = Effect.SUPPORTIVE
    if p.lethal != NONE and p.lethal != LethalMechanism.TBI:
        if u < m.survival.aid_works[p.lethal]:
            effect = Effect.EFFECTIVE
            slow_clock(s, now, m.survival.aid_rate[p.lethal])
        elif m.survival.aid_works[p.lethal] > 0.0:
            effect = Effect.INEFFECTIVE
    if o.rows[QUIET]:
        return
    if p.kind == CasualtyKind.AGENT:
        log_treatment(o, i, where, Treatment.AUTOINJECTOR, now, 1.0, effect, NONE)
        return
    if p.kind == CasualtyKind.NBI:
        log_treatment(
            o,
            i,
            where,
            _first_aid_of_accident(m.injuries.groups[p.condition]),
            now,
            3.0,
            Effect.SUPPORTIVE,
            NONE,
        )
        return
    kind = Treatment.PRESSURE_DRESSING
    if p.lethal == LethalMechanism.EXTREMITY_HAEMORRHAGE:
        kind = Treatment.TOURNIQUET
    elif p.lethal == LethalMechanism.JUNCTIONAL_HAEMORRHAGE:
        kind = Treatment.HAEMOSTATIC_DRESSING
    elif p.lethal == LethalMechanism.AIRWAY:
        kind = Treatment.AIRWAY_ADJUNCT
    elif p.lethal == LethalMechanism.TENSION_PNEUMOTHORAX:
        kind = Treatment.NEEDLE_DECOMPRESSION
    elif p.lethal == LethalMechanism.TORSO_HAEMORRHAGE:
        kind = Treatment.TRANEXAMIC_ACID
    elif p.lethal == NONE and _is_limb(o.wounds[s.wound].region):
        have = m.injuries.flags[o.wounds[s.wound].condition]
        if have & (ConditionFlag.VESSEL | ConditionFlag.AMPUTATION):
            kind = Treatment.TOURNIQUET
        elif have & ConditionFlag.FRACTURE:
            kind = Treatment.SPLINT
    log_treatment(o, i, where, kind, now, 2.0, effect, NONE if kind == Treatment.TRANEXAMIC_ACID else 0)
    for k in range(1 if kind != Treatment.TRANEXAMIC_ACID else 0, s.wounds):
        wound = o.wounds[s.wound + k]
        have = m.injuries.flags[wound.condition]
        if (
            wound.ais >= 3
            and _is_limb(wound.region)
            and have & (ConditionFlag.VESSEL | ConditionFlag.AMPUTATION)
        ):
            log_treatment(o, i, where, Treatment.TOURNIQUET, now + 1.0 * MINUTE, 1.0, Effect.SUPPORTIVE, k)
        elif k == 1:
            fits = (
                Treatment.SPLINT
                if _is_limb(wound.region) and have & ConditionFlag.FRACTURE
                else Treatment.PRESSURE_DRESSING
            )
            log_treatment(o, i, where, fits, now + 2.0 * MINUTE, 2.0, Effect.SUPPORTIVE, k)
    if p.worst_ais >= 2:
        log_treatment(o, i, where, Treatment.ANALGESIA, now + 3.0 * MINUTE, 1.0, Effect.SUPPORTIVE, NONE)


@compiled
def _operate_on_ill(p: Any, s: Any, group: Any, m: Any) -> int:
    """Surgery of an illness or accident within its care, once, where it can be done and T1 or T2 calls for it."""
    if p.triage <= 2 and m.network.operates[s.facility] and not s.operated:
        s.operated = 1
        s.definitive = 1
        return Treatment.FRACTURE_FIXATION if group == CareNeed.FRACTURE else Treatment.DEFINITIVE_SURGERY
    if s.operated:
        return Treatment.OBSERVATION
    return Treatment.SPLINT if group == CareNeed.FRACTURE else Treatment.MEDICATION


@compiled
def treat_ill(o: Any, i: Any, s: Any, now: Any, minutes: Any, effect: Any, m: Any) -> None:
    """What an MTF does for a casualty without weapon wounds."""
    p = o.patients[i]
    where = s.facility
    if p.kind == CasualtyKind.AGENT:
        if effect == Effect.SUPPORTIVE and s.leg > 1:
            log_treatment(o, i, where, Treatment.OBSERVATION, now, minutes, Effect.SUPPORTIVE, NONE)
            return
        log_treatment(o, i, where, Treatment.ATROPINE_AND_OXIME, now, minutes, effect, NONE)
        if p.triage == 1:
            log_treatment(o, i, where, Treatment.INTUBATION, now + 4.0 * MINUTE, 6.0, Effect.SUPPORTIVE, NONE)
        return
    group = m.injuries.groups[p.condition]
    kind = Treatment.MEDICATION
    if p.kind == CasualtyKind.PSYCHOLOGICAL:
        kind = Treatment.PSYCHOLOGICAL_SUPPORT
    elif group == CareNeed.COOLING:
        kind = Treatment.COOLING
    elif group == CareNeed.REWARMING:
        kind = Treatment.REWARMING
    elif group == CareNeed.MUSCULOSKELETAL:
        kind = Treatment.SPLINT if s.leg == 1 and p.kind == CasualtyKind.NBI else Treatment.PHYSIOTHERAPY
    elif group in (CareNeed.FRACTURE, CareNeed.SURGICAL):
        kind = _operate_on_ill(p, s, group, m)
    elif group == CareNeed.FLUIDS:
        kind = Treatment.REHYDRATION
    if p.triage == 1:
        log_treatment(o, i, where, Treatment.EMERGENCY_CARE, now, minutes, effect, NONE)
        log_treatment(o, i, where, Treatment.IV_ACCESS, now + 2.0 * MINUTE, 3.0, Effect.SUPPORTIVE, NONE)
    elif effect != Effect.SUPPORTIVE:
        log_treatment(o, i, where, Treatment.EMERGENCY_CARE, now, minutes, effect, NONE)
    log_treatment(o, i, where, kind, now, minutes, Effect.SUPPORTIVE, NONE)
    if p.kind == CasualtyKind.NBI and group in (CareNeed.MUSCULOSKELETAL, CareNeed.FRACTURE):
        log_treatment(o, i, where, Treatment.ANALGESIA, now + 1.0 * MINUTE, 1.0, Effect.SUPPORTIVE, NONE)
    elif p.triage <= 2 and p.kind == CasualtyKind.DISEASE:
        log_treatment(o, i, where, Treatment.OBSERVATION, now, minutes, Effect.SUPPORTIVE, NONE)


@compiled
def treat_wounded(o: Any, i: Any, s: Any, now: Any, minutes: Any) -> None:
    """Treatment room care of a wounded casualty who is not resuscitated here."""
    if o.rows[QUIET]:
        return
    p = o.patients[i]
    where = s.facility
    for k in range(min(s.wounds, 3)):
        log_treatment(o, i, where, Treatment.WOUND_CARE, now, minutes, Effect.SUPPORTIVE, k)
    if p.triage <= 2:
        log_treatment(o, i, where, Treatment.IV_ACCESS, now + 1.0 * MINUTE, 3.0, Effect.SUPPORTIVE, NONE)
    if p.worst_ais >= 2:
        log_treatment(o, i, where, Treatment.ANTIBIOTICS, now + 2.0 * MINUTE, 2.0, Effect.SUPPORTIVE, NONE)
    log_treatment(o, i, where, Treatment.ANALGESIA, now + 4.0 * MINUTE, 1.0, Effect.SUPPORTIVE, NONE)


@compiled
def resuscitate(o: Any, i: Any, s: Any, now: Any, minutes: Any, m: Any) -> None:
    """The treatments of damage control resuscitation, within its time."""
    if o.rows[QUIET]:
        return
    p = o.patients[i]
    where = s.facility
    effect = Effect.EFFECTIVE if p.lethal != NONE and s.life < math.inf else Effect.SUPPORTIVE
    if p.lethal == LethalMechanism.TBI or p.lethal == LethalMechanism.AIRWAY:
        log_treatment(o, i, where, Treatment.INTUBATION, now + 1.0 * MINUTE, 6.0, effect, 0)
    else:
        log_treatment(o, i, where, Treatment.IV_ACCESS, now, 3.0, Effect.SUPPORTIVE, NONE)
    drained = False
    for k in range(s.wounds):
        wound = o.wounds[s.wound + k]
        if wound.region == Region.THORAX and (
            m.injuries.flags[wound.condition] & ConditionFlag.PNEUMOTHORAX
            or (p.lethal == LethalMechanism.TENSION_PNEUMOTHORAX and not drained)
        ):
            drain = (
                effect
                if p.lethal == LethalMechanism.TENSION_PNEUMOTHORAX and not drained
                else Effect.SUPPORTIVE
            )
            log_treatment(o, i, where, Treatment.CHEST_DRAIN, now + 3.0 * MINUTE, 8.0, drain, k)
            drained = True
            break
    if (
        p.lethal > LethalMechanism.TENSION_PNEUMOTHORAX
        and p.lethal <= LethalMechanism.EXTREMITY_HAEMORRHAGE
        and not s.no_blood
    ):
        log_treatment(
            o, i, where, Treatment.BLOOD_TRANSFUSION, now + 4.0 * MINUTE, minutes - 4.0, effect, NONE
        )
        log_treatment(
            o, i, where, Treatment.TRANEXAMIC_ACID, now + 4.0 * MINUTE, 4.0, Effect.SUPPORTIVE, NONE
        )
    elif p.niss >= 16:
        log_treatment(
            o, i, where, Treatment.TRANEXAMIC_ACID, now + 4.0 * MINUTE, 4.0, Effect.SUPPORTIVE, NONE
        )
    log_treatment(o, i, where, Treatment.ANTIBIOTICS, now + 5.0 * MINUTE, 2.0, Effect.SUPPORTIVE, NONE)
    log_treatment(o, i, where, Treatment.ANALGESIA, now + 6.0 * MINUTE, 1.0, Effect.SUPPORTIVE, NONE)


@compiled
def _operation(wound: Any, lethal: Any, flags: Any) -> int:
    """The operation a wound calls for."""
    have = flags[wound.condition]
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
    if have & ConditionFlag.BURN:
        return Treatment.WOUND_DEBRIDEMENT
    if wound.region == Region.THORAX:
        return Treatment.THORACOTOMY if wound.ais >= 4 or lethal != NONE else Treatment.WOUND_DEBRIDEMENT
    if wound.region == Region.ABDOMEN:
        return Treatment.LAPAROTOMY if wound.ais >= 2 else Treatment.WOUND_DEBRIDEMENT
    if have & ConditionFlag.AMPUTATION:
        return Treatment.AMPUTATION
    if have & ConditionFlag.VESSEL or lethal in (
        LethalMechanism.EXTREMITY_HAEMORRHAGE,
        LethalMechanism.JUNCTIONAL_HAEMORRHAGE,
    ):
        return Treatment.VASCULAR_REPAIR
    if have & ConditionFlag.FRACTURE:
        return Treatment.EXTERNAL_FIXATION
    return Treatment.WOUND_DEBRIDEMENT


@compiled
def start_surgery(o: Any, i: Any, s: Any, now: Any, minutes: Any, u: Any, m: Any) -> None:
    """Damage control surgery: decides whether it stops what kills; lists the operations of the two worst wounds."""
    p = o.patients[i]
    effect = Effect.SUPPORTIVE
    set_rate(s, now, 0.0)
    if s.life < math.inf:
        effect = Effect.INEFFECTIVE
        if u < surgery_success(s, p, m.survival):
            effect = Effect.EFFECTIVE
    if not o.rows[QUIET]:
        log_treatment(
            o,
            i,
            s.facility,
            _operation(o.wounds[s.wound], p.lethal, m.injuries.flags),
            now,
            minutes,
            effect,
            0,
        )
        if s.wounds > 1 and o.wounds[s.wound + 1].ais >= 2:
            second = _operation(o.wounds[s.wound + 1], NONE, m.injuries.flags)
            half = 0.5 * minutes
            log_treatment(o, i, s.facility, second, now + half * MINUTE, half, Effect.SUPPORTIVE, 1)
    if effect == Effect.EFFECTIVE:
        stop_clock(s, now)
