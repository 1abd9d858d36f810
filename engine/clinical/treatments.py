"""What care does: the treatments of each place, what they act on and the signs they change (MODEL section 4).

Every function writes rows of `columns.EVENT`, `columns.TREATMENT` or `columns.VITAL` for one casualty and, where a
treatment acts on what would kill, changes the survival clock.
"""

import math
from typing import Any

import numpy as np

from engine.clinical.casualties import (
    FLAG_AMPUTATION,
    FLAG_BURN,
    FLAG_FRACTURE,
    FLAG_PNEUMOTHORAX,
    FLAG_VESSEL,
    REGION_ABDOMEN,
    REGION_EARS,
    REGION_EYES,
    REGION_FACE,
    REGION_HEAD,
    REGION_NECK,
    REGION_THORAX,
    REGION_UPPER,
    unit,
)
from engine.clinical.survival import (
    AIRWAY,
    EXTREMITY,
    JUNCTIONAL,
    MINUTE,
    TBI,
    TENSION,
    TORSO,
    rescue,
    score,
    set_rate,
    slow,
    surgery_success,
)
from engine.numeric import inner, words
from engine.tables import AGENT, DISEASE, EVENTS, NBI, NONE, PSYCHOLOGICAL, QUIET, TREATMENTS

(
    E_INJURED,
    E_FELL_ILL,
    E_EXPOSED,
    E_ONSET,
    E_AID,
    E_TRIAGED,
    E_REQUESTED,
    E_DEPARTED,
    E_ARRIVED,
    E_DECON_STARTED,
    E_DECON_ENDED,
    E_CARE_STARTED,
    E_CARE_ENDED,
    E_RESUS_STARTED,
    E_RESUS_ENDED,
    E_SURGERY_STARTED,
    E_SURGERY_ENDED,
    E_DEFINITIVE_STARTED,
    E_DEFINITIVE_ENDED,
    E_ICU,
    E_WARD,
    E_RTD,
    E_DIED,
    E_LEFT_THEATRE,
    E_DISCHARGED,
    E_IN_CARE,
    E_WAITING,
    E_BUMPED,
    E_RESUMED,
    E_REFUSED,
    E_HIT,
    E_STAGED,
) = range(len(EVENTS))

(
    T_TOURNIQUET,
    T_PRESSURE,
    T_HAEMOSTATIC,
    T_AIRWAY,
    T_NEEDLE,
    T_AUTOINJECTOR,
    T_ANALGESIA,
    T_SPLINT,
    T_WOUND_CARE,
    T_ANTIBIOTICS,
    T_IV,
    T_BLOOD,
    T_TXA,
    T_CHEST_DRAIN,
    T_INTUBATION,
    T_DECONTAMINATION,
    T_ATROPINE,
    T_LAPAROTOMY,
    T_THORACOTOMY,
    T_CRANIOTOMY,
    T_NECK,
    T_VASCULAR,
    T_FIXATION,
    T_DEBRIDEMENT,
    T_AMPUTATION,
    T_EYE,
    T_SURGICAL_AIRWAY,
    T_CRITICAL_CARE,
    T_WARD,
    T_DEFINITIVE,
    T_FRACTURE_FIXATION,
    T_MEDICATION,
    T_REHYDRATION,
    T_PSYCHOLOGICAL,
    T_PHYSIOTHERAPY,
    T_COOLING,
    T_REWARMING,
    T_OBSERVATION,
    T_EMERGENCY,
) = range(len(TREATMENTS))

SUPPORTIVE, EFFECTIVE, INEFFECTIVE = 0, 1, 2

GCS_LOST = (0.0, 0.0, 1.0, 2.0, 6.0, 9.0)
"""Points of GCS that a head injury of AIS 0..5 costs, half of them while recovering (assumption)."""

(
    CARE_MEDICAL,
    CARE_MUSCULOSKELETAL,
    CARE_FLUIDS,
    CARE_COOLING,
    CARE_REWARMING,
    CARE_FRACTURE,
    CARE_SURGICAL,
) = range(7)
"""What an illness calls for."""

Z_CARE = 0
"""Index of the care stream in Model.keys."""


@inner
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


@inner
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


@inner
def _vital(low: Any, high: Any, value: Any) -> Any:
    return np.int64(min(high, max(low, value)) + 0.5)


@inner
def vitals(o: Any, i: Any, s: Any, now: Any, number: Any, m: Any, who: Any) -> None:
    """Health score and vital signs at `now`.

    The signs fall with the deficit of the score, each after what is failing (assumption): blood loss raises the pulse
    and lowers the pressure, an airway or chest injury lowers SpO2, a brain injury lowers GCS.
    """
    if o.rows[QUIET]:
        return
    p = o.patients[i]
    value = score(p, s, now, m.survival)
    deficit = (20.0 - value) / 20.0
    a, b, c, d = words(m.keys[Z_CARE], who[0], who[1], 4096 + number)
    bleeding = 1.0
    breathing = 0.6
    brain = 0.5
    if p.lethal == TBI:
        bleeding, breathing, brain = 0.3, 0.7, 1.0
    elif p.lethal == AIRWAY or p.lethal == TENSION or p.kind == AGENT:
        bleeding, breathing, brain = 0.7, 1.0, 0.6
    elif p.kind == PSYCHOLOGICAL:
        bleeding, breathing, brain = 0.4, 0.2, 0.0
    row = o.vitals[o.rows[3]]
    row.at = np.int64(now)
    row.patient = i
    row.facility = s.facility
    row.score = np.int64(value * 10.0 + 0.5)
    pulse = 72.0 + 18.0 * unit(a) + 85.0 * bleeding * deficit * (1.0 if deficit < 0.85 else 0.4)
    row.heart_rate = _vital(20.0, 190.0, pulse)
    row.systolic = _vital(40.0, 200.0, 114.0 + 22.0 * unit(b) - 85.0 * bleeding * deficit)
    row.respiratory_rate = _vital(4.0, 45.0, 13.0 + 5.0 * unit(c) + 18.0 * breathing * deficit)
    row.spo2 = _vital(50.0, 100.0, 96.0 + 3.0 * unit(d) - 32.0 * breathing * deficit * deficit)
    concussed = GCS_LOST[int(min(5, s.head_ais))] * (1.0 if s.recover_span == 0.0 else 0.5)
    row.gcs = _vital(3.0, 15.0, 15.4 - max(concussed, 14.0 * brain * deficit * deficit))
    o.rows[3] += 1


@inner
def _limb(region: Any) -> bool:
    return region >= REGION_UPPER


@inner
def _aid_of_accident(group: Any) -> int:
    """First aid of a non-battle injury."""
    if group == CARE_COOLING:
        return T_COOLING
    if group == CARE_REWARMING:
        return T_REWARMING
    if group in (CARE_MUSCULOSKELETAL, CARE_FRACTURE):
        return T_SPLINT
    return T_OBSERVATION


@inner
def first_aid(o: Any, i: Any, s: Any, now: Any, u: Any, m: Any) -> None:
    """Self or buddy aid at the point of injury or on the way: acts on what would kill, dresses what bleeds."""
    p = o.patients[i]
    where = s.facility
    effect = SUPPORTIVE
    if p.lethal != NONE and p.lethal != TBI:
        if u < m.survival.aid_works[p.lethal]:
            effect = EFFECTIVE
            slow(s, now, m.survival.aid_rate[p.lethal])
        elif m.survival.aid_works[p.lethal] > 0.0:
            effect = INEFFECTIVE
    if o.rows[QUIET]:
        return
    if p.kind == AGENT:
        log_treatment(o, i, where, T_AUTOINJECTOR, now, 1.0, effect, NONE)
        return
    if p.kind == NBI:
        log_treatment(
            o, i, where, _aid_of_accident(m.injuries.groups[p.condition]), now, 3.0, SUPPORTIVE, NONE
        )
        return
    kind = T_PRESSURE
    if p.lethal == EXTREMITY:
        kind = T_TOURNIQUET
    elif p.lethal == JUNCTIONAL:
        kind = T_HAEMOSTATIC
    elif p.lethal == AIRWAY:
        kind = T_AIRWAY
    elif p.lethal == TENSION:
        kind = T_NEEDLE
    elif p.lethal == TORSO:
        kind = T_TXA
    elif p.lethal == NONE and _limb(o.wounds[s.wound].region):
        have = m.injuries.flags[o.wounds[s.wound].condition]
        if have & (FLAG_VESSEL | FLAG_AMPUTATION):
            kind = T_TOURNIQUET
        elif have & FLAG_FRACTURE:
            kind = T_SPLINT
    log_treatment(o, i, where, kind, now, 2.0, effect, NONE if kind == T_TXA else 0)
    for k in range(1 if kind != T_TXA else 0, s.wounds):
        wound = o.wounds[s.wound + k]
        have = m.injuries.flags[wound.condition]
        if wound.ais >= 3 and _limb(wound.region) and have & (FLAG_VESSEL | FLAG_AMPUTATION):
            log_treatment(o, i, where, T_TOURNIQUET, now + 1.0 * MINUTE, 1.0, SUPPORTIVE, k)
        elif k == 1:
            fits = T_SPLINT if _limb(wound.region) and have & FLAG_FRACTURE else T_PRESSURE
            log_treatment(o, i, where, fits, now + 2.0 * MINUTE, 2.0, SUPPORTIVE, k)
    if p.worst_ais >= 2:
        log_treatment(o, i, where, T_ANALGESIA, now + 3.0 * MINUTE, 1.0, SUPPORTIVE, NONE)


@inner
def _operate_on_ill(p: Any, s: Any, group: Any, m: Any) -> int:
    """Surgery of an illness or accident within its care, once, where it can be done and T1 or T2 calls for it."""
    if p.triage <= 2 and m.network.operates[s.facility] and not s.operated:
        s.operated = 1
        s.definitive = 1
        return T_FRACTURE_FIXATION if group == CARE_FRACTURE else T_DEFINITIVE
    if s.operated:
        return T_OBSERVATION
    return T_SPLINT if group == CARE_FRACTURE else T_MEDICATION


@inner
def care_of_ill(o: Any, i: Any, s: Any, now: Any, minutes: Any, effect: Any, m: Any) -> None:
    """What an MTF does for a casualty without weapon wounds."""
    p = o.patients[i]
    where = s.facility
    if p.kind == AGENT:
        if effect == SUPPORTIVE and s.leg > 1:
            log_treatment(o, i, where, T_OBSERVATION, now, minutes, SUPPORTIVE, NONE)
            return
        log_treatment(o, i, where, T_ATROPINE, now, minutes, effect, NONE)
        if p.triage == 1:
            log_treatment(o, i, where, T_INTUBATION, now + 4.0 * MINUTE, 6.0, SUPPORTIVE, NONE)
        return
    group = m.injuries.groups[p.condition]
    kind = T_MEDICATION
    if p.kind == PSYCHOLOGICAL:
        kind = T_PSYCHOLOGICAL
    elif group == CARE_COOLING:
        kind = T_COOLING
    elif group == CARE_REWARMING:
        kind = T_REWARMING
    elif group == CARE_MUSCULOSKELETAL:
        kind = T_SPLINT if s.leg == 1 and p.kind == NBI else T_PHYSIOTHERAPY
    elif group in (CARE_FRACTURE, CARE_SURGICAL):
        kind = _operate_on_ill(p, s, group, m)
    elif group == CARE_FLUIDS:
        kind = T_REHYDRATION
    if p.triage == 1:
        log_treatment(o, i, where, T_EMERGENCY, now, minutes, effect, NONE)
        log_treatment(o, i, where, T_IV, now + 2.0 * MINUTE, 3.0, SUPPORTIVE, NONE)
    elif effect != SUPPORTIVE:
        log_treatment(o, i, where, T_EMERGENCY, now, minutes, effect, NONE)
    log_treatment(o, i, where, kind, now, minutes, SUPPORTIVE, NONE)
    if p.kind == NBI and group in (CARE_MUSCULOSKELETAL, CARE_FRACTURE):
        log_treatment(o, i, where, T_ANALGESIA, now + 1.0 * MINUTE, 1.0, SUPPORTIVE, NONE)
    elif p.triage <= 2 and p.kind == DISEASE:
        log_treatment(o, i, where, T_OBSERVATION, now, minutes, SUPPORTIVE, NONE)


@inner
def care_of_wounded(o: Any, i: Any, s: Any, now: Any, minutes: Any) -> None:
    """Treatment room care of a wounded casualty who is not resuscitated here."""
    if o.rows[QUIET]:
        return
    p = o.patients[i]
    where = s.facility
    for k in range(min(s.wounds, 3)):
        log_treatment(o, i, where, T_WOUND_CARE, now, minutes, SUPPORTIVE, k)
    if p.triage <= 2:
        log_treatment(o, i, where, T_IV, now + 1.0 * MINUTE, 3.0, SUPPORTIVE, NONE)
    if p.worst_ais >= 2:
        log_treatment(o, i, where, T_ANTIBIOTICS, now + 2.0 * MINUTE, 2.0, SUPPORTIVE, NONE)
    log_treatment(o, i, where, T_ANALGESIA, now + 4.0 * MINUTE, 1.0, SUPPORTIVE, NONE)


@inner
def resuscitate(o: Any, i: Any, s: Any, now: Any, minutes: Any, m: Any) -> None:
    """The treatments of damage control resuscitation, within its time."""
    if o.rows[QUIET]:
        return
    p = o.patients[i]
    where = s.facility
    effect = EFFECTIVE if p.lethal != NONE and s.life < math.inf else SUPPORTIVE
    if p.lethal == TBI or p.lethal == AIRWAY:
        log_treatment(o, i, where, T_INTUBATION, now + 1.0 * MINUTE, 6.0, effect, 0)
    else:
        log_treatment(o, i, where, T_IV, now, 3.0, SUPPORTIVE, NONE)
    drained = False
    for k in range(s.wounds):
        wound = o.wounds[s.wound + k]
        if wound.region == REGION_THORAX and (
            m.injuries.flags[wound.condition] & FLAG_PNEUMOTHORAX or (p.lethal == TENSION and not drained)
        ):
            drain = effect if p.lethal == TENSION and not drained else SUPPORTIVE
            log_treatment(o, i, where, T_CHEST_DRAIN, now + 3.0 * MINUTE, 8.0, drain, k)
            drained = True
            break
    if p.lethal > TENSION and p.lethal <= EXTREMITY and not s.no_blood:
        log_treatment(o, i, where, T_BLOOD, now + 4.0 * MINUTE, minutes - 4.0, effect, NONE)
        log_treatment(o, i, where, T_TXA, now + 4.0 * MINUTE, 4.0, SUPPORTIVE, NONE)
    elif p.niss >= 16:
        log_treatment(o, i, where, T_TXA, now + 4.0 * MINUTE, 4.0, SUPPORTIVE, NONE)
    log_treatment(o, i, where, T_ANTIBIOTICS, now + 5.0 * MINUTE, 2.0, SUPPORTIVE, NONE)
    log_treatment(o, i, where, T_ANALGESIA, now + 6.0 * MINUTE, 1.0, SUPPORTIVE, NONE)


@inner
def _operation(wound: Any, lethal: Any, flags: Any) -> int:
    """The operation a wound calls for."""
    have = flags[wound.condition]
    if wound.region == REGION_HEAD:
        return T_CRANIOTOMY if wound.ais >= 3 or lethal == TBI else T_DEBRIDEMENT
    if wound.region == REGION_EYES:
        return T_EYE
    if wound.region == REGION_EARS:
        return T_DEBRIDEMENT
    if wound.region == REGION_FACE:
        return T_SURGICAL_AIRWAY if lethal == AIRWAY else T_DEBRIDEMENT
    if wound.region == REGION_NECK:
        return T_NECK if wound.ais >= 2 else T_DEBRIDEMENT
    if have & FLAG_BURN:
        return T_DEBRIDEMENT
    if wound.region == REGION_THORAX:
        return T_THORACOTOMY if wound.ais >= 4 or lethal != NONE else T_DEBRIDEMENT
    if wound.region == REGION_ABDOMEN:
        return T_LAPAROTOMY if wound.ais >= 2 else T_DEBRIDEMENT
    if have & FLAG_AMPUTATION:
        return T_AMPUTATION
    if have & FLAG_VESSEL or lethal in (EXTREMITY, JUNCTIONAL):
        return T_VASCULAR
    if have & FLAG_FRACTURE:
        return T_FIXATION
    return T_DEBRIDEMENT


@inner
def start_surgery(o: Any, i: Any, s: Any, now: Any, minutes: Any, u: Any, m: Any) -> None:
    """Damage control surgery: decides whether it stops what kills; lists the operations of the two worst wounds."""
    p = o.patients[i]
    effect = SUPPORTIVE
    set_rate(s, now, 0.0)
    if s.life < math.inf:
        effect = INEFFECTIVE
        if u < surgery_success(s, p, m.survival):
            effect = EFFECTIVE
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
            log_treatment(o, i, s.facility, second, now + half * MINUTE, half, SUPPORTIVE, 1)
    if effect == EFFECTIVE:
        rescue(s, now)
