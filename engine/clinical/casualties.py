"""Who the casualties are and what is wrong with them (MODEL section 3).

Draws of a casualty are keyed (purpose; cell, index, draw number): they depend on nobody else. The tables are compiled
by `engine.compile.model`; the functions below fill one row of `columns.PATIENT` and the rows of `columns.WOUND`.
"""

from typing import Annotated, Any

import numpy as np

from engine import numeric
from engine.codes import (
    BIRTH_AND_NAMES,
    BODY,
    CASUALTY_SEVERITY,
    IDENTITY,
    ILLNESS_CAUSE,
    INCIDENT_CAUSE,
    NONE,
    WOUND_DRAWS,
    CasualtyKind,
    ConditionFlag,
    Illness,
    Mechanism,
    Region,
)
from engine.numeric import compiled, compiled_entry, words
from engine.tables import (
    BLOOD_GROUPS,
    MAX_WOUNDS,
    NATIONS,
    RANKS,
    TYPES,
    ArrivalRow,
    Floats,
    InjuryTables,
    Output,
    PatientRow,
    PeopleTables,
    Row,
    Rows,
    Table,
    WoundRow,
    dtype_of,
)


class SampledCasualty(Row):
    """One casualty of a sample, without a record."""

    patients: Annotated[Rows[PatientRow], 1]
    wounds: Annotated[Rows[WoundRow], MAX_WOUNDS]


SAMPLE = dtype_of(SampledCasualty)

# Rows of Injuries.illness: which tables describe a casualty without weapon wounds.


OF_INCIDENT = 0xFFFFFFFF
"""Index of the draws that all casualties of an incident share: its mechanism and cause (MODEL section 2)."""

# Mechanism codes of columns.MECHANISMS beyond the three of weapons.


_UNIT = 1.0 / 4294967296.0


@compiled
def to_uniform(word: int) -> float:
    """A 32-bit word as a uniform on (0, 1)."""
    return (float(word) + 0.5) * _UNIT


@compiled
def pick_cumulated(cumulated: Floats, first: int, count: int, uniform: float) -> int:
    """The entry of cumulated[first:first + count] (ending in 1) into which u falls, counted from `first`."""
    low = 0
    high = count - 1
    while low < high:
        middle = (low + high) >> 1
        if uniform < cumulated[first + middle]:
            high = middle
        else:
            low = middle + 1
    return low


@compiled
def _civil(days: int) -> Any:
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
def _day_number(year: int, month: int, day: int) -> int:
    """Day number from 1970-01-01, the inverse of `_civil`."""
    y = year - 1 if month <= 2 else year
    era = y // 400
    yoe = y - era * 400
    doy = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    doe = yoe * 365 + yoe // 4 - yoe // 100 + doy
    return era * 146097 + doe - 719468


@compiled
def draw_person(record: PatientRow, cell: int, index: int, key: int, tables: PeopleTables) -> None:
    """Fills the identity of patient row `record`: nation, sex, age, rank, names, unit, blood group, weight, number."""
    a, b, c, d = words(key, cell, index, IDENTITY)
    nation = pick_cumulated(tables.nations[record.front], 0, NATIONS, to_uniform(a))
    sex = 0 if to_uniform(b) < tables.female[nation] else 1
    rank = pick_cumulated(tables.ranks[nation], 0, RANKS, to_uniform(c))
    record.nation = nation
    record.sex = sex
    record.rank = rank
    second_uniform = to_uniform(d)
    age = tables.rank_age[nation, rank] + int(tables.age_span[0] * second_uniform * second_uniform)
    a, b, c, d = words(key, cell, index, BIRTH_AND_NAMES)
    today = (tables.start[0] + record.time) // 86400000
    year, month, day = _civil(today)
    if month == 2 and day == 29:
        day = 28
    birth = _day_number(year - age, month, day) - int(to_uniform(a) * 365.0)
    born_year, born_month, born_day = _civil(birth)
    year, month, day = _civil(today)
    record.birth = birth
    record.age = year - born_year - (1 if (month, day) < (born_month, born_day) else 0)
    record.given_name = int(to_uniform(b) * tables.given[nation, sex])
    record.family_name = int(to_uniform(c) * tables.family[nation, sex])
    record.unit = int(to_uniform(d) * tables.units[record.front])
    a, b, c, d = words(key, cell, index, BODY)
    record.blood_group = pick_cumulated(tables.blood[nation], 0, BLOOD_GROUPS, to_uniform(a))
    kg = tables.weight[sex, 0] + tables.weight[sex, 1] * numeric.normal_quantile(to_uniform(b))
    record.weight = int(min(140.0, max(45.0, kg)) + 0.5)
    record.service_number = 10000000 + int(np.int64(c)) % 90000000


@compiled
def iss_region(region: int, ais: int) -> int:
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
def severity_scores(output: Output, first: int, count: int) -> Any:
    """(ISS, NISS) of o.wounds[first:first + n]: Baker 1974, Osler 1997; any AIS 6 gives 75."""
    worst = 0  # AIS of the worst wound of each ISS region, 4 bits each
    first_new = 0
    second_new = 0
    third_new = 0
    for k in range(count):
        ais = int(output.wounds[first + k].ais)
        if ais == 6:
            return 75, 75
        if ais > first_new:
            first_new, second_new, third_new = ais, first_new, second_new
        elif ais > second_new:
            second_new, third_new = ais, second_new
        elif ais > third_new:
            third_new = ais
        shift = int(4 * iss_region(output.wounds[first + k].region, ais))
        if (worst >> shift) & 15 < ais:
            worst = (worst & ~(15 << shift)) | (ais << shift)
    highest = 0
    second = 0
    third = 0
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
def type_row(record: PatientRow, tables: InjuryTables) -> Any:
    """Row of the tables by warfare type: a special event has its own; the last is that of no type."""
    if record.special != NONE:
        return int(tables.special_type[record.special])
    return min(int(record.type), TYPES - 1)


@compiled
def _draw_wounds(
    record: PatientRow,
    output: Output,
    first_wound: int,
    cell: int,
    index: int,
    key: int,
    tables: InjuryTables,
) -> Any:
    """Draws number, region, side and AIS of the wounds of battle casualty `record` from row w on.

    Returns (number of wounds, 1 where instantly fatal).
    """
    row = type_row(record, tables)
    _, b, c, d = words(key, cell, index, CASUALTY_SEVERITY)
    mechanism = pick_cumulated(
        tables.mechanisms[row], 0, 3, to_uniform(words(key, record.incident, OF_INCIDENT, INCIDENT_CAUSE)[0])
    )
    z = (
        numeric.normal_quantile(to_uniform(b))
        + tables.severity[row]
        + tables.special_severity[record.special]
    )
    fatal = to_uniform(c) < tables.instant[row]
    mean = tables.wound_mean[mechanism] * numeric.exp(tables.wound_slope[0] * z + tables.wound_slope[1])
    further = numeric.log(to_uniform(d)) / numeric.log(mean / (1.0 + mean))
    count = 1 + int(min(further, MAX_WOUNDS - 1.0))
    record.mechanism = mechanism
    for k in range(count):
        a, b, c, d = words(key, cell, index, WOUND_DRAWS + k)
        region = pick_cumulated(tables.regions[mechanism], 0, 9, to_uniform(a))
        ais = 1
        if k == 0 and fatal:
            region = pick_cumulated(tables.fatal, 0, 9, to_uniform(a))
            ais = 6
        else:
            x = (
                tables.latent[0] * z
                + tables.latent[1] * numeric.normal_quantile(to_uniform(b))
                + tables.shift[mechanism]
            )
            while ais < 5 and x > tables.ais[region, ais - 1]:
                ais += 1
        wound = output.wounds[first_wound + k]
        wound.region = region
        wound.ais = ais
        wound.side = 1 + int(to_uniform(c) * 2.0) if tables.sided[region] else 0
        wound.condition = int(np.int64(d >> np.uint64(16)))  # the draw for the condition, until it is chosen
    return count, fatal


@compiled
def _severity_rank(region: int, ais: int) -> int:
    """Order of wounds: by AIS; of equals, eyes and ears last, for they are not what kills."""
    return 2 * ais + (0 if region in (Region.EYES, Region.EARS) else 1)


@compiled
def _sort_wounds(output: Output, first: int, count: int) -> None:
    """Worst wound first, stable."""
    for k in range(1, count):
        region = output.wounds[first + k].region
        ais = output.wounds[first + k].ais
        side = output.wounds[first + k].side
        condition = output.wounds[first + k].condition
        j = k - 1
        while j >= 0 and _severity_rank(
            output.wounds[first + j].region, output.wounds[first + j].ais
        ) < _severity_rank(region, ais):
            output.wounds[first + j + 1].region = output.wounds[first + j].region
            output.wounds[first + j + 1].ais = output.wounds[first + j].ais
            output.wounds[first + j + 1].side = output.wounds[first + j].side
            output.wounds[first + j + 1].condition = output.wounds[first + j].condition
            j -= 1
        output.wounds[first + j + 1].region = region
        output.wounds[first + j + 1].ais = ais
        output.wounds[first + j + 1].side = side
        output.wounds[first + j + 1].condition = condition


@compiled
def _contradicts(
    output: Output, first: int, k: int, condition: int, tables: InjuryTables, repeats: bool
) -> bool:
    """Whether wound k cannot have this condition beside those before it.

    No wound lies beyond an amputation or at a second amputation of the same limb; none is the same again unless
    `repeats`.
    """
    amputation = tables.flags[condition] & ConditionFlag.AMPUTATION
    for j in range(k):
        other = output.wounds[first + j]
        if other.region == output.wounds[first + k].region and other.side == output.wounds[first + k].side:
            if other.condition == condition and not repeats:
                return True
            gone = tables.flags[other.condition] & ConditionFlag.AMPUTATION
            if amputation and gone:
                return True
            if gone and tables.level[condition] > tables.level[other.condition]:
                return True
            if amputation and tables.level[other.condition] > tables.level[condition]:
                return True
    return False


@compiled
def _choose_condition(
    row: int,
    mechanism: int,
    output: Output,
    first: int,
    k: int,
    uniform: float,
    tables: InjuryTables,
    repeats: bool,
) -> int:
    """The entry of t.choices for wound k that u falls on, or the next that does not contradict; -1 if all do."""
    wound = output.wounds[first + k]
    start = tables.first[row, wound.region, mechanism, wound.ais, wound.side]
    count = tables.count[row, wound.region, mechanism, wound.ais, wound.side]
    choice = pick_cumulated(tables.chance, start, count, uniform)
    for _ in range(count):
        if not _contradicts(output, first, k, tables.choices[start + choice], tables, repeats):
            return start + choice
        choice = (choice + 1) % count
    return -1


@compiled
def _wound_conditions(
    row: int, mechanism: int, output: Output, first: int, count: int, tables: InjuryTables
) -> None:
    """Chooses the condition of each wound among those that fit type, region, mechanism, AIS and side.

    Where all of them contradict the wounds before, the wound moves to the other side; at last a wound may be the same
    as another. In a region without sides the wound takes the side that its condition names.
    """
    for k in range(count):
        wound = output.wounds[first + k]
        uniform = (float(wound.condition) + 0.5) / 65536.0
        chosen = -1
        for attempt in range(4):
            if attempt > 0 and tables.sided[wound.region]:
                wound.side = 3 - wound.side
            chosen = _choose_condition(row, mechanism, output, first, k, uniform, tables, attempt >= 2)
            if chosen >= 0:
                break
        if chosen < 0:
            chosen = tables.first[row, wound.region, mechanism, wound.ais, wound.side]
        wound.condition = tables.choices[chosen]
        if tables.side[wound.condition]:
            wound.side = tables.side[wound.condition]


@compiled
def true_triage(worst: int, lethal: int, minutes: float, uniform: float, rule: Floats) -> int:
    """True category of a wounded casualty (MODEL section 3); rule: T1 life in minutes, surgical share of AIS 2."""
    if worst >= 4 or (lethal and minutes <= rule[0]):
        return 1
    if worst == 3 or lethal or (worst == 2 and uniform < rule[1]):
        return 2
    return 3


@compiled
def _draw_cause(record: PatientRow, uniform: float, tables: InjuryTables) -> Any:
    """External cause fitting warfare type, mechanism and main diagnosis; 65535 where there is none."""
    row = type_row(record, tables)
    nature = tables.nature[record.condition]
    count = tables.cause_count[row, record.mechanism, nature]
    if count == 0:
        return 65535
    start = tables.cause_first[row, record.mechanism, nature]
    return int(tables.cause_choices[start + pick_cumulated(tables.cause_chance, start, count, uniform)])


@compiled
def draw_wounds(
    record: PatientRow,
    output: Output,
    first_wound: int,
    cell: int,
    index: int,
    key: int,
    tables: InjuryTables,
) -> int:
    """Wounds, scores and cause of a battle casualty; returns the number of wounds."""
    count, _ = _draw_wounds(record, output, first_wound, cell, index, key, tables)
    _sort_wounds(output, first_wound, count)
    _wound_conditions(type_row(record, tables), record.mechanism, output, first_wound, count, tables)
    record.iss, record.niss = severity_scores(output, first_wound, count)
    record.worst_ais = output.wounds[first_wound].ais
    record.condition = output.wounds[first_wound].condition
    record.cause = _draw_cause(
        record, to_uniform(words(key, record.incident, OF_INCIDENT, INCIDENT_CAUSE)[1]), tables
    )
    record.severity = NONE
    return count


@compiled
def draw_wounds_briefly(
    record: PatientRow,
    output: Output,
    first_wound: int,
    cell: int,
    index: int,
    key: int,
    tables: InjuryTables,
) -> Any:
    """As `wounded`, for who needs no diagnoses: scores, and the worst wound in row w; returns the number of wounds."""
    count, _ = _draw_wounds(record, output, first_wound, cell, index, key, tables)
    record.iss, record.niss = severity_scores(output, first_wound, count)
    worst = 0
    for k in range(1, count):
        if _severity_rank(
            output.wounds[first_wound + k].region, output.wounds[first_wound + k].ais
        ) > _severity_rank(output.wounds[first_wound + worst].region, output.wounds[first_wound + worst].ais):
            worst = k
    output.wounds[first_wound].region = output.wounds[first_wound + worst].region
    output.wounds[first_wound].ais = output.wounds[first_wound + worst].ais
    record.worst_ais = output.wounds[first_wound].ais
    record.severity = NONE
    return count


@compiled
def _draw_illness_table(record: PatientRow, uniform: float, second_uniform: Any, tables: InjuryTables) -> int:
    """Which illness table describes a non-battle casualty; sets kind and mechanism."""
    row = type_row(record, tables)
    if record.kind == CasualtyKind.NBI:
        record.mechanism = Mechanism.ACCIDENT
        edge = 0.0
        for k in range(4):
            edge += tables.environment[k]
            if uniform < edge:
                return Illness.HEAT + k
        return Illness.NBI
    record.mechanism = Mechanism.ILLNESS
    if second_uniform < tables.psychological[row]:
        record.kind = CasualtyKind.PSYCHOLOGICAL
        record.mechanism = Mechanism.PSYCHOLOGICAL
        return Illness.PSYCHOLOGICAL
    if second_uniform < tables.psychological[row] + tables.musculoskeletal[row]:
        return Illness.MUSCULOSKELETAL
    return Illness.DISEASE


@compiled
def draw_illness(record: PatientRow, cell: int, index: int, key: int, tables: InjuryTables) -> bool:
    """Condition, cause and true triage of an agent, non-battle, disease or psychological casualty.

    Returns whether what is no agent kills without treatment: always T1, with a condition that can.
    """
    a, b, c, d = words(key, cell, index, CASUALTY_SEVERITY)
    record.iss = 0
    record.niss = 0
    record.worst_ais = 0
    record.severity = NONE
    if record.kind == CasualtyKind.AGENT:
        record.mechanism = Mechanism.CBRN
        record.severity = pick_cumulated(tables.agent_severity, 0, 4, to_uniform(a))
        course = tables.agent_triage[record.severity]
        illness = Illness.AGENT
    else:
        illness = _draw_illness_table(record, to_uniform(a), to_uniform(b), tables)
        course = pick_cumulated(tables.category[record.kind - CasualtyKind.NBI], 0, 4, to_uniform(c))
    record.triage = max(1, course)
    start = tables.ill_first[illness, course, record.sex]
    choice = pick_cumulated(
        tables.ill_chance, start, tables.ill_count[illness, course, record.sex], to_uniform(d)
    )
    record.condition = tables.ill_choices[start + choice]
    record.cause = _draw_cause(record, to_uniform(words(key, cell, index, ILLNESS_CAUSE)[0]), tables)
    return course == 0


@compiled
def copy_arrival(record: PatientRow, arrival: ArrivalRow, threshold: int) -> None:
    """Copies what the arrival fixes into the patient row."""
    record.id_hi = arrival.id_hi
    record.id_lo = arrival.id_lo
    record.incident = arrival.incident
    record.incident_time = arrival.incident_time
    record.time = arrival.time
    record.incident_size = arrival.incident_size
    record.front = arrival.front
    record.type = arrival.type
    record.special = arrival.special
    record.kind = arrival.kind
    record.stream = 0 if arrival.kind <= CasualtyKind.AGENT else arrival.kind - CasualtyKind.AGENT
    record.mascal = 1 if arrival.incident_size >= threshold else 0


@compiled_entry
def triage_of_sample(count: int, row: int, key: int, model: Table, sample: Table) -> Any:
    """True triage categories of n battle casualties of warfare type `row`: counts of T1..T3, shape (3,).

    The sample behind the severity tilt of an author's triage weights. Instantly dead and those back on duty within
    72 h do not count (MODEL section 3: shares are of the admitted). `sample` is one row of SAMPLE to work in.
    """
    counts = np.zeros(3, np.int64)
    output = sample[0]
    record = output.patients[0]
    tables = model[0].injuries
    survival = model[0].survival
    record.type = row
    record.special = NONE
    record.kind = CasualtyKind.WOUNDED
    for i in range(count):
        record.incident = i
        number, fatal = _draw_wounds(record, output, 0, np.uint64(0), i, key, tables)
        if fatal:
            continue
        _sort_wounds(output, 0, number)
        record.iss, record.niss = severity_scores(output, 0, number)
        record.worst_ais = output.wounds[0].ais
        a, b, c, d = words(key, np.uint64(1), i, 0)
        lethal = to_uniform(a) < survival.lethal[record.niss]
        minutes = survival.minutes[record.niss] * numeric.exp(
            survival.sigma[0] * numeric.normal_quantile(to_uniform(b))
        )
        if not lethal and record.worst_ais <= 3 and to_uniform(c) < survival.rtd72[record.worst_ais]:
            continue
        category = true_triage(record.worst_ais, lethal, minutes, to_uniform(d), survival.triage)
        counts[category - 1] += 1
    return counts
