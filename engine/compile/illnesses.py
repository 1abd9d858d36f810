"""Compile accidents, diseases and psychological conditions to weighted choices (docs/model.md section 2.4.4).

The share of a group follows from climate, season, warfare type and intensity; within a group the conditions have their
weights. A true triage category is drawn first. So the shares of conditions by category are fitted to both, by iterative
proportional fitting: over all categories every condition has its share, and every category its own.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.codes import SEXES
from engine.compile.choices import ChoiceLists
from engine.compile.rows import STANDARD, by_type, cumulated, environment, floats, triage_weights
from engine.scenario import (
    Scenario,
    climate_of,
    incident_types,
    mix_of,
    model_constants,
    season_of,
)
from engine.tables import GROUPS
from scenarios import catalogue

ILL_USES = ("nbi", "disease", "psychological")
"""Uses of conditions by kind of casualty, from NBI on."""

ENVIRONMENT_GROUPS = {
    "heat": "heat_casualty_probability",
    "cold": "cold_injury_probability",
    "fall": "fall_injury_probability",
    "crush": "crush_injury_probability",
}
"""Groups of accidents of which an environment makes at least this share."""

COURSES = 4
"""True categories as they are drawn: T1 that kills, other T1, T2, T3."""

_ROUNDS = 60
_DIGITS = 9
"""Shares are rounded, so that the last bits do not depend on the order of a sum."""

Matrix = NDArray[np.float64]


class Theatre(NamedTuple):
    """What the shares of groups depend on, besides the warfare type."""

    climate: str
    season: str
    intensity: str
    environment: tuple[str, ...]
    special: tuple[float, ...]
    """Least shares of ENVIRONMENT_GROUPS."""


def theatre_of(scenario: Scenario) -> Theatre:
    """Return the theatre of a scenario."""
    return Theatre(
        climate_of(scenario),
        season_of(scenario),
        scenario.intensity,
        tuple(scenario.environment),
        tuple(environment(scenario, name, 0.0, max) for name in ENVIRONMENT_GROUPS.values()),
    )


def mix_factor(group: str, theatre: Theatre, type_: str) -> float:
    """Return the factor on the share of a group: the product of all rows of case_mix.csv that fit."""
    return math.prod(
        row.factor
        for row in catalogue.mix_factors()
        if row.group == group
        and row.climate in ("", theatre.climate)
        and row.season in ("", theatre.season)
        and row.type in ("", type_)
        and row.intensity in ("", theatre.intensity)
    )


def group_shares(use: str, theatre: Theatre, type_: str, msk: float, sex: str) -> dict[str, float]:
    """Return the shares of the groups of a use among the casualties of one sex; they sum to 1.

    Parameters
    ----------
    msk
        Share of the musculoskeletal group, for use disease.
    """
    weights = {
        group.group: group.share * mix_factor(group.group, theatre, type_)
        for group in catalogue.groups().values()
        if group.use == use and group.sex in ("", sex) and any(occurring(group.group, use, theatre, sex))
    }
    fixed: dict[str, float] = {"msk": msk} if use == "disease" else {}
    total = math.fsum(weights.values())
    if use == "nbi":
        fixed = {
            group: least
            for group, least in zip(ENVIRONMENT_GROUPS, theatre.special, strict=True)
            if least > weights.get(group, 0.0) / total
        }
    rest = math.fsum(weight for group, weight in weights.items() if group not in fixed)
    left = 1.0 - math.fsum(fixed.values())
    return {
        group: fixed[group] if group in fixed else left * weight / rest for group, weight in weights.items()
    }


def occurring(group: str, use: str, theatre: Theatre, sex: str) -> list[int]:
    """Return the numbers of the conditions of a group that a person of this sex can have in a theatre."""
    return [
        number
        for number, condition in enumerate(catalogue.conditions())
        if condition.use == use
        and condition.group == group
        and condition.sex in (None, sex)
        and (condition.environment is None or condition.environment in theatre.environment)
        and (not condition.climates or theatre.climate in condition.climates)
    ]


def fitted(shares: Matrix, courses: Matrix, fits: Matrix) -> Matrix:
    """Return the shares by condition and course with these margins, as far as `fits` allows.

    Parameters
    ----------
    shares, courses
        Shape (n,) and (4,): shares of conditions and of courses.
    fits
        Shape (n, 4): 1 where a condition may have a course.

    Returns
    -------
    Matrix
        Shape (n, 4), each column with the sum 1: what is drawn once the course is known. A course that no condition
        has, or nobody, takes all conditions.
    """
    joint = shares[:, None] * fits * (courses > 0.0)
    for _ in range(_ROUNDS):
        rows = joint.sum(axis=1)
        joint *= np.where(rows > 0.0, shares / np.where(rows > 0.0, rows, 1.0), 0.0)[:, None]
        columns = joint.sum(axis=0)
        joint *= np.where(columns > 0.0, courses / np.where(columns > 0.0, columns, 1.0), 0.0)
    for course in range(COURSES):
        if joint[:, course].sum() <= 0.0:
            seed = shares * fits[:, course]
            joint[:, course] = seed if seed.sum() > 0.0 else shares
    scaled: Matrix = np.round(joint / joint.sum(axis=0), _DIGITS)
    return scaled


def _fits(numbers: Sequence[int]) -> Matrix:
    """Return which course a condition may have: its categories, and of those that kill T1 alone."""
    conditions = [catalogue.conditions()[number] for number in numbers]
    return np.array(
        [
            [
                condition.lethal and "T1" in condition.categories,
                "T1" in condition.categories,
                "T2" in condition.categories,
                "T3" in condition.categories,
            ]
            for condition in conditions
        ],
        np.float64,
    ).reshape(-1, COURSES)


def course_shares(scenario: Scenario) -> list[list[float]]:
    """Return the shares of the courses by kind of casualty: lethal T1, other T1, T2, T3. At most all T1 are lethal."""
    dnbi = model_constants(scenario, "casualties")["dnbi"]
    found = []
    for use in ILL_USES:
        given = (triage_weights(scenario, use) if use != "psychological" else None) or dnbi["triage"][use]
        immediate, *others = [weight / math.fsum(given) for weight in given]
        kills = min(dnbi["lethal"][use], immediate)
        found.append([kills, immediate - kills, *others])
    return found


def shares_of_disease(scenario: Scenario) -> tuple[list[float], list[float]]:
    """Return the psychological and the musculoskeletal share of disease by warfare type.

    With shares n and d of NBI and disease they are min(1, .233 f (n + d) / d) and max(0, (.504 (n + d) - n) / d): the
    published shares of all DNBI, where every NBI counts as musculoskeletal. The factor f is that of the psychological
    groups by type and intensity.
    """
    dnbi = model_constants(scenario, "casualties")["dnbi"]
    mix, theatre = mix_of(scenario), theatre_of(scenario)
    psychological, musculoskeletal = [], []
    for name in incident_types(scenario):
        of_type = [part for part in mix if name in (part.type, STANDARD if part.type is None else part.type)]
        nbi = math.fsum(part.weight for part in of_type if part.stream == "nbi")
        disease = math.fsum(part.weight for part in of_type if part.stream == "disease")
        if disease <= 0.0:
            psychological.append(0.0)
            musculoskeletal.append(0.0)
            continue
        wanted = dnbi["psychological_share"] * _stress_factor(theatre, name)
        share = min(1.0, wanted * (nbi + disease) / disease)
        psychological.append(round(share, _DIGITS))
        rest = max(0.0, (dnbi["musculoskeletal_share"] * (nbi + disease) - nbi) / disease)
        musculoskeletal.append(round(min(1.0 - share, rest), _DIGITS))
    return psychological, musculoskeletal


def _stress_factor(theatre: Theatre, type_: str) -> float:
    """Return the factor of warfare type and intensity on the psychological share."""
    groups = [group for group in catalogue.groups().values() if group.use == "psychological"]
    raised = math.fsum(group.share * mix_factor(group.group, theatre, type_) for group in groups)
    return raised / math.fsum(group.share for group in groups)


class Illnesses(NamedTuple):
    """The choices of a scenario."""

    groups: Matrix
    """Shape (types, 3, 4, 2, GROUPS): cumulated shares of the groups by type, kind, course and sex."""
    lists: ChoiceLists
    """Conditions by (group, course, sex)."""
    accidents: dict[int, float]
    """Shares of the conditions among accidents of men, of the first type."""


def compile_illnesses(scenario: Scenario) -> Illnesses:
    """Return the groups by type, kind, course and sex, and the conditions of each group."""
    theatre, courses = theatre_of(scenario), course_shares(scenario)
    psychological, musculoskeletal = shares_of_disease(scenario)
    names = list(catalogue.groups())
    types = incident_types(scenario)
    chance = np.zeros((len(types), len(ILL_USES), COURSES, len(SEXES), GROUPS))
    lists = ChoiceLists((GROUPS, COURSES, len(SEXES)))
    accidents: dict[int, float] = {}
    for row, type_ in enumerate(types):
        somatic = 1.0 - psychological[row]
        msk = musculoskeletal[row] / somatic if somatic > 0.0 else 0.0
        for kind, use in enumerate(ILL_USES):
            for sex, word in enumerate(SEXES):
                shares = group_shares(use, theatre, type_, min(1.0, msk), word)
                members = {group: occurring(group, use, theatre, word) for group in shares}
                numbers = [number for group in members.values() for number in group]
                weights = _weights(shares, members)
                table = fitted(weights, np.array(courses[kind]), _fits(numbers))
                first = 0
                for group, own in members.items():
                    part = table[first : first + len(own)]
                    chance[row, kind, :, sex, names.index(group)] = part.sum(axis=0)
                    if row == 0:
                        _add(lists, names.index(group), sex, own, part)
                    first += len(own)
                if row == 0 and use == "nbi" and word == "male":
                    drawn = table @ np.array(courses[kind])
                    accidents = dict(zip(numbers, np.round(drawn, _DIGITS).tolist(), strict=True))
    return Illnesses(_cumulated(chance), lists, accidents)


def _weights(shares: dict[str, float], members: dict[str, list[int]]) -> Matrix:
    """Return the share of each condition, group after group."""
    found: list[float] = []
    for group, numbers in members.items():
        weights = [catalogue.conditions()[number].weight for number in numbers]
        total = math.fsum(weights)
        found += [shares[group] * weight / total for weight in weights]
    return np.array(found)


def _add(lists: ChoiceLists, group: int, sex: int, numbers: list[int], part: Matrix) -> None:
    """Put the conditions of a group into the lists of each course; all of them where none has the course."""
    for course in range(COURSES):
        column = part[:, course].tolist()
        found = [(number, share) for number, share in zip(numbers, column, strict=True) if share > 0.0]
        lists.add(
            (group, course, sex),
            found or [(number, catalogue.conditions()[number].weight) for number in numbers],
        )


def _cumulated(chance: Matrix) -> Matrix:
    """Return the cumulated shares along the last axis."""
    flat = chance.reshape(-1, GROUPS)
    return floats(cumulated(row.tolist()) for row in flat).reshape(chance.shape)


def illness_fields(scenario: Scenario, illnesses: Illnesses) -> dict[str, Any]:
    """Return the fields of INJURIES on non-battle injuries, disease and psychological casualties."""
    psychological, _ = shares_of_disease(scenario)
    return {
        "psychological": by_type(psychological),
        "groups_chance": by_type(illnesses.groups),
        "category": floats(cumulated(courses) for courses in course_shares(scenario)),
        "ill_first": illnesses.lists.first,
        "ill_count": illnesses.lists.count,
        "ill_choices": illnesses.lists.choices,
        "ill_chance": illnesses.lists.chance,
    }
