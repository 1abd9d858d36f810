"""The survival clock (docs/model.md section 2.5): what kills a casualty, how fast, and what care changes.

The clock u of a lethal casualty runs at rate r. The casualty dies when u reaches the life T. During a protective
procedure r is 0. Otherwise r is the smallest rate that a treatment has brought into force, times the product of the
environment's factors. Clock and life are in ms.
"""

import math

from engine import numeric
from engine.clinical.casualties import true_triage
from engine.clinical.scores import INSTANTLY_FATAL_AIS
from engine.clinical.uniforms import to_uniform
from engine.codes import (
    LATE_DEATH,
    LETHALITY,
    NONE,
    STAY,
    CasualtyKind,
    LethalMechanism,
    Region,
    TriageCategory,
)
from engine.numeric import compiled, words
from engine.tables import (
    DAY,
    HOUR,
    MINUTE,
    CareRules,
    CasualtyState,
    Output,
    PatientRow,
    SurvivalParameters,
)

MAX_HEALTH_SCORE = 20.0
"""Health score of a healthy person; 0 is dead."""


@compiled
def death_time(casualty: CasualtyState) -> float:
    """Return the time in ms at which the casualty dies if nothing changes; infinity if never.

    t_death = t + (T - u(t)) / r (docs/model.md section 2.5.3), or the time of a late death if that is earlier.
    """
    death = casualty.late_death_at
    if casualty.life < math.inf and casualty.rate > 0.0:
        death = min(death, casualty.since + (casualty.life - casualty.used) / casualty.rate)
    return death


@compiled
def clock_at(casualty: CasualtyState, at: float) -> float:
    """Return the clock u at the time `at`."""
    return casualty.used + (at - casualty.since) * casualty.rate


@compiled
def set_rate(casualty: CasualtyState, at: float, rate: float) -> None:
    """Let the clock run at `rate` from the time `at` on."""
    casualty.used = clock_at(casualty, at)
    casualty.since = at
    casualty.rate = rate


@compiled
def set_factor(casualty: CasualtyState, at: float, factor: float) -> None:
    """Set the environment's factor from the time `at` on; during a protective procedure the clock stays stopped."""
    casualty.factor = factor
    if casualty.rate > 0.0:
        set_rate(casualty, at, casualty.slowest * factor)


@compiled
def slow_clock(casualty: CasualtyState, at: float, rate: float) -> None:
    """Bring a treatment with this rate into force at the time `at`; the smallest rate so far counts."""
    casualty.slowest = min(casualty.slowest, rate)
    set_rate(casualty, at, casualty.slowest * casualty.factor)


@compiled
def stop_clock(casualty: CasualtyState, at: float) -> None:
    """End the threat to life at the time `at`: the casualty no longer dies of the clock."""
    casualty.used = clock_at(casualty, at)
    casualty.since = at
    casualty.rate = 0.0
    casualty.life = math.inf


@compiled
def _lognormal(log_median: float, sigma: float, uniform: float) -> float:
    """Return a quantile of a lognormal distribution: exp(log_median + sigma * z)."""
    return numeric.exp(log_median + sigma * numeric.normal_quantile(uniform))


@compiled
def _lethal_mechanism(region: int, uniform: float, parameters: SurvivalParameters) -> int:
    """Return the lethal mechanism by region of the worst wound (docs/model.md section 2.5.2)."""
    if region == Region.HEAD or (Region.EYES <= region < Region.FACE):
        return LethalMechanism.TBI
    if region == Region.FACE:
        return LethalMechanism.AIRWAY
    if region == Region.NECK:
        return (
            LethalMechanism.AIRWAY
            if uniform < parameters.region_split[0]
            else LethalMechanism.JUNCTIONAL_HAEMORRHAGE
        )
    if region == Region.THORAX:
        return (
            LethalMechanism.TENSION_PNEUMOTHORAX
            if uniform < parameters.region_split[1]
            else LethalMechanism.TORSO_HAEMORRHAGE
        )
    if region == Region.ABDOMEN:
        return (
            LethalMechanism.TORSO_HAEMORRHAGE
            if uniform < parameters.region_split[2]
            else LethalMechanism.JUNCTIONAL_HAEMORRHAGE
        )
    return (
        LethalMechanism.EXTREMITY_HAEMORRHAGE
        if uniform < parameters.region_split[3]
        else LethalMechanism.JUNCTIONAL_HAEMORRHAGE
    )


_CRITICAL, _SERIOUS = 5, 3
"""AIS."""
_BRAIN_MINUTES = 60.0
"""A brain injury that is not critical takes longer than this to kill."""


@compiled
def _let_it_bleed(
    record: PatientRow,
    casualty: CasualtyState,
    output: Output,
    first_wound: int,
    count: int,
    uniform: float,
    parameters: SurvivalParameters,
    rules: CareRules,
) -> None:
    """Let the worst wound kill that can bleed to death and is AIS 3 or more; without one the brain does."""
    for number in range(count):
        wound = output.wounds[first_wound + number]
        mechanism = _lethal_mechanism(wound.region, uniform, parameters)
        bleeds = mechanism >= LethalMechanism.TORSO_HAEMORRHAGE
        if bleeds and wound.ais >= _SERIOUS and rules.kills_by[wound.condition] & (1 << mechanism):
            record.lethal = mechanism
            casualty.killer = number
            return


@compiled
def _draw_what_kills(
    record: PatientRow,
    casualty: CasualtyState,
    output: Output,
    first_wound: int,
    count: int,
    uniform: float,
    life: float,
    parameters: SurvivalParameters,
    rules: CareRules,
) -> None:
    """Set the lethal mechanism and the wound that kills by it, the worst that can (docs/model.md section 2.5.2).

    The mechanism goes by region of the worst wound. Where no wound can kill by it, the worst that can kill at all does,
    by what it can. Where none can, as with burns alone, the casualty does not die of the clock. A brain injury below
    AIS 5 does not kill within `_BRAIN_MINUTES`: a wound that bleeds does, if there is one of AIS 3 or more.
    """
    record.lethal = _lethal_mechanism(output.wounds[first_wound].region, uniform, parameters)
    for number in range(count):
        wound = output.wounds[first_wound + number]
        if rules.kills_by[wound.condition] & (1 << record.lethal):
            casualty.killer = number
            if (
                record.lethal == LethalMechanism.TBI
                and wound.ais < _CRITICAL
                and life < _BRAIN_MINUTES * MINUTE
            ):
                _let_it_bleed(record, casualty, output, first_wound, count, uniform, parameters, rules)
            return
    for number in range(count):
        wound = output.wounds[first_wound + number]
        able = int(rules.kills_by[wound.condition])
        if able:
            record.lethal = _lethal_mechanism(wound.region, uniform, parameters)
            if not able & (1 << record.lethal):
                mechanism = 0
                while not able & (1 << mechanism):
                    mechanism += 1
                record.lethal = mechanism
            casualty.killer = number
            return
    record.lethal = NONE


@compiled
def killing_region(output: Output, casualty: CasualtyState) -> int:
    """Return the region of the wound that would kill; where none of them can, of the worst one."""
    number = casualty.killer if casualty.killer != NONE else 0
    return int(output.wounds[casualty.wound + number].region)


@compiled
def start_clock(casualty: CasualtyState, onset: float, life: float, factor: float) -> None:
    """Start the clock at `onset` (ms) with a life of `life` ms; infinity for the non-lethal."""
    casualty.life = life
    casualty.first_life = life
    casualty.used = 0.0
    casualty.since = onset
    casualty.slowest = 1.0
    casualty.factor = factor
    casualty.rate = factor
    casualty.late_death_at = math.inf
    casualty.recover_span = 0.0
    casualty.bonus = 0.0


@compiled
def _lays_open(output: Output, first_wound: int, count: int, rules: CareRules) -> bool:
    """Return whether a wound of AIS 2 opens an eye or a large bone."""
    for number in range(first_wound, first_wound + count):
        wound = output.wounds[number]
        if wound.ais >= 2 and rules.opened[wound.condition]:
            return True
    return False


@compiled
def surgical_share(share: float, opened: bool, opened_share: float) -> float:
    """Return the probability of T2 with a worst AIS of 2: of all of them `share`, first those with an open wound.

    `opened_share` of them have an eye or a large bone opened.
    """
    if opened:
        return min(1.0, share / opened_share) if opened_share > 0.0 else share
    return max(0.0, share - opened_share) / (1.0 - opened_share)


@compiled
def draw_fate_of_wounded(
    record: PatientRow,
    casualty: CasualtyState,
    output: Output,
    first_wound: int,
    count: int,
    type_: int,
    cell: int,
    index: int,
    key: int,
    odds: float,
    life_factor: float,
    parameters: SurvivalParameters,
    rules: CareRules,
) -> None:
    """Draw lethality, life and true triage category of a wounded casualty, and start the clock.

    Life: T = 43500 * NISS**-1.95 * exp(0.9 * z) minutes (docs/model.md section 2.5.1). Category: section 2.6.1.
    `type_` is the row of the tables by warfare type. The odds of being lethal are multiplied by `odds`, the life by
    `life_factor`; 1 for casualties who are not listed.
    """
    a, b, c, d = words(key, cell, index, LETHALITY)
    life = math.inf
    record.lethal = NONE
    casualty.killer = NONE
    chance = 0.0
    if record.worst_ais >= parameters.lethal_ais:
        chance = parameters.lethal[type_, record.niss]
    if odds != 1.0:
        chance = chance * odds / (1.0 - chance + chance * odds)
    if record.worst_ais == INSTANTLY_FATAL_AIS:
        life = 0.0
    elif parameters.clock[0] and to_uniform(a) < chance:
        life = (
            parameters.minutes[type_, record.niss]
            * _lognormal(0.0, parameters.sigma[0], to_uniform(b))
            * MINUTE
            * life_factor
        )
        _draw_what_kills(record, casualty, output, first_wound, count, to_uniform(c), life, parameters, rules)
        if record.lethal == NONE:
            life = math.inf
    lethal = record.lethal != NONE
    surgical = float(parameters.surgical_ais2[type_])
    if record.worst_ais == 2:
        opened = _lays_open(output, first_wound, count, rules)
        surgical = surgical_share(surgical, opened, parameters.opened_ais2)
    record.triage = true_triage(
        record.worst_ais,
        lethal,
        life / MINUTE,
        to_uniform(d),
        parameters.immediate_minutes,
        surgical,
    )
    record.onset = record.time
    start_clock(casualty, float(record.time), life, parameters.factor[0])
    casualty.needs_surgery = 1 if record.triage <= TriageCategory.T2 else 0
    casualty.expectant = 0
    if record.mascal and record.worst_ais != INSTANTLY_FATAL_AIS and record.triage == TriageCategory.T1:
        edge = parameters.expectant[type_]
        uniform = to_uniform(words(key, cell, index, STAY)[2])
        if record.niss > edge[0] or (record.niss == edge[0] and uniform < edge[1]):
            casualty.expectant = 1
            record.triage = TriageCategory.T4
    for number in range(first_wound, first_wound + count):
        if output.wounds[number].region == Region.HEAD:
            casualty.head_ais = max(casualty.head_ais, output.wounds[number].ais)


@compiled
def draw_fate_of_ill(
    record: PatientRow,
    casualty: CasualtyState,
    kills: bool,
    cell: int,
    index: int,
    key: int,
    parameters: SurvivalParameters,
) -> None:
    """Draw lethality, life and symptom onset of a casualty without weapon wounds, and start the clock.

    docs/model.md sections 2.4.4 and 2.5.1.

    Parameters
    ----------
    kills
        Whether a casualty other than an agent casualty dies without treatment.
    """
    a, b, c, _ = words(key, cell, index, LETHALITY)
    life = math.inf
    record.lethal = NONE
    record.onset = record.time
    if record.kind == CasualtyKind.AGENT:
        agent = parameters.agent[record.agent, record.severity]
        if parameters.clock[0] and to_uniform(a) < agent[0]:
            life = _lognormal(agent[1], agent[2], to_uniform(b)) * MINUTE
            record.lethal = LethalMechanism.AGENT
        uniform = to_uniform(c)
        onset = parameters.agent_onset[record.agent]
        if uniform < onset[0]:
            delays = len(onset) - 2  # each has the same probability
            hours = onset[1 + int(uniform / onset[0] * delays)]
            record.onset = record.time + int(hours * HOUR)
            life *= onset[delays + 1]
    elif parameters.clock[0] and kills:
        life = _lognormal(parameters.dnbi_life[0], parameters.dnbi_life[1], to_uniform(b)) * MINUTE
        record.lethal = (
            LethalMechanism.NON_BATTLE_INJURY if record.kind == CasualtyKind.NBI else LethalMechanism.DISEASE
        )
    start_clock(casualty, float(record.onset), life, parameters.factor[0])
    casualty.needs_surgery = 0


@compiled
def draw_late_death(
    record: PatientRow,
    casualty: CasualtyState,
    now: float,
    cell: int,
    index: int,
    key: int,
    parameters: SurvivalParameters,
) -> None:
    """Draw, at the first admission, whether and when a severely wounded casualty dies late.

    Late deaths are by sepsis or organ failure: with probability p * min(NISS / scale, maximum), at an exponential
    time after the first days (docs/model.md section 2.5.5; `parameters.late`).
    """
    if (
        record.kind != CasualtyKind.WOUNDED
        or record.niss < parameters.late_niss
        or record.worst_ais < parameters.lethal_ais
        or casualty.expects_rtd72
        or not parameters.clock[0]
    ):
        return
    a, b, _, _ = words(key, cell, index, LATE_DEATH)
    if to_uniform(a) < parameters.late[0] * min(record.niss / parameters.late[1], parameters.late[2]):
        days = parameters.late[3] - numeric.log(to_uniform(b)) * parameters.late[4]
        casualty.late_death_at = now + days * DAY


@compiled
def surgery_success(casualty: CasualtyState, record: PatientRow, parameters: SurvivalParameters) -> float:
    """Return the probability that damage control surgery succeeds if it starts now.

    p * (1 - penalty * min(1, max(0, (u/T - from) / (1 - from)))), docs/model.md section 2.5.4: a late rescue succeeds
    less often. `parameters.late_penalty` has penalty and from.
    """
    share = casualty.used / casualty.life
    late = min(1.0, max(0.0, (share - parameters.late_penalty[1]) / (1.0 - parameters.late_penalty[1])))
    return parameters.surgery_works[record.lethal] * (1.0 - parameters.late_penalty[0] * late)


@compiled
def health_score(
    record: PatientRow, casualty: CasualtyState, now: float, parameters: SurvivalParameters
) -> float:
    """Return the health score, 0 to 20, at `now` (docs/model.md section 2.5.7, which gives the equations)."""
    share = 0.0
    if casualty.recover_span > 0.0:
        value = MAX_HEALTH_SCORE - (MAX_HEALTH_SCORE - casualty.recover_from) * numeric.exp(
            -parameters.score[6] * (now - casualty.recover_at) / casualty.recover_span
        )
    elif casualty.life < math.inf:
        share = min(1.0, clock_at(casualty, now) / casualty.life)
        value = MAX_HEALTH_SCORE * numeric.exp(
            -numeric.exp(parameters.score[0] + (parameters.score[1] - parameters.score[0]) * share)
        )
    else:
        niss = (
            float(record.niss)
            if record.kind == CasualtyKind.WOUNDED
            else parameters.niss_equivalent[record.triage]
        )
        floor = max(parameters.score[2], MAX_HEALTH_SCORE - parameters.score[3] * niss)
        value = floor + (MAX_HEALTH_SCORE - floor) * numeric.exp(
            -(now - record.onset) / (parameters.score[4] * MINUTE)
        )
    if casualty.bonus > 0.0:
        value += casualty.bonus * (1.0 - share)
    return min(MAX_HEALTH_SCORE, max(0.0, value))


@compiled
def start_recovery(
    record: PatientRow, casualty: CasualtyState, now: float, parameters: SurvivalParameters
) -> None:
    """Let the health score recover towards 20 over the expected stay, from `now` on."""
    value = health_score(record, casualty, now, parameters)
    casualty.recover_from = value
    casualty.recover_at = now
    casualty.recover_span = max(casualty.stay_end, now + DAY) - now
    casualty.bonus = 0.0


@compiled
def resuscitation_effect(
    record: PatientRow, casualty: CasualtyState, now: float, parameters: SurvivalParameters
) -> None:
    """Raise the health score after resuscitation; the time of death does not change.

    The gain (19 - score) * (1 - u/T) lasts, and goes as the clock runs (docs/model.md section 2.5.7).
    """
    if casualty.recover_span > 0.0:
        return
    value = health_score(record, casualty, now, parameters)
    casualty.bonus = max(0.0, parameters.score[5] - value)
