"""The survival clock (MODEL section 4): what would kill a casualty, how fast, and what care does to it.

The clock u of a lethal casualty runs at rate r; death comes when u reaches the life T. r is 0 during a protective
procedure, otherwise the smallest rate in force times the product of the environment's factors.
"""

import math

from engine import numeric
from engine.clinical.casualties import to_uniform, true_triage
from engine.codes import LATE_DEATH, LETHALITY, NONE, STAY, CasualtyKind, LethalMechanism, Region
from engine.numeric import compiled, words
from engine.tables import (
    DAY,
    HOUR,
    MINUTE,
    CasualtyState,
    Output,
    PatientRow,
    SurvivalParameters,
)


@compiled
def death_time(casualty: CasualtyState) -> float:
    """ms at which the casualty dies if nothing changes; infinity if never."""
    death = casualty.late_death_at
    if casualty.life < math.inf and casualty.rate > 0.0:
        death = min(death, casualty.since + (casualty.life - casualty.used) / casualty.rate)
    return death


@compiled
def clock_at(casualty: CasualtyState, at: float) -> float:
    """The clock u at time t."""
    return casualty.used + (at - casualty.since) * casualty.rate


@compiled
def set_rate(casualty: CasualtyState, at: float, rate: float) -> None:
    """From t on the clock runs at `rate`."""
    casualty.used = clock_at(casualty, at)
    casualty.since = at
    casualty.rate = rate


@compiled
def set_factor(casualty: CasualtyState, at: float, factor: float) -> None:
    """From t on the environment's factor is `factor`; a protective procedure goes on protecting."""
    casualty.factor = factor
    if casualty.rate > 0.0:
        set_rate(casualty, at, casualty.slowest * factor)


@compiled
def slow_clock(casualty: CasualtyState, at: float, rate: float) -> None:
    """A treatment of this rate comes into force at t."""
    casualty.slowest = min(casualty.slowest, rate)
    set_rate(casualty, at, casualty.slowest * casualty.factor)


@compiled
def stop_clock(casualty: CasualtyState, at: float) -> None:
    """What would have killed is stopped at t."""
    casualty.used = clock_at(casualty, at)
    casualty.since = at
    casualty.rate = 0.0
    casualty.life = math.inf


@compiled
def _lognormal(log_median: float, sigma: float, uniform: float) -> float:
    return numeric.exp(log_median + sigma * numeric.normal_quantile(uniform))


@compiled
def _lethal_mechanism(region: int, uniform: float, parameters: SurvivalParameters) -> int:
    """What kills, from the region of the worst wound; where that is of eyes or ears, the brain (MODEL section 4)."""
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


@compiled
def start_clock(casualty: CasualtyState, onset: float, life: float, factor: float) -> None:
    """Starts the clock at `onset` with a life of `life` ms (infinity: non-lethal)."""
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
def draw_fate_of_wounded(
    record: PatientRow,
    casualty: CasualtyState,
    output: Output,
    first_wound: int,
    count: int,
    cell: int,
    index: int,
    key: int,
    parameters: SurvivalParameters,
) -> None:
    """Lethality, life, true triage and expected stay of a battle casualty; starts the clock."""
    a, b, c, d = words(key, cell, index, LETHALITY)
    e, f, _, _ = words(key, cell, index, STAY)
    life = math.inf
    record.lethal = NONE
    if record.worst_ais == 6:
        life = 0.0
    else:
        if parameters.clock[0] and to_uniform(a) < parameters.lethal[record.niss]:
            life = (
                parameters.minutes[record.niss] * _lognormal(0.0, parameters.sigma[0], to_uniform(b)) * MINUTE
            )
            record.lethal = _lethal_mechanism(output.wounds[first_wound].region, to_uniform(c), parameters)
    lethal = record.lethal != NONE
    record.triage = true_triage(record.worst_ais, lethal, life / MINUTE, to_uniform(d), parameters.triage)
    record.onset = record.time
    start_clock(casualty, float(record.time), life, parameters.factor[0])
    casualty.needs_surgery = 1 if record.triage <= 2 else 0
    for k in range(count):
        if output.wounds[first_wound + k].region == Region.HEAD:
            casualty.head_ais = max(casualty.head_ais, output.wounds[first_wound + k].ais)
    if not lethal and record.worst_ais <= 3 and to_uniform(e) < parameters.rtd72[record.worst_ais]:
        casualty.expects_rtd72 = 1
        hours = parameters.rtd72_hours[0] + (
            parameters.rtd72_hours[1] - parameters.rtd72_hours[0]
        ) * to_uniform(f)
        casualty.stay_end = record.time + hours * HOUR
    else:
        row = parameters.stay[min(5, int(record.worst_ais))]
        within = row[2] + (1.0 - row[2]) * to_uniform(f)
        casualty.stay_end = record.time + _lognormal(row[0], row[1], within) * DAY


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
    """Lethality, life, symptom onset and expected stay of a casualty without weapon wounds; starts the clock.

    `kills`: whether what is no agent kills without treatment.
    """
    a, b, c, d = words(key, cell, index, LETHALITY)
    life = math.inf
    record.lethal = NONE
    record.onset = record.time
    if record.kind == CasualtyKind.AGENT:
        row = parameters.agent[record.severity]
        if parameters.clock[0] and to_uniform(a) < row[0]:
            life = _lognormal(row[1], row[2], to_uniform(b)) * MINUTE
            record.lethal = LethalMechanism.AGENT
        uniform = to_uniform(c)
        if uniform < parameters.agent_onset[0]:
            hours = parameters.agent_onset[1 + int(uniform / parameters.agent_onset[0] * 4.0)]
            record.onset = record.time + int(hours * HOUR)
    elif parameters.clock[0] and kills:
        life = _lognormal(parameters.dnbi_life[0], parameters.dnbi_life[1], to_uniform(b)) * MINUTE
        record.lethal = (
            LethalMechanism.NON_BATTLE_INJURY if record.kind == CasualtyKind.NBI else LethalMechanism.DISEASE
        )
    start_clock(casualty, float(record.onset), life, parameters.factor[0])
    casualty.needs_surgery = 0
    row = parameters.category_stay[record.triage]
    casualty.stay_end = (
        _lognormal(row[0], row[1], to_uniform(d)) * DAY
    )  # from admission: made absolute at the first door


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
    """At admission: the late hazard of the severely wounded (sepsis, organ failure), drawn once."""
    if (
        record.kind != CasualtyKind.WOUNDED
        or record.niss < 9
        or casualty.expects_rtd72
        or not parameters.clock[0]
    ):
        return
    a, b, _, _ = words(key, cell, index, LATE_DEATH)
    if to_uniform(a) < parameters.late[0] * min(record.niss / parameters.late[1], parameters.late[2]):
        casualty.late_death_at = now - numeric.log(to_uniform(b)) * parameters.late[3] * DAY


@compiled
def surgery_success(casualty: CasualtyState, record: PatientRow, parameters: SurvivalParameters) -> float:
    """Probability that surgery now stops what kills: less for a rescue at the last minute."""
    share = casualty.used / casualty.life
    late = min(1.0, max(0.0, (share - parameters.late_penalty[1]) / (1.0 - parameters.late_penalty[1])))
    return parameters.surgery_works[record.lethal] * (1.0 - parameters.late_penalty[0] * late)


@compiled
def health_score(
    record: PatientRow, casualty: CasualtyState, now: float, parameters: SurvivalParameters
) -> float:
    """Health score 0..20 at `now` (MODEL section 4; SIMEDIS)."""
    if casualty.recover_span > 0.0:
        value = 20.0 - (20.0 - casualty.recover_from) * numeric.exp(
            -parameters.score[7] * (now - casualty.recover_at) / casualty.recover_span
        )
    elif casualty.life < math.inf:
        share = min(1.0, clock_at(casualty, now) / casualty.life)
        value = 20.0 * numeric.exp(
            -numeric.exp(parameters.score[0] + (parameters.score[1] - parameters.score[0]) * share)
        )
    else:
        niss = (
            float(record.niss)
            if record.kind == CasualtyKind.WOUNDED
            else parameters.niss_equivalent[record.triage]
        )
        floor = max(parameters.score[2], 20.0 - parameters.score[3] * niss)
        value = floor + (20.0 - floor) * numeric.exp(-(now - record.onset) / (parameters.score[4] * MINUTE))
    if casualty.bonus > 0.0:
        left = numeric.exp(-0.6931471805599453 * (now - casualty.bonus_at) / (parameters.score[6] * MINUTE))
        value += casualty.bonus * left
    return min(20.0, max(0.0, value))


@compiled
def start_recovery(
    record: PatientRow, casualty: CasualtyState, now: float, parameters: SurvivalParameters
) -> None:
    """From now on the score recovers towards 20 over the expected stay."""
    value = health_score(record, casualty, now, parameters)
    casualty.recover_from = value
    casualty.recover_at = now
    casualty.recover_span = max(casualty.stay_end, now + DAY) - now
    casualty.bonus = 0.0


@compiled
def resuscitation_effect(
    record: PatientRow, casualty: CasualtyState, now: float, parameters: SurvivalParameters
) -> None:
    """The passing lift of the score by resuscitation; it does not move the predicted death."""
    if casualty.recover_span > 0.0:
        return
    value = health_score(record, casualty, now, parameters)
    share = min(1.0, clock_at(casualty, now) / casualty.life) if casualty.life < math.inf else 0.0
    casualty.bonus = max(0.0, parameters.score[5] - value) * (1.0 - share)
    casualty.bonus_at = now
