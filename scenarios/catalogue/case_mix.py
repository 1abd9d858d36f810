"""Who is ill of what: shares of groups by climate, season and operation, kinds of cause, agents, second diagnoses."""

from functools import cache
from typing import Literal, get_args

import msgspec

from scenarios.catalogue.tables import CatalogueError, Row, near_match, read_rows
from scenarios.catalogue.vocabulary import Agent, Climate, Grade, Season

Tag = Literal["published", "judgement", "code-list"]


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of accidents, diseases or psychological conditions, with its share before climate and season.

    The shares count among the groups of the same use. `sex`: the group is of this sex only, and the share is that
    among the casualties of this sex.
    """

    group: str
    use: Literal["nbi", "disease", "psychological"]
    share: float
    sex: Literal["", "female", "male"] = ""
    title: str
    source: str
    tag: Tag


class MixFactor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A factor on the share of a group, where the scenario has all that the row names; an empty cell is anything."""

    group: str
    climate: Literal[Climate, ""] = ""
    season: Literal[Season, ""] = ""
    type: str = ""
    """Warfare type."""
    intensity: Literal["", "low", "medium", "high", "extreme"] = ""
    factor: float
    source: str
    tag: Tag


class CauseKind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of external cause of accidents, with its share of the accidents where one is published."""

    kind: str
    share: float | None = None
    title: str
    source: str
    tag: Tag


class AgentKind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A CBRN agent: with which weapon it comes, and when its symptoms begin.

    Symptoms of `delayed_share` begin after one of four delays, which are equally likely, those of the others at once.
    """

    agent: Agent
    weapon: Literal["chemical", "biological", "nuclear"]
    title: str
    delayed_share: float
    delay_hours: tuple[float, ...]
    delayed_life: float = 1.0
    """What the life of those who die is multiplied with where symptoms are delayed."""
    source: str
    tag: Tag


class AgentGrade(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an agent takes its course at one grade of severity: true triage, share that dies untreated, and when.

    The life of those who die untreated is lognormal with this median and sigma.
    """

    agent: Agent
    grade: Grade
    exposure: str
    """Dose or effect, for the reader only."""
    share: float
    triage: Literal["T1", "T2", "T3"]
    lethal: float
    median_minutes: float
    sigma: float
    source: str
    tag: Tag


class SecondDiagnosis(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A further diagnosis beside a main one: with probability `chance` where code, categories and climate fit."""

    codes: tuple[str, ...]
    """Beginnings of the codes of the main diagnoses."""
    second: str
    display: str
    chance: float
    categories: tuple[Literal["T1", "T2", "T3"], ...] = ()
    source: str
    tag: Tag


@cache
def groups() -> dict[str, Group]:
    """The groups of accidents, diseases and psychological conditions, in the order of the codes."""
    return _by_name("groups.csv", Group, "group")


@cache
def cause_kinds() -> dict[str, CauseKind]:
    """The kinds of external cause of accidents."""
    return _by_name("cause_kinds.csv", CauseKind, "kind")


@cache
def agent_kinds() -> dict[str, AgentKind]:
    """The agents, in the order of the codes."""
    kinds = _by_name("agent_kinds.csv", AgentKind, "agent")
    if tuple(kinds) != get_args(Agent):
        raise CatalogueError("agent_kinds.csv", 2, "agent", ", ".join(kinds), ", ".join(get_args(Agent)))
    for line, kind in enumerate(kinds.values(), 2):
        if len(kind.delay_hours) != 4:
            raise CatalogueError(
                "agent_kinds.csv", line, "delay_hours", str(len(kind.delay_hours)), "four delays"
            )
    return kinds


@cache
def agent_grades() -> dict[tuple[str, str], AgentGrade]:
    """The courses by agent and grade; the nerve agent has its own in casualties.toml."""
    found: dict[tuple[str, str], AgentGrade] = {}
    for line, row in read_rows("agent_grades.csv", AgentGrade):
        if (row.agent, row.grade) in found:
            raise CatalogueError("agent_grades.csv", line, "grade", row.grade, "each grade of an agent once")
        found[row.agent, row.grade] = row
    return found


@cache
def mix_factors() -> tuple[MixFactor, ...]:
    """The factors on the shares of groups."""
    rows = read_rows("case_mix.csv", MixFactor)
    for line, row in rows:
        if row.group not in groups():
            raise CatalogueError(
                "case_mix.csv",
                line,
                "group",
                row.group,
                "groups of groups.csv",
                near_match(row.group, groups()),
            )
    return tuple(row for _, row in rows)


@cache
def second_diagnoses() -> tuple[SecondDiagnosis, ...]:
    """The further diagnoses, in the order in which they are drawn."""
    return tuple(row for _, row in read_rows("second_diagnoses.csv", SecondDiagnosis))


def _by_name(file: str, kind: type[Row], column: str) -> dict[str, Row]:
    """Return the rows of a file by the value of a column. Raises CatalogueError where a value comes twice."""
    found: dict[str, Row] = {}
    for line, row in read_rows(file, kind):
        name = getattr(row, column)
        if name in found:
            raise CatalogueError(file, line, column, name, "each once")
        found[name] = row
    return found
