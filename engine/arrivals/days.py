"""The drawing pass: incidents and casualties of one day after the other, in the order of time.

The incidents of a cell are divided over days, hours and parts of an hour by binomial draws of that cell. The
casualties of a part go to a buffer, from which `engine.arrivals.complete` takes those that no later incident can
precede.
"""

import numpy as np
from numpy.typing import NDArray

from engine.arrivals.counts import INCIDENT_BUDGET, count_cells, open_day
from engine.arrivals.draws import ArrivalDraw
from engine.arrivals.incidents import SIZE_TABLES, SizeTables
from engine.arrivals.parts import DAY_MS, HOUR_MS, MAX_DEPTH, draw_part, early_share, part_start
from engine.arrivals.profiles import draw_profile
from engine.arrivals.rows import CELL, HOUR_PART, PATTERN, CellRow, HourPartRow, PatternRow
from engine.arrivals.strength import restore_strength
from engine.codes import Code
from engine.numeric import binomial, compiled, compiled_entry, uniform
from engine.tables import ARRIVAL, ArrivalRow, Floats, Ints, Rows

DAYS_PER_CALL = 256
"""Days after which the compiled code returns control, so that Python can handle Ctrl-C."""


class Cursor(Code):
    """Places in the cursor, which says how far the drawing pass is."""

    DAY = 0
    HOUR = 1
    """Hour of the day, or what is to be done before its first hour."""
    USED = 2
    """Rows used of the buffer."""
    HORIZON = 3
    """Time in ms before which no further casualty comes; rows that the buffer needs where it is full."""


TO_OPEN, TO_COUNT, BEFORE_HOURS = -3, -2, -1
"""In the cursor's hour: the day is to be opened; its incidents are to be counted; both are done."""

DONE, ENOUGH, FULL = 0, 1, 2
"""What the drawing functions return: the day or the call is over; the buffer holds enough; it has no room."""


@compiled
def _draw_incidents_of_day(
    keys: Ints,
    cells: Rows[CellRow],
    patterns: Rows[PatternRow],
    day: int,
    share: float,
    profiles: Floats,
    drawn: Ints,
    hours: Floats,
) -> bool:
    """Draw the incidents of each cell on a day, from those left with probability `share`, and the day's profiles.

    Return False if there are none. `drawn`, shape (patterns,), and `hours`, shape (24,), are working memory.
    """
    any_today = False
    for i in range(len(patterns)):
        drawn[i] = 0
    for c in range(len(cells)):
        cell = cells[c]
        probability = share
        if cell.day >= 0:
            probability = 1.0 if cell.day == day else 0.0
        today = cell.incidents
        if today > 0 and probability < 1.0:
            u = uniform(keys[ArrivalDraw.DAYS], cell.key, np.uint64(day), np.uint64(0))
            today = binomial(u, today, probability)
        cell.incidents -= today
        cell.today = today
        if today > 0:
            any_today = True
            if not drawn[cell.profile]:
                drawn[cell.profile] = 1
                draw_profile(
                    patterns[cell.profile],
                    keys[ArrivalDraw.PROFILE],
                    np.uint64(day),
                    profiles[cell.profile],
                    hours,
                )
    return any_today


@compiled
def _draw_incidents_of_hours(
    keys: Ints, cells: Rows[CellRow], day: int, hours: Ints, profiles: Floats, later: Floats
) -> None:
    """Divide the day's incidents of each cell over the hours by the profile.

    `hours` has shape (cells, 24); `later`, shape (25,), is working memory.
    """
    for c in range(len(cells)):
        cell = cells[c]
        left = cell.today
        if left == 0:
            continue
        weights = profiles[cell.profile]
        later[24] = 0.0
        for hour in range(23, -1, -1):
            q = 4 * hour
            later[hour] = later[hour + 1] + (weights[q] + weights[q + 1] + weights[q + 2] + weights[q + 3])
        for hour in range(24):
            share = 1.0 if later[hour + 1] <= 0.0 else (later[hour] - later[hour + 1]) / later[hour]
            u = uniform(keys[ArrivalDraw.HOURS], cell.key, np.uint64(day), np.uint64(hour))
            hours[c, hour] = binomial(u, left, share)
            left -= hours[c, hour]


@compiled
def _open_hour(cells: Rows[CellRow], hours: Ints, hour: int, stack: NDArray[np.void], top: Ints) -> None:
    """Put the incidents of the hour on the stack of each cell, as one part."""
    for c in range(len(cells)):
        if cells[c].today > 0 and hours[c, hour] > 0:
            part: HourPartRow = stack[c, 0]
            part.depth = 0
            part.position = 0
            part.incidents = hours[c, hour]
            top[c] = 1


@compiled
def _halve_part(
    keys: Ints, cell: CellRow, weights: Floats, day: int, hour: int, stack: NDArray[np.void], top: int
) -> int:
    """Replace the cell's top part by its two halves, the earlier one on top; return the new height of the stack."""
    part: HourPartRow = stack[top - 1]
    depth = part.depth
    position = part.position
    count = part.incidents
    draw = (np.uint64(hour + 1) << np.uint64(24)) | np.uint64((1 << depth) + position)
    u = uniform(keys[ArrivalDraw.HOURS], cell.key, np.uint64(day), draw)
    early = binomial(u, count, early_share(weights, depth, position))
    top -= 1
    if count - early > 0:
        second: HourPartRow = stack[top]
        second.depth = depth + 1
        second.position = 2 * position + 1
        second.incidents = count - early
        top += 1
    if early > 0:
        first: HourPartRow = stack[top]
        first.depth = depth + 1
        first.position = 2 * position
        first.incidents = early
        top += 1
    return top


@compiled
def _draw_hours(
    keys: Ints,
    cells: Rows[CellRow],
    sizes: SizeTables,
    hours: Ints,
    profiles: Floats,
    stack: NDArray[np.void],
    top: Ints,
    cursor: Ints,
    strength: Floats,
    kept: Ints,
    buffer: Rows[ArrivalRow],
    target: int,
) -> int:
    """Draw the parts of the day's hours in the order of their starts, until the buffer holds `target` casualties.

    `stack`, shape (cells, depth), holds HOUR_PART rows: the parts of the hour that are left, the earliest on top. `top`
    counts them.

    Returns
    -------
    int
        DONE at the end of the day; ENOUGH, with the cursor's HORIZON set; FULL, with the rows needed in its place.
    """
    day = cursor[Cursor.DAY]
    while True:
        hour = cursor[Cursor.HOUR]
        best = -1
        best_start = HOUR_MS
        if hour >= 0:
            for c in range(len(cells)):
                if top[c] > 0:
                    start = part_start(stack[c, top[c] - 1].depth, stack[c, top[c] - 1].position)
                    if best < 0 or start < best_start:
                        best = c
                        best_start = start
        if best < 0:
            hour += 1
            cursor[Cursor.HOUR] = hour
            if hour >= 24:
                return DONE
            _open_hour(cells, hours, hour, stack, top)
            continue
        hour_ms = day * DAY_MS + hour * HOUR_MS
        if cursor[Cursor.USED] >= target:
            cursor[Cursor.HORIZON] = hour_ms + best_start
            return ENOUGH
        cell = cells[best]
        weights = profiles[cell.profile, 4 * hour : 4 * hour + 4]
        part: HourPartRow = stack[best, top[best] - 1]
        if part.incidents > cell.limit and part.depth < MAX_DEPTH:
            top[best] = _halve_part(keys, cell, weights, day, hour, stack[best], top[best])
            continue
        room = part.incidents * sizes.shape[cell.law, 0]
        if room > cell.left:
            room = cell.left
        if cursor[Cursor.USED] + room > len(buffer):
            cursor[Cursor.HORIZON] = cursor[Cursor.USED] + room
            return FULL
        cursor[Cursor.USED] = draw_part(
            keys, cell, sizes, weights, hour_ms, part, strength, kept, buffer, cursor[Cursor.USED]
        )
        top[best] -= 1


@compiled_entry(
    "u8",
    CELL,
    *SIZE_TABLES,
    PATTERN,
    "f8",
    ("i8", 2),
    "i8",
    ("i8", 2),
    ("f8", 2),
    (HOUR_PART, 2),
    "i8",
    "i8",
    "f8",
    "i8",
    ("i8", 2),
    ("f8", 2),
    ("f8", 2),
    ("i8", 2),
    ARRIVAL,
    "u1",
    "f8",
    int,
)
def draw_days(
    keys: Ints,
    cells: Rows[CellRow],
    probability: Floats,
    cumulated: Floats,
    renewal: Floats,
    shape: Ints,
    patterns: Rows[PatternRow],
    day_share: Floats,
    counts: Ints,
    populations: Ints,
    hours: Ints,
    profiles: Floats,
    stack: NDArray[np.void],
    top: Ints,
    cursor: Ints,
    strength: Floats,
    kept: Ints,
    groups: Ints,
    returning: Floats,
    added: Floats,
    listed: Ints,
    buffer: Rows[ArrivalRow],
    drawn: Ints,
    work: Floats,
    target: int,
) -> int:
    """Continue the drawing pass from the cursor until the buffer holds `target` casualties.

    Parameters
    ----------
    probability, cumulated, renewal, shape
        See `SizeTables`.
    day_share
        Shape (days,): share of the incidents left that a day takes, under `total`.
    counts
        Shape (days, cells): casualties under `rates`; without rows, the cells already have their casualties.
    populations
        Shape (fronts,) with depletion, else (0,).
    kept, groups, returning, added
        See `restore_strength`; `added` has no rows where nothing restores the strength.
    listed
        Shape (days, fronts): listed casualties, where they reduce the strength; else no rows.
    drawn, work
        Shapes (patterns,) and (25,): working memory.

    Returns
    -------
    int
        ENOUGH and FULL as `_draw_hours`; DONE after the last day, or to return control.
    """
    sizes = SizeTables(probability, cumulated, renewal, shape)
    for _ in range(DAYS_PER_CALL):
        day = cursor[Cursor.DAY]
        if day >= len(day_share):
            break
        busy = True
        if cursor[Cursor.HOUR] == TO_OPEN:
            busy = len(counts) == 0 or open_day(cells, day, counts, strength, populations)
            cursor[Cursor.HOUR] = TO_COUNT
        if busy and cursor[Cursor.HOUR] == TO_COUNT:
            if not count_cells(keys, cells, sizes, INCIDENT_BUDGET):
                break
            share = day_share[day] if len(counts) == 0 else 1.0
            busy = _draw_incidents_of_day(keys, cells, patterns, day, share, profiles, drawn, work)
            if busy:
                _draw_incidents_of_hours(keys, cells, day, hours, profiles, work)
            cursor[Cursor.HOUR] = BEFORE_HOURS
        if busy:
            status = _draw_hours(
                keys, cells, sizes, hours, profiles, stack, top, cursor, strength, kept, buffer, target
            )
            if status != DONE:
                return status
        if len(listed) > 0:
            for front in range(len(strength)):
                strength[front] -= listed[day, front]
        if len(added) > 0:
            restore_strength(day, kept, groups, returning, added, strength, populations)
        cursor[Cursor.DAY] = day + 1
        cursor[Cursor.HOUR] = TO_OPEN
    return DONE
