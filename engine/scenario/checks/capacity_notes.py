"""Notes on capacities of a facility that do not fit together: one of them is never used up."""

from collections.abc import Iterator
from math import fsum

from engine.scenario.constants import model_constants
from engine.scenario.structs.distributions import mean_of
from engine.scenario.structs.facilities import Facility
from engine.scenario.structs.scenario import Scenario

_DAY = 1440.0
"""Minutes."""


def note_capacities(complete: Scenario, reached: set[str], written: set[str]) -> Iterator[str]:
    """Notes on the facilities where capacities do not fit together.

    Parameters
    ----------
    complete
        The scenario with its complete network.
    reached
        Ids of the facilities that somebody reaches.
    written
        Ids of the facilities that the author wrote, those of a ready network apart.
    """
    if complete.routing != "clock":
        return
    for facility in complete.facilities:
        if facility.id in reached and facility.role in (1, 2, 3):
            yield from _note_facility(f"facility {facility.id}", facility)
            if facility.id in written:
                yield from _note_intensive_care(complete, facility)


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
        elif tables > teams:
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


def _note_intensive_care(complete: Scenario, facility: Facility) -> Iterator[str]:
    """ICU beds through which fewer patients a day pass than through the operating tables before them."""
    operates = facility.dcs or facility.definitive
    tables: list[float] = [
        number for number in (facility.operating_tables, facility.surgical_teams) if number is not None
    ]
    if facility.shifts:
        hours = sum(
            shift.surgical_teams * ((shift.to_hour - shift.from_hour) % 24 or 24) for shift in facility.shifts
        )
        tables = [*tables[:1], hours / 24]
    if not (
        operates and tables and facility.icu and facility.icu_beds and complete.intensive_care.after_surgery
    ):
        return
    given = model_constants(complete, "care")
    low, mode, high = given["minutes"]["icu"]
    stay = (low + mode + high) / 3 if facility.icu_minutes is None else mean_of(facility.icu_minutes)
    means = given["surgery"][f"role{max(2, min(3, facility.role))}_mean_minutes"]
    operation = (
        fsum(means) / len(means) if facility.surgery_minutes is None else mean_of(facility.surgery_minutes)
    )
    if not stay or not operation:
        return
    through_beds, through_tables = _DAY / stay * facility.icu_beds, _DAY / operation * min(tables)
    if through_beds < through_tables:
        yield (
            f"facility {facility.id}: {_count(facility.icu_beds, 'ICU bed')} for about {stay / 60:.0f} h after each "
            f"operation take about {_rounded(through_beds)} patients a day, the operating tables could take "
            f"{_rounded(through_tables)}: patients who wait for an ICU bed hold their table"
        )


def _rounded(number: float) -> str:
    return f"{number:.1f}" if number < 10 else f"{number:,.0f}"


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"
