"""A session in the theatre: what there is to do, anaesthesia, and how the operations share its time (section 2.7.5)."""

from engine.clinical.needs import is_sent_on, is_splinted, minutes_of, operation_of
from engine.codes import NONE, Region, Treatment
from engine.numeric import compiled
from engine.tables import (
    MINUTE,
    OPERATIONS_OF_CONDITION,
    TREATMENT_COUNT,
    CareRules,
    CasualtyState,
    Model,
    Output,
    PatientRow,
)

_TYPICAL_PACE = 0.5
"""Pace at which a treatment takes its mode."""
_SMALL_AIS = 2
"""Highest AIS of a wound or bone that is soon cleaned, closed or fixed."""
_SMALL_SHARE = 0.6
"""Of the usual minutes, for such a wound; its longest are the usual ones. Judgement."""
_SURGICAL_ROLE = 2
_PREPARING_SHARE, _MOST_PREPARING = 0.2, 30.0
"""Of a session, and most minutes, for induction, positioning, dressing and waking: at least. Judgement."""
_MOST_HASTE = 1.3
"""So many times faster than usual one team operates at most; judgement."""
_LETHAL_MINUTES = 60.0
"""Of the operation on what would kill where the wounds call for none."""
_MOST_WORK = 420.0
"""Usual minutes that count for the length of a session: what is more is done by several teams, or later."""
_CLOSURES = 2
"""Wounds that are closed in a session in which nothing else is done, as its length is drawn."""

_DELAYED_CLOSURE = int(Treatment.DELAYED_CLOSURE)
_EXTERNAL_FIXATION = int(Treatment.EXTERNAL_FIXATION)
_FASCIOTOMY = int(Treatment.FASCIOTOMY)
_FRACTURE_FIXATION = int(Treatment.FRACTURE_FIXATION)
_LAPAROTOMY = int(Treatment.LAPAROTOMY)
_REGIONAL_ANAESTHESIA = int(Treatment.REGIONAL_ANAESTHESIA)
_SEDATION = int(Treatment.SEDATION)
_WOUND_DEBRIDEMENT = int(Treatment.WOUND_DEBRIDEMENT)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""


@compiled
def _is_small(kind: int, ais: int) -> bool:
    """Return whether an operation of a kind on a wound of this AIS is a small one: soft tissue, or a small bone."""
    return bool(ais <= _SMALL_AIS and kind in (_WOUND_DEBRIDEMENT, _DELAYED_CLOSURE, _FRACTURE_FIXATION))


@compiled
def usual_minutes(kind: int, ais: int, rules: CareRules) -> float:
    """Return the usual minutes of an operation on a wound of this AIS."""
    usual = minutes_of(kind, _TYPICAL_PACE, rules)
    return _SMALL_SHARE * usual if _is_small(kind, ais) else usual


@compiled
def longest_minutes(kind: int, ais: int, rules: CareRules) -> float:
    """Return the longest minutes of an operation on a wound of this AIS."""
    return float(rules.minutes[kind, 1] if _is_small(kind, ais) else rules.minutes[kind, 2])


@compiled
def draw_up_work(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> None:
    """Set what there is to do in the theatre for a wounded casualty, in usual minutes.

    `work_first` is what a Role 2 can do, or does short of it; `work_later` what only a higher role can do; `work_again`
    a session in which nothing is left: a fixation, a second look in the belly, or the closure of wounds.
    """
    rules = model.treatments.rules
    first, later, again = 0.0, 0.0, 0.0
    counted = 0
    cleaned = 0
    for number in range(casualty.wounds):
        wound = output.wounds[casualty.wound + number]
        for place in range(OPERATIONS_OF_CONDITION):
            kind = operation_of(record, casualty, int(wound.condition), place, model)
            if kind == NONE or (not rules.separate[kind] and counted & rules.operation_bit[kind]):
                continue
            counted |= rules.operation_bit[kind]
            cleaned += 1 if kind == _WOUND_DEBRIDEMENT else 0
            usual = usual_minutes(kind, int(wound.ais), rules)
            if rules.in_theatre[kind, _SURGICAL_ROLE]:
                first += usual
                continue
            later += usual
            less = int(rules.short_of[kind])
            if (
                less != NONE
                and rules.in_theatre[less, _SURGICAL_ROLE]
                and not is_splinted(record, casualty, kind, int(wound.condition), rules)
            ):
                first += usual_minutes(less, int(wound.ais), rules)
    if first == 0.0 and record.lethal != NONE:
        first = _LETHAL_MINUTES
    again = max(1, min(_CLOSURES, cleaned)) * minutes_of(_DELAYED_CLOSURE, _TYPICAL_PACE, rules)
    worst = output.wounds[casualty.wound]
    if rules.breaks_limb[worst.condition]:
        again = usual_minutes(_FRACTURE_FIXATION, int(worst.ais), rules)
    elif counted & rules.operation_bit[_LAPAROTOMY]:
        again = minutes_of(_LAPAROTOMY, _TYPICAL_PACE, rules)
    casualty.work_first = first
    casualty.work_later = later
    casualty.work_again = again


@compiled
def work_of_session(casualty: CasualtyState, role: int, is_further: bool) -> float:
    """Return the usual minutes of what is done in the session that begins, as far as it is known in every run."""
    work = casualty.work_first
    if is_further:
        work = casualty.work_again
    elif casualty.operated:
        work = casualty.work_later if casualty.work_later > 0.0 else casualty.work_again
    elif role > _SURGICAL_ROLE:
        work += casualty.work_later
    return min(work, _MOST_WORK)


@compiled
def anaesthesia_without_tube(output: Output, casualty: CasualtyState, first: int) -> int:
    """Return how those are anaesthetised who breathe by themselves in a session whose operations are rows from `first`.

    Limbs are numbed, also for the fixation of a bone or a fasciotomy after an accident; for all else there is sedation.
    """
    for k in range(first, output.rows[TREATMENT_COUNT]):
        number = output.treatments[k].wound
        kind = output.treatments[k].kind
        if number == NONE:
            if kind in (_EXTERNAL_FIXATION, _FASCIOTOMY, _FRACTURE_FIXATION):
                continue
            return _SEDATION
        region = output.wounds[casualty.wound + number].region
        if region != Region.UPPER_LIMB and region != Region.LOWER_LIMB:
            return _SEDATION
    return _REGIONAL_ANAESTHESIA


@compiled
def _ais_of(output: Output, casualty: CasualtyState, k: int) -> int:
    """Return the AIS of the wound that row `k` of the treatments names; a high one where it names none."""
    number = output.treatments[k].wound
    return 9 if number == NONE else int(output.wounds[casualty.wound + number].ais)


@compiled
def _end_of_teams(
    output: Output,
    casualty: CasualtyState,
    first: int,
    begin: float,
    shrunk: float,
    stretched: float,
    teams: int,
    rules: CareRules,
) -> float:
    """Set when the operations from row `first` on begin and end, done by up to three teams; return when all end, ms.

    Operations begin one after another: the next is that of the team that is free first, and further ones on the same
    wound follow at once.
    """
    one, two, three = begin, begin, begin
    team = 1
    earliest = begin
    before = NONE
    for k in range(first, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        if k == first or treatment.wound == NONE or treatment.wound != before:
            team = 1
            if teams > 1 and two < one:
                team = 2
            if teams > 2 and three < min(one, two):
                team = 3
        before = treatment.wound
        kind, ais = int(treatment.kind), _ais_of(output, casualty, k)
        usual = usual_minutes(kind, ais, rules)
        minutes = shrunk * usual + stretched * (longest_minutes(kind, ais, rules) - usual)
        at = max(earliest, one if team == 1 else (two if team == 2 else three))
        earliest = at + MINUTE
        treatment.start = int(at)
        at += minutes * MINUTE
        treatment.end = int(at)
        if team == 1:
            one = at
        elif team == 2:
            two = at
        else:
            three = at
    return max(one, two, three)


@compiled
def share_time(
    output: Output, casualty: CasualtyState, first: int, begin: float, end: float, model: Model
) -> None:
    """Give the operations from row `first` on their parts of the time from `begin` to `end`, ms, one after another.

    Each takes its usual part of the time, and never longer than the catalogue says. The rest is anaesthesia and
    positioning before, and dressing and waking after. Where there is too much for one team, up to three work at once.
    """
    rules = model.treatments.rules
    usual, longest = 0.0, 0.0
    for k in range(first, output.rows[TREATMENT_COUNT]):
        kind, ais = int(output.treatments[k].kind), _ais_of(output, casualty, k)
        usual += usual_minutes(kind, ais, rules) * MINUTE
        longest += longest_minutes(kind, ais, rules) * MINUTE
    preparing = min(_PREPARING_SHARE * (end - begin), _MOST_PREPARING * MINUTE)
    operating = min(longest, end - begin - preparing)
    teams = 1
    if usual > _MOST_HASTE * operating:
        teams = 2 if usual < 2.0 * _MOST_HASTE * operating else 3
    shrunk = min(1.0, operating / usual)
    stretched = 0.0
    if operating > usual and longest > usual:
        stretched = (operating - usual) / (longest - usual)
    if teams > 1:
        lasts = _end_of_teams(output, casualty, first, begin, 1.0, 0.0, teams, rules) - begin
        shrunk = min(1.0, operating / lasts)
        operating = shrunk * lasts
    at = begin + 0.5 * (end - begin - operating)
    _end_of_teams(output, casualty, first, at, shrunk, stretched, teams, rules)


@compiled
def is_done_in_one_session(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> bool:
    """Return whether the first session of a wounded casualty at a Role 2 does all that is called for.

    Nothing would kill and no blood is called for, so that no second look is planned; and all operations are in head,
    neck, chest and belly and done at Role 2, so that no wound is left open.
    """
    rules = model.treatments.rules
    if record.lethal != NONE or casualty.blood_units > 0 or not casualty.cavity:
        return False
    if model.treatments.limits.operates_by_category:
        return False
    for number in range(casualty.wounds):
        condition = output.wounds[casualty.wound + number].condition
        for place in range(OPERATIONS_OF_CONDITION):
            kind = operation_of(record, casualty, condition, place, model)
            if is_sent_on(casualty, kind, _SURGICAL_ROLE, model):
                return False
            if kind != NONE and not (
                rules.operation_bit[kind] & rules.in_cavity and rules.in_theatre[kind, _SURGICAL_ROLE]
            ):
                return False
    return True
