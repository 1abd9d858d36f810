"""Operations and intensive care inside a facility (docs/model.md section 2.7.3)."""

import math

from engine import numeric
from engine.clinical import (
    care_in_bed,
    coma_scale,
    consider_complications,
    death_time,
    is_operated_on_again,
    log_definitive_surgery,
    log_event,
    log_further_operation,
    log_treatment,
    log_ward_rounds,
    repeat_atropine,
    set_rate,
    start_recovery,
    start_surgery,
    stay_after_operation,
    time_awake,
    to_uniform,
    ventilate,
    work_of_session,
)
from engine.codes import (
    INTENSIVE_CARE,
    LEG_BLOCKS,
    NONE,
    OPERATION,
    REOPERATION,
    REOPERATION_BLOCKS,
    CasualtyKind,
    DrawPurpose,
    Effect,
    Event,
    Treatment,
    TriageCategory,
)
from engine.kernel.codes import ServiceTime, Stage
from engine.kernel.disposition_stages import arranged_at, leads_to_role_4, stays_until_duty
from engine.kernel.travel import draw_service_time
from engine.numeric import Counter, compiled, continuous, words
from engine.tables import DAY, MINUTE, QUIET, CasualtyState, Model, Output, PatientRow

_AWAKE_GCS, _DROWSY_GCS = 14.5, 12.5
"""From the first on the Glasgow Coma Scale is normal; below the second nobody leaves for a ward after an operation on
the head."""
_SERIOUS_HEAD_AIS = 3
_FURTHER = 0.5 * DAY
"""ms from the first operation until the end of another."""
_HIGHEST_IN_THEATRE = 3
"""Role."""
_NOTHING_ELSE = 2
"""Of `excision`: the burn is all that calls for an operation."""


@compiled
def _wakes_in_intensive_care(record: PatientRow, casualty: CasualtyState) -> bool:
    """Return whether an operation is followed by intensive care: of the grave, and in head, neck, chest or belly."""
    return bool(casualty.cavity or (casualty.grave and record.triage != TriageCategory.T3))


@compiled
def _is_further(record: PatientRow, casualty: CasualtyState) -> bool:
    """Return whether the last operation here was a further one, half a day and more after the first."""
    return bool(
        casualty.operations_here > 1
        or (
            casualty.operated_here
            and record.surgery >= 0
            and casualty.operated_until - float(record.surgery) > _FURTHER
        )
    )


@compiled
def needs_intensive_care(record: PatientRow, casualty: CasualtyState, model: Model) -> bool:
    """Return whether the casualty meets a criterion of intensive care and the facility has it.

    After a further operation only the comatose, those with a large burn and those operated on in a cavity do.
    Whoever calls for an operation that only a higher role can do, and was not operated on here, is sent on at once.
    """
    care = model.care
    here = casualty.facility
    if (
        casualty.onward > model.network.role[here]
        and not casualty.operated_here
        and model.network.next_link[here, record.front] >= 0
    ):
        return False
    by_state = casualty.cavity or casualty.comatose or casualty.large_burn
    if _is_further(record, casualty) and not by_state:
        return False
    if record.kind != CasualtyKind.WOUNDED:
        called_for = model.treatments.rules.intensive[record.condition]
        return bool(called_for and model.network.has_icu[casualty.facility])
    return bool(
        model.network.has_icu[casualty.facility]
        and (
            (care.icu_after_surgery and casualty.operated_here and _wakes_in_intensive_care(record, casualty))
            or record.worst_ais >= care.icu_ais
            or record.niss >= care.icu_niss
            or casualty.large_burn
            or (care.icu_after_resuscitation and casualty.resuscitated)
        )
    )


@compiled
def _iss_band(iss: int) -> int:
    """Return the ISS band (docs/model.md section 3.2.7): 0 for 1-8, 1 for 9-15, 2 for 16-24, 3 for 25 and more."""
    if iss < 9:
        return 0
    if iss < 16:
        return 1
    return 2 if iss < 25 else 3


@compiled
def _further_block(casualty: CasualtyState, operations: int) -> int:
    """Return the block of draws of the operation before which a casualty has had `operations` at this facility."""
    return REOPERATION + REOPERATION_BLOCKS * casualty.leg + operations


@compiled
def _plan_reoperation(
    record: PatientRow, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """Draw at the end of an operation whether another one follows in this stay, and when it is due."""
    care = model.care
    casualty.reoperate_at = math.inf
    if (
        casualty.operations_here >= care.most_operations
        or not care.reoperation_roles >> model.network.role[casualty.facility] & 1
    ):
        return
    follows, interval, _, _ = words(
        model.keys[DrawPurpose.CARE],
        counter[0],
        counter[1],
        _further_block(casualty, casualty.operations_here),
    )
    if to_uniform(follows) < care.reoperation[_iss_band(record.iss)]:
        given = care.reoperation_interval
        minutes = continuous(
            care.reoperation_interval_kind, given[0], given[1], given[2], to_uniform(interval)
        )
        casualty.reoperate_at = now + minutes * MINUTE


@compiled
def _draw_operating_time(
    record: PatientRow, casualty: CasualtyState, uniform: float, is_further: bool, model: Model
) -> float:
    """Return the minutes of an operation: the facility's own distribution, else by role, ISS and what there is to do.

    By role and band of the ISS the mean is the published one (docs/model.md section 3.2.7).
    """
    if model.network.service_kind[casualty.facility, ServiceTime.SURGERY] >= 0:
        return draw_service_time(model, casualty.facility, ServiceTime.SURGERY, model.care.icu, uniform)
    level = 0 if model.network.role[casualty.facility] <= 2 else 1
    given = model.care.surgery_given
    median = model.care.surgery[level, _iss_band(record.iss)]
    if not model.treatments.limits.operates_by_category:
        work = work_of_session(casualty, int(model.network.role[casualty.facility]), is_further)
        median += (
            given[1] * numeric.log(work + given[2]) - model.care.surgery_work[level, _iss_band(record.iss)]
        )
    minutes = numeric.exp(median + given[0] * numeric.normal_quantile(uniform))
    return min(given[4], max(given[3], minutes))


@compiled
def _start_definitive_surgery(
    output: Output, row: int, casualty: CasualtyState, now: float, minutes: float, model: Model
) -> None:
    """Start the definitive operation, during which the clock stops."""
    log_event(output, row, now, casualty.facility, Event.DEFINITIVE_SURGERY_STARTED, 0)
    log_definitive_surgery(output, row, casualty, now, minutes, model)
    casualty.definitive = 1
    set_rate(casualty, now, 0.0)
    casualty.stage = Stage.DEFINITIVE_DONE


@compiled
def _start_damage_control_surgery(
    output: Output,
    row: int,
    casualty: CasualtyState,
    now: float,
    minutes: float,
    uniform: float,
    model: Model,
) -> None:
    """Start damage control surgery.

    A facility with definitive surgery completes it in the same operation, unless a higher role has to do a part.
    """
    log_event(output, row, now, casualty.facility, Event.SURGERY_STARTED, 0)
    start_surgery(output, row, casualty, now, minutes, uniform, model)
    output.patients[row].surgery = int(now)
    casualty.operated = 1
    here = casualty.facility
    if model.network.definitive[here] and model.network.role[here] >= casualty.onward:
        casualty.definitive = 1
    casualty.stage = Stage.OPERATED


@compiled
def _start_reoperation(
    output: Output, row: int, casualty: CasualtyState, now: float, minutes: float, model: Model
) -> None:
    """Start a further operation, during which the clock stops.

    It is part of damage control surgery until the casualty has had the definitive operation.
    """
    started = Event.SURGERY_STARTED
    if casualty.definitive:
        started = Event.DEFINITIVE_SURGERY_STARTED
    log_event(output, row, now, casualty.facility, started, 0)
    log_further_operation(output, row, casualty, now, minutes, model)
    set_rate(casualty, now, 0.0)
    casualty.stage = Stage.REOPERATED


@compiled
def put_off_until(
    record: PatientRow, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> float:
    """Return when an operation at this facility is due that could begin at `now`, ms: later, or `now` itself.

    The definitive operation follows damage control surgery after a day or two, but on arrival for those who are still
    dying, and for vessels, eyes and the spine. A burn is excised some days after the injury.
    """
    if (
        model.transitions.used[0]
        or model.treatments.limits.operates_by_category
        or casualty.life < math.inf
        or (casualty.operated and casualty.prompt)
        or (not casualty.operated and casualty.excision < _NOTHING_ELSE)
    ):
        return now
    care = model.care
    _, _, interval, excision = words(
        model.keys[DrawPurpose.CARE], counter[0], counter[1], OPERATION + LEG_BLOCKS * casualty.leg
    )
    due = now
    if casualty.operated:
        given = care.reoperation_interval
        minutes = continuous(
            care.reoperation_interval_kind, given[0], given[1], given[2], to_uniform(interval)
        )
        due = record.surgery + minutes * MINUTE
    if casualty.excision:
        given = care.excision
        minutes = continuous(numeric.TRIANGULAR, given[0], given[1], given[2], to_uniform(excision))
        due = max(due, record.onset + minutes * MINUTE)
    return max(now, due)


@compiled
def start_operation(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """Start damage control surgery, the definitive operation of a casualty who has had it, or a further operation.

    What was put off since the arrival is one of the first two.
    """
    record = output.patients[row]
    time_word, success_word, _, _ = words(
        model.keys[DrawPurpose.CARE], counter[0], counter[1], OPERATION + LEG_BLOCKS * casualty.leg
    )
    is_further = casualty.stage == Stage.REOPERATION and casualty.operations_here > 0
    casualty.reoperate_at = math.inf
    if is_further:
        _, _, time_word, _ = words(
            model.keys[DrawPurpose.CARE],
            counter[0],
            counter[1],
            _further_block(casualty, casualty.operations_here),
        )
    minutes = _draw_operating_time(record, casualty, to_uniform(time_word), is_further, model)
    casualty.operated_here = 1
    casualty.operations_here += 1
    if is_further:
        _start_reoperation(output, row, casualty, now, minutes, model)
    elif casualty.operated:
        _start_definitive_surgery(output, row, casualty, now, minutes, model)
    else:
        _start_damage_control_surgery(output, row, casualty, now, minutes, to_uniform(success_word), model)
    casualty.at = now + minutes * MINUTE


@compiled
def travels_on_ventilator(record: PatientRow, casualty: CasualtyState) -> bool:
    """Return whether a casualty is still on the ventilator after damage control surgery: nobody waits for waking."""
    return bool(
        not casualty.definitive and ((casualty.cavity and casualty.blood_units > 0) or record.lethal != NONE)
    )


@compiled
def _recovery_after(record: PatientRow, casualty: CasualtyState, model: Model) -> float:
    """Return ms for which a casualty is watched after an operation before the journey is asked for."""
    if travels_on_ventilator(record, casualty):
        return 0.0
    limb = not casualty.grave and not casualty.cavity
    return float(model.care.recovery[0 if limb else 1])


@compiled
def end_operation(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """End an operation; intensive care is considered next."""
    record = output.patients[row]
    first = casualty.stage == Stage.OPERATED
    ended = Event.DEFINITIVE_SURGERY_ENDED
    if first or (casualty.stage == Stage.REOPERATED and not casualty.definitive):
        ended = Event.SURGERY_ENDED
    log_event(output, row, now, casualty.facility, ended, 0)
    if first and casualty.single_session:
        casualty.definitive = 1
    stay_after_operation(casualty, now, model.survival)
    casualty.awake_at = max(casualty.awake_at, now + model.care.awakening[0])
    casualty.operated_until = now
    casualty.recovered_at = now + _recovery_after(record, casualty, model)
    if casualty.life < math.inf:
        set_rate(casualty, now, casualty.slowest * casualty.factor)
    elif not output.rows[QUIET] and casualty.recover_span == 0.0:
        start_recovery(record, casualty, now, model.survival)
    _plan_reoperation(record, casualty, now, model, counter)
    casualty.stage = Stage.ICU
    casualty.at = now


@compiled
def _draw_intensive_care(casualty: CasualtyState, model: Model, counter: Counter) -> float:
    """Return the minutes of intensive care; after a further operation by draws of its own."""
    key = model.keys[DrawPurpose.CARE]
    uniform = to_uniform(words(key, counter[0], counter[1], INTENSIVE_CARE + LEG_BLOCKS * casualty.leg)[0])
    if casualty.operations_here > 1:
        block = _further_block(casualty, casualty.operations_here - 1)
        uniform = to_uniform(words(key, counter[0], counter[1], block)[3])
    return draw_service_time(model, casualty.facility, ServiceTime.ICU, model.care.icu, uniform)


@compiled
def _bounded_intensive_care(
    record: PatientRow, casualty: CasualtyState, now: float, minutes: float, model: Model
) -> float:
    """Return the minutes of intensive care within their bounds (`care.intensive`).

    At most a day of who is awake and needs no blood after an operation, and half a day before an operation of a higher
    role; at least a day after an operation on the head with a GCS below 13.
    """
    limits = model.care.icu_limits
    here = casualty.facility
    if (
        casualty.operated_here
        and (casualty.blood_units == 0 or now > casualty.transfused_at + DAY)
        and coma_scale(casualty, now - float(record.onset)) >= _AWAKE_GCS
    ):
        minutes = min(minutes, limits[0] / MINUTE)
    moves_on = casualty.large_burn and model.network.role[here] < _HIGHEST_IN_THEATRE
    if (moves_on or casualty.onward > model.network.role[here]) and model.network.next_link[
        here, record.front
    ] >= 0:
        minutes = min(minutes, limits[1] / MINUTE)
    elif (
        casualty.operated_here
        and casualty.head_ais >= _SERIOUS_HEAD_AIS
        and coma_scale(casualty, now + minutes * MINUTE - float(record.onset)) < _DROWSY_GCS
    ):
        minutes = max(minutes, limits[2] / MINUTE)
    return float(minutes)


@compiled
def _until_awake(
    record: PatientRow, casualty: CasualtyState, now: float, minutes: float, model: Model, counter: Counter
) -> float:
    """Return the minutes of intensive care of who is comatose at its end: until awake, or until the journey.

    The comatose, and those whose second operation in a cavity is due, go to no ward before it.
    """
    end = now + minutes * MINUTE
    edge = model.treatments.limits.unconscious_gcs + 0.5
    comatose = record.kind == CasualtyKind.WOUNDED and coma_scale(casualty, end - float(record.onset)) < edge
    if casualty.reoperate_at < math.inf:
        if comatose or is_operated_on_again(casualty):
            end = max(end, casualty.reoperate_at)
    elif comatose and (
        model.network.next_link[casualty.facility, record.front] < 0
        or stays_until_duty(record, casualty, model)
    ):
        end = max(end, time_awake(record, casualty, edge))
    elif comatose:
        casualty.arranged_at = arranged_at(record, casualty, end, model, counter)
        end = max(casualty.arranged_at, casualty.recovered_at)
    return (end - now) / MINUTE


@compiled
def _waits_in_intensive_care(record: PatientRow, casualty: CasualtyState, now: float, model: Model) -> bool:
    """Return whether a casualty waits for the journey to Role 4 in intensive care.

    It is who has a large burn, and who is not awake after a severe injury of the head.
    """
    drowsy = coma_scale(casualty, now - float(record.onset)) < _DROWSY_GCS
    head = casualty.head_ais >= model.vital_signs.tube.brain_ais and (drowsy or casualty.ventilated)
    return bool(
        (head or casualty.large_burn)
        and not model.transitions.used[0]
        and record.kind == CasualtyKind.WOUNDED
        and leads_to_role_4(record, casualty, model)
        and not stays_until_duty(record, casualty, model)
    )


@compiled
def start_intensive_care(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """Start intensive care if it is needed and offered; a further operation or the disposition follows."""
    record = output.patients[row]
    casualty.stage = Stage.DISPOSITION
    if needs_intensive_care(record, casualty, model):
        consider_complications(output, row, casualty, now, model)
        casualty.intensive = 1
        minutes = _draw_intensive_care(casualty, model, counter)
        by_state = not model.transitions.used[0]
        by_state = by_state and model.network.service_kind[casualty.facility, ServiceTime.ICU] < 0
        if by_state:
            minutes = _bounded_intensive_care(record, casualty, now, minutes, model)
        if _waits_in_intensive_care(record, casualty, now, model):
            casualty.arranged_at = arranged_at(record, casualty, now + minutes * MINUTE, model, counter)
            minutes = (casualty.arranged_at - now) / MINUTE
        elif by_state:
            minutes = _until_awake(record, casualty, now, minutes, model, counter)
        log_event(output, row, now, casualty.facility, Event.ICU_ADMITTED, 0)
        log_treatment(
            output, row, casualty.facility, Treatment.CRITICAL_CARE, now, minutes, Effect.SUPPORTIVE, NONE
        )
        ventilate(output, row, casualty, now, minutes, model)
        hourly = model.treatments.limits.atropine_later_minutes
        repeat_atropine(output, row, casualty, now + hourly * MINUTE, now + minutes * MINUTE, hourly, model)
        casualty.at = now + minutes * MINUTE
        log_ward_rounds(output, row, casualty, now, casualty.at, model)
        care_in_bed(output, row, casualty, now, casualty.at, model)
    if casualty.reoperate_at < math.inf:
        due = casualty.reoperate_at <= casualty.at
        casualty.stage = Stage.REOPERATION if due else Stage.AWAIT_OPERATION


@compiled
def await_operation(output: Output, row: int, casualty: CasualtyState, now: float, model: Model) -> None:
    """Admit the casualty to the ward until a further operation is due."""
    log_event(output, row, now, casualty.facility, Event.WARD_ADMITTED, 0)
    casualty.at = max(now, casualty.reoperate_at)
    until = min(casualty.at, death_time(casualty))
    minutes = (until - now) / MINUTE
    log_treatment(output, row, casualty.facility, Treatment.WARD_CARE, now, minutes, Effect.SUPPORTIVE, NONE)
    log_ward_rounds(output, row, casualty, now, until, model)
    care_in_bed(output, row, casualty, now, until, model)
    casualty.stage = Stage.REOPERATION
