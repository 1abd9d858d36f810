"""Care by need: what wounds, illnesses and a failing body call for (docs/model.md section 2.7.5).

Needs are masks of bits, one for each treatment in the order of priority (`CareRules`). What has been given is read from
the casualty's rows in the table of treatments: a treatment that an interruption has removed has not been given.
"""

from engine.clinical.log import log_treatment
from engine.clinical.physiology import coma_points, find_signs, pain_of_record
from engine.codes import (
    NONE,
    CarePlace,
    CasualtyKind,
    Effect,
    LethalMechanism,
    Treatment,
    TriageCategory,
)
from engine.numeric import compiled
from engine.tables import (
    CARE_ROWS,
    HOUR,
    MINUTE,
    OPERATIONS_OF_CONDITION,
    TREATMENT_COUNT,
    CareRules,
    CasualtyState,
    Model,
    Output,
    PatientRow,
)

_ROLES = 5
_HIGHEST_CARE = 3
"""The highest role whose care differs."""
ALL_ROLES = (1 << _ROLES) - 1
"""Mask of all roles."""
_ANALGESIA = int(Treatment.ANALGESIA)
_CLOSED_REDUCTION = int(Treatment.CLOSED_REDUCTION)
_MAXILLOFACIAL_SURGERY = int(Treatment.MAXILLOFACIAL_SURGERY)
_ROLE_1 = int(CarePlace.ROLE_1)
_SPLINT = int(Treatment.SPLINT)
_SUPPORTIVE = int(Effect.SUPPORTIVE)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""


@compiled
def bleeds_to_death(record: PatientRow) -> bool:
    """Return whether a haemorrhage would kill."""
    return bool(
        record.lethal >= LethalMechanism.TORSO_HAEMORRHAGE
        and record.lethal <= LethalMechanism.EXTREMITY_HAEMORRHAGE
    )


@compiled
def of_blood(rules: CareRules) -> int:
    """Return the mask of what is given only where there is blood."""
    return int(rules.bit[Treatment.BLOOD_TRANSFUSION] | rules.bit[Treatment.CALCIUM])


@compiled
def place_of_role(role: int) -> int:
    """Return the `CarePlace` of a facility."""
    return _ROLE_1 + min(max(role, 1), 3) - 1


@compiled
def minutes_of(kind: int, uniform: float, rules: CareRules) -> float:
    """Return the minutes of a treatment: its mode is the median; `uniform` is the pace, on (0, 1)."""
    low, mode, high = rules.minutes[kind, 0], rules.minutes[kind, 1], rules.minutes[kind, 2]
    if uniform < 0.5:
        return low + (mode - low) * 2.0 * uniform
    return mode + (high - mode) * (2.0 * uniform - 1.0)


@compiled
def is_unconscious(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, model: Model
) -> bool:
    """Return whether the Glasgow Coma Scale at the time `at`, ms, is so low that the airway must be secured."""
    return bool(
        coma_points(output, record, casualty, at, model) < model.treatments.limits.unconscious_gcs + 0.5
    )


@compiled
def given_so_far(output: Output, casualty: CasualtyState, rules: CareRules) -> int:
    """Return the mask of the treatments that the casualty has been given."""
    given = 0
    for k in range(casualty.first_treatment, output.rows[TREATMENT_COUNT]):
        given |= rules.bit[output.treatments[k].kind]
    return given


@compiled
def last_start(output: Output, casualty: CasualtyState, kind: int, wound: int) -> int:
    """Return when the casualty was last given a treatment, ms; -1: never.

    `wound`: the number of the wound; NONE: of any wound or of none.
    """
    last = -1
    for k in range(casualty.first_treatment, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        if treatment.kind == kind and (wound == NONE or treatment.wound == wound):
            last = max(last, int(treatment.start))
    return last


@compiled
def _is_due(
    output: Output, casualty: CasualtyState, rank: int, wound: int, at: float, rules: CareRules
) -> bool:
    """Return whether a treatment may be given at the time `at`, ms: for the first time, or again.

    A splint is put on again after a closed reduction.
    """
    last = last_start(output, casualty, rules.kind[rank], wound)
    if last < 0:
        return True
    if rules.kind[rank] == _SPLINT and last_start(output, casualty, _CLOSED_REDUCTION, wound) > last:
        return True
    return bool(not rules.once & (1 << rank) and at >= last + rules.repeat[rules.kind[rank]])


@compiled
def role_of_treatments(output: Output, record: PatientRow, casualty: CasualtyState, rules: CareRules) -> int:
    """Return the lowest role that offers all treatments called for, as far as a higher one does.

    Reads the wounds, so it can be asked only when they have just been drawn: the kernel does not keep them.
    """
    needs = needs_of_injuries(output, record, casualty, rules)
    for role in range(1, _HIGHEST_CARE):
        higher = 0
        for further in range(role + 1, _HIGHEST_CARE + 1):
            higher |= rules.here[place_of_role(further)]
        if not needs & higher & ~rules.here[place_of_role(role)]:
            return role
    return _HIGHEST_CARE


@compiled
def wound_for(output: Output, casualty: CasualtyState, kind: int, rules: CareRules) -> int:
    """Return the number of the worst wound that calls for a treatment; the worst of all where none does."""
    for number in range(casualty.wounds):
        if rules.needs[output.wounds[casualty.wound + number].condition] & rules.bit[kind]:
            return int(number)
    return 0


@compiled
def _named(output: Output, casualty: CasualtyState, kind: int, number: int, rules: CareRules) -> int:
    """Return the wound that a treatment of wound `number` names: NONE for the dressing of a hole into a cavity."""
    if rules.on_skin & rules.bit[kind] and rules.inside[output.wounds[casualty.wound + number].condition]:
        return NONE
    return number


@compiled
def needs_of_injuries(output: Output, record: PatientRow, casualty: CasualtyState, rules: CareRules) -> int:
    """Return the mask of what the wounds, or the illness, call for."""
    if record.kind != CasualtyKind.WOUNDED:
        return int(rules.needs[record.condition])
    needs = 0
    for number in range(casualty.wounds):
        needs |= rules.needs[output.wounds[casualty.wound + number].condition]
    return needs


@compiled
def roles_that_operate(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> int:
    """Return by bit of the role where something that a wounded casualty calls for can be done in a theatre.

    What would kill can be operated on wherever there is a theatre. 0: no operation is called for.
    """
    rules = model.treatments.rules
    if model.treatments.limits.operates_by_category:
        return ALL_ROLES if record.triage != TriageCategory.T3 else 0
    if record.lethal != NONE:
        return ALL_ROLES
    roles = 0
    for number in range(casualty.wounds):
        condition = output.wounds[casualty.wound + number].condition
        for place in range(OPERATIONS_OF_CONDITION):
            kind = int(rules.operations[condition, place])
            if kind == NONE:
                break
            less = int(rules.short_of[kind])
            for role in range(_ROLES):
                if rules.in_theatre[kind, role] or (less != NONE and rules.in_theatre[less, role]):
                    roles |= 1 << role
    return roles


@compiled
def _own_role(kind: int, rules: CareRules) -> int:
    """Return the lowest role that can do an operation itself, and not only one short of it; 0 for NONE."""
    if kind != NONE:
        for role in range(_ROLES):
            if rules.in_theatre[kind, role]:
                return int(role)
    return 0


@compiled
def role_of_last_operation(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> int:
    """Return the lowest role that can do all operations that a casualty calls for; 0: none is called for.

    Of the ill it is the main operation. What a lower role does in its stead, such as a shunt, does not count.
    """
    rules = model.treatments.rules
    last = 0
    if record.kind != CasualtyKind.WOUNDED:
        last = _own_role(int(rules.operations[record.condition, 0]), rules)
    elif not model.treatments.limits.operates_by_category:
        for number in range(casualty.wounds):
            condition = output.wounds[casualty.wound + number].condition
            for place in range(OPERATIONS_OF_CONDITION):
                last = max(last, _own_role(int(rules.operations[condition, place]), rules))
    return last


@compiled
def is_grave(record: PatientRow, casualty: CasualtyState, model: Model) -> bool:
    """Return whether a wounded casualty may need resuscitation and intensive care.

    Something would kill, blood is called for, or the worst AIS is high. Where the category alone decides on operations,
    it is everybody.
    """
    limits = model.treatments.limits
    return bool(
        limits.operates_by_category
        or record.lethal != NONE
        or casualty.blood_units > 0
        or record.worst_ais >= limits.grave_ais
    )


@compiled
def calls_for_cavity_surgery(output: Output, casualty: CasualtyState, model: Model) -> bool:
    """Return whether a wound calls for an operation in head, neck, chest or belly."""
    rules = model.treatments.rules
    for number in range(casualty.wounds):
        condition = output.wounds[casualty.wound + number].condition
        for place in range(OPERATIONS_OF_CONDITION):
            kind = int(rules.operations[condition, place])
            if kind != NONE and rules.needs_airway[kind] and kind != _MAXILLOFACIAL_SURGERY:
                return True
    return False


@compiled
def needs_of_coma(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, model: Model
) -> int:
    """Return the mask of what the unconscious need at the time `at`, ms: a secured airway, oxygen and ventilation."""
    bit = model.treatments.rules.bit
    if not is_unconscious(output, record, casualty, at, model):
        return 0
    return int(
        bit[Treatment.AIRWAY_ADJUNCT]
        | bit[Treatment.INTUBATION]
        | bit[Treatment.OXYGEN]
        | bit[Treatment.VENTILATION]
    )


@compiled
def needs_of_pain(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, model: Model
) -> int:
    """Return the mask of what pain at the time `at`, ms, calls for in the conscious."""
    if is_unconscious(output, record, casualty, at, model):
        return 0
    if pain_of_record(output, record, casualty, at, model) < model.treatments.limits.analgesia_pain:
        return 0
    return int(model.treatments.rules.bit[Treatment.ANALGESIA])


@compiled
def needs_of_breathing(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, model: Model
) -> int:
    """Return the mask of what agent casualties who hardly breathe at the time `at`, ms, need: a bag and mask.

    It begins before the antidote, and goes on for the unconscious.
    """
    if record.kind != CasualtyKind.AGENT:
        return 0
    limits = model.treatments.limits
    bit = model.treatments.rules.bit
    given = given_so_far(output, casualty, model.treatments.rules)
    if given & (bit[Treatment.AUTOINJECTOR] | bit[Treatment.ATROPINE_AND_OXIME]):
        bagged = given & bit[Treatment.BAG_MASK_VENTILATION]
        if not (bagged and is_unconscious(output, record, casualty, at, model)):
            return 0
    else:
        find_signs(record, casualty, output.physiology, at, model)
        signs = output.physiology.signs
        if signs.respiratory_rate >= limits.bagged_respiratory_rate and signs.spo2 >= limits.bagged_spo2:
            return 0
    return int(bit[Treatment.BAG_MASK_VENTILATION] | bit[Treatment.OXYGEN])


@compiled
def needs_of_state(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, place: int, model: Model
) -> int:
    """Return the mask of what the state of the casualty at the time `at`, ms, calls for, whatever the wounds.

    The unconscious get their airway secured, T1 and T2 are kept warm and have an access, who bleeds to death gets
    tranexamic acid, and pain is treated.
    """
    bit = model.treatments.rules.bit
    needs = 0
    if record.triage != TriageCategory.T3:
        needs |= bit[Treatment.HYPOTHERMIA_PREVENTION]
        if place >= CarePlace.ROLE_1:
            needs |= bit[Treatment.IV_ACCESS]
    if place == CarePlace.ON_THE_WAY and record.worst_ais >= model.treatments.limits.on_the_way_ais:
        needs |= bit[Treatment.IV_ACCESS] | bit[Treatment.HYPOTHERMIA_PREVENTION]
    unconscious = needs_of_coma(output, record, casualty, at, model)
    if unconscious:
        needs |= unconscious
    elif record.worst_ais >= model.treatments.limits.analgesia_ais:
        needs |= bit[Treatment.ANALGESIA]
    else:
        needs |= needs_of_pain(output, record, casualty, at, model)
    if bleeds_to_death(record):
        needs |= bit[Treatment.TRANEXAMIC_ACID]
    return int(needs)


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
    for rank in range(rules.count):
        if (needs | given) & (1 << rank):
            needless |= rules.needless[rank]
    return int(needs & ~needless)


@compiled
def _pain_calls_for_analgesia(
    output: Output, record: PatientRow, casualty: CasualtyState, at: float, model: Model
) -> bool:
    """Return whether the pain of a casualty at the time `at`, ms, calls for analgesia.

    It does not in the unconscious. In the hours after a dose only severe pain does, and later on in T1 and T2 moderate
    pain.
    """
    if is_unconscious(output, record, casualty, at, model):
        return False
    limits = model.treatments.limits
    last = last_start(output, casualty, _ANALGESIA, NONE)
    lowest = limits.mild_pain
    if last >= 0 and at < last + limits.mild_hours * HOUR:
        soon = at < last + limits.moderate_hours * HOUR
        lowest = limits.severe_pain if soon or record.triage == TriageCategory.T3 else limits.analgesia_pain
    return bool(pain_of_record(output, record, casualty, at, model) >= lowest)


@compiled
def _without_uncalled(
    output: Output,
    record: PatientRow,
    casualty: CasualtyState,
    at: float,
    needs: int,
    given: int,
    model: Model,
) -> int:
    """Leave out what the diagnosis calls for and the state at the time `at`, ms, does not.

    Analgesia without pain, a second rewarming of those who are warm or not in danger, and of agent casualties a second
    anticonvulsant once they are awake or intubated.
    """
    bit = model.treatments.rules.bit
    uncalled = 0
    if needs & bit[Treatment.ANALGESIA] and not _pain_calls_for_analgesia(
        output, record, casualty, at, model
    ):
        uncalled |= bit[Treatment.ANALGESIA]
    if needs & given & bit[Treatment.REWARMING]:
        find_signs(record, casualty, output.physiology, at, model)
        warm = output.physiology.signs.temperature >= model.treatments.limits.cold_temperature
        if warm or record.triage > TriageCategory.T2:
            uncalled |= bit[Treatment.REWARMING]
    if (
        record.kind == CasualtyKind.AGENT
        and needs & given & bit[Treatment.ANTICONVULSANT]
        and (given & bit[Treatment.INTUBATION] or not is_unconscious(output, record, casualty, at, model))
    ):
        uncalled |= bit[Treatment.ANTICONVULSANT]
    return int(needs & ~uncalled)


@compiled
def _fit(output: Output, first: int, now: float, reached: float, end: float, rules: CareRules) -> None:
    """Compress the treatments from row `first` on, which take until `reached`, so that they end by `end`, all in ms."""
    begin = int(now)
    scale = (end - now) / (reached - now)
    for k in range(first, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        treatment.start = begin + int((treatment.start - begin) * scale)
        if rules.until_end & rules.bit[treatment.kind]:
            treatment.end = int(end)
        else:
            treatment.end = begin + int((treatment.end - begin) * scale)


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

    Notes
    -----
    Before the first facility `own` begins at `now`, when it acts on the clock: somebody sees to it at once, beside the
    rest, and sets the access that it needs.
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
    needs = _without_uncalled(output, record, casualty, now, needs, given, model)
    if reduces:
        needs |= int(rules.bit[_SPLINT] & rules.here[place])
        if not is_unconscious(output, record, casualty, now, model):
            needs |= int(rules.bit[_ANALGESIA] & rules.here[place])
    first = int(output.rows[TREATMENT_COUNT])
    at = now
    at_once = 0
    target = 0
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
            for rank in range(rules.count):
                if access & (1 << rank):
                    preparing = minutes_of(int(rules.kind[rank]), uniform, rules)
                    log_treatment(
                        output,
                        row,
                        casualty.facility,
                        int(rules.kind[rank]),
                        now,
                        preparing,
                        _SUPPORTIVE,
                        NONE,
                    )
        each = bool(rules.each_wound & own_bit) and injured
        lasts = preparing + minutes_of(own, uniform, rules)
        named = _named(output, casualty, own, target, rules) if each else NONE
        log_treatment(output, row, casualty.facility, own, now, lasts, effect, named)
        if own == Treatment.TOURNIQUET:  # the rest follows it
            at = now + lasts * MINUTE
        if not each:
            needs = int(needs & ~own_bit)
        needs = int(needs & ~(at_once & ~own_bit))
    for rank in range(rules.count):
        bit = 1 << rank
        kind = int(rules.kind[rank])
        if not needs & bit or at > record.onset + rules.latest[kind]:
            continue
        lasts = minutes_of(kind, uniform, rules)
        beside = bool(rules.until_end & bit) and end > now
        if beside:
            lasts = max(0.0, (end - min(at, end)) / MINUTE)
        of_wounds = bool(rules.each_wound & bit) and injured
        left = int(model.treatments.limits.most_wounds)
        for number in range(casualty.wounds if of_wounds else 1):
            wound = number if of_wounds else NONE
            acts = bool(bit == own_bit and (number == target or not of_wounds))
            if acts and at_once:
                continue
            if of_wounds and not acts:
                condition = output.wounds[casualty.wound + number].condition
                if not rules.needs[condition] & bit:
                    continue
            if of_wounds:
                wound = _named(output, casualty, kind, number, rules)
            if left == 0 or output.rows[TREATMENT_COUNT] >= casualty.first_treatment + CARE_ROWS:
                break
            before_reduction = reduces and kind == _ANALGESIA
            if not before_reduction and not _is_due(output, casualty, rank, wound, at, rules):
                continue
            log_treatment(
                output,
                row,
                casualty.facility,
                kind,
                at,
                lasts,
                effect if acts else _SUPPORTIVE,
                wound,
            )
            if bit == rules.bit[Treatment.BLOOD_TRANSFUSION]:
                output.treatments[output.rows[TREATMENT_COUNT] - 1].units = casualty.blood_given
            left -= 1
            if not beside:
                at += lasts * MINUTE
    if at > end > now:
        _fit(output, first, now, at, end, rules)
    return int(output.rows[TREATMENT_COUNT]) - first
