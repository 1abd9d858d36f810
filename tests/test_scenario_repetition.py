"""Repeated entries of a scenario file, and distances of links from a table or coordinates."""

import math
from pathlib import Path

import pytest
from broken_scenarios import assert_line, prepare_text

from engine.arrivals import expected_arrivals, plan_arrivals
from engine.errors import InputError, ScenarioError
from engine.scenario import Scenario, check, link_minutes, mean_of, parse, resolve, scenario_hash, to_toml
from goldenhour import scenario_files


def read(text: str) -> Scenario:
    return parse(text.encode(), "toml")


def refused(text: str) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        prepare_text(text)
    return caught.value


def expected(scenario: Scenario) -> float:
    return math.fsum(row.expected for row in expected_arrivals(plan_arrivals(resolve(scenario))))


# --- repetition

BATTALIONS = """name = "battalions"
days = 2
[casualties.rates]
battle = 20.0

[[fronts]]
name = "Bn"
count = 3
population = 800
nations = { GBR = 1.0 }

[[facilities]]
id = "R1-{n}"
name = "Aid post {n}"
count = 3
role = 1
ward_beds = 9
fronts = ["Bn-{n}"]

[[facilities]]
id = "R2"
role = 2
fronts = ["Bn"]

[[vehicles]]
id = "ambulances"
kind = "ambulance_armored"
number = 4
base = "R1"

[[links]]
origin = "POI"
destination = "R1-{n}"
distance_km = 5.0
vehicle = "ambulances"

[[links]]
origin = "R1"
destination = "R2"
minutes = 40
"""


def test_repeated_entries_are_numbered_and_named_together() -> None:
    scenario = read(BATTALIONS)
    check(scenario)
    assert [front.name for front in scenario.fronts] == ["Bn-1", "Bn-2", "Bn-3"]
    assert [(f.id, f.name, f.fronts) for f in scenario.facilities] == [
        ("R1-1", "Aid post 1", ["Bn-1"]),
        ("R1-2", "Aid post 2", ["Bn-2"]),
        ("R1-3", "Aid post 3", ["Bn-3"]),
        ("R2", None, ["Bn-1", "Bn-2", "Bn-3"]),
    ]
    assert [(p.id, p.base) for p in scenario.vehicles] == [(f"ambulances-{n}", f"R1-{n}") for n in (1, 2, 3)]
    assert [(link.origin, link.destination, link.vehicle) for link in scenario.links] == [
        *(("POI", f"R1-{n}", f"ambulances-{n}") for n in (1, 2, 3)),
        *((f"R1-{n}", "R2", None) for n in (1, 2, 3)),
    ]


def test_a_scenario_with_repetition_is_the_one_written_out() -> None:
    scenario = read(BATTALIONS)
    written = to_toml(scenario)
    assert "count" not in written and "{n}" not in written
    assert read(written) == scenario
    assert scenario_hash(read(written)) == scenario_hash(scenario)
    shorter = read(BATTALIONS.replace("count = 3", "count = 2"))
    assert len(shorter.links) == 4
    assert expected(scenario) == pytest.approx(1.5 * expected(shorter))


def test_a_count_on_a_link_or_by_an_id_without_a_pattern_does_the_same() -> None:
    explicit = BATTALIONS.replace('id = "R1-{n}"', 'id = "R1"').replace(
        'origin = "R1"', 'origin = "R1-{n}"\ncount = 3'
    )
    assert read(explicit) == read(BATTALIONS)


@pytest.mark.parametrize(
    ("old", "new", "place", "allowed"),
    [
        ('origin = "R1"', 'origin = "R2-{n}"', "links[1].origin", "only with count"),
        ('origin = "R1"', 'origin = "R1"\ncount = 2', "links[1].origin", "2 of them"),
        (
            'fronts = ["Bn-{n}"]',
            'fronts = ["Bn-{n}"]\nevery = "2h"',
            "facilities[0].every",
            "one of the fields",
        ),
        ("ward_beds = 9", "ward_beds = 0", "facilities[0].ward_beds", "at least 1"),
        ('destination = "R2"', 'destination = "R3"', "links[1].destination", "a facility"),
        ('id = "R2"', 'id = "R1-3"', "facilities[1].id", "only once"),
        ("count = 3\npop", "count = 201\npop", "fronts", "at most 200"),
        ("count = 3\npop", "count = 0\npop", "fronts[0].count", "at least 1"),
    ],
)
def test_mistakes_in_repeated_entries_name_the_entry_of_the_file(
    old: str, new: str, place: str, allowed: str
) -> None:
    error = refused(BATTALIONS.replace(old, new))
    assert error.place == place
    assert allowed in error.allowed
    assert_line(BATTALIONS.replace(old, new), error)


def test_events_come_again_after_a_time() -> None:
    text = MINIMAL_NETWORK + (
        '[[events]]\nevent = "ambush"\nday = 1\nhour = 22.0\ncount = 4\nevery = "90min"\n'
        '[[world]]\nevent = "close"\nfacility = "R2"\nat_hours = 5\nduration_hours = 1\ncount = 3\nevery = "1.5 d"\n'
    )
    scenario = read(text)
    check(scenario)
    assert [(event.day, event.hour) for event in scenario.events] == [
        (1, 22.0),
        (1, 23.5),
        (2, 1.0),
        (2, 2.5),
    ]
    assert [event.at_hours for event in scenario.world] == [5.0, 41.0, 77.0]


@pytest.mark.parametrize(
    ("event", "place"),
    [
        ('day = 1\nhour = 22.0\nevery = "90min"', "events[0].every"),
        ('day = 1\ncount = 2\nevery = "90min"', "events[0].hour"),
        ('hour = 1.0\ncount = 2\nevery = "90min"', "events[0].day"),
        ('day = 1\nhour = 22.0\ncount = 2\nevery = "90"', "events[0].every"),
        ('day = 1\nhour = 22.0\ncount = 2\nevery = "0h"', "events[0].every"),
        ('day = 8\nhour = 22.0\ncount = 3\nevery = "2h"', "events[0].day"),
        ('day = 1\nhour = 2.0\ncount = 255\nevery = "1min"', "events"),
    ],
)
def test_an_event_that_cannot_come_again_is_refused(event: str, place: str) -> None:
    assert refused(MINIMAL_NETWORK + f'[[events]]\nevent = "ambush"\n{event}\n').place == place


# --- distances

MINIMAL_NETWORK = """name = "x"
[[fronts]]
name = "North"
share = 0.5
nations = { GBR = 1.0 }
[[fronts]]
name = "South"
share = 0.5
nations = { GBR = 1.0 }
[[facilities]]
id = "R2"
role = 2
[[links]]
origin = "POI"
destination = "R2"
distance_km = 10.0
"""
OPEN = MINIMAL_NETWORK.replace("distance_km = 10.0\n", "")
TABLE = "origin,destination,km\nNorth,R2,10\nR2,South,25.5\n"


def test_links_take_their_distance_from_a_table() -> None:
    scenario = read(f"distances = '''\n{TABLE}'''\n{OPEN}")
    check(scenario)
    assert [(link.fronts, link.distance_km) for link in scenario.links] == [
        (["North"], 10.0),
        (["South"], 25.5),
    ]
    minutes = [mean_of(link_minutes(link, [])) for link in scenario.links]
    assert minutes[1] == pytest.approx(2.55 * minutes[0])
    same = read(f"distances = '''\norigin;destination;km\nPOI;R2;12,5\n'''\n{OPEN}")
    assert [(link.fronts, link.distance_km) for link in same.links] == [([], 12.5)]


def test_a_link_keeps_the_distance_or_time_that_it_gives() -> None:
    more = '[[facilities]]\nid = "R3"\nrole = 3\n[[links]]\norigin = "R2"\ndestination = "R3"\nminutes = 77\n'
    scenario = read(f"distances = '''\n{TABLE}R2,R3,1\n'''\n{OPEN}{more}")
    assert scenario.links[2].distance_km is None
    assert scenario.links[2].minutes is not None


def test_links_take_their_distance_from_coordinates() -> None:
    text = OPEN.replace('"North"\n', '"North"\nlatitude = 52.0\nlongitude = 13.0\n')
    text = text.replace('"South"\n', '"South"\nlatitude = 51.0\nlongitude = 13.0\n')
    text = text.replace('"R2"\nrole', '"R2"\nlatitude = 52.5\nlongitude = 13.0\nrole')
    half_degree = 6371.0088 * math.pi / 360
    for head, factor in (("", 1.3), ("road_factor = 1.0\n", 1.0), ("road_factor = 2\n", 2.0)):
        km = [link.distance_km for link in read(head + text).links]
        assert km == pytest.approx([half_degree * factor, 3 * half_degree * factor], abs=0.001)
    flown = read(text + 'vehicle = "medevac_helicopter"\n')
    assert [link.distance_km for link in flown.links] == pytest.approx(
        [half_degree, 3 * half_degree], abs=0.001
    )
    east = text.replace("latitude = 52.5\nlongitude = 13.0", "latitude = 52.0\nlongitude = 14.0")
    assert read("road_factor = 1\n" + east).links[0].distance_km == pytest.approx(
        math.cos(math.radians(52.0)) * 2 * half_degree, rel=1e-4
    )


@pytest.mark.parametrize(
    ("head", "text", "place"),
    [
        (f"distances = '''\n{TABLE}'''\n", MINIMAL_NETWORK, "distances"),
        ("road_factor = 1.2\n", OPEN, "road_factor"),
        ("distances = 'distances.csv'\n", OPEN, "distances"),
        ("distances = '''\norigin,destination,km\nNorth,R2,10\n'''\n", OPEN, "links[0].distance_km"),
        (
            "distances = '''\norigin,destination,km\nNorth,R-2,10\n'''\n",
            OPEN,
            "distances, line 2, column destination",
        ),
        ("distances = '''\norigin,destination,km\nNorth,R2,-1\n'''\n", OPEN, "distances, line 2, column km"),
        ("distances = '''\norigin,destination,miles\nNorth,R2,1\n'''\n", OPEN, "distances, line 1"),
        ("distances = '''\norigin,destination,km\nNorth,R2\n'''\n", OPEN, "distances, line 2"),
        ("distances = '''\norigin,destination,km\nNorth,R2,1\nNorth,R2,2\n'''\n", OPEN, "distances, line 3"),
        ("distances = '''\norigin,destination,km\n'''\n", OPEN, "distances"),
        ("", OPEN.replace('"North"\n', '"North"\nlatitude = 52.0\n'), "fronts[0].longitude"),
        ("", OPEN.replace('"North"\n', '"North"\nlatitude = 91\nlongitude = 0\n'), "fronts[0].latitude"),
    ],
)
def test_distances_that_cannot_be_used_are_refused(head: str, text: str, place: str) -> None:
    error = refused(head + text)
    assert error.place == place
    assert_line(head + text, error)


def test_a_table_in_a_file_is_read_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "km.csv").write_text(TABLE)
    path = tmp_path / "mine.toml"
    path.write_text(f"distances = 'km.csv'\n{OPEN}")
    scenario, origin = scenario_files.load_with_origin(path)
    assert [link.distance_km for link in scenario.links] == [10.0, 25.5]
    assert origin.text is not None and origin.text.files == ("km.csv",)
    assert read(to_toml(scenario)) == scenario
    path.write_text(f"distances = 'miles.csv'\n{OPEN}")
    with pytest.raises(InputError, match=r"^distances, CSV file 'miles\.csv' does not exist"):
        scenario_files.load(path)
    (tmp_path / "miles.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="no text in UTF-8"):
        scenario_files.load(path)
