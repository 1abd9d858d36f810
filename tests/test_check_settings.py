"""What `scenarios check` says of care, listed incidents and capacities, and what files may write of incidents."""

import json
from pathlib import Path

import effects as x
import pytest

from engine.errors import ScenarioError
from engine.scenario import parse, prepare, to_toml
from goldenhour.__main__ import run

TEXT = """
name = "exercise"
start = 2030-01-01T06:00:00Z
days = 1
survival = { lethality = 0.12 }
treatments = { tourniquet = { available = false }, prehospital_blood = { available = true } }
reoperations = { probability = [0.1, 0.3, 0.6, 0.8], most = 3, roles = [3] }
intensive_care = { after_surgery = false, niss = 25 }
fronts = [{ name = "Alpha", nations = { GBR = 1 } }, { name = "Bravo", nations = { NOR = 1 } }]
facilities = [
  { id = "R1-Alpha", role = 1 },
  { id = "R2", role = 2, hold_bay = false, treatment_bays = 2, operating_tables = 2, surgery_minutes = 90 },
  { id = "R4", role = 4 },
]
links = [
  { origin = "POI", destination = "R1-Alpha", minutes = 20, fronts = ["Alpha"] },
  { origin = "R1-Alpha", destination = "R2", minutes = 30, fronts = ["Alpha"] },
  { origin = "POI", destination = "R2", minutes = 30, fronts = ["Bravo"] },
  { origin = "R2", destination = "R4", minutes = 600 },
]

[[incidents]]
at = "day 1 06:00"
number = 4
every_minutes = 30
count = 16
fronts = ["Alpha", "Bravo"]
triage = { T1 = 0.25 }

[[incidents]]
at = "day 1 10:15"
front = "Alpha"
number = 50
mean_iss = 18
"""


def refused(text: str) -> str:
    with pytest.raises(ScenarioError) as error:
        prepare(parse(text.encode(), "toml"))
    return str(error.value)


def test_check_shows_how_care_and_the_list_were_understood(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "exercise.toml"
    path.write_text(TEXT)
    assert run(["scenarios", "check", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["settings"] == {
        "survival.lethality": "0.12",
        "treatments.tourniquet.available": "false",
        "treatments.prehospital_blood.available": "true",
        "intensive_care.after_surgery": "false",
        "intensive_care.niss": "25",
        "reoperations.probability": "[0.1, 0.3, 0.6, 0.8]",
        "reoperations.roles": "[3]",
        "facilities[R2].hold_bay": "false",
        "facilities[R2].surgery_minutes": '{ distribution = "constant", mean = 90.0 }',
    }
    alpha, bravo, mass = found["listed_incidents"]
    assert (alpha["first"], alpha["last"]) == ("2030-01-01T06:00:00Z", "2030-01-01T13:30:00Z")
    assert bravo == {**alpha, "front": "Bravo"}
    assert (alpha["number"], alpha["given"]) == (64, "16 T1, 48 of another category")
    assert (mass["first"], mass["given"]) == ("2030-01-01T10:15:00Z", "mean ISS 18")
    for group in found["listed_deaths"]:
        assert group["reached"] == pytest.approx(0.12, abs=0.005)
    assert max(group["unchanged"] for group in found["listed_deaths"]) > 0.2
    assert run(["scenarios", "check", str(path)]) == 0
    shown = capsys.readouterr().out
    for line in (
        "treatments.tourniquet.available          false",
        "2030-01-01 10:15",
        "the first is 2030-01-01 06:00, the last 2030-01-01 13:30",
        "mean ISS 18",
    ):
        assert line in shown
    served = [
        line.split()[-1] for line in shown.splitlines() if line.startswith(("R1-Alpha   ", "R2   ", "R4   "))
    ]
    assert served[:3] == ["Alpha", "fronts", "fronts"]


def test_a_plain_scenario_has_no_settings_to_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scenarios", "check", "standard"]) == 0
    shown = capsys.readouterr().out
    assert "Care settings" not in shown
    assert "Listed" not in shown


def test_a_count_and_several_fronts_are_written_out() -> None:
    scenario = parse(TEXT.encode(), "toml")
    assert [(i.front, i.numbers, i.number) for i in scenario.incidents] == [
        ("Alpha", [4] * 16, 1),
        ("Bravo", [4] * 16, 1),
        ("Alpha", None, 50),
    ]
    assert parse(to_toml(scenario).encode(), "toml") == scenario


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("count = 3", "incidents[0].every_minutes: got (missing)"),
        ("count = 3\nevery_minutes = 5\nnumbers = [1]", "count beside number, not beside numbers"),
        ('fronts = ["Alpha", "Alpha"]', "each front once"),
        ('fronts = ["Alpha"]\nfront = "Bravo"', "front or fronts, not both"),
        ('fronts = ["Alpha", "Brvo"]', "did you mean 'Bravo'?"),
        ('front = ["Alpha", "Bravo"]', "the name of one front; several are written as fronts = [...]"),
        ("every_minutes = 5", "with a count, such as count = 16"),
        ('count = 3\ncsv = "a.csv"', "no value beside csv"),
    ],
)
def test_counts_and_fronts_that_make_no_sense_are_refused(fields: str, message: str) -> None:
    head = TEXT.split("[[incidents]]")[0]
    at = "" if "csv" in fields else 'at = "day 1 06:00"\n'
    front = "" if "front" in fields or "csv" in fields else 'front = "Alpha"\n'
    assert message in refused(f"{head}[[incidents]]\n{at}{front}{fields}\n")


def test_a_command_of_a_group_is_suggested_for_its_bare_name(capsys: pytest.CaptureFixture[str]) -> None:
    for name, hint in (
        ("check", "'experiment check' or 'optimise check' or 'scenarios check'"),
        ("show", "'experiments show' or 'runs show' or 'scenarios show'"),
        ("mesures", "'measures'"),
    ):
        assert run([name]) == 2
        assert f"did you mean {hint}?" in capsys.readouterr().err


def test_icu_beds_that_limit_the_tables_are_noted() -> None:
    few = {
        "operating_tables": 2,
        "surgical_teams": 2,
        "icu_beds": 6,
        "surgery_minutes": 120,
        "icu_minutes": 1440,
    }
    noted = [note for note in x.notes(**x.network(R2=few)) if "ICU" in note]
    assert noted == [
        "facility R2: 6 ICU beds for about 24 h after each operation take about 6.0 patients a day, the operating "
        "tables could take 24: patients who wait for an ICU bed hold their table"
    ]
    assert not [n for n in x.notes(**x.network(R2={**few, "icu_beds": 24})) if "hold their table" in n]
    by_need = {"intensive_care": {"after_surgery": False}}
    assert not [n for n in x.notes(**x.network(R2=few), **by_need) if "hold their table" in n]
    assert not [n for n in x.notes(network="brigade") if "hold their table" in n]


def test_a_kind_of_transport_beside_minutes_is_explained() -> None:
    settings = x.one_place(minutes=x.constant(30.0), vehicle="fixed_wing")
    assert any(
        "fixed_wing is a kind of transport, which only gives the speed" in n for n in x.notes(**settings)
    )


def test_check_says_what_the_environment_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scenarios", "check", "brigade", "--set", 'environment=["extreme_cold", "rain"]']) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert (
        "extreme_cold, rain: battle casualties and NBI times 0.997, disease times 1.56; links take 1.39 times as long, "
        "those to Role 4 apart; 25 minutes more from the point of injury; first aid begins 1.39 times as late; the "
        "wounded die 1.1 times as fast"
    ) in printed
