"""Injuries and illnesses of the casualties (docs/model.md section 2.4).

The draws of a casualty are keyed by purpose, cell, index and block, so they depend on no other casualty (section 5.2).
`engine.compile` builds the tables. The functions fill one `PatientRow` and its `WoundRow`s.
"""

from typing import Annotated

import numpy as np

from engine import numeric
from engine.clinical.scores import INSTANTLY_FATAL_AIS, severity_scores
from engine.clinical.stays import is_back_soon, longest_stay, stay_of
from engine.clinical.uniforms import pick_cumulated, to_uniform
from engine.clinical.wound_conditions import choose_conditions, severity_rank, sort_wounds, type_row
from engine.codes import (
    CASUALTY_SEVERITY,
    INCIDENT_CAUSE,
    NONE,
    WOUND_DRAWS,
    CasualtyKind,
    Region,
    Sex,
    TriageCategory,
)
from engine.numeric import compiled, compiled_entry, words
from engine.tables import (
    MAX_WOUNDS,
    MODEL,
    ArrivalRow,
    Float64,
    InjuryTables,
    Model,
    Output,
    PatientRow,
    Row,
    Rows,
    UInt8,
    WoundRow,
    dtype_of,
)


class SampledCasualty(Row):
    """Working memory for one casualty of a sample, who gets no record."""

    patients: Annotated[Rows[PatientRow], 1]
    wounds: Annotated[Rows[WoundRow], MAX_WOUNDS]


SAMPLE = dtype_of(SampledCasualty)


class DrawnCasualty(Row):
    """One casualty of a sample."""

    lethal: Float64  # uniform that decides on lethality
    life: Float64  # in medians of the casualties with this NISS
    triage: Float64  # uniform that decides on surgery with a worst AIS of 2
    niss: UInt8
    worst_ais: UInt8
    killed: UInt8  # 1: killed at once
    soon: UInt8  # 1: back on duty within 72 h, if nothing would kill


DRAWN = dtype_of(DrawnCasualty)

INCIDENT_INDEX = 0xFFFFFFFF
"""Index of the draws that all casualties of an incident share: mechanism and cause (docs/model.md section 2.3.3)."""

NO_CAUSE = 65535
"""In the column `cause`: no external cause."""

_WEAPON_MECHANISMS = 3
_REGION_COUNT = len(Region)
_CRITICAL_AIS, _LEGS = 5, 2
_MALE = int(Sex.MALE)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""


@compiled
def _draw_mechanism(record: PatientRow, row: int, key: int, tables: InjuryTables) -> int:
    """Return the mechanism of the incident; `row` is that of the warfare type."""
    uniform = to_uniform(words(key, record.incident, INCIDENT_INDEX, INCIDENT_CAUSE)[0])
    return pick_cumulated(tables.mechanisms[row], 0, _WEAPON_MECHANISMS, uniform)


@compiled
def draw_ais(region: int, mechanism: int, severity: float, uniform: float, tables: InjuryTables) -> int:
    """Return the AIS of a wound that does not kill at once; `severity` is the latent severity Z of the casualty."""
    latent = (
        tables.latent[0] * severity
        + tables.latent[1] * numeric.normal_quantile(uniform)
        + tables.shift[mechanism]
    )
    ais = 1
    while ais < 5 and latent > tables.ais[region, ais - 1]:
        ais += 1
    return ais


@compiled
def draw_side(region: int, uniform: float, tables: InjuryTables) -> int:
    """Return the side of a wound; 0 where the region has none."""
    return 1 + int(uniform * 2.0) if tables.sided[region] else 0


@compiled
def _draw_wound(
    wound: WoundRow,
    mechanism: int,
    severity: float,
    fatal: bool,
    cell: int,
    index: int,
    block: int,
    key: int,
    tables: InjuryTables,
) -> None:
    """Draw region, AIS and side of a wound (docs/model.md section 2.4.1).

    The AIS is the class into which x = 0.75 Z + 0.661 e + shift falls among the normal quantiles of the region's
    shares.

    Parameters
    ----------
    severity
        Latent severity Z of the casualty.
    fatal
        Whether the wound kills at once.
    """
    a, b, c, d = words(key, cell, index, block)
    region = pick_cumulated(tables.regions[mechanism], 0, _REGION_COUNT, to_uniform(a))
    ais = 1
    if fatal:
        region = pick_cumulated(tables.fatal, 0, _REGION_COUNT, to_uniform(a))
        ais = INSTANTLY_FATAL_AIS
    else:
        ais = draw_ais(region, mechanism, severity, to_uniform(b), tables)
    wound.region = region
    wound.ais = ais
    wound.side = draw_side(region, to_uniform(c), tables)
    wound.condition = int(np.int64(d >> np.uint64(16)))  # holds the draw until the condition is chosen


@compiled
def _draw_wounds(
    record: PatientRow,
    output: Output,
    first_wound: int,
    cell: int,
    index: int,
    key: int,
    tables: InjuryTables,
    mechanism: int,
    shift: float,
    may_die_at_once: bool,
) -> tuple[int, bool]:
    """Draw number, region, side and AIS of the wounds of a battle casualty, into rows from `first_wound` on.

    The number is 1 + min(23, geometric), with the mean m * exp(0.8 Z - 0.32) (docs/model.md section 2.4.1).

    Parameters
    ----------
    mechanism
        The mechanism; NONE: that of the incident is drawn.
    shift
        Is added to the latent severity.
    may_die_at_once
        Whether the first wound may kill at once.

    Returns
    -------
    tuple[int, bool]
        Number of wounds, and whether the first one kills at once.
    """
    row = type_row(record, tables)
    _, b, c, d = words(key, cell, index, CASUALTY_SEVERITY)
    if mechanism == NONE:
        mechanism = _draw_mechanism(record, row, key, tables)
    severity = (
        numeric.normal_quantile(to_uniform(b))
        + tables.severity[row]
        + tables.special_severity[record.special]
        + shift
    )
    fatal = may_die_at_once and to_uniform(c) < tables.instant[row]
    mean = tables.wound_mean[mechanism] * numeric.exp(
        tables.wound_slope[0] * severity + tables.wound_slope[1]
    )
    further = numeric.log(to_uniform(d)) / numeric.log(mean / (1.0 + mean))
    count = 1 + int(min(further, MAX_WOUNDS - 1.0))
    record.mechanism = mechanism
    critical_legs = 0
    for number in range(count):
        wound = output.wounds[first_wound + number]
        _draw_wound(
            wound,
            mechanism,
            severity,
            number == 0 and fatal,
            cell,
            index,
            WOUND_DRAWS + number,
            key,
            tables,
        )
        if wound.region == Region.LOWER_LIMB and wound.ais == _CRITICAL_AIS:
            critical_legs += 1
            if critical_legs > _LEGS:  # a critical wound may be the loss of a leg, and there are two
                wound.ais = _CRITICAL_AIS - 1
    return count, fatal


@compiled
def true_triage(
    worst_ais: int,
    lethal: int,
    minutes: float,
    uniform: float,
    immediate_minutes: float,
    surgical_ais2: float,
) -> int:
    """Return the true triage category of a wounded casualty (docs/model.md section 2.6.1).

    Parameters
    ----------
    minutes
        Life of a lethal casualty.
    immediate_minutes
        Longest life of a lethal T1.
    surgical_ais2
        Share of those with a worst AIS of 2 who are T2.
    """
    if worst_ais >= 4 or (lethal and minutes <= immediate_minutes):
        return TriageCategory.T1
    if worst_ais == 3 or lethal or (worst_ais == 2 and uniform < surgical_ais2):
        return TriageCategory.T2
    return TriageCategory.T3


@compiled
def draw_cause(record: PatientRow, uniform: float, tables: InjuryTables) -> int:
    """Return an external cause that fits warfare type, mechanism and main diagnosis; NO_CAUSE where none does."""
    row = type_row(record, tables)
    nature = tables.nature[record.condition]
    count = tables.cause_count[row, record.mechanism, nature]
    if count == 0:
        return NO_CAUSE
    start = tables.cause_first[row, record.mechanism, nature]
    return int(tables.cause_choices[start + pick_cumulated(tables.cause_chance, start, count, uniform)])


@compiled
def wound_cause(record: PatientRow, key: int, tables: InjuryTables) -> int:
    """Return the external cause of a wounded casualty: all of an incident share its draw."""
    return draw_cause(
        record, to_uniform(words(key, record.incident, INCIDENT_INDEX, INCIDENT_CAUSE)[1]), tables
    )


@compiled
def draw_wounds(
    record: PatientRow,
    output: Output,
    first_wound: int,
    cell: int,
    index: int,
    key: int,
    tables: InjuryTables,
    mechanism: int,
    shift: float,
    may_die_at_once: bool,
) -> int:
    """Draw wounds, scores, diagnoses and cause of a battle casualty; return the number of wounds.

    The wounds are in rows from `first_wound` on, the worst first. `record.sex` is known before.
    """
    count, _ = _draw_wounds(
        record, output, first_wound, cell, index, key, tables, mechanism, shift, may_die_at_once
    )
    sort_wounds(output, first_wound, count)
    count = choose_conditions(record, output, first_wound, count, tables)
    record.iss, record.niss = severity_scores(output, first_wound, count)
    record.worst_ais = output.wounds[first_wound].ais
    record.condition = output.wounds[first_wound].condition
    record.cause = wound_cause(record, key, tables)
    record.severity = NONE
    return count


@compiled
def draw_wound_scores(
    record: PatientRow,
    output: Output,
    first_wound: int,
    cell: int,
    index: int,
    key: int,
    tables: InjuryTables,
    mechanism: int,
    shift: float,
    may_die_at_once: bool,
) -> int:
    """Draw the scores of a battle casualty without diagnoses and cause; return the number of wounds.

    Only row `first_wound` is meaningful afterwards: region and AIS of the worst wound. The draws are those of
    `draw_wounds`.
    """
    count, _ = _draw_wounds(
        record, output, first_wound, cell, index, key, tables, mechanism, shift, may_die_at_once
    )
    record.iss, record.niss = severity_scores(output, first_wound, count)
    worst = first_wound
    for number in range(first_wound + 1, first_wound + count):
        if severity_rank(output.wounds[number].region, output.wounds[number].ais) > severity_rank(
            output.wounds[worst].region, output.wounds[worst].ais
        ):
            worst = number
    output.wounds[first_wound].region = output.wounds[worst].region
    output.wounds[first_wound].ais = output.wounds[worst].ais
    record.worst_ais = output.wounds[first_wound].ais
    record.severity = NONE
    return count


@compiled
def copy_arrival(record: PatientRow, arrival: ArrivalRow, threshold: int) -> None:
    """Copy the columns of an arrival into the patient row; `threshold` is the size of a mass casualty incident."""
    record.id_hi = arrival.id_hi
    record.id_lo = arrival.id_lo
    record.incident = arrival.incident
    record.incident_time = arrival.incident_time
    record.service_number = arrival.number
    record.time = arrival.time
    record.incident_size = arrival.incident_size
    record.front = arrival.front
    record.type = arrival.type
    record.special = arrival.special
    record.kind = arrival.kind
    record.stream = 0 if arrival.kind <= CasualtyKind.AGENT else arrival.kind - CasualtyKind.AGENT
    record.mascal = 1 if arrival.incident_size >= threshold else 0


@compiled_entry(int, int, int, int, MODEL, SAMPLE, DRAWN)
def draw_sample(
    count: int,
    row: int,
    mechanism: int,
    key: int,
    model: Rows[Model],
    sample: Rows[SampledCasualty],
    drawn: Rows[DrawnCasualty],
) -> None:
    """Draw a sample of battle casualties of one warfare type: what decides on lethality and triage.

    The sample serves the search for the tilts that meet an author's shares (docs/model.md section 2.6.1).

    Parameters
    ----------
    count
        Size of the sample.
    row
        Row of the warfare type.
    mechanism
        `Mechanism` of all; NONE: drawn.
    model
        One row of MODEL.
    sample
        One row of SAMPLE: working memory.
    drawn
        Shape (count,): receives the casualties.
    """
    output = sample[0]
    record = output.patients[0]
    tables = model[0].injuries
    survival = model[0].survival
    record.type = row
    record.special = NONE
    record.kind = CasualtyKind.WOUNDED
    record.sex = _MALE
    for index in range(count):
        record.incident = index
        wounds, fatal = _draw_wounds(
            record, output, 0, np.uint64(0), index, np.uint64(key), tables, mechanism, 0.0, True
        )
        sort_wounds(output, 0, wounds)
        wounds = choose_conditions(record, output, 0, wounds, tables)
        worst = int(output.wounds[0].ais)
        _, niss = severity_scores(output, 0, wounds)
        days, least, leaves = longest_stay(output, 0, wounds, survival)
        a, b, c, d = words(np.uint64(key), np.uint64(1), index, 0)
        one = drawn[index]
        one.killed = 1 if fatal else 0
        one.worst_ais = worst
        one.niss = niss
        one.lethal = to_uniform(a)
        one.life = numeric.exp(survival.sigma[0] * numeric.normal_quantile(to_uniform(b)))
        one.soon = (
            1 if is_back_soon(stay_of(days, least, to_uniform(c), survival), False, worst, leaves) else 0
        )
        one.triage = to_uniform(d)
