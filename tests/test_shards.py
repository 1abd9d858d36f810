"""Fronts that share nothing finite are simulated apart and merged: the same chunks, measures and bytes as in one."""

from typing import Any

import msgspec
import numpy as np
import pytest
from finite_networks import scenarios as networks
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import scenarios
from engine import scenario as scenario_api
from engine.measures import whole_run
from engine.run import Merged, Simulation, independent_fronts, partition_fronts
from engine.tables import ENDS, PARQUET_PART, TABLES

Mapping = dict[str, Any]


def parsed(text: str) -> scenario_api.Scenario:
    scenario = scenario_api.parse(text.encode(), "toml")
    scenario_api.check(scenario)
    return scenario_api.resolve(scenario)


def chain(front: str, role4: str = "R4", extra: str = "", beds: int = 6) -> str:
    """A front with scarce care of its own up to Role 3; constant times, so that much happens at the same moment."""
    return f"""
[[fronts]]
name = "{front}"
nations = {{ NOR = 1 }}

[[facilities]]
id = "{front}-R1"
role = 1
kind = "role1"
triage_teams = 1
treatment_bays = 3
care_minutes = {{ distribution = "constant", mean = 20 }}

[[facilities]]
id = "{front}-R2"
role = 2
kind = "role2_enhanced"
operating_tables = 1
ward_beds = {beds}
icu_beds = 2
blood_units = 20
resupply_hours = 12
resupply_units = 8
shifts = [{{ from_hour = 6, to_hour = 20, surgical_teams = 2 }}, {{ from_hour = 20, to_hour = 6, surgical_teams = 1 }}]
surge = {{ trigger = 0.8, delay_minutes = 30, ward_beds = 3, icu_beds = 1 }}

[[facilities]]
id = "{front}-R3"
role = 3
kind = "role3"
ward_beds = 30
policy_days = 2

[[vehicles]]
id = "{front}-ambulances"
kind = "ambulance_standard"
number = 3

[[vehicles]]
id = "{front}-lift"
kind = "ambulance_standard"
number = 4
lift = {{ interval_hours = 6, first_hour = 3 }}

[[links]]
origin = "POI"
destination = "{front}-R1"
vehicle = "{front}-ambulances"
fronts = ["{front}"]
minutes = {{ distribution = "constant", mean = 30 }}

[[links]]
origin = "{front}-R1"
destination = "{front}-R2"
vehicle = "{front}-ambulances"
fronts = ["{front}"]
minutes = {{ distribution = "constant", mean = 45 }}

[[links]]
origin = "{front}-R2"
destination = "{front}-R3"
vehicle = "{front}-lift"
fronts = ["{front}"]
minutes = {{ distribution = "constant", mean = 60 }}

[[links]]
origin = "{front}-R3"
destination = "{role4}"
fronts = ["{front}"]
minutes = {{ distribution = "constant", mean = 600 }}
{extra}
"""


ROLE4 = '\n[[facilities]]\nid = "R4"\nrole = 4\nkind = "role4"\n'
SMALL_ROLE4 = '\n[[facilities]]\nid = "R4"\nrole = 4\nkind = "role4"\nward_beds = 5\n'


def finite(more: str = "", total: int = 900, settings: str = "", role4: str = ROLE4) -> scenario_api.Scenario:
    """Two fronts, East and West, that share an unlimited Role 4 alone."""
    start = f'name = "apart"\nseed = 3\ndays = 4\n{settings}\n[casualties]\ntotal = {total}\n'
    return parsed(start + chain("East") + chain("West", beds=4) + role4 + more)


def unlimited(total: int = 9000) -> scenario_api.Scenario:
    text = scenarios.builtin_bytes("standard")
    return scenario_api.resolve(
        scenario_api.with_overrides(scenario_api.parse(text, "toml", "standard"), total=total)
    )


def differences(
    scenario: scenario_api.Scenario, number: int, chunk_size: int, shard_chunk: int | None = None
) -> list[str]:
    """What the merged simulations of `number` shards have that one simulation has not; [] where nothing differs."""
    parts = partition_fronts(scenario, number)
    assert len(parts) == number
    whole = Simulation(scenario, 5, 0, chunk_size)
    apart = [Simulation(scenario, 5, 0, shard_chunk or chunk_size, fronts=part) for part in parts]
    merged = Merged(scenario, parts, apart, chunk_size)
    found = []
    for one, other in zip(whole, merged, strict=True):
        if (one.number, one.first, one.last, len(one)) != (other.number, other.first, other.last, len(other)):
            found.append(f"chunk {one.number}")
        for table in TABLES:
            left, right = getattr(one, table), getattr(other, table)
            for column in left.dtype.names:
                if not np.array_equal(left[column], right[column]):
                    found.append(f"chunk {one.number}: {table}.{column}")
    if found:
        return found
    left, right = (whole_run.find_measures(simulation, scenario) for simulation in (whole, merged))
    found += [name for name in left.summary if left.summary[name] != right.summary[name]]
    return found + [
        name
        for name in ("summary", "facilities", "measures", "consumption")
        if getattr(left, name) != getattr(right, name)
    ]


@pytest.mark.parametrize(
    ("number", "chunk_size", "shard_chunk"), [(2, 2048, 512), (3, 999, None), (3, 5000, 16_384)]
)
def test_shards_of_an_unlimited_network_produce_what_one_simulation_produces(
    number: int, chunk_size: int, shard_chunk: int | None
) -> None:
    assert differences(unlimited(20_000), number, chunk_size, shard_chunk) == []


@pytest.mark.parametrize(("chunk_size", "shard_chunk"), [(2048, None), (64, 256), (7, 7)])
def test_shards_of_a_finite_network_produce_what_one_simulation_produces(
    chunk_size: int, shard_chunk: int | None
) -> None:
    assert differences(finite(), 2, chunk_size, shard_chunk) == []


def test_shards_produce_the_same_listed_casualties_as_one_simulation() -> None:
    incidents = "".join(
        f'[[incidents]]\nat = "day {day} 09:30"\nfront = "{front}"\nnumber = 30\n{given}\n'
        for day, front, given in (
            (2, "East", 'category = "T1"\nunit = "1 Bn"'),
            (2, "West", "mean_iss = 18"),
            (3, "East", 'conditions = ["S72.301A"]'),
            (4, "West", 'stream = "disease"'),
        )
    )
    assert differences(finite(incidents), 2, 300) == []


@pytest.mark.parametrize("days", [4.5, 5.0])
def test_patients_open_at_the_horizon_stand_in_the_order_of_their_arrival(days: float) -> None:
    assert differences(finite(settings=f"horizon_days = {days}"), 2, 256) == []


def test_the_clocks_of_a_front_without_patients_go_on_to_the_end_of_the_run() -> None:
    quiet = parsed(
        'name = "quiet"\ndays = 4\n[casualties]\ntotal = 60\n'
        + chain("East").replace("nations", "share = 0.999\nnations", 1)
        + chain("West").replace("nations", "share = 0.001\nnations", 1)
        + ROLE4
    )
    assert differences(quiet, 2, 100) == []


def test_fronts_are_apart_only_where_nothing_finite_joins_them() -> None:
    assert independent_fronts(unlimited()) == [(0,), (1,), (2,)]
    assert independent_fronts(finite()) == [(0,), (1,)]
    assert independent_fronts(finite(role4=SMALL_ROLE4)) == [(0, 1)]
    assert independent_fronts(finite(COMMON)) == [(0, 1)]
    assert independent_fronts(finite(settings='destination = "least-loaded"')) == [(0, 1)]
    assert independent_fronts(finite(settings="horizon_days = 4")) == [(0, 1)]
    assert independent_fronts(finite(settings='routing = "transition-matrix"')) == [(0,), (1,)]


HIT = """
[[world]]
event = "hit"
at_hours = 60
facility = "West-R2"
capacity_lost = 0.5
killed = 1.0
duration_hours = 20
"""

NORTH = """
[[fronts]]
name = "North"
nations = { NOR = 1 }

[[links]]
origin = "POI"
destination = "R4"
fronts = ["North"]
minutes = { distribution = "constant", mean = 90 }
"""

COMMON = """
[[links]]
origin = "West-R1"
destination = "West-R3"
vehicle = "East-ambulances"
fronts = ["West"]
minutes = { distribution = "constant", mean = 9 }
"""


def test_a_hit_joins_the_fronts_with_finite_care_and_no_others() -> None:
    scenario = finite(HIT + NORTH)
    assert independent_fronts(scenario) == [(0, 1), (2,)]
    for chunk_size in (5, 200):
        assert differences(scenario, 2, chunk_size) == []


def test_patients_killed_together_are_written_in_chunks_of_the_size_asked_for() -> None:
    scenario = finite(HIT)
    one = list(Simulation(scenario, 5, 0, 5))
    assert [len(chunk) for chunk in one[:-1]] == [5] * (len(one) - 1)
    many = list(Simulation(scenario, 5, 0, PARQUET_PART))
    assert len(many) == 1
    for name, end in ENDS.items():
        rows = [np.concatenate([getattr(chunk, name) for chunk in chunks]) for chunks in (one, many)]
        first = np.concatenate([np.full(len(getattr(chunk, name)), chunk.first) for chunk in one])
        rows[0]["patient"] += first.astype(np.int32)
        for column in rows[0].dtype.names:
            assert rows[0][column].tobytes() == rows[1][column].tobytes(), (name, column)
        patients = np.concatenate([chunk.patients for chunk in one])
        counts = np.concatenate([np.diff(chunk.patients[end].astype(int), prepend=0) for chunk in one])
        patients[end] = np.cumsum(counts)
        assert (patients[end] == many[0].patients[end]).all(), name
    for name in set(many[0].patients.dtype.names or ()) - set(ENDS.values()):
        assert patients[name].tobytes() == many[0].patients[name].tobytes(), name


def test_shards_have_about_the_same_number_of_casualties_to_expect() -> None:
    text = 'name = "x"\n' + "".join(
        f'[[fronts]]\nname = "{k}"\nshare = {share}\nnations = {{ NOR = 1 }}\n'
        for k, share in enumerate((0.2, 0.1, 0.4, 0.3))
    )
    scenario = parsed(text)
    assert partition_fronts(scenario, 2) == [(0, 3), (1, 2)]
    assert partition_fronts(scenario, 9) == [(0,), (1,), (2,), (3,)]
    assert partition_fronts(scenario, 1) == [(0, 1, 2, 3)]


def test_the_dead_of_fronts_apart_are_moved_as_in_one_simulation() -> None:
    for points in ("[]", '["East-R3", "West-R3"]'):
        moved = f"\n[mortuary_affairs]\ndied_of_wounds = true\ncollection_points = {points}\n"
        scenario = finite(moved)
        assert independent_fronts(scenario) == [(0,), (1,)]
        assert differences(scenario, 2, 300) == []


def test_a_shard_without_casualties_adds_nothing() -> None:
    assert differences(unlimited(1), 3, 100) == []
    assert differences(finite(total=1), 2, 100) == []


def joined(halves: list[Mapping]) -> Mapping:
    """Two random networks as one, each with a front of its own; policies are those of the first."""
    whole = {**halves[0], "days": max(half["days"] for half in halves)}
    whole["casualties"] = {"total": sum(half["casualties"]["total"] for half in halves)}
    for part in ("fronts", "facilities", "links", "vehicles", "world", "incidents"):
        whole[part] = []
    for mark, half in zip("AB", halves, strict=True):
        whole["fronts"].append({"name": mark, "nations": half["fronts"][0]["nations"]})
        whole["incidents"] += [{**row, "front": mark} for row in half.get("incidents", [])]
        for facility in half["facilities"]:
            whole["facilities"].append({**facility, "id": mark + facility["id"]})
        for vehicle in half["vehicles"]:
            base = {"base": mark + vehicle["base"]} if "base" in vehicle else {}
            whole["vehicles"].append({**vehicle, "id": mark + vehicle["id"], **base})
        for link in half["links"]:
            origin = link["origin"] if link["origin"] == "POI" else mark + link["origin"]
            by = {"vehicle": mark + link["vehicle"]} if "vehicle" in link else {}
            ends = {"origin": origin, "destination": mark + link["destination"]}
            whole["links"].append({**link, **ends, **by, "fronts": [mark]})
        for event in half["world"]:
            where = "vehicle" if "vehicle" in event else "facility"
            if event["event"] != "hit":
                whole["world"].append({**event, where: mark + event[where]})
    if "horizon_days" in whole:
        whole["horizon_days"] = whole["days"] + 1.0
    dead = whole.pop("mortuary_affairs", None)
    if dead is not None:
        points = [half.get("mortuary_affairs", {}).get("collection_points", []) for half in halves]
        marked = [mark + name for mark, names in zip("AB", points, strict=True) for name in names]
        whole["mortuary_affairs"] = {
            "died_of_wounds": dead["died_of_wounds"],
            "collection_points": marked if all(points) else [],
        }
    return whole


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    halves=st.tuples(networks(lasting=True, prepares=True), networks(lasting=True, prepares=True)),
    chunk_size=st.sampled_from((7, 40, 500)),
)
def test_any_two_networks_side_by_side_produce_what_one_simulation_produces(
    halves: tuple[Mapping, Mapping], chunk_size: int
) -> None:
    scenario = scenario_api.parse(msgspec.json.encode(joined([*halves])), "json")
    scenario_api.check(scenario)
    resolved = scenario_api.resolve(scenario)
    assume(len(independent_fronts(resolved)) == 2)
    assert differences(resolved, 2, chunk_size) == []


def test_chunks_of_a_merged_run_never_cross_the_end_of_a_parquet_part() -> None:
    scenario = unlimited(20_000)
    parts = partition_fronts(scenario, 2)
    merged = Merged(scenario, parts, [Simulation(scenario, 5, 0, 512, fronts=part) for part in parts], 5000)
    assert [chunk.first for chunk in merged] == [0, 5000, 10_000, 15_000, PARQUET_PART]
