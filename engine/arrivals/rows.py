"""Rows of the tables that describe arrivals: cells, daily rates, intensity patterns, and parts of an hour."""

from typing import Annotated

from engine.codes import Code
from engine.tables import Float64, Floats, Int64, Row, UInt8, UInt64, dtype_of

QUARTERS = 96
"""Quarter hours of a day: length of an intensity profile."""


class CellRow(Row):
    """A cell, one combination of stream, kind, front, and warfare type or special event: constants, then state."""

    name: UInt64  # hash of the cell's names, by which its draws are keyed
    front: Int64
    group: Int64  # stream and front: row of `ArrivalPlan.groups`
    profile: Int64  # row of `ArrivalPlan.patterns`
    law: Int64  # row of the size tables
    limit: Int64  # most incidents that are drawn together
    day: Int64  # of a special event, the only day on which it has casualties; else -1
    rank: UInt64  # by name among the cells of the plan
    cell_count: UInt64  # cells of the plan
    number_step: UInt64  # from the number of one casualty to that of the next
    chance: Float64  # of an event that is one incident: the probability that it is this cell's; else 0
    fewest: Int64  # casualties of such an event, least and most
    most: Int64
    weight: Float64  # under `total`: within the group; under `rates`: casualties a day per unit of the rate
    shortest: Float64  # ms over which an incident spreads its casualties: least and most
    longest: Float64
    kind: UInt8  # CasualtyKind
    type: UInt8  # index of scenario.warfare, NONE without
    special: UInt8  # index of scenario.events, NONE outside special events
    # state of a run
    key: UInt64  # `name`; under `rates` a hash of name and day
    casualties: Int64  # of the run under `total`, of the day under `rates`
    uncounted: Int64  # casualties that the counting pass has not reached
    incidents: Int64  # under `total`: not yet assigned to a day; under `rates`: of the day
    left: Int64  # casualties not yet drawn
    incident: Int64  # number of the next incident
    index: Int64  # of the next casualty; under `rates` counted by day
    first_number: UInt64  # number of casualty 0 (`ArrivalRow.number`); under `rates` of the day
    today: Int64  # incidents of the day
    keep: Float64  # probability that a casualty is kept; less than 1 with depletion


CELL = dtype_of(CellRow)


class RateRow(Row):
    """One component of a group's daily rate per 1,000 strength: a distribution and its parameters.

    See `engine.numeric.continuous` for code, a, b and c.
    """

    name: UInt64
    group: Int64
    code: Int64
    a: Float64
    b: Float64
    c: Float64
    correlation: Float64  # of the logarithms of a lognormal rate from one day to the next


RATE = dtype_of(RateRow)


class PatternKind(Code):
    """How the windows of high intensity of a day are drawn."""

    FIXED = 0
    """There are none: the profile is the same every day."""
    AT_HOURS = 1
    """At distinct hours of a list."""
    SPACED = 2
    """One after the other, at random distances, around the clock."""
    DAYLIGHT_STRIKES = 3
    """In daylight, at random or evenly spread times."""
    EACH_HOUR = 4
    """Each hour of a list is a window with a probability."""


class PatternRow(Row):
    """The intensity pattern of a warfare type or special event. Times and lengths are in hours."""

    name: UInt64  # by which its draws are keyed
    kind: Int64  # PatternKind
    base: Annotated[Floats, "f8", (QUARTERS,)]  # intensity outside windows
    factor: Annotated[Floats, "f8", (QUARTERS,)]  # multiplies the intensity, windows included
    hours: Annotated[Floats, "f8", (24,)]  # start hours to draw from
    hour_count: Int64
    fewest: Int64  # windows per day
    most: Int64
    frequency: Float64  # multiplies that number
    level: Float64  # intensity inside a window
    hours_long: Float64  # length of a window
    repeats: Int64  # windows that follow each other without a gap ...
    decay: Float64  # ... each at the level of the one before, divided by this
    nearest: Float64  # distance between the starts of windows
    farthest: Float64
    probability: Float64  # of a second strike; of an active hour
    randomness: Float64  # share of strikes at a random time of daylight
    daylight_start: Float64
    daylight_end: Float64


PATTERN = dtype_of(PatternRow)


class HourPartRow(Row):
    """A part of an hour, 1 / 2**depth long, whose incidents of one cell are drawn together."""

    depth: Int64
    position: Int64  # 0 is the first part of the hour
    incidents: Int64


HOUR_PART = dtype_of(HourPartRow)


class ListedArrivals(Row):
    """Listed casualties of one time: a cell of its own, of which nothing but what is unset is drawn."""

    time: Int64  # ms from the start
    number: Int64  # of casualties
    incident: UInt64  # hash by which the incident's id is keyed
    incident_size: Int64  # casualties of all rows of the incident
    agent_share: Float64  # probability that the incident is one of an agent
    day: Int64  # from 0
    # as in CellRow
    key: UInt64
    first_number: UInt64
    number_step: UInt64
    front: Int64
    kind: UInt8
    type: UInt8
    special: UInt8


LISTED = dtype_of(ListedArrivals)
