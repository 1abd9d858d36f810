"""Waiting, and the triage that repeats while a casualty waits (docs/model.md section 2.6)."""

import math

from engine.clinical import category_of_state, is_immediate, log_event, looks_immediate, to_uniform
from engine.codes import (
    RETRIAGE,
    TRANSPORT,
    WAIT_EVENTS,
    CasualtyKind,
    DrawPurpose,
    Event,
    LethalMechanism,
    TriageCategory,
    WaitingFor,
)
from engine.kernel.codes import Stage, by_code
from engine.numeric import Counter, compiled, words
from engine.tables import (
    EVENT_COUNT,
    HOUR,
    MINUTE,
    QUIET,
    REPEATING_EVENTS_LIMIT,
    CareParameters,
    CasualtyState,
    Model,
    Output,
    PatientRow,
)

WAITING_AT = by_code(
    {
        Stage.FIRST_AID: WaitingFor.FIRST_AID,
        Stage.REQUEST: WaitingFor.EVACUATION,
        Stage.DEPART: WaitingFor.EVACUATION,
        Stage.ARRIVE: WaitingFor.TRANSPORT,
        Stage.TRIAGE: WaitingFor.TRIAGE,
        Stage.TREAT: WaitingFor.TREATMENT,
        Stage.SURGERY: WaitingFor.SURGERY,
        Stage.DEFINITIVE_SURGERY: WaitingFor.SURGERY,
        Stage.ICU: WaitingFor.RECOVERY,
        Stage.DISPOSITION: WaitingFor.RECOVERY,
        Stage.RETURN: WaitingFor.RECOVERY,
        Stage.CLOSED: WaitingFor.RECOVERY,
        Stage.ADMIT: WaitingFor.PLACE,
        Stage.START_TRIAGE: WaitingFor.TRIAGE,
        Stage.RESUME: WaitingFor.TREATMENT,
        Stage.AWAIT_TRANSPORT: WaitingFor.EVACUATION,
        Stage.LEAVE: WaitingFor.EVACUATION,
        Stage.AWAIT_OPERATION: WaitingFor.RECOVERY,
        Stage.REOPERATION: WaitingFor.RECOVERY,
        Stage.COMPLICATION: WaitingFor.RECOVERY,
        Stage.FIT_TO_TRAVEL: WaitingFor.RECOVERY,
    },
    Stage,
)
"""By `Stage`: what a casualty who is not in a queue waits for; NONE while care is being given."""

QUEUEING_AT = by_code(
    {
        **dict(zip(Stage, WAITING_AT, strict=True)),
        Stage.ICU: WaitingFor.ICU_BED,
        Stage.DISPOSITION: WaitingFor.WARD_BED,
        Stage.AWAIT_OPERATION: WaitingFor.WARD_BED,
        Stage.REOPERATION: WaitingFor.SURGERY,
    },
    Stage,
)
"""By `Stage`: what a casualty who is in a queue waits for."""

_IMMEDIATE = int(TriageCategory.T1)
_URGENT = int(TriageCategory.T2)
"""Plain: Numba cannot unify a member with a column of bytes (docs/platform.md section 2.3)."""


@compiled
def _draw_assigned_category(
    true: int,
    place: int,
    mascal: int,
    slight: bool,
    may_look_immediate: bool,
    uniform: float,
    care: CareParameters,
) -> int:
    """Return the assigned category: the true one, else mostly a neighbour (docs/model.md section 2.6.2).

    Few err about a T3 who is `slight`: needs no bed or, in a facility, is ill or has no wound above AIS 1. Only a T3,
    and in a facility only a T2, who `may_look_immediate` is taken for a T1.
    """
    minor = true == TriageCategory.T3
    right = care.triage_accuracy_minor[place] if minor else care.triage_accuracy[place]
    if true == TriageCategory.T1 and place == 0:
        right = care.triage_accuracy_immediate[1 if mascal else 0]
    if minor and slight:
        right = care.triage_accuracy_slight[0 if place == 0 else 1]
    if uniform < right:
        return int(true)
    wrong = (uniform - right) / (1.0 - right)
    if minor:
        two_steps = place == 0 and may_look_immediate and wrong < care.over_triage_two_steps[0]
        return TriageCategory.T1 if two_steps else TriageCategory.T2
    if true == TriageCategory.T1:
        return TriageCategory.T2
    over = care.over_triage_weight[0]
    if wrong >= over / (1.0 + over):
        return TriageCategory.T3
    return TriageCategory.T1 if place == 0 or may_look_immediate else TriageCategory.T2


@compiled
def assign_category(
    output: Output, row: int, casualty: CasualtyState, now: float, place: int, uniform: float, model: Model
) -> int:
    """Return the triage category assigned at `place` (0 for the point of injury, else the role).

    Under a declared MASCAL policy the worst wounded of a MASCAL incident are expectant (T4). A waiting casualty whose
    death is near counts as T1, and T1 who are stable after an operation as T2. Otherwise the true category is assigned,
    with the errors of triage; nobody errs about who plainly is T1. A limb under a tourniquet, a torn vessel and an
    opened eye are at least T2 until the operation.
    """
    record = output.patients[row]
    true = int(record.triage)
    if casualty.expectant:
        return TriageCategory.T4
    if casualty.life < math.inf and casualty.rate > 0.0 and (casualty.retriages > 0 or place > 0):
        time_left = (casualty.life - casualty.used) / casualty.rate - (now - casualty.since)
        if time_left <= model.survival.immediate_minutes * MINUTE:
            if place > 0:
                return _IMMEDIATE
            true = _IMMEDIATE
    if place == 0 and looks_immediate(record, casualty, now, model):
        return _IMMEDIATE
    if place > 0:
        if _is_plainly_immediate(record, casualty, now, model):
            return _IMMEDIATE
        if casualty.sorted_inside and casualty.life == math.inf:
            return category_of_state(record, casualty, now, model)
        if is_immediate(record, casualty, now, model):
            return _IMMEDIATE
        if true == TriageCategory.T1 and casualty.operated and casualty.life == math.inf:
            return _URGENT
    may_look_immediate = casualty.grave or record.kind == CasualtyKind.AGENT or casualty.life < math.inf
    slight = bool(casualty.outpatient)
    if place > 0 and record.kind != CasualtyKind.AGENT:
        slight = slight or record.worst_ais <= 1
    category = int(
        _draw_assigned_category(
            true, place, record.mascal, slight, bool(may_look_immediate), uniform, model.care
        )
    )
    if category == TriageCategory.T3 and (casualty.tourniquet or casualty.prompt) and not casualty.operated:
        return _URGENT
    return category


@compiled
def _is_plainly_immediate(record: PatientRow, casualty: CasualtyState, now: float, model: Model) -> bool:
    """Return whether anybody in a facility sees that a casualty is T1: by coma, shock, or wounds that are critical."""
    care = model.care
    if casualty.life < math.inf and (
        record.triage == TriageCategory.T1 or record.lethal == LethalMechanism.TBI
    ):
        return True
    if (
        record.kind == CasualtyKind.DISEASE
        and record.triage == TriageCategory.T1
        and not casualty.sorted_inside
    ):
        return True
    if casualty.hypotensive and now - casualty.admitted_at <= model.vital_signs.low_pressure.hours * HOUR:
        return True
    return bool(
        record.triage == TriageCategory.T1
        and not casualty.operated
        and (record.worst_ais >= care.plain_ais[0] or casualty.head_ais >= care.plain_ais[1])
    )


@compiled
def triage_for_evacuation(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model
) -> None:
    """Triage a casualty anew by the state before the request for evacuation from a facility.

    The expectant keep their category. Those who may die, the grave who still need an operation and those with a
    complication only become more urgent.
    """
    record = output.patients[row]
    if casualty.expectant or not model.network.role[casualty.facility]:
        return
    category = category_of_state(record, casualty, now, model)
    if (
        casualty.life < math.inf
        or casualty.late_death_at < math.inf
        or casualty.stage == Stage.COMPLICATION
        or (casualty.needs_surgery and not casualty.operated and casualty.grave)
    ):
        category = min(category, int(casualty.category))
    casualty.sorted_inside = 1
    if category != casualty.category:
        casualty.category = category
        if may_log_repeating_event(output, casualty):
            log_event(output, row, now, casualty.facility, Event.TRIAGED, category)


@compiled
def retriage(output: Output, row: int, casualty: CasualtyState, model: Model, counter: Counter) -> None:
    """Repeat the triage of a waiting casualty, who may become more urgent, and schedule the next one."""
    now = casualty.retriage_at
    casualty.retriages += 1
    uniform = to_uniform(
        words(model.keys[DrawPurpose.CARE], counter[0], counter[1], RETRIAGE + casualty.retriages)[0]
    )
    place = 0
    if casualty.facility >= 0:
        place = int(model.network.role[casualty.facility])
    category = assign_category(output, row, casualty, now, place, uniform, model)
    if category < casualty.category:
        casualty.category = category
        if may_log_repeating_event(output, casualty):
            log_event(output, row, now, casualty.facility, Event.TRIAGED, category)
    _schedule_retriage(casualty, now, model)


@compiled
def _schedule_retriage(casualty: CasualtyState, now: float, model: Model) -> None:
    """Schedule the next re-triage, if the wait lasts that long and the casualty may deteriorate."""
    casualty.retriage_at = now + model.network.retriage_interval
    if (
        casualty.retriage_at >= casualty.wait_until
        or casualty.category == TriageCategory.T1
        or casualty.category == TriageCategory.T4
        or casualty.life == math.inf
    ):
        casualty.retriage_at = math.inf


@compiled
def start_wait(
    output: Output, row: int, casualty: CasualtyState, now: float, awaited: int, model: Model
) -> None:
    """Start the wait for `awaited`, a resource or TRANSPORT: log it, note its start and schedule a re-triage.

    The wait for transport has no event of its own, since the evacuation request has been logged.
    """
    if awaited != TRANSPORT and may_log_repeating_event(output, casualty):
        log_event(output, row, now, casualty.facility, WAIT_EVENTS[awaited], awaited)
    casualty.wait_since = now
    _schedule_retriage(casualty, now, model)


@compiled
def may_log_repeating_event(output: Output, casualty: CasualtyState) -> bool:
    """Return whether the casualty's log has room for one more event of a kind that may repeat without limit."""
    return bool(
        output.rows[QUIET] or output.rows[EVENT_COUNT] < casualty.first_event + REPEATING_EVENTS_LIMIT
    )


@compiled
def precedence_of(casualty: CasualtyState) -> int:
    """Return the precedence of the evacuation request: the triage category, with T4 as routine."""
    return min(3, casualty.category)
