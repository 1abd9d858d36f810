"""`--set PATH=VALUE`: single settings of a scenario, replaced by their path, for all that takes a scenario."""

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import goldenhour
import scenarios
from engine.errors import InputError, ScenarioError
from engine.scenario import Scenario, ScenarioOverrides, Setting, parse, parse_setting, prepare, to_toml
from goldenhour import scenario_files
from goldenhour.__main__ import run

BRIGADE = scenario_files.load("brigade")
STANDARD = scenario_files.load("standard")


def with_set(scenario: Scenario, *texts: str) -> Scenario:
    """The scenario with settings as the command line takes them, written as its author would."""
    return prepare(scenario, ScenarioOverrides(settings=tuple(map(parse_setting, texts)))).original


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("days=10", "days", 10),
        ("days = 10", "days", 10),
        ("intensity=high", "intensity", "high"),
        ('intensity="high"', "intensity", "high"),
        ("description=a few words", "description", "a few words"),
        ("description=a=b", "description", "a=b"),
        ("name=", "name", ""),
        ("survival.late_hazard=1e-3", "survival.late_hazard", 1e-3),
        ("bypass=false", "bypass", False),
        ("facilities[R2-North].ward_beds=2", "facilities[R2-North].ward_beds", 2),
        ('fronts["East=West"].population=2', 'fronts["East=West"].population', 2),
        ("links[POI->R1].distance_km=2.5", "links[POI->R1].distance_km", 2.5),
        ("mix={ battle = 1.0, nbi = 0, disease = 0 }", "mix", {"battle": 1.0, "nbi": 0, "disease": 0}),
        ("name=x\ndays = 3", "name", "x\ndays = 3"),
    ],
)
def test_a_setting_is_a_path_and_a_value_as_in_toml(text: str, path: str, value: Any) -> None:
    assert parse_setting(text) == Setting(path, value)


@pytest.mark.parametrize("text", ["days", "=3", "", ".days=3", "days..x=3", "[0]=3", "fronts[=3", "days:3"])
def test_what_is_no_path_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match=r"facilities\[R2-North\]\.surgical_teams=2"):
        with_set(BRIGADE, text)


def test_any_field_can_be_set() -> None:
    changed = with_set(
        BRIGADE,
        "days=10",
        "survival.late_hazard=0.1",
        "casualties.rates.battle.mean=2",
        "fronts[North].nations.NOR=0.5",
        'fronts[North].nations["GBR"]=0.5',
        "warfare[conventional].weight=2",
        'events[0]={ event = "ambush" }',
        "events[0].day=3",
        'environment=["rain"]',
        "triage.disease={ T1 = 0.5, T2 = 0.5, T3 = 0 }",
        "triage.disease.T1=0.25",
        "triage.disease.T3=0.25",
        "start=2031-05-01T00:00:00Z",
    )
    tree = tomllib.loads(to_toml(changed))
    assert tree["days"] == 10
    assert tree["survival"] == {"late_hazard": 0.1}
    assert tree["casualties"]["rates"]["battle"] == {"distribution": "lognormal", "mean": 2, "sd": 3}
    assert tree["fronts"][0]["nations"] == {"GBR": 0.5, "NOR": 0.5}
    assert tree["warfare"] == [{"type": "conventional", "weight": 2}]
    assert tree["events"] == [{"event": "ambush", "day": 3}]
    assert tree["environment"] == ["rain"]
    assert tree["triage"] == {"disease": {"T1": 0.25, "T2": 0.5, "T3": 0.25}}
    assert tree["start"] == "2031-05-01T00:00:00Z"
    assert parse(to_toml(changed).encode(), "toml") == changed


def test_none_unsets_a_setting() -> None:
    assert (
        with_set(BRIGADE, "fronts[North].population=none", "casualties.rates=none").casualties.rates is None
    )
    assert with_set(BRIGADE, "retriage_minutes=none").retriage_minutes is None
    assert with_set(BRIGADE, "casualties.rates.nbi=none").casualties.rates.nbi is None  # type: ignore[union-attr]


def test_rates_take_the_place_of_the_total_that_is_there_by_default() -> None:
    plain = parse(b'name = "x"\n[[fronts]]\nname = "A"\npopulation = 1000\nnations = { NOR = 1.0 }', "toml")
    changed = with_set(plain, 'casualties.rates.battle={ distribution = "constant", mean = 8 }')
    assert changed.casualties.total is None
    with pytest.raises(ScenarioError, match="total"):
        with_set(plain, "casualties.total=9", 'casualties.rates.nbi={ distribution = "constant", mean = 8 }')


@pytest.mark.parametrize(
    ("text", "place", "near"),
    [
        ("dayz=3", "dayz", "days"),
        ("facilities[R2-Nort].ward_beds=3", "facilities[R2-Nort]", "R2-North"),
        ("facilities[R2-North].ward_bed=3", "facilities[R2-North].ward_bed", "ward_beds"),
        ("facilities[R2-North].ward_beds=0", "facilities[R2-North].ward_beds", None),
        ("facilities[R2-North].ward_beds=many", "facilities[R2-North].ward_beds", None),
        ("facilities[R2-North].surge.trigr=1", "facilities[R2-North].surge.trigr", "trigger"),
        ("vehicles[medevak].number=3", "vehicles[medevak]", "medevac"),
        ("links[POI->R2-Nort].distance_km=3", "links[POI->R2-Nort]", "POI->R2-North"),
        ("links[R2-North->R3].distance_km=3", "links[R2-North->R3]", "R2-North->R3 by medevac"),
        ("triage.battel.T1=1", 'triage["battel"]', "battle"),
        ("triage.battle.T9=1", 'triage["battle"]["T9"]', None),
        ("intensity=hihg", "intensity", "high"),
        ("warfare[3].weight=1", "warfare[3]", None),
        ("days.x=3", "days.x", None),
        ("days=[3", "days", None),
        ("extends=coin", "extends", None),
    ],
)
def test_an_unknown_path_or_value_is_named_with_what_is_allowed(
    text: str, place: str, near: str | None
) -> None:
    with pytest.raises(ScenarioError) as caught:
        with_set(BRIGADE, text)
    assert caught.value.place == place
    assert caught.value.allowed
    if near is not None:
        assert caught.value.near == near


def test_what_settings_break_together_is_refused() -> None:
    with pytest.raises(ScenarioError, match="share"):
        with_set(STANDARD, "fronts[Poland].share=0.9")
    with pytest.raises(ScenarioError, match=r"events\[0\]\.event"):
        with_set(BRIGADE, "events[0].day=3")


def test_an_entry_of_the_network_is_overridden_with_no_more_than_the_setting() -> None:
    changed = with_set(
        BRIGADE, "facilities[R2-North].surgical_teams=3", "facilities[R2-North].surge.ward_beds=9"
    )
    tree = tomllib.loads(to_toml(changed))
    surge = {"delay_minutes": 60.0, "ward_beds": 9}  # the template's delay stays
    assert tree["network"] == "brigade"
    assert tree["facilities"] == [{"id": "R2-North", "surgical_teams": 3, "surge": surge}]
    resolved = {facility.id: facility for facility in prepare(changed).resolved.facilities}["R2-North"]
    assert (resolved.surgical_teams, resolved.operating_tables, resolved.ward_beds) == (3, 2, 20)
    assert resolved.surge is not None and resolved.surge.ward_beds == 9


def test_an_entry_of_the_network_can_be_without_a_limit() -> None:
    """An override cannot say so: a field at its default overrides nothing."""
    changed = prepare(with_set(BRIGADE, "facilities[R2-North].ward_beds=none")).resolved
    before = prepare(BRIGADE).resolved
    assert [f.ward_beds for f in changed.facilities] == [
        None if f.id == "R2-North" else f.ward_beds for f in before.facilities
    ]
    assert changed.links == before.links and changed.vehicles == before.vehicles


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("brigade", ["facilities[R2-North].surgical_teams=2", "vehicles[medevac].litters=6"]),
        ("brigade", ["links[POI->R1-North-2].distance_km=10", "links[R3->R4].minutes.mean=360"]),
        ("brigade", ["links[R2-North->R3 by medevac].terrain=air"]),
        ("standard", ["fronts[Poland].share=0.6", "facilities[R2-Poland].role=2"]),
        ("standard", ["links[R1-Poland->R2-Poland].minutes.sd=15"]),
        ("falklands", ["facilities[R2].role=2", "links[POI->R2].minutes.median=480", "days=25"]),
    ],
)
def test_a_setting_to_the_value_there_is_changes_nothing(name: str, settings: list[str]) -> None:
    written = scenario_files.load(name)
    assert prepare(with_set(written, *settings)).hash == prepare(written).hash


@pytest.mark.parametrize("name", sorted(scenarios.builtin_names()))
def test_a_brief_text_is_the_same_scenario(name: str) -> None:
    written = scenario_files.load(name)
    brief = to_toml(written)
    assert prepare(parse(brief.encode(), "toml")).hash == prepare(written).hash
    assert parse(brief.encode(), "toml") == written
    assert "#" not in brief


def test_more_surgical_teams_shorten_the_wait_for_surgery() -> None:
    """Common random numbers: the same casualties, so that only the waits differ."""
    few, many = (
        goldenhour.simulate(
            "brigade",
            seed=3,
            days=6,
            settings={
                "facilities[R2-North].surgical_teams": teams,
                "facilities[R2-North].operating_tables": np.int64(9),
                "facilities[R2-North].icu_beds": 99,
                "facilities[R2-North].ward_beds": 99,
                "casualties.rates.battle.mean": 6.0,
            },
        )
        for teams in (1, 4)
    )
    assert np.array_equal(np.sort(few.patients["time"]), np.sort(many.patients["time"]))

    def wait(result: goldenhour.Result) -> float:
        rows = result.measures["flow"]["resources"]
        return next(
            row["mean_wait_minutes"]
            for row in rows
            if (row["facility"], row["resource"]) == ("R2-North", "operating_tables")
        )

    assert wait(few) > 4 * wait(many)


def test_settings_of_simulate_are_a_mapping() -> None:
    with pytest.raises(InputError, match="settings"):
        goldenhour.simulate("standard", settings=["days=3"])  # type: ignore[arg-type]


def test_a_run_records_its_settings_and_resumes_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """scenario.toml has them, and running that file gives the same bytes."""
    monkeypatch.chdir(tmp_path)
    setting = "facilities[R2-North].surgical_teams=1"
    always = ("--days", "2", "--workers", "0", "--no-store", "--quiet")
    assert run(["run", "brigade", "--set", setting, "--set", "name=one", "-o", "a", *always]) == 0
    assert run(["run", "a/scenario.toml", "-o", "b", "--workers", "0", "--no-store", "--quiet"]) == 0
    text = (tmp_path / "a" / "scenario.toml").read_text()
    assert "surgical_teams = 1" in text and 'name = "one"' in text
    manifests = [json.loads((tmp_path / name / "manifest.json").read_bytes()) for name in "ab"]
    assert manifests[0]["scenario_hash"] == manifests[1]["scenario_hash"]
    assert manifests[0]["parts"] == manifests[1]["parts"]
    capsys.readouterr()
    assert run(["scenarios", "show", "brigade", "--set", setting, "--set", "name=one", "--brief"]) == 0
    shown = capsys.readouterr().out
    (tmp_path / "c.toml").write_text(shown)
    assert run(["run", "c.toml", "-o", "c", *always]) == 0
    assert json.loads((tmp_path / "c" / "manifest.json").read_bytes())["parts"] == manifests[0]["parts"]


def test_every_command_that_takes_a_scenario_takes_settings(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["--set", "days=3", "--set", "casualties.total=40", "--json"]
    assert run(["scenarios", "check", "standard", *settings]) == 0
    assert json.loads(capsys.readouterr().out)["days"] == 3
    assert run(["measures", "standard", *settings]) == 0
    assert json.loads(capsys.readouterr().out)["patients"] == 40
    assert run(["scenarios", "show", "standard", "--network", *settings[:-1]]) == 0
    assert run(["measures", "standard", "--set", "dayz=3"]) == 2
    assert "did you mean 'days'?" in capsys.readouterr().err
    assert run(["scenarios", "show", "mine", "--history", "--set", "days=3"]) == 2


@pytest.mark.parametrize(
    "name", ["environment", "treatments", "survival", "intensive_care", "model", "events"]
)
def test_none_gives_a_list_or_table_its_default(name: str, tmp_path: Path) -> None:
    text = """
name = "x"
environment = ["rain"]
[treatments.surgery]
available = false
[survival]
late_hazard = 0.1
[intensive_care]
niss = 20
[model.survival.lethality]
sigma = 1.1
[[events]]
event = "mass_casualty"
day = 1
"""
    base = parse(text.encode(), "toml")
    default = getattr(parse(b'name = "x"', "toml"), name)
    assert getattr(base, name) != default
    assert getattr(with_set(base, f"{name}=none"), name) == default
    (tmp_path / "base.toml").write_text(text)
    (tmp_path / "mine.toml").write_text(f'extends = "base.toml"\nname = "mine"\n{name} = "none"\n')
    assert getattr(scenario_files.load(tmp_path / "mine.toml"), name) == default
