"""Who the casualties are and what is wrong with them (MODEL section 3).

Draws of a casualty are keyed (purpose; cell, index, draw number): they depend on nobody else. The tables are compiled
by `engine.compile.model`; the functions below fill one row of `columns.PATIENT` and the rows of `columns.WOUND`.
"""

from typing import Annotated, Any

import numpy as np

from engine import numeric
from engine.codes import NONE, CasualtyKind, ConditionFlag, Illness, Mechanism, Region
from engine.numeric import compiled, compiled_entry, words
from engine.tables import MAX_WOUNDS, Floats, Ints, PatientRow, Row, Rows, Table, WoundRow, dtype_of


class SampledCasualty(Row):
    """One casualty of a sample, without a record."""

    patients: Annotated[Rows[PatientRow], 1]
    wounds: Annotated[Rows[WoundRow], MAX_WOUNDS]


SAMPLE = dtype_of(SampledCasualty)

# Rows of Injuries.illness: which tables describe a casualty without weapon wounds.


ILLNESSES = 9

NATURES = 6
"""Kinds of external cause: of wounds 0 any, 1 burn, 2 blunt, 3 immersion; of accidents 0 none, 1 msk .. 5 cold."""

OF_INCIDENT = 0xFFFFFFFF
"""Index of the draws that all casualties of an incident share: its mechanism and cause (MODEL section 2)."""

# Mechanism codes of columns.MECHANISMS beyond the three of weapons.


_UNIT = 1.0 / 4294967296.0


TYPES = 9
"""Rows of the tables by warfare type: a scenario's types in its order, the last row for none."""
SPECIALS = 256
"""Rows by special event; the last, NONE, outside special events."""
FRONTS, NATIONS, RANKS, BLOOD_GROUPS = 200, 48, 20, 8
CONDITIONS, CHOICES, FEW_CHOICES = 2048, 65_536, 4096
"""The most that the tables hold: fixed, so that the kernel is compiled once for all scenarios."""


class PeopleTables(Row):
    """Tables of identity; F fronts, N nations, R ranks, B blood groups."""

    nations: Annotated[Floats, "f8", (FRONTS, NATIONS)]  # cumulated shares of the nations of a front
    female: Annotated[Floats, "f8", NATIONS]  # share of women
    given: Annotated[Ints, "i8", (NATIONS, 2)]  # number of given names by sex
    family: Annotated[Ints, "i8", (NATIONS, 2)]  # number of family names by sex
    ranks: Annotated[Floats, "f8", (NATIONS, RANKS)]  # cumulated weights
    rank_age: Annotated[Ints, "i8", (NATIONS, RANKS)]  # youngest age of a rank
    units: Annotated[Ints, "i8", FRONTS]  # number of units of a front
    blood: Annotated[Floats, "f8", (NATIONS, BLOOD_GROUPS)]  # cumulated shares
    weight: Annotated[Floats, "f8", (2, 2)]  # mean and SD in kg by sex
    start: Annotated[Ints, "i8", 1]  # ms of the scenario's start since 1970-01-01
    age_span: Annotated[Floats, "f8", 1]  # years above the youngest age of the rank


PEOPLE = dtype_of(PeopleTables)


class InjuryTables(Row):
    """Tables of wounds and illnesses; T warfare types plus one row for 'none', S special events plus one."""

    mechanisms: Annotated[Floats, "f8", (TYPES, 3)]  # cumulated
    instant: Annotated[Floats, "f8", TYPES]  # probability of instant death
    severity: Annotated[Floats, "f8", TYPES]  # mean of the latent severity Z
    special_severity: Annotated[Floats, "f8", SPECIALS]  # added to it
    special_type: Annotated[Ints, "i8", SPECIALS]  # row by warfare type of a special event
    wound_mean: Annotated[Floats, "f8", 3]  # mean number of further wounds by mechanism
    wound_slope: Annotated[Floats, "f8", 2]  # slope and offset of the log mean on Z
    latent: Annotated[Floats, "f8", 2]  # weights of Z and of the wound's own noise
    shift: Annotated[Floats, "f8", 3]  # by mechanism
    regions: Annotated[Floats, "f8", (3, 9)]  # cumulated
    ais: Annotated[Floats, "f8", (9, 5)]  # upper normal quantiles of AIS 1..5
    fatal: Annotated[Floats, "f8", 9]  # cumulated shares of the instantly fatal wound
    sided: Annotated[Ints, "u1", 9]  # 1 where a region has sides
    first: Annotated[
        Ints, "i8", (TYPES, 9, 3, 7, 3)
    ]  # first entry of (type, region, mechanism, AIS, side) in `choices`
    count: Annotated[Ints, "i8", (TYPES, 9, 3, 7, 3)]
    choices: Annotated[Ints, "i8", CHOICES]  # condition indices
    chance: Annotated[Floats, "f8", CHOICES]  # cumulated weights within each group
    flags: Annotated[Ints, "u1", CONDITIONS]  # FLAG_ bits of each condition
    groups: Annotated[
        Ints, "u1", CONDITIONS
    ]  # care an illness calls for: CARE_ codes of engine.clinical.treatments
    side: Annotated[Ints, "u1", CONDITIONS]  # the side a condition names
    level: Annotated[
        Ints, "u1", CONDITIONS
    ]  # along a limb: 1 upper arm, thigh; 2 forearm, lower leg; 3 hand, foot; else 0
    nature: Annotated[Ints, "u1", CONDITIONS]  # NATURES: what kind of cause a wound's condition belongs to
    ill_first: Annotated[
        Ints, "i8", (ILLNESSES, 4, 2)
    ]  # by illness, true triage category (0: T1 that kills) and sex
    ill_count: Annotated[Ints, "i8", (ILLNESSES, 4, 2)]
    ill_choices: Annotated[Ints, "i8", FEW_CHOICES]
    ill_chance: Annotated[Floats, "f8", FEW_CHOICES]
    cause_first: Annotated[Ints, "i8", (TYPES, 7, NATURES)]  # by warfare type, mechanism and nature
    cause_count: Annotated[Ints, "i8", (TYPES, 7, NATURES)]
    cause_choices: Annotated[Ints, "i8", FEW_CHOICES]
    cause_chance: Annotated[Floats, "f8", FEW_CHOICES]
    psychological: Annotated[Floats, "f8", TYPES]  # share of disease that is psychological
    musculoskeletal: Annotated[Floats, "f8", TYPES]  # share of disease that is musculoskeletal
    environment: Annotated[Floats, "f8", 4]  # chance that a non-battle casualty is heat, cold, fall, crush
    category: Annotated[Floats, "f8", (3, 4)]  # cumulated: lethal T1, other T1, T2, T3, by kind
    agent_severity: Annotated[Floats, "f8", 4]  # cumulated
    agent_triage: Annotated[Ints, "i8", 4]


INJURIES = dtype_of(InjuryTables)


@compiled
def to_uniform(word: Any) -> float:
    """A 32-bit word as a uniform on (0, 1)."""
    return (np.float64(word) + 0.5) * _UNIT


@compiled
def pick_cumulated(cumulated: Any, first: Any, count: Any, u: Any) -> int:
    """The entry of cumulated[first:first + count] (ending in 1) into which u falls, counted from `first`."""
    low = 0
    high = count - 1
    while low < high:
        middle = (low + high) >> 1
        if u < cumulated[first + middle]:
            high = middle
        else:
            low = middle + 1
    return low


@compiled
def _civil(days: Any) -> Any:
    """(year, month, day) of a day number from 1970-01-01; proleptic Gregorian, after H. Hinnant's days_from_civil."""
    z = days + 719468
    era = z // 146097
    doe = z - era * 146097
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    day = doy - (153 * mp + 2) // 5 + 1
    month = mp + 3 if mp < 10 else mp - 9
    year = yoe + era * 400 + (1 if month <= 2 else 0)
    return year, month, day


@compiled
def _day_number(year: Any, month: Any, day: Any) -> int:
    """Day number from 1970-01-01, the inverse of `_civil`."""
    y = year - 1 if month <= 2 else year
    era = y // 400
    yoe = y - era * 400
    doy = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    doe = yoe * 365 + yoe // 4 - yoe // 100 + doy
    return era * 146097 + doe - 719468


@compiled
def draw_person(p: Any, cell: Any, index: Any, key: Any, tables: Any) -> None:
    """Fills the identity of patient row `p`: nation, sex, age, rank, names, unit, blood group, weight, number."""
    a, b, c, d = words(key, cell, index, 0)
    nation = pick_cumulated(tables.nations[p.front], 0, NATIONS, to_uniform(a))
    sex = 0 if to_uniform(b) < tables.female[nation] else 1
    rank = pick_cumulated(tables.ranks[nation], 0, RANKS, to_uniform(c))
    p.nation = nation
    p.sex = sex
    p.rank = rank
    v = to_uniform(d)
    age = tables.rank_age[nation, rank] + np.int64(tables.age_span[0] * v * v)
    a, b, c, d = words(key, cell, index, 1)
    today = (tables.start[0] + p.time) // 86400000
    year, month, day = _civil(today)
    if month == 2 and day == 29:
        day = 28
    birth = _day_number(year - age, month, day) - np.int64(to_uniform(a) * 365.0)
    born_year, born_month, born_day = _civil(birth)
    year, month, day = _civil(today)
    p.birth = birth
    p.age = year - born_year - (1 if (month, day) < (born_month, born_day) else 0)
    p.given_name = np.int64(to_uniform(b) * tables.given[nation, sex])
    p.family_name = np.int64(to_uniform(c) * tables.family[nation, sex])
    p.unit = np.int64(to_uniform(d) * tables.units[p.front])
    a, b, c, d = words(key, cell, index, 2)
    p.blood_group = pick_cumulated(tables.blood[nation], 0, BLOOD_GROUPS, to_uniform(a))
    kg = tables.weight[sex, 0] + tables.weight[sex, 1] * numeric.normal_quantile(to_uniform(b))
    p.weight = np.int64(min(140.0, max(45.0, kg)) + 0.5)
    p.service_number = np.int64(10000000) + np.int64(c) % np.int64(90000000)


@compiled
def iss_region(region: Any, ais: Any) -> int:
    """Index of ISS_REGIONS for a wound: AIS 1 outside the face is a skin wound, so 'external' (MODEL section 3)."""
    if region in (Region.FACE, Region.EYES, Region.EARS):
        return 1
    if ais == 1:
        return 5
    if region in (Region.HEAD, Region.NECK):
        return 0
    if region == Region.THORAX:
        return 2
    if region == Region.ABDOMEN:
        return 3
    return 4


@compiled
def severity_scores(o: Any, first: Any, n: Any) -> Any:
    """(ISS, NISS) of o.wounds[first:first + n]: Baker 1974, Osler 1997; any AIS 6 gives 75."""
    worst = np.int64(0)  # AIS of the worst wound of each ISS region, 4 bits each
    first_new = np.int64(0)
    second_new = np.int64(0)
    third_new = np.int64(0)
    for k in range(n):
        ais = np.int64(o.wounds[first + k].ais)
        if ais == 6:
            return np.int64(75), np.int64(75)
        if ais > first_new:
            first_new, second_new, third_new = ais, first_new, second_new
        elif ais > second_new:
            second_new, third_new = ais, second_new
        elif ais > third_new:
            third_new = ais
        shift = np.int64(4 * iss_region(o.wounds[first + k].region, ais))
        if (worst >> shift) & 15 < ais:
            worst = (worst & ~(np.int64(15) << shift)) | (ais << shift)
    highest = np.int64(0)
    second = np.int64(0)
    third = np.int64(0)
    for _ in range(6):
        ais = worst & 15
        worst = worst >> 4
        if ais > highest:
            highest, second, third = ais, highest, second
        elif ais > second:
            second, third = ais, second
        elif ais > third:
            third = ais
    return (
        highest * highest + second * second + third * third,
        first_new * first_new + second_new * second_new + third_new * third_new,
    )


@compiled
def type_row(p: Any, t: Any) -> Any:
    """Row of the tables by warfare type: a special event has its own; the last is that of no type."""
    if p.special != NONE:
        return np.int64(t.special_type[p.special])
    return min(np.int64(p.type), TYPES - 1)


@compiled
def _draw_wounds(p: Any, o: Any, w: Any, cell: Any, index: Any, key: Any, t: Any) -> Any:
    """Draws number, region, side and AIS of the wounds of battle casualty `p` from row w on.

    Returns (number of wounds, 1 where instantly fatal).
    """
    row = type_row(p, t)
    _, b, c, d = words(key, cell, index, 0)
    mechanism = pick_cumulated(t.mechanisms[row], 0, 3, to_uniform(words(key, p.incident, OF_INCIDENT, 0)[0]))
    z = numeric.normal_quantile(to_uniform(b)) + t.severity[row] + t.special_severity[p.special]
    fatal = to_uniform(c) < t.instant[row]
    mean = t.wound_mean[mechanism] * numeric.exp(t.wound_slope[0] * z + t.wound_slope[1])
    further = numeric.log(to_uniform(d)) / numeric.log(mean / (1.0 + mean))
    n = 1 + np.int64(min(further, MAX_WOUNDS - 1.0))
    p.mechanism = mechanism
    for k in range(n):
        a, b, c, d = words(key, cell, index, 16 + k)
        region = pick_cumulated(t.regions[mechanism], 0, 9, to_uniform(a))
        ais = 1
        if k == 0 and fatal:
            region = pick_cumulated(t.fatal, 0, 9, to_uniform(a))
            ais = 6
        else:
            x = t.latent[0] * z + t.latent[1] * numeric.normal_quantile(to_uniform(b)) + t.shift[mechanism]
            while ais < 5 and x > t.ais[region, ais - 1]:
                ais += 1
        wound = o.wounds[w + k]
        wound.region = region
        wound.ais = ais
        wound.side = 1 + np.int64(to_uniform(c) * 2.0) if t.sided[region] else 0
        wound.condition = np.int64(d >> np.uint64(16))  # the draw for the condition, until it is chosen
    return n, fatal


@compiled
def _severity_rank(region: Any, ais: Any) -> int:
    """Order of wounds: by AIS; of equals, eyes and ears last, for they are not what kills."""
    return 2 * ais + (0 if region in (Region.EYES, Region.EARS) else 1)


@compiled
def _sort_wounds(o: Any, first: Any, n: Any) -> None:
    """Worst wound first, stable."""
    for k in range(1, n):
        region = o.wounds[first + k].region
        ais = o.wounds[first + k].ais
        side = o.wounds[first + k].side
        condition = o.wounds[first + k].condition
        j = k - 1
        while j >= 0 and _severity_rank(o.wounds[first + j].region, o.wounds[first + j].ais) < _severity_rank(
            region, ais
        ):
            o.wounds[first + j + 1].region = o.wounds[first + j].region
            o.wounds[first + j + 1].ais = o.wounds[first + j].ais
            o.wounds[first + j + 1].side = o.wounds[first + j].side
            o.wounds[first + j + 1].condition = o.wounds[first + j].condition
            j -= 1
        o.wounds[first + j + 1].region = region
        o.wounds[first + j + 1].ais = ais
        o.wounds[first + j + 1].side = side
        o.wounds[first + j + 1].condition = condition


@compiled
def _contradicts(o: Any, first: Any, k: Any, condition: Any, t: Any, repeats: Any) -> bool:
    """Whether wound k cannot have this condition beside those before it.

    No wound lies beyond an amputation or at a second amputation of the same limb; none is the same again unless
    `repeats`.
    """
    amputation = t.flags[condition] & ConditionFlag.AMPUTATION
    for j in range(k):
        other = o.wounds[first + j]
        if other.region == o.wounds[first + k].region and other.side == o.wounds[first + k].side:
            if other.condition == condition and not repeats:
                return True
            gone = t.flags[other.condition] & ConditionFlag.AMPUTATION
            if amputation and gone:
                return True
            if gone and t.level[condition] > t.level[other.condition]:
                return True
            if amputation and t.level[other.condition] > t.level[condition]:
                return True
    return False


@compiled
def _choose_condition(
    row: Any, mechanism: Any, o: Any, first: Any, k: Any, u: Any, t: Any, repeats: Any
) -> int:
    """The entry of t.choices for wound k that u falls on, or the next that does not contradict; -1 if all do."""
    wound = o.wounds[first + k]
    start = t.first[row, wound.region, mechanism, wound.ais, wound.side]
    count = t.count[row, wound.region, mechanism, wound.ais, wound.side]
    choice = pick_cumulated(t.chance, start, count, u)
    for _ in range(count):
        if not _contradicts(o, first, k, t.choices[start + choice], t, repeats):
            return start + choice
        choice = (choice + 1) % count
    return -1


@compiled
def _wound_conditions(row: Any, mechanism: Any, o: Any, first: Any, n: Any, t: Any) -> None:
    """Chooses the condition of each wound among those that fit type, region, mechanism, AIS and side.

    Where all of them contradict the wounds before, the wound moves to the other side; at last a wound may be the same
    as another. In a region without sides the wound takes the side that its condition names.
    """
    for k in range(n):
        wound = o.wounds[first + k]
        u = (np.float64(wound.condition) + 0.5) / 65536.0
        chosen = -1
        for attempt in range(4):
            if attempt > 0 and t.sided[wound.region]:
                wound.side = 3 - wound.side
            chosen = _choose_condition(row, mechanism, o, first, k, u, t, attempt >= 2)
            if chosen >= 0:
                break
        if chosen < 0:
            chosen = t.first[row, wound.region, mechanism, wound.ais, wound.side]
        wound.condition = t.choices[chosen]
        if t.side[wound.condition]:
            wound.side = t.side[wound.condition]


@compiled
def true_triage(worst: Any, lethal: Any, minutes: Any, u: Any, rule: Any) -> int:
    """True category of a wounded casualty (MODEL section 3); rule: T1 life in minutes, surgical share of AIS 2."""
    if worst >= 4 or (lethal and minutes <= rule[0]):
        return 1
    if worst == 3 or lethal or (worst == 2 and u < rule[1]):
        return 2
    return 3


@compiled
def _draw_cause(p: Any, u: Any, t: Any) -> Any:
    """External cause fitting warfare type, mechanism and main diagnosis; 65535 where there is none."""
    row = type_row(p, t)
    nature = t.nature[p.condition]
    count = t.cause_count[row, p.mechanism, nature]
    if count == 0:
        return 65535
    start = t.cause_first[row, p.mechanism, nature]
    return np.int64(t.cause_choices[start + pick_cumulated(t.cause_chance, start, count, u)])


@compiled
def draw_wounds(p: Any, o: Any, w: Any, cell: Any, index: Any, key: Any, t: Any) -> int:
    """Wounds, scores and cause of a battle casualty; returns the number of wounds."""
    n, _ = _draw_wounds(p, o, w, cell, index, key, t)
    _sort_wounds(o, w, n)
    _wound_conditions(type_row(p, t), p.mechanism, o, w, n, t)
    p.iss, p.niss = severity_scores(o, w, n)
    p.worst_ais = o.wounds[w].ais
    p.condition = o.wounds[w].condition
    p.cause = _draw_cause(p, to_uniform(words(key, p.incident, OF_INCIDENT, 0)[1]), t)
    p.severity = NONE
    return n


@compiled
def draw_wounds_briefly(p: Any, o: Any, w: Any, cell: Any, index: Any, key: Any, t: Any) -> Any:
    """As `wounded`, for who needs no diagnoses: scores, and the worst wound in row w; returns the number of wounds."""
    n, _ = _draw_wounds(p, o, w, cell, index, key, t)
    p.iss, p.niss = severity_scores(o, w, n)
    worst = 0
    for k in range(1, n):
        if _severity_rank(o.wounds[w + k].region, o.wounds[w + k].ais) > _severity_rank(
            o.wounds[w + worst].region, o.wounds[w + worst].ais
        ):
            worst = k
    o.wounds[w].region = o.wounds[w + worst].region
    o.wounds[w].ais = o.wounds[w + worst].ais
    p.worst_ais = o.wounds[w].ais
    p.severity = NONE
    return n


@compiled
def _draw_illness_table(p: Any, u: Any, v: Any, t: Any) -> int:
    """Which illness table describes a non-battle casualty; sets kind and mechanism."""
    row = type_row(p, t)
    if p.kind == CasualtyKind.NBI:
        p.mechanism = Mechanism.ACCIDENT
        edge = 0.0
        for k in range(4):
            edge += t.environment[k]
            if u < edge:
                return Illness.HEAT + k
        return Illness.NBI
    p.mechanism = Mechanism.ILLNESS
    if v < t.psychological[row]:
        p.kind = CasualtyKind.PSYCHOLOGICAL
        p.mechanism = Mechanism.PSYCHOLOGICAL
        return Illness.PSYCHOLOGICAL
    if v < t.psychological[row] + t.musculoskeletal[row]:
        return Illness.MUSCULOSKELETAL
    return Illness.DISEASE


@compiled
def draw_illness(p: Any, cell: Any, index: Any, key: Any, t: Any) -> bool:
    """Condition, cause and true triage of an agent, non-battle, disease or psychological casualty.

    Returns whether what is no agent kills without treatment: always T1, with a condition that can.
    """
    a, b, c, d = words(key, cell, index, 0)
    p.iss = 0
    p.niss = 0
    p.worst_ais = 0
    p.severity = NONE
    if p.kind == CasualtyKind.AGENT:
        p.mechanism = Mechanism.CBRN
        p.severity = pick_cumulated(t.agent_severity, 0, 4, to_uniform(a))
        course = t.agent_triage[p.severity]
        illness = Illness.AGENT
    else:
        illness = _draw_illness_table(p, to_uniform(a), to_uniform(b), t)
        course = pick_cumulated(t.category[p.kind - CasualtyKind.NBI], 0, 4, to_uniform(c))
    p.triage = max(1, course)
    start = t.ill_first[illness, course, p.sex]
    choice = pick_cumulated(t.ill_chance, start, t.ill_count[illness, course, p.sex], to_uniform(d))
    p.condition = t.ill_choices[start + choice]
    p.cause = _draw_cause(p, to_uniform(words(key, cell, index, 1)[0]), t)
    return course == 0


@compiled
def copy_arrival(p: Any, arrival: Any, threshold: Any) -> None:
    """Copies what the arrival fixes into the patient row."""
    p.id_hi = arrival.id_hi
    p.id_lo = arrival.id_lo
    p.incident = arrival.incident
    p.incident_time = arrival.incident_time
    p.time = arrival.time
    p.incident_size = arrival.incident_size
    p.front = arrival.front
    p.type = arrival.type
    p.special = arrival.special
    p.kind = arrival.kind
    p.stream = 0 if arrival.kind <= CasualtyKind.AGENT else arrival.kind - CasualtyKind.AGENT
    p.mascal = 1 if arrival.incident_size >= threshold else 0


@compiled_entry
def triage_of_sample(n: int, row: int, key: Any, model: Table, sample: Table) -> Any:
    """True triage categories of n battle casualties of warfare type `row`: counts of T1..T3, shape (3,).

    The sample behind the severity tilt of an author's triage weights. Instantly dead and those back on duty within
    72 h do not count (MODEL section 3: shares are of the admitted). `sample` is one row of SAMPLE to work in.
    """
    counts = np.zeros(3, np.int64)
    o = sample[0]
    p = o.patients[0]
    tables = model[0].injuries
    survival = model[0].survival
    p.type = row
    p.special = NONE
    p.kind = CasualtyKind.WOUNDED
    for i in range(n):
        p.incident = i
        number, fatal = _draw_wounds(p, o, 0, np.uint64(0), i, key, tables)
        if fatal:
            continue
        _sort_wounds(o, 0, number)
        p.iss, p.niss = severity_scores(o, 0, number)
        p.worst_ais = o.wounds[0].ais
        a, b, c, d = words(key, np.uint64(1), i, 0)
        lethal = to_uniform(a) < survival.lethal[p.niss]
        minutes = survival.minutes[p.niss] * numeric.exp(
            survival.sigma[0] * numeric.normal_quantile(to_uniform(b))
        )
        if not lethal and p.worst_ais <= 3 and to_uniform(c) < survival.rtd72[p.worst_ais]:
            continue
        category = true_triage(p.worst_ais, lethal, minutes, to_uniform(d), survival.triage)
        counts[category - 1] += 1
    return counts
