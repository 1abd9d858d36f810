"""The roster of a facility's surgical teams."""

from engine.scenario.structs.facilities import Facility

HOUR = 3_600_000
DAY = 24 * HOUR
"""ms"""


def roster_of(facility: Facility) -> tuple[list[int], list[int]]:
    """Return the times of the day (ms) at which the number of surgical teams changes, and the numbers from then on.

    The times are whole: the kernel's clock rounds fractions of a ms, and after a change that it had rounded down the
    same change would be the next.
    """
    shifts = [
        (round(shift.from_hour * HOUR), round(shift.to_hour * HOUR), shift.surgical_teams)
        for shift in facility.shifts
    ]
    times = sorted({at % DAY for begin, end, _ in shifts for at in (begin, end)})

    def on_duty(at: int) -> int:
        return sum(
            teams
            for begin, end, teams in shifts
            if (begin <= at < end if begin < end else at >= begin or at < end)
        )

    return times, [on_duty(at) for at in times]


def hours_short_of_teams(facility: Facility) -> list[tuple[int, int]]:
    """Return the parts of the day, ms, in which a facility has fewer surgical teams on shift than operating tables."""
    tables = facility.operating_tables
    times, teams = roster_of(facility)
    if not times:
        short = facility.surgical_teams is not None and (tables is None or facility.surgical_teams < tables)
        return [(0, DAY)] if short else []
    found = []
    for begin, end, on_duty in zip(times, [*times[1:], times[0] + DAY], teams, strict=True):
        if tables is None or on_duty < tables:
            found += [(begin, min(end, DAY)), (0, end - DAY)]
    return sorted((begin, end) for begin, end in found if begin < end)
