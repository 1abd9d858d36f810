"""What a run says of chance: the casualties that other replications of its scenario have."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import goldenhour
import scenarios
from actors.experiments import Point, Replicator
from engine.arrivals import arrival_entry_points, expected_arrivals, plan_arrivals, total_spread
from engine.inference import mean_interval
from engine.scenario import Scenario, ScenarioOverrides, Setting, parse, prepare, resolve
from goldenhour.__main__ import run
from goldenhour.chance import Chance, chance_of

ROOT = Path(__file__).resolve().parent.parent


def builtin(name: str, **settings: Any) -> Scenario:
    changes = tuple(Setting(path, value) for path, value in settings.items())
    written = parse(scenarios.builtin_bytes(name), "toml", name)
    return prepare(written, ScenarioOverrides(settings=changes)).resolved


def found(scenario: Scenario, seed: int = 1, casualties: int = 100) -> Chance:
    for function in arrival_entry_points(scenario):
        function.load()  # as a run has done
    chance = chance_of(scenario, seed, casualties)
    assert chance is not None
    return chance


def casualties(scenario: Scenario, seed: int, count: int) -> np.ndarray:
    """Return the patients of replications that are simulated to their end."""
    (real,) = Replicator([Point(scenario, seed)], None).extend([(0, count)])
    return real.values[:, real.names.index("patients")]


def depleting(population: int) -> Scenario:
    settings = {
        "name": "depleting",
        "days": 30,
        "fronts": [{"name": "F", "population": population, "nations": {"USA": 1.0}}],
        "casualties": {"rates": {"battle": 30.0, "disease": 2.0, "depletion": True}},
    }
    return resolve(parse(json.dumps(settings).encode(), "json"))


@pytest.mark.parametrize(("name", "settings"), [("brigade", {}), ("coin", {}), ("division", {"days": 3})])
def test_nine_of_ten_replications_lie_in_the_range_and_have_the_mean(
    name: str, settings: dict[str, Any]
) -> None:
    scenario = builtin(name, **settings)
    chance = found(scenario)
    patients = casualties(scenario, 99, 200)
    inside = ((patients >= chance.low) & (patients <= chance.high)).mean()
    assert 0.84 <= inside <= 0.96
    interval = mean_interval(patients, 0.9999)
    assert interval.low < chance.mean < interval.high


def test_the_range_is_that_of_rates_that_vary_and_not_of_chance_alone() -> None:
    """Were the rates of every replication the same, 270 casualties would vary by 27 either way."""
    chance = found(builtin("brigade"))
    poisson = np.random.default_rng(1).poisson(chance.mean, 10_000)
    assert chance.high - chance.low > 3 * (np.quantile(poisson, 0.95) - np.quantile(poisson, 0.05))


def test_a_run_is_placed_among_the_replications_of_its_seed() -> None:
    scenario = builtin("brigade")
    spread = total_spread(plan_arrivals(scenario), 1)
    assert spread is not None
    patients = casualties(scenario, 1, 20)
    assert spread.counts[:20].tolist() == patients.tolist() and patients[0] == 171
    chance = found(scenario, 1, 171)
    assert chance.fewer + chance.more < 1 and chance.more > 0.95
    assert "99 % have more than this one" in chance.sentence
    assert "nine of ten between" in chance.sentence and "270 casualties on average" in chance.sentence
    assert "this one" not in found(scenario, 1, 270).sentence
    assert "nearly all have fewer than this one" in found(scenario, 1, 2000).sentence


def test_listed_casualties_come_on_top() -> None:
    scenario = builtin("brigade")
    incident = {"at": "day 3 06:00", "front": scenario.fronts[0].name, "number": 500}
    listed = builtin("brigade", incidents=[incident])
    assert found(listed).mean == pytest.approx(found(scenario).mean + 500)
    assert found(listed).low == found(scenario).low + 500


def test_where_forces_deplete_the_mean_is_that_of_those_who_are_left() -> None:
    scenario = depleting(100)
    chance = found(scenario)
    theory = sum(row.expected for row in expected_arrivals(plan_arrivals(scenario)))
    assert theory == pytest.approx(chance.mean, rel=0.05)
    assert chance.high <= 100 < 30 * 0.032 * 100 + 10
    assert chance_of(depleting(1_000_000), 1, 5) is None


def test_a_number_that_is_given_is_the_same_in_all_replications() -> None:
    scenario = builtin("standard")
    chance = found(scenario, 1, 1440)
    assert (chance.low, chance.mean, chance.high) == (1440, 1440, 1440)
    assert "every replication has 1,440 casualties, but not the same deaths" in chance.sentence
    assert "average" not in chance.sentence
    assert "1 casualty," in found(builtin("standard", **{"casualties.total": 1}), 1, 1).sentence


def test_it_takes_less_than_a_fifth_of_a_second() -> None:
    scenario = builtin("division")
    seconds = []
    for _ in range(3):
        begun = time.process_time()
        found(scenario)
        seconds.append(time.process_time() - begun)
    assert min(seconds) < 0.2


def test_nothing_is_said_where_machine_code_would_have_to_be_compiled(tmp_path: Path) -> None:
    code = (
        "import scenarios; from engine.scenario import parse, resolve; from goldenhour.chance import chance_of;"
        "print(chance_of(resolve(parse(scenarios.builtin_bytes('brigade'), 'toml')), 1, 171))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"GOLDENHOUR_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "None"


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", "brigade", "--workers", "0", "--no-store", "--force", "-o", str(tmp_path / "out")]
    assert run(arguments) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert found(builtin("brigade"), 1, 171).sentence in shown
    assert run([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    numbers = document["casualties_over_replications"]
    assert numbers["low"] < 270 < numbers["high"] and numbers["mean"] == pytest.approx(270)
    assert numbers["more"] > 0.95 and document["patients"] == 171
    assert run([*arguments, "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_a_notebook_shows_it() -> None:
    result = goldenhour.simulate("brigade", days=5)
    assert result.chance is not None
    assert result.chance.sentence in result._repr_html_()
    assert result.chance.casualties == len(result)
