"""Complications in the course: who gets which, when, and what it does to the stay (docs/model.md section 2.5.8).

Each casualty has two draws for each complication: whether it occurs and when. They are compared with the risks known at
the moment that is considered, so a complication of the ventilated can occur only to those who have been ventilated. The
times lie in the course, and a complication is entered where it belongs: before later events of the patient.
"""

import math

from engine import numeric
from engine.clinical.log import insert_treatment
from engine.clinical.needs import bleeds_to_death, place_of_role
from engine.clinical.survival import clock_at
from engine.clinical.uniforms import to_uniform
from engine.codes import (
    COMPLICATION_DRAWS,
    LATE_DEATH,
    LIMBS,
    NONE,
    CasualtyKind,
    Complication,
    DrawPurpose,
    Event,
    LethalMechanism,
    Limb,
    Risk,
    Treatment,
)
from engine.numeric import compiled, words
from engine.tables import (
    EVENT_COUNT,
    MINUTE,
    QUIET,
    TREATMENT_COUNT,
    CasualtyState,
    ComplicationTables,
    Model,
    Output,
    PatientRow,
)

_KINDS = len(Complication)
_AFTER_OPERATION = (1 << Risk.LAPAROTOMY) | (1 << Risk.FASCIOTOMY)
_OPERATED = 1 << Risk.OPERATED
_INTENSIVE_CARE = 1 << Risk.INTENSIVE_CARE
_VENTILATED = 1 << Risk.VENTILATED
_SHOCK = 1 << Risk.SHOCK
_TRANSFUSED = 1 << Risk.TRANSFUSED
_MASSIVE_TRANSFUSION = 1 << Risk.MASSIVE_TRANSFUSION
_TOURNIQUET = 1 << Risk.TOURNIQUET_OVER_2_HOURS
_NISS_9 = 1 << Risk.NISS_9
_NISS_16 = 1 << Risk.NISS_16
_NISS_25 = 1 << Risk.NISS_25
_ORGAN_FAILURE = int(Complication.ORGAN_FAILURE)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""


@compiled
def risks_of_injuries(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> int:
    """Return the mask of `Risk` that wounds or accident bring; 0 where there are no complications."""
    tables = model.complications
    risks = 0
    if not tables.any[0] or model.transitions.used[0]:
        return 0
    if record.kind != CasualtyKind.WOUNDED:
        return int(tables.of_condition[record.condition])
    for number in range(casualty.wound, casualty.wound + casualty.wounds):
        risks |= int(tables.of_condition[output.wounds[number].condition])
    if record.niss >= 9:
        risks |= _NISS_9
    if record.niss >= 16:
        risks |= _NISS_16
    if record.niss >= 25:
        risks |= _NISS_25
    return risks


@compiled
def note_shock(record: PatientRow, casualty: CasualtyState, now: float, tables: ComplicationTables) -> None:
    """Note, at the first admission, whether a bleeding casualty arrives in shock."""
    if bleeds_to_death(record) and casualty.life < math.inf:
        casualty.shocked = 1 if clock_at(casualty, now) > tables.shock_share * casualty.life else 0


@compiled
def _risks_at(record: PatientRow, casualty: CasualtyState, now: float, model: Model) -> int:
    """Return the mask of `Risk` of a casualty at `now`, ms."""
    tables = model.complications
    risks = int(casualty.risks)
    if casualty.operated:
        risks |= _OPERATED
    else:
        risks &= ~_AFTER_OPERATION
    if casualty.intensive:
        risks |= _INTENSIVE_CARE
    if casualty.ventilated:
        risks |= _VENTILATED
    if casualty.shocked:
        risks |= _SHOCK
    if casualty.transfused_at < math.inf:
        risks |= _TRANSFUSED
        if casualty.blood_given >= tables.massive_units:
            risks |= _MASSIVE_TRANSFUSION
    carried = model.survival.available[Treatment.TOURNIQUET]
    if record.lethal == LethalMechanism.EXTREMITY_HAEMORRHAGE and carried:
        until = float(record.surgery) if record.surgery >= 0 else now
        if until - record.time > tables.tourniquet_time:
            risks |= _TOURNIQUET
    return risks


@compiled
def _chance(kind: int, risks: int, tables: ComplicationTables) -> float:
    """Return the probability of a complication: the highest of the rows that hold."""
    chance = 0.0
    for row in range(tables.first[kind], tables.first[kind + 1]):
        wanted = tables.risks[row]
        if risks & wanted == wanted and not risks & tables.without[row]:
            chance = max(chance, tables.chance[row])
    return chance


@compiled
def _earliest(record: PatientRow, casualty: CasualtyState, kind: int, tables: ComplicationTables) -> float:
    """Return the time before which nobody has a complication, ms."""
    begin = casualty.transfused_at if tables.from_transfusion[kind] else float(record.time)
    return float(begin + tables.earliest[kind])


@compiled
def _onset(
    record: PatientRow, casualty: CasualtyState, kind: int, risks: int, now: float, model: Model
) -> float:
    """Return when a complication that has not occurred is found, ms; infinity: never.

    Where the risk is newer than the time that was drawn, it is found at `now`.
    """
    tables = model.complications
    chance = _chance(kind, risks, tables)
    if chance <= 0.0:
        return math.inf
    key = model.keys[DrawPurpose.SURVIVAL]
    occurs, when, other, later = words(key, casualty.cell, casualty.index, COMPLICATION_DRAWS + kind // 2)
    if kind % 2 == 1:
        occurs, when = other, later
    if to_uniform(occurs) >= chance:
        return math.inf
    quantile = numeric.normal_quantile(to_uniform(when))
    onset = _earliest(record, casualty, kind, tables) + tables.scale[kind] * numeric.exp(
        tables.sigma[kind] * quantile
    )
    return max(onset, now) if onset < casualty.considered_at else onset


@compiled
def consider_complications(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model
) -> None:
    """Let the complications that are due by `now` occur: they lengthen the stay and enter the record.

    Only of a casualty who has reached a facility, before the outcome is fixed.
    """
    if not casualty.admitted or not casualty.risks:
        return
    enter_unseen(output, row, casualty, model)
    record = output.patients[row]
    tables = model.complications
    risks = _risks_at(record, casualty, now, model)
    for kind in range(_KINDS):
        if not casualty.complications >> kind & 1 and risks & tables.named[kind]:
            onset = _onset(record, casualty, kind, risks, now, model)
            if onset <= now:
                _occur(output, row, casualty, kind, onset, now, model)
    casualty.considered_at = now


@compiled
def next_complication(output: Output, row: int, casualty: CasualtyState, now: float, model: Model) -> float:
    """Return when the next complication occurs, as far as the risks at `now` tell, ms; infinity: none.

    Those that are due by `now` have occurred (`consider_complications`).
    """
    found = math.inf
    if not casualty.admitted or not casualty.risks:
        return found
    record = output.patients[row]
    tables = model.complications
    risks = _risks_at(record, casualty, now, model)
    for kind in range(_KINDS):
        if not casualty.complications >> kind & 1 and risks & tables.named[kind]:
            found = min(found, _onset(record, casualty, kind, risks, now, model))
    return found


@compiled
def _occur(
    output: Output, row: int, casualty: CasualtyState, kind: int, onset: float, now: float, model: Model
) -> None:
    """Let a complication occur: note it, lengthen the stay, and enter it in the record.

    Nobody leaves before its treatments could be given.
    """
    tables = model.complications
    casualty.complications |= 1 << kind
    casualty.stay_end = max(casualty.stay_end, onset) + tables.stay[kind]
    casualty.awake_at = max(casualty.awake_at, now + tables.busy[kind])
    if tables.stay[kind] > 0.0:
        casualty.expects_rtd72 = 0
    if tables.leaves[kind]:
        casualty.leaves_theatre = 1
    if not output.rows[QUIET]:
        _enter(output, row, casualty, kind, onset, model)


# --- the record


@compiled
def _is_seen_after(output: Output, place: int, model: Model) -> bool:
    """Return whether a complication is found after event `place`: in a facility, neither treated nor waiting."""
    event = output.events[place]
    if event.facility < 0 or model.network.role[event.facility] == 0:
        return False
    kind = event.kind
    return bool(
        kind == Event.CARE_ENDED
        or kind == Event.RESUSCITATION_ENDED
        or kind == Event.SURGERY_ENDED
        or kind == Event.DEFINITIVE_SURGERY_ENDED
        or kind == Event.ICU_ADMITTED
        or kind == Event.WARD_ADMITTED
        or kind == Event.QUARTERS
        or kind == Event.EVACUATION_REQUESTED
        or kind == Event.COMPLICATION
        or (kind == Event.ARRIVED and model.network.role[event.facility] == 4)
    )


@compiled
def _goes_to_theatre(output: Output, place: int, at: int) -> bool:
    """Return whether event `place` is the start of an operation less than a minute after `at`, ms."""
    if place >= output.rows[EVENT_COUNT]:
        return False
    event = output.events[place]
    starts = event.kind == Event.SURGERY_STARTED or event.kind == Event.DEFINITIVE_SURGERY_STARTED
    return bool(starts and event.at < at + MINUTE)


@compiled
def _enter(output: Output, row: int, casualty: CasualtyState, kind: int, onset: float, model: Model) -> None:
    """Enter a complication among the events of the patient, by time, with its treatments.

    Who is on the way, waits, is treated or is just taken to theatre is found to have it afterwards. If nothing follows
    yet it is still unseen.
    """
    first, count = int(casualty.first_event), int(output.rows[EVENT_COUNT])
    at = int(onset)
    place = count
    while place > first + 1 and output.events[place - 1].at > at:
        place -= 1
    while not _is_seen_after(output, place - 1, model) or _goes_to_theatre(output, place, at):
        if place == count:
            casualty.unseen |= 1 << kind
            return
        place += 1
    at = max(at, output.events[place - 1].at)
    facility = int(output.events[place - 1].facility)
    for k in range(count, place, -1):
        output.events[k] = output.events[k - 1]
    wound = _wound_of(output, casualty, kind, model)
    entry = output.events[place]
    entry.at = at
    entry.patient = row
    entry.facility = facility
    entry.kind = Event.COMPLICATION
    entry.detail = LIMBS * kind + _limb_of(output, row, casualty, kind, wound, model)
    output.rows[EVENT_COUNT] = count + 1
    if place < output.physiology.events_seen:
        output.physiology.events_seen += 1
    _treat(output, row, casualty, kind, at, facility, place, wound, model)


@compiled
def enter_unseen(output: Output, row: int, casualty: CasualtyState, model: Model) -> None:
    """Enter the complications that occurred when nobody could find them, if somebody can now."""
    if output.rows[QUIET] or not casualty.unseen:
        return
    unseen = casualty.unseen
    casualty.unseen = 0
    for kind in range(_KINDS):
        if unseen >> kind & 1:
            _enter(output, row, casualty, kind, casualty.considered_at, model)


@compiled
def _names_limb(limb: int, kind: int, tables: ComplicationTables) -> bool:
    """Return whether a complication has a code of its own for a limb."""
    if limb == Limb.RIGHT_ARM or limb == Limb.LEFT_ARM:
        return bool(tables.limbs[kind, 0])
    return bool(limb != Limb.NO_LIMB and tables.limbs[kind, 1])


@compiled
def _wound_of(output: Output, casualty: CasualtyState, kind: int, model: Model) -> int:
    """Return the number of the wound that a complication of a limb comes from, the worst that brings it; NONE."""
    tables = model.complications
    for number in range(casualty.wounds):
        condition = output.wounds[casualty.wound + number].condition
        brings = tables.of_condition[condition] & tables.named[kind]
        if brings and _names_limb(tables.limb[condition], kind, tables):
            return int(number)
    return NONE


@compiled
def _limb_of(output: Output, row: int, casualty: CasualtyState, kind: int, wound: int, model: Model) -> int:
    """Return the `Limb` of a complication."""
    tables = model.complications
    condition = output.patients[row].condition
    if wound != NONE:
        condition = output.wounds[casualty.wound + wound].condition
    limb = int(tables.limb[condition])
    return limb if _names_limb(limb, kind, tables) else 0


@compiled
def _stays_until(output: Output, place: int) -> float:
    """Return when the patient leaves the facility, is operated on or has an outcome after event `place`, ms."""
    for k in range(place + 1, output.rows[EVENT_COUNT]):
        kind = output.events[k].kind
        if (
            kind == Event.DEPARTED
            or kind == Event.DIED
            or kind == Event.SURGERY_STARTED
            or kind == Event.DEFINITIVE_SURGERY_STARTED
        ):
            return float(output.events[k].at)
    return math.inf


@compiled
def _treat(
    output: Output,
    row: int,
    casualty: CasualtyState,
    kind: int,
    at: int,
    facility: int,
    place: int,
    wound: int,
    model: Model,
) -> None:
    """Enter the treatments of a complication that the facility can give, one after another, before the next journey.

    Those that run on are entered for as long as the others take.
    """
    rules = model.treatments.rules
    role = int(model.network.role[facility])
    here = rules.here[place_of_role(role)]
    until = min(_stays_until(output, place), at + model.complications.busy[kind])
    begin = float(at)
    for number in range(len(model.complications.treatments[kind])):
        treatment = int(model.complications.treatments[kind, number])
        if treatment == NONE:
            break
        operation = rules.in_theatre[treatment, role] and model.network.operates[facility]
        if not operation and not here & rules.bit[treatment]:
            continue
        end = min(begin + rules.minutes[treatment, 1] * MINUTE, until)
        if end < begin + MINUTE or output.rows[TREATMENT_COUNT] >= len(output.treatments):
            break
        insert_treatment(output, row, casualty, treatment, begin, end, facility, wound if operation else NONE)
        if not rules.until_end & rules.bit[treatment]:
            begin = end


@compiled
def name_late_death(output: Output, row: int, casualty: CasualtyState, at: float, model: Model) -> None:
    """Name the complication that a late death at `at`, ms, is of.

    The survival clock has decided that and when the casualty dies. Of those that kill the casualty has the one with the
    greatest weight; without one, one that suits is drawn, and its onset between its earliest time and the death.
    """
    tables = model.complications
    if output.rows[QUIET] or not tables.any[0]:
        return
    record = output.patients[row]
    fatal, weight = NONE, 0.0
    for kind in range(_KINDS):
        if casualty.complications >> kind & 1 and tables.kills[kind] > weight:
            fatal, weight = kind, tables.kills[kind]
    if fatal == NONE:
        fatal = _draw_fatal(record, casualty, at, model)
        _, _, _, when = words(model.keys[DrawPurpose.SURVIVAL], casualty.cell, casualty.index, LATE_DEATH)
        begin = min(_earliest(record, casualty, fatal, tables), at)
        casualty.complications |= 1 << fatal
        _enter(output, row, casualty, fatal, begin + to_uniform(when) * (at - begin), model)
    record.fatal_complication = fatal


@compiled
def _draw_fatal(record: PatientRow, casualty: CasualtyState, at: float, model: Model) -> int:
    """Draw by weight which complication kills, among those that the casualty may have by `at`; else organ failure."""
    tables = model.complications
    risks = _risks_at(record, casualty, at, model)
    total = 0.0
    for kind in range(_KINDS):
        total += _fatal_weight(record, casualty, kind, risks, at, tables)
    _, _, which, _ = words(model.keys[DrawPurpose.SURVIVAL], casualty.cell, casualty.index, LATE_DEATH)
    left = to_uniform(which) * total
    for kind in range(_KINDS):
        weight = _fatal_weight(record, casualty, kind, risks, at, tables)
        if weight > 0.0 and left < weight:
            return int(kind)
        left -= weight
    return _ORGAN_FAILURE


@compiled
def _fatal_weight(
    record: PatientRow,
    casualty: CasualtyState,
    kind: int,
    risks: int,
    at: float,
    tables: ComplicationTables,
) -> float:
    """Return the weight of a complication among those that may have killed by `at`."""
    if tables.kills[kind] <= 0.0 or _chance(kind, risks, tables) <= 0.0:
        return 0.0
    return tables.kills[kind] if _earliest(record, casualty, kind, tables) < at else 0.0
