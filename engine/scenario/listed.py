"""Listed incidents, expanded: the time, number and categories of each row of `[[incidents]]`."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from math import floor, fsum
from typing import NamedTuple

from msgspec.structs import replace

from engine.scenario.structs.incidents import GivenCategory, Incident
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vocabulary import CATEGORIES

TIME_FORMS = (
    '"day 2 09:30" (day 1 is that of the start, the time counts from midnight UTC), hours after the start such as '
    '"33.5 h", or a time in UTC such as 2030-01-02T09:30:00Z; seconds may have three decimals'
)
"""What `Incident.at` accepts, in words."""

_SHARE_TOLERANCE = 1e-6
"""How far from 1 shares may sum."""
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?P<fraction>\.\d{1,3})?)?"
_DAY = re.compile(rf"day\s+(?P<day>\d{{1,5}})[ ,]+{_CLOCK}\Z", re.IGNORECASE | re.ASCII)
_HOURS = re.compile(r"(\d{1,6}(?:\.\d{1,7})?)\s*(?:h|hours?)\Z", re.IGNORECASE | re.ASCII)
_MOMENT = re.compile(rf"(?P<date>\d{{4}}-\d\d-\d\d)[T ]{_CLOCK}(?:Z|\+00:00)?\Z", re.IGNORECASE | re.ASCII)
_SECOND_MS, _HOUR_MS, _DAY_MS = 1000, 3_600_000, 86_400_000
_DAY_SECONDS = 86_400


class ListedRow(NamedTuple):
    """Casualties that come at one time."""

    row: int
    """Index of `scenario.incidents`."""
    incident: Incident
    front: str
    at: int
    """ms from the scenario's start."""
    number: int
    categories: tuple[int, int, int] | None
    """How many of them are given T1, T2 and T3; fewer than `number` where some are drawn, None where all are."""

    @property
    def day(self) -> int:
        """The day, 1 for the first."""
        return self.at // _DAY_MS + 1


def time_of(text: str, start: int) -> int | None:
    """The time that an incident's `at` names, in ms from the start; negative before it; None if it names none.

    Day 1 is the day of the start. A time of day counts from midnight (UTC), whatever the hour of the start.

    Parameters
    ----------
    start
        The scenario's start in seconds since 1970. A row of a resolved scenario counts from its start: 0.

    Examples
    --------
    >>> time_of("day 2 09:30", 0), time_of("33.5 h", 0), time_of("1970-01-02T09:30:00Z", 0)
    (120600000, 120600000, 120600000)
    """
    text = text.strip()
    if found := _HOURS.match(text):
        return round(float(found[1]) * _HOUR_MS)
    if found := _DAY.match(text):
        clock = _clock_ms(found)
        since_midnight = start * _SECOND_MS % _DAY_MS
        return None if clock is None else (int(found["day"]) - 1) * _DAY_MS + clock - since_midnight
    if found := _MOMENT.match(text):
        clock = _clock_ms(found)
        try:
            midnight = datetime.strptime(found["date"], "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            return None
        since = midnight - datetime(1970, 1, 1, tzinfo=UTC)
        return None if clock is None else (since.days * 86_400 - start) * _SECOND_MS + clock
    return None


def _clock_ms(found: "re.Match[str]") -> int | None:
    """The time of day in ms; None if there is no such time."""
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"] or 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    fraction = round(float(found["fraction"] or 0) * _SECOND_MS)
    return hour * _HOUR_MS + minute * 60_000 + second * _SECOND_MS + fraction


def resolve_time(incident: Incident, start: int) -> Incident:
    """The row with its time counted from the scenario's start, which is given in seconds since 1970.

    The time is then "day 2 09:30" if the scenario starts at midnight, else hours after the start.
    """
    is_moment = _MOMENT.match(incident.at.strip()) is not None
    at = time_of(incident.at, start) or 0
    if start % _DAY_SECONDS and (is_moment or _DAY.match(incident.at.strip())):
        return replace(incident, at=f"{at / _HOUR_MS:.7f} h")
    if not is_moment:
        return incident
    day, rest = divmod(at, _DAY_MS)
    minutes, ms = divmod(rest, 60_000)
    return replace(
        incident, at=f"day {day + 1} {minutes // 60:02}:{minutes % 60:02}:{ms // 1000:02}.{ms % 1000:03}"
    )


def numbers_of(incident: Incident) -> list[int]:
    """The numbers of a row's series; one number if it is none."""
    return [incident.number] if incident.numbers is None else incident.numbers


def number_listed(scenario: Scenario) -> int:
    """The number of all listed casualties."""
    return sum(sum(numbers_of(incident)) for incident in scenario.incidents)


def listed_rows(scenario: Scenario) -> list[ListedRow]:
    """The rows of listed incidents of a resolved scenario by time, each number of a series as a row of its own."""
    rows = []
    for row, incident in enumerate(scenario.incidents):
        at = time_of(incident.at, 0) or 0
        step = round((incident.every_minutes or 0.0) * 60_000)
        for place, number in enumerate(numbers_of(incident)):
            if number > 0:
                front = incident.front or scenario.fronts[0].name
                rows.append(ListedRow(row, incident, front, at + place * step, number, None))
    rows.sort(key=lambda found: found.at)
    given: dict[tuple[float, ...], list[int]] = {}
    return [row._replace(categories=_categories(row, given)) for row in rows]


def listed_units(scenario: Scenario, front: str, known: Sequence[str]) -> list[str]:
    """The units that rows of a front name and that are not among `known`, each once."""
    named = {
        incident.unit: None
        for incident in scenario.incidents
        if incident.unit is not None
        and incident.unit not in known
        and (incident.front or scenario.fronts[0].name) == front
    }
    return list(named)


def unnamed_categories(incident: Incident) -> list[GivenCategory]:
    """The categories among which the rest of a row is drawn whose `triage` names only some; empty: there is no rest."""
    if incident.triage is None or abs(1.0 - fsum(incident.triage.values())) <= _SHARE_TOLERANCE:
        return []
    return [category for category in CATEGORIES if category not in incident.triage]


def shares_of(incident: Incident) -> tuple[float, ...] | None:
    """The shares of T1, T2 and T3 that a row is given; None where all categories are drawn."""
    if incident.category is not None:
        return tuple(float(category == incident.category) for category in CATEGORIES[:3])
    if incident.triage is not None:
        return tuple(incident.triage.get(category, 0.0) for category in ("T1", "T2", "T3"))
    return None


def _categories(row: ListedRow, given: dict[tuple[float, ...], list[int]]) -> tuple[int, int, int] | None:
    """How many of a row are T1, T2 and T3, so that rows of the same shares meet them together.

    After each row, the number of a category is its share of all casualties of these shares so far, rounded down or up:
    the largest remainders are rounded up. What the shares leave is one more category, the rest. `given` counts by
    shares, and is brought up to date.
    """
    shares = shares_of(row.incident)
    if shares is None:
        return None
    if unnamed_categories(row.incident):
        shares = (*shares, 1.0 - fsum(shares))
    so_far = given.setdefault(shares, [0] * len(shares))
    total = sum(so_far) + row.number
    wanted = [share * total - count for share, count in zip(shares, so_far, strict=True)]
    counts = [max(0, floor(quota + 1e-9)) for quota in wanted]
    remainders = [quota - count for quota, count in zip(wanted, counts, strict=True)]
    while sum(counts) != row.number:
        step = 1 if sum(counts) < row.number else -1
        open_ = [k for k in range(len(shares)) if (shares[k] > 0.0 if step > 0 else counts[k] > 0)]
        k = max(open_, key=lambda k: step * remainders[k])
        counts[k] += step
        remainders[k] -= step
    for k, count in enumerate(counts):
        so_far[k] += count
    return counts[0], counts[1], counts[2]
