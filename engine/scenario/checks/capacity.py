"""Facilities, vehicles and events in the world, each checked on its own: kinds, rosters, stocks, room."""

from collections.abc import Sequence

from engine.errors import MISSING, ScenarioError
from engine.scenario.checks.values import check_duration, check_known, check_name, check_nation, distinct
from engine.scenario.structs import POI, TRANSPORT_KINDS, Facility, Scenario, Shift, Vehicle, WorldEvent

SERVICE_TIMES = (
    "triage_minutes",
    "care_minutes",
    "resuscitation_minutes",
    "surgery_minutes",
    "icu_minutes",
)
_CARE = ("dcr", "dcs", "icu", "definitive")


def places(f: Facility) -> int | None:
    """Patients a facility has room for: its places, else beds and bays where the ward is finite, else no limit."""
    if f.places is not None:
        return f.places
    if f.ward_beds is None:
        return None
    return f.ward_beds + (f.icu_beds or 0) + (f.treatment_bays or 0)


def check_facilities(placed: Sequence[tuple[str, Facility]], fronts: Sequence[str]) -> None:
    """Refuse facilities that contradict themselves (ScenarioError); each stands beside its place."""
    for place, f in placed:
        check_name(f"{place}.id", f.id)
        if f.name is not None:
            check_name(f"{place}.name", f.name)
        if f.id.upper() == POI:
            raise ScenarioError(f"{place}.id", f.id, "any id but POI, which is the point of injury")
        _check_kind(place, f)
        for j, name in enumerate(f.fronts):
            check_known(f"{place}.fronts[{j}]", name, fronts, "a front")
        distinct(f"{place}.fronts", f.fronts)
        if f.nation is not None:
            check_nation(f"{place}.nation", f.nation)
        _check_roster(f"{place}.shifts", f.shifts)
        _check_blood(place, f)
        for name in SERVICE_TIMES:
            if getattr(f, name) is not None:
                check_duration(f"{place}.{name}", getattr(f, name))


def _check_kind(place: str, f: Facility) -> None:
    """The kind is one of the role's; a staging unit gives no care."""
    role = "0" if f.kind == "csu" else f.kind[4] if f.kind else str(f.role)
    if role != str(f.role):
        allowed = "csu, the kind of role 0" if f.role == 0 else f"a kind of its role, {f.role}"
        raise ScenarioError(f"{place}.kind", f.kind, allowed)
    if f.role == 0:
        for name in _CARE:
            if getattr(f, name):
                raise ScenarioError(f"{place}.{name}", True, "false, as a staging unit gives no care")


def _check_roster(place: str, shifts: Sequence[Shift]) -> None:
    """Shifts last some time, do not overlap, and somebody is on duty at some time of the day."""
    seen: list[tuple[float, float, int]] = []
    for i, shift in enumerate(shifts):
        begin, end = shift.from_hour, shift.to_hour
        if begin == end:
            raise ScenarioError(f"{place}[{i}].to_hour", end, "an hour other than from_hour")
        for part in [(begin, end)] if begin < end else [(begin, 24.0), (0.0, end)]:
            other = next((j for low, high, j in seen if part[0] < high and low < part[1]), None)
            if other is not None:
                raise ScenarioError(
                    f"{place}[{i}]",
                    f"{begin:g} to {end:g} h",
                    f"hours that no other shift has; {place}[{other}] overlaps",
                )
        seen += [(begin, end, i)] if begin < end else [(begin, 24.0, i), (0.0, end, i)]
    if shifts and not any(shift.surgical_teams for shift in shifts):
        raise ScenarioError(
            place, "no surgical team at any time", "a team in some shift; dcs = false where nobody operates"
        )


def _check_blood(place: str, f: Facility) -> None:
    """Deliveries have interval and size, and a stock they go to."""
    given = [name for name in ("resupply_hours", "resupply_units") if getattr(f, name) is not None]
    if given and f.blood_units is None:
        raise ScenarioError(f"{place}.blood_units", MISSING, f"with {given[0]}, the stock at the start")
    if len(given) == 1:
        other = "resupply_units" if given[0] == "resupply_hours" else "resupply_hours"
        raise ScenarioError(f"{place}.{other}", MISSING, f"with {given[0]}, a number")


def check_vehicles(placed: Sequence[tuple[str, Vehicle]], facilities: Sequence[str]) -> None:
    """Refuse pools that contradict themselves (ScenarioError); each stands beside its place."""
    for place, v in placed:
        check_name(f"{place}.id", v.id)
        if v.id in TRANSPORT_KINDS:
            raise ScenarioError(
                f"{place}.id", v.id, "any id but a kind of transport, which links may name as well"
            )
        if v.base is not None:
            check_known(f"{place}.base", v.base, facilities, "a facility")
        if v.litters == 0 and not v.seats:
            raise ScenarioError(
                f"{place}.litters", v.litters, "room for at least one patient, on litters or seats"
            )


_FIELDS = {
    "facility": ("open", "close", "move", "hit"),
    "vehicle": ("interdiction",),
    "number": ("interdiction",),
    "duration_hours": ("close", "move", "hit", "interdiction"),
    "minutes_factor": ("move",),
    "capacity_lost": ("hit",),
    "killed": ("hit",),
}
"""Kinds of event that a field belongs to."""


def check_world(events: Sequence[WorldEvent], whole: Scenario) -> None:
    """Events name what they befall, and nothing that does not belong to their kind."""
    plain = WorldEvent(event="open", at_hours=0)
    opened: dict[str, int] = {}
    for i, event in enumerate(events):
        place = f"world[{i}]"
        for name, kinds in _FIELDS.items():
            value = getattr(event, name)
            if value != getattr(plain, name) and event.event not in kinds:
                raise ScenarioError(f"{place}.{name}", value, f"{name} only with {' or '.join(kinds)}")
        if event.event == "interdiction":
            if event.vehicle is None:
                raise ScenarioError(
                    f"{place}.vehicle", MISSING, "with interdiction, the id of one of vehicles"
                )
            check_known(f"{place}.vehicle", event.vehicle, [v.id for v in whole.vehicles], "one of vehicles")
            number = next(v.number for v in whole.vehicles if v.id == event.vehicle)
            if event.number is not None and event.number > number:
                raise ScenarioError(
                    f"{place}.number", event.number, f"at most {number}, as many as {event.vehicle} has"
                )
            continue
        if event.facility is None:
            raise ScenarioError(f"{place}.facility", MISSING, f"with {event.event}, the id of a facility")
        check_known(f"{place}.facility", event.facility, [f.id for f in whole.facilities], "a facility")
        if event.event == "open" and opened.setdefault(event.facility, i) != i:
            raise ScenarioError(
                f"{place}.facility",
                event.facility,
                f"each facility opened once; world[{opened[event.facility]}] opens it",
            )
