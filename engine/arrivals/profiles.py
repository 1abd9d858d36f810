"""The day's intensity profiles: how an average hour of a type of warfare differs from the next.

A profile is 96 weights, one per quarter of an hour, drawn once for each (front, type, day) and followed by all the
streams of that type; within a quarter starts are uniform. The patterns and their numbers are those of
scenarios/data/reference/warfare_patterns.json; `warfare_pattern` says how each is read.

Choices common to all [assumption]: a window without a length is 1 h; 'per day' counts are numbers of windows,
multiplied by the intensity's `event_frequency`, rounded and at least 1; windows that would pass midnight are cut there;
overlapping windows do not add up; night is 20:00 to 06:00, daylight the rest, dawn and dusk 05:00-07:00 and
18:00-20:00.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.numeric import uniform

QUARTERS = 96

DAYLIGHT = (6.0, 20.0)
TWILIGHT = ((5.0, 7.0), (18.0, 20.0))
WINDOW_HOURS = 1.0

FIXED, AT_HOURS, SPACED, DAYLIGHT_STRIKES, EACH_HOUR = range(5)
"""How the windows of a day are drawn: none; among given hours; one after the other; in daylight; hour by hour."""

PATTERN = np.dtype(
    [
        ("name", "u8"),  # key in the random streams
        ("kind", "i8"),  # FIXED, AT_HOURS, ...
        ("base", "f8", (QUARTERS,)),  # intensity outside windows
        ("factor", "f8", (QUARTERS,)),  # multiplies what the windows have made of it
        ("hours", "f8", (24,)),  # start hours to draw from
        ("hour_count", "i8"),
        ("fewest", "i8"),  # windows per day
        ("most", "i8"),
        ("frequency", "f8"),  # multiplies that number
        ("level", "f8"),  # intensity inside
        ("hours_long", "f8"),  # length of a window
        ("repeats", "i8"),  # windows that follow each other without a gap ...
        ("decay", "f8"),  # ... the next at the level divided by this
        ("nearest", "f8"),  # spacing of windows, hours
        ("farthest", "f8"),
        ("probability", "f8"),  # of a loiter strike; of an hour
        ("randomness", "f8"),  # share of strikes at a random time
    ],
    align=True,
)
"""One intensity pattern with its numbers, as the kernels read it."""


def _quarters(default: float, *windows: tuple[float, float, float]) -> NDArray[np.float64]:
    """96 weights: `default`, and in each window (start, end, level) that level."""
    out = np.full(QUARTERS, default)
    for start, end, level in windows:
        out[int(start * 4) : int(end * 4)] = level
    return out


def _hourly(default: float, hours: Sequence[int], level: float) -> NDArray[np.float64]:
    return _quarters(default, *((hour, hour + 1, level) for hour in hours))


def _pattern(
    name: int, kind: int, base: NDArray[np.float64], hours: Sequence[float] = (), **numbers: Any
) -> Any:
    row = np.zeros((), PATTERN)
    row["name"], row["kind"], row["base"] = name, kind, base
    row["factor"] = row["frequency"] = row["level"] = row["repeats"] = row["decay"] = 1.0
    row["fewest"] = row["most"] = 1
    row["hours_long"] = WINDOW_HOURS
    row["hours"][: len(hours)], row["hour_count"] = hours, len(hours)
    for field, value in numbers.items():
        row[field] = value
    return row[()]


def uniform_pattern(name: int) -> Any:
    """Every quarter alike: scenarios without a warfare type."""
    return _pattern(name, FIXED, _quarters(1.0))


def warfare_pattern(name: int, table: Mapping[str, Any], event_frequency: float) -> Any:
    """The pattern of a warfare type from its `temporal_pattern` table.

    - sustained_combat: `peak_intensity` in the peak hours, `base_intensity` elsewhere, multiplied by `night_reduction`
      at night.
    - surge: `surges_per_day` windows at distinct preferred hours.
    - phased_assault: the phases as given over the baseline.
    - sporadic: a number of windows in `events_per_day_range`, the first at any time, the next `event_spacing_hours`
      after the start of the one before, around the clock; weights for dawn and dusk, and for night otherwise.
    - precision_strike: a number of windows in `strikes_per_day_range`, each with probability `time_randomization` at
      any time of daylight, otherwise in the middle of its equal part of the daylight; with probability
      `loiter_strike_probability` a second window follows at once.
    - wave_assault: `wave_intensity` in the wave hours.
    - contamination_spread: exposure begins in one of the initial hours, drawn; from then on intensity falls by the
      factor `spread_rate` every hour until midnight as the hazard spreads out and is left.
    - low_intensity: each incident hour is active with `incident_probability` times event_frequency, the crowd control
      hours at twice the weight of others; where none would be, the one that came closest is.
    """
    kind = str(table["type"])
    day, night = DAYLIGHT
    if kind == "sustained_combat":
        base = _hourly(table["base_intensity"], table["peak_hours"], table["peak_intensity"])
        dark = table["night_reduction"]
        return _pattern(name, FIXED, base, factor=_quarters(1.0, (0, day, dark), (night, 24, dark)))
    if kind == "surge":
        return _pattern(
            name,
            AT_HOURS,
            _quarters(table["between_surge_intensity"]),
            table["preferred_hours"],
            fewest=table["surges_per_day"],
            most=table["surges_per_day"],
            frequency=event_frequency,
            level=table["surge_intensity"],
            hours_long=table["surge_duration_hours"],
        )
    if kind == "phased_assault":
        phases = [
            (p["start_hour"], p["start_hour"] + p["duration"], p["intensity"])
            for p in table["assault_phases"]
        ]
        return _pattern(name, FIXED, _quarters(table["baseline_intensity"], *phases))
    if kind == "sporadic":
        dark = table["night_activity_level"]
        twilight = [(start, end, table["dawn_dusk_preference"]) for start, end in TWILIGHT]
        return _pattern(
            name,
            SPACED,
            _quarters(0.0),
            factor=_quarters(1.0, (0, day, dark), (night, 24, dark), *twilight),
            fewest=table["events_per_day_range"][0],
            most=table["events_per_day_range"][1],
            frequency=event_frequency,
            nearest=table["event_spacing_hours"][0],
            farthest=table["event_spacing_hours"][1],
        )
    if kind == "precision_strike":
        return _pattern(
            name,
            DAYLIGHT_STRIKES,
            _quarters(0.0),
            fewest=table["strikes_per_day_range"][0],
            most=table["strikes_per_day_range"][1],
            frequency=event_frequency,
            randomness=table["time_randomization"],
            probability=table["loiter_strike_probability"],
        )
    if kind == "wave_assault":
        waves = _hourly(table["between_wave_intensity"], table["wave_times"], table["wave_intensity"])
        return _pattern(name, FIXED, waves)
    if kind == "contamination_spread":
        exposure = table["initial_exposure_hours"]
        return _pattern(
            name, AT_HOURS, _quarters(0.0), exposure, repeats=24 - min(exposure), decay=table["spread_rate"]
        )
    if kind == "low_intensity":
        return _pattern(
            name,
            EACH_HOUR,
            _quarters(0.0),
            table["incident_hours"],
            factor=_hourly(1.0, table["crowd_control_hours"], 2.0),
            probability=table["incident_probability"],
            frequency=event_frequency,
        )
    raise ValueError(f"unknown temporal pattern {kind!r}")


def event_pattern(name: int, table: Mapping[str, Any], hour: float | None) -> Any:
    """The window of a special event: from `hour`, else from one of its preferred hours (any hour without them)."""
    hours = [hour] if hour is not None else list(table.get("preferred_start_hours", range(24)))
    return _pattern(name, AT_HOURS, _quarters(0.0), hours, hours_long=table["duration_hours"])


@njit
def _raise_window(weights: Any, start: float, hours_long: float, level: float) -> None:
    """Lift the quarters in [start, start + hours_long) to `level`, those partly inside in proportion."""
    for q in range(QUARTERS):
        begin = q * 0.25
        overlap = begin + 0.25
        if start + hours_long < overlap:
            overlap = start + hours_long
        overlap -= begin if begin > start else start
        if overlap > 0.0 and level > weights[q]:
            weights[q] += (level - weights[q]) * overlap * 4.0


@njit
def draw_profile(pattern: Any, key: Any, day: Any, weights: Any) -> None:
    """Fill `weights` (96) with the profile of this pattern on this day (uint64, from 0); never all zero."""
    name = pattern.name
    kind = pattern.kind
    base = pattern.base
    factor = pattern.factor
    for q in range(QUARTERS):
        weights[q] = base[q]
    if kind != FIXED:
        hours = np.empty(24)
        for i in range(24):
            hours[i] = pattern.hours[i]
        choices = pattern.hour_count
        drawn = uniform(key, name, day, np.uint64(0)) * (pattern.most - pattern.fewest + 1)
        windows = int((pattern.fewest + int(drawn)) * pattern.frequency + 0.5)
        if windows < 1:
            windows = 1
        if kind == EACH_HOUR or (kind == AT_HOURS and windows > choices):
            windows = choices
        probability = pattern.probability
        if kind == EACH_HOUR:
            probability *= pattern.frequency
        hours_long = pattern.hours_long
        start = 0.0
        closest = 2.0
        fallback = 0.0
        for i in range(windows):
            u = uniform(key, name, day, np.uint64(3 * i + 1))
            v = uniform(key, name, day, np.uint64(3 * i + 2))
            repeats = pattern.repeats
            if kind == AT_HOURS:
                choice = int(u * choices)
                start = hours[choice]
                choices -= 1
                hours[choice] = hours[choices]
            elif kind == SPACED:
                start += 24.0 * u if i == 0 else pattern.nearest + (pattern.farthest - pattern.nearest) * u
                start -= 24.0 * math.floor(start / 24.0)
            elif kind == EACH_HOUR:
                start = hours[i]
                repeats = 1 if u < probability else 0
                if u < closest:
                    closest = u
                    fallback = start
            else:
                where = v if u < pattern.randomness else (i + 0.5) / windows
                start = DAYLIGHT[0] + where * (DAYLIGHT[1] - DAYLIGHT[0] - hours_long)
                repeats = 2 if uniform(key, name, day, np.uint64(3 * i + 3)) < probability else 1
            level = pattern.level
            for _ in range(repeats):
                _raise_window(weights, start, hours_long, level)
                start += hours_long
                level /= pattern.decay
            start -= repeats * hours_long
        if kind == EACH_HOUR and closest >= probability:
            _raise_window(weights, fallback, hours_long, pattern.level)
    highest = 0.0
    for q in range(QUARTERS):
        weights[q] *= factor[q]
        if weights[q] > highest:
            highest = weights[q]
    if highest <= 0.0:
        for q in range(QUARTERS):
            weights[q] = 1.0
