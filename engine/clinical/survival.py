"""The survival clock (MODEL section 4): what would kill a casualty, how fast, and what care does to it.

The clock u of a lethal casualty runs at rate r; death comes when u reaches the life T. r is 0 during a protective
procedure, otherwise the smallest rate in force times the product of the environment's factors.
"""

import math
from typing import Annotated, Any

import numpy as np

from engine import numeric
from engine.clinical.casualties import to_uniform, true_triage
from engine.codes import NONE, CasualtyKind, LethalMechanism, Region
from engine.numeric import compiled, words
from engine.tables import Float64, Floats, Int32, Int64, Ints, Row, UInt8, UInt32, UInt64, dtype_of

MINUTE = 60_000.0  # ms
HOUR = 3_600_000.0
DAY = 86_400_000.0


LETHAL_MECHANISM_COUNT = 9
"""Number of LETHAL_MECHANISMS."""


class SurvivalParameters(Row):
    """Parameters of the clock; M = 9 lethal mechanisms, NISS and AIS index directly."""

    clock: Annotated[Ints, "u1", 1]  # 0: nobody dies of the clock or late
    lethal: Annotated[Floats, "f8", 76]  # probability of being lethal if untreated, by NISS
    minutes: Annotated[Floats, "f8", 76]  # median life in minutes, by NISS
    sigma: Annotated[Floats, "f8", 1]
    region_split: Annotated[Floats, "f8", 4]  # neck airway, thorax tension, abdomen torso, limb extremity
    triage: Annotated[
        Floats, "f8", 2
    ]  # T1 with a life of this many minutes or less; share of worst AIS 2 that needs surgery
    aid_works: Annotated[Floats, "f8", LETHAL_MECHANISM_COUNT]
    aid_rate: Annotated[Floats, "f8", LETHAL_MECHANISM_COUNT]
    resuscitation_rate: Annotated[Floats, "f8", LETHAL_MECHANISM_COUNT]
    surgery_works: Annotated[Floats, "f8", LETHAL_MECHANISM_COUNT]
    aid_delay: Annotated[Floats, "f8", 2]  # log of the median in minutes, sigma
    late_penalty: Annotated[Floats, "f8", 2]  # share lost, from which u/T on
    late: Annotated[Floats, "f8", 4]  # probability, NISS scale, maximum, mean in days
    rtd72: Annotated[Floats, "f8", 6]  # by worst AIS
    rtd72_hours: Annotated[Floats, "f8", 2]
    stay: Annotated[
        Floats, "f8", (6, 3)
    ]  # by worst AIS: log median days, sigma, share of the distribution below 72 h
    category_stay: Annotated[Floats, "f8", (4, 2)]  # by true triage: log median days, sigma
    agent: Annotated[Floats, "f8", (4, 3)]  # by severity: P(lethal), log median minutes, sigma
    agent_onset: Annotated[Floats, "f8", 5]  # share delayed, then the hours to choose from
    dnbi_life: Annotated[Floats, "f8", 2]  # log median minutes, sigma
    factor: Annotated[Floats, "f8", 1]  # product of the environment's clock factors
    score: Annotated[
        Floats, "f8", 10
    ]  # b, a, floor, per NISS, minutes, ceiling, half-life, recovery rate, -, -
    niss_equivalent: Annotated[Floats, "f8", 4]  # by true triage


SURVIVAL = dtype_of(SurvivalParameters)


class CasualtyState(Row):
    """One casualty on the way: what `engine.kernel.event_loop` moves from stage to stage.

    What is read at every event stands together.
    """

    # the clock
    life: Float64  # T in ms of clock time; infinite for the non-lethal and the rescued
    used: Float64  # u at `since`
    since: Float64  # ms
    rate: Float64  # r in force from `since` on
    late: Float64  # ms of a late death; infinite without
    slowest: Float64  # smallest s in force
    # what is due
    at: Float64  # ms of the next stage
    retriage_at: Float64  # ms of the next re-triage; infinity
    # where, and what is held (finite resources only)
    factor: Float64  # product of the environment's factors
    stay_end: Float64  # ms when the casualty could return to duty; infinite for the dying
    stage: Int32
    facility: Int32  # where the casualty is: an index, AT_POI or EN_ROUTE
    category: Int32  # assigned triage
    line: Int32  # waiting line; -1
    next: Int32  # neighbours in the waiting line
    previous: Int32
    version: Int32  # of the entry in the calendar that counts
    held: Int32  # resource in use; -1
    granted_resource: Int32  # given, and not yet made use of; -1
    place: Int32  # facility whose place is taken; -1
    booked: Int32  # facility where a place is kept for the one on the way; -1
    way: Int32
    # counters of the random streams, journal
    order: Int64  # number of the arrival
    cell: UInt64  # counters of the random streams
    index: UInt32
    leg: Int32  # number of facilities reached
    destination: Int32
    journal: Int32  # first and last entry of the journal; -1
    journal_end: Int32
    granted_value: Int32
    granted: UInt8  # 1: may perform the stage that is due
    in_bay: UInt8  # 1 + category in the list of those who may be bumped
    surged: UInt8  # 1: in a surge place
    no_blood: UInt8
    chosen: UInt8  # goes with the vehicle that is being loaded
    nobody: UInt8  # 1: the slot is free
    admitted: UInt8  # arrived at an MTF
    expects_rtd72: UInt8
    needs_surgery: UInt8
    resuscitated: UInt8
    resuscitating: UInt8
    operated: UInt8
    operated_here: UInt8
    definitive: UInt8
    decontaminated: UInt8
    head_ais: UInt8  # worst AIS of the head
    # waiting, and the first leg
    wait_since: Float64  # ms
    wait_until: Float64  # ms when the wait is known to end; infinity
    rest: Float64  # ms of care left for a bumped patient
    aid_at: Float64  # before the first door; infinity once done
    request_at: Float64
    depart_at: Float64
    arrive_at: Float64
    aboard: Float64  # factor on the clock in the vehicle
    # recovery and other things seldom looked at
    first_life: Float64  # T as drawn, for the score
    recover_at: Float64  # ms, score and span (ms) of the recovery; span 0: not recovering
    recover_from: Float64
    recover_span: Float64
    bonus_at: Float64  # ms and size of the passing effect of resuscitation
    bonus: Float64
    origin: Int64
    outcome: Int64  # of the present place, under transition-matrix routing
    wound: Int64  # first row and number of the wounds
    wounds: Int64
    first_treatment: Int64  # first row of the treatments
    protected: Float64  # rate of the clock while care goes on, for who resumes
    asked_at: Float64  # ms: transport onwards was asked for
    bumped_at: Float64  # ms
    blocked_since: Float64  # ms: what is held is no longer needed, but the next is not free
    first_event: Int64  # first row of the events
    retriages: Int32
    sent: Int32  # vehicles sent for this patient at this place


STATE = dtype_of(CasualtyState)


@compiled
def death_time(s: Any) -> float:
    """ms at which the casualty dies if nothing changes; infinity if never."""
    death = s.late
    if s.life < math.inf and s.rate > 0.0:
        death = min(death, s.since + (s.life - s.used) / s.rate)
    return death


@compiled
def clock_at(s: Any, t: Any) -> float:
    """The clock u at time t."""
    return s.used + (t - s.since) * s.rate


@compiled
def set_rate(s: Any, t: Any, rate: Any) -> None:
    """From t on the clock runs at `rate`."""
    s.used = clock_at(s, t)
    s.since = t
    s.rate = rate


@compiled
def set_factor(s: Any, t: Any, factor: Any) -> None:
    """From t on the environment's factor is `factor`; a protective procedure goes on protecting."""
    s.factor = factor
    if s.rate > 0.0:
        set_rate(s, t, s.slowest * factor)


@compiled
def slow_clock(s: Any, t: Any, rate: Any) -> None:
    """A treatment of this rate comes into force at t."""
    s.slowest = min(s.slowest, rate)
    set_rate(s, t, s.slowest * s.factor)


@compiled
def stop_clock(s: Any, t: Any) -> None:
    """What would have killed is stopped at t."""
    s.used = clock_at(s, t)
    s.since = t
    s.rate = 0.0
    s.life = math.inf


@compiled
def _lognormal(log_median: Any, sigma: Any, u: Any) -> float:
    return numeric.exp(log_median + sigma * numeric.normal_quantile(u))


@compiled
def _lethal_mechanism(region: Any, u: Any, t: Any) -> int:
    """What kills, from the region of the worst wound; where that is of eyes or ears, the brain (MODEL section 4)."""
    if region == Region.HEAD or (Region.EYES <= region < Region.FACE):
        return LethalMechanism.TBI
    if region == Region.FACE:
        return LethalMechanism.AIRWAY
    if region == Region.NECK:
        return LethalMechanism.AIRWAY if u < t.region_split[0] else LethalMechanism.JUNCTIONAL_HAEMORRHAGE
    if region == Region.THORAX:
        return (
            LethalMechanism.TENSION_PNEUMOTHORAX
            if u < t.region_split[1]
            else LethalMechanism.TORSO_HAEMORRHAGE
        )
    if region == Region.ABDOMEN:
        return (
            LethalMechanism.TORSO_HAEMORRHAGE
            if u < t.region_split[2]
            else LethalMechanism.JUNCTIONAL_HAEMORRHAGE
        )
    return (
        LethalMechanism.EXTREMITY_HAEMORRHAGE
        if u < t.region_split[3]
        else LethalMechanism.JUNCTIONAL_HAEMORRHAGE
    )


@compiled
def start_clock(s: Any, onset: Any, life: Any, factor: Any) -> None:
    """Starts the clock at `onset` with a life of `life` ms (infinity: non-lethal)."""
    s.life = life
    s.first_life = life
    s.used = 0.0
    s.since = onset
    s.slowest = 1.0
    s.factor = factor
    s.rate = factor
    s.late = math.inf
    s.recover_span = 0.0
    s.bonus = 0.0


@compiled
def draw_fate_of_wounded(
    p: Any, s: Any, o: Any, w: Any, n: Any, cell: Any, index: Any, key: Any, t: Any
) -> None:
    """Lethality, life, true triage and expected stay of a battle casualty; starts the clock."""
    a, b, c, d = words(key, cell, index, 0)
    e, f, _, _ = words(key, cell, index, 1)
    life = math.inf
    p.lethal = NONE
    if p.worst_ais == 6:
        life = 0.0
    else:
        if t.clock[0] and to_uniform(a) < t.lethal[p.niss]:
            life = t.minutes[p.niss] * _lognormal(0.0, t.sigma[0], to_uniform(b)) * MINUTE
            p.lethal = _lethal_mechanism(o.wounds[w].region, to_uniform(c), t)
    lethal = p.lethal != NONE
    p.triage = true_triage(p.worst_ais, lethal, life / MINUTE, to_uniform(d), t.triage)
    p.onset = p.time
    start_clock(s, np.float64(p.time), life, t.factor[0])
    s.needs_surgery = 1 if p.triage <= 2 else 0
    for k in range(n):
        if o.wounds[w + k].region == Region.HEAD:
            s.head_ais = max(s.head_ais, o.wounds[w + k].ais)
    if not lethal and p.worst_ais <= 3 and to_uniform(e) < t.rtd72[p.worst_ais]:
        s.expects_rtd72 = 1
        hours = t.rtd72_hours[0] + (t.rtd72_hours[1] - t.rtd72_hours[0]) * to_uniform(f)
        s.stay_end = p.time + hours * HOUR
    else:
        row = t.stay[min(5, np.int64(p.worst_ais))]
        within = row[2] + (1.0 - row[2]) * to_uniform(f)
        s.stay_end = p.time + _lognormal(row[0], row[1], within) * DAY


@compiled
def draw_fate_of_ill(p: Any, s: Any, kills: Any, cell: Any, index: Any, key: Any, t: Any) -> None:
    """Lethality, life, symptom onset and expected stay of a casualty without weapon wounds; starts the clock.

    `kills`: whether what is no agent kills without treatment.
    """
    a, b, c, d = words(key, cell, index, 0)
    life = math.inf
    p.lethal = NONE
    p.onset = p.time
    if p.kind == CasualtyKind.AGENT:
        row = t.agent[p.severity]
        if t.clock[0] and to_uniform(a) < row[0]:
            life = _lognormal(row[1], row[2], to_uniform(b)) * MINUTE
            p.lethal = LethalMechanism.AGENT
        u = to_uniform(c)
        if u < t.agent_onset[0]:
            hours = t.agent_onset[1 + np.int64(u / t.agent_onset[0] * 4.0)]
            p.onset = p.time + np.int64(hours * HOUR)
    elif t.clock[0] and kills:
        life = _lognormal(t.dnbi_life[0], t.dnbi_life[1], to_uniform(b)) * MINUTE
        p.lethal = (
            LethalMechanism.NON_BATTLE_INJURY if p.kind == CasualtyKind.NBI else LethalMechanism.DISEASE
        )
    start_clock(s, np.float64(p.onset), life, t.factor[0])
    s.needs_surgery = 0
    row = t.category_stay[p.triage]
    s.stay_end = (
        _lognormal(row[0], row[1], to_uniform(d)) * DAY
    )  # from admission: made absolute at the first door


@compiled
def draw_late_death(p: Any, s: Any, now: Any, cell: Any, index: Any, key: Any, t: Any) -> None:
    """At admission: the late hazard of the severely wounded (sepsis, organ failure), drawn once."""
    if p.kind != CasualtyKind.WOUNDED or p.niss < 9 or s.expects_rtd72 or not t.clock[0]:
        return
    a, b, _, _ = words(key, cell, index, 2)
    if to_uniform(a) < t.late[0] * min(p.niss / t.late[1], t.late[2]):
        s.late = now - numeric.log(to_uniform(b)) * t.late[3] * DAY


@compiled
def surgery_success(s: Any, p: Any, t: Any) -> float:
    """Probability that surgery now stops what kills: less for a rescue at the last minute."""
    share = s.used / s.life
    late = min(1.0, max(0.0, (share - t.late_penalty[1]) / (1.0 - t.late_penalty[1])))
    return t.surgery_works[p.lethal] * (1.0 - t.late_penalty[0] * late)


@compiled
def health_score(p: Any, s: Any, now: Any, t: Any) -> float:
    """Health score 0..20 at `now` (MODEL section 4; SIMEDIS)."""
    if s.recover_span > 0.0:
        value = 20.0 - (20.0 - s.recover_from) * numeric.exp(
            -t.score[7] * (now - s.recover_at) / s.recover_span
        )
    elif s.life < math.inf:
        share = min(1.0, clock_at(s, now) / s.life)
        value = 20.0 * numeric.exp(-numeric.exp(t.score[0] + (t.score[1] - t.score[0]) * share))
    else:
        niss = np.float64(p.niss) if p.kind == CasualtyKind.WOUNDED else t.niss_equivalent[p.triage]
        floor = max(t.score[2], 20.0 - t.score[3] * niss)
        value = floor + (20.0 - floor) * numeric.exp(-(now - p.onset) / (t.score[4] * MINUTE))
    if s.bonus > 0.0:
        left = numeric.exp(-0.6931471805599453 * (now - s.bonus_at) / (t.score[6] * MINUTE))
        value += s.bonus * left
    return min(20.0, max(0.0, value))


@compiled
def start_recovery(p: Any, s: Any, now: Any, t: Any) -> None:
    """From now on the score recovers towards 20 over the expected stay."""
    value = health_score(p, s, now, t)
    s.recover_from = value
    s.recover_at = now
    s.recover_span = max(s.stay_end, now + DAY) - now
    s.bonus = 0.0


@compiled
def resuscitation_effect(p: Any, s: Any, now: Any, t: Any) -> None:
    """The passing lift of the score by resuscitation; it does not move the predicted death."""
    if s.recover_span > 0.0:
        return
    value = health_score(p, s, now, t)
    share = min(1.0, clock_at(s, now) / s.life) if s.life < math.inf else 0.0
    s.bonus = max(0.0, t.score[5] - value) * (1.0 - share)
    s.bonus_at = now
