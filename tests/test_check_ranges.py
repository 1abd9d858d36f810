"""`scenarios check`: ranges of the casualties, solved tilts, and capacities that do not fit; tilts are found once."""

import json
from pathlib import Path
from typing import Any

import effects as x
import numpy as np
import pytest

import goldenhour
import scenarios
from actors.cache import LocalCache, cache_settings
from engine.arrivals import count_replications, expected_arrivals, generate_arrivals, plan_arrivals, range_of
from engine.arrivals.spread import FEWEST_REPLICATIONS, MOST_REPLICATIONS
from engine.compile import tilts_of
from engine.precomputed import keys_of_scenario
from engine.scenario import Scenario, parse, resolve
from goldenhour.__main__ import run


def builtin(name: str) -> Scenario:
    return resolve(parse(scenarios.builtin_bytes(name), "toml", name))


def checked(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["scenarios", "check", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_counts_are_those_of_the_runs() -> None:
    scenario = builtin("brigade")
    plan = plan_arrivals(scenario)
    counts = count_replications(plan, 270.0, scenario.seed)
    assert counts is not None and counts.replications == MOST_REPLICATIONS
    p = goldenhour.simulate("brigade").patients
    assert counts.total[0] == len(p)
    assert (
        counts.by_day[:, 0].tolist() == np.bincount(p["incident_time"] // x.DAY, minlength=plan.days).tolist()
    )
    for number, front in enumerate(scenario.fronts):
        for code, stream in enumerate(("battle", "nbi", "disease")):
            of_group = (p["front"] == number) & (p["stream"] == code)
            assert counts.by_front[front.name, stream][0] == of_group.sum()
    assert sum(of_type[0] for of_type in counts.by_type.values()) == len(p)


def test_nine_of_ten_further_runs_lie_in_the_range() -> None:
    scenario = builtin("brigade")
    plan = plan_arrivals(scenario)
    counts = count_replications(plan, 270.0, scenario.seed)
    assert counts is not None
    low, high = range_of([counts.total])
    assert low < 200 < 270 < high
    others = [sum(map(len, generate_arrivals(plan, 99, replication))) for replication in range(300)]
    inside = sum(low <= count <= high for count in others)
    assert 0.84 < inside / len(others) < 0.96
    expected = sum(row.expected for row in expected_arrivals(plan))
    assert counts.total.mean() == pytest.approx(expected, rel=0.1)


def test_too_many_casualties_have_no_range() -> None:
    plan = plan_arrivals(builtin("standard"))
    assert count_replications(plan, 400_000 / FEWEST_REPLICATIONS + 1e4, 1) is None


def test_check_prints_ranges_where_numbers_spread(capsys: pytest.CaptureFixture[str]) -> None:
    found = checked(capsys, "brigade")
    assert found["replications"] == MOST_REPLICATIONS
    low, high = found["range"]
    assert low < found["expected"] < high
    assert all(low <= row["expected"] <= high for row in found["by_day"] for low, high in [row["range"]])
    assert run(["scenarios", "check", "brigade"]) == 0
    shown = capsys.readouterr().out
    assert f"(5-95 %: {low:,}-{high:,})" in shown
    exact = checked(capsys, "standard")
    assert exact["range"] == [exact["expected"], exact["expected"]]


def test_check_shows_what_was_solved(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'name = "mine"\n[triage.battle]\nT1 = 0.3\nT2 = 0.4\nT3 = 0.3\n[survival]\nlethality = 0.1\n'
    )
    found = checked(capsys, str(file))
    assert found["battle_triage"]["standard"] == pytest.approx({"T1": 0.3, "T2": 0.4, "T3": 0.3}, abs=0.005)
    solved = found["battle_solved"]["standard"]
    assert solved["lethality"] == pytest.approx(0.1, abs=0.005)
    assert solved["tilts"]["severity"] != 0 and solved["untreated_minutes"] > 0
    assert run(["scenarios", "check", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "Solved for battle casualties" in shown and f"{solved['tilts']['severity']:+.3f}" in shown


def test_a_run_with_shares_that_cannot_be_met_does_not_begin(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\n[triage.battle]\nT1 = 0.1\nT2 = 0.9\nT3 = 0.0\n')
    folder = tmp_path / "out"
    for command in (["run", str(file), "-o", str(folder), "--no-store"], ["scenarios", "check", str(file)]):
        assert run(command) == 2
        assert "with this share of T1 a T2 from" in capsys.readouterr().err
    assert not folder.exists()


def test_tilts_are_found_once_and_then_read() -> None:
    """What is in the cache is used: here tilts that nobody would find."""
    settings = x.settings_of(500, triage={"battle": {"T1": 0.2718, "T2": 0.3, "T3": 0.4282}})
    scenario = resolve(parse(json.dumps(settings).encode(), "json"))
    cache, (key,) = LocalCache(cache_settings()), keys_of_scenario(scenario, ("tilts",))
    first = goldenhour.simulate(settings).patients
    assert (cache.get(key) == tilts_of(scenario)).all()
    other = tilts_of(scenario)
    other["severity"] = -3.0
    cache.put(key, other)
    try:
        second = goldenhour.simulate(settings).patients
    finally:
        cache.put(key, tilts_of(scenario))
    assert second["niss"].mean() < first["niss"].mean() - 3
    assert (goldenhour.simulate(settings).patients["niss"] == first["niss"]).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"operating_tables": 2, "surgical_teams": 3},
            "3 surgical teams on 2 operating tables: at most 2 at a time",
        ),
        (
            {"operating_tables": 3, "surgical_teams": 1},
            "3 operating tables for 1 surgical team: at most 1 at a time",
        ),
        ({"ward_beds": 20}, "20 ward beds behind operating tables and teams without limit"),
        ({"ward_beds": 20, "icu_beds": 4}, "20 ward beds and 4 ICU beds behind operating tables and teams"),
        ({"ward_beds": 5, "dcs": False}, "5 ward beds behind treatment bays without limit"),
    ],
)
def test_capacities_that_do_not_fit_are_noted(settings: dict[str, Any], words: str) -> None:
    assert any(note.startswith(f"facility R2: {words}") for note in x.notes(**x.network(R2=settings)))


def test_capacities_that_fit_are_not_noted() -> None:
    fitting = {
        "operating_tables": 2,
        "surgical_teams": 2,
        "treatment_bays": 3,
        "ward_beds": 20,
        "icu_beds": 40,
    }
    assert not [note for note in x.notes(**x.network(R2=fitting)) if note.startswith("facility ")]
