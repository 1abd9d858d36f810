"""The start of a scenario: a moment in UTC, in whole seconds."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import floor

from msgspec.structs import replace

from engine.errors import ScenarioError
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.warfare import SpecialEvent


@lru_cache(maxsize=64)
def parse_start(text: str) -> datetime:
    """The moment that a scenario's `start` names.

    Raises
    ------
    ScenarioError
        If the text is no ISO 8601 time in UTC and whole seconds, or lies outside the years 1900 to 9000.
    """
    try:
        start = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        start = datetime.max.replace(tzinfo=UTC)
    if not 1900 <= start.year <= 9000:
        raise ScenarioError(
            "start",
            text,
            "a UTC time in whole seconds such as 2030-01-01T00:00:00Z, in the years 1900 to 9000",
        )
    return start


def moment_text(seconds: float) -> str:
    """A moment in seconds since 1970-01-01T00:00:00Z as text, to the second."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def middle_day(days: int) -> int:
    """The day in the middle, counted from 1; the later of two."""
    return min(days // 2 + 1, days)


def events_from_start(scenario: Scenario) -> list[SpecialEvent]:
    """The special events with the day and hour counted from the scenario's start, where they give an hour.

    An event's `day` and `hour` are those of the calendar, and day 1 is the day of the start. The days of casualties are
    24 hours from the start. An hour before the start gives day 0.
    """
    since_midnight = start_seconds(scenario) % 86_400 / 3600.0
    if since_midnight == 0.0:
        return scenario.events
    found = []
    for event in scenario.events:
        if event.hour is not None:
            day = event.day or middle_day(scenario.days)
            at = (day - 1) * 24.0 + event.hour - since_midnight
            event = replace(event, day=1 + floor(at / 24.0), hour=at % 24.0)
        found.append(event)
    return found


def start_seconds(scenario: Scenario) -> int:
    """The scenario's start in seconds since 1970-01-01T00:00:00Z."""
    since = parse_start(scenario.start) - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400 + since.seconds
