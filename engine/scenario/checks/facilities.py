"""Checks of facilities, each on its own: kind, capabilities, roster, blood stock, service times."""

from collections.abc import Sequence

from engine.errors import MISSING, ScenarioError
from engine.scenario.checks.values import (
    check_distinct,
    check_duration,
    check_known,
    check_name,
    check_nation,
    join_with_or,
)
from engine.scenario.limits import DIVERTING_CONDITIONS, diverting_conditions
from engine.scenario.structs.facilities import Divert, Facility, Shift
from engine.scenario.structs.vocabulary import POI

SERVICE_TIMES = (
    "triage_minutes",
    "care_minutes",
    "resuscitation_minutes",
    "surgery_minutes",
    "icu_minutes",
)
"""Settings of a facility that are distributions of minutes."""

_SHORTEST_SHIFT_HOURS = 0.0166
"""A minute, less what is lost in writing it as a fraction of an hour."""

_CAPABILITIES = ("dcr", "dcs", "icu", "definitive")

_KINDS = {
    0: ("csu",),
    1: ("role1",),
    2: ("role2_basic", "role2_enhanced"),
    3: ("role3",),
    4: ("role4",),
}
"""By role: the kinds of facility."""


def check_facilities(placed: Sequence[tuple[str, Facility]], fronts: Sequence[str]) -> None:
    """Refuse facilities that contradict themselves (ScenarioError).

    Parameters
    ----------
    placed
        Facilities, each with its place in the scenario for messages.
    fronts
        Names of the scenario's fronts.
    """
    for place, facility in placed:
        check_name(f"{place}.id", facility.id)
        if facility.name is not None:
            check_name(f"{place}.name", facility.name)
        if facility.id.upper() == POI:
            raise ScenarioError(f"{place}.id", facility.id, "any id but POI, which is the point of injury")
        _check_kind(place, facility)
        for j, name in enumerate(facility.fronts):
            check_known(f"{place}.fronts[{j}]", name, fronts, "a front")
        check_distinct(f"{place}.fronts", facility.fronts)
        if facility.nation is not None:
            check_nation(f"{place}.nation", facility.nation)
        _check_roster(f"{place}.shifts", facility.shifts)
        _check_blood(place, facility)
        if facility.divert is not None:
            _check_diversion(f"{place}.divert", facility.divert)
        for name in SERVICE_TIMES:
            duration = getattr(facility, name)
            if duration is not None:
                check_duration(f"{place}.{name}", duration)


def _check_kind(place: str, facility: Facility) -> None:
    """The kind is one of the role's; a staging unit gives no care."""
    kinds = _KINDS[facility.role]
    if facility.kind is not None and facility.kind not in kinds:
        raise ScenarioError(
            f"{place}.kind", facility.kind, f"a kind of role {facility.role}: {join_with_or(kinds)}"
        )
    if facility.role == 0:
        for name in _CAPABILITIES:
            if getattr(facility, name):
                raise ScenarioError(f"{place}.{name}", True, "false, because a staging unit gives no care")


def _check_roster(place: str, shifts: Sequence[Shift]) -> None:
    """Shifts last some time and do not overlap, and at some time of the day a surgical team is on duty."""
    taken: list[tuple[float, float, int]] = []
    for i, shift in enumerate(shifts):
        begin, end = shift.from_hour, shift.to_hour
        if abs(begin - end) < _SHORTEST_SHIFT_HOURS:
            raise ScenarioError(
                f"{place}[{i}].to_hour", end, "a time at least a minute before or after from_hour"
            )
        parts = [(begin, end)] if begin < end else [(begin, 24.0), (0.0, end)]
        for part_begin, part_end in parts:
            other = next((j for low, high, j in taken if part_begin < high and low < part_end), None)
            if other is not None:
                raise ScenarioError(
                    f"{place}[{i}]",
                    f"{begin:g} to {end:g} h",
                    f"hours that no other shift has; {place}[{other}] overlaps",
                )
        taken += [(part_begin, part_end, i) for part_begin, part_end in parts]
    if shifts and not any(shift.surgical_teams for shift in shifts):
        raise ScenarioError(
            place,
            "no surgical team at any time",
            "at least one team in some shift; dcs = false where nobody operates",
        )


def _check_blood(place: str, facility: Facility) -> None:
    """Deliveries have an interval and a size, and a stock that they go to."""
    given = [name for name in ("resupply_hours", "resupply_units") if getattr(facility, name) is not None]
    if given and facility.blood_units is None:
        raise ScenarioError(f"{place}.blood_units", MISSING, f"the stock at the start; {given[0]} needs it")
    if len(given) == 1:
        other = "resupply_units" if given[0] == "resupply_hours" else "resupply_hours"
        raise ScenarioError(f"{place}.{other}", MISSING, f"a number above 0; {given[0]} needs it")


def _check_diversion(place: str, divert: Divert) -> None:
    """There is a condition, because a facility without one never diverts anybody."""
    check_distinct(f"{place}.categories", divert.categories)
    if not diverting_conditions(divert):
        raise ScenarioError(place, "no condition", f"at least one of {join_with_or(DIVERTING_CONDITIONS)}")
