"""Optimisation: the answer follows the question, says how sure it is, and names what is in the way."""

import csv
import dataclasses
import json
import math
import re
import tomllib

import numpy as np
import pyarrow.parquet
import pytest

import goldenhour
from engine.errors import GoldenhourError, InputError, ScenarioError
from engine.experiments import costs_of, optimisation_points, parse_optimisation
from engine.inference import Requirement
from goldenhour.__main__ import run
from goldenhour.optimisation import OptimisationRequest, run_optimisation
from goldenhour.optimisation_files import load_optimisation

TABLES = {
    "name": "tables",
    "paths": ["facilities[R2-North].operating_tables", "facilities[R2-North].surgical_teams"],
    "levels": [1, 2, 3, 4],
}
MANY_BEDS = {
    "facilities[R2-North].icu_beds": 100,
    "facilities[R2-North].ward_beds": 200,
    "facilities[R2-North].treatment_bays": 30,
}
FEW_ICU_BEDS = {**MANY_BEDS, "facilities[R2-North].icu_beds": 2}
BUSY_DAY = {"casualties.rates.battle.mean": 8, "casualties.rates.battle.sd": 1}


def plan(*factors, settings=None, **sections):
    return {
        "scenario": "brigade",
        "days": 1,
        "settings": {**BUSY_DAY, **(settings or {})},
        "factors": list(factors) or [TABLES],
        **sections,
    }


def surgery(at_most, probability=None):
    limit = {"measure": "surgery", "at_most": at_most}
    return [limit if probability is None else {**limit, "probability": probability}]


def decisions(found):
    return {point.label: point.decision for point in found.points}


# --- the cheapest


@pytest.fixture(scope="module")
def strict():
    """The cheapest number of tables for half of the replications within five hours."""
    return goldenhour.optimise(plan(constraints=surgery(300, 0.5), search={"most": 200}))


def test_the_answer_changes_with_the_constraint(strict):
    lenient = goldenhour.optimise(plan(constraints=surgery(600, 0.5), search={"most": 200}))
    assert lenient.best is not None
    assert strict.best is not None
    assert lenient.best.values < strict.best.values
    assert strict.best.label in strict.sentences[0]
    assert "in at least 50 % of replications" in strict.sentences[0]
    assert decisions(strict)["tables=1"] == "fails"


def test_a_mean_can_be_constrained_and_costs_are_the_users():
    cost = "100 - 10 * tables"
    found = goldenhour.optimise(
        plan(optimise={"cost": cost}, constraints=surgery(5000), search={"most": 100})
    )
    assert found.best is not None
    assert found.best.label == "tables=4"
    assert found.best.cost == 60.0
    assert "on average" in found.sentences[0]


def test_the_decision_is_that_of_the_replications(strict):
    point = strict.points[-1]
    many = goldenhour.replicate(
        "brigade",
        point.replications,
        days=1,
        settings={**BUSY_DAY, **dict.fromkeys(TABLES["paths"], point.values[0])},
    )
    values = many.values("surgery")
    share = (values[~np.isnan(values)] <= 300).mean()
    assert point.intervals[0].estimate == pytest.approx(share)
    assert point.intervals[0].low < share < point.intervals[0].high


def test_a_formula_can_be_constrained(strict):
    formula = "surgery / 60 + 0 * deaths"
    hours = goldenhour.optimise(
        plan(
            constraints=[{"measure": formula, "at_most": 5, "probability": 0.5}],
            search={"most": 200},
        )
    )
    assert decisions(hours) == decisions(strict)


def test_beds_are_named_where_they_are_in_the_way_and_tables_where_these_are():
    """With 2 ICU beds the operated keep the tables; with 100 nothing does, and one or two tables are too few."""
    beds = goldenhour.optimise(
        plan(settings=FEW_ICU_BEDS, constraints=surgery(100, 0.9), search={"most": 100})
    )
    assert beds.best is None
    assert beds.bottleneck.resource == "ICU beds"
    assert "operating tables" in beds.bottleneck.holds
    assert "The limit is R2-North's ICU beds" in beds.sentences[1]
    few = {**TABLES, "levels": [1, 2]}
    tables = goldenhour.optimise(
        plan(few, settings=MANY_BEDS, constraints=surgery(100, 0.9), search={"most": 100})
    )
    assert tables.best is None
    assert tables.bottleneck.resource == "operating tables"
    assert "The limit is R2-North's operating tables" in tables.sentences[1]
    assert tables.bottleneck.busy > 0.9
    assert tables.sentences[0].startswith("No number of tables from 1 to 2 keeps")


def test_where_nobody_waits_long_care_itself_is_named():
    quiet = {"casualties.rates.battle.mean": 1, "casualties.rates.battle.sd": 0.1}
    found = goldenhour.optimise(
        plan(
            {**TABLES, "levels": [3, 4]},
            settings={**quiet, **MANY_BEDS},
            constraints=surgery(20, 0.9),
            search={"most": 50},
        )
    )
    assert found.best is None
    assert "No wait is the largest part of the time to surgery" in found.sentences[1]


def test_a_point_that_cannot_be_decided_is_said_to_be():
    first = goldenhour.optimise(plan(constraints=surgery(600, 0.5), search={"most": 200}))
    share = first.points[0].intervals[0].estimate
    found = goldenhour.optimise(
        plan(
            {**TABLES, "levels": [1, 2]},
            constraints=surgery(600, round(share, 2)),
            search={"most": 50, "indifference": 0.0},
        )
    )
    assert decisions(found)["tables=1"] == "too close"
    assert "known to keep" in found.sentences[0]
    assert not any("no cheaper one does" in sentence for sentence in found.sentences)
    assert any(sentence.startswith("Too close to call after 50") for sentence in found.sentences)


def test_what_is_in_the_way_is_not_named_where_nothing_is_decided():
    """The most expensive point may meet the constraint, so nothing is known to be in its way."""
    beds = "facilities[R2-North].ward_beds"
    values = goldenhour.replicate("brigade", 25, days=1, settings={**BUSY_DAY, beds: 200}).values("surgery")
    found = goldenhour.optimise(
        plan(
            {"path": beds, "levels": [200, 201]},
            constraints=surgery(float(np.nanmedian(values)), 0.5),
            search={"most": 25},
        )
    )
    assert found.best is None and not found.decided
    assert found.bottleneck is None
    assert not any("limit is" in sentence or "waits for" in sentence for sentence in found.sentences)
    assert len(found.sentences) == 2


def test_a_mean_is_decided_from_the_least_number_that_is_accepted():
    """With LEAST_VALUES replications the engine decides what is clear, and with fewer nothing."""
    far = Requirement(at_most=1000.0)
    assert far.decide([1.0, 2.0] * 25, 0.05, 0.05).verdict == "met"
    assert far.decide([1.0, 2.0] * 24, 0.05, 0.05).verdict == "open"


def test_notes_are_shown_with_the_answer():
    found = goldenhour.optimise(plan(constraints=surgery(600, 0.5), search={"most": 50}))
    noted = dataclasses.replace(found, notes=("less is < more",))
    assert repr(noted).splitlines() == [*found.sentences, "note: less is < more"]
    assert "note: less is &lt; more" in noted._repr_html_()


def test_monotone_factors_are_halved():
    many = {**TABLES, "levels": list(range(1, 17))}
    arguments = {"settings": MANY_BEDS, "constraints": surgery(240, 0.6)}
    order = goldenhour.optimise(plan(many, **arguments, search={"most": 100}))
    halved = goldenhour.optimise(plan(many, **arguments, search={"most": 100, "monotone": True}))
    assert halved.best is not None
    assert halved.best.label == order.best.label
    assert halved.point(8).decision == "meets"  # the middle one is looked at first
    assert len(halved) < 8


# --- the best, and the front


def test_the_best_of_a_list_is_selected_and_the_others_are_dropped_early():
    points = [
        {"label": f"{number} tables", "settings": dict.fromkeys(TABLES["paths"], number)}
        for number in (1, 4, 2)
    ]
    found = goldenhour.optimise(
        {
            **plan(optimise={"goal": "best"}, search={"objective": "surgery", "difference": 15.0}),
            "factors": [],
            "points": points,
        }
    )
    assert found.decided
    assert found.best.label == "4 tables"
    assert found.best.replications >= max(point.replications for point in found.points)
    assert decisions(found)["1 tables"] == "dropped"
    assert "with the lowest mean" in found.sentences[0]
    assert found.point(0).replications < found.best.replications
    worst = goldenhour.optimise(
        {
            **plan(
                optimise={"goal": "best"},
                search={"objective": "surgery", "difference": 15.0, "better": "more"},
            ),
            "factors": [],
            "points": points,
        }
    )
    assert worst.best.label == "1 tables"


def test_a_front_of_two_factors():
    bays = {"name": "bays", "path": "facilities[R2-North].treatment_bays", "levels": [5, 6]}
    found = goldenhour.optimise(
        plan(
            {**TABLES, "levels": [1, 2, 4]},
            bays,
            optimise={"goal": "front", "cost": {"tables": 5, "bays": 1}},
            search={"objective": "surgery", "difference": 100.0, "most": 200},
        )
    )
    assert len(found) == 6
    assert found.front[0].cost == 10.0
    means = [point.intervals[0].estimate for point in found.front]
    assert means == sorted(means, reverse=True)
    assert all(point.by for point in found.points if point.decision not in ("on the front", "not decided"))
    assert {row["label"] for row in found.to_arrow().to_pylist()} == {point.label for point in found.points}
    assert len(found.to_pandas()) == len(found.to_polars()) == 6
    assert "<table>" in found._repr_html_()
    assert repr(found).splitlines() == [*found.sentences, *(f"note: {note}" for note in found.notes)]


def test_what_never_varied_is_said_and_is_not_covered_by_the_confidence():
    """Tables do not change how many are hurt: all differences are 0, which does not bound their mean."""
    arguments = {
        "search": {"objective": "patients", "difference": 5.0},
        "settings": {"casualties.rates.battle.mean": 1},
    }
    front = goldenhour.optimise(plan({**TABLES, "levels": [2, 4]}, optimise={"goal": "front"}, **arguments))
    assert decisions(front) == {"tables=2": "on the front", "tables=4": "not worth it"}
    assert "confidence in all of it but what is said of tables=4" in front.sentences[1]
    assert front.sentences[-1].startswith(
        "tables=4: all differences from a better or cheaper point were equal."
    )
    assert front.point(1).replications >= 299
    best = goldenhour.optimise(plan({**TABLES, "levels": [2, 4]}, optimise={"goal": "best"}, **arguments))
    assert best.decided and not best.undecided
    assert sorted(decisions(best).values()) == ["best", "equal"]
    assert "all differences from the best were equal" in best.sentences[-1]
    least = plan(
        {**TABLES, "levels": [2, 4]},
        constraints=[{"measure": "patients - patients", "at_most": 1}],
        settings={"casualties.rates.battle.mean": 1},
    )
    cheapest = goldenhour.optimise(least)
    assert cheapest.best.label == "tables=2" and cheapest.best.replications >= 299
    assert "all values of the mean were equal" in cheapest.sentences[-1]


# --- the file


def test_costs_are_a_formula_a_price_list_or_the_sum():
    text = """
scenario = "brigade"
factors = [
  { name = "a", path = "facilities[R2-North].operating_tables", low = 1, high = 2 },
  { name = "b", path = "facilities[R2-North].surgical_teams", levels = [1, 3] },
]
constraints = [{ measure = "surgery", at_most = 1 }]
"""

    def costs(optimise):
        loaded = load_optimisation({**tomllib.loads(text), "optimise": optimise})
        return costs_of(loaded.plan, optimisation_points(loaded.plan, loaded.base)).tolist()

    assert costs({}) == [2, 4, 3, 5]
    assert costs({"cost": "2 * a + b ** 2"}) == [3, 11, 5, 13]
    assert costs({"cost": {"a": 10}}) == [10, 10, 20, 20]
    with pytest.raises(ScenarioError, match=r"optimise.cost: got 'aa'.*did you mean 'a'\?"):
        costs({"cost": "2 * aa"})
    with pytest.raises(ScenarioError, match="a finite value at each point"):
        costs({"cost": "1 / (a - 1)"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"constraints": []}, r"constraints: got \(missing\)"),
        ({"constraints": [{"measure": "surgery"}]}, r"constraints\[0\].at_most: got \(missing\)"),
        (
            {"constraints": [{"measure": "surgery", "at_most": 1, "probability": 95}]},
            r"probability: got 95.*did you mean 0\.95\?",
        ),
        ({"constraints": [{"measure": "2 * (surgery", "at_most": 1}]}, r"constraints\[0\].measure"),
        ({"constraints": [{"mesure": "surgery", "at_most": 1}]}, "did you mean 'measure'"),
        ({"optimise": {"goal": "best"}}, "constraints: got '1 entries'; allowed: none"),
        (
            {"optimise": {"goal": "best"}, "constraints": [], "search": {"objective": "patients"}},
            "difference",
        ),
        ({"search": {"objective": "surgery"}}, 'only with goal = "best" or "front"'),
        ({"search": {"first": 50, "most": 40}}, "at most search.most, 40"),
        ({"search": {"first": 5}}, "search.first: got 5"),
        ({"factors": []}, r"factors: got \(missing\)"),
        ({"factors": [{**TABLES, "paths": ["facilities[R2-North].operating_tabels"]}]}, "did you mean"),
        (
            {"factors": [{"path": "casualties.rates.battle.mean", "low": 1.0, "high": 2.0}]},
            "is no whole number",
        ),
        ({"factors": [{"path": "facilities[R2-North].icu_beds", "low": 1, "high": 10_001}]}, "10,000 points"),
        (
            {"constraints": [{"measure": "sugery", "at_most": 1, "probability": 0.5}]},
            "did you mean 'surgery'",
        ),
        (
            {"constraints": [{"measure": "surgery", "at_most": 1}], "search": {"most": 49}},
            r"search.most: got 49; allowed: at least 50.*constraints\[0\]",
        ),
        (
            {"constraints": [{"measure": "surgery", "at_most": 1}], "search": {"indifference": 0.1}},
            "search.indifference: got 0.1; allowed: only where a constraint has a probability",
        ),
        (
            {"optimise": {"goal": "best"}, "constraints": [], "search": {"indifference": 0.02}},
            'search.indifference: got 0.02; allowed: only with goal = "cheapest"',
        ),
        (
            {"optimise": {"goal": "front"}, "constraints": [], "search": {"indifference": 0.1}},
            'only with goal = "cheapest"',
        ),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(change, message):
    arguments = {**plan(constraints=surgery(300, 0.5), search={"most": 25}), **change}
    with pytest.raises(GoldenhourError, match=message) as caught:
        goldenhour.optimise(arguments)
    assert caught.value.exit_code == 2


def test_too_many_points_are_refused_with_their_price():
    wide = [
        {"path": f"facilities[R2-North].{name}", "low": 1, "high": 30}
        for name in ("icu_beds", "ward_beds", "operating_tables")
    ]
    with pytest.raises(
        InputError, match=r"27,000 points, 675,000 replications at least.*about .* of computing"
    ):
        goldenhour.optimise(plan(*wide, constraints=surgery(300, 0.5)))


def test_the_commands(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["optimise", "new", "mine.toml"]) == 0
    written = (tmp_path / "mine.toml").read_text()
    parsed, _ = parse_optimisation(written.encode())
    assert parsed.goal == "cheapest"
    assert run(["optimise", "new", "mine.toml"]) == 2
    assert run(["optimise", "check", "mine.toml"]) == 0
    assert "12 points, 300 replications at least" in capsys.readouterr().out
    (tmp_path / "mine.toml").write_text("days = 2\n" + written.replace("high = 12", "high = 2"))
    assert run(["optimise", "mine.toml", "--workers", "0", "--no-store"]) == 0
    shown = capsys.readouterr().out
    assert "P(surgery <= 120)" in shown
    assert "ambulances=2" in shown
    assert run(["optimise", "mine.toml", "--workers", "0", "--no-store", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["points"] == 2
    assert found["sentences"]
    assert not any(math.isnan(row["value"] or 0.0) for row in found["rows"])
    assert run(["optimise", "none.toml"]) == 2


DAYS = """scenario = "coin"
[[factors]]
path = "days"
levels = [1, 10, 30]
[[constraints]]
measure = "patients"
at_least = 40
probability = 0.9
[[constraints]]
measure = "patients"
at_most = 200
"""


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_folder_of_an_optimisation_can_be_repeated(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDENHOUR_CACHE", "off")
    (tmp_path / "days.toml").write_text(DAYS)

    def call(*arguments):
        code = run(["optimise", *arguments, "--no-store", "--quiet"])
        return code, capsys.readouterr().err

    assert call("days.toml", "--workers", "0", "-o", "here") == (0, "")
    assert call("here/optimisation.toml", "--workers", "0", "-o", "again") == (0, "")
    found = files(tmp_path / "here")
    assert sorted(found) == [
        "estimates.csv",
        "manifest.json",
        "optimisation.toml",
        "points.parquet",
        "results.parquet",
    ]
    assert files(tmp_path / "again") == found

    points = pyarrow.parquet.read_table(tmp_path / "here/points.parquet").to_pylist()
    assert [point["decision"] for point in points] == ["fails", "fails", "meets"]
    assert [point["cost"] for point in points] == [1.0, 10.0, 30.0]
    results = pyarrow.parquet.read_table(tmp_path / "here/results.parquet").to_pylist()
    assert len(results) == sum(point["replications"] for point in points)
    assert {row["measure"] for row in results} == {"patients"}
    values = [row["value"] for row in results if row["point"] == 1]
    estimates = list(csv.DictReader((tmp_path / "here/estimates.csv").open()))
    (share, mean) = [row for row in estimates if row["point"] == "1"]
    assert (share["constraint"], mean["constraint"]) == ("0", "1")
    assert float(share["value"]) == np.mean([value >= 40 for value in values])
    assert float(mean["value"]) == pytest.approx(np.mean(values))
    manifest = json.loads(found["manifest.json"])
    assert (manifest["kind"], manifest["points"], manifest["replications"]) == (
        "optimisation",
        3,
        len(results),
    )

    code, errors = call("days.toml", "--workers", "0", "-o", "here")
    assert (code, "--force to replace an earlier run" in errors) == (2, True)
    (tmp_path / "days.toml").write_text(DAYS + "[search]\nfirst = 30\n")
    assert call("days.toml", "--workers", "0", "-o", "here", "--force") == (0, "")
    assert files(tmp_path / "here") != found
    with pytest.raises(InputError, match="holds an optimisation; allowed: the folder of an experiment"):
        goldenhour.open_experiment(tmp_path / "here")
    (tmp_path / "days.toml").write_text(DAYS.replace('"patients"', '"patient"'))
    assert call("days.toml", "--workers", "0", "-o", "mistake")[0] == 2
    assert not (tmp_path / "mistake").exists()


def test_what_is_finished_in_a_folder_is_not_simulated_again(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("GOLDENHOUR_CACHE", "off")
    (tmp_path / "days.toml").write_text(DAYS)
    assert goldenhour.optimise(tmp_path / "days.toml", output=tmp_path / "whole").folder == tmp_path / "whole"
    loaded = load_optimisation(tmp_path / "days.toml")
    request = OptimisationRequest(loaded, loaded.design(), tmp_path / "cut")

    def cut(detail, phase):
        if detail.replications >= 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_optimisation(request, cut)
    (tmp_path / "days.toml").write_text(DAYS.replace("0.9", "0.5"))
    other = ["optimise", str(tmp_path / "days.toml"), "--workers", "0", "--no-store"]
    assert run([*other, "-o", str(tmp_path / "cut")]) == 2
    assert "differs in what the optimisation file says" in capsys.readouterr().err
    known = []
    assert run_optimisation(request, lambda detail, phase: known.append(detail.cached)).decided
    assert known[-1] >= 25
    assert files(tmp_path / "cut") == files(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run_optimisation(dataclasses.replace(request, output=tmp_path / "resumed"), cut)
    assert run(["resume", str(tmp_path / "resumed"), "--no-store", "--quiet"]) == 0
    assert files(tmp_path / "resumed") == files(tmp_path / "whole")


def test_a_front_is_drawn(tmp_path, capsys):
    file = tmp_path / "front.toml"
    file.write_text(
        'scenario = "brigade"\ndays = 1\n'
        'settings = { "casualties.rates.battle.mean" = 12, "casualties.rates.battle.sd" = 1 }\n'
        '[optimise]\ngoal = "front"\n'
        '[[factors]]\nname = "tables"\npaths = ["facilities[R2-North].operating_tables", '
        '"facilities[R2-North].surgical_teams"]\nlow = 1\nhigh = 4\n'
        '[search]\nobjective = "surgery"\ndifference = 30\nmost = 100\n'
    )
    assert run(["optimise", str(file), "--workers", "0", "--no-store"]) == 0
    shown = capsys.readouterr().out
    assert "O on the front" in shown
    assert re.search(r"^ *[\d,.]+ \|O", shown, re.MULTILINE)
