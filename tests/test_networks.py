"""Named networks: expanded for any fronts, overridden in part, scaled, and shown."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

import scenarios
from engine.errors import ScenarioError
from engine.scenario import (
    NETWORKS,
    POI,
    Facility,
    Link,
    Scenario,
    Vehicle,
    check,
    is_finite,
    limiting_settings,
    parse,
    resolve,
    scenario_hash,
    to_toml,
)
from goldenhour.__main__ import run
from scenarios import tables

FRONTS = '[[fronts]]\nname = "North"\nnations = { NOR = 1 }\n[[fronts]]\nname = "South, {x}"\nnations = { ITA = 1 }\n'


def expanded(network: str = "brigade", more: str = "", fronts: str = FRONTS) -> Scenario:
    text = f'name = "x"\nnetwork = "{network}"\n{more}\n{fronts}'
    s = parse(text.encode(), "toml")
    check(s)
    return resolve(s)


def facility(s: Scenario, name: str) -> Facility:
    return next(f for f in s.facilities if f.id == name)


def vehicle(s: Scenario, name: str) -> Vehicle:
    return next(v for v in s.vehicles if v.id == name)


def between(s: Scenario, origin: str, destination: str) -> list[Link]:
    return [link for link in s.links if (link.origin, link.destination) == (origin, destination)]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_expanded_for_every_front_and_leads_everyone_to_role_4(name: str) -> None:
    for fronts in (FRONTS, "", '[[fronts]]\nname = "only"\nnations = { NOR = 1 }'):
        text = f'name = "x"\nnetwork = "{name}"\n{fronts}'
        s = parse(text.encode(), "toml")
        assert check(s) == []
        whole = resolve(s)
        assert (whole.network, whole.network_scale) == (None, 1.0)
        assert resolve(whole) == whole
        assert check(whole) is not None
        for front in whole.fronts:
            own = [f for f in whole.facilities if f.fronts == [front.name]]
            assert [f.role for f in own].count(1) == 3
            assert [f.role for f in own].count(2) == 1


def test_an_expanded_network_is_the_same_scenario_as_one_written_out() -> None:
    s = parse(scenarios.builtin_bytes("division"), "toml")
    written = to_toml(resolve(s), commented=True)
    read = parse(written.encode(), "toml")
    assert resolve(read) == resolve(s)
    assert scenario_hash(read) == scenario_hash(s)


def test_the_counts_of_the_networks_are_those_of_the_tables() -> None:
    s = expanded()
    beds = {
        name: tables.mtf_capacities()["facilities"][name]["capacity"] for name in ("Role1", "Role2", "Role3")
    }
    assert facility(s, "R1-North-1").ward_beds == sum(beds["Role1"]["beds"].values())
    assert facility(s, "R2-North").operating_tables == beds["Role2"]["or_slots"]
    assert facility(s, "R3").operating_tables == beds["Role3"]["or_slots"]
    assert facility(s, "R3").icu_beds == beds["Role3"]["icu_beds"]
    batch = between(expanded("division"), "CSU-North", "R3-1")[0].batch
    rules = tables.transport_logistics()["csu_operations"]["decision_rules"]
    assert batch is not None
    assert (batch.minimum, batch.wait_minutes) == (
        rules["minimum_batch_size"],
        60 * rules["maximum_hold_time_hours"],
    )
    for v in s.vehicles:
        assert v.litters == tables.transports()[v.kind]["capacity"]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_entry_of_a_network_names_its_source(name: str) -> None:
    for rows in tables.network_template(name).values():
        for row in rows:
            assert row["source"]
            assert row["confidence"] in ("assumption", "reference table")


def test_an_entry_beside_the_network_changes_what_it_names_and_nothing_else() -> None:
    plain = expanded()
    s = expanded(
        more='[[facilities]]\nid = "R2-North"\nrole = 2\nicu_beds = 9\n'
        '[[vehicles]]\nid = "medevac"\nkind = "casevac_helicopter"\nnumber = 7\n'
    )
    assert facility(s, "R2-North") == replace(facility(plain, "R2-North"), icu_beds=9)
    assert vehicle(s, "medevac").number == 7
    assert vehicle(s, "medevac").dispatch_minutes == vehicle(plain, "medevac").dispatch_minutes
    assert [f.id for f in s.facilities] == [f.id for f in plain.facilities]
    assert s.links == plain.links


def test_entries_of_other_ids_are_added() -> None:
    s = expanded(
        more='[[facilities]]\nid = "ship"\nrole = 3\n'
        '[[links]]\norigin = "R2-North"\ndestination = "ship"\ndistance_km = 50\n'
        '[[links]]\norigin = "ship"\ndestination = "R4"\ndistance_km = 50\n'
    )
    assert s.facilities[-1].id == "ship"
    assert between(s, "R2-North", "ship")[0].fronts == ["North"]
    assert len(s.links) == len(expanded().links) + 2


def test_a_link_replaces_those_between_the_same_two_places_for_its_fronts() -> None:
    s = expanded(more='[[links]]\norigin = "R2-North"\ndestination = "R3"\ndistance_km = 7')
    assert [link.distance_km for link in between(s, "R2-North", "R3")] == [7]
    both = expanded(more='[[links]]\norigin = "R3"\ndestination = "R4"\ndistance_km = 7\nfronts = ["North"]')
    assert [link.fronts for link in between(both, "R3", "R4")] == [["North"], ["South, {x}"]]


def test_the_scale_multiplies_every_count_of_the_network_and_nothing_written_beside_it() -> None:
    plain, large = (
        expanded(),
        expanded(more='network_scale = 2.5\n[[facilities]]\nid = "R3"\nrole = 3\nicu_beds = 11\n'),
    )
    before, after = facility(plain, "R2-North"), facility(large, "R2-North")
    assert (before.icu_beds, after.icu_beds) == (4, 10)
    assert (before.treatment_bays, after.treatment_bays) == (3, 8)
    assert before.surge is not None
    assert after.surge is not None
    assert (before.surge.ward_beds, after.surge.ward_beds) == (6, 15)
    assert after.surge.trigger == before.surge.trigger
    assert facility(large, "R3").icu_beds == 11
    assert vehicle(large, "strategic-lift").number == 3
    assert vehicle(large, "strategic-lift").litters == vehicle(plain, "strategic-lift").litters
    small = expanded(more="network_scale = 0.001")
    assert {f.treatment_bays for f in small.facilities if f.role < 4} == {1}
    assert {v.number for v in small.vehicles} == {1}
    assert facility(small, "R4").ward_beds is None


def test_names_of_fronts_stand_in_ids_as_they_are() -> None:
    s = expanded()
    assert facility(s, "R1-South, {x}-2").fronts == ["South, {x}"]


def test_litters_are_the_kinds_and_seats_none_where_nothing_is_said() -> None:
    text = 'name = "x"\n[[vehicles]]\nid = "a"\nkind = "ambulance_standard"\nnumber = 1'
    v = resolve(parse(text.encode(), "toml")).vehicles[0]
    assert (v.litters, v.seats) == (4, 0)


def test_a_staging_unit_gives_no_care_and_holds_for_no_policy() -> None:
    csu = facility(expanded("division"), "CSU-North")
    assert (csu.role, csu.kind, csu.policy_days) == (0, "csu", None)
    assert not any((csu.dcr, csu.dcs, csu.icu, csu.definitive))


def test_a_staging_unit_may_take_patients_from_the_point_of_injury() -> None:
    s = expanded(
        "division",
        '[[links]]\norigin = "POI"\ndestination = "CSU-North"\ndistance_km = 12\ncategories = ["T3"]',
    )
    assert between(s, POI, "CSU-North")[0].fronts == ["North"]


def test_two_kinds_of_vehicle_may_go_between_the_same_two_places() -> None:
    assert [link.vehicle for link in between(expanded(), "R2-North", "R3")] == ["medevac", "road-transfer"]


def test_every_candidate_is_used_unless_the_closest_is_always_open() -> None:
    near = (
        '[[links]]\norigin="POI"\ndestination="R3-Poland"\ndistance_km=90\n'
        '[[links]]\norigin="POI"\ndestination="R2-Poland"\ndistance_km=9\n'
    )

    def unused(more: str = "") -> list[str]:
        notes = check(parse(f'name = "x"\n{more}\n{near}'.encode(), "toml"))
        return [note for note in notes if "not used" in note]

    assert len(unused()) == 1
    assert "R2-Poland is closer and never full" in unused()[0]
    assert unused('destination = "spread-out"') == []
    closes = '[[world]]\nevent = "close"\nat_hours = 3\nfacility = "R2-Poland"\n'
    assert unused(closes) == []
    assert "bypass = false" in unused("bypass = false\n" + closes)[0]


def test_what_is_finite_is_known() -> None:
    assert not is_finite(resolve(parse(b'name = "x"', "toml")))
    matrix = parse(b'name = "x"\nnetwork = "brigade"\nrouting = "transition-matrix"', "toml")
    assert not is_finite(resolve(matrix))
    assert any("nothing is finite" in note for note in check(matrix))
    s = expanded("division")
    assert is_finite(s)
    assert limiting_settings(facility(s, "CSU-North")) == ["ward_beds"]
    assert limiting_settings(facility(s, "R4")) == []


def call(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert run(list(words)) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", NETWORKS)
def test_a_built_in_of_each_network_is_listed_and_shown_as_the_same_scenario(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = msgspec.json.decode(call(capsys, "scenarios", "list", "--json"))
    assert next(row["kind"] for row in listed if row["name"] == name) == "finite care"
    shown = parse(call(capsys, "scenarios", "show", name).encode(), "toml")
    original = parse(scenarios.builtin_bytes(name), "toml")
    assert shown == original
    assert scenario_hash(shown) == scenario_hash(original)
    assert resolve(shown) == resolve(original)


@pytest.mark.parametrize("name", [*NETWORKS, "standard", "coin"])
def test_a_network_is_shown_as_tables_and_as_a_diagram(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = call(capsys, "scenarios", "show", name, "--network")
    assert max(map(len, out.splitlines())) <= 100
    s = resolve(parse(scenarios.builtin_bytes(name), "toml"))
    for entry in (*s.facilities, *s.vehicles):
        assert entry.id in out
    for front in s.fronts:
        assert f"POI of front {front.name}" in out
    tree = out[out.index("POI of front") :]
    assert "R4, Role 4" in tree
    if name == "division":
        assert "R1-North-1 ... R1-North-3, Role 1, 3 of them" in tree
        assert "by 4 → R3-1" in tree
    if name in ("standard", "coin"):
        assert "Nothing is limited" in out


def test_the_check_of_a_scenario_tells_what_is_finite(capsys: pytest.CaptureFixture[str]) -> None:
    found = msgspec.json.decode(call(capsys, "scenarios", "check", "brigade", "--json"))["finite"]
    assert found["facilities"]["R2-North"]["icu_beds"] == 4
    assert found["vehicles"]["casevac-North"] == 2
    assert "Limited at 5 facilities" in call(capsys, "scenarios", "check", "brigade")


def test_a_network_beside_facilities_of_its_ids_must_still_hold_together() -> None:
    with pytest.raises(ScenarioError, match=r"^network brigade, R2-North -> R3"):
        expanded(more='[[links]]\norigin = "R3"\ndestination = "R2-North"\ndistance_km = 3')
