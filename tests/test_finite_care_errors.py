"""Broken finite care, transport and happenings: each is refused with one message that names place and value."""

import pytest
from broken_scenarios import BATCH, LIFT, POOL, R2, R3, Broken, N, assert_refused, link

BROKEN: dict[str, Broken] = {
    "no places": (N + R2 + "places = 0", "facilities[0].places", "0", "at least 1", None),
    "shift of no length": (
        N + R2 + "shifts = [{ from_hour = 6, to_hour = 6, surgical_teams = 1 }]",
        "facilities[0].shifts[0].to_hour",
        "6.0",
        "at least a minute before or after from_hour",
        None,
    ),
    "shift outside the day": (
        N + R2 + "shifts = [{ from_hour = 6, to_hour = 25, surgical_teams = 1 }]",
        "facilities[0].shifts[0].to_hour",
        "25",
        "at most 24",
        None,
    ),
    "shifts that overlap past midnight": (
        N
        + R2
        + "shifts = [{ from_hour = 5, to_hour = 12, surgical_teams = 1 }, "
        + "{ from_hour = 20, to_hour = 6, surgical_teams = 1 }]",
        "facilities[0].shifts[1]",
        "'20 to 6 h'",
        "facilities[0].shifts[0] overlaps",
        None,
    ),
    "roster without teams": (
        N + R2 + "shifts = [{ from_hour = 6, to_hour = 18, surgical_teams = 0 }]",
        "facilities[0].shifts",
        "'no surgical team at any time'",
        "at least one team in some shift",
        None,
    ),
    "surge from nowhere": (
        N + R2 + "surge = { trigger = 2 }",
        "facilities[0].surge.trigger",
        "2",
        "at most 1",
        None,
    ),
    "supply without stock": (
        N + R2 + "resupply_hours = 24\nresupply_units = 5",
        "facilities[0].blood_units",
        "(missing)",
        "resupply_hours needs it",
        None,
    ),
    "supply of no size": (
        N + R2 + "blood_units = 9\nresupply_hours = 24",
        "facilities[0].resupply_units",
        "(missing)",
        "resupply_hours needs it",
        None,
    ),
    "service time without a mean": (
        N + R2 + "care_minutes = { distribution = 'exponential' }",
        "facilities[0].care_minutes.mean",
        "(missing)",
        "exponential takes mean",
        None,
    ),
    "batch without vehicles": (
        N + R2 + link("POI", "R2", "distance_km = 3\nbatch = { minimum = 2, wait_minutes = 60 }"),
        "links[0].batch",
        "(missing)",
        "one of vehicles",
        None,
    ),
    "batch of one": (
        N + R2 + link("POI", "R2", "distance_km = 3\nbatch = { minimum = 1, wait_minutes = 60 }"),
        "links[0].batch.minimum",
        "1",
        "at least 2",
        None,
    ),
    "batch larger than its vehicle": (
        N + POOL + R2 + link("POI", "R2", BATCH),
        "links[0].batch.minimum",
        "9",
        "at most 2, the litters and seats of a",
        None,
    ),
    "batch larger than its place": (
        N
        + POOL.replace("number = 1", "number = 1\nlitters = 9")
        + R2
        + "places = 8\n"
        + R3
        + link("POI", "R2")
        + link("R2", "R3", BATCH),
        "links[1].batch.minimum",
        "9",
        "at most 8, the places of R2",
        None,
    ),
    "override twice": (
        N + POOL + R2 + link("POI", "R2", BATCH.replace("60 }", "60, override = ['T1', 'T1'] }")),
        "links[0].batch.override[1]",
        "'T1'",
        "only once",
        None,
    ),
    "lift in batches": (
        N
        + LIFT.replace("number = 1", "number = 1\nlitters = 9")
        + R2
        + R3
        + link("POI", "R2")
        + link("R2", "R3", BATCH),
        "links[1].batch",
        "'a'",
        "on a schedule",
        None,
    ),
    "lift from the point of injury": (
        N + LIFT + R2 + link("POI", "R2", "distance_km = 3\nvehicle = 'a'"),
        "links[0].vehicle",
        "'a'",
        "no scheduled lift from POI",
        None,
    ),
    "lift from two places": (
        N
        + LIFT
        + R2
        + R3
        + "[[facilities]]\nid = 'R4'\nrole = 4\n"
        + link("POI", "R2")
        + link("R2", "R3", "distance_km = 3\nvehicle = 'a'")
        + link("R3", "R4", "distance_km = 3\nvehicle = 'a'"),
        "links[2].origin",
        "'R3'",
        "R2, because the scheduled lift a leaves from there",
        None,
    ),
    "lift that never comes": (
        N + POOL + "lift = { interval_hours = 0 }",
        "vehicles[0].lift.interval_hours",
        "0",
        "at least 0.05",
        None,
    ),
    "lift without an interval": (
        N + POOL + "lift = { first_hour = 3 }",
        "vehicles[0].lift.interval_hours",
        "(missing)",
        "a finite number",
        None,
    ),
    "seats alone for those who lie": (
        N + POOL + "litters = 0\nseats = 4\n" + R2 + link("POI", "R2", "distance_km = 3\nvehicle = 'a'"),
        "vehicles[0].litters",
        "0",
        "litters on at least one link from POI",
        None,
    ),
    "weather of more than every day": (
        N + POOL + "grounded = 1.1",
        "vehicles[0].grounded",
        "1.1",
        "at most 1",
        None,
    ),
    "unknown happening": (
        N + "[[world]]\nevent = 'closed'\nat_hours = 3",
        "world[0].event",
        "'closed'",
        "one of",
        "close",
    ),
    "happening without a time": (
        N + "[[world]]\nevent = 'close'",
        "world[0].at_hours",
        "(missing)",
        "a finite number",
        None,
    ),
    "happening nowhere": (
        N + "[[world]]\nevent = 'close'\nat_hours = 3",
        "world[0].facility",
        "(missing)",
        "the id of a facility; close needs one",
        None,
    ),
    "happening at an unknown place": (
        N + "[[world]]\nevent = 'hit'\nat_hours = 3\nfacility = 'R2-Polnd'",
        "world[0].facility",
        "'R2-Polnd'",
        "a facility",
        "R2-Poland",
    ),
    "happening in the network": (
        N + "network = 'brigade'\n[[world]]\nevent = 'hit'\nat_hours = 3\nfacility = 'R2-Estnia'",
        "world[0].facility",
        "'R2-Estnia'",
        "a facility",
        "R2-Estonia",
    ),
    "hit on vehicles": (
        N + POOL + "[[world]]\nevent = 'hit'\nat_hours = 3\nvehicle = 'a'",
        "world[0].vehicle",
        "'a'",
        "only with interdiction",
        None,
    ),
    "interdiction of nothing": (
        N + "[[world]]\nevent = 'interdiction'\nat_hours = 3",
        "world[0].vehicle",
        "(missing)",
        "one of vehicles",
        None,
    ),
    "interdiction of more than there are": (
        N + POOL + "[[world]]\nevent = 'interdiction'\nat_hours = 3\nvehicle = 'a'\nnumber = 2",
        "world[0].number",
        "2",
        "at most 1",
        None,
    ),
    "opening for a time": (
        N + "[[world]]\nevent = 'open'\nat_hours = 3\nfacility = 'R4'\nduration_hours = 3",
        "world[0].duration_hours",
        "3.0",
        "only with close, move, hit or interdiction",
        None,
    ),
    "closing that kills": (
        N + "[[world]]\nevent = 'close'\nat_hours = 3\nfacility = 'R4'\nkilled = 0.5",
        "world[0].killed",
        "0.5",
        "only with hit",
        None,
    ),
    "opened twice": (
        N + "[[world]]\nevent = 'open'\nat_hours = 3\nfacility = 'R4'\n" * 2,
        "world[1].facility",
        "'R4'",
        "opened once",
        None,
    ),
    "too many events": (
        N + "[[events]]\nevent = 'ambush'\n" * 255,
        "events",
        "'255 entries'",
        "at most 254",
        None,
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_finite_care_is_refused_naming_place_value_and_what_is_allowed(case: str) -> None:
    assert_refused(BROKEN[case])
