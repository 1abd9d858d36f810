"""`extends = "brigade"`: a scenario file that says only what differs from another scenario."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

import goldenhour
from engine.errors import InputError, ScenarioError
from engine.scenario import Scenario, parse, prepare, to_toml
from goldenhour import scenario_files

BASE = """
name = "base"
days = 5
retriage_minutes = 30.0
environment = ["rain"]
triage_accuracy = 0.7
[casualties.rates]
battle = { distribution = "lognormal", mean = 2.0, sd = 3.0 }
nbi = { distribution = "constant", mean = 0.3 }
[survival]
late_hazard = 0.1
tbi_success = 0.5
[[warfare]]
type = "urban"
[[fronts]]
name = "North"
population = 4000
nations = { GBR = 1.0 }
[[fronts]]
name = "South"
population = 2000
nations = { NOR = 1.0 }
[[facilities]]
id = "R1"
role = 1
ward_beds = 10
[[facilities]]
id = "R2"
role = 2
[[links]]
origin = "POI"
destination = "R1"
minutes = { distribution = "constant", mean = 30.0 }
[[links]]
origin = "R1"
destination = "R2"
distance_km = 20.0
vehicle = "cars"
[[links]]
origin = "R1"
destination = "R2"
distance_km = 20.0
vehicle = "medevac_helicopter"
[[vehicles]]
id = "cars"
kind = "ambulance_armored"
number = 4
"""


@pytest.fixture
def extended(tmp_path: Path) -> Any:
    """The scenario of a file that extends BASE."""
    (tmp_path / "base.toml").write_text(BASE)

    def load(text: str, base: str = "base.toml") -> Scenario:
        (tmp_path / "mine.toml").write_text(f'extends = "{base}"\n{text}')
        return scenario_files.load(tmp_path / "mine.toml")

    return load


def test_without_changes_it_is_the_same_scenario(extended: Any) -> None:
    assert extended("") == parse(BASE.encode(), "toml")


def test_fields_are_replaced_and_tables_of_fields_merged(extended: Any) -> None:
    found = extended(
        'name = "mine"\ndays = 9\n[survival]\ntbi_success = 0.9\n[casualties.rates]\ndepletion = true'
    )
    assert (found.name, found.days, found.retriage_minutes) == ("mine", 9, 30.0)
    assert (found.survival.late_hazard, found.survival.tbi_success) == (0.1, 0.9)
    assert found.casualties.rates.nbi.mean == 0.3 and found.casualties.rates.depletion


def test_entries_are_merged_by_id_and_name_and_new_ones_come_last(extended: Any) -> None:
    found = extended("""
[[facilities]]
id = "R3"
role = 3
[[facilities]]
id = "R1"
treatment_bays = 2
[[fronts]]
name = "South"
nations = { DNK = 1.0 }
[[vehicles]]
id = "cars"
number = 9
""")
    assert [(f.id, f.role, f.ward_beds, f.treatment_bays) for f in found.facilities] == [
        ("R1", 1, 10, 2),
        ("R2", 2, None, None),
        ("R3", 3, None, None),
    ]
    assert [(front.population, front.nations) for front in found.fronts] == [
        (4000, {"GBR": 1}),
        (2000, {"DNK": 1}),
    ]
    assert [(pool.kind, pool.number) for pool in found.vehicles] == [("ambulance_armored", 9)]


def test_links_are_merged_by_their_ends_and_their_vehicle(extended: Any) -> None:
    found = extended("""
[[links]]
origin = "R1"
destination = "R2"
vehicle = "medevac_helicopter"
distance_km = 15.0
[[links]]
origin = "POI"
destination = "R2"
distance_km = 50.0
""")
    assert [(link.destination, link.distance_km, link.vehicle) for link in found.links] == [
        ("R1", None, None),
        ("R2", 20.0, "cars"),
        ("R2", 15.0, "medevac_helicopter"),
        ("R2", 50.0, None),
    ]


def test_all_else_is_replaced(extended: Any) -> None:
    found = extended("""
environment = ["fog"]
[casualties.rates]
battle = { distribution = "constant", mean = 1.0 }
[[warfare]]
type = "artillery"
""")
    assert found.environment == ["fog"]
    assert [entry.type for entry in found.warfare] == ["artillery"]
    assert (found.casualties.rates.battle.mean, found.casualties.rates.battle.sd) == (1.0, None)


def test_total_and_rates_replace_each_other(extended: Any) -> None:
    assert extended("[casualties]\ntotal = 50").casualties.rates is None
    total = 'extends = "standard"\n[casualties.rates]\nnbi = { distribution = "constant", mean = 1.0 }'
    tree = tomllib.loads(total)
    assert scenario_files.from_tree(tree, Path()).casualties.total is None


def test_none_unsets(extended: Any) -> None:
    found = extended(
        'triage_accuracy = "none"\nretriage_minutes = "none"\n[[facilities]]\nid = "R1"\nward_beds = "none"'
    )
    assert found.triage_accuracy is None and found.retriage_minutes is None
    assert found.facilities[0].ward_beds is None


def test_a_built_in_is_extended_with_its_network(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "brigade"\n[[facilities]]\nid = "R2-North"\nrole = 2\nsurgical_teams = 3\n')
    resolved = prepare(scenario_files.load(path)).resolved
    assert {f.id: f.surgical_teams for f in resolved.facilities}["R2-North"] == 3
    assert resolved.days == 30


def test_files_extend_each_other_from_their_own_folders(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "base.toml").write_text(BASE)
    (tmp_path / "far" / "middle.json").write_text('{"extends": "../base.toml", "days": 6}')
    (tmp_path / "mine.toml").write_text('extends = "far/middle.json"\nseed = 4\n')
    found = scenario_files.load(tmp_path / "mine.toml")
    assert (found.days, found.seed, found.retriage_minutes) == (6, 4, 30.0)
    assert parse(to_toml(found).encode(), "toml") == found  # what is stored and submitted needs no other file


def test_a_circle_and_too_many_steps_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('extends = "b.toml"')
    (tmp_path / "b.toml").write_text('extends = "./a.toml"')
    with pytest.raises(ScenarioError, match=r"a\.toml -> b\.toml -> a\.toml"):
        scenario_files.load(tmp_path / "a.toml")
    for number in range(12):
        (tmp_path / f"{number}.toml").write_text(f'extends = "{number + 1}.toml"')
    with pytest.raises(ScenarioError, match="at most 8"):
        scenario_files.load(tmp_path / "0.toml")


@pytest.mark.parametrize(
    ("base", "text", "message"),
    [
        ("brigde", "", r"mine\.toml, extends: .*did you mean 'brigade'\?"),
        ("missing.toml", "", r"mine\.toml, extends: scenario file .* does not exist"),
        ("/etc/base.toml", "", "extends: .*from the folder of this one"),
        ("base.toml", "dayz = 3", "^dayz: .*did you mean 'days'"),
        ("base.toml", '[[facilities]]\nid = "R2"\nward_beds = 0', r"^facilities\[R2\]\.ward_beds: got 0"),
        ("broken.toml", "", r"^broken\.toml: days: got 0"),
    ],
)
def test_errors_name_the_file_and_the_place(
    tmp_path: Path, extended: Any, base: str, text: str, message: str
) -> None:
    (tmp_path / "broken.toml").write_text('name = "x"\ndays = 0')
    with pytest.raises((InputError, ScenarioError), match=message):
        extended(text, base)


def test_treatments_and_constants_are_merged_by_name(tmp_path: Path, extended: Any) -> None:
    (tmp_path / "parent.toml").write_text(
        'name = "parent"\n[treatments.tourniquet]\navailable = false\nsuccess = 0.5\n'
        "[treatments.surgery]\nsuccess = 0.7\n"
        "[model.survival.lethality]\nsigma = 1.1\nscale_niss = 20.0\n"
    )
    found = extended(
        "[treatments.tourniquet]\nsuccess = 0.2\n[model.survival.lethality]\nsigma = 1.3\n", "parent.toml"
    )
    tourniquet = found.treatments["tourniquet"]
    assert (tourniquet.available, tourniquet.success) == (False, 0.2)
    assert found.treatments["surgery"].success == 0.7
    assert found.model == {"survival": {"lethality": {"sigma": 1.3, "scale_niss": 20.0}}}


def test_a_mapping_in_python_extends_too() -> None:
    fields = {"extends": "brigade", "days": 2, "seed": 5}
    result = goldenhour.simulate(fields)
    assert (result.scenario.days, result.seed, result.scenario.name) == (2, 5, "brigade")


def test_a_text_without_a_file_extends_nothing() -> None:
    with pytest.raises(ScenarioError, match=r"extends: got 'brigade'.*named by its path"):
        parse(b'extends = "brigade"', "toml")
