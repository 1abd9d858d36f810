"""Parts of an hour: a busy hour is halved until each part holds few incidents, which are then drawn together."""

import numpy as np

from engine.arrivals.draws import ArrivalDraw
from engine.arrivals.incidents import SizeTables, draw_size, four_words
from engine.arrivals.rows import CellRow, HourPartRow
from engine.numeric import compiled, uniform
from engine.tables import ArrivalRow, Floats, Ints, Rows

DAY_MS = 86_400_000
HOUR_MS = 3_600_000

MAX_DEPTH = 20
"""Halvings of an hour: the smallest parts are 3 ms long."""

_UNIT_53 = 1.0 / 9007199254740992.0
_LOW_32_BITS = 0xFFFFFFFF


@compiled
def part_start(depth: int, position: int) -> int:
    """Return the ms from the start of the hour to that of its part."""
    return (position * HOUR_MS) >> depth


@compiled
def early_share(weights: Floats, depth: int, position: int) -> float:
    """Return the share of a part's weight that is in its first half; `weights` are the four quarters of the hour."""
    if depth == 0:
        first = weights[0] + weights[1]
        return first / (first + (weights[2] + weights[3]))
    if depth == 1:
        first = weights[2 * position]
        return first / (first + weights[2 * position + 1])
    return 0.5


@compiled
def _start_in_part(weights: Floats, depth: int, position: int, fraction: float) -> int:
    """Return a time in ms from the start of the hour: the quantile `fraction` of the profile within the part."""
    if depth >= 2:
        return int((position + fraction) * (float(HOUR_MS) / float(1 << depth)))
    quarters = 4 >> depth
    first = position * quarters
    total = 0.0
    for quarter in range(first, first + quarters):
        total += weights[quarter]
    target = fraction * total
    below = 0.0
    last = first
    for quarter in range(first, first + quarters):
        if weights[quarter] > 0.0:
            last = quarter
            if below + weights[quarter] > target:
                break
            below += weights[quarter]
    within = (target - below) / weights[last]
    if within < 0.0:
        within = 0.0
    elif within >= 1.0:
        within = 1.0 - 1e-12
    return int((last + within) * (HOUR_MS / 4.0))


@compiled
def write_arrival(
    arrival: ArrivalRow,
    keys: Ints,
    cell: CellRow,
    index: int,
    time: int,
    incident: int,
    began: int,
) -> None:
    """Fill the row of a casualty, except for the size of the incident; the identifier is a UUID of version 8's form.

    `cell` is a row of CELL or of LISTED.
    """
    shift = np.uint64(32)
    a, b, c, d = four_words(keys[ArrivalDraw.ID], cell.key, index, np.uint64(0))
    arrival.time = time
    arrival.id_hi = (a << shift) | (b & np.uint64(0xFFFF0FFF)) | np.uint64(0x8000)
    arrival.id_lo = ((c & np.uint64(0x3FFFFFFF)) << shift) | d | np.uint64(0x8000000000000000)
    arrival.cell = cell.key
    arrival.incident = incident
    arrival.incident_time = began
    arrival.number = int(cell.first_number + np.uint64(index) * cell.number_step)
    arrival.index = index
    arrival.front = cell.front
    arrival.kind = cell.kind
    arrival.type = cell.type
    arrival.special = cell.special


@compiled
def _draw_casualties(
    keys: Ints,
    cell: CellRow,
    size: int,
    incident: int,
    began: int,
    lasts: float,
    strength: Floats,
    kept: Ints,
    buffer: Rows[ArrivalRow],
    used: int,
) -> int:
    """Append the casualties of an incident to the buffer; return how many of its rows are used.

    The first casualty is hurt when the incident begins, the others at uniform times within `lasts` ms. With depletion
    some are not kept, and `incident_size` counts those that are.
    """
    first = used
    for number in range(size):
        index = np.uint64(cell.index + number)
        if cell.keep < 1.0 and not uniform(keys[ArrivalDraw.KEEP], cell.key, index, np.uint64(0)) < cell.keep:
            continue
        time = began
        if number > 0:
            time += int(uniform(keys[ArrivalDraw.TIME], cell.key, index, np.uint64(0)) * lasts)
        write_arrival(buffer[used], keys, cell, index, time, incident, began)
        used += 1
    for row in range(first, used):
        buffer[row].incident_size = used - first
    strength[cell.front] -= used - first
    kept[cell.group] += used - first
    cell.index += size
    return used


@compiled
def draw_part(
    keys: Ints,
    cell: CellRow,
    sizes: SizeTables,
    weights: Floats,
    hour_ms: int,
    part: HourPartRow,
    strength: Floats,
    kept: Ints,
    buffer: Rows[ArrivalRow],
    used: int,
) -> int:
    """Append the casualties of a part of an hour to the buffer; return how many of its rows are used.

    Parameters
    ----------
    weights
        Shape (4,): the quarters of the hour.
    hour_ms
        Start of the hour in ms.
    strength
        Shape (fronts,): people left; the casualties are subtracted.
    kept
        Shape (groups,): the casualties are added.
    """
    name = cell.key
    single = sizes.shape[cell.law, 0] == 1
    mask = np.uint64(_LOW_32_BITS)
    w0, w1, w2, w3 = mask, mask, mask, mask
    for number in range(cell.incident, cell.incident + part.incidents):
        size = 1
        if not single:
            place = number & 3
            if place == 0 or number == cell.incident:
                w0, w1, w2, w3 = four_words(
                    keys[ArrivalDraw.SIZE], name, np.uint64(number >> 2), np.uint64(0)
                )
            word = w0 if place == 0 else w1 if place == 1 else w2 if place == 2 else w3
            size = draw_size(sizes, cell.law, cell.left, word)
        cell.left -= size
        a, b, c, d = four_words(keys[ArrivalDraw.INCIDENT], name, np.uint64(number), np.uint64(0))
        fraction = (np.float64((a << np.uint64(21)) ^ (b >> np.uint64(11))) + 0.5) * _UNIT_53
        began = hour_ms + _start_in_part(weights, part.depth, part.position, fraction)
        lasts = 0.0
        if size > 1:
            duration = uniform(keys[ArrivalDraw.INCIDENT], name, np.uint64(number), np.uint64(2))
            lasts = cell.shortest + (cell.longest - cell.shortest) * duration
        incident = (c << np.uint64(32)) | d
        used = _draw_casualties(keys, cell, size, incident, began, lasts, strength, kept, buffer, used)
    cell.incident += part.incidents
    return used
