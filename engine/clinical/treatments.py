"""Treatments: what is given at each place, and what it does to the survival clock.

docs/model.md section 2.5.4 describes the effects of treatments. The functions append rows to the tables of events and
treatments of one casualty. A treatment that acts on the lethal mechanism also
changes the survival clock. Times and thresholds are in `scenarios/data/model/treatments.toml`.
"""

import math

from engine.clinical.survival import (
    set_rate,
    slow_clock,
    stop_clock,
    surgery_success,
)
from engine.codes import (
    NONE,
    CareNeed,
    CasualtyKind,
    ConditionFlag,
    Effect,
    LethalMechanism,
    Region,
    Treatment,
    TriageCategory,
)
from engine.numeric import compiled
from engine.tables import (
    MINUTE,
    QUIET,
    CasualtyState,
    Ints,
    Model,
    Output,
    PatientRow,
    SurgeryRules,
    TreatmentTime,
    WoundRow,
)

# --- rows of the log


@compiled
def log_event(output: Output, row: int, at: float, facility: int, kind: int, detail: int) -> None:
    """Append an event of the patient in `row`, unless logging is off; `at` in ms."""
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
    """Append a treatment of the patient in `row`, unless logging is off.

    Parameters
    ----------
    start
        Start in ms.
    minutes
        Duration.
    wound
        Number of the wound that is treated, among the patient's; NONE for a treatment of no single wound.
    """
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
def _log_step(
    output: Output,
    row: int,
    facility: int,
    kind: int,
    now: float,
    time: TreatmentTime,
    effect: int,
    wound: int,
) -> None:
    """Append a short treatment within the care that starts at `now`."""
    log_treatment(output, row, facility, kind, now + time.start * MINUTE, time.minutes, effect, wound)


# --- first aid


@compiled
def _is_limb(region: int) -> bool:
    return region >= Region.UPPER_LIMB


@compiled
def _bleeds_from_limb(wound: WoundRow, flags: int) -> bool:
    """Whether a wound is an injured vessel or an amputation of a limb; `flags` are those of its condition."""
    return _is_limb(wound.region) and flags & (ConditionFlag.VESSEL | ConditionFlag.AMPUTATION) != 0


@compiled
def _first_aid_of_accident(care_need: int) -> int:
    """Return the first aid of a non-battle injury."""
    if care_need == CareNeed.COOLING:
        return Treatment.COOLING
    if care_need == CareNeed.REWARMING:
        return Treatment.REWARMING
    if care_need in (CareNeed.MUSCULOSKELETAL, CareNeed.FRACTURE):
        return Treatment.SPLINT
    return Treatment.OBSERVATION


@compiled
def _wanted_first_aid(record: PatientRow, worst: WoundRow, flags: int) -> int:
    """Return the first aid against the lethal mechanism, or for the worst wound where none is lethal."""
    if record.lethal == LethalMechanism.EXTREMITY_HAEMORRHAGE:
        return Treatment.TOURNIQUET
    if record.lethal == LethalMechanism.JUNCTIONAL_HAEMORRHAGE:
        return Treatment.HAEMOSTATIC_DRESSING
    if record.lethal == LethalMechanism.AIRWAY:
        return Treatment.AIRWAY_ADJUNCT
    if record.lethal == LethalMechanism.TENSION_PNEUMOTHORAX:
        return Treatment.NEEDLE_DECOMPRESSION
    if record.lethal == LethalMechanism.TORSO_HAEMORRHAGE:
        return Treatment.TRANEXAMIC_ACID
    if record.lethal == NONE and _bleeds_from_limb(worst, flags):
        return Treatment.TOURNIQUET
    if record.lethal == NONE and _is_limb(worst.region) and flags & ConditionFlag.FRACTURE:
        return Treatment.SPLINT
    return Treatment.PRESSURE_DRESSING


@compiled
def _first_aid_of_wounded(record: PatientRow, worst: WoundRow, flags: int, available: Ints) -> int:
    """Return the first aid that is given: a pressure dressing where the one that is called for is not available."""
    kind = _wanted_first_aid(record, worst, flags)
    return kind if available[kind] else Treatment.PRESSURE_DRESSING


@compiled
def _try_first_aid(
    record: PatientRow, casualty: CasualtyState, now: float, uniform: float, model: Model
) -> int:
    """Apply first aid to the lethal mechanism, and return its effect (docs/model.md section 2.5.4)."""
    if record.lethal == NONE or record.lethal == LethalMechanism.TBI:
        return Effect.SUPPORTIVE
    chance = model.survival.aid_works[record.lethal]
    if uniform < chance:
        slow_clock(casualty, now, model.survival.aid_rate[record.lethal])
        return Effect.EFFECTIVE
    return Effect.INEFFECTIVE if chance >= 0.0 else Effect.SUPPORTIVE


@compiled
def _dress_further_wounds(
    output: Output, row: int, casualty: CasualtyState, now: float, first: int, model: Model
) -> None:
    """Log first aid for the wounds from number `first` on: bleeding limbs, and the second worst wound."""
    times = model.treatments.first_aid
    place = casualty.facility
    for number in range(first, casualty.wounds):
        wound = output.wounds[casualty.wound + number]
        flags = model.injuries.flags[wound.condition]
        if (
            model.survival.available[Treatment.TOURNIQUET]
            and wound.ais >= times.tourniquet_ais
            and _bleeds_from_limb(wound, flags)
        ):
            kind = Treatment.TOURNIQUET
            _log_step(output, row, place, kind, now, times.further_tourniquet, Effect.SUPPORTIVE, number)
        elif number == 1:
            splints = _is_limb(wound.region) and flags & ConditionFlag.FRACTURE != 0
            kind = Treatment.SPLINT if splints else Treatment.PRESSURE_DRESSING
            _log_step(output, row, place, kind, now, times.second_wound, Effect.SUPPORTIVE, number)


@compiled
def give_first_aid(
    output: Output, row: int, casualty: CasualtyState, now: float, uniform: float, model: Model
) -> None:
    """Give self or buddy aid: slow the survival clock if it works, and log the treatments.

    `uniform` on (0, 1) decides whether aid works against the lethal mechanism (docs/model.md section 2.5.4).
    """
    record = output.patients[row]
    effect = _try_first_aid(record, casualty, now, uniform, model)
    if output.rows[QUIET]:
        return
    times = model.treatments.first_aid
    place = casualty.facility
    if record.kind == CasualtyKind.AGENT:
        if model.survival.available[Treatment.AUTOINJECTOR]:
            _log_step(output, row, place, Treatment.AUTOINJECTOR, now, times.autoinjector, effect, NONE)
        return
    if record.kind == CasualtyKind.NBI:
        kind = _first_aid_of_accident(model.injuries.groups[record.condition])
        _log_step(output, row, place, kind, now, times.non_battle_injury, Effect.SUPPORTIVE, NONE)
        return
    worst = output.wounds[casualty.wound]
    kind = _first_aid_of_wounded(
        record, worst, model.injuries.flags[worst.condition], model.survival.available
    )
    if kind == Treatment.TRANEXAMIC_ACID:  # it treats no single wound, so all wounds are still to be dressed
        _log_step(output, row, place, kind, now, times.worst_wound, effect, NONE)
        _dress_further_wounds(output, row, casualty, now, 0, model)
    else:
        _log_step(output, row, place, kind, now, times.worst_wound, effect, 0)
        _dress_further_wounds(output, row, casualty, now, 1, model)
    if record.worst_ais >= times.analgesia_ais:
        _log_step(output, row, place, Treatment.ANALGESIA, now, times.analgesia, Effect.SUPPORTIVE, NONE)


@compiled
def give_prehospital_blood(
    output: Output, row: int, casualty: CasualtyState, now: float, uniform: float, model: Model
) -> None:
    """Transfuse a casualty who dies of a haemorrhage, on the way to the first facility, where vehicles carry blood.

    `uniform` on (0, 1) decides whether it works (docs/model.md section 2.5.4).
    """
    record = output.patients[row]
    blood = model.survival.prehospital_blood
    bleeds = (
        record.lethal >= LethalMechanism.TORSO_HAEMORRHAGE
        and record.lethal <= LethalMechanism.EXTREMITY_HAEMORRHAGE
    )
    if not (blood[0] > 0.0 and bleeds and casualty.life < math.inf):
        return
    effect = Effect.INEFFECTIVE
    if uniform < blood[1]:
        slow_clock(casualty, now, blood[2])
        effect = Effect.EFFECTIVE
    time = model.treatments.first_aid.prehospital_blood
    _log_step(output, row, casualty.facility, Treatment.BLOOD_TRANSFUSION, now, time, effect, NONE)


# --- care without weapon wounds


@compiled
def _operate_on_ill(record: PatientRow, casualty: CasualtyState, care_need: int, model: Model) -> int:
    """Return the treatment of an illness or accident that calls for surgery.

    The operation is done once, within the care, for T1 and T2 at the first facility that can operate.
    """
    urgent = record.triage <= TriageCategory.T2
    if urgent and model.network.operates[casualty.facility] and not casualty.operated:
        casualty.operated = 1
        casualty.definitive = 1
        return Treatment.FRACTURE_FIXATION if care_need == CareNeed.FRACTURE else Treatment.DEFINITIVE_SURGERY
    if casualty.operated:
        return Treatment.OBSERVATION
    return Treatment.SPLINT if care_need == CareNeed.FRACTURE else Treatment.MEDICATION


@compiled
def _treat_agent(
    output: Output, row: int, casualty: CasualtyState, now: float, minutes: float, effect: int, model: Model
) -> None:
    """Log the care of an agent casualty: antidotes once, observation at later facilities."""
    place = casualty.facility
    if (effect == Effect.SUPPORTIVE and casualty.leg > 1) or not model.survival.available[
        Treatment.ATROPINE_AND_OXIME
    ]:
        log_treatment(output, row, place, Treatment.OBSERVATION, now, minutes, Effect.SUPPORTIVE, NONE)
        return
    log_treatment(output, row, place, Treatment.ATROPINE_AND_OXIME, now, minutes, effect, NONE)
    if output.patients[row].triage == TriageCategory.T1:
        time = model.treatments.illness.intubation
        _log_step(output, row, place, Treatment.INTUBATION, now, time, Effect.SUPPORTIVE, NONE)


@compiled
def _main_treatment_of_ill(record: PatientRow, casualty: CasualtyState, care_need: int, model: Model) -> int:
    """Return the main treatment of a non-battle, disease or psychological casualty."""
    if record.kind == CasualtyKind.PSYCHOLOGICAL:
        return Treatment.PSYCHOLOGICAL_SUPPORT
    if care_need == CareNeed.COOLING:
        return Treatment.COOLING
    if care_need == CareNeed.REWARMING:
        return Treatment.REWARMING
    if care_need == CareNeed.MUSCULOSKELETAL:
        fresh = casualty.leg == 1 and record.kind == CasualtyKind.NBI
        return Treatment.SPLINT if fresh else Treatment.PHYSIOTHERAPY
    if care_need in (CareNeed.FRACTURE, CareNeed.SURGICAL):
        return _operate_on_ill(record, casualty, care_need, model)
    if care_need == CareNeed.FLUIDS:
        return Treatment.REHYDRATION
    return Treatment.MEDICATION


@compiled
def treat_ill(
    output: Output, row: int, casualty: CasualtyState, now: float, minutes: float, effect: int, model: Model
) -> None:
    """Log the care of a casualty without weapon wounds, `minutes` long; operate where it is called for.

    `effect` is what the care does to the lethal mechanism.
    """
    record = output.patients[row]
    if record.kind == CasualtyKind.AGENT:
        _treat_agent(output, row, casualty, now, minutes, effect, model)
        return
    times = model.treatments.illness
    place = casualty.facility
    care_need = model.injuries.groups[record.condition]
    kind = _main_treatment_of_ill(record, casualty, care_need, model)
    immediate = record.triage == TriageCategory.T1
    if (immediate or effect != Effect.SUPPORTIVE) and model.survival.available[Treatment.EMERGENCY_CARE]:
        log_treatment(output, row, place, Treatment.EMERGENCY_CARE, now, minutes, effect, NONE)
    if immediate:
        _log_step(output, row, place, Treatment.IV_ACCESS, now, times.iv_access, Effect.SUPPORTIVE, NONE)
    log_treatment(output, row, place, kind, now, minutes, Effect.SUPPORTIVE, NONE)
    if record.kind == CasualtyKind.NBI and care_need in (CareNeed.MUSCULOSKELETAL, CareNeed.FRACTURE):
        _log_step(output, row, place, Treatment.ANALGESIA, now, times.analgesia, Effect.SUPPORTIVE, NONE)
    elif record.triage <= TriageCategory.T2 and record.kind == CasualtyKind.DISEASE:
        log_treatment(output, row, place, Treatment.OBSERVATION, now, minutes, Effect.SUPPORTIVE, NONE)


# --- care of the wounded


@compiled
def treat_wounded(
    output: Output, row: int, casualty: CasualtyState, now: float, minutes: float, model: Model
) -> None:
    """Log the care, `minutes` long, of a wounded casualty who is not resuscitated at this facility."""
    if output.rows[QUIET]:
        return
    record = output.patients[row]
    times = model.treatments.care
    place = casualty.facility
    for number in range(min(casualty.wounds, times.wounds)):
        log_treatment(output, row, place, Treatment.WOUND_CARE, now, minutes, Effect.SUPPORTIVE, number)
    if record.triage != TriageCategory.T3:
        _log_step(output, row, place, Treatment.IV_ACCESS, now, times.iv_access, Effect.SUPPORTIVE, NONE)
    if record.worst_ais >= times.antibiotics_ais:
        _log_step(output, row, place, Treatment.ANTIBIOTICS, now, times.antibiotics, Effect.SUPPORTIVE, NONE)
    _log_step(output, row, place, Treatment.ANALGESIA, now, times.analgesia, Effect.SUPPORTIVE, NONE)


@compiled
def _drain_chest(
    output: Output, row: int, casualty: CasualtyState, now: float, effect: int, model: Model
) -> None:
    """Log one chest drain: for a tension pneumothorax, which it may relieve, or for another pneumothorax."""
    tension = output.patients[row].lethal == LethalMechanism.TENSION_PNEUMOTHORAX
    for number in range(casualty.wounds):
        wound = output.wounds[casualty.wound + number]
        flags = model.injuries.flags[wound.condition]
        if wound.region == Region.THORAX and (tension or flags & ConditionFlag.PNEUMOTHORAX):
            time = model.treatments.resuscitation.chest_drain
            drained = effect if tension else Effect.SUPPORTIVE
            _log_step(output, row, casualty.facility, Treatment.CHEST_DRAIN, now, time, drained, number)
            return


@compiled
def resuscitate(
    output: Output, row: int, casualty: CasualtyState, now: float, minutes: float, works: bool, model: Model
) -> None:
    """Log the treatments of damage control resuscitation, which lasts `minutes` and works or fails."""
    if output.rows[QUIET]:
        return
    record = output.patients[row]
    times = model.treatments.resuscitation
    place = casualty.facility
    effect = Effect.SUPPORTIVE
    if record.lethal != NONE and casualty.life < math.inf:
        effect = Effect.EFFECTIVE if works else Effect.INEFFECTIVE
    if record.lethal == LethalMechanism.TBI or record.lethal == LethalMechanism.AIRWAY:
        _log_step(output, row, place, Treatment.INTUBATION, now, times.intubation, effect, 0)
    else:
        _log_step(output, row, place, Treatment.IV_ACCESS, now, times.iv_access, Effect.SUPPORTIVE, NONE)
    _drain_chest(output, row, casualty, now, effect, model)
    bleeds = (
        record.lethal >= LethalMechanism.TORSO_HAEMORRHAGE
        and record.lethal <= LethalMechanism.EXTREMITY_HAEMORRHAGE
    )
    transfused = bleeds and not casualty.no_blood
    if transfused:
        start = now + times.transfusion_start * MINUTE
        lasts = max(0.0, minutes - times.transfusion_start)
        log_treatment(output, row, place, Treatment.BLOOD_TRANSFUSION, start, lasts, effect, NONE)
    kind = Treatment.TRANEXAMIC_ACID
    if model.survival.available[kind] and (transfused or record.niss >= times.tranexamic_acid_niss):
        _log_step(output, row, place, kind, now, times.tranexamic_acid, Effect.SUPPORTIVE, NONE)
    _log_step(output, row, place, Treatment.ANTIBIOTICS, now, times.antibiotics, Effect.SUPPORTIVE, NONE)
    _log_step(output, row, place, Treatment.ANALGESIA, now, times.analgesia, Effect.SUPPORTIVE, NONE)


# --- surgery


@compiled
def _operation_on_limb(lethal: int, flags: int) -> int:
    """Return the operation that a wound of a limb calls for; `flags` are those of its condition."""
    if flags & ConditionFlag.AMPUTATION:
        return Treatment.AMPUTATION
    if flags & ConditionFlag.VESSEL or lethal in (
        LethalMechanism.EXTREMITY_HAEMORRHAGE,
        LethalMechanism.JUNCTIONAL_HAEMORRHAGE,
    ):
        return Treatment.VASCULAR_REPAIR
    if flags & ConditionFlag.FRACTURE:
        return Treatment.EXTERNAL_FIXATION
    return Treatment.WOUND_DEBRIDEMENT


@compiled
def _operation(wound: WoundRow, lethal: int, condition_flags: Ints, rules: SurgeryRules) -> int:
    """Return the operation that a wound calls for.

    Parameters
    ----------
    lethal
        The lethal mechanism if this is the worst wound, else NONE.
    condition_flags
        Bits of `ConditionFlag` by condition.
    """
    flags = condition_flags[wound.condition]
    fits = False
    kind = Treatment.WOUND_DEBRIDEMENT
    if wound.region == Region.HEAD:
        kind = Treatment.CRANIOTOMY
        fits = wound.ais >= rules.craniotomy_ais or lethal == LethalMechanism.TBI
    elif wound.region == Region.EYES:
        kind = Treatment.EYE_REPAIR
        fits = True
    elif wound.region == Region.FACE:
        kind = Treatment.SURGICAL_AIRWAY
        fits = lethal == LethalMechanism.AIRWAY
    elif wound.region == Region.NECK:
        kind = Treatment.NECK_EXPLORATION
        fits = wound.ais >= rules.neck_exploration_ais
    elif wound.region == Region.EARS or flags & ConditionFlag.BURN:
        fits = False
    elif wound.region == Region.THORAX:
        kind = Treatment.THORACOTOMY
        fits = wound.ais >= rules.thoracotomy_ais or lethal != NONE
    elif wound.region == Region.ABDOMEN:
        kind = Treatment.LAPAROTOMY
        fits = wound.ais >= rules.laparotomy_ais
    else:
        return _operation_on_limb(lethal, flags)
    return kind if fits else Treatment.WOUND_DEBRIDEMENT


@compiled
def _log_operations(
    output: Output, row: int, casualty: CasualtyState, now: float, minutes: float, effect: int, model: Model
) -> None:
    """Log the operations on the worst wound and, in the last part of the time, on a serious second wound."""
    rules = model.treatments.surgery
    place = casualty.facility
    flags = model.injuries.flags
    kind = _operation(output.wounds[casualty.wound], output.patients[row].lethal, flags, rules)
    log_treatment(output, row, place, kind, now, minutes, effect, 0)
    if casualty.wounds > 1 and output.wounds[casualty.wound + 1].ais >= rules.second_ais:
        kind = _operation(output.wounds[casualty.wound + 1], NONE, flags, rules)
        part = rules.second_share * minutes
        start = now + (minutes - part) * MINUTE
        log_treatment(output, row, place, kind, start, part, Effect.SUPPORTIVE, 1)


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
    """Start damage control surgery of `minutes`: stop the survival clock for good if it succeeds, and log it.

    `uniform` on (0, 1) decides whether it succeeds (docs/model.md section 2.5.4). The clock does not run meanwhile.
    """
    record = output.patients[row]
    effect = Effect.SUPPORTIVE
    set_rate(casualty, now, 0.0)
    if casualty.life < math.inf:
        effect = Effect.INEFFECTIVE
        if uniform < surgery_success(casualty, record, model.survival):
            effect = Effect.EFFECTIVE
    if not output.rows[QUIET]:
        _log_operations(output, row, casualty, now, minutes, effect, model)
    if effect == Effect.EFFECTIVE:
        stop_clock(casualty, now)
