"""How care ends: death, return to duty or discharge, and the treatments that they cut short."""

from engine.clinical import consider_complications, log_event, name_late_death
from engine.codes import EN_ROUTE, DeathCause, Effect, Event, Outcome, Stream, WaitingFor
from engine.kernel.codes import Stage
from engine.kernel.remains_stages import begin_recovery
from engine.kernel.waiting import QUEUEING_AT, WAITING_AT
from engine.numeric import compiled
from engine.tables import QUIET, TREATMENT_COUNT, CasualtyState, Model, Output

ONE_SECOND = 1000
"""ms. Treatments that an interruption shortens to less are removed."""


@compiled
def set_outcome(output: Output, row: int, casualty: CasualtyState, at: float, status: int) -> None:
    """Fix the outcome: the record is complete and the casualty is closed."""
    record = output.patients[row]
    record.closed = int(at)
    record.status = status
    record.facility = casualty.facility
    casualty.stage = Stage.CLOSED


@compiled
def end_treatments(output: Output, first: int, at: float, least: int) -> None:
    """End the casualty's treatments at `at`, ms.

    Parameters
    ----------
    first
        The casualty's first row of the treatments.
    least
        A treatment cut to less than this many ms is removed. What acts on the clock before the first facility is kept,
        for it does so from the first aid on.
    """
    remaining = first
    end = int(at)
    for k in range(first, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        if treatment.end > end:
            if treatment.start + least > end:
                if treatment.effect == Effect.SUPPORTIVE or treatment.facility >= 0:
                    continue
                begins_with_the_way = treatment.facility == EN_ROUTE and treatment.start == end
                if not begins_with_the_way:
                    treatment.start = end - ONE_SECOND
                    treatment.end = end
            else:
                treatment.end = end
        if remaining != k:
            output.treatments[remaining] = treatment
        remaining += 1
    output.rows[TREATMENT_COUNT] = remaining


@compiled
def go_on_the_way(output: Output, first: int, now: float) -> None:
    """Let the treatment that acts on the clock go on in the vehicle, if it has not begun at the departure at `now`, ms.

    `first` is the casualty's first row of the treatments.
    """
    begin = int(now)
    for k in range(first, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        if treatment.effect != Effect.SUPPORTIVE and treatment.start + ONE_SECOND > begin:
            treatment.end += begin - treatment.start
            treatment.start = begin
            treatment.facility = EN_ROUTE


@compiled
def spread_treatments(output: Output, first: int, start: float, end: float) -> None:
    """Stretch or compress the treatments from row `first` on so that they last from `start` to `end`, ms.

    None of them gets shorter than a second. What has begun before `start` is over at `end` at the latest.
    """
    begin = int(start)
    span = 0
    for k in range(first, output.rows[TREATMENT_COUNT]):
        if output.treatments[k].start >= begin:
            span = max(span, output.treatments[k].end - begin)
    scale = (int(end) - begin) / span if span > 0 else 1.0
    for k in range(first, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        if treatment.start < begin:
            treatment.end = min(treatment.end, int(end))
            continue
        treatment.start = begin + int((treatment.start - begin) * scale)
        treatment.end = max(treatment.start + ONE_SECOND, begin + int((treatment.end - begin) * scale))


@compiled
def _set_outcome_of_death(output: Output, row: int, casualty: CasualtyState, at: float, model: Model) -> None:
    """Fix the outcome of a death: KIA before the first MTF and DOW after it, for battle casualties.

    Where the scenario asks for it, the remains are still to be moved.
    """
    arrival = casualty.at if casualty.stage == Stage.ARRIVE else casualty.arrive_at
    if output.patients[row].stream != Stream.BATTLE:
        set_outcome(output, row, casualty, at, Outcome.DIED_NONBATTLE)
    else:
        set_outcome(output, row, casualty, at, Outcome.DOW if casualty.admitted else Outcome.KIA)
    if model.network.recovers_dead:
        begin_recovery(casualty, output.patients[row].front, at, arrival, model)


@compiled
def die(output: Output, row: int, casualty: CasualtyState, at: float, model: Model) -> None:
    """Let the casualty die at `at`, ms: set cause, awaited care and outcome."""
    record = output.patients[row]
    if not output.rows[QUIET]:  # they no longer affect the flow
        consider_complications(output, row, casualty, at, model)
    if record.worst_ais == 6:
        record.death_cause = DeathCause.INSTANTLY_FATAL_INJURY
    elif model.transitions.used[0]:
        record.death_cause = DeathCause.TRANSITION
    elif at >= casualty.late_death_at:
        record.death_cause = DeathCause.LATE_COMPLICATIONS
        name_late_death(output, row, casualty, at, model)
    else:
        record.death_cause = DeathCause.TBI + record.lethal  # the causes by mechanism are in the same order
    if record.death_cause != DeathCause.INSTANTLY_FATAL_INJURY:
        waits = at < casualty.wait_until
        awaited = int(QUEUEING_AT[casualty.stage] if waits else WAITING_AT[casualty.stage])
        if awaited != WaitingFor.TRANSPORT and awaited != WaitingFor.RECOVERY:  # the way and the bed are care
            record.waiting_for = awaited
    log_event(output, row, at, casualty.facility, Event.DIED, 0)
    end_treatments(output, casualty.first_treatment, at, 1)
    _set_outcome_of_death(output, row, casualty, at, model)


@compiled
def kill_in_hit(output: Output, row: int, casualty: CasualtyState, now: float, model: Model) -> None:
    """Let the hit on the facility kill the casualty."""
    log_event(output, row, now, casualty.facility, Event.FACILITY_HIT, 0)
    log_event(output, row, now, casualty.facility, Event.DIED, 0)
    end_treatments(output, casualty.first_treatment, now, 1)
    output.patients[row].death_cause = DeathCause.FACILITY_HIT
    _set_outcome_of_death(output, row, casualty, now, model)


@compiled
def return_to_duty(output: Output, row: int, casualty: CasualtyState, now: float, model: Model) -> None:
    """Return the casualty to duty.

    Who is never fit for duty in theatre again, where no way leads onwards, is discharged from the force instead. So is
    whoever is at Role 4, which only transition-matrix routing reaches.
    """
    end_treatments(output, casualty.first_treatment, now, ONE_SECOND)
    discharged = casualty.leaves_theatre and not model.transitions.used[0]
    if discharged or (casualty.facility >= 0 and model.network.role[casualty.facility] == 4):
        log_event(output, row, now, casualty.facility, Event.DISCHARGED, 0)
        set_outcome(output, row, casualty, now, Outcome.DISCHARGED)
    else:
        log_event(output, row, now, casualty.facility, Event.RETURNED_TO_DUTY, 0)
        set_outcome(output, row, casualty, now, Outcome.RTD)
