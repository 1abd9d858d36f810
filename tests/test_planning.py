"""The examples of docs/planning.md run and answer their questions as the page says."""

import re
from pathlib import Path
from typing import Any

import pytest

import goldenhour
from actors.cluster import PACKAGE_ROOT

PAGE = (PACKAGE_ROOT / "docs" / "planning.md").read_text("utf-8")
SCENARIOS = dict(re.findall(r"```toml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scenarios of the page, and with the 500 casualties of a day."""
    path = tmp_path_factory.mktemp("planning")
    for name, text in SCENARIOS.items():
        (path / name).write_text(text, "utf-8")
    minutes = [9 * 60 + 30] * 40 + [number * 24 * 60 // 460 for number in range(460)]
    lines = [f"day 1 {each // 60:02}:{each % 60:02},North,1\n" for each in minutes]
    (path / "casualties.csv").write_text("time,front,number\n" + "".join(lines), "utf-8")
    return path


def minutes_to_surgery(measures: dict[str, Any]) -> float:
    return float(measures["time_to_surgery"]["minutes"]["to_surgery"]["median"])


def died_of_wounds(measures: dict[str, Any]) -> int:
    return int(measures["categories"]["battle"]["outcomes"]["dow"])


def test_every_scenario_of_the_page_is_short() -> None:
    assert set(SCENARIOS) == {"two-fronts.toml", "day.toml", "exercise.toml", "diversion.toml"}
    assert all(len(text.splitlines()) <= 40 for text in SCENARIOS.values())
    assert all(len(SCENARIOS[name].splitlines()) <= 20 for name in SCENARIOS if name != "exercise.toml")


def test_a_second_surgical_team_brings_surgery_forward() -> None:
    one, two = (
        goldenhour.simulate("brigade", settings={"facilities[R2-North].surgical_teams": teams}).measures
        for teams in (1, 2)
    )
    assert round(minutes_to_surgery(one)) == 142
    assert round(minutes_to_surgery(two)) == 132
    assert (died_of_wounds(one), died_of_wounds(two)) == (4, 3)


def test_two_ambulances_keep_the_median_under_two_hours(folder: Path) -> None:
    one, two = (
        goldenhour.simulate(
            folder / "two-fronts.toml", settings={"vehicles[ambulances].number": number}
        ).measures
        for number in (1, 2)
    )
    assert round(minutes_to_surgery(one)) == 125
    assert round(minutes_to_surgery(two)) == 116


def test_listed_casualties_come_as_listed_and_nobody_else(folder: Path) -> None:
    result = goldenhour.simulate(folder / "day.toml")
    assert result.measures["patients"] == 500
    half_past_nine = 9.5 * 3600 * 1000
    assert sum(result.patients["time"] == half_past_nine) == 40


def test_an_event_list_has_its_numbers_and_its_mean_severity(folder: Path) -> None:
    result = goldenhour.simulate(folder / "exercise.toml")
    assert result.measures["patients"] == 62 + 32 + 50
    third = result.patients[result.patients["front"] == 2]
    assert len(third) == 50
    assert abs(third[third["worst_ais"] < 6]["iss"].mean() - 16) < 0.5


def test_diversion_brings_surgery_forward_and_saves_lives(folder: Path) -> None:
    diverting, alone = (
        goldenhour.simulate(folder / "diversion.toml", settings=settings).measures
        for settings in ({}, {"facilities[R2].divert": "none"})
    )
    assert round(minutes_to_surgery(diverting)) == 132
    assert round(minutes_to_surgery(alone)) == 510
    assert (died_of_wounds(diverting), died_of_wounds(alone)) == (15, 27)
