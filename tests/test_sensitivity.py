"""`goldenhour sensitivity` ranks assumptions by effect, tells effects from chance, and says if an answer holds."""

import json
import pickle
from typing import Any

import pytest

import goldenhour
from engine.errors import InputError, ScenarioError
from goldenhour import Sensitivity
from goldenhour.__main__ import run
from goldenhour.views import tornado_table

INSTANT, TOURNIQUET, TRIAGE = "instant deaths, standard", "tourniquet works", "minutes of triage"
SURGERY = "treatments.surgery.success"
TEAMS = "facilities[R2-North].surgical_teams"


@pytest.fixture(scope="module")
def found() -> Sensitivity:
    return goldenhour.sensitivity(
        "coin", measures=["deaths", "kia"], only=[TRIAGE, INSTANT, TOURNIQUET], replications=60
    )


def swing_of(found: Sensitivity, name: str, quantity: str = "deaths") -> Any:
    number = [one.name for one in found.assumptions].index(name)
    return next(swing for swing in found.swings[quantity] if swing.assumption == number)


def test_what_matters_comes_first_and_what_does_not_is_not_told_from_chance(found: Sensitivity) -> None:
    names = [one.name for one in found.assumptions]
    for quantity in ("deaths", "kia"):
        widest = found.swings[quantity][0]
        assert names[widest.assumption] == INSTANT and widest.is_told(0.95)
    instant = swing_of(found, INSTANT)
    assert instant.low.high < -1.0 and instant.high.low > 1.0  # fewer and more deaths per 100
    assert not swing_of(found, TRIAGE).is_told(0.95)


def test_an_end_is_the_scenario_with_the_setting_of_that_end(found: Sensitivity) -> None:
    """Were ranges ignored, all ends would be as the scenario is."""
    one = next(one for one in found.assumptions if one.name == INSTANT)
    end = goldenhour.replicate("coin", 60, settings={one.path: one.high})
    assert swing_of(found, INSTANT).at_high == end.estimate("deaths")
    assert found.answers["deaths"] == goldenhour.replicate("coin", 60).estimate("deaths")
    assert swing_of(found, INSTANT).high.estimate == pytest.approx(
        end.estimate("deaths").estimate - found.answers["deaths"].estimate
    )


def test_pairs_make_small_effects_visible(found: Sensitivity) -> None:
    """The tourniquet's effect is far below the half-width of the answer itself."""
    swing = swing_of(found, TOURNIQUET)
    assert swing.low.half_width < 0.5 * found.answers["deaths"].half_width
    assert swing.low.estimate >= 0.0 >= swing.high.estimate  # works less often: more deaths


def test_the_sentence_names_the_assumptions(found: Sensitivity) -> None:
    sentence = found.sentences[0]
    assert sentence.startswith("coin: deaths per 100 battle casualties,")
    assert f"rests most on {INSTANT} (" in sentence and TRIAGE not in sentence
    assert "of 3 assumptions matter" in sentence
    assert repr(found) == "\n".join(found.sentences)
    html = found._repr_html_()
    assert sentence in html and TRIAGE in html
    assert pickle.loads(pickle.dumps(found)).sentences == found.sentences


def test_a_tornado_has_the_widest_bar_first(found: Sensitivity) -> None:
    rows = [row.cells for row in tornado_table(found, found.quantities[0])._rows]
    assert rows[0][0] == INSTANT and rows[0][-1] == "yes"
    bars = [str(row[4]).count("█") for row in rows]
    assert bars == sorted(bars, reverse=True) and bars[0] >= 12


def test_a_range_that_is_given_is_varied_too() -> None:
    path = "casualties.rates.battle.mean"
    result = goldenhour.sensitivity(
        "coin", measures=["patients"], ranges={path: (0.2, 0.5)}, only=[TRIAGE], replications=30
    )
    assert [one.tag for one in result.assumptions] == ["judgement", "given"]
    widest = result.swings["patients"][0]
    assert result.assumptions[widest.assumption].path == path
    battle = 4122 * 30 / 1000
    assert widest.low.estimate == pytest.approx(-0.1 * battle, rel=0.3)
    assert widest.high.estimate == pytest.approx(0.2 * battle, rel=0.3)


def test_the_answer_holds_where_its_sign_stays_the_same() -> None:
    result = goldenhour.sensitivity(
        "coin", {SURGERY: 0.3}, measures=["deaths"], only=[INSTANT], replications=60
    )
    assert result.is_difference and result.labels == ("coin", f"{SURGERY}=0.3")
    assert result.answers["deaths"].low > 0.5  # surgery that fails costs lives
    (sentence,) = result.sentences
    assert sentence.startswith(f"{SURGERY}=0.3 instead of coin:") and "more deaths" in sentence
    assert "The answer holds" in sentence


def test_an_assumption_of_one_scenario_moves_that_scenario_alone() -> None:
    """The second scenario has its own success of surgery, and stays as it is."""
    name = "surgery succeeds, all but brain injuries"
    result = goldenhour.sensitivity("coin", {SURGERY: 0.6}, measures=["dow"], only=[name], replications=60)
    assert [one.name for one in result.assumptions] == [name]
    swing = swing_of(result, name, "dow")
    assert swing.low.estimate < 0.0 < swing.high.estimate  # better surgery in the first: a larger difference


def test_assumptions_without_effect_are_named_and_not_simulated() -> None:
    result = goldenhour.sensitivity(
        "coin",
        measures=["deaths"],
        only=["deterioration in the cold", "autoinjector works", TRIAGE],
        replications=2,
    )
    assert result.idle == ("autoinjector works", "deterioration in the cold")
    assert [one.name for one in result.assumptions] == [TRIAGE]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"only": ["tourniquet work"]}, InputError, "did you mean 'tourniquet works'"),
        ({"measures": ["death"], "only": [TRIAGE], "replications": 2}, InputError, "did you mean 'deaths'"),
        ({"replications": 1}, InputError, "from 2"),
        ({"change": {}}, InputError, "both scenarios are the same"),
        ({"ranges": {"days": (20, 10)}}, InputError, "low below high"),
        ({"ranges": {"days": 20}}, InputError, "ranges: got 20 for 'days'; allowed: a mapping"),
        ({"ranges": [1]}, InputError, "ranges: got"),
        ({"ranges": {"triage_acuracy": (0.2, 0.5)}}, ScenarioError, "did you mean 'triage_accuracy'"),
        ({"ranges": {"casualties.rates.battle.men": (1, 2)}}, ScenarioError, "did you mean 'mean'"),
        ({"ranges": {"model.survivl.x": (1, 2)}}, ScenarioError, "did you mean 'survival'"),
        ({"ranges": {"model.survival.lethalty.x": (1, 2)}}, ScenarioError, "did you mean 'lethality'"),
        ({"ranges": {"name": (1, 2)}}, InputError, r"got a setting of 'coin'; allowed: a number$"),
        ({"change": 3}, InputError, "change: got 3"),
        ({"measures": {"deaths": 1}}, InputError, "measures: got"),
        ({"ranges": {SURGERY: (0.5, 1.5)}, "only": [TRIAGE]}, ScenarioError, "success"),
        ({"settings": {"routing": "transition-matrix"}}, InputError, "rests on no assumption"),
        ({"confidence": 1.0}, InputError, "confidence"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        goldenhour.sensitivity("coin", **arguments)


def test_a_setting_of_a_facility_that_the_scenario_inherits_has_a_range() -> None:
    """The file of `brigade` names no ICU beds: they are in the resolved scenario alone."""
    path = "facilities[R2-North].icu_beds"
    found = goldenhour.sensitivity(
        "brigade", measures="surgery", ranges={path: (2, 6)}, only=[TRIAGE], days=3, replications=10
    )
    given = next(one for one in found.assumptions if one.path == path)
    assert (given.low, given.mode, given.high) == (2, 4, 6)


def test_an_end_beyond_which_the_scenario_lies_is_simulated() -> None:
    """Both ends are above what the scenario has, so neither is how it is."""
    path = "casualties.rates.battle.mean"
    found = goldenhour.sensitivity(
        "coin", measures="patients", ranges={path: (0.5, 0.6)}, only=[TRIAGE], replications=10
    )
    swing = next(one for one in found.swings["patients"] if found.assumptions[one.assumption].path == path)
    assert swing.at_low == goldenhour.replicate("coin", 10, settings={path: 0.5}).estimate("patients")
    assert swing.low.low > 0.0


def test_the_baseline_is_named_by_its_settings() -> None:
    found = goldenhour.sensitivity(
        "coin", {SURGERY: 0.3}, {SURGERY: 0.5}, measures="dow", only=TRIAGE, days=2, replications=4
    )
    assert found.labels == (f"{SURGERY}=0.5", f"{SURGERY}=0.3")


def test_tables_have_a_row_for_each_swing(found: Sensitivity) -> None:
    frame = found.to_pandas()
    assert len(frame) == len(found.quantities) * len(found.assumptions) == len(found.to_polars())
    first, row = frame.iloc[0], found.rows()[0]
    assert (first["assumption"], first["at_low"]) == (row["assumption"], row["at_low"])
    assert [first["change_at_low_low"], first["change_at_low_high"]] == row["change_at_low"]
    assert found.estimates["deaths"] == found.answers["deaths"]


def test_the_command_prints_sentences_tornado_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "sensitivity", "coin", "--measure", "deaths", "--replications", "60", "--workers", "0",
        "--assumption", INSTANT, "--assumption", TRIAGE, "--assumption", TOURNIQUET,
    ]  # fmt: skip
    assert run(command) == 0
    shown = capsys.readouterr().out
    assert f"rests most on {INSTANT}" in " ".join(shown.split())
    assert "█" in shown and "3 assumptions, 60 replications of each point" in shown
    assert run([*command, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["swings"][0]["assumption"] == INSTANT and document["swings"][0]["told_from_chance"]
    assert document["sentences"][0].startswith("coin: deaths")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["coin", "--range", "days=3"], "allowed: PATH=LOW..HIGH"),
        (["coin", "--range", "days=30..20"], "allowed: PATH=LOW..HIGH"),
        (["coin", "--range", "days=20..30", "--range", "days=10..30"], "one range for each setting"),
        (["coin", "brigade", "--vs", "days=3"], "--vs changes one scenario"),
        (["coin", "brigade", "standard"], "one, or two"),
        (["coin", "--assumption", "tourniquet"], "did you mean"),
        (["coinn"], "did you mean"),
    ],
)
def test_wrong_arguments_end_with_a_message(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sensitivity", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_range_of_a_command_may_have_decimals_and_signs() -> None:
    from goldenhour.cli.sensitivity import _given_range

    assert _given_range("casualties.rates.battle.mean=0.2..0.5")[:3] == (
        "casualties.rates.battle.mean",
        0.2,
        0.5,
    )
    assert _given_range("model.casualties.types.urban.severity = -0.5 .. .5")[1:3] == (-0.5, 0.5)
    assert _given_range(f"{TEAMS}=1..3")[1:3] == (1, 3)
