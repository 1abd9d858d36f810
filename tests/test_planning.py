"""The commands of docs/planning.md run and print what the page shows, and its scenarios do what it says."""

import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import goldenhour
from actors.cluster import PACKAGE_ROOT
from bench.page_figures import write_casualties
from engine.errors import InputError, ScenarioError
from goldenhour.__main__ import run

PAGE = (PACKAGE_ROOT / "docs" / "planning.md").read_text("utf-8")
SCENARIOS = dict(re.findall(r"```toml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
SECTIONS = {text.splitlines()[0]: text for text in PAGE.split("\n## ")[1:]}
REPLICATIONS = range(10)
MASS = "A mass casualty of 50, several operations each"
DAY_1_10_15 = (10 * 60 + 15) * 60_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scenarios of the page, and with the 500 casualties of a day."""
    path = tmp_path_factory.mktemp("planning")
    for name, text in SCENARIOS.items():
        (path / name).write_text(text, "utf-8")
    write_casualties(path)
    return path


def blocks(section: str, language: str) -> list[str]:
    """Return the lines of the blocks of code of a section that are in a language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    return [line for name, text in found if name == language for line in text.splitlines()]


def spaced(text: str) -> str:
    """Return a text with one space for white space: the terminal breaks lines and pads columns."""
    return " ".join(text.split())


class Replications(NamedTuple):
    """By replication: median minutes from injury to surgery, and the number who died of wounds."""

    minutes: list[float]
    dow: list[int]


def minutes_and_dow(scenario: str | Path, settings: dict[str, Any], replication: int) -> tuple[float, int]:
    """Return the median minutes from injury to surgery, and the number who died of wounds."""
    found = goldenhour.simulate(scenario, replication=replication, settings=settings).measures
    median = found["time_to_surgery"]["minutes"]["to_surgery"]["median"]
    return float(median), int(found["categories"]["battle"]["outcomes"]["dow"])


def compare(scenario: str | Path, path: str, values: tuple[Any, Any]) -> list[Replications]:
    """Return the replications with each of two values of a setting."""
    found = []
    for value in values:
        rows = [minutes_and_dow(scenario, {path: value}, k) for k in REPLICATIONS]
        found.append(Replications([minutes for minutes, _ in rows], [dow for _, dow in rows]))
    return found


def test_every_scenario_of_the_page_is_short() -> None:
    assert set(SCENARIOS) == {
        "two-fronts.toml", "thirty.toml", "day.toml", "exercise.toml", "mass.toml", "diversion.toml",
    }  # fmt: skip
    assert len(SCENARIOS["exercise.toml"].splitlines()) <= 40
    assert all(len(SCENARIOS[name].splitlines()) <= 20 for name in SCENARIOS if name != "exercise.toml")


@pytest.mark.parametrize("title", SECTIONS)
def test_the_commands_print_what_the_page_shows(
    title: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    commands = [line for line in blocks(SECTIONS[title], "") if line.startswith("goldenhour ")]
    shown = blocks(SECTIONS[title], "text")
    assert len(commands) == 2
    assert shown
    for command in commands:
        words = shlex.split(command)[1:]
        assert run([*words, "--workers", "0"] if words[0] == "run" else words) == 0, command
    exec("\n".join(blocks(SECTIONS[title], "python")), {})
    output = spaced(capsys.readouterr().out)
    missing = [line for line in shown if spaced(line) not in output]
    assert not missing, "\n".join(missing)


def test_a_second_surgical_team_brings_surgery_forward() -> None:
    (one, one_dow), (two, two_dow) = compare("brigade", "facilities[R2-North].surgical_teams", (1, 2))
    earlier = [round(a - b) for a, b in zip(one, two, strict=True)]
    assert min(earlier) > 0
    assert f"by {min(earlier)} to {max(earlier)} minutes" in spaced(PAGE)
    assert f"DOW falls from {sum(one_dow)} to {sum(two_dow)} in all ten" in spaced(PAGE)


def test_without_diversion_surgery_waits_for_the_table_of_thirty_a_day(folder: Path) -> None:
    minutes, _ = minutes_and_dow(folder / "thirty.toml", {"facilities[R2].divert": None}, 0)
    assert f"the median is {minutes:.0f} minutes" in spaced(PAGE)


def test_without_t3_among_the_diverted_hardly_anything_changes(folder: Path) -> None:
    """Who awaits an operation leaves Role 1 as T2."""
    urgent = {"facilities[R2].divert": {"tables_busy": True, "categories": ["T1", "T2"]}}
    (usual, _), (only_urgent, _) = (minutes_and_dow(folder / "thirty.toml", own, 0) for own in ({}, urgent))
    assert only_urgent == pytest.approx(usual, rel=0.05)


def test_two_ambulances_keep_the_median_under_two_hours(folder: Path) -> None:
    (one, _), (two, _) = compare(folder / "two-fronts.toml", "vehicles[ambulances].number", (1, 2))
    ranges = [f"{min(each):.0f} to {max(each):.0f}" for each in (one, two)]
    assert f"{ranges[0]} minutes with one ambulance and {ranges[1]} with two" in spaced(PAGE)
    assert min(one) > 120 > max(two)


def test_a_wait_for_idle_vehicles_is_not_blamed_on_their_number(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    notes = []
    day = ["day.toml", "--set", "network_scale=1"]
    for words in (day, ["two-fronts.toml", "--set", "vehicles[ambulances].number=1"]):
        assert run(["measures", *words]) == 0
        output = spaced(capsys.readouterr().out)
        assert (
            "the largest part is preparation for the journey and waiting for a vehicle at the point of injury"
            in output
        )
        notes.append("more of them may not help" in output)
    assert notes == [True, False]
    minutes, _ = minutes_and_dow("day.toml", {"network_scale": 1}, 0)
    assert f"the median is {minutes:,.0f} minutes, and the largest part is preparation" in spaced(PAGE)


def test_listed_casualties_come_as_listed_and_nobody_else(folder: Path) -> None:
    result = goldenhour.simulate(folder / "day.toml")
    assert result.measures["patients"] == 500
    half_past_nine = 9.5 * 3600 * 1000
    assert sum(result.patients["time"] == half_past_nine) == 40


def test_a_mistyped_list_or_time_is_answered_with_what_is_meant(folder: Path) -> None:
    day = SCENARIOS["day.toml"]
    path = folder / "mistyped.toml"
    path.write_text(day.replace("casualties.csv", "casulties.csv"), "utf-8")
    with pytest.raises(InputError, match=r"did you mean 'casualties\.csv'\?"):
        goldenhour.simulate(path)
    path.write_text(SCENARIOS["exercise.toml"].replace("day 1 10:15", "day 2 10:15"), "utf-8")
    with pytest.raises(ScenarioError, match="a time within the 1 day of the scenario"):
        goldenhour.simulate(path)


def test_an_event_list_has_its_numbers_its_shares_and_its_mean_severity(folder: Path) -> None:
    patients = goldenhour.simulate(folder / "exercise.toml").patients
    mass = patients["time"] == DAY_1_10_15
    assert [sum(patients["front"][~mass] == k) for k in range(3)] == [62, 32, 30]
    assert [sum(patients["triage"][~mass] == category) for category in (1, 2, 3)] == [25, 37, 62]
    assert len(set(patients["time"][~mass])) == 16
    assert (sum(mass), set(patients["front"][mass])) == (50, {2})
    survivable = patients[mass & (patients["worst_ais"] < 6)]
    assert abs(survivable["iss"].mean() - 16) < 0.5


def test_more_bays_hardly_help_where_tables_and_beds_are_short(folder: Path) -> None:
    means = []
    teams = {"operating_tables": 12, "surgical_teams": 12}
    for more in ({}, {"treatment_bays": 18}, {"icu_beds": 24}, teams):
        fields = [(k, field) for k in ("1st", "2nd", "3rd") for field in more]
        chosen = {f"facilities[R2-{k} Battalion].{field}": more[field] for k, field in fields}
        found = goldenhour.simulate(folder / "exercise.toml", settings=chosen).measures
        means.append(found["time_to_surgery"]["minutes"]["to_surgery"]["mean"])
    now, bays, beds, tables = means
    page = spaced(PAGE)
    assert now - bays < 0.05 * now
    assert beds < now
    assert tables < 0.8 * now
    assert f"{now:.0f} minutes after injury on average, {bays:.0f} with 18 bays in each Role 2" in page
    assert f"Role 2, {beds:.0f} with 24 ICU beds, and {tables:.0f} with 12 tables and 12 teams" in page


def test_a_mass_casualty_has_its_mean_severity_and_several_operations_each(folder: Path) -> None:
    severities, each = [], {"": [], "none": []}
    for replication in REPLICATIONS:
        for rules, means in each.items():
            chosen = {"reoperations": rules} if rules else {}
            result = goldenhour.simulate(folder / "mass.toml", replication=replication, settings=chosen)
            operations = sum(row["operations"] for row in result.measures["operations"].values())
            operated = (result.patients["surgery"] >= 0).sum()
            means.append(operations / operated)
            if replication == 0 and not rules:
                assert f"{operated} patients have these {operations} operations" in spaced(PAGE)
        severities.append(result.patients["iss"][result.patients["worst_ais"] < 6].mean())
    assert max(abs(mean - 20) for mean in severities) < 0.1
    assert f"the mean ISS is {min(severities):.1f} to {max(severities):.1f}" in spaced(PAGE)
    several, once = (f"{min(means):.1f} to {max(means):.1f}" for means in each.values())
    assert min(each[""]) > max(each["none"])
    assert f"have {several} operations each, with `--set reoperations=none` {once}" in spaced(PAGE)
    two, four = compare(folder / "mass.toml", "facilities[R2].operating_tables", (2, 4))
    earlier = [round(a - b) for a, b in zip(two.minutes, four.minutes, strict=True)]
    assert min(earlier) > 0
    assert f"by {min(earlier)} to {max(earlier)} minutes" in spaced(SECTIONS[MASS])


def test_diversion_brings_surgery_forward_and_saves_lives(folder: Path) -> None:
    divert = {"tables_busy": True, "categories": ["T1", "T2"]}
    without, diverting = compare(folder / "diversion.toml", "facilities[R2].divert", ("none", divert))
    assert all(a < b for a, b in zip(diverting.minutes, without.minutes, strict=True))
    assert sum(a < b for a, b in zip(diverting.dow, without.dow, strict=True)) == 10
    assert "In each of replications 0 to 9 diversion saves lives" in spaced(PAGE)
    assert (diverting.dow[0], without.dow[0]) == (15, 20)
    assert f"DOW falls from {sum(without.dow)} to {sum(diverting.dow)} in all ten" in spaced(PAGE)
