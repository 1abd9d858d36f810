"""Giving what is needed: who gets which treatment in one care, when and for how long (docs/model.md section 2.7.5)."""

import math

from engine.clinical.log import log_treatment
from engine.clinical.needs import (
    agent_shows,
    bleeds_to_death,
    calls_for_oxygen,
    first_rank,
    given_so_far,
    last_start,
    may_be_converted,
    minutes_of,
    seems_unconscious,
    wound_for,
)
from engine.clinical.physiology import find_signs, needs_tube, pain_of_record
from engine.codes import NONE, CarePlace, CasualtyKind, Effect, LethalMechanism, Treatment, TriageCategory
from engine.numeric import compiled
from engine.tables import (
    CARE_ROWS,
    HOUR,
    MINUTE,
    TREATMENT_COUNT,
    CareRules,
    CasualtyState,
    Model,
    Output,
    PatientRow,
)

_MOST_HASTE = 2.0
"""So many times faster than usual all is done on a short way at most, apart from airway and chest."""
NOT_SEEN = -1.0
"""The time of the signs of a casualty who has not been looked at."""
_ANALGESIA = int(Treatment.ANALGESIA)
_BURN_DRESSING = int(Treatment.BURN_DRESSING)
_CHEST_DRAIN = int(Treatment.CHEST_DRAIN)
_CLOSED_REDUCTION = int(Treatment.CLOSED_REDUCTION)
_COOLING = int(Treatment.COOLING)
_EYE_SHIELD = int(Treatment.EYE_SHIELD)
_INTUBATION = int(Treatment.INTUBATION)
_NEEDLE_DECOMPRESSION = int(Treatment.NEEDLE_DECOMPRESSION)
_SPLINT = int(Treatment.SPLINT)
_TOURNIQUET_CONVERSION = int(Treatment.TOURNIQUET_CONVERSION)
_TRACHEOSTOMY = int(Treatment.TRACHEOSTOMY)
_SUPPORTIVE = int(Effect.SUPPORTIVE)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""


@compiled
def _is_due(
    output: Output,
    casualty: CasualtyState,
    rank: int,
    wound: int,
    at: float,
    given: int,
    place: int,
    rules: CareRules,
) -> bool:
    """Return whether a treatment may be given at the time `at`, ms: for the first time, or again.

    A splint is put on again after a closed reduction, a tube when the first is out. The first facility dresses a burn
    anew. `given` is the mask of all that has been given, `place` the `CarePlace`.
    """
    if not given & (1 << rank):
        return True
    kind = int(rules.kind[rank])
    last = last_start(output, casualty, kind, wound)
    if last < 0:
        return True
    if kind == _SPLINT and last_start(output, casualty, _CLOSED_REDUCTION, wound) > last:
        return True
    if kind == _INTUBATION:
        return bool(at >= output.physiology.tube_until)
    if (
        kind == _BURN_DRESSING
        and place >= CarePlace.ROLE_1
        and _is_from_outside(output, casualty, kind, last)
    ):
        return True
    return bool(not rules.once & (1 << rank) and at >= last + rules.repeat[rules.kind[rank]])


@compiled
def _is_from_outside(output: Output, casualty: CasualtyState, kind: int, last: int) -> bool:
    """Return whether the treatment that began last, at `last` ms, was given outside a facility."""
    for k in range(casualty.first_treatment, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        if treatment.kind == kind and treatment.start == last:
            return bool(treatment.facility < 0)
    return False


@compiled
def _named(output: Output, casualty: CasualtyState, kind: int, number: int, rules: CareRules) -> int:
    """Return the wound that a treatment of wound `number` names: NONE for the dressing of a hole into a cavity."""
    if rules.on_skin & rules.bit[kind] and rules.inside[output.wounds[casualty.wound + number].condition]:
        return NONE
    return number


@compiled
def _with_access(record: PatientRow, needs: int, given: int, place: int, uniform: float, model: Model) -> int:
    """Add an access where a treatment that can be given here needs one; outside it is not always a vein."""
    rules = model.treatments.rules
    if given & rules.access or not needs & rules.needs_access & rules.here[place]:
        return int(needs & ~rules.bit[Treatment.INTRAOSSEOUS_ACCESS])
    outside = place <= CarePlace.ON_THE_WAY
    if outside and bleeds_to_death(record) and uniform < model.treatments.limits.intraosseous_share:
        needs &= ~rules.bit[Treatment.IV_ACCESS]
        return int(needs | rules.bit[Treatment.INTRAOSSEOUS_ACCESS])
    return int(needs | rules.bit[Treatment.IV_ACCESS])


@compiled
def _without_needless(needs: int, given: int, rules: CareRules) -> int:
    """Leave out what another treatment makes needless that has been given or is about to be."""
    needless = 0
    left = needs | given
    while left:
        needless |= rules.needless[first_rank(left)]
        left &= left - 1
    return int(needs & ~needless)


@compiled
def _cools_burn(record: PatientRow, needs: int, given: int, model: Model) -> bool:
    """Return whether cooling is that of a burn, and not of somebody who is hot."""
    if record.kind == CasualtyKind.WOUNDED:
        return True
    return bool((needs | given) & model.treatments.rules.bit[Treatment.BURN_DRESSING])


@compiled
def _pain_calls_for_analgesia(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, found: bool, model: Model
) -> bool:
    """Return whether the pain of a casualty at the time `at`, ms, calls for analgesia.

    It does not in the unconscious, nor in those who hardly breathe or have hardly any pressure. In the hours after
    a dose only severe pain does, and later on in T1 and T2 moderate pain. `found`: the signs at the time `at` are those
    that were found last.
    """
    if seems_unconscious(output, record, casualty, at, found, model):
        return False
    limits = model.treatments.limits
    state = output.physiology
    if found or not state.stays_awake or state.bled_at < math.inf:  # the signs at that time have been found
        signs = state.signs
        if signs.respiratory_rate < limits.analgesia_breaths or signs.systolic < limits.analgesia_systolic:
            return False
    last = last_start(output, casualty, _ANALGESIA, NONE)
    lowest = limits.mild_pain
    if last >= 0 and at < last + limits.mild_hours * HOUR:
        soon = at < last + limits.moderate_hours * HOUR
        lowest = limits.severe_pain if soon or record.triage == TriageCategory.T3 else limits.analgesia_pain
    if output.physiology.pain < lowest:  # nothing makes it worse
        return False
    return bool(pain_of_record(output, record, casualty, at, model) >= lowest)


@compiled
def _without_uncalled(
    output: Output,
    record: PatientRow,
    casualty: CasualtyState,
    at: float,
    needs: int,
    given: int,
    place: int,
    found: bool,
    model: Model,
) -> int:
    """Leave out what the diagnosis calls for and the state at the time `at`, ms, does not.

    Analgesia without pain, oxygen with a normal saturation and pressure, a second rewarming of those who are warm or
    not in danger, late or further cooling of burns, hypertonic saline without coma or with bleeding, teeth before what
    is urgent, drugs before their diagnosis, an airway in the awake unless theirs closes, of agent casualties a second
    anticonvulsant once they are awake or intubated, and atropine after an injector once nothing shows any more.
    `found`: the signs at the time `at` are those that were found last.
    """
    bit = model.treatments.rules.bit
    uncalled = 0
    if needs & bit[Treatment.COOLING] and _cools_burn(record, needs, given, model):
        late = record.onset + model.treatments.limits.burn_cooling_hours * HOUR
        if at > late or given & (bit[Treatment.COOLING] | bit[Treatment.BURN_DRESSING]):
            uncalled |= bit[Treatment.COOLING]
    diagnosed = place >= CarePlace.ROLE_3 or record.kind != CasualtyKind.DISEASE
    if not diagnosed and model.treatments.rules.late[record.condition]:
        uncalled |= bit[Treatment.MEDICATION] | bit[Treatment.ANTIBIOTICS]
    if needs & bit[Treatment.DENTAL_CARE] and record.kind == CasualtyKind.WOUNDED:
        stable = record.triage == TriageCategory.T3 or casualty.operated or place >= CarePlace.ROLE_3
        if casualty.life < math.inf or not stable:
            uncalled |= bit[Treatment.DENTAL_CARE]
    if needs & bit[Treatment.ANALGESIA]:
        if not _pain_calls_for_analgesia(output, record, casualty, at, found, model):
            uncalled |= bit[Treatment.ANALGESIA]
        found = found or not output.physiology.stays_awake
    if (
        needs & bit[Treatment.OXYGEN]
        and not needs & (bit[Treatment.INTUBATION] | bit[Treatment.BAG_MASK_VENTILATION])
        and not calls_for_oxygen(output, record, casualty, at, given, found, model)
    ):
        uncalled |= bit[Treatment.OXYGEN]
    if needs & bit[Treatment.HYPERTONIC_SALINE]:
        comatose = seems_unconscious(output, record, casualty, at, found, model)
        found = found or comatose
        if not comatose or bleeds_to_death(record):
            uncalled |= bit[Treatment.HYPERTONIC_SALINE]
    again = needs & given
    if again & bit[Treatment.REWARMING]:
        if not found:
            find_signs(record, casualty, output.physiology, at, model)
        warm = output.physiology.signs.temperature >= model.treatments.limits.cold_temperature
        if warm or record.triage > TriageCategory.T2:
            uncalled |= bit[Treatment.REWARMING]
    if (
        record.kind == CasualtyKind.AGENT
        and again & bit[Treatment.ANTICONVULSANT]
        and (
            given & bit[Treatment.INTUBATION]
            or not seems_unconscious(output, record, casualty, at, found, model)
        )
    ):
        uncalled |= bit[Treatment.ANTICONVULSANT]
    closes = record.lethal == LethalMechanism.AIRWAY or (
        record.kind == CasualtyKind.AGENT and model.treatments.rules.holds_airway[record.condition]
    )
    if (
        (record.kind == CasualtyKind.WOUNDED or record.kind == CasualtyKind.AGENT)
        and needs & bit[Treatment.AIRWAY_ADJUNCT]
        and not closes
        and not seems_unconscious(output, record, casualty, at, found, model)
    ):
        uncalled |= bit[Treatment.AIRWAY_ADJUNCT]
    if (
        record.kind == CasualtyKind.AGENT
        and record.lethal == NONE
        and needs & bit[Treatment.ATROPINE_AND_OXIME]
        and given & bit[Treatment.AUTOINJECTOR]
        and not agent_shows(output, record, casualty, at, found, model)
    ):
        uncalled |= bit[Treatment.ATROPINE_AND_OXIME]
    return int(needs & ~uncalled)


@compiled
def _without_early_tube(
    output: Output,
    record: PatientRow,
    casualty: CasualtyState,
    at: float,
    needs: int,
    given: int,
    found: bool,
    model: Model,
) -> int:
    """Leave out the tube of the wounded and poisoned whose state at the time `at`, ms, does not call for it.

    For an operation it is put in on the table. A burnt airway calls for the first tube alone. Nobody is ventilated
    without one. `found`: the signs at the time `at` are those that were found last.
    """
    rules = model.treatments.rules
    bit = rules.bit
    tube = int(bit[Treatment.INTUBATION] | bit[Treatment.VENTILATION])
    if not needs & tube:
        return int(needs)
    if given & bit[Treatment.SURGICAL_AIRWAY] or last_start(output, casualty, _TRACHEOSTOMY, NONE) >= 0:
        return int(needs)
    if given & bit[Treatment.INTUBATION] and at < output.physiology.tube_until:
        return int(needs)
    by_state = record.kind == CasualtyKind.WOUNDED or (
        record.kind == CasualtyKind.AGENT
        and (given & bit[Treatment.INTUBATION] or not rules.holds_airway[record.condition])
    )
    called_for = needs_tube(output, record, casualty, at, found, model)
    if called_for and given & bit[Treatment.INTUBATION]:
        signs = output.physiology.signs
        if not seems_unconscious(output, record, casualty, at, found, model):
            find_signs(record, casualty, output.physiology, at, model)
            called_for = signs.spo2 < model.treatments.limits.ventilated_spo2
    if by_state and not called_for:
        return int(needs & ~tube)
    if needs & bit[Treatment.VENTILATION]:
        needs |= bit[Treatment.INTUBATION] & ~rules.off
    return int(needs)


@compiled
def _sides_of(kind: int, condition: int, rules: CareRules) -> int:
    """Return on how many sides a treatment of a wound is done: on both for a needle or drain of both lungs."""
    both = rules.both_sides[condition] and kind in (_NEEDLE_DECOMPRESSION, _CHEST_DRAIN)
    return 2 if both else 1


@compiled
def _fit(output: Output, first: int, now: float, reached: float, end: float, rules: CareRules) -> None:
    """Compress the treatments from row `first` on, which take until `reached`, so that they end by `end`, all in ms.

    What goes on until the end still does.
    """
    begin = int(now)
    scale = (end - now) / (reached - now)
    for k in range(first, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        lasts = treatment.end == treatment.start or abs(treatment.end - int(end)) <= 1
        treatment.start = begin + int((treatment.start - begin) * scale)
        if rules.until_end & rules.bit[treatment.kind] and lasts:
            treatment.end = int(end)
        else:
            treatment.end = begin + int((treatment.end - begin) * scale)


@compiled
def _not_put_off(rules: CareRules) -> int:
    """Return the mask of what cannot wait outside a facility: it opens the airway, relieves the chest or eases pain."""
    bit = rules.bit
    return int(
        bit[Treatment.AIRWAY_ADJUNCT]
        | bit[Treatment.BAG_MASK_VENTILATION]
        | bit[Treatment.SURGICAL_AIRWAY]
        | bit[Treatment.CHEST_SEAL]
        | bit[Treatment.NEEDLE_DECOMPRESSION]
        | bit[Treatment.ANALGESIA]
    )


@compiled
def give_by_need(
    output: Output,
    row: int,
    casualty: CasualtyState,
    now: float,
    end: float,
    place: int,
    wanted: int,
    own: int,
    effect: int,
    uniform: float,
    seen_at: float,
    model: Model,
) -> int:
    """Log what the casualty needs, has not had and can be given at a place, one after another; return how many.

    Parameters
    ----------
    now, end
        When care begins and ends, ms. If `end` is not after `now`, the care lasts as long as the treatments take.
    place
        `CarePlace`.
    wanted
        Mask of what is needed besides what the wounds call for.
    own
        The `Treatment` that acts on the lethal mechanism, with `effect`; NONE.
    uniform
        The pace of the treatments, on (0, 1).
    seen_at
        The time in ms for which the needs in this care were found; NOT_SEEN where they do not depend on the signs.

    Notes
    -----
    Before the first facility `own` acts on the clock at `now`: somebody sees to it at once, beside the rest, and first
    sets the access that it needs. On the way, what would begin after twice the time left is put off to the facility,
    but never what opens the airway, relieves the chest or eases pain. What goes on beside the rest until the end has a
    minute at least, which short care squeezes as it does the rest. At the point of injury it lasts until the
    departure, which ends it.
    """
    rules = model.treatments.rules
    record = output.patients[row]
    injured = record.kind == CasualtyKind.WOUNDED
    own_bit = int(rules.bit[own]) if own != NONE else 0
    given = given_so_far(output, casualty, rules)
    needs = _with_access(record, int(wanted | own_bit), given, place, uniform, model)
    needs = int(needs & rules.here[place])
    needs = int(_without_needless(needs, given, rules) | (needs & own_bit))
    reduces = bool(needs & rules.bit[_CLOSED_REDUCTION] and not given & rules.bit[_CLOSED_REDUCTION])
    looked = not output.physiology.stays_awake
    found = bool(seen_at == now and looked)
    wanted = needs
    needs = _without_uncalled(output, record, casualty, now, needs, given, place, found, model)
    found = bool(found or (wanted & rules.bit[_ANALGESIA] and looked))
    tubed = _without_early_tube(output, record, casualty, now, needs, given, found, model)
    needs = int((tubed & rules.here[place]) | (needs & own_bit))
    adjunct = int(wanted & rules.bit[Treatment.AIRWAY_ADJUNCT] & ~(given | needs))
    if adjunct and seen_at > now:  # coma on the way
        found = False
        if seems_unconscious(output, record, casualty, seen_at, found, model):
            needs |= adjunct
    if reduces:
        needs |= int(rules.bit[_SPLINT] & rules.here[place])
        if not seems_unconscious(output, record, casualty, now, found, model):
            needs |= int(rules.bit[_ANALGESIA] & rules.here[place])
    first = int(output.rows[TREATMENT_COUNT])
    at_any_pace = _not_put_off(rules)
    at = now
    reached = now
    at_once = 0
    target = 0
    of_surface = rules.bit[Treatment.FOREIGN_BODY_REMOVAL] | rules.bit[Treatment.MEDICATION]
    if own_bit and injured:
        target = int(casualty.killer)
        if target == NONE:
            target = wound_for(output, casualty, own, rules)
    if own_bit & needs and place <= CarePlace.ON_THE_WAY:
        at_once = own_bit
        preparing = 0.0
        if own_bit & rules.needs_access and needs & rules.access:
            access = rules.access & needs
            at_once |= access
            given |= access
            while access:
                kind = int(rules.kind[first_rank(access)])
                access &= access - 1
                preparing = minutes_of(kind, uniform, rules)
                log_treatment(output, row, casualty.facility, kind, now, preparing, _SUPPORTIVE, NONE)
        each = bool(rules.each_wound & own_bit) and injured
        lasts = minutes_of(own, uniform, rules)
        named = _named(output, casualty, own, target, rules) if each else NONE
        begin = now + preparing * MINUTE
        log_treatment(output, row, casualty.facility, own, begin, lasts, effect, named)
        given |= own_bit
        if own == Treatment.TOURNIQUET:  # the rest follows it
            at = now + lasts * MINUTE
        if not each:
            needs = int(needs & ~own_bit)
        needs = int(needs & ~(at_once & ~own_bit))
    while needs:
        rank = first_rank(needs)
        bit = 1 << rank
        needs &= needs - 1
        kind = int(rules.kind[rank])
        if at > record.onset + rules.latest[kind]:
            continue
        short = place == CarePlace.ON_THE_WAY and end > now and at >= now + _MOST_HASTE * (end - now)
        if short and not bit & at_any_pace:
            continue
        lasts = minutes_of(kind, uniform, rules)
        beside = bool(rules.until_end & bit) and end > now
        if kind == _COOLING and _cools_burn(record, needs, given, model):
            beside = False
        if beside:
            lasts = max(0.0, (end - min(at, end)) / MINUTE)
        elif rules.until_end & bit and kind != _COOLING and end <= now:
            beside = True
            lasts = model.treatments.limits.waiting_care_minutes
        of_wounds = bool(rules.each_wound & bit) and injured
        left = int(model.treatments.limits.most_wounds)
        for number in range(casualty.wounds if of_wounds else 1):
            wound = number if of_wounds else NONE
            acts = bool(bit == own_bit and (number == target or not of_wounds))
            if acts and at_once:
                continue
            if of_wounds and not acts:
                condition = output.wounds[casualty.wound + number].condition
                called_for = bool(rules.needs[condition] & bit)
                if kind == _TOURNIQUET_CONVERSION:
                    called_for = may_be_converted(output, casualty, number, rules)
                elif kind == _EYE_SHIELD and place >= CarePlace.ROLE_1:  # the eye has been looked at
                    called_for = called_for and not rules.needs[condition] & of_surface
                if not called_for:
                    continue
            if of_wounds:
                wound = _named(output, casualty, kind, number, rules)
            if left == 0 or output.rows[TREATMENT_COUNT] >= casualty.first_treatment + CARE_ROWS:
                break
            before_reduction = reduces and kind == _ANALGESIA
            if kind == _ANALGESIA and at > now and casualty.life < math.inf and not before_reduction:
                found = False
                if not _pain_calls_for_analgesia(output, record, casualty, at, found, model):
                    continue
            if not before_reduction and not _is_due(output, casualty, rank, wound, at, given, place, rules):
                continue
            sides = 1
            if of_wounds and wound != NONE:
                condition = output.wounds[casualty.wound + number].condition
                sides = _sides_of(kind, condition, rules)
            for side in range(sides):
                log_treatment(
                    output,
                    row,
                    casualty.facility,
                    kind,
                    at + side * lasts * MINUTE,
                    lasts,
                    effect if acts else _SUPPORTIVE,
                    wound,
                )
            if bit == rules.bit[Treatment.BLOOD_TRANSFUSION]:
                output.treatments[output.rows[TREATMENT_COUNT] - 1].units = casualty.blood_given
            given |= bit
            left -= 1
            if beside:
                reached = max(reached, at + MINUTE)
            else:
                at += sides * lasts * MINUTE
    reached = max(reached, at)
    if reached > end > now:
        _fit(output, first, now, reached, end, rules)
    return int(output.rows[TREATMENT_COUNT]) - first
