"""Notes on capacities of a facility that do not fit together: one of them is never used up."""

from collections.abc import Iterator

from engine.scenario.structs.facilities import Facility
from engine.scenario.structs.scenario import Scenario


def note_capacities(complete: Scenario, reached: set[str]) -> Iterator[str]:
    """Notes on the facilities where capacities do not fit together.

    Parameters
    ----------
    complete
        The scenario with its complete network.
    reached
        Ids of the facilities that somebody reaches.
    """
    if complete.routing != "clock":
        return
    for facility in complete.facilities:
        if facility.id in reached and facility.role in (1, 2, 3):
            yield from _note_facility(f"facility {facility.id}", facility)


def _note_facility(place: str, facility: Facility) -> Iterator[str]:
    operates = facility.dcs or facility.definitive
    tables = facility.operating_tables
    teams: int | None = facility.surgical_teams
    if facility.shifts:
        teams = max(shift.surgical_teams for shift in facility.shifts)
    if operates and tables is not None and teams is not None:
        most = f"at most {min(tables, teams):,} at a time"
        of_tables, of_teams = _count(tables, "operating table"), _count(teams, "surgical team")
        if teams > tables:
            yield f"{place}: {of_teams} on {of_tables}: {most} can operate"
        elif tables > teams and not facility.shifts:
            yield f"{place}: {of_tables} for {of_teams}: {most} are in use"
    beds = [
        _count(number, name)
        for number, name in ((facility.ward_beds, "ward bed"), (facility.icu_beds, "ICU bed"))
        if number is not None
    ]
    if not beds:
        return
    if operates and tables is None and teams is None:
        yield f"{place}: {' and '.join(beds)} behind operating tables and teams without limit: nobody waits for these"
    elif not operates and facility.treatment_bays is None:
        yield f"{place}: {' and '.join(beds)} behind treatment bays without limit: nobody waits for a bay"


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"
