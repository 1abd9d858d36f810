"""Sentences of answers are English, and say no more than is known."""

import math
from typing import Any

import pytest

from engine.experiments import QUANTITIES, Effect, Swing
from engine.inference import Interval
from goldenhour.experiment_sentences import effect_sentences
from goldenhour.optimisation_sentences import _counts, _points_are
from goldenhour.sentences import sensitivity_sentence

DEATHS = QUANTITIES["deaths"]


def effect(name: str, estimate: float, p_holm: float, **fields: Any) -> Effect:
    half = 0.1 if p_holm < 0.05 else 2.0 * abs(estimate)
    interval = Interval(estimate, estimate - half, estimate + half, 100)
    given = {"kind": "one at a time", "statistic": "1 -> 2", **fields}
    return Effect(measure="deaths", name=name, interval=interval, p_holm=p_holm, **given)


def test_the_factor_that_is_named_moves_a_measure_most_only_if_no_other_seems_to_move_it_more() -> None:
    small, large = effect("beds", 0.5, 0.001), effect("teams", 0.9, 0.4)
    (sentence,) = effect_sentences(DEATHS, [small, large], 0.95)
    assert (
        "beds moves deaths per 100 battle casualties most of those that can be told from chance" in sentence
    )
    (sentence,) = effect_sentences(DEATHS, [small, effect("teams", 0.2, 0.4)], 0.95)
    assert "beds moves deaths per 100 battle casualties most: +0.50" in sentence


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["beds"], "falls by 50 % (40 % to 60 %) without beds."),
        (
            ["beds", "teams"],
            "falls by 50 % (40 % to 60 %) without beds and 50 % (40 % to 60 %) without teams.",
        ),
    ],
)
def test_what_the_variance_is_without_factors_is_one_clause_for_each(names: list[str], words: str) -> None:
    found = [effect(name, 0.5, 0.0, kind="Sobol", statistic="total") for name in names]
    (sentence,) = effect_sentences(DEATHS, found, 0.95)
    assert sentence == f"The variance of deaths per 100 battle casualties between points {words}"


def test_an_answer_rests_most_on_what_is_told_from_chance_only_if_nothing_else_is_wider() -> None:
    def swing(number: int, width: float, p_value: float) -> Swing:
        end, same = Interval(10.0 + width, 10.0, 10.0, 50), Interval(10.0, 10.0, 10.0, 50)
        return Swing(number, same, end, Interval(0.0, 0.0, 0.0, 50), Interval(width, 0.0, 0.0, 50), p_value)

    answer = Interval(10.0, 9.0, 11.0, 50)

    def sentence(*swings: Swing) -> str:
        return sensitivity_sentence(DEATHS, answer, swings, ["A", "B"], ["coin"], 30, 0.95)

    assert "as assumed, rests most on A (" in sentence(swing(0, 2.0, 0.01), swing(1, 1.0, 0.5))
    wider = sentence(swing(1, 2.0, 0.5), swing(0, 1.0, 0.01))
    assert "as assumed, as far as can be told from chance rests most on A (" in wider
    assert math.isclose(swing(1, 2.0, 0.5).width, 2.0)


def test_counts_are_named_once_where_they_are_equal() -> None:
    assert (_counts([25, 25]), _counts([1400, 25])) == ("25", "25 to 1,400")
    assert _points_are(1, 3) == "1 of 3 points is"
    assert _points_are(2, 3) == "2 of 3 points are"
