"""Accidents, diseases, psychological conditions and the effects of agents (docs/model.md section 2.4.4).

The draws of a casualty are keyed by purpose, cell, index and block, so they depend on no other casualty (section 5.2).
"""

from engine.clinical.casualties import INCIDENT_INDEX, draw_cause
from engine.clinical.stays import stay_of
from engine.clinical.uniforms import pick_cumulated, to_uniform
from engine.clinical.wound_conditions import type_row
from engine.codes import (
    CASUALTY_SEVERITY,
    ILLNESS_CAUSE,
    INCIDENT_CAUSE,
    NONE,
    SECOND_DIAGNOSES,
    STAY,
    CasualtyKind,
    Mechanism,
    Treatment,
)
from engine.numeric import compiled, words
from engine.tables import (
    AGENT_KINDS,
    DAY,
    GROUPS,
    CasualtyState,
    InjuryTables,
    Model,
    PatientRow,
    SurvivalParameters,
)

NO_DIAGNOSIS = 65535
"""In the columns `second` to `fourth`: no further diagnosis."""


@compiled
def _set_kind(record: PatientRow, uniform: float, tables: InjuryTables) -> None:
    """Set kind and mechanism of the ill; `uniform` decides whether disease is psychological."""
    if record.kind == CasualtyKind.NBI:
        record.mechanism = Mechanism.ACCIDENT
        return
    record.mechanism = Mechanism.ILLNESS
    if uniform < tables.psychological[type_row(record, tables)]:
        record.kind = CasualtyKind.PSYCHOLOGICAL
        record.mechanism = Mechanism.PSYCHOLOGICAL


@compiled
def agent_of_incident(incident: int, key: int, tables: InjuryTables) -> int:
    """Return the agent that all agent casualties of an incident share."""
    uniform = to_uniform(words(key, incident, INCIDENT_INDEX, INCIDENT_CAUSE)[2])
    return pick_cumulated(tables.agents, 0, AGENT_KINDS, uniform)


@compiled
def _draw_effect(
    record: PatientRow, agent: int, severity: float, condition: float, tables: InjuryTables
) -> None:
    """Draw severity, triage category and condition of an agent casualty by two uniforms on (0, 1)."""
    record.mechanism = Mechanism.CBRN
    record.agent = agent
    record.severity = pick_cumulated(tables.agent_severity[agent], 0, 4, severity)
    record.triage = tables.agent_triage[agent, record.severity]
    start = tables.agent_first[agent, record.severity]
    count = tables.agent_count[agent, record.severity]
    record.condition = tables.agent_choices[
        start + pick_cumulated(tables.agent_chance, start, count, condition)
    ]


@compiled
def draw_illness(
    record: PatientRow, cell: int, index: int, key: int, tables: InjuryTables, agent: int
) -> bool:
    """Draw condition, cause and true triage category of an agent, non-battle, disease or psychological casualty.

    docs/model.md section 2.4.4.

    Parameters
    ----------
    agent
        The agent of an agent casualty; NONE: that of the incident.

    Returns
    -------
    bool
        Whether a casualty other than an agent casualty dies without treatment. Such a casualty is always T1.
    """
    a, b, c, d = words(key, cell, index, CASUALTY_SEVERITY)
    record.iss = 0
    record.niss = 0
    record.worst_ais = 0
    record.severity = NONE
    record.agent = NONE
    course = 1
    if record.kind == CasualtyKind.AGENT:
        if agent == NONE:
            agent = agent_of_incident(record.incident, key, tables)
        _draw_effect(record, agent, to_uniform(a), to_uniform(d), tables)
    else:
        _set_kind(record, to_uniform(b), tables)
        kind = record.kind - CasualtyKind.NBI
        course = pick_cumulated(tables.category[kind], 0, 4, to_uniform(c))
        chance = tables.groups_chance[type_row(record, tables), kind, course, record.sex]
        group = pick_cumulated(chance, 0, GROUPS, to_uniform(a))
        start = tables.ill_first[group, course, record.sex]
        count = tables.ill_count[group, course, record.sex]
        record.triage = max(1, course)
        record.condition = tables.ill_choices[
            start + pick_cumulated(tables.ill_chance, start, count, to_uniform(d))
        ]
    record.cause = draw_cause(record, to_uniform(words(key, cell, index, ILLNESS_CAUSE)[0]), tables)
    return course == 0


@compiled
def draw_second_diagnoses(record: PatientRow, cell: int, index: int, key: int, tables: InjuryTables) -> None:
    """Draw up to three further diagnoses of a casualty without weapon wounds, each with its own probability."""
    record.second = NO_DIAGNOSIS
    record.third = NO_DIAGNOSIS
    record.fourth = NO_DIAGNOSIS
    first = int(tables.second_first[record.condition])
    word = 0
    a, b, c, d = words(key, cell, index, SECOND_DIAGNOSES)
    for place in range(first, first + int(tables.second_count[record.condition])):
        if word == 4:
            a, b, c, d = words(key, cell, index, SECOND_DIAGNOSES + 1)
        uniform = to_uniform(a)
        a, b, c = b, c, d
        word += 1
        found = tables.second_choices[place]
        if (
            (tables.second_categories[place] >> record.triage) & 1 == 0
            or uniform >= tables.second_chance[place]
            or found == record.second
            or found == record.third
        ):
            continue
        if record.second == NO_DIAGNOSIS:
            record.second = found
        elif record.third == NO_DIAGNOSIS:
            record.third = found
        elif record.fourth == NO_DIAGNOSIS:
            record.fourth = found


@compiled
def draw_stay_of_ill(
    record: PatientRow,
    casualty: CasualtyState,
    cell: int,
    index: int,
    key: int,
    parameters: SurvivalParameters,
) -> None:
    """Draw how long a casualty without weapon wounds needs care: as long as the longest of the diagnoses.

    It counts from the first admission: `stay_end` holds a duration until then (docs/model.md section 2.5.6).
    """
    days = parameters.stay_days[record.condition]
    least = parameters.stay_least[record.condition]
    leaves = parameters.leaves[record.condition] != 0
    for further in (record.second, record.third, record.fourth):
        if further != NO_DIAGNOSIS:
            days = max(days, parameters.stay_days[further])
            least = max(least, parameters.stay_least[further])
            leaves = leaves or parameters.leaves[further] != 0
    if record.lethal != NONE:
        least = max(least, parameters.least_days)
    casualty.leaves_theatre = 1 if leaves else 0
    casualty.stay_end = stay_of(days, least, to_uniform(words(key, cell, index, STAY)[1]), parameters) * DAY


@compiled
def needs_of_second_diagnoses(record: PatientRow, model: Model) -> int:
    """Return the mask of what the further diagnoses of an accident call for: wounds and burns are dressed and closed.

    They change neither where nor how long somebody is treated.
    """
    if record.kind != CasualtyKind.NBI:
        return 0
    rules = model.treatments.rules
    bit = rules.bit
    needs = 0
    for condition in (record.second, record.third, record.fourth):
        if condition < len(rules.needs):
            needs |= int(rules.needs[condition])
    return int(
        needs
        & (
            bit[Treatment.PRESSURE_DRESSING]
            | bit[Treatment.BURN_DRESSING]
            | bit[Treatment.WOUND_CARE]
            | bit[Treatment.WOUND_CLOSURE]
            | bit[Treatment.TETANUS_PROPHYLAXIS]
        )
    )
