"""Compile the CBRN agents to the tables of draws and of the survival clock (docs/model.md sections 2.4.4 and 2.5.1)."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

from engine.compile.choices import ChoiceLists
from engine.compile.rows import cumulated, floats, ints, triage_weights
from engine.numeric import interpreted
from engine.scenario import Scenario, model_constants
from engine.tables import AGENT_KINDS
from scenarios import catalogue

GRADES: tuple[str, ...] = get_args(catalogue.Grade)
"""Grades of severity, in the order of the codes."""

OWN = "nerve"
"""The agent whose course is a table of casualties.toml, which a scenario may replace."""


class Course(NamedTuple):
    """One grade of an agent."""

    share: float
    triage: int
    lethal: float
    median_minutes: float
    sigma: float


_NONE = Course(0.0, 3, 0.0, 1.0, 1.0)


def courses_of(scenario: Any, agent: str) -> list[Course]:
    """Return the courses of an agent by grade; those that it does not have are never drawn."""
    if agent == OWN:
        given = model_constants(scenario, "casualties")["agent"]
        return [
            Course(share, triage, lethal, minutes, given["sigma"])
            for share, triage, lethal, minutes in zip(
                given["severity"], given["triage"], given["lethal"], given["median_minutes"], strict=True
            )
        ]
    found = []
    for grade in GRADES:
        row = catalogue.agent_grades().get((agent, grade))
        found.append(
            _NONE
            if row is None
            else Course(row.share, int(row.triage[1:]), row.lethal, row.median_minutes, row.sigma)
        )
    return found


def agent_fields(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of INJURIES on agent casualties."""
    agents = list(catalogue.agent_kinds())
    given: Mapping[str, float] = scenario.agents or {OWN: 1.0}  # type: ignore[assignment]
    courses = [courses_of(scenario, agent) for agent in agents]
    lists = _conditions()
    return {
        "agents": floats(cumulated([given.get(agent, 0.0) for agent in agents])),
        "agent_severity": floats(cumulated(_shares(scenario, of_agent)) for of_agent in courses),
        "agent_triage": ints([course.triage for course in of_agent] for of_agent in courses),
        "agent_first": lists.first,
        "agent_count": lists.count,
        "agent_choices": lists.choices,
        "agent_chance": lists.chance,
    }


def _shares(scenario: Scenario, courses: list[Course]) -> list[float]:
    """Return the shares of the grades, re-weighted to an author's triage of disease as far as they have it."""
    shares = [course.share for course in courses]
    wanted = triage_weights(scenario, "disease")
    if not wanted:
        return shares
    given = [
        math.fsum(course.share for course in courses if course.triage == category) for category in (1, 2, 3)
    ]
    scaled = [
        course.share * wanted[course.triage - 1] / given[course.triage - 1] if course.share else 0.0
        for course in courses
    ]
    return scaled if math.fsum(scaled) > 0.0 else shares


def _conditions() -> ChoiceLists:
    """Return the conditions by (agent, grade); those of the agent where a grade has none."""
    lists = ChoiceLists((AGENT_KINDS, len(GRADES)))
    for number, agent in enumerate(catalogue.agent_kinds()):
        own = [
            (place, condition)
            for place, condition in enumerate(catalogue.conditions())
            if condition.use == "agent" and condition.group == agent
        ]
        for row, grade in enumerate(GRADES):
            found = [(place, condition.weight) for place, condition in own if condition.grade == grade]
            lists.add((number, row), found or [(place, condition.weight) for place, condition in own])
    return lists


def agent_life(scenario: Any) -> list[list[list[float]]]:
    """Return by agent and grade the share that dies untreated, and log median minutes and sigma of their life."""
    return [
        [
            [course.lethal, interpreted.log(course.median_minutes), course.sigma]
            for course in courses_of(scenario, agent)
        ]
        for agent in catalogue.agent_kinds()
    ]


def agent_onset() -> list[list[float]]:
    """Return by agent the share with delayed symptoms, the four delays in hours, and the factor on their life."""
    return [
        [kind.delayed_share, *kind.delay_hours, kind.delayed_life]
        for kind in catalogue.agent_kinds().values()
    ]
