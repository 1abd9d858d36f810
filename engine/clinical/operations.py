"""Operations: which ones the wounds call for, and in which session they are done (docs/model.md section 2.7.5)."""

import math

from engine.clinical.bed_care import antibiotics_before_operation
from engine.clinical.blood import split_units
from engine.clinical.imaging import log_images
from engine.clinical.log import insert_treatment, log_treatment
from engine.clinical.needs import (
    bleeds_to_death,
    calls_for_operation,
    is_sent_on,
    is_splinted,
    last_start,
    minutes_of,
    operation_of,
)
from engine.clinical.physiology import (
    is_operated_on_again,
    keeps_tube,
    needs_tube,
    stays_on_ventilator,
    travels_with_tube,
)
from engine.clinical.session_rest import log_blood_of_excision, log_casts, log_closures
from engine.clinical.survival import set_rate, stop_clock, surgery_success
from engine.clinical.theatre import anaesthesia_without_tube, share_time
from engine.codes import NONE, CasualtyKind, ConditionFlag, Effect, Region, Treatment
from engine.numeric import compiled
from engine.tables import (
    CARE_ROWS,
    HOUR,
    MINUTE,
    OPERATIONS_OF_CONDITION,
    QUIET,
    TREATMENT_COUNT,
    CareRules,
    CasualtyState,
    Model,
    Output,
    PatientRow,
)

_INDUCTION = 7.0
"""Minutes before a session in which a patient is intubated."""
_TYPICAL_PACE = 0.5
"""Pace at which a treatment takes its mode."""

_WORSE = 1.0
"""Points of the Glasgow Coma Scale that who is dying of a brain injury has lost since the injury."""
_DIFFUSE = 2
"""Of `CareRules.contused`."""
_AMPUTATION = int(Treatment.AMPUTATION)
_EFFECTIVE = int(Effect.EFFECTIVE)
_INEFFECTIVE = int(Effect.INEFFECTIVE)
_SUPPORTIVE = int(Effect.SUPPORTIVE)
_BURN_EXCISION = int(Treatment.BURN_EXCISION)
_CRANIOTOMY = int(Treatment.CRANIOTOMY)
_DEFINITIVE_SURGERY = int(Treatment.DEFINITIVE_SURGERY)
_DELAYED_CLOSURE = int(Treatment.DELAYED_CLOSURE)
_FASCIOTOMY = int(Treatment.FASCIOTOMY)
_FRACTURE_FIXATION = int(Treatment.FRACTURE_FIXATION)
_GENERAL_ANAESTHESIA = int(Treatment.GENERAL_ANAESTHESIA)
_INTRAOSSEOUS_ACCESS = int(Treatment.INTRAOSSEOUS_ACCESS)
_IV_ACCESS = int(Treatment.IV_ACCESS)
_INTUBATION = int(Treatment.INTUBATION)
_LAPAROTOMY = int(Treatment.LAPAROTOMY)
_LIGATION = int(Treatment.LIGATION)
_TOURNIQUET = int(Treatment.TOURNIQUET)
_SURGICAL_AIRWAY = int(Treatment.SURGICAL_AIRWAY)
_TRACHEOSTOMY = int(Treatment.TRACHEOSTOMY)
_VASCULAR_REPAIR = int(Treatment.VASCULAR_REPAIR)
_VASCULAR_SHUNT = int(Treatment.VASCULAR_SHUNT)
_VENTILATION = int(Treatment.VENTILATION)
_VENTRICULAR_DRAIN = int(Treatment.VENTRICULAR_DRAIN)
_WOUND_DEBRIDEMENT = int(Treatment.WOUND_DEBRIDEMENT)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""


@compiled
def operation_here(kind: int, role: int, rules: CareRules) -> int:
    """Return the operation that a facility does where `kind` is called for: that one, or one short of it; NONE."""
    if kind == NONE or rules.in_theatre[kind, role]:
        return kind
    less = int(rules.short_of[kind])
    if less != NONE and rules.in_theatre[less, role]:
        return less
    return NONE


@compiled
def _has_airway(output: Output, casualty: CasualtyState, now: float) -> bool:
    """Return whether the airway is secured: by a tube that is still in, or by surgery."""
    for kind in (_SURGICAL_AIRWAY, _TRACHEOSTOMY):
        if last_start(output, casualty, kind, NONE) >= 0:
            return True
    return bool(last_start(output, casualty, _INTUBATION, NONE) >= 0 and now < output.physiology.tube_until)


@compiled
def log_airway(output: Output, row: int, casualty: CasualtyState, now: float, model: Model) -> float:
    """Intubate at the beginning of a session unless the airway is secured; return when it is, ms.

    Whose tube was taken out after an earlier operation is intubated again.
    """
    if _has_airway(output, casualty, now):
        return now
    lasts = minutes_of(_INTUBATION, _TYPICAL_PACE, model.treatments.rules)
    log_treatment(output, row, casualty.facility, _INTUBATION, now, lasts, Effect.SUPPORTIVE, NONE)
    return now + lasts * MINUTE


@compiled
def ventilate(
    output: Output, row: int, casualty: CasualtyState, now: float, minutes: float, model: Model
) -> None:
    """Put a casualty on the ventilator in intensive care that lasts `minutes`, if that is called for, and log it.

    It lasts as long as intensive care in those who stay on it. Others wake up after an operation here, and their tube
    is taken out. Where records are written, signs may call for it as well. Its complications come only to those whom
    injuries, operations or illness keep on it, as these alone are known in every run. After the
    definitive operation the tube is out hours before they leave intensive care, but for a severe injury of the head.
    The poisoned are ventilated as long as they have a tube.
    """
    record = output.patients[row]
    wounded = record.kind == CasualtyKind.WOUNDED
    if wounded and keeps_tube(record, casualty, now, model):
        casualty.ventilated = 1
    if not wounded and casualty.calls_for_ventilator:
        casualty.ventilated = 1
    rules = model.treatments.rules
    if (
        output.rows[QUIET]
        or rules.off & rules.bit[_VENTILATION]
        or output.rows[TREATMENT_COUNT] >= casualty.first_treatment + CARE_ROWS
    ):
        return
    lasts = 0.0
    if wounded and casualty.operated_here and _has_airway(output, casualty, now):
        lasts = min(minutes, model.vital_signs.tube.recovery_minutes[1])
    if casualty.ventilated or (wounded and stays_on_ventilator(output, record, casualty, now, model)):
        lasts = minutes
        tube = model.vital_signs.tube
        found = False
        if (
            wounded
            and not is_operated_on_again(casualty)
            and not needs_tube(output, record, casualty, now, found, model)
        ):
            lasts = min(minutes, tube.finished_hours * HOUR / MINUTE)
        before = minutes - tube.awake_hours * HOUR / MINUTE
        if not travels_with_tube(casualty, model):
            least = min(minutes, tube.settled_hours * HOUR / MINUTE)
            lasts = min(lasts, max(least, before))
        elif lasts > before:
            lasts = minutes
    if record.kind == CasualtyKind.AGENT and _has_airway(output, casualty, now):
        tube = model.vital_signs.tube
        lasts = max(output.physiology.tube_until - now, tube.recovery_minutes[1] * MINUTE) / MINUTE
        least = min(minutes, tube.settled_hours * HOUR / MINUTE)
        lasts = min(lasts, max(least, minutes - tube.awake_hours * HOUR / MINUTE))
    if lasts > 0.0:
        begin = log_airway(output, row, casualty, now, model)
        left = lasts - (begin - now) / MINUTE
        log_treatment(output, row, casualty.facility, _VENTILATION, begin, left, Effect.SUPPORTIVE, NONE)


@compiled
def _called_for_here(
    output: Output,
    record: PatientRow,
    casualty: CasualtyState,
    number: int,
    place: int,
    role: int,
    model: Model,
) -> int:
    """Return the operation that wound `number` calls for in `place` and that this role does, or short of it; NONE."""
    rules = model.treatments.rules
    condition = output.wounds[casualty.wound + number].condition
    kind = operation_of(record, casualty, condition, place, model)
    if is_sent_on(casualty, kind, role, model):
        return NONE
    here = operation_here(kind, role, rules)
    if here != kind and is_splinted(record, casualty, kind, condition, rules):
        return NONE
    return here


@compiled
def _is_decompressed(
    output: Output, record: PatientRow, casualty: CasualtyState, wound: int, model: Model
) -> bool:
    """Return whether the skull is opened for a brain injury that would kill, and so gets worse.

    It is for a clot or an open fracture, unless the casualty was awake, and for a contusion with a lower GCS.
    """
    rules = model.treatments.rules
    limits = model.treatments.limits
    contused = rules.contused[output.wounds[casualty.wound + wound].condition]
    if contused == 0 and casualty.gcs < limits.craniotomy_gcs + _WORSE + 0.5:
        return True
    if contused != _DIFFUSE and casualty.gcs < limits.contusion_gcs + _WORSE + 0.5:
        return True
    among = int(rules.operation_bit[_CRANIOTOMY])
    return bool(calls_for_operation(output, record, casualty, among, model))


@compiled
def _main_operation(
    output: Output, record: PatientRow, casualty: CasualtyState, wound: int, role: int, model: Model
) -> int:
    """Return the operation on `wound` that acts on what would kill; NONE where nothing would.

    It is the first that the wound calls for and the facility can do, debridement aside; else the one against the
    mechanism, if the wound can kill by it; else debridement if the wound calls for it, or an operation of no such kind.
    """
    rules = model.treatments.rules
    if record.lethal == NONE or casualty.life == math.inf:
        return NONE
    debrided = False
    for place in range(OPERATIONS_OF_CONDITION):
        kind = _called_for_here(output, record, casualty, wound, place, role, model)
        if kind != NONE and kind != _WOUND_DEBRIDEMENT:
            return kind
        debrided = debrided or kind == _WOUND_DEBRIDEMENT
    if casualty.killer != NONE:
        kind = int(rules.operation[record.lethal, output.wounds[casualty.wound + wound].region])
        if kind == _CRANIOTOMY and not _is_decompressed(output, record, casualty, wound, model):
            return _WOUND_DEBRIDEMENT if debrided else _VENTRICULAR_DRAIN
        if kind != NONE:
            return kind
    return _WOUND_DEBRIDEMENT if debrided else _DEFINITIVE_SURGERY


_LIFE, _LIMB, _WORST_BONE, _OTHER, _BONES, _DEBRIDEMENT, _FURTHER = 0, 1, 2, 3, 4, 5, 6
"""The rounds through the operations that the wounds call for, by urgency."""
_ROUNDS = _FURTHER + OPERATIONS_OF_CONDITION - 1


@compiled
def _urgency(kind: int, condition: int, rules: CareRules) -> int:
    """Return the round in which the main operation of a wound is done.

    Head, neck, chest and belly come first; then vessels and stumps of limbs; then the worst open fracture; then eyes,
    the face and the rest; then the other open fractures; dead tissue last.
    """
    if rules.operation_bit[kind] & rules.in_cavity:
        return _LIFE
    if kind in (_AMPUTATION, _FASCIOTOMY, _LIGATION, _VASCULAR_REPAIR, _VASCULAR_SHUNT):
        return _LIMB
    if rules.bares_bone[condition]:
        return _BONES
    return _DEBRIDEMENT if kind == _WOUND_DEBRIDEMENT else _OTHER


@compiled
def _log_once(
    output: Output, row: int, casualty: CasualtyState, now: float, kind: int, number: int, rules: CareRules
) -> int:
    """Log an operation on wound `number` unless it has been done; return how many are logged: 1 or 0."""
    wound = number if rules.separate[kind] else NONE
    if last_start(output, casualty, kind, wound) >= 0:
        return 0
    log_treatment(output, row, casualty.facility, kind, now, 0.0, _SUPPORTIVE, number)
    return 1


@compiled
def _log_called_for(
    output: Output,
    row: int,
    casualty: CasualtyState,
    now: float,
    role: int,
    done: int,
    first: int,
    last: int,
    model: Model,
) -> int:
    """Log at `now` the operations that the wounds call for, that can be done here and have not been; return how many.

    Those of the rounds from `first` to before `last`, on top of the `done` operations of the session so far.

    The main operations come by urgency. What belongs to one that saves life or limb, such as a bowel resection or the
    fixation of an open fracture, follows it at once, debridement aside; the other further ones come last. A session
    ends before the least urgent ones where they are too many.
    """
    rules = model.treatments.rules
    record = output.patients[row]
    for turn in range(first, last):
        place = max(0, turn - _FURTHER + 1)
        most = int(model.treatments.limits.most_operations)
        if turn < _BONES:
            most = int(model.treatments.limits.most_urgent_operations)
        together = turn in (_LIFE, _LIMB, _WORST_BONE, _BONES)
        for number in range(casualty.wounds):
            kind = _called_for_here(output, record, casualty, number, place, role, model)
            if kind == NONE:
                continue
            condition = int(output.wounds[casualty.wound + number].condition)
            if turn < _FURTHER:
                urgency = _urgency(kind, condition, rules)
                if urgency != turn and not (turn == _WORST_BONE and urgency == _BONES):
                    continue
            for also in range(place, OPERATIONS_OF_CONDITION if together else place + 1):
                if done >= most or output.rows[TREATMENT_COUNT] >= casualty.first_treatment + CARE_ROWS:
                    break
                kind = _called_for_here(output, record, casualty, number, also, role, model)
                if kind == _BURN_EXCISION and now < record.onset + model.care.excision[0] * MINUTE:
                    continue  # it is cleaned and dressed, and excised later
                if kind != NONE and (also == place or kind != _WOUND_DEBRIDEMENT):
                    done += _log_once(output, row, casualty, now, kind, number, rules)
            if turn == _WORST_BONE:
                break
    return done


@compiled
def _open_wound(output: Output, casualty: CasualtyState, rules: CareRules) -> int:
    """Return the number of the worst wound that is cleaned and dressed, which can be debrided; NONE."""
    for number in range(casualty.wounds):
        needs = rules.needs[output.wounds[casualty.wound + number].condition]
        if needs & rules.bit[Treatment.WOUND_CARE]:
            return int(number)
    return NONE


@compiled
def _wound_of(output: Output, casualty: CasualtyState, kind: int, otherwise: int) -> int:
    """Return the number of the wound of the last treatment of a kind in the record; `otherwise` without one."""
    wound = otherwise
    for k in range(casualty.first_treatment, output.rows[TREATMENT_COUNT]):
        if output.treatments[k].kind == kind and output.treatments[k].wound != NONE:
            wound = int(output.treatments[k].wound)
    return wound


@compiled
def _surgical_wound(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> int:
    """Return the number of the wound that a surgeon works on: the first operated on so far, or that calls for it.

    Else it is the worst open wound, and where none is open the worst.
    """
    rules = model.treatments.rules
    for k in range(casualty.first_treatment, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        if treatment.wound == NONE:
            continue
        condition = output.wounds[casualty.wound + treatment.wound].condition
        for place in range(OPERATIONS_OF_CONDITION):
            if operation_of(record, casualty, condition, place, model) == treatment.kind:
                return int(treatment.wound)
    for number in range(casualty.wounds):
        if (
            operation_of(record, casualty, int(output.wounds[casualty.wound + number].condition), 0, model)
            != NONE
        ):
            return int(number)
    opened = _open_wound(output, casualty, rules)
    return opened if opened != NONE else 0


@compiled
def _needs_airway(output: Output, first: int, rules: CareRules) -> bool:
    """Return whether an operation of the session, whose rows begin with `first`, is done on an intubated patient."""
    for k in range(first, output.rows[TREATMENT_COUNT]):
        if rules.needs_airway[output.treatments[k].kind]:
            return True
    return False


@compiled
def log_anaesthesia(
    output: Output,
    row: int,
    casualty: CasualtyState,
    now: float,
    minutes: float,
    first: int,
    under_tube: bool,
    model: Model,
) -> None:
    """Set the anaesthesia of a session of `minutes` from `now`, ms, in the row before its operations, which is `first`.

    Whoever has no access gets one before. Whoever is operated on through a tube has it in before the session begins.
    """
    anaesthesia = output.treatments[first - 1]
    intubated = _has_airway(output, casualty, now)
    through_tube = under_tube or intubated
    anaesthesia.kind = _GENERAL_ANAESTHESIA
    if not through_tube:
        anaesthesia.kind = anaesthesia_without_tube(output, casualty, first)
    rules = model.treatments.rules
    here = casualty.facility
    lasts = minutes_of(_INTUBATION, _TYPICAL_PACE, rules)
    begin = now - (lasts + 1.0) * MINUTE
    has_access = (
        last_start(output, casualty, _IV_ACCESS, NONE) >= 0
        or last_start(output, casualty, _INTRAOSSEOUS_ACCESS, NONE) >= 0
    )
    if not has_access and not rules.off & rules.bit[_IV_ACCESS]:
        setting = rules.minutes[_IV_ACCESS, 1] * MINUTE
        insert_treatment(output, row, casualty, _IV_ACCESS, begin - setting, begin, here, NONE)
    if through_tube and not intubated:
        insert_treatment(output, row, casualty, _INTUBATION, begin, now - MINUTE, here, NONE)


@compiled
def _waits_for_others(
    output: Output, casualty: CasualtyState, kind: int, number: int, rules: CareRules
) -> bool:
    """Return whether an operation on what would kill comes after head, neck, chest and belly: under a tourniquet."""
    condition = int(output.wounds[casualty.wound + number].condition)
    return bool(
        _urgency(kind, condition, rules) != _LIFE and last_start(output, casualty, _TOURNIQUET, NONE) >= 0
    )


@compiled
def log_session(
    output: Output,
    row: int,
    casualty: CasualtyState,
    now: float,
    minutes: float,
    effect: int,
    otherwise: int,
    wound: int,
    model: Model,
) -> None:
    """Log the operations of a session in the theatre, `minutes` long, on an intubated patient where life is at stake.

    Parameters
    ----------
    effect
        `Effect` of the first of them on what would kill.
    otherwise, wound
        The operation where the wounds call for none that is still to be done, and the number of its wound.
    """
    wait = model.care.waits[1]
    if wait > _INDUCTION:  # those who come straight from the door have had no images in a bay
        log_images(output, row, casualty, now - wait * MINUTE, now - _INDUCTION * MINUTE, model)
    record = output.patients[row]
    role = int(model.network.role[casualty.facility])
    done = 0
    main = NONE
    main_wound = 0
    if effect != Effect.SUPPORTIVE and record.lethal != NONE:
        main_wound = int(casualty.killer) if casualty.killer != NONE else 0
        main = _main_operation(output, record, casualty, main_wound, role, model)
    antibiotics_before_operation(output, row, casualty, now, model)
    log_treatment(output, row, casualty.facility, _GENERAL_ANAESTHESIA, now, minutes, Effect.SUPPORTIVE, NONE)
    first = int(output.rows[TREATMENT_COUNT])
    turn = 0
    if main != NONE:
        if _waits_for_others(output, casualty, main, main_wound, model.treatments.rules):
            turn = _LIMB
            done = _log_called_for(output, row, casualty, now, role, done, 0, turn, model)
        log_treatment(output, row, casualty.facility, main, now, 0.0, effect, main_wound)
        done += 1
    _log_called_for(output, row, casualty, now, role, done, turn, _ROUNDS, model)
    left = otherwise in (_FRACTURE_FIXATION, _LAPAROTOMY)
    if left and output.rows[TREATMENT_COUNT] == first:
        log_treatment(output, row, casualty.facility, otherwise, now, 0.0, _SUPPORTIVE, wound)
    if casualty.operated:
        log_closures(output, row, casualty, now, model)
    if output.rows[TREATMENT_COUNT] == first:
        log_treatment(output, row, casualty.facility, otherwise, now, 0.0, _SUPPORTIVE, wound)
    end = now + minutes * MINUTE
    share_time(output, casualty, first, now, end, model)
    last = int(output.rows[TREATMENT_COUNT])
    log_casts(output, row, casualty, first, last, end, model)
    log_blood_of_excision(output, row, casualty, first, last, model)
    under_tube = bool(
        main != NONE
        or casualty.head_ais >= model.vital_signs.tube.brain_ais
        or minutes > model.treatments.limits.tube_minutes
        or _needs_airway(output, first, model.treatments.rules)
        or keeps_tube(record, casualty, now, model)
    )
    log_anaesthesia(output, row, casualty, now, minutes, first, under_tube, model)


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

    `uniform` on (0, 1) decides whether it succeeds (docs/model.md section 2.5.4), which those who bleed and have had no
    blood, which is given in resuscitation, do less often. The clock does not run meanwhile.
    """
    record = output.patients[row]
    effect = _SUPPORTIVE
    set_rate(casualty, now, 0.0)
    if casualty.life < math.inf:
        effect = _INEFFECTIVE
        chance = surgery_success(casualty, record, model.survival)
        if bleeds_to_death(record) and (casualty.no_blood or not casualty.resuscitated):
            chance *= model.survival.surgery_without_blood
        if uniform < chance:
            effect = _EFFECTIVE
    if not output.rows[QUIET]:
        split_units(output, row, casualty, now, math.inf)
        otherwise = _WOUND_DEBRIDEMENT
        wound = _open_wound(output, casualty, model.treatments.rules)
        if wound == NONE:
            otherwise = _DEFINITIVE_SURGERY
            wound = _surgical_wound(output, record, casualty, model)
        log_session(output, row, casualty, now, minutes, effect, otherwise, wound, model)
    if effect == Effect.EFFECTIVE:
        stop_clock(casualty, now)
    elif effect == Effect.INEFFECTIVE:
        casualty.slowest = max(casualty.slowest, model.survival.failed_surgery_rate)


@compiled
def _has_second_look(record: PatientRow, casualty: CasualtyState) -> bool:
    """Return whether a laparotomy is followed by a second look: of who has bled, or would have died."""
    return bool(casualty.blood_units > 0 or record.lethal != NONE)


@compiled
def log_definitive_surgery(
    output: Output, row: int, casualty: CasualtyState, now: float, minutes: float, model: Model
) -> None:
    """Log the definitive operation: what the wounds still call for, and the closure of those that are clean.

    Where that is nothing, it ends what damage control surgery began: the fixation of the worst wound, a fracture; a
    second look after a laparotomy of who has bled; else the second look at the wound operated on before, and its
    closure.
    """
    if output.rows[QUIET]:
        return
    record = output.patients[row]
    kind = _DELAYED_CLOSURE
    wound = _surgical_wound(output, record, casualty, model)
    worst = output.wounds[casualty.wound]
    limb = worst.region == Region.UPPER_LIMB or worst.region == Region.LOWER_LIMB
    if limb and model.injuries.flags[worst.condition] & ConditionFlag.FRACTURE:
        kind = _FRACTURE_FIXATION
        wound = 0
    elif last_start(output, casualty, _LAPAROTOMY, NONE) >= 0:
        if _has_second_look(record, casualty):
            kind = _LAPAROTOMY
            wound = _wound_of(output, casualty, kind, wound)
        else:
            opened = _open_wound(output, casualty, model.treatments.rules)
            wound = opened if opened != NONE else wound
    log_session(output, row, casualty, now, minutes, _SUPPORTIVE, kind, wound, model)


@compiled
def log_further_operation(
    output: Output, row: int, casualty: CasualtyState, now: float, minutes: float, model: Model
) -> None:
    """Log a further operation in the same stay: what the wounds still call for.

    Where that is nothing it is a second look after a laparotomy of who has bled. Else the wounds are cleaned again
    before the definitive operation; after it, or where nothing is open, it is a second look and the closure.
    """
    if output.rows[QUIET]:
        return
    record = output.patients[row]
    kind = _DELAYED_CLOSURE
    wound = _surgical_wound(output, record, casualty, model)
    opened = _open_wound(output, casualty, model.treatments.rules)
    if last_start(output, casualty, _LAPAROTOMY, NONE) >= 0 and _has_second_look(record, casualty):
        kind = _LAPAROTOMY
    elif not casualty.definitive and (
        opened != NONE or last_start(output, casualty, _WOUND_DEBRIDEMENT, NONE) >= 0
    ):
        kind = _WOUND_DEBRIDEMENT
        wound = opened if opened != NONE else 0
    wound = _wound_of(output, casualty, kind, wound)
    log_session(output, row, casualty, now, minutes, _SUPPORTIVE, kind, wound, model)
