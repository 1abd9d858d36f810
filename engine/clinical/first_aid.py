"""First aid at the point of injury, and care on the way to the first facility (docs/model.md section 2.5.4)."""

import math

from engine.clinical.agent_care import decontaminate_at_once, repeat_antidote_in_the_field
from engine.clinical.blood import split_units
from engine.clinical.burns import burn_area
from engine.clinical.giving import NOT_SEEN, give_by_need
from engine.clinical.illnesses import needs_of_second_diagnoses
from engine.clinical.log import log_treatment
from engine.clinical.needs import (
    bleeds_to_death,
    calls_for_oxygen,
    given_so_far,
    last_start,
    needs_of_breathing,
    needs_of_conscious,
    needs_of_injuries,
    needs_of_mind,
    needs_of_state,
    of_blood,
    place_of_role,
)
from engine.clinical.survival import killing_region, slow_clock
from engine.codes import (
    AT_POI,
    NONE,
    CarePlace,
    CasualtyKind,
    Effect,
    LethalMechanism,
    Treatment,
)
from engine.numeric import compiled
from engine.tables import (
    CARE_ROWS,
    HOUR,
    MINUTE,
    QUIET,
    TREATMENT_COUNT,
    CasualtyState,
    Model,
    Output,
    PatientRow,
)

_ON_THE_WAY = int(CarePlace.ON_THE_WAY)
_POINT_OF_INJURY = int(CarePlace.POINT_OF_INJURY)
_EFFECTIVE = int(Effect.EFFECTIVE)
_INEFFECTIVE = int(Effect.INEFFECTIVE)
_SUPPORTIVE = int(Effect.SUPPORTIVE)
_AUTOINJECTOR = int(Treatment.AUTOINJECTOR)
_BLOOD_TRANSFUSION = int(Treatment.BLOOD_TRANSFUSION)
_BURN_FLUIDS = int(Treatment.BURN_FLUIDS)
_OXYGEN = int(Treatment.OXYGEN)
_SPINAL_PRECAUTIONS = int(Treatment.SPINAL_PRECAUTIONS)
_SPINAL_SURGERY = int(Treatment.SPINAL_SURGERY)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""


@compiled
def _try_first_aid(
    record: PatientRow, casualty: CasualtyState, now: float, uniform: float, model: Model
) -> int:
    """Apply first aid to the lethal mechanism, and return its effect (docs/model.md section 2.5.4)."""
    if record.lethal == NONE or record.lethal == LethalMechanism.TBI:
        return _SUPPORTIVE
    if (
        record.lethal == LethalMechanism.TORSO_HAEMORRHAGE
        and now > record.onset + model.treatments.rules.latest[Treatment.TRANEXAMIC_ACID]
    ):
        return _SUPPORTIVE
    chance = model.survival.aid_works[record.lethal]
    if uniform < chance:
        slow_clock(casualty, now, model.survival.aid_rate[record.lethal])
        return _EFFECTIVE
    return _INEFFECTIVE if chance >= 0.0 else _SUPPORTIVE


@compiled
def _first_aid_against(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> int:
    """Return the first aid against what would kill, or what is given in its place where it is switched off; NONE."""
    rules = model.treatments.rules
    kind = NONE
    if record.kind == CasualtyKind.AGENT:
        antidotes = rules.bit[Treatment.AUTOINJECTOR] | rules.bit[Treatment.ATROPINE_AND_OXIME]
        if rules.needs[record.condition] & antidotes or rules.off & rules.bit[Treatment.AUTOINJECTOR]:
            kind = _AUTOINJECTOR
    elif record.kind == CasualtyKind.WOUNDED and record.lethal != NONE:
        kind = int(rules.first_aid[record.lethal, killing_region(output, casualty)])
    if kind != NONE and rules.off & rules.bit[kind]:
        kind = int(rules.instead[kind])
    return kind


@compiled
def give_first_aid(
    output: Output, row: int, casualty: CasualtyState, now: float, uniform: float, pace: float, model: Model
) -> None:
    """Give the aid of buddies and a medic: slow the survival clock if it works, and log the treatments.

    Parameters
    ----------
    uniform
        Decides whether aid works against the lethal mechanism (docs/model.md section 2.5.4), on (0, 1).
    pace
        Decides how long the treatments take, on (0, 1).
    """
    record = output.patients[row]
    effect = _try_first_aid(record, casualty, now, uniform, model)
    if output.rows[QUIET]:
        return
    decontaminate_at_once(output, row, casualty, model)
    rules = model.treatments.rules
    on_the_way = casualty.facility != AT_POI
    place = _ON_THE_WAY if on_the_way else _POINT_OF_INJURY
    end = casualty.arrive_at if on_the_way else now
    seen_at = max(now, end)
    needs = needs_of_injuries(output, record, casualty, model)
    if record.kind == CasualtyKind.WOUNDED:
        needs |= needs_of_state(output, record, casualty, seen_at, place, model)
    else:
        needs |= needs_of_mind(output, record, casualty, seen_at, model)
        found = True
        needs |= needs_of_breathing(output, record, casualty, seen_at, found, model)
    needs |= needs_of_second_diagnoses(record, model)
    needs &= ~of_blood(rules)
    own = _first_aid_against(output, record, casualty, model)
    give_by_need(output, row, casualty, now, end, place, int(needs), own, effect, pace, seen_at, model)
    if on_the_way:
        repeat_antidote_in_the_field(output, row, casualty, now, casualty.arrive_at, model)


@compiled
def care_on_the_way(
    output: Output, row: int, casualty: CasualtyState, now: float, pace: float, model: Model
) -> None:
    """Give what is still needed when a vehicle leaves the point of injury, unless first aid is yet to come.

    The state is that on arrival, since the medic sees it get worse. What first aid gave is not given again, even after
    days of waiting: only analgesia for those in pain, what goes on until arrival, and what further wounds call for. The
    ill get analgesia alone, unless they are to be operated on.
    """
    record = output.patients[row]
    arrival = casualty.arrive_at
    if output.rows[QUIET] or casualty.aid_at < arrival:
        return
    output.physiology.bagged_until = min(output.physiology.bagged_until, now)
    rules = model.treatments.rules
    place = _ON_THE_WAY
    if record.kind == CasualtyKind.DISEASE:
        if rules.operations[record.condition, 0] == NONE:
            pain = needs_of_conscious(output, record, casualty, now, model)
            give_by_need(
                output, row, casualty, now, arrival, place, pain, NONE, _SUPPORTIVE, pace, NOT_SEEN, model
            )
        return
    needs = needs_of_injuries(output, record, casualty, model) | needs_of_second_diagnoses(record, model)
    if record.kind == CasualtyKind.WOUNDED:
        needs |= needs_of_state(output, record, casualty, arrival, place, model)
    else:
        needs |= needs_of_mind(output, record, casualty, arrival, model)
        found = True
        needs |= needs_of_breathing(output, record, casualty, arrival, found, model)
    again = rules.until_end | rules.each_wound | rules.bit[Treatment.ANALGESIA]
    needs &= ~of_blood(rules) & ~(given_so_far(output, casualty, rules) & ~again)
    supportive = _SUPPORTIVE
    give_by_need(
        output, row, casualty, now, arrival, place, int(needs), NONE, supportive, pace, arrival, model
    )
    repeat_antidote_in_the_field(output, row, casualty, now, arrival, model)


@compiled
def give_prehospital_blood(
    output: Output, row: int, casualty: CasualtyState, now: float, uniform: float, pace: float, model: Model
) -> None:
    """Transfuse a casualty who dies of a haemorrhage, on the way to the first facility, where vehicles carry blood.

    `uniform` on (0, 1) decides whether it works (docs/model.md section 2.5.4), `pace` how long an access takes.
    """
    record = output.patients[row]
    blood = model.survival.prehospital_blood
    if not (blood[0] > 0.0 and bleeds_to_death(record) and casualty.life < math.inf):
        return
    effect = _INEFFECTIVE
    if uniform < blood[1]:
        slow_clock(casualty, now, blood[2])
        effect = _EFFECTIVE
    if output.rows[QUIET]:
        return
    place = _ON_THE_WAY
    needed = casualty.blood_given
    casualty.blood_given = model.care.prehospital_units
    needs = of_blood(model.treatments.rules)
    own = _BLOOD_TRANSFUSION
    arrival = casualty.arrive_at
    give_by_need(output, row, casualty, now, arrival, place, needs, own, effect, pace, NOT_SEEN, model)
    casualty.blood_given = needed


@compiled
def _log_oxygen(
    output: Output, row: int, casualty: CasualtyState, now: float, end: float, place: int, model: Model
) -> None:
    """Log oxygen from `now` to `end`, ms, for who needs it, has had it and has no tube, in the first hours."""
    record = output.patients[row]
    rules = model.treatments.rules
    oxygen = rules.bit[Treatment.OXYGEN] & rules.here[place]
    given = given_so_far(output, casualty, rules)
    found = False
    if (
        needs_of_injuries(output, record, casualty, model) & given & oxygen
        and not given & rules.bit[Treatment.INTUBATION]
        and calls_for_oxygen(output, record, casualty, now, given, found, model)
        and now < record.onset + model.treatments.limits.oxygen_hours * HOUR
        and output.rows[TREATMENT_COUNT] < casualty.first_treatment + CARE_ROWS
    ):
        kind = _OXYGEN
        log_treatment(output, row, casualty.facility, kind, now, (end - now) / MINUTE, _SUPPORTIVE, NONE)


@compiled
def care_goes_on_the_way(output: Output, row: int, casualty: CasualtyState, now: float, model: Model) -> None:
    """End the treatments of the facility that a casualty leaves; blood, oxygen and a collar go on until the next one.

    Oxygen goes on in the first hours, for who needs it and has no tube.
    """
    if output.rows[QUIET]:
        return
    split_units(output, row, casualty, now, casualty.arrive_at)
    for k in range(casualty.first_treatment, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        if treatment.facility >= 0 and treatment.end > now:
            treatment.end = int(now)
    if now < casualty.arrive_at < math.inf:
        _log_oxygen(output, row, casualty, now, casualty.arrive_at, _ON_THE_WAY, model)
        spine_stays_still(output, row, casualty, now, casualty.arrive_at, model)


@compiled
def oxygen_in_bed(
    output: Output, row: int, casualty: CasualtyState, now: float, until: float, model: Model
) -> None:
    """Let oxygen go on in a bed, until `until`, ms, in the first hours, for who needs it and has no tube.

    The care in the bay is over long before carbon monoxide is washed out and a lung has recovered.
    """
    if output.rows[QUIET]:
        return
    record = output.patients[row]
    end = min(until, record.onset + model.treatments.limits.oxygen_hours * HOUR)
    if end >= now + MINUTE:
        place = place_of_role(model.network.role[casualty.facility])
        _log_oxygen(output, row, casualty, now, end, place, model)


@compiled
def spine_stays_still(
    output: Output, row: int, casualty: CasualtyState, now: float, until: float, model: Model
) -> None:
    """Let spinal precautions go on, in a bed or on a journey, until `until`, ms, unless the spine has been fixed."""
    rules = model.treatments.rules
    kind = _SPINAL_PRECAUTIONS
    if (
        output.rows[QUIET]
        or until == math.inf
        or until < now + MINUTE
        or output.rows[TREATMENT_COUNT] >= casualty.first_treatment + CARE_ROWS
        or not given_so_far(output, casualty, rules) & rules.bit[kind]
        or last_start(output, casualty, _SPINAL_SURGERY, NONE) >= 0
    ):
        return
    log_treatment(output, row, casualty.facility, kind, now, (until - now) / MINUTE, _SUPPORTIVE, NONE)


@compiled
def burn_fluids_go_on(
    output: Output, row: int, casualty: CasualtyState, now: float, until: float, place: int, model: Model
) -> None:
    """Let the fluids of a large burn go on between two facilities, and in beds, on the first days.

    `place` is the `CarePlace` from `now` to `until`, both in ms. Nobody gets them here who has not had them before.
    """
    if output.rows[QUIET] or until == math.inf:
        return
    rules = model.treatments.rules
    limits = model.treatments.limits
    record = output.patients[row]
    end = min(until, record.time + limits.burn_fluid_hours * HOUR)
    if (
        end > now
        and given_so_far(output, casualty, rules) & rules.bit[_BURN_FLUIDS] & rules.here[place]
        and burn_area(output, record, casualty, model.injuries) >= limits.burn_fluid_area
        and output.rows[TREATMENT_COUNT] < casualty.first_treatment + CARE_ROWS
    ):
        kind = _BURN_FLUIDS
        minutes = (end - now) / MINUTE
        log_treatment(output, row, casualty.facility, kind, now, minutes, _SUPPORTIVE, NONE)
