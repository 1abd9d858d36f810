"""The start of a scenario: a moment in UTC, in whole seconds."""

from datetime import UTC, datetime

from engine.errors import ScenarioError
from engine.scenario.structs.scenario import Scenario


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


def start_seconds(scenario: Scenario) -> int:
    """The scenario's start in seconds since 1970-01-01T00:00:00Z."""
    since = parse_start(scenario.start) - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400 + since.seconds
