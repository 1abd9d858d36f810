"""Experiments: the same bytes however they are carried out, nothing lost by a kill, and answers with intervals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import digests, manifest

import goldenhour
from actors.cluster import package_root
from actors.run import EXPERIMENT_FILES
from actors.store import ExperimentDetail
from engine.errors import InputError
from goldenhour.__main__ import run
from goldenhour.experiment_driver import ExperimentRequest, run_experiment
from goldenhour.experiment_files import load_experiment
from goldenhour.experiment_result import Experiment

RATE = "casualties.rates.battle.mean"

PLAN = """
scenario = "coin"
days = 2
[[factors]]
name = "accuracy"
path = "triage_accuracy"
levels = [0.6, 1.0]
[[factors]]
name = "fighting"
path = "casualties.rates.battle.mean"
levels = [0.3, 0.6]
[replications]
count = 12
[results]
measures = ["deaths", "surgery", "patients"]
quantiles = [0.5]
formulas = { both = "deaths + patients / 100" }
"""

KILLED = """
import os, sys
from pathlib import Path
from actors.experiments import BatchJournal
from goldenhour.experiment_driver import ExperimentRequest, run_experiment
from goldenhour.experiment_files import load_experiment

append = BatchJournal.append

def append_and_kill(self, *arguments):
    append(self, *arguments)
    if sys.argv[3] == "running":
        os.kill(os.getpid(), 9)

def kill(detail, phase):
    if phase == sys.argv[3] == "finishing":
        os.kill(os.getpid(), 9)

BatchJournal.append = append_and_kill
loaded = load_experiment(sys.argv[1])
run_experiment(ExperimentRequest(loaded, loaded.design(), Path(sys.argv[2])), kill)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the file plan.toml, and the results of that experiment in its folder `whole`."""
    found = tmp_path_factory.mktemp("experiment")
    (found / "plan.toml").write_text(PLAN)
    goldenhour.experiment(found / "plan.toml", output=found / "whole")
    return found


@pytest.fixture
def uncached(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cache: what is known again comes from the output folder."""
    monkeypatch.setenv("GOLDENHOUR_CACHE", "off")


def cut_off(folder: Path, output: Path, phase: str = "running") -> None:
    """Leave an experiment whose driver was killed when 12 of its 48 replications were finished, or at its end."""
    command = [sys.executable, "-c", KILLED, str(folder / "plan.toml"), str(output), phase]
    environment = {**os.environ, "GOLDENHOUR_CACHE": "off"}
    done = subprocess.run(
        command, cwd=package_root.PACKAGE_ROOT, check=False, timeout=300, capture_output=True, env=environment
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [path.name for path in output.iterdir()] == [".goldenhour-partial"]


def contents(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in output.iterdir()}


def carried_out(
    plan: str | dict[str, Any] | Path, **options: Any
) -> tuple[Experiment, list[ExperimentDetail]]:
    """Carry an experiment out; return also its reports."""
    reports: list[ExperimentDetail] = []
    loaded = load_experiment(plan)
    request = ExperimentRequest(loaded, loaded.design(), **options)
    return run_experiment(request, lambda detail, phase: reports.append(detail)), reports


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["experiment", *arguments]) == 2
    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    return " ".join(printed.split())


# --- the files


def test_the_manifest_names_the_files_with_their_digests(folder: Path) -> None:
    import hashlib

    found = contents(folder / "whole")
    assert set(found) == {*EXPERIMENT_FILES, "manifest.json"}
    for name, digest in digests(folder / "whole").items():
        assert hashlib.sha256(found[name]).hexdigest() == digest
    document = manifest(folder / "whole")
    assert (document["kind"], document["points"], document["replications"]) == ("experiment", 4, 48)
    assert document["experiment_sha256"] == digests(folder / "whole")["experiment.toml"]


def test_rows_come_by_point_replication_and_measure(folder: Path) -> None:
    import pandas

    rows = pandas.read_parquet(folder / "whole" / "results.parquet")
    assert len(rows) == 4 * 12 * 4
    assert rows["point"].is_monotonic_increasing
    first = rows[rows["point"] == 0]
    assert first["replication"].tolist() == np.repeat(np.arange(12), 4).tolist()
    assert first["measure"].tolist()[:4] == ["deaths", "surgery", "patients", "both"]
    points = pandas.read_parquet(folder / "whole" / "points.parquet")
    assert points["fighting"].tolist() == [0.3, 0.6, 0.3, 0.6]
    assert points["replications"].tolist() == [12] * 4
    assert points["scenario_hash"].nunique() == 4


def test_a_replication_of_a_point_is_that_of_its_scenario(folder: Path) -> None:
    found = goldenhour.open_experiment(folder / "whole")
    settings = {"triage_accuracy": 1.0, RATE: 0.6}
    alone = goldenhour.replicate("coin", 12, settings=settings, days=2)
    for measure in ("deaths", "surgery", "patients"):
        expected = alone.values(measure)
        assert np.array_equal(found.values(measure, "accuracy=1; fighting=0.6"), expected, equal_nan=True)
    both = found.values("deaths", 3) + found.values("patients", 3) / 100
    assert np.allclose(found.values("both", 3), both, equal_nan=True)


def test_the_differences_are_those_of_compare(folder: Path) -> None:
    found = goldenhour.open_experiment(folder / "whole")
    settings = {"triage_accuracy": 0.6, RATE: 0.3}
    changes = [
        {"triage_accuracy": accuracy, RATE: rate} for accuracy, rate in ((0.6, 0.6), (1.0, 0.3), (1.0, 0.6))
    ]
    expected = goldenhour.compare(
        "coin", settings=settings, changes=changes, days=2, pairs=12, measures=["deaths"]
    )
    for each in expected.differences:
        own = found.estimate("deaths", each.alternative)
        assert own.difference == each.difference
        assert found.difference(own) == each


def test_an_experiment_is_read_back_as_it_was(folder: Path) -> None:
    one = goldenhour.experiment(folder / "plan.toml")
    other = goldenhour.open_experiment(folder / "whole")
    assert other.folder == folder / "whole"
    assert (one.sentences, one.notes, one.factors) == (other.sentences, other.notes, other.factors)
    assert repr(one.estimates) == repr(other.estimates)
    assert repr(one.effects) == repr(other.effects)
    assert one.points == other.points
    assert "Of 2 factors" in repr(one)
    assert "<td>accuracy=0.6; fighting=0.3</td>" in one._repr_html_()
    for table in ("results", "points", "estimates", "effects"):
        assert one.to_arrow(table).equals(other.to_arrow(table)), table
    assert len(one.to_pandas("effects")) == len(one.to_polars("effects")) == len(one.effects)
    with pytest.raises(InputError, match="did you mean 'deaths'"):
        one.values("death")
    with pytest.raises(InputError, match="allowed: 0 to 3, or a label"):
        one.estimate("deaths", 4)
    with pytest.raises(InputError, match="allowed: results, points, estimates, effects"):
        one.to_arrow("result")


def test_the_plan_in_the_folder_gives_the_same_results_again(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text('name = "small"\ndays = 2\n[casualties]\ntotal = 20\n')
    (tmp_path / "mine.toml").write_text(
        'scenario = "small.toml"\nsettings = { "casualties.total" = 25 }\n'
        "[[points]]\n[[points]]\nlabel = 'ten'\nsettings = { 'casualties.total' = 10 }\n"
        "[replications]\ncount = 3\n[results]\nmeasures = ['patients']\n"
    )
    found = goldenhour.experiment(tmp_path / "mine.toml", output=tmp_path / "one")
    assert [estimate.mean.estimate for estimate in found.estimates] == [25.0, 10.0]
    (tmp_path / "small.toml").unlink()
    goldenhour.experiment(tmp_path / "one" / "experiment.toml", output=tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


# --- however it is carried out


@pytest.mark.parametrize("phase", ["running", "finishing"])
def test_after_a_kill_nothing_finished_is_simulated_again(
    folder: Path, tmp_path: Path, uncached: None, phase: str
) -> None:
    output = tmp_path / "out"
    cut_off(folder, output, phase)
    _, reports = carried_out(folder / "plan.toml", output=output)
    last, known = reports[-1], 12 if phase == "running" else 48
    assert (last.replications, last.replications_wanted, last.cached) == (48, 48, known)
    assert all(known <= each.replications <= each.replications_wanted == 48 for each in reports[1:])
    assert contents(output) == contents(folder / "whole")


def test_resume_continues_a_killed_experiment_with_a_damaged_journal(
    folder: Path, tmp_path: Path, uncached: None, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    cut_off(folder, output)
    journal = output / ".goldenhour-partial" / "journal-0.batches"
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 1
    journal.write_bytes(data)
    assert run(["resume", str(output), "--no-store"]) == 0
    assert contents(output) == contents(folder / "whole")
    assert run(["resume", str(output), "--no-store"]) == 0
    assert "is finished: nothing to do" in capsys.readouterr().err


def test_an_interrupted_experiment_says_how_it_continues(
    folder: Path,
    tmp_path: Path,
    uncached: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from goldenhour import views

    def interrupt(detail: ExperimentDetail) -> str:
        if detail.replications >= 24:
            raise KeyboardInterrupt
        return ""

    output = tmp_path / "out"
    command = ["experiment", str(folder / "plan.toml"), "-o", str(output), "--workers", "0", "--no-store"]
    with monkeypatch.context() as changed:
        changed.setattr(views, "experiment_words", interrupt)
        assert run(command) == 130
    assert f"`goldenhour resume {output}` continues" in capsys.readouterr().err
    assert run(command) == 0
    assert contents(output) == contents(folder / "whole")


def test_another_level_simulates_only_what_is_new(tmp_path: Path) -> None:
    plan = f"seed = {time.time_ns() % 2**31}\n{PLAN}"  # no earlier experiment had this seed
    (tmp_path / "plan.toml").write_text(plan)
    _, reports = carried_out(tmp_path / "plan.toml")
    assert reports[-1].cached == 0
    (tmp_path / "more.toml").write_text(plan.replace("[0.3, 0.6]", "[0.3, 0.6, 0.9]"))
    _, reports = carried_out(tmp_path / "more.toml")
    last = reports[-1]
    assert (last.replications, last.replications_wanted, last.cached) == (72, 72, 48)
    (tmp_path / "longer.toml").write_text(plan.replace("count = 12", "count = 30"))
    _, reports = carried_out(tmp_path / "longer.toml")
    last = reports[-1]
    assert (last.replications, last.replications_wanted, last.cached) == (120, 120, 48)


def test_an_output_that_is_not_of_this_experiment_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = str(folder / "plan.toml")
    assert "is not empty" in refused(
        capsys, plan, "-o", str(folder / "whole"), "--workers", "0", "--no-store"
    )
    (tmp_path / "estimates.csv").write_text("mine")
    assert "is in the way" in refused(
        capsys, plan, "-o", str(tmp_path), "--force", "--workers", "0", "--no-store"
    )
    assert (tmp_path / "estimates.csv").read_text() == "mine"
    output = tmp_path / "again"
    goldenhour.experiment(plan, output=output)
    (output / "notes.txt").write_text("mine")
    goldenhour.experiment(plan, output=output, force=True)
    assert (output / "notes.txt").read_text() == "mine"
    with pytest.raises(InputError, match="there is no finished experiment"):
        goldenhour.open_experiment(tmp_path)


# --- what it says


def test_replications_are_added_until_the_intervals_are_narrow_enough() -> None:
    plan: dict[str, Any] = {
        "scenario": "coin",
        "days": 2,
        "factors": [{"path": RATE, "levels": [0.3, 0.6, 0.61]}],
        "replications": {"first": 20, "most": 400, "half_width": {"patients": 0.7}},
        "results": {"measures": ["patients"]},
    }
    found, reports = carried_out(plan)
    assert found.precise
    for estimate in found.estimates[1:]:
        assert estimate.difference is not None
        assert estimate.difference.half_width <= 0.7
    assert any("patients of" in report.widest for report in reports)
    capped = goldenhour.experiment(
        {**plan, "replications": {"first": 20, "most": 25, "half_width": {"patients": 0.01}}}
    )
    assert not capped.precise
    assert [point.replications for point in capped.points] == [25] * 3
    assert any("the cap" in note for note in capped.notes)


def test_a_measure_without_data_is_counted_and_one_that_does_not_vary_is_said_so() -> None:
    found = goldenhour.experiment(
        {
            "scenario": "coin",
            "days": 1,
            "factors": [{"path": RATE, "levels": [0.1, 0.3]}],
            "replications": {"count": 12},
            "results": {"measures": ["surgery"], "formulas": {"nothing": "0 * patients"}},
        }
    )
    few = found.estimate("surgery", 0)
    assert few.mean.missing > 0
    assert few.mean.count + few.mean.missing == 12
    assert any(f"no data in {few.mean.missing} of 12 replications" in note for note in found.notes)
    assert any(note.startswith("nothing") and "all 12 values are equal" in note for note in found.notes)
    rows = found.to_pandas()
    assert rows["value"].isna().sum() >= few.mean.missing


MORRIS = {
    "scenario": "coin",
    "days": 2,
    "design": {"kind": "Morris", "trajectories": 8},
    "factors": [
        {"name": "fighting", "path": RATE, "low": 0.1, "high": 0.9},
        {"name": "accuracy", "path": "triage_accuracy", "low": 0.6, "high": 1.0},
    ],
    "replications": {"count": 8},
    "results": {"measures": ["patients"]},
}


def test_morris_ranks_the_factor_that_does_nothing_last() -> None:
    found = goldenhour.experiment(MORRIS)
    assert found.sentences[0].startswith("Of 2 factors, fighting moves patients most: ")
    assert "One cannot be told from chance" in found.sentences[0]
    few = goldenhour.experiment({**MORRIS, "replications": {"count": 2}})
    assert few.sentences[0].startswith(
        "Of 2 factors, none moves patients so that it can be told from chance; the largest"
    )
    assert {effect.statistic for effect in found.effects} >= {"mu*", "mu", "sigma"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("triage_accuracy", "triage_acuracy"), "did you mean 'triage_accuracy'?"),
        (("[0.6, 1.0]", "[0.6, 1.5]"), "triage_accuracy"),
        (("[0.6, 1.0]", "[0.6]"), "two or more levels"),
        (
            ('"triage_accuracy"\nlevels = [0.6, 1.0]', '"description"\nlevels = ["a", "b"]'),
            "'accuracy' changes nothing",
        ),
        (("[replications]", '[design]\nkind = "Moris"\n[replications]'), "did you mean 'Morris'?"),
        (("count = 12", "count = 12\nhalf_width = { deaths = 1 }"), "nothing beside count"),
        (("count = 12", "half_width = { death = 1 }"), "did you mean 'deaths'?"),
        (('"surgery"', '"mortality.kai"'), "did you mean 'mortality.kia'?"),
        (("deaths + patients / 100", "deaths + patient"), "did you mean 'patients'?"),
        (("deaths + patients / 100", "__import__('os')"), "formula"),
        (('"coin"', '"coins"'), "did you mean 'coin'?"),
        (("quantiles", "quantile"), "did you mean 'quantiles'?"),
    ],
)
def test_bad_input_ends_with_exit_code_2_and_is_found_by_check(
    change: tuple[str, str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = str(tmp_path / "plan.toml")
    Path(plan).write_text(PLAN.replace(*change))
    assert message in refused(capsys, plan, "-o", str(tmp_path / "out"), "--workers", "0", "--no-store")
    assert message in refused(capsys, "check", plan)
    assert not (tmp_path / "out").exists()


def test_a_design_of_a_billion_points_is_refused_with_its_price(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    factors = "".join(
        f'[[factors]]\npath = "triage.battle.{name}"\nlevels = {list(range(1, 1001))}\n'
        for name in ("T1", "T2", "T3")
    )
    (tmp_path / "plan.toml").write_text(f'scenario = "coin"\n{factors}')
    printed = refused(capsys, "check", str(tmp_path / "plan.toml"))
    assert "1,000,000,000 points, 100,000,000,000 replications" in printed
    assert "of computing" in printed
    assert "allowed: at most" in printed


def test_a_file_that_does_not_exist_is_refused_with_the_nearest_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "did you mean 'plan.toml'?" in refused(capsys, "check", str(folder / "plam.toml"))
    assert "ends in .toml" in refused(capsys, str(folder / "plan.txt"))


# --- the command line


def test_check_says_what_will_be_done_and_what_it_costs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = str(folder / "plan.toml")
    assert run(["experiment", "check", plan]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "plan: full factorial, with coin, 2 days, seed" in printed
    assert "4 points, 48 replications, about" in printed
    assert "compared with: accuracy=0.6; fighting=0.3" in printed
    assert "fighting 0.3, 0.6 0.3" in printed
    assert run(["experiment", "check", plan, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["price"]["points"] == 4
    assert document["factors"] == {"accuracy": ["triage_accuracy"], "fighting": [RATE]}


def test_the_command_prints_sentences_tables_and_json_and_the_database_has_a_row(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["experiment", str(folder / "plan.toml"), "--workers", "0", "--quiet", "-o"]
    assert run([*command, str(tmp_path / "one"), "--json", "--name", "pair"]) == 0
    document = json.loads(capsys.readouterr().out)
    expected = goldenhour.open_experiment(folder / "whole")
    assert document["sentences"] == list(expected.sentences)
    assert [row["mean"] for row in document["estimates"]] == [
        each.mean.estimate for each in expected.estimates
    ]
    assert run(["experiments", "list", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)[0]
    assert (row["name"], row["kind"], row["state"]) == ("pair", "experiment", "succeeded")
    assert row["detail"]["points_done"] == row["detail"]["points"] == 4
    del command[4]
    assert run([*command, str(tmp_path / "two"), "--no-store"]) == 0
    printed = capsys.readouterr().out
    assert "Of 2 factors, fighting moves patients most" in " ".join(printed.split())
    assert "•" in printed
    assert f"results in {tmp_path / 'two'}" in printed


def test_a_new_file_runs_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "first.toml"
    assert run(["experiment", "new", str(path)]) == 0
    assert "goldenhour experiment check" in capsys.readouterr().out
    assert "exists; --force replaces it" in refused(capsys, "new", str(path))
    found = goldenhour.experiment(path)
    assert (len(found), found.replications, found.measures) == (4, 400, ("deaths", "surgery"))
