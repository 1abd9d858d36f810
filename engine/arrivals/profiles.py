"""Intensity profiles: how likely each quarter hour of a day is for incidents (docs/model.md section 2.3.4).

A profile is 96 weights, one per quarter hour. It is drawn once for each front, warfare type and day. All streams of the
type follow it. Within a quarter hour the start of an incident is uniform. The patterns and their numbers are those of
`scenarios/data/reference/warfare_patterns.json`.

Readings that all patterns share (assumptions, `scenarios/data/model/arrivals.toml`):

- A window without a length lasts 1 hour.
- A number "per day" counts windows. It is multiplied by the intensity's `event_frequency`, rounded, and at least 1.
- A window ends at midnight.
- Where windows overlap, the higher level counts.
- Night is 20:00 to 06:00, twilight 05:00 to 07:00 and 18:00 to 20:00.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrivals.rows import PATTERN, QUARTERS, PatternKind, PatternRow
from engine.numeric import compiled, uniform
from engine.tables import Floats

Constants = Mapping[str, Any]
"""The model's readings of the patterns: the table `profiles` of arrivals.toml."""


# --- patterns


def _quarters(default: float, *windows: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return 96 weights: in each window (start hour, end hour, level) that level, elsewhere `default`."""
    weights = np.full(QUARTERS, default)
    for start, end, level in windows:
        weights[int(start * 4) : int(end * 4)] = level
    return weights


def _hourly(default: float, hours: Sequence[int], level: float) -> NDArray[np.float64]:
    """Return 96 weights: `level` in these hours, elsewhere `default`."""
    return _quarters(default, *((hour, hour + 1, level) for hour in hours))


def _dark_hours(level: float, given: Constants) -> tuple[tuple[float, float, float], ...]:
    """Return the windows of the night, at this level."""
    day, night = given["daylight"]
    return (0, day, level), (night, 24, level)


def _pattern(
    name: int,
    given: Constants,
    kind: PatternKind,
    base: NDArray[np.float64],
    hours: Sequence[float] = (),
    **numbers: Any,
) -> PatternRow:
    """Return one row of PATTERN; `numbers` are further fields."""
    row: Any = np.zeros((), PATTERN)
    row["name"], row["kind"], row["base"] = name, kind, base
    row["factor"] = row["frequency"] = row["level"] = row["repeats"] = row["decay"] = 1.0
    row["fewest"] = row["most"] = 1
    row["hours_long"] = given["window_hours"]
    row["daylight_start"], row["daylight_end"] = given["daylight"]
    row["hours"][: len(hours)], row["hour_count"] = hours, len(hours)
    for field, value in numbers.items():
        row[field] = value
    pattern: PatternRow = row[()]
    return pattern


def uniform_pattern(name: int, given: Constants) -> PatternRow:
    """Return the pattern in which all quarter hours are alike: that of scenarios without a warfare type."""
    return _pattern(name, given, PatternKind.FIXED, _quarters(1.0))


def _sustained_combat(
    name: int, table: Mapping[str, Any], event_frequency: float, given: Constants
) -> PatternRow:
    """`peak_intensity` in the peak hours, `base_intensity` elsewhere; at night multiplied by `night_reduction`."""
    base = _hourly(table["base_intensity"], table["peak_hours"], table["peak_intensity"])
    factor = _quarters(1.0, *_dark_hours(table["night_reduction"], given))
    return _pattern(name, given, PatternKind.FIXED, base, factor=factor)


def _surge(name: int, table: Mapping[str, Any], event_frequency: float, given: Constants) -> PatternRow:
    """`surges_per_day` windows at distinct preferred hours."""
    return _pattern(
        name,
        given,
        PatternKind.AT_HOURS,
        _quarters(table["between_surge_intensity"]),
        table["preferred_hours"],
        fewest=table["surges_per_day"],
        most=table["surges_per_day"],
        frequency=event_frequency,
        level=table["surge_intensity"],
        hours_long=table["surge_duration_hours"],
    )


def _phased_assault(
    name: int, table: Mapping[str, Any], event_frequency: float, given: Constants
) -> PatternRow:
    """The phases of the table above its baseline."""
    phases = [
        (phase["start_hour"], phase["start_hour"] + phase["duration"], phase["intensity"])
        for phase in table["assault_phases"]
    ]
    return _pattern(name, given, PatternKind.FIXED, _quarters(table["baseline_intensity"], *phases))


def _sporadic(name: int, table: Mapping[str, Any], event_frequency: float, given: Constants) -> PatternRow:
    """A number of windows from `events_per_day_range`, around the clock.

    The first starts at any time, the next `event_spacing_hours` after the start of the one before. Twilight and night
    have weights.
    """
    dark = _dark_hours(table["night_activity_level"], given)
    twilight = [(start, end, table["dawn_dusk_preference"]) for start, end in given["twilight"]]
    return _pattern(
        name,
        given,
        PatternKind.SPACED,
        _quarters(0.0),
        factor=_quarters(1.0, *dark, *twilight),
        fewest=table["events_per_day_range"][0],
        most=table["events_per_day_range"][1],
        frequency=event_frequency,
        nearest=table["event_spacing_hours"][0],
        farthest=table["event_spacing_hours"][1],
    )


def _precision_strike(
    name: int, table: Mapping[str, Any], event_frequency: float, given: Constants
) -> PatternRow:
    """A number of windows from `strikes_per_day_range`, in daylight.

    With probability `time_randomization` a window starts at any time of daylight, else in the middle of its equal part.
    With probability `loiter_strike_probability` a second window follows at once.
    """
    return _pattern(
        name,
        given,
        PatternKind.DAYLIGHT_STRIKES,
        _quarters(0.0),
        fewest=table["strikes_per_day_range"][0],
        most=table["strikes_per_day_range"][1],
        frequency=event_frequency,
        randomness=table["time_randomization"],
        probability=table["loiter_strike_probability"],
    )


def _wave_assault(
    name: int, table: Mapping[str, Any], event_frequency: float, given: Constants
) -> PatternRow:
    """`wave_intensity` in the wave hours, `between_wave_intensity` elsewhere."""
    waves = _hourly(table["between_wave_intensity"], table["wave_times"], table["wave_intensity"])
    return _pattern(name, given, PatternKind.FIXED, waves)


def _contamination_spread(
    name: int, table: Mapping[str, Any], event_frequency: float, given: Constants
) -> PatternRow:
    """Exposure starts in one of the initial hours. From then on the intensity falls hourly by the factor
    `spread_rate`.
    """
    hours = table["initial_exposure_hours"]
    return _pattern(
        name,
        given,
        PatternKind.AT_HOURS,
        _quarters(0.0),
        hours,
        repeats=24 - min(hours),
        decay=table["spread_rate"],
    )


def _low_intensity(
    name: int, table: Mapping[str, Any], event_frequency: float, given: Constants
) -> PatternRow:
    """Each incident hour is active with `incident_probability` times `event_frequency`; crowd control hours weigh more.

    If no hour is active, the one that came closest is.
    """
    weight = given["crowd_control_weight"]
    return _pattern(
        name,
        given,
        PatternKind.EACH_HOUR,
        _quarters(0.0),
        table["incident_hours"],
        factor=_hourly(1.0, table["crowd_control_hours"], weight),
        probability=table["incident_probability"],
        frequency=event_frequency,
    )


_PATTERNS: dict[str, Callable[[int, Mapping[str, Any], float, Constants], PatternRow]] = {
    "sustained_combat": _sustained_combat,
    "surge": _surge,
    "phased_assault": _phased_assault,
    "sporadic": _sporadic,
    "precision_strike": _precision_strike,
    "wave_assault": _wave_assault,
    "contamination_spread": _contamination_spread,
    "low_intensity": _low_intensity,
}
"""By the `type` of a `temporal_pattern` table: the function that reads it."""


def warfare_pattern(
    name: int, table: Mapping[str, Any], event_frequency: float, given: Constants
) -> PatternRow:
    """Return the pattern of a warfare type.

    Parameters
    ----------
    name
        Key of its draws.
    table
        The type's `temporal_pattern` in `warfare_patterns.json`.
    event_frequency
        Factor of the intensity on the number of windows.
    given
        The model's readings of the patterns.

    Raises
    ------
    ValueError
        If the table's `type` is unknown.
    """
    kind = str(table["type"])
    if kind not in _PATTERNS:
        raise ValueError(f"unknown temporal pattern {kind!r}")
    return _PATTERNS[kind](name, table, event_frequency, given)


def event_pattern(name: int, table: Mapping[str, Any], hour: float | None, given: Constants) -> PatternRow:
    """Return the window of a special event: from `hour`, else from one of its preferred hours, else from any hour."""
    hours = [hour] if hour is not None else list(table.get("preferred_start_hours", range(24)))
    return _pattern(
        name, given, PatternKind.AT_HOURS, _quarters(0.0), hours, hours_long=table["duration_hours"]
    )


# --- profiles


@compiled
def _raise_window(weights: Floats, start: float, hours_long: float, level: float) -> None:
    """Raise the quarter hours in [start, start + hours_long) to `level`; those partly inside in proportion."""
    for quarter in range(QUARTERS):
        begin = quarter * 0.25
        overlap = begin + 0.25
        if start + hours_long < overlap:
            overlap = start + hours_long
        overlap -= begin if begin > start else start
        if overlap > 0.0 and level > weights[quarter]:
            weights[quarter] += (level - weights[quarter]) * overlap * 4.0


@compiled
def _number_of_windows(pattern: PatternRow, fraction: float) -> int:
    """Return the number of windows of a day, from a uniform on (0, 1)."""
    drawn = fraction * (pattern.most - pattern.fewest + 1)
    windows = int((pattern.fewest + int(drawn)) * pattern.frequency + 0.5)
    if windows < 1:
        windows = 1
    if pattern.kind == PatternKind.EACH_HOUR or (
        pattern.kind == PatternKind.AT_HOURS and windows > pattern.hour_count
    ):
        windows = pattern.hour_count
    return windows


@compiled
def _draw_windows(pattern: PatternRow, key: int, day: int, weights: Floats, hours: Floats) -> None:
    """Raise the windows of this day."""
    name = pattern.name
    kind = pattern.kind
    for i in range(24):
        hours[i] = pattern.hours[i]
    choices = pattern.hour_count
    windows = _number_of_windows(pattern, uniform(key, name, day, np.uint64(0)))
    probability = pattern.probability
    if kind == PatternKind.EACH_HOUR:
        probability *= pattern.frequency
    hours_long = pattern.hours_long
    start = 0.0
    closest = 2.0
    fallback = 0.0
    for i in range(windows):
        u = uniform(key, name, day, np.uint64(3 * i + 1))
        v = uniform(key, name, day, np.uint64(3 * i + 2))
        repeats = pattern.repeats
        if kind == PatternKind.AT_HOURS:
            choice = int(u * choices)
            start = hours[choice]
            choices -= 1
            hours[choice] = hours[choices]  # no hour is drawn twice
        elif kind == PatternKind.SPACED:
            start += 24.0 * u if i == 0 else pattern.nearest + (pattern.farthest - pattern.nearest) * u
            start -= 24.0 * math.floor(start / 24.0)
        elif kind == PatternKind.EACH_HOUR:
            start = hours[i]
            repeats = 1 if u < probability else 0
            if u < closest:
                closest = u
                fallback = start
        else:
            where = v if u < pattern.randomness else (i + 0.5) / windows
            start = pattern.daylight_start + where * (
                pattern.daylight_end - pattern.daylight_start - hours_long
            )
            repeats = 2 if uniform(key, name, day, np.uint64(3 * i + 3)) < probability else 1
        level = pattern.level
        for _ in range(repeats):
            _raise_window(weights, start, hours_long, level)
            start += hours_long
            level /= pattern.decay
        start -= repeats * hours_long
    if kind == PatternKind.EACH_HOUR and closest >= probability:
        _raise_window(weights, fallback, hours_long, pattern.level)


@compiled
def draw_profile(pattern: PatternRow, key: int, day: int, weights: Floats, hours: Floats) -> None:
    """Draw the profile of a day; the weights are never all 0.

    Parameters
    ----------
    key
        Key of the purpose PROFILE (uint64).
    day
        Day from 0 (uint64).
    weights
        Shape (96,): receives the weights.
    hours
        Shape (24,): working memory.
    """
    for quarter in range(QUARTERS):
        weights[quarter] = pattern.base[quarter]
    if pattern.kind != PatternKind.FIXED:
        _draw_windows(pattern, key, day, weights, hours)
    highest = 0.0
    for quarter in range(QUARTERS):
        weights[quarter] *= pattern.factor[quarter]
        if weights[quarter] > highest:
            highest = weights[quarter]
    if highest <= 0.0:
        for quarter in range(QUARTERS):
            weights[quarter] = 1.0
