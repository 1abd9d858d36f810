"""Compile the catalogue of external causes to weighted choices (docs/model.md sections 2.4.3 and 2.4.4)."""

import itertools
import math
from collections.abc import Mapping
from functools import cache, lru_cache

from engine.codes import MECHANISMS
from engine.compile.choices import Choice, ChoiceLists
from engine.compile.rows import STANDARD, WEAPONS
from engine.tables import NATURES
from scenarios import catalogue

_KEPT = 16
"""Lists of causes that are kept for other scenarios with the same types and shares."""

_ROUNDS = 60
_DIGITS = 9

CAUSE_NATURES = ("", "burn", "blunt", "immersion")
"""Natures of wounds by mechanism `other`, in the order of the codes."""

Profile = tuple[str, ...]
"""Kinds of cause that can do an injury, sorted."""


@cache
def profiles() -> tuple[Profile, ...]:
    """Return the sets of kinds of cause that the conditions of accidents and diseases name; the first is empty."""
    found = {
        tuple(sorted(condition.causes))
        for condition in catalogue.conditions()
        if condition.use in ("nbi", "disease")
    }
    return ((), *sorted(found - {()}))


def nature_of(condition: catalogue.Condition) -> int:
    """Return which external causes fit a condition.

    Of wounds it is an index of CAUSE_NATURES, of accidents and diseases of `profiles()`, of agents the number of the
    agent.
    """
    if condition.use in ("nbi", "disease"):
        return profiles().index(tuple(sorted(condition.causes)))
    if condition.use == "agent":
        return list(catalogue.agent_kinds()).index(condition.group)
    if condition.use != "wound":
        return 0
    if set(condition.mechanisms) == {"other"} and condition.immersion:
        return CAUSE_NATURES.index("immersion")
    if set(condition.mechanisms) == {"other"} and condition.burn:
        return CAUSE_NATURES.index("burn")
    return CAUSE_NATURES.index("blunt")


def _causes_of(type_: str, mechanism: str, nature: str) -> list[Choice]:
    """Return the causes by the enemy for a warfare type, mechanism and nature ("": any).

    They are the type's own, else the standard ones, else all.
    """
    fitting = [
        (number, cause)
        for number, cause in enumerate(catalogue.external_causes())
        if cause.use != "nbi" and cause.mechanism == mechanism and nature in ("", cause.nature)
    ]
    for name in (type_, STANDARD):
        own = [(number, cause.types[name]) for number, cause in fitting if cause.types.get(name, 0.0) > 0.0]
        if own:
            return own
    return [(number, weight) for number, cause in fitting for weight in cause.types.values()]


def kinds_of_profiles(accidents: Mapping[int, float]) -> dict[Profile, dict[str, float]]:
    """Return the shares of the kinds of cause within each profile, each with the sum 1.

    They are fitted, by iterative proportional fitting, to the published shares of kinds among accidents. An injury gets
    no kind that cannot do it, so a share that the injuries of a theatre do not allow is missed.

    Parameters
    ----------
    accidents
        Shares of conditions among accidents, by number.
    """
    totals = dict.fromkeys(profiles()[1:], 0.0)
    for number, share in accidents.items():
        profile = tuple(sorted(catalogue.conditions()[number].causes))
        if profile:
            totals[profile] += share
    published = {name: kind.share for name, kind in catalogue.cause_kinds().items() if kind.share is not None}
    joint = {profile: dict.fromkeys(profile, share / len(profile)) for profile, share in totals.items()}
    for _ in range(_ROUNDS):
        for name, wanted in published.items():
            here = [row for row in joint.values() if name in row]
            total = math.fsum(row[name] for row in here)
            for row in here:
                row[name] *= wanted / total if total > 0.0 else 1.0
        for profile, row in joint.items():
            total = math.fsum(row.values())
            for name in row:
                row[name] *= totals[profile] / total if total > 0.0 else 1.0
    return {profile: _scaled(row) for profile, row in joint.items()}


def _scaled(row: dict[str, float]) -> dict[str, float]:
    """Return shares with the sum 1; equal ones where there are none."""
    total = math.fsum(row.values())
    if total <= 0.0:
        return dict.fromkeys(row, 1.0 / len(row))
    return {name: round(share / total, _DIGITS) for name, share in row.items()}


def _accident_causes(kinds: Mapping[str, float]) -> list[Choice]:
    """Return the causes of accidents by the shares of their kinds."""
    causes = [
        (number, cause) for number, cause in enumerate(catalogue.external_causes()) if cause.use == "nbi"
    ]
    found: list[Choice] = []
    for name, share in sorted(kinds.items()):
        own = [(number, cause.weight) for number, cause in causes if cause.kind == name]
        total = math.fsum(weight for _, weight in own)
        found += [(number, share * weight / total) for number, weight in own if share > 0.0]
    return found


def cause_choices(types: tuple[str, ...], accidents: Mapping[int, float]) -> ChoiceLists:
    """Return the external causes by (warfare type, mechanism, nature).

    `accidents`: shares of conditions among accidents, by number.
    """
    return _cause_choices(types, tuple(sorted(accidents.items())))


@lru_cache(_KEPT)
def _cause_choices(types: tuple[str, ...], accidents: tuple[tuple[int, float], ...]) -> ChoiceLists:
    lists = ChoiceLists((len(types), len(MECHANISMS), NATURES))
    agents = list(catalogue.agent_kinds().values())
    of_profiles = {
        profiles().index(profile): _accident_causes(kinds)
        for profile, kinds in kinds_of_profiles(dict(accidents)).items()
    }
    for row, type_ in enumerate(types):
        for weapon, (nature, word) in itertools.product(WEAPONS, enumerate(CAUSE_NATURES)):
            place = (row, MECHANISMS.index(weapon), nature)
            lists.add(place, _causes_of(type_, weapon, word if weapon == "other" else ""))
        for nature, agent in enumerate(agents):
            lists.add((row, MECHANISMS.index("cbrn"), nature), _causes_of(type_, "cbrn", agent.weapon))
        for mechanism, (nature, found) in itertools.product(("accident", "illness"), of_profiles.items()):
            lists.add((row, MECHANISMS.index(mechanism), nature), found)
    return lists
